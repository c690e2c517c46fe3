"""Results as GeoJSON (RFC 7946): estimates, circles of uncertainty, matches, EXIF places."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import shapely
from shapely.geometry.base import BaseGeometry

from sightline.durable import write_text
from sightline.report.circles import circle_polygon, split_at_antimeridian
from sightline.report.document import locate_document
from sightline.report.squares import patch_geometry

if TYPE_CHECKING:
    from sightline.locating.locator import AnyLocator, LocatedPhoto

_DECIMALS = 7  # about a centimetre, as RFC 7946 advises against more


def write_geojson(
    path: str | PathLike[str], results: Sequence[LocatedPhoto], locator: AnyLocator | None = None
) -> None:
    """Write results as one GeoJSON file, the same bytes for the same results.

    Raises:
        OutputError: The file cannot be written.
    """
    collection = feature_collection(locate_document(results, locator))
    write_text(path, json.dumps(collection, allow_nan=False, indent=1) + "\n")


def feature_collection(document: dict[str, Any]) -> dict[str, Any]:
    """Return a GeoJSON FeatureCollection of what a document says.

    Each photo gives, in this order, its estimate, its two circles, its matches (photos as points,
    aerial patches as the squares they show) and its EXIF place; a photo that failed gives one
    feature without geometry. ``properties.kind`` tells them apart, ``properties.photo`` names the
    file.
    """
    provenance = {key: value for key, value in document.items() if key != "photos"}
    features = [feature for photo in document["photos"] for feature in _features(photo)]
    return {"type": "FeatureCollection", "features": features, "sightline": provenance}


def _features(photo: dict[str, Any]) -> Iterator[dict[str, Any]]:
    path, estimate, exif = photo["path"], photo["estimate"], photo["exif"]
    if estimate is not None:
        place = estimate["place"]
        properties = {**estimate, "place": place and place["text"], "sha256": photo["sha256"]}
        yield _point("estimate", path, properties)
        for share in (50, 90):
            radius_m = estimate[f"radius_{share}_m"]
            if (geometry := circle_geometry(estimate, radius_m)) is not None:
                properties = {"share_of_evidence": share / 100, "radius_m": radius_m}
                yield _feature(f"radius_{share}", path, geometry, properties)
    for rank, candidate in enumerate(photo["candidates"], 1):
        properties = {"rank": rank, **candidate}
        square = patch_geometry(candidate)
        if square is None:
            yield _point("match", path, properties)
        else:
            yield _feature("match", path, square, properties)
    if exif is not None:
        yield _point("exif", path, exif)
    if photo["error"] is not None:
        yield _feature("error", path, None, photo["error"])


def circle_geometry(estimate: dict[str, Any], radius_m: float | None) -> BaseGeometry | None:
    """Return the circle around a document's estimate, cut at the antimeridian."""
    polygon = circle_polygon(estimate["lat"], estimate["lon"], radius_m or 0.0)
    return None if polygon is None else split_at_antimeridian(polygon)


def _point(kind: str, photo: str, properties: dict[str, Any]) -> dict[str, Any]:
    place = shapely.Point(properties["lon"], properties["lat"])
    return _feature(kind, photo, place, properties)


def _feature(
    kind: str, photo: str, geometry: BaseGeometry | None, properties: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": None if geometry is None else _rounded(geometry),
        "properties": {"kind": kind, "photo": photo, **properties},
    }


def _rounded(geometry: BaseGeometry) -> dict[str, Any]:
    # Adding zero turns -0.0 into 0.0.
    exact = shapely.transform(geometry, lambda points: points.round(_DECIMALS) + 0.0)
    mapping: dict[str, Any] = shapely.geometry.mapping(exact)
    return mapping
