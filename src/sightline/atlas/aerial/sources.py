"""One door to everything that an aerial atlas can be built from: imagery, and the planet."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import UsageError
from sightline.geo.region import BoundingBox, Region
from sightline.imagery.aerial import AerialPixels, AerialSource, TangentPlane
from sightline.imagery.aerial import open_aerial as open_imagery
from sightline.imagery.aerial.tangent_plane import checked_patch

if TYPE_CHECKING:
    from sightline.planet import Planet

_PLANET = re.compile(r"planet:(.*)", re.DOTALL)
_YEAR = 2022


def open_aerial(source: str | os.PathLike[str], **options: Any) -> AerialSource:
    """Open imagery as :func:`sightline.imagery.aerial.open_aerial` does, or ``planet:SEED``.

    Args:
        source: A file, folder, tiles or address; or a synthetic planet by its seed.
        options: Handed on; of a planet only ``attribution``, ``licence`` and ``name``.

    Raises:
        AerialError: The imagery cannot be used.
        UsageError: An option that cannot be used, or a seed that is no whole number.
        DependencyError: rasterio or pmtiles is not installed.
    """
    named = _PLANET.fullmatch(os.fspath(source))
    if named is None:
        return open_imagery(source, **options)
    given = {key: value for key, value in options.items() if value not in (None, False)}
    wrong = sorted(given.keys() - {"attribution", "licence", "name"})
    if wrong:
        raise UsageError(
            f"A planet has no {', '.join(wrong)}.", hint="Leave that out; planet:7 says it all."
        )
    try:
        seed = int(named[1])
    except ValueError as cause:
        raise UsageError(
            f"The seed of a planet must be a whole number. Got {named[1]!r}.",
            hint="Give for example planet:7.",
        ) from cause
    return PlanetSource(seed, **given)


class PlanetSource:
    """A synthetic planet as aerial imagery: one survey in summer, exact to its place.

    Any resolution is native to it; half a metre is what it calls so.

    Args:
        seed: Which planet.
        attribution: Whom to name.
        licence: Pictures of the planet are in the public domain.
        name: A short name.
    """

    def __init__(
        self,
        seed: int,
        *,
        attribution: str | None = None,
        licence: str = "CC0-1.0",
        name: str | None = None,
    ) -> None:
        from sightline.planet import Planet

        self._planet = threading.local()
        self._seed = Planet(seed).seed
        self.name = name or f"planet{seed}"
        self.location = f"planet:{seed}"
        self.options: Mapping[str, object] = {}
        self.attribution = attribution
        self.licence: str | None = licence
        self.native_metres_per_pixel = 0.5

    @property
    def bounds(self) -> BoundingBox:
        """The whole planet."""
        return BoundingBox(-90.0, -180.0, 90.0, 180.0)

    @property
    def footprint(self) -> Region:
        """The whole planet."""
        return self.bounds

    @property
    def revision(self) -> tuple[int, int]:
        """The versions of what stands there and of how it is drawn."""
        from sightline.planet import RENDER_VERSION, WORLD_VERSION

        return WORLD_VERSION, RENDER_VERSION

    def patch(self, latlng: ArrayLike, patch_m: float, size_px: int) -> AerialPixels:
        """Return the square around a place; see ``AerialSource``.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: The patch is larger than 3,904 m, or its pixels smaller than 2 cm.
        """
        patch_m, size_px = checked_patch(patch_m, size_px)
        place = TangentPlane(latlng).latlng
        side = patch_m / size_px
        pixels = self._own_planet().aerial(
            place, side, (size_px, size_px), "summer", year=_YEAR, misregistration_m=0.0
        )
        return AerialPixels(pixels, np.ones((size_px, size_px), np.bool_), side)

    def close(self) -> None:
        """Do nothing: a planet is no file."""

    def _own_planet(self) -> Planet:
        """Return the thread's planet: what one keeps in memory is not for several threads."""
        from sightline.planet import Planet

        planet: Planet | None = getattr(self._planet, "planet", None)
        if planet is None:
            # Neighbouring patches share most of their surroundings.
            planet = self._planet.planet = Planet(self._seed, core_cells=2)
        return planet


def is_whole_earth(region: Region) -> bool:
    """Whether a footprint says nothing: patches of all of it would never end."""
    box = region.bounds
    return math.isclose(box.east - box.west, 360.0) and box.north - box.south > 160.0
