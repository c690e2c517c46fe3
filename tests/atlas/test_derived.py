"""The derived half: built, stale, damaged, killed, and swapped under its readers."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import faiss
import numpy as np
import pytest

from sightline.atlas import Atlas, build_derived, check
from sightline.atlas import derived as derived_module
from sightline.atlas.derived import INDEX_NAME, current_manifest, current_name, open_current
from sightline.atlas.store import Store
from sightline.atlas.whiten import fit_store_whitening, store_statistics
from sightline.errors import AtlasDamagedError, AtlasEmptyError, OutputError
from sightline.models.sample import statistics_to_bytes
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings, fit_whitening

from . import clouds
from .child import derive_once
from .clouds import FINGERPRINT, brute_force
from .forked import Forked

PLAIN = {"fingerprint": FINGERPRINT, "rerank": 0, "pool_m": 0.0}
ROWS = clouds.cloud(900)
SMALL = {"index_from_rows": 300, "exact_rows": 100}
CARD = clouds.card(24, 2, WhiteningSettings(dimension=20))


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pattern") / "atlas"
    clouds.write(path, CARD, ROWS, commits=2)
    return path


@pytest.fixture
def folder(pattern: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pattern, tmp_path / "atlas"))


def whitening_of(folder: Path):
    derived = open_current(folder, Store.open(folder).card)
    return fit_store_whitening(Store.open(folder)) if derived is None else derived.whitening


def expect_exactly(folder: Path, rows: clouds.Cloud, keep: np.ndarray | None = None) -> None:
    """Every search of the atlas as it is now equals brute force over ``rows``."""
    queries = rows.raw[::97]
    found = Atlas.open(folder).search(queries, 12, mode="exact", **PLAIN)
    ids, scores = brute_force(whitening_of(folder), rows, queries, 12, keep)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.scores, scores.clip(-1, 1), atol=1e-6)


def test_without_a_derived_half_the_search_is_exact_and_says_so(folder):
    expect_exactly(folder, ROWS)
    atlas = Atlas.open(folder)
    assert atlas.info()["derived"] is None
    assert "no derived half" in atlas.info()["search"]
    assert current_manifest(folder) is None
    assert check(folder) == []
    assert atlas.null_similarity == atlas.null_similarity
    assert 0 < atlas.null_similarity < 1


def test_built_it_says_what_it_is(folder):
    target = build_derived(folder, **SMALL)
    atlas = Atlas.open(folder)
    facts = atlas.info()
    assert facts["search"] == "accelerator"
    assert facts["references"] == atlas.count == 900
    assert facts["derived"]["rows"] == 900
    assert facts["derived"]["store_version"] == atlas.version == Store.open(folder).version
    assert current_name(folder) == target.name
    assert current_manifest(folder)["calibration"]["everywhere"][0]["recall"] >= 0.95
    assert check(folder) == []
    json.dumps(facts)
    expect_exactly(folder, ROWS)


def test_a_pointer_that_cannot_be_written_is_told(folder):
    pointer = folder / "derived" / "CURRENT"
    (pointer / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match="Cannot write") as caught:
        build_derived(folder)
    assert caught.value.path == str(pointer)
    assert not list((folder / "derived").glob(".unfinished*"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_pointer_that_cannot_be_read_is_damage(folder, content):
    build_derived(folder)
    pointer = folder / "derived" / "CURRENT"
    pointer.unlink()
    if content is None:
        pointer.mkdir()
    else:
        pointer.write_bytes(content)
    with pytest.raises(AtlasDamagedError, match="CURRENT' cannot be read"):
        Atlas.open(folder)
    (problem,) = check(folder)
    assert "CURRENT' cannot be read" in problem


def test_a_folder_that_is_replaced_while_it_is_opened(folder, monkeypatch):
    """A builder switches the pointer and removes the old folder after its name was read."""
    build_derived(folder)
    read_manifest, opened = derived_module.read_manifest, []

    def replaced_first(path: Path):
        if not opened:
            opened.append(path)
            build_derived(folder, exact_rows=77)
        return read_manifest(path)

    monkeypatch.setattr(derived_module, "read_manifest", replaced_first)
    found = open_current(folder, CARD)
    assert not opened[0].exists()
    assert found.folder.name == current_name(folder) != opened[0].name
    assert found.exact_rows == 77


def test_a_small_atlas_gets_no_index(folder):
    target = build_derived(folder)
    assert not (target / "index.faiss").exists()
    atlas = Atlas.open(folder)
    assert atlas.info()["search"] == "exact scan"
    assert atlas.search(ROWS.raw[:1], 3, mode="approximate", **PLAIN).mode == "exact"


def test_progress_counts_rows(folder):
    seen = []
    build_derived(folder, progress=lambda *what: seen.append(what), **SMALL)
    assert {"whitening", "clustering", "indexing"} == {stage for stage, _, _ in seen}
    assert seen[-1] == ("indexing", 900, 900)


def test_the_files_are_ordered_by_the_curve(folder):
    build_derived(folder, **SMALL)
    segment = open_current(folder, CARD).segment
    assert (np.diff(segment.s2.astype(object)) >= 0).all()
    assert sorted(segment.ids) == list(range(900))
    assert len(segment) == 900


def test_rows_added_later_are_found_at_once(folder):
    build_derived(folder, **SMALL)
    newer = clouds.cloud(150, seed=9, first_id=900)
    Store.open(folder).append(clouds.table(CARD, newer))
    both = clouds.Cloud(*(np.concatenate(p) for p in zip(_parts(ROWS), _parts(newer), strict=True)))
    expect_exactly(folder, both)
    atlas = Atlas.open(folder)
    assert atlas.info()["rows_newer_than_derived"] == 150
    assert "150 newer rows" in atlas.info()["search"]
    assert atlas.count == 1050
    for mode in ("auto", "exact"):
        found = atlas.search(newer.raw[:20], 1, mode=mode, **PLAIN)
        np.testing.assert_array_equal(found.ids[:, 0], newer.ids[:20])
        assert found.uris[3, 0] == clouds.name_of(903)
    inside = atlas.search(newer.raw[:1], 1, cell=int(_cell_of(newer.places[0])), **PLAIN)
    assert inside.ids[0, 0] == 900
    build_derived(folder, **SMALL)
    assert Atlas.open(folder).info()["rows_newer_than_derived"] == 0
    expect_exactly(folder, both)


def test_rows_removed_later_are_never_returned(folder):
    build_derived(folder, **SMALL)
    gone = np.arange(0, 900, 3)
    store = Store.open(folder).delete(gone)
    keep = ~np.isin(ROWS.ids, gone)
    expect_exactly(folder, ROWS, keep)
    atlas = Atlas.open(folder)
    assert atlas.count == store.count == 600
    fast = atlas.search(ROWS.raw[:40], 30, **PLAIN)
    assert fast.mode == "approximate"
    assert not np.isin(fast.ids, gone).any()
    ids, _ = brute_force(whitening_of(folder), ROWS, ROWS.raw[:40], 30, keep)
    assert np.mean([np.isin(i, f).mean() for i, f in zip(ids, fast.ids, strict=True)]) >= 0.9
    cell = int(_cell_of(ROWS.places[0]))
    assert 0 not in atlas.search(ROWS.raw[:1], 5, cell=cell, **PLAIN).ids
    hashed = atlas.search(ROWS.raw[1:2], 5, exclude_sha256=[clouds.hash_of(1).hex()], **PLAIN)
    assert not np.isin(hashed.ids, [*gone, 1]).any()


def test_rows_removed_and_added_and_compacted(folder):
    build_derived(folder, **SMALL)
    newer = clouds.cloud(60, seed=4, first_id=900)
    store = Store.open(folder).replace(np.arange(50), clouds.table(CARD, newer))
    store.compact()
    both = clouds.Cloud(*(np.concatenate(p) for p in zip(_parts(ROWS), _parts(newer), strict=True)))
    expect_exactly(folder, both, both.ids >= 50)
    assert check(folder) == []


def test_an_opened_atlas_is_a_snapshot(folder):
    build_derived(folder, **SMALL)
    atlas = Atlas.open(folder)
    before = atlas.search(ROWS.raw[:5], 5, **PLAIN)
    Store.open(folder).delete(np.arange(300))
    build_derived(folder, **SMALL)
    after = atlas.search(ROWS.raw[:5], 5, **PLAIN)
    np.testing.assert_array_equal(before.ids, after.ids)
    assert before.uris.tolist() == after.uris.tolist()
    assert atlas.refreshed().count == 600


def test_no_rows_cannot_be_built(tmp_path):
    Store.create(tmp_path / "a", CARD)
    with pytest.raises(AtlasEmptyError, match="no rows"):
        build_derived(tmp_path / "a")


def test_building_twice_from_the_same_rows(folder):
    first = build_derived(folder, **SMALL)
    second = build_derived(folder, **SMALL)
    assert not first.exists() or first == second
    assert [p.name for p in (folder / "derived").iterdir() if p.is_dir()] == [second.name]
    assert check(folder) == []
    expect_exactly(folder, ROWS)


@pytest.mark.parametrize("name", ["vectors.npy", "index.faiss", "ids.npy", "whitening.safetensors"])
def test_check_finds_changed_cut_and_missing_files(folder, name):
    target = build_derived(folder, **SMALL)
    content = bytearray((target / name).read_bytes())
    content[-1] ^= 1
    (target / name).write_bytes(content)
    assert any(name in p and "hash" in p for p in check(folder))
    (target / name).write_bytes(content[:-1])
    assert any(name in p and "bytes" in p for p in check(folder))
    (target / name).unlink()
    assert any(name in p and "missing" in p for p in check(folder))
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Atlas.open(folder)


def test_a_damaged_manifest_is_named(folder):
    target = build_derived(folder, **SMALL)
    manifest = json.loads((target / "manifest.json").read_text())
    wrong: list[tuple[dict, str]] = [
        ({"schema": "sightline.derived/99"}, "schema"),
        ({"fingerprint": "other"}, "belongs to the encoder"),
    ]
    for change, words in wrong:
        (target / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(AtlasDamagedError, match=words):
            Atlas.open(folder)
        assert any(words in p for p in check(folder))
    with pytest.raises(AtlasDamagedError, match="schema"):
        (target / "manifest.json").write_text(json.dumps({**manifest, "schema": 1}))
        current_manifest(folder)
    (target / "manifest.json").write_text("{")
    for action in (Atlas.open, current_manifest):
        with pytest.raises(AtlasDamagedError, match="cannot be read"):
            action(folder)
    assert any("cannot be read" in p for p in check(folder))


def test_check_compares_counts_and_versions(folder):
    target = build_derived(folder, **SMALL)
    manifest = json.loads((target / "manifest.json").read_text())
    for change, words in (
        ({"rows": 7}, "has 900 rows, not 7"),
        ({"store_version": 99}, "the newest is"),
    ):
        (target / "manifest.json").write_text(json.dumps({**manifest, **change}))
        assert any(words in p for p in check(folder))
    (target / "manifest.json").write_text(json.dumps(manifest))
    newer = Store.open(folder).delete(np.arange(4))
    changed = {**manifest, "store_version": newer.version}
    (target / "manifest.json").write_text(json.dumps(changed))
    assert any("the store has 896" in p for p in check(folder))


def test_check_compares_the_index_with_the_rows(folder, tmp_path):
    build_derived(folder, **SMALL)
    other = tmp_path / "other"
    clouds.write(other, CARD, clouds.cloud(400))
    index = build_derived(other, **SMALL) / "index.faiss"
    target = folder / "derived" / str(current_name(folder))
    shutil.copy(index, target / "index.faiss")
    manifest = json.loads((target / "manifest.json").read_text())
    theirs = json.loads((index.parent / "manifest.json").read_text())
    manifest["files"]["index.faiss"] = theirs["files"]["index.faiss"]
    (target / "manifest.json").write_text(json.dumps(manifest))
    assert any("has 400 rows, not 900" in p for p in check(folder))


def test_a_full_disk_keeps_the_old_one(folder):
    build_derived(folder, **SMALL)
    name = current_name(folder)
    # A file size limit is what a full disk looks like to one process.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from sightline.atlas import build_derived\n"
        "from sightline.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: build_derived(sys.argv[1], index_from_rows=300)\n"
        "except OutputError as error: sys.exit(str(error)[:5] == 'Canno' and 7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert done.returncode == 7
    assert current_name(folder) == name
    assert check(folder) == []
    assert [p.name for p in (folder / "derived").iterdir() if p.is_dir()] == [name]


def test_what_killed_builders_left_is_removed(folder):
    leftover = folder / "derived" / ".unfinished-1"
    leftover.mkdir(parents=True)
    (leftover / "vectors.npy").write_bytes(b"half")
    build_derived(folder, **SMALL)
    assert not leftover.exists()


def test_a_work_folder_that_cannot_be_made_is_an_output_error(folder):
    (folder / "derived").mkdir()
    (folder / "derived" / f".unfinished-{os.getpid()}").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        build_derived(folder, **SMALL)


def test_a_pointer_to_nothing_is_damage(folder):
    target = build_derived(folder, **SMALL)
    shutil.rmtree(target)
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Atlas.open(folder)
    assert check(folder) != []


def test_rows_put_back_to_an_older_version_are_searched_as_they_are(folder, tmp_path):
    older = Path(shutil.copytree(folder / "rows.lance", tmp_path / "older"))
    Store.open(folder).append(clouds.table(CARD, clouds.cloud(30, seed=4, first_id=900)))
    build_derived(folder, **SMALL)
    shutil.rmtree(folder / "rows.lance")
    shutil.copytree(older, folder / "rows.lance")
    assert any("the newest is" in problem for problem in check(folder))
    expect_exactly(folder, ROWS)


def test_an_unwritable_folder_is_an_output_error(folder):
    (folder / "derived").write_text("not a folder")
    with pytest.raises(OutputError):
        build_derived(folder)


def test_a_builder_killed_at_any_moment_leaves_a_valid_atlas(folder):
    build_derived(folder, **SMALL)
    started = time.perf_counter()
    build_derived(folder, **SMALL)
    whole = time.perf_counter() - started
    rng = np.random.default_rng(0)
    for attempt in range(8):
        builder = Forked(derive_once, folder, SMALL)
        assert builder.says.readline() == "ready\n"
        time.sleep(float(rng.uniform(0, whole)))
        builder.kill()
        assert check(folder) == [], attempt
        found = Atlas.open(folder).search(ROWS.raw[:3], 1, **PLAIN)
        assert found.ids[:, 0].tolist() == [0, 1, 2]
    target = build_derived(folder, **SMALL)
    assert {p.name for p in (folder / "derived").iterdir()} == {target.name, "CURRENT"}


def _read_opens(folder: str, stop, failures) -> None:
    try:
        while not stop.is_set():
            found = Atlas.open(folder).search(ROWS.raw[:3], 2, **PLAIN)
            if found.ids[:, 0].tolist() != [0, 1, 2]:
                failures.put(str(found.ids.tolist()))
    except Exception as error:  # noqa: BLE001 - handed to the test
        failures.put(repr(error))


def test_readers_never_notice_a_swap(folder):
    build_derived(folder, **SMALL)
    context = multiprocessing.get_context("spawn")
    stop, failures = context.Event(), context.Queue()
    readers = [
        context.Process(target=_read_opens, args=(str(folder), stop, failures)) for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    try:
        for _ in range(4):
            build_derived(folder, **SMALL)
    finally:
        stop.set()
        for reader in readers:
            reader.join(60)
    assert failures.empty(), failures.get()


def test_threads_share_an_atlas(folder):
    build_derived(folder, **SMALL)
    atlas = Atlas.open(folder)
    expected = atlas.search(ROWS.raw[:30], 5, fingerprint=FINGERPRINT).ids
    wrong: list[int] = []

    def ask(row: int) -> None:
        for _ in range(10):
            found = atlas.search(ROWS.raw[row : row + 1], 5, fingerprint=FINGERPRINT)
            if not np.array_equal(found.ids[0], expected[row]):
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_whitening_is_fitted_as_the_card_says(tmp_path):
    settings = WhiteningSettings(dimension=10)
    rng = np.random.default_rng(0)
    sample = FeatureStatistics.from_vectors(
        rng.standard_normal((40, 24)), rng.standard_normal((40, 24))
    )
    light = FeatureStatistics.from_vectors(
        rng.standard_normal((30, 24)), rng.standard_normal((30, 24))
    )
    of = clouds.card(24, 2, settings, sample="sample.safetensors", light="light.safetensors")
    store = clouds.write(tmp_path / "a", of, ROWS)
    with pytest.raises(AtlasDamagedError, match=r"sample\.safetensors"):
        fit_store_whitening(store)
    (tmp_path / "a" / "sample.safetensors").write_bytes(statistics_to_bytes(sample))
    (tmp_path / "a" / "light.safetensors").write_bytes(statistics_to_bytes(light))
    mixed = FeatureStatistics(
        sample.count, sample.mean, sample.covariance, light.light_covariance, light.light_count
    )
    own = FeatureStatistics.from_regions(ROWS.raw)
    expected = fit_whitening(own, mixed, settings).apply(ROWS.raw[:50, 0])
    found = fit_store_whitening(store).apply(ROWS.raw[:50, 0])
    # Turned as a whole: all angles are equal.
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)
    assert not np.allclose(found, expected, atol=0.1)


def test_statistics_of_a_part_of_the_rows_are_spread_over_all(folder):
    store = Store.open(folder)
    every = store_statistics(store)
    assert every.count == 900
    np.testing.assert_allclose(every.mean, ROWS.raw.mean(axis=(0, 1)), atol=1e-5)
    third = store_statistics(store, rows=300)
    assert third.count == 300
    np.testing.assert_allclose(third.mean, ROWS.raw[::3].mean(axis=(0, 1)), atol=1e-5)


def test_the_process_that_builds_leaves_no_trace_of_its_number(folder):
    target = build_derived(folder, **SMALL)
    assert str(os.getpid()) not in (target / "manifest.json").read_text()


def _parts(rows: clouds.Cloud) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows.raw, rows.places, rows.ids


def _cell_of(place: np.ndarray) -> np.uint64:
    from sightline.geo import cells

    return cells.parents(cells.cell_ids(place[None, :]), 12)[0]


def test_an_index_turns_by_itself_where_there_is_no_whitening(tmp_path: Path):
    store = clouds.write(tmp_path / "a", clouds.card(24, 2, None), ROWS)
    build_derived(tmp_path / "a", **SMALL)
    derived = open_current(tmp_path / "a", store.card)
    index = faiss.read_index(str(derived.folder / INDEX_NAME))
    assert isinstance(index, faiss.IndexPreTransform)
    atlas = Atlas.open(tmp_path / "a")
    found = atlas.search(ROWS.raw[::30], 10, mode="approximate", **PLAIN)
    ids, _ = brute_force(derived.whitening, ROWS, ROWS.raw[::30], 10)
    share = np.mean([np.isin(a, b).mean() for a, b in zip(ids, found.ids, strict=True)])
    assert share > found.recall_estimate - 0.05
