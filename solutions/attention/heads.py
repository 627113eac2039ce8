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
# <details><summary>Hint 1: a nudge</summary>
#
# At which place in the whole text does query number `i` stand?
#
# <details><summary>Hint 2: the approach</summary>
#
# Query `i` stands at place `i + (k_len - q_len)`. It may look at key `j` when `j` is not beyond that place.
#
# <details><summary>Hint 3: the shapes</summary>
#
# Compare a row of key places `(1, k_len)` with a column of query places `(q_len, 1)`; the comparison broadcasts to
# `(q_len, k_len)`.
#
# </details></details></details>


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
    """The last query sees the last key; nobody sees the future; everybody sees itself and the past."""

    def check(q_len, k_len):
        call = f"causal_mask({q_len}, {k_len})"
        try:
            mask = np.asarray(causal_mask(q_len, k_len))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): query places are a column (q_len, 1), key places a row"
            ) from None
        expected = np.array([[j - i <= k_len - q_len for j in range(k_len)] for i in range(q_len)])
        why = ": the mask has a row for each query and a column for each key"
        if q_len != k_len and mask.shape == (q_len, q_len):
            why = ": that is q_len by q_len, a square only; there may be more keys than queries"
        elif q_len != k_len and mask.shape == (k_len, k_len):
            why = ": that is k_len by k_len, a square only; keep the last q_len rows"
        assert mask.shape == (q_len, k_len), f"{call}: expected shape {(q_len, k_len)}, got {mask.shape}{why}"
        assert mask.dtype == bool, (
            f"{call}: expected dtype bool with True = may look, got dtype {mask.dtype}: "
            "a mask of numbers (0 and 1, or 0 and -inf to add to the scores) is another convention"
        )
        known = {
            "the first query was aligned with the first key: the last query must see the last key": np.tril(
                np.ones((q_len, k_len), bool)
            ),
            "the diagonal is excluded: a token attends to itself too, not to earlier tokens only": np.tril(
                np.ones((q_len, k_len), bool), k_len - q_len - 1
            ),
            "the triangle is swapped: queries see the future and not the past": np.triu(
                np.ones((q_len, k_len), bool), k_len - q_len
            ),
            "the mask is inverted: True must mean 'may look', not 'is hidden'": ~expected,
            "everything is allowed: nothing hides the future": np.ones((q_len, k_len), bool),
            "one later key is allowed: a query sees itself and earlier tokens": np.tri(
                q_len, k_len, k_len - q_len + 1, bool
            ),
            "the offset is turned round: query i stands at place i + (k_len - q_len)": np.tri(
                q_len, k_len, q_len - k_len, bool
            ),
            "each query sees its own key only": np.eye(q_len, k_len, k_len - q_len, dtype=bool),
        }
        for mistake, wrong in known.items():
            if not np.array_equal(wrong, expected):
                assert not np.array_equal(mask, wrong), f"{call}: {mistake}"
        assert np.array_equal(mask, expected), f"{call}: expected\n{expected}\ngot\n{mask}"

    check(3, 3)
    check(2, 3)
    check(3, 5)
    ### BEGIN HIDDEN TESTS
    for q_len, k_len in [(1, 1), (1, 7), (6, 6), (4, 9), (8, 9), (3, 2), (5, 1)]:
        check(q_len, k_len)
    rng = np.random.default_rng(11)
    T, d = 5, 3
    mask = np.asarray(causal_mask(T, T))
    q, k, v = rng.normal(size=(3, T, d))

    def look(k, v):
        e = np.exp(q @ k.T / np.sqrt(d)) * mask
        return e / e.sum(-1, keepdims=True) @ v

    before = look(k, v)
    for t in range(T):
        k2, v2 = k.copy(), v.copy()
        k2[t], v2[t] = k2[t] + 1.0, v2[t] - 1.0
        changed = ~np.isclose(look(k2, v2), before).all(-1)
        assert not changed[:t].any(), f"editing token {t} changed an earlier output: the future leaks"
        assert changed[t:].all(), f"editing token {t} left a later output (or its own) as it was: the past is hidden"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_causal_mask()


