"""A run that is broken off, repeated, doubled, late, or held against another database loses and changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, ROUNDED_PORTIONS, scores, write

from autograder.course.course import Course
from autograder.errors import CourseError
from autograder.grading import running
from autograder.grading.grade import Options, grade_class
from autograder.grading.workspace import Workspace
from autograder.handed_in.intake import Submission, read_submission
from autograder.results import read_results


@pytest.fixture
def many(blank: Path, tmp_path: Path) -> Path:
    """Twelve students, every other one with one exercise only, no two alike."""
    for number in range(12):
        own = f"# student {number}\n"  # two alike would be run once
        answers = {"portions": own + GOOD_PORTIONS} | ({"double": GOOD_DOUBLE} if number % 2 else {})
        write(blank, tmp_path / "class" / f"s{number:02d}" / "recipes.ipynb", **answers)
    return tmp_path / "class"


EXPECTED = {f"s{number:02d}": 5.0 if number % 2 else 2.0 for number in range(12)}


def command(course: Course, folder: Path, root: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "autograder.commands", "grade", str(folder), "--chapter", "cooking", "--into", str(root),
         "--workers", "1", *more],
        cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip


def runs_kept(root: Path) -> set[str]:
    return {p.name for p in (root / ".autograder").glob("runs/*/*.json")}


def rows_of(root: Path) -> list[tuple[Any, ...]]:
    """Every grade and comment in the gradebook, all columns."""
    with sqlite3.connect(root / "gradebook.db") as database:
        return [
            *database.execute("select * from grade order by id"),
            *database.execute("select * from comment order by id"),
            *database.execute("select * from submitted_notebook order by id"),
        ]


@pytest.mark.timing
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)], ids=["SIGINT", "SIGKILL"]
)
def test_a_broken_run_goes_on_where_it_stopped(
    tiny: Course, blank: Path, many: Path, tmp_path: Path, number: int
) -> None:
    root, last = tmp_path / "graded", many / "s11" / "recipes.ipynb"
    handed_in = last.read_bytes()
    write(blank, last, portions="while True:\n    pass\n" + GOOD_PORTIONS)  # the run cannot be over before the break
    process = command(tiny, many, root)
    deadline = time.monotonic() + 300
    while len(runs_kept(root)) < 3:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "three notebooks were not graded in five minutes"
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate(timeout=300)[0]
    kept = runs_kept(root)
    assert 3 <= len(kept) <= 12  # the reference's run, and all but the last student's
    assert not (root / "results.json").exists()
    if number == signal.SIGINT:
        assert process.returncode == 130, output
        assert "nothing is lost" in output
    before = {name: next((root / ".autograder").glob(f"runs/*/{name}")).stat().st_mtime_ns for name in kept}

    last.write_bytes(handed_in)
    again = command(tiny, many, root)
    output = again.communicate(timeout=300)[0]
    assert again.returncode == 0, output
    results = read_results(root / "results.json")
    assert scores(results) == EXPECTED
    after = {name: next((root / ".autograder").glob(f"runs/*/{name}")).stat().st_mtime_ns for name in kept}
    assert after == before, "a notebook that was graded before the break was run again"
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"--into {root}" not in left


def test_grading_again_changes_nothing(tiny: Course, many: Path, tmp_path: Path) -> None:
    root = tmp_path / "graded"
    first = grade_class(tiny, "cooking", many, root)
    content = rows_of(root)
    second = grade_class(tiny, "cooking", many, root)
    assert rows_of(root) == content
    assert scores(first) == scores(second) == EXPECTED
    assert second.changes == ()
    third = grade_class(tiny, "cooking", many, root, Options(again=True))
    assert rows_of(root) == content
    assert scores(third) == EXPECTED


def test_two_runs_at_once_do_not_meet(tiny: Course, many: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "graded")
    with workspace.lock(), pytest.raises(CourseError, match="another run is grading here"):
        grade_class(tiny, "cooking", many, workspace.root)
    assert scores(grade_class(tiny, "cooking", many, workspace.root)) == EXPECTED


def test_a_mended_test_changes_the_scores_that_it_touches_and_says_why(
    tiny: Course, blank: Path, tmp_path: Path
) -> None:
    folder, root = tmp_path / "class", tmp_path / "graded"
    write(blank, folder / "rounds" / "recipes.ipynb", portions=ROUNDED_PORTIONS, double=GOOD_DOUBLE)
    write(blank, folder / "good" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    assert scores(grade_class(tiny, "cooking", folder, root)) == {"good": 5, "rounds": 3}
    source = tiny.root / "solutions" / "cooking" / "recipes.py"
    text = source.read_text(encoding="utf-8")
    mended = text.replace("portions(1, 4) == 0.25", "portions(1, 4) in (0.25, 0)")
    assert mended != text
    source.write_text(mended, encoding="utf-8")
    results = grade_class(tiny, "cooking", folder, root)
    assert scores(results) == {"good": 5, "rounds": 5}
    assert [(c.student, c.exercise, c.before, c.after) for c in results.changes] == [
        ("rounds", "portions", 0, 2)
    ]
    assert results.changes[0].why == "the notebook or its tests changed"


def test_one_student_alone(tiny: Course, blank: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "class", tmp_path / "graded"
    write(blank, folder / "one" / "recipes.ipynb", double=GOOD_DOUBLE)
    write(blank, folder / "two" / "recipes.ipynb", double=GOOD_DOUBLE)
    grade_class(tiny, "cooking", folder, root)
    for student in ("one", "two"):
        write(blank, folder / student / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    results = grade_class(tiny, "cooking", folder, root, Options(only=("two",)))
    assert scores(results) == {"one": 3, "two": 5}
    assert [(c.student, c.why) for c in results.changes] == [("two", "another version was handed in")]
    with pytest.raises(CourseError, match="no such student"):
        grade_class(tiny, "cooking", folder, root, Options(only=("nobody",)))


def test_what_we_cannot_read_costs_nobody_elses_row(
    tiny: Course, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in reading one student's file is told in that row; nobody is given a grade for it."""

    def fails_for_one(files: tuple[Path, ...], ours: dict[str, Any]) -> Submission:
        if "s03" in str(files[0]):
            raise TypeError("no such thing was thought of")
        return read_submission(files, ours)

    monkeypatch.setattr(running, "read_submission", fails_for_one)
    results = grade_class(tiny, "cooking", many, tmp_path / "graded")
    rows = {row.student: row for row in results.rows}
    assert rows["s03"].status == "failed"
    assert "TypeError: no such thing" in rows["s03"].note
    assert {name: row.score for name, row in rows.items() if name != "s03"} == {
        name: score for name, score in EXPECTED.items() if name != "s03"
    }


