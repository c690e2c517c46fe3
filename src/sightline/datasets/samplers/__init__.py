"""Which rows make a batch: seeded, split over ranks, and resumable in the middle of an epoch."""

from sightline.datasets.samplers.near import NearOnGround
from sightline.datasets.samplers.one_per_group import (
    OnePerGroup,
    by_photographer,
    uniform_over_cells,
)
from sightline.datasets.samplers.resumable import ResumableBatches

__all__ = [
    "NearOnGround",
    "OnePerGroup",
    "ResumableBatches",
    "by_photographer",
    "uniform_over_cells",
]
