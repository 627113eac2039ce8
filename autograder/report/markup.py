"""Text as HTML: nothing that a student wrote becomes markup."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence

DASH = "\N{EN DASH}"  # where a figure is undefined


def text(value: object) -> str:
    """Any value as HTML text: escaped, without control characters, reordering marks or lone surrogates."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _unprintable(c) else c for c in str(value))
    return html.escape(shown, quote=True)


def _unprintable(c: str) -> bool:
    code = ord(c)
    return (
        (code < 32 and c not in "\n\t")
        or 0x7F <= code <= 0x9F
        or 0xD800 <= code <= 0xDFFF
        or 0x200E <= code <= 0x200F
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def code(value: object) -> str:
    """A name from the course's code, which may break at its underscores."""
    return f"<code>{text(value).replace('_', '_<wbr>')}</code>"


def figure(value: float | None, form: str) -> str:
    return DASH if value is None else format(value, f"z{form}").replace("-", "\N{MINUS SIGN}")


def count(n: int, one: str, many: str = "") -> str:
    """`3 students`, `1 student`."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """`7.2 s`, `4 min 5 s`, `2 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]], numeric: Iterable[int] = ()) -> str:
    """A table whose cells are HTML already; the first cell of each line heads it."""
    right = set(numeric)

    def cell(i: int, content: str) -> str:
        kind = ' class="n"' if i in right else ""
        return f'<th scope="row"{kind}>{content}</th>' if i == 0 else f"<td{kind}>{content}</td>"

    heads = "".join(f'<th scope="col"{" class=n" if i in right else ""}>{h}</th>' for i, h in enumerate(head))
    lines = "\n".join("<tr>" + "".join(cell(i, c) for i, c in enumerate(line)) + "</tr>" for line in body)
    return scrolling(caption, f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>")


def scrolling(caption: str, inside: str) -> str:
    """A table that scrolls by itself where the page is too narrow for it."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}">\n<table><caption>{caption}</caption>\n'
        f"{inside}</table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values side by side; the values are HTML already."""
    lines = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{lines}</dl>'


def shortened(items: Iterable[str], most: int) -> str:
    """The first `most` items and how many more there are."""
    those = iter(items)
    shown = list(itertools.islice(those, most))
    if more := sum(1 for _ in those):
        shown.append(f"and {more} more")
    return ", ".join(shown)
