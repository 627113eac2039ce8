"""Scores into nbgrader's gradebook: one connection, one transaction for a batch of students, nothing rewritten in vain.

What nbgrader's own `SaveAutoGrades` and `AssignLatePenalties` do for one notebook with a connection each is done here
for many at once, through the same models; scores and comments that a person gave stay.
"""

# nbgrader takes three seconds to import: done inside functions, it is done while the first notebooks are being run.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from autograder.errors import CourseError
from autograder.handed_in.times import read_time
from autograder.nbgrader.configuration import COURSE_ID, gradebook_errors
from autograder.notebook.source import exercise_of
from autograder.results import ByHand


@dataclass(frozen=True)
class Scored:
    """What one student's submission earned: points by notebook and cell; None for a cell that a person grades."""

    student: str
    points: Mapping[str, Mapping[str, float | None]]
    unanswered: Mapping[str, frozenset[str]] = field(default_factory=dict)  # left as released
    timestamp: str = ""
    display_name: str = ""


@dataclass(frozen=True)
class Total:
    """A student's points for the assignment, after the penalty for being late."""

    score: float
    penalty: float = 0.0
    seconds_late: float = 0.0


class _Cells:
    """What the gradebook has of one notebook of the assignment, read once."""

    def __init__(self, notebook: Any) -> None:
        self.notebook: str = notebook.name
        self.graded = [cell.id for cell in (*notebook.grade_cells, *notebook.task_cells)]
        self.commented = [cell.id for cell in (*notebook.solution_cells, *notebook.task_cells)]
        cells = (*notebook.grade_cells, *notebook.solution_cells, *notebook.task_cells)
        self.names: dict[str, str] = {cell.id: cell.name for cell in cells}


class UnknownAssignmentError(CourseError):
    """A gradebook that was made, or put in another's place, without this assignment."""


