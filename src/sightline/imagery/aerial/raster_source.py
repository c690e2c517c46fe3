"""Patches from anything that is a grid of pixels somewhere on the Earth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import AerialOutsideError
from sightline.geo.coordinates import FloatArray
from sightline.geo.region import BoundingBox, Region
from sightline.imagery.aerial.canvas import read_canvas
from sightline.imagery.aerial.raster import Raster
from sightline.imagery.aerial.sampling import PatchMap, averaged, bilinear
from sightline.imagery.aerial.source import AerialPixels
from sightline.imagery.aerial.tangent_plane import TangentPlane, checked_patch

# At least so much finer than the patch its source is read: at 1, interpolation would blur it.
_LEAST_FINER = 1.3


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a source apart from its pixels; see ``AerialSource``."""

    name: str
    location: str
    options: Mapping[str, object] = field(default_factory=dict)
    attribution: str | None = None
    licence: str | None = None
    revision: tuple[int, int] = (0, 0)


class Described:
    """A source that says of itself what it was told.

    Args:
        about: That.
    """

    def __init__(self, about: About) -> None:
        self._about = about

    @property
    def name(self) -> str:
        """A short name."""
        return self._about.name

    @property
    def location(self) -> str:
        """What opens it again."""
        return self._about.location

    @property
    def options(self) -> Mapping[str, object]:
        """How to open it so that the pixels are the same."""
        return self._about.options

    @property
    def attribution(self) -> str | None:
        """Whom to name."""
        return self._about.attribution

    @property
    def licence(self) -> str | None:
        """Under which licence it may be used."""
        return self._about.licence


class RasterSource(Described):
    """An :class:`~sightline.imagery.aerial.AerialSource` over one raster.

    Args:
        raster: The pixels.
        about: The rest.
    """

    def __init__(self, raster: Raster, about: About) -> None:
        super().__init__(about)
        self.raster = raster

    @property
    def revision(self) -> tuple[int, int]:
        """Bytes and time of the last change."""
        return self._about.revision

    @property
    def footprint(self) -> Region:
        """Where there is imagery."""
        return self.raster.outline

    @property
    def bounds(self) -> BoundingBox:
        """A box around it."""
        return self.raster.outline.bounds

    @cached_property
    def native_metres_per_pixel(self) -> float:
        """Side of a square pixel with the area of the middle one."""
        steps = _pixels_per_metre(self.raster, TangentPlane(self.raster.middle))
        return 1.0 / math.sqrt(abs(float(np.linalg.det(steps))))

    def patch(self, latlng: ArrayLike, patch_m: float, size_px: int) -> AerialPixels:
        """Return the square around a place; see ``AerialSource``."""
        patch_m, size_px = checked_patch(patch_m, size_px)
        metres_per_pixel = patch_m / size_px
        plane = TangentPlane(latlng)
        self._refuse_pole(plane, patch_m)
        half = patch_m / 2.0

        def pixel_map(points: FloatArray) -> FloatArray:
            pixels = self.raster.to_pixels(plane.to_latlng(points * (half, -half)))
            return self._unrolled(pixels, centre[0])

        centre = self._first_turn(self.raster.to_pixels(np.array([plane.latlng])))[0]
        where = PatchMap(pixel_map, size_px)
        shown = where.nodes[np.isfinite(where.nodes).all(axis=1)]
        if not len(shown) or not np.isfinite(centre).all() or not self._meets(shown):
            return nothing(size_px, metres_per_pixel)
        per_metre = np.hypot(*_pixels_per_metre(self.raster, plane).T)
        ratio = np.nan_to_num(per_metre * metres_per_pixel, nan=1.0, posinf=1.0)
        step = np.maximum(1, np.floor(ratio / _LEAST_FINER)).astype(int)
        canvas = read_canvas(self.raster, shown, step, self.name, self.location)
        if canvas is None:
            return nothing(size_px, metres_per_pixel)
        fine_px = max(size_px, round(size_px * float((ratio / step).max())))
        fine = bilinear(canvas.pixels, *where.at(fine_px, canvas.corner, step))
        return averaged(fine, size_px, metres_per_pixel)

    def close(self) -> None:
        """Let go of open files."""
        self.raster.close()

    def _refuse_pole(self, plane: TangentPlane, patch_m: float) -> None:
        lat = plane.latlng[0]
        from_pole_m = (90.0 - abs(lat)) * 111_000.0
        if self.raster.full_turn_px is not None and from_pole_m <= patch_m * math.sqrt(0.5):
            raise AerialOutsideError(
                f"A patch of {patch_m:g} m around latitude {lat:g} holds a pole, which "
                f"{self.name!r} draws as a line.",
                hint="Use imagery in a polar projection there.",
                path=self.location,
            )

    def _first_turn(self, pixels: FloatArray) -> FloatArray:
        """Move columns by whole turns until they are as near to the raster's middle as can be."""
        return self._unrolled(pixels, self.raster.size[0] / 2.0)

    def _unrolled(self, pixels: FloatArray, column: float) -> FloatArray:
        turn = self.raster.full_turn_px
        if turn is None:
            return pixels
        near = pixels.copy()
        near[:, 0] += turn * np.round((column - near[:, 0]) / turn)
        return near

    def _meets(self, shown: FloatArray) -> bool:
        """Whether a patch may show any of the raster, on any turn."""
        width, height = self.raster.size
        low, high = shown.min(axis=0), shown.max(axis=0)
        return bool(high[1] >= 0 and low[1] <= height) and bool(
            self.raster.full_turn_px is not None or (high[0] >= 0 and low[0] <= width)
        )


def nothing(size_px: int, metres_per_pixel: float) -> AerialPixels:
    """Return a patch without imagery."""
    shape = (size_px, size_px)
    return AerialPixels(
        np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_), metres_per_pixel
    )


def _pixels_per_metre(raster: Raster, plane: TangentPlane) -> FloatArray:
    """How column and row (rows of the result) change per metre east and north, (2, 2)."""
    # Ten metres: far more than rounding, and far less than what any projection bends over.
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    pixels = raster.to_pixels(plane.to_latlng(points))
    turn = raster.full_turn_px
    if turn is not None:
        pixels[:, 0] += turn * np.round((pixels[0, 0] - pixels[:, 0]) / turn)
    return np.asarray((pixels[1:] - pixels[0]).T / 10.0)
