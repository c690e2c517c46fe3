from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sightline.errors import CoordinateError, UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet import Planet
from sightline.planet.looks.moment import Weather
from sightline.planet.world.lattice import latlng_of_vectors, lattice_of, vectors_of_latlng


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0)


@pytest.fixture(scope="module")
def city(planet: Planet) -> tuple[float, float]:
    lat, lon = latlng_of_vectors(planet.world.settlements.metropolises.centre[411:412])[0]
    return float(lat), float(lon)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"cached": 0}, "cached"),
        ({"core_cells": 3}, "core_cells"),
    ],
)
def test_bad_planets(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Planet(**arguments)  # type: ignore[arg-type]


def test_bad_places_and_sizes(planet: Planet) -> None:
    with pytest.raises(CoordinateError):
        planet.neighbourhood((95.0, 0.0))
    with pytest.raises(CoordinateError):
        planet.photo((0.0, 500.0))
    with pytest.raises(UsageError, match="reach_m"):
        planet.neighbourhood((1.0, 1.0), 0.0)
    with pytest.raises(UsageError, match="reach_m"):
        planet.neighbourhood((1.0, 1.0), 1e5)
    with pytest.raises(UsageError, match="metres_per_pixel"):
        planet.aerial((1.0, 1.0), 0.0)
    with pytest.raises(UsageError, match="size"):
        planet.aerial((1.0, 1.0), 0.5, (0, 10))
    with pytest.raises(UsageError, match="within_m"):
        planet.street_near((1.0, 1.0), within_m=500.0)


def test_a_neighbourhood_holds_the_place(planet: Planet, city: tuple[float, float]) -> None:
    around, here = planet.neighbourhood(city)
    place = latlng_of_vectors(around.frame.vectors(np.array([here])))[0]
    np.testing.assert_allclose(place, city, atol=1e-9)
    assert max(abs(part) for part in here) + 128.0 <= around.reach_m
    assert planet.neighbourhood(city)[0] is around


@pytest.mark.parametrize("core_cells", [0.5, 1, 4])
def test_places_in_one_square_share_a_neighbourhood(
    city: tuple[float, float], core_cells: float
) -> None:
    planet = Planet(0, core_cells=core_cells)
    _, a, b = lattice_of(vectors_of_latlng([city]))
    around, _ = planet.neighbourhood(city)
    assert abs(around.a - float(a[0])) <= core_cells / 2
    assert abs(around.b - float(b[0])) <= core_cells / 2
    middle, here = planet.neighbourhood(around.latlng)
    assert middle is around
    np.testing.assert_allclose(here, (0, 0), atol=1e-6)
    assert around.reach_m >= 128 + core_cells * 20


def test_at_the_poles_each_place_has_its_own(planet: Planet) -> None:
    first, here = planet.neighbourhood((89.9999, 10.0))
    assert here == pytest.approx((0.0, 0.0), abs=1e-6)
    second, _ = planet.neighbourhood((89.9999, 11.0))
    assert first is not second


def test_the_cache_forgets_the_oldest(city: tuple[float, float]) -> None:
    planet = Planet(0, cached=2)
    places = [(city[0] + step * 0.003, city[1]) for step in range(3)]
    first = planet.neighbourhood(places[0])[0]
    second = planet.neighbourhood(places[1])[0]
    assert planet.neighbourhood(places[0])[0] is first
    planet.neighbourhood(places[2])
    assert planet.neighbourhood(places[0])[0] is first
    assert planet.neighbourhood(places[1])[0] is not second


def test_streets(planet: Planet, city: tuple[float, float]) -> None:
    found = planet.street_near(city, key=3)
    assert found is not None
    assert planet.street_near(city, key=3) == found
    assert len({planet.street_near(city, key=key) for key in range(8)}) > 3
    around, (east, north) = planet.neighbourhood(found.latlng)
    ground = around.ground.sample(np.array([east], np.float32), np.array([north], np.float32))
    assert ground[0, 0] < 0  # on the road
    assert abs(ground[1, 0]) < 0.4  # in its middle
    # The heading is the street's: ten metres on the place is still in its middle.
    radians = np.deg2rad(found.heading_degrees)
    ahead = around.ground.sample(
        np.array([east + 5 * np.sin(radians)], np.float32),
        np.array([north + 5 * np.cos(radians)], np.float32),
    )
    assert abs(ahead[1, 0] - ground[1, 0]) < 0.3
    away = np.linalg.norm(vectors_of_latlng([found.latlng]) - vectors_of_latlng([city]))
    assert away * EARTH_RADIUS_M <= 81


def test_streets_are_the_same_whatever_the_window(city: tuple[float, float]) -> None:
    first, second = Planet(0).street_near(city, 5), Planet(0, core_cells=2).street_near(city, 5)
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first.latlng, second.latlng, atol=1e-6)


