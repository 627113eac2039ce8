"""Which scripts and styles a page loads: what it uses, each script deferred, and nothing else.

A figure needs no line here: a script in `chapters/assets` that is named after its element (`mask-lab.js` for
`<mask-lab>`) is loaded by every page whose text holds that element, and `lab.js`, what figures share, before it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ASSETS = Path(__file__).parent.parent / "assets"
THEME = "scripts/pydata-sphinx-theme.js"  # colour mode, search box, sidebars; it does not need Bootstrap
SHARED = "lab.js"
MATH = "math.js"
TERMS = "terms.js"
SOLVE = "solve.js"

# Scripts and styles of extensions that are worth their bytes only where the page holds what they work on.
ONLY_WITH = {
    "model-labs.css": "<(write|inside)-lab",
    "attention-labs.css": 'class="(drawings|tape)|<(clock|push|nudge)-lab',
    "classification-labs.css": "<(seeds|verdict|judge)-lab",
    "bench.css": "<token-bench",
    "clipboard.min.js": "<pre",
    "copybutton.js": "<pre",
    "copybutton.css": "<pre",
    "togglebutton.js": 'class="[^"]*(toggle|admonition[^"]* dropdown)',
    "togglebutton.css": 'class="[^"]*(toggle|admonition[^"]* dropdown)',
    "design-tabs.js": "sd-tab-set",
    "sphinx-design.min.css": "sd-(?!sphinx-override|dropdown|card-body|card-header|summary|mb-|fade|card\\b)",
}
# The look is ours (book.css, course.css), and so is the search (search.js); a kernel is not used, and MathJax comes
# when a formula does (math.js).
NEVER = re.compile(
    r"doctools|sphinx_highlight|thebe|mathjax|require(\.min)?\.js|sphinx-book-theme\.css|pygments\.css|mystnb\."
)
# The faces that a page begins with are asked for before its styles are read, or its first lines would be set twice, and
# all below them would move. A page that is opened as a file may not ask so, and has them at once.
FACES = ["course-serif.woff2", "course-serif-semibold.woff2"]
ASK_FOR_FACES = """<script>
if (location.protocol !== "file:") for (const href of %s)
  document.head.append(Object.assign(document.createElement("link"), {rel: "preload", as: "font", type: "font/woff2", crossOrigin: "anonymous", href}));
</script>"""  # noqa: E501
# Left in the built site by the theme, and asked for by no page.
UNUSED = ["**/*.map", "scripts/fontawesome.js*", "scripts/bootstrap.js*", "styles/*.css", "sphinx-thebe.*", "mystnb.*",
          "locales", "vendor", "images/logo_*", "*webpack-macros.html"]  # fmt: skip


def figure_scripts(body: str, assets: Path = ASSETS) -> list[str]:
    """The scripts of the figures in a page: `softmax-lab.js` if there is a `<softmax-lab>`, and `lab.js` first."""
    elements = sorted(path.stem for path in assets.glob("*-*.js"))
    found = [f"{element}.js" for element in elements if re.search(rf"<{element}[\s>]", body)]
    return [SHARED, *found] if found else []


def is_wanted(file: Any, body: str) -> bool:
    """Whether a page with this body needs a script or style that Sphinx would have it load."""
    name = Path(str(file.filename or "")).name
    inline = file.attributes.get("body", "")
    if NEVER.search(str(file.filename)) or NEVER.search(inline.lower()) or "://" in str(file.filename):
        return False
    if inline:  # settings: those of togglebutton go where it goes, and the theme's only concern things not used here
        return "toggle" in inline and re.search(ONLY_WITH["togglebutton.js"], body) is not None
    return name not in ONLY_WITH or re.search(ONLY_WITH[name], body) is not None


def choose(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Take out what the page does not use, defer what stays, and add the scripts of its figures and formulas."""
    body = context.get("body", "")
    for script in figure_scripts(body):
        app.add_js_file(script)
    marks = {MATH: r'class="[^"]*\bmath\b', SOLVE: r'class="(solve-list|course-exercises)"', TERMS: r'class="term-link'}
    for script, mark in marks.items():
        if re.search(mark, body):
            app.add_js_file(script)
    for kind in ["script_files", "css_files"]:
        context[kind] = [file for file in context.get(kind, []) if is_wanted(file, body)]
    faces = [context["pathto"](f"_static/fonts/{face}", 1) for face in FACES]
    context["metatags"] = context.get("metatags", "") + ASK_FOR_FACES % json.dumps(faces)
    for script in context["script_files"]:
        if not script.attributes.get("body"):
            script.attributes.pop("async", None)
            script.attributes["defer"] = "defer"


# A string or an address, which stays as it is, or what stands between rules and declarations.
BETWEEN = re.compile(r"""("[^"]*"|'[^']*'|url\([^)]*\))|\s*([{};,])\s*""")


def without_comments(name: str, text: str) -> str:
    """A script without what it says to authors and without its indents, a style sheet without comments and blanks."""
    if name.endswith(".css"):
        text = re.sub(r"\s*/\*.*?\*/", "", text, flags=re.DOTALL).lstrip()
        return BETWEEN.sub(lambda found: found[1] or found[2], text)  # blanks around these say nothing
    text = re.sub(r"\A/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    lines = text.split("\n")
    if any(line.count("`") % 2 for line in lines):  # a template over several lines, in which blanks count
        return text
    return "\n".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("//")) + "\n"


def sweep(app: Sphinx, exception: Exception | None) -> None:
    """Remove from the built site what the theme copied and no page asks for, and what only authors read."""
    import shutil

    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for pattern in UNUSED:
        for path in list(static.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for asset in [*ASSETS.glob("*.css"), *ASSETS.glob("*.js"), *ASSETS.glob("solve/*")]:
        text = without_comments(asset.name, asset.read_text(encoding="utf-8"))
        (static / asset.relative_to(ASSETS)).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.config.templates_path.append(str(Path(__file__).parent / "templates"))
    app.add_js_file(THEME)
    app.add_js_file("accessible.js")
    app.connect("html-page-context", choose, priority=990)
    app.connect("build-finished", sweep)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
