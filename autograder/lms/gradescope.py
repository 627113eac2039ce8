"""Gradescope: "Export submissions", read by the file `submission_metadata.yml` in it.

Each submission is a folder `submission_123456`, and the file says whose it is: one student, or several who handed in
together, each with name, e-mail address and number, and when, with the time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autograder.errors import CourseError, SubmissionError
from autograder.handed_in.claims import Claim, Member, Reading, children
from autograder.handed_in.times import as_text, in_utc
from autograder.handed_in.trees import Node
from autograder.text import shown

METADATA = "submission_metadata.yml"
FOLDER = re.compile(r"submission_\d+")
MOST = 100 * 2**20  # bytes of the file, which holds whatever Gradescope's own tests printed


def named_so(name: str) -> bool:
    """Whether Gradescope may have given a folder this name."""
    return bool(FOLDER.fullmatch(name))


def read(top: Node) -> Reading:
    """Gradescope's zip: a claim for each submission that the metadata name."""
    reading = Reading("a download from Gradescope")
    nodes = {node.name: node for node in top.children()}
    known = _metadata(nodes.pop(METADATA, None))
    for name, node in nodes.items():
        people = _people(known.get(name))
        if not node.is_folder or not people:
            reading.stray(node, f"{METADATA} does not say whose it is")
            continue
        first, about = people[0], known[name]
        claim = Claim(first.name, display_name=first.display_name, lms=dict(first.lms), origin=name, attempt=name)
        claim.key = " ".join(sorted(person.name for person in people))
        if len(people) > 1:
            claim.name, claim.members, claim.group = name, people, name
        _note_time(claim, about.get(":created_at", about.get("created_at")))
        for child in children(node, claim):
            claim.add(child)
        reading.claims.append(claim)
    return reading


def _metadata(node: Node | None) -> dict[str, Mapping[str, Any]]:
    if node is None:
        raise CourseError(f"{METADATA} is missing, which says whose each folder is: give Gradescope's export whole")
    import yaml  # type: ignore[import-untyped]  # of nbgrader's

    try:
        with node.open() as file:
            text = file.read(MOST + 1)
        if len(text) > MOST:
            raise CourseError(f"{METADATA}: larger than {MOST // 2**20} MiB: is it Gradescope's?")
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except SubmissionError as error:
        raise CourseError(f"{METADATA}: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CourseError(f"{METADATA}: cannot be read: give Gradescope's export as it was downloaded") from error
    return {str(k): v for k, v in found.items() if isinstance(v, Mapping)} if isinstance(found, Mapping) else {}


def _people(about: Mapping[str, Any] | None) -> list[Member]:
    """Everybody who handed a submission in."""
    listed = (about or {}).get(":submitters", (about or {}).get("submitters"))
    found = []
    for person in listed if isinstance(listed, list) else []:
        if not isinstance(person, Mapping):
            continue
        plain = {str(key).lstrip(":"): str(value or "").strip() for key, value in person.items()}
        name = plain.get("email") or plain.get("sid") or plain.get("name") or ""
        if name:
            lms = {f"gradescope_{key}": plain[key] for key in ("email", "sid") if plain.get(key)}
            found.append(Member(name, shown(plain.get("name") or name), lms))
    return found


def _note_time(claim: Claim, when: Any) -> None:
    """A time in the metadata is read by YAML already, in UTC if it has lost its zone."""
    try:
        if isinstance(when, datetime):
            moment = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
            claim.timestamp = as_text(moment)
        elif when:
            moment = datetime.strptime(in_utc(str(when)), "%Y-%m-%d %H:%M:%S.%f UTC")
            claim.timestamp = as_text(moment)
        else:
            return
        claim.order = moment.replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        claim.notes.append(f"{METADATA}: {error}")
