"""The figure <cache-lab> in a real browser: each token is computed, read or still to come as the cache has it."""

import itertools
import json
from pathlib import Path

import pytest

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
TOKENS = ["The", "hotel", "is", "clean", ",", "酒店"]
STEPS = [
    {"past": 0, "now": 2, "with": 1200, "without": 1200, "read": 0, "kept": 32},
    {"past": 2, "now": 1, "with": 700, "without": 2100, "read": 32, "kept": 48},
    {"past": 3, "now": 1, "with": 720, "without": 2880, "read": 48, "kept": 64},
    {"past": 4, "now": 2, "with": 1500, "without": 4500, "read": 64, "kept": 96},
]


@pytest.fixture
def lab(emptied):
    data = json.dumps({"label": "A text", "tokens": TOKENS, "steps": STEPS})
    emptied.set_content(f'<cache-lab><script type="application/json">{data}</script></cache-lab>')
    for script in ("lab.js", "cache-lab.js"):
        emptied.add_script_tag(content=(ASSETS / script).read_text(encoding="utf-8"))
    return emptied.locator("cache-lab")


def states(lab) -> list[list[str]]:
    return lab.locator("ol").evaluate_all("lists => lists.map(l => [...l.children].map(i => i.lastChild.textContent))")


def rows(lab) -> list[list[int]]:
    cells = lab.locator("tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.querySelectorAll('td')].map(c => c.textContent))"
    )
    return [[int(cell.replace(",", "")) for cell in row] for row in cells]


@pytest.mark.parametrize("at", range(4))
def test_each_step_shows_what_is_read_and_what_is_computed(lab, at) -> None:
    lab.locator("input[type=range]").fill(str(at))
    step = STEPS[at]
    later = ["–"] * (6 - step["past"] - step["now"])
    assert states(lab) == [
        ["read"] * step["past"] + ["computed"] * step["now"] + later,
        ["computed"] * (step["past"] + step["now"]) + later,
    ]
    so_far = [sum(s[kind] for s in STEPS[: at + 1]) for kind in ("with", "without")]
    assert rows(lab) == [[step["with"], step["without"]], so_far, [step["read"], 0], [step["kept"], 0]]


def test_the_buttons_walk_through_it_and_stop_at_its_ends(lab) -> None:
    press = {name: lab.get_by_role("button", name=name) for name in ("First", "Back", "Next", "Last")}
    said = lab.locator("output")
    walk = ["Back", "Next", "Next", "Back", "Last", "Next", "Back", "First"]
    places = [1, 2, 3, 2, 4, 4, 3, 1]
    for name, place in zip(walk, places, strict=True):
        press[name].evaluate("button => button.click()")  # a button that rests may be pressed, too
        assert said.inner_text() == f"{place} of 4"
        off = {n: button.get_attribute("aria-disabled") for n, button in press.items()}
        assert [off["First"], off["Back"]] == ["true" if place == 1 else "false"] * 2
        assert [off["Next"], off["Last"]] == ["true" if place == 4 else "false"] * 2


def test_it_says_what_went_in(lab) -> None:
    live = lab.locator("[aria-live]")
    told = []
    for at in range(4):
        lab.locator("input[type=range]").fill(str(at))
        told.append(live.inner_text())
    assert "prompt of 2 tokens" in told[0]
    assert "“is” goes in" in told[1]
    assert "1 token is computed and the keys and values of 2 are read" in told[1]
    assert "3.0 times" in told[1] and "4.0 times" in told[2]
    assert "“, 酒店” goes in" in told[3]
    assert "2 tokens are computed and the keys and values of 4 are read" in told[3]
    assert all(a != b for a, b in itertools.pairwise(told))
