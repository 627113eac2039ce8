"""What the processes of one submission use together: memory, the kernel's memory for them, the processor.

The kernel counts for each process. What many of them hold, and what none of them holds by name, is added up here from
its tables: proc(5), and Documentation/filesystems/proc.rst of the kernel's source for `smaps_rollup`.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import stat
from collections.abc import Container, Iterable
from pathlib import Path
from typing import NamedTuple

from autograder.engine import sandbox
from autograder.engine.limits import Limits
from autograder.engine.seccomp import MOST_SHARED

SOCKET = 2**18  # bytes that may wait in a socket, by the kernel's default for its buffer
PIPE = 2**16
NAMELESS = (b"/dev/zero (deleted)", b"[anon_shmem:")  # how shared memory without a file is listed
MOST_PROCESSES = 10_000
TICKS = os.sysconf("SC_CLK_TCK")
SHARE = 2  # tasks that may compute at a time as any other on the machine
WEIGHT = 1.25  # by which a step of niceness divides what a task gets: sched(7)
NICEST = 19


def descendants(pid: int, but: Container[int] = ()) -> list[int]:
    """All processes that come from this one: children belong to the thread that forked them."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < MOST_PROCESSES:
        children: list[int] = []
        with contextlib.suppress(OSError):
            for thread in Path("/proc", str(waiting.pop()), "task").iterdir():
                with contextlib.suppress(OSError):
                    children += [int(number) for number in Path(thread, "children").read_bytes().split()]
        children = [child for child in children if child not in but]
        found += children
        waiting += children
    return found


class Submission:
    """One submission, looked at from its keeper, again and again."""

    def __init__(self, pid: int, limits: Limits, folder: str) -> None:
        """`folder` is its own on disk, where no file system in memory bounds it; else ""."""
        self.limits = limits
        self.folder = os.path.realpath(folder) if folder else ""
        self.used_before = _used(self.folder)
        self.base = _held(pid)  # the libraries, which it shares with the warm process
        self.shared_before = _shared_here()
        self.pids: list[int] = []
        self.tasks: dict[tuple[int, int], float] = {}  # CPU seconds by process and time of its start
        self.ended: list[int] = []  # of the processes, those that wait for somebody to hear of their end
        self.threads = 0  # of all of them
        self.others_before = _tasks_here() - 1
        self.cpu = 0.0  # CPU seconds of all processes, of those that have ended, too
        self.niceness = 0

    def look(self) -> None:
        """Count once more, and see that many tasks get no more of the processor than one would."""
        self.pids = descendants(os.getpid())
        self.ended, self.threads = [], 0
        computing: list[int] = []
        with_children = 0.0
        for pid in self.pids:
            task = _task(Path(f"/proc/{pid}/stat"))
            if task is None:
                continue
            with_children += task.cpu + task.of_children
            self.threads += task.threads
            if task.ended:
                self.ended.append(pid)
            key = pid, task.started
            busy = task.cpu > self.tasks.get(key, 0.0)
            self.tasks[key] = task.cpu
            if task.threads == 1:
                computing += [pid] * task.runs
            elif busy:
                computing += _running(pid)
        self.cpu = max(self.cpu, with_children, sum(self.tasks.values()))
        self._hold_back(len(computing))

    def _hold_back(self, computing: int) -> None:
        """So many tasks at this niceness weigh about as much as one without; a new one has that of its parent."""
        wanted = min(NICEST, math.ceil(math.log(computing, WEIGHT))) if computing > SHARE else 0
        if wanted == self.niceness == 0:
            return
        # Only root may take it back; it need not be to keep a promise to others.
        self.niceness = wanted if os.geteuid() == 0 else max(wanted, self.niceness)
        for pid in self.pids:
            with contextlib.suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    with contextlib.suppress(OSError):
                        os.setpriority(os.PRIO_PROCESS, int(thread.name), self.niceness)

    def lacks_room(self, pid: int) -> bool:
        """Whether others take the processes that `pid` was promised, where the kernel counts all of a user together.

        First a number that is quick to have: of all tasks on the machine. Where many have come, they are looked at.
        """
        if _tasks_here() - self.threads - self.others_before <= self.limits.processes // 2:
            return False
        with contextlib.suppress(OSError):
            allowed = resource.prlimit(pid, resource.RLIMIT_NPROC)[0]
            return allowed - (sandbox.threads_of(os.getuid()) - self.threads) < self.limits.processes // 2
        return False

    def holds_too_much(self) -> bool:
        """Whether the submission holds more than it may, beyond the libraries that it shares with the warm process.

        First a bound that is quick to have: pages that a fork shares with its parent count twice in it, but for the
        libraries'. Only where that is too much, the kernel is asked for exact shares.
        """
        rough = [_held(pid) for pid in self.pids]
        allowed = self.limits.memory + self.base - self._unseen()
        if sum(rough) - self.base * (len(rough) - 1) <= allowed:
            return False
        return sum(_share(pid, held) for pid, held in zip(self.pids, rough, strict=True)) > allowed

    def _unseen(self) -> int:
        """The most that may be held by what no process has in its own tables; each part is added up where it matters.

        In sockets and pipes; in shared memory without a name, of which a process may show a page and hold it all;
        in files on disk that have lost their names, and are open, or mapped, or under way in a socket.
        """
        matters = self.limits.memory // 4
        total = 0
        if self.folder or sum(_slots(pid) for pid in self.pids) * SOCKET > matters:
            total += _in_descriptors(self.pids)
        if self.folder:
            used = _used(self.folder)
            self.used_before = min(self.used_before, used)
            if used - self.used_before > self.limits.scratch:
                hidden = len(_mapped_only(self.pids, self.folder)) + _under_way(self.pids)
                total += hidden * self.limits.scratch  # the most that one file can be
        shared = _shared_here()
        self.shared_before = min(self.shared_before, shared)
        if shared - self.shared_before > matters:
            total += MOST_SHARED * len(_nameless(self.pids))
        return total


