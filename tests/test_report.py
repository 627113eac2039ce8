"""The class report: its figures against a class worked out by hand, and its page against hostile text."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from standing_alone import PHONE, WIDE, pages_for_everybody

from autograder.report.page import write_report
from autograder.report.statistics import common_mistakes, exercise_stats, normalised, notebook_stats, one_line
from autograder.results import VERSION, Results, Row, State, from_json

HOSTILE = '<script>alert(1)</script><img src="https://evil.example/x" onerror=alert(2)>'


def exercise(name: str, points: float, most: float, message: str = "") -> dict[str, Any]:
    states = {str(state) for state in State}
    state = message if message in states else State.WRONG if message else State.RIGHT
    about = {"notebook": "weights", "exercise": name, "points": points, "max_points": most, "message": message}
    return about | {"state": state}


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


def typed(results: dict[str, Any]) -> Results:
    """As a file with these results is read."""
    return from_json(json.dumps(results | {"version": VERSION}))


def rows_of(rows: list[dict[str, Any]]) -> tuple[Row, ...]:
    return typed({"assignment": "attention", "max_score": 1.0, "rows": rows}).rows


class Page(HTMLParser):
    """Every tag with its attributes, the ids, and the cells of each table by caption."""

    VOID = frozenset({"meta", "br", "wbr", "hr", "img", "link", "input"})

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
    write_report(typed(results), target)
    return target.read_text(encoding="utf-8")


def test_figures_of_the_small_class() -> None:
    stats = {s.exercise: s for s in exercise_stats(typed(small_class()).rows)}
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
    a, b = exercise_stats(rows_of(rows))
    assert a.discrimination == pytest.approx(5**-0.5), "with the exercise left in, it would be larger"
    assert b.discrimination == pytest.approx(5**-0.5)
    assert (a.difficulty, b.difficulty) == (0.5, 0.5)


def test_a_telling_and_a_misleading_exercise() -> None:
    rows = [row(str(i), [exercise("up", i, 3), exercise("same", i, 3), exercise("down", 3 - i, 3)]) for i in range(4)]
    up, same, down = exercise_stats(rows_of(rows))
    assert up.discrimination is None, "`same` and `down` cancel: the rest is 3 for everybody"
    assert same.discrimination is None
    assert down.discrimination == pytest.approx(-1)


def test_messages_are_grouped_whatever_their_numbers() -> None:
    found = common_mistakes(typed(small_class()).rows)
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
        ["a", "weights", "50%", "4", "2", "0", "–"],
        ["b", "weights", "50%", "4", "2", "0", "–"],
        ["c", "weights", "100%", "4", "4", "0", "–"],
    ], "four are too few for a correlation"
    assert page.tables["Points by notebook"][1:] == [["weights", "4", "4", "2.5", "1.8", "2.5", "3.2", "1"]]
    assert page.tables["Not graded to the end"][1:] == [["eve", "timed out", "0", "stopped after 120 s"]]
    assert page.tables["Graded, with a note"][1:] == [["dan", "graded", "1", "cost.ipynb was not handed in"]]
    assert page.tables["Slowest submissions"][1] == ["eve", "timed out", "120.0", "0.0"]
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
        r["note"] = r["display_name"] = HOSTILE
        kinds = ("timed out", "refused", "late")
        r["incidents"] = [{"notebook": HOSTILE, "cell": HOSTILE, "kind": kind, "text": HOSTILE} for kind in kinds]
        for e in r["exercises"]:
            e["message"], e["exercise"], e["notebook"] = HOSTILE, e["exercise"] + HOSTILE, HOSTILE
            e["mistake"] = {"name": HOSTILE, "summary": HOSTILE}
    results["similar"] = [{"students": [HOSTILE, results["rows"][0]["student"]], "share": 1, "exercises": [HOSTILE]}]
    results["run"] = RUN | {"sandbox": [HOSTILE]}
    change = dict.fromkeys(("student", "notebook", "exercise", "why"), HOSTILE)
    results["changes"] = [change | {"before": 0, "after": 1}]
    results["notes"] = [HOSTILE]
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
        assert (attributes.get("href") or "#").startswith("#"), "there are no pages of students to lead to"


def test_plots_are_named_and_their_ids_are_unique(tmp_path: Path) -> None:
    tags = Page(written(small_class(), tmp_path)).tags
    plots = [attributes for tag, attributes in tags if tag == "svg"]
    assert len(plots) == 2
    assert all(p["role"] == "img" and p["viewbox"] for p in plots)
    scores, notebooks = (str(p["aria-label"]) for p in plots)
    assert "median at 2.5. 1 to under 2: 1; 2 to under 3: 1; 3 to 4: 2." in scores
    assert "weights: 44% to 81%, median 62%" in notebooks
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {str(a["href"])[1:] for _, a in tags if "href" in a}
    assert used <= set(ids), f"links or markers that lead nowhere: {used - set(ids)}"


def test_links_lead_somewhere_on_the_full_page(tmp_path: Path) -> None:
    tags = Page(written(large_class(40, 12), tmp_path)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for tag, a in tags if tag == "a"}
    assert len(links) > 20
    assert links <= set(ids)


def test_the_same_results_make_the_same_page(tmp_path: Path) -> None:
    assert written(small_class(), tmp_path) == written(small_class(), tmp_path)


# ---- a class to which everything happened

RUN = {
    "started": "2026-11-24T08:12:00+01:00",
    "seconds": 71.6,
    "submissions": 170,
    "workers": 2,
    "sandbox": ["namespaces", "seccomp"],
}


def newer_class() -> dict[str, Any]:
    """The small class with names of mistakes, incidents, display names, a similar pair and facts of the run."""
    results = small_class()
    ann, bob, cat, dan, eve = results["rows"]
    bob["exercises"][1]["mistake"] = {"name": "b_off_by_one", "summary": "One too many."}
    dan["exercises"][1]["mistake"] = {"name": "b_off_by_one", "summary": "One too many."}
    cat["exercises"][0]["mistake"] = None
    dan["display_name"] = "Dan Dare"
    for r in results["rows"]:
        r["cpu_seconds"], r["incidents"] = 0.5, []
    for r, seconds in ((eve, 20), (dan, 21), (dan, 21)):
        text = f"stopped after {seconds} s"
        r["incidents"].append({"notebook": "weights", "cell": "a", "kind": "timed out", "text": text})
    ann["incidents"].append({"notebook": "cost", "cell": "free cell 2", "kind": "flood", "text": "12 MB printed"})
    cat["incidents"].append(
        {"notebook": "cost", "cell": "", "kind": "refused", "text": "cost.ipynb: the file is empty"}
    )
    ann["incidents"].append({"notebook": "", "cell": "", "kind": "late", "text": "2 h late"})
    bob["incidents"].append({"notebook": "", "cell": "", "kind": "late", "text": "5 h late"})
    results["similar"] = [{"students": ["ann", "dan"], "share": 0.934, "exercises": ["a", "b"]}]
    results["run"] = RUN
    return results


def test_mistakes_by_name_come_with_counts_share_wording_and_what_to_say(tmp_path: Path) -> None:
    found = common_mistakes(typed(newer_class()).rows)
    assert [(m.name, m.summary, m.count, m.wordings) for m in found["weights", "b"]] == [
        ("b_off_by_one", "One too many.", 2, 2)
    ]
    assert [(m.name, m.message) for m in found["weights", "a"]] == [("", "wrong axis"), ("", "not reached")]
    text = " ".join(" ".join(Page(written(newer_class(), tmp_path)).text).split())
    assert "2 of 4 50% One too many. b_ off_ by_ one The test says: expected 1.5, got 2 (and 1 more" in text


def test_what_goes_without_saying_is_not_said_twice(tmp_path: Path) -> None:
    """The message of a test that asks begins with what the bank says of the mistake."""
    results = newer_class()
    for r in (results["rows"][1], results["rows"][3]):
        r["exercises"][1]["message"] = "One too many.\n  asked:    b(2)\n  expected: 1.5\n  got:      2"
    text = " ".join(" ".join(Page(written(results, tmp_path)).text).split())
    assert "One too many. b_ off_ by_ one" in text
    assert "The test says: One too many" not in text


def test_the_class_is_told_once_and_only_of_what_several_did(tmp_path: Path) -> None:
    results = newer_class()
    results["rows"][2]["exercises"][0]["message"] = "only hers"
    text = written(results, tmp_path)
    told = text.split("To tell the class</h3>")[1].split("</ul>")[0]
    assert "One too many." in told
    assert "only hers" not in told
    assert text.count("To tell the class") == 1
    results["rows"][1]["exercises"][1]["mistake"] = None
    results["rows"][1]["exercises"][1]["message"] = "quite another thing"
    results["rows"][3]["exercises"][0]["message"] = "hers alone"
    assert "No mistake was made by more than one student" in written(results, tmp_path)


def test_the_hardest_exercise_comes_first_in_both_lists(tmp_path: Path) -> None:
    results = small_class()
    for r in results["rows"][:4]:
        r["exercises"][2] |= {"points": 0, "state": State.WRONG, "message": "all wrong"}
    text = written(results, tmp_path)
    page = Page(text)
    assert [line[0] for line in page.tables["Exercises"][1:]] == ["c", "a", "b"]
    folded = re.findall(r'<details id="e\d+"><summary><code>(\w+)</code> <small>in weights: (.*?)</small>', text)
    assert folded == [("c", "4 wrong of 4"), ("a", "3 wrong of 5"), ("b", "2 wrong of 4")]


def test_a_student_is_linked_to_the_page_of_their_own(tmp_path: Path) -> None:
    results = typed(newer_class())
    graded = tmp_path / "graded"
    for student in ("ann", "dan"):
        page = graded / "feedback" / student / "attention.html"
        page.parent.mkdir(parents=True)
        page.write_text("<!DOCTYPE html>", encoding="utf-8")
    for target, way in ((graded / "report.html", ""), (tmp_path / "else where" / "report.html", "../graded/")):
        write_report(results, target, graded)
        text = target.read_text(encoding="utf-8")
        tags = Page(text).tags
        links = {str(a["href"]) for tag, a in tags if tag == "a" and not str(a["href"]).startswith("#")}
        assert links == {f"{way}feedback/{student}/attention.html" for student in ("ann", "dan")}
        assert all((target.parent / unquote(link)).is_file() for link in links)
        assert f'<a href="{way}feedback/dan/attention.html">Dan Dare</a>' in text.split('id="mistakes"')[1]


def test_untouched_exercises_are_counted_apart(tmp_path: Path) -> None:
    rows = [row(str(i), [exercise("a", 0, 1, "not written yet")]) for i in range(3)]
    rows += [row("x", [exercise("a", 0, 1, "wrong axis")])]
    assert exercise_stats(rows_of(rows))[0].untouched == 3
    text = " ".join(Page(written({"assignment": "x", "max_score": 1.0, "rows": rows}, tmp_path)).text)
    assert "not written: 3 of 4" in text
    assert "Commonest  mistake : wrong axis" in text.replace("\n", " "), "an empty answer is no mistake to talk about"


def test_incidents_by_kind_and_place(tmp_path: Path) -> None:
    page = Page(written(newer_class(), tmp_path))
    assert [line[:2] for line in page.tables["Incidents by kind"][1:]] == [["timed out", "2"], ["flood", "1"]]
    assert page.tables["Incidents: timed out"][1:] == [["a in weights", "2", "stopped after 21 s", "Dan Dare dan, eve"]]
    assert page.tables["Incidents: flood"][1:] == [["free cell 2 in cost", "1", "12 MB printed", "ann"]]
    assert page.tables["Refused files"][1:] == [["cat", "cost", "cost.ipynb: the file is empty"]]
    assert page.tables["Late submissions"][1:] == [["ann", "2 h late"], ["bob", "5 h late"]], "each with their own time"
    assert page.tables["Slowest submissions"][1] == ["eve", "timed out", "120.0", "0.5"]


def test_the_run_and_the_similar_pairs(tmp_path: Path) -> None:
    page = Page(written(newer_class(), tmp_path))
    text = " ".join(" ".join(page.text).split())
    assert "graded 24 November 2026, 08:12 UTC+01:00 took 1 min 12 s workers 2 submissions a minute 142" in text
    assert "sandbox namespaces, seccomp" in text
    assert "To look at, never a verdict." in text
    assert page.tables["Similar submissions"][1:] == [["ann and Dan Dare dan", "93%", "2", "a, b"]]
    assert page.tables["Points by student and exercise"][4][0] == "Dan Dare dan"


def test_a_run_without_a_sandbox_says_so(tmp_path: Path) -> None:
    said = "none: the students&#39; code ran as the one who graded"
    assert said in written(small_class() | {"run": RUN | {"sandbox": []}}, tmp_path)
    assert said in written(small_class() | {"run": RUN | {"sandbox": None, "unsafe": True}}, tmp_path)
    assert said not in written(small_class() | {"run": RUN | {"sandbox": None, "unsafe": False}}, tmp_path)


def test_what_no_test_graded_counts_in_no_figure(tmp_path: Path) -> None:
    """Bob handed in no notebook `weights`; a person grades `essay`."""
    rows = [
        row("ann", [exercise("a", 1, 2, "wrong axis"), exercise("essay", 0, 5, "graded by a person")]),
        row("bob", [exercise("a", 0, 2, "not handed in"), exercise("essay", 0, 5, "graded by a person")]),
        row("cat", [exercise("a", 0, 2, "could not be graded")], "failed"),
    ]
    assert [(s.exercise, s.count, s.difficulty) for s in exercise_stats(rows_of(rows))] == [("a", 1, 0.5)]
    assert [(s.points, s.count, s.mean) for s in notebook_stats(rows_of(rows))] == [(2, 1, 1)]
    assert [m.message for found in common_mistakes(rows_of(rows)).values() for m in found] == ["wrong axis"]
    page = Page(written({"assignment": "x", "max_score": 7.0, "rows": rows}, tmp_path))
    assert "1  of 1" in " ".join(page.text)
    everyone = page.tables["Points by student and exercise"]
    assert [line[3:] for line in everyone[1:]] == [["1", "–"], ["–", "–"], ["–", "–"]]


def test_changes_and_notes_about_the_files(tmp_path: Path) -> None:
    change = {"student": "bob", "notebook": "weights", "exercise": "a", "before": 0.0, "after": 2.0, "why": "mended"}
    page = Page(written(small_class() | {"changes": [change], "notes": [HOSTILE]}, tmp_path))
    assert page.tables["Changed points"][1:] == [["bob", "a in weights", "0", "2", "mended"]]
    assert HOSTILE in " ".join(page.text)


def test_nothing_is_claimed_about_what_the_results_do_not_say(tmp_path: Path) -> None:
    text = " ".join(Page(written(small_class(), tmp_path)).text)
    for claim in ("Similar", "sandbox", "Stopped", "Refused files", "Late", "Changed", "How the files came in"):
        assert claim not in text
    assert "No two submissions have more code in common" in written(small_class() | {"similar": []}, tmp_path)


def test_points_of_the_notebooks() -> None:
    """w: 4 3 2 1 points of 4 have the quartiles 1.75, 2.5 and 3.25; h was handed in by two only."""
    rows = [row(str(i), [exercise("a", 4 - i, 4)]) for i in range(4)]
    for i in (0, 1):
        rows[i]["exercises"].append(
            {"notebook": "heads"} | {k: v for k, v in exercise("h", i, 1).items() if k != "notebook"}
        )
    weights, heads = notebook_stats(rows_of(rows))
    assert (weights.notebook, weights.points, weights.count, weights.full, weights.mean) == ("weights", 4, 4, 1, 2.5)
    assert weights.quartiles == pytest.approx((1.75, 2.5, 3.25))
    assert (heads.count, heads.mean, heads.full) == (2, 0.5, 1)


def test_arrays_make_place_for_what_is_said_of_them() -> None:
    array = "[[-0.14246787  0.71656095]\n [-0.14528549  nan]\n [1e-09 2.]]"
    assert one_line(f"tile=2: expected {array}, got {array}: the scale is missing") == (
        "tile=2: expected […], got […]: the scale is missing"
    )
    assert one_line("expected [1, 2], got (3, 4)") == "expected [1, 2], got (3, 4)"


# ---- classes of any size, in a browser


def large_class(students: int, exercises: int) -> dict[str, Any]:
    """A class made up by a seeded generator, with some of everything."""
    rng = random.Random(students)
    names = [f"{['weights', 'heads', 'cost'][3 * i // exercises]}:exercise_number_{i}" for i in range(exercises)]
    rows = []
    for i in range(students):
        skill, done = rng.random(), []
        for n, name in enumerate(names):
            points = rng.choice([0, 0, 1]) if rng.random() > skill else 2
            message = "" if points == 2 else rng.choice(["not written yet", "wrong axis", f"expected {n}, got {i}"])
            mistake = (
                {"name": f"mistake_{n}", "summary": "The axis is the other one."} if message == "wrong axis" else None
            )
            notebook, exercise_name = name.split(":")
            done.append(exercise(exercise_name, points, 2, message) | {"notebook": notebook, "mistake": mistake})
        kinds = [k for k in ("timed out", "crashed", "out of memory", "flood", "refused", "late") if rng.random() < 0.1]
        happened = [{"notebook": "cost", "cell": names[-1], "kind": k, "text": f"{k} after {i} s"} for k in kinds]
        status = "timed out" if "timed out" in kinds else "graded"
        more = {"incidents": happened, "cpu_seconds": rng.random(), "display_name": f"Maximiliane Schmidt-Müller {i}"}
        rows.append(row(f"student{i:03}", done, status, note="; ".join(kinds), seconds=rng.random(), **more))
    pairs = [sorted(rng.sample([r["student"] for r in rows], 2)) for _ in range(students // 10)]
    similar = [{"students": pair, "share": 0.9, "exercises": ["exercise_number_0"]} for pair in pairs]
    facts = newer_class()["run"]
    return {"assignment": "attention", "max_score": 2.0 * exercises, "rows": rows, "similar": similar, "run": facts}


@pytest.mark.parametrize("students", [1, 2, 20, 300])
def test_a_class_of_any_size(students: int, tmp_path: Path) -> None:
    text = written(large_class(students, 20), tmp_path)
    page = Page(text)
    assert len(page.tables["Points by student and exercise"]) == students + 2, "two lines of heads"
    assert "nan" not in text
    assert len(text) < 100_000 + 2_000 * students
    assert ("Histogram" in text) == (students > 2)
    told = {line[-1] for line in page.tables["Exercises"][1:]}
    assert (told == {"–"}) == (students < 10)


def test_long_lists_are_cut_and_say_so(tmp_path: Path) -> None:
    results = large_class(300, 20)
    results["similar"] *= 5
    page = Page(written(results, tmp_path))
    assert len(page.tables["Similar submissions"]) == 41
    assert "and 110 pairs more" in " ".join(page.text)
    assert all(len(line[-1]) < 500 for line in page.tables["Incidents: timed out"]), "not all the names"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("students", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_everybody_can_use_the_page(browser: Any, students: int, theme: str, tmp_path: Path) -> None:
    """On a desk and on a phone; axe-core looks at a class of many once."""
    target = tmp_path / "report.html"
    write_report(typed(large_class(students, 12)), target)
    seen_by_axe = (WIDE, PHONE) if students == 1 else (WIDE,)
    for _page, _width in pages_for_everybody(browser, target, theme, axe_on=seen_by_axe):
        pass


def test_names_and_heads_stay_in_sight_while_the_points_scroll(browser: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    write_report(typed(large_class(300, 20)), target)
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(target.as_uri())
    box = page.locator("#everyone .scroll")
    box.evaluate("box => box.scrollTo(400, 3000)")
    frame = box.bounding_box()
    head = page.locator("#everyone thead").bounding_box()
    name = page.locator("#everyone tbody tr:nth-child(100) th").bounding_box()
    assert frame["height"] <= 0.9 * 800
    assert head["y"] == pytest.approx(frame["y"], abs=2)
    assert name["x"] == pytest.approx(frame["x"], abs=2)
    assert name["width"] < 0.5 * 390
    context.close()


def test_on_paper_the_points_lie_across_and_their_heads_are_repeated(browser: Any, tmp_path: Path) -> None:
    """Chromium's PDF: upright pages first, then pages on their side, as many as 120 lines need."""
    target = tmp_path / "report.html"
    write_report(typed(large_class(120, 20)), target)
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(target.as_uri())
    pdf = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": round(277 / 25.4 * 96), "height": 718})  # A4 on its side, less the margins
    head = page.locator("#everyone thead").bounding_box()
    context.close()
    assert head["height"] <= 190 / 25.4 * 96 / 4, "Chromium repeats only heads of up to a quarter of the page"
    boxes = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox ?\[([\d. ]+)\]", pdf)]
    across = [width > height for _, _, width, height in boxes]
    assert across == sorted(across), "the table of all points comes last"
    assert 2 <= sum(across) <= 6
    assert 4 <= len(across) - sum(across) <= 20
