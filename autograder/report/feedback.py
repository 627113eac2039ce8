"""The page that a student opens: what each exercise earned, what to look at beside their own code, and the rest folded.

There is one page for all notebooks of an assignment, and one for each, where `nbgrader release_feedback` looks for it
(`nbgrader generate_feedback` makes nbgrader's own in their place). A hidden test shows its message, never its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from autograder.handed_in.times import read_time
from autograder.notebook.rebuild import Ours, Placed
from autograder.notebook.source import exercise_of, visible
from autograder.report.book import Place
from autograder.report.html import MOST_RENDERED, markdown, rendered
from autograder.report.terminal import LABELS
from autograder.results import ByHand, CellResult, Exercise, Run, State

MAX_SHOWN = 200_000  # characters of one cell
SUM = re.compile(r'<p class="sum">.*?</p>', re.S)  # what `with_total` replaces: a student's text has no tags


@dataclass(frozen=True)
class About:
    """Whose page it is, and of what."""

    title: str  # of the assignment
    name: str
    student: str  # the id
    graded: datetime
    handed_in: str = ""  # as nbgrader's timestamp.txt has it; "" where nobody knows
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Graded:
    """One notebook of the student's: what was set, what came back, and what the tests said of it."""

    ours: Ours
    exercises: Sequence[Exercise]
    placed: Sequence[Placed] = ()  # nothing where it was not handed in
    run: Run | None = None


@dataclass(frozen=True)
class Shown:
    """A cell of the student's as the page shows it: `text` is rendered Markdown, `code` is as it was written."""

    text: Markup | str = ""
    code: str = ""
    printed: str = ""
    error: str = ""

    @property
    def says(self) -> bool:
        return bool(self.text or self.code.strip() or self.printed.strip() or self.error)


@dataclass(frozen=True)
class Verdict:
    """An exercise, what is said of it, and what the student wrote for it."""

    exercise: Exercise
    anchor: str
    said: str  # in prose
    facts: Sequence[tuple[str, str]]  # "expected", what was expected, …
    answer: Shown
    test: str = ""  # as far as a student may see it
    place: Place | None = None

    @property
    def look(self) -> bool:
        """Whether the student should look at it before all others."""
        return self.exercise.state not in (State.RIGHT, State.BY_HAND)


@dataclass(frozen=True)
class Part:
    """A notebook on the page."""

    name: str
    verdicts: Sequence[Verdict]
    others: Sequence[Shown]  # the student's own cells beside the answers, with what they printed

    @property
    def earned(self) -> float:
        return sum(v.exercise.points for v in self.verdicts)

    @property
    def total(self) -> float:
        return sum(v.exercise.max_points for v in self.verdicts)


def feedback_page(about: About, notebooks: Sequence[Graded], places: Mapping[str, Place]) -> str:
    """The page as HTML, complete in itself. `places` says where in the book an exercise is taught."""
    parts = [_part(number, one, places) for number, one in enumerate(notebooks)]
    verdicts = [verdict for part in parts for verdict in part.verdicts]
    return rendered(
        "feedback.html",
        title=f"{about.title}: feedback for {about.name}",
        style="feedback.css",
        about=about,
        handed_in=read_time(about.handed_in) if about.handed_in else None,
        parts=parts,
        earned=sum(part.earned for part in parts),
        total=sum(part.total for part in parts),
        look=[v for v in verdicts if v.look],
        good=[v for v in verdicts if not v.look],
        State=State,
    )


def with_total(page: str, score: float, penalty: float, full: float) -> str:
    """The page with the gradebook's total, where a person gave points or lateness took some away."""
    total = rendered("total.html", score=score, penalty=penalty, full=full)
    return SUM.sub(lambda found: f"{found.group()}\n{total}", page, count=1)


def with_remarks(page: str, said: Sequence[tuple[str, ByHand]]) -> str:
    """The page with what a person gave or wrote, each beside the place of its exercise on the page."""
    if not said:
        return page
    section = rendered("remarks.html", said=said)
    return SUM.sub(lambda found: f"{found.group()}\n{section}", page, count=1)


def _part(number: int, one: Graded, places: Mapping[str, Place]) -> Part:
    answers, tests = _answers(one), _visible_tests(one.ours)
    verdicts = []
    for place, exercise in enumerate(one.exercises):
        said, facts = told(exercise)
        verdicts.append(
            Verdict(
                exercise,
                f"n{number}-e{place}",
                said,
                facts,
                answers.get(exercise.exercise, Shown()),
                tests.get(exercise.exercise, ""),
                places.get(exercise.exercise),
            )
        )
    return Part(one.ours.name, verdicts, [cell for cell in _others(one) if cell.says])


def told(exercise: Exercise) -> tuple[str, list[tuple[str, str]]]:
    """A message as its prose and its labelled lines; a line without a label goes on with the one above it."""
    prose: list[str] = []
    facts: list[tuple[str, str]] = []
    for line in (exercise.message or str(exercise.state)).splitlines():
        label = next((word for word in LABELS if line.strip().startswith(word)), "")
        if label:
            facts.append((label.removesuffix(":"), line.strip().removeprefix(label).strip()))
        elif facts:
            facts[-1] = (facts[-1][0], f"{facts[-1][1]}\n{line}")
        else:
            prose.append(line)
    return "\n".join(prose), facts


def _answers(one: Graded) -> dict[str, Shown]:
    """What was written for each exercise: the cell of its name, else the last answer above its test."""
    named, found = {p.name: p for p in one.placed}, {}
    above: Placed | None = None
    for p in one.placed:
        if p.cell.is_test:
            exercise = exercise_of(p.name)
            answer = named.get(exercise) or above
            if answer is not None:
                found[exercise] = _shown(answer, one.run)
        elif p.cell.nbgrader.get("solution"):
            above = p
            if p.cell.nbgrader.get("grade"):
                found[p.name] = _shown(p, one.run)
    return found


def _visible_tests(ours: Ours) -> dict[str, str]:
    return {exercise_of(cell.grade_id): visible(cell.source) for cell in ours.cells if cell.is_test}


def _others(one: Graded) -> Iterator[Shown]:
    """The cells that the student added or changed; of what was given, only an error or what it printed."""
    given = {cell.source.strip() for cell in one.ours.cells}
    left = MOST_RENDERED  # of a notebook, not of each of its cells
    for p in one.placed:
        if p.cell.is_test or p.cell.nbgrader.get("solution"):
            continue
        if p.ours or p.cell.source.strip() in given:
            result = _result(p, one.run)
            if result and result.error:
                yield _shown(p, one.run)
        elif p.cell.kind == "code":
            yield _shown(p, one.run)
        else:
            yield Shown(text=markdown(p.cell.source[:MAX_SHOWN], left))
            left = max(0, left - len(p.cell.source))


def _shown(p: Placed, run: Run | None) -> Shown:
    if p.cell.kind != "code":
        return Shown(text=markdown(p.cell.source[:MAX_SHOWN]))
    result = _result(p, run)
    error = f"{result.error}: {result.message}" if result and result.error else ""
    return Shown(code=p.cell.source[:MAX_SHOWN], printed=result.printed if result else "", error=error)


def _result(p: Placed, run: Run | None) -> CellResult | None:
    return run.cells.get(p.name) if run else None
