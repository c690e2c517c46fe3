"""The globe's geography, as drawing places wants it."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.geo.coordinates import as_coordinates, unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.planet.geography import GlobeGeography
from sightline.planet.planet import Planet


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0)


@pytest.fixture(scope="module")
def geography(planet: Planet) -> GlobeGeography:
    return GlobeGeography(planet.world.globe, planet.world.settlements)


def test_people_live_on_land_and_most_in_towns(geography: GlobeGeography) -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    density = geography.density(directions)
    country = geography.countrypeople(directions)
    np.testing.assert_array_equal(density > 0, country > 0)
    assert 0.1 < (density > 0).mean() < 0.6
    _, people = geography.townspeople()
    rural = country.mean() * 5.1e8
    assert 0.7 < people.sum() / (people.sum() + rural) < 0.95


def test_towns_are_spread_around_their_centres(geography: GlobeGeography, planet: Planet) -> None:
    spots, people = geography.townspeople()
    towns = planet.world.settlements.metropolises
    assert np.linalg.norm(spots, axis=1) == pytest.approx(1)
    assert people.min() >= 0
    first = spots[:96] @ towns.centre[0]
    reach = 1.25 * towns.radius_m[0] / 6_371_008.8
    assert np.arccos(np.clip(first, -1, 1)).max() <= reach
    assert people[:96].sum() == pytest.approx(towns.population[0])


def test_sights_are_the_landmarks(geography: GlobeGeography, planet: Planet) -> None:
    centre = planet.world.settlements.metropolises.centre[0]
    found = geography.sights(centre, 6000.0)
    assert len(found.fame) >= 1
    assert ((found.fame > 0) & (found.fame <= 1)).all()
    places = as_coordinates(found.places)
    from sightline.geo.coordinates import from_unit_vectors

    here = from_unit_vectors(centre[None])
    assert great_circle_m(places, here).max() < 6010
    marks = {
        (round(mark.latlng[0], 6), round(mark.latlng[1], 6))
        for mark in planet.landmarks_near(here[0], 6000.0)
    }
    assert {(round(float(a), 6), round(float(b), 6)) for a, b in places} == marks


def test_far_from_everything_there_is_no_sight(geography: GlobeGeography) -> None:
    pole = unit_vectors(np.array([[-89.9, 0.0]]))[0]
    assert len(geography.sights(pole, 100.0).fame) == 0


def test_of_seed() -> None:
    directions = unit_vectors(np.array([[10.0, 20.0], [40.0, 100.0]]))
    one, other = GlobeGeography.of_seed(3), GlobeGeography.of_seed(3)
    np.testing.assert_array_equal(one.countrypeople(directions), other.countrypeople(directions))
