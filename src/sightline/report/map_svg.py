"""A still map of one estimate as SVG: no script, no network, the same bytes for the same input.

It stands in a notebook, on paper, and in the report until (or where) the interactive map does not
run. Web Mercator, so that angles are right at street scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from sightline.report.circles import circle_polygon
from sightline.report.outlines import Line, world
from sightline.report.squares import patch_polygon
from sightline.report.text import coordinates_text, distance_text, visible

_METRES_PER_DEGREE = 111_195.0
_EDGE_OF_MERCATOR = 85.0
_MARGIN = 1.35
_SMALLEST_SPAN_DEGREES = 0.0012
# The outlines are rounded to 1/40 degree; closer in they would be drawn where they are not.
_OUTLINES_DOWN_TO_DEGREES = 0.8
_STEPS = [m * 10.0**e for e in range(-5, 2) for m in (1, 2, 5)] + [30.0, 45.0]


@dataclass(frozen=True, slots=True)
class _View:
    """A window on the Mercator plane, whose unit is the degree of longitude."""

    west: float
    north: float  # Mercator y
    span: float  # of longitude over the width
    width: int
    height: int

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) lon, lat in degrees to (n, 2) pixels from the upper left."""
        scale = self.width / self.span
        x = (points[:, 0] - self.west) * scale
        y = (self.north - mercator(points[:, 1])) * scale
        return np.column_stack([x, y])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        south = self.north - self.span * self.height / self.width
        return self.west, latitude(south), self.west + self.span, latitude(self.north)


def mercator(lat: Any) -> Any:
    """Mercator ordinate of latitudes in degrees, in degrees of longitude at the equator."""
    clipped = np.clip(lat, -_EDGE_OF_MERCATOR, _EDGE_OF_MERCATOR)
    return np.degrees(np.arctanh(np.sin(np.radians(clipped))))


def latitude(ordinate: float) -> float:
    """Return the latitude of a Mercator ordinate, the inverse of :func:`mercator`."""
    return math.degrees(math.asin(math.tanh(math.radians(ordinate))))


def map_svg(
    estimate: dict[str, Any],
    candidates: Sequence[dict[str, Any]],
    exif: dict[str, Any] | None = None,
    *,
    width: int = 640,
    height: int = 420,
) -> str:
    """Draw the estimate of a document with its circles, matches and EXIF place.

    The view holds the 90 % radius, the best match and the EXIF place; matches beyond it are left
    out and counted by the caller's table.

    Args:
        estimate: ``photos[].estimate`` of :func:`~sightline.report.document.locate_document`.
        candidates: ``photos[].candidates``.
        exif: ``photos[].exif``.
        width: Width in pixels.
        height: Height in pixels.
    """
    view = _fit(estimate, candidates[:1], exif, width, height)
    name = f"Map around {coordinates_text(estimate['lat'], estimate['lon'])}"
    parts = [
        '<svg class="still-map" xmlns="http://www.w3.org/2000/svg" role="img"',
        f' viewBox="0 0 {width} {height}" aria-label="{name}"',
        ' font-family="system-ui, sans-serif" font-size="11">',
        *_outlines(view),
        *_graticule(view),
        *_circles(view, estimate),
        *_squares(view, candidates, estimate["lon"]),
        *_points(view, estimate, candidates, exif),
        *_scale_bar(view, estimate["lat"]),
        "</svg>",
    ]
    return "".join(parts)


def _fit(
    estimate: dict[str, Any],
    candidates: Sequence[dict[str, Any]],
    exif: dict[str, Any] | None,
    width: int,
    height: int,
) -> _View:
    lat, lon = estimate["lat"], estimate["lon"]
    radius = max(estimate["radius_90_m"] or 0.0, estimate["radius_50_m"] or 0.0)
    reach = radius / _METRES_PER_DEGREE
    # One degree of latitude is stretched by 1 / cos on the Mercator plane.
    stretch = 1 / max(math.cos(math.radians(lat)), 0.05)
    half_x = half_y = reach * stretch
    centre_y = float(mercator(lat))
    for place in [*_with_corners(candidates, lon), *([exif] if exif else [])]:
        half_x = max(half_x, abs(_near(place["lon"], lon) - lon))
        half_y = max(half_y, abs(float(mercator(place["lat"])) - centre_y))
    span = 2 * _MARGIN * max(half_x, half_y * width / height, _SMALLEST_SPAN_DEGREES / 2 * stretch)
    span = min(span, 360.0)
    edge = float(mercator(_EDGE_OF_MERCATOR))
    tall = span * height / width
    room = max(edge - tall / 2, 0.0)
    middle = min(max(centre_y, -room), room)
    return _View(lon - span / 2, middle + tall / 2, span, width, height)


