"""Small geometry and times of shots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.geo.distance import great_circle_m
from sightline.planet.draws import Draws
from sightline.planet.looks.moment import sun_position
from sightline.planet.shots import bearing_degrees, flight_time, local_time, moved, photo_time

LATITUDES = st.floats(-80, 80)
LONGITUDES = st.floats(-180, 179.9)


@given(LATITUDES, LONGITUDES, st.floats(-300, 300), st.floats(-300, 300))
def test_moved_by_metres(lat: float, lon: float, east: float, north: float) -> None:
    found = moved((lat, lon), east, north)
    away = great_circle_m(np.array([[lat, lon]]), np.array([found]))[0]
    assert away == pytest.approx(np.hypot(east, north), abs=0.05, rel=2e-3)
    assert -180 <= found[1] < 180
    if np.hypot(east, north) > 5:
        expected = np.degrees(np.arctan2(east, north)) % 360
        off = bearing_degrees((lat, lon), found) - expected
        assert abs((off + 180) % 360 - 180) < 1


def test_at_the_pole() -> None:
    assert moved((90.0, 0.0), 0.0, 100.0)[0] == 90.0


@given(st.floats(-90, 90), LONGITUDES, st.floats(0, 800), st.integers(0, 2**31))
@example(90.0, 0.0, 355.0, 0)
@example(-90.0, 0.0, 172.0, 0)
def test_there_is_light(lat: float, lon: float, day: float, key: int) -> None:
    place = (lat, lon)
    assert sun_position(place, flight_time(place, 2020, day, Draws(key)))[1] >= 14
    assert sun_position(place, photo_time(place, 2020, day, Draws(key)))[1] >= 3


def test_local_time_is_solar() -> None:
    noon = local_time(2021, 100.0, 12.0, 90.0)
    assert (noon.hour, noon.minute, noon.timetuple().tm_yday) == (6, 0, 101)
