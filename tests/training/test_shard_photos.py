"""Photos in WebDataset shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.datasets.reading.shards import ShardWriter
from sightline.errors import PhotoNotFoundError, PhotoUnreadableError, TrainingDataError
from sightline.models.photo_preprocessing import PhotoPreprocessing
from sightline.training import train
from sightline.training.data.pixels import DecodedEachTime
from sightline.training.loops.watching import Silent
from sightline.training.photos.photo_data import read_photos
from sightline.training.photos.pixels import reading
from sightline.training.photos.shards import lies_in_shards, source_of
from sightline.training.sources import open_data

from .conftest import Listener
from .photo_sets import rows_of_photos, tiny_global


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos as files, and the same in five shards, in ``shards``."""
    root = tmp_path_factory.mktemp("sharded")
    rows = rows_of_photos(root)
    with ShardWriter(root / "shards", samples_per_shard=20) as writer:
        for number, row in enumerate(rows):
            known = {
                "lat": row.lat,
                "lon": row.lon,
                "photographer": row.photographer,
                "split": row.split,
                "title": "not looked at",
            }
            document = {"photo": known} if number % 2 else known
            key = row.uri.removesuffix(".png")
            writer.write(key, {"png": (root / row.uri).read_bytes(), "json": document})
    return root


def test_photos_of_shards_are_those_that_were_written(files: Path, tmp_path: Path) -> None:
    assert lies_in_shards(files / "shards")
    assert not lies_in_shards(files)
    manifest = open_data(tiny_global(), files / "shards", tmp_path, Silent())
    assert manifest.n_photos == 96
    data = read_photos(manifest, tiny_global())
    assert {part: len(rows) for part, rows in data.splits.items()} == {
        "train": 64,
        "validation": 16,
        "test": 16,
    }
    np.testing.assert_allclose(data.proportions, 44 / 36)
    assert all(data.photos.sha256)
    read = reading(PhotoPreprocessing())
    sharded = DecodedEachTime(data.photos.paths, (32, 32), read)
    plain = DecodedEachTime([files / f"photo-{n:03d}.png" for n in range(96)], (32, 32), read)
    pixels, broken = sharded.take(np.array([0, 41, 95]))
    assert not broken.any()
    np.testing.assert_array_equal(pixels, plain.take(np.array([0, 41, 95]))[0])
    again = open_data(tiny_global(), files / "shards", tmp_path, Silent())
    assert again.fingerprint == manifest.fingerprint


def test_a_run_on_shards_is_that_on_files_with_workers_too(files: Path, tmp_path: Path) -> None:
    recipe = tiny_global(pixels="read", workers=1, epochs=1)
    about = train(recipe, tmp_path / "run", data=files / "shards", device="cpu")
    assert about["status"] == "finished"
    assert about["data"]["train"] == 64
    torch.set_num_threads(1)
    alone = train(
        recipe.changed(workers=0), tmp_path / "alone", data=files / "shards", device="cpu"
    )
    assert alone["test"] == about["test"]


def test_samples_that_cannot_be_used_are_counted(tmp_path: Path, listener: Listener) -> None:
    rows = rows_of_photos(tmp_path, 24)
    with ShardWriter(tmp_path / "shards") as writer:
        for number, row in enumerate(rows):
            picture = (tmp_path / row.uri).read_bytes()
            known = {"lat": row.lat, "lon": row.lon, "split": row.split}
            samples = {
                0: {"png": picture},
                1: {"json": known},
                2: {"png": picture, "json": b"{"},
                3: {"png": picture, "json": [3]},
                4: {"png": b"no image", "json": known},
                5: {"png": picture, "json": {**known, "lat": 99.0}},
            }
            writer.write(str(number), samples.get(number, {"png": picture, "json": known}))
    recipe = tiny_global(bad_images=0.5)
    manifest = open_data(recipe, tmp_path / "shards", tmp_path, listener)
    assert manifest.n_photos == 18
    assert any("6 of 24 rows" in note for note in listener.notes)
    with pytest.raises(TrainingDataError, match="6 of 24 rows") as error:
        open_data(tiny_global(), tmp_path / "shards", tmp_path / "other", Silent())
    assert "has no json" in error.value.message


def test_a_shard_that_is_none_is_counted(files: Path, tmp_path: Path, listener: Listener) -> None:
    shards = tmp_path / "shards"
    shutil.copytree(files / "shards", shards)
    last = max(shards.glob("*.tar"))
    last.write_bytes(b"no archive" * 100)
    assert lies_in_shards(last)
    with pytest.raises(TrainingDataError, match=last.name):
        open_data(tiny_global(), shards, tmp_path / "strict", Silent())
    manifest = open_data(tiny_global(bad_images=0.5), shards, tmp_path / "lax", listener)
    assert 0 < manifest.n_photos < 96
    assert any(last.name in note or "1 of" in note for note in listener.notes)


def test_a_shard_that_is_gone_or_cut_off_is_told(files: Path, tmp_path: Path) -> None:
    manifest = open_data(tiny_global(), files / "shards", tmp_path, Silent())
    path = read_photos(manifest, tiny_global()).photos.paths[0]
    source = source_of(path)
    assert not isinstance(source, Path)
    assert source.read() == (files / "photo-000.png").read_bytes()
    gone = tmp_path / "gone.tar" / path.parent.name / path.name
    with pytest.raises(PhotoNotFoundError, match="There is no shard"):
        source_of(gone)
    (tmp_path / "gone.tar").write_bytes(b"short")
    with pytest.raises(PhotoUnreadableError, match="ends after"):
        source_of(gone)
    assert source_of(files / "photo-000.png") == files / "photo-000.png"
    assert json.loads((files / "shards" / "shards.json").read_text())["samples"] == 96
