"""What a model saw in photos: the arrays that every table of an evaluation is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.geo.partition import Partition

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What a classifier believes of n photos, over the cells of one partition.

    Attributes:
        partition: Of m cells.
        cells: (n, c) rows of the partition, the most probable first.
        points: (n, 2) degrees, where the classifier alone places the photos: the representative of
            the most probable cell, or the densest place of a mixture.
        by_radius: (n, 2) degrees by a radius in kilometres: the place that most probability lies
            around. Empty where nobody asked.
    """

    partition: Partition
    cells: Rows
    points: Floats
    by_radius: Mapping[float, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call it: ``7,011 cells``."""
        return f"{len(self.partition):,} cells"

    @property
    def representatives(self) -> Floats:
        """Of the most probable cells, (n, 2) degrees: ``points``, but of a mixture."""
        return np.asarray(self.partition.representatives[self.cells[:, 0]])


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Photos that are asked about.

    Attributes:
        name: Of the set.
        ids: (n,).
        places: (n, 2) degrees, where they were taken.
        people: (n,) who took each; None where nobody knows.
        broken: (n,) which could not be read: no method answers them.
        beliefs: One for each partition of the model, from coarse to fine.
    """

    name: str
    ids: Sequence[str]
    places: Floats
    people: Sequence[str | None]
    broken: Mask
    beliefs: tuple[Beliefs, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def groups(self) -> list[object] | None:
        """A label (n,) for each photo: its photographer, or itself; None if nobody is known."""
        if not any(self.people):
            return None
        return [person or (row,) for row, person in enumerate(self.people)]


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Photos of known places that queries are compared with.

    Attributes:
        name: Of the set.
        vectors: float16 (r, d), unit length, as an atlas keeps them.
        places: (r, 2) degrees.
        placed: (r,) which of them the classifier places in the cell of the finest partition that
            they lie in: the background collection. None where it was not asked.
        left_out: How many photos of the set are no references, by the reason: ``content`` (the
            file is a query's), ``photographer`` (took queries too), ``unreadable``.
    """

    name: str
    vectors: NDArray[np.float16]
    places: Floats
    placed: Mask | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.places)


def background(predicted: Rows, places: Floats, partition: Partition) -> Mask:
    """Choose the background collection: references that the classifier places in their own cell.

    Kordopatis-Zilos et al. (2021), section 3.3.3: "we populate it with those that our classifier is
    able to place in the correct geographic cell".

    Args:
        predicted: (r,) rows of the partition, the most probable cell of each.
        places: (r, 2) degrees, where they were taken.
        partition: The classifier's finest.

    Returns:
        (r,). A reference in no cell is never chosen.
    """
    return np.asarray(partition.assign(places) == predicted)


def shared_with_queries(
    files: Sequence[str],
    people: Sequence[str | None],
    query_files: Sequence[str],
    query_people: Sequence[str | None],
) -> tuple[Mask, Mask]:
    """Find the references that would give queries away.

    Section 4.2 of the same paper leaves out "the images of users that appear in the evaluation
    sets".

    Args:
        files: (r,) what the references' files are known by.
        people: (r,) who took them; None where nobody knows.
        query_files: (n,).
        query_people: (n,).

    Returns:
        (r,) which are a query's own file, and (r,) which others are by a query's photographer.
    """
    asked, users = set(query_files), set(query_people) - {None, ""}
    own = np.array([one in asked for one in files], bool)
    theirs = np.array([one in users for one in people], bool)
    return own, theirs & ~own
