"""What plugs into nbgrader: our engine in place of a kernel, vetted files in place of submitted ones, safe feedback.

nbgrader gives a test cell full points unless an output says otherwise, so silence must be earned: a test cell
that did not run to its end gets an error output here. What a cell prints, on stdout or stderr, never costs points.
"""

from __future__ import annotations

import atexit
import contextlib
import fnmatch
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Bool, Float

from autograder.engine.jobs import make_job
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Engines
from autograder.engine.processes import EngineError
from autograder.errors import CourseError
from autograder.files import digest
from autograder.grading.assignment import environment
from autograder.grading.reference import as_handed_in, why_not_full
from autograder.grading.workspace import Workspace
from autograder.handed_in.intake import read_assignment, read_submission, read_timestamp
from autograder.nbgrader.configuration import name_the_course
from autograder.notebook.file import cells_in
from autograder.notebook.graded import as_notebook, outputs_of, read_template
from autograder.notebook.rebuild import Ours, Placed, imports_of, ours_from
from autograder.notebook.source import AUTOTEST, visible
from autograder.results import Run
from autograder.scratch import make_folder, remove_folder, sweep

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
        cells = cells_in(nb, about["notebook"])
        source = self._source(about["assignment"])
        theirs = ours_from(nb, about["notebook"])  # with the tests as nbgrader has put them back
        ours = _with_tests(self._all_of(source).get(about["notebook"], theirs), theirs)
        names = [cell.grade_id or f"free-{place}" for place, cell in enumerate(cells)]
        known = {cell.grade_id for cell in ours.cells if not cell.nbgrader.get("solution")} - {""}
        placed = [Placed(name, cell, ours=name in known) for name, cell in zip(names, cells, strict=True)]
        run = self._run(ours, placed)
        if run.fault:
            raise NbGraderException(f"{about['notebook']}.ipynb: could not be graded: {run.fault}")
        for name, cell in zip(names, nb.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs = [NotebookNode(output) for output in outputs_of(run.cells.get(name), run)]
        return nb, resources

    def check_references(self, assignment: str) -> None:
        """Our own solutions first: raise one line where they do not get full marks on this machine."""
        kept = Workspace(Path(_course_root(self)))
        for ours in self._all_of(self._source(assignment)).values():
            if any(AUTOTEST.search(cell.source) for cell in ours.cells):
                continue  # the tests are made of it by nbgrader, and not in this file
            placed = as_handed_in(ours)
            key = digest(
                [environment(), vars(self._options(ours).limits), self.unsafe, make_job(ours, placed).plain()]
            )
            if kept.load_run(key) is not None:
                continue
            run = self._run(ours, placed)
            if why := why_not_full(ours, run):
                raise CourseError(f"{why}. Nothing was graded: mend the course, or this machine")
            with contextlib.suppress(OSError):
                kept.save_run(key, run)

    def _run(self, ours: Ours, placed: Sequence[Placed]) -> Run:
        """A notebook's run; one that our side broke, or the clock, is run once more before it counts."""
        engines, job = engines_for(self._options(ours)), make_job(ours, placed)
        run = engines.run(job)
        return engines.run(job) if run.fault or run.doubt else run

    def _options(self, ours: Ours) -> EngineOptions:
        preload = imports_of(cell.source for cell in ours.cells if cell.kind == "code")
        return EngineOptions(preload, Limits.for_notebook(self.seconds), (_course_root(self),), self.unsafe)

    def _all_of(self, source: Path) -> dict[str, Ours]:
        """Our notebooks, with the data beside them; none where nbgrader has only its gradebook."""
        return read_assignment(source) if any(source.glob("*.ipynb")) else {}

    def _source(self, assignment: str) -> Path:
        named = self.config.CourseDirectory.get("source_directory") or "source"
        return Path(_course_root(self), named, assignment)


def _course_root(configured: Any) -> str:
    return str(configured.config.CourseDirectory.get("root") or Path.cwd())


def _with_tests(ours: Ours, theirs: Ours) -> Ours:
    """The tests of nbgrader's gradebook, which AUTOTEST may have made; what they know for answers stays what it was."""
    tests = {cell.grade_id: cell for cell in theirs.cells if cell.is_test and cell.grade_id in ours.tests}
    cells = tuple(tests.get(cell.grade_id, cell) for cell in ours.cells)
    return replace(ours, cells=cells)


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
        sweep()
        self.staged = make_folder("vetted")
        submitted = Path(self.coursedir.root, self.coursedir.submitted_directory)
        with contextlib.suppress(OSError):
            for student in sorted(submitted.iterdir()):
                if student.is_dir() and not student.is_symlink() and _matches(student.name, self.coursedir.student_id):
                    self._stage(student / self.coursedir.assignment_id, self.staged)
        super().init_notebooks()

    def _stage(self, folder: Path, staged: Path) -> None:
        """Copies of one student's notebooks; a notebook that cannot be read becomes an untouched one."""
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
        timestamp, why = read_timestamp(folder)
        if why:
            self.log.warning("%s: %s", folder.parent.name, why)
        if timestamp:
            (target / "timestamp.txt").write_text(timestamp, encoding="utf-8")

    def start(self) -> None:
        try:
            if RunCells in self.autograde_preprocessors:
                RunCells(parent=self).check_references(self.coursedir.assignment_id)
            super().start()
        except (CourseError, EngineError) as error:
            self.log.error(str(error))
            raise NbGraderException(str(error)) from error
        finally:
            if self.staged is not None:
                remove_folder(self.staged)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)


def vet_before_autograde() -> None:
    """Make every way into nbgrader's autograde (command, API, formgrader) use `VettedAutograde`.

    Both import the converter by name and none of nbgrader's options names another, so it is replaced where they look.
    """
    nbgrader.apps.api.Autograde = VettedAutograde
    nbgrader.apps.autogradeapp.Autograde = VettedAutograde


def configure(config: Any) -> None:
    """What a course's `nbgrader_config.py` calls: our engine, our vetting and our feedback in nbgrader's own steps."""
    vet_before_autograde()
    name_the_course(config)
    config.Autograde.autograde_preprocessors = [
        RunCells,
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    config.GenerateFeedback.preprocessors = [HideTests, SanitizeHTML, GetGrades, CSSHTMLHeaderPreprocessor]
