"""Made-up downloads of every platform: whose is what, which try counts, when, who works together; and none misread."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_delivery import CANVAS, MOODLE, by_student, names, tree, zipped

from autograder.errors import CourseError
from autograder.files import MAX_NOTEBOOK
from autograder.handed_in.delivery import Deliveries, Delivery, Intake, deliveries
from autograder.handed_in.times import in_utc
from autograder.handed_in.trees import Spelling
from autograder.notebook.file import without_outputs


def notebook(source: str = "", **more: Any) -> bytes:
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} | more
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()


OLD, NEW = notebook("old"), notebook("new")
Read = Callable[..., Deliveries]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a zip's bytes, or a folder, as `grade` does."""

    def reading(source: bytes | Path, **intake: Any) -> Deliveries:
        if isinstance(source, bytes):
            (tmp_path / "download.zip").write_bytes(source)
            source = tmp_path / "download.zip"
        return deliveries(source, "attention", tmp_path / "scratch", ["weights", "heads"], Intake(**intake))

    return reading


def unpacked(folder: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        tree(folder, name, data=data)
    return folder


def first(delivery: Delivery) -> bytes:
    return delivery.files[0].read_bytes()


# Blackboard


def blackboard_note(name: str, user: str, zone: str = "EST") -> bytes:
    return (
        f"Name: {name} ({user})\r\nAssignment: Week 1\r\nDate Submitted: Friday, January 30, 2026 3:30:10 PM {zone}\r\n"
        "Current Grade: Needs Grading\r\n\r\nSubmission Field:\r\nThere is no student submission text data for this "
        "assignment.\r\n\r\nComments:\r\nThere are no student comments for this assignment.\r\n\r\nFiles:\r\n"
    ).encode()


BLACKBOARD = {
    "Week_1_b_lee_attempt_2026-01-30-15-30-10_weights.ipynb": OLD,
    "Week_1_b_lee_attempt_2026-01-30-15-30-10.txt": blackboard_note("Bea Lee", "b_lee"),
    "Week_1_b_lee_attempt_2026-02-01-09-00-00_weights.ipynb": NEW,
    "Week_1_b_lee_attempt_2026-02-01-09-00-00.txt": blackboard_note("Bea Lee", "b_lee"),
    "Week_1_jdoe_attempt_2026-01-30-15-30-10_my_attempt_2_weights.ipynb": OLD,
    "Week_1_jdoe_attempt_2026-01-30-15-30-10.txt": blackboard_note("Jane Doe", "jdoe", "BST"),
    "Week_1_quiet_attempt_2026-01-30-15-30-10.txt": blackboard_note("Quentin Quiet", "quiet"),
}


@pytest.mark.parametrize("as_folder", [False, True])
def test_blackboard(tmp_path: Path, read: Read, as_folder: bool) -> None:
    found = read(unpacked(tmp_path / "unpacked", BLACKBOARD) if as_folder else zipped(*BLACKBOARD.items()))
    assert (found.layout, found.problems) == ("a download from Blackboard", ())
    students = by_student(found)
    assert list(students) == ["b_lee", "jdoe", "quiet"]
    bea = students["b_lee"]
    assert first(bea) == NEW
    assert bea.display_name == "Bea Lee"
    assert bea.notes[0] == "2 tries: of each notebook the last counts; the last is of 2026-02-01-09-00-00"
    assert bea.timestamp == "2026-02-01 14:00:00.000000 UTC", "09:00 EST"
    jane = students["jdoe"]
    assert names(jane) == ["my_attempt_2_weights.ipynb"]
    assert jane.timestamp == "", "BST is one hour or six from UTC: nobody guesses"
    assert "say of which time zone that is with --zone" in jane.notes[0]
    assert students["quiet"].notes[-1] == "no notebook was handed in"


def test_the_zone_that_was_asked_for_can_be_given(read: Read) -> None:
    students = by_student(read(zipped(*BLACKBOARD.items()), zone="Europe/London"))
    assert students["jdoe"].timestamp == "2026-01-30 15:30:10.000000 UTC"
    assert students["b_lee"].timestamp == "2026-02-01 09:00:00.000000 UTC", "what the instructor says decides"
    assert not any("--zone" in note for note in students["jdoe"].notes)


def test_blackboard_without_its_notes(read: Read) -> None:
    """As nbgrader's documentation shows it; users with "_" in the name are told by what all names have in common."""
    when = "attempt_2016-01-30-15-30-10"
    found = read(zipped((f"ps1_hacker_{when}_weights.ipynb", OLD), (f"ps1_bit_diddle_{when}_weights.ipynb", OLD)))
    assert list(by_student(found)) == ["bit_diddle", "hacker"]
    one = read(zipped((f"problem_set_1_hacker_{when}_weights.ipynb", OLD)))
    assert list(by_student(one)) == ["hacker"]


# Brightspace

BRIGHTSPACE = {
    "397063-2557369 - Mary-Ann Smith - Sep 24, 2026 926 PM/weights.ipynb": OLD,
    "397063-2557369 - Mary-Ann Smith - Sep 25, 2026 1230 AM/weights final.ipynb": NEW,
    "397064-2557369 - Jo Lee - Sep 24, 2026 1200 PM/weights.ipynb": OLD,
    "397065-2557369 - Jo Lee - Sep 24, 2026 1201 PM/heads.ipynb": OLD,
    "index.html": b"<html></html>",
}


@pytest.mark.parametrize("as_folder", [False, True])
def test_brightspace(tmp_path: Path, read: Read, as_folder: bool) -> None:
    source = unpacked(tmp_path / "Week 1 Download", BRIGHTSPACE) if as_folder else zipped(*BRIGHTSPACE.items())
    found = read(source, zone="-0500")
    assert (found.layout, found.problems, found.notes) == ("a download from Brightspace", (), ())
    students = by_student(found)
    assert {delivery.display_name for delivery in found} == {"Mary-Ann Smith", "Jo Lee"}
    assert list(students) == ["Jo_Lee_397064", "Jo_Lee_397065", "Mary-Ann_Smith"], "two are called Jo Lee"
    mary = students["Mary-Ann_Smith"]
    assert first(mary) == NEW, "the later try, under another name"
    assert mary.timestamp == "2026-09-25 05:30:00.000000 UTC"


def test_brightspace_without_folders(read: Read) -> None:
    flat = {name.replace("/", " - "): data for name, data in BRIGHTSPACE.items()}
    students = by_student(read(zipped(*flat.items())))
    assert len(students) == 3
    assert names(students["Mary-Ann_Smith"]) == ["weights final.ipynb", "weights.ipynb"]
    assert any("with --zone" in note for note in students["Mary-Ann_Smith"].notes)


def test_tries_whose_order_cannot_be_told_are_not_graded(read: Read) -> None:
    """A grade is not guessed: the row says which tries there are."""
    when = ("24 sept. 2026 21 h 26", "25 sept. 2026 9 h 05")
    found = read(zipped(*((f"1-2 - Ann - {time}/weights.ipynb", OLD) for time in when)))
    (ann,) = found
    assert ann.files == ()
    assert ann.notes[-2] == f"2 tries, and which is the last cannot be told: {', '.join(when)}"


# Gradescope

METADATA = """---
submission_101:
  :submitters:
  - :name: Jane Doe
    :sid: '0012'
    :email: jane@uni.edu
  :created_at: 2026-09-21 19:23:41.123456000 -07:00
  :score: 0.0
  :status: processed
submission_102:
  :submitters:
  - :name: Ann Lee
    :sid: '0013'
    :email: ann@uni.edu
  - :name: 李 小龙
    :sid: '0014'
    :email: li@uni.edu
  :created_at: 2026-09-22 10:00:00.000000000 Z
""".encode()
GRADESCOPE = {
    "assignment_77_export/submission_metadata.yml": METADATA,
    "assignment_77_export/submission_101/weights.ipynb": OLD,
    "assignment_77_export/submission_102/work/weights.ipynb": NEW,
    "assignment_77_export/submission_103/weights.ipynb": OLD,
}


@pytest.mark.parametrize("as_folder", [False, True])
def test_gradescope_and_those_who_handed_in_together(tmp_path: Path, read: Read, as_folder: bool) -> None:
    found = read(unpacked(tmp_path / "class", GRADESCOPE) if as_folder else zipped(*GRADESCOPE.items()))
    assert found.layout == "a download from Gradescope"
    assert [(p.name, p.why) for p in found.problems] == [
        ("submission_103", "submission_metadata.yml does not say whose it is")
    ]
    everybody = {one.student: one for delivery in found for one in delivery.each()}
    assert set(everybody) == {"jane@uni.edu", "ann@uni.edu", "li@uni.edu"}
    assert everybody["jane@uni.edu"].timestamp == "2026-09-22 02:23:41.123456 UTC"
    assert everybody["ann@uni.edu"].files == everybody["li@uni.edu"].files
    assert everybody["ann@uni.edu"].notes[0] == "handed in together with 李 小龙"
    assert len(found) == 2, "one run for the two"


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (None, "submission_metadata.yml is missing, which says whose each folder is"),
        (b"submission_101: [", "submission_metadata.yml: cannot be read"),
        (b"a: &a [x]\nsubmission_101: !!python/object/apply:os.system [ls]", "submission_metadata.yml: cannot be read"),
        (b"- 1\n- 2", "submission_101: submission_metadata.yml does not say whose it is"),
    ],
)
def test_gradescopes_metadata_may_be_anything(read: Read, metadata: bytes | None, says: str) -> None:
    members = {"submission_101/weights.ipynb": OLD, "submission_102/weights.ipynb": OLD}
    if metadata is not None:
        members["submission_metadata.yml"] = metadata
    with pytest.raises(CourseError, match=says):
        read(zipped(*members.items()))


