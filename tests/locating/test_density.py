from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.geo.coordinates import normalise_longitude, unit_vectors
from sightline.geo.distance import destination, great_circle_m
from sightline.locating import climbing
from sightline.locating.density import density_mode
from sightline.locating.evidence import PAIRS_AT_ONCE, evidence_weights
from sightline.locating.im2gps_grid import im2gps_grid

from .strategies import match_rows


def density_at(
    points: np.ndarray, coordinates: np.ndarray, scores: np.ndarray, sigma_m: float
) -> np.ndarray:
    """Equation 1, kernel by kernel, at points (p, 2)."""
    weights = np.maximum(np.nan_to_num(scores, nan=0.0), 0.0) ** 10
    if not weights.any():
        weights = (~np.isnan(scores)).astype(float)
    total = np.zeros(len(points))
    for place, weight in zip(coordinates, weights / weights.sum(), strict=True):
        if weight > 0:
            total += weight * np.exp(-0.5 * (great_circle_m(points, place) / sigma_m) ** 2)
    return total


def rings(centre: np.ndarray, reach_m: float, count: int) -> np.ndarray:
    """A polar grid (count * 24, 2) around a place."""
    radii = np.linspace(reach_m / count, reach_m, count)[:, None]
    return destination(centre, np.arange(0, 360, 15.0), radii).reshape(-1, 2)


def climb(
    points: np.ndarray, coordinates: np.ndarray, scores: np.ndarray, sigma_m: float
) -> np.ndarray:
    """Pattern search uphill from points (p, 2), each until its steps are below a centimetre."""
    points = points.copy()
    step = np.full(len(points), sigma_m)
    best = density_at(points, coordinates, scores, sigma_m)
    while (left := np.flatnonzero(step > 0.01)).size:
        around = destination(points[left, None], np.arange(0, 360, 30.0), step[left, None])
        values = density_at(around.reshape(-1, 2), coordinates, scores, sigma_m)
        values = values.reshape(len(left), -1)
        highest = values.argmax(axis=1)
        found = values[np.arange(len(left)), highest]
        up = found > best[left]
        points[left[up]] = around[up, highest[up]]
        best[left[up]] = found[up]
        step[left[~up]] /= 2
    return points


@settings(max_examples=60, deadline=None)
@given(match_rows(padding=True), st.sampled_from([50.0, 1000.0, 30_000.0, 444_800.0, 2e6]))
def test_the_mode_is_the_highest_place_anywhere_near_a_match(row, sigma_m) -> None:
    coordinates, scores = row
    point = density_mode(coordinates[None], scores[None], sigma_m=sigma_m).points[0]
    reached = density_at(point[None], coordinates, scores, sigma_m)[0]
    real = coordinates[~np.isnan(scores)]
    grid = np.concatenate([real, *(rings(place, 2.5 * sigma_m, 10) for place in real)])
    values = density_at(grid, coordinates, scores, sigma_m)
    assert reached >= values.max() * (1 - 1e-9)
    # And nothing beside it is higher: it is a summit, not a slope.
    beside = np.concatenate([rings(point, 1.0, 1), rings(point, sigma_m, 5)])
    assert reached >= density_at(beside, coordinates, scores, sigma_m).max() * (1 - 1e-9)


