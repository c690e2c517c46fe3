from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CoordinateError, UsageError
from sightline.imagery.aerial.tangent_plane import TangentPlane, checked_patch, patch_outline

from .rasters import GEOD

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
metres = st.floats(-1000, 1000)


@settings(deadline=None)
@given(latitudes, longitudes, metres, metres)
def test_metres_and_directions_are_those_of_geodesics(lat, lon, east, north):
    place = TangentPlane((lat, lon)).to_latlng([[east, north]])[0]
    there, _, distance = GEOD.inv(lon, lat, place[1], place[0])
    assert distance == pytest.approx(np.hypot(east, north), abs=2e-4, rel=1e-7)
    if distance > 1 and abs(lat) < 89:
        assert np.cos(np.radians(there) - np.arctan2(east, north)) == pytest.approx(1, abs=1e-7)


@settings(deadline=None)
@given(latitudes, longitudes, st.floats(-100_000, 100_000), st.floats(-100_000, 100_000))
def test_the_largest_patch_is_true_to_two_parts_in_ten_thousand(lat, lon, east, north):
    place = TangentPlane((lat, lon)).to_latlng([[east, north]])[0]
    distance = GEOD.inv(lon, lat, place[1], place[0])[2]
    assert distance == pytest.approx(np.hypot(east, north), rel=2e-4, abs=1e-3)


def test_it_is_the_azimuthal_projection_of_the_place():
    points = np.random.default_rng(1).uniform(-500, 500, (50, 2))
    projection = pyproj.Proj("+proj=aeqd +lat_0=38.9 +lon_0=179.999 +ellps=WGS84")
    lon, lat = projection(points[:, 0], points[:, 1], inverse=True)
    found = TangentPlane((38.9, 179.999)).to_latlng(points)
    assert np.abs(found[:, 0] - lat).max() < 1e-9
    assert np.abs((found[:, 1] - lon + 180) % 360 - 180).max() < 1e-9
    assert (found[:, 1] < -179).any()
    assert (found[:, 1] > 179).any()


def test_across_the_pole():
    here, beyond = TangentPlane((89.999, 10.0)).to_latlng([[0.0, 0.0], [0.0, 1000.0]])
    assert np.allclose(here, (89.999, 10.0))
    assert beyond[1] == pytest.approx(-170.0)
    assert beyond[0] < 89.995


def test_corners_come_clockwise_from_the_north_west():
    outline = patch_outline((10.0, 20.0), 100.0)
    assert outline.shape == (4, 2)
    assert (outline[:, 0] > 10).tolist() == [True, True, False, False]
    assert (outline[:, 1] > 20).tolist() == [False, True, True, False]


@pytest.mark.parametrize(("patch_m", "size_px"), [(0, 10), (-1, 10), (np.nan, 10), (3e5, 10)])
def test_impossible_sides(patch_m, size_px):
    with pytest.raises(UsageError, match="patch_m must be"):
        checked_patch(patch_m, size_px)


@pytest.mark.parametrize("size_px", [0, -1, 10_000])
def test_impossible_sizes(size_px):
    with pytest.raises(UsageError, match="size_px must be"):
        checked_patch(100.0, size_px)


def test_an_impossible_place():
    with pytest.raises(CoordinateError):
        TangentPlane((91.0, 0.0))
