"""The walls and roofs that a photo sees, from the bays they are made of.

Along a column of pixels everything but the height is constant, so tiles, windows' looks and light
are looked up per hit and per floor (`wall_tables`); a pixel itself costs a few look-ups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.facade_tiles import tile_set
from sightline.planet.ground.finishes import SIDE as FINISH_SIDE
from sightline.planet.ground.finishes import TEXELS_PER_M, finishes, starts
from sightline.planet.ground.visibility import Part
from sightline.planet.ground.wall_tables import Scene, WallTables
from sightline.planet.looks.palette import SNOW
from sightline.planet.world.contents import RoofKind, plain

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_OPEN_WALL = np.float32(0.84)  # a wall sees half of the sky, and bright ground
_SHADOW_EDGE_M = np.float32(0.25)


def paint_walls(planes: Floats, scene: Scene, part: Part) -> None:
    """Paint walls.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        scene: Where and when.
        part: The pixels that see a wall.
    """
    pixels, place = part.pixels, part.hit
    if not len(pixels):
        return
    wall = WallTables(scene, part.hits)
    height = scene.view.projection.tangents.ravel().take(pixels)
    height *= wall.distance.take(place)
    height += wall.above_foot.take(place)
    texel = (height * np.float32(TEXELS_PER_M)).astype(np.intp)
    texel &= FINISH_SIDE - 1
    texel += wall.finish_start.take(place)
    grain = finishes().take(texel)
    sunny = _sunlight(wall, height, place)
    entry = _entries(wall, height, place)
    clear = wall.clear.take(place)
    hidden = 1 - clear
    lamps = None if wall.lamplight is None else wall.lamplight.take(place)
    for channel in range(3):
        value = wall.colours[channel].take(entry)
        ambient = scene.light.ambient[channel] * _OPEN_WALL
        if sunny is None and lamps is None:
            value *= ambient
        else:
            shine = np.full(len(value), ambient, np.float32)
            if sunny is not None:
                shine += sunny * scene.light.direct[channel]
            if lamps is not None:
                shine += lamps * scene.lamps.colour[channel]
            value *= shine
        value *= grain
        if wall.glow is not None:
            value += wall.glow[channel].take(entry)
        value *= clear
        value += hidden * scene.light.horizon[channel]
        planes[channel, pixels] = value


def _sunlight(wall: WallTables, height: Floats, place: Indices) -> Floats | None:
    """The share of the sun on each pixel, with a soft edge where a shadow ends."""
    if wall.lit is None:
        return None
    if wall.shadow_top is None:
        return wall.lit.take(place)
    sunny = height - wall.shadow_top.take(place)
    sunny *= 1 / _SHADOW_EDGE_M
    np.maximum(sunny, 0, out=sunny)
    np.minimum(sunny, 1, out=sunny)
    sunny *= wall.lit.take(place)
    return sunny


def _entries(wall: WallTables, height: Floats, place: Indices) -> Indices:
    """Which entry of the colours each pixel shows; ``height`` is overwritten."""
    height *= wall.floors_per_m.take(place)
    np.maximum(height, 0, out=height)
    np.minimum(height, np.float32(wall.rows - 0.001), out=height)
    floor = height.astype(np.int32)
    height -= floor
    height *= wall.side.take(place)
    cell = place * wall.rows
    cell += floor
    texel = height.astype(np.intp)
    texel += wall.tile_start.take(cell)
    entry = tile_set().codes.take(texel).astype(np.intp)
    entry *= wall.palettes
    entry += wall.look.take(cell)
    return entry


def paint_roofs(planes: Floats, scene: Scene, part: Part) -> None:
    """Paint roofs; arguments as for `paint_walls`."""
    pixels, hits, place = part.pixels, part.hits, part.hit
    if not len(pixels):
        return
    row = scene.source.take(hits.box)
    tangent = scene.view.projection.tangents.ravel().take(pixels)
    slope = tangent - hits.roof_slope.take(place)
    # A grazing ray meets the roof far away; it shows no more than the eaves.
    start = hits.roof_start.take(place)
    entry = hits.distance.take(place)
    safe = np.where(np.abs(slope) < 1e-4, np.float32(1e-4), slope)
    distance = np.asarray(np.clip(start / safe, entry, entry + 60), np.float32)
    footprint = hits.distance * np.float32(1 / scene.view.pixels_per_radian)
    begin = starts(scene.plan.roof_finish.take(row), footprint, hits.place)
    flat = scene.boxes.roof.take(hits.box) == _ROOF_KIND.FLAT
    up = np.where(flat.take(place), distance, tangent * distance * np.float32(1.4))
    texel = (up * np.float32(TEXELS_PER_M)).astype(np.int32) & np.int32(FINISH_SIDE - 1)
    grain = finishes().take(texel + begin.take(place))
    colour = scene.roofs.take(row, axis=0)
    colour[scene.plan.hedge.take(row)] = scene.leaves
    colour += (SNOW - colour) * np.float32(0.85 * scene.snow)
    colour *= np.float32(1 - 0.25 * scene.wetness * (1 - scene.snow))
    normal = hits.roof_normal
    lit = scene.light.on(normal[0], normal[1], normal[2])
    open_sky = np.float32(0.55) + np.float32(0.45) * normal[2]
    clear = scene.light.clear_share(distance)
    for channel in range(3):
        shade = scene.light.direct[channel] * lit + scene.light.ambient[channel] * open_sky
        value = (colour[:, channel] * shade).take(place)
        value *= grain
        value *= clear
        value += (1 - clear) * scene.light.horizon[channel]
        planes[channel, pixels] = value
