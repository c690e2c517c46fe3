from __future__ import annotations

import itertools

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.atlas.aerial import grid as grid_module
from sightline.atlas.aerial.grid import AerialGrid, GridPart, latitude_at, meridian_m
from sightline.errors import UsageError
from sightline.geo.region import BoundingBox, Circle, MultiPolygon, Polygon

GEOD = pyproj.Geod(ellps="WGS84")


def listed(grid: AerialGrid) -> GridPart:
    parts = list(grid)
    return GridPart(
        np.concatenate([np.empty(0, np.int64), *(p.rows for p in parts)]),
        np.concatenate([np.empty(0, np.int64), *(p.columns for p in parts)]),
        np.concatenate([np.empty((0, 2)), *(p.latlng for p in parts)]),
    )


@settings(deadline=None)
@given(st.floats(-90, 90))
def test_metres_along_the_meridian_are_geodesics(lat: float) -> None:
    metres = float(meridian_m(lat))
    geodesic = GEOD.inv(0, 0, 0, lat)[2]
    assert abs(metres) == pytest.approx(geodesic, abs=1e-6)
    assert float(latitude_at(metres)) == pytest.approx(lat, abs=1e-10)


def test_a_part_in_the_corner_of_another_gives_each_place_once() -> None:
    """The box around an L holds the one in its corner, whose places are not walked twice."""
    notch = shapely.box(13.194, 55.704, 13.20, 55.71)
    parts = [
        shapely.difference(shapely.box(13.19, 55.70, 13.20, 55.71), notch),
        shapely.box(13.196, 55.706, 13.20, 55.71),
    ]
    names = listed(AerialGrid(50.0, MultiPolygon(shapely.MultiPolygon(parts)))).names()
    alone = [listed(AerialGrid(50.0, MultiPolygon(part))).names() for part in parts]
    assert min(map(len, alone)) > 20
    assert sorted(names) == sorted(alone[0] + alone[1])


@pytest.mark.parametrize("lat", [0.0, 38.9, -55.0, 71.0])
@pytest.mark.parametrize("stride_m", [50.0, 17.3])
def test_neighbours_are_a_stride_apart(lat: float, stride_m: float) -> None:
    found = listed(AerialGrid(stride_m, BoundingBox(lat, 10.0, lat + 0.01, 10.01)))
    rows = np.unique(found.rows)
    assert np.array_equal(np.diff(rows), np.ones(len(rows) - 1))
    first = [found.latlng[found.rows == r][0] for r in rows]
    assert np.allclose(
        [GEOD.inv(0, a[0], 0, b[0])[2] for a, b in itertools.pairwise(first)],
        stride_m,
        atol=1e-6,
    )
    row = found.latlng[found.rows == rows[0]]
    gaps = GEOD.inv(row[:-1, 1], row[:-1, 0], row[1:, 1], row[1:, 0])[2]
    assert np.allclose(gaps, stride_m, rtol=1e-5)


