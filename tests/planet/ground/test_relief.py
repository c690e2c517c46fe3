from __future__ import annotations

import numpy as np
from tests.planet.scenes import viewpoint

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.relief import FAR_M, STEPS_M, march


def test_flat_ground_is_where_its_tangent_says() -> None:
    view = viewpoint(Camera(size=(32, 32)))
    relief = march(view, lambda east, north, distance: np.zeros_like(east))
    tangents = view.projection.tangents[relief.first_row :]
    below = tangents < -1e-3
    np.testing.assert_allclose(relief.distance_m[below], -2.2 / tangents[below], rtol=2e-3)
    assert (relief.distance_m[tangents > 1e-3] == FAR_M).all()


def test_rays_meet_a_hill_where_a_fine_march_meets_it() -> None:
    def height(distance: np.ndarray) -> np.ndarray:
        return np.interp(distance, STEPS_M, np.sin(STEPS_M * 0.05) * np.minimum(STEPS_M, 100) * 0.2)

    view = viewpoint(Camera(size=(8, 64)))
    relief = march(view, lambda e, n, d: np.broadcast_to(height(d), e.shape).astype(np.float32))
    fine = np.arange(0.05, 3000, 0.05)
    slopes = (height(fine) - view.eye_m) / fine
    seen = 0
    for row in range(relief.first_row, 64):
        tangent = view.projection.tangents[row, 3]
        reached = np.flatnonzero(slopes >= tangent)
        found = relief.distance_m[row - relief.first_row, 3]
        if reached.size and fine[reached[0]] < 2000:
            assert abs(found - fine[reached[0]]) < 0.06 + 0.01 * found
            seen += 1
    assert seen > 30


def test_a_wall_of_land_hides_what_lies_behind() -> None:
    view = viewpoint(Camera(size=(16, 64)))
    relief = march(
        view, lambda east, north, distance: np.where((distance > 40) & (distance < 60), 30.0, 0.0)
        .astype(np.float32) + np.zeros_like(east),
    )  # fmt: skip
    middle = relief.distance_m[:, 8]
    seen = middle[middle < FAR_M]
    assert seen.max() < 60
    assert (np.diff(middle) <= 1e-3).all()
