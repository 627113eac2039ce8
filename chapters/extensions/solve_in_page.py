"""Exercises that are solved in the page: below the panel of `{exercises}`, each with its text, an editor and a verdict.

A page holds the texts and the stubs, folded; what runs them is loaded when a reader opens one (assets/solve.js). The
notebook itself is the one that the page hands out. A notebook is offered here if all that it imports is in Python's
library, in NumPy, in SciPy or in `regex`; where the files of Python in the page are not at hand (python_files.py), none
is.
"""

from __future__ import annotations

import ast
import hashlib
import html
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import banks
import model_in_page
import python_files
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from autograder import asking, examples
from autograder.grading import causes
from autograder.notebook import helper
from autograder.notebook.source import exercise_of

HERE = Path(__file__).parent
IN_PAGE = HERE / "in_page"
SCRIPTS = "solve"  # the folder of the scripts in the built site's _static
FLIGHT = "flight.js"  # the one among them that works from the root of the site
FEW = {"softmax", "log_softmax"}  # of scipy.special: without more of SciPy, our own few lines do
PROPERTIES = ("L", "Lu", "Ll", "M", "N", "P", "S", "Z", "Han")
LEAD = """<p class="solve-lead">You can solve them here. Open an exercise, write your answer and press <em>Check</em>:
the verdict is that of the notebook. What you write stays in this browser.</p>"""
TOOLS = """<p class="solve-tools pst-js-only">
<button type="button" data-solve="download">Download my notebook</button>
<button type="button" data-solve="bring">Bring a notebook</button>
<span class="solve-said" role="status"></span></p>"""
MAP = """<div class="course-progress pst-js-only">
<p class="course-progress-said">Exercises that you solve in their pages fill this map.</p>
<p class="solve-tools"><button type="button" data-solve="pack">Save my answers to a file</button>
<button type="button" data-solve="unpack">Bring answers from a file</button>
<span class="solve-said" role="status"></span></p></div>"""
logger = logging.getLogger(__name__)


# ---- what of a notebook can run here


def packages_of(sources: Iterable[str]) -> list[str] | None:
    """What a notebook needs besides Python's library: a list of "numpy", "scipy", "regex"; None if it needs more."""
    found: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                few = node.module == "scipy.special" and {alias.name for alias in node.names} <= FEW
                found.add("numpy" if few else node.module.split(".")[0])
    found -= sys.stdlib_module_names
    return sorted(found) if found <= {"numpy", "scipy", "regex"} else None


# ---- a notebook's cells, as the page shows them


@dataclass
class Block:
    """An exercise of a notebook, or (`exercise` is "") what is given before some."""

    title: str
    exercise: str = ""
    plan: str = ""
    parts: list[Any] = field(default_factory=list)  # cells, in order
    stub: str = ""
    points: float = 0.0
    asked: str = ""  # a digest of what is asked: when it changes, an old verdict holds no longer


def blocks_of(cells: Iterable[Any]) -> list[Block]:
    """A released notebook's cells in blocks: what is given, and the exercises, in order."""
    found: list[Block] = []
    given = ""
    for cell in cells:
        about = cell["metadata"].get("nbgrader", {})
        source = "".join(cell["source"])
        if about.get("grade_id") == asking.CELL:
            continue
        if about.get("grade") and not about.get("solution"):
            block = found[-1]
            block.points, block.exercise = float(about["points"]), exercise_of(about["grade_id"])
            block.asked = hashlib.sha256(f"{given}{block.stub}{source}".encode()).hexdigest()[:12]
        elif about.get("solution"):
            found[-1].stub, given = source, given + source
        else:
            if cell["cell_type"] == "markdown" and source.startswith("#"):
                head, _, source = source.partition("\n")
                found.append(Block(head.lstrip("# ")))
                first, _, rest = source.lstrip().partition("\n")
                if first.startswith("*difficulty"):
                    found[-1].plan, source = first.strip("* "), rest
            elif not found or found[-1].exercise:
                found.append(Block("Given"))
            if cell["cell_type"] == "code":
                given += source
            found[-1].parts.append((cell["cell_type"], source.strip("\n")))
    return found


