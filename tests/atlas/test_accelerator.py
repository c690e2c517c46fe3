"""The index, its calibration, widening, array files and exact scans, each by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.atlas import arrays as array_files
from sightline.atlas import calibration
from sightline.atlas.accelerator import Accelerator, Effort, bitmap, list_count, train
from sightline.atlas.arrays import ArrayFile, load_array, save_array, widen
from sightline.atlas.calibration import Calibration, calibrate, perturbed_rows, recall
from sightline.atlas.exact import exact_top
from sightline.atlas.references import References
from sightline.atlas.search import Searcher
from sightline.atlas.segment import Segment, write_segment
from sightline.atlas.unrelated import measure_unrelated
from sightline.atlas.whiten import fit_store_whitening

from . import clouds


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    folder = tmp_path_factory.mktemp("segment")
    store = clouds.write(
        folder / "atlas", clouds.card(32, 1), clouds.cloud(3000, dimension=32, regions=1)
    )
    write_segment(folder, store, fit_store_whitening(store))
    return Segment.open(folder)


@pytest.fixture(scope="module")
def accelerator(segment, tmp_path_factory) -> Accelerator:
    path = tmp_path_factory.mktemp("index") / "index.faiss"
    faiss.write_index(train(segment), str(path))
    return Accelerator.open(path)


@given(
    arrays(
        np.float16,
        st.integers(0, 9),
        elements=st.floats(width=16, allow_nan=False, allow_infinity=False),
    )
)
def test_widening_is_exact(halves):
    np.testing.assert_array_equal(widen(halves), halves.astype(np.float32))
    assert widen(halves).dtype == np.float32


def test_widening_knows_every_finite_half():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    np.testing.assert_array_equal(widen(finite), finite.astype(np.float32))


def test_array_files_are_plain_npy(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(array_files, "_WRITTEN_AT_ONCE", 100)
    expected = np.random.default_rng(0).standard_normal((50, 3))
    with ArrayFile(tmp_path / "a.npy", (50, 3), np.float64) as file:
        for row in np.random.default_rng(1).permutation(50):
            file.array[row] = expected[row]
            file.wrote(24)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected)
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy"), expected)
    save_array(tmp_path / "b.npy", np.empty((0, 4), np.int16))
    assert load_array(tmp_path / "b.npy").shape == (0, 4)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(0, 2999), st.integers(0, 2999), st.integers(1, 4))
def test_exact_scans_of_runs_and_of_positions_agree_with_sorting(segment, k, a, b, q):
    start, stop = sorted((a, b))
    queries = perturbed_rows(segment, np.random.default_rng(k), (0.97, 0.9, 0.8), q)
    scores = queries.astype(np.float64) @ segment.vectors[start:stop].astype(np.float64).T
    for rows in (slice(start, stop), np.arange(start, stop)):
        found, cosines = exact_top(segment, queries, k, rows=rows)
        for row in range(q):
            order = sorted(
                range(stop - start), key=lambda i: (-scores[row, i], segment.ids[start + i])
            )
            order = order[:k]
            assert found[row, : len(order)].tolist() == [start + i for i in order]
            np.testing.assert_allclose(cosines[row, : len(order)], scores[row, order], atol=1e-9)
            assert (found[row, len(order) :] == -1).all()
            assert np.isneginf(cosines[row, len(order) :]).all()


def test_many_blocks_give_what_one_does(segment):
    tall = replace(
        segment,
        vectors=np.tile(segment.vectors, (7, 1)),
        ids=np.arange(21_000),
    )
    for q in (1, 3):
        queries = perturbed_rows(segment, np.random.default_rng(0), (0.97, 0.9, 0.8), q)
        found, _ = exact_top(tall, queries, 40)
        scores = queries.astype(np.float64) @ tall.vectors.astype(np.float64).T
        for row in range(q):
            expected = np.lexsort((tall.ids, -scores[row]))[:40]
            assert set(found[row] % 3000) == set(expected % 3000)
            np.testing.assert_allclose(scores[row, found[row]], scores[row, expected], atol=1e-12)


def test_the_index_finds_only_what_is_allowed(segment, accelerator):
    queries = perturbed_rows(segment, np.random.default_rng(0), (0.97, 0.9, 0.8), 30)
    chosen = np.sort(np.random.default_rng(1).choice(3000, 200, replace=False))
    found = accelerator.propose(queries, 500, lists=accelerator.lists, allowed=bitmap(chosen, 3000))
    assert np.isin(found[found >= 0], chosen).all()
    assert ((found >= 0).sum(axis=1) == 200).all()
    truth, _ = exact_top(segment, queries, 20, rows=chosen)
    assert recall(found[:, :200], truth) == 1.0


def test_more_candidates_than_rows_are_padded(segment, accelerator):
    found = accelerator.propose(
        perturbed_rows(segment, np.random.default_rng(0), (0.97, 0.9, 0.8), 2), 9999, lists=99999
    )
    assert found.shape == (2, 3000)
    assert set(found[0]) == set(range(3000))
    assert accelerator.rows == 3000


def test_calibration_states_what_is_measured(segment, accelerator):
    found = calibrate(segment, accelerator, exact_rows=300)
    queries = perturbed_rows(segment, np.random.default_rng(77), (0.97, 0.9, 0.8), 120)
    truth, _ = exact_top(segment, queries, 100)
    effort = found.effort(100, filtered=False)
    proposed = accelerator.propose(queries, effort.candidates, lists=effort.lists)
    assert recall(proposed, truth) == pytest.approx(effort.recall, abs=0.03)
    within = found.effort(50, filtered=True)
    assert within.lists == accelerator.lists
    assert within.recall >= 0.95
    assert found.effort(5000, filtered=False) is None
    assert Calibration.from_json(found.to_json()) == found


@pytest.mark.parametrize("similarity", [0.97, 0.6, 0.4])
def test_the_first_rows_are_found_for_queries_of_little_likeness(segment, accelerator, similarity):
    effort = calibrate(segment, accelerator, exact_rows=300).effort(20, filtered=False)
    assert effort.depth == 20
    queries = perturbed_rows(segment, np.random.default_rng(78), (similarity,), 200)
    truth, _ = exact_top(segment, queries, 20)
    proposed = accelerator.propose(queries, effort.candidates, lists=effort.lists)
    assert recall(proposed, truth) >= 0.92


def test_an_unreachable_target_leaves_no_effort(segment, accelerator):
    found = calibrate(segment, accelerator, exact_rows=300, target=1.1)
    assert found == Calibration((), ())


def test_parts_that_are_scanned_anyway_are_not_calibrated(segment, accelerator):
    assert calibrate(segment, accelerator, exact_rows=3000).within == ()


def test_an_atlas_too_small_is_not_calibrated(segment, accelerator):
    little = replace(segment, ids=segment.ids[:70], vectors=segment.vectors[:70])
    assert calibrate(little, accelerator, exact_rows=10) == Calibration((), ())


def test_perturbed_rows_have_the_stated_cosines(segment):
    rng = np.random.default_rng(4)
    queries = perturbed_rows(segment, rng, (0.97, 0.9, 0.8), 9)
    rows = np.sort(np.random.default_rng(4).choice(3000, 9, replace=False))
    cosines = (queries * segment.vectors[rows].astype(np.float32)).sum(axis=1)
    np.testing.assert_allclose(cosines, [0.97, 0.9, 0.8] * 3, atol=2e-3)


def test_recall_counts_what_there_is():
    truth = np.array([[1, 2, -1], [-1, -1, -1]])
    assert recall(np.array([[2, 9, 8, 7], [1, 2, 3, 4]]), truth) == 0.75


positions = st.lists(st.integers(-1, 12), min_size=3, max_size=3)


@given(
    st.lists(positions, min_size=1, max_size=6),
    st.lists(positions, min_size=6, max_size=6),
    st.integers(0, 5),
)
def test_recall_is_that_of_looking_for_each_in_turn(found: list, truth: list, first: int):
    """Among all that was found, and among the first of it, fewer than there are or more."""
    wanted = np.array(truth[: len(found)])
    shares = []
    for given_row, row in zip(found, truth, strict=False):
        real = [position for position in row if position >= 0]
        hits = [position in given_row[:first] for position in real]
        shares.append(sum(hits) / len(hits) if hits else 1.0)
    expected = pytest.approx(sum(shares) / len(shares))
    assert recall(np.array(found)[:, :first], wanted) == expected
    columns = calibration._columns_of(wanted, np.array(found))
    assert calibration._share(columns, wanted, first) == expected


def test_lists_grow_with_the_root_of_the_rows():
    assert [list_count(n) for n in (100_000, 1_000_000, 5_000_000)] == [1024, 4096, 8192]


def test_an_effort_is_plain_numbers():
    effort = Effort(100, 8, 400, 0.96)
    assert Calibration((effort,), ()).to_json()["everywhere"][0]["candidates"] == 400


def unrelated_of(path: Path, rows: clouds.Cloud):
    store = clouds.write(path, clouds.card(24, 2), rows)
    whitening = fit_store_whitening(store)
    folder = path / "segment"
    folder.mkdir()
    write_segment(folder, store, whitening)
    references = References((Segment.open(folder),), (np.empty(0, np.int64),))
    return measure_unrelated(store, Searcher(references, whitening))


def test_unrelated_scores_leave_out_the_own_place(tmp_path: Path):
    rows = clouds.cloud(300)
    found = unrelated_of(tmp_path / "a", rows)
    assert found.apart_m == 1000.0
    assert found.sampled == 200
    assert found.median <= found.quantile < 0.999


def test_unrelated_scores_are_those_of_the_default_search(tmp_path: Path):
    from sightline.atlas import Atlas

    rows = clouds.cloud(120)
    found = unrelated_of(tmp_path / "a", rows)
    matches = Atlas.open(tmp_path / "a").search(
        rows.raw, 1, fingerprint=clouds.FINGERPRINT, exclude_within_m=(rows.places, 1000.0)
    )
    assert found.sampled == 120
    assert found.quantile == pytest.approx(float(np.quantile(matches.scores[:, 0], 0.95)), abs=1e-6)


def test_an_atlas_of_one_town_measures_within_its_extent(tmp_path: Path):
    rows = clouds.cloud(80)
    near = rows.places[:1] + np.random.default_rng(0).uniform(-0.003, 0.003, (80, 2))
    found = unrelated_of(tmp_path / "a", clouds.Cloud(rows.raw, near, rows.ids))
    assert 50 < found.apart_m < 1000
    assert "extent" in found.note


def test_an_atlas_of_one_spot_has_nothing_unrelated(tmp_path: Path):
    rows = clouds.cloud(40)
    spot = np.broadcast_to(rows.places[:1], (40, 2))
    assert unrelated_of(tmp_path / "a", clouds.Cloud(rows.raw, spot, rows.ids)) is None


def test_too_few_photos_say_nothing(tmp_path: Path):
    assert unrelated_of(tmp_path / "a", clouds.cloud(4)) is None


def test_an_index_that_turns_finds_what_one_axis_would_hide(tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = clouds.cloud(3000, dimension=32, regions=1)
    # Nearly everything that tells rows apart lies in four axes: one-bit codes see little of it.
    rows = replace(rows, raw=(rows.raw * np.where(np.arange(32) < 4, 8.0, 0.2)).astype(np.float32))
    store = clouds.write(tmp_path / "atlas", clouds.card(32, 1, None), rows)
    whitening = fit_store_whitening(store)
    assert whitening.turns_nothing
    write_segment(tmp_path, store, whitening)
    segment = Segment.open(tmp_path)
    queries = perturbed_rows(segment, rng, (0.97, 0.95, 0.93), 60)
    truth = exact_top(segment, queries, 20)[0]
    found = []
    for turning in (False, True):
        path = tmp_path / f"{turning}.faiss"
        faiss.write_index(train(segment, turning=turning), str(path))
        opened = Accelerator.open(path)
        assert (opened.rows, opened.lists) == (3000, list_count(3000))
        found.append(recall(opened.propose(queries, 24, lists=opened.lists), truth))
    assert found[1] > found[0] + 0.1
