"""Templates filled in: whatever is put into one becomes text, without characters that nobody can see."""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from autograder.report.statistics import one_line
from autograder.text import clean_page

DASH = "\N{EN DASH}"  # where a figure is undefined
QUOTED = re.compile(r"`([^`\n]{1,200})`")  # code in a message
MOST_RENDERED = 20_000  # characters of Markdown; what is longer is shown as it was typed


def rendered(template: str, **values: object) -> str:
    """A template of this folder's as a page."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        finalize=_seen,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "code": code,
        "counted": counted,
        "duration": duration,
        "figure": figure,
        "one_line": one_line,
        "points": points,
        "prose": prose,
        "shortened": shortened,
    }
    return environment


def _seen(value: object) -> object:
    """What an expression gives, for the page: markup of our own as it is, all else as text."""
    return value if isinstance(value, Markup) else clean_page(str(value))


def code(name: object) -> Markup:
    """A name from the course's code, which may break at its underscores."""
    shown = html.escape(clean_page(str(name)))
    return Markup(f"<code>{shown.replace('_', '_<wbr>')}</code>")


def prose(message: object) -> Markup:
    """A message with what stands in backticks as code."""
    return Markup(QUOTED.sub(r"<code>\1</code>", html.escape(clean_page(str(message)))))


def markdown(source: str, most: int = MOST_RENDERED) -> Markup:
    """A student's Markdown as HTML: no tags of theirs, no links and no pictures, which stay as they were typed."""
    text = clean_page(source)
    return Markup(_commonmark().render(text) if len(text) <= most else f"<pre>{html.escape(text)}</pre>")


@functools.cache
def _commonmark() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    return parser.disable(["link", "image", "autolink", "reference", "html_block", "html_inline"])


def _heading(_renderer: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    """A student's heading is none of the page's."""
    return '<p class="head">' if tokens[index].nesting == 1 else "</p>\n"


def points(value: float) -> str:
    """`2`, `2.5`."""
    return f"{value:g}"


def figure(value: float | None, form: str) -> str:
    return DASH if value is None else format(value, f"z{form}").replace("-", "\N{MINUS SIGN}")


def counted(n: int, one: str) -> str:
    """`3 students`, `1 student`."""
    return f"{n} {one if n == 1 else one + 's'}"


def duration(seconds: float) -> str:
    """`7.2 s`, `4 min 5 s`, `2 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def shortened(items: Iterable[str], most: int) -> Markup:
    """The first `most` items and how many more there are."""
    those = iter(items)
    shown = list(itertools.islice(those, most))
    if more := sum(1 for _ in those):
        shown.append(f"and {more} more")
    return Markup(", ").join(shown)
