"""`{exercises} attention/weights`: a panel with the notebook, its exercises and, behind a last door, the solutions."""

from __future__ import annotations

import html
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograder.bank import Entry, load_bank
from autograder.course import Course
from autograder.notebook_source import exercise_of, read_source
from autograder.sample import MARKER

LOCAL_LAB = "http://localhost:8888/lab/tree"


class Exercises(SphinxDirective):
    """The exercise notebook that belongs to a page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments[0].split("/")
        root = Path(self.env.srcdir)
        source = root / "solutions" / chapter / f"{name}.py"
        notebook = root / "chapters" / chapter / "exercises" / f"{name}.ipynb"
        if not source.is_file():
            raise self.error(f"exercises: there is no solutions/{chapter}/{name}.py")
        self.env.note_dependency(str(source))
        cells = [c for c in read_source(source).cells if "nbgrader" in c.metadata]
        graded = [c.metadata.nbgrader for c in cells if c.metadata.nbgrader.grade]
        points = {exercise_of(m.grade_id): m.points for m in graded}
        answers = [c for c in cells if c.metadata.nbgrader.solution]
        solutions = {c.metadata.nbgrader.grade_id: MARKER.sub("", c.source) for c in answers}
        where = notebook.relative_to(root)
        rejected = Counter(entry.exercise for entry in self._bank(root, chapter) if not entry.is_right)
        lines = ["| exercise | points | known mistakes that its tests name |", "|---|---|---|"]
        lines += [*(f"| `{e}` | {p:g} | {rejected[e]} |" for e, p in points.items()), ""]
        if notebook.is_file():
            download = f"{{download}}`Download {name}.ipynb </{where}>`"
            lines += [f"{download} · [open it in a JupyterLab that runs here]({LOCAL_LAB}/{where})", ""]
        lines += [f"Check all of it in a terminal: `autograder check {name}.ipynb`.", ""]
        panel = nodes.container(classes=["exercise-panel"])
        self.state.nested_parse(StringList(lines, source="exercises"), self.content_offset, panel)
        return [panel, *self._door(solutions)]

    def _bank(self, root: Path, chapter: str) -> list[Entry]:
        """The wrong and right solutions that the chapter's tests are held to."""
        bank = Course(root).bank(chapter)
        if not bank.is_file():
            return []
        self.env.note_dependency(str(bank))
        return load_bank(bank)

    def _door(self, solutions: dict[str, str]) -> list[nodes.Node]:
        """The reference solutions, closed until asked for."""
        opening = "<details class='last-door'><summary>The last door: reference solutions</summary>"
        note = "<p>Open it once you have a version of your own: comparing teaches, copying does not.</p>"
        found: list[nodes.Node] = [nodes.raw("", opening + note, format="html")]
        for name, code in solutions.items():
            found.append(nodes.raw("", f"<p><code>{html.escape(name)}</code></p>", format="html"))
            found.append(nodes.literal_block(code, code, language="python"))
        return [*found, nodes.raw("", "</details>", format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("exercises", Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
