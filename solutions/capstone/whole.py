# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # The way back
#
# A model learns from gradients (梯度), and so far PyTorch has worked most of them out. You have written two yourself: that
# of the loss, and that of the softmax. Four small ones are left, and with them a whole LLaMA trains in NumPy alone.
#
# **When you are done you can** send a gradient back through a matrix, an embedding, a norm and a gated network, and say
# why each has the shape that it has.
#
# **You need** the chain rule and broadcasting in NumPy, and the parts of a LLaMA. Plan about 60 minutes.
#
# **Shapes.** `...` any leading axes (batch and places, or none), `D` width, `F` width inside the network, `V` tokens in the
# vocabulary. `dout` is always the gradient of the loss by the output, shaped as the output; `dx` that by `x`, shaped as `x`.
#
# Each exercise stands alone: none of them needs your answer to another one. To test a gradient of your own without a
# formula, move one number a little and see what the loss does (有限差分 finite differences).

# %%
import numpy as np

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## `matmul_backward`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# Almost all numbers of a model stand in matrices that tokens are multiplied by: `y = x @ W`. The loss moves with `y` by
# `dout`. How does it move with `x`, and how with `W`?
#
# `matmul_backward(x, W, dout)` takes `x` `(..., D)`, `W` `(D, F)` and `dout` `(..., F)`, and returns `(dx, dW)`, of the
# shapes of `x` and of `W`. All tokens share one matrix, so `dW` is the **sum** of what each of them asks for.
#
# By hand: one token (1, 2), and `W` with the rows (3, 0) and (0, 5), so `y` is (3, 10). Let the loss be the second number
# of `y`: `dout` is (0, 1). Raising the first number of `x` does nothing to it and raising the second adds five times as
# much, so `dx` is (0, 5). The entry in row 1 and column 2 of `W` meets the 1, the one below it the 2: `dW` has the rows
# (0, 1) and (0, 2).
#
# Hint 1 (a nudge): One number of `y` is a sum of products of a number of `x` and a number of `W`. What is such a product's
# derivative by either?
#
# Hint 2 (the approach): Each number of `x` reaches every column, weighted by `W`. Each number of `W` meets one number of
# every token.
#
# Hint 3 (the shapes): `dout` `(..., F)` times `W` the other way round, `(F, D)`, is shaped as `x`. For `dW` lay all tokens
# below each other, `(n, D)` and `(n, F)`, and let the `n` be summed away.


