"""What localization reaches without looking at the photo: the floor that a model must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from sightline.evaluation.localization.metrics import (
    LocalizationSettings,
    errors_m,
    localization_values,
)
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.uncertainty import finite
from sightline.geo.coordinates import EARTH_RADIUS_M, FloatArray, LatLng, unit_vectors

PRIOR_RADIUS_KM = 25.0
"""A city. On the places of MP-16 this finds London, as the paper's baseline has it."""

_WIDER_KM = (200.0, 750.0, 2500.0)
_GUESSES = 100_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a way of guessing reaches.

    Attributes:
        metrics: As :func:`localization_values` names them; None where undefined.
        place: The place that is always answered, if it is one.
    """

    metrics: Mapping[str, float | None]
    place: LatLng | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the baseline as the document holds it."""
        where = {} if self.place is None else {"lat": self.place.lat, "lon": self.place.lon}
        return {**where, "metrics": {name: finite(x) for name, x in self.metrics.items()}}


def most_frequent_place(true: FloatArray, radius_km: float = PRIOR_RADIUS_KM) -> LatLng:
    """Return the true place that has the most true places around it.

    Always answering it is "practically the best one can do without looking at the input image"
    (Vo, Jacobs and Hays, Revisiting IM2GPS in the Deep Learning Era, ICCV 2017, section 4: London).
    Places with as many are told apart by wider circles, and at last by latitude and longitude, so
    that the order of the photos does not matter.

    Args:
        true: Degrees (n, 2), n > 0.
        radius_km: How wide a place is.
    """
    vectors = unit_vectors(true)
    tree = cKDTree(vectors)
    best = np.arange(len(true))
    for reach_km in (radius_km, *_WIDER_KM):
        if len(best) > 1:
            chord = 2.0 * np.sin(reach_km * 1000.0 / EARTH_RADIUS_M / 2.0)
            around = tree.query_ball_point(vectors[best], chord, return_length=True)
            best = best[around == around.max()]
    lat, lon = min((float(lat), float(lon)) for lat, lon in true[best])
    return LatLng(lat, lon)


def baselines(
    predictions: Predictions,
    settings: LocalizationSettings,
    rng: np.random.Generator,
    prior: LatLng | None = None,
) -> dict[str, Baseline]:
    """Return ``prior``, ``random`` and ``shuffled``.

    ``random`` answers the place of another photo of the list, drawn at random; ``shuffled`` hands
    the model's own answers to other photos. Both are means over about 100,000 draws; of one photo
    alone there are none, and all their metrics are None.

    Args:
        predictions: n > 0 photos.
        settings: The Earth and the thresholds.
        rng: What to draw with.
        prior: The place that is always answered. None to take the most frequent of the true places
            of this very list, which is the strongest that such a baseline can be.
    """
    true = predictions.true
    place = most_frequent_place(true) if prior is None else prior
    always = np.broadcast_to(np.array([place.lat, place.lon]), true.shape)
    count = len(true)
    rounds = -(-_GUESSES // count) if count > 1 else 0
    askers = np.tile(np.arange(count), rounds)
    others = (askers + rng.integers(1, max(count, 2), size=len(askers))) % count
    # Along a random circle everyone hands on to the next, so that nobody keeps an answer.
    circle = rng.permuted(np.tile(np.arange(count), (rounds, 1)), axis=1)
    guesses = {
        "prior": (always, true),
        "random": (true[others], true[askers]),
        "shuffled": (
            predictions.predicted[circle.ravel()],
            true[np.roll(circle, 1, axis=1).ravel()],
        ),
    }
    return {
        name: Baseline(
            localization_values(
                errors_m(answers, truth, earth=settings.earth), settings.thresholds_km
            ),
            place if name == "prior" else None,
        )
        for name, (answers, truth) in guesses.items()
    }
