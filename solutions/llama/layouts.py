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

import numpy as np

Array = np.ndarray
LINE = 16  # numbers: weights begin at multiples of 64 bytes
SEVERAL = 16  # x that `few` is made for
SMALL_RESULT, SMALL_WORK = 1200, 1_000_000  # numbers that come out, and multiplications, of OpenBLAS's small products
PIECE = 1 << 20  # numbers of each matrix that are timed: 4 MB
STRIP = 256  # columns that are copied together
ROUNDS = 3


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
    seconds: dict[str, float]  # for once through the pieces that were timed; nothing where nothing was

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


def fastest(shapes: Sequence[tuple[int, int]]) -> Layout:
    """Time all ways on matrices of these shapes (O, I), in turn, and take the best."""
    shapes = [(max(1, min(outputs, PIECE // inputs)), inputs) for outputs, inputs in shapes]
    memory, place = room_for([*shapes, *shapes])
    memory[:] = 1
    rows = [place(shape) for shape in shapes]
    columns = [place(shape[::-1]) for shape in shapes]
    xs = np.ones((SEVERAL // 2, max(inputs for _, inputs in shapes)), np.float32)
    outs = [np.empty(outputs, np.float32) for outputs, _ in shapes]

    def through(product: Callable[..., Array], matrices: list[Array]) -> None:
        for W, (_, inputs), out in zip(matrices, shapes, outs, strict=True):
            product(W, xs[0, :inputs], out=out)

    ways: dict[str, Callable[[], object]] = {
        name: lambda name=name, product=product: through(product, columns if name == "columns" else rows)  # type: ignore[misc]
        for name, product in LAYOUTS.items()
    }
    several = [np.ascontiguousarray(xs[:, :inputs]) for _, inputs in shapes]
    ways["several by rows"] = lambda: [few(x, W) for x, W in zip(several, rows, strict=True)]
    ways["several by columns"] = lambda: [x @ W for x, W in zip(several, columns, strict=True)]
    seconds = dict.fromkeys(ways, math.inf)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = clock()
            way()
            seconds[name] = min(seconds[name], clock() - start)
    best = min(LAYOUTS, key=lambda name: seconds[name])
    by_rows = seconds["several by rows"] < seconds["several by columns"]
    return Layout(best, "rows" if by_rows else "columns", seconds)


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
