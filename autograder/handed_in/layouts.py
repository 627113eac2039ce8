"""Whose is what: the layouts in which submissions come, read from names and from what platforms say of themselves.

Each layout turns a tree into a `Claim` for each student, or for each try of one, and one `Problem` for each thing whose
student cannot be told. No file of a student's is opened. The facts about names are from the sources of nbgrader 0.9
(nbgrader/exchange/default); those of the platforms stand, with what is written for them, in `autograder.lms`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime

from autograder.errors import SubmissionError
from autograder.handed_in.claims import Claim, Reading, children
from autograder.handed_in.times import as_text, in_utc, read_time
from autograder.handed_in.trees import DiskNode, Node, is_junk
from autograder.lms import blackboard, brightspace, canvas, classroom, gradescope, moodle
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


PLATFORMS = ("exchange", "moodle", "canvas", "blackboard", "brightspace", "gradescope", "classroom")


def kind_of(top: Node) -> str:
    """Which layout most of what is in it speaks of.

    A folder or a zip of any other name speaks for a plain class: one student's odd name does not speak for the others.
    """
    inside = _listing(top)
    if any(node.name == gradescope.METADATA for node in inside):
        return "gradescope"
    votes: Counter[str] = Counter()
    for node in inside:
        spoken = {
            "exchange": node.is_folder and bool(EXCHANGE.fullmatch(node.name)),
            "moodle": moodle.named_so(node.name),
            "blackboard": not node.is_folder and blackboard.named_so(node.name),
            "brightspace": brightspace.named_so(node.name),
            "gradescope": node.is_folder and gradescope.named_so(node.name),
            "classroom": bool(classroom.repository(node)),
        }
        spoken["canvas"] = not node.is_folder and not any(spoken.values()) and canvas.named_so(node.name)
        votes.update(layout for layout, named_so in spoken.items() if named_so)
        votes["plain"] += not any(spoken.values()) and (node.is_folder or node.has_suffix(".zip"))
    best = max(PLATFORMS, key=lambda layout: votes[layout])
    return best if votes[best] and votes[best] >= votes["plain"] else "plain"


def _listing(folder: Node) -> list[Node]:
    """What is in a folder; nothing, if it cannot be looked into (whoever opens it will say so)."""
    with contextlib.suppress(SubmissionError):
        return [node for node in folder.children() if not is_junk(node.name)]
    return []


def read_names(top: Node, names: Collection[str], zone: str = "") -> Reading:
    """The claims in a tree, as its own layout reads it.

    `names` are those that the assignment may have in nbgrader's folders, the best first; `zone` is that of a
    platform's clock.
    """
    match kind_of(top):
        case "exchange":
            return _exchange(top, names)
        case "moodle":
            return moodle.read(top)
        case "canvas":
            return canvas.read(top)
        case "blackboard":
            return blackboard.read(top, zone)
        case "brightspace":
            return brightspace.read(top, zone)
        case "gradescope":
            return gradescope.read(top)
        case "classroom":
            return classroom.read(top)
        case _:
            return _plain(top, names)


def assignments_in(top: Node) -> list[str]:
    """The assignments that nbgrader's folders name, those of most students first; none in any other layout."""
    found: Counter[str] = Counter()
    kind = kind_of(top)
    for node in _listing(top):
        if kind == "exchange" and (match := EXCHANGE.fullmatch(node.name)):
            found[match["assignment"]] += 1
        elif kind == "plain" and node.is_folder:
            inside = [child for child in _listing(node) if child.is_folder]
            found.update(child.name for child in inside if top.name == "submitted" or _is_nbgraders(child))
    return [name for name, _ in found.most_common()]


def unwrapped(top: Node, names: Collection[str]) -> Node:
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
    if len(inner) == 1 and inner[0].is_folder and kind_of(inner[0]) != "plain":
        return inner[0]
    if isinstance(top, DiskNode) or _folder_of(only, names) or any(n.has_suffix(".ipynb", ".zip") for n in inner):
        return top  # a folder on disk is what the instructor pointed at
    students = [node for node in inner if node.is_folder]
    if len(students) == 1 == len(inner) and _class_in(students[0]):
        return students[0]
    return only if len(students) > 1 or any(_folder_of(node, names) for node in students) else top


def _folder_of(student: Node, names: Collection[str]) -> Node | None:
    """The folder named after the assignment in a student's folder."""
    folders = [node for node in _listing(student) if node.is_folder]
    for name in names:
        named = [node for node in folders if node.name.casefold() == name.casefold()]
        if named:
            return next((node for node in named if node.name == name), named[0])
    return None


def _plain(top: Node, names: Collection[str]) -> Reading:
    """A folder (or zip) for each student, with the notebooks or with a folder named after the assignment in it."""
    is_submitted = top.name == "submitted"
    reading = Reading("nbgrader's submitted/" if is_submitted else "a folder for each student")
    for node in top.children():
        if node.refusal or is_junk(node.name):
            reading.stray(node, node.refusal)
        elif node.name.startswith(".") and node.is_folder:
            reading.stray(node, "a hidden folder: rename it if it is a student's")
        elif node.is_folder and not _folder_of(node, names) and (holds := _class_in(node)):
            reading.stray(node, f"looks like the {holds}: give this folder by itself")
        elif node.is_folder:
            reading.claims.append(_plain_claim(node, names, is_submitted))
        elif node.has_suffix(".zip"):
            claim = Claim(node.name[:-4], display_name=shown(node.name[:-4]), origin=node.name)
            claim.add(node)
            reading.claims.append(claim)
        else:
            reading.stray(node, "whose is it? Put it into a folder with the student's name, or say with --names how "
                          "the files are named, as in --names '{student}_{file}'")  # fmt: skip
    _find_tries(reading.claims)
    return reading


