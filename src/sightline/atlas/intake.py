"""From one record to pixels an encoder takes: read, hash, place, decode, cut, prepare.

Everything here runs in worker threads, many at a time.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.catalogue import Catalogue, content_key
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import (
    PhotoNotFoundError,
    PhotoPlaceError,
    PhotoUnreadableError,
    SightlineError,
    VectorError,
)
from sightline.geo.distance import great_circle_m
from sightline.imagery.limits import Limits
from sightline.imagery.metadata import Metadata, read_metadata
from sightline.imagery.photo import Photo, open_photo

if TYPE_CHECKING:
    from sightline.models.protocol import Encoder

# What a record's ``projection`` may say; anything else leaves it to the file.
_SAME_PLACE_M = 1000.0
_FAR_M = 100_000.0
_WHOLE_SPHERE, _FLAT = ("spherical", "equirectangular"), ("perspective",)


@dataclass(slots=True)
class FileState:
    """A file as it was when it was looked at."""

    name: str
    size_bytes: int
    mtime_ns: int


@dataclass(slots=True)
class ReadyPhoto:
    """A photo that waits for its vectors.

    Attributes:
        files: All files seen with this content; the first one gave the row its uri.
        sha256: Hash of the content.
        lat: Degrees north.
        lon: Degrees east.
        headings: Per view, degrees clockwise from north, or None.
        record: Where it came from.
        captured_at: ISO 8601, from the record or the file.
        prepared: Per view, what the encoder takes; dropped once encoded.
        vectors: Per view, (regions², d), as far as encoded.
        error: Why a view could not be encoded.
        rows_each: Vectors that each of ``prepared`` becomes: an aerial patch has one per turn.
        metres_per_pixel: Of an aerial patch.
        outline: Of an aerial patch: latitude and longitude of its corners (8,).
    """

    files: list[FileState]
    sha256: bytes
    lat: float
    lon: float
    headings: Sequence[float | None]
    record: PhotoRecord
    captured_at: str | None
    prepared: list[NDArray[np.uint8]]
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    error: VectorError | None = None
    rows_each: int = 1
    metres_per_pixel: float | None = None
    outline: Sequence[float] | None = None

    @property
    def rows(self) -> int:
        """Rows that it becomes; to be asked before it is encoded."""
        return len(self.prepared) * self.rows_each


@dataclass(slots=True)
class Unchanged:
    """The very file is stored already."""

    record: PhotoRecord


@dataclass(slots=True)
class SameContent:
    """Another file, or the same one touched, with a content that is stored already."""

    record: PhotoRecord
    file: FileState
    sha256: bytes


@dataclass(slots=True)
class Refused:
    """A photo that cannot become a row, and why."""

    uri: str
    error: SightlineError


@dataclass(slots=True)
class Blank:
    """A place of which the aerial imagery shows too little."""

    record: PhotoRecord


Taken = ReadyPhoto | Unchanged | SameContent | Refused | Blank


class Intake:
    """Turns records into what the builder does with them; thread-safe.

    Args:
        encoder: Only its ``prepare`` and ``decode_size`` are used.
        catalogue: What need not be read or decoded again.
        limits: How large a photo may be.
    """

    def __init__(self, encoder: Encoder, catalogue: Catalogue, limits: Limits | None = None):
        self._encoder = encoder
        self._catalogue = catalogue
        self._limits = Limits() if limits is None else limits

    def __call__(self, record: PhotoRecord | RecordProblem, *, again: bool = False) -> Taken:
        """Look at one record; never raises for what is wrong with a photo.

        Args:
            record: The photo, or the row of a list that could not name one.
            again: Decode even if the content is thought to be stored.
        """
        if isinstance(record, RecordProblem):
            return Refused(record.uri, record.error)
        try:
            return self._take(record, again=again)
        except SightlineError as error:
            return Refused(record.uri, error)

    def _take(self, record: PhotoRecord, *, again: bool) -> Taken:
        file = _look(record.uri)
        if not again and self._catalogue.unchanged(file.name, file.size_bytes, file.mtime_ns):
            return Unchanged(record)
        data = self._read(file)
        sha256 = hashlib.sha256(data).digest()
        own = _own_place(record)
        if not again and self._catalogue.holds(content_key(sha256)):
            # Whether a photo has a place must not depend on which twin came first.
            if own is None:
                _file_place(record, read_metadata(data, limits=self._limits, name=record.uri))
            return SameContent(record, file, sha256)
        photo = self._open(record, data)
        lat, lon = own or _file_place(record, photo.metadata)
        if own is not None:
            _refuse_swapped(record, own, photo.metadata)
        pictures = photo.views()
        heading = record.heading_degrees
        if heading is None:
            heading = photo.metadata.heading_degrees
        return ReadyPhoto(
            files=[file],
            sha256=sha256,
            lat=lat,
            lon=lon,
            headings=[_turned(heading, offset) for _, offset in pictures],
            record=record,
            captured_at=_captured_at(record, photo.metadata),
            prepared=[self._encoder.prepare(pixels) for pixels, _ in pictures],
        )

    def _open(self, record: PhotoRecord, data: bytes) -> Photo:
        height, width = self._encoder.decode_size
        said = (record.projection or "").lower()
        if said in _WHOLE_SPHERE:
            # The file may not say it, and then nobody else asks for what the views need.
            height, width = 2 * height, 4 * width
        photo = open_photo(data, at_least=(height, width), limits=self._limits, name=record.uri)
        if said in _WHOLE_SPHERE + _FLAT:
            metadata = replace(photo.metadata, panorama=said in _WHOLE_SPHERE)
            photo = replace(photo, metadata=metadata)
        return photo

    def _read(self, file: FileState) -> bytes:
        self._limits.check_bytes(file.size_bytes, file.name)
        try:
            return Path(file.name).read_bytes()
        except OSError as error:
            raise _unreachable(file.name, error) from error


def _look(name: str) -> FileState:
    try:
        status = Path(name).stat()
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise PhotoUnreadableError(
            f"{name!r} is no regular file.", hint="Name files, or a folder of them.", path=name
        )
    return FileState(name, status.st_size, status.st_mtime_ns)


def _unreachable(name: str, error: Exception) -> PhotoNotFoundError:
    reason = getattr(error, "strerror", None) or str(error)
    return PhotoNotFoundError(
        f"{name!r} cannot be read: {reason}.",
        hint="Check the path and the rights to read it.",
        path=name,
    )


def _own_place(record: PhotoRecord) -> tuple[float, float] | None:
    if record.lat is None or record.lon is None:
        return None
    return record.lat, record.lon


def _file_place(record: PhotoRecord, metadata: Metadata) -> tuple[float, float]:
    if metadata.place is None:
        why = metadata.place_problem or "the file holds none and the record gives none"
        raise PhotoPlaceError(
            f"{record.uri!r} has no usable place: {why}.",
            hint="List its latitude and longitude in a CSV, or leave it out.",
            path=record.uri,
        )
    return metadata.place.lat, metadata.place.lon


def _refuse_swapped(record: PhotoRecord, own: tuple[float, float], metadata: Metadata) -> None:
    """A list may be right where a file is wrong; but not by exactly its own two numbers turned."""
    said = metadata.place
    lat, lon = own
    if said is None or abs(lon) > 90.0:
        return
    there = (said.lat, said.lon)
    far = great_circle_m(own, there) > _FAR_M
    if far and great_circle_m((lon, lat), there) < _SAME_PLACE_M:
        raise PhotoPlaceError(
            f"{record.uri!r} is listed at latitude {lat}, longitude {lon}; its own EXIF says "
            f"{said.lat:.6f}, {said.lon:.6f}: the two numbers look swapped.",
            hint="Put latitude and longitude in their columns.",
            path=record.uri,
        )


def _turned(heading: float | None, offset: float | None) -> float | None:
    return None if heading is None else (heading + (offset or 0.0)) % 360.0


def _captured_at(record: PhotoRecord, metadata: Metadata) -> str | None:
    if record.captured_at is not None or metadata.captured_at is None:
        return record.captured_at
    return metadata.captured_at.isoformat()
