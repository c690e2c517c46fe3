"""PMTiles, version 3: one file of tiles; the only door to the package ``pmtiles``."""

from __future__ import annotations

import gzip
import mmap
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

from sightline.errors import AerialError, AerialUnreadableError, DependencyError, RegionError
from sightline.geo.region import BoundingBox
from sightline.imagery.aerial.tile_pyramid import TileKey

_PICTURES = ("PNG", "JPEG", "WEBP")


class PMTiles:
    """A PMTiles archive; a ``TileStore``.

    Args:
        path: The file.

    Raises:
        AerialUnreadableError: No such archive, or damaged.
        AerialError: Its tiles are no pictures.
        DependencyError: pmtiles is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self._path = path
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None
        header = self._asked(lambda reader: reader.header())
        self._header = header
        kind = header["tile_type"].name
        if kind not in _PICTURES:
            raise AerialError(
                f"{self.location!r} holds tiles of the type {kind}, not pictures.",
                hint=f"Use tiles of {', '.join(_PICTURES)}.",
                path=path,
            )
        self.metadata: dict[str, Any] = self._asked(lambda reader: reader.metadata())

    @property
    def zooms(self) -> tuple[int, int]:
        """The coarsest and finest level, as the header says."""
        return int(self._header["min_zoom"]), int(self._header["max_zoom"])

    @property
    def bounds(self) -> BoundingBox:
        """The box that the header says."""
        south, west, north, east = (
            self._header[f"{edge}_e7"] / 1e7
            for edge in ("min_lat", "min_lon", "max_lat", "max_lon")
        )
        try:
            return BoundingBox(south, west, north, east)
        except RegionError as cause:
            raise AerialUnreadableError(
                f"The header of {self.location!r} states no area: {cause.message}",
                hint="Make the archive anew.",
                path=self.location,
            ) from cause

    @property
    def revision(self) -> tuple[int, int]:
        """Size and time of the file."""
        status = self._path.stat()
        return status.st_size, status.st_mtime_ns

    def read(self, key: TileKey) -> bytes | None:
        """Return a tile's file."""
        found: bytes | None = self._asked(lambda reader: self._unpacked(reader.get(*key)))
        return found

    def first(self) -> tuple[TileKey, bytes]:
        """Return the first tile of the archive; raises AerialUnreadableError if it has none."""

        def get(reader: Any) -> tuple[TileKey, bytes | None] | None:
            from pmtiles.reader import all_tiles

            listed: Any = all_tiles  # it is not typed
            for key, data in listed(reader.get_bytes):
                return TileKey(*key), self._unpacked(data)
            return None

        found: tuple[TileKey, bytes] | None = self._asked(get)
        if found is None:
            raise AerialUnreadableError(
                f"{self.location!r} holds no tile.", hint="Make it anew.", path=self.location
            )
        return found

    def _unpacked(self, data: bytes | None) -> bytes | None:
        packed = self._header["tile_compression"].name == "GZIP"
        return gzip.decompress(data) if packed and data else data

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            if self._map is not None:
                self._map.close()
                self._map = None

    def _asked(self, question: Any) -> Any:
        try:
            from pmtiles.reader import Reader
            from pmtiles.tile import MagicNumberNotFound, SpecVersionUnsupported
        except ImportError as cause:
            raise DependencyError(
                "PMTiles need the package pmtiles, which is not installed.",
                hint="Install it with `pip install 'sightline[aerial]'`.",
            ) from cause
        broken = (MagicNumberNotFound, SpecVersionUnsupported, OSError, ValueError, KeyError)
        try:
            with self._lock:
                if self._map is None:
                    with self._path.open("rb") as file:
                        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                held = self._map
                reader: Any = Reader  # it is not typed
                return question(reader(lambda offset, length: held[offset : offset + length]))
        except (*broken, EOFError, IndexError, TypeError, zlib.error, struct.error) as cause:
            raise AerialUnreadableError(
                f"{self.location!r} cannot be read as PMTiles version 3: "
                f"{str(cause) or type(cause).__name__}.",
                hint="It may be damaged or something else; get it anew.",
                path=self.location,
            ) from cause
