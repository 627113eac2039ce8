# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Models that others publish
#
# You take a model from somebody else's shelf, say a Llama 3.2, and want your own code to run it. Two things in its files
# are new. It was made for texts sixteen times as long as it was first trained on, so its rotary positions turn at other
# speeds. And the files in which most people have it store a weight in four and a half bits, in blocks whose scales are
# small numbers, too, with a scale of their own. This notebook builds both. The course's program reads such files with the functions that you write
# here.
#
# **When you are done you can** slow down RoPE as Llama 3 does and say why not all pairs alike, take numbers of six bits
# out of a row of bytes, and unpack a block of Q4_K.
#
# **You need** NumPy, RoPE from the notebook `parts`, and from the notebook `generation` a block of weights with a scale.
# Plan about 75 minutes.
#
# Each exercise stands alone: none of them needs your answer to another one. Where one builds on another, the test hands in
# a function that does the other's work.

# %%
import struct
from collections.abc import Callable

import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check

# %% [markdown]
# ## `rope_scaling_llama3`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# RoPE (旋转位置编码 rotary position embedding) turns each pair of a head by its own **frequency** (频率), some radians from
# one position to the next. Fast pairs tell near positions apart, slow ones far positions. A model that is to read longer
# texts than it was trained on would see slow pairs at angles that it never met. Llama 3 slows those down, and leaves the
# fast ones alone.
#
# `rope_scaling_llama3(frequencies, config)` takes the frequencies `(d/2,)` in radians and four numbers, as `config.json`
# names them, and returns the new frequencies `(d/2,)`. What counts is how many **turns** (圈数) a pair makes within
# `config["original_max_position_embeddings"]` positions, one turn being 2π:
#
# | turns | new frequency |
# |---|---|
# | `config["high_freq_factor"]` or more | as it was |
# | `config["low_freq_factor"]` or fewer | divided by `config["factor"]` |
# | between the two | between the two: a share s of the first, 1 − s of the second |
#
# The share s grows in a straight line with the turns, from 0 at `low_freq_factor` to 1 at `high_freq_factor`.
# `frequencies` is left as it is.
#
# By hand, for an original length of 100, factor 8, low 1, high 4, and three pairs that need 20, 200 and 40 positions for a
# turn:
#
# | frequency | turns in 100 | share s | new frequency |
# |---|---|---|---|
# | 2π/20 = 0.31416 | 5 | 1 | 0.31416 |
# | 2π/200 = 0.031416 | 0.5 | 0 | 0.031416 / 8 = 0.003927 |
# | 2π/40 = 0.15708 | 2.5 | 1.5 / 3 = 0.5 | 0.5 · 0.15708 + 0.5 · 0.15708 / 8 = 0.088357 |
#
# Hint 1 (a nudge): How many radians has a pair turned by after 100 positions, and how many turns are they?
#
# Hint 2 (the approach): Compute the share for all pairs as if all lay between the two bounds. What should it be where
# the formula gives less than 0, or more than 1?
#
# Hint 3 (the shapes): Turns, share and result are all `(d/2,)`. `np.clip(share, 0, 1)` makes three cases one. Blend the
# two frequencies, not the two factors.


# %% nbgrader={"grade_id": "rope_scaling_llama3", "solution": true}
def rope_scaling_llama3(frequencies: np.ndarray, config: dict[str, float]) -> np.ndarray:
    """How fast each pair of RoPE turns in Llama 3, from how fast it turned before: (d/2,) -> (d/2,), in radians."""
    ### BEGIN SOLUTION
    low, high = config["low_freq_factor"], config["high_freq_factor"]
    turns = frequencies * config["original_max_position_embeddings"] / (2 * np.pi)  # (d/2,)
    share = np.clip((turns - low) / (high - low), 0, 1)  # 1: as it was, 0: the whole factor slower
    return share * frequencies + (1 - share) * frequencies / config["factor"]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rope_scaling_llama3", "grade": true, "points": 3}
TINY = (1e-4, 1e-12)  # slow pairs turn by less than a millionth


def scaling(factor, low, high, original):
    """The four numbers under the names of `config.json`."""
    bounds = {"low_freq_factor": low, "high_freq_factor": high}
    return bounds | {"factor": factor, "original_max_position_embeddings": original}


def plain_frequencies(d, base):
    """How fast each pair of a head of d numbers turns without any scaling."""
    return base ** (-np.arange(0, d, 2) / d)


