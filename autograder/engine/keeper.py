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
import time
from pathlib import Path
from typing import Any

from autograder.engine import sandbox
from autograder.engine.limits import Limits

OUT_OF_MEMORY = 77  # exit code of the keeper where the submission as a whole used too much memory, or disk
NO_WALLS = 78  # exit code where the sandbox could not be raised
WATCH = 0.1  # seconds between two looks at a submission
END = 3.0  # seconds for its processes to be gone
MOST_FILES = 20_000  # in the student's folder, where no file system of its own bounds them
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


def become_keeper(shell: Any, sockets: list[socket.socket], job: dict[str, Any]) -> None:
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
    inside = os.fork()
    if inside == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _be_student(shell, sockets, job, limits, uid)
        os._exit(0)
    for connection in sockets:
        connection.close()
    code = _keep(inside, limits, "" if way else job["scratch"])
    _end_all()
    del claim  # held until here: the user is this submission's alone
    os._exit(code)


def _keep(pid: int, limits: Limits, folder: str) -> int:
    """Wait for the student; exit code 128 + N for one that was ended by signal N."""
    base = _held(pid)
    too_much = False
    watch = select.poll()
    watch.register(os.pidfd_open(pid), select.POLLIN)
    while not watch.poll(WATCH * 1000):
        if _uses_too_much(base, limits) or (folder and _fills(folder, limits.scratch)):
            too_much = True
            _kill(_descendants(os.getpid()))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if too_much:
        return OUT_OF_MEMORY
    if code == OUT_OF_MEMORY:
        return 1  # a student's word, not ours
    return 128 - code if code < 0 else code


def _end_all() -> None:
    """Where no process namespace did it: stop what is left, until nothing new appears, then end it."""
    deadline = time.monotonic() + END
    while (left := _descendants(os.getpid())) and time.monotonic() < deadline:
        stopped: set[int] = set()
        while new := set(left) - stopped:
            _kill(new, signal.SIGSTOP)
            stopped |= new
            left = _descendants(os.getpid())
        _kill(stopped)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _kill(victims: Any, number: int = signal.SIGKILL) -> None:
    for victim in victims:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(victim, number)


def _descendants(pid: int) -> list[int]:
    """All processes that come from this one: children belong to the thread that forked them."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < 10_000:
        children: list[int] = []
        with contextlib.suppress(OSError):
            for thread in Path("/proc", str(waiting.pop()), "task").iterdir():
                with contextlib.suppress(OSError):
                    children += [int(number) for number in Path(thread, "children").read_bytes().split()]
        found += children
        waiting += children
    return found


# ---- memory


def _uses_too_much(base: int, limits: Limits) -> bool:
    """Whether the submission holds more than it may, beyond the libraries that it shares with the warm process.

    First a bound that is quick to have: pages that a fork shares with its parent count twice in it, but for the
    libraries'. Only where that is too much, the kernel is asked for exact shares.
    """
    pids = _descendants(os.getpid())
    rough = [_held(pid) for pid in pids]
    allowed = limits.memory + base
    if sum(rough) - base * (len(rough) - 1) <= allowed:
        return False
    return sum(_share(pid, held) for pid, held in zip(pids, rough, strict=True)) > allowed


def _held(pid: int) -> int:
    """Memory that a process holds itself, in bytes: anonymous, shared with others of its own, swapped, page tables."""
    return sum(_sizes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:")))


def _share(pid: int, otherwise: int) -> int:
    """The same, with each page divided by the number of processes that hold it."""
    found = _sizes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
    tables = _sizes(f"/proc/{pid}/status", (b"VmPTE:",))
    return sum(found) + sum(tables) if found else otherwise


def _sizes(path: str, wanted: tuple[bytes, ...]) -> list[int]:
    """The lines of one of the kernel's tables that begin so, in bytes."""
    try:
        lines = Path(path).read_bytes().splitlines()
        return [1024 * int(line.split()[1]) for line in lines if line.startswith(wanted)]
    except (OSError, ValueError, IndexError):
        return []


def _fills(folder: str, most: int) -> bool:
    """Whether the files in a folder are too large, or too many."""
    size = 0
    for count, entry in enumerate(Path(folder).rglob("*")):
        with contextlib.suppress(OSError):
            size += entry.lstat().st_blocks * 512
        if size > most or count > MOST_FILES:
            return True
    return False


# ---- inside


def _be_student(shell: Any, sockets: list[socket.socket], job: dict[str, Any], limits: Limits, uid: int) -> None:
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
    tempfile.tempdir = None  # the warm process has looked for it already, in another environment
    sys.path[:] = ["", *filter(sandbox.is_readable, sys.path)]  # as in Jupyter, the notebook's folder first
    run_notebook(shell, job, report, sockets[1:], scratch)


def _raise_walls(job: dict[str, Any], limits: Limits, uid: int) -> Path:
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
    sandbox.drop_privileges(uid)
    sandbox.die_with_parent(signal.SIGKILL)  # once more: becoming another user has undone it
    if not walls.namespaces and walls.landlock:
        sandbox.landlock(walls.landlock, str(scratch))
    if walls.seccomp:
        kept_in = bool(walls.namespaces) or walls.landlock >= sandbox.SCOPED_SINCE
        sandbox.install_filter(namespaces=bool(walls.namespaces), signals=not kept_in)
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
