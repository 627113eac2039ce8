"""Grade a class: submissions → jobs → runs → rows → batches for the gradebook, and files beside them.

`grade_class` is the whole way. Each of its steps is a file here: `assignment` (ours), `autograder.handed_in` (theirs),
`running` (jobs and runs), `rows` (what a run is worth), `handback` (files for a student), `similarity`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograder.course.course import Course
from autograder.engine import sandbox
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Pool, pool_for
from autograder.errors import CourseError
from autograder.files import digest
from autograder.grading.assignment import Assignment, environment
from autograder.grading.handback import write_back
from autograder.grading.rows import answers_of, row_of, rows_of_nobody, score_changes, scored, with_total
from autograder.grading.running import Running
from autograder.grading.similarity import known_answers, similar_pairs
from autograder.grading.workspace import Workspace
from autograder.handed_in.delivery import Deliveries, Delivery, deliveries
from autograder.lms.plain import write_csv
from autograder.nbgrader.configuration import database_of, late_plugin
from autograder.nbgrader.gradebook import Scored, Scores, UnknownAssignmentError
from autograder.notebook.graded import read_template, solutions_in
from autograder.notebook.rebuild import imports_of
from autograder.results import Results, Row, RunFacts, read_results, write_results
from autograder.scratch import scratch_folder, sweep

BATCH = 25  # students in one transaction
BATCH_SECONDS = 5.0  # after which a smaller one is written


@dataclass(frozen=True)
class Options:
    """How to grade."""

    seconds: float = 120.0  # of the clock, for one notebook
    only: tuple[str, ...] = ()  # students; nobody named is everybody
    workers: int | None = None
    scheduler: str | None = None  # of a dask cluster: tcp://HOST:PORT
    db_url: str | None = None
    unsafe: bool = False
    again: bool = False  # run even what was run before
    due: str = ""

    def limits(self) -> Limits:
        return Limits.for_notebook(self.seconds)


def _no_progress(done: int, total: int, student: str) -> None:
    pass


def grade_class(
    course: Course,
    chapter: str,
    folder: Path,
    root: Path,
    options: Options | None = None,
    progress: Callable[[int, int, str], None] = _no_progress,
) -> Results:
    """Grade the submissions in `folder`; gradebook, feedback, results.json and results.csv go to `root`.

    `progress` is told how many students are done, how many there are, and who was the last. Raises CourseError where
    the course, the folder or the machine is at fault; what is wrong with a submission is said in its row.
    """
    options = options or Options()
    workspace = Workspace(root)
    sweep()
    with workspace.lock(), scratch_folder("in") as scratch:
        started = datetime.now().astimezone()
        earlier = _earlier(workspace, chapter)  # before anything is done: what cannot be read is not written over
        with _pool(course, chapter, workspace, folder, options) as pool:
            assignment = Assignment(course, chapter, workspace)
            ours = assignment.source()

            # Submissions become jobs; the first are run while nbgrader, which is slow to import, makes the release.
            found = deliveries(folder, chapter, scratch, list(ours))
            wanted = _wanted(found, options.only)
            running = Running(ours, pool, workspace, _circumstances(options), again=options.again)
            running.begin(wanted)
            db_url = database_of(workspace.root, options.db_url)
            running.check_references()
            released = assignment.release(db_url)
            templates = {name: read_template(released / f"{name}.ipynb") for name in ours}

            # Jobs become runs, as each ends; runs become a row, files for the student, and a batch for the gradebook.
            rows: list[Row] = []
            answers: dict[str, dict[str, str]] = {}
            with _gradebook(assignment, db_url, options.due) as scores:
                due = scores.assignment.duedate is not None
                with Batches(scores) as batches:
                    for student in running.finished():
                        rows.append(row_of(student, ours, running.digests, due=due))
                        answers[student.id] = answers_of(student.submission)
                        if not student.failed:
                            write_back(workspace, chapter, student, ours, templates, handed_in_at=folder)
                            batches.add(scored(student, ours, templates))
                        progress(len(rows), len(wanted), student.id)
                totals = scores.totals()

        # Rows become results.
        rows = [with_total(row, totals.get(row.student)) for row in rows]
        if options.only:
            similar = earlier.similar
        else:
            rows += rows_of_nobody(found)
            base = {name: text for template in templates.values() for name, text in solutions_in(template).items()}
            similar = tuple(similar_pairs(answers, base, known_answers(course, chapter)))
        results = Results(
            chapter,
            sum(sum(mine.tests.values()) + sum(mine.by_hand.values()) for mine in ours.values()),
            _with_others(rows, earlier.rows if options.only else ()),
            similar,
            tuple(score_changes(earlier.rows, rows)),
            (*found.notes, *([found.layout] if found.layout else [])),
            _facts(options, pool, started, len(rows)),
        )
    write_results(results, workspace.root / "results.json")
    write_csv(results, workspace.root / "results.csv")
    return results


class Batches:
    """Scores on their way into the gradebook, many in one transaction; the last ones go when this is left."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.waiting: list[Scored] = []
        self.written = time.monotonic()

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *details: object) -> None:
        if self.waiting:
            self.scores.save(self.waiting)

    def add(self, one: Scored) -> None:
        self.waiting.append(one)
        if len(self.waiting) >= BATCH or time.monotonic() - self.written > BATCH_SECONDS:
            self.scores.save(self.waiting)
            self.waiting, self.written = [], time.monotonic()


