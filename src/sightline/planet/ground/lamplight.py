"""Street lamps by night: the light they throw, and their glare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.viewpoint import Viewpoint

Floats = NDArray[np.float32]

_MOST_LAMPS = 10
_STRENGTH = np.float32(0.62)
_GLARE_M = np.float32(0.55)


@dataclass(frozen=True)
class Lamps:
    """Lit lamps, the nearest first, relative to the eye.

    Attributes:
        east, north: (n,) metres from the camera.
        height: (n,) of the lamp from the eye.
        above: (n,) metres of the lamp above its foot.
        strength: 0 by day to 1 by night.
        colour: float32 (3,).
    """

    east: Floats
    north: Floats
    height: Floats
    above: Floats
    strength: float
    colour: Floats

    @property
    def count(self) -> int:
        """How many are lit."""
        return len(self.east) if self.strength > 0.02 else 0

    @classmethod
    def of(
        cls, east: Floats, north: Floats, foot: Floats, above: Floats, night: float, warm: bool
    ) -> Lamps:
        """Choose the nearest lamps."""
        order = np.argsort(np.hypot(east, north), kind="stable")[:_MOST_LAMPS]
        colour = [1.0, 0.74, 0.42] if warm else [0.92, 0.95, 1.0]
        return cls(
            east.take(order), north.take(order), (foot + above).take(order), above.take(order),
            float(max(0.0, min(1.0, (night - 0.25) * 2.0))), np.array(colour, np.float32),
        )  # fmt: skip

    def on(self, east: Floats, north: Floats, height: Floats) -> Floats:
        """Return the light of all lamps on places, relative to the eye."""
        total = np.zeros(len(east), np.float32)
        for number in range(self.count):
            squared = (east - self.east[number]) ** 2
            squared += (north - self.north[number]) ** 2
            drop = self.height[number] - height
            squared += drop * drop
            # Lambert on level ground and the inverse square, one at the lamp's foot.
            reach = self.above[number] ** 2
            light = reach / np.maximum(squared, reach * np.float32(0.2))
            total += light * np.sqrt(light) * (_STRENGTH * np.float32(self.strength))
        np.minimum(total, np.float32(1.4), out=total)
        return total


def paint_glare(planes: Floats, view: Viewpoint, lamps: Lamps, depth: Floats) -> None:
    """Add the glare of lamps that are not hidden to planes float32 (3, pixels of the raster)."""
    projection = view.projection
    picture = planes.reshape(3, projection.height, projection.width)
    bearing = view.bearing(lamps.east, lamps.north)
    distance = np.hypot(lamps.east, lamps.north)
    middle = projection.columns_of(bearing)
    for number in range(lamps.count):
        column = int(np.floor(middle[number]))
        if not 0 <= column < projection.width or distance[number] < 1:
            continue
        tangent = lamps.height[number : number + 1] / distance[number]
        row = float(projection.rows_of(tangent, np.array([column]))[0])
        if not 0 <= int(row) < projection.height or depth[int(row), column] < distance[number] - 1:
            continue
        radius = max(3.0, float(_GLARE_M * view.pixels_per_radian / distance[number]) * 4)
        _add_disc(picture, middle[number], row, min(radius, 40.0), lamps)


def _add_disc(picture: Floats, column: float, row: float, radius: float, lamps: Lamps) -> None:
    height, width = picture.shape[1:]
    left, right = max(int(column - radius), 0), min(int(column + radius) + 1, width)
    top, bottom = max(int(row - radius), 0), min(int(row + radius) + 1, height)
    x = (np.arange(left, right, dtype=np.float32) + np.float32(0.5 - column)) / np.float32(radius)
    y = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - row)) / np.float32(radius)
    apart = np.minimum(x * x + (y * y)[:, None], 1)
    glow = (1 - apart) ** 2 * np.float32(0.25) + np.maximum(1 - apart * 22, 0)
    glow *= np.float32(lamps.strength)
    picture[:, top:bottom, left:right] += glow * lamps.colour[:, None, None]
