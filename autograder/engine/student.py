"""The student's process: runs the student's cells, and at each test lets a snapshot of itself answer the judge.

Everything here lies in the same process as hostile code, so nothing here is trusted by anybody: the judge checks what
arrives, and the engine kills what takes too long. For honest code it keeps one test's effects from the next one and
turns an endless loop into a message.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from autograder.engine.answerer import names_of, serve
from autograder.engine.clock import TookTooLong, hear_the_clock, time_limit
from autograder.engine.jobs import Report, StudentOrder
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded
from autograder.engine.raised import text_of
from autograder.engine.shell import Namespace

GRACE = 0.2  # seconds for a snapshot to leave after its test


def run_cell(shell: Any, source: str, limits: Limits) -> dict[str, str]:
    """Run one cell; says what it printed and, where it failed, with which error."""
    out = Bounded(limits.output)
    error = ""
    message = ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            hear_the_clock()
            with time_limit(limits.cell_cpu, limits.cell):
                result = shell.run_cell(source, store_history=False, silent=False)
                failed = result.error_before_exec or result.error_in_exec
            if isinstance(failed, TookTooLong):  # the shell catches this, too
                raise failed
            if failed is not None:
                error, message = names_of(failed)[0], text_of(failed)
            result = failed = shell.last_execution_result = None  # an error holds on to all that its frames held
        except TookTooLong as late:
            error, message = "TookTooLong", f"this cell took {late}: is there a loop that does not end?"
        except BaseException as raised:
            error, message = names_of(raised)[0], text_of(raised)
    record = {"error": error, "message": message[: limits.output], "printed": out.text()}
    if out.total > 50 * limits.output:
        record["flood"] = str(out.total)
    if (left := _threads()) > limits.processes // 2:
        record["threads"] = str(left)
    return record


def _threads() -> int:
    """How many threads this process has; 0 where the system does not say."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return 0


def run_notebook(
    shell: Any, job: StudentOrder, report: socket.socket, tests: list[socket.socket], scratch: Path
) -> None:
    """Run cells in order; at the place of each test, a snapshot of this process answers its calls.

    A test that nothing comes after needs no snapshot.
    """
    limits = Limits(**job["limits"])
    namespace = sys.modules["__main__"].__dict__
    connections = iter(tests)
    last = len(job["items"]) - 1
    spare = _Spare()
    done: list[dict[str, str]] = []  # what the cell before did is told along with what comes next
    for place, item in enumerate(job["items"]):
        if item["kind"] == "cell":
            _tell(report, *done, {"started": item["id"]})
            done = [{"id": item["id"], **run_cell(shell, item["source"], limits)}]
            continue
        _tell(report, *done)
        done = []
        connection = next(connections)
        if item["id"] in job["done"]:
            pass
        elif place == last:
            hear_the_clock()
            serve(connection, limits, namespace, scratch)
        else:
            with spare:
                _let_a_snapshot_answer(connection, limits, namespace, scratch, report)
        connection.close()
    _tell(report, *done, {"ended": True})


def _tell(report: socket.socket, *records: Report) -> None:
    report.sendall(b"".join(json.dumps(record).encode("ascii") + b"\n" for record in records))


def _set_memory_aside(limits: Limits) -> None:
    """Let no collector of a snapshot's touch, and so copy, what is there by now; garbage first, or it would stay."""
    with contextlib.suppress(TookTooLong), time_limit(limits.call_cpu, limits.cell):
        gc.collect()
    gc.freeze()


class _Spare:
    """A descriptor that is given back while a snapshot answers: a cell may have left none."""

    def __init__(self) -> None:
        self.descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        with contextlib.suppress(OSError):  # a cell may have closed it, too
            os.close(self.descriptor)

    def __exit__(self, *details: object) -> None:
        with contextlib.suppress(OSError):
            self.descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _fork() -> int:
    """Children that have ended and that no cell has waited for take up places: let go of where none is left."""
    try:
        return os.fork()
    except BlockingIOError:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        return os.fork()


def _let_a_snapshot_answer(
    connection: socket.socket, limits: Limits, namespace: Namespace, scratch: Path, report: socket.socket
) -> None:
    hear_the_clock()
    _set_memory_aside(limits)
    try:
        pid = _fork()
    except BlockingIOError:
        _tell(report, {"full": True})
        raise
    if pid == 0:
        os.setpgid(0, 0)
        report.close()
        with contextlib.suppress(BaseException):
            serve(connection, limits, namespace, scratch)
        os._exit(0)
    watch = select.poll()
    descriptor = os.pidfd_open(pid)
    try:
        watch.register(descriptor, select.POLLIN)
        watch.register(connection, select.POLLHUP | select.POLLRDHUP)
        while not any(number == descriptor for number, _ in watch.poll()):
            watch.unregister(connection)  # the judge has hung up
            if not watch.poll(GRACE * 1000):
                os.kill(pid, signal.SIGKILL)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # what it has forked ends with its test
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
