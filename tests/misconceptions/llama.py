"""Wrong solutions of the chapter on LLaMA by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import numpy as np

from autograder.course.bank import edit, right, wrong

# ---- block

# embed

embed_without_places = edit(
    "embed",
    "The places are missing: a token has the same vector wherever it stands, and attention cannot tell the order.",
    (" + places[:T]", ""),
)
embed_places_twice = edit(
    "embed",
    "The places were added twice. One row of the table and one row of the places, added once.",
    ("+ places[:T]", "+ 2 * places[:T]"),
)
embed_places_by_id = edit(
    "embed",
    "The id chose the place as well. A place counts where the token stands in its text: 0, 1, 2, …",
    ("if len(places) < T", "if len(places) < T or np.any(ids >= len(places))"),
    ("places[:T]", "places[ids]"),
)
embed_places_from_one = edit(
    "embed",
    "The first token got row 1 of the places. Places are counted from 0.",
    ("places[:T]", "np.roll(places, -1, axis=0)[:T]"),
)
embed_same_place_for_all = edit(
    "embed",
    "Every token got the vector of place 0. The token at place t gets row t.",
    ("places[:T]", "places[:1]"),
)
embed_last_places = edit(
    "embed",
    "The last rows of the places were taken. A text begins at place 0, however short it is.",
    ("places[:T]", "places[len(places) - T :]"),
)
embed_places_multiplied = edit(
    "embed",
    "The vectors were multiplied by those of their places. They are added.",
    ("+ places[:T]", "* places[:T]"),
)
embed_times_root_of_width = edit(
    "embed",
    "The rows were multiplied by √D, as the paper of 2017 does while it trains. Take the table as it is.",
    ("table[ids]", "np.sqrt(table.shape[1]) * table[ids]"),
)
embed_places_taken_away = edit("embed", "The places were subtracted. They are added.", ("+ places[:T]", "- places[:T]"))
embed_negative_from_the_end = edit(
    "embed",
    "An id below 0 was let in, and NumPy took a row from the end for it: a wrong token, without a word. Refuse it.",
    ("(ids < 0) | (ids >= len(table))", "ids >= len(table)"),
)
embed_clips_ids = edit(
    "embed",
    "An id outside the table was moved to its edge: a wrong token, without a word. Raise a ValueError.",
    ("if np.any((ids < 0) | (ids >= len(table))):", "ids = np.clip(ids, 0, len(table) - 1)\n    if False:"),
)
embed_wraps_ids = edit(
    "embed",
    "An id outside the table was counted round to its start: a wrong token, without a word. Raise a ValueError.",
    ("if np.any((ids < 0) | (ids >= len(table))):", "ids = ids % len(table)\n    if False:"),
)
embed_cuts_the_text = edit(
    "embed",
    "A text with more tokens than places was cut. Nobody asked for that: raise a ValueError.",
    ('raise ValueError("more tokens than places")', "ids, T = ids[..., : len(places)], len(places)"),
)
embed_repeats_the_places = edit(
    "embed",
    "Where the places ended, they began again at 0, so two tokens share a place. Raise a ValueError.",
    (
        'raise ValueError("more tokens than places")',
        "places = np.concatenate([places] * (T // len(places) + 1))",
    ),
)
embed_one_id_too_many = edit(
    "embed",
    "V itself was let through as an id. Counted from 0, the last row is V − 1.",
    ("ids >= len(table)", "ids > len(table)"),
)


@wrong("embed")
def embed_counts_over_all_texts(ids, table, places):
    """The places go on from one text of the batch to the next. Each text begins at place 0."""
    if ids.shape[-1] > len(places) or np.any((ids < 0) | (ids >= len(table))):
        raise ValueError
    rows = np.arange(ids.size).reshape(ids.shape) % len(places)
    return table[ids] + places[rows]


@right("embed")
def embed_by_one_hot(ids, table, places):
    """A row of zeros with a single 1, times the table."""
    if ids.shape[-1] > len(places) or not set(np.ravel(ids).tolist()) <= set(range(len(table))):
        raise ValueError("not in the tables")
    one_hot = (ids[..., None] == np.arange(len(table))).astype(table.dtype)
    return one_hot @ table + places[: ids.shape[-1]]


@right("embed")
def embed_by_take(ids, table, places):
    """np.take, with the ids checked by their smallest and largest."""
    T = ids.shape[-1]
    if T > places.shape[0] or (ids.size and (ids.min() < 0 or ids.max() > table.shape[0] - 1)):
        raise ValueError("not in the tables")
    return np.take(table, ids, axis=0) + np.take(places, np.arange(T), axis=0)


# feed_forward

feed_without_relu = edit(
    "feed_forward",
    "ReLU is missing. Two linear maps in a row are one linear map, and the width in between gains nothing.",
    ("np.maximum(x @ W1 + b1, 0)", "x @ W1 + b1"),
)
feed_relu_after_both = edit(
    "feed_forward",
    "ReLU stands after the second matrix. It belongs between the two, and what leaves the network may be negative.",
    ("np.maximum(x @ W1 + b1, 0)", "x @ W1 + b1"),
    ("return inside @ W2 + b2", "return np.maximum(inside @ W2 + b2, 0)"),
)
feed_relu_twice = edit(
    "feed_forward",
    "A second ReLU stands behind the second matrix. What leaves the network may be negative.",
    ("return inside @ W2 + b2", "return np.maximum(inside @ W2 + b2, 0)"),
)
feed_relu_first = edit(
    "feed_forward",
    "ReLU was applied to the tokens before the first matrix. It comes after it.",
    ("np.maximum(x @ W1 + b1, 0)", "np.maximum(x, 0) @ W1 + b1"),
)
feed_without_b1 = edit("feed_forward", "The bias `b1` is missing: it is added before ReLU.", (" + b1", ""))
feed_without_b2 = edit("feed_forward", "The bias `b2` is missing: it is added at the end.", (" + b2", ""))
feed_b1_after_relu = edit(
    "feed_forward",
    "`b1` was added after ReLU. Added before it, it moves the place at which a number is cut off.",
    ("np.maximum(x @ W1 + b1, 0)", "np.maximum(x @ W1, 0) + b1"),
)
feed_absolute = edit(
    "feed_forward",
    "Negative numbers were turned into positive ones. ReLU makes them 0.",
    ("np.maximum(x @ W1 + b1, 0)", "np.abs(x @ W1 + b1)"),
)
feed_keeps_the_negative = edit(
    "feed_forward",
    "The positive numbers were cut off and the negative ones kept. It is the other way round.",
    ("np.maximum", "np.minimum"),
)
feed_adds_the_token = edit(
    "feed_forward",
    "x was added to the answer. That is the block's business; the network gives back its own part alone.",
    ("return inside @ W2 + b2", "return x + inside @ W2 + b2"),
)
feed_one_for_all = edit(
    "feed_forward",
    "The largest of all numbers came back in place of each number: that is `np.max`. Compare number by number.",
    ("np.maximum(x @ W1 + b1, 0)", "np.full((x @ W1).shape, np.max(x @ W1 + b1, initial=0))"),
)
feed_gelu = edit(
    "feed_forward",
    "That is GELU (by tanh, as in GPT-2). This network has ReLU: what is below 0 becomes 0 exactly.",
    (
        "np.maximum(x @ W1 + b1, 0)",
        "x @ W1 + b1\n    inside = inside / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (inside + 0.044715 * inside**3)))",
    ),
)
feed_silu = edit(
    "feed_forward",
    "That is SiLU, which LLaMA has. This network has ReLU: what is below 0 becomes 0 exactly.",
    ("np.maximum(x @ W1 + b1, 0)", "x @ W1 + b1\n    inside = inside / (1 + np.exp(-inside))"),
)
feed_sigmoid = edit(
    "feed_forward",
    "That is the sigmoid, which squeezes everything between 0 and 1. ReLU leaves positive numbers as they are.",
    ("np.maximum(x @ W1 + b1, 0)", "1 / (1 + np.exp(-(x @ W1 + b1)))"),
)
feed_mean_over_tokens = edit(
    "feed_forward",
    "Tokens were mixed: each got the mean of all of them. Here each token works for itself.",
    ("return inside @ W2 + b2", "return 0 * x + (inside @ W2 + b2).mean(axis=0, keepdims=True)"),
)
feed_only_positive_tokens = edit(
    "feed_forward",
    "A whole token was cut off where its sum is negative. ReLU looks at each number by itself.",
    ("np.maximum(x @ W1 + b1, 0)", "x @ W1 + b1\n    inside = inside * (inside.sum(axis=-1, keepdims=True) > 0)"),
)


@right("feed_forward")
def feed_by_where(x, W1, b1, W2, b2):
    """np.where, and the sums written by einsum."""
    wide = np.einsum("...i,ij->...j", x, W1) + b1
    return np.einsum("...i,ij->...j", np.where(wide > 0, wide, 0), W2) + b2


@right("feed_forward")
def feed_by_a_column_of_ones(x, W1, b1, W2, b2):
    """The biases as one more row of each matrix, for a 1 that stands beside every token."""
    one = np.ones((*x.shape[:-1], 1))
    wide = np.concatenate([x, one], axis=-1) @ np.vstack([W1, b1])
    return np.concatenate([wide * (wide > 0), one], axis=-1) @ np.vstack([W2, b2])


# decoder_block

block_normed_residual = edit(
    "decoder_block",
    "The normed copy was added to, not the stream. The copy is for the part to read; what it adds to is x itself.",
    ("x = x + causal_attention(norm1(x), block, heads)", "x = norm1(x)\n    x = x + causal_attention(x, block, heads)"),
    ("return x + feed(norm2(x))", "x = norm2(x)\n    return x + feed(x)"),
)
block_normed_residual_of_the_second_half = edit(
    "decoder_block",
    "In the second half the normed copy was added to, not the stream. The copy is for the network to read alone.",
    ("return x + feed(norm2(x))", "x = norm2(x)\n    return x + feed(x)"),
)
block_without_residuals = edit(
    "decoder_block",
    "Nothing is added to the stream: each part replaces it. A block is x plus what a part found, twice.",
    ("x = norm1(x + causal", "x = norm1(causal"),
    ("return norm2(x + feed(x))", "return norm2(feed(x))"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = causal_attention(norm1(x), block, heads)"),
    ("return x + feed(norm2(x))", "return feed(norm2(x))"),
)
block_second_residual_lost = edit(
    "decoder_block",
    "The second half gives back what the network made, without the stream that it should be added to.",
    ("return norm2(x + feed(x))", "return norm2(feed(x))"),
    ("return x + feed(norm2(x))", "return feed(norm2(x))"),
)
block_first_residual_lost = edit(
    "decoder_block",
    "The first half gives on what attention found, without the stream that it should be added to.",
    ("x = norm1(x + causal", "x = norm1(causal"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = causal_attention(norm1(x), block, heads)"),
)
block_adds_the_first_x = edit(
    "decoder_block",
    "The second half adds to the x that came in: what attention found is lost. It adds to the sum of the first half.",
    ("if post:", "first = x\n    if post:"),
    ("return norm2(x + feed(x))", "return norm2(first + feed(x))"),
    ("return x + feed(norm2(x))", "return first + feed(norm2(x))"),
)
block_both_from_the_first_x = edit(
    "decoder_block",
    "Both parts read the x that came in, side by side. Here the network reads what attention has added already.",
    ("x = norm1(x + causal_attention(x, block, heads))", "after = norm1(x + causal_attention(x, block, heads))"),
    ("return norm2(x + feed(x))", "return norm2(after + feed(x))"),
    ("x = x + causal_attention(norm1(x), block, heads)", "after = x + causal_attention(norm1(x), block, heads)"),
    ("return x + feed(norm2(x))", "return after + feed(norm2(x))"),
)
block_always_pre = edit(
    "decoder_block", "`post=True` asks for the order of 2017, with the norm after each sum.", ("if post:", "if False:")
)
block_always_post = edit(
    "decoder_block",
    "The norm stands after each sum, as in 2017. Unless `post=True`, it stands before each part.",
    ("if post:", "if True:"),
)
block_orders_swapped = edit(
    "decoder_block",
    "The two orders are swapped: `post=True` is the one with the norm after each sum.",
    ("if post:", "if not post:"),
)
block_without_norms = edit(
    "decoder_block",
    "The norms are missing. Without them the stream grows from block to block until nothing can be learned.",
    ('return layer_norm(h, block["gain1"], block["bias1"])', "return h"),
    ('return layer_norm(h, block["gain2"], block["bias2"])', "return h"),
)
block_norm1_twice = edit(
    "decoder_block",
    "The second half used the first norm's gain and bias. It has its own: `gain2` and `bias2`.",
    ('layer_norm(h, block["gain2"], block["bias2"])', 'layer_norm(h, block["gain1"], block["bias1"])'),
)
block_norms_swapped = edit(
    "decoder_block",
    "The two norms are swapped: `gain1` and `bias1` belong to attention, `gain2` and `bias2` to the network.",
    ('layer_norm(h, block["gain1"], block["bias1"])', 'layer_norm(h, block["gain_2"], block["bias_2"])'),
    ('layer_norm(h, block["gain2"], block["bias2"])', 'layer_norm(h, block["gain1"], block["bias1"])'),
    ("gain_2", "gain2"),
    ("bias_2", "bias2"),
)
block_network_first = edit(
    "decoder_block",
    "The feed-forward network came first. Attention brings the tokens together, and then each works on what it has.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = norm2(x + feed(x))"),
    ("return norm2(x + feed(x))", "return norm1(x + causal_attention(x, block, heads))"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = x + feed(norm2(x))"),
    ("return x + feed(norm2(x))", "return x + causal_attention(norm1(x), block, heads)"),
)
block_norm_of_the_part = edit(
    "decoder_block",
    "The norm was taken of what the part gave back. In pre-norm it is what the part reads, in post-norm the whole sum.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = x + norm1(causal_attention(x, block, heads))"),
    ("return norm2(x + feed(x))", "return x + norm2(feed(x))"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = x + norm1(causal_attention(x, block, heads))"),
    ("return x + feed(norm2(x))", "return x + norm2(feed(x))"),
)
block_one_head = edit(
    "decoder_block",
    "Attention ran with one head, whatever `heads` is: hand it on.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = norm1(x + causal_attention(x, block, 1))"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = x + causal_attention(norm1(x), block, 1)"),
)
block_without_attention = edit(
    "decoder_block",
    "Attention is missing: no token hears of another.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = norm1(x)"),
    ("x = x + causal_attention(norm1(x), block, heads)", "x = x + 0"),
)
block_without_network = edit(
    "decoder_block",
    "The feed-forward network is missing: after attention each token works on what it has.",
    ("return norm2(x + feed(x))", "return norm2(x)"),
    ("return x + feed(norm2(x))", "return x"),
)
block_linear_network = edit(
    "decoder_block",
    "The network has no ReLU between its matrices.",
    ('np.maximum(h @ block["W1"] + block["b1"], 0)', '(h @ block["W1"] + block["b1"])'),
)
block_relu_after_the_network = edit(
    "decoder_block",
    "ReLU stands behind the second matrix of the network. It belongs between the two.",
    (
        'np.maximum(h @ block["W1"] + block["b1"], 0) @ block["W2"] + block["b2"]',
        'np.maximum((h @ block["W1"] + block["b1"]) @ block["W2"] + block["b2"], 0)',
    ),
)
block_without_network_biases = edit(
    "decoder_block",
    "The biases of the network are missing: `b1` before ReLU, `b2` at the end.",
    (' + block["b1"]', ""),
    (' + block["b2"]', ""),
)
block_norm_over_time = edit(
    "decoder_block",
    "The norm ran from token to token, along T. Each token is normed by itself, along its D numbers.",
    (
        'return layer_norm(h, block["gain1"], block["bias1"])',
        'return layer_norm(np.swapaxes(h, -1, -2), 1, 0).swapaxes(-1, -2) * block["gain1"] + block["bias1"]',
    ),
    (
        'return layer_norm(h, block["gain2"], block["bias2"])',
        'return layer_norm(np.swapaxes(h, -1, -2), 1, 0).swapaxes(-1, -2) * block["gain2"] + block["bias2"]',
    ),
)
block_norm_at_the_end_too = edit(
    "decoder_block",
    "A pre-norm block ends with its second sum. The one norm after the last block belongs to the model.",
    ("return x + feed(norm2(x))", "return norm2(x + feed(norm2(x)))"),
)
block_post_with_a_norm_before = edit(
    "decoder_block",
    "In post-norm the parts read the stream itself. It comes normed from the sum before: no second norm.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = norm1(x + causal_attention(norm1(x), block, heads))"),
    ("return norm2(x + feed(x))", "return norm2(x + feed(norm2(x)))"),
)
block_side_by_side_in_pre_norm = edit(
    "decoder_block",
    "In pre-norm the network reads the x that came in. It reads what attention has added already, as in post-norm.",
    ("return x + feed(norm2(x))", "return x + feed(norm2(first))"),
    ("if post:", "first = x\n    if post:"),
)
block_norm_of_the_part_in_post_norm = edit(
    "decoder_block",
    "In post-norm the norm was taken of what the part gave back. It is taken of the whole sum, x and what was added.",
    ("x = norm1(x + causal_attention(x, block, heads))", "x = x + norm1(causal_attention(x, block, heads))"),
    ("return norm2(x + feed(x))", "return x + norm2(feed(x))"),
)


@right("decoder_block")
def block_in_small_steps(x, block, heads, post=False):
    """The parts named one by one, and the network by einsum."""
    read = x if post else layer_norm(x, block["gain1"], block["bias1"])  # noqa: F821  the notebook's
    stream = x + causal_attention(read, block, heads)  # noqa: F821
    if post:
        stream = layer_norm(stream, block["gain1"], block["bias1"])  # noqa: F821
    read = stream if post else layer_norm(stream, block["gain2"], block["bias2"])  # noqa: F821
    inside = np.einsum("...d,df->...f", read, block["W1"]) + block["b1"]
    stream = stream + np.einsum("...f,fd->...d", np.where(inside > 0, inside, 0.0), block["W2"]) + block["b2"]
    return layer_norm(stream, block["gain2"], block["bias2"]) if post else stream  # noqa: F821


@right("decoder_block")
def block_as_a_loop_over_parts(x, block, heads, post=False):
    """The two halves have one form, so a loop goes over them."""
    attend = lambda h: causal_attention(h, block, heads)  # noqa: E731, F821
    network = lambda h: np.clip(h @ block["W1"] + block["b1"], 0, None) @ block["W2"] + block["b2"]  # noqa: E731
    for number, part in (("1", attend), ("2", network)):
        gain, bias = block["gain" + number], block["bias" + number]
        if post:
            x = layer_norm(x + part(x), gain, bias)  # noqa: F821
        else:
            x = x + part(layer_norm(x, gain, bias))  # noqa: F821
    return x


# ---- parts

# rms_norm

rms_as_layer_norm = edit(
    "rms_norm",
    "The mean of x was taken away first: that is LayerNorm. RMSNorm divides by the root of the mean square, no more.",
    ("mean_square =", "wide = wide - wide.mean(axis=-1, keepdims=True)\n    mean_square ="),
)
rms_by_standard_deviation = edit(
    "rms_norm",
    "x was divided by its standard deviation, which takes the mean out. Take the mean of the squares of x as it is.",
    ("np.mean(wide * wide, axis=-1, keepdims=True)", "wide.var(axis=-1, keepdims=True)"),
)
rms_eps_outside = edit(
    "rms_norm",
    "ε stands outside the root. Add it to the mean of the squares, and take the root of both.",
    ("np.sqrt(mean_square + eps)", "(np.sqrt(mean_square) + eps)"),
)
rms_overflows_in_float16 = edit(
    "rms_norm",
    "The squares overflow: in float16, 300 · 300 is infinite. Go to float32 before you square, not after.",
    ("x.astype(np.float32) if x.dtype == np.float16 else x", "x"),
)
rms_cast_after_squaring = edit(
    "rms_norm",
    "The squares overflow: in float16, 300 · 300 is infinite. Go to float32 before you square, not after.",
    ("wide * wide", "(x * x).astype(np.float64)"),
)
rms_by_the_length = edit(
    "rms_norm",
    "x was divided by the root of the sum of its squares, so its size hangs on the width D. Take their mean.",
    ("np.mean", "np.sum"),
)
rms_without_root = edit(
    "rms_norm",
    "The root is missing: x was divided by its mean square, so larger tokens come out smaller.",
    ("np.sqrt(mean_square + eps)", "(mean_square + eps)"),
)
rms_over_everything = edit(
    "rms_norm",
    "One mean was taken over the whole array. Each token has a size of its own: the mean runs over the last axis.",
    ("wide * wide, axis=-1, keepdims=True", "wide * wide"),
)
rms_over_the_first_axis = edit(
    "rms_norm",
    "The mean runs over the first axis, from token to token. Each token is normalised by itself, along the last axis.",
    ("axis=-1", "axis=0"),
)
rms_without_keepdims = edit(
    "rms_norm",
    "The mean has lost its axis, so it does not stand beside its own token any more: what does `keepdims` do?",
    (", keepdims=True", ""),
)
rms_without_gain = edit(
    "rms_norm", "The gain is missing: after the division, each column is multiplied by its own.", (" * gain", "")
)
rms_with_one_plus_gain = edit(
    "rms_norm",
    "1 was added to the gain. Gemma stores its gain less 1, so that is right there; a LLaMA stores the gain itself.",
    ("* gain", "* (1 + gain)"),
)
rms_adds_gain = edit("rms_norm", "The gain was added. It is a factor: multiply by it.", ("* gain", "+ gain"))
rms_gain_first = edit(
    "rms_norm",
    "The gain went in before the norm, which then takes a part of it out again. Normalise first, multiply then.",
    ("mean_square =", "wide = wide * gain\n    mean_square ="),
    (" * gain).astype", ").astype"),
)
rms_hard_coded_eps = edit(
    "rms_norm",
    "ε is 1e-5, whatever was asked for: use the argument `eps`.",
    ("mean_square + eps", "mean_square + 1e-5"),
)
rms_without_eps = edit(
    "rms_norm",
    "ε is not used. A token of zeros is then 0/0, and small numbers come out too large.",
    ("mean_square + eps", "mean_square"),
)
rms_squared_eps = edit(
    "rms_norm",
    "ε was squared. Add it as it is to the mean of the squares.",
    ("mean_square + eps", "mean_square + eps**2"),
)
rms_mean_of_sizes = edit(
    "rms_norm",
    "The mean of the sizes |x| was taken. Square first, take the mean, and the root at the end.",
    ("np.mean(wide * wide", "np.mean(np.abs(wide)"),
    ("np.sqrt(mean_square + eps)", "(mean_square + eps)"),
)
rms_multiplies = edit(
    "rms_norm",
    "x was multiplied by its size, so large tokens come out larger still. Divide by it.",
    ("wide / np.sqrt(", "wide * np.sqrt("),
)
rms_by_the_sum_of_sizes = edit(
    "rms_norm",
    "x was divided by the sum of the sizes |x|. Square first, take the mean, and the root at the end.",
    ("np.mean(wide * wide", "np.sum(np.abs(wide)"),
    ("np.sqrt(mean_square + eps)", "(mean_square + eps)"),
)
rms_eps_as_a_floor = edit(
    "rms_norm",
    "ε was taken for the smallest size that is allowed. It is added to the mean of the squares, under the root.",
    ("np.sqrt(mean_square + eps)", "np.maximum(np.sqrt(mean_square), eps)"),
)
rms_text_by_text = edit(
    "rms_norm",
    "The mean runs over more than one axis: the tokens of a text share one size. Each token is normalised by itself.",
    ("axis=-1, keepdims", "axis=tuple(range(min(1, x.ndim - 1), x.ndim)), keepdims"),
)
rms_answers_in_float64 = edit(
    "rms_norm",
    "The numbers are right and their dtype is float64, which would turn all that follows into float64. "
    "The answer has the dtype of x.",
    ("x.astype(np.float32) if x.dtype == np.float16 else x", "x.astype(np.float64)"),
    (".astype(x.dtype)", ""),
)
rms_answers_in_the_width_of_the_work = edit(
    "rms_norm",
    "For float16 the answer came back in float32, in which you worked. Cast it back: it has the dtype of x.",
    (".astype(x.dtype)", ""),
)
rms_always_in_float32 = edit(
    "rms_norm",
    "float64 went through float32, where 1e30 squared is infinite and half of the digits are lost. "
    "Only float16 needs another width.",
    ("x.astype(np.float32) if x.dtype == np.float16 else x", "x.astype(np.float32)"),
)


@right("rms_norm")
def rms_by_einsum(x, gain, eps=1e-5):
    """The mean square as a dot product of each token with itself, always in float64 inside."""
    wide = np.asarray(x, dtype=np.float64)
    mean_square = np.einsum("...i,...i->...", wide, wide) / x.shape[-1]
    return (wide * (mean_square + eps)[..., None] ** -0.5 * gain).astype(x.dtype)


@right("rms_norm")
def rms_by_linalg_norm(x, gain, eps=1e-5):
    """The length of the vector, over the root of its width; the cast before the gain, as Hugging Face does."""
    wide = x.astype(np.result_type(x.dtype, np.float32))
    mean_square = np.linalg.norm(wide, axis=-1, keepdims=True) ** 2 / wide.shape[-1]
    return ((wide / np.sqrt(mean_square + eps)).astype(x.dtype) * gain).astype(x.dtype)


# rope_tables

tables_with_half_the_exponent = edit(
    "rope_tables",
    "The exponent is −i/d, half of what it should be: pair i has −2i/d, so the slow pairs are far too fast here.",
    ("np.arange(0, d, 2)", "np.arange(d // 2)"),
)
tables_with_twice_the_exponent = edit(
    "rope_tables",
    "The exponent counts its 2 twice: `np.arange(0, d, 2)` is 2i already.",
    ("np.arange(0, d, 2) / d", "2 * np.arange(0, d, 2) / d"),
)
tables_growing = edit(
    "rope_tables",
    "The pairs grow faster from column to column: the exponent is negative, and the first pair is the fastest.",
    ("(-np.arange(0", "(np.arange(0"),
)
tables_backwards = edit(
    "rope_tables",
    "The slowest pair comes first. Pair 0 has exponent 0 and turns by 1 radian a place.",
    ("(-np.arange(0, d, 2) / d)", "(-np.arange(0, d, 2)[::-1] / d)"),
)
tables_of_full_width = edit(
    "rope_tables",
    "There is a column for each number, every angle twice, as Hugging Face keeps them. Here a column stands for "
    "a pair.",
    ("np.outer(np.arange(T), speeds)", "np.outer(np.arange(T), np.concatenate([speeds, speeds]))"),
)
tables_from_place_one = edit(
    "rope_tables",
    "The places start at 1. The first token stands at place 0, where nothing is turned.",
    ("np.arange(T)", "np.arange(1, T + 1)"),
)
tables_with_one_place_too_many = edit(
    "rope_tables",
    "There is one place too many: T places, counted from 0, end with T − 1.",
    ("np.arange(T)", "np.arange(T + 1)"),
)
tables_from_pair_one = edit(
    "rope_tables",
    "The first pair has the exponent −2/d. Count the pairs from 0: the first one turns by 1 radian a place.",
    ("np.arange(0, d, 2)", "np.arange(2, d + 2, 2)"),
)
tables_with_fixed_base = edit(
    "rope_tables", "The base is 10000, whatever was asked for: use the argument.", ("float(base)", "10000.0")
)
tables_sine_first = edit(
    "rope_tables",
    "Cosine and sine are swapped. The pair is (cos, sin), other than in the sinusoidal positions of 2017.",
    ("np.cos(angles), np.sin(angles)", "np.sin(angles), np.cos(angles)"),
)
tables_of_angles = edit(
    "rope_tables",
    "The angles themselves came back: the tables hold their cosine and sine.",
    ("np.cos(angles), np.sin(angles)", "angles, angles"),
)
tables_in_degrees = edit(
    "rope_tables",
    "The angles were taken for degrees. They are radians already, as NumPy wants them.",
    ("np.outer(np.arange(T), speeds)", "np.radians(np.outer(np.arange(T), speeds))"),
)
tables_in_turns = edit(
    "rope_tables",
    "A factor of 2π came in. The angles are radians, not turns: the first pair turns by 1 radian a place.",
    ("np.outer(np.arange(T), speeds)", "2 * np.pi * np.outer(np.arange(T), speeds)"),
)
tables_in_float32 = edit(
    "rope_tables",
    "The angles were computed in float32: at far places they are off by a thousandth and more. Work in float64.",
    (
        "float(base) ** (-np.arange(0, d, 2) / d)",
        "np.float32(base) ** (-np.arange(0, d, 2, dtype=np.float32) / np.float32(d))",
    ),
    ("np.arange(T)", "np.arange(T, dtype=np.float32)"),
)
tables_cast_to_float32 = edit(
    "rope_tables",
    "The tables came back as float32. They are made once, so they can afford to be float64.",
    ("np.cos(angles), np.sin(angles)", "np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)"),
)
tables_transposed = edit(
    "rope_tables",
    "The tables lie on their side: a row stands for a place, a column for a pair.",
    ("np.outer(np.arange(T), speeds)", "np.outer(speeds, np.arange(T))"),
)
tables_down_to_one_over_base = edit(
    "rope_tables",
    "The last pair has the speed 1/base exactly: the divisor was d − 2, as of a `linspace` that includes its "
    "end. It is d.",
    ("(-np.arange(0, d, 2) / d)", "-np.linspace(0, 1, d // 2)"),
)


@wrong("rope_tables")
def tables_of_whole_numbers(d, T, base=10000.0):
    """NumPy refuses a whole number to a negative whole power. Make the base a float, and divide within the exponent."""
    speeds = np.array([int(base) ** -np.arange(0, d, 2)]) / d
    angles = np.arange(T)[:, None] * speeds
    return np.cos(angles), np.sin(angles)


@right("rope_tables")
def tables_by_complex_power(d, T, base=10000.0):
    """A unit complex number for each place and pair."""
    speeds = np.exp(-np.log(base) * np.arange(d // 2) / (d // 2))
    turns = np.exp(1j * np.arange(T)[:, None] * speeds)
    return turns.real, turns.imag


@right("rope_tables")
def tables_by_loops(d, T, base=10000.0):
    """One number at a time."""
    cos, sin = np.empty((T, d // 2)), np.empty((T, d // 2))
    for t in range(T):
        for i in range(d // 2):
            angle = t / base ** (2 * i / d)
            cos[t, i], sin[t, i] = np.cos(angle), np.sin(angle)
    return cos, sin


# apply_rope

rope_counts_from_zero = edit(
    "apply_rope",
    "`positions` is ignored: token t was taken to stand at place t. That goes wrong as soon as a cache holds "
    "earlier tokens.",
    ("cos[positions], sin[positions]", "cos[: x.shape[-2]], sin[: x.shape[-2]]"),
)
rope_always_interleaved = edit(
    "apply_rope",
    "The layout is checked and not followed: this is the interleaved answer to a question for halves.",
    ("slice(0, half), slice(half, None)", "slice(0, None, 2), slice(1, None, 2)"),
)
rope_always_half = edit(
    "apply_rope",
    "The layout is checked and not followed: this is the answer for halves to a question for neighbours.",
    ("slice(0, None, 2), slice(1, None, 2)", "slice(0, half), slice(half, None)"),
)
rope_layouts_exchanged = edit(
    "apply_rope",
    'The two layouts are exchanged: "interleaved" pairs neighbours, "half" pairs numbers that stand d/2 apart.',
    ('layout == "interleaved"', 'layout == "_"'),
    ('layout == "half"', 'layout == "interleaved"'),
    ('layout == "_"', 'layout == "half"'),
)


@wrong("apply_rope")
def rope_concatenates(x, cos, sin, positions, layout="interleaved"):
    """The pairs turn rightly, and their numbers were put down in the other layout's order, all first ones before all
    second ones. Each number of a pair stays where it was."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    c, s = cos[positions], sin[positions]
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else np.split(x, 2, axis=-1)
    return np.concatenate([a * c - b * s, a * s + b * c], axis=-1).astype(x.dtype)


