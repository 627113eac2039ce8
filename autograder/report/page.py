"""The page as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.report import sections, statistics
from autograder.report.sections import title_of

CONTENTS = {
    "scores": "Scores",
    "exercises": "Exercises",
    "mistakes": "Mistakes",
    "unfinished": "Not graded to the end",
    "incidents": "Stopped",
    "refused": "Refused",
    "late": "Late",
    "noted": "Notes",
    "delivery": "Files",
    "changed": "Changes",
    "slowest": "Slowest",
    "similar": "Similar",
    "everyone": "Everyone",
}


def write_report(results: dict[str, Any], path: Path) -> None:
    """Write the page about `results`, as `grade` saves them, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(results), encoding="utf-8")


def page(results: dict[str, Any]) -> str:
    rows: list[dict[str, Any]] = list(results["rows"])
    full = float(results["max_score"])
    head = [sections.summary(rows, full), sections.run_facts(results.get("run"))]
    body = _body(results, rows, full) if rows else []
    there = [name for name in CONTENTS if any(part.startswith(f'<section id="{name}">') for part in body)]
    links = "".join(f'<li><a href="#{name}">{CONTENTS[name]}</a></li>' for name in there)
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if links else ""
    inside = "\n".join(part for part in [*head, contents, *body] if part)
    title = title_of(results)
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{Path(__file__).with_name("page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{inside}
</main>
</body>
</html>
"""


def _body(results: dict[str, Any], rows: list[dict[str, Any]], full: float) -> list[str]:
    stats = statistics.exercise_stats(rows)
    mistakes = statistics.common_mistakes(rows)
    happened = statistics.incidents(rows, sections.KINDS)
    similar = results.get("similar")
    return [
        sections.first_look(rows, stats, mistakes, happened, similar or []),
        sections.scores(rows, full, statistics.notebook_stats(rows)),
        sections.exercises(stats, mistakes),
        sections.common_mistakes(rows, mistakes),
        sections.unfinished(rows, full),
        sections.incidents(rows, happened),
        sections.refused(rows, happened),
        sections.late(rows, happened),
        sections.noted(rows, full),
        sections.delivery_notes(results.get("notes") or []),
        sections.changed(rows, results.get("changes") or []),
        sections.slowest(rows),
        sections.similar_pairs(rows, similar),
        sections.everyone(rows, full),
    ]
