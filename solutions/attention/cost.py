# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
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
# `scipy_softmax`. To look at a gradient of your own without a formula, move every number a little up and a little down
# and see what the loss does (有限差分 finite differences).

# %%
from typing import Any

import numpy as np
from scipy.special import softmax as scipy_softmax

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


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
# Hint 1 (a nudge): Write out entry $i$ of the Jacobian times `dp`: $\sum_j p_i(\delta_{ij} - p_j)\,dp_j$. What can be
# taken out of the sum?
#
# Hint 2 (the approach): It is $p_i\,(dp_i - \sum_j p_j\,dp_j)$. The sum is the average of `dp` under the weights: one
# number a row, the same for every $i$. In the example it is 0.090.
#
# Hint 3 (the shapes): The average keeps its axis, with length 1: `(..., 1)` broadcasts against `dp`, `(..., n)`. The
# factor `p` comes last, over the whole difference.


# %% nbgrader={"grade_id": "softmax_backward", "solution": true}
def softmax_backward(p: np.ndarray, dp: np.ndarray) -> np.ndarray:
    """Gradient by the scores, from the weights p and the gradient dp by the weights. All of shape (..., n)."""
    ### BEGIN SOLUTION
    average = (p * dp).sum(axis=-1, keepdims=True)  # (..., 1), of dp, under the weights
    return p * (dp - average)  # (..., n)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_softmax_backward", "grade": true, "points": 2}
def test_softmax_backward():
    """Each row's gradient is the softmax Jacobian times dp, and sums to 0."""
    check(softmax_backward, np.array([0.665, 0.090, 0.245]), np.array([0.0, 1.0, 0.0]), gives=[-0.060, 0.082, -0.022])
    check(softmax_backward, np.array([[0.5, 0.25, 0.25], [0.1, 0.3, 0.6]]), np.array([[1.0, -2.0, 3.0], [0.0, 4.0, 2.0]]))
    check(softmax_backward, np.array([[0.5, 0.25, 0.25], [0.1, 0.3, 0.6], [0, 1, 0]]), np.array([[4.0, 0, 1], [3, 1, 1], [3, 0, 2]]))
    p = np.arange(1.0, 25.0).reshape(2, 3, 4)
    check(softmax_backward, p / p.sum(-1, keepdims=True), p % 5)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    for shape in [(1,), (5,), (1, 6), (4, 4), (3, 1), (3, 2, 2), (2, 2, 2, 3)]:
        p, dp = rng.random(shape), rng.random(shape) * 8 - 4
        check(softmax_backward, p / p.sum(-1, keepdims=True), dp, about=f"p and dp of shape {shape}")
    hidden_keys = np.array([[0.25, 0.0, 0.75, 0.0], [0.0, 1.0, 0.0, 0.0]])
    check(softmax_backward, hidden_keys, rng.random((2, 4)) * 6, about="keys of weight 0")
    check(softmax_backward, np.full((2, 4), 0.25), np.full((2, 4), 5.0), about="a loss that no score moves")
    check(softmax_backward, hidden_keys, np.array([[3, 1, 0, 2], [2, 0, 1, 5]]), about="whole numbers in dp")
    check(softmax_backward, hidden_keys.astype(np.float32), hidden_keys + 1, about="single precision")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): Walk the forward pass from its end. What was computed last? Its two inputs get their gradients
