from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.world.hashing import (
    child_keys,
    many_units,
    mixed,
    number,
    place_keys,
    units,
)

WHOLE = st.integers(-(2**40), 2**40)


def by_hand(value: int) -> int:
    value ^= value >> 16
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return value ^ value >> 16


@given(st.integers(0, 2**32 - 1))
def test_mixing_is_the_published_hash(value: int) -> None:
    assert int(mixed(np.array([value], np.uint32))[0]) == by_hand(value)


@given(WHOLE, WHOLE, WHOLE, st.integers(0, 2**32 - 1))
def test_place_keys_wrap_like_whole_numbers(i: int, j: int, k: int, seed: int) -> None:
    wide = i * 0x9E3779B1 + j * 0x85EBCA77 + k * 0xC2B2AE3D + seed
    assert int(place_keys(seed, i, j, k)) == by_hand(wide % 2**32)


def test_place_keys_broadcast() -> None:
    keys = place_keys(3, np.arange(4)[:, None], np.arange(5)[None])
    assert keys.shape == (4, 5)
    assert keys.dtype == np.uint32
    assert keys[2, 3] == place_keys(3, 2, 3)
    assert len(set(keys.ravel().tolist())) == 20


def test_units_are_even_and_below_one() -> None:
    drawn = units(place_keys(1, np.arange(200_000), 7), 3)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = np.histogram(drawn, 20, (0, 1))[0]
    assert np.abs(counts / 10_000 - 1).max() < 0.05
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01


def test_the_greatest_hash_is_still_below_one() -> None:
    assert np.float32((2**32 - 1) >> 8) * np.float32(2.0**-24) < 1


def test_many_units_are_single_ones_in_rows() -> None:
    keys = place_keys(5, np.arange(6), np.arange(6))
    rows = many_units(keys, 4, first=10)
    for row in range(4):
        np.testing.assert_array_equal(rows[row], units(keys, 10 + row))


def test_children_differ_from_each_other_and_their_parent() -> None:
    key = place_keys(5, np.arange(50), 0)
    children = child_keys(key[:, None], np.arange(40)[None])
    assert len({*children.ravel().tolist(), *key.tolist()}) == 50 * 41


def test_numbers_depend_on_every_key_and_their_order() -> None:
    assert number(1, 2) != number(2, 1)
    assert number(1, 2) != number(1, 2, 0)
    assert number(-1) != number(1)
    assert 0 <= number(10**30) < 2**32
