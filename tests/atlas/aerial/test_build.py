from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from PIL import Image

from atlas.encoders import ColourGrid
from atlas.forked import Forked
from atlas.photos import write_photos
from imagery.aerial.rasters import from_origin, texture, utm_raster, write_raster
from imagery.aerial.tiles import ZOOM, middle, write_folder, write_pmtiles
from sightline.atlas import Atlas, build_derived
from sightline.atlas.aerial import build_aerial_atlas, open_aerial, patch_image
from sightline.atlas.aerial.grid import AerialGrid
from sightline.atlas.aerial.intake import AerialIntake, patch_sha256, source_of, uri_of
from sightline.atlas.build import build_atlas
from sightline.atlas.catalogue import Catalogue
from sightline.atlas.export import export
from sightline.atlas.intake import Refused
from sightline.atlas.maintain import compact, info, remove
from sightline.atlas.problems import read_problems
from sightline.atlas.run import BuildInterrupted
from sightline.atlas.store import Store
from sightline.atlas.verify import verify
from sightline.datasets.records import RecordProblem
from sightline.errors import (
    AerialError,
    AerialNotFoundError,
    AerialOutsideError,
    AtlasDamagedError,
    AtlasEmptyError,
    AtlasError,
    EncoderError,
    FingerprintError,
    TableError,
    UsageError,
)
from sightline.geo.cells import cell_ids, from_signed
from sightline.geo.region import BoundingBox
from sightline.imagery.aerial import patch_outline

from .child import build_slowly
from .encoders import TwoViews

SIDES = {"patch_m": 30.0, "stride_m": 15.0}


@pytest.fixture
def ortho(tmp_path: Path) -> Path:
    """150 m × 150 m of texture."""
    return utm_raster(tmp_path / "town.tif", size=300)


def rows(atlas: Path) -> list[dict[str, object]]:
    store = Store.open(atlas)
    return [row for b in store.batches(store.schema.names) for row in b.to_pylist()]


def by_uri(atlas: Path) -> dict[tuple[object, object], dict[str, object]]:
    return {(r["uri"], r["view"]): r for r in rows(atlas)}


def test_every_place_of_the_grid_becomes_a_row(tmp_path: Path, ortho: Path) -> None:
    source, encoder = open_aerial(ortho, licence="CC-BY-4.0", attribution="the town"), TwoViews()
    told = []
    report = build_aerial_atlas(
        tmp_path / "atlas", source, encoder, **SIDES, batch=7, progress=told.append,
        description="a town",
    )  # fmt: skip
    grid = AerialGrid(15.0, source.footprint)
    assert report.added + report.blank == len(grid)
    assert report.added > 40
    assert report.blank > 10
    assert told[-1].done == told[-1].total == len(grid)
    found = by_uri(tmp_path / "atlas")
    assert len(found) == report.rows == report.added
    card = Store.open(tmp_path / "atlas").card
    assert (card.kind, card.patch_m, card.stride_m) == ("aerial", 30.0, 15.0)
    assert (card.licence, card.description) == ("CC-BY-4.0", "a town")
    assert card.aerial_sources["town"]["location"] == str(ortho)
    for part in grid:
        for grid_id, latlng in zip(part.names(), part.latlng, strict=True):
            row = found.pop((f"aerial:town#{grid_id}", 0), None)
            patch = source.patch(latlng, 30.0, 16)
            assert (row is None) == (patch.share_valid < 0.9)
            if row is None:
                continue
            assert (row["lat"], row["lon"]) == tuple(latlng)
            assert from_signed([row["s2"]])[0] == cell_ids([latlng])[0]
            expected = encoder.encode_regions([patch.pixels])[0]
            assert np.allclose(np.array(row["vector"]).reshape(4, 8), expected, atol=2e-3)
            assert row["metres_per_pixel"] == pytest.approx(30 / 16)
            assert np.allclose(np.reshape(row["outline"], (4, 2)), patch_outline(latlng, 30.0))
            assert row["sha256"] == patch_sha256(row["uri"], patch.pixels)
            assert (row["source"], row["licence"]) == ("town", "CC-BY-4.0")
            assert row["names"] == [row["uri"]]
            assert row["heading_degrees"] is None
    assert not found
    assert verify(tmp_path / "atlas").sound


