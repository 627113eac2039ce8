"""The misconception bank: wrong solutions by name, and right ones that look different.

A bank file is `tests/misconceptions/<chapter>.py`. Each entry is a function or class marked
`@wrong` or `@right`; its name says what the mistake is. An entry runs as if a student had typed
it into the notebook in place of the exercise, so it is kept as source text, not as an object.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class BankError(Exception):
    """A bank file that cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Entry:
    """One wrong or right solution of one exercise."""

    exercise: str
    name: str
    is_right: bool
    says: str
    hidden: bool
    source: str
    summary: str


def wrong(exercise: str, *, says: str, hidden: bool = False) -> Callable[[T], T]:
    """Mark a wrong solution of `exercise`; the message that rejects it must contain `says`.

    `hidden=True` means that only the hidden tests can tell.
    """
    return lambda solution: solution


def right(exercise: str) -> Callable[[T], T]:
    """Mark a right solution of `exercise` that is written differently from the reference."""
    return lambda solution: solution


def load_bank(path: Path) -> list[Entry]:
    """Read every entry of a bank file, in the order of the file."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BankError(f"{path}: line {error.lineno}: {error.msg}") from error
    entries = [entry for node in tree.body for entry in _entries_of(node, text, path)]
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.exercise, entry.name) in seen:
            raise BankError(f"{path}: {entry.name}: two entries of {entry.exercise} have this name")
        seen.add((entry.exercise, entry.name))
    return entries


def _entries_of(node: ast.stmt, text: str, path: Path) -> list[Entry]:
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return []
    found = []
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="wrong" | "right" as kind), args=[ast.Constant(value=str(exercise))]):
                options = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords if k.arg}
            case _:
                continue
        if kind == "wrong" and not options.get("says"):
            raise BankError(f"{path}: {node.name}: @wrong needs says=..., a part of the message that rejects it")
        found.append(
            Entry(
                exercise=exercise,
                name=node.name,
                is_right=kind == "right",
                says=str(options.get("says", "")),
                hidden=bool(options.get("hidden", False)),
                source=_as_typed_by_a_student(node, exercise, text),
                summary=(ast.get_docstring(node) or "").split("\n")[0],
            )
        )
    return found


def _as_typed_by_a_student(node: ast.FunctionDef | ast.ClassDef, exercise: str, text: str) -> str:
    """The entry's own lines, without the decorators and under the exercise's name."""
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    keyword = "class" if isinstance(node, ast.ClassDef) else "def"
    lines[0] = lines[0].replace(f"{keyword} {node.name}", f"{keyword} {exercise}", 1)
    return "\n".join(lines) + "\n"
