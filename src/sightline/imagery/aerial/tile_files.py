"""Tiles in files of their own: a folder z/x/y, or a path with placeholders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from sightline.errors import AerialUnreadableError
from sightline.geo.planar import outline_of_spans
from sightline.geo.region import MultiPolygon
from sightline.imagery.aerial.revision import FileState, Revision, revision_of
from sightline.imagery.aerial.tile_pyramid import TileKey

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_PLACEHOLDERS = re.compile(r"\{(z|x|y|-y)\}")
DEEPEST = 24
"""The finest zoom level that is looked at."""

_TMS_NAME = "tilemapresource.xml"
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
        """Return the tiles of a folder of folders of numbers, or None if it is none.

        Those that end as the first; rows count from the south where :func:`tms_profile` says so.
        """
        for z in _numbered(folder):
            for x in _numbered(z):
                for y in _numbered(x, _SUFFIXES):
                    # Folders of years, months and days hold photos.
                    if _key({"z": int(z.name), "x": int(x.name), "y": int(y.stem)}) is not None:
                        row = "y" if tms_profile(folder) is None else "-y"
                        return cls(f"{folder}/{{z}}/{{x}}/{{{row}}}{y.suffix}")
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


def tms_profile(folder: Path) -> str | None:
    """Return the profile that a folder of tiles by the TMS specification states, or None.

    Such a folder, as gdal2tiles writes it unless it is told otherwise, counts rows from the south.
    """
    try:
        text = (folder / _TMS_NAME).read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    stated = re.search(r"<TileSets\b[^>]*\bprofile\s*=\s*[\"']([^\"']*)", text)
    return stated[1] if stated else ""


def tile_endings(folder: Path) -> list[str]:
    """Return how the names of a folder's tiles end, in the order of the alphabet."""
    return sorted(
        {y.suffix for z in _numbered(folder) for x in _numbered(z) for y in _numbered(x, _SUFFIXES)}
    )


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
    if z > DEEPEST:
        return None
    y = values["y"] if "y" in values else (1 << z) - 1 - values["-y"]
    return TileKey(z, x, y) if 0 <= x < 1 << z and 0 <= y < 1 << z else None


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # it was taken away meanwhile
        return None
