"""What can be said of wrong answers that no known mistake gives: said once, for all exercises of all courses.

Each sentence is true of the answers by construction, since it is only said where it holds. Of a hidden question neither
the arguments nor the expected values are told, only what kind they are of. A student's notebook carries this module.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, permutations
from typing import Any, NamedTuple

from autograder.plain import (
    KINDS,
    LISTED,
    Asked,
    Difference,
    Plain,
    difference,
    is_about_none,
    mark,
    near,
    plain,
    says_little,
    shape_text,
    show,
    unfolded,
)

NOT_WRITTEN = "not written yet"
NO_SUCH = "There is no `{}`: its cell was not run, ended in an error, or gives it another name."
NOT_YET = "The answer is not the right one yet."
MOST_NUMBERS = 20_000  # of an answer whose numbers are compared in every way
MOST_PARTS = 12  # of an answer that is told part by part
FEW = 3  # items that are listed


def hint(exercise: str, asked: Sequence[Asked], differences: Sequence[Difference | None], visible: bool = True) -> str:
    """What can be said of wrong answers that no known mistake gives.

    Where the question that is shown is a hidden one, nothing is said of what it asked or expected.
    """
    pairs = [(one, found) for one, found in zip(asked, differences, strict=True) if found is not None]
    said = _of_one_part(pairs, visible) or _of_the_form(exercise, pairs, visible)
    if said == NOT_WRITTEN or said.startswith(NO_SUCH[:12]):
        return said
    said = said or _of_the_arguments(asked, differences) or _of_the_values(pairs, visible)
    return " ".join(filter(None, [said, which_questions(asked, differences)])) or NOT_YET


# ---- an answer of another form


def _of_the_form(exercise: str, pairs: Sequence[tuple[Asked, Difference]], visible: bool) -> str:
    """An error, no answer at all, changed arguments, another kind, shape or type."""
    one, found = pairs[0]
    expected, got = found.expected, found.got
    if _none_came_back(exercise, pairs):
        return "None came back: is the `return` missing?"
    if one.answer.kind == "error" and found.kind in ("error", "mark"):  # of a mark it is not known what was expected
        return _of_an_error(exercise, one, found.whole, visible)
    if found.kind == "changed":
        names = ", ".join(ordinal(place) for place in one.changed)
        return f"{exercise} changes {names}: leave the arguments as they are, and work on a copy."
    if found.kind == "error":
        return f"Expected {expected.items[0][0]} to be raised, and an answer came back."
    if found.kind == "form":
        return f"Expected {_article(expected.form)}, and {_article(got.form)} came back."
    if found.kind == "shape":
        return _of_the_shape(expected, got, visible)
    if found.kind == "kind":
        said = f"Expected {_kind_name(expected)}, and {_kind_name(got)} came back{_at(found) if visible else ''}"
        return f"{said}: is a `return` missing?" if got.kind == "none" else f"{said}."
    return ""


def _none_came_back(exercise: str, pairs: Sequence[tuple[Asked, Difference]]) -> bool:
    """Whether nothing but None, or errors about None, came of it; one of them where the exercise's answer is used."""
    if not all(one.answer.kind == "none" or is_about_none(one.answer) for one, _ in pairs):
        return False
    return any(one.answer.kind == "none" or f"{exercise}(" in one.where for one, _ in pairs)


def _of_an_error(exercise: str, one: Asked, expected: Plain | None, visible: bool) -> str:
    names, text = one.answer.items
    if "NotImplementedError" in names:
        return NOT_WRITTEN
    if "NameError" in names and text.startswith(f"name '{exercise}' is not defined"):
        return NO_SUCH.format(exercise)
    if expected is not None and expected.kind == "error":
        return f"Expected {expected.items[0][0]}, and {names[0]} was raised."
    return f"The call ended in {names[0]}: {text}" if text and visible else f"The call ended in {names[0]}."


def _of_the_shape(expected: Plain, got: Plain, visible: bool) -> str:
    text = f"Expected the shape {shape_text(expected.shape)}, got {shape_text(got.shape)}"
    if not visible:
        text = "The answer has another shape than expected"
    if len(expected.shape) == len(got.shape) and sorted(expected.shape) == sorted(got.shape):
        return f"{text}: two axes have changed places."
    if [n for n in got.shape if n != 1] == [n for n in expected.shape if n != 1]:
        return f"{text}: an axis of length 1 is {'missing' if len(got.shape) < len(expected.shape) else 'too many'}."
    if math.prod(got.shape) == math.prod(expected.shape):
        return f"{text}: as many numbers, cut into other axes."
    return f"{text}."


def _kind_name(answer: Plain) -> str:
    whole = answer.kind == "real" and all(float(x).is_integer() for x in answer.items)
    real = "floats" if whole else "numbers with a fraction (float)"
    name = {
        "none": "None", "bool": "True or False", "whole": "whole numbers", "real": real,
        "complex": "complex numbers", "text": "text", "bytes": "bytes", "list": f"a {answer.form or 'list'}",
        "dict": "a dictionary", "set": "a set", "error": "an error", "object": str(answer.items),
    }[answer.kind]  # fmt: skip
    return name


def _at(found: Difference) -> str:
    return f" at {found.place}" if found.place else ""


def _article(form: str) -> str:
    return f"{'an' if form[:1] in 'aeiou' or form.startswith('nd') else 'a'} {form}"


def ordinal(place: Any) -> str:
    """The name of an argument: its place, or what it is called."""
    if isinstance(place, str):
        return f"its argument `{place}`"
    return f"its {nth(place)} argument"


def nth(place: int) -> str:
    """The number of a place that counts from 0."""
    names = ("first", "second", "third", "fourth", "fifth", "sixth")
    return names[place] if place < len(names) else f"{place + 1}th"


