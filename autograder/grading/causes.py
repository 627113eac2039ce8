"""What went wrong first, where a test's own error is only what came of it.

The page runs this module, too, where of the package there is only what it imports: `asking`, and how an exercise is
called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograder import hints
from autograder.notebook.source import exercise_of

if TYPE_CHECKING:
    from autograder.notebook.rebuild import Placed
    from autograder.results import CellResult, Run

NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")
NO_SUCH = re.compile(re.escape(hints.NO_SUCH).replace(re.escape("{}"), r"(\w+)"))
PLACE_IN_SOURCE = re.compile(r" \([^()]*, line (\d+)\)$")  # how the text of a SyntaxError ends
MOST_SHOWN = 100  # characters of a line that is quoted
MOST_PARSED = 50_000  # characters of a cell: its tree takes a hundred times the memory, and here no limit holds it
STUB = "NotImplementedError"


def first_cause(test: CellResult, run: Run, placed: Sequence[Placed]) -> str:
    """In one sentence, what led to a test's error; "" where the error itself is all that is known."""
    exercise = exercise_of(test.id)
    asked = test.error in ("WrongAnswer", "")  # "" where some of the questions bring points
    message = _without_title(test.message or test.printed.strip())
    if test.error == STUB or (asked and message == hints.NOT_WRITTEN):
        return _stub_that_stayed(exercise, placed) or _cell_that_failed(exercise, run, placed)
    if test.error == "NameError" or asked:
        found = NO_SUCH.search(message) or NOT_DEFINED.search(message) or NOT_DEFINED.search(test.details)
        if found and (cause := _cell_that_failed(found[1], run, placed)):
            return cause
    return _own_cell_not_python(exercise, run, placed)


def _own_cell_not_python(exercise: str, run: Run, placed: Sequence[Placed]) -> str:
    """A notebook runs what stands above a line that is no Python, where only compiling shows it: half an answer."""
    for number, p in enumerate(placed, 1):
        result = run.cells.get(p.name)
        if p.name == exercise and result is not None:
            return _not_python(p.cell.source, _called(p, number), result)
    return ""


def _without_title(text: str) -> str:
    first, _, rest = text.partition("\n")
    return rest if first.startswith("✗ ") else text


def _cell_that_failed(name: str, run: Run, placed: Sequence[Placed]) -> str:
    """The cell that would have defined a name, and did not run to its end."""
    ways = (rf"^[ \t]*(async +)?(def|class) +{name}\b", rf"^[ \t]*{name}\b[^=\n]*=[^=]", rf"\bimport\b.*\b{name}\b")
    defines = re.compile("|".join(ways), re.M)
    for number, p in enumerate(placed, 1):
        result = run.cells.get(p.name)
        if p.cell.kind == "code" and result is not None and result.error and defines.search(p.cell.source):
            called = _called(p, number)
            if wrong := _not_python(p.cell.source, called, result):
                return wrong
            said = f"{result.error}: {result.message}" if result.message else result.error
            return f"{called} did not run to its end, so there is no `{name}`: {said}"
    return ""


def _not_python(source: str, called: str, result: CellResult) -> str:
    """Which line of a cell is no Python, and why; "" where that is not what is wrong with it."""
    if result.error not in ("SyntaxError", "IndentationError", "TabError"):
        return ""
    place = PLACE_IN_SOURCE.search(result.message)
    why = PLACE_IN_SOURCE.sub("", result.message)
    number = int(place[1]) if place else 0
    try:  # a notebook counts from the first line that is not empty, and a student from the first
        _parsed(source)
    except SyntaxError as error:
        number = error.lineno or number if error.msg == why else number
    except (ValueError, RecursionError, MemoryError):
        pass
    lines = source.splitlines()
    if not 0 < number <= len(lines):
        return f"{called} is not Python: {why}"
    return f"line {number} of {called} is not Python: `{_shorter(lines[number - 1].strip())}`: {why}"


def _shorter(line: str) -> str:
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 2]} …"


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


def _parsed(source: str) -> ast.Module:
    """The tree of a cell; one that is too long for a person to have written has none."""
    return ast.parse(source if len(source) <= MOST_PARSED else "")


def _definitions(name: str, source: str) -> list[ast.stmt]:
    if name not in source:  # most cells have nothing to do with most exercises
        return []
    try:
        tree = _parsed(source)
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
