"""Numbers in fewer bits, as files keep them, and back to float32."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from solutions.llama.vocabulary import CheckpointError

Decode = Callable[[np.ndarray], np.ndarray]  # bytes -> float32, in one row


class Tensor(NamedTuple):
    """A tensor as it lies in a file."""

    file: Path
    kind: str
    shape: tuple[int, ...]
    data: np.ndarray  # bytes


def decoded(
    tensor: Tensor, name: str, shape: tuple[int, ...], decode: Mapping[str, Decode] | None = None
) -> np.ndarray:
    """The tensor in float32, if it has this shape."""
    if tensor.shape != shape:
        raise CheckpointError(tensor.file, name, f"expected the shape {list(shape)}, got {list(tensor.shape)}")
    return (decode or DECODE)[tensor.kind](tensor.data).reshape(shape)


def from_float32(data: np.ndarray) -> np.ndarray:
    numbers = data.view("<f4")
    return numbers if numbers.flags.aligned else numbers.copy()


def from_float16(data: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # numbers that are no numbers stay so
        return data.view("<f2").astype(np.float32)


def from_bfloat16(data: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of a float32."""
    return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)


def from_q8_0(data: np.ndarray) -> np.ndarray:
    """Blocks of 32 numbers: a float16 scale, then 32 signed bytes. Each number is scale × byte."""
    blocks = data.reshape(-1, 34)
    scale = from_float16(blocks[:, :2])
    return scale * blocks[:, 2:].view(np.int8)


def from_q4_1(data: np.ndarray) -> np.ndarray:
    """Blocks of 32 numbers: a float16 scale, a float16 minimum, then 16 bytes. Each number is scale × half + minimum.

    The lower halves of the bytes are the first 16 numbers, the upper halves the last 16.
    """
    blocks = data.reshape(-1, 20)
    scale, minimum = from_float16(blocks[:, 0:2]), from_float16(blocks[:, 2:4])
    numbers = np.empty((len(blocks), 32), np.float32)
    numbers[:, :16] = blocks[:, 4:] & 15
    numbers[:, 16:] = blocks[:, 4:] >> 4
    with np.errstate(invalid="ignore", over="ignore"):
        numbers *= scale
        numbers += minimum
    return numbers


DECODE: dict[str, Decode] = {
    "F32": from_float32,
    "F16": from_float16,
    "BF16": from_bfloat16,
    "Q8_0": from_q8_0,
    "Q4_1": from_q4_1,
}