# %% [markdown]
# ## `padding_mask`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Sentences of unlike length share a batch: the short ones are filled up with padding (填充) at the end. No query may look
# at it.
#
# `padding_mask(lengths, T)` takes the number of real tokens of each sentence, shape `(B,)`, and returns a boolean array
# of shape `(B, 1, 1, T)`, `True` = a real token. The two axes of size 1 broadcast over the heads and over the
# **queries**; the last axis is the keys. A length of 0 is allowed: its row is `False` throughout.
#
# By hand, with 酒店 很 干净 and 酒店 alone, both filled up to `T = 4`:
# `padding_mask([3, 1], 4)` holds `[True, True, True, False]` and `[True, False, False, False]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A sentence of length 3 has its real tokens at the places 0, 1 and 2. Is place 3 real?
#
# <details><summary>Hint 2: the approach</summary>
#
# Compare the places 0 … T−1 with the length of each sentence.
#
# <details><summary>Hint 3: the shapes</summary>
#
# Places `(T,)` against lengths `(B, 1, 1, 1)` broadcast to `(B, 1, 1, T)`.
#
# </details></details></details>


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

    def check(lengths, T):
        B = len(lengths)
        call = f"padding_mask({lengths}, {T})"
        try:
            mask = np.asarray(padding_mask(np.array(lengths), T))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): the lengths need three more axes, (B, 1, 1, 1)"
            ) from None
        why = {
            (B, 1, T, 1): ": that masks the queries instead of the keys; the last axis of the scores is the keys",
            (B, T): ": the axes for heads and queries are missing, so B would line up with the queries",
            (B, 1, T): ": one axis short, so B would line up with the heads of (B, H, Tq, Tk)",
            (B, 1, T, T): ": one row for all queries is enough, the third axis has size 1 and broadcasts",
        }.get(mask.shape, "")
        assert mask.shape == (B, 1, 1, T), f"{call}: expected shape {(B, 1, 1, T)}, got {mask.shape}{why}"
        assert mask.dtype == bool, (
            f"{call}: expected dtype bool with True = real, got dtype {mask.dtype}: a mask of numbers "
            "is another convention, and one that adds -inf turns an empty row into NaN"
        )
        row = mask[:, 0, 0, :]
        places, n = np.arange(T)[None, :], np.array(lengths)[:, None]
        expected = places < n
        known = {
            "off by one: one padding token counts as real (a length of 3 means the places 0, 1, 2)": places <= n,
            "off by one: the last real token is masked away": places < n - 1,
            "the mask is inverted: True must mean a real token": places >= n,
            "the padding is expected on the left: the real tokens come first": places >= T - n,
            "an empty sentence got one real token: a length of 0 has a row of False": places < np.maximum(n, 1),
            "an empty sentence got every token: a length of 0 has a row of False": (places < n) | (n == 0),
        }
        for mistake, wrong in known.items():
            if not np.array_equal(wrong, expected):
                assert not np.array_equal(row, wrong), f"{call}: {mistake}"
        assert np.array_equal(row, expected), f"{call}: expected the rows\n{expected}\ngot\n{row}"

    check([3, 1], 4)
    check([2, 0, 4], 5)
    ### BEGIN HIDDEN TESTS
    check([1], 1)
    check([0, 0], 3)
    check([6, 3, 1, 0, 5, 6], 6)
    rng = np.random.default_rng(12)
    B, H, T, d = 3, 2, 4, 5
    lengths = np.array([4, 2, 3])
    q, k, v = rng.normal(size=(3, B, H, T, d))

    def look(k, v, mask):
        e = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(d)) * mask
        return e / e.sum(-1, keepdims=True) @ v

    short = look(k, v, np.asarray(padding_mask(lengths, T)))
    junk = rng.normal(size=(2, B, H, 3, d))
    longer = look(
        np.concatenate([k, junk[0]], 2), np.concatenate([v, junk[1]], 2), np.asarray(padding_mask(lengths, T + 3))
    )
    assert np.allclose(short, longer), "appending three padding tokens changed the output: some padding is looked at"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_padding_mask()


