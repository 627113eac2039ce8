"""Wrong solutions of the attention chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import numpy as np
from scipy.special import softmax as scipy_softmax

from autograder.course.bank import right, wrong

# The notebook `weights`


@wrong("softmax", says="overflow")
def soft_without_shift(x, axis=-1):
    """The formula as printed: exp overflows for large numbers."""
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="maximum of the whole array")
def soft_shifted_by_the_global_maximum(x, axis=-1):
    """One maximum for the whole array: a row far below it becomes 0/0."""
    e = np.exp(x - x.max())
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="was not followed")
def soft_hard_coded_axis(x, axis=-1):
    """The axis is always the last one, whatever was asked for."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("softmax", says="keepdims=True")
def soft_sum_without_keepdims(x, axis=-1):
    """The sum loses its axis: wrong on a square, an error elsewhere."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis)


@wrong("softmax", says="sum is over the whole array")
def soft_over_everything(x, axis=-1):
    """One sum for the whole array."""
    e = np.exp(x - x.max())
    return e / e.sum()


@wrong("softmax", says="exponential is missing")
def soft_without_exp(x, axis=-1):
    """The numbers are divided by their sum, without the exponential."""
    return x / x.sum(axis=axis, keepdims=True)


@wrong("softmax", says="sign is wrong")
def soft_of_the_negatives(x, axis=-1):
    """max - x in place of x - max."""
    e = np.exp(x.min(axis=axis, keepdims=True) - x)
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="clipped")
def soft_clipped(x, axis=-1):
    """Large numbers are clipped to avoid the overflow."""
    e = np.exp(np.clip(x, -700, 700))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="shifted exponentials were not divided")
def soft_not_normalised(x, axis=-1):
    """The division is forgotten."""
    return np.exp(x - x.max(axis=axis, keepdims=True))


@wrong("softmax", says="sum is over the whole array")
def soft_sum_without_axis(x, axis=-1):
    """The maximum is taken along the axis, the sum over everything."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum()


@wrong("softmax", says="maximum needs keepdims=True too")
def soft_max_without_keepdims(x, axis=-1):
    """The maxima lose their axis: wrong on a square, an error elsewhere."""
    e = np.exp(x - x.max(axis=axis))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="2 to the power x")
def soft_base_two(x, axis=-1):
    """2 to the power x."""
    e = 2 ** (x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax", says="logarithm of the weights")
def soft_log(x, axis=-1):
    """The log-softmax."""
    m = x.max(axis=axis, keepdims=True)
    return x - m - np.log(np.exp(x - m).sum(axis=axis, keepdims=True))


@right("softmax")
def soft_by_logarithms(x, axis=-1):
    """exp of x minus its log-sum-exp."""
    m = np.max(x, axis=axis, keepdims=True)
    return np.exp(x - m - np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True)))


@right("softmax")
def soft_with_moved_axis(x, axis=-1):
    """The axis is brought to the front, where reductions broadcast by themselves."""
    y = np.moveaxis(np.asarray(x, dtype=float), axis, 0)
    e = np.exp(y - y.max(0))
    return np.moveaxis(e / e.sum(0), 0, axis)


@right("softmax")
def soft_in_float32(x, axis=-1):
    """In single precision, changed in place on a copy of its own."""
    y = np.array(x, dtype=np.float32)
    y -= y.max(axis=axis, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y


@right("softmax")
def soft_by_differences(x, axis=-1):
    """1 over the sum of exp(other - own); nested lists come back."""
    y = np.moveaxis(np.asarray(x), axis, -1)
    with np.errstate(over="ignore"):
        p = 1 / np.exp(y[..., None, :] - y[..., :, None]).sum(-1)
    return np.moveaxis(p, -1, axis).tolist()


# --- scaled_scores ---


@wrong("scaled_scores", says="scale is missing")
def scores_unscaled(q, k):
    """The dot products, not divided."""
    return q @ np.swapaxes(k, -1, -2)


@wrong("scaled_scores", says="divided by d itself")
def scores_over_d(q, k):
    """Divided by d, not by its root."""
    return q @ np.swapaxes(k, -1, -2) / q.shape[-1]


@wrong("scaled_scores", says="root of Tq")
def scores_over_root_of_queries(q, k):
    """Divided by the root of the number of queries."""
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-2])


@wrong("scaled_scores", says="number of keys")
def scores_over_root_of_keys(q, k):
    """Divided by the root of the number of keys."""
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-2])


@wrong("scaled_scores", says="before the split into heads")
def scores_over_root_of_model_width(q, k):
    """After a head split still divided by the root of the model's width."""
    width = q.shape[-1] * (q.shape[-3] if q.ndim == 4 else 1)
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(width)


@wrong("scaled_scores", says="q and k are swapped")
def scores_swapped(q, k):
    """Keys in the rows, queries in the columns."""
    return k @ np.swapaxes(q, -1, -2) / np.sqrt(q.shape[-1])


@wrong("scaled_scores", says=".T reverses all")
def scores_with_dot_t(q, k):
    """.T, which reverses the batch axes too."""
    return q @ k.T / np.sqrt(q.shape[-1])


@wrong("scaled_scores", says="weights, not scores")
def scores_after_softmax(q, k):
    """The softmax is applied already."""
    return scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)


@wrong("scaled_scores", says="multiplied by the root")
def scores_times_root(q, k):
    """Multiplied by the root of d."""
    return q @ np.swapaxes(k, -1, -2) * np.sqrt(q.shape[-1])


@wrong("scaled_scores", says="cosines")
def scores_cosine(q, k):
    """Divided by the lengths of the vectors."""
    q, k = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (q, k))
    return q @ np.swapaxes(k, -1, -2)


@wrong("scaled_scores", says=".T reverses all")
def scores_one_text_only(q, k):
    """An einsum for two axes only."""
    return np.einsum("qd,kd->qk", q, k) / np.sqrt(q.shape[-1])


@right("scaled_scores")
def scores_with_einsum(q, k):
    """One einsum."""
    return np.einsum("...qd,...kd->...qk", q, k) * q.shape[-1] ** -0.5


@right("scaled_scores")
def scores_scaled_beforehand(q, k):
    """The queries are scaled before the product, which is written as a broadcast sum."""
    q = q / np.sqrt(k.shape[-1])
    return (q[..., :, None, :] * k[..., None, :, :]).sum(-1)


@right("scaled_scores")
def scores_in_float32(q, k):
    """In single precision, text by text."""
    q, k = q.astype(np.float32), k.astype(np.float32)
    if q.ndim == 2:
        return q @ k.T / np.float32(np.sqrt(q.shape[1]))
    return np.stack([scaled_scores(a, b) for a, b in zip(q, k)])


# --- attention ---


@wrong("attention", says="mask is inverted")
def attn_mask_inverted(q, k, v, mask=None):
    """True is taken for 'hidden'."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if mask is not None:
        s = np.where(mask, -1e30, s)
    w = scipy_softmax(s, axis=-1)
    return w @ v, w


@wrong("attention", says="after the softmax, so the rows")
def attn_mask_after_softmax(q, k, v, mask=None):
    """The weights are masked, not the scores: the rows no longer sum to 1."""
    w = scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)
    if mask is not None:
        w = w * mask
    return w @ v, w


@wrong("attention", says="runs over the queries")
def attn_softmax_over_queries(q, k, v, mask=None):
    """The softmax runs over the query axis."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if mask is not None:
        s = np.where(mask, s, -1e30)
    w = scipy_softmax(s, axis=-2)
    return w @ v, w


@wrong("attention", says="scale is missing")
def attn_unscaled(q, k, v, mask=None):
    """The scores are not divided by the root of d."""
    s = q @ np.swapaxes(k, -1, -2)
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-1)
    w = w if mask is None else np.where(mask, w, 0.0)
    return w @ v, w


@wrong("attention", says="a score of 0 still gets weight")
def attn_hidden_scores_zero(q, k, v, mask=None):
    """Hidden scores become 0, which still gets weight."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else s * mask, axis=-1)
    return w @ v, w


@wrong("attention", says="mask is ignored")
def attn_mask_ignored(q, k, v, mask=None):
    """The mask is not used."""
    w = scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)
    return w @ v, w


@wrong("attention", says="as the numbers 0 and 1")
def attn_mask_added(q, k, v, mask=None):
    """The boolean mask is added to the scores."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else s + mask, axis=-1)
    return w @ v, w


