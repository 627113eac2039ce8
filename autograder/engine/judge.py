"""The judge's process: holds the tests and runs them, unmodified, on stand-ins that call the student's process.

What comes back is plain data of exact types. An object of the student's own class is a `Handle`: it can be called, its
attributes read, its items iterated; it refuses comparison, truth, arithmetic and conversion, so that an object that
claims to equal everything is of no use. The verdict on a test is whether it ran to its end here.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import contextlib
import dataclasses
import functools
import inspect
import itertools
import json
import pickle
import random
import socket
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np

from autograder import asking
from autograder.engine import streams
from autograder.engine.given import Given, run_given, run_test_cell, statements, test_code
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded, Peer, error_names, text_of
from autograder.engine.wire import Decoder, Encoder, WireError, named_tuple
from autograder.notebook.magics import as_python
from autograder.plain import Asked

TEXT = 20_000  # characters of a message
OURS = "GivenCellError"  # the name of a failure of the course's own
LATER = 1.0  # seconds that the student's own clock has to speak first
NEVER_RAISED_HERE = frozenset({
    "StopIteration", "StopAsyncIteration", "GeneratorExit", "SystemExit", "KeyboardInterrupt",
    "BaseException", "ExceptionGroup", "BaseExceptionGroup",
    # what a verdict may say of itself
    "NotRun", "TimedOut", "Crashed", "OutOfMemory", "WrongType", "WrongAnswer", "LostError", "UnreadableError",
    "GivenCellError",
})  # fmt: skip
MOST_LINE = 300  # characters of the line that raised
MOST_NAMES = 20  # kinds that one exception is of


class LostError(BaseException):
    """The student's process ended, or does not answer, in the middle of a test.

    Not an Exception: a test that expects one, of whatever kind, does not expect this.
    """


class UnreadableError(BaseException):
    """The student's process sent something that is no answer, or a value that does not cross."""


