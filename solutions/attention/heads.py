# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Many heads, masks, positions
#
# Attention lets every token look at every other token. This notebook decides **who may look at whom** (masks),
# **from how many angles** (heads), **at whose text** (self- and cross-attention), and **how a token knows where it
# stands** (positions).
#
# **When you are done you can** build causal and padding masks, project tokens to queries, keys and values, cut the
# width into heads and put it together again, let one text attend to another, and mark positions with sines and cosines.
#
# **You need** matrix products and broadcasting in NumPy, and the idea of attention from the page *Looking things up
# softly*. Plan about 110 minutes.
#
# **Shapes.** `B` batch, `T` tokens (`Tq` queries, `Tk` keys), `D` model width, `H` heads, `d = D / H` width of a head.
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
# Each exercise stands alone: none of them needs your answer to another one. Where attention itself is wanted, use the
# function `attend` that is given below.

# %%
import numpy as np
from scipy.special import softmax as scipy_softmax

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## Given: `attend`
# Scores (得分), scale, mask, softmax to weights (注意力权重), weighted sum. A mask (注意力掩码 attention mask) is boolean, `True` = may look, and
# broadcasts to the scores. A query that may look at nothing gets zeros: filling its scores with −∞ would give 0/0, and
# one such NaN spreads through everything computed from it.


