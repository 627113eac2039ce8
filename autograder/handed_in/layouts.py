"""Whose is what: the layouts in which submissions come, read from names alone, before any file is opened.

Each layout turns a tree into one `Claim` a student and one `Problem` for each thing whose student cannot be told. The
facts about names are from the sources of nbgrader 0.9 (nbgrader/exchange/default), Canvas
(canvas-lms/lib/content_zipper.rb, app/models/attachment.rb) and Moodle (mod/assign/classes/downloader.php, before
Moodle 4.1 mod/assign/locallib.php).
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from autograder.errors import SubmissionError
from autograder.handed_in.times import as_text, in_utc, read_time
from autograder.handed_in.trees import DiskNode, Node, is_junk, shown

LATE = "late, says Canvas"
UNKNOWN = "when it was handed in is not known, and no lateness is counted"
NBGRADERS_OWN = ("timestamp.txt", "submission_secret.txt")  # written by `nbgrader submit`


@dataclass(frozen=True)
class Problem:
    """Something that may be a submission, of a student who cannot be told."""

    name: str
    why: str


@dataclass
class Claim:
    """What names alone say of one student, before any file is opened."""

    name: str  # what the id is made from
    nodes: list[tuple[Node, str, int]] = field(default_factory=list)  # node, the student's name for it, how late
    notes: list[str] = field(default_factory=list)
    display_name: str = ""
    lms: dict[str, str] = field(default_factory=dict)
    timestamp: str = ""
    origin: str = ""  # tells two claims of one name apart

    def add(self, node: Node, name: str = "", rank: int = 0) -> None:
        self.nodes.append((node, name or node.name, rank))


@dataclass
class Reading:
    """A source as one layout reads it."""

    layout: str
    claims: list[Claim] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stray(self, node: Node, why: str) -> None:
        """Something that belongs to nobody: a row of its own if it may be a submission."""
        if is_junk(node.name):
            return
        if node.is_folder or node.refusal or node.has_suffix(".ipynb", ".zip"):
            self.problems.append(Problem(shown(node.name), node.refusal or why))
        else:
            self.notes.append(f"{shown(node.name)}: not a notebook: not opened")


# nbgrader.exchange.default.submit: STUDENT+ASSIGNMENT+TIMESTAMP+RANDOM, the last part only by default; the time zone
# may be written as +0200 (nbgrader.utils.to_numeric_tz).
EXCHANGE = re.compile(
    r"(?P<student>.+)\+(?P<assignment>[^+]+)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Za-z]+| [+-]\d{4})?)(?:\+[^+]*)?",
    re.S,
)
# moodle/mod/assign/classes/downloader.php: "FULL NAME_PARTICIPANT_assignsubmission_PLUGIN", a folder; up to Moodle 4.0
# with one more "_" after it (mod/assign/locallib.php); a prefix of files where the teacher asked for no folders. The
# name has no "_" of its own. Without a number: a team's default group.
MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_?|_(?P<file>.+))", re.S)
# canvas-lms/lib/content_zipper.rb: NAME[_LATE]_USER_ATTACHMENT_FILENAME, the name in lower case without spaces and
# punctuation; "anon_CODE" in place of name and user where grading is anonymous; text and links without an attachment.
# The number before the file's name is called a submission id in many places; in the source it is the attachment's.
CANVAS = re.compile(r"(?P<name>.*?)(?P<late>_(?:LATE|late))?_(?P<user>\d+)_(?P<attachment>\d+)_(?P<file>.+)", re.S)
CANVAS_TEXT = re.compile(r"(?P<name>.*?)(?P<late>_(?:LATE|late))?_(?P<user>\d+)_(?P<kind>text|link)\.html")
CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?anon_(?P<code>(?=[0-9]*[A-Za-z])[A-Za-z0-9]{5})_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<kind>text|link)\.html)",
    re.S,
)


def kind_of(top: Node) -> str:
    """Which layout most of the names speak of."""
    votes: Counter[str] = Counter()
    for node in _listing(top):
        votes["exchange"] += node.is_folder and bool(EXCHANGE.fullmatch(node.name))
        votes["moodle"] += bool(MOODLE.fullmatch(node.name))
        votes["canvas"] += not node.is_folder and _is_canvas(node.name)
    best, count = max(votes.items(), key=lambda vote: vote[1], default=("plain", 0))
    return best if count else "plain"


def _listing(folder: Node) -> list[Node]:
    """What is in a folder; nothing, if it cannot be looked into (whoever opens it will say so)."""
    with contextlib.suppress(SubmissionError):
        return [node for node in folder.children() if not is_junk(node.name)]
    return []


def _is_canvas(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in (CANVAS, CANVAS_TEXT, CANVAS_ANONYMOUS))


def read_names(top: Node, assignment: str) -> Reading:
    """The claims in a tree, as its own layout reads it."""
    match kind_of(top):
        case "exchange":
            return _exchange(top, assignment)
        case "moodle":
            return _moodle(top)
        case "canvas":
            return _canvas(top)
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
        _fill(claim, _children(place, claim))
        loose = [node for node in _listing(folder) if node.has_suffix(".ipynb", ".zip")]
        claim.notes += [f"{shown(node.name)}: not in the folder {assignment}: not opened" for node in loose]
        return claim
    inside = _children(folder, claim)
    others = [node for node in inside if node.is_folder and (is_submitted or _is_nbgraders(node))]
    _fill(claim, [node for node in inside if node not in others])
    if others:
        claim.notes.append(f"no folder {assignment} in it, only {', '.join(shown(node.name) for node in others[:5])}")
    return claim


def _is_nbgraders(folder: Node) -> bool:
    """Whether nbgrader wrote a folder, as it does for each assignment."""
    return any(node.name in NBGRADERS_OWN for node in _listing(folder))


def _children(folder: Node, claim: Claim) -> list[Node]:
    try:
        return folder.children()
    except SubmissionError as error:
        claim.notes.append(str(error))
        return []


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
    _fill(claim, _children(folder, claim))
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
    import pwd

    with contextlib.suppress(OSError, KeyError):
        owner = folder.path.lstat().st_uid
        return "" if owner == os.getuid() else pwd.getpwuid(owner).pw_name
    return ""


def _moodle(top: Node) -> Reading:
    """Moodle's zip. The number is the participant's in this one assignment (its worksheet's "Participant 123").

    Another assignment gives the same student another number, and two students may share a name: so the id is made of
    both, and one student has one id for each assignment.
    """
    reading = Reading("a download from Moodle")
    claims: dict[tuple[str, str], Claim] = {}
    for node in top.children():
        match = MOODLE.fullmatch(node.name)
        if match is None or node.is_folder is bool(match["file"]):
            reading.stray(node, "not named as Moodle names a submission")
            continue
        name, number = match["name"], match["id"] or ""
        claim = claims.setdefault((name, number), Claim(f"{name}_{number}" if number else name))
        claim.display_name, claim.origin = shown(name), claim.name
        if number:
            claim.lms["moodle_participant"] = number
        else:
            claim.notes.append("no participant's number in the name: a group's submission?")
        if match["plugin"] == "file":
            inside = _children(node, claim) if node.is_folder else [node]
            for file in inside:
                claim.add(file, match["file"] or "")
        else:
            claim.notes.append(f"{match['plugin']}: not a file: not opened")
    reading.claims += claims.values()
    return reading


def _canvas(top: Node) -> Reading:
    """Canvas's zip: all files in one folder, the student told by each file's name."""
    reading = Reading("a download from Canvas")
    claims: dict[tuple[str, str], Claim] = {}
    for node in top.children():
        match = CANVAS_ANONYMOUS.fullmatch(node.name) or CANVAS_TEXT.fullmatch(node.name) or CANVAS.fullmatch(node.name)
        if node.is_folder or match is None:
            reading.stray(node, "not named as Canvas names a submission")
            continue
        found = match.groupdict()
        claim = _canvas_claim(claims, found)
        if found.get("late") and LATE not in claim.notes:
            claim.notes.append(LATE)
        if found.get("kind"):
            claim.notes.append(f"{found['kind']} typed into Canvas, not a file: not opened")
        else:
            claim.add(node, found["file"], int(found["attachment"]))
    reading.claims += claims.values()
    return reading


def _canvas_claim(claims: dict[tuple[str, str], Claim], found: dict[str, str]) -> Claim:
    if "code" in found:
        name, lms = f"anon_{found['code']}", {"canvas_anonymous": found["code"]}
    else:
        name, lms = f"{found['name']}_{found['user']}", {"canvas_user": found["user"]}
    claim = claims.setdefault((name, ""), Claim(name, lms=lms, origin=name))
    claim.display_name = shown(found.get("name") or name)
    return claim


def note_shared_ids(claims: list[Claim]) -> None:
    """Two names with one number of the LMS's: somebody's name is not what it seems."""
    for key in ("canvas_user", "moodle_participant"):
        sharing: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            sharing[claim.lms.get(key, "")].append(claim)
        for number, group in sharing.items():
            for claim in group if number and len(group) > 1 else []:
                others = ", ".join(shown(other.name) for other in group if other is not claim)
                claim.notes.append(f"the number {number} stands on files of {others}, too: whose are they?")
