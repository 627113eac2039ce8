"""The plugins of `nbgrader export`: what nbgrader's gradebook knows, as a file for Canvas or Moodle.

`nbgrader export --exporter=autograder.nbgrader.export.CanvasExport`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Unicode

from autograder.errors import CourseError
from autograder.lms import canvas, moodle
from autograder.results import Results, Row, Status


class LmsExport(ExportPlugin):  # type: ignore[misc]
    roster = Unicode("", help="the file that the LMS exports, to be filled in").tag(config=True)
    scale = Bool(False, help="scale scores to the LMS's highest grade").tag(config=True)

    def export(self, gradebook: Any) -> None:
        try:
            results = _results_of(gradebook, list(self.assignment), {str(name) for name in self.student})
            said = self.write(results, Path(self.to or self.default), Path(self.roster) if self.roster else None)
        except CourseError as error:
            self.log.error(str(error))
            raise SystemExit(1) from error
        for line in said:
            self.log.warning(line)


class CanvasExport(LmsExport):
    """A file for Canvas's gradebook."""

    default = "canvas.csv"
    column = Unicode("", help="the heading of the assignment's column in the roster").tag(config=True)

    def write(self, results: Results, path: Path, roster: Path | None) -> list[str]:
        return canvas.write_canvas(results, path, roster, column=self.column, scale=self.scale)


class MoodleExport(LmsExport):
    """A file for Moodle's grading worksheet."""

    default = "moodle.csv"

    def write(self, results: Results, path: Path, roster: Path | None) -> list[str]:
        return moodle.write_moodle(results, path, roster, scale=self.scale)


def _results_of(gradebook: Any, assignments: list[str], students: set[str]) -> Results:
    """What nbgrader's gradebook knows of one assignment, as results of ours; late penalties are taken off."""
    names = assignments or [assignment.name for assignment in gradebook.assignments]
    if len(names) != 1:
        raise CourseError(f"""which assignment? Add --assignment='["{names[0] if names else "NAME"}"]'""")
    rows = []
    for submission in gradebook.assignment_submissions(names[0]):
        student = submission.student
        if students and student.id not in students:
            continue
        unseen = submission.needs_manual_grade
        rows.append(
            Row(
                student.id,
                Status.REFUSED if unseen else Status.GRADED,
                "nbgrader says that it needs manual grading" if unseen else "",
                score=max(0.0, submission.score - (submission.late_submission_penalty or 0.0)),
                display_name=f"{student.first_name or ''} {student.last_name or ''}".strip(),
                lms={canvas.NUMBER: student.lms_user_id} if student.lms_user_id else {},
            )
        )
    most = gradebook.find_assignment(names[0]).max_score
    return Results(names[0], most, tuple(rows))
