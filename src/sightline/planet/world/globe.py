"""The globe: land and sea, elevation, temperature, humidity and biomes, as fields on the sphere.

Everything is a sum of noise layers at several scales, from continents to hills of 400 m, taken at
unit vectors. Elevation and water are functions of the point alone (:meth:`Globe.relief`), so far
hills can be sampled at any spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.scatter import Octaves, weighted

FloatArray = NDArray[np.float64]

CLIMATE_STEPS = 48
"""Temperature and humidity are told apart in this many steps."""


class Biome(IntEnum):
    """What grows where nobody lives."""

    TUNDRA = 0
    BOREAL = 1
    COOL = 2
    TEMPERATE = 3
    MEDITERRANEAN = 4
    DESERT = 5
    SAVANNA = 6
    TROPICAL = 7
    STEPPE = 8


@dataclass(frozen=True)
class Climate:
    """The climate of a place.

    Args:
        temperature: [0, 1], 0 polar, 0.5 temperate, 1 hot.
        humidity: [0, 1], 0 desert, 1 rain forest.
        biome: What they make together.
    """

    temperature: float
    humidity: float
    biome: Biome

    @classmethod
    def of_step(cls, step: int) -> Climate:
        """Return the climate of a number from :func:`climate_steps`."""
        warm, wet = divmod(step, CLIMATE_STEPS)
        temperature, humidity = (warm + 0.5) / CLIMATE_STEPS, (wet + 0.5) / CLIMATE_STEPS
        return cls(temperature, humidity, biome_of(temperature, humidity))


def biome_of(temperature: float, humidity: float) -> Biome:
    """Return the biome of a climate, both in [0, 1]."""
    if temperature < 0.12:
        return Biome.TUNDRA
    if temperature < 0.36:
        if humidity < 0.27:
            return Biome.STEPPE
        return Biome.BOREAL if humidity < 0.62 else Biome.COOL
    if temperature < 0.68:
        if humidity < 0.2:
            return Biome.STEPPE
        return Biome.TEMPERATE if humidity > 0.42 else Biome.MEDITERRANEAN
    if humidity < 0.34:
        return Biome.DESERT
    return Biome.SAVANNA if humidity < 0.6 else Biome.TROPICAL


def climate_steps(temperature: FloatArray, humidity: FloatArray) -> NDArray[np.int64]:
    """Return one whole number per place for its climate, quantised in both directions."""
    warm = np.floor(np.clip(temperature, 0.0, 0.9999) * CLIMATE_STEPS).astype(np.int64)
    wet = np.floor(np.clip(humidity, 0.0, 0.9999) * CLIMATE_STEPS).astype(np.int64)
    return warm * CLIMATE_STEPS + wet


def biomes(steps: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the :class:`Biome` of each number from :func:`climate_steps`, any shape."""
    return _BIOMES[steps]


_BIOMES = np.array(
    [Climate.of_step(step).biome for step in range(CLIMATE_STEPS * CLIMATE_STEPS)], np.int8
)


@dataclass(frozen=True)
class LandHeights:
    """The shape of the land at points.

    Args:
        elevation_m: (n,) of the surface, water included.
        water: (n,) about metres to the nearest bank, negative in water.
        coast_m: (n,) about metres from the sea, negative in it.
        ruggedness: (n,) 0 plain to about 1.5 mountains.
    """

    elevation_m: FloatArray
    water: FloatArray
    coast_m: FloatArray
    ruggedness: FloatArray


@dataclass(frozen=True)
class ClimateFields:
    """Mean weather and habitability at points, each (n,).

    Args:
        temperature: [0, 1].
        humidity: [0, 1].
        habitability: [0, 1], how many people the land feeds.
    """

    temperature: FloatArray
    humidity: FloatArray
    habitability: FloatArray


# Cells of noise per radius: a frequency of 100 has hills about 64 km apart.
_LAND = tuple(2.1 * 2.0**k for k in range(10))
_LAND_WEIGHTS = tuple(0.5**k for k in range(10))
_BROAD = (3.3, 6.7, 4.1, 9.0, 14.0, 60.0)
_MOUNTAINS = (11.0, 23.0, 47.0, 130.0)
_HILLS = (420.0, 1500.0, 5200.0, 15500.0)
_HILL_M = (90.0, 46.0, 19.0, 6.0)
_RIVERS = (1900.0, 5100.0, 800.0, 2600.0)
_METRES_PER_LAND = 1.0e6


