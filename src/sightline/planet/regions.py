"""Where the pairs of a data set lie, and which split each part of the land belongs to.

The lattice is cut into superblocks of 16 cells (a kilometre). A superblock belongs to one split as
a whole, and its rim is left empty, wide enough that no tile of one superblock overlaps a tile of
another. What is left is cut into **areas** of 4 cells (256 m), which hold a few places each, so
that one generated neighbourhood serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.difficulty import Difficulty
from sightline.planet.draws import mixed_keys, units_of
from sightline.planet.geography import GlobeGeography
from sightline.planet.places import UNITS, Places
from sightline.planet.world.countries import Countries
from sightline.planet.world.globe import Globe, biome_of
from sightline.planet.world.lattice import (
    CELL_M,
    CELLS,
    lattice_of,
    vectors_of,
    vectors_of_latlng,
)
from sightline.planet.world.settlements import URBAN_DENSITY, Settlements, Towns

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Split = Literal["train", "val", "test"]

SUPERBLOCK = 16
"""Cells of a superblock's side."""
AREA = 4
"""Cells of an area's side."""
PATTERN: tuple[Split, ...] = (
    "train",
    "train",
    "test",
    "train",
    "train",
    "val",
    "train",
    "train",
    "test",
    "train",
)
"""The splits of ten areas that follow each other: 70 % train, 10 % val, 20 % test."""

_SPLIT, _ORDER, _TOWN, _WORLD = range(0x5E6100, 0x5E6104)
_NARROWEST_CELL_M = 45.0
_DRY_M = 40.0
_CHOSEN_TOWNS = 40
_SUPERBLOCKS_OF_TOWN = 3
_WORLD_BATCH = 256
_MOST_BARREN = 4000
_LARGEST_COUNTRY = 0.35  # of the Earth's radius, some 2,200 km: no town of it is farther away
_LOOKED_AT = 48


@dataclass(frozen=True)
class Area:
    """A square of ``AREA`` cells in which places are looked for.

    Args:
        face: Its face.
        i: Its first cell along a.
        j: Its first cell along b.
        superblock: A number that all areas of its superblock share.
        country: The key of its country.
    """

    face: int
    i: int
    j: int
    superblock: int
    country: int

    def point(self, right: float, up: float) -> tuple[int, float, float]:
        """Face and lattice coordinates of a point in it; ``right`` and ``up`` in [0, 1]."""
        return self.face, self.i + AREA * right, self.j + AREA * up


