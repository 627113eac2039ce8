# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
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
# **You need** NumPy: arrays of booleans, sums, sorting. Plan about two hours.
#
# **Labels.** 1 = praise, the positive class; 0 = blame. A *prediction* is 0 or 1, like a label.
#
# Each exercise stands alone: none of them needs your answer to another one. SciPy may be used wherever it helps.

# %%
import math
from collections.abc import Iterable

import numpy as np
from scipy import stats  # noqa: F401  for you to use

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


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
# Hint 1 (a nudge): Fill the matrix first. The other two numbers are made of its four entries.
#
# Hint 2 (the approach): An entry counts the places where two comparisons hold at once: label = row, and prediction =
# column.
#
# Hint 3 (the tools): Two comparisons of arrays are joined by `&`, each in brackets of its own. The sum of an array of
# truth values counts those that are true. A list of two lists of counts becomes a matrix by `np.array`.


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
    first = np.array([1, 1, 0, 0, 0, 1]), np.array([1, 1, 1, 1, 0, 0])
    check(evaluate, *first, gives=(0.5, 0.5714, [[1, 1], [2, 2]]))
    check(evaluate, np.array([1, 0, 0, 0, 0, 0, 0]), np.array([1, 1, 1, 1, 1, 0, 0]))
    check(evaluate, np.array([0, 0, 0]), np.array([0, 0, 0]))
    check(evaluate, np.array([0, 0, 0]), np.array([1, 1, 0]))
    ### BEGIN HIDDEN TESTS
    check(evaluate, np.array([1]), np.array([1]), about="one review")
    check(evaluate, np.array([1]), np.array([0]), about="one review, taken for praise")
    check(evaluate, np.array([1, 1, 1]), np.array([0, 0, 0]), about="no praise")
    check(evaluate, np.array([1, 1]), np.array([1, 1]), about="praise alone")
    check(evaluate, np.ones(300, dtype=int), np.ones(300, dtype=int), about="300 reviews, praise alone")
    check(evaluate, np.array([1, 0, 1, 1], np.uint8), np.array([1, 1, 0, 1], np.uint8), about="bytes")
    rng = np.random.default_rng(3)
    for n in (5, 40, 300):
        predictions, labels = rng.integers(2, size=n), (rng.random(n) < 0.7).astype(int)
        check(evaluate, predictions, labels, about=f"{n} reviews")
    check(evaluate, predictions.astype(np.int8), labels.astype(np.int8), about="300 reviews, in bytes")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): Which two numbers do you have to carry from batch to batch?
#
# Hint 2 (the approach): Count what is right, and count the reviews. Divide once, at the end.
#
# Hint 3 (the shapes): `argmax` along the axis of the classes makes `(B,)` of `(B, C)`: one predicted label for each review, to
# be compared with the labels.


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
def one_by_one(sizes, hits, C):
    """The accuracy over batches of these sizes, with so many right in each; they come one at a time."""
    rng = np.random.default_rng(sum(sizes))
    batches = []
    for size, right in zip(sizes, hits, strict=True):
        labels, logits = rng.integers(C, size=size), rng.random((size, C)) - 9
        chosen = (labels + (np.arange(size) >= right)) % C  # right ones first
        logits[np.arange(size), chosen] += 1
        batches.append((logits, labels))
    return evaluate_batches(iter(batches))


