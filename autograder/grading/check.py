"""What a student runs in a terminal: each exercise of one notebook, with the first message that failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.execution import Run, cells_of, run_cells
from autograder.errors import SubmissionError
from autograder.notebook.file import Cell, read_cells
from autograder.notebook.source import exercise_of

SAID_IN_FULL = frozenset({"AssertionError", "TimedOut", "Crashed", "OutOfMemory", "WrongType", "NotRun", "WrongAnswer"})


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one notebook."""

    notebook: str
    exercise: str
    points: float
    max_points: float
    message: str
    entry: str = ""  # the known mistake that gives these answers
    details: str = ""  # for the instructor, also of hidden questions


def test_points(cells: Iterable[Cell]) -> dict[str, float]:
    """The test cells of a notebook (`grade_id` → points), in order."""
    points = {}
    for cell in cells:
        if cell.is_test and cell.grade_id:
            worth = cell.nbgrader.get("points", 0)
            points[cell.grade_id] = float(worth) if isinstance(worth, int | float) else 0.0
    return points


def explain(error: str, message: str) -> str:
    """What a failed test says to its reader; `error` is the exception's type name."""
    if error == "NotImplementedError":
        return "not written yet"
    if error in SAID_IN_FULL:
        return message or "an assertion without a message failed"
    return f"{error}: {message}" if message else error


def exercise_results(name: str, tests: dict[str, float], run: Run) -> list[ExerciseResult]:
    """What each test cell was worth, and the message where it failed."""
    found = []
    for grade_id, points in tests.items():
        result = run.cells.get(grade_id)
        if result is None:
            message = f"not reached: the notebook {run.ended or 'stopped'} before this test"
        elif result.passed:
            message = ""
        else:
            message = explain(result.error, result.message)
        earned = points if result is not None and result.passed else 0.0
        told = (result.entry, result.details) if result is not None else ("", "")
        found.append(ExerciseResult(name, exercise_of(grade_id), earned, points, message, *told))
    return found


def check_notebook(path: Path, seconds: float = 120) -> list[ExerciseResult]:
    """Run a student's notebook and say how each exercise fares on the tests that it carries."""
    cells = read_cells(path)
    tests = test_points(cells)
    if not tests:
        raise SubmissionError(f"{path.name}: no exercise tests in it: is this one of the course's exercise notebooks?")
    return exercise_results(path.stem, tests, run_cells(cells_of(cells), seconds))
