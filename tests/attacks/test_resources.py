"""Attacks on the machine: time, memory, processes, disk, and the kernel's own ways out.

Each costs at most the place where it was made: a cell, or the exercise that it is the answer to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from attacks.gallery import ALL, GOOD, LIMITS, LOUD, PATIENCE, ROOMY, Gallery, code, mark, named, submissions

from autograder import folders
from autograder.engine import engine, groups, keeper, sandbox, usage
from autograder.engine.jobs import Job, make_job
from autograder.engine.limits import Limits
from autograder.engine.processes import EngineError
from autograder.notebook.rebuild import rebuild

pytestmark = pytest.mark.timing

DEAF = "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n"


# What runs until it is ended gets short limits; what ends by itself, or fills the memory, has time enough to do so.
ENDED = ("timed out", "*")
IN_A_CELL = submissions("resources", "cells")
IN_A_CALL = submissions("resources", "calls")


@pytest.mark.parametrize("name", IN_A_CELL)
def test_in_a_cell(gallery: Gallery, patient: Gallery, name: str) -> None:
    """The cell alone pays: every exercise is answered."""
    attack = IN_A_CELL[name]
    short = attack.note in ENDED or "hangs" in name
    outcome = (gallery if short else patient).run(GOOD, before=LOUD + attack.before)
    assert outcome.earned == ALL, (sorted(ALL - outcome.earned), outcome.messages, outcome.kinds, outcome.errors())
    kind = outcome.kinds.get("free-0", "nothing")
    assert attack.note in ("*", kind), (outcome.kinds, outcome.errors())
    assert "ALLOWED" not in str(outcome.errors()), outcome.errors()


@pytest.mark.parametrize("name", IN_A_CALL)
def test_in_a_call(gallery: Gallery, patient: Gallery, name: str) -> None:
    """Its own exercise pays, and no other."""
    attack = IN_A_CALL[name]
    outcome = (gallery if attack.note in ENDED else patient).run(GOOD | attack.answers, before=LOUD)
    assert outcome.earned == ALL - {"apply"}, (sorted(ALL - outcome.earned), outcome.messages, outcome.kinds)
    kind = outcome.kinds.get("test_apply", "nothing")
    assert attack.note in ("*", kind), (outcome.kinds, outcome.messages)


def test_calls_back_without_end(gallery: Gallery) -> None:
    answer = code("""
        def apply(function, items):
            while True:
                try: function(1)
                except BaseException: pass
    """)
    outcome = gallery.run(GOOD | {"apply": answer})
    assert outcome.earned == ALL - {"apply"}
    assert outcome.kinds["test_apply"] == "timed out"


def test_what_a_stopped_cell_has_left_costs_no_test(gallery: Gallery) -> None:
    """The cell is interrupted and ends; the process ends after it, where it would be divided for the first test."""
    before = LOUD + "os.register_at_fork(before=lambda: os._exit(1))\nwhile True: pass\n"
    outcome = gallery.run(GOOD, before=before)
    assert outcome.earned == ALL, (outcome.messages, outcome.kinds)
    assert outcome.kinds["free-0"] == "timed out"


@pytest.mark.parametrize("told", ["", "except RuntimeError: break"], ids=["raises", "goes on"])
def test_threads_without_end_cost_no_test(roomy: Gallery, told: str) -> None:
    """They leave no room for the process to be divided for a test: the cell that started them is left out."""
    start = "    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    loop = f"    try:\n    {start}    {told}\n" if told else start
    outcome = roomy.run(GOOD, before=f"import threading, time\nwhile True:\n{loop}")
    assert outcome.earned == ALL, (outcome.messages, outcome.kinds)
    assert outcome.kinds == {"free-0": "crashed"}


# ---- everywhere: nothing is left, and the run ends all the same


@pytest.mark.parametrize(
    "source",
    [DEAF, "os._exit(3)", "time.sleep(1000)", "os.kill(os.getpid(), signal.SIGSEGV)"],
)
def test_in_every_cell(gallery: Gallery, source: str) -> None:
    answers = {name: f"{LOUD}{source}\n" for name in GOOD}
    outcome = gallery.run(answers)
    assert outcome.score == 0
    assert outcome.seconds < LIMITS.notebook + PATIENCE


def test_in_every_call(gallery: Gallery) -> None:
    body = "".join(f"    {line}\n" for line in DEAF.splitlines())
    answers = {name: f"def {name}(*args, **kwargs):\n{body}" for name in GOOD}
    outcome = gallery.run(answers)
    assert outcome.score == 0
    assert outcome.seconds < LIMITS.notebook + PATIENCE


def test_a_fork_bomb_in_a_cell(gallery: Gallery) -> None:
    """It leaves no process for the tests to be answered by; the run ends in its time, and nothing is left."""
    outcome = gallery.run(GOOD, after=LOUD + "while True:\n    try: os.fork()\n    except OSError: pass")
    assert outcome.earned == ALL
    assert outcome.kinds


def test_a_full_disk(gallery: Gallery, apart: None) -> None:
    source = code("""
        n = 0
        try:
            while True:
                open(f'f{n}', 'wb').write(bytes(10**6))
                n += 1
        except OSError as error: print(error)
    """)
    outcome = gallery.run(GOOD, before=source)
    assert outcome.earned == ALL
    assert "No space left" in outcome.printed()


def test_very_many_files(gallery: Gallery, apart: None) -> None:
    source = code("""
        n = 0
        try:
            while True:
                open(f'f{n}', 'w').close()
                n += 1
        except OSError as error: print(error, n)
    """)
    outcome = gallery.run(GOOD, before=source)
    assert outcome.earned == ALL


def test_a_fork_bomb_next_door(roomy: Gallery) -> None:
    """Two submissions at a time: one takes all the processes that it can get, the other works as if alone."""
    neighbour = Gallery(roomy.ours, roomy.walls, limits=replace(LIMITS, cell=5.0, cell_cpu=5.0))
    name = f"bomb{os.getpid()}"
    try:
        bomb = f"{LOUD}libc.prctl(15, {name.encode()!r}, 0, 0, 0)\n" + code("""
            while True:
                try:
                    if os.fork() == 0: time.sleep(1000)
                except OSError: pass
        """)
        thread = threading.Thread(target=neighbour.engine.run, args=(job(neighbour, bomb),))
        thread.start()
        while len(named(name)) < LIMITS.processes // 2:
            assert thread.is_alive(), "the bomb ended before it was seen"
        honest = "import subprocess, sys\nfor _ in range(3): subprocess.run(['/bin/true'], check=True)\n"
        outcome = roomy.run(GOOD, before=honest)
        thread.join()
    finally:
        neighbour.close()
    assert outcome.earned == ALL, (outcome.messages, outcome.errors())
    assert not outcome.errors()


def test_many_that_compute_weigh_as_one(roomy: Gallery, workshop: object) -> None:
    """However many processes a submission has, in whatever session: it takes no more of a core than another does."""
    spin = code("""
        session = os.getsid(0)
        for _ in range(6):
            if os.fork() == 0:
                os.setsid()
                if os.getsid(0) != session: os._exit(1)
                while True: pass
        while not os.getpriority(os.PRIO_PROCESS, 0) >= 5: time.sleep(0.01)
        print('held back, ended:', os.waitpid(-1, os.WNOHANG)[0])
    """)
    neighbour = Gallery(roomy.ours, roomy.walls, limits=Limits.for_notebook(360))
    seen = []
    try:
        thread = threading.Thread(target=lambda: seen.append(neighbour.engine.run(job(neighbour, LOUD + spin))))
        thread.start()
        outcome = roomy.run(GOOD)
        thread.join()
    finally:
        neighbour.close()
    assert outcome.earned == ALL and not outcome.kinds, (outcome.messages, outcome.kinds)
    printed = "".join(cell.printed for cell in seen[0].cells.values())
    assert "held back, ended: 0" in printed, (printed, seen[0].incidents)


def test_what_processes_compute_is_added_up() -> None:
    """Of those that live, that were waited for, and that nobody waited for."""
    script = code("""
        import os, signal, time
        from autograder.engine import usage
        from autograder.engine.limits import Limits

        def compute():
            while time.process_time() < 0.3: pass

        def waits_for_another():
            if os.fork() == 0:
                compute()
                os._exit(0)
            os.wait()

        for work in (compute, waits_for_another):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                work()
                os.write(write, b'.')
                time.sleep(1000)
            watched = usage.Submission(pid, Limits(), '')
            os.read(read, 1)
            watched.look()
            assert 0.28 < watched.cpu < 3, watched.cpu
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            before = watched.cpu
            watched.look()
            assert watched.cpu == before, 'what it has used stays used'
    """)
    subprocess.run([sys.executable, "-c", script], check=True)


def job(gallery: Gallery, before: str, answers: Mapping[str, str] | None = None) -> Job:
    return make_job(gallery.ours, rebuild(gallery.ours, gallery.cells(answers or {}, before))[0])


def test_processes_of_others_are_out_of_reach(gallery: Gallery, walls: sandbox.Walls) -> None:
    """The grader's own, say: no signal, no limit, no priority."""
    if "own processes" not in walls.layers():
        pytest.skip("processes are not kept apart on this machine (`autograder doctor`)")
    for warm in gallery.engine.warm.values():
        warm.wait_ready()
    others = [os.getpid(), os.getppid(), *(warm.pid for warm in gallery.engine.warm.values())]
    before = f"others = {others}\n" + code("""
        import os, resource, signal
        ways = {
            'signal': lambda pid: os.kill(pid, signal.SIGCONT),
            'group': lambda pid: os.killpg(pid, signal.SIGCONT),
            'descriptor': lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT),
            'limits': lambda pid: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)),
            'priority': lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 1),
            'affinity': lambda pid: os.sched_setaffinity(pid, {0}),
            'scheduler': lambda pid: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)),
        }
        for name, way in ways.items():
            for pid in others:
                try: way(pid)
                except OSError: continue
                print('REACHED', name, pid)
        print('all tried')
    """)
    outcome = gallery.run(GOOD, before=before)
    assert "REACHED" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()
    assert outcome.earned == ALL


