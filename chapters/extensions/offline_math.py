"""Serve MathJax from the built site: copy the parts that formulas need from the installed package.

The pages load it through `math.js`, when a formula comes near.
"""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = "mathjax"
PARTS = ["startup.js", "core.js", "input/tex.js", "output/chtml.js", "output/chtml/fonts/tex.js",
         "a11y/assistive-mml.js"]  # fmt: skip
FOLDERS = ["input/tex/extensions", "output/chtml/fonts/woff-v2"]  # loaded one by one, as a formula asks for them


def mathjax_files() -> Path:
    """The folder of MathJax 3 that the package `sphinx-mathjax-offline` carries."""
    files = distribution("sphinx-mathjax-offline").files or []
    script = next(file for file in files if file.name == "tex-chtml.js")
    return Path(str(script.locate())).parent


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_files(), Path(app.outdir, "_static", FOLDER)
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / part, target / part)
    for folder in FOLDERS:
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    # Sphinx names an outside address by default; no page loads it (page_scripts), and none shall name it.
    app.connect("config-inited", lambda _, config: setattr(config, "mathjax_path", f"{FOLDER}/startup.js"))
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
