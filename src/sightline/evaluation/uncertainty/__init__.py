"""How sure a number is, and whether two systems differ."""

from sightline.evaluation.uncertainty.intervals import (
    CONFIDENCE,
    RESAMPLES,
    Interval,
    PairedResult,
    Statistic,
    finite,
    group_numbers,
    holm,
    interval,
    paired_test,
    statistic_of,
)

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "Interval",
    "PairedResult",
    "Statistic",
    "finite",
    "group_numbers",
    "holm",
    "interval",
    "paired_test",
    "statistic_of",
]