# %%
def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Attention of q (..., Tq, d) over k (..., Tk, d) and v (..., Tk, dv). Shape (..., Tq, dv)."""
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., Tq, Tk)
    if mask is None:
        return scipy_softmax(scores, axis=-1) @ v  # (..., Tq, dv)
    weights = scipy_softmax(np.where(mask, scores, -1e30), axis=-1)  # finite, so that no row is 0/0
    return np.where(mask, weights, 0.0) @ v  # a row without any key gives zeros


# %% [markdown]
# ## `causal_mask`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# A model that writes text must not read the words that it has not written yet. The causal mask (因果掩码) says which keys
# each query may look at: its own and all earlier ones.
#
# `causal_mask(q_len, k_len)` returns a boolean array of shape `(q_len, k_len)`, `True` = may look. The queries are the
# **last** `q_len` of the `k_len` tokens, as when a model continues a text whose keys it kept. So **the last query sees
# the last key**, always. With more queries than keys, the first queries see nothing.
#
# By hand: `causal_mask(2, 3)` is the case where 酒店 was read before and 很, 干净 are new. 很 sees 酒店 and itself;
# 干净 sees all three.
#
# ```
#         酒店   很    干净
# 很      True  True  False
# 干净    True  True  True
# ```
#
# Hint 1 (a nudge): At which place in the whole text does query number `i` stand?
#
# Hint 2 (the approach): Query `i` stands at place `i + (k_len - q_len)`. It may look at key `j` when `j` is not beyond
# that place.
#
# Hint 3 (the shapes): A row of key places `(1, k_len)` and a column of query places `(q_len, 1)` broadcast to `(q_len,
# k_len)`.


# %% nbgrader={"grade_id": "causal_mask", "solution": true}
def causal_mask(q_len: int, k_len: int) -> np.ndarray:
    """Which keys each query may look at. Shape (q_len, k_len), dtype bool, True = may look."""
    ### BEGIN SOLUTION
    query_places = np.arange(q_len)[:, None] + (k_len - q_len)  # (q_len, 1)
    key_places = np.arange(k_len)[None, :]  # (1, k_len)
    return key_places <= query_places  # (q_len, k_len)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_causal_mask", "grade": true, "points": 2}
def test_causal_mask():
    """The last query sees the last key; everybody sees itself and the past, and nobody the future."""
    check(causal_mask, 2, 3, gives=[[True, True, False], [True, True, True]])
    check(causal_mask, 3, 3)
    check(causal_mask, 3, 5)
    check(causal_mask, 4, 2)
    ### BEGIN HIDDEN TESTS
    for q_len, k_len in [(1, 1), (1, 7), (6, 6), (8, 9), (5, 1)]:
        check(causal_mask, q_len, k_len, about=f"{q_len} of {k_len} tokens are queries")
    check(causal_mask, 70, 80, about="many tokens")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `padding_mask`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Sentences of unlike length share a batch: the short ones are filled up with padding (填充) at the end. No query may look
# at it.
#
# `padding_mask(lengths, T)` takes the number of real tokens of each sentence, an array of whole numbers from 0 to `T` of
# shape `(B,)`, and returns a boolean array of shape `(B, 1, 1, T)`, `True` = a real token. The two axes of size 1 broadcast over the heads and over the
# **queries**; the last axis is the keys. A length of 0 is allowed: its row is `False` throughout.
#
# By hand, with 酒店 很 干净 and 酒店 alone, both filled up to `T = 4`:
# `padding_mask(np.array([3, 1]), 4)` holds `[True, True, True, False]` and `[True, False, False, False]`.
#
# Hint 1 (a nudge): A sentence of length 3 has its real tokens at the places 0, 1 and 2. Is place 3 real?
#
# Hint 2 (the approach): Compare the places 0 … T−1 with the length of each sentence, all at once or sentence by
# sentence.
#
# Hint 3 (the shapes): Places `(T,)` against lengths `(B, 1, 1, 1)` broadcast to `(B, 1, 1, T)`.


# %% nbgrader={"grade_id": "padding_mask", "solution": true}
def padding_mask(lengths: np.ndarray, T: int) -> np.ndarray:
    """Which keys are real tokens. lengths (B,) -> shape (B, 1, 1, T), dtype bool, True = real."""
    ### BEGIN SOLUTION
    lengths = np.asarray(lengths)[:, None, None, None]  # (B, 1, 1, 1)
    return np.arange(T) < lengths  # (B, 1, 1, T)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_padding_mask", "grade": true, "points": 2}
def test_padding_mask():
    """Exactly the first `length` keys are real, in the shape that broadcasts over heads and queries."""
    check(padding_mask, np.array([3, 1]), 4, gives=[[[[True, True, True, False]]], [[[True, False, False, False]]]])
    check(padding_mask, np.array([2, 0, 4]), 5)
    check(padding_mask, np.array([3, 1, 2]), 3)
    ### BEGIN HIDDEN TESTS
    check(padding_mask, np.array([1]), 1, about="one sentence of one token")
    check(padding_mask, np.array([0, 0]), 3, about="nothing but empty sentences")
    check(padding_mask, np.array([3, 200], np.uint8), 300, about="lengths in bytes, and many places")
    check(padding_mask, np.array([6, 3, 1, 0, 5, 6]), 6, about="as many sentences as tokens")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `self_attention`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# In self-attention (自注意力) queries, keys and values all come from the **same** tokens, through three weight matrices.
#
# `self_attention(x, Wq, Wk, Wv)` takes `x` of shape `(B, T, D)` and three matrices of shape `(D, d)`, applied as `x @ W`,
# and returns `(B, T, d)`. No mask. Use the given `attend`.
#
# By hand, for 干净: the scaled scores are (2, 0, 1), the attention weights about (0.665, 0.090, 0.245), and the output is
# 0.665 · (4, 0, 0, 2) + 0.090 · (0, 4, 0, 2) + 0.245 · (0, 0, 4, 2) ≈ (2.66, 0.36, 0.98, 2).
# The token also looks at itself: its own weight is 0.245, and nothing makes it the largest.
#
# Hint 1 (a nudge): Three matrices, three products, all starting from the same `x`.
#
# Hint 2 (the approach): The queries come from `Wq`, the keys from `Wk`, the values from `Wv`, and `attend` takes them
# in this order.
#
# Hint 3 (the shapes): `(B, T, D) @ (D, d)` is `(B, T, d)`: nothing needs a transpose or a loop over the batch.


# %% nbgrader={"grade_id": "self_attention", "solution": true}
def self_attention(x: np.ndarray, Wq: np.ndarray, Wk: np.ndarray, Wv: np.ndarray) -> np.ndarray:
    """Every token of x (B, T, D) looks at all tokens of its own sentence. Weights (D, d). Shape (B, T, d)."""
    ### BEGIN SOLUTION
    q = x @ Wq  # (B, T, d)
    k = x @ Wk  # (B, T, d)
    v = x @ Wv  # (B, T, d)
    return attend(q, k, v)  # (B, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_self_attention", "grade": true, "points": 2}
X = np.array([[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])  # 酒店 很 干净
WQ = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
WK = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
WV = np.diag([4.0, 4, 4, 2])


def test_self_attention():
    """Each token's output is the attention of its own query over all the tokens of its sentence."""
    rows = [[1.6893, 0.6214, 1.6893, 2.0], [0.3601, 0.9789, 2.6610, 2.0], [2.6610, 0.3601, 0.9789, 2.0]]
    check(self_attention, X, WQ, WK, WV, gives=[rows])
    rng = np.random.default_rng(1)
    check(self_attention, rng.random((2, 5, 4)) - 0.5, *rng.random((3, 4, 4)) * 4 - 2)
    check(self_attention, rng.random((2, 4, 6)) - 0.5, *rng.random((3, 6, 2)) * 4 - 2)
    ### BEGIN HIDDEN TESTS
    for B, T, D, d in [(3, 4, 5, 3), (1, 1, 3, 5), (2, 3, 3, 3)]:
        size = f"B = {B}, T = {T}, D = {D}, d = {d}"
        check(self_attention, rng.random((B, T, D)) - 0.5, *rng.random((3, D, d)) * 4 - 2, about=size)
    check(self_attention, X.astype(int), WQ.astype(int), WK.astype(int), WV.astype(int), about="whole numbers")
    single = [a.astype(np.float32) for a in (X, WQ, WK, WV)]
    check(self_attention, *single, about="single precision")
    blank = np.array([[[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]]])
    check(self_attention, blank, *np.arange(3 * 2 * 5).reshape(3, 2, 5) / 9, about="a token of zeros, and d above D")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `split_heads`
