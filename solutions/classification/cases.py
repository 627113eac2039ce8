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
# # Case 1 and case 2
#
# Two small models read a hotel review and say whether it praises or blames. This notebook builds both, the block that
# makes case 3, and the loop that trains them.
#
# **When you are done you can** write self-attention and a classifier as PyTorch modules, keep padding out of them, say
# where a norm and a residual go, compute the loss safely, and stop training at the right time with the right weights.
#
# **You need** attention weights and masks (chapter 1), and PyTorch's `nn.Module`, `nn.Linear` and `nn.Embedding`.
# Plan about 120 minutes.
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

import torch
from torch import Tensor, nn


# %% [markdown]
# ## `SelfAttention`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# Chapter 1 in PyTorch. `SelfAttention(hidden_dim)` is an `nn.Module` with three layers, whose names the test reads:
# `query`, `key` and `value`, each an `nn.Linear(hidden_dim, hidden_dim)` with a bias.
#
# Called with `x (B, T, D)` it returns a pair: the output `(B, T, D)` and the weights (注意力权重 attention weights)
# `(B, T, T)`. Row = who asks, column = who is asked. The scores are divided by √D, and each row of weights sums to 1.
#
# Called with `x` and a `mask (B, T)`, nobody looks at padding: the weights of padding **keys** are 0, in every row,
# those of padding queries too.
#
# By hand, with all weights and biases at 0: every score is 0, so over 4 words each weight is 1/4. With a mask
# `[True, True, False, False]` each row is `[1/2, 1/2, 0, 0]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which axis of the scores `(B, T, T)` are the keys? The softmax runs along it, and the mask lies along it.
#
# <details><summary>Hint 2: the approach</summary>
#
# `k.transpose(-2, -1)` swaps the last two axes. Set the scores of padding keys to a very low number before the softmax.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `scores.masked_fill(~mask[:, None, :], -1e9)`: the new axis in the middle broadcasts over the queries.
#
# </details></details></details>


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
def test_SelfAttention():  # noqa: N802
    """Scores over the root of D, softmax over the keys, and no weight on padding."""

    def check(B, T, D, lengths, seed):
        made = torch.Generator().manual_seed(seed)
        x = torch.randn(B, T, D, generator=made) * 2
        layer = SelfAttention(D)
        state = {name: value.detach() for name, value in layer.state_dict().items()}
        names = sorted(f"{part}.{kind}" for part in ("query", "key", "value") for kind in ("weight", "bias"))
        assert sorted(state) == names, f"expected the weights {names}, got {sorted(state)}"
        q, k, v = (x @ state[f"{p}.weight"].T + state[f"{p}.bias"] for p in ("query", "key", "value"))
        raw = q @ k.transpose(1, 2)
        mask = None if lengths is None else torch.arange(T) < torch.tensor(lengths)[:, None]
        call = f"x {(B, T, D)}, " + ("no mask" if mask is None else f"a mask for the lengths {lengths}")
        answer = layer(x) if mask is None else layer(x, mask)
        assert isinstance(answer, tuple) and len(answer) == 2, f"{call}: expected a pair (output, weights)"
        output, weights = (part.detach() for part in answer)
        swapped = ": output and weights are the other way round" if tuple(output.shape) == (B, T, T) else ""
        assert tuple(weights.shape) == (B, T, T), (
            f"{call}: expected weights of shape {(B, T, T)}, got {tuple(weights.shape)}{swapped}"
        )
        assert tuple(output.shape) == (B, T, D), f"{call}: expected output {(B, T, D)}, got {tuple(output.shape)}"
        keys = torch.ones(B, 1, T, dtype=torch.bool) if mask is None else mask[:, None, :]
        scores = raw / D**0.5
        expected = scores.masked_fill(~keys, -1e9).softmax(-1)
        known = {
            "the scores are not divided: expected / sqrt(D)": raw.masked_fill(~keys, -1e9).softmax(-1),
            "the scores are divided by D, not by its root": (raw / D).masked_fill(~keys, -1e9).softmax(-1),
            "the scores are divided by the root of T, not of D": (raw / T**0.5).masked_fill(~keys, -1e9).softmax(-1),
            "the softmax runs over the queries: columns sum to 1, not rows": scores.masked_fill(~keys, -1e9).softmax(1),
            "query and key are swapped: row = who asks": scores.transpose(1, 2).masked_fill(~keys, -1e9).softmax(-1),
        }
        if mask is not None:
            known["the mask was not used: padding keys have weight"] = scores.softmax(-1)
            known["the mask is inverted: True is a real word"] = scores.masked_fill(keys, -1e9).softmax(-1)
            known["the mask was applied after the softmax: rows no longer sum to 1"] = scores.softmax(-1) * keys
            known["padding scores were set to 0, which is not 'no weight'"] = (scores * keys).softmax(-1)
            known["the mask lies on the queries: it belongs on the keys, the last axis"] = scores.masked_fill(
                ~keys.transpose(1, 2), -1e9
            ).softmax(-1)
        for mistake, wrong in known.items():
            if not torch.allclose(wrong, expected, atol=1e-3):
                assert not torch.allclose(weights, wrong, atol=1e-5), f"{call}: {mistake}"
        assert not weights.isnan().any(), f"{call}: NaN among the weights: a row with nothing to look at?"
        assert torch.allclose(weights, expected, atol=1e-5), (
            f"{call}: expected the first row {expected[0, 0].tolist()}, got {weights[0, 0].tolist()}"
        )
        assert not torch.allclose(output, expected @ x, atol=1e-4), f"{call}: the weights mix x itself, not its values"
        assert not torch.allclose(output, x + expected @ v, atol=1e-4), (
            f"{call}: x was added to the output: the residual comes later, in the block"
        )
        assert torch.allclose(output, expected @ v, atol=1e-4), f"{call}: the output is not weights @ values"

    check(2, 3, 4, None, 0)
    check(2, 5, 4, [5, 2], 1)
    ### BEGIN HIDDEN TESTS
    check(1, 1, 6, None, 2)
    check(3, 6, 8, [1, 6, 3], 3)
    check(4, 4, 16, [4, 3, 2, 1], 4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_SelfAttention()


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
# Case 1 of the notes: embedding (词嵌入), one self-attention, the average over the whole sequence (平均池化 average
# pooling), one linear layer. `Case1(vocab_size, hidden_dim, num_labels)` is an `nn.Module` with three parts, whose names
# the test reads:
#
# - `embedding`, an `nn.Embedding(vocab_size, hidden_dim)`;
# - `attention`, the given `Attention(hidden_dim)`;
# - `classifier`, an `nn.Linear(hidden_dim, num_labels)`.
#
# Called with `ids (B, T)`, as in the notes, it returns a pair: **first** the attention weights `(B, T, T)`, **then** the
# logits (未归一化得分) `(B, C)`, the classifier's plain scores. There is no softmax: the loss has its own.
#
# Called with `ids` and a `mask (B, T)`, it keeps padding out, in **both** places: the attention gets the mask, and the
# average is over the real words alone.
#
# By hand: if the attention's output is `[2, 4]` at a word and `[6, 0]` at a padding, the average without a mask is
# `[4, 2]`, and with it `[2, 4]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is the sum over the real words, and how many are there in each review?
#
# <details><summary>Hint 2: the approach</summary>
#
# Make numbers of the mask, shape `(B, T, 1)`. The sum of `h` times these, divided by the sum of these.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `real = mask[:, :, None].float()`, then `(h * real).sum(dim=1) / real.sum(dim=1)`. Without a mask, `h.mean(dim=1)`.
#
# </details></details></details>


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
def test_Case1():  # noqa: N802
    """Weights and logits as the parts give them; with a mask, padding changes nothing."""

    def check(V, D, C, lengths, T, seed):
        B, made = len(lengths), torch.Generator().manual_seed(seed)
        real = torch.arange(T) < torch.tensor(lengths)[:, None]
        ids = torch.randint(2, V, (B, T), generator=made) * real
        model = Case1(V, D, C)
        state = {name: value.detach() for name, value in model.state_dict().items()}
        attention = Attention(D)
        names = sorted(
            [
                "embedding.weight",
                "classifier.weight",
                "classifier.bias",
                *(f"attention.{n}" for n in attention.state_dict()),
            ]
        )
        assert sorted(state) == names, f"expected the weights {names}, got {sorted(state)}"
        assert tuple(state["embedding.weight"].shape) == (V, D), f"embedding: expected {V} words of {D} numbers"
        assert tuple(state["classifier.weight"].shape) == (C, D), f"classifier: expected {D} numbers in, {C} out"
        attention.load_state_dict({n: state[f"attention.{n}"] for n in attention.state_dict()})

        def classify(h):
            return h @ state["classifier.weight"].T + state["classifier.bias"]

        with torch.no_grad():
            x = state["embedding.weight"][ids]
            plain, plain_weights = attention(x)
            masked, masked_weights = attention(x, real)
        count = real.sum(1, keepdim=True)
        for mask in (None, real):
            call = f"ids {(B, T)} with lengths {lengths}, " + ("no mask" if mask is None else "with the mask")
            answer = model(ids) if mask is None else model(ids, mask)
            assert isinstance(answer, tuple) and len(answer) == 2, f"{call}: expected a pair (weights, logits)"
            weights, logits = (part.detach() for part in answer)
            order = ": weights first, then logits" if tuple(weights.shape) == (B, C) else ""
            assert tuple(logits.shape) == (B, C), f"{call}: expected logits {(B, C)}, got {tuple(logits.shape)}{order}"
            if mask is None:
                expected, expected_weights = classify(plain.mean(1)), plain_weights
                known = {}
            else:
                expected, expected_weights = classify((masked * real[:, :, None]).sum(1) / count), masked_weights
                known = {
                    "the mask was not used": classify(plain.mean(1)),
                    "the attention got the mask, but the average takes in the padding": classify(masked.mean(1)),
                    "the sum over the words was divided by T, not by their number": classify(
                        (masked * real[:, :, None]).sum(1) / T
                    ),
                    "the average got the mask, but the attention looks at padding": classify(
                        (plain * real[:, :, None]).sum(1) / count
                    ),
                    "the mask is inverted in the average: True is a real word": classify(
                        (masked * ~real[:, :, None]).sum(1) / (~real).sum(1, keepdim=True).clamp(min=1)
                    ),
                }
            known |= {
                "the logits went through a softmax: the loss does that itself": expected.softmax(-1),
                "the logits went through a log-softmax: the loss does that itself": expected.log_softmax(-1),
                "the first word stands for the whole: expected an average": classify(
                    (plain if mask is None else masked)[:, 0]
                ),
                "the words were added up: expected an average": classify(
                    plain.sum(1) if mask is None else (masked * real[:, :, None]).sum(1)
                ),
                "the largest number of each column was taken: expected an average": classify(
                    (plain if mask is None else masked.masked_fill(~real[:, :, None], -1e9)).amax(1)
                ),
                "x was added to the attention's output: case 1 has no residual": classify(
                    (plain + x).mean(1) if mask is None else ((masked + x) * real[:, :, None]).sum(1) / count
                ),
            }
            for mistake, wrong in known.items():
                if not torch.allclose(wrong, expected, atol=1e-3):
                    assert not torch.allclose(logits, wrong, atol=1e-5), f"{call}: {mistake}"
            assert torch.allclose(logits, expected, atol=1e-4), (
                f"{call}: expected the logits {expected[0].tolist()} of the first review, got {logits[0].tolist()}"
            )
            assert tuple(weights.shape) == (B, T, T), (
                f"{call}: expected weights {(B, T, T)}, got {tuple(weights.shape)}"
            )
            assert torch.allclose(weights, expected_weights, atol=1e-5), (
                f"{call}: these are not the attention's weights"
            )
        longer = torch.cat([ids, torch.zeros(B, 3, dtype=torch.long)], 1)
        more = torch.cat([real, torch.zeros(B, 3, dtype=torch.bool)], 1)
        assert torch.allclose(model(longer, more)[1].detach(), logits, atol=1e-5), "more padding changed the logits"

    check(12, 4, 2, [5, 2], 5, 0)
    check(9, 6, 3, [1, 4, 3], 4, 1)
    ### BEGIN HIDDEN TESTS
    check(30, 8, 2, [7, 7, 1, 3], 7, 2)
    model = Case1(10, 4, 2)
    ids = torch.tensor([[2, 3, 4, 5, 6]])
    turned = torch.tensor([[6, 4, 2, 5, 3]])
    same = torch.allclose(model(ids)[1].detach(), model(turned)[1].detach(), atol=1e-5)
    assert same, "the order of the words changed the logits: case 1 has no positions"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_Case1()


# %% [markdown]
# ## `layer_norm`
# *difficulty ●●○ · importance ●●● · 10 min*
#
# A layer norm (层归一化) brings each vector to mean 0 and variance 1, then lets the model choose both anew:
#
# `layer_norm(x, gain, bias, eps)` takes `x (…, D)`, and `gain` and `bias` of shape `(D,)`. For every vector of the last
# axis: take away its mean, divide by √(variance + eps), multiply by the gain, add the bias. The variance is the mean
# squared distance from the mean, divided by D. Write it with means and a root; `nn.LayerNorm` is the oracle, not a tool.
#
# By hand: `[1, 3]` has mean 2 and variance 1. With `eps = 0` it becomes `[-1, 1]`; with `eps = 3` it is divided by 2:
# `[-1/2, 1/2]`. With gain `[2, 2]` and bias `[0, 10]`, the latter gives `[-1, 11]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Each vector is normed alone. It does not know of the other words or the other reviews.
#
# <details><summary>Hint 2: the approach</summary>
#
# `mean(dim=-1, keepdim=True)` twice: of `x`, and of the squared distances.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `torch.var` divides by D − 1 unless told `correction=0`. And `eps` goes under the root, with the variance.
#
# </details></details></details>


# %% nbgrader={"grade_id": "layer_norm", "solution": true}
def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Each vector of the last axis to mean 0 and variance 1, then times gain, plus bias. The shape of x."""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return centred / (variance + eps).sqrt() * gain + bias
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_layer_norm", "grade": true, "points": 2}
def test_layer_norm():
    """As torch has it, at the usual eps and at one so large that its place shows."""

    def check(shape, eps, seed):
        made = torch.Generator().manual_seed(seed)
        D = shape[-1]
        x = torch.randn(*shape, generator=made, dtype=torch.float64) * 0.7 + 1.5
        gain, bias = (torch.randn(D, generator=made, dtype=torch.float64) + 1 for _ in range(2))
        result = layer_norm(x, gain, bias, eps)
        call = f"x {shape}, eps {eps}"
        assert tuple(result.shape) == shape, f"{call}: expected shape {shape}, got {tuple(result.shape)}"
        expected = torch.nn.functional.layer_norm(x, (D,), gain, bias, eps)
        centred = x - x.mean(-1, keepdim=True)
        variance = x.var(-1, correction=0, keepdim=True)
        known = {
            "the variance was divided by D - 1, not D": centred / (x.var(-1, keepdim=True) + eps).sqrt() * gain + bias,
            "eps stands outside the root: it belongs with the variance": centred / (variance.sqrt() + eps) * gain
            + bias,
            "eps was not used": centred / variance.sqrt() * gain + bias,
            "divided by the variance, not by its root": centred / (variance + eps) * gain + bias,
            "the mean was not taken away": x / (variance + eps).sqrt() * gain + bias,
            "mean and variance are of everything, not of each vector": (x - x.mean())
            / (x.var(correction=0) + eps).sqrt()
            * gain
            + bias,
            "the bias was added before the gain": (centred / (variance + eps).sqrt() + bias) * gain,
            "gain and bias are missing": centred / (variance + eps).sqrt(),
            "mean of squares without the mean taken away: that is an RMS norm": x
            / (x.square().mean(-1, keepdim=True) + eps).sqrt()
            * gain
            + bias,
        }
        if len(shape) > 1:
            first, second = x.mean(0, keepdim=True), x.var(0, correction=0, keepdim=True)
            known["normed along the wrong axis, the first: that is a batch norm"] = (x - first) / (
                second + eps
            ).sqrt() * gain + bias
        if len(shape) > 2:
            first, second = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
            known["normed along the wrong axis, over the words"] = (x - first) / (second + eps).sqrt() * gain + bias
        for mistake, wrong in known.items():
            if not torch.allclose(wrong, expected, atol=1e-4):
                assert not torch.allclose(result.double(), wrong, atol=1e-6), f"{call}: {mistake}"
        assert torch.allclose(result.double(), expected, atol=1e-4), f"{call}: expected\n{expected}\ngot\n{result}"

    check((3, 4), 1e-5, 0)
    check((2, 3, 5), 0.1, 1)
    ### BEGIN HIDDEN TESTS
    check((6,), 0.1, 2)
    check((2, 2, 3, 8), 1e-5, 3)
    check((4, 2), 3.0, 4)
    flat = layer_norm(torch.full((2, 3), 7.0), torch.ones(3), torch.zeros(3), 1e-5)
    assert torch.equal(flat, torch.zeros(2, 3)), "three equal numbers have variance 0: expected zeros, thanks to eps"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_layer_norm()


# %% [markdown]
# ## `Case2`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# Case 2 of the notes is case 1 with a layer norm, and the place matters: it stands **after** the average, before the
# linear layer. `Case2(vocab_size, hidden_dim, num_labels)` has the parts `embedding`, `attention` (the given `Attention`),
# `norm` (an `nn.LayerNorm(hidden_dim)`) and `classifier`.
#
# Called with `ids (B, T)` it returns the weights `(B, T, T)` and the logits `(B, C)`. No mask here, as in the notes.
#
# By hand: if the average is `[1, 3]`, the fresh norm makes `[-1, 1]` of it (nearly: its eps is 1e-5).
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many vectors does the norm see for each review: `T`, or one?
#
# <details><summary>Hint 2: the approach</summary>
#
# Embedding, attention, mean over the words, norm, classifier.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `self.classifier(self.norm(h.mean(dim=1)))`
#
# </details></details></details>


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
def test_Case2():  # noqa: N802
    """The norm stands after the average."""

    def check(V, D, C, B, T, seed):
        made = torch.Generator().manual_seed(seed)
        ids = torch.randint(0, V, (B, T), generator=made)
        model = Case2(V, D, C)
        state = {name: value.detach() for name, value in model.state_dict().items()}
        attention = Attention(D)
        parts = [f"{part}.{kind}" for part in ("norm", "classifier") for kind in ("weight", "bias")]
        names = sorted(["embedding.weight", *parts, *(f"attention.{n}" for n in attention.state_dict())])
        assert sorted(state) == names, f"expected the weights {names}, got {sorted(state)}"
        attention.load_state_dict({n: state[f"attention.{n}"] for n in attention.state_dict()})

        def classify(h):
            return h @ state["classifier.weight"].T + state["classifier.bias"]

        def norm(h):
            return torch.nn.functional.layer_norm(h, (D,), state["norm.weight"], state["norm.bias"])

        with torch.no_grad():
            x = state["embedding.weight"][ids]
            h, expected_weights = attention(x)
            before, _ = attention(norm(x))
        expected = classify(norm(h.mean(1)))
        call = f"ids {(B, T)}"
        answer = model(ids)
        assert isinstance(answer, tuple) and len(answer) == 2, f"{call}: expected a pair (weights, logits)"
        weights, logits = (part.detach() for part in answer)
        order = ": weights first, then logits" if tuple(weights.shape) == (B, C) else ""
        assert tuple(logits.shape) == (B, C), f"{call}: expected logits {(B, C)}, got {tuple(logits.shape)}{order}"
        known = {
            "the norm was not used: that is case 1": classify(h.mean(1)),
            "the norm stands before the average: expected it after": classify(norm(h).mean(1)),
            "the norm stands before the attention: expected it after the average": classify(before.mean(1)),
            "the average was added to its norm: case 2 has no residual": classify(h.mean(1) + norm(h.mean(1))),
            "x was added to the attention's output: case 2 has no residual": classify(norm((h + x).mean(1))),
            "a residual and the norm before the average: that is a block, not case 2": classify(norm(h + x).mean(1)),
            "the logits went through a softmax: the loss does that itself": expected.softmax(-1),
        }
        for mistake, wrong in known.items():
            if not torch.allclose(wrong, expected, atol=1e-3):
                assert not torch.allclose(logits, wrong, atol=1e-5), f"{call}: {mistake}"
        assert torch.allclose(logits, expected, atol=1e-4), (
            f"{call}: expected the logits {expected[0].tolist()} of the first review, got {logits[0].tolist()}"
        )
        assert torch.allclose(weights, expected_weights, atol=1e-5), f"{call}: these are not the attention's weights"

    check(12, 4, 2, 2, 5, 0)
    ### BEGIN HIDDEN TESTS
    check(20, 8, 3, 4, 6, 1)
    check(5, 6, 2, 1, 2, 2)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_Case2()


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
# on its result, the half with `norm2` and `feed_forward`.
#
# By hand, with numbers for tensors: `x = 1`, both norms halve, `attend` adds 3, `feed_forward` multiplies by 10. The first
# half is 1 + (0.5 + 3) = 4.5, the second 4.5 + 10 · 2.25 = 27.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Draw one line that runs through the block untouched, and hang the work beside it.
#
# <details><summary>Hint 2: the approach</summary>
#
# Each half is: old value plus work(norm(old value)).
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `x = x + attend(norm1(x))`, then the same with the other two.
#
# </details></details></details>


# %% nbgrader={"grade_id": "pre_norm_block", "solution": true}
def pre_norm_block(x: Tensor, attend, feed_forward, norm1, norm2) -> Tensor:
    """A block that norms what goes into its work. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = x + attend(norm1(x))
    return x + feed_forward(norm2(x))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_pre_norm_block", "grade": true, "points": 2}
def test_pre_norm_block():
    """As nn.TransformerEncoderLayer with norm_first=True has it."""

    def check(B, T, D, seed):
        torch.manual_seed(seed)
        layer = nn.TransformerEncoderLayer(D, 2, 3 * D, dropout=0.0, batch_first=True, norm_first=True).double().eval()
        x = torch.randn(B, T, D, dtype=torch.float64) * 2 + 0.5
        with torch.no_grad():
            for n in (layer.norm1, layer.norm2):
                n.weight.copy_(torch.rand(D) + 0.5)
                n.bias.copy_(torch.randn(D))

        def attend(h):
            with torch.no_grad():
                return layer.self_attn(h, h, h, need_weights=False)[0]

        def feed_forward(h):
            with torch.no_grad():
                return layer.linear2(torch.relu(layer.linear1(h)))

        def norm1(h):
            with torch.no_grad():
                return layer.norm1(h)

        def norm2(h):
            with torch.no_grad():
                return layer.norm2(h)

        a, f, n1, n2 = attend, feed_forward, norm1, norm2
        with torch.no_grad():
            expected = layer(x)
        result = pre_norm_block(x, a, f, n1, n2)
        call = f"x {(B, T, D)}"
        assert tuple(result.shape) == (B, T, D), f"{call}: expected shape {(B, T, D)}, got {tuple(result.shape)}"
        first, lost = x + a(n1(x)), a(n1(x))
        same, swapped = first + f(n1(first)), x + f(n2(x))
        post = n1(x + a(x))
        known = {
            "both residuals are lost: nothing of x is added": f(n2(lost)),
            "the residual round the attention is lost": lost + f(n2(lost)),
            "the residual round the feed-forward is lost": f(n2(first)),
            "the norm of x was added, not x itself": n1(x) + a(n1(x)) + f(n2(n1(x) + a(n1(x)))),
            "the norm of x was added in both halves, not x itself": n2(n1(x) + lost) + f(n2(n1(x) + lost)),
            "the norm is of the sum: that is a post-norm block": n2(post + f(post)),
            "norm1 was used twice": same,
            "the two norms are swapped": (x + a(n2(x))) + f(n1(x + a(n2(x)))),
            "the feed-forward came first": swapped + a(n1(swapped)),
            "the second half adds the first x, not the result of the first half": x + f(n2(first)),
            "both halves work on x side by side: the second works on the result of the first": first + f(n2(x)),
            "the second norm is missing": first + f(first),
            "there are no norms": (x + a(x)) + f(x + a(x)),
            "the norm stands after the work: expected it before": (x + n1(a(x))) + n2(f(x + n1(a(x)))),
        }
        for mistake, wrong in known.items():
            assert not torch.allclose(result, wrong, atol=1e-6), f"{call}: {mistake}"
        assert torch.allclose(result, expected, atol=1e-6), f"{call}: expected\n{expected}\ngot\n{result}"

    check(1, 3, 4, 0)
    ### BEGIN HIDDEN TESTS
    check(2, 5, 8, 1)
    one = pre_norm_block(torch.ones(1, 1, 1), lambda h: h + 3, lambda h: h * 10, lambda h: h / 2, lambda h: h / 2)
    assert one.item() == 27, f"the example by hand: expected 27, got {one.item()}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_pre_norm_block()


# %% [markdown]
# ## `post_norm_block`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# The first Transformer had its norms elsewhere (后置归一化 post-norm): each half adds its work to its input, and then norms
# the **sum**. `post_norm_block(x, attend, feed_forward, norm1, norm2)` takes and returns what `pre_norm_block` does.
#
# By hand, with the numbers from before: the first half is (1 + (1 + 3)) / 2 = 2.5, the second (2.5 + 10 · 2.5) / 2 = 13.75.
#
# <details><summary>Hint 1: a nudge</summary>
#
# After each half, everything has passed through a norm, the residual too.
#
# <details><summary>Hint 2: the approach</summary>
#
# Each half is: norm(old value plus work(old value)).
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `x = norm1(x + attend(x))`, then the same with the other two.
#
# </details></details></details>


# %% nbgrader={"grade_id": "post_norm_block", "solution": true}
def post_norm_block(x: Tensor, attend, feed_forward, norm1, norm2) -> Tensor:
    """A block that norms the sum of its input and its work. (B, T, D) -> (B, T, D)."""
    ### BEGIN SOLUTION
    x = norm1(x + attend(x))
    return norm2(x + feed_forward(x))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_post_norm_block", "grade": true, "points": 1}
def test_post_norm_block():
    """As nn.TransformerEncoderLayer with norm_first=False has it."""

    def check(B, T, D, seed):
        torch.manual_seed(seed)
        layer = nn.TransformerEncoderLayer(D, 2, 3 * D, dropout=0.0, batch_first=True).double().eval()
        x = torch.randn(B, T, D, dtype=torch.float64) * 2 + 0.5
        with torch.no_grad():
            for n in (layer.norm1, layer.norm2):
                n.weight.copy_(torch.rand(D) + 0.5)
                n.bias.copy_(torch.randn(D))

        def attend(h):
            with torch.no_grad():
                return layer.self_attn(h, h, h, need_weights=False)[0]

        def feed_forward(h):
            with torch.no_grad():
                return layer.linear2(torch.relu(layer.linear1(h)))

        def norm1(h):
            with torch.no_grad():
                return layer.norm1(h)

        def norm2(h):
            with torch.no_grad():
                return layer.norm2(h)

        a, f, n1, n2 = attend, feed_forward, norm1, norm2
        with torch.no_grad():
            expected = layer(x)
        result = post_norm_block(x, a, f, n1, n2)
        call = f"x {(B, T, D)}"
        assert tuple(result.shape) == (B, T, D), f"{call}: expected shape {(B, T, D)}, got {tuple(result.shape)}"
        first, pre = n1(x + a(x)), x + a(n1(x))
        beside = x + n1(a(x))
        known = {
            "the norm is of the work's input: that is a pre-norm block": pre + f(n2(pre)),
            "the norm is of the work alone: expected it of the sum": beside + n2(f(beside)),
            "both residuals are lost: nothing of x is added": n2(f(n1(a(x)))),
            "the residual round the attention is lost": n2(n1(a(x)) + f(n1(a(x)))),
            "the residual round the feed-forward is lost": n2(f(first)),
            "norm1 was used twice": n1(first + f(first)),
            "the two norms are swapped": n1(n2(x + a(x)) + f(n2(x + a(x)))),
            "the second half adds the first x, not the result of the first half": n2(x + f(first)),
            "the second norm is missing": first + f(first),
            "the first norm is missing": n2(x + a(x) + f(x + a(x))),
            "the feed-forward came first": n2(n1(x + f(x)) + a(n1(x + f(x)))),
        }
        for mistake, wrong in known.items():
            assert not torch.allclose(result, wrong, atol=1e-6), f"{call}: {mistake}"
        assert torch.allclose(result, expected, atol=1e-6), f"{call}: expected\n{expected}\ngot\n{result}"

    check(1, 3, 4, 0)
    ### BEGIN HIDDEN TESTS
    check(2, 5, 8, 1)
    one = post_norm_block(torch.ones(1, 1, 1), lambda h: h + 3, lambda h: h * 10, lambda h: h / 2, lambda h: h / 2)
    assert one.item() == 13.75, f"the example by hand: expected 13.75, got {one.item()}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_post_norm_block()


# %% [markdown]
# ## `cross_entropy`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# The cross-entropy (交叉熵) is the mean of −ln p over the batch, where p is the probability that the model gives to the
# true label: the softmax of the logits, at that label.
#
# `cross_entropy(logits, y)` takes logits `(B, C)`, any finite numbers, and labels `y (B,)`, whole numbers from 0 to C − 1.
# It returns a tensor of shape `()`, through which gradients flow. Write it without PyTorch's own loss. It must stay finite
# when the logits are in the thousands.
#
# By hand: logits `[0, 0]` give each label 1/2, so the loss is ln 2 ≈ 0.693, whatever the label. Logits `[0, 1000]` with
# label 0 give a loss of 1000.
#
# <details><summary>Hint 1: a nudge</summary>
#
# ln(softmax) written out is the logit minus the logarithm of a sum of exponentials.
#
# <details><summary>Hint 2: the approach</summary>
#
# `torch.logsumexp` takes the largest number out before the exponentials, and so does not overflow. Fetch each row's logit
# of the true label.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `logits[torch.arange(len(y)), y]` is one number a row. The loss of a row is its log-sum-exp minus that.
#
# </details></details></details>


# %% nbgrader={"grade_id": "cross_entropy", "solution": true}
def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean of -ln softmax(logits) at the true labels. (B, C), (B,) -> ()."""
    ### BEGIN SOLUTION
    true = logits[torch.arange(len(y)), y]  # (B,)
    return (torch.logsumexp(logits, dim=-1) - true).mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_cross_entropy", "grade": true, "points": 2}
def test_cross_entropy():
    """As torch has it, for logits of any size, and with its gradient."""

    def check(B, C, scale, seed):
        made = torch.Generator().manual_seed(seed)
        logits = torch.randn(B, C, generator=made, dtype=torch.float64) * scale
        y = logits.argmin(1) if scale > 100 else torch.randint(0, C, (B,), generator=made)
        call = f"{B} rows of {C} logits, about {scale:g} in size"
        result = cross_entropy(logits, y)
        assert isinstance(result, torch.Tensor), f"{call}: expected a tensor, got {type(result).__name__}"
        assert tuple(result.shape) == (), f"{call}: expected one number, shape (), got {tuple(result.shape)}: the mean?"
        result = result.detach().double()
        loss = torch.nn.functional.cross_entropy
        expected, each = loss(logits, y), loss(logits, y, reduction="none")
        p = logits.softmax(-1).gather(1, y[:, None])[:, 0]
        over_batch = -logits.log_softmax(0).gather(1, y[:, None]).mean()
        known = {
            "the sum over the batch: expected the mean": each.sum(),
            "softmax twice: the logits are scores, take the softmax once": loss(logits.softmax(-1), y),
            "the sign is wrong: the mean of -ln p": -expected,
            "divided by B times C: the mean is over the rows": each.sum() / (B * C),
            "the softmax runs over the batch, not over the labels": over_batch,
            "the logarithm of the mean: expected the mean of the logarithms": -p.mean().log(),
            "the logarithm is missing: that is the mean of -p": -p.mean(),
            "the logarithm is to the base 2: expected the natural one": expected / math.log(2),
        }
        assert result.isfinite(), (
            f"{call}: overflow, got {result.item()}: exponentials of large numbers, or the logarithm of 0; use logsumexp"
        )
        for mistake, wrong in known.items():
            if not torch.allclose(wrong, expected, rtol=1e-3, atol=1e-3):
                assert not torch.allclose(result, wrong, rtol=1e-6, atol=1e-8), f"{call}: {mistake}"
        assert torch.allclose(result, expected, rtol=1e-5, atol=1e-7), (
            f"{call}: expected {expected.item():.6f}, got {result.item():.6f}: "
            "very small probabilities must not be cut off or raised"
        )

    check(3, 2, 1.0, 0)
    check(4, 3, 1000.0, 1)
    ### BEGIN HIDDEN TESTS
    check(1, 5, 2.0, 2)
    check(8, 2, 30.0, 3)
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.5, 0.5]], requires_grad=True)
    y = torch.tensor([1, 1, 0])
    cross_entropy(logits, y).backward()
    expected = (logits.detach().softmax(-1) - torch.eye(2)[y]) / 3
    assert logits.grad is not None, "no gradient flows to the logits"
    assert torch.allclose(logits.grad, expected, atol=1e-6), "the gradient is not (softmax - one-hot) / B"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_cross_entropy()


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
# - puts the model into training mode (训练模式), where dropout works;
# - clears the gradients (梯度清零) that an earlier step left;
# - computes the loss, `nn.functional.cross_entropy` of the logits and `y`;
# - computes the gradients (反向传播 backpropagation);
# - lets the optimiser take its step.
#
# It returns the loss of this batch from before the step, as a Python float.
#
# By hand: one weight w = 1, loss w², learning rate 0.1. The gradient is 2, so the step leads to 0.8, and 1.0 is returned.
# If the next step does not clear the 2, it walks along 2 + 1.6 = 3.6 in place of 1.6.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `backward()` *adds* to the gradients that are there. Who takes away the old ones, and when?
#
# <details><summary>Hint 2: the approach</summary>
#
# Clear, forward, loss, backward, step. The mode is set before the forward pass.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `model.train()`, `optimiser.zero_grad()`, …, `loss.backward()`, `optimiser.step()`, `return loss.item()`.
#
# </details></details></details>


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
def test_train_step():
    """Two steps lead where two steps should, in training mode."""

    def batch(B, T, V, seed):
        made = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, T + 1, (B, 1), generator=made)
        mask = torch.arange(T) < lengths
        return torch.randint(2, V, (B, T), generator=made) * mask, mask, torch.randint(0, 2, (B,), generator=made)

    def by_hand(model, steps, lr, keep=False, twice=False, total=False, only_first=False):
        """Where plain gradient descent leads, with the given mistake."""
        model = copy.deepcopy(model)
        weights, old = list(model.parameters()), None
        losses = []
        for ids, mask, y in steps:
            logits = model(ids, mask)[1]
            logits = logits.softmax(-1) if twice else logits
            loss = nn.functional.cross_entropy(logits, y, reduction="sum" if total else "mean")
            found = torch.autograd.grad(loss, weights)
            old = [a + b for a, b in zip(found, old)] if keep and old else found
            with torch.no_grad():
                for weight, slope in zip(weights, old):
                    weight -= lr * slope
            losses.append(loss.item())
        return losses, torch.cat([w.detach().flatten() for w in weights])

    def check(B, T, V, D, seed):
        torch.manual_seed(seed)
        model, lr, steps = Bag(V, D, 2), 0.7, [batch(B, T, V, seed), batch(B, T, V, seed + 50)]
        start = copy.deepcopy(model)
        first = torch.cat([w.detach().flatten() for w in start.parameters()])
        optimiser = torch.optim.SGD(model.parameters(), lr=lr)
        model.eval()
        returned = []
        for number, (ids, mask, y) in enumerate(steps, start=1):
            returned.append(train_step(model, optimiser, ids, mask, y))
            here = torch.cat([w.detach().flatten() for w in model.parameters()])
            if number == 1:
                still = torch.equal(here, first)
                assert not still, (
                    "the first step changed no weight: was the loss backpropagated, and were the gradients "
                    "still there when the optimiser took its step?"
                )
                _, one = by_hand(start, steps[:1], lr)
                _, up = by_hand(start, steps[:1], -lr)
                _, double = by_hand(start, steps[:1], lr, twice=True)
                _, added = by_hand(start, steps[:1], lr, total=True)
                assert not torch.allclose(here, up, atol=1e-5), "the weights went uphill: the loss has the wrong sign"
                assert not torch.allclose(here, double, atol=1e-6), (
                    "softmax before the loss: it has its own, give it logits"
                )
                assert not torch.allclose(here, added, atol=1e-5), "the loss is a sum over the batch: expected the mean"
                twofold = first + 2 * (one - first)
                assert not torch.allclose(here, twofold, atol=1e-5), (
                    "one call took two steps, or counted gradients twice"
                )
                assert torch.allclose(here, one, atol=1e-5), (
                    "after the first step the weights are not where they should be"
                )
        losses, expected = by_hand(start, steps, lr)
        _, kept = by_hand(start, steps, lr, keep=True)
        assert not torch.allclose(here, kept, atol=1e-5), (
            "the second step used the first one's gradients too: call optimiser.zero_grad() before backward()"
        )
        assert not torch.allclose(here, one, atol=1e-7), (
            "the second step changed no weight: gradients cleared too late?"
        )
        assert torch.allclose(here, expected, atol=1e-5), "after two steps the weights are not where they should be"
        assert model.training, (
            "the model came in eval mode and was left in it: call model.train() before the forward pass"
        )
        for loss in returned:
            assert isinstance(loss, float), (
                f"expected the loss as a Python float, got {type(loss).__name__}: loss.item()"
            )
        with torch.no_grad():
            after = nn.functional.cross_entropy(model(*steps[-1][:2])[1], steps[-1][2]).item()
        assert abs(returned[-1] - after) > 1e-6, "this is the loss after the step: expected the one from before it"
        assert all(abs(a - b) < 1e-5 for a, b in zip(returned, losses)), f"expected the losses {losses}, got {returned}"

        torch.manual_seed(seed)
        model = Bag(V, D, 2, dropout=0.9)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.0)
        model.eval()
        ids, mask, y = steps[0]
        with torch.no_grad():
            calm = nn.functional.cross_entropy(model(ids, mask)[1], y).item()
        loss = train_step(model, optimiser, ids, mask, y)
        assert abs(loss - calm) > 1e-6, "dropout did not work: call model.train() before the forward pass, not after it"

    check(4, 5, 12, 3, 0)
    ### BEGIN HIDDEN TESTS
    check(8, 7, 30, 6, 1)
    torch.manual_seed(5)
    model = Bag(40, 16, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    ids, mask, _ = batch(8, 6, 40, 7)
    y = torch.tensor([0, 1] * 4)
    for _ in range(8):
        train_step(model, optimiser, ids, mask, y)
    hits = (model.eval()(ids, mask)[1].argmax(-1) == y).sum().item()
    assert hits == 8, f"eight reviews, 8 steps of Adam: expected all 8 learnt by heart, got {hits}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_train_step()


# %% [markdown]
# ## `fit`
# *difficulty ●●● · importance ●●● · 20 min*
#
# Training for too long learns the training reviews by heart (过拟合 overfitting). Early stopping (早停) watches a validation
# part (验证集) that is not trained on, and keeps the weights of the best epoch.
#
# `fit(model, train_epoch, validate, epochs, patience)`: `train_epoch(model)` trains for one epoch; `validate(model)` returns
# the validation loss, a float. The model has the methods `train()`, `eval()`, `state_dict()` and
# `load_state_dict(state)`, as every `nn.Module` has. In each of at most `epochs` epochs (at least 1):
#
# 1. `model.train()`, then `train_epoch(model)`;
# 2. `model.eval()`, then `validate(model)`;
# 3. if this loss is **less** than every one before, keep a copy of the weights: `copy.deepcopy(model.state_dict())`.
#    `state_dict()` alone is a view that goes on changing.
# 4. stop if the last `patience` (1 or more) epochs were all without a new best loss.
#
# At the end put the best weights back, also when all epochs were run. Return the list of validation losses, one for each
# epoch that was run.
#
# By hand: with losses 5, 3, 4, 3, 2 and `patience=2`, the best is 3. The epochs with 4 and the second 3 are two in a row
# without a new best, so it stops there, with the weights of the second epoch, and returns `[5, 3, 4, 3]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What do you need to remember from epoch to epoch? Three things: the best loss, its weights, and how long ago it was.
#
# <details><summary>Hint 2: the approach</summary>
#
# A counter that is 0 after a new best and grows by 1 otherwise. Stop when it has reached `patience`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `if loss < best: best, kept, waited = loss, copy.deepcopy(model.state_dict()), 0`, else `waited += 1` and
# `if waited == patience: break`. After the loop, `model.load_state_dict(kept)`.
#
# </details></details></details>


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
def test_fit():
    """A model made of cardboard counts what is done to it."""

    class Cardboard:
        """Its weight is the number of epochs that it was trained for."""

        def __init__(self, losses):
            self.plan, self.weight, self.training, self.modes = losses, [0], False, []

        def train(self, mode=True):
            self.training = mode
            return self

        def eval(self):
            self.training = False
            return self

        def state_dict(self):
            return {"weight": self.weight}  # not a copy, as in a real model

        def load_state_dict(self, state):
            self.weight = list(state["weight"])

    def check(plan, epochs, patience):
        model = Cardboard(plan)
        trained, validated = [], []

        def train_epoch(passed):
            trained.append(model.training)
            model.weight[0] += 1

        def validate(passed):
            validated.append(model.training)
            return float(plan[len(validated) - 1]) if len(validated) <= len(plan) else 99.0

        expected, best, waited = [], None, 0
        for number in range(epochs):
            expected.append(float(plan[number]))
            if best is None or plan[number] < plan[best]:
                best, waited = number, 0
            else:
                waited += 1
            if waited == patience:
                break
        call = f"losses {plan}, epochs {epochs}, patience {patience}"
        result = fit(model, train_epoch, validate, epochs, patience)
        assert len(trained) >= 1, f"{call}: train_epoch was never called"
        assert all(trained), (
            f"{call}: train_epoch was called in eval mode: call model.train() in every epoch, before it"
        )
        assert not any(validated), f"{call}: validate was called in training mode: call model.eval() before it"
        n, done = len(expected), len(validated)
        if done != n:
            why = {
                n + 1: ": patience off by one, it waited one epoch too long",
                n - 1: ": patience off by one, it stopped one epoch too soon",
            }.get(done, "")
            total = sum(plan[i] >= min(plan[:i]) for i in range(1, min(done, len(plan))))
            if done < n and total == patience:
                why = ": counted all epochs without a new best, expected those in a row: the counter starts anew"
            elif done == epochs:
                why = ": it never stopped early"
            raise AssertionError(f"{call}: expected {n} epochs, got {done}{why}")
        assert len(trained) == done, f"{call}: {len(trained)} times trained and {done} times validated"
        weight = model.weight[0]
        ties = [i + 1 for i in range(n) if plan[i] == plan[best]]
        why = f"expected the weights of epoch {best + 1}, got those of epoch {weight}"
        assert weight == best + 1 or weight not in ties, f"{call}: {why}: an equal loss is no new best"
        last = ": the best weights were not put back (or not copied when they were kept)"
        assert weight == best + 1, f"{call}: {why}{last if weight == n else ''}"
        assert isinstance(result, list), f"{call}: expected the list of losses, got {type(result).__name__}"
        assert [float(loss) for loss in result] == expected, f"{call}: expected to get back {expected}, got {result}"

    check([3, 1, 2, 3, 4, 5, 6], 7, 2)
    check([5, 3, 4, 3, 2], 5, 2)
    check([4, 3, 2, 5], 4, 3)
    check([3, 4, 2, 3, 1, 2, 3, 4], 8, 2)
    check([2, 3, 1], 3, 1)
    ### BEGIN HIDDEN TESTS
    check([1], 1, 1)
    check([5, 4, 3, 2], 4, 1)
    check([1, 2, 3, 4, 5, 0], 6, 4)
    check([2, 2, 2, 2], 4, 3)
    check([9, 8, 9, 7, 9, 6, 9, 9, 5], 9, 2)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_fit()
