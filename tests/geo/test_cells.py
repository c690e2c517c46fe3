"""Our cells against the S2 library's, number by number."""

import numpy as np
import pytest
import s2geometry as s2
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import CellError, CoordinateError
from sightline.geo import cells
from sightline.geo.coordinates import from_unit_vectors
from sightline.geo.cube import face_uv, face_xyz, grid_from_st
from sightline.geo.distance import great_circle_m

RNG = np.random.default_rng(20261120)


def around(places: np.ndarray) -> np.ndarray:
    """Places and their neighbours one float and one leaf away, on all sides."""
    moved = [places]
    for axis in (0, 1):
        for step in (5e-16, 1e-9, 4e-8, 1e-5):
            for sign in (-1.0, 1.0):
                near = places.copy()
                near[:, axis] += sign * step * np.maximum(1.0, np.abs(near[:, axis]))
                moved.append(near)
    every = np.concatenate(moved)
    every[:, 0] = np.clip(every[:, 0], -90.0, 90.0)
    every[:, 1] = (every[:, 1] + 180.0) % 360.0 - 180.0
    return every


def sample() -> np.ndarray:
    """More than 100,000 places: uniform, clustered, poles, antimeridian, edges of faces, grid."""
    n = 60_000
    uniform = np.column_stack(
        [np.rad2deg(np.arcsin(RNG.uniform(-1, 1, n))), RNG.uniform(-180, 180, n)]
    )
    poles = np.column_stack(
        [
            np.repeat([90.0, -90.0, 89.9999999, -89.9999999, 90 - 1e-13], 200),
            RNG.uniform(-180, 180, 1000),
        ]
    )
    seam = np.column_stack([RNG.uniform(-90, 90, 1500), np.full(1500, -180.0)])
    meridians = np.column_stack(
        [RNG.uniform(-90, 90, 1500), RNG.choice([-135.0, -90, -45, 0, 45, 90, 135], 1500)]
    )
    # The edges between faces: two coordinates of equal size.
    cube = RNG.uniform(-1, 1, (1500, 3))
    axis = RNG.integers(0, 3, 1500)
    one, other = axis, (axis + 1) % 3
    rows = np.arange(1500)
    cube[rows, one] = RNG.choice([-1.0, 1.0], 1500)
    cube[rows, other] = RNG.choice([-1.0, 1.0], 1500)
    corners = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])).reshape(3, -1).T
    edges = from_unit_vectors(np.concatenate([cube, corners]))
    grid = np.array(np.meshgrid(np.arange(-90, 91, 5.0), np.arange(-180, 180, 5.0)))
    special = np.concatenate([poles, seam, meridians, edges, grid.reshape(2, -1).T])
    return np.concatenate([uniform, around(special[RNG.permutation(len(special))])])


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    return sample()


@pytest.fixture(scope="module")
def leaves(places: np.ndarray) -> np.ndarray:
    return cells.cell_ids(places)


@pytest.fixture(scope="module")
def mixed(leaves: np.ndarray) -> np.ndarray:
    """Cells of all levels, and the six faces."""
    some = [cells.parents(leaves[RNG.choice(len(leaves), 60)], level) for level in range(31)]
    return np.concatenate(some)


def oracle(ids: np.ndarray) -> list[s2.S2CellId]:
    return [s2.S2CellId(int(x)) for x in ids]


def degrees(point: s2.S2LatLng) -> tuple[float, float]:
    return point.lat().degrees(), point.lng().degrees()


