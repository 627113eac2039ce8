"""How fast RoPE turns each pair of a head, and how that is stretched for texts longer than a model was trained on.

Pair i of a head of d numbers turns by base ** (-2i / d) a position: the first pairs fast, the last ones slowly. A model
that is to read longer texts has its pairs slowed down, each by a factor. The published ways differ in the factors only:

    linear      all pairs by the same: position 2,000 looks as position 1,000 did before
    llama3      the slow pairs by the whole factor, the fast ones not at all, those between by something between
    a table     rope_freqs.weight in a GGUF file: the factors themselves
"""

from collections.abc import Mapping

import numpy as np

from solutions.llama.published import rope_scaling_llama3

Array = np.ndarray


def frequencies(head_dim: int, base: float, factors: tuple[float, ...] | None = None) -> Array:
    """How far each pair turns from one position to the next, in radians: (d/2,), float64."""
    speeds = base ** (-np.arange(0, head_dim, 2) / head_dim)  # (d/2,)
    return speeds if factors is None else speeds / np.array(factors)


def linear_factors(head_dim: int, factor: float) -> tuple[float, ...]:
    """All pairs slower by the same factor."""
    return (float(factor),) * (head_dim // 2)


def llama3_factors(head_dim: int, base: float, scaling: Mapping[str, float]) -> tuple[float, ...]:
    """What Llama 3.1 and its successors divide the speed of each pair by; `scaling` is `rope_scaling` of config.json."""
    speeds = frequencies(head_dim, base)  # (d/2,)
    return tuple((speeds / rope_scaling_llama3(speeds, dict(scaling))).tolist())