# ---- the kernel's tables


class _Task(NamedTuple):
    runs: bool
    ended: bool
    cpu: float
    of_children: float  # that it has waited for
    threads: int
    started: int


def _task(path: Path) -> _Task | None:
    """A line of `stat`; its second field is a name, in which anything may stand."""
    try:
        fields = path.read_bytes().rpartition(b")")[2].split()
        user, system, childrens_user, childrens_system = (int(n) / TICKS for n in fields[11:15])
        own, childrens = user + system, childrens_user + childrens_system
        return _Task(fields[0] == b"R", fields[0] == b"Z", own, childrens, int(fields[17]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def stands_still(pid: int) -> bool:
    """Whether a process is stopped, or gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in b"TtZX"
    except (OSError, IndexError):
        return True


def _running(pid: int) -> list[int]:
    """The threads of a process that compute, or wait to."""
    with contextlib.suppress(OSError):
        found = [(int(thread.name), _task(thread / "stat")) for thread in Path(f"/proc/{pid}/task").iterdir()]
        return [thread for thread, task in found if task is not None and task.runs]
    return []


def _held(pid: int) -> int:
    """Memory that a process holds itself, in bytes: anonymous, shared with others of its own, swapped, page tables."""
    return sum(_sizes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:")))


def _share(pid: int, otherwise: int) -> int:
    """The same, with each page divided by the number of processes that hold it."""
    found = _sizes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
    tables = _sizes(f"/proc/{pid}/status", (b"VmPTE:",))
    return sum(found) + sum(tables) if found else otherwise


def _slots(pid: int) -> int:
    """How many descriptors a process has room for by now."""
    return sum(_sizes(f"/proc/{pid}/status", (b"FDSize:",))) // 1024


def _shared_here() -> int:
    """Bytes of shared memory and of files in memory on the whole machine, others' too."""
    return sum(_sizes("/proc/meminfo", (b"Shmem:",)))


def _sizes(path: str, wanted: tuple[bytes, ...]) -> list[int]:
    """The lines of one of the kernel's tables that begin so, in bytes."""
    try:
        lines = Path(path).read_bytes().splitlines()
        return [1024 * int(line.split()[1]) for line in lines if line.startswith(wanted)]
    except (OSError, ValueError, IndexError):
        return []


def _in_descriptors(pids: Iterable[int]) -> int:
    """Bytes that sockets and pipes may hold, and that open files without a name do."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    status = descriptor.stat()
                    found[status.st_dev, status.st_ino] = _behind(status)
    return sum(found.values())


def _used(folder: str) -> int:
    """Bytes in use on the disk where a folder lies, others' too."""
    if not folder:
        return 0
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def _mapped_only(pids: Iterable[int], folder: str) -> set[tuple[bytes, bytes]]:
    """Files of a folder that have lost their names and are in memory of these processes, by device and number."""
    found = set()
    start = os.fsencode(folder) + b"/"
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
                _, _, _, device, inode, *name = line.split(None, 5)
                if name and name[0].startswith(start) and name[0].endswith(b" (deleted)"):
                    found.add((device, inode))
    return found


def _under_way(pids: Iterable[int]) -> int:
    """Descriptors that were sent over local sockets and not received: they are in no process."""
    found: dict[bytes, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fdinfo").iterdir():
                with contextlib.suppress(OSError, ValueError):
                    lines = dict(line.split(b":", 1) for line in descriptor.read_bytes().splitlines())
                    if b"scm_fds" in lines:
                        found[lines.get(b"ino", descriptor.name.encode())] = int(lines[b"scm_fds"])
    return sum(found.values())


def _tasks_here() -> int:
    """All threads of the machine, others' too."""
    try:
        return int(Path("/proc/loadavg").read_bytes().split()[3].partition(b"/")[2])
    except (OSError, ValueError, IndexError):
        return 0


def _behind(status: os.stat_result) -> int:
    if stat.S_ISSOCK(status.st_mode):
        return SOCKET
    if stat.S_ISFIFO(status.st_mode):
        return PIPE
    return status.st_blocks * 512 if stat.S_ISREG(status.st_mode) and not status.st_nlink else 0


def _nameless(pids: Iterable[int]) -> set[tuple[bytes, bytes]]:
    """The pieces of shared memory without a name, by device and number."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
                _, _, _, device, inode, *name = line.split(None, 5)
                if name and name[0].startswith(NAMELESS):
                    found.add((device, inode))
    return found