# *difficulty ●●○ · importance ●●● · 10 min*
#
# One head has one set of attention weights per query: a single answer to "what matters to me?". Several heads (多头注意力 multi-head
# attention) ask several questions at once, each in its own slice of the width.
#
# `split_heads(x, H)` takes `(B, T, H·d)` and returns `(B, H, T, d)`: head `h` holds the columns `h·d … (h+1)·d − 1`
# of **every** token.
#
# By hand: the queries (2, 0, 0, 0), (2, 2, −2, 0), (2, 0, 2, 0) with `H = 2` give head 1 (2, 0), (2, 2), (2, 0) and
# head 2 (0, 0), (−2, 0), (2, 0).
#
# Hint 1 (a nudge): `reshape` never moves a number in memory; it only draws the boundaries anew. Here the order has to
# change too.
#
# Hint 2 (the approach): First cut the last axis in two, which keeps every token's numbers together. Then swap two axes.
#
# Hint 3 (the shapes): `(B, T, H·d)` → `(B, T, H, d)` → `(B, H, T, d)`.


# %% nbgrader={"grade_id": "split_heads", "solution": true}
def split_heads(x: np.ndarray, H: int) -> np.ndarray:
    """Cut the width into H heads. (B, T, H*d) -> (B, H, T, d)."""
    ### BEGIN SOLUTION
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H).transpose(0, 2, 1, 3)  # (B, H, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_split_heads", "grade": true, "points": 2}
def test_split_heads():
    """Head h is the slice h*d … (h+1)*d - 1 of every token."""
    queries = np.array([[[2.0, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]]])
    check(split_heads, queries, 2, gives=[[[[2, 0], [2, 2], [2, 0]], [[0, 0], [-2, 0], [2, 0]]]])
    check(split_heads, np.arange(24.0).reshape(1, 4, 6), 2)
    check(split_heads, np.arange(48.0).reshape(2, 4, 6), 3)
    check(split_heads, np.arange(48.0).reshape(4, 2, 6), 2)
    ### BEGIN HIDDEN TESTS
    for shape, H in [((1, 1, 4), 4), ((3, 5, 8), 2), ((2, 4, 12), 4), ((2, 3, 5), 1), ((1, 2, 6), 6)]:
        check(split_heads, np.random.default_rng(31).random(shape), H, about=f"x of shape {shape}, H = {H}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `merge_heads`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# The way back: `merge_heads(x)` takes `(B, H, T, d)` and returns `(B, T, H·d)`, each token's heads side by side, head 1
# first. Nothing is averaged or added; every number is kept.
#
# By hand: head 1 (2, 0), (2, 2), (2, 0) and head 2 (0, 0), (−2, 0), (2, 0) give
# (2, 0, 0, 0), (2, 2, −2, 0), (2, 0, 2, 0).
#
# A warning about testing: two mistakes can undo each other. A split and a merge that are both a bare `reshape` give the
# input back exactly, and every head in between is wrong. So the tests look at each direction by itself.
#
# Hint 1 (a nudge): Undo the two steps of the split, the last one first.
#
# Hint 2 (the approach): Bring the heads next to the width of a head; then join these two axes.
#
# Hint 3 (the shapes): `(B, H, T, d)` → `(B, T, H, d)` → `(B, T, H·d)`.


# %% nbgrader={"grade_id": "merge_heads", "solution": true}
def merge_heads(x: np.ndarray) -> np.ndarray:
    """Put the heads side by side again. (B, H, T, d) -> (B, T, H*d)."""
    ### BEGIN SOLUTION
    B, H, T, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * d)  # (B, T, H*d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_merge_heads", "grade": true, "points": 2}
