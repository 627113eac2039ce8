"""What the book's search reads: every section of the built pages, as one script, loaded when a reader searches.

The theme's own search ranks by counts of words and shows nothing while one types. Ours (assets/search.js, on
MiniSearch) works on sections, and knows of each what it is *about*: the glossary's terms that the book introduces
there, and the exercises that are set there. The texts come as a script, since a page that is opened from disk may not
fetch.

Written: `_static/search/texts.js`, which calls `courseTexts({pages, sections, short})` with
    pages      [[address, title], …] in the book's order
    sections   [[number of the page, anchor, heading, what it is about, text], …]
    short      {"rope": "rotary position embedding", …}, the abbreviations of the glossary
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

GLOSSARY = "chapters/glossary"
SHORT = re.compile(r"^Short for ([^.:;]+)")
# Code is found by the sentence beside it; figures by their captions; an editor by its exercise.
SKIPPED = {"script", "style", "svg", "pre", "button", "select", "template", "math"}
SKIPPED_CLASSES = {"headerlink", "solve-list", "used-on", "math", "toctree-wrapper"}
EMPTY = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
SPACED = {"p", "li", "td", "th", "dt", "dd", "div", "summary", "tr", "figcaption", "br", "h1", "h2", "h3", "h4"}


@dataclass
class Section:
    """A section without its subsections, or a term of the glossary."""

    anchor: str
    heading: str = ""
    text: str = ""
    exercises: list[str] = field(default_factory=list)  # set here
    terms: list[str] = field(default_factory=list)  # anchors of the glossary's terms that are linked from here
    defined: list[str] = field(default_factory=list)  # those of them whose name stands in bold beside the link


@dataclass
class Open:
    """A tag that is open: the section that it began, and whether what it holds is left out."""

    tag: str
    section: Section | None
    skipped: bool


class Sections(HTMLParser):
    """Cuts the article of a built page into its sections, each with its own text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Section] = []
        self.open: list[Open] = []
        self.bold = False  # the last that was read is in bold, but for a bracket
        self.term: Section | None = None  # of the glossary: from its dt to the next, or to the end of the list

    def within(self, *tags: str) -> bool:
        return any(part.tag in tags for part in self.open)

    @property
    def section(self) -> Section | None:
        return self.term or next((part.section for part in reversed(self.open) if part.section), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in SPACED:
            self.handle_data(" ")
        if tag in EMPTY or not (tag == "article" or self.within("article")):
            return
        classes = set(values.get("class", "").split())
        skipped = tag in SKIPPED or bool(classes & SKIPPED_CLASSES) or bool(self.open and self.open[-1].skipped)
        begun = Section(values.get("id", "")) if tag == "section" else None
        if tag == "dt" and values.get("id", "").startswith("term-"):
            self.term = Section(values["id"])
        for section in filter(None, [begun, self.term if tag == "dt" else None]):
            self.found.append(section)
        self.open.append(Open(tag, begun, skipped))
        if "term-link" in classes and self.section and not skipped:
            anchor = values.get("href", "").partition("#")[2]
            self.section.terms.append(anchor)
            if self.bold or self.within("strong"):
                self.section.defined.append(anchor)

    def handle_endtag(self, tag: str) -> None:
        if tag in SPACED:
            self.handle_data(" ")
        if self.within(tag):  # what was left open in between ends with it
            while self.open.pop().tag != tag:
                pass
        if tag == "dl":
            self.term = None

    def handle_data(self, data: str) -> None:
        section = self.section
        if section is None or not self.open or self.open[-1].skipped:
            return
        if self.within("h1", "h2", "h3", "h4", "dt"):
            section.heading += data
            return
        if self.within("code") and re.search(r"Build it:[\w, ]*$", section.text):
            section.exercises.append(data)
        section.text += data
        self.bold = self.within("strong") or (self.bold and data.strip() in {"", "("})


def sections_of(page: str) -> list[Section]:
    """The sections of a built page, in their order, with text on one line each."""
    parser = Sections()
    parser.feed(page)
    for section in parser.found:
        section.heading, section.text = (" ".join(part.split()) for part in (section.heading, section.text))
    return parser.found


def texts(pages: dict[str, tuple[str, list[Section]]]) -> dict[str, Any]:
    """What the script holds. `pages` has, by address and in the book's order, each page's title and sections."""
    _, glossary = pages.get(f"{GLOSSARY}.html", ("", []))
    names = {section.anchor: section.heading for section in glossary}
    places: dict[str, Section] = {}  # where the book introduces a term: in bold, or else where it comes first
    sections = [section for _, found in pages.values() for section in found]
    for kind in ["defined", "terms"]:
        for section in sections:
            for anchor in getattr(section, kind):
                places.setdefault(anchor, section)
    rows = []
    for number, (_, found) in enumerate(pages.values()):
        for section in found:
            new = [names[anchor] for anchor, place in places.items() if place is section and anchor in names]
            about = " · ".join([*section.exercises, *new])
            rows.append([number, section.anchor, section.heading, about, section.text])
    short = {
        name.split("·")[0].strip().lower(): meant[1].strip()
        for name, meant in ((section.heading, SHORT.match(section.text)) for section in glossary)
        if meant
    }
    return {"pages": [[address, title] for address, (title, _) in pages.items()], "sections": rows, "short": short}


def write(app: Sphinx, exception: Exception | None) -> None:
    """Put the script beside the page's other ones."""
    if exception is not None or app.builder.format != "html":
        return
    docnames = [app.config.root_doc, *app.env.toctree_includes.get(app.config.root_doc, [])]
    pages = {}
    for docname in docnames:
        address = f"{docname}.html"
        built = Path(app.outdir, address).read_text(encoding="utf-8")
        pages[address] = app.env.titles[docname].astext(), sections_of(built)
    script = json.dumps(texts(pages), ensure_ascii=False, separators=(",", ":"))
    Path(app.outdir, "_static/search/texts.js").write_text(f"courseTexts({script});", encoding="utf-8")


def own_page(app: Sphinx) -> list[tuple[str, dict[str, Any], str]]:
    """The page of results; Sphinx would make it with an index that nothing reads any more."""
    return [("search", {}, "search.html")]


def setup(app: Sphinx) -> dict[str, Any]:
    def no_index(app: Sphinx) -> None:
        app.builder.search = False  # type: ignore[attr-defined]

    app.connect("builder-inited", no_index)
    app.connect("html-collect-pages", own_page)
    app.connect("build-finished", write)
    app.add_js_file("search.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