def _with_corners(matches: Sequence[dict[str, Any]], lon: float) -> Iterator[dict[str, Any]]:
    """Matches, and the corners of those that are squares, as places."""
    for match in matches:
        yield match
        if (square := patch_polygon(match, lon)) is not None:
            for x, y in shapely.get_coordinates(square):
                yield {"lat": y, "lon": x}


def _near(lon: float, centre: float) -> float:
    """The longitude's turn of the globe that is nearest to ``centre``."""
    return lon + 360 * round((centre - lon) / 360)


def _outlines(view: _View) -> Iterator[str]:
    box = f'<rect width="{view.width}" height="{view.height}"'
    if view.span < _OUTLINES_DOWN_TO_DEGREES:
        yield f'{box} class="ground" fill="#fbfaf7"/>'
        return
    yield f'{box} class="sea" fill="#e9eef2"/>'
    for kind, lines, style in (
        ("land", world().land, 'fill="#fbfaf7" stroke="#9aa5ad" stroke-width="0.7"'),
        ("borders", world().borders, 'fill="none" stroke="#c3cacf"'),
    ):
        path = "".join(_coarse_path(view, line) for line in _in_view(view, lines))
        yield f'<path class="{kind}" fill-rule="evenodd" {style} d="{path}"/>'


def _in_view(view: _View, lines: Sequence[Line]) -> Iterator[NDArray[np.float64]]:
    """Points (n, 2) of the lines that reach into the view, in each turn of the globe it shows."""
    west, south, east, north = view.bounds
    # Outlines that cross the antimeridian run on past 180, hence one turn more on either side.
    for turn in range(math.floor((west - 180) / 360), math.ceil((east + 540) / 360)):
        shift = 360.0 * turn
        for line in lines:
            line_west, line_south, line_east, line_north = line.bounds
            if (
                line_west + shift <= east
                and line_east + shift >= west
                and line_south <= north
                and line_north >= south
            ):
                yield np.add(line.points, (shift, 0.0))


def _coarse_path(view: _View, points: NDArray[np.float64]) -> str:
    """A line in whole pixels, as steps; empty where it is smaller than a pixel or two."""
    # What lies far outside is drawn up to a rim that nobody sees; no point of the view changes
    # from land to sea by that.
    size = np.array([view.width, view.height])
    pixels = np.rint(np.clip(view.project(points), -size, 2 * size)).astype(int)
    steps = np.diff(pixels, axis=0)
    steps = steps[steps.any(axis=1)]
    if len(steps) < 3:
        return ""
    moves = "".join(f"l{x} {y}" for x, y in steps.tolist())
    return f"M{pixels[0, 0]} {pixels[0, 1]}{moves}"


def _polygon_path(view: _View, polygon: shapely.Polygon) -> str:
    path = []
    for ring in (polygon.exterior, *polygon.interiors):
        pixels = view.project(shapely.get_coordinates(ring))
        path.append("L".join(f"{x:.1f} {y:.1f}" for x, y in pixels))
    return "".join(f"M{ring}Z" for ring in path)


def _graticule(view: _View) -> Iterator[str]:
    west, south, east, north = view.bounds
    step = min((s for s in _STEPS if view.span / s <= 8), default=_STEPS[-1])
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    style = 'stroke="#8a97a0" stroke-opacity="0.35" stroke-width="0.6"'
    for index in range(math.ceil(west / step), math.floor(east / step) + 1):
        lon = index * step
        x = (lon - west) / view.span * view.width
        shown = (lon + 180) % 360 - 180
        yield f'<path class="grid" {style} d="M{x:.1f} 0V{view.height}"/>'
        if x < view.width - 70:
            yield _label(x + 3, 12, _degrees(shown, decimals, "EW"))
    for index in range(math.ceil(south / step), math.floor(north / step) + 1):
        lat = index * step
        y = float(view.project(np.array([[west, lat]]))[0, 1])
        yield f'<path class="grid" {style} d="M0 {y:.1f}H{view.width}"/>'
        if y > 30:
            yield _label(4, y - 3, _degrees(lat, decimals, "NS"))


