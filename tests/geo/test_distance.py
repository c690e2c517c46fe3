"""Distances, bearings, destinations and means against slow oracles and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sightline.errors import CoordinateError
from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors
from sightline.geo.distance import (
    bearing_degrees,
    destination,
    geodesic_m,
    great_circle_m,
    spherical_mean,
)

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
PLACES = st.tuples(LATITUDES, LONGITUDES)
AWKWARD = [
    (90.0, 0.0), (90.0, 77.0), (-90.0, 0.0), (0.0, 0.0), (0.0, -180.0), (0.0, 180.0),
    (45.0, 10.0), (-45.0, -170.0), (1e-12, 1e-12), (89.9999999999, 10.0), (0.0, 179.9999999999),
]  # fmt: skip


def slow_angle(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The angle by the cross product: a formula that shares nothing with the haversine."""
    p, q = unit_vectors(a), unit_vectors(b)
    return math.atan2(float(np.linalg.norm(np.cross(p, q))), float(p @ q))


@given(PLACES, PLACES)
def test_great_circle_equals_the_angle_of_the_vectors(a, b) -> None:
    ours = float(great_circle_m(a, b))
    assert ours == pytest.approx(EARTH_RADIUS_M * slow_angle(a, b), abs=1e-7)
    assert float(great_circle_m(b, a)) == pytest.approx(ours, abs=1e-8)
    assert float(great_circle_m(a, a)) == 0.0


def test_quarters_and_halves_of_the_sphere() -> None:
    quarter = EARTH_RADIUS_M * math.pi / 2
    assert float(great_circle_m([0, 0], [90, 55])) == pytest.approx(quarter, rel=1e-15)
    assert float(great_circle_m([0, 0], [0, -180])) == pytest.approx(2 * quarter, rel=1e-15)
    assert float(great_circle_m([12.5, 30], [-12.5, -150])) == pytest.approx(2 * quarter, rel=1e-15)
    assert float(great_circle_m([5, 180], [5, -180])) == 0.0
    assert float(great_circle_m([0, 0], [0, 90], radius_m=2.0)) == pytest.approx(math.pi)


def test_a_hair_from_the_antipode_is_told_apart() -> None:
    # The usual 1 - h by subtraction is off by metres to kilometres here.
    for gap_degrees in (1e-3, 1e-6, 1e-9):
        metres = EARTH_RADIUS_M * (math.pi - math.radians(gap_degrees))
        assert float(great_circle_m([0, 0], [0, 180 - gap_degrees])) == pytest.approx(
            metres, abs=1e-6
        )


def test_awkward_pairs_stay_finite() -> None:
    places = np.array(AWKWARD)
    antipodes = np.column_stack([-places[:, 0], places[:, 1] - 180.0])
    both = np.concatenate([places, antipodes])
    for function in (great_circle_m, geodesic_m, bearing_degrees):
        table = function(both[:, None], both[None, :])
        assert table.shape == (len(both), len(both))
        assert np.isfinite(table).all()
    assert np.abs(np.diag(geodesic_m(both[:, None], both[None, :]))).max() == 0.0
    bearings = bearing_degrees(both[:, None], both[None, :])
    assert ((bearings >= 0) & (bearings < 360)).all()


def test_geodesics_of_known_length() -> None:
    # A quarter meridian of WGS84, and a degree of its equator.
    assert float(geodesic_m([0, 0], [90, 0])) == pytest.approx(10_001_965.729, abs=1e-3)
    assert float(geodesic_m([0, 0], [0, 1])) == pytest.approx(math.radians(6_378_137.0), abs=1e-6)
    assert float(geodesic_m([0, 0], [0, 180])) == pytest.approx(20_003_931.459, abs=1e-3)


def test_unknown_places_stay_unknown() -> None:
    rows = np.array([[1.0, 2.0], [np.nan, np.nan]])
    for function in (great_circle_m, geodesic_m, bearing_degrees):
        result = function(rows, [3.0, 4.0])
        assert np.isfinite(result[0])
        assert np.isnan(result[1])
    assert np.isnan(geodesic_m([np.nan, 0.0], [0.0, 0.0]))


