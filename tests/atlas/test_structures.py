"""Tree and hash tables of an atlas: as modes of its search, and as files that may be damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.atlas import Atlas, build_derived
from sightline.atlas.derived import check, open_current
from sightline.atlas.hashing import HashSettings
from sightline.atlas.maintain import remove
from sightline.atlas.store import Store
from sightline.atlas.structure import MeasuredStructure
from sightline.atlas.structures import (
    build_structure,
    open_structure,
    read_settings,
    settings_text,
)
from sightline.atlas.tree import TreeSettings
from sightline.atlas.tree_growth import grow_tree
from sightline.errors import AtlasDamagedError, AtlasError, OutputError, UsageError
from sightline.geo.region import BoundingBox
from sightline.models.whitening import WhiteningSettings

from . import clouds
from .clouds import FINGERPRINT, brute_force

PLAIN = {"fingerprint": FINGERPRINT, "rerank": 0, "pool_m": 0.0}
ROWS = clouds.cloud(1200)
TREE = TreeSettings(k=4, leaf=40, beam=4)
LSH = HashSettings(tables=12, bits=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("structured") / "atlas"
    clouds.write(path, clouds.card(24, 2, WhiteningSettings(dimension=20)), ROWS)
    build_derived(path, index_from_rows=10_000, exact_rows=100)
    for settings in (TREE, LSH):
        build_structure(path, settings)
    return path


@pytest.fixture(scope="module")
def atlas(folder: Path) -> Atlas:
    return Atlas.open(folder)


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "own")


def derived_of(path: Path):
    found = open_current(path, Store.open(path).card)
    assert found is not None
    return found


def asked(count: int, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = ROWS.raw[rng.choice(len(ROWS.raw), count, replace=False)]
    return (raw + 0.05 * rng.standard_normal(raw.shape)).astype(np.float32)


@pytest.mark.parametrize("mode", ["tree", "lsh"])
def test_a_structure_is_a_mode_of_search_and_says_its_recall(atlas, folder, mode):
    queries = asked(80)
    found = atlas.search(queries, 20, mode=mode, **PLAIN)
    ids, scores = brute_force(derived_of(folder).whitening, ROWS, queries, 20)
    shares = [np.isin(i, f).mean() for i, f in zip(ids, found.ids, strict=True)]
    assert found.mode == mode
    assert 0.3 < found.recall_estimate < 1
    assert np.mean(shares) >= found.recall_estimate - 0.05
    # What is found has its exact score, and the order of the exact search.
    for row in range(80):
        at = {int(i): s for i, s in zip(ids[row], scores[row], strict=True)}
        for number, score in zip(found.ids[row], found.scores[row], strict=True):
            assert score == pytest.approx(at.get(int(number), score), abs=1e-6)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert atlas.search(queries[:1], 500, mode=mode, **PLAIN).recall_estimate is None
    assert (atlas.search(queries[:3], 500, mode=mode, **PLAIN).counts == 500).all()
    assert atlas.search(queries[:3], 5, mode=mode, fingerprint=FINGERPRINT).mode == mode


def test_a_region_and_a_cell_are_scanned(atlas, folder):
    queries = asked(10)
    west, east = np.sort(ROWS.places[:, 1])[[0, 599]]
    region = BoundingBox(-90.0, float(west), 90.0, float(east))
    found = atlas.search(queries, 5, mode="tree", region=region, **PLAIN)
    ids, _ = brute_force(
        derived_of(folder).whitening, ROWS, queries, 5, region.contains(ROWS.places)
    )
    assert found.mode == "exact"
    np.testing.assert_array_equal(found.ids, ids)


def test_what_is_excluded_is_not_returned_and_pushes_nothing_out(atlas):
    queries = asked(20)
    first = atlas.search(queries, 3, mode="tree", **PLAIN)
    places = first.coordinates[:, 0]
    found = atlas.search(queries, 3, mode="tree", exclude_within_m=(places, 1.0), **PLAIN)
    assert (found.counts == 3).all()
    assert not (found.ids == first.ids[:, :1]).any()
    np.testing.assert_array_equal(found.ids[:, 0], first.ids[:, 1])


def test_removed_rows_are_left_out_and_newer_ones_found(own):
    fresh = clouds.cloud(30, seed=9, first_id=5000)
    store = Store.open(own)
    store.append(clouds.table(store.card, fresh))
    remove(own, ids=[int(i) for i in range(20)])
    atlas = Atlas.open(own)
    found = atlas.search(ROWS.raw[:20], 5, mode="tree", **PLAIN)
    assert found.mode == "tree"
    assert (found.counts == 5).all()
    assert not np.isin(found.ids, np.arange(20)).any()
    newer = atlas.search(fresh.raw, 1, mode="tree", **PLAIN)
    assert newer.ids[:, 0].tolist() == fresh.ids.tolist()


def test_an_atlas_says_what_it_has(atlas, folder):
    found = atlas.info()["structures"]
    assert found["tree"]["settings"] == {"k": 4, "leaf": 40, "beam": 4, "depth": None, "seed": 0}
    assert found["lsh"]["settings"]["tables"] == 12
    assert set(found["tree"]["recall"]) == {1, 20, 100}
    assert 20 < found["tree"]["comparisons"][1] < 1200
    assert found["tree"]["rows"] == 1200
    assert found["tree"]["knows_all_rows"] is True
    opened = open_structure(derived_of(folder), "tree")
    assert found["tree"]["recall"] == opened.recalls
    assert found["tree"]["comparisons"] == opened.comparisons
    assert read_settings("tree", settings_text(found["tree"]["settings"])) == TREE
    json.dumps(found)
    assert check(folder) == []


def test_a_structure_that_was_not_built(own):
    build_derived(own)
    for kind in ("tree", "lsh"):
        with pytest.raises(AtlasError, match=f"no {kind} to search with.*--{kind}"):
            Atlas.open(own).search(asked(1), 1, mode=kind, **PLAIN)
        with pytest.raises(AtlasError, match=f"no {kind} to search with"):
            Atlas.open(own).require(kind)
    for way in ("auto", "exact", "approximate"):
        Atlas.open(own).require(way)
    shutil.rmtree(own / "derived")
    with pytest.raises(AtlasError, match="no tree to search with"):
        Atlas.open(own).search(asked(1), 1, mode="tree", **PLAIN)
    with pytest.raises(AtlasError, match="no derived half"):
        build_structure(own, TREE)
    assert Atlas.open(own).info()["structures"] == {}


def test_building_again_replaces_it_and_leaves_nothing_behind(own):
    home = derived_of(own).folder
    held = open_structure(derived_of(own), "tree")
    (home / ".unfinished-tree-1").mkdir()
    assert build_structure(own, TreeSettings(k=3)) == home / "tree"
    again = open_structure(derived_of(own), "tree")
    assert again.structure.settings_json()["k"] == 3
    assert held.structure.candidates(np.ones((1, 20), np.float32), 5).positions.size
    assert not list(home.glob(".unfinished*"))


def test_a_disk_that_cannot_be_written(own, monkeypatch):
    from sightline.atlas import structures

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(structures, "sync_file", full)
    with pytest.raises(OutputError, match="No space left"):
        build_structure(own, TreeSettings(k=3))
    assert open_structure(derived_of(own), "tree").structure.settings_json()["k"] == 4


def test_damaged_files(own):
    derived = derived_of(own)
    tree = derived.folder / "tree"
    manifest = tree / "structure.json"
    whole = manifest.read_text()
    for text, said in (
        (whole.replace("structure/1", "structure/2"), "has the schema"),
        (whole.replace('"k"', '"kk"'), "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (whole.replace('"recall"', '"recal"'), "cannot be read"),
        (json.dumps({**json.loads(whole), "recall": [0.5]}), "cannot be read"),
        (json.dumps({**json.loads(whole), "settings": {"k": 1}}), "k must be"),
    ):
        manifest.write_text(text)
        with pytest.raises(AtlasDamagedError, match=said):
            open_structure(derived, "tree")
    manifest.write_bytes(b"\xff\xfe")
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        open_structure(derived, "tree")
    manifest.write_text(whole)
    for rows, said in (
        (ROWS.raw[:7].mean(axis=1)[:, :20], "has 7 rows, not 1200"),
        (np.zeros((1200, 3), np.float32), "is of 3 dimensions, not 20"),
    ):
        for name, array in grow_tree(rows.astype(np.float32), TREE).arrays().items():
            np.save(tree / f"{name}.npy", array)
        with pytest.raises(AtlasDamagedError, match=said):
            open_structure(derived, "tree")
    (tree / "order.npy").write_bytes(b"")
    with pytest.raises(AtlasDamagedError, match="index --tree"):
        open_structure(derived, "tree")
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        open_structure(derived, "tree")


def test_arrays_that_are_no_tree_or_no_tables_are_refused_at_once(own):
    """A node that is its own child would be descended for ever."""
    derived = derived_of(own)
    tree, tables = derived.folder / "tree", derived.folder / "lsh"
    first, count = np.load(tree / "first_child.npy"), np.load(tree / "child_count.npy")
    order, stops = np.load(tree / "order.npy"), np.load(tree / "stops.npy")
    inner = int(np.flatnonzero(count)[-1])
    for name, wrong, said in (
        ("first_child", np.where(np.arange(len(first)) == inner, inner, first), "are no tree"),
        ("child_count", np.where(np.arange(len(first)) == inner, 10**6, count), "are no tree"),
        ("order", order - 1, "are no tree"),
        ("stops", stops + 1, "are no tree"),
        ("stops", stops[:-1], "do not fit each other"),
        ("order", order.astype(np.float32), "do not fit each other"),
    ):
        whole = (tree / f"{name}.npy").read_bytes()
        np.save(tree / f"{name}.npy", wrong)
        with pytest.raises(AtlasDamagedError, match=said):
            open_structure(derived, "tree")
        (tree / f"{name}.npy").write_bytes(whole)
    assert open_structure(derived, "tree").structure.rows == 1200
    np.save(tables / "codes.npy", np.load(tables / "codes.npy")[:-1])
    with pytest.raises(AtlasDamagedError, match="do not fit each other and the settings"):
        open_structure(derived, "lsh")


def test_settings_as_text():
    assert read_settings("tree", "k=3, leaf=10,beam=2,depth=4") == TreeSettings(3, 10, 2, 4)
    assert read_settings("tree", "") == TreeSettings()
    assert read_settings("lsh", "tables=2,bits=9,probes=3,seed=1") == HashSettings(2, 9, 3, 1)
    with pytest.raises(UsageError, match=r"no setting 'leafs'.*'leaf'"):
        read_settings("tree", "leafs=3")
    with pytest.raises(UsageError, match=r"bits must be a whole number\. Got 'many'"):
        read_settings("lsh", "bits=many")
    with pytest.raises(UsageError, match="k must be"):
        read_settings("tree", "k=1")


def test_a_recall_that_was_not_measured_is_none(atlas):
    measured = MeasuredStructure(None, {1: 0.9, 20: 0.5}, {})  # type: ignore[arg-type]
    assert measured.recall(1) == 0.9
    assert measured.recall(2) == 0.5
    assert measured.recall(21) is None
