"""Scores on their way back: the plain CSV, Canvas's gradebook, Moodle's worksheet, nbgrader's own export."""

import csv
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.handed_in.delivery import deliveries
from autograder.lms.canvas import write_canvas
from autograder.lms.give_back import write_feedback
from autograder.lms.moodle import write_moodle
from autograder.lms.plain import write_csv
from autograder.lms.sheet import no_formula
from autograder.results import Exercise, Results, Row, State, Status

MARK = b"\xef\xbb\xbf"


def row(student: str, score: float = 3.0, status: Status = Status.GRADED, **more: Any) -> Row:
    exercises = (
        Exercise("heads", "split", score - 1, 4.0, State.PARTLY),
        Exercise("weights", "softmax", 1.0, 1.0, State.RIGHT),
    )
    return replace(Row(student, status, score=score, seconds=1.0, exercises=exercises), **more)


def results(*rows: Row, most: float = 5.0) -> Results:
    return Results("attention", most, rows)


def cells(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


Write = Callable[[str], Path]


@pytest.fixture
def roster(tmp_path: Path) -> Write:
    """A file of the LMS's with this text, as the LMS encodes it."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "roster.csv"
        path.write_bytes(text.lstrip("\n").replace("\n", "\r\n").encode(encoding))
        return path

    return write


# The plain CSV


def test_the_plain_csv(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = (row("zoë", 2.5), row("=cmd", -1.0, note="=HYPERLINK(1)"), row("ann", exercises=(), status=Status.REFUSED))
    write_csv(results(*rows), path)
    assert path.read_bytes().startswith(MARK)
    table = cells(path)
    assert table[0] == ["student", "status", "score", "max_score", "split", "softmax", "note"]
    assert table[1] == ["zoë", "graded", "2.5", "5.0", "1.5", "1.0", ""]
    assert table[2] == ["'=cmd", "graded", "-1.0", "5.0", "-2.0", "1.0", "'=HYPERLINK(1)"]
    assert table[3] == ["ann", "refused", "3.0", "5.0", "0.0", "0.0", ""]


def test_the_plain_csv_tells_exercises_of_one_name_apart_and_shows_names(tmp_path: Path) -> None:
    exercises = tuple(
        Exercise(book, "split", points, 4.0, State.PARTLY) for book, points in (("heads", 1.0), ("weights", 2.0))
    )
    write_csv(results(row("doe_12", exercises=exercises, display_name="Jané Doe")), tmp_path / "results.csv")
    table = cells(tmp_path / "results.csv")
    assert table[0] == ["student", "name", "status", "score", "max_score", "heads/split", "weights/split", "note"]
    assert table[1] == ["doe_12", "Jané Doe", "graded", "3.0", "5.0", "1.0", "2.0", ""]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("=1+1", "'=1+1"), ("+1-1", "'+1-1"), ("-rf", "'-rf"), ("@SUM(A1)", "'@SUM(A1)"), ("  =1", "'  =1")),
        *(("\t=1", "'\t'=1"), ("＝1", "'＝1"), ("a;=1", "a;'=1"), ("a\n-1+cmd", "a\n'-1+cmd"), ("-", "'-")),
        *(
            ("-1.5", "-1.5"),
            ("+3", "+3"),
            (-1.5, -1.5),
            (3, 3),
            ("ann", "ann"),
            ("a-b=c", "a-b=c"),
            ("0012", "0012"),
            ("", ""),
        ),
    ],
)
def test_formulas(value: Any, expected: Any) -> None:
    assert no_formula(value) == expected


@given(st.text())
@settings(max_examples=300)
def test_no_cell_starts_a_formula(text: str) -> None:
    made = no_formula(text)
    assert made == text or made.replace("'", "") == text.replace("'", "")
    for part in made.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        start = part.lstrip()[:1]
        assert start not in {*"=@＝＋－＠"} and (start not in {*"+-"} or made == text)


# Canvas

GRADEBOOK = """
Student,ID,SIS User ID,SIS Login ID,Section,"Homework 1: Attention (501)","Llama (502)",Homework Current Score
,,,,,Manual Posting,,
"    Points Possible",,,,,5.00,8.00,(read only)
"Doe, Jane",12,S0012,jdoe,Sec A,,7.00,88.00
"Lee, Ann",13,S0013,+alee,Sec A,1.00,,
"Xiaolong, 李",14,,xl@uni.edu,Sec B,,,
"Quiet, Quentin",15,S0015,qq,Sec B,,,
"Student, Test",99,,teststudent,Sec A,,,
"""


def test_canvas_keeps_the_roster_and_fills_in_the_column(tmp_path: Path, roster: Write) -> None:
    given_roster = roster(GRADEBOOK)
    rows = (
        row("doejane_12", 4.25, display_name="doejane", lms={"canvas_user": "12"}),
        row("+ALEE", 0.0, display_name="+ALEE"),
        row("xl@uni.edu", 1 / 3),
        row("bob", 5.0),
        row("gone_77", 5.0, display_name="gone", lms={"canvas_user": "77"}),
        row("qq", 0.0, status=Status.REFUSED, note="a link: not followed"),
    )
    said = write_canvas(results(*rows), tmp_path / "out.csv", given_roster)
    before, after = cells(given_roster), cells(tmp_path / "out.csv")
    assert [r[5] for r in after] == [before[0][5], "Manual Posting", "5.00", "4.25", "0", "0.3333", "", ""]
    for old, new in zip(before, after, strict=True):
        assert [*old[:5], *old[6:]] == [*new[:5], *new[6:]]
    assert said == [
        "bob: not in roster.csv",
        "gone_77: not in roster.csv",
        "qq: refused, so left as it was: a link: not followed",
    ]


def test_canvas_without_any_row_changes_no_byte(tmp_path: Path, roster: Write) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        given_roster = roster(GRADEBOOK.replace('"    Points Possible"', "    Points Possible"), encoding)
        write_canvas(results(), tmp_path / "out.csv", given_roster, column="502", scale=True)
        same = given_roster.read_bytes().replace(b'"Homework 1: Attention (501)"', b"Homework 1: Attention (501)")
        assert (tmp_path / "out.csv").read_bytes() == same.replace(b'"Llama (502)"', b"Llama (502)")


@pytest.mark.parametrize("column", ["501", "Homework 1: Attention", "Homework 1: Attention (501)", ""])
def test_canvas_finds_the_column(tmp_path: Path, roster: Write, column: str) -> None:
    write_canvas(results(row("jdoe", 2.0)), tmp_path / "out.csv", roster(GRADEBOOK), column=column)
    assert cells(tmp_path / "out.csv")[3][5] == "2"


def test_canvas_does_not_guess_the_column(tmp_path: Path, roster: Write) -> None:
    two = GRADEBOOK.replace("Llama (502)", "More attention (502)")
    for text, column in ((two, ""), (GRADEBOOK, "Nothing"), (GRADEBOOK, "attention")):
        with pytest.raises(CourseError, match=r"which column is .*there are: Homework 1: Attention \(501\), "):
            write_canvas(results(row("jdoe")), tmp_path / "out.csv", roster(text), column=column)
    assert not (tmp_path / "out.csv").exists()


def test_points_that_differ_are_an_error_or_are_scaled(tmp_path: Path, roster: Write) -> None:
    text = GRADEBOOK.replace("5.00,8.00", "100,8.00")
    with pytest.raises(CourseError, match=r"counts to 100 points there and to 5 here: change it in the LMS"):
        write_canvas(results(row("jdoe", 3.0)), tmp_path / "out.csv", roster(text))
    write_canvas(results(row("jdoe", 3.0)), tmp_path / "out.csv", roster(text), scale=True)
    assert cells(tmp_path / "out.csv")[3][5] == "60"


def test_canvas_two_rows_for_one_student(tmp_path: Path, roster: Write) -> None:
    jane = row("doejane_12", 4.0, display_name="doejane", lms={"canvas_user": "12"})
    bob = row("bob_12", 1.0, display_name="bob", lms={"canvas_user": "12"})
    said = write_canvas(results(bob, jane), tmp_path / "out.csv", roster(GRADEBOOK))
    assert cells(tmp_path / "out.csv")[3][5] == "4"
    assert said == ["bob_12: has the number 12, as has doejane_12: decide by hand"]
    both = results(bob, replace(bob, student="bob_2"), row("xl@uni.edu"))
    said = write_canvas(both, tmp_path / "out.csv", roster(GRADEBOOK))
    assert cells(tmp_path / "out.csv")[3][5] == ""
    assert len(said) == 2


def test_canvas_another_name_is_said(tmp_path: Path, roster: Write) -> None:
    group = row("groupone_12", 4.0, display_name="groupone", lms={"canvas_user": "12"})
    said = write_canvas(results(group), tmp_path / "out.csv", roster(GRADEBOOK))
    assert cells(tmp_path / "out.csv")[3][5] == "4"
    assert said == ["groupone_12: filled in by number, but is Doe, Jane there: a group's work?"]


def test_canvas_excused_students_stay_excused(tmp_path: Path, roster: Write) -> None:
    said = write_canvas(results(row("jdoe")), tmp_path / "out.csv", roster(GRADEBOOK.replace("Sec A,,7", "Sec A,EX,7")))
    assert cells(tmp_path / "out.csv")[3][5] == "EX"
    assert said == ["jdoe: excused in Canvas, so left as it was"]


def test_canvas_names_find_their_student_unless_two_have_them(tmp_path: Path, roster: Write) -> None:
    text = GRADEBOOK + '"Doe, Jane",16,S0016,jdoe2,Sec B,,,\n'
    rows = (row("Jane Doe", 1.0), row("ann_lee", 2.0, display_name="Ann Lee"), row("doejane_16", 3.0))
    said = write_canvas(results(*rows), tmp_path / "out.csv", roster(text))
    assert [r[5] for r in cells(tmp_path / "out.csv")[3:]] == ["", "2", "", "", "", "3"]
    assert said == ["Jane Doe: fits several students of roster.csv"]


def test_canvas_first_and_last_names_in_two_columns(tmp_path: Path, roster: Write) -> None:
    text = (
        "LastName,FirstName,ID,SIS Login ID,Section,Attention (501)\n    Points Possible,,,,,5\nDoe,Jane,12,jdoe,A,\n"
    )
    write_canvas(results(row("Jane Doe", 2.0)), tmp_path / "out.csv", roster(text))
    assert cells(tmp_path / "out.csv")[2] == ["Doe", "Jane", "12", "jdoe", "A", "2"]


def test_canvas_with_semicolons_and_decimal_commas(tmp_path: Path, roster: Write) -> None:
    text = "Student;ID;SIS Login ID;Section;Attention (501)\n    Points Possible;;;;5,00\nDoe, Jane;12;jdoe;A;\n"
    write_canvas(results(row("jdoe", 2.5)), tmp_path / "out.csv", roster(text, "utf-8-sig"))
    assert (tmp_path / "out.csv").read_bytes().startswith(MARK)
    assert cells(tmp_path / "out.csv", ";")[2] == ["Doe, Jane", "12", "jdoe", "A", "2,5"]


def test_canvas_without_a_roster(tmp_path: Path) -> None:
    rows = (
        row("doejane_12", 4.5, display_name="doejane", lms={"canvas_user": "12"}),
        row("x_13", 1.0, display_name="=x", lms={"canvas_user": "13"}),
        row("anon_aB3x9", 2.0, lms={"canvas_anonymous": "aB3x9"}),
        row("bob", 3.0),
    )
    said = write_canvas(results(*rows), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().startswith(MARK)
    assert cells(tmp_path / "out.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "attention"],
        ["    Points Possible", "", "", "", "", "5"],
        ["doejane", "12", "", "", "", "4.5"],
        ["'=x", "13", "", "", "", "1"],
    ]
    assert said == [
        *(
            f"{name}: not in the zip from Canvas: give the gradebook that Canvas exports with --roster"
            for name in ("anon_aB3x9", "bob")
        ),
        "without --roster Canvas fills in a column called attention, "
        "and makes a new one where it has none of that name",
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty: export it again"),
        (b"name,mark\nann,3\n", "no columns Student and ID: give the gradebook as Canvas exports it"),
        ("Student,ID,Section\nZoë,1,A\n".encode("cp1252"), "not in UTF-8: take the file as it was exported"),
        (b"PK\x03\x04 a workbook", 'a workbook, not a CSV file: save it from there as "CSV UTF-8"'),
        (b'Student,ID\n"' + b"x" * 200_000 + b'",1\n', "not a CSV file"),
    ],
)
def test_files_that_are_no_gradebook(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "roster.csv").write_bytes(data)
    with pytest.raises(CourseError) as error:
        write_canvas(results(row("ann")), tmp_path / "out.csv", tmp_path / "roster.csv")
    assert says in str(error.value)
    assert "roster.csv" in str(error.value)


def test_files_that_cannot_be_read_or_written(tmp_path: Path, roster: Write) -> None:
    with pytest.raises(CourseError, match=r"missing.csv: cannot be read \(No such file or directory\)"):
        write_canvas(results(), tmp_path / "out.csv", tmp_path / "missing.csv")
    with pytest.raises(CourseError, match=r"cannot be written"):
        write_csv(results(), tmp_path / "missing" / "out.csv")
    given_roster = roster(GRADEBOOK)
    with pytest.raises(CourseError, match="would replace the roster"):
        write_canvas(results(), given_roster, given_roster)


def test_a_score_that_is_no_number_is_not_written(tmp_path: Path, roster: Write) -> None:
    with pytest.raises(CourseError, match="jdoe: the score nan is not a number"):
        write_canvas(results(row("jdoe", float("nan"))), tmp_path / "out.csv", roster(GRADEBOOK))
    assert not (tmp_path / "out.csv").exists()


# Moodle

WORKSHEET = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
    '"Last modified (submission)","Last modified (grade)","Feedback comments"'
    """
"Participant 678","Jane Doe",jane@uni.edu,"Submitted for grading",,5.00,Yes,"Monday, 2 February 2026, 3:58 PM",-,
"Participant 679","Jane Doe",jane2@uni.edu,"Submitted for grading",,5.00,Yes,-,-,
"Participant 680","Bob O'Ray",bob@uni.edu,"Submitted for grading",1.00,5.00,Yes,-,-,"<p>well, done</p>"
"Participant 681","李 小龙",li@uni.edu,"No submission",,5.00,Yes,-,-,
"Participant 682","Ann Lee",ann@uni.edu,"No submission",,5.00,No,-,-,
"""
)


def moodle_row(name: str, number: str, score: float) -> Row:
    return row(f"{name.replace(' ', '_')}_{number}", score, display_name=name, lms={"moodle_participant": number})


def test_moodle_keeps_the_worksheet_and_fills_in_grades(tmp_path: Path, roster: Write) -> None:
    worksheet = roster(WORKSHEET, "utf-8-sig")
    rows = (
        moodle_row("Jane Doe", "679", 4.5),
        moodle_row("Bob ORay", "680", 2.0),
        row("li@uni.edu", 5.0),
        moodle_row("Group 1", "678", 1.0),
        row("ann@uni.edu", 3.0),
        row("Jane Doe", 3.0),
        moodle_row("Zed", "999", 3.0),
    )
    said = write_moodle(results(*rows), tmp_path / "out.csv", worksheet)
    assert (tmp_path / "out.csv").read_bytes().startswith(MARK)
    before, after = cells(worksheet), cells(tmp_path / "out.csv")
    assert [r[4] for r in after] == ["Grade", "", "4.5", "2", "5", ""]
    for old, new in zip(before, after, strict=True):
        assert [*old[:4], *old[5:]] == [*new[:4], *new[5:]]
    assert said == [
        "Jane Doe: fits several students of roster.csv",
        "Zed_999: not in roster.csv",
        "Group_1_678: participant 678 has another name there: left as it was (a group's work?)",
        "ann@uni.edu: Moodle has locked the grade: left as it was",
    ]


def test_moodle_in_another_language(tmp_path: Path, roster: Write) -> None:
    text = """
识别符,全名,"Email 地址",状态,成绩,最高分,成绩可以更改,最后修改时间（成绩）,反馈评语
参与者678,"Jane Doe",jane@uni.edu,已提交,"1,00","5,00",是,-,
参与者680,"Bob Ray",bob@uni.edu,已提交,,"5,00",是,-,
"""
    said = write_moodle(
        results(moodle_row("Jane Doe", "678", 4.5), row("bob@uni.edu", 2.0)), tmp_path / "out.csv", roster(text)
    )
    assert said == []
    assert [r[4] for r in cells(tmp_path / "out.csv")] == ["成绩", "4,5", "2"]


def test_moodle_with_blind_marking(tmp_path: Path, roster: Write) -> None:
    header = "Identifier,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade)"
    text = f"{header}\nParticipant 678,Submitted,,5.00,Yes,-\n"
    assert write_moodle(results(moodle_row("Participant", "678", 4.0)), tmp_path / "out.csv", roster(text)) == []
    assert cells(tmp_path / "out.csv")[1] == ["Participant 678", "Submitted", "4", "5.00", "Yes", "-"]


def test_moodle_points_that_differ(tmp_path: Path, roster: Write) -> None:
    text = WORKSHEET.replace("5.00,", "100.00,")
    with pytest.raises(CourseError, match="counts to 100 points there and to 5 here"):
        write_moodle(results(row("jane@uni.edu", 2.0)), tmp_path / "out.csv", roster(text))
    write_moodle(results(row("jane@uni.edu", 2.0)), tmp_path / "out.csv", roster(text), scale=True)
    assert cells(tmp_path / "out.csv")[1][4] == "40"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Identifier,Full name,Status,Grade,Scale\nParticipant 1,Ann,-,Good,Good\n", "grades this assignment in words"),
        ("First name,Surname,Total\nAnn,Lee,-\n", "no identifiers and grades in it: give Moodle's grading worksheet"),
        ("Name,Email,Grade\nAnn,a@b,1\n", "no identifiers and grades in it: give Moodle's grading worksheet"),
    ],
)
def test_files_that_are_no_worksheet(tmp_path: Path, roster: Write, text: str, says: str) -> None:
    with pytest.raises(CourseError, match=says):
        write_moodle(results(row("ann")), tmp_path / "out.csv", roster(text))


def test_moodle_without_a_worksheet(tmp_path: Path) -> None:
    rows = (moodle_row("Jane Doe", "678", 4.5), moodle_row("李 小龙", "681", 2.0), row("bob", 1.0))
    said = write_moodle(results(*rows), tmp_path / "out.csv")
    assert cells(tmp_path / "out.csv") == [
        ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"],
        ["Participant 678", "Jane Doe", "4.5", "5", "-"],
        ["Participant 681", "李 小龙", "2", "5", "-"],
    ]
    assert said == ["bob: not in the zip from Moodle: give the grading worksheet with --roster"]


# A file without a grade in it is an error


@pytest.mark.parametrize("rows", [(row("nobody"),), (row("jdoe", status=Status.REFUSED, note="a link: not followed"),)])
def test_an_export_that_would_be_empty_is_an_error(tmp_path: Path, roster: Write, rows: tuple[Row, ...]) -> None:
    for write, text in ((write_canvas, GRADEBOOK), (write_moodle, WORKSHEET)):
        for given_roster in (roster(text), None):
            with pytest.raises(CourseError, match=f"attention: there is no grade to write: {rows[0].student}: "):
                write(results(*rows), tmp_path / "out.csv", given_roster)
    assert not (tmp_path / "out.csv").exists()


# Several assignments at once


def test_canvas_takes_several_assignments_in_one_file(tmp_path: Path, roster: Write) -> None:
    llama = replace(results(row("jdoe", 6.0), row("alee", 2.0), most=8.0), assignment="llama")
    said = write_canvas([results(row("jdoe", 4.0), row("zed")), llama], tmp_path / "out.csv", roster(GRADEBOOK))
    assert [r[5:7] for r in cells(tmp_path / "out.csv")[3:5]] == [["4", "6"], ["1.00", "2"]]
    assert said == ["attention: zed: not in roster.csv"]
    swapped = [replace(llama, assignment="week 2"), results(row("jdoe", 3.0))]
    write_canvas(swapped, tmp_path / "out.csv", roster(GRADEBOOK), column=["502", "501"])
    assert cells(tmp_path / "out.csv")[3][5:7] == ["3", "6"]
    for columns, says in ((["501"], "given 1 times for 2 assignments"), (["501", "501"], "would fill one column")):
        with pytest.raises(CourseError, match=says):
            write_canvas(swapped, tmp_path / "two.csv", roster(GRADEBOOK), column=columns, scale=True)
    assert not (tmp_path / "two.csv").exists()


def test_canvas_takes_several_assignments_without_a_roster(tmp_path: Path) -> None:
    jane = row("doejane_12", 4.0, display_name="doejane", lms={"canvas_user": "12"})
    ann = row("leeann_13", 1.0, display_name="leeann", lms={"canvas_user": "13"})
    write_canvas([results(jane), replace(results(jane, ann), assignment="llama")], tmp_path / "out.csv")
    assert [r[5:] for r in cells(tmp_path / "out.csv")] == [["attention", "llama"], ["5", "5"], ["4", "4"], ["", "1"]]


# Feedback


def canvas_reads(member: str) -> tuple[str, str] | None:
    """Whose file it is, and which, by Canvas's own rule: the first two whole numbers between underscores."""
    parts = [part for part in member.rpartition("/")[2].split("_") if part != "LATE"]
    if parts[0] == "anon":
        return parts[1], parts[2]
    numbers = [part for part in parts if re.fullmatch(r"\d+", part)]
    return (numbers[0], numbers[1]) if len(numbers) > 1 else None


def moodle_reads(member: str) -> tuple[int, str] | None:
    """The participant and the file, by Moodle's rule: of the first part of the path that is NAME_NUMBER_type_plugin."""
    path = member.split("/")
    for place, part in enumerate(path):
        info = part.split("_", 4)
        if len(info) >= 4 and info[1].isdecimal() and (info[2], info[3]) == ("assignsubmission", "file"):
            return int(info[1]), "/".join([*info[4:], *path[place + 1 :]])
    return None


def feedback_of(folder: Path, *students: str, whole: bool = True) -> Path:
    for student in students:
        (folder / student / "attention").mkdir(parents=True)
        (folder / student / "attention" / "heads.html").write_text(f"heads of {student}", encoding="utf-8")
        if whole:
            (folder / student / "attention.html").write_text(f"all of {student}", encoding="utf-8")
    return folder


def test_canvas_takes_the_feedback_back(tmp_path: Path) -> None:
    """The names are those of its own download, so that it knows the student and the file."""
    source = graded(tmp_path / "canvas.zip", (*CANVAS_ZIP, "anon_aB3x9_700_heads.ipynb"), tmp_path / "s", with_lms=True)
    folder = feedback_of(tmp_path / "feedback", *(r.student for r in source.rows))
    said = write_feedback("canvas", source, folder, tmp_path / "back.zip")
    with zipfile.ZipFile(tmp_path / "back.zip") as archive:
        found = {canvas_reads(name): archive.read(name).decode() for name in archive.namelist()}
    assert found == {
        ("12", "345"): "all of doejane_12", ("13", "400"): "all of leeann_13", ("14", "500"): "all of xiaolong李_14",
        ("aB3x9", "700"): "all of anon_aB3x9",
    }  # fmt: skip
    assert [line for line in said if ".html" not in line] == []
    before = (tmp_path / "back.zip").read_bytes()
    write_feedback("canvas", source, folder, tmp_path / "back.zip")
    assert (tmp_path / "back.zip").read_bytes() == before


def test_moodle_takes_the_feedback_back(tmp_path: Path) -> None:
    members = tuple(f"{name}_assignsubmission_file_/heads.ipynb" for name in MOODLE_ZIP)
    source = graded(tmp_path / "moodle.zip", members, tmp_path / "s", with_lms=True)
    folder = feedback_of(tmp_path / "feedback", *(r.student for r in source.rows), whole=False)
    assert write_feedback("moodle", source, folder, tmp_path / "back.zip") == []
    with zipfile.ZipFile(tmp_path / "back.zip") as archive:
        found = {moodle_reads(name): archive.read(name).decode() for name in archive.namelist()}
    assert {key[0]: text for key, text in found.items() if key} == {
        int(r.lms["moodle_participant"]): f"heads of {r.student}" for r in source.rows
    }
    assert {key[1] for key in found if key} == {"heads.html"}


def test_who_gets_no_feedback_is_said_and_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    folder = feedback_of(tmp_path / "feedback", "bob", "Jane_Doe_678")
    refused = row("x", status=Status.REFUSED)
    rows = (moodle_row("Jane Doe", "678", 1.0), row("bob"), moodle_row("Zed", "9", 1.0), refused)
    said = write_feedback("moodle", results(*rows), folder, tmp_path / "back.zip")
    assert said == [
        "bob: did not come in the zip of Moodle, which says whose it is there",
        f"Zed_9: no feedback in {folder}: grade again",
        "x: refused, so there is no feedback",
    ]
    with pytest.raises(CourseError, match="there is nothing to give back: bob: did not come"):
        write_feedback("moodle", results(row("bob")), folder, tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


# From the LMS's zip and back

CANVAS_ZIP = ("doejane_12_345_heads.ipynb", "leeann_LATE_13_400_heads.ipynb", "xiaolong李_14_500_heads.ipynb")
MOODLE_ZIP = ("Jane Doe_678", "Jane Doe_679", "Bob O'Ray_680", "李 小龙_681")


def graded(source: Path, members: tuple[str, ...], scratch: Path, *, with_lms: bool) -> Results:
    """Results as `grade` would write them for a zip with these members; scores 0, 1, 2 …"""
    with zipfile.ZipFile(source, "w") as archive:
        for member in members:
            archive.writestr(member, "{}")
    rows = []
    for score, delivery in enumerate(deliveries(source, "attention", scratch)):
        more = {"display_name": delivery.display_name, "lms": dict(delivery.lms)} if with_lms else {}
        rows.append(row(delivery.student, float(score), **more))
    return results(*rows)


@pytest.mark.parametrize("with_lms", [True, False])
def test_there_and_back(tmp_path: Path, roster: Write, with_lms: bool) -> None:
    """Even without the numbers that the zip gave: the id that `deliveries` made tells who it is."""
    scratch = tmp_path / "scratch"
    canvas = graded(tmp_path / "canvas.zip", CANVAS_ZIP, scratch, with_lms=with_lms)
    assert write_canvas(canvas, tmp_path / "out.csv", roster(GRADEBOOK)) == []
    assert [r[5] for r in cells(tmp_path / "out.csv")[3:6]] == ["0", "1", "2"]
    members = tuple(f"{name}_assignsubmission_file_/heads.ipynb" for name in MOODLE_ZIP)
    moodle = graded(tmp_path / "moodle.zip", members, scratch, with_lms=with_lms)
    assert write_moodle(moodle, tmp_path / "out.csv", roster(WORKSHEET)) == []
    assert [r[4] for r in cells(tmp_path / "out.csv")] == ["Grade", "1", "2", "0", "3", ""]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.integers(1, 99)), max_size=8), st.text(max_size=20))