# %% [markdown]
# ## `self_attention`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# In self-attention (自注意力) queries, keys and values all come from the **same** tokens, through three weight matrices.
#
# `self_attention(x, Wq, Wk, Wv)` takes `x` of shape `(B, T, D)` and weights of shape `(D, d)`, applied as `x @ W`, and
# returns `(B, T, d)`. No mask. Use the given `attend`.
#
# By hand, for 干净: the scaled scores are (2, 0, 1), the weights about (0.665, 0.090, 0.245), and the output is
# 0.665 · (4, 0, 0, 2) + 0.090 · (0, 4, 0, 2) + 0.245 · (0, 0, 4, 2) ≈ (2.66, 0.36, 0.98, 2).
# The token also looks at itself: its own weight is 0.245, and nothing makes it the largest.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Three matrices, three products, all starting from the same `x`.
#
# <details><summary>Hint 2: the approach</summary>
#
# `q` comes from `Wq`, `k` from `Wk`, `v` from `Wv`; then `attend(q, k, v)`.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(B, T, D) @ (D, d)` is `(B, T, d)`: nothing needs a transpose or a loop over the batch.
#
# </details></details></details>


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
def test_self_attention():
    """The worked example and a random batch, against attention written out here."""

    def look(q, k, v, scale=None, mask=True):
        s = q @ np.swapaxes(k, -1, -2) / (scale or np.sqrt(q.shape[-1]))
        e = np.exp(s - s.max(-1, keepdims=True)) * mask
        return e / e.sum(-1, keepdims=True) @ v

    def same(a, b):
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4)

    def check(x, Wq, Wk, Wv, what):
        try:
            got = np.asarray(self_attention(x.copy(), Wq.copy(), Wk.copy(), Wv.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): x @ W with x (B, T, D) and W (D, d), nothing transposed"
            ) from None
        expected = look(x @ Wq, x @ Wk, x @ Wv)
        assert got.shape == expected.shape, f"{what}: expected shape {expected.shape}, got {got.shape}"
        if same(got, expected):
            return got
        (B, T, D), d = x.shape, Wq.shape[1]
        shifted = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        scores = (x @ Wq) @ np.swapaxes(x @ Wk, -1, -2) / d**0.5
        across = np.exp(scores - scores.max(-2, keepdims=True))
        one_text = look(*(x.reshape(1, B * T, D) @ W for W in (Wq, Wk, Wv))).reshape(B, T, d)
        known = {
            "one projection is shared by queries and keys (Wq used twice)": look(x @ Wq, x @ Wq, x @ Wv),
            "one projection is shared by queries and keys (Wk used twice)": look(x @ Wk, x @ Wk, x @ Wv),
            "one projection is shared by keys and values (Wk used twice)": look(x @ Wq, x @ Wk, x @ Wk),
            "one projection is shared by queries, keys and values": look(x @ Wq, x @ Wq, x @ Wq),
            "queries and keys are swapped": look(x @ Wk, x @ Wq, x @ Wv),
            "the keys come from the previous token: each token's key belongs to the token itself": look(
                x @ Wq, np.roll(x, 1, axis=1) @ Wk, x @ Wv
            ),
            "the keys come from the previous token, and the first has none: each token's key belongs to the token itself": (
                look(x @ Wq, shifted @ Wk, x @ Wv)
            ),
            "keys and values come from the previous token: each token's own are among them": look(
                x @ Wq, shifted @ Wk, shifted @ Wv
            ),
            "keys and values are swapped: attend takes queries, keys, values": look(x @ Wq, x @ Wv, x @ Wk),
            "the scores are divided by √D, the width of x: it is the width of a query, √d": look(
                x @ Wq, x @ Wk, x @ Wv, scale=D**0.5
            ),
            "the scores are divided by √T: it is the width of a query, √d": look(x @ Wq, x @ Wk, x @ Wv, scale=T**0.5),
            "the softmax runs over the queries: the weights sum to 1 over the keys": across
            / across.sum(-2, keepdims=True)
            @ (x @ Wv),
            "tokens look across the batch: the texts were joined into one": one_text,
            "no token looks at itself: self-attention includes the token's own key": look(
                x @ Wq, x @ Wk, x @ Wv, mask=~np.eye(x.shape[1], dtype=bool) | (x.shape[1] == 1)
            ),
            "a causal mask is applied, but this exercise has none": look(
                x @ Wq, x @ Wk, x @ Wv, mask=np.tri(x.shape[1], dtype=bool)
            ),
            "the scores are not divided by √d": look(x @ Wq, x @ Wk, x @ Wv, scale=1.0),
        }
        if Wq.shape[0] == Wq.shape[1]:
            known |= {
                "the weights are transposed: the contract is x @ W": look(x @ Wq.T, x @ Wk.T, x @ Wv.T),
                "the values are not projected: v is x @ Wv": look(x @ Wq, x @ Wk, x),
                "the queries are not projected: q is x @ Wq": look(x, x @ Wk, x @ Wv),
                "the keys are not projected: k is x @ Wk": look(x @ Wq, x, x @ Wv),
                "the keys are computed from the queries: all three start from x": look(x @ Wq, x @ Wq @ Wk, x @ Wv),
                "keys and values are computed in a chain: all three start from x": look(
                    x @ Wq, x @ Wq @ Wk, x @ Wq @ Wk @ Wv
                ),
            }
        for mistake, wrong in known.items():
            if not same(wrong, expected):
                assert not same(got, wrong), f"{what}: {mistake}"
        raise AssertionError(f"{what}: expected\n{expected.round(3)}\ngot\n{got.round(3)}")

    x = np.array([[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])  # 酒店 很 干净
    Wq = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
    Wk = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    Wv = np.diag([4.0, 4, 4, 2])
    clean = check(x, Wq, Wk, Wv, "the worked example")[0, 2]
    assert np.allclose(clean, [2.661, 0.360, 0.979, 2], atol=1e-3), (
        f"干净: expected about (2.661, 0.360, 0.979, 2), got {clean}"
    )
    rng = np.random.default_rng(1)
    check(rng.normal(size=(2, 5, 4)), *rng.normal(size=(3, 4, 4)), "a random batch with D = d = 4")
    check(rng.normal(size=(2, 4, 6)), *rng.normal(size=(3, 6, 2)), "a random batch with D = 6, d = 2")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(21)
    check(rng.normal(size=(3, 4, 5)), *rng.normal(size=(3, 5, 3)), "D = 5, d = 3")
    check(rng.normal(size=(1, 1, 3)), *rng.normal(size=(3, 3, 5)), "one token, D = 3, d = 5")
    x, W = rng.normal(size=(2, 6, 3)), rng.normal(size=(3, 3, 4))
    order = rng.permutation(6)
    a, b = np.asarray(self_attention(x, *W))[:, order], np.asarray(self_attention(x[:, order], *W))
    assert np.allclose(a, b, atol=1e-4), "reordering the tokens must reorder the outputs and change nothing else"
    x2 = x.copy()
    x2[1] += 1.0
    a, b = np.asarray(self_attention(x, *W))[0], np.asarray(self_attention(x2, *W))[0]
    assert np.allclose(a, b, atol=1e-4), "editing one sentence changed another: tokens look across the batch"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_self_attention()


# %% [markdown]
# ## `split_heads`
# *difficulty ●●○ · importance ●●● · 10 min*
#
# One head has one set of weights per query: a single answer to "what matters to me?". Several heads (多头注意力 multi-head
# attention) ask several questions at once, each in its own slice of the width.
#
# `split_heads(x, H)` takes `(B, T, H·d)` and returns `(B, H, T, d)`: head `h` holds the columns `h·d … (h+1)·d − 1`
# of **every** token.
#
# By hand: the queries (2, 0, 0, 0), (2, 2, −2, 0), (2, 0, 2, 0) with `H = 2` give head 1 (2, 0), (2, 2), (2, 0) and
# head 2 (0, 0), (−2, 0), (2, 0).
#
# <details><summary>Hint 1: a nudge</summary>
#
# `reshape` never moves a number in memory; it only draws the boundaries anew. Here the order has to change too.
#
# <details><summary>Hint 2: the approach</summary>
#
# First cut the last axis in two, which keeps every token's numbers together. Then swap two axes.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(B, T, H·d)` → `(B, T, H, d)` → `(B, H, T, d)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "split_heads", "solution": true}
def split_heads(x: np.ndarray, H: int) -> np.ndarray:
    """Cut the width into H heads. (B, T, H*d) -> (B, H, T, d)."""
    ### BEGIN SOLUTION
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H).transpose(0, 2, 1, 3)  # (B, H, T, d)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_split_heads", "grade": true, "points": 2}
def test_split_heads():
    """Head h is the slice h*d … (h+1)*d of every token."""

    def check(x, H):
        B, T, D = x.shape
        d = D // H
        what = f"x of shape {x.shape}, H = {H}"
        try:
            got = np.asarray(split_heads(x.copy(), H))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): cut the last axis into (H, d) with d = D // H, all other "
                "axes as they are; then name all four axes in their new order"
            ) from None
        why = ""
        if got.shape == (B, T, H, d):
            why = ": the last axis is cut, but the axes of tokens and heads are not swapped"
        elif got.shape == (H, B, T, d):
            why = ": the heads come before the batch"
        elif got.shape == (B, d, T, H):
            why = ": the number of heads and the width of a head are mixed up"
        elif got.shape == (B, H, d, T):
            why = ": the tokens are the last axis"
        assert got.shape == (B, H, T, d), f"{what}: expected shape {(B, H, T, d)}, got {got.shape}{why}"
        expected = np.stack([x[:, :, h * d : (h + 1) * d] for h in range(H)], axis=1)
        known = {
            "reshape without a transpose: the shape is right, but a head holds all numbers of a few tokens "
            "instead of a few numbers of all tokens": x.reshape(B, H, T, d),
            "the heads are interleaved: head h took every H-th column; its columns lie side by side": x.reshape(
                B, T, d, H
            ).transpose(0, 3, 1, 2),
            "the heads are in reverse order": expected[:, ::-1],
            "every head holds the same slice": np.repeat(expected[:, :1], H, axis=1),
            "the tokens are in reverse order": expected[:, :, ::-1],
        }
        if T == H:
            known["the axes of tokens and heads are not swapped"] = x.reshape(B, T, H, d)
        for mistake, wrong in known.items():
            if not np.array_equal(wrong, expected):
                assert not np.allclose(got, wrong), f"{what}: {mistake}"
        assert np.allclose(got, expected), f"{what}: expected\n{expected}\ngot\n{got}"

    check(np.arange(48.0).reshape(2, 4, 6), 3)
    check(np.array([[[2.0, 0, 0, 0], [2, 2, -2, 0], [2, 0, 2, 0]]]), 2)
    check(np.arange(24.0).reshape(1, 4, 6), 2)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(31)
    for shape, H in [((1, 1, 4), 4), ((3, 5, 8), 2), ((2, 4, 12), 4), ((2, 3, 5), 1), ((1, 2, 6), 6)]:
        check(rng.normal(size=shape), H)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_split_heads()


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
# <details><summary>Hint 1: a nudge</summary>
#
# Undo the two steps of the split, the last one first.
#
# <details><summary>Hint 2: the approach</summary>
#
# Bring the heads next to the width of a head; then join these two axes.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(B, H, T, d)` → `(B, T, H, d)` → `(B, T, H·d)`.
#
# </details></details></details>


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

    def check(x):
        B, H, T, d = x.shape
        what = f"x of shape {x.shape}"
        try:
            got = np.asarray(merge_heads(x.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): bring the heads beside the width, (B, T, H, d), then join "
                "these two axes to H * d"
            ) from None
        why = ""
        if got.shape == (B, T, d):
            why = ": the heads are added or averaged; they must be kept side by side"
        elif got.shape == (B, H, T * d):
            why = ": the tokens were joined with the width; join the heads with it"
        elif got.shape == (B, T, H, d):
            why = ": the axes are swapped but not joined"
        assert got.shape == (B, T, H * d), f"{what}: expected shape {(B, T, H * d)}, got {got.shape}{why}"
        expected = np.concatenate([x[:, h] for h in range(H)], axis=-1)
        known = {
            "reshape without a transpose: the shape is right, but numbers of different tokens share a row": x.reshape(
                B, T, H * d
            ),
            "the heads are interleaved: a head's numbers must stay side by side": x.transpose(0, 2, 3, 1).reshape(
                B, T, H * d
            ),
            "the heads are in reverse order: the first head comes first": np.concatenate(
                [x[:, h] for h in reversed(range(H))], axis=-1
            ),
            "every slot holds the average of the heads: keep each head's own numbers": np.tile(x.mean(1), H),
            "the wrong axes are swapped before joining": x.transpose(0, 3, 2, 1).reshape(B, T, H * d),
            "the batch is mixed with the tokens: the first axis stays where it is": x.transpose(2, 0, 1, 3).reshape(
                B, T, H * d
            ),
            "every slot holds the sum of the heads: keep each head's own numbers": np.tile(x.sum(1), H),
        }
        for mistake, wrong in known.items():
            if not np.array_equal(wrong, expected):
                assert not np.allclose(got, wrong), f"{what}: {mistake}"
        assert np.allclose(got, expected), f"{what}: expected\n{expected}\ngot\n{got}"

    check(np.array([[[[2.0, 0], [2, 2], [2, 0]], [[0, 0], [-2, 0], [2, 0]]]]))
    check(np.arange(48.0).reshape(2, 3, 4, 2))
    check(np.arange(24.0).reshape(1, 2, 3, 4))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(41)
    for shape in [(1, 4, 1, 1), (3, 2, 5, 4), (2, 4, 4, 3), (2, 1, 3, 5), (1, 6, 2, 1)]:
        check(rng.normal(size=shape))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_merge_heads()


