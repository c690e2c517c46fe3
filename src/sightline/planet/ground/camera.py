"""How directions become pixels: perspective with any lens and attitude, and the whole circle.

The renderer casts its rays column by column, so that everything in one column lies in one vertical
plane. A level camera without distortion is such a raster itself. A camera that is tilted, rolled or
distorted looks up its pixels in a level raster that covers what it sees (``Projection.warp``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError

Floats = NDArray[np.float32]
Doubles = NDArray[np.floating]

_WIDEST_LEVEL_TANGENT = 2.6
_OVERSAMPLING = 1.15
_MOST_PIXELS = 1 << 25


@dataclass(frozen=True)
class Camera:
    """A camera: how it looks, not where it stands.

    Attributes:
        size: (width, height) in pixels.
        fov_degrees: Horizontal angle of view; ignored for panoramas, which see 360°.
        heading_degrees: Where the centre looks, clockwise from north.
        height_m: Of the lens above the ground.
        tilt_degrees: Upward tilt of the view, -90 to 90.
        roll_degrees: Clockwise roll of the camera about its view.
        distortion: First radial coefficient on the half-diagonal; negative is a barrel.
        panorama: Equirectangular, 360° wide, the horizon at half height; square pixels.
    """

    size: tuple[int, int] = (224, 224)
    fov_degrees: float = 90.0
    heading_degrees: float = 0.0
    height_m: float = 2.2
    tilt_degrees: float = 0.0
    roll_degrees: float = 0.0
    distortion: float = 0.0
    panorama: bool = False

    def __post_init__(self) -> None:
        width, height = self.size
        if not (width >= 1 and height >= 1 and width * height <= _MOST_PIXELS):
            raise UsageError(
                f"size must be (width, height) of 1 to {_MOST_PIXELS} pixels. Got {self.size!r}.",
                hint="(224, 224) and (512, 128) are usual.",
            )
        if not (self.panorama or 0 < self.fov_degrees < 175):
            raise UsageError(
                f"fov_degrees must be more than 0 and less than 175. Got {self.fov_degrees!r}.",
                hint="Ask for a panorama to see more.",
            )
        if self.panorama and 2 * height > width:
            raise UsageError(
                f"size of a panorama must be at least twice as wide as high. Got {self.size!r}.",
                hint="512 × 256 is the whole sphere, 512 × 128 half of it.",
            )
        for name, limit in (("tilt_degrees", 90.0), ("roll_degrees", 180.0), ("distortion", 0.3)):
            if not abs(getattr(self, name)) <= limit:
                raise UsageError(
                    f"{name} must be from -{limit:g} to {limit:g}. Got {getattr(self, name)!r}.",
                    hint="0 is level and without distortion.",
                )
        if not 0.2 <= self.height_m <= 120 or not math.isfinite(self.heading_degrees):
            raise UsageError(
                "height_m must be from 0.2 to 120 and heading_degrees finite. Got "
                f"{self.height_m!r} and {self.heading_degrees!r}.",
                hint="A car's camera stands about 2 m above the road.",
            )

    def projection(self) -> Projection:
        """Return the raster of rays, from a cache that is keyed on all but heading and height."""
        return _projection(
            self.size,
            0.0 if self.panorama else float(self.fov_degrees),
            float(self.tilt_degrees),
            float(self.roll_degrees),
            float(self.distortion),
        )


@dataclass(frozen=True)
class Projection:
    """A raster of rays whose columns are vertical planes.

    Attributes:
        width: Columns of the raster.
        height: Rows of the raster.
        focal: Pixels per radian at the centre.
        centre_row: Row coordinate of the horizon (pixel centres lie at whole numbers + 0.5).
        azimuths: float64 (width,), radians clockwise from the heading.
        cosines: float32 (width,), what a perspective row is divided by; ones for angles.
        tangents: float32 (height, width), tangent of the elevation of each pixel's ray.
        columns: int32 (height · width,), the column of each pixel.
        angular: Rows are equally spaced in angle, not in tangent.
        circle: The raster closes at 360°.
        warp: intp (h · w,), the raster's pixel that each pixel of the picture shows, or None.
        size: (width, height) of the picture.
    """

    width: int
    height: int
    focal: float
    centre_row: float
    azimuths: NDArray[np.float64]
    cosines: Floats
    tangents: Floats
    columns: NDArray[np.int32]
    angular: bool
    circle: bool
    warp: NDArray[np.intp] | None
    size: tuple[int, int]

    def rows_of(self, tangents: Floats, columns: NDArray[np.integer]) -> Floats:
        """Return the row coordinate at which each column sees each tangent."""
        if self.angular:
            rows = np.arctan(tangents)
            rows *= np.float32(-self.focal)
        else:
            rows = tangents / self.cosines.take(columns)
            rows *= np.float32(-self.focal)
        rows += np.float32(self.centre_row)
        return np.asarray(rows, dtype=np.float32)

    def first_rows(self, tangents: Floats, columns: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return the first row whose centre lies below each tangent, 0 to ``height``."""
        rows = self.rows_of(tangents, columns)
        rows -= np.float32(0.5)
        np.ceil(rows, out=rows)
        np.maximum(rows, 0, out=rows)
        np.minimum(rows, self.height, out=rows)
        return rows.astype(np.int32)

    def columns_of(self, azimuths: Floats) -> Floats:
        """Return the column coordinate of azimuths in radians from the heading, within ±π.

        Azimuths behind a perspective camera come out far outside the raster, on their side.
        """
        if self.angular:
            return np.asarray(
                (azimuths - np.float32(self.azimuths[0])) * np.float32(self.focal) + 0.5,
                dtype=np.float32,
            )
        tangents = np.tan(np.clip(azimuths, -1.5607, 1.5607))
        return np.asarray(tangents * np.float32(self.focal) + self._centre_column, np.float32)

    @cached_property
    def shown(self) -> NDArray[np.bool_] | None:
        """Bool (height · width,), which pixels the picture shows; None where it is all of them."""
        if self.warp is None:
            return None
        shown = np.zeros(self.width * self.height, np.bool_)
        shown[self.warp] = True
        return shown

    def picture(self) -> NDArray[np.intp]:
        """Return intp (h, w), the raster's pixel that each pixel of the picture shows."""
        width, height = self.size
        if self.warp is None:
            return np.arange(width * height).reshape(height, width)
        return self.warp.reshape(height, width)

    @property
    def last_mirrored_row(self) -> int:
        """The last row that level water mirrors: a little below the horizon, for its ripples."""
        return min(max(int(self.centre_row) + 2, 0), self.height - 1)

    @property
    def _centre_column(self) -> np.float32:
        return np.float32(0.5 - self.focal * math.tan(self.azimuths[0]))


