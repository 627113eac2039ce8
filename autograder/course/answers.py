"""What the reference and every entry of the bank answer to the questions of a chapter's tests.

Runs as a process of its own, `python -m autograder.course.answers ROOT CHAPTER OUT`, since `verify` asks everything
twice, under two hash seeds: what an answer owes to the order of a set must not be recorded. It runs the course's own
code and nothing of a student's; it judges nothing.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import os
import random
import signal
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict, final

import numpy as np

from autograder import asking
from autograder.course import forgotten
from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.record import Mark
from autograder.engine.sandbox import limit_memory
from autograder.engine.shell import Namespace
from autograder.notebook.file import Cell, cells_in
from autograder.notebook.source import asks, exercise_of, read_source, visible
from autograder.plain import Asked, difference, mark, says_little, show, to_json, wrong_mark


class Question(TypedDict):
    """One question, as the reference answers it."""

    visible: bool
    answer: Any  # as JSON
    mark: Mark
    changed: list[int]  # arguments that the reference changed
    call: str
    secret: bool  # there are no arguments: the answer is what is asked for
    said: bool  # the test has a `gives`
    fill: bool  # a `gives` that is left to be filled in
    agrees: bool  # what the test says and what the reference gives
    gives: str
    line: int
    steady: NotRequired[bool]  # the same under another hash seed


class Broken(TypedDict):
    """An entry that could not be asked, and why."""

    broken: str


@final
class OfEntry(TypedDict):
    """What an entry answers, question by question."""

    marks: list[Mark | None]  # None where it answers as the reference does
    near: list[int]  # questions on which it is within ten tolerances of the reference
    blamed: list[str]  # other exercises whose tests it fails
    little: list[bool]  # answers of a few bits, which name nobody
    slowest: float  # seconds
    shown: str  # its first answer that differs


class Answers(TypedDict):
    """All answers to the questions of one exercise."""

    notebook: str
    questions: list[Question]
    seconds: list[float]  # the reference's, by question
    entries: dict[str, OfEntry | Broken]
    forgotten: list[str]  # kinds of arguments that are never asked
    answers_in_sight: list[str]
    apart: dict[str, str]  # entries that answer alike → a question that tells them apart


SECONDS = 10.0  # of CPU time, for one call; a loop without end is a mistake, too
MEMORY = 3 << 30  # bytes beyond what it begins with: a function tried as an answer may be asked for something huge


class TimedOut(Exception):  # noqa: N818  its name is part of a mark
    """A call that took too long."""


class TimedAsking(asking.Asking):
    """Asks with a clock of CPU time, so that a busy machine cuts nothing short, and never lets a test print."""

    def check(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> None:
        def timed(*given: Any, **named: Any) -> Any:
            signal.signal(signal.SIGPROF, _time_is_up)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                answer = call(*given, **named)
                return list(answer) if isinstance(answer, Iterator) else answer
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0.0)

        started = time.perf_counter()
        super().check(timed, *args, **options)
        assert self.asked is not None
        line = sys._getframe(1).f_lineno
        given = (call, *self.asked[-1].arguments[1:])
        self.asked[-1] = self.asked[-1]._replace(name=self._name_of(call), line=line, arguments=given)
        self.seconds.append(round(time.perf_counter() - started, 3))

    def ask(self, test: Callable[[], None], without: Iterable[str] = ()) -> list[Asked]:
        self.seconds: list[float] = []
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return super().ask(test, without)


def _time_is_up(number: int, frame: Any) -> None:
    raise TimedOut


class NotTheAnswer(Exception):  # noqa: N818  no fault
    """A function that was tried as an answer gives something else."""


class Trying(TimedAsking):
    """Asks a function that may be an answer for as long as it answers as the reference does: most do not once."""

    def __init__(self, reference: Sequence[Asked]) -> None:
        super().__init__()
        self.reference = reference

    def check(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> None:
        super().check(call, *args, **options)
        assert self.asked is not None
        right, mine = self.reference[len(self.asked) - 1], self.asked[-1]
        if difference(right.answer, mine.answer, right.within, right.exact) is not None:
            raise NotTheAnswer


class Sheet:
    """One notebook, with the reference in it: its tests can be asked of any solution."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        notebook = read_source(path)
        cells = [cell for cell in cells_in(notebook, path.name) if cell.kind == "code"]
        about = {c.metadata["nbgrader"]["grade_id"]: c for c in notebook.cells if c.metadata.get("nbgrader")}
        self.asks = asking.CELL in about
        self.tests = {cell.grade_id: _test_source(cell) for cell in cells if cell.is_test and asks(cell.source)}
        self.without = {cell.grade_id: _without(cell.source) for cell in cells if cell.is_test}
        self.solutions = {c.grade_id: c.source for c in cells if c.nbgrader.get("solution") and not c.is_test}
        self.plain = [c.source for c in cells if not c.is_test and c.grade_id != asking.CELL]

    def namespace(self) -> Namespace:
        """The names of the notebook once all its cells but the tests have run."""
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        found = module.__dict__
        found["check"] = found["run"] = None
        for source in self.plain:
            exec(compile(source, f"<{self.name}>", "exec"), found)
        return found

    def ask(
        self, test: str, base: Namespace, entry: Entry | None = None, *, hidden: bool = True
    ) -> tuple[list[Asked], list[float]]:
        """The answers to a test's questions, of the reference or with an entry in its exercise's place."""
        names = dict(base)
        if entry is not None:
            for name in defined(self.solutions.get(entry.exercise, "")):
                names.pop(name, None)
            exec(compile(entry.source, f"<{entry.name}>", "exec"), names)
        source = self.tests[test]
        exec(compile(source if hidden else visible(source), f"<{test}>", "exec"), names)
        asks_here = TimedAsking()
        return asks_here.ask(names[test], self.without[test]), asks_here.seconds

    def accepts(self, test: str, names: Namespace, answer: Any, reference: Sequence[Asked]) -> bool:
        """Whether any function in the exercise's place gives all that the reference gives."""
        exec(compile(self.tests[test], f"<{test}>", "exec"), names := {**names, exercise_of(test): answer})
        return len(Trying(reference).ask(names[test], self.without[test])) == len(reference)

    def affected(self, exercise: str) -> list[str]:
        """The tests of other exercises that could notice this one."""
        return [
            test
            for test, source in self.tests.items()
            if exercise_of(test) != exercise
            and exercise in mentioned(source) | mentioned(self.solutions.get(exercise_of(test), ""))
        ]


