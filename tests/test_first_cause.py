"""A test that fails says what went wrong first, not only what came of it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, write

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.grading import causes
from autograder.grading.causes import first_cause
from autograder.grading.check import check_notebook
from autograder.grading.grade import grade_class
from autograder.notebook.file import Cell
from autograder.notebook.rebuild import Placed
from autograder.results import CellResult, Run

STUB = "def double(grams):\n    raise NotImplementedError  # your code here\n"
# what stands in the cell of `double` → what the test says of it
CAUSES = {
    "full width": ("\ndef double(grams):\n    return 2 * （grams)\n", "line 3 of the cell `double` is not Python: "
                   "`return 2 * （grams)`: invalid character '（' (U+FF08)", ""),
    "indented": ("def double(grams):\nreturn 2 * grams\n", "line 2 of the cell `double` is not Python: "
                 "`return 2 * grams`: expected an indented block", ""),
    "returns outside": ("def double(grams):\n    pass\nreturn 2 * grams\n",
                        "line 3 of the cell `double` is not Python: `return 2 * grams`: 'return' outside function", ""),
    "an import": ("import nosuch\ndef double(grams):\n    return 2 * grams\n",
                  "the cell `double` did not run to its end", "nosuch"),
    "above the stub": (GOOD_DOUBLE + STUB, "the stub below it takes its place", "delete"),
    "in the stub": ("def double(grams):\n    twice = 2 * grams\n    raise NotImplementedError\n",
                    "the line `raise NotImplementedError` still stands", "delete"),
    "untouched": (STUB, "not written yet", ""),
    "another error": ("def double(grams):\n    return cups\n", "NameError: name 'cups' is not defined", ""),
}  # fmt: skip


@pytest.fixture
def blank(tiny: Course, tmp_path: Path) -> Path:
    return build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]


def test_grade_names_the_first_cause(tiny: Course, blank: Path, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    for name, (source, _, _) in CAUSES.items():
        write(blank, folder / name / "recipes.ipynb", portions=GOOD_PORTIONS, double=source)
    path = write(blank, folder / "a cell above" / "recipes.ipynb", portions=GOOD_PORTIONS)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    mine = {"cell_type": "code", "id": "mine", "metadata": {}, "source": GOOD_DOUBLE, "outputs": [],
            "execution_count": None}  # fmt: skip
    notebook["cells"].insert(1, mine)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    results = grade_class(tiny, "cooking", folder, tmp_path / "graded")
    said = {row.student: row.exercises[1].message for row in results.rows}
    assert {row.score for row in results.rows} == {2.0}
    for name, (_, cause, detail) in CAUSES.items():
        message = said[name.replace(" ", "_")]
        assert cause in message, message
        assert detail in message, message
        assert "\n" not in message
    assert "the stub below it takes its place" in said["a_cell_above"]
    page = (tmp_path / "graded" / "feedback" / "full_width" / "cooking" / "recipes.html").read_text(encoding="utf-8")
    assert "line 3 of the cell <code>double</code> is not Python" in page


def test_check_names_it_in_the_same_words(blank: Path, tmp_path: Path) -> None:
    path = write(blank, tmp_path / "mine.ipynb", portions=GOOD_PORTIONS, double=CAUSES["full width"][0])
    assert check_notebook(path)[1].message == CAUSES["full width"][1]


def cause_in(*sources: str) -> str:
    """What is said of `double`, not written yet, where the student's cells are these."""
    placed = [Placed(f"free-{number}", Cell("code", source), ours=False) for number, source in enumerate(sources)]
    test = CellResult("test_double", "NotImplementedError", "not written yet", "", 0.1)
    return first_cause(test, Run({}, ""), placed)


def test_a_cell_that_is_long_or_about_something_else_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed for every exercise, one cell of seven million characters held a whole class up for minutes."""
    parsed: list[int] = []

    def counted(source: str) -> ast.Module:
        parsed.append(len(source))
        return ast_parse(source)

    ast_parse = ast.parse
    monkeypatch.setattr(causes.ast, "parse", counted)
    assert "the stub below it takes its place" in cause_in(GOOD_DOUBLE, STUB)
    assert parsed == [len(GOOD_DOUBLE), len(STUB)]
    parsed.clear()
    assert cause_in("x = [(1, 2)]\n" * 500_000, GOOD_DOUBLE + "x = 1\n" * 50_000, STUB) == ""
    assert max(parsed) == len(STUB)
