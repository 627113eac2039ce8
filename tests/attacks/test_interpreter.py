"""Tricks inside Python: on IPython, on the libraries, with objects that lie, with exceptions of every kind.

Each notebook answers `area` rightly, tries a trick, and leaves the rest unanswered or answered with the trick. What is
due is the one point of `area`, unless the trick breaks the student's own answer.
"""

from __future__ import annotations

import pytest
from attacks.gallery import AREA, GOOD, NONE, SECRETS, Gallery, Submitted, submissions

OTHERS = ("shares", "apply", "running", "Tally", "draw", "squeeze")
LIED = {name: f"{name} = lambda *args, **kwargs: liar()\n" for name in OTHERS}
ALWAYS = """
class Always:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    def __hash__(self): return 0
    def __bool__(self): return True
    def __contains__(self, item): return True
    def __call__(self, *args, **kwargs): return self
    def __getattr__(self, name):
        if name.startswith('__'): raise AttributeError(name)
        return self
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = lambda s, o: s
    def __iter__(self): return iter([self, self, self])
    def __len__(self): return 3
    def __getitem__(self, key): return self
"""
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
