from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.datasets.samplers import OnePerGroup, by_photographer, uniform_over_cells
from sightline.errors import CellError, CoordinateError, UsageError
from sightline.geo import cells


def groups_of(rows: int = 300, groups: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).zipf(1.4, rows) % groups


def test_one_row_of_every_group_and_epoch():
    groups = groups_of()
    sampler = OnePerGroup(groups, 7, drop_last=False)
    for _ in range(3):
        rows = [row for batch in sampler for row in batch]
        assert sorted(groups[rows].tolist()) == sorted(set(groups.tolist()))
    assert sampler.epoch == 3


def test_the_rows_of_a_group_take_turns():
    groups = groups_of()
    sampler = OnePerGroup(groups, 1)
    for group in np.unique(groups)[:12]:
        members = np.flatnonzero(groups == group).tolist()
        place = int(np.searchsorted(np.unique(groups), group))
        for start in (0, len(members), 5 * len(members)):
            seen = [int(sampler.chosen_in(start + e)[place]) for e in range(len(members))]
            assert sorted(seen) == members
    largest = int(np.argmax(np.bincount(groups)))
    place = int(np.searchsorted(np.unique(groups), largest))
    size = int((groups == largest).sum())
    rounds = [[int(sampler.chosen_in(r * size + e)[place]) for e in range(size)] for r in (0, 1)]
    assert rounds[0] != rounds[1]


def test_every_row_of_a_group_is_as_likely_to_come_first():
    first = [int(OnePerGroup([0] * 5, 1, seed=seed).chosen_in(0)[0]) for seed in range(2000)]
    assert np.bincount(first, minlength=5).min() > 330


def test_uniform_over_cells_takes_one_pair_of_each_cell():
    rng = np.random.default_rng(3)
    places = np.column_stack([rng.normal(0, 1, 500), rng.normal(0, 1, 500)])
    sampler = uniform_over_cells(places, 4, level=8, drop_last=False)
    rows = [row for batch in sampler for row in batch]
    ids = cells.cell_ids(places, 8)
    assert sorted(ids[rows].tolist()) == np.unique(ids).tolist()


def test_by_photographer_never_puts_two_photos_of_one_walk_in_a_batch():
    people = ["ann"] * 50 + ["bob"] * 3 + [None, ""] + ["cy"]
    sampler = by_photographer(people, 5)
    assert sampler.groups == 5
    for _ in range(20):
        # Broken off behind the last batch: the next pass is the next epoch, not an empty one.
        batch = next(iter(sampler))
        assert sorted(str(people[row] or row) for row in batch) == ["53", "54", "ann", "bob", "cy"]
    assert sampler.epoch == 19


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.booleans(), st.integers(0, 2**32 - 1))
def test_ranks_share_an_epoch_without_overlap(world_size, batch_size, drop_last, seed):
    groups = np.arange(60)

    def sampler(rank: int, world: int) -> OnePerGroup:
        return OnePerGroup(
            groups, batch_size, seed=seed, rank=rank, world_size=world, drop_last=drop_last
        )

    whole = list(sampler(0, 1))
    parts = [list(sampler(rank, world_size)) for rank in range(world_size)]
    assert len({len(part) for part in parts}) == 1
    assert len(parts[0]) == len(sampler(0, world_size)) == len(whole) // world_size
    dealt = [part[turn] for turn in range(len(parts[0])) for part in parts]
    assert dealt == whole[: len(dealt)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 25), st.integers(0, 3))
def test_a_pass_goes_on_where_it_was(stop, epoch):
    groups = groups_of(200, 50)

    def made() -> OnePerGroup:
        return OnePerGroup(groups, 3, seed=5, rank=1, world_size=2)

    straight = made()
    straight.set_epoch(epoch)
    expected = [*straight, *straight]
    first = made()
    first.set_epoch(epoch)
    seen = []
    while len(seen) < stop:
        for batch in first:
            seen.append(batch)
            if len(seen) == stop:
                break
    state = first.state_dict()
    second = made()
    second.load_state_dict(state)
    while len(seen) < len(expected):
        seen.extend(second)
    assert seen[: len(expected)] == expected


def test_a_loop_that_was_broken_off_is_taken_up():
    sampler, other = OnePerGroup(np.arange(20), 2), OnePerGroup(np.arange(20), 2)
    expected = list(other)
    head = [batch for batch, _ in zip(sampler, range(4), strict=False)]
    # zip draws one batch more than it gives.
    sampler.load_state_dict(sampler.state_dict(used=4))
    assert head + list(sampler) == expected


def test_a_data_loader_takes_it_and_its_state_counts_what_was_used():
    data = pytest.importorskip("torch.utils.data")
    groups = np.arange(24)

    class Numbers(data.Dataset):
        def __len__(self) -> int:
            return 24

        def __getitem__(self, number: int) -> int:
            return number

    def loader(sampler: OnePerGroup):
        return data.DataLoader(Numbers(), batch_sampler=sampler, num_workers=0)

    expected = [batch.tolist() for batch in loader(OnePerGroup(groups, 4, seed=2))]
    sampler = OnePerGroup(groups, 4, seed=2)
    stream = iter(loader(sampler))
    used = [next(stream).tolist() for _ in range(2)]
    resumed = OnePerGroup(groups, 4, seed=2)
    resumed.load_state_dict(sampler.state_dict(used=2))
    assert used + [batch.tolist() for batch in loader(resumed)] == expected


def test_setting_the_epoch_within_a_pass_ends_it():
    sampler = OnePerGroup(np.arange(20), 2)
    for count, _ in enumerate(sampler, 1):
        if count == 3:
            sampler.set_epoch(7)
    assert (count, sampler.epoch, sampler.position) == (3, 7, 0)


def test_a_state_of_another_sampler_is_refused():
    state = OnePerGroup(np.arange(20), 2).state_dict()
    for other in (
        OnePerGroup(np.arange(20), 2, seed=1),
        OnePerGroup(np.arange(20), 4),
        OnePerGroup(np.arange(20) // 2, 2),
        OnePerGroup(np.arange(20), 2, rank=1, world_size=2),
    ):
        with pytest.raises(UsageError, match="state is that of a sampler with other rows"):
            other.load_state_dict(state)


def test_bad_arguments():
    with pytest.raises(UsageError, match=r"batch_size must be positive.* Got 0"):
        OnePerGroup([1, 2], 0)
    with pytest.raises(UsageError, match="2 of 2"):
        OnePerGroup([1, 2], 1, rank=2, world_size=2)
    with pytest.raises(UsageError, match="2 rows in 1 groups make no batch of 2"):
        OnePerGroup([1, 1], 2)
    with pytest.raises(UsageError, match="make no batch"):
        OnePerGroup(np.zeros(0, np.int64), 1)
    with pytest.raises(UsageError, match="groups must be whole numbers or text"):
        OnePerGroup([0.5], 1)
    with pytest.raises(CoordinateError):
        uniform_over_cells([[100, 0]], 1, level=3)
    with pytest.raises(CellError):
        uniform_over_cells([[10, 0]], 1, level=99)
