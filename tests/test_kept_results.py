"""Results that pages keep: what is read, what is computed again, and that each page does so with a slice of its own."""

import ast
import json
import re

import pytest
from myst_nb.core.read import read_myst_markdown_notebook

from benchmarks import kept

PAGES = kept.pages()


def double(number):
    return {"number": 2.0 * number, "pair": (number, "two")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Results of a page on doubling: of 3 and of 4."""
    monkeypatch.setenv(kept.DRAFT, str(tmp_path / "doubling.json"))
    page = kept.Kept("doubling", tmp_path)
    page(double, 3)
    page(double, 4)
    monkeypatch.delenv(kept.DRAFT)
    return tmp_path


def test_what_is_kept_is_given_and_not_computed(folder):
    def double(number):
        raise AssertionError("computed")

    assert kept.Kept("doubling", folder)(double, 3) == {"number": 6.0, "pair": [3, "two"]}


def test_what_is_not_kept_is_named_with_the_command(folder):
    with pytest.raises(kept.KeptError, match=r"^doubling\.json: double\(5\) is not kept: run make .* ARGS=doubling$"):
        kept.Kept("doubling", folder)(double, 5)


@pytest.mark.parametrize(
    ("factor", "kind"), [(2.001, float), (2, int), (float("nan"), float)], ids=["another", "whole", "not a number"]
)
def test_a_slice_that_gives_something_else_fails(folder, factor, kind):
    page = kept.Kept("doubling", folder)
    assert page.again(double, 3)["number"] == 6.0
    original = double

    def changed(number):
        return original(number) | {"number": kind(factor * number)}

    changed.__name__ = "double"
    with pytest.raises(kept.KeptError, match=r"double\(3\) is kept as .* and gives .* now: run make page-results"):
        page.again(changed, 3)


def test_numbers_agree_up_to_what_is_asked(folder):
    original = double

    def close(number):
        return original(number) | {"number": 2.001 * number}

    close.__name__ = "double"
    assert kept.Kept("doubling", folder).again(close, 3, within=1e-2)["number"] == 6.0


@pytest.mark.slow
def test_a_page_that_fails_leaves_its_results(tmp_path, monkeypatch):
    page = "---\nkernelspec: {display_name: Python 3, language: python, name: python3}\n---\n# Cups\n\n"
    cell = '```{code-cell} ipython3\nfrom benchmarks.kept import Kept\nkept = Kept("a/cups")\nkept(divmod, 7, 2)\n```\n'
    path = tmp_path / "chapters" / "a" / "cups.md"
    path.parent.mkdir(parents=True)
    path.write_text(page + cell, encoding="utf-8")
    monkeypatch.setattr(kept, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    place = tmp_path / "results" / "a" / "cups.json"
    assert kept.pages() == ["a/cups"]
    kept.make("a/cups")
    made = json.loads(place.read_text(encoding="utf-8"))
    assert made["results"]["divmod(7, 2)"]["value"] == [3, 1]
    assert made["command"] == "make page-results ARGS=a/cups"

    before = place.read_bytes()
    path.write_text(page + cell.replace("7, 2)", "7, 3)\n1 / 0"), encoding="utf-8")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        kept.make("a/cups")
    assert place.read_bytes() == before
    assert [file.name for file in place.parent.iterdir()] == ["cups.json"], "no draft is left"


# ---------- the pages of the book ----------


def calls(page: str) -> dict[str, set[str]]:
    """The functions that a page keeps results of (`kept`), and those that it calls again with a slice (`again`)."""
    notebook = read_myst_markdown_notebook((kept.ROOT / "chapters" / f"{page}.md").read_text(encoding="utf-8"))
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found: dict[str, set[str]] = {"kept": set(), "again": set()}
    for node in ast.walk(ast.parse(re.sub("(?m)^%.*", "", code))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("kept", "kept.again"):
            found[ast.unparse(node.func).removeprefix("kept.")].add(ast.unparse(node.args[0]))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_each_kept_function_is_run_again_on_a_slice(page):
    """The page does it whenever it is executed, and so the book cannot be built from results that do not hold."""
    found = calls(page)
    assert found["again"], "nothing is run again"
    assert found["kept"] <= found["again"]
    results = json.loads((kept.RESULTS / f"{page}.json").read_text(encoding="utf-8"))["results"]
    assert {call.split("(")[0] for call in results} == found["again"]


def test_every_file_of_results_has_its_page():
    files = {path.relative_to(kept.RESULTS).with_suffix("").as_posix() for path in kept.RESULTS.rglob("*.json")}
    assert files == set(PAGES)
    assert len(PAGES) >= 3


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def test_no_review_and_nothing_that_learnt_one_by_heart_is_kept():
    """Of what was trained on reviews there are numbers, and a few words of the examples that a page prints."""
    for page in PAGES:
        results = json.loads((kept.RESULTS / f"{page}.json").read_text(encoding="utf-8"))["results"]
        texts = {text for row in results.values() for text in texts_in(row["value"])}
        chinese = {run for text in texts for run in re.findall("[一-鿿，。！？、]{2,}", text)}
        assert len(chinese) <= 20, page
        assert all(len(run) <= 20 for run in chinese), page
