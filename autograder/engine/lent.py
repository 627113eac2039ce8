"""What an answer holds in place of the judge's objects that it was handed: each use of one is asked of the judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# How a use is asked: what is done, the number of the thing it is done to, and the arguments.
Use = Callable[[str, int, Sequence[Any], Mapping[str, Any]], Any]


class Lent:
    """Something of the judge's, used from here."""

    def __init__(self, use: Use, number: int) -> None:
        self._use = use
        self._number = number

    def _ask(self, op: str, *args: Any, **kwargs: Any) -> Any:
        return self._use(op, self._number, args, kwargs)


class Callback(Lent):
    def __init__(self, use: Use, number: int, name: str) -> None:
        super().__init__(use, number)
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

    def __init__(self, use: Use, number: int, methods: list[str]) -> None:
        super().__init__(use, number)
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
