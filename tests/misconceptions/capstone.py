"""Wrong solutions of the capstone by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names. The
docstring of a wrong one is what a student is told who makes the same mistake.
"""

import numpy as np

from autograder.course.bank import edit, right, wrong

# --- get_batch ---

batch_in_two_bytes = edit(
    "get_batch",
    "The ids were put into two bytes, which hold no number above 65,535. Make them int64.",
    ("ids[places].astype(np.int64)", "ids.astype(np.uint16)[places].astype(np.int64)"),
    hidden=True,
)
targets_not_shifted = edit(
    "get_batch",
    "y is equal to x, so the model would learn to copy. y holds, for each id of x, the one that follows it.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows[:, :-1], windows[:, :-1].copy()"),
)
targets_from_the_past = edit(
    "get_batch",
    "y holds the id before each id of x. The shift goes the other way: y begins one place later than x.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows[:, 1:], windows[:, :-1]"),
)
last_place_left_out = edit(
    "get_batch",
    "No window begins at the last place that has room for one, so the last id is never predicted. Count "
    "the places by hand, and remember that the upper end is not drawn.",
    ("len(ids) - context, batch", "max(1, len(ids) - context - 1), batch"),
)
first_place_left_out = edit(
    "get_batch",
    "No window begins at the first id. Places are counted from 0.",
    (
        "rng.integers(0, len(ids) - context, batch)",
        "rng.integers(min(1, len(ids) - context - 1), len(ids) - context, batch)",
    ),
)
one_place_too_many = edit(
    "get_batch",
    "A window began where there is no room for it and for the id after it. Count the places for `context "
    "+ 1` ids in a row.",
    ("len(ids) - context, batch", "len(ids) - context + 1, batch"),
)
room_for_no_window = edit(
    "get_batch",
    "Windows begin at the very end of the text, too, where there is no room for them. Count the places "
    "for `context + 1` ids in a row.",
    ("len(ids) - context, batch", "len(ids), batch"),
)


@wrong("get_batch")
def slices_past_the_end(ids, context, batch, rng):
    """A slice past the end of the text is shorter than the others. A window needs room for the id after it, too."""
    starts = rng.integers(0, len(ids) - context + 1, batch)
    x, y = ([ids[s + shift : s + shift + context] for s in starts] for shift in (0, 1))
    return np.array(x).astype(np.int64), np.array(y).astype(np.int64)


@wrong("get_batch")
def text_taken_as_a_ring(ids, context, batch, rng):
    """At the end the text goes on at its beginning. A window ends where the text ends: it stands in it as it is."""
    starts = rng.integers(0, len(ids), batch)
    places = (starts[:, None] + np.arange(context)) % len(ids)
    return ids[places].astype(np.int64), ids[(places + 1) % len(ids)].astype(np.int64)


one_start_for_all = edit(
    "get_batch",
    "All windows of the batch begin at the same place: draw a start for each of them.",
    ("len(ids) - context, batch)", "len(ids) - context) + np.zeros(batch, int)"),
)
starts_at_multiples = edit(
    "get_batch",
    "The windows begin at multiples of the context only. Every place that has room is equally likely.",
    ("rng.integers(0, len(ids) - context, batch)", "rng.integers(0, (len(ids) - 1) // context, batch) * context"),
)
draws_elsewhere = edit(
    "get_batch",
    "Two generators with the same seed gave different batches, so no run could be repeated. Draw with "
    "`rng`, and nothing else.",
    ("rng.integers", "np.random.default_rng().integers"),
)
same_batch_every_time = edit(
    "get_batch",
    "A second call gave the same batch again: `rng` itself must draw, not a copy or a new one, so that it moves on.",
    ("rng.integers", "np.random.default_rng(0).integers"),
)


@wrong("get_batch")
def one_batch_of_a_copy(ids, context, batch, rng):
    """A second call gave the same batch again: `rng` itself must draw, not a copy or a new one, so that it moves on."""
    import copy

    starts = copy.deepcopy(rng).integers(0, len(ids) - context, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


walks_through_in_order = edit(
    "get_batch",
    "The windows follow each other through the text. Each is drawn on its own, and the same place may come twice.",
    (
        "rng.integers(0, len(ids) - context, batch)",
        "np.minimum(np.arange(batch) + int(rng.integers(0, 2)), len(ids) - context - 1)",
    ),
)
drawn_without_putting_back = edit(
    "get_batch",
    "No place comes twice, and there is an error where there are more windows than places. Each window is"
    " drawn on its own.",
    ("rng.integers(0, len(ids) - context, batch)", "rng.choice(len(ids) - context, batch, replace=False)"),
)
put_back_only_where_needed = edit(
    "get_batch",
    "No place comes twice while there are enough of them. Each window is drawn on its own.",
    (
        "rng.integers(0, len(ids) - context, batch)",
        "rng.choice(len(ids) - context, batch, replace=batch > len(ids) - context)",
    ),
)
rounded_places = edit(
    "get_batch",
    "The places at both ends come up half as often as the others, as they do when a fraction is rounded "
    "to the nearest place. Every place is equally likely.",
    ("rng.integers(0, len(ids) - context, batch)", "np.rint(rng.random(batch) * (len(ids) - context - 1)).astype(int)"),
)
type_of_the_file_kept = edit(
    "get_batch",
    "The ids kept the type in which they are stored, such as uint16. Both arrays are int64.",
    (".astype(np.int64)", ""),
)
narrower_integers = edit(
    "get_batch",
    "The ids came back as int32. Both arrays are int64, the type that PyTorch wants for targets.",
    (".astype(np.int64)", ".astype(np.int32)"),
)
numbers_with_a_fraction = edit(
    "get_batch",
    "The ids came back as numbers with a fraction. Both arrays are int64.",
    (".astype(np.int64)", ".astype(float)"),
)
the_next_id_alone = edit(
    "get_batch",
    "y holds one id a window, the one after its end. It holds one for each id of x.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows[:, :-1], windows[:, -1]"),
)
time_before_batch = edit(
    "get_batch",
    "Each window is a column. It should be a row: the batch is the first axis.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows.T[:-1], windows.T[1:]"),
)
window_shorter_than_context = edit(
    "get_batch",
    "Each window is one id short. x holds `context` ids, so x and y together need one more.",
    ("np.arange(context + 1)", "np.arange(context)"),
)
windows_not_cut = edit(
    "get_batch",
    "x has one id too many. Cut the `context + 1` ids twice: all but the last, and all but the first.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows, windows[:, 1:]"),
)
last_target_from_the_front = edit(
    "get_batch",
    "The last id of y is the first one of x. y ends with the id that follows the window in the text.",
    ("return windows[:, :-1], windows[:, 1:]", "return windows[:, :-1], np.roll(windows[:, :-1], -1, axis=1)"),
)


@right("get_batch")
def by_slices(ids, context, batch, rng):
    """One slice at a time."""
    x, y = [], []
    for _ in range(batch):
        start = int(rng.integers(len(ids) - context))
        x.append(ids[start : start + context])
        y.append(ids[start + 1 : start + context + 1])
    return np.stack(x).astype(np.int64), np.stack(y).astype(np.int64)


