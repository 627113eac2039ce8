"""What fails on the course's own side, or on the machine's, is never a student's loss."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from submissions import scores, write
from tiny_course import HEADER

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.engine.engine import Engine
from autograder.engine.jobs import Job
from autograder.engine.pools import Engines
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.results import CellResult, Ended, Run

SQUARES = (
    HEADER
    + '''
# %% nbgrader={"grade_id": "squares", "solution": true}
def squares(n):
    ### BEGIN SOLUTION
    return [i * i for i in range(1, n + 1)]
    ### END SOLUTION

# %%
%xmode Plain
import math

# %%
squares(10)

# %%
nine = squares(3)[-1]
table = {}
for n in range(1, 4):
    table[n] = squares(n)
display(table)

# %%
def last_of(n):
    """A helper of the tests."""
    return squares(n)[-1] + table[1][0] - 1

sixteen = last_of(4)
total = sum(squares(2))

# %%
notes = open("notes-that-nobody-has.txt").read()

# %%
import a_module_that_nobody_has

# %% nbgrader={"grade_id": "test_squares", "grade": true, "points": 2}
assert squares(3) == [1, 4, 9]
assert math.sqrt(nine) == 3 and table[2] == [1, 4]

# %% nbgrader={"grade_id": "test_last", "grade": true, "points": 3}
assert last_of(5) == 25 and sixteen == 16 and total == 5
'''
)
GOOD = "def squares(n):\n    return [i**2 for i in range(1, n + 1)]\n"
FROM_ZERO = "def squares(n):\n    return [i**2 for i in range(n)]\n"


def course_of(tmp_path: Path, source: str) -> Course:
    folder = tmp_path / "course" / "solutions" / "maths"
    folder.mkdir(parents=True)
    (folder / "squares.py").write_text(source, encoding="utf-8")
    return Course(tmp_path / "course")


def hand_in(course: Course, tmp_path: Path, **students: str) -> Path:
    blank = build_student_notebooks(course, "maths", tmp_path / "blank")[0]
    for student, answer in students.items():
        write(blank, tmp_path / "class" / student / "squares.ipynb", squares=answer)
    return tmp_path / "class"


def test_given_cells_that_call_an_answer_or_fail_cost_nobody_anything(tmp_path: Path) -> None:
    course = course_of(tmp_path, SQUARES)
    folder = hand_in(course, tmp_path, good=GOOD, zero=FROM_ZERO, syntax="def squares(n:\n")
    results = grade_class(course, "maths", folder, tmp_path / "graded")
    assert scores(results) == {"good": 5, "zero": 0, "syntax": 0}
    assert not [row for row in results.rows if "ended the process" in str(row)]


@pytest.mark.parametrize(
    ("test", "cause"),
    [
        ("assert a_module_that_nobody_has.x", "No module named 'a_module_that_nobody_has'"),
        ("assert notes", "notes-that-nobody-has.txt"),
        ("assert squares(2) == [0, 1]", "AssertionError"),
        ("import os\nos._exit(0)", "was killed, or died"),
    ],
    ids=["a module", "a file", "a wrong test", "a test that ends the judge"],
)
def test_a_reference_without_full_marks_stops_the_class_in_one_line(tmp_path: Path, test: str, cause: str) -> None:
    course = course_of(tmp_path, SQUARES.replace("assert last_of(5)", f"{test}\nassert last_of(5)"))
    folder = hand_in(course, tmp_path, good=GOOD)
    with pytest.raises(CourseError) as caught:
        grade_class(course, "maths", folder, tmp_path / "graded")
    line = str(caught.value)
    assert line.startswith("squares.ipynb: test_last: the course's own solution gets 0 of 3 points here")
    assert cause in line
    assert "\n" not in line
    left = {path.name for path in (tmp_path / "graded").iterdir()}
    assert not left & {"results.json", "results.csv", "gradebook.db", "autograded", "feedback", "submitted"}


def test_the_reference_is_run_once_for_a_course_and_anew_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    run = Engines.run
    monkeypatch.setattr(Engines, "run", lambda self, job: ran.append(job.items[0]["source"]) or run(self, job))
    course = course_of(tmp_path, SQUARES)
    folder = hand_in(course, tmp_path, good=GOOD)
    for _ in range(2):
        grade_class(course, "maths", folder, tmp_path / "graded")
    assert len(ran) == 2, "the reference and one student, once each"
    source = course.sources("maths")[0]
    source.write_text(SQUARES.replace("i * i", "i ** 2"), encoding="utf-8")
    grade_class(course, "maths", folder, tmp_path / "graded")
    assert sum("BEGIN SOLUTION" in text for text in ran) == 2


# ---- our side dies

# The judge runs this cell: an answer of "end" has it killed, as the kernel does when memory is short.
DIES = SQUARES.replace(
    "assert last_of(5)", 'import os\nif squares(0) == "end":\n    os.kill(os.getpid(), 9)\nassert last_of(5)'
)
ENDS = GOOD.replace("    return", "    if n == 0:\n        return 'end'\n    return")


def grades_of(root: Path, student: str) -> list[float | None]:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as book:
        return [grade.auto_score for grade in book.find_submission("maths", student).notebooks[0].grades]


def test_a_judge_that_is_killed_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = course_of(tmp_path, DIES)
    root = tmp_path / "graded"
    grade_class(course, "maths", hand_in(course, tmp_path, one=GOOD, two=GOOD), root)
    assert sorted(grades_of(root, "one")) == [2, 3]
    ran: list[str] = []
    run = Engines.run
    monkeypatch.setattr(Engines, "run", lambda self, job: ran.append(job.items[0]["source"]) or run(self, job))
    results = grade_class(course, "maths", hand_in(course, tmp_path, one=ENDS), root)
    row = {row.student: row for row in results.rows}
    assert (row["one"].status, row["two"].status) == ("failed", "graded")
    assert "could not be graded" in row["one"].note
    assert row["two"].score == 5
    assert ran == [ENDS, ENDS], "run once more, and not kept"
    assert sorted(grades_of(root, "one")) == [2, 3], "the gradebook is as it was"
    assert results.changes == ()
    grade_class(course, "maths", tmp_path / "class", root)
    assert len(ran) == 4, "nothing of it was kept"


def test_a_keeper_that_is_killed_is_our_side_and_a_student_that_kills_itself_is_not() -> None:
    items = [{"kind": "cell", "id": "c", "source": "import time\ntime.sleep(60)"}, {"kind": "test", "id": "t"}]
    with Engine() as engine:
        engine.warm["student"].wait_ready()
        found: list[Run] = []
        runs = threading.Thread(
            target=lambda: found.append(engine.run(Job(items, [], [{"id": "t", "source": "1"}], ["f"])))
        )
        runs.start()
        children = Path("/proc", str(engine.warm["student"].pid), "task", str(engine.warm["student"].pid), "children")
        while runs.is_alive() and not (keepers := children.read_text().split()):
            pass
        os.kill(int(keepers[0]), signal.SIGKILL)
        runs.join(60)
        assert "killed" in found[0].fault
        for own_end in ("os.kill(os.getpid(), 9)", "os._exit(137)", "os.kill(os.getppid(), 9)"):
            items[0] = items[0] | {"source": f"import os\n{own_end}"}
            run = engine.run(Job(items, [], [{"id": "t", "source": "f(1)"}], ["f"]))
            assert run.fault == ""
            assert run.cells["t"].error


def test_a_time_out_by_the_clock_is_run_once_more_with_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = course_of(tmp_path, SQUARES)
    folder = hand_in(course, tmp_path, one=GOOD, two=GOOD + "# two", three=GOOD + "# three")
    run, lock = Engines.run, threading.Lock()
    under_way: list[str] = []
    beside: dict[str, list[int]] = {}

    def slow_at_first(self: Engines, job: Job) -> Run:
        source = job.items[0]["source"]
        with lock:
            beside.setdefault(source, []).append(len(under_way))
            under_way.append(source)
        try:
            if source.endswith("# two") and len(beside[source]) == 1:
                late = CellResult("test_squares", "TimedOut", "the calls of this test took too long", "", 1.0)
                return Run({"test_squares": late}, Ended.TIMED_OUT, doubt="timed out")
            return run(self, job)
        finally:
            with lock:
                under_way.remove(source)

    monkeypatch.setattr(Engines, "run", slow_at_first)
    results = grade_class(course, "maths", folder, tmp_path / "graded", Options(workers=3))
    assert scores(results) == {"one": 5, "two": 5, "three": 5}
    assert len(beside[GOOD + "# two"]) == 2
    assert beside[GOOD + "# two"][1] == 0, "something else was run beside it"
