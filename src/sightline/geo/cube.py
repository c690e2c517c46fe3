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
_BLOCK = 4  # levels per table look-up
_BLOCKS = 8  # 8 · 4 = 32 levels, the top two of them empty

# For each orientation of the curve (bit 0 swaps the axes, bit 1 inverts both), the quadrants
# (2 i + j) in the order visited, and how each quadrant changes the orientation.
_QUADRANTS = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
_TURNS = (1, 0, 0, 3)


def _tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the curve over four levels at once, forwards and backwards.

    The first maps ``iiiijjjjoo`` (four bits of i, four of j, orientation) to ``ppppppppoo``
    (position, orientation after it); the second is its inverse.
    """
    forward = np.empty(1 << (2 * _BLOCK + 2), dtype=np.int64)
    backward = np.empty_like(forward)
    for start in range(4):
        for position in range(1 << (2 * _BLOCK)):
            i = j = 0
            orientation = start
            for step in range(_BLOCK - 1, -1, -1):
                quarter = (position >> (2 * step)) & 3
                quadrant = _QUADRANTS[orientation][quarter]
                i, j = 2 * i + (quadrant >> 1), 2 * j + (quadrant & 1)
                orientation ^= _TURNS[quarter]
            grid = (i << (_BLOCK + 2)) | (j << 2)
            forward[grid | start] = (position << 2) | orientation
            backward[(position << 2) | start] = grid | orientation
    return forward, backward


_TO_POSITION, _TO_GRID = _tables()


def face_uv(xyz: FloatArray) -> tuple[GridArray, FloatArray, FloatArray]:
    """Return face (0 to 5), u and v of directions ``(n, 3)``; a tie goes to the later axis."""
    x, y, z = xyz[:, 0], xyz[:, 1], xyz[:, 2]
    ax, ay, az = np.abs(x), np.abs(y), np.abs(z)
    axis = np.where(ax > ay, np.where(ax > az, 0, 2), np.where(ay > az, 1, 2))
    major = np.where(axis == 0, x, np.where(axis == 1, y, z))
    back = major < 0
    # The front faces divide (y, z), (-x, z), (-x, -y); the back faces swap their axes.
    first = np.where(axis == 0, y, -x)
    second = np.where(axis == 2, -y, z)
    u = np.where(back, second, first) / major
    v = np.where(back, first, second) / major
    return axis + 3 * back, u, v


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
    """Return the leaf index of s in [0, 2^30), rounding halves to even as S2 does."""
    return np.clip(np.rint(_LIMIT * s - 0.5), 0, _LIMIT - 1).astype(np.int64)


def ids_from_grid(face: GridArray, i: GridArray, j: GridArray) -> IdArray:
    """Return the ids of leaves from face and grid: the walk along the Hilbert curve."""
    # The curve starts swapped on odd faces, so that it runs on from face to face.
    bits = face & 1
    position = face.astype(np.uint64)
    for block in range(_BLOCKS - 1, -1, -1):
        shift = block * _BLOCK
        index = (((i >> shift) & 15) << (_BLOCK + 2)) | (((j >> shift) & 15) << 2) | bits
        found = _TO_POSITION[index]
        # Thirty levels fill seven blocks and a half: the first one carries two levels only.
        width = np.uint64(4 if block == _BLOCKS - 1 else 2 * _BLOCK)
        mask = (1 << int(width)) - 1
        position = (position << width) | ((found >> 2) & mask).astype(np.uint64)
        bits = found & 3
    return (position << np.uint64(1)) | np.uint64(1)


def grid_from_ids(ids: IdArray) -> tuple[GridArray, GridArray, GridArray]:
    """Return face, i and j of a leaf inside each cell (of the leaf itself, for a leaf)."""
    face = (ids >> np.uint64(61)).astype(np.int64)
    bits = face & 1
    i = np.zeros(ids.shape, dtype=np.int64)
    j = np.zeros(ids.shape, dtype=np.int64)
    for block in range(_BLOCKS - 1, -1, -1):
        mask = np.uint64(0xF if block == _BLOCKS - 1 else 0xFF)
        chunk = (ids >> np.uint64(block * 2 * _BLOCK + 1)) & mask
        found = _TO_GRID[(chunk.astype(np.int64) << 2) | bits]
        i |= (found >> (_BLOCK + 2)) << (block * _BLOCK)
        j |= ((found >> 2) & 15) << (block * _BLOCK)
        bits = found & 3
    return face, i, j
