"""Whose is what, as names alone say it: what every layout, an LMS's or another, makes of a tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograder.errors import SubmissionError
from autograder.handed_in.trees import Node, is_junk
from autograder.text import shown


@dataclass(frozen=True)
class Problem:
    """Something that may be a submission, of a student who cannot be told."""

    name: str
    why: str


@dataclass
class Claim:
    """What names alone say of one student, before any file is opened."""

    name: str  # what the id is made from
    nodes: list[tuple[Node, str, int]] = field(default_factory=list)  # node, the student's name for it, how late
    notes: list[str] = field(default_factory=list)
    display_name: str = ""
    lms: dict[str, str] = field(default_factory=dict)
    timestamp: str = ""
    origin: str = ""  # tells two claims of one name apart

    def add(self, node: Node, name: str = "", rank: int = 0) -> None:
        self.nodes.append((node, name or node.name, rank))


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


def children(folder: Node, claim: Claim) -> list[Node]:
    """What is in a student's folder; a note where it cannot be looked into."""
    try:
        return folder.children()
    except SubmissionError as error:
        claim.notes.append(str(error))
        return []
