"""Rebuilt cells and what they did, as a notebook of format 4 with nbgrader's metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.notebook.file import CellJson
from autograder.notebook.rebuild import Ours, Placed
from autograder.notebook.source import cell_id
from autograder.results import CellResult, Run

OutputJson = dict[str, Any]  # an output of a cell, likewise
NotebookJson = dict[str, Any]  # a whole notebook of format 4, as its file has it


def read_template(path: Path) -> NotebookJson:
    """A released notebook as plain data: every source in one piece, and ids, which formats before 4.5 have not."""
    notebook: NotebookJson = json.loads(path.read_text(encoding="utf-8"))
    for place, cell in enumerate(notebook["cells"]):
        cell["source"] = "".join(cell["source"])
        cell.setdefault("metadata", {})
        cell.setdefault("id", cell_id(path.stem, _grade_id(cell) or f"{place}:{cell['cell_type']}"))
    return notebook | {"nbformat_minor": 5}


def _grade_id(cell: CellJson) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def solutions_in(template: NotebookJson) -> dict[str, str]:
    """What a released notebook has in its solution cells: `grade_id` → source."""
    solutions = [c for c in template["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]
    return {_grade_id(cell): cell["source"] for cell in solutions}


def as_notebook(
    ours: Ours, placed: Sequence[Placed], template: NotebookJson, *, tests: bool, run: Run | None = None
) -> NotebookJson:
    """A notebook of format 4 from rebuilt cells, with nbgrader's metadata from the released `template`.

    `tests` says whether test cells carry our full text or the released one; `run` fills in the outputs. A cell of ours
    that the run had no need of, such as the one that carries `check`, has none.
    """
    known = {name: c for c in template["cells"] if (name := _grade_id(c))}
    cells = []
    for p in placed:
        model = known.get(p.name)
        source = model["source"] if model is not None and p.ours and not tests else p.cell.source
        cell: CellJson = {
            "cell_type": p.cell.kind,
            "id": model["id"] if model is not None else cell_id(ours.name, p.name),
            "metadata": model["metadata"] if model is not None else {},
            "source": source,
        }
        if p.cell.kind == "code":
            cell["execution_count"] = None
            needed = run is not None and (p.name in run.cells or run.ended or p.cell.is_test or not p.ours)
            cell["outputs"] = outputs_of(run.cells.get(p.name), run) if run is not None and needed else []
        cells.append(cell)
    return {"cells": cells, "metadata": template["metadata"], "nbformat": 4, "nbformat_minor": 5}


def outputs_of(result: CellResult | None, run: Run) -> list[OutputJson]:
    """A cell's outputs: what it printed, then its error if there was one. No traceback: it may quote a test."""
    if result is None:
        why = f"this cell was not reached: the notebook {run.ended or 'stopped'} before it"
        return [{"output_type": "error", "ename": "NotRun", "evalue": why, "traceback": [why]}]
    outputs: list[OutputJson] = []
    if result.printed:
        outputs.append({"output_type": "stream", "name": "stdout", "text": result.printed})
    if not result.passed:
        line = f"{result.error}: {result.message}" if result.message else result.error
        error = {"ename": result.error, "evalue": result.message, "traceback": [line]}
        outputs.append({"output_type": "error", **error})
    elif result.value:
        shown = {"data": {"text/plain": result.value}, "metadata": {}, "execution_count": None}
        outputs.append({"output_type": "execute_result", **shown})
    return outputs
