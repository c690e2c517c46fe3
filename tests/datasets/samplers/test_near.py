from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.datasets.samplers import NearOnGround, near
from sightline.errors import CoordinateError, UsageError
from sightline.geo import destination, great_circle_m


def towns(count: int = 20, each: int = 32, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.column_stack([rng.uniform(-60, 60, count), rng.uniform(-180, 180, count)])
    rows = count * each
    return destination(
        np.repeat(centres, each, axis=0), rng.uniform(0, 360, rows), rng.uniform(0, 2000, rows)
    )


def test_every_row_comes_once_in_clusters_of_near_places():
    places = towns()
    sampler = NearOnGround(places, 16, cluster=8)
    batches = list(sampler)
    assert sorted(row for batch in batches for row in batch) == list(range(640))
    town = np.arange(640) // 32
    # Two clusters of eight each: mostly of one town, while chance would give 16 towns in a batch.
    assert np.mean([len(set(town[batch].tolist())) for batch in batches]) < 3
    assert list(sampler) != batches


def test_a_cluster_is_the_nearest_rows():
    # Towns of thirty, far apart: the nearest thirty of any photo are its town.
    places = towns(4, 30)
    batches = list(NearOnGround(places, 30, cluster=30))
    assert sorted(({row // 30 for row in batch} for batch in batches), key=min) == [
        {0},
        {1},
        {2},
        {3},
    ]
    first = batches[0][0]
    nearest = np.argsort(great_circle_m(places[first], places), kind="stable")[:30]
    assert set(batches[0]) == set(nearest.tolist())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**30), st.sampled_from([0.0, 50.0, 400.0]), st.booleans())
def test_rows_of_a_batch_are_apart(seed, apart_m, drop_last):
    places = towns(6, 20, seed)
    places[:5] = places[0]
    sampler = NearOnGround(places, 8, cluster=4, apart_m=apart_m, drop_last=drop_last, seed=seed)
    batches = list(sampler)
    seen = [row for batch in batches for row in batch]
    assert len(set(seen)) == len(seen)
    if not drop_last:
        assert sorted(seen) == list(range(120))
    for batch in batches:
        metres = great_circle_m(places[batch][:, None], places[batch][None])
        assert (metres[~np.eye(len(batch), dtype=bool)] >= apart_m * (1 - 1e-9)).all()
        assert len(batch) == 8 or not drop_last


def test_one_spot_with_many_photos_ends():
    places = np.concatenate([np.tile([[10.0, 10.0]], (500, 1)), towns(4, 4)])
    assert NearOnGround(places, 4, cluster=2, apart_m=1.0).epoch == 0
    kept = list(NearOnGround(places, 4, cluster=2, apart_m=1.0))
    assert all(sum(row < 500 for row in batch) <= 1 for batch in kept)
    rest = list(NearOnGround(places, 4, cluster=2, apart_m=1.0, drop_last=False))
    assert sum(len(batch) for batch in rest) == 516


def test_ranks_and_resuming():
    places = towns(5, 20)
    whole = list(NearOnGround(places, 5, cluster=5, seed=3))
    parts = [
        list(NearOnGround(places, 5, cluster=5, seed=3, rank=r, world_size=3)) for r in (0, 1, 2)
    ]
    assert [part[i] for i in range(6) for part in parts] == whole[:18]
    sampler = NearOnGround(places, 5, cluster=5, seed=3)
    stream = iter(sampler)
    head = [next(stream) for _ in range(7)]
    resumed = NearOnGround(places, 5, cluster=5, seed=3)
    resumed.load_state_dict(sampler.state_dict())
    assert head + list(resumed) == whole
    other = NearOnGround(places + 0.5, 5, cluster=5, seed=3)
    with pytest.raises(UsageError, match="other rows"):
        other.load_state_dict(sampler.state_dict())


def test_fewer_rows_than_neighbours():
    sampler = NearOnGround(towns(1, 3), 2, cluster=2, drop_last=False)
    assert sorted(len(batch) for batch in sampler) == [1, 2]
    assert list(NearOnGround([[1.0, 2.0]], 1, cluster=1)) == [[0]]


def test_bad_arguments():
    places = towns(1, 8)
    with pytest.raises(UsageError, match=r"cluster must be between 1 and batch_size .* Got 9, 4"):
        NearOnGround(places, 4, cluster=9)
    with pytest.raises(UsageError, match="neighbours at least cluster - 1"):
        NearOnGround(places, 8, cluster=8, neighbours=2)
    with pytest.raises(UsageError, match="apart_m must be"):
        NearOnGround(places, 4, cluster=2, apart_m=-1)
    with pytest.raises(UsageError, match="8 rows make no batch of 9"):
        NearOnGround(places, 9, cluster=2)
    with pytest.raises(CoordinateError):
        NearOnGround([[95.0, 0.0]], 1)


def test_a_landmark_is_not_tried_again_for_every_batch(monkeypatch):
    places = np.column_stack([np.linspace(-60, 60, 3000), np.zeros(3000)])
    places[::3] = (48.0, 2.0)
    sampler = NearOnGround(places, 50, apart_m=25.0)
    tried = []
    take = near._Batching._take

    def counted(self, row):
        tried.append(row)
        return take(self, row)

    monkeypatch.setattr(near._Batching, "_take", counted)
    batches = sampler.batches_of(1)
    assert len(batches) > 35
    assert all((batch % 3 == 0).sum() <= 1 for batch in batches)
    assert len(tried) < 3 * len(places)
