"""The ground in a photo: what `surface` says lies there, in the light, and far land beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.far_land import RANGE_M, FarLand
from sightline.planet.ground.far_paint import Surroundings, paint_far, relief_light
from sightline.planet.ground.lamplight import Lamps
from sightline.planet.ground.relief import Relief
from sightline.planet.ground.shadows import ShadowMap
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks import surface
from sightline.planet.looks.lighting import Lighting
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import Palette
from sightline.planet.world.ground_raster import ROAD_EDGE, WATER

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_NEAR_EYES = 4.2  # heights of the eye: how far the near ground reaches


def paint_ground(
    planes: Floats,
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    relief: Relief,
    land: FarLand,
    light: Lighting,
    moment: Moment,
    palette: Palette,
    around: Surroundings,
    shadows: ShadowMap | None,
    lamps: Lamps,
    pixels: Indices,
) -> tuple[Indices, Floats]:
    """Paint the ground.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        neighbourhood: What lies there.
        view: The camera.
        relief: The ground behind each pixel.
        land: What lies beyond.
        light: Of the moment.
        moment: Season and weather.
        palette: Of the neighbourhood's climates.
        around: Of the camera.
        shadows: None without sun.
        lamps: Those that are lit.
        pixels: (n,) flat pixels that see ground.

    Returns:
        The pixels that are wet and level enough to mirror, and how much of a mirror each is.
    """
    width = view.projection.width
    offset = relief.first_row * width
    distance = relief.distance_m.ravel().take(pixels - offset)
    far = (distance >= np.float32(RANGE_M)).nonzero()[0]
    if len(far):
        step = relief.step.ravel().take(pixels.take(far) - offset)
        shade = relief_light(view, relief, light)
        paint_far(
            planes, view, land, light, moment, palette, around, shade, step,
            pixels.take(far), distance.take(far),
        )  # fmt: skip
    close = distance < np.float32(RANGE_M)
    between = _between(view, pixels, distance)
    close[between] = False
    near = close.nonzero()[0]
    if not len(near):
        return near, np.zeros(0, np.float32)
    chosen = pixels.take(near)
    wet, share = _paint_near(
        planes, neighbourhood, view, light, moment, shadows, lamps, chosen, distance.take(near)
    )
    return _fill_between(planes, pixels.take(between), wet, share)


def _between(view: Viewpoint, pixels: Indices, distance: Floats) -> Indices:
    """Which ground pixels lie between two others of the near ground, in odd columns.

    The ground close to the camera takes most of a photo and little of the place, so its odd columns
    are the mean of their neighbours.
    """
    projection = view.projection
    ground = np.zeros(projection.width * projection.height + 1, np.bool_)
    ground[pixels] = True
    column = projection.columns.take(pixels)
    odd = (column & 1).astype(np.bool_)
    odd &= distance < np.float32(_NEAR_EYES * -view.foot)
    odd &= column < projection.width - 1
    chosen = odd.nonzero()[0]
    place = pixels.take(chosen)
    both = ground.take(place - 1)
    both &= ground.take(place + 1)
    return chosen.take(both.nonzero()[0])


def _fill_between(
    planes: Floats, pixels: Indices, wet: Indices, share: Floats
) -> tuple[Indices, Floats]:
    if not len(pixels):
        return wet, share
    before, after = pixels - 1, pixels + 1
    for plane in planes:
        value = plane.take(before)
        value += plane.take(after)
        value *= np.float32(0.5)
        plane[pixels] = value
    if not len(wet):
        return wet, share
    mirror = np.zeros(planes.shape[1], np.float32)
    mirror[wet] = share
    mirror[pixels] = np.float32(0.5) * (mirror.take(before) + mirror.take(after))
    every = mirror.nonzero()[0]
    return every, mirror.take(every)


def _paint_near(
    planes: Floats,
    neighbourhood: Neighbourhood,
    view: Viewpoint,
    light: Lighting,
    moment: Moment,
    shadows: ShadowMap | None,
    lamps: Lamps,
    pixels: Indices,
    distance: Floats,
) -> tuple[Indices, Floats]:
    column = view.projection.columns.take(pixels)
    tangent = view.projection.tangents.ravel().take(pixels)
    east = view.along_east.take(column)
    east *= distance
    north = view.along_north.take(column)
    north *= distance
    height = tangent * distance
    # A pixel sees a strip that is longer than wide; what blurs is in between.
    slant = np.sqrt(distance * np.float32(0.45))
    np.maximum(slant, 1, out=slant)
    np.minimum(slant, 4, out=slant)
    slant *= distance
    slant *= np.float32(1 / view.pixels_per_radian)
    colours, fields = surface.colour(
        neighbourhood, east + np.float32(view.east), north + np.float32(view.north), slant, moment
    )
    painted = colours.T
    clear = light.clear_share(distance)
    hidden = 1 - clear
    sun = _sun_on_ground(light, shadows, east, north, height)
    glow = lamps.on(east, north, height) if lamps.count else None
    for channel in range(3):
        value = painted[channel]
        shine = sun * light.direct[channel]
        shine += light.ambient[channel]
        if glow is not None:
            shine += glow * lamps.colour[channel]
        value *= shine
        value *= clear
        value += hidden * light.horizon[channel]
        planes[channel, pixels] = value
    return _mirrors(moment, pixels, tangent, fields)


def _sun_on_ground(
    light: Lighting, shadows: ShadowMap | None, east: Floats, north: Floats, height: Floats
) -> Floats:
    # The camera's exposure follows a low sun in part.
    strength = np.float32(min(1.0, 1.04 * max(light.sun[2], 0.02) ** 0.35))
    if shadows is None:
        return np.full(len(east), strength, np.float32)
    sun = shadows.shade(east, north, height)
    np.subtract(1, sun, out=sun)
    sun *= strength
    return sun


def _mirrors(
    moment: Moment, pixels: Indices, tangent: Floats, fields: Floats
) -> tuple[Indices, Floats]:
    """Wet roads and water, more so at grazing angles (Schlick's approximation)."""
    wet = moment.wetness * (1 - moment.snow)
    water = fields[WATER] < -0.1
    share = (fields[ROAD_EDGE] < 0.3) * np.float32(0.75 * wet)
    share = np.where(water, np.float32(0.95), share)
    chosen = np.flatnonzero(share > 0.05)
    if not len(chosen):
        return chosen, np.zeros(0, np.float32)
    sine = np.minimum(-tangent.take(chosen), 1)
    grazing = 1 - np.maximum(sine, 0)
    grazing *= grazing
    mirror = np.float32(0.03) + np.float32(0.9) * grazing * grazing * np.sqrt(grazing)
    return pixels.take(chosen), share.take(chosen) * mirror
