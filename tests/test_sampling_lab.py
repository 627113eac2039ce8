"""The figure <sampling-lab> in a real browser: it keeps what the notebook's filters keep, draws, and goes on."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sampling import RESULTS, node, shares
from solutions.llama import chat
from solutions.llama.checkpoints import load
from solutions.llama.fast import Llama, Reader
from solutions.llama.generation import temperature_softmax, top_k_filter, top_p_filter

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
NAMES = [f" w{i}" for i in range(30)] + [""]
STOPS = [1, 2, 3, 4, 5, 8, 10, 15, 20, 30]
LOGITS = {
    "open": np.random.default_rng(0).normal(size=30).round(2) * 2,
    "tied": np.repeat([2.0, 1.0, 0.0], 10),
    "sure": np.r_[np.zeros(29), 9.0],
}


def whole(logits, leads=()) -> list:
    """A node that names every token; `leads` are pairs of a token's id and the node that it leads on to."""
    order = np.argsort(-logits, kind="stable").tolist()
    below = [round(100 * float(logits[i] - logits[order[0]])) for i in order]
    return [order, below, [], {str(order.index(id)): to for id, to in leads}]


def opened(emptied, beginnings, **more):
    data = json.dumps({"names": NAMES, "tokens": 30, "shown": 30, "beginnings": beginnings} | more)
    emptied.set_content(f'<sampling-lab><script type="application/json">{data}</script></sampling-lab>')
    for script in ("lab.js", "sampling-lab.js"):
        emptied.add_script_tag(content=(ASSETS / script).read_text(encoding="utf-8"))
    return emptied.locator("sampling-lab")


@pytest.fixture
def lab(emptied):
    return opened(emptied, [{"text": text, "tree": [whole(logits)]} for text, logits in LOGITS.items()])


@pytest.fixture
def story(emptied):
    """A tree: `w1` leads on to a node that can only end, `w2` to one whose tokens lead nowhere."""
    first = [[1, 2, 3], [0, -10, -20], [27, -300], {"0": 1, "1": 2}]
    return opened(
        emptied,
        [{"text": "It", "tree": [first, [[30], [0], [], {}], [[4], [0], [], {}]]}, {"ask": "Why?", "tree": [first]}],
    )


def turn(lab, context: int, temperature: float, k: int, top_p: float) -> None:
    lab.locator("input[type=radio]").nth(context).check()
    for number, value in enumerate([temperature, STOPS.index(k), top_p]):
        lab.locator("input[type=range]").nth(number).fill(str(value))


def told(lab) -> str:
    return lab.locator(".lab-notes").inner_text()


def written(lab) -> list[str]:
    return lab.locator(".sampling-new").all_text_contents()


def button(lab, name: str):
    return lab.get_by_role("button", name=name, exact=True)


SETTINGS = [
    (1, 30, 1),
    (0, 30, 1),
    (0.5, 5, 1),
    (2, 30, 0.75),
    (1.5, 10, 0.55),
    (1, 1, 0.9),
    (0.1, 30, 0.05),
    (1, 15, 0.3),
]


@pytest.mark.parametrize("context", range(3), ids=list(LOGITS))
@pytest.mark.parametrize(("temperature", "k", "top_p"), SETTINGS)
def test_it_keeps_what_the_notebook_keeps(lab, context, temperature, k, top_p) -> None:
    turn(lab, context, temperature, k, top_p)
    before = temperature_softmax(list(LOGITS.values())[context], temperature)
    after = top_p_filter(top_k_filter(before, k), top_p)
    keys, numbers = (lab.locator(f".sampling-{part}").all_text_contents() for part in ("key", "p"))
    shown = {name.replace("␣", " "): said for name, said in zip(keys, numbers, strict=True)}
    assert len(shown) == 30
    for name, p in zip(NAMES[:30], after, strict=True):
        if p == 0:
            assert shown[name] in ("out", "0.000")
        else:
            assert float(shown[name]) == pytest.approx(p, abs=0.00051)
    said = re.match(r"(\d+) of 30 tokens may come; they held ([\d.]+) % before the cut. Entropy ([\d.]+)", told(lab))
    assert int(said[1]) == (after > 0).sum()
    assert float(said[2]) == pytest.approx(100 * before[after > 0].sum(), abs=0.051)
    kept = after[after > 0]
    assert float(said[3]) == pytest.approx(-(kept * np.log2(kept)).sum(), abs=0.0051)


@pytest.mark.parametrize(("temperature", "k", "top_p"), SETTINGS)
def test_tokens_that_are_only_counted_are_kept_like_the_others(emptied, temperature, k, top_p) -> None:
    """The flat end of a distribution as one group: as many stay as where each of them has a name."""
    logits = np.r_[3.0, 2.5, 1.0, np.zeros(27)]
    lab = opened(emptied, [{"text": "It", "tree": [[[0, 1, 2], [0, -50, -200], [27, -300], {}]]}])
    turn(lab, 0, temperature, k, top_p)
    before = temperature_softmax(logits, temperature)
    after = top_p_filter(top_k_filter(before, k), top_p)
    count = (after > 0).sum()
    said = re.match(r"(About )?(\d+) of 30 tokens may come; they held ([\d.]+) %", told(lab))
    assert int(said[2]) == count and float(said[3]) == pytest.approx(100 * before[after > 0].sum(), abs=0.051)
    assert bool(said[1]) == (3 < count < 30)
    shown = [text for text in lab.locator(".sampling-p").all_text_contents() if text != "out"]
    assert np.allclose([float(text) for text in shown], after[: len(shown)], atol=0.00051)


