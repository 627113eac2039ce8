"""What is to be run of one notebook: plain data, which goes to a worker and to both processes as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NotRequired, TypedDict

from autograder import asking
from autograder.notebook.rebuild import Ours, Placed
from autograder.notebook.source import exercise_of


class Step(TypedDict):
    """One of the student's cells, or the place of a test of ours."""

    kind: Literal["cell", "test"]
    id: str
    source: NotRequired[str]  # of a cell


class GivenCell(TypedDict):
    """A plain cell of ours."""

    id: str
    source: str


class TestCell(TypedDict):
    """A test of ours. `record` holds what its questions have for answers, where they are recorded."""

    id: str
    source: str
    record: NotRequired[Mapping[str, Any]]


class PlainCell(TypedDict):
    """A cell for the simple executor, which runs tests where they stand."""

    id: str
    source: str
    test: NotRequired[bool]


@dataclass(frozen=True)
class Job:
    """One notebook to run: the student's cells and the places of the tests, and what the judge needs."""

    items: Sequence[Step]
    given: Sequence[GivenCell]
    tests: Sequence[TestCell]  # in the order of their places
    names: Sequence[str]  # functions and classes that the student writes
    values: Sequence[str] = ()  # other names that the student assigns
    files: Sequence[tuple[str, bytes]] = ()  # data beside the notebook
    key: str = ""  # jobs with the same one have the same `given` and, in any order, the same `tests`

    def plain(self) -> Mapping[str, object]:
        """As JSON, for a digest."""
        return asdict(self) | {"files": [[name, content.hex()] for name, content in self.files]}


def make_job(ours: Ours, placed: Sequence[Placed]) -> Job:
    """What the engine runs: the student's code cells and the places of the tests; for the judge, ours."""
    items: list[Step] = []
    for p in placed:
        if p.cell.kind != "code" or p.name == asking.CELL:
            continue
        if p.cell.is_test:
            items.append({"kind": "test", "id": p.name})
        else:
            items.append({"kind": "cell", "id": p.name, "source": p.cell.source})
    sources = {c.grade_id: c.source for c in ours.cells if c.is_test}
    places = [item["id"] for item in items if item["kind"] == "test"]
    tests: list[TestCell] = [{"id": name, "source": sources[name]} for name in places]
    if any(cell.grade_id == asking.CELL for cell in ours.cells):
        for test in tests:
            exercise = exercise_of(test["id"])
            test["record"] = {name: ours.record[name] for name in (exercise,) if name in ours.record}
    code = [c for c in ours.cells if c.kind == "code" and c.grade_id != asking.CELL]
    plain = [c for c in code if not c.is_test and not c.nbgrader.get("solution")]
    given: list[GivenCell] = [{"id": c.grade_id or f"given-{i}", "source": c.source} for i, c in enumerate(plain)]
    return Job(items, given, tests, *ours.graded_names, ours.files, key=ours.digest)


Report = Mapping[str, object]  # a line that a process reports, of JSON; a student's may say anything


# ---- what the engine tells both processes, as JSON on their sockets


class Order(TypedDict):
    """What both are told of a job."""

    limits: dict[str, Any]  # of `Limits`
    done: list[str]  # tests that have their verdict from an attempt before
    walls: dict[str, Any]  # of `sandbox.Walls`
    unsafe: bool
    hidden: list[str]  # folders that nobody is to see
    group: str  # a control group to put the student's processes into, "" for none
    files: list[list[str]]  # name, content in hexadecimal digits
    scratch: str  # a folder on disk, where there are no walls that bring one


class StudentOrder(Order):
    """What the student's process is to do."""

    items: list[Step]


class JudgeOrder(Order):
    """What the judge's process is to do."""

    prepared: str  # the key by which its warm process has the cells of ours
    tests: list[str]  # in the order of their places
    names: Sequence[str]
    values: Sequence[str]


class Place(TypedDict):
    """Where the warm processes stand: what walls there are, and what they are to hide."""

    walls: dict[str, Any]
    hidden: list[str]
    unsafe: bool
