"""Feedback on its way back: a zip of pages that Canvas or Moodle takes, and hands to the students.

Canvas, "Re-Upload Submissions": a file goes, as a comment, to whom its name names, NAME_USER_ATTACHMENT_…, with the
numbers of a file that this student handed in (canvas-lms: AbstractAssignment#infer_comment_context_from_filename); it
is shown under that file's name. Moodle, "Upload multiple feedback files in a zip": a folder NAME_PARTICIPANT_plugin, as
in the download (mod/assign/feedback/file/importziplib.php).
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from autograder.errors import CourseError
from autograder.files import read_regular
from autograder.lms import canvas, moodle
from autograder.results import Results, Row, Status

WHEN = (2026, 1, 1, 0, 0, 0)  # of every member: the same pages are the same zip
MOST = 50 * 2**20  # bytes of a page
OF_CANVAS = re.compile(r"(?P<who>(?:LATE_)?anon_[A-Za-z0-9]{5}_\d+|.*?_\d+_\d+)_.+", re.S)


def write_feedback(form: str, results: Results, folder: Path, path: Path) -> list[str]:
    """Write the pages in `folder` (nbgrader's `feedback/`) as a zip for `form`; returns who gets none, and why.

    Raises CourseError where nobody does: then nothing is written.
    """
    said: list[str] = []
    members: list[tuple[str, Path]] = []
    for row in results.rows:
        if row.status in (Status.REFUSED, Status.FAILED):
            said.append(f"{row.student}: {row.status}, so there is no feedback")
            continue
        pages = _pages(folder, row.student, results.assignment)
        prefix = _canvas_prefix(row) if form == "canvas" else _moodle_prefix(row)
        if not pages:
            said.append(f"{row.student}: no feedback in {folder}: grade again")
        elif not prefix:
            said.append(f"{row.student}: did not come in the zip of {form.capitalize()}, which says whose it is there")
        else:
            members += [(f"{prefix}{page.name}", page) for page in pages]
    if not members:
        raise CourseError(f"{path.name}: there is nothing to give back: {said[0] if said else 'no students'}")
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in members:
                archive.writestr(zipfile.ZipInfo(name, WHEN), read_regular(page, MOST), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise CourseError(f"{path}: cannot be written ({error.strerror})") from error
    if form == "canvas":
        said.append("Canvas shows a page under the name of the notebook handed in: tell students to save it as .html")
    return said


def _pages(folder: Path, student: str, assignment: str) -> list[Path]:
    """The one page with everything, or else a page for each notebook."""
    whole = folder / student / f"{assignment}.html"
    return [whole] if whole.is_file() else sorted((folder / student / assignment).glob("*.html"))


def _canvas_prefix(row: Row) -> str:
    """`doejane_12_345_`: whose file it was, and which."""
    match = OF_CANVAS.fullmatch(row.lms.get(canvas.FILE, ""))
    return f"{match['who']}_" if match else ""


def _moodle_prefix(row: Row) -> str:
    """`Jane Doe_678_assignsubmission_file/`: Moodle reads the number, and takes what follows for the file."""
    number = row.lms.get(moodle.NUMBER, "")
    name = re.sub(r"[_/\\]+", " ", row.name).strip() or "Participant"
    return f"{name}_{number}_assignsubmission_file/" if number else ""
