"""Pairs of photos: two of a cell, or a photo and one near it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import TrainingDataError
from sightline.geo.distance import great_circle_m
from sightline.training.retrieval.batches import (
    PairsByPlace,
    PairsOfCells,
    apart_km,
    most_alike,
    near_rows,
)

DRAW = np.random.default_rng(3)
CELLS = DRAW.integers(-1, 12, 200)
PLACES = DRAW.normal([48.0, 179.9], 0.5, (120, 2))
PLACES[:, 1] = (PLACES[:, 1] + 180.0) % 360.0 - 180.0
PLACES[7] = PLACES[8] = PLACES[9]


def test_each_cell_gives_one_pair_of_different_photos_in_an_epoch() -> None:
    cells = CELLS.copy()
    cells[0] = 99  # alone in its cell
    sampler = PairsOfCells(cells, 3, seed=5)
    seen = set()
    for epoch in range(6):
        pairs = np.concatenate(sampler.batches_of(epoch))
        assert pairs.shape == (12, 2)
        assert sorted(cells[pairs[:, 0]].tolist()) == list(range(12))
        np.testing.assert_array_equal(cells[pairs[:, 0]], cells[pairs[:, 1]])
        assert (pairs[:, 0] != pairs[:, 1]).all()
        seen |= {tuple(pair) for pair in pairs.tolist()}
    assert len(seen) > 60
    again = PairsOfCells(cells, 3, seed=5).batches_of(2)
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(sampler.batches_of(2)))
    other = PairsOfCells(cells, 3, seed=6).batches_of(2)
    assert not np.array_equal(np.concatenate(other), np.concatenate(again))


def test_too_few_cells_with_two_photos_are_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"2 cells with two training photos .* 3 pairs"):
        PairsOfCells(np.array([0, 0, 1, 1, 2, -1, -1]), 3)


@pytest.mark.parametrize(("radius_km", "count"), [(40.0, 3), (1.0, 4), (500.0, 200)])
def test_near_photos_are_those_of_an_exhaustive_search(radius_km: float, count: int) -> None:
    found = near_rows(PLACES, radius_km, count)
    assert found.shape == (120, count)
    apart = great_circle_m(PLACES[:, None], PLACES[None]) / 1000.0
    for row in range(120):
        near = found[row][found[row] >= 0]
        assert row not in near
        wanted = np.flatnonzero(apart[row] <= radius_km)
        wanted = wanted[wanted != row]
        assert len(near) == min(count, len(wanted))
        assert (found[row][len(near) :] == -1).all()
        np.testing.assert_allclose(
            apart[row][near], np.sort(apart[row][wanted])[: len(near)], atol=1e-6
        )


def test_every_photo_with_a_neighbour_asks_once_in_an_epoch() -> None:
    neighbours = near_rows(PLACES, 30.0, 3)
    able = np.flatnonzero((neighbours >= 0).any(axis=1))
    sampler = PairsByPlace(neighbours, 4, seed=1)
    drawn = set()
    for epoch in range(8):
        pairs = np.concatenate(sampler.batches_of(epoch))
        assert len(pairs) == len(able) // 4 * 4
        assert len(set(pairs[:, 0].tolist())) == len(pairs)
        for one, other in pairs.tolist():
            assert other in neighbours[one]
            drawn.add((one, other))
    assert len(drawn) > len(able)
    chosen = neighbours[:, 0]
    fixed = np.concatenate(PairsByPlace(neighbours, 4, chosen=chosen, seed=1).batches_of(0))
    np.testing.assert_array_equal(fixed[:, 1], chosen[fixed[:, 0]])
    with pytest.raises(TrainingDataError, match="0 training photos with others near them"):
        PairsByPlace(near_rows(PLACES[10:20], 1e-3, 2), 4)


def test_the_positive_is_the_neighbour_with_the_nearest_vector() -> None:
    vectors: NDArray[np.float32] = DRAW.normal(size=(120, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    neighbours = near_rows(PLACES, 20.0, 5)
    chosen = most_alike(vectors, neighbours)
    for row in range(120):
        near = neighbours[row][neighbours[row] >= 0]
        wanted = -1 if not len(near) else near[np.argmax(vectors[near] @ vectors[row])]
        assert chosen[row] == wanted


def test_distances_of_batches_are_great_circles() -> None:
    wanted = great_circle_m(PLACES[:20, None], PLACES[None, 20:50]) / 1000.0
    np.testing.assert_allclose(apart_km(PLACES[:20], PLACES[20:50]), wanted, atol=1e-3)
