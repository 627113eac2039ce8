"""What was set: a chapter, one notebook of it, told from what was handed in or by the instructor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, scores, write
from tiny_course import HEADER, RECIPES
from typer.testing import CliRunner

from autograder.commands import app
from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.results import State, read_results

SHARED = '# %% nbgrader={"grade_id": "tools", "locked": true}\nimport math'  # every chapter has one
KITCHEN = RECIPES.replace("# %%\nimport math", SHARED)
LAUNDRY = KITCHEN.replace("portions", "wash").replace("double", "dry").replace("# Recipes", "# Laundry")
SAUCES = KITCHEN.replace("portions", "stir").replace("double", "boil").replace("# Recipes", "# Sauces")


@pytest.fixture
def two_chapters(tiny: Course) -> Course:
    """The tiny course with a second notebook in `cooking`, and a second chapter."""
    (tiny.root / "solutions" / "cooking" / "recipes.py").write_text(HEADER + KITCHEN, encoding="utf-8")
    (tiny.root / "solutions" / "cooking" / "sauces.py").write_text(HEADER + SAUCES, encoding="utf-8")
    (tiny.root / "solutions" / "washing").mkdir()
    (tiny.root / "solutions" / "washing" / "laundry.py").write_text(HEADER + LAUNDRY, encoding="utf-8")
    return tiny


@pytest.fixture
def blanks(two_chapters: Course, tmp_path: Path) -> dict[str, Path]:
    """The blank notebooks of both chapters by name."""
    made = [
        path
        for chapter in ("cooking", "washing")
        for path in build_student_notebooks(two_chapters, chapter, tmp_path / "blank" / chapter)
    ]
    return {path.stem: path for path in made}


def hand_in(blanks: dict[str, Path], folder: Path, *names: str) -> Path:
    """A student's folder with these notebooks, each answered right."""
    good = {"portions": GOOD_PORTIONS, "double": GOOD_DOUBLE}
    for name in names:
        answers = {
            "recipes": good,
            "sauces": {
                "stir": good["portions"].replace("portions", "stir"),
                "boil": good["double"].replace("double", "boil"),
            },
            "laundry": {
                "wash": good["portions"].replace("portions", "wash"),
                "dry": good["double"].replace("double", "dry"),
            },
        }[name]
        write(blanks[name], folder / f"{name}.ipynb", **answers)
    return folder


