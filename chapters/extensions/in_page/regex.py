r"""Stands in for `regex` in the page: Python's own `re`, with the classes that it lacks or has otherwise.

`\p{L}`, `\p{N}` and other properties of characters become the ranges that `regex` itself gave when the book was built
(`regex_properties.json`), as do `\s` and `\w`, in which `re` has other characters. A property that is not among them is
refused. A pattern that begins with `(?r)` is searched for from the end: `search` gives the last of its matches. What
else is `regex`'s alone (fuzzy matches, sets, its own flags) is not here.
"""

from __future__ import annotations

import functools
import json
import re
from collections import deque
from pathlib import Path
from re import (  # noqa: F401  what has no pattern in it is the same in both
    DOTALL,
    IGNORECASE,
    MULTILINE,
    UNICODE,
    VERBOSE,
    A,
    I,
    M,
    Match,
    Pattern,
    S,
    U,
    X,
    error,
    escape,
)

PROPERTY = re.compile(r"([pP])\{(\^?)(\w+)\}|([pP])(\w)")


@functools.cache
def properties() -> dict[str, str]:
    """Property → the inside of a class of its characters, and `^` with its name → that of all others."""
    return json.loads(Path(__file__).with_name("regex_properties.json").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=500)
def translated(pattern: str) -> str:
    """The pattern as `re` understands it."""
    out, at, within = [], 0, False
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\" and at + 1 < len(pattern):
            inside, at = _class_at(pattern, at)
            out.append(pattern[at - 2 : at] if inside is None else inside if within else f"[{inside}]")
            continue
        if sign == "[" and not within:
            within = True
            out.append(sign)
            at += 1
            for first in "^]":  # a bracket that closes at once is a sign of the class
                if pattern.startswith(first, at):
                    out.append(first if first == "^" else "\\]")
                    at += 1
            continue
        if sign == "]":
            within = False
        out.append(sign)
        at += 1
    return "".join(out)


def _class_at(pattern: str, at: int) -> tuple[str | None, int]:
    """What an escape at this place stands for, or None for one that `re` has as well; and where it ends."""
    kind = pattern[at + 1]
    if kind in "sSwW":
        return properties()[kind if kind.islower() else f"^{kind.lower()}"], at + 2
    found = PROPERTY.match(pattern, at + 1)
    if found is None:
        return None, at + 2
    name = found[3] or found[5]
    if name not in properties():
        known = ", ".join(name for name in properties() if name[0] not in "^sw")
        raise error(f"Python in the page does not know \\p{{{name}}}; it knows {known}", pattern, at)
    turned = ((found[1] or found[4]) == "P") != bool(found[2])
    return properties()[f"^{name}" if turned else name], found.end()


class Backwards:
    """A pattern that is searched for from the end of a text."""

    def __init__(self, pattern: Pattern[str]) -> None:
        self.pattern = pattern

    def search(self, string: str) -> Match[str] | None:
        """The last of its matches."""
        return next(iter(deque(self.pattern.finditer(string), maxlen=1)), None)


def compile(pattern, flags=0):
    """As `re.compile`; a pattern that is compiled already stays what it is."""
    if isinstance(pattern, str) and pattern.startswith("(?r)"):
        return Backwards(compile(pattern.removeprefix("(?r)"), flags))
    if isinstance(pattern, str):
        return re.compile(translated(pattern), flags)
    return re.compile(pattern, flags)


def match(pattern, string, flags=0):
    return compile(pattern, flags).match(string)


def fullmatch(pattern, string, flags=0):
    return compile(pattern, flags).fullmatch(string)


def search(pattern, string, flags=0):
    return compile(pattern, flags).search(string)


def findall(pattern, string, flags=0):
    return compile(pattern, flags).findall(string)


def finditer(pattern, string, flags=0):
    return compile(pattern, flags).finditer(string)


def split(pattern, string, maxsplit=0, flags=0):
    return compile(pattern, flags).split(string, maxsplit)


def sub(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).sub(repl, string, count)


def subn(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).subn(repl, string, count)