def test_a_fork_bomb_that_comes_later(roomy: Gallery) -> None:
    """Where the kernel counts them together, it takes the processes of those who were there before it.

    What they earn then is in doubt, and run once more, alone.
    """
    neighbour = Gallery(roomy.ours, roomy.walls, limits=ROOMY)
    name = f"late{os.getpid()}"
    bomb = f"{LOUD}libc.prctl(15, {name.encode()!r}, 0, 0, 0)\n" + code("""
        while True:
            try:
                if os.fork() == 0: time.sleep(1000)
            except OSError: time.sleep(0.1)
    """)
    honest = f"{LOUD}mark()\n" + code("""
        import subprocess
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        signal.sigwait([signal.SIGUSR1])
        subprocess.run(['/bin/true'], check=True)
    """)
    seen = []

    def explode() -> None:
        with contextlib.suppress(EngineError):  # it is closed below
            neighbour.engine.run(job(neighbour, bomb))

    first = threading.Thread(target=lambda: seen.append(roomy.engine.run(job(roomy, honest, GOOD))))
    second = threading.Thread(target=explode)
    try:
        first.start()
        wait_for(lambda: named(mark()), first)
        second.start()
        wait_for(lambda: len(named(name)) >= ROOMY.processes - 40, second)
        time.sleep(1)  # until there are as many as there can be
        for found in named(mark()):
            os.kill(int(found.split()[1]), signal.SIGUSR1)
        first.join()
    finally:
        neighbour.close()
        second.join()
    lost = [result for result in seen[0].cells.values() if result.error]
    if os.geteuid() != 0 and not roomy.walls.namespaces:
        assert seen[0].doubt, lost
    else:
        assert not lost and not seen[0].doubt, (lost, seen[0].doubt)
    alone = roomy.run(GOOD)
    assert alone.earned == ALL and not alone.run.doubt


