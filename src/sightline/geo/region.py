"""Regions: what a place can lie in, and how a user names one."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Protocol, runtime_checkable

from numpy.typing import ArrayLike

from sightline.errors import RegionError
from sightline.geo.box import BoundingBox
from sightline.geo.cell_region import CellRegion
from sightline.geo.circle import Circle
from sightline.geo.countries import is_code, unknown_code
from sightline.geo.covering import BoolArray
from sightline.geo.cube import IdArray
from sightline.geo.polygon import Country, MultiPolygon, Polygon

__all__ = [
    "BoundingBox",
    "CellRegion",
    "Circle",
    "Country",
    "MultiPolygon",
    "Polygon",
    "Region",
    "parse_region",
]

_HINT = (
    "Give a GeoJSON file, an ISO 3166 country code such as CH or CHE, "
    "or a box south,west,north,east in degrees."
)


@runtime_checkable
class Region(Protocol):
    """An area on the Earth. Edges belong to it."""

    @property
    def area_km2(self) -> float:
        """The area in km²."""
        ...

    @property
    def bounds(self) -> BoundingBox:
        """A box that holds the region."""
        ...

    def contains(self, coords: ArrayLike) -> BoolArray:
        """Say which places ``(n, 2)``, latitude first, lie in the region: ``(n,)``."""
        ...

    def cover(self, max_cells: int = 64) -> IdArray:
        """Return ranges of S2 leaves that hold the region, and may hold more.

        Args:
            max_cells: The largest number of ranges.

        Returns:
            ``(k, 2)`` inclusive leaf ids, ascending and disjoint.
        """
        ...

    def describe(self) -> str:
        """Return one phrase for people."""
        ...


def parse_region(text: str) -> Region:
    """Return the region that a user named.

    Args:
        text: A box ``south,west,north,east``, an ISO 3166-1 alpha-2 or alpha-3 code, or the path
            of a GeoJSON file. A file named like a code is reached as ``./CH``.

    Raises:
        RegionError: Says what was wrong: no such file or code, a box out of range, nothing
            enclosed.
    """
    wanted = text.strip()
    if not wanted:
        raise RegionError("The region is empty text.", hint=_HINT)
    parts = wanted.split(",")
    if len(parts) > 1 and all(_number(part) is not None for part in parts):
        return _box(parts, wanted)
    if is_code(wanted):
        return Country(wanted)
    if _is_file(wanted):
        return MultiPolygon.from_file(wanted)
    if len(parts) == 4 and any(_number(part) is not None for part in parts):
        bad = next(part for part in parts if _number(part) is None)
        raise RegionError(f"The box {wanted!r} holds {bad!r}, which is no number.", hint=_HINT)
    # What looks like a path is a missing file, what looks like a word a code that is not known.
    if re.fullmatch(r"[^\W\d_][\w .'’-]*", wanted) and not Path(wanted).suffix:
        raise unknown_code(wanted)
    return MultiPolygon.from_file(wanted)


def _box(parts: list[str], wanted: str) -> BoundingBox:
    numbers = [float(part) for part in parts]
    if len(numbers) != 4:
        message = f"A box has four numbers. Got {len(numbers)} in {wanted!r}."
        raise RegionError(message, hint=_HINT)
    return BoundingBox(*numbers)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # too long for a name, or with a zero byte
