"""Results as KML 2.2 (OGC 07-147r2), for Google Earth and for search-grid tools."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import shapely
from shapely.geometry.base import BaseGeometry

from sightline.durable import write_text
from sightline.report.document import locate_document
from sightline.report.geojson import circle_geometry
from sightline.report.squares import patch_geometry
from sightline.report.text import coordinates_text, distance_text, visible

if TYPE_CHECKING:
    from sightline.locating.locator import AnyLocator, LocatedPhoto

_NAMESPACE = "http://www.opengis.net/kml/2.2"
# Colours are aabbggrr.
_STYLES = {
    "estimate": ("ff1a50d9", "ff1a50d9", 1.3),
    "match": ("ffb5722a", "20b5722a", 0.7),
    "exif": ("ff3d8f3d", "ff3d8f3d", 1.0),
    "radius_50": ("ff1a50d9", "401a50d9", 0.0),
    "radius_90": ("ff1a50d9", "201a50d9", 0.0),
}


def write_kml(
    path: str | PathLike[str], results: Sequence[LocatedPhoto], locator: AnyLocator | None = None
) -> None:
    """Write results as one KML file, the same bytes for the same results.

    Raises:
        OutputError: The file cannot be written.
    """
    write_text(path, kml_text(locate_document(results, locator)))


def kml_text(document: dict[str, Any]) -> str:
    """Return a document as KML: a folder per photo, control characters made visible."""
    root = ET.Element("kml", xmlns=_NAMESPACE)
    body = ET.SubElement(root, "Document")
    _text(body, "name", "Sightline")
    _text(body, "description", f"Sightline {document['sightline_version']}")
    for name, (line, fill, scale) in _STYLES.items():
        _style(body, name, line, fill, scale)
    for photo in document["photos"]:
        _folder(body, photo)
    ET.indent(root)
    xml = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def _folder(body: ET.Element, photo: dict[str, Any]) -> None:
    folder = ET.SubElement(body, "Folder")
    _text(folder, "name", photo["path"])
    estimate, exif, error = photo["estimate"], photo["exif"], photo["error"]
    if error is not None:
        _note(folder, f"{error['message']} {error['hint']}")
    if estimate is not None:
        _estimate(folder, estimate)
    for rank, match in enumerate(photo["candidates"], 1):
        spot = _placemark(folder, "match", f"Match {rank}", match["uri"])
        told = ("distance", "weight", "heading_degrees", "patch_m")
        _data(spot, {key: match.get(key) for key in told})
        square = patch_geometry(match)
        if square is None:
            _point(spot, match)
        else:
            _polygons(spot, square)
    if exif is not None:
        note = "The place that the photo's own file states; not used for the estimate."
        _point(_placemark(folder, "exif", "EXIF place", note), exif)


def _estimate(folder: ET.Element, estimate: dict[str, Any]) -> None:
    place = estimate["place"]["text"]
    note = f"{place} ({coordinates_text(estimate['lat'], estimate['lon'])})"
    if estimate["abstained"]:
        note = f"Not sure: {estimate['reason'] or 'the evidence is weak'}. {note}"
    spot = _placemark(folder, "estimate", "Estimate", note)
    told = ("method", "radius_50_m", "radius_90_m", "heading_degrees", "patch_m")
    _data(spot, {key: estimate.get(key) for key in told})
    _point(spot, estimate)
    for share in (50, 90):
        radius_m = estimate[f"radius_{share}_m"]
        geometry = circle_geometry(estimate, radius_m)
        if geometry is not None:
            name = f"{share} % of the evidence within {distance_text(radius_m)}"
            spot = _placemark(folder, f"radius_{share}", name, "")
            _polygons(spot, geometry)


def _placemark(folder: ET.Element, kind: str, name: str, note: str) -> ET.Element:
    placemark = ET.SubElement(folder, "Placemark")
    _text(placemark, "name", name)
    if note:
        _note(placemark, note)
    _text(placemark, "styleUrl", f"#{kind}")
    return placemark


def _data(placemark: ET.Element, values: dict[str, Any]) -> None:
    extended = ET.SubElement(placemark, "ExtendedData")
    for name, value in values.items():
        if value is not None:
            _text(ET.SubElement(extended, "Data", name=name), "value", str(value))


def _point(placemark: ET.Element, place: dict[str, Any]) -> None:
    point = ET.SubElement(placemark, "Point")
    _text(point, "coordinates", _coordinates(place["lon"], place["lat"]))


def _polygons(placemark: ET.Element, geometry: BaseGeometry) -> None:
    parts = shapely.get_parts(geometry)
    parent = placemark
    if len(parts) > 1:
        parent = ET.SubElement(placemark, "MultiGeometry")
    for part in parts:
        polygon = ET.SubElement(parent, "Polygon")
        _text(polygon, "tessellate", "1")
        _boundary(polygon, "outerBoundaryIs", part.exterior)
        for hole in part.interiors:
            _boundary(polygon, "innerBoundaryIs", hole)


def _boundary(polygon: ET.Element, kind: str, ring: BaseGeometry) -> None:
    boundary = ET.SubElement(polygon, kind)
    linear = ET.SubElement(boundary, "LinearRing")
    points = shapely.get_coordinates(ring)
    _text(linear, "coordinates", " ".join(_coordinates(lon, lat) for lon, lat in points))


def _style(body: ET.Element, name: str, line: str, fill: str, scale: float) -> None:
    style = ET.SubElement(body, "Style", id=name)
    if scale:
        icon = ET.SubElement(style, "IconStyle")
        _text(icon, "color", line)
        _text(icon, "scale", str(scale))
    for kind, colour in (("LineStyle", line), ("PolyStyle", fill)):
        _text(ET.SubElement(style, kind), "color", colour)


def _coordinates(lon: float, lat: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(lon, 7) + 0.0:.7f},{round(lat, 7) + 0.0:.7f}"


def _note(parent: ET.Element, note: str) -> None:
    # Google Earth shows descriptions as HTML: a file name must not become markup there.
    _text(parent, "description", escape(note))


def _text(parent: ET.Element, tag: str, text: str) -> None:
    # Escapes of markup are ElementTree's; characters that XML 1.0 forbids are made visible.
    ET.SubElement(parent, tag).text = visible(text)
