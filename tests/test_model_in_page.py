"""The models in the page, with the reader's functions in them, and their inside, in a real browser."""

import json
import os
import re
from pathlib import Path

import pytest
from test_book import open_page
from test_in_the_model import AUSTEN, BEGINNING, RIGHT, TANG, WRONG, told

from solutions.llama.in_the_model import SLOTS, Settings, write
from solutions.llama.inside import Small

ROOT = Path(__file__).parent.parent
YOURS = "chapters/llama/yours"
SECONDS = 120_000  # ms that anything may take on a busy machine


@pytest.fixture
def python_in_the_book(book):
    if not (book / "_static" / "solve" / "model.json").is_file():
        why = "the book was built without Python in the page: `make page-python`"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


def answered(page, site: str, answers: dict[str, str]) -> None:
    """As if the reader had solved these in their pages."""
    page.goto(f"{site}/{YOURS}.html")
    slots = {
        slot["name"]: slot
        for slot in json.loads(page.evaluate("fetch('../../_static/solve/slots.json').then((a) => a.text())"))
    }
    for name, code in answers.items():
        slot = slots[name]
        kept = {
            "code": code,
            "asked": slot["asked"],
            "solved": code == RIGHT[name],
            "lines": ["…"],
            "when": "2026-01-01",
        }
        assert slot["asked"], f"{name}: the page does not know what is asked"
        page.evaluate(
            "([key, it]) => localStorage.setItem(key, it)", [f"answer:{slot['notebook']}/{name}", json.dumps(kept)]
        )


def lab(page, own: bool):
    return page.locator("write-lab").nth(1 if own else 0)


def settings(figure, **values: object) -> None:
    """What the reader sets, by the labels."""
    more = figure.locator("details.write-more")
    if not more.evaluate("d => d.open"):
        more.locator("summary").click()
    for label, value in values.items():
        figure.get_by_label(label.capitalize().replace("_", "-"), exact=True).fill(str(value))


OVER = """(f) => f.querySelector('.write-go').textContent === 'Write'
    && f.querySelector('.write-said').textContent.endsWith('.')"""


def written(page, figure) -> str:
    """Press Write and wait for the end; gives what is said of it."""
    figure.get_by_role("button", name="Write").click()
    page.wait_for_function(OVER, arg=figure.element_handle(), timeout=SECONDS)
    return figure.locator(".write-said").inner_text()


def paper(figure, own: bool) -> str:
    return figure.get_by_role("region", name="With your functions" if own else "The course's").evaluate(
        "p => p.textContent"
    )


@pytest.mark.parametrize(
    ("model", "loaded", "text"), [("Jane Austen", AUSTEN, BEGINNING), ("Tang poems", TANG, "明月")]
)
def test_the_model_writes_in_the_page(page, site, python_in_the_book, model, loaded, text):
    """What it writes in a terminal, from the same seed; nothing is asked of another machine."""
    outside = []
    page.on(
        "request",
        lambda request: None if request.url.startswith((site, "data:", "blob:")) else outside.append(request.url),
    )
    open_page(page, site, YOURS)
    figure = lab(page, own=False)
    figure.get_by_label(model).check()
    settings(figure, tokens=40, seed=11, top_k=50)
    assert re.fullmatch(r"40 tokens, \d+ a second\.", written(page, figure))
    pieces = [event.get("course", "") for event in write(loaded, text, Settings(seed=11, tokens=40, top_k=50))]
    assert paper(figure, own=False) == text + "".join(pieces)
    assert not outside


@pytest.mark.slow
@pytest.mark.timing
def test_the_page_writes_quickly_enough(page, site, python_in_the_book):
    """30 tokens a second by the course's functions, 8 on the clear model with the reader's."""
    answered(page, site, RIGHT)
    open_page(page, site, YOURS)
    for own, least in ((False, 30), (True, 8)):
        figure = lab(page, own)
        figure.get_by_label("Tang poems").check()
        rates = [int(re.search(r"(\d+) a second", written(page, figure))[1]) for _ in range(3)]
        assert max(rates) >= least, rates


