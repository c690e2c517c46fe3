"""The grid procedure against what the Im2GPS authors' own procedure returns."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from sightline.geo.distance import great_circle_m
from sightline.locating.density import density_mode
from sightline.locating.im2gps_grid import im2gps_grid

from .files import GRID, cases


def test_every_case_is_equal(conformance: Path) -> None:
    for case in cases(conformance, GRID):
        arrays, facts, name = case.arrays, case.facts, case.name
        found = im2gps_grid(arrays["gps"][None], arrays["dist"][None])
        np.testing.assert_array_equal(found.coarse[0], arrays["coarse_index_1based"], name)
        np.testing.assert_array_equal(found.windows[0], facts["clamped"], name)
        np.testing.assert_array_equal(found.modes[0], arrays["fine_mode"], name)
        np.testing.assert_array_equal(found.points[0], arrays["output"], name)
        assert found.snapped[0] == facts["j_best"], name


def test_a_batch_equals_its_queries(conformance: Path) -> None:
    arrays = sorted(
        (case.arrays for case in cases(conformance, GRID)), key=lambda case: len(case["dist"])
    )
    for _, alike in groupby(arrays, key=lambda case: len(case["dist"])):
        stacked = list(alike)
        batch = im2gps_grid(*(np.stack([case[key] for case in stacked]) for key in ("gps", "dist")))
        np.testing.assert_array_equal(batch.points, [case["output"] for case in stacked])


def test_the_sphere_agrees_where_the_grid_is_right(whole: Path) -> None:
    """Away from poles and antimeridian, four degrees of sigma find the same country.

    Two methods, not two programs: that they agree is known of the shared cases only.
    """
    kinds = ("city", "two")
    chosen = [case for case in cases(whole, GRID) if case.facts["kind"] in kinds]
    assert {case.facts["kind"] for case in chosen} == set(kinds)
    for case in chosen:
        # Ratios of weights are what counts, so that the smallest distance may stand for 1.
        similarity = case.arrays["dist"].min() / case.arrays["dist"]
        gps = case.arrays["gps"]
        ours = density_mode(gps[None], similarity[None], sigma_m=444_800.0).points[0]
        assert great_circle_m(ours, case.arrays["output"]) < 500_000, case.name
