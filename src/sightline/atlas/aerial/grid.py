"""Where patches lie: one grid over the whole Earth, of which a region takes its part.

Rows follow each other along the meridian by exactly the stride, on the WGS84 ellipsoid, beginning
at the equator. The middles in a row are equally far apart, by the stride to within what makes their
number whole. So the middle of a patch depends on the stride alone, and atlases of neighbouring or
overlapping regions share patches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray
from sightline.geo.region import MultiPolygon, Region

IntArray = NDArray[np.int64]

_SEMI_MAJOR_M = 6_378_137.0
_FLATTENING = 1.0 / 298.257223563
_N = _FLATTENING / (2.0 - _FLATTENING)
_SQUARED = _FLATTENING * (2.0 - _FLATTENING)
# Metres of the meridian per radian of rectifying latitude.
_PER_RADIAN_M = _SEMI_MAJOR_M / (1.0 + _N) * (1.0 + _N**2 / 4.0 + _N**4 / 64.0)
LEAST_STRIDE_M, _LARGEST_STRIDE_M = 0.1, 1_000_000.0
_POINTS_AT_ONCE, _ROWS_AT_ONCE = 65_536, 4096
_HAIR = 1e-6


def meridian_m(lat: ArrayLike) -> FloatArray:
    """Return metres along the meridian from the equator to latitudes in degrees.

    Helmert's series in the third flattening (Snyder 1987, eq. 3-21 in e²); its error is below a
    micrometre.
    """
    phi = np.deg2rad(np.asarray(lat, np.float64))
    terms = (
        -1.5 * (_N - _N**3 / 8.0) * np.sin(2.0 * phi)
        + 15.0 / 16.0 * (_N**2 - _N**4 / 4.0) * np.sin(4.0 * phi)
        - 35.0 / 48.0 * _N**3 * np.sin(6.0 * phi)
        + 315.0 / 512.0 * _N**4 * np.sin(8.0 * phi)
    )
    return np.asarray(_PER_RADIAN_M * phi + _SEMI_MAJOR_M / (1.0 + _N) * terms)


def latitude_at(along_m: ArrayLike) -> FloatArray:
    """Return the latitudes in degrees at metres along the meridian (Snyder 1987, eq. 3-26)."""
    mu = np.asarray(along_m, np.float64) / _PER_RADIAN_M
    phi = (
        mu
        + (1.5 * _N - 27.0 / 32.0 * _N**3) * np.sin(2.0 * mu)
        + (21.0 / 16.0 * _N**2 - 55.0 / 32.0 * _N**4) * np.sin(4.0 * mu)
        + 151.0 / 96.0 * _N**3 * np.sin(6.0 * mu)
        + 1097.0 / 512.0 * _N**4 * np.sin(8.0 * mu)
    )
    return np.asarray(np.clip(np.rad2deg(phi), -90.0, 90.0))


@dataclass(frozen=True, slots=True, eq=False)
class GridPart:
    """Some middles of patches.

    Attributes:
        rows: int64 (n,), rows of the grid, 0 at the equator, growing to the north.
        columns: int64 (n,), from the antimeridian to the east.
        latlng: float64 (n, 2), degrees.
    """

    rows: IntArray
    columns: IntArray
    latlng: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    def names(self) -> list[str]:
        """The id of each: its row and column, such as ``123520.401122``."""
        return [f"{r}.{c}" for r, c in zip(self.rows.tolist(), self.columns.tolist(), strict=True)]


class _Runs(NamedTuple):
    """Runs of columns ``(n,)``: their row, the columns it has, the first and one after the last."""

    row: IntArray
    of_row: IntArray
    start: IntArray
    stop: IntArray


class AerialGrid:
    """The part of the Earth's grid that lies in all of the given regions.

    Iterating yields :class:`GridPart` s, row by row from the south, from west to east, computed as
    they are asked for.

    Args:
        stride_m: Metres between neighbours.
        regions: Where middles may lie: a source's footprint, and a region asked for.

    Raises:
        UsageError: The stride is not from 0.1 m to 1000 km.
    """

    def __init__(self, stride_m: float, *regions: Region) -> None:
        if not LEAST_STRIDE_M <= stride_m <= _LARGEST_STRIDE_M:
            raise UsageError(
                f"stride_m must be from {LEAST_STRIDE_M:g} to {_LARGEST_STRIDE_M:g} metres. "
                f"Got {stride_m!r}.",
                hint="Half the side of a patch is usual.",
            )
        self.stride_m = float(stride_m)
        self._regions = regions
        self._boxes = _common_boxes(regions)
        self._count: int | None = None

    def __len__(self) -> int:
        """Return how many middles there are; the first time by going through them all."""
        if self._count is None:
            self._count = sum(len(part) for part in self)
        return self._count

    def __iter__(self) -> Iterator[GridPart]:
        """Yield the middles."""
        for rows, columns, counts in self._candidates():
            lat = latitude_at(rows * self.stride_m)
            latlng = np.column_stack([lat, -180.0 + (columns + 0.5) * (360.0 / counts)])
            inside = np.ones(len(rows), np.bool_)
            for region in self._regions:
                inside[inside] = region.contains(latlng[inside])
            if inside.any():
                yield GridPart(rows[inside], columns[inside], latlng[inside])

    def columns_of(self, rows: ArrayLike) -> IntArray:
        """Return how many middles the whole rows ``(n,)`` have."""
        phi = np.deg2rad(latitude_at(np.asarray(rows) * self.stride_m))
        radius = _SEMI_MAJOR_M * np.cos(phi) / np.sqrt(1.0 - _SQUARED * np.sin(phi) ** 2)
        around = np.rint(2.0 * np.pi * np.maximum(radius, 0.0) / self.stride_m)
        return np.asarray(np.maximum(around, 1), np.int64)

    def _candidates(self) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        """Rows, columns, and columns in the row, of what lies in the boxes."""
        for runs in self._runs():
            lengths = runs.stop - runs.start
            ends = np.cumsum(lengths)
            part = (ends - 1) // _POINTS_AT_ONCE
            for number in np.unique(part):
                here = part == number
                length, start = lengths[here], runs.start[here]
                before = np.repeat(np.cumsum(length) - length, length)
                columns = np.arange(length.sum()) - before + np.repeat(start, length)
                yield (
                    np.repeat(runs.row[here], length),
                    columns,
                    np.repeat(runs.of_row[here], length),
                )

    def _runs(self) -> Iterator[_Runs]:
        """Runs of columns within the boxes, ascending, some rows at a time."""
        if not len(self._boxes):
            return
        south, west, north, east = self._boxes.T
        low, high = (meridian_m(edge) / self.stride_m for edge in (south, north))
        limit = math.floor(float(meridian_m(90.0)) / self.stride_m)
        # A hair more on both sides: `contains` decides, and rounding must not lose an edge.
        first = np.clip(np.ceil(low - _HAIR), -limit, limit).astype(np.int64)
        end = np.clip(np.floor(high + _HAIR), -limit, limit).astype(np.int64) + 1
        # Between two of these rows no box begins or ends, and the spans stay the same.
        for start, stop in itertools.pairwise(np.unique(np.concatenate([first, end])).tolist()):
            here = (first <= start) & (start < end)
            if here.any():
                left, right = np.array(_merged(west[here], east[here])).T
                for row in range(start, stop, _ROWS_AT_ONCE):
                    yield self._run(np.arange(row, min(stop, row + _ROWS_AT_ONCE)), left, right)

    def _run(self, rows: IntArray, left: FloatArray, right: FloatArray) -> _Runs:
        """The columns of rows between longitudes; long runs in several."""
        counts = self.columns_of(rows)[:, None]
        start = np.ceil((left + 180.0) / 360.0 * counts - 0.5 - _HAIR)
        stop = np.floor((right + 180.0) / 360.0 * counts - 0.5 + _HAIR) + 1
        start, stop = np.maximum(start, 0).astype(np.int64), np.minimum(stop, counts)
        pieces = max(1, math.ceil(float((stop - start).max()) / _POINTS_AT_ONCE))
        begin = start[..., None] + np.arange(pieces) * _POINTS_AT_ONCE
        until = np.minimum(begin + _POINTS_AT_ONCE, stop[..., None].astype(np.int64))
        some = begin < until
        shape = some.shape
        return _Runs(
            np.broadcast_to(rows[:, None, None], shape)[some],
            np.broadcast_to(counts[..., None], shape)[some],
            begin[some],
            until[some],
        )


def _merged(west: FloatArray, east: FloatArray) -> list[tuple[float, float]]:
    """Overlapping spans of longitudes made one, ascending."""
    spans: list[tuple[float, float]] = []
    order = np.argsort(west, kind="stable")
    for left, right in zip(west[order].tolist(), east[order].tolist(), strict=True):
        if spans and left <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], right))
        else:
            spans.append((left, right))
    return spans


def _common_boxes(regions: tuple[Region, ...]) -> FloatArray:
    """Boxes (n, 4) of south, west, north, east that hold what all regions have in common."""
    common = np.array([[-90.0, -180.0, 90.0, 180.0]])
    for region in regions:
        boxes = _boxes(region)
        low = np.maximum(common[:, None, :2], boxes[None, :, :2]).reshape(-1, 2)
        high = np.minimum(common[:, None, 2:], boxes[None, :, 2:]).reshape(-1, 2)
        common = np.concatenate([low, high], axis=1)[(low <= high).all(axis=1)]
    return common


def _boxes(region: Region) -> FloatArray:
    """Boxes around the parts of a region, none over the antimeridian."""
    if isinstance(region, MultiPolygon):
        bounds = np.array([part.bounds for part in region.outline.geoms])
        return bounds[:, [1, 0, 3, 2]]
    box = region.bounds
    if box.crosses_antimeridian:
        halves = [[box.south, box.west, box.north, 180.0], [box.south, -180.0, box.north, box.east]]
        return np.array(halves)
    return np.array([[box.south, box.west, box.north, box.east]])
