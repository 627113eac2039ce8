"""One HTML page about a graded class: scores, exercises, the commonest mistakes, and what went wrong.

The page is a single file that asks nothing of the network. Everything in it that a student could have
written (names, notes, messages) passes through `_text` and is shown as text, never as markup.
"""

from __future__ import annotations

import html
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_MESSAGE = 300  # characters of a message that the page shows
MESSAGES_EACH = 5  # messages listed for one exercise
SLOWEST = 10  # rows in the list of the slowest
DASH = "\N{EN DASH}"  # where a figure is undefined

Key = tuple[str, str]  # notebook, exercise


@dataclass(frozen=True)
class ExerciseStats:
    """How one exercise fared with the class."""

    notebook: str
    exercise: str
    count: int
    difficulty: float | None
    discrimination: float | None


@dataclass(frozen=True)
class Mistake:
    """Failing messages of one exercise that differ in their numbers only."""

    message: str  # the commonest wording
    count: int
    wordings: int


def write_report(results: dict[str, Any], path: Path) -> None:
    """Write the page about `results`, as `grade` saves them, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(results), encoding="utf-8")


def exercise_stats(rows: Sequence[dict[str, Any]]) -> list[ExerciseStats]:
    """Difficulty and discrimination of each exercise, over the graded rows, in the order of the notebooks.

    Difficulty is the share of the full points that the class earned. Discrimination is the correlation of
    an exercise's points with the same students' points on all the other exercises; None where one of the
    two does not vary.
    """
    pairs: dict[Key, list[tuple[float, float, float]]] = {key: [] for key in _exercises(rows)}
    for row in _graded(rows):
        total = sum(float(e["points"]) for e in row["exercises"])
        for e in row["exercises"]:
            points = float(e["points"])
            pairs[_key(e)].append((points, float(e["max_points"]), total - points))
    found = []
    for (notebook, exercise), seen in pairs.items():
        possible = sum(full for _, full, _ in seen)
        found.append(
            ExerciseStats(
                notebook=notebook,
                exercise=exercise,
                count=len(seen),
                difficulty=sum(points for points, _, _ in seen) / possible if possible else None,
                discrimination=_correlation([points for points, _, _ in seen], [rest for _, _, rest in seen]),
            )
        )
    return found


def common_mistakes(rows: Sequence[dict[str, Any]]) -> dict[Key, list[Mistake]]:
    """The failing messages of each exercise, the commonest first; numbers do not tell two messages apart."""
    groups: dict[Key, dict[str, Counter[str]]] = {key: defaultdict(Counter) for key in _exercises(rows)}
    for row in rows:
        for e in row["exercises"]:
            if message := _short(e["message"]):
                groups[_key(e)][normalised(message)][message] += 1
    return {
        key: sorted(
            (Mistake(c.most_common(1)[0][0], c.total(), len(c)) for c in by_message.values()),
            key=lambda mistake: (-mistake.count, mistake.message),
        )
        for key, by_message in groups.items()
        if by_message
    }


_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+|nan\b|inf\b)(?:[eE][-+]?\d+)?")
_SEVERAL = re.compile(r"#(?:[\s,\[\]]+#)+")


def normalised(message: str) -> str:
    """`message` with each number, or list of numbers, replaced by `#`; names such as `float64` stay."""
    return _SEVERAL.sub("#", _NUMBER.sub("#", message))


def _correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    import numpy as np

    if len(a) < 2 or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _key(exercise: dict[str, Any]) -> Key:
    return str(exercise["notebook"]), str(exercise["exercise"])


def _exercises(rows: Iterable[dict[str, Any]]) -> dict[Key, float]:
    """Every exercise that some row has, with its full points, in the order of first appearance."""
    return {_key(e): float(e["max_points"]) for row in rows for e in row["exercises"]}


def _graded(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["status"] == "graded"]


# ---- the page


def _text(value: object) -> str:
    """Any value as HTML text: escaped, without control characters, reordering marks or lone surrogates."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _unprintable(c) else c for c in str(value))
    return html.escape(shown, quote=True)


