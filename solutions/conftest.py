"""pytest asks the exercises' own tests as a notebook does: by `run`, with the chapter's record."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from autograder.asking import Asking
from autograder.course.course import Course
from autograder.course.record import read_record
from autograder.notebook.source import absent_helpers, nbgrader_cells

COURSE = Course(Path(__file__).parent.parent)


@functools.cache
def asking_for(chapter: str) -> Asking:
    return Asking(read_record(COURSE.record(chapter)))


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that asks; a test of plain assertions runs as any other."""
    module = pyfuncitem.module
    if getattr(getattr(module, "check", None), "__module__", "") != "autograder.asking":
        return None
    path = Path(module.__file__ or "")
    # Its cell once more, as in a notebook: another test may have a constant of the same name.
    exec(compile(nbgrader_cells(path)[pyfuncitem.name], str(path), "exec"), vars(module))
    test = vars(module)[pyfuncitem.name]
    asking_for(path.parent.name).run(test, absent_helpers(path).get(pyfuncitem.name, ()))
    return True
