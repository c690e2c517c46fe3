"""Colours of nature and of things by climate, season and weather.

Colours are display-referred: what a picture exposed for full sun shows, in [0, 1]. A renderer
multiplies them by light (1 in full sun, about half in open shade) and hands them to the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks.moment import Moment

Colours = NDArray[np.float32]
"""float32 (n, 3) red, green, blue in [0, 1]."""

SNOW = np.array([0.82, 0.84, 0.88], dtype=np.float32)
SUNLIGHT_LOW = np.array([1.12, 0.93, 0.70], dtype=np.float32)
SKYLIGHT = np.array([0.93, 1.00, 1.13], dtype=np.float32)

# temperature, humidity: grass, soil, broad leaf, needle. What lies between is blended.
_ANCHORS = (
    ((0.05, 0.45), (0.38, 0.37, 0.28), (0.42, 0.39, 0.34), (0.26, 0.29, 0.19), (0.16, 0.20, 0.16)),
    ((0.25, 0.50), (0.34, 0.37, 0.23), (0.41, 0.36, 0.29), (0.22, 0.28, 0.16), (0.13, 0.19, 0.14)),
    ((0.35, 0.85), (0.29, 0.37, 0.20), (0.37, 0.31, 0.25), (0.18, 0.27, 0.13), (0.11, 0.18, 0.13)),
    ((0.50, 0.60), (0.33, 0.38, 0.22), (0.43, 0.36, 0.28), (0.20, 0.28, 0.14), (0.13, 0.20, 0.14)),
    ((0.62, 0.30), (0.49, 0.45, 0.31), (0.60, 0.50, 0.38), (0.29, 0.32, 0.20), (0.18, 0.24, 0.16)),
    ((0.85, 0.08), (0.70, 0.59, 0.45), (0.77, 0.64, 0.49), (0.35, 0.37, 0.24), (0.26, 0.29, 0.19)),
    ((0.30, 0.10), (0.52, 0.48, 0.38), (0.57, 0.51, 0.43), (0.31, 0.32, 0.22), (0.17, 0.22, 0.17)),
    ((0.82, 0.42), (0.55, 0.50, 0.31), (0.62, 0.44, 0.31), (0.30, 0.34, 0.17), (0.22, 0.28, 0.16)),
    ((0.88, 0.85), (0.27, 0.37, 0.18), (0.55, 0.36, 0.26), (0.15, 0.28, 0.11), (0.12, 0.23, 0.12)),
)


class ClimateLike(Protocol):
    """What a palette asks of a climate: both in [0, 1]."""

    @property
    def temperature(self) -> float:
        """Yearly mean, 0 polar to 1 hot."""

    @property
    def humidity(self) -> float:
        """0 desert to 1 rain forest."""


@dataclass(frozen=True)
class Palette:
    """Colours at a moment, one row per climate of the neighbourhood.

    Attributes:
        grass: float32 (climates, 3), as the season left it.
        soil: float32 (climates, 3), bare earth.
        leaf: float32 (climates, 3), crowns of broad-leaved trees; twigs where they are bare.
        needle: float32 (climates, 3), crowns of conifers.
        sand: float32 (climates, 3).
        rock: float32 (climates, 3).
        water: float32 (climates, 3), seen from above.
        crops: float32 (climates, 6, 3): meadow, green crop, ploughed, stubble, ripe, rows.
        dryness: float32 (climates,), 0 lush to 1 straw.
        moment: What it was made for.
    """

    grass: Colours
    soil: Colours
    leaf: Colours
    needle: Colours
    sand: Colours
    rock: Colours
    water: Colours
    crops: Colours
    dryness: NDArray[np.float32]
    moment: Moment


def palette(climates: Sequence[ClimateLike], moment: Moment) -> Palette:
    """Return the colours of each climate at a moment; before snow, which lies on top.

    Args:
        climates: At least one.
        moment: Season and weather.
    """
    temperature, humidity, grass, soil, leaf, needle = _blend_anchors(
        tuple((float(each.temperature), float(each.humidity)) for each in climates)
    )
    dryness = _dryness(temperature, humidity, moment)
    straw = grass * np.float32(0.45) + soil * np.float32(0.55) + np.float32(0.04)
    grass = _mix(grass, straw, dryness)
    damp = np.float32(1.0 - 0.22 * moment.wetness)
    soil = soil * damp
    return Palette(
        grass=grass,
        soil=soil,
        leaf=_foliage(leaf, temperature, humidity, moment),
        needle=needle,
        sand=soil * np.float32(0.45) + _colour(0.80, 0.72, 0.56) * np.float32(0.55) * damp,
        rock=soil * np.float32(0.35) + _colour(0.47, 0.46, 0.45) * np.float32(0.65) * damp,
        water=_water(temperature, humidity, moment),
        crops=_crops(grass, soil, moment),
        dryness=dryness,
        moment=moment,
    )


def foliage(
    colours: Palette,
    climate: NDArray[np.integer],
    tint: NDArray[np.float32],
    *,
    needles: NDArray[np.bool_],
    evergreen: NDArray[np.bool_],
) -> Colours:
    """Return the colour of each plant's crown.

    Args:
        colours: Of the neighbourhood's climates.
        climate: (n,) row of ``colours``.
        tint: float32 (n,) in [0, 1), the plant's own.
        needles: bool (n,), conifers and cypresses.
        evergreen: bool (n,), broad-leaved but never bare nor yellow (palms, shrubs of the south).

    Returns:
        float32 (n, 3), with snow on it where some lies.
    """
    moment = colours.moment
    crown = colours.leaf.take(climate, axis=0)
    ever = _ALWAYS_GREEN * np.float32(0.6) + crown * np.float32(0.4)
    crown = np.where(evergreen[:, None], ever, crown)
    # Trees of one street do not turn on the same day.
    if moment.autumn > 0:
        turned = tint * tint * np.float32(moment.autumn)
        turned = np.where(evergreen, np.float32(0), turned)
        crown = _mix(crown, _colour(0.50, 0.26, 0.13)[None, :], turned)
    crown = np.where(needles[:, None], colours.needle.take(climate, axis=0), crown)
    crown *= (np.float32(0.80) + np.float32(0.42) * tint)[:, None]
    crown += (tint - np.float32(0.5))[:, None] * _colour(0.05, 0.02, -0.02)
    white = np.where(needles | evergreen, np.float32(0.38), np.float32(0.28))
    return _mix(crown, SNOW[None, :], white * np.float32(moment.snow))


def light(moment: Moment) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the colour of direct and of sky light, float32 (3,) each, whose sum is about white.

    The scene's exposure is left to the sensor: by night, too, the sum is about 1.
    """
    low = np.float32(moment.warmth)
    sunlight = np.float32(1) + low * (SUNLIGHT_LOW - np.float32(1))
    blue = np.float32(1.0 - 0.8 * moment.overcast)
    sky = np.float32(1) + blue * (SKYLIGHT - np.float32(1))
    return sunlight * np.float32(moment.direct), sky * np.float32(moment.ambient)


