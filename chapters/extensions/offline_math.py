"""Serve MathJax from the built site: copy it from the installed package, and point the pages at the copy."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = "mathjax"


def mathjax_files() -> Path:
    """The folder of MathJax 3 that the package `sphinx-mathjax-offline` carries."""
    files = distribution("sphinx-mathjax-offline").files or []
    script = next(file for file in files if file.name == "tex-chtml.js")
    return Path(str(script.locate())).parent


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_files(), Path(app.outdir, "_static", FOLDER)
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    if (source / fonts).is_dir():
        shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", lambda _, config: setattr(config, "mathjax_path", f"{FOLDER}/tex-chtml.js"))
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
