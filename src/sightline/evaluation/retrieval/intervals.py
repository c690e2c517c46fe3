"""What a scan is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.retrieval.relevance import Indices, Lists


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Scores to compare with, each with what ties with it; a query may have none or several.

    Attributes:
        owners: int64 (t,), query; ascending within a slot.
        slots: int64 (t,), ascending; a query's best positives stand in slot 0, its next in slot 1.
        low: float64 (t,).
        high: float64 (t,).
    """

    owners: Indices
    slots: Indices
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """Positives that want to know how many of their ties stand before them by number.

    Attributes:
        owners: int64 (total,), query, ascending.
        slots: int64 (total,), which of its intervals.
        members: int64 (total,), reference number.
    """

    owners: Indices
    slots: Indices
    members: Indices

    @classmethod
    def none(cls) -> Markers:
        """Return no markers: the order among ties is not asked for."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What was counted.

    Attributes:
        better: int64 (t,), references above each interval.
        tied: int64 (t,), references in it.
        before: int64 (total,), for each marker, references tied with its interval whose number is
            smaller than its own.
    """

    better: Indices
    tied: Indices
    before: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs (query, reference) that can be cut by reference, then by query."""

    owners: Indices
    members: Indices

    @classmethod
    def of(cls, lists: Lists) -> Pairs:
        """Return what stands in lists, by reference."""
        owners = lists.owners
        order = np.argsort(lists.members, kind="stable")
        return cls(owners[order], lists.members[order])

    def between(self, first: int, last: int) -> Pairs:
        """Return those with references in [first, last), counted from ``first``, by query."""
        start, stop = np.searchsorted(self.members, (first, last))
        owners, members = self.owners[start:stop], self.members[start:stop] - first
        order = np.argsort(owners, kind="stable")
        return Pairs(owners[order], members[order])

    def owned_by(self, first: int, last: int) -> Pairs:
        """Return those of queries in [first, last), counted from ``first``."""
        start, stop = np.searchsorted(self.owners, (first, last))
        return Pairs(self.owners[start:stop] - first, self.members[start:stop])
