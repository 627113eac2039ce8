"""From whatever an instructor has to one clean list: who handed in, and which notebooks.

Read as they are: a folder with a sub-folder (or a zip) for each student; nbgrader's `submitted/` and its exchange's
`inbound/`; what Canvas, Moodle, Blackboard, Brightspace and Gradescope hand out, zipped or unpacked; repositories of
GitHub Classroom. Which it is, the names in it tell (`layouts`), or the instructor (`rule`, `people`).
Every notebook is copied to a scratch folder, once, with all care (`trees`).
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.errors import CourseError, SubmissionError
from autograder.files import MAX_NOTEBOOK
from autograder.handed_in import rule
from autograder.handed_in.claims import Claim, Problem, Reading, tries_together
from autograder.handed_in.layouts import assignments_in, kind_of, note_shared_ids, read_names, unwrapped
from autograder.handed_in.looks import looks_like, notebook_stem
from autograder.handed_in.people import People, one_claim_each
from autograder.handed_in.rule import Rule
from autograder.handed_in.trees import (
    MAX_DEPTH,
    MAX_ZIP,
    Budget,
    Node,
    is_junk,
    mark,
    note_guessed_encoding,
    safe_id,
    safe_stem,
    source_tree,
    student_zip,
)
from autograder.notebook.file import MAX_WITH_OUTPUTS, without_outputs
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
    members: tuple[Delivery, ...] = ()  # one for each of a group, with the same files; run once, graded for each

    def each(self) -> tuple[Delivery, ...]:
        """Everybody who gets a grade for it."""
        return self.members or (self,)


@dataclass(frozen=True)
class Intake:
    """What the instructor says of the files that came in."""

    names: str = ""  # how they are named: see `autograder.handed_in.rule`
    roster: Path | None = None  # who is in the class, and in which group: see `autograder.handed_in.people`
    zone: str = ""  # the time zone of the platform's clock
    encoding: str = ""  # of the names in a zip that does not say


@dataclass(frozen=True)
class Deliveries:
    """Every student once, and whatever could not be given to one. Iterating gives the students."""

    students: tuple[Delivery, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()  # about the source as a whole
    layout: str = ""  # how the source was read, in words
    named: str = ""  # the assignment's name in nbgrader's folders, where it was read from them

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self.students)

    def __len__(self) -> int:
        return len(self.students)


def deliveries(
    source: Path,
    assignment: str | Sequence[str],
    scratch: Path,
    notebooks: Collection[str] = (),
    intake: Intake | None = None,
    *,
    known: Collection[str] = (),
) -> Deliveries:
    """Who handed in `assignment`, read from `source`; the notebooks are copied to a new folder in `scratch`.

    `assignment` is its name in nbgrader's folders, or several that it may have there, the best first. With none, the
    one of `known` that they name is taken, or the only one that there is. `notebooks` are the names of the assignment's
    own notebooks, without the ending, where they are known: a name that is one of them is never taken for a second
    version (`part-2.ipynb`) of another.
    """
    intake = intake or Intake()
    names = [assignment] if isinstance(assignment, str) else list(assignment)
    people = People.read(intake.roster) if intake.roster else None
    if scratch.resolve().is_relative_to(source.resolve()):
        raise CourseError(f"{scratch}: lies among the submissions: choose another folder to write to")
    with source_tree(source, intake.encoding) as tree, _about(source):
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="delivery-", dir=scratch))
        top = unwrapped(tree, names)
        if not names:
            names = _named(top, known)
        if intake.names:
            reading = rule.read(tree, Rule(intake.names), intake.zone)
        else:
            reading = read_names(top, names, intake.zone)
        note_guessed_encoding(tree, reading.notes)
        if people:
            people.apply(reading)
        reading.claims = tries_together(reading.claims)
        one_claim_each(reading)
        note_shared_ids(reading.claims)
        reading.notes += _perhaps_one([claim.name for claim in reading.claims])
        found = []
        for student, claim in zip(_distinct_ids(reading.claims), reading.claims, strict=True):
            try:
                found.append(_delivery(student, claim, folder / student, notebooks))
            except _NotAStudentError as error:
                reading.problems.append(Problem(shown(claim.origin), str(error)))
    if not found:
        raise CourseError(f"{source}: {_why_nobody(reading, names)}")
    found.sort(key=lambda delivery: delivery.student)
    named = next((name for name in names if name), "")
    return Deliveries(tuple(found), tuple(reading.problems), tuple(reading.notes), reading.layout, named)


def _named(top: Node, known: Collection[str]) -> list[str]:
    """The assignment that nbgrader's folders name; CourseError where they name several, and nobody says which."""
    there = assignments_in(top)
    mine = [name for name in there if name in known]
    if len(mine) == 1 or (len(there) == 1 and not mine):
        return mine or there
    if there:
        which = "say which with --chapter or --assignment"
        raise CourseError(f"submissions of several assignments: {which}: {', '.join(there)}")
    return []


@contextlib.contextmanager
def _about(source: Path) -> Iterator[None]:
    """What goes wrong outside any student's own files is about the source."""
    try:
        yield
    except SubmissionError as error:
        raise CourseError(f"{source}: {error}") from error
    except OSError as error:
        raise CourseError(f"{error.filename or source}: {error.strerror or error}") from error


