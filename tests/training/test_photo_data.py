"""Photos of a manifest, and what of them cannot be trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.planet import SETTINGS_FILE
from sightline.datasets.rows import Photo
from sightline.errors import SplitLeakError, TrainingDataError
from sightline.training.cells.run import read_apart
from sightline.training.loops.watching import Silent
from sightline.training.photos.photo_data import read_photos
from sightline.training.sources import open_data

from .conftest import Listener
from .photo_sets import altered, manifest_of, rows_of_photos, tiny_global


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def rows(root: Path) -> list[Photo]:
    return rows_of_photos(root)


def test_splits_are_those_of_the_manifest(root: Path, rows: list[Photo]) -> None:
    data = read_photos(manifest_of(root, rows), tiny_global())
    assert {part: len(own) for part, own in data.splits.items()} == {
        "train": 64,
        "validation": 16,
        "test": 16,
    }
    assert all(rows[row].split == "train" for row in data.train.tolist())
    assert data.places("test").shape == (16, 2)
    np.testing.assert_allclose(data.proportions, 44 / 36)
    assert data.file_of(0) == repr(str(data.photos.paths[0]))
    fewer = data.without(np.array([0, 63]))
    assert fewer.train.tolist() == data.train[1:-1].tolist()
    assert data.without(np.array([], int)) is data


def test_without_a_validation_split_whole_photographers_are_held_out(
    root: Path, rows: list[Photo]
) -> None:
    manifest = manifest_of(root, rows)
    recipe = tiny_global(validation_split="", validation_share=0.3, test_split="")
    data = read_photos(manifest, recipe)
    people = [{data.photographers[row] for row in rows.tolist()} for rows in data.splits.values()]
    assert not people[0] & people[1]
    assert len(data.train) + len(data.splits["validation"]) == 64
    backwards = read_photos(manifest_of(root, rows[::-1], "backwards"), recipe)
    ids = [{one.photos.ids[row] for row in one.train.tolist()} for one in (data, backwards)]
    assert ids[0] == ids[1]
    with pytest.raises(TrainingDataError, match=r"validation_share = 0.001 .* leaves none for val"):
        read_photos(manifest, recipe.changed(validation_share=0.001))
    nobody = [replace(row, photographer=None) for row in rows]
    alone = read_photos(manifest_of(root, nobody, "nobody"), recipe)
    assert 5 < len(alone.splits["validation"]) < 40


def test_a_part_of_the_training_photos_is_part_of_a_larger_one(
    root: Path, rows: list[Photo]
) -> None:
    manifest = manifest_of(root, rows)
    small, large = (
        set(read_photos(manifest, tiny_global(train_share=share)).train.tolist())
        for share in (0.25, 0.5)
    )
    assert (len(small), len(large)) == (16, 32)
    assert small < large


def test_a_split_that_is_not_there_is_named_beside_those_that_are(
    root: Path, rows: list[Photo]
) -> None:
    with pytest.raises(TrainingDataError, match=r"'dev'\. The manifest's splits: test, train, val"):
        read_photos(manifest_of(root, rows), tiny_global(validation_split="dev"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_photos_without_coordinates_are_refused(root: Path, rows: list[Photo], split: str) -> None:
    part = {"val": "validation"}.get(split, split)
    without = altered(rows, split, 3, lat=None, lon=None)
    with pytest.raises(TrainingDataError, match=f"3 of .* photos of {part} have no coord") as error:
        read_photos(manifest_of(root, without, "without"), tiny_global())
    assert "leave the others out" in error.value.hint


def test_photographers_of_the_test_are_refused_or_removed(
    root: Path, rows: list[Photo], listener: Listener
) -> None:
    asked = next(row.photographer for row in rows if row.split == "test")
    shared = manifest_of(root, altered(rows, "train", 10, photographer=asked), "shared")
    with pytest.raises(TrainingDataError, match="10 of 64 training photos are by photog") as error:
        read_photos(shared, tiny_global())
    assert "shared_users=remove" in error.value.hint
    recipe = tiny_global(shared_users="remove")
    data = read_photos(shared, recipe)
    assert (data.removed, len(data.train)) == (10, 54)
    assert asked not in {data.photographers[row] for row in data.train.tolist()}
    assert len(read_photos(shared, tiny_global(shared_users="allow")).train) == 64
    read_apart(recipe, shared.path, root, listener)
    assert any("10 training photos are left out: their photog" in x for x in listener.notes)


def test_photos_without_a_photographer_are_counted(tmp_path: Path, listener: Listener) -> None:
    rows = altered(rows_of_photos(tmp_path), "train", 3, photographer=None)
    rows = altered(rows, "test", 2, photographer="")
    path = manifest_of(tmp_path, rows).path
    read_apart(tiny_global(), path, tmp_path, listener)
    said = "5 of 96 photos name no photographer"
    assert [said in note for note in listener.notes] == [True]
    listener.notes.clear()
    read_apart(tiny_global(shared_users="allow"), path, tmp_path, listener)
    assert listener.notes == []


def test_a_training_set_of_test_photographers_alone_is_refused(
    root: Path, rows: list[Photo]
) -> None:
    asked = next(row.photographer for row in rows if row.split == "val")
    shared = manifest_of(root, altered(rows, "train", photographer=asked), "all")
    for rule in ("refuse", "remove"):
        with pytest.raises(TrainingDataError, match="64 of 64 training photos are by") as error:
            read_photos(shared, tiny_global(shared_users=rule))
    assert "none is left to train on" in error.value.message


def test_photos_that_show_no_place_are_left_out_of_training_alone(
    root: Path, rows: list[Photo], listener: Listener
) -> None:
    dark = altered(altered(rows, "train", 20, locatable=False), "test", locatable=False)
    manifest = manifest_of(root, dark, "dark")
    recipe = tiny_global(locatable_only=True)
    data = read_photos(manifest, recipe)
    assert (data.unlocatable, len(data.train), len(data.splits["test"])) == (20, 44, 16)
    read_apart(recipe, manifest.path, root, listener)
    assert "20 training photos are left out: they show no place." in listener.notes
    none = manifest_of(root, altered(rows, "train", locatable=False), "none")
    with pytest.raises(TrainingDataError, match="locatable_only = true"):
        read_photos(none, recipe)


def test_one_content_in_two_splits_is_a_leak(root: Path, rows: list[Photo]) -> None:
    uri = next(row.uri for row in rows if row.split == "test")
    twice = manifest_of(root, altered(rows, "train", 1, uri=uri), "twice")
    with pytest.raises(SplitLeakError, match="photos have the content of photos of another"):
        read_apart(tiny_global(), twice.path, root, Silent())
    read_apart(tiny_global(leak_check="off"), twice.path, root, Silent())
    near = tiny_global(leak_radius_m=300_000.0)
    with pytest.raises(SplitLeakError, match="photos lie within 300000 m of photos"):
        read_apart(near, manifest_of(root, rows).path, root, Silent())


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="There is no data at 'none'") as error:
        open_data(tiny_global(), None, tmp_path, Silent())
    assert "planet:photos" in error.value.hint


def test_photos_of_the_planet_are_made_once_and_split_by_photographer(
    tmp_path: Path, listener: Listener
) -> None:
    recipe = tiny_global(data="planet:photos", planet_photos=40, planet_px=16)
    manifest = open_data(recipe, tmp_path / "planet", tmp_path, listener)
    assert listener.prepared == {"making photos of the planet": 40}
    data = read_photos(manifest, recipe)
    assert sum(map(len, data.splits.values())) == 40
    assert all(path.is_file() for path in data.photos.paths)
    again = open_data(recipe, tmp_path / "planet", tmp_path, Silent())
    assert again.fingerprint == manifest.fingerprint
    # What a folder was made of cannot be read: it is looked through again, and is the same.
    (tmp_path / "planet" / SETTINGS_FILE).write_text("{")
    third = open_data(recipe, tmp_path / "planet", tmp_path, Silent())
    assert third.fingerprint == manifest.fingerprint
