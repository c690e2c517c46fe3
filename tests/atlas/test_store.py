from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from sightline.atlas.card import AtlasCard
from sightline.atlas.store import Store
from sightline.errors import (
    AtlasDamagedError,
    AtlasError,
    AtlasNotFoundError,
    AtlasVersionError,
    OutputError,
    VectorError,
)
from sightline.models.whitening import WhiteningSettings

from .rows import card, table


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "atlas", card())


def test_a_new_store_is_empty_and_opens(store: Store) -> None:
    again = Store.open(store.path)
    assert again.count == 0
    assert again.ids().tolist() == []
    assert list(again.vectors()) == []
    assert again.card == card()
    assert again.next_id() == 0
    assert again.append(table(card(), [])).version == again.version


def test_appended_rows_come_back_in_order(store: Store) -> None:
    rows = table(card(), [0, 1, 2])
    before = store.append(rows)
    after = before.append(table(card(), [3, 4]))
    assert after.version > before.version
    assert (before.count, after.count) == (3, 5)
    assert after.ids().tolist() == [0, 1, 2, 3, 4]
    assert Store.open(store.path, version=before.version).ids().tolist() == [0, 1, 2]
    assert store.refreshed().count == 5
    assert after.take(np.array([4, 0]), ["uri"]).column("uri").to_pylist() == ["4.jpg", "0.jpg"]
    assert after.take(np.array([0, 1, 2]), after.schema.names).equals(rows)


def test_vectors_have_cells_and_dimension_and_newer_rows_can_be_asked_for(store: Store) -> None:
    store = store.append(table(card(), range(10)))
    (ids, vectors), *rest = store.vectors(rows=4)
    assert ids.tolist() == [0, 1, 2, 3]
    assert vectors.shape == (4, 4, 4)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors.mean(axis=1), axis=1), 1, atol=2e-3)
    assert sum(len(i) for i, _ in rest) == 6
    newer = [i for ids, _ in store.vectors(after_id=6) for i in ids]
    assert newer == [7, 8, 9]


def test_delete_keeps_positions_dense_and_never_gives_an_id_twice(store: Store) -> None:
    store = store.append(table(card(), range(4))).append(table(card(), [4, 5]))
    store = store.delete(np.array([1, 4, 5, 99]))
    assert store.ids().tolist() == [0, 2, 3]
    assert store.take(np.array([2, 1]), ["id"]).column("id").to_pylist() == [3, 2]
    assert store.next_id() == 6
    assert store.compact().next_id() == 6
    assert store.delete(np.array([77])).version == store.version


def test_replace_is_one_version(store: Store) -> None:
    store = store.append(table(card(), range(3)))
    replaced = store.replace(np.array([0, 1]), table(card(), [3]))
    assert replaced.version == store.version + 1
    assert replaced.ids().tolist() == [2, 3]


def test_compact_orders_by_unsigned_s2_id_and_keeps_every_row(store: Store) -> None:
    ids = list(range(50))
    generator = np.random.default_rng(5)
    s2 = generator.integers(-(2**63), 2**63 - 1, size=50, dtype=np.int64)
    store = store.append(table(card(), ids[:30], s2[:30].tolist()))
    store = store.append(table(card(), ids[30:], s2[30:].tolist()))
    compacted = store.compact()
    assert compacted.fragments == 1
    order = np.argsort(s2.view(np.uint64))
    assert compacted.ids().tolist() == order.tolist()
    vectors = dict(
        zip(*(np.concatenate(x) for x in zip(*store.vectors(), strict=True)), strict=True)
    )
    for some, cells in compacted.vectors():
        for number, vector in zip(some, cells, strict=True):
            assert np.array_equal(vectors[number], vector)
    assert Store.open(store.path, version=store.version).ids().tolist() == ids


def test_compacting_an_empty_store_changes_nothing(store: Store) -> None:
    assert store.compact().count == 0


def test_clean_removes_old_versions_and_leftovers(store: Store) -> None:
    store = store.append(table(card(), range(3)))
    store.clean()
    assert Store.open(store.path, version=store.version).count == 3
    orphan = store.path / "rows.lance" / "data" / "killed.lance"
    orphan.write_bytes(b"half")
    newest = store.append(table(card(), [3]))
    newest.clean(keep=timedelta(0))
    assert not orphan.exists()
    assert newest.refreshed().count == 4
    with pytest.raises(AtlasDamagedError, match=f"version {store.version}"):
        Store.open(store.path, version=store.version)