# first.
#
# Hint 2 (the approach): The last step gives `dv` and the gradient by the weights. The softmax turns the latter into the
# gradient by the scores. The scale was in the forward pass, so it is in the backward pass. The product of queries and
# keys gives `dq` and `dk`.
#
# Hint 3 (the shapes): `dv`: `(..., Tk, Tq) @ (..., Tq, dv)`. By the weights: `(..., Tq, dv) @ (..., dv, Tk)`. By the
# scores: `(..., Tq, Tk)`, call it `ds`. `dq`: `(..., Tq, Tk) @ (..., Tk, d)`. `dk`: `(..., Tk, Tq) @ (..., Tq, d)`.
# `np.swapaxes(a, -1, -2)` transposes the last two axes and leaves the leading ones alone.


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
Q = np.array([[2.0, 0.0, 0.0, 0.0], [2.0, 2.0, -2.0, 0.0], [2.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
V = np.array([[4.0, 0.0, 0.0, 2.0], [0.0, 4.0, 0.0, 2.0], [0.0, 0.0, 4.0, 2.0]])
DOUT = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])  # the first number of 干净's output


def test_attention_backward():
    """Three gradients, each shaped as what it belongs to, through the product, the softmax and the scale."""
    dq = [[0, 0, 0, 0], [0, 0, 0, 0], [0.1198, -0.4454, 0.4454, -0.1198]]
    dk = [[0.8908, 0, 0.8908, 0], [-0.2397, 0, -0.2397, 0], [-0.6511, 0, -0.6511, 0]]
    dv = [[0.6652, 0, 0, 0], [0.0900, 0, 0, 0], [0.2447, 0, 0, 0]]
    check(attention_backward, Q, K, V, DOUT, gives=(dq, dk, dv))
    check(attention_backward, Q, K, V, V - 1)
    check(attention_backward, Q[:2], K, np.hstack([V, K[:, :1]]), np.array([[1.0, 0, 2, 0, -1], [0, 3, 0, 1, 1]]))
    check(attention_backward, np.stack([Q, Q / 2]), np.stack([K, K - 1])[:, :2], np.stack([V, -V])[:, :2], np.stack([V, K]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(5)
    for lead, Tq, Tk, d, dv in [((), 2, 1, 3, 2), ((), 1, 4, 5, 1), ((2, 2), 2, 3, 3, 2), ((3,), 2, 4, 1, 2)]:
        shapes = (*lead, Tq, d), (*lead, Tk, d), (*lead, Tk, dv), (*lead, Tq, dv)
        args = [rng.random(shape) * 4 - 2 for shape in shapes]
        check(attention_backward, *args, about=f"{len(lead)} leading axes, {Tq=}, {Tk=}, {d=}, {dv=}")
    whole = [a.astype(int) for a in (Q, K, V, V - 1)]
    check(attention_backward, *whole, about="whole numbers")
    single = [a.astype(np.float32) for a in (Q, K, V, V - 1)]
    check(attention_backward, *single, about="single precision")
    check(attention_backward, Q * 1000, K, V, V - 1, about="large scores")
    ### END HIDDEN TESTS


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
# before it. It returns the pair `(m, ell)`, two single numbers, of all tiles so far, this one included. Without `m` and
# `ell`, the tile is the first. You see one tile and two numbers: all that is known of the earlier scores is in there. No
# exponential may overflow, with scores near 1000 or near −1000.
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
# Hint 1 (a nudge): $e^{x - \text{new}} = e^{x - \text{old}} \cdot e^{\text{old} - \text{new}}$. What does that say
# about a sum of such terms?
#
# Hint 2 (the approach): Find the new maximum of old `m` and tile. Multiply the old sum by $e^{\text{old} -
# \text{new}}$, then add the tile's exponentials, taken against the new maximum. Before the first score, `m` is −∞ and
# the factor is $e^{-\infty} = 0$.
#
# Hint 3 (the edge): If the new maximum is still −∞, hand back what came in, since −∞ − (−∞) is not a number. Otherwise
# no exponent is above 0, neither that of the factor nor those of the tile.


# %% nbgrader={"grade_id": "online_softmax", "solution": true}
def online_softmax(tile: np.ndarray, m: float = -np.inf, ell: float = 0.0) -> tuple[float, float]:
    """The largest score so far, and the sum of exp(score - m) so far, after one more tile of scores, shape (n,)."""
    ### BEGIN SOLUTION
    new = max(m, float(tile.max()))
    if new == -np.inf:  # nothing but hidden keys so far
        return m, ell
    ell = ell * np.exp(m - new) + np.exp(tile - new).sum()  # the old sum, rescaled, and the tile's
    return new, ell
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_online_softmax", "grade": true, "points": 2}
def in_turn(*rows):
    """Rows of tiles, read in turn: m and ell of each, after its last tile."""
    kept = [() for _ in rows]
    for tiles in zip(*rows):
        kept = [online_softmax(np.array(tile), *so_far) for tile, so_far in zip(tiles, kept)]
    return kept


def test_online_softmax():
    """After each tile, m is the largest score so far and ell the sum of exp(score - m) so far."""
    check(online_softmax, np.array([0.0, 1.0]), gives=(1.0, 1.368))
    check(online_softmax, np.array([2.0]), 1.0, 1.3678794, gives=(2.0, 1.503))
    check(online_softmax, np.array([0.0, 2.0]), 3.0, 1.25)
    check(online_softmax, np.array([-3.0, -2.0]))
    check(online_softmax, np.array([1001.0, 999.0]), 1000.0, 1.5)
    check(online_softmax, np.array([-np.inf, 3.0]), 2.0, 1.0)
    check(online_softmax, np.array([-np.inf, -np.inf]))
    check(online_softmax, np.array([-np.inf]), 2.0, 1.25)
    check(in_turn, [[0.0], [3.0], [1.0]], [[7.0], [5.0], [9.0]])
    ### BEGIN HIDDEN TESTS
    check(online_softmax, np.array([-5.0, -9.0, -7.0]), about="negative scores alone")
    check(online_softmax, np.array([4.0]), about="one score")
    check(online_softmax, np.array([-1001.0]), -1000.0, 1.0, about="scores near -1000")
    check(online_softmax, np.array([-1001.0, -1002.0]), about="nothing but scores near -1000")
    check(online_softmax, np.array([-1e6, -1e6]), -1e6, 1.0, about="scores near minus a million")
    check(online_softmax, np.array([-3.0, -2.0]), -2.5, 2.0, about="negative scores in two tiles")
    check(online_softmax, np.array([0.0, 0.0]), 0.0, 2.0, about="a score of 0 so far")
    check(online_softmax, np.array([3, 1, 2]), 2.0, 1.0, about="whole numbers")
    check(online_softmax, np.array([700.0]), -700.0, 3.0, about="scores far above those before")
    check(in_turn, [[-np.inf], [-np.inf], [-700.0, -np.inf], [-np.inf], [-701.0]], about="hidden keys first")
    scores = np.round(np.random.default_rng(33).random(12) * 960 - 480) / 16
    for order, about in [(scores, "twelve scores"), (np.sort(scores), "rising"), (np.sort(scores)[::-1], "falling")]:
        check(in_turn, [part.tolist() for part in np.split(order, [1, 5, 6])], about=about)
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): What do you have to know of the earlier keys to go on? Three things for each query, two of them
# numbers.
#
# Hint 2 (the approach): Carry the largest score so far, the sum of the exponentials, and the sum of exponential times
# value, **not divided**. When the maximum grows, both sums are rescaled by the same factor. Divide for the output only.
# Start with −∞, 0 and 0.
#
# Hint 3 (the shapes): Scores and their exponentials are `(Tq, n)`. Keep maximum, sum and factor as columns, `(Tq, 1)`:
# they broadcast against `(Tq, n)` and against the mixture, `(Tq, dv)`, which grows by exponentials `@ v_tile`.


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
def numbers_in(state):
    """How many numbers a state holds."""
    if isinstance(state, (tuple, list, dict)):
        return sum(map(numbers_in, state.values() if isinstance(state, dict) else state))
    plain = isinstance(state, (int, float, np.number)) or (isinstance(state, np.ndarray) and state.dtype.kind in "biuf")
    return np.size(state) if plain or state is None else np.inf


def read(*texts):
    """Texts (q, k, v, sizes of the tiles), read in turn: the outputs of each, and whether its state stayed small."""
    states, outputs, small = [None for _ in texts], [[] for _ in texts], True
    for n in range(len(texts[0][3])):
        for i, (q, k, v, sizes) in enumerate(texts):
            tile = slice(sum(sizes[:n]), sum(sizes[: n + 1]))
            output, states[i] = attention_tiled(q, k[tile], v[tile], states[i])
            outputs[i].append(np.array(output))
            small = small and numbers_in(states[i]) <= len(q) * (v.shape[1] + 4)
    return outputs, small


Q = np.array([[2.0, 0.0, 0.0, 0.0], [2.0, 2.0, -2.0, 0.0], [2.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
V = np.array([[4.0, 0.0, 0.0, 2.0], [0.0, 4.0, 0.0, 2.0], [0.0, 0.0, 4.0, 2.0]])


def test_attention_tiled():
    """After every tile the output is that of attention over all keys so far, and the state has not grown."""
    outputs = [[[1.076, 2.924, 0.0, 2.0]], [[0.360, 0.979, 2.661, 2.0]]]
    check(read, (Q[1:2], K, V, [2, 1]), gives=([outputs], True))
    check(read, (Q, K, V, [1, 1, 1]))
    check(read, (Q, np.vstack([K, K * 2, -K]), np.vstack([V, V + 1, K])[:, :3], [3, 1, 5]))
    check(read, (Q[::2], K, V, [1, 2]), (Q[1:] / 2, K[::-1] - 1, V, [2, 1]))  # two texts in turn
    check(read, (np.array([[3.0], [-2.0]]), np.array([[400.0], [1.0], [399.0], [350.0]]), np.eye(4), [2, 1, 1]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(12)
    for Tq, d, dv, sizes in [(4, 3, 5, [7]), (1, 2, 1, [1, 7, 1]), (3, 2, 3, [1] * 6), (2, 2, 3, [9, 1, 20, 10])]:
        q, k, v = rng.random((Tq, d)) * 9 - 4, rng.random((sum(sizes), d)) * 9 - 4, rng.random((sum(sizes), dv))
        check(read, (q, k, v, sizes), about=f"{Tq=}, {d=}, {dv=}, tiles of {sizes}")
    rising = np.arange(12.0)[:, None]
    check(read, (np.array([[100.0], [1.0]]), rising, np.eye(12), [4, 4, 4]), about="scores that rise")
    check(read, (np.array([[100.0], [1.0]]), rising[::-1].copy(), np.eye(12), [4, 4, 4]), about="scores that fall")
    check(read, (np.array([[-100.0], [-1.0]]), rising + 8, np.eye(12), [5, 1, 6]), about="very negative scores")
    check(read, (np.array([[1000.0]]), rising[:3] - 50, np.eye(3), [1, 2]), about="scores far below zero")
    low = np.array([[-2.0], [-2.0]]) * 1e9
    check(read, (np.array([[1.0]]), low, np.array([[1.0], [3.0]]), [1, 1]), about="scores far below zero")
    same, first, second = np.array([[1.0]]), np.array([[1.0], [1.0]]), np.array([[5.0], [5.0]])
    check(read, (same, first * 0, first, [1, 1]), (same, first * 0, second, [1, 1]), about="two texts of one query")
    check(read, (Q.astype(int), K.astype(int), V.astype(int), [1, 2]), about="whole numbers")
    ### END HIDDEN TESTS
