"""The class report: its figures against a class worked out by hand, and its page against hostile text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograder.report import common_mistakes, exercise_stats, normalised, write_report

HOSTILE = '<script>alert(1)</script><img src="https://evil.example/x" onerror=alert(2)>'


def exercise(name: str, points: float, most: float, message: str = "") -> dict[str, Any]:
    return {"notebook": "weights", "exercise": name, "points": points, "max_points": most, "message": message}


def row(student: str, exercises: list[dict[str, Any]], status: str = "graded", **more: Any) -> dict[str, Any]:
    score = sum(e["points"] for e in exercises)
    return {
        "student": student,
        "status": status,
        "note": "",
        "score": score,
        "seconds": 1.0,
        "exercises": exercises,
    } | more


def small_class() -> dict[str, Any]:
    """Four graded students and three exercises a, b, c of 2, 1 and 1 points, and one who timed out.

    a = 2 2 0 0, b = 1 0 1 0, c = 1 1 1 1. The rest of a is b + c = 2 1 2 1: covariance with a is 0.
    The rest of b is a + c = 3 3 1 1: covariance with b is 0. c does not vary.
    """
    rows = [
        row("ann", [exercise("a", 2, 2), exercise("b", 1, 1), exercise("c", 1, 1)]),
        row("bob", [exercise("a", 2, 2), exercise("b", 0, 1, "expected 1.5, got 2"), exercise("c", 1, 1)]),
        row("cat", [exercise("a", 0, 2, "wrong axis"), exercise("b", 1, 1), exercise("c", 1, 1)]),
        row(
            "dan",
            [exercise("a", 0, 2, "wrong axis"), exercise("b", 0, 1, "expected 3, got -4e-5"), exercise("c", 1, 1)],
            note="cost.ipynb was not handed in",
        ),
        row("eve", [exercise("a", 0, 2, "not reached")], "timed out", note="stopped after 120 s", seconds=120.0),
    ]
    return {"assignment": "attention", "max_score": 4.0, "rows": rows}


class Page(HTMLParser):
    """Every tag with its attributes, the ids, and the cells of each table by caption."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.lines: list[list[str]] = []
        self.feed(text)
        assert self.open == [], f"tags left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "caption":
            self.lines = []
        if tag == "tr":
            self.lines.append([])
        if tag in ("td", "th"):
            self.lines[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)
        if self.open and self.open[-1] == "caption":
            self.tables[data] = self.lines
        if "td" in self.open or "th" in self.open:
            self.lines[-1][-1] += data


def written(results: dict[str, Any], tmp_path: Path) -> str:
    target = tmp_path / "deep" / "report.html"
    write_report(results, target)
    return target.read_text(encoding="utf-8")


def test_figures_of_the_small_class() -> None:
    stats = {s.exercise: s for s in exercise_stats(small_class()["rows"])}
    assert list(stats) == ["a", "b", "c"]
    assert [s.count for s in stats.values()] == [4, 4, 4], "the time-out must not count"
    assert [s.difficulty for s in stats.values()] == [0.5, 0.5, 1.0]
    assert stats["a"].discrimination == pytest.approx(0, abs=1e-12)
    assert stats["b"].discrimination == pytest.approx(0, abs=1e-12)
    assert stats["c"].discrimination is None


def test_discrimination_leaves_the_exercise_itself_out() -> None:
    """a = 1 1 0 0 against the rest b = 3 1 2 0: covariance 1/4, deviations 1/2 and √5/2, so r = 1/√5."""
    rows = [
        row(str(i), [exercise("a", a, 1), exercise("b", b, 3)])
        for i, (a, b) in enumerate([(1, 3), (1, 1), (0, 2), (0, 0)])
    ]
    a, b = exercise_stats(rows)
    assert a.discrimination == pytest.approx(5**-0.5), "with the exercise left in, it would be larger"
    assert b.discrimination == pytest.approx(5**-0.5)
    assert (a.difficulty, b.difficulty) == (0.5, 0.5)


def test_a_telling_and_a_misleading_exercise() -> None:
    rows = [row(str(i), [exercise("up", i, 3), exercise("same", i, 3), exercise("down", 3 - i, 3)]) for i in range(4)]
    up, same, down = exercise_stats(rows)
    assert up.discrimination is None, "`same` and `down` cancel: the rest is 3 for everybody"
    assert same.discrimination is None
    assert down.discrimination == pytest.approx(-1)


