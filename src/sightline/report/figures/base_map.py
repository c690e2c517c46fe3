"""Land, sea and graticule under a figure's points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from sightline.report.figures.canvas import outline_patch
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.projection import Projection, RegionalMap
from sightline.report.outlines import Line, world
from sightline.report.text import distance_text

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Axes

Points = NDArray[np.float64]

# Outlines leave out what is finer than this share of the map's height: about half a pixel.
_FINEST = 1 / 1100
# They are rounded to 1/40 degree; closer in they would be drawn where they are not.
_OUTLINES_DOWN_TO_DEGREES = 0.8
_METRES_PER_DEGREE = 111_195.0
_MOST_MERIDIANS = 12
_ROUND = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5)]


def draw_base_map(axes: Axes, projection: Projection) -> None:
    """Draw what lies under the points; a region has degrees at its rim and a scale."""
    region = projection if isinstance(projection, RegionalMap) else None
    close = region is not None and region.width < _OUTLINES_DOWN_TO_DEGREES
    ground = PALETTE["land" if close else "sea"]
    below = outline_patch(axes, [projection.rim], facecolor=ground, linewidth=0)
    if not close:
        for rings, style in (
            (_land(projection), {"facecolor": PALETTE["land"], "linewidth": 0.4}),
            (_borders(projection) if region else (), {"fill": False, "linewidth": 0.5}),
        ):
            if rings:
                drawn = outline_patch(axes, rings, edgecolor=PALETTE["coast"], **style)
                drawn.set_clip_path(below)
    for line in _graticule(projection):
        (drawn_line,) = axes.plot(*line.T, color=PALETTE["coast"], linewidth=0.4, alpha=0.5)
        drawn_line.set_clip_path(below)
    if region is not None:
        _write_degrees(axes, region)
        _draw_scale(axes, region)


@lru_cache(maxsize=4)
def _land(projection: Projection) -> tuple[Points, ...]:
    return tuple(_outlines(world().land, projection))


@lru_cache(maxsize=4)
def _borders(projection: Projection) -> tuple[Points, ...]:
    # There and back, because a shape is closed.
    return tuple(np.vstack([line, line[::-1]]) for line in _outlines(world().borders, projection))


def _outlines(lines: Sequence[Line], projection: Projection) -> Iterator[Points]:
    """Outlines in every turn that reaches the map, without what is too fine to see."""
    low, high = projection.rim.min(axis=0), projection.rim.max(axis=0)
    size, finest = high - low, _FINEST * (high - low)[1]
    for line in lines:
        for turn in (-360.0, 0.0, 360.0):
            flat = projection.project(np.add(line.points, (turn, 0.0)))
            if (flat.max(axis=0) < low).any() or (flat.min(axis=0) > high).any():
                continue
            # What lies far outside is drawn up to a rim that nobody sees; no point of the map
            # changes from land to sea by that.
            drawn = shapely.LineString(np.clip(flat, low - size, high + size))
            if drawn.length >= 4 * finest:
                yield shapely.get_coordinates(drawn.simplify(finest))


def _graticule(projection: Projection) -> Iterator[Points]:
    if isinstance(projection, RegionalMap):
        parallels, meridians = _round_degrees(projection)
        reach = np.array([projection.west, projection.east])
        height = np.array([projection.south, projection.north])
    else:
        parallels, meridians = np.arange(-60.0, 61, 30), np.arange(-180.0, 181, 30)
        reach, height = np.array([-180.0, 180.0]), np.linspace(-90, 90, 61)
    for lat in parallels:
        yield projection.project(np.column_stack([reach, np.full_like(reach, lat)]))
    for lon in meridians:
        yield projection.project(np.column_stack([np.full_like(height, lon), height]))


def _round_degrees(region: RegionalMap) -> tuple[Points, Points]:
    """Latitudes and longitudes of the graticule: round numbers within the region."""
    step = next(s for s in _ROUND if region.width / s <= _MOST_MERIDIANS)
    parallels = step * np.arange(np.ceil(region.south / step), np.floor(region.north / step) + 1)
    meridians = step * np.arange(np.ceil(region.west / step), np.floor(region.east / step) + 1)
    return parallels, meridians


def _write_degrees(axes: Axes, region: RegionalMap) -> None:
    parallels, meridians = _round_degrees(region)
    style: dict[str, Any] = {
        "fontsize": 8,
        "color": PALETTE["quiet"],
        "textcoords": "offset points",
    }
    for lat in parallels:
        ((x, y),) = region.project(np.array([[region.west, lat]]))
        axes.annotate(_degrees(lat, "NS"), (x, y), xytext=(-4, 0), ha="right", va="center", **style)
    for lon in meridians:
        ((x, y),) = region.project(np.array([[lon, region.south]]))
        turned = (lon + 180) % 360 - 180
        axes.annotate(
            _degrees(turned, "EW"), (x, y), xytext=(0, -4), ha="center", va="top", **style
        )


def _draw_scale(axes: Axes, region: RegionalMap) -> None:
    """A bar of round length at the lower right."""
    (left, bottom), (right, top) = region.rim.min(axis=0), region.rim.max(axis=0)
    # On the map a unit is a degree of latitude.
    length_m = max(
        m for m in (10 * r for r in _ROUND) if m <= _METRES_PER_DEGREE * (right - left) / 4
    )
    x, y = right - 0.02 * (right - left), bottom + 0.04 * (top - bottom)
    ends = [x - length_m / _METRES_PER_DEGREE, x]
    axes.plot(ends, [y, y], color=PALETTE["ink"], linewidth=1.6, solid_capstyle="butt")
    axes.annotate(
        distance_text(length_m),
        (sum(ends) / 2, y),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
    )


def _degrees(value: float, sides: str) -> str:
    return f"{abs(value):.6g}° {sides[0] if value >= 0 else sides[1]}"


def draw_frame(axes: Axes, projection: Projection) -> None:
    """Fit the axes to the map, without ticks."""
    axes.set_aspect("equal")
    axes.set_axis_off()
    (left, bottom), (right, top) = projection.rim.min(axis=0), projection.rim.max(axis=0)
    margin = 0.004 * (right - left)
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(bottom - margin, top + margin)
