"""Where between the centres of neighbouring patches a photo was taken.

The score of a patch falls off with the distance of its centre from the photo. So the scores of the
patches around the best one tell where between their centres the photo stands, to a fraction of the
stride: their mean place, weighted by the square of how far each score stands above the lowest.
(Of weighted means, fitted peaks and soft maxima this did best on a painted plain whose scores are
known to fall off: ``tests/locating/test_patch_refinement.py``.)
"""

from __future__ import annotations

import numpy as np

from sightline.locating.evidence import Floats

REACH_STRIDES = 1.5
"""Patches this many strides from the best one are its neighbours: the eight around it."""

_EXPONENT = 2.0
# A neighbour this many strides to one side tells whether the photo lies on that side.
_ASIDE_STRIDES = 0.5


def refined_offset(offsets_m: Floats, scores: Floats, stride_m: float) -> Floats:
    """Return where the photo stands, from the best patch's centre.

    Along an axis on which there are neighbours on one side only, at the edge of the imagery, it
    stays at the best patch's centre: the other side was never asked.

    Args:
        offsets_m: (p, 2), the patches' centres in metres east and north of the best one's, which is
            among them.
        scores: (p,).
        stride_m: Step of the grid.

    Returns:
        Metres east and north, (2,).
    """
    weights = (scores - scores.min()) ** _EXPONENT
    if not weights.any():
        return np.zeros(2)
    aside = _ASIDE_STRIDES * stride_m
    told = (offsets_m <= -aside).any(axis=0) & (offsets_m >= aside).any(axis=0)
    return np.where(told, weights @ offsets_m / weights.sum(), 0.0)
