from __future__ import annotations

import numpy as np
import pytest

from sightline.planet.ground.vehicle_shapes import STEPS, Part, Shape, vehicle_shapes


@pytest.mark.parametrize("shape", list(Shape))
def test_a_vehicle_has_wheels_windows_and_lights(shape: Shape) -> None:
    tables = vehicle_shapes()
    side, (back, front) = tables.side[shape], tables.ends[shape]
    for part in (Part.TYRE, Part.RIM, Part.GLASS, Part.BODY, Part.DARK):
        assert (side == part).any()
    assert (back == Part.TAILLIGHT).any()
    assert not (back == Part.HEADLIGHT).any()
    assert (front == Part.HEADLIGHT).any()
    assert (tables.top[shape] == Part.GLASS).any()
    # Wheels stand on the ground, windows above the middle.
    rows = np.arange(side.shape[1])
    assert rows[(side == Part.TYRE).any(axis=0)].min() == 0
    assert rows[(side == Part.GLASS).any(axis=0)].min() > 0.4 * side.shape[1]


def test_outlines_go_from_back_to_front_below_the_height() -> None:
    tables = vehicle_shapes()
    assert tables.heights.shape == (len(Shape), STEPS + 1)
    assert tables.heights.max() == 1
    assert (np.diff(tables.corners, axis=1) > 0).all()
    assert (tables.corners[:, 0] == -1).all()
    assert (tables.corners[:, -1] == 1).all()
    # Bonnets are lower than boots' screens: a saloon is not symmetrical.
    assert tables.heights[Shape.SALOON, -4] < tables.heights[Shape.SALOON, 4]
