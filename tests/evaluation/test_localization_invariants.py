"""What must hold for every localization metric, ours and published; a new one joins by its name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.conventions import (
    LOCALIZATION_PEERS,
    localization_conventions,
    published_localizations,
)
from sightline.evaluation.localization.guesses import baselines, most_frequent_place
from sightline.evaluation.localization.metrics import (
    THRESHOLDS_KM,
    LocalizationSettings,
    accuracy_name,
    errors_m,
    localization_intervals,
    localization_values,
)
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.results.localization import evaluate_localization
from sightline.geo.coordinates import LatLng, normalise_longitude
from sightline.geo.distance import destination

ACCURACIES = [accuracy_name(km) for km in THRESHOLDS_KM]
ERRORS = ["median_error_km", "mean_error_km"]
METRICS = [*ACCURACIES, *ERRORS, "score"]
EARTHS = ("sphere", "geodesic")
# Larger is better, or smaller is.
BETTER = {name: -1 if name in ERRORS else 1 for name in METRICS}
# A millimetre: what sines and cosines leave of a place at the other end of the Earth.
ROUNDING_KM = 1e-6

every_metric = pytest.mark.parametrize("name", METRICS)


def made(seed: int = 0, n: int = 80, *, silent: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answers to places from pole to pole, metres to half the Earth away; the first are missing."""
    rng = np.random.default_rng(seed)
    lat = np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    true = np.column_stack([lat, rng.uniform(-180, 180, n)])
    predicted = destination(true, rng.uniform(0, 360, n), 10 ** rng.uniform(1, 7.2, n))
    predicted[:silent] = np.nan
    return predicted, true


