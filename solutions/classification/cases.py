# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Case 1 and case 2
#
# Two small models read a hotel review and say whether it praises or blames. This notebook builds both, the block that
# makes case 3, and the loop that trains them.
#
# **When you are done you can** write self-attention and a classifier as PyTorch modules, keep padding out of them, say
# where a norm and a residual go, compute the loss safely, and stop training at the right time with the right weights.
#
# **You need** attention weights and masks, and PyTorch's `nn.Module`, `nn.Linear` and `nn.Embedding`.
# Plan about 125 minutes.
#
# **Shapes.** `B` reviews in a batch, `T` words in the longest of them, `D` the width (`hidden_dim`), `C` labels
# (`num_labels`). Word numbers are `ids (B, T)`, filled up with 0 at the end. A `mask (B, T)` is boolean, `True` = a real
# word; every review has at least one.
#
# Each exercise stands alone: none of them needs your answer to another one. Where attention itself is wanted, use the
# class `Attention` that is given below.

# %%
import copy
import math

import numpy as np
import torch
from torch import Tensor, nn

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## Given: `filled`
# Fresh weights are random. This gives a module weights that are the same on every machine, so that numbers can be compared.


# %%
def filled(module: nn.Module, seed: int = 0, size: float = 1.0, middle: float = 0.0) -> nn.Module:
    """The module with its weights drawn from their names and the seed, from middle - size to middle + size."""
    state = module.state_dict()
    for name, old in state.items():
        drawn = np.random.default_rng([seed, *name.encode()]).random(tuple(old.shape))
        state[name] = torch.tensor(middle + size * (2 * drawn - 1))
    module.load_state_dict(state)
    return module


# %% [markdown]
# ## `SelfAttention`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The attention chapter in PyTorch. `SelfAttention(hidden_dim)` is an `nn.Module` with three layers, whose names the test reads:
# `query`, `key` and `value`, each an `nn.Linear(hidden_dim, hidden_dim)` with a bias.
#
# Called with `x (B, T, D)` it returns a pair: the output `(B, T, D)` and the weights (注意力权重 attention weights)
# `(B, T, T)`. Row = who asks, column = who is asked. The scores are divided by √D, and each row of weights sums to 1.
#
# Called with `x` and a `mask (B, T)`, nobody looks at padding: the weights of padding **keys** are 0, in every row,
# those of padding queries too.
#
# By hand, with all weights and biases at 0: every score is 0, so over 4 words each weight is 0.25. With a mask
# `[True, True, False, False]` each row is `[0.5, 0.5, 0, 0]`, however large the scores of the padding would be.
#
# Hint 1 (a nudge): Which axis of the scores `(B, T, T)` are the keys? The softmax runs along it, and the mask lies
# along it.
#
# Hint 2 (the approach): `k.transpose(-2, -1)` swaps the last two axes. Set the scores of padding keys to a very low
# number before the softmax.
#
# Hint 3 (nearly the code): `scores.masked_fill(~mask[:, None, :], -1e9)`: the new axis in the middle broadcasts over
# the queries.


# %% nbgrader={"grade_id": "SelfAttention", "solution": true}
class SelfAttention(nn.Module):
    """One head of self-attention with the layers query, key and value."""

    def __init__(self, hidden_dim: int):
        """Three nn.Linear(hidden_dim, hidden_dim): query, key, value."""
        super().__init__()
        ### BEGIN SOLUTION
        self.query = nn.Linear(hidden_dim, hidden_dim)
        self.key = nn.Linear(hidden_dim, hidden_dim)
        self.value = nn.Linear(hidden_dim, hidden_dim)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, T, D), mask (B, T), True = real -> output (B, T, D), weights (B, T, T)."""
        ### BEGIN SOLUTION
        q, k, v = self.query(x), self.key(x), self.value(x)  # (B, T, D) each
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, T, T)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)
        weights = scores.softmax(dim=-1)  # (B, T, T)
        return weights @ v, weights
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_SelfAttention", "grade": true, "points": 3}
X = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 2.0, -1.0], [-1.0, 1.0, 0.0], [3.0, 1.0, 2.0]]])


def weights(hidden_dim):
    """Names and shapes of the layer's own weights."""
    return {name: list(tensor.shape) for name, tensor in SelfAttention(hidden_dim).state_dict().items()}


def attend(x, mask=None, **how):
    """Output and attention weights of a layer whose own weights are known."""
    layer = filled(SelfAttention(x.shape[-1]), **how)
    return layer(x) if mask is None else layer(x, mask)


