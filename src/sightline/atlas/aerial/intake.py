"""From a place of the grid to pixels an encoder takes: cut the patch, judge it, hash, prepare.

Everything here runs in worker threads, many at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.aerial.grid import AerialGrid
from sightline.atlas.catalogue import Catalogue, content_key
from sightline.atlas.intake import (
    Blank,
    FileState,
    ReadyPhoto,
    Refused,
    SameContent,
    Taken,
    Unchanged,
)
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.errors import AerialError
from sightline.imagery.aerial import AerialSource, patch_outline
from sightline.models.protocol import Encoder

_URI = "aerial:"


def uri_of(source: str, grid_id: str) -> str:
    """Return what a patch is called: ``aerial:SOURCE#ROW.COLUMN``."""
    return f"{_URI}{source}#{grid_id}"


def source_of(uri: str) -> str | None:
    """Return the source's name in a patch's uri, or None if it is none."""
    name, _, grid_id = uri.rpartition("#")
    return name.removeprefix(_URI) if name.startswith(_URI) and grid_id else None


class PatchRecords:
    """The places of a grid as records, one after the other; its length is the grid's.

    Args:
        grid: The places.
        source: Where the patches come from.
    """

    def __init__(self, grid: AerialGrid, source: AerialSource) -> None:
        self._grid = grid
        self._source = source

    def __len__(self) -> int:
        return len(self._grid)

    def __iter__(self) -> Iterator[PhotoRecord]:
        name, licence = self._source.name, self._source.licence
        for part in self._grid:
            for grid_id, (lat, lon) in zip(part.names(), part.latlng.tolist(), strict=True):
                yield PhotoRecord(uri_of(name, grid_id), lat, lon, source=name, licence=licence)


class AerialIntake:
    """Turns places into what the builder does with them; thread-safe.

    Args:
        source: The imagery.
        encoder: Its ``prepare`` and ``aerial_turns`` are used.
        catalogue: What need not be cut again.
        patch_m: Side of a patch on the ground.
        size_px: Side of a patch in pixels.
        min_valid: Share of a patch that must be shown.
    """

    def __init__(
        self,
        source: AerialSource,
        encoder: Encoder,
        catalogue: Catalogue,
        *,
        patch_m: float,
        size_px: int,
        min_valid: float,
    ) -> None:
        self._source = source
        self._encoder = encoder
        self._catalogue = catalogue
        self._patch_m = patch_m
        self._size_px = size_px
        self._min_valid = min_valid
        self._revision = source.revision

    def __call__(self, record: PhotoRecord | RecordProblem, *, again: bool = False) -> Taken:
        """Look at one place; never raises for what is wrong with its imagery."""
        if isinstance(record, RecordProblem):
            return Refused(record.uri, record.error)
        try:
            return self._take(record, again=again)
        except AerialError as error:
            return Refused(record.uri, error)

    def _take(self, record: PhotoRecord, *, again: bool) -> Taken:
        file = FileState(record.uri, *self._revision)
        if not again and self._catalogue.unchanged(file.name, file.size_bytes, file.mtime_ns):
            return Unchanged(record)
        place = _place(record)
        patch = self._source.patch(place, self._patch_m, self._size_px)
        if patch.share_valid < self._min_valid:
            return Blank(record)
        sha256 = patch_sha256(record.uri, patch.pixels)
        if not again and self._catalogue.holds(content_key(sha256)):
            return SameContent(record, file, sha256)
        turns = self._encoder.aerial_turns
        return ReadyPhoto(
            files=[file],
            sha256=sha256,
            lat=place[0],
            lon=place[1],
            headings=[None] * turns,
            record=record,
            captured_at=None,
            prepared=[self._encoder.prepare(patch.pixels, "aerial")],
            rows_each=turns,
            metres_per_pixel=patch.metres_per_pixel,
            outline=patch_outline(place, self._patch_m).ravel().tolist(),
        )


def patch_sha256(uri: str, pixels: NDArray[np.uint8]) -> bytes:
    """Return the hash of a patch's place and pixels.

    The place is hashed too: two squares of sea that look alike are two references, not one photo
    under two names.
    """
    return hashlib.sha256(uri.encode() + b"\0" + pixels.tobytes()).digest()


def _place(record: PhotoRecord) -> tuple[float, float]:
    # PatchRecords gives both.
    return cast("tuple[float, float]", (record.lat, record.lon))
