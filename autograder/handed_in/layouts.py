"""Whose is what: the layouts in which submissions come, read from names alone, before any file is opened.

Each layout turns a tree into one `Claim` a student and one `Problem` for each thing whose student cannot be told. The
facts about names are from the sources of nbgrader 0.9 (nbgrader/exchange/default); those of Canvas and Moodle stand,
with what is written for them, in `autograder.lms`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter, defaultdict
from datetime import datetime

from autograder.errors import SubmissionError
from autograder.handed_in.claims import Claim, Reading, children
from autograder.handed_in.times import as_text, in_utc, read_time
from autograder.handed_in.trees import DiskNode, Node, is_junk
from autograder.lms import canvas, moodle
from autograder.text import shown

UNKNOWN = "when it was handed in is not known, and no lateness is counted"
NBGRADERS_OWN = ("timestamp.txt", "submission_secret.txt")  # written by `nbgrader submit`


# nbgrader.exchange.default.submit: STUDENT+ASSIGNMENT+TIMESTAMP+RANDOM, the last part only by default; the time zone
# may be written as +0200 (nbgrader.utils.to_numeric_tz).
EXCHANGE = re.compile(
    r"(?P<student>.+)\+(?P<assignment>[^+]+)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Za-z]+| [+-]\d{4})?)(?:\+[^+]*)?",
    re.S,
)


def kind_of(top: Node) -> str:
    """Which layout most of the names speak of.

    A folder or a zip of any other name speaks for a plain class: one student's odd name does not speak for the others.
    """
    votes: Counter[str] = Counter()
    for node in _listing(top):
        spoken = {
            "exchange": node.is_folder and bool(EXCHANGE.fullmatch(node.name)),
            "moodle": moodle.named_so(node.name),
            "canvas": not node.is_folder and canvas.named_so(node.name),
        }
        votes.update(layout for layout, named_so in spoken.items() if named_so)
        votes["plain"] += not any(spoken.values()) and (node.is_folder or node.has_suffix(".zip"))
    best = max(("exchange", "moodle", "canvas"), key=lambda layout: votes[layout])
    return best if votes[best] and votes[best] >= votes["plain"] else "plain"


def _listing(folder: Node) -> list[Node]:
    """What is in a folder; nothing, if it cannot be looked into (whoever opens it will say so)."""
    with contextlib.suppress(SubmissionError):
        return [node for node in folder.children() if not is_junk(node.name)]
    return []


def read_names(top: Node, assignment: str) -> Reading:
    """The claims in a tree, as its own layout reads it."""
    match kind_of(top):
        case "exchange":
            return _exchange(top, assignment)
        case "moodle":
            return moodle.read(top)
        case "canvas":
            return canvas.read(top)
        case _:
            return _plain(top, assignment)


def unwrapped(top: Node, assignment: str) -> Node:
    """Without a folder that holds all the others: zips are often made, and unpacked, with one."""
    children = _listing(top)
    folders = {node.name: node for node in children if node.is_folder}
    if "inbound" in folders and kind_of(folders["inbound"]) == "exchange":
        return folders["inbound"]  # the exchange's folder of the course
    if {"source", "submitted"} <= folders.keys():
        return folders["submitted"]  # nbgrader's folder of the course
    if len(children) != 1 or not children[0].is_folder or kind_of(top) != "plain":
        return top
    only = children[0]
    if kind_of(only) != "plain":
        return only
    inner = _listing(only)
    if isinstance(top, DiskNode) or _folder_of(only, assignment) or any(n.has_suffix(".ipynb", ".zip") for n in inner):
        return top  # a folder on disk is what the instructor pointed at
    students = [node for node in inner if node.is_folder]
    return only if len(students) > 1 or any(_folder_of(node, assignment) for node in students) else top


def _folder_of(student: Node, assignment: str) -> Node | None:
    """The folder named after the assignment in a student's folder."""
    named = [n for n in _listing(student) if n.is_folder and n.name.casefold() == assignment.casefold()]
    return next((n for n in named if n.name == assignment), named[0] if named else None)


def _plain(top: Node, assignment: str) -> Reading:
    """A folder (or zip) for each student, with the notebooks or with a folder named after the assignment in it."""
    is_submitted = top.name == "submitted"
    reading = Reading("nbgrader's submitted/" if is_submitted else "a folder for each student")
    for node in top.children():
        if node.refusal or is_junk(node.name):
            reading.stray(node, node.refusal)
        elif node.name.startswith(".") and node.is_folder:
            reading.stray(node, "a hidden folder: rename it if it is a student's")
        elif node.is_folder:
            reading.claims.append(_plain_claim(node, assignment, is_submitted))
        elif node.has_suffix(".zip"):
            claim = Claim(node.name[:-4], display_name=shown(node.name[:-4]), origin=node.name)
            claim.add(node)
            reading.claims.append(claim)
        else:
            reading.stray(node, "whose is it? Put it into a folder with the student's name")
    return reading


