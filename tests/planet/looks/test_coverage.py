"""Soft edges against counting fine samples of the footprint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.planet.looks import coverage

STEPS = 2000


def sampled(place: float, footprint: float) -> np.ndarray:
    return place + ((np.arange(STEPS) + 0.5) / STEPS - 0.5) * footprint


@given(st.floats(-2, 2), st.floats(0.05, 1.5))
def test_inside_is_the_share_of_the_footprint(depth: float, footprint: float) -> None:
    found = coverage.inside(np.array([depth], np.float32), np.float32(footprint))
    expected = (sampled(depth, footprint) > 0).mean()
    assert found[0] == pytest.approx(expected, abs=2e-3)


@given(st.floats(-2, 2), st.floats(0.05, 1), st.floats(0.05, 1.5))
def test_a_line_covers_its_width(distance: float, width: float, footprint: float) -> None:
    found = coverage.line(np.array([distance], np.float32), width, np.float32(footprint))
    expected = (np.abs(sampled(distance, footprint)) < width / 2).mean()
    assert found[0] == pytest.approx(expected, abs=2e-3)


@given(st.floats(-30, 30), st.floats(0.5, 6), st.floats(0.5, 9), st.floats(0.01, 0.3))
def test_dashes_begin_at_every_period(
    along: float, length: float, gap: float, footprint: float
) -> None:
    period = length + gap
    found = coverage.dashes(np.array([along], np.float32), length, period, np.float32(footprint))
    expected = (sampled(along, footprint) % period < length).mean()
    assert found[0] == pytest.approx(expected, abs=4e-3)


def test_dashes_far_below_the_footprint_are_their_mean() -> None:
    found = coverage.dashes(np.linspace(0, 5, 40, dtype=np.float32), 0.5, 1.0, np.float32(3))
    np.testing.assert_allclose(found, 0.5, atol=1e-6)


def test_footprints_may_differ_from_point_to_point() -> None:
    distance = np.full(3, 0.1, np.float32)
    footprint = np.array([0.05, 0.2, 2.0], np.float32)
    together = coverage.line(distance, 0.15, footprint)
    alone = [coverage.line(distance[:1], 0.15, np.float32(each))[0] for each in footprint]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    np.testing.assert_allclose(coverage.fade(1.0, footprint), [1, 1, 0])