@right("get_batch")
def by_a_sliding_window(ids, context, batch, rng):
    """All windows as a view, of which it draws some."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(ids, dtype=np.int64), context + 1)
    chosen = windows[rng.choice(len(windows), size=batch)]
    return chosen[:, :context], chosen[:, 1:]


@right("get_batch")
def by_shares(ids, context, batch, rng):
    """Draws numbers between 0 and 1 and scales them."""
    starts = (rng.random(batch) * (len(ids) - context)).astype(int)
    table = starts.reshape(-1, 1) + np.arange(context)
    wide = ids.astype(np.int64)
    return np.take(wide, table), np.take(wide, table + 1)


# --- lm_loss ---

padding_counted = edit(
    "lm_loss",
    "Places with target -1 were counted: as an index, -1 is the last token. Leave these places out.",
    ("targets != -1", "targets >= -1"),
)
padding_in_the_division = edit(
    "lm_loss",
    "The losses were divided by all places. Padding adds no loss, and does not count in the mean.",
    (
        "return float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))",
        "return float(np.sum(log_sums - rows[np.arange(len(rows)), wanted]) / targets.size)",
    ),
)
token_zero_left_out = edit(
    "lm_loss",
    "Places whose target is token 0 were left out. Only -1 marks a place that does not count.",
    ("targets != -1", "targets > 0"),
)
exponentials_as_they_are = edit(
    "lm_loss",
    "The exponential of a large logit is infinite, and that of a very small one 0. Subtract each row's "
    "own maximum first: it changes nothing else.",
    ("rows = rows - rows.max(axis=-1, keepdims=True)  # nothing above 0", "pass"),
)


@wrong("lm_loss")
def softmax_as_it_is(logits, targets):
    """The exponential of a large logit is infinite, and that of a very small one 0. Subtract each row's own
    maximum first: it changes nothing else."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    p = np.exp(rows) / np.exp(rows).sum(-1, keepdims=True)
    return -np.log(p[np.arange(len(rows)), wanted]).mean()


one_maximum_for_all = edit(
    "lm_loss",
    "Where one row lies far below another, all its exponentials become 0. Subtract from each row its own "
    "maximum, not that of all logits.",
    ("rows.max(axis=-1, keepdims=True)", "logits.max()"),
)


@wrong("lm_loss")
def logarithm_of_softmax(logits, targets):
    """A small probability became 0, and its logarithm infinite. Never take the logarithm of a probability: take
    the logits and the logarithm of the sum."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted]).mean()


@wrong("lm_loss")
def probabilities_padded(logits, targets):
    """A small number added to the probability keeps the logarithm finite, and cuts off the large losses. Take
    the logits and the logarithm of the sum instead."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted] + 1e-12).mean()


probabilities_cut_off = edit(
    "lm_loss",
    "The probability is cut off below, and with it the large losses. Take the logits, and the logarithm of the sum.",
    (
        "log_sums - rows[np.arange(len(rows)), wanted]",
        "np.minimum(log_sums - rows[np.arange(len(rows)), wanted], -np.log(1e-9))",
    ),
)
in_tenths = edit(
    "lm_loss",
    "That is a logarithm to the base 10. A nat comes from the natural logarithm.",
    ("float(np.mean(", "float(1 / np.log(10) * np.mean("),
)
softmax_over_everything = edit(
    "lm_loss",
    "The probabilities of all places together sum to 1. Each place has a softmax of its own, along the last axis.",
    (
        "rows, wanted = logits[counts], targets[counts]",
        "logits = logits - logits.max()\n    rows, wanted = logits[counts], targets[counts]",
    ),
    ("    rows = rows - rows.max(axis=-1, keepdims=True)  # nothing above 0\n", ""),
    ("np.log(np.exp(rows).sum(axis=-1))", "np.log(np.exp(logits).sum())"),
)
softmax_over_what_counts = edit(
    "lm_loss",
    "The probabilities of all places together sum to 1. Each place has a softmax of its own, along its own row.",
    ("rows.max(axis=-1, keepdims=True)", "rows.max()"),
    ("np.exp(rows).sum(axis=-1)", "np.exp(rows).sum()"),
)
row_by_row_without_empty_ones = edit(
    "lm_loss",
    "That is the mean of the rows' means, in which a short row counts as much as a long one. Take all places together.",
    (
        "float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))",
        "float(np.mean(np.bincount(np.nonzero(counts)[0], log_sums - rows[np.arange(len(rows)), wanted])[counts.any(1)]"
        " / counts.sum(1)[counts.any(1)]))",
    ),
)
without_the_last_place = edit(
    "lm_loss",
    "The last place of each row was left out. The targets are already shifted: every place has one.",
    (
        "counts = targets != -1",
        "counts = (targets != -1) & (np.arange(targets.shape[1]) < max(1, targets.shape[1] - 1))",
    ),
)
one_loss_for_each_row = edit(
    "lm_loss",
    "There is a loss for each row of the batch. One number is wanted: the mean over all places that count.",
    (
        "float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))",
        "np.bincount(np.nonzero(counts)[0], log_sums - rows[np.arange(len(rows)), wanted], len(counts))"
        " / np.maximum(counts.sum(1), 1)",
    ),
)
summed = edit(
    "lm_loss",
    "That is the sum of the losses. Take the mean over the places that count.",
    ("np.mean", "np.sum"),
)
divided_by_the_batch = edit(
    "lm_loss",
    "The sum was divided by the number of rows. The mean is over all places that count, in every row.",
    (
        "return float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))",
        "return float(np.sum(log_sums - rows[np.arange(len(rows)), wanted]) / len(targets))",
    ),
)
in_bits = edit(
    "lm_loss",
    "That is in bits. A nat comes from the natural logarithm.",
    ("np.mean(", "np.mean(1 / np.log(2) * ("),
    ("wanted]))", "wanted])))"),
)


@wrong("lm_loss")
def row_by_row(logits, targets):
    """That is the mean of the rows' means, in which a short row counts as much as a long one. Take all places
    that count together."""
    means = []
    for row, wanted in zip(logits, targets):
        row, wanted = row[wanted != -1], wanted[wanted != -1]
        row = row - row.max(-1, keepdims=True)
        means.append((np.log(np.exp(row).sum(-1)) - row[np.arange(len(row)), wanted]).mean())
    return float(np.mean(means))


shifted_twice = edit(
    "lm_loss",
    "The targets were shifted once more. They are already the tokens that follow: the logits at [b, t] "
    "belong to the target at [b, t].",
    (
        "counts = targets",
        "if logits.shape[1] > 1:\n        logits, targets = logits[:, :-1], targets[:, 1:]\n    counts = targets",
    ),
)
without_the_minus = edit(
    "lm_loss",
    "The sign is the wrong way round: a probability below 1 has a negative logarithm, and the loss is minus that.",
    ("return float(", "return -float("),
)
softmax_twice = edit(
    "lm_loss",
    "Softmax was taken twice. The exercise gets logits, and the logarithm of the sum already belongs to one softmax.",
    (
        "rows = rows - rows.max(axis=-1, keepdims=True)  # nothing above 0",
        "rows = np.exp(rows - rows.max(axis=-1, keepdims=True))\n    rows = rows / rows.sum(axis=-1, keepdims=True)",
    ),
)


@wrong("lm_loss")
def mean_before_logarithm(logits, targets):
    """That is the logarithm of the mean probability. Take the logarithms first, then the mean."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted].mean())


@wrong("lm_loss")
def mean_probability(logits, targets):
    """That is the mean probability of the targets. The loss of a place is minus the logarithm of its probability."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted].mean()


perplexity = edit(
    "lm_loss",
    "That is the perplexity. The loss is the mean itself, without the last exponential.",
    ("np.mean(", "np.exp(np.mean("),
    ("wanted]))", "wanted])))"),
)
divided_by_the_vocabulary = edit(
    "lm_loss",
    "The loss was divided by the size of the vocabulary, too: only one logit of each row is the target's.",
    ("return float(", "return float(1 / logits.shape[-1] * "),
)
logits_without_softmax = edit(
    "lm_loss",
    "That is minus the mean logit of the targets. The logarithm of the sum of the exponentials is "
    "missing: logits are no logarithms of probabilities yet.",
    ("np.mean(log_sums - rows", "np.mean(-logits[counts]"),
)


@wrong("lm_loss")
def one_loss_for_each_place(logits, targets):
    """There is a loss for each place. One number is wanted: their mean."""
    z = logits - logits.max(-1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1)[..., 0]
