"""Attacks on files: what a submission can read and write while it runs, and what is handed in as a submission.

The second half grades whole classes of attackers with two honest students among them, and compares everything.
"""

from __future__ import annotations

import csv
import json
import os
import socket
import sqlite3
import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attacks.gallery import ALL, AREA, GOOD, POINTS, Gallery, code, submissions

from autograder.course.course import Course
from autograder.engine import sandbox
from autograder.grading.grade import Options, grade_class

# ---- from inside

READS = {
    "the course": "{course}/solutions/tools/tools.py",
    "this file": "{tests}/attacks/test_files.py",
    "the bank": "{tests}/misconceptions/attention.py",
    "the engine": "{tests}/../autograder/engine/judge.py",
    "the gradebook": "{secret}/gradebook.db",
    "another submission": "{secret}/submitted/other/tools/tools.ipynb",
    "the source notebook": "{secret}/source/tools/tools.ipynb",
    "a secret in the temporary folder": "{secret}/secret.txt",
    "the passwords": "/etc/passwd",
    "the shadow": "/etc/shadow",
    "the host's name": "/etc/hostname",
    "keys": "/root/.ssh/id_rsa",
    "the history": "{home}/.bash_history",
    "the engine's memory": "/proc/{engine}/mem",
    "the engine's files": "/proc/{engine}/root/etc/passwd",
    "the engine's environment": "/proc/{engine}/environ",
    "the kernel's memory": "/dev/mem",
    "a disk": "/dev/vda",
    "a terminal": "/dev/tty",
    "logs": "/var/log/syslog",
    "the first process' files": "/proc/1/root/etc/passwd",
    "the folder above": "../../../../../../etc/passwd",
    "its own descriptors' files": "/proc/self/cwd/../etc/passwd",
}


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a grader's machine has lying about, readable by everybody."""
    folder = tmp_path_factory.mktemp("secret")
    for name in ("secret.txt", "gradebook.db", "source/tools/tools.ipynb", "submitted/other/tools/tools.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("of the grader", encoding="utf-8")
    for place in (folder, *folder.parents):
        if place.owner() == folder.owner():
            place.chmod(place.stat().st_mode | 0o755)
    return folder


@pytest.fixture
def places(workshop: Course, secret: Path, gallery: Gallery) -> dict[str, str]:
    return {
        "course": str(workshop.root),
        "tests": str(Path(__file__).parents[1]),
        "secret": str(secret),
        "home": str(Path.home()),
        "engine": str(gallery.engine.warm["judge"].pid),
    }


def test_reading(gallery: Gallery, places: dict[str, str]) -> None:
    """Nothing of the machine's is to be read but libraries; `open` and the shell are given the same answer."""
    paths = {name: path.format(**places) for name, path in READS.items()}
    before = f"import os\npaths = {paths!r}\n" + code("""
        for name, path in paths.items():
            try: found = os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(100)
            except OSError: continue
            print('READ', name, path, found)
        print('all tried')
    """)
    outcome = gallery.run({"area": GOOD["area"]}, before=before)
    assert "READ" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()
    assert outcome.earned == AREA


def test_listing(gallery: Gallery, places: dict[str, str], apart: None) -> None:
    """The folders above are empty, or not there at all."""
    folders = [places["course"], places["secret"], places["home"], "/etc", "/work", "/home", "/var", "/tmp"]
    before = f"import os\nfolders = {folders!r}\n" + code("""
        for path in folders:
            try: print(path, sorted(os.listdir(path)))
            except OSError: pass
    """)
    outcome = gallery.run({"area": GOOD["area"]}, before=before)
    for name in ("passwd", "shadow", "solutions", "secret.txt", "gradebook.db", "autograder-", "pytest-of"):
        assert name not in outcome.printed().replace(places["course"], "").replace(places["secret"], "")


def test_writing(gallery: Gallery, places: dict[str, str], tmp_path: Path) -> None:
    """Nothing of the machine's is to be written, moved, or added to; what a student sees of it may be a copy."""
    targets = [
        f"{places['course']}/solutions/tools/tools.py", f"{places['secret']}/gradebook.db", f"{tmp_path}/new",
        "/etc/cron.d/atk", "/usr/lib/atk", "/bin/atk", "/root/atk", "/var/tmp/attacked", "/sys/atk", "/dev/atk",
        f"{Path(json.__file__).parent}/atk.py", f"{Path(np.__file__).parent}/atk.py", f"{sys.prefix}/atk",
        sys.executable, f"{places['home']}/.bashrc", f"{places['tests']}/attacks/test_files.py",
    ]  # fmt: skip
    before = f"import os, sys\ntargets = {targets!r}\n" + code("""
        acts = (
            os.remove, lambda p: os.rename(p, p + 'x'), lambda p: os.chmod(p, 0o777),
            lambda p: os.symlink('/etc', p + 'y'), lambda p: os.mkdir(p + 'z'),
            lambda p: open(p, 'a').write('x'), lambda p: open(p, 'w').write('x'),
        )
        for path in targets:
            for number, act in enumerate(acts):
                try: act(path)
                except OSError: pass
        print('all tried')
    """)
    was = [state(path) for path in targets]
    outcome = gallery.run({"area": GOOD["area"]}, before=before)
    assert "all tried" in outcome.printed(), outcome.errors()
    assert [state(path) for path in targets] == was
    assert outcome.earned == AREA


def state(path: str) -> tuple[object, ...]:
    """What there is at a path, and at those that the attack would make of it."""
    here = Path(path)
    try:
        return (*(os.path.lexists(path + end) for end in ("", "x", "y", "z")), here.stat().st_mode, here.read_bytes())
    except OSError as error:
        return (*(os.path.lexists(path + end) for end in ("x", "y", "z")), type(error))


def test_what_was_written_goes(gallery: Gallery) -> None:
    """Files in its own folder and in /tmp are not there for the next submission; nor are odd rights in the way."""
    writes = code("""
        import os
        for folder in ('.', '/tmp', '/dev/shm', os.environ['HOME'], os.environ['TMPDIR']):
            try:
                os.makedirs(folder + '/left/behind')
                open(folder + '/left/behind/x', 'w').close()
                os.chmod(folder + '/left/behind', 0)
                os.chmod(folder + '/left', 0)
            except OSError: pass
    """)
    looks = code("""
        import os
        for folder in ('.', '/tmp', '/dev/shm', os.environ['HOME']):
            print(os.path.exists(folder + '/left'))
    """)
    before = set(Path("/tmp").glob("autograder-*"))
    gallery.run({}, before=writes)
    outcome = gallery.run({}, before=looks)
    assert "True" not in outcome.printed()
    mine = {path for path in set(Path("/tmp").glob("autograder-*")) - before if path.stat().st_uid == os.getuid()}
    assert not [path for path in mine if (path / "left").exists()]


def test_the_parts_of_a_prefix_are_shown_and_not_what_lies_beside_them() -> None:
    """A virtual environment may lie in the course's own folder."""
    assert sys.prefix not in sandbox.readable_paths()
    assert sandbox.is_readable(f"{sys.prefix}/lib")


# ---- from outside


def write(folder: Path, notebook: Any, name: str = "tools.ipynb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def crowd(
    gallery: Gallery, workshop: Course, walls: sandbox.Walls, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """A class of odd deliveries and of attacks, graded; by name, what was found, and where it was written."""
    if not walls.namespaces and sandbox.probe().namespaces:
        pytest.skip("whole classes are graded on the best walls only")
    root = tmp_path_factory.mktemp("class")
    folder, into = root / "class", root / "graded"
    closing = deliver(gallery, folder)
    try:
        results = grade_class(workshop, "tools", folder, into, Options(seconds=9))
    finally:
        for close in closing:
            close()
    rows = {row.student: row for row in results.rows}
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    return {"rows": rows, "results": results, "folder": folder}, into


def deliver(gallery: Gallery, folder: Path) -> list[Any]:
    good = gallery.notebook(GOOD)
    for student in ("honest-1", "honest-2"):
        write(folder / student, good)
    one = {"area": GOOD["area"]}
    for student, attack in submissions("classes", "attackers").items():
        write(folder / student, gallery.notebook(one, attack.before))
    text = json.dumps(good)
    write(folder / "truncated", text[: len(text) // 2])
    write(folder / "not-json", "hello")
    write(folder / "empty-file", "")
    write(folder / "deep", "[" * 100_000)
    write(folder / "list", "[1, 2]")
    write(folder / "no-dicts", {"cells": [1, "x", None, [2]], "nbformat": 4})
    write(folder / "number-sources", good | {"cells": [c | {"source": [1, 2, 3]} for c in good["cells"]]})
    write(folder / "many-cells", good | {"cells": good["cells"] + [{"cell_type": "code", "source": "1"}] * 5_000})
    write(folder / "long-cell", gallery.notebook(one, "x = '" + "a" * 15_000_000 + "'"))
    write(folder / "long-answer", gallery.notebook(one | {"shares": "# " + "x = [(1, 2), {3: 4}]  # é\n" * 60_000}))
    write(folder / "fifty-brackets", gallery.notebook(one, "(" * 50_000))
    write(folder / "surrogates", gallery.notebook(one, "x = '\ud800'"))
    with (folder / "honest-1" / "notes.txt").open("w") as file:
        file.write("some notes")
    large = folder / "60MB"
    write(large, text)
    with (large / "tools.ipynb").open("ab") as file:
        file.truncate(60 << 20)
    (folder / "empty-folder").mkdir()
    (folder / "folder-as-notebook" / "tools.ipynb").mkdir(parents=True)
    for student in ("link", "link-to-source", "link-to-folder", "link-to-itself", "fifo", "socket", "device", "locked"):
        (folder / student).mkdir()
    (folder / "link" / "tools.ipynb").symlink_to(folder / "honest-1" / "tools.ipynb")
    (folder / "link-to-source" / "tools.ipynb").symlink_to("../../graded/source/tools/tools.ipynb")
    (folder / "link-to-folder" / "deep").symlink_to(folder / "honest-1", target_is_directory=True)
    (folder / "link-to-itself" / "tools.ipynb").symlink_to("tools.ipynb")
    os.mkfifo(folder / "fifo" / "tools.ipynb")
    os.mkfifo(folder / "honest-2" / "more.ipynb")
    listening = socket.socket(socket.AF_UNIX)
    here = os.open(folder / "socket", os.O_RDONLY)  # a socket's name must be short
    listening.bind(f"/proc/self/fd/{here}/tools.ipynb")
    os.close(here)
    if os.geteuid() == 0:
        os.mknod(folder / "device" / "tools.ipynb", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # endless noughts
    else:
        (folder / "device" / "tools.ipynb").symlink_to("/dev/zero")
    write(folder / "locked", text).chmod(0)
    return [listening.close]


EARNED = {
    "honest-1": ALL, "honest-2": ALL,
    **dict.fromkeys(("exits", "hangs", "memory", "segfault", "kills", "floods", "writes", "script", "reports",
                     "escape-codes", "long-answer", "fifty-brackets", "surrogates", "long-cell"), AREA),
}  # fmt: skip
REFUSED = {
    "truncated": "cut short", "not-json": "not JSON", "empty-file": "empty", "deep": "deep", "list": "no cells",
    "60MB": "larger than", "many-cells": "more than 2000", "empty-folder": "no notebook", "link": "link",
    "link-to-source": "link", "link-to-folder": "link", "link-to-itself": "link", "fifo": "pipe", "socket": "pipe",
    "no-dicts": "", "number-sources": "", "folder-as-notebook": "no notebook",
}  # fmt: skip


def score(exercises: frozenset[str]) -> float:
    return sum(POINTS[name] for name in exercises)


@pytest.mark.parametrize("student", EARNED)
def test_what_each_earns(crowd: tuple[dict[str, Any], Path], student: str) -> None:
    row = crowd[0]["rows"][student]
    assert row.score == score(EARNED[student]), row
    assert row.status in ("graded", "timed out", "crashed"), row


def test_a_fork_bomb_and_a_transformer_gain_nothing(crowd: tuple[dict[str, Any], Path]) -> None:
    for student in ("fork-bomb", "transformer"):
        assert crowd[0]["rows"][student].score in (0, 1)


@pytest.mark.parametrize("student", REFUSED)
def test_what_is_no_submission(crowd: tuple[dict[str, Any], Path], student: str) -> None:
    row = crowd[0]["rows"][student]
    assert row.score == 0
    assert REFUSED[student] in row.note, row
    assert REFUSED[student] == "" or row.status == "refused", row


def test_nobody_is_left_out_and_nothing_failed(crowd: tuple[dict[str, Any], Path]) -> None:
    found, _ = crowd
    students = {path.name for path in found["folder"].iterdir()}
    assert set(found["rows"]) == students
    assert {row.status for row in found["rows"].values()} <= {"graded", "refused", "timed out", "crashed"}


def test_incidents_say_what_it_was(crowd: tuple[dict[str, Any], Path]) -> None:
    rows = crowd[0]["rows"]
    kinds = {student: {incident.kind for incident in row.incidents} for student, row in rows.items()}
    assert kinds["exits"] == kinds["segfault"] == {"crashed"}
    assert kinds["hangs"] == {"timed out"}
    assert kinds["memory"] == {"out of memory"}
    assert kinds["floods"] == {"flood"}
    assert kinds["honest-1"] == kinds["honest-2"] == kinds["writes"] == set()


def test_the_gradebook_says_the_same(crowd: tuple[dict[str, Any], Path]) -> None:
    from nbgrader.api import Gradebook

    into = crowd[1]
    with Gradebook(f"sqlite:///{into / 'gradebook.db'}", "course") as gradebook:
        for student in EARNED:
            assert gradebook.find_submission("tools", student).score == score(EARNED[student])
    with sqlite3.connect(into / "gradebook.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    with (into / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {line["student"]: line for line in csv.DictReader(file)}
    assert {student: float(table[student]["score"]) for student in EARNED} == {s: score(e) for s, e in EARNED.items()}


def test_submissions_are_as_they_were(crowd: tuple[dict[str, Any], Path], gallery: Gallery) -> None:
    folder = crowd[0]["folder"]
    for student in ("honest-1", "honest-2"):
        assert json.loads((folder / student / "tools.ipynb").read_text(encoding="utf-8")) == gallery.notebook(GOOD)
    assert not Path("/tmp/attacked").exists()


def test_the_honest_have_what_they_have_alone(
    crowd: tuple[dict[str, Any], Path], gallery: Gallery, workshop: Course, tmp_path: Path
) -> None:
    """Not a word in an honest student's row or page is another because of who else was in the class."""
    write(tmp_path / "class" / "honest-1", gallery.notebook(GOOD))
    (tmp_path / "class" / "honest-1" / "notes.txt").write_text("some notes", encoding="utf-8")
    alone = grade_class(workshop, "tools", tmp_path / "class", tmp_path / "graded", Options(seconds=9))
    found, into = crowd
    mine, theirs = (replace(row, seconds=0.0, cpu_seconds=0.0) for row in (found["rows"]["honest-1"], alone.rows[0]))
    assert mine == theirs
    page = Path("feedback", "honest-1", "tools", "tools.html")
    assert (into / page).read_text(encoding="utf-8") == (tmp_path / "graded" / page).read_text(encoding="utf-8")


def test_nothing_runs_on(crowd: tuple[dict[str, Any], Path]) -> None:
    """No engine, no student, no thread."""
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("grading")]
    assert not names
