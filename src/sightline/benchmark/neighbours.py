"""The references nearest to each query, found once and read in many ways.

Every set of references is searched exactly, in parts: the background collection and the rest. The
nearest of any union of parts are the nearest of their nearest, so that sets alone, sets together
and the background alone need no search of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.exact import exact_top
from sightline.atlas.segment import Segment
from sightline.benchmark.seen import Floats, Queries, References, Rows

_QUERIES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The k nearest references of n queries, the nearest first.

    Attributes:
        scores: (n, k) cosines; NaN for padding, which comes last.
        places: (n, k, 2) degrees; NaN for padding.
        sets: (n, k) the number of the set that each is of; -1 for padding.
    """

    scores: Floats
    places: Floats
    sets: Rows

    def first(self, k: int) -> Neighbours:
        """The k nearest of them, or all."""
        return Neighbours(self.scores[:, :k], self.places[:, :k], self.sets[:, :k])

    def shares(self, count: int, k: int) -> Floats:
        """The share (n, count) of each set among the k nearest; NaN for a query without any."""
        some = self.sets[:, :k]
        found = np.stack([(some == number).sum(axis=1) for number in range(count)], axis=1)
        total = found.sum(axis=1, keepdims=True)
        return np.asarray(
            np.divide(found, total, out=np.full(found.shape, np.nan), where=total > 0)
        )


def merged(parts: Sequence[Neighbours], k: int) -> Neighbours:
    """The k nearest of several; of equal scores that of the first part.

    Args:
        parts: At least one, of the same queries.
        k: How many.
    """
    scores = np.concatenate([part.scores for part in parts], axis=1)
    places = np.concatenate([part.places for part in parts], axis=1)
    sets = np.concatenate([part.sets for part in parts], axis=1)
    # NaN sorts last.
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Neighbours(
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(places, order[:, :, None], axis=1),
        np.take_along_axis(sets, order, axis=1),
    )


@dataclass(eq=False)
class Search:
    """Queries and what they are compared with; every part is searched when it is first asked for.

    Args:
        queries: n photos.
        vectors: float32 (n, d), unit length; of a broken photo anything.
        references: One set or several.
        deepest: How many neighbours are kept.
        progress: Told how many queries of a search are done, and of how many.
    """

    queries: Queries
    vectors: NDArray[np.float32]
    references: Sequence[References]
    deepest: int
    progress: Callable[[int, int], None] | None = None
    _found: dict[tuple[int, bool, int], Neighbours] = field(default_factory=dict)
    _cells: dict[tuple[int, int], Rows] = field(default_factory=dict)

    def anywhere(
        self, sets: Sequence[int] | None = None, *, background: bool = False
    ) -> Neighbours:
        """The nearest references.

        Args:
            sets: Numbers of the sets to look in; None for all.
            background: Only those that the classifier places in their own cell.
        """
        return self._merged(sets, -1, background)

    def in_cells(
        self, partition: int, sets: Sequence[int] | None = None, *, background: bool = False
    ) -> Neighbours:
        """The nearest references in the most probable cell of each query.

        Args:
            partition: Number of the partition, from coarse to fine.
            sets: As of :meth:`anywhere`.
            background: As of :meth:`anywhere`.
        """
        return self._merged(sets, partition, background)

    def _merged(self, sets: Sequence[int] | None, partition: int, background: bool) -> Neighbours:
        numbers = range(len(self.references)) if sets is None else sets
        parts = [
            self._part(number, placed, partition)
            for number in numbers
            for placed in ((True,) if background else (True, False))
        ]
        return merged(parts, self.deepest)

    def _part(self, number: int, placed: bool, partition: int) -> Neighbours:
        key = number, placed, partition
        if key not in self._found:
            references = self.references[number]
            chosen = references.placed
            if chosen is None:
                chosen = np.ones(len(references), bool)
            rows = np.flatnonzero(chosen == placed)
            if partition < 0:
                groups = iter([(np.flatnonzero(~self.queries.broken), rows)])
            else:
                groups = self._in_cells_of(number, rows, partition)
            self._found[key] = self._nearest(references, number, groups)
        return self._found[key]

    def _in_cells_of(self, number: int, rows: Rows, partition: int) -> Iterator[tuple[Rows, Rows]]:
        """Queries that share their most probable cell, and the references in it."""
        beliefs = self.queries.beliefs[partition]
        own = self._cells_of(number, partition)[rows]
        order = np.argsort(own, kind="stable")
        asked = np.where(self.queries.broken, -1, beliefs.cells[:, 0])
        for cell in np.unique(asked[asked >= 0]).tolist():
            start, stop = np.searchsorted(own[order], [cell, cell + 1])
            yield np.flatnonzero(asked == cell), rows[order[start:stop]]

    def _cells_of(self, number: int, partition: int) -> Rows:
        key = number, partition
        if key not in self._cells:
            cells = self.queries.beliefs[partition].partition
            self._cells[key] = cells.assign(self.references[number].places)
        return self._cells[key]

    def _nearest(
        self, references: References, number: int, groups: Iterator[tuple[Rows, Rows]]
    ) -> Neighbours:
        scores = np.full((len(self.queries), self.deepest), np.nan)
        places = np.full((*scores.shape, 2), np.nan)
        sets = np.full(scores.shape, -1, np.int64)
        segment = as_segment(references)
        done, total = 0, int((~self.queries.broken).sum())
        for asked, rows in groups:
            for start in range(0, len(asked), _QUERIES_AT_ONCE):
                some = asked[start : start + _QUERIES_AT_ONCE]
                k = min(self.deepest, len(rows))
                if k:
                    found, cosines = exact_top(segment, self.vectors[some], k, rows=rows)
                    scores[some, :k], sets[some, :k] = cosines, number
                    places[some, :k] = references.places[found]
                done += len(some)
                if self.progress is not None:
                    self.progress(done, total)
        return Neighbours(scores, places, sets)


def as_segment(references: References) -> Segment:
    """References as the exact search takes rows: in their own order, without names."""
    count = len(references)
    return Segment(
        vectors=references.vectors,
        regions=None,
        ids=np.arange(count),
        s2=np.zeros(count, np.uint64),
        coordinates=references.places,
        views=np.zeros(count, np.int16),
        headings=np.full(count, np.nan, np.float32),
        hashes=np.zeros((count, 0), np.uint8),
        uri_ends=np.zeros(count + 1, np.int64),
        uri_bytes=np.empty(0, np.uint8),
    )
