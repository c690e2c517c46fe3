from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from sightline.errors import UsageError
from sightline.geo.distance import destination, great_circle_m
from sightline.locating.evidence import PAIRS_AT_ONCE, evidence_weights
from sightline.locating.spread import evidence_radii_m, place_margins

from .strategies import match_rows

POINT = np.array([57.7, 11.97])


def line(*metres: float) -> np.ndarray:
    """Places at distances from the point, (1, k, 2)."""
    return destination(POINT, 37.0, np.array(metres))[None]


def oracle_radius(point, coordinates, weights, share) -> float:
    """Grow a circle match by match."""
    distance = great_circle_m(point, coordinates)
    real = ~np.isnan(distance)
    for radius in np.sort(distance[real]):
        if weights[real & (distance <= radius)].sum() >= share - 1e-12:
            return radius
    raise AssertionError


def oracle_margin(point, coordinates, weights, place_m) -> float:
    rest = [i for i, c in enumerate(coordinates) if great_circle_m(point, c) > place_m]
    rest = [i for i in rest if not np.isnan(coordinates[i]).any()]
    here = sum(w for i, w in enumerate(weights) if i not in rest)
    around = [
        sum(weights[j] for j in rest if great_circle_m(coordinates[i], coordinates[j]) <= place_m)
        for i in rest
    ]
    return here - max(around, default=0.0)


@settings(max_examples=100, deadline=None)
@given(match_rows(padding=True))
def test_equal_to_growing_a_circle_and_counting_neighbours(row) -> None:
    coordinates, scores = row
    weights = evidence_weights(scores[None])[0]
    point = coordinates[np.nanargmax(scores)] + [0.0, 0.0]
    radii = evidence_radii_m(point[None], coordinates[None], weights[None])[0]
    for share, radius in zip((0.5, 0.9), radii, strict=True):
        expected = oracle_radius(point, coordinates, weights, share)
        assert radius == pytest.approx(expected, abs=1e-6)
    margin = place_margins(point[None], coordinates[None], weights[None], place_m=700.0)[0]
    assert margin == pytest.approx(oracle_margin(point, coordinates, weights, 700.0), abs=1e-9)


def test_radii_hold_half_and_nine_tenths() -> None:
    coordinates = line(400, 0, 100, 300, 200, 600, 500, 900, 800, 700)
    radii = evidence_radii_m(POINT[None], coordinates, np.full((1, 10), 0.1))
    np.testing.assert_allclose(radii, [[400.0, 800.0]], atol=1e-6)


def test_shares_that_only_round_to_the_weight_are_held() -> None:
    weights = np.array([[0.1] * 9 + [0.1]])
    radii = evidence_radii_m(
        POINT[None], line(*range(10)), weights, shares=(0.3, 0.6, 0.7, 0.8, 1.0)
    )
    np.testing.assert_allclose(radii, [[2, 5, 6, 7, 9]], atol=1e-6)
    # Six twelfths, summed, are less than half of the sum of all twelve.
    twelve = evidence_radii_m(POINT[None], line(*range(12)), np.full((1, 12), 1 / 12), (0.5,))
    np.testing.assert_allclose(twelve, [[5]], atol=1e-6)


def test_all_the_evidence_in_one_spot_has_no_radius_and_the_whole_margin() -> None:
    coordinates, weights = line(0, 0, 0), np.full((1, 3), 1 / 3)
    np.testing.assert_allclose(
        evidence_radii_m(POINT[None], coordinates, weights), [[0, 0]], atol=1e-6
    )
    np.testing.assert_allclose(place_margins(POINT[None], coordinates, weights), [1.0])


def test_the_next_place_is_taken_as_a_whole() -> None:
    # 0.4 here; 0.3 in one place 5 km away from two matches; 0.3 alone elsewhere.
    coordinates = line(10, 5000, 5400, 9000)
    margin = place_margins(POINT[None], coordinates, [[0.4, 0.15, 0.2, 0.25]])
    np.testing.assert_allclose(margin, [0.4 - 0.35])
    # More speaks for another place than for the one answered.
    np.testing.assert_allclose(
        place_margins(POINT[None], coordinates, [[0.2, 0.3, 0.3, 0.2]]), [0.2 - 0.6]
    )


def test_a_place_reaches_as_far_as_it_is_told() -> None:
    coordinates = line(0, 900, 1100)
    weights = [[0.5, 0.3, 0.2]]
    np.testing.assert_allclose(place_margins(POINT[None], coordinates, weights), [0.6])
    near = place_margins(POINT[None], coordinates, weights, place_m=100.0)
    np.testing.assert_allclose(near, [0.2])
    whole = place_margins(POINT[None], coordinates, weights, place_m=4e7)
    np.testing.assert_allclose(whole, [1.0])


def test_nothing_has_neither() -> None:
    nothing = np.full((2, 2), np.nan), np.full((2, 3, 2), np.nan), np.zeros((2, 3))
    assert np.isnan(evidence_radii_m(*nothing)).all()
    assert np.isnan(place_margins(*nothing)).all()


def test_batches_equal_their_rows_across_chunks() -> None:
    k = 50
    n = PAIRS_AT_ONCE // (k * k) + 3
    rng = np.random.default_rng(0)
    coordinates = POINT + rng.normal(0, 0.02, (n, k, 2))
    weights = evidence_weights(rng.uniform(0.5, 1.0, (n, k)))
    margins = place_margins(coordinates[:, 0], coordinates, weights)
    for row in (0, n // 2, n - 3, n - 1):
        expected = oracle_margin(coordinates[row, 0], coordinates[row], weights[row], 1000.0)
        assert margins[row] == pytest.approx(expected, abs=1e-9)


def test_an_impossible_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="place_m"):
        place_margins(POINT[None], line(0), [[1.0]], place_m=-1.0)
