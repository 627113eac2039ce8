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
# # What it costs
#
# A model learns by sending gradients (梯度) backwards through attention, and it reads long texts although the square
# table of weights does not fit in memory. Both rest on one look at softmax: how a weight moves when a score moves, and
# how a sum of exponentials can be put together from pieces.
#
# **When you are done you can** take a gradient back through softmax without building its Jacobian, through all of
# attention to queries, keys and values, and compute attention from pieces that come one after another, in memory that
# does not grow with the text.
#
# **You need** the chain rule, matrix products and broadcasting in NumPy, and the idea of attention from the page *Looking
# things up softly*. Plan about 85 minutes.
#
# **Shapes.** `...` any leading axes (batch, heads, or none), `Tq` queries, `Tk` keys, `d` width of a query and of a key,
# `dv` width of a value.
#
# **The example.** Three tokens, 酒店 (hotel), 很 (very), 干净 (clean), with `d = 4`, so the scale is 1/2:
#
# | token | query | key | value | scaled scores with 酒店, 很, 干净 |
# |---|---|---|---|---|
# | 酒店 | (2, 0, 0, 0) | (1, 0, 1, 0) | (4, 0, 0, 2) | 1, 0, 1 |
# | 很 | (2, 2, −2, 0) | (0, 1, 0, 1) | (0, 4, 0, 2) | 0, 1, 2 |
# | 干净 | (2, 0, 2, 0) | (1, 1, 0, 0) | (0, 0, 4, 2) | 2, 0, 1 |
#
# The last number of every value is 2, so the last number of an output is 2 exactly when its weights sum to 1.
#
# Each exercise stands alone: none of them needs your answer to another one. Where a softmax is wanted, use the given
# `scipy_softmax`. The tests measure gradients by moving every number a little up and a little down (有限差分 finite
# differences), so they know the right answer without knowing a formula.

# %%
from typing import Any

import numpy as np
from scipy.special import softmax as scipy_softmax


# %% [markdown]
# ## `softmax_backward`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# Softmax made the attention weights (注意力权重) `p` from a row of scores (得分). The loss moves with each weight by `dp`. How does it move with each
# **score**? Raising one score raises its own weight and lowers all the others:
#
# $$\frac{\partial p_i}{\partial s_j} = p_i(\delta_{ij} - p_j)$$
#
# The table of these numbers is the Jacobian (雅可比矩阵), $\mathrm{diag}(p) - p\,p^\top$. The gradient by the scores is the
# Jacobian times `dp`. Multiplied out by hand, the table disappears, and only sums along a row are left.
#
# `softmax_backward(p, dp)` takes the weights `p`, which sum to 1 along the **last axis**, and the gradient `dp` of the
# loss by the weights, both of shape `(..., n)`. It returns the gradient by the scores, of **the same shape**. Each row
# goes by itself. The scores themselves are not needed.
#
# By hand, for 干净: its weights are (0.665, 0.090, 0.245). Let the loss be the weight on 很, so `dp` is (0, 1, 0). The
# gradient by the scores is (−0.060, 0.082, −0.022): to raise that weight, raise the score of 很 and lower the other two.
# It sums to 0, because adding the same number to all scores changes no weight.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write out entry $i$ of the Jacobian times `dp`: $\sum_j p_i(\delta_{ij} - p_j)\,dp_j$. What can be taken out of the sum?
#
# <details><summary>Hint 2: the approach</summary>
#
# It is $p_i\,(dp_i - \sum_j p_j\,dp_j)$. The sum is the average of `dp` under the weights: one number a row, the same for
# every $i$. In the example it is 0.090.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(p * dp).sum(axis=-1, keepdims=True)` is `(..., 1)`. It broadcasts against `dp`, `(..., n)`; the final factor is `p`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "softmax_backward", "solution": true}
def softmax_backward(p: np.ndarray, dp: np.ndarray) -> np.ndarray:
    """Gradient by the scores, from the weights p and the gradient dp by the weights. All of shape (..., n)."""
    ### BEGIN SOLUTION
    average = (p * dp).sum(axis=-1, keepdims=True)  # (..., 1), of dp, under the weights
    return p * (dp - average)  # (..., n)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_softmax_backward", "grade": true, "points": 2}
