"""What a student runs in a terminal: each exercise of one notebook, with the first message that failed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder import asking
from autograder.course.course import Course
from autograder.engine.execution import CellResult, Run, cells_of, run_cells
from autograder.engine.limits import Limits
from autograder.errors import CourseError, SubmissionError
from autograder.grading.causes import first_cause
from autograder.hints import NOT_WRITTEN
from autograder.notebook.file import Cell, read_cells
from autograder.notebook.magics import as_python
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import exercise_of, points_of_tests

CELL_SECONDS = 40.0  # of the clock
GRACE = 5.0  # seconds more for a cell, to be ended from outside

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
    title: str = ""  # the first line of what the notebook shows, such as "✗ softmax: 2 of 6 right"


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
        return NOT_WRITTEN
    if error == "NotRecordedError":
        return f"This cannot be judged, by no fault of yours: {message}"
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
    return [_exercise_result(name, grade_id, points, run, placed) for grade_id, points in tests.items()]


def _exercise_result(name: str, grade_id: str, worth: float, run: Run, placed: Sequence[Placed]) -> ExerciseResult:
    exercise = exercise_of(grade_id)
    result = run.cells.get(grade_id)
    if result is None:
        message = f"not reached: the notebook {run.ended or 'stopped'} before this test"
        return ExerciseResult(name, exercise, 0.0, worth, message)
    title, message = result.title, ""
    if not result.passed:
        message = first_cause(result, run, placed) or explain(result.error, result.message)
    try:
        mine = earned(worth, result)
    except TooManyPointsError as error:
        mine, message = 0.0, str(error)
    if 0 < mine < worth or (result.passed and mine < worth and not message):
        title, said = told_apart(result.printed.strip())
        message = first_cause(result, run, placed) or said or f"partly right: {mine:g} of {worth:g} points"
    return ExerciseResult(name, exercise, mine, worth, message, result.entry, result.details, title)


def told_apart(printed: str) -> tuple[str, str]:
    """The title and the message of a verdict that was printed, or no title and all of it."""
    first, _, rest = printed.partition("\n")
    return (first, rest) if first.startswith("✗ ") else ("", printed)


def check_notebook(
    path: Path, seconds: float = CELL_SECONDS, say: Callable[[str], None] = lambda note: None
) -> list[ExerciseResult]:
    """Run a student's notebook and say how each exercise fares on the tests that it carries.

    A cell may take so many `seconds`. `say` is told what a reader should know of the results, a line at a time.
    """
    cells = read_cells(path)
    if not test_points(cells):
        cells = with_tests_found(cells, path, say)
    tests = test_points(cells)
    if not tests:
        raise SubmissionError(f"{path.name}: no exercise tests in it: is this one of the course's exercise notebooks?")
    running = cells_of(cells)
    code = iter(running)
    names = [next(code)["id"] if cell.kind == "code" else f"text-{i}" for i, cell in enumerate(cells)]
    placed = [Placed(name, cell, ours=name in tests) for name, cell in zip(names, cells, strict=True)]
    limits = replace(Limits.for_notebook(3 * seconds), notebook=(seconds + GRACE) * (len(running) + 1))
    return exercise_results(path.stem, tests, run_cells(running, limits), placed)


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks of a folder and those below it, without Jupyter's own copies and those that `update` kept."""
    found = sorted(path for path in folder.rglob("*.ipynb") if path.is_file() and not path.stem.endswith(".before"))
    found = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    if not found:
        raise SubmissionError(f"{folder}: no notebook (.ipynb) in this folder")
    return found


# ---- a notebook that has lost its metadata


def with_tests_found(cells: Sequence[Cell], path: Path, say: Callable[[str], None]) -> list[Cell]:
    """The cells with what nbgrader would know of them, told by what they define.

    A test is a cell that defines `test_softmax` and calls it. Inside a course, its points are those of the course's own
    notebook, and only the course's own tests count.
    """
    named = {place: name for place, cell in enumerate(cells) if cell.kind == "code" and (name := _test_in(cell.source))}
    points = _points_in_course(path, set(named.values()))
    if named:
        how = "points as the course has them" if points else "each exercise counts 1 point"
        say(f"{path.name}: nbgrader's metadata are lost: the tests were told by their names, {how}")
    found = list(cells)
    for place, name in named.items():
        if not points or name in points:
            about = {"grade": True, "solution": False, "grade_id": name, "points": points.get(name, 1.0)}
            found[place] = replace(cells[place], nbgrader=about)
    for place, cell in enumerate(cells):
        if place not in named and cell.kind == "code" and "module.load(RECORD)" in cell.source:
            found[place] = replace(cell, nbgrader={"grade_id": asking.CELL})
    return found


def _test_in(source: str) -> str:
    """The test that a cell defines and calls, by itself or through `run`; "" for none."""
    try:
        tree = ast.parse(as_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    called: set[str] = set()
    for call in (n for statement in tree.body for n in ast.walk(statement) if isinstance(n, ast.Call)):
        called |= {part.id for part in (call.func, *call.args[:1]) if isinstance(part, ast.Name)}
    return next((name for name in defined if name in called), "")


def _points_in_course(path: Path, names: set[str]) -> dict[str, float]:
    """The tests of the course's notebook that has most of these names; nothing outside a course."""
    try:
        course = Course.find(path.parent)
        sheets = [points_of_tests(source) for chapter in course.chapters() for source in course.sources(chapter)]
    except CourseError:
        return {}
    best = max(sheets, key=lambda sheet: len(sheet.keys() & names), default={})
    return best if best.keys() & names else {}
