"""How well a patch of aerial imagery shows the place of a photo: overlap with the ideal patch.

Zhu, Yang and Chen, *VIGOR: Cross-View Image Geo-localization beyond One-to-one Retrieval* (CVPR
2021), section 3: patches of side L overlap, so several show a photo's place. The **positive** has
the place in its central area, half a step of the grid from its centre at most in each direction;
**semi-positives** show it farther off, a whole step at most. With the paper's step of L / 2 their
overlaps with a patch that had the place at its centre are at least 9/23 and 1/7.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import EvaluationError


class PatchGrade(IntEnum):
    """What a patch is to a photo."""

    NEGATIVE = 0
    SEMI_POSITIVE = 1
    POSITIVE = 2


def patch_overlap(east_m: ArrayLike, north_m: ArrayLike, patch_m: float) -> NDArray[np.float64]:
    """Intersection over union of two north-up squares of one size.

    Args:
        east_m: Metres from one centre to the other, any shape.
        north_m: The same, broadcast against it.
        patch_m: Their side in metres.

    Returns:
        From 0 (apart) to 1 (the same).

    Raises:
        EvaluationError: The side is not above 0, or an offset is not finite.
    """
    across, along = _offsets(east_m, north_m, patch_m)
    shared = np.clip(patch_m - across, 0.0, None) * np.clip(patch_m - along, 0.0, None)
    return np.asarray(shared / (2.0 * patch_m**2 - shared))


def patch_grades(
    east_m: ArrayLike, north_m: ArrayLike, patch_m: float, *, step_m: float | None = None
) -> NDArray[np.int64]:
    """Grade patches by where the photo stands in them.

    A place on a border counts to the better grade, so that two patches may be positives of one
    photo.

    Args:
        east_m: How far the photo stands east of the patch's centre in metres, any shape.
        north_m: The same to the north, broadcast against it.
        patch_m: Side of a patch in metres.
        step_m: Step of the patches' grid; half a side if None, as in VIGOR's paper. (The tiles of
            its data stand 36.48 m apart in every city, which is more than half of some sides.)

    Returns:
        Values of :class:`PatchGrade`.

    Raises:
        EvaluationError: A length is not above 0, the step exceeds the side, or an offset is not
            finite.
    """
    across, along = _offsets(east_m, north_m, patch_m)
    step = patch_m / 2.0 if step_m is None else step_m
    if not (np.isfinite(step) and 0 < step <= patch_m):
        raise EvaluationError(
            f"step_m must be above 0 and at most the side of a patch, {patch_m:g} m. Got {step!r}.",
            hint="A grid with a wider step leaves places that no patch shows.",
        )
    farther = np.maximum(across, along)
    return np.asarray((farther <= step / 2.0).astype(np.int64) + (farther <= step))


def overlap_aware_hits(ranked_grades: ArrayLike) -> NDArray[np.bool_]:
    """Whether the best patch that is no semi-positive is a positive: VIGOR's hit rate, per photo.

    Args:
        ranked_grades: (n, k) values of :class:`PatchGrade`, best match first.

    Returns:
        bool (n,); a photo of which only semi-positives were found is no hit.

    Raises:
        EvaluationError: Another shape.
    """
    grades = np.asarray(ranked_grades)
    if grades.ndim != 2 or not grades.shape[1]:
        raise EvaluationError(
            f"ranked_grades must have shape (n, k) with k of at least 1. Got {grades.shape}.",
            hint="Grade the best k patches of every photo with patch_grades.",
        )
    decisive = grades != PatchGrade.SEMI_POSITIVE
    first = np.take_along_axis(grades, decisive.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(first == PatchGrade.POSITIVE)


def _offsets(
    east_m: ArrayLike, north_m: ArrayLike, patch_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    across = np.abs(np.asarray(east_m, dtype=np.float64))
    along = np.abs(np.asarray(north_m, dtype=np.float64))
    if not (np.isfinite(across).all() and np.isfinite(along).all()):
        raise EvaluationError(
            "Offsets of a photo in its patch must be finite metres. Got NaN or infinity.",
            hint="Leave out photos whose place is unknown.",
        )
    if not (np.isfinite(patch_m) and patch_m > 0):
        raise EvaluationError(
            f"patch_m must be metres above 0. Got {patch_m!r}.",
            hint="It is the side of a patch on the ground.",
        )
    return across, along
