"""The executor as an nbgrader preprocessor: runs the cells, and writes outputs that tell nbgrader the verdict.

nbgrader gives a test cell full points unless an output says otherwise, so silence must be earned:
a test cell that did not run to its end gets an error output here. What a cell prints, on stdout
or stderr, never costs points.
"""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float

from autograder.execution import CellResult, Run, cells_of, run_cells
from autograder.notebook_source import visible


class RunCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs every code cell in a process of its own and sets its outputs."""

    seconds = Float(120.0, help="Wall seconds for one notebook").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        cells = cells_of(nb)
        run = run_cells(cells, self.seconds)
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        for cell, named in zip(code, cells, strict=True):
            cell.outputs = outputs_of(run.cells.get(named["id"]), run)
        return nb, resources


def outputs_of(result: CellResult | None, run: Run) -> list[Any]:
    """A cell's outputs: what it printed, then its error if there was one. No traceback: it may quote a test."""
    if result is None:
        why = f"this cell was not reached: the notebook {run.ended or 'stopped'} before it"
        return [new_output("error", ename="NotRun", evalue=why, traceback=[why])]
    outputs = []
    if result.printed:
        outputs.append(new_output("stream", name="stdout", text=result.printed))
    if not result.passed:
        line = f"{result.error}: {result.message}" if result.message else result.error
        outputs.append(new_output("error", ename=result.error, evalue=result.message, traceback=[line]))
    return outputs


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes the hidden tests out of a notebook on its way to feedback; their messages stay."""

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        if cell.cell_type == "code":
            cell.source = visible(cell.source)
        return cell, resources
