"""The walls around student code: namespaces, a file system of its own, no privileges, a filter on system calls, limits.

Everything happens inside an already forked process, so that the imports of its parent stay warm; a launcher
program (bubblewrap, nsjail, docker) would start Python anew. Where the kernel or a container forbids
namespaces, Landlock keeps the files out and the filter keeps the network out: weaker, and `layers()` says so.

Sources: namespaces(7), user_namespaces(7), pivot_root(2), landlock(7), seccomp(2) of the Linux manual pages.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.limits import MIB, Limits
from autograder.engine.seccomp import (
    APART,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    PR_SET_PDEATHSIG,
    SYSCALLS,
    filter_program,
)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SECCOMP_MODE_FILTER = 2

FIRST_SPARE_UID = 61_000  # where root grades, a submission runs as a user of its own from here on
SPARE_UIDS = 4_000  # the highest is below 65536: some containers know no more
SCOPED_SINCE = 6  # the version of Landlock, with Linux 6.12, that keeps signals in
SCRATCH = "scratch"  # the folder under the new root that a submission may write to

ALL_LAYERS = (
    "own files",
    "no network",
    "own processes",
    "no privileges",
    "system call filter",
    "resource limits",
)


MEANING = {
    "own files": "sees the libraries and an empty folder, nothing else of this machine",
    "no network": "reaches no other machine and no other program here",
    "own processes": "sees and signals its own processes only; all of them end with the submission",
    "no privileges": "cannot become another user or gain a right",
    "system call filter": "cannot ask the kernel for what no exercise needs",
    "resource limits": "memory, processes, files and time are bounded",
}


class SandboxError(Exception):
    """A wall that could not be raised."""


@dataclass(frozen=True)
class Walls:
    """What this machine offers."""

    namespaces: str  # "user" (for everybody), "root" (needs root, has it) or "" (none)
    landlock: int  # the version of its interface, 0 for none
    seccomp: bool

    def layers(self) -> tuple[str, ...]:
        """The layers that are on, by name, of ALL_LAYERS."""
        found = []
        if self.namespaces or self.landlock:
            found.append("own files")
        if self.namespaces or self.seccomp:
            found.append("no network")
        if self.namespaces or self.landlock >= SCOPED_SINCE:
            found.append("own processes")
        if sys.platform == "linux":
            found.append("no privileges")
        if self.seccomp:
            found.append("system call filter")
        return (*found, "resource limits")

    def safe(self) -> bool:
        """Whether student code may run: its files, the network and its privileges are walled off."""
        return {"own files", "no network", "no privileges"} <= set(self.layers())


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise SandboxError(f"{what}: {os.strerror(code)} ({errno.errorcode.get(code, code)})")
    return result


def _syscall(name: str, *arguments: object) -> int:
    number = SYSCALLS.get(platform.machine(), {}).get(name)
    if number is None:
        raise SandboxError(f"{name}: not known on {platform.machine()}")
    return _check(_libc().syscall(number, *arguments), name)


# ---- what is there


@functools.cache
def probe() -> Walls:
    """Try each wall in a child process and say which stand. Ask before there are threads: it forks."""
    if sys.platform != "linux":
        return Walls("", 0, False)
    namespaces = ""
    ways = ("root", "user") if os.geteuid() == 0 else ("user",)
    for way in ways:
        if _works(lambda way=way: _try_namespaces(way)):
            namespaces = way
            break
    return Walls(namespaces, _landlock_version(), _works(lambda: install_filter(namespaces=False)))


def _works(attempt: object) -> bool:
    """Whether `attempt` runs without an error in a process of its own."""
    assert callable(attempt)
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _try_namespaces(way: str) -> None:
    unshare(way)
    pid = os.fork()
    if pid == 0:
        try:
            enter_mount_namespace()
            mount("none", "/", None, MS_REC | MS_PRIVATE)
            mount("tmpfs", _meeting_point(), "tmpfs", MS_NOSUID, "size=65536")
            os._exit(0)
        except BaseException:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SandboxError("mount: not allowed")


def _landlock_version() -> int:
    try:
        return max(0, _syscall("landlock_create_ruleset", None, 0, 1))
    except (SandboxError, OSError):
        return 0


# ---- namespaces


def unshare(way: str) -> None:
    """Leave the machine's network, processes and host name; children of this process are inside."""
    flags = APART | (CLONE_NEWUSER if way == "user" else 0)
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc().unshare(flags), "unshare")
    if way == "user":
        _libc().prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or the keeper may not ask what its own student uses
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"1000 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"1000 {gid} 1", encoding="ascii")


def enter_mount_namespace() -> None:
    _check(_libc().unshare(CLONE_NEWNS), "unshare(mount)")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc().mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {target}")


def _meeting_point() -> str:
    """A folder that is on every system and that nothing of ours lies in."""
    return "/sys" if Path("/sys").is_dir() else "/mnt"


