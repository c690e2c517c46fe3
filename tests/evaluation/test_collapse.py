from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError, VectorError
from sightline.evaluation.sanity import Collapse, alarm, collapse_of
from sightline.evaluation.sanity import collapse as module
from sightline.evaluation.sanity.collapse import NEAR_COSINE_DISTANCE, row_digests

RNG = np.random.default_rng(0)


def looked_at(vectors: np.ndarray, **more: object) -> Collapse:
    return collapse_of(vectors, rng=np.random.default_rng(1), **more)


def directions(count: int, dimension: int, *, rank: int | None = None, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if rank is None:
        vectors = rng.standard_normal((count, dimension))
    else:
        vectors = rng.standard_normal((count, rank)) @ rng.standard_normal((rank, dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow(vectors: np.ndarray) -> tuple[float, float, float, float]:
    """Copies, near copies, effective rank and uniformity, pair by pair and from the definitions."""
    rows = [tuple(row) for row in vectors.astype(np.float64) + 0.0]
    copies = sum(row in rows[:number] for number, row in enumerate(rows)) / len(rows)
    units = []
    for row in np.array(rows):
        length = np.linalg.norm(row)
        units.append(row / length if length else row)
    near, kernels = 0, []
    for i, x in enumerate(units):
        squares = [((x - y) ** 2).sum() for y in units]
        near += min(squares[:i], default=math.inf) / 2 <= NEAR_COSINE_DISTANCE
        kernels += [math.exp(-2 * square) for j, square in enumerate(squares) if j != i]
    centred = np.array(units) - np.mean(units, axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    shares = singular[singular > 1e-9] / singular.sum()
    rank = math.exp(-sum(p * math.log(p) for p in shares)) if len(shares) else 0.0
    return copies, near / len(rows), rank, math.log(np.mean(kernels))


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    step=st.sampled_from([1, 3, 1000]),
)
def test_all_four_numbers_are_those_of_the_definitions(data, dtype, step) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    count, dimension = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 8))
    vectors = rng.standard_normal((count, dimension)).astype(dtype)
    vectors[rng.random((count, dimension)) < 0.2] = -0.0
    # Some rows are another's copy, and some another's copy but for their length.
    copied = rng.random(count) < data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    vectors[copied] = vectors[rng.integers(0, count, copied.sum())] * dtype(rng.choice([1, 2]))
    with pytest.MonkeyPatch.context() as patch:
        cut = [(start, min(start + step, count)) for start in range(0, count, step)]
        patch.setattr(module, "blocks", lambda total, _: cut if total == count else [(0, total)])
        found = looked_at(vectors)
    copies, near, rank, uniformity = slow(vectors)
    assert found.duplicates == pytest.approx(copies, abs=1e-12)
    assert found.near_duplicates == pytest.approx(near, abs=1e-12)
    assert found.effective_rank == pytest.approx(rank, rel=1e-6, abs=1e-6)
    assert found.uniformity == pytest.approx(uniformity, rel=1e-5, abs=1e-5)
    assert (found.rows, found.dimension) == (count, dimension)


def test_effective_rank_of_equal_singular_values_is_their_number() -> None:
    # Roy & Vetterli, property 1: between 1 and the rank, which it reaches where all are equal.
    axes = np.vstack([np.eye(5), -np.eye(5)])
    assert looked_at(axes).effective_rank == pytest.approx(5.0)
    line = np.outer([1.0, -1.0, 1.0, -1.0], [0.6, 0.8])
    assert looked_at(line).effective_rank == pytest.approx(1.0)


def test_a_common_offset_does_not_hide_what_differs() -> None:
    vectors = 100.0 + RNG.standard_normal((400, 16))
    found = looked_at(vectors)
    assert found.effective_rank > 14.0
    singular = np.linalg.svd(vectors, compute_uv=False)
    shares = singular / singular.sum()
    assert np.exp(-(shares * np.log(shares)).sum()) < 3.0  # with its mean, it would look collapsed


def test_uniformity_of_the_circle_is_the_bessel_function_of_the_kernel() -> None:
    # Mean of exp(-2 |x - y|²) = exp(-4 + 4 cos t) over the circle: exp(-4) I0(4).
    angles = 2 * np.pi * np.arange(2000) / 2000
    found = looked_at(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    with_itself = math.exp(-4) * np.i0(4)
    expected = math.log((2000 * with_itself - 1) / 1999)
    assert found.uniformity == pytest.approx(expected, abs=1e-5)


def test_lengths_and_blocks_and_types_change_nothing_but_copies(monkeypatch) -> None:
    vectors = directions(300, 24, rank=10).astype(np.float32)
    expected = looked_at(vectors)
    scaled = vectors * RNG.uniform(1e-6, 1e6, (300, 1)).astype(np.float32)
    for other in (scaled, np.asfortranarray(vectors), vectors.astype(np.float64)):
        found = looked_at(other)
        assert found.effective_rank == pytest.approx(expected.effective_rank, rel=1e-5)
        assert found.uniformity == pytest.approx(expected.uniformity, rel=1e-5)
    extreme = vectors.astype(np.float64) * 1e200
    assert looked_at(extreme).effective_rank == pytest.approx(expected.effective_rank, rel=1e-5)
    assert looked_at(extreme / 1e300 / 1e200).near_duplicates == expected.near_duplicates


def test_near_copies_are_looked_for_among_all_rows_and_not_in_the_sample_alone() -> None:
    half = directions(600, 32)
    vectors = np.vstack([half, half + 1e-5 * RNG.standard_normal(half.shape)])
    found = looked_at(vectors, sample=60, probes=60)
    assert found.duplicates == 0.0
    # Of sixty probes about half stand in the second half; hardly a pair stands among the sixty.
    assert found.near_duplicates == pytest.approx(0.5, abs=0.2)
    assert looked_at(vectors, probes=1200).near_duplicates == 0.5


def test_a_float16_copy_is_near_and_an_ordinary_neighbour_is_not() -> None:
    vectors = directions(500, 256).astype(np.float32)
    assert looked_at(vectors).near_duplicates == 0.0
    both = np.vstack([vectors, vectors.astype(np.float16).astype(np.float32)])
    assert looked_at(both).near_duplicates == 0.5


def test_memory_mapped_vectors_are_looked_at_alike(tmp_path) -> None:
    vectors = directions(200, 12)
    np.save(tmp_path / "v.npy", vectors)
    mapped = looked_at(np.load(tmp_path / "v.npy", mmap_mode="r"))
    assert mapped.to_json() == looked_at(vectors).to_json()


def test_digests_are_equal_exactly_where_numbers_are() -> None:
    rows = np.array([[0.0, 1.5], [-0.0, 1.5], [1.5, 0.0], [0.1, 1.5], [0.1 + 2**-40, 1.5]])
    digests = row_digests(rows)
    assert digests[0] == digests[1]
    assert len(set(digests.tolist())) == 4
    exact = rows[:3]
    for dtype in (np.float16, np.float32):
        assert (row_digests(exact.astype(dtype)) == digests[:3]).all()
    # 0.1 is another number in each type.
    assert row_digests(rows[3:4].astype(np.float32))[0] != digests[3]
    beyond = np.array([[1e300, 1.0], [1e301, 1.0]])
    assert len(set(row_digests(beyond).tolist())) == 2


def test_single_vectors_have_no_rank_and_no_spread() -> None:
    found = looked_at(np.ones((1, 3), np.float32))
    assert found.to_json() == {
        "duplicates": 0.0,
        "near_duplicates": 0.0,
        "effective_rank": None,
        "uniformity": None,
        "spread": None,
        "unit": False,
    }
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert alarm(found, found) == []


def test_vectors_of_zeros_are_one_direction() -> None:
    found = looked_at(np.zeros((20, 4), np.float16))
    assert found.duplicates == pytest.approx(0.95)
    assert found.near_duplicates == pytest.approx(0.95)
    assert found.effective_rank == 0.0
    assert found.uniformity == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(bad) -> None:
    vectors = directions(8, 4)
    vectors[5, 2] = bad
    with pytest.raises(VectorError, match="references row 5 is not finite"):
        looked_at(vectors, name="references")


def test_what_is_no_table_of_vectors_is_refused() -> None:
    with pytest.raises(EvaluationError, match="references"):
        looked_at(np.ones(3), name="references")


# --- when the alarm fires --------------------------------------------------------------------


def fires(vectors: np.ndarray) -> list[str]:
    fine = looked_at(directions(100, 32))
    asked = alarm(looked_at(vectors), fine)
    given_ = alarm(fine, looked_at(vectors))
    assert [reason.replace("queries", "references") for reason in asked] == given_
    return asked


@pytest.mark.parametrize("count", [3, 10, 50, 500, 2500])
@pytest.mark.parametrize("dimension", [4, 8, 16, 64, 512, 2048])
def test_random_directions_raise_no_alarm(count, dimension) -> None:
    assert fires(directions(count, dimension)) == []


@pytest.mark.parametrize("rank", [4, 8, 32])
@pytest.mark.parametrize("count", [50, 1000])
def test_mixtures_of_four_directions_and_more_raise_no_alarm(count, rank) -> None:
    assert fires(directions(count, 256, rank=rank, seed=1)) == []


@pytest.mark.parametrize("spread", [0.3, 0.05])
def test_the_narrow_cone_of_an_untrained_network_raises_no_alarm(spread) -> None:
    # ResNet-18 without training: cosines about 0.96, nearest others at 7e-4.
    cone = np.abs(RNG.standard_normal(512)) + spread * RNG.standard_normal((400, 512))
    assert fires(cone.astype(np.float32)) == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("count", [2, 50, 1000])
def test_one_point_raises_the_alarm(count, dtype) -> None:
    vector = RNG.standard_normal(64).astype(dtype)
    reasons = fires(np.tile(vector, (count, 1)))
    assert f"{100 * (count - 1) / count:.3g} % of the queries are copies" in reasons[0]
    assert any("uniformity" in reason for reason in reasons)
    if count > 2:
        assert any("differ in 0 directions" in reason for reason in reasons)


@pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-4, 1e-3])
@pytest.mark.parametrize("length", [1.0, 50.0])
def test_one_point_and_noise_raises_the_alarm(noise, length) -> None:
    vectors = directions(1, 64) + noise * RNG.standard_normal((500, 64))
    if length == 1.0:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    reasons = fires(length * vectors)
    # Of other lengths, only what is one point up to 1e-4 of it is collapsed for certain.
    if length != 1.0 and 8 * noise > 1e-4:
        assert reasons == []
        return
    assert any("uniformity" in reason for reason in reasons)
    assert any("within a cosine distance of 1e-06" in reason for reason in reasons) == (
        noise < 1e-3
    )


