"""Second thoughts about the best candidates: regional vectors, and references of one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors

POOL_TEMPERATURE = 0.05
"""τ of :func:`pool_places`: how much a second, less similar photo of a place adds."""


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


def pool_places(
    scores: NDArray[np.float64],
    coordinates: NDArray[np.float64],
    radius_m: float,
    temperature: float = POOL_TEMPERATURE,
) -> NDArray[np.float64]:
    """Let references taken at one place support each other.

    ``pooled_i = τ · ln Σ_j w_ij · exp(s_j / τ)`` with ``w_ij = exp(-d_ij² / (2 · radius²))`` over
    all candidates j, i itself included (w_ii = 1). A reference alone keeps its score; n equal ones
    at one spot gain τ · ln n each. The sum may exceed 1; callers order by it and clip.

    Args:
        scores: float64 (c,).
        coordinates: float64 (c, 2), degrees.
        radius_m: Standard deviation of the Gaussian in metres, > 0.
        temperature: τ > 0.

    Returns:
        float64 (c,), nowhere below ``scores``.
    """
    if len(scores) < 2:
        return scores
    points = unit_vectors(coordinates)
    # The chord is the arc at these distances, and it is exact for equal points, where the
    # arc cosine of a dot product is not.
    gaps = points[:, None, :] - points[None, :, :]
    squared_m = (gaps**2).sum(axis=2) * EARTH_RADIUS_M**2
    exponents = scores[None, :] / temperature - squared_m / (2.0 * radius_m**2)
    top = exponents.max(axis=1)
    return np.asarray(temperature * (top + np.log(np.exp(exponents - top[:, None]).sum(axis=1))))
