"""When a picture was taken: the sun, the season and the weather of one moment at one place.

Everything that a renderer asks about time stands here, as plain numbers that change smoothly. What
is chance (the weather, how much of the snow has fallen) is drawn from the key by an integer hash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import numpy as np

from sightline.errors import UsageError
from sightline.planet.looks.noise import hashed
from sightline.planet.looks.sun import MIDWINTER_DAY, season_lag, season_phase, sun_position

FIRST_YEAR, LAST_YEAR = 2008, 2026
"""The years a moment is drawn from when none is given, both included."""


class Weather(IntEnum):
    """The sky over a photo."""

    CLEAR = 0
    FAIR = 1  # sun between clouds
    OVERCAST = 2
    RAIN = 3
    SNOWFALL = 4
    FOG = 5


class Season(IntEnum):
    """A quarter of the year, by the hemisphere of the place."""

    WINTER = 0
    SPRING = 1
    SUMMER = 2
    AUTUMN = 3


@dataclass(frozen=True)
class Moment:
    """One moment at one place.

    Attributes:
        key: The integer that everything left to chance is drawn from.
        when: The time, in UTC.
        weather: The sky.
        sun_azimuth_degrees: Clockwise from north.
        sun_elevation_degrees: Above the horizon; negative at night.
        sun: (east, north, up), the unit vector to what lights the scene: the sun, at night the
            moon. Never less than 4° above the horizon, so that shadows end somewhere.
        season: The year's phase, 0 at midwinter, 0.5 at midsummer, by hemisphere.
        summer: 0 at midwinter to 1 at midsummer.
        autumn: 0 to 1, how far leaves have turned.
        leaf: 0 to 1, how many leaves a deciduous tree has.
        snow: 0 to 1, how much of the open ground is white.
        wetness: 0 to 1, of roads and roofs.
        rain: 0 to 1, drops in the air.
        overcast: 0 to 1, how much of the sky is covered.
        haze_per_m: Extinction of the air.
        night: 0 by day, 1 at deep night, smooth through dusk.
        direct: Share of the light that comes from the sun's disc, 0 to 0.75.
        ambient: Share that comes from the whole sky; `direct` and `ambient` add to 1.
        daylight: Light as a share of full day, 0.02 to 1, before the camera's exposure.
        warmth: 0 at noon to 1 with the sun on the horizon: how yellow the direct light is.
    """

    key: int
    when: datetime
    weather: Weather
    sun_azimuth_degrees: float
    sun_elevation_degrees: float
    sun: tuple[float, float, float]
    season: float
    summer: float
    autumn: float
    leaf: float
    snow: float
    wetness: float
    rain: float
    overcast: float
    haze_per_m: float
    night: float
    direct: float
    ambient: float
    daylight: float
    warmth: float

    @property
    def year(self) -> int:
        """The calendar year: which buildings stand and how old trees are."""
        return self.when.year

    @classmethod
    def of(
        cls,
        latlng: tuple[float, float],
        when: datetime | None = None,
        weather: Weather | None = None,
        key: int = 0,
        *,
        temperature: float | None = None,
        humidity: float = 0.5,
    ) -> Moment:
        """Return the moment at a place.

        Args:
            latlng: Latitude and longitude, degrees.
            when: A time that knows its zone. None draws a day and an hour of daylight from ``key``.
            weather: None draws it from the climate and ``key``.
            key: Any integer; decides what is left to chance.
            temperature: The place's yearly mean, 0 polar to 1 hot; by default from its latitude.
            humidity: 0 desert to 1 rain forest.

        Raises:
            UsageError: ``when`` has no time zone.
        """
        if when is None:
            when = _drawn_time(latlng, key)
        if when.tzinfo is None:
            raise UsageError(
                f"when must know its time zone. Got {when!r}.",
                hint="Pass datetime(..., tzinfo=datetime.UTC).",
            )
        when = when.astimezone(UTC)
        if temperature is None:
            temperature = 1.0 - abs(latlng[0]) / 75.0
        season = season_phase(latlng[0], when)
        warmth_of_day = temperature + _swing(latlng[0]) * (_summer(season) - 0.5)
        if weather is None:
            weather = _drawn_weather(key, humidity, warmth_of_day)
        return _assemble(latlng, when, Weather(weather), key, season, warmth_of_day, humidity)

    @classmethod
    def of_survey(
        cls,
        latlng: tuple[float, float],
        when: datetime | None = None,
        season: Season | str | None = None,
        key: int = 0,
        *,
        year: int | None = None,
        temperature: float | None = None,
        humidity: float = 0.5,
    ) -> Moment:
        """Return the moment of an aerial survey: about noon, in good weather, the sun not too low.

        Args:
            latlng: Latitude and longitude, degrees.
            when: The day of the flight, a time that knows its zone; by default drawn from ``key``.
            season: Restricts a drawn day.
            key: As in `of`.
            year: Of a drawn day.
            temperature: As in `of`.
            humidity: As in `of`.

        Raises:
            UsageError: There is no such season, or ``when`` has no time zone.
        """
        wanted = None if season is None else _season(season)
        day = _drawn_time(latlng, key, season=wanted, year=year) if when is None else when
        weather = Weather.CLEAR if _chance(key, 10) < 0.7 else Weather.FAIR
        first = cls.of(latlng, day, weather, key, temperature=temperature, humidity=humidity)
        noon = 12.0 + (_chance(key, 11) - 0.5) * 3.4 - latlng[1] / 15.0
        midnight = first.when.replace(hour=0, minute=0, second=0, microsecond=0)
        # The flight is within half a day of noon of the same local day.
        flight = midnight + timedelta(seconds=round(noon * 3600))
        moment = cls.of(latlng, flight, weather, key, temperature=temperature, humidity=humidity)
        azimuth, elevation = moment.sun_azimuth_degrees, moment.sun_elevation_degrees
        lowest = 24.0 + 8.0 * _chance(key, 12)
        if elevation >= lowest:
            return moment
        # Where the winter sun stays low, nobody flies: light of a better day, season of this one.
        return replace(
            moment,
            sun=_light_direction(azimuth, lowest, 0.0, key),
            night=0.0,
            direct=0.70 if moment.overcast < 0.5 else 0.12,
            ambient=0.30 if moment.overcast < 0.5 else 0.88,
            daylight=_ramp(lowest, -9.0, 22.0) * (1.0 - 0.45 * moment.overcast**2),
            warmth=1.0 - _ramp(lowest, 0.0, 25.0),
        )


def _chance(key: int, salt: int) -> float:
    """Return a number in [0, 1) for a key of any size."""
    low, high = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    return float(hashed(np.array([low]), high, 7000 + salt)[0]) * 2.0**-32


def _summer(season: float) -> float:
    return 0.5 - 0.5 * math.cos(2 * math.pi * season)


def _swing(latitude: float) -> float:
    """Return how far the year moves the temperature, in its own 0 to 1 scale."""
    return 0.04 + 0.42 * min(1.0, abs(latitude) / 60.0)


def _ramp(value: float, low: float, high: float) -> float:
    """Return 0 below ``low``, 1 above ``high``, smooth between."""
    part = min(1.0, max(0.0, (value - low) / (high - low)))
    return part * part * (3.0 - 2.0 * part)


def _season(season: Season | str) -> Season:
    names = [each.name.lower() for each in Season]
    if isinstance(season, Season):
        return season
    if not isinstance(season, str) or season.lower() not in names:
        raise UsageError(
            f"season must be one of {', '.join(names)}. Got {season!r}.",
            hint="Seasons are those of the place's hemisphere.",
        )
    return Season(names.index(season.lower()))


def _drawn_time(
    latlng: tuple[float, float],
    key: int,
    *,
    season: Season | None = None,
    year: int | None = None,
) -> datetime:
    """Draw a time of daylight: a day (of the season), then an hour around the sun's noon."""
    if year is None:
        year = FIRST_YEAR + int(_chance(key, 0) * (LAST_YEAR + 1 - FIRST_YEAR))
    part = _chance(key, 1)
    # Seasons begin on the first of December, March, June and September.
    phase = part if season is None else (int(season) + part - 0.22) / 4.0
    phase -= season_lag(latlng[0])
    day = int((phase * 365.25 + MIDWINTER_DAY) % 365.25)
    light = min(4.0, 0.8 * _half_day_hours(latlng[0], phase))
    hour = 12.0 + (_chance(key, 2) * 2.0 - 1.0) * light - latlng[1] / 15.0
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=round(hour * 3600))


