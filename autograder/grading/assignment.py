"""A chapter, or some notebooks of it, as an assignment in nbgrader's tree: made anew where something has changed."""

from __future__ import annotations

import contextlib
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from autograder.course.course import Course
from autograder.course.release import write_release, write_source
from autograder.engine import sandbox
from autograder.errors import CourseError, SubmissionError
from autograder.files import digest, write_whole
from autograder.grading.workspace import Workspace
from autograder.handed_in.delivery import Deliveries
from autograder.handed_in.intake import read_assignment
from autograder.handed_in.trees import safe_id
from autograder.nbgrader.configuration import database_file
from autograder.notebook import helper
from autograder.notebook.file import read_cells
from autograder.notebook.rebuild import Ours

LOOKED_AT = 40  # students, to tell which chapter it is
MOST_OF_THEM = 2 / 3  # of the notebooks that are some chapter's
GRADE_ID = re.compile(r'"grade_id":\s*"([^"]+)"')


@dataclass(frozen=True)
class Work:
    """What was set: a chapter, or some of its notebooks, and how the gradebook calls it."""

    chapter: str
    notebooks: tuple[str, ...] = ()  # none named is all of them
    assignment: str = ""

    @classmethod
    def checked(cls, course: Course, chapter: str, notebooks: Sequence[str] = (), assignment: str = "") -> Work:
        """Raises CourseError, one line, for what the course does not have. `chapter/notebook` names one, too."""
        chapter, _, one = chapter.partition("/")
        wanted = tuple(dict.fromkeys(name.removesuffix(".ipynb") for name in (*([one] if one else []), *notebooks)))
        there = [path.stem for path in course.sources(chapter)]
        if missing := [name for name in wanted if name not in there]:
            raise CourseError(f"--notebook {missing[0]}: not in {chapter}, which has {', '.join(there)}")
        if assignment and safe_id(assignment) != assignment:
            raise CourseError(f"--assignment {assignment}: cannot be a folder's name: write {safe_id(assignment)}")
        return cls(chapter, () if set(wanted) == set(there) else wanted, assignment)

    @property
    def name(self) -> str:
        """What nbgrader's gradebook and its folders call it."""
        return self.assignment or "-".join([self.chapter, *self.notebooks])

    @property
    def names(self) -> list[str]:
        """What it may be called where it was handed in, the best first."""
        return list(dict.fromkeys([self.name, self.chapter, *(self.notebooks if len(self.notebooks) == 1 else ())]))


def notebooks_of(course: Course) -> dict[str, list[str]]:
    """Every chapter's notebooks."""
    return {chapter: [path.stem for path in course.sources(chapter)] for chapter in course.chapters()}


def chapter_with(course: Course, notebooks: Sequence[str]) -> str:
    """The only chapter that has all of these notebooks; "" where none or several have."""
    names = [name.removesuffix(".ipynb") for name in notebooks]
    found = [chapter for chapter, there in notebooks_of(course).items() if set(names) <= set(there)]
    return found[0] if len(found) == 1 else ""


def work_in(course: Course, found: Deliveries, notebooks: Sequence[str] = (), assignment: str = "") -> Work:
    """What was set, told from what was handed in: from nbgrader's folders, else from the cells of the notebooks."""
    books = notebooks_of(course)
    if found.named in books:
        return Work.checked(course, found.named, notebooks, assignment or found.named)
    chapter = _chapter_of(course, found)
    if not notebooks and found.named.startswith(f"{chapter}-") and found.named[len(chapter) + 1 :] in books[chapter]:
        notebooks = [found.named[len(chapter) + 1 :]]
    return Work.checked(course, chapter, notebooks, assignment or found.named)


def _chapter_of(course: Course, found: Deliveries) -> str:
    known = course.chapters()
    if len(known) == 1:
        return known[0]
    chapters: dict[str, set[str]] = defaultdict(set)
    for chapter in known:
        for path in course.sources(chapter):
            for cell in {f"/{path.stem}", *GRADE_ID.findall(path.read_text(encoding="utf-8"))}:
                chapters[cell].add(chapter)
    votes: Counter[str] = Counter()
    for delivery in found.students[:LOOKED_AT]:
        for path in delivery.files:
            with contextlib.suppress(SubmissionError):
                cells = {cell.grade_id for cell in read_cells(path)} | {f"/{path.stem}"}
                mine = Counter(next(iter(chapters[cell])) for cell in cells if len(chapters.get(cell, ())) == 1)
                votes.update(chapter for chapter, _ in mine.most_common(1))
    if not votes:
        raise CourseError(f"no notebook in it is one of this course: say which chapter was set: --chapter {known[0]}")
    best, count = votes.most_common(1)[0]
    if count < MOST_OF_THEM * votes.total():
        said = ", ".join(f"{chapter} ({n})" for chapter, n in votes.most_common())
        raise CourseError(f"notebooks of several chapters are in it, {said}: say which was set: --chapter {best}")
    return best


class Assignment:
    """`source/` and `release/` of what was set, in a workspace."""

    def __init__(self, course: Course, work: Work, workspace: Workspace) -> None:
        self.course, self.work, self.workspace = course, work, workspace
        chapter = work.chapter
        self.name = work.name
        data = sorted(p for p in (*course.data(chapter).rglob("*"), course.record(chapter)) if p.is_file())
        files = [[p.name, digest(p.read_bytes().hex())] for p in (*course.sources(chapter), *data)]
        self.now = digest([files, environment(), _writers(), *([list(work.notebooks)] if work.notebooks else [])])

    def source(self) -> dict[str, Ours]:
        """Our own notebooks, with solutions and all tests."""
        root = self.workspace.root
        work = self.work
        self._keep(
            "source",
            self.now,
            lambda: write_source(self.course, work.chapter, root, name=self.name, notebooks=work.notebooks),
        )
        return read_assignment(root / "source" / self.name)

    def release(self, db_url: str) -> Path:
        """The folder of the students' notebooks; the gradebook knows the assignment."""
        root = self.workspace.root
        database = database_file(db_url)
        kept = database is None or database.is_file()
        now = digest([self.now, db_url])
        self._keep("release", now, lambda: write_release(self.name, root, db_url), kept)
        return root / "release" / self.name

    def forget_release(self) -> None:
        """Have `release` made anew: the gradebook is another one."""
        self._stamp("release").unlink(missing_ok=True)

    def _stamp(self, tree: str) -> Path:
        return self.workspace.own / f"{self.name}.{tree}.stamp"

    def _keep(self, tree: str, now: str, make: Callable[[], object], kept: bool = True) -> None:
        """Call `make` unless the tree is there and was made under the same circumstances."""
        stamp = self._stamp(tree)
        kept &= (self.workspace.root / tree / self.name).is_dir()
        with contextlib.suppress(OSError):
            if kept and stamp.read_text(encoding="ascii") == now:
                return
        stamp.unlink(missing_ok=True)
        make()
        write_whole(stamp, now)


def _writers() -> list[str]:
    """What writes a notebook, and what stands in it."""
    paths = sorted(Path(helper.__file__).parent.glob("*.py"))
    return [
        digest(path.read_text(encoding="utf-8")) for path in (*paths, *(Path(str(m.__file__)) for m in helper.MODULES))
    ]


def environment() -> list[str]:
    """The versions that a result depends on."""
    found = [platform.python_version()]
    for package in ("transformer-course", "numpy", "scipy", "torch", "nbgrader"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    engine = sorted(Path(sandbox.__file__).parent.glob("*.py"))
    return [*found, digest([path.read_text(encoding="utf-8") for path in engine])]
