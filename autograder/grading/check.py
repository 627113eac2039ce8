"""What a student runs in a terminal: each exercise of one notebook, with the first message that failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.execution import CellResult, Run, cells_of, run_cells
from autograder.errors import SubmissionError
from autograder.grading.causes import first_cause
from autograder.notebook.file import Cell, read_cells
from autograder.notebook.rebuild import Placed
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


class TooManyPointsError(Exception):
    """A test cell ends in a number above its points: nbgrader grades nobody then, and neither do we."""


def earned(worth: float, result: CellResult | None) -> float:
    """The points for a test cell, as nbgrader counts them.

    Nothing where the cell failed or was not reached. Where its last line shows a number from 0 to `worth`, that many.
    Else all of them, also for a negative number, NaN, or what shows as something else (`np.float64(0.5)`).
    """
    if result is None or not result.passed:
        return 0.0
    try:
        points = float(result.value)
    except ValueError:
        return worth
    if points > worth:
        raise TooManyPointsError(f"the test ends in {points:g}, more than its {worth:g} points: mend the test")
    return points if points >= 0 else worth


def exercise_results(
    name: str, tests: dict[str, float], run: Run, placed: Sequence[Placed] = ()
) -> list[ExerciseResult]:
    """What each test cell was worth, and the message where it was not worth all; `placed` is the notebook that ran."""
    found = []
    for grade_id, points in tests.items():
        result = run.cells.get(grade_id)
        if result is None:
            message = f"not reached: the notebook {run.ended or 'stopped'} before this test"
        elif result.passed:
            message = ""
        else:
            message = first_cause(result, run, placed) or explain(result.error, result.message)
        try:
            mine = earned(points, result)
        except TooManyPointsError as error:
            mine, message = 0.0, str(error)
        if 0 < mine < points or (result is not None and result.passed and mine < points and not message):
            message = result.printed.strip() if result is not None else ""
            message = message or f"partly right: {mine:g} of {points:g} points"
        told = (result.entry, result.details) if result is not None else ("", "")
        found.append(ExerciseResult(name, exercise_of(grade_id), mine, points, message, *told))
    return found


def check_notebook(path: Path, seconds: float = 120) -> list[ExerciseResult]:
    """Run a student's notebook and say how each exercise fares on the tests that it carries."""
    cells = read_cells(path)
    tests = test_points(cells)
    if not tests:
        raise SubmissionError(f"{path.name}: no exercise tests in it: is this one of the course's exercise notebooks?")
    code = [cell for cell in cells if cell.kind == "code"]
    placed = [Placed(c.grade_id or f"cell {i}", c, ours=c.is_test) for i, c in enumerate(code)]
    return exercise_results(path.stem, tests, run_cells(cells_of(cells), seconds), placed)
