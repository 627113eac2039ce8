"""Read a notebook from a file that may be anything: of an old format, damaged, hostile.

Only what grading uses is read: each cell's kind, its source, and its nbgrader metadata. Outputs are never looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

from autograder.errors import SubmissionError
from autograder.files import MAX_NOTEBOOK, read_regular
from autograder.text import clean_source

MAX_CELLS = 2_000
MAX_WITH_OUTPUTS = 100 * 2**20  # bytes of a notebook that may be a small one with large outputs
MOST_CELLS = 20_000  # in such a one: each costs memory while it is read
CellJson = dict[str, Any]  # a cell of a notebook of format 4, as its file has it


class About(TypedDict, total=False):
    """What nbgrader's metadata say of a cell. Of a submission's, only the `grade_id` is looked at."""

    grade_id: str
    grade: bool
    solution: bool
    task: bool
    locked: bool
    points: float
    schema_version: int
    cell_type: str
    without: list[str]  # helpers that are not there while this test runs


@dataclass(frozen=True)
class Cell:
    """One cell of somebody's notebook; `kind` is "code", "markdown" or "raw"."""

    kind: str
    source: str
    nbgrader: About = field(default_factory=About)

    @property
    def grade_id(self) -> str:
        """The id that nbgrader knows the cell by, "" for a cell of the student's own."""
        found = self.nbgrader.get("grade_id", "")
        return found if isinstance(found, str) else ""

    @property
    def is_test(self) -> bool:
        return bool(self.nbgrader.get("grade")) and not self.nbgrader.get("solution")


def read_cells(path: Path, most: int = MAX_NOTEBOOK) -> list[Cell]:
    """The cells of a notebook file; the error says what is wrong with it, in one line.

    With `most`, the file may be larger than a notebook by its outputs, which are left out before it is read.
    """
    name = path.name
    text = _text(_bytes(path, most), name)
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


def _bytes(path: Path, most: int) -> bytes:
    content = read_regular(path, most)
    if len(content) > MAX_NOTEBOOK:
        slim = without_outputs(content)
        if slim is None or len(slim) > MAX_NOTEBOOK:
            raise SubmissionError(f"{path.name}: larger than {MAX_NOTEBOOK // 2**20} MiB: leave out data and outputs")
        return slim
    if not content.strip():
        raise SubmissionError(f"{path.name}: the file is empty: save the notebook and hand it in again")
    return content


def without_outputs(content: bytes) -> bytes | None:
    """A notebook of format 4 without its outputs; None where it is none.

    Only cells' kinds, sources and metadata are made into objects: what is left out costs no memory.
    """
    import msgspec

    raw = msgspec.Raw
    empty = ("metadata", raw, raw(b"{}"))
    cell = msgspec.defstruct("Cell", [("cell_type", raw), ("source", raw, raw(b'""')), empty])
    form = [("nbformat", raw, raw(b"4")), ("nbformat_minor", raw, raw(b"0")), empty]
    notebook = msgspec.defstruct("Notebook", [("cells", list[cell]), *form])  # type: ignore[valid-type]
    if content.count(b'"cell_type"') > MOST_CELLS:
        return None
    try:
        return msgspec.json.encode(msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=notebook))
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


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
    return Cell(kind, source, cast("About", nbgrader) if isinstance(nbgrader, dict) else {})
