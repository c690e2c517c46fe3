"""Matches as evidence: what every method of this room takes in and hands out.

A batch of n queries with up to k matches each is two arrays: ``coordinates`` float64 (n, k, 2),
degrees, latitude first, and ``scores`` (n, k), higher is better, in [-1, 1]. Queries with fewer
matches are padded with NaN in either array, anywhere in the row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import as_coordinates, unit_vectors

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Pairs of matches held at once, so that memory does not grow with the number of queries: a megabyte
# an array, which stays in the processor's cache and in memory that the process has already.
PAIRS_AT_ONCE = 1 << 17


class Placement(NamedTuple):
    """Where a method puts n queries, and how much each match counts.

    Attributes:
        points: float64 (n, 2), degrees; NaN for a query without matches.
        weights: float64 (n, k), the share of the evidence of each match; a row sums to 1, or to 0
            for a query without matches. Padding weighs 0.
    """

    points: Floats
    weights: Floats


class Evidence(NamedTuple):
    """Checked arrays: ``coordinates`` (n, k, 2) and ``scores`` (n, k), NaN where not ``valid``."""

    coordinates: Floats
    scores: Floats
    valid: Mask

    def unit_vectors(self) -> Floats:
        """Return the places as float64 (n, k, 3); padding is all zeros, which is no place."""
        vectors = np.zeros((*self.valid.shape, 3))
        vectors[self.valid] = unit_vectors(self.coordinates[self.valid])
        return vectors

    def best(self) -> NDArray[np.intp]:
        """Return the column of the best score of each query (n,), the first of equal ones."""
        ranked = np.where(self.valid, self.scores, -np.inf)
        return np.asarray(ranked.argmax(axis=1))

    def best_points(self) -> Floats:
        """Return the place of each query's best match (n, 2), NaN for a query without matches."""
        return np.asarray(self.coordinates[np.arange(len(self.scores)), self.best()])


def as_evidence(coordinates: ArrayLike, scores: ArrayLike) -> Evidence:
    """Check a batch of matches.

    Args:
        coordinates: Degrees (n, k, 2), k >= 1; a NaN in a pair makes it padding.
        scores: (n, k); NaN makes padding.

    Returns:
        The same as float64, longitudes in [-180, 180), and which entries are real.

    Raises:
        UsageError: The shapes do not fit each other, or a score is infinite.
        CoordinateError: A latitude or longitude is out of range.
    """
    places = np.array(coordinates, dtype=np.float64)
    values = np.array(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1 or places.shape != (*values.shape, 2):
        raise UsageError(
            f"Coordinates must have shape (n, k, 2) and scores (n, k) with k >= 1. "
            f"Got {places.shape} and {values.shape}.",
            hint="Pass the coordinates and scores of one batch of matches.",
        )
    if np.isinf(values).any():
        raise UsageError(
            f"Scores must be finite, or NaN for padding. Got {values[np.isinf(values)][0]}.",
            hint="Pass similarities between -1 and 1.",
        )
    valid = ~(np.isnan(places).any(axis=2) | np.isnan(values))
    places[~valid] = np.nan
    values[~valid] = np.nan
    places[valid] = as_coordinates(places[valid], name="match coordinates")
    return Evidence(places, values, valid)


def evidence_weights(scores: ArrayLike, exponent: float = 10.0) -> Floats:
    """Turn scores into shares of the evidence: ``max(s, 0) ** m``, normalised.

    Vo et al., *Revisiting IM2GPS* (2017), equation 1, with m = ``exponent``. A negative similarity
    says nothing and counts 0; where all of a query's scores do, its matches count alike.

    Args:
        scores: (n, k), NaN for padding.
        exponent: m >= 0; 0 lets every match with a positive score count alike.

    Returns:
        float64 (n, k); a row sums to 1, or to 0 where there is padding only.

    Raises:
        UsageError: ``exponent`` is negative or not finite.
    """
    require_number("exponent", exponent, at_least=0.0)
    values = np.asarray(scores, dtype=np.float64)
    valid = ~np.isnan(values)
    positive = np.where(valid, np.clip(values, 0.0, None), 0.0)
    best = positive.max(axis=1, keepdims=True)
    # Relative to the best score, so that no power underflows for a whole row.
    relative = np.divide(positive, best, out=np.zeros_like(positive), where=best > 0)
    weights = np.where(relative > 0, relative**exponent, 0.0)
    weights = np.where(best > 0, weights, valid.astype(np.float64))
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def in_chunks(queries: int, matches: int) -> Iterator[slice]:
    """Yield slices of the queries whose k x k pairs of matches fit into bounded memory."""
    step = max(1, PAIRS_AT_ONCE // (matches * matches))
    for start in range(0, queries, step):
        yield slice(start, start + step)


def on_threads(work: Callable[[slice], None], parts: Sequence[slice]) -> None:
    """Call ``work`` with every part, on as many threads as there are processors.

    numpy lets other threads run while it computes. One part alone, as of a single photo, starts no
    thread.
    """
    if len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        # Asked for, so that an error of a part is raised.
        list(pool.map(work, parts))


def squared_chords(vectors: Floats) -> Floats:
    """Return squared chords (n, k, k) between the unit vectors (n, k, 3) of each query."""
    squared = np.zeros((*vectors.shape[:2], vectors.shape[1]))
    # Differences, not dot products: 1 - cos would lose everything below metres.
    for axis in range(3):
        squared += np.square(vectors[:, :, None, axis] - vectors[:, None, :, axis])
    return squared


def require_number(name: str, value: float, *, at_least: float, exclusive: bool = False) -> None:
    """Raise a UsageError unless ``value`` is finite and at least (or above) a bound."""
    fits = value > at_least if exclusive else value >= at_least
    if not (fits and np.isfinite(value)):
        relation = "above" if exclusive else "at least"
        raise UsageError(
            f"{name} must be a finite number, {relation} {at_least:g}. Got {value!r}.",
            hint=f"Choose another {name}.",
        )
