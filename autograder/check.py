"""What a student runs in a terminal: each exercise of one notebook, with the first message that failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import SubmissionError
from autograder.execution import Run, cells_of, run_cells
from autograder.notebook_source import exercise_of

MAX_BYTES = 20 * 2**20


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one notebook."""

    notebook: str
    exercise: str
    points: float
    max_points: float
    message: str


def read_notebook(path: Path) -> Any:
    """A notebook from a file that may be anything; the error says what is wrong with it, in one line."""
    import json
    import stat

    import nbformat

    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise SubmissionError(f"{path.name}: there is no such file") from error
    if not stat.S_ISREG(status.st_mode):
        raise SubmissionError(f"{path.name}: not a regular file (a link, a folder or a device): hand in the notebook")
    if status.st_size > MAX_BYTES:
        raise SubmissionError(f"{path.name}: larger than {MAX_BYTES // 2**20} MiB: clear its outputs and save it again")
    if status.st_size == 0:
        raise SubmissionError(f"{path.name}: the file is empty: save the notebook and hand it in again")
    try:
        text = path.read_text(encoding="utf-8-sig")
        json.loads(text)  # first, since its errors say where a file stops being JSON
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path.name}: not a notebook (not UTF-8 text)") from error
    except json.JSONDecodeError as error:
        why = "cut short" if error.pos >= len(error.doc.rstrip()) - 1 else f"line {error.lineno} is not JSON"
        raise SubmissionError(f"{path.name}: not a readable notebook ({why})") from error
    except RecursionError as error:
        raise SubmissionError(f"{path.name}: not a notebook (nested too deeply)") from error
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SubmissionError(f"{path.name}: not a valid notebook ({reason})") from error
    return notebook


def graded_cells(notebook: Any) -> dict[str, float]:
    """The test cells of a notebook (`grade_id` → points), in order."""
    tests = {}
    for cell in notebook.cells:
        metadata = cell.metadata.get("nbgrader", {})
        if metadata.get("grade") and not metadata.get("solution"):
            tests[str(metadata["grade_id"])] = float(metadata.get("points", 0))
    return tests


def explain(error: str, message: str) -> str:
    """What a failed test says to its reader; `error` is the exception's type name."""
    if error == "NotImplementedError":
        return "not written yet"
    if error == "AssertionError":
        return message or "an assertion without a message failed"
    return f"{error}: {message}"


def exercise_results(name: str, tests: dict[str, float], run: Run) -> list[ExerciseResult]:
    """What each test cell was worth, and the message where it failed."""
    found = []
    for grade_id, points in tests.items():
        result = run.cells.get(grade_id)
        if result is None:
            message = f"not reached: the notebook {run.ended or 'stopped'} before this test"
        elif result.passed:
            message = ""
        else:
            message = explain(result.error, result.message)
        earned = points if result is not None and result.passed else 0.0
        found.append(ExerciseResult(name, exercise_of(grade_id), earned, points, message))
    return found


def check_notebook(path: Path, seconds: float = 120) -> list[ExerciseResult]:
    """Run a student's notebook and say how each exercise fares on the tests that it carries."""
    notebook = read_notebook(path)
    tests = graded_cells(notebook)
    if not tests:
        raise SubmissionError(f"{path.name}: no exercise tests in it: is this one of the course's exercise notebooks?")
    return exercise_results(path.stem, tests, run_cells(cells_of(notebook), seconds))
