"""Draws: golden numbers, one stream two ways, and distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.planet.draws import Draws, exponential, mixed_keys, normals_of, units_of

KEYS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)


def slow_splitmix(state: int, count: int) -> list[float]:
    """SplitMix64 as published, in whole numbers."""
    found = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        found.append(((z ^ (z >> 31)) >> 11) / 2**53)
    return found


@given(KEYS)
def test_one_by_one_and_all_at_once_are_the_same_stream(keys: list[int]) -> None:
    word = mixed_keys(*keys)[()]
    expected = slow_splitmix(int(word), 5)
    draws = Draws(*keys)
    assert [draws.unit() for _ in range(5)] == expected
    assert Draws(*keys).units(5).tolist() == expected
    assert units_of(word[None], 5)[0].tolist() == expected
    assert normals_of(word[None])[0] == Draws(*keys).normal()


def test_numbers_are_pinned() -> None:
    # A change here changes every data set that was ever made.
    assert Draws(3, 5, 2).unit() == 0.17025235249034298
    assert Draws(0).octets(11).tolist() == Draws(0).octets(16).tolist()[:11]
    assert Draws(1, -2).octets(4).tolist() == [90, 247, 4, 127]


def test_keys_broadcast_and_their_order_counts() -> None:
    words = mixed_keys(7, np.arange(3)[:, None], np.arange(2))
    assert words.shape == (3, 2)
    assert len(np.unique(words)) == 6
    assert words[1, 0] == mixed_keys(7, 1, 0) != mixed_keys(7, 0, 1)


def test_distributions() -> None:
    draws = Draws(11)
    normals = np.array([draws.normal() for _ in range(4000)])
    assert abs(normals.mean()) < 0.06
    assert abs(normals.std() - 1) < 0.04
    assert np.bincount([draws.index(4) for _ in range(4000)]).min() > 880
    assert sum(draws.chance(0.25) for _ in range(4000)) == pytest.approx(1000, abs=110)
    assert all(2 <= draws.between(2, 3) < 3 for _ in range(100))
    assert {draws.pick("abc") for _ in range(50)} == set("abc")


def test_weighted_takes_shares_and_never_a_zero() -> None:
    draws = Draws(12)
    counts = np.bincount([draws.weighted([0, 1, 3, 0]) for _ in range(4000)], minlength=4)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert counts[1] == pytest.approx(1000, abs=110)


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [math.nan, 1], [math.inf]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(UsageError, match="Weights must be finite"):
        Draws(0).weighted(weights)


def test_exponential_is_near_the_real_one() -> None:
    x = np.linspace(-7, 7, 101)
    assert np.abs(exponential(x) / np.exp(x) - 1).max() < 0.025
