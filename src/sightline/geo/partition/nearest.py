"""The nearest of some points to each of many places, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geo.cells import cell_ids, parents
from sightline.geo.coordinates import FloatArray, unit_vectors
from sightline.geo.covering import caps
from sightline.geo.cube import IdArray

_LEVELS_AT_ONCE = 2
_FINEST = 20
_DISTANCES_AT_ONCE = 1 << 15
# Far above the rounding of a chord, far below a millimetre on the Earth.
_ROUNDING = 1e-12


def nearest(places: FloatArray, points: FloatArray) -> NDArray[np.int64]:
    """Return for each place the row of the nearest point, the first of equally near ones.

    Places of one S2 cell are asked together: a point that is farther from the cell's centre than
    the nearest one by more than the cell's diameter is nearest to none of them. What is left goes
    to smaller cells, until few distances remain.

    Args:
        places: (n, 2) degrees, valid.
        points: (m, 2) degrees, valid, m > 0.
    """
    found = np.empty(len(places), np.int64)
    leaves = cell_ids(places)
    order = np.argsort(leaves, kind="stable")
    leaves, vectors = leaves[order], unit_vectors(places[order])
    targets = unit_vectors(points)
    waiting = [(0, 0, len(places), np.arange(len(points)))]
    while waiting:
        level, start, stop, near = waiting.pop()
        if (stop - start) * len(near) <= _DISTANCES_AT_ONCE or level > _FINEST:
            found[order[start:stop]] = _nearest_of(near, targets, vectors[start:stop])
            continue
        cells, starts = _groups(leaves[start:stop], level)
        centres, radii = caps(cells)
        # Straight through the Earth the triangle inequality holds as well, without a sine a point.
        reaches = 2.0 * np.sin(np.minimum(radii, np.pi) / 2.0)
        bounds = start + np.append(starts, stop - start)
        for group, (centre, reach) in enumerate(zip(centres, reaches, strict=True)):
            apart = np.sqrt(_squared(centre[None], targets[near])[0])
            left = near[apart <= apart.min() + 2.0 * reach + _ROUNDING]
            some = int(bounds[group]), int(bounds[group + 1])
            waiting.append((level + _LEVELS_AT_ONCE, *some, left))
    return found


def _groups(leaves: IdArray, level: int) -> tuple[IdArray, NDArray[np.intp]]:
    """Return the cells of ascending leaves at a level, and where each one's start."""
    cells = parents(leaves, level)
    starts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    return cells[starts], starts


def _nearest_of(
    near: NDArray[np.int64], targets: FloatArray, vectors: FloatArray
) -> NDArray[np.int64]:
    """Return the rows ``near`` (c,) of the nearest targets to vectors (n, 3)."""
    rows = np.empty(len(vectors), np.int64)
    step = max(1, _DISTANCES_AT_ONCE // len(near))
    for at in range(0, len(vectors), step):
        some = slice(at, at + step)
        rows[some] = near[_squared(vectors[some], targets[near]).argmin(axis=1)]
    return rows


def _squared(vectors: FloatArray, targets: FloatArray) -> FloatArray:
    """Return squared chords (n, m) from vectors (n, 3) to targets (m, 3)."""
    total = np.zeros((len(vectors), len(targets)))
    # Differences, not dot products: 1 - cos would lose everything below a decimetre.
    for axis in range(3):
        total += np.square(vectors[:, axis, None] - targets[:, axis])
    return total
