"""The fast LLaMA with its weights in 8 bits each: a quarter of the memory, a little less exact, and slower.

    model = EightBits(config, weights)              and then as fast.Llama

Each row of a matrix is kept as signed bytes with one scale, its largest number over 127. NumPy multiplies no bytes with
floats, so a product goes through the rows in pieces that stay in a core's cache: there they become float32, and are used
at once. What it costs is said by COST, which a test holds to a measurement.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from solutions.llama.fast import Llama

Array = np.ndarray
PIECE = 1 << 16  # numbers that are made float32 together: 256 KB
COST = "the shipped model's perplexity on what it has not seen of Jane Austen's novels changes by less than 0.5 %"


class Rows:
    """A matrix (outputs, inputs) in signed bytes, with a scale for each row."""

    def __init__(self, W: Array) -> None:
        """The bytes of W. Each number is off by at most half a step, which is its row's largest number / 127."""
        largest = np.abs(W).max(axis=1, keepdims=True)
        self.scale = np.where(largest > 0, largest / np.float32(127), np.float32(1))  # (outputs, 1)
        self.bytes = np.empty(W.shape, np.int8)
        self.height = max(1, PIECE // W.shape[1])
        for rows in self.pieces():
            self.bytes[rows] = np.rint(W[rows] / self.scale[rows])

    def pieces(self) -> list[slice]:
        return [slice(at, at + self.height) for at in range(0, len(self.bytes), self.height)]

    def __getitem__(self, rows: Any) -> Array:
        """Some rows, in float32."""
        return self.bytes[rows] * self.scale[rows]


def times_one(W: Rows, x: Array, out: Array | None = None) -> Array:
    """W @ x, for one x (inputs,)."""
    if out is None:
        out = np.empty(len(W.bytes), np.float32)
    for rows in W.pieces():
        np.vecdot(W.bytes[rows].astype(np.float32), x, out=out[rows])
    out *= W.scale[:, 0]
    return out


def times_many(x: Array, W: Rows) -> Array:
    """x @ W.T, for many x (texts, inputs)."""
    out = np.empty((len(x), len(W.bytes)), np.float32)
    for rows in W.pieces():
        np.matmul(x, W.bytes[rows].astype(np.float32).T, out=out[:, rows])
    out *= W.scale[:, 0]
    return out


class EightBits(Llama):
    def keep(self, weights: Mapping[str, Any], shapes: Sequence[tuple[int, int]]) -> None:
        self.head = Rows(weights["head"].T)
        self.embed = self.head if self.config.tied else Rows(np.asarray(weights["embed"], np.float32))
        scratch = [np.empty(shape, np.float32) for shape in shapes]  # of one block at a time
        self.blocks = []
        for block in weights["blocks"]:
            self.fill(block, *scratch)
            self.blocks.append(tuple(map(Rows, scratch)))
        self.rows = self.columns = self.blocks
        self.rows_head = self.columns_head = self.head
        self.product: Callable[..., Array] = times_one

    def want(self, together: int) -> None:
        """There is no second copy: many x are as fast without."""

    def times(self, x: Array, rows: Rows, columns: Rows) -> Array:
        return times_many(x, rows)
