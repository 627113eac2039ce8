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
# # What a training run is made of
#
# A training run (训练) repeats one step: take a batch (批次) of text, measure how wrong the model is (损失 loss), find
# out in which direction each weight should move (梯度 gradient), and move it a little. A schedule says how much is a
# little. At the end the weights are written to a file. This notebook builds each of these pieces in NumPy; autograd is
# the only part that the page leaves to PyTorch.
#
# **When you are done you can** cut batches out of a text without missing its ends, compute the loss of a language model
# and its gradient, take AdamW's step as PyTorch takes it, shape a learning rate, and write a checkpoint byte by byte.
#
# **You need** NumPy: axes, indexing with arrays, broadcasting. The last exercise also wants the idea of a LLaMA's weights
# from chapter 4. Plan about two hours and a half.
#
# **Shapes.** `B` batch, `T` time, `V` vocabulary, `D` width, `H` query heads, `K` key/value heads, `d = D / H` head size,
# `F` hidden width of the feed-forward part, `L` layers.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
from dataclasses import dataclass

import numpy as np


# %% [markdown]
# ## `get_batch`
# *difficulty ●○○ · importance ●●● · 15 min*
#
# The whole text is one long row of ids. An example is a window (窗口) of it: `x` holds `context` ids in a row, and `y`
# holds, for each of them, **the id that follows it in the text**. So one window trains `context` predictions at once.
#
# `get_batch(ids, context, batch, rng)` draws `batch` windows and returns `(x, y)`, two arrays of shape `(batch, context)`
# and dtype `int64`.
#
# - Each window begins at a place of its own, drawn with `rng`, a NumPy `Generator`. Every place that leaves room for the
#   window **and for the id after it** is equally likely. The same place may come twice.
# - `ids` is a one-dimensional array of integers of any type, at least `context + 1` long.
#
# By hand: `ids = [5, 8, 2, 9, 4]` and `context = 3`. A window may begin at 0 or at 1, and nowhere else:
#
# | begins at | x | y |
# |---|---|---|
# | 0 | 5 8 2 | 8 2 9 |
# | 1 | 8 2 9 | 2 9 4 |
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many places are there for `context + 1` ids in a row among `len(ids)`? Try it with the five above.
#
# <details><summary>Hint 2: the approach</summary>
#
# Draw the starts, `batch` of them. Add `0, 1, …, context` to each by broadcasting: that is a table of places. Index `ids`
# with it, and cut the result into `x` and `y`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `starts[:, None] + np.arange(context + 1)` has shape `(batch, context + 1)`. The upper end of `rng.integers` is not drawn.
#
# </details></details></details>


