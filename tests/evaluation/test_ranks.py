"""Ranks against counting one score at a time, and what ties, precision and blocks do to them."""

from __future__ import annotations

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError, VectorError
from sightline.evaluation.retrieval import block_arithmetic, scanner
from sightline.evaluation.retrieval.ranks import rank
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.retrieval.vectors import LanceColumn, measure, open_vectors

from .oracle import ranks_by_counting
from .sets import assert_same, lattice, random_relevance, seeded_sets, unit


@given(seeded_sets(), st.integers(1, 9), st.sampled_from(["euclidean", "cosine", "dot"]))
@settings(max_examples=150, deadline=None)
def test_they_are_what_counting_gives(
    drawn: tuple[np.random.Generator, int, int, int, int], block: int, distance: str
) -> None:
    rng, n, m, dimension, kinds = drawn
    queries = lattice(rng, n, dimension, kinds)
    references = lattice(rng, m, dimension, kinds)
    relevance = random_relevance(rng, n, m)
    ours = rank(queries, references, relevance, distance=distance, every_positive=True, block=block)
    wanted = ranks_by_counting(
        queries, references, relevance, distance=distance, tolerance=ours.tie_tolerance
    )
    assert_same(ours, wanted)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ordinary_vectors_of_every_precision(distance: str, dtype: type) -> None:
    rng = np.random.default_rng(3)
    queries = rng.standard_normal((70, 24)).astype(dtype)
    references = (rng.standard_normal((90, 24)) * rng.uniform(0.5, 2, (90, 1))).astype(dtype)
    relevance = random_relevance(rng, 70, 90)
    ours = rank(queries, references, relevance, distance=distance, every_positive=True, block=32)
    wanted = ranks_by_counting(
        queries, references, relevance, distance=distance, tolerance=ours.tie_tolerance
    )
    assert_same(ours, wanted)