def test_turned_patches_have_a_row_for_each_turn(tmp_path: Path, ortho: Path) -> None:
    source, encoder = open_aerial(ortho), TwoViews(turns=4)
    report = build_aerial_atlas(tmp_path / "atlas", source, encoder, **SIDES, batch=5)
    assert report.rows == 4 * report.added
    found = by_uri(tmp_path / "atlas")
    for (uri, turn), row in found.items():
        patch = source.patch((row["lat"], row["lon"]), 30.0, 16)
        turned = encoder.encode_prepared(encoder.prepare(patch.pixels)[None], "aerial")[turn]
        assert np.allclose(np.array(row["vector"]).reshape(4, 8), turned, atol=2e-3)
        assert (uri, 0) in found
    assert verify(tmp_path / "atlas").sound
    assert info(tmp_path / "atlas").photos == report.added


def test_building_again_encodes_nothing_and_more_of_it_only_the_rest(
    tmp_path: Path, ortho: Path
) -> None:
    source, encoder = open_aerial(ortho), TwoViews()
    box = source.bounds
    middle = (box.west + box.east) / 2
    west = BoundingBox(box.south, box.west, box.north, middle)
    first = build_aerial_atlas(tmp_path / "atlas", source, encoder, **SIDES, within=west)
    before = by_uri(tmp_path / "atlas")
    encoder.encoded = 0
    again = build_aerial_atlas(tmp_path / "atlas", source, encoder, **SIDES, within=west)
    assert (again.added, again.skipped, encoder.encoded) == (0, first.added, 0)
    assert by_uri(tmp_path / "atlas") == before
    whole = build_aerial_atlas(tmp_path / "atlas", source, encoder, **SIDES)
    assert whole.skipped == first.added
    assert encoder.encoded == whole.added > 0
    # The same as if it had been built at once.
    build_aerial_atlas(tmp_path / "fresh", source, encoder, **SIDES, workers=1, commit_rows=3)
    ours, fresh = by_uri(tmp_path / "atlas"), by_uri(tmp_path / "fresh")
    assert ours.keys() == fresh.keys()
    for key, row in fresh.items():
        assert {**ours[key], "id": 0} == {**row, "id": 0}


def test_imagery_that_changed_is_seen_again(tmp_path: Path, ortho: Path) -> None:
    encoder = TwoViews()
    first = build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), encoder, **SIDES)
    os.utime(ortho, (5, 5))
    encoder.encoded = 0
    touched = build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), encoder, **SIDES)
    assert (touched.added, touched.skipped, encoder.encoded) == (0, first.added, 0)
    assert by_uri(tmp_path / "atlas").popitem()[1]["mtime_ns"] == [5 * 10**9]
    pixels = texture(300, 300)
    pixels[:, :, 150:] = 255 - pixels[:, :, 150:]
    utm_raster(ortho, pixels=pixels)
    os.utime(ortho, (9, 9))
    changed = build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), encoder, **SIDES)
    assert changed.rows == first.rows
    assert 0.3 * first.added < changed.replaced == changed.added < 0.8 * first.added
    assert verify(tmp_path / "atlas").sound


