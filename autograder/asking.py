"""Questions to a solution: `check` asks one, `run` asks a test's questions and says what the answers mean.

A test is a docstring and a few calls of `check`. What the right answer is, and what a wrong answer means, is no part of
it: both stand in the record, which `autograder verify` makes of the reference and of the bank of known mistakes. This
module, with `autograder.plain` and `autograder.hints`, is what a student's notebook, the page, pytest and the judge
have in common, so that all say the same words. It imports the standard library and these two alone, since a notebook
carries them in a cell of its own. It does not run, time or isolate anything: that is the business of whoever calls it.
"""

from __future__ import annotations

import contextlib
import json
import linecache
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from autograder.hints import NO_SUCH, NOT_WRITTEN, hint
from autograder.plain import (
    ATOL,
    HALF,
    MOST_SHOWN,
    RTOL,
    Asked,
    Difference,
    Plain,
    difference,
    dtype_name,
    from_json,
    mark,
    plain,
    same_mark,
    says_little,
    show,
    show_both,
    text_of,
    wrong_mark,
)

CELL = "check"  # the `grade_id` of the cell that carries this module in a notebook
MOST_OF = 4 / 5  # of the wrong answers: so many must be those of a known mistake that was made among others
NOT_SAID = object()  # None is an answer, too


class WrongAnswer(AssertionError):  # noqa: N818  what a student reads is no "error" of Python's
    """An exercise is not right yet: the message says which mistake it is.

    `entry` names the known mistake ("" where none fits); `details` is for the instructor, and may show what is hidden.
    """

    def __init__(self, message: str, *, title: str = "", entry: str = "", details: str = "") -> None:
        super().__init__(message)
        self.title = title
        self.entry = entry
        self.details = details

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback."""
        return [*filter(None, [self.title]), *str(self).splitlines()]


class NotRecordedError(RuntimeError):
    """The test cannot be judged, by no fault of the solution: a question without an answer, or no question at all."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback of ours."""
        return [f"This cannot be judged, by no fault of yours: {self}"]


class Verdict(NamedTuple):
    """What the answers to a test's questions mean."""

    exercise: str
    right: int
    asked: int
    message: str  # "" where all are right
    entry: str
    details: str
    points: float | None  # the sum of what the right questions are worth, where the test says so

    @property
    def title(self) -> str:
        sign = "✗" if self.message else "✓"
        return f"{sign} {self.exercise}: {self.right} of {self.asked}" + (" right" if self.message else "")


class LocalWatch:
    """Sees which arguments a call changed, where it runs in this process."""

    def __init__(self, originals: Sequence[Any], given: Sequence[Any]) -> None:
        self.pairs = list(zip(originals, given, strict=True))

    def changed(self) -> list[int]:
        """The places of the arguments that are not as they were."""
        return [place for place, (before, after) in enumerate(self.pairs) if not unchanged(before, after)]


