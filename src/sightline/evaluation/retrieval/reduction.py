"""Proportional search space reduction: how much of the world a model spares the searcher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.evaluation.retrieval.per_query import PerQuery, Ties, rank_of_best
from sightline.evaluation.retrieval.ranks import Ranks
from sightline.evaluation.uncertainty import statistic_of


def kept(ranks: Ranks, ties: Ties = "pessimistic") -> PerQuery:
    """How many references remain if a query's search may stop only at its best positive.

    Under "pessimistic", k_i of paper 001: every reference that is closer than the positive or as
    close, the positive included; further positives tied with the best are among them.

    Returns:
        (n,); all candidates for a query without a positive.
    """
    if ties == "pessimistic":
        remaining = ranks.better + ranks.tied + ranks.positives_tied + 1.0
    else:
        remaining = rank_of_best(ranks, ties)
    return np.where(ranks.positives > 0, remaining, ranks.candidates)


def pssr(ranks: Ranks, ties: Ties = "pessimistic") -> PerQuery:
    """Proportional search space reduction of each query; PSSR is the mean.

    ``PSSR = 1/n sum_i (m - k_i) / m`` (Debnath, Briassouli & Popa, paper 001, equation 2), m the
    number of references, which is n in the paper. Ties count against the model by definition; a
    model that maps everything to one point has 0, and a perfect one (m - 1) / m.

    Args:
        ranks: n queries.
        ties: ``"pessimistic"`` is the paper's.

    Returns:
        (n,) in [0, 1).
    """
    spared = ranks.candidates - kept(ranks, ties)
    return np.asarray(spared / np.maximum(ranks.candidates, 1))


def kept_share(ranks: Ranks, ties: Ties = "pessimistic") -> PerQuery:
    """Share of its candidates that each query keeps, (n,) in (0, 1]; 1 without a positive."""
    share = kept(ranks, ties) / np.maximum(ranks.candidates, 1)
    return np.where(ranks.positives > 0, share, 1.0)


def search_space_at_recall(
    ranks: Ranks, required: Sequence[float], ties: Ties = "pessimistic"
) -> list[float]:
    """Share of the references that must be kept so that a share of queries keeps its positive.

    Args:
        ranks: n queries.
        required: Shares of queries, in (0, 1].
        ties: How ties are ordered; "pessimistic" keeps what PSSR keeps.

    Returns:
        For each, the smallest share of references such that at least that share of queries finds
        its positive within it.

    Raises:
        EvaluationError: A share outside (0, 1].
    """
    shares = kept_share(ranks, ties)
    return [statistic_of(shares, share) for share in required]
