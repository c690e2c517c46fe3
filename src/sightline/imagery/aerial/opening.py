"""One door to every source of aerial imagery."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from sightline.errors import AerialError, AerialNotFoundError, AerialUnreadableError
from sightline.geo.region import BoundingBox
from sightline.imagery.aerial.bands import ValueRange, checked_range, no_valid_value, percentiles
from sightline.imagery.aerial.file_raster import FileRaster
from sightline.imagery.aerial.mosaic import Mosaic
from sightline.imagery.aerial.opening_tiles import (
    open_mbtiles,
    open_pmtiles,
    open_server,
    open_tiles,
)
from sightline.imagery.aerial.raster_file import RASTER_SUFFIXES, RasterFile
from sightline.imagery.aerial.raster_source import RasterSource
from sightline.imagery.aerial.source import AerialSource
from sightline.imagery.aerial.tile_files import TileFolder, is_template
from sightline.imagery.aerial.tile_server import cache_of
from sightline.imagery.aerial.wanted import Wanted, about

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_WORLD_SUFFIXES = (".wld", ".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw")
_MOST_MEASURED = 16
_OPENING_THREADS = 4


def open_aerial(
    source: str | os.PathLike[str],
    *,
    bands: Sequence[int] | None = None,
    value_range: Sequence[float] | None = None,
    crs: str | None = None,
    zoom: int | None = None,
    bounds: Sequence[float] | BoundingBox | None = None,
    attribution: str | None = None,
    licence: str | None = None,
    allow_network: bool = False,
    cache: str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> AerialSource:
    """Open aerial imagery.

    Args:
        source: A GeoTIFF, COG or another georeferenced raster; a folder of them, which together
            are one mosaic; a folder of tiles ``z/x/y``, or their path or http(s) address with
            ``{z}``, ``{x}`` and ``{y}`` (``{-y}`` counts from the south); an MBTiles or PMTiles
            file.
        bands: Which bands are red, green and blue (or grey), counted from 1; by default what the
            file says, and the first three of four that say nothing.
        value_range: Values that become black and white; by default the 2nd and 98th percentile of
            the valid ones for other than 8-bit values, measured once.
        crs: The reference system of files that do not name one, such as ``EPSG:32632``.
        zoom: The finest zoom level to read; by default the finest that there is. A server must
            be told.
        bounds: South, west, north, east of what a server has; by default all of the map.
        attribution: Whom to name; required for a server.
        licence: Under which licence the imagery may be used.
        allow_network: Whether anything may be fetched. Nothing is without it; tiles that a server
            sent before are read from where they are kept.
        cache: Folder for tiles that a server sent.
        name: A short name; by default that of the file or folder.

    Raises:
        AerialNotFoundError: There is nothing of that name.
        AerialUnreadableError: It is no imagery that can be read, or it is damaged.
        AerialPlaceError: It does not say where on the Earth it lies.
        AerialOutsideError: It lacks the zoom level.
        AerialError: It is on the network, which was not allowed; or its bands are no colours.
        UsageError: An option that cannot be used.
        DependencyError: rasterio or pmtiles is not installed.
    """
    text = os.fspath(source)
    box = bounds if bounds is None or isinstance(bounds, BoundingBox) else BoundingBox(*bounds)
    wanted = Wanted(
        bands=None if bands is None else tuple(bands),
        value_range=checked_range(value_range),
        crs=crs,
        zoom=zoom,
        bounds=box,
        attribution=attribution,
        licence=licence,
        allow_network=allow_network,
        cache=None if cache is None else Path(cache),
        name=name,
    )
    if urlsplit(text).scheme in ("http", "https"):
        return _remote(text, wanted)
    if is_template(text):
        return open_tiles(TileFolder(os.path.abspath(text)), wanted)  # noqa: PTH100
    path = Path(text)
    if path.is_dir():
        return _folder(path.resolve(), wanted)
    if not path.exists():
        raise AerialNotFoundError(
            f"There is no aerial imagery {text!r}.",
            hint="Give a GeoTIFF, a folder, tiles with {z}/{x}/{y}, MBTiles or PMTiles.",
            path=text,
        )
    if not path.is_file():
        # A pipe would keep us waiting for ever.
        raise AerialUnreadableError(
            f"{text!r} is no regular file.", hint="Name files, or a folder of them.", path=text
        )
    suffix = path.suffix.lower()
    if suffix == ".mbtiles":
        return open_mbtiles(path.resolve(), wanted)
    if suffix == ".pmtiles":
        return open_pmtiles(path.resolve(), wanted)
    return _file(str(path.resolve()), wanted)


def _file(path: str, wanted: Wanted) -> RasterSource:
    return _source(RasterFile(path, allow_network=wanted.allow_network), wanted)


def _source(file: RasterFile, wanted: Wanted) -> RasterSource:
    raster = FileRaster(file, bands=wanted.bands, value_range=wanted.value_range, crs=wanted.crs)
    options = {
        "bands": list(raster.bands) if raster.bands_by == "declared" else None,
        "value_range": None if raster.value_range is None else list(raster.value_range),
        "crs": wanted.crs,
    }
    return RasterSource(raster, about(file.path, wanted, options, file.revision()))


def _folder(folder: Path, wanted: Wanted) -> AerialSource:
    tiles = TileFolder.of_folder(folder)
    if tiles is not None:
        return open_tiles(tiles, wanted, str(folder))
    paths = sorted(str(p) for p in folder.rglob("*") if _is_raster(p))
    if not paths:
        raise AerialUnreadableError(
            f"The folder {str(folder)!r} holds no aerial imagery.",
            hint=f"It needs georeferenced rasters ({', '.join(sorted(RASTER_SUFFIXES))}) or tiles "
            "z/x/y; photos belong to --photos.",
            path=folder,
        )
    with ThreadPoolExecutor(_OPENING_THREADS, thread_name_prefix="sightline-aerial") as pool:
        files = list(pool.map(partial(_looked_at, wanted=wanted), paths))
        deep = [file for file in files if file.facts.dtype != "uint8"]
        value_range = wanted.value_range or _shared_range(deep, wanted)

        def part(file: RasterFile) -> RasterSource:
            # Among deeper files, 8 bits are shades already, and the range is that of the others.
            shades = file.facts.dtype == "uint8" and bool(deep)
            own = replace(wanted, value_range=None if shades else value_range, name=None)
            return _closed(_source(file, own))

        parts = list(pool.map(part, files))
    options = {
        "bands": None if wanted.bands is None else list(wanted.bands),
        "value_range": None if value_range is None else list(value_range),
        "crs": wanted.crs,
    }
    return Mosaic(parts, about(str(folder), wanted, options))


def _looked_at(path: str, wanted: Wanted) -> RasterFile:
    """Open a file and close it again: a folder may hold more than can be open at once."""
    file = RasterFile(path, allow_network=wanted.allow_network)
    file.close()
    return file


def _closed(part: RasterSource) -> RasterSource:
    _ = part.native_metres_per_pixel
    part.close()
    return part


def _shared_range(files: list[RasterFile], wanted: Wanted) -> ValueRange | None:
    """One range for all files that are not 8-bit, or their seams would show."""
    if not files:
        return None
    chosen = np.unique(np.linspace(0, len(files) - 1, _MOST_MEASURED).astype(int))
    ranges = []
    for file in (files[i] for i in chosen):
        raster = FileRaster(file, bands=wanted.bands, value_range=(0.0, 1.0), crs=wanted.crs)
        ranges.append(percentiles(file, raster.bands))
        file.close()
    # Files without any valid value are usual at the rim of a survey.
    measured = [found for found in ranges if found is not None]
    if not measured:
        raise no_valid_value(files[0].path)
    return min(low for low, _ in measured), max(high for _, high in measured)


def _is_raster(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in RASTER_SUFFIXES:
        return path.is_file()
    worlds = (path.with_suffix(w) for w in _WORLD_SUFFIXES)
    return suffix in _PICTURE_SUFFIXES and any(w.is_file() for w in worlds)


def _remote(address: str, wanted: Wanted) -> RasterSource:
    kept = is_template(address) and cache_of(address, wanted.cache).is_dir()
    if not wanted.allow_network and not kept:
        raise AerialError(
            f"{address} lies on the network, which is not read without being told.",
            hint="Allow it (--allow-network), or download the imagery first.",
            path=address,
        )
    return open_server(address, wanted) if is_template(address) else _file(address, wanted)
