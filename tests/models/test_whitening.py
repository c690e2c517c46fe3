"""Statistics and whitening against a slow oracle, and at every edge of n, d and dimension."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from sightline.errors import AtlasDamagedError, OutputError, UsageError, VectorError
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import SCHEMA, Whitening, WhiteningSettings, fit_whitening


def features(n: int, d: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(d, d)) * np.linspace(2.0, 0.1, d)
    raw = np.abs(generator.normal(size=(n, d)) @ mixing) + 0.1
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def slow_covariance(rows: np.ndarray) -> np.ndarray:
    mean = sum(rows) / len(rows)
    return sum(np.outer(row - mean, row - mean) for row in rows) / len(rows)


def slow_whitening(
    own: np.ndarray, sample: np.ndarray, light: np.ndarray, chosen: WhiteningSettings
) -> np.ndarray:
    """The whitened own rows, direction by direction (up to the sign of each)."""
    n, w = len(own), chosen.sample_weight
    covariance = n / (n + w) * slow_covariance(own) + w / (n + w) * slow_covariance(sample)
    covariance += chosen.light_weight * sum(np.outer(x, x) for x in light) / len(light)
    mean = n / (n + w) * sum(own) / n + w / (n + w) * sum(sample) / len(sample)
    values, directions = np.linalg.eigh(covariance)
    order = sorted(range(len(values)), key=lambda i: -values[i])[: chosen.dimension]
    floor = chosen.shrink * np.trace(covariance) / len(values)
    columns = [(own - mean) @ directions[:, i] / np.sqrt(values[i] + floor) for i in order]
    rows = np.stack(columns, axis=1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_statistics_of_regions_count_photos() -> None:
    rng = np.random.default_rng(5)
    cells, changed = rng.normal(size=(7, 4, 3)), rng.normal(size=(2, 7, 4, 3))
    found = FeatureStatistics.from_regions(cells, changed)
    flat = cells.reshape(28, 3)
    differences = (changed - cells).reshape(-1, 3)
    assert (found.count, found.light_count) == (7, 14)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0))
    np.testing.assert_allclose(found.covariance, np.cov(flat.T, bias=True))
    np.testing.assert_allclose(found.light_covariance, differences.T @ differences / 56)
    halves = FeatureStatistics.from_regions(cells[:3], changed[:, :3]).merge(
        FeatureStatistics.from_regions(cells[3:], changed[:, 3:])
    )
    np.testing.assert_allclose(halves.covariance, found.covariance)
    np.testing.assert_allclose(halves.light_covariance, found.light_covariance)
    assert FeatureStatistics.from_regions(cells[:0]).count == 0
    with pytest.raises(VectorError, match="cells"):
        FeatureStatistics.from_regions(flat)


def test_the_fit_equals_the_oracle() -> None:
    own, sample = features(40, 12), features(30, 12, seed=1)
    recoloured = sample + np.random.default_rng(2).normal(scale=0.05, size=sample.shape)
    chosen = WhiteningSettings(dimension=7, sample_weight=20.0, light_weight=0.7, shrink=0.05)
    whitening = fit_whitening(
        FeatureStatistics.from_vectors(own),
        FeatureStatistics.from_vectors(sample, recoloured),
        chosen,
    )
    found = whitening.apply(own)
    expected = slow_whitening(own, sample, recoloured - sample, chosen)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, atol=2e-5)
    assert found.dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), d=st.integers(1, 12), cut=st.integers(0, 30), seed=st.integers(0, 99))
def test_merged_blocks_equal_one_block(n: int, d: int, cut: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) + 5.0
    changed = rows + np.random.default_rng(seed + 1).normal(size=(n, d))
    whole = FeatureStatistics.from_vectors(rows, changed)
    parts = FeatureStatistics.from_vectors(rows[:cut], changed[:cut]).merge(
        FeatureStatistics.from_vectors(rows[cut:], changed[cut:])
    )
    assert parts.count == whole.count == n
    np.testing.assert_allclose(parts.mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(parts.covariance, whole.covariance, atol=1e-12)
    np.testing.assert_allclose(parts.covariance, slow_covariance(rows), atol=1e-12)
    assert whole.light_covariance is not None
    assert parts.light_covariance is not None
    np.testing.assert_allclose(parts.light_covariance, whole.light_covariance, atol=1e-12)


def test_several_recolourings_of_each_photo() -> None:
    rows = features(6, 4)
    changed = np.stack([rows + 0.1, rows - 0.2])
    found = FeatureStatistics.from_vectors(rows, changed)
    expected = (np.full((4, 4), 0.01) + np.full((4, 4), 0.04)) / 2
    assert found.light_count == 12
    np.testing.assert_allclose(found.light_covariance, expected)  # type: ignore[arg-type]


def test_merging_keeps_the_light_of_the_one_that_has_it() -> None:
    rows = features(5, 4)
    lit, plain = FeatureStatistics.from_vectors(rows, rows + 0.1), FeatureStatistics.empty(4)
    assert plain.merge(lit).light_count == 5
    assert lit.merge(plain).light_covariance is lit.light_covariance
    assert plain.merge(FeatureStatistics.empty(4)).count == 0
    given_by_hand = FeatureStatistics(3, rows[0], np.eye(4), np.eye(4))
    assert given_by_hand.light_count == 3


@pytest.mark.parametrize(
    ("n", "d", "dimension", "with_sample"),
    [(1, 8, 4, True), (1, 8, 64, True), (3, 8, 64, False), (3, 8, 4, False), (2, 1, 5, False)],
)
def test_few_photos_still_give_unit_vectors(
    n: int, d: int, dimension: int, with_sample: bool
) -> None:
    own = features(n, d) + np.random.default_rng(3).normal(size=(n, d)) * 0.1
    sample = FeatureStatistics.from_vectors(features(20, d, seed=4)) if with_sample else None
    whitening = fit_whitening(
        FeatureStatistics.from_vectors(own), sample, WhiteningSettings(dimension=dimension)
    )
    assert whitening.dimension == min(d, dimension)
    for rows in (own, features(9, d, seed=5), np.zeros((1, d))):
        np.testing.assert_allclose(np.linalg.norm(whitening.apply(rows), axis=1), 1.0, atol=1e-6)


def test_one_photo_without_a_sample_is_left_as_it_is() -> None:
    own = features(1, 6)
    for rows in (own, np.repeat(own, 4, axis=0)):
        whitening = fit_whitening(FeatureStatistics.from_vectors(rows), None)
        np.testing.assert_allclose(whitening.apply(own), own, atol=1e-6)


def test_without_own_photos_the_sample_rules() -> None:
    sample = FeatureStatistics.from_vectors(features(20, 6))
    alone = fit_whitening(FeatureStatistics.empty(6), sample)
    same = fit_whitening(sample, None)
    assert alone.name == same.name


def test_a_large_atlas_outweighs_the_sample() -> None:
    own, sample = features(50, 6), FeatureStatistics.from_vectors(features(50, 6, seed=9))
    statistics = FeatureStatistics.from_vectors(own)
    many = FeatureStatistics(50_000_000, statistics.mean, statistics.covariance)
    np.testing.assert_allclose(
        fit_whitening(many, sample).apply(own),
        fit_whitening(statistics, None).apply(own),
        atol=1e-3,
    )


def test_without_shrinkage_only_directions_with_variation_are_kept() -> None:
    own = FeatureStatistics.from_vectors(features(4, 10))
    assert fit_whitening(own, None, WhiteningSettings(shrink=0.0)).dimension == 3


def test_a_vector_on_the_mean_still_finds_its_copy() -> None:
    own = features(10, 6)
    whitening = fit_whitening(FeatureStatistics.from_vectors(own), None)
    on_mean = whitening.apply(whitening.mean)
    assert on_mean @ on_mean == pytest.approx(1.0)
    far = Whitening(np.zeros(3), np.eye(3)[:, :2])
    np.testing.assert_array_equal(far.apply(np.array([0.0, 0.0, 1.0])), [1.0, 0.0])


def test_leading_axes_float16_and_blocks() -> None:
    own = features(30, 6)
    whitening = fit_whitening(FeatureStatistics.from_vectors(own), None)
    cells = own.astype(np.float16).reshape(5, 3, 2, 6)
    np.testing.assert_allclose(
        whitening.apply(cells).reshape(30, -1), whitening.apply(own), atol=5e-3
    )
    many = np.resize(own, (20_000, 6))
    np.testing.assert_allclose(whitening.apply(many)[-30:], whitening.apply(many[-30:]), atol=1e-6)
    assert whitening.apply(np.zeros((0, 4, 6))).shape == (0, 4, 6)


def test_signs_are_fixed() -> None:
    own = features(30, 6)
    first = fit_whitening(FeatureStatistics.from_vectors(own), None)
    second = fit_whitening(FeatureStatistics.from_vectors(own[::-1]), None)
    np.testing.assert_allclose(first.projection, second.projection, rtol=1e-4)
    largest = np.abs(first.projection).argmax(axis=0)
    assert (first.projection[largest, np.arange(6)] > 0).all()


def test_round_trip_and_name(tmp_path: Path) -> None:
    own = features(30, 6)
    whitening = fit_whitening(FeatureStatistics.from_vectors(own), None)
    whitening.save(tmp_path / "whitening.safetensors")
    again = Whitening.load(tmp_path / "whitening.safetensors")
    assert again.name == whitening.name
    np.testing.assert_array_equal(again.apply(own), whitening.apply(own))
    other = fit_whitening(FeatureStatistics.from_vectors(own[1:]), None)
    assert other.name != whitening.name
    assert [x.name for x in tmp_path.iterdir()] == ["whitening.safetensors"]


def test_damaged_whitening_files(tmp_path: Path) -> None:
    path = tmp_path / "whitening.safetensors"
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Whitening.load(path)
    path.write_bytes(b"not tensors")
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Whitening.load(path)
    mean, projection = np.zeros(3, np.float32), np.eye(3, dtype=np.float32)
    save_file({"mean": mean, "projection": projection}, path, {"schema": "other"})
    with pytest.raises(AtlasDamagedError, match="schema"):
        Whitening.load(path)
    save_file({"mean": mean}, path, {"schema": SCHEMA})
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Whitening.load(path)
    save_file({"mean": mean[:2], "projection": projection}, path, {"schema": SCHEMA})
    with pytest.raises(AtlasDamagedError, match="cannot be read"):
        Whitening.load(path)
    save_file({"mean": mean + 1, "projection": projection}, path, {"schema": SCHEMA, "name": "x"})
    with pytest.raises(AtlasDamagedError, match="own hash"):
        Whitening.load(path)


def test_unwritable_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        Whitening(np.zeros(3), np.eye(3)).save(tmp_path / "missing" / "whitening.safetensors")


def test_refused_values() -> None:
    own = FeatureStatistics.from_vectors(features(5, 4))
    whitening = fit_whitening(own, None)
    with pytest.raises(VectorError, match="4 dimensions"):
        whitening.apply(np.zeros((2, 5)))
    with pytest.raises(VectorError, match="finite"):
        whitening.apply(np.array([0.0, np.nan, 0.0, 0.0]))
    with pytest.raises(VectorError, match="no photos"):
        fit_whitening(FeatureStatistics.empty(4), None)
    with pytest.raises(VectorError, match="dimension of the atlas"):
        fit_whitening(own, FeatureStatistics.from_vectors(features(5, 3)))
    with pytest.raises(VectorError, match="merged"):
        own.merge(FeatureStatistics.empty(3))
    with pytest.raises(VectorError, match=r"\(n, d\)"):
        FeatureStatistics.from_vectors(np.zeros(4))
    with pytest.raises(VectorError, match="finite"):
        FeatureStatistics.from_vectors(np.full((2, 4), np.inf))
    with pytest.raises(VectorError, match="match the originals"):
        FeatureStatistics.from_vectors(np.zeros((2, 4)), np.zeros((3, 4)))
    with pytest.raises(VectorError, match="must have a mean"):
        FeatureStatistics(1, np.zeros(3), np.zeros((4, 4)))
    with pytest.raises(VectorError, match="must have a mean"):
        Whitening(np.zeros(3), np.zeros((4, 2)))
    with pytest.raises(VectorError, match="finite"):
        Whitening(np.full(3, np.nan), np.zeros((3, 2)))


@pytest.mark.parametrize(
    "values", [{"dimension": 0}, {"shrink": -1.0}, {"sample_weight": float("nan")}]
)
def test_refused_settings(values: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        WhiteningSettings(**values)  # type: ignore[arg-type]


def test_a_projection_that_turns_nothing_is_skipped() -> None:
    rows = np.random.default_rng(5).standard_normal((30, 6)).astype(np.float32)
    mean = rows.mean(axis=0)
    plain = Whitening(mean, np.eye(6, dtype=np.float32))
    order = np.array([1, 0, 3, 2, 5, 4])
    turned = Whitening(mean, np.eye(6, dtype=np.float32)[:, order])
    assert plain.turns_nothing
    assert not turned.turns_nothing
    assert not Whitening(mean, np.eye(6, dtype=np.float32)[:, :5]).turns_nothing
    for some in (rows, rows[:1], mean[None]):
        np.testing.assert_allclose(plain.apply(some), turned.apply(some)[:, order], atol=1e-6)
    kept = rows.copy()
    plain.apply(rows)
    np.testing.assert_array_equal(rows, kept)
