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
# # Looking things up softly
#
# A dictionary gives the value of the one key that equals the query. Attention (注意力 attention) gives a mixture of
# **all** the values, each weighted by how well its key fits the query. Four steps: score every key, scale the scores,
# turn them into weights that sum to 1, and take the weighted sum of the values.
#
# **When you are done you can** write a softmax that survives large numbers, compute scaled scores for any number of
# batches and heads, and put the whole of attention together, with a mask.
#
# **You need** matrix products, axes and broadcasting in NumPy. Plan about 40 minutes.
#
# **Shapes.** `...` any leading axes (batch, heads, or none), `Tq` queries, `Tk` keys, `d` width of a query and of a key,
# `dv` width of a value.
#
# **The example.** Three tokens, 酒店 (hotel), 很 (very), 干净 (clean), with `d = 4`, so the scale is 1/2:
#
# | token | query | key | value |
# |---|---|---|---|
# | 酒店 | (2, 0, 0, 0) | (1, 0, 1, 0) | (4, 0, 0, 2) |
# | 很 | (2, 2, −2, 0) | (0, 1, 0, 1) | (0, 4, 0, 2) |
# | 干净 | (2, 0, 2, 0) | (1, 1, 0, 0) | (0, 0, 4, 2) |
#
# The last number of every value is 2, so the last number of an output is 2 exactly when its weights sum to 1.
#
# Each exercise stands alone: none of them needs your answer to another one. Where `attention` wants a softmax, use the
# given `scipy_softmax`.

# %%
import numpy as np
from scipy.special import softmax as scipy_softmax


# %% [markdown]
# ## `softmax`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Softmax turns any numbers into weights (注意力权重 attention weights): all positive, summing to 1, the larger number
# getting the larger weight.
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$
#
# `softmax(x, axis=-1)` takes an array of any shape and returns one of **the same shape** whose sums along `axis` are 1.
# It must be right for numbers as large as ±10 000, where `np.exp` alone overflows to infinity. Do not use
# `scipy_softmax` here: it is what you are building.
#
# By hand: the scaled scores of 干净 are (2, 0, 1). Their exponentials are 7.389, 1 and 2.718, with sum 11.107, so the
# weights are 0.665, 0.090 and 0.245.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What happens to the weights when you add the same number to every entry of a row?
#
# <details><summary>Hint 2: the approach</summary>
#
# Nothing happens: the factor cancels. So subtract from each slice its own largest entry; then no exponent is above 0.
#
# <details><summary>Hint 3: the shapes</summary>
#
# For `x` of shape `(3, 5)` and `axis=0`, maximum and sum must have shape `(1, 5)` to broadcast against `x`:
# `x.max(axis=axis, keepdims=True)`, and the same for the sum.
#
# </details></details></details>


