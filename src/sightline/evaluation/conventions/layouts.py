"""How published functions write down what they have counted: their keys, units and rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError
from sightline.evaluation.conventions.outcome import Outcome
from sightline.evaluation.retrieval.ranks import Ranks

Native: TypeAlias = "bool | int | float | list[Native] | dict[str, Native] | None"


def _number(outcome: Outcome) -> Native:
    (metric,) = outcome.function.metrics
    return outcome.written(metric)


def _list(outcome: Outcome) -> Native:
    return [outcome.written(metric) for metric in outcome.function.metrics]


def _series(outcome: Outcome) -> Native:
    longest = outcome.function.last_rank("recall@1%", outcome.references)
    counts = np.bincount(np.minimum(outcome.places, longest + 1), minlength=longest + 2)
    found = np.cumsum(counts)[: longest + 1]
    return [int(hits) / outcome.queries for hits in found]


def _printed(outcome: Outcome) -> Native:
    names = {
        "recall@1": "Recall@1",
        "recall@5": "Recall@5",
        "recall@10": "Recall@10",
        "recall@1%": "Recall@top1",
        "hit_rate": "Hit_Rate",
    }
    reported = {names[metric]: metric for metric in outcome.function.metrics}
    printed: dict[str, Native] = {
        name: float(f"{outcome.written(metric):.4f}") for name, metric in reported.items()
    }
    counts: dict[str, Native] = {name: outcome.hits[metric] for name, metric in reported.items()}
    return {**printed, "returned_R@1": outcome.written("recall@1"), "counts": counts}


def _places(outcome: Outcome) -> Native:
    values: list[Native] = [outcome.written(metric) for metric in outcome.hits]
    return {"testing": "recall@500" not in outcome.hits, "values": values}


def _four_recalls(outcome: Outcome) -> dict[str, Native]:
    names = {"R1": "recall@1", "R5": "recall@5", "R10": "recall@10", "R1pct": "recall@1%"}
    return {name: outcome.written(metric) for name, metric in names.items()}


def _statistics(outcome: Outcome) -> Native:
    return {
        **_four_recalls(outcome),
        "mean_rank": float(np.mean(outcome.places)),
        "median_rank": float(np.median(outcome.places)),
    }


def _cmc(outcome: Outcome) -> Native:
    return {
        **_four_recalls(outcome),
        "AP": outcome.average_precision / outcome.queries * 100,
        "k1pct_index": outcome.function.last_rank("recall@1%", outcome.references) - 1,
        "skipped": outcome.skipped,
    }


LAYOUTS: dict[str, Callable[[Outcome], Native]] = {
    "number": _number,
    "list": _list,
    "both ways": _list,
    "series": _series,
    "printed": _printed,
    "places": _places,
    "statistics": _statistics,
    "cmc": _cmc,
}


def kept_shares(reverse: Ranks) -> NDArray[np.float64]:
    """Share (m,) of the queries that are as close to a reference as its own, its own included."""
    return np.asarray((1 + reverse.better + reverse.tied) / reverse.references)


def search_space(kept: NDArray[np.float64], pair_distances: ArrayLike | None) -> Native:
    """Return what image-locate's ``proportional_search_space_reduction`` does.

    Args:
        kept: Share (m,) that each reference keeps.
        pair_distances: Euclidean distance (m,) of each pair; None for no boundaries.

    Raises:
        EvaluationError: Another number of distances, or one that is not finite.
    """
    shares: list[Native] = [float(kept.mean()), float(kept.max()), float(kept.min())]
    if pair_distances is None:
        return [*shares, None, None, None]
    distances = np.asarray(pair_distances, dtype=np.float64)
    if distances.shape != kept.shape or not np.isfinite(distances).all():
        raise EvaluationError(
            f"pair_distances must be {len(kept)} finite numbers. Got shape {distances.shape}.",
            hint="Give the Euclidean distance of each pair.",
        )
    # Squared after the root, as the published code does: that rounds differently.
    squares = distances**2
    return [*shares, float(squares.mean()), float(squares.max()), float(squares.min())]
