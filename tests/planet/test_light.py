"""Lighting, lamps, and what falls from the sky."""

from __future__ import annotations

import numpy as np
from tests.planet.scenes import midnight, noon, viewpoint

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.lamplight import Lamps, paint_glare
from sightline.planet.ground.precipitation import fall, mirror
from sightline.planet.looks.lighting import lighting
from sightline.planet.looks.moment import Weather


def _lamps(night: float = 1.0, north: float = 10.0) -> Lamps:
    one = np.ones(1, np.float32)
    return Lamps.of(0 * one, north * one, -2.2 * one, 6 * one, night, warm=True)


def test_day_has_a_sun_that_casts_and_overcast_has_none() -> None:
    assert lighting(noon()).casts
    assert not lighting(noon(weather=Weather.OVERCAST)).casts
    night, day = lighting(midnight()), lighting(noon())
    assert (night.ambient + night.direct).max() < 0.4 * (day.ambient + day.direct).max()


def test_surfaces_that_face_the_sun_are_lit() -> None:
    light = lighting(noon())
    towards = np.array([light.sun], np.float32).T
    assert abs(light.on(towards[0], towards[1], towards[2])[0] - 1) < 1e-5
    assert light.on(-towards[0], -towards[1], -towards[2])[0] == 0
    clear = light.clear_share(np.array([0, 1e4, 1e6], np.float32))
    assert clear[0] == 1
    assert clear[2] < clear[1] < 1


def test_lamps_light_the_ground_beneath_them_at_night_only() -> None:
    foot = np.array([-2.2], np.float32)
    here, there = (np.array([n], np.float32) for n in (10.0, 60.0))
    lamps = _lamps()
    zero = np.zeros(1, np.float32)
    assert lamps.on(zero, here, foot)[0] > 5 * lamps.on(zero, there, foot)[0]
    assert _lamps(night=0.0).count == 0


def test_glare_is_seen_unless_a_wall_hides_the_lamp() -> None:
    view = viewpoint(Camera(size=(64, 64)))
    for depth, shines in ((1e9, True), (3.0, False)):
        planes = np.zeros((3, 64 * 64), np.float32)
        paint_glare(planes, view, _lamps(), np.full((64, 64), depth, np.float32))
        assert (planes.max() > 0.2) == shines
    planes = np.zeros((3, 64 * 64), np.float32)
    paint_glare(planes, view, _lamps(north=-10.0), np.full((64, 64), 1e9, np.float32))
    assert planes.max() == 0


def test_a_wet_road_mirrors_what_stands_above_it() -> None:
    projection = Camera(size=(32, 32)).projection()
    planes = np.zeros((3, 32, 32), np.float32)
    planes[0, :16] = 1.0
    flat = planes.reshape(3, -1)
    pixels = np.arange(20 * 32, 24 * 32)
    mirror(flat, projection, pixels, np.full(len(pixels), 0.5, np.float32))
    assert abs(planes[0, 20:24] - 0.5).max() < 1e-6
    assert (planes[0, 24:] == 0).all()
    mirror(flat, projection, pixels[:0], np.zeros(0, np.float32))


def test_rain_and_snow_fall_only_when_they_do() -> None:
    for weather, falls in (
        (Weather.CLEAR, False),
        (Weather.RAIN, True),
        (Weather.SNOWFALL, True),
    ):
        planes = np.zeros((3, 64, 600), np.float32)
        fall(planes, noon(weather=weather), 3)
        assert (planes.max() > 0) == falls
        assert planes.max() < 1
