"""From whatever an instructor has to one clean list: who handed in, and which notebooks.

Read as they are: a folder with a sub-folder (or a zip) for each student; nbgrader's `submitted/`; nbgrader's exchange
`inbound/`; the zip, or the unpacked folder, of Canvas's "Download Submissions" or Moodle's "Download all submissions".
Every notebook is copied to a scratch folder, once, with all care (`trees`); nothing else is opened.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import CourseError, SubmissionError
from autograder.files import MAX_NOTEBOOK
from autograder.handed_in.claims import Claim, Problem, Reading
from autograder.handed_in.layouts import kind_of, note_shared_ids, read_names, unwrapped
from autograder.handed_in.trees import (
    MAX_DEPTH,
    MAX_ZIP,
    Budget,
    Node,
    is_junk,
    mark,
    safe_id,
    safe_stem,
    source_tree,
    student_zip,
)
from autograder.text import shown

MAX_NOTES = 15  # in one student's row


@dataclass(frozen=True)
class Delivery:
    """What one student handed in. Where several files may be one notebook, the one to prefer stands first."""

    student: str  # safe as a folder's name and as nbgrader's student id
    files: tuple[Path, ...] = ()  # notebooks, copied; every one is a regular file of ours
    notes: tuple[str, ...] = ()  # what the instructor should know
    timestamp: str = ""  # when it was handed in, if the source knows, as nbgrader's timestamp.txt has it
    display_name: str = ""  # as the source shows it
    lms: Mapping[str, str] = field(default_factory=dict)  # what the way back needs: see `autograder.lms`


@dataclass(frozen=True)
class Deliveries:
    """Every student once, and whatever could not be given to one. Iterating gives the students."""

    students: tuple[Delivery, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()  # about the source as a whole
    layout: str = ""  # how the source was read, in words

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self.students)

    def __len__(self) -> int:
        return len(self.students)


def deliveries(source: Path, assignment: str, scratch: Path, notebooks: Collection[str] = ()) -> Deliveries:
    """Who handed in `assignment`, read from `source`; the notebooks are copied to a new folder in `scratch`.

    `notebooks` are the names of the assignment's own notebooks, without the ending, where they are known: a name that
    is one of them is never taken for a second version (`part-2.ipynb`) of another.
    """
    if scratch.resolve().is_relative_to(source.resolve()):
        raise CourseError(f"{scratch}: lies among the submissions: choose another folder to write to")
    with source_tree(source) as tree, _about(source):
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="delivery-", dir=scratch))
        reading = read_names(unwrapped(tree, assignment), assignment)
        note_shared_ids(reading.claims)
        found = []
        for student, claim in zip(_distinct_ids(reading.claims), reading.claims, strict=True):
            try:
                found.append(_delivery(student, claim, folder / student, notebooks))
            except _NotAStudentError as error:
                reading.problems.append(Problem(shown(claim.origin), str(error)))
    if not found:
        raise CourseError(f"{source}: {_why_nobody(reading, assignment)}")
    found.sort(key=lambda delivery: delivery.student)
    return Deliveries(tuple(found), tuple(reading.problems), tuple(reading.notes), reading.layout)


@contextlib.contextmanager
def _about(source: Path) -> Iterator[None]:
    """What goes wrong outside any student's own files is about the source."""
    try:
        yield
    except SubmissionError as error:
        raise CourseError(f"{source}: {error}") from error
    except OSError as error:
        raise CourseError(f"{error.filename or source}: {error.strerror or error}") from error


def _why_nobody(reading: Reading, assignment: str) -> str:
    if not reading.problems:
        return f"no submissions of {assignment} in it: give the folder with the students' folders"
    first, more = reading.problems[0], len(reading.problems) - 1
    return f"{first.name}: {first.why}" + (f" (and {more} more like it)" if more else "")


class _NotAStudentError(Exception):
    """A zip that turns out to hold a class, not a student's notebooks."""


def _distinct_ids(claims: list[Claim]) -> list[str]:
    """A safe id for each claim, no two alike on any system; notes where it is not the name that the source has."""
    wanted = [safe_id(claim.name) for claim in claims]
    order = sorted(range(len(claims)), key=lambda i: (wanted[i] != claims[i].name, claims[i].origin))
    taken: set[str] = set()
    ids = list(wanted)
    for i in order:
        if _folded(ids[i]) in taken:
            ids[i] = _with_mark(wanted[i], claims[i].origin, taken)
        taken.add(_folded(ids[i]))
        if ids[i] != claims[i].name and ids[i] != claims[i].name.replace(" ", "_"):
            claims[i].notes.insert(0, f"called {ids[i]} here: the source says {shown(claims[i].name)}")
    return ids


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _with_mark(name: str, origin: str, taken: set[str]) -> str:
    """The name with a mark made from what the source has, so that it is the same on another day."""
    marked, again = f"{name}-{mark(origin)}", 2
    while _folded(marked) in taken:
        marked, again = f"{name}-{mark(origin)}-{again}", again + 1
    return marked


