"""Places divided into S2 cells: where many are, cells are small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.geo.cells import MAX_LEVEL, cell_ids
from sightline.geo.cube import IdArray
from sightline.geo.partition.chunks import Places, run_in_chunks
from sightline.geo.partition.making import kept_cells, represented, some_places
from sightline.geo.partition.partition import Partition
from sightline.geo.partition.s2_cells import S2Cells
from sightline.geo.partition.settings import S2Settings
from sightline.geo.partition.trie import Nodes, Trie, at_depth, split_fullest


def adaptive_s2(coordinates: ArrayLike, settings: S2Settings) -> Partition:
    """Divide places into S2 cells: split the fullest into its four children, again and again.

    Kordopatis-Zilos et al., *Leveraging EfficientNet and Contrastive Learning* (2021), section 3.1,
    after Weyand et al., *PlaNet* (2016). Of equally full cells the larger is split first, then the
    one earlier on the S2 curve. Children without places are no cells, and a cell whose places all
    share one leaf is not split.

    Args:
        coordinates: (n, 2) degrees. 100 million need 3 GiB besides themselves.
        settings: When to stop.

    Returns:
        Cells in the order of the S2 curve, represented by the spherical means of their places.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place, more cells than the places can fill, or fewer than two left.
    """
    return adaptive_s2_family(coordinates, [settings])[0]


def adaptive_s2_family(
    coordinates: ArrayLike, settings: Sequence[S2Settings]
) -> tuple[Partition, ...]:
    """Divide the same places in several ways; they are sorted once.

    Of two partitions that start at one level, the one with fewer cells has every cell of the other
    inside one of its own, as long as neither drops any.

    Args:
        coordinates: (n, 2) degrees.
        settings: One for each partition.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: As for :func:`adaptive_s2`.
    """
    places = some_places(coordinates)
    leaves = np.empty(len(places), np.uint64)

    def fill(some: slice) -> None:
        leaves[some] = cell_ids(places.part(some))

    run_in_chunks(fill, len(places))
    keys = leaves >> np.uint64(1)
    keys.sort()
    # Three bits of face, two a level.
    trie = Trie(keys, bits=3 + 2 * MAX_LEVEL, root_bits=3, step=2)
    return tuple(_s2_partition(places, leaves, trie, one) for one in settings)


def uniform_s2(coordinates: ArrayLike, level: int, *, min_members: int = 1) -> Partition:
    """Divide places into the S2 cells of one level that hold any.

    Args:
        coordinates: (n, 2) degrees.
        level: 0 to 30.
        min_members: Drop cells with fewer.

    Raises:
        CoordinateError: A place is out of range.
        PartitionError: No place, no such level, or fewer than two cells left.
    """
    settings = S2Settings(
        max_members=max(1, min_members),
        min_members=min_members,
        min_level=level,
        max_level=level,
    )
    return adaptive_s2(coordinates, settings)


def _s2_partition(places: Places, leaves: IdArray, trie: Trie, settings: S2Settings) -> Partition:
    def coarse(nodes: Nodes) -> NDArray[np.bool_]:
        return np.asarray(nodes.depths < settings.max_level)

    nodes = split_fullest(
        trie,
        at_depth(trie, settings.min_level),
        cells=settings.cells,
        max_members=settings.max_members,
        may_split=coarse,
    )
    marked = (nodes.prefixes << np.uint64(1)) | np.uint64(1)
    ids = marked << (2 * (MAX_LEVEL - nodes.depths)).astype(np.uint64)
    cells = S2Cells(ids[kept_cells(nodes, settings)])
    made = {"method": "s2", **asdict(settings)}
    return represented(places, cells, made, lambda some, _: cells.locate_leaves(leaves[some]))
