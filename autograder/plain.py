"""An answer as plain data: one form for whatever it came as, when two are equal, its mark, and how it is shown.

A student's notebook carries this module, `autograder.hints` and `autograder.asking` in one cell, so the three import
the standard library and each other alone. NumPy and torch are never imported: an array says itself what it is.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

RTOL, ATOL = 1e-4, 1e-6  # how near a number must be, unless the question says otherwise
HALF = (1e-2, 1e-3)  # the same where an argument has half precision
LISTED = ("list", "tuple", "range", "iterator")  # how the form of a list begins
LARGEST = 1e150
LARGEST_EXACT = 2**16  # a larger one in single precision may be whole by chance
LONG = ("longdouble", "clongdouble", "float128", "complex256")  # of more than 64 bits a number: Python has none
MOST_ITEMS = 100_000  # of an iterator: it may have no end
MOST_SHOWN = 72  # characters of a value that is shown whole
PYTHON_KINDS = (("bool", bool), ("whole", int), ("real", float), ("complex", complex))
KINDS = tuple(kind for kind, _ in PYTHON_KINDS)


# ---- an answer as plain data


class Plain(NamedTuple):
    """A value in one form, whatever it came as: an array, a tensor and nested lists of the same numbers are alike.

    Numbers are flat, with a shape (() for a single one). Items of a list or set and values of a dict are plain, too; an
    error has the names of its types, most special first, and its text.
    """

    kind: str  # "none", one of KINDS, "text", "bytes", "list", "dict", "set", "error", "object"
    shape: tuple[int, ...]
    items: Any
    form: str  # what it came as: "list", "ndarray float32", …: compared only where a question is `exact`


def plain(value: Any) -> Plain:
    """`value` as plain data; an object of no plain kind becomes its type's name."""
    if value is None:
        return Plain("none", (), None, "None")
    if isinstance(value, bool | int | float | complex) and not hasattr(value, "dtype"):
        return Plain(_kind_of(value), (), [value], type(value).__name__)
    if isinstance(value, str):
        return Plain("text", (), str(value), "str")
    if isinstance(value, bytes | bytearray):
        return Plain("bytes", (), bytes(value), type(value).__name__)
    if hasattr(value, "dtype") and hasattr(value, "shape") and not isinstance(value, type):
        return _plain_array(value)
    if isinstance(value, BaseException):
        names = [kind.__name__ for kind in type(value).__mro__ if kind is not object]
        return Plain("error", (), [names, text_of(value)], "error")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return plain(fields)._replace(form=type(value).__name__)
    if isinstance(value, Mapping):
        items = [(plain(key), plain(item)) for key, item in value.items()]
        return Plain("dict", (), items, type(value).__name__)
    if isinstance(value, set | frozenset):
        return Plain("set", (), sorted(map(plain, value), key=repr), type(value).__name__)
    if isinstance(value, list | tuple | range) or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return _plain_list(list(value), type(value).__name__)
    if isinstance(value, Iterator):
        try:
            return _plain_list(list(itertools.islice(value, MOST_ITEMS)), "iterator")
        except TypeError:  # a stand-in for an object of another kind
            pass
    shown = str(value) if type(value).__module__.startswith("autograder") else f"<a {type(value).__name__}>"
    return Plain("object", (), shown, "object")


def _kind_of(number: Any) -> str:
    return next(kind for kind, types in PYTHON_KINDS if isinstance(number, types))


def _plain_array(value: Any) -> Plain:
    """An array of NumPy's or a tensor of torch's, of numbers or of text."""
    form = f"{type(value).__name__} {dtype_name(value.dtype)}"
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "bfloat16" in form:
            value = value.float()
        value = value.numpy()
    kind = {"b": "bool", "i": "whole", "u": "whole", "f": "real", "c": "complex"}.get(value.dtype.kind)
    if kind is None:
        nested = value.tolist()
        return (plain(nested) if isinstance(nested, list | str | bytes) else plain(str(nested)))._replace(form=form)
    flat = value.reshape(-1)
    if dtype_name(value.dtype) in LONG:
        flat = flat.astype("complex128" if kind == "complex" else "float64")
    return Plain(kind, tuple(map(int, value.shape)), flat.tolist(), form)