# ---- what the answers have to do with the arguments


def _of_the_arguments(asked: Sequence[Asked], differences: Sequence[Difference | None]) -> str:
    """An argument that came back as it was, one that makes no difference, one answer for everything."""
    wrong = [one for one, found in zip(asked, differences, strict=True) if found is not None]
    names = {place for place in _arguments(wrong[0]) if all(_came_back(one, place) for one in wrong)}
    if names:
        return f"What comes back is {ordinal(min(names, key=str))}, as it was given."
    answers = [json.dumps(mark(one.answer)) for one in asked]
    if len(wrong) > 2 and len(wrong) == len(asked) and len(set(answers)) == 1 and wrong[0].answer.kind != "none":
        return "The same answer comes back whatever is asked."
    ignored = _ignored(asked, differences, answers)
    if ignored == "":
        return ""
    return f"Questions that differ in {ordinal(ignored)} alone get one and the same answer, and should not."


def _arguments(one: Asked) -> dict[Any, Any]:
    _, args, options = one.arguments
    return {**dict(enumerate(args)), **options}


def _came_back(one: Asked, place: Any) -> bool:
    if place not in _arguments(one) or one.answer.kind == "object":
        return False
    given = plain(_arguments(one)[place]) if not isinstance(_arguments(one)[place], Iterator) else None
    if given is None or given.kind in ("none", "object", "bool") or not given.items or given.items == [0]:
        return False
    return difference(given, one.answer, (0.0, 0.0)) is None


def _ignored(asked: Sequence[Asked], differences: Sequence[Difference | None], answers: Sequence[str]) -> Any:
    """The argument that alone distinguishes questions with one and the same answer, where there should be two."""
    rights = [one.answer if found is None else found.whole for one, found in zip(asked, differences, strict=True)]
    keys = [{k: _key(value) for k, value in _arguments(one).items()} for one in asked]
    same: dict[Any, bool] = {}  # an argument → whether it never made a difference
    for j in range(len(asked)):
        for i in range(j):
            apart = [k for k in {**keys[i], **keys[j]} if keys[i].get(k) != keys[j].get(k)]
            if len(apart) != 1 or asked[i].arguments[0] is not asked[j].arguments[0]:
                continue
            if "object" in (keys[i].get(apart[0]), keys[j].get(apart[0])) or says_little(asked[i].answer):
                continue
            one, other = rights[i], rights[j]
            if answers[i] != answers[j]:
                same[apart[0]] = False
            elif one and other and _is_finite(asked[i].answer) and difference(one, other, (1e-4, 1e-6)):
                same.setdefault(apart[0], True)
    return next((place for place, never in same.items() if never), "")


def _is_finite(answer: Plain) -> bool:
    return answer.kind != "real" or all(map(math.isfinite, answer.items))


def _key(value: Any) -> str:
    """What stands for an argument when two are compared; "object" for what cannot be."""
    if isinstance(value, Iterator) or plain(value).kind == "object":
        return "object"
    return json.dumps(mark(plain(value)))


# ---- what the answers have to do with the right ones


class _Pair(NamedTuple):
    """A wrong answer beside the right one."""

    right: Plain
    mine: Plain
    within: tuple[float, float]

    @property
    def wrong(self) -> bool:
        return difference(self.right, self.mine, self.within) is not None


def _of_the_values(pairs: Sequence[tuple[Asked, Difference]], visible: bool) -> str:
    if pairs[0][1].whole is None:  # the record does not have the right answer, but its mark alone
        return ""
    known = [_Pair(found.whole, one.answer, one.within) for one, found in pairs if found.whole is not None]
    return _of_parts(known, visible) or _told(known, visible)


def _told(pairs: Sequence[_Pair], visible: bool) -> str:
    """What holds of the first pair and of most of the others, or else of as many as possible."""
    if said := _of_single_numbers(pairs, visible) or _of_one_factor_each(pairs, visible):
        return said
    every = [list(_sentences(pair, visible)) for pair in pairs]
    holds = {sentence: sum(sentence in others for others in every) for sentence in every[0]}
    most = next((n for n in holds.values() if 2 * n > len(pairs)), max(holds.values(), default=0))
    said = next((sentence for sentence, n in holds.items() if n == most), "")
    return said if most == len(pairs) else _in_some(most, len(pairs), said)


def _in_some(holds: int, count: int, sentence: str) -> str:
    if not sentence:
        return ""
    where = f"In {holds} of {count} wrong answers" if holds > 1 else f"Of the first of {count} wrong answers:"
    return f"{where} {_lower(sentence)}"


def _lower(sentence: str) -> str:
    proper = sentence.startswith(("NaN", "None", "True", "False", "U+"))
    return sentence if proper else sentence[:1].lower() + sentence[1:]


# Answers of several parts.


def _of_parts(pairs: Sequence[_Pair], visible: bool) -> str:
    """Of an answer of several parts, such as a tuple: which are wrong, and what can be said of the first of these."""
    names = list(_parts(pairs[0].right))
    if len(names) < 2:
        return ""
    named = visible or pairs[0].right.kind != "dict"
    alike = [pair for pair in pairs if list(_parts(pair.right)) == list(_parts(pair.mine)) == names]
    if not alike or alike[0] is not pairs[0]:
        return ""
    wrong: dict[str, list[_Pair]] = {}
    for pair in alike:
        right, mine = _parts(pair.right), _parts(pair.mine)
        for name in names:
            if (part := _Pair(right[name], mine[name], pair.within)).wrong:
                wrong.setdefault(name, []).append(part)
    if not wrong:
        return ""
    told = {name: _told_part(parts, visible) for name, parts in wrong.items()}
    first = next((name for name, said in told.items() if said and not _says_little(said)), next(iter(wrong)))
    inside = told[first]
    if len(wrong) == len(names):
        said = f"Of the {first}: {_lower(inside)}" if inside and named else inside
    else:
        listed = _and(name for name in names if name in wrong) if named else f"{len(wrong)} of them"
        are = "is" if len(wrong) == 1 else "are"
        said = f"The answer has {len(names)} parts: {listed} {are} wrong, the rest is right."
        of = f"Of the {first}: " if len(wrong) > 1 and named else ""
        said += f" {of}{_lower(inside) if of else inside}" if inside else ""
    return said if len(alike) == len(pairs) else _in_some(len(alike), len(pairs), said)


