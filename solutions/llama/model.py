# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # The model
#
# The parts of the last notebook become a model: attention with rotary positions and grouped heads, a block, the way from
# ids to logits (未归一化分数 logits). Then the weights come from files that others have made, and a cache (键值缓存 key/value
# cache) keeps what has been computed, so that writing does not begin anew with every token.
#
# **When you are done you can** say where each of a model's numbers sits, read two file formats down to the byte, and prove
# that your cache changes nothing.
#
# **You need** NumPy, attention with heads and the four functions below, which the notebook `parts` builds.
# Plan a little over four hours: 65 minutes for the model, 110 for the files, 75 for the cache.
#
# **Letters.** B batch, T time, D width, H query heads, K key/value heads, d head size, F hidden width, V vocabulary. H is
# a multiple of K, and D = H · d.
#
# **Weights** are one dictionary. A matrix is stored as (in, out), so that `x @ W` applies it.
#
# ```
# weights = {"embed": (V, D), "blocks": [block, block, …], "norm": (D,), "head": (D, V)}
# block   = {"attn_norm": (D,), "Wq": (D, H·d), "Wk": (D, K·d), "Wv": (D, K·d), "Wo": (H·d, D),
#            "mlp_norm": (D,), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
# ```
#
# Each exercise stands alone: none of them needs your answer to another one. Where one builds on another, the test hands in
# a function that does the other's work.

# %%
import json
import math
import re
import struct
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check

# %% [markdown]
# ## Given: `Config`
# The numbers that fix a model's shapes. `tied` (共享权重 tied weights): the head is the embedding turned round, and is
# stored once.


# %%
@dataclass(frozen=True)
class Config:
    dim: int  # D
    hidden: int  # F
    layers: int
    heads: int  # H
    kv_heads: int  # K
    vocab: int  # V
    max_len: int
    rope_base: float = 10000.0
    eps: float = 1e-5
    tied: bool = False

    @property
    def head_dim(self) -> int:  # d
        return self.dim // self.heads


# %% [markdown]
# ## Given: the parts
# What the notebook `parts` builds, as short as can be, and the softmax. They keep the dtype of `x`. `rope` turns the pairs of neighbours
# (0, 1), (2, 3) … of each head, as Meta's weights and llama2.c's want it; `positions` has shape (T,).


# %%
def rms_norm(x: np.ndarray, gain: np.ndarray, eps: float) -> np.ndarray:
    """x (..., D) divided by its root mean square, times gain (D,)."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """The pairs of x (..., T, d) turned by their position (T,) times their frequency."""
    d = x.shape[-1]
    angles = np.multiply.outer(positions, float(base) ** (-np.arange(0, d, 2) / d))  # (T, d/2)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


def repeat_kv(x: np.ndarray, n: int) -> np.ndarray:
    """Each head of x (B, K, T, d) n times in a row: (B, K·n, T, d)."""
    return np.repeat(x, n, axis=1)


def swiglu(x: np.ndarray, Wg: np.ndarray, Wu: np.ndarray, Wd: np.ndarray) -> np.ndarray:
    """SiLU(x @ Wg) · (x @ Wu), and down again."""
    g = x @ Wg
    return (g * (0.5 + 0.5 * np.tanh(0.5 * g)) * (x @ Wu)) @ Wd


def softmax(x: np.ndarray) -> np.ndarray:
    """Weights along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# %% [markdown]
# ## Given: numbers and files to try things on
# The tests fill their arrays with `wave`, and write files for your readers with `read_from`.


# %%
def wave(start, *shape):
    """Numbers between −1 and 1 to fill an array."""
    return np.sin(start + np.arange(math.prod(shape))).reshape(shape)


def projections(c, dtype=float):
    """Wq, Wk, Wv and Wo for a config."""
    wide = {"Wq": c.heads, "Wk": c.kv_heads, "Wv": c.kv_heads, "Wo": c.heads}
    return {name: wave(len(name) + ord(name[1]), c.dim, n * c.head_dim).astype(dtype) for name, n in wide.items()}


def weights_for(c):
    """Weights whose blocks have one matrix each."""
    blocks = [{"W": wave(i, c.dim, c.dim)} for i in range(c.layers)]
    embed = 2 * wave(7, c.vocab, c.dim)
    head = embed.T.copy() if c.tied else wave(8, c.dim, c.vocab)
    return {"embed": embed, "blocks": blocks, "norm": 1 + wave(9, c.dim) / 3, "head": head}


def read_from(name, data, read):
    """What `read` makes of the path of a file of this name that holds these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        return read(path)


def complaint_about(call, *words):
    """What is raised, and whether its text names each of these; of "a|b", one is enough."""
    raised, text = "no error", ""
    try:
        call()
    except Exception as error:
        raised, text = "a ValueError" if isinstance(error, ValueError) else "another error", str(error)
    named = {word.replace("|", " or "): bool(re.search(rf"\b({word})\b", text)) for word in words}
    return {"raised": raised} | {f"its text names {word}": found for word, found in named.items()}


# %% [markdown]
# ## `count_parameters`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# How many numbers does a model learn? `count_parameters(config)` returns how many there are in `weights` (see the shapes
# above), counting a **tied** head once: it is the embedding, and costs nothing. RoPE learns nothing.
#
# By hand, with D = 8, F = 20, one block, H = 4, K = 2 (so d = 2), V = 11 and tied: the embedding has 88. The block: two
# norms 16, Wq 64, Wk and Wv 8 · 4 = 32 each, Wo 64, the three of the MLP 160 each, together 688. The last norm 8. In
# all 784; untied, 872.
#
# Hint 1 (a nudge): Only four matrices of a block depend on the heads, and only two of them on K.
#
# Hint 2 (the approach): One block first; times the number of blocks; then what is there once.
#
# Hint 3 (the shapes): A block has nine tensors: two gains of D, two matrices with H · d on one side, two with K · d,
# and three with F. The other side is D, always.


# %% nbgrader={"grade_id": "count_parameters", "solution": true}
def count_parameters(config: Config) -> int:
    """How many numbers the model learns; a tied head is counted once, with the embedding."""
    ### BEGIN SOLUTION
    c, d = config, config.head_dim
    block = 2 * c.dim  # the two norms
    block += 2 * c.dim * c.heads * d  # Wq, Wo
    block += 2 * c.dim * c.kv_heads * d  # Wk, Wv
    block += 3 * c.dim * c.hidden  # Wg, Wu, Wd
    head = 0 if c.tied else c.dim * c.vocab
    return c.vocab * c.dim + c.layers * block + c.dim + head
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_count_parameters", "grade": true, "points": 1}
def test_count_parameters():
    """The worked example, tied and untied, with and without shared key/value heads."""
    check(count_parameters, Config(8, 20, 1, 4, 2, 11, 32, tied=True), gives=784)
    check(count_parameters, Config(8, 20, 1, 4, 2, 11, 32), gives=872)
    check(count_parameters, Config(24, 64, 3, 6, 2, 50, 32))
    ### BEGIN HIDDEN TESTS
    check(count_parameters, Config(288, 768, 6, 6, 6, 32000, 256, tied=True), about="a published model")
    check(count_parameters, Config(576, 1536, 30, 9, 3, 49152, 8192, 100000.0, tied=True), about="a larger model")
    check(count_parameters, Config(16, 40, 2, 4, 1, 7, 64), about="one key/value head")
    check(count_parameters, Config(16, 40, 0, 4, 1, 7, 64), about="no block")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `llama_attention`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# Attention as LLaMA does it: **grouped** heads (分组查询注意力 grouped-query attention: each key/value head serves H / K query
# heads in a row), **rotary** positions on queries and keys, and the causal mask. `llama_attention(x, block, config)`
# takes `x` (B, T, D), the input that has been normalised already, and returns (B, T, D):
#
# 1. `x @ Wq`, `x @ Wk`, `x @ Wv`, each cut into heads of d numbers: (B, H, T, d) and twice (B, K, T, d);
# 2. `rope` on the queries and the keys, not on the values; the tokens stand at positions 0, 1, … T − 1;
# 3. the K heads of keys and values repeated, so that there are H;
# 4. scores divided by √d, the future hidden, softmax, weighted sum of the values;
# 5. the heads side by side again (B, T, H·d), and `@ Wo`.
#
# The result has the **dtype of x**. Mind: `np.sqrt(8)` is a float64 number and makes a float32 array float64, which
# costs time and memory all the way down; `math.sqrt(8)` does not.
#
# By hand: the first token may look at itself only, so its attention weights are 1, and its result is its own value, head by
# head (those of a K head repeated), times `Wo`. No position has any influence on it. With one head of two numbers, and four
# matrices that change nothing, the token (5, 6) gives (5, 6).
#
# Hint 1 (a nudge): Two axes must change places between "cut into heads" and "attend", and again on the way back.
#
# Hint 2 (the approach): `.reshape(B, T, heads, d).transpose(0, 2, 1, 3)` cuts; the same transpose and `.reshape(B, T,
# -1)` undoes it. `rope` wants the time as the last axis but one.
#
# Hint 3 (the shapes): Scores are (B, H, T, T): a row for each query, a column for each key. `np.tri(T, dtype=bool)` is
# True where a query may look, and `np.where` puts −∞ elsewhere. The heads' results are (B, H, T, d) until they are side
# by side again.


# %% nbgrader={"grade_id": "llama_attention", "solution": true}
def llama_attention(x: np.ndarray, block: dict[str, np.ndarray], config: Config) -> np.ndarray:
    """Causal grouped-query attention with rotary positions: (B, T, D) -> (B, T, D), in the dtype of x."""
    ### BEGIN SOLUTION
    B, T, _ = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    q = (x @ block["Wq"]).reshape(B, T, H, d).transpose(0, 2, 1, 3)  # (B, H, T, d)
    k = (x @ block["Wk"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    v = (x @ block["Wv"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    positions = np.arange(T)
    q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)
    k, v = repeat_kv(k, H // K), repeat_kv(v, H // K)  # (B, H, T, d)
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(d)  # (B, H, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    heads = softmax(scores) @ v  # (B, H, T, d)
    return heads.transpose(0, 2, 1, 3).reshape(B, T, H * d) @ block["Wo"]  # (B, T, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_attention", "grade": true, "points": 4}
def test_llama_attention():
    """Grouped heads, rotary queries and keys, causal; a batch gives what its texts give alone."""
    same = {name: np.eye(2) for name in ("Wq", "Wk", "Wv", "Wo")}
    check(llama_attention, np.array([[[5.0, 6.0]]]), same, Config(2, 1, 1, 1, 1, 1, 9), gives=[[[5.0, 6.0]]])
    two, four = Config(8, 20, 1, 2, 2, 11, 32), Config(16, 20, 1, 4, 2, 11, 32, rope_base=500.0)
    check(llama_attention, wave(1, 1, 3, 8), projections(two), two)
    check(llama_attention, wave(2, 2, 5, 16), projections(four), four)
    single = wave(3, 1, 4, 16).astype(np.float32)
    check(llama_attention, single, projections(four, np.float32), four, exact=True)
    ### BEGIN HIDDEN TESTS
    one, three = Config(24, 20, 1, 6, 1, 11, 32), Config(24, 20, 1, 6, 3, 11, 32, rope_base=500000.0)
    check(llama_attention, wave(4, 1, 7, 24), projections(one), one, about="one key/value head")
    check(llama_attention, wave(5, 3, 4, 24), projections(three), three, about="three texts, three key/value heads")
    check(llama_attention, wave(6, 2, 1, 16), projections(four), four, about="one token")
    check(llama_attention, wave(7, 1, 40, 8), projections(two), two, about="a longer text")
    check(llama_attention, 300 * wave(8, 1, 3, 16), projections(four), four, about="large scores")
    check(llama_attention, 0 * wave(8, 1, 3, 16), projections(four), four, about="zeros")
    half = [wave(9, 2, 3, 24).astype(np.float32), projections(three, np.float32), three]
    check(llama_attention, *half, exact=True, about="float32, three key/value heads")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `llama_block`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# A block adds to the stream of hidden states (残差连接 residual connection) twice: what attention found, and what the MLP
# makes of it. Each looks at a **normalised copy** of the stream; the stream itself is never normalised (pre-norm 前置归一化).
#
# `llama_block(x, block, config, attention)` returns (B, T, D). `attention` is a function: `attention(h)` gives (B, T, D)
# for a normalised `h` (B, T, D). The norms' gains are `block["attn_norm"]` and `block["mlp_norm"]`, their epsilon is
# `config.eps`; use the given `rms_norm` and `swiglu`.
#
# By hand: for an attention that always returns zeros, and `Wd` all zeros, the block returns `x` as it was: (3, 4) stays
# (3, 4).
#
# Hint 1 (a nudge): The MLP sees what attention has added.
#
# Hint 2 (the approach): Two lines of the same form: stream = stream + part(norm(stream)).
#
# Hint 3 (the order): Everything is (B, T, D). The second line reads and adds to what the first one has made, with the
# other gain; gate, up, down is the order of the matrices of `swiglu`.


# %% nbgrader={"grade_id": "llama_block", "solution": true}
def llama_block(x: np.ndarray, block: dict[str, np.ndarray], config: Config, attention) -> np.ndarray:
    """One block, pre-norm: attention and the MLP each add to the stream. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = x + attention(rms_norm(x, block["attn_norm"], config.eps))  # (B, T, D)
    return x + swiglu(rms_norm(x, block["mlp_norm"], config.eps), block["Wg"], block["Wu"], block["Wd"])
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_block", "grade": true, "points": 2}
def matrices(c):
    """The norms and the MLP of a block."""
    wide = {"Wg": (c.dim, c.hidden), "Wu": (c.dim, c.hidden), "Wd": (c.hidden, c.dim)}
    gains = {"attn_norm": 1 + wave(1, c.dim) / 3, "mlp_norm": 1 + wave(3, c.dim) / 3}
    return gains | {name: wave(ord(name[1]), *shape) for name, shape in wide.items()}


