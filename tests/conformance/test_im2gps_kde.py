"""The grid procedure against what the Im2GPS authors' own procedure returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.locating.density import density_mode
from sightline.locating.im2gps_grid import im2gps_grid

KEYS = {"gps", "dist", "coarse_index_1based", "fine_mode", "output"}


def cases(folder: Path) -> Iterator[tuple[str, dict, dict[str, np.ndarray]]]:
    """Every case of every file that has the keys, whatever the file is called."""
    for path in sorted((folder / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            names = {name for name in file.files if "/" in name}
            prefixes = sorted({name.split("/")[0] for name in names})
            if not prefixes or any({f"{p}/{key}" for key in KEYS} - names for p in prefixes):
                continue
            facts = {
                f"k{case['case']:02d}": case for case in json.loads(file["meta"].item())["cases"]
            }
            for prefix in prefixes:
                arrays = {key: file[f"{prefix}/{key}"] for key in KEYS}
                yield f"{path.name}:{prefix}", facts[prefix], arrays


def test_every_case_is_equal(conformance: Path) -> None:
    seen = 0
    for name, facts, arrays in cases(conformance):
        found = im2gps_grid(arrays["gps"][None], arrays["dist"][None])
        np.testing.assert_array_equal(found.coarse[0], arrays["coarse_index_1based"], name)
        np.testing.assert_array_equal(found.windows[0], facts["clamped"], name)
        np.testing.assert_array_equal(found.modes[0], arrays["fine_mode"], name)
        np.testing.assert_array_equal(found.points[0], arrays["output"], name)
        assert found.snapped[0] == facts["j_best"], name
        seen += 1
    assert seen >= 16


def test_a_batch_equals_its_queries(conformance: Path) -> None:
    arrays = [case for _, _, case in cases(conformance)]
    batch = im2gps_grid(
        np.stack([case["gps"] for case in arrays]), np.stack([case["dist"] for case in arrays])
    )
    np.testing.assert_array_equal(batch.points, np.stack([case["output"] for case in arrays]))


def test_the_sphere_agrees_where_the_grid_is_right(conformance: Path) -> None:
    """Away from poles and antimeridian, four degrees of sigma find the same country."""
    checked = 0
    for name, facts, arrays in cases(conformance):
        if facts["kind"] not in ("city", "two"):
            continue
        # Ratios of weights are what counts, so that the smallest distance may stand for 1.
        similarity = arrays["dist"].min() / arrays["dist"]
        ours = density_mode(arrays["gps"][None], similarity[None], sigma_m=444_800.0).points[0]
        assert great_circle_m(ours, arrays["output"]) < 500_000, name
        checked += 1
    assert checked or pytest.skip("no case of a kind that both are right on")
