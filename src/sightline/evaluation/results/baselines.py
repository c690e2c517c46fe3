"""What models that know nothing score on the same queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.evaluation.results.context import RetrievalSettings
from sightline.evaluation.retrieval.metrics import (
    REQUIRED_RECALLS,
    Metric,
    metrics_of,
    recall_depths,
    search_space_name,
)
from sightline.evaluation.retrieval.ranks import Ranks, rank
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.retrieval.vectors import Vectors
from sightline.evaluation.sanity import chance, constant_ranks

# So many queries tell what shuffled labels score.
_SHUFFLED_QUERIES = 2000


def baselines(
    queries: Vectors,
    references: Vectors,
    relevance: Relevance,
    settings: RetrievalSettings,
    ranks: Ranks,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """Return the scores of a random order, a constant model and shuffled labels, by metric."""
    required = {search_space_name(share): share for share in REQUIRED_RECALLS}
    random = chance(relevance, recall_depths(relevance.references), required)
    several = ranks.every is not None
    constant = constant_ranks(relevance, every_positive=several)
    names = [metric.name for metric in metrics_of(ranks, relevance)]
    return {
        "random": {name: random[name] for name in names if name in random},
        "constant": _values(metrics_of(constant, relevance), constant),
        "shuffled": _shuffled(queries, references, relevance, settings, several, rng),
    }


def _values(metrics: Sequence[Metric], ranks: Ranks) -> dict[str, float]:
    return {metric.name: metric.value(ranks) for metric in metrics}


def _shuffled(
    queries: Vectors,
    references: Vectors,
    relevance: Relevance,
    settings: RetrievalSettings,
    several: bool,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Scores of a sample of queries that are given the positives of others."""
    chosen = np.sort(rng.permutation(relevance.queries)[:_SHUFFLED_QUERIES])
    others = relevance.shuffled(rng).of_queries(chosen)
    ranks = rank(
        queries.take(chosen),
        references,
        others,
        distance=settings.distance,
        every_positive=several,
        device=settings.device,
    )
    return _values(metrics_of(ranks, relevance), ranks)
