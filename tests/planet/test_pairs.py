"""Pairs: the same whatever is asked before, apart, and as the difficulty wants them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import sightline.planet.pairs as pairs_module
from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m
from sightline.planet.difficulty import difficulty
from sightline.planet.looks.moment import Weather, season_phase, sun_position
from sightline.planet.pairs import PAIRS_PER_AREA, CrossViewPairs, PairPlan
from sightline.planet.planet import Planet
from sightline.planet.world.neighbourhood import Neighbourhood
from sightline.planet.world.standpoints import Standpoint


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0, cached=8)


def plans(planet: Planet, *names: str, areas: int = 4, first: int = 0) -> list[PairPlan]:
    pairs = CrossViewPairs(planet, difficulty(names))
    return [plan for area in range(first, first + areas) for plan in pairs.area(area)]


@pytest.fixture(scope="module")
def plain(planet: Planet) -> list[PairPlan]:
    return plans(planet, "aligned-panorama", areas=4)


def places(found: list[PairPlan]) -> np.ndarray:
    return np.array([plan.shot.latlng for plan in found])


def test_a_pair_is_what_its_number_says(planet: Planet, plain: list[PairPlan]) -> None:
    fresh = CrossViewPairs(Planet(0, cached=1), difficulty("aligned-panorama"))
    assert fresh.plan(14) == plain[14]
    assert [plan.number for plan in plain] == list(range(4 * PAIRS_PER_AREA))
    with pytest.raises(UsageError, match="must not be negative"):
        fresh.area(-1)


def test_places_are_apart(plain: list[PairPlan]) -> None:
    for one, other in itertools.combinations(plain, 2):
        away = great_circle_m(places([one]), places([other]))[0]
        assert away > (31.9 if one.number // 4 == other.number // 4 else 20.0)


def test_plain_pairs(plain: list[PairPlan]) -> None:
    for plan in plain:
        assert plan.shot.panorama
        assert (plan.shot.heading_degrees, plan.shot.fov_degrees) == (0.0, 360.0)
        assert plan.tile.latlng == plan.shot.latlng
        assert (plan.east_m, plan.north_m) == (0.0, 0.0)
        assert plan.heading_known
        assert not plan.distractors
        assert plan.shot.weather in (Weather.CLEAR, Weather.FAIR, Weather.OVERCAST)
        assert sun_position(plan.shot.latlng, plan.shot.when)[1] > 0
        assert sun_position(plan.tile.latlng, plan.tile.when)[1] > 10
        assert abs(apart_in_the_year(plan)) < 0.16


def apart_in_the_year(plan: PairPlan) -> float:
    """Years from the tile's season to the photo's, -0.5 to 0.5."""
    photo = season_phase(plan.shot.latlng[0], plan.shot.when)
    tile = season_phase(plan.tile.latlng[0], plan.tile.when)
    return (photo - tile + 0.5) % 1.0 - 0.5


def test_the_places_do_not_depend_on_the_view(planet: Planet, plain: list[PairPlan]) -> None:
    for names in (["known-heading"], ["unknown-heading"], ["season-gap", "bad-weather"]):
        found = plans(planet, *names, areas=1)
        np.testing.assert_array_equal(places(found), places(plain[:4]))


def test_headings(planet: Planet) -> None:
    known = plans(planet, "known-heading", areas=2)
    assert all(p.heading_known and not p.shot.panorama for p in known)
    assert len({p.shot.heading_degrees for p in known}) == len(known)
    unknown = plans(planet, "unknown-panorama", areas=2)
    assert not any(p.heading_known for p in unknown)
    assert all(p.shot.panorama for p in unknown)
    assert np.ptp([p.shot.heading_degrees for p in unknown]) > 180


def test_offsets(planet: Planet) -> None:
    found = plans(planet, "offset", areas=2)
    off = np.array([(p.east_m, p.north_m) for p in found])
    assert np.abs(off).max() <= 28.0
    assert np.ptp(off, axis=0).min() > 18
    tiles = np.array([p.tile.latlng for p in found])
    north = (places(found)[:, 0] - tiles[:, 0]) * 111_195.08
    east = (places(found)[:, 1] - tiles[:, 1]) * 111_195.08 * np.cos(np.radians(tiles[:, 0]))
    np.testing.assert_allclose(np.stack([east, north], 1), off, atol=0.02)


def test_gaps(planet: Planet) -> None:
    seasons = plans(planet, "season-gap", areas=2)
    assert all(abs(apart_in_the_year(p)) > 0.3 for p in seasons)
    years = plans(planet, "year-gap", areas=2)
    assert all(8 <= p.shot.when.year - p.tile.when.year <= 11 for p in years)


def test_bad_weather(planet: Planet) -> None:
    found = plans(planet, "bad-weather", areas=7)
    skies = [p.shot.weather for p in found]
    assert {Weather.RAIN, Weather.FOG, Weather.SNOWFALL} <= set(skies)
    suns = [sun_position(p.shot.latlng, p.shot.when)[1] for p in found]
    assert min(suns) < -6


def test_areas_without_streets_are_replaced_and_then_given_up(
    planet: Planet, plain: list[PairPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, street_near = places(plain[:4]), pairs_module.street_near

    def far_from(around: Neighbourhood, *arguments: Any) -> Standpoint | None:
        """Streets everywhere but in the first area: as if a lake were there."""
        found = street_near(around, *arguments)
        here = found is not None and great_circle_m(np.array([found.latlng]), empty).min() < 400
        return None if here else found

    monkeypatch.setattr(pairs_module, "street_near", far_from)
    moved = places(plans(planet, "aligned-panorama", areas=1))
    assert great_circle_m(moved[:, None], empty[None]).min() > 300
    monkeypatch.setattr(pairs_module, "street_near", lambda *_: None)
    with pytest.raises(UsageError, match=r"Too few streets .* of area 0 of 'train'") as caught:
        plans(planet, "aligned-panorama", areas=1)
    assert "another seed" in caught.value.hint


def test_a_gallery_of_distractors(planet: Planet) -> None:
    train = plans(planet, "large-gallery", areas=1)
    assert not any(p.distractors for p in train)
    test = plans(planet, "large-gallery", areas=1, first=2)
    assert {p.split for p in test} == {"test"}
    tiles = [tile for p in test for tile in p.distractors]
    assert len(tiles) == 40
    assert len({tile.name for tile in tiles}) == 40
    own = places(test)
    away = great_circle_m(np.array([tile.latlng for tile in tiles])[:, None], own[None])
    assert away.min() > 100


def test_tiles_on_a_grid(planet: Planet) -> None:
    pairs = CrossViewPairs(planet, difficulty("aligned-panorama"), gridded=True)
    for plan in pairs.area(0) + pairs.area(1):
        assert max(abs(plan.east_m), abs(plan.north_m)) <= 28.01
        assert len(plan.neighbours) == 3
        for tile in plan.neighbours:
            away = great_circle_m(places([plan]), np.array([tile.latlng]))[0]
            assert away <= 84 * 2**0.5
        side = plan.neighbours[0].latlng
        east = (side[1] - plan.tile.latlng[1]) * 111_195 * np.cos(np.radians(side[0]))
        assert abs(east) == pytest.approx(56, abs=0.2)
        assert np.sign(east) == np.sign(plan.east_m)


def test_shots_and_tiles_can_be_taken(planet: Planet, plain: list[PairPlan]) -> None:
    plan = plain[0]
    assert plan.shot.take(planet, (128, 32)).shape == (32, 128, 3)
    assert plan.tile.take(planet, 1.0, 48).shape == (48, 48, 3)
    np.testing.assert_array_equal(
        plan.tile.take(planet, 1.0, 48), plan.tile.take(Planet(0), 1.0, 48)
    )
