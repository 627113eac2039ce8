"""Wrong solutions of the attention chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names. The
docstring of a wrong one is what a student is told who makes the same mistake.
"""

import numpy as np
from scipy.special import softmax as scipy_softmax

from autograder.course.bank import edit, right, wrong

# The notebook `weights`


angle_asks_the_first_vector_alone = edit(
    "dot_and_angle",
    "The second vector may be zeros, too. Then there is no angle either, and the cosine is 0.",
    ("if lengths == 0:", "if not np.any(u):"),
    hidden=True,
)
@wrong("dot_and_angle")
def angle_lengths_forgotten(u, v):
    """The dot product stands in both places. For the cosine it has to be divided by the lengths of both vectors."""
    return u @ v, u @ v


@wrong("dot_and_angle")
def angle_one_length_only(u, v):
    """Divided by the length of `u` alone, the cosine still grows with `v`: both lengths have to go."""
    length = np.sqrt(u @ u)
    return u @ v, u @ v / length if length else 0.0


@wrong("dot_and_angle")
def angle_other_length_only(u, v):
    """Divided by the length of `v` alone, the cosine still grows with `u`: both lengths have to go."""
    length = np.sqrt(v @ v)
    return u @ v, u @ v / length if length else 0.0


@wrong("dot_and_angle")
def angle_squared_lengths(u, v):
    """Divided by the lengths squared: a length is the root of a vector's dot product with itself."""
    squares = (u @ u) * (v @ v)
    return u @ v, u @ v / squares if squares else 0.0


@wrong("dot_and_angle")
def angle_by_sums(u, v):
    """The lengths are the sums of the numbers. Pythagoras: the length is the root of the sum of their squares."""
    lengths = np.abs(u).sum() * np.abs(v).sum()
    return u @ v, u @ v / lengths if lengths else 0.0


angle_in_degrees = edit(
    "dot_and_angle",
    "That is the angle in degrees. The cosine itself is wanted: no arccos is needed.",
    ("dot, dot / lengths", "dot, float(np.degrees(np.arccos(np.clip(dot / lengths, -1, 1))))"),
)
angle_in_radians = edit(
    "dot_and_angle",
    "That is the angle in radians. The cosine itself is wanted: no arccos is needed.",
    ("dot, dot / lengths", "dot, float(np.arccos(np.clip(dot / lengths, -1, 1)))"),
)
angle_as_a_distance = edit(
    "dot_and_angle",
    "One minus the cosine is a distance, 0 for the same direction. The cosine itself is wanted, which is 1 there.",
    ("dot, dot / lengths", "dot, 1 - dot / lengths"),
)
angle_without_sign = edit(
    "dot_and_angle",
    "The sign is lost: vectors that point apart have a negative cosine.",
    ("dot, dot / lengths", "dot, abs(dot / lengths)"),
)
angle_of_unit_vectors = edit(
    "dot_and_angle",
    "The cosine stands in both places: the dot product is taken of the vectors as they are, lengths included.",
    ("return dot, dot / lengths", "return dot / lengths, dot / lengths"),
)
angle_scaled_like_a_score = edit(
    "dot_and_angle",
    "The dot product is divided by the root of d, as a score of attention is. Here it is asked for as it is.",
    ("dot = float(u @ v)", "dot = float(u @ v) / len(u) ** 0.5"),
    ("dot, dot / lengths", "dot, dot * len(u) ** 0.5 / lengths"),
)
angle_pair_swapped = edit(
    "dot_and_angle",
    "The pair is swapped: the dot product comes first, the cosine second.",
    ("return dot, 0.0", "return 0.0, dot"),
    ("return dot, dot / lengths", "return dot / lengths, dot"),
)
angle_cosine_only = edit(
    "dot_and_angle",
    "One number came back, the cosine: return the pair of dot product and cosine.",
    ("return dot, 0.0", "return 0.0"),
    ("return dot, dot / lengths", "return dot / lengths"),
)
angle_nan_for_zeros = edit(
    "dot_and_angle",
    "A vector of zeros has the length 0, and 0/0 is not a number. Decide that case before you divide: the cosine is 0.",
    ("lengths == 0", "False"),
    ("dot, dot / lengths", "dot, float(np.float64(dot) / lengths)"),
)
angle_one_for_zeros = edit(
    "dot_and_angle",
    "A vector of zeros points nowhere, so it does not agree with anything: its cosine is said to be 0, not 1.",
    ("return dot, 0.0", "return dot, 1.0"),
)
angle_with_epsilon = edit(
    "dot_and_angle",
    "A small number added below the line saves the zeros and spoils very short vectors: ask for the zeros instead.",
    ("dot, dot / lengths", "dot, dot / (lengths + 1e-8)"),
    hidden=True,
)
angle_short_taken_for_zero = edit(
    "dot_and_angle",
    "A very short vector is taken for a vector of zeros. It has a direction: only zeros themselves have none.",
    ("lengths == 0", "lengths < 1e-8"),
    hidden=True,
)


@wrong("dot_and_angle")
def angle_products_not_added(u, v):
    """The products are not added up: the dot product of two vectors is one number."""
    lengths = np.sqrt(u @ u) * np.sqrt(v @ v)
    return u * v, u * v / lengths if lengths else 0.0 * u


@right("dot_and_angle")
def angle_with_loops(u, v):
    """Number by number, in Python."""
    dot = sum(float(a) * float(b) for a, b in zip(u, v))
    length_u, length_v = (sum(float(a) ** 2 for a in vector) ** 0.5 for vector in (u, v))
    return [dot, dot / length_u / length_v if length_u > 0 and length_v > 0 else 0]


@right("dot_and_angle")
def angle_by_directions(u, v):
    """Each vector is brought to length 1 first; an array comes back."""
    directions = [x / np.linalg.norm(x) if x.any() else x * 0.0 for x in (u, v)]
    return np.array([np.sum(u * v), np.clip(np.dot(*directions), -1, 1)])


# --- softmax ---


@wrong("softmax")
def soft_without_shift(x, axis=-1):
    """The exponential of a large number overflows, and infinity over infinity is NaN. Which number may be taken away
    from a whole row without changing its weights?"""
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_shifted_by_the_global_maximum(x, axis=-1):
    """The maximum of the whole array is taken away, so a row far below it is left with 0/0. Each row needs its own."""
    e = np.exp(x - x.max())
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_hard_coded_axis(x, axis=-1):
    """The sums are 1 along the last axis, whatever was asked for: use the argument `axis`."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@wrong("softmax")
def soft_sum_without_keepdims(x, axis=-1):
    """The sum has lost its axis, so it lies along the wrong one when it divides: keep the axis, with length 1."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis)


@wrong("softmax")
def soft_max_without_keepdims(x, axis=-1):
    """The maximum has lost its axis, so each number is measured against another row's: keep the axis, with length 1."""
    e = np.exp(x - x.max(axis=axis))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_over_everything(x, axis=-1):
    """The sum is over the whole array. Each row (or column) along `axis` has a sum of its own, which is 1 in the
    end."""
    e = np.exp(x - x.max())
    return e / e.sum()


