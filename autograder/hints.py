"""What can be said of wrong answers that no known mistake gives: said once, for all exercises of all courses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograder.plain import KINDS, Asked, Difference, Plain, shape_text, show, unfolded

NOT_WRITTEN = "not written yet"
NO_SUCH = "There is no `{}`: its cell was not run, ended in an error, or gives it another name."


def hint(exercise: str, asked: Sequence[Asked], differences: Sequence[Difference | None], visible: bool = True) -> str:
    """What can be said of wrong answers that no known mistake gives: said once for all exercises.

    Where the question is a hidden one, nothing is said of what it asked or expected.
    """
    pairs = [(one, found) for one, found in zip(asked, differences, strict=True) if found is not None]
    one, found = pairs[0]
    expected, got = found.expected, found.got
    if one.answer.kind == "error" and found.kind == "error":
        return _hint_of_error(exercise, one, expected, visible)
    if all(o.answer.kind == "none" for o, _ in pairs):
        return "None came back: is the `return` missing?"
    if found.kind == "changed":
        names = ", ".join(_ordinal(place) for place in one.changed)
        return f"{exercise} changes {names}: leave the arguments as they are, and work on a copy."
    if found.kind == "error":
        return f"Expected {expected.items[0][0]} to be raised, and an answer came back."
    if found.kind == "form":
        return f"Expected {_article(expected.form)}, and {_article(got.form)} came back."
    if found.kind == "shape":
        return _hint_of_shape(expected, got, visible)
    if found.kind == "kind":
        return f"Expected {_kind_name(expected)}, and {_kind_name(got)} came back{_at(found) if visible else ''}."
    said = _hint_of_keys(found) if found.kind == "keys" and visible else ""
    said = said or _hint_of_pieces(found, visible) or _hint_of_numbers(pairs)
    return said or "The answer is not the right one yet."


def _hint_of_error(exercise: str, one: Asked, expected: Plain, visible: bool) -> str:
    names, text = one.answer.items
    if "NotImplementedError" in names:
        return NOT_WRITTEN
    if "NameError" in names and text.startswith(f"name '{exercise}' is not defined"):
        return NO_SUCH.format(exercise)
    if expected.kind == "error":
        return f"Expected {expected.items[0][0]}, and {names[0]} was raised."
    return f"The call ended in {names[0]}: {text}" if text and visible else f"The call ended in {names[0]}."


def _hint_of_shape(expected: Plain, got: Plain, visible: bool) -> str:
    text = f"Expected the shape {shape_text(expected.shape)}, got {shape_text(got.shape)}"
    if not visible:
        text = "The answer has another shape than expected"
    if len(expected.shape) == len(got.shape) and sorted(expected.shape) == sorted(got.shape):
        return f"{text}: two axes have changed places."
    if [n for n in got.shape if n != 1] == [n for n in expected.shape if n != 1]:
        return f"{text}: an axis of length 1 is {'missing' if len(got.shape) < len(expected.shape) else 'too many'}."
    return f"{text}."


def _hint_of_keys(found: Difference) -> str:
    rights = {show(key) for key, _ in found.expected.items}
    mine = {show(key) for key, _ in found.got.items}
    missing, extra = sorted(rights - mine)[:3], sorted(mine - rights)[:3]
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"too many: {', '.join(extra)}"] if extra else []
    return f"The keys are not the expected ones ({'; '.join(parts)})."


def _hint_of_pieces(found: Difference, visible: bool) -> str:
    """Of texts and lists: the end missing or too long, the same text cut elsewhere, another order."""
    expected, got = found.expected, found.got
    whole = found.whole or expected
    if found.kind == "value" and expected.kind in ("text", "bytes") and got.kind == expected.kind:
        rights, mine = expected.items, got.items
    elif found.kind == "length":
        rights, mine = ([item.items for item in unfolded(answer)] for answer in (expected, got))
    else:
        return ""
    if found.kind == "length" and _all_text(rights) and _all_text(mine) and "".join(rights) == "".join(mine):
        return "The text is right, and cut at other places."
    counts = f": expected {len(rights)} items, got {len(mine)}" if found.kind == "length" and visible else ""
    if len(mine) < len(rights) and mine == rights[: len(mine)]:
        return f"The end is missing{counts}."
    if rights and len(mine) > len(rights) and mine[: len(rights)] == rights:
        return f"There is more at the end than there should be{counts}."
    if found.kind == "length" and found.place == "" and whole.kind in ("list", *KINDS):
        return f"There are too {'few' if len(mine) < len(rights) else 'many'} items{counts}."
    return ""


def _all_text(items: Sequence[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


def _hint_of_numbers(pairs: Sequence[tuple[Asked, Difference]]) -> str:
    """Of arrays of the right shape: NaN, a factor, a difference, an order, a rounding that all wrong answers share."""
    answer = pairs[0][0].answer
    if answer.kind == "real" and not all(map(math.isfinite, answer.items)):
        return "There is NaN or infinity in the answer."
    wholes = [(found.whole, one.answer) for one, found in pairs]
    numbers = [(expected, got) for expected, got in wholes if expected is not None and _comparable(expected, got)]
    if not numbers or numbers[0][1] is not answer:
        return ""
    rights = [x for expected, _ in numbers for x in expected.items]
    mine = [x for _, got in numbers for x in got.items]
    if len(rights) < 2 or not all(map(math.isfinite, (*rights, *mine))):
        return ""
    size = max(map(abs, rights))
    if all(_nearly(expected.items, got.items) for expected, got in numbers):
        return "The numbers are nearly right: is something rounded, or computed with too few digits?"
    factor = next((b / a for a, b in zip(rights, mine, strict=True) if a), 0.0)
    if factor and all(abs(a * factor - b) <= 1e-4 * size * abs(factor) for a, b in zip(rights, mine, strict=True)):
        turned = abs(factor + 1) < 1e-6
        return "Every sign is the wrong way round." if turned else f"Every number is {factor:.4g} times the right one."
    step = mine[0] - rights[0]
    if all(abs(b - a - step) <= 1e-4 * max(size, 1e-9) for a, b in zip(rights, mine, strict=True)):
        return f"Every number is {abs(step):.4g} too {'large' if step > 0 else 'small'}."
    if all(_swapped(expected) == got.items for expected, got in numbers):
        return "These are the right numbers with the last two axes swapped."
    if all(_in_order(expected) == _in_order(got) for expected, got in numbers):
        return "These are the right numbers in another order."
    return ""


def _nearly(rights: Sequence[Any], mine: Sequence[Any]) -> bool:
    """Whether the numbers of one answer are off by a few thousandths of its largest at most."""
    return bool(max(abs(a - b) for a, b in zip(rights, mine, strict=True)) <= 2e-3 * max(map(abs, rights)))


def _comparable(expected: Plain, got: Plain) -> bool:
    return expected.kind in ("whole", "real") and got.kind in ("whole", "real") and expected.shape == got.shape


def _swapped(answer: Plain) -> list[Any]:
    """The numbers of a square matrix (or several) with rows and columns swapped."""
    if len(answer.shape) < 2 or answer.shape[-1] != answer.shape[-2]:
        return []
    n = answer.shape[-1]
    return [answer.items[b + j * n + i] for b in range(0, len(answer.items), n * n) for i in range(n) for j in range(n)]


def _in_order(answer: Plain) -> list[Any]:
    return sorted(float(f"{x:.4g}") for x in answer.items)


def _kind_name(answer: Plain) -> str:
    name = {
        "none": "None", "bool": "True or False", "whole": "whole numbers", "real": "numbers with a fraction (float)",
        "complex": "complex numbers", "text": "text", "bytes": "bytes", "list": f"a {answer.form or 'list'}",
        "dict": "a dictionary", "set": "a set", "error": "an error", "object": str(answer.items),
    }[answer.kind]  # fmt: skip
    return name


def _at(found: Difference) -> str:
    return f" at {found.place}" if found.place else ""


def _article(form: str) -> str:
    return f"{'an' if form[:1] in 'aeiou' or form.startswith('nd') else 'a'} {form}"


def _ordinal(place: Any) -> str:
    if isinstance(place, str):
        return f"its argument `{place}`"
    names = ("first", "second", "third", "fourth", "fifth", "sixth")
    return f"its {names[place] if place < len(names) else f'{place + 1}th'} argument"
