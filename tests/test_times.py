"""When something was handed in: read once, in UTC, or said that it cannot be."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.utils import parse_utc
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, write

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.handed_in.times import in_utc, read_time

READ = {
    "2015-02-02 14:58:23.948203 America/Los_Angeles": "2015-02-02 22:58:23.948203 UTC",
    "2026-07-02 14:58:23 Europe/Berlin": "2026-07-02 12:58:23.000000 UTC",
    "2026-02-02 14:58:23 Japan": "2026-02-02 05:58:23.000000 UTC",
    "2026-02-02 14:58:23.5 UTC": "2026-02-02 14:58:23.500000 UTC",
    "2026-02-02 14:58 GMT": "2026-02-02 14:58:00.000000 UTC",
    "2026-02-02T14:58:23Z": "2026-02-02 14:58:23.000000 UTC",
    "2026-02-02T14:58:23+01:00": "2026-02-02 13:58:23.000000 UTC",
    "2026-02-02 14:58:23 +0530": "2026-02-02 09:28:23.000000 UTC",
    "2026-02-02 14:58:23 -08": "2026-02-02 22:58:23.000000 UTC",
    "2026-12-02 01:00 +0200": "2026-12-01 23:00:00.000000 UTC",
    " 2026-02-02 14:58:23\n": "2026-02-02 14:58:23.000000 UTC",
}
NOT_READ = [
    "2024-01-01T00:00:00 zzz", "2024-01-01 00:00:00 +9959", "0001-01-01 00:00:00 Japan", "9999-12-31 23:59:59 -1200",
    "0001-01-01 00:00:00", "2024-13-01 00:00:00 UTC", "2024-01-01 25:00 UTC", "2024-01-01", "tomorrow", "", "\0",
    "2024-01-01 00:00:00 CST", "2024-01-01 00:00:00 ../../etc/passwd", "2024-01-01 00:00:00 America",
    "2024-01-01 00:00:00 +1260", "2024-01-01 00:00:00 UTC UTC", "x" * 5000, "\ud800", "٢٠٢٤-01-01 00:00",
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_time_is_read_with_its_zone(text: str) -> None:
    assert in_utc(text) == READ[text]
    assert in_utc(READ[text]) == READ[text]


@pytest.mark.parametrize("text", READ)
def test_nbgrader_reads_the_same(text: str) -> None:
    if len(text.split()) == 3 and text[-1].isalpha():  # of +0100, nbgrader itself makes a hundred seconds
        assert parse_utc(text) == read_time(text)
    assert parse_utc(in_utc(text)) == read_time(text)


@pytest.mark.parametrize("text", NOT_READ)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a date|no zone|not a time zone|out of all time|before all|month|hour"):
        read_time(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( \S+)?", fullmatch=True))
def test_whatever_it_is_it_is_a_time_or_a_valueerror(text: str) -> None:
    try:
        found = read_time(text)
    except ValueError:
        return
    assert isinstance(found, datetime)
    assert found.tzinfo is None
    assert read_time(in_utc(text)) == found


# ---- in a class


@pytest.fixture
def timed(tiny: Course, tmp_path: Path) -> Path:
    """Three who handed in at eight in the morning in California, one at a time that is none, one without any."""
    blank = build_student_notebooks(tiny, "cooking", tmp_path / "blank")[0]
    folder = tmp_path / "class"
    when = {
        "late": "2026-12-02 08:00:00 America/Los_Angeles", "early": "2026-12-01 08:00:00 America/Los_Angeles",
        "number": "2026-12-02 08:00:00 -0800", "zzz": "2024-01-01T00:00:00 zzz", "nines": "2024-01-01 00:00:00 +9959",
        "ancient": "0001-01-01 00:00:00 Japan", "none": "",
    }  # fmt: skip
    for student, text in when.items():
        place = folder / student / "cooking"
        write(blank, place / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
        (place / "timestamp.txt").write_text(text, encoding="utf-8")
    return folder


def test_a_class_is_late_by_its_own_clocks_and_a_bad_time_is_said(tiny: Course, timed: Path, tmp_path: Path) -> None:
    from nbgrader.api import Gradebook

    root = tmp_path / "graded"
    results = grade_class(tiny, "cooking", timed, root, Options(due="2026-12-01 23:59 UTC"))
    rows = {row.student: row for row in results.rows}
    assert all(row.status == "graded" for row in rows.values())
    late = {name for name, row in rows.items() if any(i.kind == "late" for i in row.incidents)}
    assert late == {"late", "number"}
    assert {name for name, row in rows.items() if "is not known" in row.note} == {"zzz", "nines", "ancient", "none"}
    assert "'2024-01-01 00:00:00 +9959'" not in rows["late"].note
    assert "+9959" in rows["nines"].note
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as book:
        assert book.find_submission("cooking", "late").total_seconds_late == 16 * 3600 + 60
        assert book.find_submission("cooking", "nines").timestamp is None
    written = (root / "autograded" / "late" / "cooking" / "timestamp.txt").read_text(encoding="utf-8")
    assert written == "2026-12-02 16:00:00.000000 UTC"
    assert json.loads((root / "results.json").read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("due", ["soon", "2026-12-01 23:59 CST", "2026-12-01 23:59 +9900"])
def test_a_due_date_that_cannot_be_read_is_one_line(tiny: Course, timed: Path, tmp_path: Path, due: str) -> None:
    with pytest.raises(CourseError, match=r"--due .*: write it as in 2026-12-01 23:59 UTC"):
        grade_class(tiny, "cooking", timed, tmp_path / "graded", Options(due=due))
