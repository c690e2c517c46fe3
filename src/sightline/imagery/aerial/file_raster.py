"""One raster file as a grid of colours on the Earth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import AerialPlaceError
from sightline.geo.coordinates import FloatArray
from sightline.geo.region import MultiPolygon
from sightline.imagery.aerial.bands import (
    ValueRange,
    choose_bands,
    is_measured,
    measured_range,
    scaled,
)
from sightline.imagery.aerial.georeference import (
    Affine,
    ControlPoints,
    Georeference,
    Projected,
    frame_outline,
    parse_crs,
)
from sightline.imagery.aerial.raster import Piece, Window
from sightline.imagery.aerial.raster_file import Facts, RasterFile

# The values of a palette cannot be averaged, only the colours they stand for.
_MOST_PALETTE_PX = 1 << 24
_PLAIN: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class FileRaster:
    """A GeoTIFF, COG or another raster file; see ``Raster``.

    Args:
        file: The open file.
        bands: Which bands are its colours; by default what the file says.
        value_range: Values that become black and white; by default measured, for other than
            8-bit values.
        crs: Its reference system, where the file names none, or none of the Earth.

    Raises:
        AerialPlaceError: It does not say where it lies.
        AerialError: Its bands or values are no colours.
        UsageError: A band that it does not have.
    """

    def __init__(
        self,
        file: RasterFile,
        *,
        bands: Sequence[int] | None = None,
        value_range: ValueRange | None = None,
        crs: str | None = None,
    ) -> None:
        self.file = file
        facts = file.facts
        self.georeference = _georeference(facts, crs, file.path)
        self.bands, self.bands_by = choose_bands(facts, bands, file.path)
        self._palette = facts.palette if self.bands_by != "declared" else None
        self.value_range = value_range
        if value_range is None and self._palette is None:
            self.value_range = measured_range(file, self.bands)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.file.facts.width, self.file.facts.height

    @property
    def middle(self) -> FloatArray:
        """The place of the middle pixel."""
        return np.asarray(self.to_latlng(np.array([self.size]) / 2.0)[0], np.float64)

    @property
    def full_turn_px(self) -> float | None:
        """Columns once around the Earth, or None."""
        return self.georeference.full_turn_px

    @cached_property
    def outline(self) -> MultiPolygon:
        """The file's frame."""
        name = f"the frame of {Path(self.file.path).name}"
        return frame_outline(self.georeference, self.size, self.file.path, name)

    def to_pixels(self, latlng: FloatArray) -> FloatArray:
        """Return column and row ``(n, 2)`` of places."""
        return self.georeference.to_pixels(latlng)

    def to_latlng(self, pixels: FloatArray) -> FloatArray:
        """Return the places ``(n, 2)`` of columns and rows."""
        return self.georeference.to_latlng(pixels)

    def read(self, window: Window, columns: int, rows: int) -> Piece:
        """Read a window, averaged down to ``rows`` × ``columns``."""
        if self._palette is not None:
            return self._read_palette(self._palette, window, columns, rows)
        values = self.file.values(self.bands, window, columns, rows)
        valid = self.file.mask(window, columns, rows) if self.file.facts.masked else None
        if values.dtype.kind == "f":
            measured: NDArray[np.bool_] = np.all(is_measured(values), axis=0)
            valid = measured if valid is None else valid & measured
        colours = values if self.value_range is None else scaled(values, self.value_range)
        return Piece(_colours_last(colours), None if valid is None or valid.all() else valid)

    def close(self) -> None:
        """Let go of open files."""
        self.file.close()

    def _read_palette(
        self, palette: NDArray[np.uint8], window: Window, columns: int, rows: int
    ) -> Piece:
        across, down = window.width // columns, window.height // rows
        # A window of many pixels is read at fewer, a whole number for each that is asked for.
        while columns * across * rows * down > _MOST_PALETTE_PX and max(across, down) > 1:
            across, down = max(1, across // 2), max(1, down // 2)
        wide, tall = columns * across, rows * down
        values = self.file.values(self.bands, window, wide, tall)[0]
        shape = (rows, down, columns, across)
        seen = np.ones((tall, wide), np.float32)
        if self.file.facts.masked:
            seen = self.file.mask(window, wide, tall).astype(np.float32)
        weight = seen.reshape(shape).mean(axis=(1, 3))
        colours = palette[np.clip(values, 0, 255).astype(np.uint8)] * seen[..., None]
        total = colours.reshape(*shape, 3).mean(axis=(1, 3))
        valid = weight >= 0.5
        shades = total / np.maximum(weight, 1e-6)[..., None]
        return Piece(shades.astype(np.float32), None if valid.all() else valid)


def _colours_last(values: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """(1 or 3, h, w) to (h, w, 3)."""
    last = np.moveaxis(values, 0, -1)
    return np.asarray(last if last.shape[2] == 3 else np.repeat(last, 3, axis=2))


def _georeference(facts: Facts, crs: str | None, path: str) -> Georeference:
    if facts.affine is not None:
        return _projected(facts.crs, crs, facts.affine, path, "a transform")
    if facts.points:
        points = np.array(facts.points, np.float64)
        plain = _projected(facts.points_crs, crs, _PLAIN, path, "ground control points")
        return ControlPoints(points[:, :2], plain.to_latlng(points[:, 2:]), path)
    if facts.rational:
        raise AerialPlaceError(
            f"{path!r} is located by rational polynomial coefficients alone, which need terrain "
            "heights to be exact.",
            hint="Orthorectify it first, for example with `gdalwarp -rpc` and an elevation model.",
            path=path,
        )
    raise AerialPlaceError(
        f"{path!r} does not say where on the Earth it lies.",
        hint="Use a georeferenced file; photos belong to --photos.",
        path=path,
    )


def _projected(
    own: str | None, told: str | None, affine: Affine, path: str, what: str
) -> Projected:
    """By the system that the file names; by the one that was told where it names none of use."""
    if own is not None:
        try:
            return Projected(parse_crs(own, path), affine, path)
        except AerialPlaceError:
            if told is None:
                raise
    if told is None:
        raise AerialPlaceError(
            f"{path!r} has {what} and names no coordinate reference system.",
            hint="Name it, such as --source-crs EPSG:32632.",
            path=path,
        )
    return Projected(parse_crs(told, path), affine, path)
