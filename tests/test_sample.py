"""The sample class's pair who copied: their answers are right, are no known answer, and are found."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from autograder.course.course import Course
from autograder.course.sample import COPIED, WORDS, _answers, as_typed, spelled_out
from autograder.grading.similarity import known_answers, similar_pairs
from autograder.notebook.rebuild import ours_from
from autograder.notebook.source import read_source


def test_two_who_copied_are_found_in_every_chapter(course: Course) -> None:
    for chapter in course.chapters():
        answers = {name: text for path in course.sources(chapter) for name, text in _answers(path).items()}
        longest = sorted(answers, key=lambda name: len(answers[name]))[-COPIED:]
        both = {word: {name: spelled_out(answers[name], word) for name in longest} for word in WORDS}
        assert both[WORDS[0]] != both[WORDS[1]]
        honest = {f"honest{place}": answers for place in range(6)}
        ours = [ours_from(read_source(path), path.stem) for path in course.sources(chapter)]
        (pair,) = similar_pairs({**both, **honest}, {}, known_answers(ours, course.bank(chapter)))
        assert set(pair.students) == set(WORDS)
        assert set(pair.exercises) <= set(longest)


def test_what_is_spelled_out_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    cost = importlib.import_module("solutions.attention.cost")
    course = Course.find()
    (source,) = [path for path in course.sources("attention") if path.stem == "cost"]
    names = dict(vars(cost))
    written = spelled_out(_answers(source)["attention_backward"], "step")
    assert written.count("step") > 10
    exec(written, names)
    inputs = [rng.standard_normal((3, 4)) for _ in range(4)]
    for ours, theirs in zip(cost.attention_backward(*inputs), names["attention_backward"](*inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("source", "typed"),
    [
        ('def f(x):\n    """Adds one too many."""\n    return x + 2', "def f(x):\n    return x + 2"),
        ('class A:\n    """Two\n    lines."""\n\n    b = 1', "class A:\n\n    b = 1"),
        ('def f(x):\n    """Nothing else."""', 'def f(x):\n    """Nothing else."""'),
        ("def f(x):\n    return x", "def f(x):\n    return x"),
    ],
)
def test_no_answer_says_what_is_wrong_with_it(source: str, typed: str) -> None:
    assert as_typed(source) == typed
