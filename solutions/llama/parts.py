# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # The parts
#
# A LLaMA is a transformer with four parts changed: RMSNorm in place of LayerNorm, rotary positions (旋转位置编码 rotary
# position embedding, RoPE) in place of added ones, SwiGLU in place of a plain feed-forward network, and key/value heads
# that several query heads share. Each is a short function. The next notebook puts them together.
#
# **When you are done you can** normalise in any precision, turn queries and keys by their places in both layouts that
# checkpoints use, move weights from one layout to the other, and write the feed-forward network and the attention of a
# LLaMA.
#
# **You need** broadcasting and slices with a step in NumPy, and attention with several heads. Plan about 105 minutes.
#
# **Shapes.** `...` any leading axes (batch, heads, or none), `B` batch, `T` tokens, `D` width of the model, `H` query
# heads, `K` key/value heads, `d` width of a head (an even number), `F` width inside the feed-forward network. Weights
# are applied as `x @ W`.
#
# **Precision.** A LLaMA runs in float32, and one array of float64 turns everything after it into float64. So where an
# exercise says so, the answer has the dtype of `x`.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## `rms_norm`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Root-mean-square normalisation (均方根归一化 RMSNorm) divides each token's numbers by their typical size, the root of the
# mean of their squares. Then each column is multiplied by a learnt gain (增益).
#
# $$\mathrm{rms\_norm}(x)_i = \frac{x_i}{\sqrt{\frac1D\sum_j x_j^2 + \varepsilon}}\; g_i$$
#
# `rms_norm(x, gain, eps=1e-5)` takes `x` of shape `(..., D)` and `gain` of shape `(D,)` and returns **the shape and the
# dtype of `x`**. The mean runs over the last axis only; ε stands under the root.
#
# `x` may be float16, whose largest number is 65 504: there, work in float32 inside and cast the answer back. float32 and
# float64 stay what they are.
#
# By hand: the squares of (1, 7) are 1 and 49, their mean is 25, the root is 5. So (1, 7) becomes (0.2, 1.4), and with the
# gain (1, 0.5) it is (0.2, 0.7). (ε changes nothing that one would see here.)
#
# Hint 1 (a nudge): Which three steps does the name hold, read from right to left? And what is 300² in float16?
#
# Hint 2 (the approach): Square, mean over the last axis (with `keepdims=True`), add `eps`, root, divide. No mean of `x`
# itself is taken away: that would be LayerNorm. Cast float16 to float32 first, and cast at the end.
#
# Hint 3 (the shapes): The mean of the squares is `(..., 1)`, so it divides `(..., D)` token by token; `gain` `(D,)`
# fits on the last axis. Ask `x.dtype` once at the start, to choose the width of the work, and cast back to it once at
# the end.


