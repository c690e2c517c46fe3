"""Tiles on this machine: a folder z/x/y, a path with placeholders, or an MBTiles file."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from sightline.errors import AerialError, AerialUnreadableError
from sightline.geo.planar import outline_of_spans
from sightline.geo.region import MultiPolygon
from sightline.imagery.aerial.revision import FileState, Revision, revision_of
from sightline.imagery.aerial.tile_pyramid import TileKey

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_PLACEHOLDERS = re.compile(r"\{(z|x|y|-y)\}")
_DEEPEST = 24
# As templates write it: 05 is a month, no column.
_NUMBER = "0|[1-9][0-9]{0,8}"

Tiles = NDArray[np.int64]
"""Tiles of one zoom level, columns and rows ``(n, 2)``."""


def is_template(text: str) -> bool:
    """Whether a path or address has the placeholders of a tile: {z}, {x}, and {y} or {-y}."""
    names = {m.group(1) for m in _PLACEHOLDERS.finditer(text)}
    return {"z", "x"} <= names and bool(names & {"y", "-y"})


def fill_template(template: str, key: TileKey) -> str:
    """Return the path or address of one tile; ``{-y}`` counts rows from the south, as TMS does."""
    values = {"z": key.z, "x": key.x, "y": key.y, "-y": (1 << key.z) - 1 - key.y}
    return _PLACEHOLDERS.sub(lambda m: str(values[m.group(1)]), template)


def outline_of_tiles(tiles: Tiles, zoom: int, name: str) -> MultiPolygon:
    """Return the ground that tiles cover; runs of tiles in a column are one box."""
    order = np.lexsort((tiles[:, 1], tiles[:, 0]))
    x, y = tiles[order].T
    starts = np.flatnonzero(np.r_[True, (np.diff(x) != 0) | (np.diff(y) != 1)])
    ends = np.r_[starts[1:], len(x)] - 1
    count = 1 << zoom
    west, east = (x[starts] / count * 360.0 - 180.0, (x[starts] + 1) / count * 360.0 - 180.0)
    north, south = (
        np.rad2deg(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * rows / count))))
        for rows in (y[starts], y[ends] + 1)
    )
    boxes = outline_of_spans(south, west, north, east)
    return MultiPolygon(shapely.union_all(list(boxes.geoms)), name=name)


class TileFolder:
    """Tiles in files, named by a path with placeholders; a ``TileStore``.

    Args:
        template: Such as ``tiles/{z}/{x}/{y}.png``.

    Attributes:
        location: The path.
        revision: Of all tiles as they were when they were opened.

    Raises:
        AerialUnreadableError: No file has such a name.
    """

    def __init__(self, template: str) -> None:
        self.location = template
        self._found, self.revision = _scan(template)
        if not self._found:
            raise AerialUnreadableError(
                f"There is no tile {template!r}.",
                hint="Check the path; tiles are named like 18/137520/88021.png.",
                path=template,
            )

    @classmethod
    def of_folder(cls, folder: Path) -> TileFolder | None:
        """Return the tiles of a folder of folders of numbers, or None if it is none."""
        for z in _numbered(folder):
            for x in _numbered(z):
                for y in _numbered(x, _SUFFIXES):
                    # Folders of years, months and days hold photos.
                    if _key({"z": int(z.name), "x": int(x.name), "y": int(y.stem)}) is not None:
                        return cls(f"{folder}/{{z}}/{{x}}/{{y}}{y.suffix}")
        return None

    @property
    def zooms(self) -> tuple[int, int]:
        """The coarsest and finest level that has a tile."""
        return min(self._found), max(self._found)

    def tiles(self, zoom: int) -> Tiles:
        """Return the tiles of a level ``(n, 2)``."""
        return np.array(self._found.get(zoom, ()), np.int64).reshape(-1, 2)

    def read(self, key: TileKey) -> bytes | None:
        """Return a tile's file."""
        path = fill_template(self.location, key)
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise AerialUnreadableError(
                f"The tile {path!r} cannot be read: {cause.strerror or cause}.",
                hint="Check the rights to read it.",
                path=path,
            ) from cause

    def close(self) -> None:
        """Do nothing: every tile is its own file."""


def _numbered(folder: Path, endings: tuple[str, ...] = ("",)) -> list[Path]:
    """What is named by a number and one of the endings, in the order of the names."""
    if not folder.is_dir():
        return []
    return sorted(
        p for p in folder.iterdir() if re.fullmatch(_NUMBER, p.stem) and p.suffix.lower() in endings
    )


def _scan(template: str) -> tuple[dict[int, list[tuple[int, int]]], Revision]:
    """Columns and rows of all tiles by zoom, and what tells whether any was changed."""
    parts = Path(template).parts
    fixed = next(i for i, part in enumerate(parts) if _PLACEHOLDERS.search(part))
    root = Path(*parts[:fixed]) if fixed else Path()
    found: dict[int, list[tuple[int, int]]] = {}

    def states() -> Iterator[FileState]:
        for key, entry in _walk(root, parts[fixed:], {}):
            status = _stat(entry)
            if status is not None:
                found.setdefault(key.z, []).append((key.x, key.y))
                name = f"{key.z}/{key.x}/{key.y}"
                yield FileState(name, status.st_size, status.st_mtime_ns)

    revision = revision_of(states())
    return {z: sorted(tiles) for z, tiles in found.items()}, revision


def _walk(
    folder: Path, parts: tuple[str, ...], known: dict[str, int]
) -> Iterator[tuple[TileKey, os.DirEntry[str]]]:
    """The files that are named as tiles, in the order of their names."""
    names = [m.group(1) for m in _PLACEHOLDERS.finditer(parts[0])]
    pieces = [re.escape(piece) for piece in _PLACEHOLDERS.split(parts[0])[::2]]
    pattern = re.compile(f"({_NUMBER})".join(pieces))
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        match = pattern.fullmatch(entry.name)
        if match is None:
            continue
        values = known | dict(zip(names, map(int, match.groups()), strict=True))
        if len(parts) > 1:
            yield from _walk(folder / entry.name, parts[1:], values)
        elif (key := _key(values)) is not None:
            yield key, entry


def _key(values: dict[str, int]) -> TileKey | None:
    """The tile of a path's numbers, if there is such a tile."""
    z, x = values["z"], values["x"]
    if z > _DEEPEST:
        return None
    y = values["y"] if "y" in values else (1 << z) - 1 - values["-y"]
    return TileKey(z, x, y) if 0 <= x < 1 << z and 0 <= y < 1 << z else None


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # it was taken away meanwhile
        return None


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
        query = "SELECT min(zoom_level), max(zoom_level) FROM tiles WHERE zoom_level <= ?"
        ((low, high),) = self._rows(query, (_DEEPEST,))
        if low is None:
            raise AerialUnreadableError(
                f"{self.location!r} holds no tile.", hint="Make it anew.", path=self.location
            )
        return int(low), int(high)

    def tiles(self, zoom: int) -> Tiles:
        """Return the tiles of a level ``(n, 2)``."""
        query = "SELECT tile_column, tile_row FROM tiles WHERE zoom_level = ?"
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
        query = (
            "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        )
        rows = list(self._rows(query, (key.z, key.x, (1 << key.z) - 1 - key.y)))
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
