"""Settlements from metropolis to village, how densely people live, and what is famous.

Towns are scattered sites of three tiers; a town exists by its site's hash alone, and the land's
habitability thins it out where few could live. Density falls off from the centre; where several
towns reach, the densest rules.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.fame import LandmarkKind, Landmarks, landmarks_of
from sightline.planet.world.globe import Globe, smooth_step
from sightline.planet.world.hashing import number
from sightline.planet.world.scatter import sites_of_cubes
from sightline.planet.world.towns import (
    FREQUENCY,
    TIERS,
    Tier,
    Towns,
    densest,
    people_per_km2,
    towns_of,
)

__all__ = [
    "URBAN_DENSITY",
    "LandmarkKind",
    "Landmarks",
    "Settlements",
    "Tier",
    "Towns",
    "landmarks_of",
    "people_per_km2",
]

FloatArray = NDArray[np.float64]

URBAN_DENSITY = 0.16
"""Where a town begins."""
_DRY_M = 45.0


class Settlements:
    """Where people live.

    Args:
        seed: The planet's seed.
        globe: Its fields.
    """

    def __init__(self, seed: int, globe: Globe) -> None:
        self._seeds = {tier: number(seed, 800 + tier) for tier in Tier}
        self._globe = globe

    def around(self, points: FloatArray, within_m: float = 0.0) -> Towns:
        """Return the towns whose density reaches to within a distance of one of the points.

        Args:
            points: (n, 3) unit vectors, close together (a window).
            within_m: The distance.
        """
        cubes = [_cubes_within(shape.frequency, points, within_m) for shape in TIERS.values()]
        tier = np.repeat(np.arange(len(cubes)), [len(part) for part in cubes])
        seeds = np.array(list(self._seeds.values()))[tier]
        sites = sites_of_cubes(seeds, FREQUENCY[tier][:, None], np.concatenate(cubes))
        towns = towns_of(tier.astype(np.int8), sites)
        reach = (1.25 * towns.radius_m + within_m) / EARTH_RADIUS_M
        offset = points[:, None] - towns.centre
        square = offset * offset
        near = square[..., 0] + square[..., 1] + square[..., 2] <= reach * reach
        return towns.rows(np.flatnonzero(near.any(axis=0)))

    def density(
        self, points: FloatArray, habitability: FloatArray, towns: Towns | None = None
    ) -> FloatArray:
        """Return how densely people live: 0 nowhere, 0.16 the edge of a town, 1 a core.

        Args:
            points: (n, 3) unit vectors; without ``towns`` they may lie anywhere.
            habitability: (n,) of the globe.
            towns: All that reach the points, where known.
        """
        if towns is not None:
            most = densest(points[:, None], towns) if len(towns) else np.zeros(len(points))
        else:
            most = np.zeros(len(points))
            for start in range(0, len(points), 4096):
                rows = slice(start, start + 4096)
                most[rows] = self._densest_anywhere(points[rows])
        return most * smooth_step(habitability, 0.02, 0.30)

    def _densest_anywhere(self, points: FloatArray) -> FloatArray:
        most = np.zeros(len(points))
        for tier, shape in TIERS.items():
            own = np.floor(points * shape.frequency).astype(np.int64)
            around = (own[:, None] + _AROUND).reshape(-1, 3)
            sites = sites_of_cubes(self._seeds[tier], shape.frequency, around)
            towns = towns_of(np.full(len(around), tier, np.int8), sites, keep_all=True)
            shaped = Towns(
                towns.centre.reshape(len(points), -1, 3),
                towns.radius_m.reshape(len(points), -1),
                towns.core.reshape(len(points), -1),
                towns.tier,
                towns.key,
            )
            most = np.maximum(most, densest(points[:, None], shaped))
        return most

    def landmarks(self, points: FloatArray, within_m: float) -> Landmarks:
        """Return the famous places within a distance of one of the points.

        Args:
            points: (n, 3) unit vectors, close together.
            within_m: The distance.
        """
        found = landmarks_of(self.around(points, within_m))
        offset = points[:, None] - found.centres()
        square = offset * offset
        reach = within_m / EARTH_RADIUS_M
        near = square[..., 0] + square[..., 1] + square[..., 2] <= reach * reach
        return self.standing(found.rows(np.flatnonzero(near.any(axis=0))))

    def standing(self, landmarks: Landmarks) -> Landmarks:
        """Leave out landmarks that would stand in water or where next to nobody lives."""
        if not len(landmarks):
            return landmarks
        points = landmarks.centres()
        relief, weather = self._globe.fields(points)
        dry = (relief.water > _DRY_M) & (relief.coast_m > _DRY_M)
        return landmarks.rows(dry & (self.density(points, weather.habitability) > 0.1))

    def catalogue(self, tier: Tier) -> Towns:
        """Return every town of a tier on land that feeds people, with its core thinned by it.

        Args:
            tier: Metropolis or town; villages are too many to list.
        """
        shape = TIERS[tier]
        cubes = _shell(shape.frequency)
        sites = sites_of_cubes(self._seeds[tier], shape.frequency, cubes)
        towns = towns_of(np.full(len(cubes), tier, np.int8), sites)
        kept, cores = [], []
        for start in range(0, len(towns), 8192):
            part = np.arange(start, min(start + 8192, len(towns)))
            relief, weather = self._globe.fields(towns.centre[part])
            core = towns.core[part] * smooth_step(weather.habitability, 0.02, 0.30)
            good = (relief.coast_m > 0.0) & (core > URBAN_DENSITY)
            kept.append(part[good])
            cores.append(core[good])
        chosen = towns.rows(np.concatenate(kept))
        return Towns(chosen.centre, chosen.radius_m, np.concatenate(cores), chosen.tier, chosen.key)

    @cached_property
    def metropolises(self) -> Towns:
        """Every metropolis of the planet."""
        return self.catalogue(Tier.METROPOLIS)

    @cached_property
    def towns(self) -> Towns:
        """Every town of the middle tier (some 30,000; made once, in about a second)."""
        return self.catalogue(Tier.TOWN)


_AROUND = np.array(
    [[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], np.int64
)


def _cubes_within(frequency: float, points: FloatArray, within_m: float) -> NDArray[np.int64]:
    """Return all cubes whose sites can matter to points: a box of them, (n, 3)."""
    margin = int(within_m * frequency / EARTH_RADIUS_M) + 1
    own = np.floor(points * frequency).astype(np.int64)
    low, high = own.min(axis=0) - margin, own.max(axis=0) + (margin + 1)
    x, y, z = (np.arange(low[axis], high[axis]) for axis in range(3))
    cubes = np.empty((len(x), len(y), len(z), 3), np.int64)
    cubes[..., 0], cubes[..., 1], cubes[..., 2] = x[:, None, None], y[:, None], z
    return cubes.reshape(-1, 3)


def _shell(frequency: float) -> NDArray[np.int64]:
    """Return the cubes that the sphere's shell of sites can touch, (n, 3)."""
    side = np.arange(-int(frequency) - 2, int(frequency) + 2)
    middle = (side + 0.5) / frequency
    square = middle * middle
    flat = square[:, None] + square[None, :]
    found = []
    slack = 1.4 / frequency
    for number_z, z in enumerate(side):
        length = np.sqrt(flat + square[number_z])
        x, y = np.nonzero(np.abs(length - 1.0) <= slack)
        found.append(np.stack([side[x], side[y], np.full(len(x), z)], axis=1))
    return np.concatenate(found)
