"""Resampled means and quantiles beside the plain bootstrap, query by query."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from sightline.evaluation.uncertainty import bootstrap_quantiles
from sightline.evaluation.uncertainty.bootstrap_means import ATOMS, _atoms, resampled_means
from sightline.evaluation.uncertainty.bootstrap_quantiles import resampled_quantiles

HALF = Fraction(1, 2)


def plain(values, labels, statistic, resamples: int, seed: int) -> np.ndarray:
    """The bootstrap as it is told: draw whole groups, put their values together, measure."""
    rng = np.random.default_rng(seed)
    members = [np.asarray(values)[labels == group] for group in range(labels.max() + 1)]
    drawn = []
    for _ in range(resamples):
        picks = rng.integers(len(members), size=len(members))
        drawn.append(statistic(np.concatenate([members[i] for i in picks])))
    return np.array(drawn)


def smallest_reaching(share: Fraction):
    """The smallest value that at least this share of values does not exceed, by counting."""

    def quantile(values: np.ndarray) -> float:
        return next(x for x in np.sort(values) if (values <= x).sum() >= share * len(values))

    return quantile


def same_distribution(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Kolmogorov and Smirnov's test, with a false alarm in 10,000."""
    return scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-4


def random_groups(count: int, groups: int, seed: int) -> np.ndarray:
    """Group numbers (count,), each at least once, some groups far larger than others."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(groups, 0.5))
    more = rng.choice(groups, size=count - groups, p=shares)
    return rng.permutation(np.concatenate([np.arange(groups), more]))


SAMPLES = {
    "uniform": lambda rng, n: rng.uniform(size=n),
    "heavy tail": lambda rng, n: rng.lognormal(0, 2, n),
    "shares": lambda rng, n: rng.integers(0, 2, n) / 2,
    "one giant": lambda rng, n: np.append(rng.normal(size=n - 1), 1e4),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_resampled_means_are_distributed_as_those_of_the_plain_bootstrap(sample) -> None:
    values = SAMPLES[sample](np.random.default_rng(1), 700)
    ours = resampled_means(values, None, 40_000, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    theirs = np.concatenate(
        [values[rng.integers(700, size=(5000, 700))].mean(axis=1) for _ in range(8)]
    )
    if sample == "one giant":
        # Between giants, sums differ by rounding only in their last digits: compare them apart.
        giants = [np.round(x * 700 / 1e4) for x in (ours, theirs)]
        assert same_distribution(*giants)
        ours, theirs = (x - 1e4 / 700 * k for x, k in zip((ours, theirs), giants, strict=True))
    assert same_distribution(ours, theirs)
    # Sharper where the test above is blunt: the standard deviation to two per cent.
    assert ours.std() == pytest.approx(theirs.std(), rel=0.025)


@pytest.mark.parametrize("sample", ["uniform", "heavy tail"])
def test_mean_and_variance_are_exactly_those_of_the_bootstrap(sample) -> None:
    """By the law of total variance over atoms: nothing is lost by gathering values."""
    values = SAMPLES[sample](np.random.default_rng(1), 5000)
    atoms = _atoms(np.sort(values)[:, None])
    assert len(atoms.shares) == ATOMS
    mean = atoms.shares @ atoms.means[:, 0]
    within = atoms.shares @ atoms.variances * atoms.scale**2
    between = atoms.shares @ (atoms.means[:, 0] - mean) ** 2
    assert mean == pytest.approx(values.mean(), rel=1e-12)
    assert within + between == pytest.approx(values.var(), rel=1e-12)
    # What a normal number stands for is a sliver.
    assert within < 2e-4 * values.var()


def test_few_distinct_values_are_drawn_themselves() -> None:
    values = np.array([1.0, 3.0, 3.0, np.nextafter(3.0, 4.0), 1e9])
    atoms = _atoms(np.sort(values)[:, None])
    assert sorted(atoms.means[:, 0].tolist()) == sorted(set(values.tolist()))
    assert not atoms.variances.any()
    drawn = resampled_means(np.array([0.0, 0.0, 1.0]), None, 30_000, np.random.default_rng(0))
    seen = Counter(np.round(drawn * 3).astype(int).tolist())
    for hits, share in enumerate([8 / 27, 12 / 27, 6 / 27, 1 / 27]):
        assert seen[hits] / 30_000 == pytest.approx(share, abs=0.015)
    assert set(drawn) <= {0.0, 1 / 3, 2 / 3, 1.0}


@pytest.mark.parametrize("groups", [40, 400])
@pytest.mark.parametrize("sample", ["uniform", "heavy tail", "shares"])
def test_grouped_means_are_ratios_of_whole_groups(sample, groups) -> None:
    count = 1200
    labels = random_groups(count, groups, 4)
    values = SAMPLES[sample](np.random.default_rng(5), count)
    values += np.random.default_rng(6).exponential(1.0, groups)[labels]
    ours = resampled_means(values, labels, 40_000, np.random.default_rng(7))
    sizes, sums = np.bincount(labels), np.bincount(labels, weights=values)
    picks = np.random.default_rng(8).integers(groups, size=(40_000, groups))
    theirs = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    assert same_distribution(ours, theirs)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.025)
    # The loop, to be sure of the shortcut that it is checked against.
    loop = plain(values, labels, np.mean, 1500, 9)
    assert same_distribution(theirs, loop)


def exact(values, labels, statistic) -> dict[float, float]:
    """The bootstrap distribution by counting all draws of groups."""
    members = [np.asarray(values)[labels == group] for group in range(labels.max() + 1)]
    draws = list(itertools.product(members, repeat=len(members)))
    counts = Counter(float(statistic(np.concatenate(draw))) for draw in draws)
    return {value: n / len(draws) for value, n in counts.items()}


SMALL = {
    "odd": ([3.0, 1.0, 2.0, 7.0, 5.0], [0, 1, 2, 3, 4]),
    "even": ([3.0, 1.0, 2.0, 7.0], [0, 1, 2, 3]),
    "ties": ([1.0, 1.0, 2.0, 2.0, 9.0], [0, 1, 2, 3, 4]),
    "infinite": ([1.0, 4.0, np.inf, np.inf], [0, 1, 2, 3]),
    "groups": ([3.0, 1.0, 2.0, 7.0, 5.0, 2.0, 8.0], [0, 0, 0, 1, 1, 2, 3]),
    "two groups": ([3.0, 1.0, 2.0, 7.0, 5.0, np.inf], [0, 0, 1, 0, 1, 0]),
}


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("share", [None, HALF, Fraction(1, 3), Fraction(9, 10), Fraction(1)])
@pytest.mark.parametrize("way", ["single", "grouped"])
def test_quantiles_come_out_as_often_as_all_draws_say(small, share, way) -> None:
    values, labels = np.array(SMALL[small][0]), np.array(SMALL[small][1])
    if way == "single" and len(set(labels)) < len(labels):
        labels = np.arange(len(values))
        values = values[:5]
        labels = labels[:5]
    statistic = np.median if share is None else smallest_reaching(share)
    resamples = 30_000
    drawn = resampled_quantiles(
        values,
        None if way == "single" else labels,
        share or HALF,
        resamples,
        np.random.default_rng(11),
        median=share is None,
    )
    expected = exact(values, labels, statistic)
    seen = Counter(drawn.tolist())
    assert set(seen) <= set(expected)
    for value, p in expected.items():
        deviation = np.sqrt(p * (1 - p) / resamples)
        assert seen[value] / resamples == pytest.approx(p, abs=5 * deviation + 1e-12), value


@pytest.mark.parametrize("groups", [30, 900])
@pytest.mark.parametrize("share", [None, Fraction(19, 20)])
@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_grouped_quantiles_are_distributed_as_those_of_the_plain_bootstrap(
    groups, share, alike
) -> None:
    count = 3000
    labels = random_groups(count, groups, 12)
    rng = np.random.default_rng(13)
    values = rng.normal(size=count) + 3.0 * alike * rng.normal(size=groups)[labels]
    ours = resampled_quantiles(
        values, labels, share or HALF, 20_000, np.random.default_rng(14), median=share is None
    )
    theirs = plain(
        values,
        labels,
        np.median if share is None else lambda x: np.quantile(x, 0.95, method="inverted_cdf"),
        2500,
        15,
    )
    assert same_distribution(ours, theirs)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.08)


@pytest.mark.parametrize("share", [HALF, Fraction(1, 200), Fraction(199, 200), Fraction(1)])
def test_resamples_outside_the_band_widen_it(monkeypatch, share) -> None:
    labels = random_groups(2000, 300, 16)
    values = np.random.default_rng(17).normal(size=2000)
    options = {"median": share == HALF}
    usual = resampled_quantiles(values, labels, share, 10_000, np.random.default_rng(18), **options)
    monkeypatch.setattr(bootstrap_quantiles, "_LEAST_BAND", 1)
    monkeypatch.setattr(bootstrap_quantiles, "_BAND_DEVIATIONS", 0.0)
    bands = []
    inner = bootstrap_quantiles._places_in_band

    def watched(owners, band, *rest):
        found = inner(owners, band, *rest)
        bands.append((band.stop - band.start, found is not None))
        return found

    monkeypatch.setattr(bootstrap_quantiles, "_places_in_band", watched)
    narrow = resampled_quantiles(
        values, labels, share, 10_000, np.random.default_rng(19), **options
    )
    assert len(bands) > 1
    assert [held for _, held in bands] == [False] * (len(bands) - 1) + [True]
    assert same_distribution(usual, narrow)


def test_a_hundred_thousand_queries_need_no_more_than_their_neighbourhood() -> None:
    """Of 50,000 groups only those near the median are drawn one by one."""
    labels = np.repeat(np.arange(50_000), 2)
    values = np.random.default_rng(20).normal(size=100_000)
    drawn = resampled_quantiles(values, labels, HALF, 400, np.random.default_rng(21), median=True)
    # The median of a normal sample strays by sqrt(pi / 2n).
    assert drawn.std() == pytest.approx(np.sqrt(np.pi / 200_000), rel=0.15)
    assert drawn.mean() == pytest.approx(np.median(values), abs=5e-4)
