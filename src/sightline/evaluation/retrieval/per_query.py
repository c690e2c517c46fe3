"""Retrieval metrics from ranks, per query, under three ways to order ties.

``"expected"`` is the mean over all orders of the ties, each as likely as the other: what a search
that breaks ties by chance would get. ``"optimistic"`` puts the query's own reference first among
its ties, as published code does that counts only strictly better scores; ``"pessimistic"`` last.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from sightline.errors import EvaluationError
from sightline.evaluation.retrieval.ranks import Ranks

Ties: TypeAlias = Literal["expected", "optimistic", "pessimistic"]
TIES: tuple[Ties, ...] = ("expected", "optimistic", "pessimistic")
PerQuery: TypeAlias = NDArray[np.float64]


def k_of_percent(percent: float, references: int) -> int:
    """Return the k of "recall at p %": ``max(1, floor(m p / 100))``.

    Args:
        percent: p, in (0, 100].
        references: m, at least 1.
    """
    # In whole thousandths of a per cent, because 0.07 * 100 is more than 7.
    return max(1, references * round(percent * 1000) // 100_000)


def recall(ranks: Ranks, k: int, ties: Ties = "expected") -> PerQuery:
    """Probability that a positive stands among the k nearest: Recall@k is its mean.

    With b others better, t tied, and c positives in the best positive's tie group of t + c, the
    first k hold s = k - b of the group; the chance that all s are others is
    ``prod_{i < c} (t + c - s - i) / (t + c - i)``.

    Args:
        ranks: n queries.
        k: At least 1; more than there are references is all of them.
        ties: How ties are ordered.

    Returns:
        (n,) in [0, 1]; 0 for a query without a positive.
    """
    if k < 1:
        raise EvaluationError(f"k must be at least 1. Got {k}.", hint="Recall@1 is the least.")
    return _hit(ranks, ranks.better, ranks.tied, k, ties)


def hit_rate(ranks: Ranks, ties: Ties = "expected") -> PerQuery:
    """Recall@1 with semi-positives left out: VIGOR's hit rate.

    A query is a hit if nothing but semi-positives stands before its positive (Zhu et al., *VIGOR*,
    CVPR 2021, section 5; FRGeo, paper 002, section 4.1).

    Returns:
        (n,) in [0, 1].
    """
    better = ranks.better - ranks.semi_better
    return _hit(ranks, better, ranks.tied - ranks.semi_tied, 1, ties)


def reciprocal_rank(ranks: Ranks, ties: Ties = "expected") -> PerQuery:
    """1 / rank of the best positive; its mean is the mean reciprocal rank.

    Returns:
        (n,) in [0, 1]; 0 for a query without a positive.
    """
    if ties != "expected":
        return _answerable(ranks, 1.0 / rank_of_best(ranks, ties))
    before = ranks.better.astype(np.float64)
    tied = ranks.tied.astype(np.float64)
    # Mean of 1 / r over r = b + 1 ... b + t + 1, by differences of harmonic numbers.
    values = np.where(
        tied > 0, (digamma(before + tied + 2) - digamma(before + 1)) / (tied + 1), 1 / (before + 1)
    )
    several = np.flatnonzero((ranks.positives_tied > 0) & (ranks.tied > 0))
    if len(several):
        # Queries with the same counts have the same mean; a collapsed model has few kinds.
        counts = np.stack([ranks.better, ranks.tied, ranks.positives_tied + 1], axis=1)[several]
        kinds, kind = np.unique(counts, axis=0, return_inverse=True)
        means = np.array([_mean_reciprocal(*row) for row in kinds.tolist()])
        values[several] = means[kind.ravel()]
    return _answerable(ranks, values)


def rank_of_best(ranks: Ranks, ties: Ties = "expected") -> PerQuery:
    """Rank of the best positive, from 1; for "expected" the mean over all orders of the ties.

    Returns:
        (n,); a query without a positive has the number of its candidates plus 1.
    """
    first = np.asarray(ranks.better + 1.0, np.float64)
    if ties == "optimistic":
        return first
    if ties == "pessimistic":
        return np.asarray(first + ranks.tied)
    return np.asarray(first + ranks.tied / (ranks.positives_tied + 2.0))


def average_precision(ranks: Ranks, ties: Ties = "expected") -> PerQuery:
    """Mean over a query's positives of the precision at each; its mean over queries is mAP.

    Under "expected", the exact mean over the orders of the ties (McSherry & Najork, *Computing
    Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores*, ECIR
    2008, equation for average precision): a tie group of n references, r of them positives, after N
    references with R positives, adds ``(r / n) sum_i (R + 1 + (i - 1)(r - 1)/(n - 1)) / (N + i)``.

    Args:
        ranks: Made with ``every_positive=True``.
        ties: How ties are ordered.

    Returns:
        (n,) in [0, 1]; 0 for a query without a positive.

    Raises:
        EvaluationError: The counts of every positive are not there.
    """
    if ranks.every is None:
        raise EvaluationError(
            "Average precision needs the counts of every positive.",
            hint="Rank with every_positive=True.",
        )
    every = ranks.every
    owners = np.repeat(np.arange(ranks.queries), ranks.positives)
    starts = np.cumsum(ranks.positives) - ranks.positives
    place = np.arange(len(owners)) - starts[owners]  # positives before this one
    keys = owners * (len(owners) + 1) + every.group
    _, first, size = np.unique(keys, return_index=True, return_counts=True)
    if ties == "expected":
        gains = _expected_gains(place[first], size, every.better[first], every.tied[first])
        owner = owners[first]
    else:
        shift = every.tied if ties == "pessimistic" else np.zeros_like(every.tied)
        gains = (place + 1.0) / (every.better + shift + place + 1.0)
        owner = owners
    sums = np.bincount(owner, gains, minlength=ranks.queries)
    return np.asarray(sums / np.maximum(ranks.positives, 1))


def _expected_gains(
    earlier: NDArray[np.int64],
    positives: NDArray[np.int64],
    better: NDArray[np.int64],
    tied: NDArray[np.int64],
) -> NDArray[np.float64]:
    """McSherry & Najork's sum for each tie group, closed by harmonic numbers."""
    size = (positives + tied).astype(np.float64)
    before = (earlier + better).astype(np.float64)
    slope = np.where(size > 1, (positives - 1) / np.maximum(size - 1, 1), 0.0)
    constant = earlier + 1 - slope * (before + 1)
    harmonic = digamma(before + size + 1) - digamma(before + 1)
    return np.asarray(positives / size * (slope * size + constant * harmonic))


