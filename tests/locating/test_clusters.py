from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from sightline.errors import UsageError
from sightline.geo.coordinates import normalise_longitude
from sightline.geo.distance import destination, geodesic_m, great_circle_m, spherical_mean
from sightline.locating.clusters import ELLIPSOID_BAND, cluster_labels, largest_cluster
from sightline.locating.evidence import PAIRS_AT_ONCE

from .strategies import match_rows


def oracle_labels(coordinates: np.ndarray, epsilon_m: float, min_samples: int) -> np.ndarray:
    labels = np.full(len(coordinates), -1)
    real = ~np.isnan(coordinates).any(axis=1)
    places = coordinates[real]
    apart = geodesic_m(places[:, None], places[None])
    # scikit-learn wants a positive epsilon; no two places are this near without being one.
    model = DBSCAN(eps=max(epsilon_m, 1e-9), min_samples=min_samples, metric="precomputed")
    labels[real] = model.fit(apart).labels_
    return labels


def oracle_point(
    coordinates: np.ndarray, scores: np.ndarray, epsilon_m: float, min_samples: int, a: float
) -> np.ndarray:
    """One query, cluster by cluster, in the words of the paper."""
    labels = oracle_labels(coordinates, epsilon_m, min_samples)
    clusters = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    if not clusters:
        return coordinates[np.nanargmax(scores)]
    largest = max(len(members) for members in clusters)
    tied = [members for members in clusters if len(members) == largest]
    members = max(tied, key=lambda m: (scores[m].max(), -m[scores[m].argmax()]))
    positive = np.maximum(scores[members], 0.0)
    weights = positive**a if a and positive.any() else np.ones(len(members))
    return spherical_mean(coordinates[members], weights)


@settings(max_examples=300, deadline=None)
@given(
    match_rows(padding=True),
    st.sampled_from([0.0, 15.0, 600.0, 1000.0, 4e5]),
    st.integers(1, 4),
    st.sampled_from([0.0, 1.0, 3.5]),
)
def test_equal_to_scikit_learn_and_the_plain_words(row, epsilon_m, min_samples, a) -> None:
    coordinates, scores = row
    labels = cluster_labels(coordinates[None], epsilon_m=epsilon_m, min_samples=min_samples)
    np.testing.assert_array_equal(labels[0], oracle_labels(coordinates, epsilon_m, min_samples))
    found = largest_cluster(
        coordinates[None],
        scores[None],
        epsilon_m=epsilon_m,
        min_samples=min_samples,
        mean_exponent=a,
    )
    expected = oracle_point(coordinates, scores, epsilon_m, min_samples, a)
    assert great_circle_m(found.points[0], expected) < 1e-3


def test_a_border_match_belongs_to_the_first_cluster_that_reaches_it() -> None:
    # Along a meridian, 0.9 km apart: three cores on either side of one border match.
    steps = np.array([5, 6, 6.4, 5.2, 3, 2, 2.2, 2.4, 4]) * 900.0
    line = destination(np.array([50.0, 8.0]), 0.0, steps)
    labels = cluster_labels(line[None], epsilon_m=1000.0, min_samples=4)
    np.testing.assert_array_equal(labels[0], oracle_labels(line, 1000.0, 4))
    assert labels[0, -1] == 0
    assert set(labels[0]) == {0, 1}


