"""`--names RULE`: an instructor says how files are named, where no platform's own way is seen in the names.

A rule is a path with fields in braces, `{student}_{file}` or `week3/{student}/try{try}/{file}`; `*` is anything within
a name. A regular expression with `(?P<student>…)` is taken as well, and so are the groups of nbgrader's zip collector,
`student_id`, `timestamp` and `file_id`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from autograder.errors import CourseError, SubmissionError
from autograder.handed_in.claims import Claim, Problem, Reading, by_their_clock
from autograder.handed_in.times import has_zone, in_utc, read_time
from autograder.handed_in.trees import MAX_DEPTH, Node, is_junk
from autograder.text import shown

FIELDS = {
    "student": r"(?P<student>[^/]+?)",
    "name": r"(?P<name>[^/]+?)",
    "time": r"(?P<time>[^/]+?)",
    "try": r"(?P<try>\d+)",
    "file": r"(?P<file>.+)",
}
AS_NBGRADER = {"student_id": "student", "timestamp": "time", "file_id": "file"}
MOST_FILES = 100_000
LONGEST = 1000  # characters of a path that a rule is held against


class Rule:
    """How the files of a class are named."""

    def __init__(self, text: str) -> None:
        self.text = text
        is_expression = "(?P<" in text
        try:
            self.pattern = re.compile(text if is_expression else _from_template(text), re.S)
        except re.error as error:
            raise CourseError(f"--names {text}: not a regular expression ({error})") from error
        if "student" not in {AS_NBGRADER.get(group, group) for group in self.pattern.groupindex}:
            where = "put {student} where the student's name stands"
            raise CourseError(f"--names {text}: says nowhere who it is: {where}")

    def fields(self, path: str) -> dict[str, str] | None:
        """What a path says; None if it does not fit. An expression may be of the file's name alone."""
        if len(path) > LONGEST:
            return None
        found = self.pattern.fullmatch(path)
        if found is None and "(?P<" in self.text:
            found = self.pattern.fullmatch(path.rpartition("/")[2])
        if found is None:
            return None
        return {AS_NBGRADER.get(name, name): value for name, value in found.groupdict().items() if value}


def _from_template(text: str) -> str:
    """The regular expression of a path with fields; what lies below a folder, and a file's ending, need not be said."""
    parts, seen = [], set()
    for literal, field, star in re.findall(r"([^{}*]+)|\{([^{}]*)\}|(\*)", text):
        if literal:
            parts.append(re.escape(literal))
        elif star:
            parts.append("[^/]*?")
        elif field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise CourseError(f"--names {text}: {{{field}}} is not a field: there are {known}, and * for anything")
        elif field in seen:
            parts.append(f"(?P={field})")
        else:
            seen.add(field)
            parts.append(FIELDS[field])
    ending = "" if "file" in seen else r"(?:\.(?:ipynb|zip)[^/]*)?(?:/.+)?"
    return "".join(parts) + ending


def read(top: Node, rule: Rule, zone: str = "") -> Reading:
    """A claim for each student, or for each of a student's tries, that the rule finds."""
    reading = Reading(f"by the rule {rule.text}")
    claims: dict[tuple[str, str], Claim] = {}
    misfits: list[str] = []
    for path, node in _files(top, reading):
        fields = rule.fields(path)
        if fields is None or not fields.get("student", "").strip():
            if node.has_suffix(".ipynb", ".zip") or ".ipynb" in node.name.casefold():
                misfits.append(path)
            continue
        student = fields["student"].strip()
        when, attempt = fields.get("time", "").strip(), fields.get("try", "")
        new = Claim(student, display_name=shown(fields.get("name", student)), origin=student, key=student)
        claim = claims.setdefault((student, attempt or when), new)
        claim.attempt = f"try {attempt}" if attempt else when
        claim.add(node, _file_name(fields, node))
        if len(claim.pieces) == 1:
            _note_time(claim, when, attempt, zone)
    if not claims:
        some = f": {shown(misfits[0])} does not" if misfits else ""
        raise CourseError(f"--names {rule.text}: no file in it fits{some}")
    reading.claims += claims.values()
    reading.problems += [Problem(shown(path), f"does not fit --names {rule.text}") for path in misfits]
    return reading


def _file_name(fields: dict[str, str], node: Node) -> str:
    """The student's own name for the file; the rule may have left its ending to us."""
    name = fields.get("file", node.name).rpartition("/")[2]
    ending = node.name[node.name.rfind(".") :] if "." in node.name else ""
    return name if "." in name else f"{name}{ending}"


def _note_time(claim: Claim, when: str, attempt: str, zone: str) -> None:
    if when:
        with contextlib.suppress(ValueError):
            claim.order = read_time(when).timestamp()
            if has_zone(when):
                claim.timestamp = in_utc(when)
                return
        by_their_clock(claim, when, "", zone)
    if attempt:
        claim.order = float(attempt)


def _files(top: Node, reading: Reading) -> Iterator[tuple[str, Node]]:
    """Every file with its path, folder by folder."""
    waiting = [("", top)]
    seen = 0
    while waiting:
        path, folder = waiting.pop()
        try:
            inside = folder.children()
        except SubmissionError as error:
            reading.problems.append(Problem(shown(path), str(error)))
            continue
        for node in inside:
            seen += 1
            if seen > MOST_FILES:
                raise CourseError(f"more than {MOST_FILES} files in it: give the folder of one assignment")
            here = f"{path}{node.name}"
            if is_junk(node.name) or node.name.startswith("."):
                continue
            if node.is_folder and here.count("/") < MAX_DEPTH:
                waiting.append((f"{here}/", node))
            else:
                yield here, node
