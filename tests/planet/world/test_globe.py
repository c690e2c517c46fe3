from __future__ import annotations

import numpy as np
import pytest

from sightline.planet.world.countries import Countries, StreetPattern, style_of
from sightline.planet.world.globe import (
    CLIMATE_STEPS,
    Biome,
    Climate,
    Globe,
    biome_of,
    biomes,
    climate_steps,
    smooth_step,
)
from sightline.planet.world.scatter import Octaves, nearest_keys, sites_of_cubes, weighted


def directions(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 3))
    return drawn / np.linalg.norm(drawn, axis=1)[:, None]


@pytest.fixture(scope="module")
def globe() -> Globe:
    return Globe(0)


def test_noise_at_the_corners_of_its_cells_is_smooth_and_bounded() -> None:
    octaves = Octaves.of(3, 1, [7.0, 90.0])
    points = directions(4000)
    noise = octaves.at(points)
    assert noise.shape == (2, 4000)
    assert np.abs(noise).max() <= 1
    assert noise.std(axis=1).min() > 0.2
    near = octaves.at(points + 1e-7)
    assert np.abs(near - noise)[0].max() < 1e-5
    assert np.abs(near - noise)[1].max() < 1e-4


def test_noise_of_one_point_does_not_depend_on_the_others() -> None:
    octaves = Octaves.of(3, 1, [7.0, 90.0, 12_000.0])
    points = directions(50)
    np.testing.assert_array_equal(octaves.at(points)[:, 17:18], octaves.at(points[17:18]))


def test_weighted_is_a_plain_sum() -> None:
    layers = directions(5).T
    np.testing.assert_allclose(weighted(layers, (1.0, 0.5, 2.0)), layers.T @ [1.0, 0.5, 2.0])


def test_nearest_site_is_the_nearest_of_all_around() -> None:
    points = directions(60)
    found = nearest_keys(9, 4.0, points)
    side = np.arange(-6, 6)
    cubes = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 3)
    sites = sites_of_cubes(9, 4.0, cubes)
    apart = np.linalg.norm(points[:, None] - sites.position, axis=2)
    expected = sites.key[np.argmin(apart, axis=1)]
    # Among 27 cubes only: a nearer one two cubes away is possible, and rare.
    assert (found == expected).mean() > 0.95
    np.testing.assert_array_equal(nearest_keys(9, 4.0, points[5:6]), found[5:6])


def test_the_globe_has_seas_and_land_and_every_biome(globe: Globe) -> None:
    points = directions(8000)
    relief, weather = globe.fields(points)
    land = relief.coast_m > 0
    assert 0.25 < land.mean() < 0.45
    assert (relief.elevation_m[~land] == 0).all()
    assert relief.elevation_m.min() >= 0
    assert 1000 < relief.elevation_m.max() < 6000
    assert (relief.water[~land] < 0).all()
    assert 0.005 < (relief.water[land] < 0).mean() < 0.12
    present = set(biomes(climate_steps(weather.temperature, weather.humidity)[land]).tolist())
    assert present == {int(biome) for biome in Biome}
    assert weather.temperature[np.abs(points[:, 2]) > 0.95].mean() < 0.15
    assert weather.temperature[np.abs(points[:, 2]) < 0.1].mean() > 0.7


def test_neighbours_are_alike_and_hills_are_hills(globe: Globe) -> None:
    points = directions(3000)
    points = points[globe.relief(points).coast_m > 2e5]
    height = globe.elevation(points)
    for metres, least, most in ((1.0, 0.0, 0.6), (300.0, 1.0, 120.0)):
        step = np.random.default_rng(1).normal(size=points.shape) * metres / 6.37e6 / 1.7
        change = np.abs(globe.elevation(points + step) - height)
        assert least <= change.mean() < most
    assert globe.relief(points).ruggedness.min() > 0
    assert globe.weather(points).habitability.max() <= 1


def test_climates() -> None:
    assert biome_of(0.05, 0.5) is Biome.TUNDRA
    assert biome_of(0.9, 0.1) is Biome.DESERT
    assert biome_of(0.9, 0.9) is Biome.TROPICAL
    assert biome_of(0.9, 0.5) is Biome.SAVANNA
    assert biome_of(0.5, 0.6) is Biome.TEMPERATE
    assert biome_of(0.5, 0.3) is Biome.MEDITERRANEAN
    assert biome_of(0.5, 0.1) is Biome.STEPPE
    assert biome_of(0.3, 0.1) is Biome.STEPPE
    assert biome_of(0.3, 0.5) is Biome.BOREAL
    assert biome_of(0.3, 0.8) is Biome.COOL
    steps = climate_steps(np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.0]))
    assert steps.min() >= 0
    assert steps.max() < CLIMATE_STEPS * CLIMATE_STEPS
    climate = Climate.of_step(int(steps[1]))
    assert abs(climate.temperature - 0.5) < 1 / CLIMATE_STEPS
    assert biomes(steps)[1] == climate.biome


def test_smooth_step() -> None:
    np.testing.assert_allclose(
        smooth_step(np.array([-1.0, 0.0, 1.0, 2.0, 9.0]), 0, 2), [0, 0, 0.5, 1, 1]
    )


def test_countries_are_large_and_regions_are_smaller() -> None:
    countries = Countries(0)
    points = directions(2000)
    country, region = countries.pairs(points)
    assert 150 < len(set(country.tolist())) < 500
    assert len(set(region.tolist())) > 900
    for metres, least in ((1000.0, 0.97), (100_000.0, 0.6)):
        step = np.random.default_rng(1).normal(size=points.shape) * metres / 6.37e6 / 1.7
        again, _ = countries.pairs(points + step)
        assert (again == country).mean() > least
    far = np.roll(country, 1)
    assert (far == country).mean() < 0.05


def test_styles_differ_between_countries_and_share_much_within() -> None:
    mine, same, other = style_of(11, 1), style_of(11, 2), style_of(12, 1)
    assert (mine.asphalt, mine.pattern, mine.drives_left) == (
        same.asphalt,
        same.pattern,
        same.drives_left,
    )
    assert mine.walls[:4] == same.walls[:4]
    assert mine.key != same.key
    assert mine.asphalt != other.asphalt
    assert style_of(11, 1) is mine
    every = [style_of(n, n) for n in range(300)]
    assert {style.pattern for style in every} == set(StreetPattern)
    for style in every:
        for colour in (*style.walls, *style.roofs, style.pavement, style.kerb, style.door):
            assert all(0 <= part <= 1 for part in colour)
        assert 2.5 < style.road_half_width_m < 4.5
        assert 12 < style.plot_width_m < 23