def same_places(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Equal on the sphere, to a hundred-thousandth of the smallest cell."""
    return float(great_circle_m(ours, theirs).max()) < 1e-7


def test_leaves_equal_the_library_on_more_than_100_000_places(places, leaves) -> None:
    assert len(places) >= 100_000
    theirs = [s2.S2CellId(s2.S2LatLng.FromDegrees(a, b)).id() for a, b in places.tolist()]
    wrong = np.flatnonzero(leaves != np.array(theirs, dtype=np.uint64))
    assert wrong.size == 0, places[wrong[:5]]


@given(st.floats(-90, 90), st.floats(-180, 179.9999999))
def test_any_place_has_the_library_s_leaf(lat: float, lon: float) -> None:
    theirs = s2.S2CellId(s2.S2LatLng.FromDegrees(lat, lon)).id()
    assert int(cells.cell_ids([lat, lon])[0]) == theirs


def test_the_180th_meridian_is_one(places) -> None:
    east = np.column_stack([np.linspace(-90, 90, 50), np.full(50, 180.0)])
    assert (cells.cell_ids(east) == cells.cell_ids(east * [1.0, -1.0])).all()


def test_corners_of_leaves_fall_where_the_library_drops_them(leaves) -> None:
    corners = cells.vertices(leaves[::40]).reshape(-1, 2)
    theirs = [s2.S2CellId(s2.S2LatLng.FromDegrees(a, b)).id() for a, b in corners.tolist()]
    assert cells.cell_ids(corners).tolist() == theirs
    assert grid_from_st(np.arange(5) / 2.0**30).tolist() == [0, 1, 2, 3, 4]
    assert grid_from_st(np.ones(1)).tolist() == [2**30 - 1]


def test_every_level_equals_the_library(mixed, leaves) -> None:
    theirs = oracle(mixed)
    assert cells.levels(mixed).tolist() == [x.level() for x in theirs]
    assert cells.tokens(mixed) == [x.ToToken() for x in theirs]
    assert cells.range_min(mixed).tolist() == [x.range_min().id() for x in theirs]
    assert cells.range_max(mixed).tolist() == [x.range_max().id() for x in theirs]
    assert [cells.leaf_range(number) for number in mixed.tolist()] == [
        (x.range_min().id(), x.range_max().id()) for x in theirs
    ]
    assert cells.is_valid(mixed).all()
    some = leaves[:200]
    for level in range(31):
        parents = [x.parent(level).id() for x in oracle(some)]
        assert cells.parents(some, level).tolist() == parents
    chunk = cells.cell_ids([[46.5, 6.6]], level=13)
    assert cells.tokens(chunk) == [
        s2.S2CellId(s2.S2LatLng.FromDegrees(46.5, 6.6)).parent(13).ToToken()
    ]


def test_children_equal_the_library(mixed) -> None:
    inner = mixed[cells.levels(mixed) < 30]
    theirs = [[x.child(k).id() for k in range(4)] for x in oracle(inner)]
    assert cells.children(inner).tolist() == theirs
    assert cells.children(np.empty(0, dtype=np.uint64)).shape == (0, 4)


def test_centres_and_corners_equal_the_library(mixed) -> None:
    theirs = np.array([degrees(x.ToLatLng()) for x in oracle(mixed)])
    assert same_places(cells.centres(mixed), theirs)
    corners = np.array(
        [[degrees(s2.S2LatLng(s2.S2Cell(x).GetVertex(k))) for k in range(4)] for x in oracle(mixed)]
    )
    ours = cells.vertices(mixed)
    assert ours.shape == (len(mixed), 4, 2)
    assert same_places(ours, corners)


def test_a_centre_lies_in_its_cell(mixed) -> None:
    for level in range(31):
        own = mixed[cells.levels(mixed) == level]
        assert (cells.cell_ids(cells.centres(own), level) == own).all()


def test_areas_equal_the_library(mixed) -> None:
    theirs = np.array([s2.S2Cell(x).ExactArea() for x in oracle(mixed)]) * 6371.0088**2
    coarse = cells.levels(mixed) <= 20
    ours = cells.area_km2(mixed)
    assert ours[coarse] == pytest.approx(theirs[coarse], rel=1e-8)
    # The library's exact area loses digits in the smallest cells; a leaf is about a cm².
    smallest = ours[cells.levels(mixed) == 30] * 1e10
    assert ((smallest > 0.4) & (smallest < 1.0)).all()


def test_the_children_tile_their_parent(mixed) -> None:
    inner = mixed[cells.levels(mixed) < 20]
    parts = cells.area_km2(cells.children(inner).ravel()).reshape(-1, 4).sum(axis=1)
    assert parts == pytest.approx(cells.area_km2(inner), rel=1e-8)
    faces = cells.from_tokens(["1", "3", "5", "7", "9", "b"])
    assert cells.area_km2(faces).sum() == pytest.approx(4 * np.pi * 6371.0088**2, rel=1e-12)


def test_tokens_and_back(mixed) -> None:
    assert (cells.from_tokens(cells.tokens(mixed)) == mixed).all()
    assert cells.from_tokens(["47E66E2F"]).tolist() == cells.from_tokens(["47e66e2f"]).tolist()
    assert cells.tokens(np.array([0], dtype=np.uint64)) == ["X"]
    assert cells.from_tokens([]).dtype == np.uint64


@pytest.mark.parametrize("name", ["", "X", "zz", "47e66e2f47e66e2f1", "0", "d", "2", " 1"])
def test_what_is_no_token(name: str) -> None:
    with pytest.raises(CellError, match="token"):
        cells.from_tokens(["1", name])


def test_signed_columns_keep_the_bits(mixed) -> None:
    signed = cells.to_signed(mixed)
    assert signed.dtype == np.int64
    assert (signed < 0).any()
    assert (cells.from_signed(signed) == mixed).all()
    assert cells.from_signed([]).size == 0
    with pytest.raises(CellError, match="int64"):
        cells.from_signed(np.array([1.5]))


def test_what_is_no_cell() -> None:
    numbers = np.array([0, 2, 1 << 60, (6 << 61) | 1, (7 << 61) | 1, 1], dtype=np.uint64)
    theirs = [s2.S2CellId(int(x)).is_valid() for x in numbers]
    assert cells.is_valid(numbers).tolist() == theirs
    assert cells.is_valid([]).size == 0
    for function in (cells.levels, cells.centres, cells.vertices, cells.range_min, cells.children):
        with pytest.raises(CellError, match="Row 1 is no S2 cell id: 0x0000000000000002"):
            function(np.array([1, 2], dtype=np.uint64))


@pytest.mark.parametrize("ids", [[-1], [1.5], ["1"], [[1, 1]]])
def test_ids_are_unsigned_integers(ids) -> None:
    with pytest.raises(CellError, match="not negative integers"):
        cells.levels(ids)


@pytest.mark.parametrize("level", [-1, 31, 2.5, True, "3"])
def test_levels_that_do_not_exist(level) -> None:
    with pytest.raises(CellError, match=r"level"):
        cells.cell_ids([[0, 0]], level)


def test_a_coarse_cell_has_no_fine_parent_and_a_leaf_no_children(leaves) -> None:
    coarse = cells.parents(leaves[:3], 4)
    assert (cells.parents(coarse, np.int64(4)) == coarse).all()
    with pytest.raises(CellError, match="row 1 is of level 4 and has no parent at 5"):
        cells.parents(np.array([leaves[0], coarse[1]]), 5)
    with pytest.raises(CellError, match="row 1 is a leaf"):
        cells.children(np.array([coarse[0], leaves[0]]))


def test_places_are_validated() -> None:
    with pytest.raises(CoordinateError, match="row 1"):
        cells.cell_ids([[0, 0], [200, 0]])
    assert cells.cell_ids([]).size == 0
    assert cells.cell_ids(np.empty((0, 2)), 5).size == 0


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda x: max(map(abs, x)) > 1e-3))
def test_face_coordinates_there_and_back(xyz) -> None:
    point = np.array([xyz])
    face, u, v = face_uv(point)
    assert abs(u[0]) <= 1
    assert abs(v[0]) <= 1
    again = face_xyz(face, u, v)[0] * np.abs(point).max()
    assert again == pytest.approx(point[0], abs=1e-15)