rope_backwards = edit(
    "apply_rope",
    "The pairs turn backwards: the minus stands in the first number, a cos θ − b sin θ. All scores would be the same; "
    "the keys in another program's cache would not.",
    ("a * c - b * s", "a * c + b * s"),
    ("a * s + b * c", "b * c - a * s"),
)
rope_overwrites = edit(
    "apply_rope",
    "The second number was computed from the new first one. Keep the old ones until both are done.",
    ("out = np.empty_like(x)", "out = x.copy()\n    a, b = out[..., first], out[..., second]"),
)
rope_without_minus = edit(
    "apply_rope",
    "The minus is missing, so this is no rotation, and lengths change.",
    ("a * c - b * s", "a * c + b * s"),
)


@wrong("apply_rope")
def rope_angles_of_the_other_layout(x, cos, sin, positions, layout="interleaved"):
    """The pairs are right, but the angles are spread over the numbers as in the other layout: both numbers of a pair
    turn by the same angle."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else np.split(x, 2, axis=-1)
    c, s = (np.concatenate([t[positions]] * 2, -1) for t in (cos, sin))
    if layout == "half":
        c, s = (np.repeat(t[positions], 2, axis=-1) for t in (cos, sin))
        return (x * c + np.concatenate([-b, a], axis=-1) * s).astype(x.dtype)
    return (x * c + np.stack([-b, a], axis=-1).reshape(x.shape) * s).astype(x.dtype)


rope_does_nothing = edit(
    "apply_rope",
    "Nothing was turned: x came back as it was. Are the turned numbers made and dropped?",
    ("return out", "return x"),
)
rope_cosine_only = edit(
    "apply_rope",
    "Only the cosine is used, so numbers shrink and do not turn: each new number needs both numbers of its pair.",
    ("a * c - b * s", "a * c"),
    ("a * s + b * c", "b * c"),
)
rope_with_two_minuses = edit(
    "apply_rope",
    "There is a minus in both new numbers. The second is a sin θ + b cos θ: at the angle 0 it must stay what it was.",
    ("a * s + b * c", "a * s - b * c"),
)
rope_counts_from_the_first_place = edit(
    "apply_rope",
    "Only the first place was looked at, and the others were counted on from it. Each token says where it stands.",
    (
        "c, s = cos[positions], sin[positions]",
        "positions = positions.ravel()[:1].sum() + np.arange(x.shape[-2])\n    c, s = cos[positions], sin[positions]",
    ),
)
rope_turns_twice = edit(
    "apply_rope",
    "The pairs are turned by twice the angle, as if turned twice.",
    ("c, s = cos[positions], sin[positions]", "z = (cos + 1j * sin)[positions] ** 2\n    c, s = z.real, z.imag"),
)
rope_cosine_for_sine = edit(
    "apply_rope",
    "Cosine and sine are exchanged: where the angle is 0, the cosine is 1 and x must stay as it is.",
    ("c, s = cos", "s, c = cos"),
)
rope_by_the_first_token = edit(
    "apply_rope",
    "Every token was turned by the angles of the first one: each has a place of its own.",
    ("cos[positions], sin[positions]", "cos[positions][..., :1, :], sin[positions][..., :1, :]"),
)
rope_by_the_first_pair = edit(
    "apply_rope",
    "Every pair was turned by the angle of the first pair: each has a column of its own in the tables.",
    ("cos[positions], sin[positions]", "cos[positions][..., :1], sin[positions][..., :1]"),
)
rope_answers_in_float64 = edit(
    "apply_rope",
    "The numbers are right; the float64 tables have turned a float32 x into float64. The answer has the dtype of x.",
    ("np.empty_like(x)", "np.empty(x.shape)"),
)
rope_always_in_float32 = edit(
    "apply_rope",
    "The answer is float32, whatever x is: it has the dtype of x.",
    ("np.empty_like(x)", "np.empty_like(x, dtype=np.float32)"),
)
rope_takes_any_word = edit(
    "apply_rope",
    "A word that is no layout was answered, too: a misspelt one would turn the wrong pairs in silence. Raise "
    "ValueError.",
    ('elif layout == "half":', "else:"),
    ("    else:\n        raise ValueError(f\"layout must be 'interleaved' or 'half', not {layout!r}\")\n", ""),
)
rope_takes_upper_case = edit(
    "apply_rope",
    '"Half" was taken for "half". The contract has two words, and any other one is refused.',
    ('layout == "half"', 'layout.lower() == "half"'),
    hidden=True,
)
rope_places_on_the_heads = edit(
    "apply_rope",
    "Heads were taken for tokens: the places belong to the axis before the last, and x is (…, heads, T, d).",
    (
        "    a, b =",
        "    if x.ndim > 2 and positions.ndim == 1:\n        c, s = c[:, None, :], s[:, None, :]\n    a, b =",
    ),
)


@right("apply_rope")
def rope_by_complex_numbers(x, cos, sin, positions, layout="interleaved"):
    """A pair is a complex number, a turn is a product."""
    turn = (cos + 1j * sin)[positions]
    if layout == "interleaved":
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
        out = np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)
    elif layout == "half":
        a, b = np.split(x, 2, axis=-1)
        pairs = (a + 1j * b) * turn
        out = np.concatenate([pairs.real, pairs.imag], axis=-1)
    else:
        raise ValueError(f"no such layout: {layout}")
    return out.astype(x.dtype)


@right("apply_rope")
def rope_by_partners(x, cos, sin, positions, layout="interleaved"):
    """x cos + partner sin, with every angle written twice."""
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    match layout:
        case "interleaved":
            c, s = np.repeat(c, 2, axis=-1), np.repeat(s, 2, axis=-1)
            partner = np.empty_like(x)
            partner[..., 0::2], partner[..., 1::2] = -x[..., 1::2], x[..., 0::2]
        case "half":
            c, s = np.concatenate([c, c], axis=-1), np.concatenate([s, s], axis=-1)
            partner = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
        case _:
            raise ValueError("layout")
    return x * c.astype(x.dtype) + partner * s.astype(x.dtype)


@right("apply_rope")
def rope_by_matrices(x, cos, sin, positions, layout="interleaved"):
    """A 2 x 2 matrix for each place and pair."""
    if layout not in {"interleaved", "half"}:
        raise ValueError(layout)
    c, s = cos[positions], sin[positions]
    matrix = np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)
    *lead, d = x.shape
    pairs = x.reshape(*lead, d // 2, 2) if layout == "interleaved" else np.moveaxis(x.reshape(*lead, 2, d // 2), -2, -1)
    turned = (matrix @ pairs[..., None])[..., 0]
    if layout == "half":
        turned = np.moveaxis(turned, -1, -2)
    return turned.reshape(x.shape).astype(x.dtype)


# convert_rope_layout

convert_in_the_other_direction = edit(
    "convert_rope_layout",
    "That is the other direction. For a head of width 4 the two are the same; number the columns of a wider one.",
    ('to == "half"', 'to == "_"'),
    ('to == "interleaved"', 'to == "half"'),
    ('to == "_"', 'to == "interleaved"'),
)
convert_always_to_half = edit(
    "convert_rope_layout",
    'The direction is checked and not followed: to="interleaved" must undo what to="half" does.',
    ("inside = (2, half)", "inside = (half, 2)"),
)
convert_across_heads = edit(
    "convert_rope_layout",
    "The columns were sorted over the whole width, so heads exchange theirs. Each head keeps its columns together.",
    ("W.shape[-1] // heads // 2", "W.shape[-1] // 2"),
    ("W.shape[:-1], heads, *inside", "W.shape[:-1], *inside"),
)


@wrong("convert_rope_layout")
def convert_rows(W, heads, to="half"):
    """The rows were moved, as in scripts whose matrices are (out, in). With x @ W the heads lie along the columns."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    rows = W if W.ndim == 1 or W.shape[-2] % (2 * heads) else W.swapaxes(-1, -2)
    half = rows.shape[-1] // heads // 2
    inside = (half, 2) if to == "half" else (2, half)
    moved = rows.reshape(*rows.shape[:-1], heads, *inside).swapaxes(-1, -2).reshape(rows.shape)
    return moved if rows is W else moved.swapaxes(-1, -2)


convert_with_the_width_of_the_queries = edit(
    "convert_rope_layout",
    "The head width was taken from the rows. It is the number of columns over `heads`: keys have fewer columns than "
    "rows, and a bias has no rows.",
    ("W.shape[-1] // heads // 2", "W.shape[0] // heads // 2"),
)
convert_collects_halves = edit(
    "convert_rope_layout",
    "The first numbers of all heads stand before the second ones of all heads: the swap went past the axis of "
    "the heads.",
    (
        "return pairs.swapaxes(-1, -2)",
        "pairs = pairs.swapaxes(-1, -2)\n    return (pairs if to == 'interleaved' else pairs.swapaxes(-2, -3))",
    ),
)
convert_swaps_halves = edit(
    "convert_rope_layout",
    "The halves of each head were swapped, and the pairs left as they are. To half: first all even columns, then "
    "all odd.",
    ("inside = (half, 2)", "inside = (2, half)"),
    ("pairs.swapaxes(-1, -2)", "pairs[..., ::-1, :]"),
)
convert_odd_first = edit(
    "convert_rope_layout",
    "The second numbers of the pairs came first: the even columns of a head go before its odd ones.",
    ("inside = (half, 2)", "inside = (half, 2)\n        W = W.reshape(-1, 2)[:, ::-1].reshape(W.shape)"),
    (
        "return pairs.swapaxes(-1, -2)",
        "pairs = pairs[..., ::-1, :] if to == 'interleaved' else pairs\n    return pairs.swapaxes(-1, -2)",
    ),
)
convert_forgets_the_swap = edit(
    "convert_rope_layout",
    "Nothing was moved: two reshapes undo each other. Between them, two axes change places.",
    ("pairs.swapaxes(-1, -2)", "pairs"),
)
convert_mixes_heads = edit(
    "convert_rope_layout",
    "The heads were mixed: a head's columns stand side by side, so `heads` is the outermost of the split axes.",
    (
        "pairs = W.reshape(*W.shape[:-1], heads, *inside)",
        "pairs = np.moveaxis(W.reshape(*W.shape[:-1], *inside, heads), -1, -3)",
    ),
)
convert_takes_any_word = edit(
    "convert_rope_layout",
    "A word that is no layout was answered, too: a misspelt one would spoil the weights in silence. Raise ValueError.",
    ('elif to == "interleaved":', "else:"),
    ("    else:\n        raise ValueError(f\"to must be 'half' or 'interleaved', not {to!r}\")\n", ""),
)
convert_takes_upper_case = edit(
    "convert_rope_layout",
    '"Half" was taken for "half". The contract has two words, and any other one is refused.',
    ('to == "half"', 'to.lower() == "half"'),
    hidden=True,
)


