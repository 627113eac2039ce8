"""Make the student notebooks of a chapter from its sources, through `nbgrader generate_assignment`."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from autograder.course.course import Course
from autograder.course.record import read_record, visible_part
from autograder.errors import CourseError
from autograder.nbgrader.configuration import checked, database_of, make_tables, nbgrader_api, quiet
from autograder.notebook.magics import as_python
from autograder.notebook.source import read_source
from autograder.scratch import scratch_folder

LEFT = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")


def generate(
    course: Course, chapter: str, root: Path, db_url: str | None = None, record: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write `source/` and `release/` of a chapter into nbgrader's tree at `root`; returns the released notebooks.

    `record` is given where a new one is about to be written.
    """
    write_source(course, chapter, root, record)
    return write_release(chapter, root, db_url)


def write_source(
    course: Course,
    chapter: str,
    root: Path,
    record: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    notebooks: Collection[str] = (),
) -> None:
    """The notebooks of a chapter with solutions and hidden tests, and the data beside them.

    `name` is the assignment's, if it is not the chapter's; `notebooks` are those that were set, if not all.
    """
    source = root / "source" / (name or chapter)
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    import nbformat  # half a second, which a class that is graded again does without; so below

    known = read_record(course.record(chapter)) if record is None else record
    shown = visible_part(known)
    for path in course.sources(chapter):
        if notebooks and path.stem not in notebooks:
            continue
        nbformat.write(read_source(path, shown, known), source / f"{path.stem}.ipynb")
    if (data := course.data(chapter)).is_dir():
        shutil.copytree(data, source, dirs_exist_ok=True)


def write_release(chapter: str, root: Path, db_url: str | None = None) -> list[Path]:
    """The students' notebooks, which nbgrader makes of those in `source/`, noting the assignment in its gradebook."""
    make_tables(database_of(root, db_url))
    with quiet() as complaints:
        api = nbgrader_api(root, db_url=db_url)
        checked(api.generate_assignment(chapter, force=True), complaints, f"generate_assignment {chapter}")
    released = sorted((root / "release" / chapter).glob("*.ipynb"))
    for path in released:
        _check_released(path)
    return released


def build_student_notebooks(course: Course, chapter: str, target: Path) -> list[Path]:
    """Write the student notebooks of a chapter and the data beside them into `target`; returns the notebooks."""
    with scratch_folder("release") as folder:
        released = generate(course, chapter, folder)
        shutil.copytree(folder / "release" / chapter, target, dirs_exist_ok=True)
    return [target / path.name for path in released]


MOST_LINES = 40  # of a visible test: beyond, the apparatus stands in front of the idea


def long_tests(path: Path) -> list[str]:
    """A line for each test of a released notebook that has grown beyond its measure."""
    import nbformat

    said = []
    for cell in nbformat.read(path, as_version=4).cells:
        about = cell.metadata.get("nbgrader", {})
        lines = sum(1 for line in cell.source.splitlines() if line.strip())
        if about.get("grade") and cell.cell_type == "code" and lines > MOST_LINES:
            said.append(f"{path.name}: {about['grade_id']}: {lines} visible lines, more than {MOST_LINES}: ask less")
    return said


def _check_released(path: Path) -> None:
    """Every released cell must parse, and carry no marker of a solution or hidden test."""
    import nbformat

    for cell in nbformat.read(path, as_version=4).cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", cell.id)
        if LEFT.search(cell.source):
            raise CourseError(f"{path.name}: {name}: a BEGIN/END marker was left in the student notebook")
        if cell.cell_type != "code":
            continue
        try:
            ast.parse(as_python(cell.source))
        except SyntaxError as error:
            raise CourseError(f"{path.name}: {name}: line {error.lineno} is not Python: {error.msg}") from error
