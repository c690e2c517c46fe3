from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import AerialPlaceError, AerialUnreadableError
from sightline.imagery.aerial import mosaic as mosaic_module
from sightline.imagery.aerial import open_aerial, patch_outline

from .rasters import from_origin, texture, write_raster

CRS = "EPSG:32633"


def flat(path: Path, west: float, colour: int, *, pixel_m: float = 0.5, size: int = 100, **more):
    pixels = np.full((3, size, size), colour, np.uint8)
    transform = from_origin(500_000.0 + west, 6_173_000.0, pixel_m, pixel_m)
    return write_raster(path, pixels, CRS, transform, **more)


def test_seams_are_filled_and_the_finest_comes_first(tmp_path: Path) -> None:
    flat(tmp_path / "a.tif", 0, 50)
    flat(tmp_path / "deep/b.tif", 50, 100)
    flat(tmp_path / "coarse.tif", 25, 200, pixel_m=1.0, size=125)
    source = open_aerial(tmp_path)
    assert source.native_metres_per_pixel == pytest.approx(0.5, rel=1e-3)
    here = source.parts[0].raster.to_latlng(np.array([[100.0, 50.0]]))[0]  # the seam of a and b
    patch = source.patch(here, 40.0, 40)
    assert patch.valid.all()
    assert (patch.pixels[:, :19] == 50).all()
    assert (patch.pixels[:, 21:] == 100).all()
    assert (patch.pixels != 200).all()
    north_east = source.patch(here, 150.0, 150)
    assert set(np.unique(north_east.pixels[north_east.valid])) >= {50, 100, 200}
    assert source.footprint.contains([here]).all()
    assert source.bounds.contains([here]).all()
    assert source.name == tmp_path.name
    assert source.location == str(tmp_path)
    assert source.attribution is None
    assert source.licence is None
    sizes = [p.stat().st_size for p in tmp_path.rglob("*.tif")]
    assert source.revision[0] == sum(sizes)
    assert not source.patch((here[0] + 1, here[1]), 40.0, 10).valid.any()
    source.close()


def test_a_mosaic_is_the_raster_it_was_cut_from(tmp_path: Path) -> None:
    pixels = texture(256, 256)
    whole = write_raster(
        tmp_path / "whole.tif", pixels, CRS, from_origin(500_000.0, 6_173_000.0, 0.5, 0.5)
    )
    for y in range(4):
        for x in range(4):
            part = pixels[:, y * 64 : (y + 1) * 64, x * 64 : (x + 1) * 64]
            where = from_origin(500_000.0 + 32 * x, 6_173_000.0 - 32 * y, 0.5, 0.5)
            write_raster(tmp_path / "parts" / f"{y}{x}.tif", part, CRS, where)
    one, other = open_aerial(whole), open_aerial(tmp_path / "parts")
    here = one.raster.to_latlng(np.array([[128.0, 128.0]]))[0]
    a, b = (s.patch(here, 100.0, 200) for s in (one, other))
    assert b.valid.all()
    # Half a pixel along the seams is made of one side alone.
    difference = np.abs(a.pixels.astype(int) - b.pixels).max(axis=2)
    assert (difference <= 1).mean() > 0.9
    assert difference.max() < 40


@pytest.mark.parametrize("size_px", [10, 12, 14, 16, 18])
def test_shrinking_a_mosaic_leaves_no_gap_between_its_files(tmp_path: Path, size_px: int) -> None:
    """A patch pixel is many pixels of files that end where no whole number of them does."""
    pixels = texture(400, 400)
    for number, (above, below) in enumerate([(0, 199), (199, 400)]):
        where = from_origin(500_000.0, 6_173_000.0 - above * 0.5, 0.5, 0.5)
        write_raster(tmp_path / "parts" / f"{number}.tif", pixels[:, above:below], CRS, where)
    whole = write_raster(
        tmp_path / "whole.tif", pixels, CRS, from_origin(500_000.0, 6_173_000.0, 0.5, 0.5)
    )
    one, other = open_aerial(whole), open_aerial(tmp_path / "parts")
    here = one.raster.to_latlng(np.array([[200.0, 200.0]]))[0]
    a, b = (s.patch(here, 180.0, size_px) for s in (one, other))
    assert a.valid.all()
    assert b.valid.all()
    difference = np.abs(a.pixels.astype(int) - b.pixels).max(axis=2)
    assert difference.max() < 20


def test_one_range_for_all_files(tmp_path: Path) -> None:
    for number, base in enumerate((1000, 3000)):
        values = np.linspace(base, base + 1000, 100 * 100).reshape(1, 100, 100).astype(np.uint16)
        where = from_origin(500_000.0 + 50 * number, 6_173_000.0, 0.5, 0.5)
        write_raster(tmp_path / f"{number}.tif", values, CRS, where)
    source = open_aerial(tmp_path)
    assert source.options["value_range"] == pytest.approx([1020, 3980], abs=5)
    assert {p.raster.value_range for p in source.parts} == {tuple(source.options["value_range"])}
    declared = open_aerial(tmp_path, value_range=(0, 5000), bands=(1,))
    assert declared.options == {"value_range": [0.0, 5000.0], "bands": [1]}


