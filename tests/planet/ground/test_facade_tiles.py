from __future__ import annotations

import numpy as np

from sightline.planet.ground.facade_drawing import SIDE, SIZED, Paint, Tile, drawn_tile
from sightline.planet.ground.facade_tiles import (
    HEIGHTS,
    LEVELS,
    WIDTHS,
    mixes,
    tile_number,
    tile_set,
)


def test_every_tile_has_a_number_of_its_own() -> None:
    numbers = [
        int(tile_number(*(np.array([n]) for n in (tile, w, h, ground)))[0])
        for tile in Tile
        for w in range(len(WIDTHS) if tile < SIZED else 1)
        for h in range(len(HEIGHTS) if tile < SIZED else 1)
        for ground in (0, 1)
    ]
    assert sorted(numbers) == list(range(tile_set().count))


def test_a_number_finds_the_tile_that_was_drawn() -> None:
    tiles = tile_set()
    one = np.array([1])
    number = tile_number(np.array([Tile.SHUTTERED]), 2 * one, one, 0 * one)
    wanted = drawn_tile(Tile.SHUTTERED, WIDTHS[2], HEIGHTS[1], ground=False)
    for column in (0, 20, 40):
        start = int(tiles.start(number, 0 * one, np.array([column]))[0])
        assert (tiles.codes[start : start + SIDE] == wanted[column]).all()


def test_small_versions_keep_the_share_of_glass() -> None:
    tiles, table = tile_set(), mixes()
    shares = []
    for level in range(LEVELS - 1):
        side = SIDE >> level
        start = tiles.starts[level]
        codes = tiles.codes[start : start + tiles.count * side * side]
        shares.append(table[codes].reshape(tiles.count, -1, len(Paint))[..., Paint.GLASS].mean(1))
    for level in range(1, LEVELS - 1):
        assert abs(shares[level] - shares[0]).mean() < 0.05


def test_mixtures_are_shares() -> None:
    table = mixes()
    assert table.shape == (64, len(Paint))
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert tile_set().codes.max() < 64


def test_a_larger_window_has_more_glass() -> None:
    def glass(width: float, height: float) -> float:
        return float((drawn_tile(Tile.PANE, width, height, ground=False) == Paint.GLASS).mean())

    assert glass(0.34, 0.42) < glass(0.34, 0.6) < glass(0.68, 0.6)
    ground = drawn_tile(Tile.BLANK, 0.5, 0.5, ground=True)
    assert (ground[:, :4] == Paint.PLINTH).all()
