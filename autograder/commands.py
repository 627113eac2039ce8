"""The `autograder` command."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder import __version__
from autograder.course.bank import BankError
from autograder.course.course import Course
from autograder.engine.processes import EngineError
from autograder.errors import CourseError, SubmissionError
from autograder.results import Results, Status, read_results

if TYPE_CHECKING:
    from rich.progress import Progress

    from autograder.course.findings import Verification

# Each command imports what it needs when it is called: `--help` takes half a second, `grade` needs three for that.

# Reading a notebook needs `jsonschema`, which imports this where it can and spends more than a second at it, to check
# internationalised addresses; nothing here asks for that.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console()


def _chapters() -> list[str]:
    """What the shell offers where a chapter is asked for."""
    with contextlib.suppress(CourseError, OSError):
        return Course.find().chapters()
    return []


Chapter = Annotated[str, typer.Argument(help="A chapter, for example: attention", autocompletion=_chapters)]
CourseFolder = Annotated[
    Path | None, typer.Option("--course", metavar="DIR", help="The course's folder (default: the one you are in)")
]


def _course_in(folder: Path | None) -> Course:
    if folder is not None and not folder.is_dir():
        raise CourseError(f"--course {folder}: no such folder")
    return Course.find(folder)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autograder {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit")
    ] = False,
) -> None:
    """Make exercise notebooks, check them, and grade a class."""


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a known error into one line on stderr and exit code 2."""
    try:
        yield
    except (CourseError, SubmissionError, BankError, EngineError) as error:
        typer.echo(f"autograder: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:  # a full disk, a folder that is read-only, a file in a folder's place
        named = f"{error.filename}: " if error.filename else ""
        typer.echo(f"autograder: {named}{error.strerror or error}", err=True)
        raise typer.Exit(2) from error


@app.command()
def release(chapter: Chapter, course_folder: CourseFolder = None) -> None:
    """Write the student notebooks of a chapter to chapters/<chapter>/exercises/."""
    from autograder.course.release import build_student_notebooks, long_tests

    with one_line_errors():
        course = _course_in(course_folder)
        course.sources(chapter)
        with out.status(f"making the student notebooks of {chapter}"):
            written = build_student_notebooks(course, chapter, course.student_notebooks(chapter))
    for path in written:
        typer.echo(path.relative_to(course.root))
        for line in long_tests(path):
            typer.echo(f"note: {line}", err=True)


@app.command()
def verify(
    chapter: Chapter,
    only: Annotated[list[str] | None, typer.Option(help="An exercise: a quick look at it, nothing else.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; an old record is a problem.")] = False,
    course_folder: CourseFolder = None,
) -> None:
    """Hold a chapter's tests to its bank: reference, untouched notebook, wrong and right solutions.

    Writes the chapter's record (tests/record/), and fills in `gives=...` in its tests from the reference.
    """
    from autograder.course.fill import fill_in
    from autograder.course.verify import keep_record, verify_chapter, verify_exercises

    with one_line_errors():
        course = _course_in(course_folder)
        with out.status("verifying") as status:
            if only:
                found = verify_exercises(course, chapter, only)
            else:
                found = verify_chapter(course, chapter, lambda now: status.update(f"verifying {now}"))
        done = fill_in(course, chapter, found.fills) if not check else []
        done += keep_record(course, chapter, found, write=not check) if not only else []
    _show_verification(found, done)
    raise typer.Exit(0 if found.clean else 1)


def _show_verification(found: Verification, done: list[str]) -> None:
    table = Table("exercise", "entry", "", "message")
    for v in found.verdicts:
        kind = "right" if v.entry.is_right else "wrong"
        mark = "PROBLEM" if v.problem else ("accepted" if v.entry.is_right else "rejected")
        message = v.problem or v.message.split("\n")[0]
        table.add_row(v.entry.exercise, f"{v.entry.name} ({kind})", mark, escape(message[:160]))
    out.print(table)
    for line in [*found.notes, *done]:
        typer.echo(f"note: {line}")
    for problem in [*found.problems, *(f"{v.entry.name}: {v.problem}" for v in found.verdicts if v.problem)]:
        typer.echo(f"PROBLEM {problem}")
    for name, points in found.points.items():
        by_hand = f"; {found.by_hand[name]:g} more graded by a person" if name in found.by_hand else ""
        scores = f"reference {found.reference[name]:g}/{points:g}, untouched {found.untouched[name]:g}"
        typer.echo(f"{name}: {scores}{by_hand}")
    rejected, accepted = found.count(is_right=False), found.count(is_right=True)
    typer.echo(
        f"wrong solutions rejected {rejected[0]} of {rejected[1]}, right ones accepted {accepted[0]} of "
        f"{accepted[1]}, blame outside its own exercise {found.blamed}"
    )


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="Your exercise notebook, a .ipynb file, or a folder of them")],
    seconds: Annotated[float, typer.Option(help="Interrupt a cell after so many seconds")] = 40,
) -> None:
    """Run an exercise notebook and say which exercises are right and what is wrong with the others."""
    from autograder.grading.check import notebooks_in

    with one_line_errors():
        paths = notebooks_in(notebook) if notebook.is_dir() else [notebook]
        sums = [_check_one(path, seconds, one_of_many=len(paths) > 1) for path in paths]
    found = [both for both in sums if both is not None]
    if not found:
        raise typer.Exit(2)
    earned, total = sum(mine for mine, _ in found), sum(most for _, most in found)
    where = "the notebook" if len(paths) == 1 else f"{len(found)} notebooks"
    typer.echo(f"{earned:g} of {total:g} points on the tests in {where}")
    raise typer.Exit(0 if earned == total and len(found) == len(paths) else 1)