MANY = 3  # folders with the same notebooks are nobody's own


def _class_in(folder: Node) -> str:
    """What a folder seems to hold, where it is no student's: whole classes lie one or two folders deeper.

    One student's tries, and versions of one notebook, are called so; a class's folders are called as its students.
    """
    if kind_of(folder) not in ("plain", "classroom"):
        return "download of a whole class"
    inside = [node for node in _listing(folder) if node.is_folder and not node.name.startswith(".")]
    places = Counter(name for node in inside if not _a_version(node.name) for name in _notebooks_in(node))
    if places and max(places.values()) >= MANY:
        return "folder of a whole class"
    return next((holds for node in inside if len(inside) == 1 and (holds := _class_in(node))), "")


def _notebooks_in(folder: Node) -> set[str]:
    return {node.name.casefold() for node in _listing(folder) if node.has_suffix(".ipynb")}


def _a_version(name: str) -> bool:
    return bool(A_TRY.fullmatch(name) or VERSIONS.search(name))


VERSIONS = re.compile(r"old|new|backup|copy|draft|final|archive|\d{4}[-_.]?\d\d[-_.]?\d\d", re.I)


# "ann_attempt2": only a word that can mean nothing else, with a number, and only where one name has it more than once.
NUMBERED = re.compile(
    r"(?P<name>.+?)[ _.-]+\(?(?:try|attempt|submission|versuch)[ _.-]*(?P<number>\d{1,3})\)?", re.I | re.S
)
A_TRY = re.compile(r"(?:try|attempt|submission|version|versuch|v)[ _.-]*(?P<number>\d{1,3})", re.I)


def _find_tries(claims: list[Claim]) -> None:
    """Folders `ann_try1` and `ann_try2` are one student's."""
    numbered = [(claim, NUMBERED.fullmatch(claim.name)) for claim in claims]
    several = Counter(match["name"] for _, match in numbered if match)
    for claim, match in numbered:
        if match and several[match["name"]] > 1:
            claim.attempt, claim.name, claim.key = claim.name, match["name"], match["name"]
            claim.display_name, claim.order = shown(match["name"]), float(match["number"])


def _plain_claim(folder: Node, names: Collection[str], is_submitted: bool) -> Claim:
    claim = Claim(folder.name, display_name=shown(folder.name), origin=folder.name)
    place = _folder_of(folder, names)
    if place:
        _fill(claim, children(place, claim))
        loose = [node for node in _listing(folder) if node.has_suffix(".ipynb", ".zip")]
        claim.notes += [f"{shown(node.name)}: not in the folder {place.name}: not opened" for node in loose]
        return claim
    inside = children(folder, claim)
    others = [node for node in inside if node.is_folder and (is_submitted or _is_nbgraders(node))]
    _fill(claim, [node for node in inside if node not in others])
    if others:
        wanted = next(iter(names), "of this assignment")
        claim.notes.append(f"no folder {wanted} in it, only {', '.join(shown(node.name) for node in others[:5])}")
    return claim


def _is_nbgraders(folder: Node) -> bool:
    """Whether nbgrader wrote a folder, as it does for each assignment."""
    return any(node.name in NBGRADERS_OWN for node in _listing(folder))


def _fill(claim: Claim, nodes: list[Node]) -> None:
    """All that lies in a student's folder, and nbgrader's note of the time beside it."""
    found = [(node.name, A_TRY.fullmatch(node.name)) for node in nodes if node.is_folder]
    attempts = {name: int(match["number"]) for name, match in found if match}
    if len(attempts) < 2:
        attempts = {}
    for node in nodes:
        if node.name == "timestamp.txt":
            claim.timestamp = _timestamp(node, claim)
        if node.name not in NBGRADERS_OWN:
            claim.add(node, attempt=attempts.get(node.name, 0))
    if attempts:
        said = ", ".join(shown(name) for name in sorted(attempts, key=lambda name: attempts[name]))
        claim.notes.append(f"{len(attempts)} tries ({said}): of each notebook the last counts")


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


def _exchange(top: Node, names: Collection[str]) -> Reading:
    """nbgrader's inbound folder: the latest of each student's submissions, as `nbgrader collect` chooses."""
    reading = Reading("nbgrader's exchange")
    versions: dict[str, list[tuple[datetime, str, Node, str]]] = defaultdict(list)
    others: Counter[str] = Counter()
    there = assignments_in(top)
    wanted = next((name for name in names if name in there), "")
    for node in top.children():
        match = EXCHANGE.fullmatch(node.name) if node.is_folder else None
        moment = _time(match["time"]) if match else None
        if match is None or moment is None:
            reading.stray(node, "not named STUDENT+ASSIGNMENT+TIMESTAMP")
        elif match["assignment"] != wanted:
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
