"""The pictures on the page for instructors, made anew from a graded class: `make pictures`.

They are of the class report, one student's feedback and nbgrader's formgrader, on the light theme, each small enough
for a page of the book.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from conftest import CHROMIUM
from formgrader import jupyter_lab
from PIL import Image
from playwright.sync_api import sync_playwright

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
COLOURS = 128  # of a palette: text and bars need no more, and the marks of right and wrong keep theirs
MOST = 60_000  # bytes of one picture


def save(page: Any, name: str, width: int, height: int, top: float = 0) -> None:
    """A piece of a page, in pixels."""
    shot = page.screenshot(clip={"x": 0, "y": top, "width": width, "height": height}, full_page=True)
    picture = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path = ASSETS / f"{name}.png"
    picture.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST, f"{path.name}: {size} bytes: take less of the page"
    print(f"{path.name}: {size} bytes")


def main(graded: Path, chapter: str = "attention", student: str = "student01") -> None:
    """`graded` is the folder that `autograder grade` and `autograder report` wrote to."""
    home = Path(tempfile.mkdtemp())
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
            context = chromium.new_context(viewport={"width": 960, "height": 720}, color_scheme="light")
            page = context.new_page()
            page.goto((graded / "report.html").resolve().as_uri())
            save(page, "class-report", 960, 800)
            page.goto((graded / "feedback" / student / f"{chapter}.html").resolve().as_uri())
            save(page, "student-feedback", 960, 560)
            with jupyter_lab(graded, home) as (address, token):
                page.set_default_timeout(300_000)
                page.set_viewport_size({"width": 1060, "height": 900})
                page.goto(f"{address}/formgrader?token={token}")
                page.wait_for_selector(f"text={chapter}")
                page.goto(f"{address}/formgrader/manage_submissions/{chapter}")
                page.wait_for_selector(f"text={student}")
                save(page, "formgrader", 1060, 600)
                page.goto(f"{address}/formgrader/gradebook/{chapter}/weights")
                page.click("text=Submission #1")
                page.wait_for_selector("textarea.comment")
                comment = page.locator("textarea.comment").first.bounding_box()
                save(page, "formgrader-submission", 1060, 620, top=comment["y"] + comment["height"] - 580)
            chromium.close()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sample/graded"))