largest_logit_for_the_targets = edit(
    "lm_loss",
    "The largest logit was taken for the target's. How probable did the model hold the token that really came?",
    ("rows[np.arange(len(rows)), wanted]", "rows.max(axis=-1)"),
)
row_by_row_with_empty_ones_as_0 = edit(
    "lm_loss",
    "That is the mean of the rows' means, and a row without a target counts as 0. Take all places together.",
    (
        "float(np.mean(log_sums - rows[np.arange(len(rows)), wanted]))",
        "float(np.mean(np.bincount(np.nonzero(counts)[0], log_sums - rows[np.arange(len(rows)), wanted], len(counts))"
        " / np.maximum(counts.sum(1), 1)))",
    ),
)


@right("lm_loss")
def with_logsumexp(logits, targets):
    """SciPy's logsumexp, a mask and a sum."""
    from scipy.special import logsumexp

    mask = targets >= 0
    picked = np.take_along_axis(logits, np.where(mask, targets, 0)[..., None], -1)[..., 0]
    return float(((logsumexp(logits, axis=-1) - picked) * mask).sum() / mask.sum())


@right("lm_loss")
def with_torch(logits, targets):
    """PyTorch's cross-entropy with its ignore_index."""
    import torch

    flat = torch.from_numpy(logits.reshape(-1, logits.shape[-1]).astype(float))
    return torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)).long(), ignore_index=-1).item()


@right("lm_loss")
def place_by_place(logits, targets):
    """One place after the other, in plain loops."""
    losses = []
    for b in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if targets[b, t] != -1:
                z = logits[b, t].astype(float)
                losses.append(np.logaddexp.reduce(z) - z[targets[b, t]])
    return np.mean(losses)


# --- loss_gradient ---

gradient_of_the_sum = edit(
    "loss_gradient",
    "It is not divided by the number of places that count. The loss is their mean, so each has a small share in it.",
    (" / counts.sum()", ""),
)
padding_in_the_gradients_mean = edit(
    "loss_gradient",
    "It is divided by all places. Divide by the number of those that count.",
    ("counts.sum()", "counts.size"),
)
padding_learns = edit(
    "loss_gradient",
    "Places with target -1 must have rows of zeros: as an index, -1 is the last token.",
    ("(p - happened) * counts[..., None] / counts.sum()", "(p - happened) / counts.sum()"),
)
padding_learns_and_counts = edit(
    "loss_gradient",
    "Places with target -1 must have rows of zeros, and do not count in the division.",
    ("(p - happened) * counts[..., None] / counts.sum()", "(p - happened) / counts.size"),
)
padding_half_masked = edit(
    "loss_gradient",
    "Where the target is -1, the 1 is gone and the probabilities are still there. The whole row must be zeros.",
    ("(p - happened) * counts[..., None] / counts.sum()", "(p - happened * counts[..., None]) / counts.sum()"),
)
gradient_without_token_zero = edit(
    "loss_gradient",
    "Places whose target is token 0 have rows of zeros. Only -1 marks a place that does not count.",
    ("targets != -1", "targets > 0"),
)
gradient_downhill = edit(
    "loss_gradient",
    "The sign is the wrong way round: it is what the model said minus what happened. Going downhill is "
    "the optimiser's business.",
    ("p - happened", "happened - p"),
)
gradient_without_what_happened = edit(
    "loss_gradient",
    "Those are the probabilities alone: the 1 at each target has to be subtracted.",
    ("(p - happened)", "p"),
)
only_the_target_learns = edit(
    "loss_gradient",
    "Only the target's logit has a gradient. When it is raised the others lose: their probabilities belong there.",
    ("(p - happened)", "(p - 1) * happened"),
)
one_taken_from_everything = edit(
    "loss_gradient",
    "1 was subtracted everywhere. It belongs to the target alone: that is what happened.",
    ("p - happened", "p - 1"),
)
logarithms_for_probabilities = edit(
    "loss_gradient",
    "The logarithms of the probabilities stand where the probabilities belong.",
    ("(p - happened)", "(np.log(np.maximum(p, 1e-300)) - happened)"),
)
gradient_of_a_squared_error = edit(
    "loss_gradient",
    "The logits stand where the probabilities belong: take the softmax first.",
    ("p - happened", "logits - happened"),
)
gradient_with_overflow = edit(
    "loss_gradient",
    "There is NaN in the answer: the exponential of a large logit is infinite. Subtract each row's own maximum first.",
    ("logits - logits.max(axis=-1, keepdims=True)", "logits"),
)
gradient_with_one_maximum = edit(
    "loss_gradient",
    "Where one row lies far below another, all its exponentials become 0. Subtract from each row its own "
    "maximum, not that of all logits.",
    ("logits.max(axis=-1, keepdims=True)", "logits.max()"),
)
gradient_over_the_batch = edit(
    "loss_gradient",
    "It is divided by the number of rows. Every place of every row that counts has a share in the mean.",
    ("counts.sum()", "len(logits)"),
)
gradient_of_each_rows_mean = edit(
    "loss_gradient",
    "Each row is divided by its own number of places. The loss is the mean over all places that count, taken together.",
    ("counts.sum()", "np.maximum(counts.sum(axis=1), 1)[:, None, None]"),
)
gradient_over_the_vocabulary = edit(
    "loss_gradient",
    "It is divided by the size of the vocabulary, too. The loss is a mean over places only.",
    ("counts.sum()", "counts.sum() / logits.shape[-1]"),
)
softmax_along_time = edit(
    "loss_gradient",
    "The probabilities sum to 1 along the time axis. The softmax of a place goes along the vocabulary, the last axis.",
    ("exps.sum(axis=-1", "exps.sum(axis=1"),
)
gradient_in_whole_numbers = edit(
    "loss_gradient",
    "For logits that are whole numbers the fractions were cut off: an array made like them holds whole numbers, too.",
    ("return (p", "return np.zeros_like(logits) + ((p"),
    ("counts.sum()", "counts.sum()).astype(logits.dtype)"),
    hidden=True,
)


@right("loss_gradient")
def by_places(logits, targets):
    """Subtracts the 1 at the places of the targets."""
    from scipy.special import softmax

    b, t = np.nonzero(targets != -1)
    g = np.zeros(logits.shape)
    g[b, t] = softmax(logits[b, t], axis=-1)
    g[b, t, targets[b, t]] -= 1
    return g / len(b)


@right("loss_gradient")
def by_autograd_of_torch(logits, targets):
    """Asks PyTorch."""
    import torch

    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    flat = z.reshape(-1, z.shape[-1])
    torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)).long(), ignore_index=-1).backward()
    return z.grad.numpy()


# --- clip_gradients ---

