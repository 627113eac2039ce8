"""Numbers in fewer bits, as files keep them, and back to float32. Three kinds are exercises: those are the notebooks' own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from solutions.llama.generation import dequantize_q4_1, dequantize_q8_0
from solutions.llama.published import dequantize_q4_k, six_bits
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


# --------------------------------------------------------------------------------------------------------------------
# One by one
# --------------------------------------------------------------------------------------------------------------------


def from_float32(data: np.ndarray) -> np.ndarray:
    numbers = data.view("<f4")
    return numbers if numbers.flags.aligned else numbers.copy()


def from_float16(data: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # numbers that are no numbers stay so
        return data.view("<f2").astype(np.float32)


def from_bfloat16(data: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of a float32."""
    return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)


# --------------------------------------------------------------------------------------------------------------------
# In blocks of 32: whole numbers, and a scale for all of them
# --------------------------------------------------------------------------------------------------------------------


def any_scale() -> np.errstate:
    """A scale may be infinite or no number: what comes of it is what comes of it in C."""
    return np.errstate(invalid="ignore", over="ignore")


def halves(data: np.ndarray) -> np.ndarray:
    """Numbers of four bits: the lower halves of all bytes, then the upper ones. (blocks, n) -> (blocks, 2n)."""
    return np.concatenate([data & 15, data >> 4], axis=1)


def fifth_bits(data: np.ndarray) -> np.ndarray:
    """Bit i of four bytes, as 16 or 0: the fifth bit of number i. (blocks, 4) -> (blocks, 32)."""
    return np.unpackbits(data, axis=1, bitorder="little") << 4


def from_q8_0(data: np.ndarray) -> np.ndarray:
    """A float16 scale, then 32 signed bytes. Each number is scale × byte."""
    with any_scale():
        return dequantize_q8_0(data)


def from_q4_0(data: np.ndarray) -> np.ndarray:
    """A float16 scale, then 16 bytes. Each number is scale × (half - 8)."""
    blocks = data.reshape(-1, 18)
    scale = from_float16(blocks[:, :2])
    with any_scale():
        return scale * (halves(blocks[:, 2:]).view(np.int8) - np.int8(8))


def from_q4_1(data: np.ndarray) -> np.ndarray:
    """A float16 scale, a float16 minimum, then 16 bytes. Each number is scale × half + minimum."""
    with any_scale():
        return dequantize_q4_1(data)


def from_q5_0(data: np.ndarray) -> np.ndarray:
    """A float16 scale, 32 fifth bits, then 16 bytes. Each number is scale × (five bits - 16)."""
    blocks = data.reshape(-1, 22)
    scale = from_float16(blocks[:, :2])
    five = halves(blocks[:, 6:]) | fifth_bits(blocks[:, 2:6])
    with any_scale():
        return scale * (five.view(np.int8) - np.int8(16))


def from_q5_1(data: np.ndarray) -> np.ndarray:
    """A float16 scale, a float16 minimum, 32 fifth bits, then 16 bytes. Each number is scale × five bits + minimum."""
    blocks = data.reshape(-1, 24)
    scale, minimum = from_float16(blocks[:, 0:2]), from_float16(blocks[:, 2:4])
    five = halves(blocks[:, 8:]) | fifth_bits(blocks[:, 4:8])
    with any_scale():
        return scale * five + minimum


# --------------------------------------------------------------------------------------------------------------------
# In blocks of 256: the scales are whole numbers, too, with a scale for all of them (llama.cpp's "k-quants")
# --------------------------------------------------------------------------------------------------------------------


def from_q4_k(data: np.ndarray) -> np.ndarray:
    """Eight groups of 32. Each number is (scale × its group's scale) × half - (minimum × its group's minimum)."""
    with any_scale():
        return dequantize_q4_k(data, six_bits)


def from_q5_k(data: np.ndarray) -> np.ndarray:
    """As Q4_K, and 32 bytes of fifth bits before the halves: bit g of byte i is that of number i in group g."""
    blocks = data.reshape(-1, 176)
    scale, minimum = from_float16(blocks[:, 0:2]), from_float16(blocks[:, 2:4])  # (blocks, 1)
    scales, minima = six_bits(blocks[:, 4:16])  # (blocks, 8)
    groups = np.arange(8, dtype=np.uint8)[:, None]
    fifth = (blocks[:, None, 16:48] >> groups & 1) << 4  # (blocks, 8, 32)
    numbers = halves(blocks[:, 48:].reshape(-1, 32)).reshape(-1, 8, 32) | fifth
    with any_scale():
        return (scale * scales)[:, :, None] * numbers - (minimum * minima)[:, :, None]


def from_q6_k(data: np.ndarray) -> np.ndarray:
    """Sixteen groups of 16. Each number is (scale × its group's scale) × (six bits - 32).

    128 bytes of lower halves, 64 bytes of upper two bits, 16 signed scales of the groups, and a float16 scale.
    64 bytes of halves hold 128 numbers, the lower halves first; 32 bytes of pairs of bits hold as many, lowest first.
    """
    blocks = data.reshape(-1, 210)
    scales, scale = blocks[:, 192:208].view(np.int8), from_float16(blocks[:, 208:])
    lower = halves(blocks[:, :128].reshape(-1, 64)).reshape(-1, 8, 32)
    places = np.array([0, 2, 4, 6], np.uint8)[:, None]
    upper = (blocks[:, 128:192].reshape(-1, 1, 32) >> places & 3).reshape(-1, 8, 32)
    numbers = (lower | upper << 4).view(np.int8) - np.int8(32)
    with any_scale():
        return (scale * scales)[:, :, None] * numbers.reshape(-1, 16, 16)


DECODE: dict[str, Decode] = {
    "F32": from_float32,
    "F16": from_float16,
    "BF16": from_bfloat16,
    "Q8_0": from_q8_0,
    "Q4_0": from_q4_0,
    "Q4_1": from_q4_1,
    "Q5_0": from_q5_0,
    "Q5_1": from_q5_1,
    "Q4_K": from_q4_k,
    "Q5_K": from_q5_k,
    "Q6_K": from_q6_k,
}
