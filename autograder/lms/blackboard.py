"""Blackboard: the zip of "Assignment File Download", read by its names and by the notes that Blackboard puts into it.

For each attempt there are the files, `ASSIGNMENT_USER_attempt_2026-01-30-15-30-10_FILENAME`, and a note of the same
name without a file's, `…-10.txt`, which says "Name: Jane Doe (jdoe)" and "Date Submitted: … EST". Assignments and users
may have "_" in their names, so where a note says who it is, it is believed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.errors import SubmissionError
from autograder.handed_in.claims import Claim, Reading, by_their_clock, in_common
from autograder.handed_in.times import read_time
from autograder.handed_in.trees import Node
from autograder.text import shown

NAME = re.compile(r"(?P<who>.+?_.+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.S)
WHO = re.compile(r"^\s*Name:\s*(?P<name>.*?)\s*\((?P<user>[^()\r\n]+)\)\s*$", re.M)
ZONE = re.compile(r"^\s*Date Submitted:.*?(?P<zone>[A-Za-z]+|[+-]\d{4})\s*$", re.M)
MOST = 64 * 1024  # bytes of a note


@dataclass(frozen=True)
class Note:
    """What Blackboard itself says of an attempt."""

    name: str = ""
    user: str = ""
    zone: str = ""


def named_so(name: str) -> bool:
    """Whether Blackboard may have given a file this name."""
    return bool(NAME.fullmatch(name))


def read(top: Node, zone: str = "") -> Reading:
    """Blackboard's zip: all files in one folder, a claim for each attempt; `zone` is that of its clock."""
    reading = Reading("a download from Blackboard")
    attempts: dict[tuple[str, str], Claim] = {}
    notes: dict[str, Note] = {}
    for node in top.children():
        match = NAME.fullmatch(node.name)
        if node.is_folder or match is None:
            reading.stray(node, "not named as Blackboard names a submission")
            continue
        who, when = match["who"], match["time"]
        claim = attempts.setdefault((who, when), Claim(who, origin=who, key=who, attempt=when))
        if match["file"]:
            claim.add(node, match["file"])
        else:
            notes[who] = _note(node) or notes.get(who, Note())
    users = _users({who for who, _ in attempts}, notes)
    for (who, when), claim in attempts.items():
        about = notes.get(who, Note())
        claim.name = users[who]
        claim.display_name = shown(about.name or claim.name)
        claim.order = _order(when)
        by_their_clock(claim, when, about.zone, zone)
    reading.claims += attempts.values()
    return reading


def _note(node: Node) -> Note | None:
    try:
        with node.open() as file:
            text = file.read(MOST).decode("utf-8", "replace")
    except SubmissionError:
        return None
    who, zone = WHO.search(text), ZONE.search(text)
    if who is None:
        return None
    return Note(who["name"], who["user"].strip(), zone["zone"] if zone else "")


def _order(when: str) -> float | None:
    with contextlib.suppress(ValueError):
        return read_time(when).timestamp()
    return None


def _users(whos: Iterable[str], notes: dict[str, Note]) -> dict[str, str]:
    """The user of each ASSIGNMENT_USER: as a note says, else what follows the assignment, which all have in common."""
    whos = sorted(whos)
    known = {who: notes[who].user for who in whos if who in notes and who.endswith(f"_{notes[who].user}")}
    starts = {who[: -len(user)] for who, user in known.items()} or {_start_of_all(whos)}
    start = max((start for start in starts if all(who.startswith(start) for who in whos)), key=len, default="")
    found = {}
    for who in whos:
        rest = who.removeprefix(start) if start else ""
        found[who] = known.get(who) or rest or who.rpartition("_")[2]
    return found


def _start_of_all(whos: list[str]) -> str:
    """The assignment's name: what stands before the last "_" of all, or the beginning that all have in common."""
    before = {who.rpartition("_")[0] for who in whos}
    common = before.pop() if len(before) == 1 else in_common(whos).rpartition("_")[0]
    return f"{common}_" if common else ""
