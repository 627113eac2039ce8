"""Every chapter of this course: the bank is clean, and the committed student notebooks are in sync."""

import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.course.verify import keep_record, verify_chapter

COURSE = Course.find(Path(__file__).parent)
CHAPTERS = COURSE.chapters()


def test_there_are_chapters() -> None:
    assert "attention" in CHAPTERS


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_bank_is_clean(chapter: str) -> None:
    found = verify_chapter(COURSE, chapter)
    assert keep_record(COURSE, chapter, found, write=False) == []
    assert found.problems == []  # an old record among them
    assert [f"{v.entry.exercise}: {v.entry.name}: {v.problem}" for v in found.verdicts if v.problem] == []
    assert found.reference == found.points
    assert set(found.untouched.values()) == {0.0}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_student_notebooks_are_in_sync(chapter: str, tmp_path: Path) -> None:
    built = build_student_notebooks(COURSE, chapter, tmp_path)
    committed = COURSE.student_notebooks(chapter)
    assert [p.name for p in built] == sorted(p.name for p in committed.glob("*.ipynb"))
    for path in built:
        same = path.read_bytes() == (committed / path.name).read_bytes()
        assert same, f"{path.name} is out of date: run `autograder release {chapter}`"


@pytest.mark.parametrize("source", sorted((COURSE.root / "solutions").glob("*/*.py")), ids=lambda p: p.stem)
def test_importing_a_solution_prints_nothing(source: Path) -> None:
    module = ".".join(source.relative_to(COURSE.root).with_suffix("").parts)
    command = [sys.executable, "-W", "error", "-c", f"import {module}"]
    done = subprocess.run(command, cwd=COURSE.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
