"""Run a notebook's cells in a process of their own and bring back what each one did."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.engine.limits import Limits
from autograder.notebook.file import Cell
from autograder.scratch import scratch_folder
from autograder.text import clean, clean_output

LIMITS = Limits()


@dataclass(frozen=True)
class CellResult:
    """What one cell did; `error` is an exception's type name, or "" where there was none."""

    id: str
    error: str
    message: str
    printed: str
    seconds: float
    value: str = ""  # what a notebook shows of the last line's value: in a test cell, partial credit
    entry: str = ""  # the known mistake that gives these answers
    details: str = ""  # for the instructor: the question, also where it is a hidden one
    title: str = ""  # the first line of what a notebook shows of a wrong answer

    @property
    def passed(self) -> bool:
        return self.error == ""


@dataclass(frozen=True)
class Incident:
    """Something that went wrong beyond a wrong answer: in which cell, of which kind, in words."""

    cell: str
    kind: str  # "timed out", "crashed", "out of memory", "flood"
    text: str


@dataclass(frozen=True)
class Run:
    """All cells that ended, and in one word why the others did not ("" where all ended)."""

    cells: dict[str, CellResult]
    ended: str
    incidents: tuple[Incident, ...] = ()
    cpu_seconds: float = 0.0
    fault: str = ""  # what failed on our side: then nothing here is a verdict
    doubt: str = ""  # why another run, on a machine that does nothing else, may end otherwise


def cells_of(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """The code cells of a notebook in order, named as they are when a class is graded.

    A cell's name is its `grade_id`; without one, or where an earlier cell has it already, the cell is one of the
    student's own, and its name is its place.
    """
    found: list[dict[str, Any]] = []
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


def run_cells(cells: list[dict[str, Any]], limits: Limits = LIMITS) -> Run:
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


def _run_once(cells: list[dict[str, Any]], limits: Limits) -> tuple[dict[str, CellResult], CellResult | None, str]:
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
        return results, None, "timed out"
    if len(results) == len(cells):
        return results, None, ""
    if not lines or "started" not in lines[-1]:
        return results, None, "crashed"
    return results, _ended_by(lines[-1]["started"], code, limits if was_late else None), ""


def _ended_by(name: str, code: int, late: Limits | None) -> CellResult:
    """The cell that ended the process: by taking longer than its limits, where they are given."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    text = f"this cell ended the process ({how})"
    if late is not None:
        text = f"this cell took more than {late.cell:g} s and could not be interrupted"
    return CellResult(name, "TimedOut" if late else "Crashed", f"{text}; the others were run without it", "", 0.0)