def test_everything_broadcasts() -> None:
    table = np.full((4, 1, 2), 10.0)
    row = np.full((3, 2), 11.0)
    for function in (great_circle_m, geodesic_m, bearing_degrees):
        assert function(table, row).shape == (4, 3)
        assert function([10, 20], [11, 21]).shape == ()
    assert destination(table, np.zeros(3), 5.0).shape == (4, 3, 2)
    assert destination([10, 20], 30.0, [[1.0], [2.0]]).shape == (2, 1, 2)
    assert great_circle_m(np.empty((0, 2)), [1, 2]).shape == (0,)
    assert geodesic_m(np.empty((0, 2)), [1, 2]).shape == (0,)


@pytest.mark.parametrize("wrong", [5.0, [1.0], [1.0, 2.0, 3.0]])
def test_the_last_axis_holds_latitude_and_longitude(wrong) -> None:
    with pytest.raises(CoordinateError, match=r"shape \(\.\.\., 2\)"):
        great_circle_m(wrong, [0.0, 0.0])


@pytest.mark.parametrize(
    ("target", "bearing"),
    [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270), ((0, 0), 0), ((90, 123), 0)],
)
def test_bearings_from_the_origin(target, bearing) -> None:
    assert float(bearing_degrees([0, 0], target)) == pytest.approx(bearing, abs=1e-12)


def test_the_bearing_over_the_antimeridian_takes_the_short_way() -> None:
    assert float(bearing_degrees([0, 179], [0, -179])) == pytest.approx(90.0)
    # A hair west of north must not round up to 360.
    assert float(bearing_degrees([0, 0], [10, -1e-18])) < 360.0


@given(PLACES, st.floats(0, 359.99), st.floats(1.0, 19_900_000.0))
def test_one_arrives_where_the_bearing_and_distance_say(start, bearing, metres) -> None:
    assume(abs(start[0]) < 89.999)
    end = destination(start, bearing, metres)
    assert float(great_circle_m(start, end)) == pytest.approx(metres, abs=1e-6)
    back = float(bearing_degrees(start, end)) - bearing
    # A bearing is worth what the distance makes of it, sideways.
    sideways = math.radians(math.remainder(back, 360.0)) * math.sin(metres / EARTH_RADIUS_M)
    assert abs(sideways * EARTH_RADIUS_M) < 1e-4 / math.cos(math.radians(start[0]))


def test_from_a_pole_the_bearing_picks_the_meridian() -> None:
    quarter = EARTH_RADIUS_M * math.pi / 2
    assert destination([90, 0], 180.0, quarter).tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert destination([90, 0], 90.0, quarter)[1] == pytest.approx(90.0)
    assert destination([10, 20], 77.0, 0.0).tolist() == pytest.approx([10.0, 20.0])


def test_the_mean_crosses_the_antimeridian_and_the_pole() -> None:
    assert spherical_mean([[10, 179], [10, -179]])[1] == pytest.approx(-180.0)
    assert spherical_mean([[80, 0], [80, 90], [80, 180], [80, -90]])[0] == pytest.approx(90.0)
    assert spherical_mean([[12, 34]]).tolist() == pytest.approx([12, 34])


def test_the_mean_of_two_is_halfway_and_weights_pull() -> None:
    a, b = [40.0, 10.0], [50.0, 30.0]
    middle = spherical_mean([a, b])
    assert float(great_circle_m(a, middle)) == pytest.approx(float(great_circle_m(b, middle)))
    assert spherical_mean([a, b], [1.0, 0.0]).tolist() == pytest.approx(a)
    pulled = spherical_mean([a, b], [3.0, 1.0])
    assert pulled.tolist() == pytest.approx(spherical_mean([a, a, a, b]).tolist())
    tiny = spherical_mean([a, b], [3e-320, 1e-320])
    assert tiny.tolist() == pytest.approx(pulled.tolist(), abs=1e-2)


@pytest.mark.parametrize(
    ("places", "weights", "says"),
    [
        (np.empty((0, 2)), None, "n > 0"),
        ([1.0, 2.0], None, "n > 0"),
        ([[0, 0], [0, 180]], None, "cancel out"),
        ([[0, 0], [0, 120], [0, -120]], None, "cancel out"),
        ([[90, 0], [-90, 5]], None, "cancel out"),
        ([[np.nan, 0.0]], None, "cancel out"),
        ([[0, 0]], [1.0, 2.0], r"shape \(1,\)"),
        ([[0, 0]], [0.0], "not all zero"),
        ([[0, 0]], [-1.0], "not negative"),
        ([[0, 0]], [np.nan], "finite"),
    ],
)
def test_where_no_mean_exists(places, weights, says) -> None:
    with pytest.raises(CoordinateError, match=says):
        spherical_mean(places, weights)
