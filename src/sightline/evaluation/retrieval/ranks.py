"""How many references stand before a query's true one, and how many stand beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EvaluationError, VectorError
from sightline.evaluation.retrieval.intervals import Intervals, Markers, Scan
from sightline.evaluation.retrieval.relevance import Lists, Relevance
from sightline.evaluation.retrieval.scan import Progress, scan
from sightline.evaluation.retrieval.space import Distance, Space
from sightline.evaluation.retrieval.vectors import (
    Measured,
    Vectors,
    VectorsLike,
    measure,
    open_vectors,
)

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PositiveCounts:
    """The same counts for every positive of every query: what average precision needs.

    The arrays run over all positives, query by query (``relevance.positives.starts``), and within
    a query from the most similar to the least. Positives that are tied stand in one group, by their
    numbers, and have the same counts.

    Attributes:
        member: int64 (total,), the positive's reference number.
        better: int64 (total,), other references strictly closer than the positive's group; neither
            positives nor ignored ones are counted.
        tied: int64 (total,), other references tied with it.
        tied_before: int64 (total,), those of ``tied`` with a smaller reference number.
        group: int64 (total,), number of the tie group within its query, ascending from 0.
    """

    member: Counts
    better: Counts
    tied: Counts
    tied_before: Counts
    group: Counts


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where each query's best positive stands: all that metrics need, and nothing of size n × m.

    "Others" are the references that are neither positives nor ignored for the query;
    semi-positives are among them.

    Attributes:
        references: How many references there are, m.
        candidates: int64 (n,), references that are not ignored for the query.
        positives: int64 (n,), how many positives the query has.
        better: int64 (n,), others strictly closer to the query than its best positive. A query
            without a positive has all others here.
        tied: int64 (n,), others tied with it.
        positives_tied: int64 (n,), further positives tied with the best one.
        semi_better: int64 (n,), semi-positives among ``better``.
        semi_tied: int64 (n,), semi-positives among ``tied``.
        tie_tolerance: Scores (dot products of vectors of length 1) that differ by no more than this
            are tied.
        every: Counts for every positive; None if they were not asked for.
        distinct: No reference is the positive of two queries.
        reference_norms: Lengths of the shortest and the longest reference.
    """

    references: int
    candidates: Counts
    positives: Counts
    better: Counts
    tied: Counts
    positives_tied: Counts
    semi_better: Counts
    semi_tied: Counts
    tie_tolerance: float
    every: PositiveCounts | None = None
    distinct: bool = True
    reference_norms: tuple[float, float] = (1.0, 1.0)

    @property
    def queries(self) -> int:
        """How many queries there are, n."""
        return len(self.better)


def rank(
    queries: VectorsLike,
    references: VectorsLike,
    relevance: Relevance,
    *,
    distance: Distance = "euclidean",
    every_positive: bool = False,
    device: str = "cpu",
    block: int | None = None,
    progress: Progress | None = None,
) -> Ranks:
    """Count, for every query, the references that are closer than its best positive, or as close.

    Ties are decided (see :mod:`sightline.evaluation.retrieval.space`); memory holds two blocks of
    vectors and one of scores, whatever n and m are.

    Args:
        queries: float16, float32 or float64 (n, d), in memory, mapped, or a Lance column.
        references: (m, d).
        relevance: What is right, for n queries and m references.
        distance: ``"euclidean"``, squared, as the papers define it; ``"cosine"``; or ``"dot"``, the
            larger the closer. Among vectors of length 1 they are the same.
        every_positive: Also count for every positive of a query, not only for its best.
        device: Torch device where scores are computed.
        block: Rows of a block of scores.
        progress: Called with references done and all references.

    Raises:
        EvaluationError: Shapes that do not fit, or an unknown distance.
        VectorError: NaN, infinity, lengths too far apart to be compared in float64, or, for cosine,
            a zero vector; names array, row and value.
    """
    asked, given = open_vectors(queries, "queries"), open_vectors(references, "references")
    _require_fit(asked, given, relevance, distance)
    measured = measure(asked, "queries"), measure(given, "references")
    if distance == "cosine":
        _require_length(measured)
    space = Space.of(asked, given, measured, distance)
    positives = _Positives.of(space, relevance.positives)
    intervals = positives.intervals(every=every_positive)
    left_out = _union(relevance.positives, relevance.ignored)
    counted = scan(
        space,
        intervals,
        left_out,
        positives.markers if every_positive else Markers.none(),
        device=device,
        block=block,
        progress=progress,
    )
    return _assembled(space, relevance, positives, intervals, counted, every=every_positive)


