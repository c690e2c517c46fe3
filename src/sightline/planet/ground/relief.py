"""The ground as seen: every column marches over heights until its rays have met them.

Heights along a column are joined by straight lines; a running maximum of the slopes to them says
which pixels see each line first, and the place on the line is then exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.running import run_down
from sightline.planet.ground.viewpoint import Viewpoint

Floats = NDArray[np.float32]
Heights = Callable[[Floats, Floats, Floats], Floats]
"""Elevation at (east, north) of the neighbourhood, (steps, columns) each, distance (steps, 1)."""

FAR_M = np.float32(1e9)
"""The distance of the sky."""

_NEAREST_M, _NEAR_GROWTH = 1.1, 1.17
_TOWN_M, _FAR_GROWTH = 150.0, 1.27
_HORIZON_M = 32_000.0


def _steps() -> Floats:
    steps = [0.0, _NEAREST_M]
    while steps[-1] < _HORIZON_M:
        steps.append(steps[-1] * (_NEAR_GROWTH if steps[-1] < _TOWN_M else _FAR_GROWTH))
    return np.array(steps, dtype=np.float32)


STEPS_M = _steps()
"""Distances at which the ground's height is asked for."""


@dataclass(frozen=True)
class Relief:
    """The ground behind each pixel, as if nothing stood on it.

    Attributes:
        first_row: Rows above it see no ground.
        distance_m: float32 (height - first_row, width), horizontal; `FAR_M` for the sky.
        step: uint8, same shape: the line between ``STEPS_M[step - 1]`` and ``STEPS_M[step]``.
        heights: float32 (steps, width), elevation less the eye's.
    """

    first_row: int
    distance_m: Floats
    step: NDArray[np.uint8]
    heights: Floats


def march(view: Viewpoint, heights: Heights) -> Relief:
    """Find the ground behind each pixel.

    Args:
        view: The camera.
        heights: The elevation of places.
    """
    projection = view.projection
    width, height = projection.width, projection.height
    distance = STEPS_M[:, None]
    relative = _heights(view, heights, distance)
    horizon = relative[1:] / distance[1:]
    run_down(np.maximum, horizon)
    columns = np.arange(width, dtype=np.int32)
    rows = projection.first_rows(horizon, columns)
    first = int(rows[-1].min())
    seen = np.full((height + 1 - first, width), len(STEPS_M), np.uint8)
    # Farther lines are written first, so that the nearest of those that begin in a row remains.
    cells = (rows - first) * np.int32(width) + columns
    seen.ravel()[cells[::-1].ravel()] = np.repeat(
        np.arange(len(STEPS_M) - 1, 0, -1, dtype=np.uint8), width
    )
    step = seen[:-1]
    run_down(np.minimum, step)
    return Relief(first, _distances(view, relative, step, first), step, relative)


def _heights(view: Viewpoint, heights: Heights, distance: Floats) -> Floats:
    """Heights from the eye, asked for in every second column and in between in the others."""
    width = view.projection.width
    asked = np.arange(0, width + 1, 2)
    asked[-1] = min(asked[-1], width - 1)
    east = view.along_east.take(asked) * distance
    east += np.float32(view.east)
    north = view.along_north.take(asked) * distance
    north += np.float32(view.north)
    found = heights(east, north, distance)
    found -= np.float32(view.eye_m)
    relative = np.empty((len(distance), width), np.float32)
    relative[:, asked] = found
    odd = relative[:, 1 : width - 1 : 2]
    np.add(relative[:, 0 : width - 2 : 2], relative[:, 2:width:2], out=odd)
    odd *= np.float32(0.5)
    return relative


def _distances(view: Viewpoint, relative: Floats, step: NDArray[np.uint8], first: int) -> Floats:
    """Where each ray meets its line: height + slope · (t - start) = tangent · t."""
    width = view.projection.width
    slope = np.zeros((len(STEPS_M) + 1, width), np.float32)
    ground = np.full((len(STEPS_M) + 1, width), -FAR_M, np.float32)
    slope[1:-1] = (relative[1:] - relative[:-1]) / (STEPS_M[1:] - STEPS_M[:-1])[:, None]
    ground[1:-1] = relative[:-1] - slope[1:-1] * STEPS_M[:-1, None]
    # A line of the sky: the largest distance whatever the tangent.
    slope[-1] = FAR_M
    ground[-1] = -FAR_M * np.float32(1e9)
    flat = step.astype(np.intp)
    flat *= width
    flat += np.arange(width)
    tangents = view.projection.tangents[first:]
    rate = slope.take(flat)
    np.subtract(tangents, rate, out=rate)
    np.minimum(rate, np.float32(-1e-6), out=rate)
    distance = ground.take(flat)
    distance /= rate
    np.maximum(distance, 0, out=distance)
    return np.minimum(distance, FAR_M, out=distance)
