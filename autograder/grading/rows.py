"""From a student's runs to a row of the results and to what goes into the gradebook.

Nothing is run and nothing written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.grading.verdicts import exercise_results, left_to_a_person, without_a_run
from autograder.handed_in.delivery import Deliveries, Delivery
from autograder.handed_in.intake import Submission
from autograder.handed_in.layouts import UNKNOWN
from autograder.nbgrader.gradebook import Scored, Total
from autograder.notebook.graded import NotebookJson, solutions_in
from autograder.notebook.points import earned
from autograder.notebook.rebuild import Ours
from autograder.notebook.source import exercise_of
from autograder.results import Change, Exercise, Incident, Kind, Row, Run, State, Status

MAX_MESSAGE = 4_000  # characters of a message in the results
MOST_TOLD = 3  # incidents that a row's note names: not every cell of a notebook that timed out


@dataclass
class Student:
    """One student: what came in, and what came of it. `failed` says what went wrong on our side, if anything."""

    delivery: Delivery
    submission: Submission
    keys: dict[str, str] = field(default_factory=dict)  # notebook → what its run depends on, as a digest
    runs: dict[str, Run] = field(default_factory=dict)  # notebook → run
    failed: str = ""

    @property
    def id(self) -> str:
        return self.delivery.student

    @property
    def complete(self) -> bool:
        return bool(self.failed) or len(self.runs) == len(self.submission.notebooks)


def row_of(student: Student, ours: Mapping[str, Ours], digests: Mapping[str, str], *, due: bool) -> Row:
    """The row of a student who is complete; `score` and `penalty` are the gradebook's to say (`with_total`).

    `digests` are of our notebooks, `due` says whether it counts when something was handed in.
    """
    submission, delivery = student.submission, student.delivery
    notes = [*delivery.notes, *submission.notes, *submission.refused.values()]
    if due and not delivery.timestamp and not any(UNKNOWN in note for note in notes):
        notes.append(UNKNOWN)
    incidents = [Incident("", Kind.REFUSED, why, file) for file, why in submission.refused.items()]
    exercises: list[Exercise] = []
    status = Status.GRADED
    if student.failed:
        status = Status.FAILED
        notes.append(student.failed)
    elif not submission.notebooks:
        status = Status.REFUSED
        notes = notes or ["no notebook was handed in"]
    refused = {Path(name).stem for name in submission.refused}
    for name, mine in ours.items():
        run = student.runs.get(name)
        if run is None:
            state = State.NOT_GRADED if student.failed else State.NOT_HANDED_IN
            exercises += without_a_run(name, mine.tests, state, mine.by_hand)
            if status is Status.GRADED and name not in refused:
                notes.append(f"{name}.ipynb: not handed in")
            continue
        if run.ended and not student.failed:
            status = Status(run.ended)
        told = [replace(i, cell=exercise_of(i.cell), notebook=name) for i in run.incidents]
        incidents += told
        notes += [f"{i.cell}: {i.text}" for i in told if i.kind is not Kind.FLOOD][:MOST_TOLD]
        verdicts = exercise_results(name, mine.tests, run, submission.notebooks[name])
        if verdicts and all(verdict.state is State.NOT_WRITTEN for verdict in verdicts):
            notes.append(f"{name}.ipynb: none of its exercises is written yet")
        exercises += verdicts + left_to_a_person(name, mine.by_hand)
    return Row(
        delivery.student,
        status,
        "; ".join(notes),
        seconds=round(sum(c.seconds for run in student.runs.values() for c in run.cells.values()), 2),
        cpu_seconds=round(sum(run.cpu_seconds for run in student.runs.values()), 3),
        exercises=tuple(
            replace(e, message=e.message[:MAX_MESSAGE], details=e.details[:MAX_MESSAGE]) for e in exercises
        ),
        incidents=tuple(replace(i, text=i.text[:MAX_MESSAGE]) for i in incidents),
        digests={name: (digests[name], student.keys.get(name, "")) for name in ours},
        display_name=delivery.display_name,
        lms=dict(delivery.lms),
    )


def scored(student: Student, ours: Mapping[str, Ours], templates: Mapping[str, NotebookJson]) -> Scored:
    """What goes into the gradebook. What a person grades has no points yet, and 0 where it is as it was released."""
    points: dict[str, dict[str, float | None]] = {}
    unanswered = {}
    for name, run in student.runs.items():
        mine, released = ours[name], solutions_in(templates[name])
        tests = {test: earned(worth, run.cells.get(test)) for test, worth in mine.tests.items()}
        empty = frozenset(
            p.name for p in student.submission.notebooks[name] if released.get(p.name) == p.cell.source and not p.ours
        )
        points[name] = {**tests, **{cell: 0.0 if cell in empty else None for cell in mine.by_hand}}
        unanswered[name] = empty
    return Scored(student.id, points, unanswered, student.delivery.timestamp, student.delivery.display_name)


def answers_of(submission: Submission) -> dict[str, str]:
    """A student's solution cells by name, for the comparison of students."""
    return {
        p.name: p.cell.source
        for placed in submission.notebooks.values()
        for p in placed
        if p.cell.kind == "code" and p.cell.nbgrader.get("solution")
    }


def rows_of_nobody(found: Deliveries) -> list[Row]:
    """A row for each thing that may be a submission but whose student cannot be told."""
    return [Row(problem.name, Status.REFUSED, problem.why) for problem in found.problems]


def with_total(row: Row, total: Total | None) -> Row:
    """With what the gradebook says of a student, penalties and a person's points included."""
    if total is None or row.status is Status.FAILED:
        return row
    late: tuple[Incident, ...] = ()
    if total.seconds_late:
        hours = f"{total.seconds_late / 3600:.1f} hours late"
        late = (Incident("", Kind.LATE, f"{hours}, {total.penalty:g} points taken off"),)
        said = late[0].text if total.penalty else hours
        row = replace(row, note="; ".join(filter(None, (said, row.note))))
    return replace(row, score=total.score, penalty=total.penalty, incidents=row.incidents + late)


def score_changes(before: Iterable[Row], rows: Iterable[Row]) -> list[Change]:
    """Whose points changed since the last run, on which exercise, and why."""
    earlier = {row.student: row for row in before}
    changes = []
    for row in rows:
        last = earlier.get(row.student)
        if last is None or Status.FAILED in (last.status, row.status):
            continue
        old = {(e.notebook, e.exercise): e.points for e in last.exercises}
        for now in row.exercises:
            points = old.get((now.notebook, now.exercise), now.points)
            if points != now.points:
                why = _why(last.digests.get(now.notebook), row.digests.get(now.notebook))
                changes.append(Change(row.student, now.notebook, now.exercise, points, now.points, why))
    return changes


def _why(old: tuple[str, str] | None, new: tuple[str, str] | None) -> str:
    if old is None or new is None or old[0] != new[0]:
        return "the notebook or its tests changed"
    return "another version was handed in" if old[1] != new[1] else "the same submission was run again"