def test_evaluate_batches():
    """Each review counts once, whichever batch it is in."""
    check(one_by_one, [8, 2], [4, 2], 2, gives=0.6)
    check(one_by_one, [8, 8, 3], [6, 8, 0], 2)
    check(one_by_one, [4, 4, 1], [1, 3, 1], 3)
    ### BEGIN HIDDEN TESTS
    check(one_by_one, [5], [3], 2, about="one batch")
    check(one_by_one, [1, 1, 1], [0, 1, 1], 4, about="batches of one review")
    check(one_by_one, [16, 16, 16, 7], [8, 12, 16, 2], 2, about="four batches")
    check(one_by_one, [2, 9, 4], [0, 9, 1], 5, about="a small batch first, five labels")
    check(one_by_one, [3, 3], [0, 0], 3, about="nothing right")
    check(one_by_one, [4, 2, 4], [4, 2, 0], 2, about="a small batch in the middle")
    check(one_by_one, [3, 1], [3, 1], 1, about="one label only")

    def in_one_batch(*logits):
        """The accuracy over one batch of these logits, in which the last label is always the right one."""
        rows = np.array(logits)
        return evaluate_batches(iter([(rows, np.full(len(rows), rows.shape[1] - 1))]))

    check(in_one_batch, [1.0, 1.0 + 1e-9], about="logits that are nearly equal")
    check(in_one_batch, [1000.0, 2000.0], [-2000.0, -1000.0], about="large logits")
    ### END HIDDEN TESTS


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
# The dicts may list their seeds in any order, and an accuracy may be 0.
#
# By hand: `a = {0: 0.80, 1: 0.84, 2: 0.82, 9: 0.90}` and `b = {2: 0.85, 0: 0.81, 1: 0.86}`. Seed 9 has no partner. The
# differences are 0.01, 0.02 and 0.03: mean 0.02, s = 0.01, error 0.01/√3 = 0.00577.
#
# Hint 1 (a nudge): What is subtracted from what, for seed 2?
#
# Hint 2 (the approach): One list of differences, made by looking each shared seed up in both dicts. Everything else is
# about this list.
#
# Hint 3 (the tools): `seed in b` asks whether b has a seed. NumPy's `std` has n below the sum, unless its `ddof` says
# how much less.


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
    a = {9: 0.90, 0: 0.80, 1: 0.84, 2: 0.82}
    check(paired_difference, a, {2: 0.85, 0: 0.81, 1: 0.86}, gives=(0.02, 0.00577))
    check(paired_difference, {0: 0.8, 1: 0.84, 2: 0.83}, {0: 0.81, 1: 0.86, 2: 0.88})
    check(paired_difference, a, {2: 0.84, 0: 0.81, 1: 0.86})
    check(paired_difference, {4: 0.7, 5: 0.9}, {5: 0.85, 4: 0.72, 6: 0.5})
    ### BEGIN HIDDEN TESTS
    check(paired_difference, {0: 0.0, 3: 0.5, 1: 0.25}, {1: 0.0, 0: 0.75, 3: 0.125}, about="an accuracy of 0")
    check(paired_difference, {1: 0.5, 2: 0.625}, {2: 0.75, 1: 0.625}, about="equal differences")
    for step in (0.1, 0.3, 0.7):
        a = {1: 0.0, 2: 0.1, 3: 0.2}
        check(paired_difference, a, {seed: x + step for seed, x in a.items()}, about="equal differences")
    check(paired_difference, {1: 1, 2: 0, 3: 1, 4: 0}, {4: 1, 3: 1, 2: 1, 5: 0}, about="whole numbers")
    rng = np.random.default_rng(11)
    for n in (2, 10, 25):
        luck = 0.7 + 0.2 * rng.random(n + 3)
        a = {int(seed): float(luck[seed]) for seed in rng.random(n + 1).argsort()}
        b = {int(seed) + 1: float(luck[seed + 1] + 0.03 * rng.random()) for seed in rng.random(n + 2).argsort()}
        check(paired_difference, a, b, about=f"{n} shared seeds")
    ### END HIDDEN TESTS


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
# (0.01, 0.01, 0.01), however much the accuracies vary from seed to seed. With a single draw, both percentiles are its mean.
#
# Hint 1 (a nudge): Draw seeds, not accuracies: a seed that is drawn brings both its numbers.
#
# Hint 2 (the approach): Make the differences first, then draw from those. One draw gives one mean; the percentiles are
# of the means.
#
# Hint 3 (the shapes): `rng.integers` takes a `size`: with `(count, n)`, each row has the places of one draw. An array
# that is asked for many places at once answers in their shape, and the means along the last axis are `(count,)`.


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
LUCK = np.array([0.6] * 4 + [1.0] * 16)  # some seeds have bad luck, some good luck
ALIKE = np.full(20, 0.8)
FEW = np.array([0.1, 0.0, 0.0, 0.0, 0.0] * 2 + [0.0] * 10)  # two seeds of twenty make the difference


def repeats(a, b, seed, other):
    """Whether low and high are the same again, with generators made with these two seeds."""
    one, two = (compare_seeds(a, b, np.random.default_rng(number), 200) for number in (seed, other))
    return [float(one[1]) == float(two[1]), float(one[2]) == float(two[2])]


