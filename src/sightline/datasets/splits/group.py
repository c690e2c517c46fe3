"""Splits by S2 cell and by photographer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sightline.datasets.splits.assignment import DEFAULT_SHARES, Assignment, deal
from sightline.datasets.splits.buffer import leave_out_near
from sightline.errors import UsageError
from sightline.geo import cells
from sightline.geo.coordinates import as_coordinates

Unknown = Literal["refuse", "each", "one"]


def by_cell(
    latlon: ArrayLike,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    *,
    level: int = 10,
    buffer_m: float = 0.0,
    seed: int = 0,
) -> Assignment:
    """Split by S2 cell: all photos of a cell are on one side.

    Args:
        latlon: (n, 2) degrees, latitude first.
        shares: The splits and their relative sizes.
        level: S2 level of the cells; 10 is about 10 km wide.
        buffer_m: Leave out rows of the larger splits that lie nearer than this to one of a smaller
            split, so that tiles on either side of a border share no ground.
        seed: Which cells go where.

    Returns:
        The split of each row; it depends on the places and not on their order.

    Raises:
        CoordinateError: A place is out of range.
        CellError: There is no such level.
        UsageError: The shares or the buffer are impossible, or a split would be empty.
    """
    places = as_coordinates(latlon)
    _, group = np.unique(cells.cell_ids(places, level), return_inverse=True)
    assignment = deal(group, shares, seed=seed, what=f"cells of level {level}")
    return leave_out_near(assignment, places, buffer_m)


def by_photographer(
    photographers: Sequence[str | None],
    shares: Mapping[str, float] = DEFAULT_SHARES,
    *,
    unknown: Unknown = "refuse",
    seed: int = 0,
) -> Assignment:
    """Split by photographer: all photos of one person are on one side.

    Args:
        photographers: (n,) names; None or empty where the photographer is not known.
        shares: The splits and their relative sizes.
        unknown: What to do with photos by nobody known: ``refuse`` them, take ``each`` as a
            photographer of its own, or all of them as ``one``.
        seed: Which photographers go where.

    Returns:
        The split of each row; among known photographers it does not depend on the rows' order.

    Raises:
        UsageError: A photographer is unknown and was refused, the shares are impossible, or a
            split would be empty.
    """
    names = [name or "" for name in photographers]
    known = np.array([bool(name) for name in names], dtype=bool)
    if unknown not in ("refuse", "each", "one"):
        raise UsageError(
            f"unknown must be refuse, each or one. Got {unknown!r}.",
            hint="each takes every photo without a photographer as taken by somebody else.",
        )
    if unknown == "refuse" and not known.all():
        raise UsageError(
            f"{int((~known).sum())} of {len(names)} photos name no photographer, the first in row "
            f"{int(np.argmin(known))}.",
            hint="Fill the column, or choose unknown='each' or 'one'.",
        )
    _, group = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    group = group.astype(np.int64).ravel()
    if unknown == "each" and not known.all():
        # The empty name sorts first, so it is group 0.
        group[~known] = int(group.max()) + 1 + np.arange(int((~known).sum()))
        group -= 1
    return deal(group, shares, seed=seed, what="photographers")
