from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.stats import (
    Occupancy,
    compare,
    expected_occupied,
    fullest_share,
    gini,
    occupancy_curve,
)
from sightline.errors import CellError, CoordinateError, UsageError
from sightline.geo import cells

some_counts = st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any)


def test_occupancy_counts_each_cell():
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(-60, 60, 500), rng.uniform(-180, 180, 500)])
    counted = Occupancy.of(places, 3)
    slow: dict[int, int] = {}
    for place in places:
        cell = int(cells.cell_ids(place, 3)[0])
        slow[cell] = slow.get(cell, 0) + 1
    assert dict(zip(counted.cells.tolist(), counted.counts.tolist(), strict=True)) == slow
    assert (counted.photos, counted.occupied, counted.possible) == (500, len(slow), 384)


@given(some_counts)
def test_gini_is_half_the_relative_mean_difference(counts):
    pairs = list(itertools.product(counts, counts))
    mean_difference = sum(abs(a - b) for a, b in pairs) / len(pairs)
    assert gini(counts) == pytest.approx(mean_difference / (2 * np.mean(counts)), abs=1e-12)


@given(some_counts, st.integers(0, 40))
def test_gini_counts_the_cells_that_hold_nothing(counts, empty):
    assert gini(counts, len(counts) + empty) == pytest.approx(gini(counts + [0] * empty), abs=1e-12)


def test_gini_of_known_distributions():
    assert gini([7, 7, 7]) == 0
    assert gini([0, 0, 0, 12]) == pytest.approx(0.75)
    assert gini([5], 6 * 4**8) == pytest.approx(1, abs=1e-5)


@given(some_counts)
def test_curve_rises_from_zero_to_one_and_bends_down(counts):
    cell_share, photo_share = occupancy_curve(counts)
    assert (cell_share[0], photo_share[0]) == (0, 0)
    assert (cell_share[-1], photo_share[-1]) == (1, pytest.approx(1))
    steps = np.diff(photo_share)
    assert (steps >= 0).all()
    assert (np.diff(steps) <= 1e-12).all()
    # Gini is twice the area between the curve and the diagonal.
    assert gini(counts) == pytest.approx(2 * np.trapezoid(photo_share, cell_share) - 1, abs=1e-9)


def test_fullest_share_reads_the_curve():
    assert fullest_share([8, 1, 1, 0], 0.25) == pytest.approx(0.8)
    assert fullest_share([8, 1, 1, 0], 0.5) == pytest.approx(0.9)


@pytest.mark.parametrize("drawn", range(7))
def test_rarefaction_is_the_mean_over_all_subsets(drawn):
    owners = [0, 0, 0, 1, 1, 2]
    seen = [len(set(part)) for part in itertools.combinations(owners, drawn)]
    assert expected_occupied([3, 2, 1], drawn) == pytest.approx(np.mean(seen))


def test_comparison_of_a_sample_with_itself():
    rng = np.random.default_rng(1)
    places = np.column_stack([rng.normal(20, 15, 3000), rng.normal(0, 50, 3000)])
    counted = Occupancy.of(places, 5)
    same = compare(counted, counted)
    assert (same.curve_gap, same.divergence_bits, same.shared_cells) == (0, 0, 1)
    assert same.gini == (gini(counted.counts),) * 2
    assert same.occupied[0] == same.occupied[1] == pytest.approx(counted.occupied)
    json.dumps(same.to_json(), allow_nan=False)


def test_comparison_takes_out_the_difference_in_size():
    rng = np.random.default_rng(2)
    places = np.column_stack([rng.normal(20, 15, 8000), rng.normal(0, 50, 8000)])
    whole, part = Occupancy.of(places, 6), Occupancy.of(places[:1000], 6)
    found = compare(whole, part)
    assert found.photos == 1000
    assert whole.occupied > 2 * part.occupied
    assert found.occupied[0] == pytest.approx(part.occupied, rel=0.05)
    assert found.gini[0] == pytest.approx(found.gini[1], abs=0.03)
    assert found.curve_gap < 0.03
    assert compare(whole, part) == found
    assert compare(whole, part, seed=1) != found


def test_comparison_of_disjoint_and_of_known_distributions():
    far = compare(Occupancy.of([[10, 10]], 5), Occupancy.of([[-10, 100]], 5))
    assert (far.divergence_bits, far.shared_cells) == (1, 0)
    # Shares (1/2, 1/2) and (1, 0): H(3/4, 1/4) - H(1/2, 1/2) / 2 bits.
    half = Occupancy.of([[10, 10], [-10, 100]], 5)
    one = Occupancy.of([[10, 10]], 5)
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert compare(half, one).divergence_bits == pytest.approx(entropy - 0.5)
    assert compare(half, one).shared_cells == 0.5


def test_json_of_an_occupancy_and_of_an_empty_one():
    document = Occupancy.of([[10, 10], [10, 10], [-10, 100]], 4).to_json()
    assert document["photos"] == 3
    assert document["most_in_a_cell"] == 2
    assert document["gini_of_occupied"] == pytest.approx(1 / 6)
    json.dumps(document, allow_nan=False)
    assert Occupancy.of([], 4).to_json()["gini_of_occupied"] is None


@pytest.mark.parametrize("counts", [[], [0, 0], [-1, 2], [0.5], [[1, 2]]])
def test_impossible_counts(counts):
    with pytest.raises(UsageError, match=r"counts must be whole numbers .* Got "):
        gini(counts)
    with pytest.raises(UsageError, match="counts must be"):
        occupancy_curve(counts)


def test_impossible_arguments():
    one = Occupancy.of([[1, 2]], 5)
    with pytest.raises(UsageError, match="at least the 2 cells"):
        gini([1, 1], 1)
    with pytest.raises(UsageError, match="between 0 and the 2"):
        expected_occupied([1, 1], 3)
    with pytest.raises(UsageError, match=r"one level. Got 5 and 6"):
        compare(one, Occupancy.of([[1, 2]], 6))
    with pytest.raises(UsageError, match="must hold photos"):
        compare(one, Occupancy.of([], 5))
    with pytest.raises(UsageError, match="rounds 0"):
        compare(one, one, rounds=0)
    with pytest.raises(CoordinateError, match="swapped"):
        Occupancy.of([[120, 48]], 5)
    with pytest.raises(CellError, match="level 31"):
        Occupancy.of([[1, 2]], 31)