def _check_one(path: Path, seconds: float, *, one_of_many: bool) -> tuple[float, float] | None:
    """Show one notebook; its points, and what they could be. None for one of many that cannot be checked."""
    from autograder.grading.check import check_notebook
    from autograder.report.terminal import show_exercises

    notes: list[str] = []
    try:
        with out.status(f"running {escape(path.name)}"):
            results = check_notebook(path, seconds, notes.append)
    except SubmissionError as error:
        if not one_of_many:
            raise
        typer.echo(f"autograder: {error}", err=True)
        return None
    if one_of_many:
        typer.echo(path)
    for note in notes:
        typer.echo(f"note: {note}")
    show_exercises(out, results)
    earned, total = sum(r.points for r in results), sum(r.max_points for r in results)
    if one_of_many:
        typer.echo(f"{earned:g} of {total:g} points\n")
    return earned, total


@app.command()
def examples(
    exercise: Annotated[str, typer.Argument(help="The exercise's name, such as softmax")],
    file: Annotated[Path | None, typer.Option(help="A file with an example a line; without it they are typed")] = None,
    course_folder: CourseFolder = None,
) -> None:
    """Before you write code: try your own examples. Are they right, and which known mistakes would they catch?

    An example is a line of Python: softmax([2.0, 0, 1]) == [0.665, 0.090, 0.245]. Wants the whole course.
    """
    from autograder.course.try_examples import sheet_with, tried_here

    with one_line_errors():
        course = _course_in(course_folder)
        sheet_with(course, exercise)
        outcome = tried_here(course, exercise, _typed(exercise) if file is None else file.read_text(encoding="utf-8"))
        if not outcome.examples:
            raise CourseError(f"no example: write a line such as {exercise}(…) == what it gives")
    for one in outcome.examples:
        typer.echo(f"{'✓' if one.right else '✗'} {one.text}" + (f"\n  {one.words}" if one.words else ""))
    typer.echo(outcome.summary)
    if outcome.next_hint:
        typer.echo(outcome.next_hint)
    raise typer.Exit(0 if all(one.right for one in outcome.examples) else 1)