@pytest.mark.slow
def test_every_exercise_of_the_model_can_be_put_into_it(page, site, python_in_the_book):
    """One after the other, by its box: the text is the same, and the report says how often it ran."""
    answered(page, site, RIGHT)
    open_page(page, site, YOURS)
    figure = lab(page, own=True)
    settings(figure, tokens=8, top_k=40)
    figure.locator(".write-put summary").click()
    boxes = {
        name: figure.locator(".write-put li").filter(has=page.locator(f"code:text-is('{name}')")).locator("input")
        for name in SLOTS
    }
    assert all(box.is_checked() for box in boxes.values()), "what is solved is put in"
    written(page, figure)
    assert paper(figure, own=True) == paper(figure, own=False)
    for box in boxes.values():
        box.uncheck()
    for name, box in boxes.items():
        box.check()
        written(page, figure)
        report = figure.locator(".write-report").inner_text()
        assert "The text is the same as the course's, all 8 tokens." in report, (name, report)
        assert f"Your {name} ran" in report
        assert paper(figure, own=True) == paper(figure, own=False)
        box.uncheck()


@pytest.mark.slow
def test_a_right_and_a_wrong_apply_rope(page, site, python_in_the_book):
    """The right one is put in by the link from its exercise; the wrong one breaks the text where it first differs."""
    answered(page, site, {"apply_rope": RIGHT["apply_rope"], "rms_norm": RIGHT["rms_norm"]})
    page.goto(f"{site}/{YOURS}.html?put=apply_rope#yours-put-in")
    figure = lab(page, own=True)
    figure.locator(".write-put li").first.wait_for()
    assert figure.locator(".write-put summary").inner_text().startswith("Your functions: 1 of")
    settings(figure, tokens=20)
    written(page, figure)
    report = figure.locator(".write-report").inner_text()
    assert (
        "The text is the same" in report and "Your apply_rope ran 8 times for each token, 160 times in all." in report
    )
    assert not figure.locator("mark:not(:empty)").count()
    answered(page, site, {"apply_rope": WRONG["rope_counts_from_zero"].source})
    page.goto(f"{site}/{YOURS}.html?put=apply_rope#yours-put-in")
    figure.locator(".write-put li").first.wait_for()
    settings(figure, tokens=20)
    written(page, figure)
    expected = told({"apply_rope": WRONG["rope_counts_from_zero"].source}, tokens=20)
    assert paper(figure, own=True) == BEGINNING + expected["mine"]
    assert paper(figure, own=False) == BEGINNING + expected["theirs"]
    marked = figure.locator("mark").all_text_contents()
    assert [part != "" for part in marked] == [True, True] and marked[0].startswith("st")
    assert figure.locator(".write-report li").first.inner_text() == expected["words"][0]


@pytest.mark.slow
def test_each_known_mistake_of_the_page_breaks_the_text(page, site, python_in_the_book):
    open_page(page, site, YOURS)
    figure = lab(page, own=True)
    settings(figure, tokens=12, **{"top_k": 40})
    figure.locator(".write-known summary").click()
    mistakes = figure.locator(".write-known input")
    assert mistakes.count() >= 10
    for number in range(1, mistakes.count()):
        mistakes.nth(number).check()
        written(page, figure)
        said = figure.locator(".write-report").inner_text()
        assert "The text is another one from token" in said or "Your text stopped" in said, said


@pytest.mark.slow
def test_writing_can_be_stopped_and_a_loop_without_end_too(page, site, python_in_the_book):
    answered(page, site, {"rms_norm": "def rms_norm(x, gain, eps=1e-5):\n    while True:\n        pass\n"})
    page.goto(f"{site}/{YOURS}.html?put=rms_norm")
    figure = lab(page, own=True)
    figure.locator(".write-put li").first.wait_for()
    figure.get_by_role("button", name="Write").click()
    page.wait_for_function(
        "(f) => f.querySelector('.write-said').textContent.startsWith('Writing')",
        arg=figure.element_handle(),
        timeout=SECONDS,
    )
    figure.get_by_role("button", name="Stop").click()
    figure.get_by_role("button", name="Write").wait_for(timeout=SECONDS)
    assert figure.locator(".write-said").inner_text() == "Stopped after 0 tokens."
    plain = lab(page, own=False)
    settings(plain, tokens=400)
    plain.get_by_role("button", name="Write").click()
    page.wait_for_function(
        "() => /[1-9]/.test(document.querySelector('write-lab .write-speed').textContent)", timeout=SECONDS
    )
    plain.get_by_role("button", name="Stop").click()
    plain.get_by_role("button", name="Write").wait_for(timeout=SECONDS)
    assert re.fullmatch(r"Stopped after \d+ tokens\.", plain.locator(".write-said").inner_text())


