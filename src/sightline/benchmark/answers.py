"""From neighbours and beliefs to places, by the methods of the papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sightline.benchmark.neighbours import Neighbours
from sightline.benchmark.seen import Floats, Queries
from sightline.geo.coordinates import EARTH_RADIUS_M, from_unit_vectors, unit_vectors
from sightline.locating import density_mode, largest_cluster

Kind = Literal["classification", "retrieval", "within cell", "guess"]

DEGREE_M = EARTH_RADIUS_M * np.pi / 180.0
"""One degree of a great circle, in metres: the unit of sigma in Vo et al. (2017)."""

SHORTEST_MEAN = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one method answers.

    Attributes:
        name: What the table calls it.
        kind: ``classification``, ``retrieval``, ``within cell`` (both), or ``guess`` (neither).
        points: (n, 2) degrees; NaN where there is no answer.
        by_radius: Other answers (n, 2) for some radii in kilometres, where the method has one for
            each; else empty.
        note: What to know of it.
    """

    name: str
    kind: Kind
    points: Floats
    by_radius: Mapping[float, Floats] = field(default_factory=dict)
    note: str = ""


def nearest(found: Neighbours) -> Floats:
    """The place of the nearest reference, (n, 2); NaN without any."""
    return found.places[:, 0].copy()


def density(found: Neighbours, sigma_m: float, k: int = 100, exponent: float = 10.0) -> Floats:
    """The densest place among the k nearest, (n, 2).

    Vo et al. (2017), equation 1, with their k = 100 and m = 10.

    Args:
        found: The neighbours.
        sigma_m: Standard deviation of a kernel in metres.
        k: How many neighbours.
        exponent: m of the weights ``s ** m``.
    """
    some = found.first(k)
    return density_mode(some.places, some.scores, sigma_m=sigma_m, exponent=exponent).points


def clusters(found: Neighbours, k: int = 10) -> Floats:
    """The mean of the largest cluster of the k nearest (1 km, at least one), (n, 2).

    Kordopatis-Zilos et al. (2021), section 3.4.
    """
    some = found.first(k)
    return largest_cluster(some.places, some.scores).points


def average(found: Neighbours, k: int = 10) -> Floats:
    """The mean on the sphere of the places of the k nearest, (n, 2); of antipodes the nearest's.

    Table 6 of Kordopatis-Zilos et al. (2021) compares with "a simple averaging of the image
    coordinates"; of coordinates in degrees that is wrong near the antimeridian.
    """
    some = found.first(k)
    there = ~np.isnan(some.scores)
    vectors = np.zeros((*there.shape, 3))
    vectors[there] = unit_vectors(some.places[there])
    sums = vectors.sum(axis=1)
    points = nearest(some)
    clear = np.linalg.norm(sums, axis=1) > SHORTEST_MEAN * np.maximum(there.sum(axis=1), 1)
    points[clear] = from_unit_vectors(sums[clear])
    return points


def or_representative(points: Floats, queries: Queries, partition: int) -> tuple[Floats, int]:
    """Answers within cells, and that of the classifier where the cell holds no reference.

    Args:
        points: (n, 2), NaN where nothing was found.
        queries: n photos.
        partition: Number of the partition that was searched.

    Returns:
        (n, 2), and for how many readable photos the classifier answers.
    """
    empty = np.isnan(points[:, 0])
    first = queries.beliefs[partition].representatives
    return np.where(empty[:, None], first, points), int((empty & ~queries.broken).sum())