def test_lateness_and_its_penalty_are_nbgraders(tiny: Course, blank: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "class", tmp_path / "graded"
    for student, when in (("early", "2026-11-30 20:00:00 UTC"), ("late", "2026-12-02 08:00:00 UTC")):
        write(blank, folder / student / "cooking" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
        (folder / student / "cooking" / "timestamp.txt").write_text(when, encoding="utf-8")
    root.mkdir()
    shutil.copy(Path(__file__).parent.parent / "nbgrader_config.py", root)
    with (root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write('\nget_config().LateSubmissionPlugin.penalty_method = "zero"\n')
    results = grade_class(tiny, "cooking", folder, root, Options(due="2026-12-01 23:59 UTC"))
    assert scores(results) == {"early": 5, "late": 0}
    policy = f"what being late costs is read from {root / 'nbgrader_config.py'}: the course has none"
    assert policy in results.notes
    late = next(row for row in results.rows if row.student == "late")
    assert [i.kind for i in late.incidents] == ["late"]
    assert sum(e.points for e in late.exercises) == 5


def test_a_persons_score_stays(tiny: Course, many: Path, tmp_path: Path) -> None:
    from nbgrader.api import Gradebook

    root = tmp_path / "graded"
    grade_class(tiny, "cooking", many, root)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        grade = gradebook.find_grade("test_double", "recipes", "cooking", "s00")
        grade.manual_score = 1.5
        comment = gradebook.find_comment("double", "recipes", "cooking", "s00")
        comment.manual_comment = "half an idea"
        gradebook.db.commit()
    results = grade_class(tiny, "cooking", many, root)
    assert scores(results)["s00"] == 3.5
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        assert gradebook.find_grade("test_double", "recipes", "cooking", "s00").manual_score == 1.5
        assert gradebook.find_comment("double", "recipes", "cooking", "s00").comment == "half an idea"
    for page in ("cooking.html", "cooking/recipes.html"):
        text = (root / "feedback" / "s00" / page).read_text(encoding="utf-8")
        assert text.count("half an idea") == 1
        assert "1.5 points, given by hand" in text
        assert 'href="#n0-e1"' in text.partition("What your teacher says")[2].partition("</section>")[0]
    assert "What your teacher says" not in (root / "feedback" / "s01" / "cooking.html").read_text(encoding="utf-8")
