"""The report's plots: matplotlib's SVG, inline and in the colours of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.report.statistics import NotebookStats
from autograder.text import clean_page

WIDTH = 5.4  # inches; about as wide as a phone, so that letters stay letters there
INK, BAR, RULE = "#010203", "#040506", "#070809"  # stand-ins, replaced by the page's own colours
_COLOURS = {INK: "currentColor", BAR: "var(--bar)", RULE: "var(--rule)"}
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 10,
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


def histogram(counts: Sequence[int], edges: Sequence[float], middle: float) -> str:
    """How many students have how many points; a line stands at the median."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
        axes = figure.subplots()
        width = edges[1] - edges[0]
        axes.bar(edges[:-1], counts, width=0.92 * width, align="edge", color=BAR)
        axes.axvline(middle, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(middle, 1.0, " median", transform=axes.get_xaxis_transform(), va="bottom", ha="center", fontsize=9)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xticks(edges[:: 1 + len(edges) // 12])
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.6)
        axes.set_xlabel("points")
        axes.set_ylabel("students")
        return _svg(figure)


def notebook_spans(stats: Sequence[NotebookStats]) -> str:
    """The middle half of the class on each notebook, with the median, as shares of its points."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(WIDTH, 0.75 + 0.34 * len(stats)), layout="constrained")
        axes = figure.subplots()
        for place, s in enumerate(stats):
            low, middle, high = (100 * q / s.points if s.points else 0.0 for q in s.quartiles)
            axes.plot([low, high], [place, place], color=BAR, linewidth=7, solid_capstyle="butt", alpha=0.55)
            axes.plot([middle], [place], "o", color=BAR, markersize=8)
        axes.set_yticks(range(len(stats)), [s.notebook for s in stats])
        axes.set_ylim(len(stats) - 0.4, -0.6)
        _percent(axes, "points, % of the notebook's")
        return _svg(figure)


def inline(svg: str, name: str, label: str) -> Markup:
    """An SVG file as part of an HTML page: named, in the page's colours, its ids apart from other plots'."""
    inside = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    opening, inside = inside.split(">", 1)
    box = re.search(r'viewBox="[\d. -]+"', opening)
    inside = inside.replace("xlink:href=", "href=")
    inside = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", inside)
    for stand_in, colour in _COLOURS.items():
        inside = inside.replace(stand_in, colour)
    box_there = box.group() if box else ""
    return Markup(f'<svg role="img" aria-label="{escape(clean_page(label))}" {box_there}>{inside.strip()}')


def _percent(axes: Any, label: str) -> None:
    axes.set_xlim(0, 100)
    axes.grid(axis="x", linewidth=0.6)
    axes.set_xlabel(label)


def _svg(figure: Figure) -> str:
    page = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    return page.getvalue()