def _of_one_part(wrong: Sequence[tuple[Asked, Difference]], visible: bool) -> str:
    """Whether one part of the answer came back alone, or two have changed places."""
    pairs = [_Pair(found.whole, one.answer, one.within) for one, found in wrong if found.whole is not None]
    names = list(_parts(pairs[0].right)) if len(pairs) == len(wrong) else []
    if len(names) < 2 or (pairs[0].right.kind == "dict" and not visible):
        return ""
    for name in names:
        if all(name in _parts(p.right) and not _Pair(_parts(p.right)[name], p.mine, p.within).wrong for p in pairs):
            return f"Of the {len(names)} parts of the answer only the {name} came back."
    for order in permutations(names) if len(names) <= FEW + 1 else ():
        moved = [name for name, other in zip(names, order, strict=True) if name != other]
        if moved and all(_come_as(pair, dict(zip(names, order, strict=True))) for pair in pairs):
            if len(moved) == 2:
                return f"The {moved[0]} and the {moved[1]} have changed places."
            return "The parts of the answer are right, and come in another order."
    return ""


def _come_as(pair: _Pair, order: dict[str, str]) -> bool:
    """Whether each part is the one that `order` says."""
    right, mine = _parts(pair.right), _parts(pair.mine)
    if not order.keys() == right.keys() == mine.keys():
        return False
    return not any(_Pair(right[other], mine[name], pair.within).wrong for name, other in order.items())


def _told_part(pairs: Sequence[_Pair], visible: bool) -> str:
    found = difference(pairs[0].right, pairs[0].mine, pairs[0].within)
    if found is not None and found.kind == "shape":
        return _of_the_shape(found.expected, found.got, visible)
    if found is not None and found.kind in ("kind", "error"):
        return f"Expected {_kind_name(found.expected)}, and {_kind_name(found.got)} came back."
    return _of_parts(pairs, visible) or _told(pairs, visible)


def _parts(answer: Plain) -> dict[str, Plain]:
    """The parts of a tuple, a short list of unlike things or a dictionary, by name; nothing where it is one thing."""
    if answer.kind == "dict":
        numbers = all(item.shape == () and _are_numbers(item) for _, item in answer.items)
        named = {f"value of {show(key)}": item for key, item in answer.items}
        return named if len(answer.items) <= MOST_PARTS and not numbers else {}
    unlike = answer.kind == "list" and any(item.kind not in ("text", "bytes") for item in answer.items)
    if unlike or (answer.kind in KINDS and answer.shape != () and answer.form.startswith("tuple")):
        items = unfolded(answer)
        return {f"{nth(place)} part": item for place, item in enumerate(items)} if len(items) <= 2 * FEW else {}
    return {}


def _says_little(sentence: str) -> bool:
    return any(sentence.endswith(end) for end in ("too large.", "too small.", "number is right.", "numbers are wrong."))


def _and(names: Iterable[str]) -> str:
    return " and ".join(f"the {name}" for name in names)


def _of_single_numbers(pairs: Sequence[_Pair], visible: bool) -> str:
    """Of answers that are one number each: what they have in common."""
    if not all(p.right.shape == p.mine.shape == () and _are_numbers(p.right, p.mine) for p in pairs):
        return ""
    rights, mine = [p.right.items[0] for p in pairs], [p.mine.items[0] for p in pairs]
    if not all(map(math.isfinite, mine)):
        return _NOT_A_NUMBER
    if len(pairs) > 1 and len(set(rights)) > 1 and (said := next(_of_numbers(rights, mine, visible), "")):
        return said
    factors = [b / a for a, b in zip(rights, mine, strict=True) if a]
    if len(factors) > 2 and len(factors) == len(rights) and len(set(map(round, factors))) > 1:
        if all(f > 0.5 and abs(f - round(f)) < 1e-4 * f for f in factors) and visible:
            return f"Each number is a whole multiple of the right one: {_listed(f'{f:.0f}' for f in factors)} times."
        inverse = [1 / f if f else 0.5 for f in factors]
        if all(f > 0.5 and abs(f - round(f)) < 1e-4 * f for f in inverse) and visible:
            return f"Each number is a whole fraction of the right one: 1/{_listed(f'{f:.0f}' for f in inverse)}."
    return _direction(rights, mine)


def _of_one_factor_each(pairs: Sequence[_Pair], visible: bool) -> str:
    """Of answers that are each the right one times one factor, and not all the same: what the factor is here."""
    factors = list(map(_factor, pairs))
    if not all(factors) or _alike(factors, factors[:1] * len(factors)) or len(set(pairs[0].right.items)) == 1:
        return ""
    here = f"here that is {factors[0]:.4g}, in other questions another" if visible else "not the same in all questions"
    return f"Every number is the right one times one factor; {here}."


def _factor(pair: _Pair) -> float:
    """The factor that makes the wrong answer out of the right one; 0 where there is none."""
    right, mine = pair.right.items, pair.mine.items
    if pair.right.shape != pair.mine.shape or not _are_numbers(pair.right, pair.mine) or len(right) > MOST_NUMBERS:
        return 0.0
    if not any(right) or not all(map(math.isfinite, (*right, *mine))):
        return 0.0
    factor = next(b / a for a, b in zip(right, mine, strict=True) if a)
    return factor if _alike([a * factor for a in right], mine) else 0.0


