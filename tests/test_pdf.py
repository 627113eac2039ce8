"""The book on paper: whole, with its hints open, and with links that stay within it."""

import sys

import pytest
from pypdf import PdfReader
from test_book import PAGES, ROOT

sys.path.insert(0, str(ROOT / "chapters" / "extensions"))
import pdf

NAMES = ["chapters/attention/weights", "chapters/attention/heads"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def printed(book, browser, tmp_path_factory):
    to = tmp_path_factory.mktemp("pdf") / "book.pdf"
    tab = browser.new_page(color_scheme="light")
    sheets = [((book / f"{name}.html").as_uri(), *pdf.printed(tab, name)) for name in NAMES]
    tab.close()
    count, turned = pdf.bind(sheets, to)
    return PdfReader(to), count, turned


def test_hints_and_answers_are_open_and_the_last_door_is_not(printed):
    reader, count, _ = printed
    text = " ".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) == count > 10
    for name in ["softmax", "causal_mask"]:
        source = (ROOT / "solutions/attention" / f"{'weights' if name == 'softmax' else 'heads'}.py").read_text("utf-8")
        assert f"def {name}(" in source and f"def {name}(" not in text, f"{name}: its solution is printed"
    assert "subtract" in text.lower() or "take away" in text.lower()
    assert text.count("Hint 1") >= 8 and "Yes." in text
    assert r"\frac" not in text and r"\sqrt" not in text, "a formula is printed as TeX"


def test_links_stay_within_and_the_outline_has_the_pages(printed):
    reader, _, turned = printed
    assert turned >= 2
    assert [item["/Title"] for item in reader.outline] == ["1. Looking things up softly", "2. Many heads and masks"]
    links = [annotation.get_object().get("/A", {}) for page in reader.pages for annotation in page.get("/Annots", [])]
    ends = [link["/D"][0] for link in links if link.get("/S") == "/GoTo"]
    assert len(ends) == turned
    assert all(end.get_object()["/Type"] == "/Page" for end in ends)


def test_a_book_that_is_not_built_is_told_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pdf, "BOOK", tmp_path)
    monkeypatch.setattr(sys, "argv", ["pdf.py"])
    assert pdf.main() == 1
    assert "make book" in capsys.readouterr().err


def test_every_page_of_the_book_is_printed():
    assert pdf.pages() == PAGES
