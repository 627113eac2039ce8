"""`autograder examples`: a reader's examples against the reference and the bank of an installed course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.course.answers import Sheet, defined
from autograder.course.bank import load_bank
from autograder.course.course import Course
from autograder.errors import CourseError
from autograder.examples import Outcome, Wrong, drivers_of, tried
from autograder.notebook.source import exercise_of


def sheet_with(course: Course, exercise: str) -> tuple[str, Sheet]:
    """The chapter and the notebook of an exercise. Raises CourseError where the course has none of this name."""
    for chapter in course.chapters():
        for path in course.sources(chapter):
            if f'"grade_id": "{exercise}"' in path.read_text(encoding="utf-8"):
                sheet = Sheet(path)
                if exercise in map(exercise_of, sheet.tests):
                    return chapter, sheet
    raise CourseError(f"{exercise}: the course has no exercise of this name: give one, as softmax")


def tried_here(course: Course, exercise: str, text: str) -> Outcome:
    """What examples of an exercise are worth; the names of its notebook are known in them."""
    chapter, sheet = sheet_with(course, exercise)
    base = sheet.namespace()
    test = next(test for test in sheet.tests if exercise_of(test) == exercise)
    bank = [entry for entry in load_bank(course.bank(chapter)) if entry.exercise == exercise and not entry.is_right]
    reference = sheet.solutions[exercise]

    def with_solution(source: str) -> Mapping[str, Any]:
        names = dict(base)
        for name in defined(reference):
            names.pop(name, None)
        exec(compile(source, f"<{exercise}>", "exec"), names)
        exec(compile(sheet.tests[test], f"<{test}>", "exec"), names)  # its drivers may be used in an example
        return names

    wrong = [Wrong(entry.source, entry.summary) for entry in bank]
    return tried(text, exercise, with_solution, reference, wrong, drivers_of(sheet.tests[test]))
