"""The rows of `results.json`: what each student earned, what went wrong, and what changed since the last run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograder.engine.execution import Incident
from autograder.grading.check import ExerciseResult
from autograder.nbgrader.gradebook import Total

Row = dict[str, Any]
MAX_MESSAGE = 4_000  # characters of a message in results.json


def new_row(student: str, status: str, note: str = "") -> Row:
    """A row with nothing earned yet."""
    return {
        "student": student,
        "status": status,
        "note": note,
        "score": 0.0,
        "seconds": 0.0,
        "exercises": [],
        "incidents": [],
        "digests": {},
    }


def exercise(result: ExerciseResult) -> dict[str, Any]:
    """One exercise of a row, with the known mistake that its verdict names."""
    message = result.message
    if message.startswith("not reached:"):
        message = next((said for said in ("was not handed in", "could not be graded") if said in message), message)
        message = message.removeprefix("was ")
    found = {"name": result.entry, "summary": message.splitlines()[0]} if result.entry else {}
    record = {
        "notebook": result.notebook,
        "exercise": result.exercise,
        "points": result.points,
        "max_points": result.max_points,
        "message": message[:MAX_MESSAGE],
    }
    told = {"details": result.details[:MAX_MESSAGE]} if result.details else {}
    return record | told | ({"mistake": found} if found else {})


def by_hand(notebook: str, cell: str, most: float) -> dict[str, Any]:
    """An exercise that a person grades."""
    return {"notebook": notebook, "exercise": cell, "points": 0.0, "max_points": most, "message": "graded by a person"}


def incident(notebook: str, cell: str, kind: str, text: str) -> dict[str, str]:
    return {"notebook": notebook, "cell": cell, "kind": kind, "text": text[:MAX_MESSAGE]}


def worst(incidents: Sequence[Incident]) -> list[Incident]:
    """The incidents that a row's note names: not every cell of a notebook that timed out."""
    return [i for i in incidents if i.kind != "flood"][:3]


def add_total(row: Row, total: Total | None) -> None:
    """What the gradebook says of a student, penalties and a person's points included."""
    if total is None or row["status"] == "failed":
        return
    row["score"], row["penalty"] = total.score, total.penalty
    if total.seconds_late:
        text = f"{total.seconds_late / 3600:.1f} hours late, {total.penalty:g} points taken off"
        row["incidents"].append(incident("", "", "late", text))


def score_changes(before: dict[str, Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Whose points changed since the last run, on which exercise, and why."""
    changes = []
    for row in rows:
        earlier = before.get(row["student"])
        if earlier is None or "failed" in (earlier["status"], row["status"]):
            continue
        old = {(e["notebook"], e["exercise"]): e["points"] for e in earlier["exercises"]}
        for now in row["exercises"]:
            key = now["notebook"], now["exercise"]
            if key in old and old[key] != now["points"]:
                changes.append(
                    {
                        "student": row["student"],
                        "notebook": key[0],
                        "exercise": key[1],
                        "before": old[key],
                        "after": now["points"],
                        "why": _why(earlier.get("digests", {}), row["digests"], key[0]),
                    }
                )
    return changes


def _why(before: dict[str, Any], now: dict[str, Any], notebook: str) -> str:
    old, new = before.get(notebook), now.get(notebook)
    if old is None or new is None or old[0] != new[0]:
        return "the notebook or its tests changed"
    return "another version was handed in" if old[1] != new[1] else "the same submission was run again"
