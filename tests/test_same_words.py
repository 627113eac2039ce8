"""A verdict has the same words in a notebook, in pytest, in `autograder check`, in `grade` and in feedback."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from asking_course import NO_RETURN, RAISES, RIGHT, STUB, THRICE, WRONG, write_asking
from nbclient import NotebookClient
from submissions import write

from autograder.asking import NO_SUCH
from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.grading.check import check_notebook
from autograder.grading.grade import grade_class
from autograder.results import Mistake

ANSWERS = {"right": RIGHT, "wrong": WRONG, "no_return": NO_RETURN, "raises": RAISES}
SAID = {
    "right": "",
    "wrong": "These are shares of the largest amount: divide by the sum of all.\n"
    "  asked:    shares([1.0, 3.0])\n  expected: [0.25, 0.75]\n  got:      [0.3333, 1.0]",
    "no_return": "None came back: is the `return` missing?\n"
    "  asked:    shares([1.0, 3.0])\n  expected: [0.25, 0.75]\n  got:      None",
    "raises": "The call ended in ValueError: no amounts\n"
    "  asked:    shares([1.0, 3.0])\n  expected: [0.25, 0.75]\n  got:      ValueError: no amounts\n"
    '  the line: raise ValueError("no amounts")    # in shares',
}
CAUSES = {  # what led to a wrong answer stands in another cell, or further down
    "above_the_stub": (RIGHT + STUB, "`shares` is written, but the stub below it takes its place: "
                       "delete the `def shares` that raises NotImplementedError"),
    "full_width": (RIGHT.replace("(amounts)\n", "（amounts)\n"), "line 2 of the cell `shares` is not Python: "
                   "`return amounts / np.sum（amounts)`: invalid character '（' (U+FF08)"),
    "untouched": (STUB, "not written yet"),
}  # fmt: skip
TITLE = {"right": "✓ shares: 2 of 2", "wrong": "✗ shares: 0 of 2 right", "no_return": "✗ shares: 0 of 2 right",
         "raises": "✗ shares: 0 of 2 right"}  # fmt: skip


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return write_asking(tmp_path_factory.mktemp("asking"))


@pytest.fixture(scope="module")
def blank_asking(asking: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_student_notebooks(asking, "cooking", tmp_path_factory.mktemp("blank"))[0]


@pytest.fixture(scope="module")
def graded(asking: Course, blank_asking: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A class of these, graded: where, and the messages."""
    root = tmp_path_factory.mktemp("class")
    for name, answer in (ANSWERS | {name: answer for name, (answer, _) in CAUSES.items()}).items():
        write(blank_asking, root / "class" / name / "shares.ipynb", shares=answer, thrice=THRICE)
    results = grade_class(asking, "cooking", root / "class", root / "graded")
    return root / "graded", {row.student: row.exercises[0] for row in results.rows}


def output_of(path: Path, test: str) -> Any:
    """What a real kernel puts below a test cell."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["tags"] = ["raises-exception"]
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    (cell,) = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == test]
    (output,) = cell.outputs
    return output


@pytest.mark.parametrize("name", ANSWERS)
def test_in_a_notebook(blank_asking: Path, tmp_path: Path, name: str) -> None:
    path = write(blank_asking, tmp_path / "shares.ipynb", shares=ANSWERS[name], thrice=THRICE)
    output = output_of(path, "test_shares")
    if name == "right":
        assert output.text == TITLE[name] + "\n"
        return
    assert output.evalue == SAID[name]
    assert output.traceback == [TITLE[name], *SAID[name].splitlines()]  # the title, and no line of ours


def test_a_notebook_says_which_cell_was_not_run(blank_asking: Path, tmp_path: Path) -> None:
    path = write(blank_asking, tmp_path / "shares.ipynb", shares="# not yet\n", thrice=THRICE)
    output = output_of(path, "test_shares")
    assert output.traceback == ["✗ shares", NO_SUCH.format("shares")]
    assert check_notebook(path)[0].message == NO_SUCH.format("shares")


@pytest.mark.parametrize("name", ANSWERS)
def test_in_check(blank_asking: Path, tmp_path: Path, name: str) -> None:
    path = write(blank_asking, tmp_path / "shares.ipynb", shares=ANSWERS[name], thrice=THRICE)
    shares, thrice = check_notebook(path)
    assert (shares.points, shares.message) == (0.0 if SAID[name] else 2.0, SAID[name])
    assert shares.title == (TITLE[name] if SAID[name] else "")
    assert thrice.points == 1.0


def words_of(page: str) -> str:
    """The message beside the student's answer, without the marks of code and the page's own line about the book."""
    card = re.search(r'<div class="said">(.*?)</div>', page, re.S)
    said = re.sub(r'<p class="where">.*?</p>|</?(code|p|dl|dd)>', "", card[1] if card else "", flags=re.S)
    return " ".join(html.unescape(re.sub(r"<dt>(.*?)</dt>", r"\1: ", said)).split())


@pytest.mark.parametrize("name", ANSWERS)
def test_in_grade_and_feedback(graded: tuple[Path, dict[str, Any]], name: str) -> None:
    root, exercises = graded
    assert exercises[name].message == SAID[name]
    page = (root / "feedback" / name / "cooking" / "shares.html").read_text(encoding="utf-8")
    assert words_of(page) == " ".join(SAID[name].replace("`", "").split())
    known = Mistake("of_the_largest", SAID["wrong"].splitlines()[0])
    assert exercises[name].mistake == (known if name == "wrong" else None)  # the entry that the verdict carries


@pytest.mark.parametrize("name", CAUSES)
def test_the_first_cause(graded: tuple[Path, dict[str, Any]], blank_asking: Path, tmp_path: Path, name: str) -> None:
    answer, says = CAUSES[name]
    path = write(blank_asking, tmp_path / "shares.ipynb", shares=answer, thrice=THRICE)
    shares, thrice = check_notebook(path)
    assert (shares.message, thrice.points) == (says, 1.0)
    assert graded[1][name].message == says


@pytest.mark.parametrize("name", ANSWERS)
def test_in_pytest(asking: Course, tmp_path: Path, name: str) -> None:
    root = shutil.copytree(asking.root, tmp_path / "course")
    shutil.copy(Path(__file__).parent.parent / "solutions" / "conftest.py", root / "solutions")
    source = root / "solutions" / "cooking" / "shares.py"
    text = source.read_text(encoding="utf-8")
    before, after = text.split("def shares(", 1)
    after = after.split("# %%", 1)[1]
    source.write_text(f"{before}{ANSWERS[name]}\n# %%{after}", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "test_shares", str(source)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if SAID[name] else 0), done.stdout
    for line in SAID[name].splitlines():
        assert line in done.stdout


def test_in_nbgraders_own_feedback(graded: tuple[Path, dict[str, Any]]) -> None:
    root, _ = graded
    notebook = nbformat.read(root / "autograded" / "wrong" / "cooking" / "shares.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "test_shares"]
    (output,) = cell.outputs
    assert output.evalue == SAID["wrong"]