def _unprintable(c: str) -> bool:
    code = ord(c)
    return (
        (code < 32 and c not in "\n\t")
        or 0x7F <= code <= 0x9F
        or 0xD800 <= code <= 0xDFFF
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def _short(message: object) -> str:
    """A message on one line and of bounded length."""
    line = " ".join(str(message)[: 4 * MAX_MESSAGE].split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _figure(value: float | None, form: str) -> str:
    return DASH if value is None else format(value, f"z{form}").replace("-", "\N{MINUS SIGN}")


def _table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]], numeric: Iterable[int] = ()) -> str:
    """A table whose cells are HTML already; the first cell of each line heads it."""
    right = set(numeric)

    def cell(i: int, content: str) -> str:
        kind = ' class="n"' if i in right else ""
        return f'<th scope="row"{kind}>{content}</th>' if i == 0 else f"<td{kind}>{content}</td>"

    heads = "".join(f'<th scope="col"{" class=n" if i in right else ""}>{h}</th>' for i, h in enumerate(head))
    lines = "\n".join("<tr>" + "".join(cell(i, c) for i, c in enumerate(line)) + "</tr>" for line in body)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}">\n<table><caption>{caption}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def _page(results: dict[str, Any]) -> str:
    rows: list[dict[str, Any]] = list(results["rows"])
    full = float(results["max_score"])
    title = f"Class report: {_text(results['assignment'])}"
    parts = [f"<h1>{title}</h1>", _summary(rows, full)]
    if rows:
        stats = exercise_stats(rows)
        parts += [
            _scores(rows, full),
            _exercise_section(stats),
            _mistakes(common_mistakes(rows)),
            _not_graded(rows, full),
            _slowest(rows),
            _everyone(rows, full),
        ]
    body = "\n".join(part for part in parts if part)
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{CSS}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _summary(rows: list[dict[str, Any]], full: float) -> str:
    import numpy as np

    if not rows:
        return '<p class="summary">No submissions: there is nothing to report yet.</p>'
    statuses = Counter(str(row["status"]) for row in rows)
    counts = ", ".join(f"{n} {_text(status)}" for status, n in statuses.most_common())
    line = f"{len(rows)} submission{'s' if len(rows) > 1 else ''}: {counts}."
    if scores := [float(row["score"]) for row in _graded(rows)]:
        best = sum(score >= full for score in scores)
        line += (
            f" Of {full:g} points, those graded have a mean of {np.mean(scores):.1f} and a median of "
            f"{np.median(scores):.1f}; full marks: {best}."
        )
    return f'<p class="summary">{line}</p>'


def _scores(rows: list[dict[str, Any]], full: float) -> str:
    import numpy as np

    scores = [float(row["score"]) for row in _graded(rows)]
    top = max([full, *scores])
    if not scores or top <= 0:
        return "<section><h2>Scores</h2><p>Nobody was graded, so there is no distribution.</p></section>"
    counts, edges = np.histogram(scores, bins=10, range=(0, top))
    lines = [
        (f"{low:g} to {'' if i == len(counts) - 1 else 'under '}{high:g}", str(int(n)))
        for i, (n, low, high) in enumerate(zip(counts, edges[:-1], edges[1:], strict=True))
    ]
    described = "; ".join(f"{span}: {n}" for span, n in lines if n != "0")
    table = _table("Students by score", ("points", "students"), lines, numeric=[1])
    picture = _histogram([int(n) for n in counts], [float(e) for e in edges])
    return f"""<section><h2>Scores</h2>
{_inline(picture, "scores", f"Histogram of scores, in points. {described}.")}
<details><summary>The same as a table</summary>
{table}
</details></section>"""


def _exercise_section(stats: list[ExerciseStats]) -> str:
    if not stats:
        return ""
    described = "; ".join(f"{s.exercise} {_figure(s.difficulty, '.0%')}" for s in stats)
    table = _table(
        "Exercises",
        ("exercise", "notebook", "graded", "share of full points", "discrimination"),
        (
            (
                f"<code>{_text(s.exercise)}</code>",
                _text(s.notebook),
                str(s.count),
                _figure(s.difficulty, ".0%"),
                _figure(s.discrimination, ".2f"),
            )
            for s in stats
        ),
        numeric=[2, 3, 4],
    )
    return f"""<section><h2>Exercises</h2>
<p>Only submissions that were graded to the end count here. The <em>share of full points</em> says how hard an
exercise was: the lower, the harder. <em>Discrimination</em> is the correlation of its points with the same students'
points on all the other exercises: near 0 or below, look at the exercise and its test before you blame the class. A
dash: undefined, because one of the two does not vary.</p>
{_inline(_bars(stats), "exercises", f"Bar chart of the share of full points for each exercise. {described}.")}
{table}</section>"""


def _mistakes(mistakes: dict[Key, list[Mistake]]) -> str:
    if not mistakes:
        return "<section><h2>Commonest messages</h2><p>No test failed.</p></section>"
    parts = []
    for (notebook, exercise), found in mistakes.items():
        items = []
        for m in found[:MESSAGES_EACH]:
            note = (
                f' <span class="note">(and {m.wordings - 1} more with other numbers)</span>' if m.wordings > 1 else ""
            )
            items.append(f'<li><b class="count">{m.count} ×</b> {_text(m.message)}{note}</li>')
        if rest := found[MESSAGES_EACH:]:
            items.append(
                f'<li class="note">{len(rest)} further messages, {sum(m.count for m in rest)} times in all</li>'
            )
        parts.append(
            f"<h3><code>{_text(exercise)}</code> in {_text(notebook)}</h3>\n<ul>\n" + "\n".join(items) + "\n</ul>"
        )
    return (
        "<section><h2>Commonest messages</h2>\n<p>The first failing message of each test, over all submissions; "
        "messages that differ in their numbers only are counted together.</p>\n" + "\n".join(parts) + "</section>"
    )


