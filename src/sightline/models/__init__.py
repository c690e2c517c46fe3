"""Encoders: what others may know of them; the modules that need torch are imported by name."""

from sightline.models.protocol import Encoder, Pixels, Vectors, View
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import Whitening, WhiteningSettings, fit_whitening

__all__ = [
    "Encoder",
    "FeatureStatistics",
    "Pixels",
    "Vectors",
    "View",
    "Whitening",
    "WhiteningSettings",
    "fit_whitening",
]
