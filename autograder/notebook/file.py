"""Read a notebook from a file that may be anything: of an old format, damaged, hostile.

Only what grading uses is read: each cell's kind, its source, and its nbgrader metadata. Outputs are never looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.errors import SubmissionError
from autograder.files import read_regular
from autograder.text import clean_source

MAX_CELLS = 2_000


@dataclass(frozen=True)
class Cell:
    """One cell of somebody's notebook; `kind` is "code", "markdown" or "raw"."""

    kind: str
    source: str
    nbgrader: dict[str, Any] = field(default_factory=dict)

    @property
    def grade_id(self) -> str:
        """The id that nbgrader knows the cell by, "" for a cell of the student's own."""
        found = self.nbgrader.get("grade_id", "")
        return found if isinstance(found, str) else ""

    @property
    def is_test(self) -> bool:
        return bool(self.nbgrader.get("grade")) and not self.nbgrader.get("solution")


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook file; the error says what is wrong with it, in one line."""
    name = path.name
    text = _text(_bytes(path), name)
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip()) - 1 or "Unterminated" in error.msg
        why = "cut short" if cut else f"line {error.lineno} is not JSON"
        raise SubmissionError(f"{name}: not a readable notebook ({why}): save it again and hand it in") from error
    except (RecursionError, ValueError) as error:
        raise SubmissionError(f"{name}: not a notebook (nested too deeply, or with impossible numbers)") from error
    return cells_in(notebook, name)


def cells_in(notebook: Any, name: str) -> list[Cell]:
    """The cells of a parsed notebook of format 3 or 4."""
    if not isinstance(notebook, dict):
        raise SubmissionError(f"{name}: not a notebook (no cells in it)")
    cells = notebook.get("cells")
    if cells is None and isinstance(sheets := notebook.get("worksheets"), list):  # format 3 and before
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for found in lists if isinstance(found, list) for cell in found]
    if not isinstance(cells, list):
        raise SubmissionError(f"{name}: not a valid notebook (it has no list of cells)")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"{name}: {len(cells)} cells in it, more than {MAX_CELLS}: hand in the exercise notebook")
    return [found for cell in cells if (found := _cell(cell)) is not None]


def _bytes(path: Path) -> bytes:
    content = read_regular(path)
    if not content.strip():
        raise SubmissionError(f"{path.name}: the file is empty: save the notebook and hand it in again")
    return content


def _text(content: bytes, name: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{name}: not a notebook (not UTF-8 text)") from error


def _cell(cell: Any) -> Cell | None:
    if not isinstance(cell, dict):
        return None
    kind = cell.get("cell_type")
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    source = clean_source(source).replace("\r\n", "\n").replace("\r", "\n")
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if kind == "heading":
        kind, source = "markdown", f"# {source}"
    if kind not in ("code", "markdown", "raw"):
        return None
    return Cell(kind, source, nbgrader if isinstance(nbgrader, dict) else {})
