"""Re-ranking by regions and pooling of places, against loops that say what is meant."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.atlas import Atlas
from sightline.atlas.rerank import (
    combined_score,
    pool_places,
    regional_similarity,
    squared_gaps,
)
from sightline.atlas.whiten import fit_store_whitening
from sightline.geo import cells
from sightline.geo.distance import destination, great_circle_m

from . import clouds
from .clouds import FINGERPRINT, brute_force


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def regional_by_loops(query: np.ndarray, reference: np.ndarray) -> float:
    there = [max(float(a @ b) for b in reference) for a in query]
    back = [max(float(a @ b) for a in query) for b in reference]
    return (sum(there) / len(there) + sum(back) / len(back)) / 2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 6))
def test_regional_similarity_is_what_the_loops_say(seed, cells, count):
    rng = np.random.default_rng(seed)
    query, references = unit(rng, cells, 8), unit(rng, count, cells, 8)
    found = regional_similarity(query, references)
    expected = [regional_by_loops(query, r) for r in references]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (np.abs(found) <= 1 + 1e-6).all()


def test_regional_similarity_knows_both_directions():
    east, north = np.eye(2, dtype=np.float32)
    # Every cell of the query is in the reference, but not the other way round.
    query, reference = np.stack([east, east]), np.stack([east, north])
    assert regional_similarity(query, reference[None])[0] == pytest.approx(0.75)


def test_the_combined_score_weighs_regions_twice():
    assert combined_score(np.array([1.0, -1.0]), np.array([1.0, -1.0])).tolist() == [1.0, -1.0]
    assert combined_score(np.array([0.3]), np.array([0.6]))[0] == pytest.approx(0.5)


def pooled_by_loops(scores, places, all_scores, all_places, radius):
    out = []
    for own, a in zip(scores, places, strict=True):
        above = below = 0.0
        for score, b in zip(all_scores, all_places, strict=True):
            gap = float(great_circle_m(a, b))
            if gap <= 2.5 * radius:
                weight = math.exp(-(gap**2) / (2 * radius**2))
                above, below = above + weight * score, below + weight
        out.append(0.25 * own + 0.75 * above / below)
    return out


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=8),
    st.floats(-80, 80),
    st.integers(0, 99),
)
def test_pooling_is_what_the_loops_say(scores, lat, seed):
    rng = np.random.default_rng(seed)
    start = np.array([[lat, 179.9999]])
    places = destination(start, rng.uniform(0, 360, len(scores)), rng.uniform(0, 60, len(scores)))
    scores, half = np.array(scores), max(1, len(scores) // 2)
    found = pool_places(scores[:half], scores, squared_gaps(places[:half], places, 15.0))
    expected = pooled_by_loops(scores[:half], places[:half], scores, places, 15.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (np.abs(found) <= 1 + 1e-12).all()


def test_a_place_does_not_win_by_having_many_references():
    places = np.array([[10.0, 20.0]] * 3 + [[-40.0, 20.0]])
    scores = np.array([0.4, 0.4, 0.4, 0.41])
    found = pool_places(scores, scores, squared_gaps(places, places, 15.0))
    np.testing.assert_allclose(found, scores)


def test_a_place_whose_other_views_are_alien_loses():
    places = np.array([[10.0, 20.0]] * 2 + [[-40.0, 20.0]] * 2)
    scores = np.array([0.5, -0.1, 0.45, 0.35])
    found = pool_places(scores[[0, 2]], scores, squared_gaps(places[[0, 2]], places, 15.0))
    assert found[1] > found[0]


def test_search_orders_by_regions_and_then_by_place(tmp_path: Path):
    rows = clouds.cloud(300)
    store = clouds.write(tmp_path / "a", clouds.card(24, 2), rows)
    whitening = fit_store_whitening(store)
    rng = np.random.default_rng(3)
    queries = (rows.raw[:6] + 0.4 * rng.standard_normal(rows.raw[:6].shape)).astype(np.float32)
    atlas = Atlas.open(tmp_path / "a")
    ids, cosines = brute_force(whitening, rows, queries, 20)
    regions = clouds.whitened(whitening, rows.raw)
    reordered = 0
    for pool_m in (0.0, 150.0):
        found = atlas.search(queries, 8, fingerprint=FINGERPRINT, pool_m=pool_m)
        for q in range(6):
            mine = whitening.apply(queries[q]).astype(np.float64)
            regional = [regional_by_loops(mine, regions[i]) for i in ids[q]]
            scores = (cosines[q] + 2 * np.array(regional)) / 3
            if pool_m:
                every = whitening.apply(queries[q].mean(axis=0)).astype(np.float64)
                cosine = clouds.whitened(whitening, rows.raw.mean(axis=1)) @ every
                other = [regional_by_loops(mine, one) for one in regions]
                scores = np.array(
                    pooled_by_loops(
                        scores,
                        rows.places[ids[q]],
                        (cosine + 2 * np.array(other)) / 3,
                        rows.places,
                        pool_m,
                    )
                )
            order = np.argsort(-scores, kind="stable")[:8]
            np.testing.assert_array_equal(found.ids[q], ids[q][order])
            np.testing.assert_allclose(found.scores[q], scores[order].clip(-1, 1), atol=1e-5)
            reordered += not np.array_equal(order, np.arange(8))
    assert reordered > 4


def test_all_that_is_returned_is_on_one_scale(tmp_path: Path):
    rows = clouds.cloud(120)
    clouds.write(tmp_path / "a", clouds.card(24, 2), rows)
    found = Atlas.open(tmp_path / "a").search(rows.raw[:3], 100, fingerprint=FINGERPRINT)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert (np.abs(found.scores) <= 1).all()


def test_one_region_means_global_scores(tmp_path: Path):
    rows = clouds.cloud(50, regions=1)
    store = clouds.write(tmp_path / "a", clouds.card(24, 1), rows)
    found = Atlas.open(tmp_path / "a").search(rows.raw[:4], 5, fingerprint=FINGERPRINT, pool_m=0)
    ids, cosines = brute_force(fit_store_whitening(store), rows, rows.raw[:4], 5)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.scores, cosines.clip(-1, 1), atol=1e-6)


def test_in_a_small_cell_all_its_rows_of_a_place_are_heard_and_no_others(tmp_path: Path):
    rows = clouds.cloud(400, regions=1)
    store = clouds.write(tmp_path / "a", clouds.card(24, 1), rows)
    whitening = fit_store_whitening(store)
    own = cells.parents(cells.cell_ids(rows.places), 2)
    names, counts = np.unique(own, return_counts=True)
    cell, pool_m = names[counts.argmax()], 200_000.0
    inside = np.flatnonzero(own == cell)
    assert 25 < len(inside) < len(rows.places)
    queries = rows.raw[inside[:4]]
    found = Atlas.open(tmp_path / "a").search(
        queries, 8, cell=int(cell), fingerprint=FINGERPRINT, pool_m=pool_m
    )
    every = clouds.whitened(whitening, rows.raw.mean(axis=1))[inside]
    moved = 0
    for q, query in enumerate(queries):
        cosines = every @ whitening.apply(query.mean(axis=0)).astype(np.float64)
        best = np.argsort(-cosines, kind="stable")[:20]
        scores = np.array(
            pooled_by_loops(
                cosines[best], rows.places[inside[best]], cosines, rows.places[inside], pool_m
            )
        )
        order = np.argsort(-scores, kind="stable")[:8]
        np.testing.assert_array_equal(found.ids[q], inside[best[order]])
        np.testing.assert_allclose(found.scores[q], scores[order].clip(-1, 1), atol=1e-5)
        moved += not np.allclose(scores, cosines[best], atol=1e-3)
    assert moved == 4
