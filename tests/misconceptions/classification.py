"""Wrong solutions of the classification chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import copy
import math

import torch
from torch import nn

from autograder.bank import right, wrong

# The notebook `cases`


@wrong("SelfAttention", says="not divided")
class AttentionWithoutScale(nn.Module):
    """The scores are not divided."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)
        weights = scores.softmax(-1)
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="applied after the softmax")
class AttentionMaskedAfterwards(nn.Module):
    """The weights of padding are set to 0 after the softmax."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        weights = (self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5).softmax(-1)
        if mask is not None:
            weights = weights * mask[:, None, :]
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="over the queries")
class AttentionOverQueries(nn.Module):
    """The softmax runs along axis 1."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)
        weights = scores.softmax(1)
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="mask was not used")
class AttentionWithoutMask(nn.Module):
    """Takes a mask and forgets it."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        weights = (self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5).softmax(-1)
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="mask is inverted")
class AttentionToPadding(nn.Module):
    """Fills the scores of the real words."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, :], -1e9)
        weights = scores.softmax(-1)
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="lies on the queries")
class AttentionMaskedQueries(nn.Module):
    """The mask's new axis is the last one."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, :, None], -1e9)
        weights = scores.softmax(-1)
        return weights @ self.value(x), weights


@wrong("SelfAttention", says="mix x itself")
class AttentionOverInputs(nn.Module):
    """The values are made and not used."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)
        weights = scores.softmax(-1)
        return weights @ x, weights


@wrong("SelfAttention", says="other way round")
class AttentionWeightsFirst(nn.Module):
    """Returns the weights first."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)
        weights = scores.softmax(-1)
        return weights, weights @ self.value(x)


@right("SelfAttention")
class AttentionByEinsum(nn.Module):
    """einsum, and minus infinity."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query = nn.Linear(hidden_dim, hidden_dim)
        self.key = nn.Linear(hidden_dim, hidden_dim)
        self.value = nn.Linear(hidden_dim, hidden_dim)
        self.scale = hidden_dim**-0.5

    def forward(self, x, mask=None):
        scores = torch.einsum("bqd,bkd->bqk", self.query(x) * self.scale, self.key(x))
        if mask is not None:
            scores = torch.where(mask.unsqueeze(1), scores, float("-inf"))
        weights = torch.softmax(scores, dim=2)
        return torch.einsum("bqk,bkd->bqd", weights, self.value(x)), weights


@right("SelfAttention")
class AttentionByAddition(nn.Module):
    """A mask of numbers is added to the scores."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.value = nn.Linear(hidden_dim, hidden_dim)
        self.key = nn.Linear(hidden_dim, hidden_dim)
        self.query = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x, mask=None):
        q, k = self.query(x), self.key(x)
        scores = torch.bmm(q, k.mT) / math.sqrt(k.size(-1))
        if mask is not None:
            scores = scores + (1.0 - mask.float())[:, None] * -1e30
        e = (scores - scores.amax(-1, keepdim=True)).exp()
        weights = e / e.sum(-1, keepdim=True)
        return torch.bmm(weights, self.value(x)), weights


@wrong("Case1", says="through a softmax")
class CaseOneWithSoftmax(nn.Module):
    """The model ends with a softmax, and the loss takes another."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        real = torch.ones_like(ids).bool() if mask is None else mask
        pooled = (h * real[:, :, None]).sum(1) / real.sum(1, keepdim=True)
        return weights, self.classifier(pooled).softmax(-1)


@wrong("Case1", says="mask was not used")
class CaseOneWithoutMask(nn.Module):
    """Takes a mask and forgets it."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids))
        return weights, self.classifier(h.mean(1))


@wrong("Case1", says="the average takes in the padding")
class CaseOneMaskedOnce(nn.Module):
    """The mask goes to the attention, and the average is over all."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        return weights, self.classifier(h.mean(1))


@wrong("Case1", says="divided by T")
class CaseOneDividedByAll(nn.Module):
    """Padding is zeroed, and counted."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        if mask is not None:
            h = h * mask[:, :, None]
        return weights, self.classifier(h.mean(1))


@wrong("Case1", says="attention looks at padding")
class CaseOneMaskedAverage(nn.Module):
    """Only the average gets the mask."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids))
        real = torch.ones_like(ids).bool() if mask is None else mask
        return weights, self.classifier((h * real[:, :, None]).sum(1) / real.sum(1, keepdim=True))


