"""Grade a class: submissions → jobs → runs → rows → batches for the gradebook, and files beside them.

`grade_class` is the whole way. Each of its steps is a file here: `assignment` (ours), `autograder.handed_in` (theirs),
`running` (jobs and runs), `rows` (what a run is worth), `handback` (files for a student), `similarity`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from autograder.course.course import Course
from autograder.engine import sandbox
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Pool, pool_for
from autograder.errors import CourseError
from autograder.files import digest
from autograder.grading.assignment import Assignment, Work, chapter_with, environment, notebooks_of, work_in
from autograder.grading.lateness import Lateness
from autograder.grading.rows import answers_of, row_of, rows_of_nobody, score_changes, scored, with_total
from autograder.grading.running import Running
from autograder.grading.workspace import Workspace
from autograder.handed_in.delivery import Deliveries, Delivery, Intake, deliveries
from autograder.lms.plain import write_csv
from autograder.nbgrader.configuration import database_of, late_plugin
from autograder.nbgrader.gradebook import Scored, Scores, UnknownAssignmentError
from autograder.notebook.graded import read_template, solutions_in
from autograder.notebook.rebuild import imports_of
from autograder.report.book import places_in
from autograder.results import Results, Row, RunFacts, read_results, write_results
from autograder.scratch import scratch_folder, sweep

CONFIG = "nbgrader_config.py"
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
    extensions: tuple[str, ...] = ()  # STUDENT=TIME, or STUDENT=3 days
    notebooks: tuple[str, ...] = ()  # of the chapter, that were set; none named is all
    assignment: str = ""  # what nbgrader calls it, if not as the chapter
    intake: Intake = field(default_factory=Intake)

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

    With `chapter` "", it is told from what was handed in. `progress` is told how many students are done, how many there
    are, and who was the last. Raises CourseError where the course, the folder or the machine is at fault; what is wrong
    with a submission is said in its row.
    """
    options = options or Options()
    workspace = Workspace(root)
    late = Lateness.read(options.due, options.extensions, options.intake.zone)
    sweep()
    with workspace.lock(), scratch_folder("in") as scratch:
        started = datetime.now().astimezone()
        work, found = _what_was_set(course, chapter, folder, scratch, options)
        earlier = _earlier(workspace, work.name)  # before anything is done: what cannot be read is not written over
        with _pool(course, work.chapter, workspace, folder, options) as pool:
            assignment = Assignment(course, work, workspace)
            ours = assignment.source()

            # Submissions become jobs; the first are run while nbgrader, which is slow to import, makes the release.
            found = found or deliveries(folder, work.names, scratch, list(ours), options.intake)
            wanted = _wanted(found, options.only)
            late.require({one.student for delivery in wanted for one in delivery.each()})
            running = Running(ours, pool, workspace, _circumstances(options), again=options.again)
            running.begin(wanted)
            # SciPy and the templates, a third of a second, are imported here, too: nobody has to wait for them.
            from autograder.grading.handback import each_member, write_back, write_totals
            from autograder.grading.similarity import known_answers, similar_pairs

            db_url = database_of(workspace.root, options.db_url)
            running.check_references()
            released = assignment.release(db_url)
            templates = {name: read_template(released / f"{name}.ipynb") for name in ours}
            places = places_in(course.root, work.chapter)

            # Jobs become runs, as each ends; runs become a row, files for the student, and a batch for the gradebook.
            rows: list[Row] = []
            answers: dict[str, dict[str, str]] = {}
            seen: set[str] = set()
            everybody = sum(len(delivery.each()) for delivery in wanted)
            with _gradebook(assignment, db_url, late) as scores:
                due = scores.assignment.duedate is not None
                with Batches(scores) as batches:
                    for done in running.finished():
                        seen |= done.submission.notebooks.keys()
                        for student in each_member(done):
                            row = row_of(student, ours, running.digests, due=due)
                            rows.append(row)
                            if not student.failed:
                                write_back(workspace, work.name, student, row, ours, templates, handed_in_at=folder,
                                           graded_at=started, places=places)  # fmt: skip
                                batches.add(scored(student, ours, templates))
                            progress(len(rows), everybody, student.id)
                        answers[done.delivery.each()[0].student] = answers_of(done.submission)
                totals, by_hand = scores.totals(), scores.by_hand()

        # Rows become results.
        rows = [with_total(row, totals.get(row.student)) for row in rows]
        full = sum(sum(mine.tests.values()) + sum(mine.by_hand.values()) for mine in ours.values())
        write_totals(workspace, work.name, rows, full, by_hand)
        if options.only:
            similar = earlier.similar
        else:
            rows += rows_of_nobody(found)
            base = {name: text for template in templates.values() for name, text in solutions_in(template).items()}
            known = known_answers(ours.values(), course.bank(work.chapter))
            similar = tuple(similar_pairs(answers, base, known))
        layout = [found.layout] if found.layout else []
        said = _other_policy(course, workspace) if due else []
        results = Results(
            work.name,
            full,
            _with_others(rows, earlier.rows if options.only else ()),
            similar,
            tuple(score_changes(earlier.rows, rows)),
            (*found.notes, *layout, *_set_or_not(ours, seen), *(late.notes(wanted) if due else []), *said),
            _facts(options, pool, started, len(rows)),
            work.chapter,
        )
    kept = workspace.results_of(work.name)
    kept.parent.mkdir(exist_ok=True)
    write_results(results, kept)
    write_results(results, workspace.root / "results.json")
    write_csv(results, workspace.root / "results.csv")
    return results


