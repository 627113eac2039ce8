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
