# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # What a training run is made of
#
# A training run (训练) repeats one step: take a batch (批次) of text, measure how wrong the model is (损失 loss), find
# out in which direction each weight should move (梯度 gradient), and move it a little. A schedule says how much is a
# little. At the end the weights are written to a file. This notebook builds each of these pieces in NumPy. The
# page leaves the model itself, and its derivatives, to PyTorch.
#
# **When you are done you can** cut batches out of a text without missing its ends, compute the loss of a language model
# and its gradient, clip it, take AdamW's step as PyTorch takes it, shape a learning rate, and write a checkpoint byte by byte.
#
# **You need** NumPy: axes, indexing with arrays, broadcasting. The last exercise also wants the idea of a LLaMA's weights
# from the LLaMA chapter. Plan two hours and a quarter.
#
# **Shapes.** `B` batch, `T` time, `V` vocabulary, `D` width, `H` query heads, `K` key/value heads, `d = D / H` head size,
# `F` hidden width of the feed-forward part, `L` layers.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import itertools
import math
from dataclasses import dataclass

import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


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
# - `ids` is a one-dimensional array of integers of any type, at least `context + 1` long. It stays as it is.
#
# By hand: `ids = [5, 8, 2, 9, 4]` and `context = 3`. A window may begin at 0 or at 1, and nowhere else:
#
# | begins at | x | y |
# |---|---|---|
# | 0 | 5 8 2 | 8 2 9 |
# | 1 | 8 2 9 | 2 9 4 |
#
# Hint 1 (a nudge): How many places are there for `context + 1` ids in a row among `len(ids)`? Try it with the five
# above.
#
# Hint 2 (the approach): Draw the starts, `batch` of them. Add `0, 1, …, context` to each by broadcasting: that is a
# table of places. Index `ids` with it, and cut the result into `x` and `y`.
#
# Hint 3 (the shapes): The starts are `(batch,)`; as `(batch, 1)` they broadcast against `(context + 1,)`, and the table
# of places is `(batch, context + 1)`. The upper end of `rng.integers` is never drawn itself.


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
def seen(ids, context):
    """Every pair of x and y that comes up in 2,000 windows, in order."""
    x, y = get_batch(ids, context, 2000, np.random.default_rng(1))
    return sorted({(tuple(row), tuple(after)) for row, after in zip(np.asarray(x).tolist(), np.asarray(y).tolist())})


def how_often(length, context):
    """For each place of a text, how often 10,000 windows begin there."""
    x, _ = get_batch(np.arange(length), context, 10_000, np.random.default_rng(2))
    first = np.asarray(x)[:, 0].astype(np.intp, casting="same_kind")  # in the page, Python counts in 32 bits
    counts = np.bincount(first, minlength=length)
    return ["never" if n == 0 else "seldom" if n < 0.7 * counts.max() else "often" for n in counts]


def forms(ids, context, batch):
    """Shapes and types."""
    x, y = map(np.asarray, get_batch(ids, context, batch, np.random.default_rng(3)))
    return x.shape, y.shape, str(x.dtype), str(y.dtype)


def habits(context):
    """What two batches of 64 windows of the same generator have in common, and one of an equal generator."""
    rng, ids = np.random.default_rng(4), np.arange(92 + context)
    first, second, other = (get_batch(ids, context, 64, each)[0] for each in (rng, rng, np.random.default_rng(4)))
    starts = np.asarray(first)[:, 0].tolist()
    return {
        "all windows of a batch are the same": len(set(starts)) == 1,
        "some windows come twice": len(set(starts)) < 64,
        "a second call gives the same batch": np.array_equal(first, second),
        "a generator with the same seed gives the same batch": np.array_equal(first, other),
    }


