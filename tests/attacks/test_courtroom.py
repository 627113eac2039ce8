"""What the judge could do, were it taken over by what it decodes: no more than a student's own process.

A judge runs our tests, so here a test plays the attacker. It still serves what honest tests need.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from attacks.gallery import ALL, GOOD, Gallery, code, leftovers, mark, mark_yourself

from autograder.engine import sandbox

ANSWER = "def f(x=None):\n    return x\n"
SOME_FILES = ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/root/.bash_history", "/proc/1/environ", "/proc/1/mem"]


def report(gallery: Gallery, test: str) -> str:
    """What a test says at its end."""
    return gallery.judge(ANSWER, f"{code(test)}\nraise AssertionError(repr(said))\n").message


def test_files_of_the_machine_are_not_there(roomy: Gallery) -> None:
    files = [*SOME_FILES, __file__, str(roomy.engine.warm["judge"].pid)]
    said = report(roomy, f"""
        said = []
        for path in {files!r}:
            try: said.append(open(path, 'rb').read(1))
            except OSError: pass
    """)
    assert said == "[]"


def test_nothing_can_be_written_but_in_its_own_folder(roomy: Gallery) -> None:
    said = report(roomy, """
        import os, sys, tempfile
        said = []
        for folder in ('/', '/usr', '/etc', '/dev', '/root', sys.prefix, os.path.dirname(os.__file__)):
            try: open(folder + '/written', 'w').close()
            except OSError: continue
            said.append(folder)
        open('mine', 'w').write('x')
        tempfile.NamedTemporaryFile().write(b'x')
    """)
    assert said == "[]"


def test_what_one_judge_leaves_the_next_one_does_not_find(roomy: Gallery) -> None:
    test = """
        import os, pathlib
        places = [pathlib.Path(p) for p in ('left', '/tmp/left', '/dev/shm/left', '/scratch/left')]
        said = [str(p) for p in places if p.exists()]
        for place in places:
            try: place.write_text('x')
            except OSError: pass
    """
    assert report(roomy, test) == "[]"
    assert report(roomy, test) == "[]"


def test_a_judge_has_no_rights(roomy: Gallery) -> None:
    said = report(roomy, """
        import ctypes, os, signal
        libc = ctypes.CDLL(None, use_errno=True)
        said = []
        if libc.prctl(39, 0, 0, 0, 0) != 1: said.append('may gain privileges')
        if libc.prctl(21, 0, 0, 0, 0) != 2: said.append('no filter')
        for name, way in {
            'mount': lambda: libc.mount(b'none', b'/scratch', b'tmpfs', 0, b''),
            'unshare': lambda: libc.unshare(0x10000000),
            'root': lambda: libc.setuid(0),
            'trace': lambda: libc.ptrace(16, os.getppid(), 0, 0),
        }.items():
            if way() != -1: said.append(name)
        for pid in {os.getppid(), 1}:
            try: os.kill(pid, signal.SIGKILL)
            except OSError: continue
            if pid != 1: said.append(f'kill {pid}')
    """)
    assert said == "[]"
    assert roomy.judge(ANSWER, "assert f(3) == 3").passed


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_judge_reaches_no_network(roomy: Gallery, listening: int) -> None:
    said = report(roomy, f"""
        import socket
        said = []
        try: socket.create_connection(('127.0.0.1', {listening}), 5)
        except OSError: pass
        else: said.append('reached')
    """)
    assert said == "[]"


def test_what_a_judge_starts_ends_with_it(roomy: Gallery) -> None:
    roomy.judge(ANSWER, "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        "
                        f"{mark_yourself()}        time.sleep(1000)\n    os._exit(0)\nos.wait()\n")  # fmt: skip
    assert not leftovers(roomy.engine), mark()


def test_a_judge_is_another_user_than_root(roomy: Gallery) -> None:
    if os.geteuid() != 0:
        pytest.skip("for root only")
    said = report(roomy, "import os\nsaid = [0 in os.getresuid() + os.getresgid(), os.getgroups()]\n")
    assert said == "[False, []]"


def test_tests_still_have_what_they_need(roomy: Gallery) -> None:
    """Modules that are imported late, data beside the notebook, folders to write to, commands of the system."""
    test = code("""
        import csv, decimal, fractions, json, sqlite3, subprocess, tempfile, zoneinfo
        from pathlib import Path
        import numpy as np
        import numpy.polynomial.chebyshev
        import scipy.special

        assert Path('data/words.txt').read_text() == 'a b'
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'x').write_text('y')
            assert f(Path(folder, 'x')).name == 'x'
        assert np.allclose(f(np.random.default_rng(1).random(3)), np.random.default_rng(1).random(3))
        assert subprocess.run(['true']).returncode == 0
        assert sqlite3.connect(':memory:').execute('select 1').fetchone() == (1,)
    """)
    result = roomy.judge(ANSWER, test, files=[("data/words.txt", b"a b")])
    assert result.passed, result


def test_honest_work_is_graded_as_before(roomy: Gallery, walls: sandbox.Walls) -> None:
    assert roomy.run(GOOD).earned == ALL
