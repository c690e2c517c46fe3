"""The rasteriser against testing every pixel, and its shadows against walking to the sun."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.planet.overhead import fill
from sightline.planet.overhead.fill import Canvas

CANVAS = Canvas(west_m=-20.0, north_m=15.0, metres_per_pixel=0.5, rows=60, columns=80)


def test_canvas_knows_its_pixels() -> None:
    assert CANVAS.eastings()[[0, -1]].tolist() == [-19.75, 19.75]
    assert CANVAS.northings()[[0, -1]].tolist() == [14.75, -14.75]
    column, row = CANVAS.positions(np.array([[-19.75, 14.75], [0.0, 0.0]], np.float32))
    np.testing.assert_allclose(column, [0, 39.5])
    np.testing.assert_allclose(row, [0, 29.5])


def test_canvas_says_what_touches_it() -> None:
    points = np.array([[0, 0], [22, 0], [0, 18], [30, 0]], np.float32)
    assert CANVAS.touches(points, np.float32(4)).tolist() == [True, True, True, False]


box = st.tuples(
    st.floats(-25, 25), st.floats(-20, 20), st.floats(0, 2 * math.pi), st.floats(0.1, 14),
    st.floats(0.1, 9),
)  # fmt: skip


@given(st.lists(box, min_size=1, max_size=4))
@settings(max_examples=60)
def test_boxes_are_the_pixels_within_half_a_pixel_of_them(
    shapes: list[tuple[float, float, float, float, float]],
) -> None:
    east, north, angle, length, width = (
        np.array(part, np.float32) for part in zip(*shapes, strict=True)
    )
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = fill.boxes(CANVAS, np.stack([east, north], axis=1), axis, length, width)
    x, y = np.meshgrid(CANVAS.eastings().astype(float), CANVAS.northings().astype(float))
    for number in range(len(shapes)):
        along = (x - east[number]) * axis[number, 0] + (y - north[number]) * axis[number, 1]
        across = (y - north[number]) * axis[number, 0] - (x - east[number]) * axis[number, 1]
        inside = (
            np.minimum(
                length[number] + 0.25 - np.abs(along), width[number] + 0.25 - np.abs(across)
            )
        ).ravel()  # fmt: skip
        mine = found.owner == number
        got = np.zeros(CANVAS.rows * CANVAS.columns, bool)
        got[found.pixel[mine]] = True
        assert np.count_nonzero(mine) == got.sum()  # each pixel once
        assert got[inside > 1e-3].all()
        assert not got[inside < -1e-3].any()
        np.testing.assert_allclose(found.along[mine], along.ravel()[found.pixel[mine]], atol=2e-4)
        np.testing.assert_allclose(found.across[mine], across.ravel()[found.pixel[mine]], atol=2e-4)


@given(st.lists(st.tuples(st.floats(-25, 25), st.floats(-20, 20), st.floats(0.1, 9)), max_size=4))
@settings(max_examples=40)
def test_discs_are_the_pixels_within_half_a_pixel_of_them(
    shapes: list[tuple[float, float, float]],
) -> None:
    discs = np.array(shapes, np.float32).reshape(-1, 3)
    found = fill.discs(CANVAS, discs[:, :2], discs[:, 2])
    x, y = np.meshgrid(CANVAS.eastings().astype(float), CANVAS.northings().astype(float))
    for number, (east, north, radius) in enumerate(discs.tolist()):
        inside = (radius + 0.25 - np.hypot(x - east, y - north)).ravel()
        mine = found.owner == number
        got = np.zeros(CANVAS.rows * CANVAS.columns, bool)
        got[found.pixel[mine]] = True
        assert np.count_nonzero(mine) == got.sum()
        assert got[inside > 1e-3].all()
        assert not got[inside < -1e-3].any()
        np.testing.assert_allclose(
            found.along[mine], (x - east).ravel()[found.pixel[mine]], atol=2e-4
        )
        np.testing.assert_allclose(
            found.across[mine], (y - north).ravel()[found.pixel[mine]], atol=2e-4
        )


def test_shapes_come_one_after_the_other() -> None:
    centre = np.zeros((3, 2), np.float32)
    found = fill.discs(CANVAS, centre, np.array([2, 5, 1], np.float32))
    assert (np.diff(found.owner) >= 0).all()


def towards(azimuth_degrees: float, elevation_degrees: float) -> tuple[float, float, float]:
    azimuth, elevation = math.radians(azimuth_degrees), math.radians(elevation_degrees)
    flat = math.cos(elevation)
    return math.sin(azimuth) * flat, math.cos(azimuth) * flat, math.sin(elevation)


@pytest.mark.parametrize("azimuth", [0, 30, 45, 88, 135, 180, 200, 261, 270, 340])
def test_shadow_of_a_tower_falls_away_from_the_sun(azimuth: float) -> None:
    height = np.zeros((101, 101), np.float32)
    height[48:53, 48:53] = 10.0
    sun = towards(azimuth, 35)
    reached = fill.shaded_height(height, sun, 0.5)
    assert (reached >= height).all()
    east, north = math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth))
    for metres in (2.5, 6.0, 11.0):  # along the shadow the height falls with the sun's slope
        row, column = round(50 + metres * north / 0.5), round(50 - metres * east / 0.5)
        from_edge = max(abs(row - 50) - 2, abs(column - 50) - 2) * 0.5
        slope = math.tan(math.radians(35))
        lateral = metres * max(abs(north), abs(east))
        expected = 10 - slope * (metres * from_edge / lateral)
        assert reached[row, column] == pytest.approx(expected, abs=0.6)
    row, column = round(50 - 8 * north / 0.5), round(50 + 8 * east / 0.5)
    assert reached[row, column] <= 0  # the sunny side


@given(st.floats(0, 360), st.floats(8, 85), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_shadows_are_what_a_walk_to_the_sun_meets(
    azimuth: float, elevation: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height = np.where(rng.random((40, 30)) < 0.03, rng.uniform(2, 9, (40, 30)), 0).astype(
        np.float32
    )
    sun = towards(azimuth, elevation)
    reached = fill.shaded_height(height, sun, 1.0)
    dominant = max(abs(sun[0]), abs(sun[1]))
    for row, column in rng.integers(0, (40, 30), (25, 2)).tolist():
        best, loose = float(height[row, column]), float(height[row, column])
        for step in range(1, 60):
            away = step / dominant
            drop = away * sun[2]
            y, x = row - away * sun[1], column + away * sun[0]
            # Whole-pixel shearing may look one pixel aside.
            for off in (-1, 0, 1):
                i, j = (round(y), round(x) + off) if abs(sun[1]) >= abs(sun[0]) else (
                    round(y) + off, round(x))  # fmt: skip
                if 0 <= i < 40 and 0 <= j < 30:
                    loose = max(loose, float(height[i, j]) - drop)
        assert best - 1e-4 <= reached[row, column] <= max(loose, 0) + 1e-3


def test_a_sun_overhead_throws_no_shadow() -> None:
    height = np.random.default_rng(1).random((9, 9)).astype(np.float32)
    np.testing.assert_array_equal(fill.shaded_height(height, (0.0, 0.0, 1.0), 1.0), height)


def test_margins_lie_towards_the_sun_and_end_somewhere() -> None:
    north, south, west, east = fill.sun_margin(towards(135, 45), 10.0, 0.5, 45.0)
    assert (north, west) == (0, 0)
    assert south == east == math.ceil(10 * math.sqrt(0.5) / 0.5)
    assert max(fill.sun_margin(towards(180, 4.0), 100.0, 1.0, 45.0)) == 45


@given(
    st.floats(-90, 90), st.floats(-90, 90), st.floats(0.1, 10), st.floats(0, 60),
    st.floats(0, 360), st.floats(10, 80),
)  # fmt: skip
def test_what_concerns_a_canvas_touches_it_with_its_shadow(
    east: float, north: float, reach: float, top: float, azimuth: float, elevation: float
) -> None:
    sun = towards(azimuth, elevation)
    found = CANVAS.concerns(
        np.array([[east, north]], np.float32), np.float32([reach]), np.float32([top]), sun
    )[0]
    # The shadow of a square of half a side ``reach`` runs from its foot to its tip.
    touched, loose = False, False
    for share in np.linspace(0, 1, 400):
        x = abs(east - share * top * sun[0] / sun[2]) - 20
        y = abs(north - share * top * sun[1] / sun[2]) - 15
        touched |= max(x, y) < reach - 0.3
        loose |= max(x, y) < reach + 0.3
    if touched:
        assert found
    straight = min(abs(sun[0]), abs(sun[1])) < 0.02 * sun[2]
    if straight and not loose:  # otherwise the box around it may touch
        assert not found
