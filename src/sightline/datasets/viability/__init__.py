"""Which photos can be located at all: a random forest over the features of a scene network."""

from sightline.datasets.viability.filter import (
    FilteredPhotos,
    ViabilityFilter,
    ViabilityReport,
    train_viability,
)
from sightline.datasets.viability.forest import Forest
from sightline.datasets.viability.lists import write_lists
from sightline.datasets.viability.threshold import PrecisionThreshold, threshold_for_precision

__all__ = [
    "FilteredPhotos",
    "Forest",
    "PrecisionThreshold",
    "ViabilityFilter",
    "ViabilityReport",
    "threshold_for_precision",
    "train_viability",
    "write_lists",
]
