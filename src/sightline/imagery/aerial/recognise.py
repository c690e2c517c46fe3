"""Whether what was named as photos is aerial imagery, found out from names and headers alone."""

from __future__ import annotations

import os
import struct
from itertools import islice
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sightline.imagery.aerial.tile_files import TileFolder, fill_template, is_template
from sightline.imagery.aerial.tile_pyramid import TileKey
from sightline.imagery.formats import PHOTO_SUFFIXES
from sightline.imagery.quiet import decoder_warnings_silenced

_ARCHIVES = (".mbtiles", ".pmtiles", ".vrt")
_TIFF_SUFFIXES = (".tif", ".tiff")
# ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory (OGC 19-008r4, annex F).
_GEO_TAGS = (33550, 33922, 34264, 34735)
_TIFF_HEAD, _BIG = 16, b"\x2b"
_LOOKED_AT = 1000


def aerial_words(path: str | os.PathLike[str]) -> str | None:
    """Say what kind of aerial imagery a path looks like, or None if it does not.

    Of a folder only the first pictures are looked at, and no pixel is decoded.
    """
    text = os.fspath(path)
    if is_template(text):
        return "a path of tiles"
    named = Path(text)
    if named.suffix.lower() in _ARCHIVES and named.is_file():
        return f"a file of aerial imagery ({named.suffix.lower()})"
    if named.is_dir():
        return _folder_words(named)
    if named.suffix.lower() in _TIFF_SUFFIXES and _is_georeferenced(named):
        return "a georeferenced TIFF"
    return None


def _folder_words(folder: Path) -> str | None:
    try:
        tiles = TileFolder.of_folder(folder)
        if tiles is not None and _is_square(tiles):
            return "a folder of tiles"
        named = (p for p in folder.rglob("*") if not p.name.startswith(".") and p.is_file())
        files = islice(named, _LOOKED_AT)
        pictures = [p for p in files if p.suffix.lower() in PHOTO_SUFFIXES | set(_ARCHIVES)]
    except OSError:
        return None
    # One photo among them, and they are photos: some cameras and editors write TIFFs.
    if pictures and all(p.suffix.lower() in _TIFF_SUFFIXES + _ARCHIVES for p in pictures):
        first = min(pictures)
        if first.suffix.lower() in _ARCHIVES or _is_georeferenced(first):
            return "a folder of georeferenced rasters"
    return None


def _is_square(tiles: TileFolder) -> bool:
    """Whether the first tile is one, or a photo of a folder that is named like a zoom level."""
    zoom, _ = tiles.zooms
    column, row = (int(n) for n in tiles.tiles(zoom)[0])
    path = fill_template(tiles.location, TileKey(zoom, column, row))
    try:
        with decoder_warnings_silenced(), Image.open(path) as image:
            return image.width == image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _is_georeferenced(path: Path) -> bool:
    # Pillow opens no TIFF of the size, depth and bands that aerial imagery often has.
    try:
        with decoder_warnings_silenced(), path.open("rb") as file:
            head = file.read(_TIFF_HEAD)
            tags = ImageFileDirectory_v2(head if head[2:3] == _BIG else head[:8])
            file.seek(tags.next)
            tags.load(file)
            return any(tag in tags for tag in _GEO_TAGS)
    except (OSError, ValueError, SyntaxError, struct.error):
        return False
