"""Examples before code: right or not by the reference, and what they catch of the known mistakes."""

import sys

import pytest
from typer.testing import CliRunner

from autograder.commands import app
from autograder.examples import TooLong, Wrong, at_most, drivers_of, read, tried

HALF = "def half(x):\n    return x / 2\n"
WRONG = [
    Wrong("def half(x):\n    return x // 2\n", "It rounds down."),
    Wrong("def half(x):\n    return abs(x) / 2\n", "The sign is lost."),
    Wrong("def half(x):\n    while x == 0:\n        pass\n    return x / 2\n", "Nought never ends."),
    Wrong("def half(x)\n", "It is no Python."),
]


def names_with(source):
    names = {}
    exec(source, names)
    return names


def told(text, drivers=()):
    return tried(text, "half", names_with, HALF, WRONG, drivers)


def test_an_example_is_right_to_the_digits_that_are_written():
    found = told("half(1) == 0.5\nhalf(1/3) == 0.17\nhalf(1/3) == 0.16").examples
    assert [one.right for one in found] == [True, True, False]
    assert "gives 0.1667" in told("half(1/3) == 0.16").examples[0].words


def test_examples_catch_what_answers_otherwise():
    found = told("half(4) == 2")
    assert found.caught == ["It is no Python."] and len(found.missed) == 3
    found = told("half(4) == 2\nhalf(3) == 1.5")
    assert found.summary == "Your 2 right examples catch 2 of 4 known mistakes."
    assert found.next_hint == "One that gets through: The sign is lost."
    found = told("half(-3) == -1.5\nhalf(0) == 0")
    assert not found.missed and not found.next_hint, "a loop without end is caught, too"


def test_a_wrong_example_catches_nothing():
    found = told("half(3) == 1")
    assert not found.caught and found.summary.startswith("No example is right yet") and not found.next_hint


@pytest.mark.parametrize(("line", "words"), [
    ("half(3", "not Python"), ("half(3)", "half(…) =="), ("3 == 3", "does not use half"),
    ("half(3) == nothing", "NameError"), ("half('a') == 1", "raises TypeError"),
    ("half(4) != 2", "half(…) =="), ("import os", "not Python"),
])  # fmt: skip
def test_what_is_no_example_is_told_why(line, words):
    (one,) = told(line).examples
    assert not one.right and words in one.words


def test_an_exception_may_be_what_it_gives():
    assert told("half('a') == TypeError").examples[0].right
    assert not told("half('a') == ValueError").examples[0].right


def test_drivers_of_a_test_may_be_used():
    test = "def both(a, b):\n    return half(a), half(b)\n\ndef test_half():\n    check(both, 1, 2)\n"
    assert drivers_of(test) == ["both"]
    assert read("both(1, 2) == (0.5, 1)", "half", ["both"])[0].fault == ""
    assert read("both(1, 2) == (0.5, 1)", "half")[0].fault


def test_comments_and_empty_lines_are_no_examples():
    assert read("\n# half(1) == 3\n\n", "half") == []


def test_lines_are_counted_and_not_seconds():
    def for_ever():
        while True:
            pass

    with pytest.raises(TooLong), at_most(100):
        for_ever()
    assert sys.gettrace() is None


def test_the_command_says_what_is_caught(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("softmax(np.array([2.0, 0, 1])) == [0.665, 0.090, 0.245]\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["examples", "softmax", "--file", str(file)])
    words = " ".join(done.output.split())
    assert done.exit_code == 0 and "✓ softmax" in words and "known mistakes. One that gets through:" in words
    file.write_text("softmax([2.0]) == [1.0]\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["examples", "softmax", "--file", str(file)])
    assert done.exit_code == 1 and "np.array" in done.output


@pytest.mark.parametrize(("arguments", "text", "words"), [
    (["nothing"], "nothing(1) == 2", "no exercise of this name"), (["softmax"], "\n", "no example"),
])  # fmt: skip
def test_the_command_refuses_in_one_line(arguments, text, words):
    done = CliRunner().invoke(app, ["examples", *arguments], input=text)
    assert done.exit_code == 2 and words in done.output and len(done.output.strip().splitlines()) == 1
