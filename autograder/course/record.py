"""The record of a chapter: what the reference and the bank answer to every question of its tests.

`autograder verify` makes it, and it is committed (`tests/record/<chapter>.json`): exercise → its questions, each with
the reference's answer and the marks of the known mistakes, and what to tell a student who makes one of them. The judge
has all of it, a student's notebook the visible part. It is read and written here; how an answer is compared with it is
in `autograder.asking`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from autograder.errors import CourseError

VERSION = 1
Mark = list[Any]  # of an answer, as JSON: see `plain.mark`


class KnownQuestion(TypedDict):
    """What is recorded of one question; a student's notebook has a part of it."""

    visible: NotRequired[bool]
    answer: NotRequired[Any]  # the reference's, as JSON
    mark: NotRequired[Mark]  # of the reference's answer, where that must stay a secret
    secret: NotRequired[bool]
    marks: dict[str, Mark]  # entry → mark, where it differs from the reference


class Known(TypedDict):
    """What is recorded of one exercise."""

    digest: NotRequired[str]  # of its questions: tells the author that a record is old
    entries: dict[str, str]  # entry → what a student is told
    questions: list[KnownQuestion]


def read_record(path: Path) -> dict[str, Known]:
    """The exercises of a record; nothing where there is none yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{path}: cannot be read ({error}): delete it and run `autograder verify`") from error
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise CourseError(f"{path}: version {found.get('version')!r} is not {VERSION}: run `autograder verify` again")
    return dict(found["exercises"])


def written(exercises: Mapping[str, Known]) -> str:
    """A record as text: a line for each question, so that a change can be read in a diff."""
    lines = ["{", f'"version": {VERSION},', '"exercises": {']
    for number, (name, known) in enumerate(exercises.items()):
        lines.append(f"{_json(name)}: {{")
        lines.append(f'"digest": {_json(known["digest"])},')
        lines.append('"entries": {')
        lines += _items([f"{_json(entry)}: {_json(text)}" for entry, text in known["entries"].items()])
        lines += ["},", '"questions": [', *_items([_json(question) for question in known["questions"]]), "]"]
        lines.append("}," if number + 1 < len(exercises) else "}")
    return "\n".join([*lines, "}", "}"]) + "\n"


def _items(lines: list[str]) -> list[str]:
    return [f"{line}," for line in lines[:-1]] + lines[-1:]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def visible_part(exercises: Mapping[str, Known]) -> dict[str, Known]:
    """What a student's notebook holds: the visible questions, and no answer that is itself what is asked for."""
    found: dict[str, Known] = {}
    for name, known in exercises.items():
        questions = [_for_students(question) for question in known["questions"] if question["visible"]]
        shown = {entry for question in questions for entry in question["marks"]}
        entries = {entry: text for entry, text in known["entries"].items() if entry in shown}
        found[name] = {"entries": entries, "questions": questions}
    return found


def _for_students(question: KnownQuestion) -> KnownQuestion:
    if question.get("secret"):
        return {"mark": question["mark"], "marks": question["marks"]}
    return {"answer": question["answer"], "marks": question["marks"]}
