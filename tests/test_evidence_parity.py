"""The exercises of `evidence` against scikit-learn, SciPy and brute force, and what the stored runs say."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from benchmarks import experiments
from solutions.classification import evidence, models, training

BITS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)


@given(BITS)
def test_evaluate_is_scikit_learns(rows: list[tuple[int, int, int]]) -> None:
    predictions, labels, _ = np.array(rows).T
    accuracy, f1, confusion = evidence.evaluate(predictions, labels)
    assert accuracy == pytest.approx(metrics.accuracy_score(labels, predictions))
    assert f1 == pytest.approx(metrics.f1_score(labels, predictions, zero_division=0))
    assert np.array_equal(confusion, metrics.confusion_matrix(labels, predictions, labels=[0, 1]))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(2, 4), st.integers(0, 99))
def test_batches_of_any_sizes_count_each_review_once(sizes: list[int], C: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(sum(sizes), C)), rng.integers(C, size=sum(sizes))
    cuts = np.cumsum(sizes)[:-1]
    batches = zip(np.split(logits, cuts), np.split(labels, cuts), strict=True)
    assert evidence.evaluate_batches(batches) == pytest.approx(metrics.accuracy_score(labels, logits.argmax(1)))


@pytest.mark.parametrize("n", [2, 7, 30])
def test_paired_difference_is_the_paired_t_test(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.8, 0.02, n), rng.normal(0.81, 0.02, n)
    mean, error = evidence.paired_difference(dict(enumerate(a)), dict(reversed(list(enumerate(b)))))
    assert mean == pytest.approx((b - a).mean()) and error == pytest.approx(stats.sem(b - a))
    assert mean / error == pytest.approx(stats.ttest_rel(b, a).statistic)


@pytest.mark.parametrize("n", [5, 12])
def test_compare_seeds_is_scipys_bootstrap(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(0.8, 0.02, n)
    b = a + rng.exponential(0.01, n)
    _, low, high = evidence.compare_seeds(a, b, rng, 100_000)
    theirs = stats.bootstrap((b - a,), np.mean, method="percentile", n_resamples=100_000, rng=1).confidence_interval
    error = (b - a).std() / math.sqrt(n)
    assert low == pytest.approx(theirs.low, abs=0.05 * error) and high == pytest.approx(theirs.high, abs=0.05 * error)


def test_compare_seeds_against_every_draw_there_is() -> None:
    a, b = np.array([0.80, 0.82, 0.79, 0.83]), np.array([0.81, 0.83, 0.78, 0.87])
    every = [np.mean((b - a)[list(picks)]) for picks in itertools.product(range(4), repeat=4)]
    mean, low, high = evidence.compare_seeds(a, b, np.random.default_rng(0), 200_000)
    assert mean == pytest.approx(np.mean(every))
    assert (low, high) == pytest.approx(np.percentile(every, [2.5, 97.5]), abs=1e-9)


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    """Of 20 paired seeds; a percentile interval of so few is a little too narrow, and by no means wider."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(400):
        luck = rng.normal(0.8, 0.03, 20)
        _, low, high = evidence.compare_seeds(luck, luck + rng.normal(0.01, 0.01, 20), rng, 500)
        held += low <= 0.01 <= high
    assert 0.88 <= held / 400 <= 0.97


@given(BITS)
def test_mcnemar_is_scipys_exact_binomial_test(rows: list[tuple[int, int, int]]) -> None:
    a, b, labels = np.array(rows).T
    only_a, only_b, p = evidence.mcnemar(a, b, labels)
    assert only_a == sum(x == y != z for x, z, y in rows) and only_b == sum(z == y != x for x, z, y in rows)
    n = only_a + only_b
    assert p == pytest.approx(stats.binomtest(only_a, n).pvalue if n else 1.0)
    ways = [sum(coins) for coins in itertools.product((0, 1), repeat=n)] if n <= 10 else []
    if ways:
        tail = Fraction(sum(heads <= min(only_a, only_b) for heads in ways), len(ways))
        assert p == pytest.approx(float(min(Fraction(1), 2 * tail)))


class Reader:
    """A small case 1 as the exercise meets it."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        self.model = models.Case1(20, 8, 2, masked=True).double().eval()

    def logits(self, rows: list[list[int]]) -> torch.Tensor:
        ids, mask, _ = training.collate([(row, 0) for row in rows])
        with torch.no_grad():
            return self.model(ids, mask)[1]

    def score(self, ids: list[int]) -> float:
        return float(self.logits([ids]) @ torch.tensor([-1.0, 1.0], dtype=torch.float64))

    def weights(self, ids: list[int]) -> list[float]:
        with torch.no_grad():
            return self.model(*training.collate([(ids, 0)])[:2])[0][0].mean(0).tolist()


def test_leave_one_out_of_a_real_model_by_one_batch() -> None:
    reader, ids = Reader(), [3, 9, 3, 17, 5, 11]
    batch = reader.logits([ids, *([other for j, other in enumerate(ids) if j != i] for i in range(len(ids)))])
    scores = (batch[:, 1] - batch[:, 0]).numpy()
    assert np.allclose(evidence.leave_one_out(reader, ids), scores[0] - scores[1:], atol=1e-10)


def test_in_case_1_read_times_said_is_the_score() -> None:
    """What the page says of case 1: the means of the columns weigh the values."""
    reader, ids = Reader(), [3, 9, 3, 17, 5, 11]
    model = reader.model
    with torch.no_grad():
        values = model.attention.value(model.embedding(torch.tensor(ids)))
        said = values @ (model.classifier.weight[1] - model.classifier.weight[0])
        bias = float(model.classifier.bias[1] - model.classifier.bias[0])
    assert float(np.dot(reader.weights(ids), said.numpy())) + bias == pytest.approx(reader.score(ids), abs=1e-9)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=15))
def test_rank_agreement_is_scipys_spearman(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=float).T
    constant = np.ptp(a) == 0 or np.ptp(b) == 0
    expected = 0.0 if constant else stats.spearmanr(a, b).statistic
    assert evidence.rank_agreement(a, b) == pytest.approx(expected, abs=1e-12)


def test_the_stored_runs_score_as_the_exercise_scores_them() -> None:
    stored = experiments.load()
    runs = [run for run in stored["runs"] if "test" in run]
    if not runs:
        pytest.skip("no results yet: make experiments")
    labels = np.array(experiments.predictions({"bits": stored["test_labels"], "count": stored["sizes"]["test"]}))
    for run in runs:
        accuracy, f1, _ = evidence.evaluate(np.array(experiments.predictions(run["test"])), labels)
        assert (accuracy, f1) == pytest.approx((run["test"]["accuracy"], run["test"]["f1"])), (run["name"], run["seed"])
