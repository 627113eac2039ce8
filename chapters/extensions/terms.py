"""The glossary's terms on the pages, and the pages in the glossary.

- Chinese in running text is marked as such, for fonts and screen readers. Where a run of it is a term of the glossary,
  its first use on a page links there, and the link says what the term means.
- The glossary's terms are sorted by their English, and each is followed by links to the pages that use it.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from readable import shorten, within
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode
from used_on import UsedOn

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+(?:[、，。：；！？]?[\u3400-\u4dbf\u4e00-\u9fff]+)*")
CHINESE = "language-zh-Hans"  # docutils makes lang="zh-Hans" of this class
USED = UsedOn("terms")  # runs of Chinese, by page
SHORT = "Short for"  # how the definition of an abbreviation begins


def chinese_of(term: str) -> str:
    """The Chinese of a glossary term, `English · 中文`; empty where it has none."""
    return term.partition("·")[2].strip()


def glossary_terms(env: Any) -> dict[str, tuple[str, str]]:
    """The Chinese of each glossary term and where it is explained: the full name, where there is a short one, too."""
    terms: dict[str, tuple[str, str]] = {}
    for (kind, name), where in env.get_domain("std").objects.items():
        if kind == "term" and chinese_of(name) and not definition_of(env, where[1]).startswith(SHORT):
            terms[chinese_of(name)] = where
    return terms


def definition_of(env: Any, label: str) -> str:
    """What the glossary says of the term with this label."""
    return str(getattr(env, "definitions", {}).get(label, ""))


def in_running_text(text: nodes.Text) -> bool:
    """In a paragraph (of a cell, a list…), and not within a link, a title or code."""
    return within(text, nodes.paragraph) and not within(text, nodes.reference, nodes.title, nodes.literal, nodes.raw)


def read_glossary(app: Sphinx, doctree: nodes.document) -> None:
    """Sort the terms by their English, in which `attention` stands before `attention weights`; keep what they mean."""
    for glossary in doctree.findall(addnodes.glossary):
        for terms in glossary.findall(nodes.definition_list):
            terms.children.sort(key=lambda item: item[0].astext().split("·")[0].strip().lower())
            app.env.definitions = {  # type: ignore[attr-defined]
                label: item[-1].astext() for item in terms for term in item[:-1] for label in term["ids"]
            }


def read_page(app: Sphinx, doctree: nodes.document) -> None:
    """Note which runs of Chinese stand in the running text of a page."""
    texts = [text for text in doctree.findall(nodes.Text) if in_running_text(text)]
    USED.note(app.env, {run for text in texts for run in HAN.findall(text)})


class Chinese(SphinxPostTransform):
    """Mark runs of Chinese, and link the first use of a glossary term in each page."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        docname = self.env.docname
        terms = {text: where for text, where in glossary_terms(self.env).items() if where[0] != docname}
        for text in list(self.document.findall(nodes.Text)):
            if HAN.search(text) and not self._untouched(text):
                text.parent.replace(text, list(self._pieces(text, terms)))

    def _untouched(self, text: nodes.Text) -> bool:
        """Code, formulas and what is no text of the page stay as they are, and so does what is marked already."""
        kinds = nodes.literal, nodes.math, nodes.FixedTextElement, nodes.raw, nodes.comment, addnodes.index
        return within(text, *kinds) or CHINESE in text.parent.get("classes", [])

    def _pieces(self, text: nodes.Text, terms: dict[str, tuple[str, str]]) -> Any:
        linkable = in_running_text(text)
        end = 0
        for run in HAN.finditer(text):
            if run.start() > end:
                yield nodes.Text(text[end : run.start()])
            word = nodes.inline("", run.group(), classes=[CHINESE])
            if linkable and run.group() in terms:
                docname, label = terms.pop(run.group())
                meaning = shorten(definition_of(self.env, label), 240)
                word = make_refnode(self.app.builder, self.env.docname, docname, label, [word], meaning)
                word["classes"].append("term-link")
            yield word
            end = run.end()
        if end < len(text):
            yield nodes.Text(text[end:])


class Pages(SphinxPostTransform):
    """Behind each definition, the pages that use the term."""

    default_priority = 949
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for glossary in self.document.findall(addnodes.glossary):
            for item in glossary.findall(nodes.definition_list_item):
                if not definition_of(self.env, item[0]["ids"][0]).startswith(SHORT):
                    pages = USED.links(self, {chinese_of(term.astext()) for term in item[:-1]})
                    item[-1][-1] += pages


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(Pages)
    app.add_post_transform(Chinese)
    app.connect("doctree-read", read_glossary)
    app.connect("doctree-read", read_page)
    app.connect("env-purge-doc", USED.forget)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