def test_rope_scaling_llama3():
    """Fast pairs stay, slow ones are slowed by the whole factor, those between by something between."""
    hand = 2 * np.pi / np.array([20.0, 200.0, 40.0])
    check(rope_scaling_llama3, hand, scaling(8, 1, 4, 100), gives=[0.31416, 0.003927, 0.088357])
    check(rope_scaling_llama3, plain_frequencies(64, 500000.0), scaling(32.0, 1.0, 4.0, 8192), within=TINY)
    check(rope_scaling_llama3, plain_frequencies(16, 10000.0), scaling(4.0, 2.0, 6.0, 300), within=TINY)
    ### BEGIN HIDDEN TESTS
    check(rope_scaling_llama3, plain_frequencies(128, 500000.0), scaling(8.0, 1.0, 4.0, 8192), within=TINY, about="8B")
    check(rope_scaling_llama3, plain_frequencies(2, 10000.0), scaling(8.0, 1.0, 4.0, 12), about="one pair")
    check(rope_scaling_llama3, hand, scaling(1.0, 1.0, 4.0, 100), about="a factor of 1")
    check(rope_scaling_llama3, hand, scaling(2.5, 1.0, 4.0, 100), about="a factor with a fraction")
    more = scaling(8.0, 1.0, 4.0, 100) | {"max_position_embeddings": 131072, "rope_type": "llama3"}
    check(rope_scaling_llama3, hand, more, about="a config that holds more")
    wide = scaling(2.0, 1.0, 32.0, 4096)
    check(rope_scaling_llama3, plain_frequencies(32, 1e6), wide, within=TINY, about="a wide middle")
    check(rope_scaling_llama3, np.array([1, 2]), scaling(8, 1, 4, 12), about="whole numbers")
    single = plain_frequencies(24, 10000.0).astype(np.float32)
    check(rope_scaling_llama3, single, scaling(16.0, 0.5, 3.0, 1000), within=TINY, about="float32")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `six_bits`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# In a block of Q4_K there are eight groups of weights, and each has a scale and a minimum: sixteen whole numbers of six
# bits (位 bit), from 0 to 63. Sixteen times six bits are 96, which is exactly twelve bytes (字节 byte). They are not laid
# down one after the other. In order to be quick to read in C, the first four of each kind have six bits of a byte for
# themselves, and the last four are in two parts:
#
# | bytes | lower bits | upper bits |
# |---|---|---|
# | 0 … 3 | six: the scales 0 … 3 | two: the **upper** two bits of the scales 4 … 7 |
# | 4 … 7 | six: the minima 0 … 3 | two: the **upper** two bits of the minima 4 … 7 |
# | 8 … 11 | four: the **lower** four bits of the scales 4 … 7 | four: the **lower** four bits of the minima 4 … 7 |
#
# `six_bits(packed)` takes the bytes of n blocks as an array `(n, 12)` of `uint8` and returns the pair `(scales, minima)`,
# each an array `(n, 8)` of whole numbers.
#
# By hand: byte 0 is `85`, in bits 10 000101. Scale 0 is 000101 = 5, and 10 is the upper part of scale 4. Byte 8 is `37`, in
# bits 0011 0111: its lower half, 0111, is the rest of scale 4, which is 10 0111 = 39. Its upper half, 0011, belongs to
# minimum 4. If byte 4 is `42`, in bits 01 000010, then minimum 0 is 2, and minimum 4 is 01 0011 = 19.
#
# Hint 1 (a nudge): What do `& 63`, `>> 6`, `& 15` and `>> 4` leave of a byte?
#
# Hint 2 (the approach): Cut the twelve columns into three times four. The first four scales come from the first four
# columns alone, the last four from the first four and the last four columns. With the minima it is the same.
#
# Hint 3 (the shapes): `packed[:, 0:4]`, `packed[:, 4:8]` and `packed[:, 8:12]` are `(n, 4)` each. Two upper bits go in
# front of four lower ones by `upper << 4 | lower`. `np.concatenate([…, …], axis=1)` makes `(n, 8)`.