def _hit(
    ranks: Ranks, better: NDArray[np.int64], tied: NDArray[np.int64], k: int, ties: Ties
) -> PerQuery:
    if ties == "optimistic":
        hit = (better < k).astype(np.float64)
    elif ties == "pessimistic":
        hit = (better + tied < k).astype(np.float64)
    else:
        positives = ranks.positives_tied + 1
        group = tied + positives
        taken = np.clip(k - better, 0, group)
        # The product over positives and the one over places are the same; the shorter is taken.
        short, long = np.minimum(positives, taken), np.maximum(positives, taken)
        miss = np.ones(ranks.queries)
        for index in range(int(short.max(initial=0))):
            share = np.maximum(group - long - index, 0) / np.maximum(group - index, 1)
            miss = np.where(index < short, miss * share, miss)
        # Without further positives, as a quotient: 1 - miss would leave a rounding error.
        hit = np.where(ranks.positives_tied == 0, taken / group, 1.0 - miss)
    return _answerable(ranks, hit)


def _mean_reciprocal(before: int, tied: int, positives: int) -> float:
    """Mean of 1 / rank of the first of several positives among their ties."""
    ahead = np.arange(tied + 1.0)
    group = tied + positives

    def log_choose(n: NDArray[np.float64] | int, k: int) -> NDArray[np.float64]:
        return np.asarray(
            gammaln(np.add(n, 1.0)) - gammaln(k + 1.0) - gammaln(np.subtract(n, k) + 1)
        )

    first = np.exp(log_choose(group - ahead - 1, positives - 1) - log_choose(group, positives))
    return float((first / (before + ahead + 1)).sum())


def _answerable(ranks: Ranks, values: PerQuery) -> PerQuery:
    return np.where(ranks.positives > 0, values, 0.0)
