"""What a student runs in a terminal: each exercise of one notebook, with the first message that failed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from autograder import asking
from autograder.course.course import Course
from autograder.engine.execution import cells_of, run_cells
from autograder.engine.limits import Limits
from autograder.errors import CourseError, SubmissionError
from autograder.grading.verdicts import exercise_results
from autograder.notebook.file import MAX_WITH_OUTPUTS, About, Cell, read_cells
from autograder.notebook.magics import as_python
from autograder.notebook.points import test_points
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import points_of_tests
from autograder.results import Exercise

CELL_SECONDS = 40.0  # of the clock
GRACE = 5.0  # seconds more for a cell, to be ended from outside


def check_notebook(
    path: Path, seconds: float = CELL_SECONDS, say: Callable[[str], None] = lambda note: None
) -> list[Exercise]:
    """Run a student's notebook and say how each exercise fares on the tests that it carries.

    A cell may take so many `seconds`. `say` is told what a reader should know of the results, a line at a time.
    """
    cells = read_cells(path, MAX_WITH_OUTPUTS)
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
            about: About = {"grade": True, "solution": False, "grade_id": name, "points": points.get(name, 1.0)}
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