class Globe:
    """The fields of one planet.

    Args:
        seed: The planet's seed.
    """

    def __init__(self, seed: int) -> None:
        frequencies = [*_LAND, *_BROAD, *_MOUNTAINS, *_HILLS, *_RIVERS]
        self._octaves = Octaves.of(seed, 100, frequencies)

    def fields(self, points: FloatArray) -> tuple[LandHeights, ClimateFields]:
        """Return relief and weather at unit vectors ``(n, 3)``."""
        layers = self._octaves.at(points)
        land, broad, mountains = layers[:10], layers[10:16], layers[16:20]
        hills, rivers = layers[20:24], layers[24:]
        coast = (weighted(land, _LAND_WEIGHTS) - 0.03) * _METRES_PER_LAND
        ruggedness = _ruggedness(mountains, broad)
        elevation = _elevation(coast, mountains, hills, ruggedness)
        weather = _weather(points, broad, elevation, ruggedness)
        water, elevation = _water(coast, elevation, hills, rivers, ruggedness, weather.humidity)
        return LandHeights(elevation, water, coast, ruggedness), weather

    def relief(self, points: FloatArray) -> LandHeights:
        """Return the relief at unit vectors ``(n, 3)``."""
        return self.fields(points)[0]

    def weather(self, points: FloatArray) -> ClimateFields:
        """Return the weather at unit vectors ``(n, 3)``."""
        return self.fields(points)[1]

    def elevation(self, points: FloatArray) -> FloatArray:
        """Return metres above sea level at unit vectors ``(n, 3)``: near or far, at any spacing."""
        return self.relief(points).elevation_m


def smooth_step(value: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 below ``low``, 1 above ``high``, and 3 t^2 - 2 t^3 between."""
    share = np.minimum(np.maximum((value - low) / (high - low), 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def _ruggedness(mountains: FloatArray, broad: FloatArray) -> FloatArray:
    range_mask = smooth_step(mountains[0] + 0.5 * mountains[1], 0.05, 0.9)
    rolling = np.maximum(0.30 + 0.55 * broad[4] + 0.25 * broad[5], 0.03)
    result: FloatArray = rolling + 1.1 * range_mask
    return result


def _elevation(
    coast: FloatArray, mountains: FloatArray, hills: FloatArray, ruggedness: FloatArray
) -> FloatArray:
    """Plains rise slowly from the coast; ridges are where the ridged noise is near zero."""
    inland = np.maximum(coast, 0.0)
    shore = smooth_step(inland, 0.0, 5000.0)
    plain = 420.0 * inland / (inland + 4.0e5)
    ridges = (1.0 - np.abs(mountains[2])) * (0.75 + 0.25 * mountains[3])
    high = smooth_step(mountains[0] + 0.5 * mountains[1], 0.05, 0.9) * (500.0 + 1900.0 * ridges)
    rolling = weighted(hills + 0.75, _HILL_M) * ruggedness
    result: FloatArray = (plain + high + rolling) * shore + np.minimum(inland * 0.012, 4.0)
    return result


def _weather(
    points: FloatArray, broad: FloatArray, elevation: FloatArray, ruggedness: FloatArray
) -> ClimateFields:
    """Cold towards the poles and up the mountains; dry belts beside a wet equator."""
    z = points[:, 2]
    square = z * z
    temperature = 0.99 - 1.12 * square + 0.16 * broad[0] + 0.07 * broad[1] - elevation / 5200.0
    belt = np.maximum(1.0 - np.abs(np.abs(z) - 0.42) / 0.22, 0.0)
    humidity = 0.60 - 0.30 * belt + 0.42 * broad[2] + 0.20 * broad[3]
    temperature = np.clip(temperature, 0.0, 1.0)
    humidity = np.clip(humidity, 0.0, 1.0)
    warmth = smooth_step(temperature, 0.04, 0.34)
    wetness = smooth_step(humidity, 0.05, 0.40)
    people = smooth_step(broad[1] + 0.7 * broad[4], -1.0, 0.7)
    habitable = warmth * (0.25 + 0.75 * wetness) * (0.35 + 0.65 * people)
    return ClimateFields(temperature, humidity, habitable / (1.0 + 1.3 * ruggedness * ruggedness))


def _water(
    coast: FloatArray,
    elevation: FloatArray,
    hills: FloatArray,
    rivers: FloatArray,
    ruggedness: FloatArray,
    humidity: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the distance to water and the elevation with lakes filled.

    A river runs where a noise is near zero; its slope there, about 1.7 per cell of noise, turns
    the noise into metres. Lakes fill the hollows of hills about 4 km apart.
    """
    wet = smooth_step(humidity, 0.12, 0.55)
    large = np.abs(rivers[0] + 0.28 * rivers[1])
    small = np.abs(rivers[3] + 0.15 * rivers[1])
    large_m = large * (EARTH_RADIUS_M / _RIVERS[0] / 1.9) - (34.0 * wet - 12.0)
    small_m = small * (EARTH_RADIUS_M / _RIVERS[3] / 1.7) - (9.0 * wet - 5.0)
    hollow = hills[1] + 0.25 * hills[2]
    level = -0.99 + 0.42 * wet * smooth_step(rivers[2], -0.2, 0.9)
    lake_m = (hollow - level) * (EARTH_RADIUS_M / _HILLS[1] / 1.7)
    filled = elevation + np.maximum(level - hollow, 0.0) * (_HILL_M[1] * ruggedness)
    water = np.minimum(np.minimum(large_m, small_m), np.minimum(lake_m, coast))
    return water, np.where(coast > 0.0, np.maximum(filled, 0.0), 0.0)
