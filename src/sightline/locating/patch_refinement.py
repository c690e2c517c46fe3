"""Where between the centres of neighbouring patches a photo was taken.

The score of a patch falls off with the distance of its centre from the photo. So the scores of the
patches around the best one tell where between their centres the photo stands: their mean place,
weighted by the square of how far each score stands above the lowest. (Of weighted means, fitted
peaks and soft maxima this did best on a painted plain whose scores are known to fall off:
``tests/locating/test_patch_refinement.py``.)

How far scores take to fall off is a matter of the patch, not of the stride: a model trained with
photos anywhere in the middle quarter of their patch tells hardly any of its places apart. Patches
of a fine grid that all lie there differ by noise, and a mean over them alone follows that noise; so
the neighbours that are asked reach beyond it, however many they are.
"""

from __future__ import annotations

import numpy as np

from sightline.locating.evidence import Floats

_EXPONENT = 2.0
# The eight patches around the best one at least.
_LEAST_STRIDES = 1.5
# From a photo anywhere in the middle quarter of the best patch, this leads out of the quarter.
_REACH_PATCHES = 0.4
# A neighbour this many strides to one side tells whether the photo lies on that side.
_ASIDE_STRIDES = 0.5
# Vectors are stored in half precision: scores that differ by less than this are equal.
_LEAST_CONTRAST = 1e-3


def reach_m(patch_m: float, stride_m: float) -> float:
    """Return how far from the best patch its neighbours are asked, in metres."""
    return max(_LEAST_STRIDES * stride_m, _REACH_PATCHES * patch_m)


def refined_offset(offsets_m: Floats, scores: Floats, stride_m: float) -> Floats:
    """Return where the photo stands, from the best patch's centre.

    It stays there where the neighbours say nothing: their scores are equal; or, along an axis,
    there are some on one side only, at the edge of the imagery. What reaches farther on one side
    than on the other is left out, or it would draw the photo away from the edge.

    Args:
        offsets_m: (p, 2), the patches' centres in metres east and north of the best one's, which is
            among them.
        scores: (p,).
        stride_m: Step of the grid.

    Returns:
        Metres east and north, (2,).
    """
    aside = _ASIDE_STRIDES * stride_m
    sides = np.minimum(offsets_m.max(axis=0), -offsets_m.min(axis=0))
    kept = (np.abs(offsets_m) <= sides + aside).all(axis=1)
    places, values = offsets_m[kept], scores[kept]
    above = values - values.min()
    if above.max() < _LEAST_CONTRAST:
        return np.zeros(2)
    weights = above**_EXPONENT
    return np.where(sides >= aside, weights @ places / weights.sum(), 0.0)
