"""Formgrader in the browser, as the guide for instructors tells it: `jupyter lab` in the course, then `/formgrader`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from formgrader import jupyter_lab
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, ROUNDED_PORTIONS, write

from autograder.course.course import Course
from autograder.grading.grade import grade_class

ROOT = Path(__file__).parent.parent
# Formgrader draws the field first and listens to it once the comments are fetched; then it says what to type there.
LISTENING = "textarea.comment[placeholder]"


@pytest.mark.slow
def test_the_class_is_listed_and_a_comment_is_kept(tiny: Course, blank: Path, tmp_path: Path, browser: Any) -> None:
    """What `autograder grade` wrote into the course's folder is what formgrader shows and lets a person add to."""
    shutil.copy(ROOT / "nbgrader_config.py", tiny.root)
    handed_in = tmp_path / "class"
    write(blank, handed_in / "ann" / "recipes.ipynb", portions=GOOD_PORTIONS, double=GOOD_DOUBLE)
    write(blank, handed_in / "bob" / "recipes.ipynb", portions=ROUNDED_PORTIONS)
    grade_class(tiny, "cooking", handed_in, tiny.root)
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)  # the first page waits for nbgrader to be imported
    with jupyter_lab(tiny.root, tmp_path / "home") as (address, token):
        page.goto(f"{address}/formgrader?token={token}")
        assert page.url == f"{address}/formgrader/manage_assignments"
        page.click("td.num-submissions a")  # how many were handed in leads to the list of them
        page.wait_for_selector("text=bob")
        rows = {row.split("\t")[0].strip(): row for row in page.locator("tbody tr").all_inner_texts()}
        assert {name.strip(", ") for name in rows} == {"ann", "bob"}
        assert any("5 / 5" in row for row in rows.values())
        page.goto(f"{address}/formgrader/gradebook/cooking/recipes")
        page.click("text=Submission #1")
        page.wait_for_selector(LISTENING)
        assert "def portions" in page.inner_text("body")
        page.locator(LISTENING).first.fill("Well done.")
        with page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"):
            page.locator(LISTENING).first.blur()
        page.reload()
        page.wait_for_selector(LISTENING)
        assert page.locator(LISTENING).first.input_value() == "Well done."
    context.close()