def test_a_tile_that_changed_is_seen_again(tmp_path: Path) -> None:
    """Of a folder of tiles, the patches that show the edited one are encoded anew, no others."""
    tiles = write_folder(tmp_path / "tiles")
    sides = {"patch_m": 40.0, "stride_m": 40.0}
    encoder, folder = TwoViews(), tmp_path / "atlas"
    first = build_aerial_atlas(folder, open_aerial(tiles), encoder, **sides)
    before = by_uri(folder)
    one = sorted((tiles / str(ZOOM)).rglob("*.png"))[5]
    Image.fromarray(255 - np.asarray(Image.open(one))).save(one)
    encoder.encoded = 0
    source = open_aerial(tiles)
    again = build_aerial_atlas(folder, source, encoder, **sides)
    changed = {key for key, row in by_uri(folder).items() if row["vector"] != before[key]["vector"]}
    assert encoder.encoded == again.added == again.replaced == len(changed)
    assert 0 < again.added < 0.5 * first.added
    assert again.rows == first.rows
    for key in changed:
        row = by_uri(folder)[key]
        patch = source.patch((row["lat"], row["lon"]), 40.0, 16)
        assert row["sha256"] == patch_sha256(row["uri"], patch.pixels)
    third = build_aerial_atlas(folder, open_aerial(tiles), encoder, **sides)
    assert (third.added, third.skipped) == (0, first.added)


def test_a_server_may_be_asked_for_more_ground(tmp_path: Path) -> None:
    """Bounds say where to look, and change no pixel: an atlas grows with them."""
    archive = write_pmtiles(tmp_path / "a.pmtiles")
    lat, lon = middle()
    small, large = (
        [lat - reach, lon - reach, lat + reach, lon + reach] for reach in (0.0002, 0.0005)
    )
    sides = {"patch_m": 12.0, "stride_m": 12.0}
    first = build_aerial_atlas(
        tmp_path / "atlas", open_aerial(archive, bounds=small), TwoViews(), **sides
    )
    again = build_aerial_atlas(
        tmp_path / "atlas", open_aerial(archive, bounds=large), TwoViews(), **sides
    )
    assert again.skipped == first.added > 0
    assert again.added > 0


def test_uniform_ground_is_not_one_place(tmp_path: Path) -> None:
    """Two squares of sea look alike, and are two references."""
    sea = np.full((3, 200, 200), 70, np.uint8)
    source = open_aerial(utm_raster(tmp_path / "sea.tif", pixels=sea))
    report = build_aerial_atlas(tmp_path / "atlas", source, TwoViews(), **SIDES)
    assert report.duplicates == 0
    assert report.rows == report.added > 10
    assert verify(tmp_path / "atlas").sound


def test_a_patch_without_a_direction_is_left_out(tmp_path: Path) -> None:
    pixels = texture(300, 300)
    pixels[:, :150] = 0
    source = open_aerial(utm_raster(tmp_path / "half.tif", pixels=pixels))
    report = build_aerial_atlas(tmp_path / "atlas", source, TwoViews(turns=2), **SIDES)
    assert report.problems
    assert {p.code for p in report.problems} == {"vectors"}
    assert report.rows == 2 * report.added > 0
    assert verify(tmp_path / "atlas").sound


def test_damaged_imagery_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    path = utm_raster(tmp_path / "map.tif", size=600, tiled=True, blockxsize=64, blockysize=64)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    report = build_aerial_atlas(tmp_path / "atlas", open_aerial(path), TwoViews(), **SIDES)
    assert report.added > 0
    assert {p.code for p in report.problems} == {"aerial.unreadable"}
    assert len(read_problems(tmp_path / "atlas")) == len(report.problems)
    path.write_bytes(data[:4000])
    with pytest.raises(AtlasEmptyError, match=r"None of \d+ patches could be used; the first"):
        build_aerial_atlas(tmp_path / "none", open_aerial(path), TwoViews(), **SIDES)


