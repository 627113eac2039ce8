"""The page that a student opens: what it says first, what it folds, and that nothing of a student's is markup in it."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from standing_alone import WIDE, pages_for_everybody
from test_report import HOSTILE, Page

from autograder.course.course import Course
from autograder.notebook.file import Cell
from autograder.notebook.rebuild import Ours, Placed
from autograder.report.book import Place, places_in
from autograder.report.feedback import About, Graded, feedback_page, told, with_remarks, with_total
from autograder.report.html import MOST_RENDERED, markdown
from autograder.results import ByHand, CellResult, Ended, Exercise, Run, State

MESSAGE = "The sum of `p` is not 1.\n  asked:    softmax([1, 2])\n  expected: [0.27, 0.73]\n  got:      [1, 2]"
ABOUT = About("attention", "Ann Example", "ann", datetime(2026, 11, 30, tzinfo=UTC), "2026-11-29 22:05:00.000000 UTC")
GIVEN = "# Softly\n\nA text that the student did not write."
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "section", "article", "h1", "h2", "h3", "p", "ul",
           "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "div", "span", "b",
           "em", "strong", "small", "blockquote", "hr", "br", "wbr", "time", "details", "summary", "a"}  # fmt: skip


def cell_of_the_test(name: str) -> Cell:
    source = f"def test_{name}():\n    check({name}, 1)\n    ### BEGIN HIDDEN TESTS\n    check({name}, 77)\n"
    source += "    ### END HIDDEN TESTS"
    return Cell("code", source, {"grade_id": f"test_{name}", "grade": True, "points": 2})


def notebook(name: str, answers: Mapping[str, str], more: list[Cell] | None = None, printed: str = "") -> Graded:
    """One with the exercises of `answers`: what is "right" in them is, what is "stub" is not written."""
    blank = [Cell("markdown", GIVEN), Cell("code", "HELPER = 1", {"grade_id": "check", "locked": True})]
    ours, placed, exercises, cells = (
        list(blank),
        [Placed("free-0", blank[0], False), Placed("check", blank[1], True)],
        [],
        {},
    )
    for exercise, answer in answers.items():
        cell = Cell("code", f"def {exercise}(): ...", {"grade_id": exercise, "solution": True})
        ours += [cell, cell_of_the_test(exercise)]
        placed += [Placed(exercise, Cell("code", answer, cell.nbgrader), False)]
        placed += [Placed(f"test_{exercise}", cell_of_the_test(exercise), True)]
        cells[exercise] = CellResult(exercise, "", "", printed, 0.1)
        state = State.RIGHT if "right" in answer else State.NOT_WRITTEN if "stub" in answer else State.WRONG
        said = {State.RIGHT: "", State.NOT_WRITTEN: "not written yet", State.WRONG: MESSAGE}[state]
        exercises.append(Exercise(name, exercise, 2.0 if state is State.RIGHT else 0.0, 2.0, state, said))
    placed += [Placed(f"free-{9 + place}", cell, False) for place, cell in enumerate(more or [])]
    return Graded(Ours(name, tuple(ours), ()), exercises, placed, Run(cells, Ended.WHOLE))


def text_of(page: str) -> str:
    return " ".join(" ".join(Page(page).text).split())


def test_the_verdicts_come_first_each_beside_its_code() -> None:
    weights = notebook("weights", {"softmax": "def softmax(x):\n    return x", "mix": "right = 1"})
    heads = notebook("heads", {"merge": "stub"})
    page = feedback_page(ABOUT, [weights, heads], {"softmax": Place("Looking up", "From scores to shares")})
    text = text_of(page)
    assert "attention: feedback for Ann Example" in text
    assert "Ann Example ann · handed in 29 November 2026, 22:05 UTC · graded 30 November 2026" in text
    assert "2 of 6 points" in text
    order = [text.index(said) for said in ("2 of 6 points", "weights 2 of 4", "heads 0 of 2", "What to look at",
                                           "The sum of p is not 1.", "return x", "What else you wrote")]  # fmt: skip
    assert order == sorted(order)
    card = page.split('<article class="verdict wrong"')[1].split("</article>")[0]
    for part in ("The sum of <code>p</code> is not 1.", "[0.27, 0.73]", "def softmax(x):\n    return x",
                 "<em>From scores to shares</em>, on the page <em>Looking up</em>"):  # fmt: skip
        assert part in card
    assert "right = 1" in page.split("What else you wrote")[1], "what is right is folded"
    assert page.count("<article") == 2
    unwritten = page.split('<article class="verdict open"')[1].split("</article>")[0]
    assert "not written yet" in unwritten
    assert "stub" not in unwritten, "there is nothing to show beside it"


def test_what_was_given_is_not_shown_and_what_was_added_is_folded() -> None:
    more = [
        Cell("markdown", "## My *thoughts*\n\n- one\n- two"),
        Cell("code", "print('mine')"),
        Cell("markdown", GIVEN),
    ]
    page = feedback_page(ABOUT, [notebook("weights", {"mix": "right = 1"}, more)], {})
    assert "HELPER" not in page
    assert "did not write" not in page
    rest = page.split('<details class="rest"><summary>Your other cells in weights')[1]
    assert '<p class="head">My <em>thoughts</em></p>' in rest
    assert "<li>one</li>" in rest
    assert "print(&#39;mine&#39;)" in rest
    assert "Everything is right" in page
    assert "What to look at" not in page


def test_a_cell_of_ours_that_failed_is_shown() -> None:
    one = notebook("weights", {"mix": "right = 1"})
    failed = {"free-0": CellResult("free-0", "ModuleNotFoundError", "no scipy", "", 0.1)}
    one = Graded(one.ours, one.exercises, one.placed, Run({**one.run.cells, **failed}, Ended.WHOLE))  # type: ignore[union-attr]
    given = [Placed("free-0", Cell("code", "HELPER = 1"), False), *one.placed[1:]]
    page = feedback_page(ABOUT, [Graded(one.ours, one.exercises, given, one.run)], {})
    assert "ModuleNotFoundError: no scipy" in page


def test_a_hidden_test_is_not_shown() -> None:
    page = feedback_page(ABOUT, [notebook("weights", {"softmax": "wrong"})], {})
    assert "check(softmax, 1)" in page
    assert "77" not in page
    assert "BEGIN HIDDEN" not in page


def test_a_notebook_that_was_not_handed_in_is_there_with_its_points() -> None:
    missing = [Exercise("heads", "merge", 0.0, 2.0, State.NOT_HANDED_IN, "not handed in")]
    heads = Graded(notebook("heads", {"merge": "stub"}).ours, missing)
    text = text_of(feedback_page(ABOUT, [notebook("weights", {"mix": "right = 1"}), heads], {}))
    assert "2 of 4 points" in text
    assert "heads 0 of 2" in text
    assert "not handed in" in text


def test_a_message_is_taken_apart_into_prose_and_facts() -> None:
    def parts(message: str) -> tuple[str, list[tuple[str, str]]]:
        return told(Exercise("n", "e", 0.0, 1.0, State.WRONG, message))

    assert parts(MESSAGE) == (
        "The sum of `p` is not 1.",
        [("asked", "softmax([1, 2])"), ("expected", "[0.27, 0.73]"), ("got", "[1, 2]")],
    )
    assert parts("two\nlines") == ("two\nlines", [])
    assert parts("a\n  got:      [1,\n            2]") == ("a", [("got", "[1,\n            2]")])
    assert parts("") == ("wrong", [])


def test_nothing_of_a_student_is_markup() -> None:
    links = "[a](javascript:alert(1)) ![b](http://evil.example/x) <http://evil.example> [c]"
    hostile = f"{HOSTILE}\n\n{links}\n\n[c]: http://evil.example\n\n<div onclick=x>"
    about = About(HOSTILE, HOSTILE, HOSTILE, ABOUT.graded, "", [HOSTILE])
    cells = [Cell("markdown", hostile), Cell("code", hostile), Cell("raw", hostile)]
    one = notebook(HOSTILE, {"softmax": hostile}, cells, printed=hostile)
    exercises = [
        Exercise(HOSTILE, HOSTILE, 0.0, 1.0, State.WRONG, f"`{HOSTILE}`\n  got:      {HOSTILE}"),
        *one.exercises,
    ]
    page = feedback_page(
        about, [Graded(one.ours, exercises, one.placed, one.run)], {"softmax": Place(HOSTILE, HOSTILE)}
    )
    tags = Page(page).tags
    assert {tag for tag, _ in tags} <= ALLOWED
    names = {name for _, attributes in tags for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style")]
    assert all(str(attributes["href"]).startswith("#n0-e") for _, attributes in tags if "href" in attributes)
    assert html.escape(HOSTILE) in page


def test_markdown_is_rendered_and_its_length_is_bounded() -> None:
    assert markdown("**a** `b`\n\n|x|y|\n|-|-|\n|1|2|") == (
        "<p><strong>a</strong> <code>b</code></p>\n<table>\n<thead>\n<tr>\n<th>x</th>\n<th>y</th>\n</tr>\n</thead>\n"
        "<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n"
    )
    assert markdown("*" * (MOST_RENDERED + 1)) == f"<pre>{'*' * (MOST_RENDERED + 1)}</pre>"
    for one in ("*a_ ", "[", ">", "- ", "`a", "![", "&", "|a"):
        cells = [Cell("markdown", one * 5_000)] * 200
        begun = time.process_time()
        feedback_page(ABOUT, [notebook("weights", {"mix": "right"}, cells)], {})
        assert time.process_time() - begun < 20, f"{one!r}: what is rendered is bounded for the notebook as a whole"


def test_the_gradebooks_total_is_added_once_and_cannot_be_faked() -> None:
    faked = '<p class="sum">99 of 99 points</p>'
    page = feedback_page(ABOUT, [notebook("weights", {"mix": "right", "softmax": faked})], {})
    late = with_total(page, 1.5, 0.5, 4.0)
    assert "2 of 4 points In the gradebook this is 1.5 of 4 points, with 0.5 taken off because it was late." in text_of(
        late
    )
    assert late.count("In the gradebook") == 1
    assert "this is 5 of 8 points, with what a person graded." in text_of(with_total(page, 5.0, 0.0, 8.0))
    assert str(escape(faked)) in late


def test_a_persons_words_stand_below_the_sum_and_lead_to_their_exercise() -> None:
    page = feedback_page(ABOUT, [notebook("weights", {"mix": "right", "softmax": "wrong"})], {})
    said = [("n0-e1", ByHand("weights", "softmax", 1.5, f"Half of it: {HOSTILE}\nSee `exp`."))]
    text = text_of(with_total(with_remarks(page, said), 3.5, 0.0, 4.0))
    assert "In the gradebook this is 3.5 of 4 points, with what a person graded. What your teacher says softmax" in text
    assert "1.5 points, given by hand Half of it: <script>" in text
    assert '<a href="#n0-e1">' in with_remarks(page, said)
    assert with_remarks(page, []) == page
    assert HOSTILE not in with_remarks(page, said)


# ---- where in the book


def test_every_exercise_has_its_place_in_the_book(course: Course) -> None:
    for chapter in course.chapters():
        places = places_in(course.root, chapter)
        names = {
            name
            for path in course.sources(chapter)
            for name in re.findall(r'"grade_id": "test_(\w+)"', path.read_text(encoding="utf-8"))
        }
        assert names <= set(places), f"no page of {chapter} says where to build {names - set(places)}"
    assert places_in(course.root, "attention")["softmax"] == Place("Looking things up softly", "From scores to shares")


PAGE = """# A page
```python
# no heading
**Build it:** `not_this`
```
## A *first* section: `x`
**Build it:** `one` and `two`, in the [exercises](e).
## Another
"""


def test_a_book_with_an_address_is_linked(tmp_path: Path) -> None:
    folder = tmp_path / "chapters" / "maths"
    folder.mkdir(parents=True)
    (folder / "halves.md").write_text(PAGE, encoding="utf-8")
    assert places_in(tmp_path, "maths")["one"] == Place("A page", "A first section: x")
    (tmp_path / "_config.yml").write_text('html:\n  favicon: a.svg\n  baseurl: ""\n', encoding="utf-8")
    assert places_in(tmp_path, "maths")["one"].address == ""
    (tmp_path / "_config.yml").write_text("html:\n  baseurl: https://book.example/course/\n", encoding="utf-8")
    address = "https://book.example/course/chapters/maths/halves.html#a-first-section-x"
    found = places_in(tmp_path, "maths")
    assert found == dict.fromkeys(("one", "two"), Place("A page", "A first section: x", address))
    page = feedback_page(ABOUT, [notebook("weights", {"one": "wrong"})], found)
    assert f'<a href="{address}">A first section: x</a>, on the page <em>A page</em>' in page


@pytest.mark.slow
def test_the_sections_that_are_linked_are_in_the_built_book(course: Course, book: Path) -> None:
    for chapter in course.chapters():
        pages = {
            p: (book / "chapters" / chapter / f"{p.stem}.html")
            for p in (course.root / "chapters" / chapter).glob("*.md")
        }
        ids = {
            path.stem: set(re.findall(r'<section[^>]* id="([^"]+)"', built.read_text(encoding="utf-8")))
            for path, built in pages.items()
        }
        for exercise, place in linked(course, chapter).items():
            page, section = re.fullmatch(r"https://b\.example/chapters/\w+/(\w+)\.html#(.+)", place.address).groups()  # type: ignore[union-attr]
            assert section in ids[page], (exercise, place)


def linked(course: Course, chapter: str) -> dict[str, Place]:
    """The places, as they are once the book has an address."""
    from unittest.mock import patch

    with patch("autograder.report.book._address", return_value="https://b.example"):
        return places_in(course.root, chapter)


# ---- in a browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_page(browser: Any, theme: str, tmp_path: Path) -> None:
    """On a desk and on a phone, with a total and a person's words."""
    long = "def softmax(x):\n    return " + " + ".join(f"np.exp(x)[{i}]" for i in range(30))
    more = [Cell("markdown", "| a | b |\n|---|---|\n| " + "wide " * 40 + "| c |"), Cell("code", "print(1)")]
    names = {"softmax": long, "mix": "right = 1", "merge": "stub", "an_exercise_with_a_name_that_is_long": "wrong"}
    places = {"softmax": Place("A page", "A section", "https://book.example/a.html#b"), "merge": Place("A page", "")}
    target = tmp_path / "attention.html"
    page_text = feedback_page(
        ABOUT, [notebook("weights", names, more, "x" * 500), notebook("heads", {"split": "wrong"})], places
    )
    said = [("n0-e0", ByHand("weights", "softmax", 1.0, "Nearly: see\nthe book.")), ("", ByHand("weights", "essay"))]
    target.write_text(with_total(with_remarks(page_text, said), 1.0, 1.0, 10.0), encoding="utf-8")
    for page, width in pages_for_everybody(browser, target, theme):
        message, code = (page.locator(f".verdict .{part}").first.bounding_box() for part in ("said", "mine"))
        beside = code["x"] > message["x"] + message["width"] and code["y"] < message["y"] + message["height"]
        assert beside == (width == WIDE), "beside the message, and on a phone below it"


def test_on_paper_the_rest_is_left_out(browser: Any, tmp_path: Path) -> None:
    target = tmp_path / "attention.html"
    target.write_text(
        feedback_page(ABOUT, [notebook("weights", {"softmax": "wrong", "mix": "right = 1"})], {}), encoding="utf-8"
    )
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(target.as_uri())
    page.emulate_media(media="print")
    assert page.locator(".verdict .mine pre").is_visible()
    assert not page.locator(".verdict details.rest summary").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).count(b"/MediaBox") == 1
    context.close()