# %% nbgrader={"grade_id": "softmax", "solution": true}
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weights along `axis`: positive, with sum 1. Same shape as x."""
    ### BEGIN SOLUTION
    shifted = x - x.max(axis=axis, keepdims=True)  # same shape as x, nothing above 0
    exps = np.exp(shifted)  # same shape as x
    return exps / exps.sum(axis=axis, keepdims=True)  # same shape as x
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_softmax", "grade": true, "points": 2}
def test_softmax():
    """The sums along the axis are 1, on any axis, and large numbers do not overflow."""

    def check(x, axis=None):
        call = f"softmax of shape {x.shape}" + ("" if axis is None else f", axis={axis}")
        ax = -1 if axis is None else axis
        try:
            with np.errstate(all="ignore"):
                p = np.asarray(softmax(x.copy()) if axis is None else softmax(x.copy(), axis=axis))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): do maximum and sum keep the reduced axis (keepdims=True)?"
            ) from None
        assert p.shape == x.shape, f"{call}: expected the same shape {x.shape}, got {p.shape}"
        expected = scipy_softmax(x, axis=ax)
        if np.allclose(p, expected, rtol=1e-4, atol=1e-6):
            return
        assert np.isfinite(p).all(), (
            f"{call}, entries from {x.min():g} to {x.max():g}: got NaN or infinity, "
            "from an overflow or 0/0 in exp: subtract from every slice its own maximum "
            "(not nothing, not its minimum, not the maximum of the whole array)"
        )
        with np.errstate(all="ignore"):
            e = np.exp(x - x.max())
            known = {
                "the numbers were clipped, which makes unlike large numbers equal: shift by the maximum": scipy_softmax(
                    np.clip(x, -700, 700), axis=ax
                ),
                "the sum is over the whole array, not along the axis": e / e.sum(),
            }
            each = np.exp(x - x.max(axis=ax, keepdims=True))
            known["the maximum is taken along the axis, but the sum is over the whole array"] = each / each.sum()
            known["the exponential is missing: the numbers were only divided by their sum"] = x / x.sum(
                axis=ax, keepdims=True
            )
            known["the sign is wrong: the smallest number got the largest weight"] = scipy_softmax(-x, axis=ax)
            known["that is the logarithm of the weights"] = np.log(expected)
            known["the exponentials were not divided by their sum"] = np.exp(x)
            known["the exponentials were divided by their mean: the weights must sum to 1"] = expected * x.shape[ax]
            known["that is 2 to the power x: use the exponential, e to the power x"] = scipy_softmax(
                x * np.log(2), axis=ax
            )
            known["the shifted exponentials were not divided by their sum"] = np.exp(x - x.max(axis=ax, keepdims=True))
            for other in range(x.ndim):
                if other != ax % x.ndim:
                    known[f"that is right for axis {other}: the argument axis={ax} was not followed"] = scipy_softmax(
                        x, axis=other
                    )
            if x.ndim == 2 and x.shape[0] == x.shape[1]:
                exps = np.exp(x)
                known["the sums are laid along the wrong axis: they need keepdims=True"] = exps / exps.sum(axis=ax)
                shifted = np.exp(x - x.max(axis=ax, keepdims=True))
                known["the sums are laid along the wrong axis: the sum needs keepdims=True too"] = (
                    shifted / shifted.sum(axis=ax)
                )
                known["the maxima are laid along the wrong axis: the maximum needs keepdims=True too"] = np.exp(
                    x - x.max(axis=ax)
                ) / np.exp(x - x.max(axis=ax)).sum(axis=ax, keepdims=True)
                shifted = np.exp(x - x.max(axis=ax))
                known["maxima and sums are laid along the wrong axis: they need keepdims=True"] = shifted / shifted.sum(
                    axis=ax
                )
        for mistake, wrong in known.items():
            if np.isfinite(wrong).all() or not np.isfinite(x).all():
                assert not np.allclose(p, wrong, rtol=1e-4, atol=1e-6), f"{call}: {mistake}"
        raise AssertionError(f"{call}, x =\n{x}\nexpected\n{expected}\ngot\n{p}, with sums {p.sum(axis=ax)}")

    check(np.array([2.0, 0.0, 1.0]))
    scores = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [2.0, 0.0, 1.0]])
    check(scores)
    check(scores, axis=0)
    check(np.array([[0.5, -1.0, 2.0, 0.0], [1.0, 3.0, -2.0, 0.5]]), axis=-1)
    check(np.array([1e4, 9999.0, 0.0]))
    check(np.array([[1e4, 9998.0], [-1e4, -9999.0]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(5)
    for shape in [(1,), (7,), (4, 1), (1, 6), (5, 5), (2, 3, 4)]:
        for axis in range(-len(shape), len(shape)):
            x = rng.normal(size=shape) * (3 if axis < 0 else 1e4)
            check(x.astype(np.float32).astype(float), axis=axis)  # a solution in single precision is right too
    check(np.full((3, 4), -1e4))
    check(np.full((3, 4), 1e4), axis=0)
    check(np.array([[1e4, -1e4], [-1e4, 9999.5], [-1e4, 1e4]]), axis=0)
    check(np.zeros((2, 5)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_softmax()


# %% [markdown]
# ## `scaled_scores`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# The score (得分) of a query and a key is their dot product (点积). A sum of `d` products of independent numbers of variance 1 has
# variance `d`; dividing by $\sqrt d$ brings it back to 1, so that softmax does not put nearly all weight on one key.
#
# `scaled_scores(q, k)` takes `q` of shape `(..., Tq, d)` and `k` of shape `(..., Tk, d)` with the same leading axes, and
# returns $QK^\top/\sqrt d$ of shape `(..., Tq, Tk)`: **a row for each query, a column for each key**. `d` is the width of
# the queries that you are given. A score is no weight yet: no softmax here.
#
# By hand: the query of 干净 is (2, 0, 2, 0). Its dot products with the three keys are 4, 0 and 2; halved: 2, 0 and 1.
#
# ```
#         酒店  很   干净
# 酒店     1    0    1
# 很       0    1    2
# 干净     2    0    1
# ```
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which two axes of `k` have to change places, and which must stay, when there is a batch?
#
# <details><summary>Hint 2: the approach</summary>
#
# Swap the last two axes only (`.T` reverses all of them), multiply, divide by the square root of the last axis' length.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(..., Tq, d) @ (..., d, Tk)` gives `(..., Tq, Tk)`; `np.swapaxes(k, -1, -2)` makes the second one.
#
# </details></details></details>


# %% nbgrader={"grade_id": "scaled_scores", "solution": true}
def scaled_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Dot products of q (..., Tq, d) and k (..., Tk, d) over the root of d. Shape (..., Tq, Tk)."""
    ### BEGIN SOLUTION
    d = q.shape[-1]
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(d)  # (..., Tq, d) @ (..., d, Tk) -> (..., Tq, Tk)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_scaled_scores", "grade": true, "points": 2}
def test_scaled_scores():
    """A row for each query, a column for each key, divided by the root of d, with any leading axes."""

    def check(q, k):
        call = f"scaled_scores of q {q.shape} and k {k.shape}"
        (Tq, d), Tk = q.shape[-2:], k.shape[-2]
        try:
            s = np.asarray(scaled_scores(q.copy(), k.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): swap the last two axes of k only; .T reverses all of them"
            ) from None
        dots = np.einsum("...qd,...kd->...qk", q, k)
        swapped = np.swapaxes(dots, -1, -2)
        why = ": a row for each query, a column for each key"
        if s.shape == swapped.shape != dots.shape:
            why = ": q and k are swapped: the rows belong to the queries"
        assert s.shape == dots.shape, f"{call}: expected shape {dots.shape}, got {s.shape}{why}"
        expected = dots / d**0.5
        if np.allclose(s, expected, rtol=1e-4, atol=1e-5):
            return
        known = {
            "the scale is missing: divide by the root of d": dots,
            "divided by d itself: take the root": dots / d,
            "multiplied by the root of d: divide by it": dots * d**0.5,
            "q and k are swapped: the rows belong to the queries": swapped / d**0.5 if Tq == Tk else dots + 1,
            "these are weights, not scores: leave the softmax out": scipy_softmax(expected, axis=-1),
            "divided by the root of Tq, the number of queries: it must be the root of the width d": dots / Tq**0.5,
            "divided by the root of Tk, the number of keys: it must be the root of the width d": dots / Tk**0.5,
            "these are cosines: the lengths of q and k were divided out": dots
            / np.linalg.norm(q, axis=-1)[..., :, None]
            / np.linalg.norm(k, axis=-1)[..., None, :],
        }
        if q.ndim > 2:
            n = q.shape[-3]
            known["divided by the root of a leading axis: d is the last axis"] = dots / n**0.5
            known["divided by the root of H * d, the width before the split into heads: d is the width of q"] = (
                dots / (n * d) ** 0.5
            )
        for mistake, wrong in known.items():
            assert not np.allclose(s, wrong, rtol=1e-4, atol=1e-5), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected\n{expected}\ngot\n{s}")

    q = np.array([[2, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]], dtype=float)
    k = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], dtype=float)
    rng = np.random.default_rng(0)
    check(rng.normal(size=(2, 7)), rng.normal(size=(5, 7)))
    check(q, k)
    check(rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 5, 6)))
    check(rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 5, 6)))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(17)
    for lead, Tq, Tk, d in [((), 1, 6, 3), ((), 6, 1, 5), ((4,), 4, 4, 9), ((3, 2), 5, 7, 8), ((2, 2, 2), 3, 4, 5)]:
        check(rng.normal(size=(*lead, Tq, d)), rng.normal(size=(*lead, Tk, d)))
    for d in (16, 256):
        s = np.asarray(scaled_scores(rng.normal(size=(120, d)), rng.normal(size=(100, d))))
        assert 0.8 < s.var() < 1.2, f"unit-variance inputs, d = {d}: expected a variance near 1, got {s.var():.3g}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_scaled_scores()


