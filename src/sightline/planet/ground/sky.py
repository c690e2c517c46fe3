"""The sky of a photo: its gradient, clouds, the sun or the moon, and stars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks import noise
from sightline.planet.looks.lighting import Lighting
from sightline.planet.looks.moment import Moment

Floats = NDArray[np.float32]

_CLOUD_TEXELS = np.float32(58.0)  # per unit of the cloud layer's height
_LOWEST = np.float32(0.035)  # tangent below which clouds merge with the haze
_STAR_SHARE = 0.9975
_DISC = np.float32(0.99965)  # cosine of the sun's radius, and of its soft edge


def paint_sky(
    planes: Floats,
    view: Viewpoint,
    light: Lighting,
    moment: Moment,
    pixels: NDArray[np.intp],
) -> None:
    """Paint the sky.

    Args:
        planes: float32 (3, pixels of the raster), painted in place.
        view: The camera.
        light: Of the moment.
        moment: How much cloud, how dark.
        pixels: (n,) flat pixels that see it.
    """
    if not len(pixels):
        return
    projection = view.projection
    column = projection.columns.take(pixels)
    tangent = projection.tangents.ravel().take(pixels)
    east, north = view.along_east.take(column), view.along_north.take(column)
    np.maximum(tangent, 0, out=tangent)
    np.minimum(tangent, 60, out=tangent)
    # Sine of the elevation, and a gradient that is steep near the horizon.
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    sine = tangent * cosine
    blend = np.sqrt(np.minimum(sine * np.float32(1.25), 1))
    # Clouds and stars stand over the place, whichever window shows it.
    sky_east, sky_north = (line.take(column) for line in view.from_north())
    cloud = _clouds(moment, sky_east, sky_north, tangent)
    white = light.horizon * np.float32(0.45) + light.level * np.float32(0.52) * (
        1 - np.float32(0.7 * moment.night)
    )
    overcast = moment.overcast > 0.7
    warm = np.array([1.0, 0.93 - 0.2 * moment.warmth, 0.80 - 0.45 * moment.warmth], np.float32)
    shine = _shine(light, moment, east, north, cosine, sine)
    starry = moment.night > 0.6 and not overcast
    stars = _stars(moment, sky_east, sky_north, tangent) if starry else None
    for channel in range(3):
        value = blend * (light.zenith[channel] - light.horizon[channel])
        value += light.horizon[channel]
        if overcast:
            value *= 1 + np.float32(0.16) * cloud
        else:
            value += (white[channel] - value) * cloud
        value += shine * warm[channel]
        if stars is not None:
            value += stars
        planes[channel, pixels] = value


def _clouds(moment: Moment, east: Floats, north: Floats, tangent: Floats) -> Floats:
    """How much cloud is seen, 0 to 1; of a closed layer its unevenness, about -1 to 1."""
    drift = noise.hashed(np.array([moment.key & 0xFFFFFFFF]), moment.key >> 32, 8600)[0]
    scale = _CLOUD_TEXELS / np.maximum(tangent, _LOWEST)
    across: Floats = np.asarray(east * scale, np.float32)
    across += np.float32(4096 + int(drift) % 512)
    along: Floats = np.asarray(north * scale, np.float32)
    along += np.float32(4096 + int(drift >> 9) % 512)
    texture = noise.sample(noise.cloud(), across, along, 1.0)
    if moment.overcast > 0.7:
        return texture
    texture -= np.float32(0.42 - 0.75 * moment.overcast)
    texture *= np.float32(2.4)
    np.maximum(texture, 0, out=texture)
    np.minimum(texture, np.float32(0.92), out=texture)
    texture *= np.minimum(tangent * np.float32(6), 1)
    return texture


def _shine(
    light: Lighting, moment: Moment, east: Floats, north: Floats, cosine: Floats, sine: Floats
) -> Floats:
    """The glow around the sun, and its disc unless clouds hide it."""
    near = east * np.float32(light.sun[0])
    near += north * np.float32(light.sun[1])
    near *= cosine
    near += sine * np.float32(light.sun[2])
    disc = None
    if moment.overcast <= 0.7 and float(near.max()) > _DISC:
        disc = np.maximum((near - _DISC) * np.float32(1.6 * light.level / 0.00022), 0)
        np.minimum(disc, np.float32(1.6 * light.level), out=disc)
    np.maximum(near, 0, out=near)
    for _ in range(4):
        near *= near
    near *= np.float32(0.24 * (1 - 0.85 * moment.overcast) * light.level)
    if disc is not None:
        near += disc
    return near


def _stars(moment: Moment, east: Floats, north: Floats, tangent: Floats) -> Floats:
    scale = np.float32(211) / (1 + tangent)
    i = (east * scale).astype(np.int64) + 1000
    j = (north * scale).astype(np.int64) + (tangent * 90).astype(np.int64) * 911
    share = noise.fraction(i, j, 8601 + (moment.key & 1023))
    brightness = (share - np.float32(_STAR_SHARE)) * np.float32(120)
    return np.asarray(np.clip(brightness, 0, np.float32(0.3 * moment.night)), np.float32)
