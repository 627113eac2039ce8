"""Whether a random generator has only been drawn from, or was set to a state that suits somebody.

A test lends a generator, gets its state back, and may go on to draw its own inputs from it. How many numbers lie
between two states, the states tell: PCG64 steps by x → a·x + c modulo 2¹²⁸, which can be counted bit by bit (F. Brown,
"Random number generation with arbitrary strides", 1994), Philox and SFC64 hold a counter. The Mersenne Twister has no
such short way and is run forward. What a generator keeps for the next call (half of a number, the second of two normal
ones) must have come from the numbers in between.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

MASK = 2**128 - 1
STEP = {"PCG64": 0x2360ED051FC65DA44385DF649FCCF645, "PCG64DXSM": 0xDA942042E4DD58B5}  # a, by numpy's names
MOST_STEPS = 2**48
FEW = 20
MOST_DRAWS = 2**24  # where each has to be made again
AT_A_TIME = 2**18
WORDS = 624  # in a block of the Mersenne Twister
MOST_BLOCKS = 20_000


def advanced(before: Mapping[str, Any], after: Any) -> bool:
    """Whether numpy's bit generator may have come from one state to the other by drawing.

    A generator of a kind that is not known has not.
    """
    kind = before["bit_generator"]
    if not isinstance(after, dict) or after.get("bit_generator") != kind:
        return False
    start, end = before["state"], after.get("state")
    if not isinstance(end, dict):
        return False
    if kind == "MT19937":
        return _twisted(before, end)
    if kind in STEP:
        draws = _pcg_draws(start, end, STEP[kind])
    elif kind == "Philox":
        draws = _philox_draws(before, after) if _is_reached(before, after, _philox_draws(before, after)) else -1
    elif kind == "SFC64":
        draws = _sfc_draws(start, end) if _is_reached(before, after, _sfc_draws(start, end)) else -1
    else:
        return False
    return draws >= 0 and _keeps_a_drawn_half(before, after, draws)


# How many numbers lie between two states; -1 where that is not to be told.


def _pcg_draws(start: Mapping[str, int], end: Mapping[str, Any], factor: int) -> int:
    if end.get("inc") != start["inc"] or type(end.get("state")) is not int:
        return -1
    steps = _steps(start["state"], end["state"], factor, start["inc"])
    return steps if steps <= MOST_STEPS else -1


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


def _philox_draws(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """The counter tells the block of four numbers, and the place in it."""
    counter, place = after["state"].get("counter"), after.get("buffer_pos")
    if not _is_words(counter, 4) or type(place) is not int or not 0 <= place <= 4:
        return -1
    blocks = _whole(counter) - _whole(before["state"]["counter"])
    return 4 * blocks + place - int(before["buffer_pos"])


def _sfc_draws(start: Mapping[str, Any], end: Mapping[str, Any]) -> int:
    """The last of its four words counts."""
    if not _is_words(end.get("state"), 4):
        return -1
    return (int(end["state"][3]) - int(start["state"][3])) % 2**64


def _is_words(value: Any, count: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint64 and value.shape == (count,)


def _whole(words: Numbers) -> int:
    return sum(int(word) << 64 * place for place, word in enumerate(words))


# Making the draws again.


def _copy(state: Mapping[str, Any]) -> Any:
    bits = getattr(np.random, state["bit_generator"])(0)
    bits.state = state
    return bits


def _is_reached(before: Mapping[str, Any], after: Mapping[str, Any], draws: int) -> bool:
    """Whether so many draws lead to exactly the other state, but for a half that is kept."""
    if not 0 <= draws <= MOST_DRAWS:
        return False
    bits = _copy(before)
    bits.random_raw(draws, output=False)
    reached = bits.state
    pairs: list[tuple[Any, Any]] = [(value, after["state"].get(name)) for name, value in reached["state"].items()]
    pairs += [(reached.get(name), after.get(name)) for name in ("buffer", "buffer_pos")]
    return all(np.array_equal(value, said) for value, said in pairs)


def _keeps_a_drawn_half(before: Mapping[str, Any], after: Mapping[str, Any], draws: int) -> bool:
    """Whether the half of a number that waits for the next draw of 32 bits is of one that was drawn."""
    has, half = after.get("has_uint32"), after.get("uinteger")
    if type(has) is not int or type(half) is not int or has not in (0, 1):
        return False
    if half == before["uinteger"] and has <= before["has_uint32"]:
        return True
    bits = _copy(before)
    if draws > MOST_DRAWS:
        bits.advance(draws - MOST_DRAWS)
    left = min(draws, MOST_DRAWS)
    while left > 0:
        numbers = bits.random_raw(min(left, AT_A_TIME))
        if np.any(numbers >> np.uint64(32) == half):
            return True
        left -= len(numbers)
    return False


# The Mersenne Twister, numpy's and Python's.


def _twisted(before: Mapping[str, Any], end: Mapping[str, Any]) -> bool:
    key, place = end.get("key"), end.get("pos")
    if not isinstance(key, np.ndarray) or key.dtype != np.uint32 or type(place) is not int:
        return False
    if np.array_equal(before["state"]["key"], key):
        return bool(before["state"]["pos"] <= place <= WORDS)
    bits = _copy({**before, "state": {"key": before["state"]["key"], "pos": WORDS}})
    for _ in range(MOST_BLOCKS):
        bits.random_raw(WORDS, output=False)
        if np.array_equal(bits.state["state"]["key"], key):
            return 0 < place <= WORDS
    return False


def advanced_random(before: Any, after: Any) -> bool:
    """Whether `random.Random` may have come from one state to the other by drawing."""
    if not isinstance(after, tuple) or len(after) != 3 or after[0] != before[0] or not isinstance(after[1], tuple):
        return False
    if len(after[1]) != WORDS + 1:
        return False
    draws = _random_draws(before, after)
    return draws >= 0 and _keeps_a_drawn_normal(before, after[2], draws)


def _random_draws(before: Any, after: Any) -> int:
    """How many words of 32 bits lie between two states of `random.Random`; -1 where that is not to be told."""
    words, place = after[1][:-1], after[1][-1]
    first = before[1][-1]
    if type(place) is not int or not 0 <= place <= WORDS:
        return -1
    if before[1][:-1] == words:
        return place - first if place >= first else -1
    copy = random.Random()
    copy.setstate(before)
    for blocks in range(1, MOST_BLOCKS + 1):
        copy.getrandbits(32 * WORDS)
        if copy.getstate()[1][:-1] == words:
            return WORDS * blocks - first + place if place else -1
    return -1


def _keeps_a_drawn_normal(before: Any, kept: Any, draws: int) -> bool:
    """Whether the number that waits for the next `gauss` is the second of a pair that the drawn words give."""
    if kept is None or (type(kept) is float and kept == before[2]):
        return True
    if type(kept) is not float:
        return False
    return any(_second_normal(*words) == kept for words in _candidates(before, kept, draws))


def _candidates(before: Any, kept: float, draws: int) -> Iterator[list[int]]:
    """Four words in a row, of those that were drawn, that give about this number."""
    copy = random.Random()
    copy.setstate(before)
    tail: Numbers = np.zeros(0, dtype="<u4")
    while draws > 0:
        count = min(draws, AT_A_TIME)
        drawn = copy.getrandbits(32 * count).to_bytes(4 * count, "little")
        words = np.concatenate([tail, np.frombuffer(drawn, dtype="<u4")])
        first, second = _uniform(words[:-3], words[1:-2]), _uniform(words[2:-1], words[3:])
        normals = np.sin(first * 2 * math.pi) * np.sqrt(-2 * np.log(1 - second))
        for place in np.flatnonzero(np.isclose(normals, kept, rtol=1e-9, atol=1e-12)):
            yield [int(word) for word in words[place : place + 4]]
        tail = words[-3:]
        draws -= count


def _uniform(high: Any, low: Any) -> Any:
    """As `random.random` makes a number of two words."""
    return ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0


def _second_normal(a: int, b: int, c: int, d: int) -> float:
    """As `random.Random.gauss` computes what it keeps."""
    return math.sin(_uniform(a, b) * 2 * math.pi) * math.sqrt(-2.0 * math.log(1.0 - _uniform(c, d)))
