"""nbgrader's configuration: its tree (source/, release/, submitted/, …, gradebook.db) stands in this folder.

`autograder release` and `autograder grade` use the same tree, so `nbgrader` and `formgrader` see one course.
"""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "course"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code here"}
c.ExecutePreprocessor.timeout = 120
