"""Scores into nbgrader's gradebook: one connection, one transaction for a batch of students, nothing rewritten in vain.

What nbgrader's own `SaveAutoGrades` and `AssignLatePenalties` do for one notebook with a connection each is done here
for many at once, through the same models; scores and comments that a person gave stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autograder.errors import CourseError
from autograder.gradebook import COURSE_ID


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


class Scores:
    """The gradebook of a course, for writing one assignment's results and reading the totals back."""

    def __init__(self, url: str, assignment: str, late_plugin: Any = None) -> None:
        from nbgrader.api import Gradebook, MissingEntry

        try:
            self.gradebook = Gradebook(url, COURSE_ID)
            self.assignment = self.gradebook.find_assignment(assignment)
        except MissingEntry as error:
            raise CourseError(f"{assignment}: not in the gradebook: run `autograder release {assignment}`") from error
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CourseError(f"{url}: the gradebook cannot be opened ({reason})") from error
        notebooks = self.assignment.notebooks
        self.notebook_names = {notebook.id: notebook.name for notebook in notebooks}
        cells = [c for n in notebooks for c in (*n.grade_cells, *n.solution_cells, *n.task_cells)]
        self.cell_names = {cell.id: cell.name for cell in cells}
        self.late_plugin = late_plugin
        self.name = assignment

    def __enter__(self) -> Scores:
        return self

    def __exit__(self, *details: object) -> None:
        self.gradebook.close()

    def set_due(self, when: str) -> None:
        """When the assignment was due; what came later is late."""
        from nbgrader import utils

        try:
            self.assignment.duedate = utils.parse_utc(when)
        except (ValueError, OverflowError) as error:
            raise CourseError(f"--due {when}: not a date and time, as in 2026-12-01 23:59 UTC") from error
        self.gradebook.db.commit()

    def save(self, batch: Sequence[Scored]) -> None:
        """Write a batch in one transaction: all of it or, after an error, none."""
        session = self.gradebook.db
        try:
            with session.no_autoflush:
                for scored in batch:
                    self._save_one(scored, session)
            session.commit()
        except BaseException:
            session.rollback()
            raise

    def _save_one(self, scored: Scored, session: Any) -> None:
        from nbgrader import utils

        submission = self._submission(scored, session)
        if scored.timestamp:
            submission.timestamp = utils.parse_utc(scored.timestamp)
        for notebook in submission.notebooks:
            name = self.notebook_names[notebook.notebook_id]
            points = scored.points.get(name)
            for grade in notebook.grades:
                earned = 0.0 if points is None else points.get(self.cell_names[grade.cell_id], 0.0)
                _set_grade(grade, earned)
            empty = scored.unanswered.get(name, frozenset())
            for comment in notebook.comments:
                _set(comment, "auto_comment", "No response." if self.cell_names[comment.cell_id] in empty else None)
        self._penalise(submission, session)

    def _submission(self, scored: Scored, session: Any) -> Any:
        """The submission's row with rows for its notebooks, grades and comments, made where they are missing."""
        from nbgrader.api import Student, SubmittedAssignment

        student = session.get(Student, scored.student)
        if student is None:
            student = Student(id=scored.student)
            if scored.display_name:
                *first, last = scored.display_name.split()
                student.first_name, student.last_name = " ".join(first)[:128], last[:128]
            session.add(student)
            session.flush()
        query = session.query(SubmittedAssignment)
        found = query.filter_by(assignment_id=self.assignment.id, student_id=scored.student).one_or_none()
        if found is not None:
            self._complete(found, session)
            return found
        submission = SubmittedAssignment(assignment=self.assignment, student=student)
        session.add(submission)
        session.flush()
        self._complete(submission, session)
        return submission

    def _complete(self, submission: Any, session: Any) -> None:
        """Rows for cells that were added to the assignment after this submission was first graded."""
        from nbgrader.api import Comment, Grade, SubmittedNotebook

        there = {notebook.notebook_id: notebook for notebook in submission.notebooks}
        added = False
        for notebook in self.assignment.notebooks:
            row = there.get(notebook.id)
            if row is None:
                row = SubmittedNotebook(notebook_id=notebook.id, assignment_id=submission.id)
                session.add(row)
                session.flush()
            graded = {grade.cell_id for grade in row.grades}
            commented = {comment.cell_id for comment in row.comments}
            for cell in [*notebook.grade_cells, *notebook.task_cells]:
                if cell.id not in graded:
                    session.add(Grade(cell_id=cell.id, notebook_id=row.id))
                    added = True
            for cell in [*notebook.solution_cells, *notebook.task_cells]:
                if cell.id not in commented:
                    session.add(Comment(cell_id=cell.id, notebook_id=row.id))
                    added = True
        if added:
            session.flush()
            session.refresh(submission)

    def _penalise(self, submission: Any, session: Any) -> None:
        """nbgrader's late penalties, by the plugin that the course configured."""
        late = submission.total_seconds_late
        if not late and all(n.late_submission_penalty is None for n in submission.notebooks):
            return
        session.flush()
        for notebook in submission.notebooks:
            session.refresh(notebook)
            penalty = None
            if late > 0 and self.late_plugin is not None:
                penalty = self.late_plugin.late_submission_penalty(submission.student_id, notebook.score, late)
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
        mine = SubmittedAssignment.assignment_id == self.assignment.id
        found = {
            student: Total(max(0.0, float(score) - float(penalty or 0.0)), float(penalty or 0.0))
            for student, score, penalty in self.gradebook.db.query(*columns).filter(mine)
        }
        if self.assignment.duedate is not None:
            for submission in self.gradebook.db.query(SubmittedAssignment).filter(mine):
                late = float(submission.total_seconds_late)
                found[submission.student_id] = replace(found[submission.student_id], seconds_late=late)
        return found


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