# GitHub Classroom


def repositories(folder: Path, *repos: str, host: str = "https://github.com/our-class/") -> Path:
    for repo in repos:
        tree(folder, f"{repo}/weights.ipynb", data=OLD)
        config = f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {host}{repo}.git\n\tfetch = +refs/heads/*\n'
        tree(folder, f"{repo}/.git/config", data=config.encode())
        tree(folder, f"{repo}/.github/workflows/classroom.yml", data=b"")
    return folder


@pytest.mark.parametrize("host", ["https://github.com/our-class/", "git@github.com:our-class/"])
def test_github_classroom(tmp_path: Path, read: Read, host: str) -> None:
    found = read(repositories(tmp_path / "week-1-submissions", "week-1-jdoe", "week-1-a-lee", host=host))
    assert found.layout == "repositories of GitHub Classroom"
    assert {delivery.student: delivery.notes for delivery in found} == {"a-lee": (), "jdoe": ()}
    loose = read(repositories(tmp_path / "clones", "week-1-jdoe", "week-1-zed"))
    assert list(by_student(loose)) == ["jdoe", "zed"]


def test_repositories_of_one_name_are_told_by_their_folders(tmp_path: Path, read: Read) -> None:
    """Forks of one repository, each cloned into a folder with the student's name; and one that a student zipped."""
    source = repositories(tmp_path / "class", "week-ann", "week-bob")
    for name in ("ann", "bob"):
        (source / f"week-{name}").rename(source / name)
        config = f"[remote]\n\turl = https://github.com/{name}/course.git\n"
        (source / name / ".git" / "config").write_text(config, encoding="utf-8")
    assert list(by_student(read(source))) == ["ann", "bob"]
    plain = tree(tmp_path / "plain", "ann/weights.ipynb", data=OLD)
    inner = {"course/weights.ipynb": OLD, "course/.git/config": config.encode()}
    tree(plain, "bob.zip", data=zipped(*inner.items()))
    assert [len(delivery.files) for delivery in read(plain)] == [1, 1]


def test_github_classrooms_grades_are_a_roster_with_times(tmp_path: Path, read: Read) -> None:
    source = repositories(tmp_path / "week-1-submissions", "week-1-jdoe", "week-1-team-red")
    roster = tmp_path / "grades.csv"
    heading = "github_username,roster_identifier,student_repository_name,submission_timestamp,group_name"
    lines = [
        "jdoe,jane@uni.edu,week-1-jdoe,2026-09-21 19:23:41 UTC,",
        "annlee,ann@uni.edu,week-1-team-red,2026-09-22 19:23:41 UTC,team-red",
        "bobray,bob@uni.edu,week-1-team-red,2026-09-22 19:23:41 UTC,team-red",
    ]
    roster.write_text("\n".join([heading, *lines]), encoding="utf-8")
    everybody = {one.student: one for delivery in read(source, roster=roster) for one in delivery.each()}
    assert set(everybody) == {"jane@uni.edu", "ann@uni.edu", "bob@uni.edu"}
    assert everybody["jane@uni.edu"].timestamp == "2026-09-21 19:23:41.000000 UTC"


# No platform is taken for another


def test_no_platforms_download_is_taken_for_anothers(tmp_path: Path, read: Read) -> None:
    layouts = {
        "a download from Canvas": dict.fromkeys(CANVAS, OLD),
        "a download from Moodle": dict.fromkeys(MOODLE, OLD),
        "a download from Blackboard": BLACKBOARD,
        "a download from Brightspace": BRIGHTSPACE,
        "a download from Gradescope": GRADESCOPE,
        "a folder for each student": {"ann/weights.ipynb": OLD, "bob/weights.ipynb": OLD},
    }
    for number, (layout, members) in enumerate(layouts.items()):
        assert read(zipped(*members.items())).layout == layout
        assert read(unpacked(tmp_path / f"download {number}", members)).layout == layout
        wrapped = {f"My download/{name}": data for name, data in members.items()}
        assert read(zipped(*wrapped.items())).layout == layout


# Tries


def test_tries_in_a_students_folder(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann/try 2/weights.ipynb", "ann/try 10/weights_final.ipynb", data=OLD)
    tree(source, "ann/try 10/weights_final.ipynb", data=NEW)
    tree(source, "bob/version 1/weights.ipynb", data=OLD)
    students = by_student(read(source))
    assert first(students["ann"]) == NEW
    assert students["ann"].notes[0] == "2 tries (try 2, try 10): of each notebook the last counts"
    assert students["bob"].notes == ()


def test_tries_as_folders_of_their_own(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann_attempt1/weights.ipynb", "ann_attempt1/heads.ipynb", data=OLD)
    tree(source, "ann_attempt2/weights.ipynb", data=NEW)
    tree(source, "first_try1/weights.ipynb", data=OLD)
    students = by_student(read(source))
    assert list(students) == ["ann", "first_try1"], "one odd name is a name"
    assert first(students["ann"]) == NEW
    assert {path.name for path in students["ann"].files} == {"weights.ipynb", "heads.ipynb"}


# A rule for names


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        ("{student}_{file}", ["jdoe_weights.ipynb", "lee_weights.ipynb"]),
        ("HW1 - {student}", ["HW1 - jdoe.ipynb", "HW1 - lee.ipynb"]),
        ("week1/{student}", ["week1/jdoe/weights.ipynb", "week1/lee/deep/weights.ipynb"]),
        ("*/{student} (*)/{file}", ["group 1/jdoe (12)/weights.ipynb", "group 2/lee (13)/weights.ipynb"]),
        (r"^.+_(?P<student_id>\w+)_at_(?P<file_id>.*)", ["ps1_jdoe_at_weights.ipynb", "x/ps1_lee_at_weights.ipynb"]),
    ],
)
def test_a_rule_says_whose_is_what(tmp_path: Path, read: Read, rule: str, files: list[str]) -> None:
    source = tree(tmp_path / "class", *files, data=OLD)
    for given in (source, zipped(*((name, OLD) for name in files))):
        found = read(given, names=rule)
        assert list(by_student(found)) == ["jdoe", "lee"]
        assert all(len(delivery.files) == 1 for delivery in found)


