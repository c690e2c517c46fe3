"""Splits by place: photos of one spot are on one side, with a buffer between the sides."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sightline.datasets.splits.assignment import (
    DEFAULT_SHARES,
    Assignment,
    checked_shares,
    deal,
)
from sightline.datasets.splits.buffer import leave_out_near
from sightline.datasets.splits.neighbours import chord
from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray, as_coordinates, unit_vectors

# Photos are first gathered in cubes of this part of the radius, so that a thousand photos of one
# landmark make a few neighbours and not a million pairs.
_CUBES_PER_RADIUS = 3


def by_place(
    latlon: ArrayLike,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    *,
    radius_m: float = 100.0,
    buffer_m: float | None = None,
    largest_share: float = 0.5,
    seed: int = 0,
) -> Assignment:
    """Split by place: photos nearer than ``radius_m`` are of one place, and on one side.

    Places are chains: whatever hangs together by steps shorter than the radius is one of them. In
    a town photographed street by street that chain takes in the whole town; a place with more rows
    than ``largest_share`` of the smallest split is therefore cut in halves, across its longer
    side, until it is small enough. Along the cuts (and wherever else two sides come near), rows
    of the larger split are left out, so that nothing nearer than ``buffer_m`` crosses.

    Args:
        latlon: (n, 2) degrees, latitude first.
        shares: The splits and their relative sizes.
        radius_m: Photos nearer than this are never on different sides. (Ones up to 1.8 times as
            far may be taken as one place too.)
        buffer_m: How near rows of different splits may be; the radius by default. For aerial
            tiles the width of a tile, so that no ground is seen on both sides.
        largest_share: The size of the largest place, in parts of the smallest split.
        seed: Which places go where.

    Returns:
        The split of each row, -1 for rows left out; it depends on the places, not on their order.

    Raises:
        CoordinateError: A place is out of range.
        UsageError: Shares, radius or buffer are impossible, or a split would be empty.
    """
    if not (math.isfinite(radius_m) and radius_m > 0):
        raise UsageError(
            f"radius_m must be a positive number of metres. Got {radius_m!r}.",
            hint="25 to 500 m is usual: less than from one landmark to the next.",
        )
    if not 0 < largest_share <= 1:
        raise UsageError(
            f"largest_share must be more than 0 and at most 1. Got {largest_share!r}.",
            hint="0.5 lets the smallest split hold two places at least.",
        )
    _, share = checked_shares(shares)
    places = as_coordinates(latlon)
    # In order of the places, so that the numbers of the groups do not depend on the rows' order.
    order = np.lexsort((places[:, 1], places[:, 0]))
    vectors = unit_vectors(places[order])
    most = max(1, math.floor(largest_share * float(share.min()) * len(places)))
    group = np.empty(len(places), np.int64)
    group[order] = _cut(_linked(vectors, chord(radius_m)), vectors, most)
    assignment = deal(group, shares, seed=seed, what="places")
    return leave_out_near(assignment, places, radius_m if buffer_m is None else buffer_m)


def _linked(vectors: FloatArray, reach: float) -> NDArray[np.int64]:
    """Return the chain of each point, (n,): points nearer than ``reach`` are in one chain."""
    if not len(vectors):
        return np.zeros(0, np.int64)
    side = reach / _CUBES_PER_RADIUS
    cubes, cube = np.unique(np.floor(vectors / side), axis=0, return_inverse=True)
    # Two points within reach lie in cubes whose centres are at most a diagonal farther apart.
    tree = cKDTree((cubes + 0.5) * side)
    pairs = tree.query_pairs(reach + side * math.sqrt(3.0) * (1 + 1e-9), output_type="ndarray")
    near = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(len(cubes), len(cubes)))
    _, chain = connected_components(near, directed=False)
    _, numbered = np.unique(chain[cube.ravel()], return_inverse=True)
    return np.asarray(numbered, np.int64)


def _cut(group: NDArray[np.int64], vectors: FloatArray, most: int) -> NDArray[np.int64]:
    """Halve groups of more than ``most`` points until none is left, across their longer side."""
    result = np.empty(len(group), np.int64)
    order = np.argsort(group, kind="stable")
    waiting = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(group) else []
    number = 0
    waiting.reverse()
    while waiting:
        rows = waiting.pop()
        halves = _halved(vectors, rows) if len(rows) > most else None
        if halves is None:
            result[rows] = number
            number += 1
        else:
            waiting.extend(reversed(halves))
    return result


def _halved(
    vectors: FloatArray, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return both halves of the points; None if all are on one spot."""
    points = vectors[rows]
    axis = int(np.argmax(np.ptp(points, axis=0)))
    along = points[:, axis]
    lower = along < np.median(along)
    if not lower.any():
        lower = along < along.max()
    if not lower.any():
        return None
    return rows[lower], rows[~lower]
