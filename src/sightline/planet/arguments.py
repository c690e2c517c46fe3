"""Checks what a caller asks of the planet, so that a mistake is named before anything is drawn."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from sightline.errors import CoordinateError, UsageError
from sightline.geo.coordinates import as_coordinates

if TYPE_CHECKING:
    from sightline.planet.looks.moment import Weather

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""The years that can be asked for, both included."""
_MOST_PIXELS = 1 << 25
_FARTHEST_SEARCH_M = 1_000_000.0


def checked_place(latlng: Any) -> tuple[float, float]:
    """Return one place, degrees.

    At a pole every longitude is the same place; it gets longitude 0, so that north, the sun and
    what is left to chance are the same too.

    Raises:
        CoordinateError: It is not one place.
    """
    try:
        latitude, longitude = latlng
    except (TypeError, ValueError) as error:
        raise CoordinateError(
            f"latlng must be one place, two numbers. Got {latlng!r}.",
            hint="Give latitude first, then longitude, in degrees.",
        ) from error
    plain = type(latitude) is float and type(longitude) is float
    if not (plain and abs(latitude) <= 90.0 and -180.0 <= longitude < 180.0):
        place = as_coordinates([latitude, longitude], name="latlng")
        latitude, longitude = float(place[0, 0]), float(place[0, 1])
    return latitude, 0.0 if abs(latitude) == 90.0 else longitude


def checked_size(size: Any) -> tuple[int, int]:
    """Return (width, height) in pixels as two ints.

    Raises:
        UsageError: It is not two whole numbers of at least 1, or has more than 2^25 pixels.
    """
    try:
        width, height = size
    except (TypeError, ValueError):
        width = height = None
    whole = isinstance(width, Integral) and isinstance(height, Integral)
    if not (whole and min(width, height) >= 1 and int(width) * int(height) <= _MOST_PIXELS):
        raise UsageError(
            f"size must be (width, height), whole numbers of 1 to {_MOST_PIXELS} pixels in all. "
            f"Got {size!r}.",
            hint="(224, 224) and (512, 128) are usual.",
        )
    return int(width), int(height)


def checked_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, hint: str
) -> float:
    """Return a finite number from ``low`` to ``high``, both included.

    Raises:
        UsageError: It is none.
    """
    number = float(value) if isinstance(value, Real) else math.nan
    if not math.isfinite(number) or not low <= number <= high:
        raise UsageError(
            f"{name} must be a finite number{_range(low, high)}. Got {value!r}.", hint=hint
        )
    return number


def checked_whole(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, hint: str
) -> int:
    """Return a whole number from ``low`` to ``high``, both included.

    Raises:
        UsageError: It is none; True and False are none either.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:
        raise UsageError(
            f"{name} must be a whole number{_range(low, high)}. Got {value!r}.", hint=hint
        )
    return int(value)


def checked_key(key: Any) -> int:
    """Return a key as an int.

    Raises:
        UsageError: It is no whole number.
    """
    return checked_whole("key", key, hint="The same key draws the same; by default the place does.")


def _range(low: float, high: float) -> str:
    if low == -math.inf:
        return ""
    return f" of at least {low:g}" if high == math.inf else f" from {low:g} to {high:g}"


def checked_time(when: Any) -> datetime:
    """Return a time in UTC.

    Raises:
        UsageError: It is no time, does not know its zone, or lies outside the years 1900 to 2100.
    """
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise UsageError(
            f"when must be a datetime that knows its time zone. Got {when!r}.",
            hint="Pass datetime(..., tzinfo=datetime.UTC).",
        )
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise UsageError(
            f"when must lie in the years {FIRST_YEAR} to {LAST_YEAR}. Got {when!r}.",
            hint="The sun's formula and the ages of houses and trees are made for these.",
        )
    return when.astimezone(UTC)


def checked_season(season: Any, when: Any, year: Any) -> None:
    """Refuse two times for one picture, and a year that nothing would look at.

    Raises:
        UsageError: ``season`` and ``when`` are both given, ``year`` is without ``season``, or it
            is no whole number from 1900 to 2100.
    """
    if season is not None and when is not None:
        raise UsageError(
            f"season and when must not both be given. Got {season!r} and {when!r}.",
            hint="season draws a time by itself; when is a time.",
        )
    if season is None and year is not None:
        raise UsageError(
            f"year must come with season. Got {year!r} without.",
            hint="Give a season as well, or a time as when.",
        )
    if year is not None:
        checked_whole("year", year, FIRST_YEAR, LAST_YEAR, hint="By default key draws one.")


def checked_weather(weather: Any) -> Weather:
    """Return a weather from itself, its name in any case, or its number.

    Raises:
        UsageError: It is none.
    """
    from sightline.planet.looks.moment import Weather

    for each in Weather:
        if weather == each or (isinstance(weather, str) and weather.upper() == each.name):
            return each
    names = ", ".join(each.name.lower() for each in Weather)
    raise UsageError(
        f"weather must be one of {names}. Got {weather!r}.", hint="None draws it from the climate."
    )


def checked_search(within_m: Any) -> float:
    """Return the distance within which to look for something.

    Raises:
        UsageError: It is no number from 0 to 1,000,000.
    """
    return checked_number(
        "within_m", within_m, 0.0, _FARTHEST_SEARCH_M, hint="A few kilometres are usual."
    )
