"""A known mistake is named by the answers that it gives, and by no other entry."""

from __future__ import annotations

from pathlib import Path

from autograder.asking import Asking
from autograder.course.answers import Sheet
from autograder.course.bank import load_bank
from autograder.course.course import Course
from autograder.course.record import read_record

COURSE = Course(Path(__file__).parent.parent)


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