def test_vectors_that_cannot_be_are_refused(store: Store) -> None:
    rows = table(card(), range(3))
    with pytest.raises(VectorError, match="must be"):
        store.append(table(card(dimension=5), range(3)))
    flat = rows.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False).copy()
    flat[17] = np.nan
    bad = pa.FixedSizeListArray.from_arrays(pa.array(flat), 16)
    rows = rows.set_column(rows.schema.get_field_index("vector"), rows.schema.field("vector"), bad)
    with pytest.raises(VectorError, match=r"row 1 \('1.jpg'\)"):
        store.append(rows)
    assert store.refreshed().count == 0


def test_a_card_survives_the_disk(tmp_path: Path) -> None:
    written = AtlasCard(
        encoder="net",
        fingerprint="abc",
        dimension=8,
        regions=1,
        whitening=WhiteningSettings(dimension=4),
        sample="sample.safetensors",
        description="a\nb",
        encoder_details={"licence": "Apache-2.0"},
    )
    written.write(tmp_path)
    assert AtlasCard.read(tmp_path) == written


def test_folders_that_hold_no_atlas(tmp_path: Path, store: Store) -> None:
    with pytest.raises(AtlasNotFoundError, match="is no folder"):
        Store.open(tmp_path / "missing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(AtlasNotFoundError, match="is no folder"):
        Store.open(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AtlasNotFoundError, match="holds no atlas"):
        Store.open(tmp_path / "empty")
    with pytest.raises(AtlasError, match="an atlas already"):
        Store.create(store.path, card())
    (store.path / "atlas.json").unlink()
    with pytest.raises(AtlasDamagedError, match="half-built"):
        Store.open(store.path)


def test_a_half_built_store_is_made_again_unless_it_has_rows(store: Store) -> None:
    (store.path / "atlas.json").unlink()
    other = Store.create(store.path, card(dimension=5))
    other.append(table(card(dimension=5), range(3)))
    (store.path / "atlas.json").unlink()
    with pytest.raises(AtlasDamagedError, match="3 rows and no atlas"):
        Store.create(store.path, card(dimension=5))
    assert lance.dataset(str(store.path / "rows.lance")).count_rows() == 3


def test_rows_that_do_not_open_or_do_not_fit(store: Store) -> None:
    card(dimension=5).write(store.path)
    with pytest.raises(AtlasDamagedError, match="columns vector differ"):
        Store.open(store.path)
    card().write(store.path)
    for manifest in (store.path / "rows.lance" / "_versions").iterdir():
        manifest.write_bytes(b"")
    with pytest.raises(AtlasDamagedError, match="cannot be opened"):
        Store.open(store.path)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other/1"},
        {"schema": "sightline.atlas/x"},
        {"dimension": 0},
        {"dimension": True},
        {"regions": "2"},
        {"fingerprint": 5},
        {"unheard_of": 1},
        {"whitening": {"unheard_of": 1}},
    ],
)
def test_cards_that_cannot_be_read(store: Store, change: dict[str, object]) -> None:
    path = store.path / "atlas.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Store.open(store.path)


def test_cards_of_another_kind(store: Store) -> None:
    path = store.path / "atlas.json"
    whole = path.read_text()
    for text in (b"{", b"[]", b"\xff\xfe"):
        path.write_bytes(text)
        with pytest.raises(AtlasDamagedError, match="cannot be read"):
            Store.open(store.path)
    path.write_text(whole.replace("sightline.atlas/1", "sightline.atlas/99"))
    with pytest.raises(AtlasVersionError, match="schema version 99"):
        Store.open(store.path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Cannot write"):
        Store.create(tmp_path / "file" / "atlas", card())


def test_a_change_that_cannot_be_written_changes_nothing(store: Store) -> None:
    store = store.append(table(card(), range(3)))
    blocked = store.path / f".writing-{os.getpid()}-next_id"
    blocked.mkdir()
    with pytest.raises(OutputError, match="next_id"):
        store.delete(np.array([0]))
    blocked.rmdir()
    (store.path / "next_id").write_text("x")
    with pytest.raises(AtlasDamagedError, match="next_id"):
        store.delete(np.array([0]))
    (store.path / "next_id").unlink()
    shutil.rmtree(store.path / "rows.lance" / "_transactions")
    (store.path / "rows.lance" / "_transactions").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        store.append(table(card(), [3]))
    assert store.refreshed().ids().tolist() == [0, 1, 2]
