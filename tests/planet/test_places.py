"""Places: squares and points, order, and unevenness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.geo.cells import cell_ids
from sightline.geo.coordinates import from_unit_vectors, unit_vectors
from sightline.planet.draws import mixed_keys, units_of
from sightline.planet.places import FINEST, UNITS, Floats, Places, Sights, Squares, squares_at


class Half:
    """People live on the northern half only, evenly."""

    def townspeople(self) -> tuple[Floats, Floats]:
        return np.zeros((0, 3)), np.zeros(0)

    def countrypeople(self, directions: Floats) -> Floats:
        return np.where(directions[:, 2] > 0, 1.0, 0.0)

    density = countrypeople

    def sights(self, direction: Floats, within_m: float) -> Sights:
        return Sights(np.zeros((0, 2)), np.zeros(0))


class Sea(Half):
    def countrypeople(self, directions: Floats) -> Floats:
        return np.zeros(len(directions))

    density = countrypeople


class OneTown(Half):
    """Three thousand million people live in one town of the north."""

    def townspeople(self) -> tuple[Floats, Floats]:
        return unit_vectors(np.array([[50.0, 30.0]])), np.array([3e9])


def units(count: int, key: int = 0) -> Floats:
    return units_of(mixed_keys(key, np.arange(count)), UNITS)


@given(st.floats(-90, 90), st.floats(-180, 179.99), st.integers(0, FINEST), st.integers(0, FINEST))
def test_a_place_lies_in_its_square_and_in_the_ancestors(
    lat: float, lon: float, level: int, coarser: int
) -> None:
    coarser = min(level, coarser)
    square = squares_at(np.array([[lat, lon]]), level)
    centre = square.directions(np.full(1, 0.5), np.full(1, 0.5))
    assert np.linalg.norm(centre) == pytest.approx(1)
    again = squares_at(from_unit_vectors(centre), level)
    assert again.names() == square.names()
    above = square.ancestors(coarser)
    assert above.names() == squares_at(np.array([[lat, lon]]), coarser).names()
    if level < FINEST:
        assert square.names() in square.children().ancestors(level).names()


def test_children_cover_their_parent() -> None:
    parent = squares_at(np.array([[48.0, 11.0]]), 5)
    rng = np.random.default_rng(0)
    right, up = rng.random(200), rng.random(200)
    places = from_unit_vectors(parent.take(np.zeros(200, int)).directions(right, up))
    found = np.unique(squares_at(places, 6).names())
    assert set(found) == set(parent.children().names())


def test_any_order_any_batch() -> None:
    places = Places(3, Half())
    squares, points = places.draw(units(300))
    few, same = places.draw(units(300)[40:45])
    np.testing.assert_array_equal(points[40:45], same)
    np.testing.assert_array_equal(squares.names()[40:45], few.names())
    assert (squares_at(points, FINEST).names() == squares.names()).mean() > 0.99
    assert points[:, 0].min() > -0.3  # squares of the coarsest levels cross the equator


def test_within_a_square() -> None:
    home = squares_at(np.array([[40.0, 20.0]] * 50), 6)
    squares, _ = Places(0, Half()).draw(units(50), home)
    assert (squares.ancestors(6).names() == home.names()).all()


def test_fame_makes_them_uneven() -> None:
    _, points = Places(1, Half()).draw(units(4000))
    _, counts = np.unique(cell_ids(points, 5), return_counts=True)
    even = np.random.default_rng(0).normal(size=(4000, 3))
    even[:, 2] = abs(even[:, 2])
    lengths = np.linalg.norm(even, axis=1, keepdims=True)
    _, flat = np.unique(cell_ids(from_unit_vectors(even / lengths), 5), return_counts=True)
    assert counts.max() > 10 * flat.max()
    assert len(counts) < len(flat) / 2


def test_fame_belongs_to_the_planet() -> None:
    squares = Squares(4, np.array([0, 1]), np.array([3, 4]), np.array([5, 6]))
    first, second = Places(1, Half()).fame(squares), Places(2, Half()).fame(squares)
    assert (first > 0).all()
    assert (first != second).all()


def test_a_planet_without_land() -> None:
    with pytest.raises(UsageError, match="Nobody lives on the planet of seed 5"):
        Places(5, Sea()).draw(units(1))


def test_a_square_without_land_gives_some_place_in_it() -> None:
    home = squares_at(np.array([[-40.0, 20.0]]), 6)
    squares, _ = Places(0, Half()).draw(units(1), home)
    assert squares.ancestors(6).names() == home.names()


def test_people_of_towns_count() -> None:
    _, points = Places(0, OneTown()).draw(units(400))
    town = squares_at(np.array([[50.0, 30.0]]), 11)
    there = squares_at(points, 11).names() == town.names()
    assert there.mean() > 0.5  # 3e9 of them against 2.6e8 in the country
