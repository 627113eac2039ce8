"""Wrong solutions of the chapter on LLaMA by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

from autograder.bank import right, wrong

# ---- parts

# ---- model

# ---- generation
