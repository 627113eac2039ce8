"""What the book adds to Sphinx: the exercise panel, and MathJax served from the site itself.

``{exercises} attention/weights`` shows the exercises of ``solutions/attention/weights.py`` with their points,
a download, a link into a JupyterLab running on the reader's machine, and the reference solutions behind a door.
"""

from __future__ import annotations

import ast
import re
import shutil
import sysconfig
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

LAB = "http://localhost:8888/lab/tree/"
MATHJAX = Path(sysconfig.get_paths()["purelib"]) / "sphinx-mathjax-offline" / "static" / "mathjax"
SOLUTION = re.compile(r"^[ \t]*### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION", re.DOTALL | re.MULTILINE)


def cells(source: str) -> list[tuple[dict, str]]:
    """The nbgrader cells of a py:percent source: (metadata, code), in order."""
    parts = re.split(r"^# %%(.*)\n", source, flags=re.MULTILINE)
    found = []
    for header, body in zip(parts[1::2], parts[2::2], strict=True):
        match = re.search(r"nbgrader=(\{.*\})", header)
        if match:
            text = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", match[1]))
            found.append((ast.literal_eval(text), body))
    return found


def door(title: str) -> tuple[nodes.raw, nodes.raw]:
    """The opening and closing of a <details>."""
    opening = nodes.raw("", f"<details><summary>{title}</summary>", format="html")
    return opening, nodes.raw("", "</details>", format="html")


class Exercises(SphinxDirective):
    """The panel for one exercise notebook."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments[0].split("/")
        root = Path(self.env.srcdir)
        source = root / "solutions" / chapter / f"{name}.py"
        notebook = root / "chapters" / chapter / "exercises" / f"{name}.ipynb"
        found = []
        if source.is_file():
            self.env.note_dependency(str(source))
            found = cells(source.read_text(encoding="utf-8"))
        points = {m["grade_id"].removeprefix("test_"): m["points"] for m, _ in found if m.get("grade")}
        solved = [(m["grade_id"], code) for m, code in found if m.get("solution")]

        links = ["*Exercise notebook:*"]
        if notebook.is_file():
            links.append(f"{{download}}`download {name}.ipynb <exercises/{name}.ipynb>` or")
        links.append(f"[open it in your own JupyterLab]({LAB}chapters/{chapter}/exercises/{name}.ipynb)")
        text = [f"Exercises: {sum(points.values()):g} points", "", " ".join(links), ""]
        text += [f"- `{exercise}`: {points.get(exercise, 0):g} points" for exercise, _ in solved]

        panel = nodes.container(classes=["exercise-panel"])
        panel += self.parse_text_to_nodes("\n".join(text))
        if solved:
            opening, closing = door("Reference solutions (try first)")
            panel += opening
            for _, code in solved:
                shown = SOLUTION.sub(r"\1", code).strip("\n")
                block = nodes.literal_block(shown, shown)
                block["language"] = "python"
                panel += block
            panel += closing
        return [panel]


def copy_mathjax(app: Sphinx) -> None:
    """Put the part of MathJax that the pages load under _static/mathjax."""
    if app.builder.format != "html":
        return
    into = Path(app.outdir) / "_static" / "mathjax"
    into.mkdir(parents=True, exist_ok=True)
    shutil.copy2(MATHJAX / "tex-chtml.js", into)
    for part in ("output/chtml", "input/tex/extensions"):
        shutil.copytree(MATHJAX / part, into / part, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict:
    app.add_directive("exercises", Exercises)
    app.connect("builder-inited", copy_mathjax)
    app.connect("config-inited", lambda _app, config: setattr(config, "mathjax_path", "mathjax/tex-chtml.js"))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
