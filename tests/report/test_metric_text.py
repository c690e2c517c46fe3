from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.report.metric_text import (
    difference_interval,
    is_share,
    is_smaller_better,
    metric_difference,
    metric_explained,
    metric_interval,
    metric_name,
    metric_value,
    percent_number,
)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("recall@1", "Recall@1"),
        ("recall@1%", "Recall@1 %"),
        ("recall@50", "Recall@50"),
        ("search_space@95%", "Left to search at 95 %"),
        ("accuracy@0.1km", "Within 0.1 km"),
        ("accuracy@2500km", "Within 2,500 km"),
        ("mean_error_km_of_answered", "Mean error of answered photos"),
        ("pssr", "PSSR"),
        ("new\nmetric", "new\\nmetric"),
    ],
)
def test_metrics_have_names_people_read(metric: str, name: str) -> None:
    assert metric_name(metric) == name


def test_what_a_name_leaves_open_is_explained() -> None:
    assert metric_explained("recall@1%", {"1%": 88}) == "k = 88"
    assert metric_explained("recall@1%") == metric_explained("recall@1") == ""
    assert "95 % of queries" in metric_explained("search_space@95%")
    assert metric_explained("pssr") == "mean share of references farther than the true one"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0"),
        (1.0, "100.0"),
        (0.5432, "54.3"),
        (1 / 8884, "0.011"),
        (1 - 1 / 8884, "99.989"),
        (0.00049, "0.049"),
        (0.0005, "0.1"),
        (0.99951, "99.951"),
        (-0.0, "0.0"),
    ],
)
def test_percentages_have_one_decimal_and_never_round_to_all_or_nothing(
    share: float, text: str
) -> None:
    assert percent_number(share) == text


@given(st.floats(0, 1))
def test_a_percentage_is_near_its_share(share: float) -> None:
    text = percent_number(share)
    assert re.fullmatch(r"\d{1,3}\.\d{1,8}", text)
    assert abs(float(text) - 100 * share) <= 0.05 + 1e-9
    if 1e-9 < share < 1 - 1e-9:
        assert 0 < float(text) < 100


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("recall@1", 0.5, "50.0 %"),
        ("map", 0.25, "25.0 %"),
        ("mrr", 0.5973, "0.597"),
        ("mrr", 0.00012, "0.00012"),
        ("mrr", 0.0, "0.000"),
        ("mean_rank", 4442.5, "4,442.5"),
        ("median_error_km", 0.0123, "12 m"),
        ("median_error_km", 361.7, "362 km"),
        ("score", 3290.6, "3,291"),
        ("unheard_of", 123.456, "123.5"),
        ("recall@1", None, "undefined"),
    ],
)
def test_values_have_units(metric: str, value: float | None, text: str) -> None:
    assert metric_value(metric, value) == text


@pytest.mark.parametrize(
    ("metric", "low", "high", "text"),
    [
        ("recall@1", 0.49, 0.51, "49.0 to 51.0 %"),
        ("median_error_km", 205.0, 736.0, "205 to 736 km"),
        ("median_error_km", 0.5, 7.0, "500 m to 7.0 km"),
        ("mean_rank", 3.0, 1200.0, "3.0 to 1,200.0"),
        ("recall@1", None, 0.5, ""),
        ("recall@1", 0.5, None, ""),
    ],
)
def test_intervals_say_their_unit_once(metric: str, low, high, text: str) -> None:
    assert metric_interval(metric, low, high) == text


@pytest.mark.parametrize(
    ("metric", "difference", "text"),
    [
        ("recall@1", 0.029, "+2.9"),
        ("recall@1", -0.004, "−0.4"),
        ("recall@1", 0.0, "±0.0"),
        ("pssr", 0.0003, "+0.030"),
        ("mean_rank", -3.3, "−3.3"),
        ("score", 0.0012, "+0.001"),
        ("mean_error_km", 1.6, "+1.6 km"),
        ("mean_error_km", -0.0001, "−under 1 m"),
        ("recall@1", None, "undefined"),
    ],
)
def test_differences_have_signs(metric: str, difference: float | None, text: str) -> None:
    assert metric_difference(metric, difference) == text


def test_intervals_of_differences_have_two_signs() -> None:
    assert difference_interval("recall@1", -0.0041, 0.0101) == "−0.4 to +1.0"
    assert difference_interval("recall@1", None, 0.1) == ""


def test_shares_and_directions() -> None:
    assert is_share("recall@1%")
    assert is_share("accuracy@25km")
    assert not is_share("mrr")
    assert is_smaller_better("mean_rank")
    assert is_smaller_better("search_space@95%")
    assert not is_smaller_better("recall@1")
