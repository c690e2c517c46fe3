from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sightline.datasets.rows import AerialPatch, Pair, Photo, labels_to_json
from sightline.errors import CoordinateError, TableError


def test_numbers_become_plain_and_lie_in_range():
    row = Photo(
        "a/1", "a.jpg", np.float64(1), 190, np.float32(-90), np.int64(360), width=np.int32(4),
        locatable=np.bool_(True), labels={"x": np.float64(0.5), "y": None},
    )  # fmt: skip
    assert (row.lat, row.lon, row.heading_degrees, row.fov_degrees) == (1.0, -170.0, 270.0, 360.0)
    plain = [row.lat, row.lon, row.heading_degrees, row.fov_degrees, row.labels["x"]]
    assert {type(value) for value in plain} == {float}
    assert type(row.width) is int
    assert row.locatable is True
    patch = AerialPatch("a/1", "a.png", metres_per_pixel=np.float32(0.5), size_px=3.0)
    assert (type(patch.metres_per_pixel), type(patch.size_px)) == (float, int)
    pair = Pair("p", "a", "b", offset_east_m=np.float64(1), offset_north_m=2)
    assert [type(pair.offset_east_m), type(pair.offset_north_m)] == [float, float]


def test_origin_is_no_part_of_identity():
    row = Photo("a/1", "a.jpg", labels={"b": 1})
    assert row == replace(row, origin="line 3 of 'x'")
    assert hash(row) == hash(replace(row, origin="line 3 of 'x'"))
    assert row != replace(row, labels={})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lat": 139.7, "lon": 35.7}, "139.7"),
        ({"lat": 1.0}, "a latitude and no longitude"),
        ({"lon": 1.0}, "a longitude and no latitude"),
        ({"lat": "48", "lon": 2.0}, "must be two numbers"),
        ({"lat": math.nan, "lon": 2.0}, "not finite"),
        ({"heading_degrees": math.inf}, "heading_degrees of 'a/1' must be a finite number"),
        ({"fov_degrees": 0.0}, r"must lie in \(0, 360\]. Got 0.0"),
        ({"fov_degrees": math.nan}, "Got nan"),
    ],
)
def test_photos_that_cannot_be(values, words):
    with pytest.raises(CoordinateError, match=words) as caught:
        Photo("a/1", "a.jpg", **values)
    assert caught.value.hint


def test_swapped_coordinates_name_file_and_line():
    with pytest.raises(CoordinateError, match=r"line 7 of 'l.csv'.*139.7") as caught:
        Photo("a/1", "a.jpg", 139.7, 35.7, origin="line 7 of 'l.csv'")
    assert "swapped" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"id": ""}, "id of a Photo must be text, and not empty"),
        ({"uri": None}, "uri of a Photo must be text"),
        ({"uri": "a\udc80.jpg"}, "not UTF-8"),
        ({"projection": "fisheye"}, "perspective or equirectangular. Got 'fisheye'"),
        ({"sha256": "ABC"}, "64 hexadecimal digits"),
        ({"sha256": "G" * 64}, "64 hexadecimal digits"),
        ({"width": 0}, "positive whole number of pixels"),
        ({"height": 1.5}, "Got 1.5"),
        ({"width": True}, "Got True"),
        ({"labels": {"a": [1]}}, r"label 'a'.*Got \[1\]"),
        ({"labels": {1: "a"}}, "label 1"),
        ({"labels": {"a": math.inf}}, "must be finite"),
    ],
)
def test_photo_values_of_another_kind(values, words):
    with pytest.raises(TableError, match=words):
        Photo(**{"id": "a/é", "uri": "a.jpg", **values})


def test_patches_and_pairs_that_cannot_be():
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(TableError, match="positive and finite"):
            AerialPatch("a", "a.png", metres_per_pixel=bad)
    with pytest.raises(TableError, match="size_px"):
        AerialPatch("a", "a.png", size_px=-3)
    with pytest.raises(TableError, match=r"positive or semi-positive\. Got 'near'"):
        Pair("p", "a", "b", "near")
    with pytest.raises(CoordinateError, match="one offset and not the other"):
        Pair("p", "a", "b", offset_east_m=1.0)
    with pytest.raises(CoordinateError, match="offset_north_m of 'p' must be a finite"):
        Pair("p", "a", "b", offset_east_m=1.0, offset_north_m=math.nan)
    with pytest.raises(TableError, match="patch_id of a Pair"):
        Pair("p", "a", "")


def test_labels_are_written_sorted():
    assert labels_to_json({}) is None
    assert labels_to_json({"b": "ä", "a": 1}) == '{"a":1,"b":"ä"}'


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"uri": "a\0.jpg"}, "without null bytes"),
        ({"width": 2**31}, "below 2³¹"),
        ({"labels": {"x": "\ud800"}}, "not UTF-8"),
        ({"labels": {"\ud800": 1}}, "not UTF-8"),
    ],
)
def test_what_parquet_or_the_disk_cannot_hold(values, words):
    with pytest.raises(TableError, match=words):
        Photo(**{"id": "a/1", "uri": "a.jpg", **values})
