"""Submissions to the tiny cooking course, made by replacing the sources of cells of its blank notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autograder.results import Results

GOOD_PORTIONS = "def portions(grams, people):\n    return grams / people\n"
GOOD_DOUBLE = "def double(grams):\n    return grams + grams\n"
ROUNDED_PORTIONS = "def portions(grams, people):\n    return grams // people\n"


def write(blank: Path, target: Path, **answers: str) -> Path:
    """A submission: the blank notebook with some cells' sources replaced."""
    notebook: dict[str, Any] = json.loads(blank.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = answers.get(name, cell["source"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(notebook), encoding="utf-8")
    return target


def scores(results: Results) -> dict[str, float]:
    return {row.student: row.score for row in results.rows}
