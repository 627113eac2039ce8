"""Tricks inside Python: on IPython, on the libraries, with objects that lie, with exceptions of every kind.

Each notebook answers `area` rightly, tries a trick, and leaves the rest unanswered or answered with the trick. What is
due is the one point of `area`, unless the trick breaks the student's own answer.
"""

from __future__ import annotations

import pytest
from attacks.gallery import ALWAYS, AREA, GOOD, LIED, NONE, SECRETS, Gallery, Submitted, submissions

INTERPRETER = submissions("tricks", "interpreter")
LIBRARIES = submissions("tricks", "libraries")
LIARS = submissions("tricks", "liars")
EXCEPTIONS = submissions("tricks", "exceptions")


def hold(gallery: Gallery, trick: Submitted, answers: dict[str, str], prelude: str = "") -> None:
    """What a trick earns: its honest work, and nothing more; and no word of a hidden test is shown."""
    outcome = gallery.run({"area": GOOD["area"], **answers}, before=prelude + trick.before, after=trick.after)
    allowed = (AREA, NONE) if trick.note == "may lose area" else (AREA,)
    assert outcome.earned in allowed, f"earned {sorted(outcome.earned)}; {outcome.messages}; {outcome.errors()}"
    shown = repr(outcome.messages) + outcome.printed()
    assert not [secret for secret in SECRETS if secret in shown], f"a hidden test in {shown}"


@pytest.mark.parametrize("name", INTERPRETER)
def test_the_interpreter(gallery: Gallery, name: str) -> None:
    hold(gallery, INTERPRETER[name], INTERPRETER[name].answers)


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_libraries(gallery: Gallery, name: str) -> None:
    hold(gallery, LIBRARIES[name], LIBRARIES[name].answers)


@pytest.mark.parametrize("name", LIARS)
def test_objects_that_lie(gallery: Gallery, name: str) -> None:
    hold(gallery, LIARS[name], LIED, ALWAYS)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions(gallery: Gallery, name: str) -> None:
    hold(gallery, EXCEPTIONS[name], LIED)