# %% nbgrader={"grade_id": "six_bits", "solution": true}
def six_bits(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eight scales and eight minima of each block, six bits each: (n, 12) uint8 -> twice (n, 8), 0 to 63."""
    ### BEGIN SOLUTION
    first, second, third = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]  # (n, 4)
    late_scales = (first >> 6 << 4) | (third & 15)
    late_minima = (second >> 6 << 4) | (third >> 4)
    scales = np.concatenate([first & 63, late_scales], axis=1)  # (n, 8)
    minima = np.concatenate([second & 63, late_minima], axis=1)  # (n, 8)
    return scales, minima
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_six_bits", "grade": true, "points": 3}
def test_six_bits():
    """Four of each kind in one piece, four in two pieces; every block has its own."""
    hand = np.array([[0x85, 0, 0, 0, 0x42, 0, 0, 0, 0x37, 0, 0, 0]], np.uint8)
    check(six_bits, hand, gives=([[5, 0, 0, 0, 39, 0, 0, 0]], [[2, 0, 0, 0, 19, 0, 0, 0]]))
    check(six_bits, np.arange(1, 252, 21, dtype=np.uint8)[None])
    check(six_bits, (np.arange(36).reshape(3, 12) * 89 % 256).astype(np.uint8))
    ### BEGIN HIDDEN TESTS
    check(six_bits, np.full((1, 12), 255, np.uint8), about="all bits set")
    check(six_bits, np.zeros((2, 12), np.uint8), about="no bit set")
    check(six_bits, np.zeros((0, 12), np.uint8), about="no block")
    check(six_bits, np.arange(40, dtype=np.uint8).reshape(2, 20)[:, 4:16], about="a part of a table")
    one_by_one = 1 << np.arange(8, dtype=np.uint8)  # in each byte, each bit alone
    alone = np.concatenate([np.roll(np.pad(one_by_one[:, None], [(0, 0), (0, 11)]), at, axis=1) for at in range(12)])
    check(six_bits, alone, about="every bit alone")
    check(six_bits, (np.arange(240).reshape(20, 12) * 37 % 251).astype(np.uint8), about="many blocks")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `dequantize_q4_k`
# *difficulty ●●● · importance ●●○ · 30 min*
#
# A block of the kind `Q4_K` has 256 weights in eight groups of 32. Each weight is a number `q` from 0 to 15, as in `Q4_1`,
# and each group has a scale and a minimum. In `Q4_1` those were two float16, 32 bits for every group. Here they are small
# whole numbers of six bits, and **one** float16 for all eight scales and one for all eight minima say how large a step
# of those is. A block has 144 bytes, four and a half bits for each weight:
#
# | bytes | what |
# |---|---|
# | 0–1 | `d`, a float16, little-endian: the step of the scales |
# | 2–3 | `dmin`, a float16, little-endian: the step of the minima |
# | 4–15 | eight scales and eight minima of six bits |
# | 16–143 | four runs of 32 bytes. The **low** four bits of run r are the numbers of group 2r, its **high** four bits those of group 2r + 1 |
#
# and the weights of group g are `(d · scales[g]) · q − (dmin · minima[g])`. Mind the minus.
#
# `dequantize_q4_k(data, unpack)` takes the `bytes` of n blocks and returns a **float32** array of shape `(256 n,)`, in the
# order of the groups, computed in float32. `unpack` is a function that does the work of `six_bits`: called once, with the
# bytes 4–15 of all blocks as a `uint8` array `(n, 12)`, it returns the pair `(scales, minima)` of whole numbers, `(n, 8)`
# each. If the length of `data` is no multiple of 144, `dequantize_q4_k` raises `ValueError`.
#
# By hand: d = 0.5, dmin = 0.25; group 0 has scale 3 and minimum 8, group 1 has scale 1 and minimum 0. The first byte of the
# first run is `F1`. Its low half is 1: weight 0 is (0.5 · 3) · 1 − 0.25 · 8 = −0.5. Its high half is 15: weight 32, the
# first of group 1, is (0.5 · 1) · 15 − 0 = 7.5.
#
# Hint 1 (a nudge): Where do the low halves of the second run belong: right behind those of the first one, or behind its
# high halves?
#
# Hint 2 (the approach): Read the bytes as a table with 144 columns. Make the numbers `(n, 8, 32)` first, then the scale
# and the minimum of each group, and let NumPy spread those along the last axis.
#
# Hint 3 (the shapes): The runs are `(n, 4, 32)`; low and high halves stacked on a new axis behind the runs,
# `np.stack([…, …], axis=2)`, are `(n, 4, 2, 32)`, which is `(n, 8, 32)` in the right order. `d` is `(n, 1)` beside
# scales of `(n, 8)`. Make whole numbers float32 before you multiply, or the result may become float64.


# %% nbgrader={"grade_id": "dequantize_q4_k", "solution": true}
def dequantize_q4_k(data: bytes, unpack: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The weights of Q4_K blocks of 144 bytes; `unpack` gives the scales and minima of the groups. -> (256 n,), float32"""
    ### BEGIN SOLUTION
    if len(data) % 144:
        raise ValueError(f"Q4_K: {len(data)} bytes are not a multiple of 144")
    layout = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("packed", "u1", 12), ("runs", "u1", (4, 32))])
    blocks = np.frombuffer(data, layout)  # (n,)
    scales, minima = unpack(blocks["packed"])  # (n, 8)
    scales = blocks["d"].astype(np.float32)[:, None] * np.asarray(scales, np.float32)  # (n, 8)
    minima = blocks["dmin"].astype(np.float32)[:, None] * np.asarray(minima, np.float32)  # (n, 8)
    runs = blocks["runs"]  # (n, 4, 32)
    q = np.stack([runs & 15, runs >> 4], axis=2).reshape(-1, 8, 32)  # (n, 4, 2, 32): low halves, then high ones
    return (scales[:, :, None] * q - minima[:, :, None]).reshape(-1)  # (256 n,)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_dequantize_q4_k", "grade": true, "points": 4}
