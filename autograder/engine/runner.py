"""Run the cells of one notebook in this process, one after the other: `python -m autograder.engine.runner JOB OUT`.

JOB is a JSON file with `cells` (each with `id`, `source`, and whether it is a `test`) and `limits`. OUT gets one JSON
line as each cell starts and one as it ends, so that what was earned before a crash is kept, and the cell that crashed
is known. A cell that fails, or is interrupted, does not stop the ones after it; one that cannot be interrupted ends the
process. Nothing printed by a cell is a failure; only an exception is.

This is the simple executor: it isolates nothing. Run only code that you trust with it.
"""

from __future__ import annotations

import ast
import contextlib
import faulthandler
import io
import json
import linecache
import sys
import time
import types
from collections.abc import Mapping
from contextlib import AbstractContextManager as ContextManager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from autograder import asking
from autograder.engine.clock import TookTooLong, hear_the_clock, spend_at_most, time_limit
from autograder.engine.given import offer_what_notebooks_have, run_test_cell, test_code
from autograder.engine.limits import Limits
from autograder.engine.raised import text_of
from autograder.engine.shell import Namespace
from autograder.notebook.magics import as_python

MAX_TEXT = 20_000  # characters kept of what a cell printed, and of a message
GRACE = 2.0  # seconds for an interrupted cell to end
OURS = "the_course_s_own_"  # begins the name under which a test finds what a student's cell has renamed


class Ran(NamedTuple):
    """What a cell did."""

    error: str  # the exception's type name, "" for none
    message: str
    printed: str
    value: str  # of the last line, as a notebook shows it
    entry: str = ""  # the known mistake that a wrong answer shows
    details: str = ""  # the question, also where it is a hidden one
    title: str = ""  # the first line of what a notebook shows of a wrong answer


def run_cell(source: str, namespace: Namespace, name: str, limit: ContextManager[None] | None = None) -> Ran:
    """Execute one cell, within a limit that interrupts it if one is given."""
    offer_what_notebooks_have(namespace)
    printed = io.StringIO()
    error, message, value = "", "", ""
    told = ("", "", "")
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            with limit or contextlib.nullcontext():
                code = test_code(name, source)
                linecache.cache[code.body.co_filename] = len(source), None, source.splitlines(keepends=True), name
                value = run_test_cell(code, namespace)
        except TookTooLong as late:
            what = "this call" if name.startswith("test_") else "this cell"
            error, message = "TimedOut", f"{what} took {late}: is there a loop that does not end?"
        except BaseException as raised:  # SystemExit and KeyboardInterrupt cost this cell only
            error, message = type(raised).__name__, text_of(raised)
            if error == "WrongAnswer":
                told = str(raised.entry), str(raised.details)[:MAX_TEXT], str(raised.title)  # type: ignore[attr-defined]
    return Ran(error, message[:MAX_TEXT], printed.getvalue()[:MAX_TEXT], value[:MAX_TEXT], *told)


class OwnNames:
    """What a test needs under its own name, whatever a student's cells have made of it: `run`, `check` and modules.

    A student may define a `run` or an `np` of their own, and their functions go on using it. The tests of a class are
    run apart from that; here, a test finds what it needs under another name.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def learn(self, namespace: Namespace, name: str) -> None:
        """After the cell `name`: keep what the helper's cell defined, and each module under its first name."""
        if name == asking.CELL:
            self.kept |= {one: namespace[one] for one in ("check", "run") if one in namespace}
        for one, value in namespace.items():
            if isinstance(value, types.ModuleType):
                self.kept.setdefault(one, value)

    def restored(self, source: str, namespace: Namespace) -> str:
        """A test cell that uses these in place of what a student's cells have put under their names."""
        other = {name for name, value in self.kept.items() if namespace.get(name) is not value}
        if not other:
            return source
        tree = ast.parse(as_python(source))
        mine = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        mine |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in other - mine:
                namespace[OURS + node.id] = self.kept[node.id]
                node.id = OURS + node.id
        return ast.unparse(tree)


def main(job: Path, out: Path) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    told = json.loads(job.read_text(encoding="utf-8"))
    limits = Limits(**told["limits"])
    own = OwnNames()
    with out.open("a", encoding="utf-8") as lines, out.with_suffix(".late").open("w", encoding="utf-8") as late:
        for cell in told["cells"]:
            name, source, is_test = cell["id"], cell["source"], bool(cell.get("test"))
            _write(lines, {"started": name})
            faulthandler.dump_traceback_later(limits.cell + GRACE, exit=True, file=late)
            started = time.perf_counter()
            if is_test:
                with contextlib.suppress(SyntaxError):  # said where the cell is run
                    source = own.restored(source, namespace)
            hear_the_clock()
            limit = time_limit(limits.test, limits.test) if is_test else time_limit(limits.cell_cpu, limits.cell)
            ran = run_cell(source, namespace, name, limit)
            seconds = round(time.perf_counter() - started, 4)
            faulthandler.cancel_dump_traceback_later()
            own.learn(namespace, name)
            if name == asking.CELL:
                _time_each_question(namespace, limits)
            _write(lines, {"id": name, **ran._asdict(), "seconds": seconds})


def _time_each_question(namespace: Namespace, limits: Limits) -> None:
    """Give each question the CPU time of one call, as when a class is graded: `watch` is called as one is asked."""
    asks = getattr(namespace.get("run"), "__self__", None)
    if asks is None:  # the student's cell of that name is not the course's
        return
    watch = asks.watch

    def timed(*args: Any) -> Any:
        spend_at_most(limits.call_cpu)
        return watch(*args)

    asks.watch = timed


def _write(lines: TextIO, record: Mapping[str, object]) -> None:
    lines.write(json.dumps(record) + "\n")
    lines.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
