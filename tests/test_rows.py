"""From a student's runs to a row, and from rows to the gradebook: what is whose fault, and that nothing is lost."""

from __future__ import annotations

import pytest

from autograder.grading import grade
from autograder.grading.grade import Batches
from autograder.grading.rows import Student, row_of, score_changes, with_total
from autograder.handed_in.delivery import Delivery
from autograder.handed_in.intake import Submission
from autograder.nbgrader.gradebook import Scored, Total
from autograder.notebook.file import Cell
from autograder.notebook.graded import as_notebook
from autograder.notebook.rebuild import Ours, Placed
from autograder.results import CellResult, Ended, Incident, Kind, Run, State, Status

DIGESTS = {"one": "1", "two": "2"}


def ours(name: str) -> Ours:
    test = Cell("code", "def test_f(): ...", {"grade_id": "test_f", "grade": True, "points": 2})
    essay = Cell("markdown", "", {"grade_id": "essay", "grade": True, "solution": True, "points": 3})
    return Ours(name, (test, essay), ("", ""))


BOTH = {"one": ours("one"), "two": ours("two")}
PASSED = CellResult("test_f", "", "", "", 0.5)


def states(student: Student) -> dict[tuple[str, str], State]:
    row = row_of(student, BOTH, DIGESTS, due=False)
    return {(e.notebook, e.exercise): e.state for e in row.exercises}


def test_our_own_failure_is_never_a_students_time_out() -> None:
    late = Run({}, Ended.TIMED_OUT, (Incident("test_f", Kind.TIMED_OUT, "too long"),))
    student = Student(Delivery("ann"), Submission({"one": [], "two": []}), runs={"one": late}, failed="two.ipynb: lost")
    row = row_of(student, BOTH, DIGESTS, due=False)
    assert row.status is Status.FAILED
    assert row.note == "two.ipynb: lost; f: too long"
    assert states(student) == {
        ("one", "f"): State.NOT_REACHED,
        ("one", "essay"): State.BY_HAND,
        ("two", "f"): State.NOT_GRADED,
        ("two", "essay"): State.BY_HAND,
    }
    assert with_total(row, Total(2.0)) is row, "there is no score where there is no verdict"


def test_a_notebook_that_is_not_there_and_one_that_is() -> None:
    student = Student(Delivery("ann"), Submission({"one": []}), runs={"one": Run({"test_f": PASSED}, Ended.WHOLE)})
    row = row_of(student, BOTH, DIGESTS, due=True)
    assert (row.status, row.seconds) == (Status.GRADED, 0.5)
    assert row.note.startswith("when it was handed in is not known")
    assert row.note.endswith("two.ipynb: not handed in")
    assert states(student)["one", "f"] is State.RIGHT
    assert states(student)["two", "f"] is State.NOT_HANDED_IN
    late = with_total(row, Total(1.5, penalty=0.5, seconds_late=7200))
    assert (late.score, late.penalty) == (1.5, 0.5)
    assert [(i.kind, i.text) for i in late.incidents] == [(Kind.LATE, "2.0 hours late, 0.5 points taken off")]


def test_a_blank_notebook_is_said_to_be_one() -> None:
    stub = CellResult("test_f", "NotImplementedError", "", "", 0.1)
    wrong = CellResult("test_f", "AssertionError", "no", "", 0.1)
    runs = {name: Run({"test_f": result}, Ended.WHOLE) for name, result in (("one", stub), ("two", wrong))}
    row = row_of(Student(Delivery("ann"), Submission({"one": [], "two": []}), runs=runs), BOTH, DIGESTS, due=False)
    assert row.note == "one.ipynb: none of its exercises is written yet"


def test_a_change_says_why() -> None:
    def graded(key: str, *cells: CellResult) -> Student:
        run = Run({cell.id: cell for cell in cells}, Ended.WHOLE)
        return Student(Delivery("ann"), Submission({"one": []}), {"one": key}, {"one": run})

    wrong = CellResult("test_f", "AssertionError", "no", "", 0.5)
    before = row_of(graded("a", wrong), BOTH, DIGESTS, due=False)
    for key, digests, why in [
        ("a", DIGESTS, "the same submission was run again"),
        ("b", DIGESTS, "another version was handed in"),
        ("a", {"one": "3", "two": "2"}, "the notebook or its tests changed"),
    ]:
        after = row_of(graded(key, PASSED), BOTH, digests, due=False)
        (change,) = score_changes([before], [after])
        assert (change.exercise, change.before, change.after, change.why) == ("f", 0.0, 2.0, why)
    assert score_changes([before], [before]) == []


class Saves:
    """A gradebook that notes in which batches it was told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def save(self, batch: list[Scored]) -> None:
        self.batches.append([one.student for one in batch])


def broken_off(saves: Saves, students: str) -> None:
    """Add these, and end as Ctrl-C does."""
    with Batches(saves) as batches:  # type: ignore[arg-type]
        for name in students:
            batches.add(Scored(name, {}))
        raise KeyboardInterrupt


def test_every_score_is_saved_once_also_when_the_run_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade, "BATCH", 3)
    monkeypatch.setattr(grade, "BATCH_SECONDS", float("inf"))
    saves = Saves()
    with pytest.raises(KeyboardInterrupt):
        broken_off(saves, "abcdefgh")
    assert saves.batches == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]


def test_a_cell_that_was_not_needed_is_not_told_of_as_not_reached() -> None:
    """Above every student's answers in formgrader it said that the notebook had stopped."""
    check = Placed("check", Cell("code", "HELPER = 1", {"grade_id": "check", "locked": True}), ours=True)
    mine = Placed("free-1", Cell("code", "1 / 0"), ours=False)
    ours = Ours("weights", (check.cell,), ("check",))
    template = {"cells": [], "metadata": {}}

    def outputs(run: Run) -> list[int]:
        cells = as_notebook(ours, [check, mine], template, tests=True, run=run)["cells"]
        return [len(cell["outputs"]) for cell in cells]

    assert outputs(Run({}, Ended.TIMED_OUT)) == [1, 1]
    assert outputs(Run({"free-1": CellResult("free-1", "", "", "", 0.0)}, Ended.WHOLE)) == [0, 0]
