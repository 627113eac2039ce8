# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which is better, and how would you know?
#
# Two models, two accuracies, one of them larger. This notebook builds what it takes to say whether that means anything:
# the scores of one run, the comparison of many runs, the comparison of two runs review by review; and a way to ask what
# a model looks at that does not trust its attention weights.
#
# **When you are done you can** compute accuracy, F1 and a confusion matrix over any batches, compare two models over
# seeds in pairs with an interval, test one run against another, and measure what each word of a review does.
#
# **You need** NumPy: arrays of booleans, sums, sorting. Plan about 90 minutes.
#
# **Labels.** 1 = praise, the positive class; 0 = blame. A *prediction* is 0 or 1, like a label.
#
# Each exercise stands alone: none of them needs your answer to another one. SciPy may be used wherever it helps.

# %%
import math
from collections.abc import Iterable

import numpy as np
from scipy import stats


# %% [markdown]
# ## `evaluate`
# *difficulty ●○○ · importance ●●● · 15 min*
#
# Three scores of one run. `evaluate(predictions, labels)` takes two arrays of 0 and 1, both of length `n ≥ 1`, and
# returns a triple `(accuracy, f1, confusion)`:
#
# - `accuracy` (准确率): the share of reviews with the right prediction;
# - `f1` (F1 值) of the **positive** class, 2·TP / (2·TP + FP + FN). TP counts praise that was found, FP blame that was
#   taken for praise, FN praise that was taken for blame. Where that is 0/0, with no praise among labels and none among
#   predictions, return `0.0`;
# - `confusion` (混淆矩阵), shape `(2, 2)`, whole numbers: **row = truth, column = prediction**. So `confusion[1][0]` is FN.
#
# By hand: labels `[1, 1, 1, 1, 0, 0]`, predictions `[1, 1, 0, 0, 0, 1]`. TP = 2, FN = 2, FP = 1, and one blame was
# found. The accuracy is 3/6, F1 is 4/(4 + 1 + 2) = 4/7, the confusion matrix is `[[1, 1], [2, 2]]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Fill the matrix first. The other two numbers are made of its four entries.
#
# <details><summary>Hint 2: the approach</summary>
#
# An entry counts the places where two comparisons hold at once: label = row, and prediction = column.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `np.sum((labels == row) & (predictions == column))` for the two rows and two columns.
#
# </details></details></details>


