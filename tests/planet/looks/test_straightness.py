"""What straight metres miss, held against the sphere itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.looks.field_reading import fields_at
from sightline.planet.looks.straightness import Turn, bends_on, north_at
from sightline.planet.world.assembly import World
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B, FacetedRaster
from sightline.planet.world.lattice import (
    CELL_M,
    CELLS,
    Frame,
    faces_of,
    latlng_of_vectors,
    lattice_of,
    on_chart,
    vectors_of_latlng,
)

LONGITUDE, METRES = st.floats(-180, 179.999999), st.floats(-300, 300)


def frame_at(lat: float, lon: float) -> Frame:
    face, a, b = lattice_of(vectors_of_latlng([lat, lon]))
    return Frame.at(int(face[0]), float(a[0]), float(b[0]))


@given(st.floats(-89, 89), LONGITUDE, METRES, METRES)
def test_north_is_where_the_meridian_goes(
    lat: float, lon: float, east: float, north: float
) -> None:
    frame = frame_at(lat, lon)
    place = latlng_of_vectors(frame.vectors(np.array([[east, north]])))[0]
    # Ten metres along the meridian, as the frame's map shows them.
    step = np.array([np.rad2deg(10.0 / EARTH_RADIUS_M), 0.0])
    ends = frame.metres(vectors_of_latlng(np.stack([place - step, place + step])))
    right, ahead = ends[1] - ends[0]
    assert north_at(frame, east, north) == pytest.approx(np.arctan2(right, ahead), abs=1e-7)


def test_north_at_a_pole() -> None:
    frame = Frame.at(4, CELLS / 2, CELLS / 2)
    assert north_at(frame, 0.0, 0.0) == 0.0
    assert north_at(frame, 0.0, 50.0) == pytest.approx(np.pi)


@given(st.floats(-89, 89), LONGITUDE, METRES, METRES, METRES, METRES)
def test_a_pictures_metres_are_those_of_a_window_about_it(
    lat: float, lon: float, east: float, north: float, right: float, ahead: float
) -> None:
    frame = frame_at(lat, lon)
    turn = Turn.at(frame, east, north)
    middle = latlng_of_vectors(frame.vectors(np.array([[east, north]])))[0]
    there = frame_at(*middle)
    # On a map about the picture itself, north is up; its origin is the nearest place it has.
    offset = there.metres(vectors_of_latlng(middle[None]))[0]
    window = np.array([[east + right, north + ahead]], np.float32)
    exact = there.metres(frame.vectors(window.astype(np.float64)))[0] - offset
    found = turn.places(window)
    np.testing.assert_allclose(found[0] - [east, north], exact, atol=3e-4)
    np.testing.assert_allclose(np.concatenate(turn.back(*found.T)), window[0], atol=3e-4)
    np.testing.assert_array_equal(
        turn.directions(np.array([[0, 1]], np.float32))[0],
        np.array([-turn.sine, turn.cosine], np.float32),
    )


@given(st.floats(-90, 90), LONGITUDE, METRES, METRES)
def test_bent_coordinates_are_the_charts(lat: float, lon: float, east: float, north: float) -> None:
    frame = frame_at(lat, lon)
    bends = bends_on(frame)
    (exact_a,), (exact_b,) = on_chart(frame.face, frame.vectors(np.array([[east, north]])))
    for exact, first, linear, bend in (
        (exact_a, frame.a, frame.to_lattice()[0], bends[0]),
        (exact_b, frame.b, frame.to_lattice()[1], bends[1]),
    ):
        straight = first + linear[0] * east + linear[1] * north
        bent = straight + float(np.dot(bend, [east * east, east * north, north * north]))
        assert abs(bent - exact) * CELL_M < 1e-5


@pytest.mark.parametrize("away_m", [0.0, 400.0])
def test_windows_read_the_same_coordinates_to_a_millimetre(away_m: float) -> None:
    """Across a cube edge and beside it; straight axes are off by five millimetres here."""
    edge = vectors_of_latlng([-44.998673876158705, -0.514223176759438])
    place = Frame.at(*one(edge)).vectors(np.array([[0.0, away_m]]))
    first, second = (
        World(0).neighbourhood(*one(Frame.at(*one(place)).vectors(np.array([apart]))), 250.0)
        for apart in ([0.0, 0.0], [100.0, -110.0])
    )
    assert isinstance(first.ground, FacetedRaster) == (away_m == 0.0)
    metres = np.random.default_rng(2).uniform([-60.0, -130.0], [130.0, 60.0], (2000, 2))
    vectors = first.frame.vectors(metres)
    there = second.frame.metres(vectors)
    mine, theirs = (
        fields_at(window, *np.ascontiguousarray(places.T.astype(np.float32)))
        for window, places in ((first, metres), (second, there))
    )
    own = faces_of(vectors)
    for face in np.unique(own):
        for name in (LATTICE_A, LATTICE_B):
            # Whole cells are counted from each window's own first.
            apart = (mine[name] - theirs[name])[own == face]
            off_m = np.abs(apart - np.rint(np.median(apart))) * CELL_M
            # Within a millimetre of the edge rounding may choose the other face.
            assert np.quantile(off_m, 0.995) < 1e-3


def one(vector: np.ndarray) -> tuple[int, float, float]:
    face, a, b = lattice_of(vector)
    return int(face[0]), float(a[0]), float(b[0])
