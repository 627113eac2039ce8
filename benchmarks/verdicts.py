"""How often five ways of comparing two models come to the right verdict: imagined experiments, whose truth is known.

A review is one of four kinds: only model A ever gets it right, only B does, it is a toss-up in each run anew, or it is
the same for both. The shares of these kinds, and how much a run as a whole is better or worse by its seed, are taken
from the chapter's own runs (`luck`). `verdicts` imagines experiments, and asks each way for its verdict at 95 %:

    ahead      one run of each model: whoever has more reviews right is better
    mcnemar    one run of each model: whoever is ahead, where McNemar's test says so
    seeds      so many runs of each: Student's t over the seeds, in pairs
    reviews    so many runs of each: the interval over the reviews, of each review's mean over the seeds
    both       both these intervals are clear of 0

The interval over the reviews is mean ± 1.96 standard errors, which is what the paired bootstrap comes to on a hundred
reviews and more; a test holds the two against each other.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special, stats

WAYS = ("ahead", "mcnemar", "seeds", "reviews", "both")
GAPS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)  # points by which B is better
SEEDS = (2, 3, 5, 10, 20)
REVIEWS = (100, 300, 960, 3000, 10_000)
Z = 1.959964


@dataclass(frozen=True)
class Luck:
    """What a run's accuracy owes to chance."""

    tossed: float  # share of the reviews that each run decides anew
    apart: float  # share of the reviews that only one of the two models ever gets right
    seed: float  # standard deviation of a run's accuracy by its seed, on as many reviews as you like


def luck(a: np.ndarray, b: np.ndarray) -> Luck:
    """From the runs of two models, (seeds, reviews) of True for right.

    Two runs of one model differ on half of the toss-ups; two runs of different models differ on these, and on the
    reviews that set the models apart. What the accuracies vary beyond the toss-ups is the seed's.
    """
    alone = [np.mean([np.mean(x != y) for x, y in itertools.combinations(runs, 2)]) for runs in (a, b)]
    between = np.mean([np.mean(x != y) for x in a for y in b])
    own = [runs.mean(axis=1).var(ddof=1) - share / 2 / runs.shape[1] for runs, share in zip((a, b), alone, strict=True)]
    same = float(np.mean(alone))
    return Luck(round(2 * same, 2), round(float(between) - same, 2), round(float(np.sqrt(np.mean(own))), 3))


def experiment(rng: np.random.Generator, gap: float, seeds: int, reviews: int, by: Luck) -> np.ndarray:
    """B less A on each review in each run, −1, 0 or 1: (seeds, reviews). B is better by `gap`, a share."""
    apart = max(by.apart, gap)
    kinds = rng.choice(4, size=reviews, p=[(apart - gap) / 2, (apart + gap) / 2, by.tossed, 1 - apart - by.tossed])
    found = np.tile(np.array([-1, 1, 0, 0], np.int8)[kinds], (seeds, 1))
    tossed = kinds == 2
    chance = np.clip(0.5 + rng.normal(0, by.seed, (2, seeds, 1)) / by.tossed, 0, 1)
    a, b = rng.random((2, seeds, int(tossed.sum())), dtype=np.float32) < chance
    found[:, tossed] = b.astype(np.int8) - a
    return found


@cache
def student(seeds: int) -> float:
    """How many standard errors Student's t allows at 95 %."""
    return float(stats.t.ppf(0.975, seeds - 1))


def sides(found: np.ndarray) -> list[int]:
    """The verdict of each way: 1 for B, −1 for A, 0 for not shown."""
    ahead = int(found[0].sum())
    n = int(np.abs(found[0]).sum())
    p = min(1.0, 2 * special.bdtr((n - abs(ahead)) // 2, n, 0.5)) if n else 1.0
    over_seeds, over_reviews = found.mean(axis=1), found.mean(axis=0)
    verdicts = [int(np.sign(ahead)), int(np.sign(ahead)) if p < 0.05 else 0]
    for values, times in ((over_seeds, student(len(found))), (over_reviews, Z)):
        error = values.std(ddof=1) / np.sqrt(len(values))
        verdicts.append(int(np.sign(values.mean())) if abs(values.mean()) > times * error else 0)
    return [*verdicts, verdicts[2] if verdicts[2] == verdicts[3] else 0]


def verdicts(seeds: int, reviews: int, tossed: float, apart: float, seed: float, count: int = 1000) -> Any:
    """For each gap of GAPS and each of WAYS: in how many of `count` experiments it said B, and A."""
    by, rows = Luck(tossed, apart, seed), []
    for at, gap in enumerate(GAPS):
        rng = np.random.default_rng([at, seeds, reviews])
        said = np.array([sides(experiment(rng, gap / 100, seeds, reviews, by)) for _ in range(count)])
        rows.append([[int((way == 1).sum()), int((way == -1).sum())] for way in said.T])
    return rows