_ALWAYS_GREEN = np.array([0.17, 0.31, 0.13], dtype=np.float32)


def _colour(red: float, green: float, blue: float) -> NDArray[np.float32]:
    return np.array([red, green, blue], dtype=np.float32)


def _mix(first: Colours, second: Colours, share: NDArray[np.float32] | np.float32) -> Colours:
    """Return ``first`` moved towards ``second`` by a share per row."""
    weight = share[:, None] if isinstance(share, np.ndarray) else share
    mixed: Colours = first + (second - first) * weight
    return mixed


@lru_cache(maxsize=256)
def _blend_anchors(climates: tuple[tuple[float, float], ...]) -> tuple[Colours, ...]:
    """Blend the anchors by the inverse fourth power of their distance in climate.

    Returns:
        Temperature and humidity (n,), then grass, soil, leaf and needle (n, 3).
    """
    temperature = np.array([warm for warm, _ in climates], dtype=np.float32)
    humidity = np.array([wet for _, wet in climates], dtype=np.float32)
    total = np.zeros((temperature.size, 4, 3), dtype=np.float32)
    weights = np.zeros(temperature.size, dtype=np.float32)
    for (warm, wet), *kinds in _ANCHORS:
        apart = (temperature - np.float32(warm)) ** 2 + (humidity - np.float32(wet)) ** 2
        weight = np.float32(1) / (apart + np.float32(0.004)) ** 2
        total += weight[:, None, None] * np.array(kinds, dtype=np.float32)
        weights += weight
    total /= weights[:, None, None]
    blended = (temperature, humidity, *(np.ascontiguousarray(total[:, each]) for each in range(4)))
    for each in blended:
        each.setflags(write=False)
    return blended