def test_an_atlas_of_two_sources(tmp_path: Path, ortho: Path) -> None:
    encoder = TwoViews()
    first = build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), encoder, **SIDES)
    east = write_raster(
        tmp_path / "east.tif", texture(300, 300, seed=1), "EPSG:32633",
        from_origin(386200.0, 6173000.0, 0.5, 0.5),
    )  # fmt: skip
    second = build_aerial_atlas(tmp_path / "atlas", open_aerial(east), encoder, **SIDES)
    assert second.rows == first.added + second.added
    card = Store.open(tmp_path / "atlas").card
    assert sorted(card.aerial_sources) == ["east", "town"]
    moved = tmp_path / "moved" / "town.tif"
    moved.parent.mkdir()
    ortho.rename(moved)
    again = build_aerial_atlas(tmp_path / "atlas", open_aerial(moved), encoder, **SIDES)
    assert (again.added, again.skipped) == (0, first.added)
    assert Store.open(tmp_path / "atlas").card.aerial_sources["town"]["location"] == str(moved)
    other = utm_raster(tmp_path / "town.tif", size=200)
    with pytest.raises(AtlasError, match="a source named 'town' already") as raised:
        build_aerial_atlas(tmp_path / "atlas", open_aerial(other), encoder, **SIDES)
    assert "--source-name" in raised.value.hint
    swapped = open_aerial(moved, bands=(3, 2, 1))
    with pytest.raises(AtlasError, match="opened with other options"):
        build_aerial_atlas(tmp_path / "atlas", swapped, encoder, **SIDES)


def test_life_of_an_aerial_atlas(tmp_path: Path, ortho: Path) -> None:
    source, encoder = open_aerial(ortho), TwoViews()
    folder = tmp_path / "atlas"
    build_aerial_atlas(folder, source, encoder, **SIDES, compact=False)
    build_derived(folder)
    atlas = Atlas.open(folder)
    assert (atlas.kind, atlas.patch_m, atlas.stride_m) == ("aerial", 30.0, 15.0)
    assert atlas.info()["kind"] == "aerial"
    one = rows(folder)[5]
    patch = patch_image(folder, one["uri"], (one["lat"], one["lon"]), 16)
    assert patch_sha256(one["uri"], patch.pixels) == one["sha256"]
    asked = encoder.encode_regions([patch.pixels])
    best = atlas.search(asked, 1, fingerprint=encoder.fingerprint)
    assert best.uris[0, 0] == one["uri"]
    count = export(folder, tmp_path / "out.geojson")
    features = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert len(features) == count
    square = shapely.geometry.shape(features[0]["geometry"])
    assert square.geom_type == "Polygon"
    assert square.exterior.is_ccw
    middle = shapely.Point(features[0]["properties"]["lon"], features[0]["properties"]["lat"])
    assert square.centroid.distance(middle) < 1e-7
    assert export(folder, tmp_path / "out.parquet", vectors=False) == count
    removed = remove(folder, names=[one["uri"], "aerial:town#*.0"])
    assert (removed.rows, removed.unmatched) == (1, ("aerial:town#*.0",))
    assert compact(folder).rows == count - 1
    assert verify(folder).sound
    again = build_aerial_atlas(folder, source, encoder, **SIDES)
    assert (again.added, again.rows) == (1, count)


def test_squares_over_the_antimeridian_and_at_the_pole(tmp_path: Path) -> None:
    encoder = TwoViews()
    seam = BoundingBox(10.0, 179.9995, 10.001, -179.9995)
    build_aerial_atlas(tmp_path / "seam", open_aerial("planet:3"), encoder, **SIDES, within=seam)
    export(tmp_path / "seam", tmp_path / "seam.geojson")
    features = json.loads((tmp_path / "seam.geojson").read_text())["features"]
    kinds = {f["geometry"]["type"] for f in features}
    assert kinds == {"Polygon", "MultiPolygon"}
    longitudes = np.array(
        [p for f in features if f["geometry"]["type"] == "Polygon"
         for p in f["geometry"]["coordinates"][0]]
    )[:, 0]  # fmt: skip
    assert (np.abs(longitudes) > 179.99).all()
    assert verify(tmp_path / "seam").sound
    pole = BoundingBox(89.9995, -180, 90, 180)
    build_aerial_atlas(tmp_path / "pole", open_aerial("planet:3"), encoder, **SIDES, within=pole)
    export(tmp_path / "pole", tmp_path / "pole.geojson")
    assert verify(tmp_path / "pole").sound


