"""One feedback page a notebook, for the student: what each exercise earned, what to look at, and what was handed in.

A hidden test shows its message and never its source. The page stands where `nbgrader release_feedback` looks for it;
`nbgrader generate_feedback` makes nbgrader's own in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.engine.runs import Run
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import exercise_of, visible
from autograder.report.html import rendered
from autograder.results import Exercise

MAX_SHOWN = 200_000  # characters of one cell


@dataclass(frozen=True)
class Shown:
    """A cell as the page shows it; `kind` is "text", "code" or "test"."""

    kind: str
    source: str
    printed: str = ""
    error: str = ""
    exercise: str = ""
    message: str = ""  # of a test; "" where the answer is right


def feedback_page(
    title: str, exercises: Sequence[Exercise], placed: Iterable[Placed], run: Run, notes: Iterable[str]
) -> str:
    """The page as HTML, complete in itself."""
    return rendered(
        "feedback.html",
        title=title,
        style="feedback.css",
        earned=sum(e.points for e in exercises),
        total=sum(e.max_points for e in exercises),
        notes=list(notes),
        exercises=exercises,
        cells=list(_cells(placed, run, {e.exercise: e.message for e in exercises})),
    )


def _cells(placed: Iterable[Placed], run: Run, said: Mapping[str, str]) -> Iterator[Shown]:
    for p in placed:
        if p.cell.kind != "code":
            if not p.ours:
                yield Shown("text", p.cell.source[:MAX_SHOWN])
        elif p.cell.is_test:
            exercise = exercise_of(p.name)
            yield Shown("test", visible(p.cell.source), exercise=exercise, message=said.get(exercise, ""))
        else:
            result = run.cells.get(p.name)
            printed = result.printed if result else ""
            error = f"{result.error}: {result.message}" if result and result.error else ""
            yield Shown("code", p.cell.source[:MAX_SHOWN], printed, error)
