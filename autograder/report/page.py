"""The report of a class, as one page: what `templates/report.html` is filled with.

A section is a template in `templates/sections/`; here stand the figures that it shows, and which sections there are.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from autograder.report import plots
from autograder.report.html import DASH, rendered
from autograder.report.statistics import (
    ENOUGH,
    CommonMistake,
    Key,
    NotebookStats,
    common_mistakes,
    exercise_stats,
    exercises_of,
    graded,
    happenings,
    hardest_first,
    key_of,
    notebook_stats,
)
from autograder.results import Incident, Kind, Results, Row, RunFacts, Status

MOST = {
    "MISTAKES_EACH": 5,  # mistakes listed for one exercise
    "MISTAKES_FIRST": 8,  # mistakes listed over all exercises
    "PAIRS": 40,  # pairs of similar submissions listed
    "CHANGES": 60,  # changes of points listed
    "PLACES": 30,  # incidents of one kind listed, and notes about the files
    "NAMES": 8,  # students named for one incident
}
SLOWEST = 10  # rows in the list of the slowest
FEW = 3  # graded submissions below which there is no histogram

MEANING = {
    Kind.TIMED_OUT: "A cell or a call used up its time and was stopped. What had been earned before it still counts.",
    Kind.CRASHED: "The student's process ended by itself: a fault in a library, a signal, or a call that exits.",
    Kind.OUT_OF_MEMORY: "A cell or a call asked for more memory than a submission may have.",
    Kind.FLOOD: "A cell printed more than is kept; the rest of what it printed was thrown away.",
    Kind.REFUSED: "A file that was handed in but could not be read as the notebook that was set.",
    Kind.LATE: "Handed in after the due date.",
}
RUNNING = (Kind.TIMED_OUT, Kind.CRASHED, Kind.OUT_OF_MEMORY, Kind.FLOOD)


@dataclass(frozen=True)
class Section:
    """A part of the page; `short` is its name in the contents, "" where it is not in them."""

    id: str
    short: str
    heading: str
    there: bool = True


@dataclass(frozen=True)
class Spread:
    """How many students have how many points; no picture where they are few."""

    picture: Markup | None = None
    bins: tuple[tuple[str, int], ...] = ()


def write_report(results: Results, path: Path, graded: Path | None = None) -> None:
    """Write the page about a class to `path`, with links to the students' pages in `graded` (default: its folder)."""
    folder = path.parent if graded is None else graded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(results, _pages(results, folder, path.parent)), encoding="utf-8")


def _pages(results: Results, graded: Path, seen_from: Path) -> dict[str, str]:
    """The address of each student's page of feedback that is there, as `seen_from` has it."""
    at = {row.student: graded / "feedback" / row.student / f"{results.assignment}.html" for row in results.rows}
    start = seen_from.resolve()
    found = {who: os.path.relpath(page.resolve(), start) for who, page in at.items() if page.is_file()}
    return {who: quote(Path(page).as_posix()) for who, page in found.items()}


