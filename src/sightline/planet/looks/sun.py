"""Where the sun stands and how far the year has come, at a place and a time."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MIDWINTER_DAY = 355.0
"""The day of the year of the northern winter solstice, 21 December."""

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_position(latlng: tuple[float, float], when: datetime) -> tuple[float, float]:
    """Return the sun's azimuth (clockwise from north) and elevation in degrees.

    The low-precision formulas of the Astronomical Almanac as given by Michalsky (Solar Energy 40,
    1988), good to 0.01° from 1950 to 2050; without refraction.

    Args:
        latlng: Latitude and longitude, degrees.
        when: A time that knows its zone.
    """
    days = (when - _J2000).total_seconds() / 86400.0
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    longitude = math.radians(
        (mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)) % 360.0
    )
    obliquity = math.radians(23.439 - 4e-7 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(obliquity) * math.sin(longitude))
    greenwich_degrees = (280.46061837 + 360.98564736629 * days) % 360.0
    hour_angle = math.radians(greenwich_degrees + latlng[1]) - ascension
    latitude = math.radians(latlng[0])
    up = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(
        declination
    ) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.sin(declination) * math.cos(latitude) - math.cos(declination) * math.sin(
        latitude
    ) * math.cos(hour_angle)
    elevation = math.degrees(math.asin(min(1.0, max(-1.0, up))))
    return math.degrees(math.atan2(east, north)) % 360.0, elevation


def season_phase(latitude: float, when: datetime) -> float:
    """Return the year's phase in [0, 1): 0 at midwinter and 0.5 at midsummer of the hemisphere."""
    day = when.timetuple().tm_yday
    phase = (day - MIDWINTER_DAY) / 365.25
    return (phase + season_lag(latitude)) % 1.0


def season_lag(latitude: float) -> float:
    """Return by how much of a year a place's seasons lag the north's: 0 north of 8°, 0.5 south.

    Smooth between, so that two pictures across the equator show the same land.
    """
    part = min(1.0, max(0.0, 0.5 - latitude / 16.0))
    return 0.5 * part * part * (3.0 - 2.0 * part)
