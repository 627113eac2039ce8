"""What goes back: the notebook as it was graded, its feedback page, and a copy of what came in, in nbgrader's tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from autograder.grading.rows import Student
from autograder.grading.verdicts import exercise_results, left_to_a_person
from autograder.grading.workspace import Workspace, fresh_folder
from autograder.notebook.graded import NotebookJson, as_notebook
from autograder.notebook.rebuild import Ours
from autograder.report.feedback import feedback_page


def write_back(
    workspace: Workspace,
    assignment: str,
    student: Student,
    ours: Mapping[str, Ours],
    templates: Mapping[str, NotebookJson],
    *,
    handed_in_at: Path,
) -> None:
    """Write submitted/, autograded/ and feedback/ of one student, anew and whole.

    `handed_in_at` is where the submissions lie: a student's own files there are never touched.
    """
    submitted = workspace.student("submitted", student.id, assignment)
    copy = not submitted.resolve().is_relative_to(handed_in_at.resolve())
    autograded = fresh_folder(workspace.student("autograded", student.id, assignment))
    feedback = fresh_folder(workspace.student("feedback", student.id, assignment))
    if copy:
        fresh_folder(submitted)
    for name, placed in student.submission.notebooks.items():
        mine, template, run = ours[name], templates[name], student.runs[name]
        if copy:
            _write_notebook(submitted / f"{name}.ipynb", as_notebook(mine, placed, template, tests=False))
        _write_notebook(autograded / f"{name}.ipynb", as_notebook(mine, placed, template, tests=True, run=run))
        exercises = exercise_results(name, mine.tests, run, placed) + left_to_a_person(name, mine.by_hand)
        notes = [note for note in student.submission.notes if note.startswith(f"{name}.")]
        page = feedback_page(f"{assignment} · {name}", exercises, placed, run, notes)
        _write_text(feedback / f"{name}.html", page)
    if student.delivery.timestamp:
        for folder in (autograded, *([submitted] if copy else [])):
            _write_text(folder / "timestamp.txt", student.delivery.timestamp)


def _write_notebook(path: Path, notebook: NotebookJson) -> None:
    """One cell a line: short for people, and quick where `indent=` is not."""
    cells = ",\n".join(json.dumps(cell) for cell in notebook["cells"])
    rest = json.dumps({key: value for key, value in notebook.items() if key != "cells"})
    _write_text(path, f'{{"cells": [\n{cells}\n],\n{rest[1:]}\n')


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
