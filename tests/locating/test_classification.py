"""From probabilities over cells to cells and places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import PartitionError, UsageError
from sightline.evaluation.localization.prediction_density import prediction_density
from sightline.geo.distance import great_circle_m, spherical_mean
from sightline.geo.partition import Boxes, Partition, uniform_boxes
from sightline.locating import answers_by_level, choose_cells, classify

GRID = np.array(np.meshgrid(np.arange(-85, 90, 10.0), np.arange(-175, 180, 10.0))).reshape(2, -1).T
MANY = uniform_boxes(GRID, 4)
FOUR = Partition(
    Boxes([[0, 0, 1, 1], [0, 1, 1, 2], [0, 60, 1, 61], [50, 0, 51, 1]]),
    [[0.5, 0.5], [0.5, 1.5], [0.5, 60.5], [50.5, 0.5]],
)


def logs(*rows: list[float]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows))


def beliefs(count: int, seed: int = 0, dtype: type = np.float64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.log(rng.dirichlet(np.full(len(MANY), 0.05), count) + 1e-12).astype(dtype)


def normalised(values: np.ndarray) -> np.ndarray:
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def test_the_best_cell_and_its_representative() -> None:
    given_ = logs([0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0])
    chosen = choose_cells(given_, FOUR)
    assert chosen.rows.tolist() == [[3], [0], [1]]
    assert chosen.mass == pytest.approx([0.4, 0.25, 1.0])
    assert classify(given_, FOUR).tolist() == FOUR.representatives[[3, 0, 1]].tolist()


def test_several_cells_or_until_a_mass_is_covered() -> None:
    given_ = logs([0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0])
    assert choose_cells(given_, FOUR, cells=3).rows.tolist() == [[3, 2, 1], [0, 1, 2], [1, 0, 2]]
    covered = choose_cells(given_, FOUR, cells=4, mass=0.7)
    assert covered.rows.tolist() == [[3, 2, -1], [0, 1, 2], [1, -1, -1]]
    assert covered.mass == pytest.approx([0.7, 0.75, 1.0])
    # Two may be searched: what they hold is told.
    # A mass alone takes as many as it needs.
    alone = choose_cells(given_, FOUR, mass=0.7)
    assert alone.rows.tolist() == covered.rows.tolist()
    bounded = choose_cells(given_, FOUR, cells=2, mass=0.9)
    assert bounded.rows.tolist() == [[3, 2], [0, 1], [1, -1]]
    assert bounded.mass == pytest.approx([0.7, 0.5, 1.0])
    assert choose_cells(given_, FOUR, cells=99, mass=1.0).rows.shape == (3, 4)
    assert choose_cells(given_[:0], FOUR).rows.shape == (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.floats(0.05, 1.0), st.integers(0, 99))
def test_the_chosen_are_the_first_of_the_sorted(cells, mass, seed) -> None:
    values = normalised(beliefs(1, seed))
    order = np.argsort(-values[0], kind="stable")
    sums = np.cumsum(np.exp(values[0, order]))
    enough = int(np.argmax(sums >= mass * (1 - 1e-9))) + 1 if sums[-1] >= mass else len(sums)
    found = choose_cells(values, MANY, cells=cells, mass=mass)
    used = min(cells, enough)
    assert found.rows[0].tolist() == order[:used].tolist()
    assert found.mass[0] == pytest.approx(sums[used - 1])


def test_a_weighted_answer_lies_between_the_cells() -> None:
    given_ = logs([0.3, 0.6, 0.1, 0.0])
    expected = spherical_mean(FOUR.representatives[[1, 0]], [0.6, 0.3])
    assert classify(given_, FOUR, cells=2)[0] == pytest.approx(expected)
    # Antipodes cancel out: the best of them answers.
    poles = Partition(Boxes([[80, 0, 90, 9], [-90, 0, -80, 9]]), [[90, 0], [-90, 0]])
    assert classify(logs([0.5, 0.5]), poles, cells=2)[0].tolist() == [90.0, 0.0]


def test_who_is_asked_for_the_country_does_not_name_the_likeliest_street() -> None:
    # Two cells side by side hold more together than the likeliest one far away.
    given_ = logs([0.3, 0.3, 0.4, 0.0])
    found = answers_by_level(given_, FOUR)
    assert found.levels == ("street", "city", "region", "country", "continent")
    assert found.points[0, :2].tolist() == [[0.5, 60.5]] * 2
    assert found.points[0, 2:].tolist() == [[0.5, 0.5]] * 3
    assert found.mass[0] == pytest.approx([0.4, 0.4, 0.6, 0.6, 0.6])
    mine = answers_by_level(given_, FOUR, levels_km={"world": 20_100.0}, cells=2)
    assert mine.levels == ("world",)
    # Of the two most probable cells only.
    assert mine.mass[0, 0] == pytest.approx(0.7)


def test_no_representative_has_more_probability_around_it() -> None:
    values = normalised(beliefs(5))
    radii = {"near": 900.0, "far": 3000.0}
    found = answers_by_level(values, MANY, levels_km=radii, cells=len(MANY))
    for photo, belief in enumerate(np.exp(values)):
        densities = np.array(
            [
                prediction_density(belief, MANY.representatives, cell, scales_km=[900.0, 3000.0])
                for cell in range(len(MANY))
            ]
        )
        assert found.mass[photo] == pytest.approx(densities.max(axis=0))
        for level in range(2):
            at = great_circle_m(found.points[photo, level], MANY.representatives).argmin()
            assert densities[at, level] == pytest.approx(densities[:, level].max())


def test_float32_of_a_large_head_is_normalised_enough() -> None:
    values = normalised(beliefs(70)).astype(np.float32)
    rows = choose_cells(values, MANY).rows[:, 0]
    assert rows.tolist() == values.argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        (logs([0.5, 0.5]), PartitionError, "2 classes and the partition 4 cells"),
        (np.zeros(4), UsageError, r"floats of shape \(n, cells\). Got float64 of shape \(4,\)"),
        (np.zeros((1, 4), int), UsageError, "floats of shape"),
        (np.zeros((1, 4)), UsageError, "Those of row 0 sum to 4"),
        (logs([0.25] * 4, [0.5, 0.5, np.nan, 0]), UsageError, "Those of row 1 sum to nan"),
    ],
)
def test_what_is_no_log_probability(values, error, said) -> None:
    with pytest.raises(error, match=said):
        choose_cells(values, FOUR)
    with pytest.raises(error, match=said):
        answers_by_level(values, FOUR)


def test_what_cannot_be_asked() -> None:
    given_ = logs([0.25] * 4)
    for mass in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="mass must be above 0"):
            choose_cells(given_, FOUR, mass=mass)
    with pytest.raises(UsageError, match="cells must be"):
        choose_cells(given_, FOUR, cells=0)
    with pytest.raises(UsageError, match="must name a level"):
        answers_by_level(given_, FOUR, levels_km={})
    with pytest.raises(UsageError, match="levels_km"):
        answers_by_level(given_, FOUR, levels_km={"street": -1.0})
