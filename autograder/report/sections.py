"""What the report says, one function a section; each gives HTML, or "" where there is nothing to say."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from autograder.report import plots
from autograder.report.markup import DASH, code, count, duration, facts, figure, scrolling, shortened, table, text
from autograder.report.statistics import (
    ENOUGH,
    ExerciseStats,
    Incident,
    Key,
    Mistake,
    NotebookStats,
    Row,
    exercises_of,
    graded,
    key_of,
    one_line,
    was_tested,
)

MISTAKES_EACH = 5  # mistakes listed for one exercise
MISTAKES_FIRST = 8  # mistakes listed over all exercises
SLOWEST = 10  # rows in the list of the slowest
PAIRS = 40  # pairs of similar submissions listed
CHANGES = 60  # changes of points listed
PLACES = 30  # incidents of one kind listed
NAMES = 8  # students named for one incident
FEW = 3  # graded submissions below which there is no histogram
NO_SANDBOX = "none: the students' code ran as the one who graded"

KINDS = {
    "timed out": "A cell or a call used up its time and was stopped. What had been earned before it still counts.",
    "crashed": "The student's process ended by itself: a fault in a library, a signal, or a call that exits.",
    "out of memory": "A cell or a call asked for more memory than a submission may have.",
    "flood": "A cell printed more than is kept; the rest of what it printed was thrown away.",
    "refused": "A file that was handed in but could not be read as the notebook that was set.",
    "late": "Handed in after the due date.",
}
RUNNING = ("timed out", "crashed", "out of memory", "flood")


def title_of(results: dict[str, Any]) -> str:
    return f"Class report: {text(results['assignment'])}"


def who(rows: Sequence[Row], place: int) -> str:
    """A student's name, linked to the line that holds all points."""
    row = rows[place]
    shown = str(row.get("display_name") or row["student"])
    same = shown == str(row["student"])
    return f'<a href="#s{place}">{text(shown)}</a>' + ("" if same else f" <small>{text(row['student'])}</small>")


def summary(rows: Sequence[Row], full: float) -> str:
    import numpy as np

    if not rows:
        return '<p class="summary">No submissions: there is nothing to report yet.</p>'
    statuses = Counter(str(row["status"]) for row in rows)
    counts = ", ".join(f"{n} {text(status)}" for status, n in statuses.most_common())
    line = f"{count(len(rows), 'submission')}: {counts}."
    scores = [float(row["score"]) for row in graded(rows)]
    if len(scores) == 1:
        line += f" The one that was graded has {scores[0]:g} of {full:g} points."
    elif scores:
        best = sum(score >= full for score in scores)
        line += (
            f" Of {full:g} points, those graded have a mean of {np.mean(scores):.1f} and a median of "
            f"{np.median(scores):.1f}; full marks: {best}."
        )
    return f'<p class="summary">{line}</p>'


def run_facts(run: dict[str, Any] | None) -> str:
    """When and how the class was graded."""
    if not run:
        return ""
    pairs = []
    if started := run.get("started"):
        pairs.append(("graded", _moment(started)))
    if (seconds := run.get("seconds")) is not None:
        pairs.append(("took", duration(float(seconds))))
    if (workers := run.get("workers")) is not None:
        pairs.append(("workers", text(workers)))
    if (rate := run.get("submissions_a_minute")) is not None:
        pairs.append(("submissions a minute", f"{float(rate):.0f}"))
    if (layers := run.get("sandbox")) is not None:
        pairs.append(("sandbox", text(", ".join(map(str, layers))) or NO_SANDBOX))
    elif (unsafe := run.get("unsafe")) is not None:
        pairs.append(("sandbox", NO_SANDBOX if unsafe else "on"))
    return facts(pairs) if pairs else ""


