"""Drone and street shots of a building."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.planet.difficulty import difficulty
from sightline.planet.drone import building_near, drone_shots, street_shots
from sightline.planet.pairs import CrossViewPairs, PairPlan
from sightline.planet.planet import Planet
from sightline.planet.sample import is_open
from sightline.planet.shots import bearing_degrees


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0, cached=4)


@pytest.fixture(scope="module")
def plan(planet: Planet) -> PairPlan:
    return CrossViewPairs(planet, difficulty("aligned-panorama")).plan(0)


def test_a_building_is_found_near_a_street(planet: Planet, plan: PairPlan) -> None:
    target = building_near(planet, plan.shot.latlng)
    assert target is not None
    assert great_circle_m(np.array([target]), np.array([plan.shot.latlng]))[0] < 70.5
    assert not is_open(planet, target)
    assert building_near(planet, (0.0, 0.0)) is None


def test_shots_circle_the_target_and_look_at_it(planet: Planet, plan: PairPlan) -> None:
    target = building_near(planet, plan.shot.latlng)
    shots = drone_shots(plan.shot, target)
    assert len(shots) == 9
    assert [s.camera_height_m for s in shots] == sorted(
        (s.camera_height_m for s in shots), reverse=True
    )
    quarters = {int(bearing_degrees(target, s.latlng) // 90) for s in shots}
    assert len(quarters) >= 3
    for shot in [*shots, *street_shots(planet, plan.shot, target)]:
        off = shot.heading_degrees - bearing_degrees(shot.latlng, target)
        assert abs((off + 180) % 360 - 180) < 0.5
    assert len({shot.key for shot in shots}) == 9


def test_where_there_is_no_street(planet: Planet, plan: PairPlan) -> None:
    shots = street_shots(planet, plan.shot, (-89.5, 0.0))
    assert len(shots) == 1