def _degrees(value: float, decimals: int, signs: str) -> str:
    side = signs[0] if value >= 0 else signs[1]
    return f"{abs(value):.{decimals}f}° {side}"


def _label(x: float, y: float, text: str) -> str:
    return f'<text class="label" x="{x:.1f}" y="{y:.1f}" fill="#5b6770">{text}</text>'


def _circles(view: _View, estimate: dict[str, Any]) -> Iterator[str]:
    for share, opacity in ((90, 0.08), (50, 0.14)):
        radius_m = estimate[f"radius_{share}_m"]
        polygon = circle_polygon(estimate["lat"], estimate["lon"], radius_m or 0.0)
        if polygon is not None:
            yield (
                f'<path class="radius-{share}" fill="#d9501a" fill-opacity="{opacity}"'
                f' stroke="#d9501a" stroke-width="1" d="{_polygon_path(view, polygon)}">'
                f"<title>{share} % of the evidence within {distance_text(radius_m)}</title></path>"
            )


def _squares(view: _View, candidates: Sequence[dict[str, Any]], lon: float) -> Iterator[str]:
    window = shapely.box(*view.bounds)
    for rank, match in reversed(list(enumerate(candidates, 1))):
        square = patch_polygon(match, lon)
        if square is not None and square.intersects(window):
            yield (
                f'<path class="patch" fill="#2a72b5" fill-opacity="0.05" stroke="#2a72b5"'
                f' stroke-width="{2 if rank == 1 else 1}" d="{_polygon_path(view, square)}">'
                f"<title>Match {rank}: a patch of {distance_text(match['patch_m'])}</title></path>"
            )


def _points(
    view: _View,
    estimate: dict[str, Any],
    candidates: Sequence[dict[str, Any]],
    exif: dict[str, Any] | None,
) -> Iterator[str]:
    centre = estimate["lon"]
    # The best match is drawn last of the matches, on top.
    style, shape = 'fill="#2a72b5" fill-opacity="0.8" stroke="#fff"', '<circle r="4.5"/>'
    for rank, match in reversed(list(enumerate(candidates, 1))):
        title = f"Match {rank}: {escape(visible(match['uri']))}"
        yield from _mark(view, match, centre, "match", style, shape, title)
    if exif:
        style = 'fill="none" stroke="#2f7d32" stroke-width="2.5"'
        shape = '<rect x="-6" y="-6" width="12" height="12" rx="2"/>'
        yield from _mark(view, exif, centre, "exif", style, shape, "EXIF place")
    # A ring, because the best match often stands at the same point.
    style, shape = 'fill="none" stroke="#d9501a" stroke-width="3"', '<circle r="11"/>'
    title = f"Estimate: {coordinates_text(estimate['lat'], estimate['lon'])}"
    yield from _mark(view, estimate, centre, "estimate", style, shape, title)


def _mark(
    view: _View,
    place: dict[str, Any],
    centre: float,
    kind: str,
    style: str,
    shape: str,
    title: str,
) -> Iterator[str]:
    ((x, y),) = view.project(np.array([[_near(place["lon"], centre), place["lat"]]]))
    if 0 <= x <= view.width and 0 <= y <= view.height:
        yield f'<g class="{kind}" {style} transform="translate({x:.1f} {y:.1f})">'
        yield f"<title>{title}</title>{shape}</g>"


def _scale_bar(view: _View, lat: float) -> Iterator[str]:
    shrink = math.cos(math.radians(min(abs(lat), _EDGE_OF_MERCATOR)))
    metres_per_pixel = view.span / view.width * _METRES_PER_DEGREE * shrink
    longest = 0.25 * view.width * metres_per_pixel
    length = max(m * 10.0**e for e in range(8) for m in (1, 2, 5) if m * 10.0**e <= longest)
    bar = length / metres_per_pixel
    x, y = view.width - 14, view.height - 20
    yield (
        '<path class="scale" fill="none" stroke="#20262b" stroke-width="1.5"'
        f' d="M{x:.1f} {y - 4}v4h{-bar:.1f}v-4"/>'
    )
    yield (
        f'<text class="scale-text" x="{x - bar / 2:.1f}" y="{y - 6}" text-anchor="middle"'
        f' fill="#20262b">{distance_text(length)}</text>'
    )
