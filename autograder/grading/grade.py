"""Grade a class: what came in, run on the engine, into the gradebook; feedback, CSV, and results for the report."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.course.course import Course
from autograder.engine import sandbox
from autograder.engine.execution import Run
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Pool, plain_job, pool_for
from autograder.engine.processes import EngineError
from autograder.errors import CourseError
from autograder.grading.assignment import Assignment, environment
from autograder.grading.check import TooManyPointsError, earned, exercise_results
from autograder.grading.handback import write_back
from autograder.grading.reference import reference_job, why_not_full
from autograder.grading.rows import Row, add_total, by_hand, exercise, incident, new_row, score_changes, worst
from autograder.grading.similarity import known_answers, similar_pairs
from autograder.grading.workspace import Workspace, digest, load_results, run_from, write_whole
from autograder.handed_in.delivery import Deliveries, Delivery, deliveries
from autograder.handed_in.intake import Submission, read_submission
from autograder.handed_in.layouts import UNKNOWN
from autograder.lms.exports import write_csv
from autograder.nbgrader.configuration import database_of, late_plugin
from autograder.nbgrader.gradebook import Scored, Scores, UnknownAssignmentError
from autograder.notebook.graded import read_template
from autograder.notebook.rebuild import Ours, imports_of, make_job
from autograder.notebook.source import exercise_of
from autograder.scratch import scratch_folder, sweep

AHEAD = 10  # students a worker to begin with
BATCH = 25  # students in one transaction
BATCH_SECONDS = 5.0  # after which a smaller one is written


@dataclass(frozen=True)
class Options:
    """How to grade."""

    seconds: float = 120.0
    only: tuple[str, ...] = ()
    workers: int | None = None
    scheduler: str | None = None
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
) -> dict[str, Any]:
    """Grade the submissions in `folder`; gradebook, feedback, results.json and results.csv go to `root`."""
    options = options or Options()
    workspace = Workspace(root)
    sweep()
    with workspace.lock(), scratch_folder("in") as scratch:
        started = time.time()
        engine = _engine_options(course, chapter, workspace, folder, options)
        with pool_for(engine, scheduler=options.scheduler, workers=options.workers) as pool:
            assignment = Assignment(course, chapter, workspace)
            ours = assignment.source()
            found = deliveries(folder, chapter, scratch, list(ours))
            grading = Grading(course, chapter, workspace, ours, options, folder, pool)
            grading.begin(_wanted(found, options.only))
            # The first notebooks run while nbgrader, which is slow to import, makes the rest.
            db_url = database_of(workspace.root, options.db_url)
            grading.check_references()
            released = assignment.release(db_url)
            with _scores(assignment, db_url) as scores:
                if options.due:
                    scores.set_due(options.due)
                rows = grading.all(scores, released, progress)
                rows += _problem_rows(found, options.only)
                results = grading.results(rows, scores, found, started)
    write_whole(workspace.root / "results.json", json.dumps(results, ensure_ascii=False, indent=1))
    write_csv(results, workspace.root / "results.csv")
    return results


def _scores(assignment: Assignment, db_url: str) -> Scores:
    """The gradebook, told of the assignment once more if it is not the one that was."""
    late = late_plugin(assignment.workspace.root)
    try:
        return Scores(db_url, assignment.chapter, late)
    except UnknownAssignmentError:
        assignment.forget_release()
        assignment.release(db_url)
        return Scores(db_url, assignment.chapter, late)


def _engine_options(
    course: Course, chapter: str, workspace: Workspace, folder: Path, options: Options
) -> EngineOptions:
    preload = imports_of(path.read_text(encoding="utf-8") for path in course.sources(chapter))
    hidden = {str(course.root), str(workspace.root), str(folder.resolve())}
    return EngineOptions(preload, options.limits(), tuple(sorted(hidden)), options.unsafe)


def _wanted(found: Deliveries, only: Sequence[str]) -> list[Delivery]:
    if not only:
        return list(found)
    known = {delivery.student for delivery in found}
    if missing := [name for name in only if name not in known]:
        some = ", ".join(sorted(known)[:10])
        raise CourseError(f"--only {missing[0]}: no such student among the submissions: {some}")
    return [delivery for delivery in found if delivery.student in only]


def _problem_rows(found: Deliveries, only: Sequence[str]) -> list[Row]:
    """A row for each thing that may be a submission but whose student cannot be told."""
    if only:
        return []
    return [new_row(problem.name, "refused", note=problem.why) for problem in found.problems]


@dataclass
class _Student:
    """One student while their notebooks are being run."""

    delivery: Delivery
    submission: Submission
    keys: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    failed: str = ""
    started: float = field(default_factory=time.perf_counter)

    @property
    def complete(self) -> bool:
        return bool(self.failed) or len(self.runs) == len(self.submission.notebooks)


@dataclass
class Grading:
    """One assignment of one class."""

    course: Course
    chapter: str
    workspace: Workspace
    ours: dict[str, Ours]
    options: Options
    folder: Path
    pool: Pool

    def __post_init__(self) -> None:
        self.digests = {name: _digest(mine) for name, mine in self.ours.items()}
        self.base = digest([environment(), self.options.limits().to_plain(), self.options.unsafe])
        self.earlier = self._before()  # before anything is done: what cannot be read is not written over
        self.answers: dict[str, dict[str, str]] = {}
        self.pending: dict[Future[dict[str, Any]], tuple[_Student, str]] = {}
        self.references: dict[str, tuple[str, Future[dict[str, Any]]]] = {}
        self.once_more: list[tuple[_Student, str]] = []

    # The run over everybody.

    def begin(self, wanted: Sequence[Delivery]) -> None:
        """Have our own solutions and the notebooks of the first students run; nothing is written before `all`."""
        for name, mine in self.ours.items():
            task = plain_job(reference_job(mine))
            key = self._key(name, task)
            if self.workspace.load_run(key) is None:
                self.references[name] = key, self.pool.submit(task)
        self.count = len(wanted)
        self.coming = iter(wanted)
        first = [self._begin(delivery) for delivery in itertools.islice(self.coming, AHEAD * self.pool.width)]
        self.known = [student for student in first if student.complete]

    def all(self, scores: Scores, released: Path, progress: Callable[[int, int, str], None]) -> list[Row]:
        """Grade everybody; a bounded number of notebooks is under way or waiting to be written at any time."""
        self.due = scores.assignment.duedate is not None
        self.templates = {name: read_template(released / f"{name}.ipynb") for name in self.ours}
        rows: list[Row] = []
        batch: list[Scored] = []
        written = time.monotonic()
        try:
            for student in self._finished():
                row, scored = self._finish(student)
                rows.append(row)
                if scored is not None:
                    batch.append(scored)
                progress(len(rows), self.count, student.delivery.student)
                if len(batch) >= BATCH or time.monotonic() - written > BATCH_SECONDS:
                    scores.save(batch)
                    batch, written = [], time.monotonic()
        finally:
            if batch:
                scores.save(batch)
        return rows

    def check_references(self) -> None:
        """Wait for our own solutions; raise one line where they do not get full marks on this machine."""
        for name, (key, future) in self.references.items():
            run = run_from(future.result())
            if run.fault or run.doubt:
                run = run_from(self.pool.submit(plain_job(reference_job(self.ours[name]))).result())
            if why := why_not_full(self.ours[name], run):
                raise CourseError(f"{why}. Nothing was graded: mend the course, or this machine")
            self.workspace.save_run(key, run)

    def _key(self, name: str, task: dict[str, Any]) -> str:
        """What a run depends on."""
        return digest([self.base, self.digests[name], task["items"]])

    def _finished(self) -> Iterator[_Student]:
        """Students as their last notebook ends; what was run before, or cannot be run, comes at once."""
        try:
            yield from self.known
            for delivery in self.coming:
                while len(self.pending) >= 2 * self.pool.width + 2:
                    yield from self._collect()
                student = self._begin(delivery)
                if student.complete:
                    yield student
            while self.pending:
                yield from self._collect()
            while self.once_more:  # one at a time, with nothing beside it
                student, name = self.once_more.pop(0)
                if not student.failed:
                    self.pending[self.pool.submit(self._task(student, name))] = student, name
                    yield from self._collect(alone=True)
        finally:
            for future in self.pending:
                future.cancel()

    def _begin(self, delivery: Delivery) -> _Student:
        student = _read(delivery, self.ours)
        for name in student.submission.notebooks:
            task = self._task(student, name)
            key = student.keys[name] = self._key(name, task)
            known = None if self.options.again else self.workspace.load_run(key)
            if known is not None:
                student.runs[name] = known
            else:
                self.pending[self.pool.submit(task)] = student, name
        return student

    def _task(self, student: _Student, name: str) -> dict[str, Any]:
        return plain_job(make_job(self.ours[name], student.submission.notebooks[name]))

    def _collect(self, *, alone: bool = False) -> Iterator[_Student]:
        """Students who are complete now. What our side broke, or the clock, is run once more before it counts."""
        for future in wait(self.pending, return_when=FIRST_COMPLETED).done:
            student, name = self.pending.pop(future)
            if student.failed:
                continue
            try:
                run = run_from(future.result())
            except Exception as error:
                student.failed = _engine_failure(error)
            else:
                if (run.fault or run.doubt) and not alone:
                    self.once_more.append((student, name))
                    continue
                self._settle(student, name, run)
            if student.complete:
                yield student

    def _settle(self, student: _Student, name: str, run: Run) -> None:
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

    # One student.

    def _finish(self, student: _Student) -> tuple[Row, Scored | None]:
        """Write a student's files; returns the row and what goes into the gradebook: nothing if it was our failure."""
        name, submission = student.delivery.student, student.submission
        row = new_row(name, "graded")
        row["display_name"] = student.delivery.display_name
        row["lms"] = dict(student.delivery.lms)
        notes = [*student.delivery.notes, *submission.notes, *submission.refused.values()]
        if self.due and not student.delivery.timestamp and not any(UNKNOWN in note for note in notes):
            notes.append(UNKNOWN)
        row["incidents"] += [incident(file, "", "refused", why) for file, why in submission.refused.items()]
        if student.failed:
            row["status"] = "failed"
            notes.append(student.failed)
        elif not submission.notebooks:
            row["status"] = "refused"
            notes = notes or ["no notebook was handed in"]
        self._describe(row, student, notes)
        if not student.failed:
            self._write_back(student)
        row["note"] = "; ".join(notes)
        row["seconds"] = round(sum(sum(c.seconds for c in run.cells.values()) for run in student.runs.values()), 2)
        row["cpu_seconds"] = round(sum(run.cpu_seconds for run in student.runs.values()), 3)
        self._remember_answers(name, submission)
        return row, None if student.failed else self._scored(student, row)

    def _describe(self, row: Row, student: _Student, notes: list[str]) -> None:
        """The exercises, incidents and digests of a row, over all notebooks of the assignment."""
        for name, ours in self.ours.items():
            run = student.runs.get(name)
            placed = student.submission.notebooks.get(name, [])
            if run is None:
                if row["status"] == "graded" and name not in _stems(student.submission.refused):
                    notes.append(f"{name}.ipynb: not handed in")
                run = Run({}, "could not be graded" if student.failed else "was not handed in")
            elif run.ended:
                row["status"] = run.ended
            row["digests"][name] = [self.digests[name], student.keys.get(name, "")]
            row["incidents"] += [incident(name, exercise_of(i.cell), i.kind, i.text) for i in run.incidents]
            notes += [f"{exercise_of(i.cell)}: {i.text}" for i in worst(run.incidents)]
            row["exercises"] += [exercise(r) for r in exercise_results(name, ours.tests, run, placed)]
            row["exercises"] += [by_hand(name, cell, most) for cell, most in ours.by_hand.items()]

    def _scored(self, student: _Student, row: Row) -> Scored:
        points: dict[str, dict[str, float | None]] = {}
        unanswered = {}
        for name, placed in student.submission.notebooks.items():
            run = student.runs.get(name)
            if run is None:
                continue
            ours = self.ours[name]
            points_of = {test: earned(worth, run.cells.get(test)) for test, worth in ours.tests.items()}
            stubs = {c["metadata"]["nbgrader"]["grade_id"]: c["source"] for c in _graded(self.templates[name])}
            empty = frozenset(p.name for p in placed if stubs.get(p.name) == p.cell.source and not p.ours)
            by_hand: dict[str, float | None] = {cell: 0.0 if cell in empty else None for cell in ours.by_hand}
            points[name] = {**points_of, **by_hand}
            unanswered[name] = empty
        return Scored(row["student"], points, unanswered, student.delivery.timestamp, student.delivery.display_name)

    def _write_back(self, student: _Student) -> None:
        submission = student.submission
        runs = {n: (self.ours[n], placed, student.runs[n]) for n, placed in submission.notebooks.items()}
        write_back(
            self.workspace,
            self.chapter,
            student.delivery.student,
            runs,
            self.templates,
            notes=submission.notes,
            timestamp=student.delivery.timestamp,
            handed_in_at=self.folder,
        )

    def _remember_answers(self, student: str, submission: Submission) -> None:
        """For the comparison of students: their solution cells by name."""
        self.answers[student] = {
            p.name: p.cell.source
            for placed in submission.notebooks.values()
            for p in placed
            if p.cell.kind == "code" and p.cell.nbgrader.get("solution")
        }

    # Everybody together.

    def results(self, rows: list[Row], scores: Scores, found: Deliveries, started: float) -> dict[str, Any]:
        """What `results.json` holds; rows of an earlier run stay where only some students were graded."""
        earlier = self.earlier
        before = {row["student"]: row for row in earlier["rows"]}
        totals = scores.totals()
        for row in rows:
            add_total(row, totals.get(row["student"]))
        changes = score_changes(before, rows)
        mine = {row["student"] for row in rows}
        if self.options.only:
            rows = rows + [row for row in before.values() if row["student"] not in mine]
        rows.sort(key=lambda row: str(row["student"]))
        seconds = time.time() - started
        return {
            "assignment": self.chapter,
            "max_score": sum(sum(o.tests.values()) + sum(o.by_hand.values()) for o in self.ours.values()),
            "rows": rows,
            "similar": earlier.get("similar", []) if self.options.only else self._similar(),
            "changes": changes,
            "notes": [*found.notes, *([found.layout] if found.layout else [])],
            "run": {
                "started": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(started)),
                "seconds": round(seconds, 2),
                "submissions": len(mine),
                "submissions_a_minute": round(60 * len(mine) / seconds, 1) if seconds else 0.0,
                "unsafe": self.options.unsafe,
                "workers": self.pool.width,
                "sandbox": list(sandbox.probe().layers()) if not self.options.scheduler else [],
            },
        }

    def _before(self) -> dict[str, Any]:
        """The results of the last run here of this assignment."""
        path = self.workspace.root / "results.json"
        earlier = load_results(path) if path.exists() else {}
        return earlier if earlier.get("assignment") == self.chapter else {"rows": []}

    def _similar(self) -> list[Any]:
        base = {c["metadata"]["nbgrader"]["grade_id"]: c["source"] for t in self.templates.values() for c in _graded(t)}
        return list(similar_pairs(self.answers, base, known_answers(self.course, self.chapter)))


def _read(delivery: Delivery, ours: dict[str, Ours]) -> _Student:
    """What a student handed in. Where we cannot cope with it, that is our failure, and no other row pays for it."""
    try:
        return _Student(delivery, read_submission(delivery.files, ours))
    except (CourseError, OSError):
        raise
    except Exception as error:
        why = f"could not be read ({type(error).__name__}: {str(error)[:300]})"
        return _Student(delivery, Submission(), failed=why)


def _digest(ours: Ours) -> str:
    """Changes with all of ours that a result depends on: cells, data, recorded answers."""
    return digest([[vars(c) for c in ours.cells], _files(ours), ours.record])


def _files(ours: Ours) -> list[list[str]]:
    return [[name, digest(content.hex())] for name, content in ours.files]


def _graded(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for c in template["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]


def _stems(files: Any) -> set[str]:
    return {Path(name).stem for name in files}


def _engine_failure(error: Exception) -> str:
    if isinstance(error, EngineError):
        return f"could not be run: {error}"
    return f"could not be run ({type(error).__name__}: {str(error)[:300]})"
