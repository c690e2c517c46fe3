"""Heatmaps over the pictures that they explain, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.models.explain import Explanation

ROW_HEIGHT = 256
"""Pixels of a row; pictures are scaled to it."""

_GAP = 6
_PAPER = 255
# The ends and the middle of viridis, which eyes of every kind tell apart.
_RAMP = np.array([[68, 1, 84], [33, 145, 140], [253, 231, 37]], np.float64)
_STRONGEST = 0.75


def heat_sheet(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    explanation: Explanation,
    *,
    row_height: int = ROW_HEIGHT,
) -> NDArray[np.uint8]:
    """One row for each pair: the first picture, its heat, the second picture, its heat.

    Args:
        first: uint8 (n, h, w, 3), what was explained.
        second: uint8 (n, h', w', 3).
        explanation: Of these pictures.
        row_height: Pixels.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        UsageError: No pair, or pictures other than those explained.
    """
    for pictures, heat in ((first, explanation.first), (second, explanation.second)):
        if not len(heat) or pictures.shape != (*heat.shape, 3):
            raise UsageError(
                f"The pictures must be those that were explained, {(*heat.shape, 3)}, and at least "
                f"one. Got {pictures.shape}.",
                hint="Pass what was given to explain.",
            )
    rows = []
    for one, other, warm, warm_other in zip(
        first, second, explanation.first, explanation.second, strict=True
    ):
        panels = [one, overlay(one, warm), other, overlay(other, warm_other)]
        rows.append(_beside([_scaled(panel, row_height) for panel in panels], axis=1))
    return _beside(rows, axis=0)


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay heat in [0, 1] (h, w) over a picture uint8 (h, w, 3), which loses its own colours."""
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    colours = np.stack(
        [np.interp(heat, np.linspace(0, 1, len(_RAMP)), _RAMP[:, c]) for c in range(3)], axis=-1
    )
    share = (_STRONGEST * np.sqrt(heat.clip(0, 1)))[..., None]
    mixed = (1 - share) * grey[..., None] + share * colours
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def _scaled(pixels: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _beside(panels: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Panels one after the other with paper between; all rows of one sheet are equally wide."""
    shape = list(panels[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, _PAPER, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=axis)