@functools.lru_cache(maxsize=256)
def dtype_name(dtype: Any) -> str:
    """What NumPy or torch calls a dtype, such as "float32"; kept, since NumPy composes the text anew each time."""
    return str(dtype).removeprefix("torch.")


def _plain_list(values: list[Any], form: str) -> Plain:
    """Items of one kind and shape are numbers with one axis more; anything else stays a list."""
    items = [plain(value) for value in values]
    first = items[0] if items else None
    if first is not None and first.kind in KINDS and all(item[:2] == first[:2] for item in items):
        flat = [number for item in items for number in item.items]
        return Plain(first.kind, (len(items), *first.shape), flat, f"{form} of {first.form}")
    return Plain("list", (), items, form)


def unfolded(answer: Plain) -> list[Plain]:
    """The items of a list, or of numbers along their first axis."""
    if answer.kind not in KINDS:
        return list(answer.items)
    step = math.prod(answer.shape[1:])
    parts = (answer.items[i * step : (i + 1) * step] for i in range(answer.shape[0]))
    return [Plain(answer.kind, answer.shape[1:], part, "") for part in parts]


def to_json(answer: Plain) -> list[Any]:
    """A plain answer as JSON has it, with eight digits of each number that is not whole."""
    kind, shape, items, form = answer
    if kind in ("bool", "whole"):
        items = list(items)
    elif kind == "real":
        items = [_number_to_json(number) for number in items]
    elif kind == "complex":
        items = [[_number_to_json(number.real), _number_to_json(number.imag)] for number in items]
    elif kind == "bytes":
        items = items.hex()
    elif kind in ("list", "set"):
        items = [to_json(item) for item in items]
    elif kind == "dict":
        items = [[to_json(key), to_json(item)] for key, item in items]
    return [kind, list(shape), items, form]


def from_json(data: Sequence[Any]) -> Plain:
    """What `to_json` made."""
    kind, shape, items, form = data
    if kind == "real":
        items = [float(number) for number in items]
    elif kind == "complex":
        items = [complex(float(real), float(imag)) for real, imag in items]
    elif kind == "bytes":
        items = bytes.fromhex(items)
    elif kind in ("list", "set"):
        items = [from_json(item) for item in items]
    elif kind == "dict":
        items = [(from_json(key), from_json(item)) for key, item in items]
    return Plain(kind, tuple(shape), items, form)


def _number_to_json(number: float) -> float | str:
    return float(f"{number:.8g}") if math.isfinite(number) else str(number)


def text_of(error: BaseException) -> str:
    """What an error says, even where saying it fails."""
    try:
        return str(error)
    except Exception:
        return ""


# ---- when two answers are equal


class Difference(NamedTuple):
    """The first place where an answer is not what was expected: which kind of difference, and both values there."""

    kind: str  # "kind", "shape", "length", "value", "keys", "error", "form", "changed", "mark"
    place: str  # such as "[0, 2]" or "['lr']"; "" for the whole
    expected: Plain
    got: Plain
    whole: Plain | None = None  # all of what was expected


def difference(expected: Plain, got: Plain, within: tuple[float, float], exact: bool = False) -> Difference | None:
    """The first difference of two answers; None where they are equal."""
    if exact and expected.form != got.form:
        return Difference("form", "", expected, got, expected)
    found = _difference(expected, got, within, "")
    return found and found._replace(whole=expected)


def _difference(expected: Plain, got: Plain, within: tuple[float, float], place: str) -> Difference | None:
    here = Difference("kind", place, expected, got)
    if "error" in (expected.kind, got.kind):
        fine = expected.kind == got.kind and expected.items[0][0] in got.items[0]
        return None if fine else here._replace(kind="error")
    lists = [answer.kind == "list" or (answer.kind in KINDS and answer.shape != ()) for answer in (expected, got)]
    if all(lists) and "list" in (expected.kind, got.kind):
        return _difference_of_items(expected, got, within, place)
    if expected.kind in KINDS and got.kind in KINDS:
        return _difference_of_numbers(expected, got, within, place)
    if expected.kind != got.kind:
        return here
    if expected.kind == "dict":
        return _difference_of_dicts(expected, got, within, place)
    if expected.kind == "set":
        return _difference_of_items(expected, got, within, place)
    return None if expected.items == got.items else here._replace(kind="value")


