"""Outlines of cells, as maps and GeoJSON draw them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import PartitionError
from sightline.geo import cells as s2
from sightline.geo.partition import (
    Boxes,
    BoxSettings,
    Centres,
    Partition,
    S2Cells,
    adaptive_boxes,
    feature_collection,
    outlines,
    uniform_s2,
)

from .places import crowded, place

EVERYWHERE = np.column_stack(
    [np.degrees(np.arcsin(np.linspace(-1, 1, 4000))), np.linspace(0, 360 * 97, 4000) % 360 - 180]
)


@pytest.mark.parametrize("level", [0, 1, 3, 4])
def test_cells_of_a_level_cover_the_map_once(level) -> None:
    shapes = outlines(uniform_s2(EVERYWHERE, level))
    assert len(shapes) == 6 * 4**level if level < 4 else len(shapes) > 1000
    assert all(shape.is_valid for shape in shapes)
    area = sum(shape.area for shape in shapes)
    if level < 4:
        assert area == pytest.approx(360 * 180, rel=2e-3)
    for shape in shapes:
        west, south, east, north = shape.bounds
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90


@settings(max_examples=60, deadline=None)
@given(st.lists(place, min_size=2, max_size=8), st.sampled_from([0, 1, 2, 5, 12]))
def test_an_outline_holds_what_the_cell_holds(places, level) -> None:
    ids = np.unique(s2.cell_ids(np.array(places), level))
    if len(ids) < 2:
        return
    held = Partition(S2Cells(ids), s2.centres(ids))
    inner = s2.centres(s2.children(s2.children(ids).ravel()).ravel()).reshape(len(ids), 16, 2)
    for shape, points in zip(outlines(held), inner, strict=True):
        away = np.abs(points[:, 0]) < 89.9
        assert shapely.intersects_xy(shape, points[away, 1], points[away, 0]).all()


def test_some_outlines_in_their_order() -> None:
    made = adaptive_boxes(crowded(300), BoxSettings(cells=12))
    some = outlines(made, np.array([7, 2]))
    for shape, row in zip(some, (7, 2), strict=True):
        south, west, north, east = made.cells.edges[row]
        assert shape.bounds == (west, south, east, north)


def test_geojson_is_plain_and_complete() -> None:
    made = uniform_s2(EVERYWHERE, 0)
    document = json.loads(json.dumps(feature_collection(made), allow_nan=False))
    assert document["type"] == "FeatureCollection"
    assert document["sightline"]["fingerprint"] == made.fingerprint
    assert len(document["features"]) == 6
    kinds = {feature["geometry"]["type"] for feature in document["features"]}
    assert kinds == {"Polygon", "MultiPolygon"}
    first = document["features"][0]["properties"]
    assert first["row"] == 0
    assert first["cell"] == made.cells.names()[0]
    assert first["members"] == made.members[0]
    assert first["area_km2"] == pytest.approx(made.areas_km2[0])
    assert (first["lat"], first["lon"]) == pytest.approx(tuple(made.representatives[0]))


def test_centres_are_points_and_have_no_outline() -> None:
    held = Partition(Centres(np.array([[1.0, 2.0], [3.0, 4.0]])), [[1, 2], [3, 4]])
    document = feature_collection(held)
    assert document["features"][1]["geometry"] == {"type": "Point", "coordinates": (4.0, 3.0)}
    assert set(document["features"][0]["properties"]) == {"row", "cell", "lat", "lon"}
    with pytest.raises(PartitionError, match="kind 'centres' have no outlines"):
        outlines(held)


def test_a_box_is_a_rectangle() -> None:
    held = Partition(Boxes([[0, -180, 10, 180], [20, 30, 40, 50]]), [[5, 0], [30, 40]])
    assert [shape.area for shape in outlines(held)] == [3600.0, 400.0]


@pytest.mark.parametrize("level", [0, 2])
def test_rings_turn_as_geojson_wants_them(level) -> None:
    """RFC 7946, section 3.1.6: outer rings counterclockwise, those cut at 180 degrees too."""
    features = feature_collection(uniform_s2(EVERYWHERE, level))["features"]
    shapes = [shapely.geometry.shape(one["geometry"]) for one in features]
    parts = shapely.get_parts(shapes)
    assert all(part.exterior.is_ccw for part in parts)
    assert not any(ring.is_ccw for part in parts for ring in part.interiors)