def with_sums(x, block, config):
    """The block, with an attention that adds up the tokens so far."""
    return llama_block(x, block, config, lambda h: np.tanh(np.cumsum(h, axis=1)))


def with_nothing(x, block, config):
    """The block, with an attention that finds nothing."""
    return llama_block(x, block, config, lambda h: 0 * h)


def test_llama_block():
    """Two residual additions, each of a normalised copy of the stream."""
    small, large = Config(6, 10, 1, 2, 2, 11, 32), Config(8, 12, 1, 2, 1, 11, 32, eps=0.5)
    idle = {"attn_norm": np.ones(2), "mlp_norm": np.ones(2), "Wg": np.eye(2), "Wu": np.eye(2), "Wd": np.zeros((2, 2))}
    check(with_nothing, np.array([[[3.0, 4.0]]]), idle, small, gives=[[[3.0, 4.0]]])
    check(with_sums, 3 * wave(1, 1, 3, 6), matrices(small), small)
    check(with_sums, 3 * wave(2, 2, 4, 8), matrices(large), large)
    ### BEGIN HIDDEN TESTS
    check(with_nothing, 3 * wave(3, 2, 3, 6), matrices(small), small, about="an attention that finds nothing")
    other = Config(12, 5, 1, 3, 3, 11, 32, eps=1e-6)
    check(with_sums, wave(4, 3, 1, 12), matrices(other), other, about="one token")
    check(with_sums, 0 * wave(4, 1, 2, 8), matrices(large), large, about="zeros")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `llama_forward`
# *difficulty ●○○ · importance ●●● · 15 min*
#
# `llama_forward(ids, weights, config, run_block)` takes `ids` (B, T), whole numbers below V, and returns the **logits**
# (B, T, V): for each position, a score for every token that might come next. On the way: the row of `weights["embed"]` for
# each id, as it is; the blocks in order, `x = run_block(x, block)` for each of `weights["blocks"]`; the last norm
# `weights["norm"]` (use `rms_norm` with `config.eps`); and `@ weights["head"]`. The head is always there, tied or not.
#
# By hand, without any block, with D = 2, eps = 0, norm (1, 1), and an embedding of 1 and 7 for the id 5: the mean square
# is 25, the normalised row (0.2, 1.4), and its logit for a column (1, 1) of the head is 1.6.
#
# Hint 1 (a nudge): NumPy can take many rows of a matrix at once, in an array of any shape.
#
# Hint 2 (the approach): `embed[ids]` has the shape (B, T, D). The rest is one loop and one line.
#
# Hint 3 (the shapes): (B, T) → (B, T, D) by the embedding, (B, T, D) after every block and the norm, (B, T, V) by the
# head: all positions go all the way.


# %% nbgrader={"grade_id": "llama_forward", "solution": true}
def llama_forward(ids: np.ndarray, weights: dict, config: Config, run_block) -> np.ndarray:
    """Logits (B, T, V) of ids (B, T): embedding, blocks, last norm, head."""
    ### BEGIN SOLUTION
    x = weights["embed"][ids]  # (B, T, D)
    for block in weights["blocks"]:
        x = run_block(x, block)  # (B, T, D)
    return rms_norm(x, weights["norm"], config.eps) @ weights["head"]  # (B, T, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_llama_forward", "grade": true, "points": 2}
def logits(ids, weights, config):
    """The logits, with blocks that add up the tokens so far."""
    return llama_forward(ids, weights, config, lambda x, block: x + np.tanh(np.cumsum(x, axis=-2) @ block["W"]))


def test_llama_forward():
    """Logits for every position, through all blocks in order; a batch gives what its texts give alone."""
    hand = {"embed": np.full((6, 2), [1.0, 7.0]), "blocks": [], "norm": np.ones(2), "head": np.ones((2, 6))}
    check(logits, np.array([[5]]), hand, Config(2, 1, 0, 1, 1, 6, 9, eps=0.0), gives=[[[1.6] * 6]])
    untied, tied = Config(6, 10, 2, 2, 2, 9, 32), Config(4, 10, 3, 2, 2, 7, 32, eps=0.5, tied=True)
    check(logits, np.array([[3, 0, 8, 3]]), weights_for(untied), untied)
    check(logits, np.array([[1, 6], [0, 2], [4, 4]]), weights_for(tied), tied)
    ### BEGIN HIDDEN TESTS
    square, deep = Config(5, 10, 1, 1, 1, 4, 32), Config(4, 10, 6, 2, 2, 12, 32)
    check(logits, np.array([[7], [2]]), weights_for(untied), untied, about="one token")
    check(logits, np.arange(16).reshape(4, 4) % 4, weights_for(square), square, about="as many tokens as ids")
    check(logits, np.array([[11, 0, 5], [5, 5, 1]]), weights_for(deep), deep, about="six blocks")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `load_llama2c`
