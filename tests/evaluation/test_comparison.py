from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from report.schema import violations
from sightline.errors import EvaluationError
from sightline.evaluation.localization.metrics import LocalizationSettings, errors_m, within
from sightline.evaluation.localization.predictions import Predictions
from sightline.evaluation.localization.tables import read_predictions
from sightline.evaluation.results.comparison import compare
from sightline.evaluation.results.localization_comparison import compare_localization
from sightline.evaluation.uncertainty import holm, paired_test
from sightline.geo.distance import destination
from sightline.report.document import read_schema

QUICK = LocalizationSettings(resamples=199, thresholds_km=(1, 25, 200))


def system(away_m: float, *, count: int = 60, seed: int = 0, **known) -> Predictions:
    """Answers to the same photos, typically so far away."""
    rng = np.random.default_rng(1)
    true = np.column_stack([rng.uniform(-60, 60, count), rng.uniform(-180, 180, count)])
    other = np.random.default_rng(seed)
    distance = away_m * np.exp(other.normal(0, 1, count))
    predicted = destination(true, other.uniform(0, 360, count), distance)
    options = {"ids": [f"photo {i}" for i in range(count)], "name": f"{away_m:g}"} | known
    return Predictions.of(predicted, true, **options)


def test_a_better_system_is_told_from_a_worse_one() -> None:
    found = compare_localization(system(100_000), system(10_000, seed=1), QUICK)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert violations(document, read_schema("evaluation.schema.json")) == []
    assert document["n_queries"] == 60
    assert (document["a"]["name"], document["b"]["name"]) == ("100000", "10000")
    city = document["metrics"]["accuracy@25km"]
    assert city["difference"] == pytest.approx(city["b"] - city["a"])
    assert 0 < city["low"] < city["difference"] < city["high"]
    assert city["p_value"] < 1e-4
    assert document["warnings"] == []
    assert set(document["metrics"]) == {
        "accuracy@1km",
        "accuracy@25km",
        "accuracy@200km",
        "score",
    }
    adjusted = holm([metric["p_value"] for metric in document["metrics"].values()])
    assert [metric["p_value_holm"] for metric in document["metrics"].values()] == adjusted


def test_each_metric_is_a_paired_test() -> None:
    a, b = system(100_000), system(80_000, seed=1)
    found = compare_localization(a, b, QUICK)
    hits = [within(errors_m(x.predicted, x.true), 25) for x in (a, b)]
    expected = paired_test(*hits, rng=np.random.default_rng(0), resamples=199)
    city = found.metrics["accuracy@25km"]
    assert city.paired.p_value == expected.p_value
    assert (city.a, city.b) == (hits[0].mean(), hits[1].mean())


def test_a_system_does_not_differ_from_itself() -> None:
    found = compare_localization(system(1e5), system(1e5), QUICK)
    assert {metric.paired.p_value for metric in found.metrics.values()} == {1.0}
    assert found.warnings == ["Chance explains every difference: the least p-value, Holm's, is 1."]


def test_photos_are_matched_by_their_ids() -> None:
    a, b = system(100_000), system(10_000, seed=1)
    order = np.random.default_rng(2).permutation(60)[:50]
    part = Predictions.of(
        b.predicted[order], b.true[order], ids=[b.ids[row] for row in order], name="part"
    )
    found = compare_localization(a, part, QUICK)
    rows = np.sort(order)
    expected = within(errors_m(b.predicted[rows], b.true[rows]), 25).mean()
    assert found.n_queries == 50
    assert found.metrics["accuracy@25km"].b == pytest.approx(expected)
    assert found.warnings == [
        "Only the 50 photos in both lists are compared; 10 of a and 0 of b are not."
    ]
    assert found.metrics["accuracy@25km"].paired.difference > 0


def test_what_reading_a_list_warned_of_is_said_of_that_list() -> None:
    warned = dataclasses.replace(system(1e5), warnings=["Half of it is missing."], name="a.csv")
    found = compare_localization(warned, system(1e4, seed=1), QUICK)
    assert found.warnings == ["a.csv: Half of it is missing."]


def test_published_predictions_of_the_same_model_agree(shared_data) -> None:
    a, b = (read_predictions(shared_data / "predictions" / f"osv5m_game_{n}.csv") for n in (50, 71))
    found = compare_localization(a, b, QUICK)
    assert found.n_queries == 21
    assert {metric.paired.difference for metric in found.metrics.values()} == {0.0}


def test_groups_of_a_are_drawn_together() -> None:
    places = [f"place {i % 6}" for i in range(60)]
    single = compare_localization(system(1e5), system(5e4, seed=1), QUICK)
    grouped = compare_localization(system(1e5, groups=places), system(5e4, seed=1), QUICK)
    assert grouped.settings["grouped_by"] == "group"
    assert grouped.settings["n_groups"] == 6
    assert single.settings["n_groups"] is None
    assert grouped.metrics["score"].paired.exact
    assert not single.metrics["score"].paired.exact


def test_lists_without_ids_stand_row_by_row() -> None:
    found = compare_localization(system(1e5, ids=None), system(1e4, seed=1, ids=None), QUICK)
    assert found.n_queries == 60


def test_nothing_can_be_compared_and_says_nothing() -> None:
    found = compare("a", "b", {"recall@1": ([], [])})
    assert found.to_json()["metrics"]["recall@1"]["p_value"] is None
    assert found.to_json()["metrics"]["recall@1"]["p_value_holm"] is None
    assert found.to_json()["metrics"]["recall@1"]["a"] is None
    assert found.n_queries == 0
    assert found.warnings == []


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({}, {"ids": [f"other {i}" for i in range(60)]}, "no id in common"),
        ({"ids": None}, {"count": 50}, "60 photos and '1000' 50, without ids in both"),
        ({}, {"ids": ["twice"] * 60}, "holds the id 'twice' in rows 0 and 1"),
    ],
)
def test_lists_that_do_not_match_are_refused(a, b, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        compare_localization(system(1e5, **a), system(1e3, **b), QUICK)


@pytest.mark.parametrize("ids", [True, False])
def test_different_truths_are_refused(ids) -> None:
    a = system(1e5)
    true = a.true.copy()
    true[7] = destination(true[7], 0.0, 5000.0)
    known = {"ids": a.ids} if ids else {}
    b = Predictions.of(a.predicted, true, name="b", **known)
    if not ids:
        a = Predictions.of(a.predicted, a.true, name="a")
    where = "id 'photo 7'" if ids else "row 7"
    with pytest.raises(EvaluationError, match=f"true places of {where} .* lie 5,000 m apart"):
        compare_localization(a, b, QUICK)


def test_a_bad_value_is_named_with_its_metric() -> None:
    with pytest.raises(EvaluationError, match="pssr: values of b row 1 is nan"):
        compare("a", "b", {"pssr": ([0.1, 0.2], [0.1, np.nan])})
    with pytest.raises(EvaluationError, match="no metric to compare"):
        compare("a", "b", {})
