"""A course of one exercise and a class of one student, graded as any is: how `autograder doctor` tries a machine."""

from __future__ import annotations

import json
from pathlib import Path

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.engine.processes import EngineError
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.results import Status
from autograder.scratch import scratch_folder

SOURCE = '''# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% nbgrader={"grade_id": "double", "solution": true}
def double(x):
    """Twice as much."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_double", "grade": true, "points": 1}
def test_double():
    """Twice two is four."""
    assert double(2) == 4, "twice two is four"

if __name__ == "__main__":
    test_double()

# %% nbgrader={"grade_id": "test_three", "grade": true, "points": 2}
def test_three():
    """Twice three is six."""
    assert double(3) == 6, "twice three is six"

if __name__ == "__main__":
    test_three()
'''
ANSWER = "def double(x):\n    return x * x\n"  # right for two, wrong for three
DESERVED = 1.0


def what_fails() -> str:
    """Release a notebook, hand it in with an answer, grade it; says what went otherwise, "" for nothing."""
    with scratch_folder("rehearsal") as folder:
        try:
            return _graded(folder)
        except (CourseError, EngineError, OSError) as error:
            return str(error)


def _graded(folder: Path) -> str:
    course, handed_in, root = Course(folder / "course"), folder / "class", folder / "graded"
    source = course.root / "solutions" / "trial" / "doubling.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE, encoding="utf-8")
    (blank,) = build_student_notebooks(course, "trial", folder / "blank")
    notebook = json.loads(blank.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
            cell["source"] = ANSWER
    (handed_in / "ann").mkdir(parents=True)
    (handed_in / "ann" / blank.name).write_text(json.dumps(notebook), encoding="utf-8")
    (row,) = grade_class(course, "trial", handed_in, root, Options(workers=1)).rows
    if row.status is not Status.GRADED:
        return f"{row.status}: {row.note}"
    if row.score != DESERVED:
        return f"{row.score:g} points in the gradebook, where {DESERVED:g} was deserved"
    if not list((root / "feedback" / "ann").rglob("*.html")):
        return "no feedback was written"
    return ""