# *difficulty ●●● · importance ●●● · 40 min*
#
# The story models of llama2.c are files of bare numbers: seven of 4 bytes each (int32, little-endian), the header (文件头), and
# then float32, little-endian, tensor after tensor, **a kind for all blocks before the next kind**. L is the number of
# blocks, T the `seq_len`; a matrix is stored as **(out, in)**.
#
# | header | our name | | header | our name |
# |---|---|---|---|---|
# | `dim` | `dim` | | `n_kv_heads` | `kv_heads` |
# | `hidden_dim` | `hidden` | | `vocab_size` | `vocab`: see below |
# | `n_layers` | `layers` | | `seq_len` | `max_len` |
# | `n_heads` | `heads` | | | |
#
# | tensor, in this order | shape in the file | ours |
# |---|---|---|
# | `token_embedding` | (V, D) | `embed` |
# | `rms_att` | (L, D) | `attn_norm` |
# | `wq`, `wk`, `wv`, `wo` | (L, H·d, D), (L, K·d, D) twice, (L, D, H·d) | `Wq`, `Wk`, `Wv`, `Wo` |
# | `rms_ffn` | (L, D) | `mlp_norm` |
# | `w1`, `w2`, `w3` | (L, F, D), (L, D, F), (L, F, D) | `Wg`, **`Wd`, `Wu`** |
# | `rms_final` | (D,) | `norm` |
# | `freqs_cos`, `freqs_sin` | (T, d/2) twice | RoPE tables; ours come from `rope`: skip them |
# | `wcls` | (V, D), **only if `vocab_size` is negative** | `head` |
#
# The sign of `vocab_size` says whether the head is shared: positive is tied (`head` is the embedding turned round, `wcls`
# is not in the file), negative is untied. V is its absolute value. The file says nothing of the base and the epsilon: they
# are 10000 and 1e-5.
#
# `load_llama2c(path)` takes a `Path` and returns `(config, weights)`: a `Config`, and the dictionary of the top of this
# notebook, float32, matrices as (in, out). What is not such a file raises **`ValueError`, and its text holds the file's name
# (`path.name`) and the name, as in the tables, of what is wrong**:
#
# | what is wrong | the text names |
# |---|---|
# | fewer than 28 bytes | `header` |
# | a number in the header below 1 (for `vocab_size`: 0) | this number |
# | `n_heads` does not divide `dim`, or leaves an odd head size | `dim` or `n_heads` |
# | `n_kv_heads` does not divide `n_heads` | `n_heads` or `n_kv_heads` |
# | the file ends too early | the first tensor that is not whole |
# | bytes are left over | nothing more than the file's name |
#
# By hand: let D = 4, F = 3, two blocks, H = 2, K = 1, V = 3, and let the numbers of the file be 0, 1, 2, … The embedding takes
# 0 to 11 and `rms_att` 12 to 19. So `wq` begins with 20, and the first column of the first block's `Wq` is (20, 21, 22, 23).
#
# Hint 1 (a nudge): Write the second table down as a list of names and shapes, and walk through it. All else follows.
#
# Hint 2 (the approach): `data = path.read_bytes()`; `struct.unpack("<7i", data[:28])` gives the header as Python
# numbers, which do not overflow (a product of NumPy's int32 does, and a foreign file has huge numbers there). For each
# tensor: how many numbers, are there so many left, then `np.frombuffer(data, "<f4", count, offset).reshape(shape)`.
#
# Hint 3 (the pieces): With all tensors in a dictionary by name, a block takes row i of nine of them, and seven are
# turned round with `.T`. Mind which of `w1`, `w2`, `w3` is which. The list of names and shapes gets `wcls` at its end
# only if the sign says so.


