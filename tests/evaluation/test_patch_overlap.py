"""Overlap against geometry, grades against VIGOR's own labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.layouts.vigor_labels import (
    GRID_STEP_M,
    METRES_PER_PIXEL,
    Label,
    parse_label,
    revisions_of,
)
from sightline.errors import EvaluationError
from sightline.evaluation.patch_overlap import (
    PatchGrade,
    overlap_aware_hits,
    patch_grades,
    patch_overlap,
)

metres = st.floats(-300, 300)


@given(metres, metres, st.floats(1, 200))
def test_overlap_is_that_of_two_squares(east: float, north: float, side: float) -> None:
    first = shapely.box(-side / 2, -side / 2, side / 2, side / 2)
    second = shapely.box(east - side / 2, north - side / 2, east + side / 2, north + side / 2)
    expected = first.intersection(second).area / first.union(second).area
    assert patch_overlap(east, north, side) == pytest.approx(expected, abs=1e-9)


def test_the_papers_bounds() -> None:
    """Section 3: a positive overlaps the ideal patch by at least 0.39, a semi-positive by 0.14."""
    assert patch_overlap(25, 25, 100) == pytest.approx(9 / 23)
    assert patch_overlap(50, -50, 100) == pytest.approx(1 / 7)
    assert patch_overlap([0, 100], [0, 0], 100).tolist() == [1.0, 0.0]
    offsets = np.random.default_rng(0).uniform(-80, 80, (2, 2000))
    grades = patch_grades(*offsets, 100)
    overlap = patch_overlap(*offsets, 100)
    assert overlap[grades == PatchGrade.POSITIVE].min() >= 9 / 23
    assert overlap[grades == PatchGrade.SEMI_POSITIVE].min() >= 1 / 7
    # Every place of a grid of half a side has one positive and three semi-positives.
    centres = np.arange(-200, 201, 50.0)
    for east, north in np.random.default_rng(1).uniform(-25, 25, (50, 2)):
        grid = patch_grades(east - centres[:, None], north - centres[None], 100)
        assert (grid == PatchGrade.POSITIVE).sum() == 1
        assert (grid == PatchGrade.SEMI_POSITIVE).sum() == 3


def test_borders_count_to_the_better_grade() -> None:
    assert patch_grades([25, 25.001, 50, 50.001], 0, 100).tolist() == [2, 1, 1, 0]
    assert patch_grades([30, 60, 61], 0, 100, step_m=60).tolist() == [2, 1, 0]


def test_grades_are_those_of_the_real_labels(shared_data: Path) -> None:
    """First the positive, then three semi-positives, in every line of the corrected labels."""
    revision = revisions_of(shared_data / "vigor")[0]
    for city in ("Chicago", "NewYork", "Seattle"):
        path = revision.folder / city / revision.label_files("same-area")[0]
        pixels = []
        for number, text in enumerate(path.read_text().splitlines()[::20], start=1):
            label = parse_label(city, text, path, number)
            assert isinstance(label, Label)
            pixels.append(label.pixels)
        offsets = np.array(pixels) * METRES_PER_PIXEL[city]
        side = 640 * METRES_PER_PIXEL[city]
        # Offsets were cut to whole pixels, and the grid is one of degrees.
        grades = patch_grades(
            offsets[..., 1], offsets[..., 0], side, step_m=GRID_STEP_M + 4 * METRES_PER_PIXEL[city]
        )
        assert (grades[:, 0] == PatchGrade.POSITIVE).all()
        assert (grades[:, 1:] >= PatchGrade.SEMI_POSITIVE).all()
        assert (grades[:, 1:] == PatchGrade.SEMI_POSITIVE).mean() > 0.97
        farthest = np.abs(offsets).max(axis=2)
        assert (farthest[:, :1] <= farthest[:, 1:]).mean() > 0.99


def test_hits_skip_semi_positives() -> None:
    grades = [[2, 0, 0], [1, 1, 2], [1, 0, 2], [0, 2, 1], [1, 1, 1], [1, 2, 0]]
    assert overlap_aware_hits(grades).tolist() == [True, True, False, False, False, True]


def test_refusals() -> None:
    with pytest.raises(EvaluationError, match="finite metres"):
        patch_overlap(np.nan, 0, 100)
    for side in (0, np.inf, -1):
        with pytest.raises(EvaluationError, match="patch_m"):
            patch_overlap(1, 1, side)
    for step in (0, 101, np.nan):
        with pytest.raises(EvaluationError, match="step_m"):
            patch_grades(1, 1, 100, step_m=step)
    for shape in ((3,), (3, 0)):
        with pytest.raises(EvaluationError, match="shape"):
            overlap_aware_hits(np.zeros(shape))
