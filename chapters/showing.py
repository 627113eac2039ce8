"""What the pages show their results with: tables, bars, and plots in the colours of the book.

from chapters.showing import BLUE, GREY, ORANGE, bars, plots, table

plots("weights")                                  once, before the first plot; the name fixes the ids in the SVG
table(["token", "score"], rows, mark=[2])         a row that the text speaks of is marked
table(["asks ↓", *TOKENS], rows, shade=True)      numbers from 0 to 1 with a ground that says how large they are
bars(["酒店", "很"], [0.7, 0.3])                   shares as bars, with their numbers
quotes({"after 20 steps": text})                  what a model wrote, each with a line that says when
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from IPython import get_ipython
from IPython.display import HTML

GREY, BLUE, ORANGE = "#767676", "#2f7fc1", "#c8701a"
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


def plots(name: str) -> None:
    """Plots as SVG, without a ground of their own, with text that can be read on the light page and on the dark one."""
    import matplotlib.pyplot as plt

    get_ipython().run_line_magic("config", 'InlineBackend.figure_formats = ["svg"]')
    plt.rcParams.update({
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "savefig.transparent": True, "text.color": GREY, "axes.labelcolor": GREY,
        "axes.edgecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
        "figure.figsize": (4.9, 3.3), "font.size": 11, "svg.hashsalt": name,
    })  # fmt: skip


def plain(text: object) -> str:
    """Text as HTML, with its Chinese marked as such."""
    return HAN.sub(lambda found: f'<span lang="zh-Hans">{found[0]}</span>', html.escape(str(text)))


def number(value: Any, digits: int) -> str:
    """A number as a reader would write it: whole ones whole, with a true minus sign."""
    said = f"{value:,}" if isinstance(value, int | np.integer) else f"{round(float(value), digits) + 0.0:,.{digits}f}"
    return said.replace("-", "−")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def cell(value: Any, is_first: bool, digits: int, shade: bool) -> str:
    """A cell of a table: a number, nothing, or text, which heads its row where it comes first."""
    if value is None:
        return "<td></td>"
    if is_number(value):
        style = f' style="--share:{min(max(float(value), 0), 1):.3f}"' if shade else ""
        return f'<td class="number"{style}>{number(value, digits)}</td>'
    return f'<th scope="row">{plain(value)}</th>' if is_first else f"<td>{plain(value)}</td>"


def head_cell(text: str, over: Any) -> str:
    """The head of a column, on the right over numbers."""
    if not text:
        return "<td></td>"  # a head without a name would be read out as one
    side = ' class="number"' if over is None or is_number(over) else ""
    return f'<th scope="col"{side}>{plain(text)}</th>'


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    mark: Collection[int] = (),
    digits: int = 3,
    shade: bool = False,
) -> HTML:
    """A table with a line of heads; the rows whose numbers are in `mark` stand out. Numbers get so many `digits`."""
    rows = list(rows)
    heads = "".join(head_cell(text, over) for text, over in zip(head, rows[0], strict=True))
    lines = []
    for i, row in enumerate(rows):
        cells = "".join(cell(value, j == 0, digits, shade) for j, value in enumerate(row))
        lines.append(f'<tr class="marked">{cells}</tr>' if i in mark else f"<tr>{cells}</tr>")
    kind = "dataframe result shaded" if shade else "dataframe result"
    return HTML(f'<table class="{kind}"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>')


def bars(labels: Sequence[str], shares: Sequence[float], what: str = "Shares", digits: int = 3) -> HTML:
    """Shares from 0 to 1 as bars, each with its label and its number; the longest bar is that of the largest share."""
    largest = max(shares)
    rows = [
        f'<div class="lab-row"><span class="lab-key">{plain(label)}</span>'
        f'<span class="lab-bar" style="--share:{float(share) / largest:.4f}" aria-hidden="true"></span>'
        f"<span>{number(float(share), digits)}</span></div>"
        for label, share in zip(labels, shares, strict=True)
    ]
    return HTML(f'<div class="bars" role="group" aria-label="{html.escape(what)}">{"".join(rows)}</div>')


def quotes(texts: Mapping[str, str]) -> HTML:
    """Texts that a model wrote (or read), each under a line that says what it is; line ends are kept."""
    parts = [
        f'<figure class="written"><figcaption>{plain(what)}</figcaption>'
        f'<blockquote>{plain(text.strip()).replace(chr(10), "<br>")}</blockquote></figure>'
        for what, text in texts.items()
    ]
    return HTML("".join(parts))
