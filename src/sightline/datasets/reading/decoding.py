"""One photo, decoded at the size it is needed."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import UsageError
from sightline.imagery import Limits, PhotoSource, open_picture

Fit: TypeAlias = Literal["crop", "stretch"]

# Shrinking by whole numbers first, down to this many times the final size, costs little and
# cannot be seen (Pillow's own measure of a fair reduction).
_REDUCING_GAP = 2.0


def decode_photo(
    source: PhotoSource,
    size: tuple[int, int],
    *,
    fit: Fit = "crop",
    limits: Limits | None = None,
    name: str | None = None,
) -> NDArray[np.uint8]:
    """Open a photo and bring it to a size; a JPEG is decoded no larger than that needs.

    Args:
        source: A path, the file's bytes, or a binary stream.
        size: (height, width) of the result.
        fit: ``crop`` fills the size and cuts off what stands over, evenly on both sides;
            ``stretch`` changes the aspect ratio.
        limits: What the photo may cost.
        name: What errors call it.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        UsageError: The size or the fit is impossible.
        PhotoError: The photo cannot be used; the subclass says why.
    """
    height, width = checked_size(size)
    if fit not in ("crop", "stretch"):
        raise UsageError(f"fit must be crop or stretch. Got {fit!r}.", hint="crop keeps shapes.")
    picture = open_picture(source, at_least=(height, width), limits=limits, name=name)
    columns, rows = picture.size
    if (rows, columns) == (height, width):
        return np.array(picture)
    box = (0.0, 0.0, float(columns), float(rows))
    if fit == "crop":
        scale = min(rows / height, columns / width)
        above, left = (rows - scale * height) / 2, (columns - scale * width) / 2
        box = (left, above, left + scale * width, above + scale * height)
    resized = picture.resize(
        (width, height), Image.Resampling.BILINEAR, box=box, reducing_gap=_REDUCING_GAP
    )
    return np.array(resized)


def checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width).

    Raises:
        UsageError: It is not two positive whole numbers.
    """
    if len(size) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in size):
        raise UsageError(
            f"size must be a positive height and width in pixels. Got {size!r}.",
            hint="(224, 224) is usual.",
        )
    return int(size[0]), int(size[1])
