from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.datasets.splits import Assignment, by_cell, by_photographer, by_place, check
from sightline.datasets.splits.assignment import deal
from sightline.errors import CellError, CoordinateError, UsageError
from sightline.geo import cells, destination, great_circle_m

SHARES = {"train": 0.7, "test": 0.3}


def town(rows: int, seed: int = 0, width_m: float = 3000.0) -> np.ndarray:
    """Places strewn over a town, and some far away."""
    rng = np.random.default_rng(seed)
    return destination(
        [48.0, 11.0], rng.uniform(0, 360, rows), width_m * np.sqrt(rng.uniform(0, 1, rows))
    )


def world(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [np.degrees(np.arcsin(rng.uniform(-1, 1, rows))), rng.uniform(-180, 180, rows)]
    )


def least_distance_across(places: np.ndarray, codes: np.ndarray) -> float:
    """The slow and obvious way."""
    metres = great_circle_m(places[:, None], places[None])
    apart = (codes[:, None] != codes[None]) & (codes >= 0)[:, None] & (codes >= 0)[None]
    return float(metres[apart].min())


def test_by_cell_keeps_cells_whole_and_comes_near_the_shares():
    places = world(5000)
    split = by_cell(places, {"train": 8, "val": 1, "test": 1}, level=6)
    for cell in np.unique(ids := cells.cell_ids(places, 6)):
        assert len(set(split.codes[ids == cell])) == 1
    assert split.names == ("train", "val", "test")
    assert split.counts["val"] == pytest.approx(500, rel=0.05)
    assert sum(split.counts.values()) == 5000
    assert split.left_out == 0
    assert [split.labels[row] for row in split.rows("val")[:3]] == ["val"] * 3


@pytest.mark.parametrize("maker", [by_cell, by_place])
def test_the_order_of_the_rows_does_not_matter_and_the_seed_does(maker):
    places = world(800)
    shuffled = np.random.default_rng(1).permutation(800)
    split = maker(places, SHARES)
    assert maker(places[shuffled], SHARES).codes.tolist() == split.codes[shuffled].tolist()
    assert maker(places, SHARES, seed=7).codes.tolist() != split.codes.tolist()


def test_a_buffer_keeps_tiles_of_two_splits_apart():
    places = town(600)
    bare = by_cell(places, SHARES, level=14)
    split = by_cell(places, SHARES, level=14, buffer_m=200)
    assert least_distance_across(places, bare.codes) < 50
    assert least_distance_across(places, split.codes) >= 200
    # The smaller split keeps all its rows.
    assert split.counts["test"] == bare.counts["test"]
    assert split.left_out == bare.counts["train"] - split.counts["train"] > 0
    left_out = np.flatnonzero(split.codes < 0)
    assert [split.labels[row] for row in left_out] == [None] * len(left_out)
    near = great_circle_m(places[left_out][:, None], places[split.rows("test")][None]).min(axis=1)
    assert (near < 200).all()


@settings(max_examples=25)
@given(st.integers(0, 2**30), st.sampled_from([20.0, 300.0, 5000.0]))
def test_no_two_splits_come_nearer_than_the_radius(seed, radius_m):
    places = np.concatenate([town(120, seed, 800.0), town(40, seed + 1, 40_000.0), world(40, seed)])
    split = by_place(places, {"a": 3, "b": 1}, radius_m=radius_m, seed=seed)
    assert least_distance_across(places, split.codes) >= radius_m * (1 - 1e-9)


def test_places_that_hang_together_stay_together():
    # Chains of photos 60 m apart, 1 km from each other.
    along = np.arange(10) * 60.0
    chains = [destination(destination([0.0, 179.99], 90, 1000.0 * n), 0, along) for n in range(30)]
    places = np.concatenate(chains)
    split = by_place(places, SHARES, radius_m=100)
    assert split.groups == 30
    assert split.left_out == 0
    for chain in range(30):
        assert len(set(split.codes[10 * chain : 10 * chain + 10].tolist())) == 1
    # Steps longer than the radius (and than what is taken for it) do not hang together.
    assert by_place(places, SHARES, radius_m=30).groups == 300


def test_a_town_in_one_piece_is_cut_and_buffered():
    places = town(2000)
    split = by_place(places, {"train": 0.8, "val": 0.1, "test": 0.1}, radius_m=150)
    assert split.groups >= 20
    assert split.left_out > 0
    assert least_distance_across(places, split.codes) >= 150
    assert split.counts["test"] == pytest.approx(200, rel=0.5)
    wide = by_place(places, SHARES, radius_m=150, buffer_m=400, largest_share=1.0)
    assert least_distance_across(places, wide.codes) >= 400


