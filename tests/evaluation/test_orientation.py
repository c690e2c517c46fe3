"""Turning overhead features to a photo of unknown heading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import EvaluationError, VectorError
from sightline.evaluation.retrieval import orientation
from sightline.evaluation.retrieval.orientation import best_orientations


def by_hand(overhead: np.ndarray, surface: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every shift of every pair, one after the other."""
    width, columns = overhead.shape[3], surface.shape[3]
    shift = np.empty((len(overhead), len(surface)), int)
    distance = np.empty(shift.shape)
    for i, above in enumerate(overhead):
        for j, ground in enumerate(surface):
            crops = [np.roll(above, -t, axis=2)[:, :, :columns] for t in range(width)]
            scores = [float((crop * ground).sum()) for crop in crops]
            shift[i, j] = int(np.argmax(scores))
            crop = crops[shift[i, j]]
            unit = crop / np.linalg.norm(crop), ground / np.linalg.norm(ground)
            distance[i, j] = ((unit[0] - unit[1]) ** 2).sum()
    return shift, distance


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 9),
    st.data(),
)
def test_it_is_the_best_of_all_shifts(
    a: int, b: int, height: int, width: int, data: st.DataObject
) -> None:
    columns = data.draw(st.integers(1, width))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    overhead = rng.normal(size=(a, 2, height, width))
    surface = rng.normal(size=(b, 2, height, columns))
    found = best_orientations(overhead, surface)
    shift, distance = by_hand(overhead, surface)
    np.testing.assert_array_equal(found.shift, shift)
    np.testing.assert_allclose(found.distance, distance, atol=1e-12)


@pytest.mark.parametrize("width", [7, 64])
def test_a_turned_photo_is_found_again(width: int) -> None:
    overhead = np.random.default_rng(0).normal(size=(1, 3, 2, width)).astype(np.float32)
    for turn in range(width):
        surface = np.roll(overhead, -turn, axis=3)[..., : width // 2]
        found = best_orientations(overhead, surface)
        assert found.shift[0, 0] == turn
        assert found.distance[0, 0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("period", [1, 3, 5, 12])
def test_of_equal_shifts_the_first_is_taken(period: int) -> None:
    """A view that repeats itself fits as well every few columns; rounding must not choose."""
    rng = np.random.default_rng(1)
    pattern = rng.normal(size=(3, 5, 4, period))
    overhead = np.tile(pattern, (1, 1, 1, 60 // period))
    for turn in range(period):
        surface = np.roll(overhead, -turn, axis=3)[..., :16]
        found = best_orientations(overhead, surface)
        np.testing.assert_array_equal(np.diagonal(found.shift), turn)


def test_lengths_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    overhead, surface = rng.normal(size=(4, 2, 2, 12)), rng.normal(size=(3, 2, 2, 5))
    plain = best_orientations(overhead, surface)
    long = best_orientations(1e6 * overhead, 1e-6 * surface)
    np.testing.assert_array_equal(plain.shift, long.shift)
    np.testing.assert_allclose(plain.distance, long.distance, atol=1e-12)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    overhead, surface = rng.normal(size=(7, 2, 2, 12)), rng.normal(size=(3, 2, 2, 5))
    whole = best_orientations(overhead, surface)
    monkeypatch.setattr(orientation, "_BLOCK_BYTES", 2 * 16 * 12 * 3)
    parts = best_orientations(overhead, surface)
    np.testing.assert_array_equal(whole.shift, parts.shift)
    np.testing.assert_allclose(whole.distance, parts.distance, atol=1e-14)


ONES = np.ones((2, 1, 1, 4))


@pytest.mark.parametrize(
    ("overhead", "surface", "message"),
    [
        (np.ones((2, 1, 4)), ONES, r"overhead must have shape .* Got \(2, 1, 4\)"),
        (ONES, np.ones((0, 1, 1, 4)), r"surface must have shape .* Got \(0, 1, 1, 4\)"),
        (ONES, np.ones((2, 2, 1, 4)), r"agree in channels .* \(2, 2, 1, 4\)"),
        (ONES, np.ones((2, 1, 2, 4)), "agree in channels"),
        (ONES, np.ones((2, 1, 1, 5)), "not be wider"),
    ],
)
def test_shapes_that_do_not_fit(overhead: np.ndarray, surface: np.ndarray, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        best_orientations(overhead, surface)


def test_values_without_a_direction() -> None:
    sick, zero = ONES.copy(), ONES.copy()
    sick[1, 0, 0, 2] = np.inf
    zero[1] = 0
    with pytest.raises(VectorError, match="overhead row 1 holds a value that is not finite"):
        best_orientations(sick, ONES)
    with pytest.raises(VectorError, match="surface row 1 is zero everywhere"):
        best_orientations(ONES, zero)
    with pytest.raises(VectorError, match="overhead row 1 is zero where it fits best"):
        best_orientations(zero, ONES)


def test_a_bad_row_keeps_its_number_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = np.ones((5, 1, 1, 4))
    maps[3] = 0
    monkeypatch.setattr(orientation, "_BLOCK_BYTES", 2 * 16 * 4 * 2)
    with pytest.raises(VectorError, match="overhead row 3 is zero"):
        best_orientations(maps, ONES)
