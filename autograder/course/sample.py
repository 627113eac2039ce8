"""A class made from the bank, so that the expected score of every submission is known."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.notebook.file import cells_in
from autograder.notebook.graded import read_template
from autograder.notebook.points import test_points
from autograder.notebook.source import exercise_of, read_source

MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[^\n]*\n?", re.M)


def make_sample_class(course: Course, chapter: str, target: Path, *, students: int = 20, seed: int = 0) -> None:
    """Write `students` folders of notebooks, and what each should score, to `target`/expected.json."""
    rng = random.Random(seed)
    bank = load_bank(course.bank(chapter))
    blank = {p: read_template(p) for p in build_student_notebooks(course, chapter, target / "blank")}
    answers = {path.stem: _answers(path) for path in course.sources(chapter)}
    expected: dict[str, dict[str, float]] = {}
    for number in range(1, students + 1):
        student = f"student{number:02d}"
        skill = rng.random()
        expected[student] = {}
        folder = target / "class" / student
        folder.mkdir(parents=True, exist_ok=True)
        for path, notebook in blank.items():
            tests = test_points(cells_in(notebook, path.name))
            points = {exercise_of(test): worth for test, worth in tests.items()}
            cells = []
            for cell in notebook["cells"]:
                name = cell["metadata"].get("nbgrader", {}).get("grade_id")
                if name in points:
                    source, correct = _attempt(name, cell["source"], answers[path.stem], bank, skill, rng)
                    expected[student][name] = points[name] if correct else 0.0
                    cell = cell | {"source": source}
                cells.append(cell)
            text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False)
            (folder / path.name).write_text(text, encoding="utf-8")
    (target / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")


def _answers(source: Path) -> dict[str, str]:
    cells = read_source(source).cells
    solutions = {
        c.metadata.nbgrader.grade_id: c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")
    }
    return {name: MARKER.sub("", text) for name, text in solutions.items()}


def _attempt(
    name: str, stub: str, answers: dict[str, str], bank: list[Entry], skill: float, rng: random.Random
) -> tuple[str, bool]:
    """What a student of this skill writes for an exercise, and whether it is right."""
    mine = [entry for entry in bank if entry.exercise == name]
    right = [answers[name], *(entry.source for entry in mine if entry.is_right)]
    wrong = [stub, *(entry.source for entry in mine if not entry.is_right)]
    if rng.random() < 0.25 + 0.75 * skill:
        return rng.choice(right), True
    return rng.choice(wrong), False