# %% nbgrader={"grade_id": "rms_norm", "solution": true}
def rms_norm(x: np.ndarray, gain: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """x (..., D) over the root of its mean square, times gain (D,). Shape and dtype of x."""
    ### BEGIN SOLUTION
    wide = x.astype(np.float32) if x.dtype == np.float16 else x  # (..., D) squares of float16 overflow
    mean_square = np.mean(wide * wide, axis=-1, keepdims=True)  # (..., 1)
    return (wide / np.sqrt(mean_square + eps) * gain).astype(x.dtype)  # (..., D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rms_norm", "grade": true, "points": 2}
def test_rms_norm():
    """Each token comes out with mean square 1 before the gain, in its own dtype, and float16 does not overflow."""
    x, gain = np.array([[1.0, 7.0, -2.0], [0.5, -1.0, 3.0], [4.0, 4.0, 0.1]]), np.array([1.0, 0.5, 2.0])
    check(rms_norm, np.array([[1.0, 7.0]]), np.array([1.0, 0.5]), gives=[[0.2, 0.7]])
    check(rms_norm, x, gain, 0.5)
    check(rms_norm, np.stack([x, 2 * x + 1]), gain)  # two texts of three tokens
    check(rms_norm, np.zeros((2, 3)), gain)
    check(rms_norm, x.astype(np.float32), gain.astype(np.float32), exact=True)
    check(rms_norm, (100 * x).astype(np.float16), gain.astype(np.float16), exact=True)
    check(rms_norm, 1e30 * x, gain, exact=True)  # too large for float32
    ### BEGIN HIDDEN TESTS
    half = (100 * x).astype(np.float16)
    check(rms_norm, half, gain.astype(np.float32), exact=True, about="float16 with a gain of float32")
    check(rms_norm, x.astype(np.float32), gain, exact=True, about="float32 with a gain of float64")
    check(rms_norm, np.zeros((1, 3), np.float16), gain.astype(np.float16), 1e-8, about="float16 zeros, and a very small eps")
    check(rms_norm, np.full((1, 4096), 200, np.float16), np.ones(4096, np.float16), about="many numbers in float16")
    check(rms_norm, x[0], gain, 2.0, about="a single token, without leading axes")
    check(rms_norm, x[:, :1], gain[:1], 0.1, about="tokens of one number")
    check(rms_norm, np.tile(x, (2, 1, 3, 1)) + 1, gain, 3.0, about="three leading axes")
    check(rms_norm, 1e-4 * x, -gain, 1e-6, about="small numbers, where eps counts, and a negative gain")
    check(rms_norm, x[:0], gain, about="no token at all")
    check(rms_norm, x[:1], 0 * gain, about="a gain of 0")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `rope_tables`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Rotary positions turn the numbers of a query or key in pairs, each pair like the hand of a clock (旋转 rotation). Pair
# `i` of a head of width `d` turns by the angle
#
# $$t \cdot \mathrm{base}^{-2i/d}$$
#
# at place `t` (counted from 0), in radians. The first pair is the fast one, with 1 radian a place; the last is the
# slowest.
#
# `rope_tables(d, T, base=10000.0)` returns the pair `(cos, sin)` of these angles, each of shape `(T, d // 2)` and dtype
# **float64**: a row for each place, a column for each pair. They are made once, so they can afford to be exact.
#
# By hand, for `d = 4` and `base = 100`: the two pairs turn by 1 and by 100^(−1/2) = 0.1 a place. At place 3 the angles are
# 3 and 0.3, so row 3 of `cos` is (−0.990, 0.955), and row 3 of `sin` is (0.141, 0.296).
#
# Hint 1 (a nudge): First the `d // 2` speeds, then every place times every speed.
#
# Hint 2 (the approach): `np.arange(0, d, 2)` gives the numbers 2i, and `np.outer` multiplies each of one list by each
# of another. NumPy refuses a whole number to a negative power: make the base or the exponent a float.
#
# Hint 3 (the shapes): Speeds `(d // 2,)`: 1 for the first pair, then smaller and smaller. The outer product of the
# places `(T,)` and the speeds is `(T, d // 2)`. Both tables are made of this one array.


# %% nbgrader={"grade_id": "rope_tables", "solution": true}
def rope_tables(d: int, T: int, base: float = 10000.0) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of place times base^(-2i/d): two float64 arrays (T, d // 2)."""
    ### BEGIN SOLUTION
    speeds = float(base) ** (-np.arange(0, d, 2) / d)  # (d/2,)
    angles = np.outer(np.arange(T), speeds)  # (T, d/2)
    return np.cos(angles), np.sin(angles)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rope_tables", "grade": true, "points": 2}
def kinds(d, T):
    """The dtypes of the two tables."""
    return [str(table.dtype) for table in rope_tables(d, T)]


def last_place(d, T, base):
    """The last rows of the two tables."""
    return [table[-1] for table in rope_tables(d, T, base)]


def test_rope_tables():
    """A row for each place from 0, a column for each pair, the first pair fastest, in float64."""
    check(last_place, 4, 4, 100.0, gives=[[-0.98999, 0.95534], [0.14112, 0.29552]])
    check(rope_tables, 8, 6)
    check(rope_tables, 6, 4, 500)
    check(rope_tables, 2, 3)
    check(kinds, 4, 3, gives=["float64", "float64"])
    ### BEGIN HIDDEN TESTS
    check(rope_tables, 16, 3, 500_000.0, about="another base")
    check(rope_tables, 10, 7, 2.0, about="a small base")
    check(rope_tables, 4, 3, 2.5, about="a base with a fraction")
    check(rope_tables, 4, 5, 2.5, about="the same base, more places")
    check(rope_tables, 4, 5, 100.0, about="another base, as many places")
    check(rope_tables, 2, 1, 10000.0, about="one place and one pair")
    check(rope_tables, 4, 0, about="no place at all")
    check(last_place, 64, 10, 100_000, about="a base that is a whole number")
    check(last_place, 6, 20_001, 10.0, about="far places")
    check(last_place, 128, 9, 10000.0, about="many pairs")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `apply_rope`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# A pair $(a, b)$ turned by the angle $\theta$ becomes
#
# $$(a\cos\theta - b\sin\theta,\;\; a\sin\theta + b\cos\theta).$$
#
# Which numbers of a head make a pair is a convention, the **layout**, and checkpoints use both:
#
# - `"interleaved"` (Meta, llama2.c, a GGUF file of a LLaMA): neighbours. Pair `i` is the numbers `2i` and `2i + 1`.
# - `"half"` (Hugging Face): half a head apart. Pair `i` is the numbers `i` and `i + d/2`.
#
# In both, each number of a pair stays where it was: only its value turns.
#
# `apply_rope(x, cos, sin, positions, layout="interleaved")` takes
# - `x` `(..., T, d)`: queries or keys;
# - `cos`, `sin` `(places, d/2)`: tables of angles, a row for each place and a column for each pair;
# - `positions`: whole numbers of shape `(T,)`, or any shape that broadcasts to `x.shape[:-1]`, such as `(B, 1, T)`. Token
#   `t` stands at place `positions[..., t]`, which need not be `t`;
# - `layout`: one of the two words. Any other word raises `ValueError`.
#
# It returns **the shape and dtype of `x`**, though the tables may be float64.
#
# By hand, with `cos = [[1, 1], [0, 0]]` and `sin = [[0, 0], [1, 1]]` (place 1 is a quarter of a turn) and
# x = (1, 2, 3, 4) at place 1: interleaved, the pairs (1, 2) and (3, 4) become (−2, 1) and (−4, 3), so the answer is
# (−2, 1, −4, 3). Half, the pairs are (1, 3) and (2, 4), which become (−3, 1) and (−4, 2), so the answer is (−3, −4, 1, 2).
#
# Hint 1 (a nudge): `cos[positions]` has a row for each token. Which slices of `x` give all the first numbers of the
# pairs, and all the second ones?
#
# Hint 2 (the approach): Interleaved: `x[..., 0::2]` and `x[..., 1::2]`. Half: `x[..., : d // 2]` and `x[..., d // 2
# :]`. Compute both new slices from the old ones before you write either, and write each where its old one was, in a new
# array like `x`.
#
# Hint 3 (the shapes): `cos[positions]` is `(T, d/2)`, or `(B, 1, T, d/2)`; each slice of `x` is `(..., T, d/2)`, so
# they fit. The layout decides only which two slices are read and written: `slice(0, None, 2)` is an object like any
# other, and can be kept in a name.


# %% nbgrader={"grade_id": "apply_rope", "solution": true}
def apply_rope(
    x: np.ndarray, cos: np.ndarray, sin: np.ndarray, positions: np.ndarray, layout: str = "interleaved"
) -> np.ndarray:
    """Turn each pair of x (..., T, d) by the angle of its token's place. cos, sin (places, d/2). Shape and dtype of x."""
    ### BEGIN SOLUTION
    half = x.shape[-1] // 2
    if layout == "interleaved":
        first, second = slice(0, None, 2), slice(1, None, 2)
    elif layout == "half":
        first, second = slice(0, half), slice(half, None)
    else:
        raise ValueError(f"layout must be 'interleaved' or 'half', not {layout!r}")
    c, s = cos[positions], sin[positions]  # (T, d/2), or (B, 1, T, d/2)
    a, b = x[..., first], x[..., second]  # (..., T, d/2)
    out = np.empty_like(x)  # in the dtype of x
    out[..., first] = a * c - b * s
    out[..., second] = a * s + b * c
    return out  # (..., T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_apply_rope", "grade": true, "points": 3}
def test_apply_rope():
    """Each pair turns by the angle of its place, in either layout; other words for the layout are refused."""
    quarter = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])
    check(apply_rope, np.array([[1.0, 2.0, 3.0, 4.0]]), *quarter, np.array([1]), gives=[[-2.0, 1.0, -4.0, 3.0]])
    check(apply_rope, np.array([[1.0, 2, 3, 4]]), *quarter, np.array([1]), layout="half", gives=[[-3, -4, 1, 2]])
    angles = np.outer(np.arange(12), [1.0, 0.5, 0.2])
    tables = np.cos(angles), np.sin(angles)
    heads = np.arange(-9, 63, 2).reshape(2, 3, 6) / 10  # two heads, three tokens
    check(apply_rope, heads, *tables, np.array([0, 1, 2]))
    check(apply_rope, heads, *tables, np.array([4, 9, 6]))
    check(apply_rope, heads, *tables, np.array([4, 9, 6]), layout="half")
    check(apply_rope, heads, *tables, np.array([[0, 1, 2], [7, 8, 9]]))  # places of their own for each
    check(apply_rope, heads[:, :2], *tables, np.array([5, 6]), exact=True)
    check(apply_rope, heads.astype(np.float32), *tables, np.array([4, 9, 6]), exact=True)
    check(apply_rope, heads[0], *tables, np.array([0, 1, 2]), layout="hf", gives=ValueError)
    ### BEGIN HIDDEN TESTS
    check(apply_rope, heads[0], *tables, np.array([0, 1, 2]), layout="", gives=ValueError, about="an empty word")
    check(apply_rope, heads[0], *tables, np.array([0, 1, 2]), layout="Half", gives=ValueError, about="upper case")
    four = np.stack([heads, heads + 1])
    check(apply_rope, four, *tables, np.array([[0, 1, 2], [5, 6, 7]]), about="places of their own for each head")
    rng = np.random.default_rng(42)
    for layout in ("interleaved", "half"):
        x = rng.random((2, 3, 2, 6)) * 4 - 2
        check(apply_rope, x, *tables, np.array([3, 3]), layout=layout, about="two leading axes, one place twice")
        check(apply_rope, x, *tables, np.array([[[0, 1]], [[7, 5]]]), layout=layout, about="places of shape (B, 1, T)")
        check(apply_rope, x[:, :, :1], *tables, np.array([11]), layout=layout, about="one token, as with a cache")
        check(apply_rope, x[..., 2:4], *(t[:, :1] for t in tables), np.array([2, 0]), layout=layout, about="one pair")
        single = x.astype(np.float32)
        check(apply_rope, single, *tables, np.array([8, 1]), layout=layout, exact=True, about="float32")
        check(apply_rope, x.astype(np.float16), *tables, np.array([8, 1]), layout=layout, exact=True, about="float16")
        check(apply_rope, x[0, 0, :0], *tables, np.arange(0), layout=layout, about="no token at all")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `convert_rope_layout`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# A checkpoint whose weights were trained with one layout runs in the other if the columns of its query and key matrices
