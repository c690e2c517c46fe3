"""Raster files of known pixels at known places, and what should be seen in them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray

GEOD = pyproj.Geod(ellps="WGS84")
Colours = NDArray[Any]


def from_origin(west: float, north: float, width: float, height: float) -> Affine:
    """As rasterio's, which warns of a newer affine."""
    return Affine(width, 0.0, west, 0.0, -height, north)


def texture(height: int, width: int, *, bands: int = 3, seed: int = 0) -> Colours:
    """Smooth coloured noise, so that a shift of a tenth of a pixel shows: uint8 (bands, h, w)."""
    rough = np.random.default_rng(seed).normal(size=(bands, height, width))
    spectrum = np.fft.rfft2(rough)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    smooth = np.fft.irfft2(spectrum * np.exp(-120.0 * (fy**2 + fx**2)), s=(height, width))
    smooth -= smooth.min()
    return np.asarray(1 + 253 * smooth / smooth.max()).astype(np.uint8)


def write_raster(
    path: Path, pixels: Colours, crs: str | None, transform: Affine | None, **profile: Any
) -> Path:
    """Write (bands, h, w) as a GeoTIFF."""
    bands, height, width = pixels.shape
    mask = profile.pop("mask", None)
    colours = profile.pop("colours", None)
    overviews = profile.pop("overviews", None)
    settings: dict[str, Any] = {"driver": "GTiff", "count": bands, "height": height, "width": width}
    settings |= {"dtype": pixels.dtype, "crs": crs, "transform": transform} | profile
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **settings) as file:
        file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
        if colours is not None:
            file.colorinterp = colours
        if overviews is not None:
            file.build_overviews(overviews, rasterio.enums.Resampling.average)
    return path


def utm_raster(path: Path, size: int = 200, pixel_m: float = 0.5, **more: Any) -> Path:
    """Three bands of texture near Lund, in UTM zone 33."""
    pixels = more.pop("pixels", None)
    if pixels is None:
        pixels = texture(size, size)
    return write_raster(
        path, pixels, "EPSG:32633", from_origin(386000.0, 6173000.0, pixel_m, pixel_m), **more
    )


def places_of(latlng: tuple[float, float], patch_m: float, size_px: int) -> NDArray[np.float64]:
    """Where the pixels of a patch lie by geodesics from its middle, (s, s, 2)."""
    axis = ((np.arange(size_px) + 0.5) / size_px - 0.5) * patch_m
    east, south = np.meshgrid(axis, axis)
    azimuth = np.degrees(np.arctan2(east, -south))
    lat, lon = np.full(east.shape, latlng[0]), np.full(east.shape, latlng[1])
    lons, lats, _ = GEOD.fwd(lon, lat, azimuth, np.hypot(east, south))
    return np.stack([lats, lons], axis=-1)


def pixels_at(dataset: Any, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column and row of places (n, 2) by GDAL, one after the other through its transform."""
    xs, ys = rasterio.warp.transform(
        "EPSG:4326", dataset.crs, places[:, 1].tolist(), places[:, 0].tolist()
    )
    inverse = ~dataset.transform
    return np.array([applied(inverse, x, y) for x, y in zip(xs, ys, strict=True)])


def applied(transform: Affine, x: float, y: float) -> tuple[float, float]:
    """An affine transform of one point."""
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * x + b * y + c, d * x + e * y + f


def bilinear_at(values: Colours, where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (bands, h, w) at columns and rows (n, 2), point by point; NaN at the border."""
    bands, height, width = values.shape
    found = np.full((len(where), bands), np.nan)
    for number, (column, row) in enumerate(where - 0.5):
        x, y = math.floor(column), math.floor(row)
        if not (0 <= x < width - 1 and 0 <= y < height - 1):
            continue
        fx, fy = column - x, row - y
        four = values[:, y : y + 2, x : x + 2].astype(np.float64)
        found[number] = (four * np.outer([1 - fy, fy], [1 - fx, fx])).sum(axis=(1, 2))
    return found
