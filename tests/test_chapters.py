"""Every chapter of this course: the bank is clean, and the committed student notebooks are in sync."""

import json
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


SOURCES = {
    ".".join(path.relative_to(COURSE.root).with_suffix("").parts): path.stem
    for path in sorted((COURSE.root / "solutions").glob("*/*.py"))
}
# In a fresh Python where warnings are errors: the two libraries that take seconds, once, and a fork for each module.
IMPORT_EACH = """
import importlib, json, os, sys, tempfile, traceback
import numpy, torch

def imported(module):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = 1
            try:
                importlib.import_module(module)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = [file.seek(0) or file.read().decode(errors="replace") for file in (out, err)]
    return [code, *said]

json.dump({module: imported(module) for module in sys.argv[1:]}, sys.stdout)
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[object]]:
    """Exit code and output of a Python that imports this module, for each."""
    command = [sys.executable, "-W", "error", "-c", IMPORT_EACH, *SOURCES]
    done = subprocess.run(command, cwd=COURSE.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", SOURCES, ids=SOURCES.values())
def test_importing_a_solution_prints_nothing(imported: dict[str, list[object]], module: str) -> None:
    assert imported[module] == [0, "", ""]
