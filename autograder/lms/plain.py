"""The plain CSV: a row for each student, for any spreadsheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.lms.sheet import Sheet, no_formula
from autograder.results import Results, Row


def write_csv(results: Results, path: Path) -> None:
    """A row for each student, with the points of each exercise; with the mark by which Excel knows UTF-8."""
    columns = _exercise_columns(results.rows)
    named = any(row.name != row.student for row in results.rows)
    header = ["student", *(["name"] if named else []), "status", "score", "max_score", *columns.values(), "note"]
    table: list[list[Any]] = [header]
    for row in results.rows:
        points = {(e.notebook, e.exercise): e.points for e in row.exercises}
        start = [row.student, *([row.display_name] if named else []), str(row.status), row.score, results.max_score]
        table.append([*start, *(points.get(key, 0.0) for key in columns), row.note])
    Sheet([[no_formula(cell) for cell in line] for line in table], has_mark=True).write(path)


def _exercise_columns(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """A heading for each exercise, with its notebook where two notebooks have one of the name."""
    keys = dict.fromkeys((e.notebook, e.exercise) for row in rows for e in row.exercises)
    shared = Counter(exercise for _, exercise in keys)
    return {(book, name): f"{book}/{name}" if shared[name] > 1 else name for book, name in keys}
