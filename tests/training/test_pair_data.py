from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.datasets import (
    AerialPatch,
    Dataset,
    Manifest,
    Pair,
    Photo,
    write_manifest,
)
from sightline.errors import SplitLeakError, TrainingDataError
from sightline.training.cross_view.pair_data import PairData, places_of_patches, read_pairs
from sightline.training.leaks import refuse_leaks, unhashed
from sightline.training.loops.watching import Silent
from sightline.training.sources import open_data

from .conftest import Listener
from .recipes import tiny

Change = Callable[[list[Photo], list[AerialPatch], list[Pair]], None]


def manifest(folder: Path, change: Change | None = None, count: int = 30) -> Manifest:
    """Photos at whole-number places; two thirds train, the others val and test in turn."""
    photos, patches, pairs = [], [], []
    for n in range(count):
        split = ("train", "train", ("val", "test")[n // 3 % 2])[n % 3]
        panorama: dict[str, Any] = {
            "projection": "equirectangular",
            "fov_degrees": 360.0,
        }
        sha = f"{n:064x}"
        photos.append(
            Photo(
                f"p{n}",
                f"p{n}.jpg",
                10.0,
                n / 100,
                0.0,
                sha256=sha,
                split=split,
                **panorama,
            )
        )
        patches.append(
            AerialPatch(
                f"a{n}",
                f"a{n}.jpg",
                10.0,
                n / 100,
                0.5,
                200,
                sha256="a" + sha[1:],
                split=split,
            )
        )
        pairs.append(Pair(f"{n}", f"p{n}", f"a{n}", split=split if n % 2 else None))
    if change is not None:
        change(photos, patches, pairs)
    dataset = Dataset(
        "made",
        "1",
        folder,
        lambda: iter(photos),
        lambda: iter(patches),
        lambda: iter(pairs),
    )
    write_manifest(folder, dataset)
    return Manifest.open(folder)


def test_splits_are_numbers_of_images(tmp_path: Path) -> None:
    def change(photos: list[Photo], patches: list[AerialPatch], pairs: list[Pair]) -> None:
        patches.append(AerialPatch("alone", "alone.jpg", split="test"))
        pairs.append(Pair("half", "p5", "a2", relation="semi-positive", split="test"))

    data = read_pairs(manifest(tmp_path, change), tiny())
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 20,
        "test": 5,
        "validation": 5,
    }
    test = data.splits["test"]
    assert [data.photos.ids[row] for row in test.pairs[:, 0]] == [
        "p5",
        "p11",
        "p17",
        "p23",
        "p29",
    ]
    assert [data.patches.ids[row] for row in test.gallery] == [
        "a2",
        "a5",
        "a11",
        "a17",
        "a23",
        "a29",
        "alone",
    ]
    assert [data.photos.ids[p] + data.patches.ids[a] for p, a in test.semi] == ["p5a2"]
    assert data.patch_m == 100.0
    assert data.photos.paths[5] == tmp_path / "p5.jpg"
    assert np.isnan(data.patches.latlon[-1]).all()
    assert data.photos.latlon[5].tolist() == [10.0, 0.05]


def test_validation_is_held_out_by_whole_patches(tmp_path: Path) -> None:
    def change(photos: list[Photo], patches: list[AerialPatch], pairs: list[Pair]) -> None:
        pairs[:] = [
            replace(pair, split=None, patch_id=f"a{int(pair.id) // 3 * 3}") for pair in pairs
        ]
        photos[:] = [replace(photo, split="train") for photo in photos]

    recipe = tiny(validation_split="", test_split="", validation_share=0.3)
    data = read_pairs(manifest(tmp_path, change, 90), recipe)
    assert set(data.splits) == {"train", "validation"}
    train, held = data.splits["train"], data.splits["validation"]
    assert len(train) + len(held) == 90
    assert 9 < len(held) < 45
    assert not set(train.pairs[:, 1]) & set(held.pairs[:, 1])
    assert set(held.gallery) >= set(held.pairs[:, 1])
    assert not set(train.gallery) & set(held.gallery)
    again = read_pairs(Manifest.open(tmp_path), recipe)
    assert np.array_equal(again.splits["validation"].pairs, held.pairs)
    with pytest.raises(TrainingDataError, match="leaves none for validation"):
        read_pairs(
            Manifest.open(tmp_path),
            tiny(validation_split="", test_split="", validation_share=1e-9),
        )


def test_an_image_that_comes_twice_is_not_held_out_from_itself(tmp_path: Path) -> None:
    """Photo 6k + 1 has the content of photo 6k, and patch 6k + 3 that of patch 6k + 1."""

    def change(photos: list[Photo], patches: list[AerialPatch], pairs: list[Pair]) -> None:
        pairs[:] = [replace(pair, split="train") for pair in pairs]
        for n in range(0, len(photos) - 3, 6):
            photos[n + 1] = replace(photos[n + 1], sha256=photos[n].sha256)
            patches[n + 3] = replace(patches[n + 3], sha256=patches[n + 1].sha256)

    made = manifest(tmp_path, change, 90)
    for seed in range(5):
        recipe = tiny(validation_split="", test_split="", validation_share=0.4, seed=seed)
        data = read_pairs(made, recipe)
        assert len(data.splits["validation"])
        refuse_leaks(data, recipe)


def test_places_are_those_of_a_slow_search() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        pairs = rng.integers(0, [6, 8], (7, 2))
        twins = rng.integers(0, 8, (2, 2))
        place = list(range(8))
        for _ in range(8):  # long enough to reach everyone
            for a, b in [
                *((p[1], q[1]) for p in pairs for q in pairs if p[0] == q[0]),
                *map(tuple, twins),
            ]:
                place[a] = place[b] = min(place[a], place[b])
        assert places_of_patches(pairs, 8, twins).tolist() == place


def test_a_share_of_training_is_part_of_a_larger_one(tmp_path: Path) -> None:
    made = manifest(tmp_path, count=90)
    rows = {
        share: set(read_pairs(made, tiny(train_share=share)).train.pairs[:, 0].tolist())
        for share in (0.2, 0.5, 1.0)
    }
    assert [len(rows[share]) for share in (0.2, 0.5, 1.0)] == [12, 30, 60]
    assert rows[0.2] < rows[0.5] < rows[1.0]


def test_a_split_without_pairs_names_those_there_are(tmp_path: Path) -> None:
    made = manifest(tmp_path)
    with pytest.raises(TrainingDataError, match=r"split 'dev'.*splits: test, train, val") as error:
        read_pairs(made, tiny(validation_split="dev"))
    assert "validation_split" in error.value.hint
    with pytest.raises(TrainingDataError) as error:
        read_pairs(made, tiny(train_split="dev"))
    assert "the one to train on" in error.value.hint


def test_photos_of_another_kind_are_refused(tmp_path: Path) -> None:
    made = manifest(tmp_path)
    with pytest.raises(TrainingDataError, match="does not fit the photos: 'p0' is equirectangular"):
        read_pairs(made, tiny(ground="perspective:90"))

    def flat(photos: list[Photo], *_: Any) -> None:
        photos[:] = [replace(p, projection="perspective", fov_degrees=70.0) for p in photos]

    other = manifest(tmp_path / "flat", flat)
    assert len(read_pairs(other, tiny(ground="perspective:70")).train) == 20
    with pytest.raises(TrainingDataError, match="perspective of 70 degrees"):
        read_pairs(other, tiny(ground="perspective:90"))

    def unsaid(photos: list[Photo], *_: Any) -> None:
        photos[:] = [replace(p, fov_degrees=None) for p in photos]

    with pytest.raises(TrainingDataError, match="'p0' is equirectangular"):
        read_pairs(manifest(tmp_path / "unsaid", unsaid), tiny(ground="perspective:90"))


@pytest.mark.parametrize(
    ("heading", "part", "view"),
    [
        ("known", "test", {"architecture": "frgeo", "ground": "crop:90"}),
        ("unknown", "train", {"architecture": "frgeo", "ground": "crop:90"}),
        ("unknown", "train", {"architecture": "frgeo", "ground": "panorama"}),
        ("aligned", "test", {"ground": "panorama"}),
        ("aligned", "train", {"ground": "crop:90"}),
    ],
)
def test_headings_that_are_needed_must_be_there(
    tmp_path: Path, heading: str, part: str, view: dict[str, str]
) -> None:
    def hide(photos: list[Photo], *_: Any) -> None:
        photos[:] = [replace(p, heading_degrees=None) if p.split == part else p for p in photos]

    made = manifest(tmp_path, hide)
    recipe = tiny(heading=heading, ground_size=(32, 64), **view)
    with pytest.raises(TrainingDataError, match=f"photos of {part} have no heading"):
        read_pairs(made, recipe)
    read_pairs(made, tiny(heading="unknown"))


def refused(folder: Path, change: Change, **settings: Any) -> SplitLeakError:
    made = manifest(folder, change)
    recipe = tiny(**settings)
    with pytest.raises(SplitLeakError) as error:
        refuse_leaks(read_pairs(made, recipe), recipe)
    refuse_leaks(read_pairs(made, tiny(leak_check="off")), tiny(leak_check="off"))
    return error.value


def test_what_crosses_the_splits_is_refused(tmp_path: Path) -> None:
    clean = manifest(tmp_path / "clean")
    assert unhashed(read_pairs(clean, tiny())) is None
    refuse_leaks(read_pairs(clean, tiny(leak_radius_m=500.0)), tiny(leak_radius_m=500.0))

    def same_photo(photos: Any, patches: Any, pairs: list[Pair]) -> None:
        pairs[2] = replace(pairs[2], photo_id="p0", split="val")

    error = refused(tmp_path / "a", same_photo)
    assert "2 photos are also photos of another split, such as 'p0' (train)" in error.message

    def same_content(photos: list[Photo], *_: Any) -> None:
        photos[5] = replace(photos[5], sha256=photos[0].sha256)

    error = refused(tmp_path / "b", same_content)
    assert "have the content of photos of another split, such as 'p0' (train) and 'p5' (test)" in (
        error.message
    )

    def same_patch(photos: Any, patches: list[AerialPatch], pairs: Any) -> None:
        patches[5] = replace(patches[5], sha256=patches[0].sha256)

    assert "2 patches have the content" in refused(tmp_path / "c", same_patch).message
    shared = manifest(tmp_path / "d", same_patch)
    refuse_leaks(read_pairs(shared, tiny(leak_check="photos")), tiny(leak_check="photos"))

    error = refused(tmp_path / "e", lambda *_: None, leak_radius_m=1200.0)
    assert "photos lie within 1200 m of photos of another split" in error.message
    assert error.code == "training.leak"


def test_contents_that_cannot_be_compared_are_said(tmp_path: Path) -> None:
    def forget(photos: list[Photo], *_: Any) -> None:
        photos[:] = [replace(p, sha256=None) if p.split == "test" else p for p in photos]

    said = unhashed(read_pairs(manifest(tmp_path, forget), tiny()))
    assert said is not None
    assert said.startswith("5 of 60 images have no hash")


def test_the_planet_is_made_once_and_its_splits_are_clean(
    planet_pairs: Path, pair_data: PairData, listener: Listener
) -> None:
    assert {name: len(split) for name, split in pair_data.splits.items()} == {
        "train": 56,
        "validation": 8,
        "test": 16,
    }
    assert pair_data.patch_m == 48.0
    refuse_leaks(pair_data, tiny(leak_radius_m=20.0))
    before = (planet_pairs / "manifest" / "pairs.parquet").stat().st_mtime_ns
    open_data(tiny(), planet_pairs, planet_pairs, listener)
    assert listener.prepared == {"making pairs of the planet": 80}
    assert (planet_pairs / "manifest" / "pairs.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ground": "perspective:90"}, "whose photos are panorama"),
        ({"ground": "panorama", "data": "planet:known-heading"}, "are perspective:90"),
        ({"ground": "perspective:90", "data": "planet:narrow"}, "are perspective:70"),
        ({"data": "planet:unknown-panorama"}, "have none"),
        (
            {"data": "planet:unknown-panorama", "architecture": "frgeo", "heading": "unknown"},
            "have none",
        ),
    ],
)
def test_planets_that_do_not_fit_are_refused_before_they_are_made(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        open_data(tiny(**changes), tmp_path / "planet", tmp_path, Silent())
    assert not list(tmp_path.iterdir())


def test_data_are_a_manifest_or_a_folder_that_is_read(
    planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    direct = open_data(tiny(data="none"), planet_pairs / "manifest", tmp_path, listener)
    assert direct.n_pairs == 80
    recipe = tiny(data=str(planet_pairs))
    read = open_data(recipe, None, tmp_path, listener)
    assert read.n_pairs == 80
    assert (tmp_path / "manifest" / "pairs.parquet").is_file()
    assert listener.notes == [f"Reading the lists of {planet_pairs}."]
    again = open_data(recipe, None, tmp_path, listener)
    assert again.fingerprint == read.fingerprint
    assert len(listener.notes) == 1
    assert again.resolve("x") == planet_pairs / "x"
    with pytest.raises(TrainingDataError, match="no data at"):
        open_data(tiny(data=str(tmp_path / "gone")), None, tmp_path, Silent())


def test_rows_that_cannot_be_used_are_said(
    planet_pairs: Path, tmp_path: Path, listener: Listener
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(planet_pairs, copy, ignore=shutil.ignore_patterns("manifest"))
    photo = next((copy / "photos").iterdir())
    photo.unlink()
    found = open_data(tiny(data=str(copy), bad_images=0.01), None, tmp_path / "a", listener)
    assert listener.notes[-1].startswith(f"2 of 240 rows of {str(copy)!r} cannot be used and are")
    assert found.n_pairs == 79
    with pytest.raises(TrainingDataError, match=r"2 of 240 rows .* bad_images = 0.001") as error:
        open_data(tiny(data=str(copy)), None, tmp_path / "b", listener)
    assert photo.name in error.value.message
    assert not (tmp_path / "b" / "manifest").exists()
