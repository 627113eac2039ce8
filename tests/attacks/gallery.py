"""A small course to attack, and what it takes to attack it.

Seven exercises, one for each way in which a test talks to an answer: plain numbers, arrays, a callback, an iterator, a
class, a random generator, text. Their points are powers of two, so that a score says which of them were earned.
"""

from __future__ import annotations

import ast
import os
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.course.course import Course
from autograder.engine.engine import Engine
from autograder.engine.jobs import Job, make_job
from autograder.engine.limits import MIB, Limits
from autograder.engine.processes import Warm
from autograder.engine.sandbox import Walls
from autograder.grading.verdicts import exercise_results
from autograder.notebook.file import Cell
from autograder.notebook.rebuild import Ours, Placed, ours_from, rebuild
from autograder.notebook.source import read_source
from autograder.results import CellResult, Ended, Run

SOURCE = '''# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Tools

# %%
import numpy as np

# %% nbgrader={"grade_id": "area", "solution": true}
def area(width: float, height: float) -> float:
    """Width times height."""
    ### BEGIN SOLUTION
    return width * height
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_area", "grade": true, "points": 1}
def test_area():
    """A rectangle of 3 by 4."""
    assert area(3, 4) == 12, f"expected 12, got {area(3, 4)}"
    ### BEGIN HIDDEN TESTS
    assert area(7731, 0.5) == 3865.5, "zanzibar: half a side"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_area()

# %% nbgrader={"grade_id": "shares", "solution": true}
def shares(counts: np.ndarray) -> np.ndarray:
    """Each count as a share of all."""
    ### BEGIN SOLUTION
    return counts / counts.sum()
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_shares", "grade": true, "points": 2}
def test_shares():
    """One, one and two."""
    got = shares(np.array([1, 1, 2]))
    assert np.shape(got) == (3,), f"expected shape (3,), got {np.shape(got)}"
    assert np.allclose(got, [0.25, 0.25, 0.5]), f"expected a quarter, a quarter, a half, got {got}"
    ### BEGIN HIDDEN TESTS
    counts = np.random.default_rng(7731).integers(1, 9, size=(5, 5))
    wanted = counts / counts.sum()
    assert np.allclose(shares(counts), wanted), "zanzibar: a table"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_shares()

# %% nbgrader={"grade_id": "apply", "solution": true}
def apply(function, items: list) -> list:
    """The function of every item."""
    ### BEGIN SOLUTION
    return [function(item) for item in items]
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_apply", "grade": true, "points": 4}
def test_apply():
    """Each item once, in order."""
    seen = []

    def odd(number):
        seen.append(number)
        return 2 * number + 1

    got = apply(odd, [1, 2, 3])
    assert list(got) == [3, 5, 7], f"expected [3, 5, 7], got {got}"
    assert seen == [1, 2, 3], f"expected one call an item, in order, got the calls {seen}"
    ### BEGIN HIDDEN TESTS
    assert list(apply(lambda text: text + "zanzibar", ["a", "b"])) == ["azanzibar", "bzanzibar"], "zanzibar: text"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_apply()

# %% nbgrader={"grade_id": "running", "solution": true}
def running(stream):
    """The sum so far, after each number of the stream; one number is taken for one sum."""
    ### BEGIN SOLUTION
    total = 0
    for number in stream:
        total += number
        yield total
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_running", "grade": true, "points": 8}
def test_running():
    """Lazily, as far as it is asked."""
    taken = []

    def numbers():
        for number in (4, 5, 6, 7731):
            taken.append(number)
            yield number

    sums = iter(running(numbers()))
    assert (next(sums), next(sums)) == (4, 9), "expected 4, then 9"
    assert taken == [4, 5], f"expected two numbers to be taken, got {taken}"
    ### BEGIN HIDDEN TESTS
    assert list(sums) == [15, 7746], "zanzibar: the rest"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_running()

# %% nbgrader={"grade_id": "Tally", "solution": true}
class Tally:
    """Counts words."""

    def __init__(self, start: dict) -> None:
        ### BEGIN SOLUTION
        self.counts = dict(start)
        ### END SOLUTION

    def add(self, word: str) -> int:
        """Count a word; how often it has been seen by now."""
        ### BEGIN SOLUTION
        self.counts[word] = self.counts.get(word, 0) + 1
        return self.counts[word]
        ### END SOLUTION

    def __len__(self) -> int:
        """How many words there are."""
        ### BEGIN SOLUTION
        return len(self.counts)
        ### END SOLUTION

# %% nbgrader={"grade_id": "test_Tally", "grade": true, "points": 16}
def test_Tally():
    """Two words, one of them twice."""
    tally = Tally({"a": 1})
    assert (tally.add("a"), tally.add("b")) == (2, 1), "expected 2 for the second a, 1 for the first b"
    assert len(tally) == 2, f"expected two words, got {len(tally)}"
    assert tally.counts == {"a": 2, "b": 1}, f"expected two a and one b, got {tally.counts}"
    ### BEGIN HIDDEN TESTS
    assert Tally({"zanzibar": 7731}).add("zanzibar") == 7732, "zanzibar: a start"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_Tally()

# %% nbgrader={"grade_id": "draw", "solution": true}
def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """So many numbers of the generator, sorted."""
    ### BEGIN SOLUTION
    return np.sort(rng.random(count))
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_draw", "grade": true, "points": 32}
def test_draw():
    """As numpy draws them."""
    rng, other = np.random.default_rng(1), np.random.default_rng(1)
    for count in (3, 4):
        got, wanted = draw(rng, count), np.sort(other.random(count))
        assert np.shape(got) == (count,), f"expected {count} numbers, got shape {np.shape(got)}"
        assert np.allclose(got, wanted), f"expected {wanted}, got {got}"
    ### BEGIN HIDDEN TESTS
    assert rng.random() == other.random(), "zanzibar: took more numbers than it had to"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_draw()

# %% nbgrader={"grade_id": "squeeze", "solution": true}
def squeeze(text: str) -> str:
    """The words with one space between."""
    ### BEGIN SOLUTION
    return " ".join(text.split())
    ### END SOLUTION

# %% nbgrader={"grade_id": "test_squeeze", "grade": true, "points": 64}
def test_squeeze():
    """Two spaces, a tab, a line."""
    got = squeeze(" a  b\\tc\\n")
    assert got == "a b c", f"expected 'a b c', got {got!r}"
    ### BEGIN HIDDEN TESTS
    assert squeeze("zanzibar\\n\\n7731") == "zanzibar 7731", "zanzibar: lines"
    try:
        squeeze(None)
    except AttributeError as error:
        assert "split" in str(error), "zanzibar: the error names the method"
    else:
        assert False, "zanzibar: None has no words"
    ### END HIDDEN TESTS

if __name__ == "__main__":
    test_squeeze()
'''

