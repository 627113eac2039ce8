"""The `autograder` command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from autograder.course import Course
from autograder.errors import CourseError, SubmissionError

app = typer.Typer(
    help="Make exercise notebooks, check them, and grade a class.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
NO_SANDBOX = "autograder: no sandbox yet: the students' code runs as you; grade only code that you trust"
Chapter = Annotated[str, typer.Argument(help="A chapter, for example: attention")]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a known error into one line on stderr and exit code 2."""
    try:
        yield
    except (CourseError, SubmissionError) as error:
        typer.echo(f"autograder: {error}", err=True)
        raise typer.Exit(2) from error


@app.command()
def release(chapter: Chapter) -> None:
    """Write the student notebooks of a chapter to chapters/<chapter>/exercises/."""
    from autograder.release import build_student_notebooks

    with one_line_errors():
        course = Course.find()
        course.sources(chapter)
        with out.status(f"making the student notebooks of {chapter}"):
            written = build_student_notebooks(course, chapter, course.student_notebooks(chapter))
    for path in written:
        typer.echo(path.relative_to(course.root))


@app.command()
def verify(chapter: Chapter) -> None:
    """Hold a chapter's tests to its bank: reference, untouched notebook, wrong and right solutions."""
    from autograder.verify import verify_chapter

    with one_line_errors():
        course = Course.find()
        with out.status("verifying") as status:
            found = verify_chapter(course, chapter, lambda now: status.update(f"verifying {now}"))
    table = Table("exercise", "entry", "", "message")
    for v in found.verdicts:
        kind = "right" if v.entry.is_right else "wrong"
        mark = "PROBLEM" if v.problem else ("accepted" if v.entry.is_right else "rejected")
        said = v.problem or v.message.split("\n")[0]
        table.add_row(v.entry.exercise, f"{v.entry.name} ({kind})", mark, said[:160].replace("[", "\\["))
    out.print(table)
    for problem in found.problems:
        typer.echo(f"PROBLEM {problem}")
    for name, points in found.points.items():
        typer.echo(f"{name}: reference {found.reference[name]:g}/{points:g}, untouched {found.untouched[name]:g}")
    rejected, accepted = found.count(is_right=False), found.count(is_right=True)
    typer.echo(
        f"wrong solutions rejected {rejected[0]} of {rejected[1]}, right ones accepted {accepted[0]} of "
        f"{accepted[1]}, blame outside its own exercise {found.blamed}"
    )
    raise typer.Exit(0 if found.clean else 1)


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="Your exercise notebook, a .ipynb file")],
    seconds: Annotated[float, typer.Option(help="Give up after so many seconds")] = 120,
) -> None:
    """Run one exercise notebook and say which exercises are right and what is wrong with the others."""
    from autograder.check import check_notebook

    with one_line_errors(), out.status(f"running {notebook.name}"):
        results = check_notebook(notebook, seconds)
    table = Table("exercise", "points", "what to look at")
    for r in results:
        table.add_row(r.exercise, f"{r.points:g}/{r.max_points:g}", (r.message or "right").replace("[", "\\["))
    out.print(table)
    earned, total = sum(r.points for r in results), sum(r.max_points for r in results)
    typer.echo(f"{earned:g} of {total:g} points on the tests in the notebook")
    raise typer.Exit(0 if earned == total else 1)


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(help="A folder that holds one folder of notebooks for each student")],
    chapter: Annotated[str, typer.Option(help="Which chapter was set")] = "attention",
    into: Annotated[Path | None, typer.Option(help="Where the gradebook goes (default: the course)")] = None,
    seconds: Annotated[float, typer.Option(help="Wall seconds for one notebook")] = 120,
) -> None:
    """Grade a class: nbgrader's gradebook, feedback for each student, results.csv and results.json.

    There is no sandbox yet: the students' code runs as you. Grade only code that you trust.
    """
    from rich.progress import Progress

    from autograder.grade import grade_class

    with one_line_errors():
        course = Course.find()
        workspace = (into or course.root).resolve()
        workspace.mkdir(parents=True, exist_ok=True)
        typer.echo(NO_SANDBOX, err=True)
        with Progress(console=out) as bar:
            task = bar.add_task("grading", total=None)
            results = grade_class(
                course,
                chapter,
                folder,
                workspace,
                seconds=seconds,
                progress=lambda done, total, student: bar.update(
                    task, completed=done, total=total, description=f"grading {student}" if student else "graded"
                ),
            )
    table = Table("student", "status", "score", "note")
    for row in results["rows"]:
        score = f"{row['score']:g}/{results['max_score']:g}"
        table.add_row(row["student"], row["status"], score, row["note"][:200].replace("[", "\\["))
    out.print(table)
    typer.echo(f"{workspace / 'gradebook.db'}\n{workspace / 'results.csv'}\n{workspace / 'feedback'}")


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="The results.json that `grade` wrote")] = Path("results.json"),
    to: Annotated[Path | None, typer.Option(help="The page to write (default: report.html beside the results)")] = None,
) -> None:
    """Write one self-contained HTML page about a graded class."""
    import json

    from autograder.report import write_report

    with one_line_errors():
        if not results.is_file():
            raise CourseError(f"{results}: no such file: run `autograder grade FOLDER` first")
        page = to or results.with_name("report.html")
        write_report(json.loads(results.read_text(encoding="utf-8")), page)
    typer.echo(page)


@app.command()
def sample(
    chapter: Chapter,
    target: Annotated[Path, typer.Argument(help="Where to write the class")] = Path("sample"),
    students: Annotated[int, typer.Option(help="How many students")] = 20,
    seed: Annotated[int, typer.Option(help="The seed of the generator")] = 0,
) -> None:
    """Write a made-up class of bank entries whose scores are known, to try the grader on."""
    from autograder.sample import make_sample_class

    with one_line_errors(), out.status("making a sample class"):
        make_sample_class(Course.find(), chapter, target, students=students, seed=seed)
    typer.echo(target / "class")


if __name__ == "__main__":
    app()