def _difference_of_numbers(expected: Plain, got: Plain, within: tuple[float, float], place: str) -> Difference | None:
    if expected.shape != got.shape:
        pieces = len(expected.shape) == len(got.shape) and expected.shape[1:] == got.shape[1:]
        listed = expected.form.startswith(LISTED) and got.form.startswith(LISTED)
        return Difference("length" if pieces and listed else "shape", place, expected, got)
    whole_for_real = KINDS.index("whole") <= KINDS.index(got.kind) < KINDS.index(expected.kind)
    from_mixed = not got.form and expected.kind == "whole"  # an array has one kind for all of a mixed list's numbers
    if expected.kind != got.kind and not whole_for_real and not from_mixed:
        return Difference("kind", place, expected, got)
    for number, (right, mine) in enumerate(zip(expected.items, got.items, strict=True)):
        if right != mine and not near(right, mine, within):
            inside = place + _place_of(number, expected.shape)
            one = [Plain(answer.kind, (), [answer.items[number]], "") for answer in (expected, got)]
            return Difference("value", inside, *one)
    return None


def near(right: Any, mine: Any, within: tuple[float, float]) -> bool:
    """Whether `mine` is within the tolerance of `right`; NaN, infinity and whole numbers are near themselves only."""
    if right == mine or (right != right and mine != mine):
        return True
    if isinstance(right, int) and isinstance(mine, int):
        return abs(right - mine) <= within[1] if within not in ((RTOL, ATOL), HALF) else False
    try:
        gap = abs(right - mine)
        return bool(math.isfinite(gap) and gap <= within[1] + within[0] * abs(right))
    except OverflowError:
        return False


def _difference_of_items(expected: Plain, got: Plain, within: tuple[float, float], place: str) -> Difference | None:
    rights, mine = unfolded(expected), unfolded(got)
    if len(rights) != len(mine):
        return Difference("length", place, expected, got)
    pairs = enumerate(zip(rights, mine, strict=True))
    found = (_difference(right, one, within, f"{place}[{number}]") for number, (right, one) in pairs)
    return next((one for one in found if one is not None), None)


def _difference_of_dicts(expected: Plain, got: Plain, within: tuple[float, float], place: str) -> Difference | None:
    rights = {repr(key.items): (key, item) for key, item in expected.items}
    mine = {repr(key.items): item for key, item in got.items}
    if rights.keys() != mine.keys():
        return Difference("keys", place, expected, got)
    found = (_difference(item, mine[name], within, f"{place}[{show(key)}]") for name, (key, item) in rights.items())
    return next((one for one in found if one is not None), None)


def _place_of(number: int, shape: tuple[int, ...]) -> str:
    if not shape:
        return ""
    index = []
    for size in reversed(shape):
        index.append(number % size)
        number //= size
    return "[" + ", ".join(map(str, reversed(index))) + "]"


# ---- the mark of an answer: enough to know it again, too little to read it


def mark(answer: Plain, changed: Sequence[Any] = (), form: str = "") -> list[Any]:
    """A checksum of all that is exact; three sums of the numbers (plain, by place, of squares), and their count.

    Numbers are no part of the checksum: the last digits of real ones differ from one machine to the next, and a whole
    number says the same as a real one of its value. Where both are whole in the same places, they count exactly there,
    by another checksum: the sums of many numbers hide which of them have changed places. The order of a dictionary does
    not count, and of an error only its type, and whether it speaks of None. `form` is what the answer came as, where
    that is what is wrong.
    """
    exact: list[Any] = []
    numbers: list[Any] = []
    _gather(answer, exact, numbers)
    found: list[Any] = [_checksum(exact)]
    if count := len(numbers):
        bounded = [max(-LARGEST, min(LARGEST, x)) for x in numbers]  # whose square is a number, too
        sums = (
            math.fsum(bounded),
            math.fsum(x * (i + 1) / count for i, x in enumerate(bounded)),
            math.fsum(x**2 for x in bounded),
        )
        found += [*(float(f"{x:.6g}") for x in sums), count]
        if wholes := {i: int(x) for i, x in enumerate(numbers) if _is_exact(x)}:
            found.append(f"whole {_checksum(list(wholes))} {_checksum(list(wholes.values()))}")
    if form:
        found.append(f"form {form}")
    return [*found, list(changed)] if changed else found


