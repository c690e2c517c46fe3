"""Stored vectors: a real file, mapped, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import feather

from sightline.errors import TrainingDataError
from sightline.geo.partition import uniform_s2
from sightline.training.cross_view.pair_data import Images
from sightline.training.photos.features import (
    Features,
    MappedVectors,
    VectorBatch,
    read_features,
    told_by,
    write_features,
)
from sightline.training.photos.photo_data import PhotoData

SIZES, DIMENSION = (3, 3, 1), 5
TOLD = {"schema": "a", "network": "b"}


def photos(order: list[int], ids: list[str]) -> PhotoData:
    """Seven photos, of which the last two test; the order is that of the file."""
    count = len(ids)
    places = np.column_stack([np.linspace(-60, 60, count), np.linspace(-170, 170, count)])
    unknown = [None] * count
    images = Images(ids, [Path(name) for name in ids], places, np.full(count, np.nan), unknown)
    splits = {"train": np.array(order[:-2]), "test": np.array(order[-2:])}
    return PhotoData(images, unknown, np.full(count, np.nan), splits, "seven")


@pytest.fixture
def vectors() -> NDArray[np.float16]:
    draw = np.random.default_rng(0)
    return draw.standard_normal((sum(SIZES), DIMENSION)).astype(np.float16)


@pytest.fixture
def data() -> PhotoData:
    return photos([6, 2, 0, 1, 4, 3, 5], list("abcdefg"))


@pytest.fixture
def stored(tmp_path: Path, data: PhotoData, vectors: NDArray[np.float16]) -> Path:
    def batches() -> Iterator[VectorBatch]:
        for end, size in zip(np.cumsum(SIZES), SIZES, strict=True):
            yield vectors[end - size : end], np.arange(end - size, end) == 4

    path = tmp_path / "new" / "features.arrow"
    partition = uniform_s2(data.photos.latlon, level=3)
    write_features(path, batches(), data, partition, DIMENSION, TOLD)
    return path


def test_each_photo_gets_its_own_vector(
    stored: Path, data: PhotoData, vectors: NDArray[np.float16]
) -> None:
    found = read_features(stored, data)
    rows = np.concatenate(list(data.splits.values()))
    taken, broken = found.take(rows)
    assert taken.dtype == np.float32
    assert np.array_equal(taken, vectors.astype(np.float32))
    assert broken.tolist() == [False] * 4 + [True] + [False] * 2
    # In any order, and again.
    taken, broken = found.take(np.array([5, 6, 5, 3]))
    assert np.array_equal(taken, vectors[[6, 0, 6, 5]].astype(np.float32))
    assert not broken.any()


def test_a_photo_that_the_file_lacks_is_no_other(stored: Path) -> None:
    found = read_features(stored, photos([0, 1, 2], ["a", "elsewhere", "b"]))
    assert found.row_of.tolist() == [2, -1, 3]
    with pytest.raises(IndexError):
        found.take(np.array([1]))


def test_vectors_stay_in_the_file(stored: Path, data: PhotoData) -> None:
    found = read_features(stored, data)
    assert isinstance(found.vectors, MappedVectors)
    # What is written over the file is what is read: nothing was copied.
    zeros = np.zeros(stored.stat().st_size - 8, np.uint8).tobytes()
    with stored.open("r+b") as file:
        file.write(zeros)
    assert not found.take(data.train)[0].any()


def test_a_replaced_file_leaves_the_old_one_readable(
    stored: Path, data: PhotoData, vectors: NDArray[np.float16]
) -> None:
    found: Features = read_features(stored, data)
    other = stored.with_name("other")
    other.write_bytes(b"nothing")
    other.replace(stored)
    rows = np.concatenate(list(data.splits.values()))
    assert np.array_equal(found.take(rows)[0], vectors.astype(np.float32))


def test_what_it_says_and_what_others_read(stored: Path, vectors: NDArray[np.float16]) -> None:
    assert told_by(stored) == TOLD
    table = feather.read_table(stored).to_pydict()
    assert table["id"] == list("gcabedf")
    assert table["part"] == ["train"] * 5 + ["test"] * 2
    assert np.array_equal(np.array(table["vector"], np.float16), vectors)


@pytest.mark.parametrize("damage", ["cut", "other", "empty", "missing", "of another kind"])
def test_a_damaged_file_is_told(stored: Path, data: PhotoData, damage: str) -> None:
    content = stored.read_bytes()
    if damage == "missing":
        stored.unlink()
    elif damage == "of another kind":
        feather.write_feather(feather.read_table(stored).replace_schema_metadata(None), stored)
    else:
        stored.write_bytes({"cut": content[:-9], "other": content + b"PAR1", "empty": b""}[damage])
    with pytest.raises(TrainingDataError, match="holds no stored vectors, or is damaged"):
        told_by(stored)
    if damage != "of another kind":
        with pytest.raises(TrainingDataError, match="holds no stored vectors, or is damaged"):
            read_features(stored, data)
