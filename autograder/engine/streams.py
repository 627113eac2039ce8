"""Whether a random generator has only been drawn from, or was set to a state that suits somebody.

A test lends a generator, gets its state back, and may go on to draw its own inputs from it. PCG64 steps from state to
state by x → a·x + c modulo 2¹²⁸, so the number of steps between two states can be told bit by bit (F. Brown, "Random
number generation with arbitrary strides", 1994). Python's Mersenne Twister has no such short way and is run forward.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

MASK = 2**128 - 1
STEP = {"PCG64": 0x2360ED051FC65DA44385DF649FCCF645, "PCG64DXSM": 0xDA942042E4DD58B5}  # a, by numpy's names
MOST_STEPS = 2**48
FEW = 20
MOST_BLOCKS = 20_000  # of 624 numbers


def advanced(before: Mapping[str, Any], after: Any) -> bool:
    """Whether numpy's bit generator may have come from one state to the other by drawing."""
    kind = before["bit_generator"]
    if not isinstance(after, dict) or after.get("bit_generator") != kind:
        return False
    if kind not in STEP:
        return True
    start, end = before["state"], after.get("state")
    if not isinstance(end, dict) or end.get("inc") != start["inc"] or type(end.get("state")) is not int:
        return False
    return _steps(start["state"], end["state"], STEP[kind], start["inc"]) <= MOST_STEPS


def _steps(start: int, end: int, factor: int, constant: int) -> int:
    """How many steps lead from one state to the other.

    Mostly a few, which are taken; else, in each round, one more bit of the two agrees.
    """
    state = start
    for steps in range(FEW):
        if state == end:
            return steps
        state = (state * factor + constant) & MASK
    steps = 0
    for bit in (1 << place for place in range(128)):
        if (start ^ end) & bit:
            start = (start * factor + constant) & MASK
            steps |= bit
        constant = (factor + 1) * constant & MASK
        factor = factor * factor & MASK
    return steps if start == end else MASK


def advanced_random(before: Any, after: Any) -> bool:
    """Whether `random.Random` may have come from one state to the other by drawing."""
    if not isinstance(after, tuple) or len(after) != 3 or after[0] != before[0] or not isinstance(after[1], tuple):
        return False
    words, place = after[1][:-1], after[1][-1]
    if before[1][:-1] == words:
        return type(place) is int and before[1][-1] <= place <= 624
    copy = random.Random()
    copy.setstate(before)
    for _ in range(MOST_BLOCKS):
        copy.getrandbits(32 * 624)  # as many as there are words: the next block
        if copy.getstate()[1][:-1] == words:
            return type(place) is int and 0 < place <= 624
    return False
