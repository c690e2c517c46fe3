from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from sightline.imagery.aerial.recognise import aerial_words

from .rasters import from_origin, utm_raster
from .tiles import write_folder, write_mbtiles


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(path)
    return path


def test_aerial_imagery_is_recognised(tmp_path: Path) -> None:
    assert aerial_words(utm_raster(tmp_path / "a" / "map.tif", size=32)) == "a georeferenced TIFF"
    (tmp_path / "a" / "._map.tif").write_bytes(b"what a Mac leaves")
    assert aerial_words(tmp_path / "a") == "a folder of georeferenced rasters"
    assert aerial_words(write_folder(tmp_path / "tiles")) == "a folder of tiles"
    assert aerial_words("tiles/{z}/{x}/{y}.png") == "a path of tiles"
    (tmp_path / "archive").mkdir()
    archive = write_mbtiles(tmp_path / "archive" / "a.mbtiles")
    assert aerial_words(archive) == "a file of aerial imagery (.mbtiles)"
    assert aerial_words(archive.parent) == "a folder of georeferenced rasters"


@pytest.mark.parametrize(
    "kind",
    [
        {"dtype": "uint8", "count": 3, "width": 20_000, "height": 20_000},
        {"dtype": "uint16", "count": 5, "BIGTIFF": "YES"},
        {"dtype": "float32", "count": 3},
    ],
)
def test_imagery_that_no_photo_library_opens_is_recognised(
    tmp_path: Path, kind: dict[str, object]
) -> None:
    """More pixels than Pillow takes, and depths and bands that it does not know."""
    where = {"crs": "EPSG:32633", "transform": from_origin(386_000.0, 6_173_000.0, 0.1, 0.1)}
    profile = {"driver": "GTiff", "width": 64, "height": 64, "SPARSE_OK": True, "tiled": True}
    with rasterio.open(tmp_path / "ortho.tif", "w", **{**profile, **where, **kind}):
        pass
    assert aerial_words(tmp_path / "ortho.tif") == "a georeferenced TIFF"
    assert aerial_words(tmp_path) == "a folder of georeferenced rasters"


def test_photos_are_not(tmp_path: Path) -> None:
    assert aerial_words(photo(tmp_path / "walk" / "1.jpg")) is None
    assert aerial_words(photo(tmp_path / "scan" / "1.tif")) is None
    assert aerial_words(tmp_path / "scan") is None
    # Where there are photos too, they are what is meant.
    utm_raster(tmp_path / "walk" / "map.tif", size=32)
    assert aerial_words(tmp_path / "walk") is None
    assert aerial_words(tmp_path / "none") is None
    assert aerial_words(tmp_path / "none.tif") is None
    for damaged in (b"no TIFF, but long enough", b"", b"II*", b"II+\0\x08\0", b"II*\0\xff\0\0\0"):
        (tmp_path / "text.tif").write_bytes(damaged)
        assert aerial_words(tmp_path / "text.tif") is None
    (tmp_path / "empty").mkdir()
    assert aerial_words(tmp_path / "empty") is None


@pytest.mark.parametrize("day", ["2023/05/12.jpg", "2023/5/1.jpg", "12/05/07.jpg", "12/5/7.jpg"])
def test_photos_of_days_are_no_tiles(tmp_path: Path, day: str) -> None:
    path = tmp_path / "photos" / day
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path)
    assert aerial_words(tmp_path / "photos") is None
    path.write_bytes(b"no picture")
    assert aerial_words(tmp_path / "photos") is None


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", denied)
    assert aerial_words(tmp_path) is None
