"""visloc's prediction density against what its own function returned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sightline.evaluation.localization.prediction_density import SCALES_KM, prediction_density

KEYS = {"coords", "probs", "density_default", "density_custom"}


def test_every_case(conformance: Path) -> None:
    compared = 0
    for path in sorted((conformance / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            prefixes = {name.split("/")[0] for name in file.files if "/" in name}
            if not prefixes or any(
                {f"{p}/{key}" for key in KEYS} - set(file.files) for p in prefixes
            ):
                continue
            meta = json.loads(str(file["meta"]))
            assert tuple(meta["scales_default"]) == SCALES_KM
            assert len(meta["cases"]) == len(prefixes)
            for case in meta["cases"]:
                centres = file[f"p{case['case']}/coords"]
                probabilities = file[f"p{case['case']}/probs"]
                for name in ("default", "custom"):
                    ours = prediction_density(
                        probabilities, centres, case["idx"], scales_km=meta[f"scales_{name}"]
                    )
                    published = file[f"p{case['case']}/density_{name}"]
                    # It sums in float32.
                    np.testing.assert_allclose(ours, published, rtol=0, atol=1e-6)
                    compared += 1
    assert compared, f"no file in {conformance / 'geo'} has cases with {sorted(KEYS)}"