def test_a_planet_is_a_source(tmp_path: Path) -> None:
    source = open_aerial("planet:7", allow_network=False)
    assert (source.name, source.location, source.licence) == ("planet7", "planet:7", "CC0-1.0")
    assert source.native_metres_per_pixel == 0.5
    assert source.attribution is None
    patch = source.patch((10.0, 20.0), 48.0, 32)
    assert patch.valid.all()
    assert np.array_equal(patch.pixels, source.patch((10.0, 20.0), 48.0, 32).pixels)
    source.close()
    with pytest.raises(UsageError, match="whole Earth"):
        build_aerial_atlas(tmp_path / "atlas", source, TwoViews(), **SIDES)
    box = BoundingBox(10.0, 20.0, 10.0005, 20.0005)
    report = build_aerial_atlas(tmp_path / "atlas", source, TwoViews(), **SIDES, within=box)
    assert report.rows == report.added == len(AerialGrid(15.0, box)) > 9
    one = rows(tmp_path / "atlas")[0]
    again = patch_image(tmp_path / "atlas", one["uri"], (one["lat"], one["lon"]), 16)
    assert patch_sha256(one["uri"], again.pixels) == one["sha256"]
    with pytest.raises(UsageError, match="seed of a planet"):
        open_aerial("planet:seven")
    with pytest.raises(UsageError, match="A planet has no bands, zoom"):
        open_aerial("planet:7", bands=(1,), zoom=3)
    wide = BoundingBox(10, 20, 11, 21)
    with pytest.raises(UsageError, match="3904 m"):
        build_aerial_atlas(
            tmp_path / "wide", source, TwoViews(), patch_m=9e3, stride_m=5e3, within=wide
        )


def test_a_patch_that_cannot_be_seen_again(tmp_path: Path, ortho: Path) -> None:
    build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), TwoViews(), **SIDES)
    one = rows(tmp_path / "atlas")[0]
    place = (one["lat"], one["lon"])
    for uri in ("photo.jpg", "aerial:other#1.2", "aerial:town"):
        with pytest.raises(AtlasError, match="is no aerial patch"):
            patch_image(tmp_path / "atlas", uri, place)
    ortho.unlink()
    with pytest.raises(AerialNotFoundError, match="is gone") as raised:
        patch_image(tmp_path / "atlas", one["uri"], place)
    assert "Bring it back" in raised.value.hint


def test_names_of_patches() -> None:
    assert source_of(uri_of("a#b", "1.2")) == "a#b"
    assert source_of("walk/1.jpg") is None
    assert source_of("aerial:town#") is None


def test_what_is_refused_before_any_work(tmp_path: Path, ortho: Path) -> None:
    source, encoder, out = open_aerial(ortho), TwoViews(), tmp_path / "atlas"
    told: list[object] = []

    def build(given=source, used=encoder, **more: object) -> None:
        build_aerial_atlas(out, given, used, **{**SIDES, "progress": told.append, **more})

    ground_only = ColourGrid()
    ground_only.branches = frozenset({"ground"})
    with pytest.raises(EncoderError, match="ground photos only"):
        build(used=ground_only)
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="min_valid must be"):
            build(min_valid=share)
    with pytest.raises(UsageError, match="stride_m must be"):
        build(stride_m=0.0)
    with pytest.raises(UsageError, match="patch_m must be"):
        build(patch_m=-1.0)
    with pytest.raises(AerialOutsideError, match="larger than 'town'"):
        build(patch_m=5000.0)
    with pytest.raises(AerialOutsideError, match="lies outside 'town'"):
        build(within=BoundingBox(0, 0, 1, 1))
    with pytest.raises(AerialOutsideError, match="No point of the grid"):
        build(stride_m=100_000.0)
    south, west = next(iter(AerialGrid(15.0, source.footprint))).latlng[0]
    between = BoundingBox(south + 2e-5, west + 2e-5, south + 8e-5, west + 8e-5)
    with pytest.raises(AerialOutsideError, match="No point of the grid of 15 m lies in the region"):
        build(within=between)
    assert not out.exists()
    assert not told