@wrong("Case1", says="first word stands for the whole")
class CaseOneFirstWord(nn.Module):
    """Takes the first word, as BERT does with its own token."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        return weights, self.classifier(h[:, 0])


@wrong("Case1", says="weights first, then logits")
class CaseOneLogitsFirst(nn.Module):
    """Returns the logits first."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        real = torch.ones_like(ids).bool() if mask is None else mask
        return self.classifier((h * real[:, :, None]).sum(1) / real.sum(1, keepdim=True)), weights


@right("Case1")
class CaseOneBySharesOfOne(nn.Module):
    """The average as a weighted sum; padding is zeroed by where."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.classifier = nn.Linear(hidden_dim, num_labels)
        self.attention = Attention(hidden_dim)
        self.embedding = nn.Embedding(vocab_size, hidden_dim)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        if mask is None:
            mask = torch.ones(ids.shape, dtype=torch.bool)
        share = mask / mask.sum(dim=1, keepdim=True)
        return weights, self.classifier(torch.einsum("bt,btd->bd", share, h))


@right("Case1")
class CaseOneReviewByReview(nn.Module):
    """Each review is cut to its length before the mean."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim, padding_idx=0)
        self.attention = Attention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        rows = [row if mask is None else row[real] for row, real in zip(h, ids if mask is None else mask)]
        return weights, self.classifier(torch.stack([row.mean(0) for row in rows]))


@wrong("layer_norm", says="divided by D - 1")
def norm_unbiased(x, gain, bias, eps=1e-5):
    """torch.var as it comes."""
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + eps).sqrt() * gain + bias


@wrong("layer_norm", says="eps stands outside the root")
def norm_eps_outside(x, gain, bias, eps=1e-5):
    """eps is added to the standard deviation."""
    return (x - x.mean(-1, keepdim=True)) / (x.std(-1, correction=0, keepdim=True) + eps) * gain + bias


@wrong("layer_norm", says="wrong axis")
def norm_of_the_batch(x, gain, bias, eps=1e-5):
    """Along the first axis."""
    return (x - x.mean(0, keepdim=True)) / (x.var(0, correction=0, keepdim=True) + eps).sqrt() * gain + bias


@wrong("layer_norm", says="not by its root")
def norm_without_root(x, gain, bias, eps=1e-5):
    """Divides by the variance."""
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps) * gain + bias


@wrong("layer_norm", says="of everything")
def norm_of_everything(x, gain, bias, eps=1e-5):
    """One mean for the whole tensor."""
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * gain + bias


@wrong("layer_norm", says="mean was not taken away")
def norm_without_mean(x, gain, bias, eps=1e-5):
    """Only scales."""
    return x / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * gain + bias


@wrong("layer_norm", says="eps was not used")
def norm_without_eps(x, gain, bias, eps=1e-5):
    """No eps."""
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True) * gain + bias


