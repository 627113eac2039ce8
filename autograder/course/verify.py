"""Hold a chapter's tests to its bank: every wrong solution rejected by name, every right one accepted.

Tests that ask by `check` are held by what reference and bank answer (`autograder.course.questions`), and the answers
become the chapter's record; tests of plain assertions are run on each entry. Then reference and
untouched notebook go through nbgrader.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Sequence
from typing import Any, NotRequired

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.findings import Verdict, Verification
from autograder.course.questions import ask_everything, asks_by_check, hold_to_bank, kept_where_it_can_be
from autograder.course.record import read_record, written
from autograder.course.release import generate
from autograder.engine.execution import cells_of
from autograder.engine.jobs import PlainCell
from autograder.engine.runner import run_cell
from autograder.errors import CourseError
from autograder.files import write_whole
from autograder.nbgrader.configuration import checked, nbgrader_api, quiet
from autograder.notebook.points import TooManyPointsError, earned
from autograder.notebook.rebuild import ours_from
from autograder.notebook.source import exercise_of, read_source, visible
from autograder.results import CellResult
from autograder.scratch import scratch_folder


class Tried(PlainCell):
    """A cell of a notebook that is tried, with the points that it is worth as a test."""

    points: NotRequired[float]


def run_tests(cells: Sequence[Tried], tests: dict[str, str], *, hidden: bool) -> dict[str, str]:
    """Run a notebook's cells in this process; per exercise the message of the failing test, "" for a pass."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    messages = {}
    for cell in cells:
        source = cell["source"] if hidden else visible(cell["source"])
        ran = run_cell(source, namespace, cell["id"])
        if cell["id"] in tests:
            result = CellResult(cell["id"], ran.error, ran.message, ran.printed, 0.0, ran.value)
            messages[tests[cell["id"]]] = _said(result, cell.get("points", 1.0))
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


def judge(entry: Entry, cells: Sequence[Tried], tests: dict[str, str]) -> Verdict:
    """Put an entry in place of its exercise and see which tests fail, and with what words."""
    swapped = [Tried(id=c["id"], source=entry.source) if c["id"] == entry.exercise else c for c in cells]
    with_hidden = run_tests(swapped, tests, hidden=True)
    own = with_hidden if entry.hidden or entry.is_right else run_tests(swapped, tests, hidden=False)
    message = own[entry.exercise]
    blamed = tuple(name for name, said in with_hidden.items() if said and name != entry.exercise)
    problem = ""
    if entry.is_right and message:
        problem = f"a right solution was rejected: {message}"
    elif not entry.is_right and not message:
        problem = "a wrong solution passed"
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
    asked = ask_everything(course, chapter) if any(asks_by_check(path) for path in course.sources(chapter)) else {}
    for path in course.sources(chapter):
        notebook = read_source(path)
        ours = ours_from(notebook, path.stem)
        tests = {test: exercise_of(test) for test in ours.tests}
        found.points[path.stem] = float(sum(ours.tests.values()))
        if ours.by_hand:
            found.by_hand[path.stem] = float(sum(ours.by_hand.values()))
        worth = ours.tests
        cells = [Tried(id=c["id"], source=c["source"], points=worth.get(c["id"], 0.0)) for c in cells_of(ours.cells)]
        known |= set(tests.values())
        if asks_by_check(path):
            progress(f"{path.stem}: the answers")
            found.notes += constants_that_differ({c["id"]: c["source"] for c in cells if c["id"] in tests})
            for exercise in tests.values():
                hold_to_bank(exercise, [e for e in bank if e.exercise == exercise], asked.get(exercise), found, path)
            continue
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
    found.record = kept_where_it_can_be(found.record, read_record(course.record(chapter)))
    progress("reference and untouched notebooks through nbgrader")
    _through_nbgrader(course, chapter, found)
    return found


def constants_that_differ(tests: dict[str, str]) -> list[str]:
    """Names that two tests of a notebook give different values: the later cell's is what a student is left with."""
    values: dict[str, dict[str, str]] = {}  # name → value, as it is written → test
    for test, source in tests.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign):
                for target in (target for target in node.targets if isinstance(target, ast.Name)):
                    values.setdefault(target.id, {}).setdefault(ast.unparse(node.value), test)
    return [
        f"{' and '.join(where.values())} give `{name}` different values: give each a name of its own"
        for name, where in values.items()
        if len(where) > 1
    ]


def verify_exercises(course: Course, chapter: str, only: Sequence[str]) -> Verification:
    """A quick look at some exercises while they are written: asked, and held to their bank; nothing is recorded."""
    found = Verification()
    bank = load_bank(course.bank(chapter))
    asked = ask_everything(course, chapter, only)
    if missing := sorted(set(only) - asked.keys()):
        raise CourseError(f"--only {missing[0]}: no exercise of this name in {chapter} asks by `check`")
    for path in course.sources(chapter):
        for exercise, answers in asked.items():
            if answers["notebook"] == path.stem:
                hold_to_bank(exercise, [e for e in bank if e.exercise == exercise], answers, found, path)
    return found


def keep_record(course: Course, chapter: str, found: Verification, *, write: bool) -> list[str]:
    """Write the record where it has changed, or, without `write`, find the old one wrong; says what was done."""
    path = course.record(chapter)
    text = written(found.record) if found.record else ""
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text == before:
        return []
    if not write:
        found.problems.append(f"{path.relative_to(course.root)}: out of date: run `autograder verify {chapter}`")
        return []
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text)
    return [f"{path.relative_to(course.root)} is written anew: run `autograder release {chapter}`, and commit both"]


# Our engine plugs into nbgrader as it does in a course.
CONFIGURATION = "from autograder.plugin import configure\n\nconfigure(get_config())\n"


def _through_nbgrader(course: Course, chapter: str, found: Verification) -> None:
    """Autograde the reference and the untouched notebook in a gradebook of their own."""
    from nbgrader.api import Gradebook  # three seconds, which a quick look at an exercise does without

    with scratch_folder("verify") as folder:
        workspace = folder
        generate(course, chapter, workspace, record=found.record)
        (workspace / "nbgrader_config.py").write_text(CONFIGURATION, encoding="utf-8")
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