def weights(data, scales, minima):
    """The weights, with an `unpack` that says these scales and minima."""
    return dequantize_q4_k(data, lambda packed: (np.array(scales), np.array(minima)))


def unpacked(data):
    """What `unpack` is given, each time that it is called."""
    given = []

    def note(packed):
        given.append(np.array(packed))
        return np.ones((len(packed), 8), int), np.zeros((len(packed), 8), int)

    dequantize_q4_k(data, note)
    return given


def block(d, dmin, start, step):
    """A block whose bytes after the two steps count up by `step`."""
    return struct.pack("<ee", d, dmin) + bytes((start + step * i) % 256 for i in range(140))


def test_dequantize_q4_k():
    """Each group has its own scale and minimum; a run of 32 bytes holds two groups, the low halves first."""
    hand = struct.pack("<ee12x", 0.5, 0.25) + bytes([0xF1] * 32 + [0] * 96)
    expected = [*[-0.5] * 32, *[7.5] * 32, *[0.0] * 192]
    check(weights, hand, [[3, 1, 0, 0, 0, 0, 0, 0]], [[8, 0, 0, 0, 0, 0, 0, 0]], gives=expected)
    eight, other = [[1, 5, 9, 13, 22, 31, 47, 63]], [[60, 2, 33, 0, 8, 17, 1, 25]]
    check(weights, block(0.25, 0.5, 3, 7), eight, other, exact=True)
    check(weights, block(0.0137, 0.11, 5, 11) + block(-0.3, 0.07, 8, 5), eight + other, other + eight)
    check(unpacked, block(1.0, 1.0, 3, 7) + block(1.0, 1.0, 9, 13))
    check(weights, bytes(143), eight, other, gives=ValueError)
    ### BEGIN HIDDEN TESTS
    check(weights, bytes(145), eight, other, gives=ValueError, about="one byte more")
    check(weights, bytes(160), eight, other, gives=ValueError, about="a block, and steps and scales without numbers")
    check(weights, b"", np.zeros((0, 8), int), np.zeros((0, 8), int), about="no bytes")
    check(weights, block(0.0, 0.25, 0, 3), eight, other, about="a step of 0 for the scales")
    check(weights, block(0.25, 0.0, 0, 3), eight, other, about="a step of 0 for the minima")
    check(weights, block(0.25, -0.5, 0, 3), eight, other, about="a negative step for the minima")
    check(weights, block(6e-6, 6e-6, 0, 3), eight, other, within=(1e-4, 1e-9), about="very small steps")
    check(weights, block(1000.0, 60_000.0, 1, 9), eight, other, about="large steps")
    small = np.array(eight, np.uint8), np.array(other, np.uint8)
    check(weights, block(0.5, 0.25, 77, 3), *small, exact=True, about="scales as bytes")
    many = b"".join(block(0.31 * i - 1, 0.2 * i, 5 * i, 2 * i + 1) for i in range(5))
    grids = [[(7 * g + 11 * i) % 64 for g in range(8)] for i in range(5)]
    check(weights, many, grids, grids[::-1], exact=True, about="several blocks")
    check(unpacked, many, about="what is unpacked of several blocks")
    ### END HIDDEN TESTS
