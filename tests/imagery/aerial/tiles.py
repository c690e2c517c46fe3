"""A small pyramid of tiles with known pixels, written in every form there is."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import numpy as np
import pyproj
from numpy.typing import NDArray
from PIL import Image

from .rasters import texture

ZOOM, LEVELS = 17, 3
# 4 × 4 tiles of the finest level, whose parents are 2 × 2 and 1 × 1.
LEFT, TOP, ACROSS = 70_392, 41_104, 4
PX = 64
SHEET = texture(ACROSS * PX, ACROSS * PX)


def middle() -> tuple[float, float]:
    """The middle of the sheet, by PROJ."""
    return place_of(ACROSS * PX / 2, ACROSS * PX / 2)


def place_of(column: float, row: float) -> tuple[float, float]:
    """Where a pixel of the sheet lies, by PROJ."""
    half = np.pi * 6378137.0
    pixel = 2 * half / ((1 << ZOOM) * PX)
    x, y = (LEFT * PX + column) * pixel - half, half - (TOP * PX + row) * pixel
    lon, lat = pyproj.Transformer.from_crs(3857, 4326, always_xy=True).transform(x, y)
    return lat, lon


def pixels_of(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column and row of the sheet (n, 2) of places (n, 2), by PROJ."""
    half = np.pi * 6378137.0
    pixel = 2 * half / ((1 << ZOOM) * PX)
    transformer = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
    x, y = transformer.transform(places[:, 1], places[:, 0])
    return np.column_stack([(x + half) / pixel - LEFT * PX, (half - y) / pixel - TOP * PX])


def tiles(kind: str = "PNG") -> dict[tuple[int, int, int], bytes]:
    """All tiles of three levels, encoded."""
    found = {}
    for up in range(LEVELS):
        n = 1 << up
        sheet = SHEET.reshape(3, ACROSS * PX // n, n, ACROSS * PX // n, n).mean(axis=(2, 4))
        for y in range(ACROSS // n):
            for x in range(ACROSS // n):
                part = sheet[:, y * PX : (y + 1) * PX, x * PX : (x + 1) * PX]
                stream = io.BytesIO()
                image = Image.fromarray(np.moveaxis(np.rint(part).astype(np.uint8), 0, 2))
                image.save(stream, kind, lossless=True)
                found[ZOOM - up, LEFT // n + x, TOP // n + y] = stream.getvalue()
    return found


def write_folder(root: Path, *, tms: bool = False, suffix: str = ".png") -> Path:
    for (z, x, y), data in tiles().items():
        row = (1 << z) - 1 - y if tms else y
        path = root / str(z) / str(x) / f"{row}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_mbtiles(path: Path, **metadata: str) -> Path:
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE metadata (name text, value text)")
        file.execute(
            "CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer,"
            " tile_data blob)"
        )
        file.executemany("INSERT INTO metadata VALUES (?, ?)", list(metadata.items()))
        rows = [(z, x, (1 << z) - 1 - y, data) for (z, x, y), data in tiles().items()]
        file.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    file.close()
    return path


def write_pmtiles(path: Path, **header: object) -> Path:
    from pmtiles.tile import Compression, TileType, zxy_to_tileid
    from pmtiles.writer import Writer

    south, east = place_of(ACROSS * PX, ACROSS * PX)
    north, west = place_of(0, 0)
    settings = {
        "tile_type": TileType.PNG,
        "tile_compression": Compression.NONE,
        "min_zoom": ZOOM - LEVELS + 1,
        "max_zoom": ZOOM,
        "min_lon_e7": int(west * 1e7),
        "min_lat_e7": int(south * 1e7),
        "max_lon_e7": int(east * 1e7),
        "max_lat_e7": int(north * 1e7),
        "center_zoom": ZOOM,
        "center_lon_e7": int(west * 1e7),
        "center_lat_e7": int(south * 1e7),
    } | header
    with path.open("wb") as file:
        writer = Writer(file)
        for key, data in sorted(tiles().items(), key=lambda item: zxy_to_tileid(*item[0])):
            writer.write_tile(zxy_to_tileid(*key), data)
        writer.finalize(settings, {"attribution": "&copy; <a href='x'>The  makers</a>"})
    return path
