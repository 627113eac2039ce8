"""`autograder check`: each cell has a limit of its own, folders, lost metadata, and what it shows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, write

from autograder.course.course import Course
from autograder.engine.execution import run_cells
from autograder.engine.jobs import Job
from autograder.engine.limits import Limits
from autograder.engine.pools import run_without_walls
from autograder.errors import SubmissionError
from autograder.files import MAX_NOTEBOOK
from autograder.grading.check import check_notebook, notebooks_in
from autograder.notebook.helper import helper_cell
from autograder.report.terminal import show_exercises
from autograder.results import Exercise, State

COMPUTING = Limits(cell_cpu=1.0, cell=100.0, test=100.0, call_cpu=1.0, notebook=300.0)
STUBBORN = Limits(cell_cpu=1.0, cell=4.0, test=4.0, call_cpu=1.0, notebook=300.0)
ASKS = "def test_f():\n    check(f, 1, gives=2)\n\nrun(test_f)"
HELPER = {"id": "check", "source": helper_cell({})}


def cell(name: str, source: str) -> dict[str, Any]:
    return {"id": name, "source": source, "test": name.startswith("test_")}


def test_an_endless_loop_costs_its_own_cell() -> None:
    cells = [
        HELPER,
        cell("loop", "while True:\n    pass"),
        cell("f", "def f(x):\n    while True:\n        pass"),
        cell("test_f", ASKS),
        cell("g", "def g(x):\n    return x"),
        cell("test_g", "assert g(1) == 1"),
    ]
    run = run_cells(cells, COMPUTING)
    told = {name: (result.error, result.message) for name, result in run.cells.items() if result.error}
    assert told == {
        "loop": ("TimedOut", "this cell took too much computing: is there a loop that does not end?"),
        "test_f": ("TimedOut", "this call took too much computing: is there a loop that does not end?"),
    }
    assert run.cells["test_g"].passed
    assert run.ended == ""


def test_what_cannot_be_interrupted_or_ends_python_is_left_out() -> None:
    stubborn = "def f(x):\n    while True:\n        try:\n            while True:\n                pass\n"
    stubborn += "        except BaseException:\n            pass"
    cells = [
        cell("f", stubborn),
        cell("test_f", "f(1)"),
        cell("leaves", "import os\nos._exit(3)"),
        cell("test_g", "assert 1 + 1 == 2"),
    ]
    run = run_cells(cells, STUBBORN)
    assert run.cells["test_f"].error == "TimedOut"
    assert "more than 4 s and could not be interrupted; the others were run without it" in run.cells["test_f"].message
    assert run.cells["leaves"].error == "Crashed"
    assert "exit code 3" in run.cells["leaves"].message
    assert run.cells["test_g"].passed
    assert run.ended == ""


def test_names_of_the_student_s_own_break_no_test() -> None:
    mine = "def run(x):\n    return x + 1\n\ndef check(x):\n    assert x\n\nnp = 3\n"
    cells = [
        cell("given", "import numpy as np"),
        HELPER,
        cell("free-2", mine),
        cell("f", "def f(x):\n    check(x)\n    return run(x)"),
        cell("test_f", "X = np.array([1])\n\ndef test_f():\n    check(f, int(X[0]), gives=2)\n\nrun(test_f)"),
        cell("after", "assert (run(1), np) == (2, 3)"),
    ]
    run = run_cells(cells)
    assert {name: result.message for name, result in run.cells.items() if result.error} == {}
    assert run.cells["test_f"].printed == "✓ f: 1 of 1\n"


def test_tests_that_ask_run_without_walls_too() -> None:
    job = Job(
        [{"kind": "cell", "id": "f", "source": "def f(x):\n    return x"}, {"kind": "test", "id": "test_f"}],
        [],
        [{"id": "test_f", "source": ASKS, "record": {}}],
        ["f"],
    )
    result = run_without_walls(job, Limits()).cells["test_f"]
    assert result.error == "WrongAnswer"
    assert result.message.endswith("expected: 2\n  got:      1")


def without_metadata(path: Path) -> Path:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for one in notebook["cells"]:
        one["metadata"] = {}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_lost_metadata(tiny: Course, blank: Path, tmp_path: Path) -> None:
    outside = without_metadata(write(blank, tmp_path / "mine" / "recipes.ipynb", portions=GOOD_PORTIONS))
    notes: list[str] = []
    found = [(r.exercise, r.points, r.max_points) for r in check_notebook(outside, say=notes.append)]
    assert found == [("portions", 1.0, 1.0), ("double", 0.0, 1.0)]
    assert notes == ["recipes.ipynb: nbgrader's metadata are lost: the tests were told by their names, "
                     "each exercise counts 1 point"]  # fmt: skip
    inside = shutil.copy(outside, tiny.root / "mine.ipynb")
    found = [(r.exercise, r.points, r.max_points) for r in check_notebook(Path(inside), say=notes.append)]
    assert found == [("portions", 2.0, 2.0), ("double", 0.0, 3.0)]
    assert "points as the course has them" in notes[1]


def test_a_notebook_that_is_large_by_what_it_printed(blank: Path, tmp_path: Path) -> None:
    """As `grade` takes it; what somebody wrote may not be so large."""
    path = write(blank, tmp_path / "recipes.ipynb", portions=GOOD_PORTIONS)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    printed = {"output_type": "stream", "name": "stdout", "text": ["x" * (MAX_NOTEBOOK + 1)]}
    next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"] = [printed]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert [r.points for r in check_notebook(path)] == [2.0, 0.0]
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "x" * (MAX_NOTEBOOK + 1)})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"recipes\.ipynb: larger than 20 MiB: leave out data and outputs"):
        check_notebook(path)


def test_a_folder(blank: Path, tmp_path: Path) -> None:
    write(blank, tmp_path / "all" / "a.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    write(blank, tmp_path / "all" / "b.ipynb", portions=GOOD_PORTIONS)
    write(blank, tmp_path / "all" / ".ipynb_checkpoints" / "b-checkpoint.ipynb")
    (tmp_path / "all" / "c.ipynb").write_text('{"cells": []}', encoding="utf-8")
    assert [path.name for path in notebooks_in(tmp_path / "all")] == ["a.ipynb", "b.ipynb", "c.ipynb"]
    command = [sys.executable, "-m", "autograder.commands", "check"]
    done = subprocess.run([*command, tmp_path / "all"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("7 of 10 points on the tests in 2 notebooks\n")
    assert done.stderr.startswith("autograder: c.ipynb: no exercise tests in it")
    (tmp_path / "empty").mkdir()
    done = subprocess.run([*command, tmp_path / "empty"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"autograder: {tmp_path / 'empty'}: no notebook (.ipynb) in this folder\n"


@pytest.mark.parametrize("width", [80, 120])
def test_long_lines_go_on_below_what_they_say(width: int) -> None:
    from rich.console import Console

    message = f"None came back.\n  asked:    f({list(range(60))})\n  expected: 1\n  got:      None"
    console = Console(width=width, record=True, file=sys.stdout)
    show_exercises(console, [Exercise("a", "f", 0.0, 2.0, State.WRONG, message, title="✗ f: 0 of 2 right")])
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    below = lines[lines.index("✗ f: 0 of 2 right") :]
    assert below[1].rstrip() == "  None came back."
    asked = [line.rstrip() for line in below[2:] if line.strip()]
    assert asked[0].startswith("    asked:    f([0, 1, 2")
    assert all(line.startswith(" " * 14) for line in asked[1:-2])
    assert asked[-2:] == ["    expected: 1", "    got:      None"]
