"""A figure's data in a file of its own where there is much of it: no text should wait for what stands far below it.

A figure holds its data as JSON (assets/lab.js). Up to LONG characters it stays in the page. A longer one becomes a
script beside the page's other files, which lab.js loads when the reader comes near: a script, since a page that is
opened from disk may not fetch.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LONG = 40_000
RECORD = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


def move_out(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Write a page's long records to `_static/records/` and have their figures name the file."""
    folder = Path(app.outdir, "_static", "records")
    numbers = itertools.count(1)

    def moved(found: re.Match[str]) -> str:
        if len(found[1]) <= LONG:
            return found[0]
        name = f"{pagename.replace('/', '-')}-{next(numbers)}.js"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'lab.records["{name}"]={found[1]};', encoding="utf-8")
        digest = hashlib.sha256(found[1].encode("utf-8")).hexdigest()[:8]
        address = context["pathto"](f"_static/records/{name}", 1)
        return f'<script type="application/json" data-src="{address}?v={digest}"></script>'

    if "body" in context:
        context["body"] = RECORD.sub(moved, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", move_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
