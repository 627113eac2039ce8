"""Where results go: what is wrong with the folder, the disk or the gradebook is said in one line that names it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, scores, write

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.scratch import scratch_folder, sweep


@pytest.fixture
def two(tiny: Course, tmp_path: Path) -> Path:
    blank = build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]
    folder = tmp_path / "class"
    write(blank, folder / "ann" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    write(blank, folder / "bob" / "recipes.ipynb", portions=GOOD_PORTIONS)
    return folder


def command(course: Course, folder: Path, into: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """`autograder grade`, with files of at most so many bytes."""
    words = [sys.executable, "-m", "autograder.commands", "grade", str(folder), "--chapter", "cooking", "--into", into]
    if limit is not None:
        words = ["prlimit", f"--fsize={limit}", *words]
    return subprocess.run(words, cwd=course.root, capture_output=True, text=True, timeout=300, check=False)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_file_in_the_folders_place(tiny: Course, two: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    assert f"--into {tmp_path / 'file'}: is a file" in one_line(command(tiny, two, str(tmp_path / "file")))
    assert str(tmp_path / "file") in one_line(command(tiny, two, str(tmp_path / "file" / "inside")))


def test_a_folder_that_cannot_be_written_to(tiny: Course, two: Path) -> None:
    assert "/proc" in one_line(command(tiny, two, "/proc/graded"))


def test_a_full_disk(tiny: Course, two: Path, tmp_path: Path) -> None:
    line = one_line(command(tiny, two, str(tmp_path / "graded"), limit=60_000))
    assert str(tmp_path / "graded") in line


@pytest.mark.parametrize("name", ["q?x=1&b#c", "100%25 größe"])
def test_paths_are_paths(tiny: Course, two: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    for _ in range(2):
        assert scores(grade_class(tiny, "cooking", two, root)) == {"ann": 5, "bob": 2}
    assert (root / "gradebook.db").is_file()
    assert not [path.name for path in tmp_path.iterdir() if path.name not in {name, "class", "blank", "tiny"}]


@pytest.mark.parametrize("damage", [b"no database\n" * 200, b""], ids=["not a database", "empty"])
def test_a_gradebook_that_is_damaged_or_another(tiny: Course, two: Path, tmp_path: Path, damage: bytes) -> None:
    root = tmp_path / "graded"
    grade_class(tiny, "cooking", two, root)
    (root / "gradebook.db").write_bytes(damage)
    if damage:
        with pytest.raises(CourseError, match=r"gradebook.db: the gradebook cannot be used \(file is not a database\)"):
            grade_class(tiny, "cooking", two, root)
        assert (root / "gradebook.db").read_bytes() == damage
    else:
        assert scores(grade_class(tiny, "cooking", two, root)) == {"ann": 5, "bob": 2}


def test_results_that_cannot_be_read_are_never_written_over(tiny: Course, two: Path, tmp_path: Path) -> None:
    root = tmp_path / "graded"
    root.mkdir()
    damaged = [b"", b"{", b'{"rows": 3}', b'{"assignment": "cooking", "rows": [{}]}', b"\xff[]", b"[" * 10**5]
    for content, only in itertools.product(damaged, [(), ("ann",)]):
        (root / "results.json").write_bytes(content)
        with pytest.raises(CourseError, match=r"results.json: "):
            grade_class(tiny, "cooking", two, root, Options(only=only))
        assert (root / "results.json").read_bytes() == content
    assert not (root / "gradebook.db").exists()


def test_text_that_no_file_can_hold_is_made_clean_where_it_enters(tiny: Course, two: Path, tmp_path: Path) -> None:
    blank = build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]
    half = "def portions(g, p):\n    raise ValueError('\\ud800\\x1b[31m\\x00')\n"
    prints = "print('\\udfff')\n" + GOOD_DOUBLE
    write(blank, two / "half" / "recipes.ipynb", portions=half, double=prints)
    write(blank, two / "raw" / "recipes.ipynb", portions=GOOD_PORTIONS, double="x = '\ud800\0'\n")
    root = tmp_path / "graded"
    got = scores(grade_class(tiny, "cooking", two, root))
    assert got == {"ann": 5, "bob": 2, "half": 3, "raw": 2}
    text = (root / "results.json").read_bytes().decode("utf-8")
    assert "\\u001b" not in text
    assert "\\u0000" not in text
    assert scores(grade_class(tiny, "cooking", two, root, Options(only=("half",)))) == got, "rows were lost"
    for path in (root / "autograded").rglob("*.ipynb"):
        json.loads(path.read_bytes().decode("utf-8"))


# ---- what a killed run leaves


def test_a_folder_goes_at_the_next_start_and_not_before_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import sys; from autograder.scratch import make_folder as m; print(m('in'), flush=True); sys.stdin.read()"
    owner = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    (folder / "deep").mkdir()
    (folder / "deep").chmod(0)
    with scratch_folder("in") as mine:
        assert sweep() == []
        owner.kill()
        owner.communicate()
        assert sweep() == [folder]
        assert mine.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_nothing_of_a_class_stays_in_the_temporary_folder(
    tiny: Course, two: Path, tmp_path: Path, number: signal.Signals
) -> None:
    blank = build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]
    write(blank, two / "slow" / "recipes.ipynb", portions="import time\ntime.sleep(100)\n")
    scratch, root = tmp_path / "scratch", tmp_path / "graded"
    scratch.mkdir()
    words = [
        sys.executable,
        "-m",
        "autograder.commands",
        "grade",
        str(two),
        "--chapter",
        "cooking",
        "--into",
        str(root),
    ]
    environment = os.environ | {"TMPDIR": str(scratch)}
    run = subprocess.Popen(words, cwd=tiny.root, env=environment, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)  # fmt: skip
    while not list(root.glob(".autograder/runs/*/*.json")) and run.poll() is None:
        time.sleep(0.05)
    assert list(scratch.glob("autograder-held-in-*"))
    run.send_signal(number)
    _, said = run.communicate(timeout=120)
    if number == signal.SIGTERM:
        assert run.returncode == 130
        assert "interrupted; nothing is lost" in said
    else:
        (two / "slow" / "recipes.ipynb").unlink()
        again = subprocess.run([*words, "--seconds", "12"], cwd=tiny.root, env=environment, check=False)
        assert again.returncode == 0
    assert list(scratch.glob("autograder-*")) == []