@wrong("layer_norm", says="before the gain")
def norm_bias_first(x, gain, bias, eps=1e-5):
    """(norm + bias) * gain."""
    return ((x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() + bias) * gain


@right("layer_norm")
def norm_by_moments(x, gain, bias, eps=1e-5):
    """The variance as mean of squares less square of mean."""
    mean = x.double().mean(-1, keepdim=True)
    variance = (x.double() ** 2).mean(-1, keepdim=True) - mean**2
    return torch.addcmul(bias, gain, ((x - mean) * torch.rsqrt(variance + eps)).to(x.dtype))


@right("layer_norm")
def norm_by_var_mean(x, gain, bias, eps=1e-5):
    """torch.var_mean."""
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return gain * (x - mean) / torch.sqrt(variance + eps) + bias


@wrong("Case2", says="norm was not used")
class CaseTwoWithoutNorm(nn.Module):
    """The norm is made and not used."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.embedding(ids))
        return weights, self.classifier(h.mean(1))


@wrong("Case2", says="before the average")
class CaseTwoNormBeforePooling(nn.Module):
    """Norms each word, then averages."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.embedding(ids))
        return weights, self.classifier(self.norm(h).mean(1))


@wrong("Case2", says="before the attention")
class CaseTwoNormFirst(nn.Module):
    """Norms the embeddings."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.norm(self.embedding(ids)))
        return weights, self.classifier(h.mean(1))


@wrong("Case2", says="that is a block")
class CaseTwoAsBlock(nn.Module):
    """A residual, and the norm before the average."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        x = self.embedding(ids)
        h, weights = self.attention(x)
        return weights, self.classifier(self.norm(h + x).mean(1))


@wrong("Case2", says="through a softmax")
class CaseTwoWithSoftmax(nn.Module):
    """Ends with a softmax."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.embedding(ids))
        return weights, self.classifier(self.norm(h.mean(1))).softmax(-1)


@right("Case2")
class CaseTwoBySum(nn.Module):
    """The mean as a sum, divided."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.embedding(ids))
        return weights, self.classifier(self.norm(h.sum(1) / ids.shape[1]))


@right("Case2")
class CaseTwoByPooling(nn.Module):
    """avg_pool1d over the whole sequence, as in the notes."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(vocab_size, hidden_dim), Attention(hidden_dim)
        self.norm, self.classifier = nn.LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_labels)

    def forward(self, ids):
        h, weights = self.attention(self.embedding(ids))
        pooled = nn.functional.avg_pool1d(h.transpose(1, 2), h.shape[1]).squeeze(2)
        return weights, self.classifier(self.norm(pooled))


@wrong("pre_norm_block", says="both residuals are lost")
def pre_without_residuals(x, attend, feed_forward, norm1, norm2):
    """Nothing is added."""
    return feed_forward(norm2(attend(norm1(x))))


@wrong("pre_norm_block", says="norm is of the sum")
def pre_as_post(x, attend, feed_forward, norm1, norm2):
    """The norm is taken of the sum."""
    x = norm1(x + attend(x))
    return norm2(x + feed_forward(x))


@wrong("pre_norm_block", says="norm1 was used twice")
def pre_with_one_norm(x, attend, feed_forward, norm1, norm2):
    """norm1 serves both halves."""
    x = x + attend(norm1(x))
    return x + feed_forward(norm1(x))


@wrong("pre_norm_block", says="residual round the feed-forward is lost")
def pre_without_second_residual(x, attend, feed_forward, norm1, norm2):
    """The second half adds nothing."""
    x = x + attend(norm1(x))
    return feed_forward(norm2(x))


@wrong("pre_norm_block", says="not x itself")
def pre_with_normed_residual(x, attend, feed_forward, norm1, norm2):
    """x is overwritten by its norm before the sum."""
    x = norm1(x)
    x = x + attend(x)
    x = norm2(x)
    return x + feed_forward(x)


@wrong("pre_norm_block", says="adds the first x")
def pre_adding_the_first_x(x, attend, feed_forward, norm1, norm2):
    """The second residual comes from the beginning."""
    h = x + attend(norm1(x))
    return x + feed_forward(norm2(h))


@right("pre_norm_block")
def pre_step_by_step(x, attend, feed_forward, norm1, norm2):
    """A loop over the halves."""
    for work, norm in ((attend, norm1), (feed_forward, norm2)):
        x = torch.add(work(norm(x)), x)
    return x


@right("pre_norm_block")
def pre_as_a_sum(x, attend, feed_forward, norm1, norm2):
    """Everything that was added, added at the end."""
    first = attend(norm1(x))
    second = feed_forward(norm2(x + first))
    return x + first + second


@wrong("post_norm_block", says="pre-norm block")
def post_as_pre(x, attend, feed_forward, norm1, norm2):
    """The norm is taken of the work's input."""
    x = x + attend(norm1(x))
    return x + feed_forward(norm2(x))


@wrong("post_norm_block", says="of the work alone")
def post_norm_of_the_work(x, attend, feed_forward, norm1, norm2):
    """The norm of the work, without the residual."""
    x = x + norm1(attend(x))
    return x + norm2(feed_forward(x))


@wrong("post_norm_block", says="norm1 was used twice")
def post_with_one_norm(x, attend, feed_forward, norm1, norm2):
    """norm1 serves both halves."""
    x = norm1(x + attend(x))
    return norm1(x + feed_forward(x))


@wrong("post_norm_block", says="both residuals are lost")
def post_without_residuals(x, attend, feed_forward, norm1, norm2):
    """Nothing is added."""
    return norm2(feed_forward(norm1(attend(x))))


@wrong("post_norm_block", says="first norm is missing")
def post_with_the_last_norm_only(x, attend, feed_forward, norm1, norm2):
    """Only the end is normed."""
    x = x + attend(x)
    return norm2(x + feed_forward(x))


@right("post_norm_block")
def post_step_by_step(x, attend, feed_forward, norm1, norm2):
    """A loop over the halves."""
    for work, norm in ((attend, norm1), (feed_forward, norm2)):
        x = norm(work(x).add(x))
    return x


@right("post_norm_block")
def post_in_one_line(x, attend, feed_forward, norm1, norm2):
    """The first half has a name."""
    first = norm1(torch.stack([x, attend(x)]).sum(0))
    return norm2(torch.stack([first, feed_forward(first)]).sum(0))


@wrong("cross_entropy", says="softmax twice")
def entropy_of_softmax(logits, y):
    """A softmax first, then the loss that takes another."""
    p = logits.softmax(-1)
    return (torch.logsumexp(p, -1) - p[torch.arange(len(y)), y]).mean()


@wrong("cross_entropy", says="overflow")
def entropy_as_written(logits, y):
    """The formula as printed."""
    e = logits.exp()
    return -(e[torch.arange(len(y)), y] / e.sum(-1)).log().mean()


@wrong("cross_entropy", says="sum over the batch")
def entropy_summed(logits, y):
    """The sum for the mean."""
    return (torch.logsumexp(logits, -1) - logits[torch.arange(len(y)), y]).sum()


@wrong("cross_entropy", says="overflow")
def entropy_by_log_of_softmax(logits, y):
    """The softmax is safe; its logarithm meets a 0."""
    return -logits.softmax(-1)[torch.arange(len(y)), y].log().mean()


@wrong("cross_entropy", says="must not be cut off")
def entropy_with_a_floor(logits, y):
    """Something small is added against the logarithm of 0."""
    return -(logits.softmax(-1)[torch.arange(len(y)), y] + 1e-12).log().mean()


@wrong("cross_entropy", says="sign is wrong")
def entropy_of_the_wrong_sign(logits, y):
    """The minus is forgotten."""
    return logits.log_softmax(-1)[torch.arange(len(y)), y].mean()


@wrong("cross_entropy", says="divided by B times C")
def entropy_by_one_hot(logits, y):
    """The mean over all cells of the one-hot product."""
    return -(torch.eye(logits.shape[1])[y] * logits.log_softmax(-1)).mean()


@right("cross_entropy")
def entropy_by_log_softmax(logits, y):
    """log_softmax and gather."""
    return -torch.log_softmax(logits, 1).gather(1, y.unsqueeze(1)).mean()


@right("cross_entropy")
def entropy_by_differences(logits, y):
    """The largest is taken away by hand."""
    shifted = logits - logits.max(dim=1, keepdim=True).values
    rows = shifted.exp().sum(1).log() - (shifted * torch.eye(logits.shape[1], dtype=logits.dtype)[y]).sum(1)
    return rows.sum() / len(y)


@wrong("train_step", says="zero_grad()")
def step_without_zero(model, optimiser, ids, mask, y):
    """Old gradients stay."""
    model.train()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    loss.backward()
    optimiser.step()
    return loss.item()


@wrong("train_step", says="left in it")
def step_in_eval_mode(model, optimiser, ids, mask, y):
    """The mode is whatever it was."""
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    loss.backward()
    optimiser.step()
    return loss.item()


@wrong("train_step", says="changed no weight")
def step_without_backward(model, optimiser, ids, mask, y):
    """No gradients are computed."""
    model.train()
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    optimiser.step()
    return loss.item()


@wrong("train_step", says="changed no weight")
def step_cleared_too_late(model, optimiser, ids, mask, y):
    """zero_grad between backward and step."""
    model.train()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()
    return loss.item()


@wrong("train_step", says="changed no weight")
def step_before_backward(model, optimiser, ids, mask, y):
    """The step comes before the gradients."""
    model.train()
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    optimiser.step()
    loss.backward()
    return loss.item()


@wrong("train_step", says="softmax before the loss")
def step_with_softmax(model, optimiser, ids, mask, y):
    """The loss gets probabilities."""
    model.train()
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, mask)[1].softmax(-1), y)
    loss.backward()
    optimiser.step()
    return loss.item()


