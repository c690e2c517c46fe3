from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError
from sightline.evaluation.uncertainty import PairedResult, interval, paired_test
from sightline.evaluation.uncertainty.sign_flips import (
    MOST_COUNTED,
    _flipped_sums,
    sign_flip_p_value,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def counted(differences) -> float:
    """All signs, one after the other; whole or half numbers, so that sums are exact."""
    seen = abs(sum(differences))
    signs = itertools.product((-1, 1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(row, differences, strict=True))) for row in signs]
    return sum(x >= seen for x in sums) / len(sums)


def lattice(differences: np.ndarray) -> float:
    """The same by convolution, for any number of small whole differences."""
    sizes = np.abs(differences).astype(int)
    distribution = np.ones(1)
    for size in sizes[sizes > 0]:
        step = np.zeros(2 * size + 1)
        step[[0, -1]] = 0.5
        distribution = np.convolve(distribution, step)
    sums = np.arange(len(distribution)) - sizes.sum()
    return float(distribution[np.abs(sums) >= abs(differences.sum())].sum())


@pytest.mark.parametrize(
    ("lost", "won", "p_value"),
    [
        (1, 10, 2 * (1 + 11) / 2**11),
        (0, 6, 2 / 2**6),
        (5, 5, 1.0),
        (0, 0, 1.0),
        (0, 1, 1.0),
        (25, 50, 2 * scipy.stats.binom.cdf(25, 75, 0.5)),
    ],
)
def test_recall_is_compared_by_mcnemars_exact_test(lost, won, p_value) -> None:
    a = np.array([1.0] * lost + [0.0] * won + [1.0] * 30 + [0.0] * 9)
    b = np.array([0.0] * lost + [1.0] * won + [1.0] * 30 + [0.0] * 9)
    found = paired_test(a, b, rng=rng(), resamples=199)
    assert found.exact
    assert found.p_value == pytest.approx(p_value, rel=1e-12)
    assert found.difference == pytest.approx((won - lost) / len(a))
    if lost + won:
        theirs = scipy.stats.binomtest(won, lost + won).pvalue
        assert found.p_value == pytest.approx(theirs, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-6, 6).map(lambda x: x / 2), max_size=9))
def test_few_differences_are_counted_out(differences) -> None:
    found, exact = sign_flip_p_value(np.array(differences), 99, rng())
    assert exact
    assert found == pytest.approx(counted(differences), abs=1e-12)


def test_few_differences_agree_with_scipy() -> None:
    a, b = rng(1).normal(size=(2, 9))
    theirs = scipy.stats.permutation_test(
        (a, b), lambda x, y: (y - x).mean(), permutation_type="samples", n_resamples=np.inf
    )
    found = paired_test(a, b, rng=rng(), resamples=199)
    assert found.exact
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert found.difference == pytest.approx(theirs.statistic)


def test_many_differences_are_drawn_with_an_error_of_the_draw() -> None:
    differences = rng(2).integers(-2, 4, 60).astype(float)
    differences -= np.round(differences.mean() * 0.4)
    truth = lattice(differences)
    assert 0.001 < truth < 0.9
    resamples = 40_000
    found, exact = sign_flip_p_value(differences, resamples, rng(3))
    assert not exact
    assert found == pytest.approx(truth, abs=5 * np.sqrt(truth * (1 - truth) / resamples))


def test_a_drawn_p_value_is_never_zero() -> None:
    differences = 1.0 + rng(4).uniform(size=40)
    found, exact = sign_flip_p_value(differences, 999, rng())
    assert (found, exact) == (1 / 1000, False)


def test_flipped_sums_have_the_parity_and_the_variance_of_their_signs() -> None:
    ones = _flipped_sums(np.ones(5001), 4000, rng(5))
    assert set((ones % 2).tolist()) == {1.0}
    sizes = rng(6).exponential(size=5001)
    sums = _flipped_sums(sizes, 20_000, rng(7))
    assert sums.var() == pytest.approx((sizes**2).sum(), rel=0.05)
    assert abs(sums.mean()) < 5 * sums.std() / np.sqrt(20_000)
    few = _flipped_sums(np.array([1.0, 2.0, 4.0]), 4000, rng(8))
    assert set(few.tolist()) == {-7.0, -5.0, -3.0, -1.0, 1.0, 3.0, 5.0, 7.0}


def test_p_values_are_uniform_where_systems_are_alike() -> None:
    source = rng(9)
    found = [sign_flip_p_value(source.standard_t(3, 60) * 0.5, 199, source)[0] for _ in range(300)]
    assert scipy.stats.kstest(found, "uniform").pvalue > 1e-3


def test_groups_flip_together() -> None:
    """Twenty photos of one place are one piece of evidence."""
    places = np.repeat(np.arange(6), 20)
    a = np.zeros(120)
    b = np.ones(120)
    alone = paired_test(a, b, rng=rng(), resamples=199)
    together = paired_test(a, b, rng=rng(), groups=places, resamples=199)
    assert alone.p_value < 1e-30
    assert together.p_value == 2 / 2**6
    mixed = rng(10).integers(0, 2, 120).astype(float)
    sums = np.bincount(places, weights=mixed - 0.25)
    found = paired_test(a, mixed - 0.25, rng=rng(), groups=places, resamples=199)
    assert found.p_value == pytest.approx(counted(sums.tolist()), abs=1e-12)


def test_the_interval_is_that_of_the_difference() -> None:
    a, b = rng(11).normal(size=(2, 300))
    groups = rng(12).integers(0, 40, 300)
    found = paired_test(a, b, groups=groups, rng=rng(13), resamples=999)
    expected = interval(b - a, groups=groups, rng=rng(13), resamples=999)
    assert (found.difference, found.low, found.high) == (
        expected.value,
        expected.low,
        expected.high,
    )


def test_the_other_way_round_is_the_same_test() -> None:
    a, b = rng(14).normal(size=(2, MOST_COUNTED))
    there, back = (paired_test(*x, rng=rng(), resamples=99) for x in ((a, b), (b, a)))
    assert there.difference == -back.difference
    assert there.p_value == back.p_value


def test_no_queries_have_no_difference() -> None:
    found = paired_test([], [], rng=rng())
    assert found == PairedResult(None, None, None, None, exact=True)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0], [1.0, 2.0], "Got 1 values of a and 2 of b"),
        ([1.0, np.nan], [1.0, 2.0], "values of a row 1 is nan"),
        ([1.0, 2.0], [np.inf, 2.0], "values of b row 0 is inf"),
    ],
)
def test_what_cannot_be_paired_is_refused(a, b, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        paired_test(a, b, rng=rng())
