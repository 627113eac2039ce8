"""Run a notebook's cells in a process of their own and bring back what each one did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.notebook.file import Cell
from autograder.scratch import scratch_folder
from autograder.text import clean, clean_output

SECONDS = 120  # for one notebook


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


def cells_of(cells: Iterable[Cell]) -> list[dict[str, str]]:
    """The code cells of a notebook in order, named by `grade_id` where they have one."""
    code = [cell for cell in cells if cell.kind == "code"]
    return [{"id": cell.grade_id or f"cell {place}", "source": cell.source} for place, cell in enumerate(code)]


def _cleaned(result: CellResult) -> CellResult:
    return replace(result, message=clean(result.message), printed=clean_output(result.printed))


def run_cells(cells: list[dict[str, str]], seconds: float = SECONDS) -> Run:
    """Run cells in a fresh process in an empty folder; a time-out or crash keeps what ended before it."""
    with scratch_folder() as scratch:
        job, out = Path(scratch, "job.json"), Path(scratch, "out.jsonl")
        work = Path(scratch, "work")
        work.mkdir()
        job.write_text(json.dumps(cells), encoding="utf-8")
        out.touch()
        command = [sys.executable, "-m", "autograder.engine.runner", str(job), str(out)]
        environment = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        ended = ""
        try:
            process = subprocess.run(
                command,
                cwd=work,
                env=environment,
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            if process.returncode != 0:
                ended = "crashed"
        except subprocess.TimeoutExpired:
            ended = "timed out"
        records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    results = {record["id"]: _cleaned(CellResult(**record)) for record in records}
    if not ended and len(results) < len(cells):
        ended = "crashed"
    return Run(results, ended)