@wrong("attention", says="NaN where a query may look at nothing")
def attn_nan_on_empty_row(q, k, v, mask=None):
    """-inf without a thought for a query that sees nothing."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -np.inf), axis=-1)
    return w @ v, w


@wrong("attention", says="may look at nothing must have weights 0")
def attn_uniform_on_empty_row(q, k, v, mask=None):
    """-1e9 alone: a query that sees nothing looks at everything equally."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e9), axis=-1)
    return w @ v, w


@wrong("attention", says="broadcast")
def attn_mask_by_indexing(q, k, v, mask=None):
    """Boolean indexing, which does not broadcast."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if mask is not None:
        s[~mask] = -1e30
    w = scipy_softmax(s, axis=-1)
    return w @ v, w


@wrong("attention", says="pair is swapped")
def attn_pair_swapped(q, k, v, mask=None):
    """(weights, output) in place of (output, weights)."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-1)
    return w, w @ v


@wrong("attention", says="return both")
def attn_output_only(q, k, v, mask=None):
    """The weights are not returned."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-1)
    return w @ v


@wrong("attention", says="by scores, not by weights")
def attn_mixes_by_scores(q, k, v, mask=None):
    """The values are mixed by the scores."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-1)
    return s @ v, w


@wrong("attention", says="divided by their sums")
def attn_renormalised(q, k, v, mask=None):
    """Masked after the softmax and divided again: right until a hidden key has taken all the weight."""
    w = scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)
    if mask is not None:
        w = w * mask
        total = w.sum(-1, keepdims=True)
        seen = np.broadcast_to(mask, w.shape).any(-1, keepdims=True)
        w = np.where(seen, w / np.where(seen, total, 1.0), 0.0)
    return w @ v, w


@wrong("attention", says="too mild")
def attn_fill_too_mild(q, k, v, mask=None):
    """-100 is taken for minus infinity."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -100.0), axis=-1)
    if mask is not None:
        w = np.where(np.broadcast_to(mask, w.shape).any(-1, keepdims=True), w, 0.0)
    return w @ v, w


@wrong("attention", says="exp of a large score overflows")
def attn_without_shift(q, k, v, mask=None):
    """exp without the maximum, masked before it is divided."""
    e = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    if mask is not None:
        e = np.where(mask, e, 0.0)
    total = e.sum(-1, keepdims=True)
    w = e / np.where(total == 0, 1.0, total)
    return w @ v, w


@wrong("attention", says="weights were transposed for the output")
def attn_weights_transposed(q, k, v, mask=None):
    """The output mixes by columns."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-1)
    w = w if mask is None else np.where(mask, w, 0.0)
    return np.swapaxes(w, -1, -2) @ v, w


@wrong("attention", says="made with the unmasked weights")
def attn_output_unmasked(q, k, v, mask=None):
    """The mask reaches the weights that are returned, not the output."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    full = scipy_softmax(s, axis=-1)
    if mask is None:
        return full @ v, full
    w = np.where(mask, scipy_softmax(np.where(mask, s, -1e30), axis=-1), 0.0)
    return full @ v, w


@right("attention")
def attn_with_einsum(q, k, v, mask=None):
    """einsum, and the exponentials masked before they are normalised."""
    s = np.einsum("...qd,...kd->...qk", q, k) / np.sqrt(k.shape[-1])
    allowed = np.broadcast_to(True if mask is None else mask, s.shape)
    s = np.where(allowed, s, -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0.0))
    total = e.sum(-1, keepdims=True)
    w = e / np.where(total == 0, 1.0, total)
    return np.einsum("...qk,...kv->...qv", w, v), w


@right("attention")
def attn_row_by_row(q, k, v, mask=None):
    """A loop over the queries, with softmax over the visible keys only."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    allowed = np.broadcast_to(True if mask is None else mask, s.shape)
    w = np.zeros_like(s)
    for i in np.ndindex(s.shape[:-1]):
        if allowed[i].any():
            w[i][allowed[i]] = scipy_softmax(s[i][allowed[i]])
    return w @ v, w


@right("attention")
def attn_in_float32(q, k, v, mask=None):
    """In single precision, with -inf and the NaN of an empty row set to 0; a list comes back."""
    q, k, v = (a.astype(np.float32) for a in (q, k, v))
    s = q @ np.swapaxes(k, -1, -2) / np.float32(np.sqrt(q.shape[-1]))
    if mask is not None:
        s = np.where(mask, s, np.float32(-np.inf))
    w = np.nan_to_num(scipy_softmax(s, axis=-1))
    return [w @ v, w]


# The notebook `heads`


@wrong("causal_mask", says="diagonal is excluded")
def causal_without_self(q_len, k_len):
    """A token may look at earlier tokens only, not at itself."""
    return np.tril(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len - 1)


@wrong("causal_mask", says="q_len by q_len")
def causal_square_only(q_len, k_len):
    """The mask is always square: the number of keys is forgotten."""
    return np.tril(np.ones((q_len, q_len), dtype=bool))


@wrong("causal_mask", says="k_len by k_len")
def causal_square_of_keys(q_len, k_len):
    """The mask is always square: every key gets a row."""
    return np.tril(np.ones((k_len, k_len), dtype=bool))


@wrong("causal_mask", says="triangle is swapped")
def causal_upper_triangle(q_len, k_len):
    """The upper triangle in place of the lower one."""
    return np.triu(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len)


@wrong("causal_mask", says="inverted")
def causal_true_means_hidden(q_len, k_len):
    """True marks what is hidden, as in nn.MultiheadAttention."""
    return np.triu(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len + 1)


@wrong("causal_mask", says="first query was aligned with the first key")
def causal_aligned_at_the_start(q_len, k_len):
    """The triangle starts at the top left, although the queries are the last tokens."""
    return np.tril(np.ones((q_len, k_len), dtype=bool))


@wrong("causal_mask", says="dtype bool")
def causal_minus_infinity(q_len, k_len):
    """A mask of 0 and -inf to add to the scores."""
    return np.triu(np.full((q_len, k_len), -np.inf), k=k_len - q_len + 1)


@wrong("causal_mask", says="everything is allowed")
def causal_allows_everything(q_len, k_len):
    """A mask that hides nothing."""
    return np.ones((q_len, k_len), dtype=bool)


@wrong("causal_mask", says="one later key")
def causal_one_too_many(q_len, k_len):
    """j - i <= offset + 1: the next token is seen too."""
    return np.tri(q_len, k_len, k_len - q_len + 1, dtype=bool)


@wrong("causal_mask", says="offset is turned round")
def causal_offset_turned_round(q_len, k_len):
    """q_len - k_len in place of k_len - q_len."""
    return np.tri(q_len, k_len, q_len - k_len, dtype=bool)


@right("causal_mask")
def causal_with_tri(q_len, k_len):
    """np.tri with an offset."""
    return np.tri(q_len, k_len, k_len - q_len, dtype=bool)


@right("causal_mask")
def causal_with_loops(q_len, k_len):
    """Cell by cell, counted from the end."""
    mask = np.zeros((q_len, k_len), dtype=bool)
    for i in range(q_len):
        for j in range(k_len):
            mask[i, j] = q_len - i <= k_len - j
    return mask


@right("causal_mask")
def causal_as_lists(q_len, k_len):
    """Nested lists of True and False."""
    return [[j <= i for j in range(k_len)] for i in range(k_len - q_len, k_len)]


# --- padding_mask ---


@wrong("padding_mask", says="masks the queries")
def padding_on_the_query_axis(lengths, T):
    """The mask broadcasts over the keys and hides queries."""
    return (np.arange(T) < np.asarray(lengths)[:, None])[:, None, :, None]


@wrong("padding_mask", says="off by one: one padding token")
def padding_one_token_too_many(lengths, T):
    """<= in place of <."""
    return np.arange(T) <= np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask", says="off by one: the last real token")
def padding_one_token_too_few(lengths, T):
    """The length is taken for the index of the first hidden place plus one."""
    return np.arange(T) < np.asarray(lengths)[:, None, None, None] - 1


@wrong("padding_mask", says="inverted")
def padding_true_means_padding(lengths, T):
    """True marks the padding, as in key_padding_mask."""
    return np.arange(T) >= np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask", says="NaN")
