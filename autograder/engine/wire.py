"""Values as bytes and back, between a judge and a student that do not trust each other.

A value becomes JSON plus raw buffers; nothing is ever unpickled from the student. What has no plain form crosses as a
reference, and `Encoder.refer` and `Decoder.resolve` say what a reference is on either side. Every message is bounded
in bytes, depth and number of items, and the decoder builds exact built-in and numpy types, whatever the bytes say.
"""

from __future__ import annotations

import array
import collections
import decimal
import fractions
import functools
import json
import math
import re
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np

MAX_DEPTH = 40
MAX_JSON = 32 * 2**20
MAX_BUFFERS = 100_000
FRAME = struct.Struct("<II")  # bytes of JSON, number of buffers
LENGTH = struct.Struct("<Q")
DTYPES = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SU]\d{1,7}|[mM]8(?:\[\w+\])?)")
SAFE_INT = 2**53
Message = dict[str, Any]  # one message as JSON has it: what it may hold, the two halves of the conversation say
# What building a value raises where it does not fit its own description.
MISFITS = (
    ValueError, TypeError, LookupError, ArithmeticError, MemoryError, AttributeError, RuntimeError, ImportError,
)  # fmt: skip


class WireError(Exception):
    """A value that cannot cross, or bytes that are no message; the text says why."""


class Ref(StrEnum):
    """What has no plain form, by the first item of its JSON. Behind each: who sends it, and what follows."""

    HANDLE = "h"  # student: number, type's name, traits (of an object that stays there). Judge, for that object: number
    NAME = "nm"  # judge: name, of a function or a class of the notebook
    METHOD = "m"  # student: an attribute that is to be called
    BACK = "back"  # student: number, of what the judge lent
    CALLBACK = "cb"  # judge: number, name, of a function that it lends
    ITERATOR = "it"  # judge: number, of an iterator that it lends
    OBJECT = "ob"  # judge: number, names of public methods, of an object that it lends
    PICKLED = "pk"  # judge: place among the pickled things (modules, optimisers); never from the student
    NAMED_TUPLE = "np"  # both: type's name, values
    DATACLASS = "dc"  # both: type's name, names and values of fields; and the student: number
    GENERATOR = "rng"  # judge: key, kind of bit generator, state, of a numpy generator that it lends
    RANDOM = "prng"  # judge: key, state, of a `random.Random` that it lends
    PATH = "p"  # judge: name of a file or folder, whose content comes along
    GRADIENT = "Tg"  # student: number, tensor, whose `backward` is done over there


class Encoder:
    """Turns one value into JSON and buffers. `refer` gives what to send for an object without a plain form."""

    def __init__(self, refer: Callable[[Any, Encoder, int], list[Any]], limit: int) -> None:
        self.refer = refer
        self.limit = limit
        self.buffers: list[bytes] = []
        self.size = 0

    def buffer(self, content: bytes) -> int:
        self.size += len(content)
        if self.size > self.limit:
            raise WireError(f"a value of more than {self.limit // 2**20} MiB")
        self.buffers.append(content)
        return len(self.buffers) - 1

    def encode(self, value: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"a value nested more than {MAX_DEPTH} deep")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return value if _is_clean(value) else ["u", self.buffer(value.encode("utf-8", "surrogatepass"))]
        if kind is int:
            return value if -SAFE_INT < value < SAFE_INT else ["i", hex(value)]
        if kind is float:
            return value if math.isfinite(value) else ["f", repr(value)]
        put = _PUT.get(kind)
        if put is not None:
            return put(self, value, depth + 1)
        return self._other(value, depth + 1)

    def _other(self, value: Any, depth: int) -> Any:
        """Numpy, torch, subclasses of plain types; else a reference."""
        if isinstance(value, np.ndarray):
            return self._array(np.asarray(value), depth)
        if isinstance(value, np.generic):
            if not _sendable(value.dtype):
                return self.refer(value, self, depth)
            return ["n", value.dtype.str, self.buffer(value.tobytes())]
        if isinstance(value, np.dtype) and _sendable(value):
            return ["dt", value.str]
        if isinstance(value, type) and issubclass(value, np.generic) and _sendable(np.dtype(value)):
            return ["nt", np.dtype(value).str]
        if isinstance(value, type) and value in _TYPES:
            return ["bt", value.__name__]
        torch = sys.modules.get("torch")
        if torch is not None:
            if isinstance(value, torch.Tensor):
                return self._tensor(value, torch, depth)
            if isinstance(value, torch.dtype):
                return ["td", str(value).removeprefix("torch.")]
            if isinstance(value, torch.device):
                return ["tv", str(value)]
            if isinstance(value, torch.Size):
                return ["ts", [int(n) for n in value]]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return [Ref.NAMED_TUPLE, type(value).__name__, self.items(tuple.__iter__(value), depth)]
        for base, encode in _SUBCLASSES:
            if isinstance(value, base):
                return encode(self, value, depth)
        return self.refer(value, self, depth)

    def items(self, values: Any, depth: int) -> list[Any]:
        return [self.encode(value, depth) for value in values]

    def _array(self, array: np.ndarray[Any, Any], depth: int) -> Any:
        if array.dtype == object:
            return ["ao", list(array.shape), self.items(array.ravel().tolist(), depth)]
        if not _sendable(array.dtype):
            return self.refer(array, self, depth)
        return ["a", array.dtype.str, list(array.shape), self.buffer(np.ascontiguousarray(array).tobytes())]

    def _tensor(self, tensor: Any, torch: Any, depth: int) -> Any:
        data = tensor.detach().cpu()
        if data.is_sparse or data.is_quantized:
            return self.refer(tensor, self, depth)
        data = data.resolve_conj().resolve_neg()
        # A copy in order: a single number that was expanded counts as contiguous, yet has strides of 0.
        flat = data.clone(memory_format=torch.contiguous_format).flatten()
        raw = flat.view(torch.uint8).numpy().tobytes() if data.numel() else b""
        grad = tensor.grad if tensor.is_leaf and tensor.grad is not None else None
        return [
            "T",
            str(data.dtype).removeprefix("torch."),
            list(data.shape),
            self.buffer(raw),
            bool(tensor.requires_grad),
            self._tensor(grad, torch, depth) if grad is not None else None,
            isinstance(tensor, torch.nn.Parameter),
        ]


