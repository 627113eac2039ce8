"""The grader on a tiny course that has nothing to do with attention."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from asking_course import write_asking

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.course.sample import make_sample_class
from autograder.course.verify import verify_chapter
from autograder.errors import CourseError, SubmissionError
from autograder.grading.check import check_notebook
from autograder.grading.grade import Options, grade_class

GOOD_PORTIONS = "def portions(grams, people):\n    return grams / people\n"
GOOD_DOUBLE = "def double(grams):\n    return grams + grams\n"


def write(blank: Path, target: Path, **answers: str) -> Path:
    """A submission: the blank notebook with some cells' sources replaced."""
    notebook = nbformat.read(blank, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def test_release_hides_solutions_and_hidden_tests(tiny: Course, blank: Path) -> None:
    text = blank.read_text(encoding="utf-8")
    assert "grams / people" not in text
    assert "secret" not in text
    assert "###" not in text
    assert "raise NotImplementedError" in text


def test_release_is_byte_identical(tiny: Course, blank: Path, tmp_path: Path) -> None:
    again = build_student_notebooks(tiny, "cooking", tmp_path / "again")[0]
    assert again.read_bytes() == blank.read_bytes()


def test_release_refuses_a_test_that_is_hidden_whole(tiny: Course, tmp_path: Path) -> None:
    source = tiny.root / "solutions" / "cooking" / "recipes.py"
    text = source.read_text(encoding="utf-8")
    body = '    """Twice three is six."""\n    assert double(3)'
    assert body in text
    hidden = text.replace(body, "    ### BEGIN HIDDEN TESTS\n    assert double(3)").replace(
        'was it squared?"\n', 'was it squared?"\n    ### END HIDDEN TESTS\n'
    )
    source.write_text(hidden, encoding="utf-8")
    with pytest.raises(CourseError, match="test_double: once released"):
        build_student_notebooks(tiny, "cooking", tmp_path / "out")


def test_verify_is_clean_on_a_good_bank(tiny: Course) -> None:
    found = verify_chapter(tiny, "cooking")
    assert found.problems == []
    assert found.count(is_right=False) == (3, 3)
    assert found.count(is_right=True) == (1, 1)
    assert found.reference == {"recipes": 5.0}
    assert found.untouched == {"recipes": 0.0}
    assert found.clean


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('@wrong("double")\ndef fine(grams):\n    """Is fine."""\n    return grams * 2\n', "a wrong solution passed"),
        ('@wrong("double")\ndef cubes(grams):\n    """Cubes."""\n    return grams**3\n', ""),
        ('@right("double")\ndef halves(grams):\n    return grams / 2\n', "a right solution was rejected"),
        (
            '@wrong("double")\ndef meddles(grams):\n    """Meddles."""\n'
            "    globals()['portions'] = None\n    return grams**2\n",
            "",
        ),
    ],
)
def test_verify_names_a_bad_entry(tiny: Course, entry: str, problem: str) -> None:
    bank = tiny.bank("cooking")
    bank.write_text(bank.read_text(encoding="utf-8") + "\n\n" + entry, encoding="utf-8")
    last = [v for v in verify_chapter(tiny, "cooking").verdicts if v.entry.exercise == "double"][-1]
    assert problem in last.problem
    assert bool(last.problem) == bool(problem)


def test_check_names_the_mistake(blank: Path, tmp_path: Path) -> None:
    path = write(blank, tmp_path / "mine.ipynb", portions="def portions(g, p):\n    return g - p\n")
    portions, double = check_notebook(path)
    assert (portions.points, portions.max_points) == (0.0, 2.0)
    assert "do not subtract" in portions.message
    assert double.message == "not written yet"


def test_check_command_exit_codes(blank: Path, tmp_path: Path) -> None:
    full = write(blank, tmp_path / "full.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    command = [sys.executable, "-m", "autograder.commands", "check"]
    assert subprocess.run([*command, full], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*command, blank], capture_output=True, check=False).returncode == 1
    missing = subprocess.run([*command, "nowhere.ipynb"], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr.strip() == "autograder: nowhere.ipynb: there is no such file"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b'{"cells": [', "cut short"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"a": 1}', "not a valid notebook"),
        (b"[" * 100_000, "not a"),
    ],
)
def test_bad_files_say_what_they_are(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match=says):
        check_notebook(path)


