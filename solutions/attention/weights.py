# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Looking things up softly
#
# A dictionary gives the value of the one key that equals the query. Attention (注意力 attention) gives a mixture of
# **all** the values, each weighted by how well its key fits the query. Four steps: score every key, scale the scores,
# turn them into weights that sum to 1, and take the weighted sum of the values.
#
# **When you are done you can** say how well two vectors agree, write a softmax that survives large numbers, compute
# scaled scores for any number of batches and heads, and put the whole of attention together, with a mask.
#
# **You need** matrix products, axes and broadcasting in NumPy. Plan about 45 minutes.
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

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## `dot_and_angle`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# How well does a key fit a query? Their dot product (点积) says it: multiply place by place, and add up. It grows when the
# vectors point the same way, and also when one of them is longer. The cosine (余弦) of the angle between them looks at the
# direction alone: it is the dot product divided by **both** lengths, 1 for the same direction, 0 for a right angle and −1
# for opposite directions.
#
# `dot_and_angle(u, v)` takes two vectors of shape `(n,)` and returns the pair `(dot, cosine)`, two single numbers. The
# second one is the cosine itself, not the angle. It must be right for very short vectors, too. A vector of zeros has no
# direction; **with such a vector the cosine is 0**, never NaN.
#
# By hand: the query of 干净 is (2, 0, 2, 0) and its key is (1, 1, 0, 0). The dot product is 2 · 1 + 0 + 0 + 0 = 2. The
# lengths are √8 and √2, whose product is 4, so the cosine is 2 / 4 = 0.5: an angle of 60 degrees.
#
# Hint 1 (a nudge): What happens to the dot product when you double `v`? And what has to happen to the cosine?
#
# Hint 2 (the approach): A vector's length is the root of its dot product with itself. Divide by the product of the two
# lengths, not by one.
#
# Hint 3 (the edge): Before you divide, ask whether the product of the lengths is 0. A small number added below the line
# would help with the zeros and spoil the short vectors.


