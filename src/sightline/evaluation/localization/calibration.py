"""Whether stated radii hold the truth as often as they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.uncertainty.bootstrap_means import Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Stated probabilities beside how often they came true.

    Attributes:
        stated: Probabilities that radii were stated for, ascending.
        observed: Share of photos whose true place lies within, inclusive; None if there are none.
        photos: Photos with an answer and a radius, of which it is the share.
    """

    stated: tuple[float, ...]
    observed: tuple[float | None, ...]
    photos: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as the document holds it."""
        return {
            "stated": list(self.stated),
            "observed": list(self.observed),
            "n": list(self.photos),
        }


def calibration(predictions: Predictions, errors_m: Floats) -> Calibration | None:
    """Compare stated radii with errors, metres (n,); None where no radii are stated.

    Photos without an answer state nothing, and are not among them.
    """
    if not predictions.radii_m:
        return None
    stated = tuple(sorted(predictions.radii_m))
    observed: list[float | None] = []
    counts = []
    for share in stated:
        radii = predictions.radii_m[share]
        # NaN, no radius, compares false with anything.
        asked = predictions.answered & (radii >= 0.0)
        counts.append(int(asked.sum()))
        held = errors_m[asked] <= radii[asked]
        observed.append(float(held.mean()) if len(held) else None)
    return Calibration(stated, tuple(observed), tuple(counts))