def _what_was_set(
    course: Course, chapter: str, folder: Path, scratch: Path, options: Options
) -> tuple[Work, Deliveries | None]:
    """As the instructor says, or as it shows in what was handed in, which then has been read."""
    if options.notebooks and not chapter:
        chapter = chapter_with(course, options.notebooks)
    if chapter:
        return Work.checked(course, chapter, options.notebooks, options.assignment), None
    books = notebooks_of(course)
    every = [name for names in books.values() for name in names]  # any notebook of the course may be one of it
    known = [*books, *(f"{chapter}-{name}" for chapter, names in books.items() for name in names)]
    names = [options.assignment] if options.assignment else []
    found = deliveries(folder, names, scratch, every, options.intake, known=known)
    try:
        return work_in(course, found, options.notebooks, options.assignment), found
    except CourseError as error:
        raise CourseError(f"{folder}: {error}") from error


def _set_or_not(ours: Iterable[str], seen: Iterable[str]) -> list[str]:
    """Advice, where nobody handed in a notebook that counts."""
    ours, handed_in = list(ours), sorted(set(seen))
    missing = [f"{name}.ipynb" for name in ours if name not in handed_in]
    if not missing or not handed_in:
        return []
    only = " ".join(f"--notebook {name}" for name in handed_in)
    return [f"nobody handed in {', '.join(missing)}: if not all of the chapter was set, grade with {only}"]


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


def _earlier(workspace: Workspace, assignment: str) -> Results:
    """The results of the last run here of this assignment; empty where there was none."""
    nothing = Results(assignment, 0.0, (), similar=())
    for path in (workspace.root / "results.json", workspace.results_of(assignment)):
        earlier = read_results(path) if path.exists() else nothing
        if earlier is not nothing and earlier.assignment == assignment:
            return earlier
    return nothing


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
    known = {one.student for delivery in found for one in delivery.each()}
    if missing := [name for name in only if name not in known]:
        some = ", ".join(sorted(known)[:10])
        raise CourseError(f"--only {missing[0]}: no such student among the submissions: {some}")
    return [delivery for delivery in found if any(one.student in only for one in delivery.each())]


def _policy_of(course: Course, workspace: Workspace) -> Path:
    """Where it stands what being late costs: the course says, wherever the results go, if it says anything at all."""
    return next((root for root in (course.root, workspace.root) if (root / CONFIG).is_file()), course.root)


def _other_policy(course: Course, workspace: Workspace) -> list[str]:
    """A line where the policy is not the course's."""
    root = _policy_of(course, workspace)
    return [] if root == course.root else [f"what being late costs is read from {root / CONFIG}: the course has none"]


def _gradebook(assignment: Assignment, db_url: str, lateness: Lateness) -> Scores:
    """The gradebook, told of the assignment once more if it is not the one that was."""
    late = late_plugin(_policy_of(assignment.course, assignment.workspace))
    try:
        scores = Scores(db_url, assignment.name, late)
    except UnknownAssignmentError:
        assignment.forget_release()
        assignment.release(db_url)
        scores = Scores(db_url, assignment.name, late)
    if lateness.due:
        scores.set_due(lateness.due)
    scores.extend(lateness.extensions)
    return scores


def _with_others(rows: Sequence[Row], others: Iterable[Row]) -> tuple[Row, ...]:
    """By name, with those of an earlier run who are not among them."""
    mine = {row.student for row in rows}
    return tuple(sorted([*rows, *(row for row in others if row.student not in mine)], key=lambda row: row.student))


def _facts(options: Options, pool: Pool, started: datetime, submissions: int) -> RunFacts:
    seconds = (datetime.now().astimezone() - started).total_seconds()
    walls = None if options.scheduler else sandbox.probe().layers()
    return RunFacts(started, round(seconds, 2), submissions, pool.width, options.unsafe, walls)
