"""Colours stay colours, and follow season, climate and weather the way the outdoors does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.looks.moment import Moment, Weather
from sightline.planet.looks.palette import SNOW, foliage, light, palette

PLACE = (50.0, 8.0)


@dataclass
class Climate:
    temperature: float
    humidity: float


TEMPERATE, DESERT, RAINFOREST, BOREAL = (
    Climate(0.5, 0.6), Climate(0.85, 0.08), Climate(0.88, 0.85), Climate(0.25, 0.5),
)  # fmt: skip


def moment(month: int, weather: Weather = Weather.CLEAR, temperature: float = 0.5) -> Moment:
    when = datetime(2020, month, 20, 12, tzinfo=UTC)
    return Moment.of(PLACE, when, weather, 3, temperature=temperature)


@given(
    st.lists(st.builds(Climate, st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4),
    st.integers(1, 12),
    st.sampled_from(Weather),
)
def test_every_colour_is_a_colour(climates: list[Climate], month: int, weather: Weather) -> None:
    made = palette(climates, moment(month, weather))
    for name in ("grass", "soil", "leaf", "needle", "sand", "rock", "water"):
        colours = getattr(made, name)
        assert colours.shape == (len(climates), 3), name
        assert colours.dtype == np.float32, name
        assert colours.min() >= 0
        assert colours.max() <= 1
    assert made.crops.shape == (len(climates), 6, 3)


def test_a_climate_does_not_change_with_its_neighbours() -> None:
    alone = palette([DESERT], moment(6))
    together = palette([TEMPERATE, DESERT], moment(6))
    np.testing.assert_array_equal(alone.grass[0], together.grass[1])
    np.testing.assert_array_equal(alone.crops[0], together.crops[1])


def test_deserts_are_sandy_and_rain_forests_green() -> None:
    grass = palette([DESERT, RAINFOREST], moment(6)).grass
    assert grass[0, 0] > grass[0, 1]
    assert grass[1, 1] > grass[1, 0] * 1.2
    assert grass[0].sum() > grass[1].sum()


def test_leaves_turn_in_autumn_and_fall_before_winter_but_not_in_the_tropics() -> None:
    def green_over_red(month: int, climate: Climate) -> float:
        leaf = palette([climate], moment(month, temperature=climate.temperature)).leaf[0]
        return float(leaf[1] / leaf[0])

    assert green_over_red(7, TEMPERATE) > 1.2
    assert green_over_red(10, TEMPERATE) < 1.0
    assert green_over_red(1, TEMPERATE) < 1.05
    assert green_over_red(1, RAINFOREST) == pytest.approx(green_over_red(7, RAINFOREST), rel=0.02)


def test_rain_darkens_the_soil() -> None:
    dry, wet = palette([TEMPERATE], moment(6)), palette([TEMPERATE], moment(6, Weather.RAIN))
    assert (wet.soil < dry.soil * 0.95).all()


def test_needles_stay_green_when_leaves_turn() -> None:
    made = palette([TEMPERATE], moment(10))
    tint = np.array([0.5, 0.5, 0.5], np.float32)
    crown = foliage(
        made,
        np.zeros(3, np.int16),
        tint,
        needles=np.array([False, True, False]),
        evergreen=np.array([False, False, True]),
    )
    assert crown.shape == (3, 3)
    assert crown[0, 0] > crown[0, 1]
    assert crown[1, 1] > crown[1, 0]
    assert crown[2, 1] > crown[0, 1] * 0.7


def test_snow_lies_on_crowns() -> None:
    snowy = moment(1, Weather.SNOWFALL, 0.1)
    assert snowy.snow > 0.7
    arguments = {"needles": np.array([True]), "evergreen": np.array([False])}
    tint = np.array([0.3], np.float32)
    white = foliage(palette([BOREAL], snowy), np.array([0]), tint, **arguments)
    green = foliage(palette([BOREAL], moment(7)), np.array([0]), tint, **arguments)
    assert (white > green + 0.1).all()
    assert (white < SNOW).all()


@given(st.integers(1, 12), st.integers(0, 23), st.sampled_from(Weather))
def test_light_adds_up_to_about_white(month: int, hour: int, weather: Weather) -> None:
    when = datetime(2020, month, 20, hour, tzinfo=UTC)
    direct, sky = light(Moment.of(PLACE, when, weather, 3))
    assert direct.dtype == sky.dtype == np.float32
    assert (direct >= 0).all()
    np.testing.assert_allclose((direct + sky).mean(), 1, atol=0.1)
    assert sky[2] >= sky[0] * np.float32(0.999)
    assert direct[2] <= direct[0] * np.float32(1.001)
