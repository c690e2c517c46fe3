"""Second thoughts about the best candidates: regional vectors, and references of one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors

POOL_REACH = 2.5
"""Neighbours farther than so many radii weigh less than 5 % and are left out."""

POOL_OWN = 0.25
"""Share of its own score that a reference keeps; the rest is the mean over its place."""


def regional_similarity(
    query: NDArray[np.float32], references: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how well the cells of a photo find their like in each reference, and vice versa.

    Each cell of one photo takes its best similarity among the cells of the other; the mean over
    the cells is averaged over both directions.

    Args:
        query: float32 (r², k), unit length.
        references: (c, r², k), unit length.

    Returns:
        float64 (c,), in [-1, 1].
    """
    similarity = np.asarray(references, np.float32) @ query.T
    there = similarity.max(axis=1).mean(axis=1, dtype=np.float64)
    back = similarity.max(axis=2).mean(axis=1, dtype=np.float64)
    return np.asarray((there + back) / 2)


def combined_score(
    cosines: NDArray[np.float64], regional: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (g + 2 r) / 3: the global cosine and twice the regional similarity, in [-1, 1]."""
    return (cosines + 2.0 * regional) / 3.0


def squared_gaps(
    coordinates: NDArray[np.float64], neighbours: NDArray[np.float64], radius_m: float
) -> NDArray[np.float64]:
    """Return squared distances on the ground in units of a radius, for short distances.

    Args:
        coordinates: float64 (c, 2), degrees.
        neighbours: float64 (m, 2), degrees.
        radius_m: Metres, > 0.

    Returns:
        float64 (c, m).
    """
    # The chord is the arc at these distances, and it is exact for equal points, where the
    # arc cosine of a dot product is not.
    gaps = unit_vectors(coordinates)[:, None, :] - unit_vectors(neighbours)[None, :, :]
    return np.asarray((gaps**2).sum(axis=2) * (EARTH_RADIUS_M / radius_m) ** 2)


def pool_places(
    scores: NDArray[np.float64],
    neighbour_scores: NDArray[np.float64],
    gaps: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Let all references of a place speak for each of its references.

    ``pooled_i = a s_i + (1 - a) sum_j w_ij s_j / sum_j w_ij`` with ``a = POOL_OWN`` and
    ``w_ij = exp(-d_ij^2 / (2 radius^2))`` over all references j within ``POOL_REACH`` radii, i
    among them: a mean, not a sum, so that a place does not win by having many references. That
    mean has to include the references that the query is *not* like; over the best candidates
    alone it would be worth nothing (benchmarks/whitening.py).

    Args:
        scores: float64 (c,) of the candidates, in [-1, 1].
        neighbour_scores: float64 (m,) of references around them, the candidates among them.
        gaps: float64 (c, m), :func:`squared_gaps` between the two in radii of the Gaussian.

    Returns:
        float64 (c,), in [-1, 1].
    """
    weights = np.where(gaps <= POOL_REACH**2, np.exp(-gaps / 2.0), 0.0)
    mean = weights @ neighbour_scores / weights.sum(axis=1)
    return np.asarray(POOL_OWN * scores + (1.0 - POOL_OWN) * mean)