def test_a_rule_may_tell_tries_and_times(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann.1.ipynb", data=OLD)
    tree(source, "ann.2.ipynb", data=NEW)
    (ann,) = read(source, names="{student}.{try}.ipynb")
    assert first(ann) == NEW
    timed = tree(tmp_path / "timed", "ann@2026-01-30_15-30-10@w.ipynb", data=NEW)
    tree(timed, "ann@2026-01-29_15-30-10@w.ipynb", data=OLD)
    (ann,) = read(timed, names="{student}@{time}@*", zone="+0100")
    assert (first(ann), ann.timestamp) == (NEW, "2026-01-30 14:30:10.000000 UTC")


def test_what_does_not_fit_the_rule_is_said(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "jdoe-weights.ipynb", "weights.ipynb", "list.csv", data=OLD)
    found = read(source, names="{student}-{file}")
    assert [(p.name, p.why) for p in found.problems] == [("weights.ipynb", "does not fit --names {student}-{file}")]
    for rule, says in {
        "{file}": "says nowhere who it is: put {student}",
        "{studnt}": r"\{studnt\} is not a field: there are \{student\}",
        "(?P<student>": "not a regular expression",
        "x{student}x": "no file in it fits: .*weights.ipynb does not",
    }.items():
        with pytest.raises(CourseError, match=says):
            read(source, names=rule)


def test_files_side_by_side_are_answered_with_a_rule_that_works(tmp_path: Path, read: Read) -> None:
    """The message names an option; what it proposes is tried here."""
    source = tree(tmp_path / "class", "ann_weights.ipynb", "bob_weights.ipynb", data=OLD)
    with pytest.raises(CourseError) as error:
        read(source)
    rule = str(error.value).partition("--names '")[2].partition("'")[0]
    assert list(by_student(read(source, names=rule))) == ["ann", "bob"]


# A roster, and groups


@pytest.fixture
def roster(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "roster.csv").write_text(text, encoding="utf-8")
        return tmp_path / "roster.csv"

    return write


def test_a_roster_gives_one_id_in_every_assignment(tmp_path: Path, read: Read, roster: Callable[[str], Path]) -> None:
    """Moodle numbers a student anew in each assignment."""
    who = roster("Username,First name,Surname,Email address\njdoe,Jane,Doe,jane@uni.edu\nann,Ann,Lee,lee@uni.edu\n")
    for number in (678, 912):
        found = read(zipped((f"Jane Doe_{number}_assignsubmission_file_/weights.ipynb", OLD)), roster=who)
        (jane,) = found
        assert (jane.student, jane.display_name) == ("jdoe", "Jane Doe")
        assert jane.lms == {"moodle_participant": str(number)}
        assert found.notes == ("1 of 2 in roster.csv handed nothing in: ann",)
    folders = tree(tmp_path / "class", "doe jane/weights.ipynb", "LEE/weights.ipynb", "zed/weights.ipynb", data=OLD)
    students = by_student(read(folders, roster=who))
    assert list(students) == ["ann", "jdoe", "zed"]
    assert students["zed"].notes == ("not in roster.csv",)


def test_a_roster_says_who_works_with_whom(tmp_path: Path, read: Read, roster: Callable[[str], Path]) -> None:
    """By the group's name, or by the members' names side by side."""
    who = roster("student_id,name,group\nann,Ann Lee,Red\nbob,Bob Ray,Red\ncem,Cem Öz,\ndan,Dan Fox,\n")
    source = tree(tmp_path / "class", "red/weights.ipynb", "cem & dan/weights.ipynb", data=OLD)
    found = read(source, roster=who)
    assert [[one.student for one in delivery.each()] for delivery in found] == [["cem", "dan"], ["ann", "bob"]]
    ann = found.students[1].each()[0]
    assert (ann.display_name, ann.notes) == ("Ann Lee", ("handed in together with Bob Ray",))


def test_canvas_groups_with_the_list_that_canvas_exports(read: Read, roster: Callable[[str], Path]) -> None:
    who = roster(
        "name,canvas_user_id,user_id,login_id,sections,group_name,canvas_group_id,group_id\n"
        "Jane Doe,12,S12,jdoe,A,Group One,7,\nAnn Lee,13,S13,alee,A,Group One,7,\nBob Ray,14,S14,bray,A,,,\n"
    )
    members = {"groupone_12_345_weights.ipynb": OLD, "bobray_14_346_weights.ipynb": OLD}
    everybody = {one.student: one for delivery in read(zipped(*members.items()), roster=who) for one in delivery.each()}
    numbers = {name: one.lms["canvas_user"] for name, one in everybody.items()}
    assert numbers == {"jdoe": "12", "alee": "13", "bray": "14"}


def test_who_is_in_two_groups_or_alone_as_well_has_one_grade(
    tmp_path: Path, read: Read, roster: Callable[[str], Path]
) -> None:
    who = roster("student_id,name,group\nann,Ann Lee,Red\nbob,Bob Ray,Red\n")
    source = tree(tmp_path / "class", "red/weights.ipynb", "ann/weights.ipynb", data=OLD)
    everybody = {one.student: one for delivery in read(source, roster=who) for one in delivery.each()}
    assert set(everybody) == {"ann", "bob"}
    assert everybody["ann"].files == ()
    assert "handed in 2 times, alone and together: which counts cannot be told" in everybody["ann"].notes
    tree(source, "red/timestamp.txt", data=b"2026-02-02 10:00:00 UTC")
    tree(source, "ann/timestamp.txt", data=b"2026-02-03 10:00:00 UTC")
    everybody = {one.student: one for delivery in read(source, roster=who) for one in delivery.each()}
    assert len(everybody["ann"].files) == len(everybody["bob"].files) == 1
    assert any("this is the last" in note for note in everybody["ann"].notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour,shape\nred,round\n", "no heading says who is who: call .* or email; the first line is: colour, shape"),
        ("username\n", "no students in it"),
        ("username,name\nann,Ann\nANN,Anna\n", "ann stands in two lines"),
    ],
)
def test_a_roster_that_is_none(read: Read, roster: Callable[[str], Path], text: str, says: str) -> None:
    with pytest.raises(CourseError, match=says):
        read(zipped(("ann/weights.ipynb", OLD)), roster=roster(text))


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\r\n', ""])
def test_a_roster_as_a_spreadsheet_saves_it(read: Read, roster: Callable[[str], Path], first: str) -> None:
    who = roster(f"\ufeff{first}student_id;name\r\nann;Ann Lee\r\nbob;Bob Ray\r\n")
    found = read(zipped(("Ann Lee/weights.ipynb", OLD)), roster=who)
    assert [(one.student, one.display_name) for one in found] == [("ann", "Ann Lee")]


