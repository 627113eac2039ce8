"""What the guide for instructors tells people to type is there, and does what the guide says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, scores, write
from typer.main import get_command

from autograder.commands import app
from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.grading.grade import Options, grade_class

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "chapters" / "instructors.md").read_text(encoding="utf-8")
WALLS = (ROOT / "chapters" / "walls.md").read_text(encoding="utf-8")
LATE = GUIDE.split("\n## Late work\n")[1].split("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def typed(text: str) -> list[str]:
    """All commands of ours, in blocks and in running text."""
    lines = [line for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [
        found for line in [*lines, *re.findall(r"`([^`\n]+)`", text)] for found in re.findall(r"\bautograder .+", line)
    ]


@pytest.mark.parametrize("line", sorted({*typed(GUIDE), *typed(WALLS)}))
def test_what_is_typed_exists(line: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    words = shlex.split(line)
    known = {option for parameter in commands[words[1]].params for option in parameter.opts}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known
    arguments = [p for p in commands[words[1]].params if p.param_type_name == "argument" and p.required]
    if len(words) > 2:  # else it only names the command
        assert sum(not word.startswith("--") for word in words[2:]) >= len(arguments)


def test_every_command_of_the_walk_is_looked_at() -> None:
    walk = {shlex.split(line)[1] for line in typed(GUIDE)}
    assert {"doctor", "release", "sample", "grade", "report", "export", "check", "verify"} <= walk


def test_an_option_that_stands_alone_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    known = {option for command in commands.values() for p in command.params for option in p.opts} | {"--help"}
    alone = {word for text in (GUIDE, WALLS) for word in re.findall(r"`(--[a-z]+)", text)}
    assert len(alone) > 6
    assert alone <= known


def test_pictures_are_small_and_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\((assets/[\w-]+\.png)\)", GUIDE)
    assert len(pictures) == 4
    sizes = {name: (ROOT / "chapters" / name).stat().st_size for name in pictures}
    assert not {name: size for name, size in sizes.items() if not 2_000 < size < 60_000}


def test_the_late_policy_does_what_it_says(tiny: Course, tmp_path: Path) -> None:
    (policy,) = blocks(LATE, "python")
    extension = re.search(r'--extension (\w+)="([^"]+)"', LATE)
    due = re.search(r'--due "([^"]+)"', LATE)
    assert due is not None and extension is not None
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (tiny.root / "nbgrader_config.py").write_text(f"{config}\n{policy}", encoding="utf-8")
    blank = build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]
    handed_in = tmp_path / "class"
    when = {"ann": "2026-12-02 23:00:00 UTC", "bob": "2026-12-01 22:59:00 UTC", "eve": "2026-12-30 12:00:00 UTC"}
    for student, moment in when.items():
        write(blank, handed_in / student / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
        (handed_in / student / "timestamp.txt").write_text(moment, encoding="utf-8")
    write(blank, handed_in / "fay" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    results = grade_class(tiny, "cooking", handed_in, tiny.root, Options(due=due[1]))
    # Ann is a day and a minute late, so a second day has begun; Eve's tenths are more than all.
    assert scores(results) == {"ann": 4, "bob": 5, "eve": 0, "fay": 5}
    notes = {row.student: row.note for row in results.rows}
    assert "not known" in notes["fay"], "a row whose time is not known says so"
    more = Options(due=due[1], extensions=(f"{extension[1]}={extension[2]}",))
    assert scores(grade_class(tiny, "cooking", handed_in, tiny.root, more))["ann"] == 5


@pytest.mark.slow
def test_the_exchange_takes_what_was_released_and_grade_what_was_submitted(tiny: Course, tmp_path: Path) -> None:
    section = GUIDE.split("\n### nbgrader's exchange\n")[1].split("\n### ")[0]
    hand_out, take_in = (block.replace("attention", "cooking") for block in blocks(section, "sh"))
    shutil.copy(ROOT / "nbgrader_config.py", tiny.root)
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    with (tiny.root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\nget_config().Exchange.root = {str(exchange)!r}\n")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    build_student_notebooks(tiny, "cooking", tiny.student_notebooks("cooking"))

    def shell(lines: str, folder: Path) -> str:
        done = subprocess.run(["sh", "-e", "-c", lines], cwd=folder, env=os.environ | {"PATH": tools}, text=True,
                              capture_output=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    shell(hand_out, tiny.root)
    student = tmp_path / "student"
    student.mkdir()
    shutil.copy(tiny.root / "nbgrader_config.py", student)
    shell("nbgrader fetch_assignment cooking", student)
    write(student / "cooking" / "recipes.ipynb", student / "cooking" / "recipes.ipynb", portions=GOOD_PORTIONS)
    shell("nbgrader submit cooking", student)
    shell(take_in.replace("EXCHANGE", str(exchange)), tiny.root)
    assert "2.0" in (tiny.root / "results.csv").read_text(encoding="utf-8-sig").splitlines()[1]
