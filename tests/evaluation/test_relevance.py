"""What is right for a query: matrices, labels, places, and the other direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.retrieval.relevance import Lists, Relevance
from sightline.geo.distance import destination, great_circle_m

from .sets import random_relevance


def as_sets(lists: Lists) -> list[set[int]]:
    return [set(lists.of(query).tolist()) for query in range(len(lists))]


def test_matrices_padded_with_minus_one() -> None:
    relevance = Relevance.from_indices(
        [[3, 1, 3], [-1, -1, -1], [0, -1, 2]],
        5,
        semi_positives=[[1, 2, -1], [4, -1, -1], [-1, -1, 1]],
        ignore=[[0], [4], [-1]],
    )
    assert relevance.queries == 3
    assert as_sets(relevance.positives) == [{1, 3}, set(), {0, 2}]
    # A positive is no semi-positive, and what is ignored is neither.
    assert as_sets(relevance.semi_positives) == [{2}, set(), {1}]
    assert as_sets(relevance.ignored) == [{0}, {4}, set()]
    assert relevance.positives.lengths.tolist() == [2, 0, 2]


def test_one_number_each_and_pairs() -> None:
    single = Relevance.from_indices(np.array([2, 0, 1], np.uint8), 3)
    assert as_sets(single.positives) == [{2}, {0}, {1}]
    assert as_sets(Relevance.paired(3).positives) == [{0}, {1}, {2}]
    floats = Relevance.from_indices(np.array([2.0, 0.0]), 3)
    assert as_sets(floats.positives) == [{2}, {0}]


def test_labels_with_junk_and_places_that_nobody_shows() -> None:
    relevance = Relevance.from_labels([[7], [9], [4]], [4, -1, 7, 7, -1])
    assert as_sets(relevance.positives) == [{2, 3}, set(), {0}]
    assert as_sets(relevance.ignored) == [{1, 4}] * 3
    none = Relevance.from_labels([1, 2], [3, 4])
    assert as_sets(none.positives) == [set(), set()]


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 3e6))
def test_places_within_a_radius(seed: int, radius_m: float) -> None:
    rng = np.random.default_rng(seed)
    queries = np.column_stack([rng.uniform(-90, 90, 20), rng.uniform(-180, 180, 20)])
    near = destination(queries, rng.uniform(0, 360, 20), rng.uniform(0, 2 * radius_m, 20))
    references = np.concatenate([near, [[90.0, 10.0], [-90.0, 0.0], [0.0, 180.0]]])
    relevance = Relevance.within_radius(queries, references, radius_m)
    inside = great_circle_m(queries[:, None], references[None]) <= radius_m
    assert as_sets(relevance.positives) == [set(np.flatnonzero(row).tolist()) for row in inside]


def test_a_radius_reaches_over_the_antimeridian_and_includes_its_end() -> None:
    metres = float(great_circle_m((0, 179.9999), (0, -179.9999)))
    relevance = Relevance.within_radius([(0, 179.9999)], [(0, -179.9999)], metres)
    assert as_sets(relevance.positives) == [{0}]
    everything = Relevance.within_radius([(10, 20)], [(-10, -160), (0, 0)], 3e7)
    assert as_sets(everything.positives) == [{0, 1}]


def test_the_other_direction_is_its_own_inverse() -> None:
    relevance = random_relevance(np.random.default_rng(0), 12, 9)
    turned = relevance.reversed()
    assert (turned.queries, turned.references) == (9, 12)
    for name in ("positives", "semi_positives", "ignored"):
        there, back = getattr(relevance, name), getattr(turned, name)
        assert {(q, r) for q in range(12) for r in there.of(q).tolist()} == {
            (q, r) for r in range(9) for q in back.of(r).tolist()
        }
        assert as_sets(getattr(turned.reversed(), name)) == as_sets(there)


def test_shuffling_hands_the_same_lists_to_other_queries() -> None:
    relevance = random_relevance(np.random.default_rng(1), 30, 20)
    shuffled = relevance.shuffled(np.random.default_rng(2))
    together = [
        sorted(zip(*(map(sorted, as_sets(part)) for part in parts), strict=True))
        for parts in (
            (relevance.positives, relevance.semi_positives, relevance.ignored),
            (shuffled.positives, shuffled.semi_positives, shuffled.ignored),
        )
    ]
    assert together[0] == together[1]
    assert as_sets(relevance.positives) != as_sets(shuffled.positives)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positives": [0, 3]}, "positives row 1 names reference 3, and there are 3"),
        ({"positives": [0, -2]}, "positives row 1 names reference -2"),
        ({"positives": [0.0, 0.5]}, "positives must hold whole numbers. Got float64 with 0.5"),
        ({"positives": [0.0, np.inf]}, "positives must hold whole numbers. .* inf in row 1"),
        ({"positives": [0.0, np.nan]}, "positives must hold whole numbers. .* nan in row 1"),
        ({"positives": ["a", "b"]}, "positives must hold whole numbers"),
        ({"positives": np.zeros((2, 2, 2), int)}, r"shape \(n,\) or \(n, p\). Got \(2, 2, 2\)"),
        ({"positives": [0, 1], "semi_positives": [0]}, "semi_positives has 1 rows, .* has 2"),
        ({"positives": [0, 1], "ignore": [[2], [7]]}, "ignore row 1 names reference 7"),
        ({"positives": [0, 1], "ignore": [[2], [1]]}, "Reference 1 is both .* for query 1"),
    ],
)
def test_lists_that_cannot_be(arguments: dict, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        Relevance.from_indices(references=3, **arguments)


def test_labels_and_places_that_cannot_be() -> None:
    with pytest.raises(EvaluationError, match="query labels row 1 is -1"):
        Relevance.from_labels([0, -1], [0, 1])
    with pytest.raises(EvaluationError, match=r"reference labels must have shape \(n,\)"):
        Relevance.from_labels([0], [[0, 1], [1, 2]])
    with pytest.raises(CoordinateError, match="reference_latlon row 1"):
        Relevance.within_radius([(0, 0)], [(0, 0), (91, 0)], 25)
    for radius_m in (0, -1, np.nan, np.inf):
        with pytest.raises(EvaluationError, match="positive number of metres"):
            Relevance.within_radius([(0, 0)], [(0, 0)], radius_m)