class StudentSide(Peer):
    """How the judge sees the student during one test."""

    def __init__(self, connection: socket.socket, limits: Limits, given: dict[str, Any], label: str) -> None:
        super().__init__(connection, limits.message)
        self.given = given
        self.label = label
        self.lent: dict[int, Any] = {}
        self.lent_numbers: dict[int, int] = {}
        self.numbers = itertools.count(1)
        self.pickled: list[Any] = []
        self.keyed: dict[Any, Any] = {}
        self.files: list[list[Any]] = []
        self.folders: dict[str, int] = {}
        self.calling = "your code"
        self.watching = False  # whether calls are asked which of their arguments they changed
        self.changed: list[Any] = []  # arguments of ours whose copies were changed over there

    # References out.

    def refer(self, value: Any, encoder: Encoder, depth: int) -> list[Any]:
        if type(value) is Handle:
            return ["h", _secret(value).number]
        if type(value) is Name:
            return ["nm", _secret(value).on]
        if type(value) is Method:
            raise WireError("a method of the student's object: pass the object")
        if isinstance(value, np.random.Generator):
            self.keyed[f"rng{id(value)}"] = value
            bits = value.bit_generator
            return ["rng", f"rng{id(value)}", type(bits).__name__, encoder.encode(bits.state, depth)]
        if isinstance(value, random.Random):
            self.keyed[f"prng{id(value)}"] = value
            return ["prng", f"prng{id(value)}", encoder.encode(value.getstate(), depth)]
        if isinstance(value, PurePath):
            return self._path(Path(value))
        if _is_torch_object(value) and self._pickles(value):
            return ["pk", self._pickle(value)]
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in self.given:
            fields = [f.name for f in dataclasses.fields(value) if f.init]
            return ["dc", type(value).__name__, [[n, encoder.encode(getattr(value, n), depth)] for n in fields]]
        if isinstance(value, collections.abc.Iterator):
            return ["it", self._lend(value)]
        if _is_callback(value):
            return ["cb", self._lend(value), str(getattr(value, "__name__", ""))]
        if hidden := _methods_out_of_reach(type(value)):
            raise WireError(f"a {type(value).__name__}, whose `{hidden[0]}` an answer could not call: lend a function")
        return ["ob", self._lend(value), [n for n in dir(type(value)) if _is_public_method(type(value), n)]]

    def _lend(self, value: Any) -> int:
        number = self.lent_numbers.get(id(value))
        if number is None:
            number = self.lent_numbers[id(value)] = next(self.numbers)
            self.lent[number] = value
        return number

    def _pickles(self, value: Any) -> bool:
        try:
            pickle.dumps(value)
        except Exception:
            return False
        return True

    def _pickle(self, value: Any) -> int:
        for place, known in enumerate(self.pickled):
            if known is value:
                return place
        self.pickled.append(value)
        return len(self.pickled) - 1

    def _path(self, path: Path) -> list[Any]:
        """A file or folder: its content goes along; what the student writes there comes back."""
        folder = self.folders.setdefault(str(path.parent.absolute()), len(self.folders))
        name = f"{self.label}-{folder}/{path.name}"
        self.keyed[name] = path
        if path.is_file():
            self.files.append([name, path.read_bytes()])
        elif path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file()]
            self.files += [[f"{name}/{p.relative_to(path).as_posix()}", p.read_bytes()] for p in inside]
        return ["p", name]

    # References in.

    def resolve(self, item: list[Any], decoder: Decoder, depth: int) -> Any:
        match item:
            case ["h", int(number), str(kind), str(traits)]:
                return Handle(self, number, kind[:80], traits, self.calling)
            case ["dc", str(name), list(fields), int(number)]:
                known = self.given.get(name)
                if isinstance(known, type) and dataclasses.is_dataclass(known):
                    return self._dataclass(known, {str(k): decoder.decode(v, depth) for k, v in fields})
                return Handle(self, number, name[:80], "o", self.calling)
            case ["np", str(name), list(values)]:
                return named_tuple(self.given.get(name), decoder.items(values, depth))
            case ["m"]:
                return METHOD
            case ["Tg", int(number), list(tensor)]:
                return self._with_gradient(number, decoder.decode(tensor, depth))
            case ["back", int(number)] if number in self.lent:
                return self.lent[number]
            case _:
                raise WireError("a reference that nobody gave out")

    def _dataclass(self, known: type, fields: dict[str, Any]) -> Any:
        copy: Any = object.__new__(known)
        for field in dataclasses.fields(known):
            if field.name in fields:
                object.__setattr__(copy, field.name, fields[field.name])
        return copy

    def _with_gradient(self, number: int, tensor: Any) -> Any:
        from autograder.engine.gradients import attach

        return attach(self, number, tensor, self.leaves)

    # Requests.

    leaves: tuple[tuple[int, Any], ...] = ()

    def ask(self, op: str, on: int | str, *args: Any, kwargs: dict[str, Any] | None = None, **more: Any) -> Any:
        """One request to the student; returns its value or raises what the student's code raised."""
        kwargs = kwargs or {}
        self.pickled, self.files, self.keyed = [], [], {}
        encoder = self.encoder()
        message: dict[str, Any] = {"op": op, "on": on, **more, **_numeric_settings()}
        if self.watching:
            message["watch"] = True
        try:
            message["args"] = encoder.encode(args)
            message["kwargs"] = encoder.encode(kwargs)
            self.leaves = self._leaves(args, kwargs)
            if self.leaves:
                message["grads"] = [[number, place] for number, place in _places(self.leaves, args, kwargs)]
            if self.pickled:
                message["pickled"] = encoder.buffer(pickle.dumps(self.pickled))
            if self.files:
                message["files"] = [[name, encoder.buffer(content)] for name, content in self.files]
        except WireError as error:
            raise UnreadableError(f"the test passes {error}") from None
        lent: dict[Any, Any] = {**dict(enumerate(self.pickled)), **self.keyed}
        reply, decoder = self._reply(message, encoder)
        try:
            for key, state in _states(reply):
                self._restore(lent[key], decoder.decode(state))
            given = (*args, *kwargs.values())
            self.changed += [given[place] for place in _places_in(reply) if 0 <= place < len(given)]
            return decoder.decode(reply["value"])
        except WireError as error:
            raise UnreadableError(f"{self.calling} returned {error}") from None

    def _reply(self, message: dict[str, Any], encoder: Encoder) -> tuple[dict[str, Any], Decoder]:
        try:
            reply, decoder = self.request(message, encoder)
        except (EOFError, ConnectionError):
            raise LostError(f"{self.calling} ended the whole process (a crash, an exit, or too much memory)") from None
        except TimeoutError:
            raise LostError(f"{self.calling} did not answer in time: is there a loop that does not end?") from None
        except WireError as error:
            raise UnreadableError(f"{self.calling} sent {error}") from None
        if "wire" in reply:
            raise UnreadableError(f"{self.calling} returned {str(reply['wire'])[:200]}")
        if "error" in reply:
            ended = message["op"] == "special" and message["name"] == "next"
            where = str(reply.get("where", ""))[:MOST_LINE]
            raise remote_error(reply["error"], reply.get("text", ""), ended=ended, where=where)
        if "value" not in reply:
            raise UnreadableError(f"{self.calling} sent bytes that are no answer")
        return reply, decoder

    def _leaves(self, args: Any, kwargs: dict[str, Any]) -> tuple[tuple[int, Any], ...]:
        torch = sys.modules.get("torch")
        if torch is None:
            return ()
        tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor) and v.requires_grad]
        return tuple((-next(self.numbers), tensor) for tensor in tensors)

    def ask_backward(self, number: int, leaves: list[int], gradient: Any) -> Any:
        """The gradients of `leaves`, from the gradient of an output that the student keeps."""
        encoder = self.encoder()
        message = {"op": "backward", "on": number, "leaves": leaves, "args": encoder.encode(gradient)}
        reply, decoder = self._reply(message, encoder)
        return decoder.decode(reply["value"])

    def _restore(self, lent: Any, state: Any) -> None:
        """Give what was lent the state in which the student's code left its copy."""
        if isinstance(lent, np.random.Generator):
            self._check_stream(streams.advanced(lent.bit_generator.state, state))
            lent.bit_generator.state = state
        elif isinstance(lent, random.Random):
            self._check_stream(streams.advanced_random(lent.getstate(), _as_state(state)))
            lent.setstate(_as_state(state))
        elif isinstance(lent, PurePath):
            self._write_back(Path(lent), state)
        else:
            from autograder.engine.gradients import restore

            restore(lent, state)

    def _check_stream(self, fine: bool) -> None:
        """A test may go on to draw its own inputs from a generator that it has lent."""
        if not fine:
            raise UnreadableError(f"{self.calling} left its generator in a state that drawing numbers does not lead to")

    def _write_back(self, lent: Path, state: Any) -> None:
        """The files that the student wrote at a path that it was lent, and at no other."""
        for name, content in state.items():
            inside = PurePath(str(name))
            if inside.is_absolute() or ".." in inside.parts or type(content) is not bytes:
                raise UnreadableError(f"{self.calling} sent a file that lies elsewhere")
            target = lent / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def serve_into(self, request: dict[str, Any], decoder: Decoder, encoder: Encoder) -> dict[str, Any]:
        """The student uses something that the test lent it: a callback, an iterator, an object."""
        try:
            lent = self.lent[int(request["on"])]
            args = decoder.decode(request["args"])
            kwargs = decoder.decode(request["kwargs"])
            value = self._use(lent, str(request["op"]), args, kwargs)
            if request["op"] == "get":
                encoder.refer = super().refer  # an attribute is lent as data or not at all
            return {"value": encoder.encode(value)}
        except WireError:
            raise
        except (LostError, UnreadableError):
            raise
        except BaseException as error:
            return {"error": error_names(error), "text": text_of(error)[:TEXT]}

    def _use(self, lent: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Only what the test meant to lend: a call, the next item, a public method, plain data."""
        callback = _is_callback(lent)
        if op == "call" and callback:
            return lent(*args, **kwargs)
        if op == "next" and isinstance(lent, collections.abc.Iterator):
            return next(lent)
        if callback or isinstance(lent, collections.abc.Iterator) or not args or type(args[0]) is not str:
            raise AttributeError("a test lends functions for calling and iterators for iterating only")
        name = args[0]
        if op == "method" and _is_public_method(type(lent), name):
            return getattr(lent, name)(*args[1:], **kwargs)
        if op == "get" and not name.startswith("_") and not callable(value := getattr(lent, name)):
            return value
        raise AttributeError(name)


OPERATORS = frozenset({"__call__", "__iter__", "__len__", "__getitem__"})


def _states(reply: dict[str, Any]) -> list[tuple[Any, Any]]:
    """What a reply says of the things that were lent: keys and states."""
    states = reply.get("after", [])
    if type(states) is not list or not all(type(pair) is list and len(pair) == 2 for pair in states):
        raise WireError("bytes that are no answer")
    return [(key, state) for key, state in states if type(key) in (int, str)]


def _places_in(reply: dict[str, Any]) -> list[int]:
    """Which arguments a call changed, as the student's side says."""
    places = reply.get("changed", [])
    return [place for place in places if type(place) is int] if type(places) is list else []


def _is_public_method(kind: type, name: str) -> bool:
    if name.startswith("_") and name not in OPERATORS:
        return False
    return isinstance(inspect.getattr_static(kind, name, None), types.FunctionType)


def _is_callback(value: Any) -> bool:
    """Whether a test lends this to be called, and for nothing else: a function of whatever kind, a class.

    That is, all that can be called but objects of a class written in Python: those have methods and attributes, too.
    """
    if isinstance(value, types.FunctionType | types.MethodType | type):
        return True
    return callable(value) and not isinstance(inspect.getattr_static(value, "__call__", None), types.FunctionType)


def _methods_out_of_reach(kind: type) -> list[str]:
    """The public methods of a class that is written in C: they trust what they are called with, and are not lent."""
    public = [name for name in dir(kind) if not name.startswith("_")]
    if any(_is_public_method(kind, name) for name in public):
        return []
    return [name for name in public if callable(inspect.getattr_static(kind, name))]


def _is_torch_object(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module | torch.optim.Optimizer)


def _as_state(value: Any) -> Any:
    return tuple(_as_state(v) for v in value) if isinstance(value, list | tuple) else value


def _places(leaves: tuple[tuple[int, Any], ...], args: Any, kwargs: dict[str, Any]) -> Iterator[tuple[int, list[Any]]]:
    for number, tensor in leaves:
        for place, value in enumerate(args):
            if value is tensor:
                yield number, [0, place]
        for name, value in kwargs.items():
            if value is tensor:
                yield number, [1, name]


def _numeric_settings() -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if (now := np.geterr()) != {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}:
        settings["errstate"] = {k: v if v in ("ignore", "warn", "raise") else "ignore" for k, v in now.items()}
    if (torch := sys.modules.get("torch")) is not None:
        settings["grad"] = torch.is_grad_enabled()
    return settings


# ---- errors from the other side


def remote_error(names: Any, text: Any, *, ended: bool, where: str = "") -> BaseException:
    """An exception of the built-in kind that the student's code raised, with its text and nothing else of it.

    `ended` says whether it may be the end of an iterator: from anything else, that would end a loop of the test.
    """
    names = [n for n in names[:MOST_NAMES] if type(n) is str] if type(names) is list else []
    text = text[:TEXT] if type(text) is str else ""
    name = (names or ["Exception"])[0][:80]
    if name == "TookTooLong":
        return LostError(f"this call took {text}: is there a loop that does not end?")
    if name == "EndedError" and ended:
        return StopIteration()
    if name in NEVER_RAISED_HERE or not name.isidentifier():
        return RuntimeError(f"{name}: {text}")
    kind: type[BaseException] = Exception
    for candidate in names:
        known = getattr(builtins, candidate, None)
        if isinstance(known, type) and issubclass(known, Exception) and candidate not in NEVER_RAISED_HERE:
            kind = known
            break
    made = type(name, (kind,), {"__init__": _set_text, "__str__": lambda self: self.remote_text, "where": where})
    return made(text)  # type: ignore[no-any-return]


def _set_text(self: Any, text: str) -> None:
    self.remote_text = text


# ---- stand-ins


@dataclasses.dataclass(frozen=True)
class _About:
    side: StudentSide
    on: int | str
    kind: str
    traits: str
    source: str

    @property
    def number(self) -> int:
        assert isinstance(self.on, int)
        return self.on


METHOD = object()


def _secret(stand_in: Any) -> _About:
    return object.__getattribute__(stand_in, "_about")  # type: ignore[no-any-return]


def _refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    about = _secret(self)
    returned = isinstance(about.on, int)
    what = f"returned a `{about.kind}`" if returned else "is a function or a class, and was not called"
    raise TypeError(f"`{about.source}` {what}: expected plain data (a number, text, a list, an array)")


_REFUSED = (
    "__bool__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __int__ __float__ __complex__ __index__ __bytes__ "
    "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __floordiv__ __rfloordiv__ __mod__ "
    "__rmod__ __divmod__ __pow__ __rpow__ __matmul__ __rmatmul__ __and__ __rand__ __or__ __ror__ __xor__ __rxor__ "
    "__lshift__ __rshift__ __neg__ __pos__ __abs__ __invert__ __round__ __trunc__ __floor__ __ceil__ __array__ "
    "__array_ufunc__ __array_function__ __fspath__ __reduce_ex__ __getstate__"
)


class Handle:
    """An object of the student's that stays with the student."""

    __slots__ = ("_about",)

    def __init__(self, side: StudentSide, number: int, kind: str, traits: str, source: str) -> None:
        object.__setattr__(self, "_about", _About(side, number, kind, traits, source))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        about = _secret(self)
        return about.side.ask("call", about.on, *args, kwargs=kwargs)

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        about = _secret(self)
        about.side.ask("set", about.on, name, value)

    def __len__(self) -> int:
        length = _special(self, "len")
        if type(length) is not int or length < 0:
            raise TypeError(f"len() of a `{_secret(self).kind}` gave {length!r}: expected a count")
        return length

    def __getitem__(self, key: Any) -> Any:
        return _special(self, "getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _special(self, "setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        _special(self, "delitem", key)

    def __contains__(self, key: Any) -> bool:
        return any(item is key or item == key for item in self)  # not asked: it would say yes, and be told what for

    def __iter__(self) -> Iterator[Any]:
        return _iterate(self)

    def __next__(self) -> Any:
        return _special(self, "next")

    def __enter__(self) -> Any:
        return _special(self, "enter")

    def __exit__(self, *details: object) -> None:
        _special(self, "exit")

    def __str__(self) -> str:
        return f"<a {_secret(self).kind}>"

    __repr__ = __str__


class Name:
    # A graded name of the notebook: the student's function, class or value. (Its docstring is the answer's.)

    __slots__ = ("_about",)

    def __init__(self, side: StudentSide, name: str) -> None:
        object.__setattr__(self, "_about", _About(side, name, name, "co", name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        about = _secret(self)
        about.side.calling = about.source
        return about.side.ask("call", about.on, *args, kwargs=kwargs)

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        text = _described(self, "doc")
        return text if type(text) is str else None

    @property
    def __signature__(self) -> inspect.Signature:
        """What `inspect.signature` asks for: names, kinds and defaults; annotations stay with the student."""
        return _signature(_described(self, "signature"), _secret(self).source)

    def __str__(self) -> str:
        return f"<the notebook's {_secret(self).kind}>"

    __repr__ = __str__


for _kind in (Handle, Name):
    for _name in _REFUSED.split():
        setattr(_kind, _name, _refuse)


class Method:
    """A method of a student's object, to be called."""

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        about = _secret(self._owner)
        return about.side.ask("method", about.on, self._name, *args, kwargs=kwargs)


def _described(stand_in: Any, what: str) -> Any:
    about = _secret(stand_in)
    return about.side.ask("describe", about.on, what)


def _signature(found: Any, source: str) -> inspect.Signature:
    """A signature from names, kinds and defaults, where these can be one."""
    try:
        parts = [(str(name), inspect._ParameterKind(kind), has, default) for name, kind, has, default in found]
        empty = inspect.Parameter.empty
        made = [inspect.Parameter(n, kind, default=default if has else empty) for n, kind, has, default in parts]
        return inspect.Signature(made)
    except (TypeError, ValueError):
        raise TypeError(f"`{source}` has no signature that can be read") from None


def _attribute(stand_in: Any, name: str) -> Any:
    if name in ("__name__", "__qualname__") and type(stand_in) is Name:
        text = _described(stand_in, name.strip("_"))
        if type(text) is str:
            return text
    if name.startswith("__"):
        raise AttributeError(name)
    about = _secret(stand_in)
    value = about.side.ask("get", about.on, name)
    return Method(stand_in, name) if value is METHOD else value


def _special(stand_in: Any, name: str, *args: Any) -> Any:
    about = _secret(stand_in)
    return about.side.ask("special", about.on, *args, name=name)


def _iterate(stand_in: Any) -> Iterator[Any]:
    about = _secret(stand_in)
    source = stand_in if "i" in about.traits else _special(stand_in, "iter")
    if type(source) is not Handle:
        yield from source
        return
    while True:
        try:
            item = _special(source, "next")
        except StopIteration:
            return
        yield item


# ---- asking


class RemoteWatch:
    """Sees which arguments a call changed, where it runs on the student's side, on copies."""

    def __init__(self, side: StudentSide, originals: Sequence[Any], given: Sequence[Any]) -> None:
        self.side = side
        self.given = given
        self.local = asking.LocalWatch(originals, given)  # a driver of the test's own runs here
        side.watching, side.changed = True, []

    def changed(self) -> list[int]:
        self.side.watching = False
        there = [place for place, value in enumerate(self.given) if any(value is one for one in self.side.changed)]
        return sorted({*there, *self.local.changed()})


class RemoteAsking(asking.Asking):
    """Asks a student's process; what a test does not want to be there is taken away over there."""

    side: StudentSide
    given: Given

    def missing(self, exercise: str, error: NameError) -> Exception:
        """A name that a given cell of ours should have defined is our fault, and stays an error."""
        ours = why_missing(self.given, error)
        return error if ours else super().missing(exercise, error)

    def ask(self, test: Callable[[], None], without: Iterable[str] = ()) -> list[Asked]:
        if absent := list(without):
            self.side.ask("without", "", absent)
        return super().ask(test, absent)


# ---- the whole notebook


def run_tests(job: dict[str, Any], report: socket.socket, students: list[socket.socket]) -> None:
    """Run each test against its snapshot of the student; one verdict a test to `report`."""
    limits = Limits(**job["limits"])
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    ours = [cell for cell in job["given"] if cell["id"] != asking.CELL]
    given = run_given(ours, [*job["names"], *job["values"]], namespace)
    known = dict(namespace)
    for test, connection in zip(job["tests"], students, strict=True):
        if test["id"] not in job["done"]:
            verdict = _run_test(test, job, connection, limits, namespace, known, given, report)
            if verdict is not None:
                _tell(report, {"id": test["id"], **verdict})
        _hang_up(connection)
    _tell(report, {"ended": True})


def _run_test(
    test: dict[str, Any],
    job: dict[str, Any],
    connection: socket.socket,
    limits: Limits,
    namespace: dict[str, Any],
    known: dict[str, Any],
    given: Given,
    report: socket.socket,
) -> dict[str, str] | None:
    """The verdict on one test; None where the student's process never came to its place."""
    try:
        ready = connection.recv(1)
    except ConnectionError:
        ready = b""
    if ready != b"R":
        return None
    _tell(report, {"started": test["id"]})
    connection.settimeout(limits.test + LATER)
    side = StudentSide(connection, limits, known, test["id"])
    namespace.update({name: Name(side, name) for name in job["names"]})
    printed = Bounded(limits.output)
    if "record" in test:
        asks = RemoteAsking(test["record"], functools.partial(RemoteWatch, side))
        asks.side, asks.given = side, given
        namespace.update(check=asks.check, run=asks.run)
    try:
        read = mentioned(test["source"])
        for name in read.intersection(job["values"]):
            namespace[name] = side.ask("value", name)
        for name in given.wanted(read):
            _take(name, side, namespace)
        code = test_code(test["id"], test["source"])
        rebound = code.sets.intersection([*job["names"], *job["values"]])
        names = Rebinding(side, namespace, rebound) if rebound else None
        with contextlib.redirect_stdout(printed):
            value = run_test_cell(code, namespace, names)
    except asking.NotRecordedError as error:
        return {"error": OURS, "message": text_of(error)[:TEXT]}
    except asking.WrongAnswer as wrong:
        told = {"entry": wrong.entry, "details": wrong.details[:TEXT], "printed": printed.text()}
        return {"error": "WrongAnswer", "message": text_of(wrong)[:TEXT], **told}
    except BaseException as error:
        if isinstance(error, NameError) and (cause := why_missing(given, error)):
            return {"error": OURS, "message": cause}
        return {"error": type(error).__name__, "message": text_of(error)[:TEXT], "printed": printed.text()}
    return {"error": "", "message": "", "value": value[:TEXT], "printed": printed.text()}


def why_missing(given: Given, error: NameError) -> str:
    """Why a given cell did not define a name, "" where none should have."""
    return given.missing.get(error.name or "", given.missing.get("", ""))


def _take(name: str, side: StudentSide, namespace: dict[str, Any]) -> None:
    """What a given cell made of an answer; where the student's side has none of it, the test will not find it."""
    namespace.pop(name, None)
    with contextlib.suppress(Exception):
        namespace[name] = side.ask("value", name)


class Rebinding(collections.abc.MutableMapping[str, Any]):
    """The names of a test cell that binds or deletes an answer: the student's side is told, as in one notebook."""

    def __init__(self, side: StudentSide, namespace: dict[str, Any], answers: frozenset[str]) -> None:
        self.side, self.namespace, self.answers = side, namespace, answers

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self.answers:
            self.side.ask("bind", name, value)
        self.namespace[name] = value

    def __delitem__(self, name: str) -> None:
        del self.namespace[name]
        if name in self.answers:
            self.side.ask("unbind", name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.namespace)

    def __len__(self) -> int:
        return len(self.namespace)


# The warm process fills these, once for all submissions: a judge is a copy of it.
@functools.lru_cache(maxsize=2000)
def mentioned(source: str) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(ast.parse(as_python(source))) if isinstance(node, ast.Name))


def prepare(given: list[dict[str, str]], tests: list[dict[str, str]]) -> None:
    """Compile what judges will run; what does not compile is said where it is run."""
    for cells, compile_cell in ((given, statements), (tests, test_code)):
        for cell in cells:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                compile_cell(cell["id"], cell["source"])
                mentioned(cell["source"])


def _hang_up(connection: socket.socket) -> None:
    """End the conversation, whoever still holds the socket."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _tell(report: socket.socket, record: dict[str, Any]) -> None:
    report.sendall(json.dumps(record).encode("ascii") + b"\n")
