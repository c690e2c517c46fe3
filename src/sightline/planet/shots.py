"""What is taken at one place: a photo from the ground, a tile from above; and how to take it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M, normalise_longitude
from sightline.planet.draws import Draws
from sightline.planet.looks.moment import Weather
from sightline.planet.looks.sun import sun_position
from sightline.planet.planet import Planet
from sightline.planet.world.trigonometry import PI, sine_cosine

Image = NDArray[np.uint8]

METRES_PER_DEGREE = EARTH_RADIUS_M * PI / 180.0
_YEAR_DAYS = 365.25
_STEP_DAYS = 12
_HIGH_ENOUGH_DEGREES = 14.0
_UP_DEGREES = 3.0


@dataclass(frozen=True)
class Shot:
    """A photo to be taken.

    Args:
        latlng: Where the camera stands, degrees.
        heading_degrees: Where its centre looks.
        fov_degrees: Horizontal angle of view; 360 for a panorama.
        when: The time, UTC.
        weather: The sky; None draws it from the climate by ``key``.
        key: Decides what is left to chance.
        tilt_degrees: Upward tilt.
        camera_height_m: Of the lens above the ground.
        panorama: Equirectangular.
    """

    latlng: tuple[float, float]
    heading_degrees: float
    fov_degrees: float
    when: datetime
    weather: Weather | None
    key: int
    tilt_degrees: float = 0.0
    camera_height_m: float = 2.2
    panorama: bool = False

    def take(self, planet: Planet, size: tuple[int, int]) -> Image:
        """Take it; ``size`` is (width, height) in pixels. Returns uint8 (height, width, 3)."""
        return planet.photo(
            self.latlng,
            self.heading_degrees,
            90.0 if self.panorama else self.fov_degrees,
            size,
            self.when,
            self.weather,
            camera_height_m=self.camera_height_m,
            tilt_degrees=self.tilt_degrees,
            panorama=self.panorama,
            key=self.key,
        )


@dataclass(frozen=True)
class Tile:
    """An aerial image to be taken, north up.

    Args:
        name: Its own, among all tiles of the data set.
        latlng: Its centre, degrees.
        when: The time of the flight, UTC.
        key: Decides what is left to chance.
    """

    name: str
    latlng: tuple[float, float]
    when: datetime
    key: int

    def take(self, planet: Planet, metres_per_pixel: float, size_px: int) -> Image:
        """Take it; uint8 (size_px, size_px, 3)."""
        return planet.aerial(
            self.latlng, metres_per_pixel, (size_px, size_px), when=self.when, key=self.key
        )


def moved(latlng: tuple[float, float], east_m: float, north_m: float) -> tuple[float, float]:
    """The place that lies some metres away; good to a centimetre within a few hundred metres."""
    _, cosine = sine_cosine(latlng[0])
    lat = latlng[0] + north_m / METRES_PER_DEGREE
    lon = latlng[1] + east_m / (METRES_PER_DEGREE * max(float(cosine), 1e-6))
    return round(min(max(lat, -90.0), 90.0), 7), round(float(normalise_longitude(lon)), 7)


def bearing_degrees(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Compass direction between two places near each other."""
    _, cosine = sine_cosine(start[0])
    east = float(normalise_longitude(end[1] - start[1])) * float(cosine)
    return math.degrees(math.atan2(east, end[0] - start[0])) % 360.0


def local_time(year: int, day: float, hour: float, longitude: float) -> datetime:
    """UTC of a day of a year (0 to 365, may run over) and a local solar hour."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    return start + timedelta(days=int(day) % 365, minutes=int(60.0 * hour - 4.0 * longitude))


def flight_time(latlng: tuple[float, float], year: int, day: float, draws: Draws) -> datetime:
    """A time near noon; towards summer where the sun would stand too low to see by."""
    hour = draws.between(10.0, 14.0)
    return _lit(latlng, year, day, hour, _HIGH_ENOUGH_DEGREES)


def photo_time(latlng: tuple[float, float], year: int, day: float, draws: Draws) -> datetime:
    """A time of daylight; towards summer in the polar night."""
    hour = draws.between(8.0, 17.0)
    return _lit(latlng, year, day, hour, _UP_DEGREES)


def _lit(
    latlng: tuple[float, float], year: int, day: float, hour: float, elevation: float
) -> datetime:
    summer = 172.0 if latlng[0] >= 0 else 355.0
    when = local_time(year, day, hour, latlng[1])
    # It ends by midsummer: then the sun stands 23° high at noon even at the poles.
    while sun_position(latlng, when)[1] < elevation:
        gap = (summer - day + _YEAR_DAYS / 2) % _YEAR_DAYS - _YEAR_DAYS / 2
        day += min(max(gap, -_STEP_DAYS), _STEP_DAYS)
        hour += (12.0 - hour) / 4.0
        when = local_time(year, day, hour, latlng[1])
    return when
