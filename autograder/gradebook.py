"""nbgrader, driven from Python: one workspace holds source/, release/, submitted/, gradebook.db and so on."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.errors import CourseError

STUB = "raise NotImplementedError  # your code here"


def configure(config: Any) -> None:
    """Set what this course asks of nbgrader; `nbgrader_config.py` and `nbgrader_api` both call it."""
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbconvert.preprocessors.sanitize import SanitizeHTML
    from nbgrader.preprocessors import (
        AssignLatePenalties,
        CheckCellMetadata,
        GetGrades,
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
    )

    from autograder.preprocessor import HideTests, RunCells

    config.CourseDirectory.course_id = "course"
    config.ClearSolutions.code_stub = {"python": STUB}
    config.Autograde.autograde_preprocessors = [
        RunCells,
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    config.GenerateFeedback.preprocessors = [HideTests, SanitizeHTML, GetGrades, CSSHTMLHeaderPreprocessor]


def nbgrader_api(workspace: Path, *, seconds: float) -> Any:
    """nbgrader's own API on `workspace`, with this package's executor in place of a kernel."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    # nbgrader calls `alembic`, which lives beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    config = Config()
    configure(config)
    config.CourseDirectory.root = str(workspace.resolve())
    config.RunCells.seconds = seconds
    coursedir = CourseDirectory(config=config)
    return NbGraderAPI(coursedir, config=config)


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep nbgrader's log off the terminal; yields the list of what it complained of."""
    complaints: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                complaints.append(record.getMessage().splitlines()[0])

    handler = Keep()
    logger = logging.getLogger("traitlets")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Object of type .* not in session")  # nbgrader's own
            yield complaints
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def checked(result: dict[str, Any], complaints: list[str], what: str) -> None:
    """Raise one line if an nbgrader step did not succeed."""
    if not result.get("success", False):
        log = [line for line in str(result.get("log") or result.get("error") or "").splitlines() if line.strip()]
        reason = complaints[-1] if complaints else (log[-1] if log else "no reason given")
        raise CourseError(f"nbgrader {what}: {reason}")
