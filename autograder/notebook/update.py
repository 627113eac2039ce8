"""Take a newer version of an exercise notebook without losing work: `autograder update MINE.ipynb NEW.ipynb`.

The result has the texts, the given cells and the tests of the new one, and the student's answers and own cells. Which
cells are the student's own is told by their ids: ours are made from the notebook's name and the cell's place.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from autograder.errors import SubmissionError
from autograder.files import read_regular
from autograder.notebook.file import CellJson, read_cells
from autograder.notebook.graded import NotebookJson
from autograder.notebook.source import cell_id

MOST_CELLS = 1_000
DOWNLOADED_AGAIN = re.compile(r"( ?\(\d+\)|[-_ ]?[Cc]opy\d*)$")  # what browsers and Jupyter add to a name


def update(mine: Path, new: Path) -> list[str]:
    """Rewrite `mine` on the base of `new`, keeping the old file as `mine.before.ipynb`; says what was done."""
    if mine.resolve() == new.resolve():
        raise SubmissionError(f"{mine.name}: the two notebooks are one and the same file")
    old, fresh = _load(mine), _load(new)
    merged, notes = merge(old, fresh, new.stem)
    backup = mine.with_suffix(".before.ipynb")
    if backup.exists():
        raise SubmissionError(f"{backup.name}: already there, from an earlier update: move it away first")
    backup.write_bytes(mine.read_bytes())
    mine.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*notes, f"the notebook as it was: {backup.name}"]


def merge(old: NotebookJson, fresh: NotebookJson, stem: str) -> tuple[NotebookJson, list[str]]:
    """The new notebook with the answers and the own cells of the old one."""
    answers = {_grade_id(c): _source(c) for c in old["cells"] if _is_answer(c)}
    taken = 0
    cells: list[CellJson] = []
    for cell in fresh["cells"]:
        name = _grade_id(cell)
        if _is_answer(cell) and name in answers:
            cell = cell | {"source": answers.pop(name), "outputs": [], "execution_count": None}
            taken += 1
        cells.append(cell)
    own = _own_cells(old["cells"], fresh["cells"], stem)
    for before, cell in own:
        names = [_grade_id(c) for c in cells]
        where = names.index(before) + 1 if before in names else len(cells)
        while where < len(cells) and cells[where].get("metadata", {}).get("mine"):
            where += 1
        cells.insert(where, cell | {"metadata": {"mine": True}})
    notes = [f"{taken} answers and {len(own)} cells of your own were taken over"]
    for name, source in answers.items():
        cells.append({"cell_type": "code", "id": f"kept-{name}"[:60], "metadata": {"mine": True}, "source": source,
                      "outputs": [], "execution_count": None})  # fmt: skip
        notes.append(f"{name}: the new notebook has no such exercise; your answer stands at its end")
    return fresh | {"cells": cells}, notes


def _own_cells(cells: list[CellJson], fresh: list[CellJson], stem: str) -> list[tuple[str, CellJson]]:
    """The student's own cells, each with the `grade_id` of the cell of ours that it comes after.

    A cell of ours has one of our ids, also where a download was renamed ("weights (1)"); formats before 4.5 have no
    ids, and there it is a cell whose text is in the new notebook, too.
    """
    stems = {stem, DOWNLOADED_AGAIN.sub("", stem)}
    places = [f"{place}:{kind}" for place in range(MOST_CELLS) for kind in ("code", "markdown", "raw")]
    ours = {cell_id(one, place) for one in stems for place in places} | {str(cell.get("id")) for cell in fresh}
    texts = {_source(cell).strip() for cell in fresh}
    found = []
    before = ""
    for cell in cells:
        text = _source(cell).strip()
        if _grade_id(cell):
            before = _grade_id(cell)
        elif text and cell.get("id") not in ours and text not in texts:
            found.append((before, cell))
    return found


def _load(path: Path) -> NotebookJson:
    read_cells(path)  # its errors say what is wrong with a file
    notebook = json.loads(read_regular(path).decode("utf-8-sig"))
    if not isinstance(notebook.get("cells"), list) or notebook.get("nbformat") != 4:
        raise SubmissionError(f"{path.name}: an old notebook format: open it in Jupyter and save it once")
    return dict(notebook)


def _grade_id(cell: CellJson) -> str:
    return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", ""))


def _is_answer(cell: CellJson) -> bool:
    return bool(cell.get("metadata", {}).get("nbgrader", {}).get("solution"))


def _source(cell: CellJson) -> str:
    return "".join(cell.get("source", ""))
