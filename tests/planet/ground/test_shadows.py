from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planet.scenes import boxes

from sightline.planet.ground.shadows import Crowns, cast_shadows
from sightline.planet.world.contents import RoofKind


def _no_crowns() -> Crowns:
    empty = np.zeros(0, np.float32)
    return Crowns(empty, empty, empty, empty, empty, np.zeros(0, np.uint32))


def _hidden(
    box: tuple[float, ...], sun: tuple[float, float, float], place: tuple[float, float]
) -> float:
    """How far inside the box's shadow a point of the ground lies, metres, by a walk to the sun."""
    east, north, turn, length, width, _, eave, *_ = box
    flat = math.hypot(sun[0], sun[1])
    best = -math.inf
    for step in np.arange(0.0, 80.0, 0.05):
        x = place[0] + sun[0] / flat * step - east
        y = place[1] + sun[1] / flat * step - north
        along = x * math.cos(turn) + y * math.sin(turn)
        across = y * math.cos(turn) - x * math.sin(turn)
        inside = min(length - abs(along), width - abs(across))
        best = max(best, min(inside, eave + 2.2 - step * sun[2] / flat))
    return best


@settings(max_examples=40, deadline=None)
@given(
    turn=st.floats(0, 3),
    azimuth=st.floats(0, 6.28),
    elevation=st.floats(0.25, 1.2),
    east=st.floats(-20, 20),
    north=st.floats(-20, 20),
)
def test_places_are_dark_where_the_way_to_the_sun_is_blocked(
    turn: float, azimuth: float, elevation: float, east: float, north: float
) -> None:
    box = (3.0, 4.0, turn, 6.0, 3.0, -2.2, 5.0, 0.0, RoofKind.FLAT)
    flat = math.cos(elevation)
    sun = (math.sin(azimuth) * flat, math.cos(azimuth) * flat, math.sin(elevation))
    shadows = cast_shadows(sun, (0.0, 0.0), 45.0, boxes([box]), _no_crowns())
    depth = _hidden(box, sun, (east, north))
    along = (east - 3) * math.cos(turn) + (north - 4) * math.sin(turn)
    across = (north - 4) * math.cos(turn) - (east - 3) * math.sin(turn)
    if abs(along) < 6.6 and abs(across) < 3.6:
        return  # under the box, or against its wall
    places = np.array([east], np.float32), np.array([north], np.float32)
    shade = float(shadows.shade(*places, np.array([-2.2], np.float32))[0])
    if depth > 0.9:
        assert shade > 0.95
    elif depth < -0.9:
        assert shade < 0.05
    reach = float(shadows.reach(*places)[0])
    assert (reach > -2.2) == (shade > 0) or abs(depth) < 0.9


def test_casters_outside_the_map_still_cast_into_it() -> None:
    low = math.sin(math.radians(6)), math.cos(math.radians(6))
    sun = (low[1], 0.0, low[0])
    far = boxes([(70.0, 0.0, 0.0, 3.0, 3.0, -2.2, 12.0, 0.0, RoofKind.FLAT)])
    shadows = cast_shadows(sun, (0.0, 0.0), 30.0, far, _no_crowns())
    place = np.zeros(1, np.float32)
    assert shadows.shade(place, place, np.array([-2.2], np.float32))[0] == 1
    assert shadows.shade(place, place + 10, np.array([-2.2], np.float32))[0] == 0


def test_a_tree_throws_its_shadow_away_from_the_sun() -> None:
    one = np.ones(1, np.float32)
    tree = Crowns(0 * one, 0 * one, 3 * one, 2 * one, 2.5 * one, np.array([7], np.uint32))
    sun = (0.0, -math.sqrt(0.5), math.sqrt(0.5))
    shadows = cast_shadows(sun, (0.0, 0.0), 30.0, boxes([]), tree)
    ground = np.full(1, -2.2, np.float32)
    assert shadows.shade(0 * one, 4 * one, ground)[0] > 0.9
    assert shadows.shade(0 * one, -4 * one, ground)[0] == 0
    assert shadows.shade(4 * one, 4 * one, ground)[0] == 0
    assert shadows.shade(0 * one, 15 * one, ground)[0] == 0
