"""The light of a moment as a renderer applies it: sun, sky, air."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import light
from sightline.planet.looks.sensor import natural_light

Floats = NDArray[np.float32]

_LEAST_DIRECT = 0.05


@dataclass(frozen=True)
class Lighting:
    """Light in the units of colours: a colour times the light on it is what is seen.

    Attributes:
        sun: (east, north, up), unit vector to the sun or the moon.
        direct: float32 (3,), on a surface that faces it.
        ambient: float32 (3,), on open ground.
        zenith, horizon: float32 (3,), the sky's own colours.
        haze_per_m: How much of a colour the air hides per metre.
        casts: Whether there is a sun to cast shadows.
        level: Natural light, 1 by day.
    """

    sun: tuple[float, float, float]
    direct: Floats
    ambient: Floats
    zenith: Floats
    horizon: Floats
    haze_per_m: float
    casts: bool
    level: float

    def on(self, east: Floats, north: Floats, up: Floats | float) -> Floats:
        """Return the direct light's share, 0 to 1, on surfaces with these normals."""
        share = east * np.float32(self.sun[0])
        share += north * np.float32(self.sun[1])
        share += up * np.float32(self.sun[2])
        return np.asarray(np.maximum(share, 0, out=share), np.float32)

    def clear_share(self, distance: Floats) -> Floats:
        """Return how much of a colour gets through the air, 1 near to 0 far."""
        share = distance * np.float32(-self.haze_per_m)
        return np.asarray(np.exp(share, out=share), np.float32)


@lru_cache(maxsize=16)
def lighting(moment: Moment) -> Lighting:
    """Return the light of a moment."""
    direct, ambient = light(moment)
    level = natural_light(moment)
    grey = np.float32(moment.overcast)
    blue = np.array([0.29, 0.47, 0.77], np.float32)
    cover = np.array([0.66, 0.69, 0.73], np.float32) * np.float32(1.0 - 0.25 * moment.rain)
    zenith = blue + (cover - blue) * grey
    pale, dull = np.array([0.76, 0.84, 0.92], np.float32), np.array([0.82, 0.84, 0.86], np.float32)
    horizon = pale + (dull * np.float32(1.0 - 0.2 * moment.rain) - pale) * grey
    low = np.float32(moment.warmth * (1.0 - moment.overcast))
    horizon = horizon + low * np.array([0.12, -0.04, -0.22], np.float32)
    # The glow of towns keeps a night sky's horizon from black.
    night = np.float32(moment.night)
    brightness = np.float32(level) * (1 - np.float32(0.72) * night)
    zenith, horizon = zenith * brightness, horizon * brightness
    horizon = horizon + night * np.array([0.035, 0.028, 0.02], np.float32)
    scale = np.float32(level)
    return Lighting(
        sun=moment.sun,
        direct=(direct * scale * np.float32(1.06)).astype(np.float32),
        ambient=(ambient * scale * np.float32(1.02)).astype(np.float32),
        zenith=zenith.astype(np.float32),
        horizon=horizon.astype(np.float32),
        haze_per_m=moment.haze_per_m,
        casts=moment.direct > _LEAST_DIRECT and moment.overcast < 0.8,
        level=level,
    )
