"""The student's process: runs the student's cells, and at each test lets a snapshot of itself answer the judge.

Everything here lies in the same process as hostile code, so nothing here is trusted by anybody: the judge checks what
arrives, and the engine kills what takes too long. For honest code it keeps one test's effects from the next one and
turns an endless loop into a message.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.engine.answerer import names_of, serve
from autograder.engine.clock import TookTooLong, hear_the_clock, time_limit
from autograder.engine.jobs import StudentOrder
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded
from autograder.engine.raised import text_of

GRACE = 0.2  # seconds for a snapshot to leave after its test


def make_shell(namespace: dict[str, Any] | None = None) -> Any:
    """An IPython shell without a terminal, a history or a trace on the screen; magics and top-level await work.

    It takes a while to make, so the warm parent makes it, and every student inherits it with an empty `__main__`. A
    judge makes one on its own `namespace`, for a course that uses magics in its own cells.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.profiledir import ProfileDir
    from traitlets.config import Config

    module = types.ModuleType("__main__")
    if namespace is None:
        sys.modules["__main__"] = module
        namespace = module.__dict__
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    with tempfile.TemporaryDirectory(prefix="autograder-shell-") as folder:
        shell = InteractiveShell(
            config=config,
            ipython_dir=folder,
            profile_dir=ProfileDir.create_profile_dir(folder),
            user_module=module,
            user_ns=namespace,
        )
    InteractiveShell._instance = shell
    quiet: Callable[..., None] = lambda *a, **k: None  # noqa: E731
    shell.enable_gui = quiet
    shell.system = functools.partial(_run_command, shell)
    shell.showtraceback = shell.showsyntaxerror = shell.showindentationerror = shell._showtraceback = quiet
    shell.transform_cell = functools.partial(_as_python, shell, shell.transform_cell)
    shell.run_cell("None", store_history=False, silent=False)  # its first cell imports more
    return shell


def _as_python(shell: Any, transform: Callable[[str], str], source: str) -> str:
    """A cell with its magics as calls. What is Python already has none, which is told sooner than by its tokens."""
    if not shell.input_transformers_post:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            ast.parse(source)
            return source if source.endswith("\n") else source + "\n"
    return transform(source)


def _run_command(shell: Any, command: str) -> None:
    """`!command`, with its output in the cell; IPython's own way needs a terminal."""
    done = subprocess.run(
        ["/bin/sh", "-c", shell.var_expand(command, depth=1)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    print(done.stdout.decode("utf-8", "replace"), end="")
    shell.user_ns["_exit_code"] = done.returncode


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
    return record


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
            _let_a_snapshot_answer(connection, limits, namespace, scratch, report)
        connection.close()
    _tell(report, *done, {"ended": True})


def _tell(report: socket.socket, *records: dict[str, Any]) -> None:
    report.sendall(b"".join(json.dumps(record).encode("ascii") + b"\n" for record in records))


def _set_memory_aside(limits: Limits) -> None:
    """Let no collector of a snapshot's touch, and so copy, what is there by now; garbage first, or it would stay."""
    with contextlib.suppress(TookTooLong), time_limit(limits.call_cpu, limits.cell):
        gc.collect()
    gc.freeze()


def _let_a_snapshot_answer(
    connection: socket.socket, limits: Limits, namespace: dict[str, Any], scratch: Path, report: socket.socket
) -> None:
    hear_the_clock()
    _set_memory_aside(limits)
    pid = os.fork()
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
