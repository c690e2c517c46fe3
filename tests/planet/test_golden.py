"""Golden images pin both renderers within two levels.

If a test here fails after a wanted change, raise the number in ``sightline.planet.version`` and run
``python tools/planet_golden.py``; otherwise the change is a mistake.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.planet.golden_cases import (
    GOLDEN,
    IMAGES,
    SHARE_WITHIN,
    WITHIN_LEVELS,
    dispatched,
)

from sightline.planet.planet import Planet
from sightline.planet.version import RENDER_VERSION


@cache
def planet() -> Planet:
    return Planet(0)


def test_version_is_that_which_the_golden_images_were_made_with() -> None:
    recorded = json.loads((GOLDEN / "render.json").read_text(encoding="utf-8"))
    assert recorded == {"render_version": RENDER_VERSION}


@pytest.mark.parametrize("name", list(IMAGES))
def test_picture_is_the_same_within_the_tolerance(name: str) -> None:
    with Image.open(GOLDEN / f"{name}.png") as opened:
        expected = np.asarray(opened).astype(int)
    made = IMAGES[name](planet())
    assert made.shape == expected.shape
    within = np.abs(made.astype(int) - expected) <= WITHIN_LEVELS
    assert within.mean() >= SHARE_WITHIN
    assert expected.std() > 5


def test_without_the_processors_wide_instructions_pictures_stay_within_the_tolerance(
    tmp_path: Path,
) -> None:
    features = dispatched()
    if not features:
        pytest.skip("this numpy dispatches nothing on this processor")
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            Path(__file__).with_name("golden_pictures.py"),
            tmp_path / "made.npz",
        ],
        env=dict(os.environ, OMP_NUM_THREADS="1", NPY_DISABLE_CPU_FEATURES=" ".join(features)),
        check=True,
    )
    with np.load(tmp_path / "made.npz") as made:
        for name in IMAGES:
            expected = IMAGES[name](planet()).astype(int)
            within = np.abs(made[name].astype(int) - expected) <= WITHIN_LEVELS
            assert within.mean() >= SHARE_WITHIN, name


def test_pictures_do_not_depend_on_what_was_asked_before() -> None:
    name = "aerial_suburb_winter"
    busy = planet()
    for other in list(IMAGES)[:3]:
        IMAGES[other](busy)
    np.testing.assert_array_equal(IMAGES[name](busy), IMAGES[name](Planet(0)))


def test_golden_files_are_small_and_none_is_left_over() -> None:
    files = {path.name: path.stat().st_size for path in GOLDEN.iterdir()}
    assert set(files) == {"render.json", *(f"{name}.png" for name in IMAGES)}
    assert sum(files.values()) < 300_000
