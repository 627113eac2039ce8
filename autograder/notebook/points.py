"""What a test cell is worth, and how much of it was earned, as nbgrader counts points."""

from __future__ import annotations

from collections.abc import Iterable

from autograder.notebook.file import Cell
from autograder.results import CellResult


class TooManyPointsError(Exception):
    """A test cell ends in a number above its points: nbgrader grades nobody then, and neither do we."""


def test_points(cells: Iterable[Cell]) -> dict[str, float]:
    """The test cells of a notebook (`grade_id` → points), in order."""
    points = {}
    for cell in cells:
        if cell.is_test and cell.grade_id:
            worth = cell.nbgrader.get("points", 0)
            points[cell.grade_id] = float(worth) if isinstance(worth, int | float) else 0.0
    return points


def earned(worth: float, result: CellResult | None) -> float:
    """The points for a test cell, as nbgrader counts them; raises TooManyPointsError.

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
