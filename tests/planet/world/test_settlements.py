from __future__ import annotations

import numpy as np
import pytest

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.globe import Globe
from sightline.planet.world.lattice import CELLS, latlng_of_vectors
from sightline.planet.world.settlements import (
    URBAN_DENSITY,
    LandmarkKind,
    Settlements,
    Tier,
    landmarks_of,
    people_per_km2,
)
from sightline.planet.world.towns import Towns


@pytest.fixture(scope="module")
def settlements() -> Settlements:
    return Settlements(0, Globe(0))


def moved(centre: np.ndarray, metres: float) -> np.ndarray:
    away = np.cross(centre, [0.3, 0.5, 0.81])
    point = centre + away / np.linalg.norm(away) * metres / EARTH_RADIUS_M
    return point / np.linalg.norm(point)


def test_metropolises_and_towns_are_many(settlements: Settlements) -> None:
    assert 300 < len(settlements.metropolises) < 3000
    assert 10_000 < len(settlements.towns) < 80_000
    people = [
        np.median(towns.population) for towns in (settlements.metropolises, settlements.towns)
    ]
    assert people[0] > 10 * people[1]
    globe = Globe(0)
    assert (globe.relief(settlements.metropolises.centre).coast_m > 0).all()
    assert (settlements.metropolises.core > URBAN_DENSITY).all()
    np.testing.assert_allclose(np.linalg.norm(settlements.towns.centre, axis=1), 1, atol=1e-12)


def test_around_finds_what_the_catalogue_lists(settlements: Settlements) -> None:
    towns = settlements.metropolises
    for row in range(0, len(towns), 97):
        near = settlements.around(towns.centre[row : row + 1])
        assert int(towns.key[row]) in near.key[near.tier == Tier.METROPOLIS].tolist()
        far = moved(towns.centre[row], 1.25 * float(towns.radius_m[row]) + 400.0)[None]
        assert int(towns.key[row]) not in settlements.around(far).key.tolist()
        assert int(towns.key[row]) in settlements.around(far, 500.0).key.tolist()


def test_a_wide_search_finds_as_many_as_a_slow_one(settlements: Settlements) -> None:
    point = settlements.towns.centre[500]
    within = 150_000.0
    found = settlements.around(point[None], within)
    towns = settlements.towns
    apart = np.linalg.norm(towns.centre - point, axis=1) * EARTH_RADIUS_M
    expected = set(towns.key[apart <= within + 1.25 * towns.radius_m].tolist())
    # The catalogue leaves out what lies in the sea or feeds nobody.
    assert expected <= set(found.key[found.tier == Tier.TOWN].tolist())


def test_density_falls_from_the_core_to_the_country(settlements: Settlements) -> None:
    towns = settlements.metropolises
    row = int(np.argmax(towns.core))
    radius = float(towns.radius_m[row])
    steps = [moved(towns.centre[row], share * radius) for share in (0.0, 0.4, 0.8, 1.1)]
    density = settlements.density(np.array(steps), np.ones(4))
    assert density[0] > 0.9
    assert (np.diff(density[:3]) < 0).all()
    assert settlements.density(np.array(steps), np.zeros(4)).max() == 0


def test_density_is_the_same_alone_and_with_known_towns(settlements: Settlements) -> None:
    points = np.concatenate([settlements.towns.centre[:40], -settlements.towns.centre[:40]])
    alone = settlements.density(points, np.ones(80))
    for row in (0, 7, 39, 50, 79):
        known = settlements.around(points[row : row + 1])
        with_towns = settlements.density(points[row : row + 1], np.ones(1), known)
        assert float(with_towns[0]) == pytest.approx(float(alone[row]), abs=1e-12)


def test_people() -> None:
    assert people_per_km2(np.array([0.0, 1.0])).tolist() == [0.0, 9000.0]


def test_landmarks_lie_in_their_towns(settlements: Settlements) -> None:
    towns = settlements.metropolises.rows(np.arange(60))
    found = landmarks_of(towns)
    assert len(found) == 60 * 8
    centres = found.centres()
    town = np.repeat(np.arange(60), 8)
    apart = np.linalg.norm(centres - towns.centre[town], axis=1) * EARTH_RADIUS_M
    assert (apart < 0.7 * towns.radius_m[town] + 100).all()
    assert found.fame.min() > 0
    assert found.fame.max() <= 1
    assert set(found.kind.tolist()) == {int(kind) for kind in LandmarkKind}
    assert ((found.i >= 0) & (found.i < CELLS)).all()


def test_fame_is_uneven(settlements: Settlements) -> None:
    fame = np.sort(landmarks_of(settlements.metropolises).fame)
    assert fame[-len(fame) // 10 :].sum() > 0.35 * fame.sum()


def test_standing_landmarks_are_dry(settlements: Settlements) -> None:
    found = landmarks_of(settlements.metropolises)
    standing = settlements.standing(found)
    assert 0.5 * len(found) < len(standing) < len(found)
    assert (Globe(0).relief(standing.centres()).water > 0).all()
    nothing = standing.rows(np.zeros(len(standing), bool))
    assert len(settlements.standing(nothing)) == 0


def test_landmarks_within_a_distance(settlements: Settlements) -> None:
    centre = settlements.metropolises.centre[3:4]
    near = settlements.landmarks(centre, 9000.0)
    apart = np.linalg.norm(near.centres() - centre, axis=1) * EARTH_RADIUS_M
    assert len(near) > 0
    assert (apart <= 9000.0).all()
    nearest = float(apart.min())
    assert len(settlements.landmarks(centre, nearest - 1.0)) == 0


def test_joining_towns(settlements: Settlements) -> None:
    towns = settlements.metropolises
    both = Towns.join([towns.rows(np.arange(3)), towns.rows(np.arange(3, 7))])
    assert latlng_of_vectors(both.centre).tolist() == latlng_of_vectors(towns.centre[:7]).tolist()