def test_it_draws_only_what_is_kept_and_the_likely_more_often(lab) -> None:
    turn(lab, 0, 1, 5, 1)
    after = top_k_filter(temperature_softmax(LOGITS["open"], 1), 5)
    counts = dict.fromkeys(NAMES, 0)
    draw, back = (button(lab, name).element_handle() for name in ("Draw a token", "Step back"))
    for _ in range(300):
        draw.evaluate("button => button.click()")
        counts[written(lab)[0]] += 1
        back.evaluate("button => button.click()")
    n = np.array(list(counts.values()))[:30]
    assert n.sum() == 300
    assert set(np.flatnonzero(n)) == set(np.flatnonzero(after))
    kept = after > 0
    assert (((n - 300 * after) ** 2)[kept] / (300 * after[kept])).sum() < 25


def test_a_drawn_token_goes_into_the_text_and_the_next_distribution_comes(story) -> None:
    turn(story, 0, 0, 30, 1)  # the likeliest: w1, after which the text can only end
    button(story, "Draw a token").click()
    assert written(story) == [" w1"] and "Drawn: “␣w1”, with 1.000." in story.locator(".sampling-said").inner_text()
    assert story.locator(".sampling-key").all_text_contents() == ["(end)"]
    button(story, "Draw a token").click()
    assert "has ended its text" in told(story) and "has ended its text" in story.locator(".sampling-said").inner_text()
    assert button(story, "Draw a token").get_attribute("aria-disabled") == "true"
    button(story, "Draw a token").evaluate("button => button.click()")  # it rests: nothing happens
    assert len(written(story)) == 2
    button(story, "Start again").click()
    assert written(story) == [] and story.locator("li").count() == 3
    button(story, "Draw ten").click()
    assert len(written(story)) == 2  # no more than there are


def test_where_the_record_ends_it_says_so_and_goes_back(story) -> None:
    story.locator("li button").nth(1).focus()
    story.page.keyboard.press("Enter")
    assert written(story) == [" w2"] and story.locator("li button").first.evaluate("b => b === document.activeElement")
    story.page.keyboard.press("Enter")
    assert written(story) == [" w2", " w4"] and "The record ends here" in told(story)
    assert button(story, "Step back").evaluate("b => b === document.activeElement")  # there is no row to stand on
    story.page.keyboard.press("Enter")
    assert written(story) == [" w2"] and "The text: It w2" in story.locator(".sampling-said").inner_text()
    story.locator("input[type=radio]").nth(1).check()
    assert written(story) == [] and "Why?" in story.locator(".sampling-text").inner_text()


def test_a_draw_of_a_token_without_a_name_says_so(story) -> None:
    turn(story, 0, 2, 30, 1)
    for _ in range(60):
        button(story, "Draw a token").evaluate("button => button.click()")
        if written(story)[-1] == "…":
            break
        button(story, "Start again").evaluate("button => button.click()")
    assert "counts and does not name" in told(story)


# ---- the record


def test_the_record_is_a_tree() -> None:
    made = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert RESULTS.stat().st_size < 70_000
    for beginning in made["beginnings"]:
        tree = beginning["tree"]
        led = [to for _, _, _, leads in tree for to in leads.values()]
        assert sorted(led) == list(range(1, len(tree)))  # each but the first has one way to it
        for at, (ids, logits, others, leads) in enumerate(tree):
            assert (
                len(ids) == len(logits) == len(set(ids)) and logits[0] == 0 and logits == sorted(logits, reverse=True)
            )
            assert len(ids) + sum(others[::2]) == made["tokens"]
            assert all(to > at and int(rank) < len(ids) and made["names"][ids[int(rank)]] for rank, to in leads.items())


def test_what_is_only_counted_has_the_share_that_it_has() -> None:
    logits = np.random.default_rng(1).normal(size=500) * 3
    found = node(logits)
    p = temperature_softmax(logits, 1)
    assert np.allclose(shares(found, 1), p[found["ids"]], rtol=0.03)
    warm = temperature_softmax(logits, 0.8)
    assert np.allclose(shares(found, 0.8), warm[found["ids"]], rtol=0.05)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec(chat.PACKAGE) is None, reason="the chat model is not installed")
def test_the_record_is_what_the_chat_model_says() -> None:
    """Along the likeliest tokens of the beginning that is no question: the same order, logits but for rounding."""
    made = json.loads(RESULTS.read_text(encoding="utf-8"))
    beginning = next(beginning for beginning in made["beginnings"] if "text" in beginning)
    config, weights, vocabulary = load(chat.chat_model(), lazy=True)
    assert vocabulary is not None and len(vocabulary) == made["tokens"]
    read, ids, at = Reader(Llama(config, weights)), vocabulary.encode(beginning["text"]), 0
    for _ in range(4):
        found, (named, logits, _, leads) = node(read(ids)), beginning["tree"][at]
        assert np.allclose(found["logits"][:6], logits[:6], atol=3)
        assert vocabulary.bytes_of[found["ids"][0]].decode() == made["names"][named[0]]
        ids, at = [*ids, found["ids"][0]], leads["0"]
