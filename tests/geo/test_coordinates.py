"""Places at the door: ranges, shapes, text, swapped pairs, and the one name of a meridian."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import CoordinateError
from sightline.geo.coordinates import (
    LatLng,
    as_coordinates,
    from_unit_vectors,
    normalise_longitude,
    unit_vectors,
)


def test_pairs_become_rows_of_float64() -> None:
    for given_value in ([48, 2], [[48, 2]], np.array([[48, 2]]), LatLng(48, 2), [LatLng(48, 2)]):
        rows = as_coordinates(given_value)
        assert rows.dtype == np.float64
        assert rows.tolist() == [[48.0, 2.0]]
    objects = np.array([[48, 2.5], [1, 2]], dtype=object)
    assert as_coordinates(objects).tolist() == [[48.0, 2.5], [1.0, 2.0]]


@pytest.mark.parametrize("nothing", [[], np.empty((0, 2)), ()])
def test_no_places_are_no_rows(nothing: object) -> None:
    assert as_coordinates(nothing).shape == (0, 2)


def test_the_input_is_left_alone() -> None:
    before = np.array([[10.0, 190.0]])
    assert as_coordinates(before).tolist() == [[10.0, -170.0]]
    assert before.tolist() == [[10.0, 190.0]]


@pytest.mark.parametrize(
    ("places", "row", "says", "hints"),
    [
        ([[0, 0], [91, 5]], 1, "latitude 91.0", "look swapped"),
        ([[0, 0], [0, 0], [-150.5, 5]], 2, "latitude -150.5", "look swapped"),
        ([[181, 5]], 0, "latitude 181.0", "latitude first"),
        ([[95, 100]], 0, "latitude 95.0", "latitude first"),
        ([[5, 361]], 0, "longitude 361.0", "latitude first"),
        ([[math.nan, 5]], 0, "not finite", "latitude first"),
        ([[5, math.inf]], 0, "not finite", "latitude first"),
        ([[1, 2], [5, None]], 1, "(5, None)", "numbers"),
        ([[1, 2], ["48.1", "2.3"]], 1, "('48.1', '2.3')", "numbers"),
        ([[1, 2], [3]], 1, "(3,)", "numbers"),
        (["48.1", "2.3"], 0, "('48.1', '2.3')", "numbers"),
        ([True, False], 0, "True", "numbers"),
        ([[1, 2], "x"], 1, "'x'", "numbers"),
    ],
)
def test_the_row_and_the_value_are_named(places: object, row: int, says: str, hints: str) -> None:
    with pytest.raises(CoordinateError) as caught:
        as_coordinates(places, name="photos")
    assert f"photos row {row}" in caught.value.message
    assert says in caught.value.message
    assert hints in caught.value.hint


@pytest.mark.parametrize(
    "value", [[[10**400, 1]], "48,2", 5, None, 1 + 2j, [[1, 2, 3]], np.zeros((2, 2, 2))]
)
def test_what_is_no_list_of_pairs(value: object) -> None:
    with pytest.raises(CoordinateError, match=r"row 0|pairs of numbers|shape \(n, 2\)"):
        as_coordinates(value)


def test_complex_pairs_are_no_numbers() -> None:
    with pytest.raises(CoordinateError, match="two numbers"):
        as_coordinates(np.array([[1 + 0j, 2 + 0j]]))


def test_an_array_of_booleans_is_refused() -> None:
    with pytest.raises(CoordinateError, match="row 0"):
        as_coordinates(np.array([[True, False]]))


@given(st.floats(-360, 360))
def test_a_longitude_keeps_its_meridian(lon: float) -> None:
    kept = float(normalise_longitude(lon))
    assert -180.0 <= kept < 180.0
    assert math.remainder(kept - lon, 360.0) == pytest.approx(0.0, abs=1e-12)
    if -180.0 <= lon < 180.0:
        assert kept == lon


def test_the_seam_has_one_name() -> None:
    edges = [180.0, -180.0, 540.0, -540.0, np.nextafter(-180.0, -181.0), 360.0, np.nan]
    kept = normalise_longitude(edges)
    assert kept[:4].tolist() == [-180.0] * 4
    assert -180.0 <= kept[4] < 180.0
    assert kept[5] == 0.0
    assert np.isnan(kept[6])


def test_a_place_is_a_value() -> None:
    place = LatLng(10, 200)
    assert place == LatLng(10.0, -160.0)
    assert hash(place) == hash(LatLng(10.0, -160.0))
    assert tuple(place) == (10.0, -160.0)
    assert (place[0], place[1], len(place)) == (10.0, -160.0, 2)
    with pytest.raises(CoordinateError, match="place row 0"):
        LatLng(100, 5)
    with pytest.raises(CoordinateError):
        LatLng("48", "2")  # type: ignore[arg-type]


@given(st.floats(-90, 90), st.floats(-180, 179.999))
def test_vectors_and_back(lat: float, lon: float) -> None:
    vector = unit_vectors([lat, lon])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-15)
    again = from_unit_vectors(7.0 * vector)
    assert again[0] == pytest.approx(lat, abs=1e-6)
    assert np.abs(unit_vectors(again) - vector).max() < 1e-15


def test_the_axes_are_those_of_the_earth() -> None:
    places = [[0, 0], [0, 90], [90, 0], [0, -180]]
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]]
    assert np.abs(unit_vectors(places) - expected).max() < 1e-15
    assert from_unit_vectors([0.0, 0.0, 0.0]).tolist() == [0.0, 0.0]
    assert unit_vectors(np.zeros((4, 5, 2))).shape == (4, 5, 3)
