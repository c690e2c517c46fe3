"""Circles of uncertainty as polygons, right at the poles and across the antimeridian.

Shapely's order: longitude first.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.geo.distance import destination

_SEGMENTS = 128
_GRID_DEGREES = 1e-9  # a tenth of a millimetre


def circle_polygon(lat: float, lon: float, radius_m: float) -> Polygon | None:
    """Return all points within ``radius_m`` (great circle) of a centre as one polygon.

    Longitudes run on past 180 where the circle crosses the antimeridian, so the polygon stays in
    one piece around its centre; :func:`split_at_antimeridian` cuts it for GeoJSON and KML.

    Args:
        lat: Latitude of the centre in degrees.
        lon: Longitude of the centre in degrees.
        radius_m: Radius in metres.

    Returns:
        The polygon, or None when the radius is zero, negative or not finite: there is no area.
    """
    if not math.isfinite(radius_m) or radius_m <= 0:
        return None
    reach = math.degrees(radius_m / EARTH_RADIUS_M)
    if reach >= 180:
        return shapely.box(lon - 180, -90, lon + 180, 90)
    if reach > 90 + abs(lat):
        return _around_a_hole(lat, lon, reach)
    ring = _ring(lat, lon, radius_m, over_pole=reach > 90 - abs(lat))
    return Polygon(ring)


def _around_a_hole(lat: float, lon: float, reach_degrees: float) -> Polygon:
    """A circle with both poles inside: what is left out is a cap around the antipode."""
    hole = circle_polygon(-lat, lon + 180, math.radians(180 - reach_degrees) * EARTH_RADIUS_M)
    # The antipode lies on the window's seam, half of the cap on either side.
    holes = shapely.union(hole, shapely.transform(hole, lambda points: points - (360, 0)))
    rest = shapely.box(lon - 180, -90, lon + 180, 90).difference(holes)
    # Rounding can leave slivers on the seam.
    return max(shapely.get_parts(rest), key=lambda part: float(part.area))


def _ring(lat: float, lon: float, radius_m: float, *, over_pole: bool) -> NDArray[np.float64]:
    """Points (n, 2) of the circle as (lon, lat), longitudes unwrapped around the centre's."""
    # The first point lies towards the nearer pole; beyond it, the seam is opposite the centre.
    towards = 0.0 if lat >= 0 else 180.0
    bearings = towards + np.linspace(0, 360, _SEGMENTS + 1)
    points = destination(np.broadcast_to((lat, lon), (_SEGMENTS + 1, 2)), bearings, radius_m)
    lons = np.unwrap(points[:, 1], period=360)
    lons += 360 * np.rint((lon - (lons[0] + lons[-1]) / 2) / 360)
    ring = np.column_stack([lons, points[:, 0]])
    if over_pole:
        pole = math.copysign(90.0, lat)
        return np.vstack([ring, [(lons[-1], pole), (lons[0], pole)]])
    # Rounding must not let the ring cross itself where it closes.
    ring[-1] = ring[0]
    return ring


def split_at_antimeridian(polygon: Polygon) -> Polygon | MultiPolygon:
    """Return ``polygon`` with longitudes in [-180, 180], cut where it crosses (RFC 7946, 3.1.9).

    Exterior rings run counterclockwise, holes clockwise.
    """
    west, _, east, _ = polygon.bounds
    pieces = []
    valid = shapely.make_valid(polygon)
    for turn in range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360)):
        window = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
        piece = valid.intersection(window)
        pieces.append(shapely.transform(piece, lambda points, turn=turn: points - (360 * turn, 0)))
    # Pieces that meet again, as around a pole, become one; slivers of rounding vanish.
    whole = shapely.union_all(pieces, grid_size=_GRID_DEGREES)
    parts = [part for part in shapely.get_parts(whole) if part.geom_type == "Polygon"]
    oriented = list(shapely.orient_polygons(np.array(parts, dtype=object)))
    return oriented[0] if len(oriented) == 1 else MultiPolygon(oriented)
