"""visloc's prediction density against what its own function returned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.evaluation.localization.prediction_density import SCALES_KM, prediction_density

from .files import DENSITY, cases


def test_every_case(conformance: Path) -> None:
    for case in cases(conformance, DENSITY):
        for name in ("default", "custom"):
            ours = prediction_density(
                case.arrays["probs"],
                case.arrays["coords"],
                case.facts["idx"],
                scales_km=case.meta[f"scales_{name}"],
            )
            published = case.arrays[f"density_{name}"]
            # It sums in float32.
            np.testing.assert_allclose(ours, published, rtol=0, atol=1e-6, err_msg=case.name)


def test_default_scales_are_those_of_the_shared_files(whole: Path) -> None:
    for case in cases(whole, DENSITY):
        assert tuple(case.meta["scales_default"]) == SCALES_KM
