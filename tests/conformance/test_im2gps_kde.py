"""The grid procedure against what the Im2GPS authors' own procedure returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.locating.density import density_mode
from sightline.locating.im2gps_grid import im2gps_grid

from .files import cases

KEYS = {"gps", "dist", "coarse_index_1based", "fine_mode", "output"}


def test_every_case_is_equal(conformance: Path) -> None:
    for name, facts, arrays in cases(conformance, KEYS):
        found = im2gps_grid(arrays["gps"][None], arrays["dist"][None])
        np.testing.assert_array_equal(found.coarse[0], arrays["coarse_index_1based"], name)
        np.testing.assert_array_equal(found.windows[0], facts["clamped"], name)
        np.testing.assert_array_equal(found.modes[0], arrays["fine_mode"], name)
        np.testing.assert_array_equal(found.points[0], arrays["output"], name)
        assert found.snapped[0] == facts["j_best"], name


def test_a_batch_equals_its_queries(conformance: Path) -> None:
    arrays = [case for _, _, case in cases(conformance, KEYS)]
    batch = im2gps_grid(
        np.stack([case["gps"] for case in arrays]), np.stack([case["dist"] for case in arrays])
    )
    np.testing.assert_array_equal(batch.points, np.stack([case["output"] for case in arrays]))


def test_the_sphere_agrees_where_the_grid_is_right(conformance: Path) -> None:
    """Away from poles and antimeridian, four degrees of sigma find the same country."""
    checked = 0
    for name, facts, arrays in cases(conformance, KEYS):
        if facts["kind"] not in ("city", "two"):
            continue
        # Ratios of weights are what counts, so that the smallest distance may stand for 1.
        similarity = arrays["dist"].min() / arrays["dist"]
        ours = density_mode(arrays["gps"][None], similarity[None], sigma_m=444_800.0).points[0]
        assert great_circle_m(ours, arrays["output"]) < 500_000, name
        checked += 1
    assert checked or pytest.skip("no case of a kind that both are right on")
