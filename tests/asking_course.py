"""A tiny course with an exercise whose test asks: its source, its bank, and three answers."""

from __future__ import annotations

from pathlib import Path

from tiny_course import HEADER

from autograder.course.course import Course
from autograder.course.record import written
from autograder.course.verify import verify_chapter

SHARES = '''
# %% [markdown]
# # Shares

# %%
import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check

# %% nbgrader={"grade_id": "shares", "solution": true}
def shares(amounts: np.ndarray) -> np.ndarray:
    """Each amount as a share of the whole. Same shape as amounts (n,)."""
    ### BEGIN SOLUTION
    total = amounts.sum()
    return amounts / total
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_shares", "grade": true, "points": 2}
def test_shares():
    """The shares sum to 1."""
    check(shares, np.array([1.0, 3.0]), gives=[0.25, 0.75])
    check(shares, np.array([2.0, 2.0, 4.0]))
    ### BEGIN HIDDEN TESTS
    check(shares, np.array([5.0]), about="one amount")
    ### END HIDDEN TESTS

# %% nbgrader={"grade_id": "thrice", "solution": true}
def thrice(grams: float) -> float:
    """Three times as much."""
    ### BEGIN SOLUTION
    return 3 * grams
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_thrice", "grade": true, "points": 1}
def test_thrice():
    """Three times two is six."""
    check(thrice, 2.0, gives=6.0)
    check(thrice, 5.0)
'''

BANK = '''
from autograder.course.bank import right, wrong


@wrong("shares")
def of_the_largest(amounts):
    """These are shares of the largest amount: divide by the sum of all."""
    return amounts / amounts.max()


@right("shares")
def by_a_loop(amounts):
    return [one / sum(amounts) for one in amounts]


@wrong("thrice")
def squares(grams):
    """This multiplies the amount by itself: the factor is 3."""
    return grams * grams


@right("thrice")
def adds(grams):
    return grams + grams + grams
'''

STUB = "def shares(amounts):\n    raise NotImplementedError  # your code here\n"
RIGHT = "def shares(amounts):\n    return amounts / np.sum(amounts)\n"
WRONG = "def shares(amounts):\n    return amounts / np.max(amounts)\n"
NO_RETURN = "def shares(amounts):\n    amounts / np.sum(amounts)\n"
RAISES = 'def shares(amounts):\n    total = np.sum(amounts)\n    raise ValueError("no amounts")\n'
THRICE = "def thrice(grams):\n    return grams * 3\n"


def write_asking(root: Path) -> Course:
    """A course with one chapter, `cooking`, one notebook, `shares`, and its record."""
    (root / "solutions" / "cooking").mkdir(parents=True)
    (root / "tests" / "misconceptions").mkdir(parents=True)
    (root / "tests" / "record").mkdir()
    (root / "solutions" / "cooking" / "shares.py").write_text(HEADER + SHARES, encoding="utf-8")
    (root / "tests" / "misconceptions" / "cooking.py").write_text(BANK, encoding="utf-8")
    course = Course(root)
    course.record("cooking").write_text(written(verify_chapter(course, "cooking").record), encoding="utf-8")
    return course
