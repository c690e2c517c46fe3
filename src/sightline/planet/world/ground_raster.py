"""The ground of a neighbourhood: a raster of smooth fields that is read bilinearly.

Sharp things (kerbs, lane marks, banks) come from thresholds on the smooth fields, so a raster of
two metres gives crisp edges at any distance. The raster's grid is anchored to the planet's lattice
(32 steps to a cell), not to the window: two windows read the same numbers at the same place. Its
axes are therefore the lattice's, not east and north; :meth:`GroundRaster.locate` converts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

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

    def locate(
        self, east: FloatArray, north: FloatArray
    ) -> tuple[NDArray[np.int32], FloatArray, FloatArray]:
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
        column = _affine(self.to_column, east, north, columns)
        row = _affine(self.to_row, east, north, rows)
        whole_column, whole_row = column.astype(np.int32), row.astype(np.int32)
        column -= whole_column
        row -= whole_row
        whole_row *= np.int32(columns)
        whole_row += whole_column
        return whole_row, column, row

    def sample(self, east: FloatArray, north: FloatArray) -> FloatArray:
        """Return all fields at places, float32 ``(len(FIELDS), n)``, from ``(n,)`` metres."""
        index, share_a, share_b = self.locate(east, north)
        return np.ascontiguousarray(_bilinear(self.flat, index, share_a, share_b, self.columns).T)

    def elevation(self, east: FloatArray, north: FloatArray) -> FloatArray:
        """Return metres above sea level at places, from arrays of metres of any one shape."""
        return self.sample_one(ELEVATION, east, north)

    def sample_one(self, name: int, east: FloatArray, north: FloatArray) -> FloatArray:
        """Return one field, by its number, at places of any one shape."""
        index, share_a, share_b = self.locate(east, north)
        table = self.columns_of[name]
        step = self.columns
        low: FloatArray = table.take(index)
        low += (table.take(index + 1) - low) * share_a
        index += step
        high = table.take(index)
        high += (table.take(index + 1) - high) * share_a
        high -= low
        high *= share_b
        low += high
        return low

    @property
    def columns(self) -> int:
        """How many columns the grid has."""
        return int(self.fields.shape[1])

    @cached_property
    def columns_of(self) -> FloatArray:
        """The fields as ``(len(FIELDS), rows * columns)``: each field contiguous."""
        planes = self.fields.transpose(2, 0, 1)
        return np.ascontiguousarray(planes).reshape(len(planes), -1)


def _affine(
    factors: tuple[float, float, float], east: FloatArray, north: FloatArray, count: int
) -> FloatArray:
    place = east * np.float32(factors[0])
    place += north * np.float32(factors[1])
    place += np.float32(factors[2])
    np.maximum(place, np.float32(0.0), out=place)
    np.minimum(place, np.float32(count - 1.001), out=place)
    return place


def _bilinear(
    table: FloatArray, index: NDArray[np.int32], a: FloatArray, b: FloatArray, step: int
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
