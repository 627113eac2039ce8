"""The keeper of one student: raises the walls around it, watches from outside what it uses, and ends all of it.

The warm process forks the keeper, the keeper forks the student. It holds no socket of the student's, and where there
are namespaces, it is in none of the student's own; so nothing that the student does reaches it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from autograder import folders
from autograder.engine import groups, sandbox, usage
from autograder.engine.jobs import StudentOrder
from autograder.engine.limits import Limits
from autograder.engine.usage import descendants

FAILED = 75  # exit code of the keeper where it broke itself: no word on the submission
TOO_MUCH_COMPUTING = 76  # exit code where all its processes together used up the time of the processor
OUT_OF_MEMORY = 77  # exit code of the keeper where the submission as a whole used too much memory, or disk
NO_WALLS = 78  # exit code where the sandbox could not be raised
NO_ROOM = 79  # exit code where others of the grader's user took the processes that the submission was promised
WATCH = 0.1  # seconds between two looks at a submission
PART = 3  # a look waits for so many times the CPU seconds of the one before
STOP = 1.0  # seconds for its processes to stop
END = 30.0  # seconds for its processes to be gone
MOST_FILES = 20_000  # in the student's folder, where no file system of its own bounds them
MOST_UNSURE = 3  # looks in a row at a folder that is moved about; for the next one, its processes are stopped
CLEAN_ENVIRONMENT = {
    "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_NO_INDEX": "1",  # says at once that it finds nothing, where it would try for long
}


def become_keeper(shell: Any, sockets: list[socket.socket], job: StudentOrder) -> None:
    """Fork the student into its walls; stay outside, watch it, and end everything when told to."""
    os.setsid()
    sandbox.die_with_parent(signal.SIGTERM)
    limits = Limits(**job["limits"])
    way = job["walls"]["namespaces"]
    inside = 0

    def end(number: int, frame: Any) -> None:
        if not inside:
            os._exit(0)
        _kill([inside])

    signal.signal(signal.SIGTERM, end)
    another = os.geteuid() == 0 and (way == "root" or not (way or job["unsafe"]))
    uid, claim = sandbox.spare_uid() if another else (0, None)
    if way:
        sandbox.unshare(way)
    else:
        sandbox.adopt_orphans()
    group = None
    if job["group"]:
        with contextlib.suppress(OSError):  # then what is counted here has to do
            group = groups.Group(job["group"], limits)
    inside = os.fork()
    if inside == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if group is not None:
            group.join()
        _be_student(shell, sockets, job, limits, uid)
        os._exit(0)
    for connection in sockets:
        connection.close()
    try:
        together = not (way or another)  # the kernel counts its processes with those of its neighbours
        code = _keep(inside, limits, "" if way else job["scratch"], group, together=together)
    except Exception:
        code = FAILED
    end_descendants()
    if group is not None:
        group.end()
    del claim  # held until here: the user is this submission's alone
    os._exit(code)


def _keep(pid: int, limits: Limits, folder: str, group: groups.Group | None, *, together: bool) -> int:
    """Wait for the student; exit code 128 + N for one that was ended by signal N."""
    watched = usage.Submission(pid, limits, folder)
    kept = _Folder(folder, limits)
    code = 0  # ours; a student's own word is none of these
    lacked_room = False
    watch = select.poll()
    watch.register(os.pidfd_open(pid), select.POLLIN)
    wait = WATCH
    while not watch.poll(wait * 1000):
        began = time.process_time()
        watched.look()
        _hear_of(watched.ended, but=pid)
        lacked_room = lacked_room or (together and watched.lacks_room(pid))
        if watched.holds_too_much() or (folder and kept.holds_too_much(watched.pids)):
            code = OUT_OF_MEMORY
        elif max(watched.cpu, group.cpu() if group is not None else 0.0) > limits.notebook:
            code = TOO_MUCH_COMPUTING
        if code:
            _kill(descendants(os.getpid()))
        wait = max(WATCH, PART * (time.process_time() - began))
    said = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        return code
    if group is not None and group.was_out_of_memory():
        return OUT_OF_MEMORY
    if lacked_room:
        return NO_ROOM
    if said in (FAILED, TOO_MUCH_COMPUTING, OUT_OF_MEMORY, NO_ROOM):
        return 1  # a student's word, not ours
    return 128 - said if said < 0 else said


class _Folder:
    """The student's folder on disk."""

    def __init__(self, path: str, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.unsure = 0

    def holds_too_much(self, pids: Iterable[int]) -> bool:
        """`pids` are stopped for a while where it was moved about in each of the looks before."""
        stopped = self.unsure >= MOST_UNSURE
        if stopped:
            _stop(pids)
        more = folders.holds_more(self.path, self.limits.scratch, MOST_FILES)
        if stopped:
            _kill(pids, signal.SIGCONT)
        self.unsure = self.unsure + 1 if more is None else 0
        return bool(more)


def _stop(pids: Iterable[int]) -> None:
    """Stop processes, and wait for a while until they stand still."""
    _kill(pids, signal.SIGSTOP)
    deadline = time.monotonic() + STOP
    while not all(usage.stands_still(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.005)


def _hear_of(ended: Iterable[int], but: int) -> None:
    """Orphans become the keeper's, where there are no namespaces; until they are waited for, each takes up a place."""
    for pid in ended:
        if pid != but:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_descendants(but: Container[int] = ()) -> None:
    """Stop what comes from this process, until nothing new appears, then end it; children named in `but` stay."""
    deadline = time.monotonic() + END
    while (left := descendants(os.getpid(), but)) and time.monotonic() < deadline:
        stopped: set[int] = set()
        while new := set(left) - stopped:
            _kill(new, signal.SIGSTOP)
            stopped |= new
            left = descendants(os.getpid(), but)
        _kill(stopped)
        for pid in stopped:  # of these, the children: others become so when their parents are gone
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


def _kill(victims: Iterable[int], number: int = signal.SIGKILL) -> None:
    for victim in victims:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(victim, number)


# ---- inside


def _be_student(shell: Any, sockets: list[socket.socket], job: StudentOrder, limits: Limits, uid: int) -> None:
    from autograder.engine.student import run_notebook

    report = sockets[0]
    os.setsid()  # a signal to its own group must not reach the keeper
    sandbox.die_with_parent(signal.SIGKILL)
    try:
        _close_all_but([s.fileno() for s in sockets])
        scratch = _raise_walls(job, limits, uid)
    except (sandbox.SandboxError, OSError) as error:
        report.sendall(json.dumps({"sandbox": str(error)}).encode() + b"\n")
        os._exit(NO_WALLS)
    os.environ.clear()
    os.environ.update(CLEAN_ENVIRONMENT | {"HOME": str(scratch), "TMPDIR": str(scratch)})
    threading.stack_size(limits.thread_stack)
    tempfile.tempdir = None  # the warm process has looked for it already, in another environment
    sys.path[:] = ["", *filter(sandbox.is_readable, sys.path)]  # as in Jupyter, the notebook's folder first
    run_notebook(shell, job, report, sockets[1:], scratch)


def _raise_walls(job: StudentOrder, limits: Limits, uid: int) -> Path:
    """Every wall that this machine offers, from the outside in; returns the folder that the student may write."""
    walls = sandbox.Walls(**job["walls"])
    files = [(name, bytes.fromhex(content)) for name, content in job["files"]]
    if walls.namespaces:
        sandbox.enter_mount_namespace()
        sandbox.build_root(limits, files, job["hidden"], uid)
        scratch = Path.cwd()
    else:
        scratch = Path(job["scratch"])
        os.chdir(scratch)
        sandbox.write_files(scratch, files, uid)
        if uid:
            os.chown(scratch, uid, uid)
    sandbox.limit_resources(limits, alone=bool(uid) or walls.namespaces == "user")
    if job["unsafe"] and not walls.namespaces:
        return scratch
    sandbox.shut_in(walls, uid, str(scratch))
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