def padding_minus_infinity(lengths, T):
    """0 and -inf to add to the scores: an empty row turns into NaN in the softmax."""
    return np.where(np.arange(T) < np.asarray(lengths)[:, None, None, None], 0.0, -np.inf)


@wrong("padding_mask", says="an empty sentence got one real token")
def padding_empty_row_clipped(lengths, T):
    """To dodge the NaN of an empty row, its first padding token is called real."""
    return np.arange(T) < np.maximum(np.asarray(lengths), 1)[:, None, None, None]


@wrong("padding_mask", says="axes for heads and queries are missing")
def padding_two_axes(lengths, T):
    """Shape (B, T), which lines up with queries and keys instead of the batch."""
    return np.arange(T) < np.asarray(lengths)[:, None]


@wrong("padding_mask", says="on the left")
def padding_on_the_left(lengths, T):
    """The real tokens are expected at the end of the row."""
    return np.arange(T) >= T - np.asarray(lengths)[:, None, None, None]


@right("padding_mask")
def padding_with_loop(lengths, T):
    """Row by row."""
    mask = np.zeros((len(lengths), 1, 1, T), dtype=bool)
    for b, n in enumerate(lengths):
        mask[b, 0, 0, :n] = True
    return mask


@right("padding_mask")
def padding_with_table(lengths, T):
    """Row n of a triangle has n real tokens."""
    return np.tri(T + 1, T, -1, dtype=bool)[np.asarray(lengths)].reshape(-1, 1, 1, T)


@right("padding_mask")
def padding_as_lists(lengths, T):
    """Nested lists of True and False."""
    return [[[[t < n for t in range(T)]]] for n in lengths.tolist()]


# --- self_attention ---


@wrong("self_attention", says="transposed")
def self_weights_transposed(x, Wq, Wk, Wv):
    """x @ W.T, as nn.Linear stores it."""
    return attend(x @ Wq.T, x @ Wk.T, x @ Wv.T)


@wrong("self_attention", says="one projection is shared by queries and keys")
def self_shared_query_key(x, Wq, Wk, Wv):
    """The keys use the queries' weights."""
    return attend(x @ Wq, x @ Wq, x @ Wv)


@wrong("self_attention", says="one projection is shared by queries, keys and values")
def self_one_projection_for_all(x, Wq, Wk, Wv):
    """One matrix makes queries, keys and values."""
    h = x @ Wq
    return attend(h, h, h)


@wrong("self_attention", says="previous token")
def self_keys_from_previous_step(x, Wq, Wk, Wv):
    """Each place gets the key of the token before it."""
    return attend(x @ Wq, np.roll(x, 1, axis=1) @ Wk, x @ Wv)


@wrong("self_attention", says="the first has none")
def self_keys_shifted(x, Wq, Wk, Wv):
    """The key of the token before, and zeros for the first token."""
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    return attend(x @ Wq, before @ Wk, x @ Wv)


@wrong("self_attention", says="keys and values come from the previous token")
def self_sees_the_step_before(x, Wq, Wk, Wv):
    """Keys and values are taken before the present token is added, as in a cache that is filled too late."""
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    return attend(x @ Wq, before @ Wk, before @ Wv)


@wrong("self_attention", says="in a chain")
def self_projections_in_a_chain(x, Wq, Wk, Wv):
    """The name x is reused, so each projection starts from the one before."""
    q = x = x @ Wq
    k = x = x @ Wk
    v = x @ Wv
    return attend(q, k, v)


@wrong("self_attention", says="queries and keys are swapped")
def self_query_key_swapped(x, Wq, Wk, Wv):
    """Queries and keys change places."""
    return attend(x @ Wk, x @ Wq, x @ Wv)


@wrong("self_attention", says="not projected")
def self_values_not_projected(x, Wq, Wk, Wv):
    """The weights mix the tokens themselves, not their values."""
    return attend(x @ Wq, x @ Wk, x)


@wrong("self_attention", says="no token looks at itself")
def self_excludes_itself(x, Wq, Wk, Wv):
    """The keys are "the other positions"."""
    return attend(x @ Wq, x @ Wk, x @ Wv, ~np.eye(x.shape[1], dtype=bool))


@wrong("self_attention", says="not divided by √d")
def self_without_scale(x, Wq, Wk, Wv):
    """Written out by hand, without the scale."""
    return scipy_softmax((x @ Wq) @ (x @ Wk).transpose(0, 2, 1), axis=-1) @ (x @ Wv)


@wrong("self_attention", says="divided by √D")
def self_scale_of_the_model_width(x, Wq, Wk, Wv):
    """The root of x's width in place of the query's."""
    return scipy_softmax((x @ Wq) @ (x @ Wk).transpose(0, 2, 1) / np.sqrt(x.shape[-1]), axis=-1) @ (x @ Wv)


@wrong("self_attention", says="runs over the queries")
def self_softmax_over_queries(x, Wq, Wk, Wv):
    """axis=1, which is the queries."""
    scores = (x @ Wq) @ (x @ Wk).transpose(0, 2, 1) / np.sqrt(Wq.shape[1])
    return scipy_softmax(scores, axis=1) @ (x @ Wv)


@wrong("self_attention", says="across the batch")
def self_across_the_batch(x, Wq, Wk, Wv):
    """The batch is flattened to one long text."""
    rows = x.reshape(-1, x.shape[-1])
    return attend(rows @ Wq, rows @ Wk, rows @ Wv).reshape(*x.shape[:2], -1)


@wrong("self_attention", says="keys and values are swapped")
def self_keys_values_swapped(x, Wq, Wk, Wv):
    """The arguments of attend in another order."""
    return attend(x @ Wq, x @ Wv, x @ Wk)


@wrong("self_attention", says="causal mask is applied")
def self_causal(x, Wq, Wk, Wv):
    """A mask that nobody asked for."""
    return attend(x @ Wq, x @ Wk, x @ Wv, np.tri(x.shape[1], dtype=bool))


@right("self_attention")
def self_with_einsum(x, Wq, Wk, Wv):
    """All in einsum."""
    q, k, v = (np.einsum("btc,cd->btd", x, W) for W in (Wq, Wk, Wv))
    weights = scipy_softmax(np.einsum("bqd,bkd->bqk", q, k) / q.shape[-1] ** 0.5, axis=-1)
    return np.einsum("bqk,bkd->bqd", weights, v)


@right("self_attention")
def self_with_loops(x, Wq, Wk, Wv):
    """Sentence by sentence, query by query."""
    out = []
    for sentence in x:
        k, v = sentence @ Wk, sentence @ Wv
        rows = []
        for token in sentence:
            e = np.exp(k @ (token @ Wq) / np.sqrt(Wq.shape[1]))
            rows.append(e @ v / e.sum())
        out.append(rows)
    return np.array(out)


@right("self_attention")
def self_in_float32(x, Wq, Wk, Wv):
    """The same in single precision."""
    x, Wq, Wk, Wv = (a.astype(np.float32) for a in (x, Wq, Wk, Wv))
    return attend(x @ Wq, x @ Wk, x @ Wv)


# --- split_heads ---