def test_compare_seeds():
    """Draws pairs of the same seed, with replacement, and gives the percentiles of their means."""
    check(compare_seeds, LUCK, LUCK + 0.01, np.random.default_rng(0), 4000, gives=(0.01, 0.01, 0.01))
    check(compare_seeds, ALIKE, ALIKE + FEW, np.random.default_rng(1), 4000)
    check(compare_seeds, ALIKE + FEW, ALIKE, np.random.default_rng(2), 4000)
    check(repeats, ALIKE, np.random.default_rng(7).random(20), 5, 5, gives=[True, True])

    ### BEGIN HIDDEN TESTS
    def one_draw(a, b):
        """Of one draw, both percentiles are its mean; of many, they are not."""
        once, often = (compare_seeds(a, b, np.random.default_rng(3), count) for count in (1, 500))
        return [float(once[1]) == float(once[2]), float(often[1]) < float(often[2])]

    def narrow(a, b):
        """Whether the interval is narrower than the spread of luck would make it."""
        _, low, high = compare_seeds(a, b, np.random.default_rng(4))
        return [bool(low > -0.03), bool(high < 0.05)]

    rng = np.random.default_rng(7)
    luck, half = 0.3 + 0.6 * rng.random(16), np.array([0.03, -0.01] * 8)
    check(compare_seeds, ALIKE[:16], ALIKE[:16] + half, np.random.default_rng(5), 4000, about="16 seeds")
    check(compare_seeds, luck, luck + half, np.random.default_rng(6), 4000, about="the luck of each seed in both")
    check(compare_seeds, ALIKE, ALIKE + FEW, np.random.default_rng(8), about="without a count")
    check(compare_seeds, ALIKE[:3], ALIKE[:3] - 0.25, np.random.default_rng(9), 300, about="three seeds")
    check(repeats, luck, luck + rng.random(16) / 9, 1, 2, about="another generator")
    check(one_draw, luck, luck + rng.random(16) / 9, about="a single draw")
    check(narrow, luck, luck + half, about="pairs")
    ### END HIDDEN TESTS


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
# 7/64, and p = 14/64 = 0.219. Five to one is not much evidence. There may be more than a thousand coins, too many for a
# power of 2 to be a float.
#
# Hint 1 (a nudge): Two arrays of booleans say which reviews each model gets right.
#
# Hint 2 (the approach): The chance of exactly i heads in n tosses is `math.comb(n, i) / 2**n`. Add them up from 0 to k.
#
# Hint 3 (the edge): Add up whole numbers, and divide last: Python divides two whole numbers of any size. If both counts
# are equal, twice the tail is above 1.


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
def compare(both, only_a, only_b, neither):
    """The answer for reviews of which so many are right in both models, in a alone, in b alone, and in neither."""
    counts, rng = [both, only_a, only_b, neither], np.random.default_rng(both + only_b)
    order = rng.random(sum(counts)).argsort()
    right_a, right_b = np.repeat([1, 1, 0, 0], counts)[order], np.repeat([1, 0, 1, 0], counts)[order]
    labels = rng.integers(2, size=len(order))
    return mcnemar((labels + right_a + 1) % 2, (labels + right_b + 1) % 2, labels)


def test_mcnemar():
    """Only the reviews that one model alone gets right count."""
    check(compare, 10, 1, 5, 4, gives=(1, 5, 0.2188))
    check(compare, 30, 12, 3, 5)
    check(compare, 6, 2, 2, 1)
    check(compare, 5, 0, 0, 2)
    ### BEGIN HIDDEN TESTS
    check(compare, 0, 0, 7, 0, about="only b is ever right")
    check(compare, 300, 40, 25, 55, about="420 reviews")
    check(compare, 1, 1, 0, 0, about="a single review that tells")
    check(compare, 0, 0, 0, 3, about="nobody right")
    check(compare, 20, 9, 10, 3, about="counts that are close")
    check(compare, 100, 600, 600, 10, about="1200 coins")
    check(compare, 50, 720, 640, 10, about="1360 coins")
    rows = np.array([[1, 0, 1, 1, 0, 1], [0, 0, 1, 0, 1, 1], [1, 1, 1, 1, 1, 0]], np.uint8)
    check(mcnemar, *rows, about="bytes")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): T words, so T shorter lists. How do you write "all but place i" with slices?
#
# Hint 2 (the approach): Score the whole once. Then, for each place, score `ids[:i] + ids[i + 1:]` and subtract that
# from it.
#
# Hint 3 (the edge): A slice ends before its last number, so what comes after place i begins at i + 1. With a single
# word, the shorter list is empty, and the model has a score for it.


