"""Raster files of every awkward kind, made here."""

from __future__ import annotations

import html
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC

from sightline.errors import (
    AerialError,
    AerialNotFoundError,
    AerialOutsideError,
    AerialPlaceError,
    AerialUnreadableError,
    DependencyError,
    UsageError,
)
from sightline.imagery.aerial import AerialSource, open_aerial
from sightline.imagery.aerial.raster import Window
from sightline.imagery.aerial.raster_file import RasterFile

from .rasters import (
    GEOD,
    bilinear_at,
    from_origin,
    pixels_at,
    places_of,
    texture,
    utm_raster,
    write_raster,
)


def middle_of(path: Path) -> tuple[float, float]:
    """The place in the middle of a raster, by GDAL."""
    with rasterio.open(path) as file:
        a, b, c, d, e, f = tuple(file.transform)[:6]
        x, y = file.width / 2, file.height / 2
        xs, ys = [a * x + b * y + c], [d * x + e * y + f]
        lon, lat = rasterio.warp.transform(file.crs, "EPSG:4326", xs, ys)
    return lat[0], lon[0]


def agrees(path: Path, patch_m: float, size_px: int = 64, tolerance: float = 1.0) -> None:
    """A patch in the middle has the values that lie there by geodesics and GDAL."""
    latlng = middle_of(path)
    patch = open_aerial(path).patch(latlng, patch_m, size_px)
    with rasterio.open(path) as file:
        where = pixels_at(file, places_of(latlng, patch_m, size_px).reshape(-1, 2))
        expected = bilinear_at(file.read(), where)
    assert patch.valid.all()
    assert np.abs(patch.pixels.reshape(-1, 3) - expected).max() <= tolerance


SYSTEMS = {
    "utm": ("EPSG:32633", from_origin(386000.0, 6173000.0, 0.5, 0.5), 25.0),
    "geographic": ("EPSG:4326", from_origin(13.2, 55.7, 8e-6, 4e-6), 18.0),
    "web mercator": ("EPSG:3857", from_origin(1469000.0, 7500000.0, 0.5, 0.5), 12.0),
    "polar": ("EPSG:3413", from_origin(-50.0, 50.0, 0.5, 0.5), 25.0),
    "rotated": ("EPSG:32633", Affine(0.866, -0.5, 386000, 0.5, 0.866, 6173000), 60.0),
    "upside down": ("EPSG:32633", Affine(0.5, 0, 386000, 0, 0.5, 6173000), 25.0),
    "swiss": ("EPSG:2056", from_origin(2600000.0, 1200000.0, 0.5, 0.5), 25.0),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_any_projection(tmp_path: Path, name: str) -> None:
    crs, transform, patch_m = SYSTEMS[name]
    path = write_raster(tmp_path / "map.tif", texture(200, 200), crs, transform)
    agrees(path, patch_m)


@pytest.mark.parametrize("name", SYSTEMS)
def test_distances_are_true_to_a_thousandth(tmp_path: Path, name: str) -> None:
    """Two dots, their distance on the ground by geodesics and in the patch by pixels."""
    crs, transform, _ = SYSTEMS[name]
    pixels = np.zeros((3, 200, 200), np.uint8)
    dots = [(80, 90), (120, 108)]
    for row, column in dots:
        pixels[:, row, column] = 255
    path = write_raster(tmp_path / "map.tif", pixels, crs, transform)
    source = open_aerial(path)
    size_px, patch_m = 1200, 150.0 * source.native_metres_per_pixel
    patch = source.patch(middle_of(path), patch_m, size_px)
    bright = patch.pixels[..., 0].astype(np.float64)
    rows, columns = np.indices(bright.shape)
    west = columns < columns[bright > 100].mean()
    centres = [
        np.array([(part * rows).sum(), (part * columns).sum()]) / part.sum()
        for part in (bright * west, bright * ~west)
    ]
    seen_m = np.linalg.norm(centres[1] - centres[0]) * patch.metres_per_pixel
    places = source.raster.to_latlng(np.array([[c + 0.5, r + 0.5] for r, c in dots]))
    true_m = GEOD.inv(places[0, 1], places[0, 0], places[1, 1], places[1, 0])[2]
    assert seen_m == pytest.approx(true_m, rel=1e-3)


def test_north_is_up_and_the_middle_is_the_place(tmp_path: Path) -> None:
    pixels = np.zeros((3, 201, 201), np.uint8)
    pixels[0, 100, 100] = 255
    pixels[1, 60, 100] = 255  # 20 m north
    pixels[2, 100, 140] = 255  # 20 m east
    crs, transform = "EPSG:32633", from_origin(500000.0, 6173000.0, 0.5, 0.5)
    path = write_raster(tmp_path / "map.tif", pixels, crs, transform)
    patch = open_aerial(path).patch(middle_of(path), 50.5, 101)
    peaks = [np.unravel_index(patch.pixels[..., i].argmax(), (101, 101)) for i in range(3)]
    assert peaks == [(50, 50), (10, 50), (50, 90)]


def test_shrinking_a_checkerboard_gives_grey(tmp_path: Path) -> None:
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 254).astype(np.uint8)
    path = utm_raster(tmp_path / "map.tif", pixels=np.stack([board] * 3))
    for shrink in (2, 3.3, 5, 8):
        patch = open_aerial(path).patch(middle_of(path), 20 * 0.5 * shrink, 20)
        # What does not divide into whole fields leaves a rest; a moiré would reach 0 and 254.
        assert np.abs(patch.pixels.astype(int) - 127).max() <= (1 if shrink == 8 else 13)


