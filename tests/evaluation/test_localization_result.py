from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow.csv
import pytest

from report.schema import violations
from sightline.errors import EvaluationError
from sightline.evaluation.localization.calibration import calibration
from sightline.evaluation.localization.guesses import baselines, most_frequent_place
from sightline.evaluation.localization.metrics import (
    PUBLISHED_EARTH_RADIUS_M,
    LocalizationSettings,
    errors_m,
    localization_intervals,
    localization_values,
)
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.localization.tables import read_predictions
from sightline.evaluation.results.localization import (
    NO_VALUE,
    LocalizationResult,
    evaluate_localization,
)
from sightline.geo.coordinates import EARTH_RADIUS_M, LatLng
from sightline.geo.distance import destination, great_circle_m
from sightline.report.document import read_schema

QUICK = LocalizationSettings(resamples=99)
# Errors are measured on the sphere of published code, places are made on our own.
PUBLISHED = PUBLISHED_EARTH_RADIUS_M / EARTH_RADIUS_M


def cities(seed: int, count: int) -> np.ndarray:
    """True places (count, 2) around ten cities, the first of them the largest."""
    rng = np.random.default_rng(seed)
    centres = np.column_stack([rng.uniform(-50, 60, 10), rng.uniform(-170, 170, 10)])
    chosen = centres[rng.choice(10, count, p=[0.28, *[0.08] * 9])]
    return destination(chosen, rng.uniform(0, 360, count), rng.uniform(0, 8_000, count))


def answers(true: np.ndarray, seed: int, typical_m: float = 3_000.0) -> np.ndarray:
    """Answers some way off the truth, a tenth missing."""
    rng = np.random.default_rng(seed)
    away = typical_m * np.exp(rng.normal(0, 2, len(true)))
    predicted = destination(true, rng.uniform(0, 360, len(true)), np.minimum(away, 1e7))
    predicted[rng.random(len(true)) < 0.1] = np.nan
    return predicted


def photos(count: int = 120, seed: int = 1, **known) -> Predictions:
    true = cities(seed, count)
    return Predictions.of(answers(true, seed + 1), true, name="answers.csv", **known)


def only(result: LocalizationResult, words: str) -> str:
    found = [warning for warning in result.warnings if words in warning]
    assert len(found) == 1, result.warnings
    return found[0]


def test_the_document_is_what_its_schema_says() -> None:
    rng = np.random.default_rng(3)
    given = photos(
        ids=[f"photo {i}" for i in range(120)],
        failed=np.arange(120) % 40 == 0,
        groups=[None if i % 7 == 0 else f"place {i % 30}" for i in range(120)],
        columns={"scene": ["street" if i % 3 else None for i in range(120)]},
        radii_m={0.5: rng.uniform(1e3, 1e5, 120), 0.9: rng.uniform(1e4, 1e6, 120)},
    )
    result = evaluate_localization(given, QUICK, by=["scene"], peers="all")
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert violations(document, read_schema("evaluation.schema.json")) == []
    assert document["name"] == "answers.csv"
    assert document["n_photos"] == 120
    assert document["n_failed"] == 3
    assert document["n_answered"] + document["n_abstained"] + document["n_failed"] == 120
    assert document["n_abstained"] == int(given.abstained.sum()) > 0
    assert document["settings"]["grouped_by"] == "group"
    assert document["settings"]["n_groups"] == len(set(given.clusters))
    assert set(document["conventions"]) == set(document["published"]) >= {"im2gps", "osv5m"}
    silent = document["photos"][0]
    assert (silent["lat"], silent["lon"], silent["error_km"]) == (None, None, None)
    spoken = int(np.argmax(given.answered))
    assert document["photos"][spoken]["error_km"] == pytest.approx(
        great_circle_m(given.predicted[spoken], given.true[spoken]) * PUBLISHED / 1000
    )
    assert [photo["id"] for photo in document["photos"]] == given.ids


