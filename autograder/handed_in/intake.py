"""Which notebook of the assignment each delivered file is, and the assignment's own notebooks to hold it against."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import CourseError, SubmissionError
from autograder.files import read_regular
from autograder.handed_in.times import in_utc
from autograder.notebook.file import Cell, read_cells
from autograder.notebook.rebuild import Ours, Placed, ours_from, rebuild

METADATA_LOST = "saved without nbgrader's metadata: its answers were run as cells of the student's own"
DEFINED = re.compile(r"^(?:async )?(?:def|class) +(\w+)", re.M)


class AnotherAssignmentError(SubmissionError):
    """A notebook without any of this assignment's exercises."""


@dataclass
class Submission:
    """What one student handed in: the notebooks that can be graded, and a line for each thing that cannot."""

    notebooks: dict[str, list[Placed]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # file → why
    notes: list[str] = field(default_factory=list)


def read_assignment(source: Path) -> dict[str, Ours]:
    """The notebooks of an assignment by name, from the folder that was made from `solutions/`."""
    paths = sorted(source.glob("*.ipynb"))
    if not paths:
        raise CourseError(f"{source}: no notebooks there: run `autograder release` first")
    beside = sorted(p for p in source.rglob("*") if p.is_file() and p.suffix != ".ipynb")
    files = [(p.relative_to(source).as_posix(), p.read_bytes()) for p in beside]
    return {p.stem: ours_from(json.loads(p.read_text(encoding="utf-8")), p.stem, files) for p in paths}


def read_submission(files: tuple[Path, ...], ours: Mapping[str, Ours]) -> Submission:
    """Read a student's files, the preferred version of a notebook first."""
    submission = Submission()
    others: dict[str, str] = {}
    for path in files:
        try:
            theirs = read_cells(path)
            name = which(path.stem, theirs, ours)
        except AnotherAssignmentError as error:
            others[path.name] = str(error)
            continue
        except SubmissionError as error:
            submission.refused[path.name] = str(error)
            continue
        if name in submission.notebooks:
            submission.notes.append(f"{path.name}: another version of {name}.ipynb; the first was graded")
            continue
        submission.notebooks[name], notes = rebuild(ours[name], theirs)
        if len(notes) > 1 and not any(cell.grade_id for cell in theirs):
            notes = [METADATA_LOST]
        submission.notes += [f"{path.name}: {note}" for note in notes]
    if submission.notebooks:  # beside what was set, other work may lie
        submission.notes += [f"{name}: not part of this assignment: left alone" for name in others]
    else:
        submission.refused |= others
    return submission


def read_timestamp(folder: Path) -> tuple[str, str]:
    """nbgrader's timestamp.txt in a submitted folder, in UTC, if it is there; and what is wrong with it."""
    if not (folder / "timestamp.txt").is_file():
        return "", ""
    try:
        text = read_regular(folder / "timestamp.txt", 1000).decode("utf-8", "replace").strip()
        return (in_utc(text) if text else ""), ""
    except (SubmissionError, ValueError) as error:
        return "", f"timestamp.txt: {error}: when it was handed in is not known, and no lateness is counted"


def which(stem: str, theirs: list[Cell], ours: Mapping[str, Ours]) -> str:
    """Which of our notebooks this is: by the exercises in it, then by its name, then by what it defines.

    Only exercises count: the cell that carries `check`, or one that imports, is in notebooks of every chapter.
    """
    ids = {cell.grade_id for cell in theirs} - {""}
    shared = {name: len(_exercise_cells(mine) & ids) for name, mine in ours.items()}
    best = max(shared, key=lambda name: (shared[name], name == stem))
    if shared[best]:
        return best
    if stem in ours:
        return stem
    if not ids:  # saved by something that keeps no metadata, and renamed: "Copy of weights.ipynb"
        defined = {name for cell in theirs if cell.kind == "code" for name in DEFINED.findall(cell.source)}
        known = {name: len(_defined_in(mine) & defined) for name, mine in ours.items()}
        best = max(known, key=lambda name: known[name])
        if known[best] > 1 and list(known.values()).count(known[best]) == 1:
            return best
    why = "none of this assignment's exercises are in it: is it another assignment?"
    raise AnotherAssignmentError(f"{stem}.ipynb: {why}")


def _exercise_cells(ours: Ours) -> set[str]:
    asked = ("grade", "solution", "task")
    return {cell.grade_id for cell in ours.cells if any(cell.nbgrader.get(word) for word in asked)}


def _defined_in(ours: Ours) -> set[str]:
    """The functions and classes of its answers and tests."""
    cells = _exercise_cells(ours)
    return {name for cell in ours.cells if cell.grade_id in cells for name in DEFINED.findall(cell.source)}