def test_overviews_show_the_same(tmp_path: Path) -> None:
    pixels = texture(512, 512)
    plain = utm_raster(tmp_path / "plain.tif", pixels=pixels)
    piled = utm_raster(
        tmp_path / "piled.tif", pixels=pixels, tiled=True, blockxsize=128, blockysize=128,
        overviews=[2, 4, 8],
    )  # fmt: skip
    here = middle_of(plain)
    one, other = (open_aerial(p).patch(here, 200.0, 40).pixels for p in (plain, piled))
    assert np.abs(one.astype(int) - other).mean() < 2


def test_what_lies_outside_is_not_valid(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", size=100)
    source = open_aerial(path)
    here = middle_of(path)
    patch = source.patch(here, 100.0, 100)
    # 50 m of the 100, turned by the convergence of the meridians.
    assert patch.share_valid == pytest.approx(0.25, abs=0.005)
    assert not patch.pixels[~patch.valid].any()
    assert patch.valid[50, 50]
    for far in ((here[0] + 1, here[1]), (-here[0], here[1]), (here[0], here[1] + 180)):
        assert not source.patch(far, 100.0, 8).valid.any()
    # Beyond what the projection can show at all.
    assert not source.patch((0.0, -167.0), 100.0, 8).valid.any()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_other_values_are_scaled_once_for_the_whole_file(tmp_path: Path, dtype: str) -> None:
    shades = np.linspace(100, 1100, 200 * 200).reshape(1, 200, 200)
    pixels = np.concatenate([shades, shades + 5, shades + 10]).astype(dtype)
    path = utm_raster(tmp_path / "map.tif", pixels=pixels)
    source = open_aerial(path)
    low, high = source.options["value_range"]
    assert (low, high) == pytest.approx(np.percentile(pixels, (2, 98)), abs=1)
    seen = source.patch(middle_of(path), 10.0, 20).pixels[10, 10]
    expected = (pixels[:, 100, 100] - low) * 255 / (high - low)
    assert np.abs(seen - expected).max() < 2
    declared = open_aerial(path, value_range=(0, 2000))
    seen = declared.patch(middle_of(path), 10.0, 20).pixels[10, 10]
    assert np.abs(seen - pixels[:, 100, 100] * (255 / 2000)).max() < 2
    assert open_aerial(path, **source.options).options == source.options


def test_the_range_of_a_large_file_is_sampled(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(1000, 3000, (1, 1500, 1100)).astype(np.uint16)
    source = open_aerial(utm_raster(tmp_path / "map.tif", pixels=pixels))
    assert source.options["value_range"] == pytest.approx([1040, 2960], abs=10)


def test_values_without_contrast_or_without_any(tmp_path: Path) -> None:
    flat = np.full((1, 50, 50), 700, np.uint16)
    assert open_aerial(utm_raster(tmp_path / "flat.tif", pixels=flat)).options["value_range"] == [
        700.0,
        701.0,
    ]
    nothing = np.full((1, 50, 50), np.nan, np.float32)
    with pytest.raises(AerialUnreadableError, match="No valid value"):
        open_aerial(utm_raster(tmp_path / "nan.tif", pixels=nothing))
    complex_ = np.ones((1, 50, 50), np.complex64)
    with pytest.raises(AerialUnreadableError, match="complex64"):
        open_aerial(utm_raster(tmp_path / "complex.tif", pixels=complex_))


@pytest.mark.parametrize("value_range", [(5, 5), (9, 1), (0, np.inf), (1,)])
def test_impossible_ranges(tmp_path: Path, value_range: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="value_range"):
        open_aerial(utm_raster(tmp_path / "map.tif", size=32), value_range=value_range)


@pytest.mark.parametrize("filling", [np.finfo(np.float32).min, np.finfo(np.float32).max, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filling_that_no_file_declares(tmp_path: Path, filling: float, dtype: type) -> None:
    pixels = texture(200, 200).astype(dtype)
    clean = open_aerial(utm_raster(tmp_path / "clean.tif", pixels=pixels))
    pixels[:, :, :60] = filling if dtype is np.float32 else float(filling) * 1e260
    source = open_aerial(utm_raster(tmp_path / "filled.tif", pixels=pixels))
    assert source.options["value_range"] == pytest.approx(clean.options["value_range"], abs=20)
    here = source.raster.to_latlng(np.array([[60.0, 100.0]]))[0]
    for size_px in (10, 80):
        patch = source.patch(here, 40.0, size_px)
        assert patch.share_valid == pytest.approx(0.5, abs=0.1)
        assert patch.pixels[patch.valid].std() > 10


def test_bands_of_different_depths(tmp_path: Path) -> None:
    grey = texture(100, 100, bands=1)
    deep = texture(100, 100).astype(np.uint16) * 200
    one = utm_raster(tmp_path / "grey.tif", pixels=grey)
    other = utm_raster(tmp_path / "deep.tif", pixels=deep)
    with rasterio.open(one) as file:
        where = ", ".join(map(str, file.transform.to_gdal()))
        crs = html.escape(file.crs.to_wkt())
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource><SourceFilename>{path}'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for number, (kind, path, band) in enumerate(
            [("Byte", one, 1), *(("UInt16", other, n) for n in (1, 2, 3))], 1
        )
    )
    both = tmp_path / "both.vrt"
    both.write_text(
        f'<VRTDataset rasterXSize="100" rasterYSize="100"><SRS>{crs}</SRS>'
        f"<GeoTransform>{where}</GeoTransform>{bands}</VRTDataset>"
    )
    here = open_aerial(other).raster.to_latlng(np.array([[50.0, 50.0]]))[0]
    for path, chosen in ((other, (1, 2, 3)), (one, (1,))):
        expected = open_aerial(path).patch(here, 40.0, 80)
        shifted = [band + (path == other) for band in chosen]
        patch = open_aerial(both, bands=shifted).patch(here, 40.0, 80)
        assert (patch.pixels == expected.pixels).all()
    mixed = open_aerial(both, bands=(1, 2, 3))
    assert mixed.options["value_range"][1] > 10_000
    assert mixed.patch(here, 40.0, 80).valid.all()


@pytest.mark.parametrize("bands", [("a", "b", "c"), (1, 2, 2.5), (0,), (True, None, 1)])
def test_impossible_bands(tmp_path: Path, bands: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match="bands must be one or three"):
        open_aerial(utm_raster(tmp_path / "map.tif", size=32), bands=bands)


def test_options_of_tiles_say_nothing_of_rasters(tmp_path: Path) -> None:
    utm_raster(tmp_path / "map.tif", size=32)
    for source in (tmp_path, tmp_path / "map.tif"):
        with pytest.raises(UsageError, match="'zoom' is for tiles"):
            open_aerial(source, zoom=18)


def masked(tmp_path: Path, kind: str) -> tuple[Path, np.ndarray]:
    """A file whose west half is marked as not valid in one of the ways there are."""
    pixels = texture(100, 100)
    west = np.zeros((100, 100), np.bool_)
    west[:, :50] = True
    path = tmp_path / f"{kind}.tif"
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if kind == "nodata":
        pixels[:, west] = 0
        utm_raster(path, pixels=pixels, nodata=0)
    elif kind == "alpha":
        alpha = np.where(west, 0, 255).astype(np.uint8)[None]
        rgba = np.concatenate([pixels, alpha])
        utm_raster(path, pixels=rgba, colours=(*rgb, ColorInterp.alpha))
    elif kind == "grey alpha":
        alpha = np.where(west, 0, 255).astype(np.uint8)[None]
        pixels = np.concatenate([pixels[:1]] * 3)
        both = np.concatenate([pixels[:1], alpha])
        utm_raster(path, pixels=both, photometric="minisblack", alpha="yes")
    elif kind == "mask":
        utm_raster(path, pixels=pixels, mask=~west)
    else:
        pixels = pixels.astype(np.float32)
        pixels[:, west] = np.nan
        utm_raster(path, pixels=pixels)
    return path, pixels


@pytest.mark.parametrize("kind", ["nodata", "alpha", "grey alpha", "mask", "nan"])
@pytest.mark.parametrize("pixel_m", [0.25, 0.5, 1.7])
def test_what_a_file_marks_as_invalid(tmp_path: Path, kind: str, pixel_m: float) -> None:
    path, pixels = masked(tmp_path, kind)
    scale = {"value_range": (0, 255)} if kind == "nan" else {}
    size = round(30 / pixel_m)
    patch = open_aerial(path, **scale).patch(middle_of(path), 30.0, size)
    assert patch.share_valid == pytest.approx(0.5, abs=0.06)
    assert not patch.valid[:, : size // 2 - 2].any()
    assert patch.valid[:, size // 2 + 2 :].all()
    # No colour of the invalid half bleeds in, nor black.
    edge = patch.pixels[size // 2, size // 2 + 1].astype(int)
    assert np.abs(edge - np.nan_to_num(pixels)[:, 48:53, 50:54].max(axis=(1, 2))).max() < 90


def test_bands_by_what_the_file_says(tmp_path: Path) -> None:
    pixels = texture(64, 64, bands=4)
    order = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
    named = utm_raster(tmp_path / "named.tif", pixels=pixels, colours=order)
    silent = utm_raster(tmp_path / "silent.tif", pixels=pixels, photometric="minisblack")
    middle = middle_of(named)

    def seen(source: AerialSource) -> list[int]:
        return source.patch(middle, 0.25, 1).pixels[0, 0].tolist()

    four = pixels[:, 31:33, 31:33].mean(axis=(1, 2))

    def close(source: AerialSource, bands: list[int]) -> bool:
        return bool(np.abs(np.array(seen(source)) - four[bands]).max() < 3)

    assert close(open_aerial(named), [2, 1, 0])
    assert close(open_aerial(silent), [0, 1, 2])
    assert open_aerial(silent).raster.bands_by == "assumed"
    assert close(open_aerial(silent, bands=(4, 2, 1)), [3, 1, 0])
    assert close(open_aerial(silent, bands=[3]), [2, 2, 2])
    assert open_aerial(silent, bands=[3]).options == {"bands": [3]}
    for bands in ((0, 1, 2), (1, 2, 5), (1, 2), ()):
        with pytest.raises(UsageError, match="bands must be one or three"):
            open_aerial(silent, bands=bands)


def test_many_bands_must_be_told(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "many.tif", pixels=texture(64, 64, bands=13))
    with pytest.raises(AerialError, match="13 bands") as raised:
        open_aerial(path)
    assert "--bands" in raised.value.hint
    assert open_aerial(path, bands=(4, 3, 2)).raster.bands == (4, 3, 2)


def test_a_palette(tmp_path: Path) -> None:
    chosen = np.random.default_rng(0).integers(0, 3, (1, 100, 100)).astype(np.uint8)
    path = tmp_path / "palette.tif"
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 9, 9]])
    with rasterio.open(
        path, "w", driver="GTiff", width=100, height=100, count=1, dtype="uint8", nodata=3,
        crs="EPSG:32633", transform=from_origin(386000.0, 6173000.0, 0.5, 0.5),
    ) as file:  # fmt: skip
        chosen[0, :, :10] = 3
        file.write(chosen)
        file.write_colormap(1, {i: tuple(c) for i, c in enumerate(colours.tolist())})
    source = open_aerial(path)
    here = middle_of(path)
    fine = source.patch(here, 0.05, 1).pixels[0, 0]
    assert np.abs(fine - colours[chosen[0, 49:51, 49:51]].mean(axis=(0, 1))).max() < 20
    # Shrunk, colours are averaged and never the numbers that stand for them.
    coarse = source.patch(here, 30.0, 5)
    assert np.abs(coarse.pixels.astype(int) - 83).max() < 25
    whole = source.patch(here, 50.0, 50)
    assert not whole.valid[:, :3].any()
    assert whole.valid[10:40, 7:47].all()
    assert source.raster.read(Window(0, 0, 100, 100), 1, 1).colours.shape == (1, 1, 3)


def test_a_huge_palette_is_read_at_fewer_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.imagery.aerial import file_raster

    path = tmp_path / "palette.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8",
        crs="EPSG:32633", transform=from_origin(386000.0, 6173000.0, 0.5, 0.5),
    ) as file:  # fmt: skip
        file.write(np.ones((1, 64, 64), np.uint8))
        file.write_colormap(1, {1: (10, 20, 30)})
    source = open_aerial(path)
    monkeypatch.setattr(file_raster, "_MOST_PALETTE_PX", 256)
    assert source.patch(middle_of(path), 20.0, 8).pixels[4, 4].tolist() == [10, 20, 30]


def test_world_files_need_a_system(tmp_path: Path) -> None:
    from PIL import Image

    pixels = texture(100, 100)
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(tmp_path / "map.png")
    (tmp_path / "map.pgw").write_text("0.5\n0\n0\n-0.5\n386000.25\n6172999.75\n")
    with pytest.raises(AerialPlaceError, match="names no coordinate reference system") as raised:
        open_aerial(tmp_path / "map.png")
    assert "--source-crs" in raised.value.hint
    with pytest.raises(AerialPlaceError, match="unknown"):
        open_aerial(tmp_path / "map.png", crs="EPSG:999999")
    named = open_aerial(tmp_path / "map.png", crs="EPSG:32633")
    assert named.options == {"crs": "EPSG:32633"}
    twin = open_aerial(utm_raster(tmp_path / "twin.tif", pixels=pixels))
    here = middle_of(tmp_path / "twin.tif")
    assert np.array_equal(named.patch(here, 30, 60).pixels, twin.patch(here, 30, 60).pixels)
    assert open_aerial(tmp_path, crs="EPSG:32633").patch(here, 30, 60).valid.all()
    assert len(open_aerial(tmp_path, crs="EPSG:32633").parts) == 2
    (tmp_path / "map.png").rename(tmp_path / "MAP.PNG")
    (tmp_path / "map.pgw").rename(tmp_path / "MAP.PGW")
    assert len(open_aerial(tmp_path, crs="EPSG:32633").parts) == 2


def with_points(path: Path, points: list[GroundControlPoint], crs: str | None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=100, height=100, count=3, dtype="uint8"
    ) as file:
        file.write(texture(100, 100))
        file.gcps = (points, rasterio.crs.CRS.from_string(crs) if crs else rasterio.crs.CRS())
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_control_points_in_any_system(tmp_path: Path) -> None:
    corners = [(0, 0), (0, 100), (100, 0), (100, 100)]
    points = [
        GroundControlPoint(row, column, 386000 + 0.5 * column, 6173000 - 0.5 * row)
        for row, column in corners
    ]
    tied = open_aerial(with_points(tmp_path / "tied.tif", points, "EPSG:32633"))
    plain = utm_raster(tmp_path / "plain.tif", pixels=texture(100, 100))
    here = middle_of(plain)
    one, other = (s.patch(here, 30, 60).pixels for s in (tied, open_aerial(plain)))
    assert np.abs(one.astype(int) - other).max() <= 1
    assert tied.footprint.contains([here]).all()
    with pytest.raises(AerialPlaceError, match="control points and names no"):
        open_aerial(with_points(tmp_path / "nowhere.tif", points, None))
    line = [GroundControlPoint(i, i, 10.0 + i, 20.0 + i) for i in range(4)]
    with pytest.raises(AerialPlaceError, match="do not span an area"):
        open_aerial(with_points(tmp_path / "line.tif", line, "EPSG:4326"))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_says_nothing_of_its_place(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "photo.tif", texture(64, 64), None, None)
    with pytest.raises(AerialPlaceError, match="does not say where on the Earth") as raised:
        open_aerial(path)
    assert "--photos" in raised.value.hint
    assert raised.value.path == str(path)
    rational = tmp_path / "rpc.tif"
    with rasterio.open(
        rational, "w", driver="GTiff", width=64, height=64, count=3, dtype="uint8"
    ) as file:
        file.write(texture(64, 64))
        file.rpcs = RPC(
            height_off=0, height_scale=100, lat_off=0, lat_scale=1, line_den_coeff=[1.0] * 20,
            line_num_coeff=[1.0] * 20, line_off=0, line_scale=1, long_off=0, long_scale=1,
            samp_den_coeff=[1.0] * 20, samp_num_coeff=[1.0] * 20, samp_off=0, samp_scale=1,
        )  # fmt: skip
    with pytest.raises(AerialPlaceError, match="rational polynomial") as raised:
        open_aerial(rational)
    assert "gdalwarp" in raised.value.hint


def test_a_transform_onto_a_line_and_a_frame_off_the_earth(tmp_path: Path) -> None:
    flat = write_raster(
        tmp_path / "flat.tif", texture(64, 64), "EPSG:32633", Affine(1, 1, 386000, 1, 1, 6173000)
    )
    with pytest.raises(AerialPlaceError, match="onto a line"):
        open_aerial(flat)
    lost = write_raster(
        tmp_path / "lost.tif", texture(64, 64), "ESRI:54030", from_origin(1e8, 1e8, 1, 1)
    )
    with pytest.raises(AerialPlaceError, match="nowhere on the Earth"):
        _ = open_aerial(lost).bounds


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.tif", b"no raster at all", AerialUnreadableError),
        ("a.tif", b"", AerialUnreadableError),
        ("a.tif", b"II*\0" + b"\0" * 100, AerialUnreadableError),
        ("a.jpg", b"GIF89a" + b"\0" * 100, AerialUnreadableError),
    ],
)
def test_what_is_no_raster(tmp_path: Path, name: str, content: bytes, kind: type) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(kind) as raised:
        open_aerial(path)
    assert str(path) == raised.value.path
    assert raised.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["a.tif", "a.mbtiles"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(AerialUnreadableError, match="no regular file"):
        open_aerial(tmp_path / name)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AerialNotFoundError, match="no aerial imagery"):
        open_aerial(tmp_path / "none.tif")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(AerialUnreadableError, match="holds no aerial imagery") as raised:
        open_aerial(tmp_path)
    assert "--photos" in raised.value.hint
    path = utm_raster(tmp_path / "map.tif", size=32)
    source, here = open_aerial(path), middle_of(path)
    source.close()
    path.unlink()
    with pytest.raises(AerialUnreadableError):
        source.patch(here, 10.0, 10)
    from sightline.imagery.aerial.raster_file import RasterFile

    with pytest.raises(AerialNotFoundError, match="No such file"):
        RasterFile(str(path))


