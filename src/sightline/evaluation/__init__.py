"""Scores that cannot flatter, for anyone's embeddings and answers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.evaluation.archives import Archive, read_archive
    from sightline.evaluation.localization import (
        LocalizationSettings,
        Predictions,
        read_predictions,
    )
    from sightline.evaluation.results.archive import evaluate_archive
    from sightline.evaluation.results.comparison import Comparison, compare
    from sightline.evaluation.results.context import Context, RetrievalSettings
    from sightline.evaluation.results.localization import LocalizationResult, evaluate_localization
    from sightline.evaluation.results.localization_comparison import compare_localization
    from sightline.evaluation.results.retrieval import RetrievalResult, evaluate_retrieval
    from sightline.evaluation.results.retrieval_comparison import compare_retrieval
    from sightline.evaluation.retrieval import LanceColumn, Ranks, Relevance, rank

__all__ = [
    "Archive",
    "Comparison",
    "Context",
    "LanceColumn",
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
    "evaluate_archive",
    "evaluate_localization",
    "evaluate_retrieval",
    "rank",
    "read_archive",
    "read_predictions",
]


# The light rooms first: importing torch takes seconds, and scoring a table of answers needs none.
_ROOMS = (
    "localization",
    "results.comparison",
    "results.localization",
    "results.localization_comparison",
    "archives",
    "retrieval",
    "results.retrieval",
    "results.retrieval_comparison",
    "results.archive",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for room in _ROOMS:
            module = import_module(f"{__name__}.{room}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