# Types that a test passes as data, say for a dtype.
_TYPES = frozenset({bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, object})
_TYPE = {kind.__name__: kind for kind in _TYPES}


def _is_clean(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


@functools.lru_cache(maxsize=256)
def _sendable(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufcSUmM" and dtype.subdtype is None and DTYPES.fullmatch(dtype.str) is not None


def _pairs(encoder: Encoder, value: Any, depth: int) -> list[Any]:
    return [[encoder.encode(k, depth), encoder.encode(v, depth)] for k, v in value.items()]


_Put = Callable[[Encoder, Any, int], Any]
# Subclasses of plain types (a named tuple, a defaultdict, an IntEnum) cross as what they are a kind of.
_SUBCLASSES: tuple[tuple[type, _Put], ...] = (
    (bool, lambda e, v, d: bool(v)),
    (int, lambda e, v, d: e.encode(int.__int__(v), d)),
    (float, lambda e, v, d: e.encode(float.__float__(v), d)),
    (str, lambda e, v, d: e.encode(str.__str__(v), d)),
    (tuple, lambda e, v, d: ["t", e.items(tuple.__iter__(v), d)]),
    (list, lambda e, v, d: ["l", e.items(list.__iter__(v), d)]),
    (dict, lambda e, v, d: ["d", [[e.encode(k, d), e.encode(x, d)] for k, x in dict.items(v)]]),
    (bytes, lambda e, v, d: ["b", e.buffer(bytes.__getitem__(v, slice(None)))]),
    (set, lambda e, v, d: ["s", e.items(set.__iter__(v), d)]),
    (frozenset, lambda e, v, d: ["fs", e.items(frozenset.__iter__(v), d)]),
)


def named_tuple(kind: Any, values: list[Any]) -> Any:
    """As `kind` has it where that is a class of named tuples; a plain tuple elsewhere."""
    if isinstance(kind, type) and issubclass(kind, tuple) and len(getattr(kind, "_fields", ())) == len(values):
        return tuple.__new__(kind, values)
    return tuple(values)


class Decoder:
    """Builds a value from JSON and buffers; `resolve` says what a reference stands for."""

    def __init__(self, buffers: list[bytes], resolve: Callable[[list[Any], Decoder, int], Any]) -> None:
        self.buffers = buffers
        self.resolve = resolve

    def decode(self, item: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"a value nested more than {MAX_DEPTH} deep")
        if item is None or type(item) in (bool, int, float, str):
            return item
        if type(item) is not list or not item or type(item[0]) is not str:
            raise WireError("a value of no known form")
        take = _TAKE.get(item[0])
        if take is None:
            return self.resolve(item, self, depth + 1)
        try:
            return take(self, item, depth + 1)
        except WireError:
            raise
        except MISFITS as error:
            raise WireError(f"a value that does not fit its own description ({type(error).__name__})") from None

    def items(self, values: list[Any], depth: int) -> list[Any]:
        return [self.decode(value, depth) for value in values]

    def pairs(self, values: list[Any], depth: int) -> dict[Any, Any]:
        return {self.decode(k, depth): self.decode(v, depth) for k, v in values}


def _dtype(name: Any) -> np.dtype[Any]:
    if type(name) is not str:
        raise WireError("an array of a kind that does not cross")
    return _dtype_named(name)


@functools.lru_cache(maxsize=256)
def _dtype_named(name: str) -> np.dtype[Any]:
    if DTYPES.fullmatch(name) is None:
        raise WireError("an array of a kind that does not cross")
    return np.dtype(name)


def _shape(numbers: Any) -> tuple[int, ...]:
    if len(numbers) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in numbers):
        raise WireError("an array of an impossible shape")
    return tuple(numbers)


def _array(d: Decoder, item: list[Any], depth: int) -> Any:
    dtype, shape = _dtype(item[1]), _shape(item[2])
    if dtype.kind == "b":
        return _booleans(d.buffers[item[3]]).reshape(shape)
    return np.frombuffer(d.buffers[item[3]], dtype=dtype).reshape(shape).copy()


def _booleans(raw: bytes) -> Any:
    """A byte that is neither 0 nor 1 would be true in one operation and false in another."""
    return np.frombuffer(raw, dtype=np.uint8) != 0


def _object_array(d: Decoder, item: list[Any], depth: int) -> Any:
    shape = _shape(item[1])
    values = d.items(item[2], depth)
    flat = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        flat[place] = value
    return flat.reshape(shape)


def _scalar(d: Decoder, item: list[Any], depth: int) -> Any:
    dtype, raw = _dtype(item[1]), d.buffers[item[2]]
    return _booleans(raw)[0] if dtype.kind == "b" else np.frombuffer(raw, dtype=dtype, count=1)[0]


_TORCH_DTYPES = frozenset({
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    "uint8", "int8", "int16", "int32", "int64", "bool",
})  # fmt: skip


def _torch_dtype(name: Any) -> Any:
    import torch  # where there is none, no tensor comes this way

    if name not in _TORCH_DTYPES:
        raise WireError("a tensor of a kind that does not cross")
    return getattr(torch, name)


def _tensor(d: Decoder, item: list[Any], depth: int) -> Any:
    import torch

    dtype, shape = _torch_dtype(item[1]), _shape(item[2])
    raw = d.buffers[item[3]]
    if raw:
        flat = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
        tensor = (flat.ne(0) if dtype == torch.bool else flat.view(dtype)).reshape(shape).clone()
    else:
        tensor = torch.zeros(0, dtype=dtype).reshape(shape)  # never `empty`: it would show what lay in our memory
    if item[6] and (dtype.is_floating_point or dtype.is_complex):
        tensor = torch.nn.Parameter(tensor, requires_grad=bool(item[4]))
    elif item[4]:
        tensor.requires_grad_(True)
    if item[5] is not None:
        tensor.grad = _tensor(d, item[5], depth + 1)
    return tensor


# ---- the forms of plain values, each with both of its halves


@dataclass(frozen=True, slots=True)
class Form:
    """How values of some types cross: `put` gives JSON that begins with the form's name, `take` makes the value of it.

    Where `put` is None, `Encoder` itself tells these values, since their type alone does not.
    """

    take: Callable[[Decoder, list[Any], int], Any]
    put: _Put | None = None
    types: tuple[type, ...] = ()


FORMS: dict[str, Form] = {
    "l": Form(
        lambda d, i, n: d.items(i[1], n),
        lambda e, v, d: ["l", e.items(v, d)],
        (list, collections.deque, type({}.keys()), type({}.values()), type({}.items())),
    ),
    "t": Form(lambda d, i, n: tuple(d.items(i[1], n)), lambda e, v, d: ["t", e.items(v, d)], (tuple,)),
    "d": Form(lambda d, i, n: d.pairs(i[1], n), lambda e, v, d: ["d", _pairs(e, v, d)], (dict,)),
    "s": Form(lambda d, i, n: set(d.items(i[1], n)), lambda e, v, d: ["s", e.items(v, d)], (set,)),
    "fs": Form(lambda d, i, n: frozenset(d.items(i[1], n)), lambda e, v, d: ["fs", e.items(v, d)], (frozenset,)),
    "ar": Form(lambda d, i, n: d.items(i[1], n), lambda e, v, d: ["ar", e.items(v.tolist(), d)], (array.array,)),
    "b": Form(lambda d, i, n: d.buffers[i[1]], lambda e, v, d: ["b", e.buffer(v)], (bytes,)),
    "mv": Form(lambda d, i, n: d.buffers[i[1]], lambda e, v, d: ["mv", e.buffer(v.tobytes())], (memoryview,)),
    "ba": Form(lambda d, i, n: bytearray(d.buffers[i[1]]), lambda e, v, d: ["ba", e.buffer(bytes(v))], (bytearray,)),
    "u": Form(lambda d, i, n: d.buffers[i[1]].decode("utf-8", "surrogatepass")),  # text that UTF-8 has not
    "i": Form(lambda d, i, n: int(i[1], 16)),  # whole numbers beyond a float's
    "f": Form(lambda d, i, n: float(i[1])),  # NaN and the infinities
    "c": Form(
        lambda d, i, n: complex(float(i[1]), float(i[2])),
        lambda e, v, d: ["c", repr(v.real), repr(v.imag)],
        (complex,),
    ),
    "q": Form(
        lambda d, i, n: fractions.Fraction(*(int(part) for part in d.items(i[1:3], n))),
        lambda e, v, d: ["q", *e.items((v.numerator, v.denominator), d)],
        (fractions.Fraction,),
    ),
    "z": Form(lambda d, i, n: decimal.Decimal(str(i[1])), lambda e, v, d: ["z", str(v)], (decimal.Decimal,)),
    "sl": Form(
        lambda d, i, n: slice(*d.items(i[1:4], n)),
        lambda e, v, d: ["sl", *e.items((v.start, v.stop, v.step), d)],
        (slice,),
    ),
    "r": Form(
        lambda d, i, n: range(int(i[1]), int(i[2]), int(i[3])),
        lambda e, v, d: ["r", v.start, v.stop, v.step],
        (range,),
    ),
    "el": Form(lambda d, i, n: ..., lambda e, v, d: ["el"], (type(...),)),
    "cn": Form(
        lambda d, i, n: collections.Counter(d.pairs(i[1], n)),
        lambda e, v, d: ["cn", _pairs(e, v, d)],
        (collections.Counter,),
    ),
    "od": Form(
        lambda d, i, n: collections.OrderedDict(d.pairs(i[1], n)),
        lambda e, v, d: ["od", _pairs(e, v, d)],
        (collections.OrderedDict,),
    ),
    "a": Form(_array),  # of numpy's: an array, one of objects, a single number, a dtype, its type
    "ao": Form(_object_array),
    "n": Form(_scalar),
    "dt": Form(lambda d, i, n: _dtype(i[1])),
    "nt": Form(lambda d, i, n: _dtype(i[1]).type),
    "bt": Form(lambda d, i, n: _TYPE[i[1]]),  # a built-in type
    "T": Form(_tensor),  # of torch's: a tensor, a dtype, a device, a size
    "td": Form(lambda d, i, n: _torch_dtype(i[1])),
    "tv": Form(lambda d, i, n: __import__("torch").device(str(i[1]))),
    "ts": Form(lambda d, i, n: __import__("torch").Size(_shape(i[1]))),
}
_PUT = {kind: form.put for form in FORMS.values() if form.put for kind in form.types}
_TAKE = {name: form.take for name, form in FORMS.items()}


# ---- frames on a socket

_to_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


def send(connection: socket.socket, message: Any, buffers: list[bytes]) -> None:
    """Write one frame."""
    text = _to_json(message).encode("ascii")
    if len(text) > MAX_JSON:
        raise WireError(f"a message of more than {MAX_JSON // 2**20} MiB without its arrays")
    parts = [FRAME.pack(len(text), len(buffers)), text]
    for content in buffers:
        parts += [LENGTH.pack(len(content)), content]
    connection.sendall(b"".join(parts))


def receive(stream: BinaryIO, limit: int) -> tuple[Any, list[bytes]]:
    """Read one frame; EOFError where the other side is gone, TimeoutError where it is silent."""
    size, count = FRAME.unpack(_exactly(stream, FRAME.size))
    if size > MAX_JSON or count > MAX_BUFFERS:
        raise WireError("a message that is too large")
    text = _exactly(stream, size)
    buffers, total = [], 0
    for _ in range(count):
        (length,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
        total += length
        if total > limit:
            raise WireError(f"a value of more than {limit // 2**20} MiB")
        buffers.append(_exactly(stream, length))
    try:
        return json.loads(text.decode("ascii")), buffers
    except (ValueError, RecursionError):
        raise WireError("bytes that are no message") from None


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size) if size else b""
    if len(content) < size:
        raise EOFError("the other side is gone")
    return content