def _typed(exercise: str) -> str:
    """Lines from the terminal, up to an empty one, or all that is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.read()
    typer.echo(f"One example a line, as {exercise}(…) == what it gives; an empty line ends them.")
    return "\n".join(iter(input, ""))


@app.command()
def update(
    mine: Annotated[Path, typer.Argument(help="Your notebook, with your answers, or a folder; it is rewritten")],
    new: Annotated[Path, typer.Argument(help="The newer version, as you downloaded it, or a folder")],
) -> None:
    """Take a newer version of an exercise notebook without losing your answers; the old file is kept."""
    from autograder.notebook.update import update as update_notebook

    with one_line_errors():
        pairs = _pairs(mine, new)
        for old, fresh in pairs:
            if len(pairs) > 1:
                typer.echo(old)
            for note in update_notebook(old, fresh):
                typer.echo(note)


def _pairs(mine: Path, new: Path) -> list[tuple[Path, Path]]:
    """Which notebook is to become which; a folder stands for the notebooks in it that have the other's name."""
    if not mine.is_dir() and not new.is_dir():
        return [(mine, new)]
    if not mine.is_dir():
        return [(mine, new / mine.name)]
    names = sorted(path.name for path in new.glob("*.ipynb")) if new.is_dir() else [new.name]
    folder = new if new.is_dir() else new.parent
    pairs = [(mine / name, folder / name) for name in names if (mine / name).is_file()]
    if not pairs:
        raise SubmissionError(f"{mine}: no notebook there has the name of one in {folder}: name the two files")
    return pairs


