"""A roster at intake: who is in the class, under which id, and who works with whom.

A roster is any CSV file with headings: what Canvas, Moodle, Blackboard, Brightspace, Gradescope or GitHub Classroom
export, or one's own with the columns student_id, name, email and group. It gives a student one id in all assignments,
and a group's work to each of its members.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import CourseError
from autograder.handed_in.claims import Claim, Member, Reading
from autograder.handed_in.times import in_utc
from autograder.handed_in.trees import safe_id
from autograder.lms import canvas, moodle
from autograder.lms.roster import spellings
from autograder.lms.sheet import Sheet
from autograder.text import shown

# The first of these headings that a file has gives the ids. What stands in the others tells who it is as well.
IDS = (
    "student_id", "student id", "roster_identifier", "roster identifier", "username", "user name", "sis login id",
    "login_id", "login id", "orgdefinedid", "id number", "sid", "sis user id", "student", "email", "email address",
    "github_username", "github username", "canvas_user_id", "id", "identifier",
)  # fmt: skip
ALSO = ("user_id", "student_repository_name", "student repository name", "integration id", "e-mail")
NAMES = ("name", "full name", "display name", "student name")
FIRST, LAST = ("first name", "firstname", "given name"), ("last name", "lastname", "surname", "family name")
GROUPS = ("group", "groups", "group name", "group_name", "team", "team name")
TIMES = ("submission_timestamp", "submission timestamp")
TOGETHER = re.compile(r"\s*[+&,;]\s*|\s+(?:and|und|et|y)\s+")


@dataclass(frozen=True)
class Person:
    """A line of the roster."""

    id: str
    name: str = ""
    known_as: frozenset[str] = frozenset()  # everything in the line that may tell who it is, in lower case
    groups: tuple[str, ...] = ()
    lms: Mapping[str, str] = field(default_factory=dict)
    time: str = ""  # when it was handed in, if the roster knows


class People:
    """All of a roster, and how to find somebody in it."""

    def __init__(self, people: Iterable[Person], name: str) -> None:
        self.people = list(people)
        self.name = name
        self._known: dict[str, list[Person]] = defaultdict(list)
        self._named: dict[str, list[Person]] = defaultdict(list)
        self._groups: dict[str, list[Person]] = defaultdict(list)
        for person in self.people:
            for word in person.known_as:
                self._known[word].append(person)
            for spelling in spellings(person.name):
                self._named[spelling].append(person)
            for group in person.groups:
                for spelling in spellings(group):
                    self._groups[spelling].append(person)

    @classmethod
    def read(cls, path: Path) -> People:
        """Raises CourseError, one line, where no column tells who is who."""
        sheet = Sheet.read(path)
        found = _Columns(sheet, path)
        people = [person for row in range(1, len(sheet.rows)) if (person := found.person(row))]
        if not people:
            raise CourseError(f"--roster {path}: no students in it")
        ids = [person.id.casefold() for person in people]
        if twice := [name for name in dict.fromkeys(ids) if ids.count(name) > 1]:
            raise CourseError(f"--roster {path}: {twice[0]} stands in two lines: leave one, or give another column")
        return cls(people, path.name)

    def find(self, name: str, lms: Mapping[str, str] | None = None) -> list[Person]:
        """Who may be called so: by the platform's number if there is one, by id, by name."""
        numbers = {(key, value) for key, value in (lms or {}).items() if key in (canvas.NUMBER, moodle.NUMBER)}
        by_number = [person for person in self.people if numbers & set(person.lms.items())]
        if by_number:
            return by_number
        words = {name.casefold(), safe_id(name).casefold()}
        words |= {value.casefold() for key, value in (lms or {}).items() if key.startswith("gradescope_")}
        by_id = {person.id: person for word in words for person in self._known.get(word, [])}
        if by_id:
            return list(by_id.values())
        return list({p.id: p for spelling in spellings(name) for p in self._named.get(spelling, [])}.values())

    def group(self, name: str) -> list[Person]:
        """The members of a group."""
        return list({p.id: p for spelling in spellings(name) for p in self._groups.get(spelling, [])}.values())

    def apply(self, reading: Reading) -> None:
        """Give each claim the roster's id and name; a group's claim gets its members."""
        for claim in reading.claims:
            self._settle(claim)
        here = {name for claim in reading.claims for name in [claim.name, *(m.name for m in claim.members)]}
        missing = [person.id for person in self.people if person.id not in here]
        if missing:
            some = ", ".join(shown(name) for name in missing[:10]) + (" …" if len(missing) > 10 else "")
            reading.notes.append(f"{len(missing)} of {len(self.people)} in {self.name} handed nothing in: {some}")

    def _settle(self, claim: Claim) -> None:
        if claim.members:
            claim.members = [self._member(member) for member in claim.members]
            return
        called = list(dict.fromkeys(filter(None, (claim.name, claim.display_name, claim.origin))))
        group = next((members for name in called if (members := self.group(name))), [])
        if group and not any(len(self.find(name)) == 1 for name in called):
            self._share(claim, claim.display_name or claim.name, group)
            return
        found = next((people for name in called if (people := self.find(name, claim.lms))), [])
        if len(found) == 1:
            _rename(claim, found[0])
        elif len(found) > 1:
            claim.notes.append(f"fits several of {self.name}: {', '.join(shown(p.id) for p in found[:5])}")
        elif several := self._several(claim.display_name or claim.name):
            self._share(claim, claim.display_name or claim.name, several)
        else:
            claim.notes.append(f"not in {self.name}")

    def _several(self, name: str) -> list[Person]:
        """Those whose names stand side by side in one, if every one of them is known."""
        found = [self.find(part) for part in TOGETHER.split(name) if part]
        return [people[0] for people in found] if len(found) > 1 and all(len(p) == 1 for p in found) else []

    def _share(self, claim: Claim, group: str, people: list[Person]) -> None:
        claim.group, claim.members = group, [Member(p.id, shown(p.name), p.lms) for p in people]
        claim.key = f"group {group}"
        times = {person.time for person in people}
        if len(times) == 1:
            _note_time(claim, times.pop())

    def _member(self, member: Member) -> Member:
        found = self.find(member.name, member.lms) or self.find(member.display_name)
        if len(found) != 1:
            return member
        person = found[0]
        return Member(person.id, shown(person.name) or member.display_name, {**member.lms, **person.lms})