def exercises(notebook: Path, name: str, parse: Callable[[list[str]], list[nodes.Node]], env: Any) -> list[nodes.Node]:
    """What a page shows of its notebook (`name` is "attention/weights"); nothing where it cannot run here."""
    if not env.app.config.python_in_page or not notebook.is_file():
        return []
    cells = json.loads(notebook.read_text(encoding="utf-8")).get("cells", [])
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    packages = packages_of(code)
    blocks = blocks_of(cells) if packages is not None and cells else []
    asked = {block.exercise: block.asked for block in blocks if block.exercise}
    if not asked:
        return []
    env.note_dependency(str(notebook))
    if not hasattr(env, "solved_in_page"):
        env.solved_in_page = {}
    env.solved_in_page[env.docname] = {"notebook": name, "asked": asked}
    needs = html.escape(" ".join(packages or []))
    opening = f'<div class="solve-list" data-notebook="{html.escape(name)}" data-needs="{needs}">'
    found: list[nodes.Node] = [nodes.raw("", opening + LEAD, format="html")]
    for number, block in enumerate(blocks):
        found += _shown(block, parse, "Before you begin" if number == 0 and not block.exercise else block.title)
    return [*found, nodes.raw("", f"{TOOLS}</div>", format="html")]


def _shown(block: Block, parse: Callable[[list[str]], list[nodes.Node]], title: str) -> list[nodes.Node]:
    """One block, folded."""
    if block.exercise:
        name = html.escape(block.exercise)
        words = [part.strip() for part in block.plan.replace("difficulty", "").split("·") if "importance" not in part]
        words.append(f"{block.points:g} point{'' if block.points == 1 else 's'}")
        opening = (f'<details class="solve" id="solve-{name}" data-exercise="{name}" data-asked="{block.asked}">'
                   f'<summary><code>{name}</code> <span class="solve-plan">{html.escape(" · ".join(words))}</span> '
                   '<span class="solve-state"></span></summary>')  # fmt: skip
    else:
        opening = f'<details class="solve-given"><summary>{_as_title(title)}</summary>'
    found: list[nodes.Node] = [nodes.raw("", opening, format="html")]
    for kind, source in block.parts:
        is_code = kind == "code"
        found += [nodes.literal_block(source, source, language="python")] if is_code else parse(source.split("\n"))
    if block.exercise:
        found.append(nodes.raw("", '<div class="solve-answer">', format="html"))
        found.append(nodes.literal_block(block.stub, block.stub, language="python"))
        found.append(nodes.raw("", "</div>", format="html"))
    return [*found, nodes.raw("", "</details>", format="html")]


def _as_title(text: str) -> str:
    """A heading's text, in which only `code` is marked."""
    pieces = html.escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))


# ---- what the site carries


def regex_properties() -> dict[str, str]:
    """Property → the inside of a class of its characters, as the installed `regex` has them; `^` begins all others.

    `s` and `w` are its `\\s` and `\\w`.
    """
    import regex

    every = "".join(map(chr, range(sys.maxunicode + 1)))
    classes = {name: rf"\p{{{name}}}" for name in PROPERTIES} | {"s": r"\s", "w": r"\w"}
    found = {}
    for name, text in classes.items():
        runs = [match.span() for match in regex.finditer(f"{text}+", every)]
        ends = [0, *(place for run in runs for place in run), len(every)]
        between = [(first, last) for first, last in zip(ends[::2], ends[1::2], strict=True) if first < last]
        found |= {name: _class_of(runs), f"^{name}": _class_of(between)}
    return found


def _class_of(runs: Iterable[tuple[int, int]]) -> str:
    """Runs of code points (the end is not in them) as they stand between the brackets of a class."""
    return "".join(f"{_sign(first)}-{_sign(end - 1)}" for first, end in runs)


def _sign(code: int) -> str:
    return f"\\u{code:04x}" if code < 128 or 0xD800 <= code < 0xE000 else chr(code)


