"""What stands in a town and in the country: houses, plants, furniture, cars, ground."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from sightline.planet.world.assembly import World
from sightline.planet.world.contents import (
    ALWAYS,
    NEVER,
    BoxKind,
    FurnitureKind,
    Material,
    ParkingSlots,
    RoofKind,
    Use,
)
from sightline.planet.world.ground_raster import ELEVATION, ROAD_EDGE, WATER
from sightline.planet.world.lattice import lattice_of
from sightline.planet.world.neighbourhood import Neighbourhood
from sightline.planet.world.vehicles import VehicleKind, parked


@cache
def windows() -> list[Neighbourhood]:
    """Three dozen neighbourhoods from cores to villages, with landmarks."""
    world = World(0)
    random = np.random.default_rng(11)
    settled = world.settlements
    centres = []
    for number in range(36):
        towns = (settled.metropolises, settled.towns)[number % 2]
        row = int(random.integers(len(towns)))
        away = random.normal(size=3) * towns.radius_m[row] * (0.1 + 0.05 * number) / 6.371e6
        centres.append(towns.centre[row] + away)
    found = settled.landmarks(settled.metropolises.centre[411:412], 9000.0)
    centres += list(found.centres())
    vectors = np.array(centres)
    faces, a, b = lattice_of(vectors / np.linalg.norm(vectors, axis=1)[:, None])
    return [
        world.neighbourhood(int(faces[n]), float(a[n]), float(b[n]), 130.0)
        for n in range(len(vectors))
    ]


def joined(sort: str, name: str) -> np.ndarray:
    return np.concatenate([getattr(getattr(window, sort), name) for window in windows()])


def test_every_use_roof_and_material_occurs() -> None:
    assert set(joined("buildings", "use").tolist()) == {int(use) for use in Use}
    assert set(joined("buildings", "roof").tolist()) == {int(roof) for roof in RoofKind}
    assert set(joined("buildings", "kind").tolist()) == {int(kind) for kind in BoxKind}
    assert set(joined("furniture", "kind").tolist()) == {int(kind) for kind in FurnitureKind}
    materials = set(np.concatenate([w.cells.material.ravel() for w in windows()]).tolist())
    assert len(materials) >= len(Material) - 2


def test_boxes_have_the_sizes_of_buildings() -> None:
    kind = joined("buildings", "kind")
    solid = kind == BoxKind.BUILDING
    assert joined("buildings", "half_length").min() > 0
    assert joined("buildings", "half_width").min() > 0
    assert joined("buildings", "eave_m")[solid].min() > 0.7
    assert joined("buildings", "eave_m").max() < 320
    assert (joined("buildings", "rise_m")[joined("buildings", "roof") == RoofKind.FLAT] == 0).all()
    for name in ("wall", "roof_colour"):
        assert joined("buildings", name).min() >= 0
        assert joined("buildings", name).max() <= 1


def test_houses_have_several_parts() -> None:
    window = max(windows(), key=lambda each: len(each.buildings))
    keys = window.buildings.house[window.buildings.kind == BoxKind.BUILDING]
    _, counts = np.unique(keys, return_counts=True)
    assert (counts > 1).mean() > 0.3


def test_buildings_stand_on_their_ground_beside_the_road() -> None:
    for window in windows():
        buildings = window.buildings
        solid = (buildings.kind == BoxKind.BUILDING) & (np.abs(buildings.centre) < 120).all(axis=1)
        place = buildings.centre[solid]
        ground = window.ground.sample(place[:, 0], place[:, 1])
        assert (ground[ROAD_EDGE] > 0).all()
        assert (ground[WATER] > 0).all()
        assert (buildings.base_m[solid] <= ground[ELEVATION] + 0.02).all()
        top = buildings.base_m[solid] + buildings.eave_m[solid]
        assert (top > ground[ELEVATION]).all()


def test_main_boxes_of_one_row_do_not_overlap() -> None:
    """Few houses of different lots share ground (corners of skewed blocks may)."""
    shared = total = 0
    for window in windows()[:12]:
        buildings = window.buildings
        solid = np.flatnonzero(
            (buildings.kind == BoxKind.BUILDING) & (buildings.gone_year == NEVER)
        )
        for row in solid:
            offset = buildings.centre[solid] - buildings.centre[row]
            axis = buildings.axis[solid]
            along = np.abs(offset[:, 0] * axis[:, 0] + offset[:, 1] * axis[:, 1])
            across = np.abs(offset[:, 1] * axis[:, 0] - offset[:, 0] * axis[:, 1])
            inside = (along < buildings.half_length[solid]) & (across < buildings.half_width[solid])
            inside &= buildings.house[solid] != buildings.house[row]
            shared += int(inside.any())
            total += 1
    assert total > 300
    assert shared / total < 0.08


def test_years() -> None:
    built, gone = joined("buildings", "built_year"), joined("buildings", "gone_year")
    solid = joined("buildings", "kind") == BoxKind.BUILDING
    assert (built < gone).all()
    new = solid & (built > 2004)
    assert 0.01 < new.mean() < 0.15
    assert (gone[solid] != NEVER).mean() > 0.001
    planted = joined("plants", "planted_year")
    assert 0.05 < (planted != ALWAYS).mean() < 0.3
    assert planted[planted != ALWAYS].min() >= 1990


def test_a_replaced_house_makes_room_for_its_successor() -> None:
    pairs = 0
    for window in windows():
        buildings = window.buildings
        going = np.flatnonzero(
            (buildings.gone_year != NEVER) & (buildings.kind == BoxKind.BUILDING)
        )
        for row in going:
            apart = np.abs(buildings.centre - buildings.centre[row]).max(axis=1)
            pairs += int(((apart < 12) & (buildings.built_year == buildings.gone_year[row])).any())
    assert pairs > 5


def test_plants_stand_clear_of_buildings_and_roads() -> None:
    for window in windows():
        place = window.plants.position
        ground = window.ground.sample(place[:, 0], place[:, 1])
        assert (ground[ROAD_EDGE] > 0).all()
        assert (ground[WATER] > 1).all()
        np.testing.assert_allclose(window.plants.base_m, ground[ELEVATION], atol=1e-3)
        assert (np.abs(place) < window.reach_m).all()
    height = joined("plants", "height_m")
    assert height.min() > 0.5
    assert height.max() < 28
    assert (joined("plants", "radius_m") < height).all()


def test_furniture_stands_beside_streets() -> None:
    for window in windows():
        place, axis = window.furniture.position, window.furniture.axis
        if not len(place):
            continue
        edge = window.ground.sample(place[:, 0], place[:, 1])[ROAD_EDGE]
        assert (np.abs(edge) < 1.6).mean() > 0.9
        # The street lies to the right of the axis.
        right = np.stack([axis[:, 1], -axis[:, 0]], axis=1)
        inside = place + 2.0 * right
        nearer = window.ground.sample(inside[:, 0], inside[:, 1])[ROAD_EDGE]
        assert (nearer < edge).mean() > 0.95


def test_roads_in_the_raster_are_the_streets() -> None:
    for window in windows()[:10]:
        streets = window.streets.rows(np.flatnonzero(~window.streets.path))
        middle = (streets.start + streets.end) / 2
        near = (np.abs(middle) < 120).all(axis=1)
        edge = window.ground.sample(middle[near, 0], middle[near, 1])[ROAD_EDGE]
        np.testing.assert_allclose(edge, -streets.half_width[near], atol=1.2)


def test_road_edge_is_the_distance_to_the_nearest_street() -> None:
    window = windows()[3]
    place = np.random.default_rng(2).uniform(-120, 120, (800, 2))
    streets = window.streets
    delta = (streets.end - streets.start).astype(float)
    length = np.linalg.norm(delta, axis=1)
    along = ((place[:, None] - streets.start) * delta).sum(axis=2) / length
    along = np.clip(along, 0, length)
    foot = streets.start + (delta / length[:, None]) * along[..., None]
    apart = np.linalg.norm(place[:, None] - foot, axis=2) - streets.half_width
    expected = apart.min(axis=1)
    found = window.ground.sample(*place.T.astype(np.float32))[ROAD_EDGE]
    near = expected < 8
    assert near.sum() > 200
    # Bilinear over two metres: exact but near bends, ends and middle lines.
    assert np.median(np.abs(found[near] - expected[near])) < 0.03
    assert np.abs(found[near] - expected[near]).max() < 1.6


def test_sample_one_is_a_row_of_sample() -> None:
    ground = windows()[0].ground
    east, north = np.random.default_rng(1).uniform(-150, 150, (2, 300)).astype(np.float32)
    every = ground.sample(east, north)
    for field in range(len(every)):
        np.testing.assert_allclose(
            ground.sample_one(field, east, north), every[field], rtol=1e-5, atol=1e-4
        )
    np.testing.assert_array_equal(ground.elevation(east, north), ground.sample_one(8, east, north))
    grid = ground.elevation(east.reshape(30, 10), north.reshape(30, 10))
    assert grid.shape == (30, 10)


def test_parked_vehicles_depend_on_the_moment_alone() -> None:
    window = max(windows(), key=lambda each: len(each.slots))
    first, again, later = parked(window.slots, 5), parked(window.slots, 5), parked(window.slots, 6)
    np.testing.assert_array_equal(first.colour, again.colour)
    assert 0.25 < len(first) / len(window.slots) < 0.6
    assert set(first.key.tolist()) != set(later.key.tolist())
    assert len(parked(window.slots, 5, 0.0)) == 0
    assert len(parked(window.slots, 5, 1.1)) == len(window.slots)
    every = np.concatenate([parked(window.slots, moment).kind for moment in range(20)])
    assert set(every.tolist()) == {int(kind) for kind in VehicleKind}
    shuffled = window.slots.rows(np.arange(len(window.slots))[::-1])
    np.testing.assert_array_equal(np.sort(parked(shuffled, 5).key), np.sort(first.key))
    assert isinstance(shuffled, ParkingSlots)


@pytest.mark.parametrize("sort", ["plants", "furniture", "slots"])
def test_keys_are_names(sort: str) -> None:
    for window in windows()[:8]:
        keys = getattr(window, sort).key
        assert len(set(keys.tolist())) == len(keys)


def test_landmarks_of_every_kind_can_be_built() -> None:
    from sightline.planet.world.landmarks import _BUILDERS, _Chance
    from sightline.planet.world.settlements import LandmarkKind

    assert set(_BUILDERS) == set(LandmarkKind)
    for build in _BUILDERS.values():
        for key in range(40):
            boxes = build(_Chance(key))
            for along, across, half_length, half_width, eave, rise, _, _ in boxes:
                assert half_length > 0
                assert half_width > 0
                assert eave > 0
                assert rise >= 0
                assert abs(along) + half_length < 32
                assert abs(across) + half_width < 32
