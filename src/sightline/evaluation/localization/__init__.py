"""How far answers lie from the truth, and what is made of that."""

from sightline.evaluation.localization.metrics import LocalizationSettings, errors_m
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.localization.tables import read_predictions

__all__ = [
    "LocalizationSettings",
    "Predictions",
    "errors_m",
    "read_predictions",
]
