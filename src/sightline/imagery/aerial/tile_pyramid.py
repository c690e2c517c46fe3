"""Tiles in web Mercator (EPSG:3857), z/x/y, as one raster: decoded, kept and put together."""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import AerialOutsideError, AerialUnreadableError
from sightline.geo.coordinates import FloatArray
from sightline.geo.region import MultiPolygon
from sightline.imagery.aerial.raster import Piece, Window
from sightline.imagery.quiet import decoder_warnings_silenced

# The latitude at which the map is square (OpenStreetMap wiki, Slippy map tilenames).
_NORTHERNMOST = math.degrees(math.atan(math.sinh(math.pi)))
_KEPT_BYTES = 96 << 20
_LARGEST_TILE_PX = 4096
_MOST_SHEET_PX = 1 << 26
_FORMATS = ("PNG", "JPEG", "WEBP")

Tile = NDArray[np.uint8]


class TileKey(NamedTuple):
    """A tile: zoom, column from the antimeridian eastward, row from the north."""

    z: int
    x: int
    y: int


class TileStore(Protocol):
    """Where encoded tiles come from; safe to use from many threads."""

    @property
    def location(self) -> str:
        """What errors call it."""
        ...

    @property
    def zooms(self) -> tuple[int, int]:
        """The coarsest and the finest zoom level that it holds."""
        ...

    def read(self, key: TileKey) -> bytes | None:
        """Return a tile's file, or None where there is none; raises AerialError."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class TilePyramid:
    """The finest zoom level of a tile store as a raster, read through coarser ones; a ``Raster``.

    A tile that the store lacks is not valid, also where a coarser one shows the place.

    Args:
        store: The tiles.
        outline: Where there are tiles.
        tile_px: Side of a tile in pixels.
        zoom: The level that is the finest, and those coarser by ``levels`` that there are.
        levels: How many coarser levels may be read.
    """

    def __init__(
        self, store: TileStore, outline: MultiPolygon, *, tile_px: int, zoom: int, levels: int
    ) -> None:
        self._store = store
        self._outline = outline
        self._tile_px = tile_px
        self._zoom = zoom
        self._levels = levels
        self._kept: OrderedDict[TileKey, Tile | None] = OrderedDict()
        self._most_kept = max(8, _KEPT_BYTES // (4 * tile_px * tile_px))
        self._lock = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole map in pixels."""
        side = self._tile_px << self._zoom
        return side, side

    @property
    def middle(self) -> FloatArray:
        """A place that a tile shows."""
        inside = self._outline.outline.representative_point()
        return np.array([inside.y, inside.x])

    @property
    def full_turn_px(self) -> float:
        """The width."""
        return float(self.size[0])

    @property
    def outline(self) -> MultiPolygon:
        """Where there are tiles."""
        return self._outline

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row ``(n, 2)`` of places; not finite beyond 85.05 degrees."""
        side = self.size[0]
        lat = np.where(np.abs(latlng[:, 0]) <= _NORTHERNMOST, latlng[:, 0], np.nan)
        phi = np.deg2rad(lat)
        north = np.arctanh(np.sin(phi)) / (2.0 * np.pi)
        return np.column_stack([side * (latlng[:, 1] + 180.0) / 360.0, side * (0.5 - north)])

    def read(self, window: Window, columns: int, rows: int) -> Piece:
        """Read a window, averaged down to ``rows`` × ``columns``."""
        step = min(window.width / columns, window.height / rows)
        up = min(self._levels, int(math.log2(step) + 1e-9))
        factor = 1 << up
        z = self._zoom - up
        left, top = window.left / factor, window.top / factor
        right, bottom = left + window.width / factor, top + window.height / factor
        x0, y0 = math.floor(left / self._tile_px), math.floor(top / self._tile_px)
        x1, y1 = math.ceil(right / self._tile_px), math.ceil(bottom / self._tile_px)
        side = self._tile_px
        if (x1 - x0) * (y1 - y0) * side * side > _MOST_SHEET_PX:
            raise AerialOutsideError(
                f"{self._store.location!r} has no zoom level coarse enough: a patch so large would "
                f"take {(x1 - x0) * (y1 - y0):,} tiles of level {z}.",
                hint="Ask for a smaller patch, or use tiles that have coarser levels too.",
                path=self._store.location,
            )
        sheet = np.zeros(((y1 - y0) * side, (x1 - x0) * side, 4), np.uint8)
        for y in range(y0, y1):
            for x in range(x0, x1):
                tile = self._tile(TileKey(z, x, y))
                if tile is not None:
                    row, column = (y - y0) * side, (x - x0) * side
                    sheet[row : row + side, column : column + side] = tile
        box = (left - x0 * side, top - y0 * side, right - x0 * side, bottom - y0 * side)
        return _averaged(sheet, box, columns, rows)

    def close(self) -> None:
        """Let go of what is open, and of the tiles that were kept."""
        with self._lock:
            self._kept.clear()
        self._store.close()

    def _tile(self, key: TileKey) -> Tile | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        data = self._store.read(key)
        tile = None if data is None else decode_tile(data, key, self._store.location)
        if tile is not None and len(tile) != self._tile_px:
            raise AerialUnreadableError(
                f"Tile {key.z}/{key.x}/{key.y} of {self._store.location!r} is {len(tile)} pixels "
                f"wide, others are {self._tile_px}.",
                hint="All tiles of one source must have the same size.",
                path=self._store.location,
            )
        with self._lock:
            self._kept[key] = tile
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return tile


def decode_tile(data: bytes, key: TileKey, location: str) -> Tile:
    """Decode a PNG, JPEG or WebP tile.

    Returns:
        uint8 (s, s, 4): RGB, and 255 where valid.

    Raises:
        AerialUnreadableError: It is damaged, not square, or no picture; it names the tile.
    """
    what = f"Tile {key.z}/{key.x}/{key.y} of {location!r}"
    pixels = None
    try:
        with decoder_warnings_silenced(), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width == height <= _LARGEST_TILE_PX:
                pixels = np.asarray(image.convert("RGBA"))
    except Exception as cause:  # decoders of hostile bytes raise errors of every kind
        reason = " ".join(str(cause).split())[:200] or type(cause).__name__
        raise AerialUnreadableError(
            f"{what} ({len(data)} bytes) is no PNG, JPEG or WebP picture that can be read: "
            f"{reason}.",
            hint="Get the tile anew, or remove it: a missing tile is left out.",
            path=location,
        ) from cause
    if pixels is None:
        raise AerialUnreadableError(
            f"{what} has {width} × {height} pixels.",
            hint=f"Tiles are square, at most {_LARGEST_TILE_PX} pixels wide.",
            path=location,
        )
    return pixels


def _averaged(
    sheet: Tile, box: tuple[float, float, float, float], columns: int, rows: int
) -> Piece:
    """Cut a box out of a sheet of RGBA tiles, and average it down."""
    size = (columns, rows)
    whole = (round(box[0]), round(box[1]))
    opaque = bool((sheet[..., 3] == 255).all())
    as_it_is = (box[2] - box[0], box[3] - box[1]) == (float(columns), float(rows))
    if as_it_is and (box[0], box[1]) == (float(whole[0]), float(whole[1])):
        part = sheet[whole[1] : whole[1] + rows, whole[0] : whole[0] + columns]
        return Piece(part[..., :3], None if opaque else part[..., 3] >= 128)
    kind = Image.Resampling.BOX
    if opaque:
        image = Image.fromarray(sheet[..., :3]).resize(size, kind, box=box)
        return Piece(np.asarray(image), None)
    # Pillow weighs RGBA by its last band.
    image = Image.fromarray(sheet).resize(size, kind, box=box)
    part = np.asarray(image)
    return Piece(part[..., :3], part[..., 3] >= 128)
