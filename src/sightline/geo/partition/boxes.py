"""Disjoint boxes of latitude and longitude."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import PartitionError
from sightline.geo.coordinates import EARTH_RADIUS_M, FloatArray
from sightline.geo.partition.cells import OUTSIDE, CellKind, Rows
from sightline.geo.partition.centres import row_number

if TYPE_CHECKING:
    from sightline.geo.region import Region

_HINT = "Give south, west, north, east in degrees; cut boxes at the antimeridian."


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes between two parallels and two meridians, none over another or over the antimeridian.

    South and west edges belong to a box, north and east ones to the box beyond, and to this one
    where there is none.

    Args:
        edges: (m, 4) degrees: south, west, north, east, in the order of the classes.

    Raises:
        PartitionError: Not such an array, an edge out of range, a box without extent, or two that
            overlap; names the rows.
    """

    kind: ClassVar[CellKind] = "boxes"

    edges: FloatArray
    _lats: FloatArray = field(init=False)
    _lons: FloatArray = field(init=False)
    _keys: Rows = field(init=False)
    _east: FloatArray = field(init=False)
    _rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        edges = _checked(self.edges)
        south, west, north, east = edges.T
        lats = np.unique(np.concatenate([south, north]))
        lons = np.unique(np.concatenate([west, east]))
        # Between two neighbouring parallels of the list no box begins or ends. Every such band
        # has the boxes that cross it from west to east.
        first, last = np.searchsorted(lats, south), np.searchsorted(lats, north)
        box = np.repeat(np.arange(len(edges)), last - first)
        offset = np.arange(len(box)) - np.repeat(
            np.cumsum(last - first) - (last - first), last - first
        )
        band = first[box] + offset
        keys = band * len(lons) + np.searchsorted(lons, west)[box]
        order = np.argsort(keys, kind="stable")
        keys, box, band = keys[order], box[order], band[order]
        overlapping = (band[1:] == band[:-1]) & (west[box[1:]] < east[box[:-1]])
        if overlapping.any():
            at = int(np.argmax(overlapping))
            rows = sorted(box[at : at + 2].tolist())
            raise PartitionError(
                f"The boxes of a partition must be disjoint. Rows {rows[0]} and {rows[1]} overlap: "
                f"{tuple(edges[rows[0]].tolist())} and {tuple(edges[rows[1]].tolist())}.",
                hint="Keep one of the two, or cut them.",
            )
        for name, value in (
            ("edges", edges),
            ("_lats", lats),
            ("_lons", lons),
            ("_keys", keys),
            ("_east", east[box]),
            ("_rows", box.astype(np.int64)),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.edges)

    def locate(self, places: FloatArray) -> Rows:
        """Return the row of the box that holds each place, -1 for none."""
        lat, lon = places[:, 0], places[:, 1]
        found = self._inside(lat, lon)
        # An edge with nothing beyond it belongs to the box it closes.
        missed = np.flatnonzero(found == OUTSIDE)
        on_lat, on_lon = _among(lat[missed], self._lats), _among(lon[missed], self._lons)
        for down, left in ((True, False), (False, True), (True, True)):
            on_edge = (on_lat | (not down)) & (on_lon | (not left))
            some = missed[(found[missed] == OUTSIDE) & on_edge]
            if len(some):
                below = np.nextafter(lat[some], -np.inf) if down else lat[some]
                beside = np.nextafter(lon[some], -np.inf) if left else lon[some]
                found[some] = self._inside(below, beside)
        # The 180th meridian is written -180, and closes a box that ends at 180.
        seam = np.flatnonzero((found == OUTSIDE) & (lon == -180.0))
        if len(seam) and self._lons[-1] == 180.0:
            found[seam] = self.locate(np.column_stack([lat[seam], np.full(len(seam), _NEAR_180)]))
        return found

    def _inside(self, lat: FloatArray, lon: FloatArray) -> Rows:
        band = np.searchsorted(self._lats, lat, side="right") - 1
        column = np.searchsorted(self._lons, lon, side="right") - 1
        keys = band * len(self._lons) + column
        at = np.searchsorted(self._keys, keys, side="right") - 1
        # West of a band's first box one finds the last box of the band below.
        same = (at >= 0) & (column >= 0) & (self._keys[at] // len(self._lons) == band)
        return np.where(same & (lon < self._east[at]), self._rows[at], OUTSIDE)

    def middles(self) -> FloatArray:
        """Return the middles in degrees, (m, 2)."""
        south, west, north, east = self.edges.T
        return np.column_stack([(south + north) / 2.0, (west + east) / 2.0])

    def areas_km2(self) -> FloatArray:
        """Return the areas on the sphere, (m,)."""
        return box_areas_km2(self.edges)

    def names(self) -> list[str]:
        """Return the row numbers."""
        return [str(row) for row in range(len(self))]

    def definition(self) -> bytes:
        """Return the edges, little-endian."""
        return self.edges.astype("<f8").tobytes()

    def region(self, rows: Rows) -> Region:
        """Return the union of some boxes, edges as :meth:`locate` gives them."""
        from sightline.geo.partition.region import PartitionRegion

        return PartitionRegion(self, rows)

    def row_of(self, cell: int | str) -> int:
        """Return the row of a box by its number.

        Raises:
            PartitionError: There is none.
        """
        return row_number(cell, len(self))


_NEAR_180 = float(np.nextafter(180.0, 0.0))


def box_areas_km2(edges: FloatArray) -> FloatArray:
    """Return areas in km² on the sphere of boxes (m, 4)."""
    south, west, north, east = np.deg2rad(edges.T)
    # sin b - sin a by a product, so that flat boxes do not drown in rounding.
    height = 2.0 * np.cos((north + south) / 2.0) * np.sin((north - south) / 2.0)
    return np.asarray((EARTH_RADIUS_M / 1000.0) ** 2 * height * (east - west))


def _among(values: FloatArray, ascending: FloatArray) -> NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)


def _checked(value: ArrayLike) -> FloatArray:
    edges = np.array(value, dtype=np.float64)
    if edges.ndim != 2 or edges.shape[1] != 4:
        raise PartitionError(f"Boxes must have shape (m, 4). Got {edges.shape}.", hint=_HINT)
    south, west, north, east = edges.T
    # NaN compares false.
    good = (south >= -90.0) & (north <= 90.0) & (west >= -180.0) & (east <= 180.0)
    good &= (south < north) & (west < east)
    if not good.all():
        row = int(np.argmin(good))
        raise PartitionError(
            f"Row {row} is no box: {tuple(edges[row].tolist())}.",
            hint=_HINT,
        )
    return edges
