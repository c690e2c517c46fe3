from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.splits import check
from sightline.datasets.splits.neighbours import chord, nearest_within
from sightline.errors import CoordinateError, UsageError
from sightline.geo import destination, great_circle_m
from sightline.geo.coordinates import EARTH_RADIUS_M, unit_vectors

LETTERS = st.sampled_from(["a", "b", "c", "", None])


@given(st.lists(st.tuples(LETTERS, LETTERS), max_size=20).filter(lambda r: any(x for x, _ in r)))
def test_shared_values_against_all_pairs(rows):
    split = [one for one, _ in rows]
    owner = [name for _, name in rows]
    expected = [
        i
        for i in range(len(rows))
        if split[i]
        and owner[i]
        and any(
            split[j] and split[j] != split[i] and owner[j] == owner[i] for j in range(len(rows))
        )
    ]
    report = check(split, photographers=owner, sha256=owner, examples=100)
    assert report.checked == ("content", "photographer")
    assert report.clean == (not expected)
    for crossing in report.crossings:
        assert crossing.rows == len(expected)
        assert [int(found.first) for found in crossing.offenders] == expected
        for found in crossing.offenders:
            first, second = int(found.first), int(found.second)
            assert owner[first] == owner[second] == found.shared
            assert (split[first], split[second]) == (found.first_split, found.second_split)
            assert found.first_split != found.second_split


def test_near_places_against_all_pairs():
    rng = np.random.default_rng(0)
    clusters = destination([[89.99, 10], [0, 179.999], [48, 11]], 0, 0)
    places = destination(
        np.repeat(clusters, 40, axis=0), rng.uniform(0, 360, 120), rng.uniform(0, 900, 120)
    )
    split = rng.choice(["train", "val", "test"], 120).tolist()
    metres = great_circle_m(places[:, None], places[None])
    other = np.array(split)[:, None] != np.array(split)[None]
    least = np.where(other, metres, np.inf).min(axis=1)
    report = check(split, latlon=places, radius_m=80.0, examples=1000)
    (crossing,) = report.crossings
    assert [int(found.first) for found in crossing.offenders] == np.flatnonzero(least < 80).tolist()
    for found in crossing.offenders:
        assert found.shared == pytest.approx(least[int(found.first)])
        assert metres[int(found.first), int(found.second)] == found.shared


def test_report_in_words_and_json():
    report = check(
        ["train", "test", "test", None],
        ids=["x/1", "x/2", "x/3", "x/4"],
        latlon=[[0, 0], [0, 0.0001], [5, 5], [0, 0]],
        photographers=["ann", "bob", "ann", "ann"],
        sha256=["aa", "bb", "cc", "aa"],
        radius_m=50,
        expected=("train", "test"),
    )
    assert not report.clean
    assert report.counts == {"test": 2, "train": 1}
    assert report.unassigned == 1
    assert report.lines() == [
        "2 rows are by a photographer who is in another split too:",
        "  x/1 (train) and x/3 (test): ann",
        "  x/3 (test) and x/1 (train): ann",
        "2 rows lie nearer than 50 m to a row of another split:",
        "  x/1 (train) and x/2 (test): 11.1 m",
        "  x/2 (test) and x/1 (train): 11.1 m",
    ]
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert document["checked"] == ["content", "photographer", "place"]
    assert document["crossings"][0]["offenders"][0]["second"] == "x/3"


def test_a_third_split_and_few_examples():
    report = check(["a", "a", "b", "c"], sha256=["h", "h", "h", "h"], examples=2)
    assert report.crossings[0].rows == 4
    assert len(report.crossings[0].offenders) == 2


def test_clean_splits_and_rows_without_a_place():
    nowhere = [np.nan, np.nan]
    report = check(["a", "b", "b"], latlon=[[0, 0], nowhere, [1, 1]], radius_m=1000)
    assert report.clean
    assert report.lines() == []
    assert check(["a", "b"], latlon=[[0, 0], [0, 0]], radius_m=0).checked == ()
    assert check(["a", "b"], latlon=[nowhere, nowhere], radius_m=9).clean


def test_the_radius_is_exclusive():
    places = np.array([[0.0, 0.0], [0.0, 0.001]])
    metres = float(great_circle_m(*places))
    assert check(["a", "b"], latlon=places, radius_m=metres).clean
    assert not check(["a", "b"], latlon=places, radius_m=metres * (1 + 1e-9)).clean


def test_an_empty_split_is_an_error():
    with pytest.raises(UsageError, match=r"no row in 'val': an empty split"):
        check(["train", "test"], expected=("train", "val", "test"))
    with pytest.raises(UsageError, match="no row in every split"):
        check([None, ""])


def test_bad_arguments():
    with pytest.raises(
        UsageError, match=r"sha256 must have one value for each of the 2 rows. Got 1"
    ):
        check(["a", "b"], sha256=["x"])
    with pytest.raises(UsageError, match=r"latlon must have shape \(2, 2\)"):
        check(["a", "b"], latlon=[[1, 2]], radius_m=5)
    with pytest.raises(UsageError, match="radius_m must be"):
        check(["a", "b"], radius_m=-1)
    with pytest.raises(CoordinateError, match="not finite"):
        check(["a", "b"], latlon=[[1, np.nan], [1, 2]], radius_m=5)


def test_nearest_within_nothing_and_the_whole_earth():
    number, metres = nearest_within(np.empty((0, 2)), np.empty((0, 2)), 5.0)
    assert len(number) == len(metres) == 0
    number, metres = nearest_within(np.array([[0.0, 0.0]]), np.empty((0, 2)), 5.0)
    assert number.tolist() == [-1]
    assert metres.tolist() == [np.inf]
    number, _ = nearest_within(np.array([[0.0, 0.0]]), np.array([[0.0, 180.0 - 1e-9]]), 1e9)
    assert number.tolist() == [0]


@pytest.mark.parametrize("radius_m", [0.5, 100.0, 1e6, 2e7])
def test_chord(radius_m):
    a, b = unit_vectors([0, 0]), unit_vectors([0, np.degrees(radius_m / EARTH_RADIUS_M)])
    assert chord(radius_m) == pytest.approx(float(np.linalg.norm(a - b)), rel=1e-9)
