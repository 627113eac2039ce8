"""A warm process: imports the libraries once, then forks a student or a judge on request, in milliseconds.

`python -m autograder.engine.warm ROLE FD PRELOAD` is started by `autograder.engine.processes`; one process a role, so
that a student's memory never held a test. Requests and answers are lines of JSON; sockets come along as descriptors.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.engine import sandbox
from autograder.engine.limits import Limits

OUT_OF_MEMORY = 77  # exit code of the keeper where the submission as a whole used too much memory
NO_WALLS = 78  # exit code where the sandbox could not be raised
WATCH = 0.1  # seconds between two looks at a submission's memory


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
    os.chdir(job["scratch"])
    run_tests(job, report, students)


def become_keeper(shell: Any, sockets: list[socket.socket]) -> None:
    """Fork the student into its walls; stay outside, watch its memory, and end everything when told to."""
    os.setsid()
    sandbox.die_with_parent(signal.SIGTERM)
    job = read_job(sockets[0])
    limits = Limits(**job["limits"])
    inside = 0

    def end(number: int, frame: Any) -> None:
        if inside:
            _kill_tree(inside)

    signal.signal(signal.SIGTERM, end)
    way = job["walls"]["namespaces"]
    if way:
        sandbox.unshare(way)
    inside = os.fork()
    if inside == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _be_student(shell, sockets, job, limits)
        os._exit(0)
    for connection in sockets:
        connection.close()
    os._exit(_keep(inside, limits))


def _keep(pid: int, limits: Limits) -> int:
    """Wait for the student; exit code 128 + N for one that was ended by signal N."""
    allowed = limits.memory + _private_bytes(pid)
    too_much = False
    watch = select.poll()
    watch.register(os.pidfd_open(pid), select.POLLIN)
    while not watch.poll(WATCH * 1000):
        if _tree_bytes(pid) > allowed:
            too_much = True
            _kill_tree(pid)
    status = os.waitpid(pid, 0)[1]
    if too_much:
        return OUT_OF_MEMORY
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _kill_tree(pid: int) -> None:
    """SIGKILL for the student: with a process namespace, everything in it ends; without, everything we can find."""
    victims = _descendants(pid)
    for victim in [pid, *victims]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(victim, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < 10_000:
        try:
            children = [int(n) for n in Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text().split()]
        except (OSError, ValueError):
            children = []
        found += children
        waiting = waiting[1:] + children
    return found


def _private_bytes(pid: int) -> int:
    """Memory that is this process' own: resident, without files and shared pages."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _tree_bytes(pid: int) -> int:
    """What all processes of a submission hold; pages that a fork still shares with its parent count once."""
    sizes = [_private_bytes(p) for p in [pid, *_descendants(pid)]]
    base = min(sizes)
    return base + sum(size - base for size in sizes)


def _be_student(shell: Any, sockets: list[socket.socket], job: dict[str, Any], limits: Limits) -> None:
    from autograder.engine.student import run_notebook

    report = sockets[0]
    sandbox.die_with_parent(signal.SIGKILL)
    try:
        _close_all_but([s.fileno() for s in sockets])
        scratch = _raise_walls(job, limits)
    except (sandbox.SandboxError, OSError) as error:
        report.sendall(json.dumps({"sandbox": str(error)}).encode() + b"\n")
        os._exit(NO_WALLS)
    os.environ.clear()
    os.environ.update(CLEAN_ENVIRONMENT | {"HOME": str(scratch), "TMPDIR": str(scratch)})
    run_notebook(shell, job, report, sockets[1:], scratch)


CLEAN_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _raise_walls(job: dict[str, Any], limits: Limits) -> Path:
    """Every wall that this machine offers, from the outside in; returns the folder that the student may write."""
    walls = sandbox.Walls(**job["walls"])
    files = [(name, bytes.fromhex(content)) for name, content in job["files"]]
    uid = sandbox.spare_uid() if os.geteuid() == 0 and not job["unsafe"] else 0
    if walls.namespaces:
        sandbox.enter_mount_namespace()
        sandbox.build_root(limits, files, job["hidden"], uid)
        scratch = Path.cwd()
    else:
        scratch = Path(job["scratch"])
        os.chdir(scratch)
        for name, content in files:
            Path(scratch, name).write_bytes(content)
        if uid:
            os.chown(scratch, uid, uid)
    sandbox.limit_resources(limits)
    if job["unsafe"] and not walls.namespaces:
        return scratch
    sandbox.drop_privileges(uid)
    if not walls.namespaces and walls.landlock:
        sandbox.landlock(walls.landlock, str(scratch))
    if walls.seccomp:
        sandbox.install_filter(namespaces=bool(walls.namespaces))
    return scratch


def _close_all_but(keep: list[int]) -> None:
    """Leave the sockets open, point the standard streams at nothing, close everything else."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        if stream not in keep:
            os.dup2(nothing, stream)
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 4096)


def main(role: str, descriptor: int, preload: list[str]) -> None:
    control = socket.socket(fileno=descriptor)
    sandbox.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(preload)
    if role == "student":
        from autograder.engine.student import make_shell

        become: Callable[[list[socket.socket]], None] = functools.partial(become_keeper, make_shell())
    else:
        from autograder.engine import judge  # noqa: F401  imported once, here

        become = become_judge
    gc.collect()
    gc.freeze()  # a child's collector would touch, and so copy, every page of what was imported
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
    main(sys.argv[1], int(sys.argv[2]), [name for name in sys.argv[3].split(",") if name])
