"""What every evaluation checks beside the score: collapse, chance, leakage, and saying so."""

from sightline.evaluation.sanity.chance import chance, constant_ranks
from sightline.evaluation.sanity.collapse import Collapse, alarm, collapse_of
from sightline.evaluation.sanity.leakage import Leak, places_look_swapped, same_content, same_place
from sightline.evaluation.sanity.words import (
    collapse_warnings,
    leakage_warnings,
    length_warnings,
    percent,
    swapped_warnings,
    tie_warnings,
    unanswerable_warnings,
)

__all__ = [
    "Collapse",
    "Leak",
    "alarm",
    "chance",
    "collapse_of",
    "collapse_warnings",
    "constant_ranks",
    "leakage_warnings",
    "length_warnings",
    "percent",
    "places_look_swapped",
    "same_content",
    "same_place",
    "swapped_warnings",
    "tie_warnings",
    "unanswerable_warnings",
]