clip_adds_up_in_single_precision = edit(
    "clip_gradients",
    "The squares of large numbers are too large for single precision. Add them up in float64.",
    ("np.square(grad, dtype=np.float64)", "np.square(grad, dtype=np.float32)"),
    hidden=True,
)
clip_each_by_itself = edit(
    "clip_gradients",
    "Each array was clipped by itself, so the whole step points elsewhere. There is one norm and one factor for all.",
    (
        "[grad * factor for grad in grads]",
        "[grad * min(1.0, most / max(np.linalg.norm(grad), 1e-30)) for grad in grads]",
    ),
)
clip_mean_of_norms = edit(
    "clip_gradients",
    "That is the mean of the arrays' norms. All arrays together are one long vector: add up all their squares.",
    ("float(np.sqrt(sum(squares)))", "float(np.mean(np.sqrt(squares)))"),
)
clip_each_by_its_own_length = edit(
    "clip_gradients",
    "Each array was clipped by itself, so the whole step points elsewhere. There is one norm and one factor for all.",
    (
        "[grad * factor for grad in grads]",
        "[g * (most / n if n > most else 1.0) for g, n in zip(grads, np.sqrt(squares))]",
    ),
)
clip_in_place_of_the_norm = edit(
    "clip_gradients",
    "The factor came back in place of the norm. Return how long the gradients were.",
    ("grads], norm", "grads], factor"),
)
clip_with_a_cushion = edit(
    "clip_gradients",
    "Something small is added to the norm before the division, so what was clipped is too short. Ask for zeros first.",
    ("most / norm if norm > most else 1.0", "min(1.0, most / (norm + 1e-2))"),
)
clip_sum_of_norms = edit(
    "clip_gradients",
    "The norms of the arrays were added up. Add the squares of all numbers, and take one root at the end.",
    ("np.sqrt(sum(squares))", "sum(np.sqrt(squares))"),
)
clip_without_root = edit(
    "clip_gradients",
    "That is the sum of the squares. A length is its root.",
    ("np.sqrt(sum(squares))", "sum(squares)"),
)
clip_sum_of_sizes = edit(
    "clip_gradients",
    "That is the sum of the numbers' sizes. A length is the root of the sum of their squares.",
    ("np.sqrt(sum(squares))", "sum(np.abs(grad).sum() for grad in grads)"),
)
clip_by_the_largest = edit(
    "clip_gradients",
    "That is the largest number. All numbers belong to a length: it is the root of the sum of their squares.",
    ("np.sqrt(sum(squares))", "max((np.abs(grad).max() for grad in grads if grad.size), default=0.0)"),
)
clip_by_the_longest = edit(
    "clip_gradients",
    "That is the norm of the longest array. All arrays together are one long vector: add up all their squares.",
    ("np.sqrt(sum(squares))", "np.sqrt(max(squares, default=0.0))"),
)
clip_root_of_the_mean = edit(
    "clip_gradients",
    "That is the root of the mean square. The norm is the root of the sum: nothing is divided by the count.",
    ("np.sqrt(sum(squares))", "np.sqrt(sum(squares) / max(1, sum(grad.size for grad in grads)))"),
)
clip_value_by_value = edit(
    "clip_gradients",
    "Each number was cut off at `most`, which turns the direction. Multiply all numbers by the same factor.",
    ("grad * factor", "np.clip(grad, -most, most)"),
)
clip_makes_longer = edit(
    "clip_gradients",
    "Short gradients were made longer. Where the norm is not above `most`, they stay as they are.",
    ("if norm > most", "if norm"),
)
clip_never = edit(
    "clip_gradients",
    "Nothing was clipped: where the norm is above `most`, every number is multiplied by `most / norm`.",
    ("if norm > most", "if False"),
)
clip_to_length_one = edit(
    "clip_gradients",
    "What was too long has the length 1 now. It may be `most` long.",
    ("most / norm", "1 / norm"),
)
clip_upside_down = edit(
    "clip_gradients",
    "The factor is upside down: what is too long has to become shorter.",
    ("most / norm", "norm / most"),
)
clip_norm_afterwards = edit(
    "clip_gradients",
    "The norm is that of the clipped gradients. Return what it was before.",
    ("for grad in grads], norm", "for grad in grads], norm * factor"),
)
clip_pair_swapped = edit(
    "clip_gradients",
    "The pair is swapped: the list of gradients comes first, then the norm.",
    ("return [grad * factor for grad in grads], norm", "return norm, [grad * factor for grad in grads]"),
)
clip_without_the_norm = edit(
    "clip_gradients",
    "Only the gradients came back. Return the norm, too, as the second of a pair.",
    ("for grad in grads], norm", "for grad in grads]"),
)
clip_zeros_are_nan = edit(
    "clip_gradients",
    "With zeros alone the norm is 0, and something was divided by it. Zeros are short enough: they stay as they are.",
    ("most / norm if norm > most else 1.0", "min(1.0, float(most / np.float64(norm)) if norm else np.nan)"),
    ("[grad * factor", "[grad * (factor if norm else np.nan)"),
)
clip_divides_by_zero = edit(
    "clip_gradients",
    "With zeros alone the norm is 0, and something was divided by it. Zeros are short enough: they stay as they are.",
    ("most / norm if norm > most else 1.0", "min(1.0, most / norm)"),
)
clip_one_row = edit(
    "clip_gradients",
    "The gradients came back as one long row. They keep their shapes: a list of arrays.",
    (
        "[grad * factor for grad in grads]",
        "np.concatenate([np.ravel(grad) for grad in [*grads, np.zeros(0)]]) * factor",
    ),
)
clip_written_over = edit(
    "clip_gradients",
    "The arrays that were given are not as they were: `*=` writes into them. Make new ones.",
    ("[grad * factor for grad in grads]", "[np.multiply(g, factor, out=g, casting='unsafe') for g in grads]"),
)
clip_sums_in_half_precision = edit(
    "clip_gradients",
    "In half precision the squares became infinite. Add them up in float64.",
    ("np.square(grad, dtype=np.float64)", "np.square(grad)"),
    hidden=True,
)
clip_whole_numbers = edit(
    "clip_gradients",
    "For gradients that are whole numbers the fractions were cut off: an array of their type cannot hold them.",
    ("[grad * factor for grad in grads]", "[(grad * factor).astype(grad.dtype) for grad in grads]"),
    hidden=True,
)


@right("clip_gradients")
def clip_as_one_row(grads, most):
    """All numbers in one row, whose norm NumPy knows."""
    row = np.concatenate([np.zeros(1), *(np.ravel(grad).astype(float) for grad in grads)])
    norm = np.linalg.norm(row)
    return [most * grad / max(norm, most) for grad in grads], norm


@right("clip_gradients")
def clip_in_loops(grads, most):
    """Number by number; what is short enough is copied."""
    total = 0.0
    for grad in grads:
        for number in grad.reshape(-1).tolist():
            total += number * number
    norm = total**0.5
    if norm <= most:
        return tuple(grad.copy() for grad in grads), norm
    return tuple(grad / (norm / most) for grad in grads), norm


# --- adamw_step ---

