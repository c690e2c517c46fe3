"""What published code would say about the same input, by the name of who published it."""

from sightline.evaluation.conventions.layouts import Native
from sightline.evaluation.conventions.localization import (
    distance_km,
    localization_conventions,
    published_accuracy,
    published_localizations,
    vigor_accuracy,
    visloc_printed,
)
from sightline.evaluation.conventions.outcome import Order
from sightline.evaluation.conventions.published import PEERS, PUBLISHED, PublishedFunction
from sightline.evaluation.conventions.published_localization import (
    LOCALIZATION,
    LOCALIZATION_PEERS,
    PublishedLocalization,
)
from sightline.evaluation.conventions.retrieval import conventions, published, published_results

__all__ = [
    "LOCALIZATION",
    "LOCALIZATION_PEERS",
    "PEERS",
    "PUBLISHED",
    "Native",
    "Order",
    "PublishedFunction",
    "PublishedLocalization",
    "conventions",
    "distance_km",
    "localization_conventions",
    "published",
    "published_accuracy",
    "published_localizations",
    "published_results",
    "vigor_accuracy",
    "visloc_printed",
]
