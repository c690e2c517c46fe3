"""Small pictures as data URIs: decoded anew, so nothing of a file's metadata reaches the report."""

from __future__ import annotations

import base64
import io
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.atlas.aerial import patch_image
from sightline.errors import SightlineError
from sightline.imagery import open_photo

_QUALITIES = (82, 70, 55, 40, 25, 10)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture inside a page.

    Attributes:
        data_uri: ``data:image/jpeg;base64,…``.
        width: Width in pixels.
        height: Height in pixels.
    """

    data_uri: str
    width: int
    height: int


def thumbnail(source: str, longest: int, max_bytes: int) -> Thumbnail | None:
    """Return a small JPEG of a local picture, or None where there is none to be had.

    Only regular files of this machine are read: an atlas may come from elsewhere, and its names
    must not open a device, a pipe, or a connection to a server.

    Args:
        source: Path of the file.
        longest: Largest width or height in pixels.
        max_bytes: Size that the JPEG is pressed below; one that cannot be is left out.
    """
    if "://" in source or source.startswith(("//", "\\\\")):
        return None
    try:
        if not stat.S_ISREG(Path(source).stat().st_mode):
            return None
        photo = open_photo(source, at_least=(longest, longest))
    except (OSError, ValueError, SightlineError):
        return None
    return _pressed(photo.pixels, longest, max_bytes)


def patch_thumbnail(
    atlas: str, uri: str, latlng: tuple[float, float], longest: int, max_bytes: int
) -> Thumbnail | None:
    """Return a small JPEG of an aerial patch, cut from its imagery again; None if that is gone.

    Nothing is fetched from a network.

    Args:
        atlas: Folder of the aerial atlas.
        uri: The match's.
        latlng: The match's place, degrees.
        longest: Side in pixels.
        max_bytes: As for :func:`thumbnail`.
    """
    try:
        return _pressed(patch_image(atlas, uri, latlng, longest).pixels, longest, max_bytes)
    except (OSError, ValueError, SightlineError):
        return None


def _pressed(pixels: NDArray[np.uint8], longest: int, max_bytes: int) -> Thumbnail | None:
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality, optimize=True, progressive=True)
        if stream.tell() <= max_bytes:
            encoded = base64.b64encode(stream.getvalue()).decode("ascii")
            return Thumbnail(f"data:image/jpeg;base64,{encoded}", *picture.size)
    return None
