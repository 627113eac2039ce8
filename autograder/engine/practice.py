"""Practice: what every student or judge does is done some times by the warm process that they are copies of.

Python adapts its code to what it is used for, and fills its caches, while it runs; a process that is forked for one
notebook would begin anew, and each page of memory that it changes by that is copied. So this is done once, before.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from autograder.engine import judge
from autograder.engine.answerer import serve
from autograder.engine.caller import Caller
from autograder.engine.jobs import GivenCell, JudgeOrder, TestCell
from autograder.engine.limits import Limits
from autograder.engine.shell import Namespace
from autograder.engine.stand_ins import Name
from autograder.engine.student import run_cell

TIMES = 12  # after about eight, Python adapts a function
ANSWER = """\
import numpy as np

def answer(x, places, scale=1.0):
    scores = np.exp(x - x.max(axis=-1, keepdims=True)) @ x.T / np.sqrt(scale)
    return np.where(scores > 0.0, scores, 0.0).sum(axis=-1), [place + 1 for place in places], "said"
"""
TEST = """\
def test_answer():
    for scale in (1.0, 4, 16.0, 0.25):
        check(answer, np.ones((2, 3)), [1, 2], scale=scale, gives=(np.full(2, 6.0) / scale**0.5, [2, 3], "said"))
        check(answer, np.ones((2, 3), dtype=int), [], scale, gives=(np.full(2, 6.0) / scale**0.5, [], "said"))

run(test_answer)
"""


def practise_as_student(shell: Any) -> None:
    """Run cells, and answer a judge, in this process."""
    limits = Limits()
    namespace: Namespace = sys.modules["__main__"].__dict__
    with _as_it_was(namespace), _with_another(_call_answer) as connection:
        for number in range(TIMES):
            run_cell(shell, f"{ANSWER}# {number}\n", limits)
        serve(connection, limits, namespace, Path.cwd())


def practise_as_judge() -> None:
    """Run a test on a student, in this process."""
    names = [f"practice-{number}" for number in range(3)]
    given: list[GivenCell] = [{"id": "imports", "source": "import numpy as np"}]
    tests: list[TestCell] = [{"id": name, "source": TEST, "record": {}} for name in names]
    judge.prepare("practice", given, tests)
    job: JudgeOrder = {
        "limits": Limits().to_plain(), "done": [], "walls": {}, "unsafe": False, "hidden": [], "group": "", "files": [],
        "scratch": "", "prepared": "practice", "tests": names, "names": ["answer"], "values": [],
    }  # fmt: skip
    report, heard = socket.socketpair()
    with report, heard, contextlib.ExitStack() as others, _as_it_was({}):
        judge.run_tests(job, report, [others.enter_context(_with_another(_answer)) for _ in names])
        found = [json.loads(line) for line in heard.recv(1 << 16).splitlines()]
    assert [record["error"] for record in found if "error" in record] == [""] * len(names), found
    judge.forget("practice")


def _call_answer(connection: socket.socket) -> None:
    connection.recv(1)
    side = Caller(connection, Limits(), {}, "practice")
    side.watching, side.changed = True, []
    for _ in range(TIMES):
        Name(side, "answer")(np.ones((2, 3)), [1, 2], scale=2.0)
        with contextlib.suppress(Exception):
            Name(side, "answer")(None, [])


def _answer(connection: socket.socket) -> None:
    namespace: Namespace = {}
    exec(ANSWER, namespace)
    serve(connection, Limits(), namespace, Path.cwd())


@contextlib.contextmanager
def _with_another(talk: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """The connection to a process that talks at its other end, for as long as it is needed."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            talk(theirs)
        finally:
            os._exit(0)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextlib.contextmanager
def _as_it_was(namespace: Namespace) -> Iterator[None]:
    """Afterwards, names, streams, signal handlers and what is called `__main__` are what they were."""
    names, streams, main = dict(namespace), (sys.stdout, sys.stderr), sys.modules["__main__"]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGALRM)}
    try:
        yield
    finally:
        namespace.clear()
        namespace.update(names)
        sys.stdout, sys.stderr = streams
        sys.modules["__main__"] = main
        for number, handler in handlers.items():
            signal.signal(number, handler)
