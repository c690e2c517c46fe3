"""Countries and their regions: what streets, houses and things look like where.

A country is the part of the sphere nearest to a scattered site, seen through a wavy glass, so that
borders wind. A region is a part of a country with its own habits. Both are looked up per lattice
cell, so a border runs through a neighbourhood the same way in every window.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.hashing import number
from sightline.planet.world.scatter import Octaves, nearest_keys
from sightline.planet.world.styles import (
    Colour,
    CountryStyle,
    Crosswalk,
    FenceKind,
    PoleKind,
    SignKind,
    StreetPattern,
)

__all__ = [
    "Countries",
    "CountryStyle",
    "Crosswalk",
    "FenceKind",
    "PoleKind",
    "SignKind",
    "StreetPattern",
    "style_of",
]

FloatArray = NDArray[np.float64]

_COUNTRIES_PER_RADIUS = 5.0
_REGIONS_PER_RADIUS = 34.0


_WALLS: tuple[Colour, ...] = (
    (0.86, 0.80, 0.68),
    (0.92, 0.90, 0.85),
    (0.62, 0.32, 0.25),
    (0.72, 0.45, 0.33),
    (0.55, 0.55, 0.56),
    (0.80, 0.62, 0.45),
    (0.88, 0.72, 0.52),
    (0.70, 0.74, 0.78),
    (0.78, 0.55, 0.52),
    (0.93, 0.84, 0.62),
    (0.45, 0.30, 0.24),
    (0.64, 0.70, 0.58),
    (0.50, 0.58, 0.66),
    (0.76, 0.72, 0.66),
)
_ROOFS: tuple[Colour, ...] = (
    (0.62, 0.28, 0.18),
    (0.30, 0.31, 0.34),
    (0.45, 0.40, 0.38),
    (0.70, 0.36, 0.22),
    (0.28, 0.38, 0.33),
    (0.66, 0.66, 0.66),
    (0.50, 0.20, 0.17),
    (0.38, 0.28, 0.22),
    (0.24, 0.25, 0.30),
    (0.58, 0.44, 0.30),
)
_DOORS: tuple[Colour, ...] = (
    (0.30, 0.18, 0.12),
    (0.20, 0.30, 0.24),
    (0.45, 0.12, 0.12),
    (0.16, 0.22, 0.36),
    (0.85, 0.84, 0.80),
)
_SHUTTERS: tuple[Colour, ...] = (
    (0.20, 0.36, 0.26),
    (0.34, 0.24, 0.18),
    (0.25, 0.36, 0.52),
    (0.50, 0.18, 0.16),
)
_PAVEMENTS: tuple[Colour, ...] = (
    (0.56, 0.55, 0.53),
    (0.62, 0.58, 0.52),
    (0.50, 0.50, 0.52),
    (0.60, 0.50, 0.45),
)
_SIGNS: tuple[Colour, ...] = (
    (0.10, 0.25, 0.60),
    (0.05, 0.40, 0.22),
    (0.85, 0.70, 0.10),
    (0.70, 0.10, 0.10),
    (0.85, 0.85, 0.85),
)


class Countries:
    """Which country and region each place belongs to.

    Args:
        seed: The planet's seed.
    """

    def __init__(self, seed: int) -> None:
        self._country_seed, self._region_seed = number(seed, 600), number(seed, 610)
        self._waves = Octaves.of(seed, 620, [14.0] * 3 + [70.0] * 3 + [420.0] * 3)

    def pairs(self, points: FloatArray) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the keys of country and region at unit vectors ``(n, 3)``."""
        waves = self._waves.at(points)
        bent = points + (0.030 * waves[:3] + 0.008 * waves[3:6] + 0.0016 * waves[6:]).T
        country = nearest_keys(self._country_seed, _COUNTRIES_PER_RADIUS, bent)
        return country, nearest_keys(self._region_seed, _REGIONS_PER_RADIUS, bent)


class _Draws:
    """Numbers for one country, drawn by name of the draw."""

    def __init__(self, key: int) -> None:
        self._key = key

    def unit(self, draw: int) -> float:
        return number(self._key, draw) * 2.0**-32

    def between(self, draw: int, low: float, high: float) -> float:
        return low + (high - low) * self.unit(draw)

    def chance(self, draw: int, share: float) -> bool:
        return self.unit(draw) < share

    def index(self, draw: int, count: int) -> int:
        return number(self._key, draw) % count


