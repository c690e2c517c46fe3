from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.viewpoint import Viewpoint, expanded


def test_columns_look_along_the_heading() -> None:
    view = Viewpoint.of(Camera(size=(3, 3), heading_degrees=90), 10.0, 20.0, 100.0)
    assert view.along_east[1] == np.float32(1)
    assert abs(view.along_north[1]) < 1e-6
    assert view.eye_m == 102.2
    assert view.foot == -2.2
    east, north = view.relative(np.array([[11.0, 18.0]], np.float32))
    assert (east[0], north[0]) == (1.0, -2.0)


@settings(max_examples=80, deadline=None)
@given(
    heading=st.floats(0, 360),
    bearing=st.floats(-3.1, 3.1),
    left=st.floats(0, 1.2),
    right=st.floats(0, 1.2),
    panorama=st.booleans(),
)
def test_spans_hold_the_columns_whose_centres_lie_in_the_angle(
    heading: float, bearing: float, left: float, right: float, panorama: bool
) -> None:
    camera = Camera(size=(60, 20), heading_degrees=heading, panorama=panorama)
    view = Viewpoint.of(camera, 0, 0, 0)
    parts = (np.array([part], np.float32) for part in (bearing, left, right))
    start, count = view.spans(*parts)
    owner, column = expanded(start, count)
    assert (owner == 0).all()
    found = set((column % 60).tolist())
    for number, azimuth in enumerate(view.projection.azimuths):
        turn = (azimuth - bearing + math.pi) % (2 * math.pi) - math.pi
        inside = min(turn + left, right - turn)
        if abs(inside) > 2e-3:
            assert (number in found) == (inside > 0)


def test_bearings_are_right_handed() -> None:
    view = Viewpoint.of(Camera(heading_degrees=0), 0, 0, 0)
    places = np.array([[0, 5], [5, 0], [-5, 0], [0, -5]], np.float32)
    bearing = view.bearing(*view.relative(places))
    np.testing.assert_allclose(bearing[:3], [0, math.pi / 2, -math.pi / 2], atol=1e-6)
    assert abs(bearing[3]) > 3.14


@given(st.lists(st.tuples(st.integers(-5, 50), st.integers(0, 6)), max_size=12))
def test_ranges_are_expanded(ranges: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in ranges], np.int32)
    counts = np.array([count for _, count in ranges], np.int32)
    owner, number = expanded(starts, counts)
    wanted = [
        (k, n) for k, (start, count) in enumerate(ranges) for n in range(start, start + count)
    ]
    assert list(zip(owner.tolist(), number.tolist(), strict=True)) == wanted
