"""Which cell holds a place: boxes, centres, and the nearest of many points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CoordinateError, PartitionError
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import Boxes, BoxSettings, Centres, adaptive_boxes
from sightline.geo.partition.nearest import nearest

from .oracles import area_km2
from .places import crowded, place, several


def slow_locate(edges: np.ndarray, places: np.ndarray) -> list[int]:
    """Half-open boxes first, then edges that nothing lies beyond: north, east, both."""
    found = []
    for lat, lon in places.tolist():
        rows = [-1]
        for close_north, close_east in ((False, False), (True, False), (False, True), (True, True)):
            rows = [
                row
                for row, (south, west, north, east) in enumerate(edges.tolist())
                if (south < lat <= north if close_north else south <= lat < north)
                and (west < lon <= east if close_east else west <= lon < east)
            ]
            if rows:
                break
        found.append(rows[0] if rows else -1)
    return found


@settings(max_examples=60, deadline=None)
@given(several, st.integers(0, 4), st.lists(place, min_size=1, max_size=40))
def test_boxes_of_any_making(places, seed, asked) -> None:
    try:
        made = adaptive_boxes(
            places,
            BoxSettings(max_members=2, min_area_km2=1.0, cut="random", seed=seed, min_members=2),
        )
    except PartitionError:
        return
    order = np.random.default_rng(seed).permutation(len(made))
    boxes = Boxes(made.cells.edges[order])
    corners = boxes.edges[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    corners[:, 1] = np.where(corners[:, 1] == 180.0, -180.0, corners[:, 1])
    every = np.concatenate([np.array(asked), corners])
    expected = np.array(slow_locate(boxes.edges, every))
    seam = (expected == -1) & (every[:, 1] == -180.0)
    assert (boxes.locate(every)[~seam] == expected[~seam]).all()
    closing = [slow_locate(boxes.edges, [[lat, 180.0]] @ np.eye(2))[0] for lat in every[seam, 0]]
    assert boxes.locate(every)[seam].tolist() == closing


def test_edges_belong_to_the_box_beyond_and_outer_ones_to_their_own() -> None:
    boxes = Boxes([[0, 0, 10, 10], [0, 10, 10, 20], [10, 0, 20, 10], [50, 170, 90, 180]])
    asked = {
        (0.0, 0.0): 0,
        (5.0, 10.0): 1,
        (10.0, 5.0): 2,
        (10.0, 15.0): 1,
        (20.0, 10.0): 2,
        (10.0, 20.0): 1,
        (15.0, 15.0): -1,
        (90.0, 175.0): 3,
        (60.0, -180.0): 3,
        (90.0, -180.0): 3,
        (-1.0, 5.0): -1,
        (5.0, -1.0): -1,
        (5.0, 30.0): -1,
        (45.0, 175.0): -1,
    }
    assert boxes.locate(np.array(list(asked))).tolist() == list(asked.values())
    assert boxes.middles()[0].tolist() == [5.0, 5.0]
    assert boxes.areas_km2() == pytest.approx([area_km2(tuple(row)) for row in boxes.edges])
    assert boxes.names() == ["0", "1", "2", "3"]
    assert (boxes.row_of("2"), boxes.row_of(3)) == (2, 3)
    for name in ("4", -1, "x", 1.5):
        with pytest.raises(PartitionError, match="none of the 4 cells"):
            boxes.row_of(name)


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ([[0, 0, 1]], r"shape \(m, 4\). Got \(1, 3\)"),
        ([[0, 0, 1, 1], [0, 0, 0, 1]], "Row 1 is no box"),
        ([[0, 1, 1, 0]], "Row 0 is no box"),
        ([[0, 170, 1, 190]], "Row 0 is no box"),
        ([[0, 0, np.nan, 1]], "Row 0 is no box"),
        ([[0, 0, 91, 1]], "Row 0 is no box"),
        ([[0, 0, 2, 2], [5, 5, 6, 6], [1, 1, 3, 3]], "Rows 0 and 2 overlap"),
        ([[0, 0, 2, 2], [0, 0, 2, 2]], "Rows 0 and 1 overlap"),
    ],
)
def test_what_is_no_set_of_boxes(edges, said) -> None:
    with pytest.raises(PartitionError, match=said):
        Boxes(np.array(edges, dtype=np.float64))


@settings(max_examples=60, deadline=None)
@given(st.lists(place, min_size=1, max_size=60), st.lists(place, min_size=1, max_size=60))
def test_the_nearest_is_the_nearest(places, points) -> None:
    places, points = np.array(places), np.array(points)
    apart = great_circle_m(places[:, None], points[None])
    found = nearest(places, points)
    chosen = apart[np.arange(len(places)), found]
    assert (chosen <= apart.min(axis=1) + 1e-5).all()


def test_the_nearest_of_many() -> None:
    places, points = crowded(3000, seed=1), crowded(1500, seed=2)
    apart = great_circle_m(places[:, None], points[None])
    assert (nearest(places, points) == apart.argmin(axis=1)).all()
    # All in one spot: no cell is small enough to part them.
    crowd = np.full((300, 2), 10.0)
    assert (nearest(crowd, np.concatenate([points, crowd])) == len(points)).all()
    assert nearest(np.empty((0, 2)), points).tolist() == []


def test_centres_hold_what_is_nearest_to_them() -> None:
    centres = Centres(np.array([[10.0, 10.0], [0.0, -179.0], [-80.0, 0.0]]))
    assert centres.locate(np.array([[12.0, 9.0], [1.0, 178.0], [-89.0, 170.0]])).tolist() == [
        0,
        1,
        2,
    ]
    assert centres.areas_km2() is None
    assert centres.names() == ["0", "1", "2"]
    assert centres.middles() is centres.points
    assert centres.row_of(2) == 2
    with pytest.raises(PartitionError, match="none of the 3 cells"):
        centres.row_of(3)
    with pytest.raises(PartitionError, match=r"Rows 0 and 2 are both \(1.0, 2.0\)"):
        Centres(np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0]]))
    with pytest.raises(CoordinateError, match="centres row 0"):
        Centres(np.array([[91.0, 0.0]]))
