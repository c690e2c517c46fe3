"""MBTiles: an SQLite file of tiles."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import AerialError, AerialUnreadableError
from sightline.imagery.aerial.tile_files import DEEPEST, Tiles
from sightline.imagery.aerial.tile_pyramid import TileKey


class MBTiles:
    """An MBTiles file (specification 1.3): an SQLite table of tiles, rows counted from the south.

    Args:
        path: The file.

    Raises:
        AerialUnreadableError: No SQLite file, or one without tiles that are pictures.
    """

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.metadata = dict(self._rows("SELECT name, value FROM metadata", missing=()))
        if str(self.metadata.get("format", "png")).lower() == "pbf":
            raise AerialError(
                f"{self.location!r} holds vector tiles, not imagery.",
                hint="Use tiles of pictures (png, jpg, webp).",
                path=path,
            )

    @cached_property
    def zooms(self) -> tuple[int, int]:
        """The coarsest and finest level that has a tile."""
        query = (
            "SELECT min(zoom_level), max(zoom_level) FROM tiles "
            "WHERE typeof(zoom_level) = 'integer' AND zoom_level BETWEEN 0 AND ?"
        )
        ((low, high),) = self._rows(query, (DEEPEST,))
        if low is None:
            raise AerialUnreadableError(
                f"{self.location!r} holds no tile.", hint="Make it anew.", path=self.location
            )
        return int(low), int(high)

    def tiles(self, zoom: int) -> Tiles:
        """Return the tiles of a level ``(n, 2)``."""
        query = (
            "SELECT tile_column, tile_row FROM tiles WHERE zoom_level = ? "
            "AND typeof(tile_column) = 'integer' AND typeof(tile_row) = 'integer'"
        )
        found = np.array(list(self._rows(query, (zoom,))), np.int64).reshape(-1, 2)
        found[:, 1] = (1 << zoom) - 1 - found[:, 1]
        return found[((found >= 0) & (found < 1 << zoom)).all(axis=1)]

    @property
    def revision(self) -> tuple[int, int]:
        """Size and time of the file."""
        status = Path(self.location).stat()
        return status.st_size, status.st_mtime_ns

    def read(self, key: TileKey) -> bytes | None:
        """Return a tile's file."""
        # SQLite keeps whatever was put in: text and nothing are bytes too, of no picture.
        query = (
            "SELECT CAST(coalesce(tile_data, '') AS BLOB) FROM tiles "
            "WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        )
        rows = self._rows(query, (key.z, key.x, (1 << key.z) - 1 - key.y))
        return bytes(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _rows(
        self, query: str, values: Iterable[object] = (), *, missing: Any = None
    ) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                if self._connection is None:
                    # Read-only: a file on a shared disk shall not grow a journal.
                    uri = f"{Path(self.location).resolve().as_uri()}?mode=ro"
                    self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
                with closing(self._connection.execute(query, tuple(values))) as cursor:
                    return cursor.fetchall()
        except sqlite3.Error as cause:
            if missing is not None and "no such table" in str(cause):
                return list(missing)
            raise AerialUnreadableError(
                f"{self.location!r} cannot be read as MBTiles: {cause}.",
                hint="It may be damaged or something else; get it anew.",
                path=self.location,
            ) from cause