def test_messages_are_grouped_whatever_their_numbers() -> None:
    found = common_mistakes(small_class()["rows"])
    assert list(found) == [("weights", "a"), ("weights", "b")]
    assert [(m.message, m.count, m.wordings) for m in found["weights", "a"]] == [
        ("wrong axis", 2, 1),
        ("not reached", 1, 1),
    ]
    assert [(m.count, m.wordings) for m in found["weights", "b"]] == [(2, 2)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("expected 1.5, got -2e-07", "expected 3, got .5"),
        ("row 0 is [1. 2. 3.]", "row 12 is [0.25 nan]"),
        ("got [[1, 2], [3, 4]]", "got [[5, 6, 7]]"),
        ("shape (3, 5)", "shape (2, 4, 8)"),
    ],
)
def test_numbers_do_not_tell_messages_apart(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_names_with_digits_do_tell_messages_apart() -> None:
    assert normalised("dtype float32") == "dtype float32"
    assert normalised("wrong axis") != normalised("wrong scale")


def test_the_page_shows_the_figures(tmp_path: Path) -> None:
    page = Page(written(small_class(), tmp_path))
    text = " ".join(page.text)
    assert "5 submissions: 4 graded, 1 timed out. Of 4 points, those graded have a mean of 2.5" in text
    assert "a median of 2.5; full marks: 1." in text, "scores 4 3 2 1"
    assert page.tables["Exercises"][1:] == [
        ["a", "weights", "4", "50%", "0.00"],
        ["b", "weights", "4", "50%", "0.00"],
        ["c", "weights", "4", "100%", "–"],
    ]
    assert page.tables["Not graded to the end"][1:] == [["eve", "timed out", "0", "stopped after 120 s"]]
    assert page.tables["Graded, with a note"][1:] == [["dan", "graded", "1", "cost.ipynb was not handed in"]]
    assert page.tables["Slowest submissions"][1] == ["eve", "timed out", "120.0"]
    everyone = page.tables["Points by student and exercise"]
    assert everyone[0] == ["student", "status", "score of 4", "a of 2", "b of 1", "c of 1"]
    assert everyone[2] == ["bob", "graded", "3", "2", "0", "1"]
    assert everyone[5] == ["eve", "timed out", "0", "0", "–", "–"]
    assert sum(int(n) for _, n in page.tables["Students by score"][1:]) == 4


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    results = small_class()
    results["assignment"] = HOSTILE
    for r in results["rows"]:
        r["student"] += HOSTILE
        r["note"] = r["status"] = HOSTILE
        for e in r["exercises"]:
            e["message"], e["exercise"], e["notebook"] = HOSTILE, e["exercise"] + HOSTILE, HOSTILE
    results["rows"][0]["status"] = "graded"
    text = written(results, tmp_path)
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "link"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_text_that_no_file_can_hold(tmp_path: Path) -> None:
    results = small_class()
    results["rows"][0]["student"] = "a\ud800b\x00c\u202ed"
    text = written(results, tmp_path)
    assert "a\ufffdb\ufffdc\ufffdd" in text


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    results = small_class()
    results["rows"][1]["exercises"][1]["message"] = "x" * 100_000
    assert "x" * 299 + "…" in written(results, tmp_path)
    assert "x" * 300 not in written(results, tmp_path)


@pytest.mark.parametrize("rows", [[], [row("eve", [], "refused", note="not a notebook")]])
def test_a_class_without_a_graded_submission(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    page = Page(written({"assignment": "attention", "max_score": 4.0, "rows": rows}, tmp_path))
    text = " ".join(page.text)
    assert ("1 submission: 1 refused." if rows else "No submissions") in text
    assert "nan" not in text
    assert [tag for tag, _ in page.tags].count("svg") == 0


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    text = written(small_class(), tmp_path)
    assert re.findall(r"https?:|//[a-z]|@import|url\((?!#)", text) == []
    for _, attributes in Page(text).tags:
        assert not attributes.keys() & {"src", "srcset", "action", "data"}
        assert (attributes.get("href") or "#").startswith("#")


def test_plots_are_named_and_their_ids_are_unique(tmp_path: Path) -> None:
    tags = Page(written(small_class(), tmp_path)).tags
    plots = [attributes for tag, attributes in tags if tag == "svg"]
    assert len(plots) == 2
    assert all(p["role"] == "img" and p["viewbox"] for p in plots)
    assert "a 50%; b 50%; c 100%" in str(plots[1]["aria-label"])
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {str(a["href"])[1:] for _, a in tags if "href" in a}
    assert used <= set(ids), "a plot refers to a marker that is not there"


def test_the_same_results_make_the_same_page(tmp_path: Path) -> None:
    assert written(small_class(), tmp_path) == written(small_class(), tmp_path)
