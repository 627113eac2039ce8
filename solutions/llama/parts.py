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
# **You need** broadcasting and slices with a step in NumPy, and attention from chapter 1. Plan about 105 minutes.
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
# <details><summary>Hint 1: a nudge</summary>
#
# Which three steps does the name hold, read from right to left? And what is 300² in float16?
#
# <details><summary>Hint 2: the approach</summary>
#
# Square, mean over the last axis (with `keepdims=True`), add `eps`, root, divide. No mean of `x` itself is taken away:
# that would be LayerNorm. Cast float16 to float32 first, and cast at the end.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `wide = x.astype(np.float32) if x.dtype == np.float16 else x`, then `size = np.sqrt(np.mean(wide * wide, axis=-1,
# keepdims=True) + eps)`, then `(wide / size * gain)` with `.astype(x.dtype)`.
#
# </details></details></details>


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

    def check(x, gain, eps=None):
        call = f"rms_norm of {x.dtype} {x.shape}" + ("" if eps is None else f", eps={eps:g}")
        e = 1e-5 if eps is None else eps
        try:
            with np.errstate(all="ignore"):
                y = np.asarray(rms_norm(x.copy(), gain.copy()) if eps is None else rms_norm(x.copy(), gain.copy(), eps))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): does the mean keep its axis (keepdims=True)?"
            ) from None
        assert y.shape == x.shape, f"{call}: expected the same shape {x.shape}, got {y.shape}"
        w, g = x.astype(np.float64), gain.astype(np.float64)
        square = np.mean(w * w, axis=-1, keepdims=True)
        expected = w / np.sqrt(square + e) * g
        rough = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-9}[x.dtype.name]

        def close(a, b):
            return np.allclose(a, b, rtol=rough, atol=rough, equal_nan=True)

        if not close(y, expected):
            with np.errstate(all="ignore"):
                centred = w - w.mean(-1, keepdims=True)
                variance = np.mean(centred * centred, axis=-1, keepdims=True)
                narrow = np.mean(x * x, axis=-1, keepdims=True)
                known = {
                    "the squares overflow: in float16 300 * 300 is infinite, so cast to float32 before squaring": x
                    / np.sqrt(narrow + x.dtype.type(e))
                    * g,
                    "the mean was subtracted: that is LayerNorm": centred / np.sqrt(variance + e) * g,
                    "x was divided by its standard deviation, which leaves its mean out: take the mean of the squares": w
                    / np.sqrt(variance + e)
                    * g,
                    "eps stands outside the root: add it to the mean of the squares": w / (np.sqrt(square) + e) * g,
                    "eps is not used": w / np.sqrt(square) * g,
                    "eps was squared: add it as it is": w / np.sqrt(square + e * e) * g,
                    "eps is always 1e-5, whatever was asked for": w / np.sqrt(square + 1e-5) * g,
                    "x was divided by the root of the sum of squares: take their mean": w
                    / np.sqrt(square * x.shape[-1] + e)
                    * g,
                    "the root is missing": w / (square + e) * g,
                    "the mean runs over the whole array: each token has a size of its own (axis=-1)": w
                    / np.sqrt(np.mean(w * w) + e)
                    * g,
                    "the mean of the sizes was taken, not the root of the mean square": w
                    / (np.abs(w).mean(-1, keepdims=True) + e)
                    * g,
                    "the gain is missing": w / np.sqrt(square + e),
                    "1 was added to the gain, as some other models do": w / np.sqrt(square + e) * (1 + g),
                    "the gain was added: multiply by it": w / np.sqrt(square + e) + g,
                    "the gain went in before the norm, which takes it out again in part": w
                    * g
                    / np.sqrt(np.mean((w * g) ** 2, axis=-1, keepdims=True) + e),
                }
                for axis in range(x.ndim - 1):
                    known[f"the mean runs over axis {axis}: each token is normalised by itself (axis=-1)"] = (
                        w / np.sqrt(np.mean(w * w, axis=axis, keepdims=True) + e) * g
                    )
            for mistake, wrong in known.items():
                if not close(wrong, expected):
                    assert not close(y, wrong), f"{call}: {mistake}"
            if x.dtype == np.float64 and np.allclose(y, expected, rtol=1e-4, atol=1e-4):
                raise AssertionError(f"{call}: right to single precision only: float64 must stay float64 throughout")
            assert np.isfinite(y).all(), f"{call}: NaN or infinity came out: did the squares overflow, or is eps missing?"
            raise AssertionError(f"{call}: expected\n{expected}\ngot\n{y}")
        assert y.dtype == x.dtype, (
            f"{call}: the numbers are right, but expected dtype {x.dtype}, got {y.dtype}: the answer has the dtype of x"
        )

    check(np.array([[1.0, 7.0]]), np.array([1.0, 0.5]))
    rng = np.random.default_rng(0)
    x, gain = rng.normal(1.0, 2.0, size=(3, 4, 6)), rng.uniform(0.5, 2.0, size=6)
    check(x, gain)
    check(x, gain, 0.5)
    check(x[0], gain, 2.0)
    check(x[0, 0], gain)
    check(x.astype(np.float32), gain.astype(np.float32))
    check(np.zeros((2, 4)), np.ones(4))
    check((x * 300).astype(np.float16), gain.astype(np.float16))
    check((x * 300).astype(np.float16), gain.astype(np.float32))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(41)
    for lead, D, eps in [((), 1, 1e-5), ((7,), 5, 1e-6), ((2, 3), 64, 0.1), ((2, 1, 3), 9, 3.0), ((4, 4), 4, 1e-5)]:
        for dtype in (np.float64, np.float32, np.float16):
            check(rng.normal(0.5, 3.0, size=(*lead, D)).astype(dtype), rng.normal(size=D).astype(dtype), eps)
    check(rng.normal(size=(3, 8)) * 1e8, np.ones(8))
    check(rng.normal(size=(3, 8)) * 1e-4, np.ones(8))
    check(np.full((1, 4096), 200, np.float16), np.ones(4096, np.float16))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_rms_norm()


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
# 3 and 0.3, so row 3 of `cos` is (−0.990, 0.955).
#
# <details><summary>Hint 1: a nudge</summary>
#
# First the `d // 2` speeds, then every place times every speed.
#
# <details><summary>Hint 2: the approach</summary>
#
# `np.arange(0, d, 2)` gives the numbers 2i, and `np.outer` multiplies each of one list by each of another. NumPy refuses a
# whole number to a negative power: make the base or the exponent a float.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `speeds = float(base) ** (-np.arange(0, d, 2) / d)`, `angles = np.outer(np.arange(T), speeds)`, and the cosine and sine
# of it.
#
# </details></details></details>


