"""What falls between the camera and the scene, and what a wet road mirrors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.camera import Projection
from sightline.planet.looks import noise
from sightline.planet.looks.moment import Moment, Weather

Floats = NDArray[np.float32]

_SIDE = 512
_DROPS, _FLAKES = 900, 1300


def mirror(planes: Floats, projection: Projection, pixels: NDArray[np.intp], share: Floats) -> None:
    """Blend what stands above the horizon into wet pixels below it.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        projection: The raster.
        pixels: (n,) flat pixels that mirror.
        share: float32 (n,), how much of a mirror each is.
    """
    if not len(pixels):
        return
    width = projection.width
    column = projection.columns.take(pixels)
    row = (pixels - column) // width
    above = np.floor(2 * projection.centre_row - row - 0.5).astype(np.intp)
    # Ripples smear the picture, mostly up and down.
    ripple = noise.fine().take((pixels * 7) & (_SIDE * _SIDE - 1))
    above += (ripple * (np.abs(row - projection.centre_row) * 0.12 + 1)).astype(np.intp)
    np.clip(above, 0, projection.last_mirrored_row, out=above)
    source = above * width + column
    for channel in range(3):
        plane = planes[channel]
        value = plane.take(pixels)
        value += (plane.take(source) - value) * share
        plane[pixels] = value


def fall(planes: Floats, moment: Moment, key: int) -> None:
    """Add rain or snow in the air to planes float32 (3, h, w)."""
    falling = moment.weather is Weather.SNOWFALL
    if not falling and moment.rain < 0.05:
        return
    height, width = planes.shape[1:]
    tile = _flakes() if falling else _streaks()
    drift = int(noise.hashed(np.array([key & 0xFFFFFFFF]), key >> 32, 8800)[0])
    rows = (np.arange(height) + drift % _SIDE) % _SIDE
    columns = (np.arange(width) + (drift >> 10) % _SIDE) % _SIDE
    veil = tile[np.ix_(rows, columns)]
    strength = np.float32((0.75 if falling else 0.16 * moment.rain) * (1 - 0.6 * moment.night))
    for plane in planes:
        plane += (np.float32(0.9) - plane) * (veil * strength)


@lru_cache(maxsize=1)
def _streaks() -> Floats:
    """A tile of slanted streaks, 0 to 1."""
    tile = np.zeros((_SIDE, _SIDE), np.float32)
    draws = [noise.fraction(np.arange(_DROPS), n, 8801) for n in range(4)]
    for x, y, size, light in zip(*draws, strict=True):
        length = int(8 + 26 * size)
        steps = np.arange(length)
        rows = (int(y * _SIDE) + steps) % _SIDE
        columns = (int(x * _SIDE) + steps // 7) % _SIDE
        tile[rows, columns] = np.maximum(tile[rows, columns], np.float32(0.35 + 0.65 * light))
    return tile


@lru_cache(maxsize=1)
def _flakes() -> Floats:
    """A tile of flakes, 0 to 1, small ones more often."""
    tile = np.zeros((_SIDE, _SIDE), np.float32)
    draws = [noise.fraction(np.arange(_FLAKES), n, 8802) for n in range(4)]
    for x, y, size, light in zip(*draws, strict=True):
        radius = 0.7 + 2.2 * float(size) ** 3
        reach = int(radius + 1)
        steps = np.arange(-reach, reach + 1)
        disc = np.clip(radius + 0.5 - np.hypot(steps[:, None], steps), 0, 1) * (0.4 + 0.6 * light)
        rows, columns = (int(y * _SIDE) + steps) % _SIDE, (int(x * _SIDE) + steps) % _SIDE
        spot = np.ix_(rows, columns)
        tile[spot] = np.maximum(tile[spot], disc.astype(np.float32))
    return tile