def copied(value: Any) -> Any:
    """A copy of plain data, deep enough that nobody changes the original; anything else is handed on as it is."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    if type(value) is tuple:
        return tuple(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, set | bytearray):
        return value.copy()
    if type(value).__name__ == "ndarray":
        copy = value.copy()
        copy.flags.writeable = value.flags.writeable
        return copy
    if type(value).__name__ == "Tensor" and hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


def unchanged(before: Any, after: Any) -> bool:
    """Whether an argument still is what it was; only of plain data can it be told."""
    may_change = isinstance(after, list | tuple | dict | set | bytearray) or hasattr(after, "dtype")
    if before is after or not may_change or _same_array(before, after):
        return True
    return difference(plain(before), plain(after), (0.0, 0.0), exact=True) is None


def _same_array(before: Any, after: Any) -> bool:
    """Whether two NumPy arrays of numbers are the same bit by bit: most are, and it is quick to see."""
    if type(before).__name__ != "ndarray" or type(after) is not type(before):
        return False
    alike = before.dtype == after.dtype and before.shape == after.shape and before.dtype.kind in "biufc"
    return bool(alike and before.tobytes() == after.tobytes())


class Asking:
    """Asks the questions of tests, and judges the answers by a record.

    `record` has for each exercise its `questions`, in order, each with the reference's `answer` (or only its `mark`)
    and the `marks` of the known mistakes where they differ from it; and the `entries`, mistake → what to tell.
    """

    def __init__(self, record: Mapping[str, Any] | None = None, watch: Callable[..., Any] = LocalWatch) -> None:
        self.record = dict(record or {})
        self.watch = watch
        self.asked: list[Asked] | None = None
        self.names: Mapping[str, Any] = {}

    # Within a test.

    def check(
        self,
        call: Callable[..., Any],
        /,
        *args: Any,
        gives: Any = NOT_SAID,
        within: float | tuple[float, float] | None = None,
        exact: bool = False,
        worth: float | None = None,
        changes: bool = False,
        about: str = "",
        **options: Any,
    ) -> None:
        """Ask one question: what does `call(*args, **options)` give?

        `gives` says it for the reader; what is compared is the recorded answer. `within` is how near the numbers must
        be (absolutely and relatively, or a pair of both), `exact` asks for the same types, too, `changes` says that the
        call may change its arguments, `worth` gives points for this question alone, and `about` says in a few words
        what kind of question it is, for when it is a hidden one.
        """
        if self.asked is None:
            raise RuntimeError("check asks nothing outside of run: call run(test_…), as the cell's last line does")
        given = [copied(value) for value in args]
        named = {name: copied(value) for name, value in options.items()}
        watch = self.watch([*args, *options.values()], [*given, *named.values()])
        where = ""
        try:
            answer = plain(call(*given, **named))
        except Exception as error:
            answer, where = plain(error), self._line_of(error)
        changed = () if changes else tuple(self._argument(place, args, options) for place in watch.changed())
        tolerance = (within, within) if isinstance(within, int | float) else within or _tolerance_for(args)
        line = sys._getframe(1).f_lineno
        if changes or changed:
            given, named = [copied(value) for value in args], {name: copied(value) for name, value in options.items()}
        told = (tolerance, exact, worth, answer, changed, where, line, (call, given, named))
        self.asked.append(Asked(self._name_of(call), about, gives, *told))

    def _argument(self, place: int, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return place if place < len(args) else list(options)[place - len(args)]

    def _name_of(self, call: Any) -> str:
        named = (name for name, value in self.names.items() if value is call)
        return next(named, "") or str(getattr(call, "__name__", "the call"))

    def _line_of(self, error: BaseException) -> str:
        """The innermost line of the student's own code in an error's traceback, as it is written there."""
        told = getattr(error, "where", "")
        if told:
            return str(told)
        return line_of(error, self.names)

    # A whole test.

    def ask(self, test: Callable[[], None], without: Iterable[str] = ()) -> list[Asked]:
        """Ask a test's questions; what is named in `without` is not there while it runs.

        Warnings go where all else is printed: nbgrader's own engine gives 0 to a cell that prints to stderr.
        """
        namespace = test.__globals__
        self.names = namespace
        instead: dict[str, Any] = {name: Absent(name) for name in without if name in namespace}
        if getattr(namespace.get("check"), "__module__", "") == __name__:  # a student's own is left to their functions
            instead["check"] = self.check
        before = {name: namespace[name] for name in instead}
        found: list[Asked] = []
        self.asked = found
        namespace.update(instead)
        own = {**namespace, "check": self.check}
        asks = types.FunctionType(test.__code__, own, test.__name__, test.__defaults__, test.__closure__)
        try:
            with contextlib.redirect_stderr(sys.stdout):
                asks()
        finally:
            self.asked = None
            namespace.update(before)
        return found

    def run(self, test: Callable[[], None], without: Iterable[str] = ()) -> float | None:
        """Ask a test's questions and say what the answers mean: raise for a wrong one, or print that all are right."""
        exercise = test.__name__.removeprefix("test_")
        try:
            asked = self.ask(test, without)
        except NameError as error:
            if not error.name:
                raise
            raise self.missing(exercise, error) from None
        verdict = self.judge(exercise, asked)
        if verdict.message and verdict.points is None:
            raise WrongAnswer(
                verdict.message, title=verdict.title, entry=verdict.entry, details=verdict.details
            ) from None
        print(verdict.title + (f"\n{verdict.message}" if verdict.message else ""))
        return verdict.points

    def missing(self, exercise: str, error: NameError) -> Exception:
        """What is raised where a test's own lines find no such name."""
        return WrongAnswer(NO_SUCH.format(error.name), title=f"✗ {exercise}", details=text_of(error))

    # What answers mean.

    def judge(self, exercise: str, asked: Sequence[Asked]) -> Verdict:
        """The verdict on the answers to all questions of an exercise."""
        if not asked:
            raise NotRecordedError(f"test_{exercise} asks nothing: it needs at least one check(…)")
        known = self.record.get(exercise, {"questions": [], "entries": {}})
        differences = [self._difference(known, number, one) for number, one in enumerate(asked)]
        wrong = [number for number, found in enumerate(differences) if found is not None]
        worths = [one.worth for one in asked]
        points = None
        if any(worth is not None for worth in worths):
            points = float(sum(w or 0.0 for w, found in zip(worths, differences, strict=True) if found is None))
        right = len(asked) - len(wrong)
        if not wrong:
            return Verdict(exercise, right, len(asked), "", "", "", points)
        names, first = self._fitting(known, asked, differences)
        found = differences[first]
        assert found is not None
        sentences = list(dict.fromkeys(known["entries"][name] for name in names)) if names else []
        visible = _is_visible(known, first)
        sentence = " Or: ".join(sentences) or hint(exercise, asked, differences, visible)
        shown = question_lines(asked[first], found)
        about = f" ({asked[first].about})" if asked[first].about else ""
        hidden = [f"  asked:    a question that is not in your notebook{about}"]
        public = [sentence, *([] if sentence == NOT_WRITTEN else shown if visible else hidden)]
        details = "\n".join(shown)
        return Verdict(exercise, right, len(asked), "\n".join(public), " or ".join(names), details, points)

    def _difference(self, known: Mapping[str, Any], number: int, one: Asked) -> Difference | None:
        """Where the answer to a question is not what was recorded, or what the test says itself."""
        if one.changed:
            return Difference("changed", "", one.answer, one.answer)
        expected = self._expected(known, number, one)
        if isinstance(expected, list):
            same = same_mark(expected, mark(one.answer))
            return None if same else Difference("mark", "", one.answer, one.answer)
        within = one.within
        if number >= len(known["questions"]):  # nothing is recorded: what the test says is exact to its digits
            within = max(within[0], 1e-9), max(within[1], digits_of(expected))
        return difference(expected, one.answer, within, one.exact)

    def _expected(self, known: Mapping[str, Any], number: int, one: Asked) -> Plain | list[Any]:
        said = said_plain(one.gives) if one.gives is not NOT_SAID else None
        if number < len(known["questions"]):
            question = known["questions"][number]
            if said is not None and said.kind == "error":
                return said
            return from_json(question["answer"]) if "answer" in question else list(question["mark"])
        if said is None:
            raise NotRecordedError("no answer is recorded here: the author runs `autograder verify`")
        return said

    def _fitting(
        self, known: Mapping[str, Any], asked: Sequence[Asked], differences: Sequence[Difference | None]
    ) -> tuple[list[str], int]:
        """The known mistakes that are in these answers, and the first question to show.

        A mistake that gives every one of the answers comes first. Where there is none, one that gives most of them was
        made among others: at least two wrong answers that say something, and nearly all that it or the solution has
        wrong, errors apart. Fewer may be like it by chance, and a wrong name is worse than none.
        """
        first = next(number for number, found in enumerate(differences) if found is not None)
        questions = known["questions"][: len(asked)]
        if len(questions) < len(asked):
            return [], first
        pairs = enumerate(zip(asked, differences, strict=True))
        marks = {number: wrong_mark(one, found) for number, (one, found) in pairs if found is not None}
        telling = {n: json.dumps(m) for n, m in marks.items() if asked[n].changed or not says_little(asked[n].answer)}
        errors = {n for n in marks if asked[n].answer.kind == "error"}
        found: dict[str, tuple[float, set[int]]] = {}  # mistake → how much of what is wrong it gives, and where
        for name in known["entries"]:
            theirs = {number: q["marks"][name] for number, q in enumerate(questions) if name in q["marks"]}
            same = {n for n in theirs.keys() & marks.keys() if _same(asked[n], marks[n], theirs[n])}
            told = len({telling[n] for n in same if n in telling})
            if theirs and len(same) == len(theirs.keys() | marks.keys()) and (told or len(same) > 1):
                found[name] = 2.0, same
                continue
            others = (theirs.keys() | marks.keys()) - same
            share = len(same) / (len(same) + len(others - errors) or 1)
            if told > 1 and share >= MOST_OF and 2 * len(others & errors) <= len(same):
                found[name] = share, same
        best = max((share for share, _ in found.values()), default=0.0)
        names = [name for name, (share, _) in found.items() if share == best]
        return names, min((min(found[name][1]) for name in names), default=first)