def test_a_file_cut_off_is_an_error_where_it_is_asked(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", size=400, tiled=True, blockxsize=64, blockysize=64)
    whole = path.read_bytes()
    here = middle_of(path)
    path.write_bytes(whole[: len(whole) // 3])
    source = open_aerial(path)
    with pytest.raises(AerialUnreadableError, match="cannot be read") as raised:
        source.patch(here, 100.0, 50)
    assert "get it anew" in raised.value.hint


def test_nothing_on_the_network_is_read_untold(tmp_path: Path) -> None:
    vrt = tmp_path / "map.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/vsicurl/https://example.org/a.tif</SourceFilename>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    from sightline.imagery.aerial.raster_file import RasterFile

    for name in (vrt, "/vsicurl/https://example.org/a.tif", "https://example.org/a.tif"):
        with pytest.raises(AerialError, match="network") as raised:
            RasterFile(str(name))
        assert "--allow-network" in raised.value.hint
    with pytest.raises(AerialError, match="network"):
        open_aerial("https://example.org/a.tif")


@pytest.mark.parametrize(
    "named",
    [
        "inner.vrt",
        "service.xml",
        "&#47;vsicurl/https&#58;//example.org/a.tif",
        "&lt;GDAL_WMS&gt;&lt;ServerUrl&gt;http&amp;#58;//example.org/&lt;/ServerUrl&gt;",
    ],
)
def test_what_a_virtual_raster_names_by_a_detour(tmp_path: Path, named: str) -> None:
    """Through another text file, or spelled so that a plain search misses it."""
    far = (
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "inner.vrt").write_text(far.format("/vsicurl/https://example.org/a.tif"))
    (tmp_path / "service.xml").write_text(
        "<GDAL_WMS><Service><ServerUrl>http://example.org/</ServerUrl></Service></GDAL_WMS>"
    )
    (tmp_path / "outer.vrt").write_text(far.format(named))
    with pytest.raises(AerialError, match="names imagery on the network"):
        open_aerial(tmp_path / "outer.vrt")


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("far", ["/vsicurl/http://127.0.0.1:9/a.ovr", "http://127.0.0.1:9/a.ovr"])
def test_overviews_on_the_network_are_not_asked_for(tmp_path: Path, far: str, inside: bool) -> None:
    """A file may say, itself or in the .aux.xml beside it, that its overviews lie elsewhere."""
    path = utm_raster(tmp_path / "map.tif", size=64)
    if inside:
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=far)
    else:
        path.with_suffix(".tif.aux.xml").write_text(
            f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{far}</MDI>'
            "</Metadata></PAMDataset>"
        )
    other = virtual(utm_raster(tmp_path / "plain.tif", size=64), tmp_path / "all.vrt")
    around = virtual(other, tmp_path / "around.vrt")
    other.write_text(other.read_text().replace("plain.tif", "map.tif"))
    for named in (path, other, around):
        with pytest.raises(AerialError, match="names imagery on the network"):
            open_aerial(named)
    allowed = open_aerial(path, allow_network=True)
    assert allowed.patch(middle_of(tmp_path / "plain.tif"), 10.0, 10).valid.all()


def test_what_belongs_to_a_file_is_part_of_its_revision(tmp_path: Path) -> None:
    """The world file moves all pixels, and the sources of a VRT are its pixels."""
    from PIL import Image

    Image.fromarray(np.moveaxis(texture(64, 64), 0, 2)).save(tmp_path / "map.png")
    world = tmp_path / "map.pgw"
    world.write_text("0.5\n0\n0\n-0.5\n386000.25\n6172999.75\n")
    before = open_aerial(tmp_path / "map.png", crs="EPSG:32633").revision
    world.write_text("0.5\n0\n0\n-0.5\n386010.25\n6172999.75\n")
    os.utime(world, (7, 7))
    assert open_aerial(tmp_path / "map.png", crs="EPSG:32633").revision != before
    path = utm_raster(tmp_path / "a" / "map.tif", pixels=texture(64, 64))
    status = path.stat()
    assert open_aerial(path).revision == (status.st_size, status.st_mtime_ns)
    vrt = virtual(path, tmp_path / "a" / "all.vrt")
    before = open_aerial(vrt).revision
    assert open_aerial(vrt).revision == before
    os.utime(path, (7, 7))
    assert open_aerial(vrt).revision != before
    (tmp_path / "a").rename(tmp_path / "b")
    after = open_aerial(tmp_path / "b" / "all.vrt").revision
    (tmp_path / "b").rename(tmp_path / "c")
    assert open_aerial(tmp_path / "c" / "all.vrt").revision == after


def test_a_source_that_is_taken_away_changes_the_revision(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", pixels=texture(64, 64))
    opened = RasterFile(str(virtual(path, tmp_path / "all.vrt")))
    before = opened.revision()
    path.unlink()
    assert opened.revision() not in (before, (0, 0))
    Path(opened.path).unlink()
    with pytest.raises(AerialNotFoundError, match=r"all\.vrt' cannot be read any more"):
        opened.revision()
    opened.close()


def virtual(path: Path, vrt: Path) -> Path:
    """A VRT that shows the file beside it."""
    with rasterio.open(path) as file:
        wkt, a, _, c, _, e, f = file.crs.to_wkt(), *tuple(file.transform)[:6]
        width, height = file.width, file.height
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{n}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">{path.name}</SourceFilename><SourceBand>{n}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for n in (1, 2, 3)
    )
    vrt.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">'
        f"<SRS>{wkt.replace(chr(34), '&quot;')}</SRS>"
        f"<GeoTransform>{c},{a},0,{f},0,{e}</GeoTransform>{bands}</VRTDataset>"
    )
    return vrt


def test_a_virtual_mosaic_of_local_files(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", pixels=texture(64, 64))
    vrt = virtual(path, tmp_path / "all.vrt")
    here = middle_of(path)
    one, other = (open_aerial(p).patch(here, 20, 40).pixels for p in (path, vrt))
    assert np.array_equal(one, other)


def test_across_the_antimeridian(tmp_path: Path) -> None:
    pixels = texture(200, 200)
    here = (-17.0, 180.0)
    east = write_raster(
        tmp_path / "east.tif", pixels, "EPSG:4326", from_origin(179.9992, -16.9992, 8e-6, 8e-6)
    )
    source = open_aerial(east)
    assert source.bounds.crosses_antimeridian
    for lon in (179.9999, -179.9999, 180.0):
        assert source.footprint.contains([(-17.0, lon)]).all()
        assert source.patch((-17.0, lon), 50.0, 20).valid.all()
    west = write_raster(
        tmp_path / "west.tif", pixels, "EPSG:4326", from_origin(-180.0008, -16.9992, 8e-6, 8e-6)
    )
    one, other = (open_aerial(p).patch(here, 60.0, 100).pixels for p in (east, west))
    assert np.array_equal(one, other)
    with rasterio.open(east) as file:
        places = places_of(here, 60.0, 100).reshape(-1, 2)
        places[:, 1] %= 360.0
        inverse = ~file.transform
        where = np.column_stack(
            [inverse.a * places[:, 1] + inverse.c, inverse.e * places[:, 0] + inverse.f]
        )
    assert np.abs(one.reshape(-1, 3) - bilinear_at(pixels, where)).max() <= 1


def test_a_map_of_the_world_runs_on_at_its_edge(tmp_path: Path) -> None:
    wide = np.tile((np.arange(360) % 200).astype(np.uint8), (3, 180, 1))
    path = write_raster(tmp_path / "world.tif", wide, "EPSG:4326", from_origin(-180, 90, 1, 1))
    source = open_aerial(path)
    assert source.raster.full_turn_px == pytest.approx(360)
    patch = source.patch((0.0, 180.0), 200_000.0, 40)
    assert patch.valid.all()
    assert (patch.pixels[20, :8] >= 140).all()  # west of the seam: 359 % 200 = 159
    assert (patch.pixels[20, 32:] <= 2).all()
    assert source.footprint.area_km2 == pytest.approx(510.07e6, rel=1e-3)
    assert source.footprint.contains([(0, 180), (90, 0), (-90, 7), (5, -180)]).all()
    with pytest.raises(AerialOutsideError, match="holds a pole"):
        source.patch((89.999, 0.0), 1000.0, 10)


def test_no_column_is_lost_where_a_map_of_the_world_meets_itself(tmp_path: Path) -> None:
    """Read seven columns at a time, of 36,000, which 7 does not divide."""
    wide = np.full((1, 300, 36_000), 90, np.uint8)
    where = from_origin(-180, 1.5, 0.01, 0.01)
    source = open_aerial(write_raster(tmp_path / "belt.tif", wide, "EPSG:4326", where))
    for lon in (180.0, 179.93, -179.97):
        patch = source.patch((0.0, lon), 200_000.0, 18)
        assert patch.valid.all()
        assert (patch.pixels == 90).all()


def test_a_rotated_pole_is_no_cylinder_around_the_earth(tmp_path: Path) -> None:
    pole = pyproj.crs.DerivedGeographicCRS(
        pyproj.CRS("EPSG:4326"),
        pyproj.crs.coordinate_operation.RotatedLatitudeLongitudeConversion(0, 40, 190),
    )
    path = write_raster(
        tmp_path / "map.tif", texture(200, 200), None, from_origin(3.0, 5.0, 8e-6, 8e-6)
    )
    source = open_aerial(path, crs=pole.to_wkt())
    assert source.raster.full_turn_px is None
    here = source.raster.middle
    assert source.footprint.contains([here]).all()
    assert source.footprint.area_km2 == pytest.approx(0.178**2, rel=0.01)
    assert source.patch(here, 60.0, 40).valid.all()


def test_around_the_pole_in_a_polar_projection(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "polar.tif", texture(200, 200), "EPSG:3413", from_origin(-100, 100, 1, 1)
    )
    source = open_aerial(path)
    assert source.footprint.contains([(90.0, 0.0), (89.9995, 123.0)]).all()
    for place in ((90.0, 0.0), (89.9999, 170.0), (89.9999, -10.0)):
        assert source.patch(place, 50.0, 50).valid.all()


def test_threads_see_what_one_sees(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", size=600, tiled=True, blockxsize=64, blockysize=64)
    source = open_aerial(path)
    lat, lon = middle_of(path)
    places = [(lat + 1e-5 * i, lon - 2e-5 * i) for i in range(-20, 20)]
    alone = [source.patch(p, 40.0, 32).pixels for p in places]
    barrier = threading.Barrier(4)

    def ask(number: int) -> list[np.ndarray]:
        barrier.wait()
        return [source.patch(p, 40.0, 32).pixels for p in places]

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(ask, range(4)):
            assert all(np.array_equal(a, b) for a, b in zip(alone, found, strict=True))
    source.close()
    assert np.array_equal(source.patch(places[0], 40.0, 32).pixels, alone[0])


def test_handles_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.imagery.aerial import raster_file

    monkeypatch.setattr(raster_file, "_MOST_IDLE", 2)
    file = RasterFile(str(utm_raster(tmp_path / "map.tif", size=32)))
    with file._borrowed() as one, file._borrowed() as two, file._borrowed() as three:
        pass
    assert [d.closed for d in (three, two, one)] == [False, False, True]
    with file._borrowed() as lent:
        file.close()
        assert not lent.closed
    assert lent.closed
    assert two.closed
    assert file.values((1,), Window(0, 0, 32, 32), 32, 32).any()


def test_a_file_far_larger_than_memory(tmp_path: Path) -> None:
    """120 GB of pixels, of which only one tile was ever written."""
    path = tmp_path / "huge.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=200_000, height=200_000, count=3, dtype="uint8",
        crs="EPSG:32633", transform=from_origin(386000.0, 6173000.0, 0.1, 0.1), tiled=True,
        blockxsize=256, blockysize=256, sparse_ok=True, bigtiff="yes", photometric="rgb",
    ) as file:  # fmt: skip
        window = rasterio.windows.Window(100_096, 100_096, 256, 256)
        file.write(np.full((3, 256, 256), 77, np.uint8), window=window)
    source = open_aerial(path)
    here = source.raster.to_latlng(np.array([[100_224.0, 100_224.0]]))[0]
    assert (source.patch(here, 20.0, 50).pixels == 77).all()


@pytest.mark.parametrize(("package", "said"), [("rasterio", "rasterio"), ("pmtiles", "pmtiles")])
def test_packages_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, said: str
) -> None:
    path = utm_raster(tmp_path / "map.tif", size=32)
    archive = tmp_path / "a.pmtiles"
    archive.write_bytes(b"PMTiles")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.reader", None)
    with pytest.raises(DependencyError, match=said) as raised:
        open_aerial(path if package == "rasterio" else archive)
    assert "sightline[aerial]" in raised.value.hint


def test_a_projection_that_tears_a_patch_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.imagery.aerial import canvas

    path = utm_raster(tmp_path / "map.tif", size=64)
    monkeypatch.setattr(canvas, "_MOST_CANVAS_PX", 10)
    with pytest.raises(AerialOutsideError, match="tears a patch apart"):
        open_aerial(path).patch(middle_of(path), 20.0, 40)


def test_a_file_smaller_than_one_pixel_of_the_patch(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", size=32)
    assert not open_aerial(path).patch(middle_of(path), 100_000.0, 10).valid.any()


def test_a_system_that_is_not_of_the_earth(tmp_path: Path) -> None:
    local = (
        'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
        'LENGTHUNIT["metre",1]]'
    )
    pixels, where = texture(32, 32), from_origin(386_000.0, 6_173_000.0, 0.5, 0.5)
    nameless = write_raster(tmp_path / "nameless.tif", pixels, None, where)
    with pytest.raises(AerialPlaceError, match="cannot be tied to WGS84"):
        open_aerial(nameless, crs=local)
    site = write_raster(tmp_path / "site.tif", pixels, local, where)
    with pytest.raises(AerialPlaceError, match="cannot be tied to WGS84"):
        open_aerial(site)
    expected = open_aerial(utm_raster(tmp_path / "town.tif", pixels=pixels)).bounds
    assert open_aerial(site, crs="EPSG:32633").bounds == expected


def test_a_named_system_is_that_of_files_that_name_none(tmp_path: Path) -> None:
    pixels, where = texture(32, 32), from_origin(386_000.0, 6_173_000.0, 0.5, 0.5)
    town = utm_raster(tmp_path / "town.tif", pixels=pixels)
    alone = open_aerial(town).bounds
    write_raster(tmp_path / "nameless.tif", pixels, None, where)
    both = open_aerial(tmp_path, crs="EPSG:32632")
    assert sorted(part.bounds == alone for part in both.parts) == [False, True]
    with pytest.raises(UsageError, match="names its coordinate reference system itself"):
        open_aerial(town, crs="EPSG:32632")
    assert open_aerial(town, crs="EPSG:32633").bounds == alone


def test_a_file_on_a_server(tmp_path: Path) -> None:
    """The server is a process of its own: GDAL may wait for it without letting threads run."""
    path = utm_raster(tmp_path / "map.tif", size=64)
    command = [sys.executable, str(Path(__file__).with_name("range_server.py")), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = f"http://127.0.0.1:{server.stdout.readline().strip()}/map.tif"
            with pytest.raises(AerialError, match="network"):
                open_aerial(address)
            source = open_aerial(address, allow_network=True)
            here = middle_of(path)
            expected = open_aerial(path).patch(here, 10.0, 20).pixels
            assert np.array_equal(source.patch(here, 10.0, 20).pixels, expected)
            assert source.revision == (0, 0)
            assert source.name == "map"
            with pytest.raises(AerialUnreadableError):
                open_aerial(address.replace("map", "none"), allow_network=True)
        finally:
            server.kill()