def test_float32_that_errs_more_than_a_sample_of_it_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors and product are all cut by almost half a last digit, but for those of the sample."""
    monkeypatch.setattr(scanner, "_SAMPLE", 1)
    digit = 2.0**-23
    exact, cut = 1.0 + 2027 * digit, 1.0 + 2027.499 * digit
    queries = np.array([[1.0], [cut]])
    references = np.array([exact, cut, cut + 1e-13, cut - 2e-13, cut + 3e-13, exact])[:, None]
    relevance = random_relevance(np.random.default_rng(0), 2, 6)
    ours = rank(queries, references, relevance, distance="dot", every_positive=True)
    wanted = ranks_by_counting(
        queries, references, relevance, distance="dot", tolerance=ours.tie_tolerance
    )
    assert_same(ours, wanted)


@pytest.mark.parametrize("every_positive", [False, True])
def test_nearly_collapsed_vectors(every_positive: bool) -> None:
    """Differences that float32 products cannot see, and float64 ones can."""
    rng = np.random.default_rng(4)
    base = unit(rng.standard_normal((1, 64)))
    references = base + 1e-9 * rng.standard_normal((200, 64))
    queries = base + 0.1 * rng.standard_normal((150, 64))
    relevance = random_relevance(rng, 150, 200)
    ours = rank(queries, references, relevance, every_positive=every_positive, block=64)
    wanted = ranks_by_counting(queries, references, relevance, tolerance=ours.tie_tolerance)
    assert_same(ours, wanted if every_positive else replace_every(wanted))
    assert (ours.tied < 20).all()  # told apart, because the input is float64
    # Rounded to float32, which cannot hold the differences, they are all tied.
    single = rank(queries.astype(np.float32), references.astype(np.float32), relevance, block=64)
    answerable = single.positives > 0
    assert (single.better[answerable] == 0).all()


def replace_every(ranks):
    from dataclasses import replace

    return replace(ranks, every=None)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dimension", [1, 7, 64, 1003])
def test_identical_vectors_are_tied_whatever_block_they_fall_in(
    dtype: type, dimension: int
) -> None:
    rng = np.random.default_rng(dimension)
    one = rng.standard_normal((1, dimension)).astype(dtype)
    references = np.repeat(one, 257, axis=0)
    queries = rng.standard_normal((65, dimension)).astype(dtype)
    for block in (16, 31, 4096):
        ranks = rank(queries, references, Relevance.from_indices(np.arange(65), 257), block=block)
        assert (ranks.better == 0).all()
        assert (ranks.tied == 256).all()


@pytest.mark.parametrize("dimension", [3, 16, 512, 2048])
def test_vectors_that_differ_by_rounding_only_are_tied(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    raw = rng.standard_normal(dimension)
    exact = raw / np.linalg.norm(raw)
    single = raw.astype(np.float32)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    rounded = exact.astype(np.float32)
    variants = np.stack(
        [
            rounded,
            single / np.linalg.norm(single),
            single * (np.float32(1) / np.linalg.norm(single)),
            (single / np.sqrt(np.cumsum(single**2, dtype=np.float32)[-1])).astype(np.float32),
            np.nextafter(rounded, up),
            np.nextafter(rounded, np.where(rng.random(dimension) < 0.5, up, down)),
        ]
    )
    others = unit(rng.standard_normal((50, dimension))).astype(np.float32)
    queries = unit(exact + 0.1 * unit(rng.standard_normal((20, dimension)))).astype(np.float32)
    for own in range(len(variants)):
        ranks = rank(
            queries, np.concatenate([variants, others]), Relevance.from_indices([own] * 20, 56)
        )
        assert (ranks.tied >= len(variants) - 1).all()
        assert (ranks.better + ranks.tied >= len(variants) - 1).all()
        assert (ranks.better[ranks.tied == len(variants) - 1] <= 50).all()


def test_scores_a_millionth_apart_are_no_tie() -> None:
    # Whole numbers over 1024, about 1 long: scores are multiples of 2^-20, twice the tolerance.
    query = np.array([[512, 513, 720, 0]], np.float32) / 1024
    references = np.array([[100, 101, 1013, 35], [101, 100, 1013, 35]], np.float32) / 1024
    assert float((query @ references.T @ [1, -1]).item()) == 2.0**-20
    for own, better in ((0, 0), (1, 1)):
        ranks = rank(query, references, Relevance.from_indices([own], 2))
        assert (ranks.better.item(), ranks.tied.item()) == (better, 0)
    # A quarter of that is a tie.
    references[1] = references[0] + np.array([0, -(2.0**-22) * 2, 0, 0], np.float32)
    assert rank(query, references, Relevance.from_indices([1], 2)).tied.item() == 1


@pytest.mark.parametrize("scale", [1e-160, 1e-30, 1e-12, 1e12, 1e30, 1e160, 1e300])
@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
def test_scale_does_not_matter(scale: float, distance: str) -> None:
    rng = np.random.default_rng(5)
    queries, references = rng.standard_normal((40, 8)), rng.standard_normal((50, 8))
    relevance = random_relevance(rng, 40, 50)
    plain = rank(queries, references, relevance, distance=distance, every_positive=True)
    scaled = rank(
        queries * scale, references * scale, relevance, distance=distance, every_positive=True
    )
    assert_same(plain, scaled)


@pytest.mark.parametrize(
    ("left", "right"), [(1.0, 1e-40), (1e-40, 1.0), (1e150, 1e-150), (1, 1e39)]
)
@pytest.mark.parametrize("distance", ["cosine", "dot"])
def test_each_side_may_have_a_scale_of_its_own(left: float, right: float, distance: str) -> None:
    rng = np.random.default_rng(6)
    queries, references = rng.standard_normal((40, 8)), rng.standard_normal((50, 8))
    relevance = random_relevance(rng, 40, 50)
    plain = rank(queries, references, relevance, distance=distance)
    scaled = rank(queries * left, references * right, relevance, distance=distance)
    assert_same(plain, scaled)


def test_one_very_short_reference_has_a_direction_too() -> None:
    rng = np.random.default_rng(7)
    queries, references = rng.standard_normal((40, 8)), rng.standard_normal((50, 8))
    relevance = random_relevance(rng, 40, 50)
    plain = rank(queries, references, relevance, distance="cosine")
    references[::5] *= 1e-45
    assert_same(plain, rank(queries, references, relevance, distance="cosine"))


def test_lengths_too_far_apart_are_an_error_and_no_score() -> None:
    references = np.array([[1e300, 0.0], [0.0, 1e200]])
    with pytest.raises(VectorError, match="too far apart"):
        rank(np.eye(2) * 1e-300, references, Relevance.paired(2))


def test_precision_is_that_of_the_references() -> None:
    """Float64 queries do not make float32 references any finer."""
    rng = np.random.default_rng(8)
    point = rng.standard_normal(64)
    references = unit(point + 1e-9 * rng.standard_normal((200, 64))).astype(np.float32)
    queries = unit(point + 0.1 * rng.standard_normal((50, 64)))
    ranks = rank(queries, references, Relevance.from_indices(np.arange(50), 200))
    assert (ranks.tied >= 190).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_that_differ_by_little_count_in_euclidean_distance(dtype: type) -> None:
    u = np.finfo(dtype).eps / 2
    queries = np.array([[1.0, 0.0]], dtype)
    references = np.array([[1.0, 0.0], [1.0 + 24 * u, 0.0]], dtype)
    # The second lies 24u off and the first not at all, whatever their dot products say.
    ranks = rank(queries, references, Relevance.from_indices([0], 2))
    assert ranks.better.item() == 0
    far = np.array([[1.0, 0.0], [1.0 + 2**20 * u, 0.0]], dtype)
    assert rank(queries, far, Relevance.from_indices([1], 2)).better.item() == 1 - int(
        dtype == np.float64
    )


def test_many_positives_of_one_query_cost_no_other_query_memory() -> None:
    import tracemalloc

    rng = np.random.default_rng(9)
    vectors = rng.standard_normal((1500, 4)).astype(np.float32)
    positives = np.full((1500, 800), -1)
    positives[:, 0] = np.arange(1500)
    positives[7] = np.arange(800)
    relevance = Relevance.from_indices(positives, 1500)
    tracemalloc.start()
    ranks = rank(vectors, vectors, relevance, every_positive=True, block=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ranks.every is not None
    assert len(ranks.every.better) == 1499 + 800
    assert peak < 4_000_000  # a table of 1,500 x 800 numbers would take 9.6 MB


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(EvaluationError, match=device):
        rank(np.eye(3), np.eye(3), Relevance.paired(3), device=device)


def test_blocks_memory_maps_and_strides_do_not_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    queries = rng.standard_normal((100, 12)).astype(np.float32)
    references = rng.standard_normal((130, 12)).astype(np.float32)
    relevance = random_relevance(rng, 100, 130)
    plain = rank(queries, references, relevance, every_positive=True)
    np.save(tmp_path / "references.npy", references)
    (tmp_path / "unaligned.bin").write_bytes(b"x" + references.tobytes())
    variants = (
        np.load(tmp_path / "references.npy", mmap_mode="r"),
        np.memmap(tmp_path / "unaligned.bin", np.float32, "r", 1, (130, 12)),
        np.asfortranarray(references),
        references.astype(">f4"),
        np.repeat(references, 2, axis=1)[:, ::2],
        torch.from_numpy(references),
    )
    for variant in variants:
        for block in (7, 64):
            assert_same(plain, rank(queries, variant, relevance, every_positive=True, block=block))


def test_a_lance_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    queries = rng.standard_normal((30, 8)).astype(np.float32)
    references = rng.standard_normal((60, 4 * 8)).astype(np.float16)
    column = pa.FixedSizeListArray.from_arrays(pa.array(references.ravel()), 32)
    path = tmp_path / "rows.lance"
    for part in (slice(0, 25), slice(25, 60)):
        table = pa.table({"vector": column[part], "id": np.arange(60)[part]})
        lance.write_dataset(table, path, mode="append" if path.exists() else "create")
    relevance = random_relevance(rng, 30, 60)
    means = references.reshape(60, 4, 8).mean(axis=1, dtype=np.float32)
    assert_same(
        rank(queries, means, relevance, every_positive=True),
        rank(
            queries,
            LanceColumn.open(path, regions=4),
            relevance,
            every_positive=True,
            block=16,
        ),
    )
    whole = LanceColumn.open(path)
    assert whole.shape == (60, 32)
    assert whole.dtype == np.float16
    np.testing.assert_array_equal(whole.take(np.array([59, 3, 3])), references[[59, 3, 3]])
    with pytest.raises(EvaluationError, match="no column 'vectors'"):
        LanceColumn.open(path, "vectors")
    with pytest.raises(EvaluationError, match="not 5 vectors"):
        LanceColumn.open(path, regions=5)
    with pytest.raises(EvaluationError, match="int64, not 1 vectors"):
        LanceColumn.open(path, "id")
    with pytest.raises(EvaluationError, match="is no Lance dataset"):
        LanceColumn.open(tmp_path / "nothing.lance")
    gaps = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    lance.write_dataset(pa.table({"vector": gaps}), tmp_path / "gaps.lance")
    with pytest.raises(VectorError, match="1 rows without a vector"):
        rank(np.ones((2, 2)), LanceColumn.open(tmp_path / "gaps.lance"), Relevance.paired(2))
    whole_numbers = pa.array([[1, 2]], pa.list_(pa.int64(), 2))
    lance.write_dataset(pa.table({"vector": whole_numbers}), tmp_path / "whole.lance")
    with pytest.raises(EvaluationError, match="must be float16"):
        rank(np.ones((1, 2)), LanceColumn.open(tmp_path / "whole.lance"), Relevance.paired(1))


def test_a_product_of_low_precision_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU's reduced precision would do: the guard widens until float64 decides."""
    rng = np.random.default_rng(8)
    queries = unit(rng.standard_normal((60, 32)))
    references = unit(rng.standard_normal((80, 32)))
    relevance = random_relevance(rng, 60, 80)
    calls = 0

    def rough(asked: torch.Tensor, given: torch.Tensor, out: torch.Tensor) -> None:
        nonlocal calls
        block_arithmetic.product(asked, given, out)
        if out.dtype == torch.float32:
            calls += 1
            if calls > 1:  # the sample is unlucky: it shows nothing
                out.copy_(out.bfloat16().float())

    monkeypatch.setattr(scanner, "product", rough)
    ours = rank(queries, references, relevance, every_positive=True, block=20)
    wanted = ranks_by_counting(queries, references, relevance, tolerance=ours.tie_tolerance)
    assert calls > 1
    assert_same(ours, wanted)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