# %% nbgrader={"grade_id": "rope_tables", "solution": true}
def rope_tables(d: int, T: int, base: float = 10000.0) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of place times base^(-2i/d): two float64 arrays (T, d // 2)."""
    ### BEGIN SOLUTION
    speeds = float(base) ** (-np.arange(0, d, 2) / d)  # (d/2,)
    angles = np.outer(np.arange(T), speeds)  # (T, d/2)
    return np.cos(angles), np.sin(angles)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rope_tables", "grade": true, "points": 2}
def test_rope_tables():
    """A row for each place from 0, a column for each pair, the first pair fastest, in float64."""

    def check(d, T, base=None):
        call = f"rope_tables({d}, {T}" + (")" if base is None else f", {base})")
        b = 10000.0 if base is None else float(base)
        try:
            got = rope_tables(d, T) if base is None else rope_tables(d, T, base)
        except (ValueError, IndexError, TypeError) as error:
            raise AssertionError(f"{call}: no table came, but an error ({error})") from None
        assert isinstance(got, (tuple, list)) and len(got) == 2, (
            f"{call}: expected the pair (cos, sin), got {type(got).__name__}: return both"
        )
        cos, sin = np.asarray(got[0]), np.asarray(got[1])
        why = {
            (T, d): ": one column for each pair; that is one for each number, every angle twice",
            (d // 2, T): ": rows are the places and columns the pairs; that is transposed",
        }.get(cos.shape, "")
        for name, table in [("cos", cos), ("sin", sin)]:
            assert table.shape == (T, d // 2), f"{call}: expected {name} of shape {(T, d // 2)}, got {table.shape}{why}"
        places, i = np.arange(T)[:, None], np.arange(d // 2)[None, :]

        def tables(angles):
            return np.cos(angles), np.sin(angles)

        def close(pair, rough=1e-9):
            return all(np.allclose(a, b, rtol=0, atol=rough) for a, b in zip((cos, sin), pair, strict=True))

        right = tables(places * b ** (-2 * i / d))
        if not close(right):
            known = {
                "cos and sin are swapped: return (cos, sin)": right[::-1],
                "the exponent is -i/d: pair i has -2i/d, so that the last pair is the slowest, near 1/base": tables(
                    places * b ** (-i / d)
                ),
                "the exponent counts 2i twice: pair i has -2i/d": tables(places * b ** (-4 * i / d)),
                "the speeds grow with the pair: the exponent is negative": tables(places * b ** (2 * i / d)),
                "the places start at 1: the first token stands at place 0": tables((places + 1) * b ** (-2 * i / d)),
                "the base is always 10000, whatever was asked for": tables(places * 10000.0 ** (-2 * i / d)),
                "that is the base itself, not its power": tables(places * np.full(i.shape, b)),
                "the angles were taken for degrees: they are radians": tables(np.radians(places * b ** (-2 * i / d))),
                "the first pair has exponent -2/d: count the pairs from 0": tables(places * b ** (-2 * (i + 1) / d)),
                "the last pair has speed 1/base: the divisor is d, not d - 2": tables(places * b ** (-2 * i / max(d - 2, 1))),
                "the angles themselves were returned": (places * b ** (-2 * i / d),) * 2,
                "the slowest pair comes first: pair 0 has speed 1": tables(places * b ** (-2 * i[:, ::-1] / d)),
                "the angles are divided by 2 pi: they are radians, not turns": tables(
                    places * b ** (-2 * i / d) / (2 * np.pi)
                ),
                "the angles are multiplied by 2 pi: they are radians, not turns": tables(
                    places * b ** (-2 * i / d) * 2 * np.pi
                ),
            }
            for mistake, wrong in known.items():
                if not all(np.allclose(a, b) for a, b in zip(wrong, right, strict=True)):
                    assert not close(wrong, 1e-6), f"{call}: {mistake}"
            assert not close(right, 0.1), (
                f"{call}: nearly right (off by {max(np.abs(cos - right[0]).max(), np.abs(sin - right[1]).max()):.1e}): "
                "the angles were rounded, as in float32 or float16; compute in float64"
            )
            raise AssertionError(f"{call}: expected cos\n{right[0]}\nand sin\n{right[1]}\ngot\n{cos}\nand\n{sin}")
        assert cos.dtype == sin.dtype == np.float64, f"{call}: expected dtype float64, got {cos.dtype} and {sin.dtype}"

    check(8, 6)
    check(6, 40, 500)
    check(4, 5, 100.0)
    check(2, 3)
    ### BEGIN HIDDEN TESTS
    for d, T, base in [(2, 1, 10000.0), (16, 33, 500000.0), (64, 10, 100000), (10, 7, 2.0), (4, 20_000, 10000.0)]:
        check(d, T, base)
    check(128, 9)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_rope_tables()


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
# - `"interleaved"` (Meta, llama2.c, GGUF): neighbours. Pair `i` is the numbers `2i` and `2i + 1`.
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
# <details><summary>Hint 1: a nudge</summary>
#
# `cos[positions]` has a row for each token. Which slices of `x` give all the first numbers of the pairs, and all the
# second ones?
#
# <details><summary>Hint 2: the approach</summary>
#
# Interleaved: `x[..., 0::2]` and `x[..., 1::2]`. Half: `x[..., : d // 2]` and `x[..., d // 2 :]`. Compute both new slices
# from the old ones before you write either, and write each where its old one was, in a new array like `x`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# Make two slices, `first` and `second`, by the layout. With `c, s = cos[positions], sin[positions]`, fill
# `out = np.empty_like(x)`: `out[..., first] = x[..., first] * c - x[..., second] * s`, and the other one with plus.
#
# </details></details></details>


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

    def turn(x, angles, layout):  # the pairs as complex numbers, turned by complex multiplication
        half = x.shape[-1] // 2
        pairs = x[..., 0::2] + 1j * x[..., 1::2] if layout == "interleaved" else x[..., :half] + 1j * x[..., half:]
        return pairs * np.exp(1j * angles)

    def lay(pairs, layout):
        if layout == "half":
            return np.concatenate([pairs.real, pairs.imag], axis=-1)
        return np.stack([pairs.real, pairs.imag], axis=-1).reshape(*pairs.shape[:-1], -1)

    def check(x, positions, layout=None, base=30.0):
        word = "" if layout is None else f', layout="{layout}"'
        where = f"places {positions.tolist()}" if positions.ndim == 1 else f"places of shape {positions.shape}"
        call = f"apply_rope of {x.dtype} {x.shape} at {where}{word}"
        form = layout or "interleaved"
        other = "half" if form == "interleaved" else "interleaved"
        d = x.shape[-1]
        half = d // 2
        places = int(positions.max()) + 40
        speeds = base ** (-np.arange(half) / half)
        table = np.outer(np.arange(places), speeds)
        cos, sin = np.cos(table), np.sin(table)
        given = [x.copy(), cos.copy(), sin.copy(), positions.copy()]
        try:
            y = np.asarray(apply_rope(*given) if layout is None else apply_rope(*given, layout=layout))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): cos[positions] has one row a token and one column a pair"
            ) from None
        assert y.shape == x.shape, f"{call}: expected the same shape {x.shape}, got {y.shape}"
        w = x.astype(np.float64)
        angles = table[positions]
        expected = lay(turn(w, angles, form), form)
        rough = 1e-9 if x.dtype == np.float64 else 2e-5

        def close(a, b):
            return np.allclose(a, b, rtol=rough, atol=rough)

        if not close(y, expected):
            T = x.shape[-2]
            counted = table[:T]
            pairs = turn(w, 0 * angles, form)
            c, s = np.cos(angles), np.sin(angles)
            new_a = pairs.real * c - pairs.imag * s
            repeated = np.repeat(angles, 2, axis=-1) if form == "half" else np.concatenate([angles, angles], axis=-1)
            partner = lay(1j * pairs, form)
            known = {
                "positions is ignored: token t was taken to stand at place t": lay(turn(w, counted, form), form),
                f"the pairs are those of the other layout, {other!r}": lay(turn(w, angles, other), other),
                "nothing was turned": w,
                "the pairs turn backwards: the minus stands in the first number, a cos - b sin": lay(
                    turn(w, -angles, form), form
                ),
                "the pairs are right and turn, but their numbers were put down in the other layout's order": lay(
                    turn(w, angles, form), other
                ),
                "the second number was computed from the new first number: keep the old one until both are done": lay(
                    new_a + 1j * (new_a * s + pairs.imag * c), form
                ),
                "the minus is missing: that is no rotation and changes lengths": lay(
                    pairs.real * c + pairs.imag * s + 1j * (pairs.real * s + pairs.imag * c), form
                ),
                "only the cosine is used: a cos - b sin, a sin + b cos": lay(pairs.real * c + 1j * pairs.imag * c, form),
                "the pairs are right, but the angles are spread over the numbers as in the other layout": w
                * np.cos(repeated)
                + partner * np.sin(repeated),
                "every token was turned by the angles of the first one": lay(turn(w, angles[..., :1, :], form), form),
                "every pair was turned by the angle of the first pair": lay(turn(w, angles[..., :1], form), form),
                "cos and sin are exchanged": lay(pairs * (s + 1j * c), form),
                "turned twice": lay(turn(w, 2 * angles, form), form),
            }
            if x.ndim >= 3 and positions.ndim == 1 and x.shape[-3] == T:
                known["heads were taken for tokens: the places belong to the axis before the last"] = lay(
                    turn(w, angles[:, None, :], form), form
                )
            if layout is not None and form == "half":
                known["layout is ignored: this is the interleaved answer"] = known.pop(
                    f"the pairs are those of the other layout, {other!r}"
                )
            for mistake, wrong in known.items():
                if not close(wrong, expected):
                    assert not close(y, wrong), f"{call}: {mistake}"
            if x.dtype == np.float64 and np.allclose(y, expected, atol=1e-4):
                raise AssertionError(f"{call}: right to single precision only: float64 must stay float64 throughout")
            raise AssertionError(f"{call}: expected\n{expected}\ngot\n{y}")
        assert y.dtype == x.dtype, (
            f"{call}: the numbers are right, but expected dtype {x.dtype}, got {y.dtype}: "
            "the float64 tables turned it all into float64; the answer has the dtype of x"
        )

    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 8))
    check(x, np.array([0, 1, 2]))
    check(x, np.array([0, 1, 2]), "half")
    check(x, np.array([5, 6, 7]), "interleaved")
    check(x, np.array([4, 0, 9]), "half")
    check(rng.normal(size=(2, 4, 4, 6)), np.array([3, 4, 5, 6]))
    check(rng.normal(size=(2, 4, 4, 6)), np.array([3, 4, 5, 6]), "half")
    check(rng.normal(size=(2, 3, 4, 8)), np.array([[[0, 1, 2, 3]], [[7, 8, 9, 10]]]))
    check(x.astype(np.float32), np.array([5, 6, 7]))
    check(x.astype(np.float32), np.array([5, 6, 7]), "half")
    for word in ("halves", "Half", ""):
        try:
            apply_rope(x.copy(), np.ones((3, 4)), np.zeros((3, 4)), np.arange(3), layout=word)
        except ValueError:
            continue
        raise AssertionError(f'layout="{word}" is neither of the two words: expected ValueError, got an answer')
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(42)
    for layout in ("interleaved", "half"):
        for lead, T, d in [((), 1, 2), ((5,), 2, 10), ((2, 3), 6, 16), ((1, 1, 2), 3, 4)]:
            for base in (10000.0, 7.0):
                check(rng.normal(size=(*lead, T, d)), rng.integers(0, 60, size=T), layout, base)
                check(rng.normal(size=(*lead, T, d)).astype(np.float32), rng.integers(0, 60, size=T), layout, base)
        check(rng.normal(size=(3, 2, 5, 6)), rng.integers(0, 90, size=(3, 1, 5)), layout)
        check(rng.normal(size=(3, 2, 1, 6)), np.array([77]), layout)
        table = np.outer(np.arange(200), 50.0 ** (-np.arange(4) / 4))
        q, k = rng.normal(size=(2, 1, 8))

        def score(m, n, q=q, k=k, table=table, layout=layout):
            turned = [apply_rope(v, np.cos(table), np.sin(table), np.array([p]), layout=layout) for v, p in ((q, m), (k, n))]
            return float(np.asarray(turned[0])[0] @ np.asarray(turned[1])[0])

        for m, n in [(3, 1), (50, 7)]:
            here, later = score(m, n), score(m + 100, n + 100)
            assert abs(here - later) < 1e-9, (
                f"layout {layout!r}: the score of places {m} and {n} is {here:.4f}, 100 places on it is {later:.4f}: "
                "it must depend on the difference only"
            )
        assert abs(score(3, 1) - score(4, 1)) > 1e-3, f"layout {layout!r}: one place further on, the score is the same"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_apply_rope()


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
# <details><summary>Hint 1: a nudge</summary>
#
# To half: in each head, first all the even columns, then all the odd ones.
#
# <details><summary>Hint 2: the approach</summary>
#
# Interleaved, the last axis is (heads, d/2, 2): pair by pair, its two numbers side by side. Half, it is (heads, 2, d/2).
# One reshape, one swap of two axes, one reshape back. The head width is `W.shape[-1] // heads`: keys have fewer columns.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `W.reshape(*W.shape[:-1], heads, d // 2, 2)` (or `..., heads, 2, d // 2`, for the other direction), then
# `.swapaxes(-1, -2)`, then `.reshape(W.shape)`.
#
# </details></details></details>


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

    def order(heads, d, to):
        inside = np.arange(d).reshape((-1, 2) if to == "half" else (2, -1)).T.ravel()
        return inside, (np.arange(heads)[:, None] * d + inside).ravel()

    def check(W, heads, to=None):
        call = f"convert_rope_layout of {W.shape}, heads={heads}" + ("" if to is None else f', to="{to}"')
        form = to or "half"
        wide = W.shape[-1]
        d = wide // heads
        try:
            got = np.asarray(convert_rope_layout(W.copy(), heads) if to is None else convert_rope_layout(W.copy(), heads, to=to))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): is the head width taken from the last axis, {wide} / {heads}? "
                "A key matrix has fewer columns than rows"
            ) from None
        assert got.shape == W.shape, f"{call}: expected the same shape {W.shape}, got {got.shape}"
        inside, columns = order(heads, d, form)
        expected = W[..., columns]
        if np.array_equal(got, expected):
            return
        back = "interleaved" if form == "half" else "half"
        odd_first = np.concatenate([inside[d // 2 :], inside[: d // 2]]) if form == "half" else inside.reshape(-1, 2)[:, ::-1].ravel()
        known = {
            "that is the other direction": W[..., order(heads, d, back)[1]],
            "the columns were sorted over the whole width: each head keeps its own together": W[..., order(1, wide, form)[1]],
            "nothing was moved": W,
            "the second numbers of the pairs came first": W[
                ..., (np.arange(heads)[:, None] * d + odd_first).ravel()
            ],
            "the halves of each head were swapped, and the pairs left as they are": W.reshape(*W.shape[:-1], heads, 2, d // 2)[
                ..., ::-1, :
            ].reshape(W.shape),
            "the heads were mixed: the head is the outermost of the split axes": W.reshape(*W.shape[:-1], d, heads)
            .swapaxes(-1, -2)
            .reshape(W.shape),
        }
        if W.ndim > 1 and W.shape[-2] % (2 * heads) == 0:
            rows = order(heads, W.shape[-2] // heads, form)[1]
            known["the rows were moved: with x @ W the heads lie along the columns, the last axis"] = W[..., rows, :]
        if W.ndim > 1 and W.shape[-2] % heads == 0 and W.shape[-2] != wide and wide % (W.shape[-2] // heads) == 0:
            width = W.shape[-2] // heads
            if width % 2 == 0:
                known["the head width was taken from the rows, D / heads: it is the number of columns / heads"] = W[
                    ..., order(wide // width, width, form)[1]
                ]
        for mistake, wrong in known.items():
            if not np.array_equal(wrong, expected):
                assert not np.array_equal(got, wrong), f"{call}: {mistake}"
        if got.size and np.array_equal(np.sort(got.ravel()), np.sort(W.ravel())):
            raise AssertionError(f"{call}: expected the columns in the order {columns.tolist()}, got\n{got}")
        raise AssertionError(f"{call}: only the order of the columns changes: expected\n{expected}\ngot\n{got}")

    check(np.arange(12)[None, :], 2)
    check(np.arange(12)[None, :], 2, "interleaved")
    rng = np.random.default_rng(2)
    check(rng.normal(size=(16, 16)), 2)
    check(rng.normal(size=(16, 16)), 2, "interleaved")
    check(rng.normal(size=(24, 12)), 2)  # keys: two heads where the queries have four
    check(rng.normal(size=(24, 12)), 2, "interleaved")
    check(rng.normal(size=12), 2, "half")
    for word in ("hf", "Half", ""):
        try:
            convert_rope_layout(np.zeros((8, 8)), 1, to=word)
        except ValueError:
            continue
        raise AssertionError(f'to="{word}" is neither of the two words: expected ValueError, got an answer')
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(43)
    for lead, heads, d in [((5,), 1, 2), ((30,), 3, 10), ((8,), 4, 8), ((), 5, 6), ((2, 3), 2, 14), ((64,), 1, 64)]:
        for to in ("half", "interleaved"):
            check(rng.normal(size=(*lead, heads * d)), heads, to)
            check(rng.normal(size=(*lead, heads * d)).astype(np.float16), heads, to)
    T, D, heads, d = 5, 24, 2, 6
    x, Wq, Wk = rng.normal(size=(T, D)), rng.normal(size=(D, heads * d)), rng.normal(size=(D, heads * d))
    angles = np.outer(np.arange(T), 10.0 ** (-np.arange(d // 2) / 3))

    def scores(Wq, Wk, layout):
        heads_of = [np.asarray(x @ W).reshape(T, heads, d).transpose(1, 0, 2) for W in (Wq, Wk)]
        pairs = [
            h[..., 0::2] + 1j * h[..., 1::2] if layout == "interleaved" else h[..., : d // 2] + 1j * h[..., d // 2 :]
            for h in heads_of
        ]
        q, k = (p * np.exp(1j * angles) for p in pairs)
        return np.einsum("hqi,hki->hqk", q, k.conj()).real

    for start, to in (("interleaved", "half"), ("half", "interleaved")):
        before = scores(Wq, Wk, start)
        after = scores(*(np.asarray(convert_rope_layout(W, heads, to=to)) for W in (Wq, Wk)), to)
        assert np.allclose(before, after), f"from {start} to {to}: the scores of the converted weights differ"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_convert_rope_layout()


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
# <details><summary>Hint 1: a nudge</summary>
#
# SiLU is the gate times its own sigmoid. Which of the two projections goes through it?
#
# <details><summary>Hint 2: the approach</summary>
#
# Sigmoid without overflow: exp only ever sees a number that is not positive. With `e = np.exp(-np.abs(g))`, which is at
# most 1, the sigmoid is 1/(1+e) where g ≥ 0 and e/(1+e) elsewhere.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `g, u = x @ Wg, x @ Wu`; `sigmoid = np.where(g >= 0, 1, e) / (1 + e)`; the answer is `(g * sigmoid * u) @ Wd`.
#
# </details></details></details>


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

    def check(x, Wg, Wu, Wd):
        call = f"swiglu of {x.dtype} x {x.shape}, Wg and Wu {Wg.shape}, Wd {Wd.shape}"
        try:
            with np.errstate(all="ignore"):
                y = np.asarray(swiglu(x.copy(), Wg.copy(), Wu.copy(), Wd.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): x @ Wg and x @ Wu are (..., F), and Wd leads back to D"
            ) from None
        assert y.shape == x.shape, f"{call}: expected shape {x.shape}, got {y.shape}"
        x64, g64, u64, d64 = (a.astype(np.float64) for a in (x, Wg, Wu, Wd))
        g, u = x64 @ g64, x64 @ u64

        def sigmoid(z):
            return np.exp(-np.logaddexp(0.0, -z))

        def gelu(z):
            return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))

        expected = (g * sigmoid(g) * u) @ d64
        size = np.abs(g * sigmoid(g) * u) @ np.abs(d64)
        rough = (1e-9 if x.dtype == np.float64 else 3e-5) * (1 + size)

        def close(a, b):
            return bool(np.all(np.abs(a - b) <= rough))

        if not close(y, expected):
            assert np.isfinite(y).all(), (
                f"{call}, gates from {g.min():g} to {g.max():g}: got NaN or infinity, from an overflow in exp: "
                "let exp see only numbers that are not positive, or write the sigmoid as 1 / (1 + exp(-g))"
            )
            known = {
                "gate and up are swapped: silu goes on x @ Wg": (g * u * sigmoid(u)) @ d64,
                "the gate is the bare sigmoid: silu(g) is g times sigmoid(g)": (sigmoid(g) * u) @ d64,
                "the up projection is missing: multiply silu(gate) by x @ Wu": (g * sigmoid(g)) @ d64,
                "silu was put on both projections: up stays as it is": (g * sigmoid(g) * u * sigmoid(u)) @ d64,
                "silu was put on the product: it belongs on the gate only": (g * u * sigmoid(g * u)) @ d64,
                "gate and up were added: multiply them": (g * sigmoid(g) + u) @ d64,
                "nothing bends: silu is missing": (g * u) @ d64,
                "that is ReLU on the gate: SiLU keeps a little below zero": (np.maximum(g, 0) * u) @ d64,
                "that is GELU on the gate: SiLU is g times sigmoid(g)": (gelu(g) * u) @ d64,
                "the sign in the sigmoid is wrong: it must grow with g": (g * sigmoid(-g) * u) @ d64,
                "tanh stands in place of the sigmoid": (g * np.tanh(g) * u) @ d64,
                "the gate was clipped: silu of a large g is g": (
                    np.clip(g, -30, 30) * sigmoid(np.clip(g, -30, 30)) * u
                )
                @ d64,
            }
            down = (g * u) @ d64
            known["silu came after the down projection: it goes on the gate"] = down * sigmoid(down)
            known["x was added: the residual belongs to the block, not to this function"] = expected + x64
            for mistake, wrong in known.items():
                if not close(wrong, expected):
                    assert not close(y, wrong), f"{call}: {mistake}"
            raise AssertionError(f"{call}: expected\n{expected}\ngot\n{y}")
        assert y.dtype == x.dtype, (
            f"{call}: the numbers are right, but expected dtype {x.dtype}, got {y.dtype}: the answer has the dtype of x"
        )

    rng = np.random.default_rng(3)
    x, Wg, Wu, Wd = (rng.normal(size=shape) for shape in [(2, 3, 4), (4, 6), (4, 6), (6, 4)])
    check(x, Wg, Wu, Wd)
    check(np.array([1.0, 2.0]), np.array([[1.0], [0.5]]), np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]]))
    check(*(a.astype(np.float32) for a in (x, Wg, Wu, Wd)))
    check(x[0], Wg * 3000, Wu, Wd)
    check(*(a.astype(np.float32) for a in (x[0], Wg * 3000, Wu, Wd)))
    square = rng.normal(size=(3, 5, 5))
    check(rng.normal(size=(2, 5)), *square)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(44)
    for lead, D, F in [((), 1, 1), ((3,), 8, 3), ((2, 5), 6, 16), ((1, 2, 2), 5, 7)]:
        for dtype in (np.float64, np.float32):
            shapes = [(*lead, D), (D, F), (D, F), (F, D)]
            x, Wg, Wu, Wd = (rng.normal(size=shape).astype(dtype) for shape in shapes)
            check(x, Wg, Wu, Wd)
            check(x, Wg * dtype(0.01), Wu, Wd)
            check(x, Wg * dtype(1e4), Wu, Wd)
            check(np.zeros_like(x), Wg, Wu, Wd)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_swiglu()


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
# By hand: with the heads A, B and `n = 3`, A A A B B B comes out.
#
# <details><summary>Hint 1: a nudge</summary>
#
# NumPy has two functions that repeat: one gives A B A B A B, the other A A A B B B.
#
# <details><summary>Hint 2: the approach</summary>
#
# `np.repeat` repeats each entry along an axis. The heads are the third axis from the end, however many axes stand before.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `np.repeat(x, n, axis=...)` with a negative number for the axis.
#
# </details></details></details>


# %% nbgrader={"grade_id": "repeat_kv", "solution": true}
def repeat_kv(x: np.ndarray, n: int) -> np.ndarray:
    """x (..., K, T, d) with each head n times in a row. Shape (..., K * n, T, d)."""
    ### BEGIN SOLUTION
    return np.repeat(x, n, axis=-3)  # (..., K * n, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_repeat_kv", "grade": true, "points": 1}
def test_repeat_kv():
    """A A A B B B along the axis of the heads, with any leading axes."""

    def check(x, n):
        call = f"repeat_kv of {x.shape}, n={n}"
        K = x.shape[-3]
        try:
            y = np.asarray(repeat_kv(x.copy(), n))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): the heads are the third axis from the end, axis=-3, "
                "with no batch axis, or one, or several before it"
            ) from None
        shape = (*x.shape[:-3], K * n, *x.shape[-2:])
        which = [x[..., i // n, :, :] for i in range(K * n)]
        expected = np.stack(which, axis=-3)
        why = ""
        if y.shape != shape:
            if y.shape == x.shape and n != 1:
                why = ": n is how often each head is repeated, not how many there are in the end"
            for axis in range(x.ndim):
                if axis != x.ndim - 3 and y.shape == tuple(s * (n if a == axis else 1) for a, s in enumerate(x.shape)):
                    why = f": axis {axis} was repeated; the heads are the third axis from the end (axis=-3)"
        assert y.shape == shape, f"{call}: expected shape {shape}, got {y.shape}{why}"
        if not np.array_equal(y, expected):
            tiled = np.concatenate([x] * n, axis=-3)
            assert not np.array_equal(y, tiled), (
                f"{call}: the heads come as A B A B: each must come n times in a row, A A B B (repeat, not tile)"
            )
            assert y.any() or not x.any(), f"{call}: the copies are zeros"
            mixed = np.repeat(x, n, axis=-2).reshape(shape)
            assert not np.array_equal(y, mixed), (
                f"{call}: tokens were repeated, and a reshape cut them into heads: repeat whole heads (axis=-3)"
            )
            heads = [[k for k in range(K) if np.array_equal(y[..., i, :, :], x[..., k, :, :])] for i in range(K * n)]
            raise AssertionError(f"{call}: expected the heads {[i // n for i in range(K * n)]}, got {heads}")
        assert y.dtype == x.dtype, f"{call}: expected dtype {x.dtype}, got {y.dtype}"

    rng = np.random.default_rng(4)
    check(rng.normal(size=(2, 4, 5)), 3)
    check(rng.normal(size=(2, 3, 4, 6)).astype(np.float32), 2)
    check(rng.normal(size=(3, 2, 2, 4, 5)), 2)
    check(rng.normal(size=(1, 4, 5)), 4)
    check(rng.normal(size=(2, 3, 3, 3)), 1)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(45)
    for shape, n in [((5, 1, 2), 2), ((2, 2, 2), 2), ((4, 2, 6, 3), 4), ((1, 1, 1, 1), 7), ((2, 1, 3, 2, 4), 3)]:
        check(rng.normal(size=shape), n)
        check(rng.normal(size=shape).astype(np.float16), n)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_repeat_kv()


# %% [markdown]
# ## Given: `rotate` and `causal_attend`
# For the last exercise. `rotate` is rotary positions in the interleaved layout, written with complex numbers: a turn by
# θ is a product with cos θ + i sin θ. `causal_attend` is the attention of chapter 1 under a causal mask (因果掩码), with as
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
# By hand: with T = 1 the token sees itself only, its weight is 1, and the output of every head is the plain `v` of its
# group, whatever its place. And moving **all** tokens 100 places on changes no output.
#
# Use the given `rotate` and `causal_attend`; they take any leading axes.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which two of the three arrays make the scores? Only there do places matter.
#
# <details><summary>Hint 2: the approach</summary>
#
# Turn q and k, each with all its own heads. Then repeat the heads of k and of v `H // K` times, each in a row, and hand
# the three to `causal_attend`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `n = q.shape[-3] // k.shape[-3]`, and `np.repeat(rotate(k, positions, base), n, axis=-3)` for the keys.
#
# </details></details></details>


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

    def turn(x, positions, base):
        d = x.shape[-1]
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(
            1j * np.outer(positions, base ** (-np.arange(d // 2) / (d // 2)))
        )
        return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)

    def attend(q, k, v, share, share_v=None, causal=True):
        T, d = q.shape[-2:]
        scores = np.einsum("...qd,...kd->...qk", q, share(k)) / np.sqrt(d)
        if causal:
            scores = np.where(np.tri(T, dtype=bool), scores, -1e30)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return np.einsum("...qk,...kd->...qd", weights / weights.sum(-1, keepdims=True), (share_v or share)(v))

    def check(q, k, v, positions, base=None):
        call = f"rope_attention of q {q.shape}, k and v {k.shape}, places {positions.tolist()}"
        call += "" if base is None else f", base={base:g}"
        b = 10000.0 if base is None else base
        H, K = q.shape[-3], k.shape[-3]
        given = [a.copy() for a in (q, k, v, positions)]
        try:
            y = np.asarray(rope_attention(*given) if base is None else rope_attention(*given, base))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): are the {K} heads of k and v repeated to {H}, along axis -3?"
            ) from None
        assert y.shape == q.shape, f"{call}: expected shape {q.shape}, got {y.shape}"

        def each(x):
            return np.repeat(x, H // K, axis=-3)

        def tiled(x):
            return np.concatenate([x] * (H // K), axis=-3)

        places = np.asarray(positions)
        qr, kr, vr = (turn(x, places, b) for x in (q, k, v))
        expected = attend(qr, kr, v, each)

        def close(a, c):
            return np.allclose(a, c, rtol=1e-4, atol=1e-5)

        if close(y, expected):
            return
        counted = np.arange(len(places))
        known = {
            "the values were turned too: places act on the scores only": attend(qr, kr, vr, each),
            "nothing was turned: the places are ignored": attend(q, k, v, each),
            "only the queries were turned: the score then depends on the place itself": attend(qr, k, v, each),
            "only the keys were turned: the score then depends on the place itself": attend(q, kr, v, each),
            "the outputs were turned: turn queries and keys": turn(attend(q, k, v, each), places, b),
            "the heads of k and v come as A B A B: query head h looks at head h // n (repeat, not tile)": attend(
                qr, kr, v, tiled
            ),
            "the keys are repeated as A B A B, the values as A A B B": attend(qr, kr, v, tiled, each),
            "the keys are repeated as A A B B, the values as A B A B": attend(qr, kr, v, each, tiled),
            "the future is not hidden: use causal_attend": attend(qr, kr, v, each, causal=False),
            "positions is ignored: the places were counted from 0": attend(
                turn(q, counted, b), turn(k, counted, b), v, each
            ),
            "base is ignored: it is always 10000": attend(turn(q, places, 10000.0), turn(k, places, 10000.0), v, each),
            "all query heads look at the first key/value head": attend(
                qr, kr, v, lambda x: np.repeat(x[..., :1, :, :], H, axis=-3)
            ),
            "k and v are exchanged": attend(qr, turn(v, places, b), k, each),
        }
        for mistake, wrong in known.items():
            if not close(wrong, expected):
                assert not close(y, wrong), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected\n{expected}\ngot\n{y}")

    rng = np.random.default_rng(5)
    q, k, v = rng.normal(size=(4, 3, 4)), rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    check(q, k, v, np.array([0, 1, 2]))
    check(q, k, v, np.array([7, 9, 12]))
    check(q, k, v, np.array([0, 1, 2]), 5.0)
    q, k, v = rng.normal(size=(2, 6, 5, 8)), rng.normal(size=(2, 3, 5, 8)), rng.normal(size=(2, 3, 5, 8))
    check(q, k, v, np.arange(4, 9))
    check(rng.normal(size=(2, 1, 4)), rng.normal(size=(1, 1, 4)), rng.normal(size=(1, 1, 4)), np.array([3]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(46)
    for lead, H, K, T, d in [((), 1, 1, 4, 2), ((3,), 4, 4, 3, 6), ((2,), 8, 2, 6, 4), ((2, 2), 3, 1, 4, 8)]:
        q, k, v = (rng.normal(size=(*lead, n, T, d)) for n in (H, K, K))
        start = int(rng.integers(0, 50))
        check(q, k, v, np.arange(start, start + T))
        check(q, k, v, np.arange(start, start + T), 500000.0)
        check(q, k, v, np.sort(rng.choice(80, size=T, replace=False)), 20.0)
    q, k, v = rng.normal(size=(4, 5, 6)), rng.normal(size=(2, 5, 6)), rng.normal(size=(2, 5, 6))
    here = np.asarray(rope_attention(q, k, v, np.arange(5)))
    later = np.asarray(rope_attention(q, k, v, np.arange(5) + 100))
    assert np.allclose(here, later, atol=1e-6), "all tokens 100 places further on: expected the same outputs"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_rope_attention()
