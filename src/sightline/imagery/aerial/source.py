"""What every source of aerial imagery offers, whatever file or server stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.geo.region import BoundingBox, Region
from sightline.imagery.aerial.revision import Revision


@dataclass(frozen=True, slots=True, eq=False)
class AerialPixels:
    """A patch: a north-up square of the ground.

    Attributes:
        pixels: uint8 RGB (s, s, 3); black where not valid.
        valid: bool (s, s), where the imagery shows the ground.
        metres_per_pixel: Side of a pixel on the ground.
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    metres_per_pixel: float

    @property
    def share_valid(self) -> float:
        """Share of the pixels that are valid, 0 to 1."""
        return float(self.valid.mean())


@runtime_checkable
class AerialSource(Protocol):
    """Aerial imagery that can be asked for a patch of any place; safe to use from many threads."""

    @property
    def name(self) -> str:
        """A short name, such as that of the file."""
        ...

    @property
    def location(self) -> str:
        """What :func:`~sightline.imagery.aerial.open_aerial` opens again."""
        ...

    @property
    def options(self) -> Mapping[str, object]:
        """How to open it so that the pixels are the same: bands, value range, zoom, …."""
        ...

    @property
    def bounds(self) -> BoundingBox:
        """A box that holds the footprint; it may cross the antimeridian."""
        ...

    @property
    def footprint(self) -> Region:
        """Where there is imagery, up to what a file masks out within its frame."""
        ...

    @property
    def native_metres_per_pixel(self) -> float:
        """Side of the finest pixels on the ground, in the middle of the imagery."""
        ...

    @property
    def attribution(self) -> str | None:
        """Whom to name beside the imagery."""
        ...

    @property
    def licence(self) -> str | None:
        """Under which licence it may be used."""
        ...

    @property
    def revision(self) -> Revision:
        """Bytes, and the time of the last change or a hash of many: both unchanged, as it was."""
        ...

    def patch(self, latlng: ArrayLike, patch_m: float, size_px: int) -> AerialPixels:
        """Return the square around a place.

        Args:
            latlng: Its middle, degrees.
            patch_m: Its side on the ground, true metres, at most 200 km.
            size_px: Its side in pixels.

        Returns:
            The patch; nothing is valid in it where there is no imagery.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: ``patch_m`` or ``size_px`` is.
            AerialError: The imagery is damaged there, or cannot be reached.
        """
        ...

    def close(self) -> None:
        """Let go of open files; a later patch opens them again."""
        ...
