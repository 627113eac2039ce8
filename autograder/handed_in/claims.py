"""Whose is what, as names alone say it: what every layout, an LMS's or another, makes of a tree."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from autograder.errors import SubmissionError
from autograder.handed_in.times import in_utc, read_time
from autograder.handed_in.trees import Node, is_junk
from autograder.text import shown


@dataclass(frozen=True)
class Problem:
    """Something that may be a submission, of a student who cannot be told."""

    name: str
    why: str


@dataclass(frozen=True)
class Piece:
    """A file or folder that a student handed in. Of two that may be one notebook, the later try counts."""

    node: Node
    name: str  # the student's own
    rank: int = 0
    attempt: int = 0


@dataclass(frozen=True)
class Member:
    """One of those who handed in together."""

    name: str  # what the id is made from
    display_name: str = ""
    lms: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Claim:
    """What names alone say of one student, before any file is opened."""

    name: str  # what the id is made from
    pieces: list[Piece] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    display_name: str = ""
    lms: dict[str, str] = field(default_factory=dict)
    timestamp: str = ""
    origin: str = ""  # tells two claims of one name apart
    key: str = ""  # claims of one key are tries of one student
    order: float | None = None  # of such tries: the greater is the later; None where it cannot be told
    attempt: str = ""  # what a try is called
    group: str = ""  # under which name several handed in together
    members: list[Member] = field(default_factory=list)  # all of them, if there are several

    @property
    def moment(self) -> float | None:
        """By which tries are put in order: what the layout says, else when it was handed in."""
        return read_time(self.timestamp).timestamp() if self.order is None and self.timestamp else self.order

    def add(self, node: Node, name: str = "", rank: int = 0, attempt: int = 0) -> None:
        self.pieces.append(Piece(node, name or node.name, rank, attempt))


def tries_together(claims: list[Claim]) -> list[Claim]:
    """One claim a student: several tries become one, of whose notebooks the last of each counts."""
    by_key: dict[str, list[Claim]] = {}
    for number, claim in enumerate(claims):
        by_key.setdefault(claim.key or f"\0{number}", []).append(claim)
    return [tries[0] if len(tries) == 1 else _one_of(tries) for tries in by_key.values()]


def _one_of(tries: list[Claim]) -> Claim:
    orders = [claim.moment for claim in tries]
    labels = [claim.attempt or shown(claim.origin or claim.name) for claim in tries]
    if None in orders or len(set(orders)) < len(orders):
        lost = replace(tries[0], pieces=[], timestamp="")
        lost.notes = [*tries[0].notes, f"{len(tries)} tries, and which is the last cannot be told: {', '.join(labels)}"]
        return lost
    ordered = sorted(tries, key=lambda claim: claim.moment or 0.0)
    last = ordered[-1]
    pieces = [replace(piece, attempt=n) for n, claim in enumerate(ordered) for piece in claim.pieces]
    said = f"{len(tries)} tries: of each notebook the last counts; the last is of {last.attempt or labels[-1]}"
    notes = [said, *(note for claim in reversed(ordered) for note in claim.notes)]
    return replace(last, pieces=pieces, notes=list(dict.fromkeys(notes)), origin=tries[0].origin)


@dataclass
class Reading:
    """A source as one layout reads it."""

    layout: str
    claims: list[Claim] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stray(self, node: Node, why: str) -> None:
        """Something that belongs to nobody: a row of its own if it may be a submission."""
        if is_junk(node.name):
            return
        if node.is_folder or node.refusal or node.has_suffix(".ipynb", ".zip"):
            self.problems.append(Problem(shown(node.name), node.refusal or why))
        else:
            self.notes.append(f"{shown(node.name)}: not a notebook: not opened")


def in_common(names: Sequence[str]) -> str:
    """The characters with which all names begin."""
    first, last = (min(names), max(names)) if names else ("", "")
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def by_their_clock(claim: Claim, when: str, own: str, zone: str) -> None:
    """Note when it was handed in by a platform's clock: in the zone that stands beside it, or that is given.

    A zone that is given decides. Where there is none, no lateness can be counted, and nobody guesses.
    """
    for each in filter(None, (zone, own)):
        with contextlib.suppress(ValueError):
            claim.timestamp = in_utc(when, each)
            return
    try:
        read_time(when)
        claim.notes.append(f"handed in {when} by the platform's clock: say of which time zone that is with --zone")
    except ValueError:
        claim.notes.append(f"handed in {shown(when, 40)}, which is not a time that can be read")


def children(folder: Node, claim: Claim) -> list[Node]:
    """What is in a student's folder; a note where it cannot be looked into."""
    try:
        return folder.children()
    except SubmissionError as error:
        claim.notes.append(str(error))
        return []