def values(name: str, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The metric on either Earth, and as each peer has it; NaN where it is undefined."""
    found = {
        earth: localization_values(errors_m(predicted, true, earth=earth))[name] for earth in EARTHS
    }
    for peer, numbers in localization_conventions(predicted, true).items():
        if name in numbers:
            found[peer] = numbers[name]
    return {source: math.nan if number is None else number for source, number in found.items()}


def close(wanted: object, **tolerance: float) -> object:
    return pytest.approx(wanted, **{"rel": 1e-12, "abs": 0.0, **tolerance}, nan_ok=True)


def test_every_metric_is_in_this_suite() -> None:
    errors = errors_m(*made())
    assert set(localization_values(errors)) == set(METRICS)
    quick = LocalizationSettings(resamples=99)
    assert set(localization_intervals(errors, quick, np.random.default_rng(0))) == set(METRICS)
    peers = localization_conventions(*made())
    assert set(peers) == set(LOCALIZATION_PEERS)
    assert set().union(*peers.values()) <= set(METRICS)


@every_metric
@pytest.mark.parametrize("silent", [0, 7])
def test_the_order_of_photos_does_not_matter(name: str, silent: int) -> None:
    predicted, true = made(silent=silent)
    order = np.random.default_rng(1).permutation(len(true))
    assert values(name, predicted[order], true[order]) == close(values(name, predicted, true))


@every_metric
@pytest.mark.parametrize("silent", [0, 7])
def test_every_photo_twice_scores_the_same(name: str, silent: int) -> None:
    predicted, true = made(silent=silent)
    twice = values(name, np.tile(predicted, (2, 1)), np.tile(true, (2, 1)))
    assert twice == close(values(name, predicted, true))


@every_metric
@pytest.mark.parametrize("east", [180.0, -97.3, 360.0, 0.001])
def test_where_longitudes_begin_does_not_matter(name: str, east: float) -> None:
    predicted, true = made(silent=3)
    # The shift brings some over the antimeridian, and between many a photo and its answer.
    turned = [np.column_stack([p[:, 0], normalise_longitude(p[:, 1] + east)])
              for p in (predicted, true)]  # fmt: skip
    found, plain = values(name, *turned), values(name, predicted, true)
    assert found == close(plain, rel=1e-9, abs=ROUNDING_KM)


@every_metric
def test_places_on_both_sides_of_the_antimeridian_are_near(name: str) -> None:
    true = np.array([[10.0, 179.999], [-50.0, -179.999], [0.0, 180.0]])
    predicted = true * [1, -1]
    for source, number in values(name, predicted, true).items():
        if name in ERRORS:
            assert number < 0.3, source
        elif name == "score":
            assert number > 4999, source
        else:
            assert number == (1 / 3 if name == accuracy_name(0.1) else 1.0), source


@every_metric
def test_one_photo(name: str) -> None:
    true = np.array([[48.85, 2.35]])
    for away_m in (0.0, 3_000.0, 300_000.0, 3e6):
        predicted = destination(true, [30.0], [away_m])
        for source, number in values(name, predicted, true).items():
            km = errors_m(predicted, true, earth=source if source in EARTHS else "sphere")[0] / 1e3
            if name in ERRORS:
                # The Earths differ by half a per cent.
                assert number == pytest.approx(km, rel=6e-3, abs=ROUNDING_KM), source
            elif name == "score":
                assert number == pytest.approx(5000 * math.exp(-km / 1492.7), rel=0.01), source
            else:
                assert number == float(km <= float(name[9:-2])), source
    alone = baselines(
        Predictions.of(predicted, true), LocalizationSettings(), np.random.default_rng(0)
    )
    assert alone["random"].metrics[name] is None
    assert alone["shuffled"].metrics[name] is None
    # The most frequent place of one photo is where it was taken.
    assert alone["prior"].metrics[name] == pytest.approx(values(name, true, true)["sphere"])


@every_metric
def test_no_photo_has_no_score(name: str) -> None:
    nothing = np.empty((0, 2))
    for earth in EARTHS:
        errors = errors_m(nothing, nothing, earth=earth)
        assert localization_values(errors)[name] is None
        found = localization_intervals(errors, LocalizationSettings(), np.random.default_rng(0))
        assert found[name].value is None


def test_no_photo_is_nothing_to_evaluate() -> None:
    nothing = np.empty((0, 2))
    with pytest.raises(EvaluationError, match="holds no photos"):
        evaluate_localization(Predictions.of(nothing, nothing))
    for convention in (localization_conventions, published_localizations):
        with pytest.raises(EvaluationError, match="at least one"):
            convention(nothing, nothing)


@every_metric
def test_no_answer_at_all_is_the_worst_score(name: str) -> None:
    predicted, true = made(silent=80)
    found = values(name, predicted, true)
    if name == "mean_error_km":
        assert {source: number for source, number in found.items() if source in EARTHS} == close(
            dict.fromkeys(EARTHS, math.nan)
        )
    else:
        worst = math.inf if name in ERRORS else 0.0
        assert found == dict.fromkeys(found, worst)
    if name in ERRORS:
        # Infinity is no number that a peer reports.
        assert set(found) == set(EARTHS)


@every_metric
def test_the_truth_is_the_best_score(name: str) -> None:
    _, true = made()
    best = 0.0 if name in ERRORS else 5000.0 if name == "score" else 1.0
    found = values(name, true, true)
    assert found == dict.fromkeys(found, best)


@every_metric
def test_answers_nearer_the_truth_never_score_worse(name: str) -> None:
    _, true = made()
    rng = np.random.default_rng(4)
    bearings, away_m = rng.uniform(0, 360, 80), 10 ** rng.uniform(1, 7.2, 80)
    before = None
    for share in (1.0, 0.7, 0.3, 0.01, 0.0):
        found = values(name, destination(true, bearings, away_m * share), true)
        for source, number in found.items():
            assert before is None or BETTER[name] * number >= BETTER[name] * before[source], source
        before = found
    assert before is not None
    assert values(name, destination(true, bearings, away_m), true) != before


@every_metric
def test_an_answer_taken_away_is_a_miss(name: str) -> None:
    predicted, true = made()
    before = values(name, predicted, true)
    # A good answer: it counts for every metric.
    best = int(np.argmin(errors_m(predicted, true)))
    silent = predicted.copy()
    silent[best] = np.nan
    after = values(name, silent, true)
    if name == "mean_error_km":
        assert all(math.isnan(after[earth]) for earth in EARTHS)
    else:
        for source in after:
            assert BETTER[name] * after[source] < BETTER[name] * before[source], source
    if name in ACCURACIES:
        assert after == close({source: share - 1 / 80 for source, share in before.items()})


@pytest.mark.parametrize("silent", [0, 7])
def test_wider_thresholds_find_more(silent: int) -> None:
    predicted, true = made(silent=silent)
    table = {name: values(name, predicted, true) for name in ACCURACIES}
    for source in (*EARTHS, *LOCALIZATION_PEERS):
        shares = [found[source] for found in table.values() if source in found]
        assert len(shares) >= 5
        assert shares == sorted(shares), source
        assert shares[0] < shares[-1] <= 1 - silent / 80


@every_metric
def test_a_constant_answer_is_the_prior_baseline(name: str) -> None:
    predicted, true = made(silent=3)
    predictions, settings = Predictions.of(predicted, true), LocalizationSettings()
    for prior in (LatLng(51.5, -0.12), None):
        guessed = baselines(predictions, settings, np.random.default_rng(0), prior)["prior"]
        place = prior or most_frequent_place(true)
        assert guessed.place == place
        constant = np.tile([place.lat, place.lon], (80, 1))
        assert guessed.metrics[name] == values(name, constant, true)["sphere"]


@every_metric
@pytest.mark.parametrize("silent", [0, 60])
def test_shuffled_answers_score_as_the_shuffled_baseline(name: str, silent: int) -> None:
    """Against every answer handed to every other photo, and one shuffle of them."""
    n = 300
    predicted, true = made(seed=5, n=n, silent=silent)
    # Around a few towns, so that a wrong answer may be near.
    towns = np.random.default_rng(6).integers(0, 8, n)
    predicted, true = (np.where(np.isnan(p), p, true[towns] + 0.01 * p / 180)
                       for p in (predicted, true))  # fmt: skip
    shuffled = baselines(
        Predictions.of(predicted, true), LocalizationSettings(), np.random.default_rng(7)
    )["shuffled"].metrics[name]
    asked, given = np.nonzero(~np.eye(n, dtype=bool))
    exact = localization_values(errors_m(predicted[given], true[asked]))[name]
    order = np.roll(np.arange(n), 1)
    once = localization_values(errors_m(predicted[order], true))[name]
    if silent and name == "mean_error_km":
        assert shuffled is exact is once is None
        return
    assert shuffled is not None
    assert exact is not None
    assert once is not None
    scale = 1.0 if name in ACCURACIES else 5000.0 if name == "score" else 20_000.0
    # 100,000 draws leave a few thousandths; a median may lie between two towns.
    loose = 0.05 if name == "median_error_km" else 0.006
    assert shuffled == pytest.approx(exact, abs=loose * scale)
    assert once == pytest.approx(shuffled, abs=0.15 * scale)
    if name == accuracy_name(25):
        assert shuffled > 0.05


@pytest.mark.parametrize(
    "place",
    [(math.nan, 3.0), (3.0, math.nan), (math.inf, 3.0), (3.0, -math.inf), (90.001, 3.0),
     (-90.001, 3.0), (3.0, 360.5), (3.0, -361.0)],
)  # fmt: skip
def test_what_is_no_place_is_an_error_that_names_array_and_row(place: tuple[float, float]) -> None:
    predicted, true = made(n=5)
    for which, name in ((predicted, "predicted"), (true, "true")):
        kept = which[3].copy()
        which[3] = place
        for judge in (errors_m, Predictions.of, localization_conventions, published_localizations):
            with pytest.raises(CoordinateError, match=f"{name} row 3"):
                judge(predicted, true)
        which[3] = kept
    true[2] = math.nan
    for judge in (errors_m, Predictions.of, localization_conventions):
        with pytest.raises(CoordinateError, match=r"true row 2: .* is not finite"):
            judge(predicted, true)
