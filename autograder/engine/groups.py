"""Control groups, where the system hands one over: the kernel itself counts what a submission uses, and ends all of it.

`systemd-run --user --scope -p Delegate=yes autograder grade …` is one way to be handed a group. Elsewhere the keeper
counts. Source: Documentation/admin-guide/cgroup-v2.rst of the kernel; https://systemd.io/CGROUP_DELEGATION.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from pathlib import Path

from autograder.engine.limits import Limits

NEEDED = {"memory", "pids"}
WANTED = ("memory", "pids", "cpu")
OURS = "autograder"  # the group that the grader itself moves to: a group with controllers holds no process of its own
GONE = 10.0  # seconds for the processes of a group to be gone


@functools.cache
def prepare() -> str:
    """The folder of the group that submissions get theirs in; "" where none is handed over, or others are in it."""
    with contextlib.suppress(OSError):
        own = _own()
        if own is None:
            return ""
        if own.name == OURS and set(_words(own.parent / "cgroup.subtree_control")) >= NEEDED:
            return str(own.parent)  # a grader that was started by another
        if _is_handed_over(own) and set(_words(own / "cgroup.controllers")) >= NEEDED and _settle(own):
            return str(own)
    return ""


def _own() -> Path | None:
    """The folder of this process's group."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    places = [fields[4] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    inside = [line.removeprefix("0::") for line in lines if line.startswith("0::")]
    return Path(places[0] + inside[0]) if places and inside else None


def _is_handed_over(group: Path) -> bool:
    """Whether it is this user's to divide: root could write anywhere, and others' groups are none of its business."""
    if os.geteuid() != 0:
        return group.stat().st_uid == os.geteuid()
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _settle(group: Path) -> bool:
    """Move this process out of the way and have the group divided."""
    leaf = group / OURS
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    there = set(_words(group / "cgroup.controllers"))
    try:
        wanted = " ".join(f"+{name}" for name in WANTED if name in there)
        (group / "cgroup.subtree_control").write_text(wanted, encoding="ascii")
    except OSError:  # there are other processes in it
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        leaf.rmdir()
        return False
    return True


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


class Group:
    """The group of one submission."""

    def __init__(self, parent: str, limits: Limits) -> None:
        """Raises OSError where the parent does not allow it."""
        self.folder = Path(parent, f"submission-{os.getpid()}")
        self.folder.mkdir()
        # What it shares with the warm process counts there; its files in memory count here.
        for name, value in {
            "memory.max": limits.memory + limits.scratch,
            "memory.swap.max": 0,
            "memory.oom.group": 1,
            "pids.max": limits.processes,
        }.items():
            if (self.folder / name).exists():  # not every kernel has each of them
                (self.folder / name).write_text(str(value), encoding="ascii")

    def join(self) -> None:
        """Put this process in, and all that it starts."""
        (self.folder / "cgroup.procs").write_text("0", encoding="ascii")

    def cpu(self) -> float:
        """CPU seconds of everything that has ever been in it."""
        return self._figure("cpu.stat", "usage_usec") / 1e6

    def was_out_of_memory(self) -> bool:
        return self._figure("memory.events", "oom_kill") > 0

    def _figure(self, table: str, name: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            lines = (self.folder / table).read_text(encoding="ascii").splitlines()
            return sum(int(line.split()[1]) for line in lines if line.split()[0] == name)
        return 0

    def end(self) -> None:
        """Kill all that is in it, and remove it."""
        deadline = time.monotonic() + GONE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # before Linux 5.14 there is no such file
                (self.folder / "cgroup.kill").write_text("1", encoding="ascii")
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # they are still on their way out
                time.sleep(0.005)
            else:
                return