def first_look(
    rows: Sequence[Row],
    stats: Sequence[ExerciseStats],
    mistakes: dict[Key, list[Mistake]],
    happened: dict[str, list[Incident]],
    similar: Sequence[dict[str, Any]],
) -> str:
    """What deserves a look before anything else."""
    lines = []
    if unfinished := sum(row["status"] != "graded" for row in rows):
        lines.append(f'<a href="#unfinished">{count(unfinished, "submission")} not graded to the end</a>')
    if stopped := [(kind, _students(happened[kind])) for kind in RUNNING if kind in happened]:
        told = ", ".join(f"{kind}: {count(n, 'student')}" for kind, n in stopped)
        lines.append(f'<a href="#incidents">Stopped while running</a>: {told}')
    hard = sorted((s for s in stats if s.difficulty is not None), key=lambda s: s.difficulty or 0.0)
    if len(hard) > 1 and (hard[0].difficulty or 0.0) < 1:
        lines.append(
            f'Hardest <a href="#exercises">exercise</a>: {code(hard[0].exercise)}, '
            f"{figure(hard[0].difficulty, '.0%')} of its points earned"
        )
    if common := _ranked(mistakes)[:1]:
        (key, mistake), handed_in = common[0], _handed_in(rows)
        lines.append(
            f'Commonest <a href="#mistakes">mistake</a>: {text(mistake.summary or mistake.message)} '
            f"({code(key[1])}, {mistake.count} of {handed_in[key]})"
        )
    odd = [s for s in stats if s.count >= ENOUGH and s.discrimination is not None and s.discrimination < 0]
    if odd:
        lines.append(
            f"Negative discrimination, so look at the test: {shortened((code(s.exercise) for s in odd), NAMES)}"
        )
    if similar:
        lines.append(
            f'To look at: <a href="#similar">{count(len(similar), "pair")} of submissions</a> with much code in common'
        )
    if not lines:
        return ""
    return _section("first", "Where to look first", "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>")


def scores(rows: Sequence[Row], full: float, notebooks: Sequence[NotebookStats]) -> str:
    import numpy as np

    reached = [float(row["score"]) for row in graded(rows)]
    top = max([full, *reached])
    if not reached or top <= 0:
        return _section("scores", "Scores", "<p>Nobody was graded, so there is no distribution.</p>")
    if len(reached) < FEW:
        told = " and ".join(f"{score:g}" for score in sorted(reached))
        inside = f"<p>{count(len(reached), 'submission')} graded: {told} of {full:g} points.</p>"
    else:
        edges = _edges(top, all(score == int(score) for score in reached))
        counts = [int(n) for n in np.histogram(reached, bins=edges)[0]]
        lines = [
            (f"{low:g} to {'' if i == len(counts) - 1 else 'under '}{high:g}", str(n))
            for i, (n, low, high) in enumerate(zip(counts, edges[:-1], edges[1:], strict=True))
        ]
        middle = float(np.median(reached))
        described = "; ".join(f"{span}: {n}" for span, n in lines if n != "0")
        picture = plots.histogram(counts, edges, middle)
        label = f"Histogram of scores, in points, with the median at {middle:g}. {described}."
        inside = f"""{plots.inline(picture, "scores", label)}
<details><summary>The same as a table</summary>
{table("Students by score", ("points", "students"), lines, numeric=[1])}
</details>"""
    return _section("scores", "Scores", inside + _by_notebook(notebooks))


def _by_notebook(stats: Sequence[NotebookStats]) -> str:
    if not stats:
        return ""
    rows = [
        (
            text(s.notebook),
            f"{s.points:g}",
            str(s.count),
            f"{s.mean:.1f}",
            *(f"{q:g}" if q == int(q) else f"{q:.1f}" for q in s.quartiles),
            str(s.full),
        )
        for s in stats
    ]
    head = ("notebook", "points", "graded", "mean", "lower quartile", "median", "upper quartile", "full marks")
    plot = ""
    if max(s.count for s in stats) >= FEW:
        shares = "; ".join(f"{s.notebook}: {_quartiles(s)}" for s in stats)
        label = f"The middle half of the class on each notebook, with its median. {shares}."
        plot = "<p>The bar spans the middle half of the class, the dot is the median.</p>" + plots.inline(
            plots.notebook_spans(stats), "notebooks", label
        )
    return f"<h3>By notebook</h3>{plot}{table('Points by notebook', head, rows, numeric=range(1, 8))}"