def test_a_mixed_class_gets_a_row_each(tiny: Course, blank: Path, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    noisy = "import sys, warnings\nwarnings.warn('careful')\nprint('50 %', file=sys.stderr)\n" + GOOD_DOUBLE
    write(blank, folder / "good" / "recipes.ipynb", portions=GOOD_PORTIONS, double=noisy)
    write(blank, folder / "blank" / "recipes.ipynb")
    write(blank, folder / "renamed" / "my recipes (1).ipynb", portions=GOOD_PORTIONS)
    write(blank, folder / "rounds" / "recipes.ipynb", portions="def portions(g, p):\n    return g // p\n")
    write(blank, folder / "exits" / "recipes.ipynb", portions=GOOD_PORTIONS, double="import os\nos._exit(0)\n")
    write(blank, folder / "hangs" / "recipes.ipynb", portions=GOOD_PORTIONS, double="while True:\n    pass\n")
    (folder / "broken").mkdir()
    (folder / "broken" / "recipes.ipynb").write_text('{"cells": [', encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / "link").mkdir()
    (folder / "link" / "recipes.ipynb").symlink_to(blank)

    workspace = tmp_path / "graded"
    results = grade_class(tiny, "cooking", folder, workspace, Options(seconds=15))
    rows = {row.student: row for row in results.rows}

    scores = {name: row.score for name, row in rows.items()}
    assert scores == {
        "good": 5, "blank": 0, "renamed": 2, "rounds": 0, "exits": 2, "hangs": 2, "broken": 0, "empty": 0, "link": 0,
    }  # fmt: skip
    assert [i.kind for i in rows["exits"].incidents] == ["crashed"]
    assert "exit code 0" in rows["exits"].note
    assert [i.kind for i in rows["hangs"].incidents] == ["timed out"]
    assert rows["broken"].status == "refused"
    assert "cut short" in rows["broken"].note
    assert (rows["empty"].status, rows["empty"].note) == ("refused", "no notebook was handed in")
    assert "link" in rows["link"].note
    assert "was the result rounded?" in rows["rounds"].exercises[0].message
    feedback = (workspace / "feedback" / "rounds" / "cooking" / "recipes.html").read_text(encoding="utf-8")
    assert "was the result rounded?" in feedback
    assert "portions(1, 4)" not in feedback
    with (workspace / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {line["student"]: line for line in csv.DictReader(file)}
    assert float(table["good"]["double"]) == 3.0


def test_tampering_with_tests_and_points_is_ignored(tiny: Course, blank: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(blank, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "pass"
            cell.metadata.nbgrader.points = 99
            cell.metadata["tags"] = ["skip-execution"]
    folder = tmp_path / "class" / "cheat"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "recipes.ipynb")
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]
    (tmp_path / "class" / "deleted").mkdir()
    nbformat.write(notebook, tmp_path / "class" / "deleted" / "recipes.ipynb")
    results = grade_class(tiny, "cooking", tmp_path / "class", tmp_path / "graded")
    assert [row.score for row in results.rows] == [0, 0]
    assert "the cell test_double was missing" in results.rows[1].note


def test_grading_twice_gives_the_same_results(tiny: Course, blank: Path, tmp_path: Path) -> None:
    write(blank, tmp_path / "class" / "one" / "recipes.ipynb", portions=GOOD_PORTIONS)
    first = grade_class(tiny, "cooking", tmp_path / "class", tmp_path / "graded")
    second = grade_class(tiny, "cooking", tmp_path / "class", tmp_path / "graded")
    assert first.rows[0].score == second.rows[0].score == 2
    assert first.rows[0].exercises == second.rows[0].exercises


def test_the_sample_class_scores_as_it_was_made(tiny: Course, tmp_path: Path) -> None:
    make_sample_class(tiny, "cooking", tmp_path / "sample", students=6, seed=1)
    expected = json.loads((tmp_path / "sample" / "expected.json").read_text(encoding="utf-8"))
    results = grade_class(tiny, "cooking", tmp_path / "sample" / "class", tmp_path / "graded")
    got = {row.student: {e.exercise: e.points for e in row.exercises} for row in results.rows}
    assert got == expected
    assert len({tuple(scores.values()) for scores in got.values()}) > 1, "a class of one kind shows nothing"


@pytest.mark.slow
def test_stock_nbgrader_grades_the_same_course(tiny: Course, blank: Path, tmp_path: Path) -> None:
    """No configuration of ours: nbgrader's own command and kernel give the same scores."""
    make_sample_class(tiny, "cooking", tmp_path / "sample", students=2, seed=1)
    root = tmp_path / "stock"
    grade_class(tiny, "cooking", tmp_path / "sample" / "class", root)
    ours = json.loads((root / "results.json").read_text(encoding="utf-8"))
    shutil.rmtree(root / "autograded")
    command = [sys.executable, "-m", "nbgrader", "autograde", "cooking", f"--CourseDirectory.root={root}"]
    done = subprocess.run([*command, "--course=course"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        for row in ours["rows"]:
            assert gradebook.find_submission("cooking", row["student"]).score == row["score"]


@pytest.mark.slow
@pytest.mark.parametrize("configured", [True, False], ids=["our configuration", "nbgrader's own engine"])
def test_nbgraders_autograde_knows_the_answers_to_hidden_questions(
    tmp_path: Path, course: Course, configured: bool
) -> None:
    """They stand in the gradebook's tests, and in no notebook of a student's. A warning costs nobody a point."""
    asking = write_asking(tmp_path / "course")
    make_sample_class(asking, "cooking", tmp_path / "sample", students=6, seed=1)
    some = next((tmp_path / "sample" / "class").glob("*/shares.ipynb"))
    warns = "import warnings\n\ndef shares(amounts):\n    warnings.warn('slow')\n    return amounts / amounts.sum()\n"
    write(some, tmp_path / "sample" / "class" / "warned" / "shares.ipynb", shares=warns, thrice="thrice = len\n")
    root = tmp_path / "graded"
    ours = grade_class(asking, "cooking", tmp_path / "sample" / "class", root)
    assert "run.__self__" not in (root / "release" / "cooking" / "shares.ipynb").read_text(encoding="utf-8")
    shutil.rmtree(root / "autograded")
    if configured:
        shutil.copy(course.root / "nbgrader_config.py", root)
    command = [sys.executable, "-m", "nbgrader", "autograde", "cooking", f"--CourseDirectory.root={root}"]
    done = subprocess.run([*command, "--course=course"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        scores = {row.student: gradebook.find_submission("cooking", row.student).score for row in ours.rows}
    assert scores == {row.student: row.score for row in ours.rows}
    assert len(set(scores.values())) > 1, "a class of one kind shows nothing"
    assert scores["warned"] == 2


@pytest.mark.slow
def test_nbgraders_commands_on_our_configuration(tiny: Course, blank: Path, tmp_path: Path, course: Course) -> None:
    """`nbgrader autograde` and `generate_feedback` with nbgrader_config.py: same scores, hidden tests stay hidden."""
    wrong = write(
        blank, tmp_path / "class" / "one" / "recipes.ipynb", portions="def portions(g, p):\n    return g // p\n"
    )
    assert wrong.is_file()
    root = tmp_path / "graded"
    ours = grade_class(tiny, "cooking", tmp_path / "class", root)
    shutil.copy(course.root / "nbgrader_config.py", root)
    shutil.rmtree(root / "autograded")
    shutil.rmtree(root / "feedback")
    for step in ("autograde", "generate_feedback"):
        command = [sys.executable, "-m", "nbgrader", step, "cooking"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    page = (root / "feedback" / "one" / "cooking" / "recipes.html").read_text(encoding="utf-8")
    assert "was the result rounded?" in page
    assert "portions(1, 4)" not in page

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        assert gradebook.find_submission("cooking", "one").score == ours.rows[0].score == 0
