"""Run a notebook's cells in a process of their own and bring back what each one did."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from autograder.engine.jobs import PlainCell
from autograder.engine.limits import Limits
from autograder.notebook.file import Cell
from autograder.results import CellResult, Ended, Run
from autograder.scratch import scratch_folder
from autograder.text import clean, clean_output

LIMITS = Limits()


def cells_of(cells: Iterable[Cell]) -> list[PlainCell]:
    """The code cells of a notebook in order, named as they are when a class is graded.

    A cell's name is its `grade_id`; without one, or where an earlier cell has it already, the cell is one of the
    student's own, and its name is its place.
    """
    found: list[PlainCell] = []
    seen: set[str] = set()
    for place, cell in enumerate(cells):
        if cell.kind != "code":
            continue
        own = not cell.grade_id or cell.grade_id in seen
        seen.add(cell.grade_id)
        name = f"free-{place}" if own else cell.grade_id
        found.append({"id": name, "source": cell.source, "test": cell.is_test and not own})
    return found


def _cleaned(result: CellResult) -> CellResult:
    return replace(result, message=clean(result.message), printed=clean_output(result.printed))


def run_cells(cells: Sequence[PlainCell], limits: Limits = LIMITS) -> Run:
    """Run cells in a fresh process in an empty folder, each with a limit of its own.

    A cell that ends the process, or cannot be interrupted, is told so, and the notebook is run again without it.
    What is not reached in the time for the notebook is not in the result.
    """
    left_out: dict[str, CellResult] = {}
    while True:
        left = [cell for cell in cells if cell["id"] not in left_out]
        results, stuck, ended = _run_once(left, limits)
        if stuck is None:
            return Run(left_out | results, ended)
        left_out[stuck.id] = stuck


def _run_once(cells: Sequence[PlainCell], limits: Limits) -> tuple[dict[str, CellResult], CellResult | None, Ended]:
    """What each cell did, the one that ended the process, and in a word why cells are missing for another reason."""
    with scratch_folder() as scratch:
        job, out = Path(scratch, "job.json"), Path(scratch, "out.jsonl")
        work = Path(scratch, "work")
        work.mkdir()
        job.write_text(json.dumps({"cells": cells, "limits": limits.to_plain()}), encoding="utf-8")
        out.touch()
        command = [sys.executable, "-m", "autograder.engine.runner", str(job), str(out)]
        environment = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process = subprocess.run(
                command,
                cwd=work,
                env=environment,
                timeout=limits.notebook,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            code = process.returncode
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        late = out.with_suffix(".late")
        was_late = late.exists() and late.stat().st_size > 0
    results = {line["id"]: _cleaned(CellResult(**line)) for line in lines if "id" in line}
    if code is None:
        return results, None, Ended.TIMED_OUT
    if len(results) == len(cells):
        return results, None, Ended.WHOLE
    if not lines or "started" not in lines[-1]:
        return results, None, Ended.CRASHED
    return results, _ended_by(lines[-1]["started"], code, limits if was_late else None), Ended.WHOLE


def _ended_by(name: str, code: int, late: Limits | None) -> CellResult:
    """The cell that ended the process: by taking longer than its limits, where they are given."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    text = f"this cell ended the process ({how})"
    if late is not None:
        text = f"this cell took more than {late.cell:g} s and could not be interrupted"
    return CellResult(name, "TimedOut" if late else "Crashed", f"{text}; the others were run without it", "", 0.0)