def _quartiles(s: NotebookStats) -> str:
    low, middle, high = (f"{q / s.points:.0%}" if s.points else DASH for q in s.quartiles)
    return f"{low} to {high}, median {middle}"


def exercises(stats: Sequence[ExerciseStats], mistakes: dict[Key, list[Mistake]]) -> str:
    if not stats:
        return ""
    places = _places(s_key for s_key in ((s.notebook, s.exercise) for s in stats))
    most = max(s.count for s in stats)
    told = [s.discrimination if s.count >= ENOUGH else None for s in stats]
    body = (
        (
            _linked(s, places, mistakes),
            text(s.notebook),
            str(s.count),
            figure(s.difficulty, ".0%"),
            str(s.full),
            str(s.untouched),
            figure(d, ".2f"),
        )
        for s, d in zip(stats, told, strict=True)
    )
    head = ("exercise", "notebook", "graded", "share of full points", "full marks", "not written", "discrimination")
    described = "; ".join(f"{s.exercise} {figure(s.difficulty, '.0%')}" for s in stats)
    label = f"Bar chart of the share of full points for each exercise. {described}."
    chance = f"Chance alone moves it by about {(most - 1) ** -0.5:.2f} in a class of {most}. " if most >= ENOUGH else ""
    return _section(
        "exercises",
        "Exercises",
        f"""<p>Only notebooks that were handed in, in submissions that were graded to the end, count here. The
<em>share of full points</em> is the sum of the points that the class earned, divided by the sum that it could have
earned: the lower, the harder. <em>Discrimination</em> is the correlation (Pearson's r) of an exercise's points with the
same students' points on all the other exercises: near 0 or below, look at the exercise and its test before you blame
the class. {chance}A dash: fewer than {ENOUGH} were graded, or one of the two does not vary.</p>
{plots.inline(plots.exercise_bars(stats), "bars", label)}
{table("Exercises", head, body, numeric=range(2, 7))}""",
    )


def _linked(s: ExerciseStats, places: dict[Key, int], mistakes: dict[Key, list[Mistake]]) -> str:
    key = (s.notebook, s.exercise)
    return f'<a href="#e{places[key]}">{code(s.exercise)}</a>' if key in mistakes else code(s.exercise)


def common_mistakes(rows: Sequence[Row], mistakes: dict[Key, list[Mistake]]) -> str:
    if not mistakes:
        return _section("mistakes", "Mistakes", "<p>No test failed.</p>")
    handed_in = _handed_in(rows)
    places = _places(exercises_of(rows))
    parts = [
        """<p>What was wrong with each exercise, over all submissions. A known mistake is told in a sentence, with its
name in the bank; where the answers fit several, all of them are.
Messages without a name are counted together where they differ in their numbers only. The share is of those who handed
in the exercise's notebook.</p>"""
    ]
    first = _ranked(mistakes)
    if len(mistakes) > 1 and len(first) > MISTAKES_FIRST:
        top = (
            _mistake(m, handed_in[key], f'<a href="#e{places[key]}">{code(key[1])}</a>')
            for key, m in first[:MISTAKES_FIRST]
        )
        parts.append('<h3>To tell the class</h3>\n<ul class="mistakes">\n' + "\n".join(top) + "\n</ul>")
    for key, found in mistakes.items():
        notebook, exercise = key
        shown = [m for m in found if not m.is_blank][:MISTAKES_EACH]
        items = [*(_mistake(m, handed_in[key]) for m in shown)]
        if rest := [m for m in found if not m.is_blank][MISTAKES_EACH:]:
            items.append(
                f'<li class="rest">{count(len(rest), "further one")}, {count(sum(m.count for m in rest), "time")} '
                "in all</li>"
            )
        if blank := sum(m.count for m in found if m.is_blank):
            items.append(f'<li class="rest">not written: {blank} of {handed_in[key]}</li>')
        parts.append(
            f'<h3 id="e{places[key]}">{code(exercise)} <small>in {text(notebook)}</small></h3>\n'
            '<ul class="mistakes">\n' + "\n".join(items) + "\n</ul>"
        )
    return _section("mistakes", "Mistakes", "\n".join(parts))


