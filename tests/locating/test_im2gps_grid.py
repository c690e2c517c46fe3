"""The authors' procedure where their fixtures do not look; equality is a conformance test."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

from sightline.locating.im2gps_grid import im2gps_grid


def oracle(gps: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One query with real histograms and a real filter: coarse and fine mode."""
    weights = (distances.min() / distances) ** 10
    coarse = peak(blur(histogram(gps, weights, 1), 4))
    latx, longx = max(21, min(159, coarse[0])), max(21, min(339, coarse[1]))
    fine = histogram(gps, weights, 10)
    window = np.s_[latx * 10 - 201 : latx * 10 + 200, longx * 10 - 201 : longx * 10 + 200]
    blurred = np.zeros_like(fine)
    blurred[window] = blur(fine[window], 40)
    row, column = peak(blurred)
    return np.array(coarse), np.array([row - 900, column - 1800]) / 10


def histogram(gps: np.ndarray, weights: np.ndarray, per_degree: int) -> np.ndarray:
    grid = np.zeros((180 * per_degree, 360 * per_degree))
    for (lat, lon), weight in zip(gps, weights, strict=True):
        row = int(np.ceil(lat * per_degree)) + 90 * per_degree
        column = int(np.ceil(lon * per_degree)) + 180 * per_degree
        if row >= 1 and column >= 1:
            grid[row - 1, column - 1] += weight
    return grid


def blur(grid: np.ndarray, sigma: int) -> np.ndarray:
    taps = np.exp(-0.5 * (np.arange(-2 * sigma, 2 * sigma + 1) / sigma) ** 2)
    taps /= taps.sum()
    return correlate1d(
        correlate1d(grid, taps, axis=0, mode="nearest"), taps, axis=1, mode="nearest"
    )


def peak(grid: np.ndarray) -> tuple[int, int]:
    flat = int(grid.ravel(order="F").argmax())
    return flat % grid.shape[0] + 1, flat // grid.shape[0] + 1


def test_equal_to_histograms_and_filters() -> None:
    rng = np.random.default_rng(11)
    n, k = 12, 100
    gps = np.stack([rng.uniform(-90, 90, (n, k)), rng.uniform(-180, 180, (n, k))], axis=2)
    gps[6:] = gps[6:, :1] + rng.normal(0, 3, (n - 6, k, 2))
    gps = np.clip(gps, [-90, -180], [90, 180])
    distances = np.sort(rng.uniform(0.5, 1.5, (n, k)))
    found = im2gps_grid(gps, distances)
    for row in range(n):
        coarse, fine = oracle(gps[row], distances[row])
        np.testing.assert_array_equal(found.coarse[row], coarse)
        np.testing.assert_allclose(found.modes[row], fine, atol=1e-12)


def test_near_a_pole_the_window_misses_what_it_was_set_for() -> None:
    """Their window ends at 70 degrees; an empty one leaves the grid's first cell."""
    found = im2gps_grid([[[89.5, 10.5]]], [[0.7]])
    np.testing.assert_array_equal(found.coarse, [[180, 191]])
    np.testing.assert_array_equal(found.windows, [[159, 191]])
    np.testing.assert_allclose(found.modes, [[-89.9, -179.9]])
    np.testing.assert_allclose(found.points, found.modes)
    assert found.snapped[0] == -1


def test_edges_of_the_world_are_dropped() -> None:
    found = im2gps_grid([[[-90.0, 0.5], [20.5, -180.0], [30.5, 40.5]]], [[0.1, 0.1, 1.0]])
    np.testing.assert_array_equal(found.coarse, [[121, 221]])
    np.testing.assert_array_equal(found.points, [[30.5, 40.5]])
    assert found.snapped[0] == 2


def test_only_the_first_hundred_count() -> None:
    gps = np.tile([10.5, 10.5], (1, 150, 1))
    gps[0, 100:] = [50.5, 50.5]
    found = im2gps_grid(gps, np.ones((1, 150)))
    np.testing.assert_array_equal(found.points, [[10.5, 10.5]])


def test_a_distance_of_zero_leaves_only_its_like() -> None:
    gps = [[[10.5, 10.5], [50.5, 50.5], [50.5, 50.5]]]
    found = im2gps_grid(gps, [[0.0, 1e-9, 1e-9]])
    np.testing.assert_array_equal(found.points, [[10.5, 10.5]])


def test_padding_counts_nothing() -> None:
    gps = np.array([[[np.nan, np.nan], [10.5, 10.5], [0.5, 0.5]], np.full((3, 2), np.nan)])
    found = im2gps_grid(gps, [[0.1, 0.9, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(found.points[0], [10.5, 10.5])
    assert found.snapped[0] == 1
    assert np.isnan(found.points[1]).all()
    assert np.isnan(found.modes[1]).all()
    assert found.snapped[1] == -1


def test_the_edge_of_the_window_is_padded_with_itself() -> None:
    """A match in the window's corner is drawn to the corner by the replicated rows."""
    found = im2gps_grid([[[0.5, -179.95], [0.5, -179.95]]], [[1.0, 1.0]])
    coarse, fine = oracle(np.array([[0.5, -179.95]] * 2), np.ones(2))
    np.testing.assert_array_equal(found.coarse[0], coarse)
    np.testing.assert_allclose(found.modes[0], fine, atol=1e-12)
