"""From our notebook and a student's cells to what is run: only sources of solution and free cells are theirs.

Tests, points, outputs and tags in the submission are ignored. A test that was changed, doubled or deleted is ours
again, in its place; a second copy of a solution cell is a cell of the student's own, and runs where it stands.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autograder.files import digest
from autograder.notebook.answers import split_answers
from autograder.notebook.file import Cell, cells_in
from autograder.notebook.magics import as_python

MISSING = "# This cell was missing from the submission."


@dataclass(frozen=True)
class Ours:
    """One notebook of the assignment, as it was set: with the hidden tests, and what the judge needs to know of it."""

    name: str
    cells: tuple[Cell, ...]
    ids: tuple[str, ...]  # each cell's id in the notebook file
    files: tuple[tuple[str, bytes], ...] = ()  # data that is released beside it
    record: Mapping[str, Any] = field(default_factory=dict)  # what its exercises' questions have for answers

    @property
    def tests(self) -> dict[str, float]:
        """The test cells: `grade_id` → points, in order."""
        return {c.grade_id: float(c.nbgrader.get("points", 0)) for c in self.cells if c.is_test}

    @property
    def by_hand(self) -> dict[str, float]:
        """Cells that a person grades, answers and tasks: `grade_id` → points."""
        answers = [c for c in self.cells if c.nbgrader.get("grade") and c.nbgrader.get("solution")]
        graded = [c for c in self.cells if c in answers or c.nbgrader.get("task")]
        return {c.grade_id: float(c.nbgrader.get("points", 0)) for c in graded}

    @functools.cached_property
    def digest(self) -> str:
        """Changes with all of ours that a result depends on: cells, data, recorded answers."""
        files = [[name, digest(content.hex())] for name, content in self.files]
        return digest([[vars(cell) for cell in self.cells], files, self.record])

    @functools.cached_property
    def graded_names(self) -> tuple[list[str], list[str]]:
        """What our own solution cells define: functions and classes, and names that are assigned."""
        names: list[str] = []
        values: list[str] = []
        for cell in self.cells:
            if cell.kind != "code" or not cell.nbgrader.get("solution"):
                continue
            for node in _statements(cell.source):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    names.append(node.name)
                elif isinstance(node, ast.Assign):
                    values += [t.id for t in node.targets if isinstance(t, ast.Name)]
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    values.append(node.target.id)
        return names, values


def _statements(source: str) -> list[ast.stmt]:
    """Of a cell that may be no Python: one that a person grades may be anything."""
    try:
        return ast.parse(as_python(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


@dataclass(frozen=True)
class Placed:
    """A cell of the rebuilt notebook: `cell` runs under `name`; `ours` says whether its text is ours."""

    name: str
    cell: Cell
    ours: bool


def rebuild(ours: Ours, theirs: Iterable[Cell]) -> tuple[list[Placed], list[str]]:
    """Our notebook with the student's sources, in the student's order; also a note for each cell that was missing."""
    known = {cell.grade_id: cell for cell in ours.cells if cell.grade_id}
    placed: list[Placed] = []
    seen: set[str] = set()
    for number, cell in enumerate(theirs):
        name = cell.grade_id
        if name in known and name not in seen and _theirs_to_write(known[name]):
            seen.add(name)
            placed.append(Placed(name, Cell(known[name].kind, cell.source, known[name].nbgrader), ours=False))
        elif name in known and not _theirs_to_write(known[name]):
            if name not in seen:
                seen.add(name)
                placed.append(Placed(name, known[name], ours=True))
        elif cell.kind in ("code", "markdown"):
            placed.append(Placed(f"free-{number}", Cell(cell.kind, cell.source), ours=False))
    notes = _put_back(ours, placed, seen)
    return _tests_after_their_solutions(ours, placed), notes


def _theirs_to_write(cell: Cell) -> bool:
    return bool(cell.nbgrader.get("solution"))


def _put_back(ours: Ours, placed: list[Placed], seen: set[str]) -> list[str]:
    """Insert what is missing right after the cell that it follows in our notebook."""
    notes = []
    before = ""
    for cell in ours.cells:
        name = cell.grade_id
        if not name:
            continue
        if name not in seen:
            content = Cell(cell.kind, MISSING, cell.nbgrader) if _theirs_to_write(cell) else cell
            where = next((i + 1 for i, p in enumerate(placed) if p.name == before), len(placed) if not before else 0)
            placed.insert(where, Placed(name, content, ours=not _theirs_to_write(cell)))
            seen.add(name)
            notes.append(f"the cell {name} was missing")
        before = name
    return notes


def _tests_after_their_solutions(ours: Ours, placed: list[Placed]) -> list[Placed]:
    """A test that was dragged above the answer that it tests comes after it again."""
    order = [cell.grade_id for cell in ours.cells if cell.grade_id]
    result = list(placed)
    for test in ours.tests:
        answers = [name for name in order[: order.index(test)] if name in _solutions(ours)]
        names = [p.name for p in result]
        if answers and names.index(answers[-1]) > names.index(test):
            moved = result.pop(names.index(test))
            result.insert([p.name for p in result].index(answers[-1]) + 1, moved)
    return result


def _solutions(ours: Ours) -> set[str]:
    return {cell.grade_id for cell in ours.cells if cell.nbgrader.get("solution")}


def imports_of(sources: Iterable[str]) -> tuple[str, ...]:
    """The modules that our code imports, to be imported once by the warm processes.

    What `from x import y` takes may be a module of its own, as in `from scipy import stats`; where it is none, the
    warm process passes over it.
    """
    found: set[str] = set()
    for source in sources:
        try:
            tree = ast.parse(as_python(source))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return tuple(sorted(found))


def ours_from(notebook: Any, name: str, files: Sequence[tuple[str, bytes]] = ()) -> Ours:
    """Our notebook as the engine wants it, from a parsed notebook of format 4."""
    ids = tuple(str(cell.get("id", "")) for cell in notebook["cells"])
    cells: list[Cell] = []
    record: dict[str, Any] = {}
    for cell in cells_in(notebook, name):
        source, known = split_answers(cell.source) if cell.is_test else (cell.source, {})
        cells.append(replace(cell, source=source))
        record |= known
    return Ours(name, tuple(cells), ids, tuple(files), record)
