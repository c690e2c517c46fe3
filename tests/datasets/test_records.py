from __future__ import annotations

import math

import pytest

from sightline.datasets import PhotoRecord
from sightline.datasets.records import RecordProblem, RecordProblemKind
from sightline.errors import CoordinateError, PhotoNotFoundError, TableError


def test_values_are_normalised():
    record = PhotoRecord("a.jpg", 48.5, 190.0, heading_degrees=-90.0)
    assert (record.lat, record.lon, record.heading_degrees) == (48.5, -170.0, 270.0)
    assert PhotoRecord("a.jpg") == PhotoRecord("a.jpg", None, None)


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        (91.0, 2.0, "91"),
        (139.7, 35.7, "139.7"),
        (math.nan, 2.0, "nan"),
        (48.0, math.inf, "inf"),
        (48.0, None, "no longitude"),
        (None, 2.0, "no latitude"),
    ],
)
def test_places_that_cannot_be(lat, lon, words):
    with pytest.raises(CoordinateError, match=words) as caught:
        PhotoRecord("a.jpg", lat, lon)
    assert caught.value.hint


def test_swapped_coordinates_are_named():
    with pytest.raises(CoordinateError, match="swapped"):
        PhotoRecord("a.jpg", 139.7, 35.7)


def test_heading_and_path():
    with pytest.raises(CoordinateError, match="heading"):
        PhotoRecord("a.jpg", heading_degrees=math.nan)
    with pytest.raises(TableError, match="empty path"):
        PhotoRecord("")
    with pytest.raises(TableError, match="UTF-8") as caught:
        PhotoRecord("caf\udce9.jpg")
    assert caught.value.path.isascii()


def test_a_heading_a_hair_below_zero_is_north():
    assert PhotoRecord("a.jpg", heading_degrees=-1e-44).heading_degrees == 0.0


def test_problems_have_a_kind():
    table = TableError("It is odd.", hint="Mend it.")
    kinds = RecordProblemKind
    assert RecordProblem("a", 3, table).kind is kinds.ROW
    assert RecordProblem("a", None, table).kind is kinds.MISSING
    assert RecordProblem("a", 3, table, kinds.DUPLICATE).kind is kinds.DUPLICATE
    assert RecordProblem("a", 3, CoordinateError("x", hint="y")).kind is kinds.COORDINATES
    assert RecordProblem("a", 3, PhotoNotFoundError("x", hint="y")).kind is kinds.FILE
