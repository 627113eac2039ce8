"""The engine that the attacks run on, warm for a whole session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attacks.gallery import LIMITS, ROOMY, Gallery, our_notebook, write_course

from autograder.course.course import Course
from autograder.engine import engine, sandbox

# To run the attacks on weaker walls: ATTACKS_ON=landlock pytest tests/attacks (or landlock3, as before Linux 6.7)
WALLS = os.environ.get("ATTACKS_ON", "best")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The course that is attacked."""
    return write_course(tmp_path_factory.mktemp("course") / "workshop")


@pytest.fixture(scope="session")
def walls() -> sandbox.Walls:
    """The walls of this machine; a plain skip where student code cannot be walled off at all."""
    best = sandbox.probe()
    versions = {"landlock": best.landlock, "landlock3": min(best.landlock, 3)}
    found = sandbox.Walls("", versions[WALLS], best.seccomp) if WALLS in versions else best
    if not found.safe():
        pytest.skip("no sandbox on this machine (`autograder doctor` says what is missing)")
    return found


@pytest.fixture(scope="session")
def gallery(workshop: Course, walls: sandbox.Walls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(engine, "GRACE", 0.5)  # what hangs is ended sooner than in a class
    monkeypatch.setattr(engine, "IDLE", 4.0)
    hidden = [str(workshop.root), str(Path(__file__).parents[2])]
    found = Gallery(our_notebook(workshop), walls, hidden)
    yield found
    found.close()
    monkeypatch.undo()


@pytest.fixture(scope="session")
def roomy(workshop: Course, walls: sandbox.Walls) -> Iterator[Gallery]:
    """With the computing and memory of a class, for honest work."""
    found = Gallery(our_notebook(workshop), walls, limits=ROOMY)
    yield found
    found.close()


@pytest.fixture(scope="session")
def patient(workshop: Course, walls: sandbox.Walls) -> Iterator[Gallery]:
    """With little memory and much time: filling memory takes some where others work too."""
    found = Gallery(our_notebook(workshop), walls, limits=replace(ROOMY, memory=LIMITS.memory))
    yield found
    found.close()


@pytest.fixture
def apart(walls: sandbox.Walls) -> None:
    """For attacks that only namespaces of their own keep in."""
    if not walls.namespaces:
        pytest.skip("no namespaces on this machine: processes are not kept apart")
