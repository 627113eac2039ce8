"""nbgrader's contracts for a test cell, each held against what stock nbgrader makes of the same cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.utils import determine_grade
from tiny_course import HEADER

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.course.verify import run_tests
from autograder.engine.engine import Engine
from autograder.engine.execution import cells_of, run_cells
from autograder.engine.jobs import Job
from autograder.errors import CourseError
from autograder.grading.check import check_notebook
from autograder.grading.grade import grade_class
from autograder.notebook.file import cells_in
from autograder.notebook.graded import outputs_of
from autograder.notebook.points import TooManyPointsError, earned
from autograder.results import Run

WORTH = 4
ANSWERS = '''n = 5
def f(x, *, k=2):
    """Sq."""
    return x * x
def g(x):
    return f(x) + 1
def area():
    return n * n
'''
GIVEN = "nine = f(3)\n\ndef helper():\n    return nine + 1\n\nf(10)\n"
# what a test cell says → the points of 4 that stock nbgrader gives for it
CONTRACTS: dict[str, tuple[str, float]] = {
    "passes": ("assert f(2) == 4", 4),
    "fails": ("assert f(2) == 5", 0),
    "another error": ("f(1, 2, 3)", 0),
    "a whole number": ("1", 1),
    "a fraction": ("2.5", 2.5),
    "nothing": ("0", 0),
    "nothing as a float": ("0.0", 0),
    "all of it": ("4", 4),
    "a negative number": ("-1", 4),
    "NaN": ("float('nan')", 4),
    "True": ("True", 4),
    "False": ("False", 4),
    "None": ("None", 4),
    "text": ("'1'", 4),
    "a list": ("[1]", 4),
    "a NumPy scalar": ("import numpy as np\nnp.float64(2.5)", 4),
    "a NumPy whole number": ("import numpy as np\nnp.int64(1)", 4),
    "an array": ("import numpy as np\nnp.array(1)", 4),
    "an object that shows as a number": ("class A:\n    def __repr__(self):\n        return '1.5'\nA()", 1.5),
    "a complex number": ("1j", 4),
    "an answer's value": ("f(1)", 1),
    "the last of several": ("1\n2", 2),
    "a semicolon": ("1;", 4),
    "a semicolon and a comment": ("1;  # quiet", 4),
    "a comment after it": ("1  # loud", 1),
    "an assignment": ("x = 1", 4),
    "in a block": ("if True:\n    1", 4),
    "printed": ("print(1)", 4),
    "displayed": ("display(1)", 4),
    "displayed and shown": ("display('half')\n2", 2),
    "printed and shown": ("print('the second half is missing')\n2", 2),
    "an error after a number": ("1\nassert False", 0),
    "a line magic": ("%matplotlib inline\nassert f(2) == 4", 4),
    "a cell magic": ("%%time\nassert f(2) == 4", 4),
    "a cell magic around a failure": ("%%capture\nassert f(2) == 5", 0),
    "the shell": ("assert get_ipython() is not None", 4),
    "__name__": ("assert __name__ == '__main__'", 4),
    "a signature": ("import inspect\nassert str(inspect.signature(f)) == '(x, *, k=2)'", 4),
    "a parameter's default": ("import inspect\nassert inspect.signature(f).parameters['k'].default == 2", 4),
    "its name and docstring": ("assert f.__name__ == 'f' and f.__doc__ == 'Sq.'", 4),
    "callable": ("assert callable(f) and not callable(n)", 4),
    "a name taken away": ("o = f\ndel f\ntry:\n    g(1)\nexcept NameError:\n    3\nelse:\n    raise AssertionError\n"
                          "finally:\n    f = o\nassert g(2) == 5", 4),
    "a name bound anew": ("calls = []\no = f\ndef f(x):\n    calls.append(x)\n    return o(x)\n"
                          "assert g(3) == 10 and calls == [3]", 4),
    "a value bound anew": ("n = 7\nassert area() == 49", 4),
    "what a given cell made of an answer": ("assert nine == 9", 4),
    "a given helper that uses it": ("assert helper() == 10", 4),
    "an answer's print is no result": ("print(f(1))", 4),
}  # fmt: skip


def as_cells(which: dict[str, str]) -> list[dict[str, str]]:
    return [{"id": "answers", "source": ANSWERS}, {"id": "given", "source": GIVEN},
            *({"id": name, "source": source} for name, source in which.items())]  # fmt: skip


def source_of(name: str) -> dict[str, Any]:
    metadata = {"grade": True, "grade_id": name, "points": WORTH, "solution": False, "locked": True,
                "schema_version": 3, "task": False}  # fmt: skip
    return {"nbgrader": metadata}


SOURCES = {name: source for name, (source, _) in CONTRACTS.items()}


@pytest.fixture(scope="module")
def stock() -> dict[str, float]:
    """Every cell in one kernel, in a copy of the names each, graded by nbgrader."""
    from nbgrader.preprocessors import Execute

    notebook = nbformat.v4.new_notebook()
    for cell in as_cells({}):
        notebook.cells.append(nbformat.v4.new_code_cell(cell["source"]))
    for name, source in SOURCES.items():
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata=source_of(name)))
        notebook.cells.append(nbformat.v4.new_code_cell(ANSWERS))
    done, _ = Execute().preprocess(notebook, {})
    graded = [cell for cell in done.cells if cell.metadata.get("nbgrader")]
    return {cell.metadata.nbgrader.grade_id: float(determine_grade(cell)[0]) for cell in graded}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(["numpy"]) as found:
        yield found


def judged(engine: Engine, tests: dict[str, str], answers: str = ANSWERS) -> Run:
    items = [{"kind": "cell", "id": "answers", "source": answers}, {"kind": "cell", "id": "given", "source": GIVEN}]
    items += [{"kind": "test", "id": name} for name in tests]
    sources = [{"id": name, "source": source} for name, source in tests.items()]
    return engine.run(Job(items, [{"id": "given", "source": GIVEN}], sources, ["f", "g", "area"], ["n"]))


def points_of(run: Run, tests: dict[str, str]) -> dict[str, float]:
    return {name: earned(WORTH, run.cells.get(name)) for name in tests}


def test_the_table_says_what_stock_does(stock: dict[str, float]) -> None:
    assert stock == {name: points for name, (_, points) in CONTRACTS.items()}


def test_the_judge_gives_what_stock_gives(engine: Engine) -> None:
    run = judged(engine, SOURCES)
    assert run.fault == ""
    assert points_of(run, SOURCES) == {name: points for name, (_, points) in CONTRACTS.items()}


def test_nbgrader_reads_the_same_from_our_outputs(engine: Engine) -> None:
    run = judged(engine, SOURCES)
    found = {}
    for name in SOURCES:
        cell = nbformat.v4.new_code_cell(SOURCES[name], metadata=source_of(name))
        cell.outputs = [nbformat.from_dict(output) for output in outputs_of(run.cells.get(name), run)]
        found[name] = float(determine_grade(cell)[0])
    assert found == {name: points for name, (_, points) in CONTRACTS.items()}


def test_check_gives_the_same() -> None:
    cells = []
    for cell in as_cells(SOURCES):
        cells += [cell, {"id": f"after {cell['id']}", "source": ANSWERS}]
    run = run_cells(cells)
    assert points_of(run, SOURCES) == {name: points for name, (_, points) in CONTRACTS.items()}


def test_more_than_its_points_is_refused_as_nbgrader_refuses_it(engine: Engine) -> None:
    tests = {"five": "5", "infinite": "float('inf')"}
    run = judged(engine, tests)
    for name in tests:
        cell = nbformat.v4.new_code_cell(tests[name], metadata=source_of(name))
        cell.outputs = [nbformat.from_dict(output) for output in outputs_of(run.cells.get(name), run)]
        with pytest.raises(ValueError, match="greater than maximum"):
            determine_grade(cell)
        with pytest.raises(TooManyPointsError, match="more than its 4 points"):
            earned(WORTH, run.cells[name])


def test_a_signature_is_the_students_own(engine: Engine) -> None:
    tests = {"signature": SOURCES["a signature"]}
    run = judged(engine, tests, ANSWERS.replace("x, *, k=2", "x, y=1"))
    assert run.cells["signature"].error == "AssertionError"


# ---- a course with it

HALVES = (
    HEADER
    + """
