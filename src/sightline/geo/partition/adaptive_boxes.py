"""Places divided into boxes of latitude and longitude: where many are, boxes are small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import PartitionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.partition.boxes import Boxes, box_areas_km2
from sightline.geo.partition.chunks import Places, in_chunks, run_in_chunks
from sightline.geo.partition.grid import BITS_PER_AXIS, Grid
from sightline.geo.partition.making import kept_cells, represented, some_places
from sightline.geo.partition.partition import Partition
from sightline.geo.partition.random_cuts import RandomCuts
from sightline.geo.partition.settings import BoxSettings, QuadtreeSettings
from sightline.geo.partition.trie import MaySplit, Nodes, Trie, at_depth, split_fullest


def adaptive_boxes(coordinates: ArrayLike, settings: BoxSettings) -> Partition:
    """Divide places into boxes: cut the fullest across its longer side, again and again.

    Vo, Jacobs and Hays, *Revisiting IM2GPS* (2017), section 3.1: "starting with a single cell of
    the entire world, repeatedly divide each cells along latitude or longitude whichever side is
    bigger (either evenly or randomly) until the number of images in each cell is smaller than a
    threshold t_img or the physical area is smaller than a threshold t_area". Sides are compared in
    degrees; a square is cut across its latitudes. Of equally full boxes the one made by fewer cuts
    goes first, then the one farther west, or south, where the two were parted. Halves without
    places are no cells, and a box whose places all share one spot is not cut.

    Args:
        coordinates: (n, 2) degrees.
        settings: When to stop, and where to cut.

    Returns:
        Boxes in the order of their cuts, represented by the spherical means of their places.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place, more cells than the places can fill, or fewer than two left.
    """
    places = some_places(coordinates)
    made = {"method": "boxes", **asdict(settings)}
    if settings.cut == "random":
        cutter = RandomCuts(places.all(), settings.seed)
        nodes = split_fullest(
            cutter,
            cutter.roots(),
            cells=settings.cells,
            max_members=settings.max_members,
            may_split=_larger(cutter.edges, settings.min_area_km2),
        )
        return _boxes_partition(places, cutter.edges(nodes), nodes, settings, made)

    grid = Grid()
    trie = _grid_trie(grid, places, step=1)

    def edges(nodes: Nodes) -> FloatArray:
        return grid.edges(nodes.prefixes, nodes.depths, 1)

    nodes = split_fullest(
        trie,
        trie.roots(),
        cells=settings.cells,
        max_members=settings.max_members,
        may_split=_larger(edges, settings.min_area_km2),
    )
    return _boxes_partition(places, edges(nodes), nodes, settings, made)


def quadtree(coordinates: ArrayLike, settings: QuadtreeSettings) -> Partition:
    """Divide places into boxes: cut the fullest into quarters, again and again.

    As Astruc et al., *OpenStreetView-5M* (2024), make theirs: ``quadtree_10_1000`` starts around
    the data, is at most 10 deep and splits boxes of 1,000 members and more, which is a
    ``max_members`` of 999. Ties, empty quarters and equal places are as in :func:`adaptive_boxes`.

    Args:
        coordinates: (n, 2) degrees.
        settings: When to stop.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place, more cells than the places can fill, or fewer than two left.
    """
    places = some_places(coordinates)
    grid = _around(places) if settings.around_data else Grid()
    trie = _grid_trie(grid, places, step=2)

    def shallow(nodes: Nodes) -> NDArray[np.bool_]:
        return np.asarray(nodes.depths < settings.max_depth)

    nodes = split_fullest(
        trie,
        at_depth(trie, settings.min_depth),
        cells=settings.cells,
        max_members=settings.max_members,
        may_split=shallow,
    )
    edges = grid.edges(nodes.prefixes, nodes.depths, 2)
    made = {"method": "quadtree", **asdict(settings)}
    return _boxes_partition(places, edges, nodes, settings, made)


def uniform_boxes(coordinates: ArrayLike, depth: int, *, min_members: int = 1) -> Partition:
    """Divide places into the equal boxes of a grid, 2^depth by 2^depth, that hold any.

    Args:
        coordinates: (n, 2) degrees.
        depth: 0 to 30.
        min_members: Drop boxes with fewer.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place, no such depth, or fewer than two boxes left.
    """
    settings = QuadtreeSettings(
        max_members=max(1, min_members),
        min_members=min_members,
        min_depth=depth,
        max_depth=depth,
    )
    return quadtree(coordinates, settings)


def _boxes_partition(
    places: Places,
    edges: FloatArray,
    nodes: Nodes,
    settings: BoxSettings | QuadtreeSettings,
    made: dict[str, Any],
) -> Partition:
    boxes = Boxes(edges[kept_cells(nodes, settings)])
    return represented(places, boxes, made, lambda _, here: boxes.locate(here))


def _larger(edges: Callable[[Nodes], FloatArray], least_km2: float) -> MaySplit | None:
    if not least_km2:
        return None
    return lambda nodes: np.asarray(box_areas_km2(edges(nodes)) >= least_km2)


def _grid_trie(grid: Grid, places: Places, step: int) -> Trie:
    keys = np.empty(len(places), np.uint64)

    def fill(some: slice) -> None:
        keys[some] = grid.keys(places.part(some))

    run_in_chunks(fill, len(places))
    keys.sort()
    return Trie(keys, bits=2 * BITS_PER_AXIS, root_bits=0, step=step)


def _around(places: Places) -> Grid:
    """Return the grid of the smallest box that holds all places."""

    def part(some: slice) -> tuple[FloatArray, FloatArray]:
        here = places.part(some)
        return here.min(axis=0), here.max(axis=0)

    lows, highs = zip(*in_chunks(part, len(places)), strict=True)
    (south, west), (north, east) = np.min(lows, axis=0), np.max(highs, axis=0)
    if south == north or west == east:
        raise PartitionError(
            "All places lie on one parallel or one meridian, which no box holds.",
            hint="Start from the world: leave around_data out.",
        )
    return Grid(float(south), float(west), float(north), float(east))
