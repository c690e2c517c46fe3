from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.conventions import distance_km
from sightline.evaluation.localization.metrics import (
    THRESHOLDS_KM,
    LocalizationSettings,
    accuracy,
    accuracy_name,
    errors_m,
    localization_intervals,
    localization_values,
    mean_error_km,
    mean_error_km_of_answered,
    median_error_km,
    scores,
    within,
)
from sightline.evaluation.localization.tables import read_predictions
from sightline.evaluation.uncertainty import Interval

places = st.tuples(st.floats(-90, 90), st.floats(-180, 179.9))


def central_angle(a, b) -> float:
    """By the spherical law of cosines, which is right away from zero and the antipode."""
    phi1, lam1, phi2, lam2 = map(math.radians, (*a, *b))
    cosine = math.sin(phi1) * math.sin(phi2) + math.cos(phi1) * math.cos(phi2) * math.cos(
        lam2 - lam1
    )
    return math.acos(max(-1.0, min(1.0, cosine)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(places, places), min_size=1, max_size=8))
def test_errors_are_great_circles_on_the_sphere_that_the_field_takes(pairs) -> None:
    predicted, true = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    expected = [6_371_000.0 * central_angle(a, b) for a, b in pairs]
    # The law of cosines loses half its digits near zero and the antipode.
    assert errors_m(predicted, true) == pytest.approx(expected, rel=1e-6, abs=1.0)


def test_errors_on_the_ellipsoid_are_geodesics() -> None:
    predicted = np.array([[55.7, 13.2], [0.0, 0.0], [np.nan, np.nan]])
    true = np.array([[-33.9, 151.2], [0.0, 1.0], [1.0, 1.0]])
    found = errors_m(predicted, true, earth="geodesic")
    for row in (0, 1):
        (lat1, lon1), (lat2, lon2) = predicted[row], true[row]
        assert found[row] == pytest.approx(Geod(ellps="WGS84").inv(lon1, lat1, lon2, lat2)[2])
    assert found[2] == np.inf


def test_distances_are_those_that_a_published_model_was_reported_with(shared_data) -> None:
    table = read_predictions(shared_data / "predictions" / "osv5m_game_50.csv")
    theirs_km = np.array([float(cell) for cell in table.column("distance")])
    assert len(theirs_km) == 50
    assert np.abs(distance_km("osv5m", table.predicted, table.true) - theirs_km).max() < 1e-6
    ours_km = errors_m(table.predicted, table.true) / 1000.0
    assert np.abs(ours_km - theirs_km).max() < 1e-6
    reported = np.array([float(cell) for cell in table.column("score")])
    assert scores(theirs_km * 1000.0) == pytest.approx(reported, abs=1e-9)


def test_no_answer_is_infinitely_far_and_stays_in_the_denominator() -> None:
    predicted = np.array([[1.0, 1.0], [np.nan, np.nan], [3.0, 3.0], [np.nan, np.nan]])
    errors = errors_m(predicted, [[1.0, 1.0], [2.0, 2.0], [3.0, 4.0], [5.0, 5.0]])
    assert np.isinf(errors).tolist() == [False, True, False, True]
    assert accuracy(errors, 0.1) == 0.25
    assert accuracy(errors, 2500) == 0.5
    assert accuracy(errors, 1e9) == 0.5
    assert scores(errors)[[1, 3]].tolist() == [0.0, 0.0]
    assert median_error_km(errors) == np.inf
    assert mean_error_km(errors) is None
    assert mean_error_km_of_answered(errors) == pytest.approx(errors[[0, 2]].mean() / 1000)
    assert median_error_km(errors[:3]) == pytest.approx(errors[2] / 1000)
    assert mean_error_km(errors[[0, 2]]) == mean_error_km_of_answered(errors)


def test_thresholds_are_inclusive() -> None:
    for threshold_km in THRESHOLDS_KM:
        on = np.array([threshold_km * 1000.0])
        assert within(on, threshold_km).tolist() == [1.0]
        assert within(np.nextafter(on, np.inf), threshold_km).tolist() == [0.0]


def test_scores_as_published() -> None:
    assert scores(np.array([0.0, 1_492_700.0, np.inf])) == pytest.approx([5000, 5000 / math.e, 0])


def test_nothing_scores_nothing() -> None:
    nothing = errors_m(np.empty((0, 2)), np.empty((0, 2)))
    assert set(localization_values(nothing).values()) == {None}
    found = localization_intervals(nothing, LocalizationSettings(), np.random.default_rng(0))
    assert set(found.values()) == {Interval(None, None, None)}
    assert set(found) == set(localization_values(nothing))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.floats(0, 2e7), st.just(np.inf)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_intervals_measure_the_same_and_no_order_matters(errors, random) -> None:
    options = LocalizationSettings(resamples=99)
    values = localization_values(np.array(errors), options.thresholds_km)
    found = localization_intervals(np.array(errors), options, np.random.default_rng(1))
    for name, value in values.items():
        assert found[name].value == pytest.approx(value), name
        if value is not None:
            assert found[name].low <= found[name].high
    assert ("mean_error_km_of_answered" in found) == (np.inf in errors)
    shuffled = list(errors)
    random.shuffle(shuffled)
    again = localization_intervals(np.array(shuffled), options, np.random.default_rng(1))
    assert again == found
    shares = [values[accuracy_name(x)] for x in options.thresholds_km]
    assert shares == sorted(shares)


def test_photos_of_one_place_widen_the_intervals() -> None:
    rng = np.random.default_rng(2)
    places = np.repeat(np.arange(30), 20)
    errors = np.exp(rng.normal(10, 3, 30))[places]
    errors[:20] = np.inf
    options = LocalizationSettings(resamples=999)
    single = localization_intervals(errors, options, np.random.default_rng(3))
    grouped = localization_intervals(errors, options, np.random.default_rng(3), places.tolist())
    for name in ("accuracy@25km", "median_error_km", "score", "mean_error_km_of_answered"):
        one, other = (found[name].high - found[name].low for found in (single, grouped))
        assert other > 2 * one, name


def test_thresholds_are_kept_ascending_and_once() -> None:
    assert LocalizationSettings(thresholds_km=(25, 1, 25.0)).thresholds_km == (1.0, 25.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"earth": "flat"}, "earth must be 'sphere' or 'geodesic'. Got 'flat'"),
        ({"thresholds_km": (1.0, 0.0)}, "thresholds_km must be positive numbers. Got 0.0"),
        ({"thresholds_km": (math.inf,)}, "thresholds_km must be positive numbers. Got inf"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        LocalizationSettings(**options)


@pytest.mark.parametrize(
    ("predicted", "true", "kind", "message"),
    [
        ([[1, 2]], [[1, 2], [3, 4]], EvaluationError, r"must have shape \(2, 2\).* Got \(1, 2\)"),
        ([[1, 2, 3]], [[1, 2]], EvaluationError, r"must have shape \(1, 2\)"),
        ([[1, np.nan]], [[1, 2]], CoordinateError, r"predicted row 0: \(1.0, nan\) is not finite"),
        ([[120, 2]], [[1, 2]], CoordinateError, "predicted row 0: .* has latitude 120.0"),
        ([[np.nan] * 2], [[np.nan] * 2], CoordinateError, "true row 0: .* is not finite"),
        ([[1, 2]], [[139.7, 35.7]], CoordinateError, "true row 0.*look swapped"),
    ],
)
def test_places_that_are_none_are_refused(predicted, true, kind, message) -> None:
    with pytest.raises(kind, match=message):
        errors_m(np.array(predicted, float), np.array(true, float))
