"""Examples before code: is what a reader expects right, and which known mistakes would it catch?

    softmax([2.0, 0, 1]) == [0.665, 0.090, 0.245]
    softmax([]) == ValueError

An example is a line of Python: an expression that uses the exercise, `==`, and what it gives (an exception's type for
one that is raised). It is right if the reference gives that, to the digits that are written. It catches a wrong
solution of the bank that gives something else than the reference. The method is Examplar's: J. Wrenn and
S. Krishnamurthi, "Executable Examples for Programming Problem Comprehension", ICER 2019. It is offered, and never
required.

This module is used by `autograder examples` and in the page, so it imports the standard library and `autograder.plain`
alone. It runs the course's own solutions and what the reader typed, on the reader's machine, and judges no answer.
"""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from autograder.asking import digits_of, said_plain
from autograder.plain import ATOL, RTOL, Plain, difference, plain, show

MOST_LINES = 100_000  # of Python that one answer may run: a loop without end is a mistake, too
MOST_EXAMPLES = 20
Names = Mapping[str, Any]


class Wrong(NamedTuple):
    """A wrong solution of the bank, and what it is told who makes the mistake."""

    source: str
    message: str


class Example(NamedTuple):
    """One line, cut in two; `fault` says why it is no example ("" where it is one)."""

    text: str
    call: str = ""
    gives: str = ""
    fault: str = ""


class Told(NamedTuple):
    """What is said of an example."""

    text: str
    right: bool
    words: str  # what the reference gives, or why nothing can be said; "" where the example is right


class Outcome(NamedTuple):
    """What is said of all of them."""

    examples: list[Told]
    caught: list[str]  # messages of the known mistakes that a right example catches
    missed: list[str]  # those of the others

    @property
    def summary(self) -> str:
        right = sum(one.right for one in self.examples)
        if not right:
            return "No example is right yet. Work one out by hand, from the text."
        known = len(self.caught) + len(self.missed)
        count = f"Your {right} right examples catch" if right > 1 else "Your right example catches"
        return f"{count} {len(self.caught)} of {known} known mistakes."

    @property
    def next_hint(self) -> str:
        """One mistake that got through, in words."""
        return f"One that gets through: {self.missed[0]}" if self.missed and any(e.right for e in self.examples) else ""


class TooLong(BaseException):
    """An answer ran for too long; no solution's `except Exception` catches it."""


def read(text: str, exercise: str, drivers: Collection[str] = ()) -> list[Example]:
    """The examples in a text, one a line, without comments; a test's `drivers` use the exercise, too."""
    lines = [line.strip() for line in text.splitlines()]
    return [_example(line, exercise, drivers) for line in lines if line and not line.startswith("#")]


def _example(line: str, exercise: str, drivers: Collection[str]) -> Example:
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        return Example(line, fault=f"this is not Python: {error.msg}")
    match tree:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            pass
        case _:
            return Example(line, fault=f"write it as {exercise}(…) == what it gives")
    if not {exercise, *drivers} & {node.id for node in ast.walk(left) if isinstance(node, ast.Name)}:
        return Example(line, fault=f"the left side does not use {exercise}")
    return Example(line, ast.unparse(left), ast.unparse(right))


def drivers_of(test: str) -> list[str]:
    """The functions that a test cell defines beside the test: what a class is asked by, say."""
    found = [node.name for node in ast.parse(test).body if isinstance(node, ast.FunctionDef)]
    return [name for name in found if not name.startswith("test_")]


def tried(
    text: str,
    exercise: str,
    with_solution: Callable[[str], Names],
    reference: str,
    wrong: Sequence[Wrong],
    drivers: Collection[str] = (),
) -> Outcome:
    """What the examples in `text` are worth.

    `with_solution` gives the names of the notebook with a source in the exercise's place.
    """
    examples, names = read(text, exercise, drivers)[:MOST_EXAMPLES], with_solution(reference)
    told: list[Told] = []
    right: list[tuple[Example, Plain]] = []
    for example in examples:
        words = example.fault
        if not words:
            answer = answer_of(example.call, names)
            words = _disagreement(example, answer, names)
            if not words:
                right.append((example, answer))
        told.append(Told(example.text, not words, words))
    caught: list[str] = []
    missed: list[str] = []
    for entry in wrong:
        (caught if right and _is_caught(entry, right, with_solution) else missed).append(entry.message)
    return Outcome(told, caught, missed)


def _disagreement(example: Example, answer: Plain, names: Names) -> str:
    """How the reference differs from what an example says; "" where it does not."""
    try:
        gives = said_plain(eval(example.gives, dict(names)))
    except Exception as error:
        return f"the right side cannot be read: {type(error).__name__}: {error}"
    room = RTOL, max(ATOL, digits_of(gives))
    if difference(answer, gives, room) is None or (gives.kind == "error" and difference(gives, answer, room) is None):
        return ""
    if answer.kind == "error" and gives.kind != "error":
        lists = "; an array is written as np.array([…])" if "'list' object" in answer.items[1] else ""
        return f"the reference raises {answer.items[0][0]}: {answer.items[1]}{lists}"
    return f"the reference gives {show(answer)}"


def _is_caught(entry: Wrong, right: Sequence[tuple[Example, Plain]], with_solution: Callable[[str], Names]) -> bool:
    try:
        names = with_solution(entry.source)
    except Exception:  # a solution that cannot even be defined
        return True
    return any(difference(answer, answer_of(one.call, names), (RTOL, ATOL)) is not None for one, answer in right)


def answer_of(call: str, names: Names) -> Plain:
    """What an expression gives with these names: a value, or the exception that it raises."""
    try:
        with at_most(MOST_LINES), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return plain(eval(call, dict(names)))
    except TooLong:
        return Plain("object", (), "no answer: it does not come to an end", "object")
    except Exception as error:
        return plain(error)


@contextlib.contextmanager
def at_most(lines: int) -> Iterator[None]:
    """In calls made within, so many lines of Python may run; then TooLong is raised. It counts, so no clock decides."""
    left = lines
    before = sys.gettrace()

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooLong
        return count

    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