def test_a_build_that_found_nothing_ties_nobody_to_its_sides(tmp_path: Path) -> None:
    """The error advises smaller patches, and they may be built in the same place."""
    mask = np.full((300, 300), 255, np.uint8)
    mask[140:160], mask[:, 140:160] = 0, 0
    source = open_aerial(utm_raster(tmp_path / "gap.tif", size=300, mask=mask))
    with pytest.raises(AtlasEmptyError, match="shows at least 90%"):
        build_aerial_atlas(tmp_path / "atlas", source, TwoViews(), patch_m=120.0, stride_m=40.0)
    other = open_aerial(utm_raster(tmp_path / "town.tif", size=300), name="gap")
    report = build_aerial_atlas(tmp_path / "atlas", other, TwoViews(), **SIDES)
    assert report.rows > 10
    card = Store.open(tmp_path / "atlas").card
    assert (card.patch_m, card.stride_m) == (30.0, 15.0)
    assert card.aerial_sources["gap"]["location"] == str(tmp_path / "town.tif")
    assert verify(tmp_path / "atlas").sound


def test_what_does_not_belong_together(tmp_path: Path, ortho: Path) -> None:
    source, encoder, out = open_aerial(ortho), TwoViews(), tmp_path / "atlas"
    build_aerial_atlas(out, source, encoder, **SIDES)
    with pytest.raises(AtlasError, match="patches of 30 m every 15 m, not of 30 m every 20 m"):
        build_aerial_atlas(out, source, encoder, patch_m=30.0, stride_m=20.0)
    with pytest.raises(FingerprintError):
        build_aerial_atlas(out, source, TwoViews(turns=2), **SIDES)
    photos = write_photos(tmp_path / "photos", 3)
    ground = TwoViews()
    ground.branches = frozenset({"ground"})
    with pytest.raises(AtlasError, match="is of aerial patches; photos cannot be added"):
        build_atlas(out, photos, ground)
    with pytest.raises(EncoderError, match="matches photos with aerial patches"):
        build_atlas(tmp_path / "photos.atlas", photos, encoder)
    assert not (tmp_path / "photos.atlas").exists()
    build_atlas(tmp_path / "photos.atlas", photos, ground)
    with pytest.raises(AtlasError, match="is of photos; aerial patches cannot be added"):
        build_aerial_atlas(tmp_path / "photos.atlas", source, encoder, **SIDES)
    with pytest.raises(AtlasError, match="no aerial patch"):
        patch_image(tmp_path / "photos.atlas", "aerial:town#1.1", (0, 0))
    empty = np.zeros((3, 400, 400), np.uint8)
    blank = open_aerial(utm_raster(tmp_path / "blank.tif", pixels=empty, nodata=0))
    with pytest.raises(AtlasEmptyError, match=r"None of \d+ patches shows at least 90%"):
        build_aerial_atlas(tmp_path / "blank.atlas", blank, encoder, **SIDES)


@pytest.mark.parametrize(
    "change", [{"kind": "maps"}, {"patch_m": None}, {"stride_m": -1}, {"patch_m": "far"}]
)
def test_a_card_that_contradicts_itself(tmp_path: Path, ortho: Path, change: dict) -> None:
    build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), TwoViews(), **SIDES)
    card = tmp_path / "atlas" / "atlas.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(AtlasDamagedError):
        Store.open(tmp_path / "atlas")


