"""The page of references: behind each entry, the pages that name it among their sources.

An entry and a page meet in the number of a paper, in an address, or in a title. What a page names and the references
lack fails the build.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from used_on import UsedOn

REFERENCES = "chapters/references"
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
USED = UsedOn("sources")
logger = logging.getLogger(__name__)


def keys_of(node: nodes.Element) -> set[str]:
    """What an entry is known by: numbers of papers, addresses without what follows the project, titles."""
    keys = {f"arXiv:{number}" for number in PAPER.findall(node.astext())}
    for link in node.findall(nodes.reference):
        address = re.sub(r"^https?://(www\.)?", "", link.get("refuri", "")).partition("#")[0].rstrip("/")
        if address.startswith("github.com/"):
            address = "/".join(address.split("/")[:3])
        if "." in address and not address.startswith("arxiv.org/"):
            keys.add(address.lower())
    return keys | {title.astext().rstrip(".").lower() for title in node.findall(nodes.emphasis)}


def read_page(app: Sphinx, doctree: nodes.document) -> None:
    """Note what a page names in its section Sources."""
    sections = [s for s in doctree.findall(nodes.section) if s[0].astext() == "Sources"]
    entries = [keys_of(item) for section in sections for item in section.findall(nodes.list_item)]
    USED.note(app.env, set().union(*entries))
    if not hasattr(app.env, "named_sources"):
        app.env.named_sources = {}  # type: ignore[attr-defined]
    app.env.named_sources[app.env.docname] = entries


def forget(app: Sphinx, env: Any, docname: str) -> None:
    """A page that is read anew, or gone."""
    USED.forget(app, env, docname)
    getattr(env, "named_sources", {}).pop(docname, None)


class Pages(SphinxPostTransform):
    """Behind each reference, the pages that name it."""

    default_priority = 930
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        if self.env.docname != REFERENCES:
            return
        known: set[str] = set()
        for item in list(self.document.findall(nodes.list_item)):
            keys = keys_of(item)
            known |= keys
            item[-1] += USED.links(self, keys)
        for page, entries in getattr(self.env, "named_sources", {}).items():
            for keys in entries:
                if keys and not keys & known:
                    logger.warning(f"{page} names a source that {REFERENCES}.md lacks: {', '.join(sorted(keys))}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(Pages)
    app.connect("doctree-read", read_page)
    app.connect("env-purge-doc", forget)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
