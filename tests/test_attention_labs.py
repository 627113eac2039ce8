"""The figures of the attention pages: what they show is what NumPy computes, and each page has enough of them."""

import re
from pathlib import Path

import numpy as np
import pytest
from lab_page import numbers, put, shown
from scipy.special import softmax

from chapters.drawing import grid, side_by_side
from solutions.attention.heads import sinusoidal_positions

ROOT = Path(__file__).parent.parent
SPEEDS = [1, 0.1, 0.01, 0.001]


def tips(lab, which: str) -> np.ndarray:
    """Where the hands of the dials end, as sines and cosines."""
    place = "tips => tips.flatMap(t => [t.cx.baseVal.value, -t.cy.baseVal.value])"
    return np.array(lab.locator(which).evaluate_all(place)) / 46


# ---------- drawings ----------


def test_a_grid_has_a_square_for_each_number():
    """Colour says the sign, and its strength the size; hidden squares hold no number."""
    drawn = grid(np.array([[1.0, -0.5], [0.0, 2.0]]), "title", ["a", "b"], hidden=np.array([[0, 0], [1, 0]], bool))
    assert re.findall(r'"square-(\w+)"', drawn) == ["plus", "minus", "hidden", "plus"]
    strengths = [float(x) for x in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert strengths == pytest.approx([0.275, 0.1375, 0.55], abs=0.001)
    assert re.findall(r">(−?[\d.]+)<", drawn) == ["1.00", "−0.50", "2.00"]


def test_drawings_say_what_they_show():
    assert 'role="img" aria-label="Two &lt; three"' in side_by_side([grid(np.eye(2))], "Two < three").data


# ---------- labs ----------


@pytest.mark.parametrize("place", [0, 3, 44, 99])
def test_the_hands_write_the_row_of_their_place(emptied, place):
    """What the figure says is the row that the exercise's function gives."""
    lab = shown(emptied, "clock-lab", {"speeds": SPEEDS, "last": 99, "place": 3})
    put(lab, place)
    said = numbers(lab.locator("[aria-live]").inner_text())
    assert said[0] == place
    np.testing.assert_allclose(said[1:], sinusoidal_positions(100, 8)[place], atol=0.0051)
    np.testing.assert_allclose(tips(lab, ".clock-tip"), sinusoidal_positions(100, 8)[place], atol=1e-4)


def test_a_step_turns_the_hands_alike_from_every_place(emptied):
    lab = shown(emptied, "clock-lab", {"speeds": SPEEDS, "last": 94, "place": 3, "step": 5})
    turns = lab.locator(".clock-dials > div > div:last-child")
    before = turns.all_inner_texts()
    put(lab, 40)
    assert numbers(lab.locator("[aria-live]").inner_text()) == [40, 45, 5, 0.5, 0.05, 0.005]
    assert turns.all_inner_texts() == before
    np.testing.assert_allclose(tips(lab, ".clock-tip-then"), sinusoidal_positions(100, 8)[45], atol=1e-4)


@pytest.mark.parametrize("chosen", [0, 1, 2])
@pytest.mark.parametrize("by", [-3, 0.1, 2.5])
def test_a_push_moves_all_shares(emptied, chosen, by):
    """What each share gains, and what the Jacobian foretells of it."""
    scores = np.array([2.0, 0, 1])
    lab = shown(emptied, "push-lab", {"labels": ["hotel", "very", "clean"], "scores": scores.tolist()})
    lab.locator("input[type=radio]").nth(chosen).check()
    put(lab, by)
    p, pushed = softmax(scores), softmax(scores + by * np.eye(3)[chosen])
    slopes = (np.diag(p) - np.outer(p, p))[chosen]
    said = numbers(lab.locator("[aria-live]").inner_text())
    np.testing.assert_allclose(said, [by, *(pushed - p), 0, *(by * slopes)], atol=0.00051)
    rows = [numbers(text) for text in lab.locator(".push-row").all_inner_texts()]
    np.testing.assert_allclose(rows, np.stack([pushed, pushed - p], axis=1), atol=0.00051)


@pytest.mark.parametrize("by", [-1, 0, 0.7])
def test_a_nudge_and_its_promise(emptied, by):
    """The loss of the chosen number at this nudge, and the straight line beside it."""
    nudges = np.round(np.arange(-1, 1.05, 0.1), 1)
    data = {"names": ["a", "b"], "nudges": nudges.tolist(), "losses": [(2 + 3 * nudges**2).tolist(),
            (2 + np.sin(nudges)).tolist()], "slopes": [0, 1]}  # fmt: skip
    lab = shown(emptied, "nudge-lab", data)
    lab.locator("input[type=radio]").nth(1).check()
    put(lab, by)
    said = numbers(lab.locator("[aria-live]").inner_text().rstrip("."))
    np.testing.assert_allclose(said, [by, 2, 2 + np.sin(by), 1, 2 + by], atol=0.00051)


# ---------- pages ----------

PAGES = ["weights", "heads", "positions", "gradients", "cost"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_it_says(book, name):
    """Six figures at least that are no tables; each says in words what is seen, and none is large within the page."""
    from bs4 import BeautifulSoup

    article = BeautifulSoup((book / f"chapters/attention/{name}.html").read_text("utf-8"), "html.parser").find(
        "article"
    )
    drawings = article.select(".drawings, svg[role=img]")
    labs = [tag for tag in article.find_all(re.compile("-(lab|map)$"))]
    assert len(drawings) + len(labs) + len(article.select(".cell_output img")) >= 6
    for drawing in drawings:
        assert len(drawing["aria-label"]) > 60
        assert len(drawing.find_all(True)) <= 300, drawing["aria-label"]
    assert len((book / f"chapters/attention/{name}.html").read_bytes()) <= 170_000


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_one_question_and_ends_with_what_was_won(name):
    """Bold and with a question mark before the first box; the last paragraph is said to the reader."""
    text = (ROOT / f"chapters/attention/{name}.md").read_text(encoding="utf-8")
    opening = text.split("\n# ")[1].split(":::")[0]
    assert len(re.findall(r"\*\*[^*]+\?\*\*", opening)) == 1
    assert text.rstrip().split("\n\n")[-1].startswith("You ")
