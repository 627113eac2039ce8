"""The scripts of every page: ours are added, and those of a live kernel, which the book does not use, are taken out."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

SCRIPTS = ["accessible.js", "softmax-lab.js", "attention-map.js", "mask-lab.js", "tile-lab.js"]


def without_thebe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Thebe comes with Jupyter Book, is declared twice and names an outside address."""
    scripts = context.get("script_files", [])
    context["script_files"] = [s for s in scripts if "thebe" not in f"{s} {getattr(s, 'attributes', '')}".lower()]


def setup(app: Sphinx) -> dict[str, Any]:
    for script in SCRIPTS:
        app.add_js_file(script, loading_method="defer")
    app.connect("html-page-context", without_thebe, priority=990)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
