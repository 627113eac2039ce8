"""nbgrader's configuration: its tree (source/, release/, submitted/, …, gradebook.db) stands in this folder.

`autograder grade` uses the same settings, so `nbgrader autograde`, `generate_feedback` and `formgrader` see one course.
"""

from autograder.plugin import configure

configure(get_config())  # noqa: F821
