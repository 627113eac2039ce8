"""Fill in `gives=...` in the tests of a chapter's sources, from what the reference answers."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.course.course import Course
from autograder.course.findings import Fill
from autograder.files import write_whole

OPEN = "gives=..."


def fill_in(course: Course, chapter: str, fills: Sequence[Fill]) -> list[str]:
    """Put each answer in the place that the author has left to the reference; says what was filled in, and what not."""
    said = []
    for path in course.sources(chapter):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        mine = [fill for fill in fills if fill.notebook == path.stem]
        for fill in mine:
            place = _first_line(lines, fill.test) + fill.line - 1
            found = next((n for n in range(place, min(place + 20, len(lines))) if OPEN in lines[n]), None)
            if found is None:
                said.append(f"{path.name}: {fill.test}: line {place + 1}: no `{OPEN}` found: is it in a loop?")
                continue
            lines[found] = lines[found].replace(OPEN, f"gives={fill.answer}", 1)
            said.append(f"{path.name}: {fill.test}: gives={fill.answer}")
        if mine:
            write_whole(path, "".join(lines))
    return said


def _first_line(lines: Sequence[str], test: str) -> int:
    """The place of the first line of a test's cell."""
    head = f'"grade_id": "{test}"'
    return next(number for number, line in enumerate(lines) if line.startswith("# %%") and head in line) + 1