# %% nbgrader={"grade_id": "matmul_backward", "solution": true}
def matmul_backward(x: np.ndarray, W: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (dx, dW) of x (..., D) and W (D, F), from the gradient dout (..., F) by x @ W."""
    ### BEGIN SOLUTION
    rows, drows = x.reshape(-1, x.shape[-1]), dout.reshape(-1, dout.shape[-1])  # (n, D), (n, F)
    return dout @ W.T, rows.T @ drows
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_matmul_backward", "grade": true, "points": 2}
def test_matmul_backward():
    """Each gradient has the shape of what it belongs to, and all tokens add up in that of the matrix."""
    check(matmul_backward, np.array([1.0, 2.0]), np.array([[3.0, 0.0], [0.0, 5.0]]), np.array([0.0, 1.0]), gives=([0.0, 5.0], [[0.0, 1.0], [0.0, 2.0]]))
    x, W = np.arange(12.0).reshape(2, 2, 3) - 4, np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 2.0]])
    check(matmul_backward, x, W, np.array([[[1.0, 0.0], [2.0, -1.0]], [[0.0, 3.0], [1.0, 1.0]]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    for shape, width in [((5,), 4), ((1, 3), 3), ((4, 3), 1), ((3, 2, 4), 4), ((2, 1, 3, 2), 5)]:
        W, dout = rng.random((shape[-1], width)) - 0.5, rng.random((*shape[:-1], width)) - 0.5
        check(matmul_backward, rng.random(shape) - 0.5, W, dout, about=f"x of shape {shape} and W of shape {W.shape}")
    check(matmul_backward, np.array([[2, 1], [0, 3]]), np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1.5, 0, 2], [3, 1, 1]]), about="whole numbers")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `embed_backward`
# *difficulty ●●○ · importance ●●○ · 10 min*
#
# The embedding (词嵌入) gives each id its row of a table. On the way back, each row of the table gets what the places ask for
# that used it. An id that comes three times gets three requests, and they **add up**. A row that nobody used gets zeros.
#
# `embed_backward(ids, dout, V)` takes the ids `(...)`, whole numbers from 0 to V − 1, and the gradient `dout` `(..., D)`
# of what came out of the table. It returns the gradient of the table, `(V, D)`.
#
# By hand: the ids 1, 0, 1 and `dout` with the rows (1, 2), (3, 4), (10, 20). Row 0 was used once and gets (3, 4). Row 1 was
# used twice and gets (1, 2) + (10, 20) = (11, 22). With V = 3, row 2 gets (0, 0).
#
# Hint 1 (a nudge): What does `table[ids] += dout` do with an id that stands in `ids` twice? Try it on three ids.
#
# Hint 2 (the approach): Go through the places one by one, or let NumPy add at places that may come more than once.
#
# Hint 3 (the shapes): Lay the places in one row: ids `(n,)`, and `dout` `(n, D)`.


# %% nbgrader={"grade_id": "embed_backward", "solution": true}
def embed_backward(ids: np.ndarray, dout: np.ndarray, V: int) -> np.ndarray:
    """Gradient (V, D) of the table of an embedding, from ids (...) and the gradient dout (..., D) by what came out."""
    ### BEGIN SOLUTION
    table = np.zeros((V, dout.shape[-1]))
    np.add.at(table, ids, dout)  # adds for every place, where an id comes more than once, too
    return table
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_embed_backward", "grade": true, "points": 2}
def test_embed_backward():
    """What several places ask of one row adds up, and a row that nobody used gets zeros."""
    check(embed_backward, np.array([1, 0, 1]), np.array([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]), 3, gives=[[3.0, 4.0], [11.0, 22.0], [0.0, 0.0]])
    check(embed_backward, np.array([[2, 2], [2, 4]]), np.arange(12.0).reshape(2, 2, 3) / 4, 5)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(2)
    for shape, V in [((7,), 3), ((2, 5), 4), ((1,), 6), ((3, 1, 4), 2)]:
        check(embed_backward, rng.integers(0, V, shape), rng.random((*shape, 4)) - 0.5, V, about=f"ids of shape {shape}")
    check(embed_backward, np.array([0, 0, 2]), np.array([[1, 2], [3, 4], [5, 6]]), 3, about="whole numbers in dout")
    check(embed_backward, np.array([1, 0, 1]), np.array([[1.0], [3.0], [10.0]]), 3, about="rows of one number")
    check(embed_backward, np.array([200, 3], np.uint8), np.array([[1.0, 2.0], [3.0, 4.0]]), 201, about="ids in bytes")
    check(embed_backward, np.array(1), np.array([1.0, 2.0]), 3, about="one id alone")
    check(embed_backward, np.array([], dtype=int), np.zeros((0, 2)), 2, about="no ids")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `rms_norm_backward`
# *difficulty ●●● · importance ●●○ · 20 min*
#
# RMSNorm divides a token by the root of its mean square, $r = \sqrt{\mathrm{mean}(x^2) + \varepsilon}$, and multiplies by a
# gain (增益): $y = n \cdot g$ with $n = x / r$. Every number of the token stands in $r$, so each output moves with each of them.
#
# `rms_norm_backward(x, gain, dout, eps)` takes `x` `(..., D)`, `gain` `(D,)` and `dout` `(..., D)`. It returns
# `(dx, dgain)`, of the shapes of `x` and of `gain`; all tokens add up in `dgain`.
#
# By hand, with `eps` = 0: the token (1, 7) has r = 5 and n = (0.2, 1.4). Let `gain` be (1, 1) and the loss the first output,
# so `dout` is (1, 0). If r stood still, the gradient would be (1, 0) / 5. But a larger $x_1$ makes r larger too. What has to
# go is the part of (1, 0) along n: the mean of (1, 0) · n is 0.1, and (1, 0) − 0.1 · (0.2, 1.4) = (0.98, −0.14). Divided by 5,
# `dx` is (0.196, −0.028). It stands at a right angle to (1, 7): making the token longer changes nothing, since the norm takes
# it away. `dgain` is `dout` · n = (0.2, 0).
#
# Hint 1 (a nudge): With `dn = dout * gain`, how does the loss move if all of `x` grows by one per cent? It must be zero.
#
# Hint 2 (the approach): Work with `dn` and `n`. Take away from `dn` what points along `n`: the mean of `dn * n`, times `n`.
# Divide by `r` at the end.
#
# Hint 3 (the shapes): The mean is over the last axis and keeps it, `(..., 1)`. For `dgain`, sum over all axes but the last.


# %% nbgrader={"grade_id": "rms_norm_backward", "solution": true}
def rms_norm_backward(x: np.ndarray, gain: np.ndarray, dout: np.ndarray, eps: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (dx, dgain) of x (..., D) and gain (D,), from the gradient dout (..., D) by RMSNorm's output."""
    ### BEGIN SOLUTION
    r = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + eps)  # (..., 1)
    n, dn = x / r, dout * gain  # (..., D)
    along = np.mean(dn * n, axis=-1, keepdims=True)  # (..., 1), what the norm takes away again
    return (dn - along * n) / r, (dout * n).reshape(-1, len(gain)).sum(axis=0)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rms_norm_backward", "grade": true, "points": 3}
