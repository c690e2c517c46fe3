"""What the best of the patches that do not show a photo's place would score.

An atlas of patches holds no photos to measure that with, and photos differ: one of a bare field
fits everything somewhat. So it is read off the photo's own other matches. Of n scores that fall off
like the tail of a normal or exponential distribution, the spacings of the largest,
i · (s_i - s_(i+1)), are independent and exponential with one mean β (Weissman, *Estimation of
parameters and large quantiles based on the k largest observations*, 1978). The spacings from the
second place on tell β; by how much the first may stand above the second if it is just another of
them follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.locating.evidence import Floats

FALSE_ALARMS = 0.05
"""Of photos whose place is not in the atlas, this share gets an answer."""

LEAST_PLACES = 6
MOST_PLACES = 21

_TAIL = 4

# Vectors are stored in half precision: scores of equal patches differ by about this.
_LEAST_SPACING = 2e-4


@dataclass(frozen=True, slots=True)
class UnrelatedPatches:
    """How the scores of places fall off for one photo.

    Attributes:
        spacing: β, the mean of the normalised spacings.
        threshold: The score that the best of unrelated places exceeds for one photo in twenty.
        level: The lowest score that tells so; below it, nothing is known of how they fall off.
        places: How many scores tell so.
    """

    spacing: float
    threshold: float
    level: float
    places: int


def unrelated_patches(scores: Floats, places: int | None = None) -> UnrelatedPatches | None:
    """Measure from the scores of places that do not overlap.

    With m spacings behind the estimate of β, (s_1 - s_2) / β follows the F distribution with 2 and
    2 m degrees of freedom, so the threshold is s_2 + β m (α^(-1/m) - 1).

    Args:
        scores: (p,), best first, the photo's place (if it is there) only among the first.
        places: How many such places there are in all. Only the best quarter tells of the tail, or
            the best six where that is fewer.

    Returns:
        None for fewer than six places, too few to say anything.
    """
    most = MOST_PLACES
    if places is not None:
        most = min(most, max(LEAST_PLACES, places // _TAIL))
    values = np.asarray(scores, dtype=np.float64)[:most]
    if len(values) < LEAST_PLACES:
        return None
    order = np.arange(2, len(values))
    spacings = order * (values[1:-1] - values[2:])
    spacing = max(float(spacings.mean()), _LEAST_SPACING)
    count = len(spacings)
    above = spacing * count * (FALSE_ALARMS ** (-1.0 / count) - 1.0)
    return UnrelatedPatches(spacing, float(values[1] + above), float(values[-1]), len(values))


def patch_weights(scores: Floats, unrelated: UnrelatedPatches) -> Floats:
    """Shares of the evidence: exp(s / β) down to the level, normalised.

    Among unrelated places scores are exponentially rare above a level, with the mean β; how much
    likelier a score makes it that its place is the photo's grows as that rarity does. Below the
    level that is not known, and the many patches there would outweigh the few above.

    Args:
        scores: (p,), the best at or above the level.
        unrelated: As measured for the photo.

    Returns:
        (p,), summing to 1.
    """
    relative = np.exp((scores - scores.max()) / unrelated.spacing)
    relative = np.where(scores >= unrelated.level, relative, 0.0)
    return np.asarray(relative / relative.sum())
