"""The figure <rope-lab> in a real browser: it turns as the course's own `apply_rope` does, and keeps its promise."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from solutions.llama.parts import apply_rope

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
Q = [1.2, 0.4, -0.5, 1.1, 0.9, 0.8, 1.0, -0.6]
K = [0.8, -0.9, 1.1, 0.5, 0.3, 1.2, 0.9, 0.7]
SPEEDS = (100 ** (-np.arange(0, 8, 2) / 8)).tolist()
LAST = 30


@pytest.fixture
def lab(emptied):
    data = json.dumps({"q": Q, "k": K, "speeds": SPEEDS, "last": LAST})
    emptied.set_content(f'<rope-lab><script type="application/json">{data}</script><p>In words.</p></rope-lab>')
    for script in ("lab.js", "rope-lab.js"):
        emptied.add_script_tag(path=ASSETS / script)
    emptied.locator("rope-lab[data-ready]").wait_for()
    return emptied.locator("rope-lab")


def put(lab, index: int, place: int) -> None:
    """Moves a slider, as a hand would: 0 is the query's, 1 the key's."""
    lab.locator("input[type=range]").nth(index).evaluate(
        "(input, place) => { input.value = place; input.dispatchEvent(new Event('input', {bubbles: true})); }", place
    )


def places(lab) -> tuple[int, int]:
    """What the sliders hold, which must be what stands beside them."""
    held = lab.locator("input[type=range]").evaluate_all("sliders => sliders.map(slider => Number(slider.value))")
    shown = [int(text) for text in lab.locator(".lab-slider output").all_inner_texts()]
    assert held == shown
    return tuple(held)


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+\.\d+", text.replace("\u2212 ", "-").replace("\u2212", "-"))]


def score(lab) -> float:
    return numbers(lab.locator(".rope-sum").inner_text())[-1]


def expected(m: int, n: int) -> np.ndarray:
    """What each pair adds, by the course's own function."""
    table = np.outer(np.arange(LAST + 1), SPEEDS)
    turned = [apply_rope(np.array([x]), np.cos(table), np.sin(table), np.array([p]))[0] for x, p in ((Q, m), (K, n))]
    return (turned[0] * turned[1]).reshape(4, 2).sum(axis=-1)


@pytest.mark.parametrize(("m", "n"), [(5, 3), (0, 0), (30, 0), (0, 30), (17, 29)])
def test_each_pair_adds_what_apply_rope_says(lab, m, n):
    put(lab, 0, m)
    put(lab, 1, n)
    assert places(lab) == (m, n)
    *parts, total = numbers(lab.locator(".rope-sum").inner_text())
    np.testing.assert_allclose(parts, expected(m, n), atol=0.0051)
    assert total == pytest.approx(expected(m, n).sum(), abs=0.0051)
    assert numbers(lab.locator("[aria-live]").inner_text())[0] == total


def test_moved_together_the_score_stays(lab):
    put(lab, 0, 12)
    put(lab, 1, 4)
    before, seen = score(lab), set()
    lab.locator("input[type=checkbox]").check()
    for slider, place in [(0, 20), (1, 7), (0, 30), (0, 0), (1, 30), (1, 0), (0, 9)]:
        put(lab, slider, place)
        m, n = places(lab)
        assert m - n == 8, "the difference moved, at an end of the line perhaps"
        assert 0 <= n < m <= LAST
        assert score(lab) == before
        seen.add(m)
    assert len(seen) > 3, "nothing moved"
    lab.locator("input[type=checkbox]").uncheck()
    put(lab, 0, 20)
    assert score(lab) != before, "moved alone, the score must change"


def test_the_dot_stands_on_the_curve(lab):
    points = [tuple(map(float, pair.split())) for pair in lab.locator(".rope-curve").get_attribute("d")[1:].split("L")]
    for m, n in [(5, 3), (30, 0), (2, 19)]:
        put(lab, 0, m)
        put(lab, 1, n)
        dot = lab.locator(".rope-dot")
        x, y = float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))
        near = min(points, key=lambda point: abs(point[0] - x))
        assert abs(near[0] - x) < 0.1
        assert abs(near[1] - y) < 0.1
