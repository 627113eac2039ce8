"""nbgrader's own example course, in the notebook format of its documentation, by stock and by our configuration."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import nbgrader
import pytest
from nbgrader.api import Gradebook

from autograder.course.course import Course
from autograder.grading.grade import grade_class

ROOT = Path(__file__).parent.parent
GUIDE = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide"
SCORES = {"bitdiddle": (1.5, 13), "hacker": (3.0, 13)}


def run(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as stock nbgrader releases it; its notebooks are of format 4.0, without ids."""
    folder = tmp_path_factory.mktemp("example") / "course"
    shutil.copytree(GUIDE / "source" / "ps1", folder / "source" / "ps1")
    shutil.copytree(GUIDE / "submitted", folder / "submitted")
    (folder / "nbgrader_config.py").write_text("", encoding="utf-8")
    run(folder, "generate_assignment", "ps1")
    return folder


def grades(folder: Path) -> dict[str, Any]:
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "course") as book:
        return {
            s.student_id: {
                "score": (s.score, s.max_score), "when": str(s.timestamp),
                "cells": {g.name: (g.auto_score, g.needs_manual_grade) for n in s.notebooks for g in n.grades},
            }
            for s in book.assignment_submissions("ps1")
        }  # fmt: skip


@pytest.mark.slow
def test_ours_gives_what_stock_gives(example: Path, tmp_path: Path) -> None:
    found = {}
    for name in ("stock", "ours"):
        shutil.copytree(example, tmp_path / name)
        if name == "ours":
            shutil.copy(ROOT / "nbgrader_config.py", tmp_path / name)
        run(tmp_path / name, "autograde", "ps1")
        found[name] = grades(tmp_path / name)
    assert {student: row["score"] for student, row in found["stock"].items()} == SCORES
    assert found["ours"] == found["stock"]


def test_grade_gives_it_too_where_the_course_is_written_our_way(tmp_path: Path) -> None:
    folder = tmp_path / "course" / "solutions" / "ps1"
    folder.mkdir(parents=True)
    for path in sorted((GUIDE / "source" / "ps1").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        jupytext.write(notebook, folder / f"{path.stem}.py", fmt="py:percent")
    results = grade_class(Course(tmp_path / "course"), "ps1", GUIDE / "submitted", tmp_path / "graded")
    assert results.max_score == 13
    assert {row.student: row.score for row in results.rows} == {name: s for name, (s, _) in SCORES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("minor", range(6))
def test_any_minor_format_of_the_course_is_read(example: Path, tmp_path: Path, minor: int) -> None:
    """Source and release in each format 4.x: with ids from 4.5 on, and without."""
    from autograder.handed_in.intake import read_assignment, read_submission
    from autograder.notebook.graded import as_notebook, read_template

    for tree in ("source", "release"):
        for path in (example / tree / "ps1").glob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            notebook.nbformat_minor = minor
            for cell in notebook.cells:
                cell.pop("id", None)
                if minor >= 5:
                    cell["id"] = f"id-{len(cell.source)}-{id(cell)}"
            target = tmp_path / tree / "ps1" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, target, version=nbformat.NO_CONVERT)
    ours = read_assignment(tmp_path / "source" / "ps1")
    handed_in = read_submission(tuple((example / "submitted" / "hacker" / "ps1").glob("*.ipynb")), ours)
    for name, mine in ours.items():
        template = read_template(tmp_path / "release" / "ps1" / f"{name}.ipynb")
        made = as_notebook(mine, handed_in.notebooks[name], template, tests=False)
        nbformat.validate(nbformat.from_dict(made))
        assert as_notebook(mine, handed_in.notebooks[name], template, tests=False) == made
