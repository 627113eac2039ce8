"""What a message advises exists: each option that it names, each command; those that matter are followed to the end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from submissions import write
from typer.main import get_command
from typer.testing import CliRunner

from autograder.commands import app
from autograder.course.course import Course
from autograder.results import Results, Row, Status, write_results

PACKAGE = Path(__file__).parent.parent / "autograder"
OPTION = re.compile(r"(?<![\w(-])--[a-z][a-z-]+(?![\w=-]*/)")
COMMAND = re.compile(r"`autograder ([a-z]+)")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
OURS = {option for command in COMMANDS.values() for param in command.params for option in param.opts}


def messages() -> Iterator[tuple[str, str]]:
    """Every text in the package that is no docstring, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield path.relative_to(PACKAGE).as_posix(), node.value


def test_each_option_that_a_message_names_exists() -> None:
    others = {"--assignment", "--version"}  # of `nbgrader export`; of the program itself
    named = {(where, option) for where, text in messages() for option in OPTION.findall(text)}
    assert {option for _, option in named} >= {"--roster", "--names", "--zone", "--extension", "--column", "--scale"}
    assert {(where, option) for where, option in named if option not in OURS | others} == set()


def test_each_command_that_a_message_names_exists() -> None:
    named = {(where, command) for where, text in messages() for command in COMMAND.findall(text)}
    assert {(where, command) for where, command in named if command not in COMMANDS} == set()


def said(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """The results of two assignments in one folder, as `grade` leaves them."""
    (tmp_path / "graded" / "results").mkdir(parents=True)
    for name, score in (("cooking", 4.0), ("washing", 3.0)):
        row = Row("ann", Status.GRADED, score=score, display_name="Ann Lee")
        for place in (tmp_path / "graded" / "results" / f"{name}.json", tmp_path / "graded" / "results.json"):
            write_results(Results(name, 5.0, (row,)), place)
    return tmp_path / "graded"


def test_an_export_without_a_roster_asks_for_one_and_takes_it(graded: Path, tmp_path: Path) -> None:
    answer = said("export", "canvas", "--results", graded, code=2)
    assert "there is no grade to write: ann: not in the zip from Canvas: give the gradebook" in answer
    assert "--roster" in answer
    assert not (graded / "canvas.csv").exists()
    gradebook = tmp_path / "gradebook.csv"
    gradebook.write_text("Student,ID,cooking (1),washing (2)\nPoints Possible,,5,10\nAnn Lee,7,,\n", encoding="utf-8")
    answer = said("export", "canvas", "--results", graded, "--roster", gradebook, code=2)
    assert "add --scale" in answer
    said("export", "Canvas", "--results", graded, "--roster", gradebook, "--all", "--scale")
    assert (graded / "canvas.csv").read_text(encoding="utf-8").splitlines()[-1] == "Ann Lee,7,4,6"


def test_moodle_has_a_worksheet_for_each_assignment(graded: Path, tmp_path: Path) -> None:
    sheets = []
    for number, name in enumerate(("cooking", "washing")):
        sheets.append(tmp_path / f"{name}.csv")
        line = f"Participant {number + 10},Ann Lee,,5.00"
        sheets[-1].write_text(f"Identifier,Full name,Grade,Maximum Grade\n{line}\n", encoding="utf-8")
    words = ["export", "moodle", "--results", graded, "--all", "--roster", sheets[0]]
    assert "given 1 times for 2 assignments" in said(*words, code=2)
    words += ["--roster", sheets[1]]
    assert "give a folder that is there" in said(*words, "--to", tmp_path / "one.csv", code=2)
    said(*words)
    assert (graded / "moodle-cooking.csv").read_text(encoding="utf-8").splitlines()[-1].endswith("Ann Lee,4,5.00")
    assert (graded / "moodle-washing.csv").read_text(encoding="utf-8").splitlines()[-1].endswith("Ann Lee,3,5.00")


def test_a_class_whose_names_say_nothing_is_told_what_to_do(blank: Path, tmp_path: Path) -> None:
    """`grade` stops before it runs anything; what it proposes is an option of its own."""
    write(blank, tmp_path / "class" / "ann_recipes.ipynb")
    course = blank.parent.parent / "tiny"
    (course / "solutions" / "cooking").mkdir(parents=True, exist_ok=True)
    answer = said("grade", tmp_path / "class", "--course", course, "--into", tmp_path / "graded", code=2)
    assert "say with --names how the files are named, as in --names '{student}_{file}'" in answer.replace("\n", " ")


def test_what_is_asked_of_the_wrong_thing_is_answered_with_the_right_one(tiny: Course, graded: Path) -> None:
    (graded / "results.csv").write_text("\ufeffstudent,score\nann,4\n", encoding="utf-8")
    answer = said("report", graded / "results.csv", code=2)
    assert "is the table for spreadsheets: give the results.json beside it, or its folder" in answer
    answer = said("export", "blackboard", "--results", graded, code=2)
    assert "take the marks from results.csv" in answer
    for name in ("recipes", "cooking/recipes", "recipes.ipynb"):
        answer = said("release", name, "--course", tiny.root, code=2)
        assert f"{name}: is a notebook, not a chapter: name its chapter, cooking" in answer
    (graded / "empty").mkdir()
    answer = said("grade", graded / "empty", "--course", tiny.root, "--into", graded / "to", code=2)
    assert "starting" not in answer, "nothing was begun"
