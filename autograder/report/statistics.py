"""The figures of the report, from the rows of the results.

An exercise that no test had its say on (its notebook was not handed in, it could not be graded, a person grades it)
counts in no figure here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from autograder.results import Exercise, Kind, Row, State, Status

Key = tuple[str, str]  # notebook, exercise

MAX_MESSAGE = 300  # characters of a message that are kept
ENOUGH = 10  # graded submissions below which a correlation says nothing


@dataclass(frozen=True)
class ExerciseStats:
    """How one exercise fared with the class."""

    notebook: str
    exercise: str
    count: int
    full: int  # how many have all its points
    untouched: int
    difficulty: float | None
    discrimination: float | None


@dataclass(frozen=True)
class NotebookStats:
    """How one notebook fared with the class, in points."""

    notebook: str
    points: float
    count: int
    full: int
    mean: float
    quartiles: tuple[float, float, float]


@dataclass(frozen=True)
class CommonMistake:
    """One mistake of one exercise: by its name, or else by messages that differ in their numbers only."""

    name: str  # "" where no name is known
    summary: str  # what the name says, in a sentence
    message: str  # the commonest wording
    count: int
    wordings: int
    is_blank: bool  # not written yet: no mistake at all
    rows: tuple[int, ...] = ()  # whose, as places in the list of rows


@dataclass(frozen=True)
class Happening:
    """What happened to some students at one place, told in words that differ in their numbers only."""

    kind: Kind
    notebook: str
    cell: str
    text: str
    rows: tuple[int, ...]  # places in the list of rows


def graded(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.status is Status.GRADED]


def key_of(exercise: Exercise) -> Key:
    return exercise.notebook, exercise.exercise


def by_test(rows: Sequence[Row]) -> dict[Key, float]:
    """The exercises of `exercises_of` but for those that a person grades."""
    hand = {key_of(e) for row in rows for e in row.exercises if e.state is State.BY_HAND}
    return {key: points for key, points in exercises_of(rows).items() if key not in hand}


def exercises_of(rows: Iterable[Row]) -> dict[Key, float]:
    """Every exercise that some row has, with its full points, in the order of first appearance by notebook."""
    found = {key_of(e): e.max_points for row in rows for e in row.exercises}
    notebooks = list(dict.fromkeys(notebook for notebook, _ in found))
    return dict(sorted(found.items(), key=lambda item: notebooks.index(item[0][0])))


def hardest_first(stats: Iterable[ExerciseStats]) -> list[ExerciseStats]:
    """By difficulty; what nobody handed in comes last."""
    return sorted(stats, key=lambda s: (s.difficulty is None, s.difficulty or 0.0))


def exercise_stats(rows: Sequence[Row]) -> list[ExerciseStats]:
    """Difficulty and discrimination of each exercise, over the graded rows, in the order of the notebooks.

    Difficulty is the share of the full points that the class earned. Discrimination is the correlation of
    an exercise's points with the same students' points on all the other exercises; None where one of the
    two does not vary.
    """
    seen: dict[Key, list[tuple[float, float, float, bool]]] = {key: [] for key in by_test(rows)}
    for row in graded(rows):
        tested = [e for e in row.exercises if e.state.was_tested]
        total = sum(e.points for e in tested)
        for e in tested:
            seen[key_of(e)].append((e.points, e.max_points, total - e.points, e.state is State.NOT_WRITTEN))
    found = []
    for (notebook, exercise), those in seen.items():
        possible = sum(most for _, most, _, _ in those)
        found.append(
            ExerciseStats(
                notebook=notebook,
                exercise=exercise,
                count=len(those),
                full=sum(points >= most for points, most, _, _ in those),
                untouched=sum(untouched for _, _, _, untouched in those),
                difficulty=sum(points for points, _, _, _ in those) / possible if possible else None,
                discrimination=_correlation([points for points, *_ in those], [rest for _, _, rest, _ in those]),
            )
        )
    return found


def notebook_stats(rows: Sequence[Row]) -> list[NotebookStats]:
    """Mean and quartiles of the points of each notebook, over the graded rows that have it."""
    full: dict[str, float] = defaultdict(float)
    for (notebook, _), points in by_test(rows).items():
        full[notebook] += points
    found = []
    for notebook, most in full.items():
        scores = []
        for row in graded(rows):
            mine = [e.points for e in row.exercises if e.notebook == notebook and e.state.was_tested]
            if mine:
                scores.append(sum(mine))
        if scores:
            low, middle, high = (float(q) for q in np.percentile(scores, (25, 50, 75)))
            best = sum(score >= most for score in scores)
            found.append(NotebookStats(notebook, most, len(scores), best, float(np.mean(scores)), (low, middle, high)))
    return found


def common_mistakes(rows: Sequence[Row]) -> dict[Key, list[CommonMistake]]:
    """The mistakes of each exercise, the commonest first.

    A mistake goes by the name that its row gives it. Where it has none, the message stands for it, and numbers do not
    tell two messages apart.
    """
    groups: dict[Key, dict[tuple[str, str, bool], Counter[str]]] = {k: defaultdict(Counter) for k in exercises_of(rows)}
    whose: dict[tuple[Key, tuple[str, str, bool]], list[int]] = defaultdict(list)
    summaries: dict[tuple[Key, str], str] = {}
    told = ((at, e) for at, row in enumerate(rows) for e in row.exercises if e.message and e.state.was_tested)
    for at, e in told:
        named, message = e.mistake, one_line(e.message)
        blank = e.state is State.NOT_WRITTEN
        if named:
            summaries[key_of(e), named.name] = named.summary or named.name.replace("_", " ")
        group = (named.name, "", False) if named else ("", normalised(message), blank)
        groups[key_of(e)][group][message] += 1
        whose[key_of(e), group].append(at)
    return {
        key: sorted(
            (
                CommonMistake(
                    name=group[0],
                    summary=summaries.get((key, group[0]), ""),
                    message=c.most_common(1)[0][0],
                    count=c.total(),
                    wordings=len(c),
                    is_blank=group[2],
                    rows=tuple(whose[key, group]),
                )
                for group, c in those.items()
            ),
            key=lambda one: (-one.count, one.summary, one.message),
        )
        for key, those in groups.items()
        if those
    }


def happenings(rows: Sequence[Row]) -> dict[Kind, list[Happening]]:
    """What happened, by kind, the commonest first."""
    groups: dict[tuple[Kind, str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for place, row in enumerate(rows):
        for i in row.incidents:
            said = one_line(i.text)
            groups[i.kind, i.notebook, i.cell, normalised(said)].append((place, said))
    found: dict[Kind, list[Happening]] = {kind: [] for kind in Kind}
    for (kind, notebook, cell, _), those in groups.items():
        wording = Counter(said for _, said in those).most_common(1)[0][0]
        places = tuple(dict.fromkeys(place for place, _ in those))
        found[kind].append(Happening(kind, notebook, cell, wording, places))
    for several in found.values():
        several.sort(key=lambda one: (-len(one.rows), one.notebook, one.cell))
    return {kind: several for kind, several in found.items() if several}


_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+|nan\b|inf\b)(?:[eE][-+]?\d+)?")
_SEVERAL = re.compile(r"#(?:[\s,\[\]]+#)+")
_FIGURES = re.compile(r"[-+\d.,;:eEinfa\s\[\]…]{12,}")


def normalised(message: str) -> str:
    """`message` with each number, or list of numbers, replaced by `#`; names such as `float64` stay."""
    return _SEVERAL.sub("#", _NUMBER.sub("#", message))


def one_line(message: object) -> str:
    """A message on one line and of bounded length; long lists of numbers make place for what is said of them."""
    line = _FIGURES.sub(_without_arrays, " ".join(str(message)[: 20 * MAX_MESSAGE].split()))
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _without_arrays(figures: re.Match[str]) -> str:
    run = figures.group()
    start, end = run.find("["), run.rfind("]") + 1
    return run if start < 0 or end - start < 12 else f"{run[:start]}[…]{run[end:]}"


def _correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    if len(a) < 2 or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])