# %% nbgrader={"grade_id": "halve", "solution": true}
def halve(x):
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_halve", "grade": true, "points": 4}
points = 0
for x, part, why in ((2, 1, "even numbers"), (3, 3, "odd numbers: nothing is rounded")):
    if halve(x) == x / 2:
        points += part
    else:
        print(f"{part} of 4 points missing: {why}")
points
"""
)


@pytest.fixture
def halves(tmp_path: Path) -> Course:
    folder = tmp_path / "course" / "solutions" / "maths"
    folder.mkdir(parents=True)
    (folder / "halves.py").write_text(HALVES, encoding="utf-8")
    return Course(tmp_path / "course")


def test_a_class_earns_parts_with_the_reason(halves: Course, tmp_path: Path) -> None:
    from submissions import scores, write

    blank = build_student_notebooks(halves, "maths", tmp_path / "blank")[0]
    folder = tmp_path / "class"
    write(blank, folder / "all" / "halves.ipynb", halve="def halve(x):\n    return x * 0.5")
    partly = write(blank, folder / "part" / "halves.ipynb", halve="def halve(x):\n    return x // 2")
    write(blank, folder / "none" / "halves.ipynb")
    results = grade_class(halves, "maths", folder, tmp_path / "graded")
    assert scores(results) == {"all": 4, "part": 1, "none": 0}
    why = "3 of 4 points missing: odd numbers: nothing is rounded"
    assert [row.exercises[0].message for row in results.rows] == ["", "not written yet", why]
    page = (tmp_path / "graded" / "feedback" / "part" / "maths" / "halves.html").read_text(encoding="utf-8")
    assert "1 of 4 points" in page
    assert why in page
    checked = check_notebook(partly)[0]
    assert (checked.points, checked.message) == (1, why)


def test_verify_sees_a_part_as_a_rejection(halves: Course) -> None:
    from autograder.notebook.source import read_source

    notebook = read_source(halves.sources("maths")[0])
    cells = [c | {"points": 4.0} for c in cells_of(cells_in(notebook, "halves"))]
    tests = {"test_halve": "halve"}
    assert run_tests(cells, tests, hidden=True) == {"halve": ""}
    cells[0]["source"] = "def halve(x):\n    return x // 2"
    assert "odd numbers" in run_tests(cells, tests, hidden=True)["halve"]


def test_a_course_whose_test_gives_too_much_grades_nobody(halves: Course, tmp_path: Path) -> None:
    from submissions import write

    source = halves.sources("maths")[0]
    source.write_text(HALVES.replace("(2, 1,", "(2, 2,"), encoding="utf-8")
    blank = build_student_notebooks(halves, "maths", tmp_path / "blank")[0]
    write(blank, tmp_path / "class" / "one" / "halves.ipynb")
    with pytest.raises(CourseError, match=r"halves.ipynb: test_halve: the test ends in 5, more than its 4 points"):
        grade_class(halves, "maths", tmp_path / "class", tmp_path / "graded")
    assert not (tmp_path / "graded" / "results.json").exists()


@pytest.mark.parametrize("name", ["getsource", "__code__"])
def test_what_cannot_be_asked_of_an_answer_is_refused_at_release(halves: Course, tmp_path: Path, name: str) -> None:
    source = halves.sources("maths")[0]
    source.write_text(HALVES + f"inspect.{name}\n", encoding="utf-8")
    with pytest.raises(CourseError, match=f"test_halve: reads `{name}`"):
        build_student_notebooks(halves, "maths", tmp_path / "blank")
