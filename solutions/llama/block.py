# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # The transformer block
#
# A language model reads some tokens (词元 tokens) and says which one may come next. In between stands the same piece, again
# and again: the transformer block (Transformer 块 transformer block). You build the one of 2017 here, in three functions:
# ids become vectors, each token thinks for itself in a feed-forward network (前馈网络 feed-forward network), and the block
# adds what attention found and what the network made of it to a stream.
#
# **When you are done you can** turn ids into vectors that know their places, write the feed-forward network, and wire a
# block in the order of 2017 and in the order that nearly every model has today.
#
# **You need** `@` and broadcasting in NumPy, and to know what attention with a causal mask does (the page *Many heads and masks*).
# Plan about 45 minutes.
#
# **Shapes.** `...` any leading axes (batch, or none), `B` batch, `T` tokens, `D` width of the model, `F` width inside the
# feed-forward network, `V` tokens in the vocabulary. Weights are applied as `x @ W`.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check

# %% [markdown]
# ## Given: `layer_norm` and `causal_attention`
# The norm (层归一化 layer normalisation) brings each token's numbers to mean 0 and standard deviation 1, then multiplies
# by a gain and adds a bias. `causal_attention` is attention with several heads and a causal mask, as in the page *Many
# heads and masks*: each token looks at itself and at what stands before it. Both take and give `(..., T, D)`.


# %%
def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Each token of x (..., D) with mean 0 and standard deviation 1, times gain (D,), plus bias (D,)."""
    centred = x - x.mean(axis=-1, keepdims=True)  # (..., D)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)  # (..., 1)
    return centred / np.sqrt(variance + eps) * gain + bias  # (..., D)


def causal_attention(x: np.ndarray, block: dict[str, np.ndarray], heads: int) -> np.ndarray:
    """Each token of x (..., T, D) looks at itself and at those before it. block has Wq, Wk, Wv, Wo, each (D, D)."""
    *lead, T, D = x.shape

    def split(a: np.ndarray) -> np.ndarray:
        return np.swapaxes(a.reshape(*lead, T, heads, D // heads), -2, -3)  # (..., H, T, d)

    q, k, v = (split(x @ block[name]) for name in ("Wq", "Wk", "Wv"))
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(D // heads)  # (..., H, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)  # nobody looks ahead
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)  # (..., H, T, T)
    mixed = np.swapaxes(weights @ v, -2, -3)  # (..., T, H, d)
    return mixed.reshape(*lead, T, D) @ block["Wo"]  # (..., T, D)


# %% [markdown]
# ## `embed`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# A model cannot multiply words, so each token gets a vector. The vectors are the rows of a table (词嵌入 embedding), and the
# id of a token says which row. Attention does not see the order of its tokens, so a second table has a vector for each
# place (位置编码 positional encoding), and the two are added.
#
# `embed(ids, table, places)` takes whole numbers `ids` `(..., T)`, `table` `(V, D)` and `places` `(P, D)` and returns
# `(..., T, D)`: for the token that stands at place `t` of its text, **its row of `table` plus row `t` of `places`**. Both
# tables are as the model has learned them; nothing is multiplied by √D.
#
# NumPy takes the id −1 for the last row. Here **an id below 0, or V and above, is a `ValueError`**, and so is a text with
# more tokens than there are places.
#
# By hand: with the table (1, 0), (0, 2), (3, 3) and the places (0.1, 0.1), (0.2, 0.2), (0.3, 0.3), the ids 2, 0, 2 become
# (3.1, 3.1), (1.2, 0.2), (3.3, 3.3). The token 2 stands there twice, and its two vectors differ.
#
# Hint 1 (a nudge): What does `table[ids]` give when `ids` is a whole array?
#
# Hint 2 (the approach): One row for each id, in the shape of `ids`, with D at the end. The places do not ask which
# tokens stand there: the first T rows of `places` serve every text. Look at the smallest and the largest id before you
# look anything up, and mind that there may be no id at all.
#
# Hint 3 (the shapes): `(..., T, D)` plus `(T, D)` fits by itself: broadcasting adds the same places to each text.


# %% nbgrader={"grade_id": "embed", "solution": true}
def embed(ids: np.ndarray, table: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows of table (V, D) for ids (..., T), plus the first T rows of places (P, D). Shape (..., T, D)."""
    ### BEGIN SOLUTION
    T = ids.shape[-1]
    if len(places) < T:
        raise ValueError("more tokens than places")
    if np.any((ids < 0) | (ids >= len(table))):
        raise ValueError(f"an id is not in 0 … {len(table) - 1}")
    return table[ids] + places[:T]  # (..., T, D) + (T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_embed", "grade": true, "points": 2}