def oracle(stride_m: float, south: float, north: float, inside) -> set[tuple[int, int]]:
    """All middles between two latitudes that ``inside`` accepts, one by one."""
    grid = AerialGrid(stride_m)
    found = set()
    for row in range(
        int(meridian_m(south) // stride_m) - 1, int(meridian_m(north) // stride_m) + 2
    ):
        lat = float(latitude_at(row * stride_m))
        count = int(grid.columns_of([row])[0])
        for column in range(count):
            if inside(lat, -180 + (column + 0.5) * 360 / count):
                found.add((row, column))
    return found


def test_a_region_gets_all_of_its_middles_and_no_others() -> None:
    triangle = Polygon([(10, 170), (12, -175), (20, 175)], name="over the antimeridian")
    found = listed(AerialGrid(50_000.0, triangle))
    outline = triangle.outline
    expected = oracle(50_000.0, 10, 20, lambda lat, lon: shapely.intersects_xy(outline, lon, lat))
    assert set(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == expected
    assert len(expected) > 50
    assert (found.latlng[:, 1] < -175).any()
    assert (found.latlng[:, 1] > 175).any()


def test_the_whole_earth_is_covered_once() -> None:
    grid = AerialGrid(500_000.0)
    found = listed(grid)
    assert len(grid) == len(found)
    assert len(set(found.names())) == len(found)
    # So many squares of the stride have the Earth's area.
    assert len(found) * 0.25e6 == pytest.approx(510.07e6, rel=0.01)
    assert np.array_equal(found.rows, np.sort(found.rows))
    assert found.latlng[:, 0].max() < 90
    assert (np.abs(found.latlng[:, 1]) <= 180).all()


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-80, 80), st.floats(-180, 179), st.floats(0.01, 1.5), st.floats(0.01, 1.5),
    st.floats(2000, 30_000),
)  # fmt: skip
def test_overlapping_regions_share_middles(lat, lon, tall, wide, stride_m) -> None:
    one = BoundingBox(lat, lon, lat + tall, lon + wide)
    other = BoundingBox(lat + tall / 3, lon + wide / 4, lat + tall, lon + wide)
    whole, part = listed(AerialGrid(stride_m, one)), listed(AerialGrid(stride_m, other))
    both = listed(AerialGrid(stride_m, one, other))
    inside = other.contains(whole.latlng) if len(whole) else np.empty(0, bool)
    assert part.names() == both.names()
    assert [n for n, i in zip(whole.names(), inside, strict=True) if i] == part.names()


def test_parts_far_apart_and_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_module, "_POINTS_AT_ONCE", 100)
    squares = [shapely.box(x, y, x + 0.2, y + 0.2) for x, y in ((0, 0), (90, 0.1), (-170, 60))]
    region = MultiPolygon(shapely.MultiPolygon(squares))
    grid = AerialGrid(1000.0, region)
    parts = list(grid)
    assert len(parts) > 5
    assert all(len(p) <= 1000 for p in parts)
    found = listed(grid)
    assert len(set(found.names())) == len(found) == len(grid) == len(grid)
    assert region.contains(found.latlng).all()
    expected = sum(GEOD.geometry_area_perimeter(s)[0] for s in squares) / 1e6
    assert len(found) == pytest.approx(expected, rel=0.05)


def test_nothing_in_common() -> None:
    grid = AerialGrid(100.0, BoundingBox(0, 0, 1, 1), Circle((50.0, 50.0), 1000.0))
    assert len(grid) == 0
    assert list(grid) == []


@pytest.mark.parametrize("stride_m", [0, -50, float("nan"), 2e6])
def test_impossible_strides(stride_m: float) -> None:
    with pytest.raises(UsageError, match="stride_m must be"):
        AerialGrid(stride_m)


def test_overlapping_parts_and_boxes_over_the_antimeridian() -> None:
    parts = [shapely.box(0, 0, 0.2, 0.2), shapely.box(0.1, 0.1, 0.3, 0.3)]
    apart = MultiPolygon(shapely.MultiPolygon(parts).buffer(0))
    corner = MultiPolygon(shapely.MultiPolygon([shapely.box(0, 0, 2, 1), shapely.box(1, 1, 3, 2)]))
    for region in (apart, corner):
        found = listed(AerialGrid(5000.0, region))
        assert len(set(found.names())) == len(found)
        assert region.contains(found.latlng).all()
    seam = BoundingBox(10.0, 179.9, 10.2, -179.9)
    found = listed(AerialGrid(2000.0, seam))
    assert seam.contains(found.latlng).all()
    assert (found.latlng[:, 1] > 179).any()
    assert (found.latlng[:, 1] < -179).any()
    # Two parts beside each other, touching: one run.
    touching = MultiPolygon(
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(0.5, 2, 2, 3)])
    )
    assert len(listed(AerialGrid(20_000.0, touching, BoundingBox(0, 0, 3, 3)))) > 10