# %% nbgrader={"grade_id": "get_batch", "solution": true}
def get_batch(ids: np.ndarray, context: int, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random windows of the text, and the ids that follow each of their ids. Both (batch, context), int64."""
    ### BEGIN SOLUTION
    starts = rng.integers(0, len(ids) - context, batch)  # (B,)
    places = starts[:, None] + np.arange(context + 1)  # (B, T + 1)
    windows = ids[places].astype(np.int64)  # (B, T + 1)
    return windows[:, :-1], windows[:, 1:]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_get_batch", "grade": true, "points": 2}
def test_get_batch():
    """Windows of the text, their followers, every place equally likely, drawn with rng."""

    def draw(ids, context, batch, rng):
        call = f"get_batch of {len(ids)} ids ({ids.dtype}), context={context}, batch={batch}"
        try:
            x, y = get_batch(ids.copy(), context, batch, rng)
        except (IndexError, ValueError) as error:
            raise AssertionError(
                f"{call}: failed with {error}: a window may begin at 0, 1, …, {len(ids) - context - 1} and nowhere else, "
                "and the same place may come twice"
            ) from None
        x, y = np.asarray(x), np.asarray(y)
        for name, part in (("x", x), ("y", y)):
            assert part.shape == (batch, context), (
                f"{call}: expected {name} of shape {(batch, context)}, got {part.shape}"
            )
            assert part.dtype == np.int64, f"{call}: expected {name} of dtype int64, got {part.dtype}"
        # the ids are all different, so that each says where it stands
        place = {int(id): at for at, id in enumerate(ids)}
        starts = [place.get(int(row[0]), -1) for row in x]
        windows = np.array(starts)[:, None] + np.arange(context)  # (batch, context)
        if windows.min() >= 0 and windows.max() + 1 < len(ids):
            if np.array_equal(x, ids[windows]) and np.array_equal(y, ids[windows + 1]):
                return starts
        for at, row, following in zip(starts, x, y):
            assert np.array_equal(row, ids[at : at + context]), (
                f"{call}: {row.tolist()} is no window of the text {ids.tolist()}"
            )
            assert not np.array_equal(following, row), (
                f"{call}: y is equal to x: y holds the id that follows each id of x"
            )
            if at:
                assert not np.array_equal(following, ids[at - 1 : at + context - 1]), (
                    f"{call}: y holds the id before each id of x: it must hold the one after it"
                )
            assert np.array_equal(following, ids[at + 1 : at + context + 1]), (
                f"{call}: x = {row.tolist()} stands in {ids.tolist()}; "
                f"expected y = {ids[at + 1 : at + context + 1].tolist()}, got {following.tolist()}"
            )
        return starts

    def check(length, context, seed, dtype):
        ids = np.random.default_rng(seed).permutation(200)[:length].astype(dtype)
        rng = np.random.default_rng(seed)
        starts = draw(ids, context, 64, rng)
        places = length - context
        if places > 20:
            assert len(set(starts)) > 1, "all windows of a batch begin at the same place: draw a start for each"
            assert context == 1 or len({start % context for start in starts}) > 1, (
                "the windows begin at multiples of the context only: every place is equally likely"
            )
            assert places > 100 or len(set(starts)) < 64, (
                f"64 windows out of {places} places, and none came twice: each is drawn on its own"
            )
            again = draw(ids, context, 64, rng)
            assert again != starts, "a second call with the same generator gave the same batch: draw with rng itself"
            same = draw(ids, context, 64, np.random.default_rng(seed))
            assert same == starts, (
                "two generators with the same seed gave different batches: draw with rng, and nothing else"
            )
        else:
            starts += draw(ids, context, 4000, rng)
            counts = np.bincount(starts, minlength=places)
            assert counts[-1], (
                f"{length} ids, context {context}: no window begins at {places - 1}, so the last id is never predicted"
            )
            assert counts[0], f"{length} ids, context {context}: no window begins at 0"
            expected = len(starts) / places
            assert np.abs(counts - expected).max() < 6 * expected**0.5, (
                f"{length} ids, context {context}: the windows began at 0, 1, … {counts.tolist()} times: expected about "
                f"{expected:.0f} each"
            )

    check(100, 8, 2, np.uint16)
    check(5, 3, 0, np.int64)
    check(4, 3, 1, np.int64)
    ### BEGIN HIDDEN TESTS
    check(2, 1, 3, np.uint8)
    check(12, 4, 4, np.uint16)
    check(90, 5, 5, np.int32)
    check(150, 64, 6, np.int64)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_get_batch()


# %% [markdown]
# ## `lm_loss`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The model gives for each place a row of logits (对数几率), one for each token of the vocabulary. Softmax turns them into
# probabilities. The loss of a place is the cross-entropy (交叉熵): minus the natural logarithm of the probability that the
# model gave to the token that really came. The loss of a batch is the mean over its places.
#
# `lm_loss(logits, targets)` takes `logits` of shape `(B, T, V)` and `targets` of shape `(B, T)`, already shifted: the
# logits at `[b, t]` are there to predict the token `targets[b, t]`. It returns one number, in nats (奈特).
#
# - A target of `-1` marks a place that does not count, such as padding. The mean is over the places that count, all taken
#   together. At least one counts.
# - Logits may be as large as ±10 000: no overflow, no infinity.
#
# By hand: `V = 2`, logits (0, 0) with target 1, and logits (ln 3, 0) with target 0. The probabilities of the targets are 1/2
# and 3/4, their losses ln 2 = 0.693 and ln 4/3 = 0.288, and the mean is 0.490.
#
# <details><summary>Hint 1: a nudge</summary>
#
# $-\ln\mathrm{softmax}(z)_t = \ln\sum_j e^{z_j} - z_t$. Which number may you subtract from every $z_j$ without changing it?
#
# <details><summary>Hint 2: the approach</summary>
#
# Flatten to rows of logits and one target each. Keep the rows whose target is not −1. Shift each row by its own maximum,
# take the logarithm of the sum of exponentials, subtract the logit of the target, and take the mean.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `rows[np.arange(len(rows)), targets]` picks one logit of each row. With a target of −1 it would pick the last one.
#
# </details></details></details>


# %% nbgrader={"grade_id": "lm_loss", "solution": true}
def lm_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy in nats of logits (B, T, V) at targets (B, T); places with target -1 do not count."""
    ### BEGIN SOLUTION
    counts = targets != -1  # (B, T)
    rows, wanted = logits[counts], targets[counts]  # (n, V), (n,)
    rows = rows - rows.max(axis=-1, keepdims=True)  # nothing above 0
    log_sums = np.log(np.exp(rows).sum(axis=-1))  # (n,)
    return float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_lm_loss", "grade": true, "points": 2}
def test_lm_loss():
    """The mean over the places that count, in nats, without overflow."""

    def check(logits, targets):
        call = f"lm_loss of logits {logits.shape} between {logits.min():g} and {logits.max():g}"
        with np.errstate(all="ignore"):
            got = np.asarray(lm_loss(logits.copy(), targets.copy()))
        assert got.size == 1, f"{call}: expected one number, got shape {got.shape}: take the mean over all places"
        got = float(got.reshape(()))
        top = logits.max(axis=-1, keepdims=True)
        logs = logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))  # (B, T, V)
        each = -np.take_along_axis(logs, targets[..., None], axis=-1)[..., 0]  # (B, T); -1 takes the last one
        counts = targets != -1
        expected = each[counts].mean()

        def same(a, b):
            return np.isclose(a, b, rtol=1e-5, atol=1e-6)

        if same(got, expected):
            return
        assert np.isfinite(got), (
            f"{call}: got {got}, from an overflow or the logarithm of 0: subtract each row's maximum, and never take the "
            "logarithm of a probability that may have become 0"
        )
        p = np.exp(logs)
        twice = -np.take_along_axis(p - np.log(np.exp(p).sum(-1, keepdims=True)), targets[..., None], -1)[..., 0]
        rows = [row[keep].mean() for row, keep in zip(each, counts) if keep.any()]
        known = {
            "places with target -1 were counted: -1 picked the last token of the vocabulary": each.mean(),
            "the losses were divided by all places: divide by the number of places that count": (each * counts).mean(),
            "that is the sum: take the mean over the places that count": each[counts].sum(),
            "that is in bits: use the natural logarithm": expected / np.log(2),
            "the sign is wrong: a probability below 1 has a negative logarithm, and the loss is minus that": -expected,
            "softmax was taken twice: the exercise gets logits, not probabilities": twice[counts].mean(),
            "that is the mean of the rows' means: take all places that count together": np.mean(rows),
            "that is the logarithm of the mean probability: take the logarithms first, then the mean": -np.log(
                np.exp(-each[counts]).mean()
            ),
            "that is the mean probability of the targets: take minus its logarithm": np.exp(-each[counts]).mean(),
            "that is the perplexity: leave out the last exponential": np.exp(min(expected, 700.0)),
            "the targets were shifted once more: they are already the tokens that follow": each[0, 0]
            if counts[:, 1:].sum() == 0
            else -np.take_along_axis(logs[:, :-1], targets[:, 1:, None], axis=-1)[..., 0][counts[:, 1:]].mean(),
            "the loss was divided by the size of the vocabulary too": expected / logits.shape[-1],
        }
        for mistake, wrong in known.items():
            assert same(wrong, expected) or not same(got, wrong), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected {expected:.6f}, got {got:.6f}")

    check(np.log([[[1.0, 1.0], [3.0, 1.0]]]), np.array([[1, 0]]))
    rng = np.random.default_rng(1)
    logits, targets = rng.normal(size=(2, 4, 5)) * 2, rng.integers(0, 5, (2, 4))
    check(logits, targets)
    targets[1, 1:] = -1
    check(logits, targets)
    check(np.array([[[1e4, -1e4, 0.0], [9999.0, 1e4, 0.0]]]), np.array([[1, 1]]))
    ### BEGIN HIDDEN TESTS
    for seed, (B, T, V) in enumerate([(1, 1, 3), (3, 1, 7), (4, 6, 11), (2, 9, 50)]):
        rng = np.random.default_rng(10 + seed)
        targets = rng.integers(0, V, (B, T))
        for size in (1.0, 30.0, 5000.0):
            check(rng.normal(size=(B, T, V)) * size, targets)
        targets[0, 1:] = -1
        check(rng.normal(size=(B, T, V)).astype(np.float32), targets)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_lm_loss()