def _same(one: Asked, mine: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two wrong answers to a question are the same; less so where half precision was asked for."""
    return same_mark(mine, other, min(max(RTOL, one.within[0]), HALF[0]))


def _is_visible(known: Mapping[str, Any], number: int) -> bool:
    questions = known["questions"]
    return number >= len(questions) or bool(questions[number].get("visible", True))


class Absent:
    """Stands in for a helper that would answer the exercise."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NameError(f"{self._name} is not to be used here: it is what this exercise builds")

    def __getattr__(self, name: str) -> Any:
        return self()


def _tolerance_for(args: Iterable[Any]) -> tuple[float, float]:
    half = any(dtype_name(value.dtype) in ("float16", "bfloat16") for value in args if hasattr(value, "dtype"))
    return HALF if half else (RTOL, ATOL)


def said_plain(gives: Any) -> Plain:
    """What a test says of an answer; a type of exception stands for an exception of it."""
    if isinstance(gives, type) and issubclass(gives, BaseException):
        return Plain("error", (), [[gives.__name__], ""], "error")
    return plain(gives)


def digits_of(said: Plain) -> float:
    """Half a unit in the last place of the numbers that a test says: 0.6652 is said to four places."""
    if said.kind == "real":
        places = [len(repr(x).partition(".")[2]) if "e" not in repr(x) else 15 for x in said.items if math.isfinite(x)]
        return 0.5000001 * 10.0 ** -max(places, default=15)
    if said.kind in ("list", "set"):
        return max((digits_of(item) for item in said.items), default=0.0)
    if said.kind == "dict":
        return max((digits_of(item) for _, item in said.items), default=0.0)
    return 0.0


def line_of(error: BaseException, namespace: Mapping[str, Any]) -> str:
    """The innermost line of code written in `namespace` that led to `error`, with its function; "" for none."""
    found = ""
    frame = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        written_here = frame.tb_frame.f_globals is namespace and not code.co_name.startswith(("<module>", "test_"))
        if written_here:
            line = linecache.getline(code.co_filename, frame.tb_lineno).strip()
            if line:
                found = f"{line}    # in {code.co_name}"
        frame = frame.tb_next
    return found


# ---- what a student reads


def question_lines(one: Asked, found: Difference) -> list[str]:
    """The question, what was expected and what came, at the first place where they differ."""
    lines = [f"  asked:    {one.call}"]
    if found.kind == "mark":
        return [*lines, f"  got:      {show(found.got)}"]
    if found.kind != "changed":
        lines += _expected_and_got(one, found)
    if one.where:
        lines.append(f"  the line: {one.where}")
    return lines


def _expected_and_got(one: Asked, found: Difference) -> list[str]:
    """Both values whole where they are short, else at the first place where they differ."""
    expected, got = show_both(found.whole or found.expected, one.answer)
    if (
        max(len(expected), len(got)) > MOST_SHOWN
        or expected == got
        or expected.endswith("…")
        or " of shape " in expected
    ):
        at = f" at {found.place}" if found.place else ""
        expected, got = (f"{text}{at}" for text in show_both(found.expected, found.got))
    return [f"  expected: {expected}", f"  got:      {got}"]


_here = Asking()
check, run = _here.check, _here.run


def load(record: str) -> None:
    """Take the record of a notebook, as JSON."""
    _here.record = json.loads(record)