TABLE = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
PLACES = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])


def test_embed():
    """A row for each id, a row for each place, added once; what is not in the tables is refused."""
    check(embed, np.array([2, 0, 2]), TABLE, PLACES, gives=[[3.1, 3.1], [1.2, 0.2], [3.3, 3.3]])
    check(embed, np.array([[1, 1], [0, 2]]), TABLE, PLACES)  # two texts of two tokens
    check(embed, np.array([0, 0, 1]), TABLE * 10, PLACES * np.array([1.0, -1.0]))
    check(embed, np.array([0, 3]), TABLE, PLACES, gives=ValueError)
    check(embed, np.array([-1, 0]), TABLE, PLACES, gives=ValueError)
    check(embed, np.array([0, 1, 0, 1]), TABLE, PLACES, gives=ValueError)  # four tokens, three places
    ### BEGIN HIDDEN TESTS
    large, far = np.arange(28.0).reshape(7, 4) ** 2, np.sqrt(np.arange(20.0).reshape(5, 4))
    check(embed, np.array([[[6, 0, 3]], [[5, 5, 1]]]), large, far, about="two leading axes")
    check(embed, np.array([[4], [2], [6]]), large, far, about="texts of one token")
    check(embed, np.array([1, 6, 2, 2, 0]), large, far, about="as many tokens as there are places")
    check(embed, np.array([], dtype=int), large, far, about="no token at all")
    check(embed, np.array([[0, 1], [2, -3]]), TABLE, PLACES, about="a negative id in the second text")
    check(embed, np.array([[[6, 7], [0, 1]]]), large, far, about="an id as large as V")
    check(embed, np.array([2, 1], np.uint8), TABLE.astype(np.float32), PLACES.astype(np.float32), about="small types")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `feed_forward`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Attention has moved information from token to token. Now each token works on what it has, alone. The network of 2017
# widens the vector, cuts off what is negative, and narrows it again:
#
# $$\mathrm{feed\_forward}(x) = \max(0,\; xW_1 + b_1)\,W_2 + b_2$$
#
# Cutting off at 0 is called ReLU (线性整流函数 ReLU). Without it the two matrices would be one matrix, and a stack of blocks
# could do little more.
#
# `feed_forward(x, W1, b1, W2, b2)` takes `x` `(..., D)`, `W1` `(D, F)`, `b1` `(F,)`, `W2` `(F, D)` and `b2` `(D,)` and returns
# the shape of `x`. It uses ReLU. (GPT-2 has GELU in the same place, a smooth relative of it.)
#
# By hand: x = (1, −2) with `W1` = ((1, 0, 1), (0, 1, 1)) gives (1, −2, −1); with `b1` = (0, 1, 2) that is (1, −1, 1), and ReLU
# leaves (1, 0, 1). With `W2` = ((1, 2), (5, 5), (0, 1)) this becomes (1, 3), and `b2` = (0.5, 0) makes it (1.5, 3).
#
# Hint 1 (a nudge): Which of the two linear maps does ReLU follow, and what would be lost if it stood behind both?
#
# Hint 2 (the approach): `np.maximum(a, 0)` compares number by number. (`np.max` would look for one largest number.)
#
# Hint 3 (the shapes): `(..., D) @ (D, F)` gives `(..., F)`, and `(..., F) @ (F, D)` gives `(..., D)`. No number of one
# token meets a number of another, so the number of leading axes does not matter.


