"""What a model that knows nothing would score.

Two of them. A random order of the references has scores in closed form, given here. A model that
maps everything to one point ties all references: its ranks go through the same metrics as any
other's, and under the expected order of ties they must give the scores of the random order (PSSR
apart, which counts ties against the model: 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from sightline.evaluation.retrieval.ranks import PositiveCounts, Ranks
from sightline.evaluation.retrieval.relevance import Relevance

Counts = NDArray[np.int64]
Doubles = NDArray[np.float64]

# Sums of probabilities that should be a half, or 0.95, may be a hair less.
_SLACK = 1e-12


def chance(
    relevance: Relevance,
    ks: Mapping[str, int],
    required: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the expected scores of a random order, each as likely as the other.

    With p positives among c candidates (references that are not ignored), the first positive
    stands at rank R with ``P(R > k) = C(c - p, k) / C(c, k)``: drawing k without a hit is
    hypergeometric. Then

    * Recall@k is ``1 - P(R > k)``, and the hit rate Recall@1 without the semi-positives;
    * the mean rank is ``(c + 1) / (p + 1)``, and the mean reciprocal rank ``sum_r P(R = r) / r``;
    * average precision is ``(H_c + (p - 1)(c - H_c) / (c - 1)) / c``, with ``H_c`` the c-th
      harmonic number: a reference at rank i is right with probability p / c, and then the i - 1
      before it hold (i - 1)(p - 1) / (c - 1) others that are (Bestgen, *Exact Expected Average
      Precision of the Random Baseline for System Evaluation*, PBML 103, 2015);
    * PSSR is ``1 - (c + 1) / (c (p + 1))``, nothing being tied.

    Args:
        relevance: What is right for each query. A query without a positive scores as the metrics
            score it: a miss, at the rank after its last candidate.
        ks: The k of each recall that is wanted, by the metric's name.
        required: Of each search space that is wanted, the share of queries that must keep their
            positive, by the metric's name.

    Returns:
        By metric: those of ``ks`` and ``required``, ``mrr``, ``mean_rank``, ``median_rank`` (of
        the rank of a random query in a random order; the middle of the two if there are two) and
        ``pssr``; ``hit_rate`` where there are semi-positives, and ``map`` where a query has several
        positives.
    """
    draws = _Draws.of(relevance)
    scores = {name: draws.mean(1.0 - draws.missed(k)) for name, k in ks.items()}
    if len(relevance.semi_positives.members):
        scores["hit_rate"] = draws.mean(_share(draws.positives, draws.candidates - draws.semi))
    scores["mrr"] = draws.mean(_reciprocal_ranks(draws))
    if (draws.positives > 1).any():
        scores["map"] = draws.mean(_average_precision(draws))
    scores["mean_rank"] = draws.mean((draws.candidates + 1) / (draws.positives + 1))
    scores["median_rank"] = _median_rank(draws)
    kept = _share(draws.candidates + 1, draws.candidates * (draws.positives + 1))
    scores["pssr"] = draws.mean(np.where(draws.positives > 0, 1.0 - kept, 0.0))
    for name, share in (required or {}).items():
        units = np.maximum(draws.candidates, 1)
        scores[name] = _quantile(draws, units, units, share)
    return scores


def constant_ranks(relevance: Relevance, *, every_positive: bool = False) -> Ranks:
    """Return the ranks of a model that maps everything to one point: all others are tied.

    Args:
        relevance: What is right for each query.
        every_positive: Whether average precision is wanted.
    """
    positives = relevance.positives.lengths
    candidates = relevance.references - relevance.ignored.lengths
    others, answerable = candidates - positives, positives > 0
    return Ranks(
        references=relevance.references,
        candidates=candidates,
        positives=positives,
        better=np.where(answerable, 0, others),
        tied=np.where(answerable, others, 0),
        positives_tied=np.maximum(positives - 1, 0),
        semi_better=np.where(answerable, 0, relevance.semi_positives.lengths),
        semi_tied=np.where(answerable, relevance.semi_positives.lengths, 0),
        tie_tolerance=0.0,
        every=_constant_counts(relevance, others) if every_positive else None,
    )


