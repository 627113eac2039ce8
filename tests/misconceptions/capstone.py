"""Wrong solutions of the capstone by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import numpy as np

from autograder.course.bank import right, wrong

# get_batch


@wrong("get_batch", says="y is equal to x")
def targets_not_shifted(ids, context, batch, rng):
    """The targets are the inputs: the model learns to copy."""
    starts = rng.integers(0, len(ids) - context, batch)
    x = ids[starts[:, None] + np.arange(context)].astype(np.int64)
    return x, x.copy()


@wrong("get_batch", says="the id before each id of x")
def targets_from_the_past(ids, context, batch, rng):
    """The shift goes the wrong way."""
    starts = rng.integers(0, len(ids) - context, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, 1:], windows[:, :-1]


@wrong("get_batch", says="the last id is never predicted")
def last_place_left_out(ids, context, batch, rng):
    """One place too few: the upper end is left out twice."""
    starts = rng.integers(0, max(1, len(ids) - context - 1), batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="and nowhere else")
def one_place_too_many(ids, context, batch, rng):
    """No room is left for the id after the window."""
    starts = rng.integers(0, len(ids) - context + 1, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="is no window of the text")
def text_taken_as_a_ring(ids, context, batch, rng):
    """At the end of the text it goes on at the beginning."""
    starts = rng.integers(0, len(ids), batch)
    places = (starts[:, None] + np.arange(context)) % len(ids)
    return ids[places].astype(np.int64), ids[(places + 1) % len(ids)].astype(np.int64)


@wrong("get_batch", says="draw a start for each")
def one_start_for_all(ids, context, batch, rng):
    """Draws one start for the whole batch."""
    start = int(rng.integers(0, len(ids) - context))
    window = ids[start : start + context + 1].astype(np.int64)
    return np.tile(window[:-1], (batch, 1)), np.tile(window[1:], (batch, 1))


@wrong("get_batch", says="at multiples of the context only")
def starts_at_multiples(ids, context, batch, rng):
    """Cuts the text into pieces first, and draws from these."""
    starts = rng.integers(0, (len(ids) - 1) // context, batch) * context
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="same seed gave different")
def draws_elsewhere(ids, context, batch, rng):
    """Draws with a generator of its own, so that no run can be repeated."""
    starts = np.random.default_rng().integers(0, len(ids) - context, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="second call with the same generator")
def same_batch_every_time(ids, context, batch, rng):
    """Seeds a new generator at each call."""
    starts = np.random.default_rng(0).integers(0, len(ids) - context, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="none came twice")
def walks_through_in_order(ids, context, batch, rng):
    """Takes the windows from the beginning of the text, one after the other, the last place again and again."""
    starts = np.minimum(np.arange(batch) + int(rng.integers(0, 2)), len(ids) - context - 1)
    windows = ids[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="dtype int64")
def type_of_the_file_kept(ids, context, batch, rng):
    """Gives uint16 where the ids were stored as uint16."""
    starts = rng.integers(0, len(ids) - context, batch)
    windows = ids[starts[:, None] + np.arange(context + 1)]
    return windows[:, :-1], windows[:, 1:]


@wrong("get_batch", says="expected x of shape")
def time_before_batch(ids, context, batch, rng):
    """One column for each window."""
    starts = rng.integers(0, len(ids) - context, batch)
    windows = ids[starts + np.arange(context + 1)[:, None]].astype(np.int64)
    return windows[:-1], windows[1:]


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


# lm_loss


@wrong("lm_loss", says="-1 picked the last token")
def padding_counted(logits, targets):
    """An index of -1 is the last token, and is counted as if it had come."""
    z = logits - logits.max(-1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1).mean()


@wrong("lm_loss", says="divide by the number of places that count")
def padding_in_the_division(logits, targets):
    """Padding adds no loss, but counts in the mean."""
    z = logits - logits.max(-1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(-1, keepdims=True))
    each = -np.take_along_axis(logs, targets[..., None], -1)[..., 0]
    return np.where(targets == -1, 0, each).mean()


@wrong("lm_loss", says="overflow")
def exponentials_as_they_are(logits, targets):
    """Nothing is subtracted before the exponential."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    p = np.exp(rows) / np.exp(rows).sum(-1, keepdims=True)
    return -np.log(p[np.arange(len(rows)), wanted]).mean()


