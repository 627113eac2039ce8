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
from typing import Any

MAX_TEXT = 20_000  # characters kept of what a cell printed, and of a message


def run_cell(source: str, namespace: dict[str, Any], name: str) -> tuple[str, str, str]:
    """Execute one cell; returns the exception's type name ("" for none), its text, and what was printed."""
    return execute(source, namespace, name)[:3]


def execute(source: str, namespace: dict[str, Any], name: str) -> tuple[str, str, str, str]:
    """The same, and the known mistake that a wrong answer shows ("" for none)."""
    printed = io.StringIO()
    error, message, entry = "", "", ""
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            exec(compile(_plain_python(source, namespace), f"<{name}>", "exec"), namespace)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt cost this cell only
            error, message = type(raised).__name__, _text_of(raised)
            entry = str(getattr(raised, "entry", ""))
    return error, message[:MAX_TEXT], printed.getvalue()[:MAX_TEXT], entry


def _text_of(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:
        return "(the error has no readable text)"


def _plain_python(source: str, namespace: dict[str, Any]) -> str:
    """Magics such as `%matplotlib inline` become calls, as in a notebook."""
    if not any(line.lstrip().startswith(("%", "!", "?")) for line in source.splitlines()):
        return source
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    namespace.setdefault("get_ipython", lambda: shell)
    return str(shell.transform_cell(source))


def main(job: Path, out: Path) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    with out.open("a", encoding="utf-8") as lines:
        for cell in json.loads(job.read_text(encoding="utf-8")):
            started = time.perf_counter()
            error, message, printed, entry = execute(cell["source"], module.__dict__, cell["id"])
            record = {
                "id": cell["id"],
                "error": error,
                "message": message,
                "printed": printed,
                "entry": entry,
                "seconds": round(time.perf_counter() - started, 4),
            }
            lines.write(json.dumps(record) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
