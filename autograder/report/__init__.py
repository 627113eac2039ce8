"""One HTML page about a graded class: scores, exercises, mistakes by name, and what went wrong.

The page is a single file that asks nothing of the network. Everything in it that a student could have
written (names, notes, messages) passes through `markup.text` and is shown as text, never as markup.
"""

from autograder.report.page import write_report
from autograder.report.statistics import common_mistakes, exercise_stats, normalised, notebook_stats

__all__ = ["common_mistakes", "exercise_stats", "normalised", "notebook_stats", "write_report"]