def _dryness(
    temperature: NDArray[np.float32], humidity: NDArray[np.float32], moment: Moment
) -> NDArray[np.float32]:
    """Return how straw-coloured grass is: cool places fade in winter, dry ones in summer."""
    winter = np.float32(0.20 + 0.45 * (1.0 - moment.summer)) - np.float32(0.30) * humidity
    drought = np.float32(0.75 * moment.summer) * (np.float32(1.15) - np.float32(1.5) * humidity)
    hot = np.clip((temperature - np.float32(0.45)) * np.float32(4), 0, 1)
    dry: NDArray[np.float32] = np.clip(winter + hot * (drought - winter), 0, np.float32(0.75))
    return dry


def _foliage(
    leaf: Colours,
    temperature: NDArray[np.float32],
    humidity: NDArray[np.float32],
    moment: Moment,
) -> Colours:
    """Return crowns with the season in them; hot wet places keep their leaves."""
    seasonal = np.float32(1) - np.clip((temperature - np.float32(0.6)) * np.float32(6), 0, 1)
    spring = np.float32(max(0.0, 1.0 - abs(moment.season - 0.36) / 0.08))
    fresh = leaf * _colour(1.16, 1.14, 0.95)
    leaf = _mix(leaf, fresh, seasonal * spring)
    gold = _mix(_colour(0.52, 0.39, 0.15)[None, :], leaf, np.float32(0.15))
    leaf = _mix(leaf, gold, seasonal * np.float32(0.85 * moment.autumn))
    twigs = leaf * np.float32(0.2) + _colour(0.36, 0.32, 0.27) * np.float32(0.8)
    bare = seasonal * np.float32(1.0 - moment.leaf)
    return _mix(leaf, twigs, bare * np.clip(humidity * np.float32(4), 0, 1))


def _water(
    temperature: NDArray[np.float32], humidity: NDArray[np.float32], moment: Moment
) -> Colours:
    clear = _mix(
        _colour(0.14, 0.23, 0.28)[None, :],
        _colour(0.13, 0.34, 0.38)[None, :],
        np.clip(temperature * np.float32(1.3) - np.float32(0.4), 0, 1),
    )
    muddy = np.clip(humidity - np.float32(0.6), 0, 1) * np.float32(0.8)
    water = _mix(clear, _colour(0.30, 0.29, 0.19)[None, :], muddy)
    ice = np.clip(np.float32(moment.snow) - temperature, 0, 1)
    grey = np.float32(0.25 * moment.overcast)
    water = _mix(water, _colour(0.34, 0.37, 0.39)[None, :], grey)
    return _mix(water, _colour(0.70, 0.76, 0.81)[None, :], ice)


def _crops(grass: Colours, soil: Colours, moment: Moment) -> Colours:
    """Return what stands on fields: it grows in spring, ripens in summer, is stubble after."""
    growing = np.float32(max(0.0, 1.0 - abs(moment.season - 0.40) / 0.16))
    ripe = np.float32(max(0.0, 1.0 - abs(moment.season - 0.56) / 0.12))
    green = grass * _colour(0.84, 1.00, 0.76)
    gold = _colour(0.72, 0.61, 0.32)[None, :]
    stubble = soil * np.float32(0.5) + _colour(0.66, 0.58, 0.40) * np.float32(0.5)
    grain = _mix(_mix(_mix(stubble, green, np.float32(0.35)), green, growing), gold, ripe)
    rows = _mix(soil, green, np.float32(0.25) + np.float32(0.6) * growing)
    late = _mix(soil, grass * _colour(0.75, 0.98, 0.68), max(growing, ripe))
    meadow = grass * _colour(1.02, 1.02, 1.0)
    ploughed = soil * np.float32(0.86)
    return np.stack([meadow, grain, ploughed, stubble, late, rows], axis=1).astype(np.float32)
