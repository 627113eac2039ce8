"""Results as JSON: what is written is read again, and what is not understood is refused in a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autograder.errors import CourseError
from autograder.results import (
    VERSION,
    Change,
    Exercise,
    Incident,
    Kind,
    Mistake,
    Pair,
    Results,
    Row,
    RunFacts,
    State,
    Status,
    as_json,
    from_json,
    read_results,
    write_results,
)

EXERCISES = (
    Exercise("heads", "split", 2.0, 2.0, State.RIGHT),
    Exercise("heads", "mask", 0.5, 1.0, State.PARTLY, "the last row", Mistake("late", "One too late."), "3 of 4", "✗"),
)
CLASS = Results(
    "attention",
    3.0,
    (
        Row("ann", Status.GRADED, "", 2.5, 0.5, 1.25, 0.5, EXERCISES, digests={"heads": ("a", "b")}, lms={"n": "1"}),
        Row("李", Status.TIMED_OUT, "stopped", incidents=(Incident("split", Kind.TIMED_OUT, "too long", "heads"),)),
    ),
    (Pair(("ann", "李"), 0.9, ("split",)),),
    (Change("ann", "heads", "mask", 0.0, 0.5, "the notebook or its tests changed"),),
    ("a folder for each student",),
    RunFacts(datetime(2026, 11, 24, 8, 12, tzinfo=UTC), 4.5, 2, 2, False, ("own files",)),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(CLASS, path)
    assert read_results(path) == CLASS
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == VERSION


def changed(**values: Any) -> str:
    return json.dumps(json.loads(as_json(CLASS)) | values)


def without(name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(as_json(CLASS)).items() if key != name})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (without("version"), "another version of this program: 1, and this one reads 2"),
        (changed(version=VERSION + 1), "another version of this program: 3"),
        (changed(version="x" * 1000), "another version of this program: 'xxx"),
        (without("max_score"), "max_score"),
        (changed(rows=[{"student": "ann", "status": "excellent"}]), r"'excellent'.*rows\[0\].status"),
        (changed(rows=[{"student": 3, "status": "graded"}]), r"rows\[0\].student"),
        ("[]", "not the results of a class"),
        ("3", "not the results of a class"),
        ("{", "Expecting"),
        ("[" * 10**5, "nested too deeply"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        from_json(text)
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError) as raised:
        read_results(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{path}: cannot be read (")
    assert len(str(raised.value)) < len(str(path)) + 300
