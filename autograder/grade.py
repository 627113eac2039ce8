"""Grade a class: intake, nbgrader's autograde with our executor, feedback, CSV, and results for the report."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from autograder.check import explain, graded_cells
from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook import checked, nbgrader_api, quiet
from autograder.intake import Submission, read_submission, students_in
from autograder.notebook_source import exercise_of
from autograder.release import generate

Row = dict[str, Any]


def grade_class(
    course: Course,
    chapter: str,
    folder: Path,
    workspace: Path,
    *,
    seconds: float = 120,
    progress: Callable[[int, int, str], None] = lambda done, total, student: None,
) -> dict[str, Any]:
    """Grade every student in `folder`; writes gradebook, feedback, results.json and results.csv to `workspace`."""
    students = students_in(folder)
    generate(course, chapter, workspace)
    ours = {p.stem: nbformat.read(p, as_version=4) for p in sorted((workspace / "release" / chapter).glob("*.ipynb"))}
    rows = []
    for done, student in enumerate(students):
        progress(done, len(students), student.name)
        started = time.perf_counter()
        row = _grade_student(student, chapter, ours, workspace, seconds)
        row["seconds"] = round(time.perf_counter() - started, 2)
        rows.append(row)
    progress(len(students), len(students), "")
    most = sum(sum(graded_cells(notebook).values()) for notebook in ours.values())
    results = {"assignment": chapter, "max_score": most, "rows": rows}
    (workspace / "results.json").write_text(json.dumps(results, ensure_ascii=False, indent=1), encoding="utf-8")
    _write_csv(results, workspace / "results.csv")
    return results


def _grade_student(folder: Path, chapter: str, ours: dict[str, Any], workspace: Path, seconds: float) -> Row:
    """One student's row; whatever goes wrong is said there and costs nobody else anything."""
    row: Row = {"student": folder.name, "status": "graded", "note": "", "score": 0.0, "exercises": []}
    try:
        submission = read_submission(folder, chapter, ours)
        row["note"] = "; ".join(submission.notes)
        if not submission.notebooks:
            row["status"] = "refused"
            return row
        _write_submission(submission, chapter, workspace)
        with quiet() as complaints:
            api = nbgrader_api(workspace, seconds=seconds)
            checked(api.autograde(chapter, folder.name, force=True), complaints, f"autograde {folder.name}")
            checked(api.generate_feedback(chapter, folder.name, force=True), complaints, f"feedback {folder.name}")
        _collect(row, chapter, ours, workspace)
    except (CourseError, OSError) as error:
        row["status"], row["note"] = "refused", str(error).splitlines()[0]
    return row


def _write_submission(submission: Submission, chapter: str, workspace: Path) -> None:
    target = workspace / "submitted" / submission.student / chapter
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, notebook in submission.notebooks.items():
        nbformat.write(notebook, target / f"{name}.ipynb")
    if submission.timestamp:
        (target / "timestamp.txt").write_text(submission.timestamp, encoding="utf-8")


def _collect(row: Row, chapter: str, ours: dict[str, Any], workspace: Path) -> None:
    """Scores from nbgrader's gradebook, messages from the autograded notebooks."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}", "course") as gradebook:
        submission = gradebook.find_submission(chapter, row["student"])
        row["score"] = float(submission.score)
        for notebook in sorted(submission.notebooks, key=lambda n: str(n.name)):
            path = workspace / "autograded" / row["student"] / chapter / f"{notebook.name}.ipynb"
            messages = _messages(path, row) if path.is_file() else {}
            grades = {grade.name: grade for grade in notebook.grades}
            for test in graded_cells(ours[notebook.name]):
                row["exercises"].append(
                    {
                        "notebook": notebook.name,
                        "exercise": exercise_of(test),
                        "points": float(grades[test].score),
                        "max_points": float(grades[test].max_score),
                        "message": messages.get(test, ""),
                    }
                )


def _messages(path: Path, row: Row) -> dict[str, str]:
    """The message of each test cell that failed; notes a crash or a time-out in the row."""
    messages = {}
    for cell in nbformat.read(path, as_version=4).cells:
        metadata = cell.metadata.get("nbgrader", {})
        for output in cell.get("outputs", []):
            if output.output_type != "error" or not metadata.get("grade"):
                continue
            messages[metadata.grade_id] = explain(output.ename, output.evalue)
            if output.ename == "NotRun":
                row["status"] = "timed out" if "timed out" in output.evalue else "crashed"
    return messages


def _write_csv(results: dict[str, Any], path: Path) -> None:
    names: list[str] = []
    for row in results["rows"]:
        names += [e["exercise"] for e in row["exercises"] if e["exercise"] not in names]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "status", "score", "max_score", *names, "note"])
        for row in results["rows"]:
            points = {e["exercise"]: e["points"] for e in row["exercises"]}
            values = [row["student"], row["status"], row["score"], results["max_score"]]
            values += [points.get(name, 0.0) for name in names]
            writer.writerow([_no_formula(value) for value in [*values, row["note"]]])


def _no_formula(value: Any) -> Any:
    """A spreadsheet must not run what a student wrote."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
