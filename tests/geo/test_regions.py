"""Boxes, circles, polygons, countries, cell sets: membership, covers, areas, bounds, errors."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CellError, CoordinateError, RegionError
from sightline.geo import cells
from sightline.geo.covering import in_ranges, limit_ranges, ranges_of, rectangles
from sightline.geo.distance import destination, ellipsoid, geodesic_m
from sightline.geo.region import (
    BoundingBox,
    CellRegion,
    Circle,
    Country,
    MultiPolygon,
    Polygon,
    Region,
)

EARTH_KM2 = 510_065_621.724
SPHERE_KM2 = 4 * math.pi * 6371.0088**2


def within(box: BoundingBox, count: int, seed: int) -> np.ndarray:
    """Places in a box, evenly in longitude and in the sine of the latitude, corners included."""
    rng = np.random.default_rng(seed)
    east = box.east + (360.0 if box.crosses_antimeridian else 0.0)
    low, high = np.sin(np.deg2rad([box.south, box.north]))
    lat = np.clip(np.rad2deg(np.arcsin(rng.uniform(low, high, count))), box.south, box.north)
    places = np.column_stack([lat, rng.uniform(box.west, east, count)])
    corners = [[a, b] for a in (box.south, box.north) for b in (box.west, east)]
    return np.concatenate([places, corners])


def covered_km2(region: Region, max_cells: int = 64) -> float:
    """The area of a cover, leaves counted by their positions and measured per level-9 cell."""
    total = 0.0
    for low, high in region.cover(max_cells).tolist():
        cells_of_range = []
        while low <= high:
            # The largest cell that begins at this leaf and ends within the range.
            size = 1
            while low + 2 * (size * 4 - 1) <= high and ((low - 1) >> 1) % (size * 4) == 0:
                if size * 4 > 4**30:
                    break
                size *= 4
            cells_of_range.append(low + size - 1)
            low += 2 * size
        total += float(cells.area_km2(np.array(cells_of_range, dtype=np.uint64)).sum())
    return total


def check_cover(region: Region, seed: int = 0, count: int = 3000, max_cells: int = 64) -> None:
    """Nothing that the region contains may be missing from the cover, and the form must hold."""
    ranges = region.cover(max_cells)
    assert ranges.dtype == np.uint64
    assert 0 < len(ranges) <= max_cells
    assert (ranges[:, 0] <= ranges[:, 1]).all()
    assert (ranges[1:, 0] > ranges[:-1, 1]).all()
    assert (ranges % np.uint64(2) == 1).all()
    places = within(region.bounds, count, seed)
    if isinstance(region, CellRegion):
        places = np.concatenate([places, cells.centres(region.ids)])
    inside = region.contains(places)
    assert inside.any()
    assert in_ranges(cells.cell_ids(places[inside]), ranges).all()


REGIONS: list[Region] = [
    BoundingBox(46, 6, 48, 10),
    BoundingBox(-20, 170, 10, -170),
    BoundingBox(-90, -180, 90, 180),
    BoundingBox(80, -180, 90, 180),
    BoundingBox(-90, 100, -60, -100),
    BoundingBox(48.85, 2.29, 48.86, 2.30),
    BoundingBox(-45, -45, 45, 45),
    Circle((48.0, 2.0), 1000.0),
    Circle((90.0, 0.0), 500_000.0),
    Circle((-89.9, 50.0), 30_000.0),
    Circle((0.0, 180.0), 50_000.0),
    Circle((10.0, 10.0), 15_000_000.0),
    Circle((45.0, 45.0), 30.0),
    Circle((45.0, 45.0), 1e-4),
    BoundingBox(0.0, 0.0, 1e-9, 1e-9),
    Polygon([[0, 170], [10, -170], [0, -170]]),
    Polygon([[70, 0], [70, 90], [70, 180], [70, -90]]),
    Polygon([[40, 0], [40, 20], [50, 20], [50, 0]], [[[44, 5], [44, 15], [46, 15], [46, 5]]]),
    *(Country(code) for code in ("CH", "FJ", "RU", "AQ", "US", "SG", "VA", "NZ", "CL")),
    CellRegion(cells.cell_ids([[0, 0], [0, 0], [50, 8], [-80, 179.99]], 10)),
    CellRegion(cells.from_tokens(["5", "b"])),
]


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.describe())
def test_a_cover_misses_nothing(region: Region) -> None:
    assert isinstance(region, Region)
    check_cover(region)
    check_cover(region, seed=1, count=500, max_cells=1)
    check_cover(region, seed=2, count=500, max_cells=7)


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.describe())
def test_the_bounds_hold_the_region(region: Region) -> None:
    rng = np.random.default_rng(4)
    world = np.column_stack(
        [np.rad2deg(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)]
    )
    near = within(region.bounds, 2000, 5)
    for places in (world, near):
        assert region.bounds.contains(places[region.contains(places)]).all()
    assert region.contains([]).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-89, 88), st.floats(-180, 179), st.floats(1e-4, 60), st.floats(1e-4, 300),
    st.integers(1, 80), st.integers(0, 100),
)  # fmt: skip
def test_any_box_is_covered(south, west, height, width, max_cells, seed) -> None:
    box = BoundingBox(south, west, min(90.0, south + height), min(360.0, west + width))
    check_cover(box, seed, 300, max_cells)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-90, 90), st.floats(-180, 179), st.floats(0, 7.3), st.integers(1, 80),
    st.integers(0, 100),
)  # fmt: skip
def test_any_circle_is_covered(lat, lon, exponent, max_cells, seed) -> None:
    circle = Circle((lat, lon), 10.0**exponent)
    rng = np.random.default_rng(seed)
    # On the sphere, so that some fall a little outside.
    metres = 10.0**exponent * np.sqrt(rng.uniform(0, 1.01, 200))
    places = np.concatenate(
        [destination([lat, lon], rng.uniform(0, 360, 200), metres), [[lat, lon]]]
    )
    inside = circle.contains(places)
    assert inside[-1]
    assert (inside == (geodesic_m(places, [lat, lon]) <= circle.radius_m)).all()
    assert in_ranges(cells.cell_ids(places[inside]), circle.cover(max_cells)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-80, 80), st.floats(-180, 179), st.floats(0.001, 9),
    st.lists(st.floats(0.3, 1.0), min_size=3, max_size=9), st.integers(0, 100),
)  # fmt: skip
def test_any_star_is_covered(lat, lon, size, radii, seed) -> None:
    around = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    offsets = np.column_stack([np.sin(around), np.cos(around)]) * size * np.array(radii)[:, None]
    check_cover(Polygon(offsets + np.array([lat, lon])), seed, 300)


# What 64 ranges cost: a cover of a compact region is at most half again as large.
COMPACT: list[Region] = [
    *(Circle((lat, 8.0), r) for lat in (0.0, 47.0, 88.0) for r in (100.0, 5_000.0, 300_000.0)),
    *(
        BoundingBox(lat, 8.0, lat + size, 8.0 + size)
        for lat in (0.0, 47.0, -70.0)
        for size in (0.01, 1.0, 10.0)
    ),
]


@pytest.mark.parametrize("region", COMPACT, ids=lambda r: r.describe())
def test_a_cover_is_tight(region: Region) -> None:
    # Areas of covers are the sphere's, up to half a percent off the ellipsoid's.
    assert 0.99 < covered_km2(region) / region.area_km2 < 1.5
    assert covered_km2(region, 256) / region.area_km2 < 1.2


def test_the_cover_of_cells_is_exact() -> None:
    ids = cells.cell_ids([[0, 0], [10, 10], [20, 20]], 12)
    region = CellRegion(ids)
    expected = np.stack([cells.range_min(np.sort(ids)), cells.range_max(np.sort(ids))], axis=1)
    assert (region.cover() == expected).all()
    assert covered_km2(region) == pytest.approx(region.area_km2)


def test_neighbouring_ranges_join_and_the_smallest_gaps_close() -> None:
    parent = cells.cell_ids([[46, 7]], 8)
    inner = cells.children(parent)[0]
    assert ranges_of(inner).tolist() == [
        [int(cells.range_min(parent)[0]), int(cells.range_max(parent)[0])]
    ]
    assert ranges_of(np.concatenate([inner, parent])).tolist() == ranges_of(parent).tolist()
    assert ranges_of(np.empty(0, dtype=np.uint64)).shape == (0, 2)
    ranges = np.array([[1, 3], [7, 9], [101, 103], [107, 109]], dtype=np.uint64)
    assert limit_ranges(ranges, 2).tolist() == [[1, 9], [101, 109]]
    assert limit_ranges(ranges, 1).tolist() == [[1, 109]]
    assert limit_ranges(ranges, 4) is ranges
    assert not in_ranges(np.array([5], dtype=np.uint64), np.empty((0, 2), dtype=np.uint64)).any()
    assert in_ranges(np.array([0, 1, 5, 109, 111], dtype=np.uint64), ranges).tolist() == [
        False, True, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("region", REGIONS[-3:], ids=lambda r: r.describe())
def test_a_cover_of_no_ranges_is_refused(region: Region) -> None:
    with pytest.raises(RegionError, match="max_cells=0"):
        region.cover(0)


def test_a_cell_lies_in_its_rectangle() -> None:
    rng = np.random.default_rng(3)
    places = np.column_stack(
        [np.rad2deg(np.arcsin(rng.uniform(-1, 1, 4000))), rng.uniform(-180, 180, 4000)]
    )
    places[:400, 0] = rng.choice([-1, 1], 400) * (90 - 10.0 ** rng.uniform(-7, 1, 400))
    for level in (0, 1, 2, 5, 12, 20, 30):
        south, west, north, east = rectangles(cells.cell_ids(places, level)).T
        assert west.min() >= -361.0
        assert east.max() <= 361.0
        lat, lon = places.T
        assert ((south <= lat) & (lat <= north)).all()
        turned = lon[:, None] + [-360.0, 0.0, 360.0]
        assert ((west[:, None] <= turned) & (turned <= east[:, None])).any(axis=1).all()


def test_edges_belong_to_a_box() -> None:
    box = BoundingBox(-10, 170, 10, -170)
    inside = [[-10, 170], [10, -170], [0, 180], [0, -180], [0, 175], [0, 190]]
    outside = [[0, 169.9], [0, -169.9], [10.001, 175], [-10.001, 175], [0, 0]]
    assert box.contains(inside).all()
    assert not box.contains(outside).any()
    assert box.crosses_antimeridian
    assert box.bounds is box
    closed = BoundingBox(0, 170, 10, 180)
    assert not closed.crosses_antimeridian
    assert closed.contains([[5, 180], [5, -180], [5, 170]]).all()
    assert not closed.contains([[5, -179.999]]).any()


@pytest.mark.parametrize(
    ("edges", "kept"),
    [
        ((0, 170, 1, 190), (170, -170)),
        ((0, 0, 1, 360), (-180, 180)),
        ((0, -180, 1, 180), (-180, 180)),
        ((0, 200, 1, 300), (-160, -60)),
        ((0, 170, 1, -180), (170, 180)),
        ((0, 180, 1, -170), (-180, -170)),
        ((0, -190, 1, -170), (170, -170)),
        ((0, -360, 1, 359), (-180, 180)),
    ],
)
def test_longitudes_of_a_box_are_brought_home(edges, kept) -> None:
    box = BoundingBox(*edges)
    assert (box.west, box.east) == kept


@pytest.mark.parametrize(
    ("edges", "says", "hints"),
    [
        ((5, 0, 1, 1), "south 5.0 above north 1.0", "south,west,north,east"),
        ((5, 0, 5, 1), "empty", "south,west"),
        ((0, 7, 1, 7), "empty", "south,west"),
        ((100, 10, 110, 20), "outside [-90, 90]", "look swapped"),
        ((100, 10, 110, 200), "outside [-90, 90]", "Give a box"),
        ((0, 10, 10, 400), "outside [-360, 360]", "Give a box"),
        ((0, 10, math.nan, 20), "not finite", "Give a box"),
    ],
)
def test_boxes_that_are_none(edges, says, hints) -> None:
    with pytest.raises(RegionError) as caught:
        BoundingBox(*edges)
    assert says in caught.value.message
    assert hints in caught.value.hint


def test_areas_of_boxes() -> None:
    assert BoundingBox(-90, -180, 90, 180).area_km2 == pytest.approx(EARTH_KM2, abs=0.01)
    assert BoundingBox(0, -180, 90, 180).area_km2 == pytest.approx(EARTH_KM2 / 2, abs=0.01)
    assert BoundingBox(-5, 170, 5, -170).area_km2 == pytest.approx(
        BoundingBox(-5, 0, 5, 20).area_km2, rel=1e-12
    )
    # The closed form on the sphere, which differs from the ellipsoid by less than 1 %.
    for south, north in ((0, 10), (40, 50), (70, 80), (-80, -60)):
        sphere = SPHERE_KM2 / 2 * (math.sin(math.radians(north)) - math.sin(math.radians(south)))
        assert BoundingBox(south, 10, north, 100).area_km2 == pytest.approx(sphere / 4, rel=1e-2)


@pytest.mark.parametrize("code", ["CH", "DE", "FR", "JP", "BR", "ZA", "SG", "LU"])
def test_areas_of_countries_equal_geographiclib_s(code: str) -> None:
    country = Country(code)
    total = 0.0
    for part in country.outline.geoms:
        oriented = shapely.geometry.polygon.orient(part)
        total += ellipsoid().geometry_area_perimeter(oriented)[0] / 1e6
    # Its edges are geodesics, ours are straight on the map; the edges are short.
    assert country.area_km2 == pytest.approx(total, rel=2e-4)


@pytest.mark.parametrize(
    ("code", "km2"),
    [("CH", 41_285), ("FR", 551_500), ("DE", 357_600), ("JP", 377_975), ("RU", 17_098_000),
     ("US", 9_525_000), ("BR", 8_515_767), ("IS", 103_000), ("NZ", 268_000), ("FJ", 18_270),
     ("LU", 2_586), ("AU", 7_692_000)],
)  # fmt: skip
def test_areas_of_countries_as_published(code: str, km2: float) -> None:
    # Natural Earth leaves out small islands and inland water is counted differently.
    assert Country(code).area_km2 == pytest.approx(km2, rel=0.04)


@pytest.mark.parametrize("radius_m", [1.0, 1_000.0, 250_000.0, 5_000_000.0, 9_000_000.0])
def test_areas_of_circles(radius_m: float) -> None:
    sphere = SPHERE_KM2 / 2 * (1 - math.cos(radius_m / 6_371_008.8))
    if radius_m < 1e4:  # where the formula cancels, the circle is flat
        sphere = math.pi * (radius_m / 1000) ** 2
        assert Circle((47, 8), radius_m).area_km2 == pytest.approx(sphere, rel=1e-4)
    for lat in (0.0, 47.0, 90.0, -90.0):
        assert Circle((lat, 180.0), radius_m).area_km2 == pytest.approx(sphere, rel=8e-3)


def test_a_circle_and_the_rest_make_the_earth() -> None:
    # On the equator the far side of a circle is nearly the circle of the remaining distance.
    for radius_m in (11_000_000.0, 15_000_000.0, 19_000_000.0):
        sphere = SPHERE_KM2 / 2 * (1 - math.cos(radius_m / 6_371_008.8))
        assert Circle((90.0, 0.0), radius_m).area_km2 == pytest.approx(sphere, rel=8e-3)
    assert Circle((1.0, 2.0), 2.1e7).area_km2 == pytest.approx(EARTH_KM2)
    assert Circle((1.0, 2.0), 2.1e7).contains([[-1.0, -178.0], [90, 0]]).all()
    assert Circle((1.0, 2.0), 2.1e7).bounds == BoundingBox(-90, -180, 90, 180)


def test_a_circle_is_geodesic_to_the_metre() -> None:
    for centre in ((0.0, 0.0), (89.5, 20.0), (-90.0, 0.0), (30.0, -179.9)):
        circle = Circle(centre, 100_000.0)
        azimuths = np.linspace(0, 360, 90)
        lat, lon = (np.full(90, x) for x in centre)
        for metres, expected in ((99_999.0, True), (100_001.0, False)):
            east, north, _ = ellipsoid().fwd(lon, lat, azimuths, np.full(90, metres))
            assert (circle.contains(np.column_stack([north, east])) == expected).all()


@pytest.mark.parametrize("radius_m", [0.0, -5.0, math.nan, math.inf])
def test_circles_that_are_none(radius_m: float) -> None:
    with pytest.raises(RegionError, match="greater than zero"):
        Circle((0.0, 0.0), radius_m)
    with pytest.raises(CoordinateError, match="latitude 95"):
        Circle((95.0, 0.0), 10.0)


def test_holes_do_not_belong_but_their_edges_do() -> None:
    ring = [[40, 0], [40, 20], [50, 20], [50, 0]]
    holed = Polygon(ring, [[[44, 5], [44, 15], [46, 15], [46, 5]]], name="ring")
    assert holed.contains([[41, 1], [44, 5], [45, 5], [40, 10], [50, 20]]).all()
    assert not holed.contains([[45, 10], [39.9, 10], [45, 21]]).any()
    assert holed.area_km2 == pytest.approx(
        BoundingBox(40, 0, 50, 20).area_km2 - BoundingBox(44, 5, 46, 15).area_km2, rel=1e-12
    )
    assert repr(holed).startswith("Polygon('ring (")


def test_an_outline_may_end_at_the_seam() -> None:
    east = MultiPolygon(shapely.box(170, 0, 180, 10))
    west = MultiPolygon(shapely.box(-180, 0, -170, 10))
    for region in (east, west):
        assert region.contains([[5, 180], [5, -180]]).all()
        check_cover(region)
    assert east.contains([[5, 179], [5, -179]]).tolist() == [True, False]


@pytest.mark.parametrize("ring", [[], [[0, 0]], [[0, 0], [1, 1]]])
def test_too_few_corners(ring) -> None:
    with pytest.raises(RegionError, match="at least three places"):
        Polygon(ring)


def test_overlapping_parts_count_once_and_crossings_are_repaired() -> None:
    parts = [shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)]
    both = MultiPolygon(shapely.MultiPolygon(parts))
    assert both.contains([[1.5, 1.5], [0.5, 0.5], [2.5, 2.5], [0.5, 2.5]]).tolist() == [
        True,
        True,
        True,
        False,
    ]
    union = MultiPolygon(shapely.union_all(parts))
    assert both.area_km2 == pytest.approx(union.area_km2)
    crossed = MultiPolygon(shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]))
    assert crossed.contains([[1.0, 0.5], [1.0, 1.5], [0.2, 1.0]]).tolist() == [True, True, False]


def test_outlines_that_enclose_nothing_or_leave_the_map() -> None:
    for shape in (shapely.Polygon(), shapely.Point(1, 2), shapely.box(0, 0, 0, 5)):
        with pytest.raises(RegionError, match="encloses nothing"):
            MultiPolygon(shape)
    mixed = shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.Point(1, 2)])
    assert MultiPolygon(mixed).area_km2 > 0
    with pytest.raises(RegionError, match="leaves the map"):
        MultiPolygon(shapely.box(170, 0, 190, 5))
    with pytest.raises(RegionError, match="encloses nothing"):
        Polygon([[0, 0], [1, 1], [2, 2]])


def test_a_set_of_cells() -> None:
    parent = cells.cell_ids([[46, 7]], 8)
    twice = np.concatenate([cells.children(parent)[0], parent, parent])
    region = CellRegion(twice)
    assert region.ids.tolist() == parent.tolist()
    assert region.area_km2 == pytest.approx(float(cells.area_km2(parent)[0]))
    assert region.contains([[46, 7], [0, 0]]).tolist() == [True, False]
    assert region.describe() == f"cell {cells.tokens(parent)[0]}"
    assert CellRegion(cells.children(parent)[0]).describe() == "4 cells"
    with pytest.raises(RegionError, match="no cells"):
        CellRegion([])
    with pytest.raises(CellError):
        CellRegion([2])
