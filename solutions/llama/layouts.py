"""How the weights lie in memory, and which product reads them fastest on this machine: measured, since machines differ.

A matrix takes I numbers and gives O. It may lie as (O, I), one row after another for each number that comes out, or as
(I, O). For one x, the fast model knows three ways:

- **rows**: (O, I), a dot product for each row, `np.vecdot`;
- **rows-blas**: (O, I), the same by BLAS, `W @ x`;
- **columns**: (I, O), `x @ W`.

Each of them reads the matrix once, and which is best differs: `rows` on an AMD EPYC, where `rows-blas` took twice the
time; `columns` on an Intel Xeon, by a few hundredths on one thread and, since `rows` knows no other, by twice on two. So
the model times all three when it is loaded, on matrices of its own shapes.

For some x together (2 to SEVERAL), `x @ W` costs three to five times as much as for a single one, because BLAS copies
all of W into an order of its own first. `few` below does not let it: a block of rows that is small enough goes through
another kernel of OpenBLAS, which copies nothing, and all x are multiplied with the block while it is in the CPU's cache.
On CPUs for which OpenBLAS has no such kernel, `x @ W` on (I, O) is the better one, and this, too, is timed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

Array = np.ndarray
LINE = 16  # numbers: weights begin at multiples of 64 bytes
SEVERAL = 16  # x that `few` is made for
SMALL_RESULT, SMALL_WORK = 1200, 1_000_000  # numbers that come out, and multiplications, of OpenBLAS's small products
STRIP = 256  # columns that are copied together
ROUNDS = 4
NEAR = 1.02  # as good as equal: then columns, by which a long prompt is read, too
ROOM = 2  # times the largest cache: what is timed of a large model
USUAL_CACHE = 32 << 20  # bytes


def by_columns(W: Array, x: Array, out: Array | None = None) -> Array:
    """x @ W, with W (I, O)."""
    return np.dot(x, W, out)


# This thread's own time: what other programs do meanwhile, however busy the machine is, is not counted.
try:
    fine = time.get_clock_info("thread_time").resolution < 1e-5
except ValueError:  # Python in a page has no such clock
    fine = False
clock = time.thread_time if fine else time.perf_counter

LAYOUTS: dict[str, Callable[..., Array]] = {"rows": np.vecdot, "rows-blas": np.dot, "columns": by_columns}
FASTEST = "fastest"  # in place of a name: all are timed


@dataclass(frozen=True)
class Layout:
    """What is chosen for one x, in which order of the weights several x are read, and what was measured."""

    name: str
    several: str  # rows or columns
    seconds: dict[str, float]  # for once through the matrices that were timed; nothing where nothing was

    def __str__(self) -> str:
        if not self.seconds:
            return f"layout {self.name}, not timed"
        best = min(self.seconds[name] for name in LAYOUTS)
        times = ", ".join(f"{name} {self.seconds[name] / best:.2f}" for name in LAYOUTS)
        return f"layout {self.name} (time of each, the best is 1: {times}); several tokens at once by {self.several}"


def fixed(name: str) -> Layout:
    if name not in LAYOUTS:
        raise ValueError(f"layout {name!r}: it is one of {', '.join(LAYOUTS)}, or {FASTEST}")
    return Layout(name, "columns" if name == "columns" else "rows", {})


def fastest(shapes: Sequence[tuple[int, int]], counts: Sequence[int]) -> Layout:
    """Time all ways on matrices of these shapes (O, I), of which the model has so many each, and take the best.

    Each way goes through all of them, one after another, as a model does for each token: so a matrix has left the CPU's
    caches before it is read again wherever it will while the model writes, and is still there where it will be. What
    is best for a cached matrix may be slower for another one. Of a large model, a part that no cache holds is enough.
    """
    size = sum(4 * count * math.prod(shape) for count, shape in zip(counts, shapes, strict=True))  # bytes
    share = min(1.0, ROOM * cache_size() / size)
    pieces = [piece(count, shape, share) for count, shape in zip(counts, shapes, strict=True)]
    order = [
        shape for layer in range(max(number for number, _ in pieces)) for number, shape in pieces if layer < number
    ]
    memory, place = room_for(order)
    memory[:] = 1
    rows = [place(shape) for shape in order]
    columns = [W.reshape(W.shape[::-1]) for W in rows]
    inputs = max(inputs for _, inputs in order)
    xs, outs = np.ones((SEVERAL // 2, inputs), np.float32), [np.empty(outputs, np.float32) for outputs, _ in order]
    some = slice(len(pieces))  # a layer: to multiply several x takes more time than to read the matrix

    def one(product: Callable[..., Array], matrices: list[Array]) -> None:
        for W, (_, inputs), out in zip(matrices, order, outs, strict=True):
            product(W, xs[0, :inputs], out=out)

    ways: dict[str, Callable[[], object]] = {
        name: partial(one, product, columns if name == "columns" else rows) for name, product in LAYOUTS.items()
    }
    ways["several by rows"] = lambda: [few(xs[:, : W.shape[1]], W) for W in rows[some]]
    ways["several by columns"] = lambda: [xs[:, : len(W)] @ W for W in columns[some]]

    seconds = dict.fromkeys(ways, math.inf)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = clock()
            way()
            seconds[name] = min(seconds[name], clock() - start)
    best = min(LAYOUTS, key=lambda name: seconds[name])
    if seconds["columns"] <= NEAR * seconds[best]:
        best = "columns"
    several = "rows" if seconds["several by rows"] < seconds["several by columns"] else "columns"
    return Layout(best, several, seconds)


def piece(count: int, shape: tuple[int, int], share: float) -> tuple[int, tuple[int, int]]:
    """Of so many matrices (O, I), a share: how many, and of which shape. Fewer ones, or else lower ones."""
    number = max(1, round(count * share))
    return number, (max(1, round(shape[0] * count * share / number)), shape[1])


def cache_size() -> int:
    """Bytes in the largest of the CPU's caches, as Linux tells; else what few exceed."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max((int(size[:-1]) << 10 for size in sizes if size.endswith("K")), default=USUAL_CACHE)


