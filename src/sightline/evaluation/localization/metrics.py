"""How far answers lie from the truth; no answer is infinitely far, and never left out.

All functions take errors in metres, float64 (n,), as :func:`errors_m` returns them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import EvaluationError
from sightline.evaluation.localization.predictions import as_answers
from sightline.evaluation.uncertainty import CONFIDENCE, RESAMPLES, Interval, interval
from sightline.evaluation.uncertainty.bootstrap_means import Floats
from sightline.geo.coordinates import FloatArray, as_coordinates
from sightline.geo.distance import geodesic_m, great_circle_m

Earth = Literal["sphere", "geodesic"]

THRESHOLDS_KM = (0.1, 1.0, 5.0, 10.0, 25.0, 200.0, 750.0, 2500.0)
"""Those of im2GPS (street 1, city 25, region 200, country 750, continent 2500) and three more."""

PUBLISHED_EARTH_RADIUS_M = 6_371_000.0
"""What im2gps, OSV-5M, PLONK and visloc measure errors on. Scores are there to be compared, so ours
are measured on it too, and not on the mean sphere of :mod:`sightline.geo`: 1.4 millionths apart."""

HIGHEST_SCORE = 5000.0
SCORE_DECAY_KM = 1492.7
"""Where the score has fallen to 1/e; GeoGuessr's world map (gastruc/osv5m, distance_based.py)."""


@dataclass(frozen=True, slots=True)
class LocalizationSettings:
    """How localization is measured.

    Args:
        earth: Great circles on the sphere of mean radius, or geodesics on the WGS84 ellipsoid.
        thresholds_km: Within which distances answers count as right; kept ascending.
        confidence: Of intervals, in (0, 1).
        resamples: Of the bootstrap.
        seed: Of all that is drawn.

    Raises:
        EvaluationError: A threshold is no positive number, or the Earth is another.
    """

    earth: Earth = "sphere"
    thresholds_km: tuple[float, ...] = THRESHOLDS_KM
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.earth not in ("sphere", "geodesic"):
            raise EvaluationError(
                f"earth must be 'sphere' or 'geodesic'. Got {self.earth!r}.",
                hint="The sphere is what published numbers use.",
            )
        for threshold_km in self.thresholds_km:
            if not (math.isfinite(threshold_km) and threshold_km > 0.0):
                raise EvaluationError(
                    f"thresholds_km must be positive numbers. Got {threshold_km!r}.",
                    hint="Give kilometres: 1, 25, 200, 750 and 2500 are usual.",
                )
        ascending = tuple(sorted({float(x) for x in self.thresholds_km}))
        object.__setattr__(self, "thresholds_km", ascending)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the document holds them."""
        return {
            "earth": self.earth,
            "confidence": self.confidence,
            "resamples": self.resamples,
            "seed": self.seed,
            "thresholds_km": list(self.thresholds_km),
        }


def errors_m(predicted: ArrayLike, true: ArrayLike, *, earth: Earth = "sphere") -> FloatArray:
    """Return how far each answer lies from the truth.

    Args:
        predicted: Degrees (n, 2), latitude first; NaN in both where there is no answer.
        true: Degrees (n, 2).
        earth: ``"sphere"`` (great circle on the field's 6371 km) or ``"geodesic"`` (WGS84).

    Returns:
        Metres, float64 (n,); infinite where there is no answer.

    Raises:
        CoordinateError: A place is out of range or half given; names array, row and value.
        EvaluationError: The arrays have not the same number of rows.
    """
    places = as_coordinates(true, name="true")
    answers = as_answers(predicted, len(places))
    if earth == "geodesic":
        distances = geodesic_m(answers, places)
    else:
        distances = great_circle_m(answers, places, radius_m=PUBLISHED_EARTH_RADIUS_M)
    return np.asarray(np.where(np.isnan(answers[:, 0]), np.inf, distances))


def within(errors_m: Floats, threshold_km: float) -> Floats:
    """Return 1 for each photo answered within ``threshold_km``, inclusive, else 0; (n,)."""
    return np.asarray(errors_m <= threshold_km * 1000.0, dtype=np.float64)


def accuracy(errors_m: Floats, threshold_km: float) -> float | None:
    """Return the share of all photos answered within ``threshold_km``; None if there are none."""
    return float(within(errors_m, threshold_km).mean()) if len(errors_m) else None


def scores(errors_m: Floats) -> Floats:
    """Return the GeoGuessr-style score of each photo: 5000 exp(-d / 1492.7 km), 0 for no answer."""
    return np.asarray(HIGHEST_SCORE * np.exp(-errors_m / (1000.0 * SCORE_DECAY_KM)))


def median_error_km(errors_m: Floats) -> float | None:
    """Return the median over all photos: infinite where half have no answer; None for none."""
    return float(np.median(errors_m)) / 1000.0 if len(errors_m) else None


def mean_error_km(errors_m: Floats) -> float | None:
    """Return the mean over all photos; None unless every photo has an answer."""
    return mean_error_km_of_answered(errors_m) if np.isfinite(errors_m).all() else None


def mean_error_km_of_answered(errors_m: Floats) -> float | None:
    """Return the mean over photos with an answer: it flatters whoever answers easy photos only."""
    answered = errors_m[np.isfinite(errors_m)]
    return float(answered.mean()) / 1000.0 if len(answered) else None


def localization_values(
    errors_m: Floats, thresholds_km: Sequence[float] = THRESHOLDS_KM
) -> dict[str, float | None]:
    """Return all metrics by name, without intervals: ``accuracy@1km`` and so on, errors, score."""
    return {
        **{accuracy_name(x): accuracy(errors_m, x) for x in thresholds_km},
        "median_error_km": median_error_km(errors_m),
        "mean_error_km": mean_error_km(errors_m),
        "score": float(scores(errors_m).mean()) if len(errors_m) else None,
    }


def localization_intervals(
    errors_m: Floats,
    settings: LocalizationSettings,
    rng: np.random.Generator,
    clusters: Sequence[object] | None = None,
) -> dict[str, Interval]:
    """Return all metrics by name, with intervals.

    Where some photos have no answer, ``mean_error_km`` is undefined, and
    ``mean_error_km_of_answered`` is there beside it.

    Args:
        errors_m: (n,).
        settings: Thresholds, confidence and resamples.
        rng: What to draw with.
        clusters: (n,), which photos share a place; None if each stands for itself.
    """

    def measured(values: Floats, statistic: Literal["mean", "median"] = "mean") -> Interval:
        return interval(
            values,
            rng=rng,
            statistic=statistic,
            groups=clusters,
            confidence=settings.confidence,
            resamples=settings.resamples,
        )

    errors_km = errors_m / 1000.0
    found = {accuracy_name(x): measured(within(errors_m, x)) for x in settings.thresholds_km}
    found["median_error_km"] = measured(errors_km, "median")
    answered = np.isfinite(errors_m)
    if answered.all():
        found["mean_error_km"] = measured(errors_km)
    else:
        found["mean_error_km"] = Interval(None, None, None)
        some = None if clusters is None else list(compress(clusters, answered))
        found["mean_error_km_of_answered"] = interval(
            errors_km[answered],
            rng=rng,
            groups=some,
            confidence=settings.confidence,
            resamples=settings.resamples,
        )
    found["score"] = measured(scores(errors_m))
    return found


def accuracy_name(threshold_km: float) -> str:
    """Return what accuracy at a threshold is called: ``accuracy@0.1km``, ``accuracy@25km``."""
    return f"accuracy@{threshold_km:g}km"
