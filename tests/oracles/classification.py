"""Independent answers to the exercises of the classification chapter: other libraries, and brute force."""

from __future__ import annotations

import hashlib
import io
import itertools
import warnings

import numpy as np
import torch
from scipy import stats
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from torch import nn

from oracles import oracle


def written_small(text: str) -> str:
    return "".join(sign for sign in text if not sign.isspace()).lower()


@oracle("clean_and_split")
def clean_and_split(rows, seed):
    """Groups by sorting, and a lot that is a hash of seed and text."""
    numbered = sorted((written_small(text), place, text, label) for place, (text, label) in enumerate(rows))
    groups = [list(group) for _, group in itertools.groupby(numbered, key=lambda row: row[0])]
    clean = [group[0][2:] for group in groups if len({label for *_, label in group}) == 1]
    parts = {"train": [], "val": [], "test": []}
    for label in {label for _, label in clean}:
        mine = [row for row in clean if row[1] == label]
        mine.sort(key=lambda row: hashlib.md5(f"{seed} {row[0]}".encode()).digest())
        for place, row in enumerate(mine, 1):
            test = place <= len(mine) / 5 and place <= int(len(mine) / 5)
            val = not test and place <= int(len(mine) / 5) + int(len(mine) / 10)
            parts["test" if test else "val" if val else "train"].append(row)
    return parts


@oracle("build_vocab")
def build_vocab(texts, min_count):
    """Scikit-learn counts; NumPy sorts by two keys."""
    vocab = {"<pad>": 0, "<unk>": 1}
    rows = [[word for word in text if word not in vocab] for text in texts]
    if not any(rows):
        return vocab
    counter = CountVectorizer(analyzer=list)
    counts = np.asarray(counter.fit_transform(rows).sum(axis=0)).ravel()
    words = counter.get_feature_names_out()
    order = [i for i in np.lexsort((words, -counts)) if counts[i] >= min_count]
    return vocab | {str(words[i]): number for number, i in enumerate(order, 2)}


@oracle("encode_batch")
def encode_batch(texts, vocab, max_len):
    """Column by column: the standard library fills up what is too short."""
    numbers = [[vocab.get(word, 1) for word in itertools.islice(text, max_len)] for text in texts]
    columns = list(itertools.zip_longest(*numbers, fillvalue=0))
    marks = list(itertools.zip_longest(*([True] * len(row) for row in numbers), fillvalue=False))
    return torch.tensor(columns).T, torch.tensor(marks).T


@oracle("masked_mean")
def masked_mean(h, mask):
    """Torch's nanmean: padding is not a number, and a row of nothing else is zero."""
    words = torch.where(mask[:, :, None], h, torch.nan)
    return torch.where(mask.any(1)[:, None], words.nanmean(1), torch.zeros((), dtype=h.dtype))


@oracle("tf_idf")
def tf_idf(counts):
    return TfidfTransformer().fit_transform(np.asarray(counts, float)).toarray()


@oracle("evaluate")
def evaluate(predictions, labels):
    """Scikit-learn's three scores."""
    return (
        metrics.accuracy_score(labels, predictions),
        metrics.f1_score(labels, predictions, zero_division=0),
        metrics.confusion_matrix(labels, predictions, labels=[0, 1]),
    )


@oracle("evaluate_batches")
def evaluate_batches(batches):
    """Scikit-learn's accuracy of all reviews at once."""
    logits, labels = zip(*batches, strict=True)
    return metrics.accuracy_score(np.concatenate(labels), np.concatenate(logits).argmax(1))


@oracle("paired_difference")
def paired_difference(a, b):
    """SciPy's paired t-test is the mean over its error; where all differences are equal there is none."""
    seeds = sorted(set(a) & set(b))
    x, y = np.array([a[s] for s in seeds]), np.array([b[s] for s in seeds])
    return np.mean(y) - np.mean(x), stats.sem(y - x)