def test_merge_heads():
    """Each token's heads lie side by side, the first head first."""
    heads = np.array([[[[2.0, 0], [2, 2], [2, 0]], [[0, 0], [-2, 0], [2, 0]]]])
    check(merge_heads, heads, gives=[[[2, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]]])
    check(merge_heads, np.arange(24.0).reshape(1, 2, 3, 4))
    check(merge_heads, np.arange(48.0).reshape(2, 3, 4, 2))
    check(merge_heads, np.arange(54.0).reshape(3, 3, 3, 2))
    ### BEGIN HIDDEN TESTS
    for shape in [(1, 4, 1, 1), (3, 2, 5, 4), (2, 4, 4, 3), (2, 1, 3, 5), (1, 6, 2, 1)]:
        check(merge_heads, np.random.default_rng(41).random(shape), about=f"x of shape {shape}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `multi_head_attention`
# *difficulty ●●● · importance ●●● · 25 min*
#
# Project, split into heads, attend in each head, merge, project once more.
#
# `multi_head_attention(x, Wq, Wk, Wv, Wo, H, causal=False)` takes `x` of shape `(B, T, D)` and four matrices `(D, D)`,
# applied as `x @ W`, and returns `(B, T, D)`. Head `h` uses the columns `h·d … (h+1)·d − 1` of the projections, with
# `d = D / H`, and **its** scale is √d. `Wo` mixes the heads. With `causal=True` no token looks at a later one.
# Write the reshaping out and use the given `attend`.
#
# By hand, with `H = 2` and `Wo` the identity. In head 2 the query of 酒店 is (0, 0): all scores are equal, the attention
# weights are 1/3 each, and the head returns the plain average of the values, (1.333, 2). With `causal=True`, 酒店 sees only
# itself and gets its own value back, (4, 0, 0, 2).
#
# Hint 1 (a nudge): `attend` works on the last two axes and leaves all others alone. Put the heads among the others.
#
# Hint 2 (the approach): Reshape and transpose `q`, `k` and `v`; one call of `attend` serves all heads; transpose and
# reshape back; `Wo` is last. A lower-triangular boolean matrix is the causal mask of equally many queries and keys.
#
# Hint 3 (the shapes): `(B, T, D)` → `(B, T, H, d)` → `(B, H, T, d)` → attend, mask `(T, T)` → `(B, H, T, d)` → `(B, T,
# H, d)` → `(B, T, D)`.


# %% nbgrader={"grade_id": "multi_head_attention", "solution": true}
def multi_head_attention(
    x: np.ndarray, Wq: np.ndarray, Wk: np.ndarray, Wv: np.ndarray, Wo: np.ndarray, H: int, causal: bool = False
) -> np.ndarray:
    """Attention in H heads of width D/H, mixed by Wo. x (B, T, D), weights (D, D). Shape (B, T, D)."""
    ### BEGIN SOLUTION
    B, T, D = x.shape
    q, k, v = (
        (x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3)  # (B, H, T, d)
        for W in (Wq, Wk, Wv)
    )
    mask = np.tri(T, dtype=bool) if causal else None  # (T, T)
    heads = attend(q, k, v, mask)  # (B, H, T, d)
    return heads.transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo  # (B, T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_multi_head_attention", "grade": true, "points": 3}
X = np.array([[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])  # 酒店 很 干净
WQ = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
WK = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
WV = np.diag([4.0, 4, 4, 2])


def test_multi_head_attention():
    """Each head attends in its own slice, with its own scale, and Wo mixes what the heads bring."""
    rows = [[1.7832, 0.4335, 1.3333, 2.0], [0.6543, 0.6543, 1.7832, 2.0], [1.7832, 0.4335, 0.6543, 2.0]]
    check(multi_head_attention, X, WQ, WK, WV, np.eye(4), 2, gives=[rows])
    rows = [[4.0, 0.0, 0.0, 2.0], [2.0, 2.0, 0.0, 2.0], [1.7832, 0.4335, 0.6543, 2.0]]
    check(multi_head_attention, X, WQ, WK, WV, np.eye(4), 2, causal=True, gives=[rows])
    rng = np.random.default_rng(2)
    x, weights = rng.random((2, 4, 6)) - 0.5, rng.random((4, 6, 6)) * 4 - 2
    check(multi_head_attention, x, *weights, 3)
    check(multi_head_attention, x, *weights, 3, causal=True)
    check(multi_head_attention, x, *weights, 2)
    ### BEGIN HIDDEN TESTS
    for B, T, D, H in [(1, 1, 6, 3), (3, 5, 8, 4), (2, 4, 6, 1), (2, 3, 5, 5)]:
        args = rng.random((B, T, D)) - 0.5, *rng.random((4, D, D)) * 4 - 2
        for causal in (False, True):
            check(multi_head_attention, *args, H, causal, about=f"{B=}, {T=}, {D=}, {H=}, {causal=}")
    whole = [a.astype(int) for a in (X, WQ, WK, WV, np.eye(4))]
    check(multi_head_attention, *whole, 2, causal=True, about="whole numbers")
    check(multi_head_attention, rng.random((1, 2, 4)), *rng.random((4, 4, 4)) * 4 - 2, 2, about="as many heads as tokens")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `cross_attention`
# *difficulty ●●○ · importance ●●○ · 10 min*
#
# A translator writes one text while looking at another. In cross-attention (交叉注意力) the queries come from the text being
# written, keys and values from the text being read, the *memory*.
#
# `cross_attention(x, memory, Wq, Wk, Wv)` takes `x` `(B, Tq, D)`, `memory` `(B, Tk, M)`, `Wq` `(D, d)`, `Wk` `(M, d)`,
# `Wv` `(M, dv)`, and returns `(B, Tq, dv)`: one row for each **query**. There is no causal mask: the memory is complete,
# so nothing in it lies in the future. Use the given `attend`.
#
# By hand: `x` is 干净 alone, the memory is 酒店 很. The scaled scores are (2, 0), the attention weights about
# (0.881, 0.119), the output about (3.523, 0.477, 0, 2). The value of 干净 itself does not enter.
#
# Hint 1 (a nudge): Who asks, and who answers?
#
# Hint 2 (the approach): It is self-attention with one change: two of the three products start from `memory`.
#
# Hint 3 (the shapes): `q` `(B, Tq, d)`, `k` `(B, Tk, d)`, `v` `(B, Tk, dv)`; the scores are `(B, Tq, Tk)`.


# %% nbgrader={"grade_id": "cross_attention", "solution": true}
def cross_attention(x: np.ndarray, memory: np.ndarray, Wq: np.ndarray, Wk: np.ndarray, Wv: np.ndarray) -> np.ndarray:
    """Tokens of x (B, Tq, D) look at tokens of memory (B, Tk, M). Shape (B, Tq, dv)."""
    ### BEGIN SOLUTION
    q = x @ Wq  # (B, Tq, d)
    k = memory @ Wk  # (B, Tk, d)
    v = memory @ Wv  # (B, Tk, dv)
    return attend(q, k, v)  # (B, Tq, dv)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_cross_attention", "grade": true, "points": 2}
X = np.array([[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])  # 酒店 很 干净
WQ = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
WK = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
WV = np.diag([4.0, 4, 4, 2])


def test_cross_attention():
    """Queries from x, keys and values from the memory, no mask."""
    check(cross_attention, X[:, 2:], X[:, :2], WQ, WK, WV, gives=[[[3.523, 0.477, 0.0, 2.0]]])
    rng = np.random.default_rng(3)
    weights = rng.random((3, 4, 4)) * 4 - 2
    check(cross_attention, rng.random((2, 3, 4)) - 0.5, rng.random((2, 3, 4)) - 0.5, *weights)
    check(cross_attention, rng.random((2, 2, 4)) - 0.5, rng.random((2, 5, 4)) - 0.5, *weights)
    weights = rng.random((3, 2)) * 4, rng.random((5, 2)) * 4 - 2, rng.random((5, 6))
    check(cross_attention, rng.random((2, 3, 3)), rng.random((2, 4, 5)), *weights)
    ### BEGIN HIDDEN TESTS
    for B, Tq, Tk, D, M, d, dv in [(2, 5, 2, 3, 6, 4, 7), (1, 1, 6, 4, 2, 3, 3), (3, 4, 1, 2, 2, 5, 1)]:
        x, memory = rng.random((B, Tq, D)) * 2 - 1, rng.random((B, Tk, M)) * 2 - 1
        weights = [rng.random(shape) * 4 - 2 for shape in ((D, d), (M, d), (M, dv))]
        check(cross_attention, x, memory, *weights, about=f"{Tq=}, {Tk=}, {D=}, {M=}, {d=}, {dv=}")
    whole = [a.astype(int) for a in (X[:, 2:], X[:, :2], WQ, WK, WV)]
    check(cross_attention, *whole, about="whole numbers")
    blank = np.array([[[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]]])
    check(cross_attention, blank, blank, np.eye(2), np.eye(2), np.eye(2), about="a token of zeros, and memory like x")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `sinusoidal_positions`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# Without a mask, attention does not know the order of its tokens: reorder the input, and the output is reordered in the
# same way. Adding a position vector (位置编码 positional encoding) to each token tells it where it stands.
#
# `sinusoidal_positions(T, D, base=10000.0)` returns an array of shape `(T, D)`, for even `D`. Position `t` counts from 0,
# and pair `i` counts from 0 to `D/2 − 1`:
#
# $$P_{t,\,2i} = \sin\left(t \cdot \text{base}^{-2i/D}\right) \qquad P_{t,\,2i+1} = \cos\left(t \cdot \text{base}^{-2i/D}\right)$$
#
# Sine and cosine of the same angle stand **side by side**. Each pair is the hand of a clock; the first turns by one radian
# a step, later ones ever more slowly. A step of `k` positions turns each hand by the same angle wherever it starts, so
# one fixed matrix takes the vector of `t` to that of `t + k`.
#
# By hand, with `D = 4` the speeds are 1 and 10000^(−1/2) = 0.01: position 0 is (0, 1, 0, 1), and position 1 is
# (sin 1, cos 1, sin 0.01, cos 0.01) ≈ (0.8415, 0.5403, 0.0100, 0.99995).
#
# Hint 1 (a nudge): There are `D/2` speeds, not `D`. Compute each angle once and use it twice.
#
# Hint 2 (the approach): Make an empty table, and fill every second column with sines, beginning at 0, and the others
# with cosines.
#
# Hint 3 (the shapes): Positions `(T, 1)` times speeds `(D/2,)` are the angles `(T, D/2)`.


# %% nbgrader={"grade_id": "sinusoidal_positions", "solution": true}
def sinusoidal_positions(T: int, D: int, base: float = 10000.0) -> np.ndarray:
    """Sines in the even columns, cosines in the odd ones. Shape (T, D), D even."""
    ### BEGIN SOLUTION
    speeds = base ** (-np.arange(0, D, 2) / D)  # (D/2,)
    angles = np.arange(T)[:, None] * speeds  # (T, D/2)
    table = np.empty((T, D))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)
    return table  # (T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_sinusoidal_positions", "grade": true, "points": 2}
def test_sinusoidal_positions():
    """Sine and cosine of one angle stand side by side; later pairs turn more slowly, by the base that is given."""
    check(sinusoidal_positions, 2, 4, gives=[[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.0100, 0.99995]])
    check(sinusoidal_positions, 5, 6, 50.0)
    check(sinusoidal_positions, 3, 4, base=100.0)
    ### BEGIN HIDDEN TESTS
    for T, D, base in [(1, 2, 10000.0), (7, 8, 10000.0), (4, 10, 50.0), (9, 2, 7.0), (20, 16, 500)]:
        check(sinusoidal_positions, T, D, base, within=1e-4, about=f"{T=}, {D=}, {base=}")
    check(sinusoidal_positions, 7, 8, 100.0, within=1e-4, about="the same size, another base")
    ### END HIDDEN TESTS
