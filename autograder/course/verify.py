"""Hold a chapter's tests to its bank: every wrong solution rejected by name, every right one accepted.

Tests that ask by `check` are held by what reference and bank answer, and the answers become the chapter's record
(`autograder.course.answers`, `autograder.course.record`); tests of plain assertions are run, and their messages read.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder import asking
from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.record import read_record, written
from autograder.course.release import generate
from autograder.engine.execution import CellResult, cells_of
from autograder.engine.runner import run_cell
from autograder.errors import CourseError
from autograder.grading.check import TooManyPointsError, earned
from autograder.grading.workspace import digest, write_whole
from autograder.nbgrader.configuration import checked, nbgrader_api, quiet
from autograder.notebook.rebuild import ours_from
from autograder.notebook.source import exercise_of, read_source, visible
from autograder.plain import ATOL, RTOL, difference, from_json, same_mark, show
from autograder.scratch import scratch_folder

SEEDS = ("1", "2")  # of the order in sets and dictionaries' hashes
UNSTEADY = ["unsteady"]  # in place of a mark: the answer differs, and not always in the same way
SLOW = 2.0  # seconds for one question


@dataclass(frozen=True)
class Verdict:
    """What the tests said of one bank entry; `problem` is "" where it was the right thing."""

    entry: Entry
    message: str
    blamed: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Fill:
    """An answer that the author has left to the reference: `gives=...` in a test's cell."""

    notebook: str
    test: str
    line: int
    answer: str


@dataclass
class Verification:
    """What `verify` found for a chapter."""

    verdicts: list[Verdict] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)  # notebook → points that its tests are worth
    by_hand: dict[str, float] = field(default_factory=dict)  # notebook → points that a person gives
    reference: dict[str, float] = field(default_factory=dict)  # notebook → what the reference got
    untouched: dict[str, float] = field(default_factory=dict)  # notebook → what the blank notebook got
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what an author may want to mend
    record: dict[str, Any] = field(default_factory=dict)  # of the notebooks that ask
    fills: list[Fill] = field(default_factory=list)  # answers for the author's `gives=...`

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
        ran = run_cell(source, namespace, cell["id"])
        if cell["id"] in tests:
            result = CellResult(cell["id"], ran.error, ran.message, ran.printed, 0.0, ran.value)
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
    asked = _answers(course, chapter) if any(_asks(path) for path in course.sources(chapter)) else {}
    for path in course.sources(chapter):
        notebook = read_source(path)
        ours = ours_from(notebook, path.stem)
        tests = {test: exercise_of(test) for test in ours.tests}
        found.points[path.stem] = float(sum(ours.tests.values()))
        if ours.by_hand:
            found.by_hand[path.stem] = float(sum(ours.by_hand.values()))
        cells = [c | {"points": str(ours.tests.get(c["id"], 0))} for c in cells_of(ours.cells)]
        known |= set(tests.values())
        if _asks(path):
            progress(f"{path.stem}: the answers")
            found.notes += constants_that_differ({c["id"]: c["source"] for c in cells if c["id"] in tests})
            for exercise in tests.values():
                _hold(exercise, [e for e in bank if e.exercise == exercise], asked.get(exercise), found, path)
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
    found.record = _kept(found.record, read_record(course.record(chapter)))
    progress("reference and untouched notebooks through nbgrader")
    _through_nbgrader(course, chapter, found)
    return found


# ---- tests that ask


def _asks(path: Path) -> bool:
    return f'"grade_id": "{asking.CELL}"' in path.read_text(encoding="utf-8")


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
    asked = _answers(course, chapter, only)
    if missing := sorted(set(only) - asked.keys()):
        raise CourseError(f"--only {missing[0]}: no exercise of this name in {chapter} asks by `check`")
    for path in course.sources(chapter):
        for exercise, answers in asked.items():
            if answers["notebook"] == path.stem:
                _hold(exercise, [e for e in bank if e.exercise == exercise], answers, found, path)
    return found