# are put in the other order: what stood at `2i` and `2i + 1` of each head must stand at `i` and `i + d/2`, or the other
# way round. Every score is then the same as before.
#
# `convert_rope_layout(W, heads, to="half")` takes `W` of shape `(..., heads · d)`, applied as `x @ W`: its last axis holds
# the `heads` heads one after the other, each of width `d`. It returns the same numbers in the same shape, with the
# columns **within each head** in another order:
# - `to="half"`: from interleaved to half;
# - `to="interleaved"`: from half to interleaved, the inverse;
# - any other word raises `ValueError`.
#
# `heads` is the number of heads **in this matrix**: H for the queries, K for the keys. A bias of shape `(heads · d,)` has
# the same order and can be converted too.
#
# By hand: one row with two heads of width 6, numbered by column, `0 1 2 3 4 5 | 6 7 8 9 10 11`, becomes
# `0 2 4 1 3 5 | 6 8 10 7 9 11` with `to="half"`, and `0 3 1 4 2 5 | 6 9 7 10 8 11` with `to="interleaved"`.
#
# Hint 1 (a nudge): To half: in each head, first all the even columns, then all the odd ones.
#
# Hint 2 (the approach): Interleaved, the last axis is (heads, d/2, 2): pair by pair, its two numbers side by side.
# Half, it is (heads, 2, d/2). One reshape, one swap of two axes, one reshape back. The head width is `W.shape[-1] //
# heads`: keys have fewer columns.
#
# Hint 3 (the shapes): For a key matrix `(24, 12)` with two heads, to half: `(24, 12)` becomes `(24, 2, 3, 2)`, then
# `(24, 2, 2, 3)` with the last two axes swapped, then `(24, 12)` again. To interleaved, the first split is `(24, 2, 2,
# 3)`.


