"""Areas drawn on the map: outlines whose edges are straight in longitude and latitude.

That is how GeoJSON (RFC 7946, section 3.1.1) defines an edge, and it is exact for a box of
latitudes and longitudes. Here such outlines are cut at the antimeridian, tested, covered with
cells and measured on the WGS84 ellipsoid. Inside shapely, longitude comes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import shapely
from shapely import MultiPolygon as Outline
from shapely import Polygon as Ring

from sightline.errors import RegionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.covering import BoolArray, rectangles
from sightline.geo.cube import IdArray

_SEMI_MAJOR_KM = 6378.137
_FLATTENING = 1.0 / 298.257223563
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_FULL_TURN = 360.0


def outline_of(shells_and_holes: Iterable[tuple[FloatArray, list[FloatArray]]]) -> Outline:
    """Return one valid outline within [-180, 180] of rings that may cross the antimeridian.

    Args:
        shells_and_holes: Rings ``(n, 2)``, longitude first, closed or not. A step of more than
            180 degrees crosses the antimeridian; an edge from -180 to 180 runs along the whole
            map if the ring makes no sense otherwise. A ring that runs once around the Earth
            encloses the pole on its side of the equator.

    Raises:
        RegionError: If a ring runs around the Earth on both sides of the equator.
    """
    parts = []
    for shell, holes in shells_and_holes:
        part = _folded(shell)
        for hole in holes:
            part = shapely.difference(part, _folded(hole))
        parts.append(part)
    # Rings of one outline may touch or overlap; the union counts each place once.
    return _polygons_of(shapely.union_all(parts) if len(parts) > 1 else parts[0])


def contains(outline: Outline, places: FloatArray) -> BoolArray:
    """Say which places ``(n, 2)``, latitude first, lie in the outline or on its edge."""
    lat, lon = places[:, 0], places[:, 1]
    inside = np.asarray(shapely.intersects_xy(outline, lon, lat))
    # -180 and 180 are one meridian; an outline that ends there may be written either way.
    seam = lon == -180.0
    if seam.any():
        inside[seam] |= shapely.intersects_xy(outline, np.full(seam.sum(), 180.0), lat[seam])
    # A pole is one place, whatever longitude is written for it.
    _, south, _, north = outline.bounds
    inside |= ((lat == 90.0) & (north == 90.0)) | ((lat == -90.0) & (south == -90.0))
    return inside


def classify(outline: Outline, ids: IdArray) -> tuple[BoolArray, BoolArray]:
    """Say which cells may touch the outline and which lie inside, by the boxes around them."""
    south, west, north, east = rectangles(ids).T
    touched = np.zeros(len(ids), dtype=np.bool_)
    inside = np.ones(len(ids), dtype=np.bool_)
    for turn in (-_FULL_TURN, 0.0, _FULL_TURN):
        left, right = np.maximum(west + turn, -180.0), np.minimum(east + turn, 180.0)
        here = np.flatnonzero(left < right)
        boxes = shapely.box(left[here], south[here], right[here], north[here])
        touched[here] |= shapely.intersects(outline, boxes)
        inside[here] &= shapely.covers(outline, boxes)
    return touched, inside


def area_km2(outline: Outline) -> float:
    """Return the area on the WGS84 ellipsoid in km², edges straight in longitude and latitude.

    By Green's theorem the area is the integral of q(φ) dλ along the edges, with q the authalic
    function (Snyder 1987, eq. 3-12) times half the squared semi-major axis. Each edge is
    integrated with twelve Gauss-Legendre nodes.
    """
    total = 0.0
    for polygon in outline.geoms:
        for ring, sign in ((polygon.exterior, 1.0), *((hole, -1.0) for hole in polygon.interiors)):
            total += sign * abs(_under(shapely.get_coordinates(ring)))
    return total


def longitudes(outline: Outline) -> tuple[float, float]:
    """Return west and east of the narrowest span that holds the outline; west > east crosses."""
    spans = sorted((part.bounds[0], part.bounds[2]) for part in outline.geoms)
    merged = [list(spans[0])]
    for west, east in spans[1:]:
        if west <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], east)
        else:
            merged.append([west, east])
    wrap = merged[0][0] + _FULL_TURN - merged[-1][1]
    gaps = [after[0] - before[1] for before, after in itertools.pairwise(merged)]
    widest = int(np.argmax([wrap, *gaps]))
    if widest == 0:
        return merged[0][0], merged[-1][1]
    return merged[widest][0], merged[widest - 1][1]


def _folded(ring: FloatArray) -> Outline:
    """Return the inside of one ring, cut into pieces that lie within [-180, 180]."""
    line = _unwrapped(np.asarray(ring, dtype=np.float64)[:, :2])
    shape = _polygons_of(Ring(line))
    if shape.is_empty:
        return shape
    west, _, east, _ = shape.bounds
    if west >= -180.0 and east <= 180.0:
        return shape
    pieces = []
    for turn in range(int(np.floor((west + 180.0) / 360.0)), int(np.ceil((east + 180.0) / 360.0))):
        shift = _FULL_TURN * turn
        window = shapely.box(-180.0 + shift, -90.0, 180.0 + shift, 90.0)
        pieces.append(shapely.transform(shape & window, lambda xy, x=shift: xy - [x, 0.0]))
    return _polygons_of(shapely.union_all(pieces))


def _unwrapped(ring: FloatArray) -> FloatArray:
    """Return the closed ring with longitudes that run on past 180 instead of jumping."""
    closed = ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])
    line, turns = _run_on(closed, literal_full_steps=False)
    if turns != 0 or np.ptp(line[:, 0]) == 0.0:
        # A step from -180 to 180 is then no step over the seam but an edge along the whole map.
        literal, literal_turns = _run_on(closed, literal_full_steps=True)
        if literal_turns == 0:
            return literal
    if turns == 0:
        return line
    south, north = line[:, 1].min(), line[:, 1].max()
    if abs(turns) > 1 or south < 0.0 < north:
        message = "A ring runs around the whole Earth, and which side is meant cannot be told."
        raise RegionError(message, hint="Cut the polygon at the antimeridian (RFC 7946, 3.1.9).")
    pole = 90.0 if south >= 0.0 else -90.0
    first, last = line[0], line[-1]
    return np.concatenate([line, [[last[0], pole], [first[0], pole], first]])


def _run_on(closed: FloatArray, *, literal_full_steps: bool) -> tuple[FloatArray, int]:
    """Return the ring with its jumps taken out, and how often it runs around the Earth.

    Whole turns are added to the given numbers, so that no longitude is rounded.
    """
    steps = np.diff(closed[:, 0])
    jumps = np.abs(steps) > 180.0
    if literal_full_steps:
        jumps &= np.abs(steps) != _FULL_TURN
    turns = np.concatenate([[0.0], -np.cumsum(np.where(jumps, np.round(steps / 360.0), 0.0))])
    line = np.column_stack([closed[:, 0] + _FULL_TURN * turns, closed[:, 1]])
    return line, int(turns[-1])


def _polygons_of(shape: shapely.Geometry) -> Outline:
    """Return the polygons of a shape as one valid outline; lines and points are dropped."""
    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    parts = shapely.get_parts(shapely.get_parts([shape]))
    return Outline([part for part in parts if part.geom_type == "Polygon" and part.area > 0.0])


def _under(ring: FloatArray) -> float:
    """Return the signed area in km² that a ring ``(n, 2)``, longitude first, encloses."""
    start, end = ring[:-1], ring[1:]
    middle, half = (start[:, 1] + end[:, 1]) / 2.0, (end[:, 1] - start[:, 1]) / 2.0
    latitudes = np.deg2rad(middle[:, None] + half[:, None] * _NODES)
    mean = _authalic(latitudes) @ _WEIGHTS / 2.0
    width = np.deg2rad(end[:, 0] - start[:, 0])
    return float(_SEMI_MAJOR_KM**2 / 2.0 * np.sum(mean * width))


def _authalic(phi: FloatArray) -> FloatArray:
    """Return q(φ) of Snyder (1987), eq. 3-12, for latitudes in radians."""
    squared = _FLATTENING * (2.0 - _FLATTENING)
    eccentricity = np.sqrt(squared)
    sine = np.sin(phi)
    curved = np.arctanh(eccentricity * sine) / eccentricity
    return np.asarray((1.0 - squared) * (sine / (1.0 - squared * sine**2) + curved))


def outline_of_spans(
    south: FloatArray, west: FloatArray, north: FloatArray, east: FloatArray
) -> Outline:
    """Return boxes ``(n,)``, whose longitudes may run past the antimeridian, as one outline."""
    pieces = []
    for turn in (-_FULL_TURN, 0.0, _FULL_TURN):
        left, right = np.maximum(west + turn, -180.0), np.minimum(east + turn, 180.0)
        here = left < right
        pieces.append(shapely.box(left[here], south[here], right[here], north[here]))
    return Outline([*np.concatenate(pieces)])
