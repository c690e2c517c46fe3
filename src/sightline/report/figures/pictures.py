"""Pictures in figures: opened small, framed, and grey where there is none to be had."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import SightlineError
from sightline.imagery import open_photo
from sightline.report.figures.palette import PALETTE

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Axes

Picture = str | PathLike[str] | NDArray[np.uint8]
"""A file, or pixels uint8 RGB (h, w, 3)."""

FRAME_POINTS = 3.0


def small_pixels(picture: Picture, longest: int) -> NDArray[np.uint8] | None:
    """Return a picture as uint8 RGB, at most ``longest`` pixels wide and high; None without one."""
    if isinstance(picture, np.ndarray):
        pixels = picture
    else:
        try:
            pixels = open_photo(fspath(picture), at_least=(longest, longest)).pixels
        except (OSError, SightlineError):
            return None
    small = Image.fromarray(np.ascontiguousarray(pixels))
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(small)


def draw_picture(
    axes: Axes, pixels: NDArray[np.uint8] | None, *, frame: str | None = None, text: str = ""
) -> None:
    """Fill axes with a picture.

    Args:
        axes: Emptied of ticks and grid.
        pixels: uint8 RGB (h, w, 3); a grey square says that there is none.
        frame: Colour of a frame around it.
        text: Written below.
    """
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(frame is not None)
        side.set_linewidth(FRAME_POINTS)
        side.set_edgecolor(frame or PALETTE["line"])
    if pixels is None:
        axes.set_facecolor(PALETTE["line"])
        axes.set_aspect("equal")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=PALETTE["quiet"])
    else:
        shown: Any = pixels
        axes.imshow(shown, interpolation="none")
    if text:
        axes.set_xlabel(text, fontsize=8, labelpad=3)