# %% [markdown]
# ## `attention`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# All four steps: scores, scale, softmax over the keys, weighted sum of the values.
#
# `attention(q, k, v, mask=None)` takes `q` `(..., Tq, d)`, `k` `(..., Tk, d)` and `v` `(..., Tk, dv)` and returns the pair
# `(output, weights)` of shapes `(..., Tq, dv)` and `(..., Tq, Tk)`.
#
# The mask (注意力掩码 attention mask) is boolean, **`True` = may look**, and broadcasts to the scores. A hidden key gets
# weight 0, and the weights of the others still sum to 1. A query that may look at **nothing** gets weights 0 and output
# 0, never NaN.
#
# By hand: the weights of 干净 are (0.665, 0.090, 0.245), so its output is 0.665 · (4, 0, 0, 2) + 0.090 · (0, 4, 0, 2) +
# 0.245 · (0, 0, 4, 2) = (2.661, 0.360, 0.979, 2). If it may not look at 很, the scores (2, 1) are left, with the weights
# 0.731 and 0.269: the output is (2.924, 0, 1.076, 2).
#
# <details><summary>Hint 1: a nudge</summary>
#
# What score must a hidden key have for softmax to give it no weight?
#
# <details><summary>Hint 2: the approach</summary>
#
# Replace the hidden scores **before** the softmax by a very negative number, with `np.where`, which broadcasts. With −∞, a
# row without any key is 0/0; with −1e30 it comes out uniform, and you set the hidden weights to 0 afterwards.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `scores = q @ np.swapaxes(k, -1, -2) / ...` is `(..., Tq, Tk)`; `scipy_softmax(..., axis=-1)` sums over the keys;
# `weights @ v` is `(..., Tq, Tk) @ (..., Tk, dv)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "attention", "solution": true}
def attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Output (..., Tq, dv) and weights (..., Tq, Tk). mask: bool, True = may look, broadcasts to the weights."""
    ### BEGIN SOLUTION
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., Tq, Tk)
    if mask is None:
        weights = scipy_softmax(scores, axis=-1)  # (..., Tq, Tk)
    else:
        weights = scipy_softmax(np.where(mask, scores, -1e30), axis=-1)  # finite, so that no row is 0/0
        weights = np.where(mask, weights, 0.0)  # a row without any key is all zeros
    return weights @ v, weights  # (..., Tq, dv), (..., Tq, Tk)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention", "grade": true, "points": 3}
def test_attention():
    """Weights sum to 1 over the keys, hidden keys weigh nothing, the output is the weighted sum of the values."""

    def check(q, k, v, mask=None):
        call = f"attention of q {q.shape}, k {k.shape}, v {v.shape}" + ("" if mask is None else f", mask {mask.shape}")
        try:
            with np.errstate(all="ignore"):
                got = (
                    attention(q.copy(), k.copy(), v.copy())
                    if mask is None
                    else attention(q.copy(), k.copy(), v.copy(), mask.copy())
                )
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}); Tq, Tk, d and dv may all differ, "
                "there may be leading axes, and a mask need only broadcast to the scores (np.where does that)"
            ) from None
        assert isinstance(got, (tuple, list)) and len(got) == 2, (
            f"{call}: expected the pair (output, weights), got {type(got).__name__}: return both"
        )
        out, w = np.asarray(got[0]), np.asarray(got[1])
        Tq, d = q.shape[-2:]
        dots = np.einsum("...qd,...kd->...qk", q, k)
        s = dots / d**0.5
        tolerance = 1e-5 + 1e-6 * np.abs(s).max()  # a solution in single precision is right too

        def close(a, b):
            return np.allclose(a, b, rtol=1e-4, atol=tolerance, equal_nan=True)

        allowed = np.ones(s.shape, bool) if mask is None else np.broadcast_to(mask, s.shape)

        def masked(s, allowed):
            p = scipy_softmax(np.where(allowed, s, -1e30), axis=-1)
            return np.where(allowed, p, 0.0)

        p = masked(s, allowed)
        expected = p @ v
        swapped = out.shape == p.shape and w.shape == expected.shape and close(out, p) and close(w, expected)
        if swapped and (out.shape != w.shape or not close(p, expected)):
            raise AssertionError(f"{call}: the pair is swapped: return (output, weights)")
        assert w.shape == p.shape, f"{call}: expected weights of shape {p.shape}, got {w.shape}"
        assert out.shape == expected.shape, f"{call}: expected an output of shape {expected.shape}, got {out.shape}"
        if not close(w, p):
            empty = ~allowed.any(-1)
            with np.errstate(all="ignore"):
                again = np.where(allowed, scipy_softmax(s, axis=-1), 0.0)
                again = again / again.sum(-1, keepdims=True)
                plain = np.where(allowed, np.exp(s), 0.0)
                plain = plain / plain.sum(-1, keepdims=True)
            if not np.isfinite(again[~empty]).all():
                assert not close(w[~empty], again[~empty]), (
                    f"{call}: NaN: the mask was applied after the softmax and the rows divided by their sums, but where "
                    "a hidden key had taken all the weight, nothing was left to divide by: mask the scores"
                )
            assert np.isfinite(w[~empty]).all() or not close(w[~empty], plain[~empty]), (
                f"{call}: NaN or infinity in the weights: exp of a large score overflows"
            )
            assert np.isfinite(w[~empty]).all(), f"{call}: NaN or infinity in the weights: does the softmax overflow?"
            assert np.isfinite(w[empty]).all(), (
                f"{call}: NaN where a query may look at nothing: a row of -inf only is 0/0; expected zeros"
            )
            full = scipy_softmax(s, axis=-1)
            mild = [scipy_softmax(np.where(allowed, s, fill), axis=-1) for fill in (-10, -100, -1000)]
            assert empty.any() or not any(close(w, m) for m in mild), (
                f"{call}: the score of a hidden key is too mild: other scores are as low (the lowest here is {s.min():g})"
            )
            known = {
                "the softmax runs over the queries: the weights must sum to 1 over the keys (axis=-1)": scipy_softmax(
                    np.where(allowed, s, -1e30), axis=-2
                ),
                "the softmax runs over the queries, with the mask after it": np.where(
                    allowed, scipy_softmax(np.where(allowed, s, -1e30), axis=-2), 0.0
                ),
                "the scale is missing: divide the scores by the root of d": masked(dots, allowed),
                "the scores were divided by d: take its root": masked(dots / d, allowed),
                "the scores were multiplied by the root of d: divide by it": masked(dots * d**0.5, allowed),
                "scores were returned in place of weights": s,
                "the unmasked weights came back: the mask is ignored": full,
                "the mask is inverted: True must mean 'may look', not 'is hidden'": masked(s, ~allowed),
                "the mask was applied after the softmax, so the rows no longer sum to 1": np.where(allowed, full, 0.0),
                "hidden scores were set to 0, but a score of 0 still gets weight: use a very negative one": (
                    scipy_softmax(np.where(allowed, s, 0.0), axis=-1)
                ),
                "the mask was added to the scores as the numbers 0 and 1": scipy_softmax(s + allowed, axis=-1),
            }
            known["the mask is inverted (and a query that sees nothing is not zero)"] = scipy_softmax(
                np.where(allowed, -1e30, s), axis=-1
            )
            for mistake, wrong in known.items():
                if not close(wrong, p):
                    assert not close(w, wrong), f"{call}: {mistake}"
            assert close(w[empty], 0.0), (
                f"{call}: a query that may look at nothing must have weights 0, got {w[empty][0]}: "
                "set the hidden weights to 0 after the softmax too"
            )
            assert close(w[~allowed], 0.0), f"{call}: a hidden key still has weight: is the filled score too mild?"
            assert close(w.sum(-1), p.sum(-1)), f"{call}: expected rows that sum to 1, got the sums\n{w.sum(-1)}"
            raise AssertionError(f"{call}: expected the weights\n{p}\ngot\n{w}")
        if not close(out, expected):
            assert not close(out, s @ v), f"{call}: the output mixes the values by scores, not by weights"
            if p.shape[-1] == Tq:
                assert not close(out, np.swapaxes(p, -1, -2) @ v), f"{call}: the weights were transposed for the output"
            if mask is not None:
                assert not close(out, scipy_softmax(s, axis=-1) @ v), (
                    f"{call}: the output was made with the unmasked weights"
                )
            if v.shape == k.shape:
                assert not close(out, p @ k), f"{call}: the output mixes the keys, not the values"
            raise AssertionError(f"{call}: the weights are right, the output is not: expected\n{expected}\ngot\n{out}")

    q = np.array([[2, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]], dtype=float)
    k = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], dtype=float)
    v = np.array([[4, 0, 0, 2], [0, 4, 0, 2], [0, 0, 4, 2]], dtype=float)
    check(q, k, v)
    check(q, k, v, np.array([[True, True, True], [True, True, False], [True, False, True]]))
    rng = np.random.default_rng(0)
    check(rng.normal(size=(2, 6)), rng.normal(size=(5, 6)), rng.normal(size=(5, 3)))
    q4, k4, v4 = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(2, 3, 5, 7))
    check(q4, k4, v4)
    check(q4, k4, v4, np.arange(5) < np.array([3, 5]).reshape(2, 1, 1, 1))
    check(q, k, v, np.array([[False, False, False], [True, True, False], [True, False, True]]))
    low_q, low_k, some = (
        np.full((2, 4), -10.0),
        np.full((3, 4), 10.0),
        np.array([[True, True, False], [False, True, True]]),
    )
    check(low_q, low_k, v, some)  # every score is -200
    check(q * 1000, k, v, np.array([[True, True, True], [True, True, False], [False, True, True]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(23)
    for lead, Tq, Tk, d, dv in [((), 1, 1, 1, 1), ((), 5, 2, 3, 4), ((3,), 4, 4, 8, 8), ((2, 2), 3, 6, 4, 5)]:
        q, k = rng.normal(size=(*lead, Tq, d)), rng.normal(size=(*lead, Tk, d))
        v = rng.normal(size=(*lead, Tk, dv))
        check(q, k, v)
        check(q * 30, k * 30, v)
        check(q * 1e3, k, v, rng.random((*lead, Tq, Tk)) < 0.6)
        check(q, k, v, rng.random((Tq, Tk)) < 0.5)
        check(q, k, v, rng.random(Tk) < 0.7)
        check(q, k, v, np.zeros((Tq, 1), bool))
        check(q, k, v, np.ones((1, Tk), bool))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention()
