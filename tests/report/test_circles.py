from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.geo.distance import great_circle_m
from sightline.report.circles import circle_polygon, split_at_antimeridian

HALF_WAY_ROUND_M = math.pi * EARTH_RADIUS_M
lats = st.floats(-90, 90)
lons = st.floats(-180, 179.999999)


# A ring that crossed itself where it closes turned this one inside out.
@example(lat=1.0, lon=0.0, radius_m=13_447_448.0, seed=0)
@example(lat=1.0, lon=0.0, radius_m=100_000.0, seed=0)
@given(lats, lons, st.floats(1.0, HALF_WAY_ROUND_M * 1.05), st.integers(0, 2**32 - 1))
def test_a_point_is_in_the_polygon_when_it_is_near_enough(
    lat: float, lon: float, radius_m: float, seed: int
) -> None:
    polygon = split_at_antimeridian(circle_polygon(lat, lon, radius_m))
    assert polygon.is_valid
    west, south, east, north = polygon.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    points = _points_over_the_sphere(seed)
    distances = great_circle_m(points, (lat, lon))
    inside = shapely.contains_xy(polygon, points[:, 1], points[:, 0])
    # 128 chords leave the circle by a small part of its radius, or of what is outside it; straight
    # lines in degrees near a pole by a little more.
    slack = 0.02 * min(radius_m, abs(HALF_WAY_ROUND_M - radius_m)) + 60_000
    certain = np.abs(distances - radius_m) > slack
    # Points on the seam belong to both halves' edges.
    certain &= np.abs(np.abs(points[:, 1]) - 180) > 1e-9
    assert (inside == (distances < radius_m))[certain].all()


def _points_over_the_sphere(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 200)))
    return np.column_stack([lat, random.uniform(-180, 180, 200)])


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m", "parts"),
    [
        (55.7, 13.2, 50.0, 1),
        (0.0, 180.0, 1000.0, 2),
        (-17.0, -179.999, 5000.0, 2),
        (89.9999, 10.0, 100_000.0, 1),
        (-90.0, 0.0, 1_000_000.0, 1),
        (10.0, 100.0, 0.999 * HALF_WAY_ROUND_M, 1),
    ],
)
def test_area_is_that_of_a_cap(lat: float, lon: float, radius_m: float, parts: int) -> None:
    polygon = split_at_antimeridian(circle_polygon(lat, lon, radius_m))
    assert shapely.get_num_geometries(polygon) == parts
    # Lambert's cylindrical projection keeps areas: x = lon, y = sin lat.
    dense = shapely.segmentize(polygon, 0.05)
    flat = shapely.transform(
        dense, lambda p: np.column_stack([np.radians(p[:, 0]), np.sin(np.radians(p[:, 1]))])
    )
    expected = 2 * math.pi * (1 - math.cos(radius_m / EARTH_RADIUS_M))
    assert flat.area == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m"),
    [
        (63.3, 170.7, 585570.9263823738),
        (-63.1, -174.7, 619360.9212251586),
        (-60.5, 179.0, 103944.86572258238),
    ],
)
def test_rounding_does_not_let_a_ring_cross_itself(lat: float, lon: float, radius_m: float) -> None:
    assert circle_polygon(lat, lon, radius_m).is_valid


def test_the_polygon_stays_in_one_piece_around_its_centre() -> None:
    polygon = circle_polygon(0.0, 179.9, 100_000.0)
    assert polygon.bounds[2] > 180
    assert polygon.contains(shapely.Point(179.9, 0.0))


def test_exterior_rings_run_counterclockwise_and_holes_clockwise() -> None:
    everywhere_but = split_at_antimeridian(circle_polygon(0.0, 0.0, 0.9 * HALF_WAY_ROUND_M))
    for part in shapely.get_parts(everywhere_but):
        assert part.exterior.is_ccw
        assert not any(hole.is_ccw for hole in part.interiors)


@pytest.mark.parametrize("radius_m", [0.0, -1.0, float("nan"), float("inf")])
def test_no_area_is_no_polygon(radius_m: float) -> None:
    assert circle_polygon(0.0, 0.0, radius_m) is None


def test_the_whole_sphere() -> None:
    whole = split_at_antimeridian(circle_polygon(10.0, 20.0, HALF_WAY_ROUND_M))
    assert whole.area == pytest.approx(360 * 180)
