"""Scores back to where they are needed: a plain CSV, Canvas's gradebook, Moodle's grading worksheet.

`results` is what `results.json` holds. A student's row is found in a roster (the file that the LMS itself exports) by
the number that the LMS put into its zip, by the student's id (a login, an e-mail address), or by name. What is in the
roster stays as it is, but for the scores that are filled in; what could not be filled in is returned, a line for each.

The facts about the files are from the sources of Canvas (canvas-lms/lib/gradebook_exporter.rb, gradebook_importer.rb)
and Moodle (mod/assign/gradingtable.php, mod/assign/feedback/offline/importgradeslib.php and locallib.php).
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.handed_in.trees import safe_id

Results = Mapping[str, Any]
Row = Mapping[str, Any]


# The plain CSV


def write_csv(results: Results, path: Path) -> None:
    """A row for each student, with the points of each exercise; with the mark by which Excel knows UTF-8."""
    rows = results["rows"]
    columns = _exercise_columns(rows)
    named = any(row.get("display_name", row["student"]) != row["student"] for row in rows)
    header = ["student", *(["name"] if named else []), "status", "score", "max_score", *columns.values(), "note"]
    table: list[list[Any]] = [header]
    for row in rows:
        points = {(e["notebook"], e["exercise"]): e["points"] for e in row["exercises"]}
        start = [row["student"], *([row.get("display_name", "")] if named else []), row["status"], row["score"]]
        table.append([*start, results["max_score"], *(points.get(key, 0.0) for key in columns), row["note"]])
    _Sheet([[no_formula(cell) for cell in line] for line in table], has_mark=True).write(path)


def _exercise_columns(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """A heading for each exercise, with its notebook where two notebooks have one of the name."""
    keys = dict.fromkeys((e["notebook"], e["exercise"]) for row in rows for e in row["exercises"])
    shared = Counter(exercise for _, exercise in keys)
    return {(book, name): f"{book}/{name}" if shared[name] > 1 else name for book, name in keys}


FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def no_formula(value: Any) -> Any:
    """A spreadsheet must not run what a student wrote; a number stays a number.

    OWASP's advice on CSV injection: a quotation mark before a first character that starts a formula, and the same
    after a separator at which another country's spreadsheet may cut a cell.
    """
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    text = re.sub(r"([;\t\r\n]\s*)(?=[=+\-@＝＋－＠])", r"\1'", value)
    return f"'{text}" if FORMULA.match(text) else text


# Sheets: a CSV as the LMS wrote it

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how spreadsheets write "Unicode text"


@dataclass
class _Sheet:
    """The cells of a CSV file, and how it was written."""

    rows: list[list[Any]]
    delimiter: str = ","
    has_mark: bool = False  # begins with the byte order mark, which Excel needs and both importers allow

    @classmethod
    def read(cls, path: Path) -> _Sheet:
        try:
            data = path.read_bytes()
            text = data.decode("utf-16" if data[:2] in UTF16 else "utf-8-sig")
        except OSError as error:
            raise CourseError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise CourseError(f"{path}: not in UTF-8: use the file as the LMS exported it, not saved anew") from error
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise CourseError(f"{path}: not a CSV file ({error})") from error
        if not rows:
            raise CourseError(f"{path}: the file is empty: export it again")
        return cls(rows, delimiter, data[:2] in UTF16 or data.startswith(codecs.BOM_UTF8))

    def write(self, path: Path) -> None:
        try:
            with path.open("w", encoding="utf-8-sig" if self.has_mark else "utf-8", newline="") as file:
                csv.writer(file, delimiter=self.delimiter).writerows(self.rows)
        except OSError as error:
            raise CourseError(f"{path}: cannot be written ({error.strerror})") from error

    def column(self, *names: str) -> int | None:
        """The first column with one of these headings."""
        return next((i for i, cell in enumerate(self.rows[0]) if cell.strip() in names), None)

    def cell(self, row: int, column: int | None) -> str:
        cells = self.rows[row]
        return str(cells[column]).strip() if column is not None and column < len(cells) else ""

    def set(self, row: int, column: int, value: str) -> None:
        cells = self.rows[row]
        cells.extend([""] * (column + 1 - len(cells)))
        cells[column] = value


# Who is who


@dataclass(frozen=True)
class _Line:
    """A student in a roster: where, the LMS's number, and what else tells who it is."""

    index: int
    number: str
    cells: tuple[str, ...]

    def ids(self) -> set[str]:
        """What a student's id may be, `autograder.handed_in.delivery`'s own among them."""
        known = {self.number}
        for cell in filter(None, self.cells):
            canvas = re.sub(r"\W", "", cell.lower())
            known |= {cell, safe_id(cell), safe_id(f"{cell}_{self.number}"), safe_id(f"{canvas}_{self.number}")}
        return {name.casefold() for name in known}

    def names(self) -> set[str]:
        return {name for cell in self.cells for name in _spellings(cell)}


