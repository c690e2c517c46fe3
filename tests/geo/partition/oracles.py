"""The slow, obvious way: a queue over lists of points, one point at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import s2geometry as s2

from sightline.geo.distance import spherical_mean


@dataclass(order=True)
class Node:
    """Fullest first, then the larger, then the earlier."""

    rank: tuple[int, int, tuple[int, ...]] = field(init=False)
    shape: Any = field(compare=False)
    members: list[Any] = field(compare=False)
    path: tuple[int, ...] = field(compare=False)
    depth: int = field(compare=False)

    def __post_init__(self) -> None:
        self.rank = (-len(self.members), self.depth, self.path)


def queue(
    roots: list[Node],
    split: Callable[[Node], list[Node]],
    may_split: Callable[[Node], bool],
    cells: int | None,
    max_members: int | None,
) -> list[Node]:
    """Pop the fullest cell, push its children, until there are enough or none is too full."""
    waiting = [node for node in roots if node.members]
    heapq.heapify(waiting)
    done: list[Node] = []
    while waiting and (cells is None or len(waiting) + len(done) < cells):
        node = heapq.heappop(waiting)
        if len(node.members) <= (max_members or 1):
            done.append(node)
            break
        if not may_split(node):
            done.append(node)
            continue
        for child in split(node):
            if child.members:
                heapq.heappush(waiting, child)
    return sorted(done + waiting, key=lambda node: node.path)


def s2_leaf(place: tuple[float, float]) -> int:
    return s2.S2CellId(s2.S2LatLng.FromDegrees(*place)).id()


def s2_cells(
    places: np.ndarray,
    *,
    cells: int | None = None,
    max_members: int | None = None,
    min_level: int = 0,
    max_level: int = 30,
) -> dict[int, int]:
    """Ids of S2 cells to how many places each holds."""
    leaves = [s2_leaf((lat, lon)) for lat, lon in places.tolist()]

    def node(cell: int, members: list[int]) -> Node:
        level = s2.S2CellId(cell).level()
        return Node(cell, members, (cell,), level)

    def parted(members: list[int], level: int) -> list[Node]:
        found: dict[int, list[int]] = {}
        for leaf in members:
            found.setdefault(s2.S2CellId(leaf).parent(level).id(), []).append(leaf)
        return [node(cell, some) for cell, some in found.items()]

    nodes = queue(
        parted(leaves, min_level),
        lambda one: parted(one.members, one.depth + 1),
        lambda one: one.depth < max_level and len(set(one.members)) > 1,
        cells,
        max_members,
    )
    return {one.shape: len(one.members) for one in nodes}


Box = tuple[float, float, float, float]


def boxes(
    places: np.ndarray,
    *,
    cells: int | None = None,
    max_members: int | None = None,
    min_area_km2: float = 0.0,
    share: Callable[[tuple[int, ...]], float] = lambda path: 0.5,
) -> dict[Box, int]:
    """Boxes by Im2GPS's rule to how many places each holds."""

    def split(one: Node) -> list[Node]:
        south, west, north, east = one.shape
        part = share(one.path)
        if north - south >= east - west:
            cut = south + (north - south) * part
            shapes = (south, west, cut, east), (cut, west, north, east)
            sides = [place[0] >= cut for place in one.members]
        else:
            cut = west + (east - west) * part
            shapes = (south, west, north, cut), (south, cut, north, east)
            sides = [place[1] >= cut for place in one.members]
        return [
            Node(
                shape,
                [place for place, beyond in zip(one.members, sides, strict=True) if beyond == side],
                (*one.path, side),
                one.depth + 1,
            )
            for side, shape in enumerate(shapes)
        ]

    def may_split(one: Node) -> bool:
        return len(set(one.members)) > 1 and area_km2(one.shape) >= min_area_km2

    root = Node((-90.0, -180.0, 90.0, 180.0), [tuple(p) for p in places.tolist()], (), 0)
    nodes = queue([root], split, may_split, cells, max_members)
    return {one.shape: len(one.members) for one in nodes}


def quarters(
    places: np.ndarray,
    *,
    bounds: Box,
    cells: int | None = None,
    max_members: int | None = None,
    max_depth: int = 30,
) -> dict[Box, int]:
    """Boxes of a quadtree to how many places each holds."""

    def split(one: Node) -> list[Node]:
        south, west, north, east = one.shape
        lat, lon = 0.5 * (south + north), 0.5 * (west + east)
        shapes = (
            (south, west, lat, lon),
            (lat, west, north, lon),
            (south, lon, lat, east),
            (lat, lon, north, east),
        )
        parts: list[list[Any]] = [[], [], [], []]
        for place in one.members:
            parts[2 * (place[1] >= lon) + (place[0] >= lat)].append(place)
        return [
            Node(shape, some, (*one.path, number), one.depth + 1)
            for number, (shape, some) in enumerate(zip(shapes, parts, strict=True))
        ]

    root = Node(bounds, [tuple(p) for p in places.tolist()], (), 0)
    nodes = queue(
        [root],
        split,
        lambda one: one.depth < max_depth and len(set(one.members)) > 1,
        cells,
        max_members,
    )
    return {one.shape: len(one.members) for one in nodes}


def area_km2(box: Box) -> float:
    south, west, north, east = np.radians(box)
    return float(6371.0088**2 * (np.sin(north) - np.sin(south)) * (east - west))


def splitmix(state: int) -> int:
    """SplitMix64 as its authors write it in C."""
    mask = (1 << 64) - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def random_share(seed: int) -> Callable[[tuple[int, ...]], float]:
    """Where a box is cut, by its seed and the sides that led to it."""
    root = int(np.random.default_rng(seed).integers(0, 1 << 63, 1, dtype=np.uint64)[0])

    def share(path: tuple[int, ...]) -> float:
        state = root
        for side in path:
            state = splitmix((state + 1 + side) & ((1 << 64) - 1))
        return 0.25 + 0.5 * ((splitmix(state) >> 11) * 2.0**-53)

    return share


def means(places: np.ndarray, rows: np.ndarray, cells: int) -> np.ndarray:
    """Spherical means of the members of each cell."""
    return np.array([spherical_mean(places[rows == row]) for row in range(cells)])
