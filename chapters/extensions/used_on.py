"""What each page uses, and the way back: links to the pages that use a thing. Shared by `terms` and `sources`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode


class UsedOn:
    """Sets of strings by page, kept in Sphinx's environment under one name."""

    def __init__(self, name: str) -> None:
        self.name = f"used_{name}"

    def _by_page(self, env: Any) -> dict[str, set[str]]:
        if not hasattr(env, self.name):
            setattr(env, self.name, {})
        found: dict[str, set[str]] = getattr(env, self.name)
        return found

    def note(self, env: Any, things: Iterable[str]) -> None:
        """What the page that is being read uses."""
        self._by_page(env)[env.docname] = set(things)

    def forget(self, app: Sphinx, env: Any, docname: str) -> None:
        """A page that is read anew, or gone."""
        self._by_page(env).pop(docname, None)

    def links(self, transform: SphinxPostTransform, things: set[str]) -> list[nodes.Node]:
        """Links to the other pages that use one of `things`, in the book's order: ` → The parts · Writing text`."""
        env, here = transform.env, transform.env.docname
        order = [name for name in env.toctree_includes.get(env.config.root_doc, []) if name != here]
        pages = [name for name in order if self._by_page(env).get(name, set()) & things]
        if not pages:
            return []
        found: list[nodes.Node] = []
        for page in pages:
            found.append(nodes.Text(" · " if found else " → "))
            title = nodes.inline("", env.titles[page].astext())
            found.append(make_refnode(transform.app.builder, here, page, "", [title]))
        return [nodes.inline("", "", *found, classes=["used-on"])]
