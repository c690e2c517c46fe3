"""Reading all fields at once is the raster's own interpolation."""

from __future__ import annotations

import numpy as np
from tests.planet.scenes import town

from sightline.planet.looks.field_reading import fields_at


def test_all_fields_are_the_rasters_within_rounding() -> None:
    ground = town().ground
    random = np.random.default_rng(5)
    # Some places lie beyond the raster, whose border holds there.
    east, north = random.uniform(-400, 400, (2, 3000)).astype(np.float32)
    found, exact = fields_at(town(), east, north), ground.sample(east, north)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-3)


def test_no_places_have_no_fields() -> None:
    none = np.zeros(0, np.float32)
    assert fields_at(town(), none, none).shape == town().ground.sample(none, none).shape
