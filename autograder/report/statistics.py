"""The figures of the report, from the rows that `grade` saves in `results.json`.

A row is one student: `student`, `status`, `note`, `score`, `seconds` and `exercises`, each with `notebook`,
`exercise`, `points`, `max_points` and `message`. Newer files also say `display_name`, `cpu_seconds` and
`incidents` of a row, and the `mistake` of an exercise; all four may be missing. An exercise that was not handed
in, or that a person grades, has a row of points but says so in its message; neither counts in any figure here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Key = tuple[str, str]  # notebook, exercise

NOT_WRITTEN = "not written yet"  # the message of an untouched exercise
NOT_HANDED_IN = "not handed in"  # of an exercise whose notebook is not there
BY_HAND = "graded by a person"  # of an exercise that no test grades
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
class Mistake:
    """One mistake of one exercise: by its name, or else by messages that differ in their numbers only."""

    name: str  # "" where no name is known
    summary: str  # what the name says, in a sentence
    message: str  # the commonest wording
    count: int
    wordings: int

    @property
    def is_blank(self) -> bool:
        return not self.name and self.message == NOT_WRITTEN


@dataclass(frozen=True)
class Incident:
    """What happened to some students at one place, told in words that differ in their numbers only."""

    kind: str
    notebook: str
    cell: str
    text: str
    rows: tuple[int, ...]  # places in the list of rows


def graded(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "graded"]


def key_of(exercise: dict[str, Any]) -> Key:
    return str(exercise["notebook"]), str(exercise["exercise"])


def was_tested(exercise: dict[str, Any]) -> bool:
    return exercise["message"] not in (NOT_HANDED_IN, BY_HAND)


def by_test(rows: Iterable[Row]) -> dict[Key, float]:
    """The exercises of `exercises_of` but for those that a person grades."""
    hand = {key_of(e) for row in rows for e in row["exercises"] if e["message"] == BY_HAND}
    return {key: points for key, points in exercises_of(rows).items() if key not in hand}


def exercises_of(rows: Iterable[Row]) -> dict[Key, float]:
    """Every exercise that some row has, with its full points, in the order of first appearance by notebook."""
    found = {key_of(e): float(e["max_points"]) for row in rows for e in row["exercises"]}
    notebooks = list(dict.fromkeys(notebook for notebook, _ in found))
    return dict(sorted(found.items(), key=lambda item: notebooks.index(item[0][0])))


def exercise_stats(rows: Sequence[Row]) -> list[ExerciseStats]:
    """Difficulty and discrimination of each exercise, over the graded rows, in the order of the notebooks.

    Difficulty is the share of the full points that the class earned. Discrimination is the correlation of
    an exercise's points with the same students' points on all the other exercises; None where one of the
    two does not vary.
    """
    seen: dict[Key, list[tuple[float, float, float, bool]]] = {key: [] for key in by_test(rows)}
    for row in graded(rows):
        tested = [e for e in row["exercises"] if was_tested(e)]
        total = sum(float(e["points"]) for e in tested)
        for e in tested:
            points = float(e["points"])
            untouched = one_line(e["message"]) == NOT_WRITTEN
            seen[key_of(e)].append((points, float(e["max_points"]), total - points, untouched))
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
    import numpy as np

    full: dict[str, float] = defaultdict(float)
    for (notebook, _), points in by_test(rows).items():
        full[notebook] += points
    found = []
    for notebook, most in full.items():
        scores = []
        for row in graded(rows):
            mine = [float(e["points"]) for e in row["exercises"] if e["notebook"] == notebook and was_tested(e)]
            if mine:
                scores.append(sum(mine))
        if scores:
            low, middle, high = (float(q) for q in np.percentile(scores, (25, 50, 75)))
            best = sum(score >= most for score in scores)
            found.append(NotebookStats(notebook, most, len(scores), best, float(np.mean(scores)), (low, middle, high)))
    return found


def common_mistakes(rows: Sequence[Row]) -> dict[Key, list[Mistake]]:
    """The mistakes of each exercise, the commonest first.

    A mistake goes by the name that its row gives it. Where it gives none, the message stands for it, and numbers do
    not tell two messages apart.
    """
    groups: dict[Key, dict[tuple[str, str], Counter[str]]] = {key: defaultdict(Counter) for key in exercises_of(rows)}
    summaries: dict[tuple[Key, str], str] = {}
    for row in rows:
        for e in row["exercises"]:
            if not (message := one_line(e["message"])) or not was_tested(e):
                continue
            key = key_of(e)
            named = e.get("mistake") or {}
            if title := str(named.get("name", "")):
                summaries[key, title] = str(named.get("summary") or title.replace("_", " "))
            groups[key][title, "" if title else normalised(message)][message] += 1
    return {
        key: sorted(
            (
                Mistake(title, summaries.get((key, title), ""), c.most_common(1)[0][0], c.total(), len(c))
                for (title, _), c in those.items()
            ),
            key=lambda mistake: (-mistake.count, mistake.summary, mistake.message),
        )
        for key, those in groups.items()
        if those
    }


def incidents(rows: Sequence[Row], kinds: Iterable[str]) -> dict[str, list[Incident]]:
    """What happened, by kind: `kinds` first, then whatever else the rows tell of; the commonest first."""
    groups: dict[tuple[str, str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for place, row in enumerate(rows):
        for one in row.get("incidents") or []:
            kind, notebook, cell, said = (str(one.get(part) or "") for part in ("kind", "notebook", "cell", "text"))
            groups[kind, notebook, cell, normalised(one_line(said))].append((place, one_line(said)))
    found: dict[str, list[Incident]] = {kind: [] for kind in kinds}
    for (kind, notebook, cell, _), those in groups.items():
        wording = Counter(said for _, said in those).most_common(1)[0][0]
        places = tuple(dict.fromkeys(place for place, _ in those))
        found.setdefault(kind, []).append(Incident(kind, notebook, cell, wording, places))
    for several in found.values():
        several.sort(key=lambda incident: (-len(incident.rows), incident.notebook, incident.cell))
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
    import numpy as np

    if len(a) < 2 or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])
