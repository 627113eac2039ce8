"""When something was handed in: the one place where a time is read.

nbgrader writes `2026-02-02 15:58:23.948203 UTC`, or the zone as `America/Los_Angeles` or `+0100`. A time without a zone
is UTC, as in nbgrader. What is not understood is refused: of an abbreviation that several zones have (CST), or that
none has, nobody knows how many hours it is worth. Platforms write the clock of wherever they stand into their names,
`2026-01-30-15-30-10` (Blackboard) or `Sep 24, 2026 926 PM` (Brightspace): in which zone, only the instructor can say.
"""

from __future__ import annotations

import re
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo

FORM = "%Y-%m-%d %H:%M:%S.%f UTC"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(\S+)?", re.ASCII)
DASHED = re.compile(r"(\d{4}-\d\d-\d\d)[-_ ](\d\d)-(\d\d)(?:-(\d\d))?(?:\s+(\S+))?", re.ASCII)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WORDS = re.compile(
    r"(?:(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2})|(?P<day2>\d{1,2}) (?P<month2>[A-Za-z]{3,9})),? (?P<year>\d{4}),? "
    r"(?P<hour>\d{1,2})[:.-]?(?P<minute>\d\d)(?:[:.-](?P<second>\d\d))?(?: ?(?P<half>[AaPp])[Mm])?"
    r"(?:\s+(?P<zone>\S+))?",
    re.ASCII,
)
NUMBER = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)
MOST_HOURS = 14  # between a zone and UTC
FIRST_YEAR = 1970


def read_time(text: str, zone: str = "") -> datetime:
    """A time in UTC, without a zone of its own; raises ValueError where it cannot be told.

    `zone` is that of a text which names none; UTC unless it is given.
    """
    clock, own = _clock(text.strip())
    try:
        moment = clock.replace(tzinfo=_zone(own or zone or None)).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{text.strip()[:40]!r} is out of all time") from None
    if moment.year < FIRST_YEAR:
        raise ValueError(f"{text.strip()[:40]!r} is before all computers")
    return moment


def has_zone(text: str) -> bool:
    """Whether a time says in which zone it is meant; raises ValueError where it is no time."""
    return bool(_clock(text.strip())[1])


def check_zone(zone: str) -> None:
    """Raise ValueError where this is no time zone."""
    _zone(zone)


def _clock(text: str) -> tuple[datetime, str]:
    """What the clock showed, and the zone that is written beside it, if one is."""
    if found := TIME.fullmatch(text):
        day, clock, fraction, zone = found.groups()
        return datetime.fromisoformat(f"{day}T{clock}") + _seconds(fraction), zone or ""
    if found := DASHED.fullmatch(text):
        day, hour, minute, second, zone = found.groups()
        return datetime.fromisoformat(f"{day}T{hour}:{minute}:{second or '00'}"), zone or ""
    if (found := WORDS.fullmatch(text)) and (month := _month(found["month"] or found["month2"])):
        day = int(found["day"] or found["day2"])
        hour, half = int(found["hour"]), (found["half"] or "").lower()
        if half and not 1 <= hour <= 12:
            raise ValueError(f"{text[:40]!r} has no such hour")
        hour = hour % 12 + 12 * (half == "p") if half else hour
        clock = datetime(int(found["year"]), month, day, hour, int(found["minute"]), int(found["second"] or 0))
        return clock, found["zone"] or ""
    raise ValueError(f"{text[:40]!r} is not a date and time")


def _seconds(fraction: str | None) -> timedelta:
    return timedelta(seconds=float(f"0.{fraction or 0}"))


def _month(name: str) -> int:
    """Its number; 0 for what is no month in English."""
    return MONTHS.index(name[:3].lower()) + 1 if name[:3].lower() in MONTHS else 0


def as_text(moment: datetime) -> str:
    """As nbgrader's timestamp.txt has it, in UTC."""
    return moment.strftime(FORM)


def in_utc(text: str, zone: str = "") -> str:
    """The same time in nbgrader's own form; raises ValueError where it cannot be told."""
    return as_text(read_time(text, zone))


def _zone(name: str | None) -> tzinfo:
    if name is None or name.upper() in ("UTC", "GMT", "UT", "Z"):
        return UTC
    if number := NUMBER.fullmatch(name):
        offset = timedelta(hours=int(number[2]), minutes=int(number[3] or 0))
        if int(number[3] or 0) > 59 or offset > timedelta(hours=MOST_HOURS):
            raise ValueError(f"{name} is no zone of the earth")
        return timezone(-offset if number[1] == "-" else offset)
    if name in time.tzname and time.tzname != ("UTC", "UTC"):
        return _local()
    return _by_name(name)


def _local() -> tzinfo:
    from dateutil import tz  # type: ignore[import-untyped]  # of nbgrader's, and needed where a zone is the machine's

    return tz.tzlocal()  # type: ignore[no-any-return]


def _by_name(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{name[:40]!r} is not a time zone: write UTC, +0100 or Europe/Berlin") from None
