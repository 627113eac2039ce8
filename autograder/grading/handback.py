"""What goes back: the notebook as it was graded, its feedback page, and a copy of what came in, in nbgrader's tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.engine.execution import Run
from autograder.grading.workspace import Workspace, fresh_folder
from autograder.notebook.graded import as_notebook
from autograder.notebook.rebuild import Ours, Placed
from autograder.report.feedback import feedback_page, lines_of


def write_back(
    workspace: Workspace,
    assignment: str,
    student: str,
    notebooks: Mapping[str, tuple[Ours, list[Placed], Run]],
    templates: Mapping[str, dict[str, Any]],
    *,
    notes: Sequence[str] = (),
    timestamp: str = "",
    handed_in_at: Path,
) -> None:
    """Write submitted/, autograded/ and feedback/ of one student, anew and whole.

    `handed_in_at` is where the submissions lie: a student's own files there are never touched.
    """
    submitted = workspace.student("submitted", student, assignment)
    copy = not submitted.resolve().is_relative_to(handed_in_at.resolve())
    autograded = fresh_folder(workspace.student("autograded", student, assignment))
    feedback = fresh_folder(workspace.student("feedback", student, assignment))
    if copy:
        fresh_folder(submitted)
    for name, (ours, placed, run) in notebooks.items():
        template = templates[name]
        if copy:
            _write_notebook(submitted / f"{name}.ipynb", as_notebook(ours, placed, template, tests=False))
        _write_notebook(autograded / f"{name}.ipynb", as_notebook(ours, placed, template, tests=True, run=run))
        lines = lines_of(ours.tests, ours.by_hand, run, placed)
        mine = [note for note in notes if note.startswith(f"{name}.")]
        _write_text(feedback / f"{name}.html", feedback_page(f"{assignment} · {name}", lines, placed, run, mine))
    if timestamp:
        for folder in (autograded, *([submitted] if copy else [])):
            _write_text(folder / "timestamp.txt", timestamp)


def _write_notebook(path: Path, notebook: dict[str, Any]) -> None:
    """One cell a line: short for people, and quick where `indent=` is not."""
    cells = ",\n".join(json.dumps(cell) for cell in notebook["cells"])
    rest = json.dumps({key: value for key, value in notebook.items() if key != "cells"})
    _write_text(path, f'{{"cells": [\n{cells}\n],\n{rest[1:]}\n')


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
