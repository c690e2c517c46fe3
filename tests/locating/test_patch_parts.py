"""Rows as distinct patches, unrelated places, and squares on the ground, against slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sightline.atlas.matches import Matches
from sightline.geo.distance import destination
from sightline.locating.patches import (
    Patches,
    apart,
    distinct_patches,
    moved,
    offsets_m,
    square_points,
)
from sightline.locating.unrelated_patches import (
    FALSE_ALARMS,
    LEAST_PLACES,
    UnrelatedPatches,
    patch_weights,
    unrelated_patches,
)
from sightline.models.protocol import GroundQueries

places = st.tuples(st.floats(-80, 80), st.floats(-180, 179.99))
LUND = np.array([55.7, 13.19])


def row_of_patches(count: int, step_m: float = 50.0) -> np.ndarray:
    return destination(LUND, 90.0, np.arange(count) * step_m)


def test_each_patch_counts_once_with_its_best_turn() -> None:
    """Two views of three queries each, against rows of two turns, by loops."""
    rng = np.random.default_rng(0)
    centres = row_of_patches(6)
    queries = GroundQueries(
        vectors=np.zeros((2, 3, 4), np.float32),
        headings=np.array([[10.0, 130.0, 250.0], [10.0, 130.0, 250.0]]),
        turns=np.array([-1, 0, 1]),
        scales=rng.uniform(0.5, 2, (2, 3)).astype(np.float32),
        turn_degrees=60.0,
    )
    patch = rng.integers(0, 6, (6, 9))
    ids = np.where(rng.uniform(size=(6, 9)) < 0.2, -1, patch)
    turns = rng.integers(0, 2, (6, 9)).astype(np.int16)
    scores = rng.uniform(-1, 1, (6, 9)).astype(np.float32)
    matches = Matches(
        ids=ids.astype(np.int64),
        scores=scores,
        coordinates=centres[patch],
        uris=np.array([f"p{n}" for n in range(6)], object)[patch],
        views=turns,
        headings=np.full((6, 9), np.nan, np.float32),
        mode="exact",
        recall_estimate=1.0,
    )
    view_turns = np.array([0.0, 90.0])
    best: dict[int, tuple[float, float]] = {}
    for row in range(6):
        view, query = divmod(row, 3)
        for column in range(9):
            if ids[row, column] < 0 or queries.turns[query] not in (-1, turns[row, column]):
                continue
            score = float(scores[row, column]) * float(queries.scales[view, query])
            heading = queries.headings[view, query] + 60 * turns[row, column] - view_turns[view]
            if score > best.get(patch[row, column], (-9.0, 0.0))[0]:
                best[patch[row, column]] = (score, heading % 360)
    found = distinct_patches(matches, queries, view_turns)
    order = sorted(best, key=lambda n: -best[n][0])
    np.testing.assert_allclose(found.scores, [best[n][0] for n in order], rtol=1e-6)
    np.testing.assert_allclose(found.headings, [best[n][1] for n in order])
    assert found.uris.tolist() == [f"p{n}" for n in order]
    np.testing.assert_array_equal(found.coordinates, centres[order])
    assert len(found.taken(slice(0, 2))) == 2


def patches(coordinates: np.ndarray) -> Patches:
    count = len(coordinates)
    return Patches(
        coordinates, -np.arange(count, dtype=float), np.zeros(count), np.array(["x"] * count)
    )


def test_places_of_their_own() -> None:
    found = patches(row_of_patches(7)[[3, 2, 4, 5, 0, 1, 6]])
    assert apart(found, 99.0).tolist() == [0, 3, 4]
    assert apart(found, 1.0).tolist() == list(range(7))
    assert apart(patches(np.zeros((0, 2))), 10.0).tolist() == []


@settings(deadline=None)
@given(places, st.floats(-200, 200), st.floats(-200, 200))
def test_metres_there_and_back(place: tuple[float, float], east: float, north: float) -> None:
    there = np.array(moved(np.array(place), east, north))
    assert -180 <= there[1] < 180
    np.testing.assert_allclose(offsets_m(np.array(place), there[None])[0], (east, north), atol=1e-3)


@settings(deadline=None)
@given(places)
def test_points_spread_over_a_square(place: tuple[float, float]) -> None:
    points = square_points(np.array([place]), 100.0)[0]
    away = offsets_m(np.array(place), points)
    assert np.abs(away).max() < 50
    np.testing.assert_allclose(away.mean(axis=0), 0, atol=1e-2)
    # The middle half of the square holds a quarter of its points.
    assert (np.abs(away).max(axis=1) < 25).mean() == 0.25


@pytest.mark.parametrize("law", ["normal", "exponential", "beta"])
def test_one_unrelated_photo_in_twenty_is_a_false_alarm(law: str) -> None:
    """Best of 400 unrelated scores, 4,000 times: the threshold is exceeded about 5 % of times."""
    rng = np.random.default_rng(3)
    draw = {
        "normal": lambda: rng.normal(0.1, 0.1, (4000, 400)),
        "exponential": lambda: rng.exponential(0.05, (4000, 400)) - 0.2,
        "beta": lambda: rng.beta(20, 30, (4000, 400)),
    }[law]()
    scores = -np.sort(-draw, axis=1)[:, :30]
    found = [unrelated_patches(row) for row in scores]
    alarms = np.mean([row[0] > one.threshold for row, one in zip(scores, found, strict=True)])
    if law == "exponential":
        assert alarms == pytest.approx(FALSE_ALARMS, abs=0.012)
    # Tails that fall off faster than exponentially are on the safe side.
    assert 0.005 < alarms < FALSE_ALARMS + 0.012


def test_the_threshold_is_the_quantile_of_the_f_distribution() -> None:
    scores = np.array([0.9, 0.5, 0.4, 0.35, 0.33, 0.3, 0.29])
    found = unrelated_patches(scores)
    assert found is not None
    spacings = [(i + 1) * (scores[i] - scores[i + 1]) for i in range(1, 6)]
    assert (found.places, found.level) == (7, 0.29)
    assert found.spacing == pytest.approx(np.mean(spacings))
    quantile = stats.f(2, 2 * len(spacings)).ppf(1 - FALSE_ALARMS)
    assert found.threshold == pytest.approx(0.5 + quantile * found.spacing)


def test_too_few_places_and_equal_ones() -> None:
    assert unrelated_patches(np.linspace(1, 0, LEAST_PLACES - 1)) is None
    flat = unrelated_patches(np.full(10, 0.3))
    assert flat is not None
    assert 0.3 < flat.threshold < 0.302


def test_weights_fall_off_with_the_spacing() -> None:
    told = UnrelatedPatches(spacing=0.1, threshold=0.6, level=0.3, places=7)
    weights = patch_weights(np.array([0.5, 0.5, 0.4, 0.29, -0.2]), told)
    np.testing.assert_allclose(weights[:3], np.array([1, 1, np.exp(-1)]) / (2 + np.exp(-1)))
    assert weights[3:].tolist() == [0, 0]
    steep = UnrelatedPatches(spacing=1e-4, threshold=0.6, level=-1.0, places=7)
    assert patch_weights(np.array([1.0, -1.0]), steep).tolist() == [1.0, 0.0]