@wrong("split_heads", says="reshape without a transpose")
def split_by_reshape_alone(x, H):
    """One reshape to the final shape: a head holds a few whole tokens."""
    B, T, D = x.shape
    return x.reshape(B, H, T, D // H)


@wrong("split_heads", says="axes of tokens and heads are not swapped")
def split_without_swap(x, H):
    """The last axis is cut and nothing is moved."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H)


@wrong("split_heads", says="shapes do not fit")
def split_width_not_divided(x, H):
    """D is not divided by H."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D).transpose(0, 2, 1, 3)


@wrong("split_heads", says="interleaved")
def split_interleaved(x, H):
    """(d, H) in place of (H, d): head h takes every H-th column."""
    B, T, D = x.shape
    return x.reshape(B, T, D // H, H).transpose(0, 3, 1, 2)


@wrong("split_heads", says="before the batch")
def split_heads_first(x, H):
    """np.split stacks the heads in front of the batch."""
    return np.stack(np.split(x, H, axis=-1))


@wrong("split_heads", says="mixed up")
def split_width_for_heads(x, H):
    """H is taken for the width of a head."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H).transpose(0, 3, 1, 2)


@wrong("split_heads", says="same slice")
def split_same_slice(x, H):
    """Every head gets the first slice."""
    d = x.shape[-1] // H
    return np.stack([x[:, :, :d] for _ in range(H)], axis=1)


@right("split_heads")
def split_with_slices(x, H):
    """Slice by slice."""
    d = x.shape[-1] // H
    return np.stack([x[..., h * d : (h + 1) * d] for h in range(H)], axis=1)


@right("split_heads")
def split_with_swapaxes(x, H):
    """Reshape with -1, then swapaxes."""
    return np.swapaxes(x.reshape(*x.shape[:2], H, -1), 1, 2)


@right("split_heads")
def split_number_by_number(x, H):
    """Number by number, into an array of its own."""
    B, T, D = x.shape
    d = D // H
    out = np.empty((B, H, T, d), dtype=np.float32)
    for i in range(D):
        out[:, i // d, :, i % d] = x[:, :, i]
    return out


# --- merge_heads ---


@wrong("merge_heads", says="reshape without a transpose")
def merge_by_reshape_alone(x):
    """One reshape: undoes a split that is a bare reshape, and is wrong like it."""
    B, H, T, d = x.shape
    return x.reshape(B, T, H * d)


@wrong("merge_heads", says="interleaved")
def merge_interleaved(x):
    """The heads alternate number by number."""
    B, H, T, d = x.shape
    return x.transpose(0, 2, 3, 1).reshape(B, T, H * d)


@wrong("merge_heads", says="added or averaged")
def merge_by_mean(x):
    """The heads are averaged away."""
    return x.mean(axis=1)


@wrong("merge_heads", says="added or averaged")
def merge_by_sum(x):
    """The heads are added up."""
    return x.sum(axis=1)


@wrong("merge_heads", says="wrong axes are swapped")
def merge_wrong_axes(x):
    """Heads and width are swapped in place of heads and tokens."""
    B, H, T, d = x.shape
    return x.transpose(0, 3, 2, 1).reshape(B, T, H * d)


@wrong("merge_heads", says="not joined")
def merge_not_joined(x):
    """The axes are swapped and left apart."""
    return x.transpose(0, 2, 1, 3)


@wrong("merge_heads", says="reverse order")
def merge_last_head_first(x):
    """The last head comes first."""
    return np.concatenate([x[:, h] for h in range(x.shape[1] - 1, -1, -1)], axis=-1)


@right("merge_heads")
def merge_with_concatenate(x):
    """Head by head, side by side."""
    return np.concatenate([x[:, h] for h in range(x.shape[1])], axis=-1)


@right("merge_heads")
def merge_with_einsum(x):
    """einsum swaps the axes, reshape joins them."""
    B, H, T, d = x.shape
    return np.einsum("bhtd->bthd", x).reshape(B, T, H * d)


@right("merge_heads")
def merge_as_lists(x):
    """Nested lists."""
    B, H, T, d = x.shape
    return [[[float(x[b, h, t, i]) for h in range(H) for i in range(d)] for t in range(T)] for b in range(B)]


# --- multi_head_attention ---


@wrong("multi_head_attention", says="divided by √D")
def mha_scale_by_model_width(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The scale is the model width's, not the head's."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D)
    if causal:
        scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    return (scipy_softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="Wo is missing")
def mha_without_output_projection(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The merged heads are returned as they are."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).transpose(0, 2, 1, 3).reshape(B, T, D)


@wrong("multi_head_attention", says="averaged")
def mha_heads_averaged(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The heads are averaged, and the first rows of Wo used."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    heads = attend(q, k, v, np.tri(T, dtype=bool) if causal else None)
    return heads.mean(axis=1) @ Wo[: D // H]


@wrong("multi_head_attention", says="averaged")
def mha_heads_averaged_no_wo(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The heads are averaged, and Wo does not fit any more."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).mean(axis=1)


@wrong("multi_head_attention", says="reshape without a transpose (and so is the merge)")
def mha_bare_reshapes(x, Wq, Wk, Wv, Wo, H, causal=False):
    """Split and merge are bare reshapes, whose round trip is perfect."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, H, T, D // H) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="merge of the heads is a reshape")
def mha_merge_by_reshape(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The split is right; the way back forgets the transpose."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="causal is ignored")
def mha_causal_ignored(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The flag is accepted and never used."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="always on")
def mha_always_causal(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The causal mask is there whatever the flag says."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool)).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="causal mask is inverted")
def mha_causal_upper_triangle(x, Wq, Wk, Wv, Wo, H, causal=False):
    """With causal=True, tokens look at themselves and the future."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    mask = np.triu(np.ones((T, T), dtype=bool)) if causal else None
    return attend(q, k, v, mask).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="only one head")
def mha_single_head(x, Wq, Wk, Wv, Wo, H, causal=False):
    """H is ignored."""
    return attend(x @ Wq, x @ Wk, x @ Wv, np.tri(x.shape[1], dtype=bool) if causal else None) @ Wo


@wrong("multi_head_attention", says="Wo is transposed")
def mha_output_projection_transposed(x, Wq, Wk, Wv, Wo, H, causal=False):
    """Wo.T, as nn.Linear stores it."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo.T


@wrong("multi_head_attention", says="interleaved")
def mha_interleaved(x, Wq, Wk, Wv, Wo, H, causal=False):
    """(d, H) in place of (H, d), on the way in and on the way out."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, D // H, H).transpose(0, 3, 1, 2) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).transpose(0, 2, 3, 1).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="before it is projected")
def mha_cuts_x(x, Wq, Wk, Wv, Wo, H, causal=False):
    """x is cut into heads, and the projections are left out since they no longer fit."""
    B, T, D = x.shape
    h = x.reshape(B, T, H, D // H).transpose(0, 2, 1, 3)
    return attend(h, h, h, np.tri(T, dtype=bool) if causal else None).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="queries and keys are swapped")
def mha_query_key_swapped(x, Wq, Wk, Wv, Wo, H, causal=False):
    """Queries and keys change places."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wk, Wq, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None).transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo


@wrong("multi_head_attention", says="shapes do not fit")
def mha_not_merged(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The heads are not merged before Wo."""
    B, T, D = x.shape
    q, k, v = ((x @ W).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    return attend(q, k, v, np.tri(T, dtype=bool) if causal else None) @ Wo


@right("multi_head_attention")
def mha_with_head_loop(x, Wq, Wk, Wv, Wo, H, causal=False):
    """One head after the other, each adding its rows of Wo."""
    D = x.shape[-1]
    d = D // H
    mask = np.tril(np.ones((x.shape[1], x.shape[1]))) > 0 if causal else None
    out = np.zeros_like(x)
    for s in (slice(h * d, (h + 1) * d) for h in range(H)):
        out += attend(x @ Wq[:, s], x @ Wk[:, s], x @ Wv[:, s], mask) @ Wo[s]
    return out


@right("multi_head_attention")
def mha_with_einsum(x, Wq, Wk, Wv, Wo, H, causal=False):
    """The weights are cut into heads, not the projections."""
    B, T, D = x.shape
    q, k, v = (np.einsum("btc,chd->bhtd", x, W.reshape(D, H, D // H)) for W in (Wq, Wk, Wv))
    scores = np.einsum("bhqd,bhkd->bhqk", q, k) * (D // H) ** -0.5
    if causal:
        scores = scores + np.triu(np.full((T, T), -np.inf), 1)
    return np.einsum("bhqk,bhkd,hdc->bqc", scipy_softmax(scores, axis=-1), v, Wo.reshape(H, D // H, D))


@right("multi_head_attention")
def mha_in_float32(x, Wq, Wk, Wv, Wo, H, causal=False):
    """In single precision, text by text and head by head."""
    x, Wq, Wk, Wv, Wo = (a.astype(np.float32) for a in (x, Wq, Wk, Wv, Wo))
    mask = np.arange(x.shape[1]) <= np.arange(x.shape[1])[:, None] if causal else None
    cut = [np.split(W, H, axis=1) for W in (Wq, Wk, Wv)]
    return [np.hstack([attend(t @ a, t @ b, t @ c, mask) for a, b, c in zip(*cut)]) @ Wo for t in x]


# --- cross_attention ---


@wrong("cross_attention", says="queries and memory are swapped")
def cross_roles_swapped(x, memory, Wq, Wk, Wv):
    """The memory asks and x answers."""
    return attend(memory @ Wq, x @ Wk, x @ Wv)


@wrong("cross_attention", says="causal mask is kept")
def cross_causal_kept(x, memory, Wq, Wk, Wv):
    """The decoder's causal mask is kept for the memory."""
    mask = np.tri(x.shape[1], memory.shape[1], dtype=bool)
    return attend(x @ Wq, memory @ Wk, memory @ Wv, mask)


@wrong("cross_attention", says="memory is ignored")
def cross_memory_ignored(x, memory, Wq, Wk, Wv):
    """Self-attention over x."""
    return attend(x @ Wq, x @ Wk, x @ Wv)


@wrong("cross_attention", says="values come from x")
def cross_values_from_x(x, memory, Wq, Wk, Wv):
    """Only the keys come from the memory."""
    return attend(x @ Wq, memory @ Wk, x @ Wv)


@wrong("cross_attention", says="keys come from x")
def cross_keys_from_x(x, memory, Wq, Wk, Wv):
    """Only the values come from the memory."""
    return attend(x @ Wq, x @ Wk, memory @ Wv)


@wrong("cross_attention", says="x is appended to the memory")
def cross_memory_and_x(x, memory, Wq, Wk, Wv):
    """The queries look at the memory and at x."""
    both = np.concatenate([memory, x], axis=1)
    return attend(x @ Wq, both @ Wk, both @ Wv)


@wrong("cross_attention", says="not divided by √d")
def cross_without_scale(x, memory, Wq, Wk, Wv):
    """Written out by hand, without the scale."""
    return scipy_softmax(x @ Wq @ (memory @ Wk).transpose(0, 2, 1), axis=-1) @ (memory @ Wv)


@wrong("cross_attention", says="Wq and Wk are swapped")
def cross_weights_swapped(x, memory, Wq, Wk, Wv):
    """Wk projects x, Wq the memory."""
    return (
        attend(x @ Wk, memory @ Wq, memory @ Wv) if Wq.shape == Wk.shape else attend(x @ Wq, memory @ Wk, memory @ Wv)
    )


@wrong("cross_attention", says="one projection is shared by keys and values")
def cross_shared_key_value(x, memory, Wq, Wk, Wv):
    """The keys are the values."""
    return attend(x @ Wq, memory @ Wk, memory @ Wk)


@wrong("cross_attention", says="values are not projected")
def cross_values_not_projected(x, memory, Wq, Wk, Wv):
    """The memory itself is mixed."""
    return attend(x @ Wq, memory @ Wk, memory)


@right("cross_attention")
def cross_with_einsum(x, memory, Wq, Wk, Wv):
    """Scores in one einsum, without naming queries and keys."""
    scores = np.einsum("bqc,cd,md,bkm->bqk", x, Wq, Wk, memory) / np.sqrt(Wq.shape[1])
    return np.einsum("bqk,bkm,mv->bqv", scipy_softmax(scores, axis=-1), memory, Wv)


@right("cross_attention")
def cross_project_after_mixing(x, memory, Wq, Wk, Wv):
    """Mixes the memory first and projects the mixture: the same, since the weighted sum is linear."""
    return attend(x @ Wq, memory @ Wk, memory) @ Wv


@right("cross_attention")
def cross_with_loops(x, memory, Wq, Wk, Wv):
    """Text by text and token by token, in single precision; nested lists of arrays."""
    out = []
    for a, m in zip(x.astype(np.float32), memory.astype(np.float32)):
        k, v = m @ Wk, m @ Wv
        out.append([scipy_softmax(k @ (t @ Wq) / np.sqrt(Wq.shape[1])) @ v for t in a])
    return out


# --- sinusoidal_positions ---


@wrong("sinusoidal_positions", says="two halves")
def positions_in_halves(T, D, base=10000.0):
    """All sines, then all cosines."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


@wrong("sinusoidal_positions", says="base is ignored")
def positions_base_hard_coded(T, D, base=10000.0):
    """10000 is written into the formula."""
    angles = np.arange(T)[:, None] * 10000.0 ** (-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="the base is e")
def positions_log_of_base_lost(T, D, base=10000.0):
    """exp(-2i/D) without the factor log(base)."""
    angles = np.arange(T)[:, None] * np.exp(-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="even and odd columns are swapped")
def positions_cosine_first(T, D, base=10000.0):
    """Cosines in the even columns."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="different speeds")
def positions_exponent_per_column(T, D, base=10000.0):
    """Every column has its own exponent: the odd ones are off by one."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(D) / D)
    return np.where(np.arange(D) % 2 == 0, np.sin(angles), np.cos(angles))


@wrong("sinusoidal_positions", says="i/D instead of 2i/D")
def positions_exponent_not_doubled(T, D, base=10000.0):
    """The pair's number in place of the column's."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(D // 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="doubled twice")
def positions_exponent_doubled_twice(T, D, base=10000.0):
    """arange(0, D, 2) is 2i already, and is doubled again."""
    angles = np.arange(T)[:, None] * base ** (-2 * np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="count from 1")
def positions_from_one(T, D, base=10000.0):
    """The first position is 1."""
    angles = np.arange(1, T + 1)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="wrong sign")
def positions_exponent_sign(T, D, base=10000.0):
    """Multiplies by base^(2i/D) in place of dividing."""
    angles = np.arange(T)[:, None] * base ** (np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="sines only")
def positions_sines_only(T, D, base=10000.0):
    """The same sine in both columns of a pair."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.repeat(np.sin(angles), 2, axis=1)


@wrong("sinusoidal_positions", says="cosines only")
def positions_cosines_only(T, D, base=10000.0):
    """The same cosine in both columns of a pair."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.repeat(np.cos(angles), 2, axis=1)


@wrong("sinusoidal_positions", says="same speed")
def positions_one_speed(T, D, base=10000.0):
    """All pairs turn by one radian a step."""
    angles = np.arange(T)[:, None] * np.ones(D // 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="spread up to 1")
def positions_linspace(T, D, base=10000.0):
    """linspace(0, 1) for the exponents: the last speed is 1/base."""
    angles = np.arange(T)[:, None] * base ** -np.linspace(0, 1, D // 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


@wrong("sinusoidal_positions", says="positions are the rows")
def positions_transposed(T, D, base=10000.0):
    """A column for each position."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D).T


@right("sinusoidal_positions")
def positions_with_complex_numbers(T, D, base=10000.0):
    """e^(i·angle): its imaginary part is the sine, its real part the cosine."""
    turns = np.exp(1j * np.outer(np.arange(T), np.exp(-np.log(base) * np.arange(0, D, 2) / D)))
    return np.stack([turns.imag, turns.real], axis=-1).reshape(T, D)


@right("sinusoidal_positions")
def positions_with_loops(T, D, base=10000.0):
    """Number by number."""
    table = np.zeros((T, D))
    for t in range(T):
        for i in range(D // 2):
            angle = t / base ** (2 * i / D)
            table[t, 2 * i], table[t, 2 * i + 1] = np.sin(angle), np.cos(angle)
    return table


@right("sinusoidal_positions")
def positions_in_float32(T, D, base=10000.0):
    """The same in single precision."""
    angles = np.arange(T, dtype=np.float32)[:, None] / np.float32(base) ** (np.arange(0, D, 2, dtype=np.float32) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)


# The notebook `cost`


@wrong("softmax_backward", says="only the diagonal")
def softmax_grad_diagonal(p, dp):
    """Only the diagonal of the Jacobian."""
    return p * (1 - p) * dp


@wrong("softmax_backward", says="average is not taken away")
def softmax_grad_product(p, dp):
    """The exponential's own derivative only."""
    return p * dp


@wrong("softmax_backward", says="average is added")
def softmax_grad_sum_added(p, dp):
    """The average is added in place of taken away."""
    return p * (dp + (p * dp).sum(-1, keepdims=True))


@wrong("softmax_backward", says="sign is wrong")
def softmax_grad_negative(p, dp):
    """The average minus dp: all signs are turned."""
    return p * ((p * dp).sum(-1, keepdims=True) - dp)


@wrong("softmax_backward", says="last factor p is missing")
def softmax_grad_without_p(p, dp):
    """The average is taken away and the factor p forgotten."""
    return dp - (p * dp).sum(-1, keepdims=True)


@wrong("softmax_backward", says="whole array")
def softmax_grad_global_sum(p, dp):
    """One average for all rows."""
    return p * (dp - (p * dp).sum())


@wrong("softmax_backward", says="wrong axis (-2)")
def softmax_grad_over_rows(p, dp):
    """The average runs down the columns."""
    axis = -2 if p.ndim > 1 else -1
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


@wrong("softmax_backward", says="first axis")
def softmax_grad_over_axis_0(p, dp):
    """Axis 1 is taken for the last one, which it is in a table only."""
    axis = min(1, p.ndim - 1) if p.ndim < 3 else 0
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


@wrong("softmax_backward", says="keepdims=True")
def softmax_grad_without_keepdims(p, dp):
    """The sums lose their axis."""
    return p * (dp - (p * dp).sum(-1))


@wrong("softmax_backward", says="not weighted")
def softmax_grad_plain_mean(p, dp):
    """The plain mean of dp in place of the weighted one."""
    return p * (dp - dp.mean(-1, keepdims=True))


@wrong("softmax_backward", says="weight it by p")
def softmax_grad_plain_sum(p, dp):
    """The sum of dp, not weighted."""
    return p * (dp - dp.sum(-1, keepdims=True))


@wrong("softmax_backward", says="divided by n")
def softmax_grad_mean_of_products(p, dp):
    """mean in place of sum."""
    return p * (dp - (p * dp).mean(-1, keepdims=True))


@wrong("softmax_backward", says="without its factor p")
def softmax_grad_brackets_lost(p, dp):
    """The brackets are lost: p multiplies dp only."""
    return p * dp - (p * dp).sum(-1, keepdims=True)


@wrong("softmax_backward", says="holds the weights already")
def softmax_grad_softmax_twice(p, dp):
    """p is taken for the scores."""
    p = scipy_softmax(p, axis=-1)
    return p * (dp - (p * dp).sum(-1, keepdims=True))


@wrong("softmax_backward", says="cross-entropy")
def softmax_grad_of_cross_entropy(p, dp):
    """The well-known p - y, with dp taken for the labels."""
    return p - dp


@wrong("softmax_backward", says="Jacobian; multiply it by dp")
def softmax_grad_jacobian_itself(p, dp):
    """The Jacobian is returned."""
    return p[..., None] * (np.eye(p.shape[-1]) - p[..., None, :])


@wrong("softmax_backward", says="shapes do not fit")
def softmax_grad_one_row_only(p, dp):
    """np.diag and np.outer, which are for one row."""
    return (np.diag(p) - np.outer(p, p)) @ dp


@right("softmax_backward")
def softmax_grad_einsum(p, dp):
    """With einsum."""
    return p * dp - p * np.einsum("...i,...i->...", p, dp)[..., None]


@right("softmax_backward")
def softmax_grad_jacobian(p, dp):
    """With the whole Jacobian."""
    j = p[..., None] * np.eye(p.shape[-1]) - p[..., None] * p[..., None, :]
    return (j @ dp[..., None])[..., 0]


@right("softmax_backward")
def softmax_grad_row_by_row(p, dp):
    """A loop over the rows, changed in place on a copy of its own, in single precision."""
    ds = np.array(dp, dtype=np.float32)
    for i in np.ndindex(p.shape[:-1]):
        ds[i] -= p[i] @ dp[i]
        ds[i] *= p[i]
    return ds


@right("softmax_backward")
def softmax_grad_as_lists(p, dp):
    """Number by number, returned as nested lists."""
    if p.ndim > 1:
        return [softmax_grad_as_lists_row for softmax_grad_as_lists_row in map(softmax_backward, p, dp)]
    n = range(len(p))
    return [sum(p[i] * ((i == j) - p[j]) * dp[j] for j in n) for i in n]


# --- attention_backward ---


@wrong("attention_backward", says="scale is lost")
def backward_without_scale(q, k, v, dout):
    """The scale is lost on the way back."""
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="dk: the scale is lost")
def backward_scale_in_dq_only(q, k, v, dout):
    """The scale is remembered for dq and forgotten for dk."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    return ds @ k / r, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="scale is applied twice")
def backward_scale_twice(q, k, v, dout):
    """The scale goes into ds and once more into dq and dk."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k / r, np.swapaxes(ds, -1, -2) @ q / r, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="scale is upside down")
def backward_scale_upside_down(q, k, v, dout):
    """Multiplied by the root of d on the way back."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) * r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="computed without the scale")
def backward_forward_unscaled(q, k, v, dout):
    """The scale is missing in the forward pass too."""
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2), axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="only the diagonal")
def backward_diagonal(q, k, v, dout):
    """Diagonal softmax Jacobian."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    ds = p * (1 - p) * (dout @ np.swapaxes(v, -1, -2)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="average is not taken away")
def backward_without_sum(q, k, v, dout):
    """The softmax's average is forgotten."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    ds = p * (dout @ np.swapaxes(v, -1, -2)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="runs over the queries (axis -2)")
def backward_sum_over_queries(q, k, v, dout):
    """The softmax's average runs down the columns."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-2, keepdims=True)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="softmax step is left out")
def backward_without_softmax_step(q, k, v, dout):
    """The gradient by the weights is taken for that by the scores."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    ds = dout @ np.swapaxes(v, -1, -2) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="dq and dk are swapped")
def backward_swapped(q, k, v, dout):
    """dq and dk change places in the result."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return np.swapaxes(ds, -1, -2) @ q, ds @ k, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says="dq and dv are swapped")
def backward_in_order_of_work(q, k, v, dout):
    """Returned in the order in which they are found: dv, dk, dq."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return np.swapaxes(p, -1, -2) @ dout, np.swapaxes(ds, -1, -2) @ q, ds @ k


@wrong("attention_backward", says="weights are not transposed")
def backward_dv_untransposed(q, k, v, dout):
    """dv = P dO, which fits only where there are as many queries as keys."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, p @ dout


@wrong("attention_backward", says="the table is not transposed")
def backward_dk_untransposed(q, k, v, dout):
    """dk = dS Q, which fits only where there are as many queries as keys."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, ds @ q, np.swapaxes(p, -1, -2) @ dout


@wrong("attention_backward", says=".T reverses all of them")
def backward_with_dot_t(q, k, v, dout):
    """.T, which reverses the batch axis too."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ k.T / r, axis=-1)
    dp = dout @ v.T
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, ds.T @ q, p.T @ dout


@wrong("attention_backward", says="leading axis is summed away")
def backward_summed_over_the_batch(q, k, v, dout):
    """einsum leaves the batch out of the result, as for a weight that all texts share."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    lead = tuple(range(q.ndim - 2))
    return (ds @ k).sum(lead), (np.swapaxes(ds, -1, -2) @ q).sum(lead), (np.swapaxes(p, -1, -2) @ dout).sum(lead)


@wrong("attention_backward", says="scale is applied to dv")
def backward_scale_on_dv(q, k, v, dout):
    """All three gradients are divided by the root of d."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout / r


@right("attention_backward")
def backward_einsum(q, k, v, dout):
    """With einsum."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(np.einsum("...id,...jd->...ij", q, k) / r, axis=-1)
    dp = np.einsum("...id,...jd->...ij", dout, v)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, np.einsum("...ij,...id->...jd", ds, q), np.einsum("...ij,...id->...jd", p, dout)


@right("attention_backward")
def backward_through_output(q, k, v, dout):
    """The row sum taken from the output; a list in place of a tuple."""
    r = np.sqrt(q.shape[-1])
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    ds = p * (dout @ np.swapaxes(v, -1, -2) - (dout * (p @ v)).sum(-1, keepdims=True)) / r
    return [ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout]


@right("attention_backward")
def backward_query_by_query(q, k, v, dout):
    """One query at a time, its Jacobian written out, the gradients collected in place; the scale goes into q."""
    r = np.sqrt(q.shape[-1])
    dq, dk, dv = (np.zeros(a.shape) for a in (q, k, v))
    for i in np.ndindex(q.shape[:-1]):
        b = i[:-1]
        p = scipy_softmax(k[b] @ (q[i] / r))
        ds = (np.diag(p) - np.outer(p, p)) @ (v[b] @ dout[i])
        dq[i] = ds @ k[b] / r
        dk[b] += np.outer(ds, q[i] / r)
        dv[b] += np.outer(p, dout[i])
    return dq, dk, dv


@right("attention_backward")
def backward_in_float32(q, k, v, dout):
    """In single precision."""
    q, k, v, dout = (a.astype(np.float32) for a in (q, k, v, dout))
    r = np.float32(np.sqrt(q.shape[-1]))
    p = scipy_softmax(q @ np.swapaxes(k, -1, -2) / r, axis=-1)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / r
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


# --- online_softmax ---


@wrong("online_softmax", says="old sum is not rescaled")
def online_without_rescale(tile, m=-np.inf, ell=0.0):
    """The rescale factor is lost."""
    new = max(m, tile.max())
    return new, ell + np.exp(tile - new).sum()


@wrong("online_softmax", says="maximum is not carried")
def online_max_not_carried(tile, m=-np.inf, ell=0.0):
    """The maximum is that of the tile, and the old sum is rescaled to it."""
    new = tile.max()
    return new, ell * np.exp(m - new) + np.exp(tile - new).sum()


@wrong("online_softmax", says="this tile alone")
def online_tile_alone(tile, m=-np.inf, ell=0.0):
    """What came before is not looked at."""
    return tile.max(), np.exp(tile - tile.max()).sum()


@wrong("online_softmax", says="thrown away")
def online_old_sum_lost(tile, m=-np.inf, ell=0.0):
    """The maximum is carried, the sum is not."""
    new = max(m, tile.max())
    return new, np.exp(tile - new).sum()


@wrong("online_softmax", says="tile's own maximum")
def online_tile_against_its_own(tile, m=-np.inf, ell=0.0):
    """The old sum is rescaled to the new maximum, the tile is measured against its own."""
    new = max(m, tile.max())
    return new, ell * np.exp(m - new) + np.exp(tile - tile.max()).sum()


@wrong("online_softmax", says="upside down")
def online_factor_upside_down(tile, m=-np.inf, ell=0.0):
    """exp(new - old) in place of exp(old - new)."""
    new = max(m, tile.max())
    factor = 1.0 if m == -np.inf else np.exp(new - m)
    return new, ell * factor + np.exp(tile - new).sum()


@wrong("online_softmax", says="new tile is rescaled too")
def online_everything_rescaled(tile, m=-np.inf, ell=0.0):
    """The tile is added first, and then the factor is applied to both."""
    new = max(m, tile.max())
    factor = 1.0 if m == -np.inf else np.exp(m - new)
    return new, (ell + np.exp(tile - new).sum()) * factor


@wrong("online_softmax", says="old m came back")
def online_max_not_updated(tile, m=-np.inf, ell=0.0):
    """The new maximum is used and not returned."""
    new = max(m, tile.max())
    first = m == -np.inf
    return new if first else m, ell * np.exp(m - new) + np.exp(tile - new).sum()


@wrong("online_softmax", says="without m")
def online_overflow(tile, m=-np.inf, ell=0.0):
    """Exponentials without the maximum."""
    new = max(m, tile.max())
    return new, ell + np.exp(tile).sum()


@wrong("online_softmax", says="m starts at 0")
def online_starts_at_zero(tile, m=-np.inf, ell=0.0):
    """To avoid -inf - (-inf), the first maximum is taken for 0."""
    m = 0.0 if m == -np.inf else m
    new = max(m, tile.max())
    return new, ell * np.exp(m - new) + np.exp(tile - new).sum()


@wrong("online_softmax", says="averaged")
def online_mean_of_exponentials(tile, m=-np.inf, ell=0.0):
    """mean in place of sum."""
    new = max(m, tile.max())
    return new, ell * np.exp(m - new) + np.exp(tile - new).mean()


@wrong("online_softmax", says="every score adds a term")
def online_counts_maxima_only(tile, m=-np.inf, ell=0.0):
    """One term a tile."""
    new = max(m, tile.max())
    return new, ell * np.exp(m - new) + np.exp(tile.max() - new)


@wrong("online_softmax", says="not a number")
def online_nan_on_hidden_tile(tile, m=-np.inf, ell=0.0):
    """Right but for a first tile of hidden keys: -inf - (-inf)."""
    new = max(m, tile.max())
    return new, ell * np.exp(m - new) + np.exp(tile - new).sum()


@wrong("online_softmax", says="pair is swapped")
def online_pair_swapped(tile, m=-np.inf, ell=0.0):
    """(ell, m) in place of (m, ell)."""
    new = max(m, tile.max())
    return ell * np.exp(m - new) + np.exp(tile - new).sum(), new


@wrong("online_softmax", says="logarithm")
def online_logsumexp(tile, m=-np.inf, ell=0.0):
    """The logarithm of the sum."""
    new = max(m, tile.max())
    before = ell * np.exp(m - new) if np.isfinite(m) else 0.0
    return new, np.log(before + np.exp(tile - new).sum())


@wrong("online_softmax", says="two rows read in turn")
def online_keeps_a_global(tile, m=-np.inf, ell=0.0):
    """The scores are kept between the calls; a new row is noticed by its missing m."""
    seen = online_softmax.__dict__.setdefault("seen", [])
    if m == -np.inf and ell == 0.0 and not (seen and np.max(np.concatenate(seen)) == -np.inf):
        seen.clear()
    seen.append(tile)
    row = np.concatenate(seen)
    new = row.max()
    return new, 0.0 if new == -np.inf else np.exp(row - new).sum()


@right("online_softmax")
def online_by_element(tile, m=-np.inf, ell=0.0):
    """Number by number; Python floats."""
    for x in tile.tolist():
        if x > m:
            m, ell = x, ell * float(np.exp(m - x)) + 1
        elif x > -np.inf:
            ell += float(np.exp(x - m))
    return m, ell


@right("online_softmax")
def online_with_hidden_keys_dropped(tile, m=-np.inf, ell=0.0):
    """Hidden keys are dropped first; the old sum joins the tile's terms; arrays of one number come back, in a list."""
    tile = tile[tile > -np.inf]
    if not tile.size:
        return [np.array([m]), np.array([ell])]
    scores = np.append(tile, m) if ell else tile
    times = np.append(np.ones(tile.shape), ell) if ell else np.ones(tile.shape)
    new = scores.max(keepdims=True)
    return [new, (times * np.exp(scores - new)).sum(keepdims=True)]


@right("online_softmax")
def online_by_logarithms(tile, m=-np.inf, ell=0.0):
    """The logarithm of the old sum joins the row as one more score."""
    with np.errstate(divide="ignore"):
        row = np.append(tile, m + np.log(ell)) if ell > 0 else tile
    new = np.maximum(m, tile.max())
    total = np.logaddexp.reduce(row)
    return new, np.exp(total - new) if total > -np.inf else np.float64(0.0)


# --- attention_tiled ---


@wrong("attention_tiled", says="neither sum nor mixture is rescaled")
def tiled_without_rescale(q, k_tile, v_tile, state=None):
    """The rescale factor is lost."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    m = np.maximum(m, scores.max(-1, keepdims=True))
    e = np.exp(scores - m)
    ell, mix = ell + e.sum(-1, keepdims=True), mix + e @ v_tile
    return mix / ell, (m, ell, mix)


@wrong("attention_tiled", says="the mixture of values is not")
def tiled_rescales_the_sum_only(q, k_tile, v_tile, state=None):
    """The sum is rescaled, the mixture is not."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e = np.exp(scores - new)
    ell, mix = ell * np.exp(m - new) + e.sum(-1, keepdims=True), mix + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="the sum is not")
def tiled_rescales_the_mixture_only(q, k_tile, v_tile, state=None):
    """The mixture is rescaled, the sum is not."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e = np.exp(scores - new)
    ell, mix = ell + e.sum(-1, keepdims=True), mix * np.exp(m - new) + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="upside down")
def tiled_factor_upside_down(q, k_tile, v_tile, state=None):
    """exp(new - old) in place of exp(old - new)."""
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    top = scores.max(-1, keepdims=True)
    m, ell, mix = (top, 0.0, 0.0) if state is None else state
    new = np.maximum(m, top)
    e = np.exp(scores - new)
    ell = ell * np.exp(new - m) + e.sum(-1, keepdims=True)
    mix = mix * np.exp(new - m) + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="maximum is not carried")
def tiled_own_maximum(q, k_tile, v_tile, state=None):
    """Each tile is measured against its own maximum and added."""
    ell, mix = (0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    e = np.exp(scores - scores.max(-1, keepdims=True))
    ell, mix = ell + e.sum(-1, keepdims=True), mix + e @ v_tile
    return mix / ell, (ell, mix)


@wrong("attention_tiled", says="not the largest so far")
def tiled_last_maximum(q, k_tile, v_tile, state=None):
    """The old sums are rescaled to the tile's maximum, even if it is smaller: right until the factor overflows."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = scores.max(-1, keepdims=True)
    e, c = np.exp(scores - new), np.exp(m - new)
    ell, mix = ell * c + e.sum(-1, keepdims=True), mix * c + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="starts at 0")
def tiled_starts_at_zero(q, k_tile, v_tile, state=None):
    """The first maximum is 0: very negative scores leave nothing to divide by."""
    m, ell, mix = (np.zeros((len(q), 1)), 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e, c = np.exp(scores - new), np.exp(m - new)
    ell, mix = ell * c + e.sum(-1, keepdims=True), mix * c + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="no maximum is taken away")
def tiled_without_maximum(q, k_tile, v_tile, state=None):
    """Plain exponentials: sums need no rescaling, and overflow."""
    ell, mix = (0.0, 0.0) if state is None else state
    e = np.exp(q @ k_tile.T / np.sqrt(q.shape[-1]))
    ell, mix = ell + e.sum(-1, keepdims=True), mix + e @ v_tile
    return mix / ell, (ell, mix)


@wrong("attention_tiled", says="one maximum serves all queries")
def tiled_one_maximum(q, k_tile, v_tile, state=None):
    """max without an axis."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = max(m, scores.max())
    e, c = np.exp(scores - new), np.exp(m - new)
    ell, mix = ell * c + e.sum(-1, keepdims=True), mix * c + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="before it was carried")
def tiled_divides_at_each_tile(q, k_tile, v_tile, state=None):
    """The output is carried in place of the undivided mixture."""
    m, ell, out = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e, c = np.exp(scores - new), np.exp(m - new)
    ell = ell * c + e.sum(-1, keepdims=True)
    out = (out * c + e @ v_tile) / ell
    return out, (new, ell, out)


@wrong("attention_tiled", says="outputs of the tiles are averaged, but")
def tiled_mean_of_tiles(q, k_tile, v_tile, state=None):
    """The mean of the tiles' own attentions."""
    n, total = (0, 0.0) if state is None else state
    total = total + scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    return total / (n + 1), (n + 1, total)


@wrong("attention_tiled", says="by their numbers of keys")
def tiled_mean_by_size(q, k_tile, v_tile, state=None):
    """A mean of the tiles' attentions, weighted by how many keys they have."""
    n, total = (0, 0.0) if state is None else state
    alone = scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    n, total = n + len(k_tile), total + len(k_tile) * alone
    return total / n, (n, total)


@wrong("attention_tiled", says="averaged, but a tile with larger scores")
def tiled_half_and_half(q, k_tile, v_tile, state=None):
    """The mean of the old output and the tile's."""
    alone = scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    out = alone if state is None else (state + alone) / 2
    return out, out


@wrong("attention_tiled", says="softmax of its own, and they are added up")
def tiled_sum_of_softmaxes(q, k_tile, v_tile, state=None):
    """A softmax a tile, added up."""
    total = 0.0 if state is None else state
    total = total + scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    return total, total


@wrong("attention_tiled", says="only the last one counts")
def tiled_state_ignored(q, k_tile, v_tile, state=None):
    """The state is handed back and never used."""
    return scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile, state


@wrong("attention_tiled", says="scale is missing")
def tiled_without_scale(q, k_tile, v_tile, state=None):
    """The scores are not divided by the root of d."""
    m, ell, mix = (-np.inf, 0.0, 0.0) if state is None else state
    scores = q @ k_tile.T
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e, c = np.exp(scores - new), np.exp(m - new)
    ell, mix = ell * c + e.sum(-1, keepdims=True), mix * c + e @ v_tile
    return mix / ell, (new, ell, mix)


@wrong("attention_tiled", says="the state holds")
def tiled_keeps_keys_and_values(q, k_tile, v_tile, state=None):
    """All keys and values are kept, and attention is done in one piece each time."""
    k = k_tile if state is None else np.concatenate([state[0], k_tile])
    v = v_tile if state is None else np.concatenate([state[1], v_tile])
    return scipy_softmax(q @ k.T / np.sqrt(q.shape[-1]), axis=-1) @ v, (k, v)


@wrong("attention_tiled", says="two texts read in turn")
def tiled_keeps_a_global(q, k_tile, v_tile, state=None):
    """The keys and values are kept outside the state."""
    kept = attention_tiled.__dict__.setdefault("kept", [])
    if state is None:
        kept.clear()
    kept.append((k_tile, v_tile))
    k, v = (np.concatenate(a) for a in zip(*kept))
    return scipy_softmax(q @ k.T / np.sqrt(q.shape[-1]), axis=-1) @ v, 1


@wrong("attention_tiled", says="along the wrong axis")
def tiled_factor_as_a_row(q, k_tile, v_tile, state=None):
    """keepdims is forgotten for the factor of the mixture, which fits where Tq equals dv."""
    Tq, width = len(q), v_tile.shape[-1]
    m, ell, mix = (np.full(Tq, -np.inf), np.zeros(Tq), np.zeros((Tq, width))) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1))
    e, c = np.exp(scores - new[:, None]), np.exp(m - new)
    ell = ell * c + e.sum(-1)
    mix = mix * (c if Tq == width else c[:, None]) + e @ v_tile
    return mix / ell[:, None], (new, ell, mix)


@wrong("attention_tiled", says="return both")
def tiled_output_only(q, k_tile, v_tile, state=None):
    """Nothing is handed back for the next tile."""
    return scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile


@right("attention_tiled")
def tiled_query_by_query(q, k_tile, v_tile, state=None):
    """Query by query, with lists in a dict, changed in place."""
    if state is None:
        state = {"m": [-np.inf] * len(q), "sum": [0.0] * len(q), "mix": np.zeros((len(q), v_tile.shape[-1]))}
    for i, a in enumerate(q):
        scores = k_tile @ a / np.sqrt(len(a))
        new = max(state["m"][i], float(scores.max()))
        c, e = float(np.exp(state["m"][i] - new)), np.exp(scores - new)
        state["m"][i], state["sum"][i] = new, state["sum"][i] * c + float(e.sum())
        state["mix"][i] = state["mix"][i] * c + e @ v_tile
    return [mix / total for mix, total in zip(state["mix"], state["sum"])], state


@right("attention_tiled")
def tiled_by_log_sums(q, k_tile, v_tile, state=None):
    """Carries the output itself and the logarithm of the sum, as if the keys so far were one key."""
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    log = np.logaddexp.reduce(scores, axis=-1)
    out = np.exp(scores - log[:, None]) @ v_tile
    if state is not None:
        old_log, old_out = state
        both = np.logaddexp(old_log, log)
        out = np.exp(old_log - both)[:, None] * old_out + np.exp(log - both)[:, None] * out
        log = both
    return out, [log, out]


@right("attention_tiled")
def tiled_key_by_key(q, k_tile, v_tile, state=None):
    """A column of ones beside the values carries the sum; one key at a time; one array is the state."""
    if state is None:
        state = np.zeros((len(q), v_tile.shape[-1] + 2))
        state[:, 0] = -np.inf
    state = state.copy()
    for key, value in zip(k_tile, v_tile):
        score = q @ key / np.sqrt(q.shape[-1])
        new = np.maximum(state[:, 0], score)
        state[:, 1:] *= np.exp(state[:, 0] - new)[:, None]
        state[:, 1:] += np.exp(score - new)[:, None] * np.append(1.0, value)
        state[:, 0] = new
    return state[:, 2:] / state[:, 1:2], state


@right("attention_tiled")
def tiled_in_float32(q, k_tile, v_tile, state=None):
    """In single precision."""
    q, k_tile, v_tile = (a.astype(np.float32) for a in (q, k_tile, v_tile))
    m, ell, mix = (np.float32(-np.inf), np.float32(0), np.float32(0)) if state is None else state
    scores = q @ k_tile.T / np.float32(np.sqrt(q.shape[-1]))
    new = np.maximum(m, scores.max(-1, keepdims=True))
    e, c = np.exp(scores - new), np.exp(m - new)
    ell, mix = ell * c + e.sum(-1, keepdims=True), mix * c + e @ v_tile
    return mix / ell, (new, ell, mix)