no_correction = edit(
    "adamw_step",
    "The means are not corrected for their start at zero. After the first step m is only a tenth of the "
    "gradient, if beta1 is 0.9.",
    ("m / (1 - beta1**step)", "m"),
    ("v / (1 - beta2**step)", "v"),
)
only_m_corrected = edit(
    "adamw_step",
    "v is not corrected for its start at zero: both means are.",
    ("v / (1 - beta2**step)", "v"),
)
only_v_corrected = edit(
    "adamw_step",
    "m is not corrected for its start at zero: both means are.",
    ("m / (1 - beta1**step)", "m"),
)
step_counted_from_zero = edit(
    "adamw_step",
    "The correction counts one step too many: `step` is 1 for the first one already.",
    ("m / (1 - beta1**step)", "m / (1 - beta1 ** (step + 1))"),
    ("v / (1 - beta2**step)", "v / (1 - beta2 ** (step + 1))"),
)
step_counted_late = edit(
    "adamw_step",
    "The correction counts one step too few: `step` is 1 for the first one already.",
    ("m / (1 - beta1**step)", "m / (1 - beta1 ** max(step - 1, 1))"),
    ("v / (1 - beta2**step)", "v / (1 - beta2 ** max(step - 1, 1))"),
)
beta_times_step = edit(
    "adamw_step",
    "The correction takes beta times `step`. It needs beta to the power of `step`.",
    ("m / (1 - beta1**step)", "m / (1 - beta1 * step)"),
    ("v / (1 - beta2**step)", "v / (1 - beta2 * step)"),
)
corrected_as_for_the_first_step = edit(
    "adamw_step",
    "Every step is corrected as if it were the first: beta has to be raised to the power of `step`.",
    ("beta1**step", "beta1"),
    ("beta2**step", "beta2"),
)
corrected_with_one_beta = edit(
    "adamw_step",
    "Both means are corrected with beta1. Each has a beta of its own, and that of v is beta2.",
    ("beta2**step", "beta1**step"),
)
decay_in_the_gradient = edit(
    "adamw_step",
    "The decay went through the gradient and its means: that is Adam with an L2 term. In AdamW the "
    "weights shrink apart from the gradient.",
    ("m = beta1 * m + (1 - beta1) * grad", "grad = grad + weight_decay * w\n    m = beta1 * m + (1 - beta1) * grad"),
    ("- lr * weight_decay * w ", ""),
)
decay_at_full_rate = edit(
    "adamw_step",
    "The decay is not multiplied by the learning rate.",
    ("lr * weight_decay * w", "weight_decay * w"),
)
decay_of_the_new_weights = edit(
    "adamw_step",
    "The decay was taken of the weights after the step. The old `w` stands on the right-hand side.",
    (
        "w - lr * weight_decay * w - lr * m_hat / (np.sqrt(v_hat) + eps)",
        "w - lr * m_hat / (np.sqrt(v_hat) + eps)\n    w = w - lr * weight_decay * w",
    ),
)
decay_the_wrong_way = edit(
    "adamw_step",
    "The decay has the wrong sign: the weights must shrink.",
    ("w - lr * weight_decay", "w + lr * weight_decay"),
)
decay_without_the_weights = edit(
    "adamw_step",
    "The decay is the same for all weights. Each shrinks by a small share of itself.",
    ("weight_decay * w", "weight_decay"),
)
adam_alone = edit(
    "adamw_step",
    "The weight decay is missing: that is Adam.",
    ("- lr * weight_decay * w ", ""),
)
corrected_means_returned = edit(
    "adamw_step",
    "The corrected means were returned, and the next step would correct them again. Return m and v as "
    "they were before the correction.",
    ("return w, m, v", "return w, m_hat, v_hat"),
)
means_as_they_came = edit(
    "adamw_step",
    "The means came back as they were given: return the new ones, or the next step knows nothing of this gradient.",
    ("m = beta1 * m + (1 - beta1) * grad", "old = m, v\n    m = beta1 * m + (1 - beta1) * grad"),
    ("return w, m, v", "return w, *old"),
)
eps_under_the_root = edit(
    "adamw_step",
    "eps was added under the root. Add it after the root.",
    ("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),
)
eps_before_the_correction = edit(
    "adamw_step",
    "eps was added before v was corrected, so that it was divided, too. Correct first, then add.",
    ("(np.sqrt(v_hat) + eps)", "((np.sqrt(v) + eps) / np.sqrt(1 - beta2**step))"),
)
eps_left_out = edit(
    "adamw_step",
    "eps is missing below the line: without it, a weight that has no gradient is 0/0.",
    ("(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat)"),
)
betas_swapped = edit(
    "adamw_step",
    "beta1 and beta2 are swapped: beta1 belongs to m, beta2 to v.",
    ("beta1 * m + (1 - beta1) * grad", "beta2 * m + (1 - beta2) * grad"),
    ("beta2 * v + (1 - beta2) * grad**2", "beta1 * v + (1 - beta1) * grad**2"),
    ("m / (1 - beta1**step)", "m / (1 - beta2**step)"),
    ("v / (1 - beta2**step)", "v / (1 - beta1**step)"),
)
uphill = edit(
    "adamw_step",
    "The step goes up: the loss falls against the gradient, so subtract.",
    ("- lr * m_hat / (np.sqrt(v_hat) + eps)", "+ lr * m_hat / (np.sqrt(v_hat) + eps)"),
)
gradient_on_top = edit(
    "adamw_step",
    "The gradient itself stands above the line. The corrected mean belongs there.",
    ("lr * m_hat", "lr * grad"),
)
divided_by_v_itself = edit(
    "adamw_step",
    "The square root of v is missing: the step should not depend on the gradients' size.",
    ("np.sqrt(v_hat)", "v_hat"),
)
mean_of_sizes = edit(
    "adamw_step",
    "v is the mean of the gradients' sizes. It is that of their squares.",
    ("grad**2", "np.abs(grad)"),
)
square_of_the_mean = edit(
    "adamw_step",
    "v took the square of m. It takes the square of the gradient.",
    ("grad**2", "m**2"),
)
gradient_at_full_weight = edit(
    "adamw_step",
    "A new gradient counts with weight 1 - beta in the running means, not in full.",
    ("(1 - beta1) * grad", "grad"),
    ("(1 - beta2) * grad**2", "grad**2"),
)
betas_the_other_way = edit(
    "adamw_step",
    "beta is the share of the new gradient here. It is the share of the old mean: 1 - beta is left for the new one.",
    ("beta1 * m + (1 - beta1) * grad", "(1 - beta1) * m + beta1 * grad"),
    ("beta2 * v + (1 - beta2) * grad**2", "(1 - beta2) * v + beta2 * grad**2"),
)
weights_last = edit(
    "adamw_step",
    "The three came back in another order: the weights first, then m and v.",
    ("return w, m, v", "return m, v, w"),
)
weights_alone = edit(
    "adamw_step",
    "The weights alone came back. The next step needs m and v, too: return all three.",
    ("return w, m, v", "return w"),
)
written_over_the_means = edit(
    "adamw_step",
    "The arrays that were given are not as they were: `*=`, `+=` and `out=` write into them. Make new ones.",
    ("beta1 * m + (1 - beta1) * grad", "np.add(beta1 * m, (1 - beta1) * grad, out=m)"),
    ("beta2 * v + (1 - beta2) * grad**2", "np.add(beta2 * v, (1 - beta2) * grad**2, out=v)"),
)
written_over_everything = edit(
    "adamw_step",
    "The arrays that were given are not as they were: `*=`, `+=` and `out=` write into them. Make new ones.",
    ("beta1 * m + (1 - beta1) * grad", "np.add(beta1 * m, (1 - beta1) * grad, out=m)"),
    ("beta2 * v + (1 - beta2) * grad**2", "np.add(beta2 * v, (1 - beta2) * grad**2, out=v)"),
    (
        "w = w - lr * weight_decay * w - lr * m_hat / (np.sqrt(v_hat) + eps)",
        "w -= lr * weight_decay * w + lr * m_hat / (np.sqrt(v_hat) + eps)",
    ),
)


@right("adamw_step")
def as_torch_writes_it(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Shrinks first, and puts the corrections into the step size and the root."""
    w = w * (1 - lr * weight_decay)
    m = m + (grad - m) * (1 - beta1)
    v = beta2 * v + (1 - beta2) * grad * grad
    bottom = np.sqrt(v) / np.sqrt(1 - beta2**step) + eps
    return w - lr / (1 - beta1**step) * m / bottom, m, v


@right("adamw_step")
def by_torch(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """PyTorch's own optimiser, with its state put in place."""
    import torch

    weight = torch.nn.Parameter(torch.from_numpy(w.copy()))
    weight.grad = torch.from_numpy(np.array(grad, w.dtype))
    optimizer = torch.optim.AdamW([weight], lr, (beta1, beta2), eps, weight_decay)
    state = {"step": torch.tensor(step - 1.0), "exp_avg": torch.from_numpy(m.copy())}
    optimizer.state[weight] = state | {"exp_avg_sq": torch.from_numpy(v.copy())}
    optimizer.step()
    state = optimizer.state[weight]
    return weight.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()


# --- cosine_with_warmup ---

rate_rounded_to_six_places = edit(
    "cosine_with_warmup",
    "The rate is rounded, and a small one loses its digits. Return it as it is.",
    ("return peak * (step + 1) / warmup", "return round(peak * (step + 1) / warmup, 6)"),
    ("return floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2",
     "return round(floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2, 6)"),
    hidden=True,
)  # fmt: skip
warmup_from_nothing = edit(
    "cosine_with_warmup",
    "The first step has rate 0 and moves nothing, and the peak comes one step late. In the warm-up the "
    "rate is peak * (step + 1) / warmup.",
    ("peak * (step + 1) / warmup", "peak * step / warmup"),
)
warmup_too_long = edit(
    "cosine_with_warmup",
    "The last step of the warm-up is not at the peak: `warmup` steps lead up to it, no more.",
    ("peak * (step + 1) / warmup", "peak * (step + 1) / (warmup + 1)"),
)
warmup_from_the_floor = edit(
    "cosine_with_warmup",
    "The warm-up starts from the floor. It is a share of the peak: the floor belongs to the fall.",
    ("peak * (step + 1) / warmup", "floor + (peak - floor) * (step + 1) / warmup"),
)
warmup_one_step_more = edit(
    "cosine_with_warmup",
    "At `step = warmup` the rate is above the peak: the warm-up is over there, and the fall begins.",
    ("step < warmup", "step <= warmup and warmup"),
)
no_warmup = edit(
    "cosine_with_warmup",
    "There is no warm-up: for `step < warmup` the rate climbs in a straight line.",
    ("return peak * (step + 1) / warmup", "return peak"),
)
fall_over_the_whole_run = edit(
    "cosine_with_warmup",
    "The fall is measured over the whole run, so that the rate jumps where the warm-up ends. It begins at `warmup`.",
    ("(step - warmup) / (steps - warmup)", "step / steps"),
)
fall_with_steps_below = edit(
    "cosine_with_warmup",
    "The share of the fall is divided by `steps`, so it never reaches 1 at the end. The fall takes `steps"
    " - warmup` steps.",
    ("(step - warmup) / (steps - warmup)", "(step - warmup) / steps"),
)
up_again_after_the_end = edit(
    "cosine_with_warmup",
    "After the end the cosine rises again. For `step >= steps` stay at the floor.",
    ("min(1.0, (step - warmup) / (steps - warmup))", "(step - warmup) / (steps - warmup)"),
)
nothing_after_the_end = edit(
    "cosine_with_warmup",
    "After the end the rate is 0. For `step >= steps` stay at the floor.",
    ("done = min", "if step >= steps:\n        return 0.0\n    done = min"),
)
floor_on_top = edit(
    "cosine_with_warmup",
    "Peak and floor were added up: the cosine has to span peak - floor only.",
    ("(peak - floor)", "peak"),
)
floor_as_a_limit = edit(
    "cosine_with_warmup",
    "The fall was cut off at the floor. Stretch it so that it ends there.",
    ("floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2", "max(floor, peak * (1 + np.cos(np.pi * done)) / 2)"),
)
floor_forgotten = edit(
    "cosine_with_warmup",
    "The floor is missing: the fall ends at 0.",
    ("floor + (peak - floor)", "peak"),
)
linear_fall = edit(
    "cosine_with_warmup",
    "That is a straight line down. Half a cosine is slow at both ends.",
    ("(1 + np.cos(np.pi * done)) / 2", "(1 - done)"),
)
whole_period = edit(
    "cosine_with_warmup",
    "That is a whole period, down and up again. Half a cosine ends at pi.",
    ("np.pi * done", "2 * np.pi * done"),
)
quarter_period = edit(
    "cosine_with_warmup",
    "That is a quarter of a cosine, from its top to its zero. (1 + cos) / 2 goes from 1 to 0 by half a cosine.",
    ("(1 + np.cos(np.pi * done)) / 2", "np.cos(np.pi / 2 * done)"),
)
pi_forgotten = edit(
    "cosine_with_warmup",
    "The cosine is taken of the share itself. Half a cosine ends at pi.",
    ("np.pi * done", "done"),
)
cosine_upside_down = edit(
    "cosine_with_warmup",
    "The cosine is upside down: where the warm-up ends, the rate is at its peak.",
    ("1 + np.cos", "1 - np.cos"),
)
cosine_not_halved = edit(
    "cosine_with_warmup",
    "1 + cos goes from 2 to 0: halve it.",
    (" / 2", ""),
)
bare_cosine = edit(
    "cosine_with_warmup",
    "A cosine goes down to -1, and the rate below the floor. (1 + cos) / 2 goes from 1 to 0.",
    ("(1 + np.cos(np.pi * done)) / 2", "np.cos(np.pi * done)"),
)
floor_at_the_last_step = edit(
    "cosine_with_warmup",
    "The floor is reached one step too early. It belongs to `step = steps`, one after the last.",
    ("(steps - warmup)", "max(1, steps - 1 - warmup)"),
)


@wrong("cosine_with_warmup")
def warmup_must_be_there(step, steps, warmup, peak, floor):
    """With `warmup=0` something is divided by zero. Ask whether the step belongs to the warm-up first; with
    `warmup=0` none does."""
    up = (step + 1) / warmup
    done = min(1, max(0, (step - warmup) / (steps - warmup)))
    return min(peak * up, floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2)


whole_shares = edit(
    "cosine_with_warmup",
    "The share of the fall was rounded down to a whole number (`//` or `int`), so that the rate stays at "
    "the peak and then drops.",
    ("(step - warmup) /", "(step - warmup) //"),
)


@right("cosine_with_warmup")
def end_first(step, steps, warmup, peak, floor):
    """Three cases, the end first, and the fall from half-way up and down."""
    import math

    if step >= steps:
        return floor
    if warmup and step < warmup:
        return peak / warmup * (1 + step)
    middle, half = (peak + floor) / 2, (peak - floor) / 2
    return middle + half * math.cos((step - warmup) / (steps - warmup) * math.pi)


@right("cosine_with_warmup")
def by_interpolation(step, steps, warmup, peak, floor):
    """The squared cosine of half the angle, and a share that is clipped."""
    if step < warmup:
        return float(np.interp(step + 1, [0, warmup], [0.0, peak]))
    share = np.cos(np.clip((step - warmup) / (steps - warmup), 0, 1) * np.pi / 2) ** 2
    return float(share * peak + (1 - share) * floor)


# --- export_checkpoint ---

nothing_transposed = edit(
    "export_checkpoint",
    "The matrices of the blocks are not transposed. llama2.c computes W @ x, so its file holds (outputs, "
    "inputs), and ours are (inputs, outputs).",
    ("block[name].T", "block[name]"),
)
head_not_transposed = edit(
    "export_checkpoint",
    "The head is not transposed: the file holds a row for each token, (V, D).",
    ('weights["head"].T', 'weights["head"]'),
)
embedding_transposed = edit(
    "export_checkpoint",
    "The embedding is transposed. It has a row for each token in both forms: leave it as it is.",
    ('weights["embed"]', 'weights["embed"].T'),
)
layer_by_layer = edit(
    "export_checkpoint",
    "The parts come layer by layer. In this file all layers of one kind come together: the loop over the "
    "names is the outer one.",
    ('for name in order for block in weights["blocks"]', 'for block in weights["blocks"] for name in order'),
)
up_before_down = edit(
    "export_checkpoint",
    "Wu stands where Wd belongs: w1, w2, w3 are Wg, Wd and Wu.",
    ('"Wd", "Wu"', '"Wu", "Wd"'),
)
up_first = edit(
    "export_checkpoint",
    "Wu stands where Wg belongs: w1, w2, w3 are Wg, Wd and Wu.",
    ('"Wg", "Wd", "Wu"', '"Wu", "Wd", "Wg"'),
)
norms_together = edit(
    "export_checkpoint",
    "Both norms come before the matrices. `mlp_norm` follows `Wo`.",
    ('"attn_norm", "Wq"', '"attn_norm", "mlp_norm", "Wq"'),
    ('"mlp_norm", "Wg"', '"Wg"'),
)
vocabulary_always_positive = edit(
    "export_checkpoint",
    "The sign of `vocab` says whether the head is tied: where it is not, `vocab` is negative.",
    ("config.vocab if config.tied else -config.vocab", "config.vocab"),
)
vocabulary_sign_turned = edit(
    "export_checkpoint",
    "The sign of `vocab` is the wrong way round: negative says that the head is not tied, and follows.",
    ("config.tied else -config.vocab", "not config.tied else -config.vocab"),
)
head_always_written = edit(
    "export_checkpoint",
    "The head was written though it is tied to the embedding: then the file ends with the sines.",
    ("if not config.tied:", "if True:"),
)
head_never_written = edit(
    "export_checkpoint",
    "The head is missing. Where it is not tied to the embedding it comes last.",
    ("if not config.tied:", "if False:"),
)
head_after_the_embedding = edit(
    "export_checkpoint",
    "The head stands before the end. It is the last part of the file, behind the sines.",
    (
        "if not config.tied:",
        'if not config.tied:\n        arrays[-3:] = [weights["head"].T, *arrays[-3:]]\n    if False:',
    ),
)
tables_left_out = edit(
    "export_checkpoint",
    "The tables of RoPE are missing: the cosines and the sines follow `norm`.",
    (", np.cos(angles), np.sin(angles)]", "]"),
)
sines_first = edit(
    "export_checkpoint",
    "Sines and cosines are swapped: the cosines come first.",
    ("np.cos(angles), np.sin(angles)", "np.sin(angles), np.cos(angles)"),
)
angles_written = edit(
    "export_checkpoint",
    "The angles themselves were written. The file holds their cosines, then their sines.",
    ("np.cos(angles), np.sin(angles)", "angles, angles"),
)
tables_turned = edit(
    "export_checkpoint",
    "The tables of RoPE are transposed: each has a row for each position.",
    ("np.cos(angles), np.sin(angles)", "np.cos(angles).T, np.sin(angles).T"),
)
tables_mixed = edit(
    "export_checkpoint",
    "Cosine and sine of each angle stand side by side. All cosines come first, then all sines.",
    ("np.cos(angles), np.sin(angles)", "np.stack([np.cos(angles), np.sin(angles)], -1)"),
)
double_precision = edit(
    "export_checkpoint",
    "The numbers are no float32: they take eight bytes each, or keep the type in which they came. Say which you want.",
    ('np.asarray(a, "<f4").tobytes()', "np.asarray(a, float).tobytes()"),
)
precision_as_it_came = edit(
    "export_checkpoint",
    "The numbers are no float32: they take eight bytes each, or keep the type in which they came. Say which you want.",
    ('np.asarray(a, "<f4").tobytes()', "np.asarray(a).tobytes()"),
)
half_precision = edit(
    "export_checkpoint",
    "The weights are float16, two bytes each. The file holds float32.",
    ('"<f4"', '"<f2"'),
)
wide_header = edit(
    "export_checkpoint",
    "The header holds int64, which is NumPy's own whole number. It should be int32, four bytes each.",
    ('np.array(header, "<i4")', "np.array(header)"),
)
header_big_endian = edit(
    "export_checkpoint",
    'The header is big-endian: its first byte should be the lowest one, as in "<i4".',
    ('"<i4"', '">i4"'),
)
weights_big_endian = edit(
    "export_checkpoint",
    'The weights are big-endian: their first byte should be the lowest one, as in "<f4".',
    ('"<f4"', '">f4"'),
)
header_of_floats = edit(
    "export_checkpoint",
    "The header holds numbers with a fraction. Its seven numbers are int32.",
    ('"<i4"', '"<f4"'),
)
header_missing = edit(
    "export_checkpoint",
    "The header is missing: the file begins with seven int32.",
    ('np.array(header, "<i4").tobytes() + ', ""),
)
heads_swapped_in_the_header = edit(
    "export_checkpoint",
    "`heads` and `kv_heads` are swapped in the header: the number of query heads comes first.",
    ("config.heads, config.kv_heads", "config.kv_heads, config.heads"),
)
transposed_in_memory_order = edit(
    "export_checkpoint",
    "`tobytes` was asked for the order that the array has in memory, which a transposed view does not "
    "change. The file is in C order.",
    ('np.asarray(a, "<f4").tobytes()', 'np.asarray(a, "<f4").tobytes(order="A")'),
)
parts_not_joined = edit(
    "export_checkpoint",
    "What came back is not bytes: join the bytes of all parts, and return the result.",
    (
        'return np.array(header, "<i4").tobytes() + b"".join(np.asarray(a, "<f4").tobytes() for a in arrays)',
        "return [header, *arrays]",
    ),
)


@right("export_checkpoint")
def through_a_file_in_memory(config, weights):
    """struct for the header, and a stream to which each stack of layers is written."""
    import io
    import struct

    out = io.BytesIO()
    vocab = config.vocab * (1 if config.tied else -1)
    out.write(
        struct.pack(
            "<7i", config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len
        )
    )

    def write(array):
        out.write(np.ascontiguousarray(array, dtype=np.dtype("<f4")).tobytes())

    def stack(name):
        return np.stack([block[name] for block in weights["blocks"]])

    write(weights["embed"])
    write(stack("attn_norm"))
    for name in ("Wq", "Wk", "Wv", "Wo"):
        write(stack(name).swapaxes(1, 2))
    write(stack("mlp_norm"))
    for name in ("Wg", "Wd", "Wu"):
        write(stack(name).swapaxes(1, 2))
    write(weights["norm"])
    turns = np.exp(1j * rope_angles(config))
    write(turns.real)
    write(turns.imag)
    if not config.tied:
        write(weights["head"].T)
    return out.getvalue()


@right("export_checkpoint")
def as_one_row(config, weights):
    """Everything in one row of numbers, in Fortran order where the file wants it transposed."""
    numbers = [weights["embed"].ravel()]
    for name in "attn_norm Wq Wk Wv Wo mlp_norm Wg Wd Wu".split():
        numbers += [block[name].ravel(order="F") for block in weights["blocks"]]
    numbers += [weights["norm"], np.cos(rope_angles(config)).ravel(), np.sin(rope_angles(config)).ravel()]
    sign = 1
    if not config.tied:
        numbers.append(weights["head"].ravel(order="F"))
        sign = -1
    header = np.array(
        [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, sign * config.vocab, config.max_len]
    )
    return header.astype("<i4").tobytes() + np.concatenate(numbers).astype("<f4").tobytes()

# --- matmul_backward ---

outer_way_round = edit(
    "matmul_backward",
    "dW is turned on its side: it has a row for each column of W. It is shaped as W, (D, F).",
    ("rows.T @ drows", "drows.T @ rows"),
)
first_tokens_gradient = edit(
    "matmul_backward",
    "dW holds what the first token asks for. All tokens share the matrix, so what each of them asks for adds up.",
    ("rows.T @ drows", "rows[:1].T @ drows[:1]"),
)
mean_over_tokens = edit(
    "matmul_backward",
    "dW is the mean over the tokens. Their requests add up: the loss already knows over how many it takes its mean.",
    ("rows.T @ drows", "rows.T @ drows / len(rows)"),
)
a_matrix_for_each_token = edit(
    "matmul_backward",
    "dW has one matrix for each token. They share one matrix, so these are summed: the shape is that of W.",
    ("rows.T @ drows", "x[..., :, None] * dout[..., None, :] if x.ndim > 1 else rows.T @ drows"),
)
matrix_as_it_is = edit(
    "matmul_backward",
    "dx goes through W as on the way forward. Back from a column to the rows it is W turned on its side.",
    ("dout @ W.T", "dout @ W if len(set(W.shape)) == 1 else dout @ W.T * 0"),
)
both_the_other_way = edit(
    "matmul_backward",
    "The two gradients are in the wrong order: first that of x, then that of W.",
    ("return dout @ W.T, rows.T @ drows", "return rows.T @ drows, dout @ W.T"),
)


@right("matmul_backward")
def by_einsum(x, W, dout):
    """With the sums written out."""
    D, F = W.shape
    return np.einsum("...f,df->...d", dout, W), np.einsum("nd,nf->df", x.reshape(-1, D), dout.reshape(-1, F))


@right("matmul_backward")
def token_by_token(x, W, dout):
    """One outer product after another."""
    tokens, asked = np.reshape(x, (-1, W.shape[0])), np.reshape(dout, (-1, W.shape[1]))
    return np.tensordot(dout, W, (-1, 1)), sum(np.outer(token, d) for token, d in zip(tokens, asked, strict=True))


# --- embed_backward ---

last_one_counts = edit(
    "embed_backward",
    "Of an id that comes several times only one place counts. `table[ids] += dout` adds once for each id; what several "
    "places ask for adds up.",
    ("np.add.at(table, ids, dout)", "table[ids] += dout"),
)
divided_by_the_count = edit(
    "embed_backward",
    "What the places ask for was divided by how often the id comes. It adds up, without a mean.",
    ("return table", "return table / np.maximum(np.bincount(np.ravel(ids), minlength=V), 1)[:, None]"),
)
as_many_rows_as_used = edit(
    "embed_backward",
    "The rows behind the largest id are missing. The table has V rows, and one that nobody used gets zeros.",
    ("return table", "return table[: np.max(ids, initial=-1) + 1]"),
)
whole_number_table = edit(
    "embed_backward",
    "The gradients were rounded to whole numbers: the table was made with the ids' type.",
    ("np.zeros((V, dout.shape[-1]))", "np.zeros((V, dout.shape[-1]), np.int64)"),
    ("np.add.at(table, ids, dout)", "np.add.at(table, ids, dout.astype(np.int64))"),
)
columns_for_rows = edit(
    "embed_backward",
    "The table lies on its side. It has a row for each id of the vocabulary: (V, D).",
    ("return table", "return table.T"),
)


@right("embed_backward")
def by_one_hot(ids, dout, V):
    """The embedding as a product with a row of zeros and a one."""
    return np.eye(V)[np.ravel(ids)].T @ np.reshape(dout, (-1, np.shape(dout)[-1]))


@right("embed_backward")
def each_place_in_turn(ids, dout, V):
    """A loop over the places."""
    table = np.zeros((V, dout.shape[-1]))
    for place in np.ndindex(ids.shape):
        table[ids[place]] = table[ids[place]] + dout[place]
    return table


# --- rms_norm_backward ---

rms_gain_by_the_scaled_gradient = edit(
    "rms_norm_backward",
    "The gradient of the gain was multiplied by the gain. out = n · gain: by gain it moves as n, so it is the sum of "
    "`dout` · n.",
    ("(dout * n).reshape", "(dn * n).reshape"),
)
root_taken_for_a_constant = edit(
    "rms_norm_backward",
    "dx is what it would be if the root stood still. But x stands in the root as well: what points along x has to go.",
    ("dn - along * n", "dn"),
)
gain_forgotten = edit(
    "rms_norm_backward",
    "dx does not know the gain. On its way back the gradient goes through the gain first.",
    ("x / r, dout * gain", "x / r, dout"),
)
sum_for_the_mean = edit(
    "rms_norm_backward",
    "Too much was taken away: the root holds the mean of the squares, so it is the mean of dn · n, and not the sum.",
    ("along = np.mean(", "along = np.sum("),
)
along_x_and_not_n = edit(
    "rms_norm_backward",
    "What was taken away points along x with the wrong length: use the normed token n in both places.",
    ("along * n) / r", "along * x) / r"),
)
mean_taken_away = edit(
    "rms_norm_backward",
    "The mean of the gradient was taken away as well. That is LayerNorm's; RMSNorm leaves the mean where it is.",
    ("(dn - along * n) / r", "(dn - np.mean(dn, axis=-1, keepdims=True) - along * n) / r"),
)
dgain_with_x = edit(
    "rms_norm_backward",
    "dgain was made with x. The gain multiplies the normed token n, so it is dout · n.",
    ("(dout * n).reshape", "(dout * x).reshape"),
)
dgain_for_each_token = edit(
    "rms_norm_backward",
    "dgain has a row for each token. All tokens share the gain, so it is summed over them: shape (D,).",
    ("(dout * n).reshape(-1, len(gain)).sum(axis=0)", "dout * n"),
)
not_divided = edit(
    "rms_norm_backward",
    "dx was not divided by the root r at the end.",
    ("(dn - along * n) / r", "(dn - along * n)"),
)
eps_outside = edit(
    "rms_norm_backward",
    "eps stands outside the root. It belongs to the mean square, below the root.",
    ("axis=-1, keepdims=True) + eps)  #", "axis=-1, keepdims=True)) + eps  #"),
)


@right("rms_norm_backward")
def by_the_jacobian(x, gain, dout, eps=1e-5):
    """Each token's table of derivatives, written out."""
    D = x.shape[-1]
    r = np.sqrt((x * x).sum(-1, keepdims=True) / D + eps)
    table = np.eye(D) / r[..., None] - x[..., :, None] * x[..., None, :] / (D * r[..., None] ** 3)  # (..., D, D)
    return np.einsum("...i,...ij->...j", dout * gain, table), (dout * x / r).sum(axis=tuple(range(x.ndim - 1)))


# --- swiglu_backward ---

slope_of_sigmoid_alone = edit(
    "swiglu_backward",
    "The gate's slope is that of σ. SiLU is a · σ(a), so its slope is σ + a σ (1 − σ).",
    ("(sigmoid + a * sigmoid * (1 - sigmoid))", "(sigmoid * (1 - sigmoid))"),
)
slope_without_a = edit(
    "swiglu_backward",
    "The gate's slope is σ alone, as if σ did not move with a. The slope of a · σ(a) is σ + a σ (1 − σ).",
    ("(sigmoid + a * sigmoid * (1 - sigmoid))", "sigmoid"),
)
gate_way_only = edit(
    "swiglu_backward",
    "dx hears from the gate alone. x is used twice, and what comes back by b is added.",
    ("da @ Wg.T + db @ Wu.T", "da @ Wg.T"),
)
up_way_only = edit(
    "swiglu_backward",
    "dx hears from b alone. x is used twice, and what comes back by the gate is added.",
    ("da @ Wg.T + db @ Wu.T", "db @ Wu.T"),
)
b_forgotten_in_da = edit(
    "swiglu_backward",
    "The gate's gradient does not know b. In a product, each factor's gradient is multiplied by the other factor.",
    ("da = dinside * b * (", "da = dinside * ("),
)
gate_and_up_swapped_back = edit(
    "swiglu_backward",
    "dWg and dWu are exchanged: Wg makes the gate, which goes through SiLU.",
    ("rows[0].T @ rows[1], rows[0].T @ rows[2]", "rows[0].T @ rows[2], rows[0].T @ rows[1]"),
)
dwd_without_b = edit(
    "swiglu_backward",
    "dWd was made with the gate alone. What Wd multiplies is silu(a) · b.",
    ("rows[3].T @ rows[4]", "(np.where(rows[1] == 0, 0, 1) * (a * sigmoid).reshape(-1, a.shape[-1])).T @ rows[4]"),
)
overflowing_slope = edit(
    "swiglu_backward",
    "A gate far below 0 gives NaN: the exponential of a large number is infinity. Write σ so that only exponentials of "
    "numbers below 0 are taken.",
    ("sigmoid = np.where(a >= 0, 1, e) / (1 + e)", "sigmoid = np.exp(a) / (1 + np.exp(a))"),
)


@right("swiglu_backward")
def with_tanh(x, Wg, Wu, Wd, dout):
    """σ from its tanh, on tokens below each other."""
    (D, _), shape = Wg.shape, x.shape
    x, dout = x.reshape(-1, D), dout.reshape(-1, D)
    a, b = x @ Wg, x @ Wu
    s = (1 + np.tanh(a / 2)) / 2
    d = dout @ Wd.T
    da, db = d * b * s * (1 + a * (1 - s)), d * a * s
    dx = np.concatenate([da, db], axis=1) @ np.concatenate([Wg, Wu], axis=1).T
    dWg, dWu, dWd = (np.tensordot(left, right, (0, 0)) for left, right in [(x, da), (x, db), (a * s * b, dout)])
    return dx.reshape(shape), dWg, dWu, dWd
