"""Every raster of the shared data against what GDAL and geodesics say, point by point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp

from sightline.imagery.aerial import open_aerial

from .rasters import applied, bilinear_at, pixels_at, places_of

FILES = [
    *(f"cog/{n}.tif" for n in ("cog", "cog_rgb", "mosaic_cog1", "mosaic_cog2")),
    *(f"cog/{n}.tif" for n in ("nocog", "pix4d_alpha_nodata")),
    *(f"colorado/201404_13SED190110_201404_0x1500m_CL_1{n}.tif" for n in ("", "_alpha", "_mask")),
    *(f"colorado/201404_13SED190110_201404_0x1500m_CL_1{n}.tif" for n in ("_extmask", "_nodata")),
    *(f"elevation/{n}.tif" for n in ("dsm", "dtm", "hag")),
    *(
        f"naip/m_4709963_se_14_1_{n}.tif"
        for n in (20090818, 20120731, 20140720, 20160816, 20180716, 20200831)
    ),
    *(f"spacenet/{n}.tif" for n in ("atlanta_pan_0.5m", "ms1", "pan1", "rgb_unmasked")),
]


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    if not (shared_data / "aerial").is_dir():
        pytest.skip("SIGHTLINE_DATA holds no aerial imagery")
    return shared_data / "aerial"


def test_no_file_is_forgotten(folder: Path) -> None:
    there = {str(p.relative_to(folder)) for p in folder.rglob("*.tif")}
    assert there <= {*FILES, "cog/cog_gcps.tif", "cog/cog_world.tif"}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_where_gdal_has_them(folder: Path, name: str) -> None:
    """Enlarged twice: bilinear values at geodesic places; half a pixel off would be seen."""
    source = open_aerial(folder / name)
    with rasterio.open(folder / name) as file:
        bands = source.raster.bands
        values = file.read(bands, out_dtype=np.float64)
        xs, ys = applied(file.transform, file.width * 0.45, file.height * 0.55)
        lon, lat = rasterio.warp.transform(file.crs, "EPSG:4326", [xs], [ys])
        latlng = (lat[0], lon[0])
        size = 96
        patch_m = size * source.native_metres_per_pixel / 2.0
        patch = source.patch(latlng, patch_m, size)
        assert patch.metres_per_pixel == patch_m / size
        chosen = np.random.default_rng(0).choice(size * size, 300, replace=False)
        places = places_of(latlng, patch_m, size).reshape(-1, 2)[chosen]
        where = pixels_at(file, places)
    low, high = source.options.get("value_range") or (0.0, 255.0)
    seen = patch.pixels.reshape(-1, 3)[chosen].astype(np.float64)
    # Where the file marks pixels as invalid, the oracle does not know how to mix.
    solid = patch.valid.reshape(-1)[chosen]
    if source.raster.file.facts.masked:
        solid &= _far_from_masks(source, where, values)

    def error(shift: tuple[float, float]) -> float:
        expected = np.clip((bilinear_at(values, where + shift) - low) * 255 / (high - low), 0, 255)
        return float(np.abs(expected - seen[:, : len(bands)])[solid].mean())

    assert solid.sum() > 100
    off = [error(s) for s in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]
    assert error((0, 0)) < 0.5
    assert error((0, 0)) < min(off) / 1.5
    source.close()


def _far_from_masks(source, where, values) -> np.ndarray:
    """Places all of whose four pixels are surely valid: none of their values is a nodata."""
    near = np.stack([np.roll(values, s, (1, 2)) for s in ((0, 0), (0, 1), (1, 0), (1, 1))])
    solid = ((near != 0) & (near > -9000)).all(axis=(0, 1))
    rows, columns = np.floor(where[:, 1] + 0.5), np.floor(where[:, 0] + 0.5)
    height, width = solid.shape
    inside = (rows >= 0) & (columns >= 0) & (rows < height) & (columns < width)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    return inside & solid[rows.astype(int), columns.astype(int)]


def test_coasts_of_the_world(folder: Path) -> None:
    """A mask of land, 0 for none: what is valid is what GDAL says place by place."""
    source = open_aerial(folder / "cog/cog_world.tif")
    latlng = (58.5, -67.5)
    patch = source.patch(latlng, 150_000.0, 300)
    with rasterio.open(folder / "cog/cog_world.tif") as file:
        places = places_of(latlng, 150_000.0, 300).reshape(-1, 2)
        land = [bool(v[0]) for v in file.sample(places[::7, ::-1])]
    same = np.array(land) == patch.valid.reshape(-1)[::7]
    assert 0.2 < np.mean(land) < 0.99
    # The border runs through the pixels that lie on it.
    assert same.mean() > 0.97


@pytest.mark.parametrize("name", [FILES[16], FILES[6]])
@pytest.mark.parametrize("shrink", [1.5, 4.0, 7.3])
def test_shrinking_averages_areas(folder: Path, name: str, shrink: float) -> None:
    """Each pixel is the mean of all that lies under it, by many samples."""
    source = open_aerial(folder / name)
    size = 20
    patch_m = size * source.native_metres_per_pixel * shrink
    with rasterio.open(folder / name) as file:
        xs, ys = applied(file.transform, file.width * 0.5, file.height * 0.5)
        lon, lat = rasterio.warp.transform(file.crs, "EPSG:4326", [xs], [ys])
        fine = 15
        places = places_of((lat[0], lon[0]), patch_m, size * fine).reshape(-1, 2)
        where = np.floor(pixels_at(file, places)).astype(int)
        values = file.read((1, 2, 3))
    samples = values[:, where[:, 1], where[:, 0]].T.reshape(size, fine, size, fine, 3)
    expected = samples.mean(axis=(1, 3))
    patch = source.patch((lat[0], lon[0]), patch_m, size)
    assert patch.valid.all()
    error = patch.pixels - expected
    assert abs(error.mean()) < 0.03 * expected.std()
    # The rest is sharpness: half of the finest detail that a pixel could hold may be lost.
    assert np.sqrt((error**2).mean()) < 0.3 * expected.std()


def test_control_points_are_met(folder: Path) -> None:
    source = open_aerial(folder / "cog/cog_gcps.tif")
    with rasterio.open(folder / "cog/cog_gcps.tif") as file:
        points, crs = file.gcps
        assert crs.to_epsg() == 4326
    pixels = np.array([[p.col, p.row] for p in points])
    places = np.array([[p.y, p.x] for p in points])
    assert np.abs(source.raster.to_pixels(places) - pixels).max() < 1e-4
    assert np.abs(source.raster.to_latlng(pixels) - places).max() < 1e-7
    inner = np.random.default_rng(0).uniform(50, 750, (40, 2))
    back = source.raster.to_pixels(source.raster.to_latlng(inner))
    assert np.abs(back - inner).max() < 0.5
    # Each point is found by all others alone to within half a pixel.
    from sightline.imagery.aerial.georeference import ControlPoints

    inside = [i for i, (x, y) in enumerate(pixels) if 0 < x < 1279 and 0 < y < 836][::12]
    for number in inside:
        others = np.arange(len(pixels)) != number
        spline = ControlPoints(pixels[others], places[others], "file")
        assert np.abs(spline.to_pixels(places[[number]]) - pixels[number]).max() < 0.5


def test_the_same_place_in_five_years(folder: Path) -> None:
    """Five flights, each in a grid of its own: field borders stay where they are, to half a pixel.

    The flight of 2009 is left out: its publisher placed it up to 15 m off the others.
    """
    names = sorted((folder / "naip").glob("*.tif"))[1:]
    greys = [
        open_aerial(n).patch((47.0203, -99.155), 1500.0, 300).pixels.mean(axis=2) for n in names
    ]
    edges = [np.hypot(*np.gradient(grey)) for grey in greys]
    assert [_shift(edges[0], one).tolist() for one in edges[1:]] == [[0, 0]] * 4


def _shift(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    spectrum = np.fft.fft2(a - a.mean()) * np.conj(np.fft.fft2(b - b.mean()))
    peak = np.fft.ifft2(spectrum).real
    found = np.array(np.unravel_index(peak.argmax(), peak.shape))
    return (found + np.array(a.shape) // 2) % a.shape - np.array(a.shape) // 2
