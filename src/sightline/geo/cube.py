"""The cube under S2: sphere to face to grid, and the Hilbert curve that orders the grid.

The definitions (which face, the quadratic projection, the curve's tables) are those of the S2
library, https://s2geometry.io/devguide/s2cell_hierarchy, and give the same numbers bit for bit.
Names follow it: ``u, v`` in [-1, 1] on a face, ``s, t`` in [0, 1] after the projection that evens
out areas, ``i, j`` the integer grid of 2^30 leaves per side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import FloatArray

IdArray = NDArray[np.uint64]
GridArray = NDArray[np.int64]

MAX_LEVEL = 30
_LIMIT = 1 << MAX_LEVEL
_BLOCK = 5  # levels per table look-up: six look-ups make thirty levels, in 32 KiB of table
_SIDE = (1 << _BLOCK) - 1
_SHIFTS = range(MAX_LEVEL - _BLOCK, -1, -_BLOCK)

# For each orientation of the curve (bit 0 swaps the axes, bit 1 inverts both), the quadrants
# (2 i + j) in the order visited, and how each quadrant changes the orientation.
_QUADRANTS = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
_TURNS = (1, 0, 0, 3)

# Per face, which of (x, y, z, -x, -y, -z) is divided by the major axis to give u, and v.
_U_ROW = np.array([1, 3, 3, 2, 2, 4])
_V_ROW = np.array([2, 2, 4, 1, 3, 3])


def _tables() -> tuple[GridArray, GridArray]:
    """Return the curve over one block of levels, forwards and backwards.

    The first maps ``i | j | orientation`` (five, five and two bits) to ``position | orientation``
    (ten and two bits, the orientation after the block); the second is its inverse.
    """
    start, position = np.divmod(np.arange(1 << (2 * _BLOCK + 2)), 1 << (2 * _BLOCK))
    i, j, orientation = np.zeros_like(start), np.zeros_like(start), start
    for step in range(_BLOCK - 1, -1, -1):
        quarter = (position >> (2 * step)) & 3
        quadrant = np.array(_QUADRANTS)[orientation, quarter]
        i, j = 2 * i + (quadrant >> 1), 2 * j + (quadrant & 1)
        orientation = orientation ^ np.array(_TURNS)[quarter]
    grid = (i << (_BLOCK + 2)) | (j << 2)
    forward, backward = np.empty_like(grid), np.empty_like(grid)
    forward[grid | start] = (position << 2) | orientation
    backward[(position << 2) | start] = grid | orientation
    return forward, backward


_TO_POSITION, _TO_GRID = _tables()


def face_uv(xyz: FloatArray) -> tuple[GridArray, FloatArray, FloatArray]:
    """Return face (0 to 5), u and v of directions ``(n, 3)``; a tie goes to the later axis."""
    count = len(xyz)
    signed = np.empty((6, count))
    signed[:3] = xyz.T
    np.negative(signed[:3], out=signed[3:])
    ax, ay, az = np.abs(signed[:3])
    over_y = ax > ay
    axis = 2 - 2 * (over_y & (ax > az)).view(np.int8) - (~over_y & (ay > az)).view(np.int8)
    point = np.arange(count)
    # Picking by index, not by np.where: which side is taken is random from point to point.
    flat = signed.ravel()
    major = flat.take(axis * np.int64(count) + point)
    face = axis + 3 * (major < 0)
    u = flat.take(_U_ROW[face] * count + point) / major
    v = flat.take(_V_ROW[face] * count + point) / major
    return face, u, v


def face_xyz(face: GridArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Return directions ``(..., 3)``, not of unit length: the inverse of :func:`face_uv`."""
    one = np.ones_like(u)
    columns = (
        (one, u, v),
        (-u, one, v),
        (-u, -v, one),
        (-one, -v, -u),
        (v, -one, -u),
        (v, u, -one),
    )
    parts = [np.choose(face, [column[axis] for column in columns]) for axis in range(3)]
    return np.stack(parts, axis=-1)


def st_from_uv(u: FloatArray) -> FloatArray:
    """Return s of u under the quadratic projection."""
    root = 0.5 * np.sqrt(1.0 + 3.0 * np.abs(u))
    return np.where(u >= 0, root, 1.0 - root)


def uv_from_st(s: FloatArray) -> FloatArray:
    """Return u of s under the quadratic projection."""
    near = (1.0 / 3.0) * (4.0 * s * s - 1.0)
    far = (1.0 / 3.0) * (1.0 - 4.0 * (1.0 - s) * (1.0 - s))
    return np.where(s >= 0.5, near, far)


def grid_from_st(s: FloatArray) -> GridArray:
    """Return the leaf index of s in [0, 2^30): a line of the grid belongs to the leaf above it."""
    return np.minimum((_LIMIT * s).astype(np.int64), _LIMIT - 1)


def ids_from_grid(face: GridArray, i: GridArray, j: GridArray) -> IdArray:
    """Return the ids of leaves from face and grid: the walk along the Hilbert curve."""
    # The curve starts swapped on odd faces, so that it runs on from face to face.
    orientation = face & 1
    position = face.copy()
    for shift in _SHIFTS:
        grid = (((i >> shift) & _SIDE) << (_BLOCK + 2)) | (((j >> shift) & _SIDE) << 2)
        found = _TO_POSITION.take(grid | orientation)
        position = (position << (2 * _BLOCK)) | (found >> 2)
        orientation = found & 3
    # Faces 4 and 5 reach the sign bit with this last shift; the bits are what counts.
    return ((position << 1) | 1).view(np.uint64)


def grid_from_ids(ids: IdArray) -> tuple[GridArray, GridArray, GridArray]:
    """Return face, i and j of a leaf inside each cell (of the leaf itself, for a leaf)."""
    face = (ids >> np.uint64(2 * MAX_LEVEL + 1)).astype(np.int64)
    position = (ids >> np.uint64(1)).astype(np.int64)
    orientation = face & 1
    i, j = np.zeros_like(face), np.zeros_like(face)
    for shift in _SHIFTS:
        chunk = (position >> (2 * shift)) & ((1 << (2 * _BLOCK)) - 1)
        found = _TO_GRID.take((chunk << 2) | orientation)
        i = (i << _BLOCK) | (found >> (_BLOCK + 2))
        j = (j << _BLOCK) | ((found >> 2) & _SIDE)
        orientation = found & 3
    return face, i, j
