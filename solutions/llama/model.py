# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The model
#
# The parts of the last notebook become a model: attention with rotary positions and grouped heads, a block, the way from
# ids to logits (未归一化分数 logits). Then the weights come from files that others have made, and a cache (键值缓存 key/value
# cache) keeps what has been computed, so that writing does not begin anew with every token.
#
# **When you are done you can** say where each of a model's numbers sits, read two file formats down to the byte, and prove
# that your cache changes nothing.
#
# **You need** NumPy, attention with heads (chapter 1) and the four functions below, which the notebook `parts` builds.
# Plan a little over four hours: 65 minutes for the model, 110 for the files, 75 for the cache.
#
# **Letters.** B batch, T time, D width, H query heads, K key/value heads, d head size, F hidden width, V vocabulary. H is
# a multiple of K, and D = H · d.
#
# **Weights** are one dictionary. A matrix is stored as (in, out), so that `x @ W` applies it.
#
# ```
# weights = {"embed": (V, D), "blocks": [block, block, …], "norm": (D,), "head": (D, V)}
# block   = {"attn_norm": (D,), "Wq": (D, H·d), "Wk": (D, K·d), "Wv": (D, K·d), "Wo": (H·d, D),
#            "mlp_norm": (D,), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
# ```
#
# Each exercise stands alone: none of them needs your answer to another one. Where one builds on another, the test hands in
# a function that does the other's work.

# %%
import json
import math
import re
import struct
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

# %% [markdown]
# ## Given: `Config`
# The numbers that fix a model's shapes. `tied` (共享权重 tied weights): the head is the embedding turned round, and is
# stored once.


# %%
@dataclass(frozen=True)
class Config:
    dim: int  # D
    hidden: int  # F
    layers: int
    heads: int  # H
    kv_heads: int  # K
    vocab: int  # V
    max_len: int
    rope_base: float = 10000.0
    eps: float = 1e-5
    tied: bool = False

    @property
    def head_dim(self) -> int:  # d
        return self.dim // self.heads


# %% [markdown]
# ## Given: the parts
# What the notebook `parts` builds, each in a line or two. They keep the dtype of `x`. `rope` turns the pairs of neighbours
# (0, 1), (2, 3) … of each head, as Meta's weights and llama2.c's want it; `positions` has shape (T,).


# %%
def rms_norm(x: np.ndarray, gain: np.ndarray, eps: float) -> np.ndarray:
    """x (..., D) divided by its root mean square, times gain (D,)."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """The pairs of x (..., T, d) turned by their position (T,) times their frequency."""
    d = x.shape[-1]
    angles = np.multiply.outer(positions, float(base) ** (-np.arange(0, d, 2) / d))  # (T, d/2)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


def repeat_kv(x: np.ndarray, n: int) -> np.ndarray:
    """Each head of x (B, K, T, d) n times in a row: (B, K·n, T, d)."""
    return np.repeat(x, n, axis=1)


def swiglu(x: np.ndarray, Wg: np.ndarray, Wu: np.ndarray, Wd: np.ndarray) -> np.ndarray:
    """SiLU(x @ Wg) · (x @ Wu), and down again."""
    g = x @ Wg
    return (g * (0.5 + 0.5 * np.tanh(0.5 * g)) * (x @ Wu)) @ Wd


def softmax(x: np.ndarray) -> np.ndarray:
    """Weights along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# %% [markdown]
# ## `count_parameters`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# How many numbers does a model learn? `count_parameters(config)` returns how many there are in `weights` (see the shapes
# above), counting a **tied** head once: it is the embedding, and costs nothing. RoPE learns nothing.
#
# By hand, with D = 8, F = 20, one block, H = 4, K = 2 (so d = 2), V = 11 and tied: the embedding has 88. The block: two
# norms 16, Wq 64, Wk and Wv 8 · 4 = 32 each, Wo 64, the three of the MLP 160 each, together 688. The last norm 8. In
# all 784; untied, 872.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Only four matrices of a block depend on the heads, and only two of them on K.
#
# <details><summary>Hint 2: the approach</summary>
#
# One block first; times the number of blocks; then what is there once.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# A block has `2 * D + 2 * D * H * d + 2 * D * K * d + 3 * D * F` numbers.
#
# </details></details></details>


