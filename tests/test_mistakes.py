"""Messages are given the name of the mistake that they point to, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.notebook.source import exercise_of, read_source
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


def grade_id(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_test(cell: Any) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def message_about(one: Entry, cells: list[Any]) -> str:
    """Run a notebook with an entry in place of its exercise, and only the exercise's own test."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if is_test(cell) and exercise_of(grade_id(cell)) == one.exercise:
            with pytest.raises(Exception) as error:  # noqa: PT011 - whatever the mistake raises
                exec(cell.source, namespace)
            return f"{error.type.__name__}: {error.value}"
        if not is_test(cell):
            exec(one.source if grade_id(cell) == one.exercise else cell.source, namespace)
    raise AssertionError(f"no test for {one.exercise}")


def test_the_known_mistakes_of_the_attention_chapter_are_given_their_names() -> None:
    """Each wrong entry runs in its notebook; its message should name it, alone or with others that say the same."""
    bank = load_bank(COURSE.bank("attention"))
    alone = together = 0
    wrongly = []
    for path in COURSE.sources("attention"):
        cells = [cell for cell in read_source(path).cells if cell.cell_type == "code"]
        graded = {exercise_of(grade_id(cell)) for cell in cells if is_test(cell)}
        for one in (e for e in bank if not e.is_right and e.exercise in graded):
            message = message_about(one, cells)
            named = name_mistake(one.exercise, message, bank)
            names = named.name.split(" or ") if named else []
            alone += names == [one.name]
            together += len(names) > 1 and one.name in names
            if one.name not in names:
                wrongly.append((one.name, names, message))
    known = alone + together + len(wrongly)
    assert len(wrongly) <= 0.02 * known, f"messages that name another mistake: {wrongly}"
    assert alone >= 0.8 * known, f"{together} of {known} mistakes share their words: let the messages tell them apart"
