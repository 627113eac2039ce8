"""What `check` and `run` ask, what counts as equal, and what a wrong answer is told."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder import hints
from autograder.asking import Asking, WrongAnswer, unchanged
from autograder.course import answers
from autograder.course.record import visible_part
from autograder.notebook.helper import MODULES, helper_cell
from autograder.plain import (
    ATOL,
    MOST_SHOWN,
    RTOL,
    difference,
    from_json,
    mark,
    plain,
    same_mark,
    show,
    show_argument,
    to_json,
)

NEAR = (RTOL, ATOL)


def equal(expected: Any, got: Any, exact: bool = False) -> bool:
    return difference(plain(expected), plain(got), NEAR, exact) is None


def record(
    answers: list[Any],
    wrong: dict[str, list[Any]] | None = None,
    visible: int | None = None,
    exact: dict[str, list[Any]] | None = None,
) -> dict[str, Any]:
    """A record of one exercise, `f`: its right answers, and what each known mistake answers, or is of another type."""
    questions = []
    for number, answer in enumerate(answers):
        marks = {n: mark(plain(a[number])) for n, a in (wrong or {}).items() if not equal(answer, a[number])}
        marks |= {n: mark(plain(a[number]), form=plain(a[number]).form) for n, a in (exact or {}).items()}
        shown = visible is None or number < visible
        questions.append({"visible": shown, "answer": to_json(plain(answer)), "marks": marks})
    names = [*(wrong or {}), *(exact or {})]
    return {"f": {"questions": questions, "entries": {name: f"You did {name}." for name in names}}}


def verdict(solution: Callable[..., Any], asks: list[tuple[Any, ...]], known: dict[str, Any], **more: Any) -> Any:
    """What `f = solution` is told of the questions `f(*args)`."""
    source = "def test_f():\n    for args in ASKS:\n        check(f, *args, **MORE)\n"
    names: dict[str, Any] = {"f": solution, "ASKS": asks, "MORE": more}
    exec(source, names)
    ask = Asking(known)
    return ask.judge("f", ask.ask(names["test_f"]))


# What counts as equal.


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (np.array([0.5, 0.25]), [0.5, 0.25]),
        (np.array([0.5, 0.25]), (0.5, 0.25)),
        (np.array([0.5, 0.25]), torch.tensor([0.5, 0.25])),
        (np.array([0.5, 0.25]), np.array([0.5, 0.25], dtype=np.float32)),
        (np.float64(2.5), 2.5),
        (1.0, 1),
        ([(1, 2), (3, 4)], np.array([[1, 2], [3, 4]])),
        ([1, 2.5], np.array([1.0, 2.5])),
        (float("nan"), float("nan")),
        ({"a": 1.0, "b": [2]}, {"b": (2,), "a": 1.0}),
        ({1, 2}, {2, 1}),
        (iter([1, 2]), [1, 2]),
        ([], np.array([])),
        (torch.tensor([1.0], dtype=torch.bfloat16), [1.0]),
    ],
)
def test_alike_whatever_it_came_as(expected: Any, got: Any) -> None:
    assert equal(expected, got)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (np.array([True, False]), np.array([1, 0])),  # truth values and numbers
        (3, 3.0),  # a count that is no whole number
        (True, 1),
        ("a", b"a"),
        (None, 0),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros((1, 3)), np.zeros(3)),
        ([1, 2, 3], [1, 2]),
        ({"a": 1}, {"a": 1, "b": 2}),
        (1.0, float("nan")),
        ([1, 2], [2, 1]),
        (10**12, 10**12 + 1),
        ([10_000_000], [10_000_001]),
        (float("-inf"), -24.0),
        (1.0, float("inf")),
    ],
)
def test_not_alike(expected: Any, got: Any) -> None:
    assert not equal(expected, got)


def test_exact_asks_for_the_same_types() -> None:
    assert not equal(np.array([0.5]), [0.5], exact=True)
    assert not equal(np.array([0.5]), np.array([0.5], dtype=np.float32), exact=True)
    assert equal(np.array([0.5]), np.array([0.5]), exact=True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | arrays.arrays(np.float64, arrays.array_shapes(max_dims=2, max_side=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@example([9.9792015476736e291, 1.7976931348623157e308])
@example([0.0, 8.98846565e307])
@given(values)
def test_a_record_gives_back_what_it_was_given(value: Any) -> None:
    back = from_json(to_json(plain(value)))
    assert difference(plain(value), back, (1e-7, 0.0), exact=True) is None
    assert same_mark(mark(back), mark(plain(value)))


@given(arrays.arrays(np.float64, (4,), elements=st.floats(-100, 100)), st.floats(-1e-7, 1e-7))
def test_rounding_keeps_a_mark(x: np.ndarray, step: float) -> None:
    assert same_mark(mark(plain(x)), mark(plain(x * (1 + step))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1.5, "b": [2]}, {"b": [2], "a": 1.5}),
        ([0, 0.5], np.array([0.0, 0.5])),
        ([0, 0.5], [0.0, 0.5]),
        (0, 0.0),
        ([(1, 0.5), (2, 0.25)], np.array([[1.0, 0.5], [2.0, 0.25]])),
    ],
)
def test_a_mark_hangs_on_no_order_of_a_dictionary_and_on_no_0_beside_0_0(one: Any, other: Any) -> None:
    assert same_mark(mark(plain(one)), mark(plain(other)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([10**6, 2], [10**6 + 1, 2]),
        ([10**6, 0.5], [10**6 + 1, 0.5]),
        ({"a": 1.5}, {"b": 1.5}),
        ({"a": 1.5, "b": 2.5}, {"a": 2.5, "b": 1.5}),
        (np.arange(4000.0), np.arange(4000.0)[[1, 0, *range(2, 4000)]]),
        ([True, False], [1, 0]),
        ([1.0, float("nan")], [float("nan"), 1.0]),
    ],
)
def test_a_mark_keeps_whole_numbers_and_names_apart(one: Any, other: Any) -> None:
    assert not same_mark(mark(plain(one)), mark(plain(other)))


def test_the_type_counts_in_a_mark_where_it_is_what_is_wrong() -> None:
    x = plain(np.ones(2))
    assert not same_mark(mark(x, form="ndarray float64"), mark(x, form="ndarray float16"))
    assert not same_mark(mark(x, form="ndarray float64"), mark(x))


@pytest.mark.parametrize("other", [[1.0, 3.0, 2.0], [1.0, 2.0, 3.1], [2.0, 2.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_another_answer_has_another_mark(other: Any) -> None:
    assert not same_mark(mark(plain([1.0, 2.0, 3.0])), mark(plain(other)))


# What a wrong answer is told.


def test_the_mistake_that_fits_every_answer_is_named() -> None:
    known = record([[1.0, 2.0], [3.0, 4.0]], {"doubling": [[2.0, 4.0], [6.0, 8.0]], "adding": [[2.0, 4.0], [9.0, 9.0]]})
    found = verdict(lambda x: [2 * v for v in x], [([1.0, 2.0],), ([3.0, 4.0],)], known)
    assert found.entry == "doubling"
    assert found.message.splitlines()[0] == "You did doubling."
    assert (found.right, found.asked) == (0, 2)


def test_mistakes_that_cannot_be_told_apart_are_both_named() -> None:
    known = record([[1.0, 2.0]], {"one": [[2.0, 4.0]], "other": [[2.0, 4.0]]})
    assert verdict(lambda x: [2.0, 4.0], [(0,)], known).entry == "one or other"


def test_a_right_answer_elsewhere_is_held_against_a_mistake() -> None:
    known = record([1.0, 2.0], {"both": [5.0, 5.0]})
    assert verdict(lambda x: 5.0 if x else 2.0, [(1,), (0,)], known).entry == ""


HALVES = [[n, n + 0.5] for n in range(1, 7)]
DOUBLED = [[2 * a, 2 * b] for a, b in HALVES]


def test_a_mistake_that_gives_nearly_all_wrong_answers_is_named() -> None:
    """Such as one made by a solution that also fails in another way: at one question, or by raising here and there."""
    known = record(HALVES, {"doubling": DOUBLED})
    also_wrong = [[0.1, 0.2], *DOUBLED[1:]]
    found = verdict(lambda n: also_wrong[n], [(n,) for n in range(6)], known)
    assert (found.entry, found.right) == ("doubling", 0)
    assert "f(1)" in found.message  # what is shown is a question on which it is this mistake
    assert verdict(lambda n: DOUBLED[n] if n else 1 / n, [(n,) for n in range(6)], known).entry == "doubling"


@pytest.mark.parametrize("others", [2, 3, 4])
def test_a_mistake_that_gives_few_of_the_wrong_answers_is_not_named(others: int) -> None:
    """Where it is one among several that differ, chance may have made them alike: a wrong name is worse than none."""
    known = record(HALVES, {"doubling": DOUBLED})
    wrong = [[0.1, 0.2]] * others + DOUBLED[others:]
    assert verdict(lambda n: wrong[n], [(n,) for n in range(6)], known).entry == ""
    known = record(HALVES, {"doubling": HALVES[:5] + DOUBLED[5:]})  # wrong on one question only, and rightly so
    assert verdict(lambda n: wrong[n], [(n,) for n in range(6)], known).entry == ""


def test_half_precision_keeps_no_mistake_from_its_name() -> None:
    half = np.array([1.0, 2.0], dtype=np.float16)
    known = record([[0.1, 0.9], [0.1, 0.9]], {"turned": [[0.9, 0.1], [0.9, 0.1]]})
    found = verdict(lambda x: [0.9, 0.1] if x.dtype != half.dtype else [0.897, 0.1005], [(half,), (half + 0.0,)], known)
    assert found.entry == "turned"


def test_an_answer_of_another_type_is_no_mistake_of_a_third_type() -> None:
    """Of an `exact` question, the type that came back is part of the mistake."""
    right, double, half = (np.ones(2, dtype=kind) for kind in (np.float32, np.float64, np.float16))
    known = record([right, right], exact={"in_double": [double, double]})
    assert verdict(lambda x: double, [(0,), (1,)], known, exact=True).entry == "in_double"
    found = verdict(lambda x: half, [(0,), (1,)], known, exact=True)
    assert (found.entry, "float16" in found.message) == ("", True)


def test_an_answer_that_says_little_names_nothing_by_itself() -> None:
    known = record([[1, 2], [3]], {"empty": [[], [3]]})
    assert verdict(lambda x: [] if x else [3], [(1,), (0,)], known).entry == ""


@pytest.mark.parametrize(
    ("right", "got", "said"),
    [
        ([1.0, 2.0, 4.0], None, "`return`"),
        ([1.0, 2.0, 4.0], [2.0, 4.0, 8.0], "2 times"),
        ([1.0, 2.0, 4.0], [-1.0, -2.0, -4.0], "sign"),
        ([1.0, 2.0, 4.0], [2.0, 3.0, 5.0], "1 too large"),
        ([1.0, 2.0, 4.0, 8.0], [4.0, 1.0, 8.0, 2.0], "another order"),
        ([1.0, 2.0, 4.0, 8.0], [8.0, 4.0, 2.0, 1.0], "wrong way round"),
        ([1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 2.0, 4.0], "one place too late"),
        ([1.0, 2.0, 4.0, 8.0], [2.0, 4.0, 8.0, 8.0], "one place too early"),
        ([1.0, -2.0, 4.0], [1.0, 2.0, 4.0], "signs"),
        ([1.0, 2.0, 4.0], [1.0, 4.0, 16.0], "the square of"),
        ([1.5, 2.0, 4.0], [1 / 1.5, 0.5, 0.25], "1 divided by"),
        ([1.5, 2.0, 4.0], [np.log(1.5), np.log(2), np.log(4)], "the logarithm of"),
        ([1.256, 2.341, 4.0], [1.26, 2.34, 4.0], "rounded to 2 places"),
        ([1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 5.0, 9.0], "The first 2 items are right, from there on not"),
        (np.array([1.0, 2.0, 4.0, 8.0]), [1.0, 2.0, 4.0, 9.0], "Only the last number is wrong"),
        (np.arange(9.0).reshape(3, 3), [[0, 7, 9], [3, 4, 8], [6, 7, 8]], "above the diagonal"),
        (np.arange(6.0).reshape(2, 3), [[0, 1, 2], [6, 8, 10]], "times a number of its own"),
        (np.arange(6.0).reshape(2, 3), [[1, 2, 3], [5, 6, 7]], "plus a number of its own"),
        (np.array([[0.5, 0.5], [0.25, 0.75]]), [[0.2, 0.3], [0.8, 0.7]], "should be 1, and not those along axis 0"),
        (np.array([0.2, 0.3, 0.5]), [0.3, 0.1, 0.6], "sums are right"),
        (np.array([[True, False], [True, True]]), [[False, True], [False, False]], "exchanged everywhere"),
        (np.array([[True, False], [True, True]]), [[True, True], [True, True]], "True comes where"),
        (np.array([True, True]), [False, False], "False comes everywhere, and it should be True."),
        ((np.ones(2), 3.0), (np.ones(2), 4.0), "the second part is wrong, the rest is right"),
        ((np.ones(2), np.zeros(3)), np.ones(2), "only the first part came back"),
        (([1.0, 2.0], 3.0), (3.0, [1.0, 2.0]), "have changed places"),
        ({"a": 1, "b": 2}, {"a": 2, "b": 4}, "2 times"),
        ({"a": 1, "b": [2]}, {"a": 1, "b": [3]}, "the value of 'b' is wrong"),
        (["a", "b", "c"], ["c", "b", "a"], "wrong way round"),
        (["a", "b", "c"], ["b", "c", "a"], "another order"),
        (["a", "b", "c", "d"], ["a", "c", "d"], "missing: 'b'"),
        (list("abcdefgh"), list("aceg"), "Some items are missing, the others are right and in order"),
        (["a", "b"], ["a", "b", "a"], "more at the end"),
        (["a", "b", "a"], ["b", "a"], "The beginning is missing"),
        (["a", "b"], ["b", "a", "b", "b"], "come too often"),
        (["aa", "bb"], ["AA", "BB"], "Of each wrong item: only capital"),
        ("酒店", "店", "The beginning is missing"),
        ("clean room", "clean  room", "white space"),
        ("酒", "\ufffd\ufffd", "too long"),
        ("a\ufffd", "a\ufffd\ufffd", "U+FFFD"),
        ("abc", "cab", "another order"),
        ("abcd", "abxx", "The first 2 characters are right"),
        (b"\x01\x02\x03", b"\x03\x02\x01", "wrong way round"),
        ([1.0, 2.0, 4.0], [1.0, float("nan"), 4.0], "NaN"),
        ([1.0, 2.0, 4.0], [1.0, 2.0, 4.004], "nearly right"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 3.0], [2.0, 4.0]], "swapped"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "changed places"),
        (np.zeros(3), np.zeros((3, 1)), "length 1 is too many"),
        ([1, 2, 3], [1, 2], "The end is missing"),
        ([1, 2], [1, 2, 3], "more at the end"),
        (["", "ab"], [" ", "ab"], "white space"),
        (["ab", "c", "d"], ["a", "bcd"], "cut at other places"),
        ("酒店", "酒", "The end is missing"),
        ({"lr": 1}, {"rl": 1}, "missing: 'lr'"),
        (True, "yes", "True or False"),
        (3, 3.0, "whole numbers"),
    ],
)
def test_hints_that_every_exercise_has(right: Any, got: Any, said: str) -> None:
    assert said in verdict(lambda x: got, [(0,)], record([right])).message


def test_one_factor_for_each_question_is_told_with_its_size() -> None:
    """Scores over the root of the number of keys in place of that of the width: another factor for each question."""
    rights = [np.arange(6.0).reshape(2, 3) + 1, np.arange(12.0).reshape(3, 4) - 2, np.arange(8.0).reshape(4, 2)]
    factors = [0.5, 1.25, 3.0]
    answers = [right * factor for right, factor in zip(rights, factors, strict=True)]
    found = verdict(lambda n: answers[n], [(0,), (1,), (2,)], record(rights))
    assert "times one factor; here that is 0.5, in other questions another." in found.message
    rights[2], answers[2] = np.ones((2, 2)), 3 * np.ones((2, 2))  # any factor fits a constant
    assert "here that is 0.5" in verdict(lambda n: answers[n], [(0,), (1,), (2,)], record(rights)).message
    answers[2] = np.array([[1.0, 2.0], [3.0, 4.0]])  # no longer true of all
    assert "one factor" not in verdict(lambda n: answers[n], [(0,), (1,), (2,)], record(rights)).message
    two, known = [(0,), (1,)], record(rights[:2])
    answers = [right * 2 for right in rights]
    assert "Every number is 2 times the right one." in verdict(lambda n: answers[n], two, known).message
    answers = [rights[0] * 2, rights[1] * [[1], [2], [3]]]  # a factor for each row of the second one
    assert "one factor" not in verdict(lambda n: answers[n], two, known).message


def test_rows_that_are_alike_are_not_told_to_have_factors() -> None:
    """Rows that are all the same: any number is another one times something, and that says nothing."""
    right, wrong = np.array([[1, 7, 3]] * 4), np.array([[1, 7, 6]] * 4)
    assert "Only the last column is wrong." in verdict(lambda n: wrong, [(0,)], record([right])).message


def test_what_holds_of_the_first_answer_alone_is_told_of_that_one() -> None:
    answers = [["a", "b", "c"], ["x", "y"], ["u", "v"]]
    wrong = [["a", "c"], ["y", "y", "y"], ["w"]]
    message = verdict(lambda n: wrong[n], [(0,), (1,), (2,)], record(answers)).message
    assert "Of the first of 3 wrong answers: all but a few items are right (missing: 'b')." in message


# Each sentence about numbers, and an independent look at whether it is true of a right array and a wrong one.
def _rank_one(right: np.ndarray, wrong: np.ndarray) -> bool:
    return int(np.linalg.matrix_rank([right.ravel(), wrong.ravel()])) == 1


CLAIMS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    r"Every sign is the wrong way round\.": lambda a, b: np.allclose(a, -b),
    r"The sizes are right, and some signs are not\.": lambda a, b: np.allclose(abs(a), abs(b)),
    r"Every number is 0\.": lambda a, b: not b.any(),
    r"Every number is \S+ times the right one\.": _rank_one,
    r"Every number is too (large|small) by one and the same factor\.": _rank_one,
    r"Every number is (\S+ )?too \w+( by one and the same step)?\.": lambda a, b: np.ptp(b - a) < 1e-3,
    r".* with the last two axes swapped\.": lambda a, b: np.array_equal(np.swapaxes(a, -1, -2).ravel(), b.ravel()),
    r"These are the right numbers in another order\.": lambda a, b: np.array_equal(np.sort(a, None), np.sort(b, None)),
    r"Only the first row is wrong\.": lambda a, b: (a != b)[0].any() and not (a != b)[1:].any(),
    r"Only the last row is wrong\.": lambda a, b: (a != b)[-1].any() and not (a != b)[:-1].any(),
    r"Only the first column is wrong\.": lambda a, b: (a != b)[:, 0].any() and not (a != b)[:, 1:].any(),
    r"Only the last column is right\.": lambda a, b: not (a != b)[:, -1].any() and (a != b)[:, :-1].any(0).all(),
    r"Only numbers above the diagonal are wrong\.": lambda a, b: not np.tril(a != b).any(),
    r"Only numbers below the diagonal are wrong\.": lambda a, b: not np.triu(a != b).any(),
    r"Only numbers on the diagonal are wrong\.": lambda a, b: not ((a != b) & ~np.eye(*a.shape, dtype=bool)).any(),
    r"Only numbers that should be 0 are wrong\.": lambda a, b: not a[a != b].any(),
    r"Every wrong number is too large\.": lambda a, b: (b >= a).all(),
    r"Every wrong number is too small\.": lambda a, b: (b <= a).all(),
    r"No number is right\.": lambda a, b: (a != b).all(),
    r"Each row is the right one plus a number of its own\.": lambda a, b: np.allclose(np.ptp(b - a, axis=1), 0),
    r"Each column is the right one plus a number of its own\.": lambda a, b: np.allclose(np.ptp(b - a, axis=0), 0),
    r"The sums along axis 0 are right.*": lambda a, b: np.allclose(a.sum(0), b.sum(0)),
    r"The sums along axis 1 are right.*": lambda a, b: np.allclose(a.sum(1), b.sum(1)),
    r"The order is the wrong way round along axis 0\.": lambda a, b: np.array_equal(a[::-1], b),
    r"The numbers stand one place too late along axis 1\.": lambda a, b: np.array_equal(a[:, :-1], b[:, 1:]),
    r"There are negative numbers, and should be none\.": lambda a, b: (a >= 0).all() and (b < 0).any(),
}  # fmt: skip
CHANGES: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda a: -a, abs, lambda a: 2 * a, lambda a: a + 1, lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: 0 * a,
    lambda a: a.T.reshape(a.shape), lambda a: np.roll(a, 1, 1), lambda a: np.triu(a), lambda a: np.tril(a),
    lambda a: a + np.arange(len(a))[:, None], lambda a: a + np.arange(a.shape[1]), lambda a: np.sort(a, 1),
    lambda a: np.concatenate([a[:1] + 1, a[1:]]), lambda a: np.concatenate([a[:, :-1] - 1, a[:, -1:]], axis=1),
    lambda a: a + np.eye(*a.shape), lambda a: a % 2,
]  # fmt: skip


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 4), st.integers(2, 4)), elements=st.integers(-3, 3).map(float)),
    st.sampled_from(CHANGES),
    st.sampled_from(CHANGES),
)
def test_what_a_hint_says_of_numbers_is_true(right: np.ndarray, one: Any, other: Any) -> None:
    mine = np.asarray(other(one(right)), dtype=float)
    assume(not np.array_equal(right, mine))
    said = list(hints._sentences(hints._Pair(plain(right), plain(mine), NEAR), True))
    assert said
    for sentence in said:
        for claim, holds in CLAIMS.items():
            if re.fullmatch(claim, sentence):
                assert holds(right, mine), sentence


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_of_these_sentences_is_said_at_some_time(claim: str) -> None:
    rng = np.random.default_rng(0)
    rights = [rng.integers(-3, 4, (3, 3)).astype(float) for _ in range(3)] + [np.abs(rng.integers(0, 4, (2, 3))) * 1.0]
    pairs = [(a, np.asarray(other(one(a)), dtype=float)) for a in rights for one in CHANGES for other in CHANGES]
    said = (hints._sentences(hints._Pair(plain(a), plain(b), NEAR), True) for a, b in pairs if not np.array_equal(a, b))
    assert any(re.fullmatch(claim, sentence) for sentences in said for sentence in sentences)


@given(
    st.lists(st.tuples(st.text("aB ñ\n", max_size=4), st.booleans()), min_size=3, max_size=8, unique_by=lambda p: p[0])
)
def test_what_is_said_of_the_questions_is_true(questions: list[tuple[str, bool]]) -> None:
    """All questions of a kind and no others are wrong: the kinds are looked at once more, by other means."""
    kinds: dict[str, Callable[[str], bool]] = {
        "an empty text": lambda t: t == "", "capital letters": lambda t: "B" in t, "line ends": lambda t: "\n" in t,
        "characters beyond ASCII": lambda t: "ñ" in t, "white space": lambda t: bool(set(t) & {" ", "\n"}),
    }  # fmt: skip
    assume(not all(right for _, right in questions))
    answers = {text: text if right else text + "!" for text, right in questions}
    found = verdict(answers.__getitem__, [(text,) for text, _ in questions], record([text for text, _ in questions]))
    for kind, is_of in kinds.items():
        if f"with {kind} is answered wrongly" in found.message or f"with {kind} are answered wrongly" in found.message:
            assert all(is_of(text) != right for text, right in questions)
        if f"with {kind} is answered rightly" in found.message or f"with {kind} are answered rightly" in found.message:
            assert all(is_of(text) == right for text, right in questions)
        if f"Every wrong answer is to a question with {kind}." in found.message:
            assert all(is_of(text) or right for text, right in questions)


def test_the_kind_of_question_that_fails_is_told() -> None:
    known = record([3, 2, 0, 5, 4])
    found = verdict(lambda x: max(x, 0), [(3,), (2,), (0,), (-5,), (-4,)], record([3, 2, 0, -5, -4]))
    assert (
        "All 2 questions with a negative number for an argument are answered wrongly, all others rightly."
        in found.message
    )
    assert "answered" not in verdict(lambda x: 7, [(3,), (2,), (0,), (5,), (4,)], known).message


def test_what_wrong_answers_happen_to_share_is_no_cause() -> None:
    """All wrong answers are to questions with a negative number, and so is a right one: it says nothing."""
    asks = [(-1, 2), (-3, 4), (-5, 5), (6, 6), (7, 7)]
    found = verdict(lambda x, y: x + y if x == y or x < -4 else x - y, asks, record([x + y for x, y in asks]))
    assert "negative number for" not in found.message


def test_an_item_too_many_is_shown_as_it_is_however_long() -> None:
    rows = [("very clean" * 9, 1), ("very clean" * 8, 0), ("dirty", 1)]
    found = verdict(lambda n: rows, [(0,)], record([rows[:1] + rows[2:]]))
    assert re.search(r"too many: \('very clean.*…", found.message.splitlines()[0])
    assert not re.search(r"[0-9a-f]{8}", found.message)


def test_numbers_that_are_small_beside_the_others_are_not_nearly_right() -> None:
    right = np.array([1.0, 0.5, 2e-5])
    assert "nearly right" not in verdict(lambda n: right * [1, 1, 4], [(0,)], record([right])).message
    assert "rounded" not in verdict(lambda n: 0 * right, [(0,)], record([right / 9])).message
    assert "nearly right" in verdict(lambda n: right * [1, 1.001, 1], [(0,)], record([right])).message


def test_true_and_false_exchanged_are_not_all_false() -> None:
    """Two answers are wrong everywhere, one with both values in it: nothing comes everywhere in that one."""
    rights, wrong = [[True, True], [True, False]], [[False, False], [False, True]]
    found = verdict(lambda n: wrong[n], [(1,), (0,)], record([rights[1], rights[0]]))
    assert "comes everywhere" not in found.message


def test_an_argument_that_makes_no_difference_is_told() -> None:
    right = [[2.0, 4.0], [4.0, 2.0], [6.0, 10.0], [10.0, 6.0]]
    asks = [([1.0, 2.0], False), ([1.0, 2.0], True), ([3.0, 5.0], False), ([3.0, 5.0], True)]
    found = verdict(lambda x, turned: [2 * v for v in x], asks, record(right))
    assert "differ in its second argument alone" in found.message
    found = verdict(lambda x, turned: [9.0, x[1]] if turned else [2 * v for v in x], asks, record(right))
    assert "differ in" not in found.message


def test_an_argument_that_comes_back_as_it_was_is_told() -> None:
    known = record([[1.0, 4.0], [9.0, 16.0]])
    assert (
        "What comes back is its first argument" in verdict(lambda x: x, [([1.0, 2.0],), ([3.0, 4.0],)], known).message
    )
    half = verdict(lambda x: x if x[0] == 1.0 else [0.0, 0.0], [([1.0, 2.0],), ([3.0, 4.0],)], known)
    assert "comes back" not in half.message


@pytest.mark.parametrize(
    ("right", "got"),
    [
        ("secret words", "secret deeds"),
        ({"secret": [1, 2], "b": 1}, {"secret": [1, 3], "b": 1}),
        ({"secret": 31337}, {"other": 31337}),
        (["a", "secret", "b"], ["a", "b"]),
        ([31337.0, 7.0], [62674.0, 14.0]),
        (31337, 31338),
        (np.full((3, 5), 31337.0), np.zeros((3, 5))),
        (b"secret", b"secreT"),
        ((1, "secret"), (1, "other")),
    ],
)
def test_a_hint_to_a_hidden_question_holds_no_value(right: Any, got: Any) -> None:
    answers = {"visible": 0, "first": right, "second": right}
    known = record(list(answers.values()), visible=1)
    found = (
        verdict(lambda x: got if answers[x] else 0, [(name,) for name in answers], known)
        if not isinstance(right, np.ndarray)
        else verdict(lambda x: 0 if x == "visible" else got, [(name,) for name in answers], known)
    )
    assert found.message and found.entry == ""
    assert not re.search("secret|31337|62674|31338|other'", found.message)


def test_nearly_right_is_measured_against_each_answer_by_itself() -> None:
    known = record([1.0, 1e6])
    assert "nearly right" not in verdict(lambda x: 1.5 if x == 1 else x * 1.001, [(1.0,), (1e6,)], known).message


def test_an_error_shows_the_line_that_raised_it() -> None:
    found = verdict(_divides, [(0,)], record([1.0]))
    assert "ZeroDivisionError" in found.message


def _divides(x: float) -> float:
    return 1 / x


TAKEN_APART = """
def f(x):
    {body}

