"""Late as people mean it: zones, more time for one, the course's own policy; and a group's work, graded for each."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, write

from autograder.course.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class
from autograder.grading.lateness import Lateness
from autograder.grading.running import Running
from autograder.handed_in.delivery import Delivery, Intake

POLICY = """
from autograder.plugin import configure
from nbgrader.plugins import BasePlugin


class Policy(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score * {share} * -(-total_seconds_late // 86400)


configure(get_config())
get_config().AssignLatePenalties.plugin_class = Policy
"""


def test_a_groups_work_is_run_once_and_graded_for_each(
    tiny: Course, blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by their own clock: one has more time. What being late costs is the course's to say, not the folder's."""
    from nbgrader.api import Gradebook

    root, folder = tmp_path / "graded", tmp_path / "class"
    root.mkdir()
    (tiny.root / "nbgrader_config.py").write_text(POLICY.replace("{share}", "0.1"), encoding="utf-8")
    (root / "nbgrader_config.py").write_text(POLICY.replace("{share}", "1.0"), encoding="utf-8")
    (tmp_path / "roster.csv").write_text("student_id,name,group\nann,Ann Lee,Red\nbob,Bob Ray,Red\n", encoding="utf-8")
    for name in ("red", "cem"):
        write(blank, folder / name / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    (folder / "red" / "timestamp.txt").write_text("2026-12-02 08:00:00 America/Los_Angeles", encoding="utf-8")
    intake = Intake(roster=tmp_path / "roster.csv", zone="Europe/Berlin")
    options = Options(due="2026-12-01 23:59", extensions=("bob=1 day",), intake=intake)
    with pytest.raises(CourseError, match="--extension bob: when it was due for all is not known: add --due"):
        grade_class(tiny, "cooking", folder, root, Options(extensions=options.extensions, intake=intake))
    started: list[str] = []
    start = Running._start
    monkeypatch.setattr(Running, "_start", lambda self, one: started.append(one.student) or start(self, one))
    results = grade_class(tiny, "cooking", folder, root, options)
    assert sorted(started) == ["cem", "red"], "one run for the two"
    rows = {row.student: row for row in results.rows}
    assert {name: row.score for name, row in rows.items()} == {"ann": 4.5, "bob": 5.0, "cem": 5.0}
    assert rows["ann"].note == "17.0 hours late, 0.5 points taken off; handed in together with Bob Ray"
    assert [i.text for i in rows["ann"].incidents] == ["17.0 hours late, 0.5 points taken off"]
    assert "no lateness is counted" in rows["cem"].note
    assert "not in roster.csv" in rows["cem"].note
    assert "when it was handed in is not known of 1 of 2: they are not counted late" in results.notes
    assert "bob has 1 day more" in results.notes
    assert not any("since no zone was said" in note for note in results.notes)
    assert results.similar == (), "those of one group are not compared with each other"
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as book:
        assert book.find_submission("cooking", "ann").total_seconds_late == 17 * 3600 + 60
        assert book.find_submission("cooking", "bob").score == 5
    for name in ("ann", "bob"):
        assert (root / "feedback" / name / "cooking" / "recipes.html").is_file()
        assert (root / "submitted" / name / "cooking" / "recipes.ipynb").is_file()
    again = grade_class(tiny, "cooking", folder, root, Options(only=("bob",), intake=intake))
    assert {row.student: row.score for row in again.rows} == {"ann": 4.5, "bob": 5.0, "cem": 5.0}, "it stays"


@pytest.mark.parametrize(
    ("extension", "until"),
    [
        ("ann=3 days", timedelta(days=3)),
        ("ann=36h", timedelta(hours=36)),
        ("ann = 1.5 d", timedelta(hours=36)),
        ("ann=2026-12-03 23:59 +0200", datetime(2026, 12, 3, 21, 59)),
        ("ann=2026-12-03 23:59", datetime(2026, 12, 3, 22, 59)),
    ],
)
def test_more_time_is_given_until_then_or_by_so_much(extension: str, until: datetime | timedelta) -> None:
    late = Lateness.read("2026-12-01 23:59", (extension,), "Europe/Berlin")
    assert late.due == "2026-12-01 22:59:00.000000 UTC"
    assert late.extensions == {"ann": until}


@pytest.mark.parametrize(
    ("due", "extension", "zone", "says"),
    [
        ("soon", "", "", "--due soon: 'soon' is not a date and time: write it as in 2026-12-01 23:59 UTC"),
        ("2026-12-01 23:59", "", "CEST", "--zone: 'CEST' is not a time zone: write UTC, \\+0100 or Europe/Berlin"),
        ("", "ann", "", "--extension ann: write STUDENT=TIME or STUDENT=3 days"),
        ("", "ann=later", "", "--extension ann=later: 'later' is not a date and time: write it as in .*, or 3 days"),
        ("", "=3 days", "", "--extension =3 days: write STUDENT=TIME"),
    ],
)
def test_what_cannot_be_read_is_one_line(due: str, extension: str, zone: str, says: str) -> None:
    with pytest.raises(CourseError, match=says):
        Lateness.read(due, (extension,) if extension else (), zone)


def test_where_no_time_is_known_the_class_is_told() -> None:
    late = Lateness.read("2026-12-01 23:59", ())
    timed = Delivery("bob", timestamp="2026-12-01 22:59:00.000000 UTC")
    assert late.notes([Delivery("ann")]) == [
        "nothing here says when it was handed in, so nobody is counted late: let the platform do it"
    ]
    utc = "due 2026-12-01 23:59 UTC, since no zone was said: say yours with --zone"
    unknown = "when it was handed in is not known of 1 of 2: they are not counted late"
    assert late.notes([Delivery("ann"), timed]) == [utc, unknown]
    assert late.notes([timed]) == [utc]
    assert Lateness.read("2026-12-01 23:59 +0100", ()).notes([timed]) == []
    assert Lateness.read("2026-12-01 23:59", (), "Europe/Berlin").notes([timed]) == []


def test_more_time_for_nobody_is_a_slip() -> None:
    late = Lateness.read("", ("anne=3 days",))
    with pytest.raises(CourseError, match="--extension anne: no such student among the submissions: ann, bob"):
        late.require({"bob", "ann"})
