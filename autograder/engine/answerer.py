"""The student's half of the conversation: what the judge calls is called here, and what it lends is used from here.

It lies in the same process as hostile code, so the judge trusts nothing that it says; the other half is
`autograder.engine.caller`.
"""

from __future__ import annotations

import builtins
import collections.abc
import contextlib
import dataclasses
import errno
import inspect
import itertools
import os
import pickle
import random
import socket
import sys
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograder import asking
from autograder.engine.clock import time_limit
from autograder.engine.lent import Callback, RemoteIterator, RemoteObject
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded, Peer
from autograder.engine.raised import error_names, text_of
from autograder.engine.shell import Namespace
from autograder.engine.wire import Decoder, Encoder, Message, Ref, WireError, named_tuple


class Answerer(Peer):
    """How the student's process sees the judge: it is asked for calls, and may call back what it was handed."""

    def __init__(self, connection: socket.socket, limits: Limits, namespace: Namespace, scratch: Path) -> None:
        super().__init__(connection, limits.message)
        self.limits = limits
        self.namespace = namespace
        self.scratch = scratch
        self.objects: dict[int, Any] = {}
        self.numbers = itertools.count(1)
        self.borrowed: list[list[tuple[Any, str, Any]]] = []
        self.pickled: list[Any] = []
        self.replaced: dict[str, Any] = {}  # names that a test has bound anew: what they were
        self.changed: list[int] = []  # the arguments of the last call that are not as they were
        self.classes: set[type] = set()  # those that the judge has made objects of
        self.one_at_a_time = threading.RLock()  # threads of an answer may all use what they were lent

    # References out: objects that stay here.

    def refer(self, value: Any, encoder: Encoder, depth: int) -> list[Any]:
        for kind in (Callback, RemoteIterator, RemoteObject):
            if type(value) is kind:
                return [Ref.BACK, value._number]
        number = self.keep(value)
        traits = "c" if callable(value) else ""
        if isinstance(value, collections.abc.Iterator):
            traits += "i"
        if type(value).__module__ == "__main__" or _is_torch_object(value) or isinstance(value, types.FunctionType):
            traits += "o"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [[f.name, getattr(value, f.name, None)] for f in dataclasses.fields(value)]
            if all(_is_simple(v) for _, v in fields):
                return [Ref.DATACLASS, type(value).__name__, [[n, encoder.encode(v, depth)] for n, v in fields], number]
        return [Ref.HANDLE, number, type(value).__name__, traits]

    def keep(self, value: Any) -> int:
        number = next(self.numbers)
        self.objects[number] = value
        return number

    def encoder(self) -> Encoder:
        return _GradEncoder(self)

    # References in: what the judge lent, and what it hands back.

    def resolve(self, item: list[Any], decoder: Decoder, depth: int) -> Any:
        match item:
            case [Ref.HANDLE, int(number)]:
                return self.objects[number]
            case [Ref.NAME, str(name)]:
                return self._target(name)
            case [Ref.CALLBACK, int(number), str(name)]:
                return Callback(self.use_lent, number, name)
            case [Ref.ITERATOR, int(number)]:
                return RemoteIterator(self.use_lent, number)
            case [Ref.OBJECT, int(number), methods]:
                return RemoteObject(self.use_lent, number, methods)
            case [Ref.PICKLED, int(number)]:
                self.borrowed[-1].append((number, "pickled", self.pickled[number]))
                return self.pickled[number]
            case [Ref.NAMED_TUPLE, str(name), values]:
                return named_tuple(self.namespace.get(name), decoder.items(values, depth))
            case [Ref.DATACLASS, str(name), fields]:
                return self.namespace[name](**{str(key): decoder.decode(value, depth) for key, value in fields})
            case [Ref.GENERATOR, key, str(kind), state]:
                return self._borrow(key, "rng", _generator(kind, decoder.decode(state, depth)))
            case [Ref.RANDOM, key, state]:
                generator = random.Random()
                generator.setstate(_as_state(decoder.decode(state, depth)))
                return self._borrow(key, "prng", generator)
            case [Ref.PATH, str(name)]:
                path = self.scratch / name
                path.parent.mkdir(parents=True, exist_ok=True)
                self.borrowed[-1].append((name, "path", (path, _stamps(path))))
                return path
            case _:
                raise WireError("a reference of no known form")

    def _borrow(self, key: Any, kind: str, value: Any) -> Any:
        for known, _, earlier in self.borrowed[-1]:
            if known == key:
                return earlier
        self.borrowed[-1].append((key, kind, value))
        return value

    def use_lent(self, op: str, number: int, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Ask the judge to do something with what it has lent; raises what that raised over there."""
        with self.one_at_a_time:
            encoder = self.encoder()
            message = {"op": op, "on": number, "args": encoder.encode(args), "kwargs": encoder.encode(kwargs)}
            reply, decoder = self.request(message, encoder)
            if "value" in reply:
                self.borrowed.append([])
                try:
                    return decoder.decode(reply["value"])
                finally:
                    self.borrowed.pop()
        name, text = reply.get("error", ["RuntimeError"])[0], reply.get("text", reply.get("wire", ""))
        if name == "StopIteration":
            raise StopIteration
        kind = getattr(builtins, name, RuntimeError)
        raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(text)

    # Requests.

    def serve_into(self, request: Message, decoder: Decoder, encoder: Encoder) -> Message:
        self.borrowed.append([])
        try:
            self._receive(request, decoder)
            with time_limit(self.limits.call_cpu, self.limits.test), _numeric_context(request):
                value = self._perform(request, decoder)
                if isinstance(value, types.CoroutineType):
                    import asyncio  # a tenth of a second, in a process where hardly anybody needs it

                    value = asyncio.run(value)
            told = {"changed": changed} if (changed := self.changed) else {}
            return {"value": encoder.encode(value), "after": self._after(encoder), **told}
        except WireError:
            raise
        except (EOFError, OSError) as error:
            if isinstance(error, EOFError | BrokenPipeError) and not _alive(self.connection):
                os._exit(0)
            return {"error": names_of(error), "text": text_of(error)[:20_000]}
        except BaseException as error:
            where = asking.line_of(error, self.namespace)
            return {"error": names_of(error), "text": text_of(error)[:20_000], "where": where}
        finally:
            self.borrowed.pop()

    def _receive(self, request: Message, decoder: Decoder) -> None:
        if "pickled" in request:
            from autograder.engine.gradients import parameters_of  # of torch, which the judge has imported

            self.pickled, left = pickle.loads(decoder.buffers[request["pickled"]])
            for value, gradients in zip(self.pickled, left, strict=True):
                for parameter, gradient in zip(parameters_of(value), gradients, strict=True):
                    parameter.grad = gradient
        for name, content in request.get("files", []):
            path = self.scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(decoder.buffers[content])

    def _perform(self, request: Message, decoder: Decoder) -> Any:
        if request["op"] == "backward":
            return self._backward(request, decoder)
        if request["op"] in ("bind", "unbind"):
            return self._bind(str(request["on"]), *decoder.decode(request["args"]))
        if request["op"] == "without":
            names = [name for name in decoder.decode(request["args"])[0] if name in self.namespace]
            self.namespace.update({name: asking.Absent(name) for name in names})
            return None
        target = self._target(request["on"])
        args = decoder.decode(request["args"])
        kwargs = decoder.decode(request["kwargs"])
        for key, place in request.get("grads", []):
            _requires_grad(self, key, _dig(args, kwargs, place))
        self.changed = []
        if request.get("watch"):
            given = [*args, *kwargs.values()]
            watch = asking.LocalWatch([asking.copied(value) for value in given], given)
            value = self._use(request, target, args, kwargs)
            self.changed = watch.changed()
            return value
        return self._use(request, target, args, kwargs)

    def _use(self, request: Message, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        match request["op"]:
            case "call":
                if isinstance(target, type) and issubclass(target, CONTAINERS):
                    self.classes.add(target)
                return target(*args, **kwargs)
            case "value":
                return target
            case "describe":
                return _describe(target, args[0])
            case "get":
                found = getattr(target, args[0])
                return _Method() if callable(found) and not _is_torch_object(found) else found
            case "set":
                setattr(target, args[0], args[1])
                return None
            case "method":
                return getattr(target, args[0])(*args[1:], **kwargs)
            case "special":
                return SPECIAL[request["name"]](target, *args)
            case _:
                raise WireError("a request of no known kind")

    def _bind(self, name: str, *value: Any) -> None:
        """A test binds one of the notebook's names anew, or deletes it; what the judge holds stays what it was."""
        if name in self.namespace:
            self.replaced.setdefault(name, self.namespace.pop(name))
        if value:
            self.namespace[name] = value[0]
        else:
            self.namespace.pop(name, None)

    def _target(self, on: Any) -> Any:
        if isinstance(on, str):
            if on in self.replaced:
                return self.replaced[on]
            if on not in self.namespace:
                raise NameError(f"name {on!r} is not defined")
            return self.namespace[on]
        return self.objects[on]

    def _backward(self, request: Message, decoder: Decoder) -> Any:
        leaves = [self.objects[number] for number in request["leaves"]]
        for leaf in leaves:
            leaf.grad = None
        gradient = decoder.decode(request["args"])
        self.objects[request["on"]].backward(gradient, retain_graph=True)
        return [leaf.grad for leaf in leaves]

    def _after(self, encoder: Encoder) -> list[Any]:
        """The state of everything that was lent for this call."""
        states = []
        for key, kind, value in self.borrowed[-1]:
            if kind == "rng":
                states.append([key, encoder.encode(value.bit_generator.state)])
            elif kind == "prng":
                states.append([key, encoder.encode(value.getstate())])
            elif kind == "pickled":
                states.append([key, encoder.encode(torch_state(value))])
            elif kind == "path":
                path, before = value
                changed = {n: (path / n).read_bytes() for n, s in _stamps(path).items() if before.get(n) != s}
                states.append([key, encoder.encode(changed)])
        return states


class _GradEncoder(Encoder):
    """Marks tensors that carry a gradient, so that `backward` on the judge's side can come back here."""

    def __init__(self, side: Answerer) -> None:
        super().__init__(side.refer, side.limit)
        self.side = side

    def encode(self, value: Any, depth: int = 0) -> Any:
        return None if type(value) is _Method and depth else super().encode(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if type(value) is _Method:
            return [Ref.METHOD]
        if type(value) in self.side.classes:  # it has methods of its own: not the plain list or dict that it is, too
            return self.side.refer(value, self, depth)
        return super()._other(value, depth)

    def _tensor(self, tensor: Any, torch: Any, depth: int) -> Any:
        item = super()._tensor(tensor, torch, depth)
        if tensor.requires_grad and tensor.grad_fn is not None and item[0] == "T":
            return [Ref.GRADIENT, self.side.keep(tensor), item]
        return item


CONTAINERS = (dict, list, set, tuple)


class _Method:
    """Stands for an attribute that is to be called."""


def _describe(target: Any, what: str) -> Any:
    """What `inspect` and a reader ask of a function or a class: its name, its docstring, its parameters."""
    if what != "signature":
        return getattr(target, f"__{what}__", None)
    found = []
    for p in inspect.signature(target).parameters.values():
        has = p.default is not inspect.Parameter.empty
        found.append([p.name, int(p.kind), has, p.default if has else None])
    return found


def _requires_grad(side: Answerer, key: int, tensor: Any) -> None:
    side.objects[key] = tensor


def _dig(args: Any, kwargs: Any, place: list[Any]) -> Any:
    return args[place[1]] if place[0] == 0 else kwargs[place[1]]


def _is_torch_object(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module | torch.optim.Optimizer)


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | bytes | tuple | list | dict | np.ndarray)


def torch_state(value: Any) -> Mapping[str, Any]:
    """Weights, gradients and modes of a module, or the state of an optimiser with its parameters."""
    torch = sys.modules["torch"]
    if isinstance(value, torch.nn.Module):
        return {
            "state": dict(value.state_dict()),
            "grads": {name: p.grad for name, p in value.named_parameters() if p.grad is not None},
            "training": {name: m.training for name, m in value.named_modules()},
            "requires": {name: p.requires_grad for name, p in value.named_parameters()},
        }
    parameters = [p for group in value.param_groups for p in group["params"]]
    return {"optimiser": value.state_dict(), "parameters": [p.detach() for p in parameters]}


SOME_SEED = np.random.SeedSequence(0)  # of no consequence; without one, the system is asked for chance


def _generator(kind: str, state: Any) -> np.random.Generator:
    bits = getattr(np.random, kind)(SOME_SEED)
    bits.state = state
    return np.random.Generator(bits)


def _as_state(value: Any) -> Any:
    return tuple(_as_state(v) for v in value) if isinstance(value, list | tuple) else value


def _stamps(path: Path) -> dict[str, tuple[int, int]]:
    """Time and size of a file, or of every file in a folder, by the name under `path`."""
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path] if path.is_file() else []
    found = {}
    for file in files:
        status = file.stat()
        found[file.relative_to(path).as_posix() if file != path else ""] = (status.st_mtime_ns, status.st_size)
    return found


