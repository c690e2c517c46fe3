"""Places as keys on a grid of a box of latitudes and longitudes: bits of both, in turns.

Cutting a box in half again and again, longitude first, appends a bit to a prefix of the key each
time, so that boxes are nodes of a trie (:mod:`sightline.geo.partition.trie`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.geo.coordinates import FloatArray
from sightline.geo.partition.trie import Integers, Keys

BITS_PER_AXIS = 30
"""About a centimetre of longitude at the equator for the whole world."""

_SPREADS = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
_GATHERINGS = (
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A box and its cells, 2^30 along either side.

    Args:
        south: Degrees.
        west: Degrees.
        north: Degrees, greater than south.
        east: Degrees, greater than west.
    """

    south: float = -90.0
    west: float = -180.0
    north: float = 90.0
    east: float = 180.0

    def keys(self, places: FloatArray) -> Keys:
        """Return the keys (n,) of places (n, 2) inside the box; its outer edges belong to it."""
        row = _cells(places[:, 0], self.south, self.north)
        column = _cells(places[:, 1], self.west, self.east)
        return np.asarray(_spread(row) | (_spread(column) << np.uint64(1)))

    def edges(self, prefixes: Keys, depths: Integers, step: int) -> FloatArray:
        """Return south, west, north, east (m, 4) of nodes.

        Args:
            prefixes: (m,)
            depths: (m,), splits that made them.
            step: Bits a split: 1 for halves, longitude first, 2 for quarters.
        """
        bits = depths * step
        columns, rows = (bits + 1) // 2, bits // 2
        # An odd number of bits ends with one of the longitude.
        even = prefixes << (bits % 2).astype(np.uint64)
        row, column = _gathered(even), _gathered(even >> np.uint64(1))
        row = row >> (bits % 2)
        parts = (
            _edge(self.south, self.north, row, rows),
            _edge(self.west, self.east, column, columns),
            _edge(self.south, self.north, row + 1, rows),
            _edge(self.west, self.east, column + 1, columns),
        )
        return np.column_stack(parts)


def _edge(low: float, high: float, index: Integers, bits: Integers) -> FloatArray:
    """Return lines of a grid: the same number for the same line, however fine the grid is."""
    share = np.ldexp(index.astype(np.float64), -bits.astype(np.int32))
    return np.asarray(np.where(share == 1.0, high, low + (high - low) * share))


def _cells(values: FloatArray, low: float, high: float) -> Keys:
    """Return which of 2^30 parts holds each value: the last whose lower edge is not above it."""
    last = (1 << BITS_PER_AXIS) - 1
    index = np.clip((values - low) * ((1 << BITS_PER_AXIS) / (high - low)), 0, last)
    at = index.astype(np.int64)
    # The product is rounded; the edges are what counts.
    bits = np.full(1, BITS_PER_AXIS, np.int64)
    at -= values < _edge(low, high, at, bits)
    at += (values >= _edge(low, high, at + 1, bits)) & (at < last)
    return np.clip(at, 0, last).astype(np.uint64)


def _spread(values: Keys) -> Keys:
    """Put a zero before every bit of 30-bit numbers."""
    spread = values
    for shift, mask in _SPREADS:
        spread = (spread | (spread << np.uint64(shift))) & np.uint64(mask)
    return spread


def _gathered(keys: Keys) -> Integers:
    """Take every second bit, from the lowest: the inverse of :func:`_spread`."""
    gathered = keys & np.uint64(0x5555555555555555)
    for shift, mask in _GATHERINGS:
        gathered = (gathered | (gathered >> np.uint64(shift))) & np.uint64(mask)
    return gathered.astype(np.int64)