def wait_for(there: Callable[[], object], thread: threading.Thread) -> None:
    while not there():
        assert thread.is_alive(), "it ended before it was seen"
        time.sleep(0.05)


def test_no_room_for_a_process_is_in_doubt_where_neighbours_count(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may say so, or a cell; where the kernel counts each submission alone, it is the answer's own doing."""
    full = "def area(width, height):\n    raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
    for answers, before in (({"area": full}, ""), ({}, "raise RuntimeError(\"can't start new thread\")")):
        for together in (True, False):
            monkeypatch.setattr(gallery.engine, "together", together)
            doubt = gallery.run(GOOD | answers, before=before).run.doubt
            assert doubt == (engine.CROWDED if together else "")


@pytest.mark.parametrize(("came", "room"), [(0, True), (100, True), (200, False), (1000, False)])
def test_the_keeper_sees_that_others_take_the_room(monkeypatch: pytest.MonkeyPatch, came: int, room: bool) -> None:
    """Of 256 processes that were promised, not even half are to be had."""
    monkeypatch.setattr(usage, "_tasks_here", lambda: 500)
    child = subprocess.Popen(["sleep", "1000"])
    try:
        watched = usage.Submission(child.pid, Limits(), "")
        usage.resource.prlimit(child.pid, usage.resource.RLIMIT_NPROC, (50 + 256, 50 + 256))
        watched.threads = 1
        monkeypatch.setattr(usage, "_tasks_here", lambda: 500 + came)
        monkeypatch.setattr(sandbox, "threads_of", lambda uid: 51 + came)
        assert watched.lacks_room(child.pid) is not room
    finally:
        child.kill()
        child.wait()


def test_orphans_that_have_ended_take_up_no_place() -> None:
    """Where there are no namespaces, the keeper adopts them, and hears of their end at once."""
    source = LOUD + code("""
        for _ in range(20):
            if os.fork() == 0:
                if os.fork() == 0: os._exit(0)
                os._exit(0)
            os.wait()
        def brothers():
            with open(f'/proc/{os.getppid()}/task/{os.getppid()}/children') as file: return len(file.read().split())
        deadline = time.monotonic() + 50
        while brothers() > 1 and time.monotonic() < deadline: time.sleep(0.05)
        print('brothers:', brothers())
    """)
    with engine.Engine((), ROOMY, walls=sandbox.Walls("", 0, False), unsafe=True) as found:
        run = found.run(Job([{"kind": "cell", "id": "a", "source": source}], [], [], []))
    assert "brothers: 1" in run.cells["a"].printed, run.cells["a"]


# ---- files that are hard to see

UNSEEN = {
    "in a folder that can be filled but not listed": """
        os.mkdir('d', 0o300)
        for n in range(5):
            with open(f'd/{n}', 'wb') as file: file.write(bytes(30 << 20))
    """,
    "without a name, in memory only": """
        import mmap
        kept = []
        for n in range(5):
            with open('f', 'wb+') as file:
                file.write(bytes(30 << 20))
                file.flush()
                kept.append(mmap.mmap(file.fileno(), 4096))
            os.unlink('f')
    """,
    "without a name, under way in a socket": """
        import socket
        ends = socket.socketpair()
        for n in range(5):
            with open('f', 'wb+') as file:
                file.write(bytes(30 << 20))
                file.flush()
                socket.send_fds(ends[0], [b'x'], [file.fileno()])
            os.unlink('f')
    """,
}


@pytest.mark.parametrize("name", UNSEEN)
def test_files_that_are_hard_to_see_are_counted(patient: Gallery, name: str) -> None:
    outcome = patient.run(GOOD, before=LOUD + code(UNSEEN[name]) + "time.sleep(1000)\n")
    assert outcome.earned == ALL, (outcome.messages, outcome.kinds)
    if patient.walls.namespaces:  # a file system of its own bounds them all
        assert "No space left" in str(outcome.errors()), outcome.errors()
    else:
        assert outcome.kinds == {"free-0": "out of memory"}, outcome.errors()


def test_a_folder_that_is_moved_about_is_looked_at_while_nothing_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    states = []

    def look(*args: object) -> bool | None:
        states.append(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt")
        return True if states[-1] else None

    monkeypatch.setattr(folders, "holds_more", look)
    try:
        kept = keeper._Folder(str(tmp_path), LIMITS)
        assert [kept.holds_too_much([child.pid]) for _ in range(4)] == [False, False, False, True]
        assert states == [False, False, False, True]
        wait_for(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S",
                 threading.main_thread())  # fmt: skip
    finally:
        child.kill()
        child.wait()


def test_names_as_ours_keep_no_folder_from_being_removed(tmp_path: Path) -> None:
    """While a folder is emptied, those inside it are moved to its top, under names that nobody can have taken."""
    for number in range(10):
        for name in (f".autograder-{number}", f"z{number}"):
            (tmp_path / "f" / name / "deep" / "er").mkdir(parents=True)
            (tmp_path / "f" / name / "deep" / "file").touch()
    folders.remove(tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_an_answer_may_end_the_process_once_it_has_answered(gallery: Gallery) -> None:
    """It is a copy that ends, and no other exercise has a share in it."""
    body = "    answer = [function(item) for item in items]\n    threading.Timer(0.02, os._exit, (0,)).start()\n"
    outcome = gallery.run(GOOD | {"apply": f"def apply(function, items):\n{body}    return answer\n"}, before=LOUD)
    assert outcome.earned >= ALL - {"apply"}, (outcome.messages, outcome.kinds)


# ---- control groups


def cgroup2() -> Path | None:
    """Where groups of the second version can be made on this machine, by this user."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [Path(fields[1]) for fields in lines if fields[2] == "cgroup2"]
    return next((place for place in places if os.access(place / "cgroup.procs", os.W_OK)), None)


@pytest.fixture
def grouped(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A group for the submissions of the gallery to get theirs in."""
    place = cgroup2()
    if place is None:
        pytest.skip("this user may make no control groups of the second version here")
    group = place / f"autograder-tests-{os.getpid()}"
    group.mkdir()
    monkeypatch.setattr(gallery.engine, "group", str(group))
    yield group
    group.rmdir()


def test_a_submission_has_a_group_that_goes_with_it(gallery: Gallery, grouped: Path) -> None:
    daemon = "print(open('/proc/self/cgroup').read())\nif os.fork() == 0:\n    mark()\n    time.sleep(1000)\n"
    outcome = gallery.run(GOOD, before=LOUD + daemon)
    assert outcome.earned == ALL
    assert f"/{grouped.name}/submission-" in outcome.printed(), outcome.printed()
    assert not list(grouped.glob("submission-*"))


def test_a_group_counts_what_nobody_waits_for(grouped: Path) -> None:
    """Its CPU time, and the end of a process whose parent is gone."""
    script = code(f"""
        import os, signal, time
        from autograder.engine.groups import Group
        from autograder.engine.limits import Limits

        group = Group({str(grouped)!r}, Limits())
        read, write = os.pipe()
        if os.fork() == 0:
            group.join()
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            if os.fork() == 0:
                while time.process_time() < 0.3: pass
                os._exit(0)
            try: os.wait()
            except OSError: pass
            if os.fork() == 0:
                os.setsid()
                os.write(write, b'.')
                time.sleep(1000)
            os._exit(0)
        os.wait()
        os.close(write)
        os.read(read, 1)
        assert 0.28 < group.cpu() < 5, group.cpu()
        assert not group.was_out_of_memory()
        group.end()
        assert not group.folder.exists()
        assert os.read(read, 1) == b'', 'all that held the pipe are gone'
    """)
    subprocess.run([sys.executable, "-c", script], check=True)


def test_only_a_group_that_was_handed_over_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere; a user's own group with other processes in it cannot be divided."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    monkeypatch.setattr(groups, "_own", lambda: tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert groups.prepare.__wrapped__() == ""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid or 1)
    monkeypatch.setattr(groups, "_is_handed_over", lambda group: True)
    assert groups.prepare.__wrapped__() == str(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (tmp_path / "autograder" / "cgroup.procs").read_text() == str(os.getpid())
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    assert groups.prepare.__wrapped__() == "", "nothing to count memory with"


# ---- system calls

SYSCALLS = {
    "mount": "libc.mount(b'none', b'/scratch', b'tmpfs', 0, b'')",
    "umount": "libc.umount2(b'/proc', 2)",
    "unshare, user": "libc.unshare(0x10000000)",
    "unshare, mount": "libc.unshare(0x00020000)",
    "setns": "libc.setns(0, 0)",
    "chroot": "libc.chroot(b'/tmp')",
    "pivot_root": "libc.syscall(155, b'.', b'.')",
    "ptrace": "libc.ptrace(16, os.getppid() or 1, 0, 0)",
    "ptrace, traceme": "libc.ptrace(0, 0, 0, 0)",
    "process_vm_readv": "libc.process_vm_readv(os.getpid(), None, 0, None, 0, 0)",
    "clone into a user namespace": "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "libc.syscall(435, 0, 0)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "perf_event_open": "libc.syscall(298, 0, 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "io_uring_setup": "libc.syscall(425, 1, 0)",
    "keyctl": "libc.syscall(250, 0, 0, 0, 0, 0)",
    "add_key": "libc.syscall(248, b'user', b'x', b'y', 1, -2)",
    "memfd_create": "libc.syscall(319, b'x', 0)",
    "shmget": "libc.shmget(0, 4096, 0o1600)",
    "msgget": "libc.msgget(0, 0o1600)",
    "mknod": "libc.mknod(b'device', 0o20666, 0x0103)",
    "setuid": "libc.setuid(0)",
    "setgid": "libc.setgid(0)",
    "kexec": "libc.syscall(246, 0, 0, 0, 0)",
    "reboot": "libc.syscall(169, 0xfee1dead, 672274793, 0x1234567, 0)",
    "settimeofday": "libc.syscall(164, 0, 0)",
    "sethostname": "libc.sethostname(b'x', 1)",
    "32-bit numbers": "libc.syscall(0x40000000 + 39)",
    "open_by_handle_at": "libc.syscall(304, -100, 0, 0)",
    "new mounts": "libc.syscall(430, b'tmpfs', 0)",
    "quota": "libc.syscall(179, 0, 0, 0, 0)",
    "vmsplice": "libc.syscall(278, 0, 0, 0, 0)",
    "splice": "libc.syscall(275, 0, 0, 0, 0, 0, 0)",
    "tee": "libc.syscall(276, 0, 0, 0, 0)",
    "io_setup": "libc.syscall(206, 1, 0)",
    "remap_file_pages": "libc.syscall(216, 0, 0, 0, 0, 0)",
    "a thread with descriptors of its own": "libc.syscall(56, 0x10000 | 0x800 | 0x100, 0, 0, 0, 0)",
    "not dumpable": "libc.prctl(4, 0, 0, 0, 0)",
    "affinity": "libc.sched_setaffinity(0, 8, ctypes.byref(ctypes.c_ulong(1)))",
    "io priority": "libc.syscall(251, 1, 0, 0x6007)",
    "a lease on a file": "libc.fcntl(os.open('own', os.O_CREAT | os.O_RDWR), 1024, 1)",
    "an owner of a descriptor": "libc.fcntl(own, 8, os.getpid())",
    "an owner of a descriptor, by number and kind": "libc.fcntl(own, 15, (ctypes.c_int * 2)(1, os.getpid()))",
    "an owner of a descriptor, by ioctl": "libc.ioctl(own, 0x8901, ctypes.byref(ctypes.c_int(os.getpid())))",
    "a signal of a descriptor": "libc.fcntl(own, 10, 9)",
}


def test_system_calls(gallery: Gallery) -> None:
    """None of what no exercise needs is to be had; numbers as on x86_64."""
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("the numbers of system calls are those of x86_64")
    lines = "".join(f"    {name!r}: lambda: {call},\n" for name, call in SYSCALLS.items())
    before = (
        f"{LOUD}import socket\nends = socket.socketpair()\nown = ends[0].fileno()\n"
        f"calls = {{\n{lines}}}\nfor name, call in calls.items():\n"
        "    if call() != -1: print('ALLOWED', name)\nprint('all tried')\n"
    )
    outcome = gallery.run(GOOD, before=before)
    assert "ALLOWED" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()
    assert outcome.earned == ALL


def test_system_calls_of_later_kernels_do_not_exist(gallery: Gallery) -> None:
    """As on an older kernel: libraries then take another way, and nobody has to know what they do."""
    before = LOUD + code("""
        for number in (*range(453, 600), 10_000, 0x40000000, 0x7FFFFFFF):
            if libc.syscall(number, -1, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != 38: print('KNOWN', number)
        print('all tried')
    """)
    outcome = gallery.run(GOOD, before=before)
    assert "KNOWN" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()


def test_system_calls_of_another_architecture_end_the_process(gallery: Gallery) -> None:
    """A filter on 64-bit numbers would not know those of `int 0x80`."""
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("machine code of x86_64")
    code = (
        "import mmap\npage = mmap.mmap(-1, 4096, prot=7)\n"
        "page.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"  # mov eax, 20 (getpid); int 0x80; ret
        "pid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\nprint('GOT', pid)\n"
    )
    outcome = gallery.run(GOOD, before=LOUD + code)
    assert "GOT" not in outcome.printed()
    assert outcome.earned == ALL
    assert outcome.kinds["free-0"] == "crashed"