# %% nbgrader={"grade_id": "convert_rope_layout", "solution": true}
def convert_rope_layout(W: np.ndarray, heads: int, to: str = "half") -> np.ndarray:
    """W (..., heads * d) with the columns of each head in the order of the other layout. Same shape."""
    ### BEGIN SOLUTION
    half = W.shape[-1] // heads // 2
    if to == "half":
        inside = (half, 2)  # pair by pair, as interleaved weights lie
    elif to == "interleaved":
        inside = (2, half)  # all first numbers, then all second ones
    else:
        raise ValueError(f"to must be 'half' or 'interleaved', not {to!r}")
    pairs = W.reshape(*W.shape[:-1], heads, *inside)  # (..., heads, d/2, 2), or (..., heads, 2, d/2)
    return pairs.swapaxes(-1, -2).reshape(W.shape)  # (..., heads * d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_convert_rope_layout", "grade": true, "points": 3}
def test_convert_rope_layout():
    """Columns move within their head, to where the other layout looks for them, and back."""
    check(convert_rope_layout, np.arange(12)[None, :], 2, gives=[[0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]])
    there = [[0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]]
    check(convert_rope_layout, np.arange(12)[None, :], 2, to="interleaved", gives=there)
    check(convert_rope_layout, np.arange(144).reshape(12, 12), 2)
    check(convert_rope_layout, np.arange(96).reshape(8, 12), 2)  # keys: fewer columns than a query matrix
    check(convert_rope_layout, np.arange(288).reshape(24, 12), 2, to="interleaved")
    check(convert_rope_layout, np.arange(12) / 2, 1)  # a bias
    check(convert_rope_layout, np.zeros((8, 8)), 1, to="hf", gives=ValueError)
    ### BEGIN HIDDEN TESTS
    check(convert_rope_layout, np.zeros((8, 8)), 1, to="Half", gives=ValueError, about="upper case")
    check(convert_rope_layout, np.zeros((8, 8)), 1, to="", gives=ValueError, about="an empty word")
    for to in ("half", "interleaved"):
        check(convert_rope_layout, np.arange(10).reshape(5, 2), 1, to=to, about="one head of one pair")
        check(convert_rope_layout, np.arange(240).reshape(8, 30), 3, to=to, about="three heads")
        check(convert_rope_layout, np.arange(96).reshape(4, 24) - 50, 3, to=to, about="three heads of four pairs")
        check(convert_rope_layout, np.arange(168.0).reshape(2, 3, 28), 2, to=to, about="two leading axes")
        check(convert_rope_layout, np.arange(20) % 2 == 0, 2, to=to, about="truth values without leading axes")
        half = np.arange(64).reshape(2, 32).astype(np.float16)
        check(convert_rope_layout, half, 4, to=to, exact=True, about="float16")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `swiglu`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# The feed-forward network of a LLaMA has a gate (门控 gating): one projection says *what* to write, another *how much of
