"""What a run of a notebook leaves: what each cell did, what else went wrong, and why it ended.

Plain records, for everybody above and below: how a notebook is run is said elsewhere (`engine`, `execution`), and so is
what its cells are worth (`autograder.grading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Ended(StrEnum):
    """Why a run ended; false where it ended by itself, after its last cell."""

    WHOLE = ""
    TIMED_OUT = "timed out"
    CRASHED = "crashed"


class Kind(StrEnum):
    """Of an incident."""

    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out of memory"
    FLOOD = "flood"  # more was printed than is kept
    REFUSED = "refused"  # a file that cannot be read as the notebook that was set
    LATE = "late"


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell did; `error` is an exception's type name, or "" where there was none."""

    id: str
    error: str
    message: str
    printed: str
    seconds: float  # of the clock
    value: str = ""  # what a notebook shows of the last line's value: in a test cell, partial credit
    entry: str = ""  # the known mistake that gives these answers
    details: str = ""  # for the instructor: the question, also where it is a hidden one
    title: str = ""  # the first line of what a notebook shows of a wrong answer

    @property
    def passed(self) -> bool:
        return self.error == ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong beyond a wrong answer: in which cell, of which kind, in words."""

    cell: str  # "" where it is about a whole file, or about no file
    kind: Kind
    text: str
    notebook: str = ""  # where several are told of together


@dataclass(frozen=True, slots=True)
class Run:
    """All cells that ended, by id, and why the others did not."""

    cells: Mapping[str, CellResult]
    ended: Ended
    incidents: tuple[Incident, ...] = ()
    cpu_seconds: float = 0.0  # of both processes, over all attempts
    fault: str = ""  # what failed on our side: then nothing here is a verdict
    doubt: str = ""  # why another run, on a machine that does nothing else, may end otherwise