def _mistake(m: Mistake, of: int, where: str = "") -> str:
    share = m.count / of if of else 0.0
    numbers = f" <small>(and {m.wordings - 1} more with other numbers)</small>" if m.wordings > 1 else ""
    said = f"<q>{text(m.message)}</q>{numbers}"
    head = f"{text(m.summary)} <small>{code(m.name)}</small>" if m.name else said
    below = f'<p class="said">The test says: {said}</p>' if m.name else ""
    return (
        f'<li><div class="count"><b>{m.count}</b> of {of} <small>{share:.0%}</small>'
        f'<span class="bar"><span style="width:{share:.1%}"></span></span></div>'
        f"<div><p>{head}{f' <small>in</small> {where}' if where else ''}</p>{below}</div></li>"
    )


def incidents(rows: Sequence[Row], happened: dict[str, list[Incident]]) -> str:
    """What was stopped while it ran."""
    if not any("incidents" in row for row in rows):
        return ""  # an older file, which does not say
    kinds = [*RUNNING, *(kind for kind in happened if kind not in KINDS)]
    there = {kind: happened[kind] for kind in kinds if kind in happened}
    if not there:
        return _section("incidents", "Stopped while running", "<p>Nothing was: no time-out, no crash, no flood.</p>")
    lines = ((text(kind), str(_students(those)), KINDS.get(kind, "")) for kind, those in there.items())
    parts = [table("Incidents by kind", ("what", "students", "what it means"), lines, numeric=[1])]
    for kind, those in there.items():
        parts.append(f"<h3>{text(kind.capitalize())}</h3>" + _incident_table(rows, kind, those))
    return _section("incidents", "Stopped while running", "\n".join(parts))


def _incident_table(rows: Sequence[Row], kind: str, those: Sequence[Incident]) -> str:
    body = (
        (
            _where(i),
            str(len(i.rows)),
            text(i.text),
            shortened((who(rows, place) for place in i.rows), NAMES),
        )
        for i in those[:PLACES]
    )
    more = f'<p class="rest">and {len(those) - PLACES} more</p>' if len(those) > PLACES else ""
    name = f"Incidents: {text(kind)}"
    return table(name, ("where", "students", "what was said", "who"), body, numeric=[1]) + more


def _where(incident: Incident) -> str:
    parts = [code(incident.cell)] if incident.cell else []
    if incident.notebook:
        parts.append(f"<small>in</small> {text(incident.notebook)}" if parts else text(incident.notebook))
    return " ".join(parts) or DASH


def refused(rows: Sequence[Row], happened: dict[str, list[Incident]]) -> str:
    if "refused" not in happened:
        return ""
    those = [(place, one) for place, row in enumerate(rows) for one in _told_of(row, "refused")]
    body = (
        (who(rows, place), text(one.get("notebook") or DASH), text(one_line(one.get("text")))) for place, one in those
    )
    told = table("Refused files", ("student", "notebook", "what was said"), body)
    return _section("refused", "Refused files", f"<p>{KINDS['refused']}</p>" + told)


def late(rows: Sequence[Row], happened: dict[str, list[Incident]]) -> str:
    if "late" not in happened:
        return ""
    those = [(place, one) for place, row in enumerate(rows) for one in _told_of(row, "late")]
    body = ((who(rows, place), text(one_line(one.get("text")))) for place, one in those)
    return _section("late", "Late", f"<p>{KINDS['late']}</p>" + table("Late submissions", ("student", "when"), body))


def _told_of(row: Row, kind: str) -> list[dict[str, Any]]:
    return [one for one in row.get("incidents") or [] if one.get("kind") == kind]


def changed(rows: Sequence[Row], changes: Sequence[dict[str, Any]]) -> str:
    """Whose points are others than in the last run."""
    if not changes:
        return ""
    place = {str(row["student"]): i for i, row in enumerate(rows)}
    body = (
        (
            who(rows, place[str(c["student"])]) if str(c["student"]) in place else text(c["student"]),
            f"{code(c['exercise'])} <small>in</small> {text(c['notebook'])}",
            f"{float(c['before']):g}",
            f"{float(c['after']):g}",
            text(c.get("why", "")),
        )
        for c in changes[:CHANGES]
    )
    more = f'<p class="rest">and {len(changes) - CHANGES} more</p>' if len(changes) > CHANGES else ""
    told = table("Changed points", ("student", "exercise", "before", "now", "why"), body, numeric=[2, 3])
    return _section("changed", "Changed since the last run", told + more)