# Names of another code page


def unmarked(*encoded: bytes) -> bytes:
    """A zip whose names are these bytes, without the mark for UTF-8, as Windows makes it."""
    whole = bytearray(zipped(*((f"{'x' * len(name)}{n}/weights.ipynb", OLD) for n, name in enumerate(encoded))))
    for n, name in enumerate(encoded):
        whole = bytearray(bytes(whole).replace(f"{'x' * len(name)}{n}".encode(), name + str(n).encode()))
    return bytes(whole)


@pytest.mark.parametrize(
    ("students", "encoding"),
    [
        (["李小龙", "王芳"], "gbk"), (["欧阳娜娜（二班）", "朱镕基", "陶喆"], "gbk"),
        (["Zoë", "Müller", "Peña"], "cp437"),
        (["李小龙", "Zoë"], "utf-8"), (["ann", "bob"], "ascii"),
    ],
)  # fmt: skip
def test_names_without_a_mark_are_told_by_their_characters(read: Read, students: list[str], encoding: str) -> None:
    found = read(unmarked(*(name.encode(encoding) for name in students)))
    assert {delivery.display_name for delivery in found} == {f"{name}{n}" for n, name in enumerate(students)}
    assert any("--encoding" in note for note in found.notes) is (encoding == "gbk")