@wrong("softmax")
def soft_sum_without_axis(x, axis=-1):
    """The maximum goes along the axis, and the sum over the whole array: each row (or column) sums to 1 by itself."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum()


@wrong("softmax")
def soft_without_exp(x, axis=-1):
    """The numbers themselves are divided by their sum. Their exponentials come first: those are always positive."""
    return x / x.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_of_the_negatives(x, axis=-1):
    """The smallest number has got the largest weight: a sign is turned in the exponent."""
    e = np.exp(x.min(axis=axis, keepdims=True) - x)
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_clipped(x, axis=-1):
    """Large numbers are clipped, so those beyond the limit all count the same. Shift the row instead of cutting it."""
    e = np.exp(np.clip(x, -700, 700))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_not_normalised(x, axis=-1):
    """These are the exponentials. They become weights when each is divided by the sum along the axis."""
    return np.exp(x - x.max(axis=axis, keepdims=True))


@wrong("softmax")
def soft_base_two(x, axis=-1):
    """These are powers of 2; softmax takes powers of e, which is `np.exp`."""
    e = 2 ** (x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@wrong("softmax")
def soft_log(x, axis=-1):
    """These are the logarithms of the weights: they are negative, and their exponentials sum to 1."""
    m = x.max(axis=axis, keepdims=True)
    return x - m - np.log(np.exp(x - m).sum(axis=axis, keepdims=True))


@wrong("softmax", hidden=True)
def soft_into_whole_numbers(x, axis=-1):
    """With whole numbers, weights below 1 became 0: an array made like `x` holds whole numbers, as `x` does."""
    weights = np.zeros_like(x)
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    weights[...] = e / e.sum(axis=axis, keepdims=True)
    return weights


soft_first_axis = edit(
    "softmax",
    "The sums are 1 along the first axis, whatever was asked for: use the argument `axis`.",
    ("x.max(axis=axis", "x.max(axis=0"),
    ("exps.sum(axis=axis", "exps.sum(axis=0"),
)
soft_hides_the_overflow = edit(
    "softmax",
    "Infinity over infinity was turned into 0, so the sums are no longer 1. Avoid the overflow: shift the row first.",
    ("x - x.max(axis=axis, keepdims=True)", "x"),
    ("return exps / exps.sum(axis=axis, keepdims=True)", "return np.nan_to_num(exps / exps.sum(axis, keepdims=True))"),
)


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


scores_by_reshape = edit(
    "scaled_scores",
    "The keys were reshaped, not transposed: the numbers of a key no longer stand in one column. Swap the last two "
    "axes.",
    ("np.swapaxes(k, -1, -2)", "k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])"),
)
@wrong("scaled_scores")
def scores_unscaled(q, k):
    """These are the dot products. The scale is missing: divide by the root of d."""
    return q @ np.swapaxes(k, -1, -2)


@wrong("scaled_scores")
def scores_over_d(q, k):
    """Divided by d itself, the scores get smaller the wider the vectors are: divide by its root."""
    return q @ np.swapaxes(k, -1, -2) / q.shape[-1]


@wrong("scaled_scores")
def scores_over_root_of_queries(q, k):
    """Divided by the root of the number of queries. The scale comes from d, the length of one query."""
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-2])


@wrong("scaled_scores")
def scores_over_root_of_keys(q, k):
    """Divided by the root of the number of keys. The scale comes from d, the length of one key."""
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-2])


@wrong("scaled_scores", hidden=True)
def scores_over_root_of_model_width(q, k):
    """With heads, the scores are divided by the root of the width before the split. d is the width of what you are
    given, that of one head."""
    width = q.shape[-1] * (q.shape[-3] if q.ndim == 4 else 1)
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(width)


@wrong("scaled_scores")
def scores_times_root(q, k):
    """Multiplied by the root of d: the scale makes scores smaller, so divide."""
    return q @ np.swapaxes(k, -1, -2) * np.sqrt(q.shape[-1])


@wrong("scaled_scores")
def scores_swapped(q, k):
    """`q` and `k` are swapped: there is a row for each query, and a column for each key."""
    return k @ np.swapaxes(q, -1, -2) / np.sqrt(q.shape[-1])


@wrong("scaled_scores")
def scores_with_dot_t(q, k):
    """It works for one text only. The leading axes, batch or heads, stay as they are, and the last two change places:
    `.T` reverses all of them."""
    return q @ k.T / np.sqrt(q.shape[-1])


@wrong("scaled_scores")
def scores_after_softmax(q, k):
    """These are attention weights, not scores: leave the softmax for later."""
    return scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)


@wrong("scaled_scores")
def scores_cosine(q, k):
    """These are cosines: a score keeps the lengths of query and key, and is divided by the root of d alone."""
    q, k = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (q, k))
    return q @ np.swapaxes(k, -1, -2)


@wrong("scaled_scores")
def scores_one_text_only(q, k):
    """It works for one text only. The leading axes, batch or heads, stay as they are, and the last two change places:
    `.T` reverses all of them."""
    return np.einsum("qd,kd->qk", q, k) / np.sqrt(q.shape[-1])


scores_over_root_of_the_first_axis = edit(
    "scaled_scores",
    "Divided by the root of the first axis' length, as `len` gives it: d is the length of the last axis.",
    ("q.shape[-1]", "len(q)"),
)
scores_over_two = edit(
    "scaled_scores",
    "Divided by 2, which is right for d = 4 alone: take the root of the d that you are given.",
    ("np.sqrt(d)", "2"),
)
scores_over_a_whole_root = edit(
    "scaled_scores", "The root of d is cut to a whole number: leave it as it is.", ("np.sqrt(d)", "int(np.sqrt(d))")
)
scores_of_a_matrix_over_its_first_axis = edit(
    "scaled_scores",
    "`k.shape[0]` is the number of keys, or of texts, and `.T` turns all axes round. The scale comes from d, the "
    "last axis, and only the last two axes change places.",
    ("np.swapaxes(k, -1, -2) / np.sqrt(d)", "k.T / np.sqrt(k.shape[0])"),
)


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

attention_hides_with_a_thousand_million = edit(
    "attention",
    "A score that may be seen can be lower than -1e9, and then the hidden key takes all the weight. Hide it with -inf, "
    "or with something far lower.",
    ("-1e30", "-1e9"),
    hidden=True,
)
attention_over_the_queries = edit(
    "attention",
    "The softmax runs over the queries. For each query the weights of its keys sum to 1: that is the last axis.",
    ("weights = scipy_softmax(scores, axis=-1)", "weights = scipy_softmax(scores, axis=-2)"),
    ("scipy_softmax(np.where(mask, scores, -1e30), axis=-1)", "scipy_softmax(np.where(mask, scores, -1e30), axis=-2)"),
)
attn_mask_inverted = edit(
    "attention",
    "The mask is inverted: `True` means that a key may be looked at, and the keys marked `False` are hidden.",
    ("np.where(mask, scores, -1e30)", "np.where(mask, -1e30, scores)"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)
attn_mask_after_softmax = edit(
    "attention",
    "The mask comes after the softmax, so the weights that are left no longer sum to 1: hide the scores before it.",
    ("np.where(mask, scores, -1e30)", "scores"),
)


@wrong("attention")
def attn_softmax_over_queries(q, k, v, mask=None):
    """The softmax runs over the queries. Each query shares out its weights among the keys: the last axis sums to 1."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30), axis=-2)
    return w @ v, w


