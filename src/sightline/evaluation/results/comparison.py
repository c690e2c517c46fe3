"""Two systems on the same queries: what they differ by, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import EvaluationError
from sightline.evaluation.results.schema import SCHEMA
from sightline.evaluation.uncertainty import (
    CONFIDENCE,
    RESAMPLES,
    PairedResult,
    holm,
    paired_test,
)
from sightline.version import __version__

_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One metric of two systems.

    Attributes:
        a: Mean of a; None if there are no queries.
        b: Mean of b.
        paired: Their difference, b less a, its interval and p-value.
        p_value_holm: The p-value adjusted for the number of metrics compared.
    """

    a: float | None
    b: float | None
    paired: PairedResult
    p_value_holm: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the metric as the document holds it."""
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.paired.difference,
            "low": self.paired.low,
            "high": self.paired.high,
            "p_value": self.paired.p_value,
            "p_value_holm": self.p_value_holm,
            "exact": self.paired.exact,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same n queries."""

    name_a: str
    name_b: str
    n_queries: int
    metrics: Mapping[str, ComparedMetric]
    settings: Mapping[str, Any]
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the document of schema ``sightline.evaluation/1``, kind ``comparison``."""
        return {
            "schema": SCHEMA,
            "kind": "comparison",
            "sightline_version": __version__,
            "a": {"name": self.name_a},
            "b": {"name": self.name_b},
            "n_queries": self.n_queries,
            "settings": dict(self.settings),
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            "warnings": list(self.warnings),
        }


def compare(
    name_a: str,
    name_b: str,
    per_query: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    groups: Sequence[object] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by metrics that are means over queries.

    Args:
        name_a: The one that is there already.
        name_b: The one that may be better.
        per_query: By metric, the values (n,) of a and of b for the same queries in the same order.
        groups: (n,), which queries share a place; None if each stands for itself.
        confidence: Of the intervals.
        resamples: Of the bootstrap, and flips of the tests.
        seed: Of all that is drawn.

    Raises:
        EvaluationError: No metrics, or arrays that do not fit; names metric, row and value.
    """
    if not per_query:
        raise EvaluationError("There is no metric to compare.", hint="Give at least one.")
    rng = np.random.default_rng(seed)
    metrics: dict[str, ComparedMetric] = {}
    for name, (a, b) in per_query.items():
        try:
            paired = paired_test(
                a, b, rng=rng, groups=groups, confidence=confidence, resamples=resamples
            )
        except EvaluationError as error:
            raise EvaluationError(f"{name}: {error.message}", hint=error.hint) from error
        values = [np.asarray(x, dtype=np.float64) for x in (a, b)]
        means = [float(x.mean()) if len(x) else None for x in values]
        metrics[name] = ComparedMetric(means[0], means[1], paired, None)
    p_values = [metric.paired.p_value for metric in metrics.values()]
    adjusted = holm([p for p in p_values if p is not None])
    if len(adjusted) == len(metrics):
        metrics = {
            name: replace(metric, p_value_holm=p)
            for (name, metric), p in zip(metrics.items(), adjusted, strict=True)
        }
    return Comparison(
        name_a=name_a,
        name_b=name_b,
        n_queries=int(np.size(next(iter(per_query.values()))[0])),
        metrics=metrics,
        settings={
            "confidence": confidence,
            "resamples": resamples,
            "seed": seed,
            "grouped_by": None if groups is None else "group",
            "n_groups": None if groups is None else len(set(groups)),
        },
        warnings=_chance(metrics),
    )


def _chance(metrics: Mapping[str, ComparedMetric]) -> list[str]:
    adjusted = [metric.p_value_holm for metric in metrics.values()]
    if any(p is None or p < _SIGNIFICANT for p in adjusted):
        return []
    least = min(p for p in adjusted if p is not None)
    return [f"Chance explains every difference: the least p-value, Holm's, is {least:.2g}."]
