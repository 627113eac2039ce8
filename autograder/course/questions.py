"""Tests that ask by `check`, held to their bank: what reference and entries answer, and what is recorded of it.

Everything is asked twice, under different hash seeds, in processes of their own (`autograder.course.answers`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder import asking
from autograder.course.answers import Answers, Broken, OfEntry, marks_of
from autograder.course.bank import Entry
from autograder.course.course import Course
from autograder.course.findings import Fill, Verdict, Verification
from autograder.course.record import Known, KnownQuestion, Mark
from autograder.errors import CourseError
from autograder.files import digest
from autograder.plain import ATOL, RTOL, difference, from_json, same_mark, show
from autograder.scratch import scratch_folder

SEEDS = ("1", "2")  # of the order in sets and dictionaries' hashes
UNSTEADY = ["unsteady"]  # in place of a mark: the answer differs, and not always in the same way
SLOW = 2.0  # seconds for one question


def asks_by_check(path: Path) -> bool:
    return f'"grade_id": "{asking.CELL}"' in path.read_text(encoding="utf-8")


def ask_everything(course: Course, chapter: str, only: Sequence[str] = ()) -> dict[str, Answers]:
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
        first, second = (_read(out) for out in (outs[0], outs[-1]))
    for exercise, known in first.items():
        for name, mine in known["entries"].items():
            other = second[exercise]["entries"][name]
            known["entries"][name] = _steady(mine, other)
        for question, again in zip(known["questions"], second[exercise]["questions"], strict=True):
            question["steady"] = same_mark(question["mark"], again["mark"])
    return first


def _read(out: Path) -> dict[str, Answers]:
    """What `autograder.course.answers` has written."""
    return dict(json.loads(out.read_text(encoding="utf-8")))


def _start(course: Course, chapter: str, seed: str, out: Path, only: Sequence[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, "-m", "autograder.course.answers", str(course.root), chapter, str(out), *only]
    return subprocess.Popen(
        command, cwd=course.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _steady(mine: OfEntry | Broken, other: OfEntry | Broken) -> OfEntry | Broken:
    """An entry's answers, with `UNSTEADY` where they hang on the order of a set."""
    if "broken" in mine:
        return mine
    if "broken" in other:
        return other
    pairs = zip(mine["marks"], other["marks"], strict=True)
    mine["marks"] = [a if a == b or (a and b and same_mark(a, b)) else UNSTEADY for a, b in pairs]
    return mine


def hold_to_bank(exercise: str, entries: list[Entry], answers: Answers | None, found: Verification, path: Path) -> None:
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
        found.verdicts.append(_verdict_on(entry, answers))
    found.notes += _advice(exercise, entries, answers)


def _known(entries: list[Entry], answers: Answers) -> Known:
    """An exercise in the record."""
    told = {entry.name: entry.summary for entry in entries if not entry.is_right}
    questions: list[KnownQuestion] = []
    every = {name: marks_of(answers["entries"][name]) for name in told}
    for number, question in enumerate(answers["questions"]):
        marks = {name: mark for name, found in every.items() if found and (mark := found[number]) is not None}
        kept = KnownQuestion(visible=question["visible"], answer=question["answer"], marks=marks)
        if question["secret"]:
            kept |= {"secret": True, "mark": question["mark"]}
        questions.append(kept)
    calls = [[question["call"], question["visible"]] for question in answers["questions"]]
    return {"digest": digest(calls)[:16], "entries": told, "questions": questions}


def _verdict_on(entry: Entry, answers: Answers) -> Verdict:
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


def _advice(exercise: str, entries: list[Entry], answers: Answers) -> list[str]:
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
        if "broken" not in mine and mine["slowest"] > SLOW:
            notes.append(f"{exercise}: {name}: a question takes it {mine['slowest']:.1f} s")
    return notes


def _shadowed(entries: list[Entry], answers: Answers) -> list[str]:
    """Entries that only a hidden question tells apart: a student's notebook names them all."""
    groups: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        marks = marks_of(answers["entries"][entry.name])
        if entry.is_right or not marks:
            continue
        shown = [m for m, q in zip(marks, answers["questions"], strict=True) if q["visible"]]
        if any(shown):
            groups.setdefault(json.dumps(shown), {}).setdefault(json.dumps(marks), []).append(entry.name)
    mixed = [alike.values() for alike in groups.values() if len(alike) > 1]
    return [" = ".join(name for names in alike for name in names) for alike in mixed]


def kept_where_it_can_be(new: Mapping[str, Known], old: Mapping[str, Known]) -> dict[str, Known]:
    """The new record, with the old numbers wherever they moved by no more than the tolerance."""
    return {name: _kept_exercise(known, old.get(name)) for name, known in new.items()}


def _kept_exercise(new: Known, old: Known | None) -> Known:
    if old is None or old.get("digest") != new["digest"]:
        return new
    questions: list[KnownQuestion] = []
    for mine, before in zip(new["questions"], old["questions"], strict=True):
        question = mine.copy()
        if "answer" in before:
            answers = from_json(before["answer"]), from_json(mine["answer"])
            if difference(*answers, (RTOL, ATOL), exact=True) is None:
                question["answer"] = before["answer"]
        if "mark" in mine and "mark" in before:
            question["mark"] = _kept_mark(mine["mark"], before["mark"])
        question["marks"] = {
            name: _kept_mark(mark, before["marks"].get(name, ["none"])) for name, mark in mine["marks"].items()
        }
        questions.append(question)
    kept = new.copy()
    kept["questions"] = questions
    return kept


def _kept_mark(new: Mark, old: Mark) -> Mark:
    """The old mark, where it says as much as the new one."""
    return old if len(new) == len(old) and same_mark(new, old) else new
