"""Running minima and maxima against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.planet.ground.running import run_down


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 8, 9, 130])
@pytest.mark.parametrize("ufunc", [np.minimum, np.maximum])
def test_it_accumulates_down_the_rows(rows: int, ufunc: np.ufunc) -> None:
    random = np.random.default_rng(rows)
    for kind in (np.uint8, np.uint16, np.float32):
        values = random.integers(0, 200, (rows, 5)).astype(kind)
        expected = ufunc.accumulate(values, axis=0)
        run_down(ufunc, values)
        np.testing.assert_array_equal(values, expected)