def test_softmax_backward():
    """The gradient is the one that finite differences of softmax measure, row by row."""

    def close(a, b):
        return a.shape == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-6)

    def measured(x, dp):
        steps = 1e-5 * np.eye(x.size).reshape(x.size, *x.shape)  # each moves one number
        moved = (scipy_softmax(x + steps, axis=-1) - scipy_softmax(x - steps, axis=-1)) * dp
        return moved.reshape(x.size, -1).sum(-1).reshape(x.shape) / 2e-5

    def check(x, dp):
        p = scipy_softmax(x, axis=-1)
        call = f"softmax_backward of p and dp of shape {p.shape}"
        try:
            got = np.asarray(softmax_backward(p.copy(), dp.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): does the sum keep its axis (keepdims=True), "
                "and are there no assumptions about the axes before the last?"
            ) from None
        why = ": that is the Jacobian; multiply it by dp" if got.shape == (*p.shape, p.shape[-1]) else ""
        assert got.shape == p.shape, f"{call}: expected shape {p.shape}, got {got.shape}{why}"
        expected = measured(x, dp)
        if close(got, expected):
            return
        each = p * dp
        total = each.sum(-1, keepdims=True)
        again = scipy_softmax(p, axis=-1)
        known = {
            "only the diagonal of the Jacobian is used: every weight depends on every score": p * (1 - p) * dp,
            "the average is not taken away: raising one score lowers the other weights": each,
            "the average is added: the Jacobian is diag(p) minus p pᵀ": p * (dp + total),
            "the sign is wrong: this is minus the gradient": -expected,
            "the last factor p is missing": dp - total,
            "the average runs over the whole array: every row has its own": p * (dp - each.sum()),
            "the average is not weighted: it is the sum of p * dp, not the mean of dp": p
            * (dp - dp.mean(-1, keepdims=True)),
            "the sum of dp is taken away: weight it by p": p * (dp - dp.sum(-1, keepdims=True)),
            "the average is divided by n: p sums to 1 already": p * (dp - each.mean(-1, keepdims=True)),
            "the sum is taken away without its factor p: p multiplies the difference": each - total,
            "softmax is applied to p, but p holds the weights already": again
            * (dp - (again * dp).sum(-1, keepdims=True)),
            "that is p - dp, the gradient of another loss (cross-entropy): dp arrives from outside": p - dp,
            "the whole gradient comes back divided by p": expected / p,
        }
        if p.ndim > 1:
            known["the sum runs along the wrong axis (-2): softmax went along the last one"] = p * (
                dp - each.sum(-2, keepdims=True)
            )
            if p.shape[-2] == p.shape[-1]:
                known["the averages are laid along the wrong axis: the sum needs keepdims=True"] = p * (
                    dp - each.sum(-1)[..., None, :]
                )
        if p.ndim > 2:
            known["the sum runs along the first axis: softmax went along the last one"] = p * (
                dp - each.sum(0, keepdims=True)
            )
        for mistake, wrong in known.items():
            if not close(expected, wrong):
                assert not close(got, wrong), f"{call}: {mistake}"
        if not np.allclose(got.sum(-1), 0, atol=1e-5):
            mistake = "each row of the gradient must sum to 0: adding one number to all scores changes no weight"
            raise AssertionError(f"{call}: {mistake}; expected\n{expected}\ngot\n{got}")
        raise AssertionError(f"{call}, p =\n{p}\ndp =\n{dp}\nexpected\n{expected}\ngot\n{got}")

    check(np.array([2.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]))  # 干净; the loss is the weight on 很
    p = scipy_softmax([2.0, 0.0, 1.0])
    clean = np.asarray(softmax_backward(p, np.array([0.0, 1.0, 0.0])))
    assert np.allclose(clean, [-0.060, 0.082, -0.022], atol=1e-3), (
        f"干净: expected about (-0.060, 0.082, -0.022), got {clean}"
    )
    rng = np.random.default_rng(0)
    check(rng.normal(size=(2, 4)), rng.normal(size=(2, 4)))
    check(rng.normal(size=(3, 3)), rng.normal(size=(3, 3)))
    check(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4)))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    for shape in [(1,), (5,), (1, 6), (4, 4), (3, 1), (2, 2, 5), (3, 2, 2), (2, 2, 2, 3)]:
        check(rng.normal(size=shape) * 2, rng.normal(size=shape) * 3)
    hidden_keys = np.array([[0.25, 0.0, 0.75, 0.0], [0.0, 1.0, 0.0, 0.0]])
    got = np.asarray(softmax_backward(hidden_keys.copy(), rng.normal(size=(2, 4))))
    assert np.allclose(got[hidden_keys == 0], 0) and np.allclose(got[1], 0, atol=1e-6), (
        f"a key of weight 0 has gradient 0, and so has a row with all weight on one key: got\n{got}"
    )
    got = np.asarray(softmax_backward(scipy_softmax(rng.normal(size=(3, 4)), axis=-1), np.full((3, 4), 5.0)))
    assert np.allclose(got, 0, atol=1e-5), f"dp is the same for all weights, which sum to 1: expected zeros, got\n{got}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_softmax_backward()


# %% [markdown]
# ## `attention_backward`
# *difficulty ●●● · importance ●●○ · 25 min*
#
# Attention is $O = PV$ with $P = \mathrm{softmax}(S)$ by rows and $S = QK^\top/\sqrt d$. The loss moves with the output by
# `dout`. How does it move with the queries, the keys and the values?
#
# `attention_backward(q, k, v, dout)` takes `q` `(..., Tq, d)`, `k` `(..., Tk, d)`, `v` `(..., Tk, dv)` and `dout`
# `(..., Tq, dv)`, with the same leading axes, and returns the three gradients `(dq, dk, dv)` in this order, **each shaped
# as what it belongs to**. There is no mask. Compute the weights again with `scipy_softmax`.
#
# Two tools are enough. For a product $C = AB$ the gradients are $dA = dC\,B^\top$ and $dB = A^\top dC$: the shapes allow
# nothing else. For the softmax, a row of gradients by the weights, $dp$, becomes $p_i\,(dp_i - \sum_j p_j\,dp_j)$ by the
# scores.
#
# By hand: let the loss be the first number of 干净's output, so `dout` is 1 there and 0 elsewhere. The first column of
# `dv` is 干净's weights, (0.665, 0.090, 0.245). The gradient by its weights is the first column of the values, (4, 0, 0).
# Through the softmax it becomes (0.891, −0.240, −0.651) by the scaled scores, and half of that, (0.445, −0.120, −0.326),
# by the dot products. Mixing the keys with it gives `dq` of 干净: (0.120, −0.445, 0.445, −0.120). The other rows of `dq`
# are 0, since nobody asked for their outputs.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Walk the forward pass from its end. What was computed last? Its two inputs get their gradients first.
#
# <details><summary>Hint 2: the approach</summary>
#
# The last step gives `dv` and the gradient by the weights. The softmax turns the latter into the gradient by the scores.
# The scale was in the forward pass, so it is in the backward pass. The product of queries and keys gives `dq` and `dk`.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `dv`: `(..., Tk, Tq) @ (..., Tq, dv)`. By the weights: `(..., Tq, dv) @ (..., dv, Tk)`. By the scores: `(..., Tq, Tk)`,
# call it `ds`. `dq`: `(..., Tq, Tk) @ (..., Tk, d)`. `dk`: `(..., Tk, Tq) @ (..., Tq, d)`. `np.swapaxes(a, -1, -2)`
# transposes the last two axes and leaves the leading ones alone.
#
# </details></details></details>