# %% [markdown]
# ## `multi_head_attention`
# *difficulty ●●● · importance ●●● · 25 min*
#
# Project, split into heads, attend in each head, merge, project once more.
#
# `multi_head_attention(x, Wq, Wk, Wv, Wo, H, causal=False)` takes `x` of shape `(B, T, D)` and four weights `(D, D)`,
# applied as `x @ W`, and returns `(B, T, D)`. Head `h` uses the columns `h·d … (h+1)·d − 1` of the projections, with
# `d = D / H`, and **its** scale is √d. `Wo` mixes the heads. With `causal=True` no token looks at a later one.
# Write the reshaping out and use the given `attend`.
#
# By hand, with `H = 2` and `Wo` the identity. In head 2 the query of 酒店 is (0, 0): all scores are equal, the weights
# are 1/3 each, and the head returns the plain average of the values, (4/3, 2). With `causal=True`, 酒店 sees only
# itself and gets its own value back, (4, 0, 0, 2).
#
# <details><summary>Hint 1: a nudge</summary>
#
# `attend` works on the last two axes and leaves all others alone. Put the heads among the others.
#
# <details><summary>Hint 2: the approach</summary>
#
# Reshape and transpose `q`, `k` and `v`; one call of `attend` serves all heads; transpose and reshape back; `@ Wo`.
# A lower-triangular boolean matrix is the causal mask of equally many queries and keys.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(B, T, D)` → `(B, T, H, d)` → `(B, H, T, d)` → attend, mask `(T, T)` → `(B, H, T, d)` → `(B, T, H, d)` → `(B, T, D)`.
#
# </details></details></details>


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
def test_multi_head_attention():
    """The worked example and a random batch, against a loop over the heads."""

    def look(q, k, v, mask=True, scale=None):
        s = q @ np.swapaxes(k, -1, -2) / (scale or np.sqrt(q.shape[-1]))
        e = np.exp(s - s.max(-1, keepdims=True)) * mask
        return e / e.sum(-1, keepdims=True) @ v

    def same(a, b):
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4)

    def check(x, Wq, Wk, Wv, Wo, H, causal, what):
        B, T, D = x.shape
        d = D // H
        q, k, v = x @ Wq, x @ Wk, x @ Wv
        past, no_mask = np.tri(T, dtype=bool), np.ones((T, T), bool)
        mask, other = (past, no_mask) if causal else (no_mask, past)

        def heads(mask, scale=None):
            cut = [slice(h * d, (h + 1) * d) for h in range(H)]
            return [look(q[..., c], k[..., c], v[..., c], mask, scale) for c in cut]

        def joined(q, k, v):
            return np.concatenate([look(*qkv, mask) for qkv in zip(*(np.split(a, H, -1) for a in (q, k, v)))], -1)

        order = np.arange(D).reshape(d, H).T.ravel()
        interleaved = joined(q[..., order], k[..., order], v[..., order])[..., np.argsort(order)]

        def reshaped(mask):
            return look(*(a.reshape(B, H, T, d) for a in (q, k, v)), mask)

        def known_mistakes():
            known = {
                "the scores are divided by √D: after the split each head's scale is √d": np.concatenate(
                    heads(mask, np.sqrt(D)), -1
                )
                @ Wo,
                "the scores are not divided by √d": np.concatenate(heads(mask, 1.0), -1) @ Wo,
                "Wo is missing: the merged heads are projected once more": np.concatenate(mine, -1),
                "Wo is transposed: the contract is x @ W": np.concatenate(mine, -1) @ Wo.T,
                "the heads are averaged: they must lie side by side before Wo": np.mean(mine, 0) @ Wo[:d],
                "the heads are averaged and repeated: they must lie side by side before Wo": np.tile(
                    np.mean(mine, 0), H
                )
                @ Wo,
                "the heads are added up: they must lie side by side before Wo": np.sum(mine, 0) @ Wo[:d],
                "the split into heads is a reshape without a transpose (and so is the merge)": reshaped(mask).reshape(
                    B, T, D
                )
                @ Wo,
                "the split into heads is a reshape without a transpose": reshaped(mask)
                .transpose(0, 2, 1, 3)
                .reshape(B, T, D)
                @ Wo,
                "the merge of the heads is a reshape without a transpose": np.stack(mine, 1).reshape(B, T, D) @ Wo,
                "there is only one head: H is ignored": look(q, k, v, mask) @ Wo,
                "Wo comes before the heads: it mixes their outputs, not the values": np.concatenate(
                    [look(a, b, c, mask) for a, b, c in zip(*(np.split(m, H, -1) for m in (q, k, v @ Wo)))], -1
                ),
                "queries and keys are swapped": joined(k, q, v) @ Wo,
                "keys and values are swapped": joined(q, v, k) @ Wo,
                "one projection is shared by queries and keys": joined(q, q, v) @ Wo,
                "one projection is shared by queries, keys and values": joined(q, q, q) @ Wo,
                "x is cut into heads before it is projected: the projections see all of x": joined(x, x, x) @ Wo,
                "the weights are transposed: the contract is x @ W": joined(x @ Wq.T, x @ Wk.T, x @ Wv.T) @ Wo,
                "the heads are interleaved: head h takes the columns h·d … (h+1)·d − 1, side by side": interleaved @ Wo,
                "causal is ignored: tokens look at later ones"
                if causal
                else "the causal mask is always on, also with causal=False": np.concatenate(heads(other), -1) @ Wo,
            }
            if causal:
                known["the causal mask is inverted: tokens look at themselves and later ones only"] = (
                    np.concatenate(heads(past.T), -1) @ Wo
                )
            return known

        try:
            got = np.asarray(multi_head_attention(x.copy(), *(W.copy() for W in (Wq, Wk, Wv, Wo)), H, causal))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): (B, T, D) -> (B, T, H, d) -> (B, H, T, d), attend, and back "
                "the same way; a head has the width d = D // H"
            ) from None
        mine = heads(mask)
        expected = np.concatenate(mine, -1) @ Wo
        why = ": are the heads averaged, or Wo left out?" if got.shape == (B, T, d) else ""
        assert got.shape == (B, T, D), f"{what}: expected shape {(B, T, D)}, got {got.shape}{why}"
        if not same(got, expected):
            for mistake, wrong in known_mistakes().items():
                if not same(wrong, expected):
                    assert not same(got, wrong), f"{what}: {mistake}"
            raise AssertionError(f"{what}: expected\n{expected.round(3)}\ngot\n{got.round(3)}")
        return got

    rng = np.random.default_rng(2)
    x, W = rng.normal(size=(2, 4, 6)), rng.normal(size=(4, 6, 6))
    check(x, *W, 3, False, "a random batch, D = 6, H = 3")
    check(x, *W, 3, True, "a random batch, D = 6, H = 3, causal=True")
    check(x, *W, 2, False, "a random batch, D = 6, H = 2")
    x = np.array([[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])  # 酒店 很 干净
    Wq = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
    Wk = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    Wv, Wo = np.diag([4.0, 4, 4, 2]), np.eye(4)
    hotel = check(x, Wq, Wk, Wv, Wo, 2, False, "the worked example, H = 2")[0, 0, 2:]
    assert np.allclose(hotel, [4 / 3, 2]), f"head 2 of 酒店: expected the plain average (4/3, 2), got {hotel}"
    hotel = check(x, Wq, Wk, Wv, Wo, 2, True, "the worked example, H = 2, causal=True")[0, 0]
    assert np.allclose(hotel, [4, 0, 0, 2]), f"causal, 酒店: expected its own value (4, 0, 0, 2), got {hotel}"
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(51)
    for B, T, D, H in [(1, 1, 6, 3), (3, 5, 8, 4), (2, 4, 6, 1), (2, 3, 5, 5), (2, 6, 12, 3)]:
        for causal in (False, True):
            args = rng.normal(size=(B, T, D)), *rng.normal(size=(4, D, D))
            check(*args, H, causal, f"x of shape {(B, T, D)}, H = {H}, causal={causal}")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_multi_head_attention()


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
# By hand: `x` is 干净 alone, the memory is 酒店 很. The scaled scores are (2, 0), the weights about (0.881, 0.119), the
# output about (3.523, 0.477, 0, 2). The value of 干净 itself does not enter.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Who asks, and who answers?
#
# <details><summary>Hint 2: the approach</summary>
#
# It is self-attention with one change: two of the three products start from `memory`.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `q` `(B, Tq, d)`, `k` `(B, Tk, d)`, `v` `(B, Tk, dv)`; the scores are `(B, Tq, Tk)`.
#
# </details></details></details>


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
def test_cross_attention():
    """Queries from x, keys and values from the memory, no mask."""

    def look(q, k, v, mask=True, scale=None):
        s = q @ np.swapaxes(k, -1, -2) / (scale or np.sqrt(q.shape[-1]))
        e = np.exp(s - s.max(-1, keepdims=True)) * mask
        return e / e.sum(-1, keepdims=True) @ v

    def same(a, b):
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4)

    def check(x, m, Wq, Wk, Wv, what):
        try:
            got = np.asarray(cross_attention(x.copy(), m.copy(), Wq.copy(), Wk.copy(), Wv.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{what}: the shapes do not fit ({error}): Wq belongs to x, Wk and Wv belong to the memory; Tq and Tk, "
                "D and M, d and dv may differ"
            ) from None
        Tq, Tk = x.shape[1], m.shape[1]
        expected = look(x @ Wq, m @ Wk, m @ Wv)
        assert got.shape == expected.shape, (
            f"{what}: expected shape {expected.shape}, got {got.shape}: the output has a row for each query"
        )
        if same(got, expected):
            return got
        known = {
            "a causal mask is kept: the memory is complete, every query may look at all of it": look(
                x @ Wq, m @ Wk, m @ Wv, np.tri(Tq, Tk, dtype=bool)
            ),
            "the scores are not divided by √d": look(x @ Wq, m @ Wk, m @ Wv, scale=1.0),
            "all queries get the plain average of the values: the scores are not used": np.broadcast_to(
                (m @ Wv).mean(1, keepdims=True), expected.shape
            ),
        }
        if Wk.shape == Wv.shape:
            known["keys and values are swapped: attend takes queries, keys, values"] = look(x @ Wq, m @ Wv, m @ Wk)
            known["one projection is shared by keys and values"] = look(x @ Wq, m @ Wk, m @ Wk)
        if Wq.shape == Wk.shape:
            known["Wq and Wk are swapped: Wq makes the queries, from x"] = look(x @ Wk, m @ Wq, m @ Wv)
            known["one projection is shared by queries and keys"] = look(x @ Wq, m @ Wq, m @ Wv)
        if m.shape[-1] == Wv.shape[-1]:
            known["the values are not projected: v is memory @ Wv"] = look(x @ Wq, m @ Wk, m)
        if Tq <= Tk:
            known["a causal mask is kept (aligned at the end): every query may look at the whole memory"] = look(
                x @ Wq, m @ Wk, m @ Wv, np.tri(Tq, Tk, Tk - Tq, dtype=bool)
            )
        if x.shape[-1] == m.shape[-1]:
            both = np.concatenate([m, x], 1)
            known |= {
                "queries and memory are swapped: queries come from x, keys and values from the memory": look(
                    m @ Wq, x @ Wk, x @ Wv
                ),
                "the memory is ignored: this is self-attention over x": look(x @ Wq, x @ Wk, x @ Wv),
                "x is ignored: this is self-attention over the memory": look(m @ Wq, m @ Wk, m @ Wv),
                "x is appended to the memory: the queries must not look at x": look(x @ Wq, both @ Wk, both @ Wv),
            }
            if Tq == Tk:
                known |= {
                    "the values come from x: keys and values both come from the memory": look(x @ Wq, m @ Wk, x @ Wv),
                    "the keys come from x: keys and values both come from the memory": look(x @ Wq, x @ Wk, m @ Wv),
                }
        for mistake, wrong in known.items():
            if not same(wrong, expected):
                assert not same(got, wrong), f"{what}: {mistake}"
        raise AssertionError(f"{what}: expected\n{expected.round(3)}\ngot\n{got.round(3)}")

    rng = np.random.default_rng(3)
    W = rng.normal(size=(3, 4, 4))
    check(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4)), *W, "as many queries as keys")
    check(rng.normal(size=(2, 2, 4)), rng.normal(size=(2, 5, 4)), *W, "2 queries, 5 keys")
    hotel, very, clean = [1.0, 0, 0, 1], [0.0, 1, 0, 1], [0.0, 0, 1, 1]
    Wq = np.array([[0.0, 0, 0, 0], [0, 2, -2, 0], [0, 0, 2, 0], [2, 0, 0, 0]])
    Wk = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    Wv = np.diag([4.0, 4, 4, 2])
    got = check(np.array([[clean]]), np.array([[hotel, very]]), Wq, Wk, Wv, "干净 looks at 酒店 很")[0, 0]
    assert np.allclose(got, [3.523, 0.477, 0, 2], atol=1e-3), (
        f"干净 looks at 酒店 很: expected about (3.523, 0.477, 0, 2), got {got}"
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(61)
    for B, Tq, Tk, D, M, d, dv in [(2, 5, 2, 3, 6, 4, 7), (1, 1, 6, 4, 2, 3, 3), (3, 4, 1, 2, 2, 5, 1)]:
        x, m = rng.normal(size=(B, Tq, D)), rng.normal(size=(B, Tk, M))
        Wq, Wk, Wv = rng.normal(size=(D, d)), rng.normal(size=(M, d)), rng.normal(size=(M, dv))
        check(x, m, Wq, Wk, Wv, f"x {x.shape}, memory {m.shape}, d = {d}, dv = {dv}")
        order = rng.permutation(Tk)
        a = np.asarray(cross_attention(x.copy(), m.copy(), Wq.copy(), Wk.copy(), Wv.copy()))
        b = np.asarray(cross_attention(x, m[:, order], Wq, Wk, Wv))
        assert np.allclose(a, b, atol=1e-4), "reordering the memory must change nothing: keys and values move together"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_cross_attention()


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
# <details><summary>Hint 1: a nudge</summary>
#
# There are `D/2` speeds, not `D`. Compute each angle once and use it twice.
#
# <details><summary>Hint 2: the approach</summary>
#
# Make an empty table; fill the even columns `[:, 0::2]` with sines and the odd columns `[:, 1::2]` with cosines.
#
# <details><summary>Hint 3: the shapes</summary>
#
# Positions `(T, 1)` times speeds `(D/2,)` are the angles `(T, D/2)`.
#
# </details></details></details>


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
    """The table by its formula, with the usual base and another one."""

    def same(a, b):
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-5)

    def table(T, D, base, start=0, exponent=lambda c: c // 2 * 2, even=np.sin, odd=np.cos, width=None):
        c = np.arange(D)
        angles = (np.arange(T) + start)[:, None] * float(base) ** (-exponent(c) / (width or D))
        return np.where(c % 2 == 0, even(angles), odd(angles))

    def check(T, D, base=None):
        call = f"sinusoidal_positions({T}, {D})" if base is None else f"sinusoidal_positions({T}, {D}, base={base:g})"
        try:
            got = np.asarray(sinusoidal_positions(T, D) if base is None else sinusoidal_positions(T, D, base))
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: the shapes do not fit ({error}): positions (T, 1) times D/2 speeds are the angles (T, D/2), "
                "and every second column, [:, 0::2] or [:, 1::2], takes one of them"
            ) from None
        base = 10000.0 if base is None else base
        why = ": positions are the rows" if got.shape == (D, T) else ""
        assert got.shape == (T, D), f"{call}: expected shape {(T, D)}, got {got.shape}{why}"
        expected = table(T, D, base)
        if same(got, expected):
            return got
        known = {
            "all sines come first and all cosines after them, as two halves: the two of one angle stand side by "
            "side": np.concatenate([expected[:, 0::2], expected[:, 1::2]], 1),
            "the base is ignored: 10000 is fixed in the code": table(T, D, 10000.0),
            "the base is e: use the argument base": table(T, D, np.e),
            "even and odd columns are swapped: sines belong to the even columns 0, 2, …": table(
                T, D, base, even=np.cos, odd=np.sin
            ),
            "even and odd columns have different speeds: columns 2i and 2i+1 share the exponent 2i/D": table(
                T, D, base, exponent=lambda c: c
            ),
            "the exponent is i/D instead of 2i/D": table(T, D, base, exponent=lambda c: c // 2),
            "the exponent is 4i/D instead of 2i/D (doubled twice)": table(T, D, base, exponent=lambda c: c // 2 * 4),
            "the exponent is off by one pair: the first pair turns by one radian a step (i counts from 0)": table(
                T, D, base, exponent=lambda c: c // 2 * 2 + 2
            ),
            "the slowest speed is 1/base: the exponents are 2i/D, not spread up to 1": table(
                T, D, base, width=max(D - 2, 1)
            ),
            "the positions count from 1: the first position is 0": table(T, D, base, start=1),
            "the exponent has the wrong sign: later pairs must turn more slowly": table(T, D, 1.0 / base),
            "there are sines only: the odd columns are cosines": table(T, D, base, odd=np.sin),
            "there are cosines only: the even columns are sines": table(T, D, base, even=np.cos),
            "the angle is divided by the base once for all pairs: the speed falls from pair to pair": table(
                T, D, base, exponent=lambda c: np.full_like(c, D)
            ),
            "every pair has the same speed: the exponent 2i/D grows with the pair": table(
                T, D, base, exponent=lambda c: 0 * c
            ),
            "the angles are in degrees": np.where(
                np.arange(D) % 2 == 0,
                np.sin(np.deg2rad(np.arange(T)[:, None] * float(base) ** (-(np.arange(D) // 2 * 2) / D))),
                np.cos(np.deg2rad(np.arange(T)[:, None] * float(base) ** (-(np.arange(D) // 2 * 2) / D))),
            ),
        }
        for mistake, wrong in known.items():
            if not same(wrong, expected):
                assert not same(got, wrong), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected\n{expected.round(4)}\ngot\n{got.round(4)}")

    check(5, 6, 50.0)
    row = check(3, 4)[1]
    assert np.allclose(row, [0.8415, 0.5403, 0.0100, 0.99995], atol=1e-4), (
        f"position 1 with D = 4: expected about (0.8415, 0.5403, 0.0100, 0.99995), got {row}"
    )
    ### BEGIN HIDDEN TESTS
    for T, D, base in [(1, 2, None), (7, 8, None), (4, 10, 50.0), (9, 2, 7.0), (20, 16, 500.0)]:
        check(T, D, base)
    P, k = np.asarray(sinusoidal_positions(12, 6, 30.0)), 5
    turn = np.zeros((6, 6))
    for i in range(3):
        a = k * 30.0 ** (-2 * i / 6)
        turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    assert np.allclose(P[:-k] @ turn, P[k:], atol=1e-5), (
        f"one fixed rotation must map position t to t + {k}, pair by pair, for every t"
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_sinusoidal_positions()
