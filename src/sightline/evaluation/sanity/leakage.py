"""Do queries and references share what they must not: the same photo, the same spot?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from sightline.errors import EvaluationError
from sightline.geo.coordinates import as_coordinates, unit_vectors
from sightline.geo.distance import great_circle_m

_EXAMPLES = 5

# Axes count as exchanged if that brings queries, which lie this far from any reference, so many
# times nearer.
_FAR_M = 100_000.0
_TIMES_NEARER = 100.0


@dataclass(frozen=True, slots=True)
class Leak:
    """Queries that share something with a reference.

    Attributes:
        queries: How many queries do.
        examples: Some of them, (query, reference), in the order of the queries.
    """

    queries: int
    examples: tuple[tuple[int, int], ...]

    @classmethod
    def of_first(cls, queries: NDArray[np.int64], references: NDArray[np.int64]) -> Leak:
        """Count pairs of a query and one reference each."""
        pairs = zip(queries[:_EXAMPLES].tolist(), references[:_EXAMPLES].tolist(), strict=True)
        return cls(len(queries), tuple(pairs))


def same_content(query_hashes: ArrayLike, reference_hashes: ArrayLike) -> Leak:
    """Find queries whose content is that of a reference.

    Args:
        query_hashes: (n,) text, bytes or whole numbers, or (n, b) bytes as numbers. Empty text is
            no hash.
        reference_hashes: (m,) or (m, b), of the same kind. Digests of vectors
            (:attr:`Collapse.digests`) do where content has no hash: photos that a model gives the
            very same numbers are most likely one file.

    Raises:
        EvaluationError: They are of no such kind, or not of the same.
    """
    asked = _hashes(query_hashes, "query_hashes")
    given = _hashes(reference_hashes, "reference_hashes")
    if asked.dtype.kind != given.dtype.kind:
        raise EvaluationError(
            f"query_hashes are {asked.dtype} and reference_hashes are {given.dtype}, so that none "
            "can be equal.",
            hint="Hash both sides in the same way.",
        )
    _, codes = np.unique(np.concatenate([asked, given]), return_inverse=True)
    first = np.full(len(codes), -1)
    # Backwards, so that the first reference of each hash remains.
    first[codes[len(asked) :][::-1]] = np.arange(len(given))[::-1]
    match = first[codes[: len(asked)]]
    hashed = asked != asked.dtype.type() if asked.dtype.kind in "US" else True
    found = np.flatnonzero((match >= 0) & hashed)
    return Leak.of_first(found, match[found])


def same_place(query_latlon: ArrayLike, reference_latlon: ArrayLike, radius_m: float) -> Leak:
    """Find queries that were taken within ``radius_m`` of a reference.

    Among photos from the ground that flatters: the model recognises a spot it has seen. Among
    aerial references it is what is asked for.

    Args:
        query_latlon: (n, 2) degrees, latitude first.
        reference_latlon: (m, 2) degrees.
        radius_m: Metres of great circle, inclusive; 0 finds only the very same coordinates.

    Returns:
        The queries, each with its nearest reference.

    Raises:
        CoordinateError: A place is out of range.
        EvaluationError: The radius is negative or not finite.
    """
    if not (np.isfinite(radius_m) and radius_m >= 0.0):
        raise EvaluationError(
            f"The radius of one place must be a number of metres, 0 or more. Got {radius_m!r}.",
            hint="5 m is about what a GPS receiver can tell apart.",
        )
    asked = as_coordinates(query_latlon, name="query_latlon")
    given = as_coordinates(reference_latlon, name="reference_latlon")
    number, distance_m = _nearest(asked, given)
    found = np.flatnonzero(distance_m <= radius_m)
    return Leak.of_first(found, number[found])


def places_look_swapped(query_latlon: ArrayLike, reference_latlon: ArrayLike) -> bool:
    """Say whether latitude and longitude of one side look exchanged.

    They do if most queries lie far from every reference, and near one once the two are exchanged.
    Where both sides are exchanged, or the exchange gives no place, this cannot see it.

    Raises:
        CoordinateError: A place is out of range.
    """
    asked = as_coordinates(query_latlon, name="query_latlon")
    given = as_coordinates(reference_latlon, name="reference_latlon")
    turned = asked[:, ::-1]
    if not len(asked) or not len(given) or (np.abs(turned[:, 0]) > 90.0).any():
        return False
    as_given_m = np.median(_nearest(asked, given)[1])
    as_turned_m = np.median(_nearest(turned, given)[1])
    return bool(as_given_m >= _FAR_M and as_turned_m * _TIMES_NEARER <= as_given_m)


def _nearest(
    asked: NDArray[np.float64], given: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest reference of each query, and its distance in metres; inf for none."""
    if not len(given):
        return np.zeros(len(asked), np.int64), np.full(len(asked), np.inf)
    _, number = cKDTree(unit_vectors(given)).query(unit_vectors(asked))
    number = np.asarray(number, np.int64)
    return number, great_circle_m(asked, given[number])


def _hashes(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return one text, one string of bytes or one whole number for each photo."""
    array = np.asarray(value)
    if array.ndim == 2 and array.shape[1] and array.dtype.kind in "iu":
        rows = np.ascontiguousarray(array, np.int64)
        return rows.view(f"S{8 * rows.shape[1]}").ravel()
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise EvaluationError(
            f"{name} must be text or whole numbers, one for each photo. Got {array.dtype} of shape "
            f"{array.shape}.",
            hint="Save hashes as text: hashlib.sha256(data).hexdigest().",
        )
    return array.astype(np.int64) if array.dtype.kind in "iu" else array