def _half_day_hours(latitude: float, northern_phase: float) -> float:
    """Return how long the sun is up before noon; 0 in polar night."""
    declination = -math.radians(23.44) * math.cos(2 * math.pi * northern_phase)
    rise = -math.tan(math.radians(max(-89.0, min(89.0, latitude)))) * math.tan(declination)
    return math.degrees(math.acos(max(-1.0, min(1.0, rise)))) / 15.0


def _drawn_weather(key: int, humidity: float, warmth: float) -> Weather:
    """Draw the sky: more cloud, rain and fog where the air is damp; snow where it is cold."""
    chance = _chance(key, 3)
    rain = 0.02 + 0.14 * humidity
    fog = 0.005 + 0.025 * humidity
    overcast = 0.06 + 0.26 * humidity
    for weather, share in (
        (Weather.RAIN, rain),
        (Weather.FOG, fog),
        (Weather.OVERCAST, overcast),
        (Weather.FAIR, 0.38),
    ):
        if chance < share:
            falls_white = weather is Weather.RAIN and warmth < 0.2
            return Weather.SNOWFALL if falls_white else weather
        chance -= share
    return Weather.CLEAR


def _assemble(
    latlng: tuple[float, float],
    when: datetime,
    weather: Weather,
    key: int,
    season: float,
    warmth_of_day: float,
    humidity: float,
) -> Moment:
    azimuth, elevation = sun_position(latlng, when)
    summer = _summer(season)
    night = 1.0 - _ramp(elevation, -9.0, 3.0)
    overcast = {0: 0.05, 1: 0.4, 2: 0.95, 3: 1.0, 4: 1.0, 5: 0.85}[int(weather)]
    direct = (0.70 if overcast < 0.5 else 0.12) * _ramp(elevation, -1.0, 14.0)
    direct = max(direct, 0.30 * night * (1.0 - overcast))  # the moon
    cold = 1.0 - _ramp(warmth_of_day, 0.08, 0.30)
    lying = cold * _ramp(_chance(key, 4) + 0.5 * humidity + cold - 1.0, 0.0, 0.35)
    snow = max(lying, 0.75) if weather is Weather.SNOWFALL else lying
    raining = 0.55 + 0.45 * _chance(key, 5) if weather is Weather.RAIN else 0.0
    damp = 0.35 * _chance(key, 6) if overcast > 0.5 else 0.0
    haze = {0: 1.0, 1: 1.2, 2: 1.8, 3: 3.5, 4: 6.0, 5: 22.0}[int(weather)]
    autumn = _ramp(season, 0.72, 0.80) * (1.0 - _ramp(season, 0.90, 0.96))
    bare = _ramp(season, 0.86, 0.95) if season > 0.5 else 1.0 - _ramp(season, 0.24, 0.34)
    return Moment(
        key=key,
        when=when,
        weather=weather,
        sun_azimuth_degrees=azimuth,
        sun_elevation_degrees=elevation,
        sun=_light_direction(azimuth, elevation, night, key),
        season=season,
        summer=summer,
        autumn=autumn,
        leaf=1.0 - bare,
        snow=snow,
        wetness=max(raining, damp),
        rain=raining,
        overcast=overcast,
        haze_per_m=(0.00025 + 0.0009 * _chance(key, 7) ** 2) * haze,
        night=night,
        direct=direct,
        ambient=1.0 - direct,
        daylight=max(0.02, _ramp(elevation, -9.0, 22.0)) * (1.0 - 0.45 * overcast * overcast),
        warmth=1.0 - _ramp(elevation, 0.0, 25.0) if night < 0.9 else 0.0,
    )


def _light_direction(
    azimuth_degrees: float, elevation_degrees: float, night: float, key: int
) -> tuple[float, float, float]:
    """Return the unit vector to the sun, or, once it is dark, to a moon drawn from the key."""
    if night > 0.98:
        azimuth_degrees, elevation_degrees = 360.0 * _chance(key, 8), 25.0 + 30.0 * _chance(key, 9)
    azimuth = math.radians(azimuth_degrees)
    elevation = math.radians(max(4.0, elevation_degrees))
    flat = math.cos(elevation)
    return math.sin(azimuth) * flat, math.cos(azimuth) * flat, math.sin(elevation)