# it*, number by number.
#
# $$\mathrm{swiglu}(x) = \bigl(\mathrm{silu}(xW_g) \odot xW_u\bigr)\,W_d \qquad \mathrm{silu}(g) = g \cdot \frac{1}{1 + e^{-g}}$$
#
# `swiglu(x, Wg, Wu, Wd)` takes `x` `(..., D)`, the gate `Wg` and the up projection `Wu` `(D, F)`, and the down projection
# `Wd` `(F, D)`, and returns **the shape and the dtype of `x`** (all are float32, or all float64). ⊙ multiplies number by
# number. No biases.
#
# It must be right for gates as large as ±10 000, where `np.exp` of the wrong sign overflows: silu(10 000) is 10 000, and
# silu(−10 000) is 0.
#
# By hand, with `x = (1, 2)`, `Wg = [[1], [0.5]]`, `Wu = [[1], [1]]`, `Wd = [[1, −1]]`: the gate is 2, silu(2) =
# 2 · 0.881 = 1.762; up is 3; the product is 5.285; the answer is (5.285, −5.285).
#
# Hint 1 (a nudge): SiLU is the gate times its own sigmoid. Which of the two projections goes through it?
#
# Hint 2 (the approach): Sigmoid without overflow: exp only ever sees a number that is not positive. With `e =
# np.exp(-np.abs(g))`, which is at most 1, the sigmoid is 1/(1+e) where g ≥ 0 and e/(1+e) elsewhere.
#
# Hint 3 (the shapes): Gate and up are `(..., F)`, and so are the sigmoid and the product of all three; the down
# projection leads back to `(..., D)`. `np.where` takes the two cases of the sigmoid, number by number.


