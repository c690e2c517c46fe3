"""A photo with its header read and its pixels not yet decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sightline.errors import (
    DependencyError,
    PhotoTooLargeError,
    PhotoUnreadableError,
    SightlineError,
)
from sightline.imagery import exif
from sightline.imagery.formats import describe_unknown, sniff, webp_canvas
from sightline.imagery.limits import Limits
from sightline.imagery.quiet import decoder_warnings_silenced

_HEAD_BYTES = 4096
_MOST_EXIF_BYTES = 16 << 20
# The classes themselves, not Image.open: it would guess formats that are not allowed here and
# check sizes against a limit that belongs to the whole process.
_DECODERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a photo before its pixels are decoded.

    ``image`` is still lazy; ``width`` and ``height`` are as stored, before EXIF orientation;
    ``name`` is what errors call the photo.
    """

    name: str
    image: ImageFile
    format: str
    width: int
    height: int
    exif: exif.Exif
    xmp: bytes


def read_header(stream: BinaryIO, limits: Limits, name: str) -> Header:
    """Read the header of the photo in ``stream`` and check it against ``limits``.

    Args:
        stream: Seekable, at its start; it must stay open until the pixels are decoded.
        limits: What the photo may cost.
        name: What errors call it.

    Raises:
        PhotoUnreadableError: Not one of the formats, or damaged.
        PhotoTooLargeError: Beyond the limits.
        PhotoTooSmallError: Too few pixels.
        DependencyError: A HEIC file, and pillow-heif is not installed.
    """
    head = stream.read(_HEAD_BYTES)
    kind = sniff(head)
    if kind is None:
        raise PhotoUnreadableError(
            f"{name!r} is {describe_unknown(head)}; photos are JPEG, PNG, WebP, TIFF, AVIF or "
            "HEIC files.",
            hint="Check that the file is the photo, or convert it to one of these formats.",
            path=name,
        )
    decoder = _heif_decoder(name) if kind == "HEIF" else _DECODERS[kind]
    if kind == "WEBP" and (canvas := webp_canvas(head)) is not None:
        limits.check_size(*canvas, name)
    stream.seek(0)
    with decoding(name):
        image = decoder(stream)
        width, height = image.size
        limits.check_size(width, height, name)
        block, packet = _blocks(image, kind, stream)
    return Header(name, image, kind, width, height, exif.read_exif(block), packet)


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a damaged file into one ``PhotoUnreadableError``."""
    try:
        with decoder_warnings_silenced():
            yield
    except SightlineError:
        raise
    except (Image.DecompressionBombError, MemoryError) as cause:
        raise PhotoTooLargeError(
            f"{name!r} would unpack to more pixels than memory can hold.",
            hint="Save a smaller copy of the photo.",
            path=name,
        ) from cause
    except Exception as cause:  # decoders of hostile bytes raise errors of every kind
        reason = " ".join(str(cause).split())[:200] or type(cause).__name__
        raise PhotoUnreadableError(
            f"{name!r} is damaged or incomplete: {reason}.",
            hint="Copy the photo again from its source, or leave it out.",
            path=name,
        ) from cause


def _heif_decoder(name: str) -> type[ImageFile]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as cause:
        raise DependencyError(
            f"{name!r} is a HEIC photo, and the package pillow-heif is not installed.",
            hint='Install it with: pip install "sightline[heif]"',
            path=name,
        ) from cause
    decoder: type[ImageFile] = HeifImageFile
    return decoder


def _blocks(image: ImageFile, kind: str, stream: BinaryIO) -> tuple[bytes, bytes]:
    """Return the EXIF block and the XMP packet of a photo, empty where it has none."""
    if kind == "TIFF":
        # A TIFF file is its own EXIF block; its directories may lie anywhere in it.
        stream.seek(0)
        data = stream.read()
        packet = exif.read_exif(data).image.get(exif.XMP_PACKET)
        return data, packet if isinstance(packet, bytes) else b""
    block, packet = image.info.get("exif"), image.info.get("xmp")
    if kind == "PNG" and not block:
        block = _late_png_exif(stream)
    found = block if isinstance(block, bytes) and len(block) <= _MOST_EXIF_BYTES else b""
    return found, packet if isinstance(packet, bytes) else b""


def _late_png_exif(stream: BinaryIO) -> bytes:
    """Find an eXIf chunk behind the pixels, where some editors put it, by walking the chunks."""
    at = stream.tell()
    length = stream.seek(0, io.SEEK_END)
    position, block = 8, b""
    while position + 8 <= length:
        stream.seek(position)
        size, kind = struct.unpack(">I4s", stream.read(8))
        if kind == b"eXIf" and size <= _MOST_EXIF_BYTES:
            block = stream.read(size)
            break
        position += size + 12
    stream.seek(at)
    return block
