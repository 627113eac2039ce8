"""What an answer holds in place of the judge's objects that it was handed: each use of one is asked of the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.engine.answerer import Answerer


class Lent:
    """Something of the judge's, used from here."""

    def __init__(self, side: Answerer, number: int) -> None:
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


class Callback(Lent):
    def __init__(self, side: Answerer, number: int, name: str) -> None:
        super().__init__(side, number)
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", *args, **kwargs)


class RemoteIterator(Lent):
    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self._ask("next")


class RemoteObject(Lent):
    """An object of the judge's: its public methods and plain attributes."""

    def __init__(self, side: Answerer, number: int, methods: list[str]) -> None:
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
