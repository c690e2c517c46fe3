"""Scores that cannot flatter, for anyone's embeddings and answers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.evaluation.archives import Archive, read_archive
    from sightline.evaluation.comparison import Comparison, compare, compare_localization
    from sightline.evaluation.localization import LocalizationSettings
    from sightline.evaluation.localization_result import LocalizationResult, evaluate_localization
    from sightline.evaluation.predictions import Predictions
    from sightline.evaluation.ranks import Ranks, rank
    from sightline.evaluation.relevance import Relevance
    from sightline.evaluation.retrieval_evaluation import (
        Context,
        RetrievalResult,
        RetrievalSettings,
        compare_retrieval,
        evaluate_retrieval,
    )
    from sightline.evaluation.tables import read_predictions

_HOMES = {
    "Archive": "archives",
    "Comparison": "comparison",
    "Context": "retrieval_evaluation",
    "LocalizationResult": "localization_result",
    "LocalizationSettings": "localization",
    "Predictions": "predictions",
    "Ranks": "ranks",
    "Relevance": "relevance",
    "RetrievalResult": "retrieval_evaluation",
    "RetrievalSettings": "retrieval_evaluation",
    "compare": "comparison",
    "compare_localization": "comparison",
    "compare_retrieval": "retrieval_evaluation",
    "evaluate_localization": "localization_result",
    "evaluate_retrieval": "retrieval_evaluation",
    "rank": "ranks",
    "read_archive": "archives",
    "read_predictions": "tables",
}

__all__ = [
    "Archive",
    "Comparison",
    "Context",
    "LocalizationResult",
    "LocalizationSettings",
    "Predictions",
    "Ranks",
    "Relevance",
    "RetrievalResult",
    "RetrievalSettings",
    "compare",
    "compare_localization",
    "compare_retrieval",
    "evaluate_localization",
    "evaluate_retrieval",
    "rank",
    "read_archive",
    "read_predictions",
]


def __getattr__(name: str) -> object:
    # Importing torch takes seconds; scoring a table of answers does not need it.
    if name in _HOMES:
        return getattr(import_module(f"sightline.evaluation.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