@app.command()
def grade(
    folder: Annotated[
        Path,
        typer.Argument(help="What was handed in: a platform's zip, nbgrader's folder, a folder a student"),
    ],
    chapter: Annotated[
        str, typer.Option(help="Which chapter was set (default: told from the notebooks)", autocompletion=_chapters)
    ] = "",
    notebook: Annotated[
        list[str] | None, typer.Option(help="Only this notebook of the chapter was set; may be given again")
    ] = None,
    assignment: Annotated[
        str, typer.Option(help="What nbgrader calls it (default: the chapter, and the notebooks if not all)")
    ] = "",
    names: Annotated[str, typer.Option(help="How the files are named, as '{student}_{file}'")] = "",
    roster: Annotated[Path | None, typer.Option(help="A CSV file of the class: ids, names, and groups")] = None,
    into: Annotated[Path | None, typer.Option(help="Where the gradebook goes (default: the course)")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Grade this student only; may be given again")] = None,
    due: Annotated[str, typer.Option(help="When it was due, as 2026-12-01 23:59 UTC; for late penalties")] = "",
    extension: Annotated[
        list[str] | None, typer.Option(help="More time for one student: ann='3 days' or ann='2026-12-03 23:59 UTC'")
    ] = None,
    zone: Annotated[str, typer.Option(help="The time zone of times that name none, as Europe/Berlin or +0100")] = "",
    encoding: Annotated[str, typer.Option(help="Of names in a zip that look wrong, as gbk, big5 or shift_jis")] = "",
    seconds: Annotated[float, typer.Option(help="Seconds of the clock for one notebook")] = 120,
    workers: Annotated[int | None, typer.Option(help="How many notebooks at a time (default: one a core)")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Run on a dask cluster: tcp://HOST:PORT")] = None,
    db: Annotated[str | None, typer.Option(help="The gradebook's database: postgresql+psycopg://…")] = None,
    again: Annotated[bool, typer.Option("--again", help="Run even what was run before")] = False,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Grade even where there is no sandbox")] = False,
    course_folder: CourseFolder = None,
) -> None:
    """Grade a class: nbgrader's gradebook, feedback for each student, results.csv and results.json.

    Students' code runs in a sandbox, apart from the tests. What was run before is not run again: a broken run goes
    on where it stopped, and after a test was mended only the notebooks that it touches are run.
    """
    from autograder.grading.grade import Options, grade_class
    from autograder.handed_in.delivery import Intake

    with one_line_errors():
        roster = _only_csv(roster)
    options = Options(
        seconds, tuple(only or ()), workers, scheduler, db, unsafe, again, due, tuple(extension or ()),
        tuple(notebook or ()), assignment, Intake(names, roster, zone, encoding),
    )  # fmt: skip
    with one_line_errors():
        course = _course_in(course_folder)
        root = (into or course.root).resolve()
        if root.exists() and not root.is_dir():
            raise CourseError(f"--into {root}: is a file: give a folder")
        root.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, _as_ctrl_c)
        if unsafe:
            typer.echo("autograder: --unsafe: where a wall is missing, the students' code runs without it", err=True)
        try:
            with _bar() as bar:
                task = bar.add_task("starting", total=None)

                def show(done: int, total: int, student: str) -> None:
                    bar.update(task, completed=done, total=total, description=student or "grading")

                try:
                    results = grade_class(course, chapter, folder, root, options, show)
                except CourseError:
                    bar.update(task, visible=False)  # nothing was begun: the line of the error stands alone
                    raise
        except KeyboardInterrupt as error:
            typer.echo("autograder: interrupted; nothing is lost: the same command goes on from here", err=True)
            raise typer.Exit(130) from error
    if all(row.status is Status.REFUSED for row in results.rows):
        typer.echo(f"autograder: {_why_all_were_refused(folder, results)}", err=True)
        raise typer.Exit(1)
    _show_results(results)
    typer.echo(f"{root / 'results.csv'}\n{root / 'feedback'}\nnext: autograder report {root / 'results.json'}")
    gc.freeze()  # else Python takes a fifth of a second to look through all that nbgrader imported, before it leaves
    raise typer.Exit(1 if any(row.status is Status.FAILED for row in results.rows) else 0)


def _why_all_were_refused(folder: Path, results: Results) -> str:
    first = results.rows[0]
    every = f"all {len(results.rows)} were refused" if len(results.rows) > 1 else "it was refused"
    why = f"{first.student}: {first.note[:200]}"
    return f"{folder}: nothing in it could be graded as {results.assignment}, {every}; {why}"


def _as_ctrl_c(number: int, frame: object) -> None:
    """End as after Ctrl-C: what was graded is kept, what was only needed for a while is removed."""
    raise KeyboardInterrupt


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:20.20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out)


def _show_results(results: Results) -> None:
    """A line a student, and whose score is another than last time."""
    table = Table("student", "status", "score", "note")
    for row in results.rows:
        score = f"{row.score:g}/{results.max_score:g}"
        table.add_row(escape(row.student), row.status, score, escape(_beginning(row.note)))
    out.print(table)
    for note in results.notes:
        typer.echo(note)
    for c in results.changes:
        typer.echo(f"changed: {c.student}: {c.exercise}: {c.before:g} → {c.after:g} points: {c.why}")
    if run := results.run:
        pace = f"{run.submissions_a_minute:.1f} a minute"
        one_or_more = "1 submission" if run.submissions == 1 else f"{run.submissions} submissions"
        typer.echo(f"{one_or_more} in {run.seconds:.1f} s, {pace}")


def _beginning(note: str, most: int = 200) -> str:
    """A note as far as a table has room; the whole of it stands in the report and in results.csv."""
    return note if len(note) <= most else f"{note[:most].rsplit(' ', 1)[0]} …"


ResultsFile = Annotated[Path | None, typer.Option(help="The results.json that `grade` wrote, or its folder")]


