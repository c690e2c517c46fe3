from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from sightline.errors import CoordinateError, UsageError
from sightline.planet import Planet
from sightline.planet.arguments import (
    checked_key,
    checked_number,
    checked_place,
    checked_size,
    checked_time,
    checked_weather,
)
from sightline.planet.looks.moment import Weather

HERE = (0.27, -9.16)
NAN = math.nan
NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0)


@pytest.mark.parametrize(
    "place", [(NAN, 0), (0, math.inf), (1, 2, 3), (1,), "ab", None, 3.0, [[1.0, 2.0]], (91, 0)]
)
@pytest.mark.parametrize("view", ["photo", "aerial", "climate", "towns_near", "landmarks_near"])
def test_what_is_no_place(planet: Planet, place: Any, view: str) -> None:
    with pytest.raises(CoordinateError, match="latlng"):
        getattr(planet, view)(place)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fov_degrees": 0},
        {"fov_degrees": NAN},
        {"fov_degrees": "90"},
        {"heading_degrees": NAN},
        {"heading_degrees": "north"},
        {"heading_degrees": None},
        {"size": (-1, 5)},
        {"size": (0, 5)},
        {"size": (22.5, 10)},
        {"size": 224},
        {"size": (1, 2, 3)},
        {"size": ("a", "b")},
        {"size": (NAN, 10)},
        {"size": (10**5, 10**5)},
        {"when": datetime(2020, 1, 1)},  # noqa: DTZ001
        {"when": "2020-01-01"},
        {"when": date(2020, 1, 1)},
        {"when": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
        {"when": datetime(2101, 1, 1, tzinfo=UTC)},
        {"weather": "drizzle"},
        {"weather": 9},
        {"key": "a"},
        {"key": 1.5},
        {"camera_height_m": -1},
        {"camera_height_m": "2"},
        {"tilt_degrees": 100},
        {"tilt_degrees": "up"},
        {"roll_degrees": NAN},
        {"distortion": 0.5},
    ],
)
def test_a_photo_names_what_is_wrong(planet: Planet, wrong: dict[str, Any]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError) as caught:
        planet.photo(HERE, **wrong)
    assert name in str(caught.value)
    shown = float(value) if isinstance(value, int) and name != "weather" else value
    assert repr(value) in str(caught.value) or repr(shown) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("metres_per_pixel", {"metres_per_pixel": NAN}),
        ("metres_per_pixel", {"metres_per_pixel": -0.5}),
        ("metres_per_pixel", {"metres_per_pixel": "x"}),
        ("metres_per_pixel", {"metres_per_pixel": 1e-6}),  # else petabytes of shadows
        ("metres_per_pixel", {"metres_per_pixel": 50}),
        ("size", {"size": (10, 0)}),
        ("size", {"size": (10.5, 10)}),
        ("size", {"size": 10}),
        ("season", {"season": "monsoon"}),
        ("season", {"season": 2}),
        ("season", {"season": "summer", "when": NOON}),
        ("year", {"year": 2019}),
        ("year", {"season": "summer", "year": 0}),
        ("year", {"season": "summer", "year": 2019.5}),
        ("year", {"season": "summer", "year": "x"}),
        ("misregistration_m", {"misregistration_m": -1}),
        ("misregistration_m", {"misregistration_m": NAN}),
        ("misregistration_m", {"misregistration_m": 1e5}),
        ("key", {"key": "a"}),
        ("when", {"when": datetime(2020, 1, 1)}),  # noqa: DTZ001
    ],
)
def test_an_aerial_image_names_what_is_wrong(
    planet: Planet, name: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        planet.aerial(HERE, **wrong)
    value = wrong[name]
    assert str(value) in str(caught.value) or repr(value) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("within_m", [-1.0, NAN, "far", 2e6])
def test_what_is_no_distance(planet: Planet, within_m: Any) -> None:
    for find in (planet.towns_near, planet.landmarks_near, planet.street_near):
        with pytest.raises(UsageError, match="within_m"):
            find(HERE, within_m=within_m)
    with pytest.raises(UsageError, match="reach_m"):
        planet.neighbourhood(HERE, within_m)


def test_what_numpy_and_json_hand_over_is_good_too(planet: Planet) -> None:
    expected = planet.photo(HERE, 30.0, 90.0, (12, 9), NOON, Weather.RAIN, key=5)
    given = planet.photo(
        np.array(HERE),  # type: ignore[arg-type]
        np.float32(30),  # type: ignore[arg-type]
        np.int64(90),  # type: ignore[arg-type]
        [12, 9],  # type: ignore[arg-type]
        NOON.astimezone(timezone(timedelta(hours=-7))),
        "Rain",
        key=np.uint64(5),  # type: ignore[arg-type]
    )
    np.testing.assert_array_equal(given, expected)
    assert planet.aerial(HERE, 0.5, np.array([12, 9])).shape == (9, 12, 3)  # type: ignore[arg-type]
    assert Planet(np.int64(3)).seed == 3  # type: ignore[arg-type]


def test_every_longitude_is_the_same_place_at_a_pole(planet: Planet) -> None:
    assert checked_place((-90, 77)) == (-90.0, 0.0)
    assert checked_place((89.9, 77)) == (89.9, 77.0)
    first = planet.photo((90, 0), 10.0, size=(40, 30), when=NOON)
    np.testing.assert_array_equal(first, planet.photo((90, 123), 10.0, size=(40, 30), when=NOON))


def test_checked_values_come_back_as_plain_ones() -> None:
    assert checked_size((3, np.int32(4))) == (3, 4)
    assert type(checked_key(np.uint64(2**63 + 5))) is int
    assert checked_number("x", np.float32(0.5), 0.5, 1.0, hint="-") == 0.5
    late = datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=5)))
    assert checked_time(late) == late
    assert checked_time(late).tzinfo is UTC
    assert [checked_weather(each) for each in ("fog", 5, Weather.FOG)] == [Weather.FOG] * 3
