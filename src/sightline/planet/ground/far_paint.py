"""Far land in a photo: its light by its slope, and woods, fields, roofs and water as hints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.far_land import RANGE_M, FarLand
from sightline.planet.ground.relief import STEPS_M, Relief
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks.lighting import Lighting
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import SNOW, Palette
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_FAR_STEP = int(np.searchsorted(STEPS_M, RANGE_M * 0.8))


@dataclass(frozen=True)
class Surroundings:
    """What the land around a camera is like.

    Attributes:
        climate: Row of the neighbourhood's climates.
        density: How densely people live here.
        style: Row of the neighbourhood's styles.
    """

    climate: int
    density: float
    style: int

    @classmethod
    def of(cls, neighbourhood: Neighbourhood, east: float, north: float) -> Surroundings:
        """Look up the cell in which a camera stands."""
        place = np.array([east], np.float32), np.array([north], np.float32)
        first, second = (
            int(neighbourhood.ground.sample_one(field, *place)[0])
            for field in (LATTICE_A, LATTICE_B)
        )
        cells = neighbourhood.cells
        rows, columns = cells.material.shape
        row = min(max(first, 0), rows - 1)
        column = min(max(second, 0), columns - 1)
        return cls(
            int(cells.climate[row, column]),
            float(cells.density[row, column]),
            int(cells.style[row, column]),
        )

    @property
    def cover_m(self) -> float:
        """How high woods or roofs stand on far land."""
        return 9.0 + 9.0 * self.density


def relief_light(view: Viewpoint, relief: Relief, light: Lighting) -> Floats:
    """Return the direct light on the far lines of relief, float32 (steps + 1, width)."""
    heights = relief.heights[_FAR_STEP:]
    distance = STEPS_M[_FAR_STEP:, None]
    shade = np.ones((len(STEPS_M) + 1, heights.shape[1]), np.float32)
    outwards = np.diff(heights, axis=0) / np.diff(distance, axis=0)
    sideways = np.empty_like(heights)
    spread = np.maximum(np.diff(view.projection.azimuths), 1e-6).astype(np.float32)
    if heights.shape[1] > 2:
        sideways[:, 1:-1] = (heights[:, 2:] - heights[:, :-2]) / (spread[1:] + spread[:-1])
        sideways[:, 0], sideways[:, -1] = sideways[:, 1], sideways[:, -2]
    else:
        sideways[:] = 0
    across = (sideways / distance)[1:]
    sun_out = view.along_east * np.float32(light.sun[0]) + view.along_north * np.float32(
        light.sun[1]
    )
    sun_side = view.along_north * np.float32(light.sun[0]) - view.along_east * np.float32(
        light.sun[1]
    )
    lit = np.float32(light.sun[2]) - outwards * sun_out - across * sun_side
    lit /= np.sqrt(1 + outwards * outwards + across * across)
    np.clip(lit * np.float32(1.3), 0, 1, out=lit)
    shade[_FAR_STEP + 1 : -1] = lit
    return shade


def paint_far(
    planes: Floats,
    view: Viewpoint,
    land: FarLand,
    light: Lighting,
    moment: Moment,
    palette: Palette,
    around: Surroundings,
    shade: Floats,
    step: NDArray[np.uint8],
    pixels: Indices,
    distance: Floats,
) -> None:
    """Paint far land.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        view: The camera.
        land: Where what lies.
        light: Of the moment.
        moment: Season and weather.
        palette: Of the neighbourhood's climates.
        around: Of the camera.
        shade: From `relief_light`.
        step: uint8 (n,), the line of relief that each pixel sees.
        pixels: (n,) flat pixels.
        distance: (n,) metres.
    """
    width = view.projection.width
    column = view.projection.columns.take(pixels)
    east = view.along_east.take(column) * distance + np.float32(view.east)
    north = view.along_north.take(column) * distance + np.float32(view.north)
    a, b = land.cells(east, north)
    woods = np.clip((land.texture(a, b) - np.float32(0.02)) * np.float32(9), 0, 1)
    fields = np.clip(land.texture(a, b, 0.25) * np.float32(2.5) + np.float32(0.5), 0, 1)
    water = land.far(1, a, b, water=True)
    np.copyto(water, land.far(2, a, b, water=True), where=distance > 5000)
    wet = np.clip(water * np.float32(-1 / 60), 0, 1)
    town = np.float32(np.clip((around.density - 0.15) * 2, 0, 0.85)) * np.clip(
        1 - distance * np.float32(1 / 3000), 0, 1
    )
    row = around.climate
    snow = np.float32(0.85 * moment.snow)
    lit = shade.ravel().take(step * np.int32(width) + column)
    clear = light.clear_share(distance)
    for channel in range(3):
        meadow, crop = palette.grass[row, channel], palette.crops[row, 1, channel]
        value = meadow + (crop - meadow) * fields
        value += (palette.leaf[row, channel] * np.float32(0.85) - value) * woods
        value += (_ROOFSCAPE[channel] - value) * town
        value += (SNOW[channel] - value) * snow
        value += (palette.water[row, channel] - value) * wet
        value *= lit * light.direct[channel] + light.ambient[channel]
        value *= clear
        value += (1 - clear) * light.horizon[channel]
        planes[channel, pixels] = value


_ROOFSCAPE = np.array([0.50, 0.46, 0.43], np.float32)