# %% nbgrader={"grade_id": "swiglu", "solution": true}
def swiglu(x: np.ndarray, Wg: np.ndarray, Wu: np.ndarray, Wd: np.ndarray) -> np.ndarray:
    """Gated feed-forward: x (..., D), Wg and Wu (D, F), Wd (F, D). Shape and dtype of x."""
    ### BEGIN SOLUTION
    gate, up = x @ Wg, x @ Wu  # (..., F)
    e = np.exp(-np.abs(gate))  # (..., F) never above 1
    sigmoid = np.where(gate >= 0, 1, e) / (1 + e)  # (..., F)
    return (gate * sigmoid * up) @ Wd  # (..., D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_swiglu", "grade": true, "points": 2}
def test_swiglu():
    """silu(gate) times up, then down; large gates do not overflow."""
    one, Wg, Wu, Wd = np.array([1.0, 2.0]), np.array([[1.0], [0.5]]), np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])
    check(swiglu, one, Wg, Wu, Wd, gives=[5.285, -5.285])
    check(swiglu, one, 5000 * Wg, Wu, Wd, gives=[30000.0, -30000.0])  # the gate is 10 000
    check(swiglu, -one, 5000 * Wg, Wu, Wd, gives=[0.0, 0.0])
    x = np.array([[0.5, -1.0, 2.0], [-2.0, 0.3, 1.0]])
    square = np.array([[0.2, -0.7, 1.0], [0.4, 1.1, -0.3], [-0.6, 0.9, 0.5]])
    check(swiglu, x, square, square.T - 0.2, 1 - square)
    check(swiglu, np.stack([x, x - 1]), square[:, :2], square[:, 1:], square[:2])
    check(swiglu, *(a.astype(np.float32) for a in (x, square, square.T, square)), exact=True)
    ### BEGIN HIDDEN TESTS
    single = [a.astype(np.float32) for a in (one, Wg, Wu, Wd)]
    check(swiglu, single[0], 5000 * single[1], *single[2:], exact=True, about="a gate of 10 000 in float32")
    check(swiglu, -single[0], 5000 * single[1], *single[2:], exact=True, about="a gate of −10 000 in float32")
    check(swiglu, one, 20 * Wg, Wu, Wd, about="a gate of 40")
    check(swiglu, -one, 4 * Wg, Wu, Wd, about="a gate of −8")
    check(swiglu, 0 * x, square, square, square, about="zeros")
    check(swiglu, one[:1], Wg[:1], Wu[:1], Wd[:, :1], about="one number")
    check(swiglu, x[:0], square, square, square, about="no token at all")
    wide = np.arange(-9.0, 9.0).reshape(3, 6) / 5
    check(swiglu, np.tile(x, (2, 1, 2, 1)) / 2, wide, wide[::-1] + 0.1, wide.T, about="three leading axes")
    check(swiglu, x, 300 * square, square, square, about="large gates of either sign")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `repeat_kv`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# In grouped-query attention (分组查询注意力 grouped-query attention) several query heads share one key/value head: query
