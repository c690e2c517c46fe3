"""Tiles opened: from a server, a folder, MBTiles and PMTiles."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from sightline.errors import AerialOutsideError, AerialUnreadableError, UsageError
from sightline.geo.planar import outline_of_spans
from sightline.geo.region import BoundingBox, MultiPolygon
from sightline.imagery.aerial.mbtiles_file import MBTiles
from sightline.imagery.aerial.pmtiles_archive import PMTiles
from sightline.imagery.aerial.raster_source import RasterSource
from sightline.imagery.aerial.tile_files import (
    TileFolder,
    Tiles,
    outline_of_tiles,
    tile_endings,
    tms_profile,
)
from sightline.imagery.aerial.tile_pyramid import TileKey, TilePyramid, TileStore, decode_tile
from sightline.imagery.aerial.tile_server import TileServer
from sightline.imagery.aerial.wanted import OF_RASTERS, Wanted, about

_USUAL_PX = 256
# As gdal2tiles writes it, and as the TMS specification (OSGeo, 1.0.0) has it.
_MERCATOR = ("mercator", "global-mercator")


def open_server(address: str, wanted: Wanted) -> RasterSource:
    """Open tiles behind an address: the network was allowed, or some of them are kept.

    Raises:
        UsageError: No attribution or no zoom level was told, or an option of rasters.
        AerialError: The server cannot be reached, or may not be asked.
    """
    wanted.refuse(OF_RASTERS, urlsplit(address).netloc)
    if wanted.attribution is None:
        raise UsageError(
            f"Tiles of {urlsplit(address).netloc} need an attribution.",
            hint="Say whom to name (--attribution), as the server's terms ask.",
        )
    if wanted.zoom is None:
        raise UsageError(
            f"The zoom level of {address} must be told.", hint="Give --zoom, such as --zoom 18."
        )
    store = TileServer(
        address,
        (0, _checked_zoom(wanted.zoom)),
        cache=wanted.cache,
        allow_network=wanted.allow_network,
    )
    box = wanted.bounds or BoundingBox(-85.0, -180.0, 85.0, 180.0)
    px = _width(store, _key_of(box, wanted.zoom))
    return _tiles(store, wanted, _outline_of_box(box, address), wanted.zoom, px)


def open_tile_folder(store: TileFolder, folder: Path, wanted: Wanted) -> RasterSource:
    """Open the tiles of a folder, all of it.

    Raises:
        AerialUnreadableError: Some end otherwise, or they are not in web Mercator.
        AerialOutsideError: They lack the zoom level.
    """
    wanted.refuse((*OF_RASTERS, "bounds"), folder.name)
    endings = tile_endings(folder)
    if len(endings) > 1:
        raise AerialUnreadableError(
            f"The tiles of {str(folder)!r} end in {' and '.join(endings)}.",
            hint="Make them alike, or say which to read, such as "
            f"{folder}/{{z}}/{{x}}/{{y}}{endings[0]}.",
            path=folder,
        )
    profile = tms_profile(folder)
    if profile not in (None, *_MERCATOR):
        raise AerialUnreadableError(
            f"The tiles of {str(folder)!r} have the profile {profile!r}, not web Mercator.",
            hint="Make them anew (gdal2tiles --profile=mercator), or use the raster they are of.",
            path=folder,
        )
    return open_tiles(store, wanted, str(folder))


def open_tiles(
    store: TileFolder | MBTiles, wanted: Wanted, location: str | None = None
) -> RasterSource:
    """Open tiles on this machine; raises AerialOutsideError if they lack the zoom level."""
    zoom = _available(store, wanted.zoom)
    tiles = store.tiles(zoom)
    if not len(tiles):
        raise _no_zoom(store, zoom)
    outline = outline_of_tiles(tiles, zoom, f"the tiles of {Path(store.location).name}")
    key = TileKey(zoom, *(int(n) for n in tiles[0]))
    px = _width(store, key)
    # A coarser level serves where it covers all that the next finer one does.
    levels, finer = 0, tiles
    while levels < zoom - store.zooms[0]:
        coarser = store.tiles(zoom - levels - 1)
        parents = np.unique(finer // 2, axis=0)
        if not _holds(coarser, parents):
            break
        levels, finer = levels + 1, coarser
    pyramid = TilePyramid(store, outline, tile_px=px, zoom=zoom, levels=levels)
    found = about(location or store.location, wanted, {"zoom": wanted.zoom}, store.revision)
    return RasterSource(pyramid, found)


def _holds(tiles: Tiles, wanted: Tiles) -> bool:
    held = {tuple(t) for t in tiles.tolist()}
    return all(tuple(t) in held for t in wanted.tolist())


def open_mbtiles(path: Path, wanted: Wanted) -> RasterSource:
    """Open an MBTiles file; raises AerialError."""
    wanted.refuse((*OF_RASTERS, "bounds"), path.name)
    store = MBTiles(path)
    said = store.metadata.get("attribution")
    if wanted.attribution is None and said:
        wanted = replace(wanted, attribution=_plain(str(said)))
    return open_tiles(store, wanted)


def open_pmtiles(path: Path, wanted: Wanted) -> RasterSource:
    """Open a PMTiles archive; raises AerialError."""
    wanted.refuse(OF_RASTERS, path.name)
    store = PMTiles(path)
    said = store.metadata.get("attribution")
    if wanted.attribution is None and said:
        wanted = replace(wanted, attribution=_plain(str(said)))
    zoom = _available(store, wanted.zoom)
    box = wanted.bounds or store.bounds
    key, data = store.first()
    px = len(decode_tile(data, key, store.location))
    return _tiles(store, wanted, _outline_of_box(box, path.name), zoom, px)


def _tiles(
    store: TileServer | PMTiles, wanted: Wanted, outline: MultiPolygon, zoom: int, px: int
) -> RasterSource:
    pyramid = TilePyramid(store, outline, tile_px=px, zoom=zoom, levels=zoom - store.zooms[0])
    box = wanted.bounds
    options = {
        "zoom": wanted.zoom,
        "bounds": None if box is None else [box.south, box.west, box.north, box.east],
    }
    return RasterSource(pyramid, about(store.location, wanted, options, store.revision))


def _width(store: TileStore, key: TileKey) -> int:
    """Side of a store's tiles in pixels, by one of them or of the coarser ones over it."""
    while key.z >= store.zooms[0]:
        data = store.read(key)
        if data is not None:
            return len(decode_tile(data, key, store.location))
        key = TileKey(key.z - 1, key.x // 2, key.y // 2)
    return _USUAL_PX


def _key_of(box: BoundingBox, zoom: int) -> TileKey:
    """The tile in the middle of a box."""
    east = box.east + (360.0 if box.crosses_antimeridian else 0.0)
    side = 1 << zoom
    lat = np.deg2rad(np.clip((box.south + box.north) / 2.0, -85.0, 85.0))
    x = int(((box.west + east) / 2.0 + 180.0) / 360.0 * side) % side
    return TileKey(zoom, x, int((0.5 - np.arctanh(np.sin(lat)) / (2.0 * np.pi)) * side))


def _available(store: TileStore, zoom: int | None) -> int:
    low, high = store.zooms
    if zoom is None:
        return high
    if not low <= _checked_zoom(zoom) <= high:
        raise _no_zoom(store, zoom)
    return zoom


def _no_zoom(store: TileStore, zoom: int) -> AerialOutsideError:
    low, high = store.zooms
    return AerialOutsideError(
        f"{store.location!r} has no tiles of zoom level {zoom}; it has {low} to {high}.",
        hint="Leave --zoom out to take the finest.",
        path=store.location,
    )


def _checked_zoom(zoom: int) -> int:
    if not 0 <= zoom <= 24:
        raise UsageError(f"zoom must be from 0 to 24. Got {zoom!r}.", hint="18 is usual.")
    return zoom


def _outline_of_box(box: BoundingBox, name: str) -> MultiPolygon:
    east = box.east + (360.0 if box.crosses_antimeridian else 0.0)
    edges = (np.array([edge]) for edge in (box.south, box.west, box.north, east))
    return MultiPolygon(outline_of_spans(*edges), name=f"the box of {name}")


def _plain(text: str) -> str:
    """Attributions are written as HTML by custom; names and years are what remains."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", text))).strip()
