"""The small figures of the first pages in a real browser: what they say is what NumPy computes."""


import numpy as np
import pytest
from lab_page import numbers, put, shown
from scipy.special import softmax


@pytest.mark.parametrize("angle", [-180, -135, -30, 0, 60, 90, 180])
@pytest.mark.parametrize("length", [0.5, 1.5, 2.5])
def test_two_arrows(emptied, angle, length):
    """The products, their sum, the angle and its cosine."""
    lab = shown(emptied, "angle-lab", {"fixed": [2, 1], "angle": 60, "length": 1.5})
    put(lab, angle)
    put(lab, length, 1)
    fixed = np.array([2, 1])
    turned = np.arctan2(1, 2) + np.radians(angle)
    other = length * np.array([np.cos(turned), np.sin(turned)])
    a, c, b, d, dot, degrees, cosine = numbers(lab.locator(".lab-notes").inner_text())
    assert [a, b] == [2, 1]
    assert [c, d, dot] == pytest.approx([*other, fixed @ other], abs=0.006)
    assert degrees == abs(angle)
    assert cosine == pytest.approx(np.cos(np.radians(angle)), abs=0.006)
    assert dot == pytest.approx(np.linalg.norm(fixed) * length * cosine, abs=0.03)


@pytest.mark.parametrize("match", [0, 0.35, 0.95, 1])
def test_a_soft_lookup(emptied, match):
    lab = shown(emptied, "match-lab", {"keys": ["room", "breakfast"], "values": [100, 12], "match": 0.5})
    put(lab, match)
    answer = numbers(lab.locator(".lab-notes").inner_text())[-1]
    assert answer == pytest.approx(match * 100 + (1 - match) * 12, abs=0.06)
    assert numbers(lab.locator(".lab-bars").inner_text()) == pytest.approx([match, 1 - match])


@pytest.mark.parametrize("scale", [0.05, 0.5, 2, 4])
def test_softmax_and_what_a_push_moves(emptied, scale):
    scores = np.array([4.0, 0.0, 2.0])
    lab = shown(emptied, "softmax-lab", {"labels": ["a", "b", "c"], "scores": scores.tolist(), "scale": 0.5})
    put(lab, scale)
    p, pushed = softmax(scores * scale), softmax(scores * scale + [0.1, 0, 0])
    assert numbers(lab.locator(".lab-bars").inner_text()) == pytest.approx(p.tolist(), abs=6e-4)
    assert numbers(lab.locator(".lab-notes").inner_text())[-1] == pytest.approx(pushed[0] - p[0], abs=6e-5)


VERBS = [[" was", 0.6], [" is", 0.2]]
SMALL = [" small", [[" large", 0.5], [" small", 0.1]]]
STORY = {
    "beginnings": [
        {"text": "The room", "tales": [[[" was", VERBS], SMALL], [[" is", VERBS]]]},
        {"text": "明月", "tales": [[["光", [["光", 0.9]]]]]},
    ]
}


def test_a_story_writes_itself_and_shows_what_else_it_might_have_said(emptied):
    lab = shown(emptied, "story-lab", STORY)
    emptied.wait_for_function("!document.querySelector('.story-later')")
    assert lab.locator(".story-text").inner_text() == "The room was small"
    put(lab, 1)
    assert lab.locator(".story-here").inner_text().strip() == "small"
    assert "␣small" in lab.locator(".lab-notes").inner_text()
    assert numbers(lab.locator(".lab-bars").inner_text()) == [0.5, 0.1]
    lab.locator("button").click()
    emptied.wait_for_function("!document.querySelector('.story-later')")
    assert lab.locator(".story-text").inner_text() == "The room is"
    lab.locator("input[type=radio]").nth(1).check()
    emptied.wait_for_function("!document.querySelector('.story-later')")
    assert lab.locator(".story-text").inner_text() == "明月光"


def test_a_story_stands_still_for_who_wants_it_so(browser):
    """With reduced motion the whole text is there at once."""
    context = browser.new_context(reduced_motion="reduce")
    lab = shown(context.new_page(), "story-lab", STORY)
    assert lab.locator(".story-later").count() == 0
    context.close()
