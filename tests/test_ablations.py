"""The capstone's model without one of its parts: what is stored comes out again, and the figure says what it shows."""

import json
import re
from pathlib import Path

import pytest
import torch

from benchmarks import ablations
from solutions.capstone import grammar

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
PARTS = list(ablations.ABLATIONS)


@pytest.fixture(scope="module")
def stored() -> dict:
    return ablations.load()


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_the_first_steps_of_a_stored_run_come_out_again(stored, part):
    run = ablations.runs_of(stored, part)[1]
    _, seen = ablations.train(part, run["rate"], run["seed"], stop=5)
    for (step, bits), (stored_step, stored_bits) in zip(seen["curve"], run["curve"][:2], strict=True):
        assert step == stored_step and bits == pytest.approx(stored_bits, rel=2e-3)
    assert seen["gradient"] == pytest.approx(run["gradient"][:5], rel=0.02)


def test_every_run_says_where_it_comes_from(stored):
    assert stored["floor"] == pytest.approx(grammar.bits_per_byte(grammar.story_grammar()))
    for run in stored["runs"]:
        assert run["commit"] and run["cpu_seconds"] > 0 and run["code"] == ablations.digest()
    for part in PARTS:
        found = ablations.runs_of(stored, part)
        assert [run["seed"] for run in found] == ablations.seeds_of(stored) and len(found) >= 3


def test_nothing_comes_below_the_floor(stored):
    assert all(bits > stored["floor"] for run in stored["runs"] for _, bits in run["curve"])


def test_what_is_taken_away_is_away():
    """Without the rotation a place says nothing; without norms their weights are gone; the gate's are made up for."""
    sizes = {part: sum(w.numel() for w in ablations.build(part, 0).parameters()) for part in PARTS}
    assert sizes["gate"] == sizes["whole"] == sizes["rotation"] == sizes["adamw"]
    norms = (2 * ablations.RECIPE.layers + 1) * ablations.RECIPE.dim
    assert sizes["norms"] == sizes["whole"] - norms
    ids = torch.tensor([[5, 9, 7, 11], [9, 5, 7, 11]])  # two tokens have changed places
    with torch.no_grad():
        for part, same in [("rotation", True), ("whole", False)]:
            model = ablations.build(part, 0)
            x = model.embed_tokens(ids)
            out = model.layers[0].self_attn(x * 50, tuple(table[:4] for table in model.turn))
            assert torch.allclose(out[0, 3], out[1, 3], atol=1e-6) == same


def test_a_run_that_is_there_is_not_run_again(monkeypatch, tmp_path):
    """Stopped after three runs, the command goes on with the fourth; runs of other code are made anew."""
    made: list[tuple] = []

    def run(part, rate, seed):
        made.append((part, rate, seed))
        if len(made) == 4:
            raise KeyboardInterrupt
        return {"part": part, "rate": rate, "seed": seed, "cpu_seconds": 1.0, "curve": [[0, 3.0], [200, 1.0]]}

    monkeypatch.setattr(ablations, "run", run)
    path = tmp_path / "ablations.json"
    with pytest.raises(KeyboardInterrupt):
        ablations.complete(ablations.load(path), path, lambda text: None)
    ablations.complete(ablations.load(path), path, lambda text: None)
    assert made[3] == made[4] and len(set(made)) == len(made) - 1
    assert len(ablations.load(path)["runs"]) == len(set(made))
    old = ablations.load(path)
    old["runs"][0]["code"] = "of another time"
    ablations.complete(old, path, lambda text: None)
    assert len(made) == len(set(made)) + 2


# --------------------------------------------------------------------------------------------------------------------
# The figure
# --------------------------------------------------------------------------------------------------------------------


def curve(*means: float, around: float = 0.01) -> list[list[float]]:
    return [[100 * i, m, m - around, m + around] for i, m in enumerate(means)]


def part(name: str, *means: float) -> dict:
    return {"name": name, "instead": "something else", "curve": curve(*means), "writes": f"Once upon {name}"}


DATA = {
    "whole": part("nothing", 3, 0.5, 0.2),
    "parts": [part("the norms", 3, 1.0, 0.4), part("the rotation", 3, 0.7, 0.405), part("the gate", 3, 0.5, 0.2),
              part("AdamW", 3, 2.0, 0.9)],
    "floor": 0.06, "seeds": 3, "unit": "bits per byte",
}  # fmt: skip


@pytest.fixture
def lab(emptied):
    source = json.dumps(DATA)
    emptied.set_content(
        f'<ablation-lab><script type="application/json">{source}</script><p>In words.</p></ablation-lab>'
    )
    for script in ("lab.js", "ablation-lab.js"):
        emptied.add_script_tag(path=ASSETS / script)
    emptied.locator("ablation-lab[data-ready]").wait_for()
    return emptied.locator("ablation-lab")


def choose(lab, *names: str) -> None:
    for name in names:
        lab.locator("button.abl-part", has_text=name).click()
    lab.locator(".abl-show").click()


def said(lab) -> str:
    return " ".join(text for text in lab.locator("[aria-live]").all_inner_texts() if text)


def test_no_curve_is_shown_before_the_guess(lab):
    assert lab.locator(".abl-curve:visible").count() == 1 and "the whole model falls" in lab.locator(
        ".abl-plot"
    ).get_attribute("aria-label")
    lab.locator(".abl-show").click(force=True)
    assert "4 places are still free" in said(lab) and lab.locator(".abl-plot .abl-curve").count() == 1
    lab.locator("button.abl-part").first.click()
    assert lab.locator("button.abl-part").first.get_attribute("aria-pressed") == "true"
    lab.locator("button.abl-part").first.click()  # taken back
    assert lab.locator("button.abl-part").first.get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize(
    ("order", "first", "last", "right"),
    [
        (
            ["AdamW", "rotation", "norms", "gate"],
            "rightly",
            "belongs",
            "all of yours stand",
        ),  # norms and rotation count as equal
        (
            ["norms", "rotation", "gate", "AdamW"],
            "First comes AdamW: 0.900",
            "Last comes the gate, not AdamW",
            "2 of yours stand",
        ),
        (["gate", "norms", "rotation", "AdamW"], "First comes AdamW", "Last comes the gate", "none of yours stand"),
    ],
)
def test_the_guess_is_held_against_what_was_measured(lab, order, first, last, right):
    choose(lab, *order)
    text = said(lab)
    assert first in text and last in text and "Of the 5 pairs" in text and right in text
    assert lab.locator(".abl-plot .abl-curve").count() == 5


def test_the_order_of_each_step_and_what_a_model_writes(lab):
    choose(lab, "AdamW", "norms", "rotation", "gate")
    assert "AdamW; then the rotation and the norms (too close to be told apart); then the gate" in said(lab)
    assert "Without the gate the model is no worse" in said(lab)
    slider = lab.locator("input[type=range]")
    slider.focus()
    lab.page.keyboard.press("ArrowLeft")
    assert "After 100 steps, the worst first: AdamW; then the norms; then the rotation; then the gate" in said(lab)
    assert slider.get_attribute("aria-valuetext") == "step 100"
    rows = [re.sub(r"\s+", " ", row).strip() for row in lab.locator("tbody tr").all_inner_texts()]
    assert rows[0] == "AdamW 2.000 1" and rows[-1] == "nothing: the whole model 0.500"
    lab.locator("label", has_text="without the norms").click()
    assert "“Once upon the norms …”" in said(lab) and lab.locator(".abl-faint").count() == 4
    lab.locator("button", has_text="Guess again").click()
    assert lab.locator(".abl-plot .abl-curve").count() == 1 and lab.locator("table:visible").count() == 0
