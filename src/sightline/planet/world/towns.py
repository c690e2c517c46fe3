"""Towns: settlements of three tiers, made of scattered sites."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.hashing import KeyArray, many_units
from sightline.planet.world.rows import Rows
from sightline.planet.world.scatter import Sites

FloatArray = NDArray[np.float64]

_PEOPLE_PER_KM2 = 9000.0


class Tier(IntEnum):
    """How large a settlement is."""

    METROPOLIS = 0
    TOWN = 1
    VILLAGE = 2


@dataclass(frozen=True)
class TierShape:
    """How settlements of a tier are scattered.

    Args:
        frequency: Sites per radius of the planet.
        share: Of sites that are settled.
        radius_m: Least, and what is added at most.
        core: Density of the core: least, and what is added at most.
        landmarks: How many a settlement has.
        fame: Of its most famous one, at most.
    """

    frequency: float
    share: float
    radius_m: tuple[float, float]
    core: tuple[float, float]
    landmarks: int
    fame: float


TIERS = {
    Tier.METROPOLIS: TierShape(19.0, 0.75, (5000.0, 12000.0), (1.0, 0.3), 8, 1.0),
    Tier.TOWN: TierShape(110.0, 0.75, (1300.0, 4700.0), (0.72, 0.36), 3, 0.10),
    Tier.VILLAGE: TierShape(700.0, 0.8, (240.0, 620.0), (0.42, 0.32), 1, 0.004),
}
FREQUENCY = np.array([shape.frequency for shape in TIERS.values()])
_SHARE = np.array([shape.share for shape in TIERS.values()], np.float32)
_RADIUS_M = np.array([shape.radius_m for shape in TIERS.values()])
_CORE = np.array([shape.core for shape in TIERS.values()])


@dataclass(frozen=True)
class Towns(Rows):
    """Settlements.

    Args:
        centre: (n, 3) unit vectors.
        radius_m: (n,) where density has fallen to a fifth of the core's.
        core: (n,) density at the centre before habitability.
        tier: (n,) int8 :class:`Tier`.
        key: (n,) uint32.
    """

    centre: FloatArray
    radius_m: FloatArray
    core: FloatArray
    tier: NDArray[np.int8]
    key: KeyArray

    def within(self, point: FloatArray, reach_m: FloatArray) -> NDArray[np.bool_]:
        """Return which centres lie within a reach, (n,) metres, of a unit vector (3,)."""
        offset = (self.centre - point) * EARTH_RADIUS_M
        square = offset * offset
        near: NDArray[np.bool_] = square[:, 0] + square[:, 1] + square[:, 2] <= reach_m * reach_m
        return near

    @property
    def population(self) -> FloatArray:
        """(n,) people, were all of the land around habitable."""
        area_km2 = 3.14 * self.radius_m * self.radius_m * 1e-6
        return _PEOPLE_PER_KM2 * 0.27 * self.core * self.core * area_km2


def people_per_km2(density: FloatArray) -> FloatArray:
    """Turn density into people per square kilometre."""
    return _PEOPLE_PER_KM2 * density * density


def towns_of(tier: NDArray[np.int8], sites: Sites, *, keep_all: bool = False) -> Towns:
    """Make towns of sites: of those within half a cube of the sphere, by their hash.

    With ``keep_all`` those that do not exist stay, with a core of 0.
    """
    x, y, z = sites.position.T
    length = np.sqrt(x * x + y * y + z * z)
    draws = many_units(sites.key, 3, first=1)
    exists = (np.abs(length - 1.0) <= 0.5 / FREQUENCY[tier]) & (draws[0] < _SHARE[tier])
    if not keep_all:
        chosen = np.flatnonzero(exists)
        tier, length, draws = tier[chosen], length[chosen], draws[:, chosen]
        sites, exists = Sites(sites.position[chosen], sites.key[chosen]), exists[chosen]
    wide, full = draws[1].astype(np.float64), draws[2].astype(np.float64)
    radius = _RADIUS_M[tier, 0] + _RADIUS_M[tier, 1] * wide * wide
    core = np.where(exists, _CORE[tier, 0] + _CORE[tier, 1] * full, 0.0)
    return Towns(sites.position / length[:, None], radius, core, tier, sites.key)


def densest(points: FloatArray, towns: Towns) -> FloatArray:
    """Return the greatest density of towns at points ``(n, 1, 3)``, ``(n,)``."""
    offset = points - towns.centre
    square = offset * offset
    distance = np.sqrt(square[..., 0] + square[..., 1] + square[..., 2]) * EARTH_RADIUS_M
    share = np.minimum(np.maximum(1.25 - distance / towns.radius_m, 0.0), 1.0)
    density: FloatArray = (towns.core * share).max(axis=1)
    return density
