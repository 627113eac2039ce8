"""One feedback page a notebook, for the student: what each exercise earned, what to look at, and what was handed in.

Everything a student wrote is shown as text. A hidden test shows its message and never its source. The page stands
where `nbgrader release_feedback` looks for it; `nbgrader generate_feedback` makes nbgrader's own in its place.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.engine.execution import Run
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import exercise_of, visible

MAX_SHOWN = 200_000  # characters of one cell


@dataclass(frozen=True)
class Line:
    """One exercise in the table at the top."""

    exercise: str
    points: float | None
    max_points: float
    message: str


def feedback_page(title: str, lines: Iterable[Line], placed: Iterable[Placed], run: Run, notes: Iterable[str]) -> str:
    """The page as HTML, complete in itself."""
    rows = list(lines)
    earned = sum(line.points or 0.0 for line in rows)
    total = sum(line.max_points for line in rows)
    body = [f"<h1>{_text(title)}</h1>", f'<p class="sum">{earned:g} of {total:g} points</p>']
    body += [f'<p class="note">{_text(note)}</p>' for note in notes]
    body.append('<table><thead><tr><th scope="col">exercise</th><th scope="col">points</th>')
    body.append('<th scope="col">what to look at</th></tr></thead><tbody>')
    for line in rows:
        points = "by hand" if line.points is None else f"{line.points:g} of {line.max_points:g}"
        said = _text(line.message or ("right" if line.points else ""))
        name = f'<th scope="row"><code>{_text(line.exercise)}</code></th>'
        body.append(f"<tr>{name}<td>{points}</td><td>{said}</td></tr>")
    body.append("</tbody></table>\n<h2>What was handed in</h2>")
    messages = {line.exercise: line.message for line in rows}
    body += [_cell(p, run, messages) for p in placed]
    return _PAGE.format(title=_text(title), style=STYLE, body="\n".join(body))


def _cell(placed: Placed, run: Run, said: Mapping[str, str]) -> str:
    source = placed.cell.source[:MAX_SHOWN]
    if placed.cell.kind != "code":
        return f'<pre class="text">{_text(source)}</pre>' if not placed.ours else ""
    if placed.cell.is_test:
        return _test(placed, said.get(exercise_of(placed.name), ""))
    parts = [f'<pre class="code">{_text(source)}</pre>']
    result = run.cells.get(placed.name)
    if result is not None and result.printed:
        parts.append(f'<pre class="out">{_text(result.printed)}</pre>')
    if result is not None and result.error:
        parts.append(f'<pre class="error">{_text(f"{result.error}: {result.message}")}</pre>')
    return "\n".join(parts)


def _test(placed: Placed, message: str) -> str:
    """A test of ours, and what it says; nothing where the answer is right."""
    name = f"<code>{_text(exercise_of(placed.name))}</code>"
    shown = f"<details><summary>The test of {name}, as far as you can see it</summary>"
    shown += f'<pre class="code">{_text(visible(placed.cell.source))}</pre></details>'
    if not message:
        return f'<p class="right">{name}: right</p>{shown}'
    return f'<div class="wrong"><p>{name}: not yet</p><pre>{_text(message)}</pre></div>{shown}'


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _text(value: object) -> str:
    """As HTML text, without control characters and marks that reorder text."""
    return html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def lines_of(
    tests: Mapping[str, float], by_hand: Mapping[str, float], run: Run, placed: Sequence[Placed] = ()
) -> list[Line]:
    """A line for each exercise, in the order of the notebook."""
    from autograder.grading.check import exercise_results

    results = exercise_results("", dict(tests), run, placed)
    found = [Line(r.exercise, r.points, r.max_points, r.message) for r in results]
    return found + [Line(name, None, most, "graded by a person") for name, most in by_hand.items()]


_PAGE = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --rule: #d0d7de; --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --rule: #3d444d; --good: #4ac26b; --bad: #ff7b72; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
.sum { font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; white-space: pre-wrap; }
td:nth-child(2) { white-space: nowrap; }
pre { overflow-x: auto; margin: .4rem 0; font: .9rem/1.45 ui-monospace, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.code { border: 1px solid var(--rule); border-radius: 4px; padding: .4rem .6rem; tab-size: 4; }
.out { border-left: 3px solid var(--rule); padding-left: .6rem; }
.error, .wrong pre { border-left: 3px solid var(--bad); padding-left: .6rem; }
.right { color: var(--good); }
.wrong > p { color: var(--bad); }
"""