def test_an_old_card_is_of_photos(tmp_path: Path) -> None:
    build_atlas(tmp_path / "atlas", write_photos(tmp_path / "photos", 2), ColourGrid())
    path = tmp_path / "atlas" / "atlas.json"
    card = json.loads(path.read_text())
    for key in ("kind", "patch_m", "stride_m", "aerial_sources"):
        del card[key]
    path.write_text(json.dumps(card))
    atlas = Atlas.open(tmp_path / "atlas")
    assert (atlas.kind, atlas.patch_m, atlas.stride_m) == ("photos", None, None)
    assert verify(tmp_path / "atlas").sound


def test_a_wrong_outline_is_found(tmp_path: Path, ortho: Path) -> None:
    build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), TwoViews(), **SIDES)
    store = Store.open(tmp_path / "atlas")
    some = store.take(np.arange(2), store.schema.names)
    place = some.schema.get_field_index("outline")
    wrong = [[0.0] * 8, [float("nan")] * 8]
    changed = some.set_column(
        place, some.schema.field(place), pa.array(wrong, some.schema.field(place).type)
    )
    store.replace(some.column("id").to_numpy(), changed)
    report = verify(tmp_path / "atlas")
    assert len(report.faults) == 1
    assert "2 rows (by id) have an outline" in report.faults[0]


class Interrupting(TwoViews):
    def encode_prepared(self, batch, view="ground"):
        if self.encoded > 30:
            raise KeyboardInterrupt
        return super().encode_prepared(batch, view)


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path, ortho: Path) -> None:
    with pytest.raises(BuildInterrupted) as stopped:
        build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), Interrupting(), **SIDES, batch=8)
    assert stopped.value.report.rows > 20
    encoder = TwoViews()
    report = build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), encoder, **SIDES)
    assert encoder.encoded == report.added
    assert report.skipped == stopped.value.report.rows


def test_a_network_that_was_not_allowed(tmp_path: Path) -> None:
    with pytest.raises(AerialError, match="network"):
        open_aerial("https://tiles.example/{z}/{x}/{y}.png", zoom=3)


def test_builds_survive_kills(tmp_path: Path) -> None:
    """Killed again and again, nothing is lost, nothing encoded twice, and the end is the same."""
    path = utm_raster(tmp_path / "town.tif", size=400)
    folder = tmp_path / "atlas"
    committed: set[tuple[object, object]] = set()
    kills = 0
    for attempt in range(14):
        process = Forked(build_slowly, folder, path)
        assert process.says.readline() == "ready\n"
        # Some commits, and then into the middle of the next.
        for _ in range(3 if attempt < 5 else 10_000):
            if not process.says.readline():
                break
        time.sleep(0.003 * attempt)
        _, killed = process.kill()
        kills += killed
        assert verify(folder).sound
        now = set(by_uri(folder))
        assert now >= committed
        committed = now
        if not killed:
            break
    assert kills >= 3
    source, encoder = open_aerial(path), TwoViews(turns=2)
    report = build_aerial_atlas(folder, source, encoder, **SIDES)
    assert report.added == 0
    build_aerial_atlas(tmp_path / "fresh", source, encoder, **SIDES)
    assert set(by_uri(folder)) == set(by_uri(tmp_path / "fresh"))


def test_a_row_that_could_not_be_named_is_refused(ortho: Path, tmp_path: Path) -> None:
    build_aerial_atlas(tmp_path / "atlas", open_aerial(ortho), TwoViews(), **SIDES)
    catalogue = Catalogue(Store.open(tmp_path / "atlas"))
    intake = AerialIntake(
        open_aerial(ortho), TwoViews(), catalogue, patch_m=30.0, size_px=16, min_valid=0.9
    )
    problem = RecordProblem("x", 1, TableError("no name", hint="give one"))
    refused = intake(problem)
    assert isinstance(refused, Refused)
    assert refused.uri == "x"
