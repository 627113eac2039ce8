"""Small drawings that stand side by side, and below one another where the page is narrow; colours for heat maps.

side_by_side([grid(P, "shares"), grid(J, "slopes")], "What is seen, and what it means.")
grid(numbers, "title", rows)             numbers as squares: blue above 0, orange below, the stronger the larger
sign("=")                                what stands between two drawings
BLUES, BOTH                              colour maps: from nothing to blue; from orange through nothing to blue

The drawings are styled in assets/attention-labs.css, and follow the light and the dark page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np
from IPython.display import HTML
from matplotlib.colors import LinearSegmentedColormap

from chapters.showing import BLUE, ORANGE, number

CLEAR = "#ffffff00"
BLUES = LinearSegmentedColormap.from_list("blues", [BLUE + "00", BLUE])
BOTH = LinearSegmentedColormap.from_list("both", [ORANGE, ORANGE + "00", BLUE + "00", BLUE])
HEIGHT = 30  # of a square


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "middle") -> str:
    """A text of a drawing."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style}>{html.escape(said)}</text>'


def picture(width: float, height: float, inside: str) -> str:
    """A drawing of this size, for `side_by_side`, which says in words what it shows."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg {size} aria-hidden="true">{inside}</svg>'


def grid(
    numbers: np.ndarray,
    title: str = "",
    rows: Sequence[str] = (),
    digits: int | None = 2,
    most: float | None = None,
    columns: Sequence[str] = (),
    hidden: np.ndarray | None = None,
    marked: Iterable[tuple[int, int]] = (),
    width: int = 0,
) -> str:
    """A table of numbers as squares. `most` is the size of the strongest colour; `digits=None` leaves the numbers out.

    Squares that are `hidden` are crossed out and empty; those that are `marked` have a frame.
    """
    numbers = np.atleast_2d(numbers)
    width = width or (46 if digits == 2 else 38)
    most = most or float(np.abs(numbers).max()) or 1.0
    left = 8 + 8 * max(map(len, rows), default=-1)
    top = (24 if title else 0) + (20 if columns else 0) + 2
    squares, marked = [], set(marked)
    for i, row in enumerate(numbers):
        for j, value in enumerate(row):
            x, y = left + width * j, top + HEIGHT * i
            place = f'x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{HEIGHT - 2}" rx="2"'
            if hidden is not None and hidden[i, j]:
                squares.append(f'<rect class="square-hidden" {place}/>')
                continue
            kind = "square-plus" if value >= 0 else "square-minus"
            strength = min(abs(float(value)) / most, 1.0) * 0.55
            squares.append(f'<rect class="{kind}" {place} fill-opacity="{strength:.3f}"/>')
            if digits is not None:
                said = number(int(value) if digits == 0 else value, digits)
                squares.append(text(x + width / 2, y + 20, said))
            if (i, j) in marked:
                squares.append(f'<rect class="square-marked" {place}/>')
    right = left + width * numbers.shape[1]
    names = [text(left - 6, top + HEIGHT * i + 20, name, "", "end") for i, name in enumerate(rows)]
    names += [text(left + width * (j + 0.5), top - 6, name) for j, name in enumerate(columns)]
    if title:
        names.append(text((left + right) / 2, 15, title, "drawing-title"))
    wide = max(right + 4, (left + right) / 2 + 4 * len(title))
    return picture(wide, top + HEIGHT * len(numbers) + 4, "".join(squares + names))


def sign(said: str) -> str:
    """A sign between two drawings."""
    return f'<span class="drawing-sign" aria-hidden="true">{html.escape(said)}</span>'


def side_by_side(drawings: Sequence[str], says: str) -> HTML:
    """The drawings in a row, which breaks where the page is narrow, with what is seen in them, in words."""
    row = f'<div class="drawings" role="img" aria-label="{html.escape(says)}">{"".join(drawings)}</div>'
    return HTML(f"<figure>{row}</figure>")
