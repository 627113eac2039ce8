"""nbgrader, driven from Python: one workspace holds source/, release/, submitted/, gradebook.db and so on."""

# nbgrader takes three seconds to import: done inside functions, it is done while the first notebooks are being run.

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autograder.errors import CourseError
from autograder.notebook.source import STUB

COURSE_ID = "course"


def name_the_course(config: Any) -> None:
    """Set what this course asks of nbgrader, whatever runs its notebooks; with our engine: `autograder.plugin`."""
    config.CourseDirectory.course_id = COURSE_ID
    config.ClearSolutions.code_stub = {"python": STUB}


def configure(config: Any) -> None:
    """What an `nbgrader_config.py` of before calls here; without it nbgrader would run students' code by itself."""
    from autograder.plugin import configure as with_our_engine  # where it stands now, above all rooms

    with_our_engine(config)


def course_config(root: Path, db_url: str | None = None) -> Any:
    """nbgrader's configuration for a folder: its `nbgrader_config.py` if there is one, else names and stubs alone."""
    from traitlets.config import Config, PyFileConfigLoader

    # nbgrader calls `alembic`, which lives beside this interpreter.
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
    config = Config()
    if (root / "nbgrader_config.py").is_file():
        try:
            config.merge(PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config())
        except Exception as error:
            raise CourseError(f"{root / 'nbgrader_config.py'}: {type(error).__name__}: {error}") from error
    else:
        name_the_course(config)
    config.CourseDirectory.root = str(root.resolve())
    if db_url:
        config.CourseDirectory.db_url = db_url
    elif "db_url" not in config.CourseDirectory:
        config.CourseDirectory.db_url = sqlite_url(root.resolve() / "gradebook.db")
    return config


def database_of(root: Path, db_url: str | None = None) -> str:
    """The gradebook's address: as given, as configured, or nbgrader's own default."""
    found = str(db_url or course_config(root).CourseDirectory.get("db_url") or "")
    if found.startswith(("postgres://", "postgresql://")):  # SQLAlchemy would look for a driver that we do not ask for
        found = "postgresql+psycopg://" + found.split("://", 1)[1]
    return found or sqlite_url(root.resolve() / "gradebook.db")


def sqlite_url(path: Path) -> str:
    """A database file's address, in which ? begins the options and % a character by its number."""
    url = "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")
    if database_file(url) != path:  # SQLAlchemy before 2.1 has no way to write such a path
        raise CourseError(f"{path}: a gradebook cannot lie in a folder with ? or % in its name: choose another")
    return url


def database_file(db_url: str) -> Path | None:
    """The file of a SQLite database; None for another database."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(db_url)
    except ArgumentError:
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


@contextlib.contextmanager
def gradebook_errors(db_url: str) -> Iterator[None]:
    """What the database says of itself, as one line that names it."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        where = database_file(db_url) or db_url
        raise CourseError(f"{where}: the gradebook cannot be used ({reason}): mend it, or move it away") from error


def make_tables(db_url: str) -> None:
    """nbgrader's tables in a database that has none, marked with their version.

    nbgrader does this itself, but starts another Python to learn the version, which takes it two seconds.
    """
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from nbgrader.api import Base
    from nbgrader.dbutil import ALEMBIC_DIR
    from sqlalchemy import create_engine, inspect

    with gradebook_errors(db_url):
        try:
            engine = create_engine(db_url)
            with engine.begin() as connection:
                if not inspect(connection).get_table_names():
                    Base.metadata.create_all(connection)
                    script = ScriptDirectory(ALEMBIC_DIR)
                    MigrationContext.configure(connection).stamp(script, "head")
            engine.dispose()
        except ImportError as error:  # of a driver
            raise CourseError(f"{db_url}: the gradebook cannot be opened ({error})") from error


def late_plugin(root: Path) -> Any:
    """The plugin that turns lateness into a penalty, as the course configured it."""
    from nbgrader.preprocessors import AssignLatePenalties

    penalties = AssignLatePenalties(config=course_config(root))
    penalties.init_plugin()
    return penalties.plugin_inst


def nbgrader_api(root: Path, *, db_url: str | None = None) -> Any:
    """nbgrader's own API on a folder; its notebooks are run by what the `nbgrader_config.py` there says."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    config = course_config(root, db_url)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep nbgrader's log off the terminal; yields the list of what it complained of."""
    complaints: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                complaints.append(record.getMessage().splitlines()[0])

    handler = Keep()
    logger = logging.getLogger("traitlets")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Object of type .* not in session")  # nbgrader's own
            yield complaints
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def checked(result: Mapping[str, object], complaints: list[str], what: str) -> None:
    """Raise one line if an nbgrader step did not succeed."""
    if not result.get("success", False):
        log = [line for line in str(result.get("log") or result.get("error") or "").splitlines() if line.strip()]
        reason = complaints[-1] if complaints else (log[-1] if log else "no reason given")
        raise CourseError(f"nbgrader {what}: {reason}")
