"""Warm processes: the libraries are imported once; then a student or a judge is forked on request, in milliseconds.

`python -m autograder.engine.warm FD MODULE…`, started by `autograder.engine.processes`, imports the modules and forks
a warm process for each role and core: one for judges and one for students, so that a student's memory never held a
test. Requests and answers are JSON; sockets come along as descriptors.
"""

from __future__ import annotations

import codecs
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
from typing import Any

from autograder.engine import courtroom, huge_pages, sandbox
from autograder.engine.jobs import JudgeOrder, Place
from autograder.engine.keeper import become_keeper, end_descendants
from autograder.engine.limits import Limits
from autograder.engine.shell import make_shell


def warm_up(preload: list[str]) -> None:
    """Import what the notebooks import, with one thread: a parent that has run threads makes children hang."""
    codecs.lookup("ascii")  # a module of its own, which each child would look for anew
    for name in preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        import torch.optim  # only where the notebooks use torch

        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)  # its first use imports much more


def read_job(connection: socket.socket) -> Any:
    """The job of a new child: one line of JSON on its own socket, so that no other child ever held it."""
    parts = []
    while True:
        part = connection.recv(1 << 16)
        if not part:
            raise EOFError("no job")
        parts.append(part)
        if part.endswith(b"\n"):
            return json.loads(b"".join(parts))


def become_judge(room: courtroom.Courtroom, sockets: list[socket.socket]) -> None:
    from autograder.engine.judge import run_tests  # by `main`, once the libraries are there; so below

    sandbox.die_with_parent(signal.SIGKILL)
    report, *students = sockets
    job: JudgeOrder = read_job(report)
    limits = Limits(**job["limits"])
    try:
        room.admit(job, limits)
    except (sandbox.SandboxError, OSError) as error:
        report.sendall(json.dumps({"sandbox": str(error)}).encode() + b"\n")
        return
    run_tests(job, report, students)


def become_student(shell: Any, sockets: list[socket.socket]) -> None:
    become_keeper(shell, sockets, read_job(sockets[0]))


def _leave_to_no_collector() -> None:
    """A child's collector would touch, and so copy, every page of what is here."""
    gc.collect()
    gc.freeze()


def tend(role: str, core: int | None, place: Place, control: socket.socket) -> None:
    """The life of a warm process: children of one role, until the other end hangs up.

    `place` says what walls there are, and what they are to hide.
    """
    if core is not None:
        os.sched_setaffinity(0, {core})
    from autograder.engine import practice  # by `main`, once the libraries are there

    become: Callable[[list[socket.socket]], None]
    room = None
    if role == "student":
        shell = make_shell()
        practice.practise_as_student(shell)
        become = functools.partial(become_student, shell)
        courtroom.introduce(control, os.getpid())
    else:
        room = courtroom.enter(control, place)
        practice.practise_as_judge()
        become = functools.partial(become_judge, room)
    _leave_to_no_collector()
    sandbox.adopt_orphans()  # what a keeper leaves that was killed
    forked: set[int] = set()
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 4096, 250)
        if not request:
            return
        asked = json.loads(request)
        if "wait" in asked:
            _, status, usage = os.wait4(asked["wait"], 0)
            forked.discard(asked["wait"])
            end_descendants(but=forked)
            if room is not None:
                room.clear()
            cpu = usage.ru_utime + usage.ru_stime
            control.sendall(json.dumps({"code": os.waitstatus_to_exitcode(status), "cpu": cpu}).encode() + b"\n")
            continue
        if "prepare" in asked:
            from autograder.engine.judge import prepare

            with os.fdopen(descriptors[0], encoding="utf-8") as file:
                prepare(asked["prepare"], *json.load(file))
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
        forked.add(pid)
        for d in descriptors:
            os.close(d)
        watch = os.pidfd_open(pid)
        socket.send_fds(control, [json.dumps({"pid": pid}).encode() + b"\n"], [watch])
        os.close(watch)


def main(descriptor: int, preload: list[str]) -> None:
    control = socket.socket(fileno=descriptor)
    sandbox.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(preload)
    from autograder.engine import judge, practice, student  # noqa: F401  imported once, here

    if "torch" in sys.modules:
        from autograder.engine import gradients  # noqa: F401

    sandbox.look_around()
    _leave_to_no_collector()
    huge_pages.gather()
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not request:
            break
        pid = os.fork()
        if pid == 0:
            control.close()
            sandbox.die_with_parent(signal.SIGKILL)
            try:
                tend(**json.loads(request), control=socket.socket(fileno=descriptors[0]))
            finally:
                os._exit(0)
        os.close(descriptors[0])
        _hear_of_the_ended()
    with contextlib.suppress(ChildProcessError):
        while os.wait():  # for their CPU time to count as this process's
            pass


def _hear_of_the_ended() -> None:
    """Warm processes whose engine was replaced."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