def test_published_predictions_give_the_numbers_of_their_authors(shared_data) -> None:
    table = read_predictions(shared_data / "predictions" / "osv5m_game_50.csv")
    found = evaluate_localization(table, QUICK, by=["Country"], peers=["osv5m"]).to_json()
    distances = np.array([float(x) for x in table.column("distance")])
    assert found["metrics"]["median_error_km"]["value"] == pytest.approx(
        np.median(distances), rel=2e-6
    )
    for threshold_km in (1, 25, 200, 750, 2500):
        name = f"accuracy@{threshold_km}km"
        assert found["metrics"][name]["value"] == (distances <= threshold_km).mean()
        assert found["conventions"]["osv5m"][name] == (distances < threshold_km).mean()
    assert found["metrics"]["score"]["value"] == pytest.approx(
        np.mean([float(x) for x in table.column("score")]), rel=1e-5
    )
    assert list(found["conventions"]) == list(found["published"]) == ["osv5m"]
    assert sum(group["n"] for group in found["groups"]["Country"].values()) == 50
    assert found["settings"]["grouped_by"] is None
    assert found["warnings"] == []


def test_groups_are_scored_as_if_they_stood_alone() -> None:
    scenes = [["street", "sea", None][i % 3] if i % 5 else "street" for i in range(120)]
    given = photos(columns={"scene": scenes})
    result = evaluate_localization(given, QUICK, by=["SCENE"])
    groups = result.groups["SCENE"]
    assert [(name, group.photos) for name, group in groups.items()] == [
        ("street", 56),
        (NO_VALUE, 32),
        ("sea", 32),
    ]
    rows = np.array([scene == "sea" for scene in scenes])
    values = localization_values(result.errors_m[rows])
    for name, value in values.items():
        assert groups["sea"].metrics[name].value == pytest.approx(value)


def test_what_else_is_asked_for_does_not_move_the_main_numbers() -> None:
    given = photos(columns={"scene": ["a", "b"] * 60})
    plain = evaluate_localization(given, QUICK)
    more = evaluate_localization(given, QUICK, by=["scene"], prior=LatLng(1, 2))
    assert more.metrics == plain.metrics
    assert more.baselines["random"] == plain.baselines["random"]
    other = evaluate_localization(given, dataclasses.replace(QUICK, seed=1))
    assert other.metrics != plain.metrics


def test_photos_that_share_a_place_are_drawn_together() -> None:
    places = [f"place {i % 12}" for i in range(120)]
    given = photos(groups=places)
    result = evaluate_localization(given, QUICK)
    main = np.random.default_rng(QUICK.seed).spawn(3)[0]
    expected = localization_intervals(result.errors_m, QUICK, main, places)
    assert result.metrics == expected
    assert result.metrics != evaluate_localization(photos(), QUICK).metrics


def test_the_curve_counts_photos_without_an_answer() -> None:
    result = evaluate_localization(photos(), QUICK)
    curve = result.to_json()["curves"]["error"]
    shares = [(result.errors_m <= km * 1000).mean() for km in curve["km"]]
    assert curve["share"] == shares
    assert curve["share"][-1] == result.predictions.answered.mean() < 1
    assert curve["km"] == sorted(curve["km"])
    assert curve["km"][0] == 0.01
    assert curve["km"][-1] > 20_037.6


def test_no_photos_are_no_evaluation() -> None:
    nothing = Predictions.of(np.empty((0, 2)), np.empty((0, 2)))
    with pytest.raises(EvaluationError, match="'predictions' holds no photos"):
        evaluate_localization(nothing)


