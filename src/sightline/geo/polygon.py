"""Regions with an outline: polygons, multipolygons, countries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from os import PathLike
from typing import Any

import shapely
from numpy.typing import ArrayLike
from shapely import MultiPolygon as Outline

from sightline.errors import RegionError
from sightline.geo import planar
from sightline.geo.box import BoundingBox
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.geo.countries import country_outline
from sightline.geo.covering import BoolArray, cover
from sightline.geo.cube import IdArray
from sightline.geo.geojson import outline_from_geojson, read_geojson


class MultiPolygon:
    """The places inside an outline or on its edge.

    Edges are straight in longitude and latitude, as GeoJSON defines them. Outlines may cross the
    antimeridian and run around a pole (see :func:`sightline.geo.planar.outline_of`); overlapping
    parts count once, and self-crossing rings are repaired.

    Args:
        outline: A shapely polygon or multipolygon, longitude first, within [-180, 180].
        name: What to call it.

    Raises:
        RegionError: If the outline encloses nothing or leaves the map.
    """

    def __init__(self, outline: shapely.Geometry, *, name: str = "polygon") -> None:
        given = shapely.get_parts(outline)
        if not outline.is_valid:
            # Of parts that overlap shapely counts places by turns: inside one, outside two.
            given = shapely.get_parts(shapely.union_all(shapely.make_valid(given)))
        parts = [part for part in given if part.area > 0.0]
        if not parts or any(part.geom_type != "Polygon" for part in parts):
            message = f"The region {name} encloses nothing. Got {outline.geom_type}."
            raise RegionError(message, hint="Give a polygon with an area.")
        west, south, east, north = outline.bounds
        if west < -180.0 or east > 180.0 or south < -90.0 or north > 90.0:
            message = f"The outline of {name} leaves the map: {outline.bounds}."
            raise RegionError(message, hint="Use MultiPolygon.from_geojson, which folds it back.")
        self.outline = Outline(parts)
        self.name = name
        shapely.prepare(self.outline)

    @classmethod
    def from_geojson(cls, document: Any, *, name: str = "polygon") -> MultiPolygon:
        """Return the region of a parsed GeoJSON object.

        Raises:
            RegionError: If it holds anything but polygons, or nothing.
        """
        return MultiPolygon(outline_from_geojson(document), name=name)

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> MultiPolygon:
        """Return the region of a GeoJSON file.

        Raises:
            RegionError: If the file cannot be read or used; it names the file.
        """
        return MultiPolygon(read_geojson(path), name=f"polygons of {path}")

    @cached_property
    def area_km2(self) -> float:
        """The area on the WGS84 ellipsoid, in km²."""
        return planar.area_km2(self.outline)

    @cached_property
    def bounds(self) -> BoundingBox:
        """The smallest box that holds the region."""
        west, east = planar.longitudes(self.outline)
        _, south, _, north = self.outline.bounds
        return BoundingBox(south, west, north, east)

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)`` lie inside or on the edge."""
        return planar.contains(self.outline, as_coordinates(coords))

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ``(k, 2)`` inclusive ranges of S2 leaves, at most ``max_cells``, a superset."""
        return cover(partial(planar.classify, self.outline), max_cells)

    def describe(self) -> str:
        """Return one phrase for people."""
        return f"{self.name} ({self.area_km2:,.6g} km²)"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()!r})"


class Polygon(MultiPolygon):
    """One ring with holes, given latitude first.

    Args:
        shell: ``(n, 2)`` degrees, latitude first, closed or not.
        holes: Rings of places that do not belong to the region; their edges do.
        name: What to call it.

    Raises:
        CoordinateError: If a place is out of range.
        RegionError: If a ring has fewer than three places, or nothing is enclosed.
    """

    def __init__(
        self, shell: ArrayLike, holes: Sequence[ArrayLike] = (), *, name: str = "polygon"
    ) -> None:
        rings = [_longitude_first(ring) for ring in (shell, *holes)]
        super().__init__(planar.outline_of([(rings[0], rings[1:])]), name=name)


class Country(MultiPolygon):
    """A country by its ISO 3166-1 code.

    Args:
        iso: Alpha-2 or alpha-3; case does not matter.

    Raises:
        RegionError: If no country has the code; suggests the nearest.
    """

    def __init__(self, iso: str) -> None:
        country = country_outline(iso)
        super().__init__(country.geometry, name=country.name)
        self.alpha2, self.alpha3 = country.alpha2, country.alpha3

    def describe(self) -> str:
        """Return one phrase for people."""
        return f"{self.name} ({self.alpha2})"


def _longitude_first(ring: ArrayLike) -> FloatArray:
    places = as_coordinates(ring, name="ring")
    if len(places) < 3:
        message = f"A ring must have at least three places. Got {len(places)}."
        raise RegionError(message, hint="Give the corners of an area.")
    return places[:, ::-1]