@pytest.mark.parametrize(("name", "encoding"), [("Ágúst Þór", "cp850"), ("Иван Петров", "cp866")])
def test_another_code_page_is_not_taken_for_chinese(read: Read, name: str, encoding: str) -> None:
    found = read(unmarked(name.encode(encoding), b"ann"))
    assert [note for note in found.notes if "GBK" in note] == []
    assert found.notes[0].startswith("the names in the zip look wrong: say how they are written, as in --encoding")
    told = read(unmarked(name.encode(encoding)), encoding=encoding)
    assert f"{name}0" in {delivery.display_name for delivery in told}


@pytest.mark.parametrize(
    ("name", "encoding"), [("田中太郎", "shift_jis"), ("김철수", "euc-kr"), ("Ágúst Þór", "cp850")]
)
def test_what_cannot_be_told_can_be_said(read: Read, name: str, encoding: str) -> None:
    found = read(unmarked(name.encode(encoding), b"ann"), encoding=encoding)
    assert f"{name}0" in {delivery.display_name for delivery in found}
    with pytest.raises(CourseError, match="--encoding nonsense: not known: write gbk"):
        read(unmarked(b"ann"), encoding="nonsense")


def test_the_name_in_unicode_beside_the_name_is_believed() -> None:
    raw = "Ð".encode("cp850")
    body = struct.pack("<BL", 1, zlib.crc32(raw)) + "Ð".encode()
    info = zipfile.ZipInfo(raw.decode("cp437"))
    info.flag_bits, info.extra = 0, struct.pack("<HH", 0x7075, len(body)) + body
    assert Spelling([info]).of(info) == "Ð"
    info.extra = info.extra.replace(struct.pack("<L", zlib.crc32(raw)), b"\0\0\0\0")
    assert Spelling([info]).of(info) != "Ð"