@wrong("lm_loss", says="may have become 0")
def logarithm_of_softmax(logits, targets):
    """A stable softmax, whose logarithm is not: small probabilities became 0."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted]).mean()


@wrong("lm_loss", says="expected")
def probabilities_padded(logits, targets):
    """A small number is added so that the logarithm stays finite, which cuts off the large losses."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted] + 1e-12).mean()


@wrong("lm_loss", says="that is the sum")
def summed(logits, targets):
    """Sums where it should average."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    rows = rows - rows.max(-1, keepdims=True)
    return (np.log(np.exp(rows).sum(-1)) - rows[np.arange(len(rows)), wanted]).sum()


@wrong("lm_loss", says="in bits")
def in_bits(logits, targets):
    """Takes the logarithm to base 2."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    rows = rows - rows.max(-1, keepdims=True)
    return (np.log(np.exp(rows).sum(-1)) - rows[np.arange(len(rows)), wanted]).mean() / np.log(2)


@wrong("lm_loss", says="mean of the rows' means")
def row_by_row(logits, targets):
    """Averages each row, then the rows: a short row counts as much as a long one."""
    means = []
    for row, wanted in zip(logits, targets):
        row, wanted = row[wanted != -1], wanted[wanted != -1]
        row = row - row.max(-1, keepdims=True)
        means.append((np.log(np.exp(row).sum(-1)) - row[np.arange(len(row)), wanted]).mean())
    return float(np.mean(means))


@wrong("lm_loss", says="shifted once more")
def shifted_twice(logits, targets):
    """Shifts the targets, which are shifted already."""
    if logits.shape[1] > 1:
        logits, targets = logits[:, :-1], targets[:, 1:]
    rows, wanted = logits[targets != -1], targets[targets != -1]
    rows = rows - rows.max(-1, keepdims=True)
    return (np.log(np.exp(rows).sum(-1)) - rows[np.arange(len(rows)), wanted]).mean()


@wrong("lm_loss", says="the sign is wrong")
def without_the_minus(logits, targets):
    """The mean logarithm itself, which training would lower."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    rows = rows - rows.max(-1, keepdims=True)
    return (rows[np.arange(len(rows)), wanted] - np.log(np.exp(rows).sum(-1))).mean()


@wrong("lm_loss", says="softmax was taken twice")
def softmax_twice(logits, targets):
    """Takes the softmax, and then a cross-entropy that takes it again."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    rows = e / e.sum(-1, keepdims=True)
    return (np.log(np.exp(rows).sum(-1)) - rows[np.arange(len(rows)), wanted]).mean()


@wrong("lm_loss", says="logarithm of the mean probability")
def mean_before_logarithm(logits, targets):
    """Averages the probabilities and takes one logarithm."""
    rows, wanted = logits[targets != -1], targets[targets != -1]
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return -np.log((e / e.sum(-1, keepdims=True))[np.arange(len(rows)), wanted].mean())


@wrong("lm_loss", says="expected one number")
def one_loss_for_each_place(logits, targets):
    """Forgets the mean."""
    z = logits - logits.max(-1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1)[..., 0]


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

    flat = torch.from_numpy(logits.reshape(-1, logits.shape[-1]))
    return torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)), ignore_index=-1).item()


@right("lm_loss")
def place_by_place(logits, targets):
    """One place after the other, in plain loops."""
    losses = []
    for b in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if targets[b, t] != -1:
                z = logits[b, t]
                losses.append(np.logaddexp.reduce(z) - z[targets[b, t]])
    return np.mean(losses)


