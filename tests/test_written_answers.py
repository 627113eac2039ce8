"""What a person grades: written answers, code, and tasks with a mark scheme, from the source to the feedback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from submissions import GOOD_DOUBLE, GOOD_PORTIONS
from tiny_course import BANK, HEADER, RECIPES

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.course.verify import verify_chapter
from autograder.errors import CourseError
from autograder.grading.grade import grade_class

WRITTEN = """
# %% [markdown] nbgrader={"grade_id": "rules", "locked": true}
# ### The rules: one sentence each; `def` is no Python here.

# %% [markdown] nbgrader={"grade_id": "why_share", "solution": true, "grade": true, "points": 3}
# Because a cake is finite.

# %% [markdown] nbgrader={"grade_id": "why_halve", "solution": true, "grade": true, "points": 1}
# Halving keeps
#
# ### BEGIN SOLUTION
# the ratio of butter to flour.
# ### END SOLUTION

# %% nbgrader={"grade_id": "own_recipe", "solution": true, "grade": true, "points": 2}
def own_recipe():
    return portions(double(100), 4)

# %% [markdown] nbgrader={"grade_id": "cook_it", "task": true, "points": 4}
# Cook one of them, and say below what went wrong.
#
# ### BEGIN MARK SCHEME
# 2 points for a burnt pan, 2 for the reason.
# ### END MARK SCHEME
"""
SECRETS = ("finite", "ratio", "double(100)", "burnt")


@pytest.fixture
def written(tmp_path: Path) -> Course:
    root = tmp_path / "course"
    (root / "solutions" / "cooking").mkdir(parents=True)
    (root / "tests" / "misconceptions").mkdir(parents=True)
    (root / "solutions" / "cooking" / "recipes.py").write_text(HEADER + RECIPES + WRITTEN, encoding="utf-8")
    (root / "tests" / "misconceptions" / "cooking.py").write_text(BANK, encoding="utf-8")
    return Course(root)


@pytest.fixture
def folder(written: Course, tmp_path: Path) -> Path:
    """One who wrote everything, one who wrote nothing."""
    blank = build_student_notebooks(written, "cooking", tmp_path / "blank")[0]
    answers = {
        "portions": GOOD_PORTIONS, "double": GOOD_DOUBLE, "why_share": "<b>Fair</b> is fair.", "why_halve": "Taste.",
        "own_recipe": "def own_recipe():\n    return 3\n",
    }  # fmt: skip
    for student, given in (("all", answers), ("none", {})):
        notebook = json.loads(blank.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = given.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
        if given:
            notebook["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "It burnt."})
        target = tmp_path / "class" / student / "recipes.ipynb"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path / "class"


def test_release_takes_out_what_the_student_is_to_write(written: Course, tmp_path: Path) -> None:
    path = build_student_notebooks(written, "cooking", tmp_path / "blank")[0]
    text = path.read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in text]
    assert text.count("YOUR ANSWER HERE") == 2
    cells = {c["metadata"]["nbgrader"]["grade_id"]: c for c in json.loads(text)["cells"] if "nbgrader" in c["metadata"]}
    assert "".join(cells["own_recipe"]["source"]) == "raise NotImplementedError  # your code here"
    assert "what went wrong" in "".join(cells["cook_it"]["source"])
    assert cells["cook_it"]["metadata"]["nbgrader"] | {"checksum": ""} == {
        "grade": False, "grade_id": "cook_it", "locked": True, "points": 4, "schema_version": 3, "solution": False,
        "task": True, "cell_type": "markdown", "checksum": "",
    }  # fmt: skip
    again = build_student_notebooks(written, "cooking", tmp_path / "again")[0]
    assert again.read_bytes() == path.read_bytes()


def test_a_person_grades_what_was_written_and_it_counts(written: Course, folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "graded"
    results = grade_class(written, "cooking", folder, root)
    rows = {row.student: row for row in results.rows}
    assert results.max_score == 15
    assert {name: row.score for name, row in rows.items()} == {"all": 5, "none": 0}
    by_hand = [e.exercise for e in rows["all"].exercises if e.message == "graded by a person"]
    assert by_hand == ["why_share", "why_halve", "own_recipe", "cook_it"]
    waiting = {"all": {"why_share", "why_halve", "own_recipe", "cook_it"}, "none": {"cook_it"}}
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as book:
        for student, cells in waiting.items():
            grades = book.find_submission("cooking", student).notebooks[0].grades
            assert {grade.name for grade in grades if grade.needs_manual_grade} == cells
        book.find_grade("why_share", "recipes", "cooking", "all").manual_score = 2.5
        book.find_grade("cook_it", "recipes", "cooking", "all").manual_score = 3
        book.db.commit()
    again = grade_class(written, "cooking", folder, root)
    assert {row.student: row.score for row in again.rows} == {"all": 10.5, "none": 0}
    notebook = (root / "autograded" / "all" / "cooking" / "recipes.ipynb").read_text(encoding="utf-8")
    assert "burnt pan" in notebook, "the mark scheme is what the person who grades goes by"
    assert "It burnt." in notebook
    page = (root / "feedback" / "all" / "cooking" / "recipes.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Fair&lt;/b&gt; is fair." in page
    assert "burnt pan" not in page
    assert page.count("graded by a person") == 4


def test_verify_counts_them_as_graded_by_a_person(written: Course) -> None:
    found = verify_chapter(written, "cooking")
    assert found.problems == []
    assert found.points == {"recipes": 5}
    assert found.by_hand == {"recipes": 10}
    assert found.reference == {"recipes": 5}
    assert found.untouched == {"recipes": 0}


REFUSED = {
    "a written answer without points": ('[markdown] {"solution": true}', "a", "a written answer needs both"),
    "a text that is graded": ('[markdown] {"grade": true, "points": 1}', "a", "a written answer needs both"),
    "a task without points": ('[markdown] {"task": true}', "a", "a graded cell needs `points`"),
    "a task in code": ('{"task": true, "points": 1}', "a", "a task is a Markdown cell"),
    "a scheme without an end": ('[markdown] {"task": true, "points": 1}', "### BEGIN MARK SCHEME", "do not pair up"),
    "a scheme elsewhere": ('[markdown] {"grade": true, "solution": true, "points": 1}',
                           "### BEGIN MARK SCHEME\n# ### END MARK SCHEME", "a MARK SCHEME region"),
    "an answer that would stay": ('{"solution": true}', "1", "without ### BEGIN SOLUTION"),
    "points below nothing": ('{"grade": true, "points": -1}', "1", "a graded cell needs `points`"),
    "nbgrader's own tests": ('{"grade": true, "points": 1}', "### AUTOTEST f(1)", "nbgrader's AUTOTEST"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_of_no_known_kind_is_refused_by_name(written: Course, tmp_path: Path, name: str) -> None:
    head, text, says = REFUSED[name]
    kind, _, metadata = head.rpartition("{")
    mark = "# " if kind else ""
    cell = f'# %% {kind}nbgrader={{"grade_id": "x", {metadata}\n{mark}{text}\n'
    source = written.sources("cooking")[0]
    source.write_text(source.read_text(encoding="utf-8") + "\n" + cell, encoding="utf-8")
    with pytest.raises(CourseError, match=f"recipes.py: x: .*{says}"):
        build_student_notebooks(written, "cooking", tmp_path / "blank")
