"""From neighbours to places, each against something slow and obvious."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.benchmark.answers import (
    DEGREE_M,
    average,
    clusters,
    density,
    nearest,
    or_representative,
)
from sightline.benchmark.neighbours import Neighbours
from sightline.geo.distance import great_circle_m
from sightline.locating import density_mode, largest_cluster

from .worlds import places, queries, references, search


def near(points: list[list[tuple[float, float]]]) -> Neighbours:
    """Neighbours at places, the nearest first; of uneven length."""
    width = max(map(len, points))
    found = np.full((len(points), width, 2), np.nan)
    for row, some in enumerate(points):
        for column, place in enumerate(some):
            found[row, column] = place
    scores = np.where(np.isnan(found[..., 0]), np.nan, np.linspace(0.9, 0.5, width))
    return Neighbours(scores, found, np.where(np.isnan(scores), -1, 0))


def slow_mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    x = y = z = 0.0
    for lat, lon in points:
        phi, theta = math.radians(lat), math.radians(lon)
        x += math.cos(phi) * math.cos(theta)
        y += math.cos(phi) * math.sin(theta)
        z += math.sin(phi)
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def test_the_average_is_the_mean_on_the_sphere() -> None:
    given = [
        [(10.0, 20.0), (12.0, 24.0), (50.0, -3.0)],
        [(0.0, 179.0), (0.0, -179.0)],
        [(80.0, 0.0), (80.0, 180.0)],
    ]
    found = average(near(given))
    for point, some in zip(found, given, strict=True):
        assert float(great_circle_m(tuple(point), slow_mean(some))) < 0.01
    assert abs(found[1, 1]) == pytest.approx(180.0)
    two = average(near(given), 2)
    assert float(great_circle_m(tuple(two[0]), slow_mean(given[0][:2]))) < 0.01


def test_of_antipodes_the_nearest_answers_and_of_nobody_none() -> None:
    found = average(near([[(10.0, 20.0), (-10.0, -160.0)], []]))
    assert found[0].tolist() == [10.0, 20.0]
    assert np.isnan(found[1]).all()
    assert np.isnan(nearest(near([[], [(1.0, 2.0)]]))[0]).all()


def test_density_and_clusters_are_the_locators_own_on_the_first_k() -> None:
    given = search(queries(12, 5), (references("a", 80, 1),), deepest=40).anywhere()
    wide = density_mode(given.places[:, :30], given.scores[:, :30], sigma_m=4 * DEGREE_M)
    assert np.array_equal(density(given, 4 * DEGREE_M, 30), wide.points)
    ten = largest_cluster(given.places[:, :10], given.scores[:, :10])
    assert np.array_equal(clusters(given), ten.points)
    assert great_circle_m(clusters(given, 1), nearest(given)).max() < 0.01
    assert float(great_circle_m((0.0, 0.0), (1.0, 0.0))) == pytest.approx(DEGREE_M)


def test_an_empty_cell_is_answered_by_its_representative_and_counted() -> None:
    asked = queries(4, 5, broken=[3])
    points = places(4, 8)
    points[1] = points[3] = np.nan
    found, empty = or_representative(points, asked, 1)
    assert empty == 1
    belief = asked.beliefs[1]
    assert found[1].tolist() == belief.partition.representatives[belief.cells[1, 0]].tolist()
    assert np.array_equal(found[[0, 2]], points[[0, 2]])
