"""What every page gets without a word in its source: a description, image sizes, marked answers.

- `<meta name="description">`: the page's first paragraph, or `html_meta: description` in its front matter.
- Width and height of every image, so that nothing jumps while the pictures load.
- A quick question's choices (one `<details><summary>choice</summary>` after another) are marked as right where the
  answer opens with Yes, and as wrong where it does not, so that an opened choice shows which it is.
- `arXiv:1706.03762` in running text becomes a link, and in a drawing, `<a data-chapter="attention">` one to the first
  page of that chapter.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

DESCRIPTION_LENGTH = 155
PIXELS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}
OTHER_PAGES = {"search": "Search this book: {title}.", "genindex": "Index of terms and functions: {title}."}


def describe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the template the page's description; a page that sets its own keeps it."""
    if 'name="description"' in (context.get("metatags") or ""):
        return
    text = OTHER_PAGES.get(pagename, "{title}.").format(title=app.config.html_title)
    paragraphs = doctree.findall(nodes.paragraph) if doctree is not None else []
    for paragraph in paragraphs:
        if isinstance(paragraph.parent, nodes.section):
            text = shorten(paragraph.astext())
            break
    context["description"] = text


def shorten(text: str, length: int = DESCRIPTION_LENGTH) -> str:
    """The text on one line, cut between words; an ellipsis says that it was cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: text.rfind(" ", 0, length)].rstrip(" ,;:.") + "…"


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an SVG or PNG file, in CSS pixels."""
    if path.suffix == ".png":
        head = path.read_bytes()[:24]
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if path.suffix != ".svg":
        return None
    tag = re.search(r"<svg\b[^>]*>", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [re.search(rf'\s{side}="([\d.]+)([a-z]*)"', tag.group()) for side in ("width", "height")] if tag else []
    if len(found) == 2 and all(found):
        width, height = (float(f[1]) * PIXELS[f[2]] for f in found if f)
        return round(width), round(height)
    box = re.search(r'viewBox="[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', tag.group()) if tag else None
    return (round(float(box[1])), round(float(box[2]))) if box else None


class ImageSizes(SphinxPostTransform):
    """Write each local image's own size on it; the style sheet keeps it within the column."""

    default_priority = 900

    def run(self, **kwargs: Any) -> None:
        for image in self.document.findall(nodes.image):
            path = Path(self.env.srcdir, unquote(image["uri"]))
            if "width" in image or "height" in image or not path.is_file():
                continue
            size = image_size(path)
            if size:
                image["width"], image["height"] = map(str, size)


def within(node: Any, *kinds: type) -> bool:
    """Whether a node stands, however deep, in one of these kinds of node."""
    while node is not None and not isinstance(node, kinds):
        node = node.parent
    return node is not None


class ArxivLinks(SphinxPostTransform):
    """Link the numbers of papers."""

    default_priority = 940
    number = re.compile(r"arXiv:(\d{4}\.\d{4,5})")

    def run(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if self.number.search(text) and not within(text, nodes.reference, nodes.literal, nodes.FixedTextElement):
                parts = self.number.split(text)  # text, number, text, number, text
                pieces: list[nodes.Node] = []
                for plain, number in zip(parts[::2], [*parts[1::2], ""], strict=True):
                    pieces.append(nodes.Text(plain))
                    if number:
                        address = f"https://arxiv.org/abs/{number}"
                        pieces.append(nodes.reference("", f"arXiv:{number}", refuri=address, internal=False))
                text.parent.replace(text, pieces)


SIZED = re.compile(r'<img ([^>]*) style="width: (\d+)px; height: (\d+)px;" />')
PLAIN_TOKENS = re.compile(r'<span class="(?:n|nn|p|o|w|x|nl|na|nv|no|pre)">([^<]*)</span>')
CHOICES = re.compile(r"(?:<details>\s*<summary>(?:(?!<details).)*?</details>\s*)+", re.DOTALL)
CHOICE = re.compile(r"<details>(\s*<summary>(?:(?!</summary>).)*</summary>\s*<p>(?:(Yes|Right)\b)?)", re.DOTALL)


def mark_choices(group: re.Match[str]) -> str:
    """The choices of one question, each with its verdict; doors that hold no right answer are left alone."""
    found = CHOICE.findall(group[0])
    if not any(right for _, right in found):
        return group[0]
    verdict = {True: "right", False: "wrong"}
    return CHOICE.sub(lambda m: f'<details class="choice" data-verdict="{verdict[bool(m[2])]}">{m[1]}', group[0])


def finish_body(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """What the writer's HTML cannot say yet.

    Quick questions: which choice is right is written in its answer; say so to the style sheet as well. Images: their
    size as attributes, from which a browser knows the shape before the picture is there, and pictures further down
    are loaded as the reader comes near.
    """
    if "body" not in context:
        return
    body = CHOICES.sub(mark_choices, context["body"])
    body = SIZED.sub(r'<img \1 width="\2" height="\3" loading="lazy" />', body)
    body = CHAPTER.sub(lambda m: link_chapter(app, context["pathto"], *m.groups()), body)
    # Most words of code have no colour of their own: without a span around each, a page has half as many nodes.
    body = PLAIN_TOKENS.sub(r"\1", body)
    body = body.replace('<th class="head"><p></p></th>', "<td></td>")  # a corner of a table is no heading
    # myst-nb names the summary of hidden code differently from what it shows.
    context["body"] = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")


CHAPTER = re.compile(r'<a data-chapter="(\w+)">(.*?)</a>', re.DOTALL)


def link_chapter(app: Sphinx, pathto: Any, chapter: str, content: str) -> str:
    """A link to a chapter's first page; the content alone if the book has no such chapter."""
    for docname in app.env.toctree_includes.get(app.config.root_doc, []):
        if docname.startswith(f"chapters/{chapter}/"):
            return f'<a href="{pathto(docname)}">{content}</a>'
    return content


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(ImageSizes)
    app.add_post_transform(ArxivLinks)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", finish_body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
