"""Canvas: the zip of "Download Submissions", read by its names, and its gradebook, filled in with scores.

The facts are from Canvas's sources: canvas-lms/lib/content_zipper.rb and app/models/attachment.rb for the zip,
lib/gradebook_exporter.rb and gradebook_importer.rb for the gradebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from autograder.errors import CourseError
from autograder.handed_in.claims import Claim, Reading
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
)
from autograder.lms.sheet import Sheet, no_formula
from autograder.results import Results
from autograder.text import shown

NUMBER = "canvas_user"  # the key of a student's number in `Row.lms`
FILE = "canvas_file"  # the key of a file that the student handed in, as Canvas named it: feedback goes back to it
LATE = "late, says Canvas"

# ---- reading

# canvas-lms/lib/content_zipper.rb: NAME[_LATE]_USER_ATTACHMENT_FILENAME, the name in lower case without spaces and
# punctuation; "anon_CODE" in place of name and user where grading is anonymous; text and links without an attachment.
# The number before the file's name is called a submission id in many places; in the source it is the attachment's.
CANVAS = re.compile(r"(?P<name>.*?)(?P<late>_(?:LATE|late))?_(?P<user>\d+)_(?P<attachment>\d+)_(?P<file>.+)", re.S)
CANVAS_TEXT = re.compile(r"(?P<name>.*?)(?P<late>_(?:LATE|late))?_(?P<user>\d+)_(?P<kind>text|link)\.html")
CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?anon_(?P<code>(?=[0-9]*[A-Za-z])[A-Za-z0-9]{5})_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<kind>text|link)\.html)",
    re.S,
)


def named_so(name: str) -> bool:
    """Whether Canvas may have given a file this name."""
    return any(pattern.fullmatch(name) for pattern in (CANVAS, CANVAS_TEXT, CANVAS_ANONYMOUS))


def read(top: Node) -> Reading:
    """Canvas's zip: all files in one folder, the student told by each file's name."""
    reading = Reading("a download from Canvas")
    claims: dict[tuple[str, str], Claim] = {}
    for node in top.children():
        match = CANVAS_ANONYMOUS.fullmatch(node.name) or CANVAS_TEXT.fullmatch(node.name) or CANVAS.fullmatch(node.name)
        if node.is_folder or match is None:
            reading.stray(node, "not named as Canvas names a submission")
            continue
        found = match.groupdict()
        claim = _canvas_claim(claims, found)
        if found.get("late") and LATE not in claim.notes:
            claim.notes.append(LATE)
        if found.get("kind"):
            claim.notes.append(f"{found['kind']} typed into Canvas, not a file: not opened")
        else:
            claim.add(node, found["file"], int(found["attachment"]))
            latest = max(claim.pieces, key=lambda piece: (piece.name.casefold().endswith(".ipynb"), piece.rank))
            claim.lms[FILE] = latest.node.name
    reading.claims += claims.values()
    return reading


def _canvas_claim(claims: dict[tuple[str, str], Claim], found: dict[str, str]) -> Claim:
    if "code" in found:
        name, lms = f"anon_{found['code']}", {"canvas_anonymous": found["code"]}
    else:
        name, lms = f"{found['name']}_{found['user']}", {NUMBER: found["user"]}
    claim = claims.setdefault((name, ""), Claim(name, lms=lms, origin=name))
    claim.display_name = shown(found.get("name") or name)
    return claim


# ---- writing


def write_canvas(
    results: Results | Sequence[Results],
    path: Path,
    roster: Path | None = None,
    *,
    column: str | Sequence[str] = "",
    scale: bool = False,
) -> list[str]:
    """A file for Canvas's Grades > Import; returns what was not filled in.

    `roster` is the gradebook that Canvas exports (Grades > Export). `column` is the heading, or the number, of the
    assignment's column there, if its title is not the assignment's name. Several results fill a column each, of those
    that `column` names in the same order. Without a roster only students whose Canvas number the zip gave are written,
    and Canvas takes the column for a new assignment unless one has this very title. Raises CourseError, and writes
    nothing, where a column would stay empty.
    """
    every = [results] if isinstance(results, Results) else list(results)
    columns = [column] if isinstance(column, str) else list(column)
    if any(columns) and len(columns) != len(every):
        raise CourseError(f"--column was given {len(columns)} times for {len(every)} assignments: give one for each")
    columns = columns if any(columns) else [""] * len(every)
    if roster is None:
        return _write_canvas_anew(every, path, columns)
    refuse_to_replace(path, roster)
    sheet = Sheet.read(roster)
    number = sheet.column("ID")
    if number is None or not {"Student", "LastName"} & {cell.strip() for cell in sheet.rows[0]}:
        raise CourseError(f"{roster}: no columns Student and ID: give the gradebook as Canvas exports it")
    people = Roster(_canvas_lines(sheet, number), NUMBER)
    said, taken = [], set()
    for one, title in zip(every, columns, strict=True):
        target = _canvas_column(sheet, title, one.assignment, roster)
        if target in taken:
            raise CourseError(f"{roster}: two assignments would fill one column: say which is whose with --column")
        taken.add(target)
        about = f"{one.assignment}: " if len(every) > 1 else ""
        said += [about + line for line in _fill(sheet, target, one, people, roster, scale)]
    sheet.write(path)
    return said


def _fill(sheet: Sheet, target: int, results: Results, people: Roster, roster: Path, scale: bool) -> list[str]:
    """Fill in the column of one assignment; what was not filled in."""
    by = factor(results, _canvas_points(sheet, target), roster, scale)
    match = match_rows(results, people, roster.name)
    require_some(match, results, roster.name)
    for row, line in match.pairs:
        if _is_excused(sheet, line, target):
            match.said.append(f"{row.student}: excused in Canvas, so left as it was")
            continue
        sheet.set(line.index, target, _local(points(row, by), sheet))
        if row.lms and not agree(row, line):
            match.said.append(f"{row.student}: filled in by number, but is {line.cells[0]} there: a group's work?")
    return match.said


def _local(number: str, sheet: Sheet) -> str:
    """Canvas separates with semicolons where people write decimal commas."""
    return number.replace(".", ",") if sheet.delimiter == ";" else number


def _is_excused(sheet: Sheet, line: Line, target: int) -> bool:
    return sheet.cell(line.index, target).casefold() == "ex"


def _canvas_lines(sheet: Sheet, number: int) -> Iterator[Line]:
    """The students' lines. Lines without a number hold points or notes, and stay as they are."""
    info = [sheet.column(name) for name in ("Student", "SIS User ID", "SIS Login ID", "Integration ID")]
    first, last = sheet.column("FirstName"), sheet.column("LastName")
    for index in range(1, len(sheet.rows)):
        if sheet.cell(index, number).isdecimal():
            both = f"{sheet.cell(index, last)} {sheet.cell(index, first)}".strip()
            cells = [sheet.cell(index, column) for column in info]
            yield Line(index, sheet.cell(index, number), (cells[0] or both, *cells[1:]))


