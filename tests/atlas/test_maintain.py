from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sightline.atlas.build import build_atlas
from sightline.atlas.lock import writer_lock
from sightline.atlas.maintain import add, compact, info, remove
from sightline.atlas.store import Store
from sightline.errors import (
    AtlasEmptyError,
    AtlasError,
    AtlasNotFoundError,
    FingerprintError,
    UsageError,
)
from sightline.geo.box import BoundingBox

from .encoders import ColourGrid
from .photos import place, record, write_photo, write_photos


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    records = write_photos(tmp_path / "photos", 10)
    build_atlas(tmp_path / "atlas", records, ColourGrid(), compact=False)
    return tmp_path / "atlas"


def numbers(atlas: Path) -> list[int]:
    store = Store.open(atlas)
    uris = [u for b in store.batches(["uri"]) for u in b.column("uri").to_pylist()]
    return sorted(int(Path(u).stem) for u in uris)


def test_add_needs_an_atlas_of_the_same_encoder(atlas: Path, tmp_path: Path) -> None:
    more = write_photos(tmp_path / "photos", 12)
    with pytest.raises(AtlasNotFoundError):
        add(tmp_path / "nowhere", more, ColourGrid())
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(FingerprintError):
        add(atlas, more, ColourGrid(seed=5))
    encoder = ColourGrid()
    report = add(atlas, more, encoder, batch=1)
    assert (report.added, report.skipped, report.rows, encoder.encoded) == (2, 10, 12, 2)


def test_remove_by_name_pattern_id_and_region(atlas: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    report = remove(atlas, names=[str(folder / "0003.jpg"), "*/0000.jpg", "nothing*"])
    assert (report.rows, report.names, report.unmatched) == (2, 2, ("nothing*",))
    assert numbers(atlas) == [1, 2, 4, 5, 6, 7, 8, 9]
    report = remove(atlas, ids=[5, 77])
    assert (report.rows, report.unmatched) == (1, ("77",))
    lat, lon = place(8)
    remove(atlas, region=BoundingBox(lat - 0.1, lon - 0.1, lat + 0.1, lon + 0.1))
    assert numbers(atlas) == [1, 2, 4, 6, 7, 9]
    before = Store.open(atlas).version
    with pytest.raises(AtlasEmptyError, match="No row"):
        remove(atlas, names=["nothing*"])
    with pytest.raises(UsageError, match="Nothing was named"):
        remove(atlas)
    assert Store.open(atlas).version == before


def test_a_name_with_brackets_means_itself(tmp_path: Path) -> None:
    odd = write_photo(tmp_path / "a[1]*.jpg", 1)
    other = write_photo(tmp_path / "b.jpg", 2)
    build_atlas(tmp_path / "atlas", [record(odd, 1), record(other, 2)], ColourGrid())
    assert remove(tmp_path / "atlas", names=[str(odd)]).rows == 1


def test_a_row_stays_under_its_other_names(tmp_path: Path) -> None:
    first = write_photo(tmp_path / "a.jpg", 1)
    second = Path(shutil.copy(first, tmp_path / "b.jpg"))
    atlas = tmp_path / "atlas"
    build_atlas(atlas, [record(first, 1), record(second, 1)], ColourGrid())
    report = remove(atlas, names=[str(first)])
    assert (report.rows, report.names) == (0, 1)
    (row,) = Store.open(atlas).take(np.array([0]), ["uri", "names", "id"]).to_pylist()
    assert row == {"uri": str(second), "names": [str(second)], "id": 0}
    assert remove(atlas, names=["*"]).rows == 1
    assert Store.open(atlas).count == 0


def test_compact_makes_one_ordered_file_and_drops_old_versions(atlas: Path) -> None:
    with writer_lock(atlas):
        store = Store.open(atlas)
        store = store.delete(store.ids()[:2])
    assert not info(atlas).ordered
    report = compact(atlas)
    assert (report.rows, report.files_after) == (8, 1)
    assert info(atlas).ordered
    # Whoever reads an older version may go on.
    assert len(store.take(np.arange(8), ["vector"])) == 8
    version = Store.open(atlas).version
    report = compact(atlas, keep=timedelta(0))
    assert (report.files_before, report.files_after) == (1, 1)
    assert Store.open(atlas).version == version
    with pytest.raises(AtlasError):
        Store.open(atlas, version=store.version)


def test_only_one_writes(atlas: Path) -> None:
    with writer_lock(atlas):
        for change in (lambda: compact(atlas), lambda: remove(atlas, ids=[1])):
            with pytest.raises(AtlasError, match="another process"):
                change()
    assert info(atlas).rows == 10


def test_info_counts_photos_names_and_sources(tmp_path: Path) -> None:
    sphere = write_photo(tmp_path / "sphere.jpg", 1, width=256, height=128)
    twin = Path(shutil.copy(sphere, tmp_path / "twin.jpg"))
    plain = write_photo(tmp_path / "plain.jpg", 2)
    atlas = tmp_path / "atlas"
    records = [
        record(sphere, 1, projection="spherical"),
        record(twin, 1, projection="spherical"),
        record(plain, 2, source=None),
        record(tmp_path / "missing.jpg", 3),
    ]
    build_atlas(atlas, records, ColourGrid())
    got = info(atlas)
    assert (got.rows, got.photos, got.names, got.problems, got.files) == (5, 2, 3, 1, 1)
    assert got.sources == {"test": 4, "unknown": 1}
    (a, b), (c, d) = place(1), place(2)
    assert got.bounds == (min(a, c), min(b, d), max(a, c), max(b, d))
    assert got.size_bytes > 1000
    assert got.card.encoder == "colour-grid"
    remove(atlas, names=["*"])
    assert info(atlas).bounds is None
