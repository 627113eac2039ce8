"""Our own solutions, run as a submission is, before anybody else's: what they do not earn here, nobody can."""

from __future__ import annotations

from autograder.engine.jobs import Job, make_job
from autograder.notebook.points import TooManyPointsError, earned
from autograder.notebook.rebuild import Ours, Placed
from autograder.results import CellResult, Run

SHOWN = 300


def as_handed_in(ours: Ours) -> list[Placed]:
    """Our notebook as if a student had handed it in."""
    return [Placed(cell.grade_id or f"free-{i}", cell, ours=True) for i, cell in enumerate(ours.cells)]


def reference_job(ours: Ours) -> Job:
    return make_job(ours, as_handed_in(ours))


def why_not_full(ours: Ours, run: Run) -> str:
    """Which test the reference does not get full marks for, and why, in one line; "" where it gets them all."""
    for test, worth in ours.tests.items():
        result = run.cells.get(test)
        try:
            points = earned(worth, result)
        except TooManyPointsError as error:
            return f"{ours.name}.ipynb: {test}: {error}"
        if points < worth:
            why = run.fault or _why(ours, run, test, result)
            got = f"the course's own solution gets {points:g} of {worth:g} points here"
            return f"{ours.name}.ipynb: {test}: {got}: {why}"
    return ""


def _why(ours: Ours, run: Run, test: str, result: CellResult | None) -> str:
    """The first cell before the test that failed, else what the test itself says."""
    said = _said(result) if result is not None else f"not reached: the notebook {run.ended or 'stopped'} before it"
    for number, placed in enumerate(as_handed_in(ours), 1):
        if placed.name == test:
            return said
        before = run.cells.get(placed.name)
        if before is not None and before.error and not placed.cell.is_test:
            return f"{said}; the cell {placed.cell.grade_id or number} before it failed: {_said(before)}"
    return said


def _said(result: CellResult) -> str:
    if result.passed:
        return "its last line gives less"
    text = f"{result.error}: {result.message}" if result.message else result.error
    return " ".join(text.split())[:SHOWN]
