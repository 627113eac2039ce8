"""What the build makes of a notebook's source beyond the cells as they are written."""

from pathlib import Path

from tiny_course import HEADER

from autograder.notebook.source import read_source, with_folded_hints

TEXT = """## `mean`

By hand: the mean of 1 and 3 is 2.

Hint 1 (a nudge): What is added,
and what is counted?

Hint 2 (the steps): Two steps:

1. add up;
2. divide.
"""
FOLDED = """## `mean`

By hand: the mean of 1 and 3 is 2.

<details><summary>Hint 1: a nudge</summary>

What is added,
and what is counted?

<details><summary>Hint 2: the steps</summary>

Two steps:

1. add up;
2. divide.

</details></details>"""


def test_hints_are_folded_each_inside_the_last() -> None:
    assert with_folded_hints(TEXT) == FOLDED
    assert with_folded_hints(FOLDED) == FOLDED, "hints that an author has folded stay as they are"


def test_a_text_that_speaks_of_hints_has_none() -> None:
    text = "See Hint 1 (a nudge): it helps.\n\nHint 2 says more.\n\nHint: none (yet).\n"
    assert with_folded_hints(text) == text


def test_hints_are_folded_in_text_and_left_alone_in_code(tmp_path: Path) -> None:
    source = tmp_path / "means.py"
    text = "".join(f"# {line}".rstrip() + "\n" for line in TEXT.splitlines())
    code = 'SAID = """\nHint 1 (a nudge): in code\n"""\n'
    source.write_text(f"{HEADER}\n# %% [markdown]\n{text}\n# %%\n{code}", encoding="utf-8")
    told, kept = read_source(source).cells
    assert told.source == FOLDED
    assert kept.source == code.strip()
