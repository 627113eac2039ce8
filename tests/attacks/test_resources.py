"""Attacks on the machine: time, memory, processes, disk, and the kernel's own ways out.

Each costs at most the place where it was made: a cell, or the exercise that it is the answer to.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest
from attacks.gallery import ALL, GOOD, LIMITS, PATIENCE, Gallery, code, mark, named, submissions

from autograder.engine import sandbox

pytestmark = pytest.mark.timing

LOUD = (
    "import ctypes, os, signal, sys, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    f"def mark(): libc.prctl(15, {mark().encode()!r}, 0, 0, 0)\n"
)
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


def job(gallery: Gallery, before: str) -> object:
    from autograder.notebook.rebuild import make_job, rebuild

    return make_job(gallery.ours, rebuild(gallery.ours, gallery.cells({}, before))[0])


def test_processes_of_others_are_out_of_reach(gallery: Gallery, walls: sandbox.Walls) -> None:
    """The grader's own, say: no signal, no limit, no priority."""
    if "own processes" not in walls.layers():
        pytest.skip("processes are not kept apart on this machine (`autograder doctor`)")
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
}


def test_system_calls(gallery: Gallery) -> None:
    """None of what no exercise needs is to be had; numbers as on x86_64."""
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("the numbers of system calls are those of x86_64")
    lines = "".join(f"    {name!r}: lambda: {call},\n" for name, call in SYSCALLS.items())
    before = (
        f"{LOUD}calls = {{\n{lines}}}\nfor name, call in calls.items():\n"
        "    if call() != -1: print('ALLOWED', name)\nprint('all tried')\n"
    )
    outcome = gallery.run(GOOD, before=before)
    assert "ALLOWED" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()
    assert outcome.earned == ALL


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
