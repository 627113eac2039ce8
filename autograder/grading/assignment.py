"""A chapter as an assignment in nbgrader's tree: made anew where something changed since this was last done."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from autograder.course.course import Course
from autograder.course.record import read_record
from autograder.course.release import write_release, write_source
from autograder.engine import sandbox
from autograder.files import digest, write_whole
from autograder.grading.workspace import Workspace
from autograder.handed_in.intake import read_assignment
from autograder.nbgrader.configuration import database_file
from autograder.notebook.rebuild import Ours


class Assignment:
    """`source/` and `release/` of a chapter in a workspace."""

    def __init__(self, course: Course, chapter: str, workspace: Workspace) -> None:
        self.course, self.chapter, self.workspace = course, chapter, workspace
        data = sorted(p for p in (*course.data(chapter).rglob("*"), course.record(chapter)) if p.is_file())
        files = [[p.name, digest(p.read_bytes().hex())] for p in (*course.sources(chapter), *data)]
        self.now = digest([files, environment()])

    def source(self) -> dict[str, Ours]:
        """Our own notebooks, with solutions and all tests."""
        root = self.workspace.root
        self._keep("source", self.now, lambda: write_source(self.course, self.chapter, root))
        return read_assignment(root / "source" / self.chapter, read_record(self.course.record(self.chapter)))

    def release(self, db_url: str) -> Path:
        """The folder of the students' notebooks; the gradebook knows the assignment."""
        root = self.workspace.root
        database = database_file(db_url)
        kept = database is None or database.is_file()
        now = digest([self.now, db_url])
        self._keep("release", now, lambda: write_release(self.chapter, root, db_url), kept)
        return root / "release" / self.chapter

    def forget_release(self) -> None:
        """Have `release` made anew: the gradebook is another one."""
        self._stamp("release").unlink(missing_ok=True)

    def _stamp(self, tree: str) -> Path:
        return self.workspace.own / f"{self.chapter}.{tree}.stamp"

    def _keep(self, tree: str, now: str, make: Callable[[], object], kept: bool = True) -> None:
        """Call `make` unless the tree is there and was made under the same circumstances."""
        stamp = self._stamp(tree)
        kept &= (self.workspace.root / tree / self.chapter).is_dir()
        with contextlib.suppress(OSError):
            if kept and stamp.read_text(encoding="ascii") == now:
                return
        stamp.unlink(missing_ok=True)
        make()
        write_whole(stamp, now)


def environment() -> list[str]:
    """The versions that a result depends on."""
    found = [platform.python_version()]
    for package in ("transformer-course", "numpy", "scipy", "torch", "nbgrader"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    engine = sorted(Path(sandbox.__file__).parent.glob("*.py"))
    return [*found, digest([path.read_text(encoding="utf-8") for path in engine])]
