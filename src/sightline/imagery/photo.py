"""A photo: opened from any source, turned upright, in 8-bit sRGB, with what its file says."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.imagery.colour import to_rgb
from sightline.imagery.header import Header, decoding, read_header
from sightline.imagery.limits import Limits
from sightline.imagery.metadata import Metadata, metadata_of
from sightline.imagery.panorama import VIEW_HEADINGS, perspective_views, whole_sphere
from sightline.imagery.source import PhotoSource, opened, source_name

# What to do with the stored picture for EXIF orientation 2 to 8 (CIPA DC-008, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo.

    Args:
        pixels: uint8 (h, w, 3), sRGB, upright; maybe decoded smaller than ``size``.
        metadata: What the file says apart from its pixels.
        sha256: Hexadecimal hash of the file's bytes.
        name: Its path, or what the caller calls it.
        size: (height, width) of the full picture, upright.
        bytes_size: Length of the file.
    """

    pixels: NDArray[np.uint8]
    metadata: Metadata
    sha256: str
    name: str
    size: tuple[int, int]
    bytes_size: int

    def views(self, fov_degrees: float = 90.0) -> list[tuple[NDArray[np.uint8], float | None]]:
        """Return what an encoder should see of the photo: itself, or views cut from a panorama.

        Args:
            fov_degrees: Horizontal angle of each view of a panorama.

        Returns:
            Pairs of uint8 (h, w, 3) and how far the view looks to the right of the photo's centre
            column, in degrees: one pair with None for an ordinary photo, and four for a panorama.
            The compass heading of a view is that plus ``metadata.heading_degrees``.
        """
        if not self.metadata.panorama:
            return [(self.pixels, None)]
        crop = self.metadata.sphere_crop
        sphere = self.pixels if crop is None else whole_sphere(self.pixels, crop)
        cuts = perspective_views(sphere, fov_degrees=fov_degrees, headings=VIEW_HEADINGS)
        return list(zip(cuts, VIEW_HEADINGS, strict=True))


def open_photo(
    source: PhotoSource,
    *,
    at_least: tuple[int, int] | None = None,
    limits: Limits | None = None,
    name: str | None = None,
) -> Photo:
    """Open a JPEG, PNG, WebP, TIFF, AVIF or HEIC photo; of several frames, the first.

    Size, shape and format are checked on the header, before memory for pixels is taken.

    Args:
        source: A path, the file's bytes, or a binary stream (left open, read from where it is).
        at_least: (height, width) that the upright pixels are needed at. A JPEG is then decoded at
            1/2, 1/4 or 1/8 of its size where that is still no smaller on either side; other
            formats are decoded in full. Of a panorama, the size that a 90° view of it needs.
        limits: What the photo may cost; the defaults of ``Limits`` if None.
        name: What errors call it; its path if None.

    Raises:
        PhotoNotFoundError: No such file, or it may not be read.
        PhotoUnreadableError: Empty, not a photo, truncated or damaged.
        PhotoTooLargeError: More bytes or pixels than allowed, or too elongated.
        PhotoTooSmallError: Too few pixels.
        DependencyError: A HEIC file, and pillow-heif is not installed.
    """
    data, header, metadata = _read(source, limits, name)
    size = None if at_least is None else _stored_size(at_least, metadata)
    with decoding(header.name):
        pixels = np.array(_decode(header, metadata, size))
    turned = metadata.orientation >= 5
    width, height = header.width, header.height
    # TIFF headers already state the upright size.
    swap = turned and header.format != "TIFF"
    return Photo(
        pixels=pixels,
        metadata=metadata,
        sha256=hashlib.sha256(data).hexdigest(),
        name=header.name,
        size=(width, height) if swap else (height, width),
        bytes_size=len(data),
    )


def open_picture(
    source: PhotoSource,
    *,
    at_least: tuple[int, int] | None = None,
    limits: Limits | None = None,
    name: str | None = None,
) -> Image.Image:
    """Open the picture of a photo alone: what reading millions of them for training needs.

    As :func:`open_photo`, without the hash, and a panorama is a flat picture like any other.

    Args:
        source: A path, the file's bytes, or a binary stream.
        at_least: (height, width) that the upright picture is needed at.
        limits: What the photo may cost.
        name: What errors call it.

    Returns:
        RGB, upright, loaded.

    Raises:
        PhotoError: As :func:`open_photo`.
        DependencyError: A HEIC file, and pillow-heif is not installed.
    """
    _, header, metadata = _read(source, limits, name)
    size = at_least
    if size is not None:
        height, width = size
        size = (height, width) if metadata.orientation >= 5 else (width, height)
    with decoding(header.name):
        return _decode(header, metadata, size)


def _read(
    source: PhotoSource, limits: Limits | None, name: str | None
) -> tuple[bytes, Header, Metadata]:
    """Read a file and its header, and refuse what is beyond the limits."""
    allowed = limits or Limits()
    called = source_name(source, name)
    with opened(source, allowed, called) as stream:
        # Read once: the hash and the decoder share these bytes. One more than allowed shows that
        # a file has grown since its size was checked.
        data = stream.read(allowed.max_bytes + 1)
    allowed.check_bytes(len(data), called)
    header = read_header(io.BytesIO(data), allowed, called)
    return data, header, metadata_of(header)


def _decode(header: Header, metadata: Metadata, size: tuple[int, int] | None) -> Image.Image:
    """Return the upright RGB picture; a JPEG no smaller than ``size`` (width, height) as stored."""
    image: Image.Image = header.image
    if size is not None and header.format == "JPEG":
        header.image.draft(None, size)
    image.load()
    image = to_rgb(image, header.exif.image if header.format == "TIFF" else {})
    # Pillow turns TIFFs itself while it loads them, and pillow-heif reports HEICs as upright.
    if metadata.orientation in _TURNS and header.format != "TIFF":
        image = image.transpose(_TURNS[metadata.orientation])
    return image


def _stored_size(at_least: tuple[int, int], metadata: Metadata) -> tuple[int, int]:
    """Return the (width, height), before orientation, that gives ``at_least`` upright."""
    height, width = at_least
    if metadata.panorama:
        # A 90° view takes a quarter of the columns and half of the rows of the sphere.
        width, height = 4 * width, 2 * height
        if (crop := metadata.sphere_crop) is not None:
            height = math.ceil(height * crop.height / crop.full_height)
    return (height, width) if metadata.orientation >= 5 else (width, height)
