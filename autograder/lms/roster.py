"""Which line of a roster (the file that an LMS itself exports) a row of the results fills.

A student is found by the number that the LMS put into its zip, by the student's id (a login, an e-mail address), or by
name. What could not be filled in is said, a line for each.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from autograder.errors import CourseError
from autograder.handed_in.trees import safe_id
from autograder.lms.sheet import number_in
from autograder.results import Results, Row, Status


@dataclass(frozen=True)
class Line:
    """A student in a roster: where, the LMS's number, and what else tells who it is."""

    index: int
    number: str
    cells: tuple[str, ...]

    def ids(self) -> set[str]:
        """What a student's id may be, `autograder.handed_in.delivery`'s own among them."""
        known = {self.number}
        for cell in filter(None, self.cells):
            canvas = re.sub(r"\W", "", cell.lower())
            known |= {cell, safe_id(cell), safe_id(f"{cell}_{self.number}"), safe_id(f"{canvas}_{self.number}")}
        return {name.casefold() for name in known}

    def names(self) -> set[str]:
        return {name for cell in self.cells for name in spellings(cell)}


def spellings(name: str) -> set[str]:
    """A name without case and punctuation, as it stands and with its words in order: "Doe, Jane" is "Jane Doe"."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).casefold())
    return {"".join(words), "".join(sorted(words))} - {""}


class Roster:
    """Finds the line of each row of the results."""

    def __init__(self, lines: Iterable[Line], lms_key: str) -> None:
        self.lines = list(lines)
        self.lms_key = lms_key
        self._numbers = self._index((line, [line.number]) for line in self.lines)
        self._ids = self._index((line, line.ids()) for line in self.lines)
        self._names = self._index((line, line.names()) for line in self.lines)

    @staticmethod
    def _index(known: Iterable[tuple[Line, Iterable[str]]]) -> dict[str, list[Line]]:
        index: dict[str, list[Line]] = defaultdict(list)
        for line, keys in known:
            for key in keys:
                index[key].append(line)
        return index

    def find(self, row: Row) -> list[Line]:
        """The lines that a row may belong to; by the LMS's own number alone, if the row has one."""
        number = row.lms.get(self.lms_key)
        if number:
            return self._numbers.get(number, [])
        by_id = self._ids.get(row.student.casefold(), [])
        if by_id:
            return by_id
        shown = spellings(row.name)
        return list({line.index: line for name in shown for line in self._names.get(name, [])}.values())


def agree(row: Row, line: Line) -> bool:
    """Whether the names in the zip and in the roster are one person's."""
    return bool(spellings(row.name) & line.names())


@dataclass
class Match:
    """Which line each row fills, and what to say of the others."""

    pairs: list[tuple[Row, Line]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def match_rows(results: Results, roster: Roster, where: str) -> Match:
    match = Match()
    claims: dict[int, list[tuple[Row, Line]]] = defaultdict(list)
    for row in results.rows:
        lines = roster.find(row)
        if row.status is Status.REFUSED:
            match.said.append(f"{row.student}: refused, so left as it was: {row.note}")
        elif len(lines) == 1:
            claims[lines[0].index].append((row, lines[0]))
        else:
            match.said.append(f"{row.student}: {'fits several students of' if lines else 'not in'} {where}")
    for claim in claims.values():
        best = claim if len(claim) == 1 else [pair for pair in claim if agree(*pair)]
        match.pairs += best if len(best) == 1 else []
        for row, line in claim if len(best) != 1 else [pair for pair in claim if pair not in best]:
            rivals = ", ".join(other.student for other, _ in claim if other is not row)
            match.said.append(f"{row.student}: has the number {line.number}, as has {rivals}: decide by hand")
    return match


def require_some(match: Match, results: Results, where: str) -> None:
    """CourseError where nobody would be filled in: a file without a grade is of no use, and looks like one."""
    if results.rows and not match.pairs:
        raise CourseError(f"{results.assignment}: there is no grade to write: {match.said[0] if match.said else where}")


def points(row: Row, factor: float) -> str:
    """A score as both importers read it: a plain decimal number."""
    score = row.score * factor
    if not math.isfinite(score):
        raise CourseError(f"{row.student}: the score {score} is not a number: grade this student again")
    return f"{score:.4f}".rstrip("0").rstrip(".")


def factor(results: Results, most: str, roster: Path, scale: bool) -> float:
    """What to multiply scores with, given the most points that the LMS knows of; 1, unless `scale` is asked for."""
    ours, theirs = results.max_score, number_in(most)
    if theirs is None or theirs == 0 or math.isclose(ours, theirs):
        return 1.0
    if not scale or ours == 0:
        raise CourseError(
            f"{roster}: the assignment counts to {theirs:g} points there and to {ours:g} here: change it in the LMS "
            "and export again, or add --scale"
        )
    return theirs / ours


def refuse_to_replace(path: Path, roster: Path) -> None:
    if path.exists() and path.samefile(roster):
        raise CourseError(f"{path}: would replace the roster: write to another file")


def numbers_alone(results: Results, key: str) -> Roster:
    """For want of a roster: the numbers that the LMS's zip gave."""
    numbers = dict.fromkeys(row.lms.get(key, "") for row in results.rows)
    return Roster([Line(i, number, ()) for i, number in enumerate(numbers) if number.isdecimal()], key)
