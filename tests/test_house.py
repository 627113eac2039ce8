"""The rooms of the package stand one above the other: what a room imports lies below it, wherever that is written.

A room is a file or a folder of `autograder/`. An import inside a function, or for the types alone, counts as any does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autograder"

# From the ground up. A new room gets its place here, and with it what it may know of.
ROOMS = (
    "errors", "text", "folders",
    "plain", "hints", "asking",  # what a student's notebook carries
    "examples",
    "files", "scratch", "results",
    "notebook",
    "engine",
    "handed_in", "lms",
    "report",
    "nbgrader",
    "course",
    "grading",
    "plugin", "commands",  # the two doors: nbgrader's, and a terminal
)  # fmt: skip

# A platform's file knows both how its zip is read and how its sheet is written, so the readers of what was handed in
# ask it, and it stands on their safe files.
TOGETHER = {frozenset({"handed_in", "lms"})}

# An `nbgrader_config.py` that somebody has copied names an address of before, and nbgrader goes on, with its own kernel
# and no wall, where its configuration cannot be read.
KEPT = ("nbgrader.configuration", "plugin")


def arrows() -> Iterator[tuple[str, str]]:
    """Which file of the package imports which: names from `autograder.` on, as in `engine.judge`."""
    files = {file_name(path): path for path in PACKAGE.rglob("*.py")}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path.name}: a relative import: write where from"
                found = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in (one.removeprefix("autograder.") for one in found if one.startswith("autograder.")):
                known = target if target in files else target.rpartition(".")[0]
                if known in files and known != name and (name, known) != KEPT:
                    yield name, known


def file_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_every_room_has_its_place() -> None:
    there = {room_of(file_name(path)) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert there == set(ROOMS), "name a new room in ROOMS, above all that it imports"


def test_no_arrow_runs_up() -> None:
    floor = {room: number for number, room in enumerate(ROOMS)}
    up = {
        (one, other)
        for one, other in arrows()
        if floor[room_of(one)] < floor[room_of(other)] and frozenset({room_of(one), room_of(other)}) not in TOGETHER
    }
    assert sorted(up) == [], "these import from a room above their own"


def test_no_file_imports_itself_by_way_of_others() -> None:
    """A circle of files, in whatever room: what is left when every file without an arrow in or out is taken away."""
    left, before = set(arrows()), 0
    while len(left) != before:
        before = len(left)
        importing, imported = {one for one, _ in left}, {other for _, other in left}
        left = {(one, other) for one, other in left if other in importing and one in imported}
    assert sorted(left) == []


@pytest.mark.parametrize("room", ["plain", "hints", "asking"])
def test_what_a_notebook_carries_knows_only_what_it_carries(room: str) -> None:
    carried = ("plain", "hints", "asking")
    assert {other for one, other in arrows() if one == room} <= set(carried[: carried.index(room)])


def test_signatures_say_more_than_dict_of_anything() -> None:
    """`dict[str, Any]` has a name where JSON comes in or goes out, and stands in no signature."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                taken = [argument.annotation for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
                said = [ast.unparse(one) for one in (*taken, node.returns) if one is not None]
                found += [f"{file_name(path)}: {node.name}" for one in said if "dict[str, Any]" in one]
    assert found == []
