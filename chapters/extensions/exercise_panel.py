"""`{exercises} attention/weights`: a panel with the notebook, its exercises and, behind a last door, the solutions.

The panel links to the notebook itself and to a JupyterLab that runs on the reader's machine. Links that open it on
Colab and Binder need a public address of the course: they appear once `course_repository` in `_config.yml` names one,
`https://github.com/OWNER/NAME`, and only then. `course_branch` says which branch; `main` if it is not set.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.sample import MARKER
from autograder.notebook.source import exercise_of, read_source

LOCAL_LAB = "http://localhost:8888/lab/tree"
PLAN = re.compile(r"^#+ +`(\w+)`.*\n+\*difficulty (?P<difficulty>[●○]+).*?(?P<minutes>\d+) min", re.M)


def launch_links(where: str, repository: str, branch: str = "main") -> dict[str, str]:
    """Where a notebook of a public repository can be opened: label → address. Nothing for an unknown host."""
    address = urlsplit(repository.removesuffix("/").removesuffix(".git"))
    project = address.path.strip("/")
    if project.count("/") < 1:
        return {}
    path, ref = quote(where), quote(branch, safe="")
    if address.hostname == "github.com":
        return {
            "Open in Colab": f"https://colab.research.google.com/github/{project}/blob/{quote(branch)}/{path}",
            "Open on Binder": f"https://mybinder.org/v2/gh/{project}/{ref}?labpath={quote(where, safe='')}",
        }
    if address.hostname == "gitlab.com":
        binder = f"https://mybinder.org/v2/gl/{quote(project, safe='')}/{ref}?labpath={quote(where, safe='')}"
        return {"Open on Binder": binder}
    return {}


class Exercises(SphinxDirective):
    """The exercise notebook that belongs to a page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments[0].split("/")
        root = Path(self.env.srcdir)
        source = root / "solutions" / chapter / f"{name}.py"
        if not source.is_file():
            raise self.error(f"exercises: there is no solutions/{chapter}/{name}.py")
        self.env.note_dependency(str(source))
        cells = read_source(source).cells
        tasks = [c for c in cells if "nbgrader" in c.metadata]
        answers = [c for c in tasks if c.metadata.nbgrader.solution]
        solutions = {c.metadata.nbgrader.grade_id: MARKER.sub("", c.source) for c in answers}
        notebook = root / "chapters" / chapter / "exercises" / f"{name}.ipynb"
        panel = nodes.container(classes=["exercise-panel"])
        panel += self._parse(self._table(cells, tasks, self._bank(root, chapter)))
        if notebook.is_file():
            panel += self._launch(notebook, root)
        panel += self._parse([
            f"Check all of it in a terminal: `autograder check {name}.ipynb`. Known mistakes are wrong solutions that",
            "people write; the tests of an exercise are held to reject each of them, with a message that names it.",
        ])  # fmt: skip
        return [panel, *self._in_page(notebook, f"{chapter}/{name}"), *self._door(solutions)]

    def _in_page(self, notebook: Path, name: str) -> list[nodes.Node]:
        """The exercises themselves, where the book lets its reader solve them in the page."""
        if "solve_in_page" not in self.env.app.extensions:
            return []
        from solve_in_page import exercises

        return exercises(notebook, name, self._parse, self.env)

    def _parse(self, lines: list[str]) -> list[nodes.Node]:
        within = nodes.container()
        self.state.nested_parse(StringList([*lines, ""], source="exercises"), self.content_offset, within)
        return within.children

    def _table(self, cells: list[Any], tasks: list[Any], bank: list[Entry]) -> list[str]:
        """One row an exercise: what to expect of it, what it is worth, how well its tests know mistakes."""
        graded = [c.metadata.nbgrader for c in tasks if c.metadata.nbgrader.grade]
        rejected = Counter(entry.exercise for entry in bank if not entry.is_right)
        plans = {p[1]: p for c in cells if c.cell_type == "markdown" for p in PLAN.finditer(c.source)}
        rows = ["| exercise | difficulty | minutes | points | known mistakes |", "|---|---|--:|--:|--:|"]
        for test in graded:
            exercise = exercise_of(test.grade_id)
            plan = plans.get(exercise)
            difficulty, minutes = (plan["difficulty"], plan["minutes"]) if plan else ("", "")
            rows.append(f"| `{exercise}` | {difficulty} | {minutes} | {test.points:g} | {rejected[exercise]} |")
        return rows

    def _launch(self, notebook: Path, root: Path) -> nodes.Node:
        """The notebook, what lies beside it, and where it can be opened."""
        where = notebook.relative_to(root).as_posix()
        lines = [f"{{download}}`Download {notebook.name} </{where}>`"]
        for path in sorted(notebook.parent.glob("*")):
            if path.is_file() and path.suffix != ".ipynb" and not path.name.startswith("."):
                lines.append(f"{{download}}`{path.name} </{path.relative_to(root).as_posix()}>`")
        lines.append(f"[Open in JupyterLab on this machine]({LOCAL_LAB}/{where})")
        links = launch_links(where, self.config.course_repository, self.config.course_branch)
        lines += [f"[{label}]({address})" for label, address in links.items()]
        launch = nodes.container(classes=["launch"])
        launch += self._parse(lines)
        return launch

    def _bank(self, root: Path, chapter: str) -> list[Entry]:
        """The wrong and right solutions that the chapter's tests are held to."""
        bank = Course(root).bank(chapter)
        if not bank.is_file():
            return []
        self.env.note_dependency(str(bank))
        return load_bank(bank)

    def _door(self, solutions: dict[str, str]) -> list[nodes.Node]:
        """The reference solutions, closed until asked for."""
        opening = '<details class="last-door"><summary>The last door: reference solutions</summary>'
        note = "<p>Open it once you have a version of your own: comparing teaches, copying does not.</p>"
        found: list[nodes.Node] = [nodes.raw("", opening + note, format="html")]
        for name, code in solutions.items():
            found.append(nodes.raw("", f"<p><code>{html.escape(name)}</code></p>", format="html"))
            found.append(nodes.literal_block(code, code, language="python"))
        return [*found, nodes.raw("", "</details>", format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("course_repository", "", "env", str)
    app.add_config_value("course_branch", "main", "env", str)
    app.add_directive("exercises", Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
