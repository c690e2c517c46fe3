from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.sanity import (
    Leak,
    collapse_of,
    places_look_swapped,
    same_content,
    same_place,
)
from sightline.geo.distance import destination, great_circle_m


def hexes(values: list[int]) -> np.ndarray:
    return np.array([hashlib.sha256(bytes([value])).hexdigest() for value in values], "U64")


def digests(values: list[int]) -> np.ndarray:
    rows = [list(hashlib.sha256(bytes([value])).digest()) for value in values]
    return np.array(rows, np.uint8).reshape(len(values), 32)


FORMS = {
    "text": hexes,
    "bytes": lambda values: hexes(values).astype("S64"),
    "digests": digests,
    "numbers": lambda values: np.array(values, np.int64) - 100,
    "unsigned": lambda values: np.array(values, np.uint64) + np.uint64(2**64 - 300),
}


@settings(deadline=None)
@given(
    asked=st.lists(st.integers(0, 20), max_size=30),
    held=st.lists(st.integers(0, 20), max_size=30),
    form=st.sampled_from(sorted(FORMS)),
)
def test_content_is_found_by_any_form_of_hash(asked, held, form) -> None:
    expected = [(row, held.index(value)) for row, value in enumerate(asked) if value in held]
    found = same_content(FORMS[form](asked), FORMS[form](held))
    assert found.queries == len(expected)
    assert list(found.examples) == expected[:5]


def test_lists_of_hashes_serve_as_well_as_arrays() -> None:
    assert same_content(["a", "b"], ["b", "b", "c"]) == Leak(1, ((1, 0),))


def test_photos_without_a_hash_are_not_one_photo() -> None:
    assert same_content(["", "a", ""], ["", "", "a"]) == Leak(1, ((1, 2),))
    assert same_content(np.array([b"", b"a"]), np.array([b"", b"b"])).queries == 0


def test_digests_that_end_in_zeros_are_told_apart() -> None:
    one, other = np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.uint8)
    one[0, 0], other[0, 1] = 7, 7
    assert same_content(one, other).queries == 0
    assert same_content(one, one).queries == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equal_vectors_hint_at_equal_photos_across_types(dtype) -> None:
    rng = np.random.default_rng(0)
    # Numbers that all three types hold.
    references = rng.integers(-40, 40, (50, 6)) / 8.0
    queries = rng.integers(-40, 40, (9, 6)) / 8.0
    queries[[2, 7]] = references[[31, 4]]
    queries[5], references[20] = -0.0, 0.0
    asked = collapse_of(queries.astype(dtype), rng=rng)
    held = collapse_of(references.astype(np.float32), rng=rng)
    found = same_content(asked.digests, held.digests)
    assert found == Leak(3, ((2, 31), (5, 20), (7, 4)))


@pytest.mark.parametrize(
    ("asked", "held", "says"),
    [
        (np.zeros(2), np.zeros(2), "query_hashes must be text or whole numbers.*float64"),
        (["a"], np.zeros((1, 2, 3), int), r"reference_hashes must be.*\(1, 2, 3\)"),
        (["a"], [1], "<U1 and reference_hashes are int64"),
        ([b"a"], ["a"], "none can be equal"),
        (np.array([None]), ["a"], "query_hashes must be text.*object"),
    ],
)
def test_hashes_of_another_kind_are_refused(asked, held, says) -> None:
    with pytest.raises(EvaluationError, match=says) as caught:
        same_content(asked, held)
    assert caught.value.hint


places = st.lists(st.tuples(st.integers(-90, 90), st.integers(-180, 180)), max_size=12)


@settings(deadline=None)
@given(
    asked=places,
    held=places,
    radius_m=st.sampled_from([0.0, 1.0, 111_194.9, 5e6, 3e7]),
    seed=st.integers(0, 99),
)
def test_places_are_found_as_by_measuring_every_pair(asked, held, radius_m, seed) -> None:
    rng = np.random.default_rng(seed)
    queries = np.array(asked, float).reshape(-1, 2)
    references = np.array(held, float).reshape(-1, 2)
    references += rng.uniform(0, 1e-7, references.shape) * np.sign(-references)
    distance = great_circle_m(queries[:, None], references[None])
    distance = distance.reshape(len(queries), len(references))
    expected = np.flatnonzero((distance <= radius_m).any(axis=1))
    found = same_place(queries, references, radius_m)
    assert found.queries == len(expected)
    assert [query for query, _ in found.examples] == expected[:5].tolist()
    for query, reference in found.examples:
        assert distance[query, reference] == pytest.approx(distance[query].min(), abs=1e-3)


def test_the_same_place_is_found_across_the_antimeridian_and_at_the_pole() -> None:
    queries = [[10.0, 179.99999], [90.0, 33.0], [0.0, 0.0]]
    references = [[10.0, -179.99999], [90.0, -120.0], [0.0, 1.0]]
    assert same_place(queries, references, 5.0) == Leak(2, ((0, 0), (1, 1)))
    assert same_place(queries, queries, 0.0).queries == 3
    assert same_place([[1.0, 2.0]], np.empty((0, 2)), 5.0) == Leak(0, ())


def test_the_radius_is_inclusive() -> None:
    start = np.array([57.7, 11.97])
    stop = destination(start, 90.0, 5.0)
    exact = float(great_circle_m(start, stop))
    assert same_place([start], [stop], exact).queries == 1
    assert same_place([start], [stop], np.nextafter(exact, 0)).queries == 0


@pytest.mark.parametrize("radius_m", [-1.0, np.nan, np.inf])
def test_a_radius_that_cannot_be_is_refused(radius_m) -> None:
    with pytest.raises(EvaluationError, match="0 or more"):
        same_place([[0.0, 0.0]], [[0.0, 0.0]], radius_m)


def test_bad_places_are_named() -> None:
    with pytest.raises(CoordinateError, match="reference_latlon row 1"):
        same_place([[0.0, 0.0]], [[0.0, 0.0], [91.0, 0.0]], 5.0)


def test_exchanged_axes_are_seen_where_they_can_be() -> None:
    rng = np.random.default_rng(0)
    town = np.array([57.7, 11.97]) + rng.normal(0, 0.05, (200, 2))
    queries = town[:50] + rng.normal(0, 1e-4, (50, 2))
    assert not places_look_swapped(queries, town)
    assert places_look_swapped(queries[:, ::-1], town)
    assert places_look_swapped(queries, town[:, ::-1])
    # Both sides exchanged lie together again.
    assert not places_look_swapped(queries[:, ::-1], town[:, ::-1])
    # Far away, and far away the other way round too: another town, no exchange.
    assert not places_look_swapped(queries - np.array([80.0, -20.0]), town)
    # The other way round would be no place at all.
    east = np.array([[35.0, 139.0]])
    assert not places_look_swapped(east, east + 5.0)
    assert not places_look_swapped(np.empty((0, 2)), town)
    assert not places_look_swapped(queries, np.empty((0, 2)))