def total(x):
    first, second = f(x)
    return first + second

def test_f():
    check(f, 1)
    check(total, 2)
"""


def told_where_a_test_takes_it_apart(body: str, tmp_path: Path) -> Any:
    """The verdict on an `f` that should give (x, x), known to be wrong where it gives x alone."""
    source = TAKEN_APART.format(body=body)
    (tmp_path / "cell.py").write_text(source, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(source, str(tmp_path / "cell.py"), "exec"), names)
    one_alone = TypeError("cannot unpack non-iterable int object")
    ask = Asking(record([(1, 1), 4], {"alone": [one_alone, one_alone]}))
    return ask.judge("f", ask.ask(names["test_f"]))


@pytest.mark.parametrize("body", ["(x, x)", "return", "if x > 9:\n        return (x, x)"])
def test_a_forgotten_return_is_told_where_a_test_takes_the_answer_apart(body: str, tmp_path: Path) -> None:
    found = told_where_a_test_takes_it_apart(body, tmp_path)
    assert found.message.startswith("None came back: is the `return` missing?")


def test_an_error_about_none_is_no_error_of_another_mistake(tmp_path: Path) -> None:
    """Both raise a TypeError where the answer is taken apart; only one of them gave x alone."""
    assert told_where_a_test_takes_it_apart("raise TypeError('an int')", tmp_path).entry == "alone"
    assert told_where_a_test_takes_it_apart("return None + x", tmp_path).entry == ""
    assert mark(plain(TypeError("'NoneType' object is not iterable"))) != mark(plain(TypeError("no int")))


def test_none_within_the_code_is_no_forgotten_return(tmp_path: Path) -> None:
    """The student's own line works with a None: that says nothing of the `return`."""
    assert "`return`" not in told_where_a_test_takes_it_apart("return (None + x, x)", tmp_path).message


