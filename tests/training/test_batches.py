from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DependencyError, UsageError
from sightline.training.cross_view.batches import (
    Shuffled,
    WithHardPartners,
    WithinClusters,
    nearest_rows,
)
from sightline.training.cross_view.super_batches import SCHEMA, cluster, save_super_batches


def units(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_shuffling_takes_every_row_once_and_anew_in_each_epoch() -> None:
    sampler = Shuffled(23, 5, seed=1)
    first, second = sampler.batches_of(0), sampler.batches_of(1)
    rows = np.concatenate(first)
    assert [len(batch) for batch in first] == [5] * 4
    assert len(np.unique(rows)) == 20
    assert not np.array_equal(rows, np.concatenate(second))
    assert np.array_equal(rows, np.concatenate(Shuffled(23, 5, seed=1).batches_of(0)))
    assert not np.array_equal(rows, np.concatenate(Shuffled(23, 5, seed=2).batches_of(0)))
    with pytest.raises(UsageError, match="4 pairs make no batch of 5"):
        Shuffled(4, 5)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 30),
    count=st.integers(1, 8),
    seed=st.integers(0, 99),
    places=st.integers(1, 30),
)
def test_neighbours_are_those_of_a_slow_search(
    rows: int, count: int, seed: int, places: int
) -> None:
    queries, references = units(rows, 3, seed), units(rows, 3, seed + 1)
    same = np.random.default_rng(seed).integers(0, places, rows)
    found = nearest_rows(queries, references, count, same=same)
    for row in range(rows):
        others = [other for other in range(rows) if same[other] != same[row]]
        others.sort(key=lambda other: (-float(queries[row] @ references[other]), other))
        wanted = [queries[row] @ references[other] for other in others[:count]]
        kept = found[row][found[row] >= 0]
        assert len(kept) == min(count, len(others))
        assert not set(kept.tolist()) - set(others)
        np.testing.assert_allclose([queries[row] @ references[n] for n in kept], wanted, atol=1e-6)


def test_neighbours_of_pairs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="one shape"):
        nearest_rows(units(3, 2), units(4, 2), 1)


def test_half_of_a_batch_is_partners_of_the_other_half() -> None:
    neighbours = nearest_rows(units(40, 4), units(40, 4, 1), 5)
    sampler = WithHardPartners(neighbours, 8, share=0.5, seed=3)
    batches = sampler.batches_of(0)
    assert len(batches) == 5
    for batch in batches:
        assert len(set(batch.tolist())) == 8
        drawn, partners = batch[:4], batch[4:]
        for row, partner in zip(drawn, partners, strict=True):
            assert partner in neighbours[row]
    rows = np.concatenate([batch[:4] for batch in batches])
    assert len(np.unique(rows)) == 20
    assert not np.array_equal(batches[0], sampler.batches_of(1)[0])
    assert sampler.identity() != WithHardPartners(neighbours, 8, share=0.25).identity()


def test_whoever_has_no_neighbour_left_gets_anyone() -> None:
    neighbours = np.zeros((8, 1), np.int32)
    for batch in WithHardPartners(neighbours, 8, seed=0).batches_of(0):
        assert sorted(batch.tolist()) == list(range(8))


def test_batches_within_clusters_are_of_one_cluster() -> None:
    clusters = np.repeat(np.arange(3, dtype=np.int32), (11, 8, 4))
    sampler = WithinClusters(clusters, 4, seed=0)
    batches = sampler.batches_of(0)
    assert sorted(int(clusters[batch[0]]) for batch in batches) == [0, 0, 1, 1, 2]
    for batch in batches:
        assert len(set(clusters[batch].tolist())) == 1
    assert len(np.unique(np.concatenate(batches))) == 20
    assert [clusters[b[0]] for b in batches] != sorted(clusters[b[0]] for b in batches)
    assert not np.array_equal(np.stack(batches), np.stack(sampler.batches_of(1)))
    assert sampler.identity() != WithinClusters(clusters[::-1].copy(), 4).identity()
    with pytest.raises(UsageError, match="in 3 clusters make no batch of 12"):
        WithinClusters(clusters, 12)


def three_clouds(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    centres = np.eye(6, dtype=np.float32)[:3] * 4
    return (centres[truth] + rng.normal(0, 0.3, (count, 6))).astype(np.float32), truth


def test_super_batches_need_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(DependencyError, match="need scikit-learn") as caught:
        cluster(np.zeros((6, 2), np.float32), 3)
    assert "pip install sightline[train]" in caught.value.hint


def test_clusters_are_found_on_a_sample_and_all_are_assigned() -> None:
    vectors, truth = three_clouds()
    found = cluster(vectors, 3, sample=60, seed=1)
    assert found.sampled.sum() == 60
    assert found.sampled[60:].any()
    assert sorted(np.bincount(found.clusters)) == sorted(np.bincount(truth))
    seen = np.bincount(found.clusters[found.sampled])
    assert seen.tolist() == sorted(seen.tolist(), reverse=True)
    for number in range(3):
        assert len(set(truth[found.clusters == number].tolist())) == 1
    nearest = ((vectors[:, None] - found.centres) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(found.clusters, nearest)
    again = cluster(vectors, 3, sample=60, seed=1)
    assert np.array_equal(again.clusters, found.clusters)
    with pytest.raises(UsageError, match="at least as many embeddings"):
        cluster(vectors[:2], 3)


def test_the_plane_is_that_of_the_principal_components() -> None:
    vectors, _ = three_clouds()
    found = cluster(vectors, 3, sample=10_000)
    middle = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(middle.T))
    wanted = middle @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(found.plane), np.abs(wanted), atol=1e-3)
    np.testing.assert_allclose(found.explained, values[::-1][:2] / values.sum(), rtol=1e-4)


def test_two_components_of_long_embeddings_are_found_without_the_others() -> None:
    """As of NetVLAD, whose other components would take hours."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(3_000, 2)))[0].T
    vectors = (rng.normal(size=(700, 2)) * [9, 4]) @ directions
    vectors = (vectors + rng.normal(0, 0.01, (700, 3_000))).astype(np.float32)
    found = cluster(vectors, 2, sample=600)
    middle = vectors[found.sampled].mean(axis=0)
    _, lengths, axes = np.linalg.svd(vectors[found.sampled] - middle, full_matrices=False)
    wanted = (vectors - middle) @ axes[:2].T
    np.testing.assert_allclose(np.abs(found.plane), np.abs(wanted), atol=2e-2)
    np.testing.assert_allclose(found.explained, lengths[:2] ** 2 / np.sum(lengths**2), rtol=1e-3)


def test_what_the_figures_need_is_kept(tmp_path: Path) -> None:
    vectors, _ = three_clouds(50)
    found = cluster(vectors, 3)
    names = [f"p{n}" for n in range(50)]
    path = tmp_path / "deep" / "clusters.parquet"
    save_super_batches(path, found, photo_ids=names, patch_ids=names, latlon=np.zeros((50, 2)))
    table = pq.read_table(path)
    assert table.schema.metadata[b"schema"] == SCHEMA
    assert table.column("photo_id").to_pylist() == names
    assert table.column("cluster").to_pylist() == found.clusters.tolist()
    shown = np.array(table.column("example"))
    for number in range(3):
        members = found.clusters == number
        assert shown[members].sum() == min(12, members.sum())