# %% nbgrader={"grade_id": "dot_and_angle", "solution": true}
def dot_and_angle(u: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """The dot product of u (n,) and v (n,), and the cosine of the angle between them; 0 with a vector of zeros."""
    ### BEGIN SOLUTION
    dot = float(u @ v)
    lengths = float(np.linalg.norm(u) * np.linalg.norm(v))
    if lengths == 0:
        return dot, 0.0  # no direction, no angle
    return dot, dot / lengths
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_dot_and_angle", "grade": true, "points": 1}
def test_dot_and_angle():
    """The dot product grows with the lengths, the cosine does not; a vector of zeros has the cosine 0."""
    check(dot_and_angle, np.array([2.0, 0.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0]), gives=(2.0, 0.5))
    check(dot_and_angle, np.array([2.0, 0.0, 2.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0]), gives=(4.0, 1.0))
    check(dot_and_angle, np.array([2.0, 2.0, -2.0, 0.0]), np.array([-1.0, 0.0, 3.0, 0.0]), gives=[-8.0, -0.7303])
    check(dot_and_angle, np.zeros(4), np.array([1.0, 1.0, 0.0, 0.0]), gives=(0.0, 0.0))
    ### BEGIN HIDDEN TESTS
    check(dot_and_angle, np.array([3.0, 4.0]) * 1e-9, np.array([4.0, 3.0]) * 1e-9, about="very short vectors")
    check(dot_and_angle, np.array([3, 4, 0]), np.array([1.0, -2.0, 2.0]), about="whole numbers in one vector")
    check(dot_and_angle, np.array([3, 0, 4], np.float32), np.array([1, 2, 2], np.float32), about="single precision")
    check(dot_and_angle, np.array([-3.0]), np.array([2.0]), about="vectors of one number")
    check(dot_and_angle, np.zeros(2), np.zeros(2), about="two vectors of zeros")
    check(dot_and_angle, np.array([1.0, 2.0]), np.zeros(2), about="the second vector is zeros")
    check(dot_and_angle, np.array([3.0, -4.0, 5.0]), np.zeros(3), about="the second vector is zeros")
    check(dot_and_angle, np.arange(9.0) * 1000, np.arange(9.0)[::-1] - 2, about="long vectors")
    ### END HIDDEN TESTS


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
# The numbers may be whole ones, and as large as ±10 000, where `np.exp` alone overflows to infinity. Do not use
# `scipy_softmax` here: it is what you are building.
#
# By hand: the scaled scores of 干净 are (2, 0, 1). Their exponentials are 7.389, 1 and 2.718, with sum 11.107, so the
# weights are 0.665, 0.090 and 0.245.
#
# Hint 1 (a nudge): What happens to the weights when you add the same number to every entry of a row?
#
# Hint 2 (the approach): Nothing happens: the factor cancels. So subtract from each slice its own largest entry; then no
# exponent is above 0.
#
# Hint 3 (the shapes): For `x` of shape `(3, 5)` and `axis=0`, maximum and sum must have shape `(1, 5)` to broadcast
# against `x`: tell both reductions which axis to go along, and to keep it (`keepdims`).


# %% nbgrader={"grade_id": "softmax", "solution": true}
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weights along `axis`: positive, with sum 1. Same shape as x."""
    ### BEGIN SOLUTION
    shifted = x - x.max(axis=axis, keepdims=True)  # same shape as x, nothing above 0
    exps = np.exp(shifted)  # same shape as x
    return exps / exps.sum(axis=axis, keepdims=True)  # same shape as x
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_softmax", "grade": true, "points": 2, "without": ["scipy_softmax"]}
def test_softmax():
    """The sums along the axis are 1, on any axis, and large numbers do not overflow."""
    check(softmax, np.array([2.0, 0.0, 1.0]), gives=[0.6652, 0.0900, 0.2447])
    check(softmax, np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [2.0, 0.0, 1.0]]))
    check(softmax, np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [2.0, 0.0, 1.0]]), axis=0)
    check(softmax, np.array([[0.5, -1.0, 2.0], [1.0, 3.0, -2.0]]), axis=0)
    check(softmax, np.array([1e4, 9999.0, 0.0]), gives=[0.7311, 0.2689, 0.0])
    check(softmax, np.array([[1e4, 9998.0], [-1e4, -9999.0]]))
    ### BEGIN HIDDEN TESTS
    check(softmax, np.array([2, 0, 1]), about="whole numbers")
    check(softmax, np.array([2.0, 0.0, 1.0], dtype=np.float16), about="half precision")
    check(softmax, np.array([[3.0]]), about="a single number")
    check(softmax, np.full((3, 4), 1e4), axis=0, about="equal numbers")
    check(softmax, np.arange(24.0).reshape(2, 3, 4) % 7, axis=1, about="the middle one of three axes")
    check(softmax, np.arange(24.0).reshape(2, 3, 4) % 5, axis=-3, about="a negative axis")
    check(softmax, np.array([[1e4, -1e4], [-1e4, 9999.5], [-1e4, 1e4]]), axis=0, about="large numbers")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): Which two axes of `k` have to change places, and which must stay, when there is a batch?
#
# Hint 2 (the approach): Swap the last two axes only (`.T` reverses all of them), multiply, divide by the square root of
# the last axis' length.
#
# Hint 3 (the shapes): `(..., Tq, d) @ (..., d, Tk)` gives `(..., Tq, Tk)`; `np.swapaxes` takes the two axes to swap,
# and −1 is the last one.


# %% nbgrader={"grade_id": "scaled_scores", "solution": true}
def scaled_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Dot products of q (..., Tq, d) and k (..., Tk, d) over the root of d. Shape (..., Tq, Tk)."""
    ### BEGIN SOLUTION
    d = q.shape[-1]
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(d)  # (..., Tq, d) @ (..., d, Tk) -> (..., Tq, Tk)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_scaled_scores", "grade": true, "points": 2}
Q = np.array([[2.0, 0.0, 0.0, 0.0], [2.0, 2.0, -2.0, 0.0], [2.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])


def test_scaled_scores():
    """A row for each query, a column for each key, divided by the root of d, with any leading axes."""
    check(scaled_scores, Q, K, gives=[[1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [2.0, 0.0, 1.0]])
    check(scaled_scores, Q[:2, :3], np.vstack([K, K + 1])[:, :3])
    check(scaled_scores, np.stack([Q, Q + 1]), np.stack([K, K - 1]))
    check(scaled_scores, np.ones((1, 2, 3, 4)), np.ones((1, 2, 1, 4)))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(17)
    for lead, Tq, Tk, d in [((), 1, 6, 3), ((), 6, 1, 5), ((4,), 4, 4, 9), ((3, 2), 5, 7, 8), ((2, 2, 2), 3, 4, 5)]:
        q, k = rng.random((*lead, Tq, d)), rng.random((*lead, Tk, d))
        check(scaled_scores, q * 4 - 2, k * 4 - 2, about=f"{len(lead)} leading axes, Tq = {Tq}, Tk = {Tk}")
    check(scaled_scores, Q.astype(int), K.astype(int), about="whole numbers")
    check(scaled_scores, Q.astype(np.float32), K.astype(np.float32), about="single precision")
    check(scaled_scores, Q[:0], K, about="no query at all")
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    check(scaled_scores, square, square, about="as many queries and keys as numbers in each")
    check(scaled_scores, np.array([[2.0]]), np.array([[3.0]]), about="vectors of one number")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `attention`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# All four steps: scores, scale, softmax over the keys, weighted sum of the values.
#
# `attention(q, k, v, mask=None)` takes `q` `(..., Tq, d)`, `k` `(..., Tk, d)` and `v` `(..., Tk, dv)` and returns the pair
# `(output, weights)`, the second being the attention weights, of shapes `(..., Tq, dv)` and `(..., Tq, Tk)`.
#
# The mask (注意力掩码 attention mask) is boolean, **`True` = may look**, and broadcasts to the scores. A hidden key gets
# weight 0 however low the other scores are, and the weights of the others still sum to 1. A query that may look at
# **nothing** gets weights 0 and output 0, never NaN.
#
# By hand: the weights of 干净 are (0.665, 0.090, 0.245), so its output is 0.665 · (4, 0, 0, 2) + 0.090 · (0, 4, 0, 2) +
# 0.245 · (0, 0, 4, 2) = (2.661, 0.360, 0.979, 2). If it may not look at 很, the scores (2, 1) are left, with the weights
# 0.731 and 0.269: the output is (2.924, 0, 1.076, 2).
#
# Hint 1 (a nudge): What score must a hidden key have for softmax to give it no weight?
#
# Hint 2 (the approach): Replace the hidden scores **before** the softmax by a very negative number, with `np.where`,
# which broadcasts. With −∞, a row without any key is 0/0; with −1e30 it comes out uniform, and you set the hidden
# weights to 0 afterwards.
#
# Hint 3 (the shapes): Scores, mask and attention weights are all `(..., Tq, Tk)`; the keys are the **last** axis, so
# the softmax goes along it. The output is `(..., Tq, Tk) @ (..., Tk, dv)`.


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
Q = np.array([[2.0, 0.0, 0.0, 0.0], [2.0, 2.0, -2.0, 0.0], [2.0, 0.0, 2.0, 0.0]])
K = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
V = np.array([[4.0, 0.0, 0.0, 2.0], [0.0, 4.0, 0.0, 2.0], [0.0, 0.0, 4.0, 2.0]])
SOME = np.array([[True, True, True], [True, True, False], [True, False, True]])


def test_attention():
    """Weights sum to 1 over the keys, hidden keys weigh nothing, the output is the weighted sum of the values."""
    check(attention, Q[2:], K, V, gives=([[2.661, 0.360, 0.979, 2.0]], [[0.6652, 0.0900, 0.2447]]))
    check(attention, Q[2:], K, V, SOME[2:], gives=([[2.924, 0.0, 1.076, 2.0]], [[0.7311, 0.0, 0.2689]]))
    check(attention, Q, K, V)
    check(attention, Q, K, V, SOME)
    check(attention, Q[:2], K, V[:, :3])
    check(attention, np.stack([Q, Q + 1]), np.stack([K, K - 1]), np.stack([V, V * 2]), np.array([True, False, True]))
    check(attention, Q, K, V, np.array([[False, False, False], [True, True, False], [True, False, True]]))
    check(attention, Q - 200, K + 1, V, SOME)  # every score is far below zero
    check(attention, Q * 1000, K, V, np.array([[True, True, True], [True, True, False], [False, True, True]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(23)
    for lead, Tq, Tk, d, dv in [((), 1, 1, 1, 1), ((), 5, 2, 3, 4), ((3,), 4, 4, 8, 8), ((2, 2), 3, 6, 4, 5)]:
        q, k, v = rng.random((*lead, Tq, d)), rng.random((*lead, Tk, d)), rng.random((*lead, Tk, dv))
        size = f"{len(lead)} leading axes, Tq = {Tq}, Tk = {Tk}"
        check(attention, q * 4 - 2, k * 4 - 2, v, about=f"no mask, {size}")
        check(attention, q * 999, k, v, rng.random((*lead, Tq, Tk)) < 0.6, about=f"a mask of full size, {size}")
        check(attention, q, k, v, rng.random(Tk) < 0.7, about=f"one mask for all queries, {size}")
        check(attention, q, k, v, np.zeros((Tq, 1), bool), about=f"nobody may look, {size}")
    check(attention, Q * -1e5, K + 1, V, SOME, about="very low scores")
    lowest = np.array([[1e5]]), np.array([[-1e5], [0.0]]), np.array([[7.0], [9.0]]), np.array([[True, False]])
    check(attention, *lowest, about="the one key that may be seen has a very low score")
    ones, nobody = np.ones((1, 2, 2)), np.array([[[False, False], [True, True]]])
    check(attention, ones, ones, ones, nobody, about="a row of a text's mask in which nobody may look")
    check(attention, Q.astype(int), K.astype(int), V.astype(int), SOME, about="whole numbers")
    check(attention, Q.astype(np.float32), K.astype(np.float32), V.astype(np.float32), SOME, about="single precision")
    ### END HIDDEN TESTS
