from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError
from sightline.evaluation.uncertainty import (
    Interval,
    finite,
    group_numbers,
    holm,
    interval,
    statistic_of,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_group(count: int, groups: int, seed: int = 0) -> np.ndarray:
    return rng(seed).integers(0, groups, count)


numbers = st.floats(-1e6, 1e6).map(lambda x: x + 0.0)  # no negative zero
columns = st.lists(st.tuples(numbers, st.integers(0, 4)), min_size=1, max_size=40)
statistics = st.sampled_from(["mean", "median", 0.9, 1.0])


def test_the_value_is_the_statistic_itself() -> None:
    values = [4.0, 1.0, 2.0, 9.0]
    statistics = ("mean", "median", 0.25, 0.26, 0.5, 0.75, 1.0)
    found = {name: interval(values, statistic=name, rng=rng()).value for name in statistics}
    assert found == {name: statistic_of(values, name) for name in statistics}
    assert found == {
        "mean": 4.0,
        "median": 3.0,
        0.25: 1.0,
        0.26: 2.0,
        0.5: 2.0,
        0.75: 4.0,
        1.0: 9.0,
    }


def test_nine_tenths_of_ten_values_is_the_ninth() -> None:
    for share, count, rank in [(0.9, 10, 9), (0.95, 100, 95), (0.99, 100, 99), (0.7, 10, 7)]:
        assert interval(np.arange(1, count + 1), statistic=share, rng=rng()).value == rank


@pytest.mark.parametrize("statistic", ["mean", "median", 0.9])
@pytest.mark.parametrize("groups", [None, []])
def test_no_queries_give_nothing(statistic, groups) -> None:
    found = interval([], statistic=statistic, groups=groups, rng=rng())
    assert found == Interval(None, None, None)
    assert found.to_json() == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize("statistic", ["mean", "median", 0.9])
def test_one_query_one_group_and_equal_values_give_no_width(statistic) -> None:
    assert interval([0.1], statistic=statistic, rng=rng()) == Interval(0.1, 0.1, 0.1)
    same = interval([0.1] * 7, statistic=statistic, rng=rng())
    assert same.low == same.value == same.high == pytest.approx(0.1)
    one = interval([1.0, 2.0, 2.0], statistic=statistic, groups=["x"] * 3, rng=rng())
    assert one.low == one.value == one.high


def test_infinite_errors_have_a_median_and_its_interval() -> None:
    few = interval([1.0] * 60 + [np.inf] * 40, statistic="median", rng=rng())
    assert few == Interval(1.0, 1.0, np.inf)
    assert few.to_json() == {"value": 1.0, "low": 1.0, "high": None}
    most = interval([1.0] * 10 + [np.inf] * 90, statistic="median", rng=rng())
    assert most == Interval(np.inf, np.inf, np.inf)
    groups = of_group(100, 30)
    grouped = interval([1.0] * 60 + [np.inf] * 40, statistic="median", groups=groups, rng=rng())
    assert grouped.value == 1.0
    assert grouped.high == np.inf
    half = interval([1.0, 1.0, np.inf, np.inf], statistic="median", rng=rng())
    assert half == Interval(np.inf, 1.0, np.inf)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_the_ends_agree_with_scipy(statistic) -> None:
    values = rng(1).uniform(size=801)
    ours = interval(values, statistic=statistic, resamples=40_000, confidence=0.9, rng=rng())
    theirs = scipy.stats.bootstrap(
        (values,),
        np.mean if statistic == "mean" else np.median,
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=rng(2),
    )
    low, high = theirs.confidence_interval
    deviation = theirs.standard_error
    # The next value is a fifteenth of a deviation away.
    assert ours.low == pytest.approx(low, abs=0.15 * deviation)
    assert ours.high == pytest.approx(high, abs=0.15 * deviation)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """And, where queries share places, only if whole places are drawn."""
    source = rng(5)
    held = {"single": 0, "grouped": 0, "as if single": 0, "median": 0}
    trials = 150
    for _ in range(trials):
        values = source.exponential(1.0, 100)
        places = np.repeat(np.arange(50), 4)
        shared = source.normal(0, 1, 50)[places] + 0.3 * source.normal(0, 1, 200)
        for name, sample, truth, options in (
            ("single", values, 1.0, {}),
            ("median", values, np.log(2), {"statistic": "median"}),
            ("grouped", shared, 0.0, {"groups": places}),
            ("as if single", shared, 0.0, {}),
        ):
            found = interval(sample, confidence=0.9, resamples=999, rng=source, **options)
            held[name] += found.low <= truth <= found.high
    # A binomial share of 0.9 strays by 0.1 (four standard deviations); small samples cost a bit.
    for name in ("single", "median", "grouped"):
        assert 0.79 < held[name] / trials < 0.98, name
    assert held["as if single"] / trials < 0.75


@settings(max_examples=60, deadline=None)
@given(columns, statistics, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_queries_and_the_names_of_groups_do_not_matter(
    rows, statistic, grouped, random
) -> None:
    def found(rows, names):
        values = [value for value, _ in rows]
        groups = [names[group] for _, group in rows] if grouped else None
        return interval(values, statistic=statistic, groups=groups, resamples=99, rng=rng())

    before = found(rows, {i: i for i in range(5)})
    shuffled = list(rows)
    random.shuffle(shuffled)
    after = found(shuffled, dict(zip(range(5), "vwxyz", strict=True)))
    if statistic == "mean" or not grouped:
        # Sums in another order differ in their last bits.
        assert astuple(after) == pytest.approx(astuple(before), rel=1e-12)
    else:
        # Groups of a band are drawn by number: only the distribution is the same.
        assert after.value == before.value


@settings(max_examples=60, deadline=None)
@given(columns, statistics, st.booleans(), st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaled_queries_have_scaled_intervals(rows, statistic, grouped, factor) -> None:
    values = np.array([value for value, _ in rows])
    groups = [group for _, group in rows] if grouped else None
    options = {"statistic": statistic, "groups": groups, "resamples": 99}
    before = interval(values, rng=rng(), **options)
    after = interval(values * factor, rng=rng(), **options)
    assert after == Interval(before.value * factor, before.low * factor, before.high * factor)


@settings(max_examples=60, deadline=None)
@given(columns, statistics, st.booleans())
def test_intervals_are_ordered_nested_and_within_the_values(rows, statistic, grouped) -> None:
    values = [value for value, _ in rows]
    groups = [group for _, group in rows] if grouped else None
    options = {"statistic": statistic, "groups": groups, "resamples": 199}
    narrow = interval(values, confidence=0.5, rng=rng(), **options)
    wide = interval(values, confidence=0.95, rng=rng(), **options)
    slack = 1e-9 * (1 + max(map(abs, values)))
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert min(values) - slack <= wide.low
    assert wide.high <= max(values) + slack


@pytest.mark.parametrize("statistic", ["mean", "median", 0.9])
def test_one_seed_one_interval(statistic) -> None:
    values = rng(3).normal(size=500)
    groups = of_group(500, 60)
    first, second = (
        interval(values, statistic=statistic, groups=groups, rng=rng(9)) for _ in range(2)
    )
    assert first == second


def test_ends_are_order_statistics_of_the_resamples() -> None:
    """With 39 resamples and 95 % they are the smallest and the largest of them."""
    values = np.array([0.0, 1.0])
    drawn = rng(4).multinomial(2, [0.5, 0.5], size=39)[:, 1] / 2
    found = interval(values, resamples=39, rng=rng(4))
    assert (found.low, found.high) == (drawn.min(), drawn.max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": [1.0, np.nan]}, "values row 1 is nan"),
        ({"values": [1.0, np.inf]}, "values row 1 is inf"),
        ({"values": [1.0, np.nan], "statistic": "median"}, "values row 1 is nan"),
        ({"values": [-np.inf, 1.0], "statistic": "median"}, "values row 0 is -inf"),
        ({"values": ["a"]}, "must be numbers of shape"),
        ({"values": [[1.0]]}, r"must be numbers of shape \(n,\). Got float64 of shape \(1, 1\)"),
        ({"values": [1.0, 2.0], "groups": ["a"]}, "groups has 1 labels for 2 queries"),
        ({"values": [1.0, 2.0], "groups": ["a", None]}, "groups row 1 is None"),
        ({"values": [1.0, 2.0], "groups": np.array([np.nan, 1])}, "groups row 0 is nan"),
        ({"values": [1.0], "statistic": "mode"}, "statistic must be .* Got 'mode'"),
        ({"values": [1.0], "statistic": 0.0}, "statistic must be .* Got 0.0"),
        ({"values": [1.0], "statistic": 1.5}, "statistic must be .* Got 1.5"),
        ({"values": [1.0], "confidence": 1.0}, "confidence must lie between 0 and 1. Got 1.0"),
        ({"values": [1.0], "resamples": 38}, "resamples must be at least 39 .* Got 38"),
        ({"values": [1.0], "resamples": 0}, "resamples must be at least 39"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        interval(**options, rng=rng())


def test_groups_are_numbered_as_they_appear() -> None:
    assert group_numbers(["b", "a", "b", 3], 4).tolist() == [0, 1, 0, 2]
    assert group_numbers(np.array([7, 7, 2]), 3).tolist() == [0, 0, 1]


def test_holm_as_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_json_holds_finite_numbers_only() -> None:
    assert [finite(x) for x in (1.5, None, np.inf, np.nan)] == [1.5, None, None, None]