def delivery_notes(notes: Sequence[Any]) -> str:
    """What was said of the class's files as a whole."""
    if not notes:
        return ""
    items = "".join(f"<li>{text(one_line(note))}</li>" for note in notes[:PLACES])
    more = f"<li>and {len(notes) - PLACES} more</li>" if len(notes) > PLACES else ""
    return _section("delivery", "How the files came in", f"<ul>{items}{more}</ul>")


def unfinished(rows: Sequence[Row], full: float) -> str:
    return _told("unfinished", "Not graded to the end", rows, [r["status"] != "graded" for r in rows], full)


def noted(rows: Sequence[Row], full: float) -> str:
    those = [r["status"] == "graded" and bool(r["note"]) for r in rows]
    return _told("noted", "Graded, with a note", rows, those, full)


def _told(name: str, heading: str, rows: Sequence[Row], those: Sequence[bool], full: float) -> str:
    """The rows that need a look, each with its note."""
    if not any(those):
        return _section(name, heading, "<p>None.</p>")
    body = (
        (who(rows, i), text(row["status"]), f"{float(row['score']):g}", text(one_line(row["note"])))
        for i, row in enumerate(rows)
        if those[i]
    )
    head = ("student", "status", f"score of {full:g}", "what happened")
    return _section(name, heading, table(heading, head, body, numeric=[2]))


def slowest(rows: Sequence[Row]) -> str:
    with_cpu = any(row.get("cpu_seconds") is not None for row in rows)
    order = sorted(range(len(rows)), key=lambda i: -float(rows[i]["seconds"]))[:SLOWEST]
    head = ["student", "status", "seconds"] + ["CPU seconds"] * with_cpu
    body = (
        [who(rows, i), text(rows[i]["status"]), f"{float(rows[i]['seconds']):.1f}", *[_cpu(rows[i])] * with_cpu]
        for i in order
    )
    return _section("slowest", "Slowest", table("Slowest submissions", head, body, numeric=range(2, len(head))))


def _cpu(row: Row) -> str:
    seconds = row.get("cpu_seconds")
    return DASH if seconds is None else f"{float(seconds):.1f}"


def similar_pairs(rows: Sequence[Row], similar: Sequence[dict[str, Any]] | None) -> str:
    """Pairs with much code in common, and why that proves nothing."""
    if similar is None:
        return ""
    if not similar:
        inside = "<p>No two submissions have more code in common than chance and the course's own answers explain.</p>"
        return _section("similar", "Similar submissions", inside)
    place = {str(row["student"]): i for i, row in enumerate(rows)}
    body = (
        (
            " and ".join(who(rows, place[s]) if s in place else text(s) for s in map(str, pair["students"])),
            f"{float(pair['share']):.0%}",
            str(len(pair["exercises"])),
            ", ".join(map(code, pair["exercises"])),
        )
        for pair in similar[:PAIRS]
    )
    more = f'<p class="rest">and {count(len(similar) - PAIRS, "pair")} more</p>' if len(similar) > PAIRS else ""
    head = ("students", "share in common", "exercises", "which")
    return _section(
        "similar",
        "Similar submissions",
        f"""<p><strong>To look at, never a verdict.</strong> Comments, layout and the names that a student chooses are
left out of account, and so is what the notebook gave, what the course knows as an answer, and what half the class
has. The share is of the shorter of the two answers, over the exercises listed. Two honest answers can still agree:</p>
<ul>
<li>there may be one natural way to write it, and both found it;</li>
<li>both followed the same page, hint, book, lecture, tutor or assistant;</li>
<li>they were allowed to work together, or both started from code that everybody was given elsewhere;</li>
<li>of many pairs in a class, some agree by chance.</li>
</ul>
<p>Read both before you speak to anybody, and ask each to explain their own. Nothing of this is in a student's
feedback.</p>
{table("Similar submissions", head, body, numeric=[1, 2])}{more}""",
    )