def deep(path: Path, west: float, values: np.ndarray, **more) -> Path:
    where = from_origin(500_000.0 + west, 6_173_000.0, 0.5, 0.5)
    return write_raster(path, values.astype(np.uint16), CRS, where, **more)


def test_a_file_without_any_valid_value(tmp_path: Path) -> None:
    """The rim of a survey holds whole files of nodata."""
    deep(tmp_path / "a.tif", 0, np.linspace(1000, 2000, 10_000).reshape(1, 100, 100), nodata=0)
    deep(tmp_path / "b.tif", 50, np.zeros((1, 100, 100)), nodata=0)
    source = open_aerial(tmp_path)
    assert source.options["value_range"] == pytest.approx([1020, 1980], abs=5)
    (tmp_path / "a.tif").unlink()
    with pytest.raises(AerialUnreadableError, match="No valid value"):
        open_aerial(tmp_path)


def test_eight_bits_among_deeper_files(tmp_path: Path) -> None:
    """Bytes are shades already; the range of 16 bits would make all of them black."""
    flat(tmp_path / "a.tif", 0, 120)
    deep(tmp_path / "b.tif", 50, np.linspace(1000, 9000, 30_000).reshape(3, 100, 100))
    source = open_aerial(tmp_path)
    again = open_aerial(tmp_path, **source.options)
    for one in (source, again):
        part = next(p for p in one.parts if p.name == "a")
        here = part.raster.to_latlng(np.array([[50.0, 50.0]]))[0]
        assert (one.patch(here, 20.0, 20).pixels == 120).all()
    (tmp_path / "b.tif").unlink()
    stretched = open_aerial(tmp_path, value_range=(100, 140))
    assert (stretched.patch(here, 20.0, 20).pixels == 128).all()


def test_a_file_that_is_put_back_or_renamed_is_noticed(tmp_path: Path) -> None:
    for number in range(2):
        flat(tmp_path / "all" / f"{number}.tif", 50 * number, 40)
        os.utime(tmp_path / "all" / f"{number}.tif", (number + 5, number + 5))
    before = open_aerial(tmp_path / "all").revision
    assert open_aerial(tmp_path / "all").revision == before
    # The older file, put back in a version of the same size that is older still.
    flat(tmp_path / "all" / "0.tif", 0, 90)
    os.utime(tmp_path / "all" / "0.tif", (3, 3))
    after = open_aerial(tmp_path / "all").revision
    assert after != before
    # Names decide which of two files comes first where both show the ground.
    (tmp_path / "all" / "0.tif").rename(tmp_path / "all" / "2.tif")
    assert open_aerial(tmp_path / "all").revision != after
    (tmp_path / "all" / "2.tif").rename(tmp_path / "all" / "0.tif")
    (tmp_path / "all").rename(tmp_path / "moved")
    assert open_aerial(tmp_path / "moved").revision == after


def test_the_border_of_a_patch_is_curved_on_the_map(tmp_path: Path) -> None:
    """At 70° north, 200 km wide: a strip of the ground north of the line between its corners."""
    corner = patch_outline((70.0, 20.0), 200_000.0)[0, 0]
    strip = np.full((3, 5, 300), 80, np.uint8)
    where = from_origin(18.5, corner + 0.003 + 5 * 0.003, 0.01, 0.003)
    path = write_raster(tmp_path / "strip.tif", strip, "EPSG:4326", where)
    seen = open_aerial(path).patch((70.0, 20.0), 200_000.0, 400)
    assert seen.valid.any()
    assert np.array_equal(
        open_aerial(tmp_path).patch((70.0, 20.0), 200_000.0, 400).valid, seen.valid
    )


def test_no_more_files_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosaic_module, "_MOST_OPEN", 2)
    for number in range(5):
        flat(tmp_path / f"{number}.tif", 50 * number, 40 * number + 40)
    source = open_aerial(tmp_path)
    for part in source.parts:
        here = part.raster.to_latlng(np.array([[50.0, 50.0]]))[0]
        assert source.patch(here, 20.0, 10).valid.all()
    assert sum(bool(p.raster.file._idle) for p in source.parts) <= 2


def test_what_a_mac_leaves_beside_files_is_passed_over(tmp_path: Path) -> None:
    flat(tmp_path / "a.tif", 0, 50)
    (tmp_path / "._a.tif").write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    assert len(open_aerial(tmp_path).parts) == 1


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_without_a_place_is_named(tmp_path: Path) -> None:
    flat(tmp_path / "a.tif", 0, 50)
    write_raster(tmp_path / "b.tif", texture(64, 64), None, None)
    with pytest.raises(AerialPlaceError, match=r"b\.tif"):
        open_aerial(tmp_path)


def test_the_real_mosaic(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "aerial" / "cog").glob("mosaic_cog*.tif"))
    if len(files) != 2:
        pytest.skip("SIGHTLINE_DATA holds no aerial mosaic")
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    source = open_aerial(tmp_path)
    alone = [open_aerial(f, value_range=source.options["value_range"]) for f in files]
    here = (46.0, -73.9)  # both show it, in part
    both = source.patch(here, 150_000.0, 100)
    parts = [s.patch(here, 150_000.0, 100) for s in alone]
    assert np.array_equal(both.valid, parts[0].valid | parts[1].valid)
    assert both.share_valid > max(p.share_valid for p in parts)