@settings(max_examples=100)
def test_whatever_the_names_every_student_is_filled_in_or_reported(pairs: list[tuple[str, int]], student: str) -> None:
    """And no line of the roster but those filled in is changed."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        given_roster, out = Path(folder) / "roster.csv", Path(folder) / "out.csv"
        buffer = io.StringIO()
        lines = [[name.replace("\0", ""), str(n), "", "A", ""] for name, n in [*pairs, ("Sure, One", 1000)]]
        csv.writer(buffer).writerows([["Student", "ID", "SIS Login ID", "Section", "attention (1)"], *lines])
        given_roster.write_text(buffer.getvalue(), encoding="utf-8", errors="replace", newline="")
        rows = [row(f"s{i}", 1.0, display_name=name, lms={"canvas_user": str(n)}) for i, (name, n) in enumerate(pairs)]
        rows.append(row(student or "x", 2.0))
        rows.append(row("sure", 1.0, display_name="One Sure", lms={"canvas_user": "1000"}))  # so that one is filled in
        said = write_canvas(results(*rows), out, given_roster)
        before, after = cells(given_roster), cells(out)
        filled = [r for r in after[1:] if r and r[-1] in ("1", "2")]
        assert len(filled) + len([line for line in said if "filled in by number" not in line]) >= len(rows)
        assert [r[:4] for r in before] == [r[:4] for r in after]


# nbgrader's own export


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with two assignments and three students; the third has something to grade by hand."""
    from nbgrader.api import Gradebook

    path = tmp_path_factory.mktemp("course") / "gradebook.db"
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # for alembic
    with Gradebook(f"sqlite:///{path}", "course") as book:
        for name in ("attention", "llama"):
            book.add_assignment(name)
            book.add_notebook("heads", name)
            book.add_grade_cell("test_split", "heads", name, max_score=5, cell_type="code")
        book.add_student("jdoe", lms_user_id="12")
        book.add_student("s2", first_name="Ann", last_name="Lee", email="ann@uni.edu")
        book.add_student("qq")
        for student, score in (("jdoe", 4.5), ("s2", 2.0), ("qq", None)):
            book.add_submission("attention", student)
            grade = book.find_grade("test_split", "heads", "attention", student)
            grade.auto_score, grade.needs_manual_grade = score, score is None
        book.find_submission("attention", "s2").notebooks[0].late_submission_penalty = 0.5
        book.db.commit()
    return path


