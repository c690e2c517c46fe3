"""Data sets of the planet: every layout reads back, and nothing depends on how they were made."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets import layouts
from sightline.datasets.planet import PlanetSettings, make
from sightline.datasets.reading.shard_index import index_shard
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import OutputError, UsageError
from sightline.geo.distance import great_circle_m
from sightline.imagery import open_photo
from sightline.planet import RENDER_VERSION, WORLD_VERSION

SMALL = {"width": 64, "height": 16, "tile_px": 32, "metres_per_pixel": 2.0}


def settings(kind: str = "pairs", count: int = 4, **changes: object) -> PlanetSettings:
    return PlanetSettings(kind, count, **{**SMALL, **changes})  # type: ignore[arg-type]


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(
    folder: Path, layout: str | None = None
) -> tuple[list[Photo], list[AerialPatch], list[Pair]]:
    found = layouts.read(folder, layout)
    rows = [list(stream()) for stream in (found.photos, found.patches, found.pairs)]
    assert isinstance(rows[0][0], Photo)
    return rows[0], rows[1], rows[2]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planet") / "folders"
    report = make(settings(count=6), root)
    assert (report.samples, report.written, report.kept) == (6, 12, 0)
    return root


def test_folders(folders: Path) -> None:
    photos, patches, pairs = read(folders)
    assert (len(photos), len(patches), len(pairs)) == (6, 6, 6)
    for photo, patch, pair in zip(photos, patches, pairs, strict=True):
        assert (pair.photo_id, pair.patch_id) == (photo.id, patch.id)
        assert (photo.lat, photo.lon) == (patch.lat, patch.lon)
        assert (photo.projection, photo.heading_degrees) == ("equirectangular", 0.0)
        assert photo.split == patch.split == pair.split == "train"
        assert open_photo(folders / photo.uri).pixels.shape[1::-1] == (64, 16)
        assert open_photo(folders / patch.uri).pixels.shape[1::-1] == (32, 32)
        assert photo.captured_at
        assert photo.locatable
    document = json.loads((folders / "planet.json").read_text())
    assert (document["world_version"], document["render_version"]) == (
        WORLD_VERSION,
        RENDER_VERSION,
    )
    assert document["count"] == 6


def test_processes_give_the_same_bytes(folders: Path, tmp_path: Path) -> None:
    make(settings(count=6), tmp_path / "two", workers=2)
    assert hashes(tmp_path / "two") == hashes(folders)


def test_a_run_goes_on_where_one_was_stopped(folders: Path, tmp_path: Path) -> None:
    make(settings(count=3), tmp_path)
    next((tmp_path / "aerial").iterdir()).write_bytes(b"cut off")
    seen: list[tuple[int, int]] = []
    report = make(settings(count=6), tmp_path, progress=lambda *done: seen.append(done))
    assert (report.written, report.kept) == (7, 5)
    assert report.to_json() == {"samples": 6, "written": 7, "kept": 5}
    assert hashes(tmp_path) == hashes(folders)
    assert seen == [(4, 6), (6, 6)]


def test_a_disk_that_refuses_stops_all_processes(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders, tmp_path / "made")
    shutil.rmtree(tmp_path / "made" / "aerial")
    (tmp_path / "made" / "aerial").write_text("a file where a folder is needed")
    with pytest.raises(OutputError, match="Cannot write"):
        make(settings(count=40), tmp_path / "made", workers=2)
    photos = list((tmp_path / "made" / "photos").iterdir())
    assert len(photos) < 40, "what had not begun was not begun"


def test_another_data_set_is_not_mixed_in(folders: Path) -> None:
    with pytest.raises(OutputError, match=r"begun with collection = 0.* shall be 1"):
        make(settings(count=6, collection=1), folders)


@pytest.mark.parametrize("layout", ["cvusa", "cvact", "vigor"])
def test_panorama_layouts_read_back(layout: str, tmp_path: Path) -> None:
    make(settings(count=12, layout=layout), tmp_path)
    photos, patches, pairs = read(tmp_path)
    assert len(photos) == 12
    assert len(patches) >= 12
    assert len(pairs) == 12 * (4 if layout == "vigor" else 1)
    assert {photo.split for photo in photos} >= {"train"}
    assert all((tmp_path / row.uri).is_file() for row in [*photos, *patches])


def test_vigor_tiles_lie_as_vigor_wants(tmp_path: Path) -> None:
    make(settings(count=8, layout="vigor"), tmp_path)
    photos, patches, pairs = read(tmp_path)
    where = {row.id: (row.lat, row.lon) for row in [*photos, *patches]}
    for pair in pairs:
        away = great_circle_m(np.array([where[pair.photo_id]]), np.array([where[pair.patch_id]]))[0]
        # Tiles of 64 m: the middle quarter reaches 16 m, a semi-positive 48 m each way.
        assert away < (16 if pair.relation == "positive" else 48) * 2**0.5 + 0.5


def test_university(tmp_path: Path) -> None:
    wanted = settings(count=4, layout="university1652", width=32, height=32)
    make(wanted, tmp_path)
    photos, patches, _ = read(tmp_path)
    assert len(patches) == 4
    views = [photo.labels["view"] for photo in photos]
    assert views.count("drone") == 4 * 9
    assert views.count("street") >= 4


@pytest.mark.parametrize("layout", ["folders", "im2gps"])
def test_photos(layout: str, tmp_path: Path) -> None:
    make(settings("photos", 32, layout=layout, width=24, height=24), tmp_path)
    photos, patches, _ = read(tmp_path, None if layout == "folders" else layout)
    assert (len(photos), len(patches)) == (32, 0)
    if layout == "folders":
        silent = [photo for photo in photos if not photo.locatable]
        assert silent
        assert all(photo.labels["subject"] for photo in silent)
        assert all(photo.heading_degrees is None for photo in silent)
        assert len({photo.photographer for photo in photos}) < 32


def test_shards_hold_pictures_and_rows(tmp_path: Path) -> None:
    make(settings(count=3, layout="shards"), tmp_path / "a")
    index = index_shard(tmp_path / "a" / "planet-000000.tar")
    assert index.keys == ("0-0-0000000", "0-0-0000001", "0-0-0000002")
    kinds = [member.kind for member in index.members[0]]
    assert kinds == ["photo.jpg", "aerial.jpg", "json"]
    member = index.members[0][2]
    data = (tmp_path / "a" / "planet-000000.tar").read_bytes()
    rows = json.loads(data[member.offset : member.offset + member.size])
    assert rows["pair"]["photo_id"] == rows["photo"]["id"]
    assert rows["aerial"]["metres_per_pixel"] == 2.0
    before = hashes(tmp_path / "a")
    report = make(settings(count=3, layout="shards"), tmp_path / "a")
    assert (report.written, report.kept) == (0, 1)
    assert hashes(tmp_path / "a") == before
    assert make(settings(count=4, layout="shards"), tmp_path / "a").written == 1


@pytest.mark.parametrize("lost", [1, 512, 3000, 10240, 10**9])
def test_a_shard_that_was_cut_off_is_written_again(tmp_path: Path, lost: int) -> None:
    wanted = settings(count=2, layout="shards")
    make(wanted, tmp_path)
    before, shard = hashes(tmp_path), tmp_path / "planet-000000.tar"
    with shard.open("r+b") as stream:
        stream.truncate(max(0, shard.stat().st_size - lost))
    report = make(wanted, tmp_path)
    assert (report.written, report.kept) == (1, 0)
    assert hashes(tmp_path) == before


def test_distractors_and_hidden_headings(tmp_path: Path) -> None:
    wanted = settings(count=12, layout="folders", difficulty=("large-gallery", "unknown-panorama"))
    make(wanted, tmp_path)
    photos, patches, pairs = read(tmp_path)
    assert len(pairs) == 12
    assert len(patches) == 12 + 4 * 10  # one of the three areas is for tests
    assert all(photo.heading_degrees is None for photo in photos)
    assert all(0 <= photo.labels["hidden_heading_degrees"] < 360 for photo in photos)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "tiles"}, "kind must be one of pairs, photos"),
        ({"layout": "im2gps"}, "layout of pairs must be one of folders"),
        ({"kind": "photos", "layout": "vigor"}, "layout of photos must be one of folders"),
        ({"count": 0}, "count must be positive"),
        ({"tile_px": -1}, "tile_px must be positive"),
        ({"kind": "photos", "difficulty": ("offset",)}, "belongs to pairs"),
        ({"difficulty": ("odd",)}, "difficulty must be one of"),
        ({"layout": "cvact", "difficulty": ("narrow",)}, "holds panoramas"),
        ({"layout": "cvusa", "difficulty": ("large-gallery",)}, "no place for tiles"),
        ({"layout": "vigor", "difficulty": ("offset",)}, "offsets of its own"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        settings(**changes)  # type: ignore[arg-type]


def test_workers_must_be_some(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="workers must be at least 1"):
        make(settings(), tmp_path, workers=0)


def test_default_sizes() -> None:
    def size(kind: str = "pairs", **changes: object) -> tuple[int, int]:
        return PlanetSettings(kind, 1, **changes).sizes.photo  # type: ignore[arg-type]

    assert size() == (512, 128)
    assert size(difficulty=("known-heading",)) == (224, 224)
    assert size(layout="university1652") == (224, 224)
    assert size("photos") == (224, 224)
    assert size(width=300) == (300, 128)