def test_rms_norm_backward():
    """A longer token changes nothing, so dx has no part along x; all tokens add up in dgain."""
    check(rms_norm_backward, np.array([1.0, 7.0]), np.ones(2), np.array([1.0, 0.0]), 0.0, gives=([0.196, -0.028], [0.2, 0.0]))
    x, gain = np.array([[3.0, 1.0, -2.0], [0.5, 0.0, 4.0]]), np.array([1.0, 2.0, -0.5])
    check(rms_norm_backward, x, gain, np.array([[1.0, -1.0, 2.0], [0.0, 3.0, 1.0]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    for shape in [(1,), (6,), (1, 4), (5, 1), (3, 4), (2, 3, 5), (2, 1, 2, 3)]:
        x, dout = rng.random(shape) * 4 - 2, rng.random(shape) - 0.5
        check(rms_norm_backward, x, rng.random(shape[-1]) + 0.5, dout, about=f"x of shape {shape}")
    check(rms_norm_backward, np.array([[0.1, -0.2], [0.0, 0.0]]), np.ones(2), np.ones((2, 2)), 0.1, about="a large eps")
    check(rms_norm_backward, np.array([2, 1, 2]), np.array([1, 3, 1]), np.array([1, 0, 2]), about="whole numbers")
    check(rms_norm_backward, np.array([0.001, 0.007]), np.ones(2), np.array([1.0, 0.0]), 0.0, about="no eps")
    check(rms_norm_backward, np.array([[2.0, 1.0]]), np.array([0.0, 3.0]), np.array([[1.0, 2.0]]), about="a gain of 0")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `swiglu_backward`
# *difficulty ●●● · importance ●●○ · 20 min*
#
# The network of a LLaMA is $y = (\mathrm{silu}(a) \odot b)\,W_d$ with $a = xW_g$, the gate (门控), and $b = xW_u$. Here
# $\mathrm{silu}(a) = a\,\sigma(a)$ and $\sigma(a) = 1 / (1 + e^{-a})$.
#
# `swiglu_backward(x, Wg, Wu, Wd, dout)` takes `x` `(..., D)`, `Wg` and `Wu` `(D, F)`, `Wd` `(F, D)` and `dout` `(..., D)`. It
# returns `(dx, dWg, dWu, dWd)` in this order, each shaped as what it belongs to. `x` is used twice, for the gate and for
# `b`, so what comes back on both ways **adds up**.
#
# By hand, with one number everywhere: x = 2, all three matrices 1, so a = b = 2. σ(2) = 0.8808, silu(2) = 1.7616, y = 3.5232.
# The slope of silu at 2 is σ + a σ (1 − σ) = 0.8808 + 2 · 0.8808 · 0.1192 = 1.0908. With `dout` = 1: `dWd` is 3.5232; by the
# gate comes 2 · 1.0908 = 2.1816 and by b 1.7616, so `dWg` is 2 · 2.1816 = 4.3632, `dWu` 2 · 1.7616 = 3.5232, and `dx` the
# sum 2.1816 + 1.7616 = 3.9432.
#
# Hint 1 (a nudge): Draw the way forward as boxes, `x` → `a`, `b` → their product → `y`, and go back box by box.
#
# Hint 2 (the approach): For each product by a matrix there are two gradients, one for what came in and one for the matrix.
# Where two numbers are multiplied, each one's gradient is that of the product times the other. silu's slope is σ + a σ (1 − σ).
#
# Hint 3 (the shapes): The gradients by `a` and by `b` are `(..., F)`. Lay the tokens below each other for the matrices'.


# %% nbgrader={"grade_id": "swiglu_backward", "solution": true}
def swiglu_backward(
    x: np.ndarray, Wg: np.ndarray, Wu: np.ndarray, Wd: np.ndarray, dout: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dWg, dWu, dWd) of x (..., D), Wg and Wu (D, F), Wd (F, D), from dout (..., D)."""
    ### BEGIN SOLUTION
    a, b = x @ Wg, x @ Wu  # (..., F)
    e = np.exp(-np.abs(a))  # (..., F) never above 1
    sigmoid = np.where(a >= 0, 1, e) / (1 + e)  # (..., F)
    dinside = dout @ Wd.T  # (..., F)
    da = dinside * b * (sigmoid + a * sigmoid * (1 - sigmoid))  # (..., F)
    db = dinside * a * sigmoid  # (..., F)
    rows = [t.reshape(-1, t.shape[-1]) for t in (x, da, db, a * sigmoid * b, dout)]  # (n, D or F)
    return da @ Wg.T + db @ Wu.T, rows[0].T @ rows[1], rows[0].T @ rows[2], rows[3].T @ rows[4]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_swiglu_backward", "grade": true, "points": 3}
def test_swiglu_backward():
    """The gate's slope is that of SiLU, x hears from both ways, and all tokens add up in the matrices."""
    one = np.ones((1, 1))
    check(swiglu_backward, np.array([2.0]), one, one, one, np.array([1.0]), gives=([3.9432], [[4.3632]], [[3.5232]], [[3.5232]]))
    x, Wg = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[1.0, 0.5, -1.0], [2.0, -0.5, 0.0]])
    Wu, Wd = np.array([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]]), np.array([[1.0, 0.0], [2.0, -1.0], [0.5, 3.0]])
    check(swiglu_backward, x, Wg, Wu, Wd, np.array([[1.0, 2.0], [-1.0, 0.5]]))
    check(swiglu_backward, np.array([[800.0], [-800.0]]), one, one, one, np.array([[1.0], [1.0]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(4)
    for shape, F in [((3,), 2), ((1, 2), 4), ((4, 2), 1), ((2, 3, 4), 4), ((2, 1, 2, 3), 5)]:
        x, dout, D = rng.random(shape) * 4 - 2, rng.random(shape) - 0.5, shape[-1]
        matrices = [rng.random(size) * 2 - 1 for size in [(D, F), (D, F), (F, D)]]
        check(swiglu_backward, x, *matrices, dout, about=f"x of shape {shape} and F = {F}")
    check(swiglu_backward, np.array([1, 2]), np.eye(2, dtype=int), np.eye(2, dtype=int), np.eye(2, dtype=int), np.array([1, 3]), about="whole numbers")
    check(swiglu_backward, np.array([[0.0], [-9.0]]), one, one, one, np.array([[1.0], [1.0]]), about="a gate of 0, and one far below")
    ### END HIDDEN TESTS