# %% nbgrader={"grade_id": "feed_forward", "solution": true}
def feed_forward(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> np.ndarray:
    """Each token of x (..., D) by itself: widened to F, cut off below 0, narrowed to D. Shape of x."""
    ### BEGIN SOLUTION
    inside = np.maximum(x @ W1 + b1, 0)  # (..., F)
    return inside @ W2 + b2  # (..., D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_feed_forward", "grade": true, "points": 2}
def wave(start, *shape):
    """Numbers between -1 and 1 without a pattern."""
    return np.sin(1.7 * (start + np.arange(np.prod(shape)))).reshape(shape)


def test_feed_forward():
    """Widen, cut off below 0, narrow; each token for itself."""
    W1, b1 = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([0.0, 1.0, 2.0])
    W2, b2 = np.array([[1.0, 2.0], [5.0, 5.0], [0.0, 1.0]]), np.array([0.5, 0.0])
    check(feed_forward, np.array([[1.0, -2.0]]), W1, b1, W2, b2, gives=[[1.5, 3.0]])
    check(feed_forward, np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, -1.0]]), W1, b1, W2, b2)
    check(feed_forward, 3 * wave(1, 2, 3, 4), wave(2, 4, 6), wave(5, 6), wave(3, 6, 4), wave(7, 4))
    check(feed_forward, np.array([[-1.0, -3.0]]), W1, b1, W2, b2, gives=[[0.5, 0.0]])  # all of it is cut off
    ### BEGIN HIDDEN TESTS
    check(feed_forward, wave(4, 5), wave(8, 5, 2), wave(9, 2), wave(6, 2, 5), wave(2, 5), about="a single token")
    check(feed_forward, wave(1, 2, 2, 3, 3), wave(2, 3, 3), wave(3, 3), -wave(4, 3, 3), wave(5, 3), about="F = D")
    check(feed_forward, np.array([[2, -1]]), W1, b1, W2, b2, about="whole numbers in x")
    check(feed_forward, wave(1, 0, 4), wave(2, 4, 6), wave(5, 6), wave(3, 6, 4), wave(7, 4), about="no token at all")
    check(feed_forward, 100 * wave(3, 4, 2), W1, -b1, W2, -b2, about="large numbers")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `decoder_block`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The block adds to the stream of vectors twice (残差连接 residual connection): first what attention finds, then what the
# feed-forward network makes of it. Where the norm stands has changed since 2017:
#
# | | first half | second half |
# |---|---|---|
# | post-norm (后置归一化), 2017 | x = norm₁(x + attention(x)) | x = norm₂(x + feed-forward(x)) |
# | pre-norm (前置归一化), today | x = x + attention(norm₁(x)) | x = x + feed-forward(norm₂(x)) |
#
# After the sum, the norm changes the stream itself. Before the part, it makes a **copy** for the part to read, and the
# stream is left as it is.
#
# `decoder_block(x, block, heads, post=False)` takes and returns `(..., T, D)`; `post=True` asks for the order of 2017. `block`
# is a dictionary:
#
# ```
# {"gain1": (D,), "bias1": (D,), "Wq": (D, D), "Wk": (D, D), "Wv": (D, D), "Wo": (D, D),
#  "gain2": (D,), "bias2": (D,), "W1": (D, F), "b1": (F,), "W2": (F, D), "b2": (D,)}
# ```
#
# Use the given `layer_norm` and `causal_attention(h, block, heads)`. Write the feed-forward network out again, with ReLU:
# it is one line.
#
# By hand: one token, x = (1, 3), which can only look at itself; `Wv`, `Wo` and `W1` are the identity, `W2` is twice the
# identity, gains are 1, everything else is 0. Its norm is (−1, 1). **Pre-norm:** (1, 3) + (−1, 1) = (0, 4), whose norm is
# (−1, 1) again; ReLU makes (0, 1) of it, `W2` (0, 2), and the sum is (0, 6). **Post-norm:** (1, 3) + (1, 3) = (2, 6), normed
# (−1, 1); ReLU and `W2` give (0, 2), the sum is (−1, 3), normed (−1, 1). (The norm's ε moves the fourth digit or later ones.)
#
# Hint 1 (a nudge): The second half reads what the first half has made, not the `x` that came in.
#
# Hint 2 (the approach): Two lines for each order. In pre-norm, what is added to is never normed; in post-norm, what the
# part reads is the stream itself.
#
# Hint 3 (the shapes): Everything is `(..., T, D)`, only the inside of the feed-forward network is `(..., T, F)`. The
# first half uses `gain1` and `bias1`, the second half `gain2` and `bias2`.


