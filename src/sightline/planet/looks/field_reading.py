"""Reads all fields of a ground raster at once, for pixels.

`GroundRaster.sample` does the same in plain arithmetic, the same to the bit on every machine, which
the world needs and pixels don't. Here it is one product of a sparse matrix, four shares a row, and
the raster: a single pass over the places, three times as fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sightline.planet.world.ground_raster import GroundRaster

Floats = NDArray[np.float32]


def fields_at(ground: GroundRaster, east: Floats, north: Floats) -> Floats:
    """Return all fields at places.

    Args:
        ground: The raster.
        east: float32 (n,), metres.
        north: float32 (n,), metres.

    Returns:
        float32 (FIELDS, n), within rounding of ``ground.sample(east, north)``.
    """
    table = ground.flat
    index, across, up = ground.locate(east, north)
    count, columns = len(index), ground.columns
    both = across * up
    corners = np.empty((count, 4), np.int32)
    shares = np.empty((count, 4), np.float32)
    for corner, (offset, share) in enumerate(
        ((0, 1 - across - up + both), (1, across - both), (columns, up - both), (columns + 1, both))
    ):
        np.add(index, np.int32(offset), out=corners[:, corner])
        shares[:, corner] = share
    ends = np.arange(0, 4 * count + 1, 4, dtype=np.int32)
    weights = csr_array((shares.ravel(), corners.ravel(), ends), shape=(count, len(table)))
    return np.ascontiguousarray((weights @ table).T)
