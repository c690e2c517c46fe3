"""Disjoint S2 cells of mixed levels."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sightline.errors import CellError, PartitionError
from sightline.geo import cells
from sightline.geo.coordinates import FloatArray
from sightline.geo.cube import IdArray
from sightline.geo.partition.cells import OUTSIDE, CellKind, Rows

if TYPE_CHECKING:
    from sightline.geo.region import Region


@dataclass(frozen=True, slots=True, eq=False)
class S2Cells:
    """S2 cells of any levels, none within another.

    Args:
        ids: uint64 (m,), in the order of the classes.

    Raises:
        CellError: An id is not that of a cell.
        PartitionError: A cell stands twice, or lies in another.
    """

    kind: ClassVar[CellKind] = "s2"

    ids: IdArray
    _low: IdArray = field(init=False)
    _high: IdArray = field(init=False)
    _rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        low, high = cells.range_min(self.ids), cells.range_max(self.ids)
        order = np.argsort(low, kind="stable")
        low, high = low[order], high[order]
        twice = low[1:] <= high[:-1]
        if twice.any():
            at = int(np.argmax(twice))
            one, other = cells.tokens(self.ids[order[at : at + 2]])
            raise PartitionError(
                f"The cells of a partition must be disjoint. Got {one} and {other}, one of which "
                "holds the other.",
                hint="Keep one of the two.",
            )
        object.__setattr__(self, "_low", low)
        object.__setattr__(self, "_high", high)
        object.__setattr__(self, "_rows", order.astype(np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def locate(self, places: FloatArray) -> Rows:
        """Return the row of the cell that holds each place, -1 for none."""
        return self.locate_leaves(cells.cell_ids(places))

    def locate_leaves(self, leaves: IdArray) -> Rows:
        """Return the row of the cell that holds each leaf, -1 for none."""
        at = np.searchsorted(self._low, leaves, side="right") - 1
        # A leaf before the first cell looks at the last one, which it does not reach either.
        inside = (leaves <= self._high[at]) & (at >= 0)
        return np.where(inside, self._rows[at], OUTSIDE)

    def middles(self) -> FloatArray:
        """Return the centres as S2 defines them, (m, 2) degrees."""
        return cells.centres(self.ids)

    def areas_km2(self) -> FloatArray:
        """Return the areas on the sphere, (m,)."""
        return cells.area_km2(self.ids)

    def names(self) -> list[str]:
        """Return the tokens."""
        return cells.tokens(self.ids)

    def definition(self) -> bytes:
        """Return the ids, little-endian."""
        return self.ids.astype("<u8").tobytes()

    def region(self, rows: Rows) -> Region:
        """Return the union of some cells."""
        from sightline.geo.cell_region import CellRegion

        return CellRegion(self.ids[rows])

    def row_of(self, cell: int | str) -> int:
        """Return the row of a cell by its id (signed or unsigned) or token.

        Raises:
            CellError: That is no S2 cell.
            PartitionError: It is one, of another partition.
        """
        wanted = cells.from_tokens([cell]) if isinstance(cell, str) else _as_id(cell)
        found = np.flatnonzero(self.ids == wanted[0])
        if not len(found):
            raise PartitionError(
                f"The cell {cells.tokens(wanted)[0]} is none of the {len(self):,} cells of this "
                "partition.",
                hint="It belongs to another partition, or was too empty to be kept.",
            )
        return int(found[0])


def _as_id(cell: int) -> IdArray:
    try:
        number = operator.index(cell)
    except TypeError:
        number = 0
    wanted = np.array([number % (1 << 64)], np.uint64)
    if not -(1 << 63) <= number < 1 << 64 or not cells.is_valid(wanted)[0]:
        raise CellError(f"{cell!r} is no S2 cell id.", hint="Give an id or a token of a cell.")
    return wanted