def _test_source(cell: Cell) -> str:
    """A test's cell without the line that runs it."""
    lines = cell.source.rstrip().splitlines()
    return "\n".join(line for line in lines if not line.startswith("run(")) + "\n"


def _without(source: str) -> list[str]:
    last = ast.parse(source).body[-1]
    match last:
        case ast.Expr(value=ast.Call(func=ast.Name(id="run"), keywords=[ast.keyword(arg="without", value=value)])):
            return list(ast.literal_eval(value))
    return []


def defined(source: str) -> list[str]:
    """The names that a cell defines at its top level."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


@functools.cache
def mentioned(source: str) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))


def collect(course: Course, chapter: str, only: Sequence[str] = ()) -> dict[str, Answers]:
    """Everything that the chapter's asking notebooks and its bank answer, as JSON has it: exercise → answers.

    With `only`, the exercises of these names alone.
    """
    bank = load_bank(course.bank(chapter))
    found: dict[str, Answers] = {}
    for path in course.sources(chapter):
        sheet = Sheet(path)
        wanted = [test for test in sheet.tests if not only or exercise_of(test) in only]
        if not sheet.asks or not wanted:
            continue
        base = sheet.namespace()
        seed = int(os.environ.get("PYTHONHASHSEED", "0"))
        random.seed(seed)  # what an answer owes to a global generator is told from what it gives by itself
        np.random.seed(seed)
        if (torch := sys.modules.get("torch")) is not None:
            torch.manual_seed(seed)
            torch.set_num_threads(1)
            torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)  # no question pays for what this imports
        for test in wanted:
            exercise = exercise_of(test)
            entries = [entry for entry in bank if entry.exercise == exercise]
            found[exercise] = _answers(sheet, test, base, entries)
    return found


def _answers(sheet: Sheet, test: str, base: Namespace, entries: Sequence[Entry]) -> Answers:
    reference, seconds = sheet.ask(test, base)
    shown = len(sheet.ask(test, base, hidden=False)[0])
    answers = {entry.name: _of_entry(sheet, test, base, entry, reference) for entry in entries}
    return {
        "notebook": sheet.name,
        "questions": [_question(one, number < shown) for number, one in enumerate(reference)],
        "seconds": seconds,
        "entries": answers,
        "forgotten": forgotten.kinds(reference),
        "answers_in_sight": _answers_in_sight(sheet, test, base, reference),
        "apart": _apart(sheet, test, base, entries, answers, reference),
    }


def _answers_in_sight(sheet: Sheet, test: str, base: Namespace, reference: Sequence[Asked]) -> list[str]:
    """The functions that a student has from the start and that would solve the exercise: given ones, the test's own."""
    names = dict(base)
    exec(compile(visible(sheet.tests[test]), f"<{test}>", "exec"), names)
    solutions = {name for source in sheet.solutions.values() for name in defined(source)}
    absent = {*solutions, *sheet.without[test], test, "check", "run"}
    found = []
    for name, value in list(names.items()):  # a warning adds a name of its own
        if name in absent or name.startswith("_") or not callable(value) or isinstance(value, types.ModuleType):
            continue
        if _asks_for(value, exercise_of(test)):  # what it gives is the exercise's own answer
            continue
        with contextlib.suppress(Exception):
            if sheet.accepts(test, names, value, reference):
                found.append(name)
    return found


