"""From one py:percent source to the notebook that nbgrader knows, and to its visible half.

The source says only what an author must decide (`grade_id`, `solution`, `grade`, `points`);
the rest of nbgrader's metadata is filled in here, and cell ids are made from the content's place,
so that two builds are byte-identical.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from autograder import asking
from autograder.errors import CourseError
from autograder.notebook.answers import with_answers
from autograder.notebook.helper import helper_cell
from autograder.notebook.magics import as_python

HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.S | re.M)
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*\n?", re.S | re.M)
STUB = "raise NotImplementedError  # your code here"
MARKERS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
AUTOTEST = re.compile(r"^[ \t]*### (HASHED )?AUTOTEST", re.M)
OUT_OF_REACH = frozenset({"__code__", "__globals__", "__closure__", "getsource", "getsourcelines", "getsourcefile"})
NBGRADER_CELL = re.compile(r"^# %% (nbgrader=[^\n]*)\n(.*?)(?=^# %%|\Z)", re.S | re.M)
SOLUTION_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
# Below the first text of a notebook that asks: where examples can be tried, as a notebook alone has no known mistakes.
EXAMPLES = (
    "\n\n*Examples first.* Before you write an answer, you can write down what it should give and see which known "
    "mistakes that would catch: in the exercise's page of the book, or where the course is installed with "
    "`autograder examples NAME`."
)
HINT = re.compile(r"^Hint (\d+) \(([^)\n]+)\): ", re.M)
CellMetadata = dict[str, Any]  # of one cell, as its notebook will have it
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_source(path: Path, record: Mapping[str, Any] | None = None, known: Mapping[str, Any] | None = None) -> Any:
    """The notebook of a py:percent file, with complete nbgrader metadata and stable cell ids.

    `record` is what a student may know of the answers (exercise → questions and entries), for the cell `check`;
    `known` is all that is known of them, for the tests' hidden regions.
    """
    import jupytext  # a student who runs `check` has none, and this file is needed there
    import nbformat

    parsed = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    tests = {exercise_of(str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))) for cell in parsed.cells}
    mine = {name: known for name, known in (record or {}).items() if name in tests}
    seen: set[str] = set()
    for position, cell in enumerate(parsed.cells):
        given = dict(cell.metadata.get("nbgrader", {}))
        metadata: dict[str, Any] = {}
        if given:
            metadata["nbgrader"] = _complete(given, path, position)
            grade_id = metadata["nbgrader"]["grade_id"]
            if grade_id in seen:
                raise CourseError(f"{path}: grade_id {grade_id!r} is used twice: give one of the cells another")
            seen.add(grade_id)
            _check_cell(cell.cell_type, cell.source, metadata["nbgrader"], path)
            cell.source = _completed(cell, metadata, mine, known or {})
        if cell.cell_type == "markdown":
            cell.source = with_folded_hints(cell.source) + (EXAMPLES if mine and not notebook.cells else "")
        name = metadata.get("nbgrader", {}).get("grade_id") or f"{position}:{cell.cell_type}"
        new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        notebook.cells.append(new(cell.source, metadata=metadata, id=cell_id(path.stem, name)))
    return notebook


def _completed(cell: Any, metadata: CellMetadata, record: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """A cell's text as the notebook has it: with `check` itself in its cell, and with `run` below a test that asks."""
    source = str(cell.source)
    about = metadata["nbgrader"]
    if about["grade_id"] == asking.CELL:
        about["locked"] = True
        metadata["jupyter"] = {"source_hidden": True}
        metadata["tags"] = ["hide-input"]
        return helper_cell(record)
    if about["grade"] and not about["solution"] and asks(source):
        absent = cell.metadata["nbgrader"].get("without", [])
        more = f", without={absent!r}" if absent else ""
        text = f"{source.rstrip()}\n\n\nrun({about['grade_id']}{more})"
        exercise = exercise_of(about["grade_id"])
        return with_answers(text, exercise, known[exercise]) if exercise in known else text
    return source


def with_folded_hints(text: str) -> str:
    """A Markdown text whose hints, the paragraphs from "Hint 1 (a nudge): …" on, are folded, each inside the last."""
    start, *hints = HINT.split(text)
    layers = list(zip(hints[::3], hints[1::3], hints[2::3], strict=True))
    folded = [f"<details><summary>Hint {n}: {title}</summary>\n\n{hint.strip()}\n\n" for n, title, hint in layers]
    return start + "".join(folded) + "</details>" * len(folded)


def asks(source: str) -> bool:
    """Whether a test cell asks by `check`, and leaves it to the build to call it."""
    return "check(" in source and '__name__ == "__main__"' not in source


def cell_id(notebook: str, name: str) -> str:
    """The id of a cell of ours: from its `grade_id`, or its place and kind (`7:markdown`) where it has none."""
    return hashlib.sha256(f"{notebook}:{name}".encode()).hexdigest()[:12]