def _why_nobody(reading: Reading, names: Sequence[str]) -> str:
    if not reading.problems:
        others = [note for note in reading.notes if note.endswith("left alone")]
        what = f"no submissions of {names[0]} in it" if names else "no submissions in it"
        if others:
            return f"{what} ({'; '.join(others[:5])}): is it called otherwise there? Say so with --assignment"
        return f"{what}: give the folder with the students' folders"
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


AGAIN = re.compile(r"(?P<name>.+?)(?: ?\(\d{1,3}\)| - Copy(?: \(\d+\))?|-Copy\d*)", re.I | re.S)  # of a folder


def _perhaps_one(names: Sequence[str]) -> list[str]:
    """A line for names that may be one student's: alike but for capitals, or for what a system adds to a copy."""
    alike: dict[str, list[str]] = {}
    for name in names:
        copy = AGAIN.fullmatch(name)
        alike.setdefault(_folded(copy["name"] if copy else name), []).append(shown(name))
    several = [" and ".join(sorted(found)) for found in alike.values() if len(found) > 1]
    return [f"{each}: one student twice? Each has a row; hand over one of them" for each in several]


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
        for piece in claim.pieces:
            basket.take(piece.node, piece.name, (piece.attempt, piece.rank))
    except SubmissionError as error:  # the budget is spent
        basket.notes.append(str(error))
    files = basket.files()
    if not files:
        basket.notes.append("no notebook was handed in")
    notes = tuple(dict.fromkeys([*claim.notes, *basket.notes]))
    if len(notes) > MAX_NOTES:
        notes = (*notes[:MAX_NOTES], f"and {len(notes) - MAX_NOTES} more notes of this kind")
    if len(claim.members) < 2 and not claim.group:
        return Delivery(student, files, notes, claim.timestamp, claim.display_name, dict(claim.lms))
    return _of_a_group(Delivery(student, files, notes, claim.timestamp, claim.display_name), claim)


def _of_a_group(group: Delivery, claim: Claim) -> Delivery:
    """The group's delivery, and in it one for each member."""
    members = []
    for member in claim.members:
        others = ", ".join(other.display_name or shown(other.name) for other in claim.members if other is not member)
        notes = (*([f"handed in together with {others}"] if others else []), *group.notes)
        name, lms = member.display_name, dict(member.lms)
        members.append(replace(group, student=safe_id(member.name), notes=notes, display_name=name, lms=lms))
    return replace(group, members=tuple(members))


@dataclass(frozen=True, order=True)
class _Found:
    """A copied notebook; the order is the one in which to try them."""

    earlier: int  # minus the number of the try: the last first
    notebook: str  # its name without a counter
    late: int  # minus the rank: the latest first
    counter: int  # 0 for a name without one
    where: str
    again: int  # of two files of one name in a zip, the later first
    path: Path


Rank = tuple[int, int]  # the try, and within it the platform's own number


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

    def take(self, node: Node, name: str, rank: Rank, where: str = "", depth: int = 0, zipped: bool = False) -> None:
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
            elif stem := notebook_stem(node, name):
                self._keep(node, stem, rank, label)
            elif looks_like(node, name) == ".zip" and not zipped:
                self._unzip(node, name, rank, label)
            else:
                self._ignored.append(label)
        except SubmissionError as error:
            if self.budget.files < 0 or self.budget.bytes < 0:
                raise
            self.notes.append(f"{label}: {error}")

    def _keep(self, node: Node, name: str, rank: Rank, label: str) -> None:
        stem, counter = original_stem(name, self.notebooks)
        target = self._free(f"{safe_stem(name)}.ipynb")
        self.budget.copy(node, target, MAX_WITH_OUTPUTS)
        if target.stat().st_size > MAX_NOTEBOOK:
            self._leave_out_outputs(target, label)
        attempt, late = rank
        self._found.append(_Found(-attempt, stem, -late, counter, label, -len(self._found), target))

    def _leave_out_outputs(self, target: Path, label: str) -> None:
        """A notebook may be large by what it has printed; that is not looked at."""
        size = target.stat().st_size
        try:
            slim = without_outputs(target.read_bytes())
            if slim is None or len(slim) > MAX_NOTEBOOK:
                raise SubmissionError(f"larger than {MAX_NOTEBOOK // 2**20} MiB: leave out data and outputs")
        except SubmissionError:
            target.unlink()
            raise
        target.write_bytes(slim)
        self.notes.append(f"{label}: {size / 2**20:.0f} MiB, nearly all of it outputs, which were left out")

    def _free(self, name: str) -> Path:
        """A place for a file of this name: the name stays, in a folder of its own where there are several."""
        place, again = self.folder / name, 2
        while any(_folded(str(found.path)) == _folded(str(place)) for found in self._found):
            place, again = self.folder / str(again) / name, again + 1
        return place

    def _unzip(self, node: Node, name: str, rank: Rank, label: str) -> None:
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
        own = ("plain", "classroom")  # a student may well zip a repository
        if self.claim.origin.casefold().endswith(".zip") and kind_of(tree) not in own:
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
            self.notes.append(f"not notebooks, left alone: {', '.join(self._ignored[:5])}{more}")
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