def test_a_stub_is_told_that_it_is_one() -> None:
    def stub(x: int) -> int:
        raise NotImplementedError

    assert verdict(stub, [(0,)], record([1])).message == "not written yet"
    secret = record([[1, 2], [3, 4]])
    for question in secret["f"]["questions"]:  # as in a notebook, where the answer is itself what is asked for
        question["mark"] = mark(from_json(question.pop("answer")))
    assert verdict(stub, [(0,), (1,)], secret).message == "not written yet"
    assert verdict(lambda x: int("two"), [(0,), (1,)], secret).message.startswith("The call ended in ValueError: ")


@pytest.mark.parametrize("more", ["", ", changes=True"])
def test_a_question_is_shown_as_it_was_asked(more: str) -> None:
    """Whatever the answer, or the test after it, does with the arguments."""
    source = f"def test_f():\n    x = [1, 2]\n    check(f, x{more})\n    x.append(3)\n    check(f, x, gives=0)\n"

    def f(x: list[int]) -> int:
        x.clear()
        return 0

    names: dict[str, Any] = {"f": f}
    exec(source, names)
    assert [one.call for one in Asking().ask(names["test_f"])] == ["f([1, 2])", "f([1, 2, 3])"]


@pytest.mark.parametrize(
    "value", [(1, 2), ("t",), (), [(1,), (2, 3)], {(1, 2): (3.5,)}, 0.9999999999999999, -0.1, [1, 2]]
)
def test_an_argument_is_shown_as_it_would_be_written(value: Any) -> None:
    assert show_argument(value) == repr(value)


