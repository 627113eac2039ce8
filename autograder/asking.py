"""Questions to a solution: `check` asks one, `run` asks a test's questions and says what the answers mean.

A test is a docstring and a few calls of `check`. What the right answer is, and what a wrong answer means, is no part of
it: both stand in the record, which `autograder verify` makes of the reference and of the bank of known mistakes. This
module is what a student's notebook, the page, pytest and the judge have in common, so that all say the same words. It
imports the standard library only, since a notebook carries it in a cell of its own; NumPy and torch are looked up where
they have been imported already. It does not run, time or isolate anything: that is the business of whoever calls it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import linecache
import math
import sys
import types
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

CELL = "check"  # the `grade_id` of the cell that carries this module in a notebook
RTOL, ATOL = 1e-4, 1e-6  # how near a number must be, unless the question says otherwise
HALF = (1e-2, 1e-3)  # the same where an argument has half precision
NOT_SAID = object()  # None is an answer, too
LISTED = ("list", "tuple", "range", "iterator")  # how the form of a list begins
RESERVED = ("gives", "within", "exact", "worth", "changes", "about")  # what `check` takes for itself
NOT_WRITTEN = "not written yet"
NO_SUCH = "There is no `{}`: its cell was not run, ended in an error, or gives it another name."
LARGEST = 1e150
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
        return Plain("error", (), [names, _text_of(value)], "error")
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
    form = f"{type(value).__name__} {str(value.dtype).removeprefix('torch.')}"
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
    if value.dtype.name in ("longdouble", "clongdouble", "float128", "complex256"):
        flat = flat.astype("complex128" if kind == "complex" else "float64")
    return Plain(kind, tuple(map(int, value.shape)), flat.tolist(), form)


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
        if not near(right, mine, within):
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


def mark(answer: Plain, changed: Sequence[Any] = ()) -> list[Any]:
    """A checksum of all that is exact; three sums of the real numbers (plain, by place, of squares), and their count.

    Of an error only its type counts. Real numbers are no part of the checksum: their last digits differ from one
    machine to the next.
    """
    exact: list[Any] = []
    reals: list[float] = []
    _gather(answer, exact, reals)
    reals = [max(-LARGEST, min(LARGEST, x)) for x in reals]  # whose square is a number, too
    count = len(reals)
    scale = max(count, 1)
    sums = [
        math.fsum(reals),
        math.fsum(x * (i + 1) / scale for i, x in enumerate(reals)),
        math.fsum(x**2 for x in reals),
    ]
    digest = f"{zlib.crc32(json.dumps(exact).encode()):08x}"
    found: list[Any] = [digest, *(float(f"{x:.6g}") for x in sums), count] if count else [digest]
    return [*found, list(changed)] if changed else found


def _gather(answer: Plain, exact: list[Any], reals: list[float]) -> None:
    kind, shape, items, _ = answer
    if kind in ("real", "complex"):
        numbers = items if kind == "real" else [part for z in items for part in (z.real, z.imag)]
        odd = {i: str(x) for i, x in enumerate(numbers) if not math.isfinite(x)}
        exact += [kind, shape, sorted(odd.items())]
        reals += [x for x in numbers if math.isfinite(x)]
    elif kind == "error":
        exact += [kind, items[0][0]]
    elif kind in ("list", "set"):
        exact += [kind, len(items)]
        for item in items:
            _gather(item, exact, reals)
    elif kind == "dict":
        exact += [kind, len(items)]
        for key, item in items:
            _gather(key, exact, reals)
            _gather(item, exact, reals)
    elif kind == "bytes":
        exact += [kind, items.hex()]
    else:
        exact += [kind, shape, items]


def same_mark(one: Sequence[Any], other: Sequence[Any], rtol: float = RTOL) -> bool:
    """Whether two marks are of the same answer, up to what rounding does to the sums."""
    lists = [[part for part in found if isinstance(part, list)] for found in (one, other)]
    if one[0] != other[0] or lists[0] != lists[1]:
        return False
    a, b = ([part for part in found[1:] if not isinstance(part, list)] for found in (one, other))
    if len(a) != len(b) or not a:
        return len(a) == len(b)
    spread = math.sqrt(a[3] * a[2])  # no plain sum of that many numbers of that size is larger
    room = rtol * spread + ATOL * a[3]
    return all(abs(x - y) <= room for x, y in zip(a[:2], b[:2], strict=True)) and (
        abs(a[2] - b[2]) <= 3 * rtol * abs(a[2]) + ATOL * a[3]
    )


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
        numbers = [_show_number(number, digits) for number in items]
        text = _nested(numbers, shape)
        if len(text) <= MOST_SHOWN:
            return text
        what = {"bool": "truth values", "whole": "whole numbers", "complex": "complex numbers"}.get(kind, "numbers")
        return f"{what} of shape {_shape(shape)}"
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
    inside = ", ".join(show(item, digits) for item in items)
    text = f"({inside})" if form == "tuple" else f"{{{inside}}}" if kind == "set" and items else f"[{inside}]"
    return _shorter(text)


def _show_number(number: Any, digits: int) -> str:
    if isinstance(number, bool | int):
        return str(number)
    if isinstance(number, complex):
        return f"{number:.{digits}g}"
    text = f"{number:.{digits}g}"
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    step = math.prod(shape[1:])
    return "[" + ", ".join(_nested(texts[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])) + "]"


def _shape(shape: tuple[int, ...]) -> str:
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


# ---- asking


class Asked(NamedTuple):
    """One question, and what was answered."""

    call: str  # as one would write it, for visible questions
    about: str  # of which kind it is, in a few words, for hidden ones
    gives: Any  # what the test says that it gives; NOT_SAID where it does not
    within: tuple[float, float]
    exact: bool
    worth: float | None
    answer: Plain
    changed: tuple[Any, ...]  # arguments that are not as they were: places and names
    where: str  # the line of the solution that raised
    line: int  # of the test's cell
    arguments: tuple[Any, ...]  # as they were given, for the author's tools


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
    if before is after or not may_change:
        return True
    return difference(plain(before), plain(after), (0.0, 0.0), exact=True) is None


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
        text = self._call_text(call, args, options)
        line = sys._getframe(1).f_lineno
        told = (tolerance, exact, worth, answer, changed, where, line, (call, args, options))
        self.asked.append(Asked(text, about, gives, *told))

    def _argument(self, place: int, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        return place if place < len(args) else list(options)[place - len(args)]

    def _call_text(self, call: Any, args: Sequence[Any], options: Mapping[str, Any]) -> str:
        named = [name for name, value in self.names.items() if value is call]
        name = named[0] if named else getattr(call, "__name__", "the call")
        parts = [show_argument(value) for value in args] + [f"{k}={show_argument(v)}" for k, v in options.items()]
        return f"{name}({', '.join(parts)})"

    def _line_of(self, error: BaseException) -> str:
        """The innermost line of the student's own code in an error's traceback, as it is written there."""
        told = getattr(error, "where", "")
        if told:
            return str(told)
        return line_of(error, self.names)

    # A whole test.

    def ask(self, test: Callable[[], None], without: Iterable[str] = ()) -> list[Asked]:
        """Ask a test's questions; what is named in `without` is not there while it runs."""
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
        return WrongAnswer(NO_SUCH.format(error.name), title=f"✗ {exercise}", details=_text_of(error))

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

        A mistake that gives every one of the answers comes first. Where there is none, one that gives all of its own
        wrong answers here, too, was made among others.
        """
        first = next(number for number, found in enumerate(differences) if found is not None)
        questions = known["questions"][: len(asked)]
        if len(questions) < len(asked):
            return [], first
        marks = [None if d is None else mark(a.answer, a.changed) for a, d in zip(asked, differences, strict=True)]
        telling = {n for n, one in enumerate(asked) if marks[n] and (one.changed or not says_little(one.answer))}
        wrong = {number for number, mine in enumerate(marks) if mine is not None}
        found: dict[str, set[int]] = {}  # mistake → the questions that it has wrong, if it is in these answers
        for name in known["entries"]:
            theirs = {number: q["marks"][name] for number, q in enumerate(questions) if name in q["marks"]}
            if theirs and theirs.keys() <= wrong and all(_agree(marks[n], other) for n, other in theirs.items()):
                found[name] = set(theirs)
        if whole := [name for name, theirs in found.items() if theirs == wrong and (telling or len(wrong) > 1)]:
            return whole, first
        among = {name: theirs for name, theirs in found.items() if theirs & telling}
        among = {name: theirs for name, theirs in among.items() if first in theirs} or among
        most = max(map(len, among.values()), default=0)
        names = [name for name, theirs in among.items() if len(theirs) == most]
        return names, min((min(among[name]) for name in names), default=first)


def _agree(mine: Sequence[Any] | None, other: Sequence[Any] | None) -> bool:
    """Whether two answers to a question are the same; None stands for the right one."""
    return (mine is None and other is None) or (mine is not None and other is not None and same_mark(mine, other))


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
    half = any(str(getattr(value, "dtype", "")).removeprefix("torch.") in ("float16", "bfloat16") for value in args)
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


def show_argument(value: Any) -> str:
    """An argument as the student would write it, short."""
    if callable(value) and not isinstance(value, type):
        return str(getattr(value, "__name__", "a function"))
    answer = plain(value) if not isinstance(value, Iterator) else Plain("object", (), "an iterator", "")
    if type(value).__name__ in ("Generator", "Random", "RandomState"):
        return "rng"
    return show(answer)


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


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


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
    text = f"Expected the shape {_shape(expected.shape)}, got {_shape(got.shape)}"
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


_here = Asking()
check, run = _here.check, _here.run


def load(record: str) -> None:
    """Take the record of a notebook, as JSON."""
    _here.record = json.loads(record)
