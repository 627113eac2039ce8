"""Imagined experiments (benchmarks/verdicts.py): each way's verdicts, held against SciPy, and the figure of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import kept, verdicts
from benchmarks.verdicts import GAPS, REVIEWS, SEEDS, WAYS, Luck

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"
BY = Luck(0.24, 0.04, 0.01)


@pytest.mark.parametrize(("gap", "seeds", "reviews"), [(0.0, 5, 960), (0.03, 2, 300), (0.05, 20, 3000)])
def test_a_measured_difference_varies_as_the_figure_draws_it(gap: float, seeds: int, reviews: int) -> None:
    """By the luck of the seeds, of the toss-ups, and of the reviews that set the models apart."""
    rng = np.random.default_rng(0)
    found = np.array([verdicts.experiment(rng, gap, seeds, reviews, BY).mean() for _ in range(1500)])
    own = max(BY.apart, gap) - gap**2
    variance = 2 * BY.seed**2 / seeds + (own + BY.tossed / 2 / seeds) / reviews
    assert found.mean() == pytest.approx(gap, abs=4 * np.sqrt(variance / 1500))
    assert found.std() == pytest.approx(np.sqrt(variance), rel=0.08)


def test_each_verdict_is_scipys() -> None:
    rng = np.random.default_rng(1)
    told = []
    for gap in (0.0, 0.01, 0.03, 0.05) * 8:
        found = verdicts.experiment(rng, gap, 5, 960, BY)
        only_b, only_a = int((found[0] == 1).sum()), int((found[0] == -1).sum())
        mcnemar = stats.binomtest(only_b, only_a + only_b).pvalue < 0.05
        over_seeds = stats.ttest_1samp(found.mean(axis=1), 0).pvalue < 0.05
        drawn = stats.bootstrap(
            (found.mean(axis=0),), np.mean, n_resamples=3000, method="percentile", rng=np.random.default_rng(2)
        ).confidence_interval
        side = int(np.sign(found.mean()))
        said = verdicts.sides(found)
        assert said[:3] == [
            int(np.sign(only_b - only_a)),
            int(np.sign(only_b - only_a)) * mcnemar,
            side * over_seeds,
        ]
        near = min(abs(drawn.low), abs(drawn.high)) < 0.05 * (drawn.high - drawn.low)
        assert near or said[3] == side * (drawn.low > 0 or drawn.high < 0), "the bootstrap says otherwise"
        assert said[4] == (said[2] if said[2] == said[3] else 0)
        told.append(said)
    assert {0, 1} <= {way for said in told for way in said}


def test_where_nothing_varies_nothing_is_shown() -> None:
    assert verdicts.sides(np.zeros((3, 50), np.int8)) == [0, 0, 0, 0, 0]


def test_the_luck_of_imagined_runs_is_found_again() -> None:
    rng, shape = np.random.default_rng(3), (12, 20_000)
    kinds = rng.choice(4, size=shape[1], p=[0.02, 0.02, 0.24, 0.72])
    runs = []
    for favoured in (0, 1):
        right = np.tile(kinds == favoured, (shape[0], 1)) | (kinds == 3)
        chance = 0.5 + rng.normal(0, 0.01, (shape[0], 1)) / 0.24
        right[:, kinds == 2] = rng.random((shape[0], int((kinds == 2).sum()))) < chance
        runs.append(right)
    found = verdicts.luck(*runs)
    assert (found.tossed, found.apart) == (0.24, 0.04)
    assert found.seed == pytest.approx(0.01, abs=0.004)


def whole() -> list:
    page = kept.Kept("classification/evidence")
    return [[page(verdicts.verdicts, k, n, *vars(BY).values(), 2000) for n in REVIEWS] for k in SEEDS]


@pytest.mark.parametrize(
    ("gap", "seeds", "reviews"), [(0, 20, 100), (0, 5, 10_000), (3, 5, 960), (0.5, 2, 100), (5, 20, 10_000)]
)
def test_the_figure_says_what_the_simulation_gave(emptied, gap: float, seeds: int, reviews: int) -> None:
    """Every share that is shown is Python's; the band of a measured difference is SciPy's normal one."""
    said = whole()
    ways = [f"{way} {{seeds}}" for way in WAYS]
    data = {"gaps": GAPS, "seeds": SEEDS, "reviews": REVIEWS, "start": [0, 0, 0], "ways": ways, "count": 2000,
            "said": said, "luck": vars(BY), "label": "How often?"}  # fmt: skip
    emptied.set_content(
        f'<verdict-lab><script type="application/json">{json.dumps(data)}</script><p>In words.</p></verdict-lab>'
    )
    for script in ("lab.js", "verdict-lab.js"):
        emptied.add_script_tag(path=ASSETS / script)
    figure = emptied.locator("verdict-lab[data-ready]")
    places = (GAPS.index(gap), SEEDS.index(seeds), REVIEWS.index(reviews))
    for slider, value in zip(figure.locator("input[type=range]").all(), places, strict=True):
        slider.evaluate("(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }", value)
    row = said[places[1]][places[2]][places[0]]
    for way, (b, a) in zip(figure.locator(".verdict-way").all(), row, strict=True):
        shown = [int(x) for x in re.findall(r"\d+(?= (?:right|not|wrong))", way.locator("output").inner_text())]
        expected = [b, 2000 - a - b, a] if gap else [2000 - a - b, a + b]
        assert shown == pytest.approx([times / 20 for times in expected], abs=0.51)
        widths = way.locator(".verdict-bar > span").evaluate_all("all => all.map((s) => parseFloat(s.style.width))")
        assert widths == pytest.approx([times / 20 for times in expected])
    share = gap / 100
    for band, runs in zip(figure.locator(".verdict-band output").all(), (1, seeds), strict=True):
        variance = 2 * BY.seed**2 / runs + (max(BY.apart, share) - share**2 + BY.tossed / 2 / runs) / reviews
        text = band.inner_text().replace("−", "-")
        expected = 100 * np.array(stats.norm.interval(0.95, share, np.sqrt(variance)))
        assert [float(x) for x in re.findall(r"[-+][\d.]+", text)] == pytest.approx(expected, abs=0.06)
    notes = figure.locator(".lab-notes").inner_text()
    assert f"{reviews:,} reviews" in notes and f"{seeds} seeds" in notes
    assert ("equally good" in notes) == (gap == 0)