@lru_cache(maxsize=4096)
def style_of(country: int, region: int) -> CountryStyle:
    """Return the looks of a region: the country's, with the region's own palettes and habits."""
    return CountryStyle(
        key=number(country, region),
        country=country,
        region=region,
        **_streets(_Draws(country), _Draws(number(country, region))),
        **_houses(_Draws(country), _Draws(number(country, region))),
        **_things(_Draws(country), _Draws(number(country, region))),
    )


def _streets(country: _Draws, region: _Draws) -> dict[str, Any]:
    pattern = StreetPattern((0, 0, 1, 2, 2)[country.index(1, 5)])
    winding = pattern is StreetPattern.WINDING
    return {
        "pattern": pattern,
        "street_jitter": (0.012, 0.04, 0.09, 0.14)[country.index(2, 4)],
        "street_warp": region.between(3, 0.9, 1.5) if winding else region.between(3, 0.0, 0.35),
        "dropped_along": (0.05, 0.15, 0.3, 0.42)[region.index(4, 4)],
        "dropped_across": region.unit(5) * 0.7 if country.chance(6, 0.5) else 0.0,
        "drives_left": country.chance(7, 0.3),
        "road_half_width_m": country.between(8, 2.7, 4.2),
        "asphalt": country.between(9, 0.28, 0.48),
        "asphalt_warmth": country.between(10, -1.0, 1.0),
        "centre_line_yellow": country.chance(11, 0.4),
        "centre_dash_m": (0.0, 2.0, 3.0, 6.0)[country.index(12, 4)],
        "centre_gap_m": (2.0, 4.0, 9.0)[country.index(13, 3)],
        "edge_line": country.chance(14, 0.5),
        "crosswalk": Crosswalk((0, 1, 1, 2)[country.index(15, 4)]),
        "pavement_width_m": country.between(16, 1.2, 3.0),
        "pavement": _PAVEMENTS[country.index(17, 4)],
        "kerb": ((0.66, 0.65, 0.63), (0.45, 0.45, 0.46), (0.74, 0.70, 0.62))[country.index(18, 3)],
    }


def _houses(country: _Draws, region: _Draws) -> dict[str, Any]:
    own_wall, own_roof = _WALLS[region.index(20, 14)], _ROOFS[region.index(21, 10)]
    return {
        "walls": (*(_WALLS[country.index(22 + n, 14)] for n in range(4)), own_wall),
        "roofs": (*(_ROOFS[country.index(27 + n, 10)] for n in range(2)), own_roof),
        "flat_roof": country.unit(30) * country.unit(31),
        "hip_roof": (0.05, 0.25, 0.7)[country.index(32, 3)],
        "roof_pitch": country.between(33, 0.35, 0.9),
        "floor_height_m": country.between(34, 2.8, 3.6),
        "bay_m": country.between(35, 2.2, 4.0),
        "window_width": country.between(36, 0.32, 0.62),
        "window_height": country.between(37, 0.40, 0.62),
        "window_frame": (0.95, 0.25, 0.6)[country.index(38, 3)],
        "shutters": country.chance(39, 0.35),
        "shutter": _SHUTTERS[region.index(40, 4)],
        "balconies": country.chance(41, 0.4),
        "brick": country.chance(42, 0.35),
        "two_tone": country.chance(43, 0.3),
        "door": _DOORS[country.index(44, 5)],
        "row_houses": 0.6 * country.unit(45) + 0.4 * region.unit(45),
        "courtyards": country.unit(46),
        "setback_m": country.between(47, 1.0, 8.0),
        "plot_width_m": country.between(48, 13.0, 22.0),
        "house_depth_m": country.between(49, 8.5, 12.0),
    }


def _things(country: _Draws, region: _Draws) -> dict[str, Any]:
    stone: Colour = (0.66, 0.62, 0.56)
    fence = FenceKind(1 + country.index(61, 4))
    colours: tuple[Colour, ...] = ((0.85, 0.84, 0.80), (0.42, 0.32, 0.24), (0.35, 0.36, 0.36))
    return {
        "fenced": country.unit(60),
        "fence": fence,
        "fence_colour": stone if fence is FenceKind.WALL else colours[region.index(62, 3)],
        "pole": PoleKind((0, 0, 1, 1, 2, 3)[country.index(63, 6)]),
        "wires": country.chance(64, 0.6),
        "lamp_height_m": country.between(65, 4.5, 9.5),
        "sign": SignKind(country.index(66, 4)),
        "sign_colour": _SIGNS[country.index(67, 5)],
        "street_trees": country.unit(68) * 0.9,
        "exotic_trees": region.unit(69) * 0.35,
        "greenery": country.between(70, 0.5, 1.5),
        "parking": country.between(71, 0.35, 0.95),
    }