def _results_file(given: Path | None, course_folder: Path | None) -> Path:
    """Where the results are: as given, else in this folder, else where `grade` puts them, in the course's."""
    if given is not None:
        if given.suffix.casefold() == ".csv" and given.is_file():
            raise CourseError(f"{given}: is the table for spreadsheets: give the results.json beside it, or its folder")
        path = given / "results.json" if given.is_dir() else given
    elif course_folder is None and Path("results.json").is_file():
        path = Path("results.json")
    else:
        path = _course_in(course_folder).root / "results.json"
    if not path.is_file():
        raise CourseError(f"{path}: no such file: run `autograder grade FOLDER` first, or give its --into folder")
    return path


def _target(to: Path | None, results: Path, name: str) -> Path:
    """The file to write: as given, in the folder that is given, or beside the results."""
    if to is None:
        beside = results.parent.parent if results.parent.name == "results" else results.parent
        return beside / name
    return to / name if to.is_dir() else to


def _only_csv(roster: Path | None) -> Path | None:
    """The roster, or the one CSV file of a folder."""
    if roster is None or not roster.is_dir():
        return roster
    found = sorted(path for path in roster.iterdir() if path.suffix.casefold() == ".csv")
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise CourseError(f"--roster {roster}: name the file: the CSV files in this folder are: {there}")
    return found[0]


@app.command()
def export(
    form: Annotated[str, typer.Argument(help="canvas or moodle")],
    results: Annotated[
        list[Path] | None,
        typer.Option(help="The results.json that `grade` wrote, or its folder; may be given again"),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every assignment that was graded here, not the last only")
    ] = False,
    roster: Annotated[
        list[Path] | None,
        typer.Option(help="The gradebook that Canvas exported, or the worksheet of each assignment from Moodle"),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write (default: FORM.csv beside the results)")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Canvas: the heading of the assignment's column; one for each")
    ] = None,
    scale: Annotated[bool, typer.Option("--scale", help="Scale the scores to the LMS's highest grade")] = False,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Write, instead of scores, a zip of the students' feedback")
    ] = False,
    course_folder: CourseFolder = None,
) -> None:
    """Write the scores as a CSV file that Canvas or Moodle imports, or the feedback as a zip that they take back."""
    with one_line_errors():
        form = form.casefold()
        if form not in ("canvas", "moodle"):
            raise CourseError(f"{form}: no file of this form is written, only canvas or moodle: for any other platform "
                              "take the marks from results.csv")  # fmt: skip
        if column and form == "moodle":
            raise CourseError("--column: a Moodle worksheet is of one assignment: leave it out")
        given: list[Path | None] = [*(results or [])] or [None]
        sources = [_results_file(one, course_folder) for one in given]
        if every:
            sources = [one for source in sources for one in _all_beside(source)]
        people = [found for one in (roster or []) if (found := _only_csv(one))]
        if feedback:
            written = _export_feedback(form, sources, to)
        elif form == "canvas":
            written = _export_to_canvas(sources, to, people, column or [], scale)
        else:
            written = _export_to_moodle(sources, to, people, scale)
    for path, notes in written:
        for note in notes:
            typer.echo(note)
        typer.echo(path)


Written = list[tuple[Path, list[str]]]  # files, and what is not in them


def _all_beside(source: Path) -> list[Path]:
    """The results of every assignment that was graded into one folder."""
    return sorted((source.parent / "results").glob("*.json")) or [source]


def _export_feedback(form: str, sources: list[Path], to: Path | None) -> Written:
    from autograder.lms.give_back import write_feedback

    written = []
    for source in sources:
        found = read_results(source)
        name = f"{form}-feedback.zip" if len(sources) == 1 else f"{form}-feedback-{found.assignment}.zip"
        root = source.parent.parent if source.parent.name == "results" else source.parent
        target = _one_of_several(to, root / "results.json", name, len(sources))
        written.append((target, write_feedback(form, found, root / "feedback", target)))
    return written


