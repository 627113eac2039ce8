"""How the weights lie in memory, and which product reads them fastest on this machine: measured, since machines differ.

A matrix takes I numbers and gives O. It may lie as (O, I), one row after another for each number that comes out, or as
(I, O). For one x, the fast model knows three ways:

- **rows**: (O, I), a dot product for each row, `np.vecdot`;
- **rows-blas**: (O, I), the same by BLAS, `W @ x`;
- **columns**: (I, O), `x @ W`.

Each of them reads the matrix once, and each wins somewhere: `rows` on an AMD EPYC, `columns` on an Intel Xeon, where the
difference was as much as a half. So the model times all three when it is loaded, on matrices of its own shapes.

For some x together (2 to SEVERAL), `x @ W` costs three to five times as much as for a single one, because BLAS copies
all of W into an order of its own first. `few` below does not let it: a block of rows that is small enough goes through
another kernel of OpenBLAS, which copies nothing, and all x are multiplied with the block while it is in the CPU's cache.
On CPUs for which OpenBLAS has no such kernel, `x @ W` on (I, O) is the better one, and this, too, is timed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path

import numpy as np

Array = np.ndarray
LINE = 16  # numbers: weights begin at multiples of 64 bytes
SEVERAL = 16  # x that `few` is made for
SMALL_RESULT, SMALL_WORK = 1200, 1_000_000  # numbers that come out, and multiplications, of OpenBLAS's small products
PIECE = 1 << 20  # numbers of each matrix that are timed: 4 MB
STRIP = 256  # columns that are copied together
ROUNDS = 3
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
    seconds: dict[str, float]  # for once through the model, by the pieces that were timed; nothing where nothing was

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

    Before each way, other numbers are read, as many as the CPU's caches hold: while a model writes, a matrix has
    always left the cache before it is read again, and what is best for a cached one may cost twice as much then.
    """
    pieces = [(max(1, min(outputs, PIECE // inputs)), inputs) for outputs, inputs in shapes]
    # What stands for how much: all matrices of a shape for a piece of one.
    shares = [count * outputs / timed for count, (outputs, _), (timed, _) in zip(counts, shapes, pieces, strict=True)]
    memory, place = room_for([*pieces, *pieces])
    memory[:] = 1
    rows = [place(shape) for shape in pieces]
    columns = [place(shape[::-1]) for shape in pieces]
    xs = [np.ones((SEVERAL // 2, inputs), np.float32) for _, inputs in pieces]
    outs = [np.empty(outputs, np.float32) for outputs, _ in pieces]
    others = np.ones(cache_size() // 4, np.float32)

    Way = Callable[[Array, Array, Array], object]  # a matrix, some x, room for what comes out of one
    ways: dict[str, tuple[list[Array], Way]] = {
        name: (columns if name == "columns" else rows, lambda W, x, out, product=product: product(W, x[0], out=out))  # type: ignore[misc]
        for name, product in LAYOUTS.items()
    }
    ways["several by rows"] = rows, lambda W, x, out: few(x, W)
    ways["several by columns"] = columns, lambda W, x, out: x @ W

    seconds = {name: [math.inf] * len(pieces) for name in ways}
    for _ in range(ROUNDS):
        for name, (matrices, way) in ways.items():
            others.max()
            for i, (W, x, out) in enumerate(zip(matrices, xs, outs, strict=True)):
                start = clock()
                way(W, x, out)
                seconds[name][i] = min(seconds[name][i], clock() - start)
    total = {name: sum(map(mul, shares, each)) for name, each in seconds.items()}
    best = min(LAYOUTS, key=lambda name: total[name])
    several = "rows" if total["several by rows"] < total["several by columns"] else "columns"
    return Layout(best, several, total)


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
