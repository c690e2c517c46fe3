from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.datasets.preparation import PolarTransform
from sightline.errors import UsageError


def slow_polar(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The equations of SAFA, one pixel after the other, before any rounding."""
    side = pixels.shape[0]
    result = np.zeros((height, width, 3))
    for i in range(height):
        for j in range(width):
            radius = side / 2 / height * (height - 1 - i)
            row = side / 2 + radius * math.cos(2 * math.pi * j / width)
            column = side / 2 - radius * math.sin(2 * math.pi * j / width)
            for r in (math.floor(row), math.floor(row) + 1):
                for c in (math.floor(column), math.floor(column) + 1):
                    if 0 <= r < side and 0 <= c < side:
                        weight = (1 - abs(row - r)) * (1 - abs(column - c))
                        result[i, j] += weight * pixels[r, c]
    return result


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 24), st.integers(1, 12), st.integers(1, 24), st.integers(0, 99))
def test_against_the_equations(side, height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    polar = PolarTransform(side, (height, width))(pixels)
    assert polar.dtype == np.uint8
    assert polar.shape == (height, width, 3)
    assert np.abs(polar - slow_polar(pixels, height, width)).max() < 0.501


def coloured(side: int) -> np.ndarray:
    """North red, east green, south blue, west white, about the diagonals."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[(rows < 0) & (np.abs(rows) > np.abs(columns))] = [255, 0, 0]
    pixels[(columns > 0) & (np.abs(columns) > np.abs(rows))] = [0, 255, 0]
    pixels[(rows > 0) & (np.abs(rows) > np.abs(columns))] = [0, 0, 255]
    pixels[(columns < 0) & (np.abs(columns) > np.abs(rows))] = [255, 255, 255]
    return pixels


def test_north_stands_in_the_middle_and_east_to_its_right():
    polar = PolarTransform(100, (20, 80))(coloured(100))
    top = polar[2]
    assert top[40].tolist() == [255, 0, 0]
    assert top[60].tolist() == [0, 255, 0]
    assert top[0].tolist() == [0, 0, 255]
    assert top[20].tolist() == [255, 255, 255]
    from_north = PolarTransform(100, (20, 80), first_degrees=0)(coloured(100))
    assert (from_north[2, 0] == [255, 0, 0]).all()
    assert np.abs(np.roll(from_north, 40, axis=1).astype(int) - polar).max() <= 1


def test_the_lowest_row_is_the_place_itself():
    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[4:6, 4:6] = 200
    assert (PolarTransform(9, (5, 12))(pixels)[-1] == 200).all()
    assert PolarTransform(750).size == (122, 671)


def test_bad_arguments():
    for side, size in ((1, (4, 4)), (8, (0, 4)), (8, (4, -1)), (8, (4,))):
        with pytest.raises(UsageError, match="must be"):
            PolarTransform(side, size)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="first_degrees"):
        PolarTransform(8, (4, 4), first_degrees=float("nan"))
    with pytest.raises(UsageError, match=r"uint8 of shape \(8, 8, 3\). Got uint8 of \(8, 9, 3\)"):
        PolarTransform(8, (4, 4))(np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(UsageError, match="Got float64"):
        PolarTransform(8, (4, 4))(np.zeros((8, 8, 3)))  # type: ignore[arg-type]
