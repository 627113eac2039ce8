"""What a file is by its content, where its name does not say: browsers and systems rename notebooks.

`weights.ipynb.json`, `weights.ipynb.txt`, `weights.json`, a zip called `weights.ipynb`: looked at, never run.
"""

from __future__ import annotations

import re

from autograder.handed_in.trees import Node

HEAD = 256 * 1024  # bytes at the start and at the end of a file in which a notebook gives itself away
RENAMED = re.compile(r"(?P<stem>.+?)\.ipynb(?P<more>(?: ?\(\d{1,3}\)|[._-][\w ()-]{1,12})*)", re.I | re.S)
PERHAPS = (".json", ".txt", ".text", ".download")


def looks_like(node: Node, name: str) -> str:
    """What counts: ".zip" for a zip, whatever it is called, and for what is called one and is no notebook; else ""."""
    lower = name.casefold()
    if lower.endswith(".zip"):
        return "" if _head(node).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else ".zip"
    if lower.endswith(".ipynb") and _head(node).startswith(b"PK\x03\x04"):
        return ".zip"
    return ""


def notebook_stem(node: Node, name: str) -> str:
    """A notebook's name without its ending; "" for what is none."""
    lower = name.casefold()
    if lower.endswith(".ipynb"):
        return "" if looks_like(node, name) else name[: -len(".ipynb")]
    renamed = RENAMED.fullmatch(name)
    if renamed and not lower.endswith((".zip", ".html", ".pdf", ".py", ".md")):
        counter = re.fullmatch(r" ?\(\d{1,3}\)", renamed["more"] or "")
        return f"{renamed['stem']}{renamed['more']}" if counter else renamed["stem"]
    if lower.endswith((*PERHAPS, ".zip")) and _says_notebook(_head(node)):
        stem = name[: name.rindex(".")]
        return stem[: -len(".ipynb")] if stem.casefold().endswith(".ipynb") else stem
    return ""


def _head(node: Node) -> bytes:
    with node.open() as file:
        return file.read(HEAD)


def _says_notebook(head: bytes) -> bool:
    """A notebook is an object with cells, each of a type; other JSON is left alone."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith(b"{") and b'"cells"' in start and b'"cell_type"' in start