def _plain_claim(folder: Node, assignment: str, is_submitted: bool) -> Claim:
    claim = Claim(folder.name, display_name=shown(folder.name), origin=folder.name)
    place = _folder_of(folder, assignment)
    if place:
        _fill(claim, children(place, claim))
        loose = [node for node in _listing(folder) if node.has_suffix(".ipynb", ".zip")]
        claim.notes += [f"{shown(node.name)}: not in the folder {assignment}: not opened" for node in loose]
        return claim
    inside = children(folder, claim)
    others = [node for node in inside if node.is_folder and (is_submitted or _is_nbgraders(node))]
    _fill(claim, [node for node in inside if node not in others])
    if others:
        claim.notes.append(f"no folder {assignment} in it, only {', '.join(shown(node.name) for node in others[:5])}")
    return claim


def _is_nbgraders(folder: Node) -> bool:
    """Whether nbgrader wrote a folder, as it does for each assignment."""
    return any(node.name in NBGRADERS_OWN for node in _listing(folder))


def _fill(claim: Claim, nodes: list[Node]) -> None:
    """All that lies in a student's folder, and nbgrader's note of the time beside it."""
    for node in nodes:
        if node.name == "timestamp.txt":
            claim.timestamp = _timestamp(node, claim)
        if node.name not in NBGRADERS_OWN:
            claim.add(node)


def _timestamp(node: Node, claim: Claim) -> str:
    try:
        with node.open() as file:
            text = file.read(100).decode("utf-8", "replace").strip()
    except SubmissionError as error:
        claim.notes.append(f"timestamp.txt: {error}")
        return ""
    if not text:
        return ""
    try:
        return in_utc(text)
    except ValueError:
        claim.notes.append(f"timestamp.txt: {shown(text, 40)} is not a time that can be read: {UNKNOWN}")
    return ""


def _time(text: str) -> datetime | None:
    """The time in a folder's name, for sorting."""
    with contextlib.suppress(ValueError):
        return read_time(text)
    return None


def _exchange(top: Node, assignment: str) -> Reading:
    """nbgrader's inbound folder: the latest of each student's submissions, as `nbgrader collect` chooses."""
    reading = Reading("nbgrader's exchange")
    versions: dict[str, list[tuple[datetime, str, Node, str]]] = defaultdict(list)
    others: Counter[str] = Counter()
    for node in top.children():
        match = EXCHANGE.fullmatch(node.name) if node.is_folder else None
        moment = _time(match["time"]) if match else None
        if match is None or moment is None:
            reading.stray(node, "not named STUDENT+ASSIGNMENT+TIMESTAMP")
        elif match["assignment"] != assignment:
            others[match["assignment"]] += 1
        else:
            versions[match["student"]].append((moment, node.name, node, match["time"]))
    reading.notes += [f"{n} of {shown(other)} left alone" for other, n in sorted(others.items())]
    for student, found in versions.items():
        reading.claims.append(_exchange_claim(student, sorted(found, key=lambda version: version[:2])))
    return reading


def _exchange_claim(student: str, versions: list[tuple[datetime, str, Node, str]]) -> Claim:
    moment, _, folder, written = versions[-1]
    claim = Claim(student, display_name=shown(student), origin=student)
    if len(versions) > 1:
        claim.notes.append(f"the latest of {len(versions)}: {written}")
    _fill(claim, children(folder, claim))
    if claim.timestamp and claim.timestamp != as_text(moment):
        claim.notes.append(f"timestamp.txt says {claim.timestamp}, the folder's name {written}")
    claim.timestamp = as_text(moment)  # by which nbgrader chooses, too
    owner = _owner(folder)
    if owner and owner != student:
        claim.notes.append(f"the folder belongs to the account {shown(owner)}")
    return claim


def _owner(folder: Node) -> str:
    """The account that wrote a folder, if it is neither this one nor unknown: nbgrader's collect compares it, too."""
    if sys.platform == "win32" or not isinstance(folder, DiskNode):
        return ""
    import pwd  # not on Windows

    with contextlib.suppress(OSError, KeyError):
        owner = folder.path.lstat().st_uid
        return "" if owner == os.getuid() else pwd.getpwuid(owner).pw_name
    return ""


def note_shared_ids(claims: list[Claim]) -> None:
    """Two names with one number of the LMS's: somebody's name is not what it seems."""
    for key in (canvas.NUMBER, moodle.NUMBER):
        sharing: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            sharing[claim.lms.get(key, "")].append(claim)
        for number, group in sharing.items():
            for claim in group if number and len(group) > 1 else []:
                others = ", ".join(shown(other.name) for other in group if other is not claim)
                claim.notes.append(f"the number {number} stands on files of {others}, too: whose are they?")
