"""A whole evaluation of answers: metrics, groups, baselines, doubts, and the JSON of all that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sightline.errors import EvaluationError
from sightline.evaluation.localization.calibration import Calibration, calibration
from sightline.evaluation.localization.doubts import doubts
from sightline.evaluation.localization.guesses import Baseline, baselines
from sightline.evaluation.localization.metrics import (
    LocalizationSettings,
    errors_m,
    localization_intervals,
)
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.results.peers import wanted_peers
from sightline.evaluation.results.schema import SCHEMA
from sightline.evaluation.uncertainty import Interval, finite
from sightline.evaluation.uncertainty.bootstrap_means import Floats
from sightline.geo.coordinates import LatLng
from sightline.version import __version__

NO_VALUE = "(none)"
"""What photos are grouped under that have nothing in a column."""

# From ten metres to half around the Earth.
_CURVE_KM = np.geomspace(0.01, 20_100.0, 61)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """Metrics of the photos with one value in a column."""

    photos: int
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, slots=True, eq=False)
class LocalizationResult:
    """How a list of answers scores.

    Attributes:
        predictions: What was judged, n photos.
        settings: How it was measured.
        errors_m: Metres (n,), infinite where there is no answer.
        metrics: ``accuracy@1km`` and so on, ``median_error_km``, ``mean_error_km``, ``score``.
        groups: The same by column and value, the most frequent value first.
        baselines: ``prior``, ``random``, ``shuffled``.
        calibration: Of stated radii; None if there are none.
        conventions: What published code would say, by peer and metric; empty if not asked.
        published: The same exactly as published functions return it.
        warnings: What looks wrong, in sentences.
    """

    predictions: Predictions
    settings: LocalizationSettings
    errors_m: Floats
    metrics: Mapping[str, Interval]
    groups: Mapping[str, Mapping[str, GroupResult]]
    baselines: Mapping[str, Baseline]
    calibration: Calibration | None
    conventions: Mapping[str, Mapping[str, float]]
    published: Mapping[str, Mapping[str, Mapping[str, float]]]
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the document of schema ``sightline.evaluation/1``, kind ``localization``."""
        given = self.predictions
        clusters = given.clusters
        return {
            "schema": SCHEMA,
            "kind": "localization",
            "name": given.name,
            "sightline_version": __version__,
            "n_photos": len(given),
            "n_answered": int(given.answered.sum()),
            "n_abstained": int(given.abstained.sum()),
            "n_failed": int(given.failed.sum()),
            "settings": {
                **self.settings.to_json(),
                "grouped_by": None if clusters is None else "group",
                "n_groups": None if clusters is None else len(set(clusters)),
            },
            "metrics": _metrics_json(self.metrics),
            "groups": {
                column: {
                    value: {"n": group.photos, "metrics": _metrics_json(group.metrics)}
                    for value, group in values.items()
                }
                for column, values in self.groups.items()
            },
            "conventions": {peer: dict(values) for peer, values in self.conventions.items()},
            "published": {
                peer: {name: dict(values) for name, values in functions.items()}
                for peer, functions in self.published.items()
            },
            "baselines": {name: found.to_json() for name, found in self.baselines.items()},
            "photos": self._photos(),
            "curves": {"error": self._curve()},
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "warnings": list(self.warnings),
        }

    def _photos(self) -> list[dict[str, Any]]:
        given = self.predictions
        ids = [None] * len(given) if given.ids is None else given.ids
        return [
            {
                "id": name,
                "lat": finite(lat),
                "lon": finite(lon),
                "true_lat": true_lat,
                "true_lon": true_lon,
                "error_km": finite(error_m / 1000.0),
            }
            for name, (lat, lon), (true_lat, true_lon), error_m in zip(
                ids,
                given.predicted.tolist(),
                given.true.tolist(),
                self.errors_m.tolist(),
                strict=True,
            )
        ]

    def _curve(self) -> dict[str, list[float]]:
        """Return the share of all photos that are answered within so many kilometres."""
        km = [float(f"{x:.4g}") for x in _CURVE_KM]
        reached = np.searchsorted(np.sort(self.errors_m), np.array(km) * 1000.0, side="right")
        return {"km": km, "share": (reached / len(self.errors_m)).tolist()}


def evaluate_localization(
    predictions: Predictions,
    settings: LocalizationSettings | None = None,
    *,
    by: Sequence[str] = (),
    prior: LatLng | None = None,
    peers: Sequence[str] | Literal["all"] = (),
) -> LocalizationResult:
    """Score answers in every way, beside what guessing reaches.

    Args:
        predictions: n photos.
        settings: How to measure; by default on the sphere, with the usual thresholds.
        by: Columns whose values are scored apart.
        prior: The place that the prior-only baseline answers, such as the most frequent one of the
            training set; by default the most frequent one of these very photos.
        peers: Whose conventions to apply too, by name, or ``"all"``.

    Raises:
        EvaluationError: There are no photos, or no such column or peer.
    """
    settings = settings or LocalizationSettings()
    if not len(predictions):
        raise EvaluationError(
            f"{predictions.name!r} holds no photos.", hint="Give at least one photo."
        )
    columns = {name: predictions.column(name) for name in by}
    # Streams of their own: what is asked for besides does not move the main numbers.
    main, guessing, grouping = np.random.default_rng(settings.seed).spawn(3)
    errors = errors_m(predictions.predicted, predictions.true, earth=settings.earth)
    clusters = predictions.clusters
    metrics = localization_intervals(errors, settings, main, clusters)
    guesses = baselines(predictions, settings, guessing, prior)
    found = calibration(predictions, errors)
    values = {name: measured.value for name, measured in metrics.items()}
    conventions, published = _conventions(predictions, peers)
    return LocalizationResult(
        predictions=predictions,
        settings=settings,
        errors_m=errors,
        metrics=metrics,
        groups={
            name: _grouped(cells, errors, clusters, settings, grouping)
            for name, cells in columns.items()
        },
        baselines=guesses,
        calibration=found,
        conventions=conventions,
        published=published,
        warnings=[
            *predictions.warnings,
            *doubts(
                predictions,
                errors,
                values,
                guesses,
                found,
                settings.earth,
                settings.thresholds_km,
                prior_given=prior is not None,
            ),
        ],
    )


def _grouped(
    cells: Sequence[str | None],
    errors: Floats,
    clusters: Sequence[object] | None,
    settings: LocalizationSettings,
    rng: np.random.Generator,
) -> dict[str, GroupResult]:
    names = [NO_VALUE if cell is None else cell for cell in cells]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    frequent = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    return {
        name: GroupResult(
            count,
            localization_intervals(
                errors[rows[name]],
                settings,
                rng,
                None if clusters is None else [clusters[row] for row in rows[name]],
            ),
        )
        for name, count in frequent
    }


def _conventions(
    predictions: Predictions, peers: Sequence[str] | Literal["all"]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, dict[str, float]]]]:
    if not peers:
        return {}, {}
    # Torch, which the published rounding needs, takes a second to import.
    from sightline.evaluation.conventions import (
        LOCALIZATION_PEERS,
        localization_conventions,
        published_localizations,
    )

    wanted = wanted_peers(peers, LOCALIZATION_PEERS, "localization")
    ours = localization_conventions(predictions.predicted, predictions.true)
    theirs = published_localizations(predictions.predicted, predictions.true)
    return {peer: ours[peer] for peer in wanted}, {peer: theirs[peer] for peer in wanted}


def _metrics_json(metrics: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: measured.to_json() for name, measured in metrics.items()}