def test_get_batch():
    """Windows of the text, their followers, every place equally likely, drawn with rng."""
    one = np.array([[6, 1, 7], [6, 1, 7]]), np.array([[1, 7, 3], [1, 7, 3]])
    check(get_batch, np.array([6, 1, 7, 3]), 3, 2, np.random.default_rng(0), gives=one)
    check(seen, np.array([5, 8, 2, 9, 4]), 3, gives=[[(5, 8, 2), (8, 2, 9)], [(8, 2, 9), (2, 9, 4)]])
    check(how_often, 5, 3, gives=["often", "often", "never", "never", "never"])
    check(how_often, 12, 4)
    check(forms, np.array([5, 8, 2, 9, 4], np.uint16), 3, 4, gives=[(4, 3), (4, 3), "int64", "int64"])
    check(habits, 8)
    ### BEGIN HIDDEN TESTS
    check(seen, np.array([200, 100], np.uint8), 1, about="two ids")
    check(seen, np.array([7, 3, 9, 1, 300, 2], np.uint16), 2, about="ids of two bytes")
    check(seen, np.array([70_000, 1, 2, 130_000]), 2, about="ids above 65,535")
    check(seen, np.array([4, 4, 4, 5, 4]), 2, about="an id that comes again")
    check(how_often, 9, 1, about="windows of one id")
    check(how_often, 70, 65, about="a window nearly as long as the text")
    check(forms, np.arange(90, dtype=np.int32), 64, 1, about="a batch of one window")
    check(forms, np.arange(9, dtype=np.uint8), 8, 5, about="one place only")
    check(habits, 1, about="windows of one id, drawn again")
    ### END HIDDEN TESTS


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
#   together. At least one counts. (Token 0 is a token like any other.)
# - Logits may be as large as ±10 000: no overflow, no infinity. Whole numbers and float32 are logits, too.
#
# By hand: `V = 2`, logits (0, 0) with target 1, and logits (ln 3, 0) with target 0. The probabilities of the targets are 1/2
# and 3/4, their losses ln 2 = 0.693 and ln 4/3 = 0.288, and the mean is 0.490.
#
# Hint 1 (a nudge): $-\ln\mathrm{softmax}(z)_t = \ln\sum_j e^{z_j} - z_t$. Which number may you subtract from every
# $z_j$ without changing it?
#
# Hint 2 (the approach): Flatten to rows of logits and one target each. Keep the rows whose target is not −1. Shift each
# row by its own maximum, take the logarithm of the sum of exponentials, subtract the logit of the target, and take the
# mean.
#
# Hint 3 (the shapes): The rows that count are `(n, V)`, their targets `(n,)`. Two index arrays of shape `(n,)`, one for
# the row and one for the column, pick one logit of each row. With a target of −1 they would pick the last one.


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
BY_HAND = np.log([[[1.0, 1.0], [3.0, 1.0]]])
LOGITS = np.array([[[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[-1.0, 2.0, 2.5], [4.0, 0.0, -1.0]]])
LARGE = np.array([[[1e4, -1e4, 0.0], [9999.0, 1e4, 0.0], [-1e4, -9998.0, -1e4]]])


def test_lm_loss():
    """The mean over the places that count, in nats, without overflow."""
    check(lm_loss, BY_HAND, np.array([[1, 0]]), gives=0.490)
    check(lm_loss, LOGITS, np.array([[2, 1], [0, 1]]))
    check(lm_loss, LOGITS, np.array([[2, 0], [1, -1]]))
    check(lm_loss, LOGITS, np.array([[0, -1], [-1, -1]]))
    check(lm_loss, LARGE, np.array([[0, 0, 1]]))
    check(lm_loss, LARGE, np.array([[1, 2, -1]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(10)
    logits, targets = rng.random((3, 5, 7)) * 8 - 4, rng.integers(0, 7, (3, 5))
    check(lm_loss, logits, targets, about="every place counts")
    check(lm_loss, BY_HAND[:, [0, 1, 1]], np.array([[0, -1, 1]]), about="a place in the middle that does not count")
    check(lm_loss, logits * 1000, targets, about="large logits")
    check(lm_loss, logits - 9000, targets, about="logits far below zero")
    targets[0], targets[1, 1:] = -1, -1
    check(lm_loss, logits, targets, about="a row of padding alone")
    check(lm_loss, logits[1:, :1], targets[1:, :1], about="one place a row")
    check(lm_loss, np.array([[[2, 0, 1], [1, 5, 1]]]), np.array([[0, 2]]), about="whole numbers")
    check(lm_loss, logits.astype(np.float32), targets.astype(np.int32), about="single precision")
    check(lm_loss, LOGITS.astype(np.float16), np.array([[2, 1], [0, -1]]), about="half precision")
    check(lm_loss, np.array([[[3.0]]]), np.array([[0]]), about="a vocabulary of one token")
    ### END HIDDEN TESTS


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
# target is `-1`, the row is all zeros. The logits may be large or whole numbers here, too. (The formula is enough: it needs
# neither `lm_loss` nor autograd.)
#
# By hand: with the two places of `lm_loss`, the probabilities are (1/2, 1/2) with target 1 and (3/4, 1/4) with target 0. So
# the rows are (1/2, −1/2) / 2 = (0.25, −0.25) and (−1/4, 1/4) / 2 = (−0.125, 0.125). Each row sums to 0.
#
# Hint 1 (a nudge): Which entry of each row differs from a plain softmax?
#
# Hint 2 (the approach): Softmax along the last axis, stable for large logits. Subtract 1 at the targets. Set the rows
# that do not count to zero. Divide by the number of those that do.
#
# Hint 3 (the shapes): The rows of a unit matrix, picked by the targets, are `(B, T, V)` with a 1 at each target (at −1
# they mark the last token, which a mask undoes). The mask must be `(B, T, 1)` to broadcast.


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
TWO_TEXTS = np.log([[[1.0, 1.0]], [[3.0, 1.0]]])
LOGITS = np.array([[[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[-1.0, 2.0, 2.5], [4.0, 0.0, -1.0]]])
LARGE = np.array([[[1e4, -1e4, 0.0], [9999.0, 1e4, 0.0], [-1e4, -9998.0, -1e4]]])


def test_loss_gradient():
    """What the model said minus what happened, over the number of places that count."""
    check(loss_gradient, TWO_TEXTS, np.array([[1], [0]]), gives=[[[0.25, -0.25]], [[-0.125, 0.125]]])
    check(loss_gradient, LOGITS, np.array([[2, 1], [0, 1]]))
    check(loss_gradient, LOGITS, np.array([[2, 0], [1, -1]]))
    check(loss_gradient, LOGITS, np.array([[0, -1], [-1, -1]]))
    check(loss_gradient, LARGE, np.array([[1, 1, 0]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(20)
    logits, targets = rng.random((3, 4, 5)) * 8 - 4, rng.integers(0, 5, (3, 4))
    check(loss_gradient, logits, targets, about="every place counts")
    three = np.concatenate([TWO_TEXTS, TWO_TEXTS[:1]]).reshape(1, 3, 2)
    check(loss_gradient, three, np.array([[0, -1, 1]]), about="a place in the middle that does not count")
    check(loss_gradient, logits * 1000, targets, about="large logits")
    check(loss_gradient, logits - 9000, targets, about="logits far below zero")
    targets[0], targets[1, 1:] = -1, -1
    check(loss_gradient, logits, targets, about="a row of padding alone")
    check(loss_gradient, np.array([[[2, 0, 1], [1, 5, 1]]]), np.array([[0, 2]]), about="whole numbers")
    check(loss_gradient, logits.astype(np.float32), targets.astype(np.int32), about="single precision")
    check(loss_gradient, LOGITS.astype(np.float16), np.array([[2, 1], [0, -1]]), about="half precision")
    check(loss_gradient, np.array([[[3.0]]]), np.array([[0]]), about="a vocabulary of one token")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `clip_gradients`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# Now and then a batch is odd, and its gradient many times longer than usual. One such step can undo a hundred good ones. So
# the gradients are clipped (梯度裁剪 gradient clipping): taken together, as one long vector of all weights, they may be
# `most` long and no longer.
#
# `clip_gradients(grads, most)` takes a list of arrays, one for each weight, of any shapes, or of none at all. It
# returns `(clipped, norm)`: a list of new arrays of the same shapes, and the length (范数 norm) that all of them had
# **together, before** the clipping, which one likes to log. `most` is above 0.
#
# - Where the norm is above `most`, every number is multiplied by `most / norm`: the direction stays as it is.
# - Otherwise the numbers stay as they are; so do zeros. The arrays that were given stay as they are in any case.
# - The gradients may be whole numbers or float16, whose squares are soon too large for float16: add them up in float64.
#
# By hand: `grads = [(3, 0), ((4,),)]` and `most = 1`. The norm is √(9 + 0 + 16) = 5, so everything is multiplied by 1/5:
# (0.6, 0) and ((0.8,),) are left. With `most = 10` nothing changes. (`torch.nn.utils.clip_grad_norm_` does the same.)
#
# Hint 1 (a nudge): If each array were clipped by itself, would the whole step still point the same way?
#
# Hint 2 (the approach): Add up the squares of all numbers of all arrays, and take one root at the end. One factor
# serves all arrays.
#
# Hint 3 (the edges): The factor is never above 1: short gradients are not made longer. With zeros alone the norm is 0,
# by which nothing can be divided.


# %% nbgrader={"grade_id": "clip_gradients", "solution": true}
def clip_gradients(grads: list[np.ndarray], most: float) -> tuple[list[np.ndarray], float]:
    """The gradients, together no longer than `most`, and the norm that they had together before."""
    ### BEGIN SOLUTION
    squares = [np.square(grad, dtype=np.float64).sum() for grad in grads]
    norm = float(np.sqrt(sum(squares)))
    factor = most / norm if norm > most else 1.0
    return [grad * factor for grad in grads], norm
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_clip_gradients", "grade": true, "points": 2}
SHORT = [np.array([3.0, 0.0]), np.array([[4.0]])]
LONG = [np.array([[2.0, -6.0], [1.0, 0.5]]), np.array([-3.0, 0.1, 8.0]), np.array(5.0)]


def test_clip_gradients():
    """One norm and one factor for all arrays; what is short enough stays as it is."""
    check(clip_gradients, SHORT, 1.0, gives=([[0.6, 0.0], [[0.8]]], 5.0))
    check(clip_gradients, SHORT, 10.0, gives=([[3.0, 0.0], [[4.0]]], 5.0))
    check(clip_gradients, SHORT, 4.5)
    check(clip_gradients, LONG, 2.0)
    check(clip_gradients, [np.zeros(3), np.zeros((2, 1))], 1.0)
    ### BEGIN HIDDEN TESTS
    check(clip_gradients, SHORT, 5.0, about="just as long as it may be")
    check(clip_gradients, LONG, 0.25, about="much too long")
    check(clip_gradients, [np.array([0.3, -0.4])], 0.1, about="one array, shorter than 1")
    check(clip_gradients, [np.array([3, -4]), np.array([[12]])], 6.5, about="whole numbers")
    check(clip_gradients, [grad.astype(np.float32) for grad in LONG], 2, about="single precision")
    check(clip_gradients, [np.full(3, 300, np.float16)] * 2, 1.0, within=0.01, about="large numbers in half precision")
    check(clip_gradients, [LONG[0], np.zeros((0, 2))], 1.0, about="an array without numbers")
    check(clip_gradients, [np.array([1e20, 0.0])], 1.0, about="very large numbers")
    check(clip_gradients, [np.array([100_000, 0], np.int32)], 1e6, about="large whole numbers")
    check(clip_gradients, [np.zeros((2, 2), np.float32)], 0.5, about="zeros in single precision")
    ### END HIDDEN TESTS


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
# This is what `torch.optim.AdamW` does. But where PyTorch writes over its arrays, `adamw_step` returns new ones and leaves
# those that it was given as they are.
#
# By hand, the first step for `w = 1`, `grad = 2`, `lr = 0.1`, `beta1 = 0.9`, `beta2 = 0.99`, `eps = 0`, `weight_decay = 0.2`:
# `m = 0.2` and `v = 0.04`. Corrected they are 0.2 / 0.1 = 2 and 0.04 / 0.01 = 4. So `w` becomes 1 − 0.1 · 0.2 · 1 − 0.1 · 2 / 2
# = 0.88. With `grad = 2000` it would be 0.88 as well.
#
# Hint 1 (a nudge): Let the gradient of the example be 2 a second time. Then `m` is 0.38 and `v` is 0.0796. What is
# $m/\sqrt v$ without the correction, and what is it with it?
#
# Hint 2 (the approach): Three lines for the three points. Make new arrays; keep the corrected means apart from the ones
# that you return.
#
# Hint 3 (the edges): Each mean is corrected with its own beta, to the power of `step`. The square root is of the
# corrected mean of the squares; `eps` is added after it. Three arrays come back, the weights first.


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
HAND = {"step": 1, "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 0.0, "weight_decay": 0.2}
LATER = {"step": 3, "lr": 0.2, "beta1": 0.8, "beta2": 0.9, "eps": 0.3, "weight_decay": 0.5}
W, G = np.array([1.0, -2.0, 0.5]), np.array([0.5, 0.25, -4.0])
M, V = np.array([0.5, -0.2, 0.1]), np.array([0.4, 0.1, 2.0])


def in_a_row(w, gradients, **settings):
    """The weights after each of several steps, the first of them number 1."""
    m, v, found = np.zeros_like(w), np.zeros_like(w), []
    for step, grad in enumerate(gradients, 1):
        w, m, v = adamw_step(w, grad, m, v, step, **settings)
        found.append(w)
    return found


def test_adamw_step():
    """The means, their correction, the decay apart from the gradient, and several steps in a row."""
    zero = np.zeros(1)
    check(adamw_step, np.array([1.0]), np.array([2.0]), zero, zero, **HAND, gives=([0.88], [0.2], [0.04]))
    check(adamw_step, np.array([1.0]), np.array([2000.0]), zero, zero, **HAND, gives=([0.88], [200.0], [40000.0]))
    check(adamw_step, W, G, M, V, **LATER)
    check(adamw_step, W, G, M, V, **(LATER | {"weight_decay": 0.0}))
    row = {"lr": 0.1, "beta1": 0.9, "beta2": 0.95, "eps": 0.1, "weight_decay": 0.3}
    check(in_a_row, W, [G, -G, G + 1], **row)
    ### BEGIN HIDDEN TESTS
    two = [np.stack([array, array[::-1]]) for array in (W, G, M, V)]
    check(adamw_step, *two, **(LATER | {"step": 1}), about="two axes, the first step")
    check(adamw_step, *two, **(LATER | {"step": 1000}), about="a late step")
    tiny = {"w": np.array(1.0), "grad": np.array(1e-8), "m": np.array(0.0), "v": np.array(0.0)}
    check(adamw_step, *tiny.values(), **HAND, about="single numbers, a very small gradient and no eps")
    check(adamw_step, *two, **(LATER | {"step": 150, "beta1": 0.99, "beta2": 0.999}), about="a late step")
    check(adamw_step, W, G, M * 0, V * 0, **(LATER | {"step": 1, "beta1": 0.0, "beta2": 0.0}), about="betas of 0")
    check(adamw_step, W, G * 0, M * 0, V * 0, **(LATER | {"step": 1}), about="no gradient: only the decay")
    check(adamw_step, W, G, M, V, **(LATER | {"lr": 0.0}), about="a learning rate of 0")
    check(adamw_step, W, np.array([1, 0, -3]), M, V, **LATER, about="a gradient of whole numbers")
    check(adamw_step, *(a.astype(np.float32) for a in (W, G, M, V)), **LATER, about="single precision")
    check(in_a_row, W * 1e-3, [G * 1e-3] * 6, **(row | {"lr": 0.01, "beta2": 0.999, "eps": 1e-3}), about="six steps")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): Which share of the fall is done at step `s`? It is 0 at `warmup` and 1 at `steps`.
#
# Hint 2 (the approach): $(1 + \cos \pi x)/2$ goes from 1 to 0 while $x$ goes from 0 to 1. Stretch it to lie between
# floor and peak.
#
# Hint 3 (the edges): The share that is done is measured from the end of the warm-up, and never above 1. With `warmup=0`
# nothing may be divided by the warm-up: ask for it first.


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
def rates(at, steps, warmup, peak, floor):
    """The rates at some steps."""
    return [cosine_with_warmup(step, steps, warmup, peak, floor) for step in at]


def test_cosine_with_warmup():
    """Up in a line, at the peak where the warm-up ends, down along half a cosine, and level after the end."""
    by_hand = [0.5, 1.0, 1.0, 0.883, 0.6, 0.317, 0.2, 0.2]
    check(rates, [0, 1, 2, 4, 6, 8, 10, 99], steps=10, warmup=2, peak=1.0, floor=0.2, gives=by_hand)
    check(cosine_with_warmup, 6, 10, 2, 1.0, 0.2, gives=0.6)
    check(rates, [0, 1, 2, 3, 4, 5], steps=20, warmup=4, peak=3.0, floor=0.3)
    check(rates, [0, 1, 3, 6, 7, 8], steps=7, warmup=0, peak=0.5, floor=0.05)
    ### BEGIN HIDDEN TESTS
    check(rates, range(0, 1500, 37), steps=1000, warmup=100, peak=3.0, floor=0.03, about="a long run, and on after it")
    check(rates, range(6), steps=3, warmup=2, peak=2.0, floor=0.5, about="a fall of one step")
    check(rates, range(40), steps=30, warmup=10, peak=1.0, floor=0.0, about="a floor of 0")
    check(rates, range(3), steps=1, warmup=0, peak=1.0, floor=0.1, about="a run of one step")
    check(rates, range(25), steps=20, warmup=5, peak=0.1, floor=0.1, about="floor and peak the same")
    check(rates, range(10), steps=10, warmup=3, peak=2, floor=1, about="whole numbers")
    check(rates, range(9), steps=8, warmup=3, peak=3e-5, floor=3e-6, within=(1e-4, 1e-9), about="small rates")
    check(cosine_with_warmup, 0, 5, 1, 1.0, 0.1, about="a warm-up of one step")
    check(cosine_with_warmup, 6, 10, 2, 2.0, 0.2, about="another peak")
    check(rates, [1, 900, 5000], steps=2000, warmup=10, peak=1.0, floor=0.25, about="far steps")
    check(cosine_with_warmup, 4, 4, 0, 1.0, 0.0, about="the end itself")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Given: the shape of a model, and the tables of RoPE
# The weights are those of the LLaMA chapter, in the form `x @ W`:
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
# 4·4 + 2 + 3·2 + 2 + 1 + 1) = 128 bytes of numbers, 156 in all. If its weights were 1, 2, 3, … in the order of the cell above
# (so `Wq` is `[[5, 6], [7, 8]]`, `Wu` is 25 and 26, and `Wd` is 27 and 28), the file would say
#
# ```
# 1 2   3 4   5 7 6 8   9 11 10 12   13 15 14 16   17 19 18 20   21 22   23 24   27 28   25 26   29 30   1   0
# ```
#
# The last two are the cosine and the sine of the only angle, 0.
#
# Hint 1 (a nudge): Which of the arrays have to be transposed? `embed` has a row for each token in both forms.
#
# Hint 2 (the approach): Make a list of arrays in the order of the table, with a loop over the names inside which you
# loop over the layers. At the end turn each into float32 and join their bytes.
#
# Hint 3 (the edges): `tobytes()` writes in C order unless you ask for another, also for a transposed array. A vector
# does not mind `.T`, so the norms need no case of their own. NumPy's own types are wider than four bytes: say which
# ones you want.


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
SMALLEST = Config(dim=2, hidden=1, layers=1, heads=1, kv_heads=1, vocab=1, max_len=1, tied=True)
TIED = Config(dim=4, hidden=3, layers=2, heads=2, kv_heads=1, vocab=5, max_len=2, tied=True)
UNTIED = Config(dim=8, hidden=6, layers=2, heads=2, kv_heads=1, vocab=3, max_len=3)


def counted(config, dtype=np.float64):
    """Weights 1, 2, 3, … in the order of the cell above."""
    D, F, kv, numbers = config.dim, config.hidden, config.kv_heads * config.head_dim, itertools.count(1)

    def take(*shape):
        return np.array([next(numbers) for _ in range(math.prod(shape))], dtype).reshape(shape)

    shapes = {"attn_norm": (D,), "Wq": (D, D), "Wk": (D, kv), "Wv": (D, kv), "Wo": (D, D)}
    shapes |= {"mlp_norm": (D,), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
    embed = take(config.vocab, D)
    blocks = [{name: take(*shape) for name, shape in shapes.items()} for _ in range(config.layers)]
    norm = take(D)
    return {"embed": embed, "blocks": blocks, "norm": norm, "head": embed.T if config.tied else take(D, config.vocab)}


def size(config, weights):
    """How many bytes there are."""
    return len(export_checkpoint(config, weights))


def header(config, weights):
    """The first seven numbers."""
    return np.frombuffer(export_checkpoint(config, weights)[:28], "<i4")


def numbers(config, weights):
    """The numbers behind the header."""
    data = export_checkpoint(config, weights)
    return np.frombuffer(data[28 : len(data) // 4 * 4], "<f4")


def test_export_checkpoint():
    """Header, order, orientation, tables and head, read back number by number."""
    first = [1, 2, 3, 4, 5, 7, 6, 8, 9, 11, 10, 12, 13, 15, 14, 16]
    last = [17, 19, 18, 20, 21, 22, 23, 24, 27, 28, 25, 26, 29, 30, 1, 0]
    check(size, SMALLEST, counted(SMALLEST), gives=156)
    check(header, SMALLEST, counted(SMALLEST), gives=[2, 1, 1, 1, 1, 1, 1])
    check(numbers, SMALLEST, counted(SMALLEST), gives=np.array(first + last, float))
    for config in (TIED, UNTIED):
        check(size, config, counted(config))
        check(header, config, counted(config))
        check(numbers, config, counted(config))
    ### BEGIN HIDDEN TESTS
    square = Config(dim=6, hidden=6, layers=2, heads=1, kv_heads=1, vocab=6, max_len=3)
    check(numbers, square, counted(square), about="every matrix is square, not tied")
    far = Config(dim=12, hidden=5, layers=3, heads=3, kv_heads=3, vocab=4, max_len=4, rope_base=500.0, tied=True)
    check(numbers, far, counted(far), about="three layers, another base for RoPE")
    check(header, far, counted(far), about="three layers")
    check(numbers, UNTIED, counted(UNTIED, np.float32), about="weights in single precision")
    check(numbers, TIED, counted(TIED) | {"embed": np.asfortranarray(counted(TIED)["embed"])}, about="an embedding that lies in another order")
    alike = counted(UNTIED)
    check(size, UNTIED, alike | {"head": alike["embed"].T.copy()}, about="not tied, and a head that is like the embedding")
    check(numbers, TIED, counted(TIED, int), about="weights that are whole numbers")
    check(export_checkpoint, SMALLEST, counted(SMALLEST), about="the bytes themselves")
    ### END HIDDEN TESTS


# %% [markdown]
# ## Put together: a model of one table
#
# The smallest language model is a table of `V × V` logits: row `a` says what comes after `a`. Nothing in it needs autograd,
# so five of your functions train it. When they work, run `train_table(...)` on any text; after a few hundred steps the loss is
# near that of counting pairs. On the page a LLaMA is trained in the same way, with PyTorch in the place of `loss_gradient`.


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
