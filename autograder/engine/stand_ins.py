"""What a test holds in place of a student's objects and functions: what is done to one is asked of the student.

A `Handle` can be called, its attributes read, its items iterated; it refuses comparison, truth, arithmetic and
conversion, so that an object that claims to equal everything is of no use.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, Protocol


class Asks(Protocol):
    """What a stand-in needs of the judge's half of the conversation: `autograder.engine.caller.Caller` is that."""

    calling: str

    def ask(self, op: str, on: int | str, *args: Any, kwargs: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The value, or what the student's code raised."""


@dataclasses.dataclass(frozen=True)
class _About:
    side: Asks
    on: int | str
    kind: str
    traits: str
    source: str

    @property
    def number(self) -> int:
        assert isinstance(self.on, int)
        return self.on


METHOD = object()


def about_of(stand_in: Any) -> _About:
    """What it stands for, which the test itself cannot see."""
    return object.__getattribute__(stand_in, "_about")  # type: ignore[no-any-return]


def _refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    about = about_of(self)
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

    def __init__(self, side: Asks, number: int, kind: str, traits: str, source: str) -> None:
        object.__setattr__(self, "_about", _About(side, number, kind, traits, source))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        about = about_of(self)
        return about.side.ask("call", about.on, *args, kwargs=kwargs)

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        about = about_of(self)
        about.side.ask("set", about.on, name, value)

    def __len__(self) -> int:
        length = _special(self, "len")
        if type(length) is not int or length < 0:
            raise TypeError(f"len() of a `{about_of(self).kind}` gave {length!r}: expected a count")
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
        return f"<a {about_of(self).kind}>"

    __repr__ = __str__


class Name:
    # A graded name of the notebook: the student's function, class or value. (Its docstring is the answer's.)

    __slots__ = ("_about",)

    def __init__(self, side: Asks, name: str) -> None:
        object.__setattr__(self, "_about", _About(side, name, name, "co", name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        about = about_of(self)
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
        return _signature(_described(self, "signature"), about_of(self).source)

    def __str__(self) -> str:
        return f"<the notebook's {about_of(self).kind}>"

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
        about = about_of(self._owner)
        return about.side.ask("method", about.on, self._name, *args, kwargs=kwargs)


def _described(stand_in: Any, what: str) -> Any:
    about = about_of(stand_in)
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
    about = about_of(stand_in)
    value = about.side.ask("get", about.on, name)
    return Method(stand_in, name) if value is METHOD else value


def _special(stand_in: Any, name: str, *args: Any) -> Any:
    about = about_of(stand_in)
    return about.side.ask("special", about.on, *args, name=name)


def _iterate(stand_in: Any) -> Iterator[Any]:
    about = about_of(stand_in)
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
