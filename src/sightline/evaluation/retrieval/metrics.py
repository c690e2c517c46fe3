"""The retrieval metrics by name, each per query, with what is made of the queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sightline.evaluation.retrieval.per_query import (
    PerQuery,
    Ties,
    average_precision,
    hit_rate,
    k_of_percent,
    rank_of_best,
    recall,
    reciprocal_rank,
)
from sightline.evaluation.retrieval.ranks import Ranks
from sightline.evaluation.retrieval.reduction import kept_share, pssr
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.uncertainty import Statistic, statistic_of

KS = (1, 5, 10)
PERCENTS = (1, 5, 10)
REQUIRED_RECALLS = (0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a retrieval.

    Attributes:
        name: As the document calls it.
        per_query: From ranks and a tie policy to one value per query (n,).
        statistic: What is made of them: their mean, their median, or the smallest value that a
            share of the queries reaches.
        ties: The policy of the headline.
    """

    name: str
    per_query: Callable[[Ranks, Ties], PerQuery]
    statistic: Statistic = "mean"
    ties: Ties = "expected"

    def value(self, ranks: Ranks, ties: Ties | None = None) -> float:
        """Return the number itself."""
        return statistic_of(self.per_query(ranks, ties or self.ties), self.statistic)


def metrics_of(ranks: Ranks, relevance: Relevance) -> list[Metric]:
    """Return the metrics that say something of these ranks, in the order they are read.

    The hit rate needs semi-positives, mean average precision several positives. Metrics of search
    space count ties against the model, as paper 001 defines PSSR; the others take the mean over the
    orders of the ties.
    """
    metrics = [
        Metric(name, partial(_recall, k=k)) for name, k in recall_depths(ranks.references).items()
    ]
    if len(relevance.semi_positives.members):
        metrics.append(Metric("hit_rate", hit_rate))
    metrics.append(Metric("mrr", reciprocal_rank))
    if ranks.every is not None and ranks.positives.max() > 1:
        metrics.append(Metric("map", average_precision))
    metrics.append(Metric("mean_rank", rank_of_best))
    metrics.append(Metric("median_rank", rank_of_best, "median"))
    metrics.append(Metric("pssr", pssr, ties="pessimistic"))
    spaces = (
        Metric(search_space_name(share), kept_share, share, "pessimistic")
        for share in REQUIRED_RECALLS
    )
    return [*metrics, *spaces]


def search_space_name(required: float) -> str:
    """Return what the share of references is called that keeps a share of queries' positives."""
    return f"search_space@{required * 100:g}%"


def recall_depths(references: int) -> dict[str, int]:
    """Return the k of each recall: 1, 5, 10, and 1, 5, 10 % of the references."""
    depths = {f"recall@{k}": k for k in KS}
    return depths | {f"recall@{p}%": k_of_percent(p, references) for p in PERCENTS}


def _recall(ranks: Ranks, ties: Ties, k: int) -> PerQuery:
    return recall(ranks, k, ties)