def _rename(claim: Claim, person: Person) -> None:
    claim.name, claim.key = person.id, f"roster {person.id}"
    claim.display_name = shown(person.name) or claim.display_name
    claim.lms = {**claim.lms, **person.lms}
    _note_time(claim, person.time)


def _note_time(claim: Claim, time: str) -> None:
    """What the roster says, where the layout says nothing."""
    if not time or claim.timestamp:
        return
    try:
        claim.timestamp = in_utc(time)
    except ValueError as error:
        claim.notes.append(f"the roster's time: {error}")


class _Columns:
    """Where things stand in a roster."""

    def __init__(self, sheet: Sheet, path: Path) -> None:
        self.sheet = sheet
        self.headings = [str(cell).strip().casefold() for cell in sheet.rows[0]]
        self.of_canvas = {"student", "id"} <= set(self.headings)  # "Student" is the name there
        ids = [name for name in IDS if name in self.headings and not (name == "student" and self.of_canvas)]
        if not ids:
            raise CourseError(
                f"--roster {path}: no heading says who is who: call one of the columns student_id, username or email; "
                f"the first line is: {shown(', '.join(str(cell) for cell in sheet.rows[0]), 80)}"
            )
        self.ids = ids
        self.id = ids[0]

    def _cells(self, row: int, headings: Iterable[str]) -> list[str]:
        places = [self.headings.index(name) for name in headings if name in self.headings]
        return [cell for place in places if (cell := self.sheet.cell(row, place))]

    def person(self, row: int) -> Person | None:
        """None for a line that is no student's."""
        chosen = next(iter(self._cells(row, self.ids)), "")
        name = next(iter(self._cells(row, ["student"] if self.of_canvas else NAMES)), "")
        if not name:
            name = " ".join([*self._cells(row, FIRST)[:1], *self._cells(row, LAST)[:1]])
        if not chosen or name.strip().casefold().startswith("points possible"):
            return None
        words = {word.casefold() for word in self._cells(row, (*self.ids, *ALSO))}
        words |= {word.partition("@")[0] for word in words if "@" in word}
        words |= {safe_id(word).casefold() for word in words}
        together = self._cells(row, GROUPS)[:1]
        groups = [*together, *(part for cell in together for part in re.split(r"\s*[,;]\s*", cell) if part)]
        time = next(iter(self._cells(row, TIMES)), "")
        return Person(chosen, name, frozenset(words), tuple(dict.fromkeys(groups)), self._lms(row), time)

    def _lms(self, row: int) -> dict[str, str]:
        """The numbers by which grades find their way back."""
        found = {}
        number = next(iter(self._cells(row, ["canvas_user_id", *(["id"] if self.of_canvas else [])])), "")
        if number.isdecimal():
            found[canvas.NUMBER] = number
        participant = re.fullmatch(r"\D+(\d+)", next(iter(self._cells(row, ["identifier"])), ""))
        if participant:
            found[moodle.NUMBER] = participant[1]
        return found


def one_claim_each(reading: Reading) -> None:
    """Who handed in alone and in a group, or in two groups, has one grade: for what came last, if that can be told."""
    claims: dict[str, list[Claim]] = defaultdict(list)
    for claim in reading.claims:
        for name in [member.name for member in claim.members] or [claim.name]:
            claims[name].append(claim)
    for name, mine in claims.items():
        if len(mine) < 2 or not any(claim.members for claim in mine):
            continue
        orders = [claim.moment for claim in mine]
        known = [order for order in orders if order is not None]
        last = max(known) if len(known) == len(orders) and len(set(known)) == len(known) else None
        for claim in mine:
            if last is not None and claim.moment == last:
                claim.notes.append(f"{shown(name)} handed in {len(mine)} times, alone and together: this is the last")
            elif claim.members:
                claim.members = [member for member in claim.members if member.name != name]
            elif last is not None:
                reading.claims.remove(claim)
        if last is None:
            alone = next((claim for claim in mine if not claim.members), None)
            if alone is None:
                alone = Claim(name, origin=name)
                reading.claims.append(alone)
            alone.pieces = []
            alone.notes.append(f"handed in {len(mine)} times, alone and together: which counts cannot be told")
    reading.claims = [claim for claim in reading.claims if claim.members or not claim.group]