# %% [markdown]
# ## `loss_gradient`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# Training starts where the loss ends: how does the loss change when one logit is raised a little? For cross-entropy the
# answer is short. At each place that counts, the gradient is **what the model said minus what happened**, that is the
# probabilities minus a 1 at the target, divided by the number $n$ of places that count, since the loss is a mean:
#
# $$\frac{\partial\,\mathrm{loss}}{\partial z_j} = \frac{1}{n}\,(p_j - [j = \mathrm{target}])$$
#
# `loss_gradient(logits, targets)` takes what `lm_loss` takes and returns an array of the shape of the logits. Where the
# target is `-1`, the row is all zeros. (You may use neither your `lm_loss` nor autograd.)
#
# By hand: with the two places of `lm_loss`, the probabilities are (1/2, 1/2) with target 1 and (3/4, 1/4) with target 0. So
# the rows are (1/2, −1/2) / 2 = (0.25, −0.25) and (−1/4, 1/4) / 2 = (−0.125, 0.125). Each row sums to 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which entry of each row differs from a plain softmax?
#
# <details><summary>Hint 2: the approach</summary>
#
# Softmax along the last axis, stable for large logits. Subtract 1 at the targets. Set the rows that do not count to zero.
# Divide by the number of those that do.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `np.eye(V)[targets]` has shape `(B, T, V)` and a 1 at each target (at −1 it marks the last token, which the mask undoes).
# The mask `(targets != -1)[..., None]` has shape `(B, T, 1)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "loss_gradient", "solution": true}
def loss_gradient(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of the mean cross-entropy with respect to the logits. Shape (B, T, V), zero where the target is -1."""
    ### BEGIN SOLUTION
    counts = targets != -1  # (B, T)
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (B, T, V)
    p = exps / exps.sum(axis=-1, keepdims=True)  # (B, T, V)
    happened = np.eye(logits.shape[-1])[targets]  # (B, T, V)
    return (p - happened) * counts[..., None] / counts.sum()  # (B, T, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_loss_gradient", "grade": true, "points": 2}
def test_loss_gradient():
    """What the model said minus what happened, over the number of places that count."""

    def check(logits, targets):
        B, T, V = logits.shape
        call = f"loss_gradient of logits {logits.shape}"
        with np.errstate(all="ignore"):
            got = np.asarray(loss_gradient(logits.copy(), targets.copy()), dtype=float)
        assert got.shape == logits.shape, f"{call}: expected the shape of the logits, got {got.shape}"
        counts, n = (targets != -1)[..., None], int((targets != -1).sum())
        exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p = exps / exps.sum(axis=-1, keepdims=True)
        happened = (np.arange(V) == targets[..., None]) * 1.0
        expected = (p - happened) * counts / n

        def same(a, b):
            return np.allclose(a, b, rtol=1e-4, atol=1e-6)

        if same(got, expected):
            return
        assert np.isfinite(got).all(), (
            f"{call}: got NaN or infinity: subtract each row's maximum before the exponential"
        )
        last = np.eye(V)[targets]
        known = {
            "it is not divided by the number of places that count: the loss is their mean": expected * n,
            "it is divided by all places: divide by the number of those that count": expected * n / (B * T),
            "the sign is wrong: what the model said minus what happened": -expected,
            "those are the probabilities: the 1 at each target is missing": p * counts / n,
            "places with target -1 must have rows of zeros": (p - last) / n,
            "places with target -1 must have rows of zeros, and do not count in the division": (p - last) / (B * T),
            "places with target -1 must have rows of zeros: their probabilities are still there": (p - happened) / n,
            "it is divided by the size of the vocabulary too": expected / V,
            "the logits stand where the probabilities belong: take the softmax": (logits - happened) * counts / n,
            "it is divided by the batch only: every place of every row counts": expected * n / B,
        }
        for mistake, wrong in known.items():
            assert same(wrong, expected) or not same(got, wrong), f"{call}: {mistake}"
        row = tuple(np.argwhere(~np.isclose(got, expected, rtol=1e-4, atol=1e-6).all(axis=-1))[0])
        raise AssertionError(
            f"{call}: at {[int(i) for i in row]}, target {targets[row]}, expected {expected[row].round(5).tolist()}, "
            f"got {got[row].round(5).tolist()}"
        )

    check(np.log([[[1.0, 1.0]], [[3.0, 1.0]]]), np.array([[1], [0]]))
    rng = np.random.default_rng(2)
    logits, targets = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, (2, 3))
    check(logits, targets)
    targets[0, 1:] = -1
    check(logits, targets)
    check(np.array([[[1e4, -1e4, 0.0], [9999.0, 1e4, 0.0]]]), np.array([[1, 1]]))
    ### BEGIN HIDDEN TESTS
    for seed, (B, T, V) in enumerate([(1, 1, 3), (3, 2, 7), (4, 6, 11)]):
        rng = np.random.default_rng(20 + seed)
        targets = rng.integers(0, V, (B, T))
        check(rng.normal(size=(B, T, V)) * 3, targets)
        check(rng.normal(size=(B, T, V)) * 2000, targets)
        targets[-1, :-1] = -1
        check(rng.normal(size=(B, T, V)), targets)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_loss_gradient()


# %% [markdown]
# ## `adamw_step`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# Plain gradient descent (梯度下降) moves each weight by its gradient times a learning rate (学习率). Adam keeps two running
# means for each weight: `m` of its gradients, and `v` of their squares. The step is $m/\sqrt v$: about one learning rate in
# a direction that the gradients agree on, and less where they do not. AdamW adds weight decay (权重衰减): each weight also
# shrinks by a small share of itself, **apart from** the gradient.
#
# `adamw_step(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay)` returns `(w, m, v)` after one step. All arrays have
# the shape of `w`; `step` is **1 for the first step**, whose `m` and `v` arrive as zeros. In this order:
#
# 1. $m \leftarrow \beta_1 m + (1-\beta_1)\,g$ and $v \leftarrow \beta_2 v + (1-\beta_2)\,g^2$: the `m` and `v` to return;
# 2. corrected for their start at zero: $\hat m = m / (1-\beta_1^{\,\mathrm{step}})$ and $\hat v = v / (1-\beta_2^{\,\mathrm{step}})$;
# 3. $w \leftarrow w - \mathrm{lr}\cdot\mathrm{weight\_decay}\cdot w - \mathrm{lr}\cdot\hat m / (\sqrt{\hat v} + \mathrm{eps})$, with the
#    old `w` on the right.
#
# This is what `torch.optim.AdamW` does.
#
# By hand, the first step for `w = 1`, `grad = 2`, `lr = 0.1`, `beta1 = 0.9`, `beta2 = 0.99`, `eps = 0`, `weight_decay = 0.2`:
# `m = 0.2` and `v = 0.04`. Corrected they are 0.2 / 0.1 = 2 and 0.04 / 0.01 = 4. So `w` becomes 1 − 0.1 · 0.2 · 1 − 0.1 · 2 / 2
# = 0.88. With `grad = 2000` it would be 0.88 as well.
#
# <details><summary>Hint 1: a nudge</summary>
#
# After the first step of the example, what is $m/\sqrt v$ without the correction, and what is it with it?
#
# <details><summary>Hint 2: the approach</summary>
#
# Three lines for the three points. Make new arrays; keep the corrected means apart from the ones that you return.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `m_hat = m / (1 - beta1**step)`, and the same for `v_hat`. The square root is of `v_hat`; `eps` is added after it.
#
# </details></details></details>


# %% nbgrader={"grade_id": "adamw_step", "solution": true}
def adamw_step(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights and both running means after one step of AdamW; step is 1 for the first one."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    w = w - lr * weight_decay * w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_adamw_step", "grade": true, "points": 3}
def test_adamw_step():
    """The means, their correction, the decay apart from the gradient, and several steps in a row."""

    def reference(w, grad, m, v, step, lr, beta1, beta2, eps, decay, slip=None):
        old = w
        if slip == "L2":
            grad = grad + decay * w
        if slip == "swapped":
            beta1, beta2 = beta2, beta1
        m = beta1 * m + (grad if slip == "undamped" else (1 - beta1) * grad)
        square = np.abs(grad) if slip == "abs" else grad**2
        v = beta2 * v + (grad**2 if slip == "undamped" else (1 - beta2) * square)
        if slip == "mean squared":
            v = beta2 * (v - (1 - beta2) * square) / beta2 + (1 - beta2) * m**2
        number = {"from 0": step + 1, "late": max(step - 1, 1)}.get(slip, step)
        fix1, fix2 = 1 - beta1**number, 1 - beta2**number
        if slip == "none":
            fix1 = fix2 = 1.0
        if slip == "only m":
            fix2 = 1.0
        if slip == "only v":
            fix1 = 1.0
        if slip == "linear":
            fix1, fix2 = 1 - beta1 * step, 1 - beta2 * step
        m_hat, v_hat = m / fix1, v / fix2
        root = {
            "eps inside": np.sqrt(v_hat + eps),
            "no root": v_hat + eps,
            "eps first": (np.sqrt(v) + eps) / np.sqrt(fix2),
        }.get(slip, np.sqrt(v_hat) + eps)
        shrink = {"L2": 0.0, "no lr": decay * old, "no decay": 0.0}.get(slip, lr * decay * old)
        moved = lr * m_hat / root
        w = old - shrink - moved
        if slip == "after":
            w = (old - moved) * (1 - lr * decay)
        if slip == "up":
            w = old - shrink + moved
        if slip == "grad":
            w = old - shrink - lr * grad / root
        if slip == "signed decay":
            w = old + shrink - moved
        if slip == "keeps corrected":
            m, v = m_hat, v_hat
        return w, m, v

    slips = {
        "none": "the means are not corrected for their start at zero",
        "only m": "v is not corrected for its start at zero",
        "only v": "m is not corrected for its start at zero",
        "from 0": "the correction counts one step too many: step is 1 for the first one already",
        "late": "the correction counts one step too few: step is 1 for the first one already",
        "linear": "the correction needs beta to the power of step, not beta times step",
        "L2": "the decay went through the gradient and its means: that is Adam with an L2 term, not AdamW",
        "no decay": "the weight decay is missing",
        "no lr": "the weight decay is not multiplied by the learning rate",
        "after": "the decay was taken of the new weights: the old w stands on the right",
        "signed decay": "the decay has the wrong sign: the weights must shrink",
        "up": "the step goes up: subtract it",
        "grad": "the gradient itself is divided: the mean m belongs on top",
        "eps inside": "eps was added under the root: add it after the root",
        "eps first": "eps was added before v was corrected: correct first, then add",
        "no root": "the square root of v is missing",
        "swapped": "beta1 and beta2 are swapped: beta1 belongs to m",
        "keeps corrected": "the corrected means were returned: return m and v as they were before the correction",
        "abs": "v is the mean of the gradients' sizes: square them",
        "mean squared": "v took the square of m: it takes the square of the gradient",
        "undamped": "a new gradient counts with weight 1 - beta in the running means",
    }

    def check(w, gradients, lr, beta1, beta2, eps, decay, first=1, m=None, v=None):
        m = np.zeros_like(w) if m is None else m
        v = np.zeros_like(w) if v is None else v
        for step, grad in enumerate(gradients, first):
            call = f"adamw_step, step={step}, lr={lr}, betas {beta1} and {beta2}, eps={eps}, weight_decay={decay}"
            got = adamw_step(w.copy(), grad.copy(), m.copy(), v.copy(), step, lr, beta1, beta2, eps, decay)
            assert isinstance(got, tuple | list) and len(got) == 3, f"{call}: expected the three of (w, m, v)"
            got = [np.asarray(part, dtype=float) for part in got]
            for name, part in zip("wmv", got):
                assert part.shape == w.shape, f"{call}: expected {name} of shape {w.shape}, got {part.shape}"

            def same(a, b):
                return all(np.allclose(x, y, rtol=1e-7, atol=1e-14) for x, y in zip(a, b))

            expected = reference(w, grad, m, v, step, lr, beta1, beta2, eps, decay)
            if not same(got, expected):
                for slip, mistake in slips.items():
                    with np.errstate(all="ignore"):
                        wrong = reference(w, grad, m, v, step, lr, beta1, beta2, eps, decay, slip)
                    assert same(wrong, expected) or not same(got, wrong), f"{call}: {mistake}"
                for name, part, right in zip("mvw", (got[1], got[2], got[0]), (expected[1], expected[2], expected[0])):
                    assert np.allclose(part, right, rtol=1e-7, atol=1e-14), (
                        f"{call}, w = {w.ravel()[:3]}, grad = {grad.ravel()[:3]}: expected {name} = {right.ravel()[:3]}, "
                        f"got {part.ravel()[:3]}"
                    )
            w, m, v = expected

    check(np.array([1.0]), [np.array([2.0])], 0.1, 0.9, 0.99, 0.0, 0.2)
    rng = np.random.default_rng(3)
    check(rng.normal(size=4), list(rng.normal(size=(3, 4))), 0.01, 0.9, 0.95, 1e-8, 0.1)
    check(rng.normal(size=(2, 3)), list(rng.normal(size=(3, 2, 3)) * 1e-3), 0.02, 0.8, 0.97, 1e-3, 0.3)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(4)
    check(rng.normal(size=(3, 2)), list(rng.normal(size=(5, 3, 2)) * 1e-4), 3e-3, 0.9, 0.999, 1e-4, 0.0)
    check(
        rng.normal(size=3),
        list(rng.normal(size=(2, 3))),
        0.1,
        0.5,
        0.6,
        1e-2,
        1.0,
        7,
        rng.normal(size=3),
        rng.random(3),
    )
    check(np.zeros((2, 2, 2)), list(rng.normal(size=(2, 2, 2, 2))), 1.0, 0.0, 0.0, 1e-8, 0.2)
    check(rng.normal(size=5) * 100, [np.zeros(5)] * 2, 0.01, 0.9, 0.99, 1e-8, 0.5)  # no gradient: only the decay
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_adamw_step()


# %% [markdown]
# ## `cosine_with_warmup`
# *difficulty ●○○ · importance ●●○ · 15 min*
#
# The learning rate is small at first, while the running means know little (热身 warm-up); then it is at its peak; then it
# falls along half a cosine (余弦退火), so that the last steps settle what the first ones stirred up.
#
# `cosine_with_warmup(step, steps, warmup, peak, floor)` returns the learning rate of one step. Here `step` counts **from
# 0**, `steps` is the length of the run, and `0 <= warmup < steps`.
#
# - For `step < warmup`: up in a straight line, `peak * (step + 1) / warmup`. So the first step already moves something, and
#   the last step of the warm-up is at the peak.
# - From `step = warmup` on: down along half a cosine, which **is at the peak at `step = warmup`, and would be at the floor at
#   `step = steps`**.
# - For `step >= steps`: the floor.
#
# By hand, with `steps = 10`, `warmup = 2`, `peak = 1`, `floor = 0.2`: the fall takes 8 steps, and at step 6 it is half done. The cosine is
# 0 there, so the rate is half-way between 1 and 0.2.
#
# | step | 0 | 1 | 2 | 4 | 6 | 8 | 10 | 99 |
# |---|---|---|---|---|---|---|---|---|
# | rate | 0.5 | 1 | 1 | 0.883 | 0.6 | 0.317 | 0.2 | 0.2 |
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which share of the fall is done at step `s`? It is 0 at `warmup` and 1 at `steps`.
#
# <details><summary>Hint 2: the approach</summary>
#
# $(1 + \cos \pi x)/2$ goes from 1 to 0 while $x$ goes from 0 to 1. Stretch it to lie between floor and peak.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2` with `done = (step - warmup) / (steps - warmup)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "cosine_with_warmup", "solution": true}
def cosine_with_warmup(step: int, steps: int, warmup: int, peak: float, floor: float) -> float:
    """The learning rate of one step, counted from 0: up in a line, then down along half a cosine, then the floor."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / (steps - warmup))
    return floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_cosine_with_warmup", "grade": true, "points": 2}
def test_cosine_with_warmup():
    """Up in a line, at the peak where the warm-up ends, down along half a cosine, and level after the end."""

    def rate(step, steps, warmup, peak, floor, slip=None):
        if step < warmup:
            if slip == "floor":
                return floor + (peak - floor) * (step + 1) / warmup
            return peak * {"zero": step / warmup, "plus": (step + 1) / (warmup + 1)}.get(slip, (step + 1) / warmup)
        done = (step - warmup) / (steps - warmup)
        if slip == "whole":
            done = step / steps
        if slip == "last":
            done = (step - warmup) / max(1, steps - 1 - warmup)
        if slip != "again":
            done = min(1.0, done)
        fall = {
            "linear": 1 - done,
            "quarter": np.cos(np.pi * done / 2),
            "full": (1 + np.cos(2 * np.pi * done)) / 2,
            "degrees": (1 + np.cos(done)) / 2,
            "up": (1 - np.cos(np.pi * done)) / 2,
            "half": (1 + np.cos(np.pi * done)),
            "bare": np.cos(np.pi * done),
        }.get(slip, (1 + np.cos(np.pi * done)) / 2)
        return {"above": floor + peak * fall, "clipped": max(floor, peak * fall), "none": peak * fall}.get(
            slip, floor + (peak - floor) * fall
        )

    slips = {
        "zero": "the first step has rate 0 and the peak comes late: in the warm-up it is peak * (step + 1) / warmup",
        "plus": "the warm-up does not reach the peak: divide by warmup",
        "floor": "the warm-up starts from the floor: it is peak * (step + 1) / warmup",
        "whole": "the fall is measured over the whole run, so the rate jumps where the warm-up ends",
        "last": "the floor is reached one step too early: it belongs to step = steps",
        "again": "after the end the cosine rises again: stay at the floor",
        "linear": "that is a straight line down: use half a cosine",
        "quarter": "that is a quarter of a cosine: (1 + cos(pi * x)) / 2",
        "full": "that is a whole period, down and up again: half a cosine ends at pi",
        "degrees": "pi is missing in the cosine",
        "up": "the cosine is upside down: at the end of the warm-up the rate is at its peak",
        "half": "the cosine is not halved: 1 + cos goes from 2 to 0",
        "bare": "a cosine goes down to -1: use (1 + cos) / 2",
        "above": "peak and floor were added up: the cosine spans peak - floor",
        "clipped": "the fall was cut off at the floor: stretch it to end there",
        "none": "the floor is missing",
    }

    def check(steps, warmup, peak, floor, at):
        called = f"cosine_with_warmup with steps={steps}, warmup={warmup}, peak={peak}, floor={floor}"
        try:
            got = [float(cosine_with_warmup(step, steps, warmup, peak, floor)) for step in at]
        except ZeroDivisionError:
            raise AssertionError(f"{called}: division by zero: with warmup=0 there is no way up") from None
        expected = [rate(step, steps, warmup, peak, floor) for step in at]

        def same(a, b):
            return np.allclose(a, b, rtol=1e-6, atol=1e-12)

        if same(got, expected):
            return
        for slip, mistake in slips.items():
            wrong = [rate(step, steps, warmup, peak, floor, slip) for step in at]
            assert same(wrong, expected) or not same(got, wrong), f"{called}: {mistake}"
        for step, number, right in zip(at, got, expected):
            assert same(number, right), f"{called}: expected {right:.6g} at step {step}, got {number:.6g}"

    check(10, 2, 1.0, 0.2, [0, 1, 2, 4, 6, 8, 9, 10, 99])
    check(10, 2, 1.0, 0.2, range(10))
    check(7, 0, 0.5, 0.05, [0, 1, 3, 6, 7, 8])
    ### BEGIN HIDDEN TESTS
    check(1000, 100, 3e-3, 3e-5, [*range(0, 1000, 37), 98, 99, 100, 101, 999, 1000, 1001, 1450, 1900])
    check(3, 2, 2.0, 0.5, range(6))
    check(50, 10, 1.0, 0.0, range(60))
    check(1, 0, 1.0, 0.1, [0, 1, 2])
    check(20, 5, 0.1, 0.1, range(25))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_cosine_with_warmup()


# %% [markdown]
# ## Given: the shape of a model, and the tables of RoPE
# The weights are those of chapter 4, in the form `x @ W`:
# `{"embed": (V, D), "blocks": [{"attn_norm": (D,), "Wq": (D, D), "Wk": (D, K*d), "Wv": (D, K*d), "Wo": (D, D),
# "mlp_norm": (D,), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}, …], "norm": (D,), "head": (D, V)}`.


# %%
@dataclass(frozen=True)
class Config:
    """The shape of a LLaMA."""

    dim: int  # D
    hidden: int  # F
    layers: int
    heads: int  # H
    kv_heads: int  # K
    vocab: int  # V
    max_len: int  # the longest text that it was made for
    rope_base: float = 10000.0
    eps: float = 1e-5
    tied: bool = False  # the head is embed.T

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def rope_angles(config: Config) -> np.ndarray:
    """By how much RoPE turns each pair at each position. Shape (max_len, d / 2)."""
    d = config.dim // config.heads
    return np.outer(np.arange(config.max_len), config.rope_base ** (-np.arange(0, d, 2) / d))


# %% [markdown]
# ## `export_checkpoint`
# *difficulty ●●● · importance ●●○ · 35 min*
#
# A checkpoint (检查点) is bytes with an agreed order. llama2.c's first format (its version 0) is the simplest that real
# programs read: seven numbers, then every weight in float32, with no names at all. **The order is everything.**
#
# `export_checkpoint(config, weights)` returns these bytes. Everything is little-endian (`"<i4"`, `"<f4"`).
#
# **The header**, seven `int32`: `dim`, `hidden`, `layers`, `heads`, `kv_heads`, `vocab`, `max_len`. A **negative** `vocab` says that
# the head is not tied to the embedding, and follows at the end.
#
# **The weights**, `float32`, one after the other, each matrix in C order:
#
# | | what | shape in the file |
# |---|---|---|
# | 1 | `embed` | `(V, D)` |
# | 2 | `attn_norm` of every layer | `(L, D)` |
# | 3–6 | `Wq` of every layer, then `Wk` of every layer, `Wv`, `Wo` | `(L, outputs, inputs)` each |
# | 7 | `mlp_norm` of every layer | `(L, D)` |
# | 8–10 | `Wg` of every layer, then **`Wd`**, then `Wu` (their w1, w2, w3) | `(L, outputs, inputs)` each |
# | 11 | `norm` | `(D,)` |
# | 12, 13 | the cosines of RoPE's angles, then the sines: `rope_angles(config)` | `(max_len, d/2)` each |
# | 14 | `head`, only if it is not tied | `(V, D)` |
#
# Note two things. llama2.c computes `W @ x`, so its matrices are `(outputs, inputs)`, while ours are `(inputs, outputs)`; and
# all layers of one kind come together. (Both turn the same pairs in RoPE, so rows and columns stay where they are.)
#
# By hand: the smallest model there is, `dim = 2`, `hidden = 1`, and everything else 1, tied, has 28 bytes of header and 4 · (2 + 2 +
# 4·4 + 2 + 3·2 + 2 + 1 + 1) = 128 bytes of numbers.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which of the arrays have to be transposed? `embed` has a row for each token in both forms.
#
# <details><summary>Hint 2: the approach</summary>
#
# Make a list of arrays in the order of the table, with a loop over the names inside which you loop over the layers. At the
# end turn each into float32 and join their bytes.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `np.asarray(a, dtype="<f4").tobytes()` writes in C order, also for a transposed array. A vector does not mind `.T`, so the
# norms need no case of their own.
#
# </details></details></details>


# %% nbgrader={"grade_id": "export_checkpoint", "solution": true}
def export_checkpoint(config: Config, weights: dict) -> bytes:
    """The checkpoint in llama2.c's first format: seven int32, then every weight in float32."""
    ### BEGIN SOLUTION
    vocab = config.vocab if config.tied else -config.vocab
    header = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    order = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    angles = rope_angles(config)  # (max_len, d/2)
    arrays = [weights["embed"]]
    arrays += [block[name].T for name in order for block in weights["blocks"]]  # (outputs, inputs)
    arrays += [weights["norm"], np.cos(angles), np.sin(angles)]
    if not config.tied:
        arrays.append(weights["head"].T)
    return np.array(header, "<i4").tobytes() + b"".join(np.asarray(a, "<f4").tobytes() for a in arrays)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_export_checkpoint", "grade": true, "points": 3}
def test_export_checkpoint():
    """Header, order, orientation, tables and head, read back number by number."""

    def check(dim, hidden, layers, heads, kv_heads, vocab, max_len, tied, seed, rope_base=10000.0):
        rng = np.random.default_rng(seed)
        config = Config(dim, hidden, layers, heads, kv_heads, vocab, max_len, rope_base, tied=tied)
        kv = kv_heads * (dim // heads)
        shapes = {
            "attn_norm": (dim,),
            "Wq": (dim, dim),
            "Wk": (dim, kv),
            "Wv": (dim, kv),
            "Wo": (dim, dim),
            "mlp_norm": (dim,),
            "Wg": (dim, hidden),
            "Wd": (hidden, dim),
            "Wu": (dim, hidden),
        }
        blocks = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(layers)]
        embed = rng.normal(size=(vocab, dim))
        head = embed.T.copy() if tied else rng.normal(size=(dim, vocab))
        weights = {"embed": embed, "blocks": blocks, "norm": rng.normal(size=dim), "head": head}
        call = f"export_checkpoint of {layers} layers, dim {dim}, vocab {vocab}, {'tied' if tied else 'not tied'}"
        data = export_checkpoint(config, weights)
        assert isinstance(data, bytes | bytearray), f"{call}: expected bytes, got {type(data).__name__}"
        data = bytes(data)

        # the header
        assert len(data) >= 28, f"{call}: expected a header of 28 bytes and the weights, got {len(data)} bytes"
        got = np.frombuffer(data[:28], "<i4").tolist()
        right = [dim, hidden, layers, heads, kv_heads, vocab if tied else -vocab, max_len]
        if got != right:
            swapped = np.frombuffer(data[:28], ">i4").tolist()
            assert swapped != right, f"{call}: the header is big-endian: use '<i4'"
            if got[:5] + got[6:] == right[:5] + right[6:] and got[5] == -right[5]:
                raise AssertionError(f"{call}: the sign of vocab: positive if the head is tied, negative if it is not")
            wide = np.frombuffer(data[:56], "<i8").tolist() if len(data) >= 56 else []
            assert wide != right, f"{call}: the header holds int64: use '<i4'"
            raise AssertionError(f"{call}: expected the header {right}, got {got}")

        # the weights
        angles = rope_angles(config)

        def file(names=tuple(shapes), turned=True, cos=np.cos, sin=np.sin, by_layer=False, head_turned=True):
            """The parts in order, each with what it is called."""
            parts = [("embed", embed)]
            keys = (
                [(n, i) for i in range(layers) for n in names]
                if by_layer
                else [(n, i) for n in names for i in range(layers)]
            )
            parts += [(f"{n} of layer {i}", blocks[i][n].T if turned else blocks[i][n]) for n, i in keys]
            parts += [("norm", weights["norm"]), ("the cosines", cos(angles)), ("the sines", sin(angles))]
            if not tied:
                parts.append(("head", head.T if head_turned else head))
            return parts

        def pack(parts, dtype="<f4"):
            return b"".join(np.asarray(part, dtype).tobytes() for _, part in parts)

        body, expected = data[28:], file()
        want = pack(expected)
        if len(body) == len(want) and np.allclose(
            np.frombuffer(body, "<f4"), np.frombuffer(want, "<f4"), rtol=1e-5, atol=1e-5, equal_nan=True
        ):
            return
        named = tuple(shapes)
        known = {
            "the matrices are not transposed: the file holds (outputs, inputs)": pack(
                file(turned=False, head_turned=False)
            ),
            "the matrices of the blocks are not transposed: the file holds (outputs, inputs)": pack(file(turned=False)),
            "the head is not transposed: the file holds (V, D)": pack(file(head_turned=False)),
            "embed is transposed: the file holds (V, D)": pack([("embed", embed.T), *expected[1:]]),
            "the parts come layer by layer: all layers of one kind come together": pack(file(by_layer=True)),
            "Wu stands where Wd belongs: the order is Wg, Wd, Wu": pack(file(names=(*named[:6], "Wg", "Wu", "Wd"))),
            "Wg and Wu are swapped: the order is Wg, Wd, Wu": pack(file(names=(*named[:6], "Wu", "Wd", "Wg"))),
            "both norms come before the matrices: mlp_norm follows Wo": pack(
                file(names=("attn_norm", "mlp_norm", *named[1:5], *named[6:]))
            ),
            "the tables of RoPE are missing": pack([p for p in expected if p[0] not in ("the cosines", "the sines")]),
            "sines and cosines are swapped: the cosines come first": pack(file(cos=np.sin, sin=np.cos)),
            "the angles themselves were written: the file holds their cosines, then their sines": pack(
                file(cos=lambda a: a, sin=lambda a: a)
            ),
            "the weights are float64: the file holds float32": pack(expected, "<f8"),
            "the weights are float16: the file holds float32": pack(expected, "<f2"),
            "the weights are big-endian: use '<f4'": pack(expected, ">f4"),
        }
        if tied:
            known["the head was written though it is tied to the embedding"] = want + pack([("head", head.T)])
        else:
            known["the head is missing: it is not tied, so it comes last"] = pack(expected[:-1])
        if len(angles[0]) > 1:
            known["the tables of RoPE are wrong: each row holds d/2 cosines, of rope_angles(config)"] = b""
        for mistake, wrong in known.items():
            if wrong and wrong != want and len(body) == len(wrong):
                assert body != wrong, f"{call}: {mistake}"
                kind = "<f8" if "float64" in mistake else "<f2" if "float16" in mistake else "<f4"
                with np.errstate(all="ignore"):
                    near = np.allclose(np.frombuffer(body, kind), np.frombuffer(wrong, kind), rtol=1e-5, atol=1e-5)
                assert not near, f"{call}: {mistake}"
        at = 0
        for name, part in expected:
            piece = np.frombuffer(body[at : at + 4 * part.size].ljust(4 * part.size, b"\0"), "<f4").reshape(part.shape)
            assert np.allclose(piece, part, rtol=1e-5, atol=1e-5), (
                f"{call}: {name} should stand at byte {28 + at} as {part.shape} float32, beginning with "
                f"{part.ravel()[:2].round(4).tolist()}, but there is {piece.ravel()[:2].round(4).tolist()}"
            )
            at += 4 * part.size
        raise AssertionError(f"{call}: expected {28 + len(want)} bytes, got {len(data)}")

    check(2, 1, 1, 1, 1, 1, 1, True, 0)
    check(8, 12, 2, 2, 1, 6, 5, True, 1)
    check(8, 12, 3, 4, 2, 7, 4, False, 2)
    ### BEGIN HIDDEN TESTS
    check(12, 20, 2, 3, 3, 9, 6, False, 3, rope_base=500000.0)
    check(6, 6, 2, 1, 1, 6, 3, True, 4)  # everything square: only the numbers can tell
    check(6, 6, 2, 1, 1, 6, 3, False, 5)
    check(16, 8, 1, 4, 2, 3, 9, True, 6, rope_base=100.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_export_checkpoint()


# %% [markdown]
# ## Put together: a model of one table
#
# The smallest language model is a table of `V × V` logits: row `a` says what comes after `a`. Nothing in it needs autograd,
# so your six functions train it. When they all work, run `train_table(...)` on any text; after a few hundred steps the loss is
# near that of counting pairs. On the page the same loop trains a LLaMA, with PyTorch in the place of `loss_gradient`.


# %%
def train_table(text: str, steps: int = 400, context: int = 32, batch: int = 16, seed: int = 0) -> list[float]:
    """Trains a table of byte pairs with the functions of this notebook; returns the losses."""
    ids, rng = np.frombuffer(text.encode(), np.uint8), np.random.default_rng(seed)
    table, m, v = np.zeros((3, 256, 256))
    losses = []
    for step in range(steps):
        x, y = get_batch(ids, context, batch, rng)
        logits = table[x]  # (B, T, V)
        losses.append(lm_loss(logits, y))
        grad = np.zeros_like(table)
        np.add.at(grad, x, loss_gradient(logits, y))  # a row that was used twice gets both
        lr = cosine_with_warmup(step, steps, steps // 10, 0.1, 0.001)
        table, m, v = adamw_step(table, grad, m, v, step + 1, lr, 0.9, 0.99, 1e-8, 0.0)
    return losses