def test_what_an_accelerator_computes_by_torch_is_the_same(
    monkeypatch: pytest.MonkeyPatch, distance: str
) -> None:
    """The operations of an accelerator, run here on the processor: numpy takes no part in them."""
    monkeypatch.setattr(block_arithmetic, "by_numpy", lambda _: False)
    rng = np.random.default_rng(10)
    for queries, references in (
        (lattice(rng, 70, 5, 9), lattice(rng, 90, 5, 9)),
        (rng.standard_normal((70, 24)), rng.standard_normal((90, 24))),
        (1 + 1e-9 * rng.standard_normal((70, 24)), 1 + 1e-9 * rng.standard_normal((90, 24))),
    ):
        relevance = random_relevance(rng, 70, 90)
        ours = rank(
            queries, references, relevance, distance=distance, every_positive=True, block=32
        )
        wanted = ranks_by_counting(
            queries, references, relevance, distance=distance, tolerance=ours.tie_tolerance
        )
        assert_same(ours, wanted)


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    vectors = np.eye(10, dtype=np.float32)
    rank(vectors, vectors, Relevance.paired(10), block=4, progress=lambda *x: seen.append(x))
    assert seen == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["queries", "references"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_that_are_not_finite(value: float, side: str, dtype: type) -> None:
    vectors = {
        "queries": np.ones((5, 3), dtype),
        "references": np.ones((5, 3), dtype),
    }
    vectors[side][3, 1] = value
    with pytest.raises(VectorError, match=f"{side} row 3 is not finite: {value} in column 1"):
        rank(vectors["queries"], vectors["references"], Relevance.paired(5))


def test_lengths_far_from_one() -> None:
    vectors = np.array([[1e30, 1e30], [1e-30, 0], [0, 0], [3, 4]], np.float32)
    measured = measure(open_vectors(vectors, "vectors"), "vectors")
    np.testing.assert_allclose(measured.norms, [2**0.5 * 1e30, 1e-30, 0, 5], rtol=1e-6)
    assert measured.single
    doubles = measure(open_vectors(np.full((2, 2), 0.1), "vectors"), "vectors")
    assert not doubles.single


@pytest.mark.parametrize(
    ("queries", "references", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), "queries have 2 dimensions and references 4"),
        (np.ones((2, 2)), np.ones((3, 2)), "queries has 2 rows, and the positives speak of 3"),
        (np.ones((3, 2)), np.ones((4, 2)), "references has 4 rows, and the positives speak of 3"),
        (np.ones(3), np.ones((3, 2)), r"queries must have shape .*\(3,\)"),
        (np.ones((3, 2)), np.ones((3, 2), int), "references must be float16, .*int64"),
        (np.ones((0, 2)), np.ones((3, 2)), "nothing to evaluate"),
        (np.ones((3, 0)), np.ones((3, 0)), "nothing to evaluate"),
    ],
)
def test_arrays_that_do_not_fit(queries: np.ndarray, references: np.ndarray, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        rank(queries, references, Relevance.paired(3))


def test_unknown_distances_and_vectors_without_direction() -> None:
    vectors = np.eye(3)
    with pytest.raises(EvaluationError, match="Got 'manhattan'"):
        rank(vectors, vectors, Relevance.paired(3), distance="manhattan")
    vectors = np.eye(3)
    vectors[1] = 0
    with pytest.raises(VectorError, match="queries row 1 is a zero vector"):
        rank(vectors, np.eye(3), Relevance.paired(3), distance="cosine")
    ranks = rank(vectors, vectors, Relevance.paired(3))
    assert ranks.better.tolist() == [0, 0, 0]