GOOD = {
    "area": "def area(width, height):\n    return width * height\n",
    "shares": "def shares(counts):\n    return counts / counts.sum()\n",
    "apply": "def apply(function, items):\n    return [function(item) for item in items]\n",
    "running": (
        "def running(stream):\n    total = 0\n    for number in stream:\n        total += number\n        yield total\n"
    ),
    "Tally": (
        "class Tally:\n    def __init__(self, start):\n        self.counts = dict(start)\n"
        "    def add(self, word):\n        self.counts[word] = self.counts.get(word, 0) + 1\n"
        "        return self.counts[word]\n    def __len__(self):\n        return len(self.counts)\n"
    ),
    "draw": "def draw(rng, count):\n    return np.sort(rng.random(count))\n",
    "squeeze": "def squeeze(text):\n    return ' '.join(text.split())\n",
}
POINTS = {name: 2.0**place for place, name in enumerate(GOOD)}
ALL = frozenset(GOOD)
NONE: frozenset[str] = frozenset()
AREA = frozenset({"area"})
SECRETS = ("zanzibar", "7731", "3865.5", "7746")  # stand in hidden tests only

# Short, so that what hangs ends soon; CPU seconds are what a busy machine does not change.
LIMITS = Limits(
    notebook=20.0, cell_cpu=0.4, cell=1.0, test=1.0, call_cpu=0.4, memory=200 * MIB, scratch=8 * MIB, output=2_000
)
PATIENCE = 60.0  # seconds that a busy machine may add to whatever should end by itself
PRELOAD = ("numpy",)
# The computing that a class gets, and more time by the clock: on a busy machine a second of computing takes twenty.
ROOMY = replace(Limits.for_notebook(60.0), cell_cpu=10.0, notebook=600.0, cell=200.0, test=200.0)