def _spellings(name: str) -> set[str]:
    """A name without case and punctuation, as it stands and with its words in order: "Doe, Jane" is "Jane Doe"."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).casefold())
    return {"".join(words), "".join(sorted(words))} - {""}


class _Roster:
    """Finds the line of each row of the results."""

    def __init__(self, lines: Iterable[_Line], lms_key: str) -> None:
        self.lines = list(lines)
        self.lms_key = lms_key
        self._numbers = self._index((line, [line.number]) for line in self.lines)
        self._ids = self._index((line, line.ids()) for line in self.lines)
        self._names = self._index((line, line.names()) for line in self.lines)

    @staticmethod
    def _index(known: Iterable[tuple[_Line, Iterable[str]]]) -> dict[str, list[_Line]]:
        index: dict[str, list[_Line]] = defaultdict(list)
        for line, keys in known:
            for key in keys:
                index[key].append(line)
        return index

    def find(self, row: Row) -> list[_Line]:
        """The lines that a row may belong to; by the LMS's own number alone, if the row has one."""
        number = row.get("lms", {}).get(self.lms_key)
        if number:
            return self._numbers.get(number, [])
        by_id = self._ids.get(row["student"].casefold(), [])
        if by_id:
            return by_id
        shown = _spellings(_name(row))
        return list({line.index: line for name in shown for line in self._names.get(name, [])}.values())


def _name(row: Row) -> str:
    return str(row.get("display_name") or row["student"])


def _agree(row: Row, line: _Line) -> bool:
    """Whether the names in the zip and in the roster are one person's."""
    return bool(_spellings(_name(row)) & line.names())