def test_a_changed_argument_is_seen() -> None:
    def sorts(x: list[int]) -> list[int]:
        x.sort()
        return x

    known = record([[1, 2]])
    assert "changes its first argument" in verdict(sorts, [([2, 1],)], known).message
    assert verdict(sorts, [([2, 1],)], known, changes=True).message == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
        (np.array([0.0, 1.0]), np.array([-0.0, 1.0])),
        (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy()),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.array(["a"], dtype=object), np.array(["a"], dtype=object)),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan])),
    ],
)
def test_an_argument_that_is_what_it_was_is_not_changed(before: Any, after: Any) -> None:
    assert unchanged(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-15])),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2, dtype="float32"), np.zeros(1, dtype="float64")),
        (np.array([1.0]), [1.0]),
        (torch.zeros(2), torch.ones(2)),
    ],
)
def test_an_argument_that_is_another_is_changed(before: Any, after: Any) -> None:
    assert not unchanged(before, after)


def test_a_long_array_is_told_by_its_shape_and_a_short_one_whole() -> None:
    for count in range(40):
        whole = "[" + ", ".join(["1"] * count) + "]"
        said = whole if len(whole) <= MOST_SHOWN else f"whole numbers of shape ({count},)"
        assert show(plain(np.ones(count, dtype=int))) == said
    assert show(plain(np.zeros((25, 0)))) == "numbers of shape (25, 0)"


