"""The `autograder` command itself: where it looks, what it takes for an answer, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, ROUNDED_PORTIONS, write
from typer.main import get_command
from typer.testing import CliRunner

from autograder import __version__
from autograder.commands import app
from autograder.course.course import Course
from autograder.grading import rehearsal
from autograder.results import Results, Row, Status, write_results

ROOT = Path(__file__).parent.parent


def said(*words: object, code: int = 0) -> str:
    """What a command says; it must end with this exit code."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


def results(folder: Path, score: float = 4.0) -> Path:
    """A small results.json, as `grade` writes it."""
    row = Row("ann", Status.GRADED, score=score, seconds=0.1, display_name="Ann", lms={"canvas_user": "7"})
    folder.mkdir(parents=True, exist_ok=True)
    write_results(Results("cooking", 5.0, (row,)), folder / "results.json")
    return folder / "results.json"


def test_version() -> None:
    assert said("--version") == f"autograder {__version__}\n"
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in pyproject


def test_the_shell_is_told_the_commands_and_the_chapters(tiny: Course) -> None:
    def offered(line: str) -> list[str]:
        words = {"_AUTOGRADER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()))}
        code = "from autograder.commands import app; app(prog_name='autograder')"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tiny.root, env=os.environ | words, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done.stdout.split()

    assert {"grade", "report", "doctor"} <= set(offered("autograder "))
    assert offered("autograder release ") == ["cooking"]
    assert "--install-completion" in said("--help")


def test_every_command_that_needs_a_course_takes_its_folder(tiny: Course, tmp_path: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    without = {name for name, command in commands.items() if not any("--course" in p.opts for p in command.params)}
    assert without == {"check", "update", "doctor"}, "these need a notebook, or nothing"
    inside = tiny.root / "solutions" / "cooking"
    assert "recipes.ipynb" in said("release", "cooking", "--course", inside)
    said("sample", "cooking", tmp_path / "sample", "--students", 2, "--course", tiny.root)
    assert len(list((tmp_path / "sample" / "class").iterdir())) == 2
    missing = tiny.root / "nowhere"  # below a course, but a slip all the same
    assert (
        said("release", "cooking", "--course", missing, code=2) == f"autograder: --course {missing}: no such folder\n"
    )


@pytest.mark.parametrize("command", [["report"], ["export", "canvas", "--results"]])
def test_a_folder_stands_for_the_results_in_it(command: list[str], tmp_path: Path) -> None:
    results(tmp_path / "graded")
    written = {"report": "report.html", "export": "canvas.csv"}[command[0]]
    assert said(*command, tmp_path / "graded").endswith(f"{tmp_path / 'graded' / written}\n")
    (tmp_path / "elsewhere").mkdir()
    said(*command, tmp_path / "graded", "--to", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / written).stat().st_size > 50
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty' / 'results.json'}: no such file" in said(*command, tmp_path / "empty", code=2)


def test_without_a_folder_the_results_are_those_of_the_course(
    tiny: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(tiny.root, score=4.0)
    monkeypatch.chdir(tiny.root / "solutions")
    said("export", "canvas")
    assert (tiny.root / "canvas.csv").read_text(encoding="utf-8-sig").splitlines()[-1].endswith(",4")
    results(tmp_path / "graded", score=3.0)
    monkeypatch.chdir(tmp_path / "graded")
    said("export", "canvas")
    assert (tmp_path / "graded" / "canvas.csv").read_text(encoding="utf-8-sig").splitlines()[-1].endswith(",3")
    said("export", "canvas", "--course", tiny.root, "--to", tmp_path / "four.csv")
    assert (tmp_path / "four.csv").read_text(encoding="utf-8-sig").splitlines()[-1].endswith(",4")


def test_what_export_asks_for_can_be_given(tmp_path: Path) -> None:
    source, folder = results(tmp_path / "graded"), tmp_path / "downloads"
    folder.mkdir()
    roster = "Student,ID,Homework 3 (11)\n    Points Possible,,10\nAnn,7,\n"
    (folder / "gradebook.csv").write_text(roster, encoding="utf-8")
    words = ["export", "canvas", "--results", source, "--roster", folder]
    assert "Give its heading with --column; there are: Homework 3 (11)" in said(*words, code=2)
    words += ["--column", "Homework 3"]
    assert "or add --scale" in said(*words, code=2)
    said(*words, "--scale")
    assert (tmp_path / "graded" / "canvas.csv").read_text(encoding="utf-8").splitlines()[-1] == "Ann,7,8"
    (folder / "second.csv").write_text(roster, encoding="utf-8")
    assert "gradebook.csv, second.csv" in said(*words, "--scale", code=2)
    assert "--column" in said("export", "moodle", "--results", source, "--column", "x", code=2)


def test_a_folder_of_notebooks_is_updated(blank: Path, tmp_path: Path) -> None:
    mine, new = tmp_path / "mine", tmp_path / "new"
    for name in ("a.ipynb", "b.ipynb"):
        write(blank, mine / name, portions=GOOD_PORTIONS)
        write(blank, new / name)
    shutil.copy(blank, new / "c.ipynb")
    said("update", mine, new)
    assert sorted(path.name for path in mine.iterdir()) == ["a.before.ipynb", "a.ipynb", "b.before.ipynb", "b.ipynb"]
    assert "grams / people" in (mine / "a.ipynb").read_text(encoding="utf-8")
    (mine / "a.before.ipynb").unlink()
    said("update", mine / "a.ipynb", new)
    assert (mine / "a.before.ipynb").is_file()
    shutil.rmtree(mine)
    mine.mkdir()
    assert "no notebook there has the name of one in" in said("update", mine, new, code=2)


def test_doctor_takes_a_submission_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rehearsal.what_fails() == ""
    monkeypatch.setattr(rehearsal, "ANSWER", "def double(x):\n    return 2 * x\n")
    assert rehearsal.what_fails() == "3 points in the gradebook, where 1 was deserved"
    monkeypatch.setattr(rehearsal, "SOURCE", rehearsal.SOURCE.replace("return 2 * x", "return 3 * x"))
    assert "Nothing was graded: mend the course" in rehearsal.what_fails()


@pytest.mark.slow
def test_git_sees_nothing_of_what_a_run_writes(tiny: Course, blank: Path, tmp_path: Path) -> None:
    """After release, grade, report and export in the course's own folder there is nothing to commit but the release."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *who, *words], cwd=tiny.root, capture_output=True, text=True, check=True).stdout

    shutil.copy(ROOT / ".gitignore", tiny.root)
    shutil.copy(ROOT / "nbgrader_config.py", tiny.root)
    said("release", "cooking", "--course", tiny.root)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "as it was")
    write(blank, tmp_path / "class" / "ann" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    write(blank, tmp_path / "class" / "bob" / "recipes.ipynb", portions=ROUNDED_PORTIONS)
    command = [sys.executable, "-m", "autograder.commands"]
    words = ["grade", str(tmp_path / "class"), "--chapter", "cooking"]
    said_by = subprocess.run([*command, *words], cwd=tiny.root, capture_output=True, text=True, check=False)
    assert said_by.returncode == 0, said_by.stderr
    said("report", "--course", tiny.root)
    gradebook, worksheet = tmp_path / "gradebook.csv", tmp_path / "worksheet.csv"
    gradebook.write_text("Student,ID,cooking (1)\nann,7,\n", encoding="utf-8")
    line = "Participant 7,ann,,5.00"
    worksheet.write_text(f"Identifier,Full name,Grade,Maximum Grade\n{line}\n", encoding="utf-8")
    said("export", "canvas", "--roster", gradebook, "--course", tiny.root)
    said("export", "moodle", "--roster", worksheet, "--course", tiny.root)
    for name in ("moodle-cooking.csv", "canvas-feedback.zip", "moodle-feedback-cooking.zip"):  # for several assignments
        (tiny.root / name).touch()
    written = {path.name for path in tiny.root.iterdir()}
    assert {"results.json", "results.csv", "results", "gradebook.db", ".autograder", "feedback"} <= written
    assert {"report.html", "canvas.csv", "moodle.csv"} <= written
    assert git("status", "--porcelain") == ""
