"""A class made by chance: every row as deserved, no run ends early, nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attacks.gallery import ALL, AREA, POINTS
from attacks.tampering import TRICKS
from generated_class import FIRST, KINDS, Class, Due, Generator, Graded, Made, compare, grade, make_class, unclean

from autograder.engine import sandbox
from autograder.errors import SubmissionError
from autograder.notebook.file import cells_in

Row = dict[str, Any]


def graded(root: Path, students: int, seed: int) -> tuple[Class, Graded]:
    if not sandbox.probe().safe():
        pytest.skip("no sandbox on this machine (`autograder doctor` says what is missing)")
    made = make_class(root, students, seed)
    return made, grade(made)


def assert_fine(found: Graded) -> None:
    assert found.code == 0, found.output[-3000:]
    assert not found.wrongs, "\n".join(found.wrongs)
    assert not found.left, found.left


def test_a_small_class_of_every_kind(tmp_path: Path) -> None:
    made, found = graded(tmp_path, 36, seed=1)
    assert_fine(found)
    assert {"graded", "refused"} <= found.statuses.keys()
    assert {student.story[0] for student in made.students} >= set(FIRST)


@pytest.mark.slow
@pytest.mark.timing
def test_a_class_of_some_hundreds(tmp_path: Path) -> None:
    made, found = graded(tmp_path, 300, seed=2)
    assert_fine(found)
    assert {student.story[0] for student in made.students} == KINDS.keys()


def test_the_same_seed_makes_the_same_class(blank: Path, tmp_path: Path) -> None:
    def students(folder: str, seed: int) -> list[list[Made]]:
        (tmp_path / folder).mkdir()
        generator = Generator(blank, tmp_path / folder, seed)
        return [generator.student() for _ in range(30)]

    one = students("one", 5)
    assert one == students("other", 5)
    assert one != students("third", 6)


def test_a_notebook_of_any_structure_is_read_or_refused(blank: Path, tmp_path: Path) -> None:
    """In one line that names it, and with nothing raised that would be our fault."""
    generator = Generator(blank, tmp_path, seed=7)
    refused = []
    for number in range(2000):
        notebook = generator.filled({})
        if number % 2:
            TRICKS["format_3"](notebook)
        text = json.loads(json.dumps(generator.mangled(notebook)))
        try:
            cells = cells_in(text, "tools.ipynb")
        except SubmissionError as error:
            refused.append(str(error))
        else:
            assert all(isinstance(cell.source, str) and isinstance(cell.grade_id, str) for cell in cells)
    assert 20 < len(refused) < 500, "both happen"
    assert all(said.startswith("tools.ipynb: not a") and "\n" not in said for said in refused)


# ---- the comparison itself: whatever is changed in a right row is seen


def row(student: str = "ada", **changed: Any) -> Row:
    exercises = [{"exercise": name, "points": POINTS[name]} for name in sorted(ALL)]
    plain = {"student": student, "display_name": "Ada", "status": "graded", "note": "", "incidents": []}
    return plain | {"exercises": exercises, "score": sum(POINTS.values())} | changed


def without(name: str) -> Row:
    exercises = [{"exercise": one, "points": 0.0 if one == name else POINTS[one]} for one in sorted(ALL)]
    return row(exercises=exercises, score=sum(POINTS.values()) - POINTS[name])


ADA = Made("ada", "Ada", ["ordinary"], Due(ALL, ALL))
DOCTORED: dict[str, Callable[[], list[Row]]] = {
    "no points for": lambda: [without("draw")],
    "a score of 12.0": lambda: [row(score=12.0)],
    "status failed": lambda: [row(status="failed")],
    "late: True": lambda: [row(incidents=[{"kind": "late"}])],
    "its time is known": lambda: [row(note="when it was handed in is not known")],
    "no row": lambda: [],
    "2 rows": lambda: [row(), row("ada-2")],
    "of nobody": lambda: [row(), {"student": "x", "status": "refused", "note": "whose is it?"}],
    "exercises": lambda: [row(exercises=row()["exercises"][1:], score=sum(POINTS.values()) - POINTS["Tally"])],
}


def test_a_row_as_deserved_is_passed() -> None:
    assert compare([ADA], [row()]) == []


@pytest.mark.parametrize("said", DOCTORED)
def test_a_row_that_is_not_as_deserved_is_seen(said: str) -> None:
    assert said in "\n".join(compare([ADA], DOCTORED[said]()))


def test_points_that_were_not_earned_are_seen() -> None:
    attacker = Made("ada", "Ada", ["tricky"], Due(AREA, AREA))
    assert "points for" in "\n".join(compare([attacker], [row()]))


def test_students_whose_names_look_alike_each_have_one_of_the_rows() -> None:
    twin = Made("Ada", "Ada", ["ordinary"], Due(ALL - {"draw"}, ALL - {"draw"}))
    assert compare([ADA, twin], [without("draw"), row("ada-2")]) == []
    assert "no points for" in "\n".join(compare([ADA, twin], [without("draw"), without("draw") | {"student": "b"}]))


@pytest.mark.parametrize("text", ["a\x1b[31m", "\u202eabc", "<script>alert(1)</script>"])
def test_what_must_not_stand_in_a_page_is_seen(tmp_path: Path, text: str) -> None:
    page = tmp_path / "tools.html"
    page.write_text(text, encoding="utf-8")
    assert unclean(page)
    page.write_text("<p>as it should be: 好 ñ</p>\r\n", encoding="utf-8", newline="")
    assert not unclean(page)
    page.write_bytes(b"\xff")
    assert unclean(page)
