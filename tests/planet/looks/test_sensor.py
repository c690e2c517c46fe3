from __future__ import annotations

import numpy as np
import pytest
from tests.planet.scenes import midnight, noon

from sightline.errors import UsageError
from sightline.planet.looks.sensor import Sensor, develop, natural_light

_PLAIN = Sensor(1.0, (1.0, 1.0, 1.0), 4, 0.0, 0.0, 0.0)


def _planes(height: int = 20, width: int = 30, value: float = 0.4) -> np.ndarray:
    return np.full((3, height, width), value, np.float32)


def test_a_picture_has_the_shape_of_its_planes() -> None:
    picture = develop(_planes(), noon(), 1)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    assert develop(_planes(10, 1100), noon(), 1).shape == (10, 1100, 3)


def test_the_tone_curve_rises_and_ends_at_white() -> None:
    ramp = np.repeat(np.linspace(-0.5, 3, 400, dtype=np.float32)[None], 3, axis=0)[:, None]
    row = develop(ramp, noon(), 1, sensor=_PLAIN)[0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[0] == 0
    assert row[-1] >= 250


def test_the_key_draws_camera_and_noise() -> None:
    first, second = (develop(_planes(), noon(), key) for key in (1, 2))
    assert np.array_equal(first, develop(_planes(), noon(), 1))
    assert not np.array_equal(first, second)
    assert first.std() > 0
    still = develop(_planes(), noon(), 1, noise_scale=0.0)
    assert still.reshape(-1, 3).std(axis=0).max() < 3


def test_keys_of_any_size_and_sign_are_taken() -> None:
    for key in (-1, 1 << 40, 0):
        assert develop(_planes(), noon(), key).shape == (20, 30, 3)


def test_the_dark_is_noisier_and_dimmer() -> None:
    day, night = Sensor.of(noon(), 9), Sensor.of(midnight(), 9)
    assert night.grain > day.grain
    assert natural_light(midnight()) < 0.5 * natural_light(noon())
    assert natural_light(noon()) <= 1


def test_corners_are_darker_with_vignetting_and_colours_noisy_with_tint() -> None:
    dark = Sensor(1.0, (1.0, 1.0, 1.0), 4, 0.0, 0.0, 0.18)
    picture = develop(_planes(60, 60), noon(), 1, sensor=dark)
    assert picture[0, 0, 0] < picture[30, 30, 0]
    tinted = Sensor(1.0, (1.0, 1.0, 1.0), 4, 0.02, 0.5, 0.0)
    picture = develop(_planes(60, 60), noon(), 1, sensor=tinted).astype(int)
    assert (picture[..., 0] - picture[..., 2]).std() > 1


@pytest.mark.parametrize(
    "planes",
    [np.zeros((2, 4, 4), np.float32), np.zeros((4, 4), np.float32), np.zeros((3, 4, 4))],
)
def test_other_planes_are_refused(planes: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"planes must be float32 of shape \(3, h, w\)"):
        develop(planes, noon(), 1)
