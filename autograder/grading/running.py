"""From submissions to runs: our own solutions first, then every student's notebooks, side by side.

What was run before is not run again. What our side broke, or the clock may have, is run once more before it counts.
Nothing is written but the runs themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait

from autograder.engine.jobs import Job, make_job
from autograder.engine.pools import Pool
from autograder.engine.processes import EngineError
from autograder.errors import CourseError
from autograder.files import digest
from autograder.grading.reference import reference_job, why_not_full
from autograder.grading.rows import Student
from autograder.grading.workspace import Workspace
from autograder.handed_in.delivery import Delivery
from autograder.handed_in.intake import Submission, read_submission
from autograder.notebook.points import TooManyPointsError, earned
from autograder.notebook.rebuild import Ours
from autograder.results import Run

AHEAD = 10  # students a worker to begin with
MOST_SHOWN = 300  # characters of an error of ours


class Running:
    """The runs of one class. Call `begin`, `check_references` and `finished`, in this order.

    `circumstances` is a digest of what every run depends on: versions, limits, walls. With `again`, even what was run
    before is run.
    """

    def __init__(
        self, ours: Mapping[str, Ours], pool: Pool, workspace: Workspace, circumstances: str, *, again: bool
    ) -> None:
        self.ours, self.pool, self.workspace, self.again = ours, pool, workspace, again
        self.circumstances = circumstances
        self.digests = {name: mine.digest for name, mine in ours.items()}
        self._references: dict[str, tuple[str, Future[Run]]] = {}
        self._pending: dict[Future[Run], tuple[Student, str]] = {}
        self._once_more: list[tuple[Student, str]] = []
        self._known: list[Student] = []
        self._coming: Iterator[Delivery] = iter(())

    def begin(self, wanted: Iterable[Delivery]) -> None:
        """Send our own solutions, and the notebooks of the first students, to be run; they are not waited for."""
        for name, mine in self.ours.items():
            job = reference_job(mine)
            key = self._key(name, job)
            if self.workspace.load_run(key) is None:
                self._references[name] = key, self.pool.submit(job)
        self._coming = iter(wanted)
        first = [self._start(delivery) for delivery in itertools.islice(self._coming, AHEAD * self.pool.width)]
        self._known = [student for student in first if student.complete]

    def check_references(self) -> None:
        """Wait for our own solutions; CourseError, one line, where they do not get full marks on this machine."""
        for name, (key, future) in self._references.items():
            run = future.result()
            if run.fault or run.doubt:
                run = self.pool.submit(reference_job(self.ours[name])).result()
            if why := why_not_full(self.ours[name], run):
                raise CourseError(f"{why}. Nothing was graded: mend the course, or this machine")
            self.workspace.save_run(key, run)

    def finished(self) -> Iterator[Student]:
        """Students as their last notebook ends; what was run before, or cannot be run, comes at once.

        A bounded number of notebooks is under way at any time.
        """
        try:
            yield from self._known
            for delivery in self._coming:
                while len(self._pending) >= 2 * self.pool.width + 2:
                    yield from self._collect()
                student = self._start(delivery)
                if student.complete:
                    yield student
            while self._pending:
                yield from self._collect()
            while self._once_more:  # one at a time, with nothing beside it
                student, name = self._once_more.pop(0)
                if not student.failed:
                    self._pending[self.pool.submit(self._job(student, name))] = student, name
                    yield from self._collect(alone=True)
        finally:
            for future in self._pending:
                future.cancel()

    def _start(self, delivery: Delivery) -> Student:
        student = _read(delivery, self.ours)
        for name in student.submission.notebooks:
            job = self._job(student, name)
            key = student.keys[name] = self._key(name, job)
            known = None if self.again else self.workspace.load_run(key)
            if known is not None:
                student.runs[name] = known
            else:
                self._pending[self.pool.submit(job)] = student, name
        return student

    def _key(self, name: str, job: Job) -> str:
        """What a run depends on."""
        return digest([self.circumstances, self.digests[name], job.items])

    def _job(self, student: Student, name: str) -> Job:
        return make_job(self.ours[name], student.submission.notebooks[name])

    def _collect(self, *, alone: bool = False) -> Iterator[Student]:
        """Students who are complete now."""
        for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
            student, name = self._pending.pop(future)
            if student.failed:
                continue
            try:
                run = future.result()
            except Exception as error:
                student.failed = _engine_failure(error)
            else:
                if (run.fault or run.doubt) and not alone:
                    self._once_more.append((student, name))
                    continue
                self._settle(student, name, run)
            if student.complete:
                yield student

    def _settle(self, student: Student, name: str, run: Run) -> None:
        """Keep a run, unless it says more of our side than of the student's."""
        if run.fault:
            student.failed = f"{name}.ipynb: could not be graded: {run.fault}"
            return
        for test, worth in self.ours[name].tests.items():
            try:
                earned(worth, run.cells.get(test))
            except TooManyPointsError as error:
                student.failed = f"{name}.ipynb: {test}: could not be graded: {error}"
                return
        self.workspace.save_run(student.keys[name], run)
        student.runs[name] = run


def _read(delivery: Delivery, ours: Mapping[str, Ours]) -> Student:
    """What a student handed in. Where we cannot cope with it, that is our failure, and no other row pays for it."""
    try:
        return Student(delivery, read_submission(delivery.files, ours))
    except (CourseError, OSError):
        raise
    except Exception as error:
        why = f"could not be read ({type(error).__name__}: {str(error)[:MOST_SHOWN]})"
        return Student(delivery, Submission(), failed=why)


def _engine_failure(error: Exception) -> str:
    if isinstance(error, EngineError):
        return f"could not be run: {error}"
    return f"could not be run ({type(error).__name__}: {str(error)[:MOST_SHOWN]})"
