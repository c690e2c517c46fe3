"""Near neighbours on the sphere, by k-d trees over unit vectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sightline.geo.coordinates import EARTH_RADIUS_M, FloatArray, unit_vectors
from sightline.geo.distance import great_circle_m

# The tree compares rounded chords: ask it for a hair more, and measure what it finds.
_SLACK = 1e-9


def chord(radius_m: float) -> float:
    """Return the straight distance, on the unit sphere, of points ``radius_m`` apart."""
    return 2.0 * math.sin(min(radius_m / EARTH_RADIUS_M, math.pi) / 2.0)


def nearest_within(
    asked: FloatArray, given: FloatArray, radius_m: float
) -> tuple[NDArray[np.int64], FloatArray]:
    """Find the nearest given place of each asked one, if it is nearer than ``radius_m``.

    Args:
        asked: (n, 2) degrees, checked.
        given: (m, 2) degrees, checked.
        radius_m: Metres of great circle, exclusive.

    Returns:
        int64 (n,) row in ``given``, -1 where none is that near, and float64 (n,) metres, infinite
        there.
    """
    number = np.full(len(asked), -1, np.int64)
    distance_m = np.full(len(asked), np.inf)
    if not len(asked) or not len(given):
        return number, distance_m
    # Photos taken on one spot would make the tree deep and slow: each place once.
    places, first = np.unique(given, axis=0, return_index=True)
    tree = cKDTree(unit_vectors(places))
    bound = chord(radius_m) * (1.0 + _SLACK) + _SLACK * 1e-3
    answer = tree.query(unit_vectors(asked), distance_upper_bound=bound)
    found = np.asarray(answer[1], np.int64)
    hit = np.flatnonzero(found < len(places))
    metres = great_circle_m(asked[hit], places[found[hit]])
    near = metres < radius_m
    number[hit[near]] = first[found[hit[near]]]
    distance_m[hit[near]] = metres[near]
    return number, distance_m
