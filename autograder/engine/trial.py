"""A tiny submission, run as any other: what only shows when one is."""

from __future__ import annotations

from autograder.engine.engine import Engine
from autograder.engine.jobs import Job, Step, TestCell
from autograder.engine.processes import EngineError
from autograder.engine.sandbox import Walls

ANSWER = "import numpy as np\n\ndef double(x):\n    return 2 * np.asarray(x)\n"
TESTS = {"right": "assert list(double([1, 2])) == [2, 4]", "wrong": "assert list(double([1, 2])) == [1, 2]"}


def what_fails(walls: Walls) -> str:
    """Run one answer, one test that it passes and one that it fails; says what went otherwise, "" for nothing."""
    items: list[Step] = [
        {"kind": "cell", "id": "answer", "source": ANSWER},
        *(Step(kind="test", id=name) for name in TESTS),
    ]
    tests: list[TestCell] = [{"id": name, "source": source} for name, source in TESTS.items()]
    try:
        with Engine(["numpy"], walls=walls) as engine:
            run = engine.run(Job(items, [], tests, ["double"]))
    except EngineError as error:
        return str(error)
    for name, wanted in {"answer": "", "right": "", "wrong": "AssertionError"}.items():
        result = run.cells.get(name)
        if result is None:
            return f"{name}: never run"
        if result.error != wanted:
            return f"{name}: {result.error or 'passed'} {result.message}".strip()
    return ""
