"""A set of S2 cells as a region."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import RegionError
from sightline.geo import planar
from sightline.geo.box import BoundingBox
from sightline.geo.cells import area_km2, cell_ids, range_max, range_min, tokens
from sightline.geo.covering import (
    BoolArray,
    check_max_cells,
    in_ranges,
    limit_ranges,
    ranges_of,
    rectangles,
)
from sightline.geo.cube import IdArray


class CellRegion:
    """The places whose leaf lies in one of the cells.

    Args:
        ids: ``(n,)`` cells of any levels; cells within others count once.

    Raises:
        CellError: If an id is not that of a cell.
        RegionError: If there is no cell.
    """

    def __init__(self, ids: ArrayLike) -> None:
        low, high = range_min(ids), range_max(ids)
        if low.size == 0:
            raise RegionError("A region of no cells is empty.", hint="Give at least one cell id.")
        cells = np.asarray(ids, dtype=np.uint64).reshape(-1)
        # The larger of two cells that begin together comes first; what it reaches over goes.
        order = np.lexsort((~high, low))
        low, high, cells = low[order], high[order], cells[order]
        reach = np.concatenate([[0], np.maximum.accumulate(high)[:-1]]).astype(np.uint64)
        self.ids: IdArray = cells[high > reach]
        self._ranges = ranges_of(self.ids)

    @cached_property
    def area_km2(self) -> float:
        """The sum of the cells' areas on the sphere, in km²."""
        return float(area_km2(self.ids).sum())

    @cached_property
    def bounds(self) -> BoundingBox:
        """A box that holds the cells, up to a millimetre the smallest."""
        box = rectangles(self.ids)
        outline = planar.outline_of_spans(*box.T)
        west, east = planar.longitudes(outline)
        return BoundingBox(float(box[:, 0].min()), west, float(box[:, 2].max()), east)

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)`` have their leaf in one of the cells."""
        return in_ranges(cell_ids(coords), self._ranges)

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ``(k, 2)`` inclusive ranges of S2 leaves, at most ``max_cells``, a superset.

        The ranges are exact if so few hold the cells.
        """
        check_max_cells(max_cells)
        return limit_ranges(self._ranges, max_cells)

    def describe(self) -> str:
        """Return one phrase for people."""
        if len(self.ids) == 1:
            return f"cell {tokens(self.ids)[0]}"
        return f"{len(self.ids)} cells"
