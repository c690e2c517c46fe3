"""Does a place look the same in every window that shows it?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.ground import photo
from sightline.planet.ground.camera import Camera
from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.overhead import aerial
from sightline.planet.world.assembly import World
from sightline.planet.world.lattice import latlng_of_vectors, lattice_of
from sightline.planet.world.neighbourhood import Neighbourhood

LEVELS, SHARE = 12, 0.001
REACH_M = 290.0
WINDOWS_M = (0.0, 90.0, 150.0)
SIZE = (224, 224)
Shares = tuple[float, float]
"""Of the pixels that differ: all, and those of the column with most of them."""


SAMPLES = {"first sample": 0, "second sample": 1}
"""The causes of differences were looked for in the first, and in the end in the three pictures of
the second that still differed."""


def compared(places: int) -> dict[str, Any]:
    """Draw two samples of places."""
    return {
        "what": f"share of pixels that differ by more than {LEVELS} levels between windows whose "
        f"middles lie {WINDOWS_M[1]:g} and {WINDOWS_M[2]:g} m from the place, and one around it",
        "shares": {name: _sample(places, seed) for name, seed in SAMPLES.items()},
    }


def _sample(places: int, seed: int) -> dict[str, Any]:
    """Draw places in towns and beside edges, corners and poles, each in three windows."""
    world, random = World(0), np.random.default_rng(seed)
    towns = world.settlements.towns
    found: dict[str, dict[str, list[Shares]]] = {}
    for number in range(places):
        row = int(random.integers(len(towns)))
        town = _beside(towns.centre[row], 0.4 * float(towns.radius_m[row]), random)
        corner = np.sign(random.normal(size=3)) / np.sqrt(3.0)
        edge = _onto_edge(town)
        pole = np.array([0.0, 0.0, 1.0 if number % 2 else -1.0])
        for name, place in (
            ("in towns", town),
            ("within 160 m of a cube edge", _beside(edge, random.uniform(1, 160), random)),
            ("within 160 m of a cube corner", _beside(corner, random.uniform(1, 160), random)),
            ("within 160 m of a pole", _beside(pole, random.uniform(1, 160), random)),
        ):
            kinds = found.setdefault(name, {"photos": [], "aerial images": []})
            _compare(world, place, random, kinds)
        if (number + 1) % 10 == 0:
            print(f"{number + 1} of {places} places", flush=True)
    return {
        name: {kind: _summary(shares) for kind, shares in kinds.items()}
        for name, kinds in found.items()
    }


def _compare(
    world: World, place: np.ndarray, random: np.random.Generator, kinds: dict[str, list[Shares]]
) -> None:
    latitude = float(latlng_of_vectors(place[None])[0, 0])
    when = datetime(2019, 6 if latitude >= 0 else 12, 21, 12, tzinfo=UTC)
    moment = Moment.of((latitude, 0.0), when=when, weather=Weather.CLEAR, key=5)
    camera = Camera(SIZE, 90.0, float(random.uniform(0, 360)))
    first: list[np.ndarray] = []
    for apart_m in WINDOWS_M:
        around = _window(world, _beside(place, apart_m, random))
        east, north = (float(part) for part in around.frame.metres(place[None])[0])
        made = [
            photo.render(around, (east, north), camera, moment),
            aerial.render(around, (east, north), 0.5, SIZE, moment, misregistration_m=0.0),
        ]
        if not first:
            first = made
            continue
        for shares, one, other in zip(kinds.values(), first, made, strict=True):
            apart = np.abs(one.astype(int) - other.astype(int)).max(axis=2) > LEVELS
            shares.append((float(apart.mean()), float(apart.sum(axis=0).max() / apart.size)))


def _summary(shares: list[Shares]) -> dict[str, Any]:
    values, column = np.array(shares).T
    return {
        "pairs": len(values),
        "mean": round(float(values.mean()), 6),
        "largest": round(float(values.max()), 6),
        f"above_{SHARE:g}": int((values > SHARE).sum()),
        "of_these_by_one_column": int(((values > SHARE) & (values - column <= SHARE)).sum()),
    }


def _window(world: World, vector: np.ndarray) -> Neighbourhood:
    face, a, b = lattice_of(vector[None])
    return world.neighbourhood(int(face[0]), float(a[0]), float(b[0]), REACH_M)


def _beside(vector: np.ndarray, away_m: float, random: np.random.Generator) -> np.ndarray:
    aside = random.normal(size=3)
    aside -= vector * (aside @ vector)
    moved = vector + aside / np.linalg.norm(aside) * (away_m / EARTH_RADIUS_M)
    return moved / np.linalg.norm(moved)


def _onto_edge(vector: np.ndarray) -> np.ndarray:
    """Return the nearest place at which two coordinates are as large: a cube edge."""
    first, second = np.argsort(-np.abs(vector))[:2]
    moved = vector.copy()
    size = (abs(vector[first]) + abs(vector[second])) / 2
    moved[[first, second]] = np.sign(vector[[first, second]]) * size
    return moved / np.linalg.norm(moved)