# Renamed and swollen notebooks


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("weights.ipynb.json", "weights.ipynb"),
        ("weights.ipynb.txt", "weights.ipynb"),
        ("weights.json", "weights.ipynb"),
        ("weights.txt", "weights.ipynb"),
        ("weights.ipynb (1)", "weights (1).ipynb"),
        ("weights.IPYNB", "weights.ipynb"),
        ("weights.ipynb.download", "weights.ipynb"),
        ("weights.zip", "weights.ipynb"),
    ],
)
def test_a_notebook_under_another_name_is_one(tmp_path: Path, read: Read, name: str, kept: str) -> None:
    (ann,) = read(tree(tmp_path / "class", f"ann/{name}", data=NEW))
    assert names(ann) == [kept]
    assert first(ann) == NEW


@pytest.mark.parametrize("name", ["data.json", "notes.txt", "weights.ipynb.html", "weights.py"])
def test_what_is_no_notebook_is_left_alone(tmp_path: Path, read: Read, name: str) -> None:
    (ann,) = read(tree(tmp_path / "class", f"ann/{name}", data=b'{"cells": 3, "words": ["a"]}'))
    assert ann.notes == (f"not notebooks, left alone: {name}", "no notebook was handed in")


def test_a_zip_that_is_called_a_notebook(tmp_path: Path, read: Read) -> None:
    (ann,) = read(tree(tmp_path / "class", "ann/weights.ipynb", data=zipped(("weights.ipynb", NEW))))
    assert first(ann) == NEW


