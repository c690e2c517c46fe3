"""What every kind of cells can do, whatever their shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import FloatArray

if TYPE_CHECKING:
    from sightline.geo.region import Region

CellKind = Literal["s2", "boxes", "centres"]
Rows = NDArray[np.int64]

OUTSIDE = -1
"""The row of a place that lies in no cell."""


class Cells(Protocol):
    """m disjoint cells, in the order of a classifier's classes."""

    kind: ClassVar[CellKind]

    def __len__(self) -> int:
        """Return m."""
        ...

    def locate(self, places: FloatArray) -> Rows:
        """Return the row of the cell that holds each place, -1 for none.

        Args:
            places: (n, 2) degrees, valid.
        """
        ...

    def middles(self) -> FloatArray:
        """Return a place inside each cell, (m, 2) degrees."""
        ...

    def areas_km2(self) -> FloatArray | None:
        """Return the areas on the sphere (m,); None where the cells have no edges of their own."""
        ...

    def names(self) -> list[str]:
        """Return a short name for each."""
        ...

    def definition(self) -> bytes:
        """Return what makes these cells these cells, for a fingerprint."""
        ...

    def region(self, rows: Rows) -> Region:
        """Return the union of some cells.

        Args:
            rows: int64 (k,), valid, k > 0.
        """
        ...

    def row_of(self, cell: int | str) -> int:
        """Return the row of a cell by its id or name.

        Raises:
            PartitionError: There is none.
        """
        ...