def test_the_argument_of_a_question_is_as_written_for_the_next_one() -> None:
    seen = []

    def adds(x: np.ndarray) -> float:
        seen.append(x.copy())
        x += 1
        return 0.0

    shared = np.zeros(2)
    verdict(adds, [(shared,), (shared,)], record([0.0, 0.0]), changes=True)
    assert [list(x) for x in seen] == [[0.0, 0.0], [0.0, 0.0]]


def test_of_a_hidden_question_nothing_is_told_but_its_kind() -> None:
    known = record(["12345", "67890"], visible=1)
    found = verdict(lambda x: x if x == "12345" else "wrong", [("12345",), ("67890",)], known, about="ties")
    assert "ties" in found.message
    assert "67890" not in found.message
    assert "67890" in found.details

    def tells(x: str) -> str:
        if x == "67890":
            raise ValueError(x)
        return x

    assert "67890" not in verdict(tells, [("12345",), ("67890",)], known).message


def test_parts_of_the_points() -> None:
    names: dict[str, Any] = {"f": lambda x: x}
    exec("def test_f():\n    check(f, 1, worth=1)\n    check(f, 2, worth=0.5)\n", names)
    assert Asking(record([1, 3])).run(names["test_f"]) == 1.0
    assert Asking(record([1, 2])).run(names["test_f"]) == 1.5