@wrong("train_step", says="not after it")
def step_mode_too_late(model, optimiser, ids, mask, y):
    """The mode is set after the forward pass."""
    optimiser.zero_grad()
    _, logits = model(ids, mask)
    model.train()
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimiser.step()
    return loss.item()


@wrong("train_step", says="loss after the step")
def step_then_loss(model, optimiser, ids, mask, y):
    """The loss is computed anew after the step."""
    model.train()
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(ids, mask)[1], y).backward()
    optimiser.step()
    with torch.no_grad():
        return nn.functional.cross_entropy(model(ids, mask)[1], y).item()


@wrong("train_step", says="Python float")
def step_returning_a_tensor(model, optimiser, ids, mask, y):
    """Returns the loss with its graph."""
    model.train()
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(ids, mask)[1], y)
    loss.backward()
    optimiser.step()
    return loss


@right("train_step")
def step_clearing_at_the_end(model, optimiser, ids, mask, y):
    """Clears before backward, through the model."""
    model.train(True)
    logits = model(ids, mask)[1]
    loss = nn.functional.nll_loss(logits.log_softmax(-1), y)
    model.zero_grad()
    loss.backward()
    optimiser.step()
    return float(loss)


@right("train_step")
def step_with_a_loss_module(model, optimiser, ids, mask, y):
    """nn.CrossEntropyLoss, and gradients cleared on both sides of the step."""
    model.train()
    optimiser.zero_grad(set_to_none=False)
    weights, logits = model(ids, mask)
    loss = nn.CrossEntropyLoss()(logits, y)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return loss.detach().item()


