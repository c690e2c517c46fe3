"""Which references are right for each query, which are neither right nor wrong, which are junk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from sightline.errors import EvaluationError
from sightline.geo.coordinates import EARTH_RADIUS_M, as_coordinates, unit_vectors
from sightline.geo.distance import great_circle_m

Indices = NDArray[np.int64]

_PADDING = -1
# Pairs are found for so many queries at a time, because candidates take a hundred bytes each.
_QUERIES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """n lists of reference numbers in two arrays: list i is ``members[starts[i]:starts[i + 1]]``.

    Attributes:
        starts: int64 (n + 1,), ascending from 0.
        members: int64 (total,), ascending within a list, no number twice in one list.
    """

    starts: Indices
    members: Indices

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Indices:
        """int64 (n,)."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Indices:
        """int64 (total,): the list that each member stands in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def of(self, query: int) -> Indices:
        """Return one list."""
        return self.members[self.starts[query] : self.starts[query + 1]]

    @classmethod
    def empty(cls, count: int) -> Lists:
        """Return ``count`` lists without members."""
        return cls(np.zeros(count + 1, np.int64), np.empty(0, np.int64))

    @classmethod
    def of_pairs(cls, owners: Indices, members: Indices, count: int) -> Lists:
        """Sort (owner, member) pairs, each kept once, into ``count`` lists."""
        order = np.lexsort((members, owners))
        owners, members = owners[order], members[order]
        if len(owners):
            fresh = np.ones(len(owners), bool)
            fresh[1:] = (owners[1:] != owners[:-1]) | (members[1:] != members[:-1])
            owners, members = owners[fresh], members[fresh]
        starts = np.searchsorted(owners, np.arange(count + 1)).astype(np.int64)
        return cls(starts, np.ascontiguousarray(members))

    def equals(self, other: Lists) -> bool:
        """Whether both hold the same members list by list."""
        return np.array_equal(self.starts, other.starts) and np.array_equal(
            self.members, other.members
        )

    def without(self, other: Lists) -> Lists:
        """Return the lists without what the same list of ``other`` holds."""
        span = 1 + max(self.members.max(initial=-1), other.members.max(initial=-1))
        keys = self.owners * span + self.members
        kept = ~np.isin(keys, other.owners * span + other.members)
        return Lists.of_pairs(self.owners[kept], self.members[kept], len(self))


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """What a retrieval is judged by.

    Attributes:
        references: How many references there are, m.
        positives: Per query, the references that are right. A query may have none: it cannot be
            answered and counts as a miss.
        semi_positives: Neither right nor wrong (VIGOR's three neighbours of the true tile). They
            count as other references in recall and are left out of the hit rate.
        ignored: Junk: as if it were not there for this query.
    """

    references: int
    positives: Lists
    semi_positives: Lists
    ignored: Lists

    @property
    def queries(self) -> int:
        """How many queries there are, n."""
        return len(self.positives)

    @classmethod
    def paired(cls, count: int) -> Relevance:
        """Query i belongs to reference i, as in CVUSA and CVACT."""
        numbers = np.arange(count)
        lists = Lists(np.arange(count + 1), numbers)
        return cls(count, lists, Lists.empty(count), Lists.empty(count))

    @classmethod
    def from_indices(
        cls,
        positives: ArrayLike,
        references: int,
        *,
        semi_positives: ArrayLike | None = None,
        ignore: ArrayLike | None = None,
    ) -> Relevance:
        """Read matrices of reference numbers.

        Args:
            positives: Integers (n,) or (n, p), counted from 0; -1 pads a row.
            references: How many references there are, m.
            semi_positives: The same form; a number that is also a positive is a positive.
            ignore: The same form.

        Raises:
            EvaluationError: No integers, another number of rows, a number outside [0, m) and not
                -1, or one that is both a positive and ignored; names array, row and value.
        """
        right = _lists(positives, references, "positives", None)
        count = len(right)
        semi = _lists(semi_positives, references, "semi_positives", count)
        junk = _lists(ignore, references, "ignore", count)
        _refuse_overlap(right, junk)
        return cls(references, right, semi.without(right).without(junk), junk)

    @classmethod
    def from_labels(
        cls, query_labels: ArrayLike, reference_labels: ArrayLike, *, junk_label: int = -1
    ) -> Relevance:
        """References with the query's label are right, as in University-1652.

        Args:
            query_labels: Integers (n,).
            reference_labels: Integers (m,); those that are ``junk_label`` are ignored.
            junk_label: No query's label.

        Raises:
            EvaluationError: Labels are no integers, not one-dimensional, or a query's is junk.
        """
        asked = _labels(query_labels, "query labels")
        given = _labels(reference_labels, "reference labels")
        if (asked == junk_label).any():
            row = int(np.argmax(asked == junk_label))
            raise EvaluationError(
                f"query labels row {row} is {junk_label}, the label of junk.",
                hint="Give every query the label of its place.",
            )
        order = np.argsort(given, kind="stable")
        first = np.searchsorted(given[order], asked, side="left")
        last = np.searchsorted(given[order], asked, side="right")
        owners = np.repeat(np.arange(len(asked)), last - first)
        offsets = np.arange(len(owners)) - np.repeat(
            np.cumsum(last - first) - (last - first), last - first
        )
        members = order[np.repeat(first, last - first) + offsets]
        junk = np.flatnonzero(given == junk_label)
        ignored = Lists(
            np.arange(len(asked) + 1) * len(junk), np.tile(junk, len(asked)).astype(np.int64)
        )
        positives = Lists.of_pairs(owners, members, len(asked))
        return cls(len(given), positives, Lists.empty(len(asked)), ignored)

    @classmethod
    def within_radius(
        cls, query_latlon: ArrayLike, reference_latlon: ArrayLike, radius_m: float
    ) -> Relevance:
        """Every reference within ``radius_m`` of the query's place is right (CVACT test: 25 m).

        Args:
            query_latlon: (n, 2) degrees, latitude first.
            reference_latlon: (m, 2) degrees.
            radius_m: Metres along the great circle, inclusive, > 0.

        Raises:
            CoordinateError: A place is out of range or not finite; names array and row.
            EvaluationError: ``radius_m`` is not a positive number.
        """
        if not (np.isfinite(radius_m) and radius_m > 0.0):
            raise EvaluationError(
                f"radius_m must be a positive number of metres. Got {radius_m!r}.",
                hint="CVACT's test set takes 25.",
            )
        asked = as_coordinates(query_latlon, name="query_latlon")
        given = as_coordinates(reference_latlon, name="reference_latlon")
        # The chord below an arc; a hair longer, and the arc itself decides.
        chord = 2.0 * np.sin(min(radius_m / EARTH_RADIUS_M, np.pi) / 2.0) * (1 + 1e-9) + 1e-12
        tree = cKDTree(unit_vectors(given))
        pairs = [
            _near(tree, asked, given, slice(start, start + _QUERIES_AT_ONCE), chord, radius_m)
            for start in range(0, len(asked), _QUERIES_AT_ONCE)
        ]
        owners, members = (np.concatenate(part) for part in zip(*pairs, strict=True))
        positives = Lists.of_pairs(owners, members, len(asked))
        return cls(len(given), positives, Lists.empty(len(asked)), Lists.empty(len(asked)))

    def of_queries(self, chosen: Indices) -> Relevance:
        """Keep the queries of these numbers, int64 (q,), in their order."""
        kept = [
            _picked(lists, chosen) for lists in (self.positives, self.semi_positives, self.ignored)
        ]
        return Relevance(self.references, *kept)

    def reversed(self) -> Relevance:
        """References ask and queries answer: the other direction of the same pairs."""
        turned = [
            Lists.of_pairs(lists.members, lists.owners, self.references)
            for lists in (self.positives, self.semi_positives, self.ignored)
        ]
        return Relevance(self.queries, *turned)

    def shuffled(self, rng: np.random.Generator) -> Relevance:
        """Hand the queries' lists out at random: what is left is chance."""
        return self.of_queries(rng.permutation(self.queries))


def _picked(lists: Lists, chosen: Indices) -> Lists:
    lengths = lists.lengths[chosen]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return Lists(starts, lists.members[np.repeat(lists.starts[chosen], lengths) + place])


def _near(
    tree: cKDTree,
    asked: NDArray[np.float64],
    given: NDArray[np.float64],
    part: slice,
    chord: float,
    radius_m: float,
) -> tuple[Indices, Indices]:
    """Queries of a part and the references within the radius, int64 (p,) each."""
    around: Any = tree.query_ball_point(unit_vectors(asked[part]), chord)
    lengths = [len(found) for found in around]
    owners = part.start + np.repeat(np.arange(len(lengths)), lengths)
    members = np.fromiter(chain.from_iterable(around), np.int64, sum(lengths))
    kept = great_circle_m(asked[owners], given[members]) <= radius_m
    return owners[kept], members[kept]


def _lists(value: ArrayLike | None, references: int, name: str, count: int | None) -> Lists:
    if value is None:
        return Lists.empty(count or 0)
    array = _integers(value, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise EvaluationError(
            f"{name} must have shape (n,) or (n, p). Got {array.shape}.",
            hint="One row per query, padded with -1.",
        )
    if count is not None and len(array) != count:
        raise EvaluationError(
            f"{name} has {len(array)} rows, and positives has {count}.",
            hint="Give one row for each query, in the same order.",
        )
    bad = (array < _PADDING) | (array >= references)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise EvaluationError(
            f"{name} row {row} names reference {int(array[row, column])}, and there are "
            f"{references}.",
            hint=f"Numbers count from 0 to {references - 1}; -1 pads a row.",
        )
    owners, columns = np.nonzero(array != _PADDING)
    return Lists.of_pairs(owners.astype(np.int64), array[owners, columns], len(array))


def _integers(value: ArrayLike, name: str) -> NDArray[np.int64]:
    array: NDArray[Any] = np.asarray(value)
    whole = array.dtype.kind in "iu" or (
        array.dtype.kind == "f" and bool(np.all(np.isfinite(array) & (array == np.round(array))))
    )
    if not whole:
        raise EvaluationError(
            f"{name} must hold whole numbers. Got {array.dtype} with {_first_odd(array)}.",
            hint="Give each query the number of its reference, counted from 0.",
        )
    return array.astype(np.int64)


def _first_odd(array: NDArray[Any]) -> str:
    if array.dtype.kind != "f":
        return f"shape {array.shape}"
    with np.errstate(invalid="ignore"):
        odd = ~(np.isfinite(array) & (array == np.round(array)))
    place = tuple(int(i) for i in np.argwhere(odd)[0])
    return f"{array[place]} in row {place[0]}"


def _labels(value: ArrayLike, name: str) -> NDArray[np.int64]:
    array = _integers(value, name)
    # Matlab files hold a vector as a row or a column.
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1:
        raise EvaluationError(
            f"{name} must have shape (n,). Got {array.shape}.", hint="One label each."
        )
    return array


def _refuse_overlap(positives: Lists, ignored: Lists) -> None:
    span = 1 + max(positives.members.max(initial=-1), ignored.members.max(initial=-1))
    both = np.isin(
        positives.owners * span + positives.members, ignored.owners * span + ignored.members
    )
    if both.any():
        place = int(np.argmax(both))
        raise EvaluationError(
            f"Reference {int(positives.members[place])} is both a positive and ignored for query "
            f"{int(positives.owners[place])}.",
            hint="A reference is either right or left out.",
        )
