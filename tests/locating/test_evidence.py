from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import CoordinateError, UsageError
from sightline.locating.evidence import (
    PAIRS_AT_ONCE,
    as_evidence,
    evidence_weights,
    in_chunks,
    on_threads,
    require_number,
)
from sightline.locating.nearest import nearest_match


def test_weights_are_powers_of_the_positive_scores() -> None:
    scores = np.array([[0.9, 0.6, 0.0, -0.4, np.nan]])
    expected = np.array([0.9**10, 0.6**10, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(evidence_weights(scores)[0], expected / expected.sum(), rtol=1e-12)


def test_weights_without_positive_scores_are_uniform() -> None:
    weights = evidence_weights([[-0.1, 0.0, -0.9, np.nan], [np.nan] * 4])
    np.testing.assert_array_equal(weights, [[1 / 3, 1 / 3, 1 / 3, 0.0], [0.0] * 4])


def test_weights_of_tiny_scores_do_not_underflow() -> None:
    weights = evidence_weights([[2e-40, 1e-40]])
    np.testing.assert_allclose(weights, [[1024 / 1025, 1 / 1025]], rtol=1e-9)


def test_exponent_zero_counts_positive_scores_alike() -> None:
    np.testing.assert_array_equal(evidence_weights([[0.9, 0.1, -0.1]], 0.0), [[0.5, 0.5, 0.0]])


@given(st.lists(st.floats(-1, 1) | st.just(float("nan")), min_size=1, max_size=9), st.floats(0, 30))
def test_weights_are_shares(scores: list[float], exponent: float) -> None:
    weights = evidence_weights([scores], exponent)[0]
    assert (weights >= 0).all()
    some = not np.isnan(scores).all()
    assert weights.sum() == pytest.approx(1.0 if some else 0.0, abs=1e-12)
    assert (weights[np.isnan(scores)] == 0).all()


@pytest.mark.parametrize("exponent", [-1.0, np.nan, np.inf])
def test_impossible_exponents_are_refused(exponent: float) -> None:
    with pytest.raises(UsageError, match="exponent must be a finite number, at least 0"):
        evidence_weights([[0.5]], exponent)


@pytest.mark.parametrize(
    ("coordinates", "scores"),
    [
        (np.zeros((2, 3, 2)), np.zeros((2, 4))),
        (np.zeros((3, 2)), np.zeros(3)),
        (np.zeros((1, 0, 2)), np.zeros((1, 0))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(coordinates: np.ndarray, scores: np.ndarray) -> None:
    with pytest.raises(UsageError, match="must have shape"):
        as_evidence(coordinates, scores)


def test_infinite_scores_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Scores must be finite.*inf"):
        as_evidence(np.zeros((1, 1, 2)), [[np.inf]])


def test_coordinates_out_of_range_are_refused() -> None:
    with pytest.raises(CoordinateError, match="91"):
        as_evidence([[[91.0, 0.0]]], [[0.5]])


def test_half_a_coordinate_is_padding() -> None:
    evidence = as_evidence([[[np.nan, 0.0], [1.0, 190.0], [2.0, 2.0]]], [[0.9, 0.5, np.nan]])
    np.testing.assert_array_equal(evidence.valid, [[False, True, False]])
    np.testing.assert_array_equal(evidence.coordinates[0, 1], [1.0, -170.0])
    assert np.isnan(evidence.coordinates[0, [0, 2]]).all()
    np.testing.assert_array_equal(evidence.unit_vectors()[0, [0, 2]], 0.0)
    assert evidence.best()[0] == 1


def test_the_callers_arrays_stay_as_they_are() -> None:
    coordinates, scores = np.array([[[1.0, 190.0], [2.0, 2.0]]]), np.array([[0.5, np.nan]])
    as_evidence(coordinates, scores)
    np.testing.assert_array_equal(coordinates, [[[1.0, 190.0], [2.0, 2.0]]])


def test_chunks_cover_all_queries_within_bounds() -> None:
    for queries, matches in [(0, 5), (1, 1), (1000, 100), (3, 2000)]:
        rows = np.arange(queries)
        chunks = [rows[chunk] for chunk in in_chunks(queries, matches)]
        np.testing.assert_array_equal(np.concatenate([[], *chunks]), rows)
        assert all(len(c) * matches**2 <= max(PAIRS_AT_ONCE, matches**2) for c in chunks)


def test_required_numbers() -> None:
    require_number("k", 1, at_least=1)
    require_number("x", 1e-9, at_least=0, exclusive=True)
    with pytest.raises(UsageError, match="above 0"):
        require_number("x", 0.0, at_least=0, exclusive=True)


def test_nearest_takes_the_best_score_and_the_first_of_equals() -> None:
    coordinates = [[[np.nan, np.nan], [10.0, 20.0], [11.0, 21.0], [12.0, 22.0]]]
    placement = nearest_match(coordinates, [[0.99, 0.3, 0.8, 0.8]])
    np.testing.assert_array_equal(placement.points, [[11.0, 21.0]])
    np.testing.assert_allclose(placement.weights.sum(), 1.0)
    assert placement.weights[0, 0] == 0


def test_nearest_of_nothing_is_nowhere() -> None:
    placement = nearest_match(np.full((2, 3, 2), np.nan), np.full((2, 3), np.nan))
    assert np.isnan(placement.points).all()
    assert (placement.weights == 0).all()
    assert nearest_match(np.zeros((0, 3, 2)), np.zeros((0, 3))).points.shape == (0, 2)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_part_is_worked_on_and_errors_come_through(count: int) -> None:
    done = np.zeros(10, int)

    def work(part: slice) -> None:
        done[part] += 1

    on_threads(work, [slice(2 * at, 2 * at + 2) for at in range(count)])
    np.testing.assert_array_equal(done, np.arange(10) < 2 * count)

    def refuse(part: slice) -> None:
        raise UsageError(f"Not {part.start}.", hint="None.")

    if count:
        with pytest.raises(UsageError, match="Not 0"):
            on_threads(refuse, [slice(at, at + 1) for at in range(count)])