def command(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


def test_one_notebook_is_out_of_its_own_points(
    two_chapters: Course, blanks: dict[str, Path], tmp_path: Path
) -> None:
    """In the results, the CSV, the gradebook and the exports; what else a student has in the folder is left alone."""
    from nbgrader.api import Gradebook

    hand_in(blanks, tmp_path / "class" / "ann", "recipes", "sauces")
    hand_in(blanks, tmp_path / "class" / "bob", "recipes")
    hand_in(blanks, tmp_path / "class" / "cem", "sauces")
    root = tmp_path / "graded"
    said = command("grade", tmp_path / "class", "--notebook", "recipes", "--course", two_chapters.root, "--into", root)
    assert "5/5" in said
    results = read_results(root / "results.json")
    assert (results.assignment, results.chapter, results.max_score) == ("cooking-recipes", "cooking", 5.0)
    rows = {row.student: row for row in results.rows}
    assert {name: row.score for name, row in rows.items()} == {"ann": 5.0, "bob": 5.0, "cem": 0.0}
    assert [e.exercise for e in rows["ann"].exercises] == ["portions", "double"]
    assert rows["ann"].note == "sauces.ipynb: not part of this assignment: left alone"
    assert rows["ann"].incidents == ()
    assert (rows["cem"].status, rows["cem"].note) == (
        "refused", "sauces.ipynb: none of this assignment's exercises are in it: is it another assignment?"
    )  # fmt: skip
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as book:
        assert book.find_assignment("cooking-recipes").max_score == 5
        assert [notebook.name for notebook in book.find_assignment("cooking-recipes").notebooks] == ["recipes"]
    assert (root / "feedback" / "bob" / "cooking-recipes" / "recipes.html").is_file()
    assert "cooking-recipes" in (root / "report.html").read_text(encoding="utf-8") if command("report", root) else False


def test_a_notebook_and_its_chapter_do_not_meet(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    """In one gradebook there may be both; the earlier results stay where `export` finds them."""
    hand_in(blanks, tmp_path / "class" / "ann", "recipes", "sauces")
    root = tmp_path / "graded"
    whole = grade_class(two_chapters, "cooking", tmp_path / "class", root)
    half = grade_class(two_chapters, "cooking", tmp_path / "class", root, Options(notebooks=("sauces",)))
    by_path = grade_class(two_chapters, "cooking/sauces", tmp_path / "class", root)
    assert (whole.max_score, half.max_score, by_path.max_score) == (10.0, 5.0, 5.0)
    assert scores(whole) == {"ann": 10.0}
    assert half.assignment == by_path.assignment == "cooking-sauces"
    assert sorted(path.name for path in (root / "results").iterdir()) == ["cooking-sauces.json", "cooking.json"]
    assert read_results(root / "results.json").assignment == "cooking-sauces"
    again = grade_class(two_chapters, "cooking", tmp_path / "class", root)
    assert again.changes == ()


def test_both_notebooks_named_are_the_chapter(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    hand_in(blanks, tmp_path / "class" / "ann", "recipes", "sauces")
    options = Options(notebooks=("sauces", "recipes.ipynb"))
    assert grade_class(two_chapters, "", tmp_path / "class", tmp_path / "graded", options).assignment == "cooking"


def test_the_chapter_is_told_from_the_notebooks(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    """Also where the file has another name; and who handed in something else has a row that says so."""
    for student in ("ann", "bob", "cem"):
        hand_in(blanks, tmp_path / "class" / student, "laundry")
    (tmp_path / "class" / "bob" / "laundry.ipynb").rename(tmp_path / "class" / "bob" / "final version.ipynb")
    hand_in(blanks, tmp_path / "class" / "dan", "recipes")
    results = grade_class(two_chapters, "", tmp_path / "class", tmp_path / "graded")
    assert results.assignment == "washing"
    assert scores(results) == {"ann": 5.0, "bob": 5.0, "cem": 5.0, "dan": 0.0}
    assert results.rows[3].status == "refused"


def test_what_cannot_be_told_is_asked(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "class"
    hand_in(blanks, folder / "ann", "laundry")
    hand_in(blanks, folder / "bob", "recipes")
    with pytest.raises(CourseError, match=r"notebooks of several chapters .* say which was set: --chapter "):
        grade_class(two_chapters, "", folder, tmp_path / "graded")
    shutil.rmtree(folder)
    (folder / "ann").mkdir(parents=True)
    (folder / "ann" / "essay.ipynb").write_text('{"cells": [], "nbformat": 4, "metadata": {}}', encoding="utf-8")
    with pytest.raises(CourseError, match=r"no notebook in it is one of this course: say which .*--chapter cooking"):
        grade_class(two_chapters, "", folder, tmp_path / "graded")
    with pytest.raises(CourseError, match="--notebook soups: not in cooking, which has recipes, sauces"):
        grade_class(two_chapters, "cooking", folder, tmp_path / "graded", Options(notebooks=("soups",)))
    with pytest.raises(CourseError, match="--assignment week 1/a: cannot be a folder's name: write week_1_a"):
        grade_class(two_chapters, "cooking", folder, tmp_path / "graded", Options(assignment="week 1/a"))


def test_nbgraders_folders_tell_what_was_set(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    """By the chapter's name, by the chapter's and the notebook's, and under a name of the instructor's own."""
    submitted = tmp_path / "submitted"
    hand_in(blanks, submitted / "ann" / "washing", "laundry")
    hand_in(blanks, submitted / "bob" / "washing", "laundry")
    assert grade_class(two_chapters, "", submitted, tmp_path / "one").assignment == "washing"
    hand_in(blanks, submitted / "ann" / "cooking-sauces", "sauces")
    with pytest.raises(CourseError, match="of several assignments: say which with --chapter or --assignment: washing"):
        grade_class(two_chapters, "", submitted, tmp_path / "two")
    chosen = grade_class(two_chapters, "", submitted, tmp_path / "two", Options(assignment="cooking-sauces"))
    assert (chosen.assignment, chosen.max_score, scores(chosen)) == ("cooking-sauces", 5.0, {"ann": 5.0, "bob": 0.0})

    inbound = tmp_path / "exchange" / "inbound"
    hand_in(blanks, inbound / "ann+week1+2026-11-01 10:00:00 UTC", "laundry")
    week = grade_class(two_chapters, "", inbound, tmp_path / "three")
    assert (week.assignment, week.chapter, scores(week)) == ("week1", "washing", {"ann": 5.0})
    with pytest.raises(CourseError, match=r"no submissions of cooking in it \(1 of week1 left alone\).* --assignment"):
        grade_class(two_chapters, "cooking", inbound, tmp_path / "four")
    named = grade_class(two_chapters, "washing", inbound, tmp_path / "five", Options(assignment="week1"))
    assert scores(named) == {"ann": 5.0}


def test_a_notebook_that_nobody_handed_in_is_asked_about(
    two_chapters: Course, blanks: dict[str, Path], tmp_path: Path
) -> None:
    """And the advice does what it says."""
    hand_in(blanks, tmp_path / "class" / "ann", "recipes")
    first = grade_class(two_chapters, "cooking", tmp_path / "class", tmp_path / "graded")
    assert (first.max_score, first.rows[0].exercises[2].state) == (10.0, State.NOT_HANDED_IN)
    advice = first.notes[-1]
    assert advice == (
        "nobody handed in sauces.ipynb: if not all of the chapter was set, grade with --notebook recipes"
    )
    words = advice.partition("grade with ")[2].split()
    into = ["--course", two_chapters.root, "--into", tmp_path / "graded"]
    assert "5/5" in command("grade", tmp_path / "class", *words, *into)


def test_a_notebook_that_was_not_set_is_not_taken_for_the_one_that_was(
    two_chapters: Course, blanks: dict[str, Path], tmp_path: Path
) -> None:
    """A cell that all notebooks have, such as the one with `check`, says nothing of which notebook it is."""
    assert all('"tools"' in blank.read_text(encoding="utf-8") for blank in blanks.values())
    hand_in(blanks, tmp_path / "class" / "ann", "recipes", "sauces")
    options = Options(notebooks=("sauces",))
    (row,) = grade_class(two_chapters, "", tmp_path / "class", tmp_path / "graded", options).rows
    assert (row.score, row.note) == (5.0, "recipes.ipynb: not part of this assignment: left alone")


def test_a_copy_that_lost_its_metadata_is_told_by_what_it_defines(
    two_chapters: Course, blanks: dict[str, Path], tmp_path: Path
) -> None:
    hand_in(blanks, tmp_path / "class" / "ann", "recipes", "sauces")
    for name in ("recipes", "sauces"):
        path = tmp_path / "class" / "ann" / f"{name}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = [{**cell, "metadata": {"id": "x"}} for cell in notebook["cells"]]
        path.with_name(f"Copy of {name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        path.unlink()
    (row,) = grade_class(two_chapters, "cooking", tmp_path / "class", tmp_path / "graded").rows
    lost = "saved without nbgrader's metadata: its answers were run as cells of the student's own"
    assert (row.score, row.note) == (10.0, f"Copy of recipes.ipynb: {lost}; Copy of sauces.ipynb: {lost}")
    assert row.exercises


def test_if_all_are_refused_one_line_says_so(two_chapters: Course, blanks: dict[str, Path], tmp_path: Path) -> None:
    for student in ("ann", "bob"):
        hand_in(blanks, tmp_path / "class" / student, "laundry")
    where = ["--course", two_chapters.root, "--into", tmp_path / "graded"]
    said = command("grade", tmp_path / "class", "--chapter", "cooking", *where, code=1)
    lines = [line for line in said.splitlines() if "autograder:" in line]
    assert lines == [
        f"autograder: {tmp_path / 'class'}: nothing in it could be graded as cooking, all 2 were refused; "
        "ann: laundry.ipynb: none of this assignment's exercises are in it: is it another assignment?"
    ]
    assert "next:" not in said
    assert json.loads((tmp_path / "graded" / "results.json").read_text(encoding="utf-8"))["rows"]