@wrong("fit", says="in training mode")
def fit_without_eval(model, train_epoch, validate, epochs, patience):
    """Validates with dropout on."""
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept, waited = losses[-1], copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
            if waited == patience:
                break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="in eval mode")
def fit_trained_once_in_train_mode(model, train_epoch, validate, epochs, patience):
    """train() once, before the loop: from the second epoch on, the model trains in eval mode."""
    losses, best, kept, waited = [], math.inf, None, 0
    model.train()
    for _ in range(epochs):
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept, waited = losses[-1], copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
            if waited == patience:
                break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="not put back")
def fit_with_the_last_weights(model, train_epoch, validate, epochs, patience):
    """The weights of the last epoch stay."""
    losses, best, waited = [], math.inf, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, waited = losses[-1], 0
        else:
            waited += 1
            if waited == patience:
                break
    return losses


@wrong("fit", says="one epoch too long")
def fit_waiting_too_long(model, train_epoch, validate, epochs, patience):
    """waited > patience."""
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept, waited = losses[-1], copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
            if waited > patience:
                break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="one epoch too soon")
def fit_waiting_too_little(model, train_epoch, validate, epochs, patience):
    """waited starts at 1."""
    losses, best, kept, waited = [], math.inf, None, 1
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept, waited = losses[-1], copy.deepcopy(model.state_dict()), 1
        else:
            waited += 1
            if waited >= patience:
                break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="those in a row")
def fit_never_counting_anew(model, train_epoch, validate, epochs, patience):
    """The counter is never set back."""
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept = losses[-1], copy.deepcopy(model.state_dict())
        else:
            waited += 1
            if waited == patience:
                break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="never stopped early")
def fit_to_the_end(model, train_epoch, validate, epochs, patience):
    """Keeps the best weights and runs all epochs."""
    losses, best, kept = [], math.inf, None
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept = losses[-1], copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="equal loss is no new best")
def fit_taking_ties(model, train_epoch, validate, epochs, patience):
    """An equal loss replaces the weights, though not the counter."""
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        waited = 0 if losses[-1] < best else waited + 1
        if losses[-1] <= best:
            best, kept = losses[-1], copy.deepcopy(model.state_dict())
        if waited == patience:
            break
    model.load_state_dict(kept)
    return losses


@wrong("fit", says="not put back")
def fit_restoring_only_when_stopped(model, train_epoch, validate, epochs, patience):
    """The best weights come back only if it stopped early."""
    losses, best, kept, waited = [], math.inf, None, 0
    for _ in range(epochs):
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        if losses[-1] < best:
            best, kept, waited = losses[-1], copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
            if waited == patience:
                model.load_state_dict(kept)
                break
    return losses


@right("fit")
def fit_looking_back(model, train_epoch, validate, epochs, patience):
    """Remembers the number of the best epoch, and keeps every epoch's weights."""
    losses, states = [], []
    while len(losses) < epochs:
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        states.append(copy.deepcopy(model.state_dict()))
        if len(losses) - 1 - losses.index(min(losses)) >= patience:
            break
    model.load_state_dict(states[losses.index(min(losses))])
    return losses


@right("fit")
def fit_counting_down(model, train_epoch, validate, epochs, patience):
    """The patience that is left counts down."""
    losses, left = [], patience
    for number in range(epochs):
        if left == 0:
            break
        model.train(True)
        train_epoch(model)
        model.train(False)
        loss = validate(model)
        left = patience if not losses or loss < min(losses) else left - 1
        if left == patience:
            kept = copy.deepcopy(model.state_dict())
        losses.append(loss)
    model.load_state_dict(kept)
    return losses