def _earlier(workspace: Workspace, chapter: str) -> Results:
    """The results of the last run here of this assignment; empty where there was none."""
    path = workspace.root / "results.json"
    nothing = Results(chapter, 0.0, (), similar=())
    earlier = read_results(path) if path.exists() else nothing
    return earlier if earlier.assignment == chapter else nothing


def _pool(
    course: Course, chapter: str, workspace: Workspace, folder: Path, options: Options
) -> contextlib.AbstractContextManager[Pool]:
    """Where the notebooks are run; the course, the results and the submissions are out of their sight."""
    preload = imports_of(path.read_text(encoding="utf-8") for path in course.sources(chapter))
    hidden = {str(course.root), str(workspace.root), str(folder.resolve())}
    engine = EngineOptions(preload, options.limits(), tuple(sorted(hidden)), options.unsafe)
    return pool_for(engine, scheduler=options.scheduler, workers=options.workers)


def _circumstances(options: Options) -> str:
    """A digest of what every run here depends on."""
    return digest([environment(), options.limits().to_plain(), options.unsafe])


def _wanted(found: Deliveries, only: Sequence[str]) -> list[Delivery]:
    if not only:
        return list(found)
    known = {delivery.student for delivery in found}
    if missing := [name for name in only if name not in known]:
        some = ", ".join(sorted(known)[:10])
        raise CourseError(f"--only {missing[0]}: no such student among the submissions: {some}")
    return [delivery for delivery in found if delivery.student in only]


def _gradebook(assignment: Assignment, db_url: str, due: str) -> Scores:
    """The gradebook, told of the assignment once more if it is not the one that was."""
    late = late_plugin(assignment.workspace.root)
    try:
        scores = Scores(db_url, assignment.chapter, late)
    except UnknownAssignmentError:
        assignment.forget_release()
        assignment.release(db_url)
        scores = Scores(db_url, assignment.chapter, late)
    if due:
        scores.set_due(due)
    return scores


def _with_others(rows: Sequence[Row], others: Iterable[Row]) -> tuple[Row, ...]:
    """By name, with those of an earlier run who are not among them."""
    mine = {row.student for row in rows}
    return tuple(sorted([*rows, *(row for row in others if row.student not in mine)], key=lambda row: row.student))


def _facts(options: Options, pool: Pool, started: datetime, submissions: int) -> RunFacts:
    seconds = (datetime.now().astimezone() - started).total_seconds()
    walls = None if options.scheduler else sandbox.probe().layers()
    return RunFacts(started, round(seconds, 2), submissions, pool.width, options.unsafe, walls)