# heads 0 … n−1 look at key head 0, the next n at key head 1, and so on. The plain way to compute it is to repeat each
# key and value head n times.
#
# `repeat_kv(x, n)` takes `x` of shape `(..., K, T, d)` and a whole number `n ≥ 1`, and returns shape `(..., K · n, T, d)`
# and the dtype of `x`: **each head `n` times in a row**. `n` is how often each is repeated, not how many come out.
#
# By hand: with the heads A = [[1, 2]], B = [[3, 4]] of one token each and `n = 3`, A A A B B B comes out.
#
# Hint 1 (a nudge): NumPy has two functions that repeat: one gives A B A B A B, the other A A A B B B.
#
# Hint 2 (the approach): `np.repeat` repeats each entry along an axis. The heads are the third axis from the end,
# however many axes stand before.
#
# Hint 3 (the shapes): `(2, 3, 4, 5)` with `n = 2` becomes `(2, 6, 4, 5)`, and `(3, 4, 5)` becomes `(6, 4, 5)`: only a
# negative number names the axis of the heads in both.


# %% nbgrader={"grade_id": "repeat_kv", "solution": true}
def repeat_kv(x: np.ndarray, n: int) -> np.ndarray:
    """x (..., K, T, d) with each head n times in a row. Shape (..., K * n, T, d)."""
    ### BEGIN SOLUTION
    return np.repeat(x, n, axis=-3)  # (..., K * n, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_repeat_kv", "grade": true, "points": 1}
def test_repeat_kv():
    """A A A B B B along the axis of the heads, with any leading axes."""
    A, B = [[1, 2]], [[3, 4]]  # two heads of one token
    check(repeat_kv, np.array([A, B]), 3, gives=[A, A, A, B, B, B])
    check(repeat_kv, np.arange(12.0).reshape(2, 3, 2), 2)
    check(repeat_kv, np.arange(16).reshape(2, 2, 2, 2), 2)  # two texts
    check(repeat_kv, np.arange(24).reshape(2, 1, 3, 2, 2), 3)
    check(repeat_kv, np.arange(6).reshape(3, 2, 1), 1)
    check(repeat_kv, np.arange(8, dtype=np.float32).reshape(2, 2, 2), 4, exact=True)
    ### BEGIN HIDDEN TESTS
    check(repeat_kv, np.arange(10).reshape(5, 1, 2), 2, about="five heads")
    check(repeat_kv, np.array([[[[7.5]]]]), 7, about="one head, one token, one number")
    check(repeat_kv, np.zeros((2, 0, 3)), 2, about="no token at all")
    check(repeat_kv, np.arange(24, dtype=np.float16).reshape(2, 3, 2, 2), 2, exact=True, about="float16")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: `rotate` and `causal_attend`
# For the last exercise. `rotate` is rotary positions in the interleaved layout, written with complex numbers: a turn by
# θ is a product with cos θ + i sin θ. `causal_attend` is attention under a causal mask (因果掩码), with as
# many key/value heads as query heads.


# %%
def rotate(x: np.ndarray, positions: np.ndarray, base: float = 10000.0) -> np.ndarray:
    """x (..., T, d) turned by its places (T,), neighbours in pairs. Shape of x."""
    d = x.shape[-1]
    angles = np.outer(positions, base ** (-np.arange(0, d, 2) / d))  # (T, d/2)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)  # (..., T, d/2)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)  # (..., T, d)