@lru_cache(maxsize=24)
def _projection(
    size: tuple[int, int], fov_degrees: float, tilt: float, roll: float, distortion: float
) -> Projection:
    if tilt or roll or distortion:
        return _warped(size, fov_degrees, tilt, roll, distortion)
    width, height = size
    if fov_degrees:
        focal = width / 2 / math.tan(math.radians(fov_degrees) / 2)
        return _perspective(focal, width, height, width / 2, height / 2, size, None)
    step = 2 * math.pi / width
    return _angles(-math.pi + step / 2, width, step, height / 2, height, size, None)


def _perspective(
    focal: float,
    width: int,
    height: int,
    centre_column: float,
    centre_row: float,
    size: tuple[int, int],
    warp: NDArray[np.intp] | None,
) -> Projection:
    across: NDArray[np.float64] = ((np.arange(width) + 0.5 - centre_column) / focal).astype(float)
    up = (centre_row - (np.arange(height) + 0.5)) / focal
    cosines = (1 / np.sqrt(1 + across * across)).astype(np.float32)
    tangents = up.astype(np.float32)[:, None] * cosines
    return Projection(
        width, height, focal, centre_row, np.arctan(across), cosines, tangents,
        _column_numbers(width, height), False, False, warp, size,
    )  # fmt: skip


def _angles(
    first: float,
    width: int,
    step: float,
    centre_row: float,
    height: int,
    size: tuple[int, int],
    warp: NDArray[np.intp] | None,
) -> Projection:
    azimuths = (first + np.arange(width) * step).astype(np.float64)
    elevations = np.clip((centre_row - (np.arange(height) + 0.5)) * step, -1.5699, 1.5699)
    tangents = np.repeat(np.tan(elevations).astype(np.float32)[:, None], width, axis=1)
    circle = abs(width * step - 2 * math.pi) < 1e-6
    return Projection(
        width, height, 1 / step, centre_row, azimuths, np.ones(width, np.float32), tangents,
        _column_numbers(width, height), True, circle, warp, size,
    )  # fmt: skip