def write_course(root: Path) -> Course:
    """The course on disk: one chapter, `tools`, with one notebook, `tools`."""
    (root / "solutions" / "tools").mkdir(parents=True)
    (root / "solutions" / "tools" / "tools.py").write_text(SOURCE, encoding="utf-8")
    return Course(root)


def our_notebook(course: Course) -> Ours:
    """The notebook as it was set, with its hidden tests."""
    return ours_from(read_source(course.sources("tools")[0]), "tools")


def code(text: str) -> str:
    """Source that was indented to stand in a test."""
    return textwrap.dedent(text).lstrip("\n")


@dataclass(frozen=True)
class Submitted:
    """One submission of the text files beside this: cells by name, and what stands after the bar."""

    note: str
    cells: dict[str, str]

    @property
    def before(self) -> str:
        return self.cells.get("before", "")

    @property
    def after(self) -> str:
        return self.cells.get("after", "")

    @property
    def answers(self) -> dict[str, str]:
        return {name: source for name, source in self.cells.items() if name in ALL}


def submissions(file: str, group: str) -> dict[str, Submitted]:
    """One group of submissions of a file: `# ====` begins a group, `# %%` a submission, `# --` a cell."""
    text = (Path(__file__).parent / "submissions" / f"{file}.txt").read_text(encoding="utf-8")
    groups = dict(part.split("\n", 1) for part in text.split("\n# ==== ")[1:])
    found = {}
    for part in groups[group].split("\n# %% ")[1:]:
        heading, body = part.split("\n", 1)
        name, _, note = heading.partition(" | ")
        cells = dict(cell.split("\n", 1) for cell in f"\n{body}".split("\n# -- ")[1:])
        assert set(cells) <= ALL | {"before", "after"}, (name, set(cells))
        assert name not in found, name
        found[name] = Submitted(note, {cell: source.rstrip() + "\n" for cell, source in cells.items()})
    return found


@dataclass
class Outcome:
    """What became of one submission."""

    run: Run
    tests: Mapping[str, float]
    seconds: float
    notes: list[str] = field(default_factory=list)

    @property
    def earned(self) -> frozenset[str]:
        return frozenset(r.exercise for r in exercise_results("", dict(self.tests), self.run) if r.points)

    @property
    def score(self) -> float:
        return sum(r.points for r in exercise_results("", dict(self.tests), self.run))

    @property
    def messages(self) -> dict[str, str]:
        return {r.exercise: r.message for r in exercise_results("", dict(self.tests), self.run)}

    @property
    def kinds(self) -> dict[str, str]:
        """Incidents: which cell, what kind."""
        return {incident.cell: incident.kind for incident in self.run.incidents}

    def printed(self) -> str:
        return "\n".join(cell.printed for cell in self.run.cells.values())

    def errors(self) -> dict[str, str]:
        return {cell.id: f"{cell.error}: {cell.message}"[:300] for cell in self.run.cells.values() if cell.error}


