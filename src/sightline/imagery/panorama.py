"""360° photos cut into views a perspective camera would have taken, and the whole sphere regained.

Equirectangular pictures: column centres run from longitude -180° to 180° relative to the picture's
centre column, row centres from latitude 90° down to -90°. A view is the gnomonic projection of the
sphere about a point of the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.imagery.metadata import SphereCrop

VIEW_HEADINGS = (0.0, 90.0, 180.0, 270.0)
"""Where the views of a panorama look, in degrees clockwise from its centre column."""

_MOST_CACHED_PIXELS = 1 << 20


def perspective_views(
    pixels: NDArray[np.uint8],
    *,
    fov_degrees: float = 90.0,
    headings: Sequence[float] = VIEW_HEADINGS,
    size: int | tuple[int, int] | None = None,
) -> list[NDArray[np.uint8]]:
    """Cut a 360° picture into perspective views, all looking at the horizon.

    Interpolates bilinearly, wraps at the seam and crosses the poles.

    Args:
        pixels: uint8 (h, w, 3), equirectangular, the whole sphere.
        fov_degrees: Horizontal angle of view, more than 0 and less than 180.
        headings: Direction of each view in degrees clockwise from the picture's centre column.
        size: (height, width) of each view, or the side of a square one. By default a square that
            takes as many columns as the picture has for this angle.

    Returns:
        One uint8 (height, width, 3) per heading.

    Raises:
        UsageError: ``pixels`` has another shape or type, or the angle or size is impossible.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise UsageError(
            f"pixels must be uint8 of shape (h, w, 3). Got {pixels.dtype} of {pixels.shape}.",
            hint="Pass Photo.pixels.",
        )
    if not 0 < fov_degrees < 180:
        raise UsageError(
            f"fov_degrees must be more than 0 and less than 180. Got {fov_degrees!r}.",
            hint="90 cuts the horizon into four views.",
        )
    rows, columns = pixels.shape[:2]
    if size is None:
        size = max(1, round(columns * fov_degrees / 360))
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise UsageError(
            f"size must be positive. Got {size!r}.", hint="Leave it out to take the default."
        )
    make = _grid if height * width <= _MOST_CACHED_PIXELS else _grid.__wrapped__
    longitudes, row_positions = make(rows, height, width, float(fov_degrees))
    return [_sample(pixels, longitudes + heading, row_positions) for heading in headings]


@lru_cache(maxsize=8)
def _grid(
    rows: int, height: int, width: int, fov_degrees: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return where a view's pixels lie: longitudes (width,) in degrees, rows (height, width).

    The view's plane stands at distance f = (width / 2) / tan(fov / 2), in view pixels, before the
    eye; a point (x right, y down) on it has longitude atan(x / f) and latitude
    -atan(y / hypot(x, f)). Longitude does not depend on y, so one row of it is enough; a view's
    heading is added to it.
    """
    focal = width / 2 / math.tan(math.radians(fov_degrees) / 2)
    x = np.arange(width) + 0.5 - width / 2
    y = np.arange(height)[:, None] + 0.5 - height / 2
    latitudes = -np.arctan2(y, np.hypot(x, focal))
    positions = (rows * (0.5 - latitudes / np.pi) - 0.5).astype(np.float32)
    longitudes = np.degrees(np.arctan2(x, focal))
    longitudes.setflags(write=False)
    positions.setflags(write=False)
    return longitudes, positions


def _sample(
    pixels: NDArray[np.uint8], longitudes: NDArray[np.float64], positions: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Interpolate ``pixels`` at longitudes (width,) and row positions (height, width)."""
    rows, columns = pixels.shape[:2]
    u = columns * (longitudes / 360 + 0.5) - 0.5
    left = np.floor(u)
    across = (u - left).astype(np.float32)[:, None]
    left = left.astype(np.intp)
    upper = np.floor(positions)
    down = (positions - upper)[..., None]
    first, last = int(upper.min()), int(upper.max()) + 1
    # Beyond a pole the sphere goes on, on the opposite meridian.
    needed = np.arange(first, last + 1)[:, None]
    turned = columns // 2 * ((needed < 0) | (needed >= rows))
    needed = np.where(needed < 0, -1 - needed, np.minimum(needed, 2 * rows - 1 - needed))
    # A column of the view lies on one meridian, so the picture is first interpolated across.
    west = pixels[needed, (left + turned) % columns].astype(np.float32)
    east = pixels[needed, (left + 1 + turned) % columns]
    strip = (west + (east - west) * across).reshape(-1, 3)
    index = (upper.astype(np.intp) - first) * left.size + np.arange(left.size)
    above = strip.take(index, axis=0)
    blended = above + (strip.take(index + left.size, axis=0) - above) * down
    view: NDArray[np.uint8] = (blended + np.float32(0.5)).astype(np.uint8)
    return view


def whole_sphere(pixels: NDArray[np.uint8], crop: SphereCrop) -> NDArray[np.uint8]:
    """Give a panorama with a cut sky or ground its full height back, at its own resolution.

    The missing rows repeat the nearest row there is.

    Args:
        pixels: uint8 (h, w, 3), all the way round.
        crop: Which part of the sphere it covers.

    Returns:
        uint8 (h * full_height / height, w, 3).
    """
    per_row = pixels.shape[0] / crop.height
    above = round(crop.top * per_row)
    below = max(0, round(crop.full_height * per_row) - above - pixels.shape[0])
    return np.pad(pixels, ((above, below), (0, 0), (0, 0)), mode="edge")