# loss_gradient


@wrong("loss_gradient", says="not divided by the number of places")
def gradient_of_the_sum(logits, targets):
    """The gradient of the sum of the losses."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets]) * (targets != -1)[..., None]


@wrong("loss_gradient", says="divided by all places")
def padding_in_the_gradients_mean(logits, targets):
    """Padding counts in the division."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    g = (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets]) * (targets != -1)[..., None]
    return g / targets.size


@wrong("loss_gradient", says="rows of zeros")
def padding_learns(logits, targets):
    """A target of -1 becomes the last token."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets]) / (targets != -1).sum()


@wrong("loss_gradient", says="their probabilities are still there")
def padding_half_masked(logits, targets):
    """Only the 1 at the target is masked, not the row."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    counts = (targets != -1)[..., None]
    return (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets] * counts) / counts.sum()


@wrong("loss_gradient", says="the sign is wrong")
def gradient_downhill(logits, targets):
    """What happened minus what the model said."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    counts = (targets != -1)[..., None]
    return (np.eye(logits.shape[-1])[targets] - e / e.sum(-1, keepdims=True)) * counts / counts.sum()


@wrong("loss_gradient", says="the 1 at each target is missing")
def gradient_without_what_happened(logits, targets):
    """The probabilities alone."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    counts = (targets != -1)[..., None]
    return e / e.sum(-1, keepdims=True) * counts / counts.sum()


@wrong("loss_gradient", says="take the softmax")
def gradient_of_a_squared_error(logits, targets):
    """The logits minus what happened, as for a squared error."""
    counts = (targets != -1)[..., None]
    return (logits - np.eye(logits.shape[-1])[targets]) * counts / counts.sum()


@wrong("loss_gradient", says="NaN or infinity")
def gradient_with_overflow(logits, targets):
    """Exponentials as they are."""
    e = np.exp(logits)
    counts = (targets != -1)[..., None]
    return (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets]) * counts / counts.sum()


@wrong("loss_gradient", says="divided by the batch only")
def gradient_over_the_batch(logits, targets):
    """Divides by the number of rows, as for one prediction a text."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    counts = (targets != -1)[..., None]
    return (e / e.sum(-1, keepdims=True) - np.eye(logits.shape[-1])[targets]) * counts / len(logits)


@right("loss_gradient")
def by_places(logits, targets):
    """Subtracts the 1 at the places of the targets."""
    from scipy.special import softmax

    b, t = np.nonzero(targets != -1)
    g = np.zeros_like(logits)
    g[b, t] = softmax(logits[b, t], axis=-1)
    g[b, t, targets[b, t]] -= 1
    return g / len(b)


@right("loss_gradient")
def by_autograd_of_torch(logits, targets):
    """Asks PyTorch."""
    import torch

    z = torch.tensor(logits, requires_grad=True)
    flat = z.reshape(-1, z.shape[-1])
    torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)), ignore_index=-1).backward()
    return z.grad.numpy()


# adamw_step


@wrong("adamw_step", says="not corrected for their start")
def no_correction(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """The running means are used as they are."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    return w - lr * weight_decay * w - lr * m / (np.sqrt(v) + eps), m, v


@wrong("adamw_step", says="one step too many")
def step_counted_from_zero(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Takes the first step for number 0."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1 ** (step + 1)), v / (1 - beta2 ** (step + 1))
    return w - lr * weight_decay * w - lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="not AdamW")
