"""What a camera makes of light: exposure, white balance, vignetting, noise and the tone curve.

Both renderers hand over planes of linear light, in which a white wall in full daylight is about 1,
and get the picture back. The tone curve is a table of bytes, since powers cost more than a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.looks import noise
from sightline.planet.looks.moment import Moment

Floats = NDArray[np.float32]

_STEPS = 1024  # entries of the tone curve per unit of light
_BRIGHTEST = 1.75  # light at which the table ends
_GAMMAS = 8


@dataclass(frozen=True)
class Sensor:
    """One camera body with its settings.

    Attributes:
        gain: Exposure.
        balance: Gains of red, green and blue.
        gamma: 0 to 7, which tone curve.
        grain: Standard deviation of the noise as a share of full white.
        tint: Share of the noise that differs between colours.
        vignette: Darkening of the corners, 0 to 1.
    """

    gain: float
    balance: tuple[float, float, float]
    gamma: int
    grain: float
    tint: float
    vignette: float

    @classmethod
    def of(cls, moment: Moment, key: int) -> Sensor:
        """Draw a camera for a key; darkness raises its gain and its noise."""
        chance = _chances(key)
        dark = 1.0 - moment.daylight
        gain = (0.93 + 0.22 * chance[0]) * (1.0 + 0.16 * moment.overcast * (1.0 - moment.night))
        warm = (chance[1] - 0.5) * 0.13 + 0.05 * moment.night
        green = (chance[2] - 0.5) * 0.04
        return cls(
            gain=gain,
            balance=(1.0 + warm, 1.0 + green, 1.0 - warm * 0.9),
            gamma=int(chance[3] * _GAMMAS),
            grain=0.006 + 0.010 * chance[4] ** 2 + 0.009 * dark * dark,
            tint=0.5 * chance[5],
            vignette=0.18 * chance[6] ** 2,
        )


def natural_light(moment: Moment) -> float:
    """Return how bright daylight appears in a picture: 1 at noon to 0.2 at night.

    A camera, like the eye, follows the light only in part; lamps keep their own brightness.
    """
    return float(0.2 + 0.8 * moment.daylight**0.5 * (1.0 - 0.75 * moment.night))


def develop(
    planes: Floats,
    moment: Moment,
    key: int,
    *,
    sensor: Sensor | None = None,
    noise_scale: float = 1.0,
) -> NDArray[np.uint8]:
    """Turn planes of light into a picture.

    Args:
        planes: float32 (3, h, w), red, green and blue, linear light; overwritten.
        moment: When; darkness means gain and noise.
        key: What the camera, its settings and its noise are drawn from.
        sensor: A camera of one's own instead of the drawn one.
        noise_scale: Multiplies the noise; 0 for none.

    Returns:
        uint8 (h, w, 3).

    Raises:
        UsageError: ``planes`` has another shape or type.
    """
    if planes.ndim != 3 or planes.shape[0] != 3 or planes.dtype != np.float32:
        raise UsageError(
            f"planes must be float32 of shape (3, h, w). Got {planes.dtype} of {planes.shape}.",
            hint="Red, green and blue stand in planes of their own.",
        )
    sensor = sensor or Sensor.of(moment, key)
    height, width = planes.shape[1:]
    picture = np.empty((height, width, 3), np.uint8)
    grain = sensor.grain * noise_scale * _STEPS / 0.29  # the tile's own deviation
    curve = _tone_curve(sensor.gamma)
    shade = _vignette(width, height, round(sensor.vignette * 50) / 50)
    common = None
    if grain > 0:
        common = _grain(width, height, key, 0)
        common = common * np.float32(grain * (1 - sensor.tint))
    for channel in range(3):
        plane = planes[channel]
        plane *= np.float32(sensor.gain * sensor.balance[channel] * _STEPS)
        if shade is not None:
            plane *= shade
        if common is not None:
            plane += common
            if sensor.tint > 0.12:
                plane += _grain(width, height, key, 1 + channel) * np.float32(grain * sensor.tint)
        picture[..., channel] = curve.take(plane.astype(np.intp), mode="clip")
    return picture


def _chances(key: int) -> list[float]:
    low, high = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    return [float(v) for v in noise.fraction(np.arange(8) + low * 8, high, 8100)]


@lru_cache(maxsize=_GAMMAS)
def _tone_curve(gamma: int) -> NDArray[np.uint8]:
    """A power below the middle and a shoulder above it, as bytes."""
    light = np.arange(int(_STEPS * _BRIGHTEST)) / _STEPS
    power = 0.66 + 0.26 * gamma / (_GAMMAS - 1)
    value = np.minimum(light, 1.0) ** power
    shoulder = 0.82 + 0.18 * (1 - np.exp(-(value + np.maximum(light - 1, 0) - 0.82) / 0.18))
    value = np.where(value > 0.82, shoulder, value)
    return (0.5 + 255 * np.clip(value, 0, 1)).astype(np.uint8)


@lru_cache(maxsize=64)
def _vignette(width: int, height: int, strength: float) -> Floats | None:
    if strength <= 0:
        return None
    across = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    down = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
    radius = 0.5 * (across * across + (down * down)[:, None])
    return (1 - np.float32(strength) * radius * radius).astype(np.float32)


def _grain(width: int, height: int, key: int, salt: int) -> Floats:
    """A window of the noise tile, at a place drawn from the key."""
    tile = _doubled(-(-max(width, height) // noise.SIDE) + 1)
    offset = noise.hashed(np.array([key & 0xFFFFFFFF]), (key >> 32) & 0xFFFFFFFF, 8200 + salt)[0]
    top, left = int(offset) & (noise.SIDE - 1), (int(offset) >> 12) & (noise.SIDE - 1)
    return tile[top : top + height, left : left + width]


@lru_cache(maxsize=2)
def _doubled(times: int) -> Floats:
    return np.tile(noise.fine().reshape(noise.SIDE, noise.SIDE), (times, times))
