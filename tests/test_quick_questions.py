"""The quick questions of all pages: nobody gets them right by their place or their length."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUESTION = re.compile(r"^\*\*\d+\. ", re.MULTILINE)
CHOICE = re.compile(r"<details><summary>(.*?)</summary>\s*(.*?)\s*</details>", re.DOTALL)
PAGES = [path for path in sorted(ROOT.glob("chapters/*/*.md")) if "## Quick questions" in path.read_text("utf-8")]


def questions(path: Path) -> list[list[tuple[str, str]]]:
    """Of each question the choices, as (choice, explanation)."""
    section = path.read_text(encoding="utf-8").split("## Quick questions", 1)[1]
    section = re.split(r"^## |^\(.*\)=$", section, maxsplit=1, flags=re.MULTILINE)[0]
    return [CHOICE.findall(text) for text in QUESTION.split(section)[1:]]


def right(choices: list[tuple[str, str]]) -> int:
    """The place of the one right choice."""
    found = [i for i, (_, why) in enumerate(choices) if re.match(r"(Yes|Right)\b", why)]
    assert len(found) == 1, f"{choices[0][0]} …: {len(found)} right choices"
    return found[0]


def of_three() -> list[list[tuple[str, str]]]:
    return [choices for path in PAGES for choices in questions(path) if len(choices) == 3]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_choice_is_explained_and_places_vary(path):
    asked = questions(path)
    assert len(asked) >= 3
    for choices in asked:
        assert len(choices) >= 3
        assert all(len(why.split()) >= 4 for _, why in choices), f"{choices[0][0]} …: a choice is not explained"
    assert len({right(choices) for choices in asked}) > 1, "the right answer stands in the same place every time"


def test_the_right_answer_stands_anywhere():
    asked = of_three()
    counts = Counter(map(right, asked))
    shares = [counts[place] / len(asked) for place in range(3)]
    assert len(asked) > 50
    assert all(0.28 <= share <= 0.39 for share in shares), f"first, second, third: {shares}"


def test_the_right_answer_is_not_the_longest():
    """A third of them would be, if lengths said nothing."""
    asked = of_three()
    longest = []
    for choices in asked:
        lengths = [len(choice) for choice, _ in choices]
        best = lengths.pop(right(choices))
        if best > max(lengths):
            longest.append(choices[right(choices)][0])
    assert len(longest) / len(asked) <= 0.38, longest