def _asks_for(function: Any, name: str) -> bool:
    """Whether a function's own lines use a name."""
    code = getattr(function, "__code__", None)
    codes = [code] if code is not None else []
    for one in codes:
        codes += [inner for inner in one.co_consts if isinstance(inner, types.CodeType)]
    return any(name in one.co_names for one in codes)


def _question(one: Asked, is_visible: bool) -> Question:
    said = one.gives is not asking.NOT_SAID
    open_to_fill = one.gives is Ellipsis
    agrees = True
    if said and not open_to_fill:
        gives = asking.said_plain(one.gives)
        room = one.within[0], max(one.within[1], asking.digits_of(gives))
        agrees = difference(one.answer, gives, room) is None or (
            gives.kind == "error" and difference(gives, one.answer, room) is None
        )
    _, args, options = one.arguments
    return {
        "visible": is_visible,
        "answer": to_json(one.answer),
        "mark": mark(one.answer),
        "changed": list(one.changed),
        "call": one.call,
        "secret": not args and not options,
        "said": said and not open_to_fill,
        "fill": open_to_fill,
        "agrees": agrees,
        "gives": show(asking.said_plain(one.gives)) if said and not open_to_fill else "",
        "line": one.line,
    }


def _of_entry(
    sheet: Sheet, test: str, base: Namespace, entry: Entry, reference: Sequence[Asked]
) -> OfEntry | Broken:
    """The marks of an entry where it differs from the reference, and whose other tests it fails."""
    try:
        mine, seconds = sheet.ask(test, base, entry)
    except Exception as error:  # the entry itself cannot be run, or breaks the test's own code
        return {"broken": f"{type(error).__name__}: {error}"}
    if len(mine) != len(reference):
        return {"broken": f"it changes which questions are asked ({len(mine)}, not {len(reference)})"}
    marks: list[Mark | None] = []
    near = []
    for number, (right, one) in enumerate(zip(reference, mine, strict=True)):
        found = difference(right.answer, one.answer, right.within, right.exact)
        marks.append(wrong_mark(one, found) if found or one.changed else None)
        wide = right.within[0] * 10, right.within[1] * 10
        if found and not one.changed and difference(right.answer, one.answer, wide, right.exact) is None:
            near.append(number)
    blamed = [exercise_of(other) for other in sheet.affected(entry.exercise) if _differs(sheet, other, base, entry)]
    little = [says_little(one.answer) and not one.changed for one in mine]
    shown = next((show(one.answer) for one, m in zip(mine, marks, strict=True) if m is not None), "")
    slowest = max(seconds, default=0.0)
    return {"marks": marks, "near": near, "blamed": blamed, "little": little, "slowest": slowest, "shown": shown}


def _differs(sheet: Sheet, test: str, base: Namespace, entry: Entry) -> bool:
    rights, mine = sheet.ask(test, base)[0], sheet.ask(test, base, entry)[0]
    pairs = zip(rights, mine, strict=True)
    return any(difference(a.answer, b.answer, a.within, a.exact) is not None for a, b in pairs)


def _apart(
    sheet: Sheet,
    test: str,
    base: Namespace,
    entries: Sequence[Entry],
    answers: Mapping[str, OfEntry | Broken],
    reference: Sequence[Asked],
) -> dict[str, str]:
    """For entries that give the same answers everywhere: a question, made of the asked ones, that tells them apart."""
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        marks = marks_of(answers[entry.name])
        if any(marks) and not entry.is_right:
            same.setdefault(json.dumps(marks), []).append(entry)
    found = {}
    for group in (group for group in same.values() if len(group) > 1):
        functions = [_function_of(sheet, base, entry) for entry in group]
        direct = [one for one in reference if one.arguments[0] is base.get(exercise_of(test))]
        question = forgotten.telling_question(functions, direct) if all(functions) else ""
        found[" = ".join(entry.name for entry in group)] = question
    return found


def marks_of(answers: OfEntry | Broken) -> list[Mark | None]:
    """Of an entry, question by question; none where it could not be asked."""
    return [] if "broken" in answers else answers["marks"]


def _function_of(sheet: Sheet, base: Namespace, entry: Entry) -> Any:
    names = dict(base)
    exec(compile(entry.source, f"<{entry.name}>", "exec"), names)
    return names.get(entry.exercise)


def main(root: Path, chapter: str, out: Path, *only: str) -> None:
    warnings.simplefilter("ignore")
    limit_memory(MEMORY)
    found = collect(Course(root), chapter, only)
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
