"""The known mistakes of the notebooks that are solved in the page, a file each, loaded when a reader gives examples.

Packed, so that nobody reads by chance what is behind the last door: base64 of the zlib of JSON,
    {exercise: {"reference": source, "wrong": [[source, message], …]}}
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autograder.course.bank import Entry, load_bank, references
from autograder.course.course import Course


def packed(solutions: Mapping[str, str], bank: Sequence[Entry], exercises: Iterable[str]) -> str:
    """The reference and the wrong solutions of these exercises."""
    found = {
        name: {
            "reference": solutions[name],
            "wrong": [[one.source, one.summary] for one in bank if one.exercise == name and not one.is_right],
        }
        for name in sorted(exercises)
    }
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def copy_into(folder: Path, root: Path, solved: Mapping[str, Iterable[str]]) -> None:
    """Write `banks/attention-weights.txt` and its like; `solved` has the exercises of each notebook of the site."""
    course, to = Course(root), folder / "banks"
    to.mkdir(exist_ok=True)
    for chapter in sorted({notebook.partition("/")[0] for notebook in solved}):
        path = course.bank(chapter)
        solutions, bank = references(path), load_bank(path)
        for notebook in (name for name in solved if name.startswith(f"{chapter}/")):
            text = packed(solutions, bank, solved[notebook])
            (to / f"{notebook.replace('/', '-')}.txt").write_text(text, encoding="utf-8")
