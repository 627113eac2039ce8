"""A tiny course on something else: one chapter, one notebook, two exercises, and a bank."""

from pathlib import Path

from autograder.course.course import Course

HEADER = """# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---
"""

RECIPES = '''
# %% [markdown]
# # Recipes

# %%
import math

# %% nbgrader={"grade_id": "portions", "solution": true}
def portions(grams: float, people: int) -> float:
    """Grams a head."""
    ### BEGIN SOLUTION
    return grams / people
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_portions", "grade": true, "points": 2}
def test_portions():
    """Two people share equally."""
    assert portions(300, 2) == 150, f"300 g for two is 150 g a head, got {portions(300, 2)}: divide, do not subtract"
    ### BEGIN HIDDEN TESTS
    assert portions(1, 4) == 0.25, "secret: a quarter: was the result rounded?"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_portions()

# %% nbgrader={"grade_id": "double", "solution": true}
def double(grams: float) -> float:
    """Twice as much."""
    ### BEGIN SOLUTION
    return 2 * grams
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_double", "grade": true, "points": 3}
def test_double():
    """Twice three is six."""
    assert double(3) == 6, f"twice 3 g is 6 g, got {double(3)}: was it squared?"

if __name__ == "__main__":
    test_double()
'''

BANK = '''
from autograder.course.bank import right, wrong


@wrong("portions")
def subtracts(grams, people):
    """Takes the people away."""
    return grams - people


@wrong("portions", hidden=True)
def rounds_down(grams, people):
    """Rounds down."""
    return grams // people


@right("portions")
def multiplies(grams, people):
    return grams * (1 / people)


@wrong("double")
def squares(grams):
    """Squares."""
    return grams**2
'''


def write_tiny(root: Path) -> Course:
    """A course with one chapter, `cooking`, and one notebook, `recipes`."""
    (root / "solutions" / "cooking").mkdir(parents=True)
    (root / "tests" / "misconceptions").mkdir(parents=True)
    (root / "solutions" / "cooking" / "recipes.py").write_text(HEADER + RECIPES, encoding="utf-8")
    (root / "solutions" / "cooking" / "weights.py").write_text('"""A plain module."""\n', encoding="utf-8")
    (root / "tests" / "misconceptions" / "cooking.py").write_text(BANK, encoding="utf-8")
    return Course(root)
