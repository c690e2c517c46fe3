"""Places between patches, on scores of a known fall-off and on a painted plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.locating.patch_refinement import reach_m, refined_offset

from .painted_world import STRIDE_M, painted_encoder, patch, view

inside = st.floats(-0.5, 0.5)


def eight_around(step: float = 1.0) -> np.ndarray:
    return np.array([(x, y) for y in (-step, 0, step) for x in (-step, 0, step)], dtype=float)


@settings(deadline=None)
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


def test_scores_that_differ_by_rounding_say_nothing() -> None:
    """Sea, or a field: what half precision leaves of equal scores is no evidence of a place."""
    offsets = eight_around()
    noise = np.random.default_rng(0).uniform(-2e-4, 2e-4, 9)
    assert refined_offset(offsets, 0.3 + noise, 1.0).tolist() == [0, 0]


def fine_grid(reach: int, stride: float) -> np.ndarray:
    steps = np.arange(-reach, reach + 1) * stride
    return np.array([(east, north) for north in steps for east in steps])


def test_an_edge_beyond_the_first_neighbour_draws_nowhere() -> None:
    """The photo stands on the best patch; to the west the imagery ends one stride away."""
    offsets = fine_grid(4, 14.0)
    scores = np.exp(-0.5 * (np.linalg.norm(offsets, axis=1) / 30.0) ** 2)
    assert np.abs(refined_offset(offsets, scores, 14.0)).max() < 1e-9
    inside = offsets[:, 0] >= -14.0
    assert np.abs(refined_offset(offsets[inside], scores[inside], 14.0)).max() < 1e-9


def test_neighbours_are_asked_as_far_as_scores_take_to_fall_off() -> None:
    """A model that was trained with photos anywhere in the middle quarter of patches of 112 m.

    Its scores are level there, but for noise, and fall off outside. On a grid of 14 m the eight
    patches around the best one stand on the level; those within the reach do not.
    """
    rng = np.random.default_rng(0)
    patch_m, stride = 112.0, 14.0
    assert reach_m(patch_m, stride) == pytest.approx(0.4 * patch_m)
    assert reach_m(patch_m, 56.0) == 84.0
    grid = fine_grid(9, stride)
    errors = []
    for _ in range(300):
        truth = rng.uniform(-stride / 2, stride / 2, 2)
        beyond = np.clip(np.abs(grid - truth).max(axis=1) - patch_m / 4, 0, None)
        scores = 0.5 * np.exp(-beyond / 20.0) + rng.normal(0, 0.05, len(grid))
        best = scores.argmax()
        away = grid - grid[best]
        moved = []
        for reach in (0.0, 1.5 * stride, reach_m(patch_m, stride)):
            near = np.linalg.norm(away, axis=1) <= reach
            place = grid[best] + refined_offset(away[near], scores[near], stride)
            moved.append(np.linalg.norm(place - truth))
        errors.append(moved)
    plain, eight, wide = np.median(errors, axis=0)
    assert wide < 0.85 * eight < 0.85 * plain


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