def few(x: Array, W: Array) -> Array:
    """x @ W.T for some x (n, I) and W (O, I) -> (n, O): block by block, each small enough for BLAS not to copy it."""
    n, (outputs, inputs) = len(x), W.shape
    height = max(1, min(SMALL_RESULT // n, SMALL_WORK // (n * inputs), 128))
    height = 1 << height.bit_length() - 1  # a power of two: fewer odd ends
    whole = outputs // height * height
    out = np.empty((n, outputs), np.float32)
    blocks = W[:whole].reshape(-1, height, inputs).transpose(0, 2, 1)  # (blocks, I, height)
    np.matmul(x, blocks, out=out[:, :whole].reshape(n, -1, height).transpose(1, 0, 2))
    if whole < outputs:
        np.matmul(x, W[whole:].T, out=out[:, whole:])
    return out


def room_for(shapes: Sequence[tuple[int, ...]]) -> tuple[Array, Callable[[tuple[int, ...]], Array]]:
    """One array for all these, and a function that gives the place of each, in order, from a multiple of 64 bytes on."""
    sizes = [-(-math.prod(shape) // LINE) * LINE for shape in shapes]
    memory = np.empty(sum(sizes) + LINE, np.float32)
    at = -memory.ctypes.data // 4 % LINE

    def place(shape: tuple[int, ...]) -> Array:
        nonlocal at
        start, size = at, math.prod(shape)
        at += -(-size // LINE) * LINE
        return memory[start : start + size].reshape(shape)

    return memory, place


def lay(W: Array, to: Array) -> Array:
    """Copy W into `to`, (rows, columns) of the same shape, by strips: where W lies the other way, a strip stays in cache."""
    for at in range(0, to.shape[1], STRIP):
        to[:, at : at + STRIP] = W[:, at : at + STRIP]
    return to