class Gallery:
    """Runs submissions to the little course on one engine that stays warm."""

    def __init__(self, ours: Ours, walls: Walls, hidden: Iterable[str] = (), limits: Limits = LIMITS) -> None:
        self.ours = ours
        self.walls = walls
        self.engine = Engine(PRELOAD, limits, walls=walls, hidden=list(hidden))

    def close(self) -> None:
        self.engine.close()

    def cells(
        self, answers: Mapping[str, str], before: str = "", after: str = "", between: Mapping[str, str] | None = None
    ) -> list[Cell]:
        """The released notebook with answers filled in, and cells of the student's own around them."""
        from autograder.notebook.source import released

        found = [Cell("code", before)] if before else []
        for cell in self.ours.cells:
            if between and cell.grade_id in between:
                found.append(Cell("code", between[cell.grade_id]))
            solution = bool(cell.nbgrader.get("solution"))
            shown = released(cell.source, solution=solution) if cell.kind == "code" else cell.source
            source = answers.get(cell.grade_id, shown)
            found.append(Cell(cell.kind, source, cell.nbgrader))
        return [*found, Cell("code", after)] if after else found

    def notebook(self, answers: Mapping[str, str], before: str = "") -> dict[str, Any]:
        """The same as a notebook of format 4, the way Jupyter saves it."""
        found: list[dict[str, Any]] = []
        for number, cell in enumerate(self.cells(answers, before)):
            metadata = {"nbgrader": dict(cell.nbgrader)} if cell.nbgrader else {}
            made = {"cell_type": cell.kind, "id": f"id{number}", "metadata": metadata, "source": cell.source}
            found.append(made | ({"outputs": [], "execution_count": None} if cell.kind == "code" else {}))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}

    def run_file(self, path: Path) -> Outcome:
        """A notebook file as it is read from a submission."""
        from autograder.notebook.file import read_cells

        return self.run_cells(read_cells(path))

    def run_cells(self, cells: Iterable[Cell]) -> Outcome:
        placed, notes = rebuild(self.ours, cells)
        return self.run_placed(placed, notes)

    def run_placed(self, placed: list[Placed], notes: Iterable[str] = ()) -> Outcome:
        outcome = self._run_once(placed, notes)
        if outcome.run.ended is Ended.TIMED_OUT:  # by the clock: once more, as when a class is graded
            outcome = self._run_once(placed, notes)
        return outcome

    def _run_once(self, placed: list[Placed], notes: Iterable[str]) -> Outcome:
        started = time.monotonic()
        run = self.engine.run(make_job(self.ours, placed))
        outcome = Outcome(run, self.ours.tests, time.monotonic() - started, list(notes))
        assert outcome.seconds < self.engine.limits.notebook + PATIENCE, f"a run of {outcome.seconds:.0f} s"
        assert not leftovers(self.engine), f"left behind: {leftovers(self.engine)}"
        return outcome

    def run(
        self,
        answers: Mapping[str, str] | None = None,
        *,
        before: str = "",
        after: str = "",
        between: Mapping[str, str] | None = None,
    ) -> Outcome:
        """A submission with these answers, and cells of the student's own around them."""
        return self.run_cells(self.cells(answers or {}, before, after, between))


    def judge(self, answer: str, test: str, *, given: str = "", files: Sequence[tuple[str, bytes]] = ()) -> CellResult:
        """The verdict of a test of its own on an answer: for what the exercises above do not show."""
        items = [{"kind": "cell", "id": "answer", "source": answer}, {"kind": "test", "id": "test"}]
        names = [node.name for node in ast.parse(answer).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        givens = [{"id": "given", "source": given}] if given else []
        if given:
            items.insert(0, {"kind": "cell", "id": "given", "source": given})
        job = Job(items, givens, [{"id": "test", "source": test}], names, (), files)
        return self.engine.run(job).cells["test"]


def leftovers(engine: Engine) -> list[str]:
    """Processes that a run left behind: children of the warm ones, and whatever bears the mark of an attack."""
    found = [f"child {pid}" for warm in engine.warm.values() for pid in children(warm)]
    return found + named(mark())


def named(name: str) -> list[str]:
    """Living processes of this name."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                mine = (entry / "comm").read_text(errors="replace").strip()
                state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mine == name and state != "Z":
                found.append(f"{name} {entry.name}")
    return found


def children(warm: Warm) -> list[int]:
    found = []
    for listing in Path(f"/proc/{warm.pid}/task").glob("*/children"):
        found += [int(pid) for pid in listing.read_text().split()]
    return found


MARK = "atk"


def mark() -> str:
    """The name that a process of an attack gives itself, so that it can be found if it outlives its run."""
    return f"{MARK}{os.getpid()}"


def mark_yourself() -> str:
    """Source by which it does."""
    return f"__import__('ctypes').CDLL(None).prctl(15, {mark().encode()!r}, 0, 0, 0)\n"

# What several attacks begin with.
LOUD = (
    "import ctypes, os, signal, sys, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    f"def mark(): libc.prctl(15, {mark().encode()!r}, 0, 0, 0)\n"
)

# Answers to all exercises but one, by what an attack calls `liar`.
LIED = {name: f"{name} = lambda *args, **kwargs: liar()\n" for name in GOOD if name != "area"}
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