@oracle("compare_seeds")
def compare_seeds(a, b, rng, count=2000):
    """SciPy's bootstrap of pairs, by percentiles."""

    def difference(x, y, axis=-1):
        return np.mean(y, axis=axis) - np.mean(x, axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of one draw, there is no standard error
        drawn = stats.bootstrap((a, b), difference, paired=True, n_resamples=count, method="percentile", rng=rng)
    low, high = np.quantile(drawn.bootstrap_distribution, [0.025, 0.975])
    return difference(a, b), low, high


@oracle("mcnemar")
def mcnemar(pred_a, pred_b, labels):
    """Scikit-learn's table of who is right, and SciPy's exact binomial test."""
    (_, only_b), (only_a, _) = metrics.confusion_matrix(pred_a == labels, pred_b == labels, labels=[False, True])
    return only_a, only_b, stats.binomtest(int(only_a), int(only_a + only_b)).pvalue if only_a + only_b else 1.0


@oracle("leave_one_out")
def leave_one_out(model, ids):
    """All shorter lists from the standard library, which leaves the last place out first."""
    shorter = [list(some) for some in itertools.combinations(ids, len(ids) - 1)]
    return [model.score(list(ids)) - model.score(some) for some in reversed(shorter)]


@oracle("rank_agreement")
def rank_agreement(a, b):
    """SciPy's Spearman."""
    return 0.0 if len(set(a)) == 1 or len(set(b)) == 1 else stats.spearmanr(a, b).statistic


@oracle("SelfAttention")
class SelfAttention(nn.Module):
    """Torch's own attention with one head, its weights put together from three layers; no output layer."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))

    def forward(self, x, mask=None):
        parts, D = (self.query, self.key, self.value), x.shape[-1]
        output, weights = nn.functional.multi_head_attention_forward(
            *[x.transpose(0, 1)] * 3, D, 1,
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]),
            None, None, False, 0.0, torch.eye(D), None, key_padding_mask=None if mask is None else ~mask,
        )  # fmt: skip
        return output.transpose(0, 1), weights


class OneByOne(nn.Module):
    """A review at a time, cut to its length: where there is no padding, nothing can go wrong with it."""

    def __init__(self, vocab_size, hidden_dim, num_labels, norm):
        super().__init__()
        self.embedding, self.classifier = nn.Embedding(vocab_size, hidden_dim), nn.Linear(hidden_dim, num_labels)
        self.attention = nn.Module()
        self.attention.inner = nn.MultiheadAttention(hidden_dim, 1, batch_first=True)
        if norm:
            self.norm = nn.LayerNorm(hidden_dim)

    def forward(self, ids, mask=None):
        every, logits = [], []
        for row, real in zip(ids, torch.ones_like(ids).bool() if mask is None else mask, strict=True):
            words = self.embedding(row)
            h, _ = self.attention.inner(words[real], words[real], words[real])  # (n, D)
            _, weights = self.attention.inner(words, words[real], words[real])  # (T, n): padding asks, too
            every.append(torch.zeros(len(row), len(row)).masked_scatter(real[None, :].expand(len(row), -1), weights))
            pooled = torch.stack([column.mean() for column in h.T])
            logits.append(self.classifier(self.norm(pooled) if hasattr(self, "norm") else pooled))
        return torch.stack(every), torch.stack(logits)


@oracle("Case1")
def case_1(*sizes):
    return OneByOne(*sizes, norm=False)


@oracle("Case2")
def case_2(*sizes):
    return OneByOne(*sizes, norm=True)


@oracle("layer_norm")
def layer_norm(x, gain, bias, eps=1e-5):
    return nn.functional.layer_norm(x, x.shape[-1:], gain, bias, eps)


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def encoder_layer(x, attend, feed_forward, norm1, norm2, norm_first):
    """Torch's own layer of an encoder, with these parts in the place of its own."""
    layer = nn.TransformerEncoderLayer(x.shape[-1], 1, norm_first=norm_first)
    layer.norm1, layer.norm2 = Calls(norm1), Calls(norm2)
    layer._sa_block = lambda x, *masks, **options: attend(x)
    layer._ff_block = feed_forward
    return layer(x)


@oracle("pre_norm_block")
def pre_norm_block(*parts):
    return encoder_layer(*parts, norm_first=True)


@oracle("post_norm_block")
def post_norm_block(*parts):
    return encoder_layer(*parts, norm_first=False)


@oracle("cross_entropy")
def cross_entropy(logits, y):
    return nn.functional.cross_entropy(logits, y)


@oracle("train_step")
def train_step(model, optimiser, ids, mask, y):
    """Gradients of the loss by `torch.autograd.grad`, which adds nothing up."""
    model.train()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    loss = -torch.distributions.Categorical(logits=model(ids, mask)[1]).log_prob(y).mean()
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = slope
    optimiser.step()
    return float(loss)


@oracle("fit")
def fit(model, train_epoch, validate, epochs, patience):
    """All weights of all epochs are written to bytes; the history alone says when to stop and which to read."""
    losses, written = [], []
    while len(losses) < epochs and not (losses and len(losses) - int(np.argmin(losses)) > patience):
        train_epoch(model.train())
        losses.append(validate(model.eval()))
        torch.save(model.state_dict(), file := io.BytesIO())
        written.append(file.getvalue())
    model.load_state_dict(torch.load(io.BytesIO(written[int(np.argmin(losses))])))
    return losses


@oracle("mask_tokens")
def mask_tokens(ids, rng):
    """A draw from SciPy's multinomial for each place: not chosen, gap, another word, itself."""
    flat = np.asarray(ids).ravel()
    lots = stats.multinomial(1, [0.85, 0.12, 0.015, 0.015], seed=rng).rvs(max(1, flat.size))  # (places, 4)
    fates = lots[: flat.size].argmax(axis=1)
    fates[flat == 0] = 0
    others = rng.integers(2, 8194, flat.size)
    shown = np.choose(fates, [flat, np.ones_like(flat), others, flat])
    targets = np.where(fates > 0, flat, -100)
    return shown.reshape(ids.shape), targets.reshape(ids.shape)


@oracle("freeze")
def freeze(model, what):
    """PyTorch's own `get_submodule` and `get_parameter`, and `requires_grad_` of a whole module."""
    model.requires_grad_(True)
    for part in what:
        try:
            found = model.get_submodule(part)
        except AttributeError:
            try:
                found = model.get_parameter(part)
            except AttributeError:
                raise ValueError(part) from None
        if isinstance(found, nn.Module) and not list(found.parameters()):
            raise ValueError(f"{part} has no parameter")
        found.requires_grad_(False)
    model.zero_grad(set_to_none=True)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]
