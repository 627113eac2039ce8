"""Run the cells of one notebook in this process, one after the other: `python -m autograder.engine.runner JOB OUT`.

JOB is a JSON file with a list of cells (`id`, `source`); OUT gets one JSON line a cell as soon
as it has ended, so that what was earned before a crash or a time-out is kept. A cell that fails does not
stop the ones after it. Nothing printed by a cell is a failure; only an exception is.

This is the simple executor: it isolates nothing. Run only code that you trust with it.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import types
from pathlib import Path
from typing import Any, NamedTuple

from autograder.engine.given import offer_what_notebooks_have, run_test_cell, test_code

MAX_TEXT = 20_000  # characters kept of what a cell printed, and of a message


class Ran(NamedTuple):
    """What a cell did."""

    error: str  # the exception's type name, "" for none
    message: str
    printed: str
    value: str  # of the last line, as a notebook shows it
    entry: str = ""  # the known mistake that a wrong answer shows


def run_cell(source: str, namespace: dict[str, Any], name: str) -> Ran:
    """Execute one cell."""
    offer_what_notebooks_have(namespace)
    printed = io.StringIO()
    error, message, value, entry = "", "", "", ""
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            value = run_test_cell(test_code(name, source), namespace)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt cost this cell only
            error, message = type(raised).__name__, _text_of(raised)
            entry = str(getattr(raised, "entry", ""))
    return Ran(error, message[:MAX_TEXT], printed.getvalue()[:MAX_TEXT], value[:MAX_TEXT], entry)


def _text_of(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:
        return "(the error has no readable text)"


def main(job: Path, out: Path) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    with out.open("a", encoding="utf-8") as lines:
        for cell in json.loads(job.read_text(encoding="utf-8")):
            started = time.perf_counter()
            ran = run_cell(cell["source"], module.__dict__, cell["id"])
            record = {
                "id": cell["id"],
                **ran._asdict(),
                "seconds": round(time.perf_counter() - started, 4),
            }
            lines.write(json.dumps(record) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
