"""Hold a chapter's tests to its bank: every wrong solution rejected by name, every right one accepted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.release import generate
from autograder.engine.execution import CellResult, cells_of
from autograder.engine.runner import run_cell
from autograder.errors import CourseError
from autograder.grading.check import TooManyPointsError, earned
from autograder.nbgrader.configuration import checked, nbgrader_api, quiet
from autograder.notebook.rebuild import ours_from
from autograder.notebook.source import exercise_of, read_source, visible
from autograder.scratch import scratch_folder


@dataclass(frozen=True)
class Verdict:
    """What the tests said of one bank entry; `problem` is "" where it was the right thing."""

    entry: Entry
    message: str
    blamed: tuple[str, ...]
    problem: str


@dataclass
class Verification:
    """What `verify` found for a chapter."""

    verdicts: list[Verdict] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)  # notebook → points that its tests are worth
    by_hand: dict[str, float] = field(default_factory=dict)  # notebook → points that a person gives
    reference: dict[str, float] = field(default_factory=dict)  # notebook → what the reference got
    untouched: dict[str, float] = field(default_factory=dict)  # notebook → what the blank notebook got
    problems: list[str] = field(default_factory=list)

    def count(self, *, is_right: bool) -> tuple[int, int]:
        """How many right (wrong) entries were judged as they deserve, and how many there are."""
        mine = [v for v in self.verdicts if v.entry.is_right is is_right]
        return sum(not v.problem for v in mine), len(mine)

    @property
    def blamed(self) -> int:
        return sum(len(v.blamed) for v in self.verdicts)

    @property
    def clean(self) -> bool:
        return not self.problems and not any(v.problem for v in self.verdicts)


def run_tests(cells: list[dict[str, str]], tests: dict[str, str], *, hidden: bool) -> dict[str, str]:
    """Run a notebook's cells in this process; per exercise the message of the failing test, "" for a pass."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    messages = {}
    for cell in cells:
        source = cell["source"] if hidden else visible(cell["source"])
        error, message, printed, value = run_cell(source, namespace, cell["id"])
        if cell["id"] in tests:
            result = CellResult(cell["id"], error, message, printed, 0.0, value)
            messages[tests[cell["id"]]] = _said(result, float(cell.get("points", 1.0)))
    return messages


def _said(result: CellResult, worth: float) -> str:
    """The message of a test that gave less than its points; "" for all of them."""
    if result.error:
        return f"{result.error}: {result.message}"
    try:
        points = earned(worth, result)
    except TooManyPointsError as error:
        return str(error)
    return "" if points == worth else result.printed.strip() or f"partly right: {points:g} of {worth:g} points"


def judge(entry: Entry, cells: list[dict[str, str]], tests: dict[str, str]) -> Verdict:
    """Put an entry in place of its exercise and see which tests fail, and with what words."""
    swapped = [c | {"source": entry.source} if c["id"] == entry.exercise else c for c in cells]
    with_hidden = run_tests(swapped, tests, hidden=True)
    own = with_hidden if entry.hidden or entry.is_right else run_tests(swapped, tests, hidden=False)
    message = own[entry.exercise]
    blamed = tuple(name for name, said in with_hidden.items() if said and name != entry.exercise)
    problem = ""
    if entry.is_right and message:
        problem = f"a right solution was rejected: {message}"
    elif not entry.is_right and not message:
        problem = "a wrong solution passed"
    elif not entry.is_right and entry.says not in message:
        problem = f"the message does not say {entry.says!r}: {message}"
    elif blamed:
        problem = f"it also failed {', '.join(blamed)}"
    return Verdict(entry, message, blamed, problem)


def verify_chapter(course: Course, chapter: str, progress: Callable[[str], None] = lambda _: None) -> Verification:
    """Run the bank against the chapter's tests, then reference and blank notebooks through nbgrader."""
    found = Verification()
    bank_path = course.bank(chapter)
    if not bank_path.is_file():
        raise CourseError(f"{bank_path}: no misconception bank: write one with @wrong and @right entries")
    bank = load_bank(bank_path)
    known: set[str] = set()
    for path in course.sources(chapter):
        notebook = read_source(path)
        ours = ours_from(notebook, path.stem)
        tests = {test: exercise_of(test) for test in ours.tests}
        found.points[path.stem] = float(sum(ours.tests.values()))
        if ours.by_hand:
            found.by_hand[path.stem] = float(sum(ours.by_hand.values()))
        cells = [c | {"points": str(ours.tests.get(c["id"], 0))} for c in cells_of(ours.cells)]
        known |= set(tests.values())
        for exercise, message in run_tests(cells, tests, hidden=True).items():
            if message:
                found.problems.append(f"{path.name}: the reference fails {exercise}: {message}")
        for exercise in tests.values():
            mine = [e for e in bank if e.exercise == exercise]
            if not any(not e.is_right for e in mine):
                found.problems.append(f"{bank_path.name}: no wrong solution for {exercise}: add at least one")
            for entry in mine:
                progress(f"{exercise}: {entry.name}")
                found.verdicts.append(judge(entry, cells, tests))
    for entry in bank:
        if entry.exercise not in known:
            found.problems.append(f"{bank_path.name}: {entry.name}: there is no exercise {entry.exercise!r}")
    progress("reference and untouched notebooks through nbgrader")
    _through_nbgrader(course, chapter, found)
    return found


def _through_nbgrader(course: Course, chapter: str, found: Verification) -> None:
    """Autograde the reference and the untouched notebook in a gradebook of their own."""
    from nbgrader.api import Gradebook

    with scratch_folder("verify") as folder:
        workspace = folder
        generate(course, chapter, workspace)
        for student, tree in (("reference", "source"), ("untouched", "release")):
            shutil.copytree(workspace / tree / chapter, workspace / "submitted" / student / chapter)
        with quiet() as complaints:
            api = nbgrader_api(workspace)
            for student in ("reference", "untouched"):
                checked(api.autograde(chapter, student, force=True), complaints, f"autograde {student}")
        with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}", "course") as gradebook:
            for student, scores in (("reference", found.reference), ("untouched", found.untouched)):
                for notebook in gradebook.find_submission(chapter, student).notebooks:
                    scores[notebook.name] = float(notebook.score)
    for name, points in found.points.items():
        if found.reference.get(name) != points:
            found.problems.append(f"{name}: the reference got {found.reference.get(name)} of {points} from nbgrader")
        if found.untouched.get(name) != 0:
            found.problems.append(f"{name}: the untouched notebook got {found.untouched.get(name)} points, not 0")
