"""Answers over cells against what the code of the search-within-cell paper returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.geo.partition import Centres, Partition
from sightline.locating import answers_by_level, classify

from .files import DENSITY, cases


def test_no_answer_of_a_level_has_less_around_it_than_the_published_one(conformance: Path) -> None:
    """The published density is that of one cell; ours is the largest of all cells."""
    for case in cases(conformance, DENSITY):
        places = case.arrays["coords"]
        shares = case.arrays["probs"].astype(np.float64)
        with np.errstate(divide="ignore"):
            beliefs = np.log(shares / shares.sum())[None]
        held = Partition(Centres(places), places)
        best = int(shares.argmax())
        assert classify(beliefs, held)[0] == pytest.approx(held.representatives[best])
        for name in ("default", "custom"):
            radii = {f"{km}": float(km) for km in case.meta[f"scales_{name}"]}
            found = answers_by_level(beliefs, held, levels_km=radii, cells=len(held))
            published = case.arrays[f"density_{name}"] / shares.sum()
            # It sums in float32.
            assert (found.mass[0] >= published - 1e-6).all(), case.name
