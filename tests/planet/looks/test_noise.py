"""Hashes against plain Python integers; tiles against an obvious bilinear reading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.looks import noise

WORD = 0xFFFFFFFF


def slow_hash(i: int, j: int, salt: int) -> int:
    x = (i * 0x9E3779B1 + j * 0x85EBCA77 + (salt * 0xC2B2AE3D & WORD)) & WORD
    x ^= x >> 16
    x = x * 0x7FEB352D & WORD
    x ^= x >> 15
    x = x * 0x846CA68B & WORD
    return x ^ (x >> 16)


@given(st.integers(-(2**31), 2**31), st.integers(-(2**31), 2**31), st.integers(0, 2**40))
def test_hash_is_the_same_as_with_python_integers(i: int, j: int, salt: int) -> None:
    assert int(noise.hashed(np.array([i]), j, salt)[0]) == slow_hash(i, j, salt)


def test_hash_of_known_places_never_changes() -> None:
    found = noise.hashed(np.array([0, 1, -1, 123456]), np.array([0, 0, 5, -7]), 42)
    assert found.tolist() == [slow_hash(0, 0, 42), slow_hash(1, 0, 42), slow_hash(-1, 5, 42),
                              slow_hash(123456, -7, 42)]  # fmt: skip
    assert found.dtype == np.uint32


def test_fractions_fill_the_unit_interval_evenly() -> None:
    values = noise.fraction(np.arange(20_000), 3, 9)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() < 1
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    assert abs(counts - 2000).max() < 200  # 4.7 deviations of a binomial


@pytest.mark.parametrize("make", [noise.fine, noise.medium, noise.cloud])
def test_tiles_are_centred_bounded_and_read_only(make) -> None:  # type: ignore[no-untyped-def]
    tile = make()
    assert tile.shape == (noise.SIDE**2,)
    assert abs(float(tile.mean())) < 0.1  # the slowest octave of clouds has 16 values
    assert float(np.abs(tile).max()) <= 1.1
    assert float(tile.std()) > 0.1
    with pytest.raises(ValueError, match="read-only"):
        tile[0] = 1


def test_medium_tile_is_smooth_and_fine_tile_is_not() -> None:
    def roughness(tile: np.ndarray) -> float:
        square = tile.reshape(noise.SIDE, noise.SIDE)
        return float(np.abs(np.diff(square, axis=1)).mean() / square.std())

    assert roughness(noise.medium()) < 0.2 < 0.5 < roughness(noise.fine())


def test_tiles_repeat_without_a_seam() -> None:
    square = noise.cloud().reshape(noise.SIDE, noise.SIDE)
    inside = np.abs(np.diff(square, axis=0)).max()
    assert np.abs(square[0] - square[-1]).max() <= inside * 1.01


def test_sampling_wraps_around_the_tile() -> None:
    tile = noise.fine()
    x = np.array([0.3, 3.9, 1.2], np.float32)
    y = np.array([1.1, 0.2, 2.2], np.float32)
    period = np.float32(noise.SIDE / 128)
    found = noise.sample(tile, x, y, 128.0)
    np.testing.assert_array_equal(found, noise.sample(tile, x + period, y, 128.0))
    square = tile.reshape(noise.SIDE, noise.SIDE)
    assert found[0] == square[int(1.1 * 128), int(0.3 * 128)]


def test_smooth_sampling_is_bilinear() -> None:
    tile = noise.medium()
    square = tile.reshape(noise.SIDE, noise.SIDE).astype(float)
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 8, 50).astype(np.float32)
    y = rng.uniform(0, 8, 50).astype(np.float32)
    found = noise.smooth(tile, x, y, 100.0)
    for number in range(50):
        column, row = float(x[number] * np.float32(100)), float(y[number] * np.float32(100))
        i, j = int(row), int(column)
        u, v = column - j, row - i
        corner = square[np.ix_([i % 512, (i + 1) % 512], [j % 512, (j + 1) % 512])]
        expected = (corner[0, 0] * (1 - u) + corner[0, 1] * u) * (1 - v) + (
            corner[1, 0] * (1 - u) + corner[1, 1] * u
        ) * v
        assert found[number] == pytest.approx(expected, abs=1e-5)