# %% nbgrader={"grade_id": "load_llama2c", "solution": true}
def load_llama2c(path: Path) -> tuple[Config, dict]:
    """Config and weights of a llama2.c file (version 0). A file that is none raises ValueError and says what is wrong."""
    ### BEGIN SOLUTION
    data = path.read_bytes()
    if len(data) < 28:
        raise ValueError(f"{path.name}: the header has 28 bytes, this file {len(data)}")
    names = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
    header = dict(zip(names, struct.unpack("<7i", data[:28]), strict=True))
    for name, value in header.items():
        if value == 0 or (value < 0 and name != "vocab_size"):
            raise ValueError(f"{path.name}: {name} is {value}: not a llama2.c file?")
    D, F, L, H, K, V, T = header.values()
    if D % H or D // H % 2:
        raise ValueError(f"{path.name}: dim {D} does not give {H} (n_heads) heads of an even size")
    if H % K:
        raise ValueError(f"{path.name}: n_kv_heads {K} does not divide n_heads {H}")
    tied, V, d = V > 0, abs(V), D // H
    shapes = {
        "token_embedding": (V, D),
        "rms_att": (L, D),
        "wq": (L, H * d, D),
        "wk": (L, K * d, D),
        "wv": (L, K * d, D),
        "wo": (L, D, H * d),
        "rms_ffn": (L, D),
        "w1": (L, F, D),
        "w2": (L, D, F),
        "w3": (L, F, D),
        "rms_final": (D,),
        "freqs_cos": (T, d // 2),
        "freqs_sin": (T, d // 2),
    }
    if not tied:
        shapes["wcls"] = (V, D)
    t, offset = {}, 28
    for name, shape in shapes.items():
        count = math.prod(shape)
        if offset + 4 * count > len(data):
            raise ValueError(f"{path.name}: ends at byte {len(data)}, within {name}, which needs {4 * count} bytes")
        t[name] = np.frombuffer(data, "<f4", count, offset).reshape(shape)
        offset += 4 * count
    if offset < len(data):
        raise ValueError(f"{path.name}: bytes left over: {len(data) - offset}")
    blocks = [
        {
            "attn_norm": t["rms_att"][i], "Wq": t["wq"][i].T, "Wk": t["wk"][i].T, "Wv": t["wv"][i].T, "Wo": t["wo"][i].T,
            "mlp_norm": t["rms_ffn"][i], "Wg": t["w1"][i].T, "Wu": t["w3"][i].T, "Wd": t["w2"][i].T,
        }
        for i in range(L)
    ]  # fmt: skip
    head = t["token_embedding" if tied else "wcls"].T
    config = Config(D, F, L, H, K, V, T, tied=tied)
    return config, {"embed": t["token_embedding"], "blocks": blocks, "norm": t["rms_final"], "head": head}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_load_llama2c", "grade": true, "points": 4, "without": ["load_checkpoint"]}
def story_file(*header, count):
    """The bytes of a file: this header, and then the numbers 0, 1, 2, …, `count` of them."""
    return struct.pack("<7i", *header) + np.arange(count, dtype="<f4").tobytes()


def opened(data):
    """The config, the weights and their dtypes in a file of these bytes."""
    config, weights = read_from("story-model.bin", data, load_llama2c)
    arrays = [weights["embed"], weights["norm"], weights["head"]]
    arrays += [W for block in weights["blocks"] for W in block.values()]
    return [getattr(config, f.name) for f in fields(Config)], weights, sorted({str(W.dtype) for W in arrays})


def first_column(data):
    """The first column of Wq in the first block."""
    return opened(data)[1]["blocks"][0]["Wq"][:, 0]


def load_complaint(data, *names):
    """What is said of a file of these bytes."""
    return complaint_about(lambda: read_from("story-model.bin", data, load_llama2c), "story-model.bin", *names)


def test_load_llama2c():
    """Tiny files, tied and untied, read to the last number; broken ones refused by name."""
    tied, untied = story_file(4, 3, 2, 2, 1, 3, 2, count=204), story_file(4, 3, 2, 2, 1, -3, 2, count=216)
    check(first_column, tied, gives=[20.0, 21.0, 22.0, 23.0])
    check(opened, tied)
    check(opened, untied)
    named = {"its text names story-model.bin": True, "its text names header": True}
    check(load_complaint, b"", "header", gives={"raised": "a ValueError"} | named)
    check(load_complaint, untied[:-1], "wcls")
    check(load_complaint, untied + bytes(4))
    check(load_complaint, tied[: 28 + 4 * 61], "wk")
    check(load_complaint, story_file(4, 3, -2, 2, 1, 3, 2, count=204), "n_layers")
    check(load_complaint, story_file(4, 3, 2, 3, 1, 3, 2, count=204), "dim|n_heads")
    ### BEGIN HIDDEN TESTS
    check(opened, story_file(12, 2, 1, 6, 1, 2, 3, count=474), about="six heads, one key/value head")
    check(opened, story_file(4, 4, 1, 1, 1, -4, 4, count=172), about="square matrices, one block")
    check(opened, story_file(6, 2, 3, 3, 3, -2, 1, count=608), about="as many key/value heads as heads")
    check(load_complaint, untied[:27], "header", about="27 bytes")
    check(load_complaint, untied[:28], "token_embedding", about="the header alone")
    check(load_complaint, untied[: 28 + 4 * 204], "wcls", about="all but the head")
    check(load_complaint, untied[: 28 + 4 * 203], "freqs_sin", about="cut within the second table")
    check(load_complaint, untied[: 28 + 4 * 170 - 1], "w2", about="cut within a tensor")
    check(load_complaint, untied + b"\n", about="an odd byte too many")
    check(load_complaint, story_file(4, 3, 2, 2, 1, 0, 2, count=204), "vocab_size", about="a vocabulary of 0")
    check(load_complaint, story_file(4, 3, 2, 2, 1, 3, 0, count=204), "seq_len", about="a length of 0")
    check(load_complaint, story_file(4, 3, 2, 2, 0, 3, 2, count=204), "n_kv_heads", about="no key/value heads")
    undivided, huge = story_file(12, 3, 2, 6, 4, 3, 2, count=999), story_file(4, 3, 2, 2, 1, 2**31 - 1, 2, count=204)
    check(load_complaint, undivided, "n_heads|n_kv_heads", about="heads that do not divide")
    check(load_complaint, story_file(4, 3, 2, 4, 1, 3, 2, count=204), "dim|n_heads", about="heads of one number")
    check(load_complaint, story_file(4, 3, 2, 2, 1, 3, 2, count=216), about="a head that the sign denies")
    check(load_complaint, huge, "token_embedding", about="a huge vocabulary")
    for name, header, count in [
        ("dim", (0, 3, 2, 2, 1, 3, 2), 0),
        ("hidden_dim", (4, 0, 2, 2, 1, 3, 2), 132),
        ("n_layers", (4, 3, 0, 2, 1, 3, 2), 20),
        ("n_heads", (4, 3, 2, 0, 1, 3, 2), 204),
        ("n_heads|n_kv_heads", (4, 3, 2, 2, 4, 3, 2), 300),
    ]:
        check(load_complaint, story_file(*header, count=count), name, about="a number that cannot be")
    check(load_complaint, b"GIF89a: no model, but a picture of one, once upon a time" * 9, about="a picture")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `read_config`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# A Hugging Face folder holds `config.json`, the weights in `model.safetensors`, and the tokenizer. `read_config(folder)`
# takes the folder's `Path` and returns a `Config` from the keys of `config.json`:
#
# | key | our name | if it is not there |
# |---|---|---|
# | `hidden_size`, `intermediate_size`, `num_hidden_layers`, `num_attention_heads`, `vocab_size`, `max_position_embeddings`, `rms_norm_eps` | `dim`, `hidden`, `layers`, `heads`, `vocab`, `max_len`, `eps` | error |
# | `num_key_value_heads` | `kv_heads` | as many as `heads` |
# | `rope_theta`, or in newer folders `rope_theta` inside `rope_parameters` | `rope_base` | 10000 |
# | `tie_word_embeddings` | `tied` | `False` |
#
# Other keys do not matter, with the exceptions below. What this model cannot run raises **`ValueError`, whose text holds
# `config.json` and the key**: a key that is missing; a `model_type` that is not there, or is not `"llama"` to
# the letter; a `rope_scaling` other than `null`, or a `rope_type` inside `rope_parameters` other than `"default"` (positions
# computed in another way); `num_attention_heads` that does not divide `hidden_size`, or `num_key_value_heads` that does not
# divide `num_attention_heads` (name either of the two). If the file is no JSON, or no JSON object, the text holds `config.json`.
#
# By hand: `{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 8, …}` without `num_key_value_heads` has 8
# heads for keys and values.
#
# Hint 1 (a nudge): A `KeyError` is not a `ValueError`, and an error of `json` does not know which file it read.
#
# Hint 2 (the approach): Read and parse within `try … except ValueError`. Check `model_type`, `rope_scaling` and `rope_type`, then
# that no needed key is missing; then `dict.get` with a default for the rest.
#
# Hint 3 (the pieces): The base: look whether `rope_theta` is at the top, else within `rope_parameters` (which may be
# `null`), else it is 10000. Text that is no UTF-8 and text that is no JSON raise kinds of `ValueError`, both of them.


# %% nbgrader={"grade_id": "read_config", "solution": true}
def read_config(folder: Path) -> Config:
    """The Config in folder/config.json. What this model cannot run raises ValueError and names the key."""
    ### BEGIN SOLUTION
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name}: expected a JSON object, got {type(found).__name__}")
    if found.get("model_type") != "llama":
        raise ValueError(f"{path.name}: model_type is {found.get('model_type')!r}, only 'llama' can be read")
    if found.get("rope_scaling") is not None:
        raise ValueError(f"{path.name}: rope_scaling is {found['rope_scaling']}, only null can be read")
    nested = found.get("rope_parameters") or {}
    if nested.get("rope_type", "default") != "default":
        raise ValueError(f"{path.name}: rope_type is {nested['rope_type']!r}, only 'default' can be read")
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    for key in (*keys, "vocab_size", "max_position_embeddings", "rms_norm_eps"):
        if key not in found:
            raise ValueError(f"{path.name}: {key} is missing")
    D, F, L, H = (found[key] for key in keys)
    K = found.get("num_key_value_heads", H)
    if D % H:
        raise ValueError(f"{path.name}: num_attention_heads {H} does not divide hidden_size {D}")
    if H % K:
        raise ValueError(f"{path.name}: num_key_value_heads {K} does not divide num_attention_heads {H}")
    return Config(
        D, F, L, H, K, found["vocab_size"], found["max_position_embeddings"],
        rope_base=found.get("rope_theta", nested.get("rope_theta", 10000.0)),
        eps=found["rms_norm_eps"],
        tied=found.get("tie_word_embeddings", False),
    )  # fmt: skip
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_read_config", "grade": true, "points": 2}
FULL = {"model_type": "llama", "hidden_size": 48, "intermediate_size": 100, "num_hidden_layers": 3, "vocab_size": 77}
FULL |= {"num_attention_heads": 6, "num_key_value_heads": 2, "max_position_embeddings": 99, "rms_norm_eps": 1e-6}
FULL |= {"rope_theta": 500000.0, "rope_scaling": None, "tie_word_embeddings": True, "architectures": ["Some"]}


def read_folder(data):
    """The config of a folder whose config.json holds these bytes."""
    return read_from("config.json", data, lambda path: read_config(path.parent))


def config_in(content):
    """The fields of the config in a folder whose config.json holds this."""
    config = read_folder(json.dumps(content).encode())
    return {f.name: getattr(config, f.name) for f in fields(Config)}


def config_complaint(content, *keys):
    """What is said of a folder whose config.json holds this."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return complaint_about(lambda: read_folder(data), "config.json", *keys)


def test_read_config():
    """Old and new folders, with defaults; what cannot be run is refused by name."""

    def without(*keys, **more):
        return {key: value for key, value in FULL.items() if key not in keys} | more

    few = without("num_key_value_heads", "rope_theta", "tie_word_embeddings", hidden_size=64, num_attention_heads=8)
    ours = {"dim": 64, "hidden": 100, "layers": 3, "heads": 8, "kv_heads": 8, "vocab": 77, "max_len": 99}
    check(config_in, few, gives=ours | {"rope_base": 10000.0, "eps": 1e-6, "tied": False})
    check(config_in, FULL)
    check(config_in, without("rope_theta", rope_parameters={"rope_type": "default", "rope_theta": 250000.0}))
    check(config_in, without("tie_word_embeddings", "rope_scaling"))
    named = {"its text names config.json": True, "its text names hidden_size": True}
    check(config_complaint, without("hidden_size"), "hidden_size", gives={"raised": "a ValueError"} | named)
    check(config_complaint, without(model_type="gpt2"), "model_type")
    check(config_complaint, without(num_attention_heads=5), "num_attention_heads|hidden_size")
    kv = "num_key_value_heads|num_attention_heads"
    check(config_complaint, without(num_key_value_heads=4), kv)
    check(config_complaint, without(rope_scaling={"type": "linear", "factor": 2}), "rope_scaling")
    check(config_complaint, b'{"model_type": "llama", "hidden_')
    ### BEGIN HIDDEN TESTS
    check(config_in, without("rope_theta", rope_parameters=None), about="rope_parameters that are null")
    no_base = without("rope_theta", rope_parameters={"rope_type": "default"})
    check(config_in, no_base, about="rope_parameters without a base")
    check(config_in, without(num_key_value_heads=1), about="one key/value head")
    check(config_in, without(rope_theta=1234.5), about="a base with a fraction")
    check(config_in, without(tie_word_embeddings=False), about="a head of its own")
    check(config_in, without(rms_norm_eps=0.0), about="an epsilon of 0")
    check(config_in, without("rope_scaling", rms_norm_eps=0.0), about="an epsilon of 0, without rope_scaling")
    check(config_in, dict(reversed(FULL.items())), about="another order of the keys")
    for key in [*list(FULL)[2:6], *list(FULL)[7:9]]:
        check(config_complaint, without(key), key, about=f"no {key}")
    check(config_complaint, without("model_type"), "model_type", about="no model_type")
    check(config_complaint, without(model_type="llama4"), "model_type", about="a name that begins with llama")
    check(config_complaint, without(model_type="LLaMA"), "model_type", about="upper case")
    check(config_complaint, without(model_type=None), "model_type", about="a model_type that is null")
    check(config_complaint, without(rope_scaling={}), "rope_scaling", about="a rope_scaling that is empty and not null")
    newer = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "original_max_position_embeddings": 64}
    check(config_complaint, without(rope_parameters=newer), "rope_type", about="another rope_type in rope_parameters")
    check(config_complaint, without(num_key_value_heads=3, num_attention_heads=8), kv, about="they do not divide")
    check(config_complaint, without(num_key_value_heads=12), kv, about="more key/value heads than heads")
    check(config_complaint, [1, 2], about="a list")
    check(config_complaint, b"\xff\xfe{}\x80", about="bytes that are no text")
    check(config_complaint, json.dumps(FULL).encode().replace(b"Some", b"So\xff"), about="one byte that is no text")
    check(config_complaint, b"", about="an empty file")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `read_safetensors`
# *difficulty ●●○ · importance ●●○ · 25 min*
#
# A safetensors file has three parts:
# 1. 8 bytes, a whole number, unsigned and little-endian: the length n of the header;
# 2. n bytes of JSON, the header: `{name: {"dtype": "F16", "shape": [3, 4], "data_offsets": [begin, end]}, …}`, and perhaps a
#    key `"__metadata__"` that is no tensor;
# 3. the data. `begin` and `end` count bytes **from the start of the data**, not of the file.
#
# Numbers are little-endian: `F32`, `F16`, or `BF16` (bfloat16: the **upper half** of a float32; the lower half is zero).
# `read_safetensors(path)` returns `{name: array}`, every array float32 and of its shape.
#
# What is wrong raises **`ValueError`, whose text holds the file's name (`path.name`) and**: `header`, where the file is shorter
# than its header says, or the header is no JSON; the **tensor's name and `dtype`** for another dtype; the tensor's name and
# **`data_offsets`** where they reach beyond the file, or do not fit the shape and the dtype (`begin` is never negative).
#
# By hand: the bfloat16 with the bytes `80 3F` is `3F80`; with two bytes of zeros behind it `3F800000`, the float32 1.0.
# Read as a float16 it would be 1.875.
#
# Hint 1 (a nudge): NumPy knows no bfloat16, but it knows uint16 and uint32, and `.view` reads the same bytes as another
# type.
#
# Hint 2 (the approach): The data begin at 8 + n. Check the length of a piece yourself, before NumPy does: its error
# knows no file.
#
# Hint 3 (the pieces): Bits of a bfloat16 are `"<u2"`: make them uint32, shift them up by 16 (`<<`), and view the result
# as float32. A piece must have as many bytes as its shape has numbers, times 4 or 2.


# %% nbgrader={"grade_id": "read_safetensors", "solution": true}
def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file by name, as float32. A broken file raises ValueError and says what is wrong."""
    ### BEGIN SOLUTION
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or len(content) < start:
        raise ValueError(f"{path.name}: the header ends at byte {start}, the file has {len(content)}")
    try:
        header = dict(json.loads(content[8:start]))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: the header is no JSON: {error}") from None
    header.pop("__metadata__", None)
    data, sizes, tensors = content[start:], {"F32": 4, "F16": 2, "BF16": 2}, {}
    for name, entry in header.items():
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if dtype not in sizes:
            raise ValueError(f"{path.name}: {name}: dtype {dtype} is not one of {', '.join(sizes)}")
        if end > len(data) or end - begin != math.prod(shape) * sizes[dtype]:
            raise ValueError(
                f"{path.name}: {name}: data_offsets {begin} to {end} do not fit {dtype} {shape} and {len(data)} bytes"
            )
        piece = data[begin:end]
        if dtype == "BF16":
            numbers = (np.frombuffer(piece, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = np.frombuffer(piece, "<f4" if dtype == "F32" else "<f2").astype(np.float32)
        tensors[name] = numbers.reshape(shape)
    return tensors
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_read_safetensors", "grade": true, "points": 3}
def packed(header, data):
    """The bytes of a file with this header, and this behind it."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors_in(content):
    """The tensors in a file of these bytes, and their dtypes."""
    tensors = read_from("tiny-weights.safetensors", content, read_safetensors)
    return {name: np.array(a) for name, a in tensors.items()}, sorted({str(a.dtype) for a in tensors.values()})


def tensor_complaint(content, *words):
    """What is said of a file of these bytes."""
    name = "tiny-weights.safetensors"
    return complaint_about(lambda: read_from(name, content, read_safetensors), name, *words)


def test_read_safetensors():
    """float32, float16 and bfloat16, in any order of the data; broken files refused by name."""
    alpha, beta, gamma = np.arange(6, dtype="<f4") / 8, np.arange(4, dtype="<f2") - 1.5, bytes.fromhex("803F 20C1 0042")
    check(tensors_in, packed({"one": entry("BF16", [1], 0, 2)}, gamma[:2]), gives=({"one": [1.0]}, ["float32"]))
    three = {"a": entry("F32", [2, 3], 6, 30), "b": entry("F16", [4], 30, 38), "c": entry("BF16", [3, 1], 0, 6)}
    whole = packed({"__metadata__": {"format": "pt"}, **three}, gamma + alpha.tobytes() + beta.tobytes())
    check(tensors_in, whole)
    check(tensors_in, packed({"layers.0.self_attn.q_proj": entry("F32", [6], 0, 24)}, alpha.tobytes()))
    named = {"its text names tiny-weights.safetensors": True, "its text names header": True}
    check(tensor_complaint, b"", "header", gives={"raised": "a ValueError"} | named)
    check(tensor_complaint, whole[:40], "header")
    check(tensor_complaint, whole[:-1], "b", "data_offsets")
    check(tensor_complaint, packed({"steps": entry("I64", [2], 0, 16)}, bytes(16)), "steps", "dtype")
    check(tensor_complaint, packed({"alpha": entry("F32", [2, 4], 0, 24)}, alpha.tobytes()), "alpha", "data_offsets")
    ### BEGIN HIDDEN TESTS
    single = {"x": entry("BF16", [], 0, 2), "y": entry("F32", [], 2, 6)}
    check(tensors_in, packed(single, gamma[:2] + alpha[1:2].tobytes()), about="single numbers")
    check(tensors_in, packed({"x": entry("F16", [0, 4], 0, 0)}, b""), about="an axis of length 0")
    check(tensors_in, packed({"x": entry("F16", [2, 1, 2], 0, 8)}, beta.tobytes()), about="three axes")
    names = {"__w": entry("F32", [1], 0, 4), "metadata": entry("F32", [1], 4, 8)}
    check(tensors_in, packed(names, alpha[:2].tobytes()), about="names that look like the file's own")
    check(tensor_complaint, packed({"a": entry("F32", [1], 0, 8)}, bytes(8)), "a", "data_offsets", about="too many bytes")
    check(tensors_in, packed({}, b""), about="no tensors")
    odd, tiny = bytes.fromhex("807F 80FF 0080 4040"), packed({"x": entry("F16", [1], 0, 2)}, b"\x01\x00")
    check(tensors_in, packed({"x": entry("BF16", [4], 0, 8)}, odd), about="infinities and −0")
    check(tensors_in, tiny, within=(1e-4, 1e-12), about="a very small number")
    check(tensor_complaint, whole[:7], "header", about="seven bytes")
    check(tensor_complaint, b"\x89PNG\r\n\x1a\n" * 9, "header", about="a picture")
    check(tensor_complaint, struct.pack("<Q", 8) + b"not json", "header", about="no JSON")
    check(tensor_complaint, struct.pack("<Q", 2) + b"\xff\xfe", "header", about="a header that is no text")
    for length in (100, 2**32 + 2):
        check(tensor_complaint, struct.pack("<Q", length) + b"{}", "header", about="a header cut short")
    for ends, about in [((24, 48), "offsets beyond the file"), ((0, 20), "offsets that are too near to each other")]:
        broken = packed({"alpha": entry("F32", [6], *ends)}, alpha.tobytes())
        check(tensor_complaint, broken, "alpha", "data_offsets", about=about)
    for dtype, about in [("F64", "another float"), ("bf16", "a dtype in lower case")]:
        other = packed({"theta": entry(dtype, [3], 0, 24 if dtype == "F64" else 6)}, alpha.tobytes())
        check(tensor_complaint, other, "theta", "dtype", about=about)
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: `to_interleaved`
# Hugging Face's weights expect the pairs of a head at (0, d/2), (1, d/2 + 1) …, and ours at (0, 1), (2, 3) …: the notebook
# `parts` says why. This changes the order of the **rows** of a query or key matrix as it lies in the file, (out, in).


# %%
def to_interleaved(W: np.ndarray, heads: int) -> np.ndarray:
    """The rows of W (heads·d, D) from the half-split order to the interleaved one, head by head."""
    rows, D = W.shape
    return W.reshape(heads, 2, rows // heads // 2, D).swapaxes(1, 2).reshape(rows, D)


# %% [markdown]
# ## `huggingface_weights`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# `huggingface_weights(tensors, config)` takes `{name: array}` as it comes from the file, and returns our `weights`. The file
# has matrices as **(out, in)**, ours are (in, out). `i` counts the blocks from 0.
#
# | name in the file | shape in the file | ours |
# |---|---|---|
# | `model.embed_tokens.weight` | (V, D) | `embed` |
# | `model.layers.{i}.input_layernorm.weight` | (D,) | `attn_norm` |
# | `model.layers.{i}.self_attn.q_proj.weight` | (H·d, D) | `Wq`, rows **reordered** |
# | `model.layers.{i}.self_attn.k_proj.weight` | (K·d, D) | `Wk`, rows **reordered** |
# | `model.layers.{i}.self_attn.v_proj.weight` | (K·d, D) | `Wv` |
# | `model.layers.{i}.self_attn.o_proj.weight` | (D, H·d) | `Wo` |
# | `model.layers.{i}.post_attention_layernorm.weight` | (D,) | `mlp_norm` |
# | `model.layers.{i}.mlp.gate_proj.weight`, `….up_proj.weight` | (F, D) | `Wg`, `Wu` |
# | `model.layers.{i}.mlp.down_proj.weight` | (D, F) | `Wd` |
# | `model.norm.weight` | (D,) | `norm` |
# | `lm_head.weight` | (V, D) | `head`; **if `config.tied`: the embedding turned round**, whether `lm_head.weight` is there or not |
#
# A tensor that is needed and missing, or has another shape than the table says, raises **`ValueError` whose text holds its
# name**. Names that are not in the table are left alone. The dtype stays as it is.
#
# By hand: with d = 4 and one head, the rows of `q_proj` come in the order 0, 2, 1, 3, and become the columns of `Wq`. If they
# hold the numbers 0 to 15, the first row of `Wq` is (0, 8, 4, 12).
#
# Hint 1 (a nudge): Reorder first, while the rows are still rows; then turn the matrix round.
#
# Hint 2 (the approach): A small inner function `take(name, shape)` that looks whether the tensor is there and has the
# shape; then one line for each row of the table.
#
# Hint 3 (the pieces): Two of the nine tensors of a block go through `to_interleaved`, with H for the queries and K for
# the keys, and seven are turned round. `f"model.layers.{i}."` begins all nine names.


# %% nbgrader={"grade_id": "huggingface_weights", "solution": true}
def huggingface_weights(tensors: dict[str, np.ndarray], config: Config) -> dict:
    """Our weights from the tensors of a Hugging Face file; ValueError names a tensor that is missing or misshapen."""
    ### BEGIN SOLUTION
    D, F, V, H, K, d = config.dim, config.hidden, config.vocab, config.heads, config.kv_heads, config.head_dim

    def take(name, *shape):
        if name not in tensors:
            raise ValueError(f"{name} is missing")
        if tensors[name].shape != shape:
            raise ValueError(f"{name} has shape {tensors[name].shape}, expected {shape}")
        return tensors[name]

    blocks = []
    for i in range(config.layers):
        p = f"model.layers.{i}."
        block = {
            "attn_norm": take(p + "input_layernorm.weight", D),
            "Wq": to_interleaved(take(p + "self_attn.q_proj.weight", H * d, D), H).T,
            "Wk": to_interleaved(take(p + "self_attn.k_proj.weight", K * d, D), K).T,
            "Wv": take(p + "self_attn.v_proj.weight", K * d, D).T,
            "Wo": take(p + "self_attn.o_proj.weight", D, H * d).T,
            "mlp_norm": take(p + "post_attention_layernorm.weight", D),
            "Wg": take(p + "mlp.gate_proj.weight", F, D).T,
            "Wu": take(p + "mlp.up_proj.weight", F, D).T,
            "Wd": take(p + "mlp.down_proj.weight", D, F).T,
        }
        blocks.append(block)
    embed = take("model.embed_tokens.weight", V, D)
    head = embed.T if config.tied else take("lm_head.weight", V, D).T
    return {"embed": embed, "blocks": blocks, "norm": take("model.norm.weight", D), "head": head}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_huggingface_weights", "grade": true, "points": 3}
def tensors_for(c, **changed):
    """A file's tensors, which hold the numbers 0, 1, 2, … one after the other; `changed` has other shapes by name."""
    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
    block = {"input_layernorm": (c.dim,), "self_attn.q_proj": (q, c.dim), "self_attn.k_proj": (kv, c.dim)}
    block |= {"self_attn.v_proj": (kv, c.dim), "self_attn.o_proj": (c.dim, q), "post_attention_layernorm": (c.dim,)}
    block |= {"mlp.gate_proj": (c.hidden, c.dim), "mlp.up_proj": (c.hidden, c.dim), "mlp.down_proj": (c.dim, c.hidden)}
    shapes = {f"model.layers.{i}.{name}": shape for i in range(c.layers) for name, shape in block.items()}
    shapes |= {"model.embed_tokens": (c.vocab, c.dim), "model.norm": (c.dim,), "lm_head": (c.vocab, c.dim)}
    found, start = {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(3, "f4")}, 0
    for name, shape in shapes.items():
        shape = changed.get(name.split(".")[-1], shape)
        if shape is not None:
            found[name + ".weight"] = np.arange(start, start + math.prod(shape), dtype="f4").reshape(shape)
        start += 1000
    return found


def first_queries(tensors, config):
    """Wq of the first block."""
    return huggingface_weights(tensors, config)["blocks"][0]["Wq"]


def weights_complaint(tensors, config, name):
    """What is said of these tensors."""
    return complaint_about(lambda: huggingface_weights(tensors, config), name)


def test_huggingface_weights():
    """Every matrix turned round, queries and keys reordered, the head as the config says; gaps refused by name."""
    one, tied = Config(4, 3, 1, 1, 1, 2, 5), Config(8, 3, 2, 2, 1, 3, 5, tied=True)
    queries = {"model.layers.0.self_attn.q_proj.weight": np.arange(16.0).reshape(4, 4)}
    reordered = [[0, 8, 4, 12], [1, 9, 5, 13], [2, 10, 6, 14], [3, 11, 7, 15]]
    check(first_queries, tensors_for(one) | queries, one, gives=reordered)
    untied = Config(16, 2, 1, 4, 2, 3, 5)
    check(huggingface_weights, tensors_for(untied), untied)
    check(huggingface_weights, tensors_for(tied), tied)
    check(huggingface_weights, tensors_for(tied, lm_head=None), tied)
    named = {"raised": "a ValueError", "its text names lm_head.weight": True}
    check(weights_complaint, tensors_for(untied, lm_head=None), untied, "lm_head.weight", gives=named)
    check(weights_complaint, tensors_for(tied, down_proj=None), tied, "model.layers.0.mlp.down_proj.weight")
    check(weights_complaint, tensors_for(tied, embed_tokens=(2, 8)), tied, "model.embed_tokens.weight")

    ### BEGIN HIDDEN TESTS
    def weights_dtypes(tensors, config):
        """The dtypes that come out."""
        weights = huggingface_weights(tensors, config)
        arrays = [weights["embed"], weights["norm"], weights["head"]]
        return sorted({str(W.dtype) for W in arrays + [W for block in weights["blocks"] for W in block.values()]})

    single, many = Config(12, 2, 3, 3, 1, 2, 5), Config(12, 12, 1, 3, 3, 12, 5, tied=True)
    check(huggingface_weights, tensors_for(single), single, about="one key/value head, three blocks")
    check(huggingface_weights, tensors_for(many), many, about="as many key/value heads as heads, square matrices")
    halves = {name: W.astype(np.float16) for name, W in tensors_for(one).items()}
    check(weights_dtypes, halves, one, about="float16")
    check(weights_complaint, tensors_for(untied, norm=None), untied, "model.norm.weight", about="no last norm")
    check(huggingface_weights, tensors_for(tied, lm_head=(9, 9)), tied, about="a tied head, and another one in the file")
    fewer = {name: W for name, W in tensors_for(tied).items() if "layers.1." not in name}
    check(weights_complaint, fewer, tied, "model.layers.1", about="a block is missing")
    block = "model.layers.0."
    no_norm, keys = tensors_for(untied, input_layernorm=None), tensors_for(untied, k_proj=(16, 16))
    check(weights_complaint, no_norm, untied, block + "input_layernorm.weight", about="no norm")
    check(weights_complaint, keys, untied, block + "self_attn.k_proj.weight", about="keys of another model")
    turned, gain = tensors_for(tied, down_proj=(3, 8)), tensors_for(tied, post_attention_layernorm=(1, 8))
    check(weights_complaint, turned, tied, block + "mlp.down_proj.weight", about="a matrix turned round")
    check(weights_complaint, gain, tied, "post_attention_layernorm.weight", about="a gain with two axes")
    check(weights_complaint, tensors_for(one, lm_head=(4, 2)), one, "lm_head.weight", about="a head turned round")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `KVCache`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# Keys and values of a token depend on it and on those before it, never on what comes later: once computed, they stay. The
# cache keeps them, with room for `config.max_len` positions set aside at the start.
#
# `KVCache(config, batch=1, dtype=np.float32)` is a class:
# - `append(layer, k, v)` puts `k` and `v`, both (B, K, T, d), behind what block `layer` holds already (T is 1 while writing, and
#   more for a piece of the prompt), and returns **all** that this block holds now, `(k, v)`, oldest first.
# - `length(layer)` returns how many positions block `layer` holds. Each block has its own count: in the middle of a
#   forward pass the first blocks are ahead.
# - `truncate(n)` keeps the first `n` positions in every block and forgets the others; what is appended next comes behind
#   them. (A chat that changes its last answer keeps the beginning.) It raises `ValueError` where `n` is negative, or some
#   block holds fewer than `n`.
# - `nbytes()` returns the bytes set aside, however much of it is in use: B · K · max_len · d numbers, for keys and for
#   values, in each block.
#
# `append` raises `ValueError` where the positions would be more than `max_len`, or where `k` or `v` is not (B, K, T, d) with
# one T for both. **After an error the cache is as it was before.**
#
# By hand: with `max_len` 4, after appending three positions to block 0, `length(0)` is 3 and `length(1)` is 0. One more
# fits; two raise, and `length(0)` is still 3.
#
# Hint 1 (a nudge): NumPy is generous where you do not want it: it writes (1, K, T, d) into room for two texts without a
# word, and slices beyond the end are cut off.
#
# Hint 2 (the approach): Two arrays of zeros, (layers, B, K, max_len, d), and a list with a count for each block. Check
# everything first, then write, then count.
#
# Hint 3 (the places): New positions go from the block's count up to the count plus T, on the axis of the time; what
# lies before the new count is returned. `truncate` changes the counts only.


# %% nbgrader={"grade_id": "KVCache", "solution": true}
class KVCache:
    """Keys and values of every block, with room for config.max_len positions."""

    def __init__(self, config: Config, batch: int = 1, dtype=np.float32):
        ### BEGIN SOLUTION
        self.shape = (batch, config.kv_heads, config.max_len, config.head_dim)
        self.k = np.zeros((config.layers, *self.shape), dtype)
        self.v = np.zeros((config.layers, *self.shape), dtype)
        self.used = [0] * config.layers
        ### END SOLUTION

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put k and v (B, K, T, d) behind what the block holds; return all of it, (B, K, positions, d) each."""
        ### BEGIN SOLUTION
        B, K, room, d = self.shape
        T = k.shape[2] if k.ndim == 4 else 0
        if k.shape != (B, K, T, d) or v.shape != k.shape:
            raise ValueError(f"expected keys and values of shape {(B, K, 'T', d)}, got {k.shape} and {v.shape}")
        start, stop = self.used[layer], self.used[layer] + T
        if stop > room:
            raise ValueError(f"{start} positions are used and {T} more do not fit: there is room for {room}")
        self.k[layer, :, :, start:stop] = k
        self.v[layer, :, :, start:stop] = v
        self.used[layer] = stop
        return self.k[layer, :, :, :stop], self.v[layer, :, :, :stop]
        ### END SOLUTION

    def length(self, layer: int) -> int:
        """How many positions the block holds."""
        ### BEGIN SOLUTION
        return self.used[layer]
        ### END SOLUTION

    def truncate(self, n: int) -> None:
        """Keep the first n positions in every block."""
        ### BEGIN SOLUTION
        if not 0 <= n <= min(self.used):
            raise ValueError(f"cannot keep {n} positions: the blocks hold {self.used}")
        self.used = [n] * len(self.used)
        ### END SOLUTION

    def nbytes(self) -> int:
        """The bytes set aside for keys and values in all blocks."""
        ### BEGIN SOLUTION
        return self.k.nbytes + self.v.nbytes
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_KVCache", "grade": true, "points": 4}
def cache_story(config, batch, dtype, steps):
    """What a cache answers to each step, and the counts of all blocks after it."""
    cache, answers = KVCache(config, batch, getattr(np, dtype)), []
    for number, (block, what) in enumerate(steps):
        try:
            if block is None:
                answer = cache.truncate(what)
            else:
                k, v = (np.full(shape, 10 * number + 1) + np.arange(shape[-2])[:, None] for shape in what)
                kept = cache.append(block, k.astype(dtype), -v.astype(dtype))
                answer = [[np.array(array), str(array.dtype)] for array in kept]
        except ValueError:
            answer = "ValueError"
        answers.append([answer, [cache.length(i) for i in range(config.layers)]])
    return answers


def counts(config, *steps):
    """The counts after each step of a cache for one text."""
    return [lengths for _, lengths in cache_story(config, 1, "float32", steps)]


def size(config, batch, dtype):
    """The bytes that an empty cache has set aside."""
    return KVCache(config, batch, getattr(np, dtype)).nbytes()


def test_KVCache():  # noqa: N802
    """What goes in comes out in order, block by block; what does not fit is refused and leaves no trace."""
    small, pair = Config(4, 9, 2, 2, 1, 9, 4), Config(8, 9, 2, 4, 2, 9, 6)

    def both(*shape):
        return [shape, shape]

    appends = [(0, both(1, 1, 3, 2)), (0, both(1, 1, 2, 2)), (0, both(1, 1, 1, 2))]
    check(counts, small, *appends, gives=[[3, 0], [3, 0], [4, 0]])
    one, two, three = ((2, 2, n, 2) for n in (1, 2, 3))
    steps = [(0, [three] * 2), (1, [three] * 2), (0, [one] * 2), (1, [one] * 2), (0, [three] * 2), (0, [two] * 2)]
    check(cache_story, pair, 2, "float32", [*steps, (0, [one] * 2), (1, both(1, 2, 1, 2)), (1, [two] * 2)])
    check(cache_story, pair, 2, "float64", [*steps, (None, 5), (None, 2), (0, [one] * 2), (1, [three] * 2)])
    check(size, pair, 2, "float32")
    check(size, small, 1, "float64")
    ### BEGIN HIDDEN TESTS
    wrong = [(1, [two, one]), (1, [one, two]), (1, both(2, 1, 1, 2)), (1, both(2, 2, 1, 4)), (1, both(2, 1, 2))]
    wrong += [(1, both(2, 2, 1, 1))]
    check(cache_story, pair, 2, "float32", [*steps[:2], *wrong, (1, [two] * 2)], about="shapes that do not fit")
    ends = [(None, 0), (0, [three] * 2), (None, 1), (1, [one] * 2), (None, -1), (0, [one] * 2), (None, 2), (None, 1)]
    check(cache_story, pair, 2, "float32", [*steps, *ends, (0, [one] * 2)], about="truncate at its edges")
    uneven = [(0, [one] * 2), (1, [three] * 2), (None, 2), (None, 1)]
    check(cache_story, pair, 2, "float32", uneven, about="truncate where the first block holds fewer")
    wide = Config(24, 9, 3, 6, 3, 9, 40)
    many = [(block, both(1, 3, n, 4)) for n in (5, 1, 2, 7) for block in range(3)]
    check(cache_story, wide, 1, "float16", many, about="three blocks in float16")
    check(size, wide, 4, "float16", about="float16 and four texts")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `attention_with_cache`
# *difficulty ●●● · importance ●●● · 30 min*
#
# The attention of `llama_attention`, for a **piece** of a text: `x` (B, T, D) are new tokens, and `past` is what the earlier
# ones left, `None` at the start, else `(k, v)`, both (B, K, P, d) for the P tokens before. The new tokens stand at positions
# P, P + 1, … P + T − 1.
#
# `attention_with_cache(x, block, config, past)` returns `(y, (k, v))`: `y` (B, T, D) for the new tokens, and keys and values of
# all P + T tokens, (B, K, P + T, d), to be handed in with the next piece. Keys are kept **after** rope, as they are used, and
# with **K** heads: they are repeated for the products only. `y` has the **dtype of x**, as in `llama_attention`.
#
# **Cutting a text into pieces changes nothing**: whichever way it is cut, the `y` of the pieces one behind the other are
# the `y` of the whole text.
#
# By hand: with one head of two numbers, and matrices that change nothing, the first token (5, 6) gives (5, 6). Later, with
# P = 2 and T = 2, the new tokens stand at 2 and 3. The first sees the keys 0, 1, 2, the second 0 to 3:
#
# ```
#        key 0  1  2  3
# new 2      ✓  ✓  ✓  ·
# new 3      ✓  ✓  ✓  ✓
# ```
#
# Hint 1 (a nudge): Two things of `llama_attention` depend on where the piece stands: the positions and the mask.
#
# Hint 2 (the approach): Turn the new queries and keys with positions from P on; put the old keys and values in front of
# the new ones, along the time; then attend. The mask has T rows and P + T columns.
#
# Hint 3 (the shapes): P is `past[0].shape[2]`, or 0. The time is axis 2 of keys and values. A key at place j may be
# seen by a new token at place p if j ≤ p: compare a row of the P + T places with a column of the T new ones.


# %% nbgrader={"grade_id": "attention_with_cache", "solution": true}
def attention_with_cache(x: np.ndarray, block: dict[str, np.ndarray], config: Config, past: tuple | None) -> tuple:
    """Attention of new tokens (B, T, D) over past (k, v) and themselves: (y, (k, v)) with all keys and values."""
    ### BEGIN SOLUTION
    B, T, _ = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    P = 0 if past is None else past[0].shape[2]
    positions = P + np.arange(T)
    q = (x @ block["Wq"]).reshape(B, T, H, d).transpose(0, 2, 1, 3)  # (B, H, T, d)
    k = (x @ block["Wk"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    v = (x @ block["Wv"]).reshape(B, T, K, d).transpose(0, 2, 1, 3)  # (B, K, T, d)
    q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)
    if past is not None:
        k, v = np.concatenate([past[0], k], axis=2), np.concatenate([past[1], v], axis=2)  # (B, K, P+T, d)
    scores = q @ repeat_kv(k, H // K).transpose(0, 1, 3, 2) / math.sqrt(d)  # (B, H, T, P+T)
    scores = np.where(np.arange(P + T) <= positions[:, None], scores, -np.inf)
    heads = softmax(scores) @ repeat_kv(v, H // K)  # (B, H, T, d)
    return heads.transpose(0, 2, 1, 3).reshape(B, T, H * d) @ block["Wo"], (k, v)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_attention_with_cache", "grade": true, "points": 4}
def in_pieces(x, block, config, *lengths):
    """The outputs of a text cut into pieces, and the keys and values that are kept at last."""
    past, outputs = None, []
    for piece in np.split(x, np.cumsum(lengths)[:-1], axis=1):
        y, past = attention_with_cache(piece, block, config, past)
        outputs.append(np.asarray(y))
    return np.concatenate(outputs, axis=1), *map(np.asarray, past), str(y.dtype)


def outputs(x, block, config, *lengths):
    """The outputs alone."""
    return in_pieces(x, block, config, *lengths)[0]


def test_attention_with_cache():
    """However a text is cut into pieces, the outputs are those of the whole text."""
    same = {name: np.eye(2) for name in ("Wq", "Wk", "Wv", "Wo")}
    check(outputs, np.array([[[5.0, 6.0]]]), same, Config(2, 1, 1, 1, 1, 1, 9), 1, gives=[[[5.0, 6.0]]])
    grouped, plain = Config(8, 20, 1, 4, 2, 11, 64), Config(8, 20, 1, 2, 2, 11, 64, rope_base=500.0)
    check(in_pieces, wave(1, 1, 5, 8), projections(grouped), grouped, 5)
    check(in_pieces, wave(2, 2, 5, 8), projections(grouped), grouped, 3, 1, 1)
    check(outputs, wave(3, 1, 7, 8), projections(grouped), grouped, 2, 3, 2)
    check(in_pieces, wave(4, 2, 5, 8), projections(plain), plain, 1, 4)
    ### BEGIN HIDDEN TESTS
    one, three = Config(12, 20, 1, 6, 1, 11, 64, rope_base=500000.0), Config(12, 20, 1, 6, 3, 11, 64)
    check(in_pieces, wave(5, 1, 6, 12), projections(one), one, 1, 1, 1, 1, 1, 1, about="one token at a time")
    check(in_pieces, wave(6, 3, 7, 12), projections(three), three, 4, 1, 2, about="three texts")
    single = wave(7, 2, 6, 8).astype(np.float32), projections(grouped, np.float32), grouped
    check(in_pieces, *single, 2, 1, 3, about="float32")
    check(outputs, wave(8, 1, 52, 8), projections(grouped), grouped, 30, 1, 1, 20, about="a longer text")
    check(in_pieces, 200 * wave(9, 1, 6, 8), projections(plain), plain, 2, 2, 2, about="large scores")

    def in_turn(texts, block, config):
        """The outputs of several texts, of each of which one token is read in turn."""
        pasts, found = [None for _ in texts], [[] for _ in texts]
        for place in range(texts[0].shape[1]):
            for i, text in enumerate(texts):
                if place < text.shape[1]:
                    y, pasts[i] = attention_with_cache(text[:, place : place + 1], block, config, pasts[i])
                    found[i].append(np.array(y))
        return [np.concatenate(each, axis=1) for each in found]

    for lengths in ((4, 2), (3, 5)):
        texts = [wave(n, 1, n, 8) for n in lengths]
        check(in_turn, texts, projections(grouped), grouped, about="two texts in turn")
    alone = Config(2, 1, 1, 1, 1, 1, 9)
    strong = {name: np.eye(2) * (-1000.0 if name == "Wq" else 1.0) for name in ("Wq", "Wk", "Wv", "Wo")}
    check(outputs, np.array([[[5.0, 6.0], [-4.0, 3.0]]]), strong, alone, 2, about="scores far below zero")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `forward_with_cache`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The way of `llama_forward` for a piece of a text, when only the next token is wanted.
# `forward_with_cache(ids, weights, config, run_block, past)` takes the **new** ids (B, T) and returns `(logits, past)`:
# - `logits` (B, V) of the **last position** only. The other positions need their keys and values, not their logits: do not
#   compute these.
# - `past`, a list with one entry for each block, to be handed in with the next piece. At the start it is `None`.
#
# `run_block(x, block, p)` runs one block: `p` is this block's entry (`None` at the start), and it returns `(x, p)` with what
# is to be kept now. Norm and head as in `llama_forward`.
#
# By hand: two blocks, a prompt of five ids, then one more. The first call hands `None` to both blocks and returns a list of
# two; the second call gets an array of shape (1, 1) and this list, and hands each block its own entry. With V = 9, both
# calls give logits of shape (1, 9).
#
# Hint 1 (a nudge): Which axis is the time? The last position is to be cut out before the head, which is in
# published models the largest matrix of all.
#
# Hint 2 (the approach): Go through blocks and entries together; collect the new entries in a new list.
#
# Hint 3 (the shapes): At the start each block's entry is `None`. After the loop the last position alone is (B, D), and
# all that is left is the norm and the head: (B, V).


# %% nbgrader={"grade_id": "forward_with_cache", "solution": true}
def forward_with_cache(ids: np.ndarray, weights: dict, config: Config, run_block, past: list | None) -> tuple:
    """Logits (B, V) for what follows the new ids (B, T), and what each block keeps."""
    ### BEGIN SOLUTION
    x = weights["embed"][ids]  # (B, T, D)
    kept = []
    for block, p in zip(weights["blocks"], past or [None] * config.layers, strict=True):
        x, p = run_block(x, block, p)  # (B, T, D)
        kept.append(p)
    return rms_norm(x[:, -1], weights["norm"], config.eps) @ weights["head"], kept  # (B, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_forward_with_cache", "grade": true, "points": 3}
def calls(config, *pieces):
    """For each piece: the logits, what is kept, and what the blocks were handed."""
    past, told, handed = None, [], []

    def run_block(x, block, p):
        handed.append([list(x.shape), None if p is None else np.array(p)])
        sums = np.cumsum(x, axis=1) + (0 if p is None else p[:, None])  # over all tokens so far
        return x + np.tanh(sums @ block["W"]), sums[:, -1]

    for ids in pieces:
        handed.clear()
        logits, past = forward_with_cache(np.array(ids), weights_for(config), config, run_block, past)
        told.append([np.asarray(logits), [np.array(p) for p in past], list(handed)])
    return told


def shapes(config, *pieces):
    """For each piece: the shape of the logits, and how many entries are kept."""
    return [[list(logits.shape), len(kept)] for logits, kept, _ in calls(config, *pieces)]


def test_forward_with_cache():
    """Piece by piece, the logits are those of the whole text's last position; each block has its own past."""
    two, three = Config(6, 10, 2, 2, 2, 9, 32), Config(4, 10, 3, 2, 1, 7, 32, eps=0.5)
    check(shapes, two, [[3, 0, 8, 3, 1]], [[5]], gives=[[[1, 9], 2], [[1, 9], 2]])
    check(calls, two, [[3, 0, 8, 3, 1]], [[5]], [[5]])
    check(calls, three, [[1, 6], [0, 2]], [[4, 4, 0], [5, 1, 6]])
    ### BEGIN HIDDEN TESTS
    one, deep = Config(6, 10, 1, 2, 2, 9, 32), Config(8, 10, 5, 2, 2, 8, 32)
    check(calls, one, *([[i], [i + 1], [8 - i]] for i in range(4)), about="one block, one token at a time")
    check(calls, deep, [[1, 2, 3]] * 4, [[7]] * 4, [[0, 5]] * 4, about="five blocks, four texts")
    check(calls, two, [[4, 4, 4, 0, 1, 2, 8]], about="one piece")
    ### END HIDDEN TESTS


# %% [markdown]
# ## All together
# Nothing to do here: this puts your functions together. `load_checkpoint` reads a llama2.c file or a Hugging Face folder,
# and `Model` runs what it has read, the whole text at once or piece by piece. The notebook `generation` writes with it.


# %%
def load_checkpoint(path: Path) -> tuple[Config, dict]:
    """Config and weights of a llama2.c file, or of a folder with config.json and model.safetensors."""
    if not path.is_dir():
        return load_llama2c(path)
    config, file = read_config(path), path / "model.safetensors"
    tensors = read_safetensors(file)
    try:
        return config, huggingface_weights(tensors, config)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


class Model:
    """A model from your functions."""

    def __init__(self, config: Config, weights: dict):
        self.config, self.weights = config, weights

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Logits (B, T, V) of every position, without a cache."""

        def run_block(x, block):
            return llama_block(x, block, self.config, lambda h: llama_attention(h, block, self.config))

        return llama_forward(np.asarray(ids), self.weights, self.config, run_block)

    def step(self, ids: np.ndarray, past: list | None = None) -> tuple[np.ndarray, list]:
        """Logits (B, V) of what follows the new ids (B, T), and the past with them in it."""

        def run_block(x, block, p):
            kept = []

            def attention(h):
                y, kv = attention_with_cache(h, block, self.config, p)
                kept.append(kv)
                return y

            return llama_block(x, block, self.config, attention), kept[0]

        return forward_with_cache(np.asarray(ids), self.weights, self.config, run_block, past)