def _is_exact(x: Any) -> bool:
    """Whether a number is whole, and so small that a real one is not whole for want of digits."""
    return isinstance(x, int) or (abs(x) <= LARGEST_EXACT and float(x).is_integer())


def wrong_mark(one: Asked, found: Difference | None) -> list[Any]:
    """The mark of a wrong answer: with its form, where only that is not what was asked for."""
    return mark(one.answer, one.changed, one.answer.form if found is not None and found.kind == "form" else "")


def _checksum(data: list[Any]) -> str:
    return f"{zlib.crc32(json.dumps(data).encode()):08x}"


def _gather(answer: Plain, exact: list[Any], numbers: list[Any]) -> None:
    kind, shape, items, _ = answer
    if (array := _as_array(answer)) is not None:
        kind, (shape, items) = "real", array
    if kind in ("whole", "real", "complex"):
        found = items if kind != "complex" else [part for z in items for part in (z.real, z.imag)]
        odd = {i: str(x) for i, x in enumerate(found) if isinstance(x, float) and not math.isfinite(x)}
        exact += ["number" if kind != "complex" else kind, shape, sorted(odd.items())]
        numbers += [x for i, x in enumerate(found) if i not in odd]
    elif kind == "error":
        exact += [kind, items[0][0], *(["NoneType"] if is_about_none(answer) else [])]
    elif kind in ("list", "set"):
        exact += [kind, len(items)]
        for item in items:
            _gather(item, exact, numbers)
    elif kind == "dict":
        exact += [kind, len(items)]
        for key, item in sorted(items, key=lambda pair: repr(pair[0].items)):
            _gather(key, exact, numbers)
            _gather(item, exact, numbers)
    elif kind == "bytes":
        exact += [kind, items.hex()]
    else:
        exact += [kind, shape, items]


def _as_array(answer: Plain) -> tuple[tuple[int, ...], list[Any]] | None:
    """Shape and numbers of an array, or of a list that could be one, whole numbers among real ones; else None."""
    if answer.kind in ("whole", "real"):
        return answer.shape, answer.items
    parts = [_as_array(item) for item in answer.items] if answer.kind == "list" else []
    arrays = [part for part in parts if part is not None]
    if not arrays or len(arrays) < len(parts) or any(shape != arrays[0][0] for shape, _ in arrays):
        return None
    return (len(arrays), *arrays[0][0]), [x for _, items in arrays for x in items]


def same_mark(one: Sequence[Any], other: Sequence[Any], rtol: float = RTOL) -> bool:
    """Whether two marks are of the same answer, up to what rounding does to the sums."""
    if one[0] != other[0]:
        return False
    if one == other:
        return True
    if not _same_sums(_sums(one), _sums(other), rtol):  # first: most marks that are held together differ here
        return False
    lists = [[part for part in found if isinstance(part, list)] for found in (one, other)]
    words = [dict(part.split(" ", 1) for part in found[1:] if isinstance(part, str)) for found in (one, other)]
    wholes = [found.get("whole", " ").split(" ") for found in words]
    if rtol <= RTOL and wholes[0][0] == wholes[1][0] and wholes[0] != wholes[1]:  # half precision is seldom exact
        return False
    return lists[0] == lists[1] and words[0].get("form") == words[1].get("form")


def _sums(found: Sequence[Any]) -> Sequence[Any]:
    """A mark's three sums and how many numbers they are of; nothing where there are none."""
    return found[1:5] if len(found) > 4 and not isinstance(found[1], str | list) else ()


def _same_sums(a: Sequence[Any], b: Sequence[Any], rtol: float) -> bool:
    if not a or not b:
        return len(a) == len(b)
    spread = math.sqrt(a[3] * a[2])  # no plain sum of that many numbers of that size is larger
    room = rtol * spread + ATOL * a[3]
    near = abs(a[0] - b[0]) <= room and abs(a[1] - b[1]) <= room
    return bool(near and abs(a[2] - b[2]) <= 3 * rtol * abs(a[2]) + ATOL * a[3])


