"""The share of belief around a cell."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.localization.prediction_density import prediction_density

# On a sphere of 6371 km a degree is 111.19 km.
CENTRES = [(0.0, 0.0), (0.0, 1.0), (0.0, 3.0), (0.0, 180.0)]
SHARES = [0.4, 0.3, 0.2, 0.1]


def test_cells_within_reach_are_summed() -> None:
    found = prediction_density(SHARES, CENTRES, 0, scales_km=[0, 111, 112, 334, 20016])
    np.testing.assert_allclose(found, [0.4, 0.4, 0.7, 0.9, 1.0])


def test_the_most_probable_cell_is_asked_about_and_the_first_of_several() -> None:
    np.testing.assert_allclose(prediction_density(SHARES, CENTRES, scales_km=[1]), [0.4])
    equal = prediction_density([0.5, 0.2, 0.3, 0.5], CENTRES, scales_km=[150])
    np.testing.assert_allclose(equal, [0.7])


def test_a_centre_written_on_either_side_of_the_antimeridian_is_one_place() -> None:
    found = prediction_density([0.6, 0.4], [(10.0, 180.0), (10.0, -180.0)], scales_km=[0])
    np.testing.assert_allclose(found, [1.0])


def test_by_default_at_the_five_scales_of_the_field() -> None:
    assert prediction_density(SHARES, CENTRES).shape == (5,)


@pytest.mark.parametrize(
    ("shares", "centres", "settings", "message"),
    [
        (SHARES[:3], CENTRES, {}, "Got 3 and 4"),
        ([], np.empty((0, 2)), {}, "Got 0 and 0"),
        ([0.4, -0.3, 0.2, 0.1], CENTRES, {}, "probabilities row 1 must be finite and not negative"),
        ([0.4, 0.3, np.nan, 0.1], CENTRES, {}, "row 2 .* Got nan"),
        ([SHARES], CENTRES, {}, r"one dimension. Got shape \(1, 4\)"),
        (SHARES, CENTRES, {"cell": 4}, "between 0 and 3. Got 4"),
        (SHARES, CENTRES, {"cell": -1}, "between 0 and 3. Got -1"),
        (SHARES, CENTRES, {"scales_km": [1.0, np.inf]}, "scales_km row 1"),
    ],
)
def test_bad_input(
    shares: list[float], centres: object, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        prediction_density(shares, centres, **settings)


def test_a_centre_that_is_no_place() -> None:
    with pytest.raises(CoordinateError, match="centres"):
        prediction_density([1.0], [(91.0, 0.0)])
