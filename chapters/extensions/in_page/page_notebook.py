"""A notebook in the page: runs an exercise as a kernel would, and gives the verdict in the notebook's own words.

The page loads this module into its Python; it imports the standard library, and the modules of the package that the
page carries. Each question is asked in a fresh namespace, so a name that an answer no longer defines is gone, as after
"restart and run all".
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import linecache
import re
import sys
import types
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from autograder import asking
from autograder.grading.causes import first_cause
from autograder.hints import NOT_WRITTEN

MOST_PRINTED = 20_000  # characters kept of what an answer prints
FAULT = "This cannot be judged, by no fault of yours: {}"


class Printed(io.StringIO):
    """Keeps the end of what was printed, where the verdict stands, and as much before it as anybody reads."""

    def write(self, text: str) -> int:
        if self.tell() > 2 * MOST_PRINTED:
            kept = self.getvalue()[-MOST_PRINTED:]
            self.seek(0)
            self.truncate()
            super().write(kept)
        return super().write(text)


def cells_of(notebook: Mapping[str, Any]) -> list[types.SimpleNamespace]:
    """The cells of a notebook file, each with the `name` that it is known by."""
    found: list[types.SimpleNamespace] = []
    seen: set[str] = set()
    for place, cell in enumerate(notebook["cells"]):
        about = cell.get("metadata", {}).get("nbgrader", {})
        grade_id = about.get("grade_id", "")
        kind = cell["cell_type"]
        own = kind != "code" or not grade_id or grade_id in seen
        seen.add(grade_id)
        found.append(types.SimpleNamespace(
            name=f"{'text' if kind != 'code' else 'free'}-{place}" if own else grade_id,
            kind=kind, source="".join(cell["source"]),
            is_test=bool(about.get("grade")) and not about.get("solution") and not own,
            is_answer=bool(about.get("solution")) and not own,
        ))  # fmt: skip
    return found


class PageNotebook:
    """The released notebook of a page, and what its reader wrote into it."""

    def __init__(self, notebook: Mapping[str, Any]) -> None:
        self.cells = cells_of(notebook)
        self.helper: dict[str, Any] = {}

    def verdict(
        self,
        exercise: str,
        answers: Mapping[str, str],
        without: Collection[str] = (),
        say: Callable[[str], object] = lambda cell: None,
    ) -> dict[str, Any]:
        """Ask an exercise's test, with the reader's `answers` (exercise → code) in their cells.

        All cells above the test run, in order, but the other tests and the answers that `without` names. An answer
        that fails costs nobody else anything. `say` hears the name of each cell before it runs.

        Gives `solved`, the `lines` that a notebook shows, the `cause` in a sentence where something went wrong before
        the test (else ""), and what the reader's code `printed`.
        """
        test = next(cell for cell in self.cells if cell.is_test and cell.name == f"test_{exercise}")
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        results: dict[str, types.SimpleNamespace] = {}
        printed = ""
        placed = []
        for cell in self.cells:
            source = answers.get(cell.name, cell.source) if cell.is_answer else cell.source
            placed.append(types.SimpleNamespace(name=cell.name, cell=types.SimpleNamespace(
                kind=cell.kind, source=source), ours=cell.is_test))  # fmt: skip
            if cell.kind != "code" or (cell.is_test and cell is not test) or cell.name in without:
                continue
            say(cell.name)
            if cell.is_test:
                module.__dict__.update(self.helper)  # an answer's own `run` is no concern of the test
            result = self._run_helper(cell, module) if cell.name == asking.CELL else run_cell(cell.name, source, module)
            results[cell.name] = result
            if not cell.is_answer and not cell.is_test and result.error and not needs_an_answer(result, self.cells):
                return {"solved": False, "lines": [FAULT.format(said_of(result))], "cause": "", "printed": ""}
            if cell.name == exercise:
                printed = result.printed
            if cell is test:
                break
        ran = results[test.name]
        own, lines = told_apart(ran, exercise)
        run = types.SimpleNamespace(cells=results)
        solved = not ran.error and not lines[0].startswith("✗")
        cause = "" if solved else first_cause(ran, run, placed)  # type: ignore[arg-type]
        if not cause and results.get(exercise) and results[exercise].error:
            cause = f"your cell ended in {said_of(results[exercise])}"
        return {"solved": solved, "lines": lines, "cause": cause, "printed": (printed + own)[-MOST_PRINTED:]}

    def examples(self, exercise: str, text: str, bank: str) -> dict[str, Any]:
        """What a reader's examples of an exercise are worth; `bank` is packed as `banks.py` packs it."""
        from autograder.examples import Wrong, drivers_of, tried

        known = json.loads(zlib.decompress(base64.b64decode(bank)))[exercise]
        test = next(cell for cell in self.cells if cell.is_test and cell.name == f"test_{exercise}")
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        for cell in self.cells[: self.cells.index(test)]:
            if cell.kind == "code" and not cell.is_test and not cell.is_answer and cell.name != asking.CELL:
                run_cell(cell.name, cell.source, module)
        definitions = ast.parse(test.source)
        definitions.body = [node for node in definitions.body if not isinstance(node, ast.Expr)]
        base = dict(module.__dict__)

        def with_solution(source: str) -> Mapping[str, Any]:
            names = dict(base)
            exec(compile(source, f"<{exercise}>", "exec", dont_inherit=True), names)
            exec(compile(definitions, "<the test>", "exec", dont_inherit=True), names)
            return names

        wrong = [Wrong(*entry) for entry in known["wrong"]]
        found = tried(text, exercise, with_solution, known["reference"], wrong, drivers_of(test.source))
        told = [list(one) for one in found.examples]
        return {"examples": told, "summary": found.summary if told else "", "hint": found.next_hint}

    def _run_helper(self, cell: types.SimpleNamespace, module: types.ModuleType) -> types.SimpleNamespace:
        """The cell of `check` and `run`: it compiles a thousand lines, so it runs once."""
        if not self.helper:
            result = run_cell(cell.name, cell.source, module)
            if result.error:
                return result
            self.helper = {name: module.__dict__[name] for name in ("check", "run")}
        module.__dict__.update(self.helper)
        return types.SimpleNamespace(error="", message="", printed="")