attn_unscaled = edit(
    "attention",
    "The scale is missing: divide the scores by the root of d before the softmax.",
    (" / np.sqrt(q.shape[-1])", ""),
)
attn_over_d = edit(
    "attention",
    "The scores are divided by d itself: divide by its root.",
    ("np.sqrt(q.shape[-1])", "q.shape[-1]"),
)
attn_hidden_scores_zero = edit(
    "attention",
    "A hidden score became 0, and the exponential of 0 is 1: the key still gets weight. Which score gives none?",
    ("np.where(mask, scores, -1e30)", "scores * mask"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)
attn_hidden_scores_zero_then_cut = edit(
    "attention",
    "A hidden score of 0 takes its share in the softmax; cut off afterwards, that share is missing from the sum of 1.",
    ("np.where(mask, scores, -1e30)", "np.where(mask, scores, 0.0)"),
)
attn_mask_ignored = edit("attention", "The mask is not used.", ("if mask is None:", "if True:"))
attn_mask_added = edit(
    "attention",
    "The mask is added as the numbers 0 and 1. It says which scores to keep and which to replace by a very low one.",
    ("np.where(mask, scores, -1e30)", "scores + mask"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)
attn_nan_on_empty_row = edit(
    "attention",
    "A query that may look at nothing comes out as NaN: with −∞ everywhere, its softmax is 0/0. Its weights are 0.",
    ("-1e30), axis=-1)", "-np.inf), axis=-1)"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)
attn_uniform_on_empty_row = edit(
    "attention",
    "A query that may look at nothing looks at everything equally, since all its scores are alike. Its weights are 0.",
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)


@wrong("attention")
def attn_mask_by_indexing(q, k, v, mask=None):
    """Indexing with the mask needs one of full size. A mask may be smaller and has to broadcast: `np.where` does
    that."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if mask is not None:
        s[~mask] = -1e30
    w = scipy_softmax(s, axis=-1)
    return w @ v, w


attn_pair_swapped = edit(
    "attention",
    "The pair is swapped: the output comes first, the attention weights second.",
    ("return weights @ v, weights", "return weights, weights @ v"),
)
attn_output_only = edit(
    "attention",
    "Only the output came back: return the pair of output and attention weights.",
    ("return weights @ v, weights", "return weights @ v"),
)
attn_mixes_by_scores = edit(
    "attention",
    "The values are mixed by the scores. Mix them by the attention weights, which are positive and sum to 1.",
    ("return weights @ v", "return scores @ v"),
)


@wrong("attention")
def attn_renormalised(q, k, v, mask=None):
    """Hidden after the softmax, and divided by what is left. When a hidden key has taken nearly all the weight, nothing
    is left to divide by: hide the scores before the softmax."""
    w = scipy_softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), axis=-1)
    if mask is not None:
        w = w * mask
        total = w.sum(-1, keepdims=True)
        seen = np.broadcast_to(mask, w.shape).any(-1, keepdims=True)
        w = np.where(seen, w / np.where(seen, total, 1.0), 0.0)
    return w @ v, w


attn_fill_too_mild = edit(
    "attention",
    "The score for hidden keys is not low enough: real scores lie below it, and the hidden keys win.",
    ("np.where(mask, scores, -1e30)", "np.where(mask, scores, -100.0)"),
)
attn_fill_of_ten_thousand = edit(
    "attention",
    "−10,000 is not low enough for hidden keys: real scores may lie below it, and then the hidden keys win.",
    ("np.where(mask, scores, -1e30)", "np.where(mask, scores, -1e4)"),
    hidden=True,
)


@wrong("attention")
def attn_without_shift(q, k, v, mask=None):
    """The exponential of a large score overflows. The given softmax takes the largest score away first."""
    e = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    if mask is not None:
        e = np.where(mask, e, 0.0)
    total = e.sum(-1, keepdims=True)
    w = e / np.where(total == 0, 1.0, total)
    return w @ v, w


attn_weights_transposed = edit(
    "attention",
    "The attention weights are transposed for the output: each query has a row of weights, one for each value.",
    ("return weights @ v", "return np.swapaxes(weights, -1, -2) @ v"),
)
attn_output_unmasked = edit(
    "attention",
    "The attention weights are right, but the output is mixed by those without a mask: use the same for both.",
    ("return weights @ v", "return scipy_softmax(scores, axis=-1) @ v"),
)
attn_mixes_the_keys = edit(
    "attention",
    "The keys are mixed. The keys say how much, and the values say what: mix the values.",
    ("return weights @ v", "return weights @ k"),
)
attn_mask_inverted_and_cut = edit(
    "attention",
    "The mask is inverted: `True` means that a key may be looked at. Here the visible keys have no weight at all.",
    ("np.where(mask, scores, -1e30)", "np.where(mask, -1e30, scores)"),
    ("np.where(mask, weights, 0.0)", "np.where(mask, 0.0, weights)"),
)
attn_low_number_added = edit(
    "attention",
    "A query that may look at nothing looks at everything: the same added to all its scores changes no weight.",
    ("np.where(mask, scores, -1e30)", "scores + np.where(mask, 0.0, -1e9)"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
)


@wrong("attention")
def attn_softmax_over_everything(q, k, v, mask=None):
    """The weights of all queries together sum to 1: give the softmax an axis, so that each query's do."""
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    w = scipy_softmax(s if mask is None else np.where(mask, s, -1e30))
    return (w if mask is None else np.where(mask, w, 0.0)) @ v, w if mask is None else np.where(mask, w, 0.0)


attn_over_root_of_keys = edit(
    "attention",
    "Divided by the root of the number of keys: the scale comes from d, the length of one query.",
    ("np.sqrt(q.shape[-1])", "np.sqrt(k.shape[-2])"),
)
attn_nan_in_the_weights = edit(
    "attention",
    "The output of a query that may look at nothing is 0, but its attention weights are NaN: they are 0, too.",
    ("-1e30), axis=-1)", "-np.inf), axis=-1)"),
    ("weights = np.where(mask, weights, 0.0)", "pass"),
    ("return weights @ v", "return np.nan_to_num(weights @ v)"),
)
attn_scaled_by_the_values_width = edit(
    "attention",
    "The scale comes from the width of `v`. A score is a product of a query and a key: it is their width that counts.",
    ("np.sqrt(q.shape[-1])", "np.sqrt(v.shape[-1])"),
)


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


@wrong("causal_mask")
def causal_without_self(q_len, k_len):
    """A token does not see itself: the diagonal is excluded. Its own key is among those that it may look at."""
    return np.tril(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len - 1)


@wrong("causal_mask")
def causal_square_only(q_len, k_len):
    """There is a column for each query. The columns are the keys, and there may be more keys than queries."""
    return np.tril(np.ones((q_len, q_len), dtype=bool))


@wrong("causal_mask")
def causal_square_of_keys(q_len, k_len):
    """There is a row for each key. The rows are the queries, which are the last `q_len` of the tokens."""
    return np.tril(np.ones((k_len, k_len), dtype=bool))


@wrong("causal_mask")
def causal_upper_triangle(q_len, k_len):
    """The triangle is the wrong way round: queries see the future and not the past."""
    return np.triu(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len)


@wrong("causal_mask")
def causal_true_means_hidden(q_len, k_len):
    """The mask is inverted, as in PyTorch's `nn.MultiheadAttention`: here `True` means "may look"."""
    return np.triu(np.ones((q_len, k_len), dtype=bool), k=k_len - q_len + 1)


@wrong("causal_mask")
def causal_aligned_at_the_start(q_len, k_len):
    """The first query is taken for the first token. The queries are the last tokens, so the last one sees every key."""
    return np.tril(np.ones((q_len, k_len), dtype=bool))


@wrong("causal_mask")
def causal_minus_infinity(q_len, k_len):
    """This is a mask of 0 and −∞ to add to the scores, which is another convention: here it is boolean."""
    return np.triu(np.full((q_len, k_len), -np.inf), k=k_len - q_len + 1)


@wrong("causal_mask")
def causal_zeros_and_ones(q_len, k_len):
    """The numbers 0 and 1 are no mask yet: `np.where` and `~` want True and False, dtype bool."""
    return np.tri(q_len, k_len, k_len - q_len)


@wrong("causal_mask")
def causal_allows_everything(q_len, k_len):
    """Everything is allowed: nothing hides the future."""
    return np.ones((q_len, k_len), dtype=bool)


@wrong("causal_mask")
def causal_one_too_many(q_len, k_len):
    """One later key is allowed: each token sees the one after it, the very word that it shall guess."""
    return np.tri(q_len, k_len, k_len - q_len + 1, dtype=bool)


@wrong("causal_mask")
def causal_offset_turned_round(q_len, k_len):
    """The offset has the wrong sign: with more keys than queries, the queries stand further to the right, not left."""
    return np.tri(q_len, k_len, q_len - k_len, dtype=bool)


@wrong("causal_mask")
def causal_never_before_the_first_key(q_len, k_len):
    """With more queries than keys, the first queries stand before the first key and see nothing: let the offset be
    negative."""
    return np.tri(q_len, k_len, max(k_len - q_len, 0), dtype=bool)


@wrong("causal_mask")
def causal_own_key_only(q_len, k_len):
    """Each query sees its own key alone: the earlier ones are allowed, too."""
    return np.eye(q_len, k_len, k_len - q_len, dtype=bool)


causal_offset_without_sign = edit(
    "causal_mask",
    "With more queries than keys the offset is negative: the first queries stand before the first key and see nothing.",
    ("(k_len - q_len)", "abs(k_len - q_len)"),
)


@wrong("causal_mask")
def causal_first_rows(q_len, k_len):
    """These are the rows of the first tokens. The queries are the last ones, so the last row sees every key."""
    return np.tri(k_len, dtype=bool)[:q_len]


@wrong("causal_mask")
def causal_last_rows(q_len, k_len):
    """With more queries than keys, rows are missing: there is one for each query, and the first of them see nothing."""
    return np.tri(k_len, dtype=bool)[-q_len:]


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


@wrong("padding_mask")
def padding_on_the_query_axis(lengths, T):
    """The mask hides queries. The last axis of the scores is the keys: the tokens belong there."""
    return (np.arange(T) < np.asarray(lengths)[:, None])[:, None, :, None]


@wrong("padding_mask")
def padding_one_token_too_many(lengths, T):
    """One padding token counts as real: a length of 3 means the places 0, 1 and 2."""
    return np.arange(T) <= np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask")
def padding_one_token_too_few(lengths, T):
    """The last real token is hidden: a length of 3 means the places 0, 1 and 2."""
    return np.arange(T) + 1 < np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask")
def padding_true_means_padding(lengths, T):
    """The mask is inverted, as PyTorch's `key_padding_mask`: here `True` means a real token."""
    return np.arange(T) >= np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask")
def padding_minus_infinity(lengths, T):
    """This is a mask of 0 and −∞ to add to the scores, and an empty sentence would turn into NaN: here it is
    boolean."""
    return np.where(np.arange(T) < np.asarray(lengths)[:, None, None, None], 0.0, -np.inf)


@wrong("padding_mask")
def padding_zeros_and_ones(lengths, T):
    """The numbers 0 and 1 are no mask yet: `np.where` and `~` want True and False, dtype bool."""
    return np.where(np.arange(T) < np.asarray(lengths)[:, None, None, None], 1, 0)


@wrong("padding_mask")
def padding_empty_row_clipped(lengths, T):
    """An empty sentence has got one real token. Its row is `False` throughout; attention has to cope with that."""
    return np.arange(T) < np.maximum(np.asarray(lengths), 1)[:, None, None, None]


@wrong("padding_mask")
def padding_two_axes(lengths, T):
    """The axes for heads and queries are missing, so the sentences would line up with the queries."""
    return np.arange(T) < np.asarray(lengths)[:, None]


@wrong("padding_mask")
def padding_three_axes(lengths, T):
    """One axis is missing, so the sentences would line up with the heads: the scores have the shape (B, H, Tq, Tk)."""
    return np.arange(T) < np.asarray(lengths)[:, None, None]


@wrong("padding_mask")
def padding_for_each_query(lengths, T):
    """There is a row for each query. One row serves them all: its axis has the length 1 and broadcasts."""
    return np.broadcast_to(np.arange(T) < np.asarray(lengths)[:, None, None, None], (len(lengths), 1, T, T))


@wrong("padding_mask")
def padding_on_the_left(lengths, T):
    """The padding is expected on the left: the real tokens come first, and the padding fills up the end."""
    return np.arange(T) >= T - np.asarray(lengths)[:, None, None, None]


@wrong("padding_mask")
def padding_cut_from_the_end(lengths, T):
    """A sentence without padding is hidden throughout: with 0 places to hide, `-0:` is the whole row. Count from the
    front."""
    mask = np.ones((len(lengths), 1, 1, T), dtype=bool)
    for b, n in enumerate(lengths):
        mask[b, 0, 0, -(T - int(n)) :] = False
    return mask


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


@wrong("self_attention")
def self_weights_transposed(x, Wq, Wk, Wv):
    """The matrices are transposed, as PyTorch's `nn.Linear` stores them: here it is `x @ W`."""
    return attend(x @ Wq.T, x @ Wk.T, x @ Wv.T)


@wrong("self_attention")
def self_shared_query_key(x, Wq, Wk, Wv):
    """The keys are made by the queries' matrix: each of the three has its own."""
    return attend(x @ Wq, x @ Wq, x @ Wv)


@wrong("self_attention")
def self_shared_key_query(x, Wq, Wk, Wv):
    """The queries are made by the keys' matrix: each of the three has its own."""
    return attend(x @ Wk, x @ Wk, x @ Wv)


@wrong("self_attention")
def self_shared_key_value(x, Wq, Wk, Wv):
    """The values are made by the keys' matrix: each of the three has its own."""
    return attend(x @ Wq, x @ Wk, x @ Wk)


@wrong("self_attention")
def self_one_projection_for_all(x, Wq, Wk, Wv):
    """One matrix makes queries, keys and values: each of the three has its own."""
    h = x @ Wq
    return attend(h, h, h)


@wrong("self_attention")
def self_keys_from_previous_step(x, Wq, Wk, Wv):
    """Each place has got the key of the token before it: a token's key belongs to the token itself."""
    return attend(x @ Wq, np.roll(x, 1, axis=1) @ Wk, x @ Wv)


@wrong("self_attention")
def self_keys_shifted(x, Wq, Wk, Wv):
    """Each place has got the key of the token before it, and the first has none: a token's key belongs to itself."""
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    return attend(x @ Wq, before @ Wk, x @ Wv)


@wrong("self_attention")
def self_sees_the_step_before(x, Wq, Wk, Wv):
    """Keys and values are one step late, as in a cache that is filled after it is read: a token's own are among
    them."""
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    return attend(x @ Wq, before @ Wk, before @ Wv)


@wrong("self_attention")
def self_projections_in_a_chain(x, Wq, Wk, Wv):
    """Each product starts from the one before: is the name `x` used again? All three start from the tokens."""
    q = x = x @ Wq
    k = x = x @ Wk
    return attend(q, k, x @ Wv)


@wrong("self_attention")
def self_query_key_swapped(x, Wq, Wk, Wv):
    """Queries and keys are swapped: who asks, and who is asked?"""
    return attend(x @ Wk, x @ Wq, x @ Wv)


@wrong("self_attention")
def self_values_not_projected(x, Wq, Wk, Wv):
    """The tokens themselves are mixed: mix their values, which `Wv` makes."""
    return attend(x @ Wq, x @ Wk, x)


@wrong("self_attention")
def self_queries_not_projected(x, Wq, Wk, Wv):
    """The tokens themselves ask: make queries of them first, with `Wq`."""
    return attend(x, x @ Wk, x @ Wv)


@wrong("self_attention")
def self_excludes_itself(x, Wq, Wk, Wv):
    """No token looks at itself. The keys are those of all tokens, its own included."""
    return attend(x @ Wq, x @ Wk, x @ Wv, ~np.eye(x.shape[1], dtype=bool))


@wrong("self_attention")
def self_without_scale(x, Wq, Wk, Wv):
    """The scores are not divided by the root of d. The given `attend` does it for you."""
    return scipy_softmax((x @ Wq) @ (x @ Wk).transpose(0, 2, 1), axis=-1) @ (x @ Wv)


@wrong("self_attention")
def self_scale_of_the_model_width(x, Wq, Wk, Wv):
    """The scores are divided by the root of D, the width of `x`: it is d, the width of a query, that counts."""
    return scipy_softmax((x @ Wq) @ (x @ Wk).transpose(0, 2, 1) / np.sqrt(x.shape[-1]), axis=-1) @ (x @ Wv)


@wrong("self_attention")
def self_softmax_over_queries(x, Wq, Wk, Wv):
    """The softmax runs over the queries. Each query shares out its weights among the keys, the last axis."""
    scores = (x @ Wq) @ (x @ Wk).transpose(0, 2, 1) / np.sqrt(Wq.shape[1])
    return scipy_softmax(scores, axis=1) @ (x @ Wv)


@wrong("self_attention")
def self_across_the_batch(x, Wq, Wk, Wv):
    """The sentences of the batch are joined into one, so tokens look into other sentences: each stays by itself."""
    rows = x.reshape(-1, x.shape[-1])
    return attend(rows @ Wq, rows @ Wk, rows @ Wv).reshape(*x.shape[:2], -1)


@wrong("self_attention")
def self_keys_values_swapped(x, Wq, Wk, Wv):
    """Keys and values are swapped: `attend` takes queries, keys, values, in this order."""
    return attend(x @ Wq, x @ Wv, x @ Wk)


@wrong("self_attention")
def self_causal(x, Wq, Wk, Wv):
    """A causal mask is applied, and this exercise has none: every token looks at all of them."""
    return attend(x @ Wq, x @ Wk, x @ Wv, np.tri(x.shape[1], dtype=bool))


self_values_for_all = edit(
    "self_attention",
    "One matrix makes queries, keys and values: each of the three has its own.",
    ("x @ Wq", "x @ Wv"),
    ("x @ Wk", "x @ Wv"),
)
self_keys_for_all = edit(
    "self_attention",
    "One matrix makes queries, keys and values: each of the three has its own. Here it is the keys' matrix.",
    ("x @ Wq", "x @ Wk"),
    ("x @ Wv", "x @ Wk"),
)
self_keys_not_projected = edit(
    "self_attention", "The tokens themselves are the keys: make keys of them first, with `Wk`.", ("x @ Wk", "x")
)
self_residual = edit(
    "self_attention",
    "The tokens are added to the output. That belongs to a block of a transformer, not to attention itself.",
    ("return attend(q, k, v)", "return attend(q, k, v) + x"),
)


@wrong("self_attention")
def self_scale_of_the_length(x, Wq, Wk, Wv):
    """The scores are divided by the root of T, the number of tokens: it is d, the width of a query, that counts."""
    return scipy_softmax((x @ Wq) @ (x @ Wk).transpose(0, 2, 1) / np.sqrt(x.shape[1]), axis=-1) @ (x @ Wv)


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


@wrong("split_heads")
def split_by_reshape_alone(x, H):
    """A reshape gives the right shape and moves nothing: each head holds all numbers of a few tokens. It shall hold a
    few numbers of every token."""
    B, T, D = x.shape
    return x.reshape(B, H, T, D // H)


@wrong("split_heads")
def split_without_swap(x, H):
    """The last axis is cut, and the axes of tokens and heads are not swapped: the heads come before the tokens."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H)


@wrong("split_heads")
def split_width_not_divided(x, H):
    """The width of a head is D // H: `H` heads of the whole width would be more numbers than there are."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D).transpose(0, 2, 1, 3)


@wrong("split_heads")
def split_interleaved(x, H):
    """Each head took every H-th column, as cards are dealt. A head's columns lie side by side: cut the width into (H,
    d)."""
    B, T, D = x.shape
    return x.reshape(B, T, D // H, H).transpose(0, 3, 1, 2)


@wrong("split_heads")
def split_heads_first(x, H):
    """The heads come before the batch: the batch stays the first axis."""
    return np.stack(np.split(x, H, axis=-1))


@wrong("split_heads")
def split_width_for_heads(x, H):
    """The number of heads and the width of a head are mixed up in the last step: the new order is (B, H, T, d)."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H).transpose(0, 3, 1, 2)


@wrong("split_heads")
def split_h_is_the_width(x, H):
    """`H` is taken for the width of a head. It is the number of heads: the width is D // H."""
    B, T, D = x.shape
    return x.reshape(B, T, D // H, H).transpose(0, 2, 1, 3)


@wrong("split_heads")
def split_tokens_last(x, H):
    """The tokens are the last axis: each head holds vectors, a row of width d for each token."""
    B, T, D = x.shape
    return x.reshape(B, T, H, D // H).transpose(0, 2, 3, 1)


@wrong("split_heads")
def split_same_slice(x, H):
    """Every head holds the same slice: each has its own, one beside the other."""
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


@wrong("merge_heads")
def merge_by_reshape_alone(x):
    """A reshape gives the right shape and moves nothing: numbers of different tokens share a row. It would undo a split
    that is a bare reshape, and both are wrong."""
    B, H, T, d = x.shape
    return x.reshape(B, T, H * d)


@wrong("merge_heads")
def merge_interleaved(x):
    """The heads alternate number by number. The numbers of a head stay side by side: join the axes as (H, d)."""
    B, H, T, d = x.shape
    return x.transpose(0, 2, 3, 1).reshape(B, T, H * d)


@wrong("merge_heads")
def merge_by_mean(x):
    """The heads are averaged away: keep every number, head beside head."""
    return x.mean(axis=1)


@wrong("merge_heads")
def merge_by_sum(x):
    """The heads are added up: keep every number, head beside head."""
    return x.sum(axis=1)


@wrong("merge_heads")
def merge_wrong_axes(x):
    """Heads and width are swapped: bring the heads beside the width, so that the tokens come before both."""
    B, H, T, d = x.shape
    return x.transpose(0, 3, 2, 1).reshape(B, T, H * d)


@wrong("merge_heads")
def merge_not_joined(x):
    """The axes are in order, and the last two are not joined yet: H and d become one axis of length H·d."""
    return x.transpose(0, 2, 1, 3)


@wrong("merge_heads")
def merge_tokens_with_width(x):
    """The tokens are joined with the width: join the heads with it, for each token by itself."""
    B, H, T, d = x.shape
    return x.reshape(B, H, T * d)


@wrong("merge_heads")
def merge_last_head_first(x):
    """The last head comes first: the heads stand in their order."""
    return np.concatenate([x[:, h] for h in range(x.shape[1] - 1, -1, -1)], axis=-1)


@wrong("merge_heads")
def merge_batch_with_tokens(x):
    """The batch is mixed with the tokens: the first axis stays where it is."""
    B, H, T, d = x.shape
    return x.transpose(2, 0, 1, 3).reshape(B, T, H * d)


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

heads_never_moved_in_front = edit(
    "multi_head_attention",
    "The heads stayed behind the tokens, (B, T, H, d), so that each token's heads attended to one another. Swap the "
    "two axes before `attend`, and back after it.",
    (".transpose(0, 2, 1, 3)  # (B, H, T, d)\n        for W", "  # (B, T, H, d)\n        for W"),
    ("heads = attend(q, k, v, mask)", "heads = attend(q, k, v, np.tri(H, dtype=bool) if causal else None)"),
    ("heads.transpose(0, 2, 1, 3).reshape(B, T, D)", "heads.reshape(B, T, D)"),
)
mha_scale_by_model_width = edit(
    "multi_head_attention",
    "The scores are divided by the root of D. Each head has queries of width d, so its scale is the root of d.",
    ("attend(q, k, v, mask)", "attend(q / np.sqrt(H), k, v, mask)"),
)
mha_without_scale = edit(
    "multi_head_attention",
    "The scores are not divided by the root of d. The given `attend` does it, for each head.",
    ("attend(q, k, v, mask)", "attend(q * np.sqrt(D // H), k, v, mask)"),
)
mha_without_output_projection = edit(
    "multi_head_attention",
    "`Wo` is missing: side by side, the heads have not met yet. `Wo` mixes them.",
    (".reshape(B, T, D) @ Wo", ".reshape(B, T, D)"),
)
mha_heads_averaged = edit(
    "multi_head_attention",
    "The heads are averaged before `Wo`. They have to lie side by side, so that `Wo` can tell them apart.",
    ("heads.transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo", "heads.mean(axis=1) @ Wo[: D // H]"),
)
mha_heads_averaged_no_wo = edit(
    "multi_head_attention",
    "The heads are averaged, and the width is that of one head: put them side by side, and mix them by `Wo`.",
    ("heads.transpose(0, 2, 1, 3).reshape(B, T, D) @ Wo", "heads.mean(axis=1)"),
)
mha_bare_reshapes = edit(
    "multi_head_attention",
    "Split and merge are bare reshapes. They undo each other, and in between each head holds a few whole tokens.",
    (".reshape(B, T, H, D // H).transpose(0, 2, 1, 3)", ".reshape(B, H, T, D // H)"),
    ("heads.transpose(0, 2, 1, 3)", "heads"),
)
mha_split_by_reshape = edit(
    "multi_head_attention",
    "The split into heads is a reshape without a transpose, so each head holds a few whole tokens.",
    (".reshape(B, T, H, D // H).transpose(0, 2, 1, 3)", ".reshape(B, H, T, D // H)"),
)
mha_merge_by_reshape = edit(
    "multi_head_attention",
    "The merge of the heads is a reshape without a transpose: swap heads and tokens back before the axes are joined.",
    ("heads.transpose(0, 2, 1, 3)", "heads"),
)
mha_causal_ignored = edit(
    "multi_head_attention",
    "`causal` is ignored: with `causal=True` no token looks at a later one.",
    ("np.tri(T, dtype=bool) if causal else None", "None"),
)
mha_always_causal = edit(
    "multi_head_attention",
    "The causal mask is always there, also with `causal=False`.",
    ("np.tri(T, dtype=bool) if causal else None", "np.tri(T, dtype=bool)"),
)
mha_causal_upper_triangle = edit(
    "multi_head_attention",
    "The causal mask is the wrong way round: tokens look at the future and not at the past.",
    ("np.tri(T, dtype=bool) if", "np.tri(T, dtype=bool).T if"),
)
mha_causal_without_self = edit(
    "multi_head_attention",
    "With `causal=True` no token looks at itself: its own key is among those that it may see.",
    ("np.tri(T, dtype=bool)", "np.tri(T, k=-1, dtype=bool)"),
)
mha_single_head = edit(
    "multi_head_attention",
    "There is one head of the whole width: `H` is not used. Each head has scores and weights of its own.",
    ("H, D // H)", "1, D)"),
)
mha_output_projection_transposed = edit(
    "multi_head_attention",
    "`Wo` is transposed, as PyTorch's `nn.Linear` stores it: here it is `@ Wo`.",
    ("@ Wo", "@ Wo.T"),
)
mha_weights_transposed = edit(
    "multi_head_attention",
    "The matrices are transposed, as PyTorch's `nn.Linear` stores them: here it is `x @ W`.",
    ("(x @ W)", "(x @ W.T)"),
)
mha_interleaved = edit(
    "multi_head_attention",
    "Each head took every H-th column. Head h has the columns h·d to (h+1)·d − 1, side by side: cut into (H, d).",
    ("reshape(B, T, H, D // H).transpose(0, 2, 1, 3)", "reshape(B, T, D // H, H).transpose(0, 3, 1, 2)"),
    ("heads.transpose(0, 2, 1, 3)", "heads.transpose(0, 2, 3, 1)"),
)
mha_cuts_x = edit(
    "multi_head_attention",
    "`x` is cut into heads before it is projected. Project first: each head's query is made of all of a token.",
    ("(x @ W)", "x"),
)
mha_query_key_swapped = edit(
    "multi_head_attention",
    "Queries and keys are swapped: who asks, and who is asked?",
    ("(Wq, Wk, Wv)", "(Wk, Wq, Wv)"),
)
mha_shared_query_key = edit(
    "multi_head_attention",
    "One matrix makes queries and keys: each has its own.",
    ("(Wq, Wk, Wv)", "(Wq, Wq, Wv)"),
)
mha_keys_values_swapped = edit(
    "multi_head_attention",
    "Keys and values are swapped: `attend` takes queries, keys, values, in this order.",
    ("attend(q, k, v, mask)", "attend(q, v, k, mask)"),
)
mha_not_merged = edit(
    "multi_head_attention",
    "The heads are not merged before `Wo`, whose rows are the whole width: put them side by side first.",
    ("heads.transpose(0, 2, 1, 3).reshape(B, T, D)", "heads"),
)
mha_causal_inverted = edit(
    "multi_head_attention",
    "The causal mask is inverted: `True` means \"may look\", so tokens look at the future alone.",
    ("np.tri(T, dtype=bool) if", "~np.tri(T, dtype=bool) if"),
)
mha_residual = edit(
    "multi_head_attention",
    "The tokens are added to the output. That belongs to a block of a transformer, not to attention itself.",
    ("return heads", "return x + heads"),
)
mha_split_interleaved = edit(
    "multi_head_attention",
    "In the split, each head took every H-th column. Its columns lie side by side: cut the width into (H, d).",
    ("reshape(B, T, H, D // H).transpose(0, 2, 1, 3)", "reshape(B, T, D // H, H).transpose(0, 3, 1, 2)"),
)
mha_one_projection = edit(
    "multi_head_attention",
    "One matrix makes queries, keys and values: each of the three has its own.",
    ("(Wq, Wk, Wv)", "(Wq, Wq, Wq)"),
)
mha_shared_key_value = edit(
    "multi_head_attention",
    "The keys serve as values, too: `Wv` makes the values.",
    ("(Wq, Wk, Wv)", "(Wq, Wk, Wk)"),
)


@right("multi_head_attention")
def mha_with_head_loop(x, Wq, Wk, Wv, Wo, H, causal=False):
    """One head after the other, each adding its rows of Wo."""
    D = x.shape[-1]
    d = D // H
    mask = np.tril(np.ones((x.shape[1], x.shape[1]))) > 0 if causal else None
    out = np.zeros(x.shape)
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


@wrong("cross_attention")
def cross_roles_swapped(x, memory, Wq, Wk, Wv):
    """The memory asks, and `x` answers: it is the other way round, with one row of output for each token of `x`."""
    return attend(memory @ Wq, x @ Wk, x @ Wv)


@wrong("cross_attention")
def cross_causal_kept(x, memory, Wq, Wk, Wv):
    """A causal mask is kept. The memory is complete, so every query may look at all of it."""
    mask = np.tri(x.shape[1], memory.shape[1], dtype=bool)
    return attend(x @ Wq, memory @ Wk, memory @ Wv, mask)


@wrong("cross_attention")
def cross_causal_at_the_end(x, memory, Wq, Wk, Wv):
    """A causal mask is kept, aligned at the end. The memory is complete, so every query may look at all of it."""
    Tq, Tk = x.shape[1], memory.shape[1]
    return attend(x @ Wq, memory @ Wk, memory @ Wv, np.tri(Tq, Tk, Tk - Tq, dtype=bool))


@wrong("cross_attention")
def cross_memory_ignored(x, memory, Wq, Wk, Wv):
    """The memory is ignored: this is self-attention over `x`."""
    return attend(x @ Wq, x @ Wk, x @ Wv)


@wrong("cross_attention")
def cross_x_ignored(x, memory, Wq, Wk, Wv):
    """`x` is ignored: this is self-attention over the memory. The queries come from `x`."""
    return attend(memory @ Wq, memory @ Wk, memory @ Wv)


@wrong("cross_attention")
def cross_values_from_x(x, memory, Wq, Wk, Wv):
    """The values come from `x`. Keys and values belong together: both come from the memory."""
    return attend(x @ Wq, memory @ Wk, x @ Wv)


@wrong("cross_attention")
def cross_keys_from_x(x, memory, Wq, Wk, Wv):
    """The keys come from `x`. Keys and values belong together: both come from the memory."""
    return attend(x @ Wq, x @ Wk, memory @ Wv)


@wrong("cross_attention")
def cross_memory_and_x(x, memory, Wq, Wk, Wv):
    """`x` is appended to the memory: the queries look at the memory alone."""
    both = np.concatenate([memory, x], axis=1)
    return attend(x @ Wq, both @ Wk, both @ Wv)


@wrong("cross_attention")
def cross_without_scale(x, memory, Wq, Wk, Wv):
    """The scores are not divided by the root of d. The given `attend` does it for you."""
    return scipy_softmax(x @ Wq @ (memory @ Wk).transpose(0, 2, 1), axis=-1) @ (memory @ Wv)


@wrong("cross_attention")
def cross_weights_swapped(x, memory, Wq, Wk, Wv):
    """`Wq` and `Wk` are swapped: `Wq` makes the queries, of `x`, and `Wk` the keys, of the memory."""
    return attend(x @ Wk, memory @ Wq, memory @ Wv)


@wrong("cross_attention")
def cross_keys_values_swapped(x, memory, Wq, Wk, Wv):
    """Keys and values are swapped: `attend` takes queries, keys, values, in this order."""
    return attend(x @ Wq, memory @ Wv, memory @ Wk)


@wrong("cross_attention")
def cross_shared_key_value(x, memory, Wq, Wk, Wv):
    """The keys serve as values, too: `Wv` makes the values."""
    return attend(x @ Wq, memory @ Wk, memory @ Wk)


@wrong("cross_attention")
def cross_values_not_projected(x, memory, Wq, Wk, Wv):
    """The memory itself is mixed: mix its values, which `Wv` makes."""
    return attend(x @ Wq, memory @ Wk, memory)


cross_shared_value_key = edit(
    "cross_attention", "The values serve as keys, too: `Wk` makes the keys.", ("memory @ Wk", "memory @ Wv")
)
cross_queries_not_projected = edit(
    "cross_attention", "The tokens themselves ask: make queries of them first, with `Wq`.", ("x @ Wq", "x")
)
cross_scale_of_the_memory = edit(
    "cross_attention",
    "The scores are divided by the root of M, the width of the memory: it is d, the width of a query, that counts.",
    ("attend(q, k, v)", "attend(q * np.sqrt(q.shape[-1] / memory.shape[-1]), k, v)"),
)
cross_scale_of_x = edit(
    "cross_attention",
    "The scores are divided by the root of D, the width of `x`: it is d, the width of a query, that counts.",
    ("attend(q, k, v)", "attend(q * np.sqrt(q.shape[-1] / x.shape[-1]), k, v)"),
)


@wrong("cross_attention")
def cross_softmax_over_queries(x, memory, Wq, Wk, Wv):
    """The softmax runs over the queries. Each query shares out its weights among the keys, the last axis."""
    scores = (x @ Wq) @ (memory @ Wk).transpose(0, 2, 1) / np.sqrt(Wq.shape[1])
    return scipy_softmax(scores, axis=1) @ (memory @ Wv)


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


@wrong("sinusoidal_positions")
def positions_in_halves(T, D, base=10000.0):
    """All sines come first, and all cosines after them: the two of one angle stand side by side."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(0, D, 2) / D)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


positions_base_hard_coded = edit(
    "sinusoidal_positions",
    "The base is 10000, whatever was asked for: use the argument `base`.",
    ("speeds = base **", "speeds = 10000.0 **"),
)
positions_log_of_base_lost = edit(
    "sinusoidal_positions",
    "The base is e: with `np.exp`, the exponent needs the factor log(base).",
    ("base ** (-np.arange(0, D, 2) / D)", "np.exp(-np.arange(0, D, 2) / D)"),
)
positions_cosine_first = edit(
    "sinusoidal_positions",
    "Sines and cosines are swapped: the sines stand in the even columns 0, 2, …",
    ("np.sin", "np.cos"),
    ("table[:, 1::2] = np.cos", "table[:, 1::2] = np.sin"),
)


@wrong("sinusoidal_positions")
def positions_exponent_per_column(T, D, base=10000.0):
    """Every column has a speed of its own. The columns 2i and 2i+1 share one angle: the hand of a clock has two
    shadows."""
    angles = np.arange(T)[:, None] * base ** (-np.arange(D) / D)
    return np.where(np.arange(D) % 2 == 0, np.sin(angles), np.cos(angles))


positions_exponent_not_doubled = edit(
    "sinusoidal_positions",
    "The exponent is i/D. It is 2i/D, so that the speeds reach nearly 1/base.",
    ("np.arange(0, D, 2) / D", "np.arange(D // 2) / D"),
)
positions_exponent_doubled_twice = edit(
    "sinusoidal_positions",
    "The exponent is 4i/D: counting the columns by twos gives 2i already.",
    ("-np.arange(0, D, 2) / D", "-2 * np.arange(0, D, 2) / D"),
)
positions_exponent_from_one = edit(
    "sinusoidal_positions",
    "The exponents begin one pair late: the pairs count from 0, and the first turns by one radian a step.",
    ("np.arange(0, D, 2) / D", "np.arange(2, D + 2, 2) / D"),
)
positions_from_one = edit(
    "sinusoidal_positions",
    "The positions count from 1: the first one is 0, with all sines 0 and all cosines 1.",
    ("np.arange(T)", "np.arange(1, T + 1)"),
)
positions_exponent_sign = edit(
    "sinusoidal_positions",
    "Later pairs turn faster: the exponent has lost its minus sign.",
    ("-np.arange(0, D, 2)", "np.arange(0, D, 2)"),
)
positions_sines_only = edit(
    "sinusoidal_positions", "There are sines only: the odd columns hold cosines.", ("np.cos", "np.sin")
)
positions_cosines_only = edit(
    "sinusoidal_positions", "There are cosines only: the even columns hold sines.", ("np.sin", "np.cos")
)
positions_one_speed = edit(
    "sinusoidal_positions",
    "Every pair has the same speed: the exponent 2i/D has to grow from pair to pair.",
    ("base ** (-np.arange(0, D, 2) / D)", "np.ones(D // 2)"),
)
positions_linspace = edit(
    "sinusoidal_positions",
    "The exponents are spread from 0 to 1. They are 2i/D, which stops short of 1.",
    ("base ** (-np.arange(0, D, 2) / D)", "base ** -np.linspace(0, 1, D // 2)"),
)
positions_in_degrees = edit(
    "sinusoidal_positions",
    "The angles are taken for degrees: they are in radians, as `np.sin` wants them.",
    ("np.arange(T)", "np.deg2rad(np.arange(T))"),
)
positions_transposed = edit(
    "sinusoidal_positions",
    "The table lies on its side: the positions are the rows.",
    ("return table", "return table.T"),
)


@wrong("sinusoidal_positions")
def positions_column_for_pair(T, D, base=10000.0):
    """The number of the column is taken for i. i counts pairs: the columns 2i and 2i+1 share one angle."""
    angles = np.arange(T)[:, None] * base ** (-2 * np.arange(D) / D)
    return np.where(np.arange(D) % 2 == 0, np.sin(angles), np.cos(angles))


positions_in_turns = edit(
    "sinusoidal_positions",
    "The angles have the factor 2π: the first pair turns by one radian a step, not by a whole turn.",
    ("np.arange(T)", "2 * np.pi * np.arange(T)"),
)
positions_in_whole_numbers = edit(
    "sinusoidal_positions",
    "The table holds whole numbers, so sines and cosines were cut to 0 and 1: make it of floats.",
    ("np.empty((T, D))", "np.zeros((T, D), dtype=int)"),
)


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


@wrong("softmax_backward")
def softmax_grad_diagonal(p, dp):
    """Only the diagonal of the Jacobian is there: raising one score also lowers all the other weights."""
    return p * (1 - p) * dp


@wrong("softmax_backward")
def softmax_grad_product(p, dp):
    """The average is not taken away. Weights share a sum of 1, so raising one score lowers the others."""
    return p * dp


@wrong("softmax_backward")
def softmax_grad_sum_added(p, dp):
    """The average is added: the Jacobian is diag(p) minus p pᵀ, so it is taken away."""
    return p * (dp + (p * dp).sum(-1, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_negative(p, dp):
    """Every sign is turned: this is minus the gradient. `dp` comes first, and the average is taken away from it."""
    return p * ((p * dp).sum(-1, keepdims=True) - dp)


@wrong("softmax_backward")
def softmax_grad_without_p(p, dp):
    """The last factor is missing: a key of little weight has a small gradient, so each difference is multiplied by
    p."""
    return dp - (p * dp).sum(-1, keepdims=True)


@wrong("softmax_backward")
def softmax_grad_global_sum(p, dp):
    """One average serves the whole array: each row has a softmax of its own, and an average of its own."""
    return p * (dp - (p * dp).sum())


@wrong("softmax_backward")
def softmax_grad_over_rows(p, dp):
    """The average runs down the columns. The softmax went along the last axis, and so does the average."""
    axis = -2 if p.ndim > 1 else -1
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_over_axis_0(p, dp):
    """With more than two axes, the average runs along the first. The softmax went along the last one: count from the
    end."""
    axis = min(1, p.ndim - 1) if p.ndim < 3 else 0
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_over_axis_1(p, dp):
    """The average runs along axis 1, which is the last one in a table only: count from the end."""
    return p * (dp - (p * dp).sum(axis=min(1, p.ndim - 1), keepdims=True))


@wrong("softmax_backward")
def softmax_grad_without_keepdims(p, dp):
    """The averages have lost their axis, so they lie along the wrong one: keep it, with length 1."""
    return p * (dp - (p * dp).sum(-1))


@wrong("softmax_backward")
def softmax_grad_plain_mean(p, dp):
    """The plain mean of `dp` is taken away: in this average, each weight counts by its size."""
    return p * (dp - dp.mean(-1, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_plain_sum(p, dp):
    """The plain sum of `dp` is taken away. In the sum, each number is multiplied by its weight, which makes an
    average."""
    return p * (dp - dp.sum(-1, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_mean_of_products(p, dp):
    """The average is divided by n once too often: the weights sum to 1, so the sum of p · dp is an average already."""
    return p * (dp - (p * dp).mean(-1, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_brackets_lost(p, dp):
    """The brackets are lost: p multiplies the whole difference, the average as well as `dp`."""
    return p * dp - (p * dp).sum(-1, keepdims=True)


@wrong("softmax_backward")
def softmax_grad_softmax_twice(p, dp):
    """`p` is taken for the scores, and a softmax is applied. It holds the weights already."""
    p = scipy_softmax(p, axis=-1)
    return p * (dp - (p * dp).sum(-1, keepdims=True))


@wrong("softmax_backward")
def softmax_grad_of_cross_entropy(p, dp):
    """p minus y is the gradient of softmax and cross-entropy together. Here the loss is not known, only its `dp`."""
    return p - dp


@wrong("softmax_backward")
def softmax_grad_jacobian_itself(p, dp):
    """This is the Jacobian. The gradient is the Jacobian times `dp`, of the same shape as `p`."""
    return p[..., None] * (np.eye(p.shape[-1]) - p[..., None, :])


@wrong("softmax_backward")
def softmax_grad_one_row_only(p, dp):
    """It works for one row only: `np.diag` and `np.outer` know no leading axes. The sum along a row needs neither."""
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
        return list(map(softmax_backward, p, dp))
    n = range(len(p))
    return [sum(p[i] * ((i == j) - p[j]) * dp[j] for j in n) for i in n]


# --- attention_backward ---

backward_without_scale = edit(
    "attention_backward",
    "The scale is lost on the way back. It stands between dot products and softmax, so `dq` and `dk` have it, too.",
    ("ds = ds * scale", "ds = ds"),
)
backward_scale_in_dq_only = edit(
    "attention_backward",
    "`dq` has the scale and `dk` has not: both come through the same dot products.",
    ("ds = ds * scale", "ds = ds"),
    ("return ds @ k", "return ds @ k * scale"),
)
backward_scale_twice = edit(
    "attention_backward",
    "The scale is applied twice on the way back: once is enough, in the gradient by the dot products.",
    ("ds * scale", "ds * scale**2"),
)
backward_scale_upside_down = edit(
    "attention_backward",
    "The scale is upside down on the way back: divide by the root of d, as the dot products were divided.",
    ("ds * scale", "ds / scale"),
)
backward_forward_unscaled = edit(
    "attention_backward",
    "There is no scale at all, neither in the attention weights nor on the way back.",
    (" * scale, axis=-1", ", axis=-1"),
    ("ds = ds * scale", "ds = ds"),
)
backward_weights_unscaled = edit(
    "attention_backward",
    "The attention weights are computed without the scale: compute them as attention does.",
    (" * scale, axis=-1", ", axis=-1"),
)
backward_weights_over_queries = edit(
    "attention_backward",
    "The softmax of the attention weights runs over the queries: each query shares out its weights among the keys.",
    ("* scale, axis=-1)", "* scale, axis=-2)"),
)
backward_diagonal = edit(
    "attention_backward",
    "Only the diagonal of the softmax Jacobian is there: raising one score also lowers all the other weights.",
    ("p * (dp - (p * dp).sum(axis=-1, keepdims=True))", "p * (1 - p) * dp"),
)
backward_without_sum = edit(
    "attention_backward",
    "In the softmax step the average is not taken away: raising one score lowers the other weights.",
    ("p * (dp - (p * dp).sum(axis=-1, keepdims=True))", "p * dp"),
)
backward_sum_added = edit(
    "attention_backward",
    "In the softmax step the average is added: it is taken away.",
    ("dp - (p * dp)", "dp + (p * dp)"),
)
backward_without_p = edit(
    "attention_backward",
    "In the softmax step the factor p before the difference is missing.",
    ("p * (dp - (p * dp).sum(axis=-1, keepdims=True))", "dp - (p * dp).sum(axis=-1, keepdims=True)"),
)
backward_sum_over_queries = edit(
    "attention_backward",
    "In the softmax step the average runs over the queries: the softmax went over the keys, the last axis.",
    ("sum(axis=-1", "sum(axis=-2"),
)
backward_global_sum = edit(
    "attention_backward",
    "In the softmax step one average serves all queries: each query has its own.",
    (".sum(axis=-1, keepdims=True)", ".sum()"),
)
backward_without_softmax_step = edit(
    "attention_backward",
    "The softmax step is left out: the gradient by the attention weights is not the one by the scores.",
    ("p * (dp - (p * dp).sum(axis=-1, keepdims=True))", "dp"),
)
backward_signs_turned = edit(
    "attention_backward",
    "`dv` is right, and every sign of `dq` and `dk` is turned: the average is taken away from dp, not dp from it.",
    ("ds * scale", "-ds * scale"),
)
backward_swapped = edit(
    "attention_backward",
    "`dq` and `dk` are swapped: return (dq, dk, dv).",
    ("ds @ k, np.swapaxes(ds, -1, -2) @ q, dv", "np.swapaxes(ds, -1, -2) @ q, ds @ k, dv"),
)
backward_in_order_of_work = edit(
    "attention_backward",
    "The gradients come in the order in which they are found, `dv` first: return (dq, dk, dv).",
    ("ds @ k, np.swapaxes(ds, -1, -2) @ q, dv", "dv, np.swapaxes(ds, -1, -2) @ q, ds @ k"),
)
backward_dv_untransposed = edit(
    "attention_backward",
    "The attention weights are not transposed for `dv`, which has a row for each key: it gathers from all queries.",
    ("np.swapaxes(p, -1, -2) @ dout", "p @ dout"),
)
backward_dk_untransposed = edit(
    "attention_backward",
    "The table is not transposed for `dk`, which has a row for each key: it gathers from all queries.",
    ("np.swapaxes(ds, -1, -2) @ q", "ds @ q"),
)
backward_v_untransposed = edit(
    "attention_backward",
    "`v` is not transposed. The gradient by the attention weights has a row for each query, a column for each key.",
    ("np.swapaxes(v, -1, -2)", "v"),
)
backward_with_dot_t = edit(
    "attention_backward",
    "It works without a batch: `.T` reverses all axes, and only the last two have to change places.",
    ("np.swapaxes(k, -1, -2)", "k.T"),
    ("np.swapaxes(p, -1, -2)", "p.T"),
    ("np.swapaxes(v, -1, -2)", "v.T"),
    ("np.swapaxes(ds, -1, -2)", "ds.T"),
)
backward_summed_over_the_batch = edit(
    "attention_backward",
    "The leading axes are summed away, as for a matrix that all texts share. Each text has queries of its own here.",
    (
        "return ds @ k, np.swapaxes(ds, -1, -2) @ q, dv",
        "lead, dk = tuple(range(q.ndim - 2)), np.swapaxes(ds, -1, -2) @ q\n"
        "    return (ds @ k).sum(lead), dk.sum(lead), dv.sum(lead)",
    ),
)
backward_scale_on_dv = edit(
    "attention_backward",
    "`dv` has the scale, too: the values meet the attention weights after the softmax, where no scale is left.",
    ("@ q, dv", "@ q, dv * scale"),
)
backward_dv_without_softmax = edit(
    "attention_backward",
    "`dv` is made of the scores: the values were mixed by the attention weights.",
    ("dv = np.swapaxes(p, -1, -2)", "dv = np.swapaxes(q @ np.swapaxes(k, -1, -2) * scale, -1, -2)"),
)
backward_mean_for_sum = edit(
    "attention_backward",
    "In the softmax step the average is divided by the number of keys once too often: the weights sum to 1 already.",
    (".sum(axis=-1", ".mean(axis=-1"),
)
backward_dk_mixes_keys = edit(
    "attention_backward",
    "`dk` mixes the keys. A key met the queries in the dot products, so it is they that are mixed.",
    ("np.swapaxes(ds, -1, -2) @ q", "np.swapaxes(ds, -1, -2) @ k"),
)
backward_dq_mixes_queries = edit(
    "attention_backward",
    "`dq` mixes the queries. A query met the keys in the dot products, so it is they that are mixed.",
    ("return ds @ k", "return ds @ q"),
)
backward_scaled_by_the_values_width = edit(
    "attention_backward",
    "The scale comes from the width of `v`. A score is a product of a query and a key: it is their width that counts.",
    ("1 / np.sqrt(q.shape[-1])", "1 / np.sqrt(v.shape[-1])"),
)


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

online_takes_low_for_hidden = edit(
    "online_softmax",
    "Scores that are only low were taken for hidden ones. A key is hidden where its score is -inf, and only there.",
    ("if new == -np.inf:", "if new < -1000.5:"),
    hidden=True,
)
online_without_rescale = edit(
    "online_softmax",
    "The old sum is not rescaled: when the maximum grows, every old term shrinks by the same factor.",
    ("ell * np.exp(m - new)", "ell"),
)
online_max_not_carried = edit(
    "online_softmax",
    "The maximum is that of the tile alone: `m` is the largest score so far, which may lie in an earlier tile.",
    ("new = max(m, float(tile.max()))", "new = float(tile.max())"),
)


@wrong("online_softmax")
def online_tile_alone(tile, m=-np.inf, ell=0.0):
    """Maximum and sum are those of the tile alone: `m` and `ell` are what you know of the scores before it."""
    return tile.max(), np.exp(tile - tile.max()).sum()


online_old_sum_lost = edit(
    "online_softmax",
    "The maximum is carried and the old sum is thrown away: it joins the new terms, rescaled.",
    ("ell * np.exp(m - new) + ", ""),
)
online_tile_against_its_own = edit(
    "online_softmax",
    "The tile's exponentials are taken against its own maximum: take them against the new `m`, as the old sum.",
    ("np.exp(tile - new)", "np.exp(tile - tile.max())"),
)
online_tile_against_the_old = edit(
    "online_softmax",
    "The tile's exponentials are taken against the old `m`: take them against the new one, as the old sum.",
    ("np.exp(tile - new)", "np.exp(tile - (m if m > -np.inf else new))"),
)
online_factor_upside_down = edit(
    "online_softmax",
    "The factor is upside down: a larger maximum makes the old terms smaller, so it is never above 1.",
    ("np.exp(m - new)", "(np.exp(new - m) if m > -np.inf else 1.0)"),
)
online_factor_without_exp = edit(
    "online_softmax",
    "The factor is the difference of the maxima itself: it is the exponential of that difference.",
    ("np.exp(m - new)", "(m - new if m > -np.inf else 0.0)"),
)
online_everything_rescaled = edit(
    "online_softmax",
    "The new tile is rescaled, too. Only the old sum was taken against the old maximum.",
    (
        "ell * np.exp(m - new) + np.exp(tile - new).sum()",
        "(ell + np.exp(tile - new).sum()) * (np.exp(m - new) if m > -np.inf else 1.0)",
    ),
)
online_max_not_updated = edit(
    "online_softmax",
    "The old `m` came back: the sum is taken against the new one, so return that.",
    ("return new, ell", "return (m if m > -np.inf else new), ell"),
)
online_overflow = edit(
    "online_softmax",
    "The exponentials are taken without the maximum, so `ell` is another sum, and near 1000 it overflows.",
    ("ell * np.exp(m - new) + np.exp(tile - new)", "ell + np.exp(tile)"),
)
online_starts_at_zero = edit(
    "online_softmax",
    "`m` starts at 0, which is larger than negative scores are: before the first score it is −∞.",
    ("new = max(m, float(tile.max()))", "m = 0.0 if m == -np.inf else m\n    new = max(m, float(tile.max()))"),
)
online_mean_of_exponentials = edit(
    "online_softmax",
    "The exponentials of the tile are averaged: add them up, since each score of the row counts once.",
    (".sum()", ".mean()"),
)
online_counts_maxima_only = edit(
    "online_softmax",
    "Only the tile's largest score is counted: every score adds a term.",
    ("np.exp(tile - new).sum()", "np.exp(tile.max() - new)"),
)
online_nan_on_hidden_tile = edit(
    "online_softmax",
    "A tile of hidden keys at the start gives NaN: −∞ − (−∞) is not a number. Nothing was seen, so nothing changes.",
    ("if new == -np.inf:", "if False:"),
)
online_resets_on_hidden_tile = edit(
    "online_softmax",
    "A tile of hidden keys forgets what came before. It leaves `m` and `ell` as they were.",
    ("if new == -np.inf:", "if tile.max() == -np.inf:"),
    ("return m, ell", "return -np.inf, 0.0"),
)
online_zero_is_no_maximum = edit(
    "online_softmax",
    "A maximum of 0 is taken for none at all: 0 is false in Python, and still a score. Compare with −∞.",
    ("new = max(m, float", "m, ell = (m, ell) if m else (-np.inf, 0.0)\n    new = max(m, float"),
    hidden=True,
)
online_pair_swapped = edit(
    "online_softmax",
    "The pair is swapped: return `m` first, then `ell`.",
    ("return m, ell", "return ell, m"),
    ("return new, ell", "return ell, new"),
)
online_logsumexp = edit(
    "online_softmax",
    "`ell` is the logarithm of the sum: return the sum itself.",
    ("return new, ell", "return new, np.log(ell)"),
)
online_without_rescale_nor_care = edit(
    "online_softmax",
    "The old sum is not rescaled when the maximum grows. And a first tile of hidden keys gives NaN.",
    ("ell * np.exp(m - new)", "ell"),
    ("if new == -np.inf:", "if False:"),
)
online_max_not_carried_nor_care = edit(
    "online_softmax",
    "The maximum is that of the tile alone: `m` is the largest score so far. And a tile of hidden keys gives NaN.",
    ("new = max(m, float(tile.max()))", "new = float(tile.max())"),
    ("if new == -np.inf:", "if False:"),
)


@wrong("online_softmax")
def online_keeps_a_global(tile, m=-np.inf, ell=0.0):
    """Two rows read in turn are mixed up: keep nothing between the calls but what you return."""
    seen = online_softmax.__dict__.setdefault("seen", [])
    if m == -np.inf and ell == 0.0 and not (seen and np.max(np.concatenate(seen)) == -np.inf):
        seen.clear()
    seen.append(tile)
    row = np.concatenate(seen)
    new = row.max()
    return new, 0.0 if new == -np.inf else np.exp(row - new).sum()


@wrong("online_softmax")
def online_by_number_without_rescale(tile, m=-np.inf, ell=0.0):
    """Number by number, and the old sum is not rescaled when a larger number comes: every old term shrinks then."""
    for x in tile:
        m = max(m, x)
        ell += np.exp(x - m)
    return m, ell


online_low_number_for_hidden = edit(
    "online_softmax",
    "A hidden key is taken for a very low score, so a tile of nothing else counts: −∞ adds nothing and stays −∞.",
    ("new = max", "tile = np.maximum(tile, -1e9)\n    new = max"),
)
online_zeros_for_hidden_tile = edit(
    "online_softmax",
    "A tile of hidden keys gives zeros. It leaves `m` and `ell` as they were.",
    ("if new == -np.inf:", "if tile.max() == -np.inf:"),
    ("return m, ell", "return 0.0, 0.0"),
)
online_upside_down_nor_care = edit(
    "online_softmax",
    "The factor is upside down, so the first tile meets infinity times 0: it is exp(old − new), never above 1.",
    ("np.exp(m - new)", "np.exp(new - m)"),
)


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
    """Hidden keys are dropped first; the old sum joins the tile's terms; arrays without axes come back, in a list."""
    tile = tile[tile > -np.inf]
    if not tile.size:
        return [np.array(m), np.array(ell)]
    scores = np.append(tile, m) if ell else tile
    times = np.append(np.ones(tile.shape), ell) if ell else np.ones(tile.shape)
    new = scores.max()
    return [np.array(new), np.array((times * np.exp(scores - new)).sum())]


@right("online_softmax")
def online_by_logarithms(tile, m=-np.inf, ell=0.0):
    """The logarithm of the old sum joins the row as one more score."""
    with np.errstate(divide="ignore"):
        row = np.append(tile, m + np.log(ell)) if ell > 0 else tile
    new = np.maximum(m, tile.max())
    total = np.logaddexp.reduce(row)
    return new, np.exp(total - new) if total > -np.inf else np.float64(0.0)


# --- attention_tiled ---

tiled_from_minus_ten_thousand = edit(
    "attention_tiled",
    "The largest score so far begins at a number, and all scores may lie below it: then every sum vanishes. Begin with "
    "-inf.",
    ("(-np.inf, 0.0, 0.0)", "(-1e4, 0.0, 0.0)"),
    hidden=True,
)
tiled_without_rescale = edit(
    "attention_tiled",
    "Neither sum nor mixture is rescaled. Both were taken against the old maximum; when it grows, both shrink.",
    ("ell * factor", "ell"),
    ("mix * factor", "mix"),
)
tiled_rescales_the_sum_only = edit(
    "attention_tiled",
    "The sum is rescaled and the mixture of values is not: both were taken against the old maximum.",
    ("mix * factor", "mix"),
)
tiled_rescales_the_mixture_only = edit(
    "attention_tiled",
    "The mixture of values is rescaled and the sum is not: both were taken against the old maximum.",
    ("ell * factor", "ell"),
)
tiled_factor_upside_down = edit(
    "attention_tiled",
    "The factor is upside down: a larger maximum makes the old terms smaller, so it is never above 1.",
    ("np.exp(m - new)", "np.exp(np.where(np.isinf(m), 0.0, new - m))"),
)
tiled_own_maximum = edit(
    "attention_tiled",
    "Each tile is measured against its own maximum, and then they are added: only sums of one kind add up.",
    ("np.maximum(m, scores.max(axis=-1, keepdims=True))", "scores.max(axis=-1, keepdims=True)"),
    ("ell * factor", "ell"),
    ("mix * factor", "mix"),
)
tiled_last_maximum = edit(
    "attention_tiled",
    "The maximum is that of the last tile, not the largest so far: where the scores fall far, the factor overflows.",
    ("np.maximum(m, scores.max(axis=-1, keepdims=True))", "scores.max(axis=-1, keepdims=True)"),
)
tiled_starts_at_zero = edit(
    "attention_tiled",
    "The maximum starts at 0, so very negative scores leave nothing to divide by: before the first key it is −∞.",
    ("(-np.inf, 0.0, 0.0)", "(0.0, 0.0, 0.0)"),
    hidden=True,
)
tiled_without_maximum = edit(
    "attention_tiled",
    "No maximum is taken away, so the exponential of a large score overflows.",
    ("np.maximum(m, scores.max(axis=-1, keepdims=True))", "np.zeros((len(q), 1))"),
)
tiled_one_maximum = edit(
    "attention_tiled",
    "One maximum serves all queries, so a query far below it is left with a sum of 0: each query has its own.",
    ("scores.max(axis=-1, keepdims=True)", "scores.max()"),
)
tiled_divides_at_each_tile = edit(
    "attention_tiled",
    "The mixture is divided by the sum before it is carried on: divide for the output only.",
    ("mix * factor + exps @ v_tile", "(mix * factor + exps @ v_tile) / ell"),
    ("return mix / ell", "return mix"),
)
tiled_never_divides = edit(
    "attention_tiled",
    "The mixture comes back undivided: the output is the mixture over the sum.",
    ("return mix / ell", "return mix"),
)


@wrong("attention_tiled")
def tiled_mean_of_tiles(q, k_tile, v_tile, state=None):
    """The outputs of the tiles are averaged: a tile with larger scores has to weigh more."""
    n, total = (0, 0.0) if state is None else state
    total = total + scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    return total / (n + 1), (n + 1, total)


@wrong("attention_tiled")
def tiled_mean_by_size(q, k_tile, v_tile, state=None):
    """The outputs of the tiles are averaged by their numbers of keys: it is their exponentials that count."""
    n, total = (0, 0.0) if state is None else state
    alone = scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    n, total = n + len(k_tile), total + len(k_tile) * alone
    return total / n, (n, total)


@wrong("attention_tiled")
def tiled_half_and_half(q, k_tile, v_tile, state=None):
    """The old output and the tile's are averaged, half and half: each counts by its sum of exponentials."""
    alone = scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    out = alone if state is None else (state + alone) / 2
    return out, out


@wrong("attention_tiled")
def tiled_sum_of_softmaxes(q, k_tile, v_tile, state=None):
    """Each tile has a softmax of its own, and they are added up: all weights together sum to 1, not those of each
    tile."""
    total = 0.0 if state is None else state
    total = total + scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile
    return total, total


@wrong("attention_tiled")
def tiled_state_ignored(q, k_tile, v_tile, state=None):
    """The earlier tiles are forgotten, and only the last one counts: nothing is made of the state."""
    return scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=-1) @ v_tile, ()


tiled_without_scale = edit(
    "attention_tiled",
    "The scale is missing: divide the scores by the root of d.",
    (" / np.sqrt(q.shape[-1])", ""),
)
tiled_over_d = edit(
    "attention_tiled",
    "The scores are divided by d itself: divide by its root.",
    ("np.sqrt(q.shape[-1])", "q.shape[-1]"),
)
tiled_mean_of_exponentials = edit(
    "attention_tiled",
    "The exponentials of a tile are averaged for the sum: add them up, since each key counts once.",
    ("exps.sum(", "exps.mean("),
)
tiled_sum_of_the_last_tile = edit(
    "attention_tiled",
    "The sum is that of the last tile alone: the old sum joins it, rescaled.",
    ("ell * factor + ", ""),
)
tiled_mixes_the_keys = edit(
    "attention_tiled",
    "The keys are mixed. The keys say how much, and the values say what: mix the values.",
    ("exps @ v_tile", "exps @ k_tile"),
)


@wrong("attention_tiled")
def tiled_keeps_keys_and_values(q, k_tile, v_tile, state=None):
    """The outputs are right and the state grows: it holds the keys and values that went by. Carry sums instead."""
    k = k_tile if state is None else np.concatenate([state[0], k_tile])
    v = v_tile if state is None else np.concatenate([state[1], v_tile])
    return scipy_softmax(q @ k.T / np.sqrt(q.shape[-1]), axis=-1) @ v, (k, v)


@wrong("attention_tiled")
def tiled_keeps_a_global(q, k_tile, v_tile, state=None):
    """Two texts read in turn are mixed up: keep nothing between the calls but the state."""
    kept = attention_tiled.__dict__.setdefault("kept", [])
    if state is None:
        kept.clear()
    kept.append((k_tile, v_tile))
    k, v = (np.concatenate(a) for a in zip(*kept))
    return scipy_softmax(q @ k.T / np.sqrt(q.shape[-1]), axis=-1) @ v, 1


@wrong("attention_tiled")
def tiled_factor_as_a_row(q, k_tile, v_tile, state=None):
    """The factor of the mixture lies along the wrong axis: it is one number a query, a column of shape (Tq, 1)."""
    Tq, width = len(q), v_tile.shape[-1]
    m, ell, mix = (np.full(Tq, -np.inf), np.zeros(Tq), np.zeros((Tq, width))) if state is None else state
    scores = q @ k_tile.T / np.sqrt(q.shape[-1])
    new = np.maximum(m, scores.max(-1))
    e, c = np.exp(scores - new[:, None]), np.exp(m - new)
    ell = ell * c + e.sum(-1)
    mix = mix * (c if Tq == width else c[:, None]) + e @ v_tile
    return mix / ell[:, None], (new, ell, mix)


tiled_output_only = edit(
    "attention_tiled", "Only the output came back: return the pair of output and state.", (", (new, ell, mix)", "")
)


@wrong("attention_tiled")
def tiled_softmax_over_queries(q, k_tile, v_tile, state=None):
    """The softmax runs over the queries, and the earlier tiles are forgotten: each query has its weights over all
    keys."""
    return scipy_softmax(q @ k_tile.T / np.sqrt(q.shape[-1]), axis=0) @ v_tile, state


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
