"""The figure <sampling-lab> in a real browser: it keeps what the notebook's filters keep, and draws nothing else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from solutions.llama.generation import temperature_softmax, top_k_filter, top_p_filter

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
NAMES = [f" w{i}" for i in range(30)]
STOPS = [1, 2, 3, 4, 5, 8, 10, 15, 20, 30]
LOGITS = {
    "open": np.random.default_rng(0).normal(size=30).round(2) * 2,
    "tied": np.repeat([2.0, 1.0, 0.0], 10),
    "sure": np.r_[np.zeros(29), 9.0],
}


@pytest.fixture
def lab(page):
    contexts = [{"text": text, "logits": [round(100 * x) for x in logits]} for text, logits in LOGITS.items()]
    data = json.dumps({"names": NAMES, "contexts": contexts, "shown": 30})
    page.set_content(f'<sampling-lab><script type="application/json">{data}</script></sampling-lab>')
    for script in ("lab.js", "sampling-lab.js"):
        page.add_script_tag(content=(ASSETS / script).read_text(encoding="utf-8"))
    return page.locator("sampling-lab")


def turn(lab, context: int, temperature: float, k: int, top_p: float) -> None:
    lab.locator("input[type=radio]").nth(context).check()
    for number, value in enumerate([temperature, STOPS.index(k), top_p]):
        lab.locator("input[type=range]").nth(number).fill(str(value))


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
    rows = lab.locator(".lab-row").evaluate_all(
        "rows => rows.map(r => [r.querySelector('.lab-key').textContent, r.querySelector('output').textContent])"
    )
    shown = {name.replace("␣", " "): said for name, said in rows}
    assert len(shown) == 30
    for name, p in zip(NAMES, after, strict=True):
        if p == 0:
            assert shown[name] in ("out", "0.000")
        else:
            assert float(shown[name]) == pytest.approx(p, abs=0.00051)
    said = re.match(r"(\d+) of 30 tokens may come; they held ([\d.]+) % before", lab.locator(".lab-notes").inner_text())
    assert int(said[1]) == (after > 0).sum()
    assert float(said[2]) == pytest.approx(100 * before[after > 0].sum(), abs=0.051)


def test_it_draws_only_what_is_kept_and_the_likely_more_often(lab) -> None:
    turn(lab, 0, 1, 5, 1)
    after = top_k_filter(temperature_softmax(LOGITS["open"], 1), 5)
    counts = dict.fromkeys(NAMES, 0)
    for _ in range(50):
        lab.locator("button").click()
        for name in lab.locator(".sampling-drawn span").all_text_contents():
            counts[name.replace("␣", " ")] += 1
    n = np.array(list(counts.values()))
    assert n.sum() == 600
    assert set(np.flatnonzero(n)) == set(np.flatnonzero(after))
    kept = after > 0
    assert (((n - 600 * after) ** 2)[kept] / (600 * after[kept])).sum() < 25


def test_a_change_clears_what_was_drawn(lab) -> None:
    lab.locator("button").click()
    assert lab.locator(".sampling-drawn span").count() == 12
    lab.locator("input[type=range]").first.fill("0.5")
    assert lab.locator(".sampling-drawn span").count() == 0
