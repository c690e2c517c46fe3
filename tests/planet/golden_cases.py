"""Which pictures the golden images pin, by both renderers; `world_hash` pins the world.

``tools/planet_golden.py`` writes the files from these tables; ``test_golden.py`` compares. A change
of a golden file is a decision: raise the number in ``sightline.planet.version`` with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks.moment import Weather
from sightline.planet.planet import Planet

GOLDEN = Path(__file__).with_name("golden")
SIZE = (112, 112)
WITHIN_LEVELS = 2
SHARE_WITHIN = 0.999

PLACES: Mapping[str, tuple[float, float]] = {
    "city": (-34.46064, -62.03102),
    "suburb": (-54.99029, -35.85307),
    "fields": (46.52000, 7.31000),
    "forest": (-55.40485, 52.11281),
}
"""Degrees."""

Image = NDArray[np.uint8]

IMAGES: Mapping[str, Callable[[Planet], Image]] = {
    "aerial_city_summer": lambda planet: planet.aerial(
        PLACES["city"], 0.6, SIZE, "summer", year=2018, key=1
    ),
    "aerial_suburb_winter": lambda planet: planet.aerial(
        PLACES["suburb"], 0.6, SIZE, "winter", year=2024, key=2
    ),
    "aerial_fields_autumn": lambda planet: planet.aerial(
        PLACES["fields"], 1.0, SIZE, "autumn", year=2015, key=3
    ),
    "aerial_forest_spring": lambda planet: planet.aerial(
        PLACES["forest"], 1.0, SIZE, "spring", year=2020, key=4
    ),
    "photo_city_noon": lambda planet: planet.photo(
        PLACES["city"], 60.0, 90.0, SIZE, _at(1, 16), Weather.FAIR, key=5
    ),
    "photo_suburb_rain": lambda planet: planet.photo(
        PLACES["suburb"], 117.0, 70.0, SIZE, _at(3, 14), Weather.RAIN, key=6, tilt_degrees=4.0
    ),
    "photo_city_night": lambda planet: planet.photo(
        PLACES["city"], 74.0, 90.0, SIZE, _at(9, 2), Weather.CLEAR, key=7
    ),
    "panorama_suburb": lambda planet: planet.panorama(
        PLACES["suburb"], (160, 80), _at(12, 15), Weather.CLEAR, key=8
    ),
}
"""The picture's file is ``golden/<name>.png``."""


def _at(month: int, hour: int) -> datetime:
    return datetime(2019, month, 14, hour, tzinfo=UTC)


def dispatched() -> list[str]:
    """Return the instruction sets that numpy chooses at run time and this processor has."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
