"""A box of latitudes and longitudes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import shapely
from numpy.typing import ArrayLike

from sightline.errors import RegionError
from sightline.geo import planar
from sightline.geo.coordinates import as_coordinates
from sightline.geo.covering import BoolArray, cover
from sightline.geo.cube import IdArray

_HINT = "Give a box as south,west,north,east in degrees."


@dataclass(frozen=True)
class BoundingBox:
    """The places between two parallels and two meridians, edges included.

    Args:
        south: Degrees, [-90, 90].
        west: Degrees, [-360, 360]; kept in [-180, 180].
        north: Degrees, greater than ``south``.
        east: Degrees; less than ``west`` if the box crosses the antimeridian. A width of 360
            degrees is the whole way round, kept as -180 to 180.

    Raises:
        RegionError: If a value is out of range, south exceeds north, or the box encloses nothing.
    """

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        south, west, north, east = (float(x) for x in self._edges())
        shown = f"{south},{west},{north},{east}"
        if not all(math.isfinite(x) for x in (south, west, north, east)):
            raise RegionError(f"The box {shown} is not finite.", hint=_HINT)
        if max(abs(south), abs(north)) > 90.0:
            swapped = max(abs(west), abs(east)) <= 90.0 and max(abs(south), abs(north)) <= 180.0
            hint = "Latitude and longitude look swapped: " + _HINT[0].lower() + _HINT[1:]
            message = f"The box {shown} has a latitude outside [-90, 90]."
            raise RegionError(message, hint=hint if swapped else _HINT)
        if max(abs(west), abs(east)) > 360.0:
            message = f"The box {shown} has a longitude outside [-360, 360]."
            raise RegionError(message, hint=_HINT)
        if south > north:
            message = f"The box {shown} has south {south} above north {north}."
            raise RegionError(message, hint=_HINT)
        if south == north or west == east:
            raise RegionError(f"The box {shown} is empty: it has no extent.", hint=_HINT)
        west, east = _kept(west, east)
        for name, value in (("south", south), ("west", west), ("north", north), ("east", east)):
            object.__setattr__(self, name, value)

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the box runs over the 180th meridian."""
        return self.west > self.east

    @property
    def bounds(self) -> BoundingBox:
        """The box itself."""
        return self

    @cached_property
    def area_km2(self) -> float:
        """The area on the WGS84 ellipsoid, in km²."""
        return planar.area_km2(self._outline)

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)`` lie in the box or on its edge."""
        places = as_coordinates(coords)
        lat, lon = places[:, 0], places[:, 1]
        tall = (lat >= self.south) & (lat <= self.north)
        if self.crosses_antimeridian:
            wide = (lon >= self.west) | (lon <= self.east)
        else:
            # The 180th meridian is kept as -180 and closes a box that ends at 180.
            seam = (lon == -180.0) & (self.east == 180.0)
            wide = ((lon >= self.west) & (lon <= self.east)) | seam
        # A pole is one place, whatever longitude is written for it.
        return np.asarray(tall & (wide | (np.abs(lat) == 90.0)))

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ``(k, 2)`` inclusive ranges of S2 leaves, at most ``max_cells``, a superset."""
        return cover(partial(planar.classify, self._outline), max_cells)

    def describe(self) -> str:
        """Return one phrase for people."""
        return (
            f"box south {self.south:g}, west {self.west:g}, "
            f"north {self.north:g}, east {self.east:g}"
        )

    @cached_property
    def _outline(self) -> shapely.MultiPolygon:
        spans = [(self.west, self.east)]
        if self.crosses_antimeridian:
            spans = [(self.west, 180.0), (-180.0, self.east)]
        boxes = [
            shapely.box(west, self.south, east, self.north) for west, east in spans if west < east
        ]
        outline = shapely.MultiPolygon(boxes)
        shapely.prepare(outline)
        return outline

    def _edges(self) -> tuple[float, float, float, float]:
        return self.south, self.west, self.north, self.east


def _kept(west: float, east: float) -> tuple[float, float]:
    """Return both longitudes within [-180, 180], the whole way round as -180 to 180."""
    if abs(east - west) >= 360.0:
        return -180.0, 180.0
    west, east = (
        x - 360.0 * math.floor((x + 180.0) / 360.0) if abs(x) > 180.0 else x for x in (west, east)
    )
    # A box that ends or begins on the seam is written without crossing it.
    if west > east and east == -180.0:
        east = 180.0
    if west > east and west == 180.0:
        west = -180.0
    return west, east
