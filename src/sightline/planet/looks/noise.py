"""Periodic tiles of smooth noise, made from an integer hash, and looked up at lattice points.

A tile is value noise: hashed values at the vertices of a coarse grid, blended by the smoothstep
weight, several periods added. It repeats after ``SIDE`` texels, so a look-up is one masked index
and one ``take``, and it is the same on every machine: hashes are integers, the blend adds and
multiplies.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 512
"""Texels along each side of a tile, a power of two."""

_MASK = SIDE - 1
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_FINE = ((1, 1.0), (2, 0.9), (4, 0.8))
_MEDIUM = ((8, 0.6), (16, 0.8), (32, 1.0), (64, 1.0))
_CLOUD = ((128, 1.0), (64, 0.6), (32, 0.4), (16, 0.22), (8, 0.12))


def hashed(i: NDArray[np.integer], j: NDArray[np.integer] | int, salt: int) -> NDArray[np.uint32]:
    """Return 32 well mixed bits for each pair of integers.

    The finalizer is C. Wellons' ``lowbias32`` over a linear combination of the two, wrapping.

    Args:
        i: Integers of any sign and shape.
        j: The same, or one integer for all.
        salt: Which of many independent hashes.

    Returns:
        uint32 of the broadcast shape.
    """
    # Arrays of 32 bits wrap, as they shall; single numbers would warn.
    bits: NDArray[np.uint32] = np.asarray(i).astype(np.uint32) * _FIRST
    if isinstance(j, int):
        bits = bits + np.uint32(j * 0x85EBCA77 + salt * 0xC2B2AE3D & 0xFFFFFFFF)
    else:
        bits = bits + np.asarray(j).astype(np.uint32) * _SECOND
        bits += np.uint32(salt * 0xC2B2AE3D & 0xFFFFFFFF)
    bits ^= bits >> np.uint32(16)
    bits *= np.uint32(0x7FEB352D)
    bits ^= bits >> np.uint32(15)
    bits *= np.uint32(0x846CA68B)
    bits ^= bits >> np.uint32(16)
    return bits


def fraction(
    i: NDArray[np.integer], j: NDArray[np.integer] | int, salt: int
) -> NDArray[np.float32]:
    """Return a hash of each pair of integers as float32 in [0, 1); see `hashed`."""
    bits = hashed(i, j, salt)
    bits >>= np.uint32(8)
    value: NDArray[np.float32] = bits.astype(np.float32)
    value *= np.float32(2.0**-24)
    return value


@cache
def fine() -> NDArray[np.float32]:
    """Return a flat tile of grain, periods of one to four texels, mean 0, within [-1, 1]."""
    return _tile(_FINE, salt=9001, scale=2.0)


@cache
def medium() -> NDArray[np.float32]:
    """Return a flat tile of blotches, periods of 8 to 64 texels, mean 0, within [-1.1, 1.1]."""
    return _tile(_MEDIUM, salt=9002, scale=2.2)


@cache
def cloud() -> NDArray[np.float32]:
    """Return a flat tile of clouds, periods of 8 to 128 texels, mean 0, within [-1, 1]."""
    return _tile(_CLOUD, salt=9003, scale=2.0)


def index(x: NDArray[np.float32], y: NDArray[np.float32], scale: float) -> NDArray[np.intp]:
    """Return flat tile indices of points; any tile can be looked up with them.

    Args:
        x: float32 (n,); one texel is ``1 / scale``.
        y: The same along the other axis.
        scale: Texels per unit.

    Returns:
        intp (n,), each in [0, SIDE * SIDE).
    """
    column = (x * np.float32(scale)).astype(np.int32)
    row = (y * np.float32(scale)).astype(np.int32)
    column &= _MASK
    row &= _MASK
    row *= SIDE
    row += column
    # Looking up with anything but the machine's own integers would convert at every use.
    return row.astype(np.intp)


def sample(
    tile: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    """Return the nearest texel of a flat tile at float32 (n,) points; see `index`."""
    return tile.take(index(x, y, scale))


def smooth(
    tile: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    """Return a flat tile at float32 (n,) points, blended bilinearly; wraps everywhere."""
    across = x * np.float32(scale)
    down = y * np.float32(scale)
    left, top = np.floor(across), np.floor(down)
    across -= left
    down -= top
    column = left.astype(np.intp) & _MASK
    row = (top.astype(np.intp) & _MASK) * SIDE
    right = (column + 1) & _MASK
    below = (row + SIDE) & (SIDE * SIDE - 1)
    upper: NDArray[np.float32] = tile.take(row + column)
    upper += across * (tile.take(row + right) - upper)
    lower = tile.take(below + column)
    lower += across * (tile.take(below + right) - lower)
    lower -= upper
    lower *= down
    upper += lower
    return upper


def _tile(
    octaves: tuple[tuple[int, float], ...], *, salt: int, scale: float
) -> NDArray[np.float32]:
    """Return the weighted mean of octaves of (period, weight), centred, times ``scale``."""
    total = np.zeros((SIDE, SIDE), dtype=np.float32)
    weights = 0.0
    for period, weight in octaves:
        total += np.float32(weight) * _octave(period, salt + period)
        weights += weight
    total *= np.float32(1 / weights)
    total -= np.float32(0.5)
    total *= np.float32(scale)
    flat = total.ravel()
    flat.setflags(write=False)
    return flat


def _octave(period: int, salt: int) -> NDArray[np.float32]:
    """Return float32 (SIDE, SIDE) value noise in [0, 1) with vertices every ``period`` texels."""
    vertices = SIDE // period
    position = np.arange(SIDE)
    whole = position // period
    part = ((position % period).astype(np.float32)) / np.float32(period)
    part = part * part * (np.float32(3) - np.float32(2) * part)
    grid = np.arange(vertices)
    values = fraction(grid[None, :], grid[:, None], salt)
    after = (whole + 1) % vertices
    rows = values[whole] + part[:, None] * (values[after] - values[whole])
    blended: NDArray[np.float32] = rows[:, whole] + part * (rows[:, after] - rows[:, whole])
    return blended