def test_one_photo() -> None:
    found = evaluate_localization(Predictions.of([[1.0, 2.0]], [[1.0, 2.5]]), QUICK).to_json()
    assert found["metrics"]["accuracy@200km"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert set(found["baselines"]["random"]["metrics"].values()) == {None}
    assert set(found["baselines"]["shuffled"]["metrics"].values()) == {None}
    assert found["baselines"]["prior"]["metrics"]["accuracy@0.1km"] == 1.0
    assert json.dumps(found, allow_nan=False)


def test_unknown_columns_and_peers_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no column 'scene'"):
        evaluate_localization(photos(), QUICK, by=["scene"])
    with pytest.raises(EvaluationError, match="no localization convention 'im2gp'") as caught:
        evaluate_localization(photos(), QUICK, peers=["im2gp"])
    assert caught.value.hint.startswith("Did you mean 'im2gps'? There are im2gps, osv5m")


# Baselines


def test_the_most_frequent_place_of_real_photos_is_london(shared_data) -> None:
    """As the baseline of Vo, Jacobs and Hays (2017) has it; MP-16 are Flickr photos as theirs."""
    table = pyarrow.csv.read_csv(shared_data / "lists" / "mp16_100k.csv")
    true = np.column_stack([table.column(x).to_numpy() for x in table.column_names[:2]])
    place = most_frequent_place(true)
    assert great_circle_m([place.lat, place.lon], [51.5074, -0.1278]) < 25_000


def test_the_most_frequent_place_by_counting_every_pair() -> None:
    true = cities(5, 200)
    apart = great_circle_m(true[:, None], true[None])
    place = most_frequent_place(true)
    row = int(np.flatnonzero((true == [place.lat, place.lon]).all(axis=1))[0])
    around = (apart <= 25_000).sum(axis=1)
    assert around[row] == around.max()
    best = around == around.max()
    assert (apart[row] <= 200_000).sum() == (apart[best] <= 200_000).sum(axis=1).max()
    order = np.random.default_rng(6).permutation(200)
    assert most_frequent_place(true[order]) == place


def test_places_that_tie_are_told_apart_by_what_is_around_them() -> None:
    lonely = [[10.0, 100.0], [-30.0, 20.0]]
    neighbours = [[45.0, 5.0], [45.0, 7.0]]  # 157 km apart
    assert most_frequent_place(np.array(lonely + neighbours)) == LatLng(45.0, 5.0)


def test_random_and_shuffled_answers_are_near_chance_by_counting_every_pair() -> None:
    given = photos(60)
    found = baselines(given, QUICK, np.random.default_rng(7))
    others = ~np.eye(60, dtype=bool)
    chance = {
        "random": great_circle_m(given.true[:, None], given.true[None]),
        "shuffled": errors_m(
            np.repeat(given.predicted, 60, axis=0), np.tile(given.true, (60, 1))
        ).reshape(60, 60),
    }
    for name, apart in chance.items():
        expected = localization_values(apart[others])
        for metric, value in expected.items():
            ours = found[name].metrics[metric]
            if value is None:
                assert ours is None
            else:
                tolerance = 0.01 if metric.startswith("accuracy") else abs(value) * 0.03
                assert ours == pytest.approx(value, abs=tolerance), (name, metric)


def test_a_prior_from_elsewhere_is_taken_as_given() -> None:
    given = photos()
    prior = baselines(given, QUICK, np.random.default_rng(0), LatLng(10, 20))["prior"]
    errors = great_circle_m(given.true, [10.0, 20.0])
    assert prior.place == LatLng(10, 20)
    assert prior.metrics["median_error_km"] == pytest.approx(np.median(errors) * PUBLISHED / 1000)


# Doubts


def test_a_model_that_knows_something_raises_no_doubts() -> None:
    assert list(evaluate_localization(photos(), QUICK).warnings) == []


def test_swapped_columns_are_noticed() -> None:
    true = cities(8, 40) * [1.0, 0.5]
    predicted = destination(true, 45.0, 20_000.0)
    swapped = Predictions.of(predicted[:, ::-1].copy(), true)
    words = only(evaluate_localization(swapped, QUICK), "look swapped")
    assert words.endswith("to 20 km.")
    right = evaluate_localization(Predictions.of(predicted, true), QUICK)
    assert not any("swapped" in warning for warning in right.warnings)
    few = Predictions.of(predicted[:4, ::-1].copy(), true[:4])
    assert not any("swapped" in x for x in evaluate_localization(few, QUICK).warnings)


def test_always_the_same_answer_is_no_better_than_the_prior() -> None:
    true = cities(9, 100)
    place = most_frequent_place(true)
    constant = Predictions.of(np.tile([place.lat, place.lon], (100, 1)), true)
    result = evaluate_localization(constant, QUICK)
    assert "same place" in only(result, "All 100 answers")
    words = only(result, "no more often than always answering")
    assert "25, 200, 750 and 2500 km" in words
    assert words.endswith(f"({place.lat:.2f}, {place.lon:.2f}), the most frequent place.")


def test_a_given_place_is_not_called_the_most_frequent() -> None:
    true = cities(9, 100)
    place = most_frequent_place(true)
    constant = Predictions.of(np.tile([place.lat, place.lon], (100, 1)), true)
    words = only(evaluate_localization(constant, QUICK, prior=place), "always answering")
    assert words.endswith(f"({place.lat:.2f}, {place.lon:.2f}), the given place.")


def test_answers_that_have_nothing_to_do_with_their_photos_are_noticed() -> None:
    given = photos()
    order = np.random.default_rng(10).permutation(120)
    handed_out = Predictions.of(given.predicted[order], given.true)
    assert only(evaluate_localization(handed_out, QUICK), "no more often than always answering")
    # By chance such answers score above or below the mean of chance; the antipode always below.
    far = Predictions.of(given.true * [-1.0, 1.0] + [0.0, 180.0], given.true)
    words = only(evaluate_localization(far, QUICK), "nothing to do with their photos")
    assert words.startswith("The model's answers score 0, and handed out")


def test_answers_at_the_very_truth_are_noticed() -> None:
    true = cities(11, 50)
    predicted = answers(true, 12)
    predicted[:2] = true[:2]
    words = only(evaluate_localization(Predictions.of(predicted, true), QUICK), "of the truth")
    assert words.startswith("2 of 50 answers lie within 1 m of the truth")
    one = predicted.copy()
    one[0] = one[3]
    assert not any(
        "of the truth" in x
        for x in evaluate_localization(Predictions.of(one, true), QUICK).warnings
    )


def test_a_median_of_silence_is_said_in_words() -> None:
    true = cities(13, 40)
    predicted = destination(true, 0.0, 3000.0)
    predicted[:25] = np.nan
    result = evaluate_localization(Predictions.of(predicted, true), QUICK)
    assert only(result, "infinite").startswith("25 of 40 photos have no answer")
    assert result.to_json()["metrics"]["median_error_km"]["value"] is None
    assert result.to_json()["metrics"]["mean_error_km"]["value"] is None
    assert result.metrics["mean_error_km_of_answered"].value == pytest.approx(3 * PUBLISHED)


def test_one_group_for_all_is_said_in_words() -> None:
    result = evaluate_localization(photos(groups=["x"] * 120), QUICK)
    assert "one group, 'x'" in only(result, "intervals have no width")


def test_warnings_of_the_table_come_along() -> None:
    given = dataclasses.replace(photos(), warnings=["Odd."])
    assert list(evaluate_localization(given, QUICK).warnings) == ["Odd."]


# Calibration


def test_calibration_by_counting() -> None:
    true = np.tile([10.0, 20.0], (6, 1))
    away = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * 1000
    predicted = destination(true, 90.0, away)
    predicted[5] = np.nan
    errors = errors_m(predicted, true)
    radii = np.array([errors[0], 1900.0, 5000.0, np.nan, 0.0, 1e7])
    given = Predictions.of(predicted, true, radii_m={0.9: radii, 0.5: np.full(6, np.nan)})
    found = calibration(given, errors)
    assert found.stated == (0.5, 0.9)
    # The first lies on its circle; the fourth states nothing, the last answers nothing.
    assert found.observed == (None, 0.5)
    assert found.photos == (0, 4)
    assert found.to_json() == {"stated": [0.5, 0.9], "observed": [None, 0.5], "n": [0, 4]}
    assert calibration(photos(), errors) is None


def test_radii_that_promise_too_much_are_noticed() -> None:
    given = photos()
    errors = errors_m(given.predicted, given.true)
    kept = np.where(np.isfinite(errors), errors, 1.0)
    # Right for nine of ten, and for one of ten.
    honest = np.where(np.arange(120) % 10 > 0, kept * 1.1, kept * 0.9)
    boasting = np.where(np.arange(120) % 10 == 0, kept * 1.1, kept * 0.9)
    fair, unfair = (
        evaluate_localization(
            Predictions.of(given.predicted, given.true, radii_m={0.9: radii}), QUICK
        )
        for radii in (honest, boasting)
    )
    assert list(fair.warnings) == []
    words = only(unfair, "Radii stated to hold the true place of 90% of photos hold that of")
    assert f"(of {given.answered.sum()} answered)" in words