def _numeric_context(request: Message) -> contextlib.AbstractContextManager[Any]:
    """The judge's settings for numpy's warnings and torch's gradients."""
    torch = sys.modules.get("torch")
    if "errstate" not in request and (torch is None or request.get("grad") == torch.is_grad_enabled()):
        return NOTHING_TO_SET
    stack = contextlib.ExitStack()
    stack.enter_context(np.errstate(**request.get("errstate", {})))
    if torch is not None and "grad" in request:
        stack.enter_context(torch.set_grad_enabled(bool(request["grad"])))
    return stack


NOTHING_TO_SET = contextlib.nullcontext()

SPECIAL: dict[str, Callable[..., Any]] = {
    "len": len,
    "getitem": lambda o, k: o[k],
    "setitem": lambda o, k, v: o.__setitem__(k, v),
    "delitem": lambda o, k: o.__delitem__(k),
    "contains": lambda o, k: k in o,
    "iter": iter,
    "next": lambda o: _next(o),
    "enter": lambda o: o.__enter__(),
    "exit": lambda o: o.__exit__(None, None, None),
    "str": str,
    "repr": repr,
    "bool": bool,
}


class EndedError(Exception):
    """The end of an iterator, told apart from a StopIteration that the student's code raised itself."""


def _next(iterator: Any) -> Any:
    try:
        return next(iterator)
    except StopIteration:
        raise EndedError from None


def _alive(connection: socket.socket) -> bool:
    try:
        return bool(connection.send(b"", socket.MSG_DONTWAIT) == 0)
    except OSError:
        return False


def serve(connection: socket.socket, limits: Limits, namespace: Namespace, scratch: Path) -> None:
    """Answer the judge until it hangs up."""
    side = Answerer(connection, limits, namespace, scratch)
    sys.stdout = sys.stderr = Bounded(0)  # what is printed while a test runs is shown to nobody
    connection.sendall(b"R")  # ready
    try:
        while True:
            request, decoder = side.next_message()
            side.answer(request, decoder)
    except (EOFError, OSError):
        return


def names_of(error: BaseException) -> list[str]:
    """The kinds of an exception; the system's word for too little memory is one of ours, too."""
    names = error_names(error)
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return ["MemoryError", *names]
    return names