def _listed(texts: Iterable[str]) -> str:
    found = list(dict.fromkeys(texts))
    return ", ".join(found[:FEW]) + (" …" if len(found) > FEW else "")


def _direction(rights: Sequence[Any], mine: Sequence[Any]) -> str:
    """Whether the wrong numbers are all too large, or all too small."""
    pairs = [(a, b) for a, b in zip(rights, mine, strict=True) if abs(a - b) > 1e-4 * abs(a) + 1e-6]
    which = "The number is" if len(rights) == 1 else "Every wrong number is"
    if pairs and all(b > a for a, b in pairs):
        return f"{which} too large."
    if pairs and all(b < a for a, b in pairs):
        return f"{which} too small."
    return ""


_NOT_A_NUMBER = "There is NaN or infinity in the answer."


def _are_numbers(*answers: Plain) -> bool:
    return all(answer.kind in ("whole", "real") for answer in answers)


def _sentences(pair: _Pair, visible: bool) -> Iterator[str]:
    """What is true of a wrong answer, what says most first."""
    right, mine, within = pair
    if right.kind in ("text", "bytes") and mine.kind == right.kind:
        yield from _of_texts(right.items, mine.items, visible)
        return
    if right.kind == mine.kind == "dict":
        yield from _of_keys(right, mine, visible)
        return
    lists = [one.kind in ("list", "set") or (one.kind in KINDS and one.shape != ()) for one in (right, mine)]
    if right.shape == mine.shape and right.kind in KINDS and mine.kind in KINDS:
        if _are_numbers(right, mine) and len(right.items) <= MOST_NUMBERS:
            yield from _of_arrays(right, mine, visible)
        yield from _of_places(pair, visible)
    elif all(lists):
        yield from _of_lists(unfolded(right), unfolded(mine), within, visible)


# Texts.


def _of_texts(right: Any, mine: Any, visible: bool) -> Iterator[str]:
    if isinstance(right, str):
        if "".join(right.split()) == "".join(mine.split()):
            yield "Only the white space differs."
        if right.casefold() == mine.casefold():
            yield "Only capital and small letters differ."
        if right.replace("\ufffd", "") == mine.replace("\ufffd", ""):
            more = mine.count("\ufffd") > right.count("\ufffd")
            yield f"Only the replacement characters, U+FFFD, differ: there are too {'many' if more else 'few'}."
    if len(mine) < len(right) and right.startswith(mine):
        yield "The end is missing."
    if len(mine) > len(right) and mine.startswith(right):
        yield "There is more at the end than there should be."
    if len(mine) < len(right) and right.endswith(mine):
        yield "The beginning is missing."
    if len(mine) > len(right) and mine.endswith(right):
        yield "There is more at the beginning than there should be."
    if isinstance(right, str) and mine and _within(mine, right):
        yield "Some characters are missing, the others are right and in order."
    if isinstance(right, str) and right and _within(right, mine):
        yield "Some characters are too many, the others are right and in order."
    if len(right) > 1 and right == mine[::-1]:
        yield "It is the wrong way round, from the end to the beginning."
    if Counter(right) == Counter(mine):
        yield f"These are the right {'characters' if isinstance(right, str) else 'bytes'} in another order."
    same = next((i for i, (a, b) in enumerate(zip(right, mine)) if a != b), min(len(right), len(mine)))  # noqa: B905
    after = next((i for i, (a, b) in enumerate(zip(right[::-1], mine[::-1])) if a != b), 0)  # noqa: B905
    unit = "character" if isinstance(right, str) else "byte"
    if visible and same:
        yield f"The first {same} {unit}s are right." if same > 1 else f"The first {unit} is right, the next is not."
    if visible and after > 1:
        yield f"The last {after} {unit}s are right, those before are not."
    if same:
        yield "The beginning is right, and not what follows."
    if len(right) == len(mine):
        yield f"It is as long as it should be, and wrong from the first {unit} on."
    if right and not mine:
        yield "It is empty, and should not be."
    yield f"It is too {'long' if len(mine) > len(right) else 'short'}, and wrong from the first {unit} on."


# Dictionaries, and lists whose items are of several kinds or numbers.


def _of_keys(right: Plain, mine: Plain, visible: bool) -> Iterator[str]:
    rights, keys = ({show(key) for key, _ in answer.items} for answer in (right, mine))
    missing, extra = sorted(rights - keys), sorted(keys - rights)
    parts = [f"missing: {', '.join(missing[:FEW])}"] if missing else []
    parts += [f"too many: {', '.join(extra[:FEW])}"] if extra else []
    if parts and visible:
        yield f"The keys are not the expected ones ({'; '.join(parts)})."
    if missing or extra:
        what = " and ".join(["some are missing"] * bool(missing) + ["some are too many"] * bool(extra))
        yield f"The keys are not the expected ones: {what}."
        return
    rights_of, mine_of = ({repr(key.items): item for key, item in answer.items} for answer in (right, mine))
    numbers = [(item, mine_of[key]) for key, item in rights_of.items() if key in mine_of]
    if all(_are_numbers(*both) and both[0].shape == both[1].shape == () for both in numbers) and len(numbers) > 1:
        a, b = ([both[i].items[0] for both in numbers] for i in (0, 1))
        yield from _of_numbers(a, b, visible)
        if said := _direction(a, b):
            yield f"The keys are right. {said}"
    yield "The keys are right, and some of the values are not."


