"""From a photo to the network's input, as timm's own evaluation does it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import EncoderError
from sightline.models.settings import Preprocessing, Views

Box = tuple[float, float, float, float]

# Share of each side that one of the `four` views keeps: neighbours overlap by a third of it.
CORNER_SHARE = 0.6

# A photo much larger than needed is first shrunk by whole factors, down to this multiple of the
# target; Pillow calls three times indistinguishable from filtering the full picture.
_REDUCING_GAP = 3.0

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def view_count(views: Views) -> int:
    """How many inputs one photo becomes."""
    return {"whole": 1, "four": 4, "five": 5}[views]


def decode_size(preprocessing: Preprocessing, views: Views) -> tuple[int, int]:
    """(height, width) in pixels below which a decoder would lose detail that the network sees."""
    height, width = preprocessing.size
    if preprocessing.resize == "crop":
        side = math.ceil(max(height, width) / preprocessing.crop_fraction)
        height = width = side
    share = 1.0 if views == "whole" else CORNER_SHARE
    return math.ceil(height / share), math.ceil(width / share)


def prepare(
    pixels: NDArray[np.uint8], preprocessing: Preprocessing, views: Views
) -> NDArray[np.uint8]:
    """Cut and resize one photo; thread-safe, and Pillow lets other threads run meanwhile.

    Args:
        pixels: uint8 RGB (h, w, 3).
        preprocessing: Size, filter and resize mode.
        views: Which parts of the photo.

    Returns:
        uint8 (views, height, width, 3).

    Raises:
        EncoderError: Not such an array.
    """
    given = np.asarray(pixels)
    if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or 0 in given.shape:
        raise EncoderError(
            f"A photo must be uint8 RGB (h, w, 3) and not empty. Got {given.dtype} {given.shape}.",
            hint="Open it with sightline.imagery.open_photo.",
        )
    image = Image.fromarray(given)
    height, width = preprocessing.size
    views_of_it = [
        image.resize(
            (width, height),
            _FILTERS[preprocessing.interpolation],
            box=_part_to_resize(box, preprocessing),
            reducing_gap=_REDUCING_GAP,
        )
        for box in _view_boxes(image.width, image.height, views)
    ]
    return np.stack([np.asarray(view) for view in views_of_it])


def _view_boxes(width: int, height: int, views: Views) -> list[Box]:
    """(left, top, right, bottom) of each view; ``five`` is the whole, then the corners."""
    whole: Box = (0.0, 0.0, float(width), float(height))
    if views == "whole":
        return [whole]
    corner_width, corner_height = width * CORNER_SHARE, height * CORNER_SHARE
    corners: list[Box] = [
        (left, top, left + corner_width, top + corner_height)
        for top in (0.0, height - corner_height)
        for left in (0.0, width - corner_width)
    ]
    return corners if views == "four" else [whole, *corners]


def _part_to_resize(box: Box, preprocessing: Preprocessing) -> Box:
    """What of a view ends in the input: all of it, or its centre in the input's proportions."""
    if preprocessing.resize == "squeeze":
        return box
    left, top, right, bottom = box
    height, width = preprocessing.size
    # timm: the shorter side is resized to size / crop_fraction, then the centre is cut out.
    shorter = min(right - left, bottom - top)
    scale = shorter * preprocessing.crop_fraction / max(height, width)
    half_width, half_height = width * scale / 2, height * scale / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half_width, y - half_height, x + half_width, y + half_height)
