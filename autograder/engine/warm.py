"""A warm process: imports the libraries once, then forks a student or a judge on request, in milliseconds.

`python -m autograder.engine.warm ROLE FD PRELOAD CORE` is started by `autograder.engine.processes`; one a role, so
that a student's memory never held a test. Requests and answers are lines of JSON; sockets come along as descriptors.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.engine import sandbox
from autograder.engine.keeper import become_keeper
from autograder.engine.limits import Limits


def warm_up(preload: list[str]) -> None:
    """Import what the notebooks import, with one thread: a parent that has run threads makes children hang."""
    for name in preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        import torch.optim

        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)  # its first use imports much more


def read_job(connection: socket.socket) -> dict[str, Any]:
    """The job of a new child: one line of JSON on its own socket, so that no other child ever held it."""
    parts = []
    while True:
        part = connection.recv(1 << 16)
        if not part:
            raise EOFError("no job")
        parts.append(part)
        if part.endswith(b"\n"):
            return json.loads(b"".join(parts))  # type: ignore[no-any-return]


def become_judge(sockets: list[socket.socket]) -> None:
    from autograder.engine.judge import run_tests

    sandbox.die_with_parent(signal.SIGKILL)
    report, *students = sockets
    job = read_job(report)
    limits = Limits(**job["limits"])
    os.chdir(job["scratch"])
    sandbox.write_files(Path.cwd(), [(name, bytes.fromhex(content)) for name, content in job["files"]])
    sandbox.limit_memory(2 * limits.memory)  # the tests' own, and what an answer sends
    run_tests(job, report, students)


def become_student(shell: Any, sockets: list[socket.socket]) -> None:
    become_keeper(shell, sockets, read_job(sockets[0]))


def _leave_to_no_collector() -> None:
    """A child's collector would touch, and so copy, every page of what is here."""
    gc.collect()
    gc.freeze()


def main(role: str, descriptor: int, preload: list[str], core: int) -> None:
    control = socket.socket(fileno=descriptor)
    if core >= 0:
        os.sched_setaffinity(0, {core})
    sandbox.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(preload)
    if role == "student":
        from autograder.engine.student import make_shell

        become: Callable[[list[socket.socket]], None] = functools.partial(become_student, make_shell())
    else:
        from autograder.engine import judge  # noqa: F401  imported once, here

        become = become_judge
    sandbox.readable_paths()  # looked up once
    _leave_to_no_collector()
    control.sendall(b"ready\n")
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 4096, 250)
        if not request:
            return
        asked = json.loads(request)
        if "wait" in asked:
            _, status, usage = os.wait4(asked["wait"], 0)
            cpu = usage.ru_utime + usage.ru_stime
            control.sendall(json.dumps({"code": os.waitstatus_to_exitcode(status), "cpu": cpu}).encode() + b"\n")
            continue
        if "prepare" in asked:
            from autograder.engine.judge import prepare

            prepare(json.loads(Path(asked["prepare"]).read_text(encoding="utf-8")))
            _leave_to_no_collector()
            control.sendall(b"{}\n")
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            try:
                become([socket.socket(fileno=d) for d in descriptors])
            finally:
                os._exit(0)
        for d in descriptors:
            os.close(d)
        watch = os.pidfd_open(pid)
        socket.send_fds(control, [json.dumps({"pid": pid}).encode() + b"\n"], [watch])
        os.close(watch)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [name for name in sys.argv[3].split(",") if name], int(sys.argv[4]))
