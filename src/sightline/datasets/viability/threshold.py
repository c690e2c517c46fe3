"""From which probability on a photo is kept, so that enough of what is kept is viable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import UsageError


@dataclass(frozen=True, slots=True)
class PrecisionThreshold:
    """A threshold and what it costs.

    Args:
        value: Photos with this probability or more are kept.
        precision: Share of viable photos among those kept, on the photos it was chosen on. Where
            photos are mixed otherwise than there, it is another.
        recall: Share of the viable photos that is kept.
        kept: Share of all photos that is kept.
    """

    value: float
    precision: float
    recall: float
    kept: float


def threshold_for_precision(
    probability: ArrayLike, viable: ArrayLike, precision: float
) -> PrecisionThreshold:
    """Choose the threshold that keeps most viable photos at a wanted precision.

    Every probability that occurs is tried. Of those that reach the precision, the lowest keeps the
    most.

    Args:
        probability: (n,) of photos that were not trained on.
        viable: bool (n,) whether each is.
        precision: The wanted share, more than 0 and at most 1.

    Raises:
        UsageError: The arrays are impossible, or no threshold reaches the precision.
    """
    scores = np.asarray(probability, dtype=np.float64)
    labels = np.asarray(viable)
    if scores.ndim != 1 or labels.shape != scores.shape or labels.dtype != bool or not labels.any():
        raise UsageError(
            "probability and viable must be numbers and truth values of one shape (n,), with one "
            f"viable photo at least. Got {scores.shape}, {labels.dtype} of {labels.shape}.",
            hint="Give the probabilities of labelled photos that were left out of training.",
        )
    if not (math.isfinite(precision) and 0 < precision <= 1):
        raise UsageError(
            f"precision must be more than 0 and at most 1. Got {precision!r}.",
            hint="0.9 keeps nine viable photos for each one that is not.",
        )
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    right = np.cumsum(labels[order])
    kept = np.arange(1, len(scores) + 1)
    # A threshold takes all photos of one probability or none.
    last = np.append(falling[1:] != falling[:-1], True)
    reached = last & (right / kept >= precision)
    if not reached.any():
        best = float((right / kept)[last].max())
        raise UsageError(
            f"No threshold reaches a precision of {precision:g}; the best is {best:.3f}.",
            hint="Ask for less, or label more photos.",
        )
    place = int(np.flatnonzero(reached)[-1])
    return PrecisionThreshold(
        value=float(falling[place]),
        precision=float(right[place] / kept[place]),
        recall=float(right[place] / right[-1]),
        kept=float(kept[place] / len(scores)),
    )
