"""The answers of two systems to the same photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sightline.errors import EvaluationError
from sightline.evaluation.localization.metrics import (
    LocalizationSettings,
    accuracy_name,
    errors_m,
    scores,
    within,
)
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.results.comparison import Comparison, compare
from sightline.evaluation.uncertainty.bootstrap_means import Labels
from sightline.geo.distance import great_circle_m

# Coordinates that went through another number format are still the same place.
_SAME_TRUTH_M = 10.0


def compare_localization(
    a: Predictions, b: Predictions, settings: LocalizationSettings | None = None
) -> Comparison:
    """Compare the answers of two systems to the same photos.

    Photos are matched by their ids, and only those in both lists count; lists without ids must hold
    the same photos in the same order. Both are judged by the truth of a's list. Medians and means
    of errors are no part of it: they have no test that takes photos without an answer. What reading
    a list warned of is passed on under its name.

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
    told = [f"{answers.name}: {warning}" for answers in (a, b) for warning in answers.warnings]
    return replace(found, warnings=[*told, *warnings, *found.warnings])


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