def test_batches_equal_their_rows_across_chunks() -> None:
    rng = np.random.default_rng(5)
    k = 60
    n = PAIRS_AT_ONCE // (k * k) + 7
    coordinates = np.array([40.0, -3.0]) + rng.normal(0, 0.03, (n, k, 2))
    scores = rng.uniform(0, 1, (n, k))
    labels = cluster_labels(coordinates, epsilon_m=400.0, min_samples=3)
    points = largest_cluster(coordinates, scores, epsilon_m=400.0, min_samples=3).points
    for row in (0, 1, n // 2, n - 8, n - 1):
        np.testing.assert_array_equal(labels[row], oracle_labels(coordinates[row], 400.0, 3))
        alone = largest_cluster(
            coordinates[row][None], scores[row][None], epsilon_m=400.0, min_samples=3
        )
        np.testing.assert_allclose(points[row], alone.points[0], atol=1e-12)


@pytest.mark.parametrize(("lat", "bearing"), [(0.0, 0.0), (0.0, 90.0), (89.9, 0.0), (45.0, 60.0)])
def test_epsilon_is_inclusive_and_on_the_ellipsoid(lat: float, bearing: float) -> None:
    start = np.array([lat, 179.995])
    pair = np.stack([start, destination(start, bearing, 1000.0)])
    exact = float(geodesic_m(pair[0], pair[1]))
    assert abs(exact / 1000 - 1) > 1e-4  # the sphere decides otherwise
    for epsilon_m, together in [(exact, True), (np.nextafter(exact, 0), False)]:
        labels = cluster_labels(pair[None], epsilon_m=epsilon_m)[0]
        assert (labels[0] == labels[1]) == together


def test_the_band_holds_the_ellipsoid() -> None:
    rng = np.random.default_rng(3)
    a = np.stack(
        [np.degrees(np.arcsin(rng.uniform(-1, 1, 200_000))), rng.uniform(-180, 180, 200_000)], 1
    )
    a[:3] = [[0, 0], [90, 0], [89.99, 5]]
    b = destination(a, rng.uniform(0, 360, len(a)), 10 ** rng.uniform(0, 7.2, len(a)))
    sphere = great_circle_m(a, b)
    assert (np.abs(geodesic_m(a, b) / sphere - 1) < ELLIPSOID_BAND - 3e-4).all()


def test_ties_go_to_the_cluster_of_the_best_match() -> None:
    near, far = np.array([1.0, 1.0]), np.array([5.0, 5.0])
    coordinates = np.stack([near, far, far, near])[None]
    first = largest_cluster(coordinates, [[0.9, 0.8, 0.7, 0.1]])
    np.testing.assert_allclose(first.points, [near])
    second = largest_cluster(coordinates, [[0.1, 0.8, 0.7, 0.2]])
    np.testing.assert_allclose(second.points, [far])
    # The published code goes by rank alone.
    ranked = largest_cluster(coordinates, [[0.1, 0.8, 0.7, 0.2]], convention="visloc")
    np.testing.assert_allclose(ranked.points, [near])


def test_the_size_of_a_cluster_beats_its_scores() -> None:
    coordinates = [[[1.0, 1.0], [5.0, 5.0], [5.0, 5.001]]]
    found = largest_cluster(coordinates, [[0.9, 0.1, 0.1]])
    np.testing.assert_allclose(found.points, [[5.0, 5.0005]], atol=1e-9)
    assert found.weights[0, 0] > 0.99


def test_noise_everywhere_answers_with_the_best_match() -> None:
    coordinates = [[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]]
    found = largest_cluster(coordinates, [[0.2, 0.9, 0.1]], min_samples=2)
    np.testing.assert_array_equal(found.points, [[2.0, 2.0]])
    np.testing.assert_array_equal(cluster_labels(coordinates, min_samples=2), [[-1, -1, -1]])


def test_antipodes_have_no_middle_and_answer_with_the_best() -> None:
    coordinates = [[[10.0, 20.0], [-10.0, -160.0]]]
    found = largest_cluster(coordinates, [[0.2, 0.9]], epsilon_m=3e7)
    np.testing.assert_array_equal(found.points, [[-10.0, -160.0]])


@settings(deadline=None)
@given(match_rows(), st.permutations(range(12)))
def test_the_order_of_the_matches_does_not_count(row, permutation) -> None:
    coordinates, scores = row
    order = [p for p in permutation if p < len(scores)]
    one = largest_cluster(coordinates[None], scores[None])
    other = largest_cluster(coordinates[order][None], scores[order][None])
    assert great_circle_m(one.points[0], other.points[0]) < 1e-3
    np.testing.assert_allclose(one.weights[0, order], other.weights[0])


@settings(deadline=None)
@given(match_rows(), st.floats(-180, 180), st.sampled_from([1, 3]))
def test_turning_the_globe_turns_the_answer(row, turn, min_samples) -> None:
    coordinates, scores = row
    turned = np.stack([coordinates[:, 0], normalise_longitude(coordinates[:, 1] + turn)], 1)
    one = largest_cluster(coordinates[None], scores[None], min_samples=min_samples).points[0]
    other = largest_cluster(turned[None], scores[None], min_samples=min_samples).points[0]
    assert great_circle_m((one[0], one[1] + turn), other) < 1e-3


def test_weighted_mean_without_positive_scores_is_plain() -> None:
    coordinates = [[[0.0, 0.0], [0.0, 0.004]]]
    for convention in (None, "visloc"):
        found = largest_cluster(
            coordinates, [[-0.5, 0.0]], mean_exponent=2.0, convention=convention
        )
        np.testing.assert_allclose(found.points, [[0.0, 0.002]], atol=1e-12)


def test_nothing_is_nowhere() -> None:
    for convention in (None, "visloc"):
        found = largest_cluster(
            np.full((2, 3, 2), np.nan), np.full((2, 3), np.nan), convention=convention
        )
        assert np.isnan(found.points).all()
    assert largest_cluster(np.zeros((0, 3, 2)), np.zeros((0, 3))).points.shape == (0, 2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epsilon_m": -1.0}, "epsilon_m"),
        ({"min_samples": 0}, "min_samples"),
        ({"mean_exponent": -0.5}, "mean_exponent"),
        ({"convention": "planet"}, "convention must be None or 'visloc'. Got 'planet'"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        largest_cluster(np.zeros((1, 1, 2)), np.zeros((1, 1)), **wrong)
