from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.world.trigonometry import arcus, sine_cosine, tangent

NUMBER = st.floats(-1e3, 1e3)


@given(st.floats(-360, 360))
def test_sine_and_cosine(degrees: float) -> None:
    sine, cosine = sine_cosine(degrees)
    assert abs(float(sine) - math.sin(math.radians(degrees))) < 2e-15
    assert abs(float(cosine) - math.cos(math.radians(degrees))) < 2e-15


def test_right_angles_are_exact() -> None:
    sine, cosine = sine_cosine([0.0, 90.0, 180.0, 270.0, -90.0])
    np.testing.assert_array_equal(sine, [0, 1, 0, -1, -1])
    np.testing.assert_array_equal(cosine, [1, 0, -1, 0, 0])


@given(st.floats(-1, 1))
def test_tangent(radians: float) -> None:
    assert abs(float(tangent(np.array(radians))) - math.tan(radians)) < 1e-14


@given(NUMBER, NUMBER)
def test_arcus(y: float, x: float) -> None:
    expected = math.atan2(y, x) if (y or x) else 0.0
    if y == 0 and x < 0:
        expected = math.pi  # minus zero is zero here
    assert abs(float(arcus(np.array(y), np.array(x))) - expected) < 1e-15 * 4
