"""Two systems on the same queries: what they differ by, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import EvaluationError
from sightline.evaluation.bootstrap_means import Labels
from sightline.evaluation.localization import (
    LocalizationSettings,
    accuracy_name,
    errors_m,
    scores,
    within,
)
from sightline.evaluation.predictions import Predictions
from sightline.evaluation.schema import SCHEMA
from sightline.evaluation.uncertainty import (
    CONFIDENCE,
    RESAMPLES,
    PairedResult,
    holm,
    paired_test,
)
from sightline.geo.distance import great_circle_m
from sightline.version import __version__

# Coordinates that went through another number format are still the same place.
_SAME_TRUTH_M = 10.0
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


def compare_localization(
    a: Predictions, b: Predictions, settings: LocalizationSettings | None = None
) -> Comparison:
    """Compare the answers of two systems to the same photos.

    Photos are matched by their ids, and only those in both lists count; lists without ids must hold
    the same photos in the same order. Both are judged by the truth of a's list. Medians and means
    of errors are no part of it: they have no test that takes photos without an answer.

    Raises:
        EvaluationError: The lists have no photo in common, an id twice, or different truths.
    """
    settings = settings or LocalizationSettings()
    rows_a, rows_b, warnings = _matched(a, b)
    true = a.true[rows_a]
    apart_m = great_circle_m(true, b.true[rows_b])
    if (apart_m > _SAME_TRUTH_M).any():
        row = int(np.argmax(apart_m))
        which = f"row {rows_a[row]}" if a.ids is None else f"id {a.ids[rows_a[row]]!r}"
        raise EvaluationError(
            f"The true places of {which} in {a.name!r} and {b.name!r} lie {apart_m[row]:,.0f} m "
            "apart.",
            hint="Compare answers to the same photos with the same true places.",
        )
    errors = [
        errors_m(answers, true, earth=settings.earth)
        for answers in (a.predicted[rows_a], b.predicted[rows_b])
    ]
    per_query = {
        **{
            accuracy_name(x): (within(errors[0], x), within(errors[1], x))
            for x in settings.thresholds_km
        },
        "score": (scores(errors[0]), scores(errors[1])),
    }
    clusters = a.clusters
    found = compare(
        a.name,
        b.name,
        per_query,
        groups=None if clusters is None else [clusters[row] for row in rows_a],
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    return replace(found, warnings=[*warnings, *found.warnings])


def _matched(a: Predictions, b: Predictions) -> tuple[Labels, Labels, list[str]]:
    """Return the rows of the same photos in both lists, and what to say about others."""
    if a.ids is None or b.ids is None:
        if len(a) != len(b):
            raise EvaluationError(
                f"{a.name!r} holds {len(a)} photos and {b.name!r} {len(b)}, without ids in both.",
                hint="Give both a column id.",
            )
        return np.arange(len(a)), np.arange(len(b)), []
    places = [_rows_by_id(x) for x in (a, b)]
    common = [name for name in places[0] if name in places[1]]
    if not common:
        raise EvaluationError(
            f"{a.name!r} and {b.name!r} have no id in common.",
            hint=f"The first ids are {next(iter(places[0]), None)!r} and "
            f"{next(iter(places[1]), None)!r}.",
        )
    alone = [len(x) - len(common) for x in (a, b)]
    warnings = []
    if any(alone):
        warnings.append(
            f"Only the {len(common)} photos in both lists are compared; {alone[0]} of a and "
            f"{alone[1]} of b are not."
        )
    rows = [np.array([place[name] for name in common]) for place in places]
    return rows[0], rows[1], warnings


def _rows_by_id(predictions: Predictions) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, name in enumerate(predictions.ids or ()):
        if rows.setdefault(name, row) != row:
            raise EvaluationError(
                f"{predictions.name!r} holds the id {name!r} in rows {rows[name]} and {row}.",
                hint="Give each photo an id of its own, so that it can be found in both lists.",
            )
    return rows


def _chance(metrics: Mapping[str, ComparedMetric]) -> list[str]:
    adjusted = [metric.p_value_holm for metric in metrics.values()]
    if any(p is None or p < _SIGNIFICANT for p in adjusted):
        return []
    least = min(p for p in adjusted if p is not None)
    return [f"Chance explains every difference: the least p-value, Holm's, is {least:.2g}."]