def test_a_number_in_a_test_is_exact_to_its_digits_where_nothing_is_recorded() -> None:
    names: dict[str, Any] = {"f": lambda x: x}
    exec("def test_f():\n    check(f, 0.66524, gives=0.6652)\n", names)
    assert Asking({}).judge("f", Asking({}).ask(names["test_f"])).message == ""
    names["f"] = lambda x: x + 1e-4
    assert Asking({}).judge("f", Asking({}).ask(names["test_f"])).message != ""


def test_an_exception_may_be_asked_for() -> None:
    names: dict[str, Any] = {"f": lambda x: {}[x]}
    exec("def test_f():\n    check(f, 1, gives=LookupError)\n", names)
    assert Asking({}).run(names["test_f"]) is None
    names["f"] = lambda x: x
    with pytest.raises(WrongAnswer, match="LookupError"):
        Asking({}).run(names["test_f"])


def test_check_alone_passes_nothing_in_silence() -> None:
    with pytest.raises(RuntimeError, match="run"):
        Asking({}).check(abs, -1, gives=1)


def test_a_test_that_asks_nothing_does_not_pass() -> None:
    names: dict[str, Any] = {}
    exec("def test_f():\n    pass\n", names)
    with pytest.raises(RuntimeError, match="asks nothing"):
        Asking({}).run(names["test_f"])


