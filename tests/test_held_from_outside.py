"""The reference is asked by its own record, so it is held from outside: by hand, and by independent answers."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from oracles import ORACLES

from autograder import asking
from autograder.course.answers import Sheet
from autograder.course.course import Course
from autograder.course.record import read_record
from autograder.notebook.source import exercise_of
from autograder.plain import Plain, show

COURSE = Course.find(Path(__file__).parent)


@functools.cache
def sheets(chapter: str) -> tuple[Sheet, ...]:
    found = (Sheet(path) for path in COURSE.sources(chapter))
    return tuple(sheet for sheet in found if sheet.asks)


@functools.cache
def names_of(sheet: Sheet) -> dict[str, Any]:
    return sheet.namespace()


def asked_exercises() -> list[tuple[str, str]]:
    chapters = COURSE.chapters()
    return [(chapter, exercise_of(test)) for chapter in chapters for sheet in sheets(chapter) for test in sheet.tests]


for _chapter in COURSE.chapters():
    importlib.import_module(f"oracles.{_chapter}")


def sheet_of(chapter: str, exercise: str) -> Sheet:
    return next(sheet for sheet in sheets(chapter) if f"test_{exercise}" in sheet.tests)


def test_every_notebook_of_the_course_asks_by_check() -> None:
    assert {c: len(sheets(c)) for c in COURSE.chapters()} == {c: len(COURSE.sources(c)) for c in COURSE.chapters()}


@pytest.mark.parametrize(("chapter", "exercise"), asked_exercises())
def test_an_independent_answer_is_accepted(chapter: str, exercise: str) -> None:
    sheet = sheet_of(chapter, exercise)
    assert ORACLES.get(exercise), f"{exercise}: no independent answer in tests/oracles/{chapter}.py"
    for answer in ORACLES[exercise]:
        namespace = dict(names_of(sheet), **{exercise: answer})
        exec(compile(sheet.tests[f"test_{exercise}"], f"<test_{exercise}>", "exec"), namespace)
        ask = asking.Asking(read_record(COURSE.record(chapter)))
        verdict = ask.judge(exercise, ask.ask(namespace[f"test_{exercise}"], sheet.without[f"test_{exercise}"]))
        assert verdict.message == "", f"{exercise}: {verdict.message}\n{verdict.details}"


@pytest.mark.parametrize(("chapter", "exercise"), asked_exercises())
def test_a_value_by_hand_stands_in_the_text_and_in_the_test(chapter: str, exercise: str) -> None:
    sheet = sheet_of(chapter, exercise)
    test = f"test_{exercise}"
    namespace = dict(names_of(sheet))
    exec(compile(sheet.tests[test], f"<{test}>", "exec"), namespace)
    asked = asking.Asking({}).ask(namespace[test], sheet.without[test])
    said = {text for one in asked if one.gives is not asking.NOT_SAID for text in values_in(one.gives)}
    assert said, f"{test}: no visible question says what it gives"
    text = text_before(COURSE.root / "solutions" / chapter / f"{sheet.name}.py", exercise)
    assert any(value in text for value in said), f"{exercise}: none of {sorted(said)[:8]} stands in its text"


def values_in(gives: Any) -> set[str]:
    """The values of an answer as a text would write them."""
    answer = asking.said_plain(gives)
    return set(re.findall(r"\d+\.\d+|\d+|\w{2,}", show(answer, 4))) | _rounded(answer)


def _rounded(answer: Plain) -> set[str]:
    if answer.kind in ("list", "set"):
        return {text for item in answer.items for text in _rounded(item)}
    if answer.kind != "real":
        return set()
    return {f"{abs(x):.{places}f}" for x in answer.items for places in (1, 2, 3, 4)} | {f"{x:g}" for x in answer.items}


def text_before(path: Path, exercise: str) -> str:
    """The Markdown cell right above an exercise's solution cell."""
    text = path.read_text(encoding="utf-8")
    above = text[: text.index(f'"grade_id": "{exercise}"')]
    return above[above.rindex("# %% [markdown]") :]
