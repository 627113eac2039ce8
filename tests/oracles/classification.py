"""Independent answers to the exercises of the classification chapter: other libraries, and brute force."""

from __future__ import annotations

import hashlib
import itertools
import warnings

import numpy as np
import torch
from scipy import stats
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

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