@functools.cache
def readable_paths() -> tuple[str, ...]:
    """What a Python with its packages needs to read: the interpreter, its libraries, the system's."""
    parts = ("bin", "lib", "lib64", "include", "share", "ssl", "pyvenv.cfg")  # not what else may lie there
    wanted = {f"{prefix}/{part}" for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix) for part in parts}
    wanted |= {"/usr", "/lib", "/lib64", "/bin"}
    wanted |= {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}
    wanted |= {"/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/ssl/certs", "/etc/mime.types"}
    found = sorted(p for p in wanted if Path(p).exists())
    return tuple(p for p in found if not any(p != q and p.startswith(q.rstrip("/") + "/") for q in found))


def is_readable(path: str) -> bool:
    """Whether the student can read in `path`: it lies in one of the paths above."""
    return any(path == p or path.startswith(p.rstrip("/") + "/") for p in readable_paths())


def build_root(
    limits: Limits, files: Sequence[tuple[str, bytes]], hidden: Sequence[str], uid: int, more: Sequence[str] = ()
) -> None:
    """Give this process a file system of its own: libraries and `more` to read, /scratch to write, nothing else."""
    root = _meeting_point()
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, f"size={limits.scratch},nr_inodes=20000,mode=755")
    for path in (*readable_paths(), *(path for path in more if not is_readable(path))):
        _show(path, root)
    for name in ("null", "full", "random", "urandom"):  # not zero: to map it is memory that belongs to no process
        _place(Path(root, "dev", name), folder=False)
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, MS_BIND)
    for folder in (SCRATCH, "tmp", "dev/shm", "proc"):
        Path(root, folder).mkdir(parents=True, exist_ok=True)
    for folder in (SCRATCH, "tmp", "dev/shm"):
        Path(root, folder).chmod(0o1777)
    with contextlib.suppress(SandboxError):  # some containers do not allow it; the folder stays empty
        mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for path in hidden:
        inside = Path(root, path.lstrip("/"))
        if inside.is_dir() and not _needed(path, more):
            mount("tmpfs", str(inside), "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4096")
    write_files(Path(root, SCRATCH), files, uid)
    if os.geteuid() == 0 and uid:
        os.chown(Path(root, SCRATCH), uid, uid)
    old = Path(root, ".old")
    old.mkdir()
    _syscall("pivot_root", root.encode(), str(old).encode())
    os.chdir("/")
    _check(_libc().umount2(b"/.old", MNT_DETACH), "umount")
    Path("/.old").rmdir()
    os.chdir(f"/{SCRATCH}")


def write_files(folder: Path, files: Sequence[tuple[str, bytes]], uid: int = 0) -> None:
    """The data beside the notebook, the student's own to read and to change."""
    for name, content in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o644)
        for made in (target, *target.parents[: len(Path(name).parts) - 1]) if uid else ():
            os.chown(made, uid, uid)


def _needed(path: str, more: Sequence[str]) -> bool:
    """Whether something that must stay readable lies in `path`."""
    return any(p == path or p.startswith(path.rstrip("/") + "/") for p in (*readable_paths(), *more))


def make_root_read_only() -> None:
    mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


@functools.cache
def _kind(path: str) -> tuple[str, str]:
    """What a path of the machine is: a link and where to, a folder, or a file."""
    source = Path(path)
    if source.is_symlink():
        return "link", str(source.readlink())
    return "folder" if source.is_dir() else "file", ""


def look_around() -> None:
    """Find out what must stay readable, once for all processes that come from this one."""
    for path in readable_paths():
        _kind(path)


def _show(path: str, root: str) -> None:
    """Make a file or folder of the machine visible under the new root, read only."""
    target = Path(root, path.lstrip("/"))
    kind, to = _kind(path)
    if kind == "link":
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() and not target.is_symlink():
            target.symlink_to(to)
        return
    _place(target, folder=kind == "folder")
    mount(path, str(target), None, MS_BIND | MS_REC)
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0)
    try:
        _syscall("mount_setattr", AT_FDCWD, str(target).encode(), AT_RECURSIVE, attributes, len(attributes))
    except SandboxError:  # before Linux 5.12
        keep = os.statvfs(target).f_flag & (MS_NODEV | MS_NOEXEC | MS_NOSUID)
        mount("none", str(target), None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | keep)


def _place(target: Path, *, folder: bool) -> None:
    if folder:
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


# ---- privileges and limits