def _delivery(student: str, claim: Claim, folder: Path, notebooks: Collection[str]) -> Delivery:
    basket = _Basket(folder, notebooks, claim)
    try:
        for node, name, rank in claim.nodes:
            basket.take(node, name, rank)
    except SubmissionError as error:  # the budget is spent
        basket.notes.append(str(error))
    files = basket.files()
    if not files:
        basket.notes.append("no notebook was handed in")
    notes = tuple(dict.fromkeys([*claim.notes, *basket.notes]))
    if len(notes) > MAX_NOTES:
        notes = (*notes[:MAX_NOTES], f"and {len(notes) - MAX_NOTES} more notes of this kind")
    return Delivery(student, files, notes, claim.timestamp, claim.display_name, dict(claim.lms))


@dataclass(frozen=True, order=True)
class _Found:
    """A copied notebook; the order is the one in which to try them."""

    notebook: str  # its name without a counter
    late: int  # minus the rank: the latest first
    counter: int  # 0 for a name without one
    where: str
    again: int  # of two files of one name in a zip, the later first
    path: Path


class _Basket:
    """The notebooks of one student, copied within the student's budget."""

    def __init__(self, folder: Path, notebooks: Collection[str], claim: Claim) -> None:
        self.folder = folder
        self.notebooks = notebooks
        self.claim = claim
        self.budget = Budget()
        self.notes: list[str] = []
        self._found: list[_Found] = []
        self._ignored: list[str] = []

    def take(self, node: Node, name: str, rank: int, where: str = "", depth: int = 0, zipped: bool = False) -> None:
        """A file or folder, and all that is in it."""
        self.budget.look()
        label = f"{where}{shown(name)}"
        if is_junk(name):
            return
        try:
            if node.refusal:
                raise SubmissionError(node.refusal)
            if depth > MAX_DEPTH:
                raise SubmissionError(f"more than {MAX_DEPTH} folders deep: not opened")
            if name.startswith("."):
                self._ignored.append(label)
            elif node.is_folder:
                for child in node.children():
                    self.take(child, child.name, rank, f"{label}/", depth + 1, zipped)
            elif name.casefold().endswith(".ipynb"):
                self._keep(node, name, rank, label)
            elif name.casefold().endswith(".zip") and not zipped:
                self._unzip(node, name, rank, label)
            else:
                self._ignored.append(label)
        except SubmissionError as error:
            if self.budget.files < 0 or self.budget.bytes < 0:
                raise
            self.notes.append(f"{label}: {error}")

    def _keep(self, node: Node, name: str, rank: int, label: str) -> None:
        stem, counter = original_stem(name[: -len(".ipynb")], self.notebooks)
        target = self._free(f"{safe_stem(name[: -len('.ipynb')])}.ipynb")
        self.budget.copy(node, target, MAX_NOTEBOOK)
        self._found.append(_Found(stem, -rank, counter, label, -len(self._found), target))

    def _free(self, name: str) -> Path:
        """A place for a file of this name: the name stays, in a folder of its own where there are several."""
        place, again = self.folder / name, 2
        while any(_folded(str(found.path)) == _folded(str(place)) for found in self._found):
            place, again = self.folder / str(again) / name, again + 1
        return place

    def _unzip(self, node: Node, name: str, rank: int, label: str) -> None:
        copy = self.folder / "unpacked.zip"
        self.budget.copy(node, copy, MAX_ZIP)
        try:
            with copy.open("rb") as file, student_zip(file, name) as tree:
                self._require_one_student(tree)
                for child in tree.children():
                    self.take(child, child.name, rank, f"{label}/", 1, zipped=True)
        finally:
            copy.unlink()

    def _require_one_student(self, tree: Node) -> None:
        if self.claim.origin.casefold().endswith(".zip") and kind_of(tree) != "plain":
            raise _NotAStudentError("looks like the download of a whole class: give this zip by itself")

    def files(self) -> tuple[Path, ...]:
        """The notebooks in the order in which to try them; notes about versions and about what was not opened."""
        found = sorted(self._found)
        for stem, count in Counter(one.notebook for one in found).items():
            if count > 1:
                labels = [one.where for one in found if one.notebook == stem]
                self.notes.append(f"may be versions of one notebook, tried in this order: {', '.join(labels)}")
        if self._ignored:
            more = f" and {len(self._ignored) - 5} more" if len(self._ignored) > 5 else ""
            self.notes.append(f"not notebooks, not opened: {', '.join(self._ignored[:5])}{more}")
        return tuple(one.path for one in found)


# Canvas counts names that a student used before, "heads-1.ipynb" (canvas-lms/app/models/attachment.rb), and gives up
# with a random one; browsers write "heads (1).ipynb", Jupyter "heads-Copy1.ipynb".
COUNTED = re.compile(
    r"(?P<stem>.+?)(?:-(?P<n>\d{1,3})| ?\((?P<m>\d{1,3})\)|-Copy(?P<k>\d*)"
    r"|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)


def original_stem(stem: str, notebooks: Collection[str] = ()) -> tuple[str, int]:
    """A notebook's name without the counter that Canvas, a browser or Jupyter put on it; and the counter, or 0."""
    match = COUNTED.fullmatch(stem)
    if match is None or stem in notebooks:
        return stem, 0
    return match["stem"], int(match["n"] or match["m"] or match["k"] or 1)