# %% nbgrader={"grade_id": "decoder_block", "solution": true}
def decoder_block(x: np.ndarray, block: dict[str, np.ndarray], heads: int, post: bool = False) -> np.ndarray:
    """One block: attention and the feed-forward network each add to x (..., T, D). The norm after each sum, or before."""
    ### BEGIN SOLUTION

    def norm1(h: np.ndarray) -> np.ndarray:
        return layer_norm(h, block["gain1"], block["bias1"])

    def norm2(h: np.ndarray) -> np.ndarray:
        return layer_norm(h, block["gain2"], block["bias2"])

    def feed(h: np.ndarray) -> np.ndarray:
        return np.maximum(h @ block["W1"] + block["b1"], 0) @ block["W2"] + block["b2"]

    if post:
        x = norm1(x + causal_attention(x, block, heads))  # (..., T, D)
        return norm2(x + feed(x))  # (..., T, D)
    x = x + causal_attention(norm1(x), block, heads)  # (..., T, D)
    return x + feed(norm2(x))  # (..., T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_decoder_block", "grade": true, "points": 4}
def wavy(start, *shape):
    """Numbers between -1 and 1 without a pattern."""
    return np.sin(1.7 * (start + np.arange(np.prod(shape)))).reshape(shape)


def block_of(D, F, start=0):
    """The arrays of a block of width D, with F numbers inside."""
    matrices = {name: wavy(start + i, D, D) for i, name in enumerate(["Wq", "Wk", "Wv", "Wo"])}
    norms = {name: wavy(start + 4 + i, D) for i, name in enumerate(["bias1", "bias2", "b2"])}
    gains = {"gain1": 1 + wavy(start + 7, D) / 2, "gain2": 1 - wavy(start + 8, D) / 2}
    wide = {"W1": wavy(start + 9, D, F), "b1": wavy(start + 10, F), "W2": wavy(start + 11, F, D)}
    return matrices | norms | gains | wide


def test_decoder_block():
    """Two sums, and the norm before each part or after each sum."""
    same, none, ones = np.eye(2), np.zeros(2), np.ones(2)
    plain = {"Wq": 0 * same, "Wk": 0 * same, "Wv": same, "Wo": same, "W1": same, "b1": none, "W2": 2 * same, "b2": none}
    plain |= {"gain1": ones, "bias1": none, "gain2": ones, "bias2": none}
    check(decoder_block, np.array([[1.0, 3.0]]), plain, 1, gives=[[0.0, 6.0]], within=1e-3)
    check(decoder_block, np.array([[1.0, 3.0]]), plain, 1, True, gives=[[-1.0, 1.0]], within=1e-3)
    check(decoder_block, 3 * wavy(1, 2, 3, 4), block_of(4, 6), 2)
    check(decoder_block, 3 * wavy(1, 2, 3, 4), block_of(4, 6), 2, True)
    check(decoder_block, wavy(5, 5, 6) + 1, block_of(6, 9, 20), 3)
    check(decoder_block, wavy(5, 5, 6) + 1, block_of(6, 9, 20), 3, True)
    ### BEGIN HIDDEN TESTS
    for post in (False, True):
        order = "post-norm" if post else "pre-norm"
        check(decoder_block, 9 * wavy(2, 1, 8), block_of(8, 3, 40), 4, post, about=f"{order}, one token, F below D")
        check(decoder_block, wavy(3, 2, 2, 3, 4), block_of(4, 16, 60), 1, post, about=f"{order}, two leading axes")
        check(decoder_block, 40 + wavy(4, 6, 8), block_of(8, 8, 80), 2, post, about=f"{order}, far from 0")
    ### END HIDDEN TESTS
