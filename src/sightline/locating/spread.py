"""How far the evidence lies from an answer, and what speaks for another place.

Both describe the evidence, not the truth: a circle that holds 90 % of the weight does not hold the
photo with a probability of 90 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.locating.evidence import (
    Floats,
    as_evidence,
    in_chunks,
    require_number,
    squared_chords,
)


def evidence_radii_m(
    points: ArrayLike,
    coordinates: ArrayLike,
    weights: ArrayLike,
    shares: Sequence[float] = (0.5, 0.9),
) -> Floats:
    """Return the radius of the smallest circle around each point that holds a share of the weight.

    Args:
        points: Degrees (n, 2).
        coordinates: Degrees (n, k, 2), NaN for padding.
        weights: (n, k), not negative; a row sums to 1.
        shares: The shares wanted, each in (0, 1].

    Returns:
        Metres, float64 (n, len(shares)); NaN for a query without matches.

    Raises:
        UsageError: The shapes do not fit.
        CoordinateError: A coordinate is out of range.
    """
    evidence = as_evidence(coordinates, weights)
    centres = np.asarray(points, dtype=np.float64)[:, None]
    # Padding weighs nothing, so at the end of the order it changes no sum.
    distance = np.where(evidence.valid, great_circle_m(centres, evidence.coordinates), np.inf)
    order = np.argsort(distance, axis=1, kind="stable")
    distance = np.take_along_axis(distance, order, axis=1)
    weight = np.where(evidence.valid, evidence.scores, 0.0)
    held = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    radii = np.full((len(distance), len(shares)), np.nan)
    some = evidence.valid.any(axis=1)
    for column, share in enumerate(shares):
        # A sum of tenths must count as the whole it stands for.
        first = (held >= share * held[:, -1:] * (1.0 - 1e-12)).argmax(axis=1)
        radii[some, column] = distance[some, first[some]]
    return radii


def place_margins(
    points: ArrayLike, coordinates: ArrayLike, weights: ArrayLike, *, place_m: float = 1000.0
) -> Floats:
    """Return by how much of the evidence the answered place leads over the next one.

    The place answered is every match within ``place_m`` of the point. Of the other matches, the one
    with the most weight of other matches within ``place_m`` of it is the middle of the next place.

    Args:
        points: Degrees (n, 2).
        coordinates: Degrees (n, k, 2), NaN for padding.
        weights: (n, k), not negative; a row sums to 1.
        place_m: How far one place reaches, in metres of great circle.

    Returns:
        (n,), weight of the place answered less weight of the next, from -1 to 1: 1 where all
        evidence is at the point, about 0 where two places are as likely, below 0 where more speaks
        for another place. NaN for a query without matches.

    Raises:
        UsageError: The shapes do not fit, or ``place_m`` is negative.
        CoordinateError: A coordinate is out of range.
    """
    require_number("place_m", place_m, at_least=0.0)
    evidence = as_evidence(coordinates, weights)
    vectors = evidence.unit_vectors()
    weight = np.where(evidence.valid, evidence.scores, 0.0)
    some = evidence.valid.any(axis=1)
    # Compared as chords: a sine a match would cost more than all the rest. Rounding of the vectors,
    # some nanometres, must not part what lies in one spot.
    reach = (2.0 * np.sin(min(place_m / (2.0 * EARTH_RADIUS_M), np.pi / 2)) + 1e-14) ** 2
    centres = np.zeros((len(weight), 1, 3))
    centres[some, 0] = unit_vectors(np.asarray(points, dtype=np.float64)[some])
    here = np.square(vectors - centres).sum(axis=2) <= reach
    elsewhere = np.where(here, 0.0, weight)
    following = np.zeros(len(weight))
    for chunk in in_chunks(weight.shape[0], weight.shape[1]):
        near = squared_chords(vectors[chunk]) <= reach
        around = np.einsum("nij,nj->ni", near, elsewhere[chunk])
        following[chunk] = np.where(here[chunk], 0.0, around).max(axis=1)
    return np.where(some, (weight * here).sum(axis=1) - following, np.nan)
