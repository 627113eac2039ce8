"""Moodle: the zip of "Download all submissions", read by its names, and its grading worksheet, filled in.

The facts are from Moodle's sources: mod/assign/classes/downloader.php (before Moodle 4.1 mod/assign/locallib.php) for
the zip, mod/assign/gradingtable.php, feedback/offline/importgradeslib.php and locallib.php for the worksheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from autograder.errors import CourseError
from autograder.handed_in.claims import Claim, Reading, children
from autograder.handed_in.trees import Node
from autograder.lms.roster import (
    Line,
    Roster,
    agree,
    factor,
    match_rows,
    numbers_alone,
    points,
    refuse_to_replace,
    require_some,
    spellings,
)
from autograder.lms.sheet import Sheet, no_formula, number_in
from autograder.results import Results, Row
from autograder.text import shown

NUMBER = "moodle_participant"  # the key of a student's number, in this one assignment, in `Row.lms`

# ---- reading

# moodle/mod/assign/classes/downloader.php: "FULL NAME_PARTICIPANT_assignsubmission_PLUGIN", a folder; up to Moodle 4.0
# with one more "_" after it (mod/assign/locallib.php); a prefix of files where the teacher asked for no folders. The
# name has no "_" of its own. Without a number: a team's default group.
MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_?|_(?P<file>.+))", re.S)


def named_so(name: str) -> bool:
    """Whether Moodle may have given a file or a folder this name."""
    return bool(MOODLE.fullmatch(name))


def read(top: Node) -> Reading:
    """Moodle's zip. The number is the participant's in this one assignment (its worksheet's "Participant 123").

    Another assignment gives the same student another number, and two students may share a name: so the id is made of
    both, and one student has one id for each assignment.
    """
    reading = Reading("a download from Moodle")
    claims: dict[tuple[str, str], Claim] = {}
    for node in top.children():
        match = MOODLE.fullmatch(node.name)
        if match is None or node.is_folder is bool(match["file"]):
            reading.stray(node, "not named as Moodle names a submission")
            continue
        name, number = match["name"], match["id"] or ""
        claim = claims.setdefault((name, number), Claim(f"{name}_{number}" if number else name))
        claim.display_name, claim.origin = shown(name), claim.name
        if number:
            claim.lms[NUMBER] = number
        else:
            claim.notes.append("no participant's number in the name: a group's submission?")
        if match["plugin"] == "file":
            inside = children(node, claim) if node.is_folder else [node]
            for file in inside:
                claim.add(file, match["file"] or "")
        else:
            claim.notes.append(f"{match['plugin']}: not a file: not opened")
    reading.claims += claims.values()
    return reading


# ---- writing


def write_moodle(results: Results, path: Path, roster: Path | None = None, *, scale: bool = False) -> list[str]:
    """A file for Moodle's "Upload grading worksheet"; returns what was not filled in.

    `roster` is the assignment's "Download grading worksheet", in any language. Without it, only students whose
    participant's number the zip gave are written, as an English Moodle reads them: not for group assignments, whose
    zips give the groups' numbers. Comments are never touched: Moodle would replace a teacher's own. Moodle leaves out
    grades over its maximum, and grades that were changed there since.
    """
    if roster is None:
        return _write_moodle_anew(results, path)
    refuse_to_replace(path, roster)
    sheet = Sheet.read(roster)
    worksheet = _Worksheet(sheet, roster)
    by = factor(results, worksheet.most, roster, scale)
    match = match_rows(results, Roster(worksheet.lines(), NUMBER), roster.name)
    require_some(match, results, roster.name)
    for row, line in match.pairs:
        problem = worksheet.problem(row, line)
        if problem:
            match.said.append(f"{row.student}: {problem}")
        else:
            sheet.set(line.index, worksheet.grade, worksheet.local(points(row, by)))
    sheet.write(path)
    return match.said


class _Worksheet:
    """Where things stand in a grading worksheet.

    The first column is always the identifier ("Participant 123"), and the column of the highest grade follows the
    column of grades (gradingtable.php); headings are in the language of whoever downloaded it.
    """

    def __init__(self, sheet: Sheet, path: Path) -> None:
        self.sheet = sheet
        if sheet.column("Scale") is not None:
            raise CourseError(f"{path}: Moodle grades this assignment in words: set it to points and download again")
        grade, most = sheet.column("Grade"), sheet.column("Maximum Grade", "Maximum grade")
        if grade is None:
            most = self._constant_column()
            grade = most - 1 if most is not None else None
        if grade is None or grade < 1 or not any(self.lines(grade)):
            raise CourseError(f"{path}: no identifiers and grades in it: give Moodle's grading worksheet")
        self.grade, self.most_column = grade, most
        self.most = sheet.cell(next(self.lines(grade)).index, most)

    def lines(self, grade: int | None = None) -> Iterator[Line]:
        grade = self.grade if grade is None else grade
        for index in range(1, len(self.sheet.rows)):
            match = re.fullmatch(r"\D*(\d+)", self.sheet.cell(index, 0))
            if match:
                yield Line(index, match[1], tuple(self.sheet.cell(index, i) for i in range(1, grade)))

    def _constant_column(self) -> int | None:
        """The last column that holds one and the same number in every line: nothing but the highest grade does."""
        rows = [i for i, row in enumerate(self.sheet.rows) if i and row]
        for column in reversed(range(2, len(self.sheet.rows[0]))):
            cells = {self.sheet.cell(i, column) for i in rows}
            if len(cells) == 1 and number_in(cells.pop()) is not None:
                return column
        return None

    def problem(self, row: Row, line: Line) -> str:
        """Why a grade must not go there. A group's number may be a participant's, so the names must agree."""
        if self.sheet.cell(line.index, self.sheet.column("Grade can be changed")).casefold() == "no":
            return "Moodle has locked the grade: left as it was"
        blind = spellings(re.sub(r"\d+$", "", self.sheet.cell(line.index, 0)))
        if row.lms and not agree(row, line) and not spellings(row.name) & blind:
            return f"participant {line.number} has another name there: left as it was (a group's work?)"
        return ""

    def local(self, number: str) -> str:
        return number.replace(".", ",") if "," in self.most else number


def _write_moodle_anew(results: Results, path: Path) -> list[str]:
    header = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
    most = f"{results.max_score:g}"
    sheet = Sheet([header], has_mark=True)
    where = "the zip from Moodle: give the grading worksheet with --roster"
    match = match_rows(results, numbers_alone(results, NUMBER), where)
    require_some(match, results, where)
    for row, line in match.pairs:
        sheet.rows.append([f"Participant {line.number}", no_formula(row.name), points(row, 1.0), most, "-"])
    sheet.write(path)
    return match.said