def test_a_notebook_that_is_large_by_its_outputs_is_read_without_them(tmp_path: Path, read: Read) -> None:
    shown = [{"output_type": "stream", "name": "stdout", "text": ["x" * 99 + "\n"] * 300_000}]
    large = notebook("answer = 1", outputs=shown, metadata={"nbgrader": {"grade_id": "a"}})
    assert len(large) > MAX_NOTEBOOK
    (ann,) = read(tree(tmp_path / "class", "ann/weights.ipynb", data=large))
    slim = json.loads(first(ann))
    assert slim["cells"] == [
        {"cell_type": "code", "source": "answer = 1", "metadata": {"nbgrader": {"grade_id": "a"}}}
    ]
    assert slim["nbformat"] == 4
    assert "nearly all of it outputs, which were left out" in ann.notes[0]


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"{" * 10_000, b'{"cells": [{}]}', b'{"cells": ' + b"[" * 10_000, b'{"cell_type"' * 30_000, b"\xff"],
)
def test_what_is_large_and_no_notebook_is_none(content: bytes) -> None:
    assert without_outputs(content) is None


# One parser of times


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-30-15-30-10", "2026-01-30 14:30:10.000000 UTC"),
        ("2026-01-30_15-30", "2026-01-30 14:30:00.000000 UTC"),
        ("Sep 24, 2026 926 PM", "2026-09-24 20:26:00.000000 UTC"),
        ("Sep 25, 2026 1230 AM", "2026-09-24 23:30:00.000000 UTC"),
        ("24 September 2026 21:26", "2026-09-24 20:26:00.000000 UTC"),
        ("2026-01-30 15:30", "2026-01-30 14:30:00.000000 UTC"),
        ("2026-01-30 15:30 UTC", "2026-01-30 15:30:00.000000 UTC"),
        ("Jan 30, 2026 3:30 PM -0500", "2026-01-30 20:30:00.000000 UTC"),
    ],
)
def test_a_time_without_a_zone_is_of_the_zone_that_is_given(text: str, utc: str) -> None:
    assert in_utc(text, "+0100") == utc


@pytest.mark.parametrize(
    "text", ["Sep 31, 2026 926 PM", "Sep 24, 2026 1326 PM", "Foo 24, 2026 926 PM", "2026-13-30-15-30-10"]
)
def test_what_is_no_time_of_a_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a date|no such hour|month|day is out"):
        in_utc(text)