def test_a_thousand_photos_of_one_spot_stay_together():
    places = np.concatenate([np.tile([[48.0, 11.0]], (1000, 1)), world(3000)])
    split = by_place(places, {"train": 0.9, "test": 0.1}, radius_m=50)
    assert len(set(split.codes[:1000].tolist())) == 1


def test_points_on_a_line_are_cut_too():
    places = np.concatenate([np.tile([[0.0, 0.0]], (60, 1)), [[0.0, 0.0001]], world(100)])
    split = by_place(places, SHARES, radius_m=1000, largest_share=0.5)
    assert least_distance_across(places, split.codes) >= 1000


def test_by_photographer():
    rng = np.random.default_rng(0)
    people = [f"user {number}" for number in rng.zipf(1.5, 3000) % 400]
    split = by_photographer(people, {"train": 0.8, "test": 0.2})
    owner: dict[str, set[str | None]] = {}
    for name, label in zip(people, split.labels, strict=True):
        owner.setdefault(name, set()).add(label)
    assert all(len(found) == 1 for found in owner.values())
    assert split.counts["test"] == pytest.approx(600, rel=0.1)
    assert check(split.labels, photographers=people).clean


def test_unknown_photographers():
    people = ["a", None, "b", "", "c", None] * 20
    with pytest.raises(UsageError, match="60 of 120 photos name no photographer, the first in row"):
        by_photographer(people, SHARES)
    one = by_photographer(people, {"x": 1, "y": 1}, unknown="one")
    assert one.groups == 4
    assert len({code for code, name in zip(one.codes, people, strict=True) if not name}) == 1
    each = by_photographer(people, SHARES, unknown="each")
    assert each.groups == 63
    assert check(each.labels, photographers=people).clean
    known = by_photographer(["a", "b", "c"] * 9, SHARES, unknown="each")
    assert known.groups == 3
    with pytest.raises(UsageError, match=r"refuse, each or one. Got 'guess'"):
        by_photographer(people, SHARES, unknown="guess")  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=60, max_size=80), st.integers(0, 99))
def test_shares_are_met_to_within_the_largest_group(sizes, seed):
    group = np.repeat(np.arange(len(sizes)), sizes)
    split = deal(group, {"a": 5, "b": 3, "c": 2}, seed=seed, what="groups")
    for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.2)):
        assert abs(split.counts[name] - share * len(group)) <= 9


def test_large_groups_are_not_all_in_the_largest_split():
    group = np.repeat(np.arange(50), [40] * 10 + [10] * 40)
    large = [deal(group, {"a": 4, "b": 1}, seed=s, what="g").codes[:400:40] for s in range(20)]
    assert 0.05 < np.mean(large) < 0.4


@pytest.mark.parametrize(
    "shares",
    [{}, {"train": 1.0}, {"": 1.0, "b": 1.0}],
)
def test_fewer_than_two_splits(shares):
    with pytest.raises(UsageError, match="two splits or more"):
        by_cell(world(9), shares)


@pytest.mark.parametrize("share", [0, -1, float("nan"), float("inf"), "half"])
def test_impossible_shares(share):
    with pytest.raises(UsageError, match=r"share of 'test' must be a positive number. Got "):
        by_cell(world(9), {"train": 1, "test": share})


def test_an_empty_split_is_an_error():
    one_spot = np.tile([[48.0, 11.0]], (50, 1))
    for attempt in (
        lambda: by_cell(one_spot, SHARES),
        lambda: by_place(one_spot, SHARES),
        lambda: by_photographer(["me"] * 50, SHARES),
        lambda: by_cell([], SHARES),
        lambda: by_place([], SHARES),
        lambda: by_photographer([], SHARES),
    ):
        with pytest.raises(UsageError, match=r"The split .*would be empty"):
            attempt()
    with pytest.raises(UsageError, match="all its rows lie within 50000 m of a smaller split"):
        by_cell(town(50), {"train": 0.5, "test": 0.5}, level=16, buffer_m=50_000)


def test_bad_arguments():
    with pytest.raises(CoordinateError, match="swapped"):
        by_cell([[120.0, 48.0]], SHARES)
    with pytest.raises(CellError):
        by_cell(world(9), SHARES, level=31)
    for buffer_m in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="buffer_m must be"):
            by_cell(world(9), SHARES, level=6, buffer_m=buffer_m)
    for radius_m in (0.0, float("inf")):
        with pytest.raises(UsageError, match="radius_m must be"):
            by_place(world(9), SHARES, radius_m=radius_m)
    with pytest.raises(UsageError, match="largest_share must be"):
        by_place(world(9), SHARES, largest_share=0)
    split = Assignment(("a", "b"), np.array([0, 1]), 2)
    with pytest.raises(UsageError, match="There are a, b"):
        split.rows("c")