def _export_to_canvas(
    sources: list[Path], to: Path | None, people: list[Path], columns: list[str], scale: bool
) -> Written:
    from autograder.lms.canvas import write_canvas

    if len(people) > 1:
        raise CourseError("--roster: Canvas has one gradebook for all assignments: give it once")
    target = _target(to, sources[0], "canvas.csv")
    every = [read_results(source) for source in sources]
    return [(target, write_canvas(every, target, people[0] if people else None, column=columns, scale=scale))]


def _export_to_moodle(sources: list[Path], to: Path | None, people: list[Path], scale: bool) -> Written:
    from autograder.lms.moodle import write_moodle

    if people and len(people) != len(sources):
        raise CourseError(
            f"--roster was given {len(people)} times for {len(sources)} assignments: "
            "Moodle has a worksheet for each, so give them in the same order"
        )
    written = []
    for number, source in enumerate(sources):
        found = read_results(source)
        name = "moodle.csv" if len(sources) == 1 else f"moodle-{found.assignment}.csv"
        target = _one_of_several(to, source, name, len(sources))
        written.append((target, write_moodle(found, target, people[number] if people else None, scale=scale)))
    return written


def _one_of_several(to: Path | None, source: Path, name: str, several: int) -> Path:
    if several > 1 and to is not None and not to.is_dir():
        raise CourseError(f"--to {to}: there is a file for each of {several} assignments: give a folder that is there")
    return _target(to, source, name)


@app.command()
def doctor() -> None:
    """Say which walls this machine puts around students' code, and grade one submission from end to end."""
    from autograder.engine import sandbox
    from autograder.engine.trial import what_fails

    walls = sandbox.probe()
    on = walls.layers()
    for layer in sandbox.ALL_LAYERS:
        typer.echo(f"{'on ' if layer in on else 'OFF'}  {layer}: {sandbox.MEANING[layer]}")
    if not walls.safe():
        typer.echo("not safe: `autograder grade` refuses without --unsafe")
        raise typer.Exit(1)
    kind = {"root": "namespaces, as root", "user": "user namespaces"}.get(walls.namespaces, "Landlock")
    with out.status("grading a tiny submission"):
        fault = what_fails(walls) or _what_fails_with_a_class()
    if fault:
        typer.echo(f"walls by {kind}, but a tiny submission could not be graded: {fault}")
        raise typer.Exit(1)
    typer.echo(
        f"safe to grade, by {kind}; a tiny submission was graded as it should be, end to end: notebook released, "
        "handed in, run behind the walls, points in the gradebook, feedback written"
    )


def _what_fails_with_a_class() -> str:
    """The same through all that `grade` does, nbgrader's part with it."""
    if importlib.util.find_spec("nbgrader") is None:
        return "nbgrader is not installed: run `make course` in the course's folder"
    from autograder.grading.rehearsal import what_fails

    return what_fails()


@app.command()
def report(
    results: Annotated[Path | None, typer.Argument(help="The results.json that `grade` wrote, or its folder")] = None,
    to: Annotated[Path | None, typer.Option(help="The page to write (default: report.html beside the results)")] = None,
    course_folder: CourseFolder = None,
) -> None:
    """Write one self-contained HTML page about a graded class."""

    from autograder.report.page import write_report

    with one_line_errors():
        source = _results_file(results, course_folder)
        page = _target(to, source, "report.html")
        write_report(read_results(source), page, source.parent)
    typer.echo(page)


@app.command()
def sample(
    chapter: Chapter,
    target: Annotated[Path, typer.Argument(help="Where to write the class")] = Path("sample"),
    students: Annotated[int, typer.Option(help="How many students")] = 20,
    seed: Annotated[int, typer.Option(help="The seed of the generator")] = 0,
    course_folder: CourseFolder = None,
) -> None:
    """Write a made-up class of bank entries whose scores are known, to try the grader on."""
    from autograder.course.sample import make_sample_class

    with one_line_errors(), out.status("making a sample class"):
        make_sample_class(_course_in(course_folder), chapter, target, students=students, seed=seed)
    typer.echo(target / "class")


if __name__ == "__main__":
    app()
