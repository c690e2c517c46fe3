"""The sun against published positions and against what everybody knows of the sky."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.looks.sun import season_phase, sun_position


def test_position_of_the_published_example() -> None:
    """Reda and Andreas, NREL/TP-560-34302, table A5.1: zenith 50.11162°, azimuth 194.34024°."""
    when = datetime(2003, 10, 17, 12, 30, 30, tzinfo=timezone(timedelta(hours=-7)))
    azimuth, elevation = sun_position((39.742476, -105.1786), when)
    assert azimuth == pytest.approx(194.34024, abs=0.03)
    assert elevation == pytest.approx(90 - 50.11162, abs=0.03)


def test_the_sun_stands_over_the_equator_at_an_equinox() -> None:
    noon = datetime(2024, 3, 20, 12, 7, 30, tzinfo=UTC)  # the equation of time is -7.5 minutes
    _, elevation = sun_position((0.0, 0.0), noon)
    assert elevation == pytest.approx(90, abs=0.4)


def test_polar_day_and_polar_night() -> None:
    for hour in range(0, 24, 3):
        assert sun_position((80.0, 10.0), datetime(2021, 6, 21, hour, tzinfo=UTC))[1] > 10
        assert sun_position((80.0, 10.0), datetime(2021, 12, 21, hour, tzinfo=UTC))[1] < -10


@given(st.floats(-66, 66), st.floats(-180, 180), st.integers(0, 364))
def test_the_sun_rises_in_the_east(latitude: float, longitude: float, day: int) -> None:
    noon = datetime(2022, 1, 1, 12, tzinfo=UTC) + timedelta(days=day, hours=-longitude / 15)
    morning, evening = (
        sun_position((latitude, longitude), noon + timedelta(hours=h)) for h in (-4, 4)
    )
    assert 0 < morning[0] < 180 < evening[0] < 360


@given(st.floats(8, 89), st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001
def test_hemispheres_are_half_a_year_apart(latitude: float, when: datetime) -> None:
    north, south = season_phase(latitude, when), season_phase(-latitude, when)
    assert 0 <= north < 1
    assert (north - south) % 1 == pytest.approx(0.5)


def test_seasons_do_not_jump_at_the_equator() -> None:
    when = datetime(2020, 1, 15, tzinfo=UTC)
    phases = np.array([season_phase(latitude, when) for latitude in np.arange(-10, 10, 0.01)])
    steps = np.abs(np.diff(phases))
    assert np.minimum(steps, 1 - steps).max() < 1e-3


def test_midwinter_and_midsummer() -> None:
    assert season_phase(50, datetime(2023, 12, 21, tzinfo=UTC)) == pytest.approx(0, abs=0.01)
    assert season_phase(50, datetime(2023, 6, 21, tzinfo=UTC)) == pytest.approx(0.5, abs=0.01)