def causal_attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Attention of q over k and v, all (..., H, T, d), nobody sees the future. Shape (..., H, T, d)."""
    T = q.shape[-2]
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., H, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))  # (..., H, T, T)
    return weights / weights.sum(axis=-1, keepdims=True) @ v  # (..., H, T, d)


# %% [markdown]
# ## `rope_attention`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The attention of a LLaMA, from projected queries, keys and values to the output of each head.
#
# `rope_attention(q, k, v, positions, base=10000.0)` takes `q` of shape `(..., H, T, d)`, `k` and `v` of shape
# `(..., K, T, d)`, where H is a multiple of K, and the places of the T tokens, whole numbers `(T,)`. It returns the
# outputs of the H heads, `(..., H, T, d)`:
# - queries and keys are turned by their places, with `rotate` and this `base`;
# - values are not: a token hands on what it has to say, wherever it stands;
# - query head `h` looks at key/value head `h // n` with `n = H // K`;
# - the attention is causal: the tokens are in order, and each sees itself and those before it.
#
# By hand: with T = 1 the token sees itself only, its attention weight is 1, and the output of every head is the plain `v`
# of its group, whatever its place: for two query heads that share `v = (5, 6)`, twice (5, 6). And moving **all** tokens
# 100 places on changes no output.
#
# Use the given `rotate` and `causal_attend`; they take any leading axes.
#
# Hint 1 (a nudge): Which two of the three arrays make the scores? Only there do places matter.
#
# Hint 2 (the approach): Turn q and k, each with all its own heads. Then repeat the heads of k and of v `H // K` times,
# each in a row, and hand the three to `causal_attend`.
#
# Hint 3 (the shapes): q is `(..., H, T, d)` all along. k and v come as `(..., K, T, d)` and must be `(..., H, T, d)`
# when `causal_attend` sees them: H and K are the third numbers from the end of the two shapes.


# %% nbgrader={"grade_id": "rope_attention", "solution": true}
def rope_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, positions: np.ndarray, base: float = 10000.0
) -> np.ndarray:
    """Causal attention with rotary places. q (..., H, T, d), k and v (..., K, T, d) -> (..., H, T, d)."""
    ### BEGIN SOLUTION
    n = q.shape[-3] // k.shape[-3]
    q = rotate(q, positions, base)  # (..., H, T, d)
    k = np.repeat(rotate(k, positions, base), n, axis=-3)  # (..., H, T, d)
    v = np.repeat(v, n, axis=-3)  # (..., H, T, d)
    return causal_attend(q, k, v)  # (..., H, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rope_attention", "grade": true, "points": 3}
def test_rope_attention():
    """Places act on the scores and on nothing else, and each group of query heads has its own keys and values."""
    one, value = np.array([[[3.0, 1.0]]]), np.array([[[5.0, 6.0]]])
    check(rope_attention, np.concatenate([one, -one]), one, value, np.array([3]), gives=[[[5.0, 6.0]], [[5.0, 6.0]]])
    q, v = np.sin(np.arange(48.0)).reshape(4, 3, 4), np.arange(24.0).reshape(2, 3, 4)
    k = np.cos(v)
    check(rope_attention, q, k, v, np.array([0, 1, 2]))
    check(rope_attention, q, k, v, np.array([7, 9, 12]))
    check(rope_attention, q, k, v, np.array([0, 1, 2]), 5.0)
    check(rope_attention, np.stack([q, 3 * q]), np.stack([k, -k]), np.stack([v, v % 5]), np.array([4, 5, 6]))
    ### BEGIN HIDDEN TESTS
    check(rope_attention, q, k, v, np.array([100, 101, 102]), about="all tokens 100 places further on")
    check(rope_attention, q, k, v, np.array([100, 4200, 9000]), about="far places")
    check(rope_attention, q[:, :2], k[:, :2], v[:, :2], np.array([100, 127], np.int8), about="places as bytes")
    check(rope_attention, q[:2], k, v, np.array([0, 2, 3]), 500000.0, about="as many key/value heads as query heads")
    check(rope_attention, q, k[:1], v[:1], np.array([0, 2, 3]), base=20.0, about="one key/value head for all")
    three = np.stack([[q, q + 1, q - 1]]), np.stack([[k, 2 * k, k + 1]]), np.stack([[v, -v, v % 3]])
    check(rope_attention, *three, np.array([5, 6, 60]), about="two leading axes")
    check(rope_attention, q[..., :2], k[..., :2], v[..., :2], np.array([0, 2, 50]), about="heads of one pair")
    check(rope_attention, *(a.astype(np.float32) for a in (q, k, v)), np.array([0, 3, 4]), about="float32")
    check(rope_attention, q[:1, :1], k[:1, :1], v[:1, :1], np.array([0]), about="one head and one token")
    ### END HIDDEN TESTS