# %% nbgrader={"grade_id": "evaluate", "solution": true}
def evaluate(predictions: np.ndarray, labels: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Accuracy, F1 of label 1 (0.0 for 0/0), and the confusion matrix: row = truth, column = prediction."""
    ### BEGIN SOLUTION
    confusion = np.array([[np.sum((labels == row) & (predictions == column)) for column in (0, 1)] for row in (0, 1)])
    (_, fp), (fn, tp) = confusion
    accuracy = np.trace(confusion) / len(labels)
    whole = 2 * tp + fp + fn
    return float(accuracy), float(2 * tp / whole) if whole else 0.0, confusion
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_evaluate", "grade": true, "points": 2}
def test_evaluate():
    """Accuracy, F1 of the positive class, and truth on the rows; 0/0 is 0."""

    def check(predictions, labels):
        p, y = np.array(predictions), np.array(labels)
        call = f"predictions {predictions}, labels {labels}" if len(y) <= 8 else f"{len(y)} reviews"
        try:
            answer = evaluate(p.copy(), y.copy())
        except ZeroDivisionError:
            raise AssertionError(f"{call}: division by zero: where F1 is 0/0, return 0.0") from None
        assert isinstance(answer, tuple | list) and len(answer) == 3, (
            f"{call}: expected the triple (accuracy, f1, confusion), got {answer!r}"
        )
        accuracy, f1 = float(answer[0]), float(answer[1])
        matrix = np.asarray(answer[2])
        tp, fp = int((p & y).sum()), int((p & (1 - y)).sum())
        fn, tn = int(((1 - p) & y).sum()), int(((1 - p) & (1 - y)).sum())
        n, right = len(y), tp + tn
        assert matrix.shape == (2, 2), f"{call}: expected a confusion matrix of shape (2, 2), got {matrix.shape}"
        expected = np.array([[tn, fp], [fn, tp]])
        if not np.array_equal(matrix, expected):
            known = {
                "truth and prediction are swapped: row = truth, column = prediction": expected.T,
                "the classes are in the wrong order: row and column 0 belong to label 0": expected[::-1, ::-1],
                "these are shares, expected counts": expected / n,
                "its rows were divided by their sums, expected counts": expected
                / np.maximum(expected.sum(1, keepdims=True), 1),
            }
            for mistake, wrong in known.items():
                assert not np.allclose(matrix, wrong), f"{call}: the confusion matrix: {mistake}"
            raise AssertionError(f"{call}: expected the confusion matrix {expected.tolist()}, got {matrix.tolist()}")
        if abs(accuracy - right / n) > 1e-6:
            known = {
                "only praise was counted: blame that was found is right too": tp / n,
                "that is a count, expected a share": right,
                "that is in percent, expected a share from 0 to 1": 100 * right / n,
                "that is the share of wrong predictions": 1 - right / n,
            }
            for mistake, wrong in known.items():
                assert abs(accuracy - wrong) > 1e-6, f"{call}: accuracy: {mistake}"
            raise AssertionError(f"{call}: expected the accuracy {right / n:.6g}, got {accuracy:.6g}")
        best = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0
        assert not math.isnan(f1), f"{call}: F1 is NaN: where it is 0/0, return 0.0"
        if abs(f1 - best) > 1e-6:
            precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
            negative = 2 * tn / max(2 * tn + fp + fn, 1)
            known = {
                "that is F1 of the negative class: label 1 is the positive one": negative,
                "that is the mean of both classes' F1 (macro), expected that of label 1": (best + negative) / 2,
                "that is the precision": precision,
                "that is the recall": recall,
                "that is the plain mean of precision and recall, expected the harmonic mean": (precision + recall) / 2,
                "that is TP / (TP + FP + FN): TP counts twice": tp / max(tp + fp + fn, 1),
                "that is the accuracy": right / n,
                "of a 0/0 that is 1: expected 0.0": 1.0 if tp + fp + fn == 0 else -1.0,
            }
            for mistake, wrong in known.items():
                assert abs(f1 - wrong) > 1e-6, f"{call}: F1: {mistake}"
            raise AssertionError(f"{call}: expected F1 = {best:.6g}, got {f1:.6g}")

    check([1, 1, 0, 0, 0, 1], [1, 1, 1, 1, 0, 0])
    check([1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0])
    check([0, 0, 0], [0, 0, 0])
    check([0, 0, 0], [1, 1, 0])
    ### BEGIN HIDDEN TESTS
    check([1], [1])
    check([1], [0])
    check([1, 1, 1], [0, 0, 0])
    check([1, 1], [1, 1])
    rng = np.random.default_rng(3)
    for n in (5, 40, 300):
        check(rng.integers(2, size=n).tolist(), (rng.random(n) < 0.7).astype(int).tolist())
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_evaluate()


# %% [markdown]
# ## `evaluate_batches`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# A test part does not come in one piece. `evaluate_batches(batches)` takes an iterable of pairs `(logits, labels)`, of
# shapes `(B, C)` and `(B,)`, and returns the accuracy over **all reviews**, a number from 0 to 1. The predicted label is
# the one with the largest logit. `B` need not be the same in each batch: the last one is often smaller. The batches
# come one at a time, may be walked through once only, and there is at least one.
#
# By hand: a batch of 8 with 4 right and a last one of 2 with both right. That is 6 of 10, so 0.6. The mean of the two
# batches' accuracies is (0.5 + 1)/2 = 0.75: there, a review of the last batch counts four times as much as the others.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which two numbers do you have to carry from batch to batch?
#
# <details><summary>Hint 2: the approach</summary>
#
# Count what is right, and count the reviews. Divide once, at the end.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `right += np.sum(logits.argmax(axis=1) == labels)` and `count += len(labels)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "evaluate_batches", "solution": true}
def evaluate_batches(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Accuracy over all reviews of all batches of (logits (B, C), labels (B,)); B may vary."""
    ### BEGIN SOLUTION
    right = count = 0
    for logits, labels in batches:
        right += int(np.sum(logits.argmax(axis=1) == labels))
        count += len(labels)
    return right / count
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_evaluate_batches", "grade": true, "points": 1}
def test_evaluate_batches():
    """Each review counts once, whichever batch it is in."""

    def check(sizes, shares, C, seed):
        rng = np.random.default_rng(seed)
        batches, hits = [], []
        for size, share in zip(sizes, shares, strict=True):
            logits = rng.normal(size=(size, C))
            labels = logits.argmax(1)
            wrong = rng.permutation(size)[: size - round(share * size)]
            labels[wrong] = (labels[wrong] + 1) % C
            batches.append((logits, labels))
            hits.append(size - len(wrong))
        call = f"batches of {sizes} with {hits} right"
        try:
            answer = evaluate_batches((logits.copy(), labels.copy()) for logits, labels in batches)
        except TypeError as error:
            raise AssertionError(f"{call}: {error}: batches come one at a time, with no length and no index") from None
        except ZeroDivisionError:
            raise AssertionError(f"{call}: nothing was counted: the batches can be walked through once only") from None
        assert isinstance(answer, float | int | np.number | np.ndarray), f"{call}: expected a number, got {answer!r}"
        answer = float(answer)
        expected = sum(hits) / sum(sizes)
        shares = [hit / size for hit, size in zip(hits, sizes, strict=True)]
        known = {
            "that is the mean of the batches' accuracies: a small last batch counts too much": np.mean(shares),
            "that is the last batch only": shares[-1],
            "that is the first batch only": shares[0],
            "that is the best batch": max(shares),
            "all batches were taken to be as large as the first": sum(hits) / (len(sizes) * sizes[0]),
            "all batches were taken to be as large as the last": sum(hits) / (len(sizes) * sizes[-1]),
            "that is a count, expected a share": sum(hits),
            "that is the share of wrong predictions (is the smallest logit taken?)": 1 - expected,
            "the smallest logit was taken, not the largest": np.mean(
                np.concatenate([logits.argmin(1) == labels for logits, labels in batches])
            ),
            "that is the sum of the batches' accuracies": sum(shares),
        }
        for mistake, wrong in known.items():
            if abs(wrong - expected) > 1e-6:
                assert abs(answer - wrong) > 1e-6, f"{call}: {mistake}"
        assert abs(answer - expected) < 1e-6, f"{call}: expected {sum(hits)}/{sum(sizes)}, got {answer:.6g}"

    check([8, 2], [0.5, 1.0], 2, 0)
    check([8, 8, 3], [0.75, 1.0, 0.0], 2, 1)
    check([4, 4, 1], [0.25, 0.75, 1.0], 3, 2)
    ### BEGIN HIDDEN TESTS
    check([5], [0.6], 2, 3)
    check([1, 1, 1], [0, 1, 1], 4, 4)
    check([16, 16, 16, 7], [0.5, 0.75, 1.0, 0.3], 2, 5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_evaluate_batches()


# %% [markdown]
# ## `paired_difference`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# A seed (随机种子) fixes a run's first weights and the order of its batches. Two models that were trained with the same
# seed may share some of their luck, and the **difference** of the two does not contain it. So compare in pairs (配对).
#
# `paired_difference(a, b)` takes two dicts `{seed: accuracy}` and returns a pair `(mean, error)`:
#
# - `mean`: the mean of b's accuracy **minus** a's, over the seeds that **both** have (at least two). Positive = b is better;
# - `error`: the standard error (标准误) of this mean, s/√n. `n` is how many differences there are, `s` their standard
#   deviation (标准差) with `n − 1` below the sum.
#
# The dicts may list their seeds in any order.
#
# By hand: `a = {0: 0.80, 1: 0.84, 2: 0.82, 9: 0.90}` and `b = {2: 0.85, 0: 0.81, 1: 0.86}`. Seed 9 has no partner. The
# differences are 0.01, 0.02 and 0.03: mean 0.02, s = 0.01, error 0.01/√3 = 0.00577.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is subtracted from what, for seed 2?
#
# <details><summary>Hint 2: the approach</summary>
#
# One list of differences, made by looking each shared seed up in both dicts. Everything else is about this list.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `[b[seed] - a[seed] for seed in a if seed in b]`, and `np.std(…, ddof=1)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "paired_difference", "solution": true}
def paired_difference(a: dict[int, float], b: dict[int, float]) -> tuple[float, float]:
    """Mean of b - a over the shared seeds, and the standard error of that mean."""
    ### BEGIN SOLUTION
    differences = np.array([b[seed] - a[seed] for seed in a if seed in b])
    return float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(len(differences)))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_paired_difference", "grade": true, "points": 2}
def test_paired_difference():
    """The same seed beside the same seed, and the error of the mean."""

    def check(a, b):
        call = f"a = {a}, b = {b}" if len(a) < 6 else f"{len(a)} and {len(b)} seeds"
        try:
            mean, error = (float(number) for number in paired_difference(dict(a), dict(b)))
        except KeyError as missing:
            raise AssertionError(f"{call}: KeyError {missing}: take the seeds that both have") from None
        except ValueError as problem:
            raise AssertionError(f"{call}: {problem}: take the seeds that both have, in pairs") from None
        shared = [seed for seed in a if seed in b]
        x, y = np.array([a[s] for s in shared]), np.array([b[s] for s in shared])
        d, n = y - x, len(shared)
        all_a, all_b = np.array(list(a.values())), np.array(list(b.values()))
        if abs(mean - d.mean()) > 1e-7:
            known = {
                "the sign: expected b minus a": -d.mean(),
                "that compares the best seed of each: expected the mean over all shared seeds": all_b.max()
                - all_a.max(),
                "that compares the best shared seed of each: expected the mean over all": y.max() - x.max(),
                "that is the largest difference: expected the mean": d.max(),
                "seeds without a partner were counted": all_b.mean() - all_a.mean(),
                "that is the sum of the differences": d.sum(),
                "that is the median of the differences": np.median(d),
                "that is the mean size of the differences: their signs count": np.abs(d).mean(),
                "the pairs were made by place, not by seed": np.mean(
                    [q - p for p, q in zip(a.values(), b.values(), strict=False)]
                ),
            }
            for mistake, wrong in known.items():
                assert abs(mean - wrong) > 1e-7, f"{call}: the mean: {mistake}"
            raise AssertionError(f"{call}: expected the mean {d.mean():.6g}, got {mean:.6g}")
        s = d.std(ddof=1)
        expected = s / n**0.5
        if abs(error - expected) > 1e-7:
            in_order = np.array(list(b.values()))[:n] - np.array(list(a.values()))[:n]
            known = {
                "the pairs were made by place, not by seed": in_order.std(ddof=1) / n**0.5,
                "that is for two samples without pairs: use the spread of the differences": (
                    (x.var(ddof=1) + y.var(ddof=1)) / n
                )
                ** 0.5,
                "that is the standard deviation: divide by the root of n": s,
                "that is the standard deviation with n below the sum": d.std(),
                "n - 1 belongs below the sum: use ddof=1": d.std() / n**0.5,
                "divided by n, expected by its root": s / n,
                "that is the variance over n: take the root": s**2 / n,
                "that is half the width of an interval, 1.96 errors": 1.96 * expected,
                "that is the error of b's mean alone": y.std(ddof=1) / n**0.5,
                "n must count the shared seeds alone": s / len(all_a) ** 0.5 if len(all_a) != n else -1.0,
            }
            for mistake, wrong in known.items():
                assert abs(error - wrong) > 1e-7, f"{call}: the error: {mistake}"
            raise AssertionError(f"{call}: expected the standard error {expected:.6g}, got {error:.6g}")

    check({0: 0.8, 1: 0.84, 2: 0.83}, {0: 0.81, 1: 0.86, 2: 0.88})
    check({0: 0.8, 1: 0.84, 2: 0.82}, {2: 0.85, 0: 0.81, 1: 0.86})
    check({0: 0.8, 1: 0.84, 2: 0.82, 9: 0.9}, {2: 0.84, 0: 0.81, 1: 0.86})
    check({4: 0.7, 5: 0.9}, {5: 0.85, 4: 0.72, 6: 0.5})
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(11)
    for n in (2, 10, 25):
        luck = rng.normal(0.8, 0.03, size=n + 3)
        a = {int(seed): float(luck[seed]) for seed in rng.permutation(n + 1)}
        b = {int(seed): float(luck[seed] + rng.normal(0.01, 0.005)) for seed in rng.permutation(np.arange(1, n + 3))}
        check(a, b)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_paired_difference()


# %% [markdown]
# ## `compare_seeds`
# *difficulty ●●● · importance ●●● · 20 min*
#
# How far might the mean difference have come out elsewhere, had the seeds been others? The bootstrap (自助法) answers
# with what it has: it draws `n` seeds from the `n`, with replacement (有放回), so that some come twice and some not at
# all, and takes the mean difference of those. It does this many times over.
#
# `compare_seeds(a, b, rng, count=2000)` takes two arrays of accuracies, `a[i]` and `b[i]` of the **same seed**, and a
# `np.random.Generator`. It returns a triple `(mean, low, high)`: the mean of b − a, and the percentiles (百分位数) 2.5 and
# 97.5 of the mean differences of `count` draws. All chance comes from `rng`. How you draw the seeds from it, and how you
# interpolate percentiles, is yours.
#
# By hand: if b is 0.01 better at every seed, every draw has the mean difference 0.01, and the answer is
# (0.01, 0.01, 0.01), however much the accuracies vary from seed to seed.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Draw seeds, not accuracies: a seed that is drawn brings both its numbers.
#
# <details><summary>Hint 2: the approach</summary>
#
# Make the differences first, then draw from those. One draw gives one mean; the percentiles are of the means.
#
# <details><summary>Hint 3: the shapes</summary>
#
# `rng.integers(n, size=(count, n))` picks `(count, n)` places, the differences there have the same shape, their means
# along the last axis are `(count,)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "compare_seeds", "solution": true}
def compare_seeds(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, count: int = 2000
) -> tuple[float, float, float]:
    """Mean of b - a over the seeds, and its 95 % bootstrap percentile interval from `count` draws."""
    ### BEGIN SOLUTION
    differences = b - a  # (n,)
    n = len(differences)
    means = differences[rng.integers(n, size=(count, n))].mean(axis=1)  # (count,)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_compare_seeds", "grade": true, "points": 3}
def test_compare_seeds():
    """Draws pairs of the same seed, with replacement, and gives the percentiles of their means."""

    def check(a, b, seed):
        n, count, d = len(a), 10_000, b - a
        call = f"{n} seeds, differences from {d.min():+.3f} to {d.max():+.3f}"
        answer = compare_seeds(a.copy(), b.copy(), np.random.default_rng(seed), count)
        assert isinstance(answer, tuple | list) and len(answer) == 3, f"{call}: expected (mean, low, high): {answer!r}"
        mean, low, high = (float(number) for number in answer)
        if abs(mean - d.mean()) > 1e-9:
            known = {
                "the sign: expected b minus a": -d.mean(),
                "that compares the best seed of each: expected the mean over all seeds": b.max() - a.max(),
                "that is the largest difference: expected the mean": d.max(),
                "that is the mean of b alone": b.mean(),
                "that is the mean of a alone": a.mean(),
            }
            for mistake, wrong in known.items():
                assert abs(mean - wrong) > 1e-9, f"{call}: the mean: {mistake}"
            raise AssertionError(
                f"{call}: expected the mean difference {d.mean():.6g} of the seeds as they are, got {mean:.6g}"
            )
        error = d.std() / n**0.5
        assert low <= high, f"{call}: low {low:.4g} is above high {high:.4g}"
        own = np.random.default_rng(99)
        picks = own.integers(n, size=(50_000, n))
        means = d[picks].mean(1)
        expected = np.percentile(means, [2.5, 97.5])

        def near(wrong):
            slack = max(0.13 * error, 0.03 * (wrong[1] - wrong[0]), 1e-9)  # what two bootstraps differ by, and more
            return np.abs(np.array([low, high]) - wrong).max() < slack

        if near(expected):
            return
        s, others = d.std(ddof=1), own.integers(n, size=(50_000, n))
        known = {
            "a and b were drawn independently: a seed must bring both its accuracies": np.percentile(
                b[picks].mean(1) - a[others].mean(1), [2.5, 97.5]
            ),
            "that is the interval of b's own mean, not of the difference": np.percentile(b[picks].mean(1), [2.5, 97.5]),
            "that is the interval of a's own mean, not of the difference": np.percentile(a[picks].mean(1), [2.5, 97.5]),
            "that is where single seeds lie, not their mean: percentiles of the means, not of the differences": (
                np.percentile(d, [2.5, 97.5])
            ),
            "that is where single draws lie: the mean of each n draws is missing": np.percentile(
                d[picks].ravel(), [2.5, 97.5]
            ),
            "every draw was the same: seeds must be drawn with replacement": np.array([d.mean(), d.mean()]),
            "that is the percentiles 5 and 95: for 95 % take 2.5 and 97.5": np.percentile(means, [5, 95]),
            "that is the lowest and highest draw: take the percentiles 2.5 and 97.5": np.array(
                [means.min(), means.max()]
            ),
            "that is one standard deviation of the differences to each side, not a bootstrap": d.mean()
            + s * np.array([-1, 1]),
            "that is 1.96 standard deviations of single differences to each side: the standard error is smaller": (
                d.mean() + 1.96 * s * np.array([-1, 1])
            ),
            "that is one standard error to each side, not a bootstrap": d.mean() + s / n**0.5 * np.array([-1, 1]),
            "that is 1.96 standard errors to each side, not a bootstrap": d.mean()
            + 1.96 * s / n**0.5 * np.array([-1, 1]),
            "the interval was mirrored at the mean": 2 * d.mean() - expected[::-1],
            "that is the interval of a minus b": -expected[::-1],
            "the median of each draw was taken, not its mean": np.percentile(np.median(d[picks], 1), [2.5, 97.5]),
            "the best of each draw was taken, not its mean": np.percentile(d[picks].max(1), [2.5, 97.5]),
            "the best a and b of each draw were compared": np.percentile(
                b[picks].max(1) - a[picks].max(1), [2.5, 97.5]
            ),
        }
        if error > 1e-9:
            for mistake, wrong in known.items():
                assert not near(wrong), f"{call}: the interval: {mistake}"
        else:
            wide = ": the spread from seed to seed came in; draw pairs" if high - low > 1e-4 else ""
            raise AssertionError(
                f"{call}: all differences are equal: expected low = high, got {low:.4f}, {high:.4f}{wide}"
            )
        raise AssertionError(
            f"{call}: expected an interval near {expected[0]:.5f} to {expected[1]:.5f}, got {low:.5f} to {high:.5f}"
        )

    rng = np.random.default_rng(7)
    a = rng.normal(0.8, 0.03, size=12)
    check(a, a + rng.exponential(0.012, size=12) + rng.normal(0, 0.002, size=12), 0)
    again = [compare_seeds(a, a**2, np.random.default_rng(5), 200) for _ in range(2)]
    assert tuple(again[0]) == tuple(again[1]), "rng in the same state, other answers: all chance must come from rng"
    ### BEGIN HIDDEN TESTS
    check(a, a + 0.01, 1)
    for n, seed in [(8, 2), (20, 3), (40, 4)]:
        rng = np.random.default_rng(seed)
        luck = rng.normal(0.82, 0.02, size=n)
        check(luck + rng.normal(0, 0.004, size=n), luck - 0.003 + rng.normal(0, 0.004, size=n), seed)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_compare_seeds()


# %% [markdown]
# ## `mcnemar`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# One run of each model, one test part. Reviews that both models get right, or both wrong, do not tell them apart. What
# does are the reviews that exactly one gets right. If the models are equally good, each of those is a fair coin.
#
# `mcnemar(pred_a, pred_b, labels)` takes three arrays of 0 and 1, of one length, and returns a triple
# `(only_a, only_b, p)`: how many reviews only a gets right, how many only b, and the exact two-sided p-value (p 值) of
# McNemar's test. With `n = only_a + only_b` coins and `k` the smaller of the two counts, p is twice the chance of `k`
# heads **or fewer** in `n` fair tosses, but never more than 1. With no such review at all, p is 1.
#
# By hand: `only_a = 1`, `only_b = 5`. Of the 64 ways that 6 coins can fall, 1 has no head and 6 have one: the chance is
# 7/64, and p = 14/64 = 0.219. Five to one is not much evidence.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two arrays of booleans say which reviews each model gets right.
#
# <details><summary>Hint 2: the approach</summary>
#
# The chance of exactly i heads in n tosses is `math.comb(n, i) / 2**n`. Add them up from 0 to k.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `p = min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "mcnemar", "solution": true}
def mcnemar(pred_a: np.ndarray, pred_b: np.ndarray, labels: np.ndarray) -> tuple[int, int, float]:
    """How many only a gets right, how many only b, and the exact two-sided p-value."""
    ### BEGIN SOLUTION
    right_a, right_b = pred_a == labels, pred_b == labels
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    n, k = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return only_a, only_b, min(1.0, 2 * tail)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_mcnemar", "grade": true, "points": 2}
def test_mcnemar():
    """Only the reviews that one model alone gets right count."""

    def check(both, only_a, only_b, neither, seed):
        rng = np.random.default_rng(seed)
        right_a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
        right_b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
        order = rng.permutation(len(right_a))
        labels = rng.integers(2, size=len(order))
        pred_a, pred_b = (np.where(right[order], labels, 1 - labels) for right in (right_a, right_b))
        call = f"both right {both}, only a {only_a}, only b {only_b}, neither {neither}"
        try:
            answer = mcnemar(pred_a.copy(), pred_b.copy(), labels.copy())
        except (ZeroDivisionError, ValueError) as error:
            raise AssertionError(f"{call}: {error}: where neither model is alone right, p is 1") from None
        assert isinstance(answer, tuple | list) and len(answer) == 3, (
            f"{call}: expected (only_a, only_b, p): {answer!r}"
        )
        found, p = (int(answer[0]), int(answer[1])), float(answer[2])
        if found != (only_a, only_b):
            praise = right_a[order] & ~right_b[order] & (labels == 1), right_b[order] & ~right_a[order] & (labels == 1)
            known = {
                "the two counts are swapped": (only_b, only_a),
                "these count all that each gets right: only where the other is wrong": (both + only_a, both + only_b),
                "these count where each is wrong and the other is too": (only_b + neither, only_a + neither),
                "these count predictions of 1, whether right or not": (
                    int((pred_a & (1 - pred_b)).sum()),
                    int((pred_b & (1 - pred_a)).sum()),
                ),
                "these count praise only": (int(praise[0].sum()), int(praise[1].sum())),
            }
            for mistake, wrong in known.items():
                if wrong != (only_a, only_b):
                    assert found != wrong, f"{call}: {mistake}"
            raise AssertionError(f"{call}: expected the counts {(only_a, only_b)}, got {found}")
        n, k, total = only_a + only_b, min(only_a, only_b), len(labels)
        tail = stats.binom.cdf(k, n, 0.5)
        expected = min(1.0, 2 * tail)
        if abs(p - expected) < 1e-9 + 1e-6 * expected:
            return
        assert not math.isnan(p), f"{call}: p is NaN: where neither model is alone right, p is 1"
        known = {
            "that is above 1: where both counts are close, the doubled tail needs a limit": 2 * tail,
            "that is one-sided: double the tail": tail,
            "that is the chance of exactly k, doubled: 'k or fewer' adds them up": 2 * stats.binom.pmf(k, n, 0.5),
            "that is the chance of exactly k: 'k or fewer' adds them up": stats.binom.pmf(k, n, 0.5),
            "fewer than k were added up: k itself belongs to the tail": 2 * stats.binom.cdf(k - 1, n, 0.5),
            "that is the chi-square approximation, expected the exact p": (
                stats.chi2.sf((only_a - only_b) ** 2 / max(n, 1), 1)
            ),
            "that is the corrected chi-square approximation, expected the exact p": (
                stats.chi2.sf((abs(only_a - only_b) - 1) ** 2 / max(n, 1), 1)
            ),
            "all reviews were tossed: only those that one model alone gets right count": (
                min(1.0, 2 * stats.binom.cdf(k, total, 0.5))
            ),
            "that is 1 - p": 1 - expected,
            "the larger count was taken for k": min(1.0, 2 * stats.binom.cdf(max(only_a, only_b), n, 0.5)),
        }
        share_a, share_b = (both + only_a) / total, (both + only_b) / total
        pooled = (share_a + share_b) / 2
        if 0 < pooled < 1:
            z = (share_a - share_b) / (2 * pooled * (1 - pooled) / total) ** 0.5
            known["that compares two shares as if of different reviews: the test is paired"] = 2 * stats.norm.sf(abs(z))
        for mistake, wrong in known.items():
            if abs(wrong - expected) > 1e-6:
                assert abs(p - wrong) > 1e-9 + 1e-6 * abs(wrong), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected p = {expected:.6g}, got {p:.6g}")

    check(10, 1, 5, 4, 0)
    check(30, 12, 3, 5, 1)
    check(6, 2, 2, 1, 2)
    check(5, 0, 0, 2, 3)
    ### BEGIN HIDDEN TESTS
    check(0, 0, 7, 0, 4)
    check(300, 40, 25, 55, 5)
    check(1, 1, 0, 0, 6)
    check(20, 9, 10, 3, 7)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_mcnemar()


# %% [markdown]
# ## `leave_one_out`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# What does a word do to the answer? Take it away, and look. Not the weight that attention gives it: that says how much
# was *read*, and not what came of it.
#
# `leave_one_out(model, ids)` takes a list of word numbers, of length T ≥ 1, and an object with two methods, each called
# with a list of word numbers of **any** length, 0 too:
#
# - `model.score(ids)`: one number, how strongly the model holds the review for praise;
# - `model.weights(ids)`: one attention weight (注意力权重) for each word.
#
# It returns a list of T numbers. The one at place i is **the score of the whole review minus its score with place i
# taken out**: positive if the word spoke for praise. Taken out means that the list is one shorter; no other number takes
# its place. A word that occurs twice is taken out at one place at a time.
#
# By hand, with a model whose score is the mean of the numbers: for `[3, 6, 0]` the score is 3. Without the 3 it is also 3,
# without the 6 it is 1.5, without the 0 it is 4.5. So the answer is `[0, 1.5, -1.5]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# T words, so T shorter lists. How do you write "all but place i" with slices?
#
# <details><summary>Hint 2: the approach</summary>
#
# Score the whole once. Then, for each place, score `ids[:i] + ids[i + 1:]` and subtract that from it.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `[whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "leave_one_out", "solution": true}
def leave_one_out(model, ids: list[int]) -> list[float]:
    """For each place, the score of the whole review less the score without that place."""
    ### BEGIN SOLUTION
    whole = model.score(ids)
    return [whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_leave_one_out", "grade": true, "points": 2}
def test_leave_one_out():
    """Whole minus shorter, at each place; the attention weights are not asked."""

    class Reader:
        """Values and loudness for ten words; the score is what the words say, weighed by attention and place."""

        def __init__(self, seed):
            rng = np.random.default_rng(seed)
            self._value, self._loud = rng.normal(size=10).round(2), rng.normal(size=10)

        def weights(self, ids):
            loud = np.exp(self._loud[list(ids)])
            return [float(w) for w in loud / loud.sum()] if len(ids) else []

        def score(self, ids):
            ids = [int(i) for i in ids]
            places = [1 + 0.3 * place for place in range(len(ids))]
            said = sum(w * p * self._value[i] for w, p, i in zip(self.weights(ids), places, ids, strict=True))
            return float(0.5 + 4 * said)

    def check(ids, seed):
        reader, T = Reader(seed), len(ids)
        call = f"ids {ids}"
        answer = leave_one_out(reader, list(ids))
        assert isinstance(answer, list | tuple | np.ndarray), f"{call}: expected a list of {T} numbers, got {answer!r}"
        answer = np.array([float(number) for number in answer])
        assert len(answer) == T, f"{call}: expected {T} numbers, one for each place, got {len(answer)}"
        score, weights = reader.score, np.array(reader.weights(ids))
        whole = score(ids)

        def less(changed):
            return np.array([whole - score(changed(i)) for i in range(T)])

        expected = less(lambda i: ids[:i] + ids[i + 1 :])
        known = {
            "these are the attention weights: they say what was read, not what it did": weights,
            "these are the attention weights times the score: not what the word did": weights * whole,
            "the sign: expected the whole minus the shorter one": -expected,
            "the size only: a word that speaks for blame must be negative": np.abs(expected),
            "the word was replaced by 0, not taken out": less(lambda i: [*ids[:i], 0, *ids[i + 1 :]]),
            "the word was replaced by 1, not taken out": less(lambda i: [*ids[:i], 1, *ids[i + 1 :]]),
            "a word that occurs twice was taken out everywhere: one place at a time": less(
                lambda i: [other for other in ids if other != ids[i]]
            ),
            "the first place with this word was taken out, not this place": less(
                lambda i: [*ids[: ids.index(ids[i])], *ids[ids.index(ids[i]) + 1 :]]
            ),
            "that is the score without the word: subtract it from the whole": whole - expected,
            "that is the score of the word alone": np.array([score([i]) for i in ids]),
            "that is whole minus the score of the word alone: leave one out, not all others": less(lambda i: [ids[i]]),
            "the words were taken out one after the other: put each back": less(lambda i: ids[i + 1 :]),
            "the word's neighbour on the right was taken out": less(lambda i: ids[: i + 1] + ids[i + 2 :]),
            "the changes were divided by their sum of sizes": expected / max(np.abs(expected).sum(), 1e-12),
        }
        for mistake, wrong in known.items():
            if not np.allclose(wrong, expected, atol=1e-6):
                assert not np.allclose(answer, wrong, atol=1e-7), f"{call}: {mistake}"
        assert np.allclose(answer, expected, atol=1e-6), (
            f"{call}: expected {expected.round(4).tolist()}, got {answer.round(4).tolist()}"
        )

    check([3, 6, 2, 7], 0)
    check([5, 2, 5, 8, 9], 1)
    check([4], 2)
    ### BEGIN HIDDEN TESTS
    check([7, 7, 7], 3)
    check([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)
    check([9, 3, 3, 9, 1, 0, 2], 5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_leave_one_out()


# %% [markdown]
# ## `rank_agreement`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# Do two lists of numbers put the same words first? Their sizes do not matter for that, only their order. Spearman's
# rank correlation (斯皮尔曼等级相关) replaces each number by its rank, and takes the ordinary correlation (相关系数) of the
# ranks: 1 for the same order, −1 for the reverse, about 0 for orders that have nothing to do with each other.
#
# `rank_agreement(a, b)` takes two arrays of length `n ≥ 2` and returns one number. The smallest number has rank 1. Equal
# numbers (并列 ties) all get the **mean** of the ranks that they would take up together. If all numbers of `a`, or all of
# `b`, are equal, there is no order to compare: return `0.0`.
#
# By hand: `a = [10, 30, 20, 20]` has the ranks `[1, 4, 2.5, 2.5]`, and `b = [1, 8, 3, 5]` the ranks `[1, 4, 2, 3]`. All
# ranks have the mean 2.5. The centred ranks are (−1.5, 1.5, 0, 0) and (−1.5, 1.5, −0.5, 0.5); the sum of their products is
# 4.5, of their squares 4.5 and 5. The correlation is 4.5/√(4.5 · 5) = 0.949.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The rank of a number follows from how many numbers are smaller, and how many are equal.
#
# <details><summary>Hint 2: the approach</summary>
#
# With `s` smaller ones and `e` equal ones, itself counted, the ranks that they share run from s + 1 to s + e, with the
# mean s + (e + 1)/2. (`np.argsort` gives something else: where the smallest number stands.)
#
# <details><summary>Hint 3: the shapes</summary>
#
# `(x[:, None] > x).sum(axis=1)` counts the smaller ones, shape `(n,)`; with `==` the equal ones.
#
# </details></details></details>


# %% nbgrader={"grade_id": "rank_agreement", "solution": true}
def rank_agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; ties share their mean rank; 0.0 where one of the two is constant."""
    ### BEGIN SOLUTION
    centred = []
    for x in (a, b):
        ranks = (x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2  # (n,)
        centred.append(ranks - ranks.mean())
    r, s = centred
    size = math.sqrt((r @ r) * (s @ s))
    return float(r @ s) / size if size else 0.0
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_rank_agreement", "grade": true, "points": 2}
def test_rank_agreement():
    """The correlation of ranks, with ties at their mean rank."""

    def pearson(x, y):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        x, y = x - x.mean(), y - y.mean()
        size = float(np.sqrt((x @ x) * (y @ y)))
        return float(x @ y) / size if size > 1e-12 else 0.0

    def check(a, b):
        a, b = np.array(a, dtype=float), np.array(b, dtype=float)
        n = len(a)
        call = f"a = {a.tolist()}, b = {b.tolist()}" if n < 8 else f"{n} numbers"
        constant = bool((a == a[0]).all() or (b == b[0]).all())
        try:
            answer = rank_agreement(a.copy(), b.copy())
            answer = float(answer)
        except ZeroDivisionError:
            raise AssertionError(f"{call}: division by zero: where all numbers are equal, return 0.0") from None
        assert not (math.isnan(answer) and constant), f"{call}: NaN: where all numbers are equal, return 0.0"
        mean, first = ([stats.rankdata(x, method) for x in (a, b)] for method in ("average", "ordinal"))
        expected = pearson(*mean)
        if abs(answer - expected) < 1e-6:
            return
        known = {
            "that is the correlation of the numbers themselves: take their ranks": pearson(a, b),
            "equal numbers got different ranks: ties share their mean rank": pearson(*first),
            "np.argsort does not give ranks: it gives where the smallest stands": pearson(np.argsort(a), np.argsort(b)),
            "equal numbers got the lowest of their ranks: ties share the mean": pearson(
                *(stats.rankdata(x, "min") for x in (a, b))
            ),
            "equal numbers got the highest of their ranks: ties share the mean": pearson(
                *(stats.rankdata(x, "max") for x in (a, b))
            ),
            "after equal numbers the ranks went on without a gap: ties use up as many ranks as they are": pearson(
                *(stats.rankdata(x, "dense") for x in (a, b))
            ),
            "the short formula with 6 and the squared differences is right only without ties": (
                1 - 6 * ((mean[0] - mean[1]) ** 2).sum() / (n * (n * n - 1))
            ),
            "that is Kendall's tau: count ranks, not pairs": 0.0 if constant else stats.kendalltau(a, b).statistic,
            "the sign is lost: a reversed order is -1": abs(expected),
            "the sign is turned: the same order is 1": -expected,
        }
        for mistake, wrong in known.items():
            if abs(wrong - expected) > 1e-6:
                assert abs(answer - wrong) > 1e-6, f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected {expected:.6g}, got {answer:.6g}")

    check([10, 30, 20, 25, 90], [1, 8, 3, 9, 5])
    check([10, 30, 20, 20], [1, 8, 3, 5])
    check([0.1, 0.4, 0.2, 0.9, 0.3], [5, 2, 4, 1, 3])
    check([2, 2, 2], [1, 2, 3])
    ### BEGIN HIDDEN TESTS
    check([1, 2], [5, 5])
    check([1, 2], [7, 3])
    rng = np.random.default_rng(13)
    for n in (5, 12, 60):
        x = rng.normal(size=n)
        check(x, np.exp(3 * x))
        check(x, x + rng.normal(size=n))
        check(rng.integers(4, size=n), rng.integers(3, size=n) - 1)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_rank_agreement()

# %% [markdown] nbgrader={"grade_id": "what_ten_seeds_prove", "task": true, "points": 4}
# ## What do these ten seeds prove?
# *difficulty ●●○ · importance ●●● · 15 min · graded by a person*
#
# A report says: "We trained model A and model B with the seeds 0 to 9, on one split of the reviews. Seed by seed, B was
# better by 0.8 points of accuracy in the mean, with an interval of 95 % from 0.2 to 1.4; it won with eight seeds of ten.
# So B is the better model for hotel reviews."
#
# In the cell below, in five to eight sentences: what do these ten seeds show, and what do they not show? Name one more
# measurement that you would ask for before you believed the last sentence, and say what it would tell.
#
# ### BEGIN MARK SCHEME
# 1 point each:
#
# - **What a seed changes.** The start of the weights, the order of the batches, dropout: the interval is about the luck
#   of training, for this data, this split and these settings.
# - **What is shown.** Compared in pairs, the interval leaves out 0: trained anew in the same way, B is better *in the
#   mean*. Not each time: with two of these ten seeds it was not. ("With 95 % probability B is better" earns nothing.)
# - **What is not shown.** The reviews that were tested on are the same ten times over: ten seeds say nothing of the luck
#   of the test part, nor of other hotels, other years, other lengths. Nor why B is better, nor that both had the same
#   number of weights, of trials and of hours.
# - **A measurement that fits a gap which was named**, and what it would tell: McNemar's test or a bootstrap over reviews
#   (is the difference larger than the luck of the test part?), other splits or another source of reviews (does it hold
#   elsewhere?), a tuned A (was it the effort?). "More seeds" alone does not close any of these gaps.
# ### END MARK SCHEME

# %% [markdown]
# *Your answer: double-click here and write over this line.*
