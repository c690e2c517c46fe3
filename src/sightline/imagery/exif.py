"""EXIF blocks, read tag by tag: a bounded reader of TIFF directories that never raises.

A reader of its own, because the one in Pillow warns, rounds 0/0 to a number and reads what it is
not asked for. Only the tags in ``_WANTED`` are read, from three directories (image, photo, GPS),
each visited once: chains and loops of directories lead nowhere. Format: CIPA DC-008 (Exif 3.0),
TIFF 6.0, and BigTIFF for the files that use it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = str | bytes | tuple[float, ...]
Tags: TypeAlias = dict[int, Value]

MAKE, MODEL, ORIENTATION, CHANGED, XMP_PACKET = 0x010F, 0x0110, 0x0112, 0x0132, 0x02BC
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 0x0102, 0x0106, 0x0153
TAKEN, DIGITISED, OFFSET_CHANGED, OFFSET_TAKEN, OFFSET_DIGITISED = (
    0x9003, 0x9004, 0x9010, 0x9011, 0x9012,
)  # fmt: skip
FOCAL_LENGTH_35MM = 0xA405
_PHOTO_POINTER, _GPS_POINTER = 0x8769, 0x8825

LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4
ALTITUDE_REF, ALTITUDE, GPS_TIME, DIRECTION, DATUM, GPS_DATE, ERROR_M = 5, 6, 7, 17, 18, 29, 31

_WANTED = frozenset(
    {MAKE, MODEL, ORIENTATION, CHANGED, XMP_PACKET, BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT}
    | {TAKEN, DIGITISED, OFFSET_CHANGED, OFFSET_TAKEN, OFFSET_DIGITISED, FOCAL_LENGTH_35MM}
    | {_PHOTO_POINTER, _GPS_POINTER}
    | {LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE, ALTITUDE_REF, ALTITUDE, GPS_TIME}
    | {DIRECTION, DATUM, GPS_DATE, ERROR_M}
)
_MOST_ENTRIES = 1024
_MOST_BYTES = 1 << 20

# TIFF type -> (struct letter, bytes per item); ASCII, BYTE and UNDEFINED are taken as bytes.
_TYPES = {
    1: ("s", 1), 2: ("s", 1), 3: ("H", 2), 4: ("I", 4), 5: ("I", 8), 6: ("b", 1), 7: ("s", 1),
    8: ("h", 2), 9: ("i", 4), 10: ("i", 8), 11: ("f", 4), 12: ("d", 8), 13: ("I", 4),
    16: ("Q", 8), 17: ("q", 8), 18: ("Q", 8), 129: ("s", 1),
}  # fmt: skip
_TEXT, _RATIONALS = (2, 129), (5, 10)


@dataclass(frozen=True, slots=True)
class Exif:
    """What an EXIF block says.

    Text is stripped of padding; numbers come as tuples of floats, in which 0/0 (how cameras write
    "no value") is NaN and n/0 infinity; everything else is bytes. ``gps`` is None where the file
    has no GPS directory, and empty where it has one that cannot be read.
    """

    image: Tags = field(default_factory=dict)
    photo: Tags = field(default_factory=dict)
    gps: Tags | None = None


def read_exif(block: bytes) -> Exif:
    """Read an EXIF block (with or without its ``Exif`` prefix) or the head of a TIFF file.

    Anything that is damaged is left out; nothing is raised.
    """
    while block[:6] == b"Exif\0\0":  # some writers put the prefix twice
        block = block[6:]
    reader = _Reader.over(block)
    if reader is None:
        return Exif()
    image = reader.directory(reader.first)
    photo = _pointer(image, _PHOTO_POINTER)
    gps = _pointer(image, _GPS_POINTER)
    return Exif(
        image=image,
        photo={} if photo is None else reader.directory(photo),
        gps=None if gps is None else reader.directory(gps),
    )


def number(tags: Tags, tag: int) -> float | None:
    """Return the first number of ``tag``, or None if there is none that is finite."""
    value = tags.get(tag)
    if isinstance(value, bytes) and value:
        return float(value[0])
    if isinstance(value, tuple) and value and math.isfinite(value[0]):
        return value[0]
    return None


def text(tags: Tags, tag: int) -> str:
    """Return the text of ``tag`` without padding, or an empty string."""
    value = tags.get(tag)
    if isinstance(value, bytes):
        value = _as_text(value)
    return value if isinstance(value, str) else ""


def _pointer(tags: Tags, tag: int) -> int | None:
    value = tags.get(tag)
    return int(value[0]) if isinstance(value, tuple) and value else None


def _as_text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class _Reader:
    """A TIFF structure in memory: byte order, width of its counts, first directory."""

    block: bytes
    order: str
    big: bool
    first: int

    @staticmethod
    def over(block: bytes) -> _Reader | None:
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is None or len(block) < 8:
            return None
        magic = struct.unpack_from(order + "H", block, 2)[0]
        if magic == 43 and len(block) >= 16:
            return _Reader(block, order, True, struct.unpack_from(order + "Q", block, 8)[0])
        return _Reader(block, order, False, struct.unpack_from(order + "I", block, 4)[0])

    def directory(self, offset: int) -> Tags:
        """Read the wanted tags of the directory at ``offset``; a damaged tag is left out."""
        counter, entry, width = ("Q", "HHQ", 8) if self.big else ("H", "HHI", 4)
        head = struct.calcsize(self.order + entry)
        start = offset + struct.calcsize(self.order + counter)
        if offset < 8 or start > len(self.block):
            return {}
        count = struct.unpack_from(self.order + counter, self.block, offset)[0]
        tags: Tags = {}
        for position in range(min(count, _MOST_ENTRIES)):
            at = start + position * (head + width)
            if at + head + width > len(self.block):
                break
            tag, kind, items = struct.unpack_from(self.order + entry, self.block, at)
            if tag not in _WANTED or tag in tags:
                continue
            value = self._value(kind, items, at + head, width)
            if value is not None:
                tags[tag] = value
        return tags

    def _value(self, kind: int, items: int, at: int, width: int) -> Value | None:
        letter, size = _TYPES.get(kind, ("", 0))
        length = items * size
        if not 0 < length <= _MOST_BYTES:
            return None
        if length > width:
            at = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.block, at)[0]
        raw = self.block[at : at + length]
        if len(raw) < length:
            return None
        if letter == "s":
            return _as_text(raw) if kind in _TEXT else raw
        if kind in _RATIONALS:
            terms = struct.unpack(f"{self.order}{2 * items}{letter}", raw)
            return tuple(_ratio(*pair) for pair in zip(terms[::2], terms[1::2], strict=True))
        return tuple(float(term) for term in struct.unpack(f"{self.order}{items}{letter}", raw))


def _ratio(numerator: int, denominator: int) -> float:
    if denominator:
        return numerator / denominator
    return math.copysign(math.inf, numerator) if numerator else math.nan