def test_a_helper_is_taken_away_while_a_test_runs_and_comes_back() -> None:
    names: dict[str, Any] = {"helper": abs}
    exec("def f(x):\n    return helper(x)\n\n\ndef test_f():\n    check(f, -1, gives=1)\n", names)
    with pytest.raises(WrongAnswer, match="helper is not to be used"):
        Asking({}).run(names["test_f"], without=["helper"])
    assert names["helper"] is abs


def test_the_students_own_names_get_in_nobodys_way() -> None:
    names: dict[str, Any] = {}
    exec(helper_cell(visible_part(record([1], visible=1) | {})), names)
    run = names["run"]
    exec("np = json = math = plain = None\ndef check(x): return 7\ndef f(x): return x\n", names)
    exec("def test_f():\n    check(f, 1)\n", names)
    assert run(names["test_f"]) is None
    assert names["check"](0) == 7


def test_the_modules_of_the_cell_share_no_name() -> None:
    """They run in one namespace there: a later one would take the place of an earlier one."""
    names = [
        name
        for module in MODULES
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and not name.startswith("__")
    ]
    assert len(names) == len(set(names)) > 50


def test_the_cell_of_a_notebook_needs_nothing_installed() -> None:
    source = helper_cell(visible_part(record([1.5], visible=1)))
    source += "\ndef f(x): return 1.5\ndef test_f():\n    check(f, 1)\nrun(test_f)\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("✓ f: 1 of 1\n", "")