@dataclass(frozen=True, slots=True, eq=False)
class _Positives:
    """Positives by query, the most similar first, in groups of ties.

    A group reaches as far as the next positive is tied with the one before it.
    """

    queries: int
    owners: Counts
    members: Counts
    group: Counts
    scores: NDArray[np.float64]
    slack: NDArray[np.float64]

    @classmethod
    def of(cls, space: Space, lists: Lists) -> _Positives:
        owners, members = lists.owners, lists.members
        scores = space.pair_scores(owners, members)
        order = np.lexsort((members, -scores, owners))
        owners, members, scores = owners[order], members[order], scores[order]
        slack = space.slack(owners, members)
        apart = np.zeros(len(owners), np.int64)
        if len(owners):
            same = owners[1:] == owners[:-1]
            apart[1:] = same & (scores[:-1] - scores[1:] > slack[:-1])
        running = np.cumsum(apart)
        group = running - running[lists.starts[owners]]
        # Within a group rounding would decide; the reference's number does.
        order = np.lexsort((members, group, owners))
        return cls(len(lists), owners, members[order], group, scores[order], slack[order])

    def intervals(self, *, every: bool) -> Intervals:
        """From a tie below the least of each group to a tie above its best, by group and query.

        Args:
            every: All groups, or only the best one of each query.
        """
        used = np.ones(len(self.group), bool) if every else self.group == 0
        keys = self.group[used] * self.queries + self.owners[used]
        known, place = np.unique(keys, return_inverse=True)
        low, high = np.full(len(known), np.inf), np.full(len(known), -np.inf)
        np.minimum.at(low, place, (self.scores - self.slack)[used])
        np.maximum.at(high, place, (self.scores + self.slack)[used])
        return Intervals(known % self.queries, known // self.queries, low, high)

    @property
    def markers(self) -> Markers:
        """All positives, to be told from their ties by number."""
        return Markers(self.owners, self.group, self.members)


def _assembled(
    space: Space,
    relevance: Relevance,
    positives: _Positives,
    intervals: Intervals,
    counted: Scan,
    *,
    every: bool,
) -> Ranks:
    lengths = relevance.positives.lengths
    candidates = relevance.references - relevance.ignored.lengths
    better, tied = candidates.copy(), np.zeros_like(candidates)
    first = intervals.slots == 0
    answerable = intervals.owners[first]
    better[answerable], tied[answerable] = counted.better[first], counted.tied[first]
    semi_better, semi_tied = _semi_positives(space, relevance.semi_positives, intervals)
    in_first = np.bincount(positives.owners[positives.group == 0], minlength=len(lengths))
    members = relevance.positives.members
    return Ranks(
        references=relevance.references,
        candidates=candidates,
        positives=lengths,
        better=better,
        tied=tied,
        positives_tied=np.maximum(in_first - 1, 0),
        semi_better=semi_better,
        semi_tied=semi_tied,
        tie_tolerance=space.tolerance,
        every=_counts_of_every(positives, intervals, counted) if every else None,
        distinct=len(np.unique(members)) == len(members),
        reference_norms=space.reference_norms,
    )


def _semi_positives(space: Space, lists: Lists, intervals: Intervals) -> tuple[Counts, Counts]:
    """How many semi-positives (n,) are better than the best positive, and how many tied with it."""
    first = intervals.slots == 0
    low, high = np.full(len(lists), -np.inf), np.full(len(lists), -np.inf)
    low[intervals.owners[first]] = intervals.low[first]
    high[intervals.owners[first]] = intervals.high[first]
    owners = lists.owners
    scores = space.pair_scores(owners, lists.members)
    above = scores > high[owners]
    beside = ~above & (scores >= low[owners])
    return (
        np.bincount(owners[above], minlength=len(lists)),
        np.bincount(owners[beside], minlength=len(lists)),
    )


def _counts_of_every(positives: _Positives, intervals: Intervals, counted: Scan) -> PositiveCounts:
    keys = intervals.slots * positives.queries + intervals.owners
    place = np.searchsorted(keys, positives.group * positives.queries + positives.owners)
    return PositiveCounts(
        positives.members,
        counted.better[place],
        counted.tied[place],
        counted.before,
        positives.group,
    )


def _union(a: Lists, b: Lists) -> Lists:
    return Lists.of_pairs(
        np.concatenate([a.owners, b.owners]), np.concatenate([a.members, b.members]), len(a)
    )


def _require_fit(
    queries: Vectors, references: Vectors, relevance: Relevance, distance: str
) -> None:
    if distance not in ("euclidean", "cosine", "dot"):
        raise EvaluationError(
            f"distance must be 'euclidean', 'cosine' or 'dot'. Got {distance!r}.",
            hint="Take the one that the model was trained with; unit vectors need no choice.",
        )
    if queries.shape[1] != references.shape[1]:
        raise EvaluationError(
            f"queries have {queries.shape[1]} dimensions and references {references.shape[1]}.",
            hint="Both must come from one model.",
        )
    for name, rows, wanted in (
        ("queries", queries.shape[0], relevance.queries),
        ("references", references.shape[0], relevance.references),
    ):
        if rows != wanted:
            raise EvaluationError(
                f"{name} has {rows} rows, and the positives speak of {wanted}.",
                hint="Give one list of positives for each query, over these references.",
            )


def _require_length(measured: tuple[Measured, Measured]) -> None:
    for name, one in zip(("queries", "references"), measured, strict=True):
        if not one.norms.all():
            raise VectorError(
                f"{name} row {int(np.argmin(one.norms))} is a zero vector: it has no cosine.",
                hint="Leave it out, or measure by Euclidean distance.",
            )
