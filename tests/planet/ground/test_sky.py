from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from tests.planet.scenes import midnight, noon

from sightline.planet.ground.camera import Camera
from sightline.planet.ground.sky import paint_sky
from sightline.planet.ground.viewpoint import Viewpoint
from sightline.planet.looks.lighting import lighting
from sightline.planet.looks.moment import Moment, Weather


def _sky(moment: Moment, camera: Camera) -> np.ndarray:
    view = Viewpoint.of(camera, 0, 0, 0)
    height, width = view.projection.height, view.projection.width
    planes = np.zeros((3, height * width), np.float32)
    pixels = np.arange(height // 2 * width)
    paint_sky(planes, view, lighting(moment), moment, pixels)
    assert (planes[:, len(pixels) :] == 0).all()
    return planes.reshape(3, height, width)[:, : height // 2]


def test_a_clear_sky_is_bluest_at_the_top() -> None:
    sky = _sky(noon(), Camera(size=(180, 90), panorama=True))
    blueness = (sky[2] - sky[0]).mean(axis=1)
    assert blueness[5] > blueness[-2] + 0.1
    assert sky[:, -1].mean() > sky[:, 5].mean()


def test_the_sun_stands_where_it_should() -> None:
    moment = noon(when=datetime(2019, 6, 21, 17, tzinfo=UTC))
    sky = _sky(moment, Camera(size=(720, 360), panorama=True))
    row, column = np.unravel_index(sky.sum(axis=0).argmax(), sky.shape[1:])
    assert abs((column + 0.5) / 2 - 180 - (moment.sun_azimuth_degrees - 360)) < 2
    assert abs(90 - (row + 0.5) / 2 - moment.sun_elevation_degrees) < 2


@pytest.mark.parametrize("weather", [Weather.OVERCAST, Weather.RAIN])
def test_a_covered_sky_is_grey(weather: Weather) -> None:
    sky = _sky(noon(weather=weather), Camera(size=(90, 45), panorama=True))
    assert abs(sky[2] - sky[0]).mean() < 0.12


def test_night_is_dark_and_has_stars() -> None:
    sky = _sky(midnight(when=datetime(2019, 12, 21, 0, tzinfo=UTC)), Camera(size=(224, 224)))
    assert np.median(sky) < 0.2
    assert sky.max() > np.median(sky) + 0.05


def test_clouds_move_with_the_key() -> None:
    camera = Camera(size=(64, 64))
    fair = _sky(noon(weather=Weather.FAIR), camera)
    assert not np.array_equal(fair, _sky(noon(weather=Weather.FAIR, key=6), camera))
    assert np.array_equal(fair, _sky(noon(weather=Weather.FAIR), camera))


def test_no_sky_is_nothing_to_paint() -> None:
    planes = np.zeros((3, 16), np.float32)
    view = Viewpoint.of(Camera(size=(4, 4)), 0, 0, 0)
    paint_sky(planes, view, lighting(noon()), noon(), np.zeros(0, np.intp))
    assert (planes == 0).all()