def _of_lists(rights: list[Plain], mine: list[Plain], within: tuple[float, float], visible: bool) -> Iterator[str]:
    a, b = [_as_text(item) for item in rights], [_as_text(item) for item in mine]
    texts = [[item.items for item in items] for items in (rights, mine)]
    counts = f": expected {len(a)} items, got {len(b)}" if len(a) != len(b) and visible else ""
    if all(isinstance(text, str) for both in texts for text in both) and "".join(texts[0]) == "".join(texts[1]) != "":
        yield "The text is right, and cut at other places."
    if len(b) < len(a) and b == a[: len(b)]:
        yield f"The end is missing{counts}."
    if len(b) < len(a) and b == a[len(a) - len(b) :]:
        yield f"The beginning is missing{counts}."
    if a and len(b) > len(a) and b[: len(a)] == a:
        yield f"There is more at the end than there should be{counts}."
    if a and len(b) > len(a) and b[len(b) - len(a) :] == a:
        yield f"There is more at the beginning than there should be{counts}."
    if len(a) > 1 and a == b[::-1]:
        yield "The order is the wrong way round: what should be last comes first."
    missing, extra = Counter(a) - Counter(b), Counter(b) - Counter(a)
    if not missing and not extra:
        yield "These are the right items in another order."
    elif set(a) == set(b):
        yield f"The items are the right ones, and some come too {'often' if extra else 'seldom'}{counts}."
    elif len(a) == len(b):
        yield from _of_items(rights, mine, within, visible)
    if visible and sum(missing.values()) + sum(extra.values()) <= FEW and len(a) > sum(missing.values()):
        shown = {text: show(item, 5) for text, item in zip([*a, *b], [*rights, *mine], strict=True)}
        parts = [f"missing: {', '.join(shown[text] for text in missing.elements())}"] if missing else []
        parts += [f"too many: {', '.join(shown[text] for text in extra.elements())}"] if extra else []
        yield f"All but a few items are right ({'; '.join(parts)})."
    if missing and not extra and _within(b, a):
        yield f"Some items are missing, the others are right and in order{counts}."
    if extra and not missing and _within(a, b):
        yield f"Some items are too many, the others are right and in order{counts}."
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))  # noqa: B905
    few = f"There are too {'few' if len(b) < len(a) else 'many'} items{counts}" if len(a) != len(b) else ""
    if same and visible:
        start = f"{few}; the" if few else "The"
        yield f"{start} first {same} are right." if same > 1 else f"{start} first item is right, the next is not."
    if same:
        yield f"{few}; those at the beginning are right." if few else "The first items are right, later ones are not."
    yield f"{few}; no item is right from the first on." if few else "The first item is wrong already."


def _as_text(item: Plain) -> str:
    """Enough to know an item again; not to be shown."""
    return show(item, 5) if len(str(item.items)) < 50 else json.dumps(mark(item))


def _within(few: Sequence[str], many: Sequence[str]) -> bool:
    """Whether `few` are all among `many`, in this order."""
    rest = iter(many)
    return all(item in rest for item in few)


def _of_items(rights: list[Plain], mine: list[Plain], within: tuple[float, float], visible: bool) -> Iterator[str]:
    """Of lists of equally many items: what is true of each wrong item, and which these are."""
    pairs = [_Pair(a, b, within) for a, b in zip(rights, mine, strict=True)]
    wrong = [place for place, pair in enumerate(pairs) if pair.wrong]
    every = [list(_sentences(pairs[place], False)) for place in wrong]
    if every and len(wrong) > 1:
        if common := next((said for said in every[0] if all(said in others for others in every)), ""):
            yield f"Of each wrong item: {_lower(common)}"
    elif every and every[0]:
        which = f"One item of {len(rights)} is wrong, the {nth(wrong[0])}" if visible else "One item is wrong"
        yield f"{which}: {_lower(every[0][0])}"
    yield from _of_indices(set(wrong), len(rights), "item", visible)
    if len(wrong) < len(rights):
        yield f"{len(wrong)} of {len(rights)} items are wrong." if visible else "Some items are right, others are not."


# Numbers.


def _of_numbers(rights: Sequence[Any], mine: Sequence[Any], visible: bool) -> Iterator[str]:
    """What is true of every number: a factor, a difference, a function of the right one."""
    if not any(mine):
        yield "Every number is 0."
        return
    size = max(map(abs, rights))
    factor = next((b / a for a, b in zip(rights, mine, strict=True) if a), 0.0)
    if factor and _alike([a * factor for a in rights], mine):
        if abs(factor + 1) < 1e-6:
            yield "Every sign is the wrong way round."
        elif visible:
            yield f"Every number is {factor:.4g} times the right one."
        yield f"Every number is too {'large' if abs(factor) > 1 else 'small'} by one and the same factor."
    step = mine[0] - rights[0]
    if all(abs(b - a - step) <= 1e-4 * max(size, 1e-9) for a, b in zip(rights, mine, strict=True)):
        if visible:
            yield f"Every number is {abs(step):.4g} too {'large' if step > 0 else 'small'}."
        yield f"Every number is too {'large' if step > 0 else 'small'} by one and the same step."
    if _alike(list(map(abs, rights)), list(map(abs, mine))):
        yield "The sizes are right, and some signs are not."
    if any(abs(a) not in (0, 1) for a in rights):
        for name, function in _FUNCTIONS.items():
            try:
                if _alike([function(a) for a in rights], mine):
                    yield f"Every number is {name} the right one."
            except (ArithmeticError, ValueError):  # such as the root of a negative number
                continue


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "the square of": lambda x: x * x,
    "the root of": math.sqrt,
    "1 divided by": lambda x: 1 / x,
    "1 minus": lambda x: 1 - x,
    "the logarithm of": math.log,
    "minus the logarithm of": lambda x: -math.log(x),
    "the exponential of": math.exp,
    "the exponential of minus": lambda x: math.exp(-x),
    "the whole part of": math.floor,
    "the nearest whole number to": round,
}


