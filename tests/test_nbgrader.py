"""nbgrader's own commands on the course's configuration: our engine and our care behind them, its gradebook as ever."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, ROUNDED_PORTIONS, scores, write
from tiny_course import write_tiny

from autograder.course.course import Course
from autograder.course.release import generate
from autograder.errors import CourseError
from autograder.grading.grade import grade_class
from autograder.nbgrader.configuration import make_tables

ROOT = Path(__file__).parent.parent


def make_tree(folder: Path, blank: Path) -> Path:
    """nbgrader's tree with a class handed in: good work, odd work, and files that stock nbgrader chokes on."""
    root = folder / "course"
    root.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", root)
    generate(write_tiny(folder / "tiny"), "cooking", root)

    def hand_in(student: str, **answers: str) -> Path:
        return write(blank, root / "submitted" / student / "cooking" / "recipes.ipynb", **answers)

    hand_in("good", portions=GOOD_PORTIONS, double="import sys\nprint('50 %', file=sys.stderr)\n" + GOOD_DOUBLE)
    hand_in("blank")
    hand_in("rounds", portions=ROUNDED_PORTIONS, double=GOOD_DOUBLE)
    hand_in("exits", portions=GOOD_PORTIONS, double="import os\nos._exit(0)\n")
    tampered = hand_in("tampered")
    notebook = json.loads(tampered.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("tags", []).append("skip-execution")
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["source"], cell["metadata"]["nbgrader"]["points"] = "pass", 99
    tampered.write_text(json.dumps(notebook), encoding="utf-8")
    hand_in("pipe", portions=GOOD_PORTIONS)
    os.mkfifo(root / "submitted" / "pipe" / "cooking" / "notes.txt")
    linked = root / "submitted" / "link" / "cooking"
    linked.mkdir(parents=True)
    (linked / "recipes.ipynb").symlink_to(root / "source" / "cooking" / "recipes.ipynb")
    hand_in("secrets", portions=GOOD_PORTIONS)
    (root / "submitted" / "secrets" / "cooking" / "data.txt").symlink_to(root / "source" / "cooking" / "recipes.ipynb")
    return root


@pytest.fixture
def nbgraders(blank: Path, tmp_path: Path) -> Path:
    """A tree of the test's own."""
    return make_tree(tmp_path, blank)


@pytest.fixture(scope="module")
def autograded(released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A tree that `nbgrader autograde` has been over, and what that said."""
    root = make_tree(tmp_path_factory.mktemp("autograded"), released)
    return root, nbgrader(root, "autograde", "cooking")


EXPECTED = {"good": 5, "blank": 0, "rounds": 3, "exits": 2, "tampered": 0, "pipe": 2, "link": 0, "secrets": 2}


def nbgrader(root: Path, *words: str) -> str:
    """Run a command of nbgrader's in its course folder; its output."""
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def gradebook(root: Path) -> Any:
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course")


def test_autograde_gives_our_scores_and_our_care(
    autograded: tuple[Path, str], tiny: Course, tmp_path: Path
) -> None:
    root, log = autograded
    with gradebook(root) as book:
        got = {s.student_id: s.score for s in book.assignment_submissions("cooking")}
        assert not any(s.needs_manual_grade for s in book.assignment_submissions("cooking"))
    assert got == EXPECTED
    assert "link" in log
    ours = grade_class(tiny, "cooking", root / "submitted", tmp_path / "ours")
    assert scores(ours) == EXPECTED
    copied = [p.name for p in (root / "autograded").rglob("*") if p.is_file()]
    assert set(copied) == {"recipes.ipynb"}, "a submitted file other than the notebook was copied"


def test_feedback_and_export_work_and_hide_the_hidden_tests(autograded: tuple[Path, str]) -> None:
    root, _ = autograded
    nbgrader(root, "generate_feedback", "cooking")
    page = (root / "feedback" / "rounds" / "cooking" / "recipes.html").read_text(encoding="utf-8")
    assert "was the result rounded?" in page
    assert "portions(1, 4)" not in page
    nbgrader(root, "export")
    table = (root / "grades.csv").read_text(encoding="utf-8")
    assert "rounds" in table


def test_a_persons_score_and_comment_survive_a_regrade(nbgraders: Path) -> None:
    nbgrader(nbgraders, "autograde", "cooking", "--student=rounds")
    with gradebook(nbgraders) as book:
        book.find_grade("test_portions", "recipes", "cooking", "rounds").manual_score = 1
        book.find_comment("portions", "recipes", "cooking", "rounds").manual_comment = "the idea is right"
        book.db.commit()
    nbgrader(nbgraders, "autograde", "cooking", "--student=rounds", "--force")
    with gradebook(nbgraders) as book:
        assert book.find_submission("cooking", "rounds").score == 4
        comment = book.find_comment("portions", "recipes", "cooking", "rounds")
        assert comment.comment == "the idea is right"


def test_formgrader_can_grade_and_shows_the_class(nbgraders: Path) -> None:
    """The call that formgrader's button makes, and the list that it shows."""
    from autograder.nbgrader.configuration import nbgrader_api, quiet

    with quiet():
        api = nbgrader_api(nbgraders)
        assert api.autograde("cooking", "good")["success"]
        listed = {row["student"]: row for row in api.get_submissions("cooking")}
    assert set(listed) == set(EXPECTED)
    assert listed["good"]["score"] == 5
    assert listed["good"]["autograded"]
    assert not listed["blank"]["autograded"]


def test_a_new_gradebook_has_the_tables_and_the_version_that_nbgrader_would_give_it(tmp_path: Path) -> None:
    def described(url: str) -> tuple[list[str], str]:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        tables = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
        (version,) = connection.execute("select version_num from alembic_version").fetchone()
        connection.close()
        return [name for (name,) in tables], version

    ours, theirs = f"sqlite:///{tmp_path / 'ours.db'}", f"sqlite:///{tmp_path / 'theirs.db'}"
    make_tables(ours)
    make_tables(ours)  # again: nothing to do
    Gradebook(theirs, "course").close()
    assert described(ours) == described(theirs)
    with pytest.raises(CourseError, match="the gradebook cannot be used"):
        make_tables("nosuch://here")
