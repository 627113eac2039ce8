"""Brightspace (D2L): the zip of an assignment's submissions, read by its names.

A submission is a folder `397063-2557369 - Jane Doe - Sep 24, 2026 926 PM`, or, where files are downloaded without
folders, the beginning of a file's name, with " - " after it. A student may have several, and all are kept there.
"""

from __future__ import annotations

import contextlib
import re

from autograder.handed_in.claims import Claim, Reading, by_their_clock, children
from autograder.handed_in.times import read_time
from autograder.handed_in.trees import Node
from autograder.text import shown

NAME = re.compile(
    r"(?P<number>\d+-\d+) ?- ?(?P<name>.+?) ?- (?P<time>(?:(?! - ).)*\b(?:19|20)\d\d\b(?:(?! - ).)*)"
    r"(?: - (?P<file>.+))?",
    re.S,
)
ITS_OWN = ("index.html",)  # Brightspace's list of what is in the zip


def named_so(name: str) -> bool:
    """Whether Brightspace may have given a file or a folder this name."""
    return bool(NAME.fullmatch(name))


def read(top: Node, zone: str = "") -> Reading:
    """Brightspace's zip: a claim for each submission; `zone` is that of its clock."""
    reading = Reading("a download from Brightspace")
    claims: dict[tuple[str, str, str], Claim] = {}
    numbers: dict[str, set[str]] = {}
    for node in top.children():
        match = NAME.fullmatch(node.name)
        if node.name in ITS_OWN:
            continue
        if match is None or node.is_folder is bool(match["file"]):
            reading.stray(node, "not named as Brightspace names a submission")
            continue
        number, name, when = match["number"], match["name"].strip(), match["time"].strip()
        numbers.setdefault(name, set()).add(number)
        new = Claim(name, display_name=shown(name), origin=f"{name} {number}", attempt=when)
        claim = claims.setdefault((number, name, when), new)
        claim.key = f"{number} {name}"
        for file in children(node, claim) if node.is_folder else [node]:
            claim.add(file, match["file"] or "")
    for (number, name, when), claim in claims.items():
        if len(numbers[name]) > 1:  # two students of one name
            claim.name = f"{name}_{number.partition('-')[0]}" if _tell_apart(numbers[name]) else f"{name}_{number}"
        with contextlib.suppress(ValueError):
            claim.order = read_time(when).timestamp()
        by_their_clock(claim, when, "", zone)
    reading.claims += claims.values()
    return reading


def _tell_apart(numbers: set[str]) -> bool:
    """Whether the first half of the numbers is enough."""
    return len({number.partition("-")[0] for number in numbers}) == len(numbers)
