"""The judge's half of the conversation: calls into a student's process, and what a test lends it.

What comes back is plain data of exact types, or a stand-in; the other half is `autograder.engine.answerer`.
"""

from __future__ import annotations

import builtins
import collections.abc
import dataclasses
import inspect
import itertools
import pickle
import random
import socket
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from autograder.engine import streams
from autograder.engine.limits import Limits
from autograder.engine.peer import Peer
from autograder.engine.raised import error_names, text_of
from autograder.engine.stand_ins import METHOD, Handle, Method, Name, about_of
from autograder.engine.wire import Decoder, Encoder, Message, Ref, WireError, named_tuple

TEXT = 20_000  # characters of a message
MOST_LINE = 300  # characters of the line that raised

MOST_NAMES = 20  # kinds that one exception is of

NEVER_RAISED_HERE = frozenset({
    "StopIteration", "StopAsyncIteration", "GeneratorExit", "SystemExit", "KeyboardInterrupt",
    "BaseException", "ExceptionGroup", "BaseExceptionGroup",
    # what a verdict may say of itself
    "NotRun", "TimedOut", "Crashed", "OutOfMemory", "WrongType", "WrongAnswer", "LostError", "UnreadableError",
    "GivenCellError",
})  # fmt: skip


class LostError(BaseException):
    """The student's process ended, or does not answer, in the middle of a test.

    Not an Exception: a test that expects one, of whatever kind, does not expect this.
    """


class UnreadableError(BaseException):
    """The student's process sent something that is no answer, or a value that does not cross."""


class Caller(Peer):
    """How the judge sees the student during one test."""

    def __init__(self, connection: socket.socket, limits: Limits, given: Mapping[str, Any], label: str) -> None:
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
            return [Ref.HANDLE, about_of(value).number]
        if type(value) is Name:
            return [Ref.NAME, about_of(value).on]
        if type(value) is Method:
            raise WireError("a method of the student's object: pass the object")
        if isinstance(value, np.random.Generator):
            self.keyed[f"rng{id(value)}"] = value
            bits = value.bit_generator
            return [Ref.GENERATOR, f"rng{id(value)}", type(bits).__name__, encoder.encode(bits.state, depth)]
        if isinstance(value, random.Random):
            self.keyed[f"prng{id(value)}"] = value
            return [Ref.RANDOM, f"prng{id(value)}", encoder.encode(value.getstate(), depth)]
        if isinstance(value, PurePath):
            return self._path(Path(value))
        if _is_torch_object(value) and self._pickles(value):
            return [Ref.PICKLED, self._pickle(value)]
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in self.given:
            names = [f.name for f in dataclasses.fields(value) if f.init]
            fields = [[name, encoder.encode(getattr(value, name), depth)] for name in names]
            return [Ref.DATACLASS, type(value).__name__, fields]
        if isinstance(value, collections.abc.Iterator):
            return [Ref.ITERATOR, self._lend(value)]
        if _is_callback(value):
            return [Ref.CALLBACK, self._lend(value), str(getattr(value, "__name__", ""))]
        if hidden := _methods_out_of_reach(type(value)):
            raise WireError(f"a {type(value).__name__}, whose `{hidden[0]}` an answer could not call: lend a function")
        return [Ref.OBJECT, self._lend(value), [n for n in dir(type(value)) if _is_public_method(type(value), n)]]

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
        return [Ref.PATH, name]

    # References in.

    def resolve(self, item: list[Any], decoder: Decoder, depth: int) -> Any:
        match item:
            case [Ref.HANDLE, int(number), str(kind), str(traits)]:
                return Handle(self, number, kind[:80], traits, self.calling)
            case [Ref.DATACLASS, str(name), list(fields), int(number)]:
                known = self.given.get(name)
                if isinstance(known, type) and dataclasses.is_dataclass(known):
                    return self._dataclass(known, {str(k): decoder.decode(v, depth) for k, v in fields})
                return Handle(self, number, name[:80], "o", self.calling)
            case [Ref.NAMED_TUPLE, str(name), list(values)]:
                return named_tuple(self.given.get(name), decoder.items(values, depth))
            case [Ref.METHOD]:
                return METHOD
            case [Ref.GRADIENT, int(number), list(tensor)]:
                return self._with_gradient(number, decoder.decode(tensor, depth))
            case [Ref.BACK, int(number)] if number in self.lent:
                return self.lent[number]
            case _:
                raise WireError("a reference that nobody gave out")

    def _dataclass(self, known: type, fields: Mapping[str, Any]) -> Any:
        copy: Any = object.__new__(known)
        for field in dataclasses.fields(known):
            if field.name in fields:
                object.__setattr__(copy, field.name, fields[field.name])
        return copy

    def _with_gradient(self, number: int, tensor: Any) -> Any:
        from autograder.engine.gradients import attach  # imports torch, as all of that file

        return attach(self, number, tensor, self.leaves)

    # Requests.

    leaves: tuple[tuple[int, Any], ...] = ()

    def ask(self, op: str, on: int | str, *args: Any, kwargs: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """One request to the student; returns its value or raises what the student's code raised."""
        kwargs = kwargs or {}
        self.pickled, self.files, self.keyed = [], [], {}
        encoder = self.encoder()
        message: Message = {"op": op, "on": on, **more, **_numeric_settings()}
        if self.watching:
            message["watch"] = True
        try:
            message["args"] = encoder.encode(args)
            message["kwargs"] = encoder.encode(kwargs)
            self.leaves = self._leaves(args, kwargs)
            if self.leaves:
                message["grads"] = [[number, place] for number, place in _places(self.leaves, args, kwargs)]
            if self.pickled:
                from autograder.engine.gradients import parameters_of  # of torch, which such a test has imported

                left = [[parameter.grad for parameter in parameters_of(value)] for value in self.pickled]
                message["pickled"] = encoder.buffer(pickle.dumps((self.pickled, left)))  # a pickle leaves them out
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

    def _reply(self, message: Message, encoder: Encoder) -> tuple[Message, Decoder]:
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

    def _leaves(self, args: Any, kwargs: Mapping[str, Any]) -> tuple[tuple[int, Any], ...]:
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

    def serve_into(self, request: Message, decoder: Decoder, encoder: Encoder) -> Message:
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

    def _use(self, lent: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
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


def _states(reply: Message) -> list[tuple[Any, Any]]:
    """What a reply says of the things that were lent: keys and states."""
    states = reply.get("after", [])
    if type(states) is not list or not all(type(pair) is list and len(pair) == 2 for pair in states):
        raise WireError("bytes that are no answer")
    return [(key, state) for key, state in states if type(key) in (int, str)]


def _places_in(reply: Message) -> list[int]:
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


def _places(
    leaves: tuple[tuple[int, Any], ...], args: Any, kwargs: Mapping[str, Any]
) -> Iterator[tuple[int, list[Any]]]:
    for number, tensor in leaves:
        for place, value in enumerate(args):
            if value is tensor:
                yield number, [0, place]
        for name, value in kwargs.items():
            if value is tensor:
                yield number, [1, name]


def _numeric_settings() -> Message:
    settings: Message = {}
    if (now := np.geterr()) != {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}:
        settings["errstate"] = {k: v if v in ("ignore", "warn", "raise") else "ignore" for k, v in now.items()}
    if (torch := sys.modules.get("torch")) is not None:
        settings["grad"] = torch.is_grad_enabled()
    return settings


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
