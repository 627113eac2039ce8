"""Pairs of students whose code agrees where others' does not: something to look at, never a verdict.

The method is winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document
fingerprinting", SIGMOD 2003) over Python tokens:

1. Comments, strings and layout are dropped. Names that a student chooses become one and the same token;
   keywords, builtins, attributes and keyword arguments stay, since renaming them would change what the code does.
2. Every K tokens in a row are hashed, and of every W hashes in a row the smallest is kept: a *fingerprint*.
   Whatever K + W - 1 tokens two texts have in common, they have a fingerprint in common.
3. What is in the released notebook, or in a known answer, right or wrong, is taken out. What only two students
   have counts in full, what more have counts less, and what half the class has counts nothing.
4. On one exercise two students agree if they share at least LEAST such fingerprints, and these are at least
   SHARE of all that the one with fewer has. Short functions have too few: everybody writes them alike.

What it does not do: it finds no translation into other means (a loop for an einsum), and it cannot tell who
wrote first, or whether both were given the same hint. Nothing of it belongs in a student's feedback.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from autograder.course.bank import load_bank
from autograder.notebook.rebuild import Ours
from autograder.results import Pair

K = 6  # tokens in a hash
W = 4  # hashes of which one is kept
LEAST = 20.0  # fingerprints in common, each weighted by how few have it: about 50 tokens
SHARE = 0.75  # of the smaller answer
MOST_CHARACTERS = 50_000  # of one answer; what is behind is not looked at
BLOCK = 500  # students compared with everyone in one matrix product


def similar_pairs(
    sources: Mapping[str, Mapping[str, str]],
    base: Mapping[str, str],
    known: Mapping[str, Sequence[str]] | None = None,
    *,
    most: int = 500,
) -> list[Pair]:
    """The pairs of students to look at, those who share most code first; at most `most` of them.

    `sources` holds each student's answers by exercise, `base` what was released, `known` answers that
    anybody may arrive at (see `known_answers`).
    """
    prints = _Fingerprints()
    shared: dict[tuple[str, str], float] = defaultdict(float)
    smaller: dict[tuple[str, str], float] = defaultdict(float)
    exercises: dict[tuple[str, str], list[str]] = defaultdict(list)
    for exercise in dict.fromkeys(name for answers in sources.values() for name in answers):
        taken_out = set(prints.of(base.get(exercise, "")))
        for answer in (known or {}).get(exercise, ()):
            taken_out |= prints.of(answer)
        own = {s: prints.of(answers[exercise]) - taken_out for s, answers in sources.items() if exercise in answers}
        for one, other, common, of in _agreeing(own):
            pair = (one, other)
            shared[pair] += common
            smaller[pair] += of
            exercises[pair].append(exercise)
    order = sorted(shared, key=lambda pair: (-shared[pair], pair))[:most]
    return [
        Pair(students=pair, share=round(shared[pair] / smaller[pair], 3), exercises=tuple(exercises[pair]))
        for pair in order
    ]


def known_answers(ours: Iterable[Ours], bank: Path) -> dict[str, list[str]]:
    """The reference answer of each exercise in `ours`, the notebooks of a chapter, and every answer in its bank.

    The wrong ones too: a mistake that many make says nothing when two make it.
    """
    answers: dict[str, list[str]] = defaultdict(list)
    for cell in (cell for mine in ours for cell in mine.cells):
        if cell.nbgrader.get("solution"):
            answers[cell.grade_id].append(cell.source)
    if bank.is_file():
        for entry in load_bank(bank):
            answers[entry.exercise].append(entry.source)
    return dict(answers)


# ---- from text to fingerprints

_TOKEN = re.compile(
    r"""
    \#[^\n]*                                                        # comments and strings: no group, so dropped
  | [rbfu]{0,2}(?:
        \"{3}(?:[^\\]|\\.?)*?(?:\"{3}|\Z) | '{3}(?:[^\\]|\\.?)*?(?:'{3}|\Z)
      | "(?:[^"\\\n]|\\.?)*(?:"|$)        | '(?:[^'\\\n]|\\.?)*(?:'|$)
    )
  | ( [^\W\d]\w* | (?:\d|\.\d)(?:[\w.]|(?<=e)[-+])* | \*\*=? | //=? | -> | << | >> | [-+*/%&|^@<>=!:]= | [^\s;\\] )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NAME = "name"  # stands for every name that a student chooses


def tokens(source: str) -> list[str]:
    """The tokens of `source` as two renamed, re-commented and re-laid copies have in common.

    It takes any text, Python or not, in time that grows with its length.
    """
    found = [token for token in _TOKEN.findall(source[:MOST_CHARACTERS]) if token]
    kept = []
    depth = 0  # of brackets
    for i, token in enumerate(found):
        if token in _OPENING:
            depth += 1
        elif token in _CLOSING:
            depth -= 1
        elif token.isidentifier() and token not in _KEPT:
            before = found[i - 1] if i else ""
            is_attribute = before == "." and i > 1 and found[i - 2] != "self"
            is_argument = depth > 0 and before in ("(", ",") and found[i + 1 : i + 2] == ["="]
            if not (is_attribute or is_argument):
                token = _NAME
        kept.append(token)
    return kept


class _Fingerprints:
    """Fingerprints of texts; the same text is read once."""

    def __init__(self) -> None:
        self._of: dict[str, frozenset[int]] = {}
        self._numbers = _Numbers()

    def of(self, source: str) -> frozenset[int]:
        if (known := self._of.get(source)) is not None:
            return known
        numbers = [self._numbers[token] for token in tokens(source)]
        # The hash of a tuple of integers is the same in every process, unlike that of a string.
        hashes = list(map(hash, zip(*(numbers[i:] for i in range(K)), strict=False)))
        if len(hashes) <= W:
            prints = frozenset([min(hashes)]) if hashes else frozenset()
        else:
            prints = frozenset(map(min, *(hashes[i : len(hashes) - W + 1 + i] for i in range(W))))
        self._of[source] = prints
        return prints


class _Numbers(dict[str, int]):
    """A number for each token, the same in every process."""

    def __missing__(self, token: str) -> int:
        self[token] = number = zlib.crc32(token.encode("utf-8", "replace"))
        return number


# ---- from fingerprints to pairs


def _weight(students: int, everyone: int) -> float:
    """What a fingerprint counts that so many of `everyone` have: 1 for two, falling to 0 for half the class."""
    half = max(everyone / 2, 4.0)  # among fewer than eight, half the class could be a pair
    return max(0.0, min(1.0, math.log(half / students) / math.log(half / 2)))


def _agreeing(own: Mapping[str, frozenset[int]]) -> Iterable[tuple[str, str, float, float]]:
    """The pairs that agree on one exercise, with what they share and what the smaller of the two has in all."""
    counts = Counter(p for prints in own.values() for p in prints)
    weights = {p: _weight(count, len(own)) for p, count in counts.items()}
    size = {student: sum(weights[p] for p in sorted(prints)) for student, prints in own.items()}
    students = sorted(student for student in own if size[student] >= LEAST)
    column = {p: i for i, p in enumerate(sorted(p for p, count in counts.items() if count > 1 and weights[p] > 0))}
    places = [(row, column[p]) for row, student in enumerate(students) for p in own[student] if p in column]
    if not places:
        return
    rows, columns = np.array(places).T
    shape = (len(students), len(column))
    has = sparse.csr_matrix((np.ones(len(places)), (rows, columns)), shape=shape)
    worth = has @ sparse.diags([weights[p] for p in column])
    sizes = np.array([size[student] for student in students])
    for start in range(0, len(students), BLOCK):
        common = (worth[start : start + BLOCK] @ has.T).tocoo()
        one, other = common.row + start, common.col
        of = np.minimum(sizes[one], sizes[other])
        agree = (one < other) & (common.data >= LEAST - 1e-9) & (common.data >= SHARE * of - 1e-9)
        for a, b, shared, smaller in zip(one[agree], other[agree], common.data[agree], of[agree], strict=True):
            yield students[a], students[b], float(shared), float(smaller)