# %% nbgrader={"grade_id": "attention_backward", "solution": true}
def attention_backward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, dout: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dq, dk, dv) of q (..., Tq, d), k (..., Tk, d), v (..., Tk, dv), from dout (..., Tq, dv)."""
    ### BEGIN SOLUTION
    scale = 1 / np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) * scale, axis=-1)  # (..., Tq, Tk)
    dv = np.swapaxes(p, -1, -2) @ dout  # (..., Tk, dv)
    dp = dout @ np.swapaxes(v, -1, -2)  # (..., Tq, Tk)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True))  # (..., Tq, Tk), by the scaled scores
    ds = ds * scale  # (..., Tq, Tk), by the dot products
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, dv  # (..., Tq, d), (..., Tk, d), (..., Tk, dv)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_backward", "grade": true, "points": 3}
def test_attention_backward():
    """The three gradients are those that finite differences of attention measure."""

    def t(a):
        return np.swapaxes(a, -1, -2)

    def close(a, b):
        return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-5)

    def measured(q, k, v, dout):
        def losses(q, k, v):
            """One loss for each entry of a new first axis."""
            mixed = scipy_softmax(q @ t(k) / np.sqrt(q.shape[-1]), axis=-1) @ v * dout
            return mixed.reshape(len(mixed), -1).sum(-1)

        grads = []
        for n, a in enumerate((q, k, v)):
            steps = 1e-5 * np.eye(a.size).reshape(a.size, *a.shape)  # each moves one number
            up, down = [q, k, v], [q, k, v]
            up[n], down[n] = a + steps, a - steps
            grads.append((losses(*up) - losses(*down)).reshape(a.shape) / 2e-5)
        return grads

    def known_mistakes(q, k, v, dout):
        """Per gradient, what each mistake would give. The Jacobian is written out: p_i (δ_ij - p_j)."""
        Tq, Tk, d, width = q.shape[-2], k.shape[-2], q.shape[-1], v.shape[-1]
        root = d**0.5
        p, dp = scipy_softmax(q @ t(k) / root, axis=-1), dout @ t(v)

        def through(p, dp):
            J = p[..., :, None] * (np.eye(Tk) - p[..., None, :])
            return np.einsum("...qij,...qj->...qi", J, dp)

        ds = through(p, dp)
        raw, cross = scipy_softmax(q @ t(k), axis=-1), scipy_softmax(q @ t(k) / root, axis=-2)
        scores = {
            "the scale is lost on the way back: divide by the root of d": ds,
            "the scale is applied twice": ds / root**2,
            "the scale is upside down on the way back: divide by the root of d": ds * root,
            "only the diagonal of the softmax Jacobian is used": p * (1 - p) * dp / root,
            "the softmax's average is not taken away: p * dp is only half of it": p * dp / root,
            "the softmax's average is added, not taken away": p * (dp + (p * dp).sum(-1, keepdims=True)) / root,
            "the softmax's average runs over the queries (axis -2), not over the keys": p
            * (dp - (p * dp).sum(-2, keepdims=True))
            / root,
            "the softmax's average runs over the whole array: every query has its own": p
            * (dp - (p * dp).sum())
            / root,
            "the last factor p of the softmax step is missing": (dp - (p * dp).sum(-1, keepdims=True)) / root,
            "the softmax step is left out: the gradient by the weights is not that by the scores": dp / root,
            "the weights themselves are taken for the gradient by the scores": p / root,
            "the weights are computed without the scale": through(raw, dp),
            "the weights are computed without the scale, which appears only on the way back": through(raw, dp) / root,
            "the softmax runs over the queries: it must run over the keys (axis=-1)": through(cross, dp) / root,
            "the sign is wrong": -ds / root,
        }
        dq = {why: s @ k for why, s in scores.items()}
        dk = {why: t(s) @ q for why, s in scores.items()}
        dv = {
            "the weights are computed without the scale": t(raw) @ dout,
            "the softmax runs over the queries: it must run over the keys (axis=-1)": t(cross) @ dout,
            "the scores are used in place of the weights": t(q @ t(k) / root) @ dout,
            "the scale is applied to dv: it stands before the softmax": t(p) @ dout / root,
            "the gradient by the weights is used in place of the weights": t(dp) @ dout,
            "the output is mixed in: dv needs the weights and dout only": t(p) @ (p @ v),
        }
        if Tq == Tk:
            dq["the table is transposed: dq has a row for each query"] = t(ds) @ k / root
            dq["dq mixes the queries: it must mix the keys"] = ds @ q / root
            dk["the table is not transposed: dk has a row for each key"] = ds @ q / root
            dk["dk mixes the keys: it must mix the queries"] = t(ds) @ k / root
            dv["the weights are not transposed: dv has a row for each key"] = p @ dout
        if Tk == width:
            untransposed = through(p, dout @ v) / root
            dq["v is not transposed in dout vᵀ"] = untransposed @ k
            dk["v is not transposed in dout vᵀ"] = t(untransposed) @ q
        return dq, dk, dv

    def check(q, k, v, dout, what):
        call = f"{what}: q {q.shape}, k {k.shape}, v {v.shape}"
        try:
            got = attention_backward(q.copy(), k.copy(), v.copy(), dout.copy())
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): swap the last two axes only (.T reverses all of them); "
                "Tq, Tk, d and dv may all differ"
            ) from None
        assert isinstance(got, (tuple, list)) and len(got) == 3, (
            f"{call}: expected the three gradients (dq, dk, dv), got "
            f"{len(got) if isinstance(got, (tuple, list)) else type(got).__name__}"
        )
        got, expected = [np.asarray(g) for g in got], measured(q, k, v, dout)
        if all(close(g, e) for g, e in zip(got, expected)):
            return got
        mistakes = known_mistakes(q, k, v, dout)
        names = ("dq", "dk", "dv")
        for a, b in ((0, 1), (1, 2), (0, 2)):
            swapped = close(got[a], expected[b]) and close(got[b], expected[a])
            assert not swapped, f"{call}: {names[a]} and {names[b]} are swapped: return (dq, dk, dv)"
        for n in (2, 0, 1):  # dv is the easiest to get right
            name, g, e = names[n], got[n], expected[n]
            why = ""
            if e.ndim > 2 and g.shape == e.shape[1:]:
                why = ": the leading axis is summed away, but each text has gradients of its own"
            elif g.shape == t(e).shape != e.shape:
                why = ": it is transposed; a gradient has the shape of what it belongs to"
            assert g.shape == e.shape, f"{call}: expected {name} of shape {e.shape}, got {g.shape}{why}"
            if close(g, e):
                continue
            for mistake, wrong in mistakes[n].items():
                if not close(e, wrong):
                    assert not close(g, wrong), f"{call}: {name}: {mistake}"
            rest = "" if n == 2 else "; dv is right" + ("" if n == 0 else ", and so is dq")
            raise AssertionError(f"{call}: {name}: expected\n{e.round(4)}\ngot\n{g.round(4)}{rest}")

    q = np.array([[2, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]], dtype=float)
    k = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], dtype=float)
    v = np.array([[4, 0, 0, 2], [0, 4, 0, 2], [0, 0, 4, 2]], dtype=float)
    dout = np.zeros((3, 4))
    dout[2, 0] = 1  # the loss is the first number of 干净's output
    dq, dk, dv = check(q, k, v, dout, "the worked example")
    assert np.allclose(dv[:, 0], [0.665, 0.090, 0.245], atol=1e-3), f"first column of dv: got {dv[:, 0]}"
    assert np.allclose(dq[2], [0.120, -0.445, 0.445, -0.120], atol=1e-3), f"dq of 干净: got {dq[2]}"
    assert np.allclose(dk[:, 0], [0.891, -0.240, -0.651], atol=1e-3), f"first column of dk: got {dk[:, 0]}"

    def data(seed, *shapes):
        rng = np.random.default_rng(seed)
        return [rng.normal(size=s) for s in shapes]

    check(*data(3, (3, 3), (3, 3), (3, 3), (3, 3)), "all widths alike")
    check(*data(0, (2, 4), (3, 4), (3, 5), (2, 5)), "no two widths alike")
    check(*data(1, (2, 3, 4), (2, 2, 4), (2, 2, 3), (2, 3, 3)), "a batch of two")
    ### BEGIN HIDDEN TESTS
    check(*data(2, (2, 3), (1, 3), (1, 2), (2, 2)), "one key, whose weight is always 1")
    check(*data(4, (1, 5), (4, 5), (4, 1), (1, 1)), "one query, values of width 1")
    check(*data(5, (2, 2, 2, 3), (2, 2, 3, 3), (2, 2, 3, 2), (2, 2, 2, 2)), "a batch of heads")
    check(*data(6, (3, 2, 1), (3, 4, 1), (3, 4, 2), (3, 2, 2)), "d = 1")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention_backward()


# %% [markdown]
# ## `online_softmax`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# Softmax seems to need its whole row: the largest score first, then the sum. But a row may be too long to hold. It can
# be read tile by tile (分块 tiles), while two numbers are kept:
#
# - `m`, the largest score so far;
# - `ell` (ℓ), the sum of $e^{x - m}$ over the scores so far.
#
# With them the weight of any score $x$ of the row is $e^{x-m}/\ell$. Write the step that takes up one tile.
#
# `online_softmax(tile, m=-np.inf, ell=0.0)` takes a 1-D array of one or more scores, and the `m` and `ell` of all tiles
# before it. It returns the pair `(m, ell)` of all tiles so far, this one included. Without `m` and `ell`, the tile is the
# first. You see one tile and two numbers: all that is known of the earlier scores is in there. No exponential may
# overflow, with scores near 1000 or near −1000.
#
# A score may be −∞: a hidden key, which adds nothing. A tile of nothing else leaves `m` and `ell` as they were, also when
# it is the first.
#
# This is how a row is read:
#
# ```python
# m, ell = online_softmax(first_tile)
# for tile in the_others:
#     m, ell = online_softmax(tile, m, ell)
# ```
#
# By hand: the scores of 很 are (0, 1, 2). The tile (0, 1) gives `m = 1` and `ell = ` $e^{-1} + e^0$ = 1.368. Then the tile
# (2) moves the maximum by 1. The old sum was taken against the old maximum, and every term of it is too large by the same
# factor $e$. So `m = 2` and `ell = ` 1.368 · 0.368 + 1 = 1.503.
#
# <details><summary>Hint 1: a nudge</summary>
#
# $e^{x - \text{new}} = e^{x - \text{old}} \cdot e^{\text{old} - \text{new}}$. What does that say about a sum of such terms?
#
# <details><summary>Hint 2: the approach</summary>
#
# Find the new maximum of old `m` and tile. Multiply the old sum by $e^{\text{old} - \text{new}}$, then add the tile's
# exponentials, taken against the new maximum. Before the first score, `m` is −∞ and the factor is $e^{-\infty} = 0$.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `new = max(m, tile.max())`; if `new` is still −∞, hand back what came in, since −∞ − (−∞) is not a number. Otherwise
# `ell * np.exp(m - new) + np.exp(tile - new).sum()`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "online_softmax", "solution": true}
def online_softmax(tile: np.ndarray, m: float = -np.inf, ell: float = 0.0) -> tuple[float, float]:
    """The largest score so far, and the sum of exp(score - m) so far, after one more tile of scores, shape (n,)."""
    ### BEGIN SOLUTION
    new = max(m, tile.max())
    if new == -np.inf:  # nothing but hidden keys so far
        return m, ell
    ell = ell * np.exp(m - new) + np.exp(tile - new).sum()  # the old sum, rescaled, and the tile's
    return new, ell
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_online_softmax", "grade": true, "points": 2}
def test_online_softmax():
    """After every tile, m is the largest score so far and ell the sum of exp(score - m) so far."""

    def close(a, b):
        return np.allclose(a, b, rtol=1e-5, atol=1e-30, equal_nan=True)

    def step(tile, before, call):
        with np.errstate(all="ignore"):
            got = online_softmax(np.array(tile, dtype=float), *before)
        assert isinstance(got, (tuple, list)) and len(got) == 2, (
            f"{call}: expected the pair (m, ell), got {type(got).__name__}: return both"
        )
        sizes = [np.size(g) for g in got]
        assert sizes == [1, 1], f"{call}: m and ell are one number each, got {sizes[0]} and {sizes[1]} numbers"
        return tuple(float(np.ravel(g)[0]) for g in got)

    def known_mistakes(x, m, ell, new, total):
        """What each mistake would give for the tile x after (m, ell), where (new, total) is right."""
        top = x.max()
        with np.errstate(all="ignore"):
            now = np.exp(x - new).sum()
            start = 0.0 if m == -np.inf else m
            zero = max(start, top)
            return {
                "a tile of -inf only came out as NaN, since -inf - (-inf) is not a number: "
                "leave m and ell as they were": (new, np.nan if new == -np.inf else total),
                "the old sum is not rescaled: multiply it by exp(old m - new m)": (new, ell + now),
                "the maximum is not carried: m is the largest score of all tiles so far, not of this one": (
                    top,
                    ell * np.exp(m - top) + np.exp(x - top).sum(),
                ),
                "the maximum is not carried, nor the old sum rescaled": (top, ell + np.exp(x - top).sum()),
                "the old sum is thrown away: only this tile is summed": (new, now),
                "maximum and sum are those of this tile alone: m and ell were not used": (
                    top,
                    np.exp(x - top).sum(),
                ),
                "the tile's exponentials are taken against the tile's own maximum, not against the new m": (
                    new,
                    ell * np.exp(m - new) + np.exp(x - top).sum(),
                ),
                "the factor is upside down: it is exp(old m - new m), never above 1": (
                    new,
                    ell * np.exp(new - m) + now,
                ),
                "the factor is the difference itself: take exp of it": (new, ell * (m - new) + now),
                "the new tile is rescaled too: only the old sum was taken against the old m": (
                    new,
                    (ell + now) * np.exp(m - new),
                ),
                "the old m came back: return the new one": (m, total),
                "the tile's exponentials are taken against the old m": (
                    new,
                    ell * np.exp(m - new) + np.exp(x - m).sum(),
                ),
                "the exponentials are averaged: add them up": (new, ell * np.exp(m - new) + np.exp(x - new).mean()),
                "the exponentials are taken without m: large scores overflow": (new, ell + np.exp(x).sum()),
                "ell is the logarithm of the sum": (new, np.log(total)),
                "the pair is swapped: return (m, ell)": (total, new),
                "m starts at 0: with negative scores only, the largest is below 0 (start at -inf)": (
                    zero,
                    ell * np.exp(start - zero) + np.exp(x - zero).sum(),
                ),
                "only the tile's largest score is counted: every score adds a term": (
                    new,
                    ell * np.exp(m - new) + np.exp(top - new),
                ),
            }

    def check(*tiles):
        before = ()
        for n, tile in enumerate(tiles):
            call = f"online_softmax({tile}" + "".join(f", {x:.6g}" for x in before) + ")"
            if n:
                call += f" after the tiles {', '.join(map(str, tiles[:n]))}"
            got = step(tile, before, call)
            seen, x = np.concatenate([np.array(a, dtype=float) for a in tiles[: n + 1]]), np.array(tile, dtype=float)
            new = seen.max()
            total = np.exp(seen - new).sum() if np.isfinite(new) else 0.0
            right = (new, total)
            if not close(got, right):
                for mistake, wrong in known_mistakes(x, *(before or (-np.inf, 0.0)), new, total).items():
                    if not close(right, wrong):
                        assert not close(got, wrong), f"{call}: {mistake}"
                assert np.isfinite(got[1]), (
                    f"{call}: got ell = {got[1]}: an exponential overflowed, or -inf met -inf; "
                    "every exponent must be a score minus the new m"
                )
                assert close(got[0], new), f"{call}: expected m = {new}, got {got[0]}"
                raise AssertionError(f"{call}: m is right; expected ell = {total:.6g}, got {got[1]:.6g}")
            before = right

    check([3, 1], [0, 2], [1])
    check([0, 1], [2])  # 很
    check([-2, -1], [-3], [-0.5, -4])
    check([-1000, -1001], [-998])
    check([1000], [1001, 999], [998])
    check([2, -np.inf], [-np.inf], [-np.inf, 3])
    check([-np.inf, -np.inf], [1, 0])
    first, second = [[0], [3], [1]], [[7], [5], [9]]
    states = [(), ()]
    for a, b in zip(first, second):  # two rows, read in turn
        states = [step(a, states[0], "two rows read in turn"), step(b, states[1], "two rows read in turn")]
    assert close(states, [(3, np.exp([-3, 0, -2]).sum()), (9, np.exp([-2, -4, 0]).sum())]), (
        f"two rows read in turn are mixed up, got {states}: keep nothing but what you return"
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(33)
    for spread in (1, 30, 1000):
        scores = np.round(rng.normal(size=12) * spread * 16) / 16
        for order in (scores, np.sort(scores), np.sort(scores)[::-1]):  # as they come, rising, falling
            check(*(part.tolist() for part in np.split(order, [1, 5])))
    check(*([score] for score in scores.tolist()))
    check(scores.tolist())
    check([4])
    check([-5, -9], [-7], [-2, -3, -4])
    check([-np.inf], [-np.inf], [-700, -np.inf], [-np.inf], [-701])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_online_softmax()


# %% [markdown]
# ## `attention_tiled`
# *difficulty ●●● · importance ●●○ · 30 min*
#
# The weights are wanted for one thing only: to average the rows of `v`. So the average can be carried along with the
# maximum and the sum, and no row of weights ever exists.
#
# `attention_tiled(q, k_tile, v_tile, state=None)` takes all queries, `q` `(Tq, d)`, and the next few keys with their
# values, `k_tile` `(n, d)` and `v_tile` `(n, dv)`, with any `n` from 1 up. It returns the pair `(output, state)`:
#
# - `output` `(Tq, dv)` is the attention of `q` over **all the keys so far**, this tile included, with the scale
#   $1/\sqrt d$;
# - `state` is what you want to have back with the next tile. Its form is yours: numbers and arrays in a tuple, list or
#   dict. **It may hold at most Tq · (dv + 4) numbers in all, however many keys went by**, so it cannot be the keys and
#   values themselves. With the first tile, `state` is `None`.
#
# This is how a text is read, without any (Tq, Tk) table:
#
# ```python
# state = None
# for k_tile, v_tile in tiles:
#     output, state = attention_tiled(q, k_tile, v_tile, state)
# ```
#
# Between two calls nothing is kept but the state: the tests read two texts in turn. No exponential may overflow, and no
# sum may vanish, however large or negative the scores are.
#
# By hand, for 很, whose scores are (0, 1, 2): the first tile holds the keys of 酒店 and 很. The sum is
# $e^{-1} + e^0$ = 1.368, and the values mixed by the same two numbers are 0.368 · (4, 0, 0, 2) + 1 · (0, 4, 0, 2) =
# (1.472, 4, 0, 2.736). Their quotient is the output so far, (1.076, 2.924, 0, 2). The second tile, 干净, brings the score
# 2: the maximum rises by 1, so the sum **and** the mixture shrink by $e^{-1}$ = 0.368 before 1 and 1 · (0, 0, 4, 2) are
# added. That gives 1.503 and (0.541, 1.472, 4, 3.006), and the output is (0.360, 0.979, 2.661, 2).
#
# <details><summary>Hint 1: a nudge</summary>
#
# What do you have to know of the earlier keys to go on? Three things for each query, two of them numbers.
#
# <details><summary>Hint 2: the approach</summary>
#
# Carry the largest score so far, the sum of the exponentials, and the sum of exponential times value, **not divided**.
# When the maximum grows, both sums are rescaled by the same factor. Divide for the output only. Start with −∞, 0 and 0.
#
# <details><summary>Hint 3: the shapes</summary>
#
# Scores and their exponentials are `(Tq, n)`. Keep maximum, sum and factor as columns, `(Tq, 1)`: they broadcast against
# `(Tq, n)` and against the mixture, `(Tq, dv)`, which grows by exponentials `@ v_tile`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "attention_tiled", "solution": true}
def attention_tiled(q: np.ndarray, k_tile: np.ndarray, v_tile: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
    """Attention of q (Tq, d) over all keys so far, after k_tile (n, d) and v_tile (n, dv): output (Tq, dv), state."""
    ### BEGIN SOLUTION
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])  # (Tq, n)
    new = np.maximum(m, scores.max(axis=-1, keepdims=True))  # (Tq, 1)
    factor = np.exp(m - new)  # (Tq, 1), corrects what was summed against the old maximum
    exps = np.exp(scores - new)  # (Tq, n)
    ell = ell * factor + exps.sum(axis=-1, keepdims=True)  # (Tq, 1)
    mix = mix * factor + exps @ v_tile  # (Tq, dv), not divided
    return mix / ell, (new, ell, mix)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_tiled", "grade": true, "points": 3}
def test_attention_tiled():
    """After every tile the output is that of untiled attention, and the state has not grown."""

    def numbers(state):
        """How many numbers a state holds."""
        if state is None:
            return 0
        if isinstance(state, dict):
            return sum(map(numbers, state.values()))
        if isinstance(state, (tuple, list, set)):
            return sum(map(numbers, state))
        if isinstance(state, (bool, int, float, np.number, np.bool_)):
            return 1
        assert isinstance(state, np.ndarray) and state.dtype.kind in "biuf", (
            f"the state may hold numbers and arrays of numbers in a tuple, list or dict, got {type(state).__name__}"
        )
        return state.size

    def step(call, q, k, v, *state):
        try:
            with np.errstate(all="ignore"):
                got = attention_tiled(q.copy(), k.copy(), v.copy(), *state)
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): a tile holds any number of keys, and maximum, sum and "
                "factor are one number a query; kept as columns (Tq, 1) they broadcast"
            ) from None
        assert isinstance(got, (tuple, list)) and len(got) == 2, (
            f"{call}: expected the pair (output, state), got {type(got).__name__}: return both"
        )
        return np.asarray(got[0]), got[1]

    def known_mistakes(q, tiles):
        """What each mistake would give after these tiles, as (Tq, dv): sums over the tiles, each with a factor."""
        d, last = q.shape[-1], len(tiles) - 1
        parts = [q @ k.T / d**0.5 for k, _ in tiles]  # (Tq, n) each
        own = [s.max(-1, keepdims=True) for s in parts]  # (Tq, 1) each
        tops = [np.max(own[: i + 1], axis=0) for i in range(len(tiles))]
        alone = [scipy_softmax(s, axis=-1) @ v for s, (_, v) in zip(parts, tiles)]
        sizes = [len(k) for k, _ in tiles]
        keys, values = (np.concatenate(a) for a in zip(*tiles))

        def mix(tops, of_sum, of_mix):
            exps = [np.exp(s - m) for s, m in zip(parts, tops)]
            total = sum(of_sum(i) * e.sum(-1, keepdims=True) for i, e in enumerate(exps))
            return sum(of_mix(i) * (e @ v) for i, (e, (_, v)) in enumerate(zip(exps, tiles))) / total

        def right(i):
            return np.exp(tops[i] - tops[last])

        def one(i):
            return 1.0

        def divided(i):
            sums = [sum(np.exp(parts[b] - tops[j]).sum(-1, keepdims=True) for b in range(j + 1)) for j in range(last)]
            return right(i) / np.prod([np.ones_like(tops[0]), *sums[i:]], axis=0)

        def newest(i):
            return float(i == last)

        def by(root):
            return scipy_softmax(q @ keys.T / root, axis=-1) @ values

        high = [np.full_like(m, m.max()) for m in tops]
        zero = [np.maximum(m, 0) for m in tops]
        none = [np.zeros_like(m) for m in tops]
        found = {
            "the sum is rescaled, the mixture of values is not: both were taken against the old maximum": mix(
                tops, right, one
            ),
            "the mixture of values is rescaled, the sum is not: both were taken against the old maximum": mix(
                tops, one, right
            ),
            "neither sum nor mixture is rescaled when the maximum grows": mix(tops, one, one),
            "the maximum is not carried: each tile is measured against its own and added": mix(own, one, one),
            "the factor is upside down: it is exp(old maximum - new maximum), never above 1": mix(
                tops, lambda i: 1 / right(i), lambda i: 1 / right(i)
            ),
            "the mixture was divided by the sum before it was carried: divide for the output only": mix(
                tops, right, divided
            ),
            "the earlier tiles are forgotten: only the last one counts": alone[last],
            "only the first tile counts": alone[0],
            "the outputs of the tiles are averaged, but a tile with larger scores weighs more": sum(alone) / len(tiles),
            "the outputs of the tiles are averaged by their numbers of keys: their exponentials count, not their "
            "sizes": sum(n * a for n, a in zip(sizes, alone)) / sum(sizes),
            "each tile has a softmax of its own, and they are added up": sum(alone),
            "the scale is missing: divide the scores by the root of d": by(1.0),
            "the scores are divided by d: take its root": by(d),
            "the sum is that of the last tile alone": mix(tops, newest, right),
            "the mixture is that of the last tile alone": mix(tops, right, newest),
            "the exponentials of a tile are averaged for the sum: add them up": mix(
                tops, lambda i: right(i) / sizes[i], right
            ),
            "the output is not divided by the sum": sum(
                right(i) * (np.exp(s - tops[i]) @ v) for i, (s, (_, v)) in enumerate(zip(parts, tiles))
            ),
            "the softmax runs over the queries: it must run over the keys": scipy_softmax(q @ keys.T / d**0.5, axis=0)
            @ values,
            "all keys weigh the same: the scores are not used": np.ones((len(q), 1)) * values.mean(0),
            "one maximum serves all queries: a query far below it is left with a sum of 0": mix(
                high, lambda i: np.exp(high[i] - high[last]), lambda i: np.exp(high[i] - high[last])
            ),
            "the maximum is that of the last tile, not the largest so far: the factor overflows when scores fall": mix(
                own, lambda i: np.exp(own[i] - own[last]), lambda i: np.exp(own[i] - own[last])
            ),
            "the maximum starts at 0: very negative scores then leave a sum of 0 (start at -inf)": mix(
                zero, lambda i: np.exp(zero[i] - zero[last]), lambda i: np.exp(zero[i] - zero[last])
            ),
            "no maximum is taken away: exp of a large score overflows": mix(none, one, one),
            "the keys are mixed, not the values": scipy_softmax(q @ keys.T / d**0.5, axis=-1) @ keys,
        }
        if len(q) == values.shape[-1]:
            found["the factor of the mixture lies along the wrong axis: one factor a query, as a column (Tq, 1)"] = mix(
                tops, right, lambda i: right(i).T
            )
        return found

    def check(q, k, v, sizes, what):
        cuts = np.cumsum(sizes)[:-1]
        tiles = list(zip(np.split(k, cuts), np.split(v, cuts)))
        limit, state = len(q) * (v.shape[-1] + 4), ()
        for n in range(len(tiles)):
            call = f"{what}, after {n + 1} of {len(tiles)} tiles, of {', '.join(map(str, sizes[: n + 1]))} keys"
            got, state = step(call, q, *tiles[n], *state)
            seen = sum(sizes[: n + 1])
            scores = q @ k[:seen].T / np.sqrt(q.shape[-1])
            expected = scipy_softmax(scores, axis=-1) @ v[:seen]
            why = ": one row for each query, all of them in each call" if got.ndim == 2 else ""
            assert got.shape == expected.shape, f"{call}: expected shape {expected.shape}, got {got.shape}{why}"
            tolerance = 1e-5 + 1e-6 * np.abs(scores).max()

            def close(a, b, tolerance=tolerance):
                return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=True)

            if not close(got, expected):
                with np.errstate(all="ignore"):
                    for mistake, wrong in known_mistakes(q, tiles[: n + 1]).items():
                        if not close(expected, wrong):
                            assert not close(got, wrong), f"{call}: {mistake}"
                assert np.isfinite(got).all(), (
                    f"{call}, scores from {scores.min():.3g} to {scores.max():.3g}: got NaN or infinity: "
                    "every exponent must be a score minus the largest score so far of its own query"
                )
                raise AssertionError(f"{call}: expected\n{expected.round(4)}\ngot\n{got.round(4)}")
            held = numbers(state)
            assert held <= limit, (
                f"{call}: the state holds {held} numbers, at most Tq * (dv + 4) = {limit} are allowed: carry sums, "
                "not the keys, values or scores that went by"
            )
            state = (state,)

    q = np.array([[2, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]], dtype=float)
    k = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], dtype=float)
    v = np.array([[4, 0, 0, 2], [0, 4, 0, 2], [0, 0, 4, 2]], dtype=float)
    check(q, k, v, [2, 1], "the worked example")
    check(q, k, v, [1, 1, 1], "the worked example")

    def data(seed, tq, tk, d, dv, size=1.0):
        rng = np.random.default_rng(seed)
        return rng.normal(size=(tq, d)) * size, rng.normal(size=(tk, d)), rng.normal(size=(tk, dv))

    check(*data(5, 3, 12, 4, 2, 3), [2, 1, 5, 4], "12 keys")
    check(*data(6, 3, 9, 4, 3, 3), [3, 3, 3], "as many queries as the values are wide")
    check(*data(7, 2, 9, 3, 2), [1] * 9, "9 keys, one by one")
    far, near = np.array([[400.0], [1.0], [399.0], [2.0]]), np.array([[400.0], [399.0], [398.0], [350.0]])
    check(np.array([[3.0], [2.0]]), far, np.eye(4), [2, 1, 1], "scores that fall far")
    check(np.array([[-3.0], [-2.0]]), near, np.eye(4), [1, 2, 1], "very negative scores")
    check(np.array([[3.0], [-2.0]]), -near, np.eye(4), [2, 1, 1], "queries whose scores lie far apart")
    here, there = data(8, 2, 6, 3, 2, 4), data(9, 2, 6, 3, 2, 4)
    states, outputs = [(), ()], [None, None]
    for i in range(0, 6, 2):  # two texts, read in turn
        for n, (q, k, v) in enumerate((here, there)):
            outputs[n], kept = step("two texts read in turn", q, k[i : i + 2], v[i : i + 2], *states[n])
            states[n] = (kept,)
    for (q, k, v), got in zip((here, there), outputs):
        expected = scipy_softmax(q @ k.T / np.sqrt(3), axis=-1) @ v
        assert np.allclose(got, expected, atol=1e-5), (
            f"two texts read in turn are mixed up: keep nothing but the state; expected\n{expected}\ngot\n{got}"
        )
    ### BEGIN HIDDEN TESTS
    check(*data(12, 4, 7, 3, 5), [7], "one tile")
    check(*data(13, 1, 9, 2, 1, 5), [1, 7, 1], "one query, values of width 1")
    check(*data(14, 5, 30, 8, 5, 10), [4, 9, 1, 1, 15], "30 keys")
    check(*data(15, 3, 8, 4, 2, 1e4), [3, 2, 3], "very large scores")
    check(*data(16, 6, 3, 1, 6, 20), [1, 1, 1], "d = 1, more queries than keys")
    check(*data(17, 2, 200, 2, 3), [50, 1, 100, 49], "200 keys")
    rising = np.arange(12.0)[:, None]
    check(np.array([[100.0], [1.0]]), rising, np.eye(12), [4, 4, 4], "scores that rise")
    check(np.array([[100.0], [1.0]]), rising[::-1].copy(), np.eye(12), [4, 4, 4], "scores that fall")
    check(np.array([[-100.0], [-1.0]]), rising + 8, np.eye(12), [5, 1, 6], "negative scores")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention_tiled()
