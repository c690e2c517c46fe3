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
        height, width = _before_crop(preprocessing)
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
    boxes = _view_boxes(image.width, image.height, views)
    return np.stack([np.asarray(_resized(image, box, preprocessing)) for box in boxes])


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


def _resized(image: Image.Image, box: Box, preprocessing: Preprocessing) -> Image.Image:
    """One view at the input's size, rounded to whole pixels as timm's evaluation rounds."""
    height, width = preprocessing.size
    filtering = _FILTERS[preprocessing.interpolation]
    if preprocessing.resize == "squeeze":
        return image.resize((width, height), filtering, box=box, reducing_gap=_REDUCING_GAP)
    view_width, view_height = box[2] - box[0], box[3] - box[1]
    # The smallest size in the view's proportions that holds the input divided by the crop.
    least_height, least_width = _before_crop(preprocessing)
    scale = max(least_height / view_height, least_width / view_width)
    scaled_width = max(least_width, int(view_width * scale))
    scaled_height = max(least_height, int(view_height * scale))
    scaled = image.resize(
        (scaled_width, scaled_height), filtering, box=box, reducing_gap=_REDUCING_GAP
    )
    left, top = round((scaled_width - width) / 2), round((scaled_height - height) / 2)
    return scaled.crop((left, top, left + width, top + height))


def _before_crop(preprocessing: Preprocessing) -> tuple[int, int]:
    """(height, width) that ``crop`` cuts the input from."""
    height, width = preprocessing.size
    fraction = preprocessing.crop_fraction
    return math.floor(height / fraction), math.floor(width / fraction)
