"""Regions: splits keep apart, margins are wide enough, and order is fixed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m
from sightline.planet.difficulty import difficulty
from sightline.planet.regions import (
    AREA,
    PATTERN,
    SUPERBLOCK,
    Area,
    PairRegion,
    Split,
    split_of_area,
)
from sightline.planet.world.lattice import latlng_of

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def town() -> PairRegion:
    return PairRegion(0, difficulty("aligned-panorama"))


def corners(area: Area) -> np.ndarray:
    points = [area.point(right, up) for right in (0.0, 1.0) for up in (0.0, 1.0)]
    a, b = (np.array([p[k] for p in points]) for k in (1, 2))
    return latlng_of(area.face, a, b)


def test_areas_of_different_superblocks_are_a_tile_apart(town: PairRegion) -> None:
    areas = [town.area(split, k) for split in SPLITS for k in range(25)]
    for one, other in itertools.combinations(areas, 2):
        if one.superblock == other.superblock:
            continue
        near = great_circle_m(corners(one)[:, None], corners(other)[None])
        assert near.min() > 112.0 * 2**0.5, (one, other)


def test_a_superblock_belongs_to_one_split(town: PairRegion) -> None:
    owners: dict[int, set[str]] = {}
    for split in SPLITS:
        for k in range(40):
            owners.setdefault(town.area(split, k).superblock, set()).add(split)
    assert all(len(splits) == 1 for splits in owners.values())
    assert len(owners) > 30


def test_areas_lie_in_the_core_of_their_superblock(town: PairRegion) -> None:
    for k in range(30):
        area = town.area("train", k)
        for first in (area.i % SUPERBLOCK, area.j % SUPERBLOCK):
            assert 2 <= first <= SUPERBLOCK - 2 - AREA


def test_order_is_fixed_and_each_area_comes_once(town: PairRegion) -> None:
    again = PairRegion(0, difficulty("known-heading"))
    assert [again.area("test", k) for k in (7, 3)] == [town.area("test", k) for k in (7, 3)]
    areas = [town.area("train", k) for k in range(200)]
    assert len({(a.face, a.i, a.j) for a in areas}) == 200
    other = PairRegion(0, difficulty("aligned-panorama"), collection=1)
    assert other.area("train", 0) != town.area("train", 0)


def test_the_unseen_country_is_for_tests_alone() -> None:
    region = PairRegion(0, difficulty("unseen-country"))
    home = {region.area(split, k).country for split in ("train", "val") for k in range(6)}
    abroad = {region.area("test", k).country for k in range(6)}
    assert len(home) == 1
    assert len(abroad) == 1
    assert home != abroad


def test_spans() -> None:
    world = PairRegion(0, difficulty("world"))
    places = np.concatenate([corners(world.area("train", k))[:1] for k in range(6)])
    assert great_circle_m(places[:1], places[1:]).max() > 3e6
    country = PairRegion(0, difficulty("country"))
    areas = [country.area("train", k) for k in range(40)]
    assert len({a.country for a in areas}) == 1
    spread = np.concatenate([corners(a)[:1] for a in areas])
    assert great_circle_m(spread[:1], spread[1:]).max() > 3e4


def test_splits_of_areas() -> None:
    found = [split_of_area(number) for number in range(30)]
    assert [split for split, _ in found] == 3 * list(PATTERN)
    for split in SPLITS:
        assert [k for s, k in found if s == split] == list(range(3 * PATTERN.count(split)))


@pytest.mark.parametrize(
    ("seed", "span", "split"), [(5, "unseen-country", "test"), (18, "country", "val")]
)
def test_land_that_has_no_more_areas(seed: int, span: str, split: Split) -> None:
    """A town abroad that is the only one of its country, and a country of few towns."""
    region = PairRegion(seed, difficulty(span), tile_m=350.0)
    with pytest.raises(
        UsageError, match=rf"has no more than \d+ areas for the split '{split}'"
    ) as c:
        region.area(split, 10**9)
    assert "Ask for fewer pairs" in c.value.hint
    held = int(c.value.message.split(" areas")[0].rsplit(" ", 1)[1])
    assert region.area(split, held - 1).face in range(6)
    with pytest.raises(UsageError, match="no more"):
        region.area(split, held)


def test_tiles_that_are_too_large() -> None:
    with pytest.raises(UsageError, match=r"at most 350 m wide\. Got 500 m"):
        PairRegion(0, difficulty("aligned-panorama"), tile_m=500.0)
