from __future__ import annotations

import gzip
import os
import sqlite3
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import (
    AerialError,
    AerialOutsideError,
    AerialUnreadableError,
    OutputError,
    UsageError,
)
from sightline.imagery.aerial import open_aerial
from sightline.imagery.aerial.recognise import aerial_words
from sightline.imagery.aerial.tile_pyramid import TileKey
from sightline.imagery.aerial.tile_server import TileServer, default_cache

from .rasters import bilinear_at, places_of, utm_raster
from .tiles import (
    ACROSS,
    LEFT,
    LEVELS,
    PX,
    SHEET,
    TOP,
    ZOOM,
    middle,
    pixels_of,
    tiles,
    write_folder,
    write_mbtiles,
    write_pmtiles,
)


def tms_folder(root: Path, profile: str = "mercator") -> Path:
    """As gdal2tiles leaves it."""
    write_folder(root, tms=True)
    said = f'<TileMap version="1.0.0"><TileSets profile="{profile}"></TileSets></TileMap>'
    (root / "tilemapresource.xml").write_text(said)
    return root


FORMS: dict[str, Callable[[Path], str]] = {
    "folder": lambda path: str(write_folder(path / "tiles")),
    "template": lambda path: f"{write_folder(path / 'x')}/{{z}}/{{x}}/{{y}}.png",
    "gdal2tiles": lambda path: str(tms_folder(path / "tiles")),
    "tms": lambda path: f"{write_folder(path / 'tms', tms=True)}/{{z}}/{{x}}/{{-y}}.png",
    "mbtiles": lambda path: str(write_mbtiles(path / "a.mbtiles", format="png")),
    "pmtiles": lambda path: str(write_pmtiles(path / "a.pmtiles")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_tiles_shows_the_same(tmp_path: Path, form: str) -> None:
    source = open_aerial(FORMS[form](tmp_path))
    here, size, patch_m = middle(), 80, 60.0
    patch = source.patch(here, patch_m, size)
    places = places_of(here, patch_m, size).reshape(-1, 2)
    expected = bilinear_at(SHEET, pixels_of(places))
    assert patch.valid.all()
    assert np.abs(patch.pixels.reshape(-1, 3) - expected).max() <= 1
    assert source.bounds.contains([here]).all()
    assert source.footprint.contains([here]).all()
    assert not source.footprint.contains([(here[0] + 1, here[1])]).any()
    # Larger than the tiles: what lies beyond them is not valid.
    width_m = ACROSS * PX * source.native_metres_per_pixel
    wide = source.patch(here, 2.0 * width_m, 64)
    assert wide.share_valid == pytest.approx(0.25, abs=0.02)
    again = open_aerial(source.location, **source.options)
    assert np.array_equal(again.patch(here, patch_m, size).pixels, patch.pixels)
    source.close()
    assert np.array_equal(source.patch(here, patch_m, size).pixels, patch.pixels)


@pytest.mark.parametrize("form", ["folder", "mbtiles", "pmtiles"])
@pytest.mark.parametrize("shrink", [2.0, 3.0, 6.0])
def test_coarser_levels_serve_larger_patches(tmp_path: Path, form: str, shrink: float) -> None:
    source = open_aerial(FORMS[form](tmp_path))
    size = 20
    patch_m = size * source.native_metres_per_pixel * shrink
    here, fine = middle(), 12
    where = pixels_of(places_of(here, patch_m, size * fine).reshape(-1, 2)).astype(int)
    samples = SHEET[:, where[:, 1], where[:, 0]].T.reshape(size, fine, size, fine, 3)
    patch = source.patch(here, patch_m, size)
    error = patch.pixels - samples.mean(axis=(1, 3))
    assert abs(error.mean()) < 0.5
    assert np.sqrt((error**2).mean()) < 0.45 * samples.mean(axis=(1, 3)).std()


def test_levels_that_do_not_cover_are_not_used(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    one = next(iter((root / str(ZOOM - 1)).rglob("*.png")))
    one.unlink()
    source = open_aerial(root)
    assert source.patch(middle(), 8.0 * PX * source.native_metres_per_pixel / 4, 16).valid.all()


def test_a_missing_tile_is_not_valid(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    key = min(k for k in tiles() if k[0] == ZOOM)
    (root / "/".join(map(str, key))).with_suffix(".png").unlink()
    source = open_aerial(root)
    width_m = ACROSS * PX * source.native_metres_per_pixel
    patch = source.patch(middle(), 0.98 * width_m, ACROSS * PX)
    assert patch.share_valid == pytest.approx(15 / 16, abs=0.01)
    assert not patch.valid[10:50, 10:50].any()


def test_a_link_to_a_tile_that_is_gone_is_no_tile(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    last = max((root / str(ZOOM)).rglob("*.png"))
    last.unlink()
    last.symlink_to(tmp_path / "gone.png")
    source = open_aerial(root)
    width_m = ACROSS * PX * source.native_metres_per_pixel
    patch = source.patch(middle(), 0.98 * width_m, ACROSS * PX)
    assert patch.share_valid == pytest.approx(15 / 16, abs=0.01)


def test_a_file_where_a_level_would_be_is_passed_over(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    (root / "0").write_text("no folder")
    assert open_aerial(root).patch(middle(), 20.0, 20).valid.all()


def test_transparent_pixels_are_not_valid(tmp_path: Path) -> None:
    from PIL import Image

    root = write_folder(tmp_path / "tiles")
    for path in root.rglob("*.png"):
        rgba = np.asarray(Image.open(path).convert("RGBA")).copy()
        rgba[: PX // 2, :, 3] = 0
        Image.fromarray(rgba).save(path)
    source = open_aerial(root)
    for pixel in (1.0, 3.0):
        size = round(2 * PX / pixel)
        patch = source.patch(middle(), size * pixel * source.native_metres_per_pixel, size)
        assert patch.share_valid == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("form", ["folder", "mbtiles", "pmtiles"])
def test_zoom_levels(tmp_path: Path, form: str) -> None:
    location = FORMS[form](tmp_path)
    coarse = open_aerial(location, zoom=ZOOM - 1)
    fine = open_aerial(location)
    assert coarse.native_metres_per_pixel == pytest.approx(2 * fine.native_metres_per_pixel)
    assert coarse.options["zoom"] == ZOOM - 1
    with pytest.raises(AerialOutsideError, match="has no tiles of zoom level 19") as raised:
        open_aerial(location, zoom=19)
    assert f"{ZOOM - LEVELS + 1} to {ZOOM}" in raised.value.message
    with pytest.raises(UsageError, match="zoom must be from 0 to 24"):
        open_aerial(location, zoom=30)


def test_tiles_of_another_profile_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AerialUnreadableError, match="profile 'geodetic', not web Mercator"):
        open_aerial(tms_folder(tmp_path / "tiles", "geodetic"))


def test_a_folder_of_two_kinds_of_tiles_is_not_read_by_half(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    one = min((root / str(ZOOM)).rglob("*.png"))
    one.rename(one.with_suffix(".jpg"))
    with pytest.raises(AerialUnreadableError, match=r"end in \.jpg and \.png"):
        open_aerial(root)
    assert len(open_aerial(f"{root}/{{z}}/{{x}}/{{y}}.jpg").raster._store.tiles(ZOOM)) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "option", [{"bands": (3, 2, 1)}, {"value_range": (0, 50)}, {"crs": "EPSG:4326"}]
)
def test_options_of_rasters_say_nothing_of_tiles(
    tmp_path: Path, form: str, option: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match="is for rasters") as raised:
        open_aerial(FORMS[form](tmp_path), **option)
    assert str(*option) in raised.value.message


def test_a_folder_that_holds_an_archive(tmp_path: Path) -> None:
    write_mbtiles(tmp_path / "a.mbtiles")
    with pytest.raises(AerialUnreadableError, match="no rasters") as raised:
        open_aerial(tmp_path)
    assert str(tmp_path / "a.mbtiles") in raised.value.hint


def test_bounds_that_are_none(tmp_path: Path) -> None:
    archive = write_pmtiles(tmp_path / "a.pmtiles")
    for bounds in ((1, 2, 3), (1, 2, 3, "x"), 7):
        with pytest.raises(UsageError, match="bounds must be south"):
            open_aerial(archive, bounds=bounds)
    with pytest.raises(UsageError, match="'bounds' is for tiles"):
        open_aerial(utm_raster(tmp_path / "map.tif", size=32), bounds=(55, 13, 56, 14))


@pytest.mark.parametrize("data", [None, "text", 7])
def test_a_row_of_mbtiles_without_a_picture(tmp_path: Path, data: object) -> None:
    path = write_mbtiles(tmp_path / "a.mbtiles")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE tiles SET tile_data = ?", (data,))
    with pytest.raises(AerialUnreadableError, match=f"Tile {ZOOM}/.* no PNG"):
        open_aerial(path)


def test_rows_of_mbtiles_that_name_no_tile(tmp_path: Path) -> None:
    path = write_mbtiles(tmp_path / "a.mbtiles")
    before = open_aerial(path).footprint.area_km2
    with closing(sqlite3.connect(path)) as file, file:
        odd = [(ZOOM, "x", 1), (ZOOM, None, 1), (ZOOM, 1, 0.5), (-3, 1, 1), ("y", 1, 1)]
        file.executemany("INSERT INTO tiles VALUES (?, ?, ?, NULL)", odd)
    source = open_aerial(path)
    assert source.footprint.area_km2 == before
    assert source.patch(middle(), 20.0, 16).valid.all()


def test_a_level_between_that_is_missing(tmp_path: Path) -> None:
    import shutil

    root = write_folder(tmp_path / "tiles")
    shutil.rmtree(root / str(ZOOM - 1))
    with pytest.raises(AerialOutsideError, match=f"zoom level {ZOOM - 1}"):
        open_aerial(root, zoom=ZOOM - 1)
    shutil.rmtree(root / str(ZOOM - 2))
    with pytest.raises(AerialOutsideError, match="no zoom level coarse enough"):
        open_aerial(root).patch(middle(), 100_000.0, 10)


def test_a_damaged_tile(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    (one, *_, last) = sorted((root / str(ZOOM)).rglob("*.png"))
    last.write_bytes(last.read_bytes()[:200])
    source = open_aerial(root)
    width_m = ACROSS * PX * source.native_metres_per_pixel
    with pytest.raises(AerialUnreadableError, match=f"Tile {ZOOM}/") as raised:
        source.patch(middle(), width_m, ACROSS * PX)
    assert last.parent.name in raised.value.message
    last.write_bytes(b"<html>")
    with pytest.raises(AerialUnreadableError, match="no PNG"):
        open_aerial(root).patch(middle(), width_m, ACROSS * PX)
    one.write_bytes(last.read_bytes())
    with pytest.raises(AerialUnreadableError, match="no PNG"):
        open_aerial(root)


def test_a_tile_that_says_it_has_more_pixels_than_memory(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    for path in root.rglob("*.png"):
        data = bytearray(path.read_bytes())
        data[16:24] = struct.pack(">II", 30_000, 30_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        path.write_bytes(data)
    with pytest.raises(AerialUnreadableError, match=r"no PNG.*900000000 pixels"):
        open_aerial(root)
    assert aerial_words(root) is None


@pytest.mark.parametrize(("size", "said"), [((PX, PX * 2), "64 × 128"), ((32, 32), "32 pixels")])
def test_tiles_of_another_size(tmp_path: Path, size: tuple[int, int], said: str) -> None:
    from PIL import Image

    root = write_folder(tmp_path / "tiles")
    last = max((root / str(ZOOM)).rglob("*.png"))
    Image.new("RGB", size).save(last)
    source = open_aerial(root)
    with pytest.raises(AerialUnreadableError, match=said):
        source.patch(middle(), ACROSS * PX * source.native_metres_per_pixel, ACROSS * PX)


def test_tiles_that_cannot_be_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    last = max((root / str(ZOOM)).rglob("*.png"))
    last.unlink()
    last.mkdir()
    source = open_aerial(root)
    with pytest.raises(AerialUnreadableError, match="cannot be read"):
        source.patch(middle(), ACROSS * PX * source.native_metres_per_pixel, ACROSS * PX)


@pytest.mark.parametrize("template", ["{z}/{x}/{y}.png", "none/{z}-{x}-{y}.png"])
def test_no_tile_of_that_name(tmp_path: Path, template: str) -> None:
    (tmp_path / "17").mkdir()
    with pytest.raises(AerialUnreadableError, match="no tile"):
        open_aerial(tmp_path / template)


def test_names_and_attributions(tmp_path: Path) -> None:
    said = write_mbtiles(tmp_path / "a.mbtiles", attribution="<b>NAIP</b>  2020", format="png")
    assert open_aerial(said).attribution == "NAIP 2020"
    assert open_aerial(said, attribution="mine", licence="CC0").attribution == "mine"
    packed = open_aerial(write_pmtiles(tmp_path / "b.pmtiles"))
    assert packed.attribution == "© The makers"
    assert packed.name == "b"
    assert packed.licence is None
    assert packed.revision[0] == (tmp_path / "b.pmtiles").stat().st_size
    folder = open_aerial(f"{write_folder(tmp_path / 'town')}/{{z}}/{{x}}/{{y}}.png", name="mine")
    assert folder.name == "mine"
    assert open_aerial(f"{tmp_path}/town/{{z}}/{{x}}/{{y}}.png").name == "town"
    sizes = [p.stat().st_size for p in (tmp_path / "town").rglob("*.png")]
    assert (len(sizes), folder.revision[0]) == (21, sum(sizes))


def test_tiles_that_were_edited_are_noticed(tmp_path: Path) -> None:
    """One tile of 21 gets other pixels of the same size and an older time."""
    root = write_folder(tmp_path / "tiles")
    before = open_aerial(root).revision
    assert open_aerial(f"{root}/{{z}}/{{x}}/{{y}}.png").revision == before
    one = next(iter((root / str(ZOOM)).rglob("*.png")))
    data = bytearray(one.read_bytes())
    data[-20] ^= 1
    one.write_bytes(data)
    os.utime(one, (5, 5))
    edited = open_aerial(root).revision
    assert edited != before
    root.rename(tmp_path / "moved")
    assert open_aerial(tmp_path / "moved").revision == edited
    one = next(iter((tmp_path / "moved" / str(ZOOM)).rglob("*.png")))
    one.unlink()
    assert open_aerial(tmp_path / "moved").revision != edited


def test_numbers_that_are_no_tiles(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "tiles")
    count = len(open_aerial(root).raster._store.tiles(ZOOM))
    for name in (f"{ZOOM}/{LEFT}/0{TOP}.png", f"{ZOOM}/{1 << ZOOM}/3.png", "30/1/1.png"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for name in ("²", "3.old/3.old", f"{ZOOM}/5.old"):
        (root / name).mkdir(parents=True)
    source = open_aerial(root)
    assert len(source.raster._store.tiles(ZOOM)) == count
    assert source.patch(middle(), 20.0, 20).valid.all()
    archive = write_mbtiles(tmp_path / "a.mbtiles")
    with sqlite3.connect(archive) as file:
        file.execute("INSERT INTO tiles VALUES (?, ?, -1, x'00')", (ZOOM, LEFT))
        file.execute("INSERT INTO tiles VALUES (60, 1, 1, x'00')")
    file.close()
    assert open_aerial(archive).footprint.area_km2 == pytest.approx(source.footprint.area_km2)


def test_tiles_with_a_hole_in_the_middle(server: Server, tmp_path: Path) -> None:
    """The size of tiles is that of any of them, not of the one in the middle."""
    here = middle()
    east = round((here[1] + 0.5) * 1e7)
    archive = open_aerial(write_pmtiles(tmp_path / "a.pmtiles", max_lon_e7=east))
    box = (here[0] - 0.001, here[1] - 0.001, here[0] + 0.001, here[1] + 0.003)
    asked = open_aerial(
        f"{server.address}/{{z}}/{{x}}/{{y}}.png", zoom=ZOOM, bounds=box, attribution="me",
        allow_network=True, cache=tmp_path / "cache",
    )  # fmt: skip
    for source in (archive, asked):
        assert source.patch(here, 20.0, 20).valid.all()


def test_archives_that_are_none(tmp_path: Path) -> None:
    text = tmp_path / "a.mbtiles"
    text.write_text("no database at all, but longer than a header would be")
    with pytest.raises(AerialUnreadableError, match="as MBTiles"):
        open_aerial(text)
    empty = tmp_path / "b.mbtiles"
    with sqlite3.connect(empty) as file:
        file.execute("CREATE TABLE tiles (zoom_level, tile_column, tile_row, tile_data)")
    file.close()
    with pytest.raises(AerialUnreadableError, match="holds no tile"):
        open_aerial(empty)
    with pytest.raises(AerialError, match="vector tiles"):
        open_aerial(write_mbtiles(tmp_path / "c.mbtiles", format="pbf"))
    for number, content in enumerate((b"", b"text" * 100, b"PMTiles\x02" + b"\0" * 200)):
        path = tmp_path / f"{number}.pmtiles"
        path.write_bytes(content)
        with pytest.raises(AerialUnreadableError, match="as PMTiles"):
            open_aerial(path)
    from pmtiles.tile import TileType

    with pytest.raises(AerialError, match="MVT"):
        open_aerial(write_pmtiles(tmp_path / "v.pmtiles", tile_type=TileType.MVT))
    nowhere = write_pmtiles(tmp_path / "n.pmtiles", min_lat_e7=0, max_lat_e7=0)
    with pytest.raises(AerialUnreadableError, match="states no area"):
        open_aerial(nowhere)
    cut = write_pmtiles(tmp_path / "cut.pmtiles")
    cut.write_bytes(cut.read_bytes()[:150])
    with pytest.raises(AerialUnreadableError, match="as PMTiles"):
        open_aerial(cut)


def test_an_archive_without_a_tile(tmp_path: Path) -> None:
    """Its header is whole, and says that the directory has no entries."""
    path = write_pmtiles(tmp_path / "none.pmtiles")
    content, directory = path.read_bytes(), gzip.compress(b"\0")
    where = struct.pack("<QQ", len(content), len(directory))
    path.write_bytes(content[:8] + where + content[24:] + directory)
    with pytest.raises(AerialUnreadableError, match=r"none\.pmtiles' holds no tile") as raised:
        open_aerial(path)
    assert raised.value.hint == "Make it anew."


def test_packed_tiles_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pmtiles.tile import Compression

    from . import tiles as made

    plain = tiles()
    monkeypatch.setattr(made, "tiles", lambda: {k: gzip.compress(v) for k, v in plain.items()})
    path = write_pmtiles(tmp_path / "a.pmtiles", tile_compression=Compression.GZIP)
    assert open_aerial(path).patch(middle(), 20.0, 20).valid.all()


class Server:
    """A tile server on this machine that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.most_at_once = 0
        self.answers: list[int] = []
        self.body: bytes | None = None
        self.cut_off = 0
        self._now = 0
        self._lock = threading.Lock()
        held = {f"/{z}/{x}/{y}.png": data for (z, x, y), data in tiles().items()}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with server._lock:
                    server._now += 1
                    server.most_at_once = max(server.most_at_once, server._now)
                    server.asked.append(self.path)
                    server.agents.add(self.headers["User-Agent"])
                    status = server.answers.pop(0) if server.answers else 200
                data = held.get(self.path) if server.body is None else server.body
                if status == 200 and data is None:
                    status = 404
                # Before the answer: the client may be back before this thread goes on.
                with server._lock:
                    server._now -= 1
                self.send_response(status)
                if status == 200:
                    self.send_header("Content-Length", str(len(data)))
                    if server.cut_off:
                        server.cut_off -= 1
                        data = data[: len(data) // 2]
                if status in (429, 503):
                    self.send_header("Retry-After", "0.01" if status == 429 else "soon")
                self.end_headers()
                if status == 200:
                    self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def test_a_server_is_asked_only_when_allowed_and_only_once(server: Server, tmp_path: Path) -> None:
    address = f"{server.address}/{{z}}/{{x}}/{{y}}.png"
    with pytest.raises(AerialError, match="network") as raised:
        open_aerial(address, zoom=ZOOM, attribution="me")
    assert "--allow-network" in raised.value.hint
    assert not server.asked
    with pytest.raises(UsageError, match="attribution"):
        open_aerial(address, zoom=ZOOM, allow_network=True)
    with pytest.raises(UsageError, match="zoom level"):
        open_aerial(address, attribution="me", allow_network=True)
    with pytest.raises(UsageError, match="from 0 to 24"):
        open_aerial(address, zoom=40, attribution="me", allow_network=True)
    assert not server.asked
    south, west = middle()
    box = (south - 0.002, west - 0.001, south + 0.002, west + 0.001)
    settings = {"attribution": "me", "allow_network": True, "cache": tmp_path, "bounds": box}
    here = middle()
    source = open_aerial(address, zoom=ZOOM, **settings)
    assert source.bounds.north == box[2]
    assert source.options == {"zoom": ZOOM, "bounds": list(box)}
    patch = source.patch(here, 30.0, 40)
    expected = bilinear_at(SHEET, pixels_of(places_of(here, 30.0, 40).reshape(-1, 2)))
    assert np.abs(patch.pixels.reshape(-1, 3) - expected).max() <= 1
    count = len(server.asked)
    assert count == len(set(server.asked))
    assert server.agents == {next(iter(server.agents))}
    assert next(iter(server.agents)).startswith("sightline/")
    again = open_aerial(address, zoom=ZOOM, **settings)
    assert np.array_equal(again.patch(here, 30.0, 40).pixels, patch.pixels)
    assert len(server.asked) == count
    # What is not there is asked for once too.
    nothing = again.patch((here[0] + 0.1, here[1]), 30.0, 10)
    assert not nothing.valid.any()
    count = len(server.asked)
    open_aerial(address, zoom=ZOOM, **settings).patch((here[0] + 0.1, here[1]), 30.0, 10)
    assert len(server.asked) == count
    assert source.name == server.address.removeprefix("http://")
    assert source.revision == (0, 0)


@pytest.mark.parametrize("missing", [1, 2, ZOOM + 1])
def test_a_server_without_the_tile_in_the_middle_is_asked_for_those_over_it(
    server: Server, tmp_path: Path, missing: int
) -> None:
    """So the width of its tiles is found; where there is none at all, the usual one is taken."""
    address, here = f"{server.address}/{{z}}/{{x}}/{{y}}.png", middle()
    server.answers = [404] * missing
    source = open_aerial(
        address, zoom=ZOOM, attribution="me", allow_network=True, cache=tmp_path,
        bounds=(here[0] - 0.0001, here[1] - 0.0001, here[0] + 0.0001, here[1] + 0.0001),
    )  # fmt: skip
    zooms = [int(path.split("/")[1]) for path in server.asked]
    assert zooms[:missing] == list(range(ZOOM, ZOOM - missing, -1))
    assert not server.answers
    usual = 256 if missing > ZOOM else PX
    half = 2 * np.pi * 6378137.0 / (1 << ZOOM) * np.cos(np.radians(here[0]))
    assert source.native_metres_per_pixel == pytest.approx(half / usual, rel=1e-2)


def test_a_busy_server_is_given_time(server: Server, tmp_path: Path) -> None:
    store = TileServer(
        f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path, first_wait_s=0.01
    )
    key = TileKey(*next(iter(tiles())))
    server.answers = [429, 503]
    assert store.read(key) == tiles()[key]
    assert len(server.asked) == 3
    server.answers = [503] * 4
    with pytest.raises(AerialError, match="503"):
        store.read(TileKey(1, 0, 0))
    server.answers = [403]
    with pytest.raises(AerialError, match="403"):
        store.read(TileKey(1, 0, 1))
    server.body = b"x" * (17 << 20)
    with pytest.raises(AerialError, match="more than"):
        store.read(TileKey(1, 1, 1))
    store.close()


def test_threads_that_want_one_tile_fetch_it_once(server: Server, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = TileServer(f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path)
    wanted = [TileKey(*key) for key in tiles() for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(store.read, wanted))
    assert found == [tiles()[key] for key in wanted]
    assert len(server.asked) == len(set(server.asked)) == len(tiles())


def test_a_page_in_place_of_a_tile_is_not_kept(server: Server, tmp_path: Path) -> None:
    store = TileServer(f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path)
    key = TileKey(*next(iter(tiles())))
    server.body = b"<html>Please log in</html>"
    with pytest.raises(AerialError, match="no PNG, JPEG or WebP"):
        store.read(key)
    server.body = None
    assert store.read(key) == tiles()[key]


def test_what_is_kept_is_shown_without_the_network(server: Server, tmp_path: Path) -> None:
    address, here = f"{server.address}/{{z}}/{{x}}/{{y}}.png", middle()
    box = (here[0] - 0.002, here[1] - 0.001, here[0] + 0.002, here[1] + 0.001)
    told = {"zoom": ZOOM, "attribution": "me", "cache": tmp_path, "bounds": box}
    with pytest.raises(AerialError, match="network"):
        open_aerial(address, **told)
    fetched = open_aerial(address, allow_network=True, **told).patch(here, 30.0, 40)
    count = len(server.asked)
    kept = open_aerial(address, **told)
    assert np.array_equal(kept.patch(here, 30.0, 40).pixels, fetched.pixels)
    with pytest.raises(AerialError, match="not kept on this machine") as raised:
        kept.patch((here[0] + 1, here[1]), 30.0, 10)
    assert "--allow-network" in raised.value.hint
    assert len(server.asked) == count


def test_a_tile_that_broke_off_is_fetched_again(server: Server, tmp_path: Path) -> None:
    store = TileServer(
        f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path, first_wait_s=0.01
    )
    key = TileKey(*next(iter(tiles())))
    server.cut_off = 1
    assert store.read(key) == tiles()[key]
    assert len(server.asked) == 2
    server.cut_off = 4
    with pytest.raises(AerialError, match="broke off after"):
        store.read(TileKey(*list(tiles())[1]))


def test_no_more_than_two_connections(server: Server, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = TileServer(f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: store.read(TileKey(*k)), tiles()))
    assert found == list(tiles().values())
    assert server.most_at_once <= 2


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    store = TileServer(
        "http://127.0.0.1:9/{z}/{x}/{y}.png", (0, 3), cache=tmp_path, first_wait_s=0.001
    )
    with pytest.raises(AerialError, match="cannot be fetched"):
        store.read(TileKey(1, 0, 0))
    with pytest.raises(UsageError, match="http or https only"):
        TileServer("ftp://example.org/{z}/{x}/{y}.png", (0, 3))


def test_a_server_that_refuses_every_tile_is_left_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TileServer(f"{server.address}/{{z}}/{{x}}/{{y}}.png", (0, ZOOM), cache=tmp_path)
    (first, *others) = [TileKey(*key) for key in tiles()]
    server.answers = [403] * 60
    for _ in range(20):  # one bad tile may be asked for by many patches
        with pytest.raises(AerialError, match="403"):
            store.read(first)
    for key in others[:15]:
        with pytest.raises(AerialError, match="403"):
            store.read(key)
    count = len(server.asked)
    with pytest.raises(AerialError, match="the last 16 could not be fetched either") as raised:
        store.read(others[15])
    assert "build again" in raised.value.hint
    assert len(server.asked) == count
    # After its rest it is asked again, and all is well with the first answer.
    server.answers = []
    monkeypatch.setattr(store, "_rests_until", 0.0)
    assert store.read(others[15]) == tiles()[others[15]]
    assert store.read(first) == tiles()[first]


def test_a_cache_that_cannot_be_read(tmp_path: Path) -> None:
    store = TileServer("http://127.0.0.1:9/{z}/{x}/{y}.png", (0, 3), cache=tmp_path)
    (store._cache / "1" / "0" / "0").mkdir(parents=True)
    with pytest.raises(OutputError, match="tile cache"):
        store.read(TileKey(1, 0, 0))


def test_where_fetched_tiles_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "sightline" / "tiles"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache().parts[-3:] == (".cache", "sightline", "tiles")


def test_only_so_many_tiles_are_kept(tmp_path: Path) -> None:
    source = open_aerial(write_folder(tmp_path / "tiles"))
    source.raster._most_kept = 2
    width_m = ACROSS * PX * source.native_metres_per_pixel
    assert source.patch(middle(), 0.9 * width_m, ACROSS * PX).valid.all()
    assert len(source.raster._kept) == 2
