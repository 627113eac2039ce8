"""What `verify` finds of a chapter."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograder.course.bank import Entry
from autograder.course.record import Known


@dataclass(frozen=True)
class Verdict:
    """What the tests said of one bank entry; `problem` is "" where it was the right thing."""

    entry: Entry
    message: str
    blamed: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Fill:
    """An answer that the author has left to the reference: `gives=...` in a test's cell."""

    notebook: str
    test: str
    line: int
    answer: str


@dataclass
class Verification:
    """What `verify` found for a chapter."""

    verdicts: list[Verdict] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)  # notebook → points that its tests are worth
    by_hand: dict[str, float] = field(default_factory=dict)  # notebook → points that a person gives
    reference: dict[str, float] = field(default_factory=dict)  # notebook → what the reference got
    untouched: dict[str, float] = field(default_factory=dict)  # notebook → what the blank notebook got
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what an author may want to mend
    record: dict[str, Known] = field(default_factory=dict)  # of the notebooks that ask
    fills: list[Fill] = field(default_factory=list)  # answers for the author's `gives=...`

    def count(self, *, is_right: bool) -> tuple[int, int]:
        """How many right (wrong) entries were judged as they deserve, and how many there are."""
        mine = [v for v in self.verdicts if v.entry.is_right is is_right]
        return sum(not v.problem for v in mine), len(mine)

    @property
    def blamed(self) -> int:
        return sum(len(v.blamed) for v in self.verdicts)

    @property
    def clean(self) -> bool:
        return not self.problems and not any(v.problem for v in self.verdicts)
