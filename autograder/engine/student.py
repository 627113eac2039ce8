"""The student's process: runs the student's cells, and at each test lets a snapshot of itself answer the judge.

Everything here lies in the same process as hostile code, so nothing here is trusted by anybody: the judge checks what
arrives, and the engine kills what takes too long. For honest code it keeps one test's effects from the next one and
turns an endless loop into a message.
"""

from __future__ import annotations

import ast
import collections.abc
import contextlib
import dataclasses
import errno
import functools
import gc
import inspect
import itertools
import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autograder import asking
from autograder.engine.clock import TookTooLong, hear_the_clock, time_limit
from autograder.engine.limits import Limits
from autograder.engine.peer import Bounded, Peer, error_names, text_of
from autograder.engine.wire import Decoder, Encoder, WireError, named_tuple

GRACE = 0.2  # seconds for a snapshot to leave after its test


# ---- cells


def make_shell(namespace: dict[str, Any] | None = None) -> Any:
    """An IPython shell without a terminal, a history or a trace on the screen; magics and top-level await work.

    It takes a while to make, so the warm parent makes it, and every student inherits it with an empty `__main__`. A
    judge makes one on its own `namespace`, for a course that uses magics in its own cells.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.profiledir import ProfileDir
    from traitlets.config import Config

    module = types.ModuleType("__main__")
    if namespace is None:
        sys.modules["__main__"] = module
        namespace = module.__dict__
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    with tempfile.TemporaryDirectory(prefix="autograder-shell-") as folder:
        shell = InteractiveShell(
            config=config,
            ipython_dir=folder,
            profile_dir=ProfileDir.create_profile_dir(folder),
            user_module=module,
            user_ns=namespace,
        )
    InteractiveShell._instance = shell
    quiet: Callable[..., None] = lambda *a, **k: None  # noqa: E731
    shell.enable_gui = quiet
    shell.system = functools.partial(_run_command, shell)
    shell.showtraceback = shell.showsyntaxerror = shell.showindentationerror = shell._showtraceback = quiet
    shell.transform_cell = functools.partial(_as_python, shell, shell.transform_cell)
    shell.run_cell("None", store_history=False, silent=False)  # its first cell imports more
    return shell


def _as_python(shell: Any, transform: Callable[[str], str], source: str) -> str:
    """A cell with its magics as calls. What is Python already has none, which is told sooner than by its tokens."""
    if not shell.input_transformers_post:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            ast.parse(source)
            return source if source.endswith("\n") else source + "\n"
    return transform(source)


def _run_command(shell: Any, command: str) -> None:
    """`!command`, with its output in the cell; IPython's own way needs a terminal."""
    done = subprocess.run(
        ["/bin/sh", "-c", shell.var_expand(command, depth=1)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    print(done.stdout.decode("utf-8", "replace"), end="")
    shell.user_ns["_exit_code"] = done.returncode


def run_cell(shell: Any, source: str, limits: Limits) -> dict[str, str]:
    """Run one cell; says what it printed and, where it failed, with which error."""
    out = Bounded(limits.output)
    error = ""
    message = ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            hear_the_clock()
            with time_limit(limits.cell_cpu, limits.cell):
                result = shell.run_cell(source, store_history=False, silent=False)
                failed = result.error_before_exec or result.error_in_exec
            if isinstance(failed, TookTooLong):  # the shell catches this, too
                raise failed
            if failed is not None:
                error, message = names_of(failed)[0], text_of(failed)
            result = failed = shell.last_execution_result = None  # an error holds on to all that its frames held
        except TookTooLong as late:
            error, message = "TookTooLong", f"this cell took {late}: is there a loop that does not end?"
        except BaseException as raised:
            error, message = names_of(raised)[0], text_of(raised)
    record = {"error": error, "message": message[: limits.output], "printed": out.text()}
    if out.total > 50 * limits.output:
        record["flood"] = str(out.total)
    return record


def names_of(error: BaseException) -> list[str]:
    """The kinds of an exception; the system's word for too little memory is one of ours, too."""
    names = error_names(error)
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return ["MemoryError", *names]
    return names


# ---- answering the judge


class JudgeSide(Peer):
    """How the student's process sees the judge: it is asked for calls, and may call back what it was handed."""

    def __init__(self, connection: socket.socket, limits: Limits, namespace: dict[str, Any], scratch: Path) -> None:
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
        for kind in (_Callback, _RemoteIterator, _RemoteObject):
            if type(value) is kind:
                return ["back", value._number]
        number = self.keep(value)
        traits = "c" if callable(value) else ""
        if isinstance(value, collections.abc.Iterator):
            traits += "i"
        if type(value).__module__ == "__main__" or _is_torch_object(value) or isinstance(value, types.FunctionType):
            traits += "o"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [[f.name, getattr(value, f.name, None)] for f in dataclasses.fields(value)]
            if all(_is_simple(v) for _, v in fields):
                return ["dc", type(value).__name__, [[n, encoder.encode(v, depth)] for n, v in fields], number]
        return ["h", number, type(value).__name__, traits]

    def keep(self, value: Any) -> int:
        number = next(self.numbers)
        self.objects[number] = value
        return number

    def encoder(self) -> Encoder:
        return _GradEncoder(self)

    # References in: what the judge lent, and what it hands back.

    def resolve(self, item: list[Any], decoder: Decoder, depth: int) -> Any:
        match item:
            case ["h", int(number)]:
                return self.objects[number]
            case ["nm", str(name)]:
                return self._target(name)
            case ["cb", int(number), str(name)]:
                return _Callback(self, number, name)
            case ["it", int(number)]:
                return _RemoteIterator(self, number)
            case ["ob", int(number), methods]:
                return _RemoteObject(self, number, methods)
            case ["pk", int(number)]:
                self.borrowed[-1].append((number, "pickled", self.pickled[number]))
                return self.pickled[number]
            case ["np", str(name), values]:
                return named_tuple(self.namespace.get(name), decoder.items(values, depth))
            case ["dc", str(name), fields]:
                return self.namespace[name](**{str(key): decoder.decode(value, depth) for key, value in fields})
            case ["rng", key, str(kind), state]:
                return self._borrow(key, "rng", _generator(kind, decoder.decode(state, depth)))
            case ["prng", key, state]:
                import random

                generator = random.Random()
                generator.setstate(_as_state(decoder.decode(state, depth)))
                return self._borrow(key, "prng", generator)
            case ["p", str(name)]:
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

    # Requests.

    def serve_into(self, request: dict[str, Any], decoder: Decoder, encoder: Encoder) -> dict[str, Any]:
        self.borrowed.append([])
        try:
            self._receive(request, decoder)
            with time_limit(self.limits.call_cpu, self.limits.test), _numeric_context(request):
                value = self._perform(request, decoder)
                if isinstance(value, types.CoroutineType):
                    import asyncio

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

    def _receive(self, request: dict[str, Any], decoder: Decoder) -> None:
        if "pickled" in request:
            from autograder.engine.gradients import parameters_of

            self.pickled, left = pickle.loads(decoder.buffers[request["pickled"]])
            for value, gradients in zip(self.pickled, left, strict=True):
                for parameter, gradient in zip(parameters_of(value), gradients, strict=True):
                    parameter.grad = gradient
        for name, content in request.get("files", []):
            path = self.scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(decoder.buffers[content])

    def _perform(self, request: dict[str, Any], decoder: Decoder) -> Any:
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

    def _use(self, request: dict[str, Any], target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
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

    def _backward(self, request: dict[str, Any], decoder: Decoder) -> Any:
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

    def __init__(self, side: JudgeSide) -> None:
        super().__init__(side.refer, side.limit)
        self.side = side

    def encode(self, value: Any, depth: int = 0) -> Any:
        return None if type(value) is _Method and depth else super().encode(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if type(value) is _Method:
            return ["m"]
        if type(value) in self.side.classes:  # it has methods of its own: not the plain list or dict that it is, too
            return self.side.refer(value, self, depth)
        return super()._other(value, depth)

    def _tensor(self, tensor: Any, torch: Any, depth: int) -> Any:
        item = super()._tensor(tensor, torch, depth)
        if tensor.requires_grad and tensor.grad_fn is not None and item[0] == "T":
            return ["Tg", self.side.keep(tensor), item]
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


def _requires_grad(side: JudgeSide, key: int, tensor: Any) -> None:
    side.objects[key] = tensor


def _dig(args: Any, kwargs: Any, place: list[Any]) -> Any:
    return args[place[1]] if place[0] == 0 else kwargs[place[1]]


def _is_torch_object(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module | torch.optim.Optimizer)


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | bytes | tuple | list | dict | np.ndarray)


def torch_state(value: Any) -> dict[str, Any]:
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


def _numeric_context(request: dict[str, Any]) -> contextlib.AbstractContextManager[Any]:
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


class _Lent:
    """Something of the judge's, used from here."""

    def __init__(self, side: JudgeSide, number: int) -> None:
        self._side = side
        self._number = number

    def _ask(self, op: str, *args: Any, **kwargs: Any) -> Any:
        with self._side.one_at_a_time:
            return self._exchange(op, args, kwargs)

    def _exchange(self, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        encoder = self._side.encoder()
        message = {"op": op, "on": self._number, "args": encoder.encode(args), "kwargs": encoder.encode(kwargs)}
        reply, decoder = self._side.request(message, encoder)
        if "value" in reply:
            self._side.borrowed.append([])
            try:
                return decoder.decode(reply["value"])
            finally:
                self._side.borrowed.pop()
        name, text = reply.get("error", ["RuntimeError"])[0], reply.get("text", reply.get("wire", ""))
        if name == "StopIteration":
            raise StopIteration
        kind = getattr(__import__("builtins"), name, RuntimeError)
        raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(text)


class _Callback(_Lent):
    def __init__(self, side: JudgeSide, number: int, name: str) -> None:
        super().__init__(side, number)
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", *args, **kwargs)


class _RemoteIterator(_Lent):
    def __iter__(self) -> _RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self._ask("next")


class _RemoteObject(_Lent):
    """An object of the judge's: its public methods and plain attributes."""

    def __init__(self, side: JudgeSide, number: int, methods: list[str]) -> None:
        super().__init__(side, number)
        self._methods = frozenset(methods)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._methods:
            return lambda *args, **kwargs: self._ask("method", name, *args, **kwargs)
        return self._ask("get", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("method", "__call__", *args, **kwargs)

    def __iter__(self) -> Any:
        return self._ask("method", "__iter__")

    def __len__(self) -> int:
        return int(self._ask("method", "__len__"))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("method", "__getitem__", key)


def _alive(connection: socket.socket) -> bool:
    try:
        return bool(connection.send(b"", socket.MSG_DONTWAIT) == 0)
    except OSError:
        return False


def serve(connection: socket.socket, limits: Limits, namespace: dict[str, Any], scratch: Path) -> None:
    """Answer the judge until it hangs up."""
    side = JudgeSide(connection, limits, namespace, scratch)
    sys.stdout = sys.stderr = Bounded(0)  # what is printed while a test runs is shown to nobody
    connection.sendall(b"R")  # ready
    try:
        while True:
            request, decoder = side.next_message()
            side.answer(request, decoder)
    except (EOFError, OSError):
        return


# ---- the whole notebook


def run_notebook(
    shell: Any, job: dict[str, Any], report: socket.socket, tests: list[socket.socket], scratch: Path
) -> None:
    """Run cells in order; at the place of each test, a snapshot of this process answers its calls.

    A test that nothing comes after needs no snapshot.
    """
    limits = Limits(**job["limits"])
    namespace = sys.modules["__main__"].__dict__
    connections = iter(tests)
    last = len(job["items"]) - 1
    done: list[dict[str, str]] = []  # what the cell before did is told along with what comes next
    for place, item in enumerate(job["items"]):
        if item["kind"] == "cell":
            _tell(report, *done, {"started": item["id"]})
            done = [{"id": item["id"], **run_cell(shell, item["source"], limits)}]
            continue
        _tell(report, *done)
        done = []
        connection = next(connections)
        if item["id"] in job["done"]:
            pass
        elif place == last:
            hear_the_clock()
            serve(connection, limits, namespace, scratch)
        else:
            _let_a_snapshot_answer(connection, limits, namespace, scratch, report)
        connection.close()
    _tell(report, *done, {"ended": True})


def _tell(report: socket.socket, *records: dict[str, Any]) -> None:
    report.sendall(b"".join(json.dumps(record).encode("ascii") + b"\n" for record in records))


def _set_memory_aside(limits: Limits) -> None:
    """Let no collector of a snapshot's touch, and so copy, what is there by now; garbage first, or it would stay."""
    with contextlib.suppress(TookTooLong), time_limit(limits.call_cpu, limits.cell):
        gc.collect()
    gc.freeze()


def _let_a_snapshot_answer(
    connection: socket.socket, limits: Limits, namespace: dict[str, Any], scratch: Path, report: socket.socket
) -> None:
    hear_the_clock()
    _set_memory_aside(limits)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        report.close()
        with contextlib.suppress(BaseException):
            serve(connection, limits, namespace, scratch)
        os._exit(0)
    watch = select.poll()
    descriptor = os.pidfd_open(pid)
    try:
        watch.register(descriptor, select.POLLIN)
        watch.register(connection, select.POLLHUP | select.POLLRDHUP)
        while not any(number == descriptor for number, _ in watch.poll()):
            watch.unregister(connection)  # the judge has hung up
            if not watch.poll(GRACE * 1000):
                os.kill(pid, signal.SIGKILL)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # what it has forked ends with its test
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
