from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planet.scenes import boxes, viewpoint

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.rays import Boxes, cast, hits_of
from sightline.planet.world.contents import RoofKind

_BOX = st.tuples(
    st.floats(-40, 40), st.floats(-40, 40), st.floats(0, 3.1), st.floats(2, 9), st.floats(1, 6),
    st.just(-2.2), st.floats(-1.5, 9), st.floats(0, 3), st.integers(0, 3),
)  # fmt: skip


def _entry(every: Boxes, number: int, east: float, north: float) -> tuple[float, float] | None:
    """Where a horizontal ray from the eye enters and leaves a box, with plain numbers."""
    axis = (float(every.axis_east[number]), float(every.axis_north[number]))
    along = -(every.east[number] * axis[0] + every.north[number] * axis[1])
    across = -(every.north[number] * axis[0] - every.east[number] * axis[1])
    enter, leave = -math.inf, math.inf
    for place, rate, half in (
        (along, east * axis[0] + north * axis[1], every.half_length[number]),
        (across, north * axis[0] - east * axis[1], every.half_width[number]),
    ):
        if abs(rate) < 1e-9:
            rate = 1e-9
        first, second = (-half - place) / rate, (half - place) / rate
        enter, leave = max(enter, min(first, second)), min(leave, max(first, second))
    return (enter, leave) if 0.25 < enter < leave else None


def _height(every: Boxes, number: int, east: float, north: float) -> float:
    axis = (float(every.axis_east[number]), float(every.axis_north[number]))
    along = (east - every.east[number]) * axis[0] + (north - every.north[number]) * axis[1]
    across = (north - every.north[number]) * axis[0] - (east - every.east[number]) * axis[1]
    length, width = every.half_length[number], every.half_width[number]
    share = {
        RoofKind.FLAT: 0.0,
        RoofKind.GABLE: 1 - abs(across) / width,
        RoofKind.HIP: min(length - abs(along), width - abs(across)) / min(length, width),
        RoofKind.SHED: 0.5 + 0.5 * across / width,
    }[RoofKind(int(every.roof[number]))]
    return float(every.eave[number] + every.rise[number] * min(max(share, 0), 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(_BOX, min_size=1, max_size=6), st.booleans(), st.integers(0, 10**6))
def test_pixels_see_the_nearest_box_that_their_ray_meets(
    rows: list[tuple[float, ...]], panorama: bool, pick: int
) -> None:
    every = boxes(rows)
    view = viewpoint(Camera(size=(64, 32), panorama=panorama))
    rays, owners = cast(view, every)
    row, column = divmod(pick % (64 * 32), 64)
    tangent = float(view.projection.tangents[row, column])
    east, north = float(view.along_east[column]), float(view.along_north[column])
    nearest, margin = (math.inf, -1, False), math.inf
    for number in range(len(every)):
        chord = _entry(every, number, east, north)
        if chord is None:
            continue
        steps = np.linspace(*chord, 200)
        tops = np.array([_height(every, number, east * t, north * t) - tangent * t for t in steps])
        wall = tops[0] >= 0
        reached = bool(wall or tops.max() >= 0)
        # Pixels on an edge may go either way.
        margin = min(margin, abs(float(tops.max())), abs(float(tops[0])), chord[1] - chord[0])
        margin = min(margin, *(abs(chord[0] - other) for other in [nearest[0]]))
        if reached and chord[0] < nearest[0]:
            nearest = (chord[0], number, bool(wall))
    rank = int(owners.rank[row, column])
    if margin < 0.06 + 0.002 * min(nearest[0], 100):
        return
    if nearest[1] < 0:
        assert rank == owners.none
    else:
        assert rays.box[rank >> 1] == nearest[1]
        assert abs(rays.enter[rank >> 1] - nearest[0]) < 1e-2
        assert (rank & 1) == (not nearest[2])


def test_hits_say_where_on_the_wall_they_are() -> None:
    # A box ahead, 10 m wide and 6 m deep: its near wall runs from -5 to 5 east, 17 m north.
    every = boxes([(0, 20, 0.0, 5, 3, -2.2, 4, 0, RoofKind.FLAT)])
    view = viewpoint(Camera(size=(65, 33)))
    rays, owners = cast(view, every)
    rank = owners.rank[16]
    seen = np.unique(rank[rank < owners.none] >> 1)
    hits = hits_of(every, rays, seen)
    east = view.along_east.take(hits.column) * hits.distance
    np.testing.assert_allclose(view.along_north.take(hits.column) * hits.distance, 17, rtol=1e-4)
    assert not hits.end_wall.any()
    np.testing.assert_allclose(hits.place, 5 + east, atol=1e-3)
    np.testing.assert_allclose(hits.length, 10)
    np.testing.assert_allclose(hits.normal_north, -1)


def test_a_box_of_the_seam_of_a_panorama_is_seen_on_both_sides() -> None:
    every = boxes([(0, -20, 0.0, 5, 3, -2.2, 4, 0, RoofKind.FLAT)])
    _, owners = cast(viewpoint(Camera(size=(64, 32), panorama=True)), every)
    assert owners.rank[16, 0] < owners.none
    assert owners.rank[16, -1] < owners.none
    assert owners.rank[16, 32] == owners.none


def test_nothing_cast_is_nothing_seen() -> None:
    rays, owners = cast(viewpoint(), boxes([]))
    assert len(rays.box) == 0
    assert (owners.rank == owners.none).all()


def test_a_camera_inside_a_box_does_not_see_it() -> None:
    rays, _ = cast(viewpoint(), boxes([(0, 0, 0.3, 5, 3, -2.2, 4, 1, RoofKind.GABLE)]))
    assert len(rays.box) == 0