class Scores:
    """The gradebook of a course, for writing one assignment's results and reading the totals back."""

    def __init__(self, url: str, assignment: str, late_plugin: Any = None) -> None:
        from nbgrader.api import Gradebook, MissingEntry

        self.url = url
        try:
            with gradebook_errors(url):
                self.gradebook = Gradebook(url, COURSE_ID)
                self.assignment = self.gradebook.find_assignment(assignment)
        except MissingEntry as error:
            self.gradebook.close()
            raise UnknownAssignmentError(f"{url}: the gradebook knows no assignment {assignment}") from error
        except CourseError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CourseError(f"{url}: the gradebook cannot be used ({reason})") from error
        self.assignment_id: str = self.assignment.id
        self.notebooks = {n.id: _Cells(n) for n in self.assignment.notebooks}
        self.late_plugin = late_plugin
        self.name = assignment
        self.extensions: dict[str, timedelta] = {}

    def __enter__(self) -> Scores:
        return self

    def __exit__(self, *details: object) -> None:
        self.gradebook.close()

    def set_due(self, when: str) -> None:
        """When the assignment was due; what came later is late."""
        try:
            self.assignment.duedate = read_time(when)
        except ValueError as error:
            raise CourseError(f"--due {when}: {error}: write it as in 2026-12-01 23:59 UTC") from error
        self.gradebook.db.commit()

    def extend(self, until: Mapping[str, datetime | timedelta]) -> None:
        """Give some students more time: a due date of their own, or so much more. It stays in the gradebook."""
        due = self.assignment.duedate
        if until and due is None:
            raise CourseError(f"--extension {next(iter(until))}: when it was due for all is not known: add --due")
        for student, when in until.items():
            self.extensions[student] = when if isinstance(when, timedelta) else when - due
            if self.extensions[student] < timedelta(0):
                raise CourseError(f"--extension {student}: is before the due date, {due:%Y-%m-%d %H:%M} UTC")

    def save(self, batch: Sequence[Scored]) -> None:
        """Write a batch in one transaction: all of it or, after an error, none."""
        session = self.gradebook.db
        try:
            with gradebook_errors(self.url), session.no_autoflush:
                submissions = self._submissions(batch, session)
                for scored in batch:
                    self._save_one(scored, submissions[scored.student])
                self._penalise(submissions.values(), session)
            with gradebook_errors(self.url):
                session.commit()
        except BaseException:
            session.rollback()
            raise

    def _submissions(self, batch: Sequence[Scored], session: Any) -> Mapping[str, Any]:
        """Each student's submission with rows for its notebooks, grades and comments, made where they are missing."""
        from nbgrader.api import Student, SubmittedAssignment, SubmittedNotebook
        from sqlalchemy.orm import selectinload

        names = [scored.student for scored in batch]
        known = {name for (name,) in session.query(Student.id).filter(Student.id.in_(names))}
        session.add_all(_student(scored) for scored in batch if scored.student not in known)
        session.flush()  # the rows below refer to these
        below = selectinload(SubmittedAssignment.notebooks)
        rows = (
            session.query(SubmittedAssignment)
            .filter(SubmittedAssignment.assignment_id == self.assignment_id, SubmittedAssignment.student_id.in_(names))
            .options(below.selectinload(SubmittedNotebook.grades), below.selectinload(SubmittedNotebook.comments))
        )
        found = {row.student_id: row for row in rows}
        for name in names:
            if name not in found:
                found[name] = SubmittedAssignment(assignment_id=self.assignment_id, student_id=name)
                session.add(found[name])
            self._complete(found[name])
            if name in self.extensions:
                found[name].extension = self.extensions[name]
        return found

    def _complete(self, submission: Any) -> None:
        """Rows that are missing: all of a new submission, or those for cells that the assignment has got since."""
        from nbgrader.api import Comment, Grade, SubmittedNotebook

        there = {notebook.notebook_id: notebook for notebook in submission.notebooks}
        for number, cells in self.notebooks.items():
            row = there.get(number)
            if row is None:
                row = SubmittedNotebook(notebook_id=number)
                submission.notebooks.append(row)
            graded = {grade.cell_id for grade in row.grades}
            row.grades.extend(Grade(cell_id=cell) for cell in cells.graded if cell not in graded)
            commented = {comment.cell_id for comment in row.comments}
            row.comments.extend(Comment(cell_id=cell) for cell in cells.commented if cell not in commented)

    def _save_one(self, scored: Scored, submission: Any) -> None:
        if scored.timestamp:
            submission.timestamp = read_time(scored.timestamp)
        for notebook in submission.notebooks:
            cells = self.notebooks[notebook.notebook_id]
            points = scored.points.get(cells.notebook)
            for grade in notebook.grades:
                earned = 0.0 if points is None else points.get(cells.names[grade.cell_id], 0.0)
                _set_grade(grade, earned)
            empty = scored.unanswered.get(cells.notebook, frozenset())
            for comment in notebook.comments:
                _set(comment, "auto_comment", "No response." if cells.names[comment.cell_id] in empty else None)

    def _penalise(self, submissions: Iterable[Any], session: Any) -> None:
        """nbgrader's late penalties, by the plugin that the course configured."""
        if self.assignment.duedate is None:
            late = [s for s in submissions if any(n.late_submission_penalty is not None for n in s.notebooks)]
        else:
            late = list(submissions)
            session.flush()
        for submission in late:
            seconds = submission.total_seconds_late
            for notebook in submission.notebooks:
                session.refresh(notebook)
                penalty = None
                if seconds > 0 and self.late_plugin is not None:
                    penalty = self.late_plugin.late_submission_penalty(submission.student_id, notebook.score, seconds)
                if penalty is not None:
                    penalty = min(max(0.0, float(penalty)), notebook.score)
                _set(notebook, "late_submission_penalty", penalty)

    def totals(self) -> dict[str, Total]:
        """What the gradebook now says of each student, penalties taken off."""
        from nbgrader.api import SubmittedAssignment

        columns = (
            SubmittedAssignment.student_id,
            SubmittedAssignment.score,
            SubmittedAssignment.late_submission_penalty,
        )
        mine = SubmittedAssignment.assignment_id == self.assignment_id
        found = {
            student: Total(max(0.0, float(score) - float(penalty or 0.0)), float(penalty or 0.0))
            for student, score, penalty in self.gradebook.db.query(*columns).filter(mine)
        }
        if self.assignment.duedate is not None:
            for submission in self.gradebook.db.query(SubmittedAssignment).filter(mine):
                late = float(submission.total_seconds_late)
                found[submission.student_id] = replace(found[submission.student_id], seconds_late=late)
        return found


    def by_hand(self) -> dict[str, list[ByHand]]:
        """The points and comments that a person gave, by student, in the order of the exercises."""
        from nbgrader.api import Comment, Grade, SubmittedAssignment, SubmittedNotebook
        from sqlalchemy import or_

        found: dict[tuple[str, str, str], ByHand] = {}
        for kind in (Grade, Comment):
            given = [Grade.manual_score, Grade.extra_credit] if kind is Grade else [Comment.manual_comment]
            rows = (
                self.gradebook.db.query(
                    SubmittedAssignment.student_id, SubmittedNotebook.notebook_id, kind.cell_id, kind, *given
                )
                .join(SubmittedNotebook, kind.notebook_id == SubmittedNotebook.id)
                .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
                .filter(SubmittedAssignment.assignment_id == self.assignment_id)
                .filter(or_(*(column.isnot(None) for column in given)))
            )
            for student, notebook, cell, one, *_ in rows:
                cells = self.notebooks[notebook]
                key = student, cells.notebook, exercise_of(cells.names.get(cell, ""))
                known = found.get(key, ByHand(*key[1:]))
                if kind is Grade:
                    found[key] = replace(known, points=float(one.score))
                elif one.manual_comment.strip():
                    found[key] = replace(known, comment=one.manual_comment.strip())
        said: dict[str, list[ByHand]] = {}
        for (student, _, _), one in found.items():
            said.setdefault(student, []).append(one)
        return said


def _student(scored: Scored) -> Any:
    from nbgrader.api import Student

    student = Student(id=scored.student)
    if scored.display_name:
        *first, last = scored.display_name.split()
        student.first_name, student.last_name = " ".join(first)[:128], last[:128]
    return student


def _set_grade(grade: Any, earned: float | None) -> None:
    """A score as nbgrader sets it; a cell that a person graded is looked at again only if the score changed."""
    changed = grade.auto_score != earned
    fresh = grade.auto_score is None and grade.manual_score is None
    _set(grade, "auto_score", earned)
    if grade.manual_score is None:
        _set(grade, "needs_manual_grade", earned is None)
    elif changed and not fresh:
        grade.needs_manual_grade = True


def _set(row: Any, name: str, value: Any) -> None:
    if getattr(row, name) != value:
        setattr(row, name, value)