def crowd(seed: int, k: int, spread: float, sigma_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Matches around 57.7 N, ``spread`` sigma wide."""
    rng = np.random.default_rng(seed)
    centre = np.array([57.7, 11.97])
    away = np.abs(rng.normal(0, spread * sigma_m, k))
    return destination(centre, rng.uniform(0, 360, k), away), rng.uniform(0.5, 0.9, k)


@pytest.mark.parametrize("sigma_m", [30.0, 1000.0, 100_000.0])
@pytest.mark.parametrize("spread", [0.3, 1.5, 3.0])
def test_the_mode_is_found_to_the_metre(sigma_m: float, spread: float) -> None:
    for seed in range(4):
        coordinates, scores = crowd(seed, 30, spread, sigma_m)
        point = density_mode(coordinates[None], scores[None], sigma_m=sigma_m).points[0]
        # From the best place of a grid, not from our answer.
        grid = np.concatenate([rings(place, 2 * sigma_m, 6) for place in coordinates])
        start = grid[density_at(grid, coordinates, scores, sigma_m).argmax()]
        (summit,) = climb(start[None], coordinates, scores, sigma_m)
        # Rounding of the density itself lets the oracle stop a little beside the summit.
        assert great_circle_m(point, summit) < max(1.0, sigma_m * 1e-5)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_climbing_from_every_match_finds_nothing_higher(spread: float) -> None:
    """The starts that are left out would have changed nothing."""
    sigma_m, k = 1000.0, 25
    for seed in range(4):
        coordinates, scores = crowd(seed, k, spread, sigma_m)
        point = density_mode(coordinates[None], scores[None], sigma_m=sigma_m).points[0]
        reached = density_at(point[None], coordinates, scores, sigma_m)[0]
        summits = climb(coordinates, coordinates, scores, sigma_m)
        assert reached >= density_at(summits, coordinates, scores, sigma_m).max() * (1 - 1e-9)


def test_a_middle_without_a_match_can_be_the_mode() -> None:
    centre = np.array([10.0, 179.999])
    coordinates = destination(centre, np.arange(0, 360, 45.0), 1200.0)
    found = density_mode(coordinates[None], np.full((1, 8), 0.5), sigma_m=1000.0)
    assert great_circle_m(found.points[0], centre) < 1.0


def test_the_densest_match_need_not_stand_on_the_highest_summit() -> None:
    """A lone heavy match beside a ring of light ones around a higher, empty middle."""
    sigma_m = 1000.0
    alone = np.array([57.7, 11.97])
    middle = destination(alone, 90.0, 3500.0)
    ring = destination(middle, np.arange(0, 360, 45.0), 1200.0)
    coordinates = np.concatenate([alone[None], ring])
    scores = np.array([0.30] + [0.70 / 8] * 8) ** 0.1
    at_matches = density_at(coordinates, coordinates, scores, sigma_m)
    assert at_matches.argmax() == 0
    found = density_mode(coordinates[None], scores[None], sigma_m=sigma_m).points[0]
    assert great_circle_m(found, middle) < 200.0
    assert density_at(found[None], coordinates, scores, sigma_m)[0] > at_matches.max()


def test_a_single_match_is_its_own_mode() -> None:
    for place in ([90.0, 12.0], [-90.0, 0.0], [0.0, -180.0], [57.7, 11.97]):
        found = density_mode([[place, [np.nan, np.nan]]], [[0.4, np.nan]])
        assert great_circle_m(found.points[0], place) < 1e-3
        np.testing.assert_array_equal(found.weights, [[1.0, 0.0]])


def test_one_spot_many_times_is_that_spot() -> None:
    place = np.array([57.7, 11.97])
    found = density_mode(np.tile(place, (1, 100, 1)), np.full((1, 100), 0.5))
    assert great_circle_m(found.points[0], place) < 1e-3


def test_equal_modes_go_to_the_better_match() -> None:
    # Two matches at either place; the best single one is at the second.
    near, far = [0.0, 0.0], [0.0, 10.0]
    scores = np.array([[0.8, 0.8, 0.8, 0.8]])
    coordinates = np.array([[near, far, far, near]])
    assert great_circle_m(density_mode(coordinates, scores).points[0], near) < 1e-3
    flipped = density_mode(coordinates[:, ::-1], np.array([[0.8, 0.8, 0.8, 0.8]])).points[0]
    assert great_circle_m(flipped, near) < 1e-3
    # As heavy together, but from other scores: 2 x s^10 = t^10 + u^10.
    better = 0.85
    worse = (2 * 0.8**10 - better**10) ** 0.1
    found = density_mode(coordinates, np.array([[0.8, worse, better, 0.8]])).points[0]
    assert great_circle_m(found, far) < 1e-3


def test_longitude_wraps() -> None:
    coordinates = [[[10.0, 179.9995], [10.0, -179.9995], [10.0, 0.0]]]
    found = density_mode(coordinates, [[0.5, 0.5, 0.51]])
    assert great_circle_m(found.points[0], [10.0, 180.0]) < 0.01


def test_without_positive_scores_every_match_counts() -> None:
    coordinates = [[[0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]]
    found = density_mode(coordinates, [[0.0, -0.5, -0.9]])
    assert great_circle_m(found.points[0], [0.0, 1.0]) < 1e-3
    np.testing.assert_allclose(found.weights, [[1 / 3] * 3])


def test_a_sigma_as_wide_as_the_earth_still_answers() -> None:
    coordinates = [[[0.0, 0.0], [0.0, 180.0], [1.0, 0.0]]]
    found = density_mode(coordinates, [[0.5, 0.4, 0.5]], sigma_m=2e7)
    assert np.isfinite(found.points).all()


def test_kernels_on_the_other_side_of_the_earth_count_where_they_are_wide() -> None:
    """The weighted sum of three wide kernels, of which one stands at the antipode of another."""
    coordinates = np.array([[0.0, 0.0], [0.0, 180.0], [0.0, 90.0]])
    scores = np.array([0.5, 0.5, 0.4])
    sigma_m = 8e6
    found = density_mode(coordinates[None], scores[None], sigma_m=sigma_m).points[0]
    weights = evidence_weights(scores[None])[0]
    lon = np.linspace(-180, 180, 3601)
    line = np.stack([np.zeros_like(lon), lon], axis=1)
    apart = great_circle_m(line[:, None], coordinates)
    along = np.exp(-0.5 * (apart / sigma_m) ** 2) @ weights
    own = np.exp(-0.5 * (great_circle_m(found, coordinates) / sigma_m) ** 2) @ weights
    assert own >= along.max() * (1 - 1e-9)


def test_batches_equal_their_rows_across_chunks() -> None:
    k = 40
    n = PAIRS_AT_ONCE // (k * k) + 5
    rng = np.random.default_rng(2)
    coordinates = np.array([57.7, 11.97]) + rng.normal(0, 0.02, (n, k, 2))
    scores = rng.uniform(0.3, 0.9, (n, k))
    coordinates[3] = np.nan
    scores[3] = np.nan
    found = density_mode(coordinates, scores)
    assert np.isnan(found.points[3]).all()
    np.testing.assert_allclose(found.weights, evidence_weights(scores))
    for row in (0, 1, n - 6, n - 5, n - 1):
        alone = density_mode(coordinates[row][None], scores[row][None])
        assert great_circle_m(found.points[row], alone.points[0]) < 1e-3


@settings(max_examples=60, deadline=None)
@given(match_rows(), st.permutations(range(12)), st.floats(-180, 180))
def test_neither_order_nor_meridian_counts(row, permutation, turn) -> None:
    coordinates, scores = row
    one = density_mode(coordinates[None], scores[None]).points[0]
    order = [p for p in permutation if p < len(scores)]
    turned = np.stack([coordinates[:, 0], normalise_longitude(coordinates[:, 1] + turn)], 1)
    other = density_mode(turned[order][None], scores[order][None]).points[0]
    assert great_circle_m((one[0], one[1] + turn), other) < 1.0


def test_nothing_is_nowhere() -> None:
    nothing = np.full((2, 3, 2), np.nan), np.full((2, 3), np.nan)
    for convention in (None, "im2gps"):
        assert np.isnan(density_mode(*nothing, convention=convention).points).all()
        none = density_mode(np.zeros((0, 3, 2)), np.zeros((0, 3)), convention=convention)
        assert none.points.shape == (0, 2)


def test_the_authors_convention_runs_on_distances() -> None:
    rng = np.random.default_rng(1)
    coordinates = np.stack([rng.uniform(30, 33, (3, 50)), rng.uniform(7, 9, (3, 50))], axis=2)
    scores = np.sort(rng.uniform(-0.2, 0.9, (3, 50)))[:, ::-1]
    found = density_mode(coordinates, scores, convention="im2gps")
    grid = im2gps_grid(coordinates, 2 - 2 * scores)
    np.testing.assert_array_equal(found.points, grid.points)
    np.testing.assert_allclose(found.weights, evidence_weights(scores))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sigma_m": 0.0}, "sigma_m must be a finite number, at least 1. Got 0.0"),
        ({"sigma_m": np.nan}, "sigma_m"),
        ({"exponent": -1.0}, "exponent"),
        ({"convention": "grid"}, "convention must be None or 'im2gps'. Got 'grid'"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        density_mode(np.zeros((1, 1, 2)), np.zeros((1, 1)), **wrong)


def test_a_newton_step_lands_much_nearer_the_summit_than_it_began() -> None:
    # Few kernels in a slanted row, so that the summit is long, narrow and turned.
    sigma = 1000.0 / climbing.EARTH_RADIUS_M
    middle = unit_vectors(np.array([[57.7, 11.97]]))
    east, north = climbing._tangents(middle)
    steps = np.array([[-0.6, -0.5], [0.0, 0.1], [0.7, 0.5]]) * sigma
    centres = climbing._move(
        np.repeat(middle, 3, axis=0), steps[:, :1] * east + steps[:, 1:] * north
    )
    planes, weights = np.ascontiguousarray(centres.T[:, None]), np.array([[0.3, 0.4, 0.3]])
    rows = np.zeros(1, np.intp)
    summit, _ = climbing._climb(planes, weights, rows, centres[:1], sigma)
    east, north = climbing._tangents(summit)
    for away in (0.05 * sigma * east, 0.05 * sigma * north, 0.04 * sigma * (east - north)):
        begun = climbing._move(summit, away)
        _, step, _ = climbing._ascent(begun, planes, weights, rows, sigma)
        left = np.linalg.norm(climbing._move(begun, step) - summit)
        assert left < 0.05 * np.linalg.norm(away)


@pytest.mark.parametrize("spread", [2.0, 4.0])
def test_what_is_known_of_a_summit_ends_no_climb_that_leads_higher(spread: float) -> None:
    sigma, k, n = 1000.0 / climbing.EARTH_RADIUS_M, 12, 100
    crowds = [crowd(seed, k, spread, 1000.0) for seed in range(n)]
    centres = unit_vectors(np.stack([coordinates for coordinates, _ in crowds]))
    weights = evidence_weights(np.stack([scores for _, scores in crowds]))
    every = tuple(axis.ravel() for axis in np.indices((n, k)))
    summits, heights = climbing.climb_from(every, centres, weights, sigma)
    # What is known is where the climb from the first match ends, the highest summit or another.
    known = summits[::k], heights[::k]
    places, reached = climbing.climb_from(every, centres, weights, sigma, known=known)
    before = np.repeat(known[1], k)
    higher, lower = heights > before * (1 + 1e-9), heights < before * (1 - 1e-9)
    assert higher.any()
    assert lower.any()
    np.testing.assert_array_equal(places[higher], summits[higher])
    np.testing.assert_array_equal(reached[higher], heights[higher])
    np.testing.assert_array_equal(places[lower], summits[lower])
    level = ~higher & ~lower
    assert (places[level] == np.repeat(known[0], k, axis=0)[level]).all(axis=1).mean() > 0.9
    assert np.linalg.norm(places - summits, axis=1)[level].max() * climbing.EARTH_RADIUS_M < 0.01


@pytest.mark.parametrize("sigma_m", [1000.0, 1_779_100.0])
def test_of_two_summits_side_by_side_the_higher_is_found(sigma_m: float) -> None:
    """Two kernels hardly more than two sigma apart, and two others somewhere."""
    rng = np.random.default_rng(0)
    n, sigma = 5000, sigma_m / climbing.EARTH_RADIUS_M
    first = destination(np.array([57.7, 11.97]), rng.uniform(0, 360, n), 50 * sigma_m)
    apart_m = rng.uniform(1.95, 2.3, n) * sigma_m
    second = destination(first, rng.uniform(0, 360, n), np.minimum(apart_m, 2e7))
    third, fourth = (
        destination(first, rng.uniform(0, 360, n), rng.uniform(0, 4, n) * sigma_m) for _ in range(2)
    )
    coordinates = np.stack([first, second, third, fourth], axis=1)
    scores = rng.uniform(0.8, 0.9, (n, 4))
    points = density_mode(coordinates, scores, sigma_m=sigma_m).points
    centres, weights = unit_vectors(coordinates), evidence_weights(scores)
    every = tuple(axis.ravel() for axis in np.indices((n, 4)))
    _, heights = climbing.climb_from(every, centres, weights, sigma)
    away = great_circle_m(points[:, None], coordinates) / sigma_m
    reached = (weights * np.exp(-0.5 * away**2)).sum(axis=1)
    assert (reached >= heights.reshape(n, 4).max(axis=1) * (1 - 1e-9)).all()


@pytest.mark.parametrize("apart", [2.001, 2.005, 2.012])
def test_of_equal_summits_side_by_side_the_better_matchs_is_answered(apart: float) -> None:
    rng = np.random.default_rng(0)
    first = np.stack([rng.uniform(-60, 60, 200), rng.uniform(-180, 180, 200)], axis=1)
    second = destination(first, rng.uniform(0, 360, 200), apart * 1000.0)
    coordinates, scores = np.stack([first, second], axis=1), np.tile([0.5, 0.9], (200, 1))
    points = density_mode(coordinates, scores, exponent=0.0).points
    assert (great_circle_m(points, second) < great_circle_m(points, first)).all()


@pytest.mark.parametrize("sigma_m", [1000.0, 111_200.0])
@pytest.mark.parametrize("apart", [1.9, 1.999, 1.9995])
def test_a_summit_that_is_nearly_flat_is_found(sigma_m: float, apart: float) -> None:
    """Two kernels nearly two sigma apart: between them the density hardly bends."""
    place = np.array([48.0, 11.0])
    ends = destination(place, np.array([40.0, 220.0]), apart / 2 * sigma_m)
    found = density_mode(ends[None], np.full((1, 2), 0.7), sigma_m=sigma_m).points[0]
    assert great_circle_m(found, place) < 1.0


def test_powers_of_chords_are_the_angles_they_stand_for() -> None:
    from sightline.locating import climbing

    # By the definitions, in numbers long enough that nothing cancels.
    angles = np.geomspace(1e-7, climbing.NEAR, 50).astype(np.longdouble)
    squared = np.square(2.0 * np.sin(angles / 2.0)).astype(np.float64)
    small = climbing.NEAR / climbing.FAR
    by_powers, stretch, lost = climbing._bent(squared, small)
    np.testing.assert_allclose(by_powers, np.square(angles).astype(float), rtol=1e-13)
    np.testing.assert_allclose(stretch, (angles / np.sin(angles)).astype(float), rtol=1e-13)
    assert lost == pytest.approx(
        float((1 - angles[-1] / np.tan(angles[-1])) / angles[-1] ** 2), 1e-3
    )
    for few, exact in zip(
        (by_powers, stretch), climbing._bent(squared, 1.01 * small)[:2], strict=True
    ):
        np.testing.assert_allclose(few, exact, rtol=1e-12)
