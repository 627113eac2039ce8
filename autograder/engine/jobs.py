"""What is to be run of one notebook: plain data, which goes to a worker and to both processes as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NotRequired, TypedDict


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

    def plain(self) -> dict[str, Any]:
        """As JSON, for a digest."""
        return asdict(self) | {"files": [[name, content.hex()] for name, content in self.files]}


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

    given: Sequence[GivenCell]
    tests: Sequence[TestCell]
    names: Sequence[str]
    values: Sequence[str]


class Place(TypedDict):
    """Where the warm processes stand: what walls there are, and what they are to hide."""

    walls: dict[str, Any]
    hidden: list[str]
    unsafe: bool
