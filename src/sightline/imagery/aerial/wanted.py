"""How a source of aerial imagery shall be opened, checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sightline.errors import UsageError
from sightline.geo.region import BoundingBox
from sightline.imagery.aerial.bands import ValueRange
from sightline.imagery.aerial.raster_source import About
from sightline.imagery.aerial.tile_files import is_template

OF_RASTERS, OF_TILES = ("bands", "value_range", "crs"), ("zoom", "bounds")
"""Options that say nothing of the other kind."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of :func:`~sightline.imagery.aerial.open_aerial`; they are described there."""

    bands: tuple[int, ...] | None
    value_range: ValueRange | None
    crs: str | None
    zoom: int | None
    bounds: BoundingBox | None
    attribution: str | None
    licence: str | None
    allow_network: bool
    cache: Path | None
    name: str | None

    def refuse(self, options: Sequence[str], what: str) -> None:
        """Raise a UsageError if one of them was given, which say nothing of such a source."""
        for option in options:
            if getattr(self, option) is not None:
                kind = "rasters" if option in OF_RASTERS else "tiles"
                raise UsageError(
                    f"The option {option!r} is for {kind}, and {what!r} is read without it.",
                    hint="Leave it out.",
                )


def checked_bounds(bounds: Sequence[float] | BoundingBox | None) -> BoundingBox | None:
    """Return a box; raises UsageError unless it is one or four numbers, RegionError if none."""
    if bounds is None or isinstance(bounds, BoundingBox):
        return bounds
    try:
        south, west, north, east = map(float, bounds)
    except (TypeError, ValueError) as cause:
        raise UsageError(
            f"bounds must be south, west, north and east. Got {bounds!r}.",
            hint="Give degrees, such as (55.69, 13.17, 55.71, 13.21).",
        ) from cause
    return BoundingBox(south, west, north, east)


def about(
    location: str, wanted: Wanted, options: Mapping[str, object], revision: tuple[int, int] = (0, 0)
) -> About:
    """Return what is known of a source apart from its pixels.

    Args:
        location: What opens it again.
        wanted: How it was opened.
        options: What makes its pixels the same when it is opened again; None is left out.
        revision: See ``AerialSource``.
    """
    said = {key: value for key, value in options.items() if value is not None}
    return About(
        name=wanted.name or _short(location),
        location=location,
        options=said,
        attribution=wanted.attribution,
        licence=wanted.licence,
        revision=revision,
    )


def _short(location: str) -> str:
    address = urlsplit(location)
    if address.scheme in ("http", "https") and is_template(location):
        return address.netloc
    parts = [p for p in Path(address.path or location).parts if "{" not in p and p != os.sep]
    return Path(parts[-1]).stem if parts else "aerial"