def spare_uid() -> tuple[int, socket.socket]:
    """A user for one submission where root grades, nobody else's while the socket that comes with it is open.

    The kernel counts processes by user: two submissions with one user would take them from each other.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    start = os.getpid()
    for number in range(start, start + SPARE_UIDS):
        uid = FIRST_SPARE_UID + number % SPARE_UIDS
        try:
            claim.bind(f"\0autograder-user-{uid}")  # a name that goes with the process, however that ends
        except OSError:
            continue
        return uid, claim
    raise SandboxError("no spare user: too many submissions at a time")


def drop_privileges(uid: int) -> None:
    """Become an ordinary user without a single capability, for ever."""
    libc = _libc()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", 0x20080522, 0)
    _syscall("capset", header, struct.pack("IIIIII", 0, 0, 0, 0, 0, 0))
    forbid_new_privileges()


def shut_in(walls: Walls, uid: int, scratch: str) -> None:
    """Give up every right, for ever; without namespaces, files are kept out here. The last that is done to a process.

    Raises SandboxError where another user, as which it runs, may not read the libraries.
    """
    drop_privileges(uid)
    die_with_parent(signal.SIGKILL)  # once more: becoming another user has undone it
    if not walls.namespaces and walls.landlock:
        _check_readable()
        landlock(walls.landlock, scratch)
    if walls.seccomp:
        kept_in = bool(walls.namespaces) or walls.landlock >= SCOPED_SINCE
        install_filter(namespaces=bool(walls.namespaces), signals=not kept_in)


def _check_readable() -> None:
    for path in map(Path, readable_paths()):
        if not os.access(path, os.R_OK):
            closed = next((p for p in reversed(path.parents) if not os.access(p, os.X_OK)), path)
            raise SandboxError(
                f"{path}: submissions run as a user of their own, who may not enter {closed}: "
                f"put Python where everybody can read it, or run `chmod o+x {closed}`"
            )


def forbid_new_privileges() -> None:
    _check(_libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def die_with_parent(signal_number: int) -> None:
    _libc().prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def adopt_orphans() -> None:
    """Descendants whose parent ends become this process's children, so that it can find them."""
    _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def limit_memory(more: int, held: int | None = None) -> None:
    """Let this process write to so many bytes of memory beyond what it has, or beyond `held`."""
    lower_limit(resource.RLIMIT_DATA, (data_bytes() if held is None else held) + more)


def limit_resources(limits: Limits, *, alone: bool) -> None:
    """Memory, processes, files: what the kernel counts for us. CPU time is the student loop's business.

    `alone` says whether the kernel counts this submission's processes alone, or those of the grader's user with them.
    """
    limit_memory(limits.memory)
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_FSIZE, limits.scratch)
    lower_limit(resource.RLIMIT_NOFILE, limits.open_files)
    lower_limit(resource.RLIMIT_STACK, 64 * MIB)
    lower_limit(resource.RLIMIT_MEMLOCK, 0)
    lower_limit(resource.RLIMIT_MSGQUEUE, 0)
    if alone and _counts_processes_by_namespace():
        lower_limit(resource.RLIMIT_NPROC, limits.processes)
    elif not alone:
        lower_limit(resource.RLIMIT_NPROC, threads_of(os.getuid()) + limits.processes)


def lower_limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def data_bytes() -> int:
    """Bytes of private writable memory that this process holds already."""
    try:
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmData:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 512 * MIB


def _counts_processes_by_namespace() -> bool:
    """RLIMIT_NPROC counts inside a user namespace since Linux 5.14; before, it would count the grader's user."""
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    return (major, minor) >= (5, 14) or os.geteuid() != os.getuid()


def threads_of(uid: int) -> int:
    """How many threads a user has on this machine by now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == uid:
                count += len(list((process / "task").iterdir()))
    return count


# ---- the filter on system calls


def install_filter(*, namespaces: bool, signals: bool = False) -> None:
    """Refuse what no exercise needs: other sockets than local ones, new namespaces, mounts, tracing, kernel keys.

    `signals` says to keep signals in, too, as well as a filter can.
    """
    machine = platform.machine()
    if machine not in SYSCALLS or sys.byteorder != "little":
        raise SandboxError(f"the filter does not know {machine}")
    program = filter_program(machine, apart=namespaces, signals_from=os.getpid() if signals else 0)
    forbid_new_privileges()
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
    _check(_libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0), "seccomp")


# ---- Landlock, where there are no namespaces

FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
READ = (1 << 0) | (1 << 2) | (1 << 3)  # execute, read a file, list a folder
SCOPED = (1 << 0) | (1 << 1)  # abstract sockets and signals: within the walls only


def landlock(version: int, scratch: str) -> None:
    """Let this process read the libraries and write `scratch`, touch no other file and, if it can be, no process."""
    rights = FILE_RIGHTS[min(version, 3)]
    handled = struct.pack("QQQ", rights, 0, SCOPED) if version >= SCOPED_SINCE else struct.pack("Q", rights)
    ruleset = _syscall("landlock_create_ruleset", handled, len(handled), 0)
    allowed = [(path, READ) for path in readable_paths()]
    allowed += [("/proc/self", READ), (scratch, rights), ("/dev/null", READ | 2), ("/dev/urandom", READ)]
    for path, wanted in allowed:
        if not Path(path).exists():
            continue
        if not Path(path).is_dir():
            wanted &= (1 << 0) | (1 << 1) | (1 << 2) | ((1 << 14) if version >= 3 else 0)
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            _syscall("landlock_add_rule", ruleset, 1, struct.pack("=Qi", wanted, descriptor), 0)
        finally:
            os.close(descriptor)
    forbid_new_privileges()
    _syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)
