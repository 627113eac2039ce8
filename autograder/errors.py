"""The errors that a command turns into one line and an exit code."""


class CourseError(Exception):
    """Something in the course's own files is wrong; the message names the file, the field and the mend."""


class SubmissionError(Exception):
    """A submitted file that cannot be graded; the message is what its row will say."""
