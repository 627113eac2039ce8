"""The figure <token-lab> in a real browser: it cuts as the course's own encoder does, and nothing upsets it."""

import json
import random

import pytest

from solutions.tokenization.bpe import encode

PAGE = "chapters/tokenization/granularity"
TEXTS = [
    "The rooms weren't clean, but the breakfast was excellent.",
    "房间不太干净，但是早餐非常好。",
    "I'll say: it's 3.14 -- or more... 1/2!",
    "two  spaces,\n\n\ttabs \r\n and   more   ",
    "The 酒店 was great 🙂👍🏽 👨‍👩‍👧 hotel",
    "cafe\u0301 e\u0301\u0327 \u200bzero\ufeffwidth\x85next\u3000ideographic\x1c",
    " ",
    "a",
    "\ufffd\U0010ffff",
]


@pytest.fixture
def lab(page, site):
    page.goto(f"{site}/{PAGE}.html", wait_until="networkidle")
    figure = page.locator("token-lab")
    figure.wait_for()
    return figure


def merges_of(lab) -> list[tuple[int, int]]:
    source = lab.locator("script").evaluate("script => script.textContent")
    return [tuple(pair) for pair in json.loads(source)["merges"]]


def type_in(lab, text: str) -> None:
    """Puts a text into the box, as a paste would: a real textarea turns every line end into one \\n."""
    lab.locator("textarea").evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', {bubbles: true})); }", text
    )


def count(lab, row: str) -> int:
    return int(lab.locator(f"[data-cut='{row}'] output").inner_text().replace(",", ""))


def chips(lab, row: str) -> list[str]:
    return lab.locator(f"[data-cut='{row}'] .tok-chip").all_inner_texts()


def ids(lab) -> list[int]:
    return lab.locator("[data-id]").evaluate_all("nodes => nodes.map(node => Number(node.dataset.id))")


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_the_courses_encoder(lab, text) -> None:
    merges = merges_of(lab)
    type_in(lab, text)
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = encode(normal, merges)
    assert count(lab, "BPE tokens") == len(expected)
    assert ids(lab) == expected[:120]
    assert count(lab, "Characters") == len(normal)
    assert count(lab, "Bytes") == len(normal.encode())
    assert chips(lab, "Bytes") == [f"{byte:02X}" for byte in normal.encode()][:120]


def test_tokens_of_random_texts_with_any_number_of_merges(lab) -> None:
    merges = merges_of(lab)
    rng = random.Random(1)
    pieces = ["the", " the", "room", "酒店", "很", "🙂", "'ll", "n't", "42", " ", "  ", "\n", "\t", "--", "\u0301"]
    for _ in range(40):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 25)))
        used = rng.choice([0, 1, 50, 500, len(merges)])
        lab.locator("input[type=range]").evaluate(
            "(slider, n) => { slider.value = n; slider.dispatchEvent(new Event('input')); }", used
        )
        type_in(lab, text)
        assert ids(lab) == encode(text, merges[:used])[:120], (text, used)


def test_with_no_merges_the_tokens_are_the_bytes(lab) -> None:
    slider = lab.locator("input[type=range]")
    before = count(lab, "BPE tokens")
    slider.focus()
    slider.press("Home")
    assert count(lab, "BPE tokens") == count(lab, "Bytes") > before
    slider.press("End")
    assert count(lab, "BPE tokens") == before


def test_words_of_both_languages_are_found(lab) -> None:
    type_in(lab, "The room is clean. 房间很干净。")
    found = chips(lab, "Words")
    assert found[:5] == ["The", "room", "is", "clean", "."]
    assert "".join(found[5:]) == "房间很干净。"
    assert "房间" in found, "the browser's dictionary cuts Chinese into words"
    assert "Intl.Segmenter" in lab.inner_text()


def test_a_browser_without_a_segmenter_is_told_so(browser, site) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete Intl.Segmenter")
    page.goto(f"{site}/{PAGE}.html", wait_until="networkidle")
    lab = page.locator("token-lab")
    type_in(lab, "The rooms weren't clean. 房间很干净。")
    assert chips(lab, "Words") == ["The", "rooms", "weren't", "clean", ".", "房间很干净", "。"]
    assert "Your browser finds no words" in lab.inner_text()
    context.close()


def test_what_cannot_be_seen_is_named(lab) -> None:
    type_in(lab, "e\u0301 \u200d\t")
    assert chips(lab, "Characters") == ["e", "◌\u0301", "␣", "U+200D", "⇥"]
    assert "A reader sees" in lab.inner_text()


def test_no_text_at_all(lab) -> None:
    type_in(lab, "")
    assert [count(lab, row) for row in ("Words", "Characters", "Bytes", "BPE tokens")] == [0, 0, 0, 0]
    lab.get_by_text("There is no text").wait_for()


def test_a_very_long_text_is_cut_short_and_says_so(lab) -> None:
    type_in(lab, "酒店很好" * 25_000)
    assert count(lab, "Characters") == 5000
    assert len(chips(lab, "Bytes")) == 120
    said = lab.inner_text()
    assert "Only the first 5,000 of 100,000 characters" in said
    assert "and 4,880 more" in said


def test_half_a_surrogate_pair_does_no_harm(lab) -> None:
    lab.locator("textarea").evaluate("box => { box.value = 'a\\ud83d'; box.dispatchEvent(new Event('input')); }")
    assert chips(lab, "Characters") == ["a", "U+D83D"]
    assert chips(lab, "Bytes") == ["61", "EF", "BF", "BD"]


def test_markup_stays_text(lab) -> None:
    type_in(lab, "<img src=x onerror=alert(1)> & <b>")
    assert lab.locator("img, b").count() == 0
    assert "<" in chips(lab, "Characters")


def test_every_example_answers_to_the_keyboard(lab) -> None:
    buttons = lab.locator("button")
    assert buttons.count() >= 4
    for button in buttons.all():
        type_in(lab, "")
        button.focus()
        button.press("Enter")
        assert count(lab, "Characters") > 0, button.inner_text()


def test_the_figure_speaks_when_something_changes(lab) -> None:
    live = lab.locator("[aria-live=polite]")
    type_in(lab, "ok")
    live.get_by_text("2 characters").wait_for()
    assert "2 bytes" in live.inner_text()


def test_without_scripts_there_is_a_table(browser, site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{PAGE}.html")
    rows = page.locator("token-lab tbody tr")
    assert rows.count() >= 2
    assert rows.first.locator("td").nth(2).inner_text() == str(len(rows.first.locator("td").first.inner_text()))
    context.close()


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_the_figure_fits_the_screen(browser, site, width) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/{PAGE}.html", wait_until="networkidle")
    lab = page.locator("token-lab")
    type_in(lab, "Donaudampfschifffahrtsgesellschaft" * 6 + "魑魅魍魉" * 40)
    box = lab.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert lab.evaluate("node => node.scrollWidth <= node.clientWidth")
    context.close()