def _complete(given: CellMetadata, path: Path, position: int) -> CellMetadata:
    if not isinstance(given.get("grade_id"), str) or not given["grade_id"]:
        raise CourseError(f"{path}: cell {position}: nbgrader metadata without `grade_id`: add one")
    graded, task = bool(given.get("grade", False)), bool(given.get("task", False))
    points = given.get("points")
    if (graded or task) and (not isinstance(points, int | float) or isinstance(points, bool) or not 0 <= points < inf):
        raise CourseError(f"{path}: {given['grade_id']}: a graded cell needs `points`, a number that is not negative")
    full: dict[str, Any] = {
        "grade": graded,
        "grade_id": given["grade_id"],
        "locked": bool(given.get("locked", (graded and not given.get("solution")) or task)),
        "schema_version": 3,
        "solution": bool(given.get("solution", False)),
        "task": task,
    }
    if graded or task:
        full["points"] = points
    return full


def _check_cell(kind: str, source: str, metadata: CellMetadata, path: Path) -> None:
    """A cell is of a kind that nbgrader knows, its markers pair up, and code is Python once they are gone."""
    where = f"{path}: {metadata['grade_id']}"
    grade, solution, task = metadata["grade"], metadata["solution"], metadata["task"]
    for marker in MARKERS:
        if not _pairs_up(source, marker):
            raise CourseError(f"{where}: BEGIN {marker} and END {marker} do not pair up")
    for marker, fits, wanted in (
        ("SOLUTION", solution, '"solution": true'),
        ("HIDDEN TESTS", grade and not solution and kind == "code", '"grade": true, in a code cell'),
        ("MARK SCHEME", task, '"task": true'),
    ):
        if f"### BEGIN {marker}" in source and not fits:
            raise CourseError(f"{where}: a {marker} region, which only a cell with {wanted} may have")
    if AUTOTEST.search(source):
        raise CourseError(f"{where}: nbgrader's AUTOTEST is not read here: write the assertions out")
    if task and (grade or solution or kind != "markdown"):
        raise CourseError(f"{where}: a task is a Markdown cell without `grade` and `solution`")
    if kind == "markdown" and grade is not solution:
        raise CourseError(f"{where}: a written answer needs both `grade` and `solution`: a person grades it")
    if kind == "code":
        _check_code(source, metadata, where)


def _check_code(source: str, metadata: CellMetadata, where: str) -> None:
    if metadata["solution"] and not metadata["grade"] and "### BEGIN SOLUTION" not in source:
        raise CourseError(f"{where}: a solution cell without ### BEGIN SOLUTION: the student would get the answer")
    for text in (source, released(source, solution=metadata["solution"])):
        try:
            tree = ast.parse(as_python(text))
        except SyntaxError as error:
            raise CourseError(f"{where}: once released, line {error.lineno} is not Python: {error.msg}") from error
    if metadata["grade"] and not metadata["solution"]:
        for name in (n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)):
            if name in OUT_OF_REACH:
                raise CourseError(
                    f"{where}: reads `{name}` of an answer, which lives in another process: call it instead"
                )


def _pairs_up(source: str, marker: str) -> bool:
    """Whether begin and end follow each other in turn."""
    found = re.findall(rf"### (BEGIN|END) {marker}", source)
    return found == ["BEGIN", "END"] * (len(found) // 2)


def released(source: str, *, solution: bool = True) -> str:
    """What a student sees of a code cell: no solution, no hidden test; a solution cell without a region, none of it."""
    if solution and "### BEGIN SOLUTION" not in source:
        return f"{STUB}\n"
    return visible(SOLUTION.sub(rf"\1{STUB}\n", source))


def visible(source: str) -> str:
    """A test cell without its hidden tests."""
    return HIDDEN.sub("", source)


def solution_cells(path: Path) -> dict[str, str]:
    """The solution cells of a py:percent file by `grade_id`, without the markers; quicker than reading all of it."""
    found = {}
    for head, text in NBGRADER_CELL.findall(path.read_text(encoding="utf-8")):
        about = json.loads(head.removeprefix("nbgrader="))
        if about.get("solution") and not about.get("grade"):
            kept = [line for line in text.rstrip().splitlines() if line.strip() not in SOLUTION_MARKERS]
            found[str(about["grade_id"])] = "\n".join(kept) + "\n"
    return found


def nbgrader_cells(path: Path) -> dict[str, str]:
    """The cells of a py:percent file that nbgrader knows, by `grade_id`, as they are written there."""
    cells = NBGRADER_CELL.findall(path.read_text(encoding="utf-8"))
    return {str(json.loads(head.removeprefix("nbgrader="))["grade_id"]): text for head, text in cells}


def absent_helpers(path: Path) -> dict[str, list[str]]:
    """The helpers that are taken away while a test of a py:percent file runs, by the test's `grade_id`."""
    heads = [json.loads(head.removeprefix("nbgrader=")) for head, _ in NBGRADER_CELL.findall(path.read_text("utf-8"))]
    return {str(about["grade_id"]): list(about["without"]) for about in heads if about.get("without")}


def points_of_tests(path: Path) -> dict[str, float]:
    """The points of each test of a py:percent file, by `grade_id`."""
    heads = [json.loads(head.removeprefix("nbgrader=")) for head, _ in NBGRADER_CELL.findall(path.read_text("utf-8"))]
    tests = [about for about in heads if about.get("grade") and not about.get("solution")]
    return {str(about["grade_id"]): float(about.get("points", 0)) for about in tests}


def exercise_of(test_id: str) -> str:
    """`test_softmax` grades the exercise `softmax`."""
    return test_id.removeprefix("test_")
