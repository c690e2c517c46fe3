"""Photographers: stable numbers, heavy tails, outings that hold together."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from sightline.errors import UsageError
from sightline.geo.coordinates import from_unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.planet.photographers import (
    MOST_PHOTOS,
    OUTING_LEVEL,
    SIGHT_SHARE,
    UNLOCATABLE_SHARE,
    Photographers,
    PhotoPlan,
)
from sightline.planet.places import Floats, Sights, squares_at
from sightline.planet.unlocatable import Subject


class Everywhere:
    """Even land; near every place stand two sights, one much more famous than the other."""

    def townspeople(self) -> tuple[Floats, Floats]:
        return np.zeros((0, 3)), np.zeros(0)

    def countrypeople(self, directions: Floats) -> Floats:
        return np.ones(len(directions))

    density = countrypeople

    def sights(self, direction: Floats, within_m: float) -> Sights:
        middle = from_unit_vectors(direction[None])[0]
        return Sights(middle + np.array([[0.0, 0.0], [0.004, 0.0]]), np.array([0.2, 1.0]))


@pytest.fixture(scope="module")
def plans() -> list[PhotoPlan]:
    return Photographers(0, Everywhere()).photos(0, 3000)


def test_a_photo_does_not_depend_on_what_else_is_asked(plans: list[PhotoPlan]) -> None:
    other = Photographers(0, Everywhere())
    assert other.photos(2900, 100) == plans[2900:]
    assert other.photos(17, 1) == plans[17:18]
    assert other.photos(5, 0) == []
    assert [plan.number for plan in plans] == list(range(3000))


def test_collections_differ_by_seed(plans: list[PhotoPlan]) -> None:
    others = Photographers(0, Everywhere(), seed=1).photos(0, 50)
    assert {p.latlng for p in others}.isdisjoint(p.latlng for p in plans)


def test_activity_follows_a_power_law() -> None:
    counts = Photographers(0, Everywhere()).counts(np.arange(20_000))
    assert counts.min() == 1
    assert counts.max() == MOST_PHOTOS
    for least in (2, 10, 50):
        assert (counts >= least).mean() == pytest.approx(least ** (-4 / 3), rel=0.25)


def test_photos_of_one_outing_are_near_each_other(plans: list[PhotoPlan]) -> None:
    outings: dict[tuple[int, int], list[PhotoPlan]] = {}
    for plan in plans:
        outings.setdefault((plan.photographer, plan.outing), []).append(plan)
    several = [group for group in outings.values() if len(group) > 1]
    assert several
    for group in several:
        places = np.array([plan.latlng for plan in group if not plan.sight]).reshape(-1, 2)
        assert len(np.unique(squares_at(places, OUTING_LEVEL).names())) <= 1
        times = [plan.when for plan in group]
        assert max(times) - min(times) < timedelta(hours=3)


def test_a_photographer_has_one_camera_and_outings_in_order(plans: list[PhotoPlan]) -> None:
    busy = max(
        {p.photographer for p in plans}, key=lambda k: sum(p.photographer == k for p in plans)
    )
    mine = [plan for plan in plans if plan.photographer == busy]
    outings = [plan.outing for plan in mine]
    assert outings == sorted(outings)
    assert set(outings) == set(range(max(outings) + 1))
    lenses = [plan.fov_degrees for plan in mine]
    assert max(lenses.count(lens) for lens in lenses) > len(mine) / 2  # the rest is zoomed
    assert all(20 < lens < 100 for lens in lenses)


def test_sights_are_shared_by_fame_and_seen_from_many_sides(plans: list[PhotoPlan]) -> None:
    shown = [plan for plan in plans if plan.sight]
    assert len(shown) / len(plans) == pytest.approx(SIGHT_SHARE, abs=0.04)
    away = great_circle_m(np.array([p.latlng for p in shown]), np.array([p.sight for p in shown]))
    assert 44 < away.min() < away.max() < 121
    quarters = np.bincount([int(plan.side_degrees // 90) for plan in shown])
    assert quarters.min() > len(shown) / 5
    middles = {p.sight for p in shown}
    famous = [
        p
        for p in shown
        if (round(p.sight[0] - 0.004, 9), p.sight[1]) in {(round(m[0], 9), m[1]) for m in middles}
    ]
    assert len(famous) > len(shown) / 10


def test_the_side_of_a_sight_is_where_the_photo_is_taken(plans: list[PhotoPlan]) -> None:
    for plan in [p for p in plans if p.sight][:50]:
        north = plan.latlng[0] - plan.sight[0]
        east = (plan.latlng[1] - plan.sight[1]) * np.cos(np.radians(plan.sight[0]))
        bearing = np.degrees(np.arctan2(east, north)) % 360
        assert abs((bearing - plan.side_degrees + 180) % 360 - 180) < 1


def test_the_share_that_says_nothing(plans: list[PhotoPlan]) -> None:
    silent = [plan.subject for plan in plans if plan.subject]
    assert len(silent) / len(plans) == pytest.approx(UNLOCATABLE_SHARE, abs=0.025)
    assert set(silent) == set(Subject)


def test_most_photos_are_taken_by_day(plans: list[PhotoPlan]) -> None:
    hours = [((p.when.hour + p.when.minute / 60) + p.latlng[1] / 15) % 24 for p in plans]
    by_day = [8 <= hour <= 20 for hour in hours]
    assert 0.85 < np.mean(by_day) < 0.99


def test_coordinates_are_those_of_the_plans(plans: list[PhotoPlan]) -> None:
    found = Photographers(0, Everywhere()).coordinates(200)
    np.testing.assert_array_equal(found, [plan.latlng for plan in plans[:200]])
    assert Photographers(0, Everywhere()).coordinates(0).shape == (0, 2)


def test_numbers_below_zero() -> None:
    with pytest.raises(UsageError, match=r"must not be negative\. Got -1 and 3"):
        Photographers(0, Everywhere()).photos(-1, 3)