def _constant_counts(relevance: Relevance, others: Counts) -> PositiveCounts:
    owners, members = relevance.positives.owners, relevance.positives.members
    tied_before = members.copy()
    for query in range(relevance.queries):
        own = slice(*relevance.positives.starts[query : query + 2])
        left_out = np.union1d(members[own], relevance.ignored.of(query))
        tied_before[own] -= np.searchsorted(left_out, members[own])
    nothing = np.zeros_like(members)
    return PositiveCounts(members, nothing, others[owners], tied_before, nothing)


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """The different draws that queries stand for, each with the number of queries.

    Attributes:
        candidates: int64 (g,), c.
        positives: int64 (g,), p.
        semi: int64 (g,), semi-positives among the candidates.
        queries: int64 (g,), how many queries are such a draw.
    """

    candidates: Counts
    positives: Counts
    semi: Counts
    queries: Counts

    @classmethod
    def of(cls, relevance: Relevance) -> _Draws:
        candidates = relevance.references - relevance.ignored.lengths
        semi = relevance.semi_positives.lengths
        kinds = np.stack([candidates, relevance.positives.lengths, semi], axis=1)
        kinds, queries = np.unique(kinds, axis=0, return_counts=True)
        return cls(kinds[:, 0], kinds[:, 1], kinds[:, 2], queries)

    def mean(self, values: Doubles) -> float:
        """Mean over queries of a value per draw."""
        return float(np.average(values, weights=self.queries))

    def missed(self, k: int | Counts) -> Doubles:
        """P(R > k), (g,): no positive among the first k."""
        drawn = np.minimum(np.broadcast_to(k, self.candidates.shape), self.candidates)
        # C(c - p, k) / C(c, k) is the same with p and k exchanged; the shorter product is taken.
        short, long = np.minimum(drawn, self.positives), np.maximum(drawn, self.positives)
        missed = np.ones(len(self.candidates))
        for index in range(int(short.max(initial=0))):
            factor = np.maximum(self.candidates - long - index, 0)
            missed *= np.where(index < short, factor / np.maximum(self.candidates - index, 1), 1.0)
        return missed


def _share(part: Counts, whole: Counts) -> Doubles:
    return np.asarray(part / np.maximum(whole, 1))


def _reciprocal_ranks(draws: _Draws) -> Doubles:
    # With one positive, the mean of 1/1 ... 1/c.
    single = (digamma(draws.candidates + 1.0) + np.euler_gamma) / np.maximum(draws.candidates, 1)
    values = np.where(draws.positives == 1, single, 0.0)
    for index in np.flatnonzero(draws.positives > 1):
        count, right = int(draws.candidates[index]), int(draws.positives[index])
        ranks = np.arange(1, count - right + 2)
        # P(R = r + 1) / P(R = r) = (c - p - r + 1) / (c - r).
        steps = (count - right - ranks[:-1] + 1) / (count - ranks[:-1])
        first = right / count * np.cumprod(np.concatenate([[1.0], steps]))
        values[index] = (first / ranks).sum()
    return values


def _average_precision(draws: _Draws) -> Doubles:
    count = draws.candidates.astype(np.float64)
    harmonic = digamma(count + 1.0) + np.euler_gamma
    companions = (draws.positives - 1) / np.maximum(count - 1, 1)
    values = (harmonic + companions * (count - harmonic)) / np.maximum(count, 1)
    return np.where(draws.positives > 0, values, 0.0)


def _median_rank(draws: _Draws) -> float:
    ones, last = np.ones_like(draws.candidates), draws.candidates + 1
    low = _quantile(draws, ones, last, 0.5)
    return (low + _quantile(draws, ones, last, 0.5 + 2 * _SLACK)) / 2


def _quantile(draws: _Draws, units: Counts, last: Counts, share: float) -> float:
    """Smallest x such that at least ``share`` of random ranks are at most x units of their draw.

    Args:
        draws: g draws.
        units: (g,), in what the ranks of a draw are measured.
        last: (g,), the rank of a draw without a positive.
        share: In (0, 1].
    """

    def ranks(x: float) -> Counts:
        return np.asarray(np.floor(x * units + 1e-9), np.int64)

    def reached(x: float) -> bool:
        within = np.where(draws.positives > 0, 1.0 - draws.missed(ranks(x)), ranks(x) >= last)
        return draws.mean(within) >= share - _SLACK

    low, high = 0.0, float((last / units).max())
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    # Ranks are whole: x is the last one that was passed.
    return float((ranks(high) / units).max())