def _alike(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    size = max(map(abs, ys), default=0.0)
    return all(abs(x - y) <= 1e-4 * abs(y) + 1e-7 * size for x, y in zip(xs, ys, strict=True))


def _of_arrays(right: Plain, mine: Plain, visible: bool) -> Iterator[str]:
    rights, got = right.items, mine.items
    if any(math.isfinite(a) and not math.isfinite(b) for a, b in zip(rights, got, strict=True)):
        yield _NOT_A_NUMBER
        return
    if len(rights) < 2 or not all(map(math.isfinite, (*rights, *got))):
        return
    places = next((n for n in range(5) if all(round(a, n) == b for a, b in zip(rights, got, strict=True))), None)
    if places is not None and any(got):
        yield f"The numbers are rounded{f' to {places} places' if places else ''}."
    room = 2e-3 * max(map(abs, rights))
    if all(abs(a - b) <= min(room, 2e-2 * abs(a)) for a, b in zip(rights, got, strict=True)):
        yield "The numbers are nearly right: is something rounded, or computed with too few digits?"
    if len(set(rights)) > 1:
        yield from _of_numbers(rights, got, visible)
        yield from _of_the_order(right, mine)
    yield from _of_the_axes(right, mine)


def _of_sizes(rights: Sequence[Any], got: Sequence[Any]) -> Iterator[str]:
    """The order of the sizes of finite numbers, and numbers of a size that none should have."""
    if len(rights) > 2 and len(set(rights)) == len(rights) == len(set(got)):
        ranks = [sorted(range(len(rights)), key=items.__getitem__) for items in (rights, got)]
        if ranks[0] == ranks[1]:
            yield "The numbers are in the right order of size, and not of the right sizes."
        if ranks[0] == ranks[1][::-1]:
            yield "The largest should be the smallest: the order of sizes is the wrong way round."
    lowest, highest = min(rights), max(rights)
    if lowest >= 0 and min(got) < 0:
        yield "There are negative numbers, and should be none."
    if lowest >= 0 and highest <= 1 < max(got):
        yield "There are numbers above 1, and should be none."


def _of_the_order(right: Plain, mine: Plain) -> Iterator[str]:
    """Whether the right numbers stand in other places, and in which."""
    shape, got = right.shape, mine.items
    if len(shape) > 1 and _swapped(right) == got:
        yield "These are the right numbers with the last two axes swapped."
    for axis, n in enumerate(shape):
        if n > 1 and _moved(right, axis, lambda i, n: n - 1 - i) == got:
            yield f"The order is the wrong way round{_along(axis, shape)}."
        if n > 2 and _same_but_for(_moved(right, axis, lambda i, n: i - 1), got, axis, shape, 0):
            yield f"The numbers stand one place too late{_along(axis, shape)}."
        if n > 2 and _same_but_for(_moved(right, axis, lambda i, n: (i + 1) % n), got, axis, shape, n - 1):
            yield f"The numbers stand one place too early{_along(axis, shape)}."
    if sorted(float(f"{x:.4g}") for x in right.items) == sorted(float(f"{x:.4g}") for x in got):
        yield "These are the right numbers in another order."


def _along(axis: int, shape: tuple[int, ...]) -> str:
    return f" along axis {axis}" if len(shape) > 1 else ""


def _swapped(answer: Plain) -> list[Any]:
    """The numbers of a matrix (or several) with rows and columns swapped, in the order of memory."""
    m, n = answer.shape[-2:]
    return [answer.items[b + i * n + j] for b in range(0, len(answer.items), m * n) for j in range(n) for i in range(m)]


def _moved(answer: Plain, axis: int, to: Callable[[int, int], int]) -> list[Any]:
    """The numbers with each index i of an axis of length n taken from `to(i, n)`."""
    n, step = answer.shape[axis], math.prod(answer.shape[axis + 1 :])
    places = range(len(answer.items))
    return [answer.items[k + (to(k // step % n, n) - k // step % n) * step] for k in places]


def _same_but_for(xs: Sequence[Any], ys: Sequence[Any], axis: int, shape: tuple[int, ...], index: int) -> bool:
    """Whether two arrays are alike, and not all one number, but for one index of an axis."""
    n, step = shape[axis], math.prod(shape[axis + 1 :])
    kept = [(x, y) for k, (x, y) in enumerate(zip(xs, ys, strict=True)) if k // step % n != index]
    return len({x for x, _ in kept}) > 1 and _alike([x for x, _ in kept], [y for _, y in kept])


def _of_the_axes(right: Plain, mine: Plain) -> Iterator[str]:
    """Sums that should be alike, and a factor or a difference that each row (column …) has of its own."""
    axes = [axis for axis, n in enumerate(right.shape) if n > 1]
    for axis in axes:
        sums, mines = ([math.fsum(row) for row in _rows(answer, axis)] for answer in (right, mine))
        for whole in (1, 0):
            if _alike(sums, [whole] * len(sums)) and max(abs(x - whole) for x in mines) > 1e-3:
                other = [a for a in axes if a != axis and all(abs(math.fsum(r) - 1) < 1e-4 for r in _rows(mine, a))]
                instead = f", and not those along axis {other[0]}" if other and whole else ""
                yield f"The sums{_along(axis, right.shape)} should be {whole}{instead}."
        if len(sums) * 2 < len(right.items) and _alike(sums, mines) and any(sums):
            yield f"The sums{_along(axis, right.shape)} are right, and the numbers are not."
    if len(axes) < 2:
        return
    for axis in reversed(axes):
        rows = list(zip(_rows(right, axis), _rows(mine, axis), strict=True))
        name = ("column", "row")[axis == len(right.shape) - 1] if len(right.shape) == 2 else f"row along axis {axis}"
        if all(len(set(a)) == 1 for a, _ in rows):  # what holds of numbers that are all alike says nothing
            continue
        if any(sum(map(bool, a)) > 1 for a, _ in rows) and all(_proportional(a, b) for a, b in rows):
            yield f"Each {name} is the right one times a number of its own."
        if all(_alike([x + b[0] - a[0] for x in a], b) for a, b in rows):
            yield f"Each {name} is the right one plus a number of its own."


def _rows(answer: Plain, axis: int) -> list[list[Any]]:
    n, step = answer.shape[axis], math.prod(answer.shape[axis + 1 :])
    starts = [k for k in range(len(answer.items)) if k // step % n == 0]
    return [answer.items[k : k + n * step : step] for k in starts]


def _proportional(right: Sequence[Any], mine: Sequence[Any]) -> bool:
    largest = max(range(len(right)), key=lambda i: abs(right[i]))
    if not right[largest]:
        return not any(mine)
    factor = mine[largest] / right[largest]
    return factor != 0 and _alike([x * factor for x in right], mine)


# Where the wrong numbers are.


def _of_places(pair: _Pair, visible: bool) -> Iterator[str]:
    right, mine, within = pair
    shape, whole = right.shape, len(right.items)
    wrong = [k for k, (a, b) in enumerate(zip(right.items, mine.items, strict=True)) if not near(a, b, within)]
    listed = right.form.startswith(LISTED)
    what = "item" if listed and len(shape) == 1 else "value" if right.kind == "bool" else "number"
    if right.kind == mine.kind == "bool" and wrong:
        if len(wrong) == whole > 1 and len(set(right.items)) > 1:
            yield "True and False are exchanged everywhere."
        elif len(wrong) == whole > 1:
            yield f"{mine.items[0]} comes everywhere, and it should be {right.items[0]}."
        if all(mine.items[k] for k in wrong) and len(wrong) < whole:
            yield "True comes where it should be False, never the other way round."
        if not any(mine.items[k] for k in wrong) and len(wrong) < whole:
            yield "False comes where it should be True, never the other way round."
    if len(shape) > 1 and min(shape[-2:]) > 1 and not listed:
        n = shape[-1]
        aside = {(k % n > k // n % shape[-2]) - (k % n < k // n % shape[-2]) for k in wrong}
        names = {(0,): "on", (1,): "above", (-1,): "below", (0, 1): "on and above", (-1, 0): "on and below"}
        if name := names.get(tuple(sorted(aside)), ""):
            yield f"Only {what}s {name} the diagonal are wrong."
    step = whole
    for axis, n in enumerate(shape):
        step //= max(n, 1)
        name = what if len(shape) == 1 else ("row", "column")[axis] if len(shape) == 2 else f"slice of axis {axis}"
        name = "item" if listed and axis == 0 else name
        yield from _of_indices({k // step % n for k in wrong}, n, name, visible)
    if right.kind != "bool" and 0 < len(wrong) < whole:
        zeros = [k for k in range(whole) if right.items[k] == 0]
        if set(wrong) <= set(zeros):
            yield "Only numbers that should be 0 are wrong."
        if not set(wrong) & set(zeros) and len(wrong) + len(zeros) == whole:
            yield "Only the numbers that should be 0 are right."
    pairs = [(right.items[k], mine.items[k]) for k in wrong]
    if _are_numbers(right, mine) and all(map(math.isfinite, (*right.items, *mine.items))):
        yield from _of_sizes(right.items, mine.items)
        rights, got = [a for a, _ in pairs], [b for _, b in pairs]
        if 1 < len(wrong) < whole and len(set(rights)) > 1:
            every = [said for said in _of_numbers(rights, got, visible) if said.startswith("Every number")]
            yield from (said.replace("Every", "Every wrong", 1) for said in every)
        yield from filter(None, [_direction(rights, got)])
    if 0 < len(wrong) < whole:
        yield f"{len(wrong)} of {whole} {what}s are wrong." if visible else f"Some {what}s are right, others are not."
    elif whole > 1:
        yield f"No {what} is right."


def _of_indices(wrong: set[int], n: int, name: str, visible: bool) -> Iterator[str]:
    """What sets the wrong places of a row of n apart from the right ones."""
    if not wrong or len(wrong) == n:
        return
    first, last = min(wrong), max(wrong)
    if wrong == {0}:
        yield f"Only the first {name} is wrong."
    elif wrong == {n - 1}:
        yield f"Only the last {name} is wrong."
    elif len(wrong) == n - 1 and 0 not in wrong:
        yield f"Only the first {name} is right."
    elif len(wrong) == n - 1 and n - 1 not in wrong:
        yield f"Only the last {name} is right."
    elif last - first + 1 == len(wrong) and last == n - 1:
        if visible:
            yield f"The first {first} {name}s are right, from there on not."
        yield f"The first {name}s are right, the last are not."
    elif last - first + 1 == len(wrong) and first == 0:
        if visible:
            yield f"The first {last + 1} {name}s are wrong, from there on not."
        yield f"The first {name}s are wrong, the last are not."
    elif wrong in (set(range(0, n, 2)), set(range(1, n, 2))):
        yield f"Every second {name} is wrong."
    elif len(wrong) == 1 and visible:
        yield f"Only the {nth(first)} {name} is wrong."
    elif 0 not in wrong and n - 1 not in wrong:
        yield f"The first and the last {name} are right, some between are not."


# ---- which questions have a wrong answer


def which_questions(asked: Sequence[Asked], differences: Sequence[Difference | None]) -> str:
    """What sets the questions with a wrong answer apart from the others; "" where nothing does."""
    wrong = [number for number, found in enumerate(differences) if found is not None]
    right = [number for number, found in enumerate(differences) if found is None]
    if not right or len(asked) < 3:
        return ""
    traits = [_traits(one) for one in asked]
    names = list(dict.fromkeys(name for number in wrong for name in traits[number]))
    perfect = [t for t in names if all(t in traits[n] for n in wrong) and not any(t in traits[n] for n in right)]
    if perfect:
        count = "The one question" if len(wrong) == 1 else f"All {len(wrong)} questions"
        return f"{count} with {perfect[0]} {'is' if len(wrong) == 1 else 'are'} answered wrongly, all others rightly."
    others = list(dict.fromkeys(name for number in right for name in traits[number]))
    perfect = [t for t in others if all(t in traits[n] for n in right) and not any(t in traits[n] for n in wrong)]
    if perfect:
        count = "question" if len(right) == 1 else f"{len(right)} questions"
        return f"Only the {count} with {perfect[0]} {'is' if len(right) == 1 else 'are'} answered rightly."
    sizes = [_size(one) for one in asked]
    if min(sizes[n] for n in wrong) > max(sizes[n] for n in right):
        return "The questions with the smallest arguments are answered rightly, all larger ones wrongly."
    if max(sizes[n] for n in wrong) < min(sizes[n] for n in right):
        return "The questions with the largest arguments are answered rightly, all smaller ones wrongly."
    return ""


def _traits(one: Asked) -> dict[str, None]:
    """Of which kinds the arguments of a question are, what is told first in front."""
    found: dict[str, None] = {}
    for place, value in _arguments(one).items():
        if isinstance(place, str):
            found[f"`{place}`" if not isinstance(value, bool) else f"`{place}={value}`"] = None
        if not isinstance(value, Iterator):
            for name in _traits_of(value, 0):
                found[name] = None
    lengths = {len(value) for value in _arguments(one).values() if getattr(value, "shape", ())}
    if len(lengths) > 1:
        found["arrays of unlike length"] = None
    return found


def _traits_of(value: Any, depth: int) -> Iterator[str]:
    if value is None:
        yield "None for an argument"
        return
    if isinstance(value, str):
        yield from (name for name, holds in _OF_TEXTS.items() if holds(value))
        return
    if isinstance(value, dict) and depth < 2:
        yield "nothing in a dictionary" if not value else "a dictionary"
        for item in value.values():
            yield from _traits_of(item, depth + 1)
        return
    answer = plain(value)
    if answer.kind == "list" and depth < 2:
        yield "an empty argument" if not answer.items else "one item" if len(answer.items) == 1 else "several items"
        for item in value if isinstance(value, list | tuple) else ():
            yield from _traits_of(item, depth + 1)
    if answer.kind not in ("whole", "real", "bool") or depth > 2:
        return
    numbers, shape = answer.items, answer.shape
    if not numbers:
        yield "an empty argument"
        return
    if "float16" in answer.form:
        yield "half precision"
    if "float32" in answer.form:
        yield "single precision"
    if shape and answer.kind != "bool":
        yield from (name for name, holds in _OF_ARRAYS.items() if holds(numbers))
        if answer.kind == "whole":
            yield "whole numbers"
        if len(numbers) == 1:
            yield "a single number"
        if shape[-1] == 1:
            yield "a last axis of length 1"
        if len(shape) > 1 and shape[-1] != shape[-2]:
            yield "an array that is not square"
        yield f"arrays of {len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
        if shape[0] > 1:
            yield "several rows"
    elif not shape and answer.kind != "bool":
        yield from (name for name, holds in _OF_NUMBERS.items() if holds(numbers[0]))


_OF_TEXTS: dict[str, Callable[[str], bool]] = {
    "an empty text": lambda t: not t,
    "a text of one character": lambda t: len(t) == 1,
    "characters beyond U+FFFF": lambda t: any(ord(c) > 0xFFFF for c in t),
    "characters beyond ASCII": lambda t: not t.isascii(),
    "white space at an end": lambda t: t != t.strip(),
    "several spaces in a row": lambda t: "  " in t,
    "line ends": lambda t: "\n" in t,
    "capital letters": lambda t: t != t.lower(),
    "digits": lambda t: any(c.isdigit() for c in t),
    "white space": lambda t: any(c.isspace() for c in t),
    "a letter twice in a row": lambda t: any(a == b for a, b in pairwise(t)),
    "a text of several characters": lambda t: len(t) > 1,
}
_OF_ARRAYS: dict[str, Callable[[Sequence[Any]], bool]] = {
    "NaN": lambda xs: any(x != x for x in xs),
    "infinite numbers": lambda xs: any(x in (math.inf, -math.inf) for x in xs),
    "very large numbers": lambda xs: any(1e3 < abs(x) < math.inf for x in xs),
    "very small numbers": lambda xs: any(0 < abs(x) < 1e-3 for x in xs),
    "zeros alone": lambda xs: not any(xs),
    "negative numbers": lambda xs: any(x < 0 for x in xs),
    "equal numbers": lambda xs: len(set(xs)) < len(xs),
    "zeros": lambda xs: 0 in xs,
}
_OF_NUMBERS: dict[str, Callable[[Any], bool]] = {
    "0 for an argument": lambda x: x == 0,
    "1 for an argument": lambda x: x == 1,
    "a negative number for an argument": lambda x: x < 0,
    "a number below 1 for an argument": lambda x: 0 < x < 1,
}


def _size(one: Asked) -> int:
    """How many numbers, characters and items the arguments hold."""
    return sum(_count(plain(value)) for value in _arguments(one).values() if not isinstance(value, Iterator))


def _count(answer: Plain) -> int:
    if answer.kind == "dict":
        return sum(_count(item) for _, item in answer.items)
    if answer.kind in ("list", "set"):
        return sum(map(_count, answer.items))
    return len(answer.items) if answer.kind in (*KINDS, "text", "bytes") else 1
