"""What a run of a notebook leaves, and what grading a class came to: a row for each student, and what is said of all.

These are plain records, for everybody above. `engine` makes those of a run; `grading`, which says what cells are worth,
makes the others, and the report, the CSV files and the terminal read them. On disk they are `results.json`: the same
names, with a version. A file that is not one, or is of another version, is refused in one line, and whoever wants to
write there reads it first: what cannot be read is never written over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.files import write_whole

# ---- of a run


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


@dataclass(frozen=True)
class ByHand:
    """What a person said of one exercise in formgrader."""

    notebook: str
    exercise: str
    points: float | None = None  # given in place of the tests' own; None where those stay
    comment: str = ""


# ---- of a class

VERSION = 2  # of results.json; 1 had none written down, and said in an exercise's message what is a state now


class Status(StrEnum):
    """Of a student's whole submission."""

    GRADED = "graded"
    TIMED_OUT = "timed out"  # what was earned until then counts
    CRASHED = "crashed"  # likewise
    REFUSED = "refused"  # nothing in it could be graded
    FAILED = "failed"  # our side's fault: there is no verdict


class State(StrEnum):
    """Of one exercise of a student's."""

    RIGHT = "right"
    PARTLY = "partly right"
    WRONG = "wrong"
    NOT_WRITTEN = "not written yet"
    NOT_REACHED = "not reached"  # the notebook ended before its test
    NOT_HANDED_IN = "not handed in"  # its notebook is not there
    NOT_GRADED = "could not be graded"  # by our side's fault
    BY_HAND = "graded by a person"

    @property
    def was_tested(self) -> bool:
        """Whether a test had its say; only these count in figures about an exercise."""
        return self not in (State.NOT_HANDED_IN, State.NOT_GRADED, State.BY_HAND)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A known one: its name in the bank, and a sentence."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of one notebook, and what a student earned on it."""

    notebook: str
    exercise: str
    points: float
    max_points: float
    state: State
    message: str = ""  # what the student is told; "" where it is right
    mistake: Mistake | None = None
    details: str = ""  # for the instructor, also of hidden questions
    title: str = ""  # the first line of what the notebook shows, such as "✗ softmax: 2 of 6 right"


@dataclass(frozen=True, slots=True)
class Row:
    """One student. `score` is the gradebook's: with a person's points, and with the penalty taken off."""

    student: str  # the id: safe as a folder's name
    status: Status
    note: str = ""
    score: float = 0.0
    penalty: float = 0.0  # points taken off for being late
    seconds: float = 0.0  # of the clock, over all cells
    cpu_seconds: float = 0.0
    exercises: tuple[Exercise, ...] = ()
    incidents: tuple[Incident, ...] = ()
    digests: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # notebook → of ours, of what was run
    display_name: str = ""  # as the source shows it
    lms: Mapping[str, str] = field(default_factory=dict)  # what the way back needs: see `autograder.lms`

    @property
    def name(self) -> str:
        """For people to read."""
        return self.display_name or self.student


@dataclass(frozen=True, slots=True)
class Change:
    """Points that are others than in the last run."""

    student: str
    notebook: str
    exercise: str
    before: float
    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two students, the exercises on which their code agrees, and the share of the smaller answers that is common."""

    students: tuple[str, str]
    share: float
    exercises: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """When and how a class was graded."""

    started: datetime
    seconds: float
    submissions: int
    workers: int
    unsafe: bool = False
    sandbox: tuple[str, ...] | None = None  # the walls; None where the workers of a cluster have their own

    @property
    def submissions_a_minute(self) -> float:
        return 60 * self.submissions / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Results:
    """All of it. `similar` is None where nobody compared."""

    assignment: str
    max_score: float
    rows: tuple[Row, ...]
    similar: tuple[Pair, ...] | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()  # about the class's files as a whole
    run: RunFacts | None = None
    chapter: str = ""  # that the assignment is of, if it has another name: one notebook of it, say


# ---- as JSON


def as_json(results: Results) -> str:
    """With the version in front, and a line for each thing."""
    import msgspec  # a student who only runs `check` needs none

    plain = {"version": VERSION} | msgspec.to_builtins(results)
    return json.dumps(plain, ensure_ascii=False, indent=1)


def from_json(text: str) -> Results:
    """Raises ValueError, in one line, where this is not what `as_json` writes."""
    import msgspec

    try:
        plain: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(plain, dict) or "rows" not in plain:
        raise ValueError("not the results of a class")
    version = plain.pop("version", 1)
    if version != VERSION:
        raise ValueError(f"written by another version of this program: {version!r:.20}, and this one reads {VERSION}")
    return msgspec.convert(plain, Results)  # its error is a ValueError that names the field


def write_results(results: Results, path: Path) -> None:
    write_whole(path, as_json(results))


def read_results(path: Path) -> Results:
    """Raises CourseError, one line, where it cannot be read."""
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error}"[:200]
        raise CourseError(f"{path}: cannot be read ({why}): move it away, and grade the class again") from error
