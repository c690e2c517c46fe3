from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.reading import ShardReader, write_shard
from sightline.datasets.samplers import NearOnGround, OnePerGroup
from sightline.datasets.seeding import MOST_SEED, checked_seed, uniform_of_ids
from sightline.datasets.splits import by_cell
from sightline.datasets.stats import Occupancy, compare
from sightline.datasets.viability import train_viability
from sightline.errors import UsageError


@given(st.text(max_size=20), st.integers(0, 2**40), st.none() | st.integers(0, 99))
def test_numbers_are_words_of_the_hash(one, seed, epoch):
    key = f"why\0{seed}\0{'' if epoch is None else epoch}".encode()
    text = len(key).to_bytes(4, "little") + key + one.encode()
    digest = hashlib.blake2b(text, digest_size=16).digest()
    words = [int.from_bytes(digest[i : i + 8], "little") >> 11 for i in (0, 8)]
    found = uniform_of_ids([one], "why", seed=seed, epoch=epoch, values=2)
    assert found.tolist() == [[word / 2**53 for word in words]]


def test_uniform_and_independent_of_order_and_of_each_other():
    ids = [f"photo/{number}" for number in range(20_000)]
    drawn = uniform_of_ids(ids, "a", seed=0)[:, 0]
    assert abs(drawn.mean() - 0.5) < 0.01
    assert np.histogram(drawn, 10, (0, 1))[0].min() > 1800
    assert (uniform_of_ids(ids[::-1], "a", seed=0)[::-1, 0] == drawn).all()
    for other in (
        uniform_of_ids(ids, "b", seed=0),
        uniform_of_ids(ids, "a", seed=1),
        uniform_of_ids(ids, "a", seed=0, epoch=0),
    ):
        assert abs(np.corrcoef(other[:, 0], drawn)[0, 1]) < 0.03


def test_no_ids():
    assert uniform_of_ids([], "a", seed=0, values=3).shape == (0, 3)


@pytest.mark.parametrize("seed", [-1, MOST_SEED + 1, 0.5, True, None, "1"])
def test_impossible_seeds_are_refused_everywhere(tmp_path, seed):
    one = Occupancy.of([[1, 2]], 5)
    write_shard(tmp_path / "a.tar", [("a", {"txt": ""})])
    for attempt in (
        lambda: checked_seed(seed),
        lambda: by_cell([[1, 2], [30, 40]], {"a": 1, "b": 1}, seed=seed),
        lambda: OnePerGroup([1, 2], 1, seed=seed),
        lambda: NearOnGround([[1, 2]], 1, cluster=1, seed=seed),
        lambda: ShardReader(tmp_path, seed=seed),
        lambda: compare(one, one, seed=seed),
        lambda: train_viability(np.eye(20), np.arange(20) < 10, seed=seed),
    ):
        with pytest.raises(UsageError, match=r"seed must be a whole number from 0 to .* Got "):
            attempt()


def test_the_largest_seed():
    assert checked_seed(np.uint32(MOST_SEED)) == MOST_SEED
    assert len(OnePerGroup([1, 2], 1, seed=MOST_SEED)) == 2
