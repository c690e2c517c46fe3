"""The middle of the largest cluster of matches.

Kordopatis-Zilos et al., *Leveraging EfficientNet and Contrastive Learning for Accurate Global-scale
Location Estimation* (2021), section 3.4: DBSCAN by geodesic distance (epsilon 1 km, at least one
sample) over the K = 10 best matches; the largest cluster's mean is the answer, the first one's
where sizes are equal.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors
from sightline.geo.distance import geodesic_m, great_circle_m
from sightline.locating.evidence import (
    Evidence,
    Floats,
    Mask,
    Placement,
    as_evidence,
    evidence_weights,
    in_chunks,
    require_number,
)

Convention = Literal["visloc"]
Labels = NDArray[np.intp]

NOISE = -1
VISLOC_RADIUS_M = 6_371_000.0

# On WGS84 a metre of great circle (R = 6 371 008.8 m) is 0.9944 to 1.0045 m of geodesic: the
# extremes of the radii of curvature, 6 335 439 m (meridian at the equator) and 6 399 594 m (poles).
# Distances outside this band are decided without the ellipsoid.
ELLIPSOID_BAND = 0.006


def largest_cluster(
    coordinates: ArrayLike,
    scores: ArrayLike,
    *,
    epsilon_m: float = 1000.0,
    min_samples: int = 1,
    mean_exponent: float = 0.0,
    exponent: float = 10.0,
    convention: Convention | None = None,
) -> Placement:
    """Answer with the spherical mean of the largest cluster of matches.

    Of clusters of equal size the one that holds the best-scored match of them all wins. Where
    ``min_samples`` leaves no cluster, or a cluster has no middle (two antipodes), its best match is
    the answer.

    Args:
        coordinates: Degrees (n, k, 2), NaN for padding.
        scores: (n, k), higher is better.
        epsilon_m: Matches at most this far apart are neighbours.
        min_samples: Neighbours, itself included, that make a match a core of a cluster.
        mean_exponent: a of the weights ``max(s, 0) ** a`` in the mean; 0 is the plain mean.
        exponent: m of the evidence weights that are returned.
        convention: ``"visloc"`` repeats the published code (mever-team/visloc-estimation,
            ``spatial_clustering``): distances on a sphere of 6371 km, ties to the cluster of the
            first match, and a mean vector that is not brought back to unit length before its
            latitude is taken, which pulls wide clusters towards the equator.

    Returns:
        Points (n, 2) and the weight of every match (n, k) in the evidence.

    Raises:
        UsageError: The shapes do not fit, or a setting cannot be.
        CoordinateError: A coordinate is out of range.
    """
    require_number("mean_exponent", mean_exponent, at_least=0.0)
    evidence = as_evidence(coordinates, scores)
    labels = _labels(evidence, epsilon_m, min_samples, convention)
    if convention == "visloc":
        # Ties go by label there, not by score: ranks stand in for the scores.
        order = np.broadcast_to(-np.arange(labels.shape[1], dtype=np.float64), labels.shape)
    else:
        order = evidence.scores
    members = _winning_members(evidence, labels, order)
    middle = _mean_vector(evidence, members, mean_exponent)
    if convention == "visloc":
        points = _unnormalised_place(middle)
    else:
        points = _place(middle, evidence, members)
    return Placement(points, evidence_weights(evidence.scores, exponent))


def cluster_labels(
    coordinates: ArrayLike,
    *,
    epsilon_m: float = 1000.0,
    min_samples: int = 1,
    convention: Convention | None = None,
) -> Labels:
    """Run DBSCAN (Ester et al., 1996) on every row of a batch.

    A border match that several clusters reach belongs to the first of them; clusters are numbered
    in the order of their first core match, as scikit-learn does. With ``min_samples`` of 1 the
    clusters are the connected components.

    Args:
        coordinates: Degrees (n, k, 2), NaN for padding.
        epsilon_m: Matches at most this far apart, by geodesic, are neighbours.
        min_samples: Neighbours, itself included, that make a match a core.
        convention: ``"visloc"`` measures on a sphere of 6371 km.

    Returns:
        (n, k) cluster numbers from 0 in every row; -1 for noise and padding.

    Raises:
        UsageError: A setting cannot be.
        CoordinateError: A coordinate is out of range.
    """
    places = np.asarray(coordinates, dtype=np.float64)
    evidence = as_evidence(places, np.zeros(places.shape[:-1]))
    return _labels(evidence, epsilon_m, min_samples, convention)


def _labels(
    evidence: Evidence, epsilon_m: float, min_samples: int, convention: Convention | None
) -> Labels:
    require_number("epsilon_m", epsilon_m, at_least=0.0)
    require_number("min_samples", min_samples, at_least=1)
    if convention not in (None, "visloc"):
        raise UsageError(
            f"convention must be None or 'visloc'. Got {convention!r}.",
            hint="Leave the convention out for the method as the paper defines it.",
        )
    labels: Labels = np.full(evidence.valid.shape, NOISE, dtype=np.intp)
    for chunk in in_chunks(*evidence.valid.shape):
        near = _neighbours(
            evidence.coordinates[chunk], evidence.valid[chunk], epsilon_m, convention
        )
        labels[chunk] = _dbscan(near, min_samples)
    return labels


def _neighbours(
    places: Floats, valid: Mask, epsilon_m: float, convention: Convention | None
) -> Mask:
    """Return bool (n, k, k): which matches of a query lie within epsilon of each other."""
    filled = np.where(valid[..., None], places, 0.0)
    first, second = filled[:, :, None], filled[:, None, :]
    real = valid[:, :, None] & valid[:, None, :]
    distance = great_circle_m(first, second)
    if convention == "visloc":
        return np.asarray(real & (distance * (VISLOC_RADIUS_M / EARTH_RADIUS_M) <= epsilon_m))
    near = real & (distance <= epsilon_m)
    # A metre beside the band for the rounding of either distance; no distance to itself is rounded.
    undecided = real & (np.abs(distance - epsilon_m) <= ELLIPSOID_BAND * distance + 1e-3)
    undecided &= ~np.eye(valid.shape[1], dtype=bool)
    if undecided.any():
        query, left, right = np.nonzero(undecided)
        exact = geodesic_m(filled[query, left], filled[query, right])
        near[query, left, right] = exact <= epsilon_m
    return np.asarray(near)


def _dbscan(near: Mask, min_samples: int) -> Labels:
    """Label every row from its neighbourhoods, bool (n, k, k)."""
    width = near.shape[1]
    core = near.sum(axis=2) >= min_samples
    # Of one sample every match is a core, and nothing is a border.
    linked = near if min_samples == 1 else near & core[:, :, None] & core[:, None, :]
    first = _first_of_component(linked)
    begins = core & (first == np.arange(width))
    numbers = np.cumsum(begins, axis=1) - 1
    labels = np.where(core, _along_row(numbers, first), NOISE)
    if min_samples == 1:
        return labels
    reached = np.where(near & core[:, None, :], labels[:, None, :], width).min(axis=2)
    return np.where(core | (reached == width), labels, reached)


def _first_of_component(linked: Mask) -> Labels:
    """The first node (n, k) of the connected component of each, of n graphs, bool (n, k, k).

    Every node takes the least number among its neighbours, and then that node's own: the second
    step halves what is left of a long chain. Of the matches of one photo, which is what a server is
    asked, a graph of scipy's takes three times as long.
    """
    width = linked.shape[1]
    # Mostly one byte a pair: with eight, moving them would take longer than comparing.
    first = np.broadcast_to(np.arange(width, dtype=np.min_scalar_type(width)), linked.shape[:2])
    nothing = first.dtype.type(width)
    while True:
        least = np.minimum(first, np.where(linked, first[:, None, :], nothing).min(axis=2))
        jumped = _along_row(least, least)
        if np.array_equal(jumped, first):
            return first.astype(np.intp)
        first = jumped


def _along_row(values: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
    """``take_along_axis`` of (n, k) by (n, k); of a single photo that takes three times as long."""
    return np.asarray(values[np.arange(len(values))[:, None], columns])


def _winning_members(evidence: Evidence, labels: Labels, order: Floats) -> Mask:
    """Return bool (n, k): the largest cluster of each query, or its best match where all is noise.

    Args:
        evidence: The matches.
        labels: (n, k) cluster numbers.
        order: (n, k), the highest value of a tied cluster decides; equal ones by column.
    """
    sizes = np.zeros(labels.shape, dtype=np.intp)
    np.add.at(sizes, (np.nonzero(labels != NOISE)[0], labels[labels != NOISE]), 1)
    own_size = np.where(labels == NOISE, 0, _along_row(sizes, np.maximum(labels, 0)))
    tied = (own_size == own_size.max(axis=1, keepdims=True)) & (own_size > 0)
    chosen = np.where(tied, order, -np.inf).argmax(axis=1)
    winner = labels[np.arange(len(labels)), chosen]
    members = (labels == winner[:, None]) & (labels != NOISE)
    alone = np.arange(labels.shape[1]) == evidence.best()[:, None]
    return np.asarray(np.where(tied.any(axis=1, keepdims=True), members, alone) & evidence.valid)


def _mean_vector(evidence: Evidence, members: Mask, exponent: float) -> Floats:
    """Mean of the members' unit vectors (n, 3), weighted ``max(s, 0) ** exponent``."""
    if exponent > 0:
        weights = evidence_weights(np.where(members, evidence.scores, np.nan), exponent)
    else:
        weights = members / np.maximum(members.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.einsum("nk,nkd->nd", weights, evidence.unit_vectors()))


def _place(middle: Floats, evidence: Evidence, members: Mask) -> Floats:
    """Direction (n, 2) of the mean vectors; the best member where they have none."""
    points = Evidence(evidence.coordinates, evidence.scores, members).best_points()
    length = np.linalg.norm(middle, axis=1, keepdims=True)
    # Below this length the direction is rounding: the members cancel out.
    found = length[:, 0] > 1e-9
    points[found] = from_unit_vectors(middle[found] / length[found])
    return points


def _unnormalised_place(middle: Floats) -> Floats:
    """Place (n, 2) as the published code reads it: ``asin(z)`` of a vector shorter than one."""
    latitude = np.degrees(np.arcsin(np.clip(middle[:, 2], -1.0, 1.0)))
    longitude = np.degrees(np.arctan2(middle[:, 1], middle[:, 0]))
    points = np.stack([latitude, longitude], axis=1)
    return np.where((middle == 0).all(axis=1, keepdims=True), np.nan, points)
