"""Read polygons out of GeoJSON (RFC 7946), the only place where longitude comes first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from shapely import MultiPolygon as Outline

from sightline.errors import RegionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.planar import outline_of

_HINT = "Give a GeoJSON file of polygons or multipolygons (RFC 7946), longitude first."
_SWAPPED_HINT = "The positions look swapped: GeoJSON wants longitude first, then latitude."
_POLYGONS = ("Polygon", "MultiPolygon")

RingPair = tuple[FloatArray, list[FloatArray]]


def read_geojson(path: str | PathLike[str]) -> Outline:
    """Read a file of polygons as one outline.

    Raises:
        RegionError: If the file is missing, unreadable, no JSON, no GeoJSON of polygons, or
            encloses nothing; it names the file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        document = json.loads(text)
    except FileNotFoundError as error:
        message = f"There is no region file {str(path)!r}."
        raise RegionError(message, hint="Check the path.", path=path) from error
    except OSError as error:
        message = f"The region file {str(path)!r} cannot be read: {error.strerror}."
        raise RegionError(message, hint="Check the path and its permissions.", path=path) from error
    except (ValueError, RecursionError) as error:
        message = f"The region file {str(path)!r} is no JSON: {error}."
        raise RegionError(message, hint=_HINT, path=path) from error
    try:
        return outline_from_geojson(document)
    except RegionError as error:
        message = f"The region file {str(path)!r} cannot be used. {error.message}"
        raise RegionError(message, hint=error.hint, path=path) from error


def outline_from_geojson(document: Any) -> Outline:
    """Return all polygons of a parsed GeoJSON object as one outline within [-180, 180].

    Args:
        document: A Polygon, MultiPolygon, GeometryCollection, Feature or FeatureCollection.

    Raises:
        RegionError: If it is anything else, a position is no place, or nothing is enclosed.
    """
    try:
        rings = list(_rings(document, "the document"))
    except RecursionError as error:
        raise RegionError("The GeoJSON is nested too deeply.", hint=_HINT) from error
    if not rings:
        raise RegionError("The GeoJSON holds no polygon: the region is empty.", hint=_HINT)
    outline = outline_of(rings)
    if outline.is_empty:
        raise RegionError("The polygons enclose nothing: the region is empty.", hint=_HINT)
    return outline


def _rings(document: Any, where: str) -> Iterator[RingPair]:
    """Walk the document down to its polygons."""
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection":
        for index, feature in enumerate(_list(document, "features", where)):
            yield from _rings(feature, f"feature {index}")
    elif kind == "Feature":
        # A feature may have no place (RFC 7946, section 3.2).
        if document.get("geometry") is not None:
            yield from _rings(document["geometry"], where)
    elif kind == "GeometryCollection":
        for index, geometry in enumerate(_list(document, "geometries", where)):
            yield from _rings(geometry, f"{where}, geometry {index}")
    elif kind in _POLYGONS:
        coordinates = _list(document, "coordinates", where)
        for polygon in [coordinates] if kind == "Polygon" else coordinates:
            if polygon:
                yield _polygon(polygon, where)
    else:
        shown = repr(kind) if isinstance(document, dict) else f"a {type(document).__name__}"
        message = f"A region is made of polygons. Got {shown} in {where}."
        raise RegionError(message, hint=_HINT)


def _list(document: dict[str, Any], key: str, where: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        message = f"The {document['type']} in {where} has no list of {key}."
        raise RegionError(message, hint=_HINT)
    return value


def _polygon(rings: Any, where: str) -> RingPair:
    if not isinstance(rings, list):
        message = f"A polygon in {where} must be a list of rings. Got {type(rings).__name__}."
        raise RegionError(message, hint=_HINT)
    shell, *holes = (_ring(ring, where) for ring in rings)
    return shell, holes


def _ring(ring: Any, where: str) -> FloatArray:
    """Return one ring as ``(n, 2)``, longitude first, closed or not; altitudes are dropped."""
    if not isinstance(ring, list) or len(ring) < 3:
        message = f"A ring in {where} must be a list of at least three positions. Got {ring!r:.60}."
        raise RegionError(message, hint=_HINT)
    for index, position in enumerate(ring):
        if not (
            isinstance(position, list)
            and len(position) >= 2
            and all(type(part) in (int, float) for part in position[:2])
        ):
            message = f"Position {index} of a ring in {where} must be two numbers. Got "
            raise RegionError(f"{message}{position!r:.60}.", hint=_HINT)
    return check_ring(np.array([position[:2] for position in ring], dtype=np.float64), where)


def check_ring(points: FloatArray, where: str) -> FloatArray:
    """Return a ring ``(n, 2)``, longitude first, after checking its range.

    Raises:
        RegionError: Names the first position out of range; says so if it looks swapped.
    """
    bad = ~((np.abs(points[:, 0]) <= 360.0) & (np.abs(points[:, 1]) <= 90.0))
    if not bad.any():
        return points
    index = int(np.argmax(bad))
    lon, lat = points[index].tolist()
    message = f"Position {index} of a ring in {where} is no place: longitude {lon}, latitude {lat}."
    swapped = bool((np.abs(points[:, 0]) <= 90.0).all() and (np.abs(points[:, 1]) <= 180.0).all())
    raise RegionError(message, hint=_SWAPPED_HINT if swapped else _HINT)
