"""Messages are given the name of the mistake that they point to, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.asking import Asking
from autograder.course.answers import Sheet
from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.record import read_record
from autograder.report.mistakes import as_result, name_mistake

COURSE = Course(Path(__file__).parent.parent)


def entry(name: str, says: str, *, exercise: str = "softmax", summary: str = "", right: bool = False) -> Entry:
    return Entry(exercise, name, right, says, False, "def softmax(x): ...", summary or f"It is {name}.")


BANK = [
    entry("no_shift", "overflow"),
    entry("global_shift", "overflow: one maximum for all"),
    entry("summed", "added or averaged"),
    entry("averaged", "added or averaged"),
    entry("half", "i/D instead of 2i/D"),
    entry("doubled", "doubled twice"),
    entry("other", "overflow", exercise="attention"),
    entry("fine", "", right=True),
]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("got inf: an overflow in exp", "no_shift"),
        ("got inf: the exponential overflows", "no_shift"),
        ("got nan, an overflow: one maximum for all rows", "global_shift"),
        ("are the heads added or averaged?", "summed or averaged"),
        ("an overflow; and are the heads added or averaged?", "no_shift or summed or averaged"),
        ("the exponent is i/D instead of 2i/D", "half"),
        ("the exponent is 4i/D instead of 2i/D (doubled twice)", "doubled"),
        ("the exponent is 4i/D instead of 2i/D", "half"),
        ("expected 3, got 4", None),
        ("", None),
        ("not written yet", None),
    ],
)
def test_the_most_specific_words_name_the_mistake(message: str, name: str | None) -> None:
    found = name_mistake("softmax", message, BANK)
    assert (found and found.name) == name


def test_several_mistakes_with_the_same_words_are_told_together() -> None:
    found = name_mistake("softmax", "added or averaged", BANK)
    assert found is not None
    assert (found.says, found.source) == ("added or averaged", "")
    assert found.summary == "It is summed. Or: It is averaged."
    assert as_result(found) == {"name": "summed or averaged", "summary": "It is summed. Or: It is averaged."}


def test_an_entry_without_a_summary_is_told_by_its_name() -> None:
    bare = Entry("softmax", "sum_over_everything", False, "everything", False, "", "")
    assert as_result(bare)["summary"] == "sum over everything"


def test_only_the_exercise_s_own_mistakes_count() -> None:
    found = name_mistake("attention", "an overflow", BANK)
    assert found is not None
    assert found.name == "other"
    assert name_mistake("heads", "an overflow", BANK) is None
    assert name_mistake("softmax", "an overflow", []) is None


def test_the_known_mistakes_of_the_attention_chapter_are_given_their_names() -> None:
    """Each wrong entry is asked in its notebook; the verdict names it, seldom with others that answer the same."""
    bank = load_bank(COURSE.bank("attention"))
    judge = Asking(read_record(COURSE.record("attention")))
    alone = known = 0
    for path in COURSE.sources("attention"):
        sheet = Sheet(path)
        base = sheet.namespace()
        for one in (e for e in bank if not e.is_right and f"test_{e.exercise}" in sheet.tests):
            asked, _ = sheet.ask(f"test_{one.exercise}", base, one)
            names = judge.judge(one.exercise, asked).entry.split(" or ")
            assert one.name in names, (one.name, names)
            alone += names == [one.name]
            known += 1
    assert alone >= 0.95 * known, f"{known - alone} of {known} mistakes are not told apart"
