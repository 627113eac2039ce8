"""The judge's process: holds the tests and runs them, unmodified, on stand-ins that call the student's process.

The verdict on a test is whether it ran to its end here. How the student is called is `autograder.engine.caller`.
"""

from __future__ import annotations

import ast
import collections.abc
import contextlib
import functools
import json
import socket
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from autograder import asking
from autograder.engine.caller import TEXT, Caller
from autograder.engine.given import Given, run_given, run_test_cell, statements, test_code
from autograder.engine.jobs import GivenCell, JudgeOrder, Report, TestCell
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded
from autograder.engine.raised import text_of
from autograder.engine.shell import Namespace
from autograder.engine.stand_ins import Name
from autograder.notebook.magics import as_python
from autograder.plain import Asked

OURS = "GivenCellError"  # the name of a failure of the course's own

LATER = 1.0  # seconds that the student's own clock has to speak first


class RemoteWatch:
    """Sees which arguments a call changed, where it runs on the student's side, on copies."""

    def __init__(self, side: Caller, originals: Sequence[Any], given: Sequence[Any]) -> None:
        self.side = side
        self.given = given
        self.local = asking.LocalWatch(originals, given)  # a driver of the test's own runs here
        side.watching, side.changed = True, []

    def changed(self) -> list[int]:
        self.side.watching = False
        there = [place for place, value in enumerate(self.given) if any(value is one for one in self.side.changed)]
        return sorted({*there, *self.local.changed()})


class RemoteAsking(asking.Asking):
    """Asks a student's process; what a test does not want to be there is taken away over there."""

    side: Caller
    given: Given

    def missing(self, exercise: str, error: NameError) -> Exception:
        """A name that a given cell of ours should have defined is our fault, and stays an error."""
        ours = why_missing(self.given, error)
        return error if ours else super().missing(exercise, error)

    def ask(self, test: Callable[[], None], without: Iterable[str] = ()) -> list[Asked]:
        if absent := list(without):
            self.side.ask("without", "", absent)
        return super().ask(test, absent)


def run_tests(job: JudgeOrder, report: socket.socket, students: list[socket.socket]) -> None:
    """Run each test against its snapshot of the student; one verdict a test to `report`."""
    limits = Limits(**job["limits"])
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    ours, tests = _PREPARED[job["prepared"]]
    given = run_given(ours, [*job["names"], *job["values"]], namespace)
    known = dict(namespace)
    for test, connection in zip((tests[name] for name in job["tests"]), students, strict=True):
        if test["id"] not in job["done"]:
            verdict = _run_test(test, job, connection, limits, namespace, known, given, report)
            if verdict is not None:
                _tell(report, {"id": test["id"], **verdict})
        _hang_up(connection)
    _tell(report, {"ended": True})


def _run_test(
    test: TestCell,
    job: JudgeOrder,
    connection: socket.socket,
    limits: Limits,
    namespace: Namespace,
    known: Namespace,
    given: Given,
    report: socket.socket,
) -> dict[str, str] | None:
    """The verdict on one test; None where the student's process never came to its place."""
    try:
        ready = connection.recv(1)
    except ConnectionError:
        ready = b""
    if ready != b"R":
        return None
    _tell(report, {"started": test["id"]})
    connection.settimeout(limits.test + LATER)
    side = Caller(connection, limits, known, test["id"])
    namespace.update({name: Name(side, name) for name in job["names"]})
    printed = Bounded(limits.output)
    if "record" in test:
        asks = RemoteAsking(test["record"], functools.partial(RemoteWatch, side))
        asks.side, asks.given = side, given
        namespace.update(check=asks.check, run=asks.run)
    try:
        read = mentioned(test["source"])
        for name in read.intersection(job["values"]):
            namespace[name] = side.ask("value", name)
        for name in given.wanted(read):
            _take(name, side, namespace)
        code = test_code(test["id"], test["source"])
        rebound = code.sets.intersection([*job["names"], *job["values"]])
        names = Rebinding(side, namespace, rebound) if rebound else None
        with contextlib.redirect_stdout(printed):
            value = run_test_cell(code, namespace, names)
    except asking.NotRecordedError as error:
        return {"error": OURS, "message": text_of(error)[:TEXT]}
    except asking.WrongAnswer as wrong:
        told = {"entry": wrong.entry, "details": wrong.details[:TEXT], "printed": printed.text()}
        return {"error": "WrongAnswer", "message": text_of(wrong)[:TEXT], **told}
    except BaseException as error:
        if isinstance(error, NameError) and (cause := why_missing(given, error)):
            return {"error": OURS, "message": cause}
        return {"error": type(error).__name__, "message": text_of(error)[:TEXT], "printed": printed.text()}
    return {"error": "", "message": "", "value": value[:TEXT], "printed": printed.text()}


def why_missing(given: Given, error: NameError) -> str:
    """Why a given cell did not define a name, "" where none should have."""
    return given.missing.get(error.name or "", given.missing.get("", ""))


def _take(name: str, side: Caller, namespace: Namespace) -> None:
    """What a given cell made of an answer; where the student's side has none of it, the test will not find it."""
    namespace.pop(name, None)
    with contextlib.suppress(Exception):
        namespace[name] = side.ask("value", name)


class Rebinding(collections.abc.MutableMapping[str, Any]):
    """The names of a test cell that binds or deletes an answer: the student's side is told, as in one notebook."""

    def __init__(self, side: Caller, namespace: Namespace, answers: frozenset[str]) -> None:
        self.side, self.namespace, self.answers = side, namespace, answers

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self.answers:
            self.side.ask("bind", name, value)
        self.namespace[name] = value

    def __delitem__(self, name: str) -> None:
        del self.namespace[name]
        if name in self.answers:
            self.side.ask("unbind", name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.namespace)

    def __len__(self) -> int:
        return len(self.namespace)


# The warm process fills these, once for all submissions: a judge is a copy of it.
@functools.lru_cache(maxsize=2000)
def mentioned(source: str) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(ast.parse(as_python(source))) if isinstance(node, ast.Name))


_PREPARED: dict[str, tuple[list[GivenCell], dict[str, TestCell]]] = {}


def prepare(key: str, given: list[GivenCell], tests: list[TestCell]) -> None:
    """Keep and compile what judges will run; what does not compile is said where it is run."""
    _PREPARED[key] = given, {test["id"]: test for test in tests}
    for cells, compile_cell in ((given, statements), (tests, test_code)):
        for cell in cells:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                compile_cell(cell["id"], cell["source"])
                mentioned(cell["source"])


def forget(key: str) -> None:
    """Let go of what was prepared under this key."""
    del _PREPARED[key]


def _hang_up(connection: socket.socket) -> None:
    """End the conversation, whoever still holds the socket."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _tell(report: socket.socket, record: Report) -> None:
    report.sendall(json.dumps(record).encode("ascii") + b"\n")
