"""What plugs into nbgrader: our engine in place of a kernel, vetted files in place of submitted ones, safe feedback.

nbgrader gives a test cell full points unless an output says otherwise, so silence must be earned: a test cell
that did not run to its end gets an error output here. What a cell prints, on stdout or stderr, never costs points.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float

from autograder.course.course import Course
from autograder.course.record import read_record
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Engines, plain_job
from autograder.grading.workspace import run_from
from autograder.notebook.file import cells_in
from autograder.notebook.graded import as_notebook, outputs_of, read_template
from autograder.notebook.rebuild import Placed, imports_of, make_job, ours_from
from autograder.notebook.source import visible

_ENGINES: dict[EngineOptions, Engines] = {}


def engines_for(options: EngineOptions) -> Engines:
    """Warm processes for this kind of notebook, kept for as long as nbgrader runs."""
    if options not in _ENGINES:
        _ENGINES[options] = Engines(options)
        atexit.register(_ENGINES[options].close)
    return _ENGINES[options]


class RunCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs a notebook on the engine and sets the outputs of its cells."""

    seconds = Float(120.0, help="Seconds for one notebook").tag(config=True)
    unsafe = Bool(False, help="Run students' code even where there is no sandbox").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        about = resources["nbgrader"]
        source = Path(_course_root(self), "source", about["assignment"], f"{about['notebook']}.ipynb")
        record = read_record(Course(Path(_course_root(self))).record(about["assignment"]))
        given = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else nb
        ours = ours_from(given, about["notebook"], record=record)
        cells = cells_in(nb, about["notebook"])
        names = [cell.grade_id or f"free-{place}" for place, cell in enumerate(cells)]
        known = {cell.grade_id for cell in ours.cells if not cell.nbgrader.get("solution")} - {""}
        placed = [Placed(name, cell, ours=name in known) for name, cell in zip(names, cells, strict=True)]
        preload = imports_of(cell.source for cell in ours.cells if cell.kind == "code")
        limits = Limits.for_notebook(self.seconds)
        options = EngineOptions(preload, limits, (_course_root(self),), self.unsafe)
        run = run_from(engines_for(options).run(plain_job(make_job(ours, placed))))
        for name, cell in zip(names, nb.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs = [NotebookNode(output) for output in outputs_of(run.cells.get(name), run)]
        return nb, resources


def _course_root(configured: Any) -> str:
    return str(configured.config.CourseDirectory.get("root") or Path.cwd())


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes the hidden tests out of a notebook on its way to feedback; their messages stay."""

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        if cell.cell_type == "code":
            cell.source = visible(cell.source)
        return cell, resources


# ---- submitted files, before nbgrader opens them


class VettedAutograde(Autograde):  # type: ignore[misc]
    """nbgrader's converter on copies: read with care, rebuilt from our notebook, everything else left behind.

    Stock nbgrader waits for ever on a pipe, copies what a link points at, and takes tests and points from the
    submission. Here it sees a folder of ours, with one notebook for each of the assignment's.
    """

    staged: Path | None = None

    @property
    def _input_directory(self) -> str:
        if self._sanitizing and self.staged is not None:
            return str(self.staged)
        return str(super()._input_directory)

    def init_notebooks(self) -> None:
        self.staged = Path(tempfile.mkdtemp(prefix="autograder-vetted-"))
        submitted = Path(self.coursedir.root, self.coursedir.submitted_directory)
        with contextlib.suppress(OSError):
            for student in sorted(submitted.iterdir()):
                if student.is_dir() and not student.is_symlink() and _matches(student.name, self.coursedir.student_id):
                    self._stage(student / self.coursedir.assignment_id, self.staged)
        super().init_notebooks()

    def _stage(self, folder: Path, staged: Path) -> None:
        """Copies of one student's notebooks; a notebook that cannot be read becomes an untouched one."""
        from autograder.handed_in.intake import read_assignment, read_submission, read_timestamp

        if not folder.is_dir() or folder.is_symlink():
            return
        assignment = self.coursedir.assignment_id
        ours = read_assignment(Path(self.coursedir.root, self.coursedir.source_directory, assignment))
        released = Path(self.coursedir.root, self.coursedir.release_directory, assignment)
        submission = read_submission(tuple(sorted(folder.glob("*.ipynb"))), ours)
        target = staged / folder.parent.name / assignment
        target.mkdir(parents=True)
        for why in submission.refused.values():
            self.log.warning("%s: %s", folder.parent.name, why)
        for name, mine in ours.items():
            placed = submission.notebooks.get(name)
            template = read_template(released / f"{name}.ipynb")
            notebook = as_notebook(mine, placed, template, tests=False) if placed is not None else template
            (target / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8", errors="replace")
        if timestamp := read_timestamp(folder):
            (target / "timestamp.txt").write_text(timestamp, encoding="utf-8")

    def start(self) -> None:
        try:
            super().start()
        finally:
            if self.staged is not None:
                shutil.rmtree(self.staged, ignore_errors=True)


def _matches(name: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern)


def vet_before_autograde() -> None:
    """Make every way into nbgrader's autograde (command, API, formgrader) use `VettedAutograde`."""
    import nbgrader.apps.api
    import nbgrader.apps.autogradeapp

    nbgrader.apps.api.Autograde = VettedAutograde
    nbgrader.apps.autogradeapp.Autograde = VettedAutograde
