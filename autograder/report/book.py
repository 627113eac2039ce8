"""Where in the book an exercise is taught: the section in which a page says "Build it", or "Try it".

A page is a MyST file in `chapters/<chapter>/`. A line such as "**Build it:** `softmax` and `scaled_scores`, in the …"
belongs to the heading above it. The book's public address is `html: baseurl:` in `_config.yml`; until it is there, a
section is named and not linked, since a student has the page of feedback and nothing beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADING = re.compile(r"(#{1,3}) +(.+?) *#*$")
BUILD = re.compile(r"\*\*(?:Build|Try) it:\*\*(.*)")
NAME = re.compile(r"`(\w+)`")
FENCE = re.compile(r"(`{3,}|~{3,}|:{3,})")
BASE = re.compile(r"^html:.*?^ +baseurl: *[\"']?(https?://[^\s\"'#<>]+)", re.S | re.M)
MARKUP = re.compile(r"[`*]|\{[\w:-]+\}|\[(.*?)\]\(.*?\)|\$")


@dataclass(frozen=True)
class Place:
    """A section of a page; `address` is "" where the book has none."""

    page: str
    section: str  # "" for the page as a whole
    address: str = ""


def places_in(root: Path, chapter: str) -> dict[str, Place]:
    """The place of each exercise that a page of the chapter names, by the exercise."""
    base = _address(root)
    found: dict[str, Place] = {}
    for path in sorted((root / "chapters" / chapter).glob("*.md")):
        for exercise, place in _named_on(path, base, chapter):
            found.setdefault(exercise, place)
    return found


def _named_on(path: Path, base: str, chapter: str) -> Iterator[tuple[str, Place]]:
    page = section = fence = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        opening = FENCE.match(line)
        if fence or opening:  # a comment in code looks like a heading
            if opening and not fence:
                fence = opening[1]
            elif line.strip() == fence:
                fence = ""
        elif heading := HEADING.match(line):
            title = MARKUP.sub(r"\1", heading[2])
            page, section = (title, "") if len(heading[1]) == 1 else (page, title)
        elif build := BUILD.match(line):
            address = _page_address(base, chapter, path.stem, section) if base else ""
            for name in NAME.findall(build[1]):
                yield name, Place(page or path.stem, section, address)


def _page_address(base: str, chapter: str, page: str, section: str) -> str:
    # Slow to import, and needed only where the book has an address.
    from docutils.nodes import make_id  # type: ignore[import-untyped]

    end = f"#{make_id(section)}" if section else ""
    return f"{base}/chapters/{chapter}/{page}.html{end}"


def _address(root: Path) -> str:
    try:
        found = BASE.search((root / "_config.yml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1].rstrip("/") if found else ""
