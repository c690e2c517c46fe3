import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.geo.cells import cell_ids
from sightline.geo.coordinates import from_unit_vectors
from sightline.geo.covering import in_ranges
from sightline.geo.cube import face_xyz
from sightline.geo.distance import destination
from sightline.geo.surroundings import cover_surroundings


def around(place, rng, nearest_m, farthest_m, count=200):
    bearings = rng.uniform(0, 360, count)
    return destination(np.array([place]), bearings, rng.uniform(nearest_m, farthest_m, count))


@settings(max_examples=100)
@given(
    st.floats(-90, 90),
    st.floats(-180, 179.999),
    st.sampled_from([0.5, 37.5, 1000.0]),
    st.integers(0, 99),
)
def test_no_place_within_reach_is_missed_and_none_far_away_comes_along(lat, lon, reach_m, seed):
    rng = np.random.default_rng(seed)
    ranges = cover_surroundings(np.array([[lat, lon]]), reach_m)
    assert in_ranges(cell_ids(around((lat, lon), rng, 0, reach_m * 0.999999)), ranges).all()
    far = around((lat, lon), rng, 12 * reach_m, 100 * reach_m)
    assert not in_ranges(cell_ids(far), ranges).any()


@pytest.mark.parametrize("face", range(6))
@pytest.mark.parametrize(("u", "v"), [(1.0, 0.0), (0.0, -1.0), (1.0, 1.0), (-1.0, 0.99999)])
def test_it_reaches_across_the_edges_and_corners_of_faces(face, u, v):
    rng = np.random.default_rng(face)
    xyz = face_xyz(np.array([face]), np.array([u]), np.array([v]))
    edge = from_unit_vectors(xyz)[0]
    ranges = cover_surroundings(np.array([edge]), 50.0)
    assert in_ranges(cell_ids(around(edge, rng, 0, 49.9999)), ranges).all()


def test_many_places_are_covered_as_each_alone():
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(-90, 90, 50), rng.uniform(-180, 180, 50)])
    together = cover_surroundings(places, 30.0)
    assert (together[1:, 0] > together[:-1, 1]).all()
    asked = np.concatenate([around(place, rng, 0, 300, 40) for place in places])
    alone = [in_ranges(cell_ids(asked), cover_surroundings(place[None], 30.0)) for place in places]
    np.testing.assert_array_equal(in_ranges(cell_ids(asked), together), np.any(alone, axis=0))


def test_no_place_has_no_surroundings():
    assert cover_surroundings(np.empty((0, 2)), 10.0).shape == (0, 2)
