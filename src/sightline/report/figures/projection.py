"""From degrees to a flat map: the whole world with true areas, or one region with true shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# Šavrič, Patterson and Jenny, The Equal Earth map projection (2018), equations 7 and 8.
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_EDGE_LATITUDES = np.linspace(-90, 90, 91)
_WIDEST_REGION_DEGREES, _TALLEST_REGION_DEGREES = 70.0, 40.0
_LOWEST_REGION_DEGREES = 0.004
_ASPECT = 2.05


@dataclass(frozen=True, slots=True)
class EqualEarth:
    """The whole world; no area is larger than it is."""

    def project(self, points: Points) -> Points:
        """(n, 2) longitude and latitude in degrees to (n, 2) x and y; beyond 180 off the rim."""
        lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
        theta = np.arcsin(math.sqrt(3) / 2 * np.sin(lat))
        square = theta * theta
        sixth = square**3
        slope = 9 * _A4 * sixth * square + 7 * _A3 * sixth + 3 * _A2 * square + _A1
        x = 2 * math.sqrt(3) * lon * np.cos(theta) / (3 * slope)
        y = theta * (_A1 + _A2 * square + sixth * (_A3 + _A4 * square))
        return np.column_stack([x, y])

    @property
    def rim(self) -> Points:
        """(n, 2) x and y: the edge of the map, as a ring."""
        east = np.column_stack([np.full_like(_EDGE_LATITUDES, 180.0), _EDGE_LATITUDES])
        west = east[::-1] * (-1, 1)
        return self.project(np.vstack([east, west]))


@dataclass(frozen=True, slots=True)
class RegionalMap:
    """A part of the world, its shapes right in the middle.

    Attributes:
        west: Degrees.
        south: Degrees.
        east: Degrees, larger than west.
        north: Degrees, larger than south.
    """

    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        """Degrees of longitude."""
        return self.east - self.west

    @property
    def squeeze(self) -> float:
        """How much shorter a degree of longitude is than one of latitude."""
        return math.cos(math.radians((self.south + self.north) / 2))

    def project(self, points: Points) -> Points:
        """(n, 2) longitude and latitude in degrees, any turn, to (n, 2) x and y."""
        return np.asarray(points * (self.squeeze, 1.0))

    @property
    def rim(self) -> Points:
        """(n, 2) x and y: the edge of the map, as a ring."""
        west, south, east, north = self.west, self.south, self.east, self.north
        return self.project(
            np.array([[west, south], [east, south], [east, north], [west, north]], dtype=float)
        )


Projection = EqualEarth | RegionalMap
"""Ways to lay places on paper; equal ones do it alike."""


def fitting_projection(places: Points) -> Projection:
    """The world, or the region of all ``places`` (n, 2; latitude first) where that is small."""
    if not len(places):
        return EqualEarth()
    lat, lon = places.T
    span_lat, span_lon = np.ptp(lat), np.ptp(lon)
    if span_lon > _WIDEST_REGION_DEGREES or span_lat > _TALLEST_REGION_DEGREES:
        return EqualEarth()
    middle_lat, middle_lon = (lat.min() + lat.max()) / 2, (lon.min() + lon.max()) / 2
    squeeze = max(math.cos(math.radians(middle_lat)), 0.1)
    height = max(1.15 * span_lat, 1.15 * span_lon * squeeze / _ASPECT, _LOWEST_REGION_DEGREES)
    width = height * _ASPECT / squeeze
    return RegionalMap(
        middle_lon - width / 2,
        max(middle_lat - height / 2, -90.0),
        middle_lon + width / 2,
        min(middle_lat + height / 2, 90.0),
    )
