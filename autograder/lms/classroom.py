"""GitHub Classroom: repositories cloned side by side, told by what git keeps in each.

`gh classroom clone student-repos` makes a folder `attention-submissions` with a repository `attention-USER` for each
student or team. Nothing of git is run: a repository's settings can name programs. So when something was handed in is
not known, unless Classroom's list of grades is given as the roster: it has a column for it.
"""

from __future__ import annotations

import re

from autograder.errors import SubmissionError
from autograder.handed_in.claims import Claim, Reading, children, in_common
from autograder.handed_in.trees import Node
from autograder.text import shown

REMOTE = re.compile(r"^\s*url\s*=\s*\S*?github[^\s/:]*[/:](?:\S*/)?(?P<name>[^\s/]+?)(?:\.git)?\s*$", re.M | re.I)
OF_GIT = (".git", ".github", ".gitignore", ".gitattributes", ".devcontainer")
MOST = 64 * 1024  # bytes of git's settings


def repository(node: Node) -> str:
    """The name on GitHub of a cloned repository; "" for any other folder."""
    try:
        inside = node.children() if node.is_folder else []
        git = next((child for child in inside if child.name == ".git" and child.is_folder), None)
        config = next((child for child in git.children() if child.name == "config"), None) if git else None
        if config is None:
            return ""
        with config.open() as file:
            found = REMOTE.search(file.read(MOST).decode("utf-8", "replace"))
    except SubmissionError:
        return ""
    return found["name"] if found else ""


def read(top: Node) -> Reading:
    """Cloned repositories: a claim for each, called as its folder, without the assignment's name where all have it."""
    reading = Reading("repositories of GitHub Classroom")
    found: list[Node] = []
    chosen = False  # somebody has named the folders: by the students, no doubt
    for node in top.children():
        if name := repository(node):
            found.append(node)
            chosen |= node.name != name
        else:
            reading.stray(node, "not a repository cloned from GitHub")
    start = "" if chosen else _start_of_all([node.name for node in found], top.name)
    for node in found:
        name = node.name.removeprefix(start)
        claim = Claim(name, display_name=shown(name), origin=node.name)
        for child in children(node, claim):
            if child.name not in OF_GIT:
                claim.add(child)
        reading.claims.append(claim)
    return reading


def _start_of_all(names: list[str], folder: str) -> str:
    """`attention-`: as the folder is called, else what all the names have in common, up to a hyphen."""
    start = folder.removesuffix("-submissions") + "-"
    if folder.endswith("-submissions") and all(name.startswith(start) for name in names):
        return start
    common = in_common(names).rpartition("-")[0] if len(names) > 1 else ""
    return f"{common}-" if common else ""