def _not_graded(rows: list[dict[str, Any]], full: float) -> str:
    return _told("Not graded to the end", [row for row in rows if row["status"] != "graded"], full) + _told(
        "Graded, with a note", [row for row in _graded(rows) if row["note"]], full
    )


def _told(heading: str, rows: list[dict[str, Any]], full: float) -> str:
    """The rows that need a look, each with its note."""
    if not rows:
        return f"<section><h2>{heading}</h2><p>None.</p></section>"
    table = _table(
        heading,
        ("student", "status", f"score of {full:g}", "what happened"),
        (
            (_text(row["student"]), _text(row["status"]), f"{float(row['score']):g}", _text(_short(row["note"])))
            for row in rows
        ),
        numeric=[2],
    )
    return f"<section><h2>{heading}</h2>\n{table}</section>"


def _slowest(rows: list[dict[str, Any]]) -> str:
    slow = sorted(rows, key=lambda row: -float(row["seconds"]))[:SLOWEST]
    table = _table(
        "Slowest submissions",
        ("student", "status", "seconds"),
        ((_text(row["student"]), _text(row["status"]), f"{float(row['seconds']):.1f}") for row in slow),
        numeric=[2],
    )
    return f"<section><h2>Slowest</h2>\n{table}</section>"


def _everyone(rows: list[dict[str, Any]], full: float) -> str:
    exercises = _exercises(rows)
    lines = []
    for row in rows:
        points = {_key(e): float(e["points"]) for e in row["exercises"]}
        cells = [f"{points[key]:g}" if key in points else DASH for key in exercises]
        lines.append([_text(row["student"]), _text(row["status"]), f"{float(row['score']):g}", *cells])
    heads = [f"<code>{_text(name)}</code> <span>of {most:g}</span>" for (_, name), most in exercises.items()]
    columns = ["student", "status", f"score of {full:g}", *heads]
    table = _table("Points by student and exercise", columns, lines, numeric=range(2, len(columns)))
    return f"<section><h2>Everyone</h2>\n{table}</section>"


# ---- the plots

INK, BAR, RULE = "#010203", "#040506", "#070809"  # stand-ins, replaced by the page's own colours
_COLOURS = {INK: "currentColor", BAR: "var(--bar)", RULE: "var(--rule)"}
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": RULE,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _histogram(counts: list[int], edges: list[float]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(_RC):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        axes = figure.subplots()
        width = edges[1] - edges[0]
        axes.bar(edges[:-1], counts, width=0.92 * width, align="edge", color=BAR)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xticks(edges[::2])
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.6)
        axes.set_xlabel("points")
        axes.set_ylabel("students")
        return _svg(figure)


def _bars(stats: list[ExerciseStats]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC):
        figure = Figure(figsize=(7, 0.9 + 0.27 * len(stats)), layout="constrained")
        axes = figure.subplots()
        places = list(range(len(stats)))
        shares = [100 * (s.difficulty or 0.0) for s in stats]
        axes.barh(places, shares, height=0.7, color=BAR)
        axes.set_yticks(places, [s.exercise for s in stats])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(axis="x", linewidth=0.6)
        axes.set_xlabel("share of full points, %")
        return _svg(figure)


def _svg(figure: Figure) -> str:
    page = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    return page.getvalue()


def _inline(svg: str, name: str, label: str) -> str:
    """An SVG file as part of an HTML page: named, in the page's colours, its ids apart from other plots'."""
    inside = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    opening, inside = inside.split(">", 1)
    box = re.search(r'viewBox="[\d. -]+"', opening)
    inside = inside.replace("xlink:href=", "href=")
    inside = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", inside)
    for stand_in, colour in _COLOURS.items():
        inside = inside.replace(stand_in, colour)
    return f'<svg role="img" aria-label="{_text(label)}" {box.group() if box else ""}>{inside.strip()}'


CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --rule: #d0d7de; --bar: #2f6f9f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9da7b1; --rule: #3d444d; --bar: #6cb6e8; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid var(--rule); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.summary { font-size: 1.1rem; }
.note { color: var(--soft); }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.2rem; }
.count { font-variant-numeric: tabular-nums; }
code { font: .92em ui-monospace, monospace; }
svg { display: block; width: 100%; max-width: 46rem; height: auto; margin: 1rem 0; }
summary { cursor: pointer; }
.scroll { position: relative; overflow-x: auto; margin: 1rem 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
td { max-width: 36rem; overflow-wrap: break-word; }
thead th { vertical-align: bottom; }
thead code { writing-mode: vertical-rl; display: inline-block; max-height: 16rem; }
tbody th { font-weight: 500; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --rule: #bbb; --bar: #2f6f9f; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  table { font-size: .75rem; }
  th, td { padding: .15rem .4rem; }
  section > h2, h3 { break-after: avoid; }
  tr, svg, li { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
