"""The folder that results go to: nbgrader's tree, and beside it what makes a second run cheap."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from autograder.errors import CourseError
from autograder.files import write_whole
from autograder.results import Run


class Workspace:
    """A folder with nbgrader's tree in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.own = self.root / ".autograder"

    def student(self, tree: str, student: str, assignment: str) -> Path:
        """A student's folder in one of nbgrader's trees: submitted, autograded or feedback."""
        return self.root / tree / student / assignment

    def results_of(self, assignment: str) -> Path:
        """Where an assignment's results are kept, whatever is graded after it; `results.json` is the last one's."""
        return self.root / "results" / f"{assignment}.json"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Only one run writes here at a time; the lock goes with the process, however that ends."""
        lock, owner = FileLock(self.own / "lock", blocking=False), self.own / "owner"
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            owner.write_text(str(os.getpid()), encoding="ascii")
        except Timeout as error:
            who = owner.read_text(encoding="ascii") if owner.is_file() else "unknown"
            raise CourseError(
                f"{self.root}: another run is grading here (process {who}): wait for it, or use --into ELSEWHERE"
            ) from error
        except OSError as error:
            raise CourseError(f"{self.root}: cannot be written to ({error.strerror}): use --into ELSEWHERE") from error
        try:
            yield
        finally:
            lock.release()

    # Runs that were made already, by a digest of all that they depend on.

    def load_run(self, key: str) -> Run | None:
        try:
            return msgspec.json.decode(self._place(key).read_bytes(), type=Run)
        except (OSError, ValueError, RecursionError):  # what cannot be read is run again
            return None

    def save_run(self, key: str, run: Run) -> None:
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, msgspec.json.encode(run).decode("utf-8"))

    def _place(self, key: str) -> Path:
        return self.own / "runs" / key[:2] / f"{key}.json"


def fresh_folder(folder: Path) -> Path:
    """An empty folder in place of whatever was there."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        _make_writable(folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _make_writable(folder: Path) -> None:
    """nbgrader leaves its output read-only."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
