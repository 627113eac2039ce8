"""What authors forget to ask: kinds of arguments, and questions that tell two mistakes apart.

From the arguments of the questions that a test asks, others are made: whole numbers, half and single precision, lists,
empty, one element, ties. Nothing here decides a verdict; it is advice for whoever writes the test.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from autograder import asking
from autograder.plain import Asked, Plain, mark, plain, same_mark, show_argument

SECONDS = 2.0
MOST_TRIES = 40


def _arrays(value: Any) -> bool:
    return type(value).__name__ == "ndarray" and value.dtype.kind in "fiu"


def _of_every_array(change: Callable[[Any], Any]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda args: tuple(change(value) if _arrays(value) and value.size else value for value in args)


def _of_every_list(change: Callable[[Any], Any]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda args: tuple(change(value) if isinstance(value, list | str | bytes) else value for value in args)


def _tied(value: Any) -> Any:
    copy = value.copy()
    copy[...] = copy.reshape(-1)[0]
    return copy


VARIANTS: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "whole numbers": _of_every_array(lambda x: x.round().astype(int)),
    "float32": _of_every_array(lambda x: x.astype("float32") if x.dtype.kind == "f" else x),
    "float16": _of_every_array(lambda x: x.astype("float16") if x.dtype.kind == "f" else x),
    "empty": _of_every_array(lambda x: x[:0]),
    "one element": _of_every_array(lambda x: x[:1]),
    "ties": _of_every_array(_tied),
    "another order": _of_every_array(lambda x: x[::-1].copy()),
    "larger numbers": _of_every_array(lambda x: x * 100),
    "negative numbers": _of_every_array(lambda x: -x),
    "fewer items": _of_every_list(lambda items: items[:-1]),
    "twice as many items": _of_every_list(lambda items: items + items),
    "one item": _of_every_list(lambda items: items[:1]),
    "no item": _of_every_list(lambda items: items[:0]),
}
ASKED_FOR = ("whole numbers", "float32", "float16", "empty", "one element", "ties", "one item", "no item")


def kinds(asked: Sequence[Asked]) -> list[str]:
    """The kinds of arguments that the reference takes and that no question of the test has."""
    found = []
    for kind in ASKED_FOR:
        change = VARIANTS[kind]
        if any(_is_already(one.arguments[1], change) for one in asked if _applies(one.arguments[1], kind)):
            continue
        applicable = [one for one in asked if _applies(one.arguments[1], kind)][:5]
        if any(_answer(one.arguments[0], change(one.arguments[1]), one.arguments[2]) is not None for one in applicable):
            found.append(kind)
    return found


def _applies(args: tuple[Any, ...], kind: str) -> bool:
    listed = kind in ("one item", "no item")
    return any((isinstance(v, list | str | bytes) if listed else _arrays(v)) for v in args)


def _is_already(args: tuple[Any, ...], change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> bool:
    try:
        return all(plain(a) == plain(b) for a, b in zip(args, change(args), strict=True))
    except Exception:
        return False


def telling_question(functions: Sequence[Any], asked: Sequence[Asked]) -> str:
    """A call on which these solutions do not all give the same, as text; "" where none was found."""
    tries = 0
    for one in asked:
        _, args, options = one.arguments
        for kind, change in VARIANTS.items():
            tries += 1
            if tries > MOST_TRIES:
                return ""
            try:
                changed = change(args)
            except Exception:
                continue
            answers = [_answer(function, changed, options) for function in functions]
            marks = [None if answer is None else mark(answer) for answer in answers]
            if any(_apart(marks[0], other) for other in marks[1:]):
                shown = ", ".join([*map(show_argument, changed), *(f"{k}={v!r}" for k, v in options.items())])
                return f"({shown})    # {kind}"
    return ""


def _apart(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is not other
    return not same_mark(one, other)


def _answer(call: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Plain | None:
    """What a call gives; None where it raises or takes long."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        answer = call(*map(asking.copied, args), **options)
        return plain(list(answer) if isinstance(answer, Iterator) else answer)
    except Exception:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
