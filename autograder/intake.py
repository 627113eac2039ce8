"""Take a student's folder and rebuild each notebook from our own: only sources of solution and free cells are theirs.

Submitted outputs, tags, points and the text of tests are ignored; a test that was deleted is put back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder.check import read_notebook
from autograder.errors import CourseError, SubmissionError

MISSING = "# This cell was missing from the submission."


@dataclass
class Submission:
    """What one student handed in: the notebooks that can be graded, and a line for each thing that cannot."""

    student: str
    notebooks: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    timestamp: str = ""


def students_in(folder: Path) -> list[Path]:
    """One sub-folder a student, in alphabetical order."""
    if not folder.is_dir():
        raise CourseError(f"{folder}: no such folder: give the one that holds a folder for each student")
    found = sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))
    if not found:
        raise CourseError(f"{folder}: no folders in it: give each student a folder with the notebooks in it")
    return found


def read_submission(folder: Path, chapter: str, ours: dict[str, Any]) -> Submission:
    """Read a student's folder; `ours` are the released notebooks of the chapter by name."""
    submission = Submission(folder.name)
    inner = folder / chapter
    place = inner if inner.is_dir() and not inner.is_symlink() else folder
    files = sorted(p for p in place.iterdir() if p.name.endswith(".ipynb") and not p.name.startswith("."))
    for path in files:
        try:
            theirs = read_notebook(path)
            name = _which(path, theirs, ours)
            if name in submission.notebooks:
                raise SubmissionError(f"{path.name}: a second version of {name}.ipynb; the first was graded")
            submission.notebooks[name], lost = rebuild(ours[name], theirs)
            submission.notes += [f"{path.name}: {note}" for note in lost]
        except SubmissionError as error:
            submission.notes.append(str(error))
    for name in ours:
        if name not in submission.notebooks:
            submission.notes.append(f"{name}.ipynb: nothing that can be graded was handed in")
    submission.timestamp = _timestamp(place / "timestamp.txt")
    return submission


def _timestamp(path: Path) -> str:
    """nbgrader's timestamp.txt, if it is a small regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(100).decode("utf-8", "replace").strip() if path.is_file() else ""


def _ids(notebook: Any) -> set[str]:
    return {str(cell.metadata.get("nbgrader", {}).get("grade_id")) for cell in notebook.cells} - {"None"}


def _which(path: Path, theirs: Any, ours: dict[str, Any]) -> str:
    """Which of our notebooks this is: by the cells it carries, then by its name."""
    shared = {name: len(_ids(notebook) & _ids(theirs)) for name, notebook in ours.items()}
    best = max(shared, key=lambda name: (shared[name], name == path.stem))
    if shared[best]:
        return best
    if path.stem in ours:
        return path.stem
    raise SubmissionError(f"{path.name}: none of this chapter's exercises are in it: is it another assignment?")


def rebuild(ours: Any, theirs: Any) -> tuple[Any, list[str]]:
    """Our notebook with the student's sources; also a line for each cell of ours that was missing."""
    known = {c.metadata.nbgrader.grade_id: c for c in ours.cells if "nbgrader" in c.metadata}
    cells, placed = [], set()
    for position, cell in enumerate(theirs.cells):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in known and grade_id not in placed:
            placed.add(grade_id)
            cells.append(_ours_with(known[grade_id], cell.source))
        elif grade_id not in known and cell.cell_type in ("code", "markdown"):
            new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
            cells.append(new(cell.source, id=f"free-{position}"))
    missing = [grade_id for grade_id in known if grade_id not in placed]
    cells += [_ours_with(known[grade_id], MISSING) for grade_id in missing]
    rebuilt = nbformat.v4.new_notebook(cells=cells, metadata=ours.metadata)
    return rebuilt, [f"the cell {grade_id} was missing" for grade_id in missing]


def _ours_with(cell: Any, source: str) -> Any:
    """A copy of our cell; where it is the student's to write, with the student's source."""
    copy = nbformat.from_dict(cell)
    if cell.metadata.nbgrader.get("solution"):
        copy.source = source
    return copy