def test_a_notebook_is_shown_a_few_lines_and_no_traceback_of_ours() -> None:
    names: dict[str, Any] = {"f": lambda x: 2}
    exec("def test_f():\n    check(f, 1)\n", names)
    with pytest.raises(WrongAnswer) as caught:
        Asking(record([1])).run(names["test_f"])
    lines = caught.value._render_traceback_()
    assert lines[0] == "✗ f: 0 of 1 right"
    assert len(lines) <= 5


def test_a_class_as_an_argument_is_no_array() -> None:
    """NumPy's kinds of number have a `dtype` of their own, which is none of an array."""
    assert plain(np.float32).kind == "object"
    assert verdict(lambda kind: np.dtype(kind).itemsize, [(np.float32,)], record([4])).message == ""


def test_the_authors_clock_counts_computing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def timers() -> list[bool]:
        """Which clocks run: an alarm of the wall clock would cut an import short where the machine is busy."""
        return [signal.getitimer(which)[0] > 0 for which in (signal.ITIMER_PROF, signal.ITIMER_REAL)]

    def endless() -> None:
        while True:
            pass

    def ask() -> None:
        check = asks.check  # as `ask` puts it into a notebook
        check(timers)
        monkeypatch.setattr(answers, "SECONDS", 0.05)
        check(endless)

    asks = answers.TimedAsking()
    told = [one.answer for one in asks.ask(ask)]
    assert told[0].items == [True, False]
    assert told[1].items[0][0] == "TimedOut"
