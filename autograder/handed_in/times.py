"""When something was handed in: the one place where a time is read.

nbgrader writes `2026-02-02 15:58:23.948203 UTC`, or the zone as `America/Los_Angeles` or `+0100`. A time without a zone
is UTC, as in nbgrader. What is not understood is refused: of an abbreviation that several zones have (CST), or that
none has, nobody knows how many hours it is worth.
"""

from __future__ import annotations

import re
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo

FORM = "%Y-%m-%d %H:%M:%S.%f UTC"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(\S+)?", re.ASCII)
NUMBER = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)
MOST_HOURS = 14  # between a zone and UTC
FIRST_YEAR = 1970


def read_time(text: str) -> datetime:
    """A time in UTC, without a zone of its own; raises ValueError where it cannot be told."""
    found = TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()[:40]!r} is not a date and time")
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}") + timedelta(seconds=float(f"0.{fraction or 0}"))
        moment = moment.replace(tzinfo=_zone(zone)).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{text.strip()[:40]!r} is out of all time") from None
    if moment.year < FIRST_YEAR:
        raise ValueError(f"{text.strip()[:40]!r} is before all computers")
    return moment


def as_text(moment: datetime) -> str:
    """As nbgrader's timestamp.txt has it, in UTC."""
    return moment.strftime(FORM)


def in_utc(text: str) -> str:
    """The same time in nbgrader's own form; raises ValueError where it cannot be told."""
    return as_text(read_time(text))


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