def _answers(course: Course, chapter: str, only: Sequence[str] = ()) -> dict[str, Any]:
    """What everything answers, asked twice under different hash seeds: a mark that differs is none."""
    with scratch_folder("verify") as folder:
        seeds = SEEDS[:1] if only else SEEDS
        outs = [Path(folder, f"{seed}.json") for seed in seeds]
        running = [_start(course, chapter, seed, out, only) for seed, out in zip(seeds, outs, strict=True)]
        for process in running:
            _, complaint = process.communicate()
            if process.returncode:
                last = (complaint.strip().splitlines() or ["it ended without a word"])[-1]
                raise CourseError(f"{chapter}: the reference or the bank cannot be asked: {last}")
        first, second = (json.loads(out.read_text(encoding="utf-8")) for out in (outs[0], outs[-1]))
    for exercise, known in first.items():
        for name, mine in known["entries"].items():
            other = second[exercise]["entries"][name]
            known["entries"][name] = _steady(mine, other)
        for question, other in zip(known["questions"], second[exercise]["questions"], strict=True):
            question["steady"] = same_mark(question["mark"], other["mark"])
    return dict(first)


def _start(course: Course, chapter: str, seed: str, out: Path, only: Sequence[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, "-m", "autograder.course.answers", str(course.root), chapter, str(out), *only]
    return subprocess.Popen(
        command, cwd=course.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _steady(mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """An entry's answers, with `UNSTEADY` where they hang on the order of a set."""
    if "broken" in mine or "broken" in other:
        return mine if "broken" in mine else other
    pairs = zip(mine["marks"], other["marks"], strict=True)
    marks = [a if a == b or (a and b and same_mark(a, b)) else UNSTEADY for a, b in pairs]
    return mine | {"marks": marks}


def _hold(
    exercise: str, entries: list[Entry], answers: dict[str, Any] | None, found: Verification, path: Path
) -> None:
    """One exercise: its questions, its entries, and its place in the record."""
    if answers is None or not answers["questions"]:
        found.problems.append(f"{path.name}: test_{exercise} asks nothing: it needs at least one check(…)")
        return
    questions = answers["questions"]
    where = f"{path.name}: test_{exercise}"
    for number, question in enumerate(questions):
        called = f"{where}: question {number + 1}, {question['call']}"
        if not question["agrees"]:
            right = show(from_json(question["answer"]), 6)
            found.problems.append(f"{called}: the test says {question['gives']}, the reference gives {right}")
        if question["changed"]:
            found.problems.append(f"{called}: the reference changes its arguments: mend it, or ask with changes=True")
        if not question["steady"]:
            found.problems.append(f"{called}: the reference's answer hangs on the order of a set")
        if question["visible"] and number and not questions[number - 1]["visible"]:
            found.problems.append(f"{where}: a visible question stands below a hidden one: move it up")
        if question["fill"]:
            answer = show(from_json(question["answer"]))
            found.fills.append(Fill(path.stem, f"test_{exercise}", question["line"], answer))
    found.problems += [
        f"{where}: `{name}`, which a student has, is a working answer: name it in `without`, or take it away"
        for name in answers["answers_in_sight"]
    ]
    if not any(question["visible"] for question in questions):
        found.problems.append(f"{where}: no visible question: a student would not know what is asked")
    if not any(not entry.is_right for entry in entries):
        found.problems.append(f"no wrong solution for {exercise}: add at least one to the bank")
    known = _known(entries, answers)
    found.record[exercise] = known
    for entry in entries:
        found.verdicts.append(_verdict_on(entry, answers, known))
    found.notes += _advice(exercise, entries, answers, known)


def _known(entries: list[Entry], answers: dict[str, Any]) -> dict[str, Any]:
    """An exercise in the record."""
    told = {entry.name: entry.summary for entry in entries if not entry.is_right}
    questions = []
    for number, question in enumerate(answers["questions"]):
        every = {name: answers["entries"][name].get("marks") for name in told}
        marks = {name: marks[number] for name, marks in every.items() if marks and marks[number] is not None}
        kept = {"visible": question["visible"], "answer": question["answer"], "marks": marks}
        if question["secret"]:
            kept |= {"secret": True, "mark": question["mark"]}
        questions.append(kept)
    calls = [[question["call"], question["visible"]] for question in answers["questions"]]
    return {"digest": digest(calls)[:16], "entries": told, "questions": questions}


def _verdict_on(entry: Entry, answers: dict[str, Any], known: dict[str, Any]) -> Verdict:
    mine = answers["entries"][entry.name]
    if "broken" in mine:
        return Verdict(entry, "", (), f"it cannot be asked: {mine['broken']}")
    marks = mine["marks"]
    differs = [number for number, one in enumerate(marks) if one is not None]
    seen = [number for number in differs if answers["questions"][number]["visible"]]
    blamed = tuple(mine["blamed"])
    message = entry.summary if differs else ""
    problem = ""
    if entry.is_right and differs:
        call = answers["questions"][differs[0]]["call"]
        problem = f"a right solution is refused: {call} gives {mine['shown']}"
    elif not entry.is_right and not differs:
        problem = "a wrong solution passes"
    elif not entry.is_right and not entry.hidden and not seen:
        problem = "only a hidden question tells: make one visible, or mark it hidden=True"
    elif not entry.is_right and set(differs) <= set(mine["near"]):
        problem = "its answers are within ten tolerances of the right ones: ask where they differ more"
    elif not entry.is_right and len(differs) < 2 and all(mine["little"][n] for n in differs):
        problem = "its one wrong answer says too little to name it: ask a second question on which it is wrong"
    elif blamed:
        problem = f"it also fails {', '.join(blamed)}"
    return Verdict(entry, message, blamed, problem)


def _advice(exercise: str, entries: list[Entry], answers: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """What an author may want to mend: mistakes that look alike, kinds of arguments never asked, slow answers."""
    notes = []
    for names, question in answers["apart"].items():
        apart = f"ask {exercise}{question}" if question else "no question made of the asked ones tells them apart"
        notes.append(f"{exercise}: {names}: the same answers everywhere: {apart}")
    notes += [f"{exercise}: {names}: the same visible answers" for names in _shadowed(entries, answers)]
    if answers["forgotten"]:
        notes.append(f"{exercise}: never asked: {', '.join(answers['forgotten'])}")
    for number, seconds in enumerate(answers["seconds"]):
        if seconds > SLOW:
            notes.append(f"{exercise}: question {number + 1} takes the reference {seconds:.1f} s")
    for name, mine in answers["entries"].items():
        if mine.get("slowest", 0.0) > SLOW:
            notes.append(f"{exercise}: {name}: a question takes it {mine['slowest']:.1f} s")
    return notes


def _shadowed(entries: list[Entry], answers: dict[str, Any]) -> list[str]:
    """Entries that only a hidden question tells apart: a student's notebook names them all."""
    groups: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        marks = answers["entries"][entry.name].get("marks")
        if entry.is_right or not marks:
            continue
        shown = [m for m, q in zip(marks, answers["questions"], strict=True) if q["visible"]]
        if any(shown):
            groups.setdefault(json.dumps(shown), {}).setdefault(json.dumps(marks), []).append(entry.name)
    mixed = [alike.values() for alike in groups.values() if len(alike) > 1]
    return [" = ".join(name for names in alike for name in names) for alike in mixed]


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


def _kept(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The new record, with the old numbers wherever they moved by no more than the tolerance."""
    return {name: _kept_exercise(known, old.get(name, {})) for name, known in new.items()}


def _kept_exercise(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    if old.get("digest") != new["digest"]:
        return new
    questions = []
    for mine, before in zip(new["questions"], old["questions"], strict=True):
        question = dict(mine)
        if "answer" in before:
            answers = from_json(before["answer"]), from_json(mine["answer"])
            if difference(*answers, (RTOL, ATOL), exact=True) is None:
                question["answer"] = before["answer"]
        if "mark" in mine and "mark" in before and same_mark(mine["mark"], before["mark"]):
            question["mark"] = before["mark"]
        question["marks"] = {
            name: before["marks"][name] if same_mark(mark, before["marks"].get(name, ["none"])) else mark
            for name, mark in mine["marks"].items()
        }
        questions.append(question)
    return new | {"questions": questions}


# ---- through nbgrader


def _through_nbgrader(course: Course, chapter: str, found: Verification) -> None:
    """Autograde the reference and the untouched notebook in a gradebook of their own."""
    from nbgrader.api import Gradebook

    with scratch_folder("verify") as folder:
        workspace = folder
        generate(course, chapter, workspace, record=found.record)
        kept = Course(workspace).record(chapter)  # where the judge looks for it
        kept.parent.mkdir(parents=True)
        kept.write_text(written(found.record), encoding="utf-8")
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
