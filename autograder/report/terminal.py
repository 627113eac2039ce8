"""What `autograder check` shows of a notebook: a short table, and below it what the notebook says of each exercise."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.grading.check import ExerciseResult
from autograder.hints import NOT_WRITTEN

LABELS = ("asked:", "expected:", "got:", "the line:")  # how the lines below a message begin


def show_exercises(console: Console, results: Sequence[ExerciseResult]) -> None:
    """A row for each exercise, then a block for each that is not right: the notebook's own words, wrapped."""
    table = Table("exercise", "points", "")
    for r in results:
        table.add_row(Text(r.exercise), f"{r.points:g}/{r.max_points:g}", _in_a_word(r))
    console.print(table)
    for r in results:
        if r.message and r.message != NOT_WRITTEN:
            console.print(Text(r.title or f"✗ {r.exercise}", style="bold"))
            for line in r.message.splitlines():
                _show_line(console, line)
            console.print()


def _in_a_word(result: ExerciseResult) -> str:
    if not result.message:
        return "right"
    if result.message == NOT_WRITTEN:
        return NOT_WRITTEN
    return "partly right: see below" if result.points else "not yet: see below"


def _show_line(console: Console, line: str) -> None:
    """A line as the notebook has it; where it is too long, it goes on below what it says, not below its label."""
    label = next((word for word in LABELS if line.strip().startswith(word)), "")
    if not label:
        console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
        return
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=len("expected:"), no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(label), Text(line.strip().removeprefix(label).lstrip()))
    console.print(Padding(row, (0, 0, 0, 4), expand=False))
