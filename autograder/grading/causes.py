"""What went wrong first, where a test's own error is only what came of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from autograder.engine.execution import CellResult, Run
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import exercise_of

NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")
STUB = "NotImplementedError"


def first_cause(test: CellResult, run: Run, placed: Sequence[Placed]) -> str:
    """In one sentence, what led to a test's error; "" where the error itself is all that is known."""
    if test.error == STUB:
        return _stub_that_stayed(exercise_of(test.id), placed)
    if test.error == "NameError" and (found := NOT_DEFINED.search(test.message)):
        return _cell_that_failed(found[1], run, placed)
    return ""


def _cell_that_failed(name: str, run: Run, placed: Sequence[Placed]) -> str:
    """The cell that would have defined a name, and did not run to its end."""
    ways = (rf"^[ \t]*(async +)?(def|class) +{name}\b", rf"^[ \t]*{name}\b[^=\n]*=[^=]", rf"\bimport\b.*\b{name}\b")
    defines = re.compile("|".join(ways), re.M)
    for number, p in enumerate(placed, 1):
        result = run.cells.get(p.name)
        if p.cell.kind == "code" and result is not None and result.error and defines.search(p.cell.source):
            said = f"{result.error}: {result.message}" if result.message else result.error
            return f"{_called(p, number)} did not run, so there is no `{name}`: {said}"
    return ""


def _called(placed: Placed, number: int) -> str:
    return f"cell {number}" if placed.name.startswith("free-") else f"the cell `{placed.name}`"


def _stub_that_stayed(name: str, placed: Sequence[Placed]) -> str:
    """An answer that the stub still ends, or replaces."""
    found = [node for p in placed if p.cell.kind == "code" and not p.ours for node in _definitions(name, p.cell.source)]
    if len(found) > 1 and _is_stub(found[-1]) and any(not _is_stub(node) for node in found[:-1]):
        return f"`{name}` is written, but the stub below it takes its place: delete the `def {name}` that raises {STUB}"
    if found and isinstance(found[-1], ast.FunctionDef) and not _is_stub(found[-1]) and _ends_in_stub(found[-1]):
        return f"the line `raise {STUB}` still stands in `{name}`: delete it"
    return ""


def _definitions(name: str, source: str) -> list[ast.stmt]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]


def _is_stub(node: ast.stmt) -> bool:
    """Whether a function does nothing but raise, or a class has only such methods."""
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        return bool(methods) and all(_is_stub(method) for method in methods)
    assert isinstance(node, ast.FunctionDef)
    rest = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    return len(rest) == 1 and _raises_stub(rest[0])


def _ends_in_stub(node: ast.FunctionDef) -> bool:
    return any(_raises_stub(part) for part in node.body)


def _raises_stub(node: ast.stmt) -> bool:
    return isinstance(node, ast.Raise) and node.exc is not None and STUB in ast.unparse(node.exc)