def _canvas_points(sheet: Sheet, target: int) -> str:
    """The assignment's cell in the line "    Points Possible"."""
    rows = [i for i, row in enumerate(sheet.rows[:5]) if row and "Points Possible" in row[0]]
    return sheet.cell(rows[0], target) if rows else ""


TITLE = re.compile(r"(?P<title>.*)\s\((?P<id>\d+)\)", re.S)  # canvas-lms: Assignment.title_and_id


def _canvas_column(sheet: Sheet, column: str, assignment: str, roster: Path) -> int:
    """The column of the assignment: its heading is "Title (number)"."""
    titles = {i: match for i, cell in enumerate(sheet.rows[0]) if (match := TITLE.fullmatch(cell.strip()))}
    wanted = column or assignment
    exact = [i for i, title in titles.items() if wanted in (title[0], title["id"], title["title"])]
    if not exact and not column:
        exact = [i for i, title in titles.items() if wanted.casefold() in title["title"].casefold()]
    if len(exact) == 1:
        return exact[0]
    known = ", ".join(title[0] for title in titles.values()) or "none"
    raise CourseError(f"{roster}: which column is {wanted}? Give its heading with --column; there are: {known}")


def _write_canvas_anew(every: Sequence[Results], path: Path, columns: Sequence[str]) -> list[str]:
    titles = [column or results.assignment for column, results in zip(columns, every, strict=True)]
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles]
    most = [f"{results.max_score:g}" for results in every]
    where = "the zip from Canvas: give the gradebook that Canvas exports with --roster"
    lines: dict[str, list[str]] = {}
    said = []
    for place, results in enumerate(every):
        match = match_rows(results, numbers_alone(results, NUMBER), where)
        require_some(match, results, where)
        for row, line in match.pairs:
            empty = [no_formula(row.name), line.number, "", "", "", *([""] * len(every))]
            lines.setdefault(line.number, empty)[5 + place] = points(row, 1.0)
        said += [f"{results.assignment}: {note}" if len(every) > 1 else note for note in match.said]
    said.append(f"without --roster Canvas fills in a column called {' or '.join(titles)}, and makes a new one where it "
                "has none of that name")  # fmt: skip
    Sheet([header, ["    Points Possible", "", "", "", "", *most], *lines.values()], has_mark=True).write(path)
    return said