def test_SelfAttention():  # noqa: N802
    """Scores over the root of D, a softmax over the keys, and no weight on padding."""
    mask = torch.tensor([[True, True, False, False]])
    check(weights, 3)
    check(attend, X, mask, size=0.0, gives=(torch.zeros(1, 4, 3), [[[0.5, 0.5, 0.0, 0.0]] * 4]))
    check(attend, X)
    check(attend, X, mask)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(31)
    for lengths, D in [([1], 1), ([6], 6), ([1, 6, 3], 8), ([4, 3, 2, 1], 16), ([40, 7], 5)]:
        x = torch.tensor(rng.random((len(lengths), max(lengths), D)) * 4 - 2).float()
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        check(attend, x, seed=D, about=f"no mask, D = {D}")
        check(attend, x, mask, seed=D, about=f"a mask for the lengths {lengths}, D = {D}")
    check(attend, X * 300, torch.tensor([[True, True, True, False]]), about="padding whose scores are very large")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: `Attention`
# One head of PyTorch's own attention, so that what follows does not hang on your answer above. It is called in the same
# way, with or without a mask, and returns the same pair: output `(B, T, D)` and weights `(B, T, T)`.


# %%
class Attention(nn.Module):
    """Self-attention with one head: x (B, T, D), mask (B, T), True = real -> output (B, T, D), weights (B, T, T)."""

    def __init__(self, hidden_dim: int):
        super().__init__()
        self.inner = nn.MultiheadAttention(hidden_dim, num_heads=1, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.inner(x, x, x, key_padding_mask=None if mask is None else ~mask)


# %% [markdown]
# ## `Case1`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# Case 1: embedding (词嵌入), one self-attention, the average over the whole sequence (平均池化 average
# pooling), one linear layer. `Case1(vocab_size, hidden_dim, num_labels)` is an `nn.Module` with three parts, whose names
# the test reads:
#
# - `embedding`, an `nn.Embedding(vocab_size, hidden_dim)`;
# - `attention`, the given `Attention(hidden_dim)`;
# - `classifier`, an `nn.Linear(hidden_dim, num_labels)`.
#
# Called with `ids (B, T)` it returns a pair: **first** the attention weights `(B, T, T)`, **then** the
# logits (未归一化得分) `(B, C)`, the classifier's plain scores. There is no softmax: the loss has its own.
#
# Called with `ids` and a `mask (B, T)`, it keeps padding out, in **both** places: the attention gets the mask, and the
# average is over the real words alone.
#
# By hand: if the attention's output is `[2, 4]` at a word and `[6, 0]` at a padding, the average without a mask is
# `[4, 2]`, and with it `[2, 4]`. And with every weight and bias at 1 and a width of 1, each word is 1, each value
# 1 · 1 + 1 = 2, the attention's output 2 · 1 + 1 = 3 at every place, so the average is 3 and each logit 3 · 1 + 1 = 4.
#
# Hint 1 (a nudge): What is the sum over the real words, and how many are there in each review?
#
# Hint 2 (the approach): Make numbers of the mask, shape `(B, T, 1)`. The sum of `h` times these, divided by the sum of
# these.
#
# Hint 3 (nearly the code): `real = mask[:, :, None].float()`, then `(h * real).sum(dim=1) / real.sum(dim=1)`. Without a
# mask, `h.mean(dim=1)`.


# %% nbgrader={"grade_id": "Case1", "solution": true}
class Case1(nn.Module):
    """Embedding, self-attention, average, linear."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_labels: int):
        """The parts embedding, attention and classifier."""
        super().__init__()
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)
        ### END SOLUTION

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """ids (B, T), mask (B, T), True = real -> weights (B, T, T), logits (B, C)."""
        ### BEGIN SOLUTION
        h, weights = self.attention(self.embedding(ids), mask)  # (B, T, D), (B, T, T)
        if mask is None:
            pooled = h.mean(dim=1)  # (B, D)
        else:
            real = mask[:, :, None].float()  # (B, T, 1)
            pooled = (h * real).sum(dim=1) / real.sum(dim=1)  # (B, D)
        return weights, self.classifier(pooled)
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_Case1", "grade": true, "points": 3}
IDS = torch.tensor([[2, 4, 3, 1], [3, 2, 0, 0]])


def case1_weights(*sizes):
    """Names and shapes of the model's weights."""
    return {name: list(tensor.shape) for name, tensor in Case1(*sizes).state_dict().items()}


def case1(ids, mask=None, sizes=(5, 2, 3), **how):
    """Attention weights and logits of a model whose own weights are known."""
    model = filled(Case1(*sizes), **how)
    return model(ids) if mask is None else model(ids, mask)


def test_Case1():  # noqa: N802
    """Weights first, then logits; with a mask, padding changes nothing."""
    halves = [[[0.5, 0.5, 0.0, 0.0]] * 4]
    check(case1_weights, 5, 2, 3)
    check(case1, IDS[1:], IDS[1:] > 0, sizes=(5, 1, 2), size=0.0, middle=1.0, gives=(halves, [[4.0, 4.0]]))
    check(case1, IDS)
    check(case1, IDS, IDS > 0)
    check(case1, IDS, IDS > 0, seed=1)
    ### BEGIN HIDDEN TESTS
    longer = nn.functional.pad(IDS, (0, 3))
    check(case1, longer, longer > 0, about="more padding, which changes nothing but the weights' shape")
    check(case1, IDS[:1], IDS[:1] > 0, about="a mask without padding")
    check(case1, IDS[:1, :1], IDS[:1, :1] > 0, about="one review of one word")
    check(case1, IDS, sizes=(5, 2, 1), about="one label")

    def after_a_mask(ids):
        """What the model says without a mask, when it has had one before."""
        model = filled(Case1(5, 2, 3))
        model(ids, ids > 0)
        return model(ids)

    check(after_a_mask, IDS, about="no mask after a mask")
    check(case1, IDS[:1].flip(1), about="the words in another order: the same logits")
    rng = np.random.default_rng(37)
    for lengths, sizes in [([7, 7, 1, 3], (30, 8, 2)), ([2, 25], (60, 4, 5)), ([3, 1, 2], (9, 6, 3))]:
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        ids = torch.tensor(rng.integers(2, sizes[0], mask.shape)) * mask
        check(case1, ids, mask, sizes=sizes, about=f"a mask for the lengths {lengths}")
        check(case1, ids, sizes=sizes, about=f"no mask, {len(lengths)} reviews")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `layer_norm`
# *difficulty ●●○ · importance ●●● · 10 min*
#
# A layer norm (层归一化) brings each vector to mean 0 and variance 1, then lets the model choose both anew:
#
# `layer_norm(x, gain, bias, eps)` takes `x (…, D)`, and `gain` and `bias` of shape `(D,)`. For every vector of the last
# axis: take away its mean, divide by √(variance + eps), multiply by the gain, add the bias. The variance is the mean
# squared distance from the mean, divided by D. `x` stays as it is. (PyTorch has this as `nn.LayerNorm`. Written out with
# means and a root, it shows what happens to a vector.)
#
# By hand: `[1, 3]` has mean 2 and variance 1. With `eps = 0` it becomes `[-1, 1]`; with `eps = 3` it is divided by 2:
# `[-0.5, 0.5]`. With gain `[2, 2]` and bias `[0, 10]`, the latter gives `[-1, 11]`.
#
# Hint 1 (a nudge): Each vector is normed alone. It does not know of the other words or the other reviews.
#
# Hint 2 (the approach): `mean(dim=-1, keepdim=True)` twice: of `x`, and of the squared distances.
#
# Hint 3 (nearly the code): `torch.var` divides by D − 1 unless told `correction=0`. And `eps` goes under the root, with
# the variance.


# %% nbgrader={"grade_id": "layer_norm", "solution": true}
def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Each vector of the last axis to mean 0 and variance 1, then times gain, plus bias. The shape of x."""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return centred / (variance + eps).sqrt() * gain + bias
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_layer_norm", "grade": true, "points": 2}
PAIR, X = torch.tensor([1.0, 3.0]), torch.tensor([[1.0, 3.0, 8.0], [2.0, 0.0, 1.0]])
GAIN, BIAS = torch.tensor([1.0, 2.0, -0.5]), torch.tensor([0.0, 10.0, 1.0])


def test_layer_norm():
    """Each vector alone: less its own mean, over the root of its own variance and eps, times gain, plus bias."""
    check(layer_norm, PAIR, torch.ones(2), torch.zeros(2), 3.0, gives=[-0.5, 0.5])
    check(layer_norm, PAIR, torch.tensor([2.0, 2.0]), torch.tensor([0.0, 10.0]), 3.0, gives=[-1.0, 11.0])
    check(layer_norm, X, GAIN, BIAS)
    check(layer_norm, X, GAIN, BIAS, 0.1)
    check(layer_norm, torch.stack([X, X * X, 1 - X]), GAIN, BIAS, 0.1)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(41)
    for shape, eps in [((6,), 0.1), ((2, 2, 3, 8), 1e-5), ((4, 2), 3.0), ((3, 4, 5), 1e-3), ((2, 64), 1e-5)]:
        x = torch.tensor(rng.random(shape) * 3)
        gain, bias = torch.tensor(rng.random((2, shape[-1])) + 0.5)
        check(layer_norm, x, gain, bias, eps, about=f"shape {shape}, eps = {eps}")
    check(layer_norm, torch.full((2, 3), 7.0), GAIN, BIAS, within=1e-2, about="equal numbers: variance 0")
    check(layer_norm, X[:, :1], GAIN[:1], BIAS[:1], about="vectors of one number")
    check(layer_norm, X.half(), GAIN.half(), BIAS.half(), about="half precision")
    check(layer_norm, X * 1e-3, GAIN, BIAS, about="small numbers, where eps counts")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `Case2`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# Case 2 is case 1 with a layer norm, and the place matters: it stands **after** the average, before the
# linear layer. `Case2(vocab_size, hidden_dim, num_labels)` has the parts `embedding`, `attention` (the given `Attention`),
# `norm` (an `nn.LayerNorm(hidden_dim)`) and `classifier`.
#
# Called with `ids (B, T)` it returns the weights `(B, T, T)` and the logits `(B, C)`. No mask here.
#
# By hand: if the average is `[1, 3]`, the fresh norm makes `[-1, 1]` of it (nearly: its eps is 1e-5). And with every weight
# and bias at 1 and a width of 1, the average is 3, as in case 1. Its norm is 0 · 1 + 1 = 1, so each logit is 1 · 1 + 1 = 2.
#
# Hint 1 (a nudge): How many vectors does the norm see for each review: `T`, or one?
#
# Hint 2 (the approach): Embedding, attention, mean over the words, norm, classifier.
#
# Hint 3 (nearly the code): `self.classifier(self.norm(h.mean(dim=1)))`


# %% nbgrader={"grade_id": "Case2", "solution": true}
class Case2(nn.Module):
    """Embedding, self-attention, average, norm, linear."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_labels: int):
        """The parts embedding, attention, norm and classifier."""
        super().__init__()
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.norm = nn.LayerNorm(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)
        ### END SOLUTION

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """ids (B, T) -> weights (B, T, T), logits (B, C)."""
        ### BEGIN SOLUTION
        h, weights = self.attention(self.embedding(ids))  # (B, T, D), (B, T, T)
        return weights, self.classifier(self.norm(h.mean(dim=1)))  # (B, C)
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_Case2", "grade": true, "points": 2}
IDS = torch.tensor([[2, 4, 3, 1], [3, 2, 0, 0]])


def case2_weights(*sizes):
    """Names and shapes of the model's weights."""
    return {name: list(tensor.shape) for name, tensor in Case2(*sizes).state_dict().items()}


def case2(ids, sizes=(5, 4, 3), **how):
    """Attention weights and logits of a model whose own weights are known."""
    return filled(Case2(*sizes), **how)(ids)


def test_Case2():  # noqa: N802
    """The norm stands after the average."""
    check(case2_weights, 5, 2, 3)
    check(case2, IDS[:1], sizes=(5, 1, 2), size=0.0, middle=1.0, gives=(torch.full((1, 4, 4), 0.25), [[2.0, 2.0]]))
    check(case2, IDS)
    check(case2, IDS, seed=1)
    ### BEGIN HIDDEN TESTS
    check(case2, IDS[:1, :1], about="one review of one word")
    check(case2, IDS, sizes=(5, 4, 1), about="one label")
    check(case2, IDS % 2, sizes=(2, 16, 2), about="two words, a wide model")
    rng = np.random.default_rng(43)
    for B, T, sizes in [(4, 6, (20, 8, 3)), (1, 2, (5, 6, 2)), (3, 30, (50, 5, 4))]:
        check(case2, torch.tensor(rng.integers(0, sizes[0], (B, T))), sizes=sizes, about=f"ids {(B, T)}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: parts for a block
# Four small functions from `(B, T, D)` to `(B, T, D)`, in the place of attention, a feed-forward network and two norms.


# %%
def mix(h: Tensor) -> Tensor:
    """Each word takes in those before it."""
    return h.cumsum(dim=1)


def bend(h: Tensor) -> Tensor:
    """Each number by itself."""
    return 3 * h.relu() - 1


def norm_a(h: Tensor) -> Tensor:
    """A layer norm without gain and bias."""
    return nn.functional.layer_norm(h, h.shape[-1:])


def norm_b(h: Tensor) -> Tensor:
    """One with a gain of 2 and a bias of 1."""
    return 2 * nn.functional.layer_norm(h, h.shape[-1:]) + 1


# %% [markdown]
# ## `pre_norm_block`
# *difficulty ●●○ · importance ●●● · 10 min*
#
# A block of a Transformer does two pieces of work, attention and a feed-forward network (前馈网络), and adds each to what
# it got: the residual connection (残差连接). In a pre-norm block (前置归一化) the **work** gets a normed input, and what is
# added to it is the input as it was.
#
# `pre_norm_block(x, attend, feed_forward, norm1, norm2)` takes `x (B, T, D)` and four functions that each take such a
# tensor and return one of the same shape. It returns the block's output: first the half with `norm1` and `attend`, then,
# on its result, the half with `norm2` and `feed_forward`. `x` itself stays as it is.
#
# By hand, with numbers for tensors: `x = 1`, both norms halve, `attend` adds 3, `feed_forward` multiplies by 10. The first
# half is 1 + (0.5 + 3) = 4.5, the second 4.5 + 10 · 2.25 = 27.
#
# Hint 1 (a nudge): Draw one line that runs through the block untouched, and hang the work beside it.
#
# Hint 2 (the approach): Each half is: old value plus work(norm(old value)).
#
# Hint 3 (nearly the code): `x = x + attend(norm1(x))`, then the same with the other two.


# %% nbgrader={"grade_id": "pre_norm_block", "solution": true}
def pre_norm_block(x: Tensor, attend, feed_forward, norm1, norm2) -> Tensor:
    """A block that norms what goes into its work. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = x + attend(norm1(x))
    return x + feed_forward(norm2(x))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_pre_norm_block", "grade": true, "points": 2}
X = torch.tensor([[[1.0, 4.0, -2.0], [0.5, -1.0, 3.0]]])


def pre_by_hand(x):
    """The example: norms that halve, attention that adds 3, a feed-forward network that multiplies by 10."""
    return pre_norm_block(torch.tensor([[[x]]]), lambda h: h + 3, lambda h: 10 * h, lambda h: h / 2, lambda h: h / 2)


def test_pre_norm_block():
    """What goes into the work is normed; what is added to it is the input as it was."""
    check(pre_by_hand, 1.0, gives=[[[27.0]]])
    check(pre_norm_block, X, mix, bend, norm_a, norm_b)
    ### BEGIN HIDDEN TESTS
    check(pre_norm_block, X, bend, mix, norm_b, norm_a, about="other parts in other places")
    check(pre_norm_block, X[:, :1], mix, bend, norm_a, norm_b, about="one word")
    rng = np.random.default_rng(47)
    for shape in [(2, 5, 8), (3, 1, 2), (1, 12, 4)]:
        x = torch.tensor(rng.random(shape) * 4 - 2)
        check(pre_norm_block, x, mix, bend, norm_a, norm_b, about=f"x {shape}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `post_norm_block`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# The first Transformer had its norms elsewhere (后置归一化 post-norm): each half adds its work to its input, and then norms
# the **sum**. `post_norm_block(x, attend, feed_forward, norm1, norm2)` takes and returns what `pre_norm_block` does.
#
# By hand, with the numbers from before: the first half is (1 + (1 + 3)) / 2 = 2.5, the second (2.5 + 10 · 2.5) / 2 = 13.75.
#
# Hint 1 (a nudge): After each half, everything has passed through a norm, the residual too.
#
# Hint 2 (the approach): Each half is: norm(old value plus work(old value)).
#
# Hint 3 (nearly the code): `x = norm1(x + attend(x))`, then the same with the other two.


# %% nbgrader={"grade_id": "post_norm_block", "solution": true}
def post_norm_block(x: Tensor, attend, feed_forward, norm1, norm2) -> Tensor:
    """A block that norms the sum of its input and its work. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = norm1(x + attend(x))
    return norm2(x + feed_forward(x))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_post_norm_block", "grade": true, "points": 1}
X = torch.tensor([[[1.0, 4.0, -2.0], [0.5, -1.0, 3.0]]])


def post_by_hand(x):
    """The example: norms that halve, attention that adds 3, a feed-forward network that multiplies by 10."""
    return post_norm_block(torch.tensor([[[x]]]), lambda h: h + 3, lambda h: 10 * h, lambda h: h / 2, lambda h: h / 2)


def test_post_norm_block():
    """The norm is of the sum of input and work."""
    check(post_by_hand, 1.0, gives=[[[13.75]]])
    check(post_norm_block, X, mix, bend, norm_a, norm_b)
    ### BEGIN HIDDEN TESTS
    check(post_norm_block, X, bend, mix, norm_b, norm_a, about="other parts in other places")
    check(post_norm_block, X[:, :1], mix, bend, norm_a, norm_b, about="one word")
    rng = np.random.default_rng(53)
    for shape in [(2, 5, 8), (3, 1, 2), (1, 12, 4)]:
        x = torch.tensor(rng.random(shape) * 4 - 2)
        check(post_norm_block, x, mix, bend, norm_a, norm_b, about=f"x {shape}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `cross_entropy`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# The cross-entropy (交叉熵) is the mean of −ln p over the batch, where p is the probability that the model gives to the
# true label: the softmax of the logits, at that label.
#
# `cross_entropy(logits, y)` takes logits `(B, C)`, any finite numbers, and labels `y (B,)`, whole numbers from 0 to C − 1.
# It returns a tensor of shape `()`, through which gradients flow. It must stay finite when the logits are in the thousands.
# (`nn.functional.cross_entropy` does the same. Here you see what it does.)
#
# By hand: logits `[0, 0]` give each label 1/2, so the loss is ln 2 ≈ 0.693, whatever the label. Logits `[0, 1000]` with
# label 0 give a loss of 1000.
#
# Hint 1 (a nudge): ln(softmax) written out is the logit minus the logarithm of a sum of exponentials.
#
# Hint 2 (the approach): `torch.logsumexp` takes the largest number out before the exponentials, and so does not
# overflow. Fetch each row's logit of the true label.
#
# Hint 3 (nearly the code): `logits[torch.arange(len(y)), y]` is one number for each row. The loss of a row is its log-sum-exp
# minus that.


# %% nbgrader={"grade_id": "cross_entropy", "solution": true}
def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean of -ln softmax(logits) at the true labels. (B, C), (B,) -> ()."""
    ### BEGIN SOLUTION
    true = logits[torch.arange(len(y)), y]  # (B,)
    return (torch.logsumexp(logits, dim=-1) - true).mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_cross_entropy", "grade": true, "points": 2}
LOGITS, Y = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 1.5], [0.5, 3.0, -2.0]]), torch.tensor([1, 1, 0])


def gradient(logits, y):
    """How the loss moves with each logit."""
    logits = logits.clone().requires_grad_(True)
    cross_entropy(logits, y).backward()
    return logits.grad


def test_cross_entropy():
    """The mean of -ln p at the true labels, for logits of any size, and gradients flow through it."""
    check(cross_entropy, torch.zeros(1, 2), torch.tensor([1]), gives=0.693)
    check(cross_entropy, torch.tensor([[0.0, 1000.0]]), torch.tensor([0]), gives=1000.0)
    check(cross_entropy, LOGITS, Y)
    check(cross_entropy, LOGITS * 1000, torch.tensor([1, 0, 1]))
    check(gradient, LOGITS, Y)
    ### BEGIN HIDDEN TESTS
    check(cross_entropy, LOGITS[:1], Y[:1], about="one row")
    check(cross_entropy, LOGITS, torch.tensor([2, 2, 2]), about="labels that do not occur")
    check(cross_entropy, LOGITS - 5000, Y, about="logits far below zero")
    check(cross_entropy, LOGITS * 30, torch.tensor([2, 1, 2]), about="small probabilities")
    check(cross_entropy, LOGITS[:, :1], torch.tensor([0, 0, 0]), about="one label")
    check(cross_entropy, LOGITS.half(), Y, about="half precision")
    check(gradient, LOGITS * 1000, Y, about="a gradient, large logits")
    rng = np.random.default_rng(59)
    for B, C in [(1, 5), (8, 2), (4, 40), (50, 3)]:
        logits, y = torch.tensor(rng.random((B, C)) * 12 - 6), torch.tensor(rng.integers(0, C, B))
        check(cross_entropy, logits, y, about=f"{B} rows of {C} logits")
        check(gradient, logits, y, about=f"a gradient, {B} rows of {C} logits")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: `Bag`
# A small model to train: the mean of the words' vectors, dropout, one linear layer. Like the cases it is called with `ids`
# and `mask`, and returns (weights, logits).


# %%
class Bag(nn.Module):
    """ids (B, T), mask (B, T), True = real -> weights (B, T), logits (B, C)."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_labels: int, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        weights = mask / mask.sum(dim=1, keepdim=True)  # (B, T)
        pooled = (weights[:, :, None] * self.embedding(ids)).sum(dim=1)  # (B, D)
        return weights, self.classifier(self.dropout(pooled))


# %% [markdown]
# ## `train_step`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# One step of training. `train_step(model, optimiser, ids, mask, y)` gets a model that is called as `model(ids, mask)` and
# returns `(weights, logits)`, and an optimiser over its weights. It does, in the right order:
#
# - puts the model into training mode (训练模式), where dropout works (in which mode it leaves it, is up to you);
# - clears the gradients (梯度清零) that an earlier step left;
# - computes the loss, `nn.functional.cross_entropy` of the logits and `y`;
# - computes the gradients (反向传播 backpropagation);
# - lets the optimiser take its step.
#
# It returns the loss of this batch from before the step, as a Python float.
#
# By hand: a `Bag` whose weights are all 0 gives both labels the logit 0, so the loss is ln 2 = 0.693. The gradient of the
# classifier's bias is 1/2 − 1 = −0.5 for the true label and 0.5 for the other. With a learning rate of 1, the step leads
# to a bias of 0.5 and −0.5. Whoever does not clear these gradients adds them to those of the next step.
#
# Hint 1 (a nudge): `backward()` *adds* to the gradients that are there. Who takes away the old ones, and when?
#
# Hint 2 (the approach): Clear, forward, loss, backward, step. The mode is set before the forward pass.
#
# Hint 3 (nearly the code): `model.train()`, `optimiser.zero_grad()`, …, `loss.backward()`, `optimiser.step()`, `return
# loss.item()`.


# %% nbgrader={"grade_id": "train_step", "solution": true}
def train_step(model: nn.Module, optimiser: torch.optim.Optimizer, ids: Tensor, mask: Tensor, y: Tensor) -> float:
    """One step on one batch; the loss before it."""
    ### BEGIN SOLUTION
    model.train()
    optimiser.zero_grad()
    _, logits = model(ids, mask)
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_train_step", "grade": true, "points": 3}
IDS = torch.tensor([[2, 3, 4], [3, 5, 0], [2, 0, 0]])
BATCHES = [(IDS, IDS > 0, torch.tensor([1, 0, 0])), (IDS[:2], IDS[:2] > 0, torch.tensor([1, 1]))]


def steps(batches, lr, dropout=0.0, left=False, optimiser=torch.optim.SGD, **how):
    """The losses of some steps of a model with known weights, which comes in eval mode, and its weights then."""
    model = filled(Bag(6, 2, 2, dropout), **how).eval()
    for parameter in model.parameters() if left else ():
        parameter.grad = torch.ones_like(parameter)  # of a step before
    moving = optimiser(model.parameters(), lr)
    losses = [train_step(model, moving, *batch) for batch in batches]
    return {"losses": losses, **model.state_dict()}


def type_of_loss(batch):
    """The type of what comes back."""
    model = Bag(6, 2, 2)
    return type(train_step(model, torch.optim.SGD(model.parameters(), 0.1), *batch)).__name__


def test_train_step():
    """Gradients cleared, computed, used; in training mode; and the loss from before."""
    after = {"embedding.weight": torch.zeros(6, 2), "classifier.weight": torch.zeros(2, 2)}
    after["classifier.bias"] = [-0.5, 0.5]
    one = IDS[:1], IDS[:1] > 0, torch.tensor([1])
    check(steps, [one], 1.0, size=0.0, gives={"losses": [0.693], **after})
    check(steps, BATCHES[:1], 0.7)
    check(steps, BATCHES, 0.7)
    check(steps, BATCHES, 0.7, left=True)
    check(steps, BATCHES, 0.7, dropout=1.0)
    check(type_of_loss, BATCHES[0], gives="float")
    ### BEGIN HIDDEN TESTS
    check(steps, BATCHES * 3, 0.2, seed=1, optimiser=torch.optim.Adam, about="six steps of Adam")
    check(steps, BATCHES[::-1], 0.0, about="a learning rate of 0")

    def of_three(y):
        """The loss of a model that has three labels, and its weights after a step."""
        model = filled(Bag(6, 2, 3))
        loss = train_step(model, torch.optim.SGD(model.parameters(), 0.5), IDS, IDS > 0, torch.tensor(y))
        return {"loss": loss, **model.state_dict()}

    check(of_three, [2, 0, 1], about="three labels")
    check(of_three, [2, 2, 2], about="three labels")
    check(steps, [(ids, mask, y * 0) for ids, mask, y in BATCHES], 0.5, about="one label only")
    check(steps, BATCHES * 2, 3.0, left=True, about="larger steps")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `fit`
# *difficulty ●●● · importance ●●● · 20 min*
#
# Training for too long learns the training reviews by heart (过拟合 overfitting). Early stopping (早停) watches a validation
# part (验证集) that is not trained on, and keeps the weights of the best epoch.
#
# `fit(model, train_epoch, validate, epochs, patience)` takes an `nn.Module` and two functions: `train_epoch(model)` trains for
# one epoch, and `validate(model)` returns the validation loss, a float. In each of at most `epochs` epochs (at least 1):
#
# 1. `model.train()`, then `train_epoch(model)`;
# 2. `model.eval()`, then `validate(model)`;
# 3. if this loss is **less** than every one before, keep a copy of the weights, such as `copy.deepcopy(model.state_dict())`.
#    `state_dict()` alone is a view of weights that go on changing.
# 4. stop if the last `patience` (1 or more) epochs were all without a new best loss.
#
# At the end put the best weights back, also when all epochs were run. Return the list of validation losses, one for each
# epoch that was run.
#
# By hand: with losses 5, 3, 4, 3, 2 and `patience=2`, the best is 3. The epochs with 4 and the second 3 are two in a row
# without a new best, so it stops there, with the weights of the second epoch, and returns `[5, 3, 4, 3]`.
#
# Hint 1 (a nudge): What do you need to remember from epoch to epoch? Three things: the best loss, its weights, and how
# long ago it was.
#
# Hint 2 (the approach): A counter that is 0 after a new best and grows by 1 otherwise. Stop when it has reached
# `patience`.
#
# Hint 3 (nearly the code): `if loss < best: best, kept, waited = loss, copy.deepcopy(model.state_dict()), 0`, else
# `waited += 1` and `if waited == patience: break`. After the loop, `model.load_state_dict(kept)`.


# %% nbgrader={"grade_id": "fit", "solution": true}
def fit(model, train_epoch, validate, epochs: int, patience: int) -> list[float]:
    """Train with early stopping, put the best weights back, return the validation losses."""
    ### BEGIN SOLUTION
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        loss = validate(model)
        losses.append(loss)
        if loss < best:
            best, kept, waited = loss, copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
            if waited == patience:
                break
    model.load_state_dict(kept)
    return losses
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_fit", "grade": true, "points": 3}
def watched(losses, epochs, patience):
    """What happens to a model whose one weight is the number of its epochs, and whose validation losses are known."""
    model, happened = filled(nn.Linear(1, 1, bias=False), size=0.0), []

    def train_epoch(model):
        happened.append("trained" if model.training else "trained in eval mode")
        model.load_state_dict({name: weight + 1 for name, weight in model.state_dict().items()})

    def validate(model):
        happened.append("validated in training mode" if model.training else "validated")
        done = sum(what.startswith("validated") for what in happened)
        return float([*losses, *[99] * done][done - 1])

    returned = fit(model, train_epoch, validate, epochs, patience)
    return {"returned": returned, "has the weights of epoch": model.weight.item(), "happened": happened}


def test_fit():
    """It stops in time, in the right modes, and has the weights of the best epoch."""
    by_hand = {
        "returned": [5.0, 3.0, 4.0, 3.0],
        "has the weights of epoch": 2.0,
        "happened": ["trained", "validated"] * 4,
    }
    check(watched, [5, 3, 4, 3, 2], 5, 2, gives=by_hand)
    check(watched, [3, 1, 4, 2, 5, 6, 7], 7, 2)
    check(watched, [4, 3, 2, 5], 4, 3)
    check(watched, [3, 4, 2, 3, 1, 2, 3, 4], 8, 2)
    check(watched, [2, 3, 1], 3, 1)
    check(watched, [300, 250, 260, 250], 4, 3)
    ### BEGIN HIDDEN TESTS
    check(watched, [1], 1, 1, about="one epoch")
    check(watched, [5, 4, 3, 2], 4, 1, about="better every time")
    check(watched, [1, 2, 3, 4, 5, 0], 6, 4, about="the first epoch is the best")
    check(watched, [2, 2, 2, 2], 4, 3, about="ties")
    check(watched, [9, 8, 9, 7, 9, 6, 9, 9, 5], 9, 2, about="a new best just in time")
    check(watched, [-1, -3, -2, -4, 0], 5, 3, about="losses below zero")
    check(watched, [4, 3, 3.9, 2.999, 3.5], 5, 10, about="more patience than epochs")
    check(watched, [0.5, *[0.6] * 30], 31, 20, about="a long run")
    check(watched, [0, 1, 2, 3], 4, 2, about="a loss of 0")
    check(watched, [3000, 2000, 2500, 2600, 1500], 5, 2, about="large losses")
    ### END HIDDEN TESTS
