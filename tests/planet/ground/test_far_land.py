from __future__ import annotations

import numpy as np
from tests.planet.scenes import origin, town, world

from sightline.planet.ground.far_land import RANGE_M, FarLand
from sightline.planet.ground.relief import STEPS_M
from sightline.planet.world.lattice import CELLS, Frame, faces_of, lattice_of
from sightline.planet.world.neighbourhood import Neighbourhood


def test_near_heights_are_the_neighbourhoods_own() -> None:
    land = FarLand(town(), town().face)
    east = np.zeros((len(STEPS_M), 4), np.float32) + np.array([0, 10, 20, 30], np.float32)
    heights = land.heights(0.0)(east, 0 * east, STEPS_M[:, None])
    near = STEPS_M < 80
    wanted = town().ground.elevation(east[near], 0 * east[near])
    np.testing.assert_allclose(heights[near], wanted, atol=0.02)


def test_far_heights_are_the_planets_elevation() -> None:
    neighbourhood = town()
    land = FarLand(neighbourhood, neighbourhood.face)
    frame = Frame.at(*origin())
    rng = np.random.default_rng(4)
    for level, reach, tolerance in ((0, 700.0, 4.0), (1, 3000.0, 16.0)):
        metres = rng.uniform(-reach, reach, (80, 2))
        wanted = world().globe.elevation(frame.vectors(metres))
        a, b = land.cells(*(metres.T.astype(np.float32)))
        found = land.far(level, a, b)
        assert np.median(abs(found - wanted)) < tolerance


def test_two_windows_agree_about_far_hills() -> None:
    face, a, b = origin()
    first, second = town(), world().neighbourhood(face, a + 3.0, b - 2.0, 140.0)
    moved = Frame.at(face, a, b).metres(Frame.at(face, a + 3.0, b - 2.0).axes[:1])[0]
    steps = STEPS_M[STEPS_M > RANGE_M * 1.3][:, None]
    angles = np.linspace(0, 6, 16, dtype=np.float32)[None, :]
    east, north = np.sin(angles) * steps, np.cos(angles) * steps
    one = FarLand(first, face).heights(9.0)(
        east + np.float32(moved[0]), north + np.float32(moved[1]), steps
    )
    two = FarLand(second, face).heights(9.0)(east, north, steps)
    assert np.quantile(abs(one - two) / steps, 0.98) < 2e-3


def test_far_land_is_laid_out_on_the_face_that_the_camera_stands_on() -> None:
    corner = world().neighbourhood(0, CELLS - 0.5, CELLS - 0.5, 200.0)
    faces = {0: (-40.0, -40.0), 2: (40.0, -40.0), 4: (0.0, 60.0)}
    for face, (east, north) in faces.items():
        assert faces_of(corner.frame.vectors(np.array([[east, north]])))[0] == face
        seen = FarLand.seen_from(corner, east, north)
        assert seen is FarLand.seen_from(corner, east, north)
        alone = world().neighbourhood(*_lattice_beside(corner, east, north), 140.0)
        assert alone.face == face
        steps = STEPS_M[STEPS_M > RANGE_M * 1.3][:, None]
        away = np.linspace(0, 6, 16, dtype=np.float32)[None, :]
        x, y = np.sin(away) * steps, np.cos(away) * steps
        one = seen.heights(9.0)(x + np.float32(east), y + np.float32(north), steps)
        two = FarLand.seen_from(alone, 0.0, 0.0).heights(9.0)(x, y, steps)
        # The two windows' norths differ by less than a hundred millionth of a turn.
        assert np.quantile(abs(one - two) / steps, 0.98) < 2e-3


def _lattice_beside(around: Neighbourhood, east: float, north: float) -> tuple[int, float, float]:
    face, a, b = lattice_of(around.frame.vectors(np.array([[east, north]])))
    return int(face[0]), float(a[0]), float(b[0])