class PairRegion:
    """The areas of one data set, in a fixed order for each split.

    Args:
        seed: The planet's seed.
        difficulty: Its ``span`` and what is ``unseen`` in the test split.
        collection: Seed of the data set: which towns and countries, and the order of areas.
        tile_m: Side of the aerial tiles in metres.

    Raises:
        UsageError: The tiles are too large for the superblocks.
    """

    def __init__(
        self, seed: int, difficulty: Difficulty, collection: int = 0, tile_m: float = 112.0
    ) -> None:
        self._seed, self._collection, self._difficulty = seed, collection, difficulty
        self._globe = Globe(seed)
        self._settlements = Settlements(seed, self._globe)
        self._countries = Countries(seed)
        self._margin = _margin(tile_m, difficulty.offset_m)
        self._areas: dict[Split, list[Area]] = {"train": [], "val": [], "test": []}
        self._sources: dict[str, Iterator[list[Area]]] = {}

    def area(self, split: Split, index: int) -> Area:
        """The area with this number in a split; there are as many as are asked for.

        Raises:
            UsageError: The span has no more areas.
        """
        source = "test" if split == "test" and self._difficulty.unseen == "country" else "train"
        barren = 0
        while len(self._areas[split]) <= index:
            if source not in self._sources:
                self._sources[source] = self._source(foreign=source == "test")
            found = next(self._sources[source], None)
            barren = 0 if found else barren + 1
            if found is None or barren > _MOST_BARREN:
                raise UsageError(
                    f"The {self._difficulty.span} has no more than {len(self._areas[split])} "
                    f"areas for the split {split!r}.",
                    hint="Ask for fewer pairs, or for the difficulty 'country' or 'world'.",
                )
            self._sort_in(found, source)
        return self._areas[split][index]

    def _sort_in(self, areas: list[Area], source: str) -> None:
        if self._difficulty.unseen == "country":
            for area in areas:
                if source == "test":
                    self._areas["test"].append(area)
                else:
                    # An eighth of what is not for testing is for validation, as in PATTERN.
                    share = self._superblock_unit(area)
                    self._areas["val" if share < 0.125 else "train"].append(area)
            return
        for area in areas:
            share = self._superblock_unit(area)
            split: Split = "test" if share < 0.2 else "val" if share < 0.3 else "train"
            self._areas[split].append(area)

    def _superblock_unit(self, area: Area) -> float:
        word = mixed_keys(_SPLIT, self._seed, self._collection, area.superblock)
        return float(units_of(np.atleast_1d(word), 1)[0, 0])

    def _source(self, *, foreign: bool) -> Iterator[list[Area]]:
        if self._difficulty.span == "world":
            return self._of_world()
        home = self._foreign() if foreign else self._metropolises().rows(np.arange(1))
        if self._difficulty.span == "town":
            return self._of_towns(self._metropolises_of(home) if foreign else None)
        return self._of_country(home)

    def _metropolises(self) -> Towns:
        """All metropolises, the chosen one first, then by population."""
        # Every planet has about a thousand, in some hundred countries.
        towns = self._settlements.metropolises
        order = np.lexsort((towns.key, -towns.population))
        first = self._collection % min(_CHOSEN_TOWNS, len(order))
        return towns.rows(np.roll(order, -first))

    def _metropolises_of(self, home: Towns) -> Towns:
        towns, country = self._metropolises(), self._countries.pairs(home.centre)[0]
        return towns.rows(self._countries.pairs(towns.centre)[0] == country)

    def _of_towns(self, towns: Towns | None) -> Iterator[list[Area]]:
        towns = self._metropolises() if towns is None else towns
        for row in range(len(towns)):
            yield from self._looked_at(self._corners_of(towns, row, most=None))

    def _looked_at(self, corners: Integers) -> Iterator[list[Area]]:
        """Areas in the order of their hashes; few at a time, for looking at land takes time."""
        words = mixed_keys(_ORDER, self._collection, *corners.T)
        corners = corners[np.argsort(words, kind="stable")]
        for start in range(0, len(corners), _LOOKED_AT):
            yield self._good(corners[start : start + _LOOKED_AT], URBAN_DENSITY)

    def _of_country(self, home: Towns) -> Iterator[list[Area]]:
        """A few superblocks of each town of a metropolis's country, then a few more of each."""
        towns = Towns.join([self._settlements.metropolises, self._settlements.towns])
        offset = towns.centre - home.centre
        square = offset[:, 0] ** 2 + offset[:, 1] ** 2 + offset[:, 2] ** 2
        towns = towns.rows(square <= _LARGEST_COUNTRY**2)
        country, _ = self._countries.pairs(towns.centre)
        wanted = int(self._countries.pairs(home.centre)[0][0])
        mine = np.flatnonzero(country == np.uint32(wanted))
        words = mixed_keys(_TOWN, self._collection, towns.key[mine].astype(np.int64))
        towns = towns.rows(mine[np.argsort(words, kind="stable")])
        for turn in count():
            found_any = False
            for row in range(len(towns)):
                for areas in self._looked_at(self._corners_of(towns, row, most=turn)):
                    found_any |= bool(areas)
                    yield [area for area in areas if area.country == wanted]
            if not found_any:
                return

    def _foreign(self) -> Towns:
        """The largest metropolis that is of another country and biome than home."""
        towns = self._metropolises()
        country, _ = self._countries.pairs(towns.centre)
        weather = self._globe.weather(towns.centre)
        biomes = np.array(
            [
                biome_of(float(warm), float(wet))
                for warm, wet in zip(weather.temperature, weather.humidity, strict=True)
            ]
        )
        other = np.flatnonzero((country != country[0]) & (biomes != biomes[0]))
        return towns.rows(other[:1])

    def _of_world(self) -> Iterator[list[Area]]:
        """One area for each place that is drawn, wherever on the planet."""
        places = Places(self._seed, GlobeGeography(self._globe, self._settlements))
        seen: set[tuple[int, int, int]] = set()
        for batch in count():
            numbers = np.arange(batch * _WORLD_BATCH, (batch + 1) * _WORLD_BATCH)
            words = mixed_keys(_WORLD, self._seed, self._collection, numbers)
            _, latlng = places.draw(units_of(words, UNITS))
            face, a, b = lattice_of(vectors_of_latlng(latlng))
            corners = [self._snapped(int(f), x, y) for f, x, y in zip(face, a, b, strict=True)]
            fresh = [c for c in dict.fromkeys(corners) if c not in seen]
            seen.update(fresh)
            yield self._good(np.array(fresh, np.int64).reshape(-1, 3), URBAN_DENSITY / 8)

    def _snapped(self, face: int, a: float, b: float) -> tuple[int, int, int]:
        """The area of the superblock's core that is nearest to a lattice point."""
        inner = (SUPERBLOCK - 2 * self._margin) // AREA
        found = []
        for x in (a, b):
            block = min(max(int(x), 0), CELLS - 1) // SUPERBLOCK
            inside = int((x - block * SUPERBLOCK - self._margin) // AREA)
            found.append(block * SUPERBLOCK + self._margin + AREA * min(max(inside, 0), inner - 1))
        return face, found[0], found[1]

    def _corners_of(self, towns: Towns, row: int, most: int | None) -> Integers:
        """The areas of a town, (n, 3); with ``most`` those of a few superblocks, by turns."""
        centre = towns.centre[row]
        face, a, b = (x[0] for x in lattice_of(centre[None, :]))
        reach = int(towns.radius_m[row] / CELL_M) + SUPERBLOCK
        blocks = [
            np.arange(
                max(int(x) - reach, 0) // SUPERBLOCK,
                min(int(x) + reach, CELLS - 1) // SUPERBLOCK + 1,
            )
            for x in (a, b)
        ]
        i, j = (x.ravel() * SUPERBLOCK for x in np.meshgrid(*blocks, indexing="ij"))
        if most is not None:
            words = mixed_keys(_TOWN, self._collection, int(face), i, j)
            turn = slice(most * _SUPERBLOCKS_OF_TOWN, (most + 1) * _SUPERBLOCKS_OF_TOWN)
            chosen = np.argsort(words, kind="stable")[turn]
            i, j = i[chosen], j[chosen]
        corners = self._corners(int(face), i, j)
        middle = vectors_of(int(face), corners[:, 1] + AREA / 2, corners[:, 2] + AREA / 2)
        offset = (middle - centre) * EARTH_RADIUS_M
        square = offset * offset
        near = square[:, 0] + square[:, 1] + square[:, 2] <= towns.radius_m[row] ** 2
        return np.asarray(corners[near])

    def _corners(self, face: int, i: Integers, j: Integers) -> Integers:
        """First cells of the areas in the cores of superblocks, (n, 3): face, i, j."""
        steps = self._margin + AREA * np.arange((SUPERBLOCK - 2 * self._margin) // AREA)
        right, up = (x.ravel() for x in np.meshgrid(steps, steps, indexing="ij"))
        all_i, all_j = (i[:, None] + right).ravel(), (j[:, None] + up).ravel()
        return np.stack([np.full(len(all_i), face), all_i, all_j], axis=1)

    def _good(self, corners: Integers, density: float) -> list[Area]:
        """The areas that lie on dry land where people live, in the order given."""
        if not len(corners):
            return []
        middles = np.concatenate(
            [vectors_of(int(f), i + AREA / 2, j + AREA / 2)[None] for f, i, j in corners]
        )
        relief, weather = self._globe.fields(middles)
        people = self._settlements.density(middles, weather.habitability)
        good = (relief.water > _DRY_M) & (people >= density)
        country, _ = self._countries.pairs(middles)
        blocks = corners // SUPERBLOCK
        numbers = (corners[:, 0] * 16384 + blocks[:, 1]) * 16384 + blocks[:, 2]
        return [
            Area(int(f), int(i), int(j), int(numbers[k]), int(country[k]))
            for k, (f, i, j) in enumerate(corners)
            if good[k]
        ]


def split_of_area(number: int) -> tuple[Split, int]:
    """The split of the area with a number, and which of its split's areas it is."""
    turn, place = divmod(number, len(PATTERN))
    split = PATTERN[place]
    return split, turn * PATTERN.count(split) + PATTERN[:place].count(split)


def _margin(tile_m: float, offset_m: float) -> int:
    """How many cells of a superblock's rim stay empty."""
    reach_m = 0.7072 * tile_m + 1.4143 * offset_m
    margin = max(int(np.ceil(reach_m / _NARROWEST_CELL_M)), 1)
    if SUPERBLOCK - 2 * margin < AREA:
        raise UsageError(
            f"Tiles must be at most 350 m wide. Got {tile_m:g} m with offsets up to "
            f"{offset_m:g} m.",
            hint="Choose a smaller size or finer resolution.",
        )
    return margin