# %% nbgrader={"grade_id": "leave_one_out", "solution": true}
def leave_one_out(model, ids: list[int]) -> list[float]:
    """For each place, the score of the whole review less the score without that place."""
    ### BEGIN SOLUTION
    whole = model.score(ids)
    return [whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_leave_one_out", "grade": true, "points": 2}
class Mean:
    """A model whose score is the mean of the numbers; it reads all places alike."""

    def weights(self, ids):
        return [1 / len(ids)] * len(ids)

    def score(self, ids):
        return float(sum(ids)) / max(len(ids), 1)


class Reader:
    """A model whose score is what the words say, weighed by attention and by place."""

    def weights(self, ids):
        loud = [(1, 3, 2, 5, 1, 2, 4, 1, 6, 2)[i] for i in ids]
        return [number / sum(loud) for number in loud]

    def score(self, ids):
        said = [(0.5, -1.25, 2.0, -0.75, 1.5, 0.25, -2.5, 3.0, 1.0, -0.5)[i] for i in ids]
        return 0.5 + 4 * sum(w * (1 + 0.3 * place) * x for place, (w, x) in enumerate(zip(self.weights(ids), said)))


def test_leave_one_out():
    """Whole minus shorter, at each place; the attention weights are not asked."""
    check(leave_one_out, Mean(), [3, 6, 0], gives=[0.0, 1.5, -1.5])
    check(leave_one_out, Reader(), [3, 6, 2, 7])
    check(leave_one_out, Reader(), [5, 2, 5, 8, 9])
    check(leave_one_out, Reader(), [4])
    ### BEGIN HIDDEN TESTS
    check(leave_one_out, Reader(), [7, 7, 7], about="one word three times")
    check(leave_one_out, Reader(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], about="ten words")
    check(leave_one_out, Reader(), [9, 3, 3, 9, 1, 0, 2], about="two words twice")
    check(leave_one_out, Reader(), [0, 0], about="the number 0")
    check(leave_one_out, Mean(), [1, 1, 1, 1], about="a word that does nothing")

    class Times:
        """A model whose score is the sum of the numbers, so many times; it adds a list to what it reads."""

        def __init__(self, times):
            self.times = times

        def weights(self, ids):
            return [1 / len(ids)] * len(ids)

        def score(self, ids):
            return float(self.times * sum(ids + [0] * len(ids)))

    check(leave_one_out, Times(1), [1, 2], about="a model that adds up")
    check(leave_one_out, Times(10), [1, 2], about="the same review, another model")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): The rank of a number follows from how many numbers are smaller, and how many are equal.
#
# Hint 2 (the approach): With `s` smaller ones and `e` equal ones, itself counted, the ranks that they share run
# from s + 1 to s + e, with the mean s + (e + 1)/2. (`np.argsort` gives something else: where the smallest number
# stands.)
#
# Hint 3 (the shapes): `(x[:, None] > x).sum(axis=1)` counts the smaller ones, shape `(n,)`; with `==` the equal ones.


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
    check(rank_agreement, np.array([10.0, 30.0, 20.0, 20.0]), np.array([1.0, 8.0, 3.0, 5.0]), gives=0.9487)
    check(rank_agreement, np.array([10.0, 30.0, 20.0, 25.0, 90.0]), np.array([1.0, 8.0, 3.0, 9.0, 5.0]))
    check(rank_agreement, np.array([0.1, 0.3, 0.3, 0.9, 0.5]), np.array([5.0, 2.0, 4.0, 1.0, 3.0]))
    check(rank_agreement, np.array([2.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    ### BEGIN HIDDEN TESTS
    check(rank_agreement, np.array([1.0, 2.0]), np.array([5.0, 5.0]), about="two numbers, one list constant")
    check(rank_agreement, np.array([1.0, 2.0]), np.array([7.0, 3.0]), about="two numbers")
    check(rank_agreement, np.array([3.0, 3.0, 1.0, 2.0]), np.array([0.1, 0.1, 0.1, 0.1]), about="a constant list")
    check(rank_agreement, np.array([3, 1, 2, 2, 9]), np.array([-4, 0, -1, 7, 0]), about="whole numbers")
    check(rank_agreement, np.array([0.1, 0.1, 0.1]), np.array([1.0, 2.0, 3.0]), about="a constant list")
    check(rank_agreement, np.array([2.0, 2.0]), np.array([3.0, 3.0]), about="two constant lists")
    check(rank_agreement, np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0, 2.0]), about="ties in one list")
    check(rank_agreement, np.array([200, 3, 90], np.uint8), np.array([7, 250, 9], np.uint8), about="bytes")
    check(rank_agreement, np.array([1e-9, 3e-9, 2e-9, 4e-9]), np.array([1e9, 1e9 + 1, 1e9 + 3, 1e9 + 2]), about="sizes")
    rng = np.random.default_rng(13)
    for n in (5, 12, 60):
        x = rng.random(n) * 4 - 2
        check(rank_agreement, x, np.exp(3 * x), about=f"the same order, n = {n}")
        check(rank_agreement, x, x + rng.random(n) * 5, about=f"no ties, n = {n}")
        tied = rng.integers(4, size=12), rng.integers(3, size=12) - 1
        check(rank_agreement, *tied, about="many ties")
    ### END HIDDEN TESTS


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
