"""The ground of a neighbourhood: a raster of smooth fields that is read bilinearly.

Sharp things (kerbs, lane marks, banks) come from thresholds on the smooth fields, so a raster of
two metres gives crisp edges at any distance. The raster's grid is anchored to the planet's lattice
(32 steps to a cell), not to the window: two windows read the same numbers at the same place. Its
axes are therefore the lattice's, not east and north; :meth:`GroundRaster.locate` converts. Beyond a
cube edge lies another face's lattice: a window across one holds a grid for each of its faces
(:class:`FacetedRaster`), and every place is read from that of its own face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Metres = NDArray[np.floating[Any]]
"""Float32 of pixels, float64 of things; either is read from the grid with float32 accuracy."""

FIELDS = (
    "road_edge_m",
    "across_m",
    "along_m",
    "to_end_m",
    "half_width_m",
    "lattice_a",
    "lattice_b",
    "water",
    "elevation_m",
)
ROAD_EDGE, ACROSS, ALONG, TO_END, HALF_WIDTH, LATTICE_A, LATTICE_B, WATER, ELEVATION = range(9)

STEPS_PER_CELL = 32


@dataclass(frozen=True)
class GroundRaster:
    """Fields at the points of a grid, in local metres.

    Args:
        spacing_m: Nominal distance between two points of the grid; towards a cube edge the
            lattice shrinks to 0.7 of it in one direction.
        fields: float32 ``(rows, columns, len(FIELDS))``, the last axis in the order of
            :data:`FIELDS`. ``road_edge_m`` is the signed distance to the nearest road's edge
            (negative on the road), ``across_m`` and ``along_m`` the place in that road's own axes
            (from its middle line, from its first end), ``to_end_m`` the distance along the road to
            its nearer junction's centre, ``half_width_m`` its half width; ``lattice_a`` and
            ``lattice_b`` count cells from ``Cells.i0`` and ``Cells.j0`` (whole numbers are the
            streets' middle lines); ``water`` is about metres to the nearest bank, negative in
            water; ``elevation_m`` metres above sea level.
        to_column: ``column = to_column[0] * east + to_column[1] * north + to_column[2]``.
        to_row: The same for the row.
    """

    spacing_m: float
    fields: FloatArray = field(repr=False)
    to_column: tuple[float, float, float]
    to_row: tuple[float, float, float]

    @cached_property
    def flat(self) -> FloatArray:
        """The fields as ``(rows * columns, len(FIELDS))``: one row per point of the grid."""
        return np.ascontiguousarray(self.fields.reshape(-1, self.fields.shape[2]))

    def locate(self, east: Metres, north: Metres) -> tuple[NDArray[np.int32], Metres, Metres]:
        """Return where places lie in the grid.

        Args:
            east: Metres, any shape.
            north: Metres, the same shape.

        Returns:
            The flat index of the grid point below and left (the others are at ``+ 1``,
            ``+ columns`` and ``+ columns + 1``), and the shares of the way to the next column and
            row, in [0, 1]. Places outside are moved to the border.
        """
        rows, columns = self.fields.shape[:2]
        column = _affine(self.to_column, east, north)
        row = _affine(self.to_row, east, north)
        return _cells(column, row, columns, rows, columns)

    def facets(self, east: Metres, north: Metres) -> NDArray[np.int8]:  # noqa: ARG002
        """Return which of the window's faces each place lies on; numbers say no more than that."""
        return np.zeros(east.shape, np.int8)

    def sample(self, east: Metres, north: Metres) -> FloatArray:
        """Return all fields at places, float32 ``(len(FIELDS), n)``, from ``(n,)`` metres."""
        index, share_a, share_b = self.locate(east, north)
        return np.ascontiguousarray(_bilinear(self.flat, index, share_a, share_b, self.columns).T)

    def elevation(self, east: Metres, north: Metres) -> FloatArray:
        """Return metres above sea level at places, from arrays of metres of any one shape."""
        return self.sample_one(ELEVATION, east, north)

    def sample_one(self, name: int, east: Metres, north: Metres) -> FloatArray:
        """Return one field, by its number, at places of any one shape."""
        return self.sample_some((name,), east, north)[0]

    def sample_some(self, names: Sequence[int], east: Metres, north: Metres) -> list[FloatArray]:
        """Return several fields, by their numbers, at places of any one shape."""
        index, share_a, share_b = self.locate(east, north)
        corner = index.astype(np.intp)
        corners = (corner, corner + 1, corner + self.columns, corner + (self.columns + 1))
        found = []
        for name in names:
            table = self.columns_of[name]
            low, beside, high, last = (table.take(each) for each in corners)
            beside -= low
            beside *= share_a
            low += beside
            last -= high
            last *= share_a
            high += last
            high -= low
            high *= share_b
            low += high
            found.append(low)
        return found

    @property
    def columns(self) -> int:
        """How many columns the grid has."""
        return int(self.fields.shape[1])

    @cached_property
    def columns_of(self) -> FloatArray:
        """The fields as ``(len(FIELDS), rows * columns)``: each field contiguous."""
        planes = self.fields.transpose(2, 0, 1)
        return np.ascontiguousarray(planes).reshape(len(planes), -1)


@dataclass(frozen=True)
class Facet:
    """The part of a raster that lies on one face.

    Args:
        first_row: Of the raster's rows, the facet's first.
        rows: How many it has.
        columns: How many of the raster's columns it uses.
        to_column: As in :class:`GroundRaster`.
        to_row: The same, from the facet's own first row.
        ends: The face's own borders as first and last column, first and last row of the facet's
            grid, which mostly lie far outside it.
        face: Which.
    """

    first_row: int
    rows: int
    columns: int
    to_column: tuple[float, float, float]
    to_row: tuple[float, float, float]
    ends: tuple[float, float, float, float]
    face: int = field(repr=False)


@dataclass(frozen=True)
class FacetedRaster(GroundRaster):
    """The raster of a window that shows several faces: their grids below each other.

    Args:
        facets_of: One for each face; ``to_column`` and ``to_row`` are those of the first.
    """

    facets_of: tuple[Facet, ...]

    def locate(self, east: Metres, north: Metres) -> tuple[NDArray[np.int32], Metres, Metres]:
        """Return where places lie in the grid of their own face; as :meth:`GroundRaster.locate`."""
        places = [_placed(facet, east, north) for facet in self.facets_of]
        own = _deepest(places)
        found = None
        for number, (facet, (column, row, _)) in enumerate(
            zip(self.facets_of, places, strict=True)
        ):
            here = _cells(column, row, facet.columns, facet.rows, self.columns)
            here[0][...] += np.int32(facet.first_row * self.columns)
            if found is None:
                found = here
                continue
            for values, theirs in zip(found, here, strict=True):
                np.copyto(values, theirs, where=own == number)
        assert found is not None  # noqa: S101 - there are several facets
        return found

    def facets(self, east: Metres, north: Metres) -> NDArray[np.int8]:
        """Return which of the window's faces each place lies on; numbers say no more than that."""
        return _deepest([_placed(facet, east, north) for facet in self.facets_of])


def _placed(facet: Facet, east: Metres, north: Metres) -> tuple[Metres, Metres, Metres]:
    """Return the column, the row, and how many steps inside the face a place lies."""
    column, row = _affine(facet.to_column, east, north), _affine(facet.to_row, east, north)
    left, right, low, high = (np.float32(end) for end in facet.ends)
    across, along = np.minimum(column - left, right - column), np.minimum(row - low, high - row)
    return column, row, np.minimum(across, along)


def _deepest(places: list[tuple[Metres, Metres, Metres]]) -> NDArray[np.int8]:
    """Return the face in which each place lies deepest: outside its own the depth is negative."""
    own = np.zeros(places[0][2].shape, np.int8)
    deepest = places[0][2]
    for number, (_, _, depth) in enumerate(places[1:], start=1):
        own[depth > deepest] = number
        deepest = np.maximum(deepest, depth)
    return own


def _cells(
    column: Metres, row: Metres, columns: int, rows: int, stride: int
) -> tuple[NDArray[np.int32], Metres, Metres]:
    """Return the flat index below and left, and the shares; the coordinates are overwritten."""
    for place, count in ((column, columns), (row, rows)):
        np.maximum(place, np.float32(0.0), out=place)
        np.minimum(place, np.float32(count - 1.001), out=place)
    whole_column, whole_row = column.astype(np.int32), row.astype(np.int32)
    column -= whole_column
    row -= whole_row
    whole_row *= np.int32(stride)
    whole_row += whole_column
    return whole_row, column, row


def _affine(factors: tuple[float, float, float], east: Metres, north: Metres) -> Metres:
    place = east * np.float32(factors[0])
    place += north * np.float32(factors[1])
    place += np.float32(factors[2])
    return place


def _bilinear(
    table: FloatArray, index: NDArray[np.int32], a: Metres, b: Metres, step: int
) -> FloatArray:
    a, b = a[:, None], b[:, None]
    low = table.take(index, 0)
    low += (table.take(index + 1, 0) - low) * a
    high = table.take(index + step, 0)
    high += (table.take(index + (step + 1), 0) - high) * a
    high -= low
    high *= b
    low += high
    return low
