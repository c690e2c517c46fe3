"""The place of the first match."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sightline.locating.evidence import Placement, as_evidence, evidence_weights


def nearest_match(
    coordinates: ArrayLike, scores: ArrayLike, *, exponent: float = 10.0
) -> Placement:
    """Answer with the best-scored match; the other matches only tell how sure that is.

    Args:
        coordinates: Degrees (n, k, 2), NaN for padding.
        scores: (n, k), higher is better; of equal scores the first wins.
        exponent: m of the weights ``s ** m``, see :func:`~.evidence.evidence_weights`.

    Returns:
        Points (n, 2) and weights (n, k).

    Raises:
        UsageError: The shapes do not fit, or ``exponent`` is negative.
        CoordinateError: A coordinate is out of range.
    """
    evidence = as_evidence(coordinates, scores)
    return Placement(evidence.best_points(), evidence_weights(evidence.scores, exponent))