def everyone(rows: Sequence[Row], full: float) -> str:
    """All points in one table: it scrolls by itself, and its heads stay in sight."""
    columns = exercises_of(rows)
    notebooks = [(name, len(list(group))) for name, group in itertools.groupby(notebook for notebook, _ in columns)]
    groups = "".join(f'<th scope="colgroup" colspan="{n}" class="group">{text(name)}</th>' for name, n in notebooks)
    above = f'<tr><td colspan="3"></td>{groups}</tr>' if len(notebooks) > 1 else ""
    heads = "".join(
        f'<th scope="col" class="n tall"><span>{code(name)} <small>of {most:g}</small></span></th>'
        for (_, name), most in columns.items()
    )
    lines = []
    for i, row in enumerate(rows):
        points = {key_of(e): float(e["points"]) for e in row["exercises"] if was_tested(e)}
        cells = "".join(_points(points.get(key), most) for key, most in columns.items())
        shown = str(row.get("display_name") or row["student"])
        name = text(shown) + ("" if shown == str(row["student"]) else f" <small>{text(row['student'])}</small>")
        lines.append(
            f'<tr id="s{i}"><th scope="row">{name}</th><td>{text(row["status"])}</td>'
            f'<td class="n">{float(row["score"]):g}</td>{cells}</tr>'
        )
    inside = (
        f'<thead>{above}<tr><th scope="col">student</th><th scope="col">status</th>'
        f'<th scope="col" class="n">score of {full:g}</th>{heads}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody>"
    )
    key = (
        '<p>Shaded: <span class="all">all points</span>, <span class="part">some</span>, <span class="none">none</span>'
        "; a dash: not handed in, not graded to the end, or graded by a person.</p>"
    )
    return _section("everyone", "Everyone", key + scrolling("Points by student and exercise", inside))


def _points(points: float | None, most: float) -> str:
    if points is None:
        return f'<td class="n">{DASH}</td>'
    kind = "all" if points >= most else "part" if points > 0 else "none"
    return f'<td class="n {kind}">{points:g}</td>'


# ---- what several sections need


def _section(name: str, heading: str, inside: str) -> str:
    return f'<section id="{name}"><h2>{heading}</h2>\n{inside}</section>'


def _places(keys: Any) -> dict[Key, int]:
    return {key: i for i, key in enumerate(keys)}


def _handed_in(rows: Sequence[Row]) -> Counter[Key]:
    return Counter(key_of(e) for row in rows for e in row["exercises"] if was_tested(e))


def _ranked(mistakes: dict[Key, list[Mistake]]) -> list[tuple[Key, Mistake]]:
    """The mistakes of all exercises, the commonest first and named ones before others; not what is unwritten."""
    every = [(key, m) for key, found in mistakes.items() for m in found if not m.is_blank]
    return sorted(every, key=lambda pair: (-pair[1].count, not pair[1].name))


def _students(those: Sequence[Incident]) -> int:
    return len({place for incident in those for place in incident.rows})


def _edges(top: float, whole: bool) -> list[float]:
    """Round edges of at most 15 bins from 0 to `top` or a little more."""
    sizes = (base * 10.0**power for power in range(-3, 7) for base in (1, 2, 5))
    width = next(size for size in sizes if top / size <= 15 and (size >= 1 or not whole))
    bins = max(1, -int(-top // width))
    return [round(i * width, 6) for i in range(bins + 1)]


def _moment(started: Any) -> str:
    """`5 March 2026, 09:30`, from ISO 8601 or seconds since 1970; anything else as it is."""
    try:
        if isinstance(started, int | float):
            when = datetime.datetime.fromtimestamp(started, datetime.UTC)
        else:
            when = datetime.datetime.fromisoformat(str(started))
    except (ValueError, OverflowError, OSError):
        return text(started)
    zone = f" {when:%Z}" if when.tzinfo else ""
    return text(f"{when.day} {when:%B %Y, %H:%M}{zone}")
