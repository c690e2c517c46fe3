"""S2 partitions against a queue over lists, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CellError, CoordinateError, PartitionError
from sightline.geo import cells as s2
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import (
    Partition,
    S2Cells,
    S2Settings,
    adaptive_s2,
    adaptive_s2_family,
    chunks,
    uniform_s2,
)

from . import oracles
from .places import crowded, several


def counted(partition: Partition) -> dict[int, int]:
    ids = partition.cells.ids.tolist()
    return dict(zip(ids, partition.members.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    several,
    st.integers(2, 40),
    st.integers(0, 4),
    st.sampled_from([8, 13, 30]),
)
def test_the_queue_splits_the_same_cells(places, cells, min_level, max_level) -> None:
    expected = oracles.s2_cells(places, cells=cells, min_level=min_level, max_level=max_level)
    settings = S2Settings(cells=cells, min_level=min_level, max_level=max_level)
    if len(expected) < cells:
        few = "lie in one cell" if len(expected) == 1 else f"fill {len(expected)} cells at most"
        with pytest.raises(PartitionError, match=few):
            adaptive_s2(places, settings)
        return
    found = adaptive_s2(places, settings)
    assert counted(found) == expected
    assert len(found) <= cells + 2 or len(expected) > cells + 2


@settings(max_examples=60, deadline=None)
@given(several, st.integers(1, 8), st.sampled_from([None, 5, 12]), st.sampled_from([3, 30]))
def test_the_queue_stops_where_none_is_too_full(places, most, cells, max_level) -> None:
    expected = oracles.s2_cells(places, cells=cells, max_members=most, max_level=max_level)
    settings = S2Settings(cells=cells, max_members=most, max_level=max_level)
    if len(expected) < 2:
        with pytest.raises(PartitionError, match="lie in one cell"):
            adaptive_s2(places, settings)
        return
    assert counted(adaptive_s2(places, settings)) == expected


@pytest.mark.parametrize("cells", [2, 100, 1500])
def test_many_places(cells) -> None:
    places = crowded(4000)
    found = adaptive_s2(places, S2Settings(cells=cells))
    assert counted(found) == oracles.s2_cells(places, cells=cells)
    assert found.cells.ids.tolist() == sorted(found.cells.ids.tolist())
    # There are six faces to start from.
    assert max(cells, 6) <= len(found) <= max(cells + 2, 6)
    rows = found.assign(places)
    assert (rows >= 0).all()
    assert np.bincount(rows).tolist() == found.members.tolist()
    means = oracles.means(places, rows, len(found))
    assert great_circle_m(found.representatives, means).max() < 1e-3


def test_cells_too_empty_are_dropped_at_the_end() -> None:
    places = crowded(3000)
    every = counted(adaptive_s2(places, S2Settings(max_members=50)))
    found = adaptive_s2(places, S2Settings(max_members=50, min_members=20))
    assert counted(found) == {cell: count for cell, count in every.items() if count >= 20}
    rows = found.assign(places)
    assert (rows == -1).sum() == 3000 - found.members.sum() > 0
    assert found.settings == {
        "method": "s2",
        "cells": None,
        "max_members": 50,
        "min_members": 20,
        "min_level": 0,
        "max_level": 30,
        "places": 3000,
    }


def test_threads_change_nothing(monkeypatch) -> None:
    places = crowded(3000)
    whole = adaptive_s2(places, S2Settings(cells=300))
    monkeypatch.setattr(chunks, "ROWS_AT_ONCE", 100)
    parts = adaptive_s2(places, S2Settings(cells=300))
    assert parts.cells.ids.tolist() == whole.cells.ids.tolist()
    assert parts.members.tolist() == whole.members.tolist()
    assert great_circle_m(parts.representatives, whole.representatives).max() < 1e-6
    assert parts.fingerprint == adaptive_s2(places, S2Settings(cells=300)).fingerprint
    assert (parts.assign(places) == whole.assign(places)).all()
    places[2345] = 99.0, 0.0
    with pytest.raises(CoordinateError, match="row 2345"):
        adaptive_s2(places, S2Settings(cells=300))
    with pytest.raises(CoordinateError, match="row 2345"):
        whole.assign(places)


def test_a_family_nests() -> None:
    places = crowded(2000)
    settings = [S2Settings(cells=n) for n in (20, 90, 400)]
    coarse, middle, fine = adaptive_s2_family(places, settings)
    for one, other in ((coarse, middle), (middle, fine)):
        assert counted(one) == counted(adaptive_s2(places, S2Settings(**_goal(one))))
        low, high = s2.range_min(other.cells.ids), s2.range_max(other.cells.ids)
        at = one.cells.locate_leaves(low)
        assert (at >= 0).all()
        assert (one.cells.locate_leaves(high) == at).all()


def _goal(partition: Partition) -> dict:
    return {"cells": partition.settings["cells"]}


def test_uniform_levels() -> None:
    places = crowded(500)
    for level in (2, 7):
        found = uniform_s2(places, level)
        assert found.cells.ids.tolist() == np.unique(s2.cell_ids(places, level)).tolist()
    assert uniform_s2(places, 7, min_members=5).members.min() >= 5


def test_equal_places_are_one_cell_however_many() -> None:
    places = np.array([[48.0, 2.0]] * 500 + [[-33.0, 151.0]])
    found = adaptive_s2(places, S2Settings(max_members=10))
    # They cannot be parted, and no cell is split for nothing.
    assert s2.levels(found.cells.ids).tolist() == [0, 0]
    assert sorted(found.members.tolist()) == [1, 500]


def test_a_crowd_that_cannot_be_parted_does_not_use_up_the_cells() -> None:
    places = np.concatenate([np.full((2000, 2), 48.0), crowded(60)])
    found = adaptive_s2(places, S2Settings(cells=40))
    assert counted(found) == oracles.s2_cells(places, cells=40)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "needs a goal"),
        ({"cells": 1}, "cells must be a whole number of at least 2"),
        ({"cells": 2.5}, "cells must be a whole number"),
        ({"cells": True}, "cells must be a whole number"),
        ({"max_members": 0}, "max_members must be"),
        ({"cells": 9, "min_members": 0}, "min_members must be"),
        ({"max_members": 5, "min_members": 6}, "must not exceed max_members. Got 6 and 5"),
        ({"cells": 9, "max_level": 31}, "between 0 and 30"),
        ({"cells": 9, "min_level": 5, "max_level": 4}, "Got 5 and 4"),
    ],
)
def test_what_cannot_be_asked(settings, said) -> None:
    with pytest.raises(PartitionError, match=said):
        S2Settings(**settings)


def test_what_places_cannot_give() -> None:
    with pytest.raises(PartitionError, match="made of places"):
        adaptive_s2(np.empty((0, 2)), S2Settings(cells=2))
    places = crowded(50)
    with pytest.raises(PartitionError, match="fill 50 cells at most"):
        adaptive_s2(places, S2Settings(cells=51))
    with pytest.raises(PartitionError, match="only 0 has 40 places or more; the fullest has"):
        adaptive_s2(places, S2Settings(cells=40, min_members=40))
    with pytest.raises(PartitionError, match="All 50 places lie in one cell"):
        adaptive_s2(np.full((50, 2), 5.0), S2Settings(max_members=3))
    with pytest.raises(PartitionError, match="All 50 places lie in one cell"):
        adaptive_s2(np.full((50, 2), 5.0), S2Settings(cells=4))
    with pytest.raises(CoordinateError, match="row 1"):
        adaptive_s2([[1.0, 2.0], [91.0, 2.0]], S2Settings(cells=2))
    with pytest.raises(CoordinateError):
        adaptive_s2([["a", "b"]], S2Settings(cells=2))


def test_cells_of_one_partition_are_disjoint() -> None:
    with pytest.raises(PartitionError, match="one of which holds the other"):
        S2Cells(s2.from_tokens(["47", "9", "474"]))
    with pytest.raises(PartitionError, match="disjoint"):
        S2Cells(s2.from_tokens(["47", "47"]))
    with pytest.raises(CellError):
        S2Cells(np.array([2], np.uint64))


def test_a_cell_is_found_by_its_name() -> None:
    held = S2Cells(s2.from_tokens(["9", "47", "14"]))
    assert [held.row_of(token) for token in held.names()] == [0, 1, 2]
    assert [held.row_of(number) for number in held.ids.tolist()] == [0, 1, 2]
    assert held.row_of(int(s2.to_signed(held.ids)[0])) == 0
    with pytest.raises(PartitionError, match="The cell 5c is none of the 3 cells"):
        held.row_of("5c")
    with pytest.raises(CellError, match="has the token"):
        held.row_of("zz")
    for number in (2, 1 << 64, 1.5):
        with pytest.raises(CellError, match="no S2 cell id"):
            held.row_of(number)
