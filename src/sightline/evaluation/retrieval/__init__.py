"""Ranks with their ties, and the numbers that are made of them."""

from sightline.evaluation.retrieval.metrics import Metric, metrics_of
from sightline.evaluation.retrieval.ranks import PositiveCounts, Ranks, rank
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.retrieval.vectors import LanceColumn

__all__ = [
    "LanceColumn",
    "Metric",
    "PositiveCounts",
    "Ranks",
    "Relevance",
    "metrics_of",
    "rank",
]
