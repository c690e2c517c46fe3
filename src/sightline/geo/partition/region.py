"""Cells of a partition as a region that an atlas can be searched in."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sightline.geo import planar
from sightline.geo.box import BoundingBox
from sightline.geo.coordinates import FloatArray, as_coordinates, unit_vectors
from sightline.geo.covering import BoolArray, caps, cover, rectangles
from sightline.geo.cube import IdArray
from sightline.geo.partition.boxes import Boxes
from sightline.geo.partition.cells import Rows
from sightline.geo.partition.centres import Centres

_WORLD = (-90.0, -180.0, 90.0, 180.0)
_CAPS_AT_ONCE = 64
# The square of a chord from a product is right to 1e-15, the chord near zero to the root of that.
_ROUNDING = 1e-7


class PartitionRegion:
    """The places that a partition puts into one of some cells: an edge is in one cell only.

    Args:
        cells: Boxes, or the surroundings of centres.
        rows: int64 (k,), valid, k > 0.
    """

    def __init__(self, cells: Boxes | Centres, rows: Rows) -> None:
        self.cells = cells
        self.rows = np.unique(rows)

    @cached_property
    def area_km2(self) -> float:
        """The area in km² on the sphere; NaN where the cells have no edges of their own."""
        areas = self.cells.areas_km2()
        return float("nan") if areas is None else float(areas[self.rows].sum())

    @cached_property
    def bounds(self) -> BoundingBox:
        """A box that holds the region: the world where the cells have no edges of their own."""
        if isinstance(self.cells, Centres):
            return BoundingBox(*_WORLD)
        south, west, north, east = self.cells.edges[self.rows].T
        ends = planar.longitudes(planar.outline_of_spans(south, west, north, east))
        return BoundingBox(float(south.min()), ends[0], float(north.max()), ends[1])

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)`` the partition puts into one of the cells."""
        return np.isin(self.cells.locate(as_coordinates(coords)), self.rows)

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ``(k, 2)`` inclusive ranges of S2 leaves, at most ``max_cells``, a superset."""
        if isinstance(self.cells, Centres):
            return cover(_Surroundings(self.cells.points, self.rows).classify, max_cells)
        return cover(self._classify, max_cells)

    def describe(self) -> str:
        """Return one phrase for people."""
        if len(self.rows) == 1:
            return f"cell {self.rows[0]} of the partition"
        return f"{len(self.rows)} cells of the partition"

    def _classify(self, ids: IdArray) -> tuple[BoolArray, BoolArray]:
        """Say which S2 cells may touch the region, and which lie inside one of its boxes."""
        assert isinstance(self.cells, Boxes)  # noqa: S101 - centres classify by themselves
        south, west, north, east = self.cells.edges[self.rows].T
        low, left, high, right = (side[:, None] for side in rectangles(ids).T)
        level = (low <= north) & (high >= south)
        touched = np.zeros(level.shape, np.bool_)
        inside = (low >= south) & (high < north)
        beside = np.zeros(level.shape, np.bool_)
        for turn in (-360.0, 0.0, 360.0):
            touched |= level & (left + turn <= east) & (right + turn >= west)
            beside |= (left + turn >= west) & (right + turn < east)
        return np.asarray(touched.any(axis=1)), np.asarray((inside & beside).any(axis=1))


class _Surroundings:
    """Which S2 cells may touch the surroundings of some centres, from the faces downwards.

    No place of a cell's cap is farther from any centre than the middle of the cap by more than its
    reach: what wins or loses there by twice that, does so everywhere in it. Rivals that are
    nearest to nothing in any cell that may touch are not asked again, as only those cells are
    divided further.

    Args:
        points: All centres, (m, 2) degrees.
        rows: Those whose surroundings are meant.
    """

    def __init__(self, points: FloatArray, rows: Rows) -> None:
        vectors = unit_vectors(points)
        own = np.zeros(len(points), np.bool_)
        own[rows] = True
        self._own, self._rivals = vectors[own], vectors[~own]

    def classify(self, ids: IdArray) -> tuple[BoolArray, BoolArray]:
        """Say which S2 cells may touch, and which lie inside: (n,) each."""
        centres, radii = caps(ids)
        slack = 4.0 * np.sin(np.minimum(radii, np.pi) / 2.0) + _ROUNDING
        gap = np.empty(len(ids))
        asked = np.zeros(len(self._rivals), np.bool_)
        for start in range(0, len(ids), _CAPS_AT_ONCE):
            some = slice(start, start + _CAPS_AT_ONCE)
            own = _chords(centres[some], self._own).min(axis=1)
            rivals = _chords(centres[some], self._rivals)
            best = rivals.min(axis=1, initial=np.inf)
            gap[some] = own - best
            near = rivals <= (best + slack[some])[:, None]
            asked |= near[gap[some] <= slack[some]].any(axis=0)
        self._rivals = self._rivals[asked]
        return gap <= slack, gap < -slack


def _chords(vectors: FloatArray, targets: FloatArray) -> FloatArray:
    """Return distances (n, m) straight through the Earth, on a radius of 1, to ``_ROUNDING``."""
    return np.sqrt(np.maximum(2.0 - 2.0 * (vectors @ targets.T), 0.0))
