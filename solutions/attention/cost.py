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
# # What attention costs
#
# Attention is trained by sending gradients back through it, and it is run on texts so long that its square table of
# weights no longer fits. This notebook does both: the **backward pass** by hand, and the **tiled** forward pass.
#
# **You need** the chain rule and attention from the notebook *weights*. Each exercise stands alone; where a softmax is
# wanted, use the given `scipy_softmax`.

# %%
from collections.abc import Iterable

import numpy as np
from scipy.special import softmax as scipy_softmax

# %% [markdown]
# ## `softmax_backward`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# `softmax_backward(p, dp)`: `p = softmax(x)` and `dp`, the gradient of the loss by `p`, both `(..., n)`. Return the
# gradient by `x`, same shape. The softmax runs along the last axis.
#
# By hand: `p = (1/2, 1/4, 1/4)`, `dp = (4, 0, 0)` gives `(1, -1/2, -1/2)`. It sums to 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Raising one score lowers every other weight.
#
# <details><summary>Hint 2: the approach</summary>
#
# The Jacobian is `diag(p) - p pᵀ`. Multiply it by `dp` without building it.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# Subtract from `dp` its average weighted by `p`, one average per row; then multiply by `p`.
# </details></details></details>


# %% nbgrader={"grade_id": "softmax_backward", "solution": true}
def softmax_backward(p: np.ndarray, dp: np.ndarray) -> np.ndarray:
    """Gradient by the scores, from the weights p and their gradient dp, both (..., n)."""
    ### BEGIN SOLUTION
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))  # (..., n)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_softmax_backward", "grade": true, "points": 2}
def test_softmax_backward():
    """The gradient agrees with finite differences of softmax."""

    def check(x, dp):
        p = scipy_softmax(x, axis=-1)
        want = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[i] = 1e-5
            up, down = scipy_softmax(x + step, axis=-1), scipy_softmax(x - step, axis=-1)
            want[i] = ((up - down) * dp).sum() / 2e-5
        got = np.asarray(softmax_backward(p.copy(), dp.copy()))
        assert got.shape == x.shape, f"expected shape {x.shape}, got {got.shape}"
        dot = (p * dp).sum(-1, keepdims=True)
        known = {
            "only the diagonal of the Jacobian is used": p * (1 - p) * dp,
            "the off-diagonal part is missing": p * dp,
            "the sum is subtracted with the wrong sign": p * (dp + dot),
            "the final factor p is missing": dp - dot,
            "the sum runs over the whole array, not each row": p * (dp - (p * dp).sum()),
        }
        why = [s for s, a in known.items() if np.allclose(got, a)]
        assert np.allclose(got, want, atol=1e-7), f"expected {want}, got {got}: {why[0] if why else 'wrong gradient'}"

    rng = np.random.default_rng(0)
    check(rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    check(rng.normal(size=5), rng.normal(size=5))
    check(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_softmax_backward()

# %% [markdown]
# ## `attention_backward`
# *difficulty ●●● · importance ●●○ · 25 min*
#
# `attention_backward(q, k, v, dout)`: `q (..., Tq, d)`, `k (..., Tk, d)`, `v (..., Tk, dv)`, `dout (..., Tq, dv)`.
# Return `dq, dk, dv`, each shaped as its input. Compute the weights again with `scipy_softmax`.
#
# By hand: with one single key the weight is always 1, so `dq` and `dk` are zero and `dv` is the sum of `dout`'s rows.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Walk the forward pass from its end: values, softmax, scale, product.
#
# <details><summary>Hint 2: the approach</summary>
#
# For `C = A B`: `dA = dC Bᵀ` and `dB = Aᵀ dC`. The softmax step is `p * (dp - sum(p * dp))`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `dv = pᵀ dout`, `dp = dout vᵀ`, then `ds`, divided by `√d`; `dq = ds k`, `dk = dsᵀ q`.
# </details></details></details>


# %% nbgrader={"grade_id": "attention_backward", "solution": true}
def attention_backward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, dout: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of q (..., Tq, d), k (..., Tk, d), v (..., Tk, dv) from dout (..., Tq, dv)."""
    ### BEGIN SOLUTION
    scale = 1 / np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) * scale, axis=-1)  # (..., Tq, Tk)
    dp = dout @ np.swapaxes(v, -1, -2)  # (..., Tq, Tk)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) * scale  # (..., Tq, Tk)
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_backward", "grade": true, "points": 3}
def test_attention_backward():
    """The three gradients agree with finite differences of attention."""

    def t(a):
        return np.swapaxes(a, -1, -2)

    def loss(q, k, v, dout):
        return (scipy_softmax(q @ t(k) / np.sqrt(q.shape[-1]), axis=-1) @ v * dout).sum()

    def check(q, k, v, dout):
        got = attention_backward(q.copy(), k.copy(), v.copy(), dout.copy())
        assert len(got) == 3, f"expected dq, dk, dv, got {len(got)} results"
        root = np.sqrt(q.shape[-1])
        p = scipy_softmax(q @ t(k) / root, axis=-1)
        dp = dout @ t(v)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / root
        diag = p * (1 - p) * dp / root
        plain = p * dp / root
        known = {
            "the scale is lost on the way back": (ds * root @ k, t(ds) @ q * root, t(p) @ dout),
            "only the diagonal of the softmax Jacobian is used": (diag @ k, t(diag) @ q, t(p) @ dout),
            "the softmax sum is missing": (plain @ k, t(plain) @ q, t(p) @ dout),
            "dq and dk are swapped": (t(ds) @ q, ds @ k, t(p) @ dout),
        }
        why = "wrong gradient"
        for s, arrays in known.items():
            if all(np.shape(g) == a.shape and np.allclose(g, a) for g, a in zip(got, arrays)):
                why = s
        inputs = [q, k, v]
        for n, name in enumerate(("dq", "dk", "dv")):
            want = np.zeros_like(inputs[n])
            for i in np.ndindex(want.shape):
                up, down = [a.copy() for a in inputs], [a.copy() for a in inputs]
                up[n][i] += 1e-5
                down[n][i] -= 1e-5
                want[i] = (loss(*up, dout) - loss(*down, dout)) / 2e-5
            g = np.asarray(got[n])
            assert g.shape == want.shape, f"{name}: expected shape {want.shape}, got {g.shape}: {why}"
            assert np.allclose(g, want, atol=1e-7), f"{name}: expected {want}, got {g}: {why}"

    def data(seed, *shapes):
        rng = np.random.default_rng(seed)
        return [rng.normal(size=s) for s in shapes]

    check(*data(0, (2, 4), (3, 4), (3, 5), (2, 5)))
    ### BEGIN HIDDEN TESTS
    check(*data(1, (2, 3, 2), (2, 4, 2), (2, 4, 3), (2, 3, 3)))
    check(*data(2, (2, 3), (1, 3), (1, 2), (2, 2)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention_backward()

# %% [markdown]
# ## `online_softmax`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# `online_softmax(tiles)`: an iterable of 1-D arrays, read once. Return `(m, s)`: the largest number `m` of all, and
# `s`, the sum of `exp(x - m)`. Hold one tile at a time. No exponential may overflow.
#
# By hand: the scores of 很 are `(0, 1, 2)`. Tile `(0, 1)`: `m = 1`, `s = e⁻¹ + 1 = 1.368`. Tile `(2)`: `m = 2`,
# `s = 1.368 · e⁻¹ + 1 = 1.503`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# When the maximum grows, the old sum was measured against the wrong maximum.
#
# <details><summary>Hint 2: the approach</summary>
#
# Multiply the old sum by `exp(old m - new m)` before adding the tile.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# Start with `m = -inf`, `s = 0`; per tile: new maximum, rescale, add, keep the new maximum.
# </details></details></details>


# %% nbgrader={"grade_id": "online_softmax", "solution": true}
def online_softmax(tiles: Iterable[np.ndarray]) -> tuple[float, float]:
    """The maximum of all tiles, and the sum of exp(x - maximum)."""
    ### BEGIN SOLUTION
    m, s = -np.inf, 0.0
    for x in tiles:
        new = max(m, x.max())
        s = s * np.exp(m - new) + np.exp(x - new).sum()
        m = new
    return m, s
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_online_softmax", "grade": true, "points": 2}
def test_online_softmax():
    """Maximum and sum agree with those of the whole row."""

    def check(*rows):
        tiles = [np.array(r, dtype=float) for r in rows]
        x = np.concatenate(tiles)
        m, s = online_softmax(iter(tiles))
        want = np.exp(x - x.max()).sum()
        lost = sum(np.exp(a - max(b.max() for b in tiles[: i + 1])).sum() for i, a in enumerate(tiles))
        last = tiles[-1].max()
        why = "wrong sum"
        if np.isclose(s, lost):
            why = "the old sum is not rescaled"
        assert np.isclose(m, x.max()), (
            f"expected maximum {x.max()}, got {m}: "
            + ("the maximum is not carried from tile to tile" if np.isclose(m, last) else "wrong maximum")
        )
        if np.isclose(s, np.exp(tiles[-1] - x.max()).sum()):
            why = "only the last tile is summed"
        assert np.isclose(s, want), f"expected sum {want}, got {s}: {why}"

    check([0, 1], [2])
    check([3, 1], [0, 2], [1])
    with np.errstate(over="ignore", invalid="ignore"):
        _, s = online_softmax(iter([np.array([1000.0]), np.array([1001.0])]))
    assert np.isfinite(s), f"expected a finite sum for scores near 1000, got {s}: exp overflows"
    ### BEGIN HIDDEN TESTS
    check([-5, -9], [-7], [-2, -3, -4])
    check([-1000], [-1001, -999])
    check([4])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_online_softmax()

# %% [markdown]
# ## `attention_tiled`
# *difficulty ●●● · importance ●●○ · 25 min*
#
# `attention_tiled(q, k, v, tile)`: `q (Tq, d)`, `k (Tk, d)`, `v (Tk, dv)`. Return the output `(Tq, dv)` of attention,
# reading `tile` keys at a time; the last tile may be shorter. Never hold the whole `(Tq, Tk)` table.
#
# By hand: 很 with `tile = 2` reads the scores `(0, 1)`, then `(2)`; sum and output are both multiplied by `e⁻¹` between.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Carry three things per query: maximum, sum, weighted values.
#
# <details><summary>Hint 2: the approach</summary>
#
# When the maximum grows, rescale both the sum and the weighted values. Divide once, at the end.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `c = exp(m - new)`; `s = s * c + e.sum(-1)`; `out = out * c + e @ v_tile`, with `c` as a column.
# </details></details></details>


# %% nbgrader={"grade_id": "attention_tiled", "solution": true}
def attention_tiled(q: np.ndarray, k: np.ndarray, v: np.ndarray, tile: int) -> np.ndarray:
    """Attention of q (Tq, d) over k (Tk, d), v (Tk, dv), tile keys at a time. Shape (Tq, dv)."""
    ### BEGIN SOLUTION
    m = np.full((len(q), 1), -np.inf)
    s = np.zeros((len(q), 1))
    out = np.zeros((len(q), v.shape[-1]))
    for i in range(0, len(k), tile):
        scores = q @ k[i : i + tile].T / np.sqrt(q.shape[-1])  # (Tq, tile)
        new = np.maximum(m, scores.max(axis=-1, keepdims=True))  # (Tq, 1)
        c, e = np.exp(m - new), np.exp(scores - new)
        s = s * c + e.sum(axis=-1, keepdims=True)
        out = out * c + e @ v[i : i + tile]
        m = new
    return out / s
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_tiled", "grade": true, "points": 3}
def test_attention_tiled():
    """The output is that of untiled attention, for any tile size."""

    def check(seed, tq, tk, d, dv, tile, size=1.0):
        rng = np.random.default_rng(seed)
        q, k, v = rng.normal(size=(tq, d)) * size, rng.normal(size=(tk, d)), rng.normal(size=(tk, dv))
        scores = q @ k.T / np.sqrt(d)
        want = scipy_softmax(scores, axis=-1) @ v
        got = np.asarray(attention_tiled(q.copy(), k.copy(), v.copy(), tile))
        assert got.shape == want.shape, f"expected shape {want.shape}, got {got.shape}"
        cuts = [slice(i, i + tile) for i in range(0, tk, tile)]
        parts = [scipy_softmax(scores[:, c], axis=-1) @ v[c] for c in cuts]
        full = tk // tile * tile
        seen = [scores[:, : c.stop].max(-1, keepdims=True) for c in cuts]
        es = [np.exp(scores[:, c] - m) for c, m in zip(cuts, seen)]
        known = {
            "the old sum and output are not rescaled": sum(e @ v[c] for e, c in zip(es, cuts))
            / sum(e.sum(-1, keepdims=True) for e in es),
            "the softmax is taken in each tile alone and added": sum(parts),
            "the tiles are averaged": sum(parts) / len(parts),
            "the scale is missing": scipy_softmax(q @ k.T, axis=-1) @ v,
            "the last, shorter tile is dropped": scipy_softmax(scores[:, :full], axis=-1) @ v[:full] if full else want,
        }
        why = [s for s, a in known.items() if np.allclose(got, a)]
        assert np.allclose(got, want), f"tile={tile}: expected {want}, got {got}: {why[0] if why else 'wrong output'}"

    check(0, 3, 5, 4, 2, 2)
    check(1, 2, 4, 4, 3, 4)
    check(5, 3, 8, 4, 2, 1, size=3)
    ### BEGIN HIDDEN TESTS
    check(2, 4, 7, 3, 5, 1)
    check(3, 4, 7, 3, 5, 3, size=1e4)
    check(4, 1, 3, 2, 2, 10)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_attention_tiled()
