"""A place looks the same in every window that shows it: beside cube edges and at corners, too."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.ground import photo
from sightline.planet.ground.camera import Camera
from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.overhead import aerial
from sightline.planet.world.assembly import World
from sightline.planet.world.ground_raster import (
    ELEVATION,
    LATTICE_A,
    LATTICE_B,
    ROAD_EDGE,
    FacetedRaster,
)
from sightline.planet.world.lattice import (
    CELLS,
    faces_of,
    latlng_of_vectors,
    lattice_of,
)
from sightline.planet.world.neighbourhood import Neighbourhood

REACH_M = 290.0
LEVELS, SHARE = 12, 0.001
CAMERA = Camera((224, 160), 90.0, 37.0)
AWAY_M = (9.0, 75.0, 160.0)
"""How far from an edge or a corner the pictures' places lie."""
WINDOWS_M = (0.0, 90.0, 150.0)
"""How far from a picture's place the middles of the windows lie that show it."""


@cache
def world() -> World:
    return World(0)


def window(vector: np.ndarray, reach_m: float = REACH_M) -> Neighbourhood:
    face, a, b = lattice_of(vector[None])
    return world().neighbourhood(int(face[0]), float(a[0]), float(b[0]), reach_m)


def beside(vector: np.ndarray, away_m: float, random: np.random.Generator) -> np.ndarray:
    """A place some metres away in a direction of its own."""
    aside = random.normal(size=3)
    aside -= vector * (aside @ vector)
    moved = vector + aside / np.linalg.norm(aside) * (away_m / EARTH_RADIUS_M)
    return moved / np.linalg.norm(moved)


@cache
def places() -> dict[str, np.ndarray]:
    """Two towns across cube edges, two corners, and the middle of a town."""
    towns = world().settlements.towns.centre
    faces, a, b = lattice_of(towns)
    away = np.minimum.reduce([a, CELLS - a, b, CELLS - b])
    along_a = np.minimum(a, CELLS - a) < np.minimum(b, CELLS - b)
    found = {"town": towns[11]}
    for name, rows in (("edge", along_a & (faces >= 3)), ("other edge", ~along_a & (faces >= 2))):
        town = np.flatnonzero(rows & (away < 30.0))[0]
        found[name] = _onto_edge(towns[town])
    found["corner"] = np.array([1.0, 1.0, -1.0]) / np.sqrt(3.0)
    found["pole"] = np.array([0.0, 0.0, 1.0])
    found["other corner"] = np.array([-1.0, 1.0, 1.0]) / np.sqrt(3.0)
    return found


def _onto_edge(vector: np.ndarray) -> np.ndarray:
    """The nearest place at which two coordinates are as large: a cube edge."""
    first, second = np.argsort(-np.abs(vector))[:2]
    moved = vector.copy()
    size = (abs(vector[first]) + abs(vector[second])) / 2
    moved[[first, second]] = np.sign(vector[[first, second]]) * size
    return moved / np.linalg.norm(moved)


def noon(vector: np.ndarray) -> Moment:
    latitude = float(latlng_of_vectors(vector[None])[0, 0])
    month = 6 if latitude >= 0 else 12
    when = datetime(2019, month, 21, 12, tzinfo=UTC)
    return Moment.of((latitude, 0.0), when=when, weather=Weather.CLEAR, key=5)


def unlike(first: np.ndarray, second: np.ndarray) -> float:
    """The share of pixels that differ."""
    apart = np.abs(first.astype(int) - second.astype(int)).max(axis=2) > LEVELS
    return float(apart.mean())


@pytest.mark.parametrize("name", [*places()])
def test_windows_show_the_same_pictures(name: str) -> None:
    shares = []
    for away_m in AWAY_M:
        random = np.random.default_rng(round(away_m))
        place = beside(places()[name], away_m, random)
        moment = noon(place)
        tiles, photos = [], []
        for apart_m in WINDOWS_M:
            around = window(beside(place, apart_m, random))
            here = around.frame.metres(place[None])[0]
            standpoint = (float(here[0]), float(here[1]))
            tiles.append(
                aerial.render(around, standpoint, 0.5, (224, 224), moment, misregistration_m=0.0)
            )
            photos.append(photo.render(around, standpoint, CAMERA, moment))
        for pictures in (tiles, photos):
            assert pictures[0].std() > 3
            shares += [unlike(pictures[0], other) for other in pictures[1:]]
    assert np.max(shares) <= SHARE, shares


@pytest.mark.parametrize("name", ["edge", "other edge", "corner"])
def test_every_place_is_read_from_the_grid_of_its_own_face(name: str) -> None:
    """A window across an edge and one that ends before it read the same numbers."""
    random = np.random.default_rng(3)
    across = window(places()[name], 200.0)
    assert isinstance(across.ground, FacetedRaster)
    metres = random.uniform(-190.0, 190.0, (4000, 2))
    vectors = across.frame.vectors(metres)
    own = faces_of(vectors)
    facets = across.ground.facets(*metres.T.astype(np.float32))
    for facet in np.unique(facets):
        face = int(np.bincount(own[facets == facet]).argmax())
        # Some places lie within a millimetre of the edge.
        assert (own[facets == facet] == face).mean() > 0.99
        inside = vectors[(facets == facet) & (own == face)]
        _, a, b = lattice_of(inside)
        deep = inside[np.minimum.reduce([a, CELLS - a, b, CELLS - b]).argmax()]
        alone = window(deep, 60.0)
        there = alone.frame.metres(inside)
        near = (np.abs(there) < 55.0).all(axis=1)
        mine = across.ground.sample(*across.frame.metres(inside[near]).T.astype(np.float32))
        theirs = alone.ground.sample(*there[near].T.astype(np.float32))
        assert near.sum() > 20
        apart = np.abs(mine - theirs)
        assert np.quantile(apart[ROAD_EDGE], 0.99) < 0.02
        assert apart[ELEVATION].max() < 0.01
        for field in (LATTICE_A, LATTICE_B):
            # Whole cells are counted from each window's own first.
            assert np.abs(apart[field] - np.rint(apart[field])).max() < 1e-3


def test_a_window_that_ends_before_an_edge_has_one_grid() -> None:
    place = beside(places()["corner"], 400.0, np.random.default_rng(0))
    assert not isinstance(window(place, 60.0).ground, FacetedRaster)
    assert not window(place, 60.0).ground.facets(np.zeros(3, np.float32), np.zeros(3)).any()
