"""From cells to a partition: which are kept, and what represents them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import PartitionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.partition.cells import Cells, Rows
from sightline.geo.partition.chunks import Places
from sightline.geo.partition.members import gather_members
from sightline.geo.partition.partition import Partition
from sightline.geo.partition.settings import Settings
from sightline.geo.partition.trie import Nodes


def some_places(coordinates: ArrayLike) -> Places:
    """Return places to be read in pieces; raises a PartitionError where there are none."""
    places = Places(coordinates)
    if not len(places):
        raise PartitionError(
            "A partition is made of places. Got none.", hint="Give at least two of them."
        )
    return places


def kept_cells(nodes: Nodes, settings: Settings) -> NDArray[np.bool_]:
    """Say which cells are kept, or raise a PartitionError."""
    if len(nodes) < 2:
        raise PartitionError(
            f"All {int(nodes.counts.sum()):,} places lie in one cell.",
            hint="Give places farther apart, ask for more cells or fewer members, or allow smaller "
            "cells.",
        )
    goal = settings.cells if settings.max_members is None else None
    if goal is not None and len(nodes) < goal:
        raise PartitionError(
            f"The places fill {len(nodes):,} cells at most under these bounds, and {goal:,} were "
            "asked for.",
            hint="Ask for fewer cells, allow smaller ones, or give more places.",
        )
    kept = nodes.counts >= settings.min_members
    if kept.sum() < 2:
        raise PartitionError(
            f"Of {len(nodes):,} cells only {int(kept.sum())} has {settings.min_members:,} places "
            f"or more; the fullest has {int(nodes.counts.max()):,}.",
            hint="Keep cells of fewer places, split less, or give more places.",
        )
    return np.asarray(kept)


def represented(
    places: Places,
    cells: Cells,
    made: dict[str, Any],
    locate: Callable[[slice, FloatArray], Rows],
) -> Partition:
    """Return cells with the spherical means of their places, or their middles where those cancel.

    Args:
        places: What the cells were made of.
        cells: The cells.
        made: How they were made.
        locate: Returns the rows of the cells of some of the places, given their slice and them.
    """
    members = gather_members(len(cells), places, locate)
    points = members.means(otherwise=cells.middles())
    return Partition(cells, points, members.counts, {**made, "places": len(places)})
