"""The misconception bank: wrong solutions by name, and right ones that look different.

A bank file is `tests/misconceptions/<chapter>.py`. Each entry is a function or class marked
`@wrong` or `@right`; its name says what the mistake is. An entry runs as if a student had typed
it into the notebook in place of the exercise, so it is kept as source text, not as an object.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autograder.notebook.source import solution_cells

T = TypeVar("T")


class BankError(Exception):
    """A bank file that cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Entry:
    """One wrong or right solution of one exercise."""

    exercise: str
    name: str
    is_right: bool
    hidden: bool
    source: str
    summary: str


def wrong(exercise: str, *, hidden: bool = False) -> Callable[[T], T]:
    """Mark a wrong solution of `exercise`; its docstring is what a student is told who makes the same mistake.

    `hidden=True` means that only the hidden questions can tell.
    """
    return lambda solution: solution


def edit(exercise: str, message: str, *changes: tuple[str, str], hidden: bool = False, right: bool = False) -> None:
    """A wrong solution that is a small change to the reference: each `(old, new)` replaces lines that stand there once.

    Written as `name = edit(…)`: the name says what the mistake is, `message` is what a student is told. With
    `right=True` it is a right solution that looks different.
    """


def right(exercise: str) -> Callable[[T], T]:
    """Mark a right solution of `exercise` that is written differently from the reference."""
    return lambda solution: solution


def references(path: Path) -> dict[str, str]:
    """The solution cells of the chapter that a bank file (`tests/misconceptions/<chapter>.py`) belongs to."""
    sources = sorted((path.parents[2] / "solutions" / path.stem).glob("*.py"))
    return {name: source for each in sources for name, source in solution_cells(each).items()}


def load_bank(path: Path) -> list[Entry]:
    """Read every entry of a bank file, in the order of the file."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BankError(f"{path}: line {error.lineno}: {error.msg}") from error
    solutions = references(path)
    entries = [entry for node in tree.body for entry in _entries_of(node, text, path, solutions)]
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.exercise, entry.name) in seen:
            raise BankError(f"{path}: {entry.name}: two entries of {entry.exercise} have this name")
        seen.add((entry.exercise, entry.name))
    return entries


def _entries_of(node: ast.stmt, text: str, path: Path, solutions: Mapping[str, str]) -> list[Entry]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="edit")) as call):
            return [_edited(name, call, path, solutions)]
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return []
    found = []
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="wrong" | "right" as kind), args=[ast.Constant(value=str(exercise))]):
                options = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords if k.arg}
            case _:
                continue
        if kind == "wrong" and not ast.get_docstring(node):
            raise BankError(f"{path}: {node.name}: a wrong entry needs a docstring: what to tell who makes the mistake")
        found.append(
            Entry(
                exercise=exercise,
                name=node.name,
                is_right=kind == "right",
                hidden=bool(options.get("hidden", False)),
                source=_as_typed_by_a_student(node, exercise, text),
                summary=" ".join((ast.get_docstring(node) or "").split()),
            )
        )
    return found


def _edited(name: str, call: ast.Call, path: Path, solutions: Mapping[str, str]) -> Entry:
    """An entry that changes the reference."""
    try:
        exercise, message, *changes = (ast.literal_eval(arg) for arg in call.args)
        options = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except ValueError as error:
        raise BankError(f"{path}: {name}: edit takes an exercise, a message and pairs of text") from error
    if exercise not in solutions:
        raise BankError(f"{path}: {name}: there is no exercise {exercise!r}")
    source = solutions[exercise]
    for old, new in changes:
        if source.count(old) != 1:
            raise BankError(f"{path}: {name}: {old!r} stands {source.count(old)} times in the reference, not once")
        source = source.replace(old, new)
    is_right = bool(options.get("right", False))
    return Entry(exercise, name, is_right, bool(options.get("hidden", False)), source, message)


def _as_typed_by_a_student(node: ast.FunctionDef | ast.ClassDef, exercise: str, text: str) -> str:
    """The entry's own lines, without the decorators and under the exercise's name."""
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    keyword = "class" if isinstance(node, ast.ClassDef) else "def"
    lines[0] = lines[0].replace(f"{keyword} {node.name}", f"{keyword} {exercise}", 1)
    return "\n".join(lines) + "\n"