def run_cell(name: str, source: str, module: types.ModuleType) -> types.SimpleNamespace:
    """Execute one cell; tells its error ("" for none), the message, what it printed, and the title of a verdict."""
    file = f"<the cell {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    error, message, title, details, shown = "", "", "", "", []
    with printing() as printed:
        try:
            exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt cost this cell only
            error, message = type(raised).__name__, text_of(raised)
            if error in ("WrongAnswer", "NotRecordedError") and hasattr(raised, "_render_traceback_"):
                shown = raised._render_traceback_()
                title, details = str(getattr(raised, "title", "")), str(getattr(raised, "details", ""))
    return types.SimpleNamespace(
        id=name, error=error, message=message, printed=printed.getvalue(), title=title, details=details, shown=shown,
    )  # fmt: skip


@contextlib.contextmanager
def printing() -> Iterator[Printed]:
    """What is printed goes where it can be read; warnings go nowhere, as they are no verdict."""
    printed = Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        yield printed


def text_of(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:
        return "(the error has no readable text)"


def said_of(result: types.SimpleNamespace) -> str:
    return f"{result.error}: {result.message}" if result.message else str(result.error)


def told_apart(ran: types.SimpleNamespace, exercise: str) -> tuple[str, list[str]]:
    """What the answer itself printed while it was asked, and the lines of the verdict."""
    if ran.shown:
        return ran.printed, list(ran.shown)
    if ran.error == "NotImplementedError":
        return ran.printed, [f"✗ {exercise}", NOT_WRITTEN]
    if ran.error:
        return ran.printed, [f"✗ {exercise}", said_of(ran)]
    verdicts = list(re.finditer(rf"^[✓✗] {re.escape(exercise)}: \d+ of \d+", ran.printed, re.M))
    if not verdicts:  # a test of plain assertions, which says nothing when all is well
        return ran.printed, [f"✓ {exercise}"]
    at = verdicts[-1].start()
    return ran.printed[:at], ran.printed[at:].rstrip("\n").split("\n")


def needs_an_answer(result: types.SimpleNamespace, cells: list[types.SimpleNamespace]) -> bool:
    """Whether a given cell failed since it uses an answer that is not there: a stub, or a cell that did not run."""
    if result.error == "NotImplementedError":
        return True
    missing = re.search(r"name '(\w+)' is not defined", result.message)
    return missing is not None and any(missing[1] in defined_in(cell.source) for cell in cells if cell.is_answer)


def defined_in(source: str) -> set[str]:
    """The names of the functions and classes of a cell."""
    try:
        return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    except SyntaxError:
        return set()
