"""Which image format a file really is, whatever its name says, and how large before decoding."""

from __future__ import annotations

import struct

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif"}
)
"""File name endings that folders are searched for, lower case."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL"),
    (b"\x1aE\xdf\xa3", "a video"),
)


def sniff(head: bytes) -> str | None:
    """Return ``JPEG``, ``PNG``, ``WEBP``, ``TIFF``, ``AVIF`` or ``HEIF`` by a file's first bytes.

    Args:
        head: At least the first 64 bytes, fewer if the file is shorter.

    Returns:
        The format, or None if it is none of these.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    return None


def _by_brands(head: bytes) -> str | None:
    length = min(struct.unpack_from(">I", head)[0], len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & (_HEIC_BRANDS | {b"mif1", b"msf1"}) else None


def describe_unknown(head: bytes) -> str:
    """Say in words what a file that is none of the formats seems to be."""
    for magic, words in _OTHERS:
        if head.startswith(magic):
            return words
    if head[4:8] == b"ftyp":
        return "a video"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    if b"\0" not in head and not any(byte < 9 or 13 < byte < 32 for byte in head):
        return "text"
    return "not an image"


def webp_canvas(head: bytes) -> tuple[int, int] | None:
    """Return a WebP file's ``(width, height)`` from its first 30 bytes, None if damaged.

    The WebP decoder takes memory for its canvas as soon as it is made, so the size has to be known
    before (RFC 9649, sections 2.5 to 2.7).
    """
    if len(head) < 30:
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        return width, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