def test_there_is_no_street_in_the_sea(planet: Planet) -> None:
    points = np.random.default_rng(0).normal(size=(100, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    deep = points[planet.world.globe.relief(points).coast_m < -3e5][0]
    lat, lon = latlng_of_vectors(deep[None])[0]
    assert planet.street_near((lat, lon)) is None
    assert planet.people_per_km2((lat, lon)).tolist() == [0.0]
    assert planet.elevation((lat, lon)).tolist() == [0.0]
    assert planet.landmarks_near((lat, lon)) == []


def test_geography(planet: Planet, city: tuple[float, float]) -> None:
    assert planet.people_per_km2([city])[0] > 2000
    assert planet.elevation([city, (0.0, 0.0)]).shape == (2,)
    assert len(planet.towns_near(city)) >= 1
    climate = planet.climate(city)
    assert 0 <= climate.temperature <= 1
    assert 0 <= climate.humidity <= 1


def test_landmarks_stand_where_they_are_said_to(planet: Planet, city: tuple[float, float]) -> None:
    found = planet.landmarks_near(city, 6000.0)
    assert len(found) > 1
    assert [mark.fame for mark in found] == sorted((mark.fame for mark in found), reverse=True)
    for mark in found[:3]:
        around, (east, north) = planet.neighbourhood(mark.latlng)
        mine = around.buildings.house == mark.key
        assert mine.any()
        apart = around.buildings.centre[mine] - [east, north]
        assert np.abs(apart).max() < 70
        near = planet.landmarks_near(mark.latlng, 50.0)
        assert near[0].key == mark.key
        assert near[0].distance_m < 1


def test_pictures(planet: Planet, city: tuple[float, float]) -> None:
    when = datetime(2020, 6, 1, 16, tzinfo=UTC)
    photo = planet.photo(city, 30.0, size=(80, 60), when=when, weather=Weather.CLEAR)
    assert photo.shape == (60, 80, 3)
    assert photo.dtype == np.uint8
    again = Planet(0).photo(city, 30.0, size=(80, 60), when=when, weather=Weather.CLEAR)
    np.testing.assert_array_equal(photo, again)
    turned = planet.photo(city, 120.0, size=(80, 60), when=when, weather=Weather.CLEAR)
    assert np.abs(turned.astype(int) - photo).mean() > 5
    assert planet.panorama(city, (128, 32), when).shape == (32, 128, 3)


def test_aerial_images(planet: Planet, city: tuple[float, float]) -> None:
    summer = planet.aerial(city, 0.6, (70, 50), "summer", year=2019)
    assert summer.shape == (50, 70, 3)
    np.testing.assert_array_equal(
        summer, Planet(0).aerial(city, 0.6, (70, 50), "summer", year=2019)
    )
    assert planet.aerial(city, 0.6, (70, 50)).shape == (50, 70, 3)
    when = datetime(2020, 6, 1, 16, tzinfo=UTC)
    still = planet.aerial(city, 0.6, (70, 50), when=when, misregistration_m=0.0)
    assert not np.array_equal(still, planet.aerial(city, 0.6, (70, 50), when=when))


def test_moments_come_from_the_place(planet: Planet, city: tuple[float, float]) -> None:
    assert planet.moment(city) == planet.moment(city)
    assert planet.moment(city).key != planet.moment((city[0] + 0.01, city[1])).key
    assert planet.moment(city, key=9).key == 9


def test_wide_aerial_images_do_not_fill_the_memory(city: tuple[float, float]) -> None:
    planet = Planet(0, cached=8)
    first = planet.neighbourhood(city)[0]
    for step in range(3):
        planet.neighbourhood((city[0] + 0.01 * step, city[1]), 360.0)
    # Three windows of about 4.5 times the usual area are more than eight usual ones.
    assert planet.neighbourhood(city)[0] is not first


def test_a_picture_far_off_its_place_is_of_land_that_is_there(
    city: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Misregistration and shadows both need land beyond the picture's edge."""
    planet = Planet(0)
    asked: list[float] = []
    neighbourhood = planet.neighbourhood

    def recorded(latlng: tuple[float, float], reach_m: float) -> object:
        asked.append(reach_m)
        return neighbourhood(latlng, reach_m)

    monkeypatch.setattr(planet, "neighbourhood", recorded)
    planet.aerial(city, 2.0, (120, 100), key=4)
    planet.aerial(city, 2.0, (120, 100), key=4, misregistration_m=50.0)
    assert asked[0] >= 120 + 45
    assert asked[1] >= 120 + 45 + 50
