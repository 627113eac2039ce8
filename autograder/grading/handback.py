"""What goes back: the notebook as it was graded, its feedback page, and a copy of what came in, in nbgrader's tree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from autograder.grading.rows import Student
from autograder.grading.workspace import Workspace, fresh_folder
from autograder.notebook.graded import NotebookJson, as_notebook
from autograder.notebook.rebuild import Ours
from autograder.report.book import Place
from autograder.report.feedback import About, Graded, feedback_page, with_remarks, with_total
from autograder.results import ByHand, Row


def each_member(student: Student) -> list[Student]:
    """Everybody who gets a grade for what was run: the student, or all who handed in together."""
    return [replace(student, delivery=delivery) for delivery in student.delivery.each()]


def write_back(
    workspace: Workspace,
    assignment: str,
    student: Student,
    row: Row,
    ours: Mapping[str, Ours],
    templates: Mapping[str, NotebookJson],
    *,
    handed_in_at: Path,
    graded_at: datetime,
    places: Mapping[str, Place],
) -> None:
    """Write submitted/, autograded/ and feedback/ of one student, anew and whole.

    `handed_in_at` is where the submissions lie: a student's own files there are never touched. `places` says where in
    the book an exercise is taught.
    """
    submitted = workspace.student("submitted", student.id, assignment)
    copy = not submitted.resolve().is_relative_to(handed_in_at.resolve())
    autograded = fresh_folder(workspace.student("autograded", student.id, assignment))
    feedback = fresh_folder(workspace.student("feedback", student.id, assignment))
    if copy:
        fresh_folder(submitted)
    for name, placed in student.submission.notebooks.items():
        mine, template, run = ours[name], templates[name], student.runs[name]
        if copy:
            _write_notebook(submitted / f"{name}.ipynb", as_notebook(mine, placed, template, tests=False))
        _write_notebook(autograded / f"{name}.ipynb", as_notebook(mine, placed, template, tests=True, run=run))
    if student.delivery.timestamp:
        for folder in (autograded, *([submitted] if copy else [])):
            _write_text(folder / "timestamp.txt", student.delivery.timestamp)
    graded = {name: _graded(name, mine, student, row) for name, mine in ours.items()}
    notes = [*student.submission.notes, *student.submission.refused.values()]
    about = About(assignment, row.name, row.student, graded_at, student.delivery.timestamp, notes)
    _write_text(page_of(workspace, assignment, row.student), feedback_page(about, list(graded.values()), places))
    for name in student.submission.notebooks:
        own = [note for note in notes if note.startswith(f"{name}.")]
        about = replace(about, title=f"{assignment} · {name}", notes=own)
        _write_text(feedback / f"{name}.html", feedback_page(about, [graded[name]], places))


def page_of(workspace: Workspace, assignment: str, student: str) -> Path:
    """The one page that a student gets: beside the folder in which nbgrader looks for a page of each notebook."""
    return workspace.student("feedback", student, assignment).with_name(f"{assignment}.html")


def write_totals(
    workspace: Workspace, assignment: str, rows: Iterable[Row], full: float, by_hand: Mapping[str, Sequence[ByHand]]
) -> None:
    """Add what a person gave and said, and the gradebook's total where it is not what the tests gave."""
    for row in rows:
        page = page_of(workspace, assignment, row.student)
        said = _in_order(by_hand.get(row.student, ()), row)
        other = row.score != sum(e.points for e in row.exercises)
        if (other or said) and page.is_file():
            text = with_remarks(page.read_text(encoding="utf-8"), said)
            _write_text(page, with_total(text, row.score, row.penalty, full) if other else text)
        for name in dict.fromkeys(one.notebook for _, one in said):
            own = workspace.student("feedback", row.student, assignment) / f"{name}.html"
            if own.is_file():
                mine = [(f"n0-{anchor.partition('-')[2]}" if anchor else "", one) for anchor, one in said
                        if one.notebook == name]  # fmt: skip
                _write_text(own, with_remarks(own.read_text(encoding="utf-8"), mine))


def _in_order(said: Sequence[ByHand], row: Row) -> list[tuple[str, ByHand]]:
    """As the page has its exercises, each with its place on the page; what belongs to none of them comes last."""
    anchors: dict[tuple[str, str], str] = {}
    books = list(dict.fromkeys(e.notebook for e in row.exercises))
    for number, book in enumerate(books):
        mine = [e for e in row.exercises if e.notebook == book]
        anchors |= {(book, e.exercise): f"n{number}-e{place}" for place, e in enumerate(mine)}
    order = {key: place for place, key in enumerate(anchors)}
    found = [(anchors.get((one.notebook, one.exercise), ""), one) for one in said]
    return sorted(found, key=lambda pair: order.get((pair[1].notebook, pair[1].exercise), len(order)))


def _graded(name: str, mine: Ours, student: Student, row: Row) -> Graded:
    exercises = [e for e in row.exercises if e.notebook == name]
    return Graded(mine, exercises, student.submission.notebooks.get(name, ()), student.runs.get(name))


def _write_notebook(path: Path, notebook: NotebookJson) -> None:
    """One cell a line: short for people, and quick where `indent=` is not."""
    cells = ",\n".join(json.dumps(cell) for cell in notebook["cells"])
    rest = json.dumps({key: value for key, value in notebook.items() if key != "cells"})
    _write_text(path, f'{{"cells": [\n{cells}\n],\n{rest[1:]}\n')


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
