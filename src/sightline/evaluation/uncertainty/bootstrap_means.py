"""Means of bootstrap resamples, without drawing every query of every resample.

A bootstrap of 10,000 resamples over 100,000 queries is a thousand million draws. What a mean sees
of them is only how often each distinct value was drawn, and that is what is drawn here.

Reference: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

ATOMS = 256
"""How many distinct values a mean is resampled over; more than these are gathered into as many."""

_NUMBERS_AT_ONCE = 2_000_000


def resampled_means(
    values: Floats, labels: Labels | None, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return the mean of each bootstrap resample.

    How often each distinct value is drawn follows a multinomial distribution, which is drawn from.
    With at most :data:`ATOMS` distinct values (recall and other shares of queries) this is the
    bootstrap itself. More values are gathered into :data:`ATOMS` atoms, splitting wherever the sum
    of squares within is greatest; how often each atom is drawn is exact, and one normal number
    stands for what differs within atoms, with exactly the variance that this has given the counts.
    Mean and variance of the result are thus those of the bootstrap. Only the skewness and higher
    moments within atoms are lost: a share of about 1 / ATOMS², or 1 / ATOMS with more groups than
    atoms, which are then gathered by sum and size. 10,000 resamples leave a Monte Carlo error of
    1 / 100 in any quantile.

    Args:
        values: (n,), finite, n > 0.
        labels: (n,), group numbers from 0 without gaps: whole groups are drawn, as many as there
            are, and the mean is that of all drawn values (their sum over their number). None to
            draw single values.
        resamples: How many.
        rng: What to draw with.

    Returns:
        float64 (resamples,).
    """
    if labels is None:
        atoms = _atoms(np.sort(values)[:, None])
        sums = np.empty(resamples)
        for block, counts in _counts(atoms.shares, len(values), resamples, rng):
            sums[block] = counts @ atoms.means[:, 0] + atoms.within(counts, rng)
        return sums / len(values)
    # Sorted first, so that sums do not depend on the order of the queries.
    order = np.lexsort((values, labels))
    sizes = np.bincount(labels)
    totals = np.add.reduceat(values[order], np.cumsum(sizes) - sizes)
    mean = totals.sum() / sizes.sum()
    # A ratio of sums is its value plus the sum of residuals over the sum of sizes. Their atoms are
    # in two dimensions; within an atom only residuals vary to first order.
    points = np.column_stack([totals - mean * sizes, sizes])
    atoms = _atoms(points[np.lexsort((points[:, 1], points[:, 0]))])
    ratios = np.empty(resamples)
    for block, counts in _counts(atoms.shares, len(sizes), resamples, rng):
        residuals, drawn = (counts @ atoms.means).T
        ratios[block] = mean + (residuals + atoms.within(counts, rng)) / drawn
    return ratios


@dataclass(frozen=True, slots=True, eq=False)
class _Atoms:
    """What may be drawn: k parts of the points.

    Attributes:
        shares: (k,), share of the points in each, summing to 1.
        means: (k, d), mean of each.
        variances: (k,), of the first dimension within each, in units of ``scale`` squared.
        scale: Its greatest distance from the mean.
    """

    shares: Floats
    means: Floats
    variances: Floats
    scale: float

    def within(self, counts: Floats, rng: np.random.Generator) -> Floats:
        """Draw by how much sums of the first dimension differ from the sums of atoms' means."""
        if not self.variances.any():
            return np.zeros(len(counts))
        deviations = self.scale * np.sqrt(counts @ self.variances)
        return np.asarray(deviations * rng.standard_normal(len(counts)))


def _atoms(points: Floats) -> _Atoms:
    """Gather sorted points (m, d) into at most ``ATOMS`` atoms, equal points if these suffice."""
    first = np.append(0, 1 + np.flatnonzero((points[1:] != points[:-1]).any(axis=1)))
    if len(first) <= ATOMS:
        shares = np.diff(first, append=len(points)) / len(points)
        return _Atoms(shares, points[first], np.zeros(len(first)), 1.0)
    scale = np.abs(points - points.mean(axis=0)).max(axis=0)
    # A dimension in which all points are equal.
    scale[scale == 0.0] = 1.0
    parts = _split(points, scale)
    # The mean of equal numbers is that number, and not what rounding makes of it.
    means = [
        np.where(part.min(axis=0) == part.max(axis=0), part[0], part.mean(axis=0)) for part in parts
    ]
    variances = [
        (((part[:, 0] - mean[0]) / scale[0]) ** 2).mean()
        for part, mean in zip(parts, means, strict=True)
    ]
    shares = np.array([len(part) for part in parts]) / len(points)
    return _Atoms(shares, np.array(means), np.array(variances), float(scale[0]))


def _split(points: Floats, scale: Floats) -> list[Floats]:
    """Split points into ``ATOMS`` parts, each time the one with the greatest sum of squares."""
    number = itertools.count()

    def queued(part: Floats) -> tuple[float, int, int, Floats]:
        spread = (((part - part.mean(axis=0)) / scale) ** 2).sum(axis=0)
        # Equal points whose mean is rounded have a spread of rounding errors.
        spread[part.min(axis=0) == part.max(axis=0)] = 0.0
        axis = int(spread.argmax())
        return -float(spread[axis]), next(number), axis, part

    queue = [queued(points)]
    while len(queue) < ATOMS and queue[0][0] < 0.0:
        _, _, axis, part = heapq.heappop(queue)
        along = part[:, axis]
        # Neither side may be empty, however the mean of two neighbouring floats is rounded.
        middle = np.clip(along.mean(), along.min(), np.nextafter(along.max(), -np.inf))
        for side in (along <= middle, along > middle):
            heapq.heappush(queue, queued(part[side]))
    return [part for *_, part in queue]


def _counts(
    shares: Floats, draws: int, resamples: int, rng: np.random.Generator
) -> Iterator[tuple[slice, Floats]]:
    """Draw how often each of k atoms is met in ``draws`` draws, some resamples at a time."""
    step = max(1, _NUMBERS_AT_ONCE // len(shares))
    for start in range(0, resamples, step):
        block = slice(start, min(start + step, resamples))
        counts = rng.multinomial(draws, shares, size=block.stop - block.start)
        yield block, counts.astype(np.float64)
