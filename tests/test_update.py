"""A newer version of a notebook takes over a student's answers and own cells, and nothing else of the old one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking_course import THRICE, WRONG, write_asking
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, write

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.errors import SubmissionError
from autograder.grading.check import check_notebook
from autograder.notebook.update import update


@pytest.fixture
def versions(tiny: Course, blank: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A student's notebook of the first version, solved, with a cell of their own; and the second version."""
    mine = write(blank, tmp_path / "mine" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    notebook = json.loads(mine.read_text(encoding="utf-8"))
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    own = {"cell_type": "code", "id": "b7", "metadata": {}, "source": ["print('my own')"], "outputs": []}
    notebook["cells"].insert(names.index("portions") + 1, own | {"execution_count": 3})
    mine.write_text(json.dumps(notebook), encoding="utf-8")
    source = tiny.root / "solutions" / "cooking" / "recipes.py"
    text = source.read_text(encoding="utf-8")
    text = text.replace("# # Recipes", "# # Recipes, second edition\n\n# %% [markdown]\n# A text that is new.")
    source.write_text(text.replace("two is 150 g a head", "two is a hundred and fifty"), encoding="utf-8")
    return mine, build_student_notebooks(tiny, "cooking", tmp_path / "second")[0]


def test_answers_and_own_cells_are_taken_over(versions: tuple[Path, Path]) -> None:
    mine, new = versions
    before = mine.read_bytes()
    notes = update(mine, new)
    assert notes[0] == "2 answers and 1 cells of your own were taken over"
    text = mine.read_text(encoding="utf-8")
    kept_or_new = ("grams / people", "grams + grams", "my own", "second edition", "A text that is new", "a hundred and")
    for kept in kept_or_new:
        assert kept in text, kept
    assert "150 g a head" not in text
    cells = json.loads(text)["cells"]
    names = [c["metadata"].get("nbgrader", {}).get("grade_id") for c in cells]
    assert "my own" in "".join(cells[names.index("portions") + 1]["source"])
    assert text.count("# Recipes") == 1
    assert mine.with_suffix(".before.ipynb").read_bytes() == before
    assert all(result.points == result.max_points for result in check_notebook(mine))
    with pytest.raises(SubmissionError, match="already there"):
        update(mine, new)


def test_an_answer_to_an_exercise_that_is_gone_is_kept(versions: tuple[Path, Path], tmp_path: Path) -> None:
    mine, new = versions
    notebook = json.loads(new.read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if "double" not in str(c["metadata"].get("nbgrader", {}))]
    new.write_text(json.dumps(notebook), encoding="utf-8")
    notes = update(mine, new)
    assert any(note.startswith("double: the new notebook has no such exercise") for note in notes)
    assert "grams + grams" in mine.read_text(encoding="utf-8")


@pytest.mark.slow
def test_older_tests_give_way_to_those_that_ask(tmp_path: Path) -> None:
    """A notebook from before its tests asked takes the new tests, and the cell that they need."""
    course = write_asking(tmp_path / "course")
    new = build_student_notebooks(course, "cooking", tmp_path / "new")[0]
    old_test = "def test_shares():\n    assert shares(np.array([1.0, 3.0]))[0] == 0.25\n\ntest_shares()\n"
    mine = write(new, tmp_path / "mine" / "shares.ipynb", shares=WRONG, thrice=THRICE, test_shares=old_test)
    notebook = json.loads(mine.read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") != "check"]
    for cell in notebook["cells"]:
        cell.pop("id")  # as formats before 4.5
    mine.write_text(json.dumps(notebook), encoding="utf-8")
    renamed = new.rename(new.with_name("shares (1).ipynb"))
    assert update(mine, renamed)[0] == "2 answers and 0 cells of your own were taken over"
    shares, thrice = check_notebook(mine)
    assert (shares.points, thrice.points) == (0.0, 1.0)
    assert shares.message.startswith("These are shares of the largest amount: divide by the sum of all.")
    assert "def test_shares():\n    assert" not in mine.read_text(encoding="utf-8")
    names = [c["metadata"].get("nbgrader", {}).get("grade_id") for c in json.loads(mine.read_text("utf-8"))["cells"]]
    assert names == [None, None, "check", "shares", "test_shares", "thrice", "test_thrice"]


def test_a_download_that_was_renamed_brings_nothing_twice(versions: tuple[Path, Path]) -> None:
    mine, new = versions
    renamed = new.rename(new.with_name("recipes (1).ipynb"))
    assert update(mine, renamed)[0] == "2 answers and 1 cells of your own were taken over"


def test_what_is_no_notebook_is_said_and_nothing_is_written(versions: tuple[Path, Path], tmp_path: Path) -> None:
    mine, _ = versions
    before = mine.read_bytes()
    broken = tmp_path / "new.ipynb"
    broken.write_text('{"cells": [', encoding="utf-8")
    with pytest.raises(SubmissionError, match="cut short"):
        update(mine, broken)
    assert mine.read_bytes() == before
    assert not mine.with_suffix(".before.ipynb").exists()