@lru_cache(maxsize=24)
def _column_numbers(width: int, height: int) -> NDArray[np.int32]:
    return np.tile(np.arange(width, dtype=np.int32), height)


def _warped(
    size: tuple[int, int], fov_degrees: float, tilt: float, roll: float, distortion: float
) -> Projection:
    """The level raster that holds what a tilted, rolled or distorted camera sees."""
    right, ahead, up = _directions(size, fov_degrees, tilt, roll, distortion)
    width = size[0]
    focal = width / 2 / math.tan(math.radians(fov_degrees) / 2) if fov_degrees else 0.0
    if fov_degrees and float(ahead.min()) > 0:
        across, rise = right / ahead, up / ahead
        reach = max(float(np.abs(across).max()), float(np.abs(rise).max()))
        if reach < _WIDEST_LEVEL_TANGENT:
            return _warped_level(size, focal * _OVERSAMPLING, across, rise)
    azimuths = np.arctan2(right, ahead)
    elevations = np.arctan2(up, np.hypot(right, ahead))
    if not fov_degrees:
        return _warped_circle(size, width, azimuths, elevations)
    return _warped_circle(size, round(2 * math.pi * focal * _OVERSAMPLING), azimuths, elevations)


def _directions(
    size: tuple[int, int], fov_degrees: float, tilt: float, roll: float, distortion: float
) -> tuple[Doubles, Doubles, Doubles]:
    """Rays in the level frame of the heading: to the right, ahead, up.

    What does not change along rows or columns has one of them: (h, w), (h, 1) or (1, w) each.
    """
    width, height = size
    x = (np.arange(width, dtype=np.float64) + 0.5 - width / 2)[None, :]
    y = (height / 2 - (np.arange(height, dtype=np.float64) + 0.5))[:, None]
    right: Doubles
    ahead: Doubles
    up: Doubles
    if fov_degrees:
        focal = width / 2 / math.tan(math.radians(fov_degrees) / 2)
        # Brown's radial model, applied from the picture to the ideal plane.
        right, up = x / focal, y / focal
        if distortion:
            scale = 1 + distortion * (x * x + y * y) * (4 / (width * width + height * height))
            right, up = right * scale, up * scale
        ahead = np.ones((1, 1))
    else:
        step = 2 * math.pi / width
        flat = np.cos(y * step)
        right, ahead = np.sin(x * step) * flat, np.cos(x * step) * flat
        up = np.sin(y * step)
    if roll:
        roll_cos, roll_sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        right, up = right * roll_cos + up * roll_sin, up * roll_cos - right * roll_sin
    tilt_cos, tilt_sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    ahead, up = ahead * tilt_cos - up * tilt_sin, ahead * tilt_sin + up * tilt_cos
    return right, ahead, up


def _warped_level(
    size: tuple[int, int],
    focal: float,
    across: Doubles,
    rise: Doubles,
) -> Projection:
    left = math.floor(float(across.min()) * focal)
    top = math.floor(float(-rise.max()) * focal)
    # Neither is negative, so that whole numbers are their floors.
    columns = (across * focal - left).astype(np.intp)
    rows = (-rise * focal - top).astype(np.intp)
    width, height = int(columns.max()) + 1, int(rows.max()) + 1
    warp = np.broadcast_to(rows * width + columns, (size[1], size[0])).ravel()
    return _perspective(focal, width, height, float(-left), float(-top), size, warp)


def _warped_circle(
    size: tuple[int, int],
    around: int,
    azimuths: Doubles,
    elevations: Doubles,
) -> Projection:
    """A raster of angles, cut to what is seen unless that is most of the circle."""
    around = max(around, 4)  # a picture of one pixel sees so wide that none would be left
    step = 2 * math.pi / around
    first, width = -math.pi, around
    if float(np.abs(azimuths).max()) < 0.55 * math.pi:
        first = math.floor(float(azimuths.min()) / step) * step
        width = math.ceil((float(azimuths.max()) - first) / step) + 1
    azimuths, elevations = np.broadcast_arrays(azimuths, elevations)
    top = math.floor(float(-elevations.max()) / step)
    rows = np.floor(-elevations / step - top).astype(np.intp)
    column = np.floor((azimuths - first) / step).astype(np.intp) % width
    height = int(rows.max()) + 1
    warp = (rows * width + column).ravel()
    return _angles(first + step / 2, width, step, float(-top), height, size, warp)
