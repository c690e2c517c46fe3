"""Drawn moments lie in daylight, weather follows the climate, surveys fly under a high sun."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.planet.looks.moment import FIRST_YEAR, LAST_YEAR, Moment, Season, Weather

PARIS = (48.85, 2.35)
NOON = datetime(2020, 7, 1, 12, tzinfo=UTC)
SHARES = ("season", "summer", "autumn", "leaf", "snow", "wetness", "rain", "overcast", "night",
          "direct", "ambient", "daylight", "warmth")  # fmt: skip


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001
    st.one_of(st.none(), st.sampled_from(Weather)),
    st.integers(0, 2**63),
)
def test_everything_is_in_range(
    latitude: float, longitude: float, when: datetime, weather: Weather | None, key: int
) -> None:
    moment = Moment.of((latitude, longitude), when.replace(tzinfo=UTC), weather, key)
    for name in SHARES:
        assert 0 <= getattr(moment, name) <= 1, name
    assert moment.direct + moment.ambient == pytest.approx(1)
    assert math.hypot(*moment.sun) == pytest.approx(1)
    assert moment.sun[2] >= math.sin(math.radians(3.99))
    assert moment.haze_per_m > 0
    assert moment.year == when.year
    if weather is not None:
        assert moment.weather is weather


def test_the_same_question_has_the_same_answer_and_the_key_matters() -> None:
    first, again = (Moment.of(PARIS, NOON, None, 5) for _ in range(2))
    assert first == again
    others = {Moment.of(PARIS, NOON, None, key).weather for key in range(60)}
    assert len(others) >= 3


def test_times_of_other_zones_are_the_same_moment() -> None:
    local = NOON.astimezone(datetime.fromisoformat("2020-07-01T00:00+09:00").tzinfo)
    assert Moment.of(PARIS, local, Weather.CLEAR, 1) == Moment.of(PARIS, NOON, Weather.CLEAR, 1)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(UsageError, match=r"when must know its time zone\. Got datetime"):
        Moment.of(PARIS, datetime(2020, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("season", ["spring?", "", 3.5])
def test_unknown_seasons_are_refused(season: object) -> None:
    with pytest.raises(UsageError, match="season must be one of winter, spring, summer, autumn"):
        Moment.of_survey(PARIS, season=season)  # type: ignore[arg-type]


@pytest.mark.parametrize("latitude", [48.0, -48.0])
@pytest.mark.parametrize("season", list(Season))
def test_drawn_days_lie_in_their_season(latitude: float, season: Season) -> None:
    south = 6 if latitude < 0 else 0
    months = {(12 + 3 * int(season) + south + n - 1) % 12 + 1 for n in range(3)}
    for key in range(40):
        name = season.name.title()
        moment = Moment.of_survey((latitude, 11.0), season=name, key=key, year=2019)
        assert moment.when.month in months or moment.when.day in (1, 2, 28, 29, 30, 31)
        assert abs(moment.year - 2019) <= 1  # a local day may begin in the year before


@pytest.mark.parametrize("latitude", [20.0, -59.0, 64.0])
def test_drawn_moments_lie_in_daylight_and_in_the_known_years(latitude: float) -> None:
    for key in range(60):
        moment = Moment.of((latitude, 170.0), None, None, key)
        assert moment.sun_elevation_degrees > 0
        assert FIRST_YEAR - 1 <= moment.year <= LAST_YEAR + 1


def test_damp_places_have_more_rain_than_deserts() -> None:
    def wet_days(humidity: float) -> int:
        skies = Counter(
            Moment.of(PARIS, NOON, None, key, humidity=humidity, temperature=0.6).weather
            for key in range(600)
        )
        return skies[Weather.RAIN]

    assert wet_days(0.0) * 3 < wet_days(1.0)
    assert 600 * 0.10 < wet_days(1.0) < 600 * 0.22  # 16 % is meant


def test_cold_winters_have_snow_and_snowfall_where_rain_would_be() -> None:
    winter = datetime(2020, 1, 15, 12, tzinfo=UTC)
    cold = [Moment.of((62.0, 25.0), winter, None, key, temperature=0.1) for key in range(200)]
    assert sum(moment.snow > 0.5 for moment in cold) > 60
    assert Weather.RAIN not in {moment.weather for moment in cold}
    assert Weather.SNOWFALL in {moment.weather for moment in cold}
    hot = [Moment.of((5.0, 25.0), winter, None, key, temperature=0.9) for key in range(50)]
    assert all(moment.snow == 0 for moment in hot)


def test_night_is_dark_and_lit_by_a_moon() -> None:
    night = Moment.of(PARIS, datetime(2020, 6, 21, 0, 30, tzinfo=UTC), Weather.CLEAR, 3)
    day = Moment.of(PARIS, NOON, Weather.CLEAR, 3)
    assert night.night > 0.9
    assert day.night == 0
    assert night.daylight < 0.1 < 0.9 < day.daylight
    assert night.sun[2] >= math.sin(math.radians(24.9))


def test_leaves_turn_and_fall() -> None:
    def at(month: int) -> Moment:
        return Moment.of(PARIS, datetime(2021, month, 20, 12, tzinfo=UTC), Weather.CLEAR, 1)

    assert at(7).leaf == 1
    assert at(7).autumn == 0
    assert at(10).autumn > 0.5
    assert at(1).leaf == 0


@pytest.mark.parametrize("latitude", [0.0, 45.0, -60.0, 78.0])
def test_surveys_fly_in_good_weather_under_a_high_sun(latitude: float) -> None:
    for key in range(40):
        moment = Moment.of_survey((latitude, -120.0), key=key)
        assert moment.weather in (Weather.CLEAR, Weather.FAIR)
        assert moment.sun[2] >= math.sin(math.radians(23.9))
        assert moment.night == 0
        assert moment.direct > 0.5
        assert moment.daylight > 0.5


def test_surveys_keep_the_day_and_the_season_asked_for() -> None:
    moment = Moment.of_survey(PARIS, datetime(2015, 1, 9, 3, tzinfo=UTC), key=2)
    assert moment.when.date() == datetime(2015, 1, 9, tzinfo=UTC).date()
    assert moment.leaf == 0
    summer = Moment.of_survey(PARIS, season="summer", year=2012, key=2)
    assert summer.summer > 0.8
    assert summer.year == 2012


def test_shares_listed_here_are_all_there_are() -> None:
    named = {each.name for each in fields(Moment)}
    rest = {"key", "when", "weather", "sun_azimuth_degrees", "sun_elevation_degrees", "sun",
            "haze_per_m"}  # fmt: skip
    assert named == {*SHARES, *rest}
