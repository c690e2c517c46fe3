"""Searching one atlas: exact against brute force, approximate against exact, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.atlas import Atlas, build_derived
from sightline.atlas import search as search_module
from sightline.atlas.derived import open_current
from sightline.atlas.store import Store
from sightline.errors import (
    AtlasEmptyError,
    AtlasNotFoundError,
    CellError,
    FingerprintError,
    UsageError,
    VectorError,
)
from sightline.geo import cells
from sightline.geo.distance import geodesic_m
from sightline.geo.region import BoundingBox, Circle
from sightline.models.whitening import WhiteningSettings

from . import clouds
from .clouds import FINGERPRINT, brute_force

PLAIN = {"fingerprint": FINGERPRINT, "rerank": 0, "pool_m": 0.0}
ROWS = clouds.cloud(2000)
EXACT_ROWS = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("searched") / "atlas"
    clouds.write(path, clouds.card(24, 2, WhiteningSettings(dimension=20)), ROWS, commits=3)
    build_derived(path, index_from_rows=1000, exact_rows=EXACT_ROWS)
    return path


@pytest.fixture(scope="module")
def atlas(folder: Path) -> Atlas:
    return Atlas.open(folder)


@pytest.fixture(scope="module")
def whitening(folder: Path):
    derived = open_current(folder, Store.open(folder).card)
    assert derived is not None
    return derived.whitening


def asked(count: int, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = ROWS.raw[rng.choice(len(ROWS.raw), count, replace=False)]
    return (raw + 0.05 * rng.standard_normal(raw.shape)).astype(np.float32)


def test_exact_search_equals_brute_force(atlas, whitening):
    queries = asked(70)
    found = atlas.search(queries, 17, mode="exact", **PLAIN)
    ids, scores = brute_force(whitening, ROWS, queries, 17)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.scores, scores.clip(-1, 1), atol=1e-6)
    np.testing.assert_allclose(found.distances, 2 - 2 * scores.clip(-1, 1), atol=1e-5)
    assert found.mode == "exact"
    assert found.recall_estimate == 1.0
    assert len(found) == 70


def test_matches_carry_the_facts_of_their_rows(atlas):
    found = atlas.search(asked(3), 4, **PLAIN)
    for q in range(3):
        for i in range(4):
            number = int(found.ids[q, i])
            np.testing.assert_array_equal(found.coordinates[q, i], ROWS.places[number])
            assert found.uris[q, i] == clouds.name_of(number)
            assert found.views[q, i] == number % 4
            heading = found.headings[q, i]
            assert np.isnan(heading) if number % 3 == 0 else heading == number % 360


def test_approximate_search_has_the_recall_it_states(atlas, whitening):
    queries = asked(60)
    found = atlas.search(queries, 100, **PLAIN)
    ids, _ = brute_force(whitening, ROWS, queries, 100)
    recall = np.mean([np.isin(ids[q], found.ids[q]).mean() for q in range(60)])
    assert found.mode == "approximate"
    assert found.recall_estimate >= 0.95
    assert recall >= found.recall_estimate - 0.03


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_a_region_never_loses_recall_without_a_word(atlas, whitening, share):
    count = max(2, round(share * 2000))
    west, east = np.sort(ROWS.places[:, 1])[[0, count - 1]]
    region = BoundingBox(-90.0, float(west), 90.0, float(east))
    inside = region.contains(ROWS.places)
    queries = asked(40)
    found = atlas.search(queries, 50, region=region, **PLAIN)
    ids, _ = brute_force(whitening, ROWS, queries, 50, inside)
    shares = [np.isin(i[i >= 0], f).mean() for i, f in zip(ids, found.ids, strict=True)]
    assert inside[found.ids[found.ids >= 0]].all()
    assert (found.counts == min(50, inside.sum())).all()
    if inside.sum() <= EXACT_ROWS:
        assert found.mode == "exact"
        np.testing.assert_array_equal(found.ids, ids)
    assert np.mean(shares) >= found.recall_estimate - 0.03
    assert found.recall_estimate >= 0.95


def test_a_region_searched_again_gives_the_same(atlas):
    region = Circle(tuple(ROWS.places[7]), 5000.0)
    first = atlas.search(asked(5), 5, region=region, **PLAIN)
    again = atlas.search(asked(5), 5, region=region, **PLAIN)
    np.testing.assert_array_equal(first.ids, again.ids)
    for number in range(6):  # the first is forgotten meanwhile
        atlas.search(asked(1), 1, region=Circle(tuple(ROWS.places[number]), 9000.0), **PLAIN)
    again = atlas.search(asked(5), 5, region=region, **PLAIN)
    np.testing.assert_array_equal(first.ids, again.ids)


@pytest.mark.parametrize("level", [1, 4, 9, 30])
def test_a_cell_is_always_exact(atlas, whitening, level):
    leaves = cells.cell_ids(ROWS.places)
    for number in (3, 500, 1999):
        cell = cells.parents(leaves[number : number + 1], level)
        inside = cells.parents(leaves, level) == cell[0]
        queries = asked(9)
        ids, _ = brute_force(whitening, ROWS, queries, 10, inside)
        unsigned = int(cell[0])
        signed = int(cells.to_signed(cell)[0])
        for name in (unsigned, signed):
            found = atlas.search(queries, 10, cell=name, mode="approximate", **PLAIN)
            np.testing.assert_array_equal(found.ids, ids)
            assert found.mode == "exact"


def test_a_cell_within_a_region(atlas, whitening):
    leaves = cells.cell_ids(ROWS.places)
    cell = cells.parents(leaves[:1], 2)
    middle = float(np.median(ROWS.places[cells.parents(leaves, 2) == cell[0], 0]))
    region = BoundingBox(-90.0, -180.0, middle, 180.0)
    inside = region.contains(ROWS.places) & (cells.parents(leaves, 2) == cell[0])
    found = atlas.search(asked(4), 10, cell=int(cell[0]), region=region, **PLAIN)
    ids, _ = brute_force(whitening, ROWS, asked(4), 10, inside)
    np.testing.assert_array_equal(found.ids, ids)


def test_equal_scores_are_ordered_by_row_id(tmp_path: Path):
    rows = clouds.cloud(400)
    same = np.repeat(rows.raw[:20], 20, axis=0)
    shuffled = np.random.default_rng(1).permutation(400)
    rows = clouds.Cloud(same, rows.places, shuffled)
    clouds.write(tmp_path / "a", clouds.card(24, 2), rows)
    found = Atlas.open(tmp_path / "a").search(same[:1], 20, **PLAIN)
    np.testing.assert_array_equal(found.ids[0], np.sort(shuffled[:20]))


def test_more_than_there_are_gives_fewer_padded(tmp_path: Path):
    rows = clouds.cloud(5)
    clouds.write(tmp_path / "a", clouds.card(24, 2), rows)
    found = Atlas.open(tmp_path / "a").search(rows.raw[:2], 9, fingerprint=FINGERPRINT)
    assert found.counts.tolist() == [5, 5]
    assert sorted(found.ids[0, :5]) == [0, 1, 2, 3, 4]
    assert (found.ids[:, 5:] == -1).all()
    assert np.isnan(found.scores[:, 5:]).all()
    assert np.isnan(found.coordinates[:, 5:]).all()
    assert all(uri is None for uri in found.uris[0, 5:])
    assert (found.views[:, 5:] == -1).all()


def test_rows_near_a_point_are_left_out(atlas, whitening):
    queries = ROWS.raw[:8]
    points = ROWS.places[:8].copy()
    points[3] = np.nan
    for metres in (0.0, 400.0, 2_000_000.0):
        found = atlas.search(queries, 10, exclude_within_m=(points, metres), mode="exact", **PLAIN)
        fast = atlas.search(queries, 10, exclude_within_m=(points, metres), **PLAIN)
        for q in range(8):
            far = np.ones(2000, bool)
            if q != 3:
                far = geodesic_m(ROWS.places, points[q]) >= metres
            ids, _ = brute_force(whitening, ROWS, queries[q : q + 1], 10, far)
            np.testing.assert_array_equal(found.ids[q], ids[0])
            assert far[fast.ids[q]].all()
            assert np.isin(ids[0], fast.ids[q]).mean() >= 0.8


def test_where_too_many_rows_are_left_out_the_scan_is_exact(atlas, monkeypatch):
    left_out = {"exclude_within_m": (ROWS.places[:1], 400_000.0), **PLAIN}
    assert (geodesic_m(ROWS.places, ROWS.places[0]) < 400_000.0).sum() > 1
    assert atlas.search(asked(1), 5, **left_out).mode == "approximate"
    monkeypatch.setattr(search_module, "_MOST_EXCLUDED", 1)
    found, exact = (
        atlas.search(asked(1), 5, mode=mode, **left_out) for mode in ("approximate", "exact")
    )
    assert (found.mode, found.recall_estimate) == ("exact", 1.0)
    np.testing.assert_array_equal(found.ids, exact.ids)


def test_a_photo_is_left_out_by_its_hash(atlas, whitening):
    hashes = [clouds.hash_of(0).hex(), None, clouds.hash_of(2).hex().upper()]
    found = atlas.search(ROWS.raw[:3], 3, exclude_sha256=hashes, mode="exact", **PLAIN)
    for q in range(3):
        keep = np.arange(2000) != (q if q != 1 else -1)
        ids, _ = brute_force(whitening, ROWS, ROWS.raw[q : q + 1], 3, keep)
        np.testing.assert_array_equal(found.ids[q], ids[0])
    assert found.ids[1, 0] == 1


def test_hash_and_distance_exclude_together(atlas):
    found = atlas.search(
        ROWS.raw[:1],
        5,
        exclude_sha256=[clouds.hash_of(0).hex()],
        exclude_within_m=(ROWS.places[1:2], 100.0),
        **PLAIN,
    )
    assert 0 not in found.ids
    assert 1 not in found.ids


def test_excluding_everything_returns_padding(atlas):
    found = atlas.search(asked(1), 5, exclude_within_m=(ROWS.places[:1], 2.1e7), **PLAIN)
    assert found.counts.tolist() == [0]


def test_deeper_than_was_measured_is_exact(atlas, whitening):
    found = atlas.search(asked(2), 1500, **PLAIN)
    _, cosines = brute_force(whitening, ROWS, asked(2), 1500)
    assert found.mode == "exact"
    # Scores, not ids: among so many, two are equal but for their last bit.
    np.testing.assert_allclose(found.scores, cosines, atol=1e-4)


def test_no_queries_give_no_matches(atlas):
    found = atlas.search(np.empty((0, 4, 24), np.float32), 3, **PLAIN)
    assert found.ids.shape == (0, 3)


def test_the_wrong_encoder_is_named(atlas):
    with pytest.raises(FingerprintError, match=r"ffffffffffffffff.*another one"):
        atlas.search(asked(1), fingerprint="another one")


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.zeros((2, 4, 23)), r"\(q, 4, 24\). Got \(2, 4, 23\)"),
        (np.zeros((4, 24)), r"Got \(4, 24\)"),
        ([["a"]], "array of numbers"),
        (np.full((1, 4, 24), np.nan), "Row 0 has NaN"),
        (np.stack([ROWS.raw[0], ROWS.raw[1] * np.inf]), "Row 1 has NaN"),
        (np.stack([ROWS.raw[0], ROWS.raw[0], ROWS.raw[1] * 0]), "Row 2 is"),
    ],
)
def test_vectors_that_cannot_ask_are_refused(atlas, vectors, words):
    with pytest.raises(VectorError, match=words):
        atlas.search(vectors, fingerprint=FINGERPRINT)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 0}, "k must be"),
        ({"k": True}, "k must be"),
        ({"k": 2.5}, "k must be"),
        ({"rerank": -1}, "rerank must be"),
        ({"pool_m": -1.0}, "pool_m must be"),
        ({"pool_m": np.nan}, "pool_m must be"),
        ({"mode": "quick"}, "mode must be"),
        ({"exclude_within_m": (np.zeros((2, 2)), 1.0)}, r"\(1, 2\) and metres"),
        ({"exclude_within_m": (np.zeros((1, 2)), -1.0)}, "metres >= 0"),
        ({"exclude_sha256": []}, "1 hashes"),
        ({"exclude_sha256": ["xyz"]}, "64 hexadecimal"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(atlas, arguments, words):
    with pytest.raises(UsageError, match=words):
        atlas.search(asked(1), fingerprint=FINGERPRINT, **arguments)


@pytest.mark.parametrize("cell", [0, 1 << 64, -(1 << 63) - 1, "54", 2**63 + 2])
def test_what_is_no_cell_is_refused(atlas, cell):
    with pytest.raises(CellError, match="no S2 cell"):
        atlas.search(asked(1), cell=cell, **PLAIN)


def test_an_empty_region_or_cell_is_named(atlas):
    with pytest.raises(AtlasEmptyError, match="no references inside"):
        atlas.search(asked(1), region=BoundingBox(-89.0, 0.0, -88.0, 1.0), **PLAIN)
    cell = cells.cell_ids(np.array([[-88.5, 0.5]]), 12)
    with pytest.raises(AtlasEmptyError, match=cells.tokens(cell)[0]):
        atlas.search(asked(1), cell=int(cell[0]), **PLAIN)


def test_an_empty_atlas_opens_and_says_so_when_asked(tmp_path: Path):
    Store.create(tmp_path / "a", clouds.card(24, 2))
    atlas = Atlas.open(tmp_path / "a")
    assert atlas.count == 0
    assert atlas.null_similarity is None
    assert atlas.info()["references"] == 0
    with pytest.raises(AtlasEmptyError, match="no references"):
        atlas.search(asked(1), fingerprint=FINGERPRINT)


def test_a_folder_without_an_atlas_is_refused(tmp_path: Path):
    with pytest.raises(AtlasNotFoundError):
        Atlas.open(tmp_path)
