"""Scored tables: every number counted again by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.benchmark.answers import Answers
from sightline.benchmark.seen import background, shared_with_queries
from sightline.benchmark.tables import BEST_SINGLE, AnswerSet, scored
from sightline.evaluation.localization import LocalizationSettings, errors_m
from sightline.evaluation.uncertainty import holm, paired_test

from .worlds import partitions, places, queries

SETTINGS = LocalizationSettings(resamples=400, seed=3)
RADII = (25.0, 750.0, 2500.0)


def table(*answers: Answers, against: str = BEST_SINGLE) -> AnswerSet:
    return AnswerSet("methods", "Methods", "a paper", answers, RADII, against)


def answers_of(asked, kinds: dict[str, str]) -> list[Answers]:
    """Some right, some wrong, in another order for each name."""
    made = []
    for number, (name, kind) in enumerate(kinds.items()):
        draw = np.random.default_rng(number)
        right = draw.random(len(asked)) < 0.2 + 0.2 * number
        points = np.where(right[:, None], asked.places, places(len(asked), 50 + number))
        made.append(Answers(name, kind, points))  # type: ignore[arg-type]
    return made


def test_a_table_counts_and_tests_as_by_hand() -> None:
    asked = queries(40, 5, broken=[7])
    rows = answers_of(asked, {"c": "classification", "r": "retrieval", "w": "within cell"})
    found = scored(table(*rows, against="c"), asked, SETTINGS)
    p_values = []
    for row, given in zip(found.rows, rows, strict=True):
        points = given.points.copy()
        points[7] = np.nan
        errors = errors_m(points, asked.places)
        assert errors[7] == np.inf
        for radius in RADII:
            value = row.metrics[f"accuracy@{radius:g}km"]
            hits = sum(1 for error in errors if error <= radius * 1000)
            assert value.value == hits / 40
            assert value.low <= value.value <= value.high  # type: ignore[operator]
        assert row.metrics["median_error_km"].value == pytest.approx(np.median(errors) / 1000)
        if given.name == "c":
            assert row.differences == {}
            continue
        theirs = errors_m(
            np.where(np.arange(40)[:, None] == 7, np.nan, rows[0].points), asked.places
        )
        for radius in RADII:
            pair = [np.array([e <= radius * 1000 for e in one], float) for one in (theirs, errors)]
            wanted = paired_test(
                *pair, rng=np.random.default_rng(3), groups=asked.groups, resamples=400
            )
            assert row.differences[f"accuracy@{radius:g}km"].paired == wanted
            p_values.append(wanted.p_value)
    adjusted = [
        row.differences[f"accuracy@{radius:g}km"].p_value_holm
        for row in found.rows[1:]
        for radius in RADII
    ]
    assert adjusted == pytest.approx(holm(p_values))


def test_the_best_single_one_is_no_combination_and_no_guess() -> None:
    asked = queries(60, 5)
    kinds = {"poor": "classification", "fair": "retrieval", "good": "within cell", "best": "guess"}
    found = scored(table(*answers_of(asked, kinds)), asked, SETTINGS)
    assert found.against == "fair"
    assert found.to_json()["against"] == "fair"


def test_a_method_may_answer_each_radius_with_another_place() -> None:
    asked = queries(10, 5, people=False)
    far = places(10, 60)
    row = Answers("levels", "classification", far, {25.0: asked.places})
    found = scored(table(row, against="levels"), asked, SETTINGS).rows[0]
    assert found.metrics["accuracy@25km"].value == 1.0
    assert found.metrics["accuracy@2500km"].value < 1.0  # type: ignore[operator]
    assert asked.groups is None


def test_a_method_without_answers_misses_all() -> None:
    asked = queries(6, 5)
    row = Answers("none", "retrieval", np.full((6, 2), np.nan))
    found = scored(table(row), asked, SETTINGS).rows[0]
    assert found.metrics["accuracy@2500km"].value == 0.0
    assert found.to_json()["metrics"]["median_error_km"]["value"] is None


def test_the_background_is_what_the_classifier_places_rightly() -> None:
    cells = partitions()[1]
    lattice = np.stack(np.meshgrid(np.arange(-80, 81, 10), np.arange(-180, 180, 10)), -1)
    outside = lattice.reshape(-1, 2)[cells.assign(lattice.reshape(-1, 2)) == -1]
    where = np.concatenate([places(30, 4), outside[:1]])
    own = cells.assign(where)
    assert own[-1] == -1
    predicted = np.where(np.arange(31) % 3 == 0, (own + 1) % len(cells), own)
    predicted[-1] = 0
    chosen = background(predicted, where, cells)
    for row in range(31):
        region = cells.region(int(predicted[row]))
        assert chosen[row] == bool(region.contains(where[row : row + 1])[0])


def test_what_gives_queries_away_is_found_once() -> None:
    files = ["a", "b", "c", "d"]
    people = ["u", "u", None, "v"]
    own, theirs = shared_with_queries(files, people, ["a", "x"], ["u", None])
    assert own.tolist() == [True, False, False, False]
    assert theirs.tolist() == [False, True, False, False]
