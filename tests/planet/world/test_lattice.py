from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors
from sightline.planet.world.lattice import (
    CELL_M,
    CELLS,
    FACES,
    Frame,
    faces_of,
    latlng_of,
    latlng_of_vectors,
    lattice_of,
    on_chart,
    vectors_of,
    vectors_of_grid,
    vectors_of_latlng,
)

LATITUDE, LONGITUDE = st.floats(-90, 90), st.floats(-180, 179.999999)


@given(LATITUDE, LONGITUDE)
def test_vectors_are_those_of_the_house(lat: float, lon: float) -> None:
    np.testing.assert_allclose(
        vectors_of_latlng([lat, lon])[0], unit_vectors([lat, lon]), rtol=0, atol=2e-15
    )


@given(LATITUDE, LONGITUDE)
def test_lattice_and_back(lat: float, lon: float) -> None:
    vector = vectors_of_latlng([lat, lon])
    face, a, b = lattice_of(vector)
    assert 0 <= a[0] <= CELLS
    assert 0 <= b[0] <= CELLS
    again = vectors_of(int(face[0]), a, b)
    assert np.abs(again - vector).max() * EARTH_RADIUS_M < 1e-6
    place = latlng_of(int(face[0]), a, b)
    assert abs(place[0, 0] - lat) < 1e-7


def test_longitudes_stay_below_180() -> None:
    assert latlng_of_vectors(np.array([[-1.0, 0.0, 0.0]])).tolist() == [[0.0, -180.0]]


def test_edges_are_shared_points() -> None:
    """A vertex on an edge is the same point in both faces' lattices."""
    steps = np.linspace(0, CELLS, 65)
    seen: dict[tuple[int, ...], set[int]] = {}
    for face in range(FACES):
        for side in (0.0, float(CELLS)):
            for vectors in (
                vectors_of(face, np.full(65, side), steps),
                vectors_of(face, steps, np.full(65, side)),
            ):
                for vector in vectors:
                    seen.setdefault(tuple(np.round(vector * 1e9).astype(int)), set()).add(face)
    counts = [len(faces) for faces in seen.values()]
    assert counts.count(3) == 8
    assert counts.count(2) == 12 * 63
    assert len(counts) == 8 + 12 * 63


def test_ties_go_to_the_lower_face() -> None:
    assert faces_of(np.array([[1.0, 1.0, 0.0], [0.0, -1.0, -1.0], [1, 1, 1]])).tolist() == [0, 3, 0]


@pytest.mark.parametrize("face", range(FACES))
def test_charts_go_on_beyond_their_edge(face: int) -> None:
    a, b = np.array([-30.0, CELLS + 12.5]), np.array([800.0, CELLS - 3.0])
    back_a, back_b = on_chart(face, vectors_of(face, a, b))
    np.testing.assert_allclose(back_a, a, atol=1e-6)
    np.testing.assert_allclose(back_b, b, atol=1e-6)


def test_grid_is_every_pair() -> None:
    a, b = np.array([3.0, 80_000.0]), np.array([1.0, 5.0, 150_000.0])
    grid = vectors_of_grid(2, a, b)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(grid[i, j], vectors_of(2, a[i], b[j]), atol=1e-15)


def test_a_cell_is_64_metres_in_the_middle_and_45_at_an_edge() -> None:
    middle = Frame.at(0, CELLS / 2, CELLS / 2)
    np.testing.assert_allclose(np.abs(middle.cell_m), np.diag([CELL_M, CELL_M]), atol=1e-6)
    edge = np.abs(Frame.at(0, CELLS, CELLS / 2).cell_m)
    assert edge[0, 0] == pytest.approx(CELL_M, rel=1e-6)
    assert edge[1, 1] == pytest.approx(CELL_M / np.sqrt(2), rel=1e-6)


@given(LATITUDE, LONGITUDE)
def test_frame(lat: float, lon: float) -> None:
    face, a, b = lattice_of(vectors_of_latlng([lat, lon]))
    frame = Frame.at(int(face[0]), float(a[0]), float(b[0]))
    np.testing.assert_allclose(frame.axes @ frame.axes.T, np.eye(3), atol=1e-13)
    # The derivative is that of a slow difference, and its inverse is one.
    near = frame.metres(vectors_of(frame.face, a + np.array([0.5, 0]), b + np.array([0, 0.5])))
    away = frame.metres(vectors_of(frame.face, a - np.array([0.5, 0]), b - np.array([0, 0.5])))
    np.testing.assert_allclose(np.array(frame.cell_m).T, near - away, atol=1e-3)
    np.testing.assert_allclose(
        np.array(frame.cell_m) @ np.array(frame.to_lattice()), np.eye(2), atol=1e-12
    )
    metres = np.array([[120.0, -60.0], [0.0, 0.0]])
    np.testing.assert_allclose(frame.metres(frame.vectors(metres)), metres, atol=1e-6)


def test_north_is_north() -> None:
    face, a, b = lattice_of(vectors_of_latlng([40.0, 100.0]))
    frame = Frame.at(int(face[0]), float(a[0]), float(b[0]))
    metres = frame.metres(vectors_of_latlng([[40.001, 100.0], [40.0, 100.001]]))
    assert metres[0, 1] == pytest.approx(np.deg2rad(0.001) * EARTH_RADIUS_M, rel=1e-6)
    assert abs(metres[0, 0]) < 1e-6
    assert metres[1, 0] == pytest.approx(
        np.deg2rad(0.001) * EARTH_RADIUS_M * np.cos(np.deg2rad(40)), rel=1e-6
    )


def test_poles_have_a_frame() -> None:
    frame = Frame.at(4, CELLS / 2, CELLS / 2)
    np.testing.assert_allclose(frame.axes @ frame.axes.T, np.eye(3), atol=1e-12)


def test_the_same_metres_on_another_chart() -> None:
    frame = Frame.at(0, CELLS - 1.5, 70_000.0)
    other = frame.on(2)
    np.testing.assert_array_equal(other.axes, frame.axes)
    point = vectors_of(2, other.a + 1.0, other.b + 2.0)
    expected = np.array(other.cell_m) @ [1.0, 2.0]
    np.testing.assert_allclose(frame.metres(point), expected, atol=1e-2)
