"""The cells around many places at once, for short reaches."""

from __future__ import annotations

import numpy as np

from sightline.geo import cells
from sightline.geo.coordinates import EARTH_RADIUS_M, FloatArray, unit_vectors
from sightline.geo.covering import ranges_of
from sightline.geo.cube import (
    MAX_LEVEL,
    GridArray,
    IdArray,
    face_uv,
    grid_from_st,
    ids_from_grid,
    st_from_uv,
)

_NARROWEST_LEAF_M = 2.0 * np.sqrt(2.0) / 3.0 * EARTH_RADIUS_M / (1 << MAX_LEVEL)
"""No two opposite edges of a leaf are nearer to each other (S2's ``kMinWidth``)."""

_HALVES = np.arange(-2, 3)


def cover_surroundings(places: FloatArray, reach_m: float) -> IdArray:
    """Return leaf ranges that hold everything within a reach of any of the places.

    No leaf nearer than ``reach_m`` is missed; some farther ones come along, up to about four times
    as far.

    Args:
        places: float64 (n, 2), degrees, valid.
        reach_m: Metres, > 0 and small against the Earth (below 100 km).

    Returns:
        ``(m, 2)`` inclusive leaf ids, ascending and disjoint.
    """
    face, u, v = face_uv(unit_vectors(places))
    i, j = grid_from_st(st_from_uv(u)), grid_from_st(st_from_uv(v))
    # So many leaves away, along i or along j, nothing can be within reach.
    reach = int(np.ceil(reach_m / _NARROWEST_LEAF_M)) + 1
    bits = int(np.ceil(np.log2(max(reach / 2.0, 1.0))))
    # Cells at least half a reach wide: whatever part of one lies in the square, a probe hits it.
    steps = (_HALVES * reach) // 2
    rows, columns = i[:, None] + steps, j[:, None] + steps
    last = (1 << MAX_LEVEL) - 1
    inside = (
        (rows[:, 0] >= 0) & (rows[:, -1] <= last) & (columns[:, 0] >= 0) & (columns[:, -1] <= last)
    )
    found = [_ids_at(face[inside], rows[inside], columns[inside], MAX_LEVEL - bits)]
    if not inside.all():
        found.append(_across_edges(places[~inside], reach_m))
    return ranges_of(np.unique(np.concatenate(found)))


def _ids_at(face: GridArray, rows: GridArray, columns: GridArray, level: int) -> IdArray:
    """Return the cells of a level at every crossing of rows (n, p) and columns (n, p)."""
    shape = (*rows.shape, columns.shape[1])
    leaves = ids_from_grid(
        np.broadcast_to(face[:, None, None], shape).ravel(),
        np.broadcast_to(rows[:, :, None], shape).ravel(),
        np.broadcast_to(columns[:, None, :], shape).ravel(),
    )
    return cells.parents(leaves, level)


def _across_edges(places: FloatArray, reach_m: float) -> IdArray:
    """Return cells around places at the edge of a face, where the grid ends.

    Every place is probed on the ground on a grid of 7 x 7. Cells are wider than the grid is, so
    one can stay unseen only where its corner reaches in between two outer probes. The corners of
    S2 cells have 60 degrees or more: less than 0.87 of a spacing deep, which the grid's margin
    allows for.
    """
    half_m = reach_m / (1.0 - 0.87 / 3.0)
    steps = np.linspace(-half_m, half_m, 7) / (np.pi * EARTH_RADIUS_M / 180.0)
    shrink = np.maximum(np.cos(np.radians(places[:, 0])), 1e-6)
    lat = np.clip(places[:, None, None, 0] + steps[:, None], -90.0, 90.0)
    lon = places[:, None, None, 1] + steps / shrink[:, None, None]
    probes = np.stack(np.broadcast_arrays(lat, (lon + 180.0) % 360.0 - 180.0), axis=-1)
    # The shortest edge of a cell of level k is 0.94 / 2^k of the Earth's radius.
    level = int(np.clip(np.floor(np.log2(0.94 * EARTH_RADIUS_M * 3.0 / half_m)), 0, MAX_LEVEL))
    return cells.cell_ids(probes.reshape(-1, 2), level)