@dataclass
class _Match:
    """Which line each row fills, and what to say of the others."""

    pairs: list[tuple[Row, _Line]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def _match(results: Results, roster: _Roster, where: str) -> _Match:
    match = _Match()
    claims: dict[int, list[tuple[Row, _Line]]] = defaultdict(list)
    for row in results["rows"]:
        lines = roster.find(row)
        if row["status"] == "refused":
            match.said.append(f"{row['student']}: refused, so left as it was: {row.get('note', '')}")
        elif len(lines) == 1:
            claims[lines[0].index].append((row, lines[0]))
        else:
            match.said.append(f"{row['student']}: {'fits several students of' if lines else 'not in'} {where}")
    for claim in claims.values():
        best = claim if len(claim) == 1 else [pair for pair in claim if _agree(*pair)]
        match.pairs += best if len(best) == 1 else []
        for row, line in claim if len(best) != 1 else [pair for pair in claim if pair not in best]:
            rivals = ", ".join(other["student"] for other, _ in claim if other is not row)
            match.said.append(f"{row['student']}: has the number {line.number}, as has {rivals}: decide by hand")
    return match


def _points(row: Row, factor: float) -> str:
    """A score as both importers read it: a plain decimal number."""
    score = float(row["score"]) * factor
    if not math.isfinite(score):
        raise CourseError(f"{row['student']}: the score {score} is not a number: grade this student again")
    return f"{score:.4f}".rstrip("0").rstrip(".")


def _factor(results: Results, most: str, roster: Path, scale: bool) -> float:
    """What to multiply scores with, given the most points that the LMS knows of; 1, unless `scale` is asked for."""
    ours, theirs = float(results["max_score"]), _number(most)
    if theirs is None or theirs == 0 or math.isclose(ours, theirs):
        return 1.0
    if not scale or ours == 0:
        raise CourseError(
            f"{roster}: {theirs:g} points at most there and {ours:g} here: change it in the LMS and export again, "
            "or ask for scaled scores"
        )
    return theirs / ours


def _number(text: str) -> float | None:
    text = text.strip().replace(",", ".")
    return float(text) if NUMBER.fullmatch(text) else None


def _not_over(path: Path, roster: Path) -> None:
    if path.exists() and path.samefile(roster):
        raise CourseError(f"{path}: would replace the roster: write to another file")


# Canvas


def write_canvas(
    results: Results, path: Path, roster: Path | None = None, *, column: str = "", scale: bool = False
) -> list[str]:
    """A file for Canvas's Grades > Import; returns what was not filled in.

    `roster` is the gradebook that Canvas exports (Grades > Export). `column` is the heading, or the number, of the
    assignment's column there, if its title is not the assignment's name. Without a roster only students whose Canvas
    number the zip gave are written, and Canvas takes the column for a new assignment unless one has this very title.
    """
    if roster is None:
        return _write_canvas_anew(results, path, column or str(results["assignment"]))
    _not_over(path, roster)
    sheet = _Sheet.read(roster)
    number = sheet.column("ID")
    if number is None or not {"Student", "LastName"} & {cell.strip() for cell in sheet.rows[0]}:
        raise CourseError(f"{roster}: no columns Student and ID: give the gradebook as Canvas exports it")
    target = _canvas_column(sheet, column, str(results["assignment"]), roster)
    factor = _factor(results, _canvas_points(sheet, target), roster, scale)
    people = _Roster(_canvas_lines(sheet, number), "canvas_user")
    match = _match(results, people, roster.name)
    for row, line in match.pairs:
        if _is_excused(sheet, line, target):
            match.said.append(f"{row['student']}: excused in Canvas, so left as it was")
            continue
        sheet.set(line.index, target, _local(_points(row, factor), sheet))
        if row.get("lms") and not _agree(row, line):
            match.said.append(f"{row['student']}: filled in by number, but is {line.cells[0]} there: a group's work?")
    sheet.write(path)
    return match.said


def _local(number: str, sheet: _Sheet) -> str:
    """Canvas separates with semicolons where people write decimal commas."""
    return number.replace(".", ",") if sheet.delimiter == ";" else number


def _is_excused(sheet: _Sheet, line: _Line, target: int) -> bool:
    return sheet.cell(line.index, target).casefold() == "ex"


def _canvas_lines(sheet: _Sheet, number: int) -> Iterator[_Line]:
    """The students' lines. Lines without a number hold points or notes, and stay as they are."""
    info = [sheet.column(name) for name in ("Student", "SIS User ID", "SIS Login ID", "Integration ID")]
    first, last = sheet.column("FirstName"), sheet.column("LastName")
    for index in range(1, len(sheet.rows)):
        if sheet.cell(index, number).isdecimal():
            both = f"{sheet.cell(index, last)} {sheet.cell(index, first)}".strip()
            cells = [sheet.cell(index, column) for column in info]
            yield _Line(index, sheet.cell(index, number), (cells[0] or both, *cells[1:]))


def _canvas_points(sheet: _Sheet, target: int) -> str:
    """The assignment's cell in the line "    Points Possible"."""
    rows = [i for i, row in enumerate(sheet.rows[:5]) if row and "Points Possible" in row[0]]
    return sheet.cell(rows[0], target) if rows else ""


TITLE = re.compile(r"(?P<title>.*)\s\((?P<id>\d+)\)", re.S)  # canvas-lms: Assignment.title_and_id


def _canvas_column(sheet: _Sheet, column: str, assignment: str, roster: Path) -> int:
    """The column of the assignment: its heading is "Title (number)"."""
    titles = {i: match for i, cell in enumerate(sheet.rows[0]) if (match := TITLE.fullmatch(cell.strip()))}
    wanted = column or assignment
    exact = [i for i, title in titles.items() if wanted in (title[0], title["id"], title["title"])]
    if not exact and not column:
        exact = [i for i, title in titles.items() if wanted.casefold() in title["title"].casefold()]
    if len(exact) == 1:
        return exact[0]
    known = ", ".join(title[0] for title in titles.values()) or "none"
    raise CourseError(f"{roster}: which column is {wanted}? Give its heading; there are: {known}")


def _write_canvas_anew(results: Results, path: Path, title: str) -> list[str]:
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]
    most = f"{float(results['max_score']):g}"
    sheet = _Sheet([header, ["    Points Possible", "", "", "", "", most]], has_mark=True)
    where = "the zip from Canvas: give the gradebook that Canvas exports"
    match = _match(results, _numbers_alone(results, "canvas_user"), where)
    for row, line in match.pairs:
        sheet.rows.append([no_formula(_name(row)), line.number, "", "", "", _points(row, 1.0)])
    sheet.write(path)
    return match.said


def _numbers_alone(results: Results, key: str) -> _Roster:
    """For want of a roster: the numbers that the LMS's zip gave."""
    numbers = dict.fromkeys(str(row.get("lms", {}).get(key, "")) for row in results["rows"])
    return _Roster([_Line(i, number, ()) for i, number in enumerate(numbers) if number.isdecimal()], key)


# Moodle