def is_about_none(answer: Plain) -> bool:
    """Whether it is an error of somebody who got None and worked with it: what a forgotten `return` leads to."""
    return answer.kind == "error" and "NoneType" in answer.items[1]


def says_little(answer: Plain) -> bool:
    """Whether many different mistakes would give this answer: None, True, an empty list, an error."""
    if answer.kind in ("none", "error", "object"):
        return True
    if answer.kind == "bool":
        return len(answer.items) < 2
    return answer.kind != "real" and answer.items is not None and not len(answer.items)


# ---- values in words


def show(answer: Plain, digits: int = 4) -> str:
    """A value as one would write it, cut where it is long."""
    kind, shape, items, form = answer
    if kind in KINDS:
        if 3 * len(items) <= MOST_SHOWN:  # with more numbers it is longer, whatever they are: "1, " is three characters
            numbers = [_show_number(number, digits) for number in items]
            text = _round_brackets(numbers) if form.startswith("tuple") and len(shape) == 1 else _nested(numbers, shape)
            if len(text) <= MOST_SHOWN:
                return text
        what = {"bool": "truth values", "whole": "whole numbers", "complex": "complex numbers"}.get(kind, "numbers")
        return f"{what} of shape {shape_text(shape)}"
    if kind == "text":
        return _shorter(repr(items))
    if kind == "bytes":
        return _shorter(repr(items))
    if kind == "none":
        return "None"
    if kind == "error":
        names, text = items
        return f"{names[0]}: {text}" if text else str(names[0])
    if kind == "object":
        return str(items)
    if kind == "dict":
        text = "{" + ", ".join(f"{show(key, digits)}: {show(item, digits)}" for key, item in items) + "}"
        return text if len(text) <= MOST_SHOWN else f"a dictionary of {len(items)}: {_shorter(text)}"
    parts = [show(item, digits) for item in items]
    if form == "tuple":
        return _shorter(_round_brackets(parts))
    return _shorter(f"{{{', '.join(parts)}}}" if kind == "set" and items else f"[{', '.join(parts)}]")


def _show_number(number: Any, digits: int) -> str:
    if isinstance(number, bool | int):
        return str(number)
    if isinstance(number, complex):
        return f"{number:.{digits}g}"
    text = f"{number:.{digits}g}"
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _round_brackets(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    step = math.prod(shape[1:])
    return "[" + ", ".join(_nested(texts[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])) + "]"


def shape_text(shape: tuple[int, ...]) -> str:
    return str(tuple(shape))


def _shorter(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 2]} …"


def show_both(expected: Plain, got: Plain) -> tuple[str, str]:
    """Two values with as many digits as it takes to see that they differ."""
    for digits in (4, 6, 9, 13, 17):
        both = show(expected, digits), show(got, digits)
        if both[0] != both[1]:
            break
    return both


def show_argument(value: Any) -> str:
    """An argument as the student would write it, short."""
    if callable(value) and not isinstance(value, type):
        return str(getattr(value, "__name__", "a function"))
    if type(value) is float:  # with all its digits: 0.9999999999999999 is not 1.0
        return repr(value)
    answer = plain(value) if not isinstance(value, Iterator) else Plain("object", (), "an iterator", "")
    if type(value).__name__ in ("Generator", "Random", "RandomState"):
        return "rng"
    return show(answer)


# ---- a question and its answer


class Asked(NamedTuple):
    """One question, and what was answered."""

    name: str  # of what was called
    about: str  # of which kind it is, in a few words, for hidden ones
    gives: Any  # what the test says that it gives; NOT_SAID where it does not
    within: tuple[float, float]
    exact: bool
    worth: float | None
    answer: Plain
    changed: tuple[Any, ...]  # arguments that are not as they were: places and names
    where: str  # the line of the solution that raised
    line: int  # of the test's cell
    arguments: tuple[Any, ...]  # the call, what it was given, and by which names

    @property
    def call(self) -> str:
        """As one would write it."""
        _, args, options = self.arguments
        parts = [show_argument(value) for value in args] + [f"{k}={show_argument(v)}" for k, v in options.items()]
        return f"{self.name}({', '.join(parts)})"
