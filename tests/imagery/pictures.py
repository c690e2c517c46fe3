"""Real small picture files, made in memory, and EXIF blocks written byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Return uint8 (height, width, 3): red grows to the right, green downward, blue constant."""
    red = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([red, green, np.full_like(red, 60)], -1).round().astype(np.uint8)


def encoded(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


Entry = tuple[int, int, int, bytes]  # tag, TIFF type, count, value


def text(tag: int, value: str) -> Entry:
    raw = value.encode() + b"\0"
    return tag, 2, len(raw), raw


def rationals(tag: int, *pairs: tuple[int, int], order: str = "<", signed: bool = False) -> Entry:
    letter = "i" if signed else "I"
    raw = b"".join(struct.pack(order + letter * 2, *pair) for pair in pairs)
    return tag, 10 if signed else 5, len(pairs), raw


def short(tag: int, *values: int, order: str = "<") -> Entry:
    return tag, 3, len(values), struct.pack(f"{order}{len(values)}H", *values)


def exif_block(
    image: Sequence[Entry] = (),
    photo: Sequence[Entry] | None = None,
    gps: Sequence[Entry] | None = None,
    order: str = "<",
) -> bytes:
    """Write an EXIF block (little or big endian) with the given directories."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    pointers = [tag for tag, part in ((0x8769, photo), (0x8825, gps)) if part is not None]
    first_length = 2 + 12 * (len(image) + len(pointers)) + 4 + sum(_room(e) for e in image)
    body, at = b"", 8 + first_length
    for tag, part in ((0x8769, photo), (0x8825, gps)):
        if part is not None:
            image = [*image, (tag, 4, 1, struct.pack(order + "I", at))]
            body += _directory(part, at, order)
            at = 8 + first_length + len(body)
    return b"Exif\0\0" + head + _directory(image, 8, order) + body


def _room(entry: Entry) -> int:
    return len(entry[3]) if len(entry[3]) > 4 else 0


def _directory(entries: Sequence[Entry], at: int, order: str) -> bytes:
    data_at = at + 2 + 12 * len(entries) + 4
    table, data = struct.pack(order + "H", len(entries)), b""
    for tag, kind, count, raw in entries:
        table += struct.pack(order + "HHI", tag, kind, count)
        if len(raw) > 4:
            table += struct.pack(order + "I", data_at + len(data))
            data += raw
        else:
            table += raw.ljust(4, b"\0")
    return table + b"\0\0\0\0" + data


def gps_entries(
    lat: Sequence[tuple[int, int]] = ((48, 1), (51, 1), (30, 1)),
    lon: Sequence[tuple[int, int]] = ((2, 1), (17, 1), (40, 1)),
    references: tuple[str | None, str | None] = ("N", "E"),
    more: Sequence[Entry] = (),
) -> list[Entry]:
    entries = []
    for tag, reference, value in ((1, references[0], lat), (3, references[1], lon)):
        if reference is not None:
            entries.append(text(tag, reference))
        entries.append(rationals(tag + 1, *value))
    return [*entries, *more]


def xmp(attributes: str = "", elements: str = "") -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
        f" {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_png_chunk(png: bytes, kind: bytes, data: bytes, *, late: bool = False) -> bytes:
    """Insert a chunk behind the header, or in front of IEND."""
    at = len(png) - 12 if late else 33
    return png[:at] + png_chunk(kind, data) + png[at:]


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG that states a size and holds one line of pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")
