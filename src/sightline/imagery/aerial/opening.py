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

from sightline.errors import AerialError, AerialNotFoundError, AerialUnreadableError, UsageError
from sightline.geo.region import BoundingBox
from sightline.imagery.aerial.bands import (
    ValueRange,
    checked_range,
    choose_bands,
    no_valid_value,
    percentiles,
)
from sightline.imagery.aerial.file_raster import FileRaster
from sightline.imagery.aerial.georeference import Projected, parse_crs
from sightline.imagery.aerial.mosaic import Mosaic
from sightline.imagery.aerial.opening_tiles import (
    open_mbtiles,
    open_pmtiles,
    open_server,
    open_tile_folder,
    open_tiles,
)
from sightline.imagery.aerial.raster_file import RASTER_SUFFIXES, RasterFile
from sightline.imagery.aerial.raster_source import RasterSource
from sightline.imagery.aerial.source import AerialSource
from sightline.imagery.aerial.tile_files import TileFolder, is_template
from sightline.imagery.aerial.tile_server import cache_of
from sightline.imagery.aerial.wanted import OF_RASTERS, OF_TILES, Wanted, about, checked_bounds

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_WORLD_SUFFIXES = (".wld", ".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw")
_ARCHIVES = (".mbtiles", ".pmtiles")
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
        crs: The reference system of files that name none, or none of the Earth, such as
            ``EPSG:32632``.
        zoom: The finest zoom level of tiles to read; by default the finest that there is. A
            server must be told.
        bounds: South, west, north, east of what a server or a PMTiles file has; by default all
            of the map, or what the file says.
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
        UsageError: An option that cannot be used, or says nothing of such a source.
        DependencyError: rasterio or pmtiles is not installed.
    """
    text = os.fspath(source)
    wanted = Wanted(
        bands=None if bands is None else tuple(bands),
        value_range=checked_range(value_range),
        crs=crs,
        zoom=zoom,
        bounds=checked_bounds(bounds),
        attribution=attribution,
        licence=licence,
        allow_network=allow_network,
        cache=None if cache is None else Path(cache),
        name=name,
    )
    if urlsplit(text).scheme in ("http", "https"):
        return _remote(text, wanted)
    if is_template(text):
        wanted.refuse((*OF_RASTERS, "bounds"), text)
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
    wanted.refuse(OF_TILES, path)
    source = _source(RasterFile(path, allow_network=wanted.allow_network), wanted)
    _refuse_another_system(source, wanted, path)
    return source


def _refuse_another_system(source: RasterSource, wanted: Wanted, path: str) -> None:
    """Of many files some may name none; of one that does, the wish would come to nothing."""
    georeference = source.raster.georeference if isinstance(source.raster, FileRaster) else None
    if wanted.crs is None or not isinstance(georeference, Projected):
        return
    if not parse_crs(wanted.crs, path).equals(georeference.crs, ignore_axis_order=True):
        raise UsageError(
            f"{path!r} names its coordinate reference system itself, {georeference.crs.name!r}. "
            f"Got {wanted.crs!r}.",
            hint="Leave it out (--source-crs), or mend the file: gdal_edit -a_srs.",
        )


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
        return open_tile_folder(tiles, folder, wanted)
    wanted.refuse(OF_TILES, str(folder))
    paths = sorted(str(p) for p in folder.rglob("*") if _is_raster(p))
    if not paths:
        archive = next((p for p in sorted(folder.rglob("*")) if p.suffix in _ARCHIVES), None)
        if archive is not None:
            raise AerialUnreadableError(
                f"The folder {str(folder)!r} holds no rasters and no tiles of their own.",
                hint=f"Name the file that holds them: {str(archive)!r}.",
                path=folder,
            )
        raise AerialUnreadableError(
            f"The folder {str(folder)!r} holds no aerial imagery.",
            hint=f"It needs georeferenced rasters ({', '.join(sorted(RASTER_SUFFIXES))}) or tiles "
            "z/x/y; photos belong to --photos.",
            path=folder,
        )
    with ThreadPoolExecutor(_OPENING_THREADS, thread_name_prefix="sightline-aerial") as pool:
        files = list(pool.map(partial(_looked_at, wanted=wanted), paths))
        deep = [file for file in files if _is_deep(file, wanted)]
        value_range = wanted.value_range or _shared_range(deep, wanted)

        def part(file: RasterFile) -> RasterSource:
            # Among deeper files, 8 bits are shades already, and the range is that of the others.
            shades = bool(deep) and not _is_deep(file, wanted)
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


def _is_deep(file: RasterFile, wanted: Wanted) -> bool:
    bands, _ = choose_bands(file.facts, wanted.bands, file.path)
    return file.facts.dtype_of(bands) != np.uint8


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
    if path.name.startswith("."):  # such as what a Mac leaves beside every file
        return False
    suffix = path.suffix.lower()
    if suffix in RASTER_SUFFIXES:
        return path.is_file()
    if suffix not in _PICTURE_SUFFIXES:
        return False
    # As GDAL looks for them, in small letters and in large ones.
    worlds = (path.with_suffix(w) for end in _WORLD_SUFFIXES for w in (end, end.upper()))
    return any(w.is_file() for w in worlds)


def _remote(address: str, wanted: Wanted) -> RasterSource:
    kept = is_template(address) and cache_of(address, wanted.cache).is_dir()
    if not wanted.allow_network and not kept:
        raise AerialError(
            f"{address} lies on the network, which is not read without being told.",
            hint="Allow it (--allow-network), or download the imagery first.",
            path=address,
        )
    return open_server(address, wanted) if is_template(address) else _file(address, wanted)
