"""Cells without edges of their own: whatever is nearer to a centre than to any other."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sightline.errors import PartitionError
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.geo.partition.cells import CellKind, Rows
from sightline.geo.partition.nearest import nearest

if TYPE_CHECKING:
    from sightline.geo.region import Region


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """The Voronoi cells of centres on the sphere, as of a published list without outlines.

    Args:
        points: (m, 2) degrees, in the order of the classes.

    Raises:
        CoordinateError: A centre is out of range.
        PartitionError: A centre stands twice: one of the two would never be chosen.
    """

    kind: ClassVar[CellKind] = "centres"

    points: FloatArray

    def __post_init__(self) -> None:
        points = as_coordinates(self.points, name="centres")
        order = np.lexsort(points.T)
        twice = (np.diff(points[order], axis=0) == 0).all(axis=1)
        if twice.any():
            rows = sorted(order[int(np.argmax(twice)) :][:2].tolist())
            raise PartitionError(
                f"The centres of a partition must differ. Rows {rows[0]} and {rows[1]} are both "
                f"{tuple(points[rows[0]].tolist())}.",
                hint="Keep one of the two.",
            )
        object.__setattr__(self, "points", points)

    def __len__(self) -> int:
        return len(self.points)

    def locate(self, places: FloatArray) -> Rows:
        """Return the row of the nearest centre; no place is outside."""
        return nearest(places, self.points)

    def middles(self) -> FloatArray:
        """Return the centres, (m, 2) degrees."""
        return self.points

    def areas_km2(self) -> None:
        """Return None: the cells have no edges of their own."""
        return

    def names(self) -> list[str]:
        """Return the row numbers."""
        return [str(row) for row in range(len(self))]

    def definition(self) -> bytes:
        """Return the centres, little-endian."""
        return self.points.astype("<f8").tobytes()

    def region(self, rows: Rows) -> Region:
        """Return the places that are nearest to one of some centres."""
        from sightline.geo.partition.region import PartitionRegion

        return PartitionRegion(self, rows)

    def row_of(self, cell: int | str) -> int:
        """Return the row of a cell by its number.

        Raises:
            PartitionError: There is none.
        """
        return row_number(cell, len(self))


def row_number(cell: int | str, count: int) -> int:
    """Return a row that is named by its number, or raise a PartitionError."""
    try:
        row = int(cell) if isinstance(cell, str) else operator.index(cell)
    except (TypeError, ValueError):
        row = -1
    if not 0 <= row < count:
        raise PartitionError(
            f"{cell!r} is none of the {count:,} cells of this partition.",
            hint=f"Its cells are numbered from 0 to {count - 1:,}.",
        )
    return row
