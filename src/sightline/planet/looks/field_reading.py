"""Reads all fields of a window's ground at once, for pixels.

`GroundRaster.sample` does the same in plain arithmetic, the same to the bit on every machine, which
the world needs and pixels don't. Here it is one product of a sparse matrix, four shares a row, and
the raster: a single pass over the places, three times as fast. The lattice's own coordinates are
those of the bent lattice: grains of sand are so small that millimetres show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sightline.planet.looks.straightness import bends_of
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]


def fields_at(neighbourhood: Neighbourhood, east: Floats, north: Floats) -> Floats:
    """Return all fields at places.

    Args:
        neighbourhood: Whose ground.
        east: float32 (n,), metres.
        north: float32 (n,), metres.

    Returns:
        float32 (FIELDS, n), within rounding of ``ground.sample(east, north)``, but for the bend of
        ``lattice_a`` and ``lattice_b``.
    """
    ground = neighbourhood.ground
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
    fields = np.ascontiguousarray((weights @ table).T)
    _bend(fields, neighbourhood, east, north)
    return fields


def _bend(fields: Floats, neighbourhood: Neighbourhood, east: Floats, north: Floats) -> None:
    faces = bends_of(neighbourhood)
    own = neighbourhood.ground.facets(east, north) if len(faces) > 1 else None
    for number, bends in enumerate(faces):
        here = slice(None) if own is None else np.flatnonzero(own == number)
        e, n = east[here], north[here]
        for name, factors in zip((LATTICE_A, LATTICE_B), bends, strict=True):
            twice, both, up = (np.float32(factor) for factor in factors)
            fields[name, here] += e * (e * twice + n * both) + n * n * up
