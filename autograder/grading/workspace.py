"""The folder that results go to: nbgrader's tree, and beside it what makes a second run cheap."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.engine.execution import CellResult, Incident, Run
from autograder.errors import CourseError


class Workspace:
    """A folder with nbgrader's tree in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.own = self.root / ".autograder"

    def student(self, tree: str, student: str, assignment: str) -> Path:
        """A student's folder in one of nbgrader's trees: submitted, autograded or feedback."""
        return self.root / tree / student / assignment

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Only one run writes here at a time; the lock goes with the process, however that ends."""
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            lock = (self.own / "lock").open("a+")
        except OSError as error:
            raise CourseError(f"{self.root}: cannot be written to ({error.strerror}): use --into ELSEWHERE") from error
        with lock as file:
            try:
                import fcntl
            except ImportError:  # Windows
                yield
                return
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                owner = file.read().strip() or "unknown"
                raise CourseError(
                    f"{self.root}: another run is grading here (process {owner}): wait for it, or use --into ELSEWHERE"
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    # Runs that were made already, by a digest of all that they depend on.

    def load_run(self, key: str) -> Run | None:
        try:
            found = json.loads(self._place(key).read_text(encoding="utf-8"))
            return run_from(found)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save_run(self, key: str, run: Run) -> None:
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps(plain_run(run)))

    def _place(self, key: str) -> Path:
        return self.own / "runs" / key[:2] / f"{key}.json"


def plain_run(run: Run) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "cells": [vars(c) for c in run.cells.values()],
        "ended": run.ended,
        "incidents": [vars(i) for i in run.incidents],
        "cpu_seconds": run.cpu_seconds,
        "fault": run.fault,
        "doubt": run.doubt,
    }


def run_from(plain: dict[str, Any]) -> Run:
    cells = [CellResult(**c) for c in plain["cells"]]
    incidents = tuple(Incident(**i) for i in plain["incidents"])
    by_id = {c.id: c for c in cells}
    return Run(by_id, plain["ended"], incidents, plain["cpu_seconds"], plain.get("fault", ""), plain.get("doubt", ""))


def load_results(path: Path) -> dict[str, Any]:
    """A results.json, as `grade` wrote it; one line where it is not one."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        fine = isinstance(results["assignment"], str) and all(
            isinstance(row["student"], str) and isinstance(row["exercises"], list) for row in results["rows"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"[:200]
        raise CourseError(f"{path}: cannot be read ({why}): move it away, or put back a copy that can") from error
    if not fine:
        raise CourseError(f"{path}: not the results of a class: move it away")
    return dict(results)


def write_whole(path: Path, content: str) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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


def digest(value: Any) -> str:
    """A digest of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
