"""Photos as people take them: where one can stand, and looking at what one came for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.planet.geography import GlobeGeography
from sightline.planet.photographers import Photographers, PhotoPlan
from sightline.planet.planet import Planet
from sightline.planet.sample import is_open, is_seen, stand
from sightline.planet.shots import bearing_degrees, moved
from sightline.planet.unlocatable import picture


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0, cached=4)


@pytest.fixture(scope="module")
def plans(planet: Planet) -> list[PhotoPlan]:
    geography = GlobeGeography(planet.world.globe, planet.world.settlements)
    return Photographers(0, geography).photos(0, 160)


def test_photos_of_sights_look_at_them(planet: Planet, plans: list[PhotoPlan]) -> None:
    shown = [plan for plan in plans if plan.sight and not plan.subject][:14]
    seen = 0
    for plan in shown:
        taken = stand(planet, plan)
        assert taken.shot is not None
        assert great_circle_m(np.array([taken.latlng]), np.array([plan.sight]))[0] < 260
        off = taken.heading_degrees - bearing_degrees(taken.latlng, plan.sight)
        assert abs((off + 180) % 360 - 180) < 35
        seen += is_seen(planet, taken.latlng, plan.sight)
    assert seen > len(shown) / 2


def test_photos_are_taken_near_their_plan_in_the_open(
    planet: Planet, plans: list[PhotoPlan]
) -> None:
    others = [plan for plan in plans if not plan.sight and not plan.subject][:14]
    for plan in others:
        taken = stand(planet, plan)
        assert great_circle_m(np.array([taken.latlng]), np.array([plan.latlng]))[0] < 600
        assert taken == stand(Planet(0), plan)
        street = planet.street_near(plan.latlng, plan.key, 90.0)
        assert street or is_open(planet, taken.latlng)


def test_nobody_stands_in_a_building_or_in_water(planet: Planet) -> None:
    town = planet.world.settlements.metropolises
    from sightline.planet.world.lattice import latlng_of_vectors

    middle = tuple(float(x) for x in latlng_of_vectors(town.centre[:1])[0])
    around, _ = planet.neighbourhood(middle)
    largest = int(np.argmax(around.buildings.half_width))
    vectors = around.frame.vectors(around.buildings.centre[largest : largest + 1].astype(float))
    inside = tuple(float(x) for x in latlng_of_vectors(vectors)[0])
    assert not is_open(planet, inside)
    assert not is_open(planet, (0.0, 0.0)) or planet.elevation([[0.0, 0.0]])[0] > 0


def test_who_finds_no_land_stands_near_the_plan_all_the_same(
    planet: Planet, plans: list[PhotoPlan]
) -> None:
    sea = (16.4354, -107.2195)
    assert not is_open(planet, sea)
    assert planet.street_near(sea, 0, 90.0) is None
    plan = next(plan for plan in plans if not plan.sight and not plan.subject)
    taken = stand(planet, replace(plan, latlng=sea))
    assert 0 < great_circle_m(np.array([taken.latlng]), np.array([sea]))[0] < 600
    assert taken.shot.latlng == taken.latlng


def test_a_building_hides_what_is_behind_it(planet: Planet) -> None:
    town = planet.world.settlements.metropolises
    from sightline.planet.world.lattice import latlng_of_vectors

    middle = tuple(float(x) for x in latlng_of_vectors(town.centre[:1])[0])
    around, _ = planet.neighbourhood(middle)
    largest = int(np.argmax(around.buildings.half_width))
    vectors = around.frame.vectors(around.buildings.centre[largest : largest + 1].astype(float))
    inside = tuple(float(x) for x in latlng_of_vectors(vectors)[0])
    assert not is_seen(planet, moved(inside, 60.0, 0.0), moved(inside, -60.0, 0.0))


def test_pictures_that_say_nothing(planet: Planet, plans: list[PhotoPlan]) -> None:
    plan = next(plan for plan in plans if plan.subject)
    taken = stand(planet, plan)
    assert (taken.shot, taken.heading_degrees, taken.latlng) == (None, None, plan.latlng)
    drawn = taken.take(planet, (48, 32))
    assert drawn.shape == (32, 48, 3)
    np.testing.assert_array_equal(drawn, picture(plan.subject, 0, plan.key, size=(32, 48)))


def test_a_photo_is_taken(planet: Planet, plans: list[PhotoPlan]) -> None:
    plan = replace(plans[0], subject=None)
    assert stand(planet, plan).take(planet, (40, 24)).shape == (24, 40, 3)
