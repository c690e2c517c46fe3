"""Partitions into boxes against queues over lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import PartitionError
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import (
    BoxSettings,
    Partition,
    QuadtreeSettings,
    adaptive_boxes,
    quadtree,
    uniform_boxes,
)
from sightline.geo.partition.grid import Grid

from . import oracles
from .places import crowded, several

WORLD = (-90.0, -180.0, 90.0, 180.0)


def counted(partition: Partition) -> dict[oracles.Box, int]:
    edges = [tuple(row) for row in partition.cells.edges.tolist()]
    return dict(zip(edges, partition.members.tolist(), strict=True))


def checked(make, places, settings, expected, goal) -> None:
    """Compare with the queue, errors too."""
    if goal is not None and len(expected) < goal:
        few = "lie in one cell" if len(expected) == 1 else f"fill {len(expected)} cells at most"
        with pytest.raises(PartitionError, match=few):
            make(places, settings)
    elif len(expected) < 2:
        with pytest.raises(PartitionError, match="lie in one cell"):
            make(places, settings)
    else:
        found = make(places, settings)
        assert counted(found) == expected
        assert list(counted(found)) == list(expected)


# A place is kept to 2^-30 of the world, four centimetres: nearer ones are not told apart.
apart = several.map(lambda places: np.round(places, 5))


@settings(max_examples=60, deadline=None)
@given(apart, st.integers(2, 40))
def test_halves_until_there_are_enough(places, cells) -> None:
    expected = oracles.boxes(places, cells=cells)
    checked(adaptive_boxes, places, BoxSettings(cells=cells), expected, cells)


@settings(max_examples=60, deadline=None)
@given(apart, st.integers(1, 9), st.sampled_from([0.0, 1e3, 1e6]))
def test_halves_until_none_is_too_full_or_all_are_small(places, most, area) -> None:
    expected = oracles.boxes(places, max_members=most, min_area_km2=area)
    settings = BoxSettings(max_members=most, min_area_km2=area)
    checked(adaptive_boxes, places, settings, expected, None)


@settings(max_examples=60, deadline=None)
@given(several, st.integers(1, 9), st.integers(0, 3))
def test_cuts_at_random(places, most, seed) -> None:
    share = oracles.random_share(seed)
    expected = oracles.boxes(places, max_members=most, min_area_km2=1.0, share=share)
    settings = BoxSettings(max_members=most, min_area_km2=1.0, cut="random", seed=seed)
    checked(adaptive_boxes, places, settings, expected, None)


@settings(max_examples=60, deadline=None)
@given(apart, st.integers(2, 30))
def test_quarters_until_there_are_enough(places, cells) -> None:
    expected = oracles.quarters(places, bounds=WORLD, cells=cells)
    checked(quadtree, places, QuadtreeSettings(cells=cells), expected, cells)


@pytest.mark.parametrize("cut", ["even", "random"])
@pytest.mark.parametrize("cells", [2, 80, 359])
def test_as_many_as_are_asked_for(cut, cells) -> None:
    places = crowded(3000)
    found = adaptive_boxes(places, BoxSettings(cells=cells, cut=cut, seed=5))
    assert len(found) == cells
    share = (lambda path: 0.5) if cut == "even" else oracles.random_share(5)
    assert counted(found) == oracles.boxes(places, cells=cells, share=share)
    rows = found.assign(places)
    assert np.bincount(rows).tolist() == found.members.tolist()
    means = oracles.means(places, rows, cells)
    assert great_circle_m(found.representatives, means).max() < 1e-3


def test_another_seed_cuts_elsewhere() -> None:
    places = crowded(500)
    cuts = [adaptive_boxes(places, BoxSettings(cells=9, cut="random", seed=n)) for n in (1, 1, 2)]
    assert cuts[0].fingerprint == cuts[1].fingerprint != cuts[2].fingerprint


def test_boxes_too_empty_are_dropped() -> None:
    places = crowded(2000)
    found = adaptive_boxes(places, BoxSettings(max_members=100, min_members=30))
    every = counted(adaptive_boxes(places, BoxSettings(max_members=100)))
    assert counted(found) == {box: count for box, count in every.items() if count >= 30}
    assert (found.assign(places) == -1).sum() == 2000 - found.members.sum()


def test_a_quadtree_around_the_data_as_osv5m_makes_it() -> None:
    places = crowded(3000)
    (south, west), (north, east) = places.min(axis=0), places.max(axis=0)
    settings = QuadtreeSettings(max_members=99, max_depth=6, around_data=True)
    found = quadtree(places, settings)
    expected = oracles.quarters(
        places, bounds=(south, west, north, east), max_members=99, max_depth=6
    )
    ours = np.array(sorted(counted(found)))
    assert ours == pytest.approx(np.array(sorted(expected)), abs=1e-9)
    assert sorted(counted(found).values()) == sorted(expected.values())
    # The outermost places lie on the outer edges.
    assert (found.assign(places) >= 0).all()


def test_a_grid_of_equal_boxes() -> None:
    places = crowded(400)
    found = uniform_boxes(places, 3)
    keys = {(int((lat + 90) // 22.5), int((lon + 180) // 45)) for lat, lon in places.tolist()}
    assert len(found) == len(keys)
    assert np.ptp(found.cells.edges[:, 2] - found.cells.edges[:, 0]) == 0
    assert uniform_boxes(places, 3, min_members=7).members.min() >= 7


@settings(max_examples=60, deadline=None)
@given(st.floats(-89, 0), st.floats(-179, 0), st.floats(1, 89), st.floats(1, 179), st.data())
def test_a_key_says_which_edges_are_passed(south, west, north, east, data) -> None:
    grid = Grid(south, west, north, east)
    shares = st.one_of(st.floats(0, 1), st.integers(0, 64).map(lambda n: n / 64))
    lat = data.draw(shares) * (north - south) + south
    lon = data.draw(shares) * (east - west) + west
    nudged = np.array([[min(max(lat, south), north), min(max(lon, west), east)]])
    key = grid.keys(nudged)
    for depth in (1, 2, 3, 12, 17, 60):
        prefix = key >> np.uint64(60 - depth)
        ((low_lat, low_lon, high_lat, high_lon),) = grid.edges(prefix, np.array([depth]), 1)
        assert low_lat <= nudged[0, 0] < high_lat or nudged[0, 0] == high_lat == north
        assert low_lon <= nudged[0, 1] < high_lon or nudged[0, 1] == high_lon == east


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_members": 5, "min_area_km2": -1.0}, "min_area_km2 must be finite"),
        ({"max_members": 5, "min_area_km2": float("nan")}, "min_area_km2 must be finite"),
        ({"max_members": 5, "min_area_km2": "9"}, "min_area_km2 must be finite .* Got '9'"),
        ({"cells": 5, "cut": "random", "seed": -1}, "seed must be a whole number .* Got -1"),
        ({"cells": 5, "cut": "random", "seed": 0.5}, "seed must be a whole number .* Got 0.5"),
        ({"cells": 5, "cut": "golden"}, "cut must be 'even' or 'random'. Got 'golden'"),
        ({}, "needs a goal"),
    ],
)
def test_what_cannot_be_asked_of_boxes(settings, said) -> None:
    with pytest.raises(PartitionError, match=said):
        BoxSettings(**settings)


def test_what_cannot_be_asked_of_a_quadtree() -> None:
    with pytest.raises(PartitionError, match="min_depth and max_depth"):
        QuadtreeSettings(cells=4, max_depth=31)
    with pytest.raises(PartitionError, match="one parallel or one meridian"):
        quadtree([[1.0, 2.0], [1.0, 3.0]], QuadtreeSettings(cells=2, around_data=True))
    with pytest.raises(PartitionError, match="Got none"):
        quadtree([], QuadtreeSettings(cells=2))


def test_smaller_than_the_least_area_is_not_cut() -> None:
    places = np.array([[10.0, 10.0], [10.000001, 10.0], [-50.0, 100.0]])
    found = adaptive_boxes(places, BoxSettings(max_members=1, min_area_km2=100.0))
    assert sorted(found.members.tolist()) == [1, 2]
    smallest = found.areas_km2.min()
    assert smallest < 100.0 <= 2.01 * smallest
