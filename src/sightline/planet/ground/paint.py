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

_LEAST_MIRROR, _WATER_FROM_M = 0.05, -0.1
_NEAR_EYES = 4.2  # heights of the eye: how far the near ground reaches


def may_mirror(neighbourhood: Neighbourhood, moment: Moment) -> bool:
    """Return whether some ground may mirror what stands above it: wet roads or water."""
    return _road_mirror(moment) > _LEAST_MIRROR or bool(
        (neighbourhood.ground.columns_of[WATER] < _WATER_FROM_M).any()
    )


def _road_mirror(moment: Moment) -> float:
    return 0.75 * moment.wetness * (1 - moment.snow)


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
    middle, before, after = _between(view, pixels, distance)
    later = np.zeros(planes.shape[1], np.bool_)
    later[middle] = True
    close = distance < np.float32(RANGE_M)
    close &= ~later.take(pixels)
    near = close.nonzero()[0]
    if not len(near):
        return near, np.zeros(0, np.float32)
    chosen = pixels.take(near)
    wet, share = _paint_near(
        planes, neighbourhood, view, light, moment, shadows, lamps, chosen, distance.take(near)
    )
    return _fill_between(planes, middle, before, after, wet, share)


def _between(
    view: Viewpoint, pixels: Indices, distance: Floats
) -> tuple[Indices, Indices, Indices]:
    """Which ground pixels lie between two others of the near ground, in the picture's odd columns.

    The ground close to the camera takes most of a photo and little of the place, so its odd columns
    are the mean of their neighbours.

    Returns:
        Those pixels, and the pixels that the picture shows to the left and to the right of each.
    """
    projection = view.projection
    sort = np.zeros(projection.width * projection.height, np.uint8)
    sort[pixels] = 1
    sort[pixels.take((distance < np.float32(_NEAR_EYES * -view.foot)).nonzero()[0])] = 2
    picture = projection.picture()
    seen = sort.take(picture)
    odd = (picture.shape[1] - 1) // 2  # columns between two even ones
    before, here, after = ((slice(None), slice(n, n + 2 * odd, 2)) for n in range(3))
    between = seen[here] == 2
    between &= seen[before] > 0
    between &= seen[after] > 0
    found = picture[here][between], picture[before][between], picture[after][between]
    if projection.warp is None:
        return found
    # Where the raster is coarser than the picture, a neighbour may itself be left out.
    sort[found[0]] = 0
    safe = (np.minimum(sort.take(found[1]), sort.take(found[2])) > 0).nonzero()[0]
    return found[0].take(safe), found[1].take(safe), found[2].take(safe)


def _fill_between(
    planes: Floats,
    pixels: Indices,
    before: Indices,
    after: Indices,
    wet: Indices,
    share: Floats,
) -> tuple[Indices, Floats]:
    if not len(pixels):
        return wet, share
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
    water = fields[WATER] < _WATER_FROM_M
    share = (fields[ROAD_EDGE] < 0.3) * np.float32(_road_mirror(moment))
    share = np.where(water, np.float32(0.95), share)
    chosen = np.flatnonzero(share > _LEAST_MIRROR)
    if not len(chosen):
        return chosen, np.zeros(0, np.float32)
    sine = np.minimum(-tangent.take(chosen), 1)
    grazing = 1 - np.maximum(sine, 0)
    grazing *= grazing
    mirror = np.float32(0.03) + np.float32(0.9) * grazing * grazing * np.sqrt(grazing)
    return pixels.take(chosen), share.take(chosen) * mirror