# %% nbgrader={"grade_id": "count_parameters", "solution": true}
def count_parameters(config: Config) -> int:
    """How many numbers the model learns; a tied head is counted once, with the embedding."""
    ### BEGIN SOLUTION
    c, d = config, config.head_dim
    block = 2 * c.dim  # the two norms
    block += 2 * c.dim * c.heads * d  # Wq, Wo
    block += 2 * c.dim * c.kv_heads * d  # Wk, Wv
    block += 3 * c.dim * c.hidden  # Wg, Wu, Wd
    head = 0 if c.tied else c.dim * c.vocab
    return c.vocab * c.dim + c.layers * block + c.dim + head
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_count_parameters", "grade": true, "points": 1}
def test_count_parameters():
    """The worked example, tied and untied, with and without shared key/value heads."""

    def check(c):
        d = c.dim // c.heads
        attention = c.dim * d * (2 * c.heads + 2 * c.kv_heads)
        block = 2 * c.dim + attention + 3 * c.dim * c.hidden
        embed = c.vocab * c.dim
        expected = embed + c.layers * block + c.dim + (0 if c.tied else embed)
        got = count_parameters(c)
        call = f"count_parameters({c}): expected {expected}, got {got}"
        known = {
            "a tied head is the embedding: count it once": expected + embed,
            "an untied head has numbers of its own": expected - embed,
            "Wk and Wv have K heads, not H": expected + c.layers * 2 * c.dim * d * (c.heads - c.kv_heads),
            "all of Wq, Wk, Wv, Wo were taken to have K heads": expected
            - c.layers * 2 * c.dim * d * (c.heads - c.kv_heads),
            "the norms have gains: two in each block, and a last one": expected - c.dim - 2 * c.dim * c.layers,
            "the last norm, before the head, is missing": expected - c.dim,
            "a block has two norms": expected - c.dim * c.layers,
            "the MLP has three matrices: gate, up, down": expected - c.layers * c.dim * c.hidden,
            "that is one block only": embed + block + c.dim + (0 if c.tied else embed),
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: {mistake}"
        assert got == expected, call

    check(Config(8, 20, 1, 4, 2, 11, 32, tied=True))
    check(Config(8, 20, 1, 4, 2, 11, 32))
    check(Config(24, 64, 3, 6, 2, 50, 32))
    ### BEGIN HIDDEN TESTS
    check(Config(288, 768, 6, 6, 6, 32000, 256, tied=True))
    check(Config(576, 1536, 30, 9, 3, 49152, 8192, 100000.0, tied=True))
    check(Config(16, 40, 2, 4, 1, 7, 64))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_count_parameters()


# %% [markdown]
# ## `llama_attention`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# Attention as LLaMA does it: **grouped** heads (分组查询注意力 grouped-query attention: each key/value head serves H / K query
# heads in a row), **rotary** positions on queries and keys, and the causal mask. `llama_attention(x, block, config)`
# takes `x` (B, T, D), the input that has been normalised already, and returns (B, T, D):
#
# 1. `x @ Wq`, `x @ Wk`, `x @ Wv`, each cut into heads of d numbers: (B, H, T, d) and twice (B, K, T, d);
# 2. `rope` on the queries and the keys, not on the values; the tokens stand at positions 0, 1, … T − 1;
# 3. the K heads of keys and values repeated, so that there are H;
# 4. scores divided by √d, the future hidden, softmax, weighted sum of the values;
# 5. the heads side by side again (B, T, H·d), and `@ Wo`.
#
# The result has the **dtype of x**. Mind: `np.sqrt(8)` is a float64 number and makes a float32 array float64, which
# costs time and memory all the way down; `math.sqrt(8)` does not.
#
# By hand: the first token may look at itself only, so its weights are 1, and its result is its own value, head by head
# (those of a K head repeated), times `Wo`. No position has any influence on it.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two axes must change places between "cut into heads" and "attend", and again on the way back.
#
# <details><summary>Hint 2: the approach</summary>
#
# `.reshape(B, T, heads, d).transpose(0, 2, 1, 3)` cuts; the same transpose and `.reshape(B, T, -1)` undoes it. `rope` wants
# the time as the last axis but one.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(d)`; `np.where(np.tri(T, dtype=bool), scores, -np.inf)` hides the
# future; `repeat_kv(k, H // K)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "llama_attention", "solution": true}
def llama_attention(x: np.ndarray, block: dict[str, np.ndarray], config: Config) -> np.ndarray:
    """Causal grouped-query attention with rotary positions: (B, T, D) -> (B, T, D), in the dtype of x."""
    ### BEGIN SOLUTION
    B, T, _ = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    q = (x @ block["Wq"]).reshape(B, T, H, d).transpose(0, 2, 1, 3)  # (B, H, T, d)
    k = (x @ block["Wk"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    v = (x @ block["Wv"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    positions = np.arange(T)
    q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)
    k, v = repeat_kv(k, H // K), repeat_kv(v, H // K)  # (B, H, T, d)
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(d)  # (B, H, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    heads = softmax(scores) @ v  # (B, H, T, d)
    return heads.transpose(0, 2, 1, 3).reshape(B, T, H * d) @ block["Wo"]  # (B, T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_attention", "grade": true, "points": 4}
def test_llama_attention():
    """Grouped heads, rotary queries and keys, causal; a batch gives what its texts give alone."""

    def turn(x, positions, base, half=False):
        """RoPE in complex numbers; half=True pairs i with i + d/2."""
        d = x.shape[-1]
        z = x[..., : d // 2] + 1j * x[..., d // 2 :] if half else x[..., 0::2] + 1j * x[..., 1::2]
        z = z * np.exp(1j * np.multiply.outer(positions, base ** (-np.arange(0, d, 2) / d)))
        if half:
            return np.concatenate([z.real, z.imag], -1)
        return np.stack([z.real, z.imag], -1).reshape(x.shape)

    def attend(x, block, c, half=False, base=None, turned="qk", spread="repeat", mask=0, scale=None, cut="", wo=True):
        B, T, D = x.shape
        H, K, d = c.heads, c.kv_heads, c.dim // c.heads
        parts = {}
        for name, n in (("q", H), ("k", K), ("v", K)):
            y = x @ block["W" + name]
            parts[name] = y.reshape(B, n, T, d) if cut == "reshape" else np.swapaxes(y.reshape(B, T, n, d), 1, 2)
        for name in turned:
            parts[name] = turn(parts[name], np.arange(T), base or c.rope_base, half)
        which = np.arange(H) // (H // K) if spread == "repeat" else np.arange(H) % K
        if spread == "first":
            which = np.zeros(H, int)
        q, k, v = parts["q"], parts["k"][:, which], parts["v"][:, which]
        s = np.einsum("bhid,bhjd->bhij", q, k) / (scale or d**0.5)
        if mask is not None:
            s = np.where(np.tri(T, k=mask, dtype=bool), s, -1e30)
        e = np.exp(s - s.max(-1, keepdims=True))
        y = np.einsum("bhij,bhjd->bhid", e / e.sum(-1, keepdims=True), v)
        y = y.reshape(B, T, D) if cut in ("merge", "reshape") else np.swapaxes(y, 1, 2).reshape(B, T, D)
        return y @ block["Wo"] if wo else y

    def check(what, c, B, T, seed, dtype=float):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(B, T, c.dim)).astype(dtype)
        wide = {"Wq": c.heads, "Wk": c.kv_heads, "Wv": c.kv_heads, "Wo": c.heads}
        block = {n: rng.normal(size=(c.dim, k * c.head_dim)).astype(dtype) / 2 for n, k in wide.items()}
        expected = attend(x.astype(float), block, c)
        what = f"{what} (B={B}, T={T}, {c.heads} heads, {c.kv_heads} of keys and values)"
        try:
            got = np.asarray(llama_attention(x.copy(), {n: W.copy() for n, W in block.items()}, c))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): q is (B, H, T, d); k and v are (B, K, T, d) until they are "
                "repeated; the merged heads are (B, T, H·d)"
            ) from None
        assert got.shape == x.shape, f"{what}: expected shape {x.shape}, got {got.shape}"
        tolerance = 1e-9 if dtype is float else 1e-4
        if np.allclose(got, expected, rtol=tolerance, atol=tolerance):
            assert got.dtype == x.dtype, (
                f"{what}: x is {x.dtype}, the result {got.dtype}: does np.sqrt(d), or an array of float64, make all of "
                "it float64?"
            )
            return
        known = {
            "no positions: rope is missing, or turns along another axis than time": {"turned": ""},
            "the values were turned too: only queries and keys carry positions": {"turned": "qkv"},
            "only the queries were turned": {"turned": "q"},
            "only the keys were turned": {"turned": "k"},
            "rope turned other pairs: here a pair is (0, 1), (2, 3), …, as the given function does it": {"half": True},
            "rope_base of the config is not used": {"base": 10000.0},
            "the heads of keys and values are in the wrong order: each is repeated in a row (0, 0, 1, 1), not tiled": {
                "spread": "tile"
            },
            "all query heads read the first head of keys and values": {"spread": "first"},
            "the future is not hidden": {"mask": None},
            "tokens do not see themselves, only earlier ones": {"mask": -1},
            "tokens see one later token": {"mask": 1},
            "the scores are divided by √D: the scale is the square root of the head's size": {"scale": c.dim**0.5},
            "the scores are not divided by √d": {"scale": 1.0},
            "the heads were cut by a reshape alone, without a transpose": {"cut": "reshape"},
            "the heads were merged by a reshape alone: first undo the transpose": {"cut": "merge"},
            "Wo is missing": {"wo": False},
        }
        for mistake, changed in known.items():
            wrong = attend(x.astype(float), block, c, **changed)
            if not np.allclose(wrong, expected):
                assert not np.allclose(got, wrong, rtol=1e-4, atol=1e-4), f"{what}: {mistake}"
        if np.allclose(got[:, 0], expected[:, 0], rtol=tolerance, atol=tolerance) and T > 1:
            raise AssertionError(
                f"{what}: the first token is right, later ones are not: is it the positions (0, 1, 2, … along the time "
                f"axis of (B, heads, T, d)), the scale or the mask?\nexpected {expected[0, -1]}\ngot {got[0, -1]}"
            )
        raise AssertionError(f"{what}: expected {expected[0, 0]} for the first token, got {got[0, 0]}")

    check("as many heads for keys as for queries", Config(8, 20, 1, 2, 2, 11, 32), 1, 3, 1)
    check("grouped heads, another base", Config(16, 20, 1, 4, 2, 11, 32, rope_base=500.0), 2, 5, 2)
    check("float32", Config(16, 20, 1, 4, 2, 11, 32), 1, 6, 3, np.float32)
    ### BEGIN HIDDEN TESTS
    check("one head for keys and values", Config(24, 20, 1, 6, 1, 11, 32), 1, 7, 4)
    check("grouped", Config(24, 20, 1, 6, 3, 11, 32, rope_base=500000.0), 3, 4, 5)
    check("one token", Config(16, 20, 1, 4, 2, 11, 32), 2, 1, 6)
    check("a longer text", Config(12, 20, 1, 2, 1, 11, 64), 1, 40, 7)
    check("grouped, float32", Config(24, 20, 1, 6, 2, 11, 32, rope_base=500.0), 2, 3, 8, np.float32)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_llama_attention()


# %% [markdown]
# ## `llama_block`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# A block adds to the stream of hidden states (残差连接 residual connection) twice: what attention found, and what the MLP
# makes of it. Each looks at a **normalised copy** of the stream; the stream itself is never normalised (pre-norm 前置归一化).
#
# `llama_block(x, block, config, attention)` returns (B, T, D). `attention` is a function: `attention(h)` gives (B, T, D)
# for a normalised `h` (B, T, D). The norms' gains are `block["attn_norm"]` and `block["mlp_norm"]`, their epsilon is
# `config.eps`; use the given `rms_norm` and `swiglu`.
#
# By hand: for an attention that always returns zeros, and `Wd` all zeros, the block returns `x` as it was.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The MLP sees what attention has added.
#
# <details><summary>Hint 2: the approach</summary>
#
# Two lines of the same form: stream = stream + part(norm(stream)).
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `z = x + attention(rms_norm(x, …))`, and then the same with `z`, the other gain and `swiglu`. Gate, up, down is the order
# of its matrices.
#
# </details></details></details>


# %% nbgrader={"grade_id": "llama_block", "solution": true}
def llama_block(x: np.ndarray, block: dict[str, np.ndarray], config: Config, attention) -> np.ndarray:
    """One block, pre-norm: attention and the MLP each add to the stream. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = x + attention(rms_norm(x, block["attn_norm"], config.eps))  # (B, T, D)
    return x + swiglu(rms_norm(x, block["mlp_norm"], config.eps), block["Wg"], block["Wu"], block["Wd"])
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_block", "grade": true, "points": 2}
def test_llama_block():
    """Two residual additions, each of a normalised copy of the stream."""

    def check(what, c, B, T, seed, quiet=False):
        rng = np.random.default_rng(seed)
        x = 3 * rng.normal(size=(B, T, c.dim))
        mix = rng.normal(size=(c.dim, c.dim)) / 3
        block = {n: 1 + rng.normal(size=c.dim) / 3 for n in ("attn_norm", "mlp_norm")}
        block |= {n: rng.normal(size=(c.dim, c.hidden)) / 2 for n in ("Wg", "Wu")}
        block["Wd"] = rng.normal(size=(c.hidden, c.dim)) / 2

        def attention(h):
            return np.zeros_like(h) if quiet else np.tanh(np.cumsum(h, axis=1) @ mix)

        def norm(x, gain, eps=None):
            return x / np.sqrt((x**2).mean(-1, keepdims=True) + (c.eps if eps is None else eps)) * block[gain]

        def mlp(h, g="Wg", u="Wu"):
            a = h @ block[g]
            return (a / (1 + np.exp(-a)) * (h @ block[u])) @ block["Wd"]

        n = norm(x, "attn_norm")
        z = x + attention(n)
        expected = z + mlp(norm(z, "mlp_norm"))
        try:
            got = np.asarray(llama_block(x.copy(), {k: W.copy() for k, W in block.items()}, c, attention))
        except (ValueError, IndexError) as error:
            raise AssertionError(f"{what}: the shapes do not fit: {error}") from None
        assert got.shape == x.shape, f"{what}: expected shape {x.shape}, got {got.shape}"
        if np.allclose(got, expected, rtol=1e-9, atol=1e-9):
            return
        post = norm(x + attention(x), "attn_norm")
        straight, halfway = n + attention(n), norm(z, "mlp_norm")
        known = {
            "the norms come after the additions (post-norm): LLaMA normalises the copy that a part reads": norm(
                post + mlp(post), "mlp_norm"
            ),
            "the normalised copy was added to: the stream itself goes on as it was": straight
            + mlp(norm(straight, "mlp_norm")),
            "after attention the normalised copy was added to: the stream itself goes on as it was": halfway
            + mlp(halfway),
            "the normalised copy was added to, twice: the stream itself goes on as it was": norm(straight, "mlp_norm")
            + mlp(norm(straight, "mlp_norm")),
            "the MLP read x: it must read the stream after attention has added to it": z + mlp(norm(x, "mlp_norm")),
            "what attention added is lost: the MLP's part was added to x": x + mlp(norm(z, "mlp_norm")),
            "no residual: each part must be added to the stream": mlp(norm(attention(n), "mlp_norm")),
            "the MLP's part was not added to the stream": mlp(norm(z, "mlp_norm")),
            "the MLP read the stream without a norm": z + mlp(z),
            "attention read the stream without a norm": (y := x + attention(x)) + mlp(norm(y, "mlp_norm")),
            "both norms used the gain attn_norm: the second one is mlp_norm": z + mlp(norm(z, "attn_norm")),
            "the gains are swapped": (y := x + attention(norm(x, "mlp_norm"))) + mlp(norm(y, "attn_norm")),
            "gate and up are swapped: the order is Wg, Wu, Wd": z + mlp(halfway, "Wu", "Wg"),
            "the MLP is missing": z,
            "config.eps is not used": (y := x + attention(norm(x, "attn_norm", 1e-5))) + mlp(norm(y, "mlp_norm", 1e-5)),
        }
        for mistake, wrong in known.items():
            if not np.allclose(wrong, expected, rtol=1e-7, atol=1e-7):
                assert not np.allclose(got, wrong, rtol=1e-7, atol=1e-7), f"{what}: {mistake}"
        raise AssertionError(f"{what}: expected {expected[0, 0]} for the first token, got {got[0, 0]}")

    check("one text", Config(6, 10, 1, 2, 2, 11, 32), 1, 3, 1)
    check("a large epsilon", Config(8, 12, 1, 2, 1, 11, 32, eps=0.5), 2, 4, 2)
    ### BEGIN HIDDEN TESTS
    check("attention finds nothing", Config(6, 10, 1, 2, 2, 11, 32), 2, 3, 3, quiet=True)
    check("one token", Config(12, 5, 1, 3, 3, 11, 32, eps=1e-6), 3, 1, 4)
    c = Config(4, 6, 1, 2, 2, 11, 32)
    nothing = {n: np.ones(4) for n in ("attn_norm", "mlp_norm")}
    nothing |= {"Wg": np.ones((4, 6)), "Wu": np.ones((4, 6)), "Wd": np.zeros((6, 4))}
    x = np.random.default_rng(5).normal(size=(2, 3, 4))
    got = llama_block(x.copy(), nothing, c, lambda h: np.zeros_like(h))
    assert np.array_equal(got, x), f"both parts give zeros: expected x as it was, {x[0, 0]}, got {got[0, 0]}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_llama_block()


# %% [markdown]
# ## `llama_forward`
# *difficulty ●○○ · importance ●●● · 15 min*
#
# `llama_forward(ids, weights, config, run_block)` takes `ids` (B, T), whole numbers below V, and returns the **logits**
# (B, T, V): for each position, a score for every token that might come next. On the way: the row of `weights["embed"]` for
# each id, as it is; the blocks in order, `x = run_block(x, block)` for each of `weights["blocks"]`; the last norm
# `weights["norm"]` (use `rms_norm` with `config.eps`); and `@ weights["head"]`. The head is always there, tied or not.
#
# By hand, without any block, with D = 2, eps = 0, norm (1, 1), and an embedding of 1 and 7 for the id 5: the mean square
# is 25, the normalised row (0.2, 1.4), and its logit for a column (1, 1) of the head is 1.6.
#
# <details><summary>Hint 1: a nudge</summary>
#
# NumPy can take many rows of a matrix at once, in an array of any shape.
#
# <details><summary>Hint 2: the approach</summary>
#
# `embed[ids]` has the shape (B, T, D). The rest is one loop and one line.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `for block in weights["blocks"]: x = run_block(x, block)`, then norm and head, for all positions.
#
# </details></details></details>


# %% nbgrader={"grade_id": "llama_forward", "solution": true}
def llama_forward(ids: np.ndarray, weights: dict, config: Config, run_block) -> np.ndarray:
    """Logits (B, T, V) of ids (B, T): embedding, blocks, last norm, head."""
    ### BEGIN SOLUTION
    x = weights["embed"][ids]  # (B, T, D)
    for block in weights["blocks"]:
        x = run_block(x, block)  # (B, T, D)
    return rms_norm(x, weights["norm"], config.eps) @ weights["head"]  # (B, T, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_forward", "grade": true, "points": 2}
def test_llama_forward():
    """Logits for every position, through all blocks in order; a batch gives what its texts give alone."""

    def check(what, c, B, T, seed):
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, c.vocab, (B, T))
        embed = 2 * rng.normal(size=(c.vocab, c.dim))
        head = embed.T.copy() if c.tied else rng.normal(size=(c.dim, c.vocab))
        blocks = [{"Wq": rng.normal(size=(c.dim, c.dim)) / 2, "attn_norm": np.ones(c.dim)} for _ in range(c.layers)]
        weights = {"embed": embed, "blocks": blocks, "norm": 1 + rng.normal(size=c.dim) / 3, "head": head}

        def run_block(x, block):
            return x + np.tanh(np.cumsum(x, axis=-2) @ block["Wq"])

        def norm(x, eps):
            return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weights["norm"]

        def hidden(blocks, start):
            for block in blocks:
                start = run_block(start, block)
            return start

        x = hidden(blocks, embed[ids])
        expected = norm(x, c.eps) @ head
        what = f"{what} (B={B}, T={T}, V={c.vocab})"
        given = {**weights, "blocks": [dict(block) for block in blocks]}
        try:
            got = np.asarray(llama_forward(ids.copy(), given, c, run_block))
        except (ValueError, IndexError) as error:
            raise AssertionError(f"{what}: the shapes do not fit: {error}") from None
        assert got.shape == expected.shape or got.shape not in [(B, c.vocab), (B, 1, c.vocab)], (
            f"{what}: expected shape {expected.shape}, got {got.shape}: that is one position only; training and scoring "
            "need the logits of all"
        )
        assert got.shape == expected.shape, f"{what}: expected shape {expected.shape}, got {got.shape}"
        if np.allclose(got, expected, rtol=1e-9, atol=1e-9):
            return
        e = np.exp(expected - expected.max(-1, keepdims=True))
        known = {
            "the last norm, before the head, is missing": x @ head,
            "the head used is the embedding turned round: this model has one of its own": norm(x, c.eps) @ embed.T,
            "the blocks ran in the wrong order": norm(hidden(blocks[::-1], embed[ids]), c.eps) @ head,
            "no block ran": norm(embed[ids], c.eps) @ head,
            "only the first block ran": norm(hidden(blocks[:1], embed[ids]), c.eps) @ head,
            "only the last block ran: does each block get what the one before gave?": norm(
                hidden(blocks[-1:], embed[ids]), c.eps
            )
            @ head,
            "the first block ran each time": norm(hidden(blocks[:1] * c.layers, embed[ids]), c.eps) @ head,
            "the embedding was multiplied by √D: LLaMA takes the rows as they are": norm(
                hidden(blocks, embed[ids] * c.dim**0.5), c.eps
            )
            @ head,
            "config.eps is not used": norm(x, 1e-5) @ head,
            "the norm came before the blocks, too, or instead": norm(hidden(blocks, norm(embed[ids], c.eps)), c.eps)
            @ head,
            "those are probabilities: return the logits, without a softmax": e / e.sum(-1, keepdims=True),
            "those are log probabilities: return the logits": np.log(e / e.sum(-1, keepdims=True)),
        }
        for mistake, wrong in known.items():
            if not np.allclose(wrong, expected, rtol=1e-7, atol=1e-7):
                assert not np.allclose(got, wrong, rtol=1e-7, atol=1e-7), f"{what}: {mistake}"
        raise AssertionError(f"{what}: expected {expected[0, 0]} for the first position, got {got[0, 0]}")

    check("an untied head, two blocks", Config(6, 10, 2, 2, 2, 9, 32), 1, 4, 1)
    check("a tied head, a large epsilon", Config(4, 10, 3, 2, 2, 7, 32, eps=0.5, tied=True), 3, 2, 2)
    weights = {"embed": np.tile([1.0, 7.0], (6, 1)), "blocks": [], "norm": np.ones(2), "head": np.ones((2, 6))}
    got = float(
        np.asarray(llama_forward(np.array([[5]]), weights, Config(2, 1, 0, 1, 1, 6, 9, eps=0.0), None)).ravel()[0]
    )
    assert abs(got - 1.6) < 1e-9, f"the example by hand: expected the logit 1.6, got {got}"
    ### BEGIN HIDDEN TESTS
    check("one token", Config(6, 10, 2, 2, 2, 9, 32), 2, 1, 3)
    check("as many tokens as ids", Config(5, 10, 1, 1, 1, 4, 32), 4, 4, 4)
    check("six blocks", Config(4, 10, 6, 2, 2, 30, 32), 2, 9, 5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_llama_forward()


# %% [markdown]
# ## `load_llama2c`
# *difficulty ●●● · importance ●●● · 40 min*
#
# The story models of llama2.c are files of bare numbers: seven of 4 bytes each (int32, little-endian), the header (文件头), and
# then float32, little-endian, tensor after tensor, **a kind for all blocks before the next kind**. L is the number of
# blocks, T the `seq_len`; a matrix is stored as **(out, in)**.
#
# | header | our name | | header | our name |
# |---|---|---|---|---|
# | `dim` | `dim` | | `n_kv_heads` | `kv_heads` |
# | `hidden_dim` | `hidden` | | `vocab_size` | `vocab`: see below |
# | `n_layers` | `layers` | | `seq_len` | `max_len` |
# | `n_heads` | `heads` | | | |
#
# | tensor, in this order | shape in the file | ours |
# |---|---|---|
# | `token_embedding` | (V, D) | `embed` |
# | `rms_att` | (L, D) | `attn_norm` |
# | `wq`, `wk`, `wv`, `wo` | (L, H·d, D), (L, K·d, D) twice, (L, D, H·d) | `Wq`, `Wk`, `Wv`, `Wo` |
# | `rms_ffn` | (L, D) | `mlp_norm` |
# | `w1`, `w2`, `w3` | (L, F, D), (L, D, F), (L, F, D) | `Wg`, **`Wd`, `Wu`** |
# | `rms_final` | (D,) | `norm` |
# | `freqs_cos`, `freqs_sin` | (T, d/2) twice | RoPE tables; ours come from `rope`: skip them |
# | `wcls` | (V, D), **only if `vocab_size` is negative** | `head` |
#
# The sign of `vocab_size` says whether the head is shared: positive is tied (`head` is the embedding turned round, `wcls`
# is not in the file), negative is untied. V is its absolute value. The file says nothing of the base and the epsilon: they
# are 10000 and 1e-5.
#
# `load_llama2c(path)` takes a `Path` and returns `(config, weights)`: a `Config`, and the dictionary of the top of this
# notebook, float32, matrices as (in, out). What is not such a file raises **`ValueError`, and its text holds the file's name
# (`path.name`) and the name, as in the tables, of what is wrong**:
#
# | what is wrong | the text names |
# |---|---|
# | fewer than 28 bytes | `header` |
# | a number in the header below 1 (for `vocab_size`: 0) | this number |
# | `n_heads` does not divide `dim`, or leaves an odd head size | `dim` or `n_heads` |
# | `n_kv_heads` does not divide `n_heads` | `n_heads` or `n_kv_heads` |
# | the file ends too early | the first tensor that is not whole |
# | bytes are left over | nothing more than the file's name |
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write the second table down as a list of names and shapes, and walk through it. All else follows.
#
# <details><summary>Hint 2: the approach</summary>
#
# `data = path.read_bytes()`; `struct.unpack("<7i", data[:28])` gives the header as Python numbers, which do not overflow
# (a product of NumPy's int32 does, and a foreign file has huge numbers there). For each tensor: how many numbers, are there
# so many left, then `np.frombuffer(data, "<f4", count, offset).reshape(shape)`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# With all tensors in a dictionary `t` by name: block i has `"Wq": t["wq"][i].T` and so on; `"Wg"` is `w1`, `"Wd"` is `w2`,
# `"Wu"` is `w3`. The list of names and shapes gets `("wcls", (V, D))` at its end only if the sign says so.
#
# </details></details></details>


# %% nbgrader={"grade_id": "load_llama2c", "solution": true}
def load_llama2c(path: Path) -> tuple[Config, dict]:
    """Config and weights of a llama2.c file (version 0). A file that is none raises ValueError and says what is wrong."""
    ### BEGIN SOLUTION
    data = path.read_bytes()
    if len(data) < 28:
        raise ValueError(f"{path.name}: the header has 28 bytes, this file {len(data)}")
    names = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
    header = dict(zip(names, struct.unpack("<7i", data[:28]), strict=True))
    for name, value in header.items():
        if value == 0 or (value < 0 and name != "vocab_size"):
            raise ValueError(f"{path.name}: {name} is {value}: not a llama2.c file?")
    D, F, L, H, K, V, T = header.values()
    if D % H or D // H % 2:
        raise ValueError(f"{path.name}: dim {D} does not give {H} (n_heads) heads of an even size")
    if H % K:
        raise ValueError(f"{path.name}: n_kv_heads {K} does not divide n_heads {H}")
    tied, V, d = V > 0, abs(V), D // H
    shapes = {
        "token_embedding": (V, D),
        "rms_att": (L, D),
        "wq": (L, H * d, D),
        "wk": (L, K * d, D),
        "wv": (L, K * d, D),
        "wo": (L, D, H * d),
        "rms_ffn": (L, D),
        "w1": (L, F, D),
        "w2": (L, D, F),
        "w3": (L, F, D),
        "rms_final": (D,),
        "freqs_cos": (T, d // 2),
        "freqs_sin": (T, d // 2),
    }
    if not tied:
        shapes["wcls"] = (V, D)
    t, offset = {}, 28
    for name, shape in shapes.items():
        count = math.prod(shape)
        if offset + 4 * count > len(data):
            raise ValueError(f"{path.name}: ends at byte {len(data)}, within {name}, which needs {4 * count} bytes")
        t[name] = np.frombuffer(data, "<f4", count, offset).reshape(shape)
        offset += 4 * count
    if offset < len(data):
        raise ValueError(f"{path.name}: {len(data) - offset} bytes are left over")
    blocks = [
        {
            "attn_norm": t["rms_att"][i],
            "Wq": t["wq"][i].T,
            "Wk": t["wk"][i].T,
            "Wv": t["wv"][i].T,
            "Wo": t["wo"][i].T,
            "mlp_norm": t["rms_ffn"][i],
            "Wg": t["w1"][i].T,
            "Wu": t["w3"][i].T,
            "Wd": t["w2"][i].T,
        }
        for i in range(L)
    ]
    head = t["token_embedding" if tied else "wcls"].T
    config = Config(D, F, L, H, K, V, T, tied=tied)
    return config, {"embed": t["token_embedding"], "blocks": blocks, "norm": t["rms_final"], "head": head}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_load_llama2c", "grade": true, "points": 4}
def test_load_llama2c():
    """Tiny files, tied and untied, read to the last number; broken ones refused by name."""

    def made(c, seed, **header):
        """The file's bytes, the config and weights that it holds, and where each tensor begins."""
        rng = np.random.default_rng(seed)
        d, numbers = c.dim // c.heads, {"rows": 0}

        def matrix(rows, columns):
            numbers["rows"] += 1
            return rng.normal(size=(rows, columns)).astype("<f4")

        def gain():
            return rng.normal(size=c.dim).astype("<f4")

        q, kv = c.heads * d, c.kv_heads * d
        shapes = {"wq": (q, c.dim), "wk": (kv, c.dim), "wv": (kv, c.dim), "wo": (c.dim, q)}
        shapes |= {"w1": (c.hidden, c.dim), "w2": (c.dim, c.hidden), "w3": (c.hidden, c.dim)}
        tensors = {"token_embedding": matrix(c.vocab, c.dim), "rms_att": [gain() for _ in range(c.layers)]}
        for name, shape in shapes.items():
            if name == "w1":
                tensors["rms_ffn"] = [gain() for _ in range(c.layers)]
            tensors[name] = [matrix(*shape) for _ in range(c.layers)]
        tensors["rms_final"] = gain()
        angles = np.multiply.outer(np.arange(c.max_len), 10000.0 ** (-np.arange(0, d, 2) / d))
        tensors |= {"freqs_cos": np.cos(angles).astype("<f4"), "freqs_sin": np.sin(angles).astype("<f4")}
        if not c.tied:
            tensors["wcls"] = matrix(c.vocab, c.dim)
        head = {"dim": c.dim, "hidden_dim": c.hidden, "n_layers": c.layers, "n_heads": c.heads}
        head |= {"n_kv_heads": c.kv_heads, "vocab_size": c.vocab if c.tied else -c.vocab, "seq_len": c.max_len}
        data, starts = struct.pack("<7i", *(head | header).values()), {}
        for name, tensor in tensors.items():
            starts[name] = len(data)
            data += b"".join(part.tobytes() for part in (tensor if isinstance(tensor, list) else [tensor]))
        ours = {"attn_norm": "rms_att", "Wq": "wq", "Wk": "wk", "Wv": "wv", "Wo": "wo", "mlp_norm": "rms_ffn"}
        ours |= {"Wg": "w1", "Wu": "w3", "Wd": "w2"}
        flat = {"embed": tensors["token_embedding"], "norm": tensors["rms_final"]}
        flat["head"] = tensors["token_embedding" if c.tied else "wcls"].T
        flat |= {f"blocks[{i}].{a}": tensors[b][i].T for i in range(c.layers) for a, b in ours.items()}
        return data, flat, starts

    def written(folder, data):
        path = Path(folder, "story-model.bin")
        path.write_bytes(data)
        return path

    def check(what, c, seed, folder):
        data, flat, _ = made(c, seed)
        try:
            answer = load_llama2c(written(folder, data))
        except (ValueError, IndexError, KeyError) as error:
            raise AssertionError(
                f"{what}: a right file was refused: {type(error).__name__}: {error}: "
                f"{'vocab_size is positive, so that there is no wcls' if c.tied else 'a negative vocab_size is no error'}"
            ) from None
        assert isinstance(answer, tuple) and len(answer) == 2, f"{what}: expected (config, weights), got {type(answer)}"
        config, weights = answer
        assert config.vocab == c.vocab, (
            f"{what}: expected vocab {c.vocab}, got {config.vocab}: the sign only says whether the head is shared"
        )
        assert bool(config.tied) is c.tied, (
            f"{what}: expected tied={c.tied}, got {config.tied}: a positive vocab_size means a shared head"
        )
        for name, value in asdict(c).items():
            got = getattr(config, name)
            assert got == value, f"{what}: config.{name}: expected {value}, got {got}"
        wanted = {"embed", "blocks", "norm", "head"}
        assert set(weights) == wanted, f"{what}: expected weights with {sorted(wanted)}, got {sorted(weights)}"
        assert len(weights["blocks"]) == c.layers, f"{what}: expected {c.layers} blocks, got {len(weights['blocks'])}"
        mine = {name: weights[name] for name in ("embed", "norm", "head")}
        mine |= {f"blocks[{i}].{name}": W for i, block in enumerate(weights["blocks"]) for name, W in block.items()}
        assert set(mine) == set(flat), f"{what}: in the blocks, these differ: {sorted(set(mine) ^ set(flat))}"
        for name, expected in flat.items():
            got = np.asarray(mine[name])
            said = f"{what}: {name}: expected shape {expected.shape} starting {expected.ravel()[:3]}"
            said += f", got {got.shape} starting {got.ravel()[:3]}"
            if got.shape == expected.shape and np.array_equal(got, expected):
                assert got.dtype == np.float32, f"{what}: {name}: expected float32, got {got.dtype}"
                continue
            transposed = got.shape == expected.T.shape and np.array_equal(got, expected.T)
            assert not transposed, (
                f"{said}: it is transposed: the file has (out, in), x @ W wants (in, out): .T, not a reshape"
            )
            if name == "head":
                assert got.shape != expected.shape or not np.array_equal(got, flat["embed"].T), (
                    f"{said}: that is the embedding, but a negative vocab_size means a head of its own, wcls"
                )
                raise AssertionError(
                    f"{said}: it was read from another place: the RoPE tables freqs_cos and freqs_sin, {c.max_len} rows "
                    "each, lie before it"
                )
            for other, values in flat.items():
                assert other == name or got.shape != values.shape or not np.array_equal(got, values), (
                    f"{said}: that is {other}: w1 is the gate, w2 goes down, w3 is up"
                )
            assert got.shape == expected.shape or got.shape == expected.T.shape, said
            flipped = got.size == expected.size and np.array_equal(got.ravel(), expected.T.ravel())
            assert not flipped, f"{said}: a reshape is no transpose: the file has (out, in); reshape to that, then .T"
            raise AssertionError(
                f"{said}: it was read from another place: the file holds a kind for all blocks, then the next kind"
            )

    def refused(what, data, fields, folder):
        path = written(folder, data)
        try:
            load_llama2c(path)
        except ValueError as error:
            text = str(error)
        except Exception as error:
            raise AssertionError(
                f"{what}: expected a ValueError that names the file and {fields}, got {type(error).__name__}: {error}"
            ) from None
        else:
            raise AssertionError(f"{what}: expected a ValueError, but the file was read without complaint")
        assert path.name in text, f"{what}: the error must name the file, {path.name}; it says: {text}"
        assert not fields or any(re.search(rf"\b{name}\b", text) for name in fields), (
            f"{what}: the error must name {' or '.join(fields)}; it says: {text}"
        )

    with tempfile.TemporaryDirectory() as folder:
        tied, untied = Config(8, 12, 2, 2, 1, 5, 6, tied=True), Config(8, 8, 2, 4, 2, 7, 5)
        check("tied", tied, 1, folder)
        check("untied", untied, 2, folder)
        data, _, starts = made(untied, 3)
        refused("an empty file", b"", ["header"], folder)
        refused("cut within wk", data[: starts["wv"] - 4], ["wk"], folder)
        refused("cut within wcls", data[:-1], ["wcls"], folder)
        refused("four bytes too many", data + bytes(4), [], folder)
        refused("n_heads is 3", made(untied, 3, n_heads=3)[0], ["dim", "n_heads"], folder)
        refused("n_layers is -2", made(untied, 3, n_layers=-2)[0], ["n_layers"], folder)
        ### BEGIN HIDDEN TESTS
        check("tied, one head for keys and values", Config(12, 6, 3, 6, 1, 4, 9, tied=True), 4, folder)
        check("untied, one block", Config(8, 8, 1, 1, 1, 8, 8), 5, folder)
        check("as many rows as the head is wide", Config(6, 6, 2, 3, 3, 6, 6), 6, folder)
        refused("27 bytes", data[:27], ["header"], folder)
        refused("the header alone", data[:28], ["token_embedding"], folder)
        refused("all but the head", data[: starts["wcls"]], ["wcls"], folder)
        refused("cut within freqs_sin", data[: starts["wcls"] - 8], ["freqs_sin"], folder)
        refused("cut within w2", data[: starts["w3"] - 1], ["w2"], folder)
        refused("an odd byte too many", data + b"\n", [], folder)
        refused("vocab_size is 0", made(untied, 3, vocab_size=0)[0], ["vocab_size"], folder)
        refused("seq_len is 0", made(untied, 3, seq_len=0)[0], ["seq_len"], folder)
        refused("n_kv_heads is 3", made(untied, 3, n_kv_heads=3)[0], ["n_heads", "n_kv_heads"], folder)
        refused("n_kv_heads is 0", made(untied, 3, n_kv_heads=0)[0], ["n_kv_heads"], folder)
        refused("a head of one number", made(untied, 3, n_heads=8)[0], ["dim", "n_heads"], folder)
        refused("the sign turned", made(untied, 3, vocab_size=7)[0], [], folder)
        refused("a vocabulary beyond the file", made(untied, 3, vocab_size=2**31 - 1)[0], ["token_embedding"], folder)
        refused("a text file", b"GIF89a: no model, but a picture of one, once upon a time" * 9, [], folder)
        ### END HIDDEN TESTS


if __name__ == "__main__":
    test_load_llama2c()


# %% [markdown]
# ## `read_config`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# A Hugging Face folder holds `config.json`, the weights in `model.safetensors`, and the tokenizer. `read_config(folder)`
# takes the folder's `Path` and returns a `Config` from the keys of `config.json`:
#
# | key | our name | if it is not there |
# |---|---|---|
# | `hidden_size`, `intermediate_size`, `num_hidden_layers`, `num_attention_heads`, `vocab_size`, `max_position_embeddings`, `rms_norm_eps` | `dim`, `hidden`, `layers`, `heads`, `vocab`, `max_len`, `eps` | error |
# | `num_key_value_heads` | `kv_heads` | as many as `heads` |
# | `rope_theta`, or in newer folders `rope_theta` inside `rope_parameters` | `rope_base` | 10000 |
# | `tie_word_embeddings` | `tied` | `False` |
#
# Other keys do not matter, with the exceptions below. What this model cannot run raises **`ValueError`, whose text holds
# `config.json` and the key**: a key that is missing; a `model_type` other than `"llama"` (or none); a `rope_scaling` other
# than `null` (positions computed in another way); `num_attention_heads` that does not divide `hidden_size`, or
# `num_key_value_heads` that does not divide it (name either of the two). If the file is no JSON, or no JSON object, the text
# holds `config.json`.
#
# By hand: `{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 8, …}` without `num_key_value_heads` has 8
# heads for keys and values.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A `KeyError` is not a `ValueError`, and an error of `json` does not know which file it read.
#
# <details><summary>Hint 2: the approach</summary>
#
# Read and parse within `try … except ValueError`. Check `model_type` and `rope_scaling`, then that no needed key is
# missing; then `dict.get` with a default for the rest.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# The base: first look whether `rope_theta` is at the top, else in `found.get("rope_parameters") or {}` (it may be `null`),
# else 10000. `path.read_text(encoding="utf-8")` and `json.loads` raise kinds of `ValueError`, both of them.
#
# </details></details></details>


# %% nbgrader={"grade_id": "read_config", "solution": true}
def read_config(folder: Path) -> Config:
    """The Config in folder/config.json. What this model cannot run raises ValueError and names the key."""
    ### BEGIN SOLUTION
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name}: expected a JSON object, got {type(found).__name__}")
    if found.get("model_type") != "llama":
        raise ValueError(f"{path.name}: model_type is {found.get('model_type')!r}, only 'llama' can be read")
    if found.get("rope_scaling") is not None:
        raise ValueError(f"{path.name}: rope_scaling is {found['rope_scaling']}, only null can be read")
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    for key in (*keys, "vocab_size", "max_position_embeddings", "rms_norm_eps"):
        if key not in found:
            raise ValueError(f"{path.name}: {key} is missing")
    D, F, L, H = (found[key] for key in keys)
    K = found.get("num_key_value_heads", H)
    if D % H:
        raise ValueError(f"{path.name}: num_attention_heads {H} does not divide hidden_size {D}")
    if H % K:
        raise ValueError(f"{path.name}: num_key_value_heads {K} does not divide num_attention_heads {H}")
    nested = found.get("rope_parameters") or {}
    return Config(
        D, F, L, H, K, found["vocab_size"], found["max_position_embeddings"],
        rope_base=found.get("rope_theta", nested.get("rope_theta", 10000.0)),
        eps=found["rms_norm_eps"],
        tied=found.get("tie_word_embeddings", False),
    )  # fmt: skip
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_read_config", "grade": true, "points": 2}
def test_read_config():
    """Old and new folders, with defaults; what cannot be run is refused by name."""
    full = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 48,
        "intermediate_size": 100,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": 77,
        "max_position_embeddings": 99,
        "rms_norm_eps": 1e-6,
        "rope_theta": 500000.0,
        "rope_scaling": None,
        "tie_word_embeddings": True,
    }

    def written(folder, content):
        text = json.dumps(content) if not isinstance(content, str | bytes) else content
        Path(folder, "config.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return Path(folder)

    def check(what, content, expected, folder):
        try:
            got = read_config(written(folder, content))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AssertionError(
                f"{what}: a right file was refused: {type(error).__name__}: {error}: has every optional key its default?"
            ) from None
        for name, value in asdict(expected).items():
            mine = getattr(got, name)
            why = {
                "kv_heads": ": without num_key_value_heads there are as many as query heads",
                "rope_base": ": look for rope_theta at the top, then in rope_parameters, then take 10000",
                "tied": ": without tie_word_embeddings the head is untied",
            }.get(name, "")
            assert mine == value, f"{what}: {name}: expected {value}, got {mine}{why}"

    def refused(what, content, keys, folder):
        path = written(folder, content)
        try:
            read_config(path)
        except ValueError as error:
            text = str(error)
        except Exception as error:
            raise AssertionError(
                f"{what}: expected a ValueError that names config.json and {keys}, got {type(error).__name__}: {error}"
            ) from None
        else:
            raise AssertionError(f"{what}: expected a ValueError, but the file was read without complaint")
        assert "config.json" in text, f"{what}: the error must name the file, config.json; it says: {text}"
        assert not keys or any(re.search(rf"\b{key}\b", text) for key in keys), (
            f"{what}: the error must name {' or '.join(keys)}; it says: {text}"
        )

    def without(*keys, **more):
        return {key: value for key, value in full.items() if key not in keys} | more

    model = Config(48, 100, 3, 6, 2, 77, 99, 500000.0, 1e-6, True)
    with tempfile.TemporaryDirectory() as folder:
        check("all keys", full, model, folder)
        check("no num_key_value_heads", without("num_key_value_heads"), replace(model, kv_heads=6), folder)
        new = without("rope_theta", "rope_scaling", rope_parameters={"rope_type": "default", "rope_theta": 250000.0})
        check("a newer folder", new, replace(model, rope_base=250000.0), folder)
        check("no base", without("rope_theta", "rope_scaling"), replace(model, rope_base=10000.0), folder)
        check("no tie_word_embeddings", without("tie_word_embeddings"), replace(model, tied=False), folder)
        refused("no hidden_size", without("hidden_size"), ["hidden_size"], folder)
        refused("another kind of model", without(model_type="gpt2"), ["model_type"], folder)
        refused("five heads", without(num_attention_heads=5), ["num_attention_heads", "hidden_size"], folder)
        refused("scaled positions", without(rope_scaling={"type": "linear", "factor": 2}), ["rope_scaling"], folder)
        refused("half a file", json.dumps(full)[:90], [], folder)
        ### BEGIN HIDDEN TESTS
        check(
            "rope_parameters is null",
            without("rope_theta", rope_parameters=None),
            replace(model, rope_base=10000.0),
            folder,
        )
        check("one head for keys and values", without(num_key_value_heads=1), replace(model, kv_heads=1), folder)
        check("the wrong way round", dict(reversed(full.items())), model, folder)
        for key in list(full)[3:6] + list(full)[7:10]:
            refused(f"no {key}", without(key), [key], folder)
        refused("no model_type", without("model_type"), ["model_type"], folder)
        kv = ["num_key_value_heads", "num_attention_heads"]
        refused("four heads for keys and values", without(num_key_value_heads=4), kv, folder)
        refused("a list", "[1, 2]", [], folder)
        refused("bytes that are no text", b"\xff\xfe{}\x80", [], folder)
        refused("an empty file", "", [], folder)
        ### END HIDDEN TESTS


if __name__ == "__main__":
    test_read_config()


# %% [markdown]
# ## `read_safetensors`
# *difficulty ●●○ · importance ●●○ · 25 min*
#
# A safetensors file has three parts:
# 1. 8 bytes, a whole number, unsigned and little-endian: the length n of the header;
# 2. n bytes of JSON, the header: `{name: {"dtype": "F16", "shape": [3, 4], "data_offsets": [begin, end]}, …}`, and perhaps a
#    key `"__metadata__"` that is no tensor;
# 3. the data. `begin` and `end` count bytes **from the start of the data**, not of the file.
#
# Numbers are little-endian: `F32`, `F16`, or `BF16` (bfloat16: the **upper half** of a float32; the lower half is zero).
# `read_safetensors(path)` returns `{name: array}`, every array float32 and of its shape.
#
# What is wrong raises **`ValueError`, whose text holds the file's name (`path.name`) and**: `header`, where the file is shorter
# than its header says, or the header is no JSON; the **tensor's name and `dtype`** for another dtype; the tensor's name and
# **`data_offsets`** where they reach beyond the file, or do not fit the shape and the dtype (`begin` is never negative).
#
# By hand: the bfloat16 with the bytes `80 3F` is `3F80`; with two bytes of zeros behind it `3F800000`, the float32 1.0.
# Read as a float16 it would be 1.875.
#
# <details><summary>Hint 1: a nudge</summary>
#
# NumPy knows no bfloat16, but it knows uint16 and uint32, and `.view` reads the same bytes as another type.
#
# <details><summary>Hint 2: the approach</summary>
#
# The data begin at 8 + n. Check the length of a piece yourself, before NumPy does: its error knows no file.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `(np.frombuffer(piece, "<u2").astype(np.uint32) << 16).view(np.float32)` for bfloat16. The piece's length must be
# `math.prod(shape)` times 4 or 2.
#
# </details></details></details>


# %% nbgrader={"grade_id": "read_safetensors", "solution": true}
def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file by name, as float32. A broken file raises ValueError and says what is wrong."""
    ### BEGIN SOLUTION
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or len(content) < start:
        raise ValueError(f"{path.name}: the header ends at byte {start}, the file has {len(content)}")
    try:
        header = dict(json.loads(content[8:start]))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: the header is no JSON: {error}") from None
    header.pop("__metadata__", None)
    data, sizes, tensors = content[start:], {"F32": 4, "F16": 2, "BF16": 2}, {}
    for name, entry in header.items():
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if dtype not in sizes:
            raise ValueError(f"{path.name}: {name}: dtype {dtype} is not one of {', '.join(sizes)}")
        if end > len(data) or end - begin != math.prod(shape) * sizes[dtype]:
            raise ValueError(
                f"{path.name}: {name}: data_offsets {begin} to {end} do not fit {dtype} {shape} and {len(data)} bytes"
            )
        piece = data[begin:end]
        if dtype == "BF16":
            numbers = (np.frombuffer(piece, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = np.frombuffer(piece, "<f4" if dtype == "F32" else "<f2").astype(np.float32)
        tensors[name] = numbers.reshape(shape)
    return tensors
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_read_safetensors", "grade": true, "points": 3}
def test_read_safetensors():
    """float32, float16 and bfloat16, in any order of the data; broken files refused by name."""

    def made(tensors, metadata=True, backwards=False, **broken):
        """The file's bytes from {name: (dtype, float32 array that the dtype can hold)}."""
        header, data = {}, b""
        for name, (dtype, array) in reversed(tensors.items()) if backwards else tensors.items():
            if dtype == "BF16":
                piece = (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
            else:
                piece = array.astype({"F32": "<f4", "F16": "<f2", "I64": "<i8"}[dtype]).tobytes()
            offsets = [len(data), len(data) + len(piece)]
            header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
            data += piece
        for name, change in broken.items():
            header[name].update(change)
        names = list(tensors)
        header = {name: header[name] for name in names}
        text = json.dumps({"__metadata__": {"format": "pt"}, **header} if metadata else header).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + data

    def written(folder, content):
        path = Path(folder, "tiny-weights.safetensors")
        path.write_bytes(content)
        return path

    def check(what, tensors, folder, **how):
        try:
            got = read_safetensors(written(folder, made(tensors, **how)))
        except (ValueError, KeyError, TypeError) as error:
            raise AssertionError(
                f"{what}: a right file was refused: {type(error).__name__}: {error}: data_offsets count from the start of "
                "the data; __metadata__ is no tensor"
            ) from None
        assert set(got) == set(tensors), f"{what}: expected the tensors {sorted(tensors)}, got {sorted(got)}"
        for name, (dtype, expected) in tensors.items():
            mine = np.asarray(got[name])
            said = f"{what}: {name} ({dtype}): expected {expected.shape} {expected.ravel()[:3]}"
            said += f", got {mine.shape} {mine.ravel()[:3]}"
            assert mine.shape == expected.shape, f"{said}: is its shape used?"
            if np.array_equal(mine, expected, equal_nan=True):
                assert mine.dtype == np.float32, f"{what}: {name}: expected float32, got {mine.dtype}"
                continue
            bits = expected.astype("<f4").view("<u4") >> 16
            if dtype == "BF16":
                assert not np.array_equal(mine, bits.astype("<u2").view("<f2").astype("f4"), equal_nan=True), (
                    f"{said}: a bfloat16 was read as a float16: it is the upper half of a float32"
                )
                assert not np.array_equal(mine, bits.astype("<u4").view("<f4")), (
                    f"{said}: a bfloat16 is the upper half of a float32: shift it up by 16 bits"
                )
                assert not np.array_equal(mine, bits.astype("f4")), (
                    f"{said}: that is the whole number that its bits make: view the bits as a float32"
                )
            raise AssertionError(
                f"{said}: it was read from another place: data_offsets count from the start of the data"
            )

    def refused(what, content, words, folder):
        path = written(folder, content)
        try:
            read_safetensors(path)
        except ValueError as error:
            text = str(error)
        except Exception as error:
            raise AssertionError(
                f"{what}: expected a ValueError that names the file and {words}, got {type(error).__name__}: {error}"
            ) from None
        else:
            raise AssertionError(f"{what}: expected a ValueError, but the file was read without complaint")
        assert path.name in text, f"{what}: the error must name the file, {path.name}; it says: {text}"
        missing = [word for word in words if word not in text]
        assert not missing, f"{what}: the error must name {' and '.join(missing)}; it says: {text}"

    rng = np.random.default_rng(6)

    def numbers(dtype, *shape):
        some = rng.normal(size=shape).astype("<f4")
        if dtype == "BF16":
            some = (some.view("<u4") >> 16 << 16).astype("<u4").view("<f4")
        return dtype, some.astype("<f2").astype("f4") if dtype == "F16" else some

    a, b, c = numbers("F32", 3, 4), numbers("F16", 5), numbers("BF16", 2, 3)
    with tempfile.TemporaryDirectory() as folder:
        check("float32", {"alpha": a}, folder)
        check("three dtypes", {"alpha": a, "beta": b, "gamma": c}, folder)
        check("the data in another order than the header", {"alpha": a, "beta": b, "gamma": c}, folder, backwards=True)
        check("no metadata", {"model.norm.weight": c}, folder, metadata=False)
        whole = made({"alpha": a, "beta": b})
        refused("an empty file", b"", ["header"], folder)
        refused("cut within the header", whole[:40], ["header"], folder)
        refused("cut within the data", whole[:-1], ["beta", "data_offsets"], folder)
        refused("whole numbers", made({"alpha": a, "steps": ("I64", np.ones(3))}), ["steps", "dtype"], folder)
        refused(
            "a shape that is too large",
            made({"alpha": a, "beta": b}, alpha={"shape": [3, 5]}),
            ["alpha", "data_offsets"],
            folder,
        )
        ### BEGIN HIDDEN TESTS
        check("a single number", {"alpha": numbers("BF16"), "beta": numbers("F32")}, folder)
        check("an axis of length 0", {"alpha": numbers("F16", 0, 4), "beta": b}, folder)
        check("three axes", {"x": numbers("BF16", 2, 3, 4), "y": numbers("F16", 4, 3, 2)}, folder, metadata=False)
        special = np.array([np.inf, -np.inf, -0.0, 3.0, 1e-30], "<f4")
        check("infinities", {"beta": ("BF16", (special.view("<u4") >> 16 << 16).astype("<u4").view("<f4"))}, folder)
        refused("seven bytes", whole[:7], ["header"], folder)
        refused("a picture", b"\x89PNG\r\n\x1a\n" * 9, ["header"], folder)
        refused("no JSON", struct.pack("<Q", 8) + b"not json", ["header"], folder)
        refused(
            "offsets beyond the file",
            made({"alpha": a}, alpha={"data_offsets": [48, 96]}),
            ["alpha", "data_offsets"],
            folder,
        )
        short = made({"alpha": a, "beta": b}, beta={"data_offsets": [48, 56]})
        refused("offsets that are too near to each other", short, ["beta", "data_offsets"], folder)
        refused("another float", made({"theta": a}, theta={"dtype": "F64"}), ["theta", "dtype"], folder)
        ### END HIDDEN TESTS


if __name__ == "__main__":
    test_read_safetensors()


# %% [markdown]
# ## Given: `to_interleaved`
# Hugging Face's weights expect the pairs of a head at (0, d/2), (1, d/2 + 1) …, and ours at (0, 1), (2, 3) …: the notebook
# `parts` says why. This changes the order of the **rows** of a query or key matrix as it lies in the file, (out, in).


# %%
def to_interleaved(W: np.ndarray, heads: int) -> np.ndarray:
    """The rows of W (heads·d, D) from the half-split order to the interleaved one, head by head."""
    rows, D = W.shape
    return W.reshape(heads, 2, rows // heads // 2, D).swapaxes(1, 2).reshape(rows, D)


# %% [markdown]
# ## `huggingface_weights`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# `huggingface_weights(tensors, config)` takes `{name: array}` as it comes from the file, and returns our `weights`. The file
# has matrices as **(out, in)**, ours are (in, out). `i` counts the blocks from 0.
#
# | name in the file | shape in the file | ours |
# |---|---|---|
# | `model.embed_tokens.weight` | (V, D) | `embed` |
# | `model.layers.{i}.input_layernorm.weight` | (D,) | `attn_norm` |
# | `model.layers.{i}.self_attn.q_proj.weight` | (H·d, D) | `Wq`, rows **reordered** |
# | `model.layers.{i}.self_attn.k_proj.weight` | (K·d, D) | `Wk`, rows **reordered** |
# | `model.layers.{i}.self_attn.v_proj.weight` | (K·d, D) | `Wv` |
# | `model.layers.{i}.self_attn.o_proj.weight` | (D, H·d) | `Wo` |
# | `model.layers.{i}.post_attention_layernorm.weight` | (D,) | `mlp_norm` |
# | `model.layers.{i}.mlp.gate_proj.weight`, `….up_proj.weight` | (F, D) | `Wg`, `Wu` |
# | `model.layers.{i}.mlp.down_proj.weight` | (D, F) | `Wd` |
# | `model.norm.weight` | (D,) | `norm` |
# | `lm_head.weight` | (V, D) | `head`; **if `config.tied`: the embedding turned round**, whether `lm_head.weight` is there or not |
#
# A tensor that is needed and missing, or has another shape than the table says, raises **`ValueError` whose text holds its
# name**. Names that are not in the table are left alone. The dtype stays as it is.
#
# By hand: with d = 4 and one head, the rows of `q_proj` come in the order 0, 2, 1, 3, and become the columns of `Wq`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Reorder first, while the rows are still rows; then turn the matrix round.
#
# <details><summary>Hint 2: the approach</summary>
#
# A small inner function `take(name, shape)` that looks whether the tensor is there and has the shape; then one line for
# each row of the table.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `"Wk": to_interleaved(take(p + "self_attn.k_proj.weight", (K * d, D)), K).T` with `p = f"model.layers.{i}."`. Mind K here
# and H for the queries.
#
# </details></details></details>


# %% nbgrader={"grade_id": "huggingface_weights", "solution": true}
def huggingface_weights(tensors: dict[str, np.ndarray], config: Config) -> dict:
    """Our weights from the tensors of a Hugging Face file; ValueError names a tensor that is missing or misshapen."""
    ### BEGIN SOLUTION
    D, F, V, H, K, d = config.dim, config.hidden, config.vocab, config.heads, config.kv_heads, config.head_dim

    def take(name, *shape):
        if name not in tensors:
            raise ValueError(f"{name} is missing")
        if tensors[name].shape != shape:
            raise ValueError(f"{name} has shape {tensors[name].shape}, expected {shape}")
        return tensors[name]

    blocks = []
    for i in range(config.layers):
        p = f"model.layers.{i}."
        block = {
            "attn_norm": take(p + "input_layernorm.weight", D),
            "Wq": to_interleaved(take(p + "self_attn.q_proj.weight", H * d, D), H).T,
            "Wk": to_interleaved(take(p + "self_attn.k_proj.weight", K * d, D), K).T,
            "Wv": take(p + "self_attn.v_proj.weight", K * d, D).T,
            "Wo": take(p + "self_attn.o_proj.weight", D, H * d).T,
            "mlp_norm": take(p + "post_attention_layernorm.weight", D),
            "Wg": take(p + "mlp.gate_proj.weight", F, D).T,
            "Wu": take(p + "mlp.up_proj.weight", F, D).T,
            "Wd": take(p + "mlp.down_proj.weight", D, F).T,
        }
        blocks.append(block)
    embed = take("model.embed_tokens.weight", V, D)
    head = embed.T if config.tied else take("lm_head.weight", V, D).T
    return {"embed": embed, "blocks": blocks, "norm": take("model.norm.weight", D), "head": head}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_huggingface_weights", "grade": true, "points": 3}
def test_huggingface_weights():
    """Every matrix turned round, queries and keys reordered, the head as the config says; gaps refused by name."""

    def made(c, seed):
        rng = np.random.default_rng(seed)
        q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
        shapes = {"model.embed_tokens": (c.vocab, c.dim)}
        for i in range(c.layers):
            p = f"model.layers.{i}."
            shapes |= {p + "input_layernorm": (c.dim,), p + "self_attn.q_proj": (q, c.dim)}
            shapes |= {p + "self_attn.k_proj": (kv, c.dim), p + "self_attn.v_proj": (kv, c.dim)}
            shapes |= {p + "self_attn.o_proj": (c.dim, q), p + "post_attention_layernorm": (c.dim,)}
            shapes |= {p + "mlp.gate_proj": (c.hidden, c.dim), p + "mlp.up_proj": (c.hidden, c.dim)}
            shapes |= {p + "mlp.down_proj": (c.dim, c.hidden)}
        shapes |= {"model.norm": (c.dim,), "lm_head": (c.vocab, c.dim)}
        return {name + ".weight": rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}

    def reorder(W, heads):
        d = W.shape[0] // heads
        rows = [h * d + i + half * d // 2 for h in range(heads) for i in range(d // 2) for half in (0, 1)]
        return W[rows]

    ours = {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm", "Wg": "mlp.gate_proj"}
    ours |= {"Wu": "mlp.up_proj", "Wd": "mlp.down_proj"} | {f"W{n}": f"self_attn.{n}_proj" for n in "qkvo"}

    def check(what, c, seed, without=()):
        tensors = made(c, seed)
        expected = {"embed": tensors["model.embed_tokens.weight"], "norm": tensors["model.norm.weight"]}
        expected["head"] = (expected["embed"] if c.tied else tensors["lm_head.weight"]).T
        stored = {}
        for i in range(c.layers):
            for name, theirs in ours.items():
                W = stored[f"blocks[{i}].{name}"] = tensors[f"model.layers.{i}.{theirs}.weight"]
                heads = {"Wq": c.heads, "Wk": c.kv_heads}.get(name)
                expected[f"blocks[{i}].{name}"] = (reorder(W, heads) if heads else W).T
        given = {name: W for name, W in tensors.items() if name not in without}
        given["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(c.head_dim // 2, "f4")
        try:
            weights = huggingface_weights(given, c)
        except (ValueError, KeyError, TypeError) as error:
            raise AssertionError(
                f"{what}: right tensors were refused: {type(error).__name__}: {error}"
                + (": a tied head is the embedding; lm_head.weight need not be there" if without else "")
            ) from None
        assert len(weights["blocks"]) == c.layers, f"{what}: expected {c.layers} blocks, got {len(weights['blocks'])}"
        mine = {name: weights.get(name) for name in ("embed", "norm", "head")}
        mine |= {f"blocks[{i}].{name}": W for i, block in enumerate(weights["blocks"]) for name, W in block.items()}
        assert set(mine) == set(expected), f"{what}: in the blocks, these differ: {sorted(set(mine) ^ set(expected))}"
        for name, right in expected.items():
            got, kind = np.asarray(mine[name]), name.split(".")[-1]
            if got.shape == right.shape and np.array_equal(got, right):
                continue
            said = f"{what}: {name}: expected shape {right.shape} starting {right.ravel()[:3]}"
            said += f", got {got.shape} starting {got.ravel()[:3]}"

            def same(W, got=got):
                return got.shape == W.shape and np.array_equal(got, W)

            assert not same(right.T), f"{said}: it is not turned round: the file has (out, in), x @ W wants (in, out)"
            if kind == "head":
                assert not same(tensors["lm_head.weight"].T), (
                    f"{said}: a tied head is the embedding, not lm_head.weight"
                )
                assert not same(expected["embed"].T), f"{said}: this head is untied: it is lm_head.weight"
            W = stored.get(name, right)
            if kind in ("Wq", "Wk"):
                assert not same(W.T) and not same(W), f"{said}: its rows are not reordered: RoPE would turn other pairs"
                heads, other = (c.heads, c.kv_heads) if kind == "Wq" else (c.kv_heads, c.heads)
                assert W.shape[0] % (2 * other) or not same(reorder(W, other).T), (
                    f"{said}: it was reordered as if it had {other} heads, it has {heads}"
                )
                assert W.shape[1] % (2 * heads) or not same(reorder(W.T.copy(), heads)), (
                    f"{said}: it was reordered after it was turned round: the rows of the file belong to the heads"
                )
                rows = [i for h in range(heads) for i in range(h * c.head_dim, (h + 1) * c.head_dim)]
                back = [
                    rows[h * c.head_dim + j]
                    for h in range(heads)
                    for j in [*range(0, c.head_dim, 2), *range(1, c.head_dim, 2)]
                ]
                assert not same(W[back].T), f"{said}: it was reordered the other way, from interleaved to half-split"
            if kind in ("Wv", "Wo"):
                heads = c.kv_heads if kind == "Wv" else c.heads
                assert not same(reorder(W, heads).T) and not same(reorder(W.T.copy(), heads)), (
                    f"{said}: it was reordered, too: only queries and keys are turned by RoPE"
                )
            for other, values in expected.items():
                assert other == name or not same(values), f"{said}: that is {other}"
            raise AssertionError(said)

    def refused(what, c, changed):
        tensors = made(c, 9)
        for name, W in changed.items():
            tensors.pop(name)
            if W is not None:
                tensors[name] = W
        name = next(iter(changed))
        try:
            huggingface_weights(tensors, c)
        except ValueError as error:
            text = str(error)
        except Exception as error:
            raise AssertionError(f"{what}: expected a ValueError, got {type(error).__name__}: {error}") from None
        else:
            raise AssertionError(f"{what}: expected a ValueError that names {name}, but the weights came back")
        assert name in text, f"{what}: the error must name {name}; it says: {text}"

    tied, untied = Config(8, 12, 2, 2, 1, 5, 6, tied=True), Config(32, 16, 2, 4, 2, 16, 5)
    check("untied", untied, 1)
    check("tied, without lm_head.weight", tied, 2, ["lm_head.weight"])
    check("tied, with a lm_head.weight that is not used", tied, 3)
    refused("no lm_head.weight, untied", untied, {"lm_head.weight": None})
    refused("no norm in the second block", tied, {"model.layers.1.input_layernorm.weight": None})
    refused("a vocabulary that is too small", tied, {"model.embed_tokens.weight": np.ones((4, 8), "f4")})
    ### BEGIN HIDDEN TESTS
    check("one head for keys and values", Config(24, 10, 3, 6, 1, 7, 5), 4)
    check("as many as query heads", Config(24, 24, 1, 3, 3, 24, 5, tied=True), 5)
    refused("no last norm", untied, {"model.norm.weight": None})
    refused("a down projection turned round", tied, {"model.layers.0.mlp.down_proj.weight": np.ones((12, 8), "f4")})
    refused("keys of another model", untied, {"model.layers.1.self_attn.k_proj.weight": np.ones((16, 16), "f4")})
    refused("a gain with two axes", tied, {"model.layers.0.post_attention_layernorm.weight": np.ones((1, 8), "f4")})
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_huggingface_weights()


# %% [markdown]
# ## `KVCache`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# Keys and values of a token depend on it and on those before it, never on what comes later: once computed, they stay. The
# cache keeps them, with room for `config.max_len` positions set aside at the start.
#
# `KVCache(config, batch=1, dtype=np.float32)` is a class:
# - `append(layer, k, v)` puts `k` and `v`, both (B, K, T, d), behind what block `layer` holds already (T is 1 while writing, and
#   more for a piece of the prompt), and returns **all** that this block holds now, `(k, v)`, oldest first.
# - `length(layer)` returns how many positions block `layer` holds. Each block has its own count: in the middle of a
#   forward pass the first blocks are ahead.
# - `truncate(n)` keeps the first `n` positions in every block and forgets the others; what is appended next comes behind
#   them. (A chat that changes its last answer keeps the beginning.) It raises `ValueError` where `n` is negative, or some
#   block holds fewer than `n`.
# - `nbytes()` returns the bytes set aside, however much of it is in use: B · K · max_len · d numbers, for keys and for
#   values, in each block.
#
# `append` raises `ValueError` where the positions would be more than `max_len`, or where `k` or `v` is not (B, K, T, d) with
# one T for both. **After an error the cache is as it was before.**
#
# By hand: with `max_len` 4, after appending three positions to block 0, `length(0)` is 3 and `length(1)` is 0. One more
# fits; two raise, and `length(0)` is still 3.
#
# <details><summary>Hint 1: a nudge</summary>
#
# NumPy is generous where you do not want it: it writes (1, K, T, d) into room for two texts without a word, and slices
# beyond the end are cut off.
#
# <details><summary>Hint 2: the approach</summary>
#
# Two arrays of zeros, (layers, B, K, max_len, d), and a list with a count for each block. Check everything first, then
# write, then count.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `start, stop = self.used[layer], self.used[layer] + k.shape[2]`; `self.k[layer, :, :, start:stop] = k`; return what lies
# before `stop`. `truncate` changes the counts only.
#
# </details></details></details>


# %% nbgrader={"grade_id": "KVCache", "solution": true}
class KVCache:
    """Keys and values of every block, with room for config.max_len positions."""

    def __init__(self, config: Config, batch: int = 1, dtype=np.float32):
        ### BEGIN SOLUTION
        self.shape = (batch, config.kv_heads, config.max_len, config.head_dim)
        self.k = np.zeros((config.layers, *self.shape), dtype)
        self.v = np.zeros((config.layers, *self.shape), dtype)
        self.used = [0] * config.layers
        ### END SOLUTION

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put k and v (B, K, T, d) behind what the block holds; return all of it, (B, K, positions, d) each."""
        ### BEGIN SOLUTION
        B, K, room, d = self.shape
        T = k.shape[2] if k.ndim == 4 else 0
        if k.shape != (B, K, T, d) or v.shape != k.shape:
            raise ValueError(f"expected keys and values of shape {(B, K, 'T', d)}, got {k.shape} and {v.shape}")
        start, stop = self.used[layer], self.used[layer] + T
        if stop > room:
            raise ValueError(f"{start} positions are used and {T} more do not fit: there is room for {room}")
        self.k[layer, :, :, start:stop] = k
        self.v[layer, :, :, start:stop] = v
        self.used[layer] = stop
        return self.k[layer, :, :, :stop], self.v[layer, :, :, :stop]
        ### END SOLUTION

    def length(self, layer: int) -> int:
        """How many positions the block holds."""
        ### BEGIN SOLUTION
        return self.used[layer]
        ### END SOLUTION

    def truncate(self, n: int) -> None:
        """Keep the first n positions in every block."""
        ### BEGIN SOLUTION
        if not 0 <= n <= min(self.used):
            raise ValueError(f"cannot keep {n} positions: the blocks hold {self.used}")
        self.used = [n] * len(self.used)
        ### END SOLUTION

    def nbytes(self) -> int:
        """The bytes set aside for keys and values in all blocks."""
        ### BEGIN SOLUTION
        return self.k.nbytes + self.v.nbytes
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_KVCache", "grade": true, "points": 4}
def test_KVCache():  # noqa: N802
    """What goes in comes out in order, block by block; what does not fit is refused and leaves no trace."""

    def used_up(call, what):
        try:
            call()
        except ValueError:
            return
        except Exception as error:
            raise AssertionError(f"{what}: expected a ValueError, got {type(error).__name__}: {error}") from None
        raise AssertionError(f"{what}: expected a ValueError, but nothing was said")

    class Twin:
        """What a cache should hold: for each block a list of (k, v) of single positions."""

        def __init__(self, c, batch, dtype, seed):
            self.c, self.batch, self.rng = c, batch, np.random.default_rng(seed)
            self.held, self.dtype = [[] for _ in range(c.layers)], np.dtype(dtype)
            self.cache = KVCache(c, batch, dtype)
            self.said = f"a cache for {c.layers} blocks, {batch} texts, {c.kv_heads} heads, {c.max_len} positions"

        def numbers(self, T, batch=None, heads=None, d=None):
            shape = (batch or self.batch, heads or self.c.kv_heads, T, d or self.c.dim // self.c.heads)
            return self.rng.integers(-99, 100, (2, *shape)).astype(self.dtype)

        def append(self, layer, T):
            k, v = self.numbers(T)
            before = len(self.held[layer])
            said = f"{self.said}: append of {T} to block {layer}, which held {before}"
            try:
                answer = self.cache.append(layer, k.copy(), v.copy())
            except (ValueError, IndexError, TypeError) as error:
                raise AssertionError(
                    f"{said}: {type(error).__name__}: {error}: it fits: {self.c.max_len} positions in each block"
                ) from None
            assert isinstance(answer, tuple | list) and len(answer) == 2, (
                f"{said}: expected (keys, values), got {answer!r}"
            )
            self.held[layer] += [(k[:, :, t], v[:, :, t]) for t in range(T)]
            for kind, name in enumerate(("keys", "values")):
                got = np.asarray(answer[kind])
                right = np.stack([pair[kind] for pair in self.held[layer]], axis=2)
                assert got.shape != self.numbers(T)[0].shape or before == 0, (
                    f"{said}: the {name} have shape {got.shape}: return all that the block holds, not the new ones only"
                )
                all_room = (*right.shape[:2], self.c.max_len, right.shape[3])
                assert got.shape != all_room or right.shape == all_room, (
                    f"{said}: the {name} have shape {got.shape}: that is all the room; return what is in use, {right.shape}"
                )
                assert got.shape == right.shape, f"{said}: expected {name} of shape {right.shape}, got {got.shape}"
                if not np.array_equal(got, right):
                    where = [t for t in range(right.shape[2]) if not np.array_equal(got[:, :, t], right[:, :, t])]
                    other = np.stack([pair[1 - kind] for pair in self.held[layer]], axis=2)
                    assert not np.array_equal(got, other), f"{said}: keys and values are swapped"
                    mixed = any(t < before for t in where)
                    why = (
                        "an earlier position was written over, or blocks share their room"
                        if mixed
                        else ("each position goes right behind the last one, at the block's own count")
                    )
                    raise AssertionError(f"{said}: the {name} at the positions {where} are wrong: {why}")
                assert got.dtype == self.dtype, f"{said}: expected {name} of {self.dtype}, got {got.dtype}: use dtype"
            self.count()

        def count(self, after=""):
            for layer, held in enumerate(self.held):
                got = self.cache.length(layer)
                assert got == len(held), (
                    f"{self.said}{after}: length({layer}): expected {len(held)}, got {got}: each block has its own count"
                )

        def refuse(self, what, layer, k, v):
            used_up(lambda: self.cache.append(layer, k, v), f"{self.said}: {what}")
            self.count(f", after the error ({what})")

        def truncate(self, n):
            self.cache.truncate(n)
            self.held = [held[:n] for held in self.held]
            self.count(f", after truncate({n})")

        def bytes(self):
            got = self.cache.nbytes()
            one = self.batch * self.c.kv_heads * self.c.max_len * (self.c.dim // self.c.heads) * self.dtype.itemsize
            right = 2 * self.c.layers * one
            known = {
                "keys and values": right // 2,
                "every block": 2 * one,
                "numbers of this dtype": right // self.dtype.itemsize,
                "K heads, not H": right // self.c.kv_heads * self.c.heads,
                "every text of the batch": right // self.batch,
            }
            for what, wrong in known.items():
                assert wrong == right or got != wrong, (
                    f"{self.said}: nbytes(): expected {right}, got {got}: count {what}"
                )
            assert got == right, (
                f"{self.said}: nbytes(): expected {right}, got {got}, before or after anything is put in"
            )

    twin = Twin(Config(8, 20, 2, 4, 2, 11, 6), 2, np.float32, 1)
    twin.count()
    twin.bytes()
    for layer, T in [(0, 3), (1, 3), (0, 1), (1, 1)]:
        twin.append(layer, T)
    twin.refuse("three more, where two fit", 0, *twin.numbers(3))
    twin.append(0, 2)
    twin.refuse("one more, where all room is used", 0, *twin.numbers(1))
    twin.refuse("keys of one text, where there are two", 1, *twin.numbers(1, batch=1))
    used_up(lambda: twin.cache.truncate(5), f"{twin.said}: truncate(5), where one block holds 4")
    twin.truncate(2)
    twin.append(0, 1)
    twin.append(1, 4)
    one, two = (Twin(Config(4, 20, 1, 2, 1, 11, 4), 1, np.float64, seed) for seed in (2, 3))
    one.append(0, 2)
    two.append(0, 1)
    one.append(0, 2)
    two.append(0, 3)
    ### BEGIN HIDDEN TESTS
    twin.bytes()
    twin.truncate(0)
    twin.append(0, 6)
    k, v = twin.numbers(2)
    twin.refuse("keys of two positions, values of one", 1, k, v[:, :, :1])
    twin.refuse("one head, where there are two", 1, *twin.numbers(1, heads=1))
    twin.refuse("heads of four numbers, where they have two", 1, *twin.numbers(1, d=4))
    twin.refuse("arrays with three axes", 1, k[0], v[0])
    used_up(lambda: twin.cache.truncate(-1), f"{twin.said}: truncate(-1)")
    twin.count(", after the error (truncate)")
    twin.append(1, 2)
    used_up(lambda: twin.cache.truncate(3), f"{twin.said}: truncate(3), where one block holds 2")
    twin.count(", after the error (truncate)")
    other = Twin(Config(24, 20, 3, 6, 3, 11, 40), 3, np.float16, 4)
    other.bytes()
    for step in [5, 1, 1, 2, 7]:
        for layer in range(3):
            other.append(layer, step)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_KVCache()


# %% [markdown]
# ## `attention_with_cache`
# *difficulty ●●● · importance ●●● · 30 min*
#
# The attention of `llama_attention`, for a **piece** of a text: `x` (B, T, D) are new tokens, and `past` is what the earlier
# ones left, `None` at the start, else `(k, v)`, both (B, K, P, d) for the P tokens before. The new tokens stand at positions
# P, P + 1, … P + T − 1.
#
# `attention_with_cache(x, block, config, past)` returns `(y, (k, v))`: `y` (B, T, D) for the new tokens, and keys and values of
# all P + T tokens, (B, K, P + T, d), to be handed in with the next piece. Keys are kept **after** rope, as they are used, and
# with **K** heads: they are repeated for the products only.
#
# **Cutting a text into pieces changes nothing**: whichever way it is cut, the `y` of the pieces one behind the other are
# the `y` of the whole text.
#
# By hand: P = 2 and T = 2. The new tokens stand at 2 and 3. The first sees the keys 0, 1, 2, the second 0 to 3:
#
# ```
#        key 0  1  2  3
# new 2      ✓  ✓  ✓  ·
# new 3      ✓  ✓  ✓  ✓
# ```
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two things of `llama_attention` depend on where the piece stands: the positions and the mask.
#
# <details><summary>Hint 2: the approach</summary>
#
# Turn the new queries and keys with positions from P on; put the old keys and values in front of the new ones, along
# the time; then attend. The mask has T rows and P + T columns.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `positions = P + np.arange(T)`; `k = np.concatenate([past[0], k], axis=2)`; the mask is
# `np.arange(P + T) <= positions[:, None]`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "attention_with_cache", "solution": true}
def attention_with_cache(x: np.ndarray, block: dict[str, np.ndarray], config: Config, past: tuple | None) -> tuple:
    """Attention of new tokens (B, T, D) over past (k, v) and themselves: (y, (k, v)) with all keys and values."""
    ### BEGIN SOLUTION
    B, T, _ = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    P = 0 if past is None else past[0].shape[2]
    positions = P + np.arange(T)
    q = (x @ block["Wq"]).reshape(B, T, H, d).transpose(0, 2, 1, 3)  # (B, H, T, d)
    k = (x @ block["Wk"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    v = (x @ block["Wv"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)
    if past is not None:
        k, v = np.concatenate([past[0], k], axis=2), np.concatenate([past[1], v], axis=2)  # (B, K, P+T, d)
    scores = q @ repeat_kv(k, H // K).transpose(0, 1, 3, 2) / math.sqrt(d)  # (B, H, T, P+T)
    scores = np.where(np.arange(P + T) <= positions[:, None], scores, -np.inf)
    heads = softmax(scores) @ repeat_kv(v, H // K)  # (B, H, T, d)
    return heads.transpose(0, 2, 1, 3).reshape(B, T, H * d) @ block["Wo"], (k, v)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_with_cache", "grade": true, "points": 4}
def test_attention_with_cache():
    """However a text is cut into pieces, the outputs are those of the whole text."""

    def turn(x, positions, base):
        z = x[..., 0::2] + 1j * x[..., 1::2]
        z = z * np.exp(1j * np.multiply.outer(positions, base ** (-np.arange(0, x.shape[-1], 2) / x.shape[-1])))
        return np.stack([z.real, z.imag], -1).reshape(x.shape)

    def attend(x, block, c, past, start=lambda P, T: P, mask=0, keep="turned", old=True):
        """The reference, and what known mistakes change: where positions start, the mask, what is kept."""
        B, T, D = x.shape
        H, K, d = c.heads, c.kv_heads, c.dim // c.heads
        P = 0 if past is None else past[0].shape[2]
        q, k, v = (
            np.swapaxes((x @ block["W" + n]).reshape(B, T, h, d), 1, 2) for n, h in zip("qkv", (H, K, K), strict=True)
        )
        places = start(P, T) + np.arange(T)
        q = turn(q, places, c.rope_base)
        if keep == "turned":
            k = turn(k, places, c.rope_base)
        if P and old:
            k, v = (np.concatenate([a, b], 2) for a, b in zip(past, (k, v), strict=True))
        kept = (k, v)
        if keep == "turned again":
            k = turn(k, np.arange(k.shape[2]), c.rope_base)
            kept = (k, v)
        n = k.shape[2]
        which = np.arange(H) // (H // K)
        s = np.einsum("bhid,bhjd->bhij", q, k[:, which]) / d**0.5
        if mask == "first":
            s = np.where(np.tri(T, n, dtype=bool), s, -1e30)
        elif mask is not None:
            s = np.where(np.tri(T, n, n - T + mask, dtype=bool), s, -1e30)
        e = np.exp(s - s.max(-1, keepdims=True))
        y = np.einsum("bhij,bhjd->bhid", e / e.sum(-1, keepdims=True), v[:, which])
        return np.swapaxes(y, 1, 2).reshape(B, T, D) @ block["Wo"], kept

    def check(c, B, pieces, seed, dtype=float):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(B, sum(pieces), c.dim)).astype(dtype)
        block = {n: rng.normal(size=(c.dim, c.dim)).astype(dtype) / 2 for n in ("Wq", "Wo")}
        block |= {n: rng.normal(size=(c.dim, c.kv_heads * c.head_dim)).astype(dtype) / 2 for n in ("Wk", "Wv")}
        said = f"{B} × {sum(pieces)} tokens in pieces of {pieces}, {c.heads} heads, {c.kv_heads} of keys and values"
        tolerance = 1e-9 if dtype is float else 1e-4
        cut = np.split(x, np.cumsum(pieces)[:-1], axis=1)
        whole, whole_kv = attend(x.astype(float), block, c, None)

        def in_pieces(**changed):
            past, ys = None, []
            for piece in cut:
                y, past = attend(piece.astype(float), block, c, past, **changed)
                ys.append(y)
            return np.concatenate(ys, 1)

        past, ys = None, []
        for number, piece in enumerate(cut):
            P, T = sum(pieces[:number]), piece.shape[1]
            here = f"{said}: piece {number} (P={P}, T={T})"
            shape = (B, c.kv_heads, P + T, c.head_dim)
            try:
                y, past = attention_with_cache(piece.copy(), {n: W.copy() for n, W in block.items()}, c, past)
                k, v = past = tuple(np.asarray(a) for a in past)
            except (ValueError, IndexError, TypeError) as error:
                raise AssertionError(
                    f"{here}: {type(error).__name__}: {error}: return (y, (k, v)); past is None only for the first piece"
                ) from None
            assert np.shape(y) == piece.shape, f"{here}: expected y of shape {piece.shape}, got {np.shape(y)}"
            assert c.heads == c.kv_heads or k.shape[1] != c.heads, (
                f"{here}: keys of shape {k.shape} were kept, expected {shape}: keep the K heads, repeat them for the "
                "products only"
            )
            assert not P or k.shape[2] != T, (
                f"{here}: only the new keys were returned, {k.shape}: the next piece needs those of all tokens, {shape}"
            )
            assert k.shape == shape and v.shape == shape, (
                f"{here}: expected keys and values {shape}, got {k.shape} and {v.shape}"
            )
            ys.append(np.asarray(y))
        got = np.concatenate(ys, 1)
        bad = np.flatnonzero(~np.isclose(got, whole, rtol=tolerance, atol=tolerance).all((0, 2)))
        if not len(bad):
            for name, mine, right in zip(("keys", "values"), past, whole_kv, strict=True):
                assert np.allclose(mine, right, rtol=tolerance, atol=tolerance), (
                    f"{said}: y is right, but the {name} that are kept are not: keys are kept after rope, values as they are"
                )
            assert got.dtype == x.dtype, f"{said}: x is {x.dtype}, y is {got.dtype}: does np.sqrt(d) make it float64?"
            return
        known = {
            "the positions start at 0 in every piece: they go on at P": {"start": lambda P, T: 0},
            "the positions are one too small after the first piece: new tokens start at P": {
                "start": lambda P, T: P - (P > 0)
            },
            "the positions are one too large after the first piece: new tokens start at P, counted from 0": {
                "start": lambda P, T: P + (P > 0)
            },
            "the positions end where they should begin: they go from P to P + T − 1": {"start": lambda P, T: P + T},
            "the mask is aligned to the first key: a new token sees all P old ones, too": {"mask": "first"},
            "there is no mask: within a piece, tokens see later ones": {"mask": None},
            "tokens do not see themselves": {"mask": -1},
            "the keys were kept without rope, and are used so": {"keep": "plain"},
            "kept keys were turned again with every piece: they have been turned already": {"keep": "turned again"},
            "the past is not used": {"old": False},
        }
        for mistake, changed in known.items():
            wrong = in_pieces(**changed)
            if not np.allclose(wrong, whole):
                assert not np.allclose(got, wrong, rtol=1e-4, atol=1e-4), f"{said}: {mistake}"
        first = (
            "it begins in the first piece, where there is no past" if bad[0] < pieces[0] else "the first piece is right"
        )
        raise AssertionError(
            f"{said}: token {bad[0]} is the first that differs from the whole text ({first}): "
            f"expected {whole[0, bad[0]]}, got {got[0, bad[0]]}"
        )

    grouped = Config(16, 20, 1, 4, 2, 11, 64)
    check(grouped, 1, [5], 1)
    check(grouped, 2, [3, 1, 1], 2)
    check(grouped, 1, [2, 3, 2], 3)
    check(Config(8, 20, 1, 2, 2, 11, 64, rope_base=500.0), 2, [1, 4], 4)
    ### BEGIN HIDDEN TESTS
    check(Config(24, 20, 1, 6, 1, 11, 64, rope_base=500000.0), 1, [1] * 9, 5)
    check(Config(24, 20, 1, 6, 3, 11, 64), 3, [4, 1, 2, 5, 1], 6)
    check(grouped, 2, [6, 1, 3], 7, np.float32)
    check(grouped, 1, [30, 1, 1, 20], 8)
    check(Config(8, 20, 1, 4, 4, 11, 64), 1, [2, 2, 2], 9)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention_with_cache()


# %% [markdown]
# ## `forward_with_cache`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The way of `llama_forward` for a piece of a text, when only the next token is wanted.
# `forward_with_cache(ids, weights, config, run_block, past)` takes the **new** ids (B, T) and returns `(logits, past)`:
# - `logits` (B, V) of the **last position** only. The other positions need their keys and values, not their logits: do not
#   compute these.
# - `past`, a list with one entry for each block, to be handed in with the next piece. At the start it is `None`.
#
# `run_block(x, block, p)` runs one block: `p` is this block's entry (`None` at the start), and it returns `(x, p)` with what
# is to be kept now. Norm and head as in `llama_forward`.
#
# By hand: two blocks, a prompt of five ids, then one more. The first call hands `None` to both blocks and returns a list of
# two; the second call gets an array of shape (1, 1) and this list, and hands each block its own entry.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which axis is the time? The last position is to be cut out before the head, which is the largest matrix of all.
#
# <details><summary>Hint 2: the approach</summary>
#
# Go through blocks and entries together; collect the new entries in a new list.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `past or [None] * config.layers`; after the loop `x[:, -1]` is (B, D), and all that is left is the norm and the head.
#
# </details></details></details>


# %% nbgrader={"grade_id": "forward_with_cache", "solution": true}
def forward_with_cache(ids: np.ndarray, weights: dict, config: Config, run_block, past: list | None) -> tuple:
    """Logits (B, V) for what follows the new ids (B, T), and what each block keeps."""
    ### BEGIN SOLUTION
    x = weights["embed"][ids]  # (B, T, D)
    kept = []
    for block, p in zip(weights["blocks"], past or [None] * config.layers, strict=True):
        x, p = run_block(x, block, p)  # (B, T, D)
        kept.append(p)
    return rms_norm(x[:, -1], weights["norm"], config.eps) @ weights["head"], kept  # (B, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_forward_with_cache", "grade": true, "points": 3}
def test_forward_with_cache():
    """Piece by piece, the logits are those of the whole text's last position; each block has its own past."""

    def check(c, B, pieces, seed):
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, c.vocab, (B, sum(pieces)))
        embed, head = rng.normal(size=(c.vocab, c.dim)), rng.normal(size=(c.dim, c.vocab))
        blocks = [{"Wq": rng.normal(size=(c.dim, c.dim)) / 2} for _ in range(c.layers)]
        weights = {"embed": embed, "blocks": blocks, "norm": 1 + rng.normal(size=c.dim) / 3, "head": head}
        calls = []

        def run_block(x, block, p):
            """Each token adds something made of the sum of all tokens so far; the sum is what is kept."""
            calls.append((np.shape(x), None if p is None else np.array(p)))
            sums = np.cumsum(x, axis=1) + (0 if p is None else p[:, None])
            return x + np.tanh(sums @ block["Wq"]), sums[:, -1]

        def norm(x):
            return x / np.sqrt((x**2).mean(-1, keepdims=True) + c.eps) * weights["norm"]

        def hidden(x, pasts=None):
            kept = []
            for i, block in enumerate(blocks):
                x, p = run_block(x, block, None if pasts is None else pasts[i])
                kept.append(p)
            return x, kept

        past, right = None, None
        for number, piece in enumerate(np.split(ids, np.cumsum(pieces)[:-1], axis=1)):
            P, T = sum(pieces[:number]), piece.shape[1]
            said = f"{c.layers} blocks, B={B}, pieces of {pieces}: piece {number} (P={P}, T={T})"
            x, kept = hidden(embed[piece], right)
            expected = norm(x[:, -1]) @ head
            given = {**weights, "blocks": [dict(block) for block in blocks]}
            calls.clear()
            try:
                logits, mine = forward_with_cache(piece.copy(), given, c, run_block, past)
                logits = np.asarray(logits)
            except (ValueError, IndexError, TypeError) as error:
                raise AssertionError(
                    f"{said}: {type(error).__name__}: {error}: past is None or a list; return (logits, past)"
                ) from None
            seen = list(calls)
            assert logits.shape != (B, T, c.vocab), (
                f"{said}: expected logits of shape {expected.shape}, got {logits.shape}: the last position only, (B, V)"
            )
            assert logits.shape == expected.shape, (
                f"{said}: expected logits of shape {expected.shape}, got {logits.shape}"
            )
            assert len(seen) == c.layers, f"{said}: run_block was called {len(seen)} times, there are {c.layers} blocks"
            assert seen[0][0] == (B, T, c.dim), (
                f"{said}: the first block was handed {seen[0][0]}: all new ids must go through the blocks, {(B, T, c.dim)}"
            )
            for i, (_, p) in enumerate(seen):
                due = None if right is None else right[i]
                if due is None:
                    assert p is None, f"{said}: block {i} was handed a past, where there is none"
                    continue
                assert p is not None, f"{said}: block {i} was handed no past: the list of the last call is not used"
                if not np.allclose(p, due):
                    other = [j for j in range(c.layers) if np.allclose(p, right[j])]
                    why = f"that is the past of block {other[0]}" if other else "it is not what the last call returned"
                    raise AssertionError(f"{said}: block {i} was handed another past: {why}; each block has its own")
            if not np.allclose(logits, expected, rtol=1e-9, atol=1e-9):
                every = norm(x) @ head
                known = {
                    "those are the logits of the first position of the piece": every[:, 0],
                    "the logits of all positions were averaged": every.mean(1),
                    "the last norm is missing": x[:, -1] @ head,
                    "the head used is the embedding turned round": norm(x[:, -1]) @ embed.T,
                }
                for mistake, wrong in known.items():
                    if not np.allclose(wrong, expected):
                        assert not np.allclose(logits, wrong), f"{said}: {mistake}"
                raise AssertionError(f"{said}: expected {expected[0]}, got {logits[0]}")
            assert len(mine) == c.layers, f"{said}: expected a past for each of {c.layers} blocks, got {len(mine)}"
            for i, p in enumerate(mine):
                assert p is not None and np.allclose(p, kept[i]), (
                    f"{said}: the past returned for block {i} is not what run_block gave for it"
                )
            past, right = mine, kept
        whole = norm(hidden(embed[ids])[0][:, -1]) @ head
        assert np.allclose(logits, whole), f"{said}: expected what the whole text gives, {whole[0]}, got {logits[0]}"

    check(Config(6, 10, 2, 2, 2, 9, 32), 1, [5, 1, 1], 1)
    check(Config(4, 10, 3, 2, 1, 7, 32, eps=0.5), 2, [2, 3], 2)
    ### BEGIN HIDDEN TESTS
    check(Config(6, 10, 1, 2, 2, 9, 32), 3, [1] * 6, 3)
    check(Config(8, 10, 5, 2, 2, 8, 32), 8, [8, 1, 4], 4)
    check(Config(4, 10, 2, 2, 2, 20, 32), 1, [9], 5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_forward_with_cache()


# %% [markdown]
# ## All together
# Nothing to do here: this puts your functions together. `load_checkpoint` reads a llama2.c file or a Hugging Face folder,
# and `Model` runs what it has read, the whole text at once or piece by piece. The notebook `generation` writes with it.


# %%
def load_checkpoint(path: Path) -> tuple[Config, dict]:
    """Config and weights of a llama2.c file, or of a folder with config.json and model.safetensors."""
    if not path.is_dir():
        return load_llama2c(path)
    config, file = read_config(path), path / "model.safetensors"
    tensors = read_safetensors(file)
    try:
        return config, huggingface_weights(tensors, config)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


class Model:
    """A model from your functions."""

    def __init__(self, config: Config, weights: dict):
        self.config, self.weights = config, weights

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Logits (B, T, V) of every position, without a cache."""

        def run_block(x, block):
            return llama_block(x, block, self.config, lambda h: llama_attention(h, block, self.config))

        return llama_forward(np.asarray(ids), self.weights, self.config, run_block)

    def step(self, ids: np.ndarray, past: list | None = None) -> tuple[np.ndarray, list]:
        """Logits (B, V) of what follows the new ids (B, T), and the past with them in it."""

        def run_block(x, block, p):
            kept = []

            def attention(h):
                y, kv = attention_with_cache(h, block, self.config, p)
                kept.append(kv)
                return y

            return llama_block(x, block, self.config, attention), kept[0]

        return forward_with_cache(np.asarray(ids), self.weights, self.config, run_block, past)