@pytest.mark.slow
def test_a_solved_exercise_leads_into_the_model_and_the_map_says_how_far(page, site, python_in_the_book):
    answered(page, site, {"rms_norm": RIGHT["rms_norm"], "swiglu": WRONG["swiglu_swapped"].source})
    page.goto(f"{site}/chapters/llama/parts.html#solve-rms_norm")
    page.wait_for_selector("#solve-rms_norm[data-ready=yes]", timeout=SECONDS)
    link = page.locator("#solve-rms_norm .solve-next a")
    link.wait_for()
    assert link.get_attribute("href").endswith("/chapters/llama/yours.html?put=rms_norm#yours-put-in")
    open_page(page, site, "chapters/welcome")
    page.wait_for_function(
        "() => document.querySelector('.course-progress-said').textContent.includes('Let it write')", timeout=SECONDS
    )
    assert (
        f"Of the {len(SLOTS)} functions that the model in the page is made of, 1 is yours."
        in page.locator(".course-progress-said").inner_text()
    )


@pytest.mark.slow
def test_the_inside_answers_to_another_text_and_steps(page, site, python_in_the_book):
    open_page(page, site, YOURS)
    figure = page.locator("inside-lab")
    rows = figure.locator(".inside-tower li")
    assert rows.count() == 1 + 1 + 2 * AUSTEN.config.layers + 1
    at = lambda: rows.evaluate_all("rows => rows.findIndex((row) => row.getAttribute('aria-current'))")  # noqa: E731
    assert at() == 1
    figure.get_by_role("button", name="Step").click()
    assert at() == 2 and "Block 1: attention." in figure.locator(".lab-notes").inner_text()
    figure.get_by_role("button", name="Back").click()
    assert at() == 1
    figure.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "() => document.querySelectorAll('inside-lab .inside-tower li')[3].getAttribute('aria-current')",
        timeout=SECONDS,
    )
    figure.get_by_role("button", name="Stop").click()
    stopped = at()
    page.wait_for_timeout(2500)  # longer than a step takes
    assert at() == stopped
    figure.get_by_label("Text", exact=True).fill("He was not so")
    figure.get_by_label("Text", exact=True).press("Enter")
    page.wait_for_function(
        "() => /tokens\\.$/.test(document.querySelector('inside-lab .write-said').textContent)", timeout=SECONDS
    )
    expected = Small().figure("He was not so")
    chips = figure.locator("fieldset").filter(has_text="Token").locator("label span")
    assert chips.all_inner_texts() == expected["tokens"]
    last = rows.last.locator(".inside-likeliest").inner_text()
    assert last.startswith(expected["likeliest"][-1][-1][0][0])
    for link in figure.locator(".inside-boxes a").all():
        page_, exercise = re.search(r"chapters/(.+)\.html#solve-(\w+)$", link.get_attribute("href")).groups()
        assert f'"grade_id": "{exercise}"' in (ROOT / "solutions" / f"{page_}.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_figures_are_accessible_when_all_is_open(page, site, python_in_the_book):
    """With functions put in, a mistake chosen, and a report: in the light and in the dark."""
    from axe_playwright_python.sync_playwright import Axe

    page.add_init_script("localStorage.setItem('mode', 'light')")
    answered(page, site, {"apply_rope": WRONG["rope_counts_from_zero"].source, "rms_norm": RIGHT["rms_norm"]})
    page.goto(f"{site}/{YOURS}.html?put=apply_rope")
    figure = lab(page, own=True)
    figure.locator(".write-put li").first.wait_for()
    settings(figure, tokens=20)
    figure.locator(".write-known summary").click()
    figure.locator(".write-known input").nth(4).check()
    written(page, figure)
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        for place in ("write-lab:nth-of-type(1)", "inside-lab", "main"):
            found = Axe().run(page, context=place).response["violations"]
            assert not found, f"{theme}: " + "\n".join(f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found)


@pytest.mark.slow
def test_the_figures_fit_a_phone(phone, site, python_in_the_book):
    open_page(phone, site, YOURS)
    phone.evaluate("for (const door of document.querySelectorAll('main details')) door.open = true")
    phone.locator(".write-put li").first.wait_for()
    assert phone.evaluate("document.scrollingElement.scrollWidth") <= 390
    for button in phone.locator("write-lab button, inside-lab button").all():
        assert button.bounding_box()["height"] >= 24
    sizes = phone.evaluate(
        "[...document.querySelectorAll('write-lab input:is([type=text], [type=number])')]"
        ".map((i) => parseFloat(getComputedStyle(i).fontSize))"
    )
    assert min(sizes) >= 16


def test_a_page_opened_as_a_file_says_how_to_run_it(page, book):
    open_page(page, book.as_uri(), YOURS)
    assert "make read" in page.locator("write-lab").first.inner_text()
    figure = page.locator("inside-lab")
    figure.get_by_role("button", name="Step").click()
    assert "Block 1: attention." in figure.locator(".lab-notes").inner_text(), "the first text needs no Python"