def write_moodle(results: Results, path: Path, roster: Path | None = None, *, scale: bool = False) -> list[str]:
    """A file for Moodle's "Upload grading worksheet"; returns what was not filled in.

    `roster` is the assignment's "Download grading worksheet", in any language. Without it, only students whose
    participant's number the zip gave are written, as an English Moodle reads them: not for group assignments, whose
    zips give the groups' numbers. Comments are never touched: Moodle would replace a teacher's own. Moodle leaves out
    grades over its maximum, and grades that were changed there since.
    """
    if roster is None:
        return _write_moodle_anew(results, path)
    _not_over(path, roster)
    sheet = _Sheet.read(roster)
    worksheet = _Worksheet(sheet, roster)
    factor = _factor(results, worksheet.most, roster, scale)
    match = _match(results, _Roster(worksheet.lines(), "moodle_participant"), roster.name)
    for row, line in match.pairs:
        problem = worksheet.problem(row, line)
        if problem:
            match.said.append(f"{row['student']}: {problem}")
        else:
            sheet.set(line.index, worksheet.grade, worksheet.local(_points(row, factor)))
    sheet.write(path)
    return match.said


class _Worksheet:
    """Where things stand in a grading worksheet.

    The first column is always the identifier ("Participant 123"), and the column of the highest grade follows the
    column of grades (gradingtable.php); headings are in the language of whoever downloaded it.
    """

    def __init__(self, sheet: _Sheet, path: Path) -> None:
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

    def lines(self, grade: int | None = None) -> Iterator[_Line]:
        grade = self.grade if grade is None else grade
        for index in range(1, len(self.sheet.rows)):
            match = re.fullmatch(r"\D*(\d+)", self.sheet.cell(index, 0))
            if match:
                yield _Line(index, match[1], tuple(self.sheet.cell(index, i) for i in range(1, grade)))

    def _constant_column(self) -> int | None:
        """The last column that holds one and the same number in every line: nothing but the highest grade does."""
        rows = [i for i, row in enumerate(self.sheet.rows) if i and row]
        for column in reversed(range(2, len(self.sheet.rows[0]))):
            cells = {self.sheet.cell(i, column) for i in rows}
            if len(cells) == 1 and _number(cells.pop()) is not None:
                return column
        return None

    def problem(self, row: Row, line: _Line) -> str:
        """Why a grade must not go there. A group's number may be a participant's, so the names must agree."""
        if self.sheet.cell(line.index, self.sheet.column("Grade can be changed")).casefold() == "no":
            return "Moodle has locked the grade: left as it was"
        blind = _spellings(re.sub(r"\d+$", "", self.sheet.cell(line.index, 0)))
        if row.get("lms") and not _agree(row, line) and not _spellings(_name(row)) & blind:
            return f"participant {line.number} has another name there: left as it was (a group's work?)"
        return ""

    def local(self, number: str) -> str:
        return number.replace(".", ",") if "," in self.most else number


def _write_moodle_anew(results: Results, path: Path) -> list[str]:
    header = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
    most = f"{float(results['max_score']):g}"
    sheet = _Sheet([header], has_mark=True)
    where = "the zip from Moodle: give the grading worksheet"
    match = _match(results, _numbers_alone(results, "moodle_participant"), where)
    for row, line in match.pairs:
        sheet.rows.append([f"Participant {line.number}", no_formula(_name(row)), _points(row, 1.0), most, "-"])
    sheet.write(path)
    return match.said


# nbgrader export --exporter=autograder.lms.exports.CanvasExport


def __getattr__(name: str) -> Any:
    """The plugins of `nbgrader export`. nbgrader takes seconds to import: only its own command pays for that."""
    if name in ("CanvasExport", "MoodleExport"):
        return _plugins()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _plugins() -> dict[str, Any]:
    from nbgrader.plugins import ExportPlugin
    from traitlets import Bool, Unicode

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
            return write_canvas(results, path, roster, column=self.column, scale=self.scale)

    class MoodleExport(LmsExport):
        """A file for Moodle's grading worksheet."""

        default = "moodle.csv"

        def write(self, results: Results, path: Path, roster: Path | None) -> list[str]:
            return write_moodle(results, path, roster, scale=self.scale)

    return {"CanvasExport": CanvasExport, "MoodleExport": MoodleExport}


def _results_of(gradebook: Any, assignments: list[str], students: set[str]) -> dict[str, Any]:
    """What nbgrader's gradebook knows of one assignment, as `results` of ours; late penalties are taken off."""
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
            {
                "student": student.id,
                "status": "refused" if unseen else "graded",
                "note": "nbgrader says that it needs manual grading" if unseen else "",
                "score": max(0.0, submission.score - (submission.late_submission_penalty or 0.0)),
                "exercises": [],
                "display_name": f"{student.first_name or ''} {student.last_name or ''}".strip(),
                "lms": {"canvas_user": student.lms_user_id} if student.lms_user_id else {},
            }
        )
    most = gradebook.find_assignment(names[0]).max_score
    return {"assignment": names[0], "max_score": most, "rows": rows}
