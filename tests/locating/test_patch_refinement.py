"""Places between patches, on scores of a known fall-off and on a painted plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.locating.patch_refinement import refined_offset

from .painted_world import STRIDE_M, painted_encoder, patch, view

inside = st.floats(-0.5, 0.5)


def eight_around(step: float = 1.0) -> np.ndarray:
    return np.array([(x, y) for y in (-step, 0, step) for x in (-step, 0, step)], dtype=float)


@given(inside, inside, st.floats(10, 200))
def test_it_finds_the_top_of_a_hill(east: float, north: float, stride: float) -> None:
    """Scores that fall off as a Gaussian of one stride: a tenth of a stride is what is left."""
    offsets = eight_around(stride)
    away = np.linalg.norm(offsets - stride * np.array([east, north]), axis=1)
    found = refined_offset(offsets, 0.2 + 0.5 * np.exp(-0.5 * (away / stride) ** 2), stride)
    assert np.abs(found / stride - (east, north)).max() < 0.15
    assert np.all(found * (east, north) >= -1e-9 * stride**2)


def test_edges_and_plains() -> None:
    offsets = eight_around()
    scores = np.linspace(0.1, 0.5, 9)
    # No patch to the west: nothing is said of east and west.
    east_only = offsets[:, 0] >= 0
    found = refined_offset(offsets[east_only], scores[east_only], 1.0)
    assert found[0] == 0
    assert found[1] > 0
    assert refined_offset(offsets, np.full(9, 0.3), 1.0).tolist() == [0, 0]
    assert refined_offset(np.zeros((1, 2)), np.array([0.4]), 1.0).tolist() == [0, 0]


def test_it_beats_the_best_patch_by_far() -> None:
    """Photos of a painted plain against the 25 patches around them."""
    encoder = painted_encoder("panorama", turns=1)
    rng = np.random.default_rng(0)
    steps = np.arange(-2, 3) * STRIDE_M
    errors = []
    for _ in range(40):
        here, off = (rng.uniform(-400, 400, 2), rng.uniform(-STRIDE_M / 2, STRIDE_M / 2, 2))
        centres = np.array([(east, north) for north in steps for east in steps]) - off
        rows = encoder.encode([patch(*(here + c)) for c in centres], "aerial")
        asked = encoder.ground_queries(encoder.prepare(view(*here, 0))[None], np.zeros(1))
        scores = (rows @ asked.vectors[0, 0]).astype(np.float64)
        best = scores.argmax()
        around = centres - centres[best]
        near = np.linalg.norm(around, axis=1) <= 1.5 * STRIDE_M
        moved = refined_offset(around[near], scores[near], STRIDE_M)
        errors.append((np.linalg.norm(centres[best]), np.linalg.norm(centres[best] + moved)))
    plain, refined = np.median(errors, axis=0)
    assert plain == pytest.approx(0.38 * STRIDE_M, rel=0.25)
    assert refined < STRIDE_M / 5
