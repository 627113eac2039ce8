"""When it was due, for all and for some, and what cannot be known of it; what being late costs, nbgrader says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autograder.errors import CourseError
from autograder.handed_in.delivery import Delivery
from autograder.handed_in.times import check_zone, has_zone, in_utc, read_time

AS_IN = "write it as in 2026-12-01 23:59 UTC"
MORE = re.compile(r"(?P<number>\d{1,4}(?:\.\d{1,2})?) ?(?P<unit>d|days?|h|hours?)", re.I)


@dataclass(frozen=True)
class Lateness:
    """`due` is in UTC, "" where nobody says; `extensions` are a student's own due date, or so much more time."""

    due: str = ""
    extensions: Mapping[str, datetime | timedelta] = field(default_factory=dict)
    supposed: bool = False  # nobody said in which zone, so it is UTC

    @classmethod
    def read(cls, due: str, extensions: Sequence[str], zone: str = "") -> Lateness:
        """From what was typed; `zone` is that of a time which names none. Raises CourseError, one line."""
        try:
            if zone:
                check_zone(zone)
        except ValueError as error:
            raise CourseError(f"--zone: {error}") from error
        try:
            when = in_utc(due, zone) if due else ""
        except ValueError as error:
            raise CourseError(f"--due {due}: {error}: {AS_IN}") from error
        supposed = bool(due and not zone and not has_zone(due))
        return cls(when, dict(_extension(text, zone) for text in extensions), supposed)

    def require(self, students: Collection[str]) -> None:
        """CourseError where somebody has more time who is not there: a slip in the name would go unnoticed."""
        if missing := [name for name in self.extensions if name not in students]:
            some = ", ".join(sorted(students)[:10])
            raise CourseError(f"--extension {missing[0]}: no such student among the submissions: {some}")

    def notes(self, wanted: Sequence[Delivery]) -> list[str]:
        """What to say of the class, where a due date is known."""
        unknown = sum(1 for delivery in wanted if not delivery.timestamp)
        said = []
        if self.supposed and unknown < len(wanted):
            said.append(f"due {read_time(self.due):%Y-%m-%d %H:%M} UTC, since no zone was said: say yours with --zone")
        if unknown == len(wanted):
            said.append("nothing here says when it was handed in, so nobody is counted late: let the platform do it")
        elif unknown:
            said.append(f"when it was handed in is not known of {unknown} of {len(wanted)}: they are not counted late")
        for student, when in self.extensions.items():
            said.append(f"{student} has {_more(when) if isinstance(when, timedelta) else f'until {when} UTC'}")
        return said


def _more(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    number, unit = (hours / 24, "day") if hours >= 24 and hours % 24 == 0 else (hours, "hour")
    return f"{number:g} {unit}{'' if number == 1 else 's'} more"


def _extension(text: str, zone: str) -> tuple[str, datetime | timedelta]:
    student, _, when = (part.strip() for part in text.partition("="))
    if not student or not when:
        raise CourseError(f"--extension {text}: write STUDENT=TIME or STUDENT=3 days, as in ann=2026-12-03 23:59 UTC")
    if more := MORE.fullmatch(when):
        hours = float(more["number"]) * (24 if more["unit"].lower().startswith("d") else 1)
        return student, timedelta(hours=hours)
    try:
        return student, read_time(when, zone)
    except ValueError as error:
        raise CourseError(f"--extension {text}: {error}: {AS_IN}, or 3 days") from error
