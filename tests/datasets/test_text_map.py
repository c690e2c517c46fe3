from __future__ import annotations

import pytest

from sightline.datasets.text_map import text_map
from sightline.errors import CoordinateError, UsageError


def test_corners_of_the_earth():
    lines = text_map([[90, -180], [-90, 179.9], [0.1, 0.1]], columns=8, rows=4)
    assert lines == ["@       ", "    @   ", "        ", "       @"]


def test_shades_grow_with_the_number_of_photos():
    places = [[45, -135]] + [[45, 45]] * 10 + [[-45, 45]] * 1000
    lines = text_map(places, columns=4, rows=2)
    shades = " .:-=+*#%@"
    few, some, many = lines[0][0], lines[0][2], lines[1][2]
    assert shades.index(few) < shades.index(some) < shades.index(many) == 9
    assert lines[1][0] == " "


def test_size_and_no_photos():
    assert text_map([], columns=3, rows=2) == ["   ", "   "]
    assert [len(line) for line in text_map([[1, 2]])] == [72] * 24


def test_bad_arguments():
    with pytest.raises(UsageError, match=r"positive. Got 0 and 24"):
        text_map([[1, 2]], columns=0)
    with pytest.raises(CoordinateError):
        text_map([[91, 0]])
