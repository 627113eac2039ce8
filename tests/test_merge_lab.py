"""The figure <merge-lab> in a real browser: other words are merged as the course's own functions merge them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from solutions.tokenization.bpe import given_vocabulary, merge, pair_counts

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
GIVEN = {
    "text": "aa ab",
    "names": {"97": "a", "98": "b", "256": "aa"},
    "times": [1, 1],
    "steps": [
        {"words": [[97, 97], [97, 98]], "pairs": [[97, 97, 1], [97, 98, 1]], "more": 0, "total": 4},
        {"words": [[256], [97, 98]], "pairs": [[97, 98, 1]], "more": 0, "total": 3},
    ],
    "merges": [[97, 97, 1]],
}
TEXTS = [
    "clean clean clean cleaner new new newer newer newest",
    "aaaa aaaa aaa",
    "酒店 酒店 酒 干净 é é",
    "the other mother there bother 🙂 🙂",
    "x",
    "  two  spaces\tand a tab  two ",
]


@pytest.fixture
def lab(page):
    page.set_content(f'<merge-lab><script type="application/json">{json.dumps(GIVEN)}</script></merge-lab>')
    for script in ("lab.js", "merge-lab.js"):
        page.add_script_tag(content=(ASSETS / script).read_text(encoding="utf-8"))
    return page.locator("merge-lab")


def shown(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return token.hex(" ").upper()


def by_hand(text: str) -> tuple[list[list[str]], list[str]]:
    """The pieces of each word at the end, and the tokens that were made, as long as a pair occurs twice."""
    words = {tuple(word.encode()): n for word, n in Counter(text.split()).items()}
    merges: list[tuple[int, int]] = []
    while counts := pair_counts(words):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < 2:
            break
        words = {tuple(merge(list(word), best, 256 + len(merges))): n for word, n in words.items()}
        merges.append(best)
    names = [shown(token) for token in given_vocabulary(merges)]
    return [[names[i] for i in word] for word in words], names[256:]


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_the_reader_are_merged_like_the_course_does(lab, text) -> None:
    lab.locator("input[type=text]").fill(text)
    lab.get_by_role("button", name="Last").evaluate("b => b.click()")  # it rests where nothing is to be merged
    words = lab.locator(".merge-words li").evaluate_all(
        "items => items.map(item => [...item.querySelectorAll('.merge-piece')].map(p => p.textContent))"
    )
    tokens = lab.locator(".merge-tokens .merge-piece").all_inner_texts()
    assert (words, tokens) == by_hand(text)
    assert lab.locator("output").inner_text() == f"{len(tokens)} of {len(tokens)}"


def test_the_example_comes_back_when_the_words_are_taken_away(lab) -> None:
    box = lab.locator("input[type=text]")
    box.fill("other other")
    assert lab.locator("output").inner_text().startswith("0 of ")
    box.fill("")
    lab.get_by_role("button", name="Last").click()
    assert lab.locator(".merge-tokens .merge-piece").all_inner_texts() == ["aa"]