def decay_in_the_gradient(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Adam with an L2 term: the decay is divided by the root of v like everything else."""
    grad = grad + weight_decay * w
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="not multiplied by the learning rate")
def decay_at_full_rate(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """The decay forgets the learning rate."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - weight_decay * w - lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="the old w stands on the right")
def decay_of_the_new_weights(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Moves first and shrinks what came of it."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    w = w - lr * mh / (np.sqrt(vh) + eps)
    return w - lr * weight_decay * w, m, v


@wrong("adamw_step", says="weight decay is missing")
def adam_alone(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Adam without any decay."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="before the correction")
def corrected_means_returned(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Corrects the means for good, so that the next step corrects them again."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    m, v = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * weight_decay * w - lr * m / (np.sqrt(v) + eps), m, v


@wrong("adamw_step", says="add it after the root")
def eps_under_the_root(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """The small number stands under the root."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * weight_decay * w - lr * mh / np.sqrt(vh + eps), m, v


@wrong("adamw_step", says="correct first, then add")
def eps_before_the_correction(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """The form of the paper's remark, with the correction in the step size: eps is then divided too."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    size = lr * np.sqrt(1 - beta2**step) / (1 - beta1**step)
    return w - lr * weight_decay * w - size * m / (np.sqrt(v) + eps), m, v


@wrong("adamw_step", says="swapped")
def betas_swapped(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Each running mean with the other's beta."""
    m, v = beta2 * m + (1 - beta2) * grad, beta1 * v + (1 - beta1) * grad**2
    mh, vh = m / (1 - beta2**step), v / (1 - beta1**step)
    return w - lr * weight_decay * w - lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="subtract it")
def uphill(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Adds the step."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * weight_decay * w + lr * mh / (np.sqrt(vh) + eps), m, v


@wrong("adamw_step", says="the square root of v is missing")
def divided_by_v_itself(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """Divides by the mean square."""
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    mh, vh = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * weight_decay * w - lr * mh / (vh + eps), m, v


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
    weight.grad = torch.from_numpy(np.array(grad))
    optimizer = torch.optim.AdamW([weight], lr, (beta1, beta2), eps, weight_decay)
    state = {"step": torch.tensor(step - 1.0), "exp_avg": torch.from_numpy(m.copy())}
    optimizer.state[weight] = state | {"exp_avg_sq": torch.from_numpy(v.copy())}
    optimizer.step()
    state = optimizer.state[weight]
    return weight.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()


# cosine_with_warmup


@wrong("cosine_with_warmup", says="first step has rate 0")
def warmup_from_nothing(step, steps, warmup, peak, floor):
    """The first step moves nothing."""
    if step < warmup:
        return peak * step / warmup
    done = min(1, (step - warmup) / (steps - warmup))
    return floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2


@wrong("cosine_with_warmup", says="does not reach the peak")
def warmup_too_long(step, steps, warmup, peak, floor):
    """Divides by one more than the warm-up."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = min(1, (step - warmup) / (steps - warmup))
    return floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2


@wrong("cosine_with_warmup", says="the rate jumps")
def fall_over_the_whole_run(step, steps, warmup, peak, floor):
    """The cosine does not know of the warm-up."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return floor + (peak - floor) * (1 + np.cos(np.pi * min(1, step / steps))) / 2


@wrong("cosine_with_warmup", says="rises again")
def up_again_after_the_end(step, steps, warmup, peak, floor):
    """Nothing holds the rate after the last step."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return floor + (peak - floor) * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2


@wrong("cosine_with_warmup", says="peak - floor")
def floor_on_top(step, steps, warmup, peak, floor):
    """Adds the floor to a cosine of the full height."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return floor + peak * (1 + np.cos(np.pi * min(1, (step - warmup) / (steps - warmup)))) / 2


@wrong("cosine_with_warmup", says="cut off at the floor")
def floor_as_a_limit(step, steps, warmup, peak, floor):
    """Falls to nothing and stops at the floor on the way."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return max(floor, peak * (1 + np.cos(np.pi * min(1, (step - warmup) / (steps - warmup)))) / 2)


@wrong("cosine_with_warmup", says="straight line down")
def linear_fall(step, steps, warmup, peak, floor):
    """Falls in a straight line."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak + (floor - peak) * min(1, (step - warmup) / (steps - warmup))


@wrong("cosine_with_warmup", says="down and up again")
def whole_period(step, steps, warmup, peak, floor):
    """Two pi instead of pi."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1, (step - warmup) / (steps - warmup))
    return floor + (peak - floor) * (1 + np.cos(2 * np.pi * done)) / 2


@wrong("cosine_with_warmup", says="quarter of a cosine")
def quarter_period(step, steps, warmup, peak, floor):
    """From the top of the cosine to its zero."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1, (step - warmup) / (steps - warmup))
    return floor + (peak - floor) * np.cos(np.pi / 2 * done)


@wrong("cosine_with_warmup", says="one step too early")
def floor_at_the_last_step(step, steps, warmup, peak, floor):
    """The last step is already at the floor."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1, (step - warmup) / max(1, steps - 1 - warmup))
    return floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2


@wrong("cosine_with_warmup", says="division by zero")
def warmup_must_be_there(step, steps, warmup, peak, floor):
    """Divides by the warm-up before it asks whether there is one."""
    up = (step + 1) / warmup
    done = min(1, max(0, (step - warmup) / (steps - warmup)))
    return min(peak * up, floor + (peak - floor) * (1 + np.cos(np.pi * done)) / 2)


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


# export_checkpoint


@wrong("export_checkpoint", says="not transposed: the file holds (outputs, inputs)")
def nothing_transposed(config, weights):
    """The matrices stay in the form x @ W."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [weights["embed"], *[b[n] for n in names for b in weights["blocks"]], weights["norm"], np.cos(a), np.sin(a)]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="all layers of one kind come together")
def layer_by_layer(config, weights):
    """One layer after the other."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for b in weights["blocks"] for n in names],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="Wu stands where Wd belongs")
def up_before_down(config, weights):
    """w1, w2, w3 taken for gate, up, down."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wu", "Wd"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="mlp_norm follows Wo")
def norms_together(config, weights):
    """Both norms first."""
    names = ["attn_norm", "mlp_norm", "Wq", "Wk", "Wv", "Wo", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="the sign of vocab")
def vocabulary_always_positive(config, weights):
    """The reader takes the head to be tied."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, config.vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="the head was written though it is tied")
def head_always_written(config, weights):
    """Writes the head even where it is the embedding."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="the head is missing")
def head_never_written(config, weights):
    """Leaves the head out even where it is not the embedding."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="the tables of RoPE are missing")
def tables_left_out(config, weights):
    """Skips what most readers skip, so that a head that follows is read from the wrong place."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    parts = [weights["embed"], *[b[n].T for n in names for b in weights["blocks"]], weights["norm"]]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="float64")
def double_precision(config, weights):
    """NumPy's own type goes into the file."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(p.tobytes() for p in parts)


@wrong("export_checkpoint", says="int64")
def wide_header(config, weights):
    """NumPy's own whole numbers go into the header."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head).tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


@wrong("export_checkpoint", says="not transposed")
def transposed_in_memory_order(config, weights):
    """Asks for the order that the array has in memory, which a transposed view does not change."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [
        weights["embed"],
        *[b[n].T for n in names for b in weights["blocks"]],
        weights["norm"],
        np.cos(a),
        np.sin(a),
    ]
    parts += [] if config.tied else [weights["head"]]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes(order="A") for p in parts)


@wrong("export_checkpoint", says="the angles themselves")
def angles_written(config, weights):
    """Forgets cosine and sine."""
    names = ["attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"]
    a = rope_angles(config)
    parts = [weights["embed"], *[b[n].T for n in names for b in weights["blocks"]], weights["norm"], a, a]
    parts += [] if config.tied else [weights["head"].T]
    vocab = config.vocab if config.tied else -config.vocab
    head = [config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len]
    return np.array(head, "<i4").tobytes() + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)


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
