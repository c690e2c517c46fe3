"""Small scenes for the tests of the photo renderer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.rays import Boxes
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.world.assembly import World
from sightline.planet.world.lattice import lattice_of
from sightline.planet.world.neighbourhood import Neighbourhood


def boxes(rows: list[tuple[float, ...]], vehicles: int = 0) -> Boxes:
    """(east, north, turn in radians, half length, half width, base, eave, rise, roof) each."""
    table = np.array(rows, np.float32).reshape(-1, 9).T
    return Boxes(
        table[0], table[1], np.cos(table[2]), np.sin(table[2]), table[3], table[4], table[5],
        table[6], table[7], table[8].astype(np.int8), vehicles,
    )  # fmt: skip


def viewpoint(camera: Camera | None = None) -> Viewpoint:
    camera = camera or Camera()
    return Viewpoint.of(camera, 0.0, 0.0, 0.0)


def noon(**changes: object) -> Moment:
    """A clear summer noon at 45° north, the sun in the south."""
    given = {"when": datetime(2019, 6, 21, 12, tzinfo=UTC), "weather": Weather.CLEAR, "key": 5}
    return Moment.of((45.0, 0.0), **(given | changes))  # type: ignore[arg-type]


def midnight(**changes: object) -> Moment:
    return noon(**({"when": datetime(2019, 6, 21, 0, tzinfo=UTC)} | changes))


@cache
def world() -> World:
    return World(0)


@cache
def origin() -> tuple[int, float, float]:
    """A lattice point in a town."""
    towns = world().settlements.towns
    town = int(np.argmax(towns.core))
    face, a, b = lattice_of(towns.centre[town : town + 1])
    return int(face[0]), float(np.round(a[0])) + 0.25, float(np.round(b[0])) + 0.5


@cache
def town() -> Neighbourhood:
    face, a, b = origin()
    return world().neighbourhood(face, a, b, 190.0)
