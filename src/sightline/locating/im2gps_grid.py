"""The grid procedure of the Im2GPS authors, step by step as their MATLAB code does it.

The source is ``predict_gps.m`` of lugiavn/revisiting-im2gps: a histogram of one degree blurred with
sigma 4 finds a window, a histogram of a tenth of a degree blurred with sigma 40 inside it finds the
mode, and the first match within 100 km of the mode is the answer. It is kept for comparison with
published numbers: it does not wrap at the antimeridian, loses points at 90° S and 180° W, and cuts
its window off at 70° of latitude. :func:`~.density.density_mode` has none of these faults.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.geo.distance import great_circle_m
from sightline.locating.evidence import Floats, Mask

Indices = NDArray[np.intp]

COARSE_SIGMA = 4
FINE_SIGMA = 40
WINDOW = 401
SNAP_KM = 100.0
SNAP_RADIUS_M = 6_371_000.0
QUERIES_AT_ONCE = 32


class GridMode(NamedTuple):
    """What the procedure finds on its way.

    Attributes:
        points: The answer, float64 (n, 2) degrees: a match, or the mode where none is near. NaN
            for a query without matches.
        modes: Mode of the fine grid (n, 2), the upper edges of its cell.
        coarse: Mode of the one-degree grid (n, 2), row and column counted from 1.
        windows: The same moved inwards so that the fine window around it fits (n, 2).
        snapped: Column of the match that became the answer (n,), -1 for none.
    """

    points: Floats
    modes: Floats
    coarse: Indices
    windows: Indices
    snapped: Indices


def im2gps_grid(
    coordinates: ArrayLike, distances: ArrayLike, *, k: int = 100, exponent: float = 10.0
) -> GridMode:
    """Run the authors' procedure on a batch.

    Args:
        coordinates: Degrees (n, k', 2), best match first, NaN for padding. Longitudes are taken as
            they are: 180 and -180 are different columns here.
        distances: (n, k') squared Euclidean distances between embeddings, NaN for padding.
        k: Matches used.
        exponent: Weights are ``1 / distance ** exponent``. A distance of 0, infinite in the
            original, leaves only such matches to count.

    Returns:
        The answers and the steps to them.
    """
    places = np.asarray(coordinates, dtype=np.float64)[:, :k]
    away = np.asarray(distances, dtype=np.float64)[:, :k]
    valid: Mask = ~np.isnan(places).any(axis=2) & ~np.isnan(away)
    weights = _inverse_powers(np.where(valid, away, np.inf), exponent)
    filled = np.where(np.isnan(places), 0.0, places)
    parts = [
        _search(filled[start : start + QUERIES_AT_ONCE], weights[start : start + QUERIES_AT_ONCE])
        for start in range(0, len(filled), QUERIES_AT_ONCE)
    ]
    modes = np.concatenate([np.zeros((0, 2)), *(mode for mode, _ in parts)])
    coarse = np.concatenate([np.zeros((0, 2), dtype=np.intp), *(index for _, index in parts)])
    kilometres = great_circle_m(modes[:, None], filled) * (SNAP_RADIUS_M / EARTH_RADIUS_M) / 1000
    near = valid & (kilometres < SNAP_KM)
    first = near.argmax(axis=1)
    found = np.asarray(near.any(axis=1))
    rows = np.arange(len(filled))
    points = np.where(found[:, None], filled[rows, first], modes)
    empty = ~valid.any(axis=1)
    points[empty] = np.nan
    modes[empty] = np.nan
    return GridMode(points, modes, coarse, _window(coarse), np.where(found, first, -1))


def _inverse_powers(distances: Floats, exponent: float) -> Floats:
    """Weights (n, k) relative to the nearest match's; the mode does not know the scale."""
    nearest = distances.min(axis=1, keepdims=True)
    usable = np.isfinite(distances)
    ratio = np.divide(
        nearest,
        distances,
        out=(usable & (distances == nearest)).astype(np.float64),
        where=usable & (distances > 0),
    )
    return np.asarray(ratio**exponent)


def _search(places: Floats, weights: Floats) -> tuple[Floats, Indices]:
    """Return modes (n, 2) in degrees and coarse modes (n, 2), counted from 1."""
    coarse = _peak(_cells(places, 1), weights, (180, 360), COARSE_SIGMA)[0]
    start = _window(coarse) * 10 - 200
    peak, height = _peak(
        _cells(places, 10) - start[:, None] + 1, weights, (WINDOW, WINDOW), FINE_SIGMA
    )
    # Where the window holds nothing the original's maximum is the first cell of the whole grid.
    cell = np.where(height[:, None] > 0, start + peak - 1, 1)
    return (cell - [900, 1800]) / 10, coarse


def _window(coarse: Indices) -> Indices:
    return np.clip(coarse, [21, 21], [159, 339])


def _cells(places: Floats, per_degree: int) -> Indices:
    """Row and column (n, k, 2), counted from 1; 0 is off the grid."""
    index = np.ceil(places * per_degree).astype(np.intp)
    return np.asarray(index + np.array([90, 180]) * per_degree)


def _peak(
    cells: Indices, weights: Floats, shape: tuple[int, int], sigma: int
) -> tuple[Indices, Floats]:
    """Blur a histogram and return its highest cell (n, 2), counted from 1, and that height (n,).

    The blurred histogram is a sum of products of two one-dimensional kernels, one per match, which
    is one batched matrix product and needs no histogram.
    """
    inside = np.asarray(((cells >= 1) & (cells <= np.array(shape))).all(axis=2))
    safe = np.where(inside[..., None], cells - 1, 0)
    rows = _blur(shape[0], sigma)[safe[..., 0]] * np.where(inside, weights, 0.0)[..., None]
    columns = _blur(shape[1], sigma)[safe[..., 1]]
    # Columns first: MATLAB searches column by column, and the first of equal cells wins.
    blurred = np.matmul(columns.transpose(0, 2, 1), rows).reshape(len(cells), -1)
    flat = blurred.argmax(axis=1)
    height = blurred[np.arange(len(flat)), flat]
    return np.stack([flat % shape[0], flat // shape[0]], axis=1) + 1, height


def _blur(size: int, sigma: int) -> Floats:
    """Return (size, size): row i is what a one in cell i becomes.

    The kernel has 2 * ceil(2 sigma) + 1 taps, as ``imgaussfilt`` takes; a cell at the edge also
    stands for the padding beyond it.
    """
    half = 2 * sigma
    taps = np.exp(-0.5 * np.square(np.arange(-half, half + 1) / sigma))
    taps /= taps.sum()
    blur = np.zeros((size, size))
    target = np.arange(size)[:, None]
    source = np.clip(target + np.arange(-half, half + 1), 0, size - 1)
    np.add.at(blur, (source, np.broadcast_to(target, source.shape)), taps)
    return blur
