"""Independent answers to the exercises: other libraries, brute force, values worked out by hand.

`tests/oracles/<chapter>.py` has for each exercise at least one function or class marked `@oracle("exercise")`. It is
put in the place of the reference, and the test of the exercise, hidden part too, must accept it: so a reference that is
wrong, and with it the record, is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
ORACLES: dict[str, list[Any]] = {}


def oracle(exercise: str) -> Callable[[T], T]:
    """Mark an independent answer to `exercise`."""

    def register(answer: T) -> T:
        ORACLES.setdefault(exercise, []).append(answer)
        return answer

    return register