@pytest.mark.parametrize("dimension", [2, 16, 64, 512])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_common_offset_is_no_collapse(dimension, dtype) -> None:
    vectors = (1000.0 + RNG.standard_normal((300, dimension))).astype(dtype)
    assert fires(vectors) == []
    found = looked_at(vectors)
    assert found.spread == pytest.approx(1e-3, rel=0.1)
    assert not found.unit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_column_is_no_collapse(dtype) -> None:
    # All positive numbers point the same way, and differ all the same.
    assert fires(RNG.uniform(1, 10, (400, 1)).astype(dtype)) == []
    assert fires(RNG.standard_normal((400, 1)).astype(dtype)) == []
    (reason,) = fires(np.ones((400, 1), dtype))[:1]
    assert "99.8 % of the queries are copies" in reason


def test_spread_is_that_of_the_definition() -> None:
    vectors = 3.0 + RNG.standard_normal((50, 4))
    away = np.mean([((v - vectors.mean(axis=0)) ** 2).sum() for v in vectors])
    size = np.mean([(v**2).sum() for v in vectors])
    for scale in (1.0, 1e200, 1e-200):
        assert looked_at(scale * vectors).spread == pytest.approx(math.sqrt(away / size))
    assert looked_at(np.zeros((5, 3))).spread == 0.0
    assert looked_at(directions(20, 8).astype(np.float16)).unit
    assert not looked_at(2 * directions(20, 8)).unit


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_line_and_a_plane_raise_the_alarm(rank, offset) -> None:
    for count in (50, 1000):
        plane = RNG.standard_normal((count, rank)) @ RNG.standard_normal((rank, 256))
        reasons = fires(offset * RNG.standard_normal(256) + plane)
        assert any("directions of " in reason for reason in reasons)


def test_mostly_copies_raise_the_alarm_and_some_do_not() -> None:
    vectors = directions(1000, 64)
    vectors[400:] = vectors[RNG.integers(0, 400, 600)]
    assert fires(vectors) == ["60 % of the queries are copies of an earlier one."]
    vectors = directions(1000, 64)
    vectors[700:] = vectors[RNG.integers(0, 700, 300)]
    assert fires(vectors) == []


def test_the_conformance_files_raise_it_exactly_where_they_are_collapsed(conformance) -> None:
    seen = set()
    for path in sorted((conformance / "retrieval").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if "kind" not in (meta := json.loads(file["meta"].item())) or "ground" not in file:
                continue
            reasons = alarm(looked_at(file["ground"]), looked_at(file["sat"]))
            assert bool(reasons) == ("collapsed" in meta["kind"]), path.name
            seen.add(meta["kind"])
            if "dup30" in meta["kind"]:
                copies = len(file["sat"]) - len(np.unique(file["sat"], axis=0))
                found = looked_at(file["sat"]).duplicates
                assert found == pytest.approx(copies / len(file["sat"]))
    assert any("collapsed" in kind for kind in seen)
    assert any("dup30" in kind for kind in seen)