def page(results: Results, pages: Mapping[str, str] | None = None) -> str:
    """The page as HTML, complete in itself; `pages` is where each student's own page is."""
    rows, full = results.rows, results.max_score
    stats, notebooks, mistakes = hardest_first(exercise_stats(rows)), notebook_stats(rows), common_mistakes(rows)
    happened = happenings(rows)
    reached = [row.score for row in graded(rows)]
    columns = exercises_of(rows)
    unfinished = [place for place, row in enumerate(rows) if row.status is not Status.GRADED]
    stopped = [kind for kind in RUNNING if kind in happened]
    ranked = _ranked(mistakes)
    noted = [place for place, row in enumerate(rows) if row.status is Status.GRADED and row.note]
    hard = [s for s in stats if s.difficulty is not None]
    hardest = hard[0] if len(hard) > 1 and (hard[0].difficulty or 0.0) < 1 else None
    order = {(s.notebook, s.exercise): place for place, s in enumerate(stats)}
    misleading = [s.exercise for s in stats if s.count >= ENOUGH and (s.discrimination or 0.0) < 0]
    largest = max((s.count for s in stats), default=0)
    look = bool(unfinished or stopped or hardest or ranked or misleading or results.similar)
    sections = [
        Section("first", "", "Where to look first", look),
        Section("scores", "Scores", "Scores"),
        Section("exercises", "Exercises", "Exercises", bool(stats)),
        Section("mistakes", "Mistakes", "Mistakes"),
        Section("unfinished", "Not graded to the end", "Not graded to the end", bool(unfinished)),
        Section("incidents", "Stopped", "Stopped while running", bool(stopped)),
        Section("refused", "Refused", "Refused files", Kind.REFUSED in happened),
        Section("late", "Late", "Late", Kind.LATE in happened),
        Section("noted", "Notes", "Graded, with a note", bool(noted)),
        Section("delivery", "Files", "How the files came in", bool(results.notes)),
        Section("changed", "Changes", "Changed since the last run", bool(results.changes)),
        Section("slowest", "Slowest", "Slowest"),
        Section("similar", "Similar", "Similar submissions", results.similar is not None),
        Section("everyone", "Everyone", "Everyone"),
    ]
    return rendered(
        "report.html",
        title=f"Class report: {results.assignment}",
        style="report.css",
        sections=[s for s in sections if s.there] if rows else [],
        rows=rows,
        full=full,
        pages=pages or {},
        place_of={row.student: place for place, row in enumerate(rows)},
        run=results.run,
        walls=_walls(results.run) if results.run else "",
        statuses=Counter(row.status for row in rows).most_common(),
        reached=reached,
        mean=float(np.mean(reached)) if reached else 0.0,
        median=float(np.median(reached)) if reached else 0.0,
        full_marks=sum(score >= full for score in reached),
        spread=_spread(reached, full),
        notebooks=notebooks,
        notebook_picture=_notebook_picture(notebooks),
        stats=stats,
        hardest=hardest,
        misleading=misleading,
        chance=(largest - 1) ** -0.5 if largest >= ENOUGH else 0.0,
        largest=largest,
        exercise_place={key: i for i, key in enumerate(columns)},
        mistakes=mistakes,
        ranked=ranked,
        shared=[(key, one) for key, one in ranked if one.count > 1],
        hard_order=sorted(mistakes, key=lambda key: order.get(key, len(order))),
        handed_in=Counter(key_of(e) for row in rows for e in row.exercises if e.state.was_tested),
        happened=happened,
        stopped=stopped,
        students={kind: len({place for one in those for place in one.rows}) for kind, those in happened.items()},
        meaning=MEANING,
        refused=_told_of(rows, Kind.REFUSED),
        late=_told_of(rows, Kind.LATE),
        unfinished=unfinished,
        noted=noted,
        notes=results.notes,
        changes=results.changes,
        slowest=sorted(range(len(rows)), key=lambda place: -rows[place].seconds)[:SLOWEST],
        similar=results.similar,
        columns=columns,
        groups=[(name, len(list(those))) for name, those in itertools.groupby(notebook for notebook, _ in columns)],
        points_of=lambda row: {key_of(e): e.points for e in row.exercises if e.state.was_tested},
        DASH=DASH,
        ENOUGH=ENOUGH,
        **MOST,
    )


def _walls(run: RunFacts) -> str:
    if run.sandbox:
        return ", ".join(run.sandbox)
    cluster = run.sandbox is None and not run.unsafe
    return "on" if cluster else "none: the students' code ran as the one who graded"


def _told_of(rows: Sequence[Row], kind: Kind) -> list[tuple[int, Incident]]:
    """The incidents of a kind, each with the place of its row."""
    return [(place, i) for place, row in enumerate(rows) for i in row.incidents if i.kind is kind]


def _ranked(mistakes: Mapping[Key, Sequence[CommonMistake]]) -> list[tuple[Key, CommonMistake]]:
    """The mistakes of all exercises, the commonest first and named ones before others; not what is unwritten."""
    every = [(key, m) for key, found in mistakes.items() for m in found if not m.is_blank]
    return sorted(every, key=lambda pair: (-pair[1].count, not pair[1].name))


def _spread(reached: Sequence[float], full: float) -> Spread | None:
    """None where nobody was graded."""
    top = max([full, *reached])
    if not reached or top <= 0:
        return None
    if len(reached) < FEW:
        return Spread()
    edges = _edges(top, all(score == int(score) for score in reached))
    counts = [int(n) for n in np.histogram(reached, bins=edges)[0]]
    bins = tuple(
        (f"{low:g} to {'' if i == len(counts) - 1 else 'under '}{high:g}", n)
        for i, (n, low, high) in enumerate(zip(counts, edges[:-1], edges[1:], strict=True))
    )
    middle = float(np.median(reached))
    described = "; ".join(f"{span}: {n}" for span, n in bins if n)
    label = f"Histogram of scores, in points, with the median at {middle:g}. {described}."
    return Spread(plots.inline(plots.histogram(counts, edges, middle), "scores", label), bins)


def _edges(top: float, whole: bool) -> list[float]:
    """Round edges of at most 15 bins from 0 to `top` or a little more."""
    sizes = (base * 10.0**power for power in range(-3, 7) for base in (1, 2, 5))
    width = next(size for size in sizes if top / size <= 15 and (size >= 1 or not whole))
    bins = max(1, -int(-top // width))
    return [round(i * width, 6) for i in range(bins + 1)]


def _notebook_picture(stats: Sequence[NotebookStats]) -> Markup:
    if max((s.count for s in stats), default=0) < FEW:
        return Markup()
    shares = "; ".join(f"{s.notebook}: {_quartiles(s)}" for s in stats)
    label = f"The middle half of the class on each notebook, with its median. {shares}."
    return plots.inline(plots.notebook_spans(stats), "notebooks", label)


def _quartiles(s: NotebookStats) -> str:
    low, middle, high = (f"{q / s.points:.0%}" if s.points else DASH for q in s.quartiles)
    return f"{low} to {high}, median {middle}"