def python_of_the_page() -> dict[str, str]:
    """The Python files that the page writes before it begins: path → text."""
    found = {path.relative_to(IN_PAGE).as_posix(): path.read_text(encoding="utf-8") for path in IN_PAGE.rglob("*.py")}
    stand_in = {path: text for path, text in found.items() if path.startswith("scipy/")}
    found = {path: text for path, text in found.items() if path not in stand_in}
    found |= {f"few/{path}": text for path, text in stand_in.items()}
    found |= {f"autograder/{folder}__init__.py": "" for folder in ("", "grading/", "notebook/")}
    found |= {f"{module.__name__.replace('.', '/')}.py": inspect.getsource(module) for module in helper.MODULES}
    found["autograder/grading/causes.py"] = inspect.getsource(causes)
    found["autograder/examples.py"] = inspect.getsource(examples)
    found["autograder/notebook/source.py"] = inspect.getsource(exercise_of)
    found["regex_properties.json"] = json.dumps(regex_properties(), separators=(",", ":"))
    return found


def copy_python(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html" or not app.config.python_in_page:
        return
    static = Path(app.outdir, "_static")
    python_files.copy_into(static)
    text = json.dumps(python_of_the_page(), ensure_ascii=False)
    (static / SCRIPTS / "python.json").write_text(text, encoding="utf-8")
    solved = getattr(app.env, "solved_in_page", {})
    model_in_page.copy_into(static / SCRIPTS, Path(app.srcdir), solved)
    banks.copy_into(static / SCRIPTS, Path(app.srcdir), {page["notebook"]: page["asked"] for page in solved.values()})
    site = Path(app.outdir)
    built = [path for kind in ("html", "js", "css", "json", "ipynb") for path in site.rglob(f"*.{kind}")]
    flight = (static / SCRIPTS / FLIGHT).read_text(encoding="utf-8")
    flight = flight.replace("of this book", digest_of(path for path in built if path.name != FLIGHT))
    flight = flight.replace("of its python", digest_of([static / python_files.FOLDER / "pyodide-lock.json"]))
    (site / FLIGHT).write_text(flight, encoding="utf-8")


def digest_of(paths: Iterable[Path]) -> str:
    """Of what these files hold: it changes when one of them does."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


# ---- the first page's map


def progress(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """The map is filled by what the reader has solved: it is told which exercises there are, in the book's order."""
    if 'class="course-map"' not in context.get("body", ""):
        return
    pages = getattr(app.env, "solved_in_page", {})
    listed = [{
        "chapter": name.split("/")[-2], "title": app.env.titles[name].astext(), "href": context["pathto"](name),
        **pages[name],
    } for name in in_order(app) if name in pages]  # fmt: skip
    if listed:
        data = json.dumps(listed, ensure_ascii=False).replace("<", "\\u003c")
        script = f'<script type="application/json" class="course-exercises">{data}</script>\n</figure>\n{MAP}'
        start = context["body"].index('class="course-map"')
        context["body"] = context["body"][:start] + context["body"][start:].replace("</figure>", script, 1)


def in_order(app: Sphinx) -> list[str]:
    return [name for name in app.env.toctree_includes.get(app.config.root_doc, []) if name]


def purge(app: Sphinx, env: Any, docname: str) -> None:
    getattr(env, "solved_in_page", {}).pop(docname, None)


def merge(app: Sphinx, env: Any, docnames: Iterable[str], other: Any) -> None:
    env.solved_in_page = {**getattr(env, "solved_in_page", {}), **getattr(other, "solved_in_page", {})}


def look_for_python(app: Sphinx, config: Any) -> None:
    """Whether the files are at hand; if not, the book says so once, and in continuous integration it is not built."""
    lacking = python_files.missing(python_files.cache_folder())
    config.python_in_page = not lacking
    if lacking:
        said = python_files.ABSENT.format(f"{', '.join(file.name for file in lacking)} missing")
        if os.environ.get("CI"):
            raise ExtensionError(said)
        logger.info(said)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("python_in_page", False, "env", bool)
    app.connect("config-inited", look_for_python)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("html-page-context", progress, priority=980)
    app.connect("build-finished", copy_python, priority=900)  # when all else is as it will be
    return {"parallel_read_safe": True, "parallel_write_safe": True}
