"""Everything within a distance of one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import RegionError
from sightline.geo.box import BoundingBox
from sightline.geo.coordinates import EARTH_RADIUS_M, LatLng, as_coordinates, unit_vectors
from sightline.geo.covering import BoolArray, angles, caps, cover
from sightline.geo.cube import IdArray
from sightline.geo.distance import ellipsoid, geodesic_m, great_circle_m

# The sphere's distance over the ellipsoid's lies between R / N(90°) and R / M(0°), the extreme
# radii of curvature of WGS84: 0.99553 and 1.00562. Rounded outwards.
_LEAST_RATIO, _GREATEST_RATIO = 0.9955, 1.0057
_TOTAL_AREA_KM2 = 510_065_621.724
_FARTHEST_M = 20_003_931.5
"""Half a meridian: no two places are farther apart on WGS84."""


@dataclass(frozen=True)
class Circle:
    """The places whose geodesic distance on WGS84 from ``centre`` is at most ``radius_m``.

    It is a disc on the ground, not on the map: round at the poles and over the antimeridian too.

    Args:
        centre: The middle; a pair ``(lat, lon)`` will do.
        radius_m: Metres, greater than zero. From half a meridian on, it is the whole Earth.

    Raises:
        CoordinateError: If the centre is out of range.
        RegionError: If the radius is not finite or not greater than zero.
    """

    centre: LatLng
    radius_m: float

    def __post_init__(self) -> None:
        lat, lon = self.centre
        object.__setattr__(self, "centre", LatLng(lat, lon))
        if not (math.isfinite(self.radius_m) and self.radius_m > 0.0):
            message = f"A circle's radius must be greater than zero. Got {self.radius_m} m."
            raise RegionError(message, hint="Give the radius in metres.")

    @cached_property
    def area_km2(self) -> float:
        """The area on the ellipsoid in km², from a geodesic polygon of 1024 corners.

        The polygon is inscribed; the ratio of a circle to it, on the plane, is taken out.
        """
        if self.radius_m >= _FARTHEST_M:
            return _TOTAL_AREA_KM2
        count = 1024
        azimuths = np.linspace(360.0, 0.0, count, endpoint=False)  # counter-clockwise
        lat, lon = (np.full(count, x) for x in self.centre)
        east, north, _ = ellipsoid().fwd(lon, lat, azimuths, np.full(count, self.radius_m))
        area = ellipsoid().polygon_area_perimeter(east, north)[0] / 1e6
        if area < 0.0 and self.radius_m > _FARTHEST_M / 2:
            # Beyond a hemisphere the far side is what the polygon encloses.
            area += _TOTAL_AREA_KM2
        step = 2.0 * math.pi / count
        short = step / math.sin(step) - 1.0
        if area <= _TOTAL_AREA_KM2 / 2:
            return float(area + area * short)
        # Seen from the far side it is the outside that is too small.
        return float(area - (_TOTAL_AREA_KM2 - area) * short)

    @cached_property
    def bounds(self) -> BoundingBox:
        """A box that holds the circle, a little larger than the smallest."""
        lat, lon = self.centre
        angle = self._outer_angle
        south, north = lat - math.degrees(angle), lat + math.degrees(angle)
        if south <= -90.0 or north >= 90.0:
            return BoundingBox(max(south, -90.0), -180.0, min(north, 90.0), 180.0)
        # Napier: a meridian touches the circle where sin(Δλ) = sin(angle) / cos(lat).
        half = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(lat)))))
        return BoundingBox(south, lon - half, north, lon + half)

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)`` lie within the radius, the edge included."""
        places = as_coordinates(coords)
        sphere_m = great_circle_m(places, tuple(self.centre))
        inside = sphere_m <= self.radius_m * _LEAST_RATIO
        # The exact distance costs a hundred times more and matters near the edge only.
        near = ~inside & (sphere_m <= self.radius_m * _GREATEST_RATIO)
        if near.any():
            inside[near] = geodesic_m(places[near], tuple(self.centre)) <= self.radius_m
        return inside

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ``(k, 2)`` inclusive ranges of S2 leaves, at most ``max_cells``, a superset."""
        return cover(self._classify, max_cells)

    def describe(self) -> str:
        """Return one phrase for people."""
        return f"circle of {self.radius_m:g} m around {self.centre.lat:.5f}, {self.centre.lon:.5f}"

    @property
    def _outer_angle(self) -> float:
        """The angle on the sphere, in radians, that no place of the circle exceeds."""
        return min(self.radius_m * _GREATEST_RATIO / EARTH_RADIUS_M, math.pi)

    def _classify(self, ids: IdArray) -> tuple[BoolArray, BoolArray]:
        middles, spread = caps(ids)
        apart = angles(middles, unit_vectors(tuple(self.centre)))
        inner = self.radius_m * _LEAST_RATIO / EARTH_RADIUS_M
        return apart <= self._outer_angle + spread, apart + spread <= inner