@right("convert_rope_layout")
def convert_by_slices(W, heads, to="half"):
    """Even and odd columns, head by head."""
    parts = []
    for each in np.split(W, heads, axis=-1):
        d = each.shape[-1]
        if to == "half":
            parts += [each[..., 0::2], each[..., 1::2]]
        elif to == "interleaved":
            mixed = np.empty_like(each)
            mixed[..., 0::2], mixed[..., 1::2] = each[..., : d // 2], each[..., d // 2 :]
            parts.append(mixed)
        else:
            raise ValueError("to")
    return np.concatenate(parts, axis=-1)


@right("convert_rope_layout")
def convert_by_an_index(W, heads, to="half"):
    """One list of columns; its argsort is the way back."""
    d = W.shape[-1] // heads
    inside = [*range(0, d, 2), *range(1, d, 2)]
    columns = np.array([h * d + j for h in range(heads) for j in inside])
    if to == "interleaved":
        columns = np.argsort(columns)
    elif to != "half":
        raise ValueError(to)
    return np.take(W, columns, axis=-1)


# swiglu

swiglu_swapped = edit(
    "swiglu",
    "Gate and up are swapped: SiLU goes on x @ Wg, the gate.",
    ("gate, up = x @ Wg, x @ Wu", "gate, up = x @ Wu, x @ Wg"),
)
swiglu_overflows = edit(
    "swiglu",
    "For a large gate, exp overflows and infinity over infinity is NaN. Let exp see no number above 0, or choose a "
    "form of the sigmoid in which infinity does no harm.",
    ("np.exp(-np.abs(gate))", "np.exp(gate)"),
    ("np.where(gate >= 0, 1, e)", "e"),
)
swiglu_with_sigmoid = edit(
    "swiglu",
    "The gate is the bare sigmoid. SiLU is the gate times its own sigmoid.",
    ("(gate * sigmoid * up)", "(sigmoid * up)"),
)
swiglu_with_gelu = edit(
    "swiglu",
    "That is GELU on the gate. SiLU is simpler: the gate times its own sigmoid.",
    (
        "np.where(gate >= 0, 1, e) / (1 + e)",
        "0.5 * (1 + np.tanh((2 / np.pi) ** 0.5 * (gate + 0.044715 * gate**3)))",
    ),
)
swiglu_with_quick_gelu = edit(
    "swiglu",
    "A factor of 1.702 stands in the sigmoid: that is a quick form of GELU. SiLU has no such factor.",
    ("np.where(gate >= 0, 1, e) / (1 + e)", "0.5 * (1 + np.tanh(0.851 * gate))"),
)
swiglu_with_softplus = edit(
    "swiglu",
    "That is the softplus ln(1 + e^g). SiLU is the gate times its own sigmoid, and a little below 0 for a "
    "negative gate.",
    ("gate * sigmoid * up", "np.logaddexp(0, gate) * up"),
)
swiglu_with_softmax = edit(
    "swiglu",
    "The gate went through a softmax, in which the numbers of a token compete. In SiLU each stands for itself.",
    ("gate * sigmoid * up", "np.exp(gate - np.logaddexp.reduce(gate, axis=-1, keepdims=True)) * up"),
)
swiglu_with_relu = edit(
    "swiglu",
    "That is ReLU on the gate, which cuts off all below zero. SiLU keeps a little of it.",
    ("np.where(gate >= 0, 1, e) / (1 + e)", "gate > 0"),
)
swiglu_with_tanh = edit(
    "swiglu",
    "A tanh stands in place of the sigmoid. The sigmoid runs from 0 to 1 and is 1/2 at 0.",
    ("np.where(gate >= 0, 1, e) / (1 + e)", "np.tanh(gate)"),
)
swiglu_without_up = edit(
    "swiglu",
    "The up projection is missing: silu of the gate says how much of it is written.",
    ("gate * sigmoid * up", "gate * sigmoid"),
)
swiglu_bends_both = edit(
    "swiglu",
    "SiLU was put on both projections. It bends the gate; up stays as it is.",
    ("gate * sigmoid * up", "gate * sigmoid * up * np.exp(-np.logaddexp(0, -up))"),
)
swiglu_bends_the_product = edit(
    "swiglu",
    "SiLU was put on the product of gate and up. It belongs on the gate, before the two are multiplied.",
    ("gate * sigmoid * up", "gate * up * np.exp(-np.logaddexp(0, -gate * up))"),
)
swiglu_bends_the_answer = edit(
    "swiglu",
    "SiLU came after the down projection. It belongs on the gate, before the two are multiplied.",
    ("return (gate * sigmoid * up) @ Wd", "y = (gate * up) @ Wd\n    return y * np.exp(-np.logaddexp(0, -y))"),
)
swiglu_adds = edit(
    "swiglu", "Gate and up were added. Multiply them, number by number.", ("gate * sigmoid * up", "gate * sigmoid + up")
)
swiglu_adds_x = edit(
    "swiglu",
    "x was added at the end. That residual belongs to the block, which would then add it twice.",
    ("return (gate", "return x + (gate"),
)
swiglu_with_the_wrong_sign = edit(
    "swiglu",
    "The sign within the sigmoid is wrong: it must grow with the gate, and here the gate closes as it grows.",
    ("gate >= 0", "gate <= 0"),
)
swiglu_without_silu = edit(
    "swiglu",
    "Nothing bends: SiLU is missing, and without it the whole is two products in a row.",
    ("gate * sigmoid * up", "gate * up"),
)
swiglu_clips_the_gate = edit(
    "swiglu",
    "The gate was clipped, against the overflow, and SiLU of a large gate is that gate. Clip what exp sees, if at all.",
    ("    e =", "    gate = np.clip(gate, -30, 30)\n    e ="),
)
swiglu_answers_in_float64 = edit(
    "swiglu",
    "The numbers are right and their dtype is float64: one float64 array was enough. The answer has the dtype of x.",
    ("np.exp(-np.abs(gate))", "np.exp(-np.abs(gate.astype(np.float64)))"),
)


@right("swiglu")
def swiglu_by_tanh(x, Wg, Wu, Wd):
    """The sigmoid as half a hyperbolic tangent, which does not overflow."""
    gate = x @ Wg
    return (0.5 * gate * (1 + np.tanh(0.5 * gate)) * (x @ Wu)) @ Wd


@right("swiglu")
def swiglu_as_printed(x, Wg, Wu, Wd):
    """1 / (1 + exp(-g)): the overflow goes to infinity and its inverse to 0, which is right."""
    gate, up = np.matmul(x, Wg), np.matmul(x, Wu)
    with np.errstate(over="ignore"):
        return np.matmul(gate / (1 + np.exp(-gate)) * up, Wd)


@right("swiglu")
def swiglu_in_one_product(x, Wg, Wu, Wd):
    """Gate and up as one product, cut in two."""
    gate, up = np.split(x @ np.concatenate([Wg, Wu], axis=1), 2, axis=-1)
    return (gate * np.exp(-np.logaddexp(0, -gate)) * up) @ Wd


# repeat_kv


@wrong("repeat_kv")
def repeat_by_tile(x, n):
    """The heads come as A B A B: each must come n times in a row, A A B B, so that neighbours share one."""
    return np.concatenate([x] * n, axis=-3)


@wrong("repeat_kv")
def repeat_axis_one(x, n):
    """Axis 1 is the axis of the heads only where exactly one axis stands before it. Count from the end."""
    return np.repeat(x, n, axis=1)


@wrong("repeat_kv")
def repeat_axis_zero(x, n):
    """Axis 0 was repeated, which is the batch where there is one. The heads are the third axis from the end."""
    return np.repeat(x, n, axis=0)


@wrong("repeat_kv")
def repeat_up_to_n(x, n):
    """n is how often each head is repeated, not how many heads there are in the end."""
    return np.repeat(x, max(1, n // x.shape[-3]), axis=-3)


@wrong("repeat_kv")
def repeat_tokens_and_reshape(x, n):
    """Tokens were repeated, and a reshape cut them into heads: the shape is right, the heads are not. Repeat
    whole ones."""
    *lead, K, T, d = x.shape
    return np.repeat(x, n, axis=-2).reshape(*lead, K * n, T, d)


@wrong("repeat_kv")
def repeat_the_tokens(x, n):
    """The axis of the tokens has grown, not that of the heads, which is the third from the end."""
    return np.repeat(x, n, axis=-2)


@wrong("repeat_kv")
def repeat_the_numbers(x, n):
    """The last axis has grown: each number was repeated, not each head."""
    return np.repeat(x, n, axis=-1)


@wrong("repeat_kv")
def repeat_from_the_shape(x, n):
    """The code takes x to have four axes. There may be none before the heads, or several: count the axes from the
    end."""
    B, K, T, d = x.shape
    return np.broadcast_to(x[:, :, None], (B, K, n, T, d)).reshape(B, K * n, T, d)


@wrong("repeat_kv")
def repeat_into_float64(x, n):
    """The heads are right, in float64: an array made without a dtype is float64. The answer has the dtype of x."""
    return np.zeros((*x.shape[:-3], x.shape[-3] * n, *x.shape[-2:])) + np.repeat(x, n, axis=-3)


@right("repeat_kv")
def repeat_by_broadcast(x, n):
    """A new axis, stretched, and merged with that of the heads."""
    *lead, K, T, d = x.shape
    stretched = np.broadcast_to(x[..., :, None, :, :], (*lead, K, n, T, d))
    return stretched.reshape(*lead, K * n, T, d)


@right("repeat_kv")
def repeat_by_index(x, n):
    """Head h of the answer is head h // n."""
    return x[..., np.arange(x.shape[-3] * n) // n, :, :]


@right("repeat_kv")
def repeat_by_list(x, n):
    """Head by head."""
    return np.stack([x[..., k, :, :] for k in range(x.shape[-3]) for _ in range(n)], axis=-3)


# rope_attention

attention_turns_keys_by_a_base_of_their_own = edit(
    "rope_attention",
    "The keys are turned by 10000, whatever `base` is, and the queries by `base`. Hand it on to both.",
    ("rotate(k, positions, base)", "rotate(k, positions)"),
)
attention_turns_by_a_base_of_its_own = edit(
    "rope_attention",
    "`base` makes no difference: queries and keys are turned by 10000. Hand it on to `rotate`.",
    ("rotate(q, positions, base)", "rotate(q, positions)"),
    ("rotate(k, positions, base)", "rotate(k, positions)"),
)
rope_attention_turns_values = edit(
    "rope_attention",
    "The values were turned, too, so what a token says hangs on where it stands. Places act on the scores only.",
    ("np.repeat(v, n", "np.repeat(rotate(v, positions, base), n"),
)
rope_attention_turns_queries_only = edit(
    "rope_attention",
    "Only the queries were turned: a score then depends on the place itself, not on how far apart two tokens are.",
    ("np.repeat(rotate(k, positions, base)", "np.repeat(k"),
)
rope_attention_turns_keys_only = edit(
    "rope_attention",
    "Only the keys were turned: a score then depends on the place itself, not on how far apart two tokens are.",
    ("q = rotate(q, positions, base)", "pass"),
)
rope_attention_without_places = edit(
    "rope_attention",
    "Nothing was turned: the order of the earlier tokens makes no difference. Turn queries and keys by their places.",
    ("q = rotate(q, positions, base)", "pass"),
    ("np.repeat(rotate(k, positions, base)", "np.repeat(k"),
)
rope_attention_turns_the_output = edit(
    "rope_attention",
    "The outputs were turned, after the attention. Turn queries and keys, before it.",
    ("q = rotate(q, positions, base)", "pass"),
    ("np.repeat(rotate(k, positions, base)", "np.repeat(k"),
    ("return causal_attend(q, k, v)", "return rotate(causal_attend(q, k, v), positions, base)"),
)
rope_attention_tiles = edit(
    "rope_attention",
    "The heads of k and v come as A B A B. Query head h looks at key/value head h // n: each comes n times in a row.",
    ("np.repeat(rotate(k, positions, base), n,", "np.concatenate([rotate(k, positions, base)] * n,"),
    ("np.repeat(v, n,", "np.concatenate([v] * n,"),
)
rope_attention_tiles_the_keys = edit(
    "rope_attention",
    "The keys come as A B A B and the values as A A B B: a key and its value must stand in the same head.",
    ("np.repeat(rotate(k, positions, base), n,", "np.concatenate([rotate(k, positions, base)] * n,"),
)
rope_attention_tiles_the_values = edit(
    "rope_attention",
    "The values come as A B A B and the keys as A A B B: a key and its value must stand in the same head.",
    ("np.repeat(v, n,", "np.concatenate([v] * n,"),
)
rope_attention_counts = edit(
    "rope_attention",
    "`positions` is ignored: the places were counted from 0. A common shift changes nothing, gaps do.",
    ("n = q.shape", "positions = np.arange(q.shape[-2])\n    n = q.shape"),
)
rope_attention_with_fixed_base = edit(
    "rope_attention",
    "The base is 10000, whatever was asked for: hand it on to `rotate`.",
    ("rotate(q, positions, base)", "rotate(q, positions)"),
    ("rotate(k, positions, base)", "rotate(k, positions)"),
)
rope_attention_turns_twice = edit(
    "rope_attention",
    "Queries and keys were turned twice: the difference of two places then counts double.",
    ("n = q.shape", "positions = 2 * positions\n    n = q.shape"),
)
rope_attention_of_the_first_head = edit(
    "rope_attention",
    "All query heads look at the first key/value head: query head h looks at head h // n.",
    ("rotate(k, positions, base), n,", "rotate(k, positions, base)[..., :1, :, :], q.shape[-3],"),
    ("np.repeat(v, n,", "np.repeat(v[..., :1, :, :], q.shape[-3],"),
)
rope_attention_swaps_keys_and_values = edit(
    "rope_attention",
    "Keys and values are exchanged: keys make the scores, values are what is mixed.",
    ("n = q.shape", "k, v = v, k\n    n = q.shape"),
)


@wrong("rope_attention")
def rope_attention_sees_all(q, k, v, positions, base=10000.0):
    """The future is not hidden: each token sees itself and those before it, and `causal_attend` takes care of that."""
    n = q.shape[-3] // k.shape[-3]
    q, k = rotate(q, positions, base), np.repeat(rotate(k, positions, base), n, axis=-3)
    weights = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights / weights.sum(axis=-1, keepdims=True) @ np.repeat(v, n, axis=-3)


@right("rope_attention")
def rope_attention_by_groups(q, k, v, positions, base=10000.0):
    """Nothing is repeated: an axis for the group broadcasts instead."""
    *lead, H, T, d = q.shape
    K = k.shape[-3]
    grouped = rotate(q, positions, base).reshape(*lead, K, H // K, T, d)
    out = causal_attend(grouped, rotate(k, positions, base)[..., :, None, :, :], v[..., :, None, :, :])
    return out.reshape(*lead, H, T, d)


@right("rope_attention")
def rope_attention_shifted(q, k, v, positions, base=10000.0):
    """Places counted from the first token's, and heads repeated before they are turned."""
    n = q.shape[-3] // k.shape[-3]
    places = positions - positions[0]
    pick = np.arange(q.shape[-3]) // n
    k, v = k[..., pick, :, :], v[..., pick, :, :]
    return causal_attend(rotate(q, places, base), rotate(k, places, base), v)


# ---- model

# count_parameters

counts_a_tied_head_twice = edit(
    "count_parameters",
    "The head was counted although it is tied: it is the embedding, and counts once.",
    ("0 if c.tied else ", ""),
)
never_counts_the_head = edit(
    "count_parameters",
    "The head was never counted. Where it is not tied, it has numbers of its own.",
    ("0 if c.tied else c.dim * c.vocab", "0"),
)
counts_four_square_matrices = edit(
    "count_parameters",
    "Wk and Wv were counted with H heads. They have K: that is what grouped heads save.",
    ("c.kv_heads", "c.heads"),
)
counts_narrow_queries = edit(
    "count_parameters",
    "Wq and Wo were counted with K heads. Only keys and values have fewer.",
    ("2 * c.dim * c.heads * d", "2 * c.dim * c.kv_heads * d"),
)
counts_two_matrices_in_the_mlp = edit(
    "count_parameters",
    "The MLP was counted with two matrices, as in GPT-2. It has three: gate, up and down.",
    ("3 * c.dim * c.hidden", "2 * c.dim * c.hidden"),
)
counts_matrices_only = edit(
    "count_parameters",
    "The gains of the norms were left out: two in each block, and a last one.",
    ("2 * c.dim  # the two norms", "0"),
    (" + c.dim + head", " + head"),
)
counts_one_norm_in_a_block = edit(
    "count_parameters", "A block was counted with one norm. It has two.", ("2 * c.dim  # the two norms", "c.dim")
)
forgets_the_last_norm = edit(
    "count_parameters",
    "The last norm, before the head, is missing. It belongs to no block.",
    (" + c.dim + head", " + head"),
)
counts_the_head_where_it_is_tied = edit(
    "count_parameters",
    "Tied and untied are exchanged: a tied head costs nothing, an untied one has numbers of its own.",
    ("0 if c.tied else c.dim * c.vocab", "c.dim * c.vocab if c.tied else 0"),
)
counts_the_angles = edit(
    "count_parameters",
    "The tables of RoPE were counted. They are computed, not learnt.",
    ("+ c.dim + head", "+ c.dim + head + c.max_len * d"),
)
counts_one_block = edit("count_parameters", "Only one block was counted.", ("c.layers * block", "block"))


@right("count_parameters")
def counts_from_a_list_of_shapes(config):
    """Every tensor's shape, multiplied and added up."""
    D, F, q = config.dim, config.hidden, config.heads * config.head_dim
    kv = config.kv_heads * config.head_dim
    block = [(D,), (D, q), (D, kv), (D, kv), (q, D), (D,), (D, F), (D, F), (F, D)]
    shapes = [(config.vocab, D), *block * config.layers, (D,)] + [(D, config.vocab)] * (not config.tied)
    return sum(math.prod(shape) for shape in shapes)


@right("count_parameters")
def counts_by_factoring_out(config):
    """D is a factor of everything."""
    c = config
    block = 2 + 2 * c.dim * (c.heads + c.kv_heads) // c.heads + 3 * c.hidden
    return c.dim * (c.vocab * (2 - c.tied) + c.layers * block + 1)


# llama_attention

attention_without_rope = edit(
    "llama_attention",
    "Positions make no difference: `rope` is missing. It turns queries and keys.",
    ("    q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)\n", ""),
)
attention_with_turned_values = edit(
    "llama_attention",
    "The values were turned, too. Only queries and keys carry positions; a value says the same wherever it stands.",
    ("    k, v = repeat_kv", "    v = rope(v, positions, config.rope_base)\n    k, v = repeat_kv"),
)
attention_with_turned_queries = edit(
    "llama_attention",
    "Only the queries were turned. A score hangs on the difference of two places only when the keys are turned, too.",
    ("rope(k, positions, config.rope_base)", "k"),
)
attention_with_turned_keys = edit(
    "llama_attention",
    "Only the keys were turned. A score hangs on the difference of two places only when the queries are turned, too.",
    ("rope(q, positions, config.rope_base)", "q"),
)
attention_with_the_usual_base = edit(
    "llama_attention",
    "The base is 10000, whatever the config says: use `config.rope_base`.",
    ("rope(q, positions, config.rope_base)", "rope(q, positions, 10000.0)"),
    ("rope(k, positions, config.rope_base)", "rope(k, positions, 10000.0)"),
)
attention_turned_along_the_heads = edit(
    "llama_attention",
    "`rope` turned along the axis of the heads. It takes the last axis but one for the time: change the axes first.",
    (
        "q, k = rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)",
        "q = rope(q.swapaxes(1, 2), np.arange(H), config.rope_base).swapaxes(1, 2)\n"
        "    k = rope(k.swapaxes(1, 2), np.arange(K), config.rope_base).swapaxes(1, 2)",
    ),
)
attention_with_tiled_heads = edit(
    "llama_attention",
    "The heads of keys and values come as 0, 1, 0, 1. Each serves H / K query heads in a row: 0, 0, 1, 1.",
    ("repeat_kv(k, H // K), repeat_kv(v, H // K)", "np.tile(k, (1, H // K, 1, 1)), np.tile(v, (1, H // K, 1, 1))"),
)
attention_of_the_first_head = edit(
    "llama_attention",
    "All query heads read the first head of keys and values. Each group has its own.",
    ("repeat_kv(k, H // K), repeat_kv(v, H // K)", "repeat_kv(k[:, :1], H), repeat_kv(v[:, :1], H)"),
)
attention_without_a_mask = edit(
    "llama_attention",
    "The future is not hidden: a token may look at itself and at those before it only.",
    ("    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)\n", ""),
)
attention_with_a_mild_mask = edit(
    "llama_attention",
    "The future was given a score that is low, and still counts. Only −∞, or a number as good as that, leaves no "
    "weight.",
    ("np.where(np.tri(T, dtype=bool), scores, -np.inf)", "scores - np.float32(10) * (1 - np.tri(T, dtype=np.float32))"),
)
attention_masked_too_late = edit(
    "llama_attention",
    "The attention weights were masked after the softmax, so they do not sum to 1. Hide the future's scores before it.",
    ("    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)\n", ""),
    ("softmax(scores)", "softmax(scores) * np.tri(T, dtype=x.dtype)"),
)
attention_over_the_queries = edit(
    "llama_attention",
    "The softmax runs over the queries. Each query shares out its weight among the keys, along the last axis.",
    ("softmax(scores)", "softmax(np.maximum(scores, -1e30).swapaxes(-1, -2)).swapaxes(-1, -2)"),
)
attention_one_token_ahead = edit(
    "llama_attention",
    "Each token sees the one behind it, too. The triangle of the mask ends at the token itself.",
    ("np.tri(T, dtype=bool)", "np.tri(T, k=1, dtype=bool)"),
)
attention_without_itself = edit(
    "llama_attention",
    "Tokens do not see themselves, and the first one sees nothing. Each sees itself and those before it.",
    ("np.tri(T, dtype=bool), scores, -np.inf", "np.tri(T, k=-1, dtype=bool), scores, -1e30"),
)
attention_scaled_by_the_width = edit(
    "llama_attention",
    "The scores were divided by √D. The scale is the root of a head's size: the dot products run over d numbers.",
    ("math.sqrt(d)", "math.sqrt(config.dim)"),
)
attention_unscaled = edit("llama_attention", "The scores were not divided by √d.", (" / math.sqrt(d)", ""))
attention_cut_without_a_transpose = edit(
    "llama_attention",
    "The queries were cut into heads by a reshape alone, which mixes tokens and heads. Cut, then change the two axes.",
    ('(x @ block["Wq"]).reshape(B, T, H, d).transpose(0, 2, 1, 3)', '(x @ block["Wq"]).reshape(B, H, T, d)'),
)
attention_merged_without_a_transpose = edit(
    "llama_attention",
    "The heads were merged by a reshape alone, which shuffles heads and times. First undo the transpose.",
    ("heads.transpose(0, 2, 1, 3).reshape(B", "heads.reshape(B"),
)
attention_without_the_output = edit(
    "llama_attention", "`Wo` is missing: the merged heads go through it at the end.", (' @ block["Wo"]', "")
)
attention_that_slips_into_float64 = edit(
    "llama_attention",
    "The numbers are right and are float64, though x is float32. Is there a NumPy number, such as `np.sqrt(d)`, "
    "in between?",
    ("math.sqrt(d)", "np.sqrt(d)"),
)


@right("llama_attention")
def attention_with_positions_from_seven(x, block, config):
    """Only the difference of two positions counts, so they may start anywhere."""
    B, T, _ = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    q = rope((x @ block["Wq"]).reshape(B, T, H, d).swapaxes(1, 2), 7 + np.arange(T), config.rope_base)
    k = rope((x @ block["Wk"]).reshape(B, T, K, d).swapaxes(1, 2), 7 + np.arange(T), config.rope_base)
    v = (x @ block["Wv"]).reshape(B, T, K, d).swapaxes(1, 2)
    scores = q @ repeat_kv(k, H // K).swapaxes(2, 3) * d**-0.5
    scores += np.triu(np.full((T, T), -np.inf, x.dtype), 1)
    return (softmax(scores) @ repeat_kv(v, H // K)).swapaxes(1, 2).reshape(B, T, -1) @ block["Wo"]


@right("llama_attention")
def attention_head_by_head(x, block, config):
    """A loop over texts and query heads, each with the columns that are its own."""
    d, group = config.head_dim, config.heads // config.kv_heads
    out = np.zeros_like(x)
    for b in range(len(x)):
        for h in range(config.heads):
            mine, shared = slice(h * d, (h + 1) * d), slice(h // group * d, (h // group + 1) * d)
            places = np.arange(x.shape[1])
            q = rope(x[b] @ block["Wq"][:, mine], places, config.rope_base)
            k = rope(x[b] @ block["Wk"][:, shared], places, config.rope_base)
            v = x[b] @ block["Wv"][:, shared]
            for t in places:
                scores = k[: t + 1] @ q[t] / math.sqrt(d)
                out[b, t] += softmax(scores) @ v[: t + 1] @ block["Wo"][mine]
    return out


# llama_block


@wrong("llama_block")
def block_with_the_norms_after(x, block, config, attention):
    """The norms come after the additions (post-norm). A LLaMA normalises the copy that a part reads, never the
    stream."""
    x = rms_norm(x + attention(x), block["attn_norm"], config.eps)
    return rms_norm(x + swiglu(x, block["Wg"], block["Wu"], block["Wd"]), block["mlp_norm"], config.eps)


block_that_goes_on_with_the_copy = edit(
    "llama_block",
    "The normalised copy was added to, both times. The stream itself goes on as it was: give the copy a name of "
    "its own.",
    (
        'x = x + attention(rms_norm(x, block["attn_norm"], config.eps))',
        'x = rms_norm(x, block["attn_norm"], config.eps)\n'
        "    x = x + attention(x)\n"
        '    x = rms_norm(x, block["mlp_norm"], config.eps)',
    ),
    ('swiglu(rms_norm(x, block["mlp_norm"], config.eps), ', "swiglu(x, "),
)
block_that_adds_attention_to_the_copy = edit(
    "llama_block",
    "What attention found was added to the normalised copy. Add it to the stream, which goes on as it was.",
    ("    x = x + attention(rms_norm(x, ", "    x = (n := rms_norm(x, "),
    ('block["attn_norm"], config.eps))', 'block["attn_norm"], config.eps)) + attention(n)'),
)
block_that_adds_the_mlp_to_the_copy = edit(
    "llama_block",
    "What the MLP made was added to the normalised copy. Add it to the stream, which goes on as it was.",
    ("return x + swiglu(rms_norm(x, ", "return (n := rms_norm(x, "),
    ('block["mlp_norm"], config.eps), ', 'block["mlp_norm"], config.eps)) + swiglu(n, '),
)
block_with_both_parts_side_by_side = edit(
    "llama_block",
    "The MLP read the stream from before attention. It reads what attention has added to.",
    ("    x = x + attention(", "    y, x = x, x + attention("),
    ("swiglu(rms_norm(x,", "swiglu(rms_norm(y,"),
)
block_that_loses_attention = edit(
    "llama_block",
    "What attention added is lost: the MLP's part was added to the stream from before it.",
    ("    x = x + attention(", "    y, x = x, x + attention("),
    ("return x + swiglu", "return y + swiglu"),
)
block_without_residuals = edit(
    "llama_block",
    "Nothing is added: each part's result is to be added to the stream.",
    ("x = x + attention", "x = attention"),
    ("return x + swiglu", "return swiglu"),
)
block_that_forgets_the_second_addition = edit(
    "llama_block",
    "The MLP's part took the stream's place. Add it to the stream.",
    ("return x + swiglu", "return swiglu"),
)
block_with_an_mlp_without_norm = edit(
    "llama_block",
    "The MLP read the stream itself. It reads a normalised copy of it.",
    ('rms_norm(x, block["mlp_norm"], config.eps)', "x"),
)
block_with_an_attention_without_norm = edit(
    "llama_block",
    "Attention read the stream itself. It reads a normalised copy of it.",
    ('rms_norm(x, block["attn_norm"], config.eps)', "x"),
)
block_with_a_norm_at_the_end = edit(
    "llama_block",
    "The stream was normalised at the end. A block never does that; a last norm stands before the head only.",
    ("    return x + swiglu", "    x = x + swiglu"),
    ('block["Wd"])', 'block["Wd"])\n    return rms_norm(x, block["mlp_norm"], config.eps)'),
)
block_with_one_gain = edit(
    "llama_block",
    "Both norms have the gain `attn_norm`. The second one is `mlp_norm`.",
    ('block["mlp_norm"]', 'block["attn_norm"]'),
)
block_with_swapped_gains = edit(
    "llama_block",
    "The gains are swapped: `attn_norm` goes before attention, `mlp_norm` before the MLP.",
    ('block["attn_norm"]', 'block["the other"]'),
    ('block["mlp_norm"]', 'block["attn_norm"]'),
    ('block["the other"]', 'block["mlp_norm"]'),
)
block_with_gate_and_up_swapped = edit(
    "llama_block",
    "Gate and up are swapped: `swiglu` takes Wg, Wu, Wd in this order.",
    ('block["Wg"], block["Wu"]', 'block["Wu"], block["Wg"]'),
)
block_with_the_usual_epsilon = edit(
    "llama_block",
    "The epsilon is 1e-5, whatever the config says: use `config.eps`.",
    ('block["attn_norm"], config.eps', 'block["attn_norm"], 1e-5'),
    ('block["mlp_norm"], config.eps', 'block["mlp_norm"], 1e-5'),
)


@right("llama_block")
def block_as_one_loop(x, block, config, attention):
    """Two parts of the same form."""

    def mlp(h):
        return swiglu(h, block["Wg"], block["Wu"], block["Wd"])

    for gain, part in (("attn_norm", attention), ("mlp_norm", mlp)):
        x = x + part(rms_norm(x, block[gain], config.eps))
    return x


@right("llama_block")
def block_written_out(x, block, config, attention):
    """Without the given functions."""

    def normalised(x, gain):
        return gain * x * (np.square(x).mean(-1, keepdims=True) + config.eps) ** -0.5

    z = attention(normalised(x, block["attn_norm"])) + x
    h = normalised(z, block["mlp_norm"])
    gate = h @ block["Wg"]
    return (gate / (1 + np.exp(-gate)) * (h @ block["Wu"])) @ block["Wd"] + z


# llama_forward

forward_to_the_last_position = edit(
    "llama_forward",
    "These are the logits of one position only. Training and scoring need those of all.",
    ('return rms_norm(x, weights["norm"]', 'return rms_norm(x[:, -1:], weights["norm"]'),
)
forward_without_the_last_norm = edit(
    "llama_forward",
    "The last norm, before the head, is missing.",
    ('rms_norm(x, weights["norm"], config.eps)', "x"),
)
forward_with_a_tied_head_always = edit(
    "llama_forward",
    "The embedding turned round served as the head. This model has a head of its own, and `weights` always holds it.",
    ('weights["head"]', 'weights["embed"].T'),
)
forward_with_a_scaled_embedding = edit(
    "llama_forward",
    "The embedding was multiplied by √D, as in the first Transformer. A LLaMA takes the rows as they are.",
    ('weights["embed"][ids]', 'weights["embed"][ids] * math.sqrt(config.dim)'),
)
forward_that_starts_over = edit(
    "llama_forward",
    "Each block got the embedding, so only the last one counts. Each gets what the one before has made.",
    ("    for block", "    start = x\n    for block"),
    ("run_block(x, block)", "run_block(start, block)"),
)
forward_of_the_first_block = edit(
    "llama_forward", "Only the first block ran.", ('in weights["blocks"]', 'in weights["blocks"][:1]')
)
forward_without_the_last_block = edit(
    "llama_forward",
    "The last block did not run.",
    ('in weights["blocks"]', 'in weights["blocks"][: config.layers - 1]'),
)
forward_to_log_probabilities = edit(
    "llama_forward",
    "Those are logarithms of probabilities. Return the logits: loss and sampling apply the softmax themselves.",
    (
        'return rms_norm(x, weights["norm"], config.eps) @ weights["head"]',
        'return np.log(softmax(rms_norm(x, weights["norm"], config.eps) @ weights["head"]))',
    ),
)
forward_that_repeats_the_first_block = edit(
    "llama_forward",
    "The first block ran each time. Every block has weights of its own.",
    ("run_block(x, block)", 'run_block(x, weights["blocks"][0])'),
)
forward_backwards = edit(
    "llama_forward", "The blocks ran in the wrong order.", ('in weights["blocks"]', 'in weights["blocks"][::-1]')
)
forward_with_a_norm_in_front = edit(
    "llama_forward",
    "The embedding was normalised before the blocks. The last norm stands behind them, before the head.",
    ("    for block", '    x = rms_norm(x, weights["norm"], config.eps)\n    for block'),
)
forward_to_probabilities = edit(
    "llama_forward",
    "Those are probabilities. Return the logits: loss and sampling apply the softmax themselves.",
    (
        'return rms_norm(x, weights["norm"], config.eps) @ weights["head"]',
        'return softmax(rms_norm(x, weights["norm"], config.eps) @ weights["head"])',
    ),
)
forward_with_the_usual_epsilon = edit(
    "llama_forward", "The epsilon is 1e-5, whatever the config says: use `config.eps`.", ("config.eps", "1e-5")
)


@right("llama_forward")
def forward_by_one_hot_rows(ids, weights, config, run_block):
    """The embedding as a product with rows that hold a single 1."""
    x = np.eye(config.vocab)[np.asarray(ids)] @ weights["embed"]
    for i in range(config.layers):
        x = run_block(x, weights["blocks"][i])
    return np.einsum("btd,dv->btv", rms_norm(x, weights["norm"], config.eps), weights["head"])


@right("llama_forward")
def forward_text_by_text(ids, weights, config, run_block):
    """One text of the batch after the other."""
    rows = []
    for text in ids:
        x = np.take(weights["embed"], text, axis=0)[None]
        for block in weights["blocks"]:
            x = run_block(x, block)
        rows.append(rms_norm(x, weights["norm"], config.eps) @ weights["head"])
    return np.concatenate(rows)


# load_llama2c

llama2c_as_it_lies = edit(
    "load_llama2c",
    "The matrices came back as (out, in), as they lie in the file. x @ W wants (in, out): turn each round.",
    ('t["wq"][i].T', 't["wq"][i]'),
    ('t["wk"][i].T', 't["wk"][i]'),
    ('t["wv"][i].T', 't["wv"][i]'),
    ('t["wo"][i].T', 't["wo"][i]'),
    ('t["w1"][i].T', 't["w1"][i]'),
    ('t["w3"][i].T', 't["w3"][i]'),
    ('t["w2"][i].T', 't["w2"][i]'),
)
llama2c_reshaped_to_our_shapes = edit(
    "load_llama2c",
    "A reshape to (in, out) has the right shape and the wrong numbers. Read a matrix as (out, in), then turn it round.",
    ('t["wq"][i].T', 't["wq"][i].reshape(t["wq"][i].T.shape)'),
    ('t["wk"][i].T', 't["wk"][i].reshape(t["wk"][i].T.shape)'),
    ('t["wv"][i].T', 't["wv"][i].reshape(t["wv"][i].T.shape)'),
    ('t["wo"][i].T', 't["wo"][i].reshape(t["wo"][i].T.shape)'),
    ('t["w1"][i].T', 't["w1"][i].reshape(t["w1"][i].T.shape)'),
    ('t["w3"][i].T', 't["w3"][i].reshape(t["w3"][i].T.shape)'),
    ('t["w2"][i].T', 't["w2"][i].reshape(t["w2"][i].T.shape)'),
)
llama2c_without_skipping_the_tables = edit(
    "load_llama2c",
    "The RoPE tables were not skipped: they lie between `rms_final` and the head of an untied model.",
    ('        "freqs_cos": (T, d // 2),\n        "freqs_sin": (T, d // 2),\n', ""),
    ("if offset < len(data):", "if False:"),
)
llama2c_always_tied = edit(
    "load_llama2c",
    "The head is the embedding here, always. A negative `vocab_size` means that there is a `wcls` at the end.",
    ('"token_embedding" if tied else "wcls"', '"token_embedding"'),
)
llama2c_never_tied = edit(
    "load_llama2c",
    "A `wcls` was looked for in a file that has none: a positive `vocab_size` means that the embedding is the head.",
    ("V > 0, abs(V)", "False, abs(V)"),
)
llama2c_with_w2_as_up = edit(
    "load_llama2c",
    "w1, w2, w3 were taken for gate, up, down. w2 leads down, and w3 up.",
    ('"w2": (L, D, F)', '"w2": (L, F, D)'),
    ('"w3": (L, F, D)', '"w3": (L, D, F)'),
    ('"Wu": t["w3"]', '"Wu": t["w2"]'),
    ('"Wd": t["w2"]', '"Wd": t["w3"]'),
)
llama2c_with_w3_as_the_gate = edit(
    "load_llama2c",
    "Gate and up are swapped: w1 is the gate, w3 is up.",
    ('t["w1"]', 't["the other"]'),
    ('t["w3"]', 't["w1"]'),
    ('t["the other"]', 't["w3"]'),
)
llama2c_block_by_block = edit(
    "load_llama2c",
    "All of the first block was read before the second. The file holds a kind for all blocks, then the next kind.",
    (
        "    blocks = [\n",
        "    t, kinds, place = {n: W.copy() for n, W in t.items()}, list(t)[1:10], 0\n"
        "    flat = np.concatenate([t[n].ravel() for n in kinds])\n"
        "    for i in range(L):\n"
        "        for W in (t[n][i] for n in kinds):\n"
        "            W.flat = flat[place : place + W.size]\n"
        "            place += W.size\n"
        "    blocks = [\n",
    ),
)
llama2c_with_a_negative_vocabulary = edit(
    "load_llama2c",
    "`vocab` kept its sign in the config. The sign only says whether the head is shared; V is the absolute value.",
    ("Config(D, F, L, H, K, V, T, tied=tied)", "Config(D, F, L, H, K, V if tied else -V, T, tied=tied)"),
)
llama2c_that_forgets_the_sign = edit(
    "load_llama2c",
    "The config does not say that the head is tied: `tied` is True for a positive `vocab_size`.",
    (", tied=tied)", ")"),
)
llama2c_without_checks = edit(
    "load_llama2c",
    "Right files are read well; of a broken one `struct` or NumPy complains, which know no file. Check yourself, and "
    "raise a ValueError that names the file and what is wrong.",
    ("if len(data) < 28:", "if False:"),
    ('if value == 0 or (value < 0 and name != "vocab_size"):', "if False:"),
    ("if offset + 4 * count > len(data):", "if False:"),
    ("if offset < len(data):", "if False:"),
)
llama2c_that_leaves_a_rest = edit(
    "load_llama2c",
    "A file with bytes left over was read without complaint. It is none of this kind: raise ValueError.",
    ("if offset < len(data):", "if False:"),
)
llama2c_that_takes_any_header = edit(
    "load_llama2c",
    "A number below 1 in the header was let through. Name it in a ValueError, before it is computed with.",
    ('if value == 0 or (value < 0 and name != "vocab_size"):', "if False:"),
)
llama2c_with_the_path_alone = edit(
    "load_llama2c",
    "The error names the file, and not which tensor is not whole. Its name tells a reader where the file ends.",
    ("within {name}, which", "which"),
)
llama2c_in_float64 = edit(
    "load_llama2c",
    "The weights came back as float64, twice as large as they need to be. They are float32 in the file, and stay it.",
    ('np.frombuffer(data, "<f4", count, offset)', 'np.frombuffer(data, "<f4", count, offset).astype(float)'),
)


@right("load_llama2c")
def llama2c_read_from_the_open_file(path):
    """np.fromfile, tensor after tensor, and copies in our order."""
    names = ["dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len"]
    with path.open("rb") as file:
        header = np.fromfile(file, "<i4", 7).tolist()
        if len(header) < 7:
            raise ValueError(f"{path.name}: header is cut")
        D, F, L, H, K, V, T = header
        for name, value in zip(names, header):
            if not (abs(value) if name == "vocab_size" else max(0, value)):
                raise ValueError(f"{path.name}: {name} = {value}")
        if D % H or (D // H) % 2 or H % K:
            raise ValueError(f"{path.name}: n_heads = {H} does not fit")
        tied, V, d, size = V > 0, abs(V), D // H, path.stat().st_size

        def take(name, *shape):
            count = math.prod(shape)
            if file.tell() + 4 * count > size:
                raise ValueError(f"{path.name}: {name} is not whole")
            return np.fromfile(file, "<f4", count).reshape(shape)

        embed, attn = take("token_embedding", V, D), take("rms_att", L, D)
        names = {"Wq": ("wq", H * d, D), "Wk": ("wk", K * d, D), "Wv": ("wv", K * d, D), "Wo": ("wo", D, H * d)}
        stacks = {ours: take(name, L, *shape) for ours, (name, *shape) in names.items()}
        mlp = take("rms_ffn", L, D)
        for ours, name, shape in (("Wg", "w1", (F, D)), ("Wd", "w2", (D, F)), ("Wu", "w3", (F, D))):
            stacks[ours] = take(name, L, *shape)
        norm = take("rms_final", D)
        take("freqs_cos", T, d // 2)
        take("freqs_sin", T, d // 2)
        head = embed if tied else take("wcls", V, D)
        if file.read(1):
            raise ValueError(f"{path.name}: longer than it should be")
    blocks = [{"attn_norm": attn[i], "mlp_norm": mlp[i]} for i in range(L)]
    for i, block in enumerate(blocks):
        block.update({name: np.ascontiguousarray(np.swapaxes(stack[i], 0, 1)) for name, stack in stacks.items()})
    config = Config(D, F, L, H, K, V, T, 10000.0, 1e-5, tied)
    return config, {"embed": embed, "head": head.T.copy(), "norm": norm, "blocks": blocks}


@right("load_llama2c")
def llama2c_by_a_table_of_places(path):
    """First all places, then all checks, then the arrays, from one array of all numbers."""
    data = path.read_bytes()
    if len(data) < 28:
        raise ValueError(f"{path.name}: the header is not whole")
    D, F, L, H, K, V, T = (int.from_bytes(data[i : i + 4], "little", signed=True) for i in range(0, 28, 4))
    for name, value in dict(dim=D, hidden_dim=F, n_layers=L, n_heads=H, n_kv_heads=K, seq_len=T).items():
        if value <= 0:
            raise ValueError(f"{name} of {path.name} is {value}")
    if V == 0:
        raise ValueError(f"vocab_size of {path.name} is 0")
    if D % (2 * H) != 0:
        raise ValueError(f"dim of {path.name} does not fit the heads")
    if H % K != 0:
        raise ValueError(f"n_kv_heads of {path.name} does not fit the heads")
    n, kv, rows = abs(V), K * (D // H), {}
    parts = [("token_embedding", n, D), ("rms_att", L, D), ("wq", L * D, D), ("wk", L * kv, D), ("wv", L * kv, D)]
    parts += [("wo", L * D, D), ("rms_ffn", L, D), ("w1", L * F, D), ("w2", L * D, F), ("w3", L * F, D)]
    parts += [("rms_final", 1, D), ("freqs_cos", T, D // H // 2), ("freqs_sin", T, D // H // 2)]
    place = 28
    for name, height, width in parts + [("wcls", n, D)] * (V < 0):
        end = place + 4 * height * width
        if end > len(data):
            raise ValueError(f"{path.name} ends within {name}")
        rows[name] = np.frombuffer(data[place:end], np.float32).reshape(height, width)
        place = end
    if place != len(data):
        raise ValueError(f"{path.name} has {len(data) - place} bytes too many")
    pairs = {"Wq": "wq", "Wk": "wk", "Wv": "wv", "Wo": "wo", "Wg": "w1", "Wu": "w3", "Wd": "w2"}
    blocks = []
    for i in range(L):
        block = {ours: np.split(rows[name], L)[i].T for ours, name in pairs.items()}
        blocks.append(block | {"attn_norm": rows["rms_att"][i], "mlp_norm": rows["rms_ffn"][i]})
    head = rows.get("wcls", rows["token_embedding"]).T
    config = Config(D, F, L, H, K, n, T, tied="wcls" not in rows)
    return config, {"embed": rows["token_embedding"], "blocks": blocks, "norm": rows["rms_final"][0], "head": head}


# read_config

config_with_every_key_needed = edit(
    "read_config",
    "A right folder was refused: not every key must be there. Three have a default.",
    ('found.get("num_key_value_heads", H)', 'found["num_key_value_heads"]'),
    ('found.get("rope_theta", nested.get("rope_theta", 10000.0))', 'found["rope_theta"]'),
    ('found.get("tie_word_embeddings", False)', 'found["tie_word_embeddings"]'),
)
config_that_knows_old_folders_only = edit(
    "read_config",
    "The base of a newer folder was not found: there, `rope_theta` lies within `rope_parameters`.",
    ('nested.get("rope_theta", 10000.0)', "10000.0"),
)
config_with_one_key_value_head = edit(
    "read_config",
    "Without `num_key_value_heads` there are as many as query heads, since older models do not share them.",
    ('"num_key_value_heads", H', '"num_key_value_heads", 1'),
)
config_that_raises_key_errors = edit(
    "read_config",
    "A missing key ended in a KeyError, which knows no file. Raise a ValueError that names config.json and the key.",
    (
        '        if key not in found:\n            raise ValueError(f"{path.name}: {key} is missing")\n',
        "        pass\n",
    ),
)
config_whose_json_errors_know_no_file = edit(
    "read_config",
    "The error on a file that is no JSON does not name it: the parser knows no file. Catch its error, and raise "
    "your own.",
    ('raise ValueError(f"{path.name}: no JSON: {error}") from None', "raise"),
    (
        'raise ValueError(f"{path.name}: expected a JSON object, got {type(found).__name__}")',
        'raise ValueError("no object")',
    ),
)
config_that_ignores_scaled_positions = edit(
    "read_config",
    "`rope_scaling` was not looked at: such a model would run, and be wrong from the first token on. Refuse it.",
    ('found.get("rope_scaling") is not None', "False"),
)
config_that_takes_an_empty_scaling = edit(
    "read_config",
    "A `rope_scaling` that is empty was taken for null. Anything but null is refused.",
    ('found.get("rope_scaling") is not None', 'found.get("rope_scaling")'),
    hidden=True,
)
config_that_ignores_another_rope_type = edit(
    "read_config",
    "The `rope_type` inside `rope_parameters` was not looked at: there, newer folders say that positions are computed "
    'in another way. Refuse what is not "default".',
    ('nested.get("rope_type", "default") != "default"', "False"),
    hidden=True,
)
config_of_any_model = edit(
    "read_config",
    'Another kind of model was read without complaint. Only a `model_type` of "llama" can be run.',
    ('found.get("model_type") != "llama"', "False"),
)
config_that_begins_with_llama = edit(
    "read_config",
    'A `model_type` that only resembles "llama" was let through, such as "llama4", which is another model.',
    ('found.get("model_type") != "llama"', 'not str(found.get("model_type")).lower().startswith("llama")'),
    hidden=True,
)
config_without_a_model_type = edit(
    "read_config",
    "A folder that does not say what kind of model it holds was taken for a LLaMA. Refuse it.",
    ('found.get("model_type") != "llama"', 'found.get("model_type", "llama") != "llama"'),
    hidden=True,
)
config_of_heads_that_do_not_fit = edit(
    "read_config",
    "Heads that do not divide the width were let through. Raise a ValueError that names one of the two keys.",
    ("if D % H:", "if False:"),
    ("if H % K:", "if False:"),
)
config_that_takes_0_for_missing = edit(
    "read_config",
    "A value of 0 was taken for a key that is missing. Ask whether the key is there.",
    ("if key not in found:", "if not found.get(key):"),
    hidden=True,
)
config_that_is_tied_by_default = edit(
    "read_config",
    "Without `tie_word_embeddings` the head is untied in a LLaMA.",
    ('"tie_word_embeddings", False', '"tie_word_embeddings", True'),
)


@right("read_config")
def config_by_a_table(folder):
    """Names and defaults in one table; an object that is missing marks what is needed."""
    file = Path(folder) / "config.json"
    try:
        text = file.read_bytes().decode()
        found = json.loads(text)
        if type(found) is not dict:
            raise ValueError("not an object")
    except ValueError as error:
        raise ValueError(f"cannot read {file}: {error}") from error
    table = {
        "dim": "hidden_size",
        "hidden": "intermediate_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "vocab": "vocab_size",
        "max_len": "max_position_embeddings",
        "eps": "rms_norm_eps",
    }
    if "model_type" not in found or found["model_type"] != "llama":
        raise ValueError(f"{file}: model_type must be llama")
    if found.get("rope_scaling", None) not in (None,):
        raise ValueError(f"{file}: rope_scaling must be null")
    if (found.get("rope_parameters") or {}).get("rope_type") not in (None, "default"):
        raise ValueError(f"{file}: rope_type must be default")
    missing = [key for key in table.values() if key not in found]
    if missing:
        raise ValueError(f"{file}: {missing[0]} is not there")
    fields = {ours: found[key] for ours, key in table.items()}
    fields["kv_heads"] = found.get("num_key_value_heads", fields["heads"])
    if fields["dim"] % fields["heads"] or fields["heads"] % fields["kv_heads"]:
        raise ValueError(f"{file}: num_attention_heads = {fields['heads']} does not fit")
    fields["rope_base"] = {"rope_theta": 10000, **(found.get("rope_parameters") or {}), **found}["rope_theta"]
    return Config(**fields, tied=bool(found.get("tie_word_embeddings")))


@right("read_config")
def config_with_one_handler(folder):
    """KeyErrors are turned into ValueErrors in one place."""
    name = "config.json"
    try:
        with (folder / name).open(encoding="utf-8") as file:
            found = json.load(file)
        if found["model_type"] != "llama":
            raise ValueError("model_type is not llama")
        if found.get("rope_scaling") is not None:
            raise ValueError("rope_scaling is not null")
        if (found.get("rope_parameters") or {}).get("rope_type", "default") != "default":
            raise ValueError("rope_type is not default")
        heads = found["num_attention_heads"]
        kv_heads = found.get("num_key_value_heads", heads)
        if found["hidden_size"] % heads != 0:
            raise ValueError("hidden_size does not fit num_attention_heads")
        if heads % kv_heads != 0:
            raise ValueError("num_key_value_heads does not fit")
        base = (
            found["rope_theta"]
            if "rope_theta" in found
            else (found.get("rope_parameters") or {}).get("rope_theta", 1e4)
        )
        return Config(
            found["hidden_size"],
            found["intermediate_size"],
            found["num_hidden_layers"],
            heads,
            kv_heads,
            found["vocab_size"],
            found["max_position_embeddings"],
            base,
            found["rms_norm_eps"],
            found.get("tie_word_embeddings", False),
        )
    except KeyError as error:
        raise ValueError(f"{name}: {error.args[0]} is missing") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{name}: {error}") from None


# read_safetensors

safetensors_with_bfloat16_as_float16 = edit(
    "read_safetensors",
    "A bfloat16 was read as a float16. Both have two bytes, but a bfloat16 is the upper half of a float32.",
    ('if dtype == "BF16":', "if False:"),
)
safetensors_with_bfloat16_unshifted = edit(
    "read_safetensors",
    "The bits of a bfloat16 were put into the lower half of a float32. They are the upper half: shift them up.",
    (" << 16)", ")"),
)
safetensors_with_bfloat16_as_whole_numbers = edit(
    "read_safetensors",
    "The bits of a bfloat16 came out as the whole number that they make. Shifted up, view them as a float32.",
    ("np.uint32) << 16).view(np.float32)", "np.uint32)).astype(np.float32)"),
)
safetensors_with_offsets_from_the_header = edit(
    "read_safetensors",
    "The numbers were read eight bytes too early. The data begin behind the length and the header.",
    ("data, sizes, tensors = content[start:]", "data, sizes, tensors = content[start - 8 :]"),
)
safetensors_with_metadata_as_a_tensor = edit(
    "read_safetensors",
    "`__metadata__` was taken for a tensor. It is a key of the header without one.",
    ('    header.pop("__metadata__", None)\n', ""),
    ("for name, entry in header.items():", "for name, entry in header.items():\n        entry.keys()"),
)
safetensors_one_behind_the_other = edit(
    "read_safetensors",
    "The tensors were taken one behind the other, in the order of the header. `data_offsets` say where each lies.",
    ("piece = data[begin:end]", "piece, data = data[: end - begin], data[end - begin :]"),
    ("if end > len(data) or end", "if end"),
)
safetensors_without_checks = edit(
    "read_safetensors",
    "Right files are read well; of a broken one NumPy or `json` complains, which know no file. Check yourself, and "
    "raise a ValueError that names the file and what is wrong.",
    ("if len(content) < 8 or len(content) < start:", "if False:"),
    ('raise ValueError(f"{path.name}: the header is no JSON: {error}") from None', "raise"),
    ("if end > len(data) or end - begin != math.prod(shape) * sizes[dtype]:", "if False:"),
)
safetensors_of_any_length = edit(
    "read_safetensors",
    "`data_offsets` were not held against the shape and the dtype. What does not fit raises a ValueError.",
    ("if end > len(data) or end - begin != math.prod(shape) * sizes[dtype]:", "if end > len(data):"),
)
safetensors_beyond_the_file = edit(
    "read_safetensors",
    "`data_offsets` that reach beyond the file were let through. Compare their end with the length of the data.",
    ("end > len(data) or ", ""),
)
safetensors_of_any_dtype = edit(
    "read_safetensors",
    "A dtype that is not one of the three was not refused by name: the error must hold the tensor's name and `dtype`.",
    (
        "raise ValueError(f\"{path.name}: {name}: dtype {dtype} is not one of {', '.join(sizes)}\")",
        "raise KeyError(dtype)",
    ),
)
safetensors_flat = edit(
    "read_safetensors", "The tensors came back flat. Each has the shape that the header says.", (".reshape(shape)", "")
)
safetensors_in_their_own_dtype = edit(
    "read_safetensors",
    "A float16 tensor stayed float16. Every array comes back as float32.",
    ('"<f4" if dtype == "F32" else "<f2").astype(np.float32)', '"<f4" if dtype == "F32" else "<f2")'),
)
safetensors_from_the_start_of_the_file = edit(
    "read_safetensors",
    "The offsets were counted from the start of the file. They count from the start of the data, behind the header.",
    ("piece = data[begin:end]", "piece = content[begin:end]"),
)
safetensors_without_underscores = edit(
    "read_safetensors",
    "Tensors are missing whose names hold an underscore. Only the key `__metadata__` itself is no tensor.",
    ('header.pop("__metadata__", None)', 'header = {name: entry for name, entry in header.items() if "_" not in name}'),
)


@right("read_safetensors")
def safetensors_read_from_the_open_file(path):
    """One seek for each tensor; bfloat16 by putting zeros under it."""
    kinds = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            (n,) = struct.unpack("<Q", file.read(8))
            if 8 + n > size:
                raise ValueError("too short")
            header = json.loads(file.read(n))
        except (struct.error, ValueError) as error:
            raise ValueError(f"{path}: bad header: {error}") from error
        tensors = {}
        for name in header.keys() - {"__metadata__"}:
            kind = kinds.get(header[name]["dtype"])
            if kind is None:
                raise ValueError(f"{path}: {name} has the dtype {header[name]['dtype']}")
            begin, end = header[name]["data_offsets"]
            shape = tuple(header[name]["shape"])
            count = int(np.prod(shape, dtype=int))
            if 8 + n + end > size or begin + count * kind.itemsize != end:
                raise ValueError(f"{path}: {name}: data_offsets")
            file.seek(8 + n + begin)
            numbers = np.fromfile(file, kind, count)
            if header[name]["dtype"] == "BF16":
                numbers = np.stack([np.zeros_like(numbers), numbers], -1).ravel().view("<f4")
            tensors[name] = numbers.astype("f4").reshape(shape)
    return tensors


@right("read_safetensors")
def safetensors_number_by_number(path):
    """struct alone; slow, and right."""
    content = path.read_bytes()
    n = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 1 << 40
    if 8 + n > len(content):
        raise ValueError(f"{path.name}: shorter than its header says")
    try:
        header = json.loads(content[8 : 8 + n].decode())
    except ValueError:
        raise ValueError(f"{path.name}: header is no JSON") from None
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        width = {"F32": 4, "F16": 2, "BF16": 2}.get(entry["dtype"])
        if not width:
            raise ValueError(f"{path.name}: tensor {name}: dtype {entry['dtype']}")
        begin, end = (8 + n + offset for offset in entry["data_offsets"])
        count = math.prod(entry["shape"])
        if end > len(content) or end - begin != count * width:
            raise ValueError(f"{path.name}: tensor {name}: data_offsets {entry['data_offsets']}")
        if entry["dtype"] == "BF16":
            pieces = [b"\0\0" + content[i : i + 2] for i in range(begin, end, 2)]
            numbers = [struct.unpack("<f", piece)[0] for piece in pieces]
        else:
            numbers = struct.unpack(f"<{count}{'f' if width == 4 else 'e'}", content[begin:end])
        tensors[name] = np.array(numbers, np.float32).reshape(entry["shape"])
    return tensors


# huggingface_weights

huggingface_as_it_lies = edit(
    "huggingface_weights",
    "The matrices came back as (out, in), as they lie in the file. x @ W wants (in, out): turn each round.",
    ("H * d, D), H).T", "H * d, D), H)"),
    ("K * d, D), K).T", "K * d, D), K)"),
    ('v_proj.weight", K * d, D).T', 'v_proj.weight", K * d, D)'),
    ('o_proj.weight", D, H * d).T', 'o_proj.weight", D, H * d)'),
    ('gate_proj.weight", F, D).T', 'gate_proj.weight", F, D)'),
    ('up_proj.weight", F, D).T', 'up_proj.weight", F, D)'),
    ('down_proj.weight", D, F).T', 'down_proj.weight", D, F)'),
)
huggingface_with_its_own_rows = edit(
    "huggingface_weights",
    "The rows of queries and keys were not reordered. Nothing complains, and our `rope` would turn other pairs.",
    (
        'to_interleaved(take(p + "self_attn.q_proj.weight", H * d, D), H)',
        'take(p + "self_attn.q_proj.weight", H * d, D)',
    ),
    (
        'to_interleaved(take(p + "self_attn.k_proj.weight", K * d, D), K)',
        'take(p + "self_attn.k_proj.weight", K * d, D)',
    ),
)
huggingface_with_keys_of_many_heads = edit(
    "huggingface_weights",
    "The keys were reordered as if they had as many heads as the queries. They have K, and each has d rows.",
    ("K * d, D), K).T", "K * d, D), H).T"),
)
huggingface_with_reordered_values = edit(
    "huggingface_weights",
    "The values were reordered, too. Only queries and keys are turned by `rope`.",
    (
        'take(p + "self_attn.v_proj.weight", K * d, D)',
        'to_interleaved(take(p + "self_attn.v_proj.weight", K * d, D), K)',
    ),
)
huggingface_reordered_too_late = edit(
    "huggingface_weights",
    "Queries and keys were reordered after they had been turned round, which mixes inputs. The rows of the file belong "
    "to the heads: reorder first.",
    ('take(p + "self_attn.q_proj.weight", H * d, D), H).T', 'take(p + "self_attn.q_proj.weight", H * d, D).T, H)'),
    ('take(p + "self_attn.k_proj.weight", K * d, D), K).T', 'take(p + "self_attn.k_proj.weight", K * d, D).T, K)'),
)
huggingface_with_gate_and_up_swapped = edit(
    "huggingface_weights",
    "Gate and up are swapped: `gate_proj` is Wg, `up_proj` is Wu.",
    ("mlp.gate_proj", "mlp.the_other"),
    ("mlp.up_proj", "mlp.gate_proj"),
    ("mlp.the_other", "mlp.up_proj"),
)
huggingface_of_the_first_block = edit(
    "huggingface_weights",
    "All blocks have the weights of the first. `i` counts them from 0.",
    ('f"model.layers.{i}."', '"model.layers.0."'),
)
huggingface_always_tied = edit(
    "huggingface_weights",
    "The head is the embedding here, always. Where the config says that it is untied, it is `lm_head.weight`.",
    ('embed.T if config.tied else take("lm_head.weight", V, D).T', "embed.T"),
)
huggingface_with_the_head_of_the_file = edit(
    "huggingface_weights",
    "A tied head was taken from `lm_head.weight`, because it was there. It is the embedding, whatever lies in "
    "the file.",
    ("embed.T if config.tied else", 'embed.T if config.tied and "lm_head.weight" not in tensors else'),
)
huggingface_with_a_head_from_somewhere = edit(
    "huggingface_weights",
    "Where `lm_head.weight` is missing, the embedding took its place, though the head is untied. Raise a ValueError.",
    ("embed.T if config.tied else", 'embed.T if config.tied or "lm_head.weight" not in tensors else'),
)
huggingface_that_raises_key_errors = edit(
    "huggingface_weights",
    "A missing tensor ended in a KeyError. Raise a ValueError that names it.",
    ('        if name not in tensors:\n            raise ValueError(f"{name} is missing")\n', ""),
)
huggingface_of_any_shape = edit(
    "huggingface_weights",
    "A tensor of another shape than the table says came through. Raise a ValueError that names it.",
    ("if tensors[name].shape != shape:", "if False:"),
)
huggingface_of_the_right_size = edit(
    "huggingface_weights",
    "Only the count of the numbers was checked, so a matrix that is turned round came through. Compare the shapes.",
    ("if tensors[name].shape != shape:", "if tensors[name].size != math.prod(shape):"),
    hidden=True,
)
huggingface_in_float32 = edit(
    "huggingface_weights",
    "Every tensor became float32. The dtype stays as it is.",
    ("        return tensors[name]", "        return tensors[name].astype(np.float32)"),
    hidden=True,
)
huggingface_with_a_head_where_there_is_one = edit(
    "huggingface_weights",
    "Whether the head is tied was seen from the file: `config.tied` says it, whether `lm_head.weight` is there or not.",
    ("embed.T if config.tied else", 'embed.T if "lm_head.weight" not in tensors else'),
)


@right("huggingface_weights")
def huggingface_by_a_table(tensors, config):
    """One table for the blocks, with the number of heads where rows are reordered; indices do the reordering."""
    D, F, q, kv = config.dim, config.hidden, config.dim, config.kv_heads * config.head_dim
    table = {
        "attn_norm": ("input_layernorm", (D,)),
        "mlp_norm": ("post_attention_layernorm", (D,)),
        "Wq": ("self_attn.q_proj", (q, D)),
        "Wk": ("self_attn.k_proj", (kv, D)),
        "Wv": ("self_attn.v_proj", (kv, D)),
        "Wo": ("self_attn.o_proj", (D, q)),
        "Wg": ("mlp.gate_proj", (F, D)),
        "Wu": ("mlp.up_proj", (F, D)),
        "Wd": ("mlp.down_proj", (D, F)),
    }

    def take(name, shape):
        W = tensors.get(name + ".weight")
        if W is None or W.shape != shape:
            raise ValueError(f"{name}.weight: expected shape {shape}, got {None if W is None else W.shape}")
        return W

    order = np.arange(config.head_dim).reshape(2, -1).T.ravel()
    blocks = []
    for i in range(config.layers):
        block = {ours: take(f"model.layers.{i}.{name}", shape) for ours, (name, shape) in table.items()}
        for ours in ("Wq", "Wk"):
            rows = np.arange(len(block[ours])).reshape(-1, config.head_dim)[:, order].ravel()
            block[ours] = block[ours][rows]
        blocks.append({ours: np.transpose(W) for ours, W in block.items()})
    embed = take("model.embed_tokens", (config.vocab, D))
    head = (embed if config.tied else take("lm_head", (config.vocab, D))).T
    return {"embed": embed, "blocks": blocks, "norm": take("model.norm", (D,)), "head": head}


@right("huggingface_weights")
def huggingface_checked_first(tensors, config):
    """All names and shapes first; then the same with contiguous copies."""
    c, d = config, config.head_dim
    due = {"model.embed_tokens": (c.vocab, c.dim), "model.norm": (c.dim,)}
    if not c.tied:
        due["lm_head"] = (c.vocab, c.dim)
    for i in range(c.layers):
        p = f"model.layers.{i}."
        due |= {p + n: (c.dim,) for n in ("input_layernorm", "post_attention_layernorm")}
        due |= {
            p + f"self_attn.{n}_proj": (h * d, c.dim) for n, h in (("q", c.heads), ("k", c.kv_heads), ("v", c.kv_heads))
        }
        due |= {p + "self_attn.o_proj": (c.dim, c.dim), p + "mlp.down_proj": (c.dim, c.hidden)}
        due |= {p + f"mlp.{n}_proj": (c.hidden, c.dim) for n in ("gate", "up")}
    for name, shape in due.items():
        if np.shape(tensors.get(name + ".weight", 0)) != shape:
            raise ValueError(f"{name}.weight is missing or not {shape}")
    blocks = []
    for i in range(c.layers):
        t = {n.split(f"layers.{i}.")[-1]: tensors[n + ".weight"] for n in due if f"layers.{i}." in n}
        q, k = t["self_attn.q_proj"], t["self_attn.k_proj"]
        block = {"Wq": to_interleaved(q, c.heads), "Wk": to_interleaved(k, c.kv_heads), "Wv": t["self_attn.v_proj"]}
        block |= {
            "Wo": t["self_attn.o_proj"],
            "Wg": t["mlp.gate_proj"],
            "Wu": t["mlp.up_proj"],
            "Wd": t["mlp.down_proj"],
        }
        block = {n: np.ascontiguousarray(W.T) for n, W in block.items()}
        block |= {"attn_norm": t["input_layernorm"].copy(), "mlp_norm": t["post_attention_layernorm"].copy()}
        blocks.append(block)
    embed = tensors["model.embed_tokens.weight"]
    head = embed.T if c.tied else tensors["lm_head.weight"].T
    return {"head": head.copy(), "norm": tensors["model.norm.weight"], "blocks": blocks, "embed": embed}


# KVCache

CacheWithOneCount = edit(
    "KVCache",
    "There is one count for all blocks. Each has its own: in the middle of a pass the first blocks are ahead.",
    ("self.used[layer] = stop", "self.used = [stop] * len(self.used)"),
)
CacheThatReturnsTheNewOnes = edit(
    "KVCache",
    "`append` handed back the new keys and values only. Return all that the block holds.",
    ("return self.k[layer, :, :, :stop], self.v[layer, :, :, :stop]", "return k, v"),
)
CacheThatReturnsAllItsRoom = edit(
    "KVCache",
    "All the room came back, and attention would look at the zeros in it. Return what is in use.",
    ("return self.k[layer, :, :, :stop], self.v[layer, :, :, :stop]", "return self.k[layer], self.v[layer]"),
)
CacheOffByOne = edit(
    "KVCache",
    "Each piece begins one place too late, and place 0 stays empty. It goes right behind the last one.",
    ("self.k[layer, :, :, start:stop] = k", "self.k[layer, :, :, start + 1 : stop + 1] = k[:, :, : room - start - 1]"),
    ("self.v[layer, :, :, start:stop] = v", "self.v[layer, :, :, start + 1 : stop + 1] = v[:, :, : room - start - 1]"),
)
CacheThatSwaps = edit(
    "KVCache",
    "Keys and values are swapped in what comes back.",
    (
        "return self.k[layer, :, :, :stop], self.v[layer, :, :, :stop]",
        "return self.v[layer, :, :, :stop], self.k[layer, :, :, :stop]",
    ),
)
CacheThatGrows = edit(
    "KVCache",
    "There is always room, as in a list. More than `max_len` positions must raise ValueError.",
    (
        'raise ValueError(f"{start} positions are used and {T} more do not fit: there is room for {room}")\n',
        "self.k, self.v = np.repeat(self.k, 2, axis=3), np.repeat(self.v, 2, axis=3)\n"
        "            self.k[:, :, :, :room], self.v[:, :, :, :room] = self.k[:, :, :, ::2], self.v[:, :, :, ::2]\n"
        "            self.shape = (B, K, 2 * room, d)\n",
    ),
)
CacheThatCountsBeforeItChecks = edit(
    "KVCache",
    "After an error the count had moved on. Check everything first, then write, then count.",
    ("        if stop > room:", "        self.used[layer] = stop\n        if stop > room:"),
)
CacheThatBroadcasts = edit(
    "KVCache",
    "The keys of one text, or of one head, were copied to all without a word: NumPy broadcasts. Compare the shapes.",
    ("if k.shape != (B, K, T, d) or v.shape != k.shape:", "if k.ndim != 4:"),
)
CacheOfAllHeads = edit(
    "KVCache",
    "There is room for as many heads as the queries have, H / K times too much. Keys and values have K.",
    (
        "self.used = [0] * config.layers",
        "self.used = [0] * config.layers\n        self.group = config.heads // config.kv_heads",
    ),
    ("self.k.nbytes + self.v.nbytes", "(self.k.nbytes + self.v.nbytes) * self.group"),
)
CacheWithOneRoomForAllBlocks = edit(
    "KVCache",
    "The blocks share their room, so what one appends is written over by the next: `[room] * layers` is one array.",
    ("self.k[layer, :, :, start:stop] = k", "self.k[:, :, :, start:stop] = k"),
    ("self.v[layer, :, :, start:stop] = v", "self.v[:, :, :, start:stop] = v"),
)
CacheOfFloat32 = edit(
    "KVCache",
    "`dtype` is not used: keys and values are kept in the one that was asked for.",
    (
        "self.used = [0] * config.layers",
        "self.used = [0] * config.layers\n        dtype = np.float32\n"
        "        self.k, self.v = self.k.astype(dtype), self.v.astype(dtype)",
    ),
)
CacheThatCountsTheKeysOnly = edit(
    "KVCache",
    "The bytes of the keys alone were counted. Values take as many.",
    ("self.k.nbytes + self.v.nbytes", "self.k.nbytes"),
)
CacheThatCountsNumbers = edit(
    "KVCache",
    "Numbers were counted, not bytes: each takes as many as its dtype says.",
    ("self.k.nbytes + self.v.nbytes", "self.k.size + self.v.size"),
)
CacheThatTruncatesWhatItCan = edit(
    "KVCache",
    "`truncate` to more than some block holds was let through. It raises ValueError, and leaves all as it was.",
    ("if not 0 <= n <= min(self.used):", "if n < 0:"),
)
CacheThatTruncatesBackwards = edit(
    "KVCache",
    "A negative number of positions was let through by `truncate`. It raises ValueError.",
    ("if not 0 <= n <= min(self.used):", "if n > min(self.used):"),
    hidden=True,
)
CacheThatTruncatesOneBlock = edit(
    "KVCache",
    "`truncate` shortened the first block only. It keeps n positions in every block.",
    ("self.used = [n] * len(self.used)", "self.used[0] = n"),
)
CacheThatDoesNotTruncate = edit(
    "KVCache",
    "`truncate` changed nothing: what is appended next comes behind the first n positions.",
    ("self.used = [n] * len(self.used)", "pass"),
)
CacheThatKeepsFewer = edit(
    "KVCache",
    "`truncate` to more positions than a block holds went through, as a slice does. It raises ValueError.",
    ("if not 0 <= n <= min(self.used):", "if n < 0:"),
    ("self.used = [n] * len(self.used)", "self.used = [min(n, used) for used in self.used]"),
)


@right("KVCache")
class CacheOfPairs:
    """One array for both, a block at a time, and NumPy's own error for what does not fit."""

    def __init__(self, config, batch=1, dtype=np.float32):
        shape = (2, batch, config.kv_heads, config.max_len, config.head_dim)
        self.rooms = {layer: np.empty(shape, dtype) for layer in range(config.layers)}
        self.counts = dict.fromkeys(self.rooms, 0)

    def append(self, layer, k, v):
        both, room, n = np.array([k, v]), self.rooms[layer], self.counts[layer]
        place = room[:, :, :, n:]
        if both.ndim != 5 or both.shape[3] > place.shape[3]:
            raise ValueError("no room")
        place = place[:, :, :, : both.shape[3]]
        if place.shape != both.shape:
            raise ValueError(f"not {place.shape}")
        place[...] = both
        self.counts[layer] = n + both.shape[3]
        return tuple(room[:, :, :, : self.counts[layer]])

    def length(self, layer):
        return self.counts[layer]

    def truncate(self, n):
        if n < 0 or any(count < n for count in self.counts.values()):
            raise ValueError(n)
        self.counts = dict.fromkeys(self.rooms, n)

    def nbytes(self):
        return sum(room.nbytes for room in self.rooms.values())


@right("KVCache")
class CacheOfLists:
    """Positions in lists, with the limit checked and the bytes counted by hand: slower, and as right."""

    def __init__(self, config, batch=1, dtype=np.float32):
        self.config, self.batch, self.dtype = config, batch, np.dtype(dtype)
        self.held = [([], []) for _ in range(config.layers)]

    def append(self, layer, k, v):
        T = v.shape[2] if np.ndim(v) == 4 else -1
        due = (self.batch, self.config.kv_heads, T, self.config.dim // self.config.heads)
        if k.shape != due or v.shape != due:
            raise ValueError(f"not {due}")
        if self.length(layer) + T > self.config.max_len:
            raise ValueError("overflow")
        for held, new in zip(self.held[layer], (k, v)):
            held.extend(new[:, :, t].astype(self.dtype) for t in range(T))
        return tuple(np.stack(held, axis=2) for held in self.held[layer])

    def length(self, layer):
        return len(self.held[layer][0])

    def truncate(self, n):
        lengths = [self.length(layer) for layer in range(self.config.layers)]
        if n not in range(min(lengths) + 1):
            raise ValueError(f"{n} of {lengths}")
        self.held = [(k[:n], v[:n]) for k, v in self.held]

    def nbytes(self):
        c = self.config
        return 2 * c.layers * self.batch * c.kv_heads * c.max_len * c.head_dim * self.dtype.itemsize


# attention_with_cache

cached_attention_with_a_base_of_its_own = edit(
    "attention_with_cache",
    "`config.rope_base` makes no difference: queries and keys are turned by 10000. Hand it on to `rope`.",
    ("rope(q, positions, config.rope_base)", "rope(q, positions, 1e4)"),
    ("rope(k, positions, config.rope_base)", "rope(k, positions, 1e4)"),
)
cached_with_positions_from_zero = edit(
    "attention_with_cache",
    "Every piece begins at position 0. The positions go on where the last piece ended: at P.",
    ("    positions = P + np.arange(T)", "    positions, places = P + np.arange(T), np.arange(T)"),
    ("rope(q, positions, config.rope_base), rope(k, positions,", "rope(q, places, config.rope_base), rope(k, places,"),
)
cached_one_position_behind = edit(
    "attention_with_cache",
    "After the first piece the positions are one too small: the place of the last token was taken for that of "
    "the next.",
    ("    positions = P + np.arange(T)", "    positions, places = P + np.arange(T), P - (P > 0) + np.arange(T)"),
    ("rope(q, positions, config.rope_base), rope(k, positions,", "rope(q, places, config.rope_base), rope(k, places,"),
)
cached_one_position_ahead = edit(
    "attention_with_cache",
    "After the first piece the positions are one too large: counted from 0, the new tokens begin at P.",
    ("    positions = P + np.arange(T)", "    positions, places = P + np.arange(T), P + (P > 0) + np.arange(T)"),
    ("rope(q, positions, config.rope_base), rope(k, positions,", "rope(q, places, config.rope_base), rope(k, places,"),
)
cached_with_positions_from_the_end = edit(
    "attention_with_cache",
    "The positions begin where they should end: they go from P to P + T − 1.",
    ("    positions = P + np.arange(T)", "    positions, places = P + np.arange(T), P + T + np.arange(T)"),
    ("rope(q, positions, config.rope_base), rope(k, positions,", "rope(q, places, config.rope_base), rope(k, places,"),
)
cached_with_the_mask_of_the_prompt = edit(
    "attention_with_cache",
    "The mask's triangle starts at the first key. A new token sees all P old ones, too: it is aligned to the last key.",
    ("np.arange(P + T) <= positions[:, None]", "np.tri(T, P + T, dtype=bool)"),
)
cached_without_a_mask = edit(
    "attention_with_cache",
    "There is no mask, which is right for one token at a time only: within a piece, tokens see later ones.",
    ("    scores = np.where(np.arange(P + T) <= positions[:, None], scores, -np.inf)\n", ""),
)
cached_with_a_mask_for_the_prompt_only = edit(
    "attention_with_cache",
    "A later piece has no mask, which is right for one token at a time only: within a piece, tokens see later ones.",
    ("np.arange(P + T) <= positions[:, None]", "(np.arange(P + T) <= positions[:, None]) | (P > 0)"),
)
cached_that_slips_into_float64 = edit(
    "attention_with_cache",
    "The numbers are right and are float64, though x is float32. Is there a NumPy number, such as `np.sqrt(d)`, "
    "in between?",
    ("math.sqrt(d)", "np.sqrt(d)"),
    hidden=True,
)
cached_without_itself = edit(
    "attention_with_cache",
    "New tokens do not see themselves. Each sees itself and all before it.",
    ("<= positions[:, None], scores, -np.inf", "< positions[:, None], scores, -1e30"),
)
cached_with_repeated_heads = edit(
    "attention_with_cache",
    "The repeated heads were kept. Keep the K heads, and repeat them for the products only.",
    ("    if past is not None:", "    k, v = repeat_kv(k, H // K), repeat_kv(v, H // K)\n    if past is not None:"),
    ("q @ repeat_kv(k, H // K).transpose", "q @ k.transpose"),
    ("softmax(scores) @ repeat_kv(v, H // K)", "softmax(scores) @ v"),
)
cached_turned_again = edit(
    "attention_with_cache",
    "The kept keys were turned again with every piece. They have been turned already.",
    (
        "rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)",
        "rope(q, positions, config.rope_base), k",
    ),
    ("    scores = q @", "    k = rope(k, np.arange(P + T), config.rope_base)\n    scores = q @"),
)
cached_before_rope = edit(
    "attention_with_cache",
    "The outputs are right, and the keys are kept as they come from Wk, so all are turned each time. Keep them "
    "after rope.",
    (
        "rope(q, positions, config.rope_base), rope(k, positions, config.rope_base)",
        "rope(q, positions, config.rope_base), k",
    ),
    (
        "    scores = q @ repeat_kv(k, H // K)",
        "    turned = rope(k, np.arange(P + T), config.rope_base)\n    scores = q @ repeat_kv(turned, H // K)",
    ),
)
cached_that_keeps_the_new_ones = edit(
    "attention_with_cache",
    "Only the new keys and values were handed on. The next piece needs those of all tokens.",
    ("    if past is not None:", "    new = k, v\n    if past is not None:"),
    ('@ block["Wo"], (k, v)', '@ block["Wo"], new'),
)
cached_without_the_past = edit(
    "attention_with_cache",
    "The past is not used: the new tokens see only each other.",
    ("    P = 0 if past is None else past[0].shape[2]", "    old, past = past, None\n    P = 0"),
)
cached_past_in_the_wrong_order = edit(
    "attention_with_cache",
    "The old keys and values were put behind the new ones. They come first, oldest first.",
    (
        "np.concatenate([past[0], k], axis=2), np.concatenate([past[1], v], axis=2)",
        "np.concatenate([k, past[0]], axis=2), np.concatenate([v, past[1]], axis=2)",
    ),
)
cached_with_the_piece_at_the_beginning = edit(
    "attention_with_cache",
    "Every piece stands at position 0, in `rope` and in the mask. The new tokens stand at P, P + 1, … behind the past.",
    ("positions = P + np.arange(T)", "positions = np.arange(T)"),
)


@right("attention_with_cache")
def cached_token_by_token(x, block, config, past):
    """One new token after the other: no mask is needed."""
    B, T, D = x.shape
    H, K, d = config.heads, config.kv_heads, config.head_dim
    k, v = past if past is not None else (np.zeros((B, K, 0, d), x.dtype), np.zeros((B, K, 0, d), x.dtype))
    out = []
    for t in range(T):
        here, place = x[:, t], np.array([k.shape[2]])
        q = rope((here @ block["Wq"]).reshape(B, H, 1, d), place, config.rope_base)
        new = rope((here @ block["Wk"]).reshape(B, K, 1, d), place, config.rope_base)
        k = np.concatenate([k, new], axis=2)
        v = np.concatenate([v, (here @ block["Wv"]).reshape(B, K, 1, d)], axis=2)
        weights = softmax(q @ repeat_kv(k, H // K).swapaxes(2, 3) / math.sqrt(d))
        out.append((weights @ repeat_kv(v, H // K)).reshape(B, 1, D) @ block["Wo"])
    return np.concatenate(out, axis=1), (k, v)


@right("attention_with_cache")
def cached_in_groups(x, block, config, past):
    """No head is repeated: the queries have an axis for their group."""
    B, T, D = x.shape
    K, d = config.kv_heads, config.head_dim
    P = past[0].shape[2] if past else 0
    places = np.arange(P, P + T)
    q = (x @ block["Wq"]).reshape(B, T, K, -1, d).transpose(0, 2, 3, 1, 4)  # (B, K, group, T, d)
    k, v = ((x @ block[n]).reshape(B, T, K, d).transpose(0, 2, 1, 3) for n in ("Wk", "Wv"))
    q, k = rope(q, places, config.rope_base), rope(k, places, config.rope_base)
    if past:
        k, v = np.append(past[0], k, axis=2), np.append(past[1], v, axis=2)
    scores = np.einsum("bkgtd,bksd->bkgts", q, k) * d**-0.5
    scores[..., np.triu(np.ones((T, P + T), bool), P + 1)] = -np.inf
    y = np.einsum("bkgts,bksd->btkgd", softmax(scores), v)
    return y.reshape(B, T, D) @ block["Wo"], (k, v)


# forward_with_cache

cached_forward_to_all_positions = edit(
    "forward_with_cache",
    "The logits of all positions were computed, V numbers for each token of the prompt that nobody reads. Cut out the "
    "last position before the head.",
    ("x[:, -1]", "x"),
)
cached_forward_that_keeps_the_time = edit(
    "forward_with_cache",
    "The logits have an axis of the time, of length 1. They are those of one position, so they are (B, V).",
    ("x[:, -1]", "x[:, -1:]"),
)
cached_forward_that_adds_to_the_past = edit(
    "forward_with_cache",
    "The list that is kept grows with every piece. It has one entry for each block: the new one takes the old "
    "one's place.",
    ("    kept = []", "    kept = list(past or [])"),
)
cached_forward_to_the_first_position = edit(
    "forward_with_cache",
    "These are the logits of the first position of the piece, which is the last one only while one token comes "
    "at a time.",
    ("x[:, -1]", "x[:, 0]"),
)
cached_forward_of_the_last_id = edit(
    "forward_with_cache",
    "Only the last id went through the blocks. All new ids must: later tokens need their keys and values.",
    ('weights["embed"][ids]', 'weights["embed"][ids[:, -1:]]'),
)
cached_forward_with_one_past = edit(
    "forward_with_cache",
    "Every block was handed the entry of the first one. Each has its own.",
    ("past or [None] * config.layers", "[past[0] if past else None] * config.layers"),
)
cached_forward_that_hands_on_the_past = edit(
    "forward_with_cache",
    "What one block kept went to the next block. It goes to the same block, with the next piece.",
    ("    kept = []", "    kept, before = [], None"),
    (
        "        x, p = run_block(x, block, p)",
        "        x, before = run_block(x, block, p if past else before)\n        p = before",
    ),
)
cached_forward_without_a_past = edit(
    "forward_with_cache",
    "The past was collected and never handed in: the list of the last call is not used.",
    ("past or [None] * config.layers", "[None] * config.layers"),
)
cached_forward_that_keeps_the_old_past = edit(
    "forward_with_cache",
    "What the blocks returned was not kept: the list that comes back is the one that was handed in.",
    ("x, p = run_block(x, block, p)", "x, q = run_block(x, block, p)\n        p = q if p is None else p"),
)
cached_forward_without_the_last_norm = edit(
    "forward_with_cache",
    "The last norm, before the head, is missing.",
    ('rms_norm(x[:, -1], weights["norm"], config.eps)', "x[:, -1]"),
)
cached_forward_with_a_tied_head = edit(
    "forward_with_cache",
    "The embedding turned round served as the head. `weights` always holds a head.",
    ('weights["head"]', 'weights["embed"].T'),
)
cached_forward_to_the_mean = edit(
    "forward_with_cache",
    "The positions were averaged. The last one alone says what follows.",
    ("x[:, -1]", "x.mean(axis=1)"),
)


@right("forward_with_cache")
def cached_forward_id_by_id(ids, weights, config, run_block, past):
    """All pieces at once through the blocks, the last row cut out at the very end but before the head."""
    past = [None] * len(weights["blocks"]) if past is None else list(past)
    x = np.take(weights["embed"], np.asarray(ids), axis=0)
    for i in range(len(past)):
        x, past[i] = run_block(x, weights["blocks"][i], past[i])
    last = rms_norm(x, weights["norm"], config.eps)[:, x.shape[1] - 1, :]
    return np.dot(last, weights["head"]), past


@right("forward_with_cache")
def cached_forward_with_an_iterator(ids, weights, config, run_block, past):
    """The entries come from an iterator that may be empty; a tuple is handed back."""
    entries = iter(past or ())
    x, kept = weights["embed"][ids], ()
    for block in weights["blocks"]:
        x, p = run_block(x, block, next(entries, None))
        kept += (p,)
    row = x[:, -1]
    row = row / np.sqrt(np.mean(row**2, -1, keepdims=True) + config.eps) * weights["norm"]
    return row @ weights["head"], list(kept)


# ---- generation

# temperature_softmax

temperature_multiplied = edit(
    "temperature_softmax",
    "The logits were multiplied by T. Divide by it: a high temperature brings the probabilities closer together.",
    ("np.max(logits)) / temperature", "np.max(logits)) * temperature"),
)
temperature_unused = edit(
    "temperature_softmax",
    "The temperature is not used: this is the softmax of the logits as they came.",
    ("np.max(logits)) / temperature", "np.max(logits))"),
)
temperature_without_subtracting = edit(
    "temperature_softmax",
    "The exponential of a large logit overflows. A softmax does not change when the largest logit is subtracted "
    "from all.",
    ("(logits - np.max(logits)) / temperature", "logits / temperature"),
)
temperature_zero_divides = edit(
    "temperature_softmax",
    "At T = 0 there is a division by 0. It is a case of its own: all the probability on the largest logit.",
    ("temperature == 0", "temperature < 0"),
)
temperature_zero_is_one = edit(
    "temperature_softmax",
    "T = 0 was taken for T = 1, perhaps as if no temperature had been given: 0 is a temperature, too.",
    ("    if temperature == 0", "    temperature = temperature or 1.0\n    if temperature == 0"),
)
temperature_zero_shares = edit(
    "temperature_softmax",
    "At T = 0 equal logits share, which is the limit and not what is asked: the lowest of their ids gets it all.",
    ("p[np.argmax(logits)] = 1.0", "p[logits == np.max(logits)] = 1.0 / np.sum(logits == np.max(logits))"),
)
temperature_zero_takes_the_last = edit(
    "temperature_softmax",
    "At T = 0 the highest id of several largest logits won. Take the lowest; in an ascending order it is not the last.",
    ("np.argmax(logits)", 'np.argsort(logits, kind="stable")[-1]'),
)
temperature_after_the_softmax = edit(
    "temperature_softmax",
    "A softmax was taken of a softmax. T divides the logits, and one softmax follows.",
    ("    e = np.exp(", "    logits = np.exp(logits - np.logaddexp.reduce(logits))\n    e = np.exp("),
)
temperature_on_the_probabilities = edit(
    "temperature_softmax",
    "The probabilities were divided by T, so they do not sum to 1 any more. Divide the logits, before the softmax.",
    ("np.max(logits)) / temperature", "np.max(logits))"),
    ("e / e.sum()", "e / e.sum() / temperature"),
)
temperature_in_logarithms = edit(
    "temperature_softmax",
    "Those are logarithms of probabilities: take their exponentials.",
    ("return e / e.sum()", "return np.log(e / e.sum())"),
)
temperature_in_the_dtype_of_the_logits = edit(
    "temperature_softmax",
    "The probabilities were written into an array of whole numbers, which cuts them to 0 and 1.",
    ("return e / e.sum()", "return (e / e.sum()).astype(logits.dtype)"),
    hidden=True,
)
temperature_low_is_zero = edit(
    "temperature_softmax",
    "A low temperature was taken for T = 0. Logits that lie close together still share at it.",
    ("temperature == 0", "temperature < 0.1"),
    hidden=True,
)
temperature_clips_the_logits = edit(
    "temperature_softmax",
    "−inf was replaced by a number that other logits reach, too: such a token must get exactly 0.",
    ("logits - np.max(logits)", "np.maximum(logits, -1e4) - np.max(logits)"),
    hidden=True,
)


@right("temperature_softmax")
def temperature_by_powers(logits, temperature):
    """The probabilities at T = 1, to the power of 1/T."""
    if temperature == 0:
        best = list(logits).index(max(logits))
        return np.array([float(i == best) for i in range(len(logits))])
    e = np.exp(np.maximum((logits - logits.max()) / temperature, -700.0))
    e = np.where(np.isneginf(logits), 0.0, e)
    return e / np.sum(e)


@right("temperature_softmax")
def temperature_with_plain_python(logits, temperature):
    """A loop over numbers."""
    top = max(logits)
    if not temperature:
        p = [0.0] * len(logits)
        p[list(logits).index(top)] = 1.0
        return np.array(p)
    es = [math.exp((x - top) / temperature) for x in logits]
    return np.array([e / math.fsum(es) for e in es])


# top_k_filter

top_k_not_shared_out = edit(
    "top_k_filter",
    "The others are 0, and the kept ones do not sum to 1 yet: divide by what they sum to.",
    (" / filtered.sum()", ""),
)
top_k_by_threshold = edit(
    "top_k_filter",
    "All that are as likely as the k-th stayed. Exactly k tokens stay; among equal ones the lowest ids.",
    ("filtered[kept] = p[kept]", "kept = p >= p[kept].min()\n    filtered[kept] = p[kept]"),
)
top_k_reversed_sort = edit(
    "top_k_filter",
    "Among equal ones the highest id stayed: turning an ascending order round turns equal ones round, too.",
    ('np.argsort(-p, kind="stable")', 'np.argsort(p, kind="stable")[::-1]'),
)
top_k_sorted = edit(
    "top_k_filter",
    "The likeliest came first, so the ids are lost: each id stays in its place.",
    ("filtered[kept] = p[kept]", "filtered[: len(kept)] = p[kept]"),
)
top_k_ascending = edit(
    "top_k_filter",
    "The k least likely stayed: an ascending order begins with them.",
    ("np.argsort(-p", "np.argsort(p"),
)
top_k_softmax_of_probabilities = edit(
    "top_k_filter",
    "A softmax was taken of probabilities, which gives what is out a share again. Divide by the sum of the kept ones.",
    ("filtered / filtered.sum()", "np.exp(filtered / filtered.sum()) / np.exp(filtered / filtered.sum()).sum()"),
)
top_k_with_partition = edit(
    "top_k_filter",
    "A k beyond the end of the array ends in an error: if k is V or more, all stay.",
    ('np.argsort(-p, kind="stable")[:k]', "np.argpartition(-p - np.arange(len(p), 0, -1) * 1e-12, k - 1)[:k]"),
)
top_k_one_too_few = edit("top_k_filter", "One token too few stayed: k of them do.", ("[:k]", "[: k - 1]"))
top_k_one_too_many = edit("top_k_filter", "One token too many stayed: k of them do.", ("[:k]", "[: k + 1]"))
top_k_in_equal_shares = edit(
    "top_k_filter",
    "The kept ones have equal shares. Each keeps its probability, divided by what all of them sum to.",
    ("filtered[kept] = p[kept]", "filtered[kept] = 1"),
)
top_k_divided_by_k = edit(
    "top_k_filter",
    "The kept ones were divided by how many they are. Divide by what they sum to, so that the result sums to 1.",
    ("/ filtered.sum()", "/ k"),
)
top_k_first_ids = edit(
    "top_k_filter",
    "The first k ids stayed, not the k likeliest: the tokens do not come sorted.",
    ('np.argsort(-p, kind="stable")[:k]', "np.arange(len(p))[:k]"),
)


@right("top_k_filter")
def top_k_with_sorted(p, k):
    """Python's sort, by probability and id."""
    kept = set(sorted(range(len(p)), key=lambda i: (-p[i], i))[:k])
    total = sum(p[i] for i in kept)
    return np.array([p[i] / total if i in kept else 0.0 for i in range(len(p))])


@right("top_k_filter")
def top_k_one_by_one(p, k):
    """Takes the largest k times."""
    rest, q = p.astype(float).copy(), np.zeros(len(p))
    for _ in range(min(k, len(p))):
        i = np.argmax(rest)
        q[i], rest[i] = p[i], -1.0
    return q / q.sum()


# top_p_filter

top_p_without_crossing = edit(
    "top_p_filter",
    "The crossing token was dropped. The token with which the sum reaches the line stays.",
    ("order[: crossing + 1]", "order[: max(1, int((np.cumsum(p[order]) <= top_p).sum()))]"),
)
top_p_without_the_token_that_reaches = edit(
    "top_p_filter",
    "The crossing token was dropped, also where it reaches the line exactly. It stays.",
    ("order[: crossing + 1]", "order[: max(1, crossing)]"),
)
top_p_without_the_first = edit(
    "top_p_filter",
    "Where the first token crosses the line, nothing stayed: at least one token always does, and the crossing "
    "one is kept.",
    ("order[: crossing + 1]", "order[np.cumsum(p[order]) <= top_p]"),
    (" / filtered.sum()", " / (filtered.sum() or 1.0)"),
)
top_p_one_too_many = edit(
    "top_p_filter",
    "The line was reached exactly, and one token more was kept: it is reached when the sum is at least top_p.",
    ("top_p))", 'top_p, side="right"))'),
)
top_p_unsorted = edit(
    "top_p_filter",
    "The probabilities were added up in the order of the ids. Go through the tokens from the likeliest on.",
    ('np.argsort(-p, kind="stable")', "np.arange(len(p))"),
)
top_p_ascending = edit(
    "top_p_filter",
    "The least likely tokens came first: begin with the likeliest.",
    ("np.argsort(-p", "np.argsort(p"),
)
top_p_as_a_threshold = edit(
    "top_p_filter",
    "Each probability was compared with top_p, which is another method (min-p). Compare the sum so far.",
    ("order[: crossing + 1]", "np.flatnonzero(p >= min(top_p, p.max()))"),
)
top_p_not_shared_out = edit(
    "top_p_filter",
    "The others are 0, and the kept ones do not sum to 1 yet: divide by what they sum to.",
    (" / filtered.sum()", ""),
)
top_p_divided_by_the_line = edit(
    "top_p_filter",
    "The kept ones were divided by top_p. Their sum is that or more: divide by it.",
    ("/ filtered.sum()", "/ (top_p or 1.0)"),
)
top_p_with_all_equals = edit(
    "top_p_filter",
    "All that are as likely as the crossing token stayed. The tokens come one by one, of equal ones the lowest "
    "id first.",
    ("filtered[kept] = p[kept]", "kept = p >= p[kept].min()\n    filtered[kept] = p[kept]"),
)
top_p_of_nothing = edit(
    "top_p_filter",
    "With top_p = 0 nothing stayed. At least one token always does.",
    ("order[: crossing + 1]", "order[: crossing + (top_p > 0)]"),
)
top_p_mask_on_the_wrong_order = edit(
    "top_p_filter",
    "The likeliest came first, so the ids are lost: after the sorting, each id goes back to its place.",
    ("filtered[kept] = p[kept]", "filtered[: len(kept)] = p[kept]"),
)
top_p_reversed_sort = edit(
    "top_p_filter",
    "Among equal ones the highest id came first: turning an ascending order round turns equal ones round, too.",
    ('np.argsort(-p, kind="stable")', 'np.argsort(p, kind="stable")[::-1]'),
)
top_p_first_true_of_none = edit(
    "top_p_filter",
    "With top_p = 1 one token was left: rounded sums may stay below 1, and where none reaches the line, all stay.",
    ("np.searchsorted(np.cumsum(p[order]), top_p)", "np.argmax(np.cumsum(p[order]) >= top_p)"),
)


@right("top_p_filter")
def top_p_with_a_loop(p, top_p):
    """Walks and adds up."""
    q, total = np.zeros(len(p)), 0.0
    for i in sorted(range(len(p)), key=lambda i: (-p[i], i)):
        q[i] = p[i]
        total += p[i]
        if total >= top_p:
            break
    return q / total


@right("top_p_filter")
def top_p_by_the_sum_before(p, top_p):
    """A token stays if the line was not reached before it."""
    order = np.argsort(-p, kind="stable")
    sums = np.cumsum(p[order])
    keep = np.concatenate([[True], sums[:-1] < top_p])
    mask = np.zeros(len(p), dtype=bool)
    mask[order] = keep
    return np.where(mask, p, 0) / p[mask].sum()


# draw

draw_on_the_left = edit(
    "draw",
    "At a border the token before it was drawn: the sum must be greater than u, not equal to it.",
    (', side="right"', ""),
)
draw_without_sums = edit(
    "draw",
    "Each probability was compared with u. The tokens lie end to end: it is the sum up to a token that counts.",
    ('np.searchsorted(np.cumsum(p), u, side="right")', "int((p > u).argmax()) if (p > u).any() else len(p)"),
)
draw_past_the_end = edit(
    "draw",
    "The last sum is rounded and may stay below 1: then no sum is greater than u, and an id that does not exist "
    "came out.",
    ("min(place, np.flatnonzero(p)[-1])", "place"),
)
draw_the_last_id = edit(
    "draw",
    "Where no sum is greater than u, the last id came out though its probability is 0: draw the last that is not 0.",
    ("np.flatnonzero(p)[-1]", "len(p) - 1"),
)
draw_one_too_far = edit(
    "draw",
    "The token behind the right one was drawn: with u = 0 it would never be the first.",
    ("min(place,", "min(place + 1,"),
)
draw_in_hundredths = edit(
    "draw",
    "The sums were rounded, so a number near a border falls on the wrong token.",
    ("np.cumsum(p)", "np.round(np.cumsum(p), 2)"),
    hidden=True,
)
draw_the_likeliest = edit(
    "draw",
    "u is not used: the likeliest token comes out every time.",
    ("min(place, np.flatnonzero(p)[-1])", "np.argmax(p)"),
)


@wrong("draw")
def draw_from_the_likeliest(p, u):
    """The likeliest token was laid down first. The tokens lie in the order of their ids."""
    order = np.argsort(-p, kind="stable")
    order = order[p[order] > 0]
    return int(order[min(np.searchsorted(np.cumsum(p[order]), u, side="right"), len(order) - 1)])


@wrong("draw")
def draw_with_its_own_chance(p, u):
    """Chance of your own chose the token. Here chance is the number u, which is given."""
    return int(np.random.default_rng(5).choice(len(p), p=np.asarray(p) / np.sum(p)))


draw_the_last = edit(
    "draw",
    "The last id came out each time: stop at the first sum that is greater than u.",
    ("min(place, np.flatnonzero(p)[-1])", "len(p) - 1"),
)
draw_the_one_before = edit(
    "draw",
    "The token before the right one was drawn. It is the first whose sum, itself included, is greater than u.",
    ("min(place,", "min(max(place - 1, 0),"),
)


@right("draw")
def draw_with_a_loop(p, u):
    """Adds up until the sum is greater."""
    total, last = 0.0, 0
    for i, x in enumerate(p):
        total += x
        last = i if x > 0 else last
        if total > u:
            return i
    return last


@right("draw")
def draw_with_argmax(p, u):
    """The first place that is greater."""
    greater = np.cumsum(p) > u
    return int(np.argmax(greater)) if greater.any() else int(np.nonzero(p)[0].max())


# sample

sample_zero_divides = edit(
    "sample",
    "T = 0 draws nothing and divides by nothing: it is a case of its own, and `rng` may be None.",
    ("temperature == 0", "temperature < 0"),
)
sample_without_crossing = edit(
    "sample",
    "The crossing token was dropped: the one with which the sum reaches top_p stays.",
    ("int(np.searchsorted(np.cumsum(q), top_p)) + 1", "max(1, int((np.cumsum(q) <= top_p + 1e-12).sum()))"),
)
sample_top_p_first = edit(
    "sample",
    "Top-p was measured with the probabilities from before top-k. It must see what top-k has left, divided by its sum.",
    ("given_ranking(p)[:top_k]", "given_ranking(p)"),
    ("    return int(rng", "    ids, q = ids[:top_k], q[:top_k] / q[:top_k].sum()\n    return int(rng"),
)
sample_top_p_on_the_old_probabilities = edit(
    "sample",
    "Top-p was measured with the probabilities from before top-k. It must see what top-k has left, divided by its sum.",
    ("np.cumsum(q)", "np.cumsum(p[ids])"),
)
sample_temperature_last = edit(
    "sample",
    "The filters saw the probabilities at T = 1. The temperature comes first, before top-k and top-p.",
    ("given_softmax(logits / temperature)", "given_softmax(logits)"),
    ("p=q)", "p=given_softmax(logits[ids] / temperature))"),
)
sample_without_temperature = edit("sample", "The temperature is not used.", ("logits / temperature", "logits"))
sample_multiplies = edit(
    "sample",
    "The logits were multiplied by the temperature. Divide by it: a low temperature makes the likely ones likelier.",
    ("logits / temperature", "logits * temperature"),
)
sample_without_top_k = edit("sample", "top_k is not used: exactly the k likeliest may come.", ("[:top_k]", ""))
sample_without_top_p = edit("sample", "top_p is not used.", ("if top_p is not None:", "if False:"))
sample_keeps_all_equals = edit(
    "sample",
    "More than top_k tokens stayed: all that are as likely as the k-th. Exactly k stay.",
    ("given_ranking(p)[:top_k]", "[i for i in given_ranking(p) if p[i] >= p[given_ranking(p)[:top_k][-1]]]"),
)
sample_takes_low_for_zero = edit(
    "sample",
    "A low temperature was taken for 0. Logits that lie close together still share at it.",
    ("temperature == 0", "temperature < 0.1"),
    hidden=True,
)
sample_of_places = edit(
    "sample",
    "A place in the order from the likeliest on came back. The id that stands there is asked for.",
    ("rng.choice(ids, p=q)", "rng.choice(len(ids), p=q)"),
)
sample_without_the_last_division = edit(
    "sample",
    "What top-k or top-p left was not divided by its sum, and `rng.choice` takes only what sums to 1.",
    ("p[ids] / p[ids].sum()", "p[ids]"),
)
sample_keeps_the_highest_ids = edit(
    "sample",
    "Among equal ones the highest ids stayed. `given_ranking` has the lowest first.",
    ("given_ranking(p)[:top_k]", "sorted(range(len(p)), key=lambda i: (-p[i], -i))[:top_k]"),
)
sample_greedily = edit(
    "sample",
    "The likeliest was taken every time. For T > 0 one of the kept is drawn, by its probability.",
    ("int(rng.choice(ids, p=q))", "int(ids[0])"),
)
sample_with_the_global_generator = edit(
    "sample",
    "The same seed draws other ids the second time: there is another source of chance than `rng`.",
    ("rng.choice", "np.random.choice"),
)
sample_with_a_generator_of_its_own = edit(
    "sample",
    "The same id came every time: a new generator at each call begins again with the same number. Use `rng`.",
    ("rng.choice", "np.random.default_rng(0).choice"),
)
sample_uniformly_from_the_kept = edit(
    "sample",
    "All that are kept come equally often. Each is drawn by its probability.",
    ("rng.choice(ids, p=q)", "rng.choice(ids)"),
)
sample_returns_a_place = edit(
    "sample",
    "A vector of counts came back. What is asked for is one id, an int.",
    ("int(rng.choice(ids, p=q))", "rng.multinomial(1, p)"),
)


@right("sample")
def sample_in_logits(logits, temperature=1.0, top_k=None, top_p=None, rng=None):
    """Filters by setting logits to minus infinity, draws by the cumulative sum."""
    if temperature == 0:
        return int(np.argmax(logits))
    x = np.asarray(logits, dtype=float) / temperature
    order = np.argsort(-x, kind="stable")
    if top_k is not None:
        x[order[top_k:]] = -np.inf
    if top_p is not None:
        p = given_softmax(x)[order]
        x[order[1:][np.cumsum(p)[:-1] >= top_p]] = -np.inf
    p = given_softmax(x)
    return int(min(np.searchsorted(np.cumsum(p), rng.random(), side="right"), np.flatnonzero(p)[-1]))


@right("sample")
def sample_by_gumbel(logits, temperature=1.0, top_k=None, top_p=None, rng=None):
    """The largest of log-probability plus Gumbel noise."""
    if temperature == 0:
        return max(range(len(logits)), key=lambda i: (logits[i], -i))
    p = given_softmax(np.array(logits) / temperature)
    ids = given_ranking(p)
    if top_k is not None:
        ids = ids[:top_k]
    if top_p is not None:
        total, kept = 0.0, []
        for i in ids:
            kept.append(i)
            total += p[i] / p[ids].sum()
            if total >= top_p:
                break
        ids = kept
    with np.errstate(divide="ignore"):
        noisy = np.log(p[ids]) + rng.gumbel(size=len(ids))
    return ids[int(np.argmax(noisy))]


# llama_encode

encode_merges_all_alike_at_once = edit(
    "llama_encode",
    "All places of the best pair were put together in one go. One merge may make a better one possible: put one pair "
    "together, the leftmost, and look again.",
    (
        "        parts[best : best + 2] = [parts[best] + parts[best + 1]]\n",
        "        pair, at = parts[best : best + 2], 0\n"
        "        while at < len(parts) - 1:\n"
        "            if parts[at : at + 2] == pair:\n"
        "                parts[at : at + 2] = [pair[0] + pair[1]]\n"
        "            at += 1\n",
    ),
    hidden=True,
)
encode_merges_pieces_alone = edit(
    "llama_encode",
    "Two parts were put together only where both are pieces themselves. It is what they make that has to be a piece.",
    ("if a + b in scores]", "if a + b in scores and a in scores and b in scores]"),
    hidden=True,
)
encode_without_prefix = edit(
    "llama_encode",
    "The space before the text is missing (the dummy prefix): with it, a word has the same piece at the beginning and "
    "behind a space.",
    ('(" " + text)', "text"),
)
encode_prefixes_nothing = edit(
    "llama_encode",
    "An empty text has no ids, not even the one of its prefix.",
    ("    if not text:\n        return []\n", ""),
)
encode_prefixes_words_only = edit(
    "llama_encode",
    "No space was put before a text that begins with one. One more always is, so that decoding can take it away.",
    ('(" " + text)', '(text if text.startswith(" ") else " " + text)'),
)
encode_drops_characters = edit(
    "llama_encode",
    "What has no piece was dropped. It becomes the ids of its UTF-8 bytes, so that nothing is lost.",
    ("[FIRST_BYTE + byte for byte in part.encode()]", "[]"),
)
encode_to_unknown = edit(
    "llama_encode",
    "What has no piece became <unk>. It becomes the ids of its UTF-8 bytes, so that nothing is lost.",
    ("[FIRST_BYTE + byte for byte in part.encode()]", "[0]"),
)
encode_bytes_without_offset = edit(
    "llama_encode",
    "The bytes' ids begin at 0 here, where the control tokens are. Byte b has the id 3 + b.",
    ("FIRST_BYTE + byte for", "byte for"),
)
encode_numbers_of_characters = edit(
    "llama_encode",
    "A character that has no piece became 3 + its number. Its number is not its bytes: a character may have several.",
    ("FIRST_BYTE + byte for byte in part.encode()", "FIRST_BYTE + ord(character) for character in part"),
)


@wrong("llama_encode")
def encode_by_longest_match(text, vocab):
    """The longest piece was matched from the left, as WordPiece does. Here neighbours are put together, best
    score first."""
    number = {piece: i for i, (piece, _) in enumerate(vocab) if i >= FIRST_PIECE}
    rest, ids = (" " + text).replace(" ", SPACE) if text else "", []
    while rest:
        n = next((n for n in range(len(rest), 0, -1) if rest[:n] in number), 0)
        ids += [number[rest[:n]]] if n else [3 + b for b in rest[0].encode()]
        rest = rest[max(1, n) :]
    return ids


encode_from_the_left = edit(
    "llama_encode",
    "The leftmost pair was put together, whatever its score. Of all pairs that make a piece, the highest score "
    "goes first.",
    ("max(places, key=lambda i: scores[parts[i] + parts[i + 1]])", "places[0]"),
)
encode_lowest_score = edit(
    "llama_encode",
    "The pair with the lowest score was taken first. Take the highest; scores are negative, so that is the one near 0.",
    ("max(places", "min(places"),
)
encode_lets_control_tokens_in = edit(
    "llama_encode",
    "A control or byte token came out of what a user typed. Look among the ordinary pieces only, which begin at 259.",
    ("dict(vocab[FIRST_PIECE:])", "dict(vocab)"),
    (" if i >= FIRST_PIECE}", "}"),
)
encode_ties_from_the_right = edit(
    "llama_encode",
    "Of several pairs with the same score the rightmost was taken. Take the leftmost.",
    ("max(places, key", "max(places[::-1], key"),
)
encode_joins_spaces = edit(
    "llama_encode",
    "Spaces were lost, or a newline was taken for one. Every single space becomes a ▁, and nothing else does.",
    ('(" " + text).replace(" ", SPACE)', '"".join(SPACE + word for word in text.split())'),
)
encode_strips = edit(
    "llama_encode",
    "The spaces at the ends of the text were lost. They belong to it.",
    ('(" " + text)', '(" " + text.strip())'),
)
encode_with_begin = edit(
    "llama_encode",
    "<s> was put in front. That is the caller's business, who may want to put a text behind another one.",
    ("ids = []", "ids = [1]"),
)
encode_in_one_pass = edit(
    "llama_encode",
    "One walk from the left put pairs together as they came. Look at all pairs before each step, and take the best.",
    (
        "    while places := [",
        "    i = 0\n    while i < len(parts) - 1:\n        pair = parts[i] + parts[i + 1]\n"
        "        parts[i : i + 2] = [pair] if pair in scores else parts[i : i + 2]\n        i += pair not in scores\n"
        "    while places := False and [",
    ),
)
encode_in_the_order_of_ids = edit(
    "llama_encode",
    "The piece with the lowest id was put together first. It is the score that decides.",
    ("scores[parts[i] + parts[i + 1]])", "-number[parts[i] + parts[i + 1]])"),
    hidden=True,
)
encode_in_lower_case = edit(
    "llama_encode",
    "The text was turned into lower case, so what comes back is another text. Take the characters as they are.",
    ('(" " + text)', '(" " + text.lower())'),
    hidden=True,
)
encode_skips_a_score_of_zero = edit(
    "llama_encode",
    "A piece whose score is 0 was taken for one that is not there. 0 is a score, too, and the highest in many "
    "vocabularies.",
    ("if a + b in scores", "if scores.get(a + b)"),
    hidden=True,
)


@right("llama_encode")
def encode_with_a_scan(text, vocab):
    """One pass for each merge, in llama2.c's way: ids from the start."""
    if text == "":
        return []
    table = {}
    for i in range(FIRST_PIECE, len(vocab)):
        table[vocab[i][0]] = (vocab[i][1], i)
    parts = [*("▁" + text.replace(" ", "▁"))]
    while True:
        best, place = None, -1
        for i in range(len(parts) - 1):
            found = table.get(parts[i] + parts[i + 1])
            if found and (best is None or found[0] > best):
                best, place = found[0], i
        if place < 0:
            break
        parts[place] += parts.pop(place + 1)
    ids = []
    for part in parts:
        if part in table:
            ids.append(table[part][1])
        else:
            ids.extend(b + 3 for b in part.encode("utf-8"))
    return ids


@right("llama_encode")
def encode_with_a_heap(text, vocab):
    """A linked list and a heap, as sentencepiece has it."""
    import heapq

    scores = dict(vocab[FIRST_PIECE:])
    number = {piece: FIRST_PIECE + i for i, (piece, _) in enumerate(vocab[FIRST_PIECE:])}
    parts = list((" " + text).replace(" ", SPACE)) if text else []
    after = list(range(1, len(parts) + 1))
    before = list(range(-1, len(parts) - 1))
    heap = []

    def offer(left, right):
        if left >= 0 and right < len(parts) and (piece := parts[left] + parts[right]) in scores:
            heapq.heappush(heap, (-scores[piece], left, right, piece))

    for i in range(len(parts) - 1):
        offer(i, i + 1)
    while heap:
        _, left, right, piece = heapq.heappop(heap)
        if not parts[left] or not parts[right] or parts[left] + parts[right] != piece:
            continue
        parts[left], parts[right] = piece, ""
        after[left] = after[right]
        if after[right] < len(parts):
            before[after[right]] = left
        offer(before[left], left)
        offer(left, after[left])
    return [i for x in parts if x for i in ([number[x]] if x in number else [3 + b for b in x.encode()])]


# llama_decode

decode_strips_letters = edit(
    "llama_decode",
    '.strip("<s>") takes the letters <, s and > from both ends, also those of a word. The control tokens are ids: they '
    "give nothing.",
    ("elif i >= FIRST_BYTE:", "elif i < FIRST_BYTE:\n            data += vocab[i][0].encode()\n        else:"),
    (".removeprefix", '.strip("<s>").strip("</s>").removeprefix'),
)
decode_removes_what_looks_special = edit(
    "llama_decode",
    "An ordinary piece that looks like <s> was taken away. Only the ids 0, 1 and 2 are control tokens.",
    (".removeprefix", '.replace("<s>", "").removeprefix'),
    hidden=True,
)
decode_strips_spaces = edit(
    "llama_decode",
    "All spaces at both ends are gone. Only one is taken away, at the beginning.",
    ('.removeprefix(" ")', '.strip(" ")'),
)
decode_strips_on_the_left = edit(
    "llama_decode",
    "All spaces at the beginning are gone. Only one is taken away, the one that encoding has put there.",
    ('.removeprefix(" ")', '.lstrip(" ")'),
)
decode_strips_all_blanks = edit(
    "llama_decode",
    "Spaces and newlines at both ends are gone. Only one space is taken away, at the beginning.",
    ('.removeprefix(" ")', ".strip()"),
)
decode_up_to_the_end_token = edit(
    "llama_decode",
    "The text ends at the first </s>. Control tokens give nothing, and what stands behind them counts.",
    ("for i in ids:", "for i in ids[: ids.index(2) if 2 in ids else None]:"),
    hidden=True,
)
decode_keeps_the_prefix = edit(
    "llama_decode",
    "The space that encoding puts in front is still there: one is taken away at the beginning.",
    ('.removeprefix(" ")', ""),
)
decode_removes_a_space_of_the_first_piece_only = edit(
    "llama_decode",
    "The one space in front was looked for in the first piece, not in the text: it may also be a byte.",
    ('data = b""', 'data = b""\n    first = next((i for i in ids if i >= FIRST_BYTE), 0)'),
    ('.removeprefix(" ")', "[first >= FIRST_PIECE and vocab[first][0][0] == SPACE :]"),
    hidden=True,
)
decode_one_by_one = edit(
    "llama_decode",
    "Each token was decoded alone. A character may lie in several byte tokens: join all bytes first, and decode once.",
    ("bytes([i - FIRST_BYTE])", 'bytes([i - FIRST_BYTE]).decode("utf-8", errors="replace").encode()'),
)
decode_with_chr = edit(
    "llama_decode",
    "Bytes were taken for characters, which is Latin-1. They are UTF-8, several bytes to a character.",
    ("bytes([i - FIRST_BYTE])", "chr(i - FIRST_BYTE).encode()"),
)
decode_bytes_without_offset = edit(
    "llama_decode",
    "The byte of an id is not the id itself: byte b has the id 3 + b.",
    ("bytes([i - FIRST_BYTE])", "bytes([i % 256])"),
)
decode_shows_byte_tokens = edit(
    "llama_decode",
    "The names of the byte tokens are shown, such as <0xE9>. Each stands for its one byte.",
    ("bytes([i - FIRST_BYTE])", "vocab[i][0].encode()"),
)
decode_drops_bytes = edit(
    "llama_decode",
    "The byte tokens are missing from the text: each gives its one byte.",
    ("bytes([i - FIRST_BYTE])", 'b""'),
)
decode_shows_control_tokens = edit(
    "llama_decode",
    "<s> and </s> are shown. The control tokens 0, 1 and 2 give nothing.",
    ("elif i >= FIRST_BYTE:", "elif i < FIRST_BYTE:\n            data += vocab[i][0].encode()\n        else:"),
)
decode_cuts_the_first_character = edit(
    "llama_decode",
    "The first character was cut off, whatever it is. Take it away only where it is a space.",
    ('.removeprefix(" ")', "[1:]"),
)
decode_ignores_errors = edit(
    "llama_decode",
    "What is not UTF-8 was dropped. It must show as U+FFFD, so that a reader sees that something is missing.",
    ('errors="replace"', 'errors="ignore"'),
)
decode_replaces_late = edit(
    "llama_decode",
    "▁ was replaced in the whole text, also where bytes had spelt one. Only the ▁ of an ordinary piece is a space.",
    ('vocab[i][0].replace(SPACE, " ")', "vocab[i][0]"),
    (".removeprefix", '.replace(SPACE, " ").removeprefix'),
    hidden=True,
)
decode_spaces_in_front_only = edit(
    "llama_decode",
    "Only a ▁ at the beginning of a piece became a space. Every one does, also inside a piece.",
    ('.replace(SPACE, " ")', '.replace(SPACE, " ", 1)'),
)
decoded_one_byte_up = edit(
    "llama_decode",
    "Every byte is one too large: byte b has the id 3 + b, since three control tokens come before.",
    ("bytes([i - FIRST_BYTE])", "bytes([(i - FIRST_BYTE + 1) % 256])"),
)
decoded_one_byte_down = edit(
    "llama_decode",
    "Every byte is one too small: byte b has the id 3 + b, since three control tokens come before.",
    ("bytes([i - FIRST_BYTE])", "bytes([(i - FIRST_BYTE - 1) % 256])"),
)


@right("llama_decode")
def decode_with_a_table(ids, vocab):
    """The bytes of every id first."""
    table = [b""] * 3 + [bytes([b]) for b in range(256)] + [p.replace("▁", " ").encode() for p, _ in vocab[259:]]
    text = b"".join(table[i] for i in ids).decode(errors="replace")
    return text[1:] if text.startswith(" ") else text


@right("llama_decode")
def decode_with_runs_of_bytes(ids, vocab):
    """Parses the names of the byte tokens."""
    out = bytearray()
    for i in ids:
        piece = vocab[i][0]
        if i in (0, 1, 2):
            continue
        if i < 259:
            out.append(int(piece[3:-1], 16))
        else:
            out += " ".join(piece.split("▁")).encode("utf-8")
    text = str(out, "utf-8", "replace")
    return text.replace(" ", "", 1) if text[:1] == " " else text


# stream_text

stream_one_by_one = edit(
    "stream_text",
    "Half a character was shown: each token was decoded alone. What may still become a character must wait.",
    ("decoder.decode(token_bytes[i])", 'token_bytes[i].decode("utf-8", errors="replace")'),
)
stream_forgets_the_end = edit(
    "stream_text",
    "What was held back at the end never comes. The beginning of a character that stays one is shown as U+FFFD.",
    ("yield rest", "return"),
)
stream_drops_errors = edit(
    "stream_text",
    "What is not UTF-8 was dropped. It must show as U+FFFD; only what may still become a character waits.",
    ('errors="replace"', 'errors="ignore"'),
)
stream_one_token_late = edit(
    "stream_text",
    "Each text comes one token late. A character is yielded before the next id is asked for.",
    ("    for i in ids:", '    waiting = ""\n    for i in ids:\n        yield waiting'),
    ("if text := decoder.decode(token_bytes[i]):\n            yield text", "waiting = decoder.decode(token_bytes[i])"),
    ('if rest := decoder.decode(b"", final=True)', 'if rest := waiting + decoder.decode(b"", final=True)'),
)
stream_counts_the_tokens = edit(
    "stream_text",
    "The ids are not followed: the bytes came in the order of the list. Each id says which bytes are next.",
    ("for i in ids:", "for i, _ in enumerate(ids):"),
)


@wrong("stream_text")
def stream_all_at_the_end(ids, token_bytes):
    """The text is right, and nothing was shown before the last id had come. Yield while the ids come."""
    yield b"".join([token_bytes[i] for i in ids]).decode("utf-8", errors="replace")


@wrong("stream_text")
def stream_waits_for_a_whole_text(ids, token_bytes):
    """Whole characters wait with the beginning of the next one. Hold back only that beginning."""
    held = b""
    for i in ids:
        held += token_bytes[i]
        try:
            text = held.decode("utf-8")
        except UnicodeDecodeError:
            continue
        yield text
        held = b""
    yield held.decode("utf-8", errors="replace")


@wrong("stream_text")
def stream_takes_every_mark_for_a_cut(ids, token_bytes):
    """A text waits while it ends in U+FFFD, also where that is what was written. The bytes can tell the two apart."""
    data, shown = b"", ""
    for i in ids:
        data += token_bytes[i]
        text = data.decode("utf-8", errors="replace")
        if not text.endswith("\ufffd"):
            yield text[len(shown) :]
            shown = text
    yield data.decode("utf-8", errors="replace")[len(shown) :]


@right("stream_text")
def stream_by_hand(ids, token_bytes):
    """Keeps what a lead byte still wants."""
    held = b""
    for i in ids:
        held += token_bytes[i]
        cut = len(held)
        for back in range(1, min(3, len(held)) + 1):
            lead = held[-back]
            if 0x80 <= lead < 0xC0:
                continue
            wants = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 1
            if wants > back:
                tail = held[-back:]
                cut -= back if len(tail.decode("utf-8", "replace")) == 1 else 0
            break
        text, held = held[:cut].decode("utf-8", errors="replace"), held[cut:]
        if text:
            yield text
    if held:
        yield held.decode("utf-8", errors="replace")


@right("stream_text")
def stream_with_empty_pieces(ids, token_bytes):
    """iterdecode of the standard library, fed lazily."""
    yield from codecs.iterdecode((token_bytes[i] for i in ids), "utf-8", errors="replace")


# generate

generate_takes_the_likeliest = edit(
    "generate",
    "`choose` was not asked: the likeliest id came each time. Which id comes is for `choose` to say.",
    ("choose(next_logits(list(ids)))", "int(np.argmax(next_logits(list(ids))))"),
    hidden=True,
)
generate_knows_one_end = edit(
    "generate",
    "Only one id of `end` ends the text. Each of them does.",
    ("if new in end:", "if end and new == min(end):"),
    hidden=True,
)
generate_yields_the_end = edit(
    "generate",
    "The end token was yielded. It ends the text and is no part of it.",
    ("            return", "            yield new\n            return"),
)
generate_ignores_the_end = edit(
    "generate",
    "An end token did not end the text: any id of the set `end` does.",
    ("        if new in end:\n            return\n", ""),
)
generate_yields_the_prompt = edit(
    "generate",
    "The prompt was yielded, too. Only the new ids are.",
    ("    for _ in", "    yield from prompt\n    for _ in"),
)
generate_counts_the_prompt = edit(
    "generate",
    "max_new was taken for the length of everything. It counts the new ids; those of the prompt are not counted.",
    ("range(max_new)", "range(max_new - len(prompt))"),
)
generate_without_appending = edit(
    "generate",
    "The model was asked with the prompt again and again. Each new id is put behind the text.",
    ("        ids.append(new)\n", ""),
)
generate_one_too_few = edit(
    "generate", "One id too few came: at most max_new are yielded.", ("range(max_new)", "range(max_new - 1)")
)
generate_one_too_many = edit(
    "generate", "One id too many came: at most max_new are yielded.", ("range(max_new)", "range(max_new + 1)")
)
generate_changes_the_prompt = edit(
    "generate",
    "The list `prompt` has grown: it stays as it was. Put the new ids behind a list of your own.",
    ("ids = list(prompt)", "ids = prompt"),
)
generate_with_the_last_id_alone = edit(
    "generate",
    "The model was given the last id alone, as one does with a cache. It has none: it needs all ids so far.",
    ("next_logits(list(ids))", "next_logits(ids[-1:] if len(ids) > len(prompt) else list(ids))"),
)
generate_yields_late = edit(
    "generate",
    "Each id came only after the model had been asked for the next one. Yield it before.",
    ("    for _ in range(max_new):\n", "    late = []\n    for _ in range(max_new):\n"),
    ("        if new in end", "        yield from late\n        late.clear()\n        if new in end"),
    ("        yield new", "        late.append(new)\n    yield from late"),
)
generate_takes_0_for_nothing = edit(
    "generate",
    "The id 0 ended the text. It is an id like any other, unless it is in the set `end`.",
    ("if new in end", "if not new or new in end"),
    hidden=True,
)
generate_looks_into_the_prompt = edit(
    "generate",
    "An end token within the prompt ended the text before it began. Only a chosen id does.",
    ("if new in end", "if end & {new, *ids}"),
    hidden=True,
)
generate_asks_ahead = edit(
    "generate",
    "The model was asked once too often: after the last id nothing more is needed.",
    ("    for _ in", "    logits = next_logits(list(ids))\n    for _ in"),
    ("choose(next_logits(list(ids)))", "choose(logits)"),
    ("        yield new", "        yield new\n        logits = next_logits(list(ids))"),
)


@wrong("generate")
def generate_all_at_once(next_logits, prompt, choose, max_new, end):
    """All ids were made before the first was yielded. Yield each before the model is asked for the next."""
    ids, made = list(prompt), []
    for _ in range(max_new):
        new = choose(next_logits(list(ids)))
        if new in end:
            break
        ids.append(new)
        made.append(new)
    yield from made


@right("generate")
def generate_recursively(next_logits, prompt, choose, max_new, end):
    """One id, then the rest."""

    def rest(ids, left):
        if left > 0 and (new := choose(next_logits(ids[:]))) not in end:
            yield new
            yield from rest([*ids, new], left - 1)

    yield from rest(list(prompt), max_new)


@right("generate")
def generate_with_while(next_logits, prompt, choose, max_new, end):
    """Counts by itself."""
    made = []
    while len(made) < max_new and (new := choose(next_logits(prompt + made))) not in end:
        made.append(new)
        yield new


# accept_draft

draft_next_from_the_last_row = edit(
    "accept_draft",
    "The token after the guesses was taken from the last row. That row was computed with all guesses in the text, also "
    "with those that are refused; the row behind the last one that stands counts.",
    ("own[stand])", "own[-1])"),
)
draft_next_is_the_refused_guess = edit(
    "accept_draft",
    "Where a guess was refused, it was written all the same. What the model itself chose takes its place.",
    ("int(own[stand])", "int([*draft, own[-1]][stand])"),
)
draft_next_from_one_row_on = edit(
    "accept_draft",
    "The token came from one row too far on. Row j says what comes after j guesses, so where j guesses stand, row j "
    "speaks.",
    ("own[stand])", "own[min(stand + 1, len(draft))])"),
)
draft_next_from_the_row_before = edit(
    "accept_draft",
    "The token came from the row of the last guess that stands, and is that guess once more. The row behind it says "
    "what comes after it.",
    ("own[stand])", "own[max(stand - 1, 0)])"),
)
draft_held_against_the_next_row = edit(
    "accept_draft",
    "Each guess was held against the row that comes after it. Row j was computed before the guess at place j was read, "
    "and that is the one that it answers.",
    ("draft[stand] == own[stand]", "draft[stand] == own[stand + 1]"),
)
draft_counts_the_correction = edit(
    "accept_draft",
    "The number is one too many: the token that the model writes itself is no guess that stands.",
    ("return stand, ", "return stand + 1, "),
)
draft_the_last_guess_never_stands = edit(
    "accept_draft",
    "The last guess never stood. There are k guesses and k + 1 rows, so the last guess has its row, too.",
    ("stand < len(draft)", "stand < len(draft) - 1"),
)
draft_ties_to_the_highest = edit(
    "accept_draft",
    "Of equal logits the highest id was taken. It is the lowest, as for every greedy choice.",
    ("np.argmax(logits, axis=1)", "logits.shape[1] - 1 - np.argmax(logits[:, ::-1], axis=1)"),
)
draft_near_enough = edit(
    "accept_draft",
    "A guess stood although another token had the larger logit. Greedily only the largest of its row stands: a guess "
    "that is nearly as good would change the text.",
    ("draft[stand] == own[stand]", "draft[stand] in np.argsort(-logits[stand])[:2]"),
)


@wrong("accept_draft")
def draft_accepts_after_a_refusal(draft, logits):
    """Guesses behind a refused one were counted. What the model says there is about a text that nobody will write."""
    own = np.argmax(logits, axis=1)
    stand = int(sum(guess == id for guess, id in zip(draft, own, strict=False)))
    return stand, int(own[stand])


@wrong("accept_draft")
def draft_all_or_nothing(draft, logits):
    """One refused guess made all of them fall. Those before it were right, and they stand."""
    own = np.argmax(logits, axis=1)
    stand = len(draft) if list(draft) == own[: len(draft)].tolist() else 0
    return stand, int(own[stand])


@wrong("accept_draft")
def draft_without_the_token_after_all(draft, logits):
    """Where all guesses stand, the token after them is missing: the last row is there for it."""
    own = np.argmax(logits, axis=1)
    for stand, guess in enumerate(draft):
        if guess != own[stand]:
            return stand, int(own[stand])
    return len(draft), None


@right("accept_draft")
def draft_by_a_loop(draft, logits):
    """Row by row, and out at the first that differs."""
    for stand, row in enumerate(logits):
        largest = int(np.argmax(row))
        if stand == len(draft) or draft[stand] != largest:
            return stand, largest


@right("accept_draft")
def draft_by_products(draft, logits):
    """A running product of yes and no: 0 from the first refusal on."""
    own = logits.argmax(axis=-1)
    stand = int(np.cumprod(np.array(draft, int) == own[:-1]).sum())
    return stand, int(own[stand])


# perplexity

perplexity_without_shift = edit(
    "perplexity",
    "Each id was scored by its own row of logits, which has seen it already. Row t predicts the id at t + 1.",
    ("logits[:-1] - logits[:-1].max", "logits - logits.max"),
    ("np.asarray(ids)[1:]", "np.asarray(ids)"),
)
perplexity_shifts_the_logits_only = edit(
    "perplexity",
    "The logits were shifted, and the ids were not: row t predicts the id at t + 1.",
    ("np.asarray(ids)[1:]", "np.asarray(ids)[:-1]"),
)
perplexity_shifted_back = edit(
    "perplexity",
    "The shift goes the wrong way: row t predicts the id at t + 1, not the one at t − 1.",
    ("logits[:-1] - logits[:-1].max", "logits[1:] - logits[1:].max"),
    ("np.asarray(ids)[1:]", "np.asarray(ids)[:-1]"),
)
perplexity_mean_over_all = edit(
    "perplexity",
    "The sum was divided by T. The mean is over the predictions, of which there are T − 1.",
    ("loss.mean()", "loss.sum() / len(ids)"),
)
perplexity_with_two = edit(
    "perplexity",
    "2 was taken to the power of the mean loss, which is in nats here: take e to its power.",
    ("np.exp(loss.mean())", "2 ** loss.mean()"),
)
perplexity_without_exp = edit(
    "perplexity", "This is the mean loss. The perplexity is e to its power.", ("np.exp(loss.mean())", "loss.mean()")
)
perplexity_in_bits = edit(
    "perplexity",
    "The losses are in bits and e was taken to their mean. Stay with nats throughout.",
    ("loss.mean()", "loss.mean() / np.log(2)"),
)
perplexity_along_the_text = edit(
    "perplexity",
    "The softmax runs along the text. It runs over the vocabulary, row by row.",
    ("logits[:-1].max(axis=1, keepdims=True)", "logits[:-1].max(axis=0, keepdims=True)"),
    ("np.exp(x).sum(axis=1, keepdims=True)", "np.exp(x).sum(axis=0, keepdims=True)"),
)
perplexity_with_a_floor = edit(
    "perplexity",
    "Small probabilities were kept above a floor, so a great surprise counts too little. Work with logarithms.",
    ("loss = -log_p", "loss = -np.maximum(log_p, np.log(1e-12))"),
    hidden=True,
)
perplexity_of_the_sum = edit(
    "perplexity",
    "The losses were summed. The mean is needed, or a longer text would always have a higher perplexity.",
    ("loss.mean()", "loss.sum()"),
)
perplexity_that_overflows = edit(
    "perplexity",
    "The exponential of a large logit overflows. Subtract each row's largest logit first.",
    (" - logits[:-1].max(axis=1, keepdims=True)", ""),
)
perplexity_without_softmax = edit(
    "perplexity",
    "The logits were averaged as they are. They become log-probabilities first, by a softmax along each row.",
    ("-log_p[", "-logits[:-1]["),
)
perplexity_without_minus = edit(
    "perplexity",
    "This is one over the perplexity: a loss is minus the logarithm of a probability.",
    ("-log_p", "log_p"),
)
perplexity_as_mean_of_inverses = edit(
    "perplexity",
    "The mean of 1/p was taken. Take the mean of the losses first, and e to its power then.",
    ("np.exp(loss.mean())", "np.exp(loss).mean()"),
)
perplexity_of_the_mean_probability = edit(
    "perplexity",
    "This is one over the mean probability. Take the mean of the losses first, and e to its power then.",
    ("np.exp(loss.mean())", "1 / np.exp(-loss).mean()"),
)


@right("perplexity")
def perplexity_with_a_loop(logits, ids):
    """One place at a time."""
    total = 0.0
    for row, i in zip(logits, ids[1:]):
        top = max(row)
        total += top + math.log(math.fsum(math.exp(v - top) for v in row)) - row[i]
    return math.exp(total / (len(ids) - 1))


@right("perplexity")
def perplexity_with_logaddexp(logits, ids):
    """NumPy's logaddexp."""
    norm = np.logaddexp.reduce(logits[:-1], axis=1)
    chosen = np.take_along_axis(logits[:-1], np.array(ids)[1:, None], axis=1)[:, 0]
    return np.exp(np.mean(norm - chosen))


# bits_per_byte

bits_by_three_bytes_a_character = edit(
    "bits_per_byte",
    "Each character beyond ASCII was counted as three bytes. In UTF-8 it has two, three or four.",
    ('len(text.encode("utf-8"))', "sum(1 if character.isascii() else 3 for character in text)"),
    hidden=True,
)
bits_per_character = edit(
    "bits_per_byte",
    "This is by character. A character may have several bytes in UTF-8, and it is bytes that were asked for.",
    ('text.encode("utf-8")', "text"),
)
bits_per_byte_of_the_mean = edit(
    "bits_per_byte",
    "The mean loss was taken. The sum is needed: a text that is cut into more tokens costs more.",
    ("sum(losses)", "sum(losses) / len(losses)"),
)
bits_per_token = edit(
    "bits_per_byte",
    "This is bits by token, which depends on the tokenizer. Share the bits out over the text's bytes.",
    ('text.encode("utf-8")', "losses"),
)
nats_per_byte = edit(
    "bits_per_byte", "This is nats by byte. One bit is ln 2 nats: divide by it.", (" / math.log(2)", "")
)
bits_per_byte_multiplied = edit(
    "bits_per_byte",
    "The sum was multiplied by ln 2. One bit is 0.693 nats, so there are more bits than nats.",
    ("/ math.log(2)", "* math.log(2)"),
)
bits_per_byte_of_a_logarithm = edit(
    "bits_per_byte",
    "The logarithm was taken once more. The losses are logarithms already; only their unit changes.",
    ("sum(losses) / math.log(2)", "math.log2(sum(losses) or 1)"),
)
bytes_per_bit = edit(
    "bits_per_byte",
    "This is bytes by bit, one over what is asked.",
    ('sum(losses) / math.log(2) / len(text.encode("utf-8"))', "len(text.encode()) * math.log(2) / (sum(losses) or 1)"),
)
bits_per_byte_stripped = edit(
    "bits_per_byte",
    "The text was stripped. Spaces and newlines at its ends are bytes, too, and the model was asked to predict them.",
    ("text.encode", "text.strip().encode"),
    hidden=True,
)


@right("bits_per_byte")
def bits_per_byte_by_log2_e(losses, text):
    """log2(e) bits to the nat."""
    return float(np.sum(losses)) * math.log2(math.e) / len(bytes(text, "utf-8"))


@right("bits_per_byte")
def bits_per_byte_term_by_term(losses, text):
    """Each loss in bits."""
    bits = [-math.log2(math.exp(-loss)) for loss in losses]
    return math.fsum(bits) / sum(len(c.encode()) for c in text)


# dequantize_q8_0

q8_unsigned = edit(
    "dequantize_q8_0",
    "The numbers are signed (int8): they run from −128 to 127, and the byte FF is −1.",
    ('"i1"', '"u1"'),
)
q8_big_endian = edit(
    "dequantize_q8_0", "The scale is little-endian: its first byte is the lower one.", ('"<f2"', '">f2"')
)
q8_scale_behind = edit(
    "dequantize_q8_0",
    "The scale was looked for behind the numbers. It stands before them, in the first two bytes.",
    ('("d", "<f2"), ("q", "i1", 32)', '("q", "i1", 32), ("d", "<f2")'),
)
q8_scale_as_a_whole_number = edit(
    "dequantize_q8_0", "The scale was read as a whole number. It is a float16.", ('"<f2"', '"<i2"')
)
q8_one_scale = edit(
    "dequantize_q8_0",
    "The first block's scale was used for all. Every block has its own.",
    ("d[:, None]", "d[:1, None]"),
)
q8_without_scale = edit(
    "dequantize_q8_0", "The scale is missing: a weight is d · q.", ("d[:, None]", "np.ones_like(d)[:, None]")
)
q8_divided = edit(
    "dequantize_q8_0",
    "The numbers were divided by the scale. A weight is d · q.",
    ("d[:, None] *", "1 / np.where(d == 0, 1, d)[:, None] *"),
)
q8_in_float16 = edit(
    "dequantize_q8_0",
    "The products were made in float16, where they are rounded and the large ones are infinite. Convert first.",
    ('blocks["d"].astype(np.float32)', 'blocks["d"]'),
    ('blocks["q"].astype(np.float32)).reshape(-1)', 'blocks["q"]).reshape(-1).astype(np.float32)'),
)
q8_in_float64 = edit(
    "dequantize_q8_0",
    "The weights came back as float64. The model runs in float32, and so should they.",
    ('blocks["q"].astype(np.float32)', 'blocks["q"].astype(np.float64)'),
)
q8_ignores_the_rest = edit(
    "dequantize_q8_0",
    "What was left over behind the last whole block was left out. A length that does not fit is an error: ValueError.",
    (
        '    if len(data) % 34:\n        raise ValueError(f"Q8_0: {len(data)} bytes are not a multiple of 34")\n',
        "    data = data[: len(data) // 34 * 34]\n",
    ),
)


@right("dequantize_q8_0")
def q8_with_struct(data):
    """One block at a time with struct."""
    if len(data) % 34 != 0:
        raise ValueError(f"{len(data)} bytes")
    out = []
    for start in range(0, len(data), 34):
        d, *q = struct.unpack("<e32b", data[start : start + 34])
        out += [d * x for x in q]
    return np.array(out, dtype=np.float32)


@right("dequantize_q8_0")
def q8_with_a_table(data):
    """A table of 34 columns."""
    table = np.frombuffer(data, dtype=np.uint8).reshape(-1, 34)
    d = table[:, :2].copy().view("<f2").astype(np.float32)
    q = table[:, 2:].view(np.int8).astype(np.float32)
    return (d * q).ravel()


# dequantize_q4_1

q4_in_turn = edit(
    "dequantize_q4_1",
    "Low and high halves were taken in turn. The 16 low ones come first, then the 16 high ones.",
    (
        'np.concatenate([blocks["b"] & 0x0F, blocks["b"] >> 4], axis=1)',
        'np.stack([blocks["b"] & 0x0F, blocks["b"] >> 4], axis=2).reshape(-1, 32)',
    ),
)
q4_high_first = edit(
    "dequantize_q4_1",
    "The high halves came first. The low four bits are the weights 0 to 15.",
    ('[blocks["b"] & 0x0F, blocks["b"] >> 4]', '[blocks["b"] >> 4, blocks["b"] & 0x0F]'),
)
q4_in_turn_and_high_first = edit(
    "dequantize_q4_1",
    "High and low halves were taken in turn, the high ones first. The 16 low ones come first, then the 16 high ones.",
    (
        'np.concatenate([blocks["b"] & 0x0F, blocks["b"] >> 4], axis=1)',
        'np.stack([blocks["b"] >> 4, blocks["b"] & 0x0F], axis=2).reshape(-1, 32)',
    ),
)
q4_minimum_first = edit(
    "dequantize_q4_1",
    "Scale and minimum were exchanged. The scale stands first.",
    ('("d", "<f2"), ("m", "<f2")', '("m", "<f2"), ("d", "<f2")'),
)
q4_minus_minimum = edit(
    "dequantize_q4_1",
    "The minimum was subtracted. It is the smallest weight, so it is added, and may be negative.",
    ("+ m[:, None]", "- m[:, None]"),
)
q4_without_minimum = edit("dequantize_q4_1", "The minimum is missing: a weight is d · q + m.", (" + m[:, None]", ""))
q4_scales_the_minimum = edit(
    "dequantize_q4_1",
    "The minimum was multiplied by the scale, too. A weight is d · q + m.",
    ("q.astype(np.float32) + m[:, None]", "(q.astype(np.float32) + m[:, None])"),
)
q4_0_for_q4_1 = edit(
    "dequantize_q4_1",
    "8 was subtracted and the minimum left out: that is Q4_0. Here the minimum takes its place.",
    ("q.astype(np.float32) + m[:, None]", "(q.astype(np.float32) - 8)"),
)
q4_0_with_a_minimum = edit(
    "dequantize_q4_1",
    "8 was subtracted, as in Q4_0. Here the minimum takes its place.",
    ("q.astype(np.float32) + m", "(q.astype(np.float32) - 8) + m"),
)
q4_signed = edit(
    "dequantize_q4_1",
    "The numbers were taken for signed ones. Four bits hold 0 to 15 here.",
    ("q.astype(np.float32)", "(q - 16.0 * (q > 7)).astype(np.float32)"),
)
q4_not_shifted = edit(
    "dequantize_q4_1",
    "The high four bits were not brought down: as they stand in the byte, they count sixteen times too much.",
    (">> 4", "& 0xF0"),
)
q4_one_scale = edit(
    "dequantize_q4_1",
    "The first block's scale and minimum were used for all. Every block has its own.",
    ("d[:, None]", "d[:1, None]"),
    ("m[:, None]", "m[:1, None]"),
)
q4_in_float16 = edit(
    "dequantize_q4_1",
    "The products were made in float16, where they are rounded and the large ones are infinite. Convert first.",
    ('blocks["d"].astype(np.float32), blocks["m"].astype(np.float32)', 'blocks["d"], blocks["m"]'),
    ("q.astype(np.float32) + m[:, None]).reshape(-1)", "q + m[:, None]).reshape(-1).astype(np.float32)"),
)
q4_in_float64 = edit(
    "dequantize_q4_1",
    "The weights came back as float64. The model runs in float32, and so should they.",
    ("q.astype(np.float32)", "q.astype(np.float64)"),
)
q4_ignores_the_rest = edit(
    "dequantize_q4_1",
    "What was left over behind the last whole block was left out. A length that does not fit is an error: ValueError.",
    (
        '    if len(data) % 20:\n        raise ValueError(f"Q4_1: {len(data)} bytes are not a multiple of 20")\n',
        "    data = data[: len(data) // 20 * 20]\n",
    ),
)


@right("dequantize_q4_1")
def q4_with_struct(data):
    """One block at a time with struct."""
    if len(data) % 20:
        raise ValueError("cut off")
    out = []
    for start in range(0, len(data), 20):
        d, m, *packed = struct.unpack_from("<ee16B", data, start)
        out += [d * (x % 16) + m for x in packed]
        out += [d * (x // 16) + m for x in packed]
    return np.asarray(out, dtype=np.float32)


@right("dequantize_q4_1")
def q4_filled_in(data):
    """An empty table, filled half by half."""
    table = np.frombuffer(data, np.uint8).reshape(-1, 20)
    halves = np.ascontiguousarray(table[:, :4]).view("<f2").astype(np.float32)
    out = np.empty((len(table), 32), dtype=np.float32)
    out[:, :16] = table[:, 4:] & 15
    out[:, 16:] = table[:, 4:] >> 4
    return (out * halves[:, :1] + halves[:, 1:]).ravel()


# quantize_int8

int8_by_tensor = edit(
    "quantize_int8",
    "There is one scale for everything. Each group of neighbours in a row has its own.",
    ("np.abs(x).max(axis=2)", "np.abs(x).max(axis=(0, 1, 2), keepdims=True)[0]"),
)
int8_by_tensor_repeated = edit(
    "quantize_int8",
    "All scales are the same, that of the largest weight. Each group has its own, or small weights become 0.",
    ("np.abs(x).max(axis=2)", "np.full(x.shape[:2], np.abs(x).max())"),
)
int8_overflows = edit(
    "quantize_int8",
    "The scale is the largest absolute value over 128, and the number 128 does not fit into int8: its sign is lost. "
    "Divide by 127.",
    ("/ 127)", "/ 128)"),
    (".clip(-127, 127)", ".astype(np.int64)"),
)
int8_truncates = edit(
    "quantize_int8",
    "The numbers were cut towards zero, so a weight may be off by nearly a whole scale. Round to the nearest.",
    ("np.rint(x / safe[..., None])", "(x / safe[..., None])"),
)
int8_rounds_down = edit(
    "quantize_int8",
    "The numbers were rounded down, so a weight may be off by nearly a whole scale. Round to the nearest.",
    ("np.rint", "np.floor"),
)
int8_by_the_range = edit(
    "quantize_int8",
    "The scale was made of the range from the smallest to the largest weight. Here 0 stays 0: take the largest "
    "absolute value, over 127.",
    ("np.abs(x).max(axis=2) / 127", "(x.max(axis=2) - x.min(axis=2)) / 255"),
)
int8_in_floats = edit(
    "quantize_int8",
    "The numbers are whole, and still floats of four bytes each. Make them int8, which is the point of it all.",
    (".astype(np.int8)", ""),
)
int8_with_wide_scales = edit(
    "quantize_int8",
    "The scales are not float32: in float64 they take twice the room.",
    (".astype(np.float32)", ".astype(np.float64)"),
)
int8_without_the_sign = edit(
    "quantize_int8",
    "The largest weight was taken, not the largest absolute value: a group may reach further below 0 than above.",
    ("np.abs(x)", "x"),
)


@right("quantize_int8")
def int8_group_by_group(weights, group):
    """Two loops."""
    r, c = weights.shape
    q, scales = np.zeros((r, c), np.int8), np.zeros((r, c // group), np.float32)
    for i in range(r):
        for j in range(0, c, group):
            part = weights[i, j : j + group]
            s = max(abs(float(x)) for x in part) / 127
            scales[i, j // group] = s
            if s:
                q[i, j : j + group] = [min(127, max(-127, math.floor(x / s + 0.5))) for x in part]
    return q, scales


@right("quantize_int8")
def int8_with_max_and_min(weights, group):
    """The larger of the maximum and the negated minimum."""
    x = weights.astype(np.float64).reshape(weights.shape[0], -1, group)
    scales = np.maximum(x.max(axis=-1), -x.min(axis=-1)) / 127
    with np.errstate(all="ignore"):
        q = np.nan_to_num(np.round(x / scales[..., None]))
    return q.astype(np.int8).reshape(weights.shape), scales.astype(np.float32)


# chat_prompt


chat_with_the_line_end_10 = edit(
    "chat_prompt",
    "A line end was written as 10. Which id it has, `encode` knows.",
    (', end, *encode("\\n")]', ", end, 10]"),
    hidden=True,
)


@wrong("chat_prompt")
def chat_as_one_text(messages, encode, start, end):
    """What a user typed has become a special token: this is the injection that the form is to prevent. The special
    tokens are put in as ids, and nobody looks for them in a text."""
    import re

    if any(m["role"] not in ("system", "user", "assistant") for m in messages):
        raise ValueError("role")
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages) + "<|im_start|>assistant\n"
    special = {"<|im_start|>": [start], "<|im_end|>": [end]}
    return [i for part in re.split(r"(<\|im_\w+\|>)", text) for i in special.get(part) or encode(part)]


@wrong("chat_prompt")
def chat_encoded_plainly(messages, encode, start, end):
    """The special tokens were encoded as letters. They are the ids `start` and `end`."""
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return encode(text + "<|im_start|>assistant\n")


chat_not_opened = edit(
    "chat_prompt",
    "The prompt is not open for the answer: `start` and the assistant's role are missing at the end.",
    ('[*ids, start, *encode("assistant\\n")]', "ids"),
)
chat_closed = edit(
    "chat_prompt",
    "There is an end token behind the last `assistant`. The answer is still to come.",
    ('*encode("assistant\\n")]', '*encode("assistant\\n"), end]'),
)
chat_without_newlines = edit(
    "chat_prompt",
    "The newline behind the end token is missing.",
    (', end, *encode("\\n")]', ", end]"),
)
chat_without_the_last_newline = edit(
    "chat_prompt",
    "The newline behind the last `assistant` is missing: the model would have to write it.",
    ('"assistant\\n"', '"assistant"'),
)
chat_without_newline_behind_the_role = edit(
    "chat_prompt",
    "The newline between role and content is missing.",
    ("{role}\\n{content}", "{role}{content}"),
)
chat_without_role = edit(
    "chat_prompt",
    "The role is missing: the model would not know who speaks.",
    ("{role}\\n{content}", "{content}"),
)
chat_of_users = edit(
    "chat_prompt",
    "Every message has the role of a user. Each has its own.",
    ("{role}\\n{content}", "user\\n{content}"),
)
chat_encoded_apart = edit(
    "chat_prompt",
    "Role and content were encoded apart, and a token across the border of the two is lost. Encode them as one text.",
    ('encode(f"{role}\\n{content}")', 'encode(f"{role}\\n"), *encode(content)'),
)
chat_newline_with_the_content = edit(
    "chat_prompt",
    "The role was encoded apart from the newline and the content. All three are encoded as one text.",
    ('encode(f"{role}\\n{content}")', 'encode(role), *encode(f"\\n{content}")'),
)
chat_cleaned = edit(
    "chat_prompt",
    "What looks like a special token was taken out of the content. It is text that somebody typed, and stays.",
    (
        "        if role",
        '        content = content.replace("<|im_start|>", "").replace("<|im_end|>", "")\n        if role',
    ),
)
chat_stripped = edit(
    "chat_prompt",
    "Spaces and newlines at the ends of the content are gone. The content is taken as it is.",
    ("{content}", "{content.strip()}"),
)
chat_with_any_role = edit(
    "chat_prompt",
    "A role that is not one of the three was let through. It may hold anything, and must raise ValueError.",
    (
        '        if role not in ("system", "user", "assistant"):\n'
        '            raise ValueError(f"unknown role {role!r}")\n',
        "",
    ),
)
chat_skips_other_roles = edit(
    "chat_prompt",
    "A message of another role was left out in silence. Raise ValueError, so that nobody wonders where it is.",
    ('raise ValueError(f"unknown role {role!r}")', "continue"),
)
chat_with_stripped_roles = edit(
    "chat_prompt",
    "A role with a newline or a space at its end was let through. Each of the three is spelt as it is.",
    ('message["role"]', 'message["role"].strip()'),
    hidden=True,
)
chat_refuses_what_looks_special = edit(
    "chat_prompt",
    "A content with what looks like a special token was refused. It is text like any other, and harmless as such.",
    ("            raise", '            raise ValueError("role")\n        if "<|im_" in content:\n            raise'),
)
chat_with_upper_case_roles = edit(
    "chat_prompt",
    "A role in upper case was let through. The three words are spelt as they are, and any other one raises ValueError.",
    ("if role not in", "if role.lower() not in"),
    hidden=True,
)
chat_with_roles_that_begin_well = edit(
    "chat_prompt",
    "A role that only begins with one of the three words was let through: what stands behind it would be read, too.",
    ('if role not in ("system", "user", "assistant")', 'if not role.startswith(("system", "user", "assistant"))'),
    hidden=True,
)
chat_in_three_pieces = edit(
    "chat_prompt",
    "Role, newline and content were encoded apart, and tokens across their borders are lost. Encode them as one.",
    ('encode(f"{role}\\n{content}")', 'encode(role), *encode("\\n"), *encode(content)'),
)


@right("chat_prompt")
def chat_with_turns(messages, encode, start, end):
    """Checks all roles first, then joins turns."""
    for m in messages:
        if m["role"] not in {"system", "user", "assistant"}:
            raise ValueError(f"role {m['role']!r} is not known")
    turns = [[start] + list(encode("\n".join((m["role"], m["content"])))) + [end] for m in messages]
    newline = list(encode("\n"))
    return sum((turn + newline for turn in turns), []) + [start] + list(encode("assistant" + "\n"))


@right("chat_prompt")
def chat_with_append(messages, encode, start, end):
    """Grows a list step by step."""
    ids = []
    for message in messages:
        if not any(message["role"] == known for known in ("assistant", "user", "system")):
            raise ValueError("role")
        ids.append(start)
        ids.extend(encode("%s\n%s" % (message["role"], message["content"])))
        ids.append(end)
        ids.extend(encode("\n"))
    ids.append(start)
    ids.extend(encode("assistant\n"))
    return ids


# ---- published

# rope_scaling_llama3

llama3_all_slower = edit(
    "rope_scaling_llama3",
    "All pairs were slowed down alike, fast ones, too. Those with high_freq_factor turns or more stay as they were.",
    ("return share * frequencies + (1 - share) * frequencies", "return frequencies"),
)
llama3_none_slower = edit(
    "rope_scaling_llama3",
    "All pairs turn as before. Those with low_freq_factor turns or fewer are to be slower by the whole factor.",
    ("np.clip((turns - low) / (high - low), 0, 1)", "np.ones_like(turns)"),
)
llama3_middle_as_it_was = edit(
    "rope_scaling_llama3",
    "The pairs between the two bounds stayed as they were. They are slowed down, too, by less than the whole factor.",
    ("np.clip((turns - low) / (high - low), 0, 1)", "np.where(turns > low, 1, 0)"),
)
llama3_middle_slower_by_all = edit(
    "rope_scaling_llama3",
    "The pairs between the two bounds were slowed down by the whole factor. Theirs is a blend of the two.",
    ("np.clip((turns - low) / (high - low), 0, 1)", "np.where(turns < high, 0, 1)"),
)
llama3_middle_half_and_half = edit(
    "rope_scaling_llama3",
    "Every pair between the bounds got half of each. The share grows with the turns, from 0 at low to 1 at high.",
    ("np.clip((turns - low) / (high - low), 0, 1)", "np.where(turns <= low, 0, np.where(turns >= high, 1, 0.5))"),
)
llama3_fast_for_slow = edit(
    "rope_scaling_llama3",
    "The fast pairs were slowed down and the slow ones left alone. Slow ones have few turns: low_freq_factor or fewer.",
    ("share * frequencies + (1 - share) * frequencies /", "(1 - share) * frequencies + share * frequencies /"),
)
llama3_radians_for_turns = edit(
    "rope_scaling_llama3",
    "Radians were counted as turns. One turn is 2π of them.",
    (" / (2 * np.pi)", ""),
)
llama3_half_turns = edit(
    "rope_scaling_llama3",
    "A turn was taken to be π. It is 2π: round once, and back where it began.",
    ("(2 * np.pi)", "np.pi"),
)
llama3_by_wave_length = edit(
    "rope_scaling_llama3",
    "The share runs along the wave length, the positions for one turn. It grows in a straight line with the turns.",
    (
        "(turns - low) / (high - low)",
        "(1 / low - 1 / turns) / (1 / low - 1 / high)",
    ),
)
llama3_blends_factors = edit(
    "rope_scaling_llama3",
    "The factors were blended, and the frequency divided by the blend. Blend the two frequencies themselves.",
    (
        'share * frequencies + (1 - share) * frequencies / config["factor"]',
        'frequencies / (share + (1 - share) * config["factor"])',
    ),
)
llama3_multiplied = edit(
    "rope_scaling_llama3",
    "Slow pairs were made faster by the factor. Divide: for longer texts they have to turn more slowly.",
    ('/ config["factor"]', '* config["factor"]'),
)
llama3_without_clip = edit(
    "rope_scaling_llama3",
    "The share goes below 0 and above 1. Outside the two bounds it is 0 or 1 and no more.",
    ("np.clip((turns - low) / (high - low), 0, 1)", "(turns - low) / (high - low)"),
)
llama3_share_of_high = edit(
    "rope_scaling_llama3",
    "The share was divided by high, not by the distance from low to high: at the upper bound it does not reach 1.",
    ("/ (high - low)", "/ high"),
)
llama3_share_from_nothing = edit(
    "rope_scaling_llama3",
    "The share begins to grow at 0 turns. Below low_freq_factor turns it is 0, and from there it grows.",
    ("(turns - low) / (high - low)", "turns / high"),
)
llama3_fixed_bounds = edit(
    "rope_scaling_llama3",
    "The bounds are always 1 and 4. Take them from config: models differ.",
    ('config["low_freq_factor"], config["high_freq_factor"]', "1.0, 4.0"),
)
llama3_fixed_length = edit(
    "rope_scaling_llama3",
    "The original length is always 8192. Take it from config: models differ.",
    ('config["original_max_position_embeddings"]', "8192"),
)
llama3_length_after = edit(
    "rope_scaling_llama3",
    "Turns were counted within the new length, the factor times as long. What counts is the original one.",
    ('config["original_max_position_embeddings"]', 'config["original_max_position_embeddings"] * config["factor"]'),
)
llama3_the_factors = edit(
    "rope_scaling_llama3",
    "How many times slower each pair turns came back. Return how fast it turns: divide the frequencies by that.",
    (
        'share * frequencies + (1 - share) * frequencies / config["factor"]',
        '1 / (share + (1 - share) / config["factor"])',
    ),
)


@wrong("rope_scaling_llama3")
def llama3_in_place(frequencies, config):
    """The array that came in was changed. Make a new one: whoever called may need the old frequencies, too."""
    low, high = config["low_freq_factor"], config["high_freq_factor"]
    turns = frequencies * config["original_max_position_embeddings"] / (2 * np.pi)
    share = np.clip((turns - low) / (high - low), 0, 1)
    frequencies *= share + (1 - share) / config["factor"]
    return frequencies


@right("rope_scaling_llama3")
def llama3_in_three_cases(frequencies, config):
    """By wave length, case by case, as the published code has it."""
    low, high = config["low_freq_factor"], config["high_freq_factor"]
    original, factor = config["original_max_position_embeddings"], config["factor"]
    new = []
    for frequency in frequencies.tolist():
        length = 2 * np.pi / frequency
        if length < original / high:
            new.append(frequency)
        elif length > original / low:
            new.append(frequency / factor)
        else:
            smooth = (original / length - low) / (high - low)
            new.append((1 - smooth) * frequency / factor + smooth * frequency)
    return np.array(new)


@right("rope_scaling_llama3")
def llama3_by_interpolation(frequencies, config):
    """np.interp has the straight line and its two ends."""
    turns = frequencies * config["original_max_position_embeddings"] / (2 * np.pi)
    bounds = [config["low_freq_factor"], config["high_freq_factor"]]
    return frequencies * np.interp(turns, bounds, [1 / config["factor"], 1])


# six_bits


@wrong("six_bits")
def six_bits_in_a_row(packed):
    """The 96 bits were read as sixteen numbers one behind the other. The last four of each kind lie in two parts."""
    bits = np.unpackbits(packed, axis=1, bitorder="little").reshape(len(packed), 16, 6)
    numbers = (bits << np.arange(6, dtype=np.uint8)).sum(axis=2)
    return numbers[:, :8], numbers[:, 8:]


@wrong("six_bits")
def six_bits_in_a_row_from_the_top(packed):
    """The 96 bits were read in a row, highest bit first. The last four of each kind lie in two parts."""
    bits = np.unpackbits(packed, axis=1).reshape(len(packed), 16, 6)
    numbers = (bits << np.arange(6, dtype=np.uint8)[::-1]).sum(axis=2)
    return numbers[:, :8], numbers[:, 8:]


six_minima_first = edit(
    "six_bits",
    "Scales and minima changed places: the scales come first, in bytes 0 to 3.",
    ("return scales, minima", "return minima, scales"),
)
six_parts_swapped = edit(
    "six_bits",
    "In the last four, upper and lower part changed places: the two bits go in front of the four.",
    ("(first >> 6 << 4) | (third & 15)", "(first >> 6) | ((third & 15) << 2)"),
    ("(second >> 6 << 4) | (third >> 4)", "(second >> 6) | (third >> 4 << 2)"),
)
six_halves_swapped = edit(
    "six_bits",
    "The halves of bytes 8 to 11 changed places: the lower half belongs to the scales, the upper one to the minima.",
    ("| (third & 15)", "| (third >> 4)"),
    ("(second >> 6 << 4) | (third >> 4)", "(second >> 6 << 4) | (third & 15)"),
)
six_without_mask = edit(
    "six_bits",
    "The first four have eight bits. Only the lower six are theirs; the upper two belong to the last four.",
    ("[first & 63,", "[first,"),
    ("[second & 63,", "[second,"),
)
six_only_four_bits = edit(
    "six_bits",
    "The last four have only four bits. Their upper two are at the top of bytes 0 to 7.",
    ("(first >> 6 << 4) | ", ""),
    ("(second >> 6 << 4) | ", ""),
)
six_two_bits_not_lifted = edit(
    "six_bits",
    "The two upper bits were not brought to the front: they count 16 and 32, not 1 and 2.",
    ("first >> 6 << 4", "first >> 6"),
    ("second >> 6 << 4", "second >> 6"),
)
six_two_bits_left_at_the_top = edit(
    "six_bits",
    "The two upper bits stayed where they were in the byte, as 64 and 128. In six bits they count 16 and 32.",
    ("first >> 6 << 4", "first & 192"),
    ("second >> 6 << 4", "second & 192"),
)
six_bits_of_the_other_kind = edit(
    "six_bits",
    "The upper bits of scales and minima were exchanged: those of the scales stand in bytes 0 to 3.",
    ("(first >> 6 << 4) | (third & 15)", "(second >> 6 << 4) | (third & 15)"),
    ("(second >> 6 << 4) | (third >> 4)", "(first >> 6 << 4) | (third >> 4)"),
)
six_in_turn = edit(
    "six_bits",
    "The first and the last four were put in turn: 0, 4, 1, 5 and so on. The last four stand behind the first four.",
    ("scales = np.concatenate([first & 63, late_scales], axis=1)",
     "scales = np.stack([first & 63, late_scales], axis=2).reshape(-1, 8)"),
    ("minima = np.concatenate([second & 63, late_minima], axis=1)",
     "minima = np.stack([second & 63, late_minima], axis=2).reshape(-1, 8)"),
)  # fmt: skip
six_last_ones_first = edit(
    "six_bits",
    "The numbers 4 to 7 stand before the numbers 0 to 3.",
    ("[first & 63, late_scales]", "[late_scales, first & 63]"),
    ("[second & 63, late_minima]", "[late_minima, second & 63]"),
)
six_of_the_first_block = edit(
    "six_bits",
    "Only the first block was read, and its numbers given to all. Every block has its own twelve bytes.",
    ("first, second, third =", "packed = np.repeat(packed[:1], len(packed), axis=0)\n    first, second, third ="),
)


@right("six_bits")
def six_one_by_one(packed):
    """Number by number, in Python."""
    scales, minima = [], []
    for row in packed.tolist():
        scales.append([b % 64 for b in row[:4]] + [16 * (a // 64) + b % 16 for a, b in zip(row[:4], row[8:])])
        minima.append([b % 64 for b in row[4:8]] + [16 * (a // 64) + b // 16 for a, b in zip(row[4:8], row[8:])])
    return np.array(scales, int).reshape(-1, 8), np.array(minima, int).reshape(-1, 8)


@right("six_bits")
def six_by_columns(packed):
    """Into arrays made beforehand, column after column."""
    scales, minima = np.zeros((2, len(packed), 8), np.int64)
    for i in range(4):
        scales[:, i], minima[:, i] = packed[:, i] & 0x3F, packed[:, i + 4] & 0x3F
        scales[:, i + 4] = packed[:, i + 8] & 0x0F | (packed[:, i] & 0xC0) >> 2
        minima[:, i + 4] = packed[:, i + 8] >> 4 | (packed[:, i + 4] & 0xC0) >> 2
    return scales, minima


# dequantize_q4_k

q4k_minimum_added = edit(
    "dequantize_q4_k",
    "The minimum was added, as in Q4_1. Here it is taken away: d · scale · q − dmin · minimum.",
    ("* q - minima", "* q + minima"),
)
q4k_without_minimum = edit(
    "dequantize_q4_k",
    "The minima are missing: a weight is d · scale · q − dmin · minimum.",
    (" - minima[:, :, None]", ""),
)
q4k_steps_swapped = edit(
    "dequantize_q4_k",
    "d and dmin changed places: the step of the scales comes first.",
    ('("d", "<f2"), ("dmin", "<f2")', '("dmin", "<f2"), ("d", "<f2")'),
)
q4k_one_step = edit(
    "dequantize_q4_k",
    "The minima were measured in steps of d. They have a step of their own, dmin.",
    ('blocks["dmin"]', 'blocks["d"]'),
)
q4k_minimum_times_scale = edit(
    "dequantize_q4_k",
    "The minimum was taken from q before the scale was multiplied in. It is dmin · minimum by itself, taken away last.",
    ("scales[:, :, None] * q - minima[:, :, None]", "scales[:, :, None] * (q - minima[:, :, None])"),
)
q4k_halves_swapped = edit(
    "dequantize_q4_k",
    "High and low halves changed places: the low four bits of a run are the first of its two groups.",
    ("[runs & 15, runs >> 4]", "[runs >> 4, runs & 15]"),
)
q4k_all_low_halves_first = edit(
    "dequantize_q4_k",
    "The low halves of all runs stand before all high ones. After each run's low halves come its own high ones.",
    ("np.stack([runs & 15, runs >> 4], axis=2)", "np.concatenate([runs & 15, runs >> 4], axis=1)"),
)
q4k_neighbours = edit(
    "dequantize_q4_k",
    "The two halves of a byte became neighbours. They are 32 weights apart: one in each of the run's two groups.",
    ("axis=2).reshape", "axis=3).reshape"),
)
q4k_halves_as_in_q4_1 = edit(
    "dequantize_q4_k",
    "Each 16 bytes were made a group, as in Q4_1. Here 32 bytes are two groups: all low halves, then all high ones.",
    ("np.stack([runs & 15, runs >> 4], axis=2)",
     "np.stack([(h := runs.reshape(-1, 8, 16)) & 15, h >> 4], axis=2)"),
)  # fmt: skip
q4k_signed = edit(
    "dequantize_q4_k",
    "8 was taken from each q, as in Q4_0. Here q runs from 0 to 15, and the minimum does the rest.",
    ("* q - minima", "* (q.astype(np.float32) - 8) - minima"),
)
q4k_one_scale = edit(
    "dequantize_q4_k",
    "The first group's scale and minimum were used for the whole block. Each of the eight groups has its own.",
    ("scales[:, :, None] * q - minima[:, :, None]", "scales[:, :1, None] * q - minima[:, :1, None]"),
)
q4k_one_block = edit(
    "dequantize_q4_k",
    "The first block's d and dmin were used for all blocks. Every block has its own.",
    ('blocks["d"].astype', 'blocks["d"][:1].astype'),
    ('blocks["dmin"].astype', 'blocks["dmin"][:1].astype'),
)
q4k_without_steps = edit(
    "dequantize_q4_k",
    "d and dmin are missing: the scales and minima are counted in steps of these.",
    ('blocks["d"].astype(np.float32)[:, None] *', "1 *"),
    ('blocks["dmin"].astype(np.float32)[:, None] *', "1 *"),
)
q4k_big_endian = edit(
    "dequantize_q4_k",
    "The two steps are little-endian: the first byte of each is its lower one.",
    ('("d", "<f2"), ("dmin", "<f2")', '("d", ">f2"), ("dmin", ">f2")'),
)
q4k_scales_behind = edit(
    "dequantize_q4_k",
    "The twelve bytes of the scales were looked for at the end. They stand before the runs, in bytes 4 to 15.",
    ('("packed", "u1", 12), ("runs", "u1", (4, 32))', '("runs", "u1", (4, 32)), ("packed", "u1", 12)'),
)
q4k_pair_swapped = edit(
    "dequantize_q4_k",
    "What `unpack` returns was taken the wrong way round: the scales come first, then the minima.",
    ("scales, minima = unpack", "minima, scales = unpack"),
)
q4k_in_float16 = edit(
    "dequantize_q4_k",
    "d times a scale was made in float16, where it is rounded and may be infinite. Convert to float32 first.",
    ('blocks["d"].astype(np.float32)[:, None] * np.asarray(scales, np.float32)',
     '(blocks["d"][:, None] * np.asarray(scales, np.float16)).astype(np.float32)'),
    ('blocks["dmin"].astype(np.float32)[:, None] * np.asarray(minima, np.float32)',
     '(blocks["dmin"][:, None] * np.asarray(minima, np.float16)).astype(np.float32)'),
)  # fmt: skip
q4k_in_float64 = edit(
    "dequantize_q4_k",
    "The weights came back as float64. The model runs in float32, and so should they.",
    ("np.asarray(scales, np.float32)", "np.asarray(scales, np.float64)"),
)
q4k_in_groups = edit(
    "dequantize_q4_k",
    "The weights came back as a table. They are one row of 256 n.",
    ("(scales[:, :, None] * q - minima[:, :, None]).reshape(-1)", "scales[:, :, None] * q - minima[:, :, None]"),
)
q4k_ignores_the_rest = edit(
    "dequantize_q4_k",
    "What was left over behind the last whole block was left out. A length that does not fit is an error: ValueError.",
    (
        '    if len(data) % 144:\n        raise ValueError(f"Q4_K: {len(data)} bytes are not a multiple of 144")\n',
        "    data = data[: len(data) // 144 * 144]\n",
    ),
)


@right("dequantize_q4_k")
def q4k_run_by_run(data, unpack):
    """Run after run, with columns of one table."""
    if len(data) % 144 != 0:
        raise ValueError(f"{len(data)} bytes")
    table = np.frombuffer(data, np.uint8).reshape(-1, 144)
    steps = table[:, :4].copy().view("<f2").astype(np.float32)
    scales, minima = (np.asarray(part, np.float32) for part in unpack(table[:, 4:16].copy()))
    groups = []
    for r in range(4):
        run = table[:, 16 + 32 * r : 48 + 32 * r]
        for g, q in ((2 * r, run & 0x0F), (2 * r + 1, run >> 4)):
            groups.append(steps[:, :1] * scales[:, g : g + 1] * q - steps[:, 1:] * minima[:, g : g + 1])
    return np.concatenate(groups, axis=1).astype(np.float32).reshape(-1)


@right("dequantize_q4_k")
def q4k_number_by_number(data, unpack):
    """Every weight by itself, with struct."""
    if len(data) % 144:
        raise ValueError(f"{len(data)} bytes")
    n = len(data) // 144
    packed = np.array([list(data[144 * i + 4 : 144 * i + 16]) for i in range(n)], np.uint8).reshape(n, 12)
    scales, minima = unpack(packed)
    found = []
    for i in range(n):
        d, dmin = (np.float32(step) for step in struct.unpack_from("<ee", data, 144 * i))
        for g in range(8):
            scale, minimum = d * np.float32(scales[i][g]), dmin * np.float32(minima[i][g])
            run = data[144 * i + 16 + 32 * (g // 2) :][:32]
            found += [scale * np.float32(byte >> 4 if g % 2 else byte & 15) - minimum for byte in run]
    return np.array(found, np.float32)
