"""Interrupting what takes too long, from within the process that runs it."""

from __future__ import annotations

import signal
from typing import Any


class TookTooLong(BaseException):
    """Raised inside the student's code when its time is up; not an Exception, so that `except Exception` lets it by."""


class time_limit:  # noqa: N801  used like a function
    """Interrupt what runs inside after so many seconds of CPU time or of the clock."""

    def __init__(self, cpu: float, wall: float) -> None:
        self.cpu, self.wall = cpu, wall

    def __enter__(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, self.cpu, 1.0)
        signal.setitimer(signal.ITIMER_REAL, self.wall, 1.0)

    def __exit__(self, *details: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def hear_the_clock() -> None:
    """Have `time_limit` interrupt; anew for each cell and each test, since honest code may use the same signals."""
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, _time_is_up)


def _time_is_up(number: int, frame: Any) -> None:
    raise TookTooLong("too much computing" if number == signal.SIGPROF else "too much time")