def export(gradebook: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`nbgrader export` as an instructor types it."""
    command = [sys.executable, "-m", "nbgrader", "export", "--db", f"sqlite:///{gradebook}", "--course", "course"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.run([*command, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def test_nbgraders_export_for_canvas(gradebook: Path, tmp_path: Path, roster: Write) -> None:
    given_roster = roster(GRADEBOOK)
    done = export(
        gradebook,
        tmp_path,
        *("--exporter=autograder.nbgrader.export.CanvasExport", "--to=out.csv", '--assignment=["attention"]'),
        f"--CanvasExport.roster={given_roster}",
    )
    assert done.returncode == 0, done.stderr
    assert [r[5] for r in cells(tmp_path / "out.csv")[3:]] == ["4.5", "1.5", "", "", ""]
    assert "qq: refused, so left as it was: nbgrader says that it needs manual grading" in done.stderr
    assert "s2" not in done.stderr


@pytest.mark.slow
def test_nbgraders_export_for_moodle(gradebook: Path, tmp_path: Path, roster: Write) -> None:
    given_roster = roster(WORKSHEET)
    done = export(
        gradebook,
        tmp_path,
        "--exporter=autograder.nbgrader.export.MoodleExport",
        *('--assignment=["attention"]', '--student=["s2", "jdoe"]'),
        f"--MoodleExport.roster={given_roster}",
    )
    assert done.returncode == 0, done.stderr
    assert "jdoe: not in roster.csv" in done.stderr
    assert "s2: Moodle has locked the grade" in done.stderr
    assert (tmp_path / "moodle.csv").is_file()


@pytest.mark.slow
def test_nbgraders_export_asks_which_assignment(gradebook: Path, tmp_path: Path) -> None:
    done = export(gradebook, tmp_path, "--exporter=autograder.nbgrader.export.CanvasExport")
    assert done.returncode == 1
    assert """which assignment? Add --assignment='["attention"]'""" in done.stderr
    assert "Traceback" not in done.stderr


def test_nbgrader_is_not_imported_for_a_csv() -> None:
    names = "autograder.lms.canvas, autograder.lms.moodle, autograder.lms.plain, autograder.handed_in.delivery"
    code = f"import sys, {names}; print('nbgrader' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
