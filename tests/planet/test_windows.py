"""Two windows that show the same place show the same things there."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from sightline.planet.world.assembly import World
from sightline.planet.world.ground_raster import (
    ACROSS,
    ELEVATION,
    LATTICE_A,
    LATTICE_B,
    ROAD_EDGE,
    WATER,
)
from sightline.planet.world.lattice import CELLS, lattice_of, vectors_of
from sightline.planet.world.neighbourhood import Neighbourhood

MARGIN_M = 12.0


@cache
def world() -> World:
    return World(0)


def around(vector: np.ndarray, reach_m: float) -> Neighbourhood:
    face, a, b = lattice_of(vector[None])
    return world().neighbourhood(int(face[0]), float(a[0]), float(b[0]), reach_m)


@cache
def town_places(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    settled = world().settlements
    places = []
    for number in range(count):
        towns = (settled.metropolises, settled.towns)[number % 2]
        row = int(random.integers(len(towns)))
        away = random.normal(size=3) * towns.radius_m[row] * 0.4 / 6.371e6
        vector = towns.centre[row] + away
        places.append(vector / np.linalg.norm(vector))
    return places


@cache
def edge_places(count: int) -> list[np.ndarray]:
    """Places on cube edges beside towns."""
    places = []
    for centre in world().settlements.towns.centre:
        face, a, b = (part[0] for part in lattice_of(centre[None]))
        sides = [a, CELLS - a, b, CELLS - b]
        if min(sides) < 40.0:
            side = int(np.argmin(sides))
            if side < 2:
                a = (-0.2, CELLS + 0.4)[side]
            else:
                b = (-0.2, CELLS + 0.4)[side - 2]
            places.append(vectors_of(int(face), float(a), float(b)))
        if len(places) == count:
            break
    return places


def seen_in(
    first: Neighbourhood, second: Neighbourhood, name: str
) -> dict[tuple[int, ...], list[np.ndarray]]:
    """Return the objects of ``second`` that both windows hold: by key and place, their shapes."""
    objects = getattr(second, name)
    place = objects.centre if name == "buildings" else objects.position
    key = objects.house if name == "buildings" else objects.key
    there = first.frame.metres(second.frame.vectors(place.astype(float)))
    limit = min(first.reach_m, second.reach_m) - MARGIN_M
    both = (np.abs(place) < limit).all(axis=1) & (np.abs(there) < limit).all(axis=1)
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for row in np.flatnonzero(both):
        rounded = tuple(np.round(there[row] * 4.0).astype(int))
        found.setdefault((int(key[row]), *rounded), []).append(_shape(objects, row))
    return found


def _shape(objects: object, row: int) -> np.ndarray:
    names = ("half_length", "half_width", "rise_m", "height_m", "species", "kind", "roof")
    return np.array([float(getattr(objects, n)[row]) for n in names if hasattr(objects, n)])


def _held(mine: dict[tuple[int, ...], list[np.ndarray]], place: tuple[int, ...], shape) -> bool:
    """Whether something of this key stands there, to the millimetre as large."""
    key, x, y = place
    beside = [(key, x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    shapes = [other for name in beside for other in mine.get(name, [])]
    return any(np.allclose(shape, other, rtol=0.0, atol=1e-3) for other in shapes)


def unlike(first: Neighbourhood, second: Neighbourhood) -> list[str]:
    """Return which objects only one of two windows holds."""
    problems = []
    for name in ("buildings", "plants", "furniture", "slots"):
        mine, theirs = seen_in(first, first, name), seen_in(first, second, name)
        swapped = seen_in(second, first, name)
        for place, shapes in theirs.items():
            problems += [f"{name} {place}" for shape in shapes if not _held(mine, place, shape)]
        # The same number, but for those on the rim of what both hold.
        counts = [sum(map(len, found.values())) for found in (swapped, theirs, mine)]
        assert counts[0] <= counts[2]
        if counts[0] != counts[1]:
            problems.append(f"{counts[0]} and {counts[1]} {name}")
    return problems


def second_window(first: Neighbourhood, seed: int) -> Neighbourhood:
    random = np.random.default_rng(seed)
    elsewhere = first.frame.vectors(random.uniform(-90.0, 90.0, (1, 2)))[0]
    return around(elsewhere, float(random.uniform(90.0, 170.0)))


@pytest.mark.parametrize("number", range(14))
def test_windows_in_towns_agree(number: int) -> None:
    first = around(town_places(14)[number], 140.0)
    assert unlike(first, second_window(first, number)) == []


@pytest.mark.parametrize("name", ["plants", "furniture", "slots"])
@pytest.mark.parametrize("number", range(4))
def test_windows_put_a_thing_into_the_same_place_to_a_thousandth_of_a_millimetre(
    number: int, name: str
) -> None:
    first = around(town_places(14)[number], 140.0)
    second = second_window(first, number)
    mine, theirs = getattr(first, name), getattr(second, name)
    _, one, other = np.intersect1d(mine.key, theirs.key, return_indices=True)
    assert len(one) > 20
    there = first.frame.metres(second.frame.vectors(theirs.position[other]))
    assert np.abs(there - mine.position[one]).max() < 1e-6


@pytest.mark.parametrize("number", range(6))
def test_windows_across_cube_edges_agree(number: int) -> None:
    first = around(edge_places(6)[number], 140.0)
    assert unlike(first, second_window(first, number)) == []


@pytest.mark.parametrize("number", range(8))
def test_rasters_agree(number: int) -> None:
    first = around(town_places(8)[number], 120.0)
    second = second_window(first, number + 50)
    random = np.random.default_rng(number)
    place = random.uniform(-120.0, 120.0, (6000, 2))
    there = second.frame.metres(first.frame.vectors(place))
    both = (np.abs(there) < second.reach_m).all(axis=1)
    place, there = place[both].astype(np.float32), there[both].astype(np.float32)
    mine = first.ground.sample(place[:, 0], place[:, 1])
    theirs = second.ground.sample(there[:, 0], there[:, 1])
    for fields, window in ((mine, first), (theirs, second)):
        fields[LATTICE_A] += window.cells.i0
        fields[LATTICE_B] += window.cells.j0
    for field, tolerance in (
        (ROAD_EDGE, 0.06),
        (LATTICE_A, 0.02),
        (LATTICE_B, 0.02),
        (ELEVATION, 0.05),
        (WATER, 0.6),
    ):
        apart = np.abs(mine[field] - theirs[field])
        # A road's reach in the raster ends in a step, so one point in a hundred may see it.
        assert (apart > tolerance).mean() < (0.01 if field == ROAD_EDGE else 1e-4), field


def test_cells_agree() -> None:
    first = around(town_places(2)[1], 120.0)
    second = second_window(first, 3)
    i0, j0 = max(first.cells.i0, second.cells.i0), max(first.cells.j0, second.cells.j0)
    shape = [min(c.i0 + c.material.shape[0], d.i0 + d.material.shape[0]) - i0 - 1
             for c, d in ((first.cells, second.cells),)]  # fmt: skip
    width = min(
        first.cells.j0 + first.cells.material.shape[1],
        second.cells.j0 + second.cells.material.shape[1],
    )
    for name in ("material", "tint", "density"):
        parts = [
            getattr(w.cells, name)[i0 - w.cells.i0 :, j0 - w.cells.j0 :][
                1 : shape[0] - 1, 1 : width - j0 - 2
            ]
            for w in (first, second)
        ]
        assert parts[0].size > 9
        np.testing.assert_array_equal(*parts)


def test_streets_meet_at_cube_edges() -> None:
    """The street along an edge is there once, whoever looks."""
    first = around(edge_places(3)[2], 140.0)
    assert len({face for face, _, _ in _faces(first)}) > 1
    keys = first.streets.key
    assert len(set(keys.tolist())) == len(keys)


def _faces(window: Neighbourhood) -> list[tuple[int, float, float]]:
    corners = np.array([[x, y] for x in (-1, 1) for y in (-1, 1)]) * window.reach_m
    faces, a, b = lattice_of(window.frame.vectors(corners))
    return list(zip(faces.tolist(), a.tolist(), b.tolist(), strict=True))


def test_half_way_between_two_roads_every_window_reads_the_same_one() -> None:
    # At this corner two border roads meet, and the diagonal of a grid lies half way between them.
    corner = np.array([1.0, 1.0, -1.0]) / np.sqrt(3.0)
    random = np.random.default_rng(4)
    first = around(corner, 200.0)
    metres = random.uniform(-60.0, 60.0, (4000, 2))
    vectors = first.frame.vectors(metres)
    here = first.ground.sample(*metres.T)
    for _ in range(4):
        second = around(first.frame.vectors(random.uniform(-90.0, 90.0, (1, 2)))[0], 200.0)
        there = second.ground.sample(*second.frame.metres(vectors).T)
        assert np.abs(here - there)[[ROAD_EDGE, ACROSS]].max() < 0.1
