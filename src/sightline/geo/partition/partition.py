"""A partition: cells, a representative point each, and which of them holds a place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import PartitionError, UsageError
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.geo.partition.cells import OUTSIDE, CellKind, Cells, Rows
from sightline.geo.partition.chunks import Places, run_in_chunks
from sightline.geo.partition.nearest import nearest

if TYPE_CHECKING:
    from sightline.geo.region import Region

Outside = Literal["report", "nearest"]


@dataclass(frozen=True, eq=False)
class Partition:
    """The classes of a classifier of places. A **row** is the number of a cell, from 0.

    Args:
        cells: m disjoint cells.
        representatives: (m, 2) degrees, what a classifier answers for each cell: the spherical
            mean of its members, or what a published list says.
        members: int64 (m,), how many places made each cell; None where nobody knows.
        settings: How it was made, plain values; not part of the fingerprint.

    Raises:
        PartitionError: Fewer than two cells, or arrays that do not fit them.
        CoordinateError: A representative is out of range.
    """

    cells: Cells
    representatives: FloatArray
    members: NDArray[np.int64] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = as_coordinates(self.representatives, name="representatives")
        if len(self.cells) < 2:
            raise PartitionError(
                f"A partition must have at least 2 cells. Got {len(self.cells)}.",
                hint="One cell tells nothing apart: ask for more cells, or give more places.",
            )
        fitting = {"representatives": len(points)}
        if self.members is not None:
            fitting["members"] = len(self.members)
        for name, count in fitting.items():
            if count != len(self.cells):
                raise PartitionError(
                    f"There must be one row of {name} for each of the {len(self.cells):,} cells. "
                    f"Got {count:,}.",
                    hint="Give them in the order of the cells.",
                )
        if self.members is not None:
            given = np.asarray(self.members)
            if given.dtype.kind not in "iu" or (given < 0).any():
                least = f" with {given.min()}" if given.dtype.kind in "iuf" else ""
                raise PartitionError(
                    f"members must be whole numbers of at least 0. Got {given.dtype}{least}.",
                    hint="Leave them out where they are not known.",
                )
            object.__setattr__(self, "members", given.astype(np.int64))
        object.__setattr__(self, "representatives", points)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def kind(self) -> CellKind:
        """``s2``, ``boxes`` or ``centres``."""
        return self.cells.kind

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, hexadecimal, of the cells, their order and their representatives."""
        digest = hashlib.sha256(f"sightline.partition/1 {self.kind} {len(self)}\n".encode())
        digest.update(self.cells.definition())
        digest.update(self.representatives.astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def areas_km2(self) -> FloatArray | None:
        """Areas on the sphere (m,); None where the cells have no edges of their own."""
        return self.cells.areas_km2()

    @cached_property
    def names(self) -> list[str]:
        """A short name for each cell: the token of an S2 cell, the number of another."""
        return self.cells.names()

    def assign(self, coordinates: ArrayLike, *, outside: Outside = "report") -> Rows:
        """Return the row of the cell that holds each place.

        Args:
            coordinates: (n, 2) degrees.
            outside: What becomes of a place in no cell: ``report`` gives -1, ``nearest`` the cell
                whose representative is nearest.

        Returns:
            int64 (n,).

        Raises:
            CoordinateError: A place is out of range.
            UsageError: ``outside`` is neither.
        """
        if outside not in ("report", "nearest"):
            raise UsageError(
                f"outside must be 'report' or 'nearest'. Got {outside!r}.",
                hint="Take report to see which places no cell holds.",
            )
        places = Places(coordinates)
        rows = np.empty(len(places), np.int64)

        def fill(some: slice) -> None:
            here = places.part(some)
            found = self.cells.locate(here)
            if outside == "nearest":
                missing = np.flatnonzero(found == OUTSIDE)
                found[missing] = nearest(here[missing], self.representatives)
            rows[some] = found

        run_in_chunks(fill, len(places))
        return rows

    def region(self, rows: int | ArrayLike) -> Region:
        """Return one cell, or the union of some, as a region.

        Args:
            rows: One row or several.

        Raises:
            PartitionError: There is no such cell.
        """
        return self.cells.region(self.checked_rows(rows))

    def checked_rows(self, rows: int | ArrayLike) -> Rows:
        """Return rows as int64 (k,), or raise a PartitionError that names one that is none."""
        given = np.atleast_1d(np.asarray(rows))
        whole = given.dtype.kind in "iu" and given.ndim == 1 and given.size > 0
        bad = (given < 0) | (given >= len(self)) if whole else np.ones(1, np.bool_)
        if bad.any():
            shown = given[bad][0] if whole else rows
            raise PartitionError(
                f"A cell must be a row from 0 to {len(self) - 1:,}. Got {shown!r}.",
                hint="It may be a row of another partition.",
            )
        return given.astype(np.int64)

    def row_of(self, cell: int | str) -> int:
        """Return the row of a cell by its S2 id or token, or by its number for other kinds.

        Raises:
            CellError: That is no S2 cell.
            PartitionError: This partition has no such cell.
        """
        return self.cells.row_of(cell)

    def require_classes(self, classes: int, fingerprint: str | None = None) -> None:
        """Refuse a classifier that was made for other cells.

        Args:
            classes: How many it tells apart.
            fingerprint: Of the partition that it was trained on, where it says so.

        Raises:
            PartitionError: The numbers or the fingerprints differ.
        """
        if classes != len(self):
            raise PartitionError(
                f"The classifier has {classes:,} classes and the partition {len(self):,} cells.",
                hint="Use the partition that the classifier was trained on.",
            )
        if fingerprint is not None and fingerprint != self.fingerprint:
            raise PartitionError(
                f"The classifier was trained on the partition {fingerprint[:12]}, and this is "
                f"{self.fingerprint[:12]}: the same number of cells, but other ones.",
                hint="Use the partition that the classifier was trained on.",
            )
